"""What weakens logging, monitoring, backups or a guardrail, or may: putting a new rule over an old one can empty it.

Filters, alarms, budgets, quotas, retention of records, encryption at rest and in transit, protection against deletion.
"""

from __future__ import annotations

from comptroller.decode.aws.reviewed.rule import Rule

BLIND: tuple[Rule, ...] = (
    Rule(
        "blind",
        "*",
        "Delete*LoggingConfiguration* Delete*LogConfig* Disable*Logging* Stop*Logging* Delete*EventDestination "
        "Delete*NotificationConfiguration Disassociate*AdministratorAccount Disable*AdminAccount "
        "Deregister*DelegatedAdmin*",
        "records end, or nobody watches any more",
    ),
    Rule(
        "blind",
        "accessanalyzer",
        "ApplyArchiveRule CreateArchiveRule UpdateArchiveRule UpdateAnalyzer UpdateFindings DeleteAnalyzer "
        "DeleteServiceLinkedAnalyzer",
        "findings about outside access fall silent",
    ),
    Rule(
        "blind",
        "account",
        "PutAlternateContact DeleteAlternateContact",
        "AWS's security notices go to somebody else",
    ),
    Rule("blind", "acm", "UpdateCertificateOptions", "can keep a certificate out of the public transparency logs"),
    Rule("blind", "acm-pca", "UpdateCertificateAuthority", "can stop the lists of revoked certificates"),
    Rule(
        "blind",
        "amp",
        "PutAlertManagerDefinition PutRuleGroupsNamespace PutAnomalyDetector UpdateLoggingConfiguration "
        "UpdateQueryLoggingConfiguration UpdateScraperLoggingConfiguration UpdateWorkspaceConfiguration "
        "DeleteLoggingConfiguration DeleteQueryLoggingConfiguration DeleteScraperLoggingConfiguration "
        "DeleteAlertManagerDefinition DeleteRuleGroupsNamespace DeleteAnomalyDetector DeleteScraper",
        "alerts, logs or kept metrics may end",
    ),
    Rule("blind", "apigateway", "UpdateStage", "may switch off the stage's logs, or on a paid cache"),
    Rule("blind", "apigateway", "UpdateAccount", "the role that writes the logs can be taken away"),
    Rule("blind", "apigateway", "UpdateUsagePlan UpdateUsage", "a limit of how much a caller may use"),
    Rule("blind", "apigatewayv2", "UpdateStage DeleteAccessLogSettings", "access logs may end"),
    Rule("blind", "appconfig", "UpdateAccountSettings", "the protection against deletion can be switched off"),
    Rule(
        "blind",
        "appfabric",
        "StopIngestion DeleteIngestion DeleteIngestionDestination UpdateIngestionDestination",
        "audit logs of applications no longer arrive",
    ),
    Rule(
        "blind",
        "application-insights",
        "UpdateApplication UpdateComponent UpdateComponentConfiguration UpdateLogPattern UpdateProblem UpdateWorkload "
        "RemoveWorkload DeleteApplication DeleteComponent DeleteLogPattern",
        "less is watched",
    ),
    Rule(
        "blind",
        "application-signals",
        "BatchUpdateExclusionWindows UpdateServiceLevelObjective DeleteServiceLevelObjective",
        "a broken promise is no longer noticed",
    ),
    Rule("blind", "appstream", "DeleteUsageReportSubscription", "usage reports end"),
    Rule("blind", "appsync", "UpdateGraphqlApi", "who may call the interface, and whether that is logged"),
    Rule(
        "blind",
        "arc-zonal-shift",
        "UpdateZonalAutoshiftConfiguration UpdateAutoshiftObserverNotificationStatus DeletePracticeRunConfiguration",
        "the automatic way out of a broken zone ends",
    ),
    Rule("blind", "athena", "UpdateWorkGroup", "can lift the limit of what a query may read, or its logs"),
    Rule(
        "blind",
        "auditmanager",
        "DeregisterAccount UpdateAssessment UpdateAssessmentStatus UpdateSettings DeleteAssessment DeleteControl "
        "DeleteAssessmentFramework",
        "evidence is no longer collected",
    ),
    Rule("blind", "auditmanager", "DeregisterOrganizationAdminAccount", "who runs the audit of all accounts"),
    Rule("blind", "autoscaling", "DisableMetricsCollection DeleteNotificationConfiguration", "metrics or notices end"),
    Rule("blind", "backup", "DisassociateBackupVaultMpaApprovalTeam", "nobody has to agree any more"),
    Rule("blind", "backup", "UpdateBackupPlan", "more backups, or none"),
    Rule(
        "blind",
        "backup",
        "UpdateRecoveryPointLifecycle DisassociateRecoveryPoint DisassociateRecoveryPointFromParent",
        "a backup ends sooner",
    ),
    Rule(
        "blind",
        "backup",
        "DeleteBackupPlan DeleteBackupSelection DeleteBackupVaultLockConfiguration UpdateGlobalSettings "
        "UpdateRegionSettings CancelLegalHold StopBackupJob UpdateFramework DeleteFramework DeleteReportPlan "
        "UpdateReportPlan DeleteBackupVaultNotifications PutBackupVaultNotifications UpdateTieringConfiguration "
        "DeleteRestoreTestingPlan DeleteRestoreTestingSelection DeleteRecoveryPoint DeleteBackupVault",
        "backups or their protection end",
    ),
    Rule(
        "blind",
        "bedrock",
        "UpdateGuardrail DeleteGuardrail PutEnforcedGuardrailConfiguration DeleteEnforcedGuardrailConfiguration "
        "PutModelInvocationLoggingConfiguration DeleteModelInvocationLoggingConfiguration PutAccountDataRetention "
        "UpdateAutomatedReasoningPolicy UpdateAutomatedReasoningPolicyAnnotations DeleteAutomatedReasoningPolicy",
        "what a model may say, or the log of what it said",
    ),
    Rule("blind", "bedrock-agent", "UpdateAgent", "can take the agent's guardrail away"),
    Rule(
        "blind",
        "bedrock-agentcore-control",
        "UpdatePolicy UpdatePolicyEngine DeletePolicy DeletePolicyEngine",
        "what agents are kept from",
    ),
    Rule(
        "blind",
        "bedrock-agentcore-control",
        "BatchPutGatewayRateLimits UpdateGatewayRateLimit DeleteGatewayRateLimit DeleteOnlineEvaluationConfig",
        "limits and checks of agents",
    ),
    Rule("blind", "braket", "UpdateSpendingLimit DeleteSpendingLimit", "a spending guard is weakened"),
    Rule("blind", "budgets", "UpdateBudgetAction DeleteBudgetAction", "what happens when the money is spent"),
    Rule(
        "blind",
        "budgets",
        "UpdateBudget UpdateNotification UpdateSubscriber DeleteBudget DeleteNotification DeleteSubscriber",
        "a spending guard is weakened",
    ),
    Rule(
        "blind",
        "ce",
        "UpdateAnomalyMonitor UpdateAnomalySubscription DeleteAnomalyMonitor DeleteAnomalySubscription "
        "ProvideAnomalyFeedback",
        "unusual costs are no longer reported",
    ),
    Rule("blind", "chime-sdk-messaging", "DeleteMessagingStreamingConfigurations", "the copy of messages ends"),
    Rule("blind", "chime-sdk-messaging", "PutMessagingStreamingConfigurations", "where the copy of messages goes"),
    Rule(
        "blind",
        "chime-sdk-voice",
        "PutVoiceConnectorLoggingConfiguration PutSipMediaApplicationLoggingConfiguration "
        "DeleteVoiceConnectorStreamingConfiguration",
        "logs of calls end",
    ),
    Rule(
        "blind",
        "chime-sdk-voice",
        "UpdateVoiceConnector PutVoiceConnectorStreamingConfiguration",
        "calls may go unencrypted or unrecorded",
    ),
    Rule(
        "blind",
        "cleanrooms",
        "UpdatePrivacyBudgetTemplate DeletePrivacyBudgetTemplate",
        "the limit of what may leak through answers",
    ),
    Rule("blind", "clouddirectory", "DisableDirectory", "nothing can be looked up any more"),
    Rule(
        "blind",
        "cloudformation",
        "SetStackPolicy UpdateTerminationProtection DeactivateType",
        "a stack may be replaced or deleted again",
    ),
    Rule(
        "blind",
        "cloudfront",
        "UpdateDistribution UpdateDistributionWithStagingConfig UpdateDistributionTenant UpdateStreamingDistribution",
        "origins, signatures, filter and logs can all change",
    ),
    Rule(
        "blind",
        "cloudfront",
        "UpdateFieldLevelEncryptionConfig UpdateFieldLevelEncryptionProfile DeleteFieldLevelEncryptionConfig "
        "DeleteFieldLevelEncryptionProfile UpdateRealtimeLogConfig DeleteRealtimeLogConfig "
        "DeleteMonitoringSubscription DisassociateDistributionTenantWebACL DisassociateDistributionWebACL "
        "AssociateDistributionTenantWebACL AssociateDistributionWebACL UpdateResponseHeadersPolicy",
        "encryption, filter or logs can be weakened",
    ),
    Rule("blind", "cloudhsmv2", "ModifyBackupAttributes ModifyCluster", "backups can end sooner"),
    Rule(
        "blind",
        "cloudtrail",
        "StopLogging DeleteTrail UpdateTrail PutEventSelectors PutInsightSelectors DeleteEventDataStore "
        "UpdateEventDataStore StopEventDataStoreIngestion StopImport UpdateChannel DeleteChannel "
        "PutEventConfiguration",
        "the record of what was done stops or thins out",
    ),
    Rule("blind", "cloudtrail", "DeregisterOrganizationDelegatedAdmin", "who keeps the record of all accounts"),
    Rule(
        "blind",
        "cloudwatch",
        "DisableAlarmActions DisableInsightRules DeleteAlarms DeleteInsightRules DeleteAnomalyDetector "
        "DeleteMetricStream DeleteAlarmMuteRule SetAlarmState PutAlarmMuteRule PutMetricAlarm PutCompositeAlarm "
        "PutLogAlarm PutMetricStream PutInsightRule PutManagedInsightRules StopMetricStreams StopOTelEnrichment "
        "UpdateOTelEnrichment UpdateResourceMetricsConfiguration DeleteResourceMetricsConfiguration "
        "DisassociateDatasetKmsKey PutAnomalyDetector",
        "an alarm no longer rings: put over an old one, it may watch nothing",
    ),
    Rule(
        "blind",
        "cloudwatchomni",
        "UpdateAlert DeleteAlert DeleteIntegration DeleteDomain",
        "an alert no longer rings",
    ),
    Rule(
        "blind",
        "codecommit",
        "DeleteApprovalRuleTemplate DisassociateApprovalRuleTemplateFromRepository "
        "BatchDisassociateApprovalRuleTemplateFromRepositories DeletePullRequestApprovalRule "
        "OverridePullRequestApprovalRules UpdateApprovalRuleTemplateContent UpdatePullRequestApprovalRuleContent "
        "UpdateRepositoryEncryptionKey",
        "nobody has to agree to a change of code any more",
    ),
    Rule("blind", "codeguruprofiler", "RemoveNotificationChannel", "people are no longer told what happens"),
    Rule("blind", "codepipeline", "OverrideStageCondition", "goes on although a check said no"),
    Rule(
        "blind",
        "codestar-notifications",
        "Unsubscribe DeleteTarget DeleteNotificationRule",
        "people are no longer told what happens",
    ),
    Rule("blind", "cognito-idp", "SetLogDeliveryConfiguration SetUserPoolMfaConfig", "logs or second factors can end"),
    Rule(
        "blind",
        "compute-optimizer compute-optimizer-automation",
        "PutRecommendationPreferences UpdateEnrollmentStatus UpdateEnrollmentConfiguration "
        "DeleteRecommendationPreferences",
        "recommendations end",
    ),
    Rule(
        "blind",
        "config",
        "StopConfigurationRecorder DeleteConfigurationRecorder DeleteDeliveryChannel PutDeliveryChannel "
        "DeleteConfigRule DeleteOrganizationConfigRule DeleteOrganizationConformancePack "
        "DeleteRemediationConfiguration DeleteConformancePack DeleteConfigurationAggregator "
        "DeleteRetentionConfiguration PutRetentionConfiguration DeleteServiceLinkedConfigurationRecorder "
        "DisassociateResourceTypes DeleteEvaluationResults PutRemediationExceptions DeleteResourceConfig "
        "DeleteAggregationAuthorization DeleteConnector DeletePendingAggregationRequest PutEvaluations "
        "PutExternalEvaluation PutConfigurationAggregator",
        "the record of changes stops, or says what is not so",
    ),
    Rule(
        "blind",
        "config",
        "PutConfigurationRecorder PutConfigRule PutOrganizationConfigRule PutConformancePack "
        "PutOrganizationConformancePack",
        "paid by record and check; put over an old one, it may watch less",
    ),
    Rule(
        "blind",
        "connect",
        "DisassociateInstanceStorageConfig StopContactRecording SuspendContactRecording UpdateInstanceAttribute",
        "recordings or flow logs end",
    ),
    Rule(
        "blind",
        "connectcampaignsv2",
        "UpdateCampaignCommunicationLimits UpdateCampaignCommunicationTime PutInstanceCommunicationLimits "
        "DeleteCampaignCommunicationLimits DeleteCampaignCommunicationTime UpdateCampaignEntryLimits",
        "limits of how often and when people are called",
    ),
    Rule("blind", "connectcases", "DeleteCaseRule", "a rule of who sees and fills what"),
    Rule(
        "blind",
        "controltower",
        "DisableControl DisableBaseline DeleteLandingZone UpdateEnabledControl",
        "a guardrail of all accounts is weakened",
    ),
    Rule("blind", "cost-optimization-hub", "UpdateEnrollmentStatus", "recommendations end"),
    Rule("blind", "cur", "ModifyReportDefinition DeleteReportDefinition", "the cost report ends or goes elsewhere"),
    Rule("blind", "customer-profiles", "DeleteEventStream", "the copy of events ends"),
    Rule("blind", "deadline", "UpdateBudget DeleteBudget UpdateLimit DeleteLimit", "a spending guard is weakened"),
    Rule(
        "blind",
        "detective",
        "DisableOrganizationAdminAccount DisassociateMembership DeleteMembers",
        "an account is no longer watched",
    ),
    Rule(
        "blind",
        "detective",
        "DeleteGraph UpdateInvestigationState UpdateOrganizationConfiguration",
        "less is watched",
    ),
    Rule(
        "blind",
        "devops-guru",
        "RemoveNotificationChannel UpdateEventSourcesConfig UpdateServiceIntegration DeleteInsight",
        "less is watched",
    ),
    Rule("blind", "devops-guru", "UpdateResourceCollection", "more is watched, and paid for, or less"),
    Rule("blind", "directconnect", "DisassociateMacSecKey UpdateConnection", "a line may go unencrypted"),
    Rule("blind", "discovery", "StopContinuousExport StopDataCollectionByAgentIds", "data is no longer collected"),
    Rule("blind", "dlm", "UpdateLifecyclePolicy", "takes and deletes snapshots by itself, or stops to"),
    Rule("blind", "dlm", "DeleteLifecyclePolicy", "backups are no longer taken"),
    Rule(
        "blind",
        "dms",
        "UpdateSubscriptionsToEventBridge ModifyEventSubscription DeleteEventSubscription",
        "people are no longer told what happens",
    ),
    Rule(
        "blind",
        "docdb neptune rds",
        "ModifyEventSubscription DeleteEventSubscription RemoveSourceIdentifierFromSubscription StopActivityStream "
        "ModifyActivityStream ModifyDBParameterGroup ModifyDBClusterParameterGroup ModifyOptionGroup "
        "StopDBInstanceAutomatedBackupsReplication DeleteDBInstanceAutomatedBackup DeleteDBClusterAutomatedBackup",
        "logs, notices, encryption in transit or backups can end",
    ),
    Rule("blind", "docdb neptune rds", "ModifyGlobalCluster", "the protection against deletion"),
    Rule(
        "blind",
        "drs",
        "StopReplication StopSourceNetworkReplication DisconnectSourceServer DeleteSourceServer DeleteSourceNetwork "
        "DeleteLaunchAction",
        "a server is no longer protected",
    ),
    Rule("blind", "ds", "DisableClientAuthentication DisableLDAPS DisableRadius", "a factor or an encryption ends"),
    Rule("blind", "ds", "DeleteLogSubscription DeregisterEventTopic", "logs or notices end"),
    Rule(
        "blind",
        "dynamodb",
        "UpdateContinuousBackups UpdateContributorInsights",
        "backups or insight begin, and cost, or end",
    ),
    Rule("blind", "dynamodb", "DisableKinesisStreamingDestination", "the stream of changes ends"),
    Rule("blind", "ec2", "ModifyMetricCategory", "replaces which metrics are kept: some end, others cost"),
    Rule(
        "blind",
        "ec2",
        "DisableImageBlockPublicAccess DisableSnapshotBlockPublicAccess DisableEbsEncryptionByDefault "
        "ModifyVpcBlockPublicAccessOptions ModifyVpcBlockPublicAccessExclusion CreateVpcBlockPublicAccessExclusion "
        "DisableAllowedImagesSettings ReplaceImageCriteriaInAllowedImagesSettings EnableAllowedImagesSettings "
        "DisableImageDeregistrationProtection CreateMacSystemIntegrityProtectionModificationTask UnlockSnapshot "
        "DisableImageDeprecation EnableSnapshotBlockPublicAccess EnableImageBlockPublicAccess "
        "DeleteVpcEncryptionControl DisableIpamPolicy",
        "a guardrail over everything in the region is weakened (what blocks public access can be set to block less)",
    ),
    Rule(
        "blind",
        "ec2",
        "DeleteFlowLogs DeleteTrafficMirrorSession DeleteTrafficMirrorFilter DeleteTrafficMirrorFilterRule "
        "DeleteTrafficMirrorTarget ModifyTrafficMirrorFilterNetworkServices ModifyTrafficMirrorFilterRule "
        "UnmonitorInstances DisableAwsNetworkPerformanceMetricSubscription "
        "ModifyVerifiedAccessInstanceLoggingConfiguration DeleteVpcEndpointConnectionNotifications "
        "ModifyVpcEndpointConnectionNotification DeregisterInstanceEventNotificationAttributes "
        "DeleteNetworkInsightsAccessScope DisableCapacityManager DeleteSpotDatafeedSubscription "
        "EnableApplicationStatusCheckSuppression ModifyApplicationStatusCheck DeleteApplicationStatusCheck "
        "DisassociateApplicationStatusCheck DeleteMetricCategory DisableInstanceSqlHaStandbyDetections "
        "ModifyVpnTunnelOptions",
        "records, metrics, notices or the encryption of a tunnel end or thin out",
    ),
    Rule("blind", "ec2", "ModifyEbsDefaultKmsKeyId ResetEbsDefaultKmsKeyId", "which key everything is encrypted with"),
    Rule(
        "blind",
        "ecr",
        "PutImageScanningConfiguration PutRegistryScanningConfiguration PutImageTagMutability DeleteLifecyclePolicy "
        "PutSigningConfiguration DeleteSigningConfiguration",
        "images are no longer checked, or a tag may be put over another image",
    ),
    Rule("blind", "ecs", "UpdateCluster", "cluster settings, metrics and the log of commands"),
    Rule(
        "blind",
        "efs",
        "PutBackupPolicy UpdateFileSystemProtection DeleteReplicationConfiguration",
        "backups or a protection end",
    ),
    Rule("blind", "eks", "UpdateClusterConfig", "logs, who may reach the cluster, and its size"),
    Rule(
        "blind",
        "elb elbv2",
        "ModifyLoadBalancerAttributes AddTrustStoreRevocations RemoveTrustStoreRevocations",
        "access logs or a protection can end",
    ),
    Rule(
        "blind",
        "elb elbv2",
        "ModifyListener ModifyRule SetLoadBalancerPoliciesOfListener CreateLoadBalancerPolicy",
        "where traffic goes, who must sign in first, and how it is encrypted",
    ),
    Rule(
        "blind",
        "emr",
        "PutBlockPublicAccessConfiguration SetTerminationProtection RemoveAutoTerminationPolicy "
        "PutAutoTerminationPolicy",
        "a guardrail is weakened: public ports, termination, or machines left running",
    ),
    Rule(
        "blind",
        "es opensearch",
        "UpdateElasticsearchDomainConfig UpdateDomainConfig",
        "size, logs, encryption and who may reach the domain",
    ),
    Rule(
        "blind",
        "eventbridgev2",
        "UpdateEventBus DeleteSubscriber DeleteEventSource",
        "an alarm's path is cut",
    ),
    Rule(
        "blind",
        "events",
        "DisableRule DeleteRule RemoveTargets DeleteArchive UpdateArchive DeactivateEventSource DeauthorizeConnection "
        "UpdateEventBus",
        "an alarm's path is cut, or its copy ends",
    ),
    Rule("blind", "firehose", "UpdateDestination StopDeliveryStreamEncryption", "records go elsewhere, or unencrypted"),
    Rule("blind", "fis", "UpdateSafetyLeverState", "the lever that stops experiments"),
    Rule("blind", "fms", "PutPolicy", "firewalls of all accounts: what they let through, and what they cost"),
    Rule("blind", "fms", "DisassociateAdminAccount", "nobody, or somebody else, runs the firewalls of all accounts"),
    Rule(
        "blind",
        "fms",
        "DisassociateThirdPartyFirewall BatchDisassociateResource PutAppsList PutProtocolsList PutNotificationChannel "
        "DeleteNotificationChannel DeletePolicy DeleteAppsList DeleteProtocolsList DeleteResourceSet PutResourceSet",
        "less is filtered or told",
    ),
    Rule(
        "blind",
        "frauddetector",
        "UpdateDetectorVersion UpdateDetectorVersionStatus UpdateRuleVersion DeleteRule DeleteDetector "
        "DeleteDetectorVersion DeleteOutcome",
        "a guard against fraud is weakened",
    ),
    Rule(
        "blind",
        "glacier",
        "AbortVaultLock SetDataRetrievalPolicy DeleteVaultNotifications",
        "a lock, a limit of cost or a notice ends",
    ),
    Rule(
        "blind",
        "globalaccelerator",
        "UpdateAcceleratorAttributes UpdateCustomRoutingAcceleratorAttributes",
        "the record of connections can end",
    ),
    Rule(
        "blind",
        "glue",
        "PutDataCatalogEncryptionSettings DeleteSecurityConfiguration UpdateUsageProfile DeleteUsageProfile",
        "encryption, or the limit of what a user may start",
    ),
    Rule("blind", "greengrass", "CreateLoggerDefinition CreateLoggerDefinitionVersion", "what devices log"),
    Rule(
        "blind",
        "guardduty",
        "UpdateDetector UpdateMemberDetectors UpdateOrganizationConfiguration UpdateMalwareProtectionPlan "
        "UpdateMalwareScanSettings",
        "more is watched, and paid for, or less",
    ),
    Rule(
        "blind",
        "guardduty",
        "DeleteDetector StopMonitoringMembers DeleteMembers CreateFilter UpdateFilter DeleteFilter CreateIPSet "
        "UpdateIPSet DeleteIPSet CreateTrustedEntitySet UpdateTrustedEntitySet DeleteTrustedEntitySet "
        "UpdateThreatEntitySet DeleteThreatEntitySet UpdateThreatIntelSet DeleteThreatIntelSet "
        "DeletePublishingDestination UpdatePublishingDestination ArchiveFindings UpdateFindingsFeedback "
        "CreateSampleFindings DeleteMalwareProtectionPlan UpdateCustomDetectionRule* DeleteCustomDetectionRule*",
        "threats are no longer seen, or drown",
    ),
    Rule(
        "blind",
        "guardduty",
        "DisassociateMembers DisassociateFromAdministratorAccount DisassociateFromMasterAccount "
        "DisableOrganizationAdminAccount",
        "an account is no longer watched by its administrator",
    ),
    Rule(
        "blind",
        "health",
        "DisableHealthServiceAccessForOrganization DisableTags DisableTagsForOrganization",
        "less is seen of what AWS reports",
    ),
    Rule(
        "blind",
        "imagebuilder",
        "CreateInfrastructureConfiguration UpdateInfrastructureConfiguration",
        "where build logs go",
    ),
    Rule(
        "blind",
        "inspector inspector2",
        "Disable StopAssessmentRun UnsubscribeFromEvent UpdateAssessmentTarget Delete* "
        "BatchDisassociateCodeSecurityScanConfiguration CreateFilter UpdateFilter UpdateCisScanConfiguration "
        "UpdateCodeSecurityScanConfiguration UpdateConfiguration UpdateConnectorScanConfiguration "
        "UpdateEc2DeepInspectionConfiguration UpdateOrgEc2DeepInspectionConfiguration UpdateOrganizationConfiguration "
        "BatchUpdateMemberEc2DeepInspectionStatus UpdateEncryptionKey ResetEncryptionKey StopCisSession",
        "less is scanned or told",
    ),
    Rule(
        "blind",
        "inspector2",
        "DisableDelegatedAdminAccount DisassociateMember",
        "an account is no longer watched by its administrator",
    ),
    Rule("blind", "internetmonitor", "UpdateMonitor", "more is watched, and paid for, or less"),
    Rule("blind", "internetmonitor", "DeleteMonitor", "less is watched"),
    Rule(
        "blind",
        "iot",
        "CreateAuditSuppression UpdateAuditSuppression DeleteAccountAuditConfiguration "
        "UpdateAccountAuditConfiguration DeleteScheduledAudit UpdateScheduledAudit DetachSecurityProfile "
        "UpdateSecurityProfile DeleteSecurityProfile DisableTopicRule DeleteTopicRule SetLoggingOptions "
        "SetV2LoggingLevel SetV2LoggingOptions DeleteV2LoggingLevel DeleteMitigationAction DeleteCustomMetric "
        "DeleteFleetMetric PutVerificationStateOnViolation UpdateEventConfigurations UpdateEncryptionConfiguration",
        "checks, logs or alarms of devices end",
    ),
    Rule("blind", "iot", "UpdateIndexingConfiguration", "indexes cost, or end"),
    Rule(
        "blind",
        "iot-managed-integrations",
        "PutRuntimeLogConfiguration ResetRuntimeLogConfiguration UpdateEventLogConfiguration "
        "DeleteEventLogConfiguration UpdateNotificationConfiguration DeleteNotificationConfiguration "
        "PutDefaultEncryptionConfiguration",
        "logs or notices end",
    ),
    Rule("blind", "iotfleetwise", "PutLoggingOptions PutEncryptionConfiguration", "logs or encryption end"),
    Rule("blind", "iotsitewise", "PutLoggingOptions PutDefaultEncryptionConfiguration", "logs or encryption end"),
    Rule("blind", "iotsitewise", "PutStorageConfiguration", "where and how long measurements are kept"),
    Rule(
        "blind",
        "iotwireless",
        "PutResourceLogLevel ResetAllResourceLogLevels ResetResourceLogLevel UpdateLogLevelsByResourceTypes "
        "UpdateMetricConfiguration",
        "logs or metrics end",
    ),
    Rule(
        "blind",
        "ivschat",
        "UpdateLoggingConfiguration DeleteLoggingConfiguration UpdateRoom",
        "the log of a chat, or who reviews it",
    ),
    Rule("blind", "kafka", "UpdateSecurity", "how clients prove who they are, and encryption"),
    Rule("blind", "kafka", "UpdateMonitoring", "metrics and logs can end"),
    Rule("blind", "kinesis", "DisableEnhancedMonitoring StopStreamEncryption", "metrics or encryption end"),
    Rule(
        "blind",
        "kinesisanalytics kinesisanalyticsv2",
        "DeleteApplicationCloudWatchLoggingOption",
        "the record of what happens can end",
    ),
    Rule("blind", "kms", "DisableKeyRotation", "the key is no longer renewed"),
    Rule(
        "blind",
        "lambda",
        "PutFunctionCodeSigningConfig DeleteFunctionCodeSigningConfig UpdateCodeSigningConfig DeleteCodeSigningConfig "
        "PutFunctionRecursionConfig DeleteFunctionConcurrency",
        "unsigned code, endless loops or unlimited copies are let through",
    ),
    Rule("blind", "launch-wizard", "DeleteDeployment", "all that it set up goes"),
    Rule(
        "blind",
        "license-manager",
        "UpdateLicenseConfiguration UpdateLicenseSpecificationsForResource DeleteLicenseConfiguration "
        "UpdateServiceSettings UpdateLicenseAssetRuleset DeleteLicenseAssetRuleset",
        "a limit of licences ends",
    ),
    Rule(
        "blind",
        "lightsail",
        "PutAlarm DeleteAlarm DisableAddOn DeleteAutoSnapshot DeleteContactMethod UpdateRelationalDatabaseParameters",
        "alarms or backups end",
    ),
    Rule(
        "blind",
        "logs",
        "DeleteLogGroup DeleteLogStream PutRetentionPolicy DeleteSubscriptionFilter DeleteMetricFilter "
        "PutMetricFilter DeleteDestination DeleteDelivery DeleteDeliveryDestination DeleteDeliverySource "
        "DeleteDeliveryDestinationPolicy UpdateDeliveryConfiguration PutDataProtectionPolicy DeleteAccountPolicy "
        "DeleteDataProtectionPolicy DisassociateKmsKey DeleteLogAnomalyDetector UpdateLogAnomalyDetector "
        "UpdateAnomaly PutLogGroupDeletionProtection PutTransformer DeleteTransformer DeleteScheduledQuery "
        "UpdateScheduledQuery PutStorageTierPolicy DeleteSyslogConfiguration DisassociateSourceFromS3TableIntegration "
        "CancelExportTask",
        "records vanish, are rewritten or go elsewhere",
    ),
    Rule("blind", "logs", "PutAccountPolicy", "where the logs of every group go, and what is masked in them"),
    Rule(
        "blind",
        "lookoutequipment",
        "UpdateInferenceScheduler DeleteInferenceScheduler StopInferenceScheduler",
        "machines are no longer watched",
    ),
    Rule(
        "blind",
        "macie2",
        "DisableMacie DeleteMember CreateFindingsFilter UpdateFindingsFilter DeleteFindingsFilter CreateAllowList "
        "UpdateAllowList PutClassificationExportConfiguration PutFindingsPublicationConfiguration "
        "UpdateAutomatedDiscoveryConfiguration BatchUpdateAutomatedDiscoveryAccounts UpdateClassificationJob "
        "UpdateClassificationScope UpdateMacieSession UpdateMemberSession UpdateOrganizationConfiguration "
        "UpdateResourceProfile UpdateResourceProfileDetections UpdateSensitivityInspectionTemplate "
        "DeleteCustomDataIdentifier",
        "secret data is no longer found",
    ),
    Rule(
        "blind",
        "macie2",
        "DisableOrganizationAdminAccount DisassociateFromAdministratorAccount DisassociateFromMasterAccount "
        "DisassociateMember",
        "an account is no longer watched by its administrator",
    ),
    Rule("blind", "macie2", "CreateSampleFindings", "true findings drown"),
    Rule(
        "blind",
        "mailmanager",
        "DeleteTrafficPolicy DeleteRuleSet UpdateArchive DeleteAddonInstance",
        "mail is no longer filtered or kept",
    ),
    Rule(
        "blind",
        "mailmanager",
        "RegisterMemberToAddressList DeregisterMemberFromAddressList StartAddressListImportJob",
        "which mail a filter lets in",
    ),
    Rule("blind", "managedblockchain", "UpdateMember UpdateNode", "the record of what happens can end"),
    Rule(
        "blind",
        "medialive",
        "StartDeleteMonitorDeployment UpdateCloudWatchAlarmTemplate DeleteCloudWatchAlarmTemplate "
        "DeleteCloudWatchAlarmTemplateGroup UpdateEventBridgeRuleTemplate DeleteEventBridgeRuleTemplate "
        "DeleteEventBridgeRuleTemplateGroup",
        "alarms no longer ring",
    ),
    Rule("blind", "mediapackage mediapackage-vod", "ConfigureLogs", "the record of what happens can end"),
    Rule("blind", "mediastore", "StopAccessLogging DeleteMetricPolicy PutMetricPolicy", "logs or metrics end"),
    Rule(
        "blind",
        "mediatailor",
        "ConfigureLogsForChannel ConfigureLogsForPlaybackConfiguration",
        "the record of what happens can end",
    ),
    Rule("blind", "mq", "UpdateBroker", "the record of what happens can end"),
    Rule(
        "blind",
        "network-firewall",
        "AssociateFirewallPolicy DisassociateAvailabilityZones DisassociateSubnets StartFlowFlush Update* Delete*",
        "a filter, its logs or a protection is weakened",
    ),
    Rule(
        "blind",
        "network-security-manager",
        "CreateDeployment UpdateDeployment UpdatePolicy UpdateRule UpdateScope UpdateTemplate DeleteDeployment "
        "DeletePolicy DeleteRule DeleteScope DeleteTemplate",
        "filters of all accounts can be weakened",
    ),
    Rule(
        "blind",
        "networkflowmonitor networkmonitor",
        "UpdateMonitor UpdateProbe UpdateScope UpdatePerformanceMonitor DeleteMonitor DeleteProbe DeleteScope "
        "DeletePerformanceMonitor",
        "less is watched",
    ),
    Rule(
        "blind",
        "notifications",
        "DisassociateChannel DisassociateManagedNotificationAccountContact "
        "DisassociateManagedNotificationAdditionalChannel DisassociateOrganizationalUnit DeregisterNotificationHub "
        "DisableNotificationsAccessForOrganization UpdateEventRule UpdateNotificationConfiguration "
        "UpdateManagedNotificationChannelAssociation DeleteEventRule DeleteNotificationConfiguration",
        "people are no longer told what happens",
    ),
    Rule("blind", "notificationscontacts", "DeleteEmailContact", "people are no longer told what happens"),
    Rule("blind", "oam", "DeleteLink DeleteSink", "records no longer arrive"),
    Rule(
        "blind",
        "observabilityadmin",
        "StopTelemetryEvaluation StopTelemetryEvaluationForOrganization StopTelemetryEnrichment "
        "StopThirdPartyTelemetryEnrichment UpdateCentralizationRuleForOrganization UpdateDatasetIntegration "
        "UpdateTelemetryPipeline UpdateTelemetryRule UpdateTelemetryRuleForOrganization Delete*",
        "records no longer arrive",
    ),
    Rule("blind", "odb", "UpdateAutonomousDatabaseBackup", "how long a backup is kept"),
    Rule(
        "blind",
        "organizations",
        "DetachPolicy UpdatePolicy DeletePolicy DisablePolicyType LeaveOrganization DisableAWSServiceAccess "
        "DeregisterDelegatedAdministrator RemoveAccountFromOrganization",
        "a guardrail over accounts is weakened",
    ),
    Rule("blind", "payment-cryptography", "DisassociateMpaTeam", "nobody has to agree any more"),
    Rule(
        "blind",
        "pinpoint",
        "UpdateApplicationSettings DeleteEventStream",
        "limits of how often people are written to, or the record of it",
    ),
    Rule(
        "blind",
        "pinpoint-email pinpoint-sms-voice sms-voice pinpoint-sms-voice-v2 ses sesv2",
        "UpdateConfigurationSetEventDestination DeleteConfigurationSetEventDestination UpdateEventDestination "
        "DeleteEventDestination",
        "the record of what was sent ends",
    ),
    Rule(
        "blind",
        "pinpoint-email ses sesv2",
        "PutConfigurationSetDeliveryOptions PutConfigurationSetReputationOptions PutEmailIdentityFeedbackAttributes "
        "PutEmailIdentityDkimAttributes UpdateReputationEntityCustomerManagedStatus",
        "encryption, signatures, complaints, or a stop that complaints brought about",
    ),
    Rule(
        "blind",
        "pinpoint-sms-voice-v2",
        "SetMediaMessageSpendLimitOverride SetNotifyMessageSpendLimitOverride SetRcsMessageSpendLimitOverride "
        "SetTextMessageSpendLimitOverride SetVoiceMessageSpendLimitOverride DeleteMediaMessageSpendLimitOverride "
        "DeleteTextMessageSpendLimitOverride DeleteVoiceMessageSpendLimitOverride "
        "DeleteNotifyMessageSpendLimitOverride DeleteRcsMessageSpendLimitOverride "
        "UpdateProtectConfigurationCountryRuleSet UpdateProtectConfiguration "
        "PutProtectConfigurationRuleSetNumberOverride DisassociateProtectConfiguration "
        "SetAccountDefaultProtectConfiguration DeleteAccountDefaultProtectConfiguration DeleteProtectConfiguration "
        "DeleteProtectConfigurationRuleSetNumberOverride DeleteOptedOutNumber DeleteOptOutList",
        "limits of money, countries and who wants no messages",
    ),
    Rule(
        "blind",
        "pinpoint-sms-voice-v2",
        "UpdatePhoneNumber UpdatePool UpdateSenderId",
        "the protection against deletion, and who wants no messages",
    ),
    Rule(
        "blind",
        "qbusiness",
        "UpdateChatControlsConfiguration DeleteChatControlsConfiguration",
        "what the assistant must not say",
    ),
    Rule(
        "blind",
        "qconnect",
        "UpdateAIGuardrail DeleteAIGuardrail DeleteAIGuardrailVersion UpdateAIAgent UpdateAssistantAIAgent "
        "RemoveAssistantAIAgent",
        "what the assistant must not say",
    ),
    Rule(
        "blind",
        "quicksight",
        "UpdateDlpSetting DeleteDlpSetting UpdateLimitsProfile DeleteLimitsProfile",
        "what may leave, and how much may be used",
    ),
    Rule("blind", "rbin", "UpdateRule DeleteRule UnlockRule", "what is deleted is no longer kept for a while"),
    Rule("blind", "rbin", "LockRule", "a lock comes off only after days"),
    Rule(
        "blind",
        "redshift",
        "DisableLogging DisableSnapshotCopy ModifySnapshotCopyRetentionPeriod ModifyClusterSnapshotSchedule "
        "ModifySnapshotSchedule DeleteSnapshotSchedule ModifyEventSubscription DeleteEventSubscription "
        "ModifyUsageLimit DeleteUsageLimit ModifyClusterParameterGroup ModifyClusterSnapshot "
        "BatchModifyClusterSnapshots EnableLogging",
        "logs, backups, notices or a limit of cost end",
    ),
    Rule("blind", "redshift-serverless", "UpdateNamespace", "logs, roles and the administrator's password"),
    Rule(
        "blind",
        "redshift-serverless",
        "UpdateUsageLimit DeleteUsageLimit UpdateSnapshot UpdateSnapshotCopyConfiguration "
        "DeleteSnapshotCopyConfiguration",
        "a limit of cost, or backups, end",
    ),
    Rule(
        "blind",
        "rolesanywhere",
        "PutNotificationSettings ResetNotificationSettings DisableCrl DeleteCrl",
        "notices end, or revoked certificates work again",
    ),
    Rule(
        "blind",
        "route53",
        "DeleteQueryLoggingConfig DisableHostedZoneDNSSEC DeactivateKeySigningKey DeleteKeySigningKey "
        "DeleteHealthCheck UpdateHealthCheck DeleteResourceRecordSetProtections",
        "logs, signatures or checks of names end",
    ),
    Rule(
        "blind",
        "route53-recovery-cluster",
        "UpdateRoutingControlState UpdateRoutingControlStates",
        "can go past the safety rules, and takes a whole site off",
    ),
    Rule("blind", "route53-recovery-control-config", "UpdateSafetyRule DeleteSafetyRule", "a safety rule is weakened"),
    Rule("blind", "route53-recovery-readiness", "UpdateReadinessCheck DeleteReadinessCheck", "less is checked"),
    Rule("blind", "route53domains", "DisableDomainTransferLock DisableDomainAutoRenew", "the domain can be lost"),
    Rule(
        "blind",
        "route53domains",
        "DisassociateDelegationSignerFromDomain UpdateDomainContactPrivacy",
        "signatures end, or the owner's address is public",
    ),
    Rule(
        "blind",
        "route53globalresolver",
        "BatchCreateFirewallRule BatchDeleteFirewallRule BatchUpdateFirewallRule CreateFirewallRule "
        "UpdateFirewallRule DeleteFirewallRule DeleteFirewallDomainList ImportFirewallDomains UpdateFirewallDomains "
        "UpdateDNSView DisableDNSView",
        "a filter of names is weakened",
    ),
    Rule(
        "blind",
        "route53profiles",
        "DisassociateProfile DisassociateResourceFromProfile UpdateProfileAssociation UpdateProfileResourceAssociation",
        "a filter of names is taken from a network",
    ),
    Rule(
        "blind",
        "route53resolver",
        "DisassociateFirewallRuleGroup DisassociateResolverQueryLogConfig BatchCreateFirewallRule "
        "BatchDeleteFirewallRule BatchUpdateFirewallRule CreateFirewallRule UpdateFirewallRule DeleteFirewallRule "
        "DeleteFirewallRuleGroup DeleteFirewallDomainList DeleteResolverQueryLogConfig ImportFirewallDomains "
        "UpdateFirewallConfig UpdateFirewallDomains UpdateFirewallRuleGroupAssociation UpdateResolverDnssecConfig",
        "a filter of names, its logs or the check of signatures is weakened",
    ),
    Rule(
        "blind",
        "rum",
        "UpdateAppMonitor UpdateRumMetricDefinition BatchDeleteRumMetricDefinitions DeleteAppMonitor "
        "DeleteRumMetricsDestination PutRumMetricsDestination",
        "less is watched",
    ),
    Rule(
        "blind",
        "s3",
        "PutBucketLogging PutBucketNotification PutBucketNotificationConfiguration PutObjectLockConfiguration "
        "PutObjectRetention PutObjectLegalHold PutBucketEncryption DeleteBucketEncryption "
        "DeleteBucketMetricsConfiguration DeleteBucketAnalyticsConfiguration DeleteBucketInventoryConfiguration "
        "DeleteBucketReplication UpdateObjectEncryption PutBucketInventoryConfiguration PutBucketMetricsConfiguration",
        "logs, notices, encryption or a lock on the data",
    ),
    Rule("blind", "s3 s3control", "PutPublicAccessBlock DeletePublicAccessBlock", "a guardrail against public data"),
    Rule("blind", "s3control", "DeleteStorageLensConfiguration DeleteBucketReplication", "records or copies end"),
    Rule("blind", "s3control", "PutStorageLensConfiguration", "paid metrics, or fewer of them"),
    Rule(
        "blind",
        "s3tables",
        "PutTableBucketEncryption DeleteTableBucketEncryption PutTableBucketLogging "
        "DeleteTableBucketMetricsConfiguration PutTableBucketMetricsConfiguration DeleteTableBucketReplication "
        "DeleteTableReplication",
        "logs, metrics, encryption or copies end",
    ),
    Rule(
        "blind",
        "sagemaker",
        "StopMonitoringSchedule UpdateMonitoringSchedule UpdateMonitoringAlert UpdateComputeQuota DeleteComputeQuota "
        "UpdateClusterSchedulerConfig DeleteClusterSchedulerConfig DeleteMonitoringSchedule",
        "models are no longer watched, or limits lifted",
    ),
    Rule("blind", "secretsmanager", "CancelRotateSecret", "the secret is no longer renewed"),
    Rule("blind", "security-ir", "CancelMembership CloseCase UpdateCaseStatus", "an incident is no longer worked on"),
    Rule(
        "blind",
        "securityagent",
        "UpdateFinding BatchDeleteSecurityRequirements BatchUpdateSecurityRequirements BatchDeletePentests "
        "BatchDeleteCodeReviews BatchDeleteThreatModels",
        "findings fall silent",
    ),
    Rule(
        "blind",
        "securityhub",
        "BatchDisableStandards BatchDeleteAutomationRules BatchUpdateAutomationRules BatchUpdateFindings "
        "BatchUpdateFindingsV2 BatchUpdateStandardsControlAssociations CreateAutomationRule CreateAutomationRuleV2 "
        "UpdateAutomationRuleV2 DeleteAutomationRuleV2 DisableImportFindingsForProduct DisableSecurityHub "
        "DisableSecurityHubFeatureV2 DisableSecurityHubV2 StartConfigurationPolicyAssociation "
        "StartConfigurationPolicyDisassociation UpdateAggregatorV2 UpdateConfigurationPolicy UpdateConnector "
        "UpdateConnectorV2 UpdateFindingAggregator UpdateFindings UpdateOrganizationConfiguration "
        "UpdateSecurityControl UpdateSecurityHubConfiguration UpdateStandardsControl DeleteAggregatorV2 "
        "DeleteConfigurationPolicy DeleteConnector DeleteConnectorV2 DeleteFindingAggregator DeleteMembers "
        "DeleteInsight DeleteActionTarget",
        "findings fall silent",
    ),
    Rule(
        "blind",
        "securityhub",
        "DisableOrganizationAdminAccount DisassociateFromAdministratorAccount DisassociateFromMasterAccount "
        "DisassociateMembers",
        "an account is no longer watched by its administrator",
    ),
    Rule(
        "blind",
        "securitylake",
        "DeregisterDataLakeDelegatedAdministrator DeleteSubscriber",
        "who keeps the records of all accounts",
    ),
    Rule(
        "blind",
        "securitylake",
        "UpdateDataLake DeleteDataLake DeleteAwsLogSource DeleteCustomLogSource "
        "DeleteDataLakeOrganizationConfiguration DeleteDataLakeExceptionSubscription "
        "UpdateDataLakeExceptionSubscription DeleteSubscriberNotification",
        "records no longer arrive",
    ),
    Rule(
        "blind",
        "service-quotas",
        "RequestServiceQuotaIncrease PutServiceQuotaIncreaseRequestIntoTemplate AssociateServiceQuotaTemplate "
        "StartAutoManagement UpdateAutoManagement",
        "a quota is a guardrail of how much may be made",
    ),
    Rule(
        "blind",
        "ses sesv2",
        "SetIdentityNotificationTopic SetIdentityFeedbackForwardingEnabled "
        "UpdateConfigurationSetReputationMetricsEnabled PutConfigurationSetReputationOptions "
        "PutEmailIdentityFeedbackAttributes PutAccountSuppressionAttributes PutConfigurationSetSuppressionOptions "
        "PutTenantSuppressionAttributes DeleteSuppressedDestination UpdateReputationEntityPolicy "
        "PutConfigurationSetArchivingOptions SetIdentityDkimEnabled PutEmailIdentityDkimAttributes",
        "complaints, signatures or the list of who wants no mail",
    ),
    Rule(
        "blind",
        "shield",
        "DisableApplicationLayerAutomaticResponse DisableProactiveEngagement DisassociateHealthCheck "
        "UpdateApplicationLayerAutomaticResponse UpdateEmergencyContactSettings UpdateProtectionGroup "
        "DeleteProtection DeleteProtectionGroup DeleteSubscription",
        "a protection against floods is weakened",
    ),
    Rule("blind", "shield", "DisassociateDRTLogBucket DisassociateDRTRole", "AWS's responders no longer see an attack"),
    Rule("blind", "sns", "Unsubscribe SetSubscriptionAttributes PutDataProtectionPolicy", "notices end or thin out"),
    Rule("blind", "sns", "SetSMSAttributes", "the spending limit, and who texts are said to be from"),
    Rule(
        "blind",
        "socialmessaging",
        "PutWhatsAppBusinessAccountEventDestinations",
        "the record of messages goes elsewhere",
    ),
    Rule(
        "blind",
        "ssm",
        "DeregisterDefaultHostManagementConfiguration UpdateServiceSetting ResetServiceSetting UpdatePatchBaseline "
        "DeletePatchBaseline RegisterDefaultPatchBaseline RegisterPatchBaselineForPatchGroup "
        "DeregisterPatchBaselineForPatchGroup DeleteMaintenanceWindow DeregisterTaskFromMaintenanceWindow "
        "DeregisterTargetFromMaintenanceWindow PutComplianceItems DeleteInventory DeleteResourceDataSync "
        "UpdateResourceDataSync DeregisterManagedInstance UpdateAssociationStatus",
        "machines are no longer patched, or say what is not so",
    ),
    Rule(
        "blind",
        "ssm-contacts",
        "DeactivateContactChannel DeleteContact DeleteContactChannel DeleteRotation DeleteRotationOverride "
        "UpdateContact UpdateContactChannel UpdateRotation CreateRotationOverride StopEngagement",
        "nobody is paged any more",
    ),
    Rule("blind", "ssm-contacts", "AcceptPage", "nobody else is paged any more"),
    Rule(
        "blind",
        "ssm-guiconnect",
        "UpdateConnectionRecordingPreferences DeleteConnectionRecordingPreferences",
        "sessions are no longer recorded",
    ),
    Rule(
        "blind",
        "ssm-incidents",
        "UpdateDeletionProtection UpdateResponsePlan DeleteResponsePlan UpdateIncidentRecord DeleteReplicationSet",
        "an incident is no longer noticed",
    ),
    Rule(
        "blind",
        "storagegateway",
        "UpdateSMBSecurityStrategy UpdateGatewayInformation",
        "encryption, or the log, ends",
    ),
    Rule("blind", "synthetics", "StopCanary DeleteCanary UpdateCanary", "less is watched"),
    Rule("blind", "transfer", "UpdateServer", "who may come in, by which protocol, and whether that is logged"),
    Rule(
        "blind",
        "trustedadvisor",
        "BatchUpdateRecommendationResourceExclusion UpdateOrganizationRecommendationLifecycle "
        "UpdateRecommendationLifecycle",
        "a warning is dismissed",
    ),
    Rule(
        "blind",
        "voice-id",
        "AssociateFraudster DisassociateFraudster OptOutSpeaker DeleteFraudster DeleteWatchlist",
        "a guard against fraud is weakened",
    ),
    Rule(
        "blind",
        "vpc-lattice",
        "UpdateAccessLogSubscription DeleteAccessLogSubscription",
        "the record of what happens can end",
    ),
    Rule(
        "blind",
        "waf waf-regional wafv2",
        "Update* Delete* DisassociateWebACL AssociateWebACL PutLoggingConfiguration PutManagedRuleSetVersions",
        "a filter, or its log, is weakened",
    ),
    Rule("blind", "wickr", "UpdateDataRetention DeleteDataRetentionBot", "messages are no longer kept"),
    Rule(
        "blind",
        "workmail",
        "PutEmailMonitoringConfiguration DeleteEmailMonitoringConfiguration PutInboundDmarcSettings",
        "the record of mail, or a filter, ends",
    ),
    Rule(
        "blind",
        "workmail",
        "PutRetentionPolicy DeleteRetentionPolicy",
        "mail vanishes by itself, or is no longer kept",
    ),
    Rule("blind", "workspaces", "ModifyEndpointEncryptionMode", "how the line is encrypted"),
    Rule(
        "blind",
        "workspaces-web",
        "AssociateDataProtectionSettings DisassociateDataProtectionSettings UpdateDataProtectionSettings "
        "DeleteDataProtectionSettings AssociateSessionLogger DisassociateSessionLogger UpdateSessionLogger "
        "DeleteSessionLogger AssociateUserAccessLoggingSettings DisassociateUserAccessLoggingSettings "
        "UpdateUserAccessLoggingSettings DeleteUserAccessLoggingSettings UpdateUserSettings AssociateUserSettings "
        "DisassociateUserSettings UpdateBrowserSettings AssociateBrowserSettings DisassociateBrowserSettings "
        "DeleteBrowserSettings DeleteUserSettings",
        "what is redacted, logged or blocked",
    ),
    Rule(
        "blind",
        "xray",
        "CreateSamplingRule UpdateSamplingRule DeleteSamplingRule UpdateIndexingRule UpdateTraceSegmentDestination "
        "PutEncryptionConfig",
        "fewer calls are traced",
    ),
    Rule(
        "blind",
        "cloudformation",
        "SetTypeConfiguration DeregisterType SetTypeDefaultVersion",
        "a hook that checks every stack can be switched off",
    ),
    Rule(
        "blind",
        "amp codestar-notifications ds dynamodb glacier",
        "UpdateScraper UpdateNotificationRule UpdateRadius SetVaultNotifications",
        "what deleting it ends, setting it anew can end",
    ),
    Rule(
        "blind",
        "backup",
        "UpdateRestoreTestingPlan UpdateRestoreTestingSelection PutBackupVaultLockConfiguration",
        "checks and locks of backups thin out",
    ),
    Rule(
        "blind",
        "connectcampaignsv2",
        "DeleteCampaignEntryLimits",
        "a limit of how often people are called",
    ),
    Rule(
        "blind",
        "controltower",
        "UpdateLandingZone",
        "guardrails and central logs of all accounts can change",
    ),
    Rule(
        "blind",
        "dynamodb",
        "UpdateKinesisStreamingDestination",
        "the stream of changes thins out",
    ),
    Rule(
        "blind",
        "ec2",
        "ModifyTrafficMirrorSession ModifyVpcEncryptionControl ModifyAccountVpcEncryptionControl",
        "mirrored traffic, or the demand for encryption, ends",
    ),
    Rule(
        "blind",
        "events",
        "PutRule",
        "put over an old rule, or disabled, an alarm's path is cut",
    ),
    Rule(
        "blind",
        "frauddetector",
        "PutDetector PutOutcome",
        "a guard against fraud is weakened",
    ),
    Rule(
        "blind",
        "inspector2",
        "UpdateConnector",
        "less is scanned",
    ),
    Rule(
        "blind",
        "iot",
        "UpdateCustomMetric UpdateFleetMetric",
        "less is watched",
    ),
    Rule(
        "blind",
        "logs",
        "PutSubscriptionFilter PutDestination PutDeliveryDestination PutDeliverySource PutSyslogConfiguration",
        "put over an old one, logs no longer go where they went",
    ),
    Rule(
        "blind",
        "mailmanager",
        "UpdateRuleSet UpdateTrafficPolicy",
        "mail is no longer filtered",
    ),
    Rule(
        "blind",
        "network-security-manager",
        "DeleteAdminAccount",
        "nobody runs the filters of all accounts",
    ),
    Rule(
        "blind",
        "oam pinpoint securitylake",
        "UpdateLink PutEventStream UpdateSubscriber UpdateSubscriberNotification",
        "records go elsewhere",
    ),
    Rule(
        "blind",
        "rolesanywhere",
        "UpdateCrl",
        "revoked certificates can be good again",
    ),
    Rule(
        "blind",
        "ssm",
        "UpdateMaintenanceWindow",
        "machines are no longer patched",
    ),
)
