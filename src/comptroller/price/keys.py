"""The name of a price: what is distrusted when a real cost exceeds it, and what a person confirms."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

from comptroller.core.action import Action, Value

PART_CHARS_MAX = 80
NAMING = (
    "InstanceType", "DBInstanceClass", "CacheNodeType", "NodeType", "ReplicationInstanceClass", "HostInstanceType",
    "instanceTypes", "BrokerInstanceType", "VolumeType", "model", "modelId", "machineType", "@model", "vmSize",
    "DBClusterInstanceClass", "WorkerType", "FunctionName",
)  # fmt: skip
"""Parameters that name what is bought, the first found counts."""
INSIDE = ("LaunchSpecification", "ResourceConfig", "provisioned", "properties", "hardwareProfile", "body")
"""Members that may hold one of them."""
_PLAIN = re.compile(r"[a-z0-9][a-z0-9._:+-]*")


def price_key(action: Action) -> str:
    """`aws:ec2:RunInstances/us-east-1/p4d.24xlarge`: operation, region and what is bought, in lower case.

    What an agent may write at will is kept short and plain: a name with anything unusual in it stands as a hash.
    """
    parts = [_plain(part) for part in (action.region, _named(action.parameters)) if part]
    return "/".join([_plain(action.operation, keep=True), *parts])


def _named(members: Mapping[str, Value]) -> str:
    for place in (members, *(members.get(name) for name in INSIDE)):
        if not isinstance(place, Mapping):
            continue
        for name in NAMING:
            value = place.get(name)
            if isinstance(value, list | tuple) and value:
                value = value[0]
            if isinstance(value, str) and value:
                return value.rpartition("/")[2] or value
    return ""


def _plain(text: str, *, keep: bool = False) -> str:
    name = text if keep else text.lower()
    if len(name) <= PART_CHARS_MAX and _PLAIN.fullmatch(name.lower()):
        return name
    return "sha256." + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
