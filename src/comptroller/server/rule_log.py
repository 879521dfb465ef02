"""What each rule did and how the policies changed, read once from the log and then kept up with it."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Sequence
from datetime import date, timedelta

from comptroller.core.audit import Entry, EntryKind
from comptroller.core.errors import StoreError
from comptroller.core.rule_use import DAYS_KEPT, RuleUse
from comptroller.ports import Clock, Store
from comptroller.server.looking_back import moment

PAGE_ENTRIES = 500
AT_ONCE_ENTRIES = 2_000
"""What a page waits for; the rest is read behind it, and the page says how far it is."""
CHANGES_KEPT = 100


class RuleLog:
    """A fold of the last days of one log. Reads nothing before somebody asks."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self.use = RuleUse(self._first_day())
        self.changes: deque[int] = deque(maxlen=CHANGES_KEPT)
        """Indices of the entries that tell of loaded configuration, oldest first."""
        self._next: int | None = None
        self.begin = 0
        self._reading = asyncio.Lock()
        self._behind: asyncio.Task[None] | None = None

    def _first_day(self) -> date:
        return (self._clock.now() - timedelta(days=DAYS_KEPT - 1)).date()

    async def refresh(self) -> tuple[int, int]:
        """Read what is new. (entries read, entries to read): equal unless there are very many; then the rest follows by
        itself. Raises `StoreError`."""
        left = await self._read(AT_ONCE_ENTRIES)
        if left and (self._behind is None or self._behind.done()):
            self._behind = asyncio.create_task(self._read_all())
        assert self._next is not None
        return self._next - self.begin, self._next - self.begin + left

    async def close(self) -> None:
        """Stop reading."""
        if self._behind is not None:
            self._behind.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._behind

    async def _read_all(self) -> None:
        with contextlib.suppress(StoreError):
            while await self._read(PAGE_ENTRIES):
                pass

    async def _read(self, entries_max: int) -> int:
        """Read on; how many entries are left."""
        async with self._reading:
            size = await self._store.size()
            if self._next is None:
                self._next = self.begin = await self._index_of(self._first_day(), size)
            self.use.forget(self._first_day())
            most = self._next + entries_max
            while self._next < min(size, most):
                page = await self._store.entries(after=self._next - 1, limit=min(PAGE_ENTRIES, size - self._next))
                if not page:
                    # What is left was archived.
                    self._next = size
                    break
                for entry in page:
                    self.use.add(entry.document)
                    if entry.document.get("kind") == EntryKind.CONFIG_LOADED:
                        self.changes.append(entry.index)
                self._next = page[-1].index + 1
            return max(0, size - self._next)

    async def _index_of(self, day: date, size: int) -> int:
        """The first entry of that day or later, found by halving: entries lie in the order of their times."""
        low, high = 0, size
        while low < high:
            middle = (low + high) // 2
            found = await self._store.entries(after=middle - 1, limit=1)
            at = moment(found[0].document.get("at")) if found else None
            if found and at is not None and at.date() < day:
                low = found[0].index + 1
            else:
                high = middle
        return low


async def entry_at(store: Store, index: int) -> Entry | None:
    """One entry; None where it was archived."""
    found = await store.entries(after=index - 1, limit=1)
    return found[0] if found and found[0].index == index else None


def days_back(clock: Clock, days: int) -> Sequence[date]:
    """Today and the days before it, oldest first."""
    today = clock.now().date()
    return [today - timedelta(days=number) for number in reversed(range(days))]
