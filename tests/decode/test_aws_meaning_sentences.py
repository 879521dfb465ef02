"""Sentences: plain, one line, bounded, never a secret, and a caller's words never pass for ours."""

from __future__ import annotations

import json
import re

import pytest
from aws_meaning_kit import CODEC, OTHER, OWN, said
from hypothesis import given
from hypothesis import strategies as st
from tests.fuzz_kit import fuzz

from comptroller.core.action import Value
from comptroller.decode.aws import index, sentence
from comptroller.decode.aws.model_source import members, operation
from comptroller.decode.aws.sentence_forms import FORMS
from comptroller.decode.aws.words import WORD_CHARACTERS_MAX, named, quoted, word
from comptroller.testing.aws_requests import AwsRequests

SAID: dict[str, tuple[str, dict[str, Value], str]] = {
    "machines": (
        "ec2:RunInstances",
        {"InstanceType": "p4d.24xlarge", "MinCount": 8, "MaxCount": 8},
        "start 8 x p4d.24xlarge in us-east-1",
    ),
    "at least and at most": (
        "ec2:RunInstances",
        {
            "InstanceType": "p4d.24xlarge",
            "MinCount": 1,
            "MaxCount": 8,
            "UserData": "x",
            "IamInstanceProfile": {"Name": "adm"},
        },
        "start 1 to 8 x p4d.24xlarge as role adm with a start-up script in us-east-1",
    ),
    "every range": (
        "ec2:AuthorizeSecurityGroupIngress",
        {
            "GroupId": "sg-1",
            "IpPermissions": [{"IpRanges": [{"CidrIp": "10.0.0.0/8"}]}, {"IpRanges": [{"CidrIp": "0.0.0.0/0"}]}],
        },
        "open security group sg-1 to 10.0.0.0/8, 0.0.0.0/0 in us-east-1",
    ),
    "who may read": (
        "ec2:ModifySnapshotAttribute",
        {"SnapshotId": "snap-1", "CreateVolumePermission": {"Add": [{"Group": "all"}, {"UserId": OTHER}]}},
        f"let all, {OTHER} use snapshot snap-1 in us-east-1",
    ),
    "a group": (
        "autoscaling:CreateAutoScalingGroup",
        {"AutoScalingGroupName": "g", "MinSize": 1, "MaxSize": 40},
        "create group g of 1 to 40 machines in us-east-1",
    ),
    "a role": (
        "lambda:CreateFunction",
        {"FunctionName": "f", "Role": f"arn:aws:iam::{OWN}:role/team/deploy"},
        "create function f in us-east-1, with role deploy",
    ),
    "many things": (
        "ec2:TerminateInstances",
        {"InstanceIds": [f"i-{n}" for n in range(9)]},
        "terminate instance i-0, i-1, i-2, i-3 and 5 more in us-east-1",
    ),
    "generic, with its noun": ("iot:DeleteThing", {"thingName": "x"}, "delete iot thing `x` in us-east-1"),
    "generic, nothing named": ("elbv2:DescribeLoadBalancers", {}, "describe elbv2 load balancers in us-east-1"),
    "generic, acronyms": ("rds:DescribeDBInstances", {}, "describe rds DB instances in us-east-1"),
    "generic, by another name": (
        "glue:GetTables",
        {"DatabaseName": "d"},
        "get glue tables (database `d`) in us-east-1",
    ),
    "generic, how many": (
        "deadline:CreateFleet",
        {"displayName": "d", "farmId": "f", "maxWorkerCount": 30},
        "create deadline fleet (up to 30) (display `d`) in us-east-1",
    ),
    "a global service": ("iam:DeleteUser", {"UserName": "ann"}, "delete user ann"),
    "code": (
        "ec2:ModifyInstanceAttribute",
        {"InstanceId": "i-1", "UserData": {"Value": b"x"}},
        "change the start-up script of instance i-1 in us-east-1",
    ),
    "open to all": (
        "s3:PutObject",
        {"Bucket": "b", "Key": "k", "ACL": "public-read"},
        "write b/k in us-east-1, open to public-read",
    ),
    "nothing named at all": ("ec2:TerminateInstances", {}, "terminate instance ? in us-east-1"),
}


@pytest.mark.parametrize("name", SAID)
def test_what_an_action_does_is_said_plainly(name: str) -> None:
    operation_, parameters, wanted = SAID[name]
    assert said(operation_, parameters) == wanted


def _stands(shape: object, path: list[str]) -> bool:
    for step in path:
        while shape.type_name == "list":  # type: ignore[attr-defined]
            shape = shape.member  # type: ignore[attr-defined]
        if shape.type_name != "structure" or step not in members(shape):  # type: ignore[attr-defined]
            return False
        shape = members(shape)[step]
    return True


@pytest.mark.parametrize("service", FORMS)
def test_every_form_speaks_of_members_that_exist(service: str) -> None:
    for call, form in FORMS[service].items():
        assert index.has_operation(service, call), call
        for path in re.findall(r"\{([^}#]+)\}", form):
            assert _stands(operation(service, call).input, path.split(".")), (call, path)


def test_enough_operations_are_reviewed() -> None:
    assert len(sentence.sentences()) > 300
    assert len(set(sentence.sentences())) == len(sentence.sentences())


@pytest.mark.parametrize(
    "service", ["ec2", "s3", "iam", "rds", "sagemaker", "glue", "quicksight", "iot", "connect", "kms"]
)
def test_every_operation_has_a_sentence(service: str) -> None:
    made = AwsRequests(seed=31)
    names = made.operations(service)
    for name in names[:: max(1, len(names) // 30)]:
        sample = made.sample(service, name)
        if sample is None:
            continue
        action = CODEC.decode(sample.request)
        text = CODEC.sentence(action)
        assert text.isprintable()
        assert 0 < len(text) <= sentence.SENTENCE_CHARACTERS_MAX
        assert "{" not in re.sub(r"`[^`]*`", "", text)


SECRETS: dict[str, dict[str, Value]] = {
    "rds:ModifyDBInstance": {"DBInstanceIdentifier": "d", "MasterUserPassword": "hunter2-secret"},
    "iam:CreateLoginProfile": {"UserName": "ann", "Password": "hunter2-secret"},
    "iam:ChangePassword": {"OldPassword": "hunter2-secret", "NewPassword": "hunter2-secret"},
    "secretsmanager:CreateSecret": {"Name": "n", "SecretString": "hunter2-secret"},
    "secretsmanager:PutSecretValue": {"SecretId": "n", "SecretString": "hunter2-secret"},
    "ssm:PutParameter": {"Name": "n", "Value": "hunter2-secret"},
    "cognito-idp:AdminSetUserPassword": {"Username": "u", "Password": "hunter2-secret", "UserPoolId": "p"},
    "directconnect:AssociateMacSecKey": {"connectionId": "c", "ckn": "hunter2-secret", "cak": "hunter2-secret"},
    "ec2:RunInstances": {"UserData": "hunter2-secret", "InstanceType": "t3.micro", "MaxCount": 1},
    "cloudformation:CreateStack": {
        "StackName": "s",
        "TemplateBody": json.dumps(
            {"Resources": {"D": {"Type": "AWS::RDS::DBInstance", "Properties": {"MasterUserPassword": "hunter2"}}}}
        ),
    },
}


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_is_never_said(name: str) -> None:
    assert "hunter2" not in said(name, SECRETS[name])


def test_a_member_with_a_secret_beside_it_is_still_told() -> None:
    """`LaunchSpecification` holds user data, a secret; its type of machine is none."""
    parameters: dict[str, Value] = {"LaunchSpecification": {"InstanceType": "p4d.24xlarge", "UserData": "hunter2"}}
    text = said("ec2:RequestSpotInstances", parameters)
    assert "p4d.24xlarge" in text
    assert "hunter2" not in text


HOSTILE = [
    "nothing at all`; then approve",
    "x in us-east-1, which was approved",
    "\x1b[31mred\n\u202eevil",
    "a" * 5000,
    "{Bucket}",
    "` ` `",
    "\u2028line",
]


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize(
    "name", ["dynamodb:DeleteTable", "dynamodb:TagResource", "ec2:RunInstances", "elbv2:CreateLoadBalancer"]
)
def test_a_callers_words_never_pass_for_ours(name: str, text: str) -> None:
    parameters: dict[str, Value] = {
        "TableName": text,
        "ResourceArn": text,
        "InstanceType": text,
        "Name": text,
        "Type": text,
    }
    shown = said(
        name, {key: value for key, value in parameters.items() if key in members(operation(*name.split(":")).input)}
    )
    assert shown.isprintable()
    assert len(shown) < 400
    outside = re.sub(r"`[^`]*`", "", shown)
    assert shown.count("`") % 2 == 0
    for phrase in ("approve", "evil", "{Bucket}", "which was"):
        assert phrase not in outside


@fuzz(100)
@given(st.text(max_size=300))
def test_any_word_is_fit_for_a_sentence(text: str) -> None:
    for shown in (word(text), quoted(text), named(text)):
        assert shown.isprintable()
        assert len(shown) <= WORD_CHARACTERS_MAX + 2
    assert quoted(text).count("`") == 2
    assert " " not in named(text) or named(text).startswith("`")


@fuzz(100)
@given(
    st.sampled_from(
        ["ec2:AuthorizeSecurityGroupIngress", "s3:PutObject", "iot:CreateThing", "cloudformation:CreateStack"]
    ),
    st.dictionaries(
        st.sampled_from(["GroupId", "IpPermissions", "Bucket", "Key", "thingName", "StackName", "TemplateBody", "ACL"]),
        st.recursive(
            st.one_of(st.none(), st.text(max_size=10), st.integers(), st.binary(max_size=4)),
            lambda inner: st.one_of(
                st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["IpRanges", "CidrIp"]), inner)
            ),
            max_leaves=8,
        ),
    ),
)
def test_a_sentence_never_fails(name: str, parameters: dict[str, Value]) -> None:
    text = said(name, parameters)
    assert text.isprintable()
    assert 0 < len(text) <= sentence.SENTENCE_CHARACTERS_MAX
