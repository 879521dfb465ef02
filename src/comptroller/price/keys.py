"""The name of a price: what is distrusted when a real cost exceeds it, and what a person confirms."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

from comptroller.core.action import Action, Value
from comptroller.price.model_lists import PROVIDERS, find_model

PART_CHARS_MAX = 80
KINDS_MAX = 64
NAMING = (
    "InstanceType", "DBInstanceClass", "CacheNodeType", "NodeType", "ReplicationInstanceClass", "HostInstanceType",
    "instanceTypes", "BrokerInstanceType", "VolumeType", "modelId", "DBClusterInstanceClass", "WorkerType",
    "FunctionName",
)  # fmt: skip
"""Parameters of AWS that name what is bought, the first found counts."""
INSIDE = ("LaunchSpecification", "ResourceConfig", "provisioned")
"""Members that may hold one of them."""
_PLAIN = re.compile(r"[a-z0-9][a-z0-9._:+-]*")


def price_key(action: Action) -> str:
    """`aws:ec2:RunInstances/us-east-1/p4d.24xlarge`: operation, region and what is bought, in lower case.

    What an agent may write at will is kept short and plain: a name with anything unusual in it stands as a hash. Only
    what the service itself reads counts: a member that it ignores must not make another price of the same thing.
    """
    return _key(action, "+".join(_bought(action)))


def price_keys(action: Action) -> tuple[str, ...]:
    """Its own key, and the keys of each kind where it may bring about several."""
    kinds = _bought(action)
    return tuple(dict.fromkeys((price_key(action), *(_key(action, kind) for kind in kinds))))


def _key(action: Action, bought: str) -> str:
    parts = [_plain(part) for part in (action.region, bought) if part]
    return "/".join([_plain(action.operation, keep=True), *parts])


def _bought(action: Action) -> list[str]:
    """What is bought, each kind once and in order."""
    family = action.operation.partition(":")[0]
    members = action.parameters
    found: list[Value] = []
    if family == "aws":
        found = _named(members)
    elif family == "gcp":
        path = str(members.get("@path", ""))
        found = [path if path.endswith(("generateContent", "GenerateContent")) else _machine(members)]
    elif family == "azure":
        facts = members.get("facts")
        known = facts if isinstance(facts, Mapping) else {}
        pools = known.get("Pools")
        found = [pool.get("Size") for pool in pools if isinstance(pool, Mapping)] if isinstance(pools, list) else []
        found = [known.get("Size"), *found]
    elif family in PROVIDERS:
        named = members.get("model", members.get("@deployment", action.resources[0] if action.resources else None))
        listed = find_model(family, named) if isinstance(named, str) else None
        found = [named if listed is None else listed.id]
    names = {value.rpartition("/")[2] or value for value in found if isinstance(value, str) and value}
    return sorted(names)[:KINDS_MAX]


def _machine(members: Mapping[str, Value]) -> Value:
    return members.get("machineType", members.get("machine_type"))


def _named(members: Mapping[str, Value]) -> list[Value]:
    for place in (members, *(members.get(name) for name in INSIDE)):
        if not isinstance(place, Mapping):
            continue
        for name in NAMING:
            value = place.get(name)
            if isinstance(value, list | tuple) and value:
                return list(value)
            if isinstance(value, str) and value:
                return [value]
    return []


def _plain(text: str, *, keep: bool = False) -> str:
    name = text if keep else text.lower()
    if len(name) <= PART_CHARS_MAX and _PLAIN.fullmatch(name.lower()):
        return name
    return "sha256." + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
