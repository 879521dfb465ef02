"""Carries the outage journal into the store's log: in order, each note once, whatever is interrupted and repeated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from comptroller.core.audit import EntryKind
from comptroller.core.brake import BrakeState
from comptroller.core.errors import StoreError
from comptroller.core.escrow import (
    BRAKE_OPERATION,
    OUTAGE_OPERATION,
    SHARE_OPERATION,
    Note,
    NoteKind,
    given_back,
    moved,
)
from comptroller.core.estimate import Unit
from comptroller.core.reservation import (
    HELD_STATES,
    Reservation,
    ReservationState,
    settle_deltas,
    suspend_deltas,
)
from comptroller.engine.entries import Scribe, amounts_body
from comptroller.engine.hub import Hub
from comptroller.ports import Changes, Clock, Facts, Journal, Store, Wants


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """Writes what the journal knows into the store."""

    store: Store
    journal: Journal
    clock: Clock
    scribe: Scribe
    hub: Hub

    async def notes(self, notes: Sequence[Note]) -> None:
        """Carry `notes` over; one that the store knows already changes nothing. Raises `StoreError`."""
        for note in notes:
            match note.kind:
                case NoteKind.SPENT:
                    await self._spent(note)
                case NoteKind.CLOSED:
                    await self._closed(note)
                case NoteKind.BRAKE:
                    await self._brake(note)
                case NoteKind.SHARE | NoteKind.LOST:
                    pass

    async def probe(self) -> None:
        """Write to the store, nothing that counts. Raises `StoreError` while that cannot be done."""
        now = self.clock.now()

        def decide(facts: Facts) -> tuple[Changes, None]:
            if facts.reservation is not None and facts.reservation.state is ReservationState.SETTLED:
                return Changes(), None
            return Changes(reservations=(_mark(self.journal.id, OUTAGE_OPERATION, now),)), None

        await self.store.commit(Wants(now=now, reservation=self.journal.id), decide)

    async def give_back(self, share_id: str) -> None:
        """What is left of a share goes back to its budgets: the journal proves that nobody spent it."""

        def decide(facts: Facts) -> tuple[Changes, None]:
            share = facts.reservation
            held = share is not None and share.state in HELD_STATES
            return self.returned(share) if share is not None and held else Changes(), None

        done = await self.store.commit(Wants(now=self.clock.now(), reservation=share_id), decide)
        if done.indices:
            self.hub.publish(EntryKind.SHARE_RETURNED.value, {"index": done.indices[0], "share": share_id})

    def returned(self, share: Reservation) -> Changes:
        """What is left of `share`, given back."""
        nothing: Mapping[Unit, int] = dict.fromkeys(share.amounts, 0)
        body = {"share": share.id, "returned": amounts_body(share.amounts)}
        entry = self.scribe.draft(
            EntryKind.SHARE_RETURNED, at=self.clock.now(), agent=share.agent, run=share.run, body=body
        )
        settled = replace(share, state=ReservationState.SETTLED, actual=nothing)
        return Changes(entries=(entry,), reservations=(settled,), accounts=settle_deltas(share, nothing))

    async def recovered(self) -> Mapping[str, object]:
        """Record that the store is back, with what the journal had to say; once for each journal."""
        now, notes = self.clock.now(), self.journal.notes
        lost_at = next((note.at for note in notes if note.kind is NoteKind.LOST), now)
        body: dict[str, object] = {
            "journal": self.journal.id,
            "hash": self.journal.head,
            "notes": sum(note.kind not in (NoteKind.SHARE, NoteKind.LOST) for note in notes),
            "entries": sum(len(note.entries) for note in notes),
            "actions": sum(note.kind is NoteKind.SPENT for note in notes),
            "lost_at": lost_at.isoformat(),
            "seconds": max(0, round((now - lost_at).total_seconds())),
        }

        def decide(facts: Facts) -> tuple[Changes, None]:
            if facts.reservation is not None and facts.reservation.state is ReservationState.SETTLED:
                return Changes(), None
            entry = self.scribe.draft(EntryKind.STORE_RECOVERED, at=now, body=body)
            mark = replace(_mark(self.journal.id, OUTAGE_OPERATION, now), state=ReservationState.SETTLED)
            return Changes(entries=(entry,), reservations=(mark,)), None

        done = await self.store.commit(Wants(now=now, reservation=self.journal.id), decide)
        if done.indices:
            self.hub.publish(EntryKind.STORE_RECOVERED.value, {"index": done.indices[0], **body})
        return body

    async def _spent(self, note: Note) -> None:
        spent = _of(note)

        def decide(facts: Facts) -> tuple[Changes, None]:
            if facts.reservation is not None:
                # It was recorded before; or the store was lost while it recorded it, and had done so.
                return Changes(), None
            deltas, rows = moved(_share(facts, note), spent)
            return Changes(entries=note.entries, reservations=rows, accounts=deltas), None

        await self.store.commit(self._wants(note, spent), decide)

    async def _closed(self, note: Note) -> None:
        final = _of(note)

        def decide(facts: Facts) -> tuple[Changes, None]:
            known = facts.reservation
            if known is None:
                raise StoreError(
                    f"the outage journal closes `{final.id}`, which the store has never heard of",
                    hint="is this the journal of another store? move it away, and its shares count as spent",
                )
            if known.state not in HELD_STATES:
                return Changes(), None
            if final.state is ReservationState.SUSPENSE:
                if known.state is not ReservationState.DISPATCHED:
                    return Changes(), None
                suspended = replace(known, state=ReservationState.SUSPENSE)
                deltas = suspend_deltas(known)
                return Changes(entries=note.entries, reservations=(suspended,), accounts=deltas), None
            settled = replace(known, state=ReservationState.SETTLED, actual=final.actual)
            freed, shares = given_back(_share(facts, note), final)
            changes = Changes(
                entries=note.entries,
                reservations=(settled, *shares),
                accounts=(*settle_deltas(known, final.actual), *freed),
                brakes=note.brakes,
                distrusts=note.distrusts,
            )
            return changes, None

        await self.store.commit(self._wants(note, final), decide)

    async def _brake(self, note: Note) -> None:
        def decide(facts: Facts) -> tuple[Changes, None]:
            if facts.reservation is not None:
                return Changes(), None
            final = {brake.scope for brake in facts.brakes if brake.state is BrakeState.KILLED}
            brakes = tuple(brake for brake in note.brakes if brake.scope not in final)
            mark = _mark(note.id, BRAKE_OPERATION, note.at)
            return Changes(entries=note.entries, brakes=brakes, reservations=(mark,)), None

        scopes = tuple(brake.scope for brake in note.brakes)
        await self.store.commit(Wants(now=self.clock.now(), reservation=note.id, scopes=scopes), decide)

    def _wants(self, note: Note, item: Reservation) -> Wants:
        return Wants(
            now=self.clock.now(), reservation=note.id, call=(item.run, SHARE_OPERATION, note.share), patient=True
        )


def _of(note: Note) -> Reservation:
    # INVARIANT: what an action did to money is in its note.
    assert note.reservation is not None, note.kind
    return note.reservation


def _share(facts: Facts, note: Note) -> Reservation | None:
    return next((item for item in facts.calls if item.id == note.share), None)


def _mark(name: str, operation: str, at: datetime) -> Reservation:
    """A reservation of nothing, in the same transaction: that it exists says that the rest was done."""
    return Reservation(
        id=name,
        run="",
        agent="",
        operation=operation,
        digest="",
        retry_token=name,
        state=ReservationState.RELEASED,
        amounts={},
        lines=(),
        created_at=at,
    )
