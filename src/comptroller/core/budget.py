"""Budgets: limits over nested scopes, and the room they leave. Nothing here reads a clock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from comptroller.core.estimate import UNITS_NEEDING_A_BUDGET, Unit


class Window(StrEnum):
    """How long a limit counts before it starts afresh (calendar windows are UTC)."""

    TOTAL = "total"
    DAY = "day"
    MONTH = "month"

    def start(self, now: datetime) -> str:
        """The key of the window `now` lies in: empty for `total`, else an ISO date prefix."""
        text = now.astimezone(UTC).date().isoformat()
        return {Window.TOTAL: "", Window.DAY: text, Window.MONTH: text[:7]}[self]


def scopes_of(path: str) -> tuple[str, ...]:
    """`acme/ml/research/RUN` -> (`acme`, `acme/ml`, `acme/ml/research`, `acme/ml/research/RUN`)."""
    parts = path.split("/")
    return tuple("/".join(parts[: depth + 1]) for depth in range(len(parts)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """A limit for one scope, unit and window; `limit` is in the unit's integers."""

    scope: str
    unit: Unit
    window: Window
    limit: int

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes a budget unique."""
        return (self.scope, self.unit.value, self.window.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What a budget's window holds. The four never sum to more than the limit while estimates are upper bounds."""

    settled: int = 0
    dispatched: int = 0
    reserved: int = 0
    suspense: int = 0

    @property
    def taken(self) -> int:
        """Everything that is spent or may yet prove to be."""
        return self.settled + self.dispatched + self.reserved + self.suspense


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetState:
    """A budget and the account of its current window (`start` as in `Window.start`)."""

    budget: Budget
    start: str
    account: Account

    @property
    def room(self) -> int:
        """What is left; negative after a truth larger than its estimate, or a lowered limit."""
        return self.budget.limit - self.account.taken


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortage:
    """Why an action does not fit: `state` names the budget, or None where a needed row is missing for `unit`."""

    unit: Unit
    wanted: int
    state: BudgetState | None


def rooms(states: Iterable[BudgetState]) -> dict[Unit, int]:
    """What is left per unit on a whole path: the smallest room of any of its budgets, never below nothing."""
    left: dict[Unit, int] = {}
    for row in states:
        unit = row.budget.unit
        left[unit] = max(0, min(row.room, left.get(unit, row.room)))
    return left


def shortages(states: Iterable[BudgetState], wanted: Mapping[Unit, int]) -> tuple[Shortage, ...]:
    """Every budget that has no room for `wanted`, and every needed unit without any row on the path."""
    rows = tuple(states)
    found = [
        Shortage(unit=row.budget.unit, wanted=wanted[row.budget.unit], state=row)
        for row in rows
        if row.budget.unit in wanted and row.room < wanted[row.budget.unit]
    ]
    covered = {row.budget.unit for row in rows}
    missing = [
        Shortage(unit=unit, wanted=amount, state=None)
        for unit, amount in wanted.items()
        if unit in UNITS_NEEDING_A_BUDGET and unit not in covered
    ]
    return tuple(found + missing)
