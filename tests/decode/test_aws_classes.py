"""Every operation has classes, never weaker than IAM says; the golden table shows what an upgrade changes."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections import Counter
from fnmatch import fnmatchcase
from pathlib import Path

import botocore
import pytest

from bench import aws_sample
from comptroller.core.action import ActionClass as C
from comptroller.decode.aws import AwsCodec, index
from comptroller.decode.aws.reviewed import EXCEPTIONS, REVIEWED, Rule

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests/golden/aws_classes.tsv"
BY_HAND = ROOT / "tools/aws_read_by_hand.txt"

EXPECTED = {
    "aws:ec2:RunInstances": {C.PROVISION},
    "aws:ec2:DescribeInstances": {C.READ},
    "aws:ec2:CreateVpc": {C.WRITE},
    "aws:ec2:TerminateInstances": {C.DESTROY},
    "aws:ec2:StopInstances": {C.WRITE},
    "aws:ec2:AuthorizeSecurityGroupIngress": {C.ENTITLE},
    "aws:ec2:ModifySnapshotAttribute": {C.ENTITLE},
    "aws:ec2:GetPasswordData": {C.REVEAL},
    "aws:ec2:DeleteFlowLogs": {C.BLIND, C.DESTROY},
    "aws:ec2:PurchaseReservedInstancesOffering": {C.PAY},
    "aws:elbv2:CreateLoadBalancer": {C.PROVISION},
    "aws:elb:CreateLoadBalancer": {C.PROVISION},
    "aws:iam:CreateAccessKey": {C.ENTITLE, C.REVEAL},
    "aws:iam:PutUserPolicy": {C.ENTITLE},
    "aws:iam:ListUsers": {C.READ},
    "aws:sts:AssumeRole": {C.ENTITLE, C.REVEAL},
    "aws:sts:GetCallerIdentity": {C.READ},
    "aws:secretsmanager:GetSecretValue": {C.REVEAL},
    "aws:secretsmanager:BatchGetSecretValue": {C.REVEAL},
    "aws:kms:Decrypt": {C.REVEAL},
    "aws:s3:GetObject": {C.READ},
    "aws:s3:HeadObject": {C.READ},
    "aws:s3:ListObjectsV2": {C.READ},
    "aws:s3:PutObject": {C.WRITE},
    "aws:s3:DeleteBucket": {C.DESTROY},
    "aws:s3:DeleteObjects": {C.DESTROY},
    "aws:lambda:Invoke": {C.EXECUTE},
    "aws:lambda:CreateFunction": {C.EXECUTE, C.PROVISION},
    "aws:lambda:UpdateFunctionCode": {C.EXECUTE},
    "aws:ssm:SendCommand": {C.EXECUTE},
    "aws:ses:SendEmail": {C.COMMUNICATE},
    "aws:sns:Publish": {C.COMMUNICATE},
    "aws:cloudtrail:StopLogging": {C.BLIND},
    "aws:bedrock-runtime:InvokeModel": {C.INFER},
    "aws:bedrock-runtime:Converse": {C.INFER},
    "aws:route53domains:RegisterDomain": {C.PAY},
    "aws:savingsplans:CreateSavingsPlan": {C.PAY},
    "aws:dynamodb:GetItem": {C.READ},
    "aws:dynamodb:PutItem": {C.WRITE},
    "aws:sqs:SendMessage": {C.WRITE},
    "aws:sqs:PurgeQueue": {C.DESTROY},
}


@pytest.mark.parametrize("operation", EXPECTED)
def test_reviewed_operations(operation: str) -> None:
    assert index.classes_of(operation) == EXPECTED[operation]


def test_every_operation_has_classes_as_in_the_golden_table() -> None:
    """The shipped index and the table a person reviews are the same."""
    lines = [f"{name}\t{','.join(sorted(index.classes_of(name) or ()))}" for name in index.operations()]
    assert lines == GOLDEN.read_text().splitlines()
    assert len(lines) > 19_000
    assert not any(line.endswith("\t") or "unknown" in line for line in lines)
    assert GOLDEN.stat().st_size < 2_000_000


def test_no_class_is_missing_from_the_table() -> None:
    counted = Counter(one for name in index.operations() for one in index.classes_of(name) or ())
    assert set(counted) == set(C) - {C.UNKNOWN}


@pytest.mark.parametrize("name", ["provision", "pay", "entitle", "destroy", "blind", "execute", "reveal"])
def test_each_dangerous_class_has_its_list_with_reasons(name: str) -> None:
    rules = [rule for rule in REVIEWED if rule.classes == name]
    assert rules
    assert all(len(rule.reason) > 14 and rule.operations.split() for rule in rules)


def test_every_reviewed_name_is_an_operation() -> None:
    """A rule for what botocore no longer has would hide that its successor has none."""
    known: dict[str, list[str]] = {}
    for operation in index.operations():
        _, service, name = operation.split(":")
        known.setdefault(service, []).append(name)

    def speaks(rule: Rule, pattern: str) -> bool:
        return any(fnmatchcase(name, pattern) for service in rule.services.split() for name in known.get(service, ()))

    named = [rule for rule in (*REVIEWED, *EXCEPTIONS) if rule.services != "*"]
    assert {service for rule in named for service in rule.services.split()} <= known.keys()
    assert [(rule, one) for rule in named for one in rule.operations.split() if not speaks(rule, one)] == []


def test_rules_classes_stand_in_the_index_by_name() -> None:
    """What a rule names in full is at least what it says, unless the operation is exempt by name."""
    exempt = {
        (service, name) for rule in EXCEPTIONS for service in rule.services.split() for name in rule.operations.split()
    }
    weaker = [
        (service, name, rule.classes)
        for rule in REVIEWED
        for service in rule.services.split()
        for name in rule.operations.split()
        if (service, name) not in exempt
        and (found := index.classes_of(f"aws:{service}:{name}")) is not None
        and C(rule.classes) not in found
    ]
    assert weaker == []


def test_what_no_rule_names_was_read_by_hand() -> None:
    """The list of what a person has read and left alone speaks of operations that exist, and makes none dangerous."""
    read = BY_HAND.read_text().split()
    assert set(read) <= set(index.operations())
    assert all((index.classes_of(name) or frozenset()) <= {C.READ, C.WRITE, C.ENTITLE} for name in read)


@pytest.mark.parametrize("path", [aws_sample.SAMPLE, aws_sample.AGAIN], ids=["first", "again"])
def test_the_sample_judged_by_hand_is_right_and_misses_no_danger(path: Path) -> None:
    right, total, misses = aws_sample.measure(path)
    assert right / total >= 0.98
    assert misses == {}


@pytest.mark.parametrize(("path", "size"), [(aws_sample.SAMPLE, 300), (aws_sample.AGAIN, 100)], ids=["first", "again"])
def test_the_sample_is_what_its_seed_draws(path: Path, size: int) -> None:
    sample = aws_sample.load(path)
    assert len(sample.classes) == size
    assert all(sample.reasons.values())
    if sample.botocore == botocore.__version__:
        everything = sorted(index.operations())
        assert len(everything) == sample.drawn_from
        assert list(sample.classes) == random.Random(sample.seed).sample(everything, size)


def test_looking_is_rarely_more_than_reading() -> None:
    """Of what only looks by its name, no more than what is documented to return secrets is ever held."""
    looks = [name for name in index.operations() if name.rpartition(":")[2].startswith(("Describe", "List"))]
    more = [name for name in looks if not (index.classes_of(name) or frozenset()) <= {C.READ, C.INFER}]
    assert len(more) / len(looks) < 0.005
    gets = [name for name in index.operations() if name.rpartition(":")[2].startswith("Get")]
    more = [name for name in gets if not (index.classes_of(name) or frozenset()) <= {C.READ, C.INFER, C.WRITE}]
    assert len(more) / len(gets) < 0.04


def test_what_changes_things_is_never_only_read() -> None:
    """By verb: nothing that creates, deletes, puts or updates counts as reading."""
    verbs = ("Delete", "Create", "Put", "Update", "Terminate", "Run", "Modify", "Attach", "Purchase", "Send")
    harmless = {
        name
        for name in index.operations()
        if name.rpartition(":")[2].startswith(verbs) and index.classes_of(name) == {C.READ}
    }
    assert {name for name in harmless if name.split(":")[1] in ("ec2", "iam", "s3", "rds", "lambda", "kms")} == set()


def test_the_codec_starts_quickly_and_loads_no_model() -> None:
    code = (
        "import time; from comptroller.decode.aws import AwsCodec, model_source\n"
        "start = time.process_time(); AwsCodec(); took = time.process_time() - start\n"
        "print(took, model_source.service_model.cache_info().currsize)"
    )
    took, loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60
    ).stdout.split()
    assert float(took) < 0.1
    assert loaded == "0"


def test_the_largest_model_loads_within_the_first_request() -> None:
    start = time.process_time()
    AwsCodec().warm("aws:ec2")
    assert time.process_time() - start < 0.3
    AwsCodec().warm("aws:nothing")


@pytest.mark.nightly
@pytest.mark.timeout(600)
def test_the_index_is_what_its_generator_makes() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools/build_aws_index.py"), "--check"], capture_output=True, text=True, timeout=500
    )
    assert done.returncode == 0, done.stderr
