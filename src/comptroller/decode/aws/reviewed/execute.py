"""What runs code elsewhere, or decides which code runs: commands, functions, containers, images, statements, schedules.

Definitions are here where machines take them over by themselves (task definitions, launch templates, pipelines).
"""

from __future__ import annotations

from comptroller.decode.aws.reviewed.rule import Rule

EXECUTE: tuple[Rule, ...] = (
    Rule("execute", "amplify", "StartJob", "builds on paid machines by the app's own script"),
    Rule(
        "execute",
        "amplify",
        "CreateApp UpdateApp CreateBranch UpdateBranch CreateDeployment StartDeployment",
        "build scripts and server code that run at the next push",
    ),
    Rule(
        "execute",
        "apigateway",
        "TestInvokeMethod TestInvokeAuthorizer",
        "really calls what stands behind the interface",
    ),
    Rule(
        "execute",
        "appconfig",
        "CreateExtension UpdateExtension CreateExtensionAssociation",
        "functions that run when configuration changes",
    ),
    Rule(
        "execute",
        "appflow",
        "RegisterConnector UpdateConnectorRegistration",
        "a connector is the caller's own function",
    ),
    Rule(
        "execute",
        "application-signals",
        "CreateInstrumentationConfiguration BatchDeleteInstrumentationConfigurations",
        "puts probes into running programs",
    ),
    Rule("execute", "apprunner", "CreateService UpdateService", "runs containers that cost by the hour"),
    Rule("execute", "apprunner", "StartDeployment", "puts the newest code into service"),
    Rule(
        "execute",
        "appstream",
        "CreateAppBlock StartSoftwareDeploymentToImageBuilder AssociateSoftwareToImageBuilder",
        "set-up scripts and software on machines",
    ),
    Rule(
        "execute",
        "appsync",
        "CreateFunction UpdateFunction CreateResolver UpdateResolver CreateChannelNamespace UpdateChannelNamespace "
        "EvaluateCode EvaluateMappingTemplate",
        "code that the service runs",
    ),
    Rule(
        "execute",
        "arc-region-switch",
        "CreatePlan UpdatePlan StartPlanExecution",
        "a plan is paid for by the month; run, it scales services and calls functions",
    ),
    Rule("execute", "athena", "StartQueryExecution", "runs statements that nobody here reads"),
    Rule("execute", "athena", "StartSession StartCalculationExecution", "runs code on paid machines"),
    Rule(
        "execute",
        "autoscaling",
        "CreateLaunchConfiguration",
        "groups start machines from it, with its start-up script",
    ),
    Rule("execute", "batch", "SubmitJob SubmitServiceJob", "runs commands on machines that cost while they run"),
    Rule("execute", "batch", "RegisterJobDefinition", "says what commands a job runs"),
    Rule(
        "execute",
        "bedrock-agent",
        "CreateAgentActionGroup UpdateAgentActionGroup CreateFlow UpdateFlow",
        "functions and code that an agent or a flow calls",
    ),
    Rule(
        "execute",
        "bedrock-agent-runtime",
        "InvokeAgent InvokeInlineAgent InvokeFlow StartFlowExecution",
        "asks a model that calls functions and tools by itself",
    ),
    Rule(
        "execute",
        "bedrock-agentcore",
        "InvokeAgentRuntime InvokeAgentRuntimeCommand InvokeCodeInterpreter InvokeBrowser",
        "runs an agent, a command or a browser",
    ),
    Rule("execute", "bedrock-agentcore", "InvokeHarness", "a model with tools of its own"),
    Rule(
        "execute",
        "bedrock-agentcore",
        "StartBrowserSession StartCodeInterpreterSession",
        "a machine that is paid for while the session lasts",
    ),
    Rule(
        "execute",
        "bedrock-agentcore-control",
        "CreateAgentRuntime UpdateAgentRuntime CreateHarness UpdateHarness",
        "says what code an agent is",
    ),
    Rule("execute", "braket", "CreateJob CreateQuantumTask", "runs on quantum machines, paid by task, shot and minute"),
    Rule("execute", "chatbot", "CreateCustomAction UpdateCustomAction", "commands behind a button"),
    Rule(
        "execute",
        "chime-sdk-messaging",
        "CreateChannelFlow UpdateChannelFlow AssociateChannelFlow",
        "a function that reads and changes messages",
    ),
    Rule(
        "execute",
        "chime-sdk-voice",
        "CreateSipMediaApplication UpdateSipMediaApplication",
        "a function that answers calls",
    ),
    Rule("execute", "cleanroomsml", "CreateConfiguredModelAlgorithm", "a container of the caller's that trains"),
    Rule(
        "execute",
        "cloudcontrol",
        "CreateResource UpdateResource",
        "makes or changes anything at all, roles and functions too",
    ),
    Rule(
        "execute",
        "cloudformation",
        "CreateStack CreateStackSet CreateStackInstances UpdateStackInstances ImportStacksToStackSet CreateChangeSet "
        "ContinueUpdateRollback RollbackStack",
        "a template may make anything at all, roles and functions too",
    ),
    Rule(
        "execute",
        "cloudformation",
        "UpdateStack UpdateStackSet ExecuteChangeSet ExecuteStackRefactor",
        "a template may make anything, and replaces what it no longer names",
    ),
    Rule(
        "execute",
        "cloudformation",
        "RegisterType ActivateType PublishType SetTypeConfiguration SetTypeDefaultVersion TestType",
        "code that stacks run as their handler",
    ),
    Rule(
        "execute",
        "cloudfront",
        "CreateFunction UpdateFunction PublishFunction TestFunction CreateConnectionFunction UpdateConnectionFunction "
        "PublishConnectionFunction TestConnectionFunction",
        "code at the edge",
    ),
    Rule("execute", "cloudtrail", "StartQuery", "runs a statement, paid by what it scans"),
    Rule(
        "execute",
        "codebuild",
        "StartBuild StartBuildBatch RetryBuild RetryBuildBatch StartSandbox StartSandboxConnection",
        "runs a script on a paid machine",
    ),
    Rule(
        "execute",
        "codebuild",
        "CreateProject UpdateProject CreateWebhook UpdateWebhook StartCommandExecution",
        "says what runs, or what starts it",
    ),
    Rule(
        "execute",
        "codecatalyst",
        "CreateDevEnvironment StartDevEnvironment StartWorkflowRun UpdateDevEnvironment",
        "runs on paid machines",
    ),
    Rule("execute", "codecatalyst", "StartDevEnvironmentSession", "opens a machine and returns the keys to it"),
    Rule("execute", "codecommit", "PutRepositoryTriggers TestRepositoryTriggers", "a change of code starts a function"),
    Rule(
        "execute",
        "codeconnections codestar-connections",
        "CreateSyncConfiguration UpdateSyncConfiguration",
        "a change of code changes stacks by itself",
    ),
    Rule("execute", "codedeploy", "CreateDeployment", "puts code on machines and runs its hooks"),
    Rule(
        "execute",
        "codedeploy",
        "UpdateDeploymentGroup CreateDeploymentGroup ContinueDeployment",
        "where code goes, by itself too",
    ),
    Rule(
        "execute",
        "codepipeline",
        "CreatePipeline UpdatePipeline StartPipelineExecution RetryStageExecution RollbackStage "
        "CreateCustomActionType UpdateActionType PutWebhook PutActionRevision EnableStageTransition "
        "RegisterWebhookWithThirdParty",
        "builds and deploys by itself",
    ),
    Rule("execute", "codepipeline", "OverrideStageCondition", "goes on although a check said no"),
    Rule("execute", "cognito-sync", "SetCognitoEvents", "a change starts a function"),
    Rule(
        "execute",
        "compute-optimizer-automation",
        "AssociateAccounts DisassociateAccounts",
        "whose resources are changed by itself",
    ),
    Rule(
        "execute",
        "config",
        "PutRemediationConfigurations StartRemediationExecution",
        "runs automation documents on what breaks a rule",
    ),
    Rule(
        "execute",
        "connect",
        "AssociateLambdaFunction AssociateBot AssociateLexBot CreateContactFlow UpdateContactFlowContent "
        "CreateContactFlowModule UpdateContactFlowModuleContent CreateRule UpdateRule",
        "what calls do by themselves",
    ),
    Rule("execute", "dataexchange", "SendApiAsset", "calls a provider's interface"),
    Rule("execute", "datapipeline", "ActivatePipeline", "starts machines and runs commands on them"),
    Rule("execute", "datapipeline", "PutPipelineDefinition SetStatus", "says what commands run"),
    Rule(
        "execute",
        "datazone",
        "StartNotebookRun StartDataSourceRun CreateDataSource UpdateDataSource",
        "runs on paid machines, by schedule too",
    ),
    Rule(
        "execute",
        "deadline",
        "CreateJob UpdateJob BatchUpdateJob UpdateWorkerSchedule",
        "runs scripts on paid workers",
    ),
    Rule("execute", "deadline", "CreateQueueEnvironment UpdateQueueEnvironment", "says what runs before each job"),
    Rule(
        "execute",
        "devicefarm",
        "ScheduleRun CreateRemoteAccessSession InstallToRemoteAccessSession",
        "runs apps and tests on paid devices",
    ),
    Rule(
        "execute",
        "dms",
        "StartMetadataModelExportToTarget StartExtensionPackAssociation",
        "statements that run on the target database",
    ),
    Rule(
        "execute",
        "drs",
        "PutLaunchAction CreateRecoveryPlanStep UpdateRecoveryPlanStep UpdateLaunchConfiguration "
        "UpdateLaunchConfigurationTemplate CreateLaunchConfigurationTemplate",
        "documents that run on recovered machines",
    ),
    Rule(
        "execute",
        "dynamodb",
        "ExecuteStatement BatchExecuteStatement ExecuteTransaction",
        "statements that may read, write or delete",
    ),
    Rule(
        "execute",
        "ec2",
        "CreateLaunchTemplate CreateLaunchTemplateVersion ModifyLaunchTemplate",
        "machines start from it by themselves, with its start-up script",
    ),
    Rule("execute", "ec2", "SendDiagnosticInterrupt", "makes the machine's kernel panic"),
    Rule(
        "execute",
        "ec2-instance-connect",
        "SendSSHPublicKey SendSerialConsoleSSHPublicKey",
        "puts a key on a machine for a login",
    ),
    Rule(
        "execute",
        "ecs",
        "CreateService UpdateService CreateTaskSet UpdateTaskSet RunTask StartTask CreateExpressGatewayService "
        "UpdateExpressGatewayService CreateDaemon UpdateDaemon RegisterContainerInstance",
        "runs containers on machines that cost while they run",
    ),
    Rule(
        "execute",
        "ecs",
        "ExecuteCommand RegisterTaskDefinition RegisterDaemonTaskDefinition UpdateServicePrimaryTaskSet "
        "ContinueServiceDeployment",
        "commands, and the containers and roles of later tasks",
    ),
    Rule(
        "execute",
        "elasticbeanstalk",
        "CreateEnvironment UpdateEnvironment ComposeEnvironments CreatePlatformVersion",
        "runs the application on machines that cost by the hour",
    ),
    Rule(
        "execute",
        "elasticbeanstalk",
        "CreateApplicationVersion ApplyEnvironmentManagedAction CreateConfigurationTemplate "
        "UpdateConfigurationTemplate",
        "code and settings that machines take over",
    ),
    Rule("execute", "elementalinference", "CreateFunction UpdateFunction", "code that the service runs"),
    Rule("execute", "emr", "RunJobFlow", "machines that run the caller's steps"),
    Rule("execute", "emr", "AddJobFlowSteps", "commands on the cluster"),
    Rule("execute", "emr", "StartNotebookExecution StartSession", "runs code on paid machines"),
    Rule("execute", "emr-containers", "StartJobRun CreateManagedEndpoint", "runs code on paid machines"),
    Rule("execute", "emr-containers", "CreateJobTemplate", "says what code later jobs run"),
    Rule("execute", "emr-serverless", "StartJobRun StartSession", "runs code on paid machines"),
    Rule(
        "execute",
        "es opensearch",
        "AssociatePackage AssociatePackages CreatePackage UpdatePackage UpdatePackageScope",
        "plug-ins that the domain runs",
    ),
    Rule("execute", "eventbridgev2", "CreateSubscriber UpdateSubscriber", "starts functions and machines by events"),
    Rule("execute", "events", "PutRule PutTargets", "starts functions and machines by events and by the clock"),
    Rule(
        "execute",
        "fis",
        "CreateExperimentTemplate UpdateExperimentTemplate StartExperiment",
        "breaks machines, disks and networks on purpose",
    ),
    Rule(
        "execute",
        "gamelift",
        "CreateFleet CreateContainerFleet UpdateContainerFleet CreateFleetLocations CreateGameServerGroup "
        "UpdateGameServerGroup",
        "runs the game's program on machines that cost by the hour",
    ),
    Rule(
        "execute",
        "gamelift",
        "CreateContainerGroupDefinition UpdateContainerGroupDefinition CreateBuild CreateScript UpdateScript "
        "UpdateRuntimeConfiguration",
        "says what runs on the machines",
    ),
    Rule("execute", "gameliftstreams", "CreateApplication", "the program that streams"),
    Rule("execute", "gameliftstreams", "CreateStreamSessionAdminShell", "a shell on the machine"),
    Rule(
        "execute",
        "glue",
        "StartJobRun CreateSession StartWorkflowRun StartBlueprintRun StartTrigger ResumeWorkflowRun "
        "CreateDevEndpoint UpdateDevEndpoint",
        "runs scripts on paid machines",
    ),
    Rule(
        "execute",
        "glue",
        "CreateJob UpdateJob RunStatement CreateTrigger UpdateTrigger CreateWorkflow UpdateJobFromSourceControl "
        "CreateBlueprint UpdateBlueprint CreateUserDefinedFunction UpdateUserDefinedFunction RegisterConnectionType",
        "says what code runs, and when",
    ),
    Rule(
        "execute",
        "greengrass",
        "CreateDeployment StartBulkDeployment CreateFunctionDefinition CreateFunctionDefinitionVersion "
        "CreateSoftwareUpdateJob CreateGroupVersion CreateConnectorDefinition CreateConnectorDefinitionVersion "
        "CreateResourceDefinitionVersion UpdateThingRuntimeConfiguration",
        "code on devices",
    ),
    Rule("execute", "greengrassv2", "CreateComponentVersion CreateDeployment", "code on devices"),
    Rule(
        "execute",
        "imagebuilder",
        "CreateComponent ImportComponent CreateWorkflow CreateContainerRecipe CreateImageRecipe SendWorkflowStepAction",
        "scripts that run while an image is built, and ship in it",
    ),
    Rule(
        "execute",
        "imagebuilder",
        "CreateImage CreateImagePipeline UpdateImagePipeline StartImagePipelineExecution RetryImage ImportVmImage "
        "ImportDiskImage",
        "builds on paid machines, by schedule too",
    ),
    Rule(
        "execute",
        "iot",
        "CreateJob UpdateJob AssociateTargetsWithJob CreateOTAUpdate CreateTopicRule ReplaceTopicRule EnableTopicRule "
        "CreateCommand UpdateCommand CreateMitigationAction UpdateMitigationAction StartAuditMitigationActionsTask "
        "StartDetectMitigationActionsTask CreatePackageVersion UpdatePackageVersion CreateJobTemplate",
        "code on devices, or started by their messages",
    ),
    Rule("execute", "iot-jobs-data", "StartCommandExecution", "a command on a device"),
    Rule(
        "execute",
        "iot-managed-integrations",
        "SendManagedThingCommand CreateOtaTask UpdateOtaTask CreateCloudConnector UpdateCloudConnector",
        "commands and code on devices",
    ),
    Rule(
        "execute",
        "iotsitewise",
        "ExecuteAction StartPipelineExecution UpdateGatewayCapabilityConfiguration",
        "acts on machines, runs models",
    ),
    Rule("execute", "iotthingsgraph", "DeploySystemInstance", "starts flows on devices"),
    Rule("execute", "iottwinmaker", "CreateComponentType UpdateComponentType", "functions behind a component"),
    Rule(
        "execute",
        "iotwireless",
        "CreateFuotaTask StartFuotaTask CreateWirelessGatewayTask CreateWirelessGatewayTaskDefinition",
        "new firmware for devices",
    ),
    Rule("execute", "iotwireless", "SendDataToMulticastGroup SendDataToWirelessDevice", "commands to devices"),
    Rule("execute", "kafkaconnect", "CreateConnector UpdateConnector", "a connector's code on paid workers"),
    Rule("execute", "kafkaconnect", "CreateCustomPlugin ResumeConnector RestartConnector", "a connector's code"),
    Rule(
        "execute",
        "kinesisanalytics kinesisanalyticsv2",
        "StartApplication",
        "runs the application's code on paid units",
    ),
    Rule(
        "execute",
        "kinesisanalytics kinesisanalyticsv2",
        "CreateApplication UpdateApplication RollbackApplication",
        "what code an application runs",
    ),
    Rule(
        "execute",
        "kinesisanalytics kinesisanalyticsv2",
        "AddApplicationInputProcessingConfiguration",
        "a function that changes records",
    ),
    Rule("execute", "lambda", "CreateFunction", "a function is code that runs when called, and costs by use"),
    Rule(
        "execute",
        "lambda",
        "UpdateFunctionCode UpdateFunctionConfiguration PublishLayerVersion CreateEventSourceMapping "
        "UpdateEventSourceMapping Invoke InvokeAsync InvokeWithResponseStream UpdateAlias PutRuntimeManagementConfig "
        "ResumeDurableExecution PutFunctionEventInvokeConfig UpdateFunctionEventInvokeConfig",
        "runs code, changes it, or says what calls it",
    ),
    Rule(
        "execute",
        "lambda-core",
        "CreateRuntime UpdateRuntime CreateRuntimeVersion UpdateRuntimeVersion UpdateRuntimeAlias RestoreRuntime",
        "what functions run in",
    ),
    Rule("execute", "lambda-microvms", "RunMicrovm ResumeMicrovm", "a machine that costs by the second"),
    Rule("execute", "lambda-microvms", "CreateMicrovmImage UpdateMicrovmImage", "what machines run"),
    Rule("execute", "lambda-microvms", "CreateMicrovmShellAuthToken", "a token that opens a shell"),
    Rule("execute", "lambda-web", "CreateWebFunction CreateWebFunctionRevision", "a program served to the web"),
    Rule("execute", "launch-wizard", "CreateDeployment UpdateDeployment", "sets up whole systems of machines"),
    Rule("execute", "lex-models", "PutBot PutIntent", "functions behind a bot"),
    Rule("execute", "lexv2-models", "CreateBotAlias UpdateBotAlias", "functions behind a bot"),
    Rule("execute", "lightsail", "CreateContainerServiceDeployment SetupInstanceHttps", "runs containers or scripts"),
    Rule(
        "execute",
        "m2",
        "CreateApplication UpdateApplication CreateDeployment StartApplication StartBatchJob",
        "programs and jobs",
    ),
    Rule("execute", "mediatailor", "PutFunction", "code that the service runs"),
    Rule(
        "execute",
        "mgn",
        "PutSourceServerAction PutTemplateAction CreateRemoteSourceAction UpdateRemoteSourceAction "
        "StartRemoteSourceActionJob UpdateLaunchConfiguration UpdateLaunchConfigurationTemplate "
        "CreateLaunchConfigurationTemplate UpdateLaunchConfigurationDefaults",
        "documents that run on machines",
    ),
    Rule(
        "execute",
        "migrationhuborchestrator",
        "StartWorkflow CreateWorkflowStep UpdateWorkflowStep CreateTemplate UpdateTemplate RetryWorkflowStep "
        "CreateWorkflow",
        "scripts that run on machines",
    ),
    Rule(
        "execute",
        "mwaa",
        "CreateEnvironment UpdateEnvironment",
        "machines paid by the hour that run the workflows of a bucket",
    ),
    Rule("execute", "mwaa", "InvokeRestApi", "runs and changes workflows"),
    Rule(
        "execute",
        "mwaa mwaa-serverless",
        "CreateCliToken CreateWebLoginToken CreateAirflowUiUrl",
        "returns a way into the console workflows are run from",
    ),
    Rule("execute", "mwaa-serverless", "CreateWorkflow UpdateWorkflow", "says what workflows run"),
    Rule("execute", "mwaa-serverless", "StartWorkflowRun", "runs a workflow on paid machines"),
    Rule("execute", "neptune-graph", "ExecuteQuery", "statements that may read, write or delete"),
    Rule(
        "execute",
        "neptunedata",
        "ExecuteGremlinQuery ExecuteOpenCypherQuery ExecuteGremlinProfileQuery StartLoaderJob",
        "statements and loads that may write or delete",
    ),
    Rule("execute", "nova-act", "InvokeActStep CreateAct CreateWorkflowRun", "a model that acts in a browser"),
    Rule("execute", "omics", "StartRun StartRunBatch", "runs a workflow on paid machines"),
    Rule("execute", "omics", "CreateWorkflow CreateWorkflowVersion", "says what a workflow runs"),
    Rule(
        "execute",
        "pinpoint",
        "CreateRecommenderConfiguration UpdateRecommenderConfiguration",
        "a function that rewrites messages",
    ),
    Rule("execute", "pipes", "CreatePipe", "runs functions and tasks by events, paid by request"),
    Rule("execute", "pipes", "UpdatePipe StartPipe", "runs functions and tasks by events"),
    Rule(
        "execute",
        "proton",
        "CreateComponent CreateEnvironment CreateService CreateServiceInstance UpdateComponent UpdateEnvironment "
        "UpdateService UpdateServiceInstance UpdateServicePipeline",
        "a template may make anything at all, roles and functions too",
    ),
    Rule(
        "execute",
        "proton",
        "CreateEnvironmentTemplateVersion CreateServiceTemplateVersion UpdateEnvironmentTemplateVersion "
        "UpdateServiceTemplateVersion CreateServiceSyncConfig UpdateServiceSyncConfig CreateTemplateSyncConfig "
        "UpdateTemplateSyncConfig",
        "what later templates make",
    ),
    Rule("execute", "qbusiness", "CreatePlugin UpdatePlugin", "what the assistant may call"),
    Rule(
        "execute",
        "quicksight",
        "StartAutomationJob StartAssetBundleImportJob",
        "runs an automation, or makes many things at once",
    ),
    Rule(
        "execute",
        "rds-data",
        "ExecuteSql ExecuteStatement BatchExecuteStatement",
        "statements that may read, write or delete",
    ),
    Rule(
        "execute",
        "redshift-data",
        "ExecuteStatement BatchExecuteStatement",
        "statements that may read, write or delete",
    ),
    Rule(
        "execute",
        "resiliencehubv2",
        "CreateTest UpdateTest StartTestRun",
        "breaks things on purpose, and is paid for",
    ),
    Rule("execute", "s3control", "CreateJob", "does the same to every object of a list, by a function too"),
    Rule(
        "execute",
        "s3control",
        "UpdateJobStatus PutAccessPointConfigurationForObjectLambda",
        "lets a job begin, or a function answer in the bucket's place",
    ),
    Rule(
        "execute",
        "sagemaker",
        "CreateTrainingJob CreateProcessingJob CreateHyperParameterTuningJob CreateJob StartPipelineExecution "
        "RetryPipelineExecution CreateNotebookInstance StartNotebookInstance UpdateNotebookInstance CreateCluster "
        "UpdateCluster CreateLabelingJob UpdateTrainingJob",
        "runs the caller's code on machines that cost by the second",
    ),
    Rule(
        "execute",
        "sagemaker",
        "CreateModel CreateModelPackage UpdateModelPackage CreateNotebookInstanceLifecycleConfig "
        "UpdateNotebookInstanceLifecycleConfig CreateStudioLifecycleConfig CreatePipeline UpdatePipeline "
        "UpdatePipelineVersion CreateDataQualityJobDefinition CreateModelBiasJobDefinition "
        "CreateModelExplainabilityJobDefinition CreateModelQualityJobDefinition CreateImageVersion CreateAlgorithm "
        "CreateAppImageConfig UpdateAppImageConfig CreateEdgeDeploymentPlan CreateEdgeDeploymentStage "
        "StartEdgeDeploymentStage",
        "containers and scripts that machines take over",
    ),
    Rule("execute", "sagemaker", "CreateEndpointConfig", "which models, on which machines, an endpoint serves"),
    Rule(
        "execute",
        "sagemaker",
        "CreateProject UpdateProject",
        "a template may make anything, roles and functions too",
    ),
    Rule("execute", "sagemakertrainingsessionruntime", "ExecuteTrainingOperation", "trains on paid machines"),
    Rule("execute", "scheduler", "CreateSchedule UpdateSchedule", "calls any operation at a set time, by a role"),
    Rule("execute", "secretsmanager", "RotateSecret", "runs the function that makes a new secret"),
    Rule(
        "execute",
        "securityagent",
        "StartPentestJob StartCodeRemediation CreatePentest UpdatePentest",
        "attacks a system, or changes code, on purpose",
    ),
    Rule("execute", "serverlessrepo", "CreateCloudFormationChangeSet", "a template may make anything at all"),
    Rule("execute", "serverlessrepo", "CreateApplication CreateApplicationVersion", "code for others to deploy"),
    Rule(
        "execute",
        "servicecatalog",
        "ProvisionProduct UpdateProvisionedProduct CreateProvisionedProductPlan ExecuteProvisionedProductPlan "
        "ExecuteProvisionedProductServiceAction ImportAsProvisionedProduct",
        "a template may make anything at all, roles and functions too",
    ),
    Rule(
        "execute",
        "servicecatalog",
        "CreateProduct CreateProvisioningArtifact CreateServiceAction UpdateServiceAction",
        "what later products make",
    ),
    Rule("execute", "snow-device-management", "CreateTask", "reboots or unlocks devices"),
    Rule(
        "execute",
        "ssm",
        "SendCommand StartSession ResumeSession StartAutomationExecution StartChangeRequestExecution "
        "CreateAssociation CreateAssociationBatch UpdateAssociation StartAssociationsOnce CreateDocument "
        "UpdateDocument UpdateDocumentDefaultVersion RegisterTaskWithMaintenanceWindow UpdateMaintenanceWindowTask "
        "UpdateMaintenanceWindow RegisterTargetWithMaintenanceWindow SendAutomationSignal",
        "runs commands on machines, now or by schedule",
    ),
    Rule("execute", "ssm", "UpdateMaintenanceWindowTarget", "on which machines commands run"),
    Rule("execute", "ssm-incidents", "StartIncident", "pages people and starts a plan"),
    Rule(
        "execute",
        "ssm-quicksetup",
        "CreateConfigurationManager UpdateConfigurationDefinition",
        "sets up roles and tasks in many accounts",
    ),
    Rule("execute", "ssm-sap", "StartConfigurationChecks", "runs checks on machines"),
    Rule(
        "execute",
        "stepfunctions",
        "CreateStateMachine UpdateStateMachine StartExecution StartSyncExecution RedriveExecution TestState "
        "UpdateStateMachineAlias CreateStateMachineAlias",
        "a state machine calls any operation by its role",
    ),
    Rule("execute", "supplychain", "CreateDataIntegrationFlow UpdateDataIntegrationFlow", "statements over data"),
    Rule("execute", "swf", "StartWorkflowExecution", "starts a workflow"),
    Rule(
        "execute",
        "synthetics",
        "CreateCanary UpdateCanary StartCanary StartCanaryDryRun",
        "scripts that run again and again, paid by the run",
    ),
    Rule(
        "execute",
        "timestream-query",
        "CreateScheduledQuery UpdateScheduledQuery ExecuteScheduledQuery",
        "a query that runs and writes by itself",
    ),
    Rule("execute", "transfer", "CreateWorkflow", "steps that run on every file"),
    Rule("execute", "workspaces", "DeployWorkspaceApplications AssociateWorkspaceApplication", "software on desktops"),
)
