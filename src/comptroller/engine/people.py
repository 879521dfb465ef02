"""Accounts and tokens change only together with the entry that says so: one commit, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from comptroller.core.audit import EntryKind
from comptroller.core.document import Document, DocumentKind
from comptroller.engine.entries import Scribe
from comptroller.engine.hub import Hub
from comptroller.ports import Changes, Clock, Facts, Store, Wants

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """One entry about a person. `private` lies beside the leaf: addresses, what browsers call themselves."""

    kind: EntryKind
    body: Mapping[str, object]
    private: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step(Generic[T]):
    """What a change of one document comes to."""

    result: T
    documents: tuple[Document, ...] = ()
    notes: tuple[Note, ...] = ()


class People:
    """Reads and changes the documents of people."""

    def __init__(self, *, store: Store, clock: Clock, scribe: Scribe, hub: Hub) -> None:
        self._store = store
        self.clock = clock
        self._scribe = scribe
        self._hub = hub

    async def document(self, document_id: str) -> Document | None:
        """One document, open or not."""
        return await self._store.document(document_id)

    async def documents(self, kind: DocumentKind, scope: str | None = None, *, every: bool = False) -> list[Document]:
        """Those of a kind that are open, of one person or of all; with `every` also what is over."""
        return list(await self._store.documents(kind, scope=scope, every=every))

    async def change(
        self,
        decide: Callable[[Document | None, Sequence[Document]], Step[T]],
        *,
        document: str = "",
        among: tuple[DocumentKind, str] | None = None,
    ) -> T:
        """Read the document (and the open ones of `among`) under the store's lock, decide, write documents and entries
        together. Raises what `decide` does, which then wrote nothing, and `StoreError`."""
        now = self.clock.now()

        def under_lock(facts: Facts) -> tuple[Changes, Step[T]]:
            step = decide(facts.document, facts.documents)
            entries = tuple(
                self._scribe.draft(note.kind, at=now, body=note.body, private=note.private) for note in step.notes
            )
            return Changes(entries=entries, documents=step.documents), step

        wants = Wants(now=now, document=document, documents=() if among is None else (among,))
        done = await self._store.commit(wants, under_lock)
        for note, index in zip(done.result.notes, done.indices, strict=True):
            self._hub.publish(note.kind.value, {"index": index, **note.body})
        return done.result.result

    async def note(self, note: Note) -> None:
        """Record what changes no document."""
        await self.change(lambda _, __: Step(result=None, notes=(note,)))
