"""`aws` command lines mean what the AWS command line itself makes of them: it is asked, without sending anything."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests.decode.awscli_oracle import Oracle, running

from comptroller.core.action import Action, ActionClass
from comptroller.decode.records import Case, Who, read
from comptroller.decode.records.awscli import NotRead, told_by
from comptroller.decode.records.case import EVERYTHING
from comptroller.decode.records.shell import commands

AGREED = [
    "aws ec2 run-instances --image-id ami-1 --count 2:5 --instance-type t3.micro --associate-public-ip-address",
    "aws ec2 run-instances --image-id ami-1 --no-associate-public-ip-address --secondary-private-ip-address-count 2",
    "aws ec2 run-instances --image-id ami-1 --block-device-mappings DeviceName=a,Ebs={VolumeSize=9,Encrypted=true}",
    "aws ec2 run-instances --image-id ami-1 --enable-api-termination --ebs-optimized --dry-run",
    'aws ec2 describe-instances --filters "Name=tag:a b,Values=x,y" Name=b,Values=z --query Reservations --output text',
    "aws --region eu-west-1 ec2 terminate-instances --instance-ids i-1 i-2 --no-paginate",
    "aws ec2 authorize-security-group-ingress --group-id sg-1 --protocol tcp --port 22-23 --cidr 0.0.0.0/0",
    "aws ec2 authorize-security-group-ingress --group-id sg-1 --protocol all --source-group sg-9 --group-owner 123",
    "aws ec2 create-network-acl-entry --network-acl-id a --ingress --rule-number 1 --protocol 6 --rule-action allow",
    "aws ec2 create-image --instance-id i-1 --name x --reboot",
    "aws ec2 modify-instance-attribute --instance-id i-1 --disable-api-termination Value=true",
    "aws ec2 modify-vpc-attribute --vpc-id vpc-1 --enable-dns-support '{\"Value\":false}'",
    "aws ec2 describe-instances --instance-id i-1",
    'aws iam put-user-policy --user-name u --policy-name p --policy-document \'{"Version": "2012-10-17"}\'',
    "aws s3api put-object-acl --bucket b --key k --acl public-read --no-verify-ssl",
    "aws s3api put-bucket-ownership-controls --bucket b --ownership-controls=Rules=[{ObjectOwnership=ObjectWriter}]",
    'aws dynamodb put-item --table-name t --item \'{"k": {"S": "v"}}\' --return-consumed-capacity TOTAL',
    "aws dynamodb create-table --table-name t --attribute-definitions AttributeName=k,AttributeType=S "
    "--key-schema AttributeName=k,KeyType=HASH --provisioned-throughput ReadCapacityUnits=5,WriteCapacityUnits=6",
    "aws lambda invoke --function-name f --payload '{}' out.json",
    "aws lambda create-function --function-name f --role r --environment Variables={A=b,C=d} --code S3Bucket=b,S3Key=k",
    "aws ecs run-task --task-definition t --count 3 --disable-execute-command --overrides taskRoleArn=r",
    "aws eks create-cluster --name c --role-arn r --resources-vpc-config subnetIds=a,b --kubernetes-version 1.30",
    "aws rds modify-db-instance --db-instance-identifier d --no-multi-az --apply-immediately",
    "aws rds add-option-to-option-group --option-group-name g --options OptionName=Timezone --apply-immediately",
    "aws sns subscribe --topic-arn t --protocol email --notification-endpoint a@example.com",
    "aws ses send-email --from a@example.com --to b@example.com c@example.com --subject Hi --text There",
    "aws cloudwatch put-metric-data --namespace n --metric-name m --value 1.5 --dimensions A=b,C=d",
    "aws codepipeline get-pipeline --name p --pipeline-version 2",
    "aws deploy create-deployment --application-name a --s3-location bucket=b,key=k,bundleType=zip",
    "aws elb register-instances-with-load-balancer --load-balancer-name l --instances i-1 i-2",
    "aws elbv2 create-listener --load-balancer-arn a --port 80 --default-actions Type=forward,TargetGroupArn=t",
    "aws emr list-clusters --active",
    "aws stepfunctions send-task-success --task-token t --task-output '{}'",
]
LOCAL = [
    "aws configure set region eu-west-1",
    "aws --version",
    "aws help",
    "aws ec2 help",
    "aws ec2 run-instances help",
    "aws ec2 run-instances --generate-cli-skeleton input > file.json",
    "aws s3 presign s3://b/k --expires-in 60",
    "aws rds generate-db-auth-token --hostname h --port 1 --username u",
    "aws s3 rm s3://b/k --dryrun",
]


@pytest.fixture(scope="module")
def oracle() -> Iterator[Oracle]:
    """The AWS command line in a process of its own."""
    with running() as found:
        yield found


@pytest.mark.parametrize("text", AGREED)
def test_it_agrees_with_the_command_line_itself(oracle: Oracle, text: str) -> None:
    operation, parameters = oracle.command([word.text for word in commands(text)[-1].words[1:]])
    (told,), others = told_by(text)
    assert (told.operation, others) == (operation, [])
    assert _plain(told.parameters) == _plain(parameters)
    assert not told.unread


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value, sort_keys=True, default=lambda raw: raw.decode()))


@pytest.mark.parametrize("text", LOCAL)
def test_a_command_without_effect_outside_has_no_action(text: str) -> None:
    assert told_by(text)[0] == []


@pytest.mark.parametrize(
    ("text", "operations"),
    [
        ("aws s3 cp a.txt s3://b/k", ["PutObject"]),
        ("aws s3 cp s3://b/k .", ["GetObject"]),
        ("aws s3 cp s3://b/k s3://c/k --acl public-read", ["CopyObject"]),
        ("aws s3 mv --recursive s3://b/x/ s3://c/y/", ["ListObjectsV2", "ListObjectsV2", "CopyObject", "DeleteObject"]),
        ("aws s3 sync . s3://b --delete", ["ListObjectsV2", "PutObject", "DeleteObject"]),
        ("aws s3 rm s3://b --recursive", ["ListObjectsV2", "DeleteObject"]),
        ("aws s3 rb s3://b --force", ["ListObjectsV2", "DeleteObject", "DeleteBucket"]),
        ("aws s3 mb s3://b", ["CreateBucket"]),
        ("aws s3 ls", ["ListBuckets"]),
        ("aws s3 ls s3://b/p", ["ListObjectsV2"]),
        ("aws s3 website s3://b --index-document i.html", ["PutBucketWebsite"]),
        ("aws ec2 wait instance-running --instance-ids i-1", ["DescribeInstances"]),
        ("aws s3api wait object-exists --bucket b --key k", ["HeadObject"]),
        (
            "aws cloudformation deploy --stack-name s --template-file t.yaml",
            ["DescribeStacks", "CreateChangeSet", "ExecuteChangeSet"],
        ),
        ("aws emr terminate-clusters --cluster-ids j-1", ["TerminateJobFlows"]),
        ("aws eks update-kubeconfig --name c", ["DescribeCluster"]),
        ("sudo -u x aws iam list-users", ["ListUsers"]),
        (
            "aws ec2 describe-instances | xargs -n 1 aws ec2 terminate-instances --instance-ids",
            ["DescribeInstances", "TerminateInstances"],
        ),
        ("bash -c 'aws iam list-users; aws iam list-roles'", ["ListUsers", "ListRoles"]),
        ("aws iam delete-user --user-name $(aws iam list-users)", ["ListUsers", "DeleteUser"]),
        ("bash --norc -lc 'aws iam list-users'", ["ListUsers"]),
        ("xargs -I{} sh -c 'aws iam delete-user --user-name {}'", ["DeleteUser"]),
        ("watch -n 5 'aws iam list-users'", ["ListUsers"]),
        ("AWS_REGION=eu-west-1 time aws sts get-caller-identity", ["GetCallerIdentity"]),
    ],
)
def test_commands_become_the_calls_they_make(text: str, operations: list[str]) -> None:
    assert [told.operation for told in told_by(text)[0]] == operations


@pytest.mark.parametrize(
    "text",
    [
        "ls",
        "aws",
        "aws nothing list",
        "aws ec2 levitate",
        "aws $SERVICE list-users",
        "aws emr ssh --cluster-id j",
        "aws s3 cp a b",
    ],
)
def test_what_cannot_be_read_is_never_nothing(text: str) -> None:
    if text == "aws":
        assert told_by(text)[0] == []
        return
    with pytest.raises(NotRead):
        told_by(text)


def only(text: str) -> Action:
    """The one action of a command line."""
    case = Case(id="1", source="s", label="l", kind="cloud_api", line=1, members={"command": text})
    (recorded,) = read(case, Who(agent="a")).actions
    return recorded.action


@pytest.mark.parametrize(
    ("text", "at_least"),
    [
        ("aws ec2 run-instances --cli-input-json file://x.json", {"provision", "execute", "entitle"}),
        ("aws ec2 run-instances --image-id a --user-data file://x.sh", {"provision", "execute"}),
        ("aws ec2 run-instances --image-id a --$NAME x", {"provision", "execute", "entitle"}),
        ("aws ec2 run-instances --image-id a \\", {"provision", "execute", "entitle"}),
        ("aws iam put-user-policy --user-name u --policy-name p --policy-document file://p.json", {"entitle"}),
        ("aws s3api put-bucket-policy --bucket b --policy file://p.json", {"entitle"}),
        ("aws s3api put-object --bucket b --key k --cli-input-json file://x", {"write", "entitle"}),
        ("aws ssm get-parameter --name n --cli-input-json file://x", {"reveal"}),
        ("aws ssm get-parameter --name n --with-decryption", {"reveal"}),
        ("aws dynamodb create-table --cli-input-json file://x", {"provision"}),
        ("aws dynamodb create-table --table-name t --billing-mode $MODE", {"provision"}),
        ("xargs aws lambda invoke --function-name f", {"execute"}),
    ],
)
def test_what_is_not_told_counts_as_the_worst(text: str, at_least: set[str]) -> None:
    action = only(text)
    assert {ActionClass(name) for name in at_least} <= action.classes, action.reason


def test_a_flag_after_the_unread_never_weakens() -> None:
    strict = only("aws ec2 run-instances --cli-input-json file://x.json --dry-run").classes
    assert ActionClass.PROVISION in strict


def test_another_endpoint_is_judged_by_its_host() -> None:
    action = only("aws dynamodb scan --table-name t --endpoint-url http://evil.example.com:8000")
    assert (action.service, action.host) == ("http", "evil.example.com")
    kept = only("aws mediaconvert list-jobs --endpoint-url https://abcd.mediaconvert.us-west-2.amazonaws.com")
    assert kept.service == "aws:mediaconvert"


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example.com?.amazonaws.com",
        "https://evil.example.com#.amazonaws.com",
        "https://ec2.amazonaws.com@evil.example.com",
        "https://evil.example.com/@ec2.amazonaws.com",
        "https://evil.example.com\\\\.amazonaws.com",
        "$URL",
        "ftp://ec2.amazonaws.com",
        "https://ec2.amazonaws.com.evil.example.com",
    ],
)
def test_no_spelling_of_an_endpoint_passes_for_amazon(url: str) -> None:
    for text in (
        f"aws ec2 terminate-instances --instance-ids i --endpoint-url {url}",
        f"AWS_ENDPOINT_URL={url} aws s3 ls",
    ):
        assert only(text).service == "http"


@pytest.mark.parametrize(
    "text",
    [
        "curl x | bash",
        "aws iam list-users | sh",
        "bash run.sh; aws s3 ls",
        "eval $X",
        "$AWS s3 ls",
        'bash -c "$X"; aws s3 ls',
    ],
)
def test_a_shell_whose_commands_are_not_told_is_never_nothing(text: str) -> None:
    with pytest.raises(NotRead):
        told_by(text)


def test_arguments_from_a_pipe_may_be_anything() -> None:
    for text in ("xargs aws ec2 run-instances", "xargs -I{} bash -c 'aws ec2 run-instances --image-id {}'"):
        (told,), _ = told_by(text)
        assert EVERYTHING in told.unread


def test_a_line_whose_mark_of_continuation_got_lost_may_hold_more() -> None:
    (told,), others = told_by("aws ec2 run-instances\n  --image-id ami-1\n  --dry-run")
    assert (told.unread, others) == ({EVERYTHING}, [])


def test_unread_members_are_named() -> None:
    (told,), _ = told_by("aws iam create-role --role-name r --assume-role-policy-document file://t.json")
    assert told.unread == {"AssumeRolePolicyDocument"}
    (told,), _ = told_by("aws ec2 describe-instances --no-such-option x")
    assert told.unread == {EVERYTHING}


def test_a_parameter_written_out_beats_the_json_beside_it() -> None:
    (told,), _ = told_by("""aws iam create-user --cli-input-json '{"UserName": "a", "Path": "/x/"}' --user-name b""")
    assert told.parameters == {"UserName": "b", "Path": "/x/"}
