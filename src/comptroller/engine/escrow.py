"""What goes on while the store is lost: `read` and `infer`, from a share set aside before, against a local journal.

Everything else is denied. What was noted is carried into the store's log before anything else passes again.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from comptroller.core.action import Action
from comptroller.core.audit import EntryDraft, EntryKind
from comptroller.core.brake import Brake, BrakeState, RunState
from comptroller.core.budget import scopes_of
from comptroller.core.errors import ComptrollerError, StoreError, StoreLostError
from comptroller.core.escrow import (
    OUTAGE_CLASSES,
    SHARE_OPERATION,
    BudgetKey,
    Note,
    NoteKind,
    Share,
    misfits,
    share_amounts,
    without,
)
from comptroller.core.estimate import Unit
from comptroller.core.reservation import Reservation, ReservationState, dispatch_deltas, lines_for
from comptroller.engine.entries import Scribe, amounts_body
from comptroller.engine.hub import Hub
from comptroller.engine.replay import Replay
from comptroller.ports import Changes, Clock, Facts, Ids, Journal, RunBook, Store, Wants

KEEP_SECONDS = 2.0
"""How often shares and what is known of brakes are looked after; a run's beginning and end do so at once."""
PROBE_SECONDS = 1.0
"""How often a lost store is asked whether it is back."""
DEFERRED_MAX = 20_000

ONLY_CHEAP = "while the store is lost only `read` and `infer` go on"
NOBODY_TO_ASK = "while the store is lost nobody can be asked"
OVER = "the store has been lost for too long: nothing goes on without it"
NO_SHARE = "no share of the budgets was set aside for this run before the store was lost"
OTHER_WINDOW = "the share set aside for this run was of a budget's window that has ended"


class Escrow:
    """The shares of this gateway's runs, and the time in which the store is lost (`lost`)."""

    def __init__(
        self,
        *,
        store: Store,
        journal: Journal,
        clock: Clock,
        ids: Ids,
        scribe: Scribe,
        hub: Hub,
        runbook: RunBook,
        outage_seconds_max: float,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        """`seconds` counts up whatever happens to the clock."""
        self.lost = False
        self.journal = journal
        self._store = store
        self._clock = clock
        self._ids = ids
        self._scribe = scribe
        self._hub = hub
        self._runbook = runbook
        self._outage_seconds_max = outage_seconds_max
        self._seconds = seconds
        self._replay = Replay(store=store, journal=journal, clock=clock, scribe=scribe, hub=hub)
        self._runs: dict[str, str] = {}
        self._shares: dict[str, Share] = {}
        self._brakes: dict[str, Brake] = {}
        self._spent: dict[str, tuple[Share, Reservation]] = {}
        self._deferred: list[Callable[[], Awaitable[None]]] = []
        self._numbers = 0
        self._why = StoreLostError("the store is lost")
        self._since = 0.0
        self._told = False
        self._busy = 0
        self._idle = asyncio.Event()
        self._resuming: asyncio.Event | None = None
        self._stirred = asyncio.Event()
        hub.subscribe(self._heard)

    # ------------------------------------------------------------ while the store is well

    async def begin(self) -> Mapping[str, object] | None:
        """At the start: carry over what an earlier process left in the journal, before anything is admitted.

        Returns what was told of it, None where there was nothing. Raises `StoreError`.
        """
        told = None
        if any(note.kind is not NoteKind.SHARE for note in self.journal.notes):
            await self._replay.notes(self.journal.notes)
            await self._give_back_all()
            told = await self._replay.recovered()
        else:
            await self._give_back_all()
        await self.journal.renew(())
        return told

    async def work(self) -> None:
        """Look after shares as long as the store is well, and for the store as long as it is lost."""
        while True:
            if self.lost:
                await asyncio.sleep(PROBE_SECONDS)
                await self.resume()
                continue
            await self.keep()
            self._stirred.clear()
            try:
                await asyncio.wait_for(self._stirred.wait(), KEEP_SECONDS)
            except TimeoutError:
                continue

    async def keep(self) -> None:
        """Take, renew and give back shares, and learn which brakes are pulled. A lost store is noticed here too."""
        try:
            for run_id, path in tuple(self._runs.items()):
                if self.lost:
                    return
                await self._keep(run_id, path)
            if self.journal.crowded and not self.lost:
                shares = self._shares.values()
                await self.journal.renew([_share_note(share.id, share.reservation.created_at) for share in shares])
        except StoreLostError as error:
            self.lose(error)
        except StoreError:
            # No share was taken: the next time may be better, and without one an outage denies.
            return

    async def end(self) -> None:
        """Give every share back, so that nothing is held while nobody runs. A lost store learns of it at the start."""
        self._runs.clear()
        if self.lost:
            return
        for share in self._shares.values():
            share.closed = True
        try:
            await self._give_back_all()
            self._shares.clear()
            await self.journal.renew(())
        except StoreError:
            return

    async def _keep(self, run_id: str, path: str) -> None:
        old = self._shares.get(run_id)
        now, fresh = self._clock.now(), self._ids.new()
        wants = Wants(
            now=now,
            scopes=scopes_of(path),
            run=run_id,
            call=(run_id, SHARE_OPERATION, old.id) if old else None,
            patient=True,
        )
        facts = (await self._store.commit(wants, lambda facts: (Changes(), facts))).result
        self._learn(wants.scopes, facts.brakes)
        if facts.run is None or facts.run.state is not RunState.ACTIVE:
            self._runs.pop(run_id, None)
            if old is not None:
                old.closed = True
                await self._replay.give_back(old.id)
                self._shares.pop(run_id, None)
            return
        if not self._wanted(facts, old)[1]:
            return
        # The journal knows of a share before the store does: what is in no journal counts as spent after a crash.
        await self.journal.append(_share_note(fresh, now))
        if old is not None:
            # From here on it may have been given back: nothing is spent from it any more.
            old.closed = True
        done = await self._store.commit(wants, lambda facts: self._taken(facts, old, fresh, now))
        if done.result is None:
            self._shares.pop(run_id, None)
            return
        self._shares[run_id] = done.result
        body = {"share": fresh, "amounts": amounts_body(done.result.reservation.amounts)}
        self._hub.publish(EntryKind.SHARE_TAKEN.value, {"index": done.indices[0], "run": run_id, **body})

    def _wanted(self, facts: Facts, old: Share | None) -> tuple[dict[Unit, int], bool]:
        """What the share should hold, and whether it is to be taken anew."""
        standing = next((item for item in facts.calls if old and item.id == old.id), None)
        budgets, held = facts.budgets, self._held(but=old)
        if standing is not None and standing.state is ReservationState.DISPATCHED:
            budgets = without(budgets, standing)
        else:
            standing = None
        fit = share_amounts(budgets, held)
        if standing is None or old is None or old.closed:
            return fit, any(fit.values())
        return fit, misfits(standing, budgets, fit)

    def _taken(self, facts: Facts, old: Share | None, fresh: str, now: datetime) -> tuple[Changes, Share | None]:
        amounts, _ = self._wanted(facts, old)
        run = facts.run
        standing = next((item for item in facts.calls if old and item.id == old.id), None)
        back = Changes()
        if standing is not None and standing.state is ReservationState.DISPATCHED:
            back = self._replay.returned(standing)
        if run is None or not any(amounts.values()):
            return back, None
        budgets = tuple(state for state in facts.budgets if state.budget.unit in amounts)
        share = Reservation(
            id=fresh,
            run=run.id,
            agent=run.agent,
            operation=SHARE_OPERATION,
            digest=SHARE_OPERATION,
            retry_token=fresh,
            state=ReservationState.DISPATCHED,
            amounts=amounts,
            lines=lines_for(budgets, amounts),
            created_at=now,
        )
        body = {"share": fresh, "amounts": amounts_body(amounts), "instead_of": standing.id if standing else ""}
        entry = self._scribe.draft(EntryKind.SHARE_TAKEN, at=now, agent=run.agent, run=run.id, body=body)
        changes = Changes(
            entries=(entry,),
            reservations=(*back.reservations, share),
            accounts=(*back.accounts, *dispatch_deltas(share)),
        )
        return changes, Share(reservation=share, run=run)

    def _held(self, *, but: Share | None) -> dict[BudgetKey, int]:
        held: Counter[BudgetKey] = Counter()
        for share in self._shares.values():
            if share is not but:
                for line in share.reservation.lines:
                    held[line.scope, line.unit.value, line.window] += line.amount
        return held

    def _heard(self, kind: str, summary: Mapping[str, object]) -> None:
        """What this process did itself is known at once."""
        run, agent, scope = (str(summary.get(name) or "") for name in ("run", "agent", "scope"))
        match kind:
            case "run.started" if run and agent:
                self._runs[run] = f"{self._runbook.path_of(agent)}/{run}"
                self._stirred.set()
            case "run.ended":
                self._stirred.set()
            case "brake.frozen" | "brake.killed" if scope:
                state = BrakeState.FROZEN if kind == "brake.frozen" else BrakeState.KILLED
                by, reason = str(summary.get("by") or ""), str(summary.get("reason") or "")
                self._brakes[scope] = Brake(scope=scope, state=state, reason=reason, by=by, at=self._clock.now())
            case "brake.thawed":
                self._brakes.pop(scope, None)

    def _learn(self, scopes: Iterable[str], brakes: Iterable[Brake]) -> None:
        for scope in scopes:
            self._brakes.pop(scope, None)
        self._brakes |= {brake.scope: brake for brake in brakes}

    # ------------------------------------------------------------ while it is lost

    def lose(self, error: StoreLostError) -> None:
        """The store is lost; the time in which anything goes on without it begins."""
        self._why = error
        if not self.lost:
            self.lost, self._since, self._told = True, self._seconds(), False
            self._stirred.set()
            self._hub.publish("store.outage", {"why": error.message, "hint": error.hint})

    async def back(self) -> bool:
        """Whether the store is to be asked; waits for a recovery that is under way."""
        while self._resuming is not None:
            await self._resuming.wait()
        return not self.lost

    def denied(self, beside: str) -> StoreLostError:
        """Why something does not go on."""
        return StoreLostError(self._why.message, hint=self._why.hint, beside=beside)

    def share_for(self, action: Action, now: datetime) -> Share:
        """The share that `action` may be judged by. Raises `StoreLostError` where it may not go on at all."""
        if not action.classes or not action.classes <= OUTAGE_CLASSES or action.parts:
            raise self.denied(ONLY_CHEAP)
        if self._seconds() - self._since > self._outage_seconds_max:
            raise self.denied(OVER)
        share = self._shares.get(action.run)
        if share is None or share.closed:
            raise self.denied(NO_SHARE)
        if not share.current(now):
            raise self.denied(OTHER_WINDOW)
        return share

    def brakes_of(self, path: str) -> tuple[Brake, ...]:
        """The brakes that are known to be pulled on a path."""
        return tuple(self._brakes[scope] for scope in scopes_of(path) if scope in self._brakes)

    def runs_below(self, path: str) -> dict[str, str]:
        """This gateway's runs in a scope (all, for an empty one), with their paths."""
        return {run: own for run, own in self._runs.items() if not path or own == path or own.startswith(path + "/")}

    async def spend(self, share: Share, spent: Reservation, entry: EntryDraft) -> int:
        """Take an action out of `share`: counted at once, durable when this returns its number. Raises
        `StoreLostError`; what was counted stays so."""
        share.spend(spent.amounts)
        self._numbers += 1
        number = self._numbers
        note = Note(
            kind=NoteKind.SPENT, id=spent.id, at=spent.created_at, entries=(entry,), reservation=spent, share=share.id
        )
        await self._note(note)
        self._spent[spent.id] = (share, spent)
        return number

    def spent(self, reservation_id: str) -> Reservation | None:
        """An action that was let through in this outage, as it is now."""
        found = self._spent.get(reservation_id)
        return found[1] if found else None

    async def close(self, final: Reservation, changes: Changes) -> None:
        """What became of an action of this outage. Raises `StoreLostError`: then nothing is known of it."""
        share, _ = self._spent[final.id]
        note = Note(
            kind=NoteKind.CLOSED,
            id=final.id,
            at=self._clock.now(),
            entries=tuple(marked(entry) for entry in changes.entries),
            reservation=final,
            share=share.id,
            brakes=changes.brakes,
            distrusts=changes.distrusts,
        )
        # Who broke its bound stops even where that cannot be noted.
        self._brakes |= {brake.scope: brake for brake in changes.brakes}
        await self._note(note)
        self._spent[final.id] = (share, final)
        share.close(final)

    async def brake(self, brake: Brake, entry: EntryDraft) -> None:
        """Hold `brake` from now on, and note it. Raises `StoreLostError` where it holds in this process alone."""
        self._brakes[brake.scope] = brake
        note = Note(kind=NoteKind.BRAKE, id=self._ids.new(), at=brake.at, entries=(marked(entry),), brakes=(brake,))
        await self._note(note)

    def defer(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do `work` when the store is back; lost with the process. Raises `StoreLostError` where too much waits."""
        if len(self._deferred) >= DEFERRED_MAX:
            raise self.denied("too much waits for the store")
        self._deferred.append(work)

    async def _note(self, note: Note) -> None:
        self._busy += 1
        try:
            if not self._told:
                self._told = True
                await self.journal.append(Note(kind=NoteKind.LOST, id="", at=self._clock.now()))
            await self.journal.append(note)
        except StoreError as error:
            raise self.denied(error.message) from error
        finally:
            self._busy -= 1
            if not self._busy:
                self._idle.set()

    # ------------------------------------------------------------ and when it is back

    async def resume(self) -> bool:
        """Try the store; carry the journal into its log, give back what is left of the shares, and go on as always.

        True where the store is well. Whoever asks meanwhile waits. What was frozen for want of the store goes on; what
        people froze stays frozen.
        """
        if not self.lost:
            return True
        try:
            await self._replay.probe()
        except StoreError:
            return False
        self._resuming = asyncio.Event()
        try:
            while self._busy:
                self._idle.clear()
                await self._idle.wait()
            await self._replay.notes(self.journal.notes)
            for share in self._shares.values():
                # From here on it may have been given back.
                share.closed = True
            await self._give_back_all()
            await self._replay.recovered()
            await self.journal.renew(())
            self._shares.clear()
            self._spent.clear()
            self.lost = False
        except StoreError as error:
            self._why = StoreLostError(error.message, hint=error.hint)
            if not isinstance(error, StoreLostError):
                # The store answers, and cannot be told what happened: a person has to see to that.
                self._hub.publish("store.outage", {"why": error.message, "hint": error.hint})
            return False
        finally:
            resuming, self._resuming = self._resuming, None
            resuming.set()
        await self._catch_up()
        self._stirred.set()
        return True

    async def _give_back_all(self) -> None:
        for share in [note.id for note in self.journal.notes if note.kind is NoteKind.SHARE]:
            await self._replay.give_back(share)

    async def _catch_up(self) -> None:
        deferred, self._deferred = self._deferred, []
        for work in deferred:
            try:
                await work()
            except ComptrollerError:
                continue


def marked(entry: EntryDraft) -> EntryDraft:
    """An entry that was written while the store was lost says so."""
    return replace(entry, body={**entry.body, "outage": True})


def _share_note(share_id: str, at: datetime) -> Note:
    return Note(kind=NoteKind.SHARE, id=share_id, at=at)
