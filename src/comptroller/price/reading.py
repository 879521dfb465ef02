"""Parameters as a price reads them: what is not of the expected kind is absent, never guessed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation

from comptroller.core.action import Value

WHOLE_MAX = 10**12


def mapping(value: Value) -> Mapping[str, Value]:
    """The mapping, or an empty one."""
    return value if isinstance(value, Mapping) else {}


def sequence(value: Value) -> Sequence[Value]:
    """The list, or an empty one; text is no list."""
    return value if isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray) else ()


def text(value: Value) -> str:
    """The text, or an empty one."""
    return value if isinstance(value, str) else ""


def whole(value: Value) -> int | None:
    """A count from 0 to `WHOLE_MAX`, rounded up; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value if 0 <= value < WHOLE_MAX else None
    if isinstance(value, float | Decimal):
        return math.ceil(value) if math.isfinite(value) and 0 <= value < WHOLE_MAX else None
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 13 else None


def amount(value: Value) -> Decimal | None:
    """A number from 0 to `WHOLE_MAX`, from a number or text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        return None
    try:
        number = Decimal(str(value)) if not isinstance(value, str) or len(value) <= 40 else Decimal("NaN")
    except InvalidOperation:
        return None
    return number if number.is_finite() and 0 <= number < WHOLE_MAX else None


def at(value: Value, *path: str) -> Value:
    """The member at `path`; None where one on the way is missing."""
    for name in path:
        value = mapping(value).get(name)
    return value


def size_of(value: Value) -> int:
    """Bytes of a text or of bytes; 0 for anything else."""
    if isinstance(value, str):
        return len(value.encode("utf-8", "surrogatepass"))
    return len(value) if isinstance(value, bytes | bytearray) else 0
