"""Plain sentences for the operations people are asked about; the operation's own name for all others."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from comptroller.core.action import Action, Value
from comptroller.decode.aws import index

SHOWN_MAX = 4
WORD_CHARACTERS_MAX = 120


def _word(value: Value) -> str:
    """A value fit for a sentence: printable, short, on one line."""
    text = "".join(letter if letter.isprintable() else "?" for letter in str(value))
    return text if len(text) <= WORD_CHARACTERS_MAX else text[: WORD_CHARACTERS_MAX - 1] + "…"


def _at(parameters: Mapping[str, Value], path: str) -> Value:
    value: Value = parameters
    for part in path.split("."):
        if isinstance(value, list):
            value = value[0] if value else None
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _some(value: Value) -> str:
    items = value if isinstance(value, list) else [] if value is None else [value]
    shown = ", ".join(_word(item) for item in items[:SHOWN_MAX])
    return f"{shown} and {len(items) - SHOWN_MAX} more" if len(items) > SHOWN_MAX else shown


def _run_instances(action: Action) -> str:
    least = action.parameters.get("MinCount", action.quantity)
    count = f"{action.quantity}" if least == action.quantity else f"{_word(least)} to {action.quantity}"
    kind = action.parameters.get("InstanceType")
    template = action.parameters.get("LaunchTemplate")
    what = _word(kind) if kind else "machines of a launch template" if template else "m1.small (the default type)"
    code = " with a start-up script" if action.parameters.get("UserData") else ""
    role = _at(action.parameters, "IamInstanceProfile.Name") or _at(action.parameters, "IamInstanceProfile.Arn")
    return f"start {count} x {what}{f' as role {_word(role)}' if role else ''}{code}"


def _load_balancer(action: Action) -> str:
    kind = action.parameters.get("Type")
    name = action.parameters.get("Name")
    return f"create {_word(kind or 'application')} load balancer {_word(name or '?')}"


def _modify_instance(action: Action) -> str:
    kind = _at(action.parameters, "InstanceType.Value")
    who = _some(action.parameters.get("InstanceId"))
    if action.parameters.get("Attribute") == "instanceType":
        kind = action.parameters.get("Value")
    return f"change {who} to {_word(kind)}" if kind else f"change settings of instance {who}"


def _form(text: str) -> Callable[[Action], str]:
    """`delete bucket {Bucket}`: names in braces are paths of parameters."""

    def make(action: Action) -> str:
        out = text
        while (start := out.find("{")) >= 0:
            end = out.index("}", start)
            path = out[start + 1 : end]
            value = str(action.quantity) if path == "#" else _some(_at(action.parameters, path))
            out = out[:start] + (value.replace("{", "(").replace("}", ")") or "?") + out[end + 1 :]
        return out

    return make


_FORMS: Mapping[str, Callable[[Action], str]] = {
    "ec2:RunInstances": _run_instances,
    "ec2:ModifyInstanceAttribute": _modify_instance,
    "elbv2:CreateLoadBalancer": _load_balancer,
    **{
        operation: _form(text)
        for operation, text in {
            "ec2:StartInstances": "start instance {InstanceIds} again",
            "ec2:StopInstances": "stop instance {InstanceIds}",
            "ec2:RebootInstances": "restart instance {InstanceIds}",
            "ec2:TerminateInstances": "terminate instance {InstanceIds}",
            "ec2:DescribeInstances": "look at instances",
            "ec2:CreateFleet": "start a fleet of {#} machines",
            "ec2:RequestSpotInstances": "request {#} spot x {LaunchSpecification.InstanceType}",
            "ec2:RequestSpotFleet": "request a spot fleet of {#} machines",
            "ec2:AllocateHosts": "allocate {#} dedicated hosts of {InstanceType}",
            "ec2:CreateVolume": "create a volume of {Size} GiB ({VolumeType}) in {AvailabilityZone}",
            "ec2:DeleteVolume": "delete volume {VolumeId}",
            "ec2:CreateSnapshot": "snapshot volume {VolumeId}",
            "ec2:DeleteSnapshot": "delete snapshot {SnapshotId}",
            "ec2:CreateNatGateway": "create a NAT gateway in {SubnetId}",
            "ec2:AllocateAddress": "allocate a public address",
            "ec2:AuthorizeSecurityGroupIngress": "open security group {GroupId} to {IpPermissions.IpRanges.CidrIp}",
            "ec2:ModifySnapshotAttribute": "change who may read snapshot {SnapshotId}",
            "ec2:ModifyImageAttribute": "change who may use image {ImageId}",
            "ec2:CreateKeyPair": "make key pair {KeyName} and return its private key",
            "ec2:GetPasswordData": "read the administrator password of {InstanceId}",
            "ec2:DeleteFlowLogs": "stop network logs {FlowLogIds}",
            "ec2:PurchaseReservedInstancesOffering": "buy {#} reserved instances ({ReservedInstancesOfferingId})",
            "elb:CreateLoadBalancer": "create classic load balancer {LoadBalancerName}",
            "elbv2:DeleteLoadBalancer": "delete load balancer {LoadBalancerArn}",
            "autoscaling:CreateAutoScalingGroup": "create group {AutoScalingGroupName} of up to {MaxSize} machines",
            "autoscaling:UpdateAutoScalingGroup": "change group {AutoScalingGroupName} to up to {MaxSize} machines",
            "autoscaling:SetDesiredCapacity": "set group {AutoScalingGroupName} to {DesiredCapacity} machines",
            "rds:CreateDBInstance": "create {Engine} database {DBInstanceIdentifier} on {DBInstanceClass}",
            "rds:DeleteDBInstance": "delete database {DBInstanceIdentifier}",
            "rds:ModifyDBInstance": "change database {DBInstanceIdentifier}",
            "rds:CreateDBCluster": "create {Engine} database cluster {DBClusterIdentifier}",
            "eks:CreateCluster": "create Kubernetes cluster {name}",
            "eks:CreateNodegroup": "create up to {#} nodes in cluster {clusterName}",
            "ecs:RunTask": "run {#} x task {taskDefinition} on cluster {cluster}",
            "emr:RunJobFlow": "start EMR cluster {Name} of {#} machines",
            "sagemaker:CreateTrainingJob": "train {TrainingJobName} on {#} x {ResourceConfig.InstanceType}",
            "sagemaker:CreateEndpoint": "serve model endpoint {EndpointName}",
            "sagemaker:CreateNotebookInstance": "create notebook {NotebookInstanceName} on {InstanceType}",
            "cloudformation:CreateStack": "create stack {StackName}",
            "cloudformation:UpdateStack": "change stack {StackName}",
            "cloudformation:DeleteStack": "delete stack {StackName} and all in it",
            "lambda:CreateFunction": "create function {FunctionName}",
            "lambda:UpdateFunctionCode": "replace the code of function {FunctionName}",
            "lambda:Invoke": "run function {FunctionName}",
            "lambda:AddPermission": "let {Principal} call function {FunctionName}",
            "iam:CreateUser": "create user {UserName}",
            "iam:CreateRole": "create role {RoleName}",
            "iam:CreateAccessKey": "make an access key for user {UserName}",
            "iam:AttachUserPolicy": "give user {UserName} policy {PolicyArn}",
            "iam:AttachRolePolicy": "give role {RoleName} policy {PolicyArn}",
            "iam:PutUserPolicy": "write policy {PolicyName} of user {UserName}",
            "iam:PutRolePolicy": "write policy {PolicyName} of role {RoleName}",
            "iam:UpdateAssumeRolePolicy": "change who may become role {RoleName}",
            "sts:AssumeRole": "become role {RoleArn}",
            "s3:DeleteBucket": "delete bucket {Bucket}",
            "s3:DeleteObject": "delete {Bucket}/{Key}",
            "s3:DeleteObjects": "delete objects in bucket {Bucket}",
            "s3:PutObject": "write {Bucket}/{Key}",
            "s3:GetObject": "read {Bucket}/{Key}",
            "s3:PutBucketPolicy": "change who may use bucket {Bucket}",
            "s3:PutBucketAcl": "change who may use bucket {Bucket}",
            "s3:PutBucketLifecycleConfiguration": "let bucket {Bucket} delete objects by itself",
            "kms:ScheduleKeyDeletion": "destroy key {KeyId} in {PendingWindowInDays} days",
            "kms:PutKeyPolicy": "change who may use key {KeyId}",
            "kms:Decrypt": "decrypt with key {KeyId}",
            "secretsmanager:GetSecretValue": "read secret {SecretId}",
            "secretsmanager:BatchGetSecretValue": "read secrets {SecretIdList}",
            "ssm:GetParameter": "read parameter {Name}",
            "ssm:SendCommand": "run {DocumentName} on {InstanceIds}",
            "ssm:StartSession": "open a shell on {Target}",
            "ses:SendEmail": "send mail from {Source} to {Destination.ToAddresses}",
            "sesv2:SendEmail": "send mail from {FromEmailAddress} to {Destination.ToAddresses}",
            "sns:Publish": "publish to {TopicArn}",
            "dynamodb:DeleteTable": "delete table {TableName}",
            "sqs:PurgeQueue": "empty queue {QueueUrl}",
            "cloudtrail:StopLogging": "stop audit trail {Name}",
            "cloudtrail:DeleteTrail": "delete audit trail {Name}",
            "guardduty:DeleteDetector": "switch threat detection off",
            "logs:DeleteLogGroup": "delete log group {logGroupName}",
            "logs:PutRetentionPolicy": "keep log group {logGroupName} for {retentionInDays} days only",
            "route53domains:RegisterDomain": "buy domain {DomainName} for {DurationInYears} years",
            "savingsplans:CreateSavingsPlan": "buy savings plan {savingsPlanOfferingId}",
            "bedrock-runtime:InvokeModel": "ask model {modelId}",
            "bedrock-runtime:Converse": "ask model {modelId}",
        }.items()
    },
}


def sentence(action: Action) -> str:
    """What an action does in plain words. Never raises."""
    name = action.operation.removeprefix(index.PREFIX)
    where = f" in {action.region}" if action.region else ""
    if action.undecodable:
        return f"something nobody can read, to {_word(action.endpoint)}: {_word(action.reason)}"
    form = _FORMS.get(name)
    dry = "dry run: " if name.startswith("ec2:") and action.parameters.get("DryRun") is True else ""
    return f"{dry}{form(action)}{where}" if form else f"{dry}`{_word(name)}`{where}"


def sentences() -> tuple[str, ...]:
    """Operations that have a sentence of their own."""
    return tuple(index.PREFIX + name for name in _FORMS)
