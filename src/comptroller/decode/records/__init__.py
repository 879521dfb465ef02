"""Recorded calls as actions: pure readers, one a kind of case. Files and verdicts are somebody else's."""

from __future__ import annotations

from collections.abc import Mapping

from comptroller.core.action import Value
from comptroller.decode.records import cloud, entries
from comptroller.decode.records.case import (
    EVERYTHING,
    ID_CHARACTERS_MAX,
    Case,
    Reader,
    Reading,
    Recorded,
    Told,
    Who,
    unknown,
)

READERS: Mapping[str, Reader] = {cloud.KIND: cloud.read, entries.KIND: entries.read}
"""Who reads which `kind`; another kind is one line here. What has no reader is unknown."""

__all__ = [
    "EVERYTHING",
    "READERS",
    "Case",
    "MalformedCase",
    "Reader",
    "Reading",
    "Recorded",
    "Told",
    "Who",
    "case_of",
    "read",
]


class MalformedCase(ValueError):
    """A line that is no case; the message says why."""


def case_of(document: Value, line: int) -> Case | None:
    """The case that a parsed line holds; None for the head and the end of an export. Raises `MalformedCase`."""
    if not isinstance(document, Mapping):
        raise MalformedCase("it is no JSON object")
    if entries.frames_export(document):
        return None
    entry = entries.entry_of(document)
    if entry is not None and "source" not in document:
        index = entry.get("index")
        name = f"entry/{index if isinstance(index, int) else line}"
        return Case(id=name, source=entries.SOURCE, label=entries.LABEL, kind=entries.KIND, line=line, members=entry)
    texts: dict[str, str] = {}
    for name in ("id", "source", "label", "kind"):
        value = document.get(name)
        if not isinstance(value, str) or not value or len(value) > ID_CHARACTERS_MAX:
            raise MalformedCase(f"`{name}` is missing, no text, or longer than {ID_CHARACTERS_MAX} characters")
        texts[name] = value
    return Case(**texts, line=line, members=document)


def read(case: Case, who: Who) -> Reading:
    """The actions of a case. Total: whatever cannot be read is an unknown action."""
    reader = READERS.get(case.kind)
    if reader is None:
        return Reading(actions=(unknown(case, who, f"no reader for kind `{case.kind}`"),))
    try:
        return reader(case, who)
    except Exception as error:  # noqa: BLE001  a reader that fails has read nothing
        return Reading(actions=(unknown(case, who, f"the reader failed: {type(error).__name__}"),))
