"""The book of holdings: what agents own, who pays for it until when, and every change of it as an entry.

It asks no provider. The keeper (`watch/keeper.py`) looks and acts, and tells the book what it saw.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from comptroller.core.action import Action
from comptroller.core.approval import Approval
from comptroller.core.audit import EntryDraft, EntryKind
from comptroller.core.brake import Brake, BrakeState
from comptroller.core.budget import scopes_of
from comptroller.core.errors import ConflictError, RefusedError
from comptroller.core.estimate import Outcome, Unit, usd_text
from comptroller.core.holding import COSTING_STATES, OVERRUN_SECONDS, Holding, HoldingState
from comptroller.core.made import Made
from comptroller.core.reservation import Reservation, ReservationState, settle_deltas
from comptroller.core.verdict import Conflict
from comptroller.decode import made as things
from comptroller.engine import terms
from comptroller.engine.entries import Scribe, amounts_body
from comptroller.engine.hub import Hub
from comptroller.engine.terms import Key, Payment, Whose, key_of
from comptroller.engine.thresholds import Crossing, Thresholds
from comptroller.ports import Changes, Clock, Facts, Ids, RunBook, Store, Wants
from comptroller.price import TERM_SECONDS_DEFAULT

PROVISION_ANSWERED = Outcome(status=200, ok=True, complete=True, charged=True)
"""An answer that took what was asked, to find out what an action would end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What a settled action brought about: its own part of the cost, and everything that changes beside it."""

    left: Mapping[Unit, int]
    payment: Payment
    entries: tuple[EntryDraft, ...]


class Holdings:
    """Opens, pays on, marks, closes; the same for one gateway or several, since each change is one decision."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        ids: Ids,
        scribe: Scribe,
        hub: Hub,
        runbook: RunBook,
        thresholds: Thresholds | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids
        self._scribe = scribe
        self._hub = hub
        self._runbook = runbook
        self._thresholds = thresholds or Thresholds(scribe=scribe, hub=hub)
        self._owned: defaultdict[str, set[Key]] = defaultdict(set)
        self._turns = 0

    async def load(self) -> None:
        """Learn what runs own; once, before anything is admitted."""
        await self.open_now()

    async def open_now(self) -> Sequence[Holding]:
        """What is still there; and what runs own by it, since other gateways open and close too."""
        turns = self._turns
        found = await self._store.holdings()
        # What was opened or closed here meanwhile may not be in what was read: then the next round learns.
        if turns == self._turns:
            self._owned.clear()
            for holding in found:
                self._own(holding)
        return found

    def _own(self, holding: Holding) -> None:
        if holding.resource and holding.created:
            self._owned[holding.run].add(key_of(holding))

    def owned(self, action: Action) -> bool:
        """Whether everything that `action` would stop or delete was made by its own run, and it does nothing else."""
        mine = self._owned.get(action.run)
        if not mine or action.parts:
            return False
        ends = things.closes(action, PROVISION_ANSWERED)
        return bool(ends) and all(key_of(each.made) in mine for each in ends)

    async def targets(self, action: Action) -> Mapping[str, str]:
        """The open holdings that `action` is about, each with its state in words; nothing where none is on the books.

        It is about what it names as its resources and what it would end.
        """
        ends = {key_of(each.made) for each in things.closes(action, PROVISION_ANSWERED)}
        named = frozenset(action.resources)
        if not ends and not named:
            return {}
        return {
            item.resource: _in_words(item)
            for item in await self._store.holdings()
            if item.resource
            and (key_of(item) in ends or (item.account == action.account and _is_named(item.resource, named)))
        }

    # ------------------------------------------------------------ opening

    async def known(self, made: Sequence[Made]) -> Mapping[Key, Holding]:
        """The open holdings among `made`."""
        wanted = {key_of(thing) for thing in made if thing.resource}
        return {key_of(item): item for item in await self._store.holdings() if key_of(item) in wanted}

    def opening(
        self,
        reservation: Reservation,
        actual: Mapping[Unit, int],
        action: Action,
        outcome: Outcome,
        *,
        known: Mapping[Key, Holding],
        approval: Approval | None,
        now: datetime,
    ) -> Opened | None:
        """What an accepted action brought about; None where it costs nothing standing and made nothing that is known.

        Where the answer does not say what was made, one thing without a name stands for it: it costs all the same.
        """
        standing = actual.get(terms.RATE, reservation.amounts.get(terms.RATE)) != 0
        made = outcome.holdings or ((_nameless(action),) if standing else ())
        if not made:
            return None
        whose = Whose(
            path=f"{self._runbook.path_of(reservation.agent)}/{reservation.run}",
            owner=self._runbook.owner_of(reservation.agent),
            approver=", ".join(sorted({vote.person for vote in approval.votes})) if approval is not None else "",
        )
        payment, left = terms.opening(
            reservation,
            actual,
            made,
            action=action,
            whose=whose,
            known=known,
            now=now,
            new_id=self._ids.new,
        )
        entries = tuple(
            self._entry(
                EntryKind.HOLDING_OPENED,
                item,
                now,
                {"terms": _terms_body(paid for paid in payment.reservations if paid.id == item.term_reservation)},
            )
            for item in payment.holdings
        )
        return Opened(left=left, payment=payment, entries=entries)

    def opened(self, payment: Payment, indices: Sequence[int]) -> None:
        """What `opening` said is durable."""
        self._turns += 1
        for holding, index in zip(payment.holdings, indices, strict=True):
            self._own(holding)
            self._publish(EntryKind.HOLDING_OPENED, holding, index)

    async def adopt(self, made: Made, *, agent: str, by: str, reason: str, run: str = "") -> Holding:
        """Put something on the books that no answer told of; its cost is not known here. Raises `RefusedError`."""
        if await self.known([made]):
            raise RefusedError(f"`{made.resource}` is on the books already", hint="comptroller holdings list")
        now = self._clock.now()
        path = f"{self._runbook.path_of(agent)}/{run}" if run else self._runbook.path_of(agent)
        holding = Holding(
            id=self._ids.new(),
            kind=made.kind,
            resource=made.resource,
            account=made.account,
            region=made.region,
            endpoint=made.endpoint,
            agent=agent,
            run=run,
            path=path,
            owner=self._runbook.owner_of(agent),
            approver=by,
            operation="",
            reservation="",
            rate_usd_micros_per_hour=None,
            opened_at=now,
            paid_until=now + timedelta(seconds=TERM_SECONDS_DEFAULT),
            term_seconds=TERM_SECONDS_DEFAULT,
            state=HoldingState.LIVE,
            state_at=now,
            tagged=False,
            created=False,
            why=reason,
        )
        entry = self._entry(EntryKind.HOLDING_ADOPTED, holding, now, {"by": by}, reason)
        done = await self._store.commit(
            Wants(now=now), lambda _: (Changes(entries=(entry,), holdings=(holding,)), None)
        )
        self._own(holding)
        self._publish(EntryKind.HOLDING_ADOPTED, holding, done.indices[0])
        return holding

    # ------------------------------------------------------------ paying on

    async def pay_on(self, holding: Holding, *, force: bool = False) -> bool:
        """Set the next term aside; False where the budgets have no room. With `force` a short one is set aside all the
        same, and said: it lives, so it costs."""
        now = self._clock.now()
        seconds = OVERRUN_SECONDS if force else TERM_SECONDS_DEFAULT

        def decide(facts: Facts) -> tuple[Changes, tuple[bool, Holding | None, tuple[Crossing, ...]]]:
            current, term = facts.holding, facts.reservation
            if current is None or not current.costs or term is None or current.term_reservation != term.id:
                return Changes(), (True, None, ())
            if term.state is not ReservationState.RESERVED:
                return Changes(), (True, None, ())
            payment = terms.paid_on(
                current, term, facts.budgets, now=now, new_id=self._ids.new, seconds=seconds, force=force
            )
            if payment is None:
                return Changes(), (False, None, ())
            (paid,) = payment.holdings
            if not force and paid.state is HoldingState.MARKED:
                paid = replace(paid, state=HoldingState.LIVE, state_at=now, why="")
                payment = replace(payment, holdings=(paid,))
            after = terms.with_changes(facts.budgets, payment.accounts, now)
            crossings = self._thresholds.between(facts.budgets, after)
            changes = self._changes(kind, payment, now, {})
            told = self._thresholds.drafts(crossings, agent=paid.agent, run=paid.run, at=now)
            return replace(changes, entries=(*changes.entries, *told)), (True, paid, crossings)

        kind = EntryKind.HOLDING_OVERRUN if force else EntryKind.HOLDING_RENEWED
        done = await self._store.commit(self._wants(holding, now), decide)
        went, paid, crossings = done.result
        if paid is not None:
            self._publish(kind, paid, done.indices[0])
            self._thresholds.publish(crossings, done.indices[1:], agent=paid.agent, run=paid.run)
        return went

    async def mark(self, holding: Holding, *, why: str, by: str = "comptroller") -> None:
        """It will not be paid for any longer: its owner is told, and when the grace is over it is stopped."""
        await self._turn(
            holding,
            EntryKind.HOLDING_MARKED,
            {"by": by},
            lambda now, item: (
                replace(item, state=HoldingState.MARKED, state_at=now, why=why)
                if item.state is HoldingState.LIVE or (item.state is HoldingState.MARKED and item.why != why)
                else None
            ),
        )

    async def asked(self, made: Iterable[Made], run: str) -> None:
        """An agent's own action asked to stop or delete these: looked at until they are seen to rest or be gone.

        What is marked stays so: nobody puts off the end of the grace by asking.
        """
        wanted = {key_of(thing) for thing in made}
        why = f"asked by run {run}"

        def turned(now: datetime, item: Holding) -> Holding | None:
            if item.state is HoldingState.MARKED and item.why != why:
                return replace(item, why=why)
            if item.state in (HoldingState.LIVE, HoldingState.STOPPED):
                return replace(item, state=HoldingState.STOPPING, state_at=now, why=why)
            return None

        for holding in await self._store.holdings():
            if key_of(holding) in wanted:
                await self._turn(holding, EntryKind.HOLDING_STOPPING, {"by": f"run {run}"}, turned)

    async def not_stopped(self, holding: Holding, *, why: str) -> None:
        """An agent asked to stop it, and nobody has confirmed: from now on it is paid for, or stopped, as ever."""
        await self._turn(
            holding,
            EntryKind.HOLDING_MARKED,
            {"by": "comptroller"},
            lambda now, item: (
                replace(item, state=HoldingState.MARKED, state_at=now, why=why)
                if item.state is HoldingState.STOPPING and not item.asked
                else None
            ),
        )

    async def seen(self, holding: Holding, state: HoldingState, *, why: str) -> bool:
        """Its provider says that it rests, is gone, or lives after all. True where that was news."""
        if state is HoldingState.LIVE:
            return await self._turn(
                holding,
                EntryKind.HOLDING_MARKED,
                {"by": "comptroller"},
                lambda now, item: (
                    replace(item, state=HoldingState.MARKED, state_at=now, why=why)
                    if item.state is HoldingState.STOPPED
                    else None
                ),
            )
        return await self._end(holding, state, why=why, by="comptroller")

    async def forget(self, holding: Holding, *, by: str, reason: str) -> Holding:
        """Take it off the books, on a person's word. Raises `ConflictError` where it is off already."""
        if not await self._end(holding, HoldingState.FORGOTTEN, why=reason, by=by):
            raise ConflictError(f"holding `{holding.id}` is {holding.state.value} already", kind=Conflict.NOT_FOUND)
        return replace(holding, state=HoldingState.FORGOTTEN, why=reason)

    async def release_strays(self) -> int:
        """Settle terms that no holding is paid from any more (it was started again, or enlarged). Returns how many."""
        # INVARIANT: terms are read first. One that is set aside meanwhile is then no stray; the other way round it
        # would be given back, and what it pays for would live unpaid.
        terms_open = [n for n in await self._store.open_reservations() if n.state is ReservationState.RESERVED]
        paying = {item.term_reservation for item in await self._store.holdings(every=True)}
        strays = [item for item in terms_open if item.id not in paying]
        for stray in strays:
            await self._give_back(stray)
        return len(strays)

    async def drift(self, body: Mapping[str, object]) -> None:
        """What the reconciler found that the books do not say."""
        now = self._clock.now()
        beside = {"resource": body["resource"]}
        entry = self._scribe.draft(
            EntryKind.HOLDING_DRIFT,
            at=now,
            body={name: value for name, value in body.items() if name not in beside},
            private=beside,
        )
        done = await self._store.commit(Wants(now=now), lambda _: (Changes(entries=(entry,)), None))
        self._hub.publish(EntryKind.HOLDING_DRIFT.value, {"index": done.indices[0], **body})

    def killed_by(self, holding: Holding, brakes: Iterable[Brake]) -> Brake | None:
        """The kill under which it is to be stopped."""
        scopes = scopes_of(holding.path)
        return next((brake for brake in brakes if brake.state is BrakeState.KILLED and brake.scope in scopes), None)

    # ------------------------------------------------------------ within

    async def _end(self, holding: Holding, state: HoldingState, *, why: str, by: str) -> bool:
        now = self._clock.now()
        kind = _ENDS[state]

        def decide(facts: Facts) -> tuple[Changes, Holding | None]:
            current = facts.holding
            if current is None or not current.open or current.state is state:
                return Changes(), None
            if (facts.reservation.id if facts.reservation else "") != current.term_reservation:
                return Changes(), None
            payment = terms.ended(
                current, facts.reservation, facts.budgets, state=state, why=why, now=now, new_id=self._ids.new
            )
            return self._changes(kind, payment, now, {"by": by}), payment.holdings[0]

        done = await self._store.commit(self._wants(holding, now), decide)
        if done.result is None:
            return False
        if not done.result.open:
            self._turns += 1
            self._owned[holding.run].discard(key_of(holding))
        self._publish(kind, done.result, done.indices[0])
        return True

    async def _give_back(self, stray: Reservation) -> None:
        """A term that was cut short: used from its beginning until now, at most all of it."""
        now = self._clock.now()

        def decide(facts: Facts) -> tuple[Changes, None]:
            term = facts.reservation
            if term is None or term.state is not ReservationState.RESERVED:
                return Changes(), None
            used = terms.cut_short(term, now)
            entry = self._scribe.draft(
                EntryKind.ACTION_SETTLED,
                at=now,
                agent=term.agent,
                run=term.run,
                body={
                    "reservation": term.id,
                    "operation": term.operation,
                    "status": None,
                    "ok": True,
                    "complete": True,
                    "actual": amounts_body(used),
                    "reserved": amounts_body(term.amounts),
                },
            )
            done = replace(term, state=ReservationState.SETTLED, actual=used)
            deltas = settle_deltas(term, used)
            return Changes(entries=(entry,), reservations=(done,), accounts=deltas), None

        await self._store.commit(Wants(now=now, reservation=stray.id), decide)

    async def _turn(
        self,
        holding: Holding,
        kind: EntryKind,
        body: Mapping[str, object],
        turned: Callable[[datetime, Holding], Holding | None],
    ) -> bool:
        now = self._clock.now()

        def decide(facts: Facts) -> tuple[Changes, Holding | None]:
            new = turned(now, facts.holding) if facts.holding is not None else None
            if new is None:
                return Changes(), None
            return Changes(entries=(self._entry(kind, new, now, body),), holdings=(new,)), new

        done = await self._store.commit(Wants(now=now, holding=holding.id), decide)
        if done.result is None:
            return False
        self._publish(kind, done.result, done.indices[0])
        return True

    def _wants(self, holding: Holding, now: datetime) -> Wants:
        return Wants(now=now, holding=holding.id, reservation=holding.term_reservation, scopes=scopes_of(holding.path))

    def _changes(self, kind: EntryKind, payment: Payment, now: datetime, body: Mapping[str, object]) -> Changes:
        (holding,) = payment.holdings
        more = {
            **body,
            "actual": amounts_body(payment.actual or {}),
            "terms": _terms_body(payment.reservations),
        }
        return Changes(
            entries=(self._entry(kind, holding, now, more),),
            holdings=payment.holdings,
            reservations=payment.reservations,
            accounts=payment.accounts,
        )

    def _entry(
        self, kind: EntryKind, holding: Holding, now: datetime, body: Mapping[str, object], reason: str = ""
    ) -> EntryDraft:
        """The entry of one change. What the thing is called lies beside the leaf, as names of resources do."""
        return self._scribe.draft(
            kind,
            at=now,
            agent=holding.agent,
            run=holding.run,
            body={
                "holding": holding.id,
                "kind": holding.kind,
                "account": holding.account,
                "region": holding.region,
                "owner": holding.owner,
                "state": holding.state.value,
                "rate_usd_micros_per_hour": holding.rate_usd_micros_per_hour,
                "paid_until": holding.paid_until,
                "term": holding.term_reservation,
                "made_by": holding.reservation,
                "settled_usd_micros": holding.settled_usd_micros,
                "tagged": holding.tagged,
                **body,
            },
            private={"resource": holding.resource, "reason": reason or holding.why},
        )

    def _publish(self, kind: EntryKind, holding: Holding, index: int) -> None:
        self._hub.publish(
            kind.value,
            {
                "index": index,
                "agent": holding.agent,
                "run": holding.run,
                "owner": holding.owner,
                "holding": holding.id,
                "kind": holding.kind,
                "resource": holding.resource,
                "region": holding.region,
                "state": holding.state.value,
                "rate_usd_micros_per_hour": holding.rate_usd_micros_per_hour,
                "paid_until": holding.paid_until.isoformat(),
                "why": holding.why,
            },
        )


_ENDS = {
    HoldingState.STOPPED: EntryKind.HOLDING_STOPPED,
    HoldingState.CLOSED: EntryKind.HOLDING_CLOSED,
    HoldingState.FORGOTTEN: EntryKind.HOLDING_FORGOTTEN,
}


def _terms_body(reservations: Iterable[Reservation]) -> list[dict[str, object]]:
    """What each term sets aside (`reserved`), or was settled at (`actual`): the accounts follow from these alone."""
    return [
        {"reservation": item.id, "actual": amounts_body(item.actual)}
        if item.state is ReservationState.SETTLED
        else {"reservation": item.id, "reserved": amounts_body(item.amounts)}
        for item in reservations
    ]


def _nameless(action: Action) -> Made:
    """What stands for something that an answer did not name."""
    return Made(
        kind=action.operation, resource="", account=action.account, region=action.region, endpoint=action.endpoint
    )


def _is_named(resource: str, names: frozenset[str]) -> bool:
    """Whether one of `names` is the thing, as its id or as the end of an ARN or a path."""
    return resource in names or any(name.endswith((f"/{resource}", f":{resource}")) for name in names)


def _in_words(item: Holding) -> str:
    """What matters about a thing to a person who says yes to an action on it."""
    rate = item.rate_usd_micros_per_hour
    cost = "at a rate nobody knows" if rate is None else f"at {usd_text(rate)} an hour"
    return f"{item.kind} of {item.agent} {cost}, {'running' if item.state in COSTING_STATES else 'at rest'}"
