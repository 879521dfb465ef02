"""RFC 8785 (JCS) bytes of a JSON value: the C encoder of the standard library where it agrees, else `rfc8785`."""

from __future__ import annotations

import json
import re

import rfc8785

_ENCODER = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, allow_nan=False, sort_keys=True, separators=(",", ":")
)
_NUMBER = r"-?[0-9]+(?:[.eE]|[0-9]{15})"
_DOUBTS = (re.compile(f'":{_NUMBER}'), re.compile(rf"[\[,]{_NUMBER}"))
"""Where the two may differ: a number that is no small integer, as a member or in an array. Two patterns that begin with
what must be there are searched for four times as quickly as one."""
_SCALAR = re.compile(_NUMBER)
_ASTRAL = re.compile("[\U00010000-\U0010ffff]")
"""Characters whose UTF-16 order is not their own."""


class NotJson(ValueError):
    """A value that RFC 8785 gives no bytes for."""


def jcs(value: object, *, plain: bool = False) -> bytes:
    """The RFC 8785 bytes of `value`, whose mappings have text for keys. Raises `NotJson`.

    `plain`: the value is a canonical form (`core.action.canonical`), whose numbers are small integers.
    """
    try:
        text = _ENCODER.encode(value)
        ascii_only = text.isascii()
        if (plain and ascii_only) or not _doubtful(text, ascii_only):
            return text.encode("utf-8")
    except (TypeError, ValueError, RecursionError):
        pass
    try:
        return rfc8785.dumps(value)  # type: ignore[arg-type]
    except (rfc8785.CanonicalizationError, UnicodeEncodeError, RecursionError) as error:
        raise NotJson(str(error)) from error


def _doubtful(text: str, ascii_only: bool) -> bool:
    return (
        any(pattern.search(text) for pattern in _DOUBTS)
        or _SCALAR.match(text) is not None
        or (not ascii_only and _ASTRAL.search(text) is not None)
    )
