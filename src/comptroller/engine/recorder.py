"""Records what is not an action: the box's own events, starts and stops, loaded configuration."""

from __future__ import annotations

from collections.abc import Mapping

from comptroller.core.audit import EntryKind
from comptroller.core.document import Document
from comptroller.engine.entries import Scribe
from comptroller.engine.hub import Hub
from comptroller.ports import Changes, Clock, Store, Wants


class Recorder:
    """Appends single entries."""

    def __init__(self, *, store: Store, clock: Clock, scribe: Scribe, hub: Hub) -> None:
        self._store = store
        self._clock = clock
        self._scribe = scribe
        self._hub = hub

    async def record(
        self,
        kind: EntryKind,
        *,
        agent: str = "",
        run: str = "",
        body: Mapping[str, object] | None = None,
        private: Mapping[str, object] | None = None,
        documents: tuple[Document, ...] = (),
    ) -> int:
        """Append one entry, and what it says that people made; returns its index once both are durable. Raises
        `StoreError`."""
        now = self._clock.now()
        draft = self._scribe.draft(kind, at=now, agent=agent, run=run, body=body, private=private)
        changes = Changes(entries=(draft,), documents=documents)
        done = await self._store.commit(Wants(now=now), lambda _: (changes, None))
        index = done.indices[0]
        self._hub.publish(kind.value, {"index": index, "agent": agent, "run": run, **(body or {}), **(private or {})})
        return index

    async def erase(self, index: int, field: str, *, by: str) -> int:
        """Delete a value beside entry `index`; the deletion is itself an entry, the proofs stay whole."""
        now = self._clock.now()
        body = {"entry": index, "field": field, "by": by}
        draft = self._scribe.draft(EntryKind.FIELD_ERASED, at=now, body=body)
        changes = Changes(entries=(draft,), erase=((index, field),))
        done = await self._store.commit(Wants(now=now), lambda _: (changes, None))
        return done.indices[0]
