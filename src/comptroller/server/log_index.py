"""Where in the log a kind, an agent, a run, an operation or a time is: what a search reads is only what it shows."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from comptroller.core.audit import Entry

NAMES_MAX = 100_000
"""Different values of one member that are told apart; what is more is found under one name, and then looked at."""
_MORE = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is searched for; empty or None: any. `since` counts, `until` does not; so do `first` and `end`.

    A kind that ends in `.` is all kinds that begin so.
    """

    kind: str = ""
    agent: str = ""
    run: str = ""
    operation: str = ""
    since: datetime | None = None
    until: datetime | None = None
    first: int = 0
    end: int | None = None


class _Column:
    """One member of every entry, by number, and for each value where it is."""

    def __init__(self, names_max: int) -> None:
        self._names_max = names_max
        self._numbers: dict[str, int] = {}
        self.values = array("I")
        self.where: list[array[int]] = [array("I")]

    def add(self, value: str) -> None:
        number = self._numbers.get(value)
        if number is None:
            if len(self._numbers) >= self._names_max:
                number = _MORE
            else:
                number = self._numbers[value] = len(self.where)
                self.where.append(array("I"))
        self.where[number].append(len(self.values))
        self.values.append(number)

    def numbers(self, value: str, *, begins: bool = False) -> frozenset[int]:
        """Under which numbers `value` may be."""
        known = [name for name in self._numbers if name.startswith(value)] if begins else [value]
        numbers = {self._numbers[name] for name in known if name in self._numbers}
        if self.where[_MORE] and (begins or not numbers):
            numbers.add(_MORE)
        return frozenset(numbers)

    def names(self) -> Sequence[str]:
        """Every value, those that are there most often first."""
        return sorted(self._numbers, key=lambda name: (-len(self.where[self._numbers[name]]), name))

    def counts(self) -> Mapping[str, int]:
        """How often each value is there."""
        return {name: len(self.where[number]) for name, number in self._numbers.items()}


class LogIndex:
    """A fold (see `server.following`): for each entry five numbers, 36 bytes."""

    def __init__(self, names_max: int = NAMES_MAX) -> None:
        self._columns = {name: _Column(names_max) for name in ("kind", "agent", "run", "operation")}
        self._times = array("d")
        self._indices = array("Q")
        self._ordered = True

    def __len__(self) -> int:
        return len(self._indices)

    def take(self, entry: Entry) -> None:
        """As `server.following.Fold.take`."""
        document = entry.document
        body = document.get("body")
        for name in ("kind", "agent", "run"):
            self._columns[name].add(_text(document.get(name)))
        self._columns["operation"].add(_text(body.get("operation")) if isinstance(body, Mapping) else "")
        seconds = _seconds(_text(document.get("at")))
        # A clock that was set back: times are then compared one by one.
        self._ordered = self._ordered and (not self._times or self._times[-1] <= seconds)
        self._times.append(seconds)
        self._indices.append(entry.index)

    def found(self, wanted: Wanted) -> Iterator[int]:
        """Indices of entries that may be meant, newest first. Under `names_max` values they are, for certain."""
        end = len(self._indices) if wanted.end is None else bisect_left(self._indices, max(wanted.end, 0))
        first = bisect_left(self._indices, max(wanted.first, 0))
        since = wanted.since.timestamp() if wanted.since is not None else float("-inf")
        until = wanted.until.timestamp() if wanted.until is not None else float("inf")
        timed = wanted.since is not None or wanted.until is not None
        if timed and self._ordered:
            first = max(first, bisect_left(self._times, since))
            end = min(end, bisect_left(self._times, until))
        asked = [
            (self._columns[name], self._columns[name].numbers(value, begins=name == "kind" and value.endswith(".")))
            for name in self._columns
            if (value := getattr(wanted, name))
        ]
        checks = [(column.values, numbers) for column, numbers in asked]
        for place in self._places(asked, first, end):
            if timed and not since <= self._times[place] < until:
                continue
            if all(values[place] in numbers for values, numbers in checks):
                yield self._indices[place]

    def _places(self, asked: Sequence[tuple[_Column, frozenset[int]]], first: int, end: int) -> Iterator[int]:
        """Places from the newest to the oldest: those of the rarest value that is asked for, where there is one."""
        single = [
            column.where[next(iter(numbers))] if numbers else array("I")
            for column, numbers in asked
            if len(numbers) <= 1
        ]
        if not single:
            yield from range(end - 1, first - 1, -1)
            return
        rarest = min(single, key=len)
        for at in range(bisect_left(rarest, end) - 1, -1, -1):
            if rarest[at] < first:
                return
            yield rarest[at]

    def names(self, member: str, count: int) -> Sequence[str]:
        """The most frequent values of `kind`, `agent`, `run` or `operation`, without the empty one."""
        return [name for name in self._columns[member].names() if name][:count]

    def kinds(self) -> Mapping[str, int]:
        """How often each kind is there."""
        return self._columns["kind"].counts()


def meant(entry: Entry, wanted: Wanted) -> bool:
    """Whether an entry is what is searched for: `LogIndex.found` may name more where it does not tell all apart."""
    document = entry.document
    body = document.get("body")
    kind = _text(document.get("kind"))
    return (
        (kind.startswith(wanted.kind) if wanted.kind.endswith(".") else wanted.kind in ("", kind))
        and wanted.agent in ("", document.get("agent"))
        and wanted.run in ("", document.get("run"))
        and wanted.operation in ("", body.get("operation") if isinstance(body, Mapping) else "")
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _seconds(text: str) -> float:
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return 0.0
