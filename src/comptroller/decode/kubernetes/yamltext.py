"""YAML that has one reading: the JSON schema of YAML 1.2 in block or flow style. Anchors, tags, merge keys, several
documents, duplicate keys and words that YAML 1.1 reads as something else are refused."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from typing import Any

from comptroller.core.action import Value
from comptroller.decode.jsontext import NESTING_MAX, RESERVED_KEYS, MalformedJson, parse_json

YAML_BYTES_MAX = 64 << 10
"""A larger text takes too long to read; the same object as JSON does not."""

_PLAIN: dict[str, Value] = {"": None, "~": None, "null": None, "true": True, "false": False}
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_ELSEWHERE = re.compile(
    r"(?i:y|n|yes|no|on|off|true|false|null|[-+]?\.(inf|nan))"
    r"|[-+]?[0-9][0-9_,]*(:[0-5]?[0-9])+(\.[0-9_]*)?|[-+]?0[0-9xXoObB_][0-9a-fA-F_]*"
    r"|[-+][0-9._][0-9._eE+-]*|[0-9][0-9_]*_[0-9_]*|[-+]?\.[0-9][0-9_eE+-]*|[-+]?[0-9][0-9_]*\.[0-9_]*([eE][-+]?[0-9]+)?"
    r"|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt \t].*)?|=|<<"
)
"""Words that one YAML version or library takes for a boolean, a number or a time, and another for text."""
WORD_CHARACTERS_MAX = 128
"""A longer plain word is text where it begins with a letter, and nothing else."""
_BREAKS = re.compile("[\x85\u2028\u2029\ufeff]")
KEY_CHARACTERS_MAX = 1024
_SIGNS = frozenset("0123456789+-.")
_QUOTES = frozenset("'\"|>")


class _Open:
    """A mapping or sequence that is being read."""

    __slots__ = ("key", "members", "waiting")

    def __init__(self, members: dict[str, Value] | list[Value]) -> None:
        self.members = members
        self.key = ""
        self.waiting = False


def parse_yaml(text: bytes) -> Value:
    """The value of one YAML document. JSON is read as JSON. Raises `MalformedJson`."""
    if text.lstrip()[:1] in (b"{", b"["):
        return parse_json(text)
    if len(text) > YAML_BYTES_MAX:
        raise MalformedJson(f"the YAML is larger than {YAML_BYTES_MAX} bytes: send JSON")
    try:
        document = text.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedJson("the body is not UTF-8") from error
    if _BREAKS.search(document):
        raise MalformedJson("the YAML has a line break of another age: send JSON")
    return _build(_events(document))


def _events(document: str) -> Iterator[Any]:
    import yaml

    try:
        yield from yaml.parse(document, Loader=_loader())
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise MalformedJson("the body is not YAML") from error


@cache
def _loader() -> Any:
    import yaml

    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _build(events: Iterator[Any]) -> Value:
    stack: list[_Open] = []
    result: list[Value] = []
    for event in events:
        kind = type(event).__name__
        if getattr(event, "anchor", None) is not None:
            raise MalformedJson("the YAML has an anchor or an alias: send JSON")
        if kind == "ScalarEvent":
            _put(stack, result, event)
        elif kind in ("MappingStartEvent", "SequenceStartEvent"):
            if event.tag is not None:
                raise MalformedJson("the YAML has a tag: send JSON")
            if len(stack) >= NESTING_MAX:
                raise MalformedJson(f"the body is nested deeper than {NESTING_MAX}")
            if stack and isinstance(stack[-1].members, dict) and not stack[-1].waiting:
                raise MalformedJson("the YAML has a key that is not text")
            stack.append(_Open({} if kind == "MappingStartEvent" else []))
        elif kind in ("MappingEndEvent", "SequenceEndEvent"):
            _place(stack, result, stack.pop().members)
    if len(result) != 1:
        raise MalformedJson("the body is not exactly one YAML document")
    return result[0]


def _put(stack: list[_Open], result: list[Value], event: Any) -> None:
    if event.tag is not None and event.tag != "!":
        raise MalformedJson("the YAML has a tag: send JSON")
    quoted = event.style in _QUOTES
    top = stack[-1] if stack else None
    if top is not None and isinstance(top.members, dict) and not top.waiting:
        key = str(event.value)
        if len(key) > KEY_CHARACTERS_MAX or (not quoted and _is_word(key)):
            raise MalformedJson("the YAML has a key that is not plainly text")
        if key in top.members:
            raise MalformedJson("the body has an object with a duplicate key")
        if key in RESERVED_KEYS:
            raise MalformedJson("the body has an object with the reserved key `$number` or `$sha256`")
        top.key, top.waiting = key, True
        return
    _place(stack, result, str(event.value) if quoted or event.tag == "!" else _scalar(event.value))


def _is_word(text: str) -> bool:
    """True where plain text may be read as something other than text."""
    if len(text) > WORD_CHARACTERS_MAX:
        return text[0] in _SIGNS
    return text in _PLAIN or bool(_NUMBER.fullmatch(text) or _ELSEWHERE.fullmatch(text))


def _place(stack: list[_Open], result: list[Value], value: Value) -> None:
    if not stack:
        result.append(value)
        return
    top = stack[-1]
    if isinstance(top.members, dict):
        top.members[top.key] = value
        top.waiting = False
    else:
        top.members.append(value)


def _scalar(text: str) -> Value:
    if text in _PLAIN:
        return _PLAIN[text]
    if len(text) > WORD_CHARACTERS_MAX and text[0] in _SIGNS:
        raise MalformedJson("the YAML has a long word that is not plainly text: quote it, or send JSON")
    if len(text) > WORD_CHARACTERS_MAX:
        return text
    if _NUMBER.fullmatch(text):
        number = parse_json(text.encode("ascii"))
        return int(number) if isinstance(number, Decimal) and number == 0 else number
    if _ELSEWHERE.fullmatch(text):
        raise MalformedJson("the YAML has a word that is not plainly text: quote it, or send JSON")
    return text
