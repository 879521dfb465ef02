"""Policy files cut into single policies with their lines, so that every mistake has a place and every rule a text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from comptroller.boundary.problem import Problem

POLICY_FILE_CHARS_MAX = 8 << 20
NESTING_MAX = 64
OPERATORS_MAX = 800
"""Cedar's parser ends the process on deeper nesting (about 1,000 brackets, or 2,000 operators in a row)."""

_TOKEN = re.compile(
    r'(?P<gap>\s+|//[^\r\n]*)|(?P<string>"(?:[^"\\]|\\.)*")|(?P<open>")|(?P<end>;)|(?P<word>\w+)|(?P<mark>.)', re.DOTALL
)

_LINE_END = re.compile(r"\r\n|\r|\n")
_OPENING, _CLOSING = frozenset("([{"), frozenset(")]}")
_CHAINING = frozenset(["&", "|", "+", "-", "*", ".", "[", "if"])


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyText:
    """A policy file as handed in: the name to show people, and its text."""

    file: str
    text: str


class Place(NamedTuple):
    """Where something stands: line and column from 1, and how many characters it takes. Column 0: the whole line."""

    line: int
    column: int = 0
    length: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One policy as written. `tokens` are its words with the line each stands on, `columns` where on it; comments and
    white space are gone."""

    file: str
    line: int
    text: str
    tokens: tuple[tuple[str, int], ...]
    columns: tuple[int, ...] = ()

    @property
    def canonical(self) -> str:
        """The text without comments and layout: what the rule says, however it is written down."""
        return " ".join(token for token, _ in self.tokens)

    def line_of(self, *words: str) -> int:
        """The line of the first token equal to one of `words` (in their order), quoted or bare; else the first line."""
        return self.place_of(*words).line

    def place_of(self, *words: str) -> Place:
        """The place of the first token equal to one of `words`, quoted or bare; else the first line as a whole."""
        for word in words:
            for number, (token, line) in enumerate(self.tokens):
                if word and token.strip('"') == word:
                    column = self.columns[number] if number < len(self.columns) else 0
                    return Place(line, column, len(token) if column else 0)
        return Place(self.line)


def statements(source: PolicyText) -> Iterator[Statement | Problem]:
    """Every policy of a file in order, or the problem that ends the reading of it. Never raises."""
    if len(source.text) > POLICY_FILE_CHARS_MAX:
        yield Problem(
            file=source.file,
            line=1,
            message=f"the file is larger than {POLICY_FILE_CHARS_MAX} characters",
            write="several smaller files",
        )
        return
    tokens: list[tuple[str, int]] = []
    columns: list[int] = []
    start = begin = 0
    line = 1
    for match in _TOKEN.finditer(source.text):
        text = match.group()
        if match.lastgroup == "open":
            message = 'a text that begins with `"` does not end'
            column = match.start() - begin + 1
            yield Problem(file=source.file, line=line, message=message, write='`"`', column=column, length=1)
            return
        if match.lastgroup != "gap":
            if not tokens:
                start = match.start()
            tokens.append((text, line))
            columns.append(match.start() - begin + 1)
        if match.lastgroup == "end":
            statement = Statement(
                file=source.file,
                line=tokens[0][1],
                text=source.text[start : match.end()],
                tokens=tuple(tokens),
                columns=tuple(columns),
            )
            yield _too_deep(statement) or statement
            tokens, columns = [], []
        for end in _LINE_END.finditer(text):
            line += 1
            begin = match.start() + end.end()
    if tokens:
        yield Problem(
            file=source.file,
            line=tokens[-1][1],
            message="the last policy has no end",
            write="`;` after it",
            column=columns[-1],
            length=len(tokens[-1][0]),
        )


def _too_deep(statement: Statement) -> Problem | None:
    """A policy nested so deep that no parser should be asked to read it."""
    depth = operators = 0
    for token, line in statement.tokens:
        depth = max(0, depth + (token in _OPENING) - (token in _CLOSING))
        operators += token in _CHAINING
        if depth > NESTING_MAX or operators > OPERATORS_MAX:
            return Problem(
                file=statement.file,
                line=line,
                message=f"a policy nested deeper than {NESTING_MAX}, or of more than {OPERATORS_MAX} operators",
                write="several policies, or `containsAny([...])`",
            )
    return None
