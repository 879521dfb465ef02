"""Which top-level fields a GraphQL document asks for: a small, strict reader. What it cannot follow has no meaning."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

DOCUMENT_CHARACTERS_MAX = 256 << 10
TOKENS_MAX = 50_000
FIELDS_MAX = 100
DEPTH_MAX = 60

_TOKEN = re.compile(
    r"(?P<skip>[\ufeff\t\n\r ,]+|\#[^\n\r]*)"
    r'|(?P<block>"""(?:\\"""|(?!""").)*""")'
    r'|(?P<text>"(?!"")(?:\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4}|u\{[0-9A-Fa-f]{1,8}\})|[^"\\\n\r])*")'
    r"|(?P<number>-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?(?![0-9A-Za-z_.]))"
    r"|(?P<spread>\.\.\.)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<mark>[!$&()=:@\[\]{}|])",
    re.DOTALL,
)
_OPEN = {"(": ")", "[": "]", "{": "}"}


class MalformedGraphQL(ValueError):
    """A document that is not one readable operation; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One operation: its kind, and the name of each top-level field, once per selection."""

    kind: Literal["query", "mutation"]
    fields: tuple[str, ...]


@dataclass(slots=True)
class _Selection:
    fields: list[str] = field(default_factory=list)
    spreads: list[str] = field(default_factory=list)


def asked_of(document: str, operation: str | None) -> Asked:
    """What the operation named `operation` (the only one where None) asks for. Raises `MalformedGraphQL`.

    Directives (`@skip`, `@include`) are not followed: a field that may be asked for is asked for.
    """
    return _Reader(document).read(operation)


class _Reader:
    def __init__(self, document: str) -> None:
        if len(document) > DOCUMENT_CHARACTERS_MAX:
            raise MalformedGraphQL(f"the GraphQL document has more than {DOCUMENT_CHARACTERS_MAX} characters")
        self._tokens = _tokens(document)
        self._at = 0
        self._operations: dict[str | None, tuple[str, _Selection]] = {}
        self._fragments: dict[str, _Selection] = {}

    def read(self, operation: str | None) -> Asked:
        while self._at < len(self._tokens):
            self._definition()
        if operation is None and len(self._operations) == 1:
            (kind, selection) = next(iter(self._operations.values()))
        elif operation in self._operations and operation is not None:
            kind, selection = self._operations[operation]
        else:
            raise MalformedGraphQL("the GraphQL document does not say which one of its operations is meant")
        if kind not in ("query", "mutation"):
            raise MalformedGraphQL("a GraphQL subscription goes on for as long as it likes")
        fields = self._resolved(selection, ())
        if not fields or len(fields) > FIELDS_MAX:
            raise MalformedGraphQL(f"the GraphQL operation has no field, or more than {FIELDS_MAX}")
        return Asked(kind="query" if kind == "query" else "mutation", fields=tuple(fields))

    def _definition(self) -> None:
        if self._peek() == "{":
            self._add(None, "query", self._selection(0))
            return
        word = self._take()
        if word == "fragment":
            name = self._name()
            if name == "on" or self._take() != "on":
                raise MalformedGraphQL("a GraphQL fragment says no type")
            self._name()
            self._directives()
            if name in self._fragments:
                raise MalformedGraphQL("two GraphQL fragments have one name")
            self._fragments[name] = self._selection(0)
        elif word in ("query", "mutation", "subscription"):
            named = self._name() if self._is_name() else None
            if self._peek() == "(":
                self._balanced()
            self._directives()
            self._add(named, word, self._selection(0))
        else:
            raise MalformedGraphQL("the GraphQL document holds something that is no operation")

    def _add(self, name: str | None, kind: str, selection: _Selection) -> None:
        if name in self._operations or None in self._operations or (name is None and self._operations):
            raise MalformedGraphQL("two GraphQL operations have one name, or one has none")
        self._operations[name] = (kind, selection)

    def _selection(self, depth: int) -> _Selection:
        """The fields of one selection set; those within them are only skipped, brackets in balance."""
        if depth > DEPTH_MAX:
            raise MalformedGraphQL(f"the GraphQL document is nested deeper than {DEPTH_MAX}")
        self._expect("{")
        found = _Selection()
        while self._peek() != "}":
            if self._peek() == "...":
                self._take()
                if self._is_name() and self._peek() != "on":
                    found.spreads.append(self._name())
                    self._directives()
                    continue
                if self._peek() == "on":
                    self._take()
                    self._name()
                self._directives()
                inner = self._selection(depth + 1)
                found.fields += inner.fields
                found.spreads += inner.spreads
                continue
            name = self._name()
            if self._peek() == ":":
                self._take()
                name = self._name()
            found.fields.append(name)
            if self._peek() == "(":
                self._balanced()
            self._directives()
            if self._peek() == "{":
                self._selection(depth + 1)
        self._take()
        if not found.fields and not found.spreads:
            raise MalformedGraphQL("the GraphQL document has an empty selection")
        return found

    def _resolved(self, selection: _Selection, within: Sequence[str]) -> list[str]:
        fields = list(selection.fields)
        for name in selection.spreads:
            if name in within or name not in self._fragments or len(within) > DEPTH_MAX:
                raise MalformedGraphQL("a GraphQL fragment is missing, or is part of itself")
            fields += self._resolved(self._fragments[name], (*within, name))
            if len(fields) > FIELDS_MAX:
                raise MalformedGraphQL(f"the GraphQL operation has more than {FIELDS_MAX} fields")
        return fields

    def _directives(self) -> None:
        while self._peek() == "@":
            self._take()
            self._name()
            if self._peek() == "(":
                self._balanced()

    def _balanced(self) -> None:
        """Skip from an opening bracket to its end."""
        waiting: list[str] = []
        while True:
            token = self._take()
            if token in _OPEN:
                waiting.append(_OPEN[token])
                if len(waiting) > DEPTH_MAX:
                    raise MalformedGraphQL(f"the GraphQL document is nested deeper than {DEPTH_MAX}")
            elif token in (")", "]", "}") and token != waiting.pop():
                raise MalformedGraphQL("the GraphQL document has brackets out of balance")
            if not waiting:
                return

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _take(self) -> str:
        token = self._peek()
        if not token:
            raise MalformedGraphQL("the GraphQL document ends too early")
        self._at += 1
        return token

    def _expect(self, mark: str) -> None:
        if self._take() != mark:
            raise MalformedGraphQL(f"the GraphQL document lacks a `{mark}`")

    def _is_name(self) -> bool:
        token = self._peek()
        return token[:1].isalpha() or token[:1] == "_"

    def _name(self) -> str:
        if not self._is_name():
            raise MalformedGraphQL("the GraphQL document lacks a name")
        return self._take()


def _tokens(document: str) -> list[str]:
    found: list[str] = []
    at = 0
    while at < len(document):
        match = _TOKEN.match(document, at)
        if match is None or match.end() == at:
            raise MalformedGraphQL("the GraphQL document has a character that has no place there")
        at = match.end()
        if match.lastgroup != "skip":
            found.append('"' if match.lastgroup in ("block", "text") else match[0])
            if len(found) > TOKENS_MAX:
                raise MalformedGraphQL(f"the GraphQL document has more than {TOKENS_MAX} tokens")
    return found
