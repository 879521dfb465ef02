"""What our log knows of money, for a bill to be put beside: one pass over the entries, what costs nothing left out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from comptroller.core.audit import Entry, EntryKind, PrivateField
from comptroller.server.bill.compare import Known

PAGE_ENTRIES = 1000
_CLOSING = frozenset({EntryKind.ACTION_SETTLED.value, EntryKind.SUSPENSE_SETTLED.value})


class Log(Protocol):
    """What is needed of the reader of a log."""

    def entries(self, *, after: int = -1, limit: int = 1000) -> Sequence[Entry]:
        """Entries above `after`, in order."""
        ...

    def private(self, index: int) -> Sequence[PrivateField]:
        """What lies beside entry `index`."""
        ...

    def size(self) -> int:
        """Number of entries."""
        ...


def known_of(log: Log, *, progress: Callable[[int, int], None] = lambda _done, _size: None) -> list[Known]:
    """Every reservation of money in the log, oldest first. Raises `StoreError`."""
    found: dict[str, Known] = {}
    size, after = log.size(), -1
    while after + 1 < size:
        page = log.entries(after=after, limit=min(PAGE_ENTRIES, size - after - 1))
        if not page:
            break
        for entry in page:
            _take(log, entry, found)
        after = page[-1].index
        progress(after + 1, size)
    return list(found.values())


def _take(log: Log, entry: Entry, found: dict[str, Known]) -> None:
    document, body = entry.document, entry.document.get("body")
    if not isinstance(body, Mapping) or not isinstance(name := body.get("reservation"), str) or not name:
        return
    kind, known = document.get("kind"), found.get(name)
    if known is None:
        if kind == EntryKind.ACTION_ALLOWED.value and (reserved := dollars_of(body.get("reserved"))):
            found[name] = Known(
                id=name,
                run=str(document.get("run", "")),
                service=str(body.get("service", "")),
                account=str(body.get("account", "")),
                region=str(body.get("region", "")),
                at=datetime.fromisoformat(str(document.get("at"))),
                reserved=reserved,
            )
        return
    if (body.get("resent") is True and known.standing == "held") or kind == EntryKind.ACTION_SUSPENSE.value:
        known.standing = "unconfirmed"
    elif kind in _CLOSING:
        known.standing, known.settled = "settled", dollars_of(body.get("actual"))
        beside = document.get("private")
        if isinstance(beside, Mapping) and "made" in beside:
            values = next((item.value for item in log.private(entry.index) if item.name == "made"), ())
            known.made = tuple(str(each) for each in values) if isinstance(values, list) else ()


def dollars_of(amounts: object) -> int:
    """Micro-dollars; a number too large for JSON comes as `{"$number": text}`."""
    value = amounts.get("usd_micros") if isinstance(amounts, Mapping) else None
    if isinstance(value, Mapping):
        text = value.get("$number")
        value = int(text) if isinstance(text, str) and text.isdigit() else 0
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
