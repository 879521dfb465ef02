"""Commands of the AWS command line that are no operation of their own, as the calls they make."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from comptroller.core.action import Value
from comptroller.decode.records.arguments import Given
from comptroller.decode.records.case import EVERYTHING, Unread
from comptroller.decode.records.shell import Word

S3_SCHEME = "s3://"
_ARN = re.compile(r"arn:[^:]*:s3[^:]*:[^:]*:[^:]*:(?:accesspoint|outpost/[^/]+/accesspoint)[/:][^/]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """One call that a command makes. `unread` as in `Told`; what the caller did not say stands in no file of ours."""

    service: str
    operation: str
    parameters: Mapping[str, Value] = field(default_factory=dict)
    unread: frozenset[str] = frozenset({EVERYTHING})


class Unclear(ValueError):
    """A command whose calls nobody can tell; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """The rest of such a command: its options and its other words."""

    options: Mapping[str, Given]
    words: tuple[Word, ...]

    def has(self, name: str) -> bool:
        """Whether the option stands there."""
        return name in self.options

    def value(self, name: str) -> str:
        """The value of an option, empty where it is absent."""
        given = self.options.get(name)
        return given.text if given is not None else ""


Composed = Callable[[Line], Sequence[Made]]

S3_FLAGS = frozenset(
    {"recursive", "dryrun", "quiet", "delete", "force", "follow-symlinks", "no-follow-symlinks", "only-show-errors"}
    | {"no-progress", "no-guess-mime-type", "ignore-glacier-warnings", "force-glacier-transfer", "exact-timestamps"}
    | {"size-only", "human-readable", "summarize", "validate-same-s3-paths", "no-overwrite"}
)
"""Options of `aws s3` that take no value: the word after one is a path."""


def calls(service: str, command: str, line: Line) -> Sequence[Made] | None:
    """The calls of such a command; none at all where it is local; None where it is no such command. Raises `Unclear`.

    `service` is the first word after `aws`, `command` the second."""
    found = _COMMANDS.get((service, command)) or _COMMANDS.get((service, ""))
    return None if found is None else found(line)


def _local(line: Line) -> Sequence[Made]:
    return ()


def _calls(*names: str) -> Composed:
    """Always these calls (`SERVICE:OPERATION`), with parameters that are not told."""
    made = tuple(Made(service=name.partition(":")[0], operation=name.partition(":")[2]) for name in names)
    return lambda line: made


def _unclear(reason: str) -> Composed:
    def refuse(line: Line) -> Sequence[Made]:
        raise Unclear(reason)

    return refuse


# ---------------------------------------------------------------- aws s3


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """An S3 path: bucket (or access point) and key; a local path has no bucket."""

    bucket: str = ""
    key: str = ""


def _place(word: Word) -> _Place:
    text = word.text
    if not text.startswith(S3_SCHEME):
        return _Place()
    rest = text.removeprefix(S3_SCHEME)
    arn = _ARN.match(rest)
    bucket = arn[0] if arn else rest.partition("/")[0]
    key = rest[len(bucket) :].lstrip("/")
    if word.open:
        return _Place(bucket=Unread(bucket), key=Unread(key))
    return _Place(bucket=bucket, key=key)


def _paths(line: Line, count: int) -> list[Word]:
    """The paths among the words; those after a flag belong to it only in our splitting."""
    found = list(line.words)
    for name, given in line.options.items():
        if name in S3_FLAGS or name.startswith("no-"):
            found += given.words
        elif len(given.words) > 1 and name not in ("grants", "metadata"):
            found += given.words[1:]
    if len(found) < count:
        raise Unclear(f"{count} paths are due")
    return found


def _object(operation: str, place: _Place, line: Line, *, recursive: bool, **more: Value) -> Made:
    """One call on an object, or on each object below a prefix."""
    key: Value = place.key
    unread = set()
    if recursive or not place.key or place.key.endswith("/") or isinstance(place.key, Unread):
        key = Unread(f"{place.key}*")
        unread.add("Key")
    if isinstance(place.bucket, Unread):
        unread.add("Bucket")
    parameters: dict[str, Value] = {"Bucket": str(place.bucket), "Key": str(key), **more}
    for option, member in (("acl", "ACL"), ("storage-class", "StorageClass"), ("sse", "ServerSideEncryption")):
        if line.has(option) and operation in ("PutObject", "CopyObject"):
            parameters[member] = line.value(option) or "AES256"
    if line.has("grants") and operation in ("PutObject", "CopyObject"):
        parameters["GrantRead"] = " ".join(line.options["grants"].texts)
    if operation == "PutObject":
        unread.add("Body")
        parameters["Body"] = b""
    return Made(service="s3", operation=operation, parameters=parameters, unread=frozenset(unread))


def _listing(place: _Place) -> Made:
    unread = frozenset({"Bucket"}) if isinstance(place.bucket, Unread) else frozenset[str]()
    parameters: dict[str, Value] = {"Bucket": str(place.bucket)}
    if place.key:
        parameters["Prefix"] = str(place.key)
    return Made(service="s3", operation="ListObjectsV2", parameters=parameters, unread=unread)


def _transfer(line: Line, *, recursive: bool, moves: bool, deletes: bool) -> Sequence[Made]:
    if line.has("dryrun"):
        places = [_place(word) for word in _paths(line, 2)[:2]]
        return [_listing(place) for place in places if place.bucket and recursive]
    source, target = (_place(word) for word in _paths(line, 2)[:2])
    if not source.bucket and not target.bucket:
        raise Unclear("neither path is in S3")
    made = [_listing(place) for place in (source, target) if place.bucket and recursive]
    if source.bucket and target.bucket:
        origin = f"{source.bucket}/{source.key}" + ("*" if recursive else "")
        made.append(_object("CopyObject", target, line, recursive=recursive, CopySource=origin))
    elif source.bucket:
        made.append(_object("GetObject", source, line, recursive=recursive))
    else:
        made.append(_object("PutObject", target, line, recursive=recursive))
    if moves and source.bucket:
        made.append(_object("DeleteObject", source, line, recursive=recursive))
    if deletes and target.bucket:
        made.append(_object("DeleteObject", target, line, recursive=True))
    return made


def _copy(line: Line) -> Sequence[Made]:
    return _transfer(line, recursive=line.has("recursive"), moves=False, deletes=False)


def _move(line: Line) -> Sequence[Made]:
    return _transfer(line, recursive=line.has("recursive"), moves=True, deletes=False)


def _sync(line: Line) -> Sequence[Made]:
    return _transfer(line, recursive=True, moves=False, deletes=line.has("delete"))


def _remove(line: Line) -> Sequence[Made]:
    place = _bucket(line)
    recursive = line.has("recursive")
    if line.has("dryrun"):
        return [_listing(place)] if recursive else []
    made = [_listing(place)] if recursive else []
    return [*made, _object("DeleteObject", place, line, recursive=recursive)]


def _bucket(line: Line) -> _Place:
    place = _place(_paths(line, 1)[0])
    if not place.bucket:
        raise Unclear("the path is not in S3")
    return place


def _list(line: Line) -> Sequence[Made]:
    words = _paths(line, 0)
    if not words or words[0].text in (S3_SCHEME, "s3:"):
        return [Made(service="s3", operation="ListBuckets", unread=frozenset())]
    place = _place(words[0])
    return [_listing(place if place.bucket else _place(Word(text=S3_SCHEME + words[0].text, open=words[0].open)))]


def _on_bucket(operation: str) -> Composed:
    def made(line: Line) -> Sequence[Made]:
        place = _bucket(line)
        unread = frozenset({"Bucket"}) if isinstance(place.bucket, Unread) else frozenset[str]()
        call = Made(service="s3", operation=operation, parameters={"Bucket": str(place.bucket)}, unread=unread)
        if operation == "DeleteBucket" and line.has("force"):
            return [_listing(place), _object("DeleteObject", place, line, recursive=True), call]
        return [call]

    return made


def _website(line: Line) -> Sequence[Made]:
    words = _paths(line, 1)
    place = _place(words[0] if words[0].text.startswith(S3_SCHEME) else Word(text=S3_SCHEME + words[0].text))
    configuration: dict[str, Value] = {}
    if line.has("index-document"):
        configuration["IndexDocument"] = {"Suffix": line.value("index-document")}
    if line.has("error-document"):
        configuration["ErrorDocument"] = {"Key": line.value("error-document")}
    parameters: dict[str, Value] = {"Bucket": str(place.bucket), "WebsiteConfiguration": configuration}
    return [Made(service="s3", operation="PutBucketWebsite", parameters=parameters, unread=frozenset())]


# ---------------------------------------------------------------- others


def _deploy_stack(line: Line) -> Sequence[Made]:
    stack: dict[str, Value] = {"StackName": str(line.value("stack-name"))}
    change = Made(
        service="cloudformation",
        operation="CreateChangeSet",
        parameters={**stack, "ChangeSetName": "deploy", "TemplateBody": str(line.value("template-file"))},
        unread=frozenset({"TemplateBody"}),
    )
    look = Made(service="cloudformation", operation="DescribeStacks", parameters=stack, unread=frozenset())
    made = [look, change]
    if line.has("s3-bucket"):
        made.append(Made(service="s3", operation="PutObject", parameters={"Bucket": str(line.value("s3-bucket"))}))
    if not line.has("no-execute-changeset"):
        made.append(Made(service="cloudformation", operation="ExecuteChangeSet", parameters=stack))
    return made


def _subscription(operation: str) -> Composed:
    def made(line: Line) -> Sequence[Made]:
        name: dict[str, Value] = {"Name": str(line.value("name"))}
        found = [Made(service="cloudtrail", operation=operation, parameters=name)]
        if line.has("s3-new-bucket"):
            bucket: dict[str, Value] = {"Bucket": str(line.value("s3-new-bucket"))}
            found.append(Made(service="s3", operation="CreateBucket", parameters=bucket, unread=frozenset()))
            found.append(Made(service="s3", operation="PutBucketPolicy", parameters=bucket))
        if line.has("sns-new-topic"):
            found.append(Made(service="sns", operation="CreateTopic"))
            found.append(Made(service="sns", operation="SetTopicAttributes"))
        if operation == "CreateTrail":
            found.append(Made(service="cloudtrail", operation="StartLogging", parameters=name, unread=frozenset()))
        return found

    return made


def _run_job_flow(line: Line) -> Sequence[Made]:
    """A cluster's size where the options say it plainly; anything else is not told."""
    instances: dict[str, Value] = {}
    if line.has("instance-count"):
        instances["InstanceCount"] = line.value("instance-count")
    if line.has("instance-type"):
        instances |= {
            "MasterInstanceType": line.value("instance-type"),
            "SlaveInstanceType": line.value("instance-type"),
        }
    parameters: dict[str, Value] = {"Name": str(line.value("name")), "Instances": instances}
    return [Made(service="emr", operation="RunJobFlow", parameters=parameters)]


def _terminate_clusters(line: Line) -> Sequence[Made]:
    given = line.options.get("cluster-ids")
    if given is None or any(isinstance(text, Unread) for text in given.texts):
        return [Made(service="emr", operation="TerminateJobFlows")]
    parameters: dict[str, Value] = {"JobFlowIds": list(given.texts)}
    return [Made(service="emr", operation="TerminateJobFlows", parameters=parameters, unread=frozenset())]


def _cluster_attributes(line: Line) -> Sequence[Made]:
    names = {
        "visible-to-all-users": "SetVisibleToAllUsers",
        "termination-protected": "SetTerminationProtection",
        "auto-terminate": "SetKeepJobFlowAliveWhenNoSteps",
        "unhealthy-node-replacement": "SetUnhealthyNodeReplacement",
    }
    made = [
        Made(service="emr", operation=operation)
        for option, operation in names.items()
        if line.has(option) or line.has(f"no-{option}")
    ]
    return made or [Made(service="emr", operation="SetTerminationProtection")]


def _kubeconfig(line: Line) -> Sequence[Made]:
    parameters: dict[str, Value] = {"name": str(line.value("name"))}
    open_name = isinstance(line.value("name"), Unread)
    unread = frozenset({"name"}) if open_name else frozenset[str]()
    return [Made(service="eks", operation="DescribeCluster", parameters=parameters, unread=unread)]


def _token(line: Line) -> Sequence[Made]:
    return [Made(service="sts", operation="AssumeRole")] if line.has("role-arn") else []


def _upload_build(line: Line) -> Sequence[Made]:
    return _calls("gamelift:CreateBuild", "gamelift:RequestUploadCredentials", "s3:PutObject")(line)


def _generate(line: Line) -> Sequence[Made]:
    names = ("CreateProduct", "CreateProvisioningArtifact")
    return _calls("s3:PutObject", *(f"servicecatalog:{name}" for name in names))(line)


_SSH = _unclear("it works over ssh, which no API call shows")
_WIZARD = _unclear("what it does is asked for while it runs")
_HBASE = _calls("emr:AddJobFlowSteps")
_ROLES = _calls("iam:CreateRole", "iam:AttachRolePolicy", "iam:CreateInstanceProfile", "iam:AddRoleToInstanceProfile")

_COMMANDS: Mapping[tuple[str, str], Composed] = {
    ("s3", "cp"): _copy,
    ("s3", "mv"): _move,
    ("s3", "sync"): _sync,
    ("s3", "rm"): _remove,
    ("s3", "ls"): _list,
    ("s3", "mb"): _on_bucket("CreateBucket"),
    ("s3", "rb"): _on_bucket("DeleteBucket"),
    ("s3", "presign"): _local,
    ("s3", "website"): _website,
    ("configure", ""): _local,
    ("history", ""): _local,
    ("help", ""): _local,
    ("login", ""): _local,
    ("logout", ""): _local,
    ("sso", "login"): _local,
    ("sso", "logout"): _local,
    ("cloudformation", "deploy"): _deploy_stack,
    ("cloudformation", "package"): _calls("s3:PutObject"),
    ("cloudfront", "sign"): _local,
    ("cloudtrail", "create-subscription"): _subscription("CreateTrail"),
    ("cloudtrail", "update-subscription"): _subscription("UpdateTrail"),
    ("cloudtrail", "validate-logs"): _calls(
        "cloudtrail:DescribeTrails",
        "cloudtrail:ListPublicKeys",
        "s3:GetBucketLocation",
        "s3:ListObjects",
        "s3:GetObject",
    ),
    ("codeartifact", "login"): _calls("codeartifact:GetAuthorizationToken", "codeartifact:GetRepositoryEndpoint"),
    ("codecommit", "credential-helper"): _local,
    ("configservice", "subscribe"): _calls(
        "s3:CreateBucket",
        "sns:CreateTopic",
        "config:PutConfigurationRecorder",
        "config:PutDeliveryChannel",
        "config:StartConfigurationRecorder",
    ),
    ("configservice", "get-status"): _calls(
        "config:DescribeConfigurationRecorderStatus", "config:DescribeDeliveryChannelStatus"
    ),
    ("datapipeline", "list-runs"): _calls("datapipeline:QueryObjects", "datapipeline:DescribeObjects"),
    ("datapipeline", "create-default-roles"): _ROLES,
    ("deploy", "push"): _calls("s3:PutObject", "codedeploy:RegisterApplicationRevision"),
    ("deploy", "register"): _calls(
        "iam:CreateUser",
        "iam:CreateAccessKey",
        "iam:PutUserPolicy",
        "codedeploy:RegisterOnPremisesInstance",
        "codedeploy:AddTagsToOnPremisesInstances",
    ),
    ("deploy", "deregister"): _calls(
        "codedeploy:DeregisterOnPremisesInstance",
        "codedeploy:RemoveTagsFromOnPremisesInstances",
        "iam:DeleteAccessKey",
        "iam:DeleteUserPolicy",
        "iam:DeleteUser",
    ),
    ("deploy", "install"): _calls("s3:GetObject"),
    ("deploy", "uninstall"): _local,
    ("dlm", "create-default-role"): _calls("iam:CreateRole", "iam:AttachRolePolicy"),
    ("ecr", "get-login"): _calls("ecr:GetAuthorizationToken"),
    ("ecr", "get-login-password"): _calls("ecr:GetAuthorizationToken"),
    ("ecr-public", "get-login-password"): _calls("ecr-public:GetAuthorizationToken"),
    ("ecs", "deploy"): _calls(
        "ecs:DescribeServices",
        "ecs:RegisterTaskDefinition",
        "codedeploy:GetApplication",
        "codedeploy:GetDeploymentGroup",
        "codedeploy:CreateDeployment",
    ),
    ("eks", "update-kubeconfig"): _kubeconfig,
    ("eks", "get-token"): _token,
    ("emr", "create-cluster"): _run_job_flow,
    ("emr", "add-instance-groups"): _calls("emr:AddInstanceGroups"),
    ("emr", "describe-cluster"): _calls(
        "emr:DescribeCluster", "emr:ListInstanceGroups", "emr:ListInstanceFleets", "emr:ListBootstrapActions"
    ),
    ("emr", "terminate-clusters"): _terminate_clusters,
    ("emr", "modify-cluster-attributes"): _cluster_attributes,
    ("emr", "add-steps"): _calls("emr:AddJobFlowSteps"),
    ("emr", "install-applications"): _HBASE,
    ("emr", "restore-from-hbase-backup"): _HBASE,
    ("emr", "create-hbase-backup"): _HBASE,
    ("emr", "schedule-hbase-backup"): _HBASE,
    ("emr", "disable-hbase-backups"): _HBASE,
    ("emr", "create-default-roles"): _ROLES,
    ("emr", "ssh"): _SSH,
    ("emr", "socks"): _SSH,
    ("emr", "get"): _SSH,
    ("emr", "put"): _SSH,
    ("emr-containers", "update-role-trust-policy"): _calls(
        "eks:DescribeCluster", "iam:GetRole", "iam:UpdateAssumeRolePolicy"
    ),
    ("gamelift", "upload-build"): _upload_build,
    ("gamelift", "get-game-session-log"): _calls("gamelift:GetGameSessionLogUrl"),
    ("logs", "start-live-tail"): _calls("logs:StartLiveTail"),
    ("logs", "tail"): _calls("logs:FilterLogEvents"),
    ("rds", "generate-db-auth-token"): _local,
    ("servicecatalog", "generate"): _generate,
    ("dsql", "generate-db-connect-auth-token"): _local,
    ("dsql", "generate-db-connect-admin-auth-token"): _local,
    ("ec2-instance-connect", "ssh"): _calls("ec2-instance-connect:SendSSHPublicKey", "ec2:DescribeInstances"),
    ("ec2-instance-connect", "open-tunnel"): _unclear("it opens a tunnel, which no API call shows"),
    ("ddb", "select"): _calls("dynamodb:Scan", "dynamodb:Query"),
    ("ddb", "put"): _calls("dynamodb:PutItem", "dynamodb:BatchWriteItem"),
    **{(service, "wizard"): _WIZARD for service in ("dynamodb", "events", "iam", "lambda")},
}
"""(service, command) as they stand on the command line -> the calls; an empty command means any."""


def json_options(text: str) -> Mapping[str, Value] | None:
    """What `--cli-input-json` holds where it is written out; None where it cannot be read."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
