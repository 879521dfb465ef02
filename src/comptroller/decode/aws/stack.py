"""What a stack or a resource request brings about: one part a resource, each as the call that would make it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from comptroller.core.action import PARTS_MAX, Value
from comptroller.decode.aws import capacity, index
from comptroller.decode.aws.resources import partition
from comptroller.decode.aws.template import UNKNOWN, Pointer, Resource, Template, TooMuch, Unknown
from comptroller.decode.aws.template_text import Doubtful, UnreadableTemplate, read_template
from comptroller.decode.jsontext import MalformedJson, parse_object

STACKS = frozenset(
    {"aws:cloudformation:CreateStack", "aws:cloudformation:UpdateStack", "aws:cloudformation:CreateChangeSet"}
)
ONE_RESOURCE = "aws:cloudcontrol:CreateResource"
UNPRICED = ONE_RESOURCE
"""The call that stands for a resource of a kind nobody knows: no table prices it, so the whole has no known price."""
DESIRED_STATE_CHARACTERS_MAX = 256 << 10
UNKNOWN_TEXT = "(unknown)"

RUN_INSTANCES = "aws:ec2:RunInstances"
_SPECIAL: Mapping[str, str] = {
    "AWS::EC2::Instance": RUN_INSTANCES,
    "AWS::EC2::EIP": "aws:ec2:AllocateAddress",
    "AWS::EC2::Host": "aws:ec2:AllocateHosts",
    "AWS::EC2::EC2Fleet": "aws:ec2:CreateFleet",
    "AWS::EC2::SpotFleet": "aws:ec2:RequestSpotFleet",
    "AWS::EC2::SecurityGroupIngress": "aws:ec2:AuthorizeSecurityGroupIngress",
    "AWS::EC2::SecurityGroupEgress": "aws:ec2:AuthorizeSecurityGroupEgress",
    "AWS::EC2::VPCGatewayAttachment": "aws:ec2:AttachInternetGateway",
    "AWS::EC2::SubnetRouteTableAssociation": "aws:ec2:AssociateRouteTable",
    "AWS::EC2::SubnetNetworkAclAssociation": "aws:ec2:ReplaceNetworkAclAssociation",
    "AWS::EC2::VPCDHCPOptionsAssociation": "aws:ec2:AssociateDhcpOptions",
    "AWS::EC2::VolumeAttachment": "aws:ec2:AttachVolume",
    "AWS::EC2::FlowLog": "aws:ec2:CreateFlowLogs",
    "AWS::EC2::EIPAssociation": "aws:ec2:AssociateAddress",
    "AWS::EC2::PrefixList": "aws:ec2:CreateManagedPrefixList",
    "AWS::EC2::VPCEndpointService": "aws:ec2:CreateVpcEndpointServiceConfiguration",
    "AWS::EC2::VPCCidrBlock": "aws:ec2:AssociateVpcCidrBlock",
    "AWS::EC2::NetworkInterfaceAttachment": "aws:ec2:AttachNetworkInterface",
    "AWS::ElasticLoadBalancing::LoadBalancer": "aws:elb:CreateLoadBalancer",
    "AWS::ElasticLoadBalancingV2::LoadBalancer": "aws:elbv2:CreateLoadBalancer",
    "AWS::ElasticLoadBalancingV2::Listener": "aws:elbv2:CreateListener",
    "AWS::ElasticLoadBalancingV2::ListenerRule": "aws:elbv2:CreateRule",
    "AWS::ElasticLoadBalancingV2::TargetGroup": "aws:elbv2:CreateTargetGroup",
    "AWS::IAM::Policy": "aws:iam:PutRolePolicy",
    "AWS::IAM::RolePolicy": "aws:iam:PutRolePolicy",
    "AWS::IAM::UserPolicy": "aws:iam:PutUserPolicy",
    "AWS::IAM::GroupPolicy": "aws:iam:PutGroupPolicy",
    "AWS::IAM::ManagedPolicy": "aws:iam:CreatePolicy",
    "AWS::IAM::Role": "aws:iam:CreateRole",
    "AWS::IAM::User": "aws:iam:CreateUser",
    "AWS::IAM::Group": "aws:iam:CreateGroup",
    "AWS::IAM::AccessKey": "aws:iam:CreateAccessKey",
    "AWS::IAM::InstanceProfile": "aws:iam:CreateInstanceProfile",
    "AWS::IAM::OIDCProvider": "aws:iam:CreateOpenIDConnectProvider",
    "AWS::IAM::UserToGroupAddition": "aws:iam:AddUserToGroup",
    "AWS::S3::BucketPolicy": "aws:s3:PutBucketPolicy",
    "AWS::S3::Bucket": "aws:s3:CreateBucket",
    "AWS::SQS::QueuePolicy": "aws:sqs:SetQueueAttributes",
    "AWS::SNS::TopicPolicy": "aws:sns:SetTopicAttributes",
    "AWS::SNS::Subscription": "aws:sns:Subscribe",
    "AWS::Lambda::Permission": "aws:lambda:AddPermission",
    "AWS::Lambda::Url": "aws:lambda:CreateFunctionUrlConfig",
    "AWS::Lambda::Version": "aws:lambda:PublishVersion",
    "AWS::Lambda::LayerVersion": "aws:lambda:PublishLayerVersion",
    "AWS::Lambda::EventInvokeConfig": "aws:lambda:PutFunctionEventInvokeConfig",
    "AWS::EMR::Cluster": "aws:emr:RunJobFlow",
    "AWS::EMR::InstanceGroupConfig": "aws:emr:AddInstanceGroups",
    "AWS::EMR::InstanceFleetConfig": "aws:emr:AddInstanceFleet",
    "AWS::EMR::Step": "aws:emr:AddJobFlowSteps",
    "AWS::MSK::Cluster": "aws:kafka:CreateCluster",
    "AWS::MSK::ServerlessCluster": "aws:kafka:CreateClusterV2",
    "AWS::AmazonMQ::Broker": "aws:mq:CreateBroker",
    "AWS::OpenSearchService::Domain": "aws:opensearch:CreateDomain",
    "AWS::Elasticsearch::Domain": "aws:es:CreateElasticsearchDomain",
    "AWS::KinesisFirehose::DeliveryStream": "aws:firehose:CreateDeliveryStream",
    "AWS::CloudWatch::Alarm": "aws:cloudwatch:PutMetricAlarm",
    "AWS::CloudWatch::CompositeAlarm": "aws:cloudwatch:PutCompositeAlarm",
    "AWS::CloudWatch::Dashboard": "aws:cloudwatch:PutDashboard",
    "AWS::Events::EventBusPolicy": "aws:events:PutPermission",
    "AWS::Cognito::UserPool": "aws:cognito-idp:CreateUserPool",
    "AWS::Cognito::UserPoolClient": "aws:cognito-idp:CreateUserPoolClient",
    "AWS::Cognito::UserPoolUser": "aws:cognito-idp:AdminCreateUser",
    "AWS::Cognito::IdentityPool": "aws:cognito-identity:CreateIdentityPool",
    "AWS::Cognito::IdentityPoolRoleAttachment": "aws:cognito-identity:SetIdentityPoolRoles",
    "AWS::CertificateManager::Certificate": "aws:acm:RequestCertificate",
    "AWS::AutoScaling::ScheduledAction": "aws:autoscaling:PutScheduledUpdateGroupAction",
    "AWS::Route53::RecordSet": "aws:route53:ChangeResourceRecordSets",
    "AWS::Route53::RecordSetGroup": "aws:route53:ChangeResourceRecordSets",
    "AWS::ApiGateway::Account": "aws:apigateway:UpdateAccount",
    "AWS::AppSync::GraphQLApi": "aws:appsync:CreateGraphqlApi",
    "AWS::ECS::ClusterCapacityProviderAssociations": "aws:ecs:PutClusterCapacityProviders",
    "AWS::ElastiCache::SubnetGroup": "aws:elasticache:CreateCacheSubnetGroup",
    "AWS::ElastiCache::ParameterGroup": "aws:elasticache:CreateCacheParameterGroup",
}
"""Resources whose call is not named like them."""
_OPAQUE = frozenset(
    {"AWS::CloudFormation::Stack", "AWS::CloudFormation::StackSet", "AWS::CloudFormation::ChangeSet"}
    | {"AWS::CloudFormation::Macro", "AWS::CloudFormation::CustomResource", "AWS::DynamoDB::GlobalTable"}
    | {"AWS::ServiceCatalog::CloudFormationProvisionedProduct", "AWS::CloudFormation::ModuleVersion"}
)
"""Resources that bring about more than one call says: nobody prices them."""
_BESIDE: Mapping[str, Mapping[str, str]] = {
    "AWS::EC2::SecurityGroup": {
        "SecurityGroupIngress": "aws:ec2:AuthorizeSecurityGroupIngress",
        "SecurityGroupEgress": "aws:ec2:AuthorizeSecurityGroupEgress",
    },
    "AWS::S3::Bucket": {
        "AccessControl": "aws:s3:PutBucketAcl",
        "PublicAccessBlockConfiguration": "aws:s3:PutPublicAccessBlock",
        "ReplicationConfiguration": "aws:s3:PutBucketReplication",
        "LifecycleConfiguration": "aws:s3:PutBucketLifecycleConfiguration",
    },
    "AWS::IAM::Role": {"Policies": "aws:iam:PutRolePolicy", "ManagedPolicyArns": "aws:iam:AttachRolePolicy"},
    "AWS::Lambda::Version": {"ProvisionedConcurrencyConfig": "aws:lambda:PutProvisionedConcurrencyConfig"},
    "AWS::Lambda::Alias": {"ProvisionedConcurrencyConfig": "aws:lambda:PutProvisionedConcurrencyConfig"},
    "AWS::IAM::User": {"LoginProfile": "aws:iam:CreateLoginProfile", "Policies": "aws:iam:PutUserPolicy"},
}
"""Properties that stand for a call of their own."""
_FREE = frozenset(
    {"AWS::CDK::Metadata", "AWS::CloudFormation::WaitConditionHandle", "AWS::CloudFormation::WaitCondition"}
)
"""Resources that stand for nothing outside the stack."""
_HARMLESS = re.compile(
    r".*(?:Id|Arn|ARN|Name|Role|Roles|Description|Prefix|Key|Policy|Document|Password|Username|Token|Uri|Url)"
    r"|Tags|UserData|SecurityGroup(?:Ids|s)|VPCSecurityGroups|VpcSecurityGroupIds|ImageId|KeyName|AvailabilityZone"
    r"|Environment|Policies|ManagedPolicyArns|Code|VPCZoneIdentifier|TargetGroupARNs|Content|Metadata|Outputs"
)
"""Properties that no price depends on."""
_COUNTED = re.compile(
    r".*(?:Type|Types|Class|Size|Count|Capacity|Storage|Iops|Throughput|Units|Nodes|Shards|Tenancy|Mode|Engine|"
    r"Monitoring|Number|Replicas|Version|Edition|Bandwidth)(?:s|InGB|InGiB|Spec)?|(?:Num|Max|Min|Desired)[A-Z].*"
)
"""Properties that a price depends on: there a reference to another resource is no value."""
_WORDS = frozenset({"tags", "labels", "environment", "variables", "loggroupattributes"})
_SENSITIVE = re.compile(r"(?i).*(?:password|secret|token|credential|userdata|environment|privatekey|variables).*")
_GROUP = "AWS::AutoScaling::AutoScalingGroup"
_MACHINE_OWN = {"Tags": "", "SourceDestCheck": "", "PropagateTagsToVolumeOnCreation": ""}


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One thing a stack brings about: the call that would make it, its parameters, and the type it is written as."""

    operation: str
    parameters: Mapping[str, Value]
    quantity: int
    kind: str

    @property
    def sensitive(self) -> frozenset[str]:
        """Parameters that may hold a secret."""
        return frozenset(name for name in self.parameters if _SENSITIVE.fullmatch(name))


def parts(operation: str, parameters: Mapping[str, Value], account: str, region: str) -> tuple[Part, ...]:
    """What an action brings about by itself; empty for an action that is whole by itself. Never raises."""
    if operation == ONE_RESOURCE:
        return _one(parameters)
    if operation not in STACKS:
        return ()
    try:
        template = _template(parameters, account, region)
        made = [part for resource in template.resources() for part in _parts(resource, template.read)]
    except (UnreadableTemplate, TooMuch) as error:
        return (_unpriced(f"a template: {error}", {}),)
    if template.macros:
        made.insert(0, _unpriced("a macro", {}))
    if len(made) > PARTS_MAX:
        made = [_unpriced("a very large template", {}), *made[: PARTS_MAX - 1]]
    return tuple(made) or (_unpriced("an empty template", {}),)


@dataclass(frozen=True, slots=True)
class _Read:
    """A template and its resources by logical id."""

    template: Template
    read: Mapping[str, Resource]
    macros: bool

    def resources(self) -> Sequence[Resource]:
        return list(self.read.values())


def _template(parameters: Mapping[str, Value], account: str, region: str) -> _Read:
    body = parameters.get("TemplateBody")
    if not isinstance(body, str) or parameters.get("TemplateURL") or parameters.get("UsePreviousTemplate") is True:
        raise UnreadableTemplate("it is not in the request")
    given: dict[str, Value] = {}
    rows = parameters.get("Parameters")
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, Mapping) and isinstance(name := row.get("ParameterKey"), str):
            known = row.get("UsePreviousValue") is not True and "ParameterValue" in row and name not in given
            given[name] = row["ParameterValue"] if known else UNKNOWN
    pseudo = {
        "AWS::Region": region,
        "AWS::AccountId": account,
        "AWS::Partition": partition(region),
        "AWS::StackName": str(parameters.get("StackName", "")),
        "AWS::URLSuffix": "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com",
    }
    template = Template(read_template(body), given, pseudo)
    read = {resource.logical: resource for resource in template.resources()}
    return _Read(template, read, template.macros)


def _one(parameters: Mapping[str, Value]) -> tuple[Part, ...]:
    kind, state = parameters.get("TypeName"), parameters.get("DesiredState")
    try:
        if not isinstance(kind, str) or not isinstance(state, str) or len(state) > DESIRED_STATE_CHARACTERS_MAX:
            raise UnreadableTemplate("no desired state")
        properties = parse_object(state.encode("utf-8"))
    except (UnreadableTemplate, MalformedJson, UnicodeEncodeError):
        return (_unpriced(kind if isinstance(kind, str) else "a resource", {}),)
    resource = Resource(logical="", kind=kind, properties=properties, certain=True, whole=True)
    return _parts(resource, {}) or (_unpriced(kind, properties),)


def _unpriced(kind: str, properties: Mapping[str, Value]) -> Part:
    return Part(operation=UNPRICED, parameters={"TypeName": kind, "Properties": properties}, quantity=1, kind=kind)


@cache
def _rows() -> tuple[list[str], ...]:
    """Type, service, operation and `small` of each line of `stack_types.tsv`."""
    text = files(__package__).joinpath("stack_types.tsv").read_text(encoding="ascii")
    return tuple(line.split("\t") for line in text.splitlines())


@cache
def _types() -> Mapping[str, str]:
    """CloudFormation type -> the operation that makes it."""
    return {kind: f"{index.PREFIX}{service}:{name}" for kind, service, name, _ in _rows()} | dict(_SPECIAL)


@cache
def _small_services() -> frozenset[str]:
    """Services whose members begin with a small letter, unlike properties."""
    return frozenset(service for _, service, _, letters in _rows() if letters)


def _parts(resource: Resource, others: Mapping[str, Resource]) -> tuple[Part, ...]:
    kind = resource.kind
    if kind in _FREE:
        return ()
    properties = _mapping(_plain(resource.properties))
    operation = _types().get(kind)
    if operation is None or kind in _OPAQUE or not resource.whole or index.classes_of(operation) is None:
        return (_unpriced(kind or "a resource without type", properties),)
    if kind == _GROUP:
        return (_group(resource, others, properties),)
    if _unclear(resource.properties):
        return (_unpriced(kind, properties),)
    if operation == RUN_INSTANCES:
        return (_machine(kind, _launch(resource, others), 1),)
    service = operation.split(":")[1]
    if service in _small_services():
        properties = _mapping(_small(properties))
    rename = _RENAMED.get(kind)
    if rename is not None:
        properties = rename(properties)
    count = capacity.quantity(operation, properties)
    made = [Part(operation=operation, parameters=properties, quantity=count, kind=kind)]
    for name, beside in _BESIDE.get(kind, {}).items():
        if properties.get(name):
            made.append(Part(operation=beside, parameters={name: properties[name]}, quantity=1, kind=kind))
    return tuple(made)


def _cluster(properties: Mapping[str, Value]) -> Mapping[str, Value]:
    """An EMR cluster's groups and fleets, which a template names one by one, as lists."""
    instances = dict(_mapping(properties.get("Instances")))
    for kind in ("Group", "Fleet"):
        found: list[Value] = [
            instances.pop(name)
            for name in (f"{role}Instance{kind}" for role in ("Master", "Core"))
            if name in instances
        ]
        tasks = instances.pop(f"TaskInstance{kind}s", [])
        found += tasks if isinstance(tasks, list) else []
        if found:
            instances[f"Instance{kind}s"] = found
    return {**properties, "Instances": instances}


def _spot_fleet(properties: Mapping[str, Value]) -> Mapping[str, Value]:
    rest = {name: value for name, value in properties.items() if name != "SpotFleetRequestConfigData"}
    return {**rest, "SpotFleetRequestConfig": properties.get("SpotFleetRequestConfigData")}


_RENAMED: Mapping[str, Callable[[Mapping[str, Value]], Mapping[str, Value]]] = {
    "AWS::EMR::Cluster": _cluster,
    "AWS::EC2::SpotFleet": _spot_fleet,
}
"""Resources whose properties are not named as the call's members are."""


def _group(resource: Resource, others: Mapping[str, Resource], properties: Mapping[str, Value]) -> Part:
    """A group of machines: its largest size of what its launch template or configuration in this template starts."""
    sizes = [resource.properties.get(name) for name in ("MaxSize", "DesiredCapacity", "MinSize")]
    counts = [capacity.whole(size) for size in sizes if size is not None]
    given = {name: resource.properties[name] for name in resource.properties if name not in ("LaunchTemplate",)}
    if not counts or None in counts or _unclear(given):
        return _unpriced(_GROUP, properties)
    most = max(count for count in counts if count is not None)
    template = _mapping(resource.properties.get("LaunchTemplate"))
    pointer = template.get("LaunchTemplateId") or resource.properties.get("LaunchConfigurationName")
    name = template.get("LaunchTemplateName")
    mixed = "MixedInstancesPolicy" in resource.properties or "InstanceId" in resource.properties
    source = None if mixed else _found(pointer, name, others)
    if source is None or _unclear(source.properties):
        operation = "aws:autoscaling:CreateAutoScalingGroup"
        return Part(operation=operation, parameters=properties, quantity=min(most, capacity.QUANTITY_MAX), kind=_GROUP)
    data = source.properties.get("LaunchTemplateData", source.properties)
    members = dict(_mapping(data))
    for extra in ("TagSpecifications", "LaunchConfigurationName", "SecurityGroups"):
        members.pop(extra, None)
    return _machine(_GROUP, members, most)


def _found(pointer: Value, name: Value, others: Mapping[str, Resource]) -> Resource | None:
    """The launch template or configuration of this template that a group names."""
    kinds = ("AWS::EC2::LaunchTemplate", "AWS::AutoScaling::LaunchConfiguration")
    if isinstance(pointer, Pointer):
        found = others.get(pointer.logical)
        return found if found is not None and found.kind in kinds else None
    named = [
        one
        for one in others.values()
        if one.kind in kinds and one.properties.get("LaunchTemplateName", UNKNOWN) == name
    ]
    return named[0] if type(name) is str and len(named) == 1 else None


def _launch(resource: Resource, others: Mapping[str, Resource]) -> Mapping[str, Value]:
    """Properties of an instance over those of its launch template, where that is in this template."""
    template = _mapping(resource.properties.get("LaunchTemplate"))
    if not template:
        return resource.properties
    source = _found(template.get("LaunchTemplateId"), template.get("LaunchTemplateName"), others)
    if source is None or _unclear(source.properties):
        return resource.properties
    own = {name: value for name, value in resource.properties.items() if name != "LaunchTemplate"}
    base = dict(_mapping(source.properties.get("LaunchTemplateData")))
    base.pop("TagSpecifications", None)
    return {**base, **own}


def _machine(kind: str, properties: Mapping[str, Value], count: int) -> Part:
    """Machines as `RunInstances` would start them."""
    members: dict[str, Value] = {}
    for name, value in _mapping(_plain(properties)).items():
        if name in _MACHINE_OWN:
            continue
        if name in ("Tenancy", "AvailabilityZone", "HostId", "Affinity", "HostResourceGroupArn"):
            members["Placement"] = {**_mapping(members.get("Placement")), name: value}
        elif name in ("PlacementGroupName", "PlacementTenancy"):
            inner = "GroupName" if name == "PlacementGroupName" else "Tenancy"
            members["Placement"] = {**_mapping(members.get("Placement")), inner: value}
        elif name == "IamInstanceProfile" and isinstance(value, str):
            members[name] = {"Name": value}
        elif name in ("Monitoring", "InstanceMonitoring") and not isinstance(value, Mapping):
            if value not in (False, "false"):
                members["Monitoring"] = {"Enabled": True}
        elif name == "CreditSpecification":
            credits = _mapping(value)
            members[name] = {"CpuCredits": credits.get("CPUCredits", credits.get("CpuCredits"))}
        else:
            members[name] = value
    members |= {"MinCount": count, "MaxCount": count}
    quantity = min(max(count, 0), capacity.QUANTITY_MAX)
    return Part(operation=RUN_INSTANCES, parameters=members, quantity=quantity, kind=kind)


def _unclear(properties: Mapping[str, Value]) -> bool:
    """Whether a price cannot be told: a value that matters is unknown, or another resource's."""
    stack: list[tuple[str, Value, bool]] = [(name, value, _harmless(name)) for name, value in properties.items()]
    while stack:
        name, value, harmless = stack.pop()
        if harmless:
            continue
        if isinstance(value, Unknown) or (isinstance(value, Pointer | Doubtful) and _COUNTED.fullmatch(name)):
            return True
        if isinstance(value, Mapping):
            stack += [(key, member, _harmless(key)) for key, member in value.items()]
        elif isinstance(value, list):
            stack += [(name, member, False) for member in value]
    return False


def _harmless(name: str) -> bool:
    return _HARMLESS.fullmatch(name) is not None and _COUNTED.fullmatch(name) is None


def _plain(value: Value) -> Value:
    """A resolved value without our own kinds of text in it."""
    if isinstance(value, Unknown):
        return UNKNOWN_TEXT
    if isinstance(value, Pointer | Doubtful):
        return str(value)
    if isinstance(value, Mapping):
        return {name: _plain(member) for name, member in value.items()}
    return [_plain(member) for member in value] if isinstance(value, list) else value


def _small(value: Value) -> Value:
    if isinstance(value, Mapping):
        return {
            key[:1].lower() + key[1:]: member if key.lower() in _WORDS else _small(member)
            for key, member in value.items()
        }
    return [_small(member) for member in value] if isinstance(value, list) else value


def _mapping(value: Value) -> Mapping[str, Value]:
    return value if isinstance(value, Mapping) else {}
