"""A stack is the sum of what it makes; what cannot be told leaves its price unknown; no template harms the reader."""

from __future__ import annotations

import json
import time
from contextlib import suppress

import pytest
from aws_meaning_kit import CODEC, act
from hypothesis import given
from hypothesis import strategies as st
from tests.fuzz_kit import fuzz

from comptroller.core.action import PARTS_MAX, Action, Value, canonical_bytes, digest
from comptroller.core.action import ActionClass as C
from comptroller.core.estimate import Unit
from comptroller.decode.aws import index, stack, template
from comptroller.decode.aws.template_text import TEMPLATE_CHARACTERS_MAX, UnreadableTemplate, read_template
from comptroller.price import estimate

TEMPLATE = """
Parameters:
  Size: {Type: Number, Default: 4}
  Kind: {Type: String, Default: m5.large}
  Image: {Type: "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>", Default: /aws/ami}
Conditions:
  Big: !Equals [!Ref Kind, p4d.24xlarge]
Mappings:
  M: {us-east-1: {N: 3}}
Resources:
  LT:
    Type: AWS::EC2::LaunchTemplate
    Properties:
      LaunchTemplateData:
        InstanceType: !Ref Kind
        ImageId: !Ref Image
        UserData: !Base64 {"Fn::Sub": "#!/bin/sh ${AWS::StackName}"}
  G:
    Type: AWS::AutoScaling::AutoScalingGroup
    Properties:
      MinSize: "1"
      MaxSize: !Ref Size
      LaunchTemplate: {LaunchTemplateId: !Ref LT, Version: !GetAtt LT.LatestVersionNumber}
      VPCZoneIdentifier: [!Ref S]
  S: {Type: AWS::EC2::Subnet, Properties: {VpcId: vpc-1, CidrBlock: 10.0.0.0/24}}
  I: {Type: AWS::EC2::Instance, Properties: {InstanceType: !If [Big, p4d.24xlarge, t3.micro], SubnetId: !Ref S}}
  N: {Type: AWS::EC2::NatGateway, Properties: {SubnetId: !Ref S}}
  X: {Type: AWS::EC2::NatGateway, Condition: Big, Properties: {SubnetId: !Ref S}}
  K: {Type: AWS::Kinesis::Stream, Properties: {ShardCount: !FindInMap [M, !Ref "AWS::Region", N]}}
  R:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument: {Statement: [{Effect: Allow, Principal: {AWS: "*"}, Action: "sts:AssumeRole"}]}
      ManagedPolicyArns: [arn:aws:iam::aws:policy/AdministratorAccess]
"""


def made(body: str, **more: Value) -> Action:
    """A stack of this template."""
    return act("cloudformation:CreateStack", {"StackName": "web", "TemplateBody": body, **more})


def one(kind: str, properties: dict[str, object], **template_: object) -> Action:
    """A stack of one resource."""
    return made(json.dumps({"Resources": {"X": {"Type": kind, "Properties": properties}}, **template_}))


def counts(action: Action) -> list[tuple[str, int]]:
    """What it is made of."""
    return [(part.operation.removeprefix("aws:"), part.quantity) for part in action.parts]


def test_a_stack_is_what_it_makes() -> None:
    action = made(TEMPLATE)
    assert counts(action) == [
        ("ec2:CreateLaunchTemplate", 1),
        ("ec2:RunInstances", 4),
        ("ec2:CreateSubnet", 1),
        ("ec2:RunInstances", 1),
        ("ec2:CreateNatGateway", 1),
        ("kinesis:CreateStream", 3),
        ("iam:CreateRole", 1),
        ("iam:AttachRolePolicy", 1),
    ]
    assert action.parts[1].parameters["InstanceType"] == "m5.large"
    assert action.parts[3].parameters["InstanceType"] == "t3.micro"
    for part in action.parts:
        assert part.classes <= action.classes
        canonical_bytes(part.parameters)
    assert {C.PROVISION, C.ENTITLE, C.EXECUTE} <= action.classes
    assert CODEC.sentence(action).startswith("create stack web: 4 x m5.large, 1 x t3.micro, 1 launch template")


def test_given_parameters_beat_defaults() -> None:
    rows = [
        {"ParameterKey": "Kind", "ParameterValue": "p4d.24xlarge"},
        {"ParameterKey": "Size", "ParameterValue": "100"},
    ]
    action = made(TEMPLATE, Parameters=rows)
    assert ("ec2:RunInstances", 100) in counts(action)
    assert sum(1 for name, _ in counts(action) if name == "ec2:CreateNatGateway") == 2
    assert "101 x p4d.24xlarge" in CODEC.sentence(action)
    assert digest(action) != digest(made(TEMPLATE))


def test_json_and_yaml_and_short_forms_say_the_same() -> None:
    """The JSON of a template makes the same parts as its YAML."""
    long = json.dumps(read_template(TEMPLATE))
    assert made(long).parts == made(TEMPLATE).parts
    assert made("\n" + long).parts == made(TEMPLATE).parts


def test_the_price_is_that_of_the_parts() -> None:
    single = estimate(act("ec2:RunInstances", {"InstanceType": "p4d.24xlarge", "MinCount": 8, "MaxCount": 8}))
    action = one("AWS::EC2::Instance", {"InstanceType": "p4d.24xlarge"})
    eight = made(
        json.dumps(
            {
                "Resources": {
                    f"I{n}": {"Type": "AWS::EC2::Instance", "Properties": {"InstanceType": "p4d.24xlarge"}}
                    for n in range(8)
                }
            }
        )
    )
    assert not estimate(action).unknown(Unit.USD_MICROS)
    assert estimate(eight).high(Unit.USD_MICROS_PER_HOUR) == single.high(Unit.USD_MICROS_PER_HOUR)
    with_bucket = made(
        json.dumps(
            {
                "Resources": {
                    "I": {"Type": "AWS::EC2::Instance", "Properties": {"InstanceType": "p4d.24xlarge"}},
                    "R": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {"Statement": []}}},
                }
            }
        )
    )
    assert estimate(with_bucket).high(Unit.USD_MICROS_PER_HOUR) == estimate(action).high(Unit.USD_MICROS_PER_HOUR)


YES = """
Conditions: {C: !Equals [%s, "%s"]}
Resources:
  I: {Type: AWS::EC2::Instance, Condition: C, Properties: {InstanceType: %s}}
"""
UNKNOWN = {
    "a looked-up count": one("AWS::Kinesis::Stream", {"ShardCount": "{{resolve:ssm:/shards}}"}),
    "a count joined to a look-up": one(
        "AWS::Kinesis::Stream", {"ShardCount": {"Fn::Join": ["", ["{{res", "olve:ssm:/shards}}"]]}}
    ),
    "an octal count": made("Resources: {K: {Type: AWS::Kinesis::Stream, Properties: {ShardCount: 0100}}}"),
    "a count in sixties": made("Resources: {K: {Type: AWS::Kinesis::Stream, Properties: {ShardCount: 1:00}}}"),
    "a count with a power": made("Resources: {K: {Type: AWS::Kinesis::Stream, Properties: {ShardCount: 1e3}}}"),
    "a macro among properties": one("AWS::EC2::Instance", {"InstanceType": "t3.micro", "Fn::Transform": {"Name": "x"}}),
    "a macro among tags": one(
        "AWS::EC2::Instance", {"InstanceType": "t3.micro", "Tags": [{"Fn::Transform": {"Name": "x"}}]}
    ),
    "a template elsewhere": act("cloudformation:CreateStack", {"StackName": "s", "TemplateURL": "https://x"}),
    "the previous template": act("cloudformation:UpdateStack", {"StackName": "s", "UsePreviousTemplate": True}),
    "both": made(TEMPLATE, TemplateURL="https://x"),
    "no template": act("cloudformation:CreateStack", {"StackName": "s"}),
    "an empty one": made("{}"),
    "a nested stack": one("AWS::CloudFormation::Stack", {"TemplateURL": "https://x"}),
    "a custom resource": one("Custom::Thing", {"ServiceToken": "arn:aws:lambda:us-east-1:123456789012:function:f"}),
    "an unknown type": one("AWS::Not::Known", {}),
    "a module": one("My::Own::Thing::MODULE", {}),
    "a macro": one("AWS::EC2::Instance", {"InstanceType": "t3.micro"}, Transform="AWS::Serverless-2016-10-31"),
    "an include": one("AWS::EC2::Instance", {"Fn::Transform": {"Name": "AWS::Include"}}),
    "a loop": made('{"Resources": {"Fn::ForEach::X": ["A", ["1", "2"], {}]}}'),
    "a count from elsewhere": one("AWS::Kinesis::Stream", {"ShardCount": {"Fn::ImportValue": "n"}}),
    "a type from elsewhere": one("AWS::EC2::Instance", {"InstanceType": {"Fn::ImportValue": "t"}}),
    "a type of another resource": one("AWS::EC2::Instance", {"InstanceType": {"Fn::GetAtt": ["X", "Type"]}}),
    "a type without a value": one(
        "AWS::EC2::Instance", {"InstanceType": {"Ref": "T"}}, Parameters={"T": {"Type": "String"}}
    ),
    "a secret type": one(
        "AWS::EC2::Instance",
        {"InstanceType": {"Ref": "T"}},
        Parameters={"T": {"Type": "String", "NoEcho": True, "Default": "t3.micro"}},
    ),
    "a looked-up type": one(
        "AWS::EC2::Instance",
        {"InstanceType": {"Ref": "T"}},
        Parameters={"T": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/x"}},
    ),
    "a condition nobody can tell": one(
        "AWS::EC2::Instance",
        {"InstanceType": {"Fn::If": ["C", "t3.micro", "p4d.24xlarge"]}},
        Conditions={"C": {"Fn::Equals": [{"Ref": "T"}, "x"]}},
        Parameters={"T": {"Type": "String"}},
    ),
    "a condition of itself": one(
        "AWS::EC2::Instance",
        {"InstanceType": {"Fn::If": ["C", "t3.micro", "p4d.24xlarge"]}},
        Conditions={"C": {"Condition": "C"}},
    ),
    "a group of a template elsewhere": one(
        "AWS::AutoScaling::AutoScalingGroup",
        {"MinSize": 1, "MaxSize": 5, "LaunchTemplate": {"LaunchTemplateId": "lt-1", "Version": "1"}},
    ),
    "a group without size": one("AWS::AutoScaling::AutoScalingGroup", {"MaxSize": {"Fn::ImportValue": "x"}}),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_cannot_be_told_has_no_price(name: str) -> None:
    action = UNKNOWN[name]
    assert action.parts
    assert C.PROVISION in action.classes
    assert C.UNKNOWN not in action.classes
    assert estimate(action).unknown(Unit.USD_MICROS), counts(action)


def test_the_sentence_names_what_nobody_can_price() -> None:
    assert "1 that nobody can price (`AWS::CloudFormation::Stack`)" in CODEC.sentence(UNKNOWN["a nested stack"])
    assert "it is not in the request" in CODEC.sentence(UNKNOWN["a template elsewhere"])


def test_a_resource_whose_condition_is_unknown_is_counted() -> None:
    body = {
        "Parameters": {"T": {"Type": "String"}},
        "Conditions": {"C": {"Fn::Equals": [{"Ref": "T"}, "x"]}, "No": {"Fn::Equals": ["a", "b"]}},
        "Resources": {
            "I": {"Type": "AWS::EC2::NatGateway", "Condition": "C", "Properties": {"SubnetId": "s"}},
            "J": {"Type": "AWS::EC2::NatGateway", "Condition": "No", "Properties": {"SubnetId": "s"}},
        },
    }
    assert counts(made(json.dumps(body))) == [("ec2:CreateNatGateway", 1)]


@pytest.mark.parametrize(
    ("word", "text"), [("yes", "true"), ("0x10", "16"), ("010", "8"), ("1_0", "10"), ("On", "true")]
)
def test_a_word_that_yaml_reads_otherwise_hides_no_resource(word: str, text: str) -> None:
    assert ("ec2:RunInstances", 1) in counts(made(YES % (word, text, "p4d.24xlarge")))


RESOURCES: dict[str, tuple[dict[str, object], str, int, set[C]]] = {
    "AWS::EC2::NatGateway": ({"SubnetId": "s"}, "ec2:CreateNatGateway", 1, {C.PROVISION}),
    "AWS::ElasticLoadBalancingV2::LoadBalancer": ({"Type": "network"}, "elbv2:CreateLoadBalancer", 1, {C.PROVISION}),
    "AWS::RDS::DBInstance": ({"DBInstanceClass": "db.m5.large"}, "rds:CreateDBInstance", 1, {C.PROVISION}),
    "AWS::EKS::Nodegroup": (
        {"ScalingConfig": {"MinSize": 1, "MaxSize": "30"}, "NodeRole": "r"},
        "eks:CreateNodegroup",
        30,
        {C.PROVISION, C.ENTITLE},
    ),
    "AWS::ECS::Service": ({"DesiredCount": 7}, "ecs:CreateService", 7, {C.PROVISION}),
    "AWS::Lambda::Function": (
        {"Code": {"ZipFile": "x"}, "Role": "r"},
        "lambda:CreateFunction",
        1,
        {C.EXECUTE, C.ENTITLE},
    ),
    "AWS::Lambda::Permission": ({"Principal": "*"}, "lambda:AddPermission", 1, {C.ENTITLE}),
    "AWS::IAM::Policy": (
        {"PolicyDocument": {"Statement": []}, "Roles": ["r"]},
        "iam:PutRolePolicy",
        1,
        {C.ENTITLE},
    ),
    "AWS::S3::BucketPolicy": (
        {"Bucket": "b", "PolicyDocument": {"Statement": []}},
        "s3:PutBucketPolicy",
        1,
        {C.ENTITLE},
    ),
    "AWS::DynamoDB::Table": (
        {"ProvisionedThroughput": {"ReadCapacityUnits": "10", "WriteCapacityUnits": 5}},
        "dynamodb:CreateTable",
        15,
        {C.PROVISION},
    ),
    "AWS::EMR::Cluster": (
        {
            "Instances": {"MasterInstanceGroup": {"InstanceCount": 1}, "CoreInstanceGroup": {"InstanceCount": "4"}},
            "JobFlowRole": "x",
        },
        "emr:RunJobFlow",
        5,
        {C.PROVISION, C.EXECUTE, C.ENTITLE},
    ),
}


@pytest.mark.parametrize("kind", RESOURCES)
def test_a_resource_is_the_call_that_makes_it(kind: str) -> None:
    properties, operation, quantity, classes = RESOURCES[kind]
    part = one(kind, properties).parts[0]
    assert (part.operation, part.quantity) == (f"aws:{operation}", quantity)
    assert classes <= part.classes


def test_properties_that_are_calls_of_their_own() -> None:
    group = one("AWS::EC2::SecurityGroup", {"SecurityGroupIngress": [{"CidrIp": "0.0.0.0/0"}]})
    assert C.ENTITLE in group.parts[1].classes
    bucket = one("AWS::S3::Bucket", {"AccessControl": "PublicRead"})
    assert [part.operation for part in bucket.parts] == ["aws:s3:CreateBucket", "aws:s3:PutBucketAcl"]


def test_every_type_leads_to_an_operation_with_classes() -> None:
    missing = [kind for kind, name in stack._types().items() if index.classes_of(name) is None]
    assert missing == []
    assert len(stack._types()) > 1500


def test_one_resource_through_cloud_control() -> None:
    state = json.dumps({"InstanceType": "p4d.24xlarge", "UserData": "x"})
    action = act("cloudcontrol:CreateResource", {"TypeName": "AWS::EC2::Instance", "DesiredState": state})
    assert counts(action) == [("ec2:RunInstances", 1)]
    assert not estimate(action).unknown(Unit.USD_MICROS)
    for bad in ("{", "[]", '{"InstanceType": "t3.micro", "InstanceType": "p4d.24xlarge"}', ""):
        broken = act("cloudcontrol:CreateResource", {"TypeName": "AWS::EC2::Instance", "DesiredState": bad})
        assert estimate(broken).unknown(Unit.USD_MICROS)


def test_secrets_of_a_template_are_marked() -> None:
    part = one("AWS::RDS::DBInstance", {"MasterUserPassword": "hunter2", "DBInstanceClass": "db.t3.micro"}).parts[0]
    assert "MasterUserPassword" in part.sensitive


# ------------------------------------------------------------------ hostile templates

REPEATED = {"Type": "AWS::EC2::NatGateway", "Properties": {"SubnetId": "s"}}
BIG = {f"k{n}": "v" * 20 for n in range(800)}
HOSTILE = {
    "aliases": "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\nResources: {}",
    "an alias to itself": "Resources: &r {X: *r}",
    "a merge key": "x: {<<: {a: 1}}\nResources: {}",
    "flow nesting": "[" * 60_000,
    "mapping nesting": "{a: " * 12_000,
    "block nesting": "".join(" " * n + "a:\n" for n in range(600)),
    "json nesting": '{"a":' * 10_000 + "1" + "}" * 10_000,
    "a python object": "Resources: !!python/object/apply:os.system [ls]",
    "an unknown tag": "Resources: !Evil x",
    "binary": "Resources: !!binary aGVsbG8=",
    "two documents": "Resources: {}\n---\nResources: {}",
    "a duplicate key": "Resources: {}\nResources: {X: 1}",
    "a list": "- a",
    "nothing": "",
    "text": "hello",
    "too long": "x" * (TEMPLATE_CHARACTERS_MAX + 1),
    "a lone surrogate": "Resources: '\ud800'",
    "control characters": "Resources: \x00\x1b",
    "too many resources": json.dumps(
        {"Resources": {f"R{n}": REPEATED for n in range(template.RESOURCES_OF_TEMPLATE_MAX + 1)}}
    ),
    "a large map used often": json.dumps(
        {
            "Mappings": {"M": {"a": {"b": [BIG]}}},
            "Resources": {
                f"R{n}": {"Type": "AWS::S3::Bucket", "Properties": {"X": {"Fn::FindInMap": ["M", "a", "b"]}}}
                for n in range(400)
            },
        }
    ),
    "a text that grows": json.dumps(
        {
            "Parameters": {"P": {"Type": "String", "Default": "x" * 4000}},
            "Resources": {
                f"R{n}": {"Type": "AWS::S3::Bucket", "Properties": {"X": {"Fn::Sub": "${P}" * 50}}} for n in range(300)
            },
        }
    ),
    "functions in functions": json.dumps(
        {
            "Resources": {
                "X": {"Type": "AWS::S3::Bucket", "Properties": {"A": {"Fn::Join": ["", [{"Fn::Join": ["", ["x"]]}]]}}}
            }
        }
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_template_is_bounded(name: str) -> None:
    start = time.process_time()
    action = made(HOSTILE[name])
    assert time.process_time() - start < 2
    assert 1 <= len(action.parts) <= PARTS_MAX
    assert CODEC.sentence(action).isprintable()
    if name != "functions in functions":
        assert estimate(action).unknown(Unit.USD_MICROS)


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(max_size=8), st.sampled_from(["X", "P", "C", "AWS::Region"])
)
FUNCTIONS = [
    "Ref",
    "Fn::Sub",
    "Fn::If",
    "Fn::Join",
    "Fn::Select",
    "Fn::Split",
    "Fn::FindInMap",
    "Fn::Base64",
    "Fn::GetAtt",
]
KEYS = st.sampled_from(
    [*FUNCTIONS, "Condition", "Type", "Properties", "MaxSize", "InstanceType", "Fn::Equals", "Fn::Not"]
)
TREES = st.recursive(
    SCALARS, lambda i: st.one_of(st.lists(i, max_size=3), st.dictionaries(KEYS, i, max_size=3)), max_leaves=15
)
KINDS = st.sampled_from(
    [
        *("AWS::EC2::Instance", "AWS::AutoScaling::AutoScalingGroup", "AWS::EC2::LaunchTemplate"),
        *("AWS::EKS::Nodegroup", "AWS::S3::Bucket", "AWS::IAM::Role", "AWS::Kinesis::Stream", "AWS::Nope::Nope"),
    ]
)


@fuzz(100)
@given(TREES, TREES, TREES, st.dictionaries(st.sampled_from(["X", "Y", "Z"]), st.tuples(KINDS, TREES), max_size=3))
def test_any_template_is_understood_or_priced_unknown(
    conditions: Value, parameters: Value, mappings: Value, resources: dict[str, tuple[str, Value]]
) -> None:
    rows = {name: {"Type": kind, "Properties": value, "Condition": "C"} for name, (kind, value) in resources.items()}
    body = {"Conditions": {"C": conditions}, "Parameters": {"P": parameters}, "Mappings": mappings, "Resources": rows}
    action = made(json.dumps(body))
    assert not action.undecodable
    assert frozenset().union(*(part.classes for part in action.parts)) <= action.classes
    assert CODEC.sentence(action).isprintable()
    for part in action.parts:
        canonical_bytes(part.parameters)


@fuzz(100)
@given(st.text(max_size=200))
def test_any_text_is_a_template_or_none(text: str) -> None:
    with suppress(UnreadableTemplate):
        read_template(text)
    assert made(text).parts


@fuzz(50)
@given(
    st.integers(1, 400), st.text(st.characters(codec="ascii", categories=["Lu", "Ll", "Nd"]), min_size=1, max_size=8)
)
def test_a_size_cannot_be_hidden_in_functions(size: int, name: str) -> None:
    """However a number is written, the group is as large."""
    forms: list[object] = [
        size,
        str(size),
        {"Ref": name},
        {"Fn::Sub": "${" + name + "}"},
        {"Fn::Join": ["", list(str(size))]},
        {"Fn::Select": [1, [0, str(size)]]},
        {"Fn::Select": ["1", {"Fn::Split": [",", f"0,{size}"]}]},
        {"Fn::FindInMap": ["M", "a", "b"]},
        {"Fn::If": ["Yes", size, 0]},
    ]
    for form in forms:
        body = {
            "Parameters": {name: {"Type": "Number", "Default": size}},
            "Conditions": {"Yes": {"Fn::Not": [{"Fn::Equals": ["a", "b"]}]}},
            "Mappings": {"M": {"a": {"b": size}}},
            "Resources": {"G-": {"Type": "AWS::Kinesis::Stream", "Properties": {"ShardCount": form}}},
        }
        assert counts(made(json.dumps(body))) == [("kinesis:CreateStream", size)], form
