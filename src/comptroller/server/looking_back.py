"""The newest entries of a log, backwards: what a look at the last days needs, however long the log is."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Protocol

from comptroller.core.walk import Record

BLOCK_ENTRIES = 500


class Log(Protocol):
    """What is needed of the reader of a log."""

    def records(self, *, size: int | None = None, private: bool = True, after: int = -1) -> Iterator[Record]:
        """Entries above `after` and below `size`, in order."""
        ...

    def size(self) -> int:
        """Number of entries."""
        ...


def newest_first(log: Log, *, since: datetime) -> Iterator[Mapping[str, object]]:
    """Entries from the newest down to `since`, each with what lies beside it under `beside`. Raises `StoreError`.

    Entries that were archived, or whose leaf nobody can read, are passed over: `audit verify` tells of those.
    """
    end = log.size()
    while end > 0:
        start = max(0, end - BLOCK_ENTRIES)
        for record in reversed(list(log.records(after=start - 1, size=end))):
            entry = None if record.removed else _entry(record)
            if entry is None:
                continue
            at = moment(entry.get("at"))
            if at is not None and at < since:
                return
            yield entry
        end = start


def moment(text: object) -> datetime | None:
    """The time in an entry; None for what is none."""
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _entry(record: Record) -> Mapping[str, object] | None:
    try:
        leaf = json.loads(record.leaf)
    except (ValueError, RecursionError):
        return None
    if not isinstance(leaf, dict) or not isinstance(leaf.get("body"), dict):
        return None
    return {**leaf, "beside": {field.name: field.value for field in record.private}}
