"""Reads a log into groupings: page by page, in bounded memory, whatever its length."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from comptroller.core.audit import Entry
from comptroller.core.spend import Dimension, Grouping, Principal, Query, Spend, SpendRow
from comptroller.server.spend.spill import spilled_charges, spilled_runs

PAGE_ENTRIES = 1000


class Log(Protocol):
    """What a report needs of the reader of a log."""

    def entries(self, *, after: int = -1, limit: int = 1000) -> tuple[Entry, ...]:
        """Entries above `after`, in order."""
        ...

    def size(self) -> int:
        """Number of entries."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """What one pass over the log gave. `first` and `last` are the times of the first and last action that counts;
    `entries` how many were read, and `archived` how many are not in the store any more."""

    by: tuple[Dimension, ...]
    query: Query
    rows: Sequence[SpendRow]
    total: SpendRow
    others: Sequence[Grouping]
    first: str
    last: str
    entries: int
    archived: int


def gather(
    log: Log,
    by: Sequence[Dimension],
    query: Query,
    *,
    others: Sequence[Grouping] = (),
    known: Callable[[str], Principal | None] = lambda _: None,
    progress: Callable[[int, int], None] = lambda _read, _size: None,
) -> Gathered:
    """Sum the log up to its size as it is now. `others` are groupings that are wanted besides. Raises `StoreError`."""
    size = log.size()
    main = Grouping(by)
    with spilled_charges() as charges, spilled_runs() as runs:
        spend = Spend((main, *others), query, charges=charges, runs=runs, known=known)
        after, read = -1, 0
        while after + 1 < size:
            page = log.entries(after=after, limit=min(PAGE_ENTRIES, size - after - 1))
            if not page:
                break
            for entry in page:
                if entry.index < size:
                    spend.take(entry.document)
                    read += 1
            after = page[-1].index
            progress(min(after + 1, size), size)
    return Gathered(
        by=main.by,
        query=query,
        rows=main.rows(),
        total=main.total(),
        others=others,
        first=spend.first,
        last=spend.last,
        entries=read,
        archived=size - read,
    )
