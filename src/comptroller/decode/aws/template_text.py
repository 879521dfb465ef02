"""A CloudFormation template as a value: strict JSON, or bounded YAML without aliases; short forms written out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

from comptroller.core.action import Value
from comptroller.decode.jsontext import MalformedJson, parse_json

TEMPLATE_CHARACTERS_MAX = 256 << 10
"""CloudFormation takes 51,200 bytes in a request, Cloud Control 262,144."""
NODES_MAX = 50_000
DEPTH_MAX = 60

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})", re.ASCII)
_SHORT = frozenset(
    {"And", "Base64", "Cidr", "Equals", "FindInMap", "GetAtt", "GetAZs", "If", "ImportValue", "Join", "Length"}
    | {"Not", "Or", "Select", "Split", "Sub", "ToJsonString", "Transform"}
)
_PLAIN_TAGS = frozenset({"Ref", "Condition"})
_CORE = "tag:yaml.org,2002:"
_CORE_TAGS = frozenset(_CORE + kind for kind in ("str", "int", "float", "bool", "null", "seq", "map"))
_LOADER: Any = getattr(yaml, "CLoader", yaml.Loader)
"""Only its parser is used, which makes events: no object is ever built by it."""


_DOUBTFUL = re.compile(
    r"(?i)y|n|yes|no|on|off|[-+]?[0-9][0-9_:]*|[-+]?0[xob][0-9a-f_]+|[-+]?[0-9_]*(?:\.[0-9_]*)?(?:e[-+]?[0-9]+)?"
    r"|[-+]?\.(?:inf|nan)|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}.*|="
)


class Doubtful(str):
    """A plain word that YAML 1.1 may read as something else than itself: `yes`, `010`, `1e3`."""

    __slots__ = ()


class UnreadableTemplate(ValueError):
    """A template that nobody can read; the message says why."""


def read_template(text: str) -> Mapping[str, Value]:
    """The template as CloudFormation reads it. Raises `UnreadableTemplate`; never more work than its length allows."""
    if len(text) > TEMPLATE_CHARACTERS_MAX:
        raise UnreadableTemplate(f"over {TEMPLATE_CHARACTERS_MAX} characters")
    try:
        raw = text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise UnreadableTemplate("a lone surrogate") from error
    try:
        value = parse_json(raw) if text.lstrip()[:1] == "{" else _yaml(text)
    except MalformedJson:
        value = _yaml(text)
    if not isinstance(value, Mapping):
        raise UnreadableTemplate("no object")
    return value


def _yaml(text: str) -> Value:
    try:
        return _Builder().build(text)
    except yaml.YAMLError as error:
        raise UnreadableTemplate("neither JSON nor YAML") from error
    except (ValueError, RecursionError, AttributeError) as error:
        if isinstance(error, UnreadableTemplate):
            raise
        raise UnreadableTemplate("neither JSON nor YAML") from error


class _Builder:
    """Builds the value of one document from parser events, with a stack of its own instead of recursion."""

    def __init__(self) -> None:
        self.nodes = 0
        self.stack: list[tuple[Any, str, list[Any]]] = []
        self.result: list[Any] = []
        self.documents = 0

    def build(self, text: str) -> Value:
        for event in yaml.parse(text, Loader=_LOADER):
            self.nodes += 1
            if self.nodes > NODES_MAX:
                raise UnreadableTemplate(f"more than {NODES_MAX} values")
            match event:
                case yaml.AliasEvent():
                    raise UnreadableTemplate("an alias")
                case yaml.ScalarEvent():
                    self._add(_scalar(event))
                case yaml.SequenceStartEvent() | yaml.MappingStartEvent():
                    if len(self.stack) >= DEPTH_MAX:
                        raise UnreadableTemplate(f"nested deeper than {DEPTH_MAX}")
                    self.stack.append((event, event.tag or "", []))
                case yaml.SequenceEndEvent() | yaml.MappingEndEvent():
                    self._close()
                case yaml.DocumentStartEvent():
                    self.documents += 1
        if self.documents != 1 or len(self.result) != 1:
            raise UnreadableTemplate("not one document")
        value: Value = self.result[0]
        return value

    def _add(self, value: Any) -> None:
        (self.stack[-1][2] if self.stack else self.result).append(value)

    def _close(self) -> None:
        event, tag, items = self.stack.pop()
        if isinstance(event, yaml.SequenceStartEvent):
            self._add(_tagged(tag, items))
            return
        keys = items[::2]
        if not all(isinstance(key, str | int) for key in keys):
            raise UnreadableTemplate("a key that is no text")
        made = {
            str(key).lower() if isinstance(key, bool) else str(key): value
            for key, value in zip(keys, items[1::2], strict=True)
        }
        if len(made) != len(keys):
            raise UnreadableTemplate("a duplicate key")
        if "<<" in made:
            raise UnreadableTemplate("a merge key")
        self._add(_tagged(tag, made))


def _scalar(event: Any) -> Any:
    text = event.value
    tag = event.tag or ""
    if tag.startswith("!") and tag != "!":
        return _tagged(tag, text)
    if tag and tag not in _CORE_TAGS and tag != "!":
        raise UnreadableTemplate("an unknown tag")
    if tag or not event.implicit[0]:
        return text
    low = text.lower()
    if low in ("", "~", "null"):
        return None
    if low in ("true", "false"):
        return low == "true"
    if _INTEGER.fullmatch(text):
        return int(text)
    return Doubtful(text) if _DOUBTFUL.fullmatch(text) else text


def _tagged(tag: str, value: Any) -> Any:
    if not tag or tag in _CORE_TAGS or tag == "!":
        return value
    name = tag[1:] if tag.startswith("!") else ""
    if name in _PLAIN_TAGS:
        return {name: value}
    if name not in _SHORT:
        raise UnreadableTemplate("an unknown tag")
    if name == "GetAtt" and isinstance(value, str):
        value = list(value.partition(".")[::2])
    return {f"Fn::{name}": value}
