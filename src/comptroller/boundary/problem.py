"""What is wrong with a policy: where, why, and what to write instead."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from comptroller.core.errors import ConfigError

SUGGESTION_CUTOFF = 0.6


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One mistake. `write` is what to write instead, ready to be copied where that is possible. `column` counts
    characters from 1 and `length` those that are wrong; 0 where it is about the line as a whole."""

    file: str
    line: int
    message: str
    write: str = ""
    column: int = 0
    length: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}" + (f"; write: {self.write}" if self.write else "")


class PolicyError(ConfigError):
    """Policies that cannot be used; `problems` holds every mistake, in the order of files and lines."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(
            "\n".join(str(problem) for problem in self.problems),
            hint="`comptroller policy check` lists them again; nothing runs until they are gone",
        )


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that `word` was most likely meant to be; None where nothing is close."""
    by_lower = {candidate.lower(): candidate for candidate in sorted(known, reverse=True)}
    close = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=SUGGESTION_CUTOFF)
    return by_lower[close[0]] if close else None
