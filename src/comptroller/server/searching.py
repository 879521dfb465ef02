"""Searches the log, newest first, a page at a time; where it looks at text, it reads a bounded number of entries."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from comptroller.core.audit import Entry, PrivateField
from comptroller.ports import Store
from comptroller.server.log_index import LogIndex, Wanted, meant
from comptroller.server.render import entry_json
from comptroller.server.words import Line, entry_line

PAGE_LINES = 50
LOOKED_AT_MAX = 1_000
"""Entries whose words are looked at for one page of a search for text; the next page goes on behind them."""
CHUNK_ENTRIES = 250


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One page of a search. `before`: where the next one begins, None at the end; `looked_at`: how many were read."""

    lines: Sequence[Line]
    before: int | None
    looked_at: int


async def search(
    store: Store,
    index: LogIndex,
    wanted: Wanted,
    *,
    text: str = "",
    before: int | None = None,
    lines: int = PAGE_LINES,
    beside: Callable[[Entry, Sequence[PrivateField]], Awaitable[Sequence[PrivateField]]] | None = None,
) -> Found:
    """The newest `lines` entries below `before` that are meant and whose words hold `text`, in any case of letters.

    Of what lies beside a leaf only what `beside` leaves is looked at and shown; all of it without one.
    """
    if before is not None:
        wanted = replace(wanted, end=before if wanted.end is None else min(before, wanted.end))
    needle = " ".join(text.casefold().split())
    found: list[Line] = []
    looked_at = 0
    places = index.found(wanted)
    while True:
        chunk: list[int] = []
        for place in places:
            chunk.append(place)
            if len(chunk) >= (CHUNK_ENTRIES if needle else lines):
                break
        if not chunk:
            return Found(lines=found, before=None, looked_at=looked_at)
        rows = {entry.index: (entry, private) for entry, private in await store.entries_at(chunk)}
        for place in chunk:
            looked_at += 1
            row = rows.get(place)
            if row is None or not meant(row[0], wanted):
                continue
            line = line_of(row[0], row[1] if beside is None else await beside(*row))
            if needle and needle not in _said(line):
                continue
            found.append(line)
            if len(found) >= lines:
                return Found(lines=found, before=place, looked_at=looked_at)
        if looked_at >= LOOKED_AT_MAX:
            return Found(lines=found, before=chunk[-1], looked_at=looked_at)


def line_of(entry: Entry, private: Sequence[PrivateField]) -> Line:
    """One entry in words."""
    return entry_line(entry_json(entry, private))


def _said(line: Line) -> str:
    """All that a line shows, as it is compared."""
    return " ".join(f"{line.index} {line.word} {line.agent} {line.run} {line.text}".casefold().split())
