"""Scalars as services write them in text: numbers, booleans, times and blobs, read strictly."""

from __future__ import annotations

import base64
import binascii
import json
import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from math import isfinite

from comptroller.core.action import INTEGER_DIGITS_MAX, Value
from comptroller.decode.aws.model_source import Shape
from comptroller.decode.aws.wire import Undecodable

DEPTH_MAX = 60
"""Nesting of parameters; below the digest's own limit, which counts the action around them."""

_INTEGER = re.compile(rf"-?[0-9]{{1,{INTEGER_DIGITS_MAX}}}", re.ASCII)
_NUMBER = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,3})?", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_YEAR_MIN = 1000


def text(value: str) -> str:
    """Text with a UTF-8 form. Raises `Undecodable`."""
    if not value.isascii():
        try:
            value.encode("utf-8")
        except UnicodeEncodeError as error:
            raise Undecodable("a lone surrogate in text") from error
    return value


def integer(value: object) -> int:
    """An integer that is one. Raises `Undecodable`."""
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        value = int(value)
    if type(value) is not int or abs(value) >= 10**INTEGER_DIGITS_MAX:
        raise Undecodable("not an integer where one is due")
    return value


def number(value: object) -> float:
    """A finite number. Raises `Undecodable`."""
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        value = float(value)
    if type(value) is int and abs(value) < 10**INTEGER_DIGITS_MAX:
        value = float(value)
    if type(value) is not float or not isfinite(value):
        raise Undecodable("not a finite number where one is due")
    return value


def boolean(value: object) -> bool:
    """`true` or `false`. Raises `Undecodable`."""
    if type(value) is bool:
        return value
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise Undecodable("not a boolean where one is due")


def moment(value: object) -> datetime:
    """A time, from seconds since 1970, ISO 8601 or an HTTP date, in UTC to the microsecond. Raises `Undecodable`."""
    try:
        if isinstance(value, str):
            found = _moment_of_text(value)
        else:
            found = _EPOCH + timedelta(microseconds=round(number(value) * 1_000_000))
        found = (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError, TypeError, IndexError) as error:
        raise Undecodable("not a time where one is due") from error
    if found.year < _YEAR_MIN:
        raise Undecodable("a time before the year 1000")
    return found


def _moment_of_text(value: str) -> datetime:
    if _NUMBER.fullmatch(value):
        return _EPOCH + timedelta(microseconds=round(float(value) * 1_000_000))
    if "," in value:
        return parsedate_to_datetime(value)
    return datetime.fromisoformat(value)


def blob(value: object) -> bytes:
    """Bytes from base64. Raises `Undecodable`."""
    if not isinstance(value, str):
        raise Undecodable("not base64 where a blob is due")
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Undecodable("broken base64 in a blob") from error


def from_text(shape: Shape, value: str) -> Value:
    """A scalar of query, header, path or XML text. Raises `Undecodable`."""
    match shape.type_name:
        case "string" | "character":
            return text(value)
        case "integer" | "long":
            return integer(value)
        case "float" | "double":
            return number(value)
        case "boolean":
            return boolean(value)
        case "timestamp":
            return moment(value)
        case "blob":
            return blob(value)
        case other:
            raise Undecodable(f"a {other} where text stands")


def _unique(found: list[tuple[str, object]]) -> dict[str, object]:
    table = dict(found)
    if len(table) != len(found):
        raise Undecodable("a JSON object with a key that stands twice")
    return table


def _no_constant(name: str) -> object:
    raise Undecodable(f"`{name}` in JSON")


def _json_integer(digits: str) -> int:
    if len(digits) > INTEGER_DIGITS_MAX + 1:
        raise Undecodable(f"an integer over {INTEGER_DIGITS_MAX} digits")
    return int(digits)


def _json_number(digits: str) -> float:
    if len(digits) > 128:
        raise Undecodable("a number that is too long")
    return number(float(digits))


_READER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_constant=_no_constant, parse_int=_json_integer, parse_float=_json_number
)


def json_text(value: str) -> object:
    """JSON without duplicate keys, NaN, or nesting past all reason. Raises `Undecodable`."""
    try:
        return _READER.decode(value)
    except RecursionError as error:
        raise Undecodable("JSON nested too deep") from error
    except json.JSONDecodeError as error:
        raise Undecodable(f"broken JSON at character {error.pos}") from error


def document(value: object, depth: int) -> Value:
    """A free-form JSON value, checked for depth and text. Raises `Undecodable`."""
    if depth > DEPTH_MAX:
        raise Undecodable(f"nested deeper than {DEPTH_MAX}")
    if isinstance(value, dict):
        return {text(key): document(member, depth + 1) for key, member in value.items()}
    if isinstance(value, list):
        return [document(member, depth + 1) for member in value]
    if isinstance(value, str):
        return text(value)
    if value is None or type(value) is bool:
        return value
    if type(value) is int:
        return integer(value)
    return number(value)
