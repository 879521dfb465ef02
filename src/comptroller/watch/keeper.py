"""Keeps holdings: renews terms while budgets have room, and when they have none tells, waits, and stops.

Several keepers may work on one store: each step is one decision of the book, and only one of them takes it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from comptroller.core.brake import Brake
from comptroller.core.errors import ComptrollerError, RefusedError
from comptroller.core.holding import GRACE_SECONDS_DEFAULT, OVERRUN_SECONDS, Holding, HoldingState
from comptroller.core.made import Liveness, Made
from comptroller.decode.tags import HOLDING_OF, RUN
from comptroller.engine.holdings import Holdings
from comptroller.engine.orders import STOPPABLE, Orders
from comptroller.engine.terms import key_of
from comptroller.ports import Clock, Store

AT_ONCE_MAX = 8
"""One provider that does not answer must not keep the others waiting."""
LOOK_SECONDS = 15.0
"""How often what was asked to stop is looked at."""
REST_LOOK_SECONDS = 3600.0
"""How often everything else is looked at."""
STOP_AGAIN_SECONDS = 120
"""After which what still lives is asked to stop once more; each further time that much later, `REST_LOOK_SECONDS` at
most. What could not be asked is tried again after this long."""
NO_ROOM = "no budget on its path has room for another term"
NOT_STOPPED = "its run asked to stop it, and its provider has not confirmed"
NO_RATE = "its price is not known, and what was set aside for it is used up"
NO_WAY = "nothing here can stop it: stop it yourself, then take it off the books"
GONE = "its provider says that it is gone"
NO_TAG = "its provider does not show our tag on it, so it is left alone: stop it yourself"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the keeper may do: `delete` names the kinds that it may delete where they cannot be stopped."""

    grace_seconds: int = GRACE_SECONDS_DEFAULT
    stop: bool = True
    delete: frozenset[str] = frozenset()


class HoldingsKeeper:
    """Tends every holding, a few at a time; what fails is said and tried again."""

    def __init__(
        self,
        *,
        book: Holdings,
        orders: Orders,
        store: Store,
        clock: Clock,
        rules: Callable[[], Rules],
        organization: str,
        say: Callable[[str], None],
    ) -> None:
        self._book = book
        self._orders = orders
        self._store = store
        self._clock = clock
        self._rules = rules
        self._organization = organization
        self._say = say
        self._looked: dict[str, datetime] = {}
        self._drifted: dict[tuple[str, ...], str] = {}
        self._tried: dict[str, datetime] = {}

    async def tend(self) -> None:
        """One round over everything that is still there."""
        brakes = await self._store.brakes()
        open_now = await self._book.open_now()
        turn = asyncio.Semaphore(AT_ONCE_MAX)

        async def tended(holding: Holding) -> None:
            try:
                async with turn:
                    await self._tend(holding, self._book.killed_by(holding, brakes))
            except ComptrollerError as error:
                self._say(f"holding {holding.id}: {error.message}")

        await asyncio.gather(*(tended(holding) for holding in open_now))
        ids = {item.id for item in open_now}
        self._looked = {name: at for name, at in self._looked.items() if name in ids}
        self._tried = {name: at for name, at in self._tried.items() if name in ids}
        await self._book.release_strays()

    async def stop(self, holding: Holding, *, by: str, why: str, delete: bool = False) -> None:
        """Stop it now, on a person's word. Raises `RefusedError`."""
        way = self._orders.way_to_end(holding, delete=delete)
        if way is None:
            other = self._orders.way_to_end(holding, delete=True)
            raise RefusedError(
                f"a {holding.kind} cannot be stopped{', only deleted' if other else ''}",
                hint=f"comptroller holdings stop {holding.id} --delete" if other else NO_WAY,
            )
        if not await self._orders.end(holding, way, by=by, why=why):
            raise RefusedError(f"holding `{holding.id}` was asked to stop already", hint="comptroller holdings list")

    # ------------------------------------------------------------ one of them

    async def _tend(self, holding: Holding, killed: Brake | None) -> None:
        now = self._clock.now()
        match holding.state:
            case HoldingState.LIVE if killed is not None:
                await self._book.mark(holding, why=f"killed by {killed.by}: {killed.reason}"[:500])
                await self._stop(holding, why="killed")
            case HoldingState.LIVE:
                await self._renew(holding, now)
            case HoldingState.MARKED:
                await self._marked(holding, now, killed)
            case HoldingState.STOPPING:
                await self._stopping(holding, now, killed)
            case _:
                await self._look(holding, now, REST_LOOK_SECONDS)

    async def _renew(self, holding: Holding, now: datetime) -> None:
        if not holding.term_reservation or now < holding.due_at(self._rules().grace_seconds):
            await self._look(holding, now, REST_LOOK_SECONDS)
            return
        try:
            # What is gone or rests needs no further term; who cannot be asked is paid for.
            await self._look(holding, now, 0)
        except RefusedError as error:
            self._say(f"holding {holding.id}: {error.message}")
        if not await self._book.pay_on(holding):
            await self._book.mark(holding, why=NO_RATE if holding.rate_usd_micros_per_hour is None else NO_ROOM)

    async def _marked(self, holding: Holding, now: datetime, killed: Brake | None) -> None:
        paid = holding.term_reservation and holding.why in (NO_ROOM, NOT_STOPPED)
        if killed is None and paid and await self._book.pay_on(holding):
            return
        with contextlib.suppress(RefusedError):
            # Whoever was told may have ended it: that is seen before it is paid on, or stopped once more.
            await self._look(holding, now, OVERRUN_SECONDS if holding.why in (NO_WAY, NO_TAG) else STOP_AGAIN_SECONDS)
        await self._overrun(holding, now)
        if killed is not None or now >= holding.state_at + timedelta(seconds=self._rules().grace_seconds):
            await self._stop(holding, why=holding.why)

    async def _stopping(self, holding: Holding, now: datetime, killed: Brake | None) -> None:
        await self._overrun(holding, now)
        waited, again = now - holding.state_at, timedelta(seconds=STOP_AGAIN_SECONDS)
        due = holding.term_reservation and now >= holding.due_at(self._rules().grace_seconds)
        if not holding.asked and (due or killed is not None):
            await self._book.not_stopped(holding, why=NOT_STOPPED)
            return
        try:
            await self._look(holding, now, LOOK_SECONDS if waited < again else STOP_AGAIN_SECONDS)
        except RefusedError as error:
            self._say(f"holding {holding.id}: {error.message}")
        if holding.asked and waited >= min(again * holding.asked, timedelta(seconds=REST_LOOK_SECONDS)):
            await self._stop(holding, why=holding.why)

    async def _overrun(self, holding: Holding, now: datetime) -> None:
        """What lives past its term costs, whatever the budget says."""
        if holding.term_reservation and now >= holding.paid_until:
            await self._book.pay_on(holding, force=True)

    async def _stop(self, holding: Holding, *, why: str) -> None:
        now, rules = self._clock.now(), self._rules()
        tried = self._tried.get(holding.id)
        wait = REST_LOOK_SECONDS if holding.why in (NO_WAY, NO_TAG) else STOP_AGAIN_SECONDS
        if tried is not None and now < tried + timedelta(seconds=wait):
            return
        self._tried[holding.id] = now
        way = self._orders.way_to_end(holding, delete=holding.kind in rules.delete)
        if way is None or not rules.stop:
            await self._book.mark(holding, why=NO_WAY)
            return
        if holding.state is not HoldingState.STOPPING and not await self._orders.tagged(holding):
            await self._book.mark(holding, why=NO_TAG)
            return
        current = next((item for item in await self._store.holdings() if item.id == holding.id), None)
        if current is not None and current.state in STOPPABLE and current.asked == holding.asked:
            await self._orders.end(current, way, by="comptroller", why=why)

    async def _look(self, holding: Holding, now: datetime, every_seconds: float) -> bool:
        """Ask its provider, now and then; True where it was seen alive."""
        last = self._looked.setdefault(holding.id, now if holding.state is HoldingState.LIVE else holding.state_at)
        if not holding.resource or now < last + timedelta(seconds=every_seconds):
            return False
        self._looked[holding.id] = now
        match await self._orders.look(holding):
            case Liveness.GONE:
                await self._book.seen(holding, HoldingState.CLOSED, why=GONE)
            case Liveness.STOPPED if holding.state is not HoldingState.STOPPED:
                await self._book.seen(holding, HoldingState.STOPPED, why="its provider says that it rests")
            case Liveness.LIVE:
                patient = not holding.asked and now < holding.state_at + timedelta(seconds=STOP_AGAIN_SECONDS)
                if holding.state is HoldingState.STOPPED or not patient:
                    await self._book.seen(holding, HoldingState.LIVE, why="it was started again")
                return True
        return False

    # ------------------------------------------------------------ what providers list

    async def reconcile(self) -> tuple[Mapping[str, object], ...]:
        """Compare the books with what providers list: what nobody knows here carries our tag and is told; what they do
        not show any more is looked at. Returns everything that differs, and who could not be asked; what is new since
        the last time is an entry."""
        everything = await self._store.holdings(every=True)
        places = {(h.made.family, h.account, h.region, h.endpoint, h.agent): h for h in everything}
        found: list[Mapping[str, object]] = []
        for place in places.values():
            try:
                found += await self._compare(place, everything)
            except ComptrollerError as error:
                self._say(f"{place.agent} in {place.region or place.endpoint}: {error.message}")
                found.append({**_told("not asked", place.made, place.agent, place.run), "why": error.message})
        return tuple(found)

    async def _compare(self, place: Holding, everything: Sequence[Holding]) -> list[Mapping[str, object]]:
        tags = {HOLDING_OF: self._organization}
        seen = await self._orders.listing(place.made, tags, agent=place.agent, run=place.run)
        if seen is None:
            return []
        known = {key_of(item): item for item in everything}
        drift: list[Mapping[str, object]] = []
        for each in seen:
            item = known.get(key_of(each.made))
            if item is None:
                drift.append(_told("unknown", each.made, place.agent, each.tags.get(RUN, "")))
            elif not item.open:
                drift.append(_told(f"{item.state.value}, and there", each.made, item.agent, item.run))
        shown = {key_of(each.made) for each in seen}
        for item in everything:
            missing = item.open and item.tagged and item.resource and key_of(item) not in shown
            if missing and _place(item) == _place(place) and await self._orders.look(item) is Liveness.GONE:
                await self._book.seen(item, HoldingState.CLOSED, why=GONE)
                drift.append(_told("gone", item.made, item.agent, item.run))
        await self._tell(drift)
        return drift

    async def _tell(self, drift: Iterable[Mapping[str, object]]) -> None:
        """An entry for what differs in another way than the last time."""
        for each in drift:
            key = tuple(str(each[name]) for name in ("kind", "resource", "account", "region", "endpoint"))
            if self._drifted.get(key) != each["drift"]:
                self._drifted[key] = str(each["drift"])
                await self._book.drift(each)


def _place(holding: Holding) -> tuple[str, str, str, str]:
    return (holding.made.family, holding.account, holding.region, holding.endpoint)


def _told(drift: str, made: Made, agent: str, run: str) -> Mapping[str, object]:
    return {
        "drift": drift,
        "kind": made.kind,
        "resource": made.resource,
        "account": made.account,
        "region": made.region,
        "endpoint": made.endpoint,
        "agent": agent,
        "run": run,
    }
