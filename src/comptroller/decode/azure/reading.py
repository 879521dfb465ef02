"""What one of Azure's APIs made of a request, before it becomes an action; and what all of them read alike."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote

from comptroller.core.action import Action, ActionClass, Value
from comptroller.decode.http import OVERRIDE_HEADERS
from comptroller.decode.shape import Undecodable

Classes = frozenset[ActionClass]
SEGMENTS_MAX = 64
_SEGMENT = re.compile(r"[^/\\\x00-\x1f\x7f;?#%]{1,1024}")
SECRET_QUERIES = frozenset({"sig", "code", "access_token", "subscription-key"})
"""Query names that carry a credential of their own; the gateway's is the only one that may be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """An operation with its classes, and what it is done to. `facts` are parameters of ours beside the body."""

    operation: str
    service: str
    classes: Classes
    account: str = ""
    region: str = ""
    resources: tuple[str, ...] = ()
    quantity: int = 1
    facts: Mapping[str, Value] = field(default_factory=dict)
    parts: tuple[Action, ...] = ()
    sensitive: frozenset[str] = frozenset()


def segments(path: str) -> list[str]:
    """The decoded segments of a normalised path; one slash at the end is nothing. Raises `Undecodable`."""
    parts = path.split("/")[1:]
    if parts and parts[-1] == "":
        parts = parts[:-1]
    if len(parts) > SEGMENTS_MAX:
        raise Undecodable(f"the path has more than {SEGMENTS_MAX} segments")
    found = []
    for part in parts:
        try:
            plain = unquote(part, errors="strict")
        except UnicodeDecodeError as error:
            raise Undecodable("the path is not UTF-8") from error
        if not _SEGMENT.fullmatch(plain) or plain.strip() != plain or plain in (".", ".."):
            raise Undecodable("the path has a segment with unexpected characters")
        found.append(plain)
    return found


def query_of(pairs: Sequence[tuple[str, str | None]]) -> dict[str, str]:
    """Query values by lower-case name. Raises `Undecodable` for a name that appears twice, in whatever case, and for
    a credential."""
    found: dict[str, str] = {}
    for name, value in pairs:
        try:
            key, plain = (
                unquote(name, errors="strict").lower(),
                unquote((value or "").replace("+", " "), errors="strict"),
            )
        except UnicodeDecodeError as error:
            raise Undecodable("the query is not UTF-8") from error
        if key in found:
            raise Undecodable("the query has a name twice")
        if key in SECRET_QUERIES:
            raise Undecodable("the query carries a credential of its own")
        found[key] = plain
    return found


def classes(words: str) -> Classes:
    """`"write entitle"` as a set of classes."""
    return frozenset(ActionClass(word) for word in words.split())


def harmless_headers(value: Value) -> None:
    """Raises `Undecodable` where a request within a batch has a header that changes what it does."""
    for name in mapping(value):
        if name.lower() in OVERRIDE_HEADERS:
            raise Undecodable(f"the header `{name.lower()}` asks for something other than method and path say")


def mapping(value: Value) -> Mapping[str, Value]:
    """The value where it is an object, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def sequence(value: Value) -> Sequence[Value]:
    """The value where it is a list, else an empty one."""
    return value if isinstance(value, list) else ()


def member(value: Value, *names: str) -> Value:
    """A member of nested objects by its names, in whatever case, as Azure reads them; None where there is none.

    Raises `Undecodable` where an object has the name in two spellings: which of them counts, nobody can say."""
    for name in names:
        if not isinstance(value, Mapping):
            return None
        if name in value and len(value) == 1:
            value = value[name]
            continue
        lower = name.lower()
        hits = [key for key in value if key.lower() == lower]
        if len(hits) > 1:
            raise Undecodable(f"the body has `{name}` in two spellings")
        value = value[hits[0]] if hits else None
    return value


def members(value: Value) -> Iterable[tuple[str, Value]]:
    """Every (lower-case name, value) of nested objects, however deep. Raises `Undecodable` where there are too many."""
    stack = [value]
    walked = 0
    while stack:
        node = stack.pop()
        walked += 1
        if walked > WALKED_MAX:
            raise Undecodable(f"the body has more than {WALKED_MAX} members")
        if isinstance(node, Mapping):
            for key, held in node.items():
                yield key.lower(), held
                if isinstance(held, (Mapping, list)):
                    stack.append(held)
        elif isinstance(node, list):
            stack.extend(held for held in node if isinstance(held, (Mapping, list)))


WALKED_MAX = 20_000
