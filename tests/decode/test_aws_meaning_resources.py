"""Which resources a call names: whole ARNs where the parameters, the account and the region give them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from aws_meaning_kit import OTHER, OWN, act
from botocore.loaders import Loader
from hypothesis import given
from hypothesis import strategies as st
from tests.fuzz_kit import fuzz

from comptroller.core.action import Value
from comptroller.decode.aws import index, resources

ROOT = Path(__file__).resolve().parents[2]
HERE = f"us-east-1:{OWN}"

ARNS: dict[str, tuple[str, dict[str, Value], str]] = {
    "an object": ("s3:PutObject", {"Bucket": "b", "Key": "a/b c*.txt"}, "arn:aws:s3:::b/a/b c*.txt"),
    "a bucket": ("s3:DeleteBucket", {"Bucket": "b"}, "arn:aws:s3:::b"),
    "an access point": (
        "s3:GetObject",
        {"Bucket": f"arn:aws:s3:{HERE}:accesspoint/ap", "Key": "k"},
        f"arn:aws:s3:{HERE}:accesspoint/ap/object/k",
    ),
    "a table": ("dynamodb:PutItem", {"TableName": "t"}, f"arn:aws:dynamodb:{HERE}:table/t"),
    "a table by its ARN": (
        "dynamodb:PutItem",
        {"TableName": f"arn:aws:dynamodb:us-east-1:{OTHER}:table/t"},
        f"arn:aws:dynamodb:us-east-1:{OTHER}:table/t",
    ),
    "an index": ("dynamodb:Query", {"TableName": "t", "IndexName": "i"}, f"arn:aws:dynamodb:{HERE}:table/t/index/i"),
    "a function": ("lambda:Invoke", {"FunctionName": "f"}, f"arn:aws:lambda:{HERE}:function:f"),
    "a machine": ("ec2:TerminateInstances", {"InstanceIds": ["i-1"]}, f"arn:aws:ec2:{HERE}:instance/i-1"),
    "a volume": ("ec2:DeleteVolume", {"VolumeId": "vol-1"}, f"arn:aws:ec2:{HERE}:volume/vol-1"),
    "a security group": (
        "ec2:AuthorizeSecurityGroupIngress",
        {"GroupId": "sg-1"},
        f"arn:aws:ec2:{HERE}:security-group/sg-1",
    ),
    "a queue": (
        "sqs:SendMessage",
        {"QueueUrl": f"https://sqs.us-east-1.amazonaws.com/{OWN}/q"},
        f"arn:aws:sqs:{HERE}:q",
    ),
    "a queue of others": (
        "sqs:SendMessage",
        {"QueueUrl": f"https://sqs.us-east-1.amazonaws.com/{OTHER}/q"},
        f"arn:aws:sqs:us-east-1:{OTHER}:q",
    ),
    "a database": ("rds:DeleteDBInstance", {"DBInstanceIdentifier": "d"}, f"arn:aws:rds:{HERE}:db:d"),
    "a role": ("iam:DeleteRole", {"RoleName": "r"}, f"arn:aws:iam::{OWN}:role/r"),
    "a role with a path": ("iam:CreateRole", {"RoleName": "r", "Path": "/a/b/"}, f"arn:aws:iam::{OWN}:role/a/b/r"),
    "a topic": ("sns:Publish", {"TopicArn": f"arn:aws:sns:{HERE}:t"}, f"arn:aws:sns:{HERE}:t"),
    "a key": ("kms:Decrypt", {"KeyId": "k"}, f"arn:aws:kms:{HERE}:key/k"),
    "a key's alias": ("kms:Decrypt", {"KeyId": "alias/k"}, f"arn:aws:kms:{HERE}:alias/k"),
    "a parameter": ("ssm:GetParameter", {"Name": "/a/b"}, f"arn:aws:ssm:{HERE}:parameter/a/b"),
    "a log group": ("logs:DeleteLogGroup", {"logGroupName": "/aws/x"}, f"arn:aws:logs:{HERE}:log-group:/aws/x"),
    "a cluster": ("eks:DeleteCluster", {"name": "c"}, f"arn:aws:eks:{HERE}:cluster/c"),
    "a stream": ("kinesis:DeleteStream", {"StreamName": "s"}, f"arn:aws:kinesis:{HERE}:stream/s"),
}


@pytest.mark.parametrize("name", ARNS)
def test_names_become_arns(name: str) -> None:
    operation, parameters, wanted = ARNS[name]
    assert act(operation, parameters).resources[0] == wanted


def test_several_things_are_all_named() -> None:
    found = act("ec2:TerminateInstances", {"InstanceIds": ["i-1", "i-2"]}).resources
    assert found == (f"arn:aws:ec2:{HERE}:instance/i-1", f"arn:aws:ec2:{HERE}:instance/i-2")
    assert len(act("ec2:TerminateInstances", {"InstanceIds": [f"i-{n}" for n in range(500)]}).resources) == 64


def test_other_partitions() -> None:
    found = act("dynamodb:PutItem", {"TableName": "t"}, region="cn-north-1").resources
    assert found == (f"arn:aws-cn:dynamodb:cn-north-1:{OWN}:table/t",)


BARE: dict[str, tuple[str, dict[str, Value], str]] = {
    "no account": ("dynamodb:PutItem", {"TableName": "t"}, ""),
    "a name that is none": ("dynamodb:PutItem", {"TableName": "a:b/../*"}, OWN),
    "a function of another account": ("lambda:Invoke", {"FunctionName": f"{OTHER}:function:f"}, OWN),
}


@pytest.mark.parametrize("name", BARE)
def test_what_gives_no_arn_stays_as_it_came(name: str) -> None:
    operation, parameters, account = BARE[name]
    assert act(operation, parameters, account=account).resources == (next(iter(parameters.values())),)


def test_most_operations_that_name_something_give_an_arn() -> None:
    loader = Loader()
    named = given_ = 0
    for service in list(index.load().services)[::5]:
        model = loader.load_service_model(service, "service-2")
        shapes = model["shapes"]
        for operation, row in model["operations"].items():
            inner = shapes[row["input"]["shape"]].get("members", {}) if "input" in row else {}
            texts = [
                n
                for n, m in inner.items()
                if shapes[m["shape"]]["type"] == "string" and "enum" not in shapes[m["shape"]]
            ]
            parameters: dict[str, Value] = {
                name: f"arn:aws:x:{HERE}:y" if name.lower().endswith("arn") else "name-1" for name in texts
            }
            if not any(resources._naming(name) for name in parameters):
                continue
            named += 1
            found = resources.resources(f"aws:{service}:{operation}", parameters, OWN, "us-east-1")
            given_ += any(one.startswith("arn:") for one in found)
    assert named > 2_000
    assert given_ / named > 0.7


@fuzz(100)
@given(
    st.sampled_from(
        ["s3:PutObject", "dynamodb:Query", "iam:CreateRole", "sqs:SendMessage", "kms:Decrypt", "ec2:StopInstances"]
    ),
    st.dictionaries(
        st.sampled_from(
            ["Bucket", "Key", "TableName", "IndexName", "RoleName", "Path", "QueueUrl", "KeyId", "InstanceIds"]
        ),
        st.one_of(
            st.none(), st.integers(), st.text(max_size=30), st.lists(st.text(max_size=10), max_size=3), st.just("{}")
        ),
    ),
    st.sampled_from(["", OWN]),
    st.sampled_from(["", "us-east-1"]),
)
def test_any_parameters_are_named_or_left_out(
    name: str, parameters: dict[str, Value], account: str, region: str
) -> None:
    found = resources.resources(f"aws:{name}", parameters, account, region)
    assert len(found) <= resources.RESOURCES_MAX
    assert all(0 < len(one) <= resources.RESOURCE_LENGTH_MAX for one in found)


@fuzz(60)
@given(st.text(min_size=1, max_size=30), st.text(min_size=1, max_size=30))
def test_a_bucket_cannot_look_like_another(bucket: str, key: str) -> None:
    """What is no plain name gives no ARN, so that a colon or a star in it is never read as a part of one."""
    found = act("s3:PutObject", {"Bucket": bucket, "Key": key}).resources
    if found[0].startswith("arn:aws:s3:::"):
        assert found[0] == f"arn:aws:s3:::{bucket}/{key}"
        assert not set(bucket) & set("*?: ")
    else:
        assert bucket in found


def test_an_arn_has_no_region_of_its_own_choosing() -> None:
    """A name with colons is no part of an ARN: it could name another region, account or service."""
    for name in ("t:table/x", "us-west-2:1:t", "a b", "*", "?"):
        assert act("dynamodb:DeleteTable", {"TableName": name}).resources == (name,)


@pytest.mark.nightly
@pytest.mark.timeout(600)
def test_the_tables_are_what_their_generator_makes() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools/build_aws_resources.py"), "--check"],
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr


def test_no_table_is_read_before_it_is_needed() -> None:
    code = (
        "from comptroller.decode.aws import AwsCodec, resources, stack; AwsCodec()\n"
        "print(resources._lines.cache_info().currsize, stack._rows.cache_info().currsize)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["0", "0"]
