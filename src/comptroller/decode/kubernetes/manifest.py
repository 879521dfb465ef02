"""The body of an API request: JSON or plain YAML, a whole object, a patch or options. Protobuf is refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from comptroller.core.action import Value
from comptroller.decode.jsontext import MalformedJson, parse_json
from comptroller.decode.kubernetes.yamltext import parse_yaml
from comptroller.decode.shape import JSON_TYPE, Undecodable

JSON_PATCH = "application/json-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
MERGE_PATCHES = frozenset({"application/merge-patch+json", "application/strategic-merge-patch+json"})
PATCHES = MERGE_PATCHES | {JSON_PATCH, APPLY_PATCH}
WHOLE = frozenset({JSON_TYPE, "application/yaml"})
OPERATIONS_MAX = 1000
WALKED_MAX = 20_000
MOVES = frozenset({"copy", "move"})
"""Operations of a JSON patch whose value lies on the server, where nobody here can see it."""

_LIST_MEMBERS = frozenset({"apiVersion", "kind", "metadata"})

Mode = Literal["none", "whole", "apply", "partial"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A body that was read. `document` is what it says; `objects` the same as objects, a JSON patch written out as
    the members it sets. `hidden` is True where a patch moves values that nobody here can see. `members` are all
    members of the objects, however deep."""

    mode: Mode
    document: Value = None
    objects: tuple[Mapping[str, Value], ...] = ()
    replaced: tuple[str, ...] = ()
    hidden: bool = False
    members: tuple[tuple[str, Value], ...] = ()


NOTHING = Manifest(mode="none")


def read_manifest(method: str, content_type: str, body: bytes) -> Manifest:
    """The body of a request that is not proxied. Raises `Undecodable` or `MalformedJson`."""
    if method in ("GET", "HEAD"):
        if body:
            raise Undecodable(f"a {method} request with a body")
        return NOTHING
    if not body:
        if method in ("DELETE", "POST"):
            return NOTHING
        raise Undecodable(f"a {method} request without a body")
    allowed = PATCHES if method == "PATCH" else WHOLE
    if content_type not in allowed:
        if "protobuf" in content_type or "cbor" in content_type:
            raise Undecodable(f"the body is {content_type}, which is not read here: use JSON")
        raise Undecodable("the Content-Type is none of " + " ".join(sorted(allowed)))
    if content_type == JSON_PATCH:
        return _operations(parse_json(body))
    document = parse_yaml(body) if content_type.endswith("yaml") else parse_json(body)
    if not isinstance(document, Mapping):
        raise MalformedJson("the body is not an object")
    mode: Mode = "apply" if content_type == APPLY_PATCH else "partial" if content_type in MERGE_PATCHES else "whole"
    objects = tuple(_listed(document))
    return Manifest(mode=mode, document=document, objects=objects, members=tuple(walk(list(objects))))


def _listed(document: Mapping[str, Value]) -> Iterator[Mapping[str, Value]]:
    """The object, or the objects of a `List`. Whatever else stands beside `items` is an object too: a server that
    knows from the path what it is asked for reads that, and ignores the `items`."""
    items = document.get("items")
    if isinstance(items, list) and str(document.get("kind", "List")).endswith("List"):
        yield from (item for item in items if isinstance(item, Mapping))
        rest = {name: member for name, member in document.items() if name != "items"}
        if "kind" not in rest or not rest.keys() <= _LIST_MEMBERS:
            yield rest
        return
    yield document


def _operations(document: Value) -> Manifest:
    """A JSON patch (RFC 6902). Every `add` and `replace` becomes the object it writes."""
    if not isinstance(document, list) or len(document) > OPERATIONS_MAX:
        raise MalformedJson(f"the JSON patch is not a list of at most {OPERATIONS_MAX} operations")
    objects: list[Mapping[str, Value]] = []
    replaced: list[str] = []
    hidden = False
    for operation in document:
        if not isinstance(operation, Mapping) or not isinstance(operation.get("path"), str):
            raise MalformedJson("the JSON patch has an operation without a path")
        kind, path = operation.get("op"), str(operation["path"])
        if kind not in ("add", "replace", "remove", "test", *MOVES) or (path and not path.startswith("/")):
            raise MalformedJson("the JSON patch has an operation that is none")
        hidden = hidden or kind in MOVES
        if kind == "test":
            continue
        steps = [step.replace("~1", "/").replace("~0", "~") for step in path.split("/")[1:]]
        if len(steps) > 32:
            raise MalformedJson("the JSON patch has a path that is too deep")
        value: Value = operation.get("value")
        for step in reversed(steps):
            value = {step: value}
        if not isinstance(value, Mapping):
            raise MalformedJson("the JSON patch replaces the object by something else")
        objects.append(value)
        replaced.append("/".join(steps))
    return Manifest(
        mode="partial",
        document=document,
        objects=tuple(objects),
        replaced=tuple(replaced),
        hidden=hidden,
        members=tuple(walk(list(objects))),
    )


def walk(value: Value) -> Iterator[tuple[str, Value]]:
    """Every (key, value) of nested objects, however deep. Raises `MalformedJson` where there are too many."""
    stack: list[Value] = [value]
    walked = 0
    while stack:
        node = stack.pop()
        walked += 1
        if walked > WALKED_MAX:
            raise MalformedJson(f"the body has more than {WALKED_MAX} members")
        if isinstance(node, dict):
            for key, member in node.items():
                yield key, member
                if isinstance(member, (dict, list)):
                    stack.append(member)
        elif isinstance(node, list):
            stack.extend(member for member in node if isinstance(member, (dict, list)))


def mapping(value: Value) -> Mapping[str, Value]:
    """The value where it is an object, else an empty one."""
    return value if isinstance(value, dict) else _EMPTY


_EMPTY: Mapping[str, Value] = {}


def sequence(value: Value) -> Sequence[Value]:
    """The value where it is a list; a list in a JSON patch may appear as an object of one index."""
    if isinstance(value, list):
        return value
    if isinstance(value, dict):
        return [member for key, member in value.items() if key.isdigit() or key == "-"]
    return ()
