"""Our tags on a resource that is put, and whether a call touches them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from comptroller.core.action import DEPTH_MAX, Action, ActionClass, Value
from comptroller.decode.azure.lasting import KINDS, kind_name, resource_of

PREFIX = "comptroller:"
TAGS_MAX = 50
LOOKING = frozenset({ActionClass.READ, ActionClass.REVEAL})


def tagged(action: Action, tags: Mapping[str, str]) -> Action:
    """The action with our tags, where it puts a resource of a kind that takes them."""
    kind, verb = kind_name(action.operation)
    known, body = KINDS.get(kind), action.parameters.get("body")
    puts = verb == "write" and action.parameters.get("method") == "PUT"
    if known is None or not known.tags or not puts or not isinstance(body, Mapping):
        return action
    if not resource_of(action.parameters.get("path")) or action.classes <= LOOKING:
        return action
    own = [key for key in body if key.lower() == "tags"]
    given = body[own[0]] if own else None
    if len(own) > 1 or not (given is None or isinstance(given, Mapping)):
        return action
    before = dict(given or {})
    written = {key.lower() for key in before}
    merged = {**before, **{key: value for key, value in sorted(tags.items()) if key.lower() not in written}}
    if len(merged) > TAGS_MAX:
        return action
    return replace(action, parameters={**action.parameters, "body": {**body, own[0] if own else "tags": merged}})


def touches_our_tags(action: Action) -> bool:
    """Whether the action writes tags of ours, or replaces or deletes tags without saying that ours stay.

    A resource that is put back whole may carry the agent's own."""
    if action.classes <= LOOKING or action.undecodable:
        return False
    kind, verb = kind_name(action.operation)
    about_tags = kind.lower() == "azure:microsoft.resources/tags"
    if about_tags and verb == "delete":
        return True
    body = action.parameters.get("body")
    operation = str(body.get("operation", "")).lower() if isinstance(body, Mapping) else ""
    puts = action.parameters.get("method") == "PUT"
    if about_tags and (puts or operation == "replace"):
        return not any(_keeps(tags, action) for tags in _tags(body, 0))
    found = list(_tags(body, 0))
    if not puts and any(tags is None for tags in found):
        return True
    if puts and not about_tags and any(_keeps(tags, action) for tags in found):
        return False
    return any(_ours(tags) for tags in found) or any(map(touches_our_tags, action.parts))


def _keeps(tags: Value, action: Action) -> bool:
    return isinstance(tags, Mapping) and tags.get(f"{PREFIX}agent") == action.agent


def _ours(tags: Value) -> bool:
    return isinstance(tags, Mapping) and any(str(key).lower().startswith(PREFIX) for key in tags)


def _tags(value: Value, depth: int) -> Iterator[Value]:
    if depth > DEPTH_MAX:
        return
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key.lower() == "tags":
                yield inner
            yield from _tags(inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            yield from _tags(inner, depth + 1)
