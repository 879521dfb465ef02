"""Notes of the outage journal to JSON and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from comptroller.core.action import canonical
from comptroller.core.audit import EntryDraft, EntryKind, PrivateField
from comptroller.core.escrow import Note, NoteKind
from comptroller.stores import rows


def note_bytes(note: Note) -> bytes:
    """One note as JSON, without line breaks or NUL bytes. Raises `ValueError` or `TypeError` for what is not JSON."""
    whole = {
        "kind": note.kind.value,
        "id": note.id,
        "at": rows.time_text(note.at),
        "share": note.share,
        "entries": [_entry(draft) for draft in note.entries],
        "reservation": json.loads(rows.reservation_row(note.reservation)[-1]) if note.reservation else None,
        "brakes": [list(rows.brake_row(brake)) for brake in note.brakes],
        "distrusts": [list(rows.distrust_row(item)) for item in note.distrusts],
    }
    return json.dumps(whole, ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode("ascii")


def note_of(text: bytes) -> Note:
    """The note that `note_bytes` wrote. Raises `ValueError`, `KeyError` or `TypeError` for anything else."""
    whole = json.loads(text)
    return Note(
        kind=NoteKind(whole["kind"]),
        id=whole["id"],
        at=_time(whole["at"]),
        share=whole["share"],
        entries=tuple(_entry_of(entry) for entry in whole["entries"]),
        reservation=rows.reservation_of(whole["reservation"]) if whole["reservation"] else None,
        brakes=tuple(rows.brake_of(tuple(row)) for row in whole["brakes"]),
        distrusts=tuple(rows.distrust_of(tuple(row)) for row in whole["distrusts"]),
    )


def _entry(draft: EntryDraft) -> dict[str, object]:
    return {
        "kind": draft.kind.value,
        "at": rows.time_text(draft.at),
        "agent": draft.agent,
        "run": draft.run,
        "body": _plain(draft.body),
        "private": [[item.name, item.salt.hex(), item.value] for item in draft.private],
    }


def _plain(body: Mapping[str, object]) -> object:
    try:
        json.dumps(body, allow_nan=False)
    except (TypeError, ValueError):
        return canonical(body)
    return body


def _entry_of(whole: Mapping[str, Any]) -> EntryDraft:
    return EntryDraft(
        kind=EntryKind(whole["kind"]),
        at=_time(whole["at"]),
        agent=whole["agent"],
        run=whole["run"],
        body=whole["body"],
        private=tuple(
            PrivateField(name=name, salt=bytes.fromhex(salt), value=value) for name, salt, value in whole["private"]
        ),
    )


def _time(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError("a time without a zone")
    return found
