"""What moves money or value, or binds to pay for a term: reservations, plans, domains, numbers, orders, credits.

Giving back, ending or selling what was paid for is here as well; an order taken back before anything is charged is not.
"""

from __future__ import annotations

from comptroller.decode.aws.reviewed.rule import Rule

PAY: tuple[Rule, ...] = (
    Rule("pay", "*", "Purchase* BatchPurchase*", "a commitment of money"),
    Rule(
        "pay",
        "bedrock",
        "CreateProvisionedModelThroughput UpdateProvisionedModelThroughput",
        "model units bought by the hour, or for months",
    ),
    Rule("pay", "bedrock", "CreateFoundationModelAgreement", "signs a seller's offer"),
    Rule(
        "pay",
        "bedrock-agentcore",
        "ProcessPayment CreatePaymentInstrument CreatePaymentSession",
        "payments made for an agent, and the wallets and limits for them",
    ),
    Rule(
        "pay",
        "billing",
        "RedeemCredits SplitCredit TransferCredit AssociateContract DisassociateContract "
        "CreateContractualInvestmentAttestation CancelContractualInvestmentAttestation UpdateBillingPreferences",
        "credits, contracts, and whose bill they lessen",
    ),
    Rule("pay", "billingconductor", "UpdateBillingTransferPreference", "who pays whose bill"),
    Rule("pay", "chime chime-sdk-voice", "CreatePhoneNumberOrder", "buys telephone numbers that cost by the month"),
    Rule("pay", "connect", "ClaimPhoneNumber", "a number that costs by the day"),
    Rule("pay", "connecthealth", "ActivateSubscription CreateSubscription", "subscriptions paid by the month"),
    Rule("pay", "connecthealth", "DeactivateSubscription", "ends what was paid for"),
    Rule("pay", "devicefarm", "PurchaseOffering RenewOffering", "device slots paid by the month"),
    Rule("pay", "directconnect", "ConfirmCustomerAgreement", "agrees to terms"),
    Rule(
        "pay",
        "ec2",
        "CreateReservedInstancesListing ModifyReservedInstances AcceptReservedInstancesExchangeQuote "
        "CancelReservedInstancesListing PurchaseCapacityBlock PurchaseCapacityBlockExtension PurchaseHostReservation "
        "PurchaseReservedInstancesOffering PurchaseScheduledInstances CancelCapacityReservation "
        "CreateCapacityReservationCancellationQuote",
        "buys, sells, exchanges or ends something with a term",
    ),
    Rule("pay", "ec2", "MoveCapacityReservationInstances", "moves paid capacity"),
    Rule("pay", "ec2", "DeleteQueuedReservedInstances", "takes a purchase back"),
    Rule(
        "pay",
        "ec2",
        "DisassociateCapacityReservationBillingOwner RejectCapacityReservationBillingOwnership",
        "who pays for the capacity",
    ),
    Rule("pay", "eks", "CreateEksAnywhereSubscription UpdateEksAnywhereSubscription", "a subscription paid for years"),
    Rule(
        "pay",
        "elasticache memorydb",
        "PurchaseReservedCacheNodesOffering PurchaseReservedNodesOffering",
        "a commitment of money over years",
    ),
    Rule(
        "pay",
        "es opensearch",
        "PurchaseReservedElasticsearchInstanceOffering PurchaseReservedInstanceOffering",
        "a commitment of money over years",
    ),
    Rule("pay", "freetier", "UpgradeAccountPlan", "from now on the account pays"),
    Rule("pay", "glacier", "PurchaseProvisionedCapacity", "retrieval capacity bought by the month"),
    Rule("pay", "grafana", "AssociateLicense", "buys a licence that is paid by user and month"),
    Rule("pay", "importexport", "CreateJob", "orders a transport of disks"),
    Rule("pay", "importexport", "UpdateJob", "changes what was ordered"),
    Rule(
        "pay",
        "invoicing",
        "CreateInvoiceUnit UpdateInvoiceUnit DeleteInvoiceUnit CreateProcurementPortalPreference "
        "PutProcurementPortalPreference UpdateProcurementPortalPreferenceStatus DeleteProcurementPortalPreference",
        "to whom invoices go and who pays them",
    ),
    Rule("pay", "iottwinmaker", "UpdatePricingPlan", "a plan paid by the month"),
    Rule(
        "pay",
        "license-manager",
        "CheckoutBorrowLicense CheckoutLicense ExtendLicenseConsumption",
        "uses up what was bought",
    ),
    Rule(
        "pay",
        "license-manager-user-subscriptions",
        "StartProductSubscription AssociateUser",
        "a licence paid by user and month",
    ),
    Rule("pay", "license-manager-user-subscriptions", "StopProductSubscription", "ends what was paid for"),
    Rule(
        "pay",
        "marketplace-agreement",
        "AcceptAgreementApproval AcceptAgreementCancellationRequest AcceptAgreementPaymentRequest "
        "AcceptAgreementRequest BatchCreateBillingAdjustmentRequest CancelAgreement CancelAgreementPaymentRequest "
        "CreateAgreementRequest SendAgreementCancellationRequest SendAgreementPaymentRequest StartAgreementApprovals "
        "UpdatePurchaseOrders",
        "buys, ends, or asks money for, what is sold on the marketplace",
    ),
    Rule("pay", "marketplace-catalog", "StartChangeSet", "makes and changes offers, prices and agreements"),
    Rule("pay", "mediaconnect", "PurchaseOffering", "a commitment of money over a year"),
    Rule("pay", "mediaconvert", "CreateQueue UpdateQueue", "a reserved queue is bought for a year"),
    Rule("pay", "medialive", "PurchaseOffering", "a commitment of money over a year"),
    Rule("pay", "medialive mediaconnect", "UpdateReservation", "changes what was bought"),
    Rule("pay", "meteringmarketplace", "BatchMeterUsage MeterUsage RegisterUsage", "charges a customer"),
    Rule(
        "pay",
        "mturk",
        "CreateHIT CreateHITWithHITType CreateAdditionalAssignmentsForHIT",
        "work offered to people, for money",
    ),
    Rule("pay", "mturk", "ApproveAssignment UpdateExpirationForHIT", "pays workers, or lets more be earned"),
    Rule("pay", "mturk", "SendBonus", "pays a worker and writes to them"),
    Rule("pay", "odb", "AcceptMarketplaceRegistration", "accepts an offer"),
    Rule(
        "pay",
        "organizations",
        "InviteOrganizationToTransferResponsibility",
        "asks somebody to take over, or hand over, the bill",
    ),
    Rule("pay", "organizations", "TerminateResponsibilityTransfer", "who pays the bill"),
    Rule("pay", "outposts", "CreateOrder CreateRenewal", "hardware ordered for a term, paid while it stands"),
    Rule(
        "pay",
        "partnercentral-benefits",
        "SubmitBenefitApplication AmendBenefitApplication",
        "asks for money or credits",
    ),
    Rule(
        "pay",
        "partnercentral-channel",
        "AcceptChannelHandshake CreateChannelHandshake CreateRelationship UpdateRelationship "
        "CreateProgramManagementAccount UpdateProgramManagementAccount",
        "whose bill and discount it is",
    ),
    Rule(
        "pay",
        "partnercentral-revenue-measurement",
        "CreateMarketplaceRevenueShare CreateMarketplaceRevenueShareAllocation "
        "UpdateMarketplaceRevenueShareAllocation CreateRevenueAttribution UpdateRevenueAttribution "
        "StartRevenueAttributionAllocationsTask",
        "who gets which share of revenue",
    ),
    Rule(
        "pay",
        "pinpoint-sms-voice-v2",
        "RequestPhoneNumber RequestSenderId",
        "numbers and names that cost by the month",
    ),
    Rule(
        "pay",
        "pricing-plan-manager",
        "ApprovePaidSubscription CreateSubscription UpdateSubscription CancelSubscription CancelSubscriptionChange "
        "AssociateResourcesToSubscription DisassociateResourcesFromSubscription",
        "plans paid by the month",
    ),
    Rule("pay", "qbusiness", "CreateSubscription UpdateSubscription", "a seat paid by the month"),
    Rule("pay", "qbusiness", "CancelSubscription", "ends a paid seat"),
    Rule("pay", "rds", "PurchaseReservedDBInstancesOffering", "a commitment of money over years"),
    Rule(
        "pay",
        "rds",
        "CreateDBCapacityReservation ModifyDBCapacityReservation CancelDBCapacityReservation",
        "capacity bought for a term",
    ),
    Rule(
        "pay",
        "redshift",
        "PurchaseReservedNodeOffering AcceptReservedNodeExchange",
        "a commitment of money over years",
    ),
    Rule("pay", "redshift-serverless", "CreateReservation", "capacity bought for a term"),
    Rule("pay", "repostspace", "CreateSpace UpdateSpace", "a space paid by the month"),
    Rule(
        "pay",
        "route53domains",
        "RegisterDomain RenewDomain TransferDomain RestoreDomain EnableDomainAutoRenew "
        "AcceptDomainTransferFromAnotherAwsAccount",
        "domains are paid for by the year",
    ),
    Rule("pay", "sagemaker", "CreateTrainingPlan ExtendTrainingPlan", "GPU capacity bought for a term"),
    Rule("pay", "sagemaker-a2i-runtime", "StartHumanLoop", "asks people, for money"),
    Rule("pay", "savingsplans", "CreateSavingsPlan ReturnSavingsPlan", "a commitment of money over years"),
    Rule("pay", "shield", "CreateSubscription", "a year's subscription"),
    Rule("pay", "shield", "UpdateSubscription", "whether the year begins anew by itself"),
    Rule(
        "pay",
        "snowball",
        "CreateJob CreateCluster CreateLongTermPricing UpdateLongTermPricing",
        "devices ordered, paid for by the day or for years",
    ),
    Rule(
        "pay",
        "snowball",
        "UpdateJob UpdateCluster CreateReturnShippingLabel",
        "changes what was ordered, and how it is sent",
    ),
    Rule(
        "pay",
        "taxsettings",
        "BatchDeleteTaxRegistration BatchPutTaxRegistration PutSupplementalTaxRegistration PutTaxExemption "
        "PutTaxInheritance PutTaxRegistration DeleteTaxRegistration DeleteSupplementalTaxRegistration",
        "which tax is paid, and by whom",
    ),
    Rule("pay", "wickr", "CreateNetwork UpdateNetwork", "a plan paid by user and month"),
)
