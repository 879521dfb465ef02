"""Reservations: budget set aside for one action. A clock never refunds what was dispatched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from comptroller.core.budget import BudgetState
from comptroller.core.estimate import Unit


class ReservationState(StrEnum):
    """`dispatched -> settled | suspense`; `suspense -> settled`; a holding's term `reserved -> settled | released`."""

    RESERVED = "reserved"
    RELEASED = "released"
    DISPATCHED = "dispatched"
    SETTLED = "settled"
    SUSPENSE = "suspense"


HELD_STATES = frozenset({ReservationState.RESERVED, ReservationState.DISPATCHED, ReservationState.SUSPENSE})
"""In which money is set aside, in the account's column of the same name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One amount held in one budget's window."""

    scope: str
    unit: Unit
    window: str
    start: str
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """Budget set aside for one action. `amounts` is what it may cost, `lines` where that is held."""

    id: str
    run: str
    agent: str
    operation: str
    digest: str
    retry_token: str
    state: ReservationState
    amounts: Mapping[Unit, int]
    lines: tuple[Line, ...]
    created_at: datetime
    approval: str = ""
    actual: Mapping[Unit, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountDelta:
    """A change to one account; the store adds it to the row (scope, unit, window, start)."""

    scope: str
    unit: Unit
    window: str
    start: str
    settled: int = 0
    dispatched: int = 0
    reserved: int = 0
    suspense: int = 0


def lines_for(states: tuple[BudgetState, ...], wanted: Mapping[Unit, int]) -> tuple[Line, ...]:
    """One line per budget row that `wanted` touches."""
    return tuple(
        Line(
            scope=row.budget.scope,
            unit=row.budget.unit,
            window=row.budget.window.value,
            start=row.start,
            amount=wanted[row.budget.unit],
        )
        for row in states
        if row.budget.unit in wanted
    )


def dispatch_deltas(reservation: Reservation) -> tuple[AccountDelta, ...]:
    """What dispatching adds to each account."""
    return tuple(
        AccountDelta(scope=n.scope, unit=n.unit, window=n.window, start=n.start, dispatched=n.amount)
        for n in reservation.lines
    )


def reserve_deltas(reservation: Reservation) -> tuple[AccountDelta, ...]:
    """What reserving a term adds to each account."""
    return tuple(
        AccountDelta(scope=n.scope, unit=n.unit, window=n.window, start=n.start, reserved=n.amount)
        for n in reservation.lines
    )


def settle_deltas(reservation: Reservation, actual: Mapping[Unit, int]) -> tuple[AccountDelta, ...]:
    """What settling at `actual` does to each account; a unit the outcome does not tell keeps its full amount.

    Raises `ValueError` for a reservation that holds nothing any more.
    """
    if reservation.state not in HELD_STATES:
        raise ValueError(f"reservation `{reservation.id}` is {reservation.state.value} already")
    held = reservation.state.value
    return tuple(
        AccountDelta(
            scope=n.scope,
            unit=n.unit,
            window=n.window,
            start=n.start,
            settled=actual.get(n.unit, n.amount),
            **{held: -n.amount},
        )
        for n in reservation.lines
    )


def suspend_deltas(reservation: Reservation) -> tuple[AccountDelta, ...]:
    """What moving to suspense does: the money stays held, under another name."""
    return tuple(
        AccountDelta(
            scope=n.scope, unit=n.unit, window=n.window, start=n.start, dispatched=-n.amount, suspense=n.amount
        )
        for n in reservation.lines
    )
