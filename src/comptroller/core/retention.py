"""How long which entries stay in the store. What proves the rest (restores, removals, erasures) stays for ever."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum

KEPT_DAYS_MIN = 180
"""The EU's AI Act (Regulation 2024/1689, articles 19 and 26) asks for logs of at least six months."""
KEPT_DAYS_MAX = 36_500


class EntryClass(StrEnum):
    """Classes of entries that are kept alike."""

    ACTIONS = "actions"
    APPROVALS = "approvals"
    HOLDINGS = "holdings"
    CHANGES = "changes"
    FINDINGS = "findings"
    BOX = "box"


CLASSES: Mapping[str, EntryClass | None] = {
    "action": EntryClass.ACTIONS,
    "suspense": EntryClass.ACTIONS,
    "share": EntryClass.ACTIONS,
    "approval": EntryClass.APPROVALS,
    "standing": EntryClass.APPROVALS,
    "plan": EntryClass.APPROVALS,
    "deputy": EntryClass.CHANGES,
    "delivery": EntryClass.APPROVALS,
    "holding": EntryClass.HOLDINGS,
    "config": EntryClass.CHANGES,
    "budget": EntryClass.CHANGES,
    "price": EntryClass.CHANGES,
    "serve": EntryClass.CHANGES,
    "brake": EntryClass.CHANGES,
    "person": EntryClass.CHANGES,
    "finding": EntryClass.FINDINGS,
    "box": EntryClass.BOX,
    "door": EntryClass.BOX,
    "run": EntryClass.BOX,
    "field": None,
    "store": None,
    "audit": None,
    "log": None,
}
"""First part of an entry's kind -> its class; None, as for any other, is never removed."""


def class_of(kind: object) -> EntryClass | None:
    """The class of an entry of this kind; None for one that is kept for ever."""
    return CLASSES.get(kind.partition(".")[0]) if isinstance(kind, str) else None


def is_due(document: Mapping[str, object], days: Mapping[EntryClass, int], now: datetime) -> bool:
    """Whether an entry may leave the store: its class has a term that is over. Never where it cannot be read."""
    term = days.get(found) if (found := class_of(document.get("kind"))) is not None else None
    if term is None:
        return False
    try:
        at = datetime.fromisoformat(str(document.get("at")))
        return at + timedelta(days=max(term, KEPT_DAYS_MIN)) <= now
    except (ValueError, TypeError, OverflowError):
        return False
