"""Remembers who was configured last, so that no edit of roles or groups goes unrecorded, whoever was running then."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from comptroller.core.audit import EntryKind
from comptroller.core.config import Config
from comptroller.core.config_people import Roster, administrators, roster_changes, roster_of
from comptroller.core.document import Document, DocumentKind
from comptroller.engine.people import Note, People, Step

VERSION = 1


async def tell_of_people(people: People, config: Config) -> bool:
    """Record what is different from the people known last; True where the last administrator went."""
    now = roster_of(config.people)
    name = f"roster:{config.organization}"

    def decide(document: Document | None, _: Sequence[Document]) -> Step[bool]:
        before = cast(Roster, document.body["people"]) if document is not None else None
        if before == now:
            return Step(result=False)
        kept = Document(
            id=name,
            kind=DocumentKind.SETTING,
            scope="roster",
            open=True,
            at=people.clock.now(),
            body={"v": VERSION, "people": now},
        )
        if before is None:
            return Step(result=False, documents=(kept,))
        notes = tuple(Note(kind=EntryKind.PERSON_CHANGED, body=body) for body in roster_changes(before, now))
        return Step(result=bool(administrators(before)) and not administrators(now), documents=(kept,), notes=notes)

    return await people.change(decide, document=name)
