"""Strict JSON: one reading per text. Duplicate keys, NaN, lone surrogates, deep nesting, huge numbers are refused."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from json.encoder import encode_basestring
from typing import NoReturn

from comptroller.core.action import DEPTH_MAX, INTEGER_DIGITS_MAX, Value

NESTING_MAX = DEPTH_MAX - 4
"""Room for the levels that an action's identity adds above its parameters."""
EXPONENT_MAX = 400
NUMBER_CHARACTERS_MAX = 128
RESERVED_KEYS = frozenset({"$number", "$sha256"})
"""How the digest writes numbers and bytes: an object with such a key would look the same as one of those."""

# A text without its last quote is one text to the end: tried anew at each quote in it, it would take hours.
_BRACKETS = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[{\]}]', re.DOTALL)


class MalformedJson(ValueError):
    """Text that has no single meaning as JSON; the message says why, without quoting the text."""


def parse_json(text: bytes) -> Value:
    """The value of a JSON text in UTF-8. Fractions become `Decimal`, exactly. Raises `MalformedJson`."""
    try:
        document = text.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedJson("the body is not UTF-8") from error
    _check_nesting(text)
    try:
        value: Value = json.loads(
            document,
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=_fraction,
            parse_constant=_constant,
        )
        if b"\\u" in text:
            json.dumps(value, ensure_ascii=False, default=str).encode("utf-8")
    except UnicodeEncodeError as error:
        raise MalformedJson("the body holds a lone surrogate") from error
    except MalformedJson:
        raise
    except (ValueError, RecursionError) as error:
        raise MalformedJson("the body is not JSON") from error
    return value


def parse_object(text: bytes) -> Mapping[str, Value]:
    """As `parse_json`, where only an object will do."""
    value = parse_json(text)
    if not isinstance(value, Mapping):
        raise MalformedJson("the body is not a JSON object")
    return value


def dump_json(value: Value) -> bytes:
    """JSON text of a parsed value; a `Decimal` keeps exactly its digits. Raises ValueError or TypeError."""
    return _dump(value).encode("utf-8")


def _dump(value: Value) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except TypeError:
        if isinstance(value, Decimal):
            return str(value)
        if isinstance(value, Mapping):
            return "{" + ",".join(f"{encode_basestring(k)}:{_dump(v)}" for k, v in value.items()) + "}"
        if isinstance(value, Sequence) and not isinstance(value, str | bytes):
            return "[" + ",".join(_dump(member) for member in value) + "]"
        raise


def _check_nesting(text: bytes) -> None:
    depth = 0
    for match in _BRACKETS.finditer(text):
        mark = match[0]
        if mark in (b"{", b"["):
            depth += 1
            if depth > NESTING_MAX:
                raise MalformedJson(f"the body is nested deeper than {NESTING_MAX}")
        elif mark in (b"}", b"]"):
            depth -= 1


def _object(pairs: list[tuple[str, Value]]) -> dict[str, Value]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise MalformedJson("the body has an object with a duplicate key")
    if not RESERVED_KEYS.isdisjoint(members):
        raise MalformedJson("the body has an object with the reserved key `$number` or `$sha256`")
    return members


def _integer(text: str) -> int:
    if len(text.lstrip("-")) > INTEGER_DIGITS_MAX:
        raise MalformedJson(f"the body has an integer over {INTEGER_DIGITS_MAX} digits")
    return int(text)


def _fraction(text: str) -> Decimal:
    try:
        number = Decimal(text) if len(text) <= NUMBER_CHARACTERS_MAX else None
    except InvalidOperation:
        number = None
    if number is None or len(number.as_tuple().digits) > INTEGER_DIGITS_MAX or abs(number.adjusted()) > EXPONENT_MAX:
        raise MalformedJson(f"the body has a number over {INTEGER_DIGITS_MAX} digits")
    return number


def _constant(text: str) -> NoReturn:
    raise MalformedJson("the body holds a number that is not finite")
