"""What a person may lower of an AWS call: how many, how large, how long. The meanings are those of `capacity`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from comptroller.core.action import Action, ActionClass, Uncanonical
from comptroller.core.leaves import TooManyLeaves, leaves
from comptroller.core.narrow import Narrowing, NarrowKind, NotNarrower, narrowed_parameters
from comptroller.core.pattern import whole_number
from comptroller.decode.aws import capacity, resources

_TYPES = (
    "InstanceType DBInstanceClass CacheNodeType NodeType WorkerType instanceType HostInstanceType ComputeTypeName "
    "MasterInstanceType SlaveInstanceType BrokerInstanceType bundleId"
)
_SIZES = (
    "VolumeSize AllocatedStorage Size StorageCapacity VolumeSizeInGB SizeInGB MemorySize ShardCount Iops Throughput "
    "ReadCapacityUnits WriteCapacityUnits"
)
_TERMS = "DurationSeconds BlockDurationMinutes MaxRuntimeInSeconds MaxWaitTimeInSeconds timeoutInMinutes"
_KINDS: Mapping[str, NarrowKind] = {
    **dict.fromkeys(_TYPES.split(), NarrowKind.TYPE),
    **dict.fromkeys(_SIZES.split(), NarrowKind.SIZE),
    **dict.fromkeys(_TERMS.split(), NarrowKind.TERM),
}
_INDEX = re.compile(r"\[[0-9]+\]")
_BROUGHT = frozenset({ActionClass.PROVISION, ActionClass.PAY, ActionClass.ENTITLE, ActionClass.EXECUTE})
"""Smaller is less only for what these bring about: fewer days of a backup, or less memory, are no less of a change."""


def narrowings(action: Action) -> tuple[Narrowing, ...]:
    """Every parameter that may be lowered. Total."""
    if action.parts or action.undecodable or not action.classes & _BROUGHT:
        return ()
    try:
        found = leaves(action.parameters)
    except (TooManyLeaves, Uncanonical):
        return ()
    counts = capacity.places(action.operation)
    told = []
    for path, value in found.items():
        plain = _INDEX.sub("", path)
        kind = NarrowKind.COUNT if plain in counts else _KINDS.get(plain.rpartition(".")[2])
        number = whole_number(value)
        if kind is None or (not isinstance(value, str) if kind is NarrowKind.TYPE else number is None or number < 1):
            continue
        told.append(Narrowing(path=path, kind=kind, value=str(value)))
    return tuple(told)


def narrow(action: Action, changes: Mapping[str, str]) -> Action:
    """The call with those parameters lowered, counted anew. Raises `NotNarrower`."""
    known = narrowings(action)
    if not known:
        raise NotNarrower("nobody knows what of this action could be lowered")
    parameters = narrowed_parameters(action.parameters, known, changes)
    return replace(
        action,
        parameters=parameters,
        quantity=capacity.quantity(action.operation, parameters),
        resources=resources.resources(action.operation, parameters, action.account, action.region),
    )
