"""Reads the log once, from its beginning, and goes on where it stopped: what pages show is never folded anew."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from comptroller.core.audit import Entry
from comptroller.ports import Store

PAGE_ENTRIES = 100
"""So few that nobody waits long for the event loop."""
PATIENCE_SECONDS = 0.1
"""How long a page waits for what is not read yet; then it shows what there is, and says so."""
PAUSE_SECONDS = 0.005
PAUSES_MAX = 200
"""How often in a row reading in the background waits for pages that are being made."""
ENTRIES_A_SECOND_MAX = 50_000
"""More are never read: for a rest that takes longer than a page's patience no page waits."""


class Fold(Protocol):
    """Something that is built of entries."""

    def take(self, entry: Entry) -> None:
        """Take the next entry into account. Must not raise, whatever the entry holds."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How much of the log is folded. `archived` are entries before `read` that the store holds no longer."""

    read: int
    size: int
    archived: int = 0

    @property
    def whole(self) -> bool:
        """Whether nothing is left to read."""
        return self.read >= self.size

    @property
    def percent(self) -> int:
        """Of the log, rounded down."""
        return 100 if self.whole else self.read * 100 // self.size


class Following:
    """One pass over a growing log for all `folds` together."""

    def __init__(self, store: Store, folds: Sequence[Fold]) -> None:
        self._store = store
        self._folds = tuple(folds)
        self._next = 0
        self._taken = 0
        self._size = 0
        self._waited_for = 0
        self._shown = 0
        self._reading: asyncio.Task[None] | None = None

    async def catch_up(self, within_seconds: float = PATIENCE_SECONDS) -> Progress:
        """Read on for so long where that may be enough; what is left is read in the background. Raises `StoreError`."""
        self._size = max(self._size, await self._store.size())
        if self._next < self._size:
            if self._reading is None or self._reading.done():
                self._reading = asyncio.create_task(self._read_on())
                self._reading.add_done_callback(_looked_at)
            if self._size - self._next <= within_seconds * ENTRIES_A_SECOND_MAX:
                await self._wait(self._reading, within_seconds)
        return self.progress

    @contextmanager
    def showing(self) -> Iterator[None]:
        """While something is made of the folds: reading in the background waits for it."""
        self._shown += 1
        try:
            yield
        finally:
            self._shown -= 1

    async def _wait(self, reading: asyncio.Task[None], seconds: float) -> None:
        self._waited_for += 1
        try:
            await asyncio.wait({reading}, timeout=seconds)
        finally:
            self._waited_for -= 1
        if reading.done() and not reading.cancelled():
            reading.result()

    @property
    def progress(self) -> Progress:
        """How far it is."""
        return Progress(read=min(self._next, self._size), size=self._size, archived=self._next - self._taken)

    async def _read_on(self) -> None:
        while self._next < self._size:
            size = self._size
            found = await self._store.entries(after=self._next - 1, limit=PAGE_ENTRIES)
            begun = time.perf_counter()
            for entry in found:
                for fold in self._folds:
                    fold.take(entry)
            self._taken += len(found)
            # Fewer than asked for: what is not there up to that size was archived.
            self._next = found[-1].index + 1 if found else size
            # In the background half of the time is left to others, and all of it to pages that are being made.
            await asyncio.sleep(0 if self._waited_for else time.perf_counter() - begun)
            for _ in range(PAUSES_MAX):
                if self._waited_for or not self._shown:
                    break
                await asyncio.sleep(PAUSE_SECONDS)

    async def close(self) -> None:
        """Stop reading."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)


def _looked_at(reading: asyncio.Task[None]) -> None:
    """Whoever waits is told of what failed; where nobody does, the next page tries again."""
    if not reading.cancelled():
        reading.exception()
