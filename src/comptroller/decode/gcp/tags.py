"""Our tags as labels, where an API of Google's takes them when it makes something."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from comptroller.core.action import DEPTH_MAX, Action, ActionClass, Value
from comptroller.decode.gcp import index
from comptroller.decode.gcp.lasting import MAKES, parts

PREFIX = "comptroller-"
LABELS_MAX, CHARACTERS_MAX = 64, 63
MEMBERS: Mapping[str, tuple[str, ...]] = {
    "compute:instances": ("labels",),
    "compute:disks": ("labels",),
    "compute:regionDisks": ("labels",),
    "compute:snapshots": ("labels",),
    "compute:images": ("labels",),
    "compute:addresses": ("labels",),
    "compute:forwardingRules": ("labels",),
    "compute:globalForwardingRules": ("labels",),
    "container:clusters": ("cluster", "resourceLabels"),
    "sqladmin:instances": ("settings", "userLabels"),
    "dataproc:clusters": ("labels",),
    "dataflow:jobs": ("labels",),
    "aiplatform:endpoints": ("labels",),
    "aiplatform:customJobs": ("labels",),
    "aiplatform:trainingPipelines": ("labels",),
    "aiplatform:batchPredictionJobs": ("labels",),
    "aiplatform:hyperparameterTuningJobs": ("labels",),
    "redis:instances": ("labels",),
    "redis:clusters": ("labels",),
    "memcache:instances": ("labels",),
    "file:instances": ("labels",),
    "notebooks:instances": ("labels",),
    "tpu:nodes": ("labels",),
    "run:services": ("labels",),
    "alloydb:clusters": ("labels",),
    "alloydb:instances": ("labels",),
    "spanner:instances": ("instance", "labels"),
    "bigtableadmin:instances": ("instance", "labels"),
    "composer:environments": ("labels",),
    "workstations:workstationClusters": ("labels",),
}
"""Where the labels of what is made stand. Source: the APIs' reference."""
ALSO: Mapping[str, tuple[tuple[str, ...], ...]] = {"compute:instances": (("instanceProperties", "labels"),)}
HOLDERS = frozenset({"labels", "resourceLabels", "userLabels"})
REPLACES = frozenset({"patch", "update", "setLabels", "setResourceLabels"})
"""Verbs that put the labels they carry in the place of all there were."""

_NOT_IN_A_LABEL = re.compile(r"[^a-z0-9_-]")


def label(key: str) -> str:
    """`comptroller:holding-of` -> `comptroller-holding-of`."""
    return _NOT_IN_A_LABEL.sub("-", key.lower())


def key_of(label_key: str) -> str:
    """The same the other way round."""
    return label_key.replace(PREFIX, "comptroller:", 1) if label_key.startswith(PREFIX) else label_key


def spelled(value: str) -> str:
    """A value as a label can hold it."""
    return _NOT_IN_A_LABEL.sub("-", value.lower())[:CHARACTERS_MAX]


def tagged(action: Action, tags: Mapping[str, str]) -> Action:
    """The action with our labels, where it makes something that takes them."""
    service, collection, verb = parts(action.operation)
    name = f"{service}:{collection.rpartition('.')[2]}"
    if action.undecodable or action.classes <= {ActionClass.READ, ActionClass.REVEAL} or "@json" in action.parameters:
        return action
    if verb == "bulkInsert":
        paths = ALSO.get(name, ())
    else:
        paths = (MEMBERS[name],) if name in MEMBERS and verb in MAKES else ()
    ours = {label(key): spelled(value) for key, value in sorted(tags.items())}
    members: dict[str, Value] = dict(action.parameters)
    for path in paths:
        changed = _put(members, path, ours)
        if changed is None:
            return action
        members = changed
    return replace(action, parameters=members) if paths else action


def _put(members: Mapping[str, Value], path: tuple[str, ...], ours: Mapping[str, str]) -> dict[str, Value] | None:
    """The members with our labels at a path; None where something else stands there, or too much."""
    inner = members.get(path[0])
    if inner is not None and not isinstance(inner, Mapping):
        return None
    if len(path) > 1:
        if inner is None:
            return None
        deeper = _put(inner, path[1:], ours)
        return None if deeper is None else {**members, path[0]: deeper}
    merged = {**ours, **(inner or {})}
    return {**members, path[0]: merged} if len(merged) <= LABELS_MAX else None


def touches_our_tags(action: Action) -> bool:
    """Whether the action writes a label of ours, or replaces labels without keeping the agent's own."""
    if action.classes <= {ActionClass.READ, ActionClass.REVEAL} or not action.operation.startswith(index.PREFIX):
        return False
    replaces = parts(action.operation)[2] in REPLACES
    for labels in _labels(action.parameters, 0):
        given = labels if isinstance(labels, Mapping) else {}
        ours = {key: value for key, value in given.items() if str(key).lower().startswith(PREFIX)}
        if replaces and ours.get(f"{PREFIX}agent") == spelled(action.agent):
            continue
        if ours or replaces:
            return True
    return any(map(touches_our_tags, action.parts))


def _labels(value: Value, depth: int) -> Iterator[Value]:
    if depth > DEPTH_MAX:
        return
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key in HOLDERS:
                yield inner
            yield from _labels(inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            yield from _labels(inner, depth + 1)
