"""Request targets, RFC 3986: normalised to the one form that is judged and sent. Whatever two servers could read
differently (encoded slashes, encoded dot segments, control bytes, backslashes) is refused."""

from __future__ import annotations

import re
from dataclasses import dataclass

TARGET_CHARACTERS_MAX = 16 << 10
QUERY_PAIRS_MAX = 1024

_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_PATH_SAFE = _UNRESERVED | frozenset(b"!$&'()*+,;=:@/")
_QUERY_SAFE = _UNRESERVED | frozenset(b"!$'()*+,;:@/?")
_VALUE_SAFE = _QUERY_SAFE | frozenset(b"=")
_HEX = frozenset(b"0123456789abcdefABCDEF")
_SCOPED_PACKAGE = re.compile(r"/@[A-Za-z0-9._~-]+%2[fF][A-Za-z0-9._~-]+(?=/|$)")
_DOUBLE_ENCODED = re.compile(rb"%25(?:25)*(?:2e|2f|5c|00)", re.IGNORECASE)


class AmbiguousTarget(ValueError):
    """A target that has no single meaning; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A normalised target. `path` and `query` stay percent-encoded; a pair without `=` has the value None."""

    path: str
    query: tuple[tuple[str, str | None], ...] = ()
    has_query: bool = False

    @property
    def text(self) -> str:
        """The origin-form that is sent."""
        return join_target(self.path, self.query if self.has_query else None)


def join_target(path: str, query: tuple[tuple[str, str | None], ...] | None) -> str:
    """Path and pairs as an origin-form target; no `?` where `query` is None."""
    if query is None:
        return path
    return path + "?" + "&".join(name if value is None else f"{name}={value}" for name, value in query)


def parse_target(target: str) -> Target:
    """The normalised form of an origin-form target. Raises `AmbiguousTarget`."""
    if len(target) > TARGET_CHARACTERS_MAX:
        raise AmbiguousTarget(f"the target is longer than {TARGET_CHARACTERS_MAX} characters")
    try:
        raw = target.encode("ascii")
    except UnicodeEncodeError as error:
        raise AmbiguousTarget("the target has bytes outside ASCII") from error
    if any(byte <= 0x20 or byte == 0x7F for byte in raw):
        raise AmbiguousTarget("the target has a control byte or a space")
    if not raw.startswith(b"/"):
        raise AmbiguousTarget("the target is not a path")
    if raw.startswith(b"//"):
        raise AmbiguousTarget("the path begins with two slashes, which may be read as a host")
    if b"#" in raw:
        raise AmbiguousTarget("the target has a fragment")
    path_raw, mark, query_raw = raw.partition(b"?")
    return Target(path=_path(path_raw), query=_query(query_raw) if mark else (), has_query=bool(mark))


def _path(raw: bytes) -> str:
    if b"\\" in raw:
        raise AmbiguousTarget("the path has a backslash")
    if _DOUBLE_ENCODED.search(raw):
        raise AmbiguousTarget("the path has a doubly encoded slash or dot")
    path = _normalise(raw, _PATH_SAFE, controls=False)
    outside_scope = _SCOPED_PACKAGE.sub("/@scope/name", path, count=1) if path.startswith("/@") else path
    if "%2F" in outside_scope or "%5C" in outside_scope:
        raise AmbiguousTarget("the path has an encoded slash")
    return _resolve(path, encoded_dots=b"%2e" in raw.lower())


def _resolve(path: str, *, encoded_dots: bool) -> str:
    resolved: list[str] = []
    segments = path.split("/")[1:]
    for position, segment in enumerate(segments):
        bare = segment.split(";", 1)[0]
        if bare not in (".", ".."):
            resolved.append(segment)
            continue
        if encoded_dots or bare != segment:
            raise AmbiguousTarget("the path has a disguised dot segment")
        if segment == "..":
            if not resolved:
                raise AmbiguousTarget("the path climbs above its root")
            resolved.pop()
        if position == len(segments) - 1:
            resolved.append("")
    if resolved and resolved[0] == "" and len(resolved) > 1:
        raise AmbiguousTarget("the path begins with two slashes, which may be read as a host")
    return "/" + "/".join(resolved)


def _query(raw: bytes) -> tuple[tuple[str, str | None], ...]:
    parts = raw.split(b"&")
    if len(parts) > QUERY_PAIRS_MAX:
        raise AmbiguousTarget(f"the query has more than {QUERY_PAIRS_MAX} pairs")
    pairs: list[tuple[str, str | None]] = []
    for part in parts:
        name, mark, value = part.partition(b"=")
        pairs.append((_normalise(name, _QUERY_SAFE), _normalise(value, _VALUE_SAFE) if mark else None))
    return tuple(pairs)


def _normalise(raw: bytes, safe: frozenset[int], *, controls: bool = True) -> str:
    """Upper-case escapes, unreserved bytes bare, everything outside `safe` escaped.

    An encoded control byte is data where `controls`; NUL, CR and LF end strings and lines in careless servers: never.
    """
    out: list[str] = []
    position = 0
    while position < len(raw):
        byte = raw[position]
        if byte != 0x25:
            out.append(chr(byte) if byte in safe else f"%{byte:02X}")
            position += 1
            continue
        digits = raw[position + 1 : position + 3]
        if len(digits) != 2 or not _HEX.issuperset(digits):
            raise AmbiguousTarget("the target has a broken percent escape")
        value = int(digits, 16)
        if value in (0x00, 0x0A, 0x0D) or (not controls and (value < 0x20 or value == 0x7F)):
            raise AmbiguousTarget("the target has an encoded control byte")
        out.append(chr(value) if value in _UNRESERVED else f"%{value:02X}")
        position += 3
    return "".join(out)
