"""Recorded values laid into the service's model: every member under its own name and of its own kind.

What does not fit is kept as it stands and told, so that whoever weighs the call knows it was not understood.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from comptroller.core.action import Value
from comptroller.decode.aws.model_source import Shape, members
from comptroller.decode.records.case import EVERYTHING, Unread

DEPTH_MAX = 48
FULL_DEPTH_MAX = 3
"""How deep a value that may hold anything is laid out."""
DIGITS_MAX = 40
UNREAD_KEY = "unread"
REDACTED = ("HIDDEN_DUE_TO_SECURITY_REASONS", "<sensitiveDataRemoved>", "***", "****")

_NOT_TOLD = Unread("…")


@dataclass(slots=True)
class Fit:
    """One laying-in. `loose` follows the liberties CloudTrail takes; `unread` and `misfit` collect the top-level
    members of which something is not told, or stands where the model has no place for it."""

    loose: bool = False
    unread: set[str] = field(default_factory=set)
    _open: bool = False

    def parameters(self, shape: Shape, given: Mapping[str, Value]) -> dict[str, Value]:
        """The parameters of a call. `unread` tells what of them is not known afterwards."""
        found: dict[str, Value] = {}
        for key, value in _unwrapped(given).items() if self.loose else given.items():
            if value is None:
                continue
            member = member_of(shape, key, value if self.loose else None) if shape is not None else None
            if member is None or member in found:
                self.unread.add(EVERYTHING)
                found.setdefault(str(key), plain(value))
                continue
            self._open = False
            found[member] = self.value(members(shape)[member], value)
            if self._open:
                self.unread.add(member)
        return found

    def value(self, shape: Shape, value: Value, depth: int = 0) -> Value:
        """One value in the form the model wants; anything else is marked as not understood."""
        if depth > DEPTH_MAX:
            return self._misfit(None)
        if isinstance(value, str) and (isinstance(value, Unread) or value in REDACTED):
            self._open = True
            return _standing_for(shape, value)
        kind = shape.type_name
        if kind == "structure":
            return self._structure(shape, value, depth)
        if kind == "list":
            return self._list(shape, value, depth)
        if kind == "map":
            if isinstance(value, Mapping):
                return {str(key): self.value(shape.value, item, depth + 1) for key, item in value.items()}
            return self._misfit(value)
        if isinstance(value, Mapping) and self.loose and len(value) == 1:
            only = next(iter(value.values()))
            value = only if isinstance(only, str | int | float) else value
        return self._scalar(shape, kind, value)

    def _structure(self, shape: Shape, value: Value, depth: int) -> Value:
        if shape.is_document_type:
            return plain(value)
        inner = members(shape)
        if not isinstance(value, Mapping):
            if len(inner) == 1 and isinstance(value, str | int | float):
                name, member = next(iter(inner.items()))
                return {name: self.value(member, value, depth + 1)}
            return self._misfit(value)
        found: dict[str, Value] = {}
        for key, item in value.items():
            place = key if key in inner else member_of(shape, key, item) if self.loose else None
            if place is None or place in found:
                self._open = True
                found.setdefault(str(key), plain(item))
            elif item is not None:
                found[place] = self.value(inner[place], item, depth + 1)
        return found

    def _list(self, shape: Shape, value: Value, depth: int) -> Value:
        if isinstance(value, Mapping) and self.loose:
            value = _items(value)
        if isinstance(value, Mapping) or not isinstance(value, Sequence) or isinstance(value, str | bytes):
            value = [value]
        return [self.value(shape.member, item, depth + 1) for item in value if item is not None]

    def _scalar(self, shape: Shape, kind: str, value: Value) -> Value:
        match kind, value:
            case "boolean", bool():
                return value
            case "boolean", str() if value.lower() in ("true", "false"):
                return value.lower() == "true"
            case (("integer" | "long"), int()) if not isinstance(value, bool):
                return value
            case (("integer" | "long"), float()) if value.is_integer():
                return int(value)
            case (("integer" | "long"), str()) if _is_whole(value):
                return int(value)
            case (("float" | "double"), int() | float()) if not isinstance(value, bool):
                return value
            case (("float" | "double"), str()):
                return self._number(value)
            case "blob", bytes():
                return value
            case "blob", str():
                return value.encode("utf-8", "replace")
            case "timestamp", str() | int() | float() if not isinstance(value, bool):
                return value
            case (("string" | "character"), str()):
                return value
            case _:
                return self._text(shape, kind, value)

    def _number(self, text: str) -> Value:
        try:
            return float(text) if len(text) <= DIGITS_MAX else self._misfit(text)
        except ValueError:
            return self._misfit(text)

    def _text(self, shape: Shape, kind: str, value: Value) -> Value:
        """A document that stands as an object where the service takes its text, and other liberties."""
        if kind in ("string", "character"):
            if isinstance(value, Mapping | list):
                if shape.serialization.get("jsonvalue"):
                    return plain(value)
                if self.loose:
                    return json.dumps(plain(value), default=str)
            if self.loose and isinstance(value, int | float):
                return json.dumps(value)
        return self._misfit(value)

    def _misfit(self, value: Value) -> Value:
        self._open = True
        return plain(value)


def full(shape: Shape, depth: int = 0, above: tuple[str, ...] = ()) -> Value:
    """A value that holds everything its shape can hold: what a call may carry of which nothing is told."""
    match shape.type_name:
        case "structure":
            if depth >= FULL_DEPTH_MAX or shape.name in above or shape.is_document_type:
                return {}
            inner = (*above, shape.name)
            return {
                name: full(member, depth + 1, inner)
                for name, member in members(shape).items()
                if name.lower() != "dryrun"
            }
        case "list":
            return [full(shape.member, depth + 1, above)]
        case "map":
            return {UNREAD_KEY: full(shape.value, depth + 1, above)}
        case "boolean":
            return True
        case "integer" | "long" | "float" | "double":
            return 1
        case "blob":
            return b"\0"
        case _:
            return str(_NOT_TOLD)


def plain(value: Value, depth: int = 0) -> Value:
    """A value as it stands, without what has no canonical form."""
    if depth > DEPTH_MAX:
        return None
    if isinstance(value, Mapping):
        return {str(key): plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [plain(item, depth + 1) for item in value]
    if isinstance(value, str):
        return str(value)
    return value if value is None or isinstance(value, bool | int | float | bytes) else str(value)


def squashed(name: str) -> str:
    """A name without what differs between its spellings: `ec-2-tag-set`, `Ec2TagSet` -> `ec2tagset`."""
    return name.replace("-", "").replace("_", "").lower()


def member_of(shape: Shape, key: str, value: Value = None) -> str | None:
    """The member that a record means by `key`: by any of its spellings, for a wrapped list by what is in it."""
    if key in members(shape):
        return key
    names = _spellings(shape)
    short = squashed(key)
    found = names.get(short) or names.get(short.removesuffix("name")) or names.get(short.removeprefix("bucket"))
    if found is not None:
        return found
    if not isinstance(value, Mapping):
        return names.get(f"{short}s") or names.get(short.removesuffix("s"))
    inner = _items(value)
    if isinstance(inner, Sequence) and inner and isinstance(inner[0], Mapping) and len(inner[0]) == 1:
        within = squashed(str(next(iter(inner[0]))))
        if f"{within}s" in names:
            return names[f"{within}s"]
    base = short.removesuffix("set")
    return names.get(base) or names.get(f"{base}s") or names.get(f"{base.removesuffix('s')}ids")


@lru_cache(maxsize=4096)
def _spellings(shape: Shape) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for name, member in members(shape).items():
        for spelling in (member.serialization.get("queryName"), member.serialization.get("name"), name):
            if isinstance(spelling, str):
                found[squashed(spelling)] = name
    return found


def _unwrapped(given: Mapping[str, Value]) -> Mapping[str, Value]:
    """EC2's newer operations stand in one member named after their request."""
    if len(given) == 1:
        key, value = next(iter(given.items()))
        if key.endswith("Request") and isinstance(value, Mapping):
            return {name: _content(item) for name, item in value.items() if name not in ("xmlns",)}
    return given


def _content(value: Value) -> Value:
    """`{"tag": 1, "content": "x"}` is how an XML list element is told."""
    if isinstance(value, Mapping):
        if value.keys() <= {"tag", "content"} and "content" in value:
            return value["content"]
        return {name: _content(item) for name, item in value.items() if name != "tag"}
    return [_content(item) for item in value] if isinstance(value, list) else value


def _items(value: Mapping[str, Value]) -> Value:
    """What is inside `{"items": [...]}`; an empty mapping is an empty list."""
    if value.keys() == {"items"}:
        return value["items"]
    return value or []


def _is_whole(text: str) -> bool:
    bare = text.removeprefix("-")
    return bare.isascii() and bare.isdigit() and len(bare) <= DIGITS_MAX


def _standing_for(shape: Shape, value: str) -> Value:
    """Text stands for text; for anything else a mapping that no service would take."""
    if shape.type_name in ("string", "character"):
        return str(value)
    return value.encode("utf-8", "replace") if shape.type_name == "blob" else {UNREAD_KEY: str(value)}
