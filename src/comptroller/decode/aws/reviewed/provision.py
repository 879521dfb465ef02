"""What brings about or enlarges something that costs while it lives, or starts a run that is paid for.

What costs only by what is put into it later (a bucket, a queue, an empty log group, an interface) is not here, nor is a
definition that nothing has been started from. Where a costly option is one parameter among many, the operation is here.
"""

from __future__ import annotations

from comptroller.decode.aws.reviewed.rule import Rule

PROVISION: tuple[Rule, ...] = (
    Rule(
        "provision",
        "accessanalyzer",
        "CreateAnalyzer CreateServiceLinkedAnalyzer",
        "analyzers of unused access are paid for by role and month",
    ),
    Rule(
        "provision",
        "acm",
        "RequestCertificate UpdateCertificateOptions",
        "private and exportable certificates are charged for when they are issued",
    ),
    Rule(
        "provision",
        "acm-pca",
        "CreateCertificateAuthority RestoreCertificateAuthority",
        "an authority is paid for by the month",
    ),
    Rule(
        "provision",
        "amp",
        "CreateScraper UpdateScraper CreateAnomalyDetector",
        "collects by itself, paid by the hour and by the sample",
    ),
    Rule("provision", "amplify", "StartJob", "builds on paid machines by the app's own script"),
    Rule(
        "provision",
        "amplifybackend",
        "CreateBackend CloneBackend CreateBackendAPI CreateBackendStorage UpdateBackendAPI UpdateBackendStorage",
        "makes tables, buckets and interfaces in the account",
    ),
    Rule("provision", "amplifybackend", "CreateBackendAuth", "makes a directory of users"),
    Rule("provision", "apigateway", "CreateStage CreateDeployment", "may switch on a cache that costs by the hour"),
    Rule("provision", "apigateway", "UpdateStage", "may switch off the stage's logs, or on a paid cache"),
    Rule("provision", "appfabric", "CreateIngestion StartIngestion", "paid for by user and month"),
    Rule(
        "provision",
        "appflow",
        "CreateFlow UpdateFlow StartFlow",
        "moves data between companies' services, by schedule, paid by run and gigabyte",
    ),
    Rule(
        "provision",
        "application-autoscaling autoscaling-plans",
        "RegisterScalableTarget PutScalingPolicy PutScheduledAction CreateScalingPlan UpdateScalingPlan",
        "lets a service grow by itself",
    ),
    Rule("provision", "application-insights", "CreateApplication", "sets up alarms and rules that cost by the month"),
    Rule("provision", "apprunner", "CreateService UpdateService", "runs containers that cost by the hour"),
    Rule(
        "provision",
        "apprunner",
        "ResumeService CreateAutoScalingConfiguration UpdateDefaultAutoScalingConfiguration",
        "how many paid instances may run",
    ),
    Rule(
        "provision",
        "appstream",
        "CreateFleet UpdateFleet StartFleet CreateImageBuilder StartImageBuilder UpdateImageBuilder "
        "CreateAppBlockBuilder StartAppBlockBuilder UpdateAppBlockBuilder CopyImage CreateUpdatedImage "
        "CreateImportedImage",
        "streaming machines and images that cost while they live",
    ),
    Rule("provision", "appsync", "CreateApiCache UpdateApiCache", "a cache that costs by the hour"),
    Rule(
        "provision",
        "arc-region-switch",
        "CreatePlan UpdatePlan StartPlanExecution",
        "a plan is paid for by the month; run, it scales services and calls functions",
    ),
    Rule(
        "provision",
        "athena",
        "CreateCapacityReservation UpdateCapacityReservation",
        "reserved query capacity costs by the hour",
    ),
    Rule("provision", "athena", "StartSession StartCalculationExecution", "runs code on paid machines"),
    Rule(
        "provision",
        "auditmanager",
        "RegisterAccount CreateAssessment",
        "evidence is collected, and paid for, by itself",
    ),
    Rule(
        "provision",
        "autoscaling",
        "CreateAutoScalingGroup UpdateAutoScalingGroup SetDesiredCapacity PutScalingPolicy ExecutePolicy "
        "PutScheduledUpdateGroupAction BatchPutScheduledUpdateGroupAction PutWarmPool StartInstanceRefresh "
        "RollbackInstanceRefresh AttachInstances LaunchInstances ResumeProcesses",
        "a group starts machines by itself",
    ),
    Rule("provision", "b2bi", "StartTransformerJob CreatePartnership", "paid by job, or by partner and month"),
    Rule(
        "provision",
        "backup",
        "StartBackupJob StartCopyJob StartRestoreJob CreateBackupPlan CreateBackupSelection CreateRestoreTestingPlan "
        "UpdateRestoreTestingPlan CreateRestoreTestingSelection UpdateRestoreTestingSelection StartScanJob "
        "UpdateRecoveryPointIndexSettings CreateFramework",
        "copies that cost while they are kept, machines made anew, paid checks",
    ),
    Rule("provision", "backup", "UpdateBackupPlan", "more backups, or none"),
    Rule("provision", "backupsearch", "StartSearchJob StartSearchResultExportJob", "paid by what it looks through"),
    Rule(
        "provision",
        "batch",
        "CreateComputeEnvironment UpdateComputeEnvironment",
        "how many paid machines a queue may start",
    ),
    Rule("provision", "batch", "SubmitJob SubmitServiceJob", "runs commands on machines that cost while they run"),
    Rule(
        "provision",
        "bedrock",
        "CreateModelCustomizationJob CreateCustomModel CreateCustomModelDeployment UpdateCustomModelDeployment "
        "CreateMarketplaceModelEndpoint UpdateMarketplaceModelEndpoint CreateModelCopyJob CreateModelImportJob",
        "trained, stored or served models cost while they live",
    ),
    Rule(
        "provision",
        "bedrock",
        "CreateModelInvocationJob CreateEvaluationJob CreateAdvancedPromptOptimizationJob",
        "a batch of questions to models",
    ),
    Rule(
        "provision",
        "bedrock",
        "CreateProvisionedModelThroughput UpdateProvisionedModelThroughput",
        "model units bought by the hour, or for months",
    ),
    Rule("provision", "bedrock-agent", "CreateKnowledgeBase", "the store behind it costs while it lives"),
    Rule(
        "provision",
        "bedrock-agentcore",
        "StartBrowserSession StartCodeInterpreterSession",
        "a machine that is paid for while the session lasts",
    ),
    Rule(
        "provision",
        "bedrock-agentcore-control",
        "CreateCapacityProvider UpdateCapacityProvider",
        "capacity that costs while it is kept",
    ),
    Rule(
        "provision",
        "bedrock-agentcore-control",
        "CreateOnlineEvaluationConfig UpdateOnlineEvaluationConfig",
        "asks models about live traffic, by itself",
    ),
    Rule("provision", "billingconductor", "CreateBillingGroup AssociateAccounts", "paid for by account and month"),
    Rule(
        "provision",
        "braket",
        "CreateJob CreateQuantumTask",
        "runs on quantum machines, paid by task, shot and minute",
    ),
    Rule("provision", "chime chime-sdk-voice", "RestorePhoneNumber", "a number that is paid for again"),
    Rule(
        "provision",
        "chime-sdk-media-pipelines",
        "CreateMediaCapturePipeline CreateMediaConcatenationPipeline CreateMediaInsightsPipeline "
        "CreateMediaLiveConnectorPipeline CreateMediaStreamPipeline CreateMediaPipelineKinesisVideoStreamPool "
        "StartSpeakerSearchTask StartVoiceToneAnalysisTask",
        "paid for by the minute",
    ),
    Rule("provision", "chime-sdk-meetings", "StartMeetingTranscription", "paid for by the minute"),
    Rule("provision", "chime-sdk-voice", "StartSpeakerSearchTask StartVoiceToneAnalysisTask", "paid for by the minute"),
    Rule(
        "provision",
        "cleanrooms",
        "StartProtectedQuery StartProtectedJob PopulateIdMappingTable PopulateIntermediateTable CreateMembership",
        "queries over shared data, paid by processing unit, and whoever pays for them",
    ),
    Rule(
        "provision",
        "cleanroomsml",
        "CreateMLInputChannel CreateTrainedModel StartAudienceExportJob StartAudienceGenerationJob "
        "StartTrainedModelExportJob StartTrainedModelInferenceJob CreateAudienceModel",
        "training, queries and exports that are paid for",
    ),
    Rule("provision", "cloud9", "CreateEnvironmentEC2", "a machine that costs by the hour"),
    Rule(
        "provision",
        "cloudcontrol",
        "CreateResource UpdateResource",
        "makes or changes anything at all, roles and functions too",
    ),
    Rule(
        "provision",
        "cloudformation",
        "CreateStack CreateStackSet CreateStackInstances UpdateStackInstances ImportStacksToStackSet CreateChangeSet "
        "ContinueUpdateRollback RollbackStack",
        "a template may make anything at all, roles and functions too",
    ),
    Rule(
        "provision",
        "cloudformation",
        "UpdateStack UpdateStackSet ExecuteChangeSet ExecuteStackRefactor",
        "a template may make anything, and replaces what it no longer names",
    ),
    Rule(
        "provision",
        "cloudfront",
        "CreateAnycastIpList UpdateAnycastIpList CreateMonitoringSubscription CreateRealtimeLogConfig",
        "addresses, metrics and logs that cost while they are kept",
    ),
    Rule(
        "provision",
        "cloudfront",
        "CreateDistribution CreateDistributionWithTags CopyDistribution CreateStreamingDistribution "
        "CreateStreamingDistributionWithTags CreateDistributionTenant",
        "serves to the whole world, paid by traffic; private addresses and plans by the month",
    ),
    Rule(
        "provision",
        "cloudhsm cloudhsmv2",
        "CreateHsm CreateCluster CopyBackupToRegion CreateHapg",
        "a security module costs by the hour",
    ),
    Rule("provision", "cloudhsmv2", "RestoreBackup", "a backup that is kept after all"),
    Rule(
        "provision",
        "cloudsearch",
        "CreateDomain UpdateScalingParameters UpdateAvailabilityOptions IndexDocuments",
        "search machines that cost by the hour",
    ),
    Rule(
        "provision",
        "cloudtrail",
        "CreateEventDataStore RestoreEventDataStore StartEventDataStoreIngestion StartImport CreateTrail StartLogging",
        "keeps events from now on, paid by event and gigabyte",
    ),
    Rule(
        "provision",
        "cloudwatch",
        "StartMetricStreams StartOTelEnrichment CreateResourceMetricsConfiguration EnableInsightRules",
        "paid by metric and event while it runs",
    ),
    Rule("provision", "codebuild", "CreateFleet UpdateFleet", "kept machines that cost by the minute"),
    Rule(
        "provision",
        "codebuild",
        "StartBuild StartBuildBatch RetryBuild RetryBuildBatch StartSandbox StartSandboxConnection",
        "runs a script on a paid machine",
    ),
    Rule(
        "provision",
        "codecatalyst",
        "CreateDevEnvironment StartDevEnvironment StartWorkflowRun UpdateDevEnvironment",
        "runs on paid machines",
    ),
    Rule("provision", "codedeploy", "CreateDeployment", "puts code on machines and runs its hooks"),
    Rule(
        "provision",
        "codeguru-reviewer codeguru-security",
        "AssociateRepository CreateCodeReview CreateScan",
        "paid by the line",
    ),
    Rule("provision", "cognito-idp", "UpdateProvisionedLimit CreateUserPoolReplica", "paid by what is reserved"),
    Rule(
        "provision",
        "comprehend",
        "CreateDocumentClassifier CreateEndpoint UpdateEndpoint CreateEntityRecognizer CreateFlywheel ImportModel "
        "Start*Job StartFlywheelIteration",
        "training, jobs, and endpoints that cost by the second",
    ),
    Rule("provision", "comprehendmedical", "Start*Job", "paid by the character"),
    Rule(
        "provision",
        "compute-optimizer-automation",
        "CreateAutomationRule UpdateAutomationRule StartAutomationEvent RollbackAutomationEvent",
        "changes and removes volumes by itself",
    ),
    Rule(
        "provision",
        "config",
        "PutConfigurationRecorder PutConfigRule PutOrganizationConfigRule PutConformancePack "
        "PutOrganizationConformancePack",
        "paid by record and check; put over an old one, it may watch less",
    ),
    Rule(
        "provision",
        "config",
        "StartConfigurationRecorder AssociateResourceTypes PutServiceLinkedConfigurationRecorder "
        "PutThirdPartyServiceLinkedConfigurationRecorder StartConfigRulesEvaluation",
        "paid by record and check",
    ),
    Rule(
        "provision",
        "connect",
        "CreateInstance ReplicateInstance ImportPhoneNumber StartContactConversationalAnalyticsJob",
        "a contact centre, its copy and its numbers cost while they live",
    ),
    Rule(
        "provision",
        "connecthealth",
        "StartMedicalCodingJob StartPatientInsightsJob StartMedicalScribeListeningSession",
        "each job and session is paid for",
    ),
    Rule("provision", "continuum", "CreateCodeScan", "each scan is paid for"),
    Rule(
        "provision",
        "controltower",
        "CreateLandingZone UpdateLandingZone ResetLandingZone EnableBaseline UpdateEnabledBaseline "
        "ResetEnabledBaseline",
        "sets up accounts, roles and guardrails",
    ),
    Rule(
        "provision",
        "customer-profiles",
        "CreateRecommender StartRecommender UpdateRecommender CreateDomain",
        "paid by profile and recommendation",
    ),
    Rule(
        "provision",
        "databrew",
        "CreateSchedule UpdateSchedule StartJobRun StartProjectSession SendProjectSessionAction",
        "jobs and sessions on paid machines",
    ),
    Rule("provision", "dataexchange", "StartJob", "imports and exports that are charged for"),
    Rule("provision", "datapipeline", "ActivatePipeline", "starts machines and runs commands on them"),
    Rule(
        "provision",
        "datasync",
        "CreateTask UpdateTask StartTaskExecution",
        "moves data, by schedule too, paid by the gigabyte",
    ),
    Rule(
        "provision",
        "datazone",
        "CreateDomain UpdateDomain CreateProject CreateEnvironment UpdateEnvironment UpdateProject",
        "makes roles, databases and clusters in the account",
    ),
    Rule(
        "provision",
        "datazone",
        "StartNotebookRun StartDataSourceRun CreateDataSource UpdateDataSource",
        "runs on paid machines, by schedule too",
    ),
    Rule("provision", "dax", "CreateCluster UpdateCluster IncreaseReplicationFactor", "nodes that cost by the hour"),
    Rule(
        "provision",
        "deadline",
        "CreateFleet UpdateFleet CreateWorker CreateQueueFleetAssociation CreateLicenseEndpoint PutMeteredProduct "
        "CreateMonitor",
        "workers, licences and monitors cost while they live",
    ),
    Rule(
        "provision",
        "deadline",
        "CreateJob UpdateJob BatchUpdateJob UpdateWorkerSchedule",
        "runs scripts on paid workers",
    ),
    Rule(
        "provision",
        "detective",
        "CreateGraph StartMonitoringMember UpdateDatasourcePackages CreateMembers",
        "paid by what it takes in",
    ),
    Rule(
        "provision",
        "devicefarm",
        "ScheduleRun CreateRemoteAccessSession InstallToRemoteAccessSession",
        "runs apps and tests on paid devices",
    ),
    Rule("provision", "devicefarm", "CreateTestGridUrl", "an address that opens paid browsers"),
    Rule("provision", "devops-guru", "UpdateResourceCollection", "more is watched, and paid for, or less"),
    Rule("provision", "devops-guru", "StartCostEstimation", "one estimate a month is free, those beyond are not"),
    Rule(
        "provision",
        "directconnect",
        "CreateConnection CreateInterconnect CreateLag AllocateConnectionOnInterconnect AllocateHostedConnection "
        "ConfirmConnection AssociateHostedConnection CreateResiliencyGroup UpdateLag UpdateConnectionsBillingMode",
        "lines and ports that cost by the hour",
    ),
    Rule("provision", "discovery", "StartContinuousExport", "keeps a paid stream and store"),
    Rule("provision", "dlm", "UpdateLifecyclePolicy", "takes and deletes snapshots by itself, or stops to"),
    Rule("provision", "dlm", "CreateLifecyclePolicy", "takes and deletes snapshots by itself"),
    Rule(
        "provision",
        "dms",
        "CreateReplicationInstance ModifyReplicationInstance CreateReplicationConfig ModifyReplicationConfig "
        "StartReplication CreateDataMigration StartDataMigration StartReplicationTask "
        "StartReplicationTaskAssessmentRun BatchStartRecommendations CreateFleetAdvisorCollector",
        "machines that copy databases, paid by the hour",
    ),
    Rule(
        "provision",
        "docdb neptune rds",
        "CreateDBCluster CreateDBInstance CreateDBInstanceReadReplica CreateDBClusterSnapshot CreateDBSnapshot "
        "CopyDBClusterSnapshot CopyDBSnapshot CreateDBClusterEndpoint ModifyDBCluster ModifyDBInstance RestoreDB* "
        "StartDBCluster StartDBInstance CreateGlobalCluster CreateDBShardGroup ModifyDBShardGroup CreateDBProxy "
        "CreateDBProxyEndpoint CreateCustomDBEngineVersion CreateBlueGreenDeployment CreateIntegration "
        "CreateTenantDatabase StartExportTask StartDBInstanceAutomatedBackupsReplication "
        "ModifyCurrentDBClusterCapacity PromoteReadReplica PromoteReadReplicaDBCluster CreateDBSecurityGroup",
        "databases cost by the hour and by the gigabyte",
    ),
    Rule(
        "provision",
        "docdb-elastic",
        "CreateCluster UpdateCluster StartCluster CreateClusterSnapshot CopyClusterSnapshot RestoreClusterFromSnapshot",
        "databases cost by the hour and by the gigabyte",
    ),
    Rule(
        "provision",
        "drs",
        "CreateExtendedSourceServer StartRecovery StartRecoveryPlanExecution StartFailbackLaunch StartReplication "
        "StartSourceNetworkRecovery StartSourceNetworkReplication ReverseReplication RetryDataReplication "
        "CreateSourceNetwork InitializeService UpdateReplicationConfiguration",
        "machines and copies kept for the worst case, paid by the hour",
    ),
    Rule(
        "provision",
        "ds",
        "CreateDirectory CreateMicrosoftAD CreateHybridAD ConnectDirectory AddRegion",
        "a directory costs by the hour and lets people in",
    ),
    Rule("provision", "ds", "UpdateNumberOfDomainControllers CreateSnapshot", "controllers cost by the hour"),
    Rule("provision", "dsql", "CreateCluster UpdateCluster CreateStream", "a database costs by use and gigabyte"),
    Rule(
        "provision",
        "dynamodb",
        "CreateTable UpdateTable CreateGlobalTable UpdateGlobalTable UpdateGlobalTableSettings RestoreTableFromBackup "
        "RestoreTableToPointInTime ImportTable UpdateTableReplicaAutoScaling CreateBackup ExportTableToPointInTime "
        "EnableKinesisStreamingDestination StartBulkPutItems",
        "capacity by the hour, copies and exports by the gigabyte (a table paid by use alone is recognised by its "
        "parameters)",
    ),
    Rule(
        "provision",
        "dynamodb",
        "UpdateContinuousBackups UpdateContributorInsights",
        "backups or insight begin, and cost, or end",
    ),
    Rule("provision", "ebs", "StartSnapshot", "a snapshot that is paid for while it is kept"),
    Rule(
        "provision",
        "ec2",
        "RunInstances RunScheduledInstances RequestSpotInstances RequestSpotFleet CreateFleet ModifyFleet "
        "ModifySpotFleetRequest StartInstances AllocateHosts ModifyHosts CreateCapacityReservation "
        "CreateCapacityReservationFleet CreateCapacityReservationBySplitting ModifyCapacityReservation "
        "ModifyCapacityReservationFleet CreateInterruptibleCapacityReservationAllocation "
        "UpdateInterruptibleCapacityReservationAllocation AcceptCapacityReservationBillingOwnership "
        "AssociateCapacityReservationBillingOwner ModifyInstanceCreditSpecification ModifyDefaultCreditSpecification "
        "ModifyInstanceCpuOptions ModifyInstancePlacement EnableFastLaunch",
        "machines, or places for them, that cost by the second until somebody stops them",
    ),
    Rule(
        "provision",
        "ec2",
        "ModifyInstanceAttribute ModifyVolume CreateVolume CopyVolumes CreateSnapshot CreateSnapshots CopySnapshot "
        "CreateImage CopyImage ImportImage ImportSnapshot ImportInstance ImportVolume "
        "EnableFastSnapshotRestores CreateReplaceRootVolumeTask CreateRestoreImageTask CreateStoreImageTask "
        "CreateInstanceExportTask ExportImage BundleInstance RestoreSnapshotTier RestoreImageFromRecycleBin "
        "RestoreSnapshotFromRecycleBin RestoreVolumeFromRecycleBin",
        "storage that costs while it is kept, or a larger machine",
    ),
    Rule(
        "provision",
        "ec2",
        "CreateNatGateway AllocateAddress AssociateNatGatewayAddress CreateVpcEndpoint CreateTransitGateway "
        "CreateTransitGatewayConnect CreateTransitGatewayVpcAttachment CreateTransitGatewayPeeringAttachment "
        "CreateTransitGatewayNetworkFunctionAttachment CreateVpnConnection ModifyVpnConnection "
        "ModifyVpnConnectionOptions CreateVpnConcentrator CreateClientVpnEndpoint AssociateClientVpnTargetNetwork "
        "CreateTrafficMirrorSession ModifyTrafficMirrorSession CreateVerifiedAccessEndpoint AllocateIpamPoolCidr "
        "CreateIpam ModifyIpam CreateInstanceConnectEndpoint ProvisionPublicIpv4PoolCidr ProvisionIpamPoolCidr "
        "CreateRouteServer CreateRouteServerEndpoint StartNetworkInsightsAnalysis "
        "StartNetworkInsightsAccessScopeAnalysis CreateVpcEncryptionControl ModifyVpcEncryptionControl "
        "ModifyAccountVpcEncryptionControl EnableAwsNetworkPerformanceMetricSubscription CreateFlowLogs "
        "CreateImageUsageReport EnableCapacityManager CreateCapacityManagerDataExport CreateCarrierGateway",
        "network parts, analyses and records that cost by the hour, the run or the gigabyte",
    ),
    Rule("provision", "ec2", "MonitorInstances CreateMetricCategory", "metrics that cost while they are kept"),
    Rule("provision", "ec2", "ModifyMetricCategory", "replaces which metrics are kept: some end, others cost"),
    Rule("provision", "ec2", "MoveCapacityReservationInstances", "moves paid capacity"),
    Rule(
        "provision",
        "ec2",
        "ModifySnapshotTier",
        "moves a snapshot into the archive, which is paid for at least ninety days",
    ),
    Rule("provision", "ecr", "StartReplicationBackfill StartImageScan", "copies and scans that are charged for"),
    Rule(
        "provision",
        "ecs",
        "CreateCapacityProvider UpdateCapacityProvider PutClusterCapacityProviders UpdateClusterSettings "
        "CreateGateway UpdateGateway",
        "machines, metrics and balancers under a cluster",
    ),
    Rule(
        "provision",
        "ecs",
        "CreateService UpdateService CreateTaskSet UpdateTaskSet RunTask StartTask CreateExpressGatewayService "
        "UpdateExpressGatewayService CreateDaemon UpdateDaemon RegisterContainerInstance",
        "runs containers on machines that cost while they run",
    ),
    Rule("provision", "ecs", "UpdateCluster", "cluster settings, metrics and the log of commands"),
    Rule(
        "provision",
        "efs",
        "CreateFileSystem UpdateFileSystem CreateReplicationConfiguration CreateMountTarget",
        "storage and throughput that cost while they are kept",
    ),
    Rule(
        "provision",
        "eks",
        "CreateCluster CreateNodegroup CreateFargateProfile CreateCapability UpdateCapability",
        "clusters, machines under them, and the roles they come with",
    ),
    Rule(
        "provision",
        "eks",
        "UpdateNodegroupConfig UpdateNodegroupVersion UpdateClusterVersion CreateAddon UpdateAddon",
        "machines under a cluster",
    ),
    Rule(
        "provision",
        "eks",
        "CreateEksAnywhereSubscription UpdateEksAnywhereSubscription",
        "a subscription paid for years",
    ),
    Rule("provision", "eks", "UpdateClusterConfig", "logs, who may reach the cluster, and its size"),
    Rule(
        "provision",
        "elasticache memorydb",
        "CreateCacheCluster ModifyCacheCluster CreateReplicationGroup ModifyReplicationGroup "
        "ModifyReplicationGroupShardConfiguration IncreaseReplicaCount IncreaseNodeGroupsInGlobalReplicationGroup "
        "CreateServerlessCache ModifyServerlessCache CreateServerlessCacheSnapshot CopyServerlessCacheSnapshot "
        "CreateSnapshot CopySnapshot CreateGlobalReplicationGroup ModifyGlobalReplicationGroup CreateCluster "
        "UpdateCluster CreateMultiRegionCluster UpdateMultiRegionCluster",
        "nodes by the hour, snapshots by the gigabyte",
    ),
    Rule(
        "provision",
        "elasticbeanstalk",
        "CreateEnvironment UpdateEnvironment ComposeEnvironments CreatePlatformVersion",
        "runs the application on machines that cost by the hour",
    ),
    Rule("provision", "elasticbeanstalk", "RebuildEnvironment", "all machines, and a database inside, are made anew"),
    Rule(
        "provision",
        "elb elbv2",
        "CreateLoadBalancer ModifyCapacityReservation CreateTrustStore ModifyIpPools",
        "load balancers, their reserves and trust stores cost by the hour",
    ),
    Rule("provision", "elementalinference", "CreateFeed UpdateFeed AssociateFeed", "paid for while media flows"),
    Rule("provision", "emr", "RunJobFlow", "machines that run the caller's steps"),
    Rule(
        "provision",
        "emr",
        "AddInstanceFleet AddInstanceGroups ModifyInstanceFleet ModifyInstanceGroups PutAutoScalingPolicy "
        "PutManagedScalingPolicy CreateStudio ModifyCluster SetKeepJobFlowAliveWhenNoSteps",
        "more machines, or machines for longer",
    ),
    Rule("provision", "emr", "StartNotebookExecution StartSession", "runs code on paid machines"),
    Rule("provision", "emr-containers", "StartJobRun CreateManagedEndpoint", "runs code on paid machines"),
    Rule(
        "provision",
        "emr-serverless",
        "CreateApplication UpdateApplication StartApplication",
        "workers kept ready cost by the second",
    ),
    Rule("provision", "emr-serverless", "StartJobRun StartSession", "runs code on paid machines"),
    Rule("provision", "entityresolution", "StartMatchingJob StartIdMappingJob", "paid by the record"),
    Rule(
        "provision",
        "es opensearch",
        "CreateElasticsearchDomain CreateDomain UpgradeElasticsearchDomain UpgradeDomain CreateVpcEndpoint "
        "CreateApplication CreateIndex",
        "search machines that cost by the hour",
    ),
    Rule(
        "provision",
        "es opensearch",
        "UpdateElasticsearchDomainConfig UpdateDomainConfig",
        "size, logs, encryption and who may reach the domain",
    ),
    Rule("provision", "events", "CreateArchive StartReplay", "keeps, or sends again, all events, paid by the gigabyte"),
    Rule("provision", "evs", "CreateEnvironment CreateEnvironmentHost", "bare machines that cost by the hour"),
    Rule("provision", "firehose", "CreateDeliveryStream", "paid by the gigabyte, by the hour with some options"),
    Rule("provision", "fms", "PutPolicy", "firewalls of all accounts: what they let through, and what they cost"),
    Rule(
        "provision",
        "forecast",
        "CreateAutoPredictor CreateDatasetImportJob CreateExplainability CreateForecast CreatePredictor "
        "CreateWhatIfForecast CreateMonitor ResumeResource",
        "training and forecasts that are paid for",
    ),
    Rule(
        "provision",
        "frauddetector",
        "CreateModelVersion UpdateModelVersion UpdateModelVersionStatus CreateBatchImportJob CreateBatchPredictionJob",
        "training and predictions that are paid for",
    ),
    Rule(
        "provision",
        "fsx",
        "CreateFileSystem CreateFileSystemFromBackup UpdateFileSystem CreateVolume CreateVolumeFromBackup "
        "UpdateVolume CreateBackup CopyBackup CreateFileCache UpdateFileCache CreateStorageVirtualMachine "
        "CreateSnapshot CopySnapshotAndUpdateVolume CreateDataRepositoryTask",
        "storage and throughput that cost while they are kept",
    ),
    Rule(
        "provision",
        "gamelift",
        "CreateFleet CreateContainerFleet UpdateContainerFleet CreateFleetLocations CreateGameServerGroup "
        "UpdateGameServerGroup",
        "runs the game's program on machines that cost by the hour",
    ),
    Rule(
        "provision",
        "gamelift",
        "UpdateFleetCapacity PutScalingPolicy StartFleetActions ResumeGameServerGroup",
        "more machines that cost by the hour",
    ),
    Rule(
        "provision",
        "gameliftstreams",
        "CreateStreamGroup UpdateStreamGroup AddStreamGroupLocations StartStreamSession",
        "streaming machines that cost by the hour",
    ),
    Rule(
        "provision",
        "glacier",
        "InitiateJob UploadArchive CompleteMultipartUpload",
        "retrieval, and storage that is paid for at least ninety days",
    ),
    Rule("provision", "globalaccelerator", "CreateAccelerator CreateCustomRoutingAccelerator", "costs by the hour"),
    Rule(
        "provision",
        "glue",
        "StartJobRun CreateSession StartWorkflowRun StartBlueprintRun StartTrigger ResumeWorkflowRun "
        "CreateDevEndpoint UpdateDevEndpoint",
        "runs scripts on paid machines",
    ),
    Rule(
        "provision",
        "glue",
        "StartCrawler StartCrawlerSchedule UpdateCrawlerSchedule CreateCrawler UpdateCrawler "
        "StartColumnStatisticsTaskRun StartColumnStatisticsTaskRunSchedule CreateColumnStatisticsTaskSettings "
        "UpdateColumnStatisticsTaskSettings StartDataQualityRuleRecommendationRun "
        "StartDataQualityRulesetEvaluationRun StartMLEvaluationTaskRun StartMLLabelingSetGenerationTaskRun "
        "StartExportLabelsTaskRun StartMaterializedViewRefreshTaskRun CreateMLTransform CreateTableOptimizer "
        "UpdateTableOptimizer CreateIntegration ModifyIntegration StartJobUpgradeAnalysis "
        "CreateDataQualityEvaluationConfig UpdateDataQualityEvaluationConfig",
        "paid by the unit and hour, by schedule too",
    ),
    Rule("provision", "grafana", "CreateWorkspace UpdateWorkspace", "paid by user and month"),
    Rule("provision", "groundstation", "ReserveContact UpdateContact", "antenna time, paid by the minute"),
    Rule(
        "provision",
        "guardduty",
        "CreateDetector CreateMalwareProtectionPlan StartMalwareScan SendObjectMalwareScan StartMonitoringMembers "
        "CreateMembers",
        "paid by event and gigabyte",
    ),
    Rule(
        "provision",
        "guardduty",
        "UpdateDetector UpdateMemberDetectors UpdateOrganizationConfiguration UpdateMalwareProtectionPlan "
        "UpdateMalwareScanSettings",
        "more is watched, and paid for, or less",
    ),
    Rule(
        "provision",
        "healthlake",
        "CreateFHIRDatastore RestoreFHIRDatastore StartFHIRExportJob StartFHIRImportJob StartDataTransformationJob",
        "a data store that costs by the hour",
    ),
    Rule(
        "provision",
        "imagebuilder",
        "CreateImage CreateImagePipeline UpdateImagePipeline StartImagePipelineExecution RetryImage ImportVmImage "
        "ImportDiskImage",
        "builds on paid machines, by schedule too",
    ),
    Rule("provision", "imagebuilder", "DistributeImage", "copies of an image in further regions"),
    Rule(
        "provision",
        "inspector inspector2",
        "StartAssessmentRun Enable StartOnDemandScan StartCodeSecurityScan",
        "paid by machine, image and scan",
    ),
    Rule(
        "provision",
        "inspector2",
        "CreateCisScanConfiguration CreateCodeSecurityScanConfiguration",
        "scans by schedule, paid by the machine",
    ),
    Rule(
        "provision",
        "interconnect",
        "CreateConnection AcceptConnectionProposal UpdateConnection",
        "a line that costs by the hour",
    ),
    Rule("provision", "internetmonitor", "UpdateMonitor", "more is watched, and paid for, or less"),
    Rule("provision", "internetmonitor", "CreateMonitor", "paid by resource and city"),
    Rule("provision", "iot", "UpdateIndexingConfiguration", "indexes cost, or end"),
    Rule("provision", "iotdeviceadvisor", "StartSuiteRun", "paid by the test"),
    Rule(
        "provision",
        "iotfleetwise",
        "CreateCampaign UpdateCampaign",
        "data collected from vehicles, paid by the message",
    ),
    Rule(
        "provision",
        "iotsecuretunneling",
        "OpenTunnel",
        "an opening into a device, returned as tokens, paid by tunnel",
    ),
    Rule("provision", "iotsitewise", "PutStorageConfiguration", "where and how long measurements are kept"),
    Rule(
        "provision",
        "iotsitewise",
        "CreateBulkImportJob CreateDatasetExportJob CreateEnrichmentJob CreateWorkspace",
        "jobs that are paid for",
    ),
    Rule("provision", "ivs-realtime", "StartComposition StartParticipantReplication", "paid by the hour"),
    Rule(
        "provision",
        "kafka",
        "CreateCluster CreateClusterV2 CreateReplicator CreateVpcConnection UpdateBrokerCount UpdateBrokerStorage "
        "UpdateBrokerType UpdateStorage",
        "brokers, storage and lines that cost by the hour",
    ),
    Rule("provision", "kafkaconnect", "CreateConnector UpdateConnector", "a connector's code on paid workers"),
    Rule(
        "provision",
        "kendra",
        "CreateIndex UpdateIndex CreateDataSource UpdateDataSource StartDataSourceSyncJob",
        "an index costs by the hour",
    ),
    Rule(
        "provision",
        "kendra-ranking",
        "CreateRescoreExecutionPlan UpdateRescoreExecutionPlan",
        "capacity that costs by the hour",
    ),
    Rule(
        "provision",
        "keyspaces",
        "CreateTable UpdateTable RestoreTable UpdateKeyspace",
        "capacity by the hour, copies by the gigabyte",
    ),
    Rule(
        "provision",
        "kinesis",
        "CreateStream UpdateShardCount UpdateStreamMode IncreaseStreamRetentionPeriod SplitShard "
        "RegisterStreamConsumer EnableEnhancedMonitoring UpdateStreamWarmThroughput UpdateAccountSettings "
        "CreateChannel",
        "shards, consumers, retention and metrics that cost by the hour",
    ),
    Rule(
        "provision",
        "kinesisanalytics kinesisanalyticsv2",
        "StartApplication",
        "runs the application's code on paid units",
    ),
    Rule(
        "provision",
        "kinesisanalyticsv2",
        "CreateApplicationSnapshot CreateSnapshot ImportSnapshot",
        "kept state that costs by the gigabyte",
    ),
    Rule(
        "provision",
        "kinesisvideo",
        "CreateSignalingChannel UpdateMediaStorageConfiguration",
        "a channel costs by the month",
    ),
    Rule(
        "provision",
        "kms",
        "CreateKey ReplicateKey CreateCustomKeyStore RotateKeyOnDemand",
        "a key is paid for by the month",
    ),
    Rule("provision", "lakeformation", "UpdateTableStorageOptimizer", "compaction that is paid for"),
    Rule("provision", "lambda", "CreateFunction", "a function is code that runs when called, and costs by use"),
    Rule(
        "provision",
        "lambda",
        "PutProvisionedConcurrencyConfig CreateCapacityProvider UpdateCapacityProvider PutFunctionScalingConfig",
        "functions kept warm cost by the hour",
    ),
    Rule("provision", "lambda-microvms", "RunMicrovm ResumeMicrovm", "a machine that costs by the second"),
    Rule("provision", "lambda-web", "CreateWebFunction CreateWebFunctionRevision", "a program served to the web"),
    Rule("provision", "launch-wizard", "CreateDeployment UpdateDeployment", "sets up whole systems of machines"),
    Rule("provision", "lexv2-models", "StartTestExecution StartBotAnalyzer CreateBotReplica", "runs that are paid for"),
    Rule("provision", "license-manager", "CreateLicenseConversionTaskForResource", "another, dearer, kind of licence"),
    Rule(
        "provision",
        "license-manager-user-subscriptions",
        "StartProductSubscription AssociateUser",
        "a licence paid by user and month",
    ),
    Rule(
        "provision",
        "license-manager-user-subscriptions",
        "CreateLicenseServerEndpoint",
        "a licence server that costs while it lives",
    ),
    Rule(
        "provision",
        "lightsail",
        "CopySnapshot CreateBucket CreateCloudFormationStack CreateContainerService CreateDisk CreateDiskFromSnapshot "
        "CreateDiskSnapshot CreateDistribution CreateInstanceSnapshot CreateInstances CreateInstancesFromSnapshot "
        "CreateLoadBalancer CreateRelationalDatabase CreateRelationalDatabaseFromSnapshot "
        "CreateRelationalDatabaseSnapshot AllocateStaticIp EnableAddOn ExportSnapshot StartInstance "
        "StartRelationalDatabase StartGUISession UpdateBucketBundle UpdateContainerService UpdateDistributionBundle "
        "UpdateRelationalDatabase",
        "costs by the month",
    ),
    Rule("provision", "location", "StartJob", "paid by the address"),
    Rule(
        "provision",
        "logs",
        "CreateLogAnomalyDetector CreateScheduledQuery CreateDelivery CreateImportTask PutIntegration",
        "paid by what it reads and keeps",
    ),
    Rule(
        "provision",
        "lookoutequipment",
        "CreateModel CreateInferenceScheduler StartInferenceScheduler CreateRetrainingScheduler "
        "StartRetrainingScheduler StartDataIngestionJob ImportModelVersion",
        "training and checks that are paid for by the hour",
    ),
    Rule("provision", "m2", "CreateEnvironment UpdateEnvironment", "machines that cost by the hour"),
    Rule(
        "provision",
        "machinelearning",
        "CreateMLModel CreateRealtimeEndpoint CreateBatchPrediction CreateEvaluation CreateDataSourceFrom*",
        "training and predictions that are paid for",
    ),
    Rule(
        "provision",
        "macie2",
        "CreateClassificationJob EnableMacie UpdateAutomatedDiscoveryConfiguration "
        "BatchUpdateAutomatedDiscoveryAccounts CreateMember",
        "paid by bucket and gigabyte",
    ),
    Rule(
        "provision",
        "mailmanager",
        "CreateIngressPoint CreateArchive CreateAddonSubscription CreateAddonInstance StartArchiveExport "
        "StartArchiveSearch",
        "paid by the month and by the message",
    ),
    Rule(
        "provision",
        "managedblockchain",
        "CreateAccessor CreateMember CreateNetwork CreateNode",
        "nodes and members that cost by the hour",
    ),
    Rule(
        "provision",
        "mediaconnect",
        "CreateBridge CreateFlow CreateGateway CreateRouterInput CreateRouterNetworkInterface CreateRouterOutput "
        "StartFlow StartRouterInput StartRouterOutput AddFlowOutputs AddBridgeOutputs UpdateFlow UpdateRouterInput "
        "UpdateRouterOutput UpdateBridgeState ConnectEndpoints",
        "flows that cost by the hour and the gigabyte",
    ),
    Rule(
        "provision",
        "mediaconvert",
        "CreateJob CreateQueue UpdateQueue",
        "paid by the minute; a reserved queue by the year",
    ),
    Rule(
        "provision",
        "medialive",
        "CreateChannel CreateMultiplex CreateMultiplexProgram StartChannel StartMultiplex BatchStart StartInputDevice "
        "CreateInput CreatePartnerInput CreateNode CreateCluster StartMonitorDeployment UpdateChannel "
        "UpdateChannelClass",
        "channels and inputs that cost by the hour",
    ),
    Rule(
        "provision",
        "mediapackage mediapackage-vod mediapackagev2",
        "CreateHarvestJob CreateAsset CreateChannel",
        "paid by the gigabyte",
    ),
    Rule("provision", "mediatailor", "StartChannel CreateChannel", "channels that cost by the hour"),
    Rule(
        "provision",
        "medical-imaging",
        "CreateDatastore StartDICOMImportJob CopyImageSet",
        "images paid by the gigabyte",
    ),
    Rule(
        "provision",
        "mgn",
        "StartTest StartCutover StartReplication ResumeReplication RetryDataReplication InitializeService "
        "UpdateReplicationConfiguration UpdateSourceServerReplicationType StartNetworkMigrationDeployment",
        "machines and copies that cost by the hour",
    ),
    Rule(
        "provision",
        "migration-hub-refactor-spaces",
        "CreateApplication CreateEnvironment CreateService",
        "interfaces, balancers and gateways that cost by the hour",
    ),
    Rule("provision", "mq", "CreateBroker UpdateBroker", "brokers that cost by the hour"),
    Rule(
        "provision",
        "mwaa",
        "CreateEnvironment UpdateEnvironment",
        "machines paid by the hour that run the workflows of a bucket",
    ),
    Rule("provision", "mwaa-serverless", "StartWorkflowRun", "runs a workflow on paid machines"),
    Rule(
        "provision",
        "neptune-graph",
        "CreateGraph CreateGraphSnapshot CreateGraphUsingImportTask CreatePrivateGraphEndpoint "
        "RestoreGraphFromSnapshot StartGraph UpdateGraph StartImportTask StartExportTask",
        "a graph costs by the hour",
    ),
    Rule(
        "provision",
        "neptunedata",
        "CreateMLEndpoint StartMLDataProcessingJob StartMLModelTrainingJob StartMLModelTransformJob",
        "machine learning on paid machines",
    ),
    Rule(
        "provision",
        "network-firewall",
        "CreateFirewall AssociateAvailabilityZones AssociateSubnets CreateVpcEndpointAssociation "
        "CreateTLSInspectionConfiguration CreateContainerAssociation",
        "firewall endpoints that cost by the hour",
    ),
    Rule(
        "provision",
        "networkflowmonitor networkmonitor",
        "CreateMonitor CreateProbe CreateScope CreatePerformanceMonitor",
        "monitors that cost by the hour",
    ),
    Rule(
        "provision",
        "networkmanager",
        "CreateConnectAttachment CreateCoreNetwork CreateDirectConnectGatewayAttachment CreateSiteToSiteVpnAttachment "
        "CreateTransitGatewayPeering CreateTransitGatewayRouteTableAttachment CreateVpcAttachment",
        "edges and attachments that cost by the hour",
    ),
    Rule(
        "provision",
        "networkmanager",
        "ExecuteCoreNetworkChangeSet RestoreCoreNetworkPolicyVersion",
        "builds the network anew from its policy",
    ),
    Rule(
        "provision",
        "observabilityadmin",
        "StartTelemetryEvaluation StartTelemetryEvaluationForOrganization StartTelemetryEnrichment "
        "StartThirdPartyTelemetryEnrichment CreateTelemetryPipeline CreateTelemetryRule "
        "CreateTelemetryRuleForOrganization CreateCentralizationRuleForOrganization CreateS3TableIntegration "
        "CreateDatasetIntegration",
        "records collected by themselves, paid by the gigabyte",
    ),
    Rule(
        "provision",
        "odb",
        "CreateAutonomousDatabase CreateAutonomousDatabaseBackup CreateCloudAutonomousVmCluster "
        "CreateCloudExadataInfrastructure CreateCloudVmCluster CreateExadbVmCluster CreateExascaleDbStorageVault "
        "StartAutonomousDatabase StartDbNode UpdateAutonomousDatabase UpdateCloudAutonomousVmCluster "
        "UpdateCloudExadataInfrastructure UpdateCloudExadataInfrastructureStorageCapacity UpdateCloudVmCluster "
        "UpdateExadbVmCluster UpdateExascaleCloudExadataInfrastructure UpdateExascaleDbStorageVault "
        "AssociateVirtualMachinesToCloudVmCluster AssociateVirtualMachinesToExadbVmCluster CreateOdbNetwork "
        "CreateOdbPeeringConnection",
        "databases that cost by the hour",
    ),
    Rule(
        "provision",
        "omics",
        "CreateAnnotationStore CreateAnnotationStoreVersion CreateVariantStore CreateRunCache "
        "StartAnnotationImportJob StartReadSetActivationJob StartReadSetExportJob StartReadSetImportJob "
        "StartReferenceImportJob StartVariantImportJob",
        "stores by the gigabyte, jobs by the hour",
    ),
    Rule("provision", "omics", "StartRun StartRunBatch", "runs a workflow on paid machines"),
    Rule("provision", "opensearch", "UpdateScheduledAction StartMigration", "more machines that cost by the hour"),
    Rule("provision", "opensearchmemory", "CreateSpace", "kept while it lives, paid for"),
    Rule(
        "provision",
        "opensearchserverless",
        "CreateCollection CreateCollectionGroup UpdateCollectionGroup UpdateAccountSettings CreateVpcEndpoint "
        "CreateIngestionJob CreateIngestionStream",
        "capacity units that cost by the hour",
    ),
    Rule(
        "provision",
        "organizations",
        "CreateAccount CreateGovCloudAccount",
        "a new account, free in itself, that may cost anything",
    ),
    Rule(
        "provision",
        "osis",
        "CreatePipeline StartPipeline UpdatePipeline CreatePipelineEndpoint",
        "pipelines that cost by the hour",
    ),
    Rule("provision", "outposts", "CreateOrder CreateRenewal", "hardware ordered for a term, paid while it stands"),
    Rule("provision", "outposts", "StartCapacityTask", "changes which machines the hardware holds"),
    Rule(
        "provision",
        "payment-cryptography",
        "CreateKey ImportKey AddKeyReplicationRegions EnableDefaultKeyReplicationRegions",
        "a key is paid for by the month",
    ),
    Rule("provision", "pca-connector-ad pca-connector-scep", "CreateConnector", "a connector costs by the month"),
    Rule(
        "provision",
        "pcs",
        "CreateCluster CreateComputeNodeGroup UpdateComputeNodeGroup UpdateCluster",
        "controllers and machines that cost by the hour",
    ),
    Rule(
        "provision",
        "personalize",
        "CreateBatchInferenceJob CreateBatchSegmentJob CreateCampaign UpdateCampaign CreateRecommender "
        "UpdateRecommender StartRecommender CreateSolution CreateSolutionVersion UpdateSolution "
        "CreateDatasetExportJob CreateDatasetImportJob",
        "training and serving that cost by the hour",
    ),
    Rule(
        "provision",
        "pinpoint-email sesv2",
        "CreateDedicatedIpPool PutDedicatedIpInPool PutDeliverabilityDashboardOption CreateDeliverabilityTestReport "
        "PutAccountVdmAttributes PutAccountPricingAttributes CreateMultiRegionEndpoint",
        "addresses, dashboards and extras that cost by the month",
    ),
    Rule("provision", "pipes", "CreatePipe", "runs functions and tasks by events, paid by request"),
    Rule("provision", "polly", "StartSpeechSynthesisTask", "paid by the character"),
    Rule(
        "provision",
        "proton",
        "CreateComponent CreateEnvironment CreateService CreateServiceInstance UpdateComponent UpdateEnvironment "
        "UpdateService UpdateServiceInstance UpdateServicePipeline",
        "a template may make anything at all, roles and functions too",
    ),
    Rule("provision", "qbusiness", "CreateIndex UpdateIndex", "an index costs by the hour"),
    Rule("provision", "qbusiness", "CreateSubscription UpdateSubscription", "a seat paid by the month"),
    Rule("provision", "qbusiness", "CreateDataSource UpdateDataSource", "a connector costs by the hour"),
    Rule("provision", "qbusiness kendra", "StartDataSourceSyncJob", "reads whole sources, paid by the document"),
    Rule("provision", "quicksight", "CreateAccountSubscription RegisterUser", "a seat paid by the month"),
    Rule(
        "provision",
        "quicksight",
        "UpdateSPICECapacityConfiguration CreateTopic CreateTopicV2 CreateIngestion CreateRefreshSchedule "
        "UpdateRefreshSchedule CreateTopicRefreshSchedule",
        "capacity and refreshes that cost",
    ),
    Rule("provision", "rbin", "CreateRule", "what is deleted is kept, and paid for, a while longer"),
    Rule("provision", "rds", "StartActivityStream", "activity streams cost by what they carry"),
    Rule("provision", "rds", "CreateDBCapacityReservation ModifyDBCapacityReservation", "reserved capacity"),
    Rule(
        "provision",
        "redshift",
        "CreateCluster ModifyCluster ResizeCluster RestoreFromClusterSnapshot RestoreTableFromClusterSnapshot "
        "ResumeCluster CreateClusterSnapshot CopyClusterSnapshot CreateEndpointAccess CreateIntegration "
        "CreateScheduledAction ModifyScheduledAction EnableSnapshotCopy ModifyUsageLimit ModifyAquaConfiguration "
        "CreateSnapshotSchedule",
        "nodes by the hour, snapshots by the gigabyte, by schedule too",
    ),
    Rule(
        "provision",
        "redshift-serverless",
        "CreateWorkgroup UpdateWorkgroup CreateNamespace CreateSnapshot ConvertRecoveryPointToSnapshot "
        "CreateEndpointAccess RestoreFromRecoveryPoint RestoreFromSnapshot RestoreTableFromRecoveryPoint "
        "RestoreTableFromSnapshot CreateScheduledAction UpdateScheduledAction CreateSnapshotCopyConfiguration",
        "capacity by the hour, snapshots by the gigabyte",
    ),
    Rule("provision", "redshift-serverless", "CreateReservation", "capacity bought for a term"),
    Rule(
        "provision",
        "rekognition",
        "CreateProjectVersion StartProjectVersion StartCelebrityRecognition StartContentModeration StartFaceDetection "
        "StartFaceSearch StartLabelDetection StartMediaAnalysisJob StartPersonTracking StartSegmentDetection "
        "StartTextDetection StartStreamProcessor CopyProjectVersion",
        "models and analyses paid by the minute",
    ),
    Rule("provision", "repostspace", "CreateSpace UpdateSpace", "a space paid by the month"),
    Rule("provision", "resiliencehub", "CreateApp StartAppAssessment", "paid by application and month"),
    Rule(
        "provision",
        "resiliencehubv2",
        "CreateTest UpdateTest StartTestRun",
        "breaks things on purpose, and is paid for",
    ),
    Rule(
        "provision",
        "resiliencehubv2",
        "CreateService StartFailureModeAssessment StartDependencyInsights",
        "assessments that are paid for",
    ),
    Rule(
        "provision",
        "route53",
        "CreateHostedZone CreateHealthCheck CreateTrafficPolicyInstance UpdateTrafficPolicyInstance UpdateHealthCheck",
        "zones, checks and policy records paid by the month",
    ),
    Rule("provision", "route53", "CreateQueryLoggingConfig", "records that cost by the gigabyte"),
    Rule("provision", "route53-recovery-control-config", "CreateCluster", "a cluster costs by the hour"),
    Rule("provision", "route53-recovery-readiness", "CreateReadinessCheck", "a check paid by the hour"),
    Rule(
        "provision",
        "route53globalresolver",
        "CreateGlobalResolver UpdateGlobalResolver CreateCoreNetworkEndpoint CreateDNSView",
        "a resolver costs by the hour",
    ),
    Rule("provision", "route53profiles", "AssociateProfile", "paid by network and hour"),
    Rule(
        "provision",
        "route53resolver",
        "CreateResolverEndpoint AssociateResolverEndpointIpAddress UpdateResolverEndpoint CreateOutpostResolver "
        "UpdateOutpostResolver",
        "addresses that cost by the hour",
    ),
    Rule("provision", "route53resolver", "AssociateResolverQueryLogConfig", "records that cost by the gigabyte"),
    Rule(
        "provision",
        "rtbfabric",
        "CreateRequesterGateway CreateResponderGateway",
        "gateways that cost while they live",
    ),
    Rule(
        "provision",
        "rum",
        "BatchCreateRumMetricDefinitions CreateAppMonitor",
        "metrics and events that are paid for",
    ),
    Rule(
        "provision",
        "s3",
        "PutBucketIntelligentTieringConfiguration CreateBucketMetadataConfiguration "
        "CreateBucketMetadataTableConfiguration UpdateBucketMetadataInventoryTableConfiguration "
        "UpdateBucketMetadataAnnotationTableConfiguration",
        "tables and moves that are paid for",
    ),
    Rule("provision", "s3", "RestoreObject", "a copy out of the archive, paid by the gigabyte and the day"),
    Rule("provision", "s3control", "CreateJob", "does the same to every object of a list, by a function too"),
    Rule("provision", "s3control", "PutStorageLensConfiguration", "paid metrics, or fewer of them"),
    Rule("provision", "s3files", "CreateFileSystem CreateMountTarget", "a file system paid for by what it keeps"),
    Rule("provision", "s3tables", "StartTableMigration", "copies a whole table"),
    Rule(
        "provision",
        "sagemaker",
        "CreateAIBenchmarkJob CreateAIRecommendationJob CreateAutoMLJob CreateAutoMLJobV2 CreateCompilationJob "
        "CreateEdgePackagingJob CreateInferenceRecommendationsJob CreateModelCardExportJob CreateOptimizationJob "
        "CreateTransformJob CreateEndpoint UpdateEndpoint UpdateEndpointWeightsAndCapacities CreateInferenceComponent "
        "UpdateInferenceComponent UpdateInferenceComponentRuntimeConfig CreateInferenceExperiment "
        "StartInferenceExperiment UpdateInferenceExperiment CreateInferenceRouter UpdateInferenceRouter CreateApp "
        "CreateSpace UpdateSpace StartSession CreateMlflowTrackingServer StartMlflowTrackingServer "
        "UpdateMlflowTrackingServer CreateMlflowApp UpdateMlflowApp CreatePartnerApp UpdatePartnerApp "
        "CreateFeatureGroup UpdateFeatureGroup CreateMonitoringSchedule StartMonitoringSchedule BatchAddClusterNodes "
        "BatchReplaceClusterNodes CreateDomain CreateTrainingSession StartClusterHealthCheck AttachClusterNodeVolume "
        "CreateClusterExtension",
        "training, serving and notebook machines, often with GPUs",
    ),
    Rule(
        "provision",
        "sagemaker",
        "CreateTrainingJob CreateProcessingJob CreateHyperParameterTuningJob CreateJob StartPipelineExecution "
        "RetryPipelineExecution CreateNotebookInstance StartNotebookInstance UpdateNotebookInstance CreateCluster "
        "UpdateCluster CreateLabelingJob UpdateTrainingJob",
        "runs the caller's code on machines that cost by the second",
    ),
    Rule("provision", "sagemaker", "CreateTrainingPlan ExtendTrainingPlan", "GPU capacity bought for a term"),
    Rule(
        "provision",
        "sagemaker",
        "CreateProject UpdateProject",
        "a template may make anything, roles and functions too",
    ),
    Rule(
        "provision",
        "sagemaker-geospatial",
        "StartEarthObservationJob StartVectorEnrichmentJob ExportEarthObservationJob ExportVectorEnrichmentJob",
        "jobs that are paid for",
    ),
    Rule("provision", "sagemakertrainingsessionruntime", "ExecuteTrainingOperation", "trains on paid machines"),
    Rule("provision", "schemas", "CreateDiscoverer StartDiscoverer", "paid by the event"),
    Rule("provision", "secretsmanager", "CreateSecret ReplicateSecretToRegions", "a secret is paid for by the month"),
    Rule("provision", "security-ir", "CreateMembership", "paid by the month"),
    Rule(
        "provision",
        "securityagent",
        "StartCodeRemediation StartCodeReviewJob StartPentestJob StartThreatModelJob",
        "paid by the hour",
    ),
    Rule(
        "provision",
        "securityhub",
        "EnableSecurityHub EnableSecurityHubV2 EnableSecurityHubFeatureV2 BatchEnableStandards CreateMembers",
        "paid by check and resource",
    ),
    Rule(
        "provision",
        "securitylake",
        "CreateDataLake CreateAwsLogSource CreateCustomLogSource CreateDataLakeOrganizationConfiguration",
        "records collected by themselves, paid by the gigabyte",
    ),
    Rule("provision", "serverlessrepo", "CreateCloudFormationChangeSet", "a template may make anything at all"),
    Rule(
        "provision",
        "servicecatalog",
        "ProvisionProduct UpdateProvisionedProduct CreateProvisionedProductPlan ExecuteProvisionedProductPlan "
        "ExecuteProvisionedProductServiceAction ImportAsProvisionedProduct",
        "a template may make anything at all, roles and functions too",
    ),
    Rule(
        "provision",
        "servicediscovery",
        "CreatePrivateDnsNamespace CreatePublicDnsNamespace",
        "a zone paid by the month",
    ),
    Rule("provision", "sesv2", "PutDedicatedIpPoolScalingAttributes", "addresses that cost by the month"),
    Rule(
        "provision",
        "snowball",
        "CreateJob CreateCluster CreateLongTermPricing UpdateLongTermPricing",
        "devices ordered, paid for by the day or for years",
    ),
    Rule("provision", "ssm-incidents", "CreateReplicationSet CreateResponsePlan", "paid by the plan and month"),
    Rule(
        "provision",
        "ssm-quicksetup",
        "CreateConfigurationManager UpdateConfigurationDefinition",
        "sets up roles and tasks in many accounts",
    ),
    Rule("provision", "ssm-sap", "StartApplication RegisterApplication", "starts machines that cost by the hour"),
    Rule(
        "provision",
        "storagegateway",
        "ActivateGateway CreateCachediSCSIVolume CreateStorediSCSIVolume CreateSnapshot "
        "CreateSnapshotFromVolumeRecoveryPoint CreateTapeWithBarcode CreateTapes RetrieveTapeArchive "
        "RetrieveTapeRecoveryPoint UpdateSnapshotSchedule UpdateAutomaticTapeCreationPolicy",
        "storage paid by the gigabyte",
    ),
    Rule("provision", "supplychain", "CreateInstance", "paid by the hour"),
    Rule(
        "provision",
        "synthetics",
        "CreateCanary UpdateCanary StartCanary StartCanaryDryRun",
        "scripts that run again and again, paid by the run",
    ),
    Rule(
        "provision",
        "textract",
        "StartDocumentAnalysis StartDocumentTextDetection StartExpenseAnalysis StartLendingAnalysis "
        "CreateAdapterVersion",
        "paid by the page",
    ),
    Rule(
        "provision",
        "timestream-influxdb",
        "CreateDbBackup CreateDbCluster CreateDbInstance UpdateDbCluster UpdateDbInstance",
        "databases that cost by the hour",
    ),
    Rule("provision", "timestream-influxdb", "RestoreFromDbBackup", "a database made anew, or put over"),
    Rule(
        "provision",
        "timestream-query",
        "CreateScheduledQuery UpdateScheduledQuery ExecuteScheduledQuery",
        "a query that runs and writes by itself",
    ),
    Rule("provision", "timestream-query", "UpdateAccountSettings", "units of capacity"),
    Rule("provision", "timestream-write", "CreateBatchLoadTask ResumeBatchLoadTask", "loads that are paid for"),
    Rule(
        "provision",
        "transcribe",
        "CreateLanguageModel StartCallAnalyticsJob StartMedicalScribeJob StartMedicalTranscriptionJob "
        "StartTranscriptionJob",
        "paid by the minute",
    ),
    Rule(
        "provision",
        "transfer",
        "CreateServer CreateConnector CreateWebApp UpdateWebApp StartServer",
        "endpoints that cost by the hour, even while they are stopped",
    ),
    Rule("provision", "transfer", "UpdateServer", "each protocol costs by the hour"),
    Rule("provision", "translate", "StartTextTranslationJob", "paid by the character"),
    Rule(
        "provision",
        "voice-id",
        "CreateDomain StartFraudsterRegistrationJob StartSpeakerEnrollmentJob",
        "paid by the speaker",
    ),
    Rule(
        "provision",
        "vpc-lattice",
        "CreateService CreateServiceNetworkResourceAssociation CreateResourceConfiguration",
        "paid by the hour",
    ),
    Rule("provision", "waf waf-regional wafv2", "CreateWebACL", "a list paid by the month, and by rule"),
    Rule("provision", "wafv2", "UpdateWebACL", "rules that are paid for by the month"),
    Rule("provision", "wickr", "CreateNetwork UpdateNetwork", "a plan paid by user and month"),
    Rule("provision", "workdocs", "ActivateUser CreateUser", "a seat paid by the month"),
    Rule("provision", "workmail", "RegisterToWorkMail CreateUser CreateOrganization", "a mailbox paid by the month"),
    Rule(
        "provision",
        "workspaces",
        "CreateStandbyWorkspaces CreateWorkspaces CreateWorkspacesPool UpdateWorkspacesPool StartWorkspaces "
        "StartWorkspacesPool CreateWorkspaceImage CopyWorkspaceImage CreateUpdatedWorkspaceImage "
        "CreateWorkspaceBundle UpdateWorkspaceBundle ImportWorkspaceImage ImportCustomWorkspaceImage MigrateWorkspace "
        "ModifyWorkspaceProperties ModifyWorkspaceState",
        "desktops and images that cost by the month",
    ),
    Rule(
        "provision",
        "workspaces-instances",
        "CreateVolume CreateWorkspaceInstance ModifyVolume",
        "machines and volumes that cost by the hour",
    ),
    Rule("provision", "workspaces-web", "CreatePortal UpdatePortal", "paid by user and month"),
)
