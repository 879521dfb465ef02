"""Estimates beside what was really paid, by service and operation: whether bounds hold, and how much they hold back."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from comptroller.core.audit import EntryKind
from comptroller.server.bill.known import PAGE_ENTRIES, Log, dollars_of
from comptroller.server.neutral import neutral_name

MEDIAN, HIGH = 50, 95


@dataclass(slots=True, kw_only=True)
class Accuracy:
    """One operation. `used` are shares of the bound that were really paid, one for each settled action that told its
    cost; above 1 the bound was too low. `untold` settled at their bound because the answer told nothing; `unconfirmed`
    have no outcome."""

    service: str
    operation: str
    held: int = 0
    paid: int = 0
    exceeded: int = 0
    untold: int = 0
    unconfirmed: int = 0
    used: array[float] = field(default_factory=lambda: array("d"))

    @property
    def settled(self) -> int:
        """How many actions were settled."""
        return len(self.used) + self.untold

    @property
    def released(self) -> float | None:
        """The share of all money held that was given back; None where nothing was settled."""
        return None if not self.held else max(0.0, 1 - self.paid / self.held)

    def quantile(self, percent: int) -> float | None:
        """The share of the bound that `percent` of the actions stayed within; None where no action told its cost."""
        if not self.used:
            return None
        ordered = sorted(self.used)
        return ordered[min(len(ordered) - 1, -(-len(ordered) * percent // 100) - 1)]


def accuracy_of(log: Log) -> Sequence[Accuracy]:
    """One pass over the log, the operations that hold most money first. Raises `StoreError`."""
    found: dict[str, Accuracy] = {}
    services: dict[str, str] = {}
    size, after = log.size(), -1
    while after + 1 < size:
        page = log.entries(after=after, limit=min(PAGE_ENTRIES, size - after - 1))
        if not page:
            break
        for entry in page:
            _take(entry.document, services, found)
        after = page[-1].index
    return sorted(found.values(), key=lambda row: (-row.held, row.operation))


def _take(document: Mapping[str, object], services: dict[str, str], found: dict[str, Accuracy]) -> None:
    kind, body = document.get("kind"), document.get("body")
    if not isinstance(body, Mapping):
        return
    operation = str(body.get("operation", ""))
    if kind == EntryKind.ACTION_ALLOWED.value:
        services[operation] = str(body.get("service", ""))
        return
    held = dollars_of(body.get("was" if kind == EntryKind.SUSPENSE_SETTLED.value else "reserved"))
    closing = (EntryKind.ACTION_SETTLED.value, EntryKind.SUSPENSE_SETTLED.value, EntryKind.ACTION_SUSPENSE.value)
    if not held or kind not in closing:
        return
    row = found.setdefault(operation, Accuracy(service=services.get(operation, ""), operation=operation))
    if kind == EntryKind.ACTION_SUSPENSE.value:
        row.unconfirmed += 1
        return
    if kind == EntryKind.SUSPENSE_SETTLED.value:
        row.unconfirmed -= 1
    paid = dollars_of(body.get("actual"))
    row.held += held
    row.paid += paid
    row.exceeded += paid > held
    if paid == held and kind == EntryKind.ACTION_SETTLED.value:
        row.untold += 1
    else:
        row.used.append(paid / held)


def accuracy_json(rows: Sequence[Accuracy]) -> dict[str, object]:
    """For scripts: amounts in micro-dollars, shares as fractions."""
    return {
        "operations": [
            {
                "service": row.service,
                "operation": row.operation,
                "settled": row.settled,
                "untold": row.untold,
                "unconfirmed": row.unconfirmed,
                "exceeded": row.exceeded,
                "held_usd_micros": row.held,
                "paid_usd_micros": row.paid,
                "released_share": _rounded(row.released),
                "used_median": _rounded(row.quantile(MEDIAN)),
                "used_p95": _rounded(row.quantile(HIGH)),
                "used_max": _rounded(row.quantile(100)),
            }
            for row in rows
        ]
    }


def accuracy_lines(rows: Sequence[Accuracy], name: int = 44) -> list[str]:
    """For people: of each operation, which share of its bound was really paid."""
    lines = [
        f"{'operation':<{name}}{'settled':>9}{'untold':>8}{'above':>7}"
        f"{'median':>9}{'p95':>9}{'most':>9}{'released':>10}"
    ]
    for row in rows:
        shares = "".join(f"{_percent(row.quantile(at)):>9}" for at in (MEDIAN, HIGH, 100))
        lines.append(
            f"{neutral_name(row.operation)[: name - 1]:<{name}}{row.settled:>9,}{row.untold:>8,}{row.exceeded:>7,}"
            f"{shares}{_percent(row.released):>10}"
        )
    return lines


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(share, 4)


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share * 100:.1f} %"
