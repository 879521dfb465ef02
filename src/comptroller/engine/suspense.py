"""Money whose outcome nobody knows: listed with its age, told of when it grows, settled by a person's word or a bill.

Only what a service left unsaid is here: a cut answer, a failure that may be charged, a crash.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from comptroller.core.audit import EntryDraft, EntryKind
from comptroller.core.budget import BudgetState
from comptroller.core.errors import RefusedError, UsageError
from comptroller.core.estimate import Unit
from comptroller.core.reservation import Reservation, ReservationState, settle_deltas
from comptroller.engine.entries import Scribe, amounts_body
from comptroller.engine.hub import Hub
from comptroller.ports import Changes, Clock, Facts, Store, Wants

ALARM_PERCENT = 5
"""From this share of a limit on, what is unconfirmed is told of."""
AMOUNT_MAX = 10**18
_KEPT = frozenset({Unit.CALLS, Unit.EGRESS_BYTES})
"""What was sent was sent, whatever it cost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unconfirmed:
    """One reservation in suspense: `why` and `sentence` as the log has them, empty where they are not there."""

    reservation: Reservation
    why: str
    sentence: str


class Suspense:
    """Lists and settles what is in suspense, and looks whether it is too much."""

    def __init__(self, *, store: Store, clock: Clock, scribe: Scribe, hub: Hub) -> None:
        self._store = store
        self._clock = clock
        self._scribe = scribe
        self._hub = hub
        self._told: set[tuple[str, ...]] = set()

    async def unconfirmed(self) -> Sequence[Unconfirmed]:
        """Everything in suspense, oldest first."""
        held = [r for r in await self._store.open_reservations() if r.state is ReservationState.SUSPENSE]
        found: dict[str, dict[str, str]] = {reservation.id: {} for reservation in held}
        for run in sorted({reservation.run for reservation in held}):
            await self._tell(run, found)
        rows = [
            Unconfirmed(reservation=r, why=found[r.id].get("why", ""), sentence=found[r.id].get("sentence", ""))
            for r in held
        ]
        return sorted(rows, key=lambda row: (row.reservation.created_at, row.reservation.id))

    async def _tell(self, run: str, found: Mapping[str, dict[str, str]]) -> None:
        """What the log says of the reservations of one run."""
        after = -1
        while entries := await self._store.entries(after=after, limit=1000, run=run):
            for entry in entries:
                body = entry.document.get("body")
                known = found.get(str(body.get("reservation", ""))) if isinstance(body, Mapping) else None
                if known is None or not isinstance(body, Mapping):
                    continue
                if entry.document.get("kind") == EntryKind.ACTION_SUSPENSE.value:
                    known["why"] = str(body.get("why", ""))
                elif entry.document.get("kind") == EntryKind.ACTION_ALLOWED.value:
                    fields = {item.name: item.value for item in await self._store.private(entry.index)}
                    known["sentence"] = str(fields.get("sentence", ""))
            after = entries[-1].index

    async def settle(
        self, reservation_id: str, amounts: Mapping[Unit, int], *, by: str, reason: str, source: str = "person"
    ) -> Reservation:
        """Settle one at what it really cost. `amounts` names at least `usd_micros` where that is held; what it does not
        name follows in proportion. Above what was held is allowed: it is the truth. Raises `UsageError` for an amount
        that is none, `RefusedError` where there is nothing in suspense under that id."""
        if not reason.strip():
            raise UsageError("a reason is missing", hint="--reason TEXT says how you know")
        if any(not 0 <= amount <= AMOUNT_MAX for amount in amounts.values()):
            raise UsageError("the amount is out of range", hint=f"from 0 to {AMOUNT_MAX}")
        now = self._clock.now()

        def decide(facts: Facts) -> tuple[Changes, Reservation]:
            held = _in_suspense(facts.reservation, reservation_id)
            actual = proportional(held, amounts)
            final = replace(held, state=ReservationState.SETTLED, actual=actual)
            body = {
                "reservation": held.id,
                "operation": held.operation,
                "by": by,
                "source": source,
                "was": amounts_body(held.amounts),
                "actual": amounts_body(actual),
                "age_seconds": max(0, int((now - held.created_at).total_seconds())),
            }
            entry = self._draft(EntryKind.SUSPENSE_SETTLED, now, held, body, {"reason": reason.strip()})
            changes = Changes(entries=(entry,), accounts=settle_deltas(held, actual), reservations=(final,))
            return changes, final

        done = await self._store.commit(Wants(now=now, reservation=reservation_id), decide)
        final = done.result
        told = {"agent": final.agent, "run": final.run, "by": by, "actual": amounts_body(final.actual)}
        self._hub.publish(EntryKind.SUSPENSE_SETTLED.value, {"index": done.indices[0], **told})
        await self.look(final)
        return final

    async def look(self, reservation: Reservation) -> None:
        """Tell, once for each crossing, of every budget that holds it and is unconfirmed by `ALARM_PERCENT`."""
        now = self._clock.now()
        agent, run = reservation.agent, reservation.run
        scopes = tuple(sorted({line.scope for line in reservation.lines}))

        def decide(facts: Facts) -> tuple[Changes, tuple[BudgetState, ...]]:
            high = tuple(state for state in facts.budgets if _high(state))
            self._told -= {_key(state) for state in facts.budgets if not _high(state)}
            news = tuple(state for state in high if _key(state) not in self._told)
            entries = tuple(
                self._scribe.draft(EntryKind.BUDGET_SUSPENSE_HIGH, at=now, agent=agent, run=run, body=_body(state))
                for state in news
            )
            return Changes(entries=entries), news

        done = await self._store.commit(Wants(now=now, scopes=scopes, patient=True), decide)
        for state, index in zip(done.result, done.indices, strict=True):
            self._told.add(_key(state))
            told = {"index": index, "agent": agent, "run": run, **_body(state)}
            self._hub.publish(EntryKind.BUDGET_SUSPENSE_HIGH.value, told)

    def _draft(
        self,
        kind: EntryKind,
        now: datetime,
        of: Reservation,
        body: Mapping[str, object],
        private: Mapping[str, object],
    ) -> EntryDraft:
        return self._scribe.draft(kind, at=now, agent=of.agent, run=of.run, body=body, private=private)


def proportional(held: Reservation, given: Mapping[Unit, int]) -> dict[Unit, int]:
    """What every unit of `held` is settled at: as given; else its share, by dollars given of dollars held, rounded up
    and never more than is held; calls and bytes that were sent as they are."""
    dollars, limit = given.get(Unit.USD_MICROS), held.amounts.get(Unit.USD_MICROS, 0)
    actual: dict[Unit, int] = {}
    for unit, amount in held.amounts.items():
        if unit in given:
            actual[unit] = given[unit]
        elif unit in _KEPT or dollars is None or (limit == 0 and dollars > 0):
            actual[unit] = amount
        else:
            actual[unit] = min(amount, -(-amount * dollars // limit)) if limit else 0
    return {**actual, **{unit: amount for unit, amount in given.items() if unit not in actual}}


def _in_suspense(found: Reservation | None, reservation_id: str) -> Reservation:
    listing = "comptroller budget suspense list"
    if found is None:
        raise RefusedError(f"there is no reservation `{reservation_id}`", hint=listing)
    if found.state is ReservationState.DISPATCHED:
        raise RefusedError(f"`{reservation_id}` is still on its way", hint="wait for its answer")
    if found.state is not ReservationState.SUSPENSE:
        raise RefusedError(f"`{reservation_id}` is {found.state.value} already", hint=listing)
    return found


def _high(state: BudgetState) -> bool:
    held = state.account.suspense
    return held > 0 and held * 100 >= state.budget.limit * ALARM_PERCENT


def _key(state: BudgetState) -> tuple[str, ...]:
    return (*state.budget.key, state.start)


def _body(state: BudgetState) -> dict[str, object]:
    budget = state.budget
    return {
        "scope": budget.scope,
        "unit": budget.unit.value,
        "window": budget.window.value,
        "limit": budget.limit,
        "suspense": state.account.suspense,
        "percent": ALARM_PERCENT,
    }
