"""The first reviewed map of dangerous AWS operations: which class, for which operations, and why.

Compiled into `index.json` by `tools/build_aws_index.py`; never read while serving. A reviewed class joins the one that
the IAM access level gives and may only make an operation stricter; what is exempt stands in `EXCEPTIONS`, by name.
"""

from __future__ import annotations

from typing import NamedTuple


class Rule(NamedTuple):
    """`operations` are shell patterns separated by spaces, of botocore services `services` (patterns as well)."""

    classes: str
    services: str
    operations: str
    reason: str


REVIEWED: tuple[Rule, ...] = (
    # ------------------------------------------------------------------ provision
    Rule(
        "provision",
        "ec2",
        "RunInstances RunScheduledInstances RequestSpotInstances RequestSpotFleet CreateFleet ModifyFleet "
        "ModifySpotFleetRequest StartInstances AllocateHosts CreateCapacityReservation* ModifyCapacityReservation* "
        "CreateCapacityBlock* CreateMacSystemIntegrity*",
        "machines that cost by the second until somebody stops them",
    ),
    Rule(
        "provision",
        "ec2",
        "ModifyInstanceAttribute ModifyVolume CreateVolume CreateSnapshot CreateSnapshots CopySnapshot CreateImage "
        "CopyImage ImportImage ImportSnapshot ImportInstance ImportVolume EnableFastSnapshotRestores CopyVolumes "
        "CreateReplaceRootVolumeTask",
        "storage that costs while it lives, or a larger machine",
    ),
    Rule(
        "provision",
        "ec2",
        "CreateNatGateway AllocateAddress CreateVpcEndpoint CreateTransitGateway* CreateVpnConnection "
        "CreateClientVpnEndpoint CreateTrafficMirrorSession CreateVerifiedAccessEndpoint AllocateIpamPoolCidr "
        "CreateIpam CreateInstanceConnectEndpoint CreateNetworkInsights* ProvisionByoipCidr ProvisionPublicIpv4*",
        "network parts that cost by the hour",
    ),
    Rule("provision", "elb elbv2", "CreateLoadBalancer CreateTrustStore", "load balancers cost by the hour"),
    Rule(
        "provision",
        "elbv2",
        "ModifyCapacityReservation",
        "reserved load balancer capacity costs by the hour",
    ),
    Rule(
        "provision",
        "autoscaling",
        "CreateAutoScalingGroup UpdateAutoScalingGroup SetDesiredCapacity PutScalingPolicy ExecutePolicy "
        "PutScheduledUpdateGroupAction BatchPutScheduledUpdateGroupAction PutWarmPool StartInstanceRefresh "
        "AttachInstances LaunchInstances",
        "a group keeps starting machines by itself",
    ),
    Rule(
        "provision",
        "application-autoscaling autoscaling-plans",
        "RegisterScalableTarget PutScalingPolicy PutScheduledAction CreateScalingPlan UpdateScalingPlan",
        "lets a service grow by itself",
    ),
    Rule(
        "provision",
        "rds neptune docdb docdb-elastic",
        "CreateDB* ModifyDBInstance ModifyDBCluster RestoreDB* StartDB* CreateBlueGreenDeployment CreateCluster "
        "UpdateCluster StartCluster RestoreClusterFromSnapshot CreateCustomDBEngineVersion CreateGlobalCluster "
        "CreateIntegration CreateTenantDatabase CopyDBSnapshot CopyDBClusterSnapshot StartExportTask",
        "databases cost by the hour and by the gigabyte",
    ),
    Rule(
        "provision",
        "eks ecs",
        "CreateCluster CreateNodegroup UpdateNodegroup* CreateFargateProfile CreateAddon CreateService UpdateService "
        "CreateTaskSet UpdateTaskSet RunTask StartTask CreateCapacityProvider UpdateCapacityProvider "
        "PutClusterCapacityProviders UpdateClusterConfig UpdateClusterVersion CreateExpressGatewayService "
        "UpdateExpressGatewayService CreateEksAnywhereSubscription RegisterContainerInstance CreateCapability",
        "clusters and the machines under them",
    ),
    Rule(
        "provision",
        "redshift redshift-serverless emr emr-serverless emr-containers elasticache memorydb dax",
        "Create*Cluster* ResizeCluster ModifyCluster Restore*Cluster* Restore*From* ResumeCluster RunJobFlow "
        "AddInstanceGroups AddInstanceFleet ModifyInstanceGroups ModifyInstanceFleet PutManagedScalingPolicy "
        "PutAutoScalingPolicy CreateWorkgroup UpdateWorkgroup CreateApplication UpdateApplication StartApplication "
        "CreateCacheCluster ModifyCacheCluster CreateReplicationGroup ModifyReplicationGroup* IncreaseReplica* "
        "IncreaseNodeGroups* CreateServerlessCache* ModifyServerlessCache* IncreaseReplicationFactor UpdateCluster "
        "CreateVirtualCluster CreateStudio CreateManagedEndpoint CreateScheduledAction ModifyScheduledAction",
        "clusters that cost by node and hour",
    ),
    Rule(
        "provision",
        "sagemaker",
        "Create*Job Create*Endpoint* Update*Endpoint* CreateNotebookInstance StartNotebookInstance "
        "UpdateNotebookInstance CreateApp CreateSpace CreateCluster UpdateCluster* BatchAddClusterNodes "
        "CreateTrainingPlan CreateInferenceComponent UpdateInferenceComponent* CreateInferenceExperiment "
        "StartInferenceExperiment StartPipelineExecution RetryPipelineExecution CreateMlflow* "
        "StartMlflow* CreatePartnerApp CreateFeatureGroup CreateDomain CreateInferenceRouter "
        "StartMonitoringSchedule CreateMonitoringSchedule CreateTrial*",
        "training, serving and notebook machines, often with GPUs",
    ),
    Rule(
        "provision",
        "cloudformation cloudcontrol servicecatalog proton serverlessrepo",
        "CreateStack* UpdateStack* ExecuteChangeSet CreateChangeSet ImportStacksToStackSet CreateResource "
        "UpdateResource ProvisionProduct UpdateProvisionedProduct ExecuteProvisionedProduct* CreateEnvironment "
        "UpdateEnvironment CreateService* UpdateService* CreateCloudFormationChangeSet RollbackStack ContinueUpdate*",
        "a template may make anything at all",
    ),
    Rule(
        "provision entitle execute",
        "cloudformation cloudcontrol servicecatalog proton",
        "CreateStack UpdateStack CreateStackSet UpdateStackSet CreateStackInstances UpdateStackInstances "
        "ExecuteChangeSet CreateResource UpdateResource ProvisionProduct UpdateProvisionedProduct",
        "a template may also make roles, policies and functions",
    ),
    Rule(
        "provision",
        "dynamodb",
        "CreateTable UpdateTable CreateGlobalTable UpdateGlobalTable* RestoreTable* ImportTable "
        "UpdateTableReplicaAutoScaling CreateBackup",
        "provisioned capacity costs by the hour (on-demand tables are recognised when they are asked for)",
    ),
    Rule(
        "provision",
        "kinesis firehose kafka kafkaconnect mq opensearch es opensearchserverless cloudsearch",
        "CreateStream UpdateShardCount UpdateStreamMode IncreaseStream* SplitShard CreateDeliveryStream CreateCluster* "
        "UpdateBroker* CreateReplicator CreateConnector UpdateConnector CreateBroker UpdateBroker CreateDomain "
        "CreateElasticsearchDomain UpdateDomainConfig UpdateElasticsearchDomainConfig CreateCollection "
        "UpdateCollection CreateVpcEndpoint CreateVpcConnection UpdateScalingParameters RegisterStreamConsumer",
        "streams, brokers and search domains cost by the hour",
    ),
    Rule(
        "provision",
        "lightsail",
        "Create* Allocate* Start* Update*Power UpdateContainerService UpdateRelationalDatabase EnableAddOn "
        "AttachCertificateToDistribution",
        "lightsail parts cost by the month",
    ),
    Rule(
        "provision",
        "workspaces appstream workspaces-thin-client gamelift gameliftstreams deadline pcs imagebuilder "
        "elasticbeanstalk apprunner amplify mwaa batch dms fsx efs storagegateway directconnect globalaccelerator "
        "network-firewall ds cloudhsmv2 transfer finspace timestream-influxdb qldb grafana amp comprehend kendra "
        "personalize rekognition forecast robomaker braket outposts snowball medialive mediaconnect mediapackage* "
        "mediaconvert ivs ivs-realtime networkmanager vpc-lattice odb evs directory-service-data rolesanywhere "
        "panorama "
        "iotsitewise iotfleetwise groundstation datasync glue databrew bedrock bedrock-agent bedrock-agentcore-control "
        "codebuild cloud9 devicefarm ecr-public qbusiness m2 drs mgn payment-cryptography acm-pca private-networks "
        "cloudfront verifiedpermissions dsql keyspaces s3tables s3vectors neptune-graph vpc-lattice",
        "Create*Workspaces Create*Fleet* Update*Fleet* Start*Fleet* Create*Cluster* Update*Cluster* Create*Instance* "
        "Create*Environment* Update*Environment* Rebuild* Restore* Create*Server Update*Server Start*Server "
        "Create*FileSystem* Update*FileSystem* Create*Volume* Create*Backup Create*Gateway* Create*Connection "
        "Create*Interconnect Create*PublicVirtualInterface Create*PrivateVirtualInterface "
        "Create*TransitVirtualInterface "
        "Create*Accelerator Create*Firewall Create*Directory Create*MicrosoftAD ConnectDirectory CreateHsm "
        "Create*Database Create*Index Update*Index Create*Campaign Create*Solution* Create*Project* Start*Stream* "
        "Create*Channel Start*Channel Create*Flow Start*Flow Create*Endpoint* Update*Endpoint* Create*Replication* "
        "Start*Replication* Create*Job* Start*Job* Create*Domain* Create*Service Update*Service Create*App* "
        "Create*Workgroup Create*Queue* Create*Provisioned* Update*Provisioned* Create*ImageBuilder Start*ImageBuilder "
        "Create*ComputeEnvironment Update*ComputeEnvironment Create*Order Create*Outpost* Create*Workspace "
        "Start*Recovery* Start*Test Start*Cutover Create*KxCluster* Create*Kx* Create*CertificateAuthority "
        "Create*Session Create*Crawler Start*Crawler Create*DevEndpoint Update*DevEndpoint Create*Input "
        "Create*Multiplex "
        "Create*Provisioned* Create*Custom* Create*Distribution* Create*Location* Create*Site* Create*Attachment "
        "Create*Peer* Create*Core* Create*Table* Create*Graph* Start*Graph* Create*Stream* Create*Key*Space "
        "Create*Tunnel Create*Evs* Create*Odb* Create*Cloud* Create*Runtime* Create*Browser* Create*Memory "
        "Create*CodeInterpreter Create*KnowledgeBase Create*Model*Job Create*ModelCustomization*",
        "costs while it lives: by node, hour, gigabyte or month",
    ),
    Rule(
        "provision execute",
        "lambda",
        "CreateFunction",
        "a function is code that runs when called, and costs by use",
    ),
    Rule("execute", "lambda", "UpdateFunctionCode PublishLayerVersion UpdateFunctionConfiguration", "changes code"),
    Rule(
        "provision",
        "lambda",
        "PutProvisionedConcurrencyConfig CreateCapacityProvider UpdateCapacityProvider PutFunctionScalingConfig",
        "kept-warm functions cost by the hour",
    ),
    Rule(
        "provision",
        "kms secretsmanager route53 acm-pca wafv2 waf waf-regional",
        "CreateKey ReplicateKey CreateCustomKeyStore CreateHostedZone CreateHealthCheck CreateCertificateAuthority "
        "CreateWebACL CreateTrafficPolicyInstance",
        "costs by the month while it lives",
    ),
    # ------------------------------------------------------------------ pay
    Rule(
        "pay", "*", "Purchase* BatchPurchase* *ReservedInstancesOffering", "a commitment of money over a year or more"
    ),
    Rule(
        "pay",
        "ec2 rds elasticache redshift memorydb opensearch es savingsplans dynamodb sagemaker medialive bedrock shield",
        "CreateReservedInstancesListing ModifyReservedInstances AcceptReservedInstances* AcceptReservedNode* "
        "CreateSavingsPlan ReturnSavingsPlan CancelReservedInstancesListing CreateSubscription "
        "CreateProvisionedModelThroughput UpdateProvisionedModelThroughput CreateTrainingPlan ExtendTrainingPlan "
        "PurchaseHostReservation PurchaseCapacityBlock* CreateFoundationModelAgreement MoveCapacityReservation*",
        "buys, sells or extends something with a term",
    ),
    Rule(
        "pay",
        "route53domains",
        "RegisterDomain RenewDomain TransferDomain RestoreDomain EnableDomainAutoRenew "
        "AcceptDomainTransferFromAnotherAwsAccount",
        "domains are paid for by the year",
    ),
    Rule(
        "pay",
        "marketplace-* meteringmarketplace mturk invoicing payment* billing*",
        "Accept* Create*Agreement* StartChangeSet Subscribe* MeterUsage BatchMeterUsage RegisterUsage Create*HIT* "
        "SendBonus ApproveAssignment UpdateExpirationForHIT CreateAdditionalAssignmentsForHIT Create*Payment* "
        "Update*Payment* Create*Payer* Update*Payer*",
        "moves money between accounts or people",
    ),
    Rule("pay", "bedrock-agentcore", "*Payment*", "payments made for an agent"),
    Rule("pay", "outposts snowball panorama", "CreateOrder CreateJob CreateCluster CreateQuote*", "orders hardware"),
    # ------------------------------------------------------------------ entitle
    Rule(
        "entitle",
        "iam",
        "Put* Attach* Detach* Create* Update* Add* Remove* Set* Enable* Upload* Tag* Untag* Resync* Deactivate* "
        "Delete* Accept* AcquireRole Associate* Send* Reject* Change* Disable*",
        "changes who may do what",
    ),
    Rule(
        "entitle reveal",
        "iam",
        "CreateAccessKey CreateServiceSpecificCredential ResetServiceSpecificCredential",
        "makes a key and returns its secret",
    ),
    Rule(
        "entitle reveal",
        "sts",
        "AssumeRole AssumeRoleWith* AssumeRoot GetSessionToken GetFederationToken GetDelegatedAccessToken "
        "GetWebIdentityToken",
        "hands out credentials that act under other rules",
    ),
    Rule(
        "entitle",
        "s3 s3control s3tables s3outposts glacier s3vectors s3files",
        "Put*Policy Put*Acl Put*PublicAccessBlock Delete*PublicAccessBlock Delete*Policy Put*OwnershipControls "
        "Delete*OwnershipControls CreateAccessGrant* CreateAccessPoint* PutAccessPoint* SetVaultAccessPolicy "
        "AssociateAccessGrants* PutBucketReplication Set*Policy",
        "opens or closes stored data to others",
    ),
    Rule(
        "entitle",
        "kms secretsmanager",
        "PutKeyPolicy CreateGrant RevokeGrant RetireGrant PutResourcePolicy DeleteResourcePolicy "
        "AssociateCrossAccountReplica",
        "decides who may use a key or read a secret",
    ),
    Rule(
        "entitle",
        "ec2",
        "Authorize* ModifySecurityGroupRules ModifySnapshotAttribute ResetSnapshotAttribute ModifyImageAttribute "
        "ModifyFpgaImageAttribute ModifyNetworkInterfaceAttribute ModifyVpcEndpointServicePermissions "
        "AssociateIamInstanceProfile ReplaceIamInstanceProfileAssociation ModifyInstanceMetadataOptions "
        "ModifyInstanceMetadataDefaults CreateNetworkAclEntry ReplaceNetworkAclEntry ReplaceNetworkAclAssociation "
        "DisableImageBlockPublicAccess DisableSnapshotBlockPublicAccess CreateVpcPeeringConnection "
        "AcceptVpcPeeringConnection AcceptTransitGateway* AttachInternetGateway CreateVerifiedAccessPolicy "
        "ModifyVerifiedAccess*Policy EnableSerialConsoleAccess ModifyVpcBlockPublicAccess* ModifyPrivateDnsName* "
        "CreateNetworkInterfacePermission ImportKeyPair ModifyVpcEndpoint ModifyIdFormat ModifySubnetAttribute "
        "EnableVpcClassicLink* CreateRoute ReplaceRoute ReplaceRouteTableAssociation",
        "opens the network, an image or a role to others",
    ),
    Rule("entitle reveal", "ec2", "CreateKeyPair", "returns a private key that opens machines"),
    Rule(
        "entitle",
        "lambda sns sqs ecr ecr-public events schemas logs backup dynamodb kinesis elasticfilesystem efs glue "
        "opensearch es codeartifact codebuild mediastore ses sesv2 iot",
        "AddPermission RemovePermission AddLayerVersionPermission RemoveLayerVersionPermission PutPermission "
        "RemovePermission Put*Policy Delete*Policy Set*Policy SetRepositoryPolicy CreateFunctionUrlConfig "
        "UpdateFunctionUrlConfig PutPublicAccessBlock* SetTopicAttributes SetQueueAttributes PutSubscriptionFilter "
        "PutDestination PutBackupVaultAccessPolicy DeleteBackupVaultAccessPolicy Attach*Policy Attach*Principal* "
        "AuthorizeVpcEndpointAccess PutResourcePolicy",
        "lets others call, read or write it",
    ),
    Rule(
        "entitle",
        "ram",
        "Associate* Disassociate* Create* Update* Accept* Enable* Promote* Replace* Set*",
        "shares resources with other accounts",
    ),
    Rule(
        "entitle",
        "rds neptune docdb redshift redshift-serverless elasticache",
        "Modify*SnapshotAttribute Authorize* ModifyClusterIamRoles AddRoleToDB* Put*Policy ModifyUser* CreateUser* "
        "CreateDataShare* AssociateDataShare*",
        "opens data or the network to others",
    ),
    Rule(
        "entitle",
        "organizations account controltower sso-admin identitystore sso rolesanywhere accessanalyzer "
        "verifiedpermissions "
        "lakeformation cognito-idp cognito-identity cleanrooms datazone eks grafana quicksight workmail ds "
        "directory-service-data iam-toolbox account-access signin sso-oidc",
        "Create* Update* Put* Attach* Detach* Delete* Enable* Disable* Register* Deregister* Grant* Revoke* Batch* "
        "Associate* Disassociate* Invite* Accept* Leave* Remove* Close* Move* Set* Admin* Add* Provision* Import* "
        "Reset* "
        "Share* Unshare*",
        "accounts, identities and who may do what",
    ),
    Rule(
        "entitle provision",
        "eks ds grafana quicksight controltower datazone cleanrooms",
        "CreateCluster CreateNodegroup CreateDirectory CreateMicrosoftAD CreateWorkspace CreateLandingZone "
        "CreateAccountSubscription CreateEnvironment CreateDomain CreateFargateProfile AddRegion "
        "CreateManagedAccount ConnectDirectory",
        "costs while it lives, and comes with identities",
    ),
    # ------------------------------------------------------------------ destroy
    Rule(
        "destroy",
        "*",
        "Delete* BatchDelete* Terminate* BatchTerminate* Purge* Destroy* ForceDelete* Erase* Wipe* DeleteAll* "
        "Truncate*",
        "what is deleted does not come back",
    ),
    Rule(
        "destroy",
        "kms",
        "ScheduleKeyDeletion DisableKey DeleteImportedKeyMaterial DisconnectCustomKeyStore",
        "everything encrypted under the key is lost with it",
    ),
    Rule(
        "destroy",
        "ec2",
        "DeregisterImage ReleaseAddress ReleaseHosts RejectVpc* CancelSpotInstanceRequests CancelSpotFleetRequests "
        "DisableImage ModifySnapshotTier DisassociateIpam*",
        "what is released may not be had again",
    ),
    Rule(
        "destroy",
        "s3 s3control",
        "PutBucketLifecycle PutBucketLifecycleConfiguration PutLifecycle* PutBucketVersioning RestoreBucket*",
        "a lifecycle rule deletes objects by itself; suspended versioning loses them",
    ),
    Rule(
        "destroy",
        "rds neptune docdb redshift elasticache dynamodb workspaces eks ecs ecr glue logs backup fsx dms transfer "
        "timestream-write opensearch es cloudformation sagemaker route53domains",
        "RebuildWorkspaces RestoreWorkspace RemoveFromGlobalCluster ResetDB* FailoverGlobalCluster "
        "PutLifecyclePolicy CancelResourceRequest UpdateTimeToLive DisassociateBackup* DeregisterContainerInstance "
        "Cancel*Deletion",
        "data or capacity is lost",
    ),
    Rule("destroy", "cloudcontrol", "DeleteResource", "deletes anything at all"),
    # ------------------------------------------------------------------ execute
    Rule(
        "execute",
        "ssm",
        "SendCommand StartSession ResumeSession StartAutomationExecution StartChangeRequestExecution "
        "CreateAssociation* UpdateAssociation StartAssociationsOnce CreateDocument UpdateDocument* "
        "RegisterTaskWithMaintenanceWindow UpdateMaintenanceWindowTask StartExecutionPreview StartAccessRequest",
        "runs commands on machines",
    ),
    Rule("reveal execute", "ssm", "GetAccessToken", "returns credentials for a session"),
    Rule("execute", "lambda lambda-core", "Invoke* CreateEventSourceMapping UpdateEventSourceMapping", "runs code"),
    Rule("execute", "ec2-instance-connect", "Send*", "puts a key on a machine for a login"),
    Rule(
        "execute provision",
        "ecs batch codebuild glue emr emr-serverless emr-containers",
        "RunTask StartTask SubmitJob SubmitServiceJob StartBuild StartBuildBatch RetryBuild RetryBuildBatch "
        "StartJobRun StartSandbox CreateSandbox StartSession CreateSession RunJobFlow StartWorkflowRun StartTrigger "
        "StartNotebookExecution StartSandboxConnection",
        "runs code on machines that cost while it runs",
    ),
    Rule(
        "execute",
        "ecs batch codebuild glue emr emr-serverless emr-containers",
        "ExecuteCommand RegisterTaskDefinition RegisterJobDefinition AddJobFlowSteps CreateJob UpdateJob RunStatement "
        "StartCommandExecution CreateProject UpdateProject CreateTrigger UpdateTrigger CreateWorkflow "
        "StartDataQuality* StartMLTask* UpdateJobFromSourceControl CreateService UpdateService",
        "decides what code runs",
    ),
    Rule(
        "execute",
        "stepfunctions scheduler events codepipeline codedeploy apprunner amplify elasticbeanstalk mwaa iot "
        "greengrass* "
        "cloud9 robomaker databrew datapipeline imagebuilder devicefarm synthetics codecatalyst pipes swf "
        "application-signals resiliencehub fis",
        "StartExecution StartSyncExecution RedriveExecution CreateStateMachine UpdateStateMachine TestState "
        "CreateSchedule UpdateSchedule PutRule PutTargets CreatePipeline UpdatePipeline StartPipelineExecution "
        "RetryStageExecution CreateDeployment* StartDeployment CreateService UpdateService CreateApp* "
        "CreateEnvironmentEC2 CreateSimulationJob StartJobRun ActivatePipeline PutPipelineDefinition ScheduleRun "
        "CreateCanary UpdateCanary StartCanary StartDevEnvironment* CreateDevEnvironment StartWorkflowRun CreatePipe "
        "UpdatePipe StartPipe StartExperiment CreateExperimentTemplate UpdateExperimentTemplate CreateCliToken "
        "CreateJob CreateTopicRule ReplaceTopicRule StartImagePipelineExecution CreateComponent InvokeRestApi "
        "RequestEnvironmentInfo CreateApplicationVersion UpdateEnvironment CreateFunction*",
        "starts or schedules code elsewhere",
    ),
    Rule(
        "execute",
        "athena redshift-data rds-data dynamodb keyspaces timestream-query neptunedata neptune-graph qldb-session "
        "cloudtrail-data",
        "StartQueryExecution ExecuteStatement BatchExecuteStatement ExecuteSql ExecuteTransaction Execute* "
        "StartCalculationExecution StartSession SendCommand StartLoaderJob",
        "runs statements that nobody here reads",
    ),
    Rule(
        "execute",
        "bedrock-agentcore bedrock-agent-runtime",
        "Invoke* Start*Session ExecuteBrowser* StartFlowExecution",
        "runs an agent, a tool or a code interpreter",
    ),
    Rule(
        "execute reveal",
        "mwaa mwaa-serverless",
        "CreateWebLoginToken CreateCliToken CreateAirflowUiUrl",
        "returns a token that runs workflows",
    ),
    Rule("execute", "cloudfront", "CreateFunction UpdateFunction PublishFunction TestFunction", "code at the edge"),
    Rule(
        "execute",
        "elementalinference mediatailor appsync",
        "CreateFunction UpdateFunction PutFunction Evaluate*",
        "code that the service runs",
    ),
    # ------------------------------------------------------------------ communicate
    Rule(
        "communicate",
        "ses sesv2 pinpoint pinpoint-email pinpoint-sms-voice pinpoint-sms-voice-v2 socialmessaging",
        "Send* CreateCampaign UpdateCampaign CreateJourney UpdateJourneyState TestRenderEmailTemplate "
        "CreateCustomVerificationEmailTemplate Put*Message*",
        "reaches people by mail, text or voice",
    ),
    Rule(
        "communicate",
        "sns",
        "Publish PublishBatch Subscribe ConfirmSubscription CreateSMSSandboxPhoneNumber SetSMSAttributes",
        "reaches people and other systems",
    ),
    Rule(
        "communicate",
        "connect connectparticipant connectcampaigns connectcampaignsv2 connectcases customer-profiles voice-id",
        "Start*Outbound* StartTaskContact StartChatContact StartWebRTCContact StartEmailContact SendMessage SendEvent "
        "SendChatIntegrationEvent SendOutbound* SendAttachment Put*OutboundRequest* PutDialRequestBatch StartCampaign "
        "Create*ParticipantConnection SendOutboundWebNotification BatchPutContact",
        "reaches people",
    ),
    Rule(
        "communicate",
        "chime chime-sdk-* wickr workmailmessageflow chatbot support support-app incident* ssm-incidents ssm-contacts "
        "mturk notifications* signer-data apigatewaymanagementapi managedblockchain* partnercentral-* "
        "workmail cognito-idp sso iotevents",
        "Send* Create*Message* BatchCreate*Invit* Invite* CreateCase AddCommunicationToCase AddAttachmentsToSet "
        "PutRawMessageContent CreateSlackChannelConfiguration StartEngagement StartIncident NotifyWorkers "
        "PostToConnection SendBonus Dial* CreateSipMediaApplicationCall UpdateSipMediaApplicationCall "
        "ForgotPassword ResendConfirmationCode SignUp AdminCreateUser RedactChannelMessage "
        "StartMeetingTranscription CreateHIT*",
        "reaches people",
    ),
    # ------------------------------------------------------------------ reveal
    Rule("reveal", "secretsmanager", "GetSecretValue BatchGetSecretValue", "returns secrets"),
    Rule(
        "reveal",
        "ssm",
        "GetParameter GetParameters GetParametersByPath GetParameterHistory",
        "returns secure strings when decryption is asked for",
    ),
    Rule(
        "reveal",
        "kms payment-cryptography*",
        "Decrypt* GenerateDataKey GenerateDataKeyPair GenerateDataKeyWithoutPlaintext GenerateDataKeyPairWithout* "
        "ReEncrypt* DeriveSharedSecret ExportKey GetParametersForExport GenerateRandom TranslatePinData "
        "TranslateKeyMaterial",
        "returns plain text or a plain key",
    ),
    Rule(
        "reveal",
        "ec2",
        "GetPasswordData GetConsoleOutput GetConsoleScreenshot DescribeInstanceAttribute "
        "DescribeLaunchTemplateVersions GetLaunchTemplateData ExportClientVpnClientConfiguration "
        "GetVpnConnectionDeviceSampleConfiguration DescribeSpotFleetRequests",
        "may return passwords and start-up scripts",
    ),
    Rule("reveal", "ecr ecr-public codeartifact", "GetAuthorizationToken", "returns a password for a registry"),
    Rule("reveal", "cognito-identity", "GetCredentialsForIdentity GetOpenIdToken*", "returns credentials"),
    Rule(
        "reveal",
        "cognito-idp",
        "InitiateAuth AdminInitiateAuth RespondToAuthChallenge AdminRespondToAuthChallenge "
        "DescribeUserPoolClient GetTokensFromRefreshToken AssociateSoftwareToken",
        "returns tokens and secrets",
    ),
    Rule(
        "reveal",
        "lambda",
        "GetFunction GetFunctionConfiguration ListFunctions GetLayerVersion*",
        "returns code and environment variables",
    ),
    Rule(
        "reveal",
        "sso sso-oidc account-access-runtime signin iot rolesanywhere lakeformation redshift redshift-serverless "
        "s3 s3control s3-outposts bedrock-agentcore workspaces gamelift ivs iam lightsail ec2-instance-connect "
        "apigateway "
        "deadline codecatalyst glue emr-containers mediaconnect chime* connect appsync grafana sagemaker "
        "storagegateway qapps mwaa finspace mq workspaces-web managedgrafana osis kafka iotsecuretunneling "
        "quicksight transfer opensearch mpa wickr acm acm-pca emr amplify apigatewayv2 elasticbeanstalk devops-agent",
        "GetRoleCredentials CreateToken* CreateBearerToken CreateOAuth2Token* GetTemporary* AssumeDecoratedRole* "
        "GetClusterCredentials* GetCredentials CreateSession GetDataAccess GetResourceApiKey GetResourceOauth2Token "
        "GetWorkloadAccessToken* GetInstanceAccess GetInstanceAccessDetails GetRelationalDatabaseMasterUserPassword "
        "DownloadDefaultKeyPair CreateKeyPair GetComputeAuthToken GetComputeAccess AssumeQueueRole* AssumeFleetRole* "
        "CreateAccessToken GetConnection GetConnections GetManagedEndpointSessionCredentials CreateStreamKey "
        "GetStreamKey BatchGetStreamKey CreateApiKey GetApiKey GetApiKeys ImportApiKeys CreateAppInstanceUser* "
        "CreateWorkspaceApiKey CreateWorkspaceServiceAccountToken CreatePresigned* GetSignedUrl GetFederationToken "
        "CreateKeysAndCertificate GetClusterSessionCredentials ExportCertificate GetDashboardEmbedUrl "
        "GenerateEmbedUrl* RotateTunnelAccessToken OpenTunnel CreateParticipantToken CreateProvisioningClaim "
        "GetOnClusterAppUIPresignedURL GetPersistentAppUIPresignedURL DescribeConfigurationSettings "
        "CreateUserPoolClient CreateServiceSpecificCredential GetAccessGrantsInstance*Token "
        "RotateIngestEndpointCredentials CreateAuthCode CreateChatToken CreateCredential*",
        "returns a key, a token or a signed address",
    ),
    Rule(
        "reveal entitle",
        "apigateway appsync lightsail codecatalyst",
        "CreateApiKey CreateAccessToken CreateKeyPair",
        "makes a key and returns it",
    ),
    Rule("reveal", "rds", "DownloadDBLogFilePortion", "logs hold statements and data"),
    Rule("reveal", "acm-pca acm", "ExportCertificate", "returns a private key"),
    # ------------------------------------------------------------------ blind
    Rule(
        "blind",
        "cloudtrail",
        "StopLogging DeleteTrail UpdateTrail PutEventSelectors PutInsightSelectors DeleteEventDataStore "
        "UpdateEventDataStore StopEventDataStoreIngestion StopImport DeleteChannel Deregister* PutEventConfiguration",
        "stops the record of what was done",
    ),
    Rule(
        "blind",
        "guardduty",
        "DeleteDetector UpdateDetector StopMonitoringMembers Disassociate* DeleteMembers CreateFilter UpdateFilter "
        "CreateIPSet UpdateIPSet Create*Trusted* Update*Trusted* DeletePublishingDestination "
        "UpdatePublishingDestination ArchiveFindings UpdateMalwareScanSettings UpdateMemberDetectors "
        "UpdateOrganizationConfiguration DisableOrganizationAdminAccount DeleteFilter DeleteIPSet "
        "DeleteThreatIntelSet",
        "weakens threat detection",
    ),
    Rule(
        "blind",
        "config",
        "StopConfigurationRecorder DeleteConfigurationRecorder PutConfigurationRecorder DeleteDeliveryChannel "
        "PutDeliveryChannel DeleteConfigRule DeleteOrganizationConfigRule DeleteRemediation* "
        "DeleteConformancePack DeleteConfigurationAggregator DeleteRetentionConfiguration PutRetentionConfiguration "
        "DeleteServiceLinkedConfigurationRecorder DisassociateResourceTypes",
        "stops the record of changes",
    ),
    Rule(
        "blind",
        "logs",
        "DeleteLogGroup DeleteLogStream PutRetentionPolicy DeleteSubscriptionFilter DeleteMetricFilter "
        "DeleteDestination DeleteDelivery* PutDataProtectionPolicy DeleteAccountPolicy DeleteDataProtectionPolicy "
        "DisassociateKmsKey DeleteLogAnomalyDetector UpdateLogAnomalyDetector PutLogGroupDeletionProtection",
        "logs vanish or go elsewhere",
    ),
    Rule(
        "blind",
        "ec2",
        "DeleteFlowLogs DisableImageDeprecation DeleteNetworkInsights* UnmonitorInstances "
        "DisableEbsEncryptionByDefault",
        "network logs and checks vanish",
    ),
    Rule(
        "blind",
        "securityhub macie2 inspector inspector2 detective accessanalyzer securitylake auditmanager fms shield "
        "security-ir devops-guru health",
        "Disable* BatchDisable* Delete* Disassociate* Update*Configuration UpdateStandardsControl BatchUpdate*Control* "
        "UpdateSecurityHubConfiguration BatchUpdateFindings* UpdateMacieSession Cancel* Deregister* "
        "BatchUpdateAutomationRules CreateAutomationRule* CreateSuppression* UpdateFilter CreateFilter "
        "CreateFindingsFilter UpdateFindingsFilter ArchiveFindings UpdateFindings CreateArchiveRule ApplyArchiveRule "
        "UpdateArchiveRule",
        "weakens monitoring or a guardrail",
    ),
    Rule(
        "blind",
        "cloudwatch application-insights applicationsignals synthetics xray rum oam observabilityadmin "
        "internetmonitor networkmonitor networkflowmonitor amp",
        "DeleteAlarms DisableAlarmActions SetAlarmState DeleteMetricStream StopMetricStreams DeleteInsightRules "
        "DisableInsightRules DeleteAnomalyDetector DeleteCanary StopCanary DeleteMonitor DeleteSink DeleteLink "
        "Stop*Telemetry* Delete*Telemetry* PutMetricAlarm PutAlarmMuteRule PutCompositeAlarm Delete*Rule*",
        "an alarm no longer rings",
    ),
    Rule(
        "blind",
        "s3",
        "PutBucketLogging PutBucketNotification* PutObjectLockConfiguration PutObjectRetention "
        "PutObjectLegalHold DeleteBucketEncryption PutBucketEncryption",
        "stops logs or a protection of the data",
    ),
    Rule(
        "blind",
        "events scheduler",
        "DisableRule DeleteRule RemoveTargets DeleteArchive DeactivateEventSource",
        "an alarm's path is cut",
    ),
    Rule("blind", "budgets ce", "Delete* Update* Execute*", "a spending guard is weakened"),
    Rule(
        "blind",
        "waf waf-regional wafv2 network-firewall route53resolver",
        "Delete* Disassociate* Update* Put*",
        "a filter is weakened",
    ),
    Rule(
        "blind",
        "bedrock",
        "DeleteGuardrail UpdateGuardrail DeleteModelInvocationLoggingConfiguration "
        "PutModelInvocationLoggingConfiguration DeleteAutomatedReasoning*",
        "a model's guardrail or log is weakened",
    ),
    Rule(
        "blind",
        "organizations",
        "DisablePolicyType DetachPolicy DeletePolicy UpdatePolicy LeaveOrganization "
        "DisableAWSServiceAccess DeregisterDelegatedAdministrator",
        "a guardrail of the organisation is weakened",
    ),
    Rule(
        "blind",
        "rds redshift elbv2 elb kms backup",
        "DisableLogging DisableKeyRotation ModifyLoadBalancerAttributes "
        "DeleteBackupPlan DeleteBackupSelection DeleteBackupVaultLockConfiguration UpdateRecoveryPointLifecycle "
        "DeleteFramework DeleteReportPlan",
        "stops logs, rotation or backups",
    ),
    # ------------------------------------------------------------------ infer
    Rule("infer", "bedrock-runtime", "InvokeModel* Converse* StartAsyncInvoke", "asks a model"),
    Rule(
        "infer",
        "bedrock bedrock-agent-runtime bedrock-agent",
        "CreateModelInvocationJob RetrieveAndGenerate* "
        "InvokeAgent InvokeInlineAgent InvokeFlow OptimizePrompt Rerank CreateEvaluationJob StartIngestionJob",
        "asks a model",
    ),
    Rule(
        "infer",
        "sagemaker-runtime sagemaker-inference-router-runtime sagemaker-runtime-http2",
        "Invoke*",
        "asks a model",
    ),
    # ------------------------------------------------------------------ what IAM calls a write, and is more
    Rule("entitle", "transfer", "CreateUser UpdateUser ImportSshPublicKey", "lets somebody in"),
    Rule("entitle", "codepipeline", "PutApprovalResult", "answers where a person was to be asked"),
    Rule("entitle", "apigateway", "UpdateRestApi PutRestApi ImportRestApi", "carries the policy of who may call it"),
    Rule("reveal", "route53domains", "RetrieveDomainAuthCode", "whoever holds it can take the domain away"),
    Rule(
        "execute",
        "ec2 autoscaling",
        "CreateLaunchTemplate CreateLaunchTemplateVersion ModifyLaunchTemplate CreateLaunchConfiguration",
        "groups start machines from it by themselves, with its start-up script",
    ),
    Rule("provision", "backup", "StartRestoreJob", "makes the machine or database anew"),
    Rule("provision", "braket", "CreateQuantumTask", "costs by task and shot"),
    Rule("blind", "dynamodb", "UpdateContinuousBackups", "can switch the table's backups off"),
    Rule("infer", "qbusiness qapps", "Chat ChatSync PredictQApp StartQAppSession", "asks a model"),
)

EXCEPTIONS: tuple[Rule, ...] = (
    Rule("write", "sqs", "DeleteMessage DeleteMessageBatch", "acknowledging a message is how a queue is read"),
    Rule("write", "ec2 elb elbv2 autoscaling kinesis*", "DeleteTags DeleteTag RemoveTags", "a tag comes back"),
    Rule(
        "write",
        "s3",
        "DeleteObjectTagging DeleteBucketTagging AbortMultipartUpload CreateMultipartUpload "
        "UploadPart UploadPartCopy CompleteMultipartUpload CopyObject PutObject RestoreObject "
        "WriteGetObjectResponse RenameObject UpdateObjectEncryption",
        "ordinary use of a bucket",
    ),
    Rule(
        "read",
        "s3",
        "SelectObjectContent HeadBucket HeadObject ListObjects ListObjectsV2 ListObjectVersions "
        "ListMultipartUploads ListParts",
        "reads",
    ),
    Rule(
        "write",
        "kinesis dynamodb swf stepfunctions batch",
        "DeleteItem DeleteActivity Terminate*Job*",
        "ordinary use of a table or a queue",
    ),
    Rule(
        "write",
        "apigateway apigatewayv2",
        "CreateResource CreateDeployment CreateStage CreateModel CreateMethod* "
        "CreateRestApi CreateRequestValidator CreateApi CreateRoute CreateRouteResponse CreateIntegration* "
        "CreateDocumentation* CreateUsagePlan CreateUsagePlanKey CreateBasePathMapping CreateApiMapping "
        "CreateDomainName CreatePortal* CreateProduct*",
        "an interface costs by use alone",
    ),
    Rule("read", "dynamodb", "Query Scan", "reads"),
    Rule("read", "sts", "GetCallerIdentity GetAccessKeyInfo", "tells who one is"),
    Rule(
        "read",
        "organizations sso-admin cognito-idp identitystore lakeformation verifiedpermissions datazone "
        "cleanrooms quicksight eks ds grafana",
        "AdminGet* AdminList* BatchGet* BatchIsAuthorized*",
        "reads",
    ),
    Rule("read", "timestream-query cloudwatch redshift-data", "Query GetMetricData GetStatementResultV2", "reads"),
    Rule("write", "rds rdsdata", "ResetDBParameterGroup ResetDBClusterParameterGroup", "settings come back"),
)
"""Operations whose class is exactly this, whatever the patterns above say; each was read and judged on its own."""
