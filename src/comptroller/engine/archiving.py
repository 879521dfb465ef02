"""Removes from the store what was archived: what retention lets go and the archive holds; with an entry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from comptroller.core.archive import Archive
from comptroller.core.audit import Entry, EntryKind
from comptroller.core.errors import VerificationError
from comptroller.core.retention import EntryClass, is_due
from comptroller.core.walk import Record, ranges_count, ranges_digest, ranges_of
from comptroller.engine.entries import Scribe
from comptroller.engine.hub import Hub
from comptroller.ports import Changes, Clock, Store, Wants

PAGE_ENTRIES = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """What one archive allowed to remove; `index` is the entry that says so, None where nothing was due."""

    count: int
    stay: int
    index: int | None


class Archivist:
    """Takes archives that were read and checked by the caller; compares every entry with the log again."""

    def __init__(self, *, store: Store, clock: Clock, scribe: Scribe, hub: Hub) -> None:
        self._store = store
        self._clock = clock
        self._scribe = scribe
        self._hub = hub

    async def remove(
        self, archive: Archive, *, days: Mapping[EntryClass, int], name: str, sha256: str, by: str
    ) -> Removed:
        """Remove the leaves and private values that are due and lie in `archive`, the file `name`; their hashes stay.

        Raises `VerificationError` where the archive does not verify, or is not of this log.
        """
        archive.report.check()
        now = self._clock.now()
        due: list[int] = []
        here = 0
        after = archive.first - 1
        while page := await self._store.entries(after=after, limit=PAGE_ENTRIES):
            after = page[-1].index
            for entry in page:
                if entry.index >= archive.end:
                    break
                here += 1
                if await self._may_go(entry, archive.record(entry.index), days, now):
                    due.append(entry.index)
            if after >= archive.end - 1:
                break
        if not due:
            return Removed(count=0, stay=here, index=None)
        ranges = ranges_of(due)
        # INVARIANT: nothing is removed that does not lie in the archive, byte for byte.
        assert ranges_count(ranges) == len(due) and archive.first <= due[0] <= due[-1] < archive.end
        body = {
            "archive": name,
            "sha256": sha256,
            "first": archive.first,
            "end": archive.end,
            "root": archive.root.hex(),
            "removed": {"count": len(due), "sha256": ranges_digest(ranges)},
            "days": {each.value: term for each, term in sorted(days.items())},
            "by": by,
        }
        entry_draft = self._scribe.draft(EntryKind.AUDIT_ARCHIVED, at=now, body=body)
        changes = Changes(entries=(entry_draft,), archived=tuple(ranges))
        done = await self._store.commit(Wants(now=now), lambda _: (changes, None))
        self._hub.publish(EntryKind.AUDIT_ARCHIVED.value, {"index": done.indices[0], "archive": name, "by": by})
        return Removed(count=len(due), stay=here - len(due), index=done.indices[0])

    async def _may_go(self, entry: Entry, found: Record | None, days: Mapping[EntryClass, int], now: datetime) -> bool:
        if found is None:
            return False
        if found.leaf != entry.leaf:
            raise VerificationError(f"entry {entry.index} of the archive is not the log's", hint="nothing was removed")
        if not is_due(entry.document, days, now):
            return False
        committed = entry.document.get("private")
        lacking = set(committed if isinstance(committed, Mapping) else ()) - {item.name for item in found.private}
        # What the archive lacks may only be what was erased here too.
        return not lacking or not lacking & {item.name for item in await self._store.private(entry.index)}
