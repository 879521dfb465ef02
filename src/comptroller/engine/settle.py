"""After the response: read the real cost, settle the reservation, and freeze the run whose cost broke its bound."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from comptroller.core.action import Action, ActionClass
from comptroller.core.audit import EntryDraft, EntryKind
from comptroller.core.brake import Brake, BrakeState
from comptroller.core.distrust import Distrust
from comptroller.core.errors import StoreLostError
from comptroller.core.estimate import Outcome, Unit
from comptroller.core.reservation import (
    AccountDelta,
    Reservation,
    ReservationState,
    settle_deltas,
    suspend_deltas,
)
from comptroller.decode.made import closes
from comptroller.engine.entries import Scribe, amounts_body
from comptroller.engine.escrow import Escrow
from comptroller.engine.holdings import Holdings, Opened
from comptroller.engine.hub import Hub
from comptroller.engine.sequencer import Permit
from comptroller.engine.suspense import Suspense
from comptroller.ports import Changes, Clock, Facts, Pricer, RunBook, Store, Wants

RESTARTED = "comptroller restarted"
PRICED = frozenset({Unit.USD_MICROS, Unit.USD_MICROS_PER_HOUR, Unit.TOKENS})
"""Units whose bound is a price: exceeded, it is distrusted. Any exceeded unit freezes the run."""
CUT = "the response was cut before its cost was known"
FAILED = "the service failed, and nobody knows whether it charges for that"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Closed:
    """What became of a reservation: its entry kinds in order, and what listeners are told."""

    kinds: tuple[EntryKind, ...] = ()
    summary: Mapping[str, object] | None = None
    distrusted: str = ""
    suspended: Reservation | None = None
    opened: Opened | None = None


class Settler:
    """Closes what the sequencer opened."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        scribe: Scribe,
        hub: Hub,
        runbook: RunBook,
        pricer: Pricer,
        holdings: Holdings,
        suspense: Suspense,
        escrow: Escrow | None = None,
    ) -> None:
        self._holdings = holdings
        self._suspense = suspense
        self._escrow = escrow
        self._pricer = pricer
        self._store = store
        self._clock = clock
        self._scribe = scribe
        self._hub = hub
        self._runbook = runbook

    async def settle(self, permit: Permit, action: Action, outcome: Outcome) -> None:
        """Settle `permit` at what `outcome` proves; a cut response whose cost it does not tell goes to suspense."""
        try:
            await self._settle(permit, action, outcome)
        except StoreLostError as error:
            if self._escrow is None:
                raise
            self._escrow.lose(error)
            self._escrow.defer(partial(self.settle, permit, action, outcome))

    async def _settle(self, permit: Permit, action: Action, outcome: Outcome) -> None:
        actual = self._pricer.actual(action, outcome)
        now = self._clock.now()
        provided = outcome.ok and ActionClass.PROVISION in action.classes
        known = await self._holdings.known(outcome.holdings) if provided and outcome.holdings else {}

        def decide(facts: Facts) -> tuple[Changes, _Closed]:
            reservation = facts.reservation
            if reservation is None:
                return Changes(), _Closed()
            if outcome.charged is False and reservation.state is ReservationState.SUSPENSE:
                # A refused repeat proves nothing about the attempt whose outcome is not known.
                return Changes(), _Closed()
            if reservation.amounts.get(Unit.USD_MICROS) and Unit.USD_MICROS not in actual:
                if not outcome.complete:
                    return self._suspended(reservation, now, CUT, outcome.status)
                if not outcome.ok and outcome.charged is None:
                    return self._suspended(reservation, now, FAILED, outcome.status)
            opened = None
            if provided and reservation.state is not ReservationState.SETTLED:
                opened = self._holdings.opening(
                    reservation,
                    {**reservation.amounts, **actual},
                    action,
                    outcome,
                    known=known,
                    approval=facts.approval,
                    now=now,
                )
            return self._settled(reservation, now, outcome, actual, action, opened)

        await self._close(permit.reservation, now, decide, approval=permit.approval)
        if ended := closes(action, outcome):
            await self._holdings.asked([each.made for each in ended], permit.run)

    async def suspend(self, permit: Permit, why: str) -> None:
        """Dispatched, and nobody knows what became of it: the money stays held until somebody does."""
        await self._suspend(permit.reservation, why)

    async def recover(self, *, own: bool = True) -> int:
        """After a crash: everything dispatched without an outcome goes to suspense. Returns how many.

        Without `own`: only what gateways of other machines left behind that are certainly dead.
        """
        stranded = (await self._store.stranded(own=own)).reservations
        for reservation in stranded:
            await self._suspend(reservation.id, RESTARTED)
        return len(stranded)

    async def _suspend(self, reservation_id: str, why: str) -> None:
        now = self._clock.now()

        def decide(facts: Facts) -> tuple[Changes, _Closed]:
            if facts.reservation is None:
                return Changes(), _Closed()
            return self._suspended(facts.reservation, now, why, None)

        await self._close(reservation_id, now, decide)

    async def _close(self, reservation_id: str, now: datetime, decide: _Decide, *, approval: str = "") -> None:
        escrow = self._escrow
        try:
            if escrow is None or not escrow.lost or await escrow.back():
                await self._commit(reservation_id, now, decide, approval)
                return
        except StoreLostError as error:
            if escrow is None:
                raise
            escrow.lose(error)
        await self._note(escrow, reservation_id, now, decide, approval)

    async def _note(self, escrow: Escrow, reservation_id: str, now: datetime, decide: _Decide, approval: str) -> None:
        """While the store is lost: what was let through meanwhile is closed in the journal, anything else later."""
        spent = escrow.spent(reservation_id)
        later = partial(self._close, reservation_id, now, decide, approval=approval)
        if spent is None:
            escrow.defer(later)
            return
        changes, closed = decide(Facts(reservation=spent))
        if not changes.reservations:
            return
        try:
            await escrow.close(changes.reservations[0], changes)
        except StoreLostError:
            escrow.defer(later)
            return
        if closed.distrusted:
            self._pricer.trust(closed.distrusted, trusted=False)
        for kind in closed.kinds:
            self._hub.publish(kind.value, dict(closed.summary or {}))

    async def _commit(self, reservation_id: str, now: datetime, decide: _Decide, approval: str) -> None:
        wants = Wants(now=now, reservation=reservation_id, approval=approval, patient=True)
        done = await self._store.commit(wants, decide)
        if done.result.distrusted:
            self._pricer.trust(done.result.distrusted, trusted=False)
        kinds = done.result.kinds
        for kind, index in zip(kinds, done.indices, strict=False):
            self._hub.publish(kind.value, {"index": index, **(done.result.summary or {})})
        if done.result.opened is not None:
            self._holdings.opened(done.result.opened.payment, done.indices[len(kinds) :])
        if done.result.suspended is not None:
            await self._suspense.look(done.result.suspended)

    def _settled(
        self,
        reservation: Reservation,
        now: datetime,
        outcome: Outcome,
        actual: Mapping[Unit, int],
        action: Action,
        opened: Opened | None = None,
    ) -> tuple[Changes, _Closed]:
        deltas = _deltas(reservation, actual if opened is None else opened.left)
        if deltas is None:
            return Changes(), _Closed()
        exceeded = [unit for unit, amount in actual.items() if amount > reservation.amounts.get(unit, amount)]
        known = {unit: max(amount, reservation.actual.get(unit, 0)) for unit, amount in actual.items()}
        wrong = self._pricer.key(action) if PRICED & set(exceeded) else ""
        final = replace(reservation, state=ReservationState.SETTLED, actual={**reservation.amounts, **known})
        body = {
            "reservation": reservation.id,
            "operation": reservation.operation,
            "status": outcome.status,
            "ok": outcome.ok,
            "complete": outcome.complete,
            "actual": amounts_body(final.actual),
            "reserved": amounts_body(reservation.amounts),
            "usage": dict(outcome.usage),
            "exceeded": [unit.value for unit in exceeded],
            "price_distrusted": bool(wrong),
        }
        if wrong:
            body["price"] = wrong
        if opened is not None:
            body["of_terms"] = amounts_body(_moved(final.actual, opened.left))
        entry = self._draft(EntryKind.ACTION_SETTLED, reservation, now, body, {"made": list(outcome.made)})
        changes = Changes(entries=(entry,), accounts=deltas, reservations=(final,))
        summary: dict[str, object] = {
            "agent": reservation.agent,
            "run": reservation.run,
            "operation": reservation.operation,
            "status": outcome.status,
            "actual": amounts_body(final.actual),
            "made": list(outcome.made),
        }
        if opened is not None:
            changes = _beside(changes, opened)
        if not exceeded:
            return changes, _Closed(kinds=(EntryKind.ACTION_SETTLED,), summary=summary, opened=opened)
        path = f"{self._runbook.path_of(reservation.agent)}/{reservation.run}"
        reason = f"{reservation.operation} cost more than its estimate"
        frozen = self._draft(
            EntryKind.BRAKE_FROZEN, reservation, now, {"scope": path, "by": "comptroller", "reason": reason}, {}
        )
        brake = Brake(scope=path, state=BrakeState.FROZEN, reason=reason, by="comptroller", at=now)
        price = Distrust(key=wrong, trusted=False, reason=reason, by="comptroller", at=now)
        changes = replace(
            changes,
            entries=(entry, frozen, *(opened.entries if opened is not None else ())),
            brakes=(brake,),
            distrusts=(price,) if wrong else (),
        )
        return changes, _Closed(
            kinds=(EntryKind.ACTION_SETTLED, EntryKind.BRAKE_FROZEN),
            summary={**summary, "scope": path, "by": "comptroller", "reason": reason},
            distrusted=wrong,
            opened=opened,
        )

    def _suspended(
        self, reservation: Reservation, now: datetime, why: str, status: int | None
    ) -> tuple[Changes, _Closed]:
        if reservation.state is not ReservationState.DISPATCHED:
            return Changes(), _Closed()
        body = {
            "reservation": reservation.id,
            "operation": reservation.operation,
            "reserved": amounts_body(reservation.amounts),
            "why": why,
            "status": status,
        }
        changes = Changes(
            entries=(self._draft(EntryKind.ACTION_SUSPENSE, reservation, now, body, {}),),
            accounts=suspend_deltas(reservation),
            reservations=(replace(reservation, state=ReservationState.SUSPENSE),),
        )
        summary = {"agent": reservation.agent, "run": reservation.run, "reason": why}
        return changes, _Closed(kinds=(EntryKind.ACTION_SUSPENSE,), summary=summary, suspended=reservation)

    def _draft(
        self,
        kind: EntryKind,
        reservation: Reservation,
        now: datetime,
        body: Mapping[str, object],
        private: Mapping[str, object],
    ) -> EntryDraft:
        return self._scribe.draft(
            kind, at=now, agent=reservation.agent, run=reservation.run, body=body, private=private
        )


def _beside(changes: Changes, opened: Opened) -> Changes:
    """A settlement together with what it brought about."""
    payment = opened.payment
    return replace(
        changes,
        entries=(*changes.entries, *opened.entries),
        accounts=(*changes.accounts, *payment.accounts),
        reservations=(*changes.reservations, *payment.reservations),
        holdings=payment.holdings,
    )


def _moved(actual: Mapping[Unit, int], left: Mapping[Unit, int]) -> dict[Unit, int]:
    """What of a cost is paid out of terms from now on."""
    return {unit: amount - left.get(unit, 0) for unit, amount in actual.items() if amount != left.get(unit, 0)}


_Decide = Callable[[Facts], tuple[Changes, _Closed]]


def _deltas(reservation: Reservation, actual: Mapping[Unit, int]) -> tuple[AccountDelta, ...] | None:
    """What settling changes; for a call that was sent twice, only what the later answer adds. None: nothing."""
    if reservation.state is not ReservationState.SETTLED:
        return settle_deltas(reservation, actual)
    more = {
        unit: amount - reservation.actual.get(unit, 0)
        for unit, amount in actual.items()
        if amount > reservation.actual.get(unit, 0)
    }
    if not more:
        return None
    return tuple(
        AccountDelta(scope=n.scope, unit=n.unit, window=n.window, start=n.start, settled=more[n.unit])
        for n in reservation.lines
        if n.unit in more
    )
