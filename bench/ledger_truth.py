"""Reads a ledger back after a storm or a crash, and holds it against what was really done."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from comptroller.core.audit import EntryKind
from comptroller.core.budget import BudgetState
from comptroller.core.estimate import Unit
from comptroller.ports import Store

PAGE = 5_000


@dataclass(slots=True)
class Log:
    """What one log says: reservation -> (entry, held amount); -> settled amount; those in suspense."""

    allowed: dict[str, tuple[int, int]] = field(default_factory=dict)
    settled: dict[str, int] = field(default_factory=dict)
    suspended: list[str] = field(default_factory=list)
    run_of: dict[str, str] = field(default_factory=dict)
    denied: int = 0

    def taken(self, reservation: str) -> int:
        """What counts for it: what it cost where that is known, else all that was held."""
        return self.settled.get(reservation, self.allowed[reservation][1])


async def read_log(store: Store) -> Log:
    """Every entry of the store's own log."""
    log, after = Log(), -1
    while page := await store.entries(after=after, limit=PAGE):
        for entry in page:
            _take(log, entry.index, entry.document)
        after = page[-1].index
    return log


def _take(log: Log, index: int, document: Mapping[str, object]) -> None:
    body = document["body"]
    assert isinstance(body, dict)
    match document["kind"]:
        case EntryKind.ACTION_ALLOWED.value:
            log.allowed[body["reservation"]] = (index, body["reserved"][Unit.USD_MICROS.value])
            log.run_of[body["reservation"]] = str(document["run"])
        case EntryKind.ACTION_SETTLED.value:
            log.settled[body["reservation"]] = body["actual"][Unit.USD_MICROS.value]
        case EntryKind.ACTION_SUSPENSE.value:
            log.suspended.append(body["reservation"])
        case EntryKind.ACTION_DENIED.value:
            log.denied += 1


def taken_by_scope(logs: Iterable[Log], paths: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Scope -> USD micros that the logs say are taken; `paths` are the scopes of each run."""
    sums: dict[str, int] = {}
    for log in logs:
        for reservation in log.allowed:
            for scope in paths[log.run_of[reservation]]:
                sums[scope] = sums.get(scope, 0) + log.taken(reservation)
    return sums


async def money(store: Store) -> list[BudgetState]:
    """The budgets in dollars, with their accounts."""
    states = await store.budgets(datetime.now(UTC))
    return [state for state in states if state.budget.unit is Unit.USD_MICROS]
