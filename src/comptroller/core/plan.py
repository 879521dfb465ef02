"""Plans: actions that somebody intends, read out of a document before any of them starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from comptroller.core.errors import UsageError

PLAN_VERSION = 1
ITEMS_MAX = 200
COUNT_MAX = 100
_TERRAFORM: Mapping[str, tuple[str, str, Mapping[str, str]]] = {
    "aws_instance": ("ec2", "RunInstances", {"ami": "ImageId", "instance_type": "InstanceType"}),
    "aws_s3_bucket": ("s3", "CreateBucket", {"bucket": "Bucket"}),
    "aws_db_instance": (
        "rds",
        "CreateDBInstance",
        {
            "identifier": "DBInstanceIdentifier",
            "instance_class": "DBInstanceClass",
            "engine": "Engine",
            "allocated_storage": "AllocatedStorage",
        },
    ),
    "aws_ebs_volume": ("ec2", "CreateVolume", {"availability_zone": "AvailabilityZone", "size": "Size"}),
    "aws_eip": ("ec2", "AllocateAddress", {}),
    "aws_nat_gateway": ("ec2", "CreateNatGateway", {"subnet_id": "SubnetId"}),
    "aws_iam_role": ("iam", "CreateRole", {"name": "RoleName", "assume_role_policy": "AssumeRolePolicyDocument"}),
    "aws_dynamodb_table": ("dynamodb", "CreateTable", {"name": "TableName", "billing_mode": "BillingMode"}),
    "aws_elasticache_cluster": (
        "elasticache",
        "CreateCacheCluster",
        {"cluster_id": "CacheClusterId", "node_type": "CacheNodeType", "num_cache_nodes": "NumCacheNodes"},
    ),
    "aws_lb": ("elbv2", "CreateLoadBalancer", {"name": "Name"}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Intended:
    """One action of a plan, as an SDK would be given it; `count` times. `only_shown` says why it is priced and judged,
    and never granted: what is really sent will hold more than the plan tells."""

    name: str
    service: str
    operation: str
    input: Mapping[str, object]
    region: str = ""
    count: int = 1
    only_shown: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a document intends, and what in it nobody here can read as an action."""

    items: tuple[Intended, ...]
    unread: tuple[str, ...] = field(default=())


def plan_of(document: object) -> Plan:
    """The plan in a parsed document: our own form, or that of `terraform show -json`. Raises `UsageError`."""
    if isinstance(document, Mapping) and isinstance(changes := document.get("resource_changes"), Sequence):
        return _terraform(changes)
    if not isinstance(document, Mapping) or document.get("version") != PLAN_VERSION:
        raise UsageError(
            "this is no plan", hint="version: 1 and a list of actions, or what terraform show -json prints"
        )
    actions = document.get("actions")
    if not isinstance(actions, list) or not 1 <= len(actions) <= ITEMS_MAX:
        raise UsageError(f"a plan has 1 to {ITEMS_MAX} `actions`")
    return Plan(items=tuple(_own(position, item) for position, item in enumerate(actions, 1)))


def _own(position: int, item: object) -> Intended:
    if not isinstance(item, Mapping):
        raise UsageError(f"action {position} is no object")
    if odd := sorted(map(str, item.keys() - {"service", "operation", "input", "region", "count", "name"})):
        raise UsageError(f"action {position} has a member `{odd[0][:40]}` that no plan has")
    given, count = item.get("input", {}), item.get("count", 1)
    if not isinstance(given, Mapping) or type(count) is not int or not 1 <= count <= COUNT_MAX:
        raise UsageError(f"action {position}: `input` is an object, `count` a number from 1 to {COUNT_MAX}")
    texts = {name: item.get(name, "") for name in ("service", "operation", "region", "name")}
    if not all(isinstance(text, str) for text in texts.values()) or not texts["service"] or not texts["operation"]:
        raise UsageError(f"action {position} needs `service` and `operation` as text")
    return Intended(
        name=str(texts["name"]) or f"{position}",
        service=str(texts["service"]),
        operation=str(texts["operation"]),
        region=str(texts["region"]),
        input=given,
        count=count,
    )


def _terraform(changes: Sequence[object]) -> Plan:
    items: list[Intended] = []
    unread: list[str] = []
    if len(changes) > ITEMS_MAX:
        raise UsageError(f"a plan has 1 to {ITEMS_MAX} changes, not {len(changes)}")
    for each in changes:
        change = each.get("change") if isinstance(each, Mapping) else None
        if not isinstance(each, Mapping) or not isinstance(change, Mapping):
            unread.append("a change that is no object")
            continue
        name, kind, verbs = str(each.get("address", ""))[:200], str(each.get("type", "")), change.get("actions")
        if verbs in (["no-op"], ["read"]):
            continue
        after, known = change.get("after"), _TERRAFORM.get(kind)
        if verbs != ["create"] or known is None or not isinstance(after, Mapping):
            unread.append(f"{name}: {', '.join(map(str, verbs)) if isinstance(verbs, list) else '?'}")
            continue
        service, operation, members = known
        given: dict[str, object] = {to: after[of] for of, to in members.items() if after.get(of) is not None}
        if operation == "RunInstances":
            given |= {"MinCount": 1, "MaxCount": 1}
        later = change.get("after_unknown")
        left_open = sorted(map(str, later)) if isinstance(later, Mapping) else []
        why = "Terraform sends more than its plan tells" + (f" (open: {', '.join(left_open[:8])})" if left_open else "")
        items.append(Intended(name=name, service=service, operation=operation, input=given, only_shown=why))
    return Plan(items=tuple(items), unread=tuple(unread))
