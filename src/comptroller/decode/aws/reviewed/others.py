"""What reaches people (`communicate`) and what asks a model (`infer`).

Fixed analyses of what is handed in (a translation, the labels of a picture) are `read`, as IAM says, and are priced.
"""

from __future__ import annotations

from comptroller.decode.aws.reviewed.rule import Rule

OTHERS: tuple[Rule, ...] = (
    Rule("communicate", "account", "SendPhoneNumberVerification", "calls or texts somebody"),
    Rule("communicate", "acm", "ResendValidationEmail", "mails the domain's owner"),
    Rule("communicate", "apigatewaymanagementapi", "PostToConnection", "a message to whoever is connected"),
    Rule("communicate", "appstream", "CreateUser", "lets somebody in and mails them"),
    Rule(
        "communicate",
        "bcm-dashboards",
        "CreateScheduledReport UpdateScheduledReport ExecuteScheduledReport",
        "mails cost figures to people",
    ),
    Rule(
        "communicate",
        "chatbot",
        "CreateChimeWebhookConfiguration CreateMicrosoftTeamsChannelConfiguration CreateSlackChannelConfiguration "
        "UpdateChimeWebhookConfiguration UpdateMicrosoftTeamsChannelConfiguration UpdateSlackChannelConfiguration",
        "notices to a channel, whose members may act with a role",
    ),
    Rule("communicate", "chime", "InviteUsers", "lets people in and mails them"),
    Rule("communicate", "chime", "CreateMeetingDialOut", "calls somebody by telephone"),
    Rule("communicate", "chime-sdk-messaging", "SendChannelMessage UpdateChannelMessage", "a message to people"),
    Rule(
        "communicate",
        "chime-sdk-voice",
        "CreateSipMediaApplicationCall UpdateSipMediaApplicationCall",
        "calls somebody by telephone",
    ),
    Rule(
        "communicate",
        "codecommit",
        "PostCommentForComparedCommit PostCommentForPullRequest PostCommentReply UpdateComment CreatePullRequest",
        "people read what is written",
    ),
    Rule(
        "communicate",
        "codestar-notifications",
        "CreateNotificationRule UpdateNotificationRule Subscribe",
        "events start to reach a topic or a chat channel",
    ),
    Rule(
        "communicate",
        "cognito-idp",
        "AdminCreateUser AdminResetUserPassword ForgotPassword ResendConfirmationCode SignUp "
        "GetUserAttributeVerificationCode",
        "lets somebody in by mail or text",
    ),
    Rule(
        "communicate",
        "connect",
        "SendChatIntegrationEvent SendOutboundEmail SendOutboundWebNotification StartOutboundChatContact "
        "StartOutboundEmailContact StartOutboundVoiceContact StartEmailContact StartTaskContact CreateNotification "
        "UpdateNotificationContent CreateContact BatchPutContact TransferContact StartAssistantContact "
        "UpdateOutboundEmailContactMessage",
        "reaches people by call, text, mail or chat",
    ),
    Rule("communicate", "connect", "StartChatContact StartWebRTCContact", "reaches people by call, text, mail or chat"),
    Rule(
        "communicate",
        "connectcampaigns connectcampaignsv2",
        "CreateCampaign StartCampaign ResumeCampaign PutDialRequestBatch PutOutboundRequestBatch "
        "PutProfileOutboundRequestBatch UpdateCampaignSchedule UpdateCampaignSource UpdateCampaignOutboundCallConfig "
        "UpdateCampaignChannelSubtypeConfig UpdateCampaignFlowAssociation UpdateCampaignDialerConfig",
        "calls, texts and mails people",
    ),
    Rule("communicate", "connectparticipant", "SendEvent SendMessage", "a message to people"),
    Rule("communicate", "connectscheduling", "ApproveTimeOff RejectTimeOff", "an answer to a person"),
    Rule("communicate", "dataexchange", "SendDataSetNotification", "notifies subscribers"),
    Rule("communicate", "endusermessaging", "SendNotifyCodeVerification", "a code to somebody's telephone"),
    Rule("communicate", "guardduty detective securityhub macie2", "InviteMembers", "mails other accounts' owners"),
    Rule("communicate", "iam", "SendDelegationToken", "hands a token for a role to somebody"),
    Rule("communicate", "ivschat", "SendEvent", "a message to people"),
    Rule(
        "communicate",
        "lightsail",
        "SendContactMethodVerification CreateContactMethod TestAlarm",
        "a message to somebody",
    ),
    Rule("communicate", "macie2", "CreateInvitations", "mails other accounts' owners"),
    Rule(
        "communicate",
        "mturk",
        "CreateHIT CreateHITWithHITType CreateAdditionalAssignmentsForHIT",
        "work offered to people, for money",
    ),
    Rule("communicate", "mturk", "SendBonus", "pays a worker and writes to them"),
    Rule(
        "communicate",
        "mturk",
        "NotifyWorkers AssociateQualificationWithWorker DisassociateQualificationFromWorker RejectAssignment "
        "RejectQualificationRequest AcceptQualificationRequest CreateWorkerBlock DeleteWorkerBlock",
        "a message, with a reason, to a worker",
    ),
    Rule(
        "communicate",
        "notifications",
        "AssociateChannel AssociateManagedNotificationAccountContact AssociateManagedNotificationAdditionalChannel",
        "notices start to reach a channel",
    ),
    Rule("communicate", "notificationscontacts", "SendActivationCode CreateEmailContact", "a mail to somebody"),
    Rule("communicate", "organizations", "InviteAccountToOrganization", "asks another account's owner in"),
    Rule(
        "communicate",
        "organizations",
        "InviteOrganizationToTransferResponsibility",
        "asks somebody to take over, or hand over, the bill",
    ),
    Rule("communicate", "partnercentral-account", "CreateConnectionInvitation", "asks another company in"),
    Rule("communicate", "partnercentral-account", "SendEmailVerificationCode", "a mail to somebody"),
    Rule(
        "communicate",
        "partnercentral-selling",
        "CreateEngagementInvitation SubmitOpportunity AssignOpportunity StartEngagementFromOpportunityTask",
        "reaches a partner or AWS's sellers",
    ),
    Rule(
        "communicate",
        "pinpoint",
        "SendMessages SendOTPMessage SendUsersMessages CreateCampaign UpdateCampaign CreateJourney UpdateJourney "
        "UpdateJourneyState",
        "reaches people by mail, text or voice",
    ),
    Rule(
        "communicate",
        "pinpoint-email pinpoint-sms-voice pinpoint-sms-voice-v2 sms-voice ses sesv2 socialmessaging",
        "Send*",
        "reaches people by mail, text or voice",
    ),
    Rule("communicate", "pinpoint-email sesv2", "CreateDeliverabilityTestReport", "sends mail to test addresses"),
    Rule("communicate", "pinpoint-sms-voice-v2", "PutKeyword", "what is answered to people"),
    Rule("communicate", "qconnect", "SendMessage", "a message in a conversation with people"),
    Rule("communicate", "quicksight", "StartDashboardSnapshotJobSchedule", "mails a report to people"),
    Rule("communicate", "repostspace", "SendInvites", "sends mail to people"),
    Rule(
        "communicate",
        "route53domains",
        "ResendContactReachabilityEmail ResendOperationAuthorization",
        "a mail to the owner",
    ),
    Rule("communicate", "sagemaker-a2i-runtime", "StartHumanLoop", "asks people, for money"),
    Rule("communicate", "security-ir", "CreateCase CreateCaseComment UpdateCase", "reaches responders"),
    Rule("communicate", "securityhub", "CreateTicketV2", "opens a ticket for people"),
    Rule("communicate", "service-quotas", "CreateSupportCase", "reaches AWS's support"),
    Rule(
        "communicate",
        "ses",
        "CreateCustomVerificationEmailTemplate VerifyEmailAddress VerifyEmailIdentity",
        "sends mail to somebody",
    ),
    Rule("communicate", "sesv2", "CreateEmailIdentity", "mails somebody to confirm an address"),
    Rule(
        "communicate",
        "sns",
        "Publish PublishBatch Subscribe ConfirmSubscription CreateSMSSandboxPhoneNumber",
        "reaches people and other systems",
    ),
    Rule("communicate", "sns", "SetSMSAttributes", "the spending limit, and who texts are said to be from"),
    Rule(
        "communicate",
        "socialmessaging",
        "PublishWhatsAppFlow CreateWhatsAppMessageTemplate UpdateWhatsAppMessageTemplate "
        "CreateWhatsAppMessageTemplateFromLibrary",
        "what people are sent",
    ),
    Rule(
        "communicate",
        "ssm-contacts",
        "StartEngagement SendActivationCode CreateContactChannel",
        "calls or texts people on duty",
    ),
    Rule("communicate", "ssm-incidents", "StartIncident", "pages people and starts a plan"),
    Rule("communicate", "sso-oidc", "StartDeviceAuthorization", "asks a person to sign a device in"),
    Rule(
        "communicate",
        "support",
        "CreateCase AddCommunicationToCase AddAttachmentsToSet ResolveCase CompleteAttachmentUpload",
        "reaches AWS's support",
    ),
    Rule(
        "communicate",
        "support-app",
        "CreateSlackChannelConfiguration UpdateSlackChannelConfiguration RegisterSlackWorkspaceForOrganization",
        "cases in a channel, whose members may act with a role",
    ),
    Rule("communicate", "transfer", "StartFileTransfer", "sends files to a partner"),
    Rule("communicate", "wickr", "BatchCreateUser BatchReinviteUser", "lets people in and mails them"),
    Rule("communicate", "workdocs", "CreateComment CreateNotificationSubscription", "people are told"),
    Rule("communicate", "workmailmessageflow", "PutRawMessageContent", "changes a mail on its way to people"),
    Rule("infer", "b2bi", "GenerateMapping", "asks a model, paid by use"),
    Rule(
        "infer",
        "bedrock",
        "CreateModelInvocationJob CreateEvaluationJob CreateAdvancedPromptOptimizationJob",
        "a batch of questions to models",
    ),
    Rule(
        "infer",
        "bedrock",
        "StartAutomatedReasoningPolicyBuildWorkflow StartAutomatedReasoningPolicyTestWorkflow",
        "asks a model, paid by use",
    ),
    Rule(
        "infer",
        "bedrock-agent",
        "IngestKnowledgeBaseDocuments StartIngestionJob",
        "an embedding model reads all documents",
    ),
    Rule(
        "infer",
        "bedrock-agent-runtime",
        "RetrieveAndGenerate RetrieveAndGenerateStream OptimizePrompt Rerank GenerateQuery",
        "asks a model, paid by use",
    ),
    Rule(
        "infer",
        "bedrock-agent-runtime",
        "InvokeAgent InvokeInlineAgent InvokeFlow StartFlowExecution",
        "asks a model that calls functions and tools by itself",
    ),
    Rule("infer", "bedrock-agentcore", "InvokeHarness", "a model with tools of its own"),
    Rule(
        "infer",
        "bedrock-agentcore",
        "Evaluate StartBatchEvaluation StartDatasetGeneration StartRecommendation StartMemoryExtractionJob",
        "asks a model, paid by use",
    ),
    Rule(
        "infer",
        "bedrock-agentcore-control",
        "CreateOnlineEvaluationConfig UpdateOnlineEvaluationConfig",
        "asks models about live traffic, by itself",
    ),
    Rule("infer", "bedrock-agentcore-control", "StartPolicyGeneration", "asks a model, paid by use"),
    Rule(
        "infer",
        "bedrock-data-automation",
        "InvokeBlueprintOptimizationAsync InvokeDataAutomationLibraryIngestionJob",
        "asks a model, paid by use",
    ),
    Rule(
        "infer",
        "bedrock-data-automation-runtime",
        "InvokeDataAutomation InvokeDataAutomationAsync",
        "asks a model, paid by page and minute",
    ),
    Rule(
        "infer",
        "bedrock-runtime",
        "InvokeModel* Converse* StartAsyncInvoke ApplyGuardrail",
        "asks a model, paid by use",
    ),
    Rule("infer", "cloudtrail", "GenerateQuery", "asks a model, paid by use"),
    Rule("infer", "datazone", "StartMetadataGenerationRun", "asks a model, paid by use"),
    Rule(
        "infer",
        "devops-agent",
        "CreateChat SendMessage CreateBacklogTask CreateTrigger UpdateTrigger",
        "asks an agent, which asks models",
    ),
    Rule(
        "infer",
        "lexv2-models",
        "StartBotResourceGeneration StartBotRecommendation StartTestSetGeneration GenerateBotElement",
        "asks a model, paid by use",
    ),
    Rule("infer", "nova-act", "InvokeActStep CreateAct CreateWorkflowRun", "a model that acts in a browser"),
    Rule("infer", "qapps", "PredictQApp StartQAppSession UpdateQAppSession", "asks a model, paid by use"),
    Rule("infer", "qbusiness", "Chat ChatSync", "asks a model, paid by use"),
    Rule("infer", "qconnect", "SendMessage", "asks a model, paid by use"),
    Rule(
        "infer",
        "sagemaker-runtime sagemaker-inference-router-runtime",
        "Invoke*",
        "asks a model, paid by use",
    ),
    Rule("infer", "sagemakerjobruntime", "Sample SampleWithResponseStream", "asks a model, paid by use"),
    Rule(
        "infer",
        "sagemakertrainingsessionruntime",
        "SampleTrainingSession SampleTrainingSessionWithResponseStream ExecuteSamplingOperation",
        "asks a model, paid by use",
    ),
    Rule("infer", "wellarchitected", "StartAgentRecommendationGeneration", "asks a model, paid by use"),
)
