"""What parameters add to an action's classes, and that nothing a caller controls takes one away."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping

import aws_cases as cases
import pytest
from aws_meaning_kit import CODEC, OTHER, OWN, act, said
from hypothesis import given
from hypothesis import strategies as st
from tests.fuzz_kit import fuzz

from comptroller.core.action import ActionClass as C
from comptroller.core.action import Value, digest
from comptroller.decode.aws import classes, index, indirect
from comptroller.testing.aws_requests import AwsRequests

ROLE = f"arn:aws:iam::{OWN}:role/deploy"

ADDS: Mapping[str, tuple[str, dict[str, Value], set[C]]] = {
    "user data": ("ec2:RunInstances", {"UserData": "x", "MaxCount": 1}, {C.EXECUTE}),
    "a launch template": ("ec2:RunInstances", {"LaunchTemplate": {"LaunchTemplateId": "lt-1"}}, {C.EXECUTE}),
    "a profile": ("ec2:RunInstances", {"IamInstanceProfile": {"Name": "x"}}, {C.ENTITLE}),
    "a fleet of templates": (
        "ec2:CreateFleet",
        {"LaunchTemplateConfigs": [{"LaunchTemplateSpecification": {"LaunchTemplateId": "lt-1"}}]},
        {C.EXECUTE},
    ),
    "user data of a spot fleet": (
        "ec2:RequestSpotFleet",
        {"SpotFleetRequestConfig": {"LaunchSpecifications": [{"UserData": "x"}], "IamFleetRole": ROLE}},
        {C.EXECUTE, C.ENTITLE},
    ),
    "a profile in a template": (
        "ec2:CreateLaunchTemplate",
        {"LaunchTemplateName": "x", "LaunchTemplateData": {"IamInstanceProfile": {"Arn": "x"}}},
        {C.ENTITLE},
    ),
    "user data of a machine": (
        "ec2:ModifyInstanceAttribute",
        {"InstanceId": "i", "UserData": {"Value": b"x"}},
        {C.EXECUTE},
    ),
    "user data of a machine, old form": (
        "ec2:ModifyInstanceAttribute",
        {"InstanceId": "i", "Attribute": "userData", "Value": "x"},
        {C.EXECUTE},
    ),
    "groups of a machine": ("ec2:ModifyInstanceAttribute", {"InstanceId": "i", "Groups": ["sg-1"]}, {C.ENTITLE}),
    "a group like a machine": ("autoscaling:CreateAutoScalingGroup", {"InstanceId": "i-1"}, {C.EXECUTE}),
    "a group of a template": (
        "autoscaling:CreateAutoScalingGroup",
        {"MixedInstancesPolicy": {"LaunchTemplate": {"LaunchTemplateSpecification": {"LaunchTemplateId": "x"}}}},
        {C.EXECUTE},
    ),
    "a function's role": ("lambda:CreateFunction", {"FunctionName": "f", "Role": ROLE}, {C.ENTITLE}),
    "a role by its name": ("glue:CreateJob", {"Name": "j", "Role": "user", "Command": {}}, {C.ENTITLE}),
    "roles of tasks": ("ecs:RegisterTaskDefinition", {"family": "f", "taskRoleArn": "x"}, {C.ENTITLE}),
    "roles of a cluster": ("emr:RunJobFlow", {"Name": "x", "JobFlowRole": "EMR_EC2_DefaultRole"}, {C.ENTITLE}),
    "bootstrap actions": (
        "emr:RunJobFlow",
        {"Name": "x", "BootstrapActions": [{"Name": "b", "ScriptBootstrapAction": {"Path": "s3://x"}}]},
        {C.EXECUTE},
    ),
    "a training image": (
        "sagemaker:CreateTrainingJob",
        {"TrainingJobName": "t", "RoleArn": ROLE, "AlgorithmSpecification": {"TrainingImage": "x"}},
        {C.EXECUTE, C.ENTITLE},
    ),
    "a model's container": (
        "sagemaker:CreateModel",
        {"ModelName": "m", "PrimaryContainer": {"Image": "x"}, "ExecutionRoleArn": ROLE},
        {C.EXECUTE, C.ENTITLE},
    ),
    "nodes of a template": ("eks:CreateNodegroup", {"launchTemplate": {"id": "lt-1"}, "nodeRole": ROLE}, {C.EXECUTE}),
    "an open database": (
        "rds:CreateDBInstance",
        {"DBInstanceIdentifier": "d", "PubliclyAccessible": True},
        {C.ENTITLE},
    ),
    "a public project": ("codebuild:UpdateProjectVisibility", {"projectVisibility": "PUBLIC_READ"}, {C.ENTITLE}),
    "a new master password": ("rds:ModifyDBInstance", {"MasterUserPassword": "x"}, {C.ENTITLE}),
    "no more backups": ("rds:ModifyDBInstance", {"BackupRetentionPeriod": 0}, {C.DESTROY}),
    "a public object": ("s3:PutObject", {"Bucket": "b", "Key": "k", "ACL": "public-read"}, {C.ENTITLE}),
    "a grant on an object": ("s3:PutObject", {"Bucket": "b", "Key": "k", "GrantRead": "id=x"}, {C.ENTITLE}),
    "around a lock": ("s3:DeleteObject", {"Bucket": "b", "Key": "k", "BypassGovernanceRetention": True}, {C.BLIND}),
    "another account's bucket": (
        "s3:PutObject",
        {"Bucket": "b", "Key": "k", "ExpectedBucketOwner": OTHER},
        {C.ENTITLE},
    ),
    "another account's access point": (
        "s3:PutObject",
        {"Bucket": f"arn:aws:s3:us-east-1:{OTHER}:accesspoint/ap", "Key": "k"},
        {C.ENTITLE},
    ),
    "another account's key": (
        "s3:CopyObject",
        {"Bucket": "b", "Key": "k", "CopySource": "b/k", "SSEKMSKeyId": f"arn:aws:kms:us-east-1:{OTHER}:key/1"},
        {C.ENTITLE},
    ),
    "another account's queue": (
        "sqs:SendMessage",
        {"QueueUrl": f"https://sqs.us-east-1.amazonaws.com/{OTHER}/q", "MessageBody": "x"},
        {C.ENTITLE},
    ),
    "another account's stream": (
        "kinesis:PutRecord",
        {"StreamARN": f"arn:aws:kinesis:us-east-1:{OTHER}:stream/s", "Data": b"x", "PartitionKey": "p"},
        {C.ENTITLE},
    ),
    "another account's registry": ("ecr:PutImage", {"registryId": OTHER, "repositoryName": "r"}, {C.ENTITLE}),
    "a stack replaces things": (
        "cloudformation:UpdateStack",
        {"StackName": "s", "UsePreviousTemplate": True},
        {C.DESTROY},
    ),
}


@pytest.mark.parametrize("name", ADDS)
def test_parameters_add_classes(name: str) -> None:
    operation, parameters, wanted = ADDS[name]
    assert wanted <= act(operation, parameters).classes


QUIET = {
    "an object's own words": (
        "dynamodb:PutItem",
        {"TableName": "t", "Item": {"Role": {"S": ROLE[:4]}, "UserData": {"S": "x"}}},
    ),
    "a tag": (
        "ec2:CreateTags",
        {"Resources": ["i-1"], "Tags": [{"Key": "Role", "Value": f"arn:aws:iam::{OTHER}:root"}]},
    ),
    "tags as a map": ("lambda:TagResource", {"Resource": "f", "Tags": {"Role": "x", "Policy": "{}"}}),
    "an own queue": (
        "sqs:SendMessage",
        {"QueueUrl": f"https://sqs.us-east-1.amazonaws.com/{OWN}/q", "MessageBody": "x"},
    ),
    "a private object": ("s3:PutObject", {"Bucket": "b", "Key": "k", "ACL": "private"}),
    "the own bucket": ("s3:PutObject", {"Bucket": "b", "Key": "k", "ExpectedBucketOwner": OWN}),
}


@pytest.mark.parametrize("name", QUIET)
def test_a_callers_own_words_add_nothing(name: str) -> None:
    assert act(*QUIET[name]).classes == {C.WRITE}


def test_an_expected_owner_is_foreign_where_nobody_knows_the_own_account() -> None:
    parameters = {"Bucket": "b", "Key": "k", "ExpectedBucketOwner": OTHER}
    assert C.ENTITLE in act("s3:PutObject", parameters, account="").classes
    assert act("s3:GetObject", parameters, account="").classes == {C.READ}
    assert act("s3:GetObject", parameters).classes == {C.READ}


def test_foreign_accounts_are_named() -> None:
    text = said("s3:PutObject", {"Bucket": "b", "Key": "k", "SSEKMSKeyId": f"arn:aws:kms:us-east-1:{OTHER}:key/1"})
    assert text == f"write b/k in us-east-1, account {OTHER} is named (not the agent's own)"


# ------------------------------------------------------------------ dry runs

DRY = [(name, {member: value}) for name, (member, value) in classes.DRY_OPERATIONS.items()]


@pytest.mark.parametrize(("name", "parameters"), DRY)
def test_a_documented_dry_run_reads(name: str, parameters: dict[str, Value]) -> None:
    service, call = name.removeprefix("aws:").split(":")
    assert index.has_operation(service, call)
    assert act(f"{service}:{call}", parameters).classes == {C.READ}


@pytest.mark.parametrize("name", ["ec2:TerminateInstances", "kms:Decrypt", "mgh:NotifyApplicationState"])
def test_a_dry_run_of_a_whole_service_reads(name: str) -> None:
    assert act(name, {"DryRun": True}).classes == {C.READ}
    assert said(name, {"DryRun": True}).startswith("dry run: ")
    assert act(name, {"DryRun": False}).classes != {C.READ}


@pytest.mark.parametrize("value", [False, None, "true", "True", 1, "DryRun", [True], {"DryRun": True}])
def test_only_a_plain_true_is_a_dry_run(value: Value) -> None:
    assert C.DESTROY in act("ec2:TerminateInstances", {"InstanceIds": ["i-1"], "DryRun": value}).classes
    assert (
        C.EXECUTE
        in act("lambda:Invoke", {"FunctionName": "f", "InvocationType": value if value != "DryRun" else ""}).classes
    )


def test_no_dry_run_where_the_service_has_none() -> None:
    for name in ("s3:DeleteBucket", "iam:CreateUser", "rds:DeleteDBInstance"):
        assert act(name, {}).classes == index.classes_of(f"aws:{name}")
    assert C.DESTROY in act("rds:DeleteDBInstance", {"DryRun": True}).classes


# ------------------------------------------------------------------ nothing makes an action weaker

WEAKER = {*classes._WEAKER, *classes.DRY_OPERATIONS}


@pytest.mark.parametrize(
    "service", ["ec2", "s3", "iam", "lambda", "rds", "sagemaker", "ecs", "cloudformation", "sqs", "ssm"]
)
def test_no_parameter_takes_a_class_away(service: str) -> None:
    """Every operation with random parameters has at least the classes it has without any."""
    made = AwsRequests(seed=23)
    names = made.operations(service)
    for name in names[:: max(1, len(names) // 40)]:
        sample = made.sample(service, name)
        if sample is None:
            continue
        action = CODEC.decode(sample.request)
        dry = any(action.parameters.get(member) is True for member in ("DryRun", "dryRun"))
        if action.undecodable or dry or action.operation in WEAKER:
            continue
        assert (index.classes_of(action.operation) or frozenset()) <= action.classes, action.operation


WORDS = [
    *("DryRun", "dryrun", "DRYRUN", "InvocationType", "BillingMode", "WithDecryption", "Tags", "tags", "ACL", "Policy"),
    *("PolicyDocument", "RoleArn", "UserData", "Metadata", "ClientToken", "PerformCheckOnly", "ValidateOnly"),
]
NAMES = st.one_of(st.sampled_from(WORDS), st.text(max_size=12))
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.text(max_size=12),
    st.binary(max_size=8),
    st.sampled_from(
        ["DryRun", "true", "private", "PAY_PER_REQUEST", ROLE, OTHER, "{}", "*", "arn:aws:iam::aws:policy/x"]
    ),
)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=4)),
    max_leaves=12,
)
STRONG = [
    "s3:DeleteBucket",
    "iam:CreateAccessKey",
    "ec2:AuthorizeSecurityGroupIngress",
    "rds:DeleteDBInstance",
    "cloudtrail:StopLogging",
    "secretsmanager:GetSecretValue",
    "sagemaker:CreateTrainingJob",
    "ec2:RunInstances",
]


@fuzz(120)
@given(st.sampled_from(STRONG), st.dictionaries(NAMES, TREES, max_size=5))
def test_whatever_stands_in_the_parameters(name: str, parameters: dict[str, Value]) -> None:
    """Any parameters at all: total, and never weaker, except by a plain `DryRun: true` where EC2 documents it."""
    if name.startswith("ec2:") and True in (parameters.get("DryRun"), parameters.get("dryRun")):
        return
    found = classes.classes_of(f"aws:{name}", (), parameters, account=OWN)
    assert (index.classes_of(f"aws:{name}") or frozenset()) <= found


@fuzz(120)
@given(st.dictionaries(NAMES, TREES, max_size=4), st.sampled_from(["RoleArn", "roleArn", "ExecutionRoleArn", "X"]))
def test_a_role_is_found_under_anything(around: dict[str, Value], name: str) -> None:
    """An IAM role is found however deep it stands and whatever stands around it."""
    nested: Value = {name: ROLE}
    for key in list(around)[:3]:
        if key.lower() not in indirect._TAGS:
            nested = {**around, key: [nested]}
    found = indirect.find("aws:glue:CreateJob", {"Command": nested}, OWN)
    assert C.ENTITLE in found.classes()


def test_too_many_values_may_hold_anything() -> None:
    found = indirect.find("aws:sqs:SendMessage", {"X": [{"a": 1}] * indirect.VALUES_WALKED_MAX}, OWN)
    assert found.classes() == {C.ENTITLE, C.EXECUTE}


# ------------------------------------------------------------------ AWS refuses a foreign bucket


def _put(**headers: str) -> cases.Request:
    return cases.request(
        "s3", host="b.s3.us-east-1.amazonaws.com", method="PUT", target="/k", body=b"x", headers=headers
    )


def test_a_write_names_the_buckets_owner() -> None:
    given_ = _put()
    action = CODEC.decode(given_)
    sent = CODEC.encode(action, given_)
    assert ("x-amz-expected-bucket-owner", OWN) in sent.headers
    assert sent.signing is not None
    assert CODEC.decode(cases.received(sent, given_)) == action


def test_the_digest_does_not_depend_on_it() -> None:
    plain, named = CODEC.decode(_put()), CODEC.decode(_put(**{"x-amz-expected-bucket-owner": OWN}))
    assert digest(plain) == digest(named)
    assert plain == named


def test_another_owner_is_kept_and_asks() -> None:
    given_ = _put(**{"x-amz-expected-bucket-owner": OTHER})
    action = CODEC.decode(given_)
    assert C.ENTITLE in action.classes
    assert ("x-amz-expected-bucket-owner", OTHER) in CODEC.encode(action, given_).headers
    assert digest(action) != digest(CODEC.decode(_put()))


def test_a_read_and_an_unknown_account_stay_as_they_came() -> None:
    look = cases.request("s3", host="b.s3.us-east-1.amazonaws.com", method="GET", target="/k")
    unknown = dataclasses.replace(_put(), accounts={})
    for given_ in (look, unknown):
        sent = CODEC.encode(CODEC.decode(given_), given_)
        assert "x-amz-expected-bucket-owner" not in dict(sent.headers)
    own = dataclasses.replace(look, headers=(*look.headers, cases.Header("x-amz-expected-bucket-owner", OWN)))
    assert ("x-amz-expected-bucket-owner", OWN) in CODEC.encode(CODEC.decode(own), own).headers


def test_an_operation_without_the_member_is_left_alone() -> None:
    given_ = cases.request("s3", host="b.s3.us-east-1.amazonaws.com", method="PUT", target="/")
    sent = CODEC.encode(CODEC.decode(given_), given_)
    assert "x-amz-expected-bucket-owner" not in dict(sent.headers)


def test_json_in_json_is_no_way_around() -> None:
    """A policy as a JSON text within JSON, with escapes, is found and read."""
    inner = json.dumps({"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}})
    headers = {"content-type": "application/x-amz-json-1.1", "x-amz-target": "TrentService.CreateKey"}
    body = json.dumps({"Policy": inner}).replace("A", "\\u0041")
    action = CODEC.decode(cases.request("kms", body=body, headers=headers))
    assert C.ENTITLE in action.classes
    assert "full administrator" in CODEC.sentence(action)
