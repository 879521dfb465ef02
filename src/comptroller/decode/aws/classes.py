"""What the parameters of one call change: its classes, quantity and the resources it names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from comptroller.core.action import ActionClass, Value
from comptroller.decode.aws import index

Parameters = Mapping[str, Value]
Classes = frozenset[ActionClass]

RESOURCES_MAX = 64
RESOURCE_LENGTH_MAX = 2048
QUANTITY_MAX = 10**9

_READ = frozenset({ActionClass.READ})
_NAMING = ("Arn", "ARN", "Id", "Identifier", "Name", "QueueUrl", "SecretId")
_NAMING_MANY = ("Arns", "ARNs", "Ids", "Identifiers", "Names")


def _with(*extra: ActionClass) -> Callable[[Classes], Classes]:
    return lambda classes: classes | frozenset(extra)


def classes_of(operation: str, also: Sequence[str], parameters: Parameters) -> Classes:
    """Classes of one call: those of the index (of every service that reads the request alike), then its parameters."""
    found: Classes = frozenset()
    for name in (operation, *also):
        found |= index.classes_of(name) or frozenset({ActionClass.UNKNOWN})
    if operation.startswith("aws:ec2:") and parameters.get("DryRun") is True:
        return _READ
    refine = _REFINED.get(operation)
    return refine(found, parameters) if refine else found


def _run_instances(classes: Classes, parameters: Parameters) -> Classes:
    extra = {ActionClass.EXECUTE} if parameters.get("UserData") or parameters.get("LaunchTemplate") else set()
    if parameters.get("IamInstanceProfile"):
        extra.add(ActionClass.ENTITLE)
    return classes | extra


def _modify_instance(classes: Classes, parameters: Parameters) -> Classes:
    names = {str(parameters.get("Attribute", "")).lower(), *(name.lower() for name in parameters)}
    if "userdata" in names:
        classes |= {ActionClass.EXECUTE}
    if names & {"instancetype", "ebsoptimized", "enasupport", "value"}:
        return classes
    if names & {"groups", "groupset", "sourcedestcheck"}:
        return classes | {ActionClass.ENTITLE}
    return classes


def _get_parameter(classes: Classes, parameters: Parameters) -> Classes:
    return classes if parameters.get("WithDecryption") is True else _READ


def _create_table(classes: Classes, parameters: Parameters) -> Classes:
    if parameters.get("BillingMode") != "PAY_PER_REQUEST" or parameters.get("WarmThroughput"):
        return classes
    return classes - {ActionClass.PROVISION} | {ActionClass.WRITE}


def _invoke(classes: Classes, parameters: Parameters) -> Classes:
    return _READ if parameters.get("InvocationType") == "DryRun" else classes


def _acl(classes: Classes, parameters: Parameters) -> Classes:
    opens = any(name == "ACL" or name.startswith("Grant") for name in parameters)
    return classes | {ActionClass.ENTITLE} if opens else classes


def _delete_object(classes: Classes, parameters: Parameters) -> Classes:
    return classes | {ActionClass.BLIND} if parameters.get("BypassGovernanceRetention") else classes


_REFINED: Mapping[str, Callable[[Classes, Parameters], Classes]] = {
    "aws:ec2:RunInstances": _run_instances,
    "aws:ec2:ModifyInstanceAttribute": _modify_instance,
    "aws:ssm:GetParameter": _get_parameter,
    "aws:ssm:GetParameters": _get_parameter,
    "aws:ssm:GetParametersByPath": _get_parameter,
    "aws:ssm:GetParameterHistory": _get_parameter,
    "aws:dynamodb:CreateTable": _create_table,
    "aws:lambda:Invoke": _invoke,
    "aws:s3:PutObject": _acl,
    "aws:s3:CopyObject": _acl,
    "aws:s3:CreateBucket": _acl,
    "aws:s3:CreateMultipartUpload": _acl,
    "aws:s3:DeleteObject": _delete_object,
    "aws:s3:DeleteObjects": _delete_object,
}

_COUNTS: Mapping[str, tuple[str, ...]] = {
    "aws:ec2:RunInstances": ("MaxCount",),
    "aws:ec2:CreateFleet": ("TargetCapacitySpecification", "TotalTargetCapacity"),
    "aws:ec2:ModifyFleet": ("TargetCapacitySpecification", "TotalTargetCapacity"),
    "aws:ec2:RequestSpotInstances": ("InstanceCount",),
    "aws:ec2:RequestSpotFleet": ("SpotFleetRequestConfig", "TargetCapacity"),
    "aws:ec2:ModifySpotFleetRequest": ("TargetCapacity",),
    "aws:ec2:AllocateHosts": ("Quantity",),
    "aws:ec2:CreateCapacityReservation": ("InstanceCount",),
    "aws:ec2:RunScheduledInstances": ("InstanceCount",),
    "aws:autoscaling:SetDesiredCapacity": ("DesiredCapacity",),
    "aws:autoscaling:CreateAutoScalingGroup": ("MaxSize",),
    "aws:autoscaling:UpdateAutoScalingGroup": ("MaxSize",),
    "aws:ecs:RunTask": ("count",),
    "aws:ecs:CreateService": ("desiredCount",),
    "aws:ecs:UpdateService": ("desiredCount",),
    "aws:eks:CreateNodegroup": ("scalingConfig", "maxSize"),
    "aws:eks:UpdateNodegroupConfig": ("scalingConfig", "maxSize"),
    "aws:emr:RunJobFlow": ("Instances", "InstanceCount"),
    "aws:redshift:CreateCluster": ("NumberOfNodes",),
    "aws:redshift:ResizeCluster": ("NumberOfNodes",),
    "aws:elasticache:CreateCacheCluster": ("NumCacheNodes",),
    "aws:ec2:PurchaseReservedInstancesOffering": ("InstanceCount",),
    "aws:rds:PurchaseReservedDBInstancesOffering": ("DBInstanceCount",),
    "aws:sagemaker:CreateTrainingJob": ("ResourceConfig", "InstanceCount"),
    "aws:ec2:StartInstances": ("InstanceIds",),
    "aws:ec2:StopInstances": ("InstanceIds",),
    "aws:ec2:TerminateInstances": ("InstanceIds",),
    "aws:ec2:RebootInstances": ("InstanceIds",),
    "aws:workspaces:CreateWorkspaces": ("Workspaces",),
}
"""Where an operation says how many; a list counts by its length."""


def quantity(operation: str, parameters: Parameters) -> int:
    """How many of what an action brings about; 1 where it does not say."""
    value: Value = parameters
    for name in _COUNTS.get(operation, ("",)):
        value = value.get(name) if isinstance(value, Mapping) else None
    if isinstance(value, list):
        value = len(value)
    return value if type(value) is int and 0 <= value <= QUANTITY_MAX else 1


def resources(operation: str, parameters: Parameters) -> tuple[str, ...]:
    """ARNs, ids and names that the top-level parameters give, ordered by member; S3 as an ARN of bucket and key."""
    found: list[str] = []
    if operation.startswith("aws:s3:") and isinstance(bucket := parameters.get("Bucket"), str):
        key = parameters.get("Key")
        arn = bucket if bucket.startswith("arn:") else f"arn:aws:s3:::{bucket}"
        found.append(f"{arn}/{key}" if isinstance(key, str) else arn)
    for name in sorted(parameters):
        value = parameters[name]
        if name.endswith(_NAMING_MANY) and isinstance(value, list):
            found.extend(item for item in value if isinstance(item, str))
        elif isinstance(value, str) and (value.startswith("arn:") or _naming(name)):
            found.append(value)
    short = (item for item in found if 0 < len(item) <= RESOURCE_LENGTH_MAX)
    return tuple(dict.fromkeys(short))[:RESOURCES_MAX]


def _naming(name: str) -> bool:
    return name.endswith(_NAMING) or name[:1].lower() + name[1:] in ("name", "id", "arn", "resource")
