"""What the parameters of one call change about its classes: most add one, a few documented ones take one away."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from comptroller.core.action import ActionClass, Value
from comptroller.decode.aws import index, indirect
from comptroller.decode.aws.model_source import Shape

Parameters = Mapping[str, Value]
Classes = frozenset[ActionClass]

LOOKING = frozenset({ActionClass.READ, ActionClass.REVEAL})
_READ = frozenset({ActionClass.READ})
_PRIVATE = ("private", "Private")

DRY_SERVICES = frozenset(
    {"ec2", "kms", "kinesis", "network-firewall", "mgh", "pinpoint-sms-voice-v2", "imagebuilder", "launch-wizard"}
)
"""Services whose `DryRun` says, wherever it stands at the top, that nothing is done."""
DRY_OPERATIONS: Mapping[str, tuple[str, Value]] = {
    "aws:lambda:Invoke": ("InvocationType", "DryRun"),
    "aws:lambda:UpdateFunctionCode": ("DryRun", True),
    "aws:license-manager:ExtendLicenseConsumption": ("DryRun", True),
    "aws:meteringmarketplace:MeterUsage": ("DryRun", True),
    "aws:migrationhub-config:CreateHomeRegionControl": ("DryRun", True),
    "aws:opensearch:UpdateDomainConfig": ("DryRun", True),
    "aws:opensearch:CancelDomainConfigChange": ("DryRun", True),
    "aws:opensearch:UpgradeDomain": ("PerformCheckOnly", True),
    "aws:es:UpdateElasticsearchDomainConfig": ("DryRun", True),
    "aws:es:CancelDomainConfigChange": ("DryRun", True),
    "aws:es:UpgradeElasticsearchDomain": ("PerformCheckOnly", True),
    "aws:redshift:ModifyLakehouseConfiguration": ("DryRun", True),
    "aws:redshift-serverless:UpdateLakehouseConfiguration": ("dryRun", True),
    "aws:ssm:DeleteInventory": ("DryRun", True),
    "aws:appstream:CreateImportedImage": ("DryRun", True),
    "aws:cloud9:CreateEnvironmentEC2": ("dryRun", True),
    "aws:logs:PutAccountPolicy": ("dryRun", True),
    "aws:logs:DeleteAccountPolicy": ("dryRun", True),
    "aws:support:CreateCase": ("dryRun", True),
    "aws:support:AddCommunicationToCase": ("dryRun", True),
    "aws:support:ResolveCase": ("dryRun", True),
    "aws:support:AddAttachmentsToSet": ("dryRun", True),
    "aws:outposts:StartCapacityTask": ("DryRun", True),
    "aws:outposts:StartOutpostDecommission": ("ValidateOnly", True),
}
"""Operations of other services whose documentation says that nothing is done, by member and value."""


def dry(operation: str, parameters: Parameters) -> bool:
    """Whether a call only asks whether it could be done."""
    service = operation.split(":")[1]
    if service in DRY_SERVICES and (parameters.get("DryRun") is True or parameters.get("dryRun") is True):
        return True
    member, value = DRY_OPERATIONS.get(operation, ("", None))
    return bool(member) and type(parameters.get(member)) is type(value) and parameters.get(member) == value


def classes_of(
    operation: str, also: Sequence[str], parameters: Parameters, *, account: str = "", shape: Shape | None = None
) -> Classes:
    """Classes of one call: those of the index (of every service that reads the request alike), then its parameters.

    Nothing in the parameters makes an action weaker but a documented dry run and the cases of `_WEAKER`.
    """
    found: Classes = frozenset()
    for name in (operation, *also):
        found |= index.classes_of(name) or frozenset({ActionClass.UNKNOWN})
    if not also and dry(operation, parameters):
        return _READ
    weaker = None if also else _WEAKER.get(operation)
    if weaker is not None:
        found = weaker(found, parameters)
    if found <= LOOKING:
        return found
    stricter = _STRICTER.get(operation)
    if stricter is not None:
        found |= stricter(parameters)
    return found | indirect.find(operation, parameters, account, shape).classes()


def _get_parameter(classes: Classes, parameters: Parameters) -> Classes:
    return classes if parameters.get("WithDecryption") is True else _READ


def _create_table(classes: Classes, parameters: Parameters) -> Classes:
    if parameters.get("BillingMode") != "PAY_PER_REQUEST" or parameters.get("WarmThroughput"):
        return classes
    indexes = parameters.get("GlobalSecondaryIndexes")
    listed = indexes if isinstance(indexes, list) else []
    warm = any(isinstance(one, Mapping) and one.get("WarmThroughput") for one in listed)
    return classes if warm else classes - {ActionClass.PROVISION} | {ActionClass.WRITE}


PLAIN_ATTRIBUTES = frozenset(
    {"instanceType", "kernel", "ramdisk", "disableApiTermination", "instanceInitiatedShutdownBehavior"}
    | {"rootDeviceName", "blockDeviceMapping", "productCodes", "sourceDestCheck", "groupSet", "ebsOptimized"}
    | {"sriovNetSupport", "enaSupport", "enclaveOptions", "disableApiStop"}
)
"""What `DescribeInstanceAttribute` shows besides `userData`, the start-up script with whatever was written into it."""


def _instance_attribute(classes: Classes, parameters: Parameters) -> Classes:
    return _READ if parameters.get("Attribute") in PLAIN_ATTRIBUTES else classes


def _api_key(classes: Classes, parameters: Parameters) -> Classes:
    asked = (parameters.get(name) for name in ("includeValue", "includeValues"))
    return _READ if all(value in (None, False) for value in asked) else classes


def _stage(classes: Classes, parameters: Parameters) -> Classes:
    cached = (
        parameters.get("cacheClusterEnabled") not in (None, False) or parameters.get("cacheClusterSize") is not None
    )
    return classes if cached else classes - {ActionClass.PROVISION} | {ActionClass.WRITE}


_WEAKER: Mapping[str, Callable[[Classes, Parameters], Classes]] = {
    **dict.fromkeys(
        (f"aws:ssm:{name}" for name in ("GetParameter", "GetParameters", "GetParametersByPath", "GetParameterHistory")),
        _get_parameter,
    ),
    "aws:dynamodb:CreateTable": _create_table,
    "aws:ec2:DescribeInstanceAttribute": _instance_attribute,
    "aws:apigateway:GetApiKey": _api_key,
    "aws:apigateway:GetApiKeys": _api_key,
    "aws:apigateway:CreateStage": _stage,
    "aws:apigateway:CreateDeployment": _stage,
}
"""Where the service itself does less: a parameter is not decrypted, a key not shown, a table costs by use alone, a
stage has no cache."""


def _modify_instance(parameters: Parameters) -> Classes:
    names = {str(parameters.get("Attribute", "")).lower(), *(name.lower() for name in parameters)}
    found = {ActionClass.EXECUTE} if "userdata" in names else set()
    if names & {"groups", "groupset", "sourcedestcheck"}:
        found.add(ActionClass.ENTITLE)
    return frozenset(found)


def _acl(parameters: Parameters) -> Classes:
    opens = parameters.get("ACL", "private") not in _PRIVATE or any(name.startswith("Grant") for name in parameters)
    return frozenset({ActionClass.ENTITLE}) if opens else frozenset()


def _delete_object(parameters: Parameters) -> Classes:
    return frozenset({ActionClass.BLIND}) if parameters.get("BypassGovernanceRetention") else frozenset()


def _replaces(parameters: Parameters) -> Classes:
    return frozenset({ActionClass.DESTROY})


def _from_instance(parameters: Parameters) -> Classes:
    return frozenset({ActionClass.EXECUTE}) if parameters.get("InstanceId") else frozenset()


def _database(parameters: Parameters) -> Classes:
    found = {ActionClass.ENTITLE} if {"MasterUserPassword", "RotateMasterUserPassword"} & parameters.keys() else set()
    if parameters.get("BackupRetentionPeriod") == 0 or parameters.get("DeletionProtection") is False:
        found.add(ActionClass.DESTROY)
    return frozenset(found)


_STRICTER: Mapping[str, Callable[[Parameters], Classes]] = {
    "aws:ec2:ModifyInstanceAttribute": _modify_instance,
    "aws:s3:PutObject": _acl,
    "aws:s3:CopyObject": _acl,
    "aws:s3:CreateBucket": _acl,
    "aws:s3:CreateMultipartUpload": _acl,
    "aws:s3:DeleteObject": _delete_object,
    "aws:s3:DeleteObjects": _delete_object,
    "aws:cloudformation:UpdateStack": _replaces,
    "aws:cloudformation:UpdateStackSet": _replaces,
    "aws:cloudformation:ExecuteChangeSet": _replaces,
    "aws:autoscaling:CreateAutoScalingGroup": _from_instance,
    "aws:autoscaling:CreateLaunchConfiguration": _from_instance,
    **dict.fromkeys(
        (
            f"aws:{service}:{name}"
            for service, name in (
                *(
                    (one, name)
                    for one in ("rds", "neptune", "docdb")
                    for name in ("ModifyDBInstance", "ModifyDBCluster")
                ),
                ("redshift", "ModifyCluster"),
                ("docdb-elastic", "UpdateCluster"),
            )
        ),
        _database,
    ),
}
"""What parameters of single operations add beyond what `indirect` finds in any of them."""
