"""RFC 8785 (JCS) bytes of a JSON value: the C encoder of the standard library where it agrees, else `rfc8785`."""

from __future__ import annotations

import json
import re

import rfc8785

_ENCODER = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, allow_nan=False, sort_keys=True, separators=(",", ":")
)
_DOUBT = re.compile(r"""(?:^|":|[\[,])-?[0-9]+(?:[.eE]|[0-9]{15})|[\U00010000-\U0010ffff]""")
"""Where the two may differ: a number that is no small integer, and characters whose UTF-16 order is not their own."""


class NotJson(ValueError):
    """A value that RFC 8785 gives no bytes for."""


def jcs(value: object, *, plain: bool = False) -> bytes:
    """The RFC 8785 bytes of `value`, whose mappings have text for keys. Raises `NotJson`.

    `plain`: the value is a canonical form (`core.action.canonical`), whose numbers are small integers.
    """
    try:
        text = _ENCODER.encode(value)
        if (plain and text.isascii()) or not _DOUBT.search(text):
            return text.encode("utf-8")
    except (TypeError, ValueError, RecursionError):
        pass
    try:
        return rfc8785.dumps(value)  # type: ignore[arg-type]
    except (rfc8785.CanonicalizationError, UnicodeEncodeError, RecursionError) as error:
        raise NotJson(str(error)) from error
