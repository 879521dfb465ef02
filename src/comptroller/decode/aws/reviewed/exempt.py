"""Operations whose class is exactly this, whatever the patterns say; each was read and judged on its own.

An exemption never takes away what IAM calls permissions management, except from what only reads by its documentation.
"""

from __future__ import annotations

from comptroller.decode.aws.reviewed.rule import Rule

EXEMPT: tuple[Rule, ...] = (
    Rule("read", "kms", "GenerateRandom Verify VerifyMac", "answers, and changes nothing"),
    Rule(
        "read",
        "appfabric bcm-pricing-calculator route53globalresolver",
        "BatchGetUserAccessTasks ListTagsForResource",
        "reads, whatever IAM calls it",
    ),
    Rule("read", "billing", "GetResourcePolicy", "reads, whatever IAM calls it"),
    Rule("read", "cloudwatchomni", "SearchPrincipals", "reads, whatever IAM calls it"),
    Rule("read", "comprehendmedical", "DetectEntities", "analyses a text that is handed in"),
    Rule("read", "dynamodb", "TransactGetItems Query Scan", "reads items"),
    Rule(
        "read",
        "glue",
        "DescribeConnectionType DescribeEntity ListConnectionTypes ListEntities",
        "reads, whatever IAM calls it",
    ),
    Rule("read", "iot-data", "GetConnection ListSubscriptions", "reads, whatever IAM calls it"),
    Rule("read", "logs", "StartQuery StartLiveTail", "looks into logs"),
    Rule("read", "machinelearning", "Predict", "a prediction for what is handed in"),
    Rule(
        "read",
        "neptunedata",
        "ExecuteGremlinExplainQuery ExecuteOpenCypherExplainQuery",
        "tells how a query would run",
    ),
    Rule(
        "read",
        "networkflowmonitor",
        "StartQueryMonitorTopContributors StartQueryWorkloadInsightsTopContributors "
        "StartQueryWorkloadInsightsTopContributorsData StartQueryPerformanceMonitor",
        "asks for figures",
    ),
    Rule(
        "read",
        "quicksight",
        "DescribeKnowledgeBasePermissions DescribeSpacePermissions DescribeTopicPermissions",
        "reads, whatever IAM calls it",
    ),
    Rule("read", "ssm-sap", "GetResourcePermission", "reads, whatever IAM calls it"),
    Rule(
        "read",
        "sts",
        "GetCallerIdentity GetAccessKeyInfo DecodeAuthorizationMessage",
        "tells who one is, or why something was denied",
    ),
    Rule("read", "timestream-query", "Query", "reads"),
    Rule(
        "read",
        "verifiedpermissions",
        "BatchIsAuthorized BatchIsAuthorizedWithToken IsAuthorized IsAuthorizedWithToken",
        "asks whether somebody may",
    ),
    Rule(
        "write",
        "batch",
        "TerminateJob TerminateJobs TerminateServiceJob TerminateServiceJobs",
        "a run that ends can be submitted again",
    ),
    Rule("write", "cloudformation", "DeleteChangeSet", "takes back a proposal that changed nothing"),
    Rule(
        "write",
        "cognito-idp",
        "CreateManagedLoginBranding UpdateManagedLoginBranding SetUICustomization CreateTerms UpdateTerms "
        "UpdateUserPoolDomain CreateUserPoolDomain",
        "how the pages look, and under which name",
    ),
    Rule("write", "docdb neptune", "SwitchoverGlobalCluster", "a planned change of roles without loss"),
    Rule(
        "write",
        "docdb neptune rds",
        "CreateDBParameterGroup CreateDBClusterParameterGroup CreateDBSubnetGroup CopyDBParameterGroup "
        "CopyDBClusterParameterGroup CreateDBClusterEndpoint CreateDBSecurityGroup CreateTenantDatabase "
        "CopyOptionGroup CreateOptionGroup ResetDBParameterGroup ResetDBClusterParameterGroup",
        "settings and names, which cost nothing",
    ),
    Rule(
        "write",
        "ds",
        "RegisterEventTopic EnableLDAPS CreateAlias CreateConditionalForwarder UpdateConditionalForwarder "
        "CreateLogSubscription",
        "settings of a directory",
    ),
    Rule("write", "dynamodb", "DeleteItem", "ordinary use of a table"),
    Rule(
        "write",
        "ec2",
        "TerminateClientVpnConnections RejectVpcPeeringConnection RejectVpcEndpointConnections "
        "RejectTransitGatewayVpcAttachment CreateNetworkInsightsAccessScope CreateNetworkInsightsPath "
        "CancelSpotInstanceRequests DeleteTags EnableImageDeregistrationProtection",
        "ends what can be begun again",
    ),
    Rule(
        "write",
        "es opensearch",
        "RejectInboundConnection RejectInboundCrossClusterSearchConnection CreateIndex",
        "settings of a domain",
    ),
    Rule("write", "gamelift", "TerminateGameSession", "a session can be started anew"),
    Rule("write", "gameliftstreams", "TerminateStreamSession", "a session can be started anew"),
    Rule(
        "write",
        "iam",
        "UploadServerCertificate UpdateServerCertificate TagServerCertificate UntagServerCertificate",
        "a TLS certificate for a load balancer; gives nobody rights",
    ),
    Rule(
        "write",
        "kms",
        "GenerateDataKeyWithoutPlaintext GenerateDataKeyPairWithoutPlaintext GenerateMac Encrypt Encapsulate ReEncrypt",
        "uses a key without showing anything kept",
    ),
    Rule("write", "kms", "Sign", "signs a text; the key stays where it is"),
    Rule("write", "kms", "CancelKeyDeletion", "keeps a key from being deleted"),
    Rule("write", "mediapackagev2", "CreateChannel", "paid by traffic alone"),
    Rule("write", "mpa", "CancelSession", "takes a question back"),
    Rule(
        "write",
        "network-firewall",
        "UpdateFirewallDescription RejectNetworkFirewallTransitGatewayAttachment",
        "a description",
    ),
    Rule("write", "resource-explorer-2", "CreateView UpdateView", "which resources a search shows"),
    Rule("write", "resource-groups", "PutGroupConfiguration", "settings of a group"),
    Rule("write", "s3control", "SubmitMultiRegionAccessPointRoutes", "which region answers"),
    Rule("write", "sagemaker", "DeleteTags", "tags"),
    Rule("write", "sqs", "DeleteMessage DeleteMessageBatch", "acknowledging a message is how a queue is read"),
    Rule("write", "ssm athena emr emr-serverless", "TerminateSession", "a session can be started anew"),
    Rule("write", "stepfunctions", "DeleteActivity DeleteStateMachineAlias", "a name for tasks"),
    Rule("write", "support", "RefreshTrustedAdvisorCheck", "looks again"),
    Rule("write", "swf", "TerminateWorkflowExecution", "a run that ends can be started again"),
    Rule("write", "workspaces", "TerminateWorkspacesPoolSession", "a session can be started anew"),
)
