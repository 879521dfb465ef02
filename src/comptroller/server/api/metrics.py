"""Counters of one server in Prometheus' text format. They begin at zero with the process; the log is the truth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from comptroller.core.approval import ApprovalState
from comptroller.core.audit import EntryKind
from comptroller.core.brake import BrakeState, RunState
from comptroller.core.estimate import Unit
from comptroller.server.desk import Desk

_VERDICTS: Mapping[str, str] = {
    EntryKind.ACTION_ALLOWED.value: "allow",
    EntryKind.ACTION_HELD.value: "hold",
    EntryKind.ACTION_DENIED.value: "deny",
}


class Metrics:
    """Counts what became durable since the start, from the hub: no reading of the log. `close` ends it."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._verdicts: Counter[str] = Counter(dict.fromkeys(_VERDICTS.values(), 0))
        self._settled_usd_micros = 0
        self._deliveries_failed = 0
        self.close = desk.hub.subscribe(self._count)

    async def text(self) -> str:
        """All of it. Raises `StoreError`."""
        store = self._desk.store
        runs = [run for run in await store.runs() if run.state is RunState.ACTIVE]
        brakes = Counter(brake.state for brake in await store.brakes())
        waiting = await store.approvals_count(ApprovalState.PENDING)
        lines = [
            *_metric(
                "comptroller_verdicts_total",
                "counter",
                "Actions judged since the start, by verdict.",
                {f'{{verdict="{name}"}}': count for name, count in self._verdicts.items()},
            ),
            *_metric(
                "comptroller_settled_usd_micros_total",
                "counter",
                "Micro-dollars of actions that ended since the start.",
                {"": self._settled_usd_micros},
            ),
            *_metric(
                "comptroller_deliveries_failed_total",
                "counter",
                "Messages to people given up since the start.",
                {"": self._deliveries_failed},
            ),
            *_metric("comptroller_questions_pending", "gauge", "Questions that wait for people.", {"": waiting}),
            *_metric("comptroller_entries", "gauge", "Entries of the log.", {"": await store.size()}),
            *_metric("comptroller_runs_active", "gauge", "Runs that have not ended.", {"": len(runs)}),
            *_metric(
                "comptroller_brakes",
                "gauge",
                "Scopes that do not go freely, by state.",
                {f'{{state="{state.value}"}}': brakes[state] for state in BrakeState if state is not BrakeState.FREE},
            ),
        ]
        return "\n".join(lines) + "\n"

    def _count(self, kind: str, summary: Mapping[str, object]) -> None:
        if kind in _VERDICTS:
            self._verdicts[_VERDICTS[kind]] += 1
        elif kind == EntryKind.DELIVERY_FAILED:
            self._deliveries_failed += 1
        elif kind in (EntryKind.ACTION_SETTLED, EntryKind.SUSPENSE_SETTLED):
            actual = summary.get("actual")
            amount = actual.get(Unit.USD_MICROS.value) if isinstance(actual, Mapping) else None
            self._settled_usd_micros += amount if isinstance(amount, int) and amount > 0 else 0


def _metric(name: str, kind: str, what: str, values: Mapping[str, int]) -> list[str]:
    """One family: its description, and a line per set of labels."""
    return [
        f"# HELP {name} {what}",
        f"# TYPE {name} {kind}",
        *(f"{name}{labels} {value}" for labels, value in values.items()),
    ]
