"""The AWS command line's shorthand: `Key=value,List=a,b,Inner={Key=value},Many=[a,b]` as mappings, lists and text."""

from __future__ import annotations

from comptroller.decode.records.case import Unread

NESTING_MAX = 32
FILE_PREFIXES = ("file://", "fileb://")

_KEY = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.#/:")
_NEVER_FIRST = frozenset("\"',=[{ \t\r\n")
_ENDS_FIRST = frozenset("\"',]}")
_ENDS_LATER = frozenset("\"',=")

Parsed = dict[str, object]


class Malformed(ValueError):
    """Text that is no shorthand; the message says why, without quoting it."""


def parse(text: str) -> Parsed:
    """The mapping that a shorthand text means. Raises `Malformed`."""
    return _Parser(text).whole()


class _Parser:
    """Reads from left to right; `at` is the next character."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def whole(self) -> Parsed:
        found: Parsed = {}
        while True:
            key, value = self._pair(listed=True)
            if key in found:
                raise Malformed("a key stands twice")
            found[key] = value
            self._space()
            if self._end():
                return found
            self._take(",")

    def _end(self) -> bool:
        return self.at >= len(self.text)

    def _next(self) -> str:
        return self.text[self.at] if self.at < len(self.text) else ""

    def _space(self) -> None:
        while self._next() and self._next() in " \t\r\n":
            self.at += 1

    def _take(self, mark: str) -> None:
        self._space()
        if self._next() != mark:
            raise Malformed(f"`{mark}` is missing")
        self.at += 1
        self._space()

    def _pair(self, *, listed: bool, depth: int = 0) -> tuple[str, object]:
        start = self.at
        while self._next() in _KEY and self._next():
            self.at += 1
        key = self.text[start : self.at]
        self._space()
        filed = self._next() == "@"
        if filed:
            self.at += 1
        self._take("=")
        value = self._values() if listed else self._inner(depth)
        return key, _from_file(value) if filed else value

    def _values(self) -> object:
        """A value at the top: several with commas between them are a list, up to the next `key=`."""
        mark = self._next()
        if mark in ("", "[", "{"):
            return "" if not mark else self._inner(0)
        first = self._scalar()
        self._space()
        found = [first]
        while self._next() == ",":
            back = self.at
            self._take(",")
            try:
                later = self._later()
            except Malformed:
                if self._end():
                    raise
                self.at = back
                break
            self._space()
            if not self._end() and self._next() != ",":
                self.at = back
                break
            found.append(later)
        return first if len(found) == 1 else found

    def _inner(self, depth: int) -> object:
        if depth > NESTING_MAX:
            raise Malformed(f"nested deeper than {NESTING_MAX}")
        if self._next() == "[":
            return self._list(depth)
        return self._mapping(depth) if self._next() == "{" else self._scalar()

    def _list(self, depth: int) -> list[object]:
        self._take("[")
        found: list[object] = []
        while self._next() != "]":
            found.append(self._inner(depth + 1))
            self._space()
            if self._next() != "]":
                self._take(",")
        self.at += 1
        return found

    def _mapping(self, depth: int) -> Parsed:
        self._take("{")
        found: Parsed = {}
        while self._next() != "}":
            key, value = self._pair(listed=False, depth=depth + 1)
            if key in found:
                raise Malformed("a key stands twice")
            found[key] = value
            self._space()
            if self._next() != "}":
                self._take(",")
        self.at += 1
        return found

    def _scalar(self) -> str:
        if self._next() in ("'", '"') and self._next():
            return self._quoted()
        return self._bare(_ENDS_FIRST)

    def _later(self) -> str:
        """A further value of a list without brackets; it may not be empty, and never holds a `=`."""
        if self._next() in ("'", '"') and self._next():
            return self._quoted()
        found = self._bare(_ENDS_LATER)
        if not found:
            raise Malformed("a value is missing")
        return found

    def _bare(self, ends: frozenset[str]) -> str:
        start = self.at
        if self._next() in _NEVER_FIRST:
            return ""
        while self._next() and (self._next() not in ends or self.text.startswith("\\,", self.at - 1)):
            self.at += 1
        return self.text[start : self.at].replace("\\,", ",").rstrip()

    def _quoted(self) -> str:
        mark = self._next()
        found: list[str] = []
        at = self.at + 1
        while at < len(self.text):
            character = self.text[at]
            if character == mark:
                self.at = at + 1
                return "".join(found)
            if character == "\\" and self.text[at + 1 : at + 2] in (mark, "\\"):
                at += 1
                character = self.text[at]
            found.append(character)
            at += 1
        raise Malformed("a quoted value does not end")


def _from_file(value: object) -> object:
    """What `key@=file://name` means: content that lies elsewhere."""
    if isinstance(value, str) and value.startswith(FILE_PREFIXES):
        return Unread(value)
    return [_from_file(item) for item in value] if isinstance(value, list) else value
