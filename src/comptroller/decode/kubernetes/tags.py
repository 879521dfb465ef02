"""Our tags as labels: on the object that is made, on its pods, and on the volumes it claims."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from comptroller.core.action import DEPTH_MAX, Action, ActionClass, Value
from comptroller.decode.kubernetes.lasting import KINDS, kind_name
from comptroller.decode.kubernetes.manifest import APPLY_PATCH, mapping

PREFIX = "comptroller/"
LABEL_CHARACTERS_MAX = 63
LOOKING = frozenset({ActionClass.READ, ActionClass.REVEAL})

REPLACING = frozenset({"$patch", "$retainKeys"})
"""Directives of a strategic merge that take away what they do not name."""

_NOT_IN_A_LABEL = re.compile(r"[^A-Za-z0-9_.-]")


def label(key: str) -> str:
    """`comptroller:agent` -> `comptroller/agent`."""
    return key.replace(":", "/", 1)


def key_of(label_key: str) -> str:
    """The same the other way round."""
    return label_key.replace(PREFIX, "comptroller:", 1) if label_key.startswith(PREFIX) else label_key


def spelled(value: str) -> str:
    """A value as a label can hold it."""
    return _NOT_IN_A_LABEL.sub("-", value)[:LABEL_CHARACTERS_MAX].strip("-_.")


def tagged(action: Action, tags: Mapping[str, str]) -> Action:
    """The action with our labels, where it makes an object that costs while it lives."""
    kind, verb = kind_name(action.operation)
    manifest = action.parameters.get("manifest")
    applies = action.parameters.get("type") == APPLY_PATCH
    if kind not in KINDS or not (verb == "create" or (verb == "patch" and applies)) or action.classes <= LOOKING:
        return action
    if not isinstance(manifest, Mapping) or str(manifest.get("kind", "")).endswith("List"):
        return action
    ours = {label(key): spelled(value) for key, value in sorted(tags.items())}
    document = _labelled(manifest, ours)
    for path in KINDS[kind].templates:
        document = _within(document, path, ours)
    spec = mapping(document.get("spec"))
    claims = spec.get("volumeClaimTemplates")
    if isinstance(claims, list):
        written = [_labelled(one, ours) if isinstance(one, Mapping) else one for one in claims]
        document = {**document, "spec": {**spec, "volumeClaimTemplates": written}}
    return replace(action, parameters={**action.parameters, "manifest": document})


def _within(document: Mapping[str, Value], path: tuple[str, ...], ours: Mapping[str, str]) -> dict[str, Value]:
    """The object with our labels on the template that lies at a path; without one it stays as it is."""
    inner = document.get(path[0])
    if not isinstance(inner, Mapping):
        return dict(document)
    changed = _labelled(inner, ours) if len(path) == 1 else _within(inner, path[1:], ours)
    return {**document, path[0]: changed}


def _labelled(one: Mapping[str, Value], ours: Mapping[str, str]) -> dict[str, Value]:
    metadata = one.get("metadata")
    kept = dict(metadata) if isinstance(metadata, Mapping) else {}
    labels = kept.get("labels")
    before = dict(labels) if isinstance(labels, Mapping) else {}
    return {**one, "metadata": {**kept, "labels": {**ours, **before}}}


def touches_our_tags(action: Action) -> bool:
    """Whether the action writes or removes a label of ours. An object that is put back whole may carry the agent's."""
    if action.classes <= LOOKING:
        return False
    manifest = action.parameters.get("manifest")
    if isinstance(manifest, list):
        return any(_patches(mapping(one)) for one in manifest)
    if kind_name(action.operation)[1] == "patch" and _replaces(manifest):
        return True
    own = {f"{PREFIX}agent": spelled(action.agent)} if kind_name(action.operation)[1] == "update" else None
    return any(_touches(labels, own) for labels in _labels(manifest, 0))


def _patches(operation: Mapping[str, Value]) -> bool:
    if operation.get("op") == "test":
        return False
    places = [str(operation.get(name, "")).replace("~1", "/").replace("~0", "~") for name in ("path", "from")]
    whole = ("", "/metadata", "/metadata/labels")
    return (
        any(PREFIX in place for place in places)
        or places[0] in whole
        or any(_touches(labels, None) for labels in _labels(operation.get("value"), 0))
    )


def _replaces(document: Value) -> bool:
    """Whether a merge puts something in the place of all metadata or labels: by null, or by a directive."""
    for name in ("metadata", "labels", ""):
        if not isinstance(document, Mapping):
            return True
        if not REPLACING.isdisjoint(document):
            return True
        if name not in document:
            return False
        document = document[name]
    return False


def _touches(labels: Value, own: Mapping[str, str] | None) -> bool:
    if not isinstance(labels, Mapping):
        return True  # a patch that takes all labels away
    ours = {key: value for key, value in labels.items() if key.lower().startswith(PREFIX)}
    if own is not None and all(ours.get(key) == value for key, value in own.items()):
        return False
    return bool(ours)


def _labels(value: Value, depth: int) -> Iterator[Value]:
    if depth > DEPTH_MAX:
        return
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key == "labels":
                yield inner
            yield from _labels(inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            yield from _labels(inner, depth + 1)
