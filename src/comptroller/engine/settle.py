"""After the response: read the real cost, settle the reservation, and freeze the run whose cost broke its bound."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from comptroller import price
from comptroller.core.action import Action
from comptroller.core.audit import EntryKind
from comptroller.core.brake import Brake, BrakeState
from comptroller.core.estimate import Outcome, Unit
from comptroller.core.reservation import (
    AccountDelta,
    Reservation,
    ReservationState,
    settle_deltas,
    suspend_deltas,
)
from comptroller.engine.entries import Scribe, amounts_body
from comptroller.engine.hub import Hub
from comptroller.engine.sequencer import Permit
from comptroller.ports import Changes, Clock, Facts, RunBook, Store, Wants


@dataclass(frozen=True, slots=True, kw_only=True)
class _Settled:
    kind: EntryKind
    actual: Mapping[Unit, int]
    exceeded: tuple[Unit, ...] = ()


class Settler:
    """Closes what the sequencer opened."""

    def __init__(self, *, store: Store, clock: Clock, scribe: Scribe, hub: Hub, runbook: RunBook) -> None:
        self._store = store
        self._clock = clock
        self._scribe = scribe
        self._hub = hub
        self._runbook = runbook

    async def settle(self, permit: Permit, action: Action, outcome: Outcome) -> None:
        """Settle `permit` at what `outcome` proves; a cut response whose cost it does not tell goes to suspense."""
        actual = dict(price.actual(action, outcome))
        if not outcome.complete and Unit.USD_MICROS not in actual:
            await self.suspend(permit, "the response was cut before its cost was known", outcome=outcome)
            return
        now = self._clock.now()
        path = f"{self._runbook.path_of(permit.agent)}/{permit.run}"

        def decide(facts: Facts) -> tuple[Changes, _Settled | None]:
            reservation = facts.reservation
            if reservation is None:
                return Changes(), None
            deltas = _deltas(reservation, actual)
            if deltas is None:
                return Changes(), None
            exceeded = tuple(unit for unit, amount in actual.items() if amount > reservation.amounts.get(unit, amount))
            known = {unit: max(amount, reservation.actual.get(unit, 0)) for unit, amount in actual.items()}
            final = replace(reservation, state=ReservationState.SETTLED, actual={**reservation.amounts, **known})
            body = {
                "reservation": permit.reservation,
                "operation": reservation.operation,
                "status": outcome.status,
                "ok": outcome.ok,
                "complete": outcome.complete,
                "actual": amounts_body(final.actual),
                "reserved": amounts_body(reservation.amounts),
                "usage": dict(outcome.usage),
                "exceeded": [unit.value for unit in exceeded],
                "price_distrusted": bool(exceeded),
            }
            entries = [
                self._scribe.draft(
                    EntryKind.ACTION_SETTLED,
                    at=now,
                    agent=permit.agent,
                    run=permit.run,
                    body=body,
                    private={"made": list(outcome.made)},
                )
            ]
            brakes: tuple[Brake, ...] = ()
            if exceeded:
                reason = f"{reservation.operation} cost more than its estimate"
                brakes = (Brake(scope=path, state=BrakeState.FROZEN, reason=reason, by="comptroller", at=now),)
                entries.append(
                    self._scribe.draft(
                        EntryKind.BRAKE_FROZEN,
                        at=now,
                        agent=permit.agent,
                        run=permit.run,
                        body={"scope": path, "by": "comptroller", "reason": reason},
                    )
                )
            changes = Changes(entries=tuple(entries), accounts=deltas, reservations=(final,), brakes=brakes)
            return changes, _Settled(kind=EntryKind.ACTION_SETTLED, actual=final.actual, exceeded=exceeded)

        done = await self._store.commit(Wants(now=now, reservation=permit.reservation), decide)
        if done.result is not None:
            summary = {
                "index": done.indices[0],
                "agent": permit.agent,
                "run": permit.run,
                "operation": action.operation,
                "actual": amounts_body(done.result.actual),
                "made": list(outcome.made),
                "status": outcome.status,
            }
            self._hub.publish(EntryKind.ACTION_SETTLED.value, summary)
            if done.result.exceeded:
                self._hub.publish(
                    EntryKind.BRAKE_FROZEN.value,
                    {
                        "index": done.indices[-1],
                        "agent": permit.agent,
                        "run": permit.run,
                        "scope": path,
                        "reason": f"{action.operation} cost more than its estimate",
                    },
                )

    async def suspend(self, permit: Permit, why: str, *, outcome: Outcome | None = None) -> None:
        """Dispatched, and nobody knows what became of it: the money stays held until somebody does."""
        await self._suspend(permit.reservation, permit.agent, permit.run, why, outcome)

    async def recover(self) -> int:
        """After a crash: everything dispatched without an outcome goes to suspense. Returns how many."""
        stranded = [r for r in await self._store.open_reservations() if r.state is ReservationState.DISPATCHED]
        for reservation in stranded:
            await self._suspend(reservation.id, reservation.agent, reservation.run, "comptroller restarted", None)
        return len(stranded)

    async def _suspend(self, reservation_id: str, agent: str, run: str, why: str, outcome: Outcome | None) -> None:
        now = self._clock.now()

        def decide(facts: Facts) -> tuple[Changes, bool]:
            reservation = facts.reservation
            if reservation is None or reservation.state is not ReservationState.DISPATCHED:
                return Changes(), False
            body = {
                "reservation": reservation.id,
                "operation": reservation.operation,
                "reserved": amounts_body(reservation.amounts),
                "why": why,
                "status": outcome.status if outcome else None,
            }
            entry = self._scribe.draft(EntryKind.ACTION_SUSPENSE, at=now, agent=agent, run=run, body=body)
            return Changes(
                entries=(entry,),
                accounts=suspend_deltas(reservation),
                reservations=(replace(reservation, state=ReservationState.SUSPENSE),),
            ), True

        done = await self._store.commit(Wants(now=now, reservation=reservation_id), decide)
        if done.result:
            summary = {"index": done.indices[0], "agent": agent, "run": run, "reason": why}
            self._hub.publish(EntryKind.ACTION_SUSPENSE.value, summary)


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
