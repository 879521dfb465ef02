"""Requests written by botocore's own clients: decoded, written anew, and decoded again to the same action."""

from __future__ import annotations

import pytest
from aws_cases import CODEC, received
from bench.aws_wire import measure

from comptroller.core.action import digest
from comptroller.decode.aws import index
from comptroller.testing.aws_requests import AwsRequests, Sample

SERVICES_SAMPLED = [
    "ec2",
    "s3",
    "iam",
    "sts",
    "ssm",
    "lambda",
    "dynamodb",
    "rds",
    "elbv2",
    "elb",
    "autoscaling",
    "cloudwatch",
    "sqs",
    "sns",
    "secretsmanager",
    "kms",
    "eks",
    "ecs",
    "ecr",
    "cloudformation",
    "route53",
    "cloudfront",
    "s3control",
    "sagemaker",
    "bedrock-runtime",
    "logs",
    "glue",
    "apigateway",
    "sesv2",
    "organizations",
]
PER_SERVICE = 14
ALSO_KNOWN_AS = {
    "docdb": {"rds"},
    "neptune": {"rds"},
    "wisdom": {"qconnect"},
    "greengrassv2": {"greengrass"},
    "sms-voice": {"pinpoint-sms-voice"},
    "lambda-microvms": {"lambda"},
    "signer-data": {"signer"},
}
"""Services whose wire format is another's as well: they decode as the larger, with the classes of both."""
OLD_NAMES = {
    "GetBucketLifecycle": "GetBucketLifecycleConfiguration",
    "PutBucketLifecycle": "PutBucketLifecycleConfiguration",
    "GetBucketNotification": "GetBucketNotificationConfiguration",
    "PutBucketNotification": "PutBucketNotificationConfiguration",
}
INVENTED = {
    "ClientToken",
    "ChecksumAlgorithm",
    "ChecksumMode",
    "EncodingType",
    "ContentMD5",
    "ContentLength",
    "checksum",
}
"""Members that a client adds, or that are made anew on the way out."""


def _plain(value: object) -> object:
    """Without empty members, which several protocols cannot write."""
    if isinstance(value, dict):
        return {k: v for k, v in ((k, _plain(v)) for k, v in value.items()) if v not in ({}, [])}
    if isinstance(value, list):
        return [v for v in map(_plain, value) if v not in ({}, [])]
    return value


def _check(sample: Sample) -> None:
    action = CODEC.decode(sample.request)
    label = f"{sample.service}:{sample.operation}: {action.reason}"
    assert not action.undecodable, label
    sent = CODEC.encode(action, sample.request)
    again = CODEC.decode(received(sent, sample.request))
    assert again == action, label
    assert digest(again) == digest(action), label
    assert again.call.idempotency == action.call.idempotency, label


def _exact(sample: Sample) -> bool:
    action = CODEC.decode(sample.request)
    _, service, name = action.operation.split(":")
    named = OLD_NAMES.get(sample.operation, sample.operation)
    assert name == named, f"{sample.service}:{sample.operation} decoded as {action.operation}"
    assert service == sample.service or service in ALSO_KNOWN_AS.get(sample.service, set()), sample
    tokens = action.call.idempotency.keys()
    wanted = {k: v for k, v in sample.parameters.items() if k not in INVENTED and not k.startswith("SSE")}
    found = {k: v for k, v in action.parameters.items() if k not in INVENTED and not k.startswith("SSE")}
    return _plain({k: v for k, v in wanted.items() if k not in tokens and "Presigned" not in k}) == _plain(found)


@pytest.mark.parametrize("service", SERVICES_SAMPLED)
def test_what_botocore_writes_is_understood_and_survives(service: str) -> None:
    made = AwsRequests(seed=11)
    names = made.operations(service)
    step = max(1, len(names) // PER_SERVICE)
    samples = [s for name in names[::step][:PER_SERVICE] if (s := made.sample(service, name)) is not None]
    assert samples
    for sample in samples:
        _check(sample)
    assert sum(map(_exact, samples)) >= len(samples) - 1


def test_every_s3_operation_is_told_from_every_other() -> None:
    made = AwsRequests(seed=5)
    wrong = []
    for name in made.operations("s3"):
        sample = made.sample("s3", name)
        if sample is None or name in OLD_NAMES:
            continue
        action = CODEC.decode(sample.request)
        if action.operation != f"aws:s3:{name}":
            wrong.append((name, action.operation, action.reason))
    assert wrong == []


@pytest.mark.parametrize("name", ["ListBuckets", "ListDirectoryBuckets"])
def test_the_two_lists_of_buckets_are_told_apart_by_host(name: str) -> None:
    sample = AwsRequests(seed=3).sample("s3", name, {})
    assert sample is not None
    assert CODEC.decode(sample.request).operation == f"aws:s3:{name}"


@pytest.mark.nightly
@pytest.mark.timeout(1200)
def test_nearly_every_operation_of_every_service() -> None:
    """All serialisable operations: no wrong operation outside the known twins, and at most 1 % refused."""
    total = unknown = exact = 0
    for sample in AwsRequests(seed=7).samples():
        action = CODEC.decode(sample.request)
        total += 1
        if action.undecodable:
            unknown += 1
            continue
        sent = CODEC.encode(action, sample.request)
        assert CODEC.decode(received(sent, sample.request)) == action, (sample.service, sample.operation)
        if action.operation.endswith(":DescribeEndpoints"):
            continue
        exact += _exact(sample)
    assert total > 19_000
    assert unknown < total // 100
    assert exact > total * 99 // 100


def test_unknown_services_have_no_classes() -> None:
    assert index.classes_of("aws:nothing:Do") is None
    assert index.classes_of("aws:ec2:Nothing") is None
    assert index.classes_of("stripe:ec2:RunInstances") is None


def test_operations_and_parameters_are_right_nearly_always() -> None:
    found = measure(quick=True)
    assert found.total > 500
    assert found.operation >= 0.995 * found.total, found.wrong
    assert found.parameters >= 0.99 * found.total, found.unequal
    assert found.classed >= 0.995 * found.total


@pytest.mark.nightly
@pytest.mark.timeout(1200)
def test_the_goals_hold_over_everything() -> None:
    found = measure()
    assert found.total > 19_500
    assert found.operation >= 0.995 * found.total, found.wrong
    assert found.parameters >= 0.998 * found.total, found.unequal
    assert found.classed >= 0.998 * found.total
