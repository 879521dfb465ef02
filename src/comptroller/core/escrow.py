"""Escrow shares: a little of every budget of a run, dispatched ahead of time to be spent while the store is lost.

A share is a reservation like any other; notes in a journal say what was spent of it. Nothing here reads a clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from comptroller.core.action import ActionClass
from comptroller.core.audit import EntryDraft
from comptroller.core.brake import Brake, Run
from comptroller.core.budget import Account, Budget, BudgetState
from comptroller.core.distrust import Distrust
from comptroller.core.estimate import Unit
from comptroller.core.reservation import HELD_STATES, AccountDelta, Line, Reservation, ReservationState
from comptroller.core.window import Window

SHARE_OPERATION = "comptroller:share"
"""Operation and digest of a share's reservation."""
BRAKE_OPERATION = "comptroller:brake"
OUTAGE_OPERATION = "comptroller:outage"
"""Operations of reservations of nothing: that they exist says that a note is in the store's log already."""
SHARE_PERCENT = 2
"""Of each limit on its path, what one run's share holds at most."""
SHARES_PERCENT_MAX = 10
"""Of each limit, what all shares of one gateway hold together at most."""
OUTAGE_CLASSES = frozenset({ActionClass.READ, ActionClass.INFER})
"""What goes on from a share."""

BudgetKey = tuple[str, str, str]


class NoteKind(StrEnum):
    """`share`: one is about to be taken. `lost`: the store is. `spent` and `closed`: an action from a share, and what
    became of it. `brake`: what people stopped meanwhile."""

    SHARE = "share"
    LOST = "lost"
    SPENT = "spent"
    CLOSED = "closed"
    BRAKE = "brake"


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """One line of the journal; all but `share` and `lost` are carried into the store's log, once each.

    `id` is that of the reservation that the note is about; `share` names the one it was spent from. `reservation` is as
    it is after the note, `entries` are what the store's log has to say of it.
    """

    kind: NoteKind
    id: str
    at: datetime
    entries: tuple[EntryDraft, ...] = ()
    reservation: Reservation | None = None
    share: str = ""
    brakes: tuple[Brake, ...] = ()
    distrusts: tuple[Distrust, ...] = ()


# ---------------------------------------------------------------- how much


def share_amounts(states: Iterable[BudgetState], held: Mapping[BudgetKey, int]) -> dict[Unit, int]:
    """What a share takes of each unit that is limited on a path: a small part of the smallest limit, never more than
    there is room for. `held` is what other shares hold of each budget."""
    amounts: dict[Unit, int] = {}
    for state in states:
        budget = state.budget
        if budget.unit is Unit.USD_MICROS_PER_HOUR:
            continue
        part = min(
            budget.limit * SHARE_PERCENT // 100,
            budget.limit * SHARES_PERCENT_MAX // 100 - held.get(budget.key, 0),
            state.room,
        )
        amounts[budget.unit] = max(0, min(part, amounts.get(budget.unit, part)))
    return amounts


def without(states: Iterable[BudgetState], share: Reservation) -> tuple[BudgetState, ...]:
    """The budgets as they would be had `share` been given back."""
    lines = {(n.scope, n.unit.value, n.window, n.start): n.amount for n in share.lines}
    return tuple(
        replace(
            state,
            account=replace(
                state.account,
                dispatched=max(0, state.account.dispatched - lines.get((*state.budget.key, state.start), 0)),
            ),
        )
        for state in states
    )


def misfits(share: Reservation, states: Iterable[BudgetState], fit: Mapping[Unit, int]) -> bool:
    """Whether a share should be taken anew: its windows or budgets are others now, or half or double would be right."""
    keys = {(*state.budget.key, state.start) for state in states if state.budget.unit in fit}
    if keys != {(n.scope, n.unit.value, n.window, n.start) for n in share.lines}:
        return True
    return any(
        2 * have <= fit[unit] != have or 2 * fit[unit] <= have != fit[unit] for unit, have in share.amounts.items()
    )


# ---------------------------------------------------------------- spending it


@dataclass(slots=True, kw_only=True)
class Share:
    """A run's share while it stands. `spent` is what actions took of it, less what they proved not to have cost.

    Nothing is spent from a `closed` one: it may have been given back already.
    """

    reservation: Reservation
    run: Run
    spent: dict[Unit, int] = field(default_factory=dict)
    closed: bool = False

    @property
    def id(self) -> str:
        """Of its reservation."""
        return self.reservation.id

    def current(self, now: datetime) -> bool:
        """Whether all of its windows are those that `now` lies in: money of yesterday's is not spent today."""
        return all(Window(n.window).start(now) == n.start for n in self.reservation.lines)

    def rooms(self) -> tuple[BudgetState, ...]:
        """What is left of it, as budgets to judge by."""
        name = f"the share kept for {self.run.path}"
        return tuple(
            BudgetState(
                budget=Budget(scope=name, unit=unit, window=Window.TOTAL, limit=amount),
                start="",
                account=Account(dispatched=self.spent.get(unit, 0)),
            )
            for unit, amount in self.reservation.amounts.items()
        )

    def lines(self, wanted: Mapping[Unit, int]) -> tuple[Line, ...]:
        """Where `wanted` is held: in the budgets that the share was taken from."""
        return tuple(replace(n, amount=wanted[n.unit]) for n in self.reservation.lines if n.unit in wanted)

    def spend(self, amounts: Mapping[Unit, int]) -> None:
        """Take `amounts`. What is taken beyond the share was not judged by `rooms`."""
        for unit in self.reservation.amounts:
            amount = amounts.get(unit, 0)
            self.spent[unit] = self.spent.get(unit, 0) + amount
            # INVARIANT: the journal never grants more than the store set aside.
            assert not amount or self.spent[unit] <= self.reservation.amounts[unit], unit

    def close(self, final: Reservation) -> None:
        """What a settled action did not cost can be spent again; what it cost beyond its bound cannot."""
        if final.state is not ReservationState.SETTLED:
            return
        for unit in self.reservation.amounts.keys() & final.amounts.keys():
            self.spent[unit] += final.actual.get(unit, final.amounts[unit]) - final.amounts[unit]


# ---------------------------------------------------------------- what the store learns afterwards


def moved(share: Reservation | None, spent: Reservation) -> tuple[tuple[AccountDelta, ...], tuple[Reservation, ...]]:
    """How `spent` (new, dispatched) comes out of its share: the budgets' sums stay as they were.

    What a share does not hold (any more) is the truth all the same, and comes on top.
    """
    deltas = [
        AccountDelta(scope=n.scope, unit=n.unit, window=n.window, start=n.start, dispatched=n.amount)
        for n in spent.lines
    ]
    if share is None or share.state not in HELD_STATES:
        return tuple(deltas), (spent,)
    taken = {unit: -min(amount, share.amounts.get(unit, 0)) for unit, amount in spent.amounts.items()}
    more, left = _resized(share, taken)
    return (*deltas, *more), (spent, left)


def given_back(
    share: Reservation | None, final: Reservation
) -> tuple[tuple[AccountDelta, ...], tuple[Reservation, ...]]:
    """What an action did not cost goes back to its share, not to the budgets: it may have been spent again."""
    if share is None or share.state not in HELD_STATES or final.state is not ReservationState.SETTLED:
        return (), ()
    freed = {unit: max(0, amount - final.actual.get(unit, amount)) for unit, amount in final.amounts.items()}
    deltas, grown = _resized(share, freed)
    return deltas, (grown,)


def _resized(share: Reservation, change: Mapping[Unit, int]) -> tuple[tuple[AccountDelta, ...], Reservation]:
    amounts = {unit: amount + change.get(unit, 0) for unit, amount in share.amounts.items()}
    lines = tuple(replace(n, amount=amounts[n.unit]) for n in share.lines)
    deltas = tuple(
        AccountDelta(
            scope=n.scope,
            unit=n.unit,
            window=n.window,
            start=n.start,
            **{share.state.value: change[n.unit]},
        )
        for n in share.lines
        if change.get(n.unit)
    )
    return deltas, replace(share, amounts=amounts, lines=lines)
