"""CloudTrail events, SDK calls and hostile cases: read with the right operation and parameters, never raising."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fuzz_kit import fuzz

from comptroller.core.action import Action, ActionClass, digest
from comptroller.core.estimate import Unit
from comptroller.decode.records import READERS, Case, MalformedCase, Reading, Who, case_of, read
from comptroller.decode.records.cloudtrail import candidates
from comptroller.price import estimate
from comptroller.testing.aws_requests import AwsRequests

WHO = Who(agent="a", account="111122223333")


def reading(**members: Any) -> Reading:
    """What a case of kind `cloud_api` with these members holds."""
    return read(Case(id="1", source="s", label="l", kind="cloud_api", line=1, members=members), WHO)


def event(source: str, name: str, parameters: Any = None, **more: Any) -> Action:
    """The action of one CloudTrail event."""
    record = {"eventSource": f"{source}.amazonaws.com", "eventName": name, "requestParameters": parameters, **more}
    (recorded,) = reading(events=[{"awsRegion": "eu-west-1", **record}]).actions
    return recorded.action


# ---------------------------------------------------------------- CloudTrail


@pytest.mark.parametrize(
    ("source", "name", "given", "operation", "parameters"),
    [
        ("iam", "CreateUser", {"userName": "u"}, "aws:iam:CreateUser", {"UserName": "u"}),
        ("monitoring", "DeleteAlarms", {"alarmNames": ["a"]}, "aws:cloudwatch:DeleteAlarms", {"AlarmNames": ["a"]}),
        ("lambda", "CreateFunction20150331", {"functionName": "f"}, "aws:lambda:CreateFunction", {"FunctionName": "f"}),
        ("lambda", "UpdateFunctionCode20150331v2", {"functionName": "f"}, "aws:lambda:UpdateFunctionCode", None),
        ("cloudfront", "CreateDistribution2020_05_31", {}, "aws:cloudfront:CreateDistribution", {}),
        ("ec2", "StopInstances", {"instancesSet": {"items": [{"instanceId": "i-1"}, {"instanceId": "i-2"}]}},
         "aws:ec2:StopInstances", {"InstanceIds": ["i-1", "i-2"]}),
        ("ec2", "DescribeInstances", {"filterSet": {}, "instancesSet": {}}, "aws:ec2:DescribeInstances", {}),
        ("ec2", "AssociateAddress", {"AssociateAddressRequest": {"InstanceId": "i-1", "AllocationId": "e"}},
         "aws:ec2:AssociateAddress", {"InstanceId": "i-1", "AllocationId": "e"}),
        ("email", "SendEmail", {"source": "a@example.com"}, "aws:ses:SendEmail", {"Source": "a@example.com"}),
        ("states", "StopExecution", {"executionArn": "x"}, "aws:stepfunctions:StopExecution", {"executionArn": "x"}),
        ("s3", "PutBucketPolicy", {"bucketName": "b", "bucketPolicy": {"Statement": []}, "policy": ""},
         "aws:s3:PutBucketPolicy", {"Bucket": "b", "Policy": '{"Statement": []}', "policy": ""}),
        ("bedrock", "InvokeModel", {"modelId": "m"}, "aws:bedrock-runtime:InvokeModel", {"modelId": "m"}),
        ("elasticloadbalancing", "CreateLoadBalancer", {"name": "x", "type": "network", "subnets": ["s"]},
         "aws:elbv2:CreateLoadBalancer", {"Name": "x", "Type": "network", "Subnets": ["s"]}),
        ("elasticloadbalancing", "CreateLoadBalancer", {"loadBalancerName": "x", "listeners": []},
         "aws:elb:CreateLoadBalancer", {"LoadBalancerName": "x", "Listeners": []}),
    ],
)  # fmt: skip
def test_events_are_read(source: str, name: str, given: Any, operation: str, parameters: Any) -> None:
    action = event(source, name, given)
    assert (action.operation, action.region) == (operation, "eu-west-1") or action.region == "us-east-1"
    if parameters is not None:
        assert action.parameters == parameters


def test_the_account_is_that_of_the_event() -> None:
    assert event("iam", "ListUsers", recipientAccountId="999988887777").account == "999988887777"
    assert event("iam", "ListUsers", userIdentity={"accountId": "999988887777"}).account == "999988887777"
    assert event("iam", "ListUsers").account == "111122223333"


def test_a_redacted_value_counts_as_the_worst() -> None:
    redacted = event("ec2", "ModifyInstanceAttribute", {"instanceId": "i-1", "userData": "<sensitiveDataRemoved>"})
    assert ActionClass.EXECUTE in redacted.classes
    hidden = event("ssm", "GetParameter", {"name": "n", "withDecryption": "HIDDEN_DUE_TO_SECURITY_REASONS"})
    assert ActionClass.REVEAL in hidden.classes


def test_parameters_without_a_place_count_as_the_worst() -> None:
    assert ActionClass.REVEAL in event("ssm", "GetParameter", {"name": "n", "whatever": 1}).classes
    assert event("ssm", "GetParameter", {"name": "n"}).classes == {ActionClass.READ}


def test_a_region_that_does_not_exist_is_kept_and_has_no_price() -> None:
    action = event(
        "ec2", "RunInstances", {"instanceType": "m5.large", "minCount": 1, "maxCount": 1}, awsRegion="xx-up-9r"
    )
    assert action.region == "xx-up-9r" and estimate(action).unknown(Unit.USD_MICROS)


@pytest.mark.parametrize(
    ("source", "name"), [("nothing", "ListUsers"), ("iam", "Levitate"), ("", ""), ("signin", "ConsoleLogin")]
)
def test_an_event_nobody_knows_is_unknown(source: str, name: str) -> None:
    assert event(source, name).undecodable


def test_what_aws_did_by_itself_is_no_action() -> None:
    found = reading(
        events=[{"eventType": "AwsServiceEvent", "eventSource": "kms.amazonaws.com", "eventName": "RotateKey"}]
    )
    assert found.actions == () and found.notes == ("no call: AwsServiceEvent",)


def test_services_that_share_a_source_are_all_thought_of() -> None:
    assert {"elb", "elbv2"} <= set(candidates("elasticloadbalancing.amazonaws.com"))
    assert candidates("monitoring.amazonaws.com")[0] == "cloudwatch"


# ---------------------------------------------------------------- SDK calls


def test_a_call_goes_over_the_wire_and_comes_back_equal() -> None:
    (recorded,) = reading(
        service="ec2",
        operation="RunInstances",
        input={"ImageId": "ami-1", "MinCount": 1, "MaxCount": 3, "DryRun": False},
    ).actions
    assert recorded.wire and recorded.action.quantity == 3
    assert recorded.action.parameters == {"ImageId": "ami-1", "MinCount": 1, "MaxCount": 3, "DryRun": False}
    assert recorded.action.endpoint == "ec2.us-east-1.amazonaws.com" and digest(recorded.action)


def test_a_call_that_no_client_would_send_is_read_from_the_model() -> None:
    (recorded,) = reading(service="ec2", operation="RunInstances", input={"ImageId": "ami-1", "MaxCount": 3}).actions
    assert (recorded.wire, recorded.action.quantity) == (False, 3)
    assert "missing required field" in recorded.why_not
    assert recorded.action.classes >= {ActionClass.PROVISION}


def test_the_request_is_the_one_that_botocore_sends() -> None:
    """Real clients, caught before the wire, and records of the same calls: the same action."""
    from comptroller.decode.aws import AwsCodec

    made = AwsRequests(seed=11)
    codec = AwsCodec()
    checked = 0
    for service, operations in {
        "ec2": ("StartInstances", "CreateTags", "DescribeInstances"),
        "iam": ("CreateUser", "PutRolePolicy"),
        "sqs": ("CreateQueue", "PurgeQueue"),
        "dynamodb": ("DeleteTable", "UpdateTimeToLive"),
        "lambda": ("DeleteFunction", "UpdateFunctionConfiguration"),
        "route53": ("DeleteHostedZone",),
        "s3": ("DeleteBucket", "GetBucketAcl"),
    }.items():
        for operation in operations:
            sample = made.sample(service, operation)
            assert sample is not None
            real = codec.decode(sample.request)
            given = json.loads(json.dumps(sample.parameters, default=str))
            (recorded,) = reading(service=service, operation=operation, input=given).actions
            assert (recorded.wire, recorded.action.operation, recorded.action.classes) == (
                True,
                real.operation,
                real.classes,
            )
            assert set(recorded.action.parameters) == set(real.parameters)
            checked += 1
    assert checked == 14


def test_unread_content_has_no_price() -> None:
    known = (
        reading(command="aws ec2 run-instances --image-id ami-1 --instance-type m5.large --count 1").actions[0].action
    )
    assert not estimate(known).unknown(Unit.USD_MICROS)
    for text in ("--count $N", "--block-device-mappings file://x.json", "--cli-input-json file://x", "--nobody knows"):
        action = (
            reading(command=f"aws ec2 run-instances --image-id ami-1 --instance-type m5.large {text}").actions[0].action
        )
        assert estimate(action).unknown(Unit.USD_MICROS), text
    script = reading(
        command="aws ec2 run-instances --image-id a --instance-type m5.large --count 1 --user-data file://x"
    )
    assert not estimate(script.actions[0].action).unknown(Unit.USD_MICROS)


# ---------------------------------------------------------------- anything


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"events": []},
        {"events": [None, 1, "x", {}, {"eventSource": 5, "eventName": []}]},
        {"events": [{"eventSource": "ec2.amazonaws.com", "eventName": "RunInstances", "requestParameters": [1]}]},
        {"command": ""},
        {"command": "aws ec2 run-instances --tag-specifications " + "{" * 5000},
        {"command": "aws dynamodb put-item --item '" + '{"a":' * 5000},
        {"command": "aws s3 cp \ud800 s3://b/k"},
        {"command": "aws iam create-user --user-name \ud800"},
        {"service": "ec2", "operation": "RunInstances", "input": {"ImageId": "\ud800"}},
        {"service": "ec2", "operation": "RunInstances", "input": {"MaxCount": 10**400}},
        {"service": "ec2", "operation": "RunInstances", "input": 7},
        {"service": 1, "operation": "RunInstances"},
        {"service": "../../etc", "operation": "passwd", "input": {}},
        {"service": "dynamodb", "operation": "PutItem", "input": {"Item": {"a": {"L": [{"L": []}] * 50}}}},
    ],
)
def test_hostile_cases_are_at_worst_unknown(members: dict[str, Any]) -> None:
    found = reading(**members)
    assert found == reading(**members)
    for recorded in found.actions:
        assert recorded.action.undecodable or digest(recorded.action)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@fuzz(150)
@given(JSON)
def test_no_input_makes_the_reader_fail_or_weakens_a_call(value: Any) -> None:
    found = reading(
        service="ec2", operation="TerminateInstances", input={"InstanceIds": ["i-1"], "Force": value, "X": value}
    )
    (recorded,) = found.actions
    assert recorded.action.undecodable or ActionClass.DESTROY in recorded.action.classes
    (as_event,) = reading(
        events=[
            {"eventSource": "ec2.amazonaws.com", "eventName": "TerminateInstances", "requestParameters": {"a": value}}
        ]
    ).actions
    assert as_event.action.undecodable or ActionClass.DESTROY in as_event.action.classes


@fuzz(150)
@given(JSON)
def test_no_document_makes_the_reader_fail(value: Any) -> None:
    try:
        case = case_of(value, 1)
    except MalformedCase:
        return
    if case is not None:
        assert read(case, WHO) == read(case, WHO)


@fuzz(200)
@given(st.text(alphabet="aws ec2 run-instances s3cp --image-id=\"'{}[]$()`\\|;\n,:/@a1", max_size=80))
def test_no_command_makes_the_reader_fail(text: str) -> None:
    for command in (text, f"aws ec2 run-instances {text}", f"aws s3 cp {text}"):
        found = reading(command=command)
        assert found == reading(command=command)


def test_a_kind_without_a_reader_is_unknown_and_says_so() -> None:
    (recorded,) = read(Case(id="1", source="s", label="l", kind="telepathy", line=1, members={}), WHO).actions
    assert recorded.action.undecodable and recorded.action.reason == "no reader for kind `telepathy`"
    assert set(READERS) >= {"cloud_api", "entry"}
