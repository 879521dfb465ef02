"""ETags: a hash over what an answer says, without the members that are counted afresh at every reading."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Set

_TAG = re.compile(r'(W/)?"([\x21\x23-\x7e]*)"')


def etag_of(value: object, volatile: Set[str] = frozenset()) -> str:
    """The strong ETag of an answer."""
    text = json.dumps(_lasting(value, volatile), sort_keys=True, default=str)
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'


def matches(header: str, etag: str, *, weak: bool) -> bool:
    """Whether a list of ETags (or `*`) names this one; only `weak` comparison takes tags marked as weak."""
    if header.strip() == "*":
        return True
    return any(f'"{tag}"' == etag and (weak or not mark) for mark, tag in _TAG.findall(header))


def _lasting(value: object, volatile: Set[str]) -> object:
    if isinstance(value, Mapping):
        return {str(name): _lasting(each, volatile) for name, each in value.items() if name not in volatile}
    if isinstance(value, list | tuple):
        return [_lasting(each, volatile) for each in value]
    return value
