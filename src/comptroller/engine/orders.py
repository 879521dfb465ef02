"""Actions of our own about holdings: look, list, stop, delete. Each is recorded before it leaves, like an agent's."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from comptroller.core.action import Action
from comptroller.core.errors import RefusedError
from comptroller.core.holding import Holding, HoldingState
from comptroller.core.made import Liveness, Made, Seen, Way
from comptroller.decode import made as things
from comptroller.decode.tags import RUN
from comptroller.engine.sequencer import Permit, Sequencer
from comptroller.engine.terms import Key, key_of
from comptroller.ports import Changes, Clock, Facts, Wants

ANSWER_SECONDS_MAX = 20.0
"""For a question; an order waits as long as an agent's action would."""
PAGES_MAX = 200
"""Of one listing; what is not seen within them is not said to be missing."""
STOPPABLE = frozenset({HoldingState.LIVE, HoldingState.MARKED, HoldingState.STOPPING})


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a provider answered: its status, its headers and its body, whole and small."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


class Courier(Protocol):
    """Carries an action of our own to its service, with the agent's real credential."""

    async def check(self, action: Action) -> None:
        """Raise `RefusedError` where it could not be signed here; nothing is sent."""
        ...

    async def carry(self, permit: Permit, action: Action) -> Answer:
        """Send it, once. Raises `RefusedError` for what could not be sent or was not answered."""
        ...


class Orders:
    """Asks providers, with a permit for each question."""

    def __init__(self, *, sequencer: Sequencer, courier: Courier, clock: Clock) -> None:
        self._sequencer = sequencer
        self._courier = courier
        self._clock = clock

    def way_to_end(self, holding: Holding, *, delete: bool) -> Way | None:
        """How its cost can be ended: stopped where that is possible, deleted only where `delete` says so."""
        ways = (Way.STOP, Way.DELETE) if delete else (Way.STOP,)
        for way in ways:
            if things.order(holding.made, way, agent=holding.agent, run=holding.run) is not None:
                return way
        return None

    async def look(self, holding: Holding) -> Liveness:
        """What its provider says of it. Raises `RefusedError`, `StoreError`."""
        action = things.order(holding.made, Way.LOOK, agent=holding.agent, run=holding.run)
        if action is None:
            return Liveness.UNKNOWN
        answer = await self._ask(action, {"holding": holding.id, "way": Way.LOOK.value})
        return things.liveness(holding.made, answer.status, answer.body, answer.headers)

    async def end(self, holding: Holding, way: Way, *, by: str, why: str) -> bool:
        """Ask the provider to stop or delete it. False where somebody else did, or nothing is left to stop.

        Raises `RefusedError`, `StoreError`.
        """
        action = things.order(holding.made, way, agent=holding.agent, run=holding.run)
        if action is None:
            raise RefusedError(
                f"nothing here can {way.value} a {holding.kind}", hint=f"end it yourself; holding {holding.id}"
            )
        # What cannot be signed here is another gateway's to end: it must not count as asked.
        await self._courier.check(action)
        now = self._clock.now()

        def change(facts: Facts) -> Changes | None:
            current = facts.holding
            if current is None or current.state not in STOPPABLE or current.asked != holding.asked:
                return None
            asked = replace(current, state=HoldingState.STOPPING, state_at=now, why=why, asked=current.asked + 1)
            return Changes(holdings=(asked,))

        permit = await self._sequencer.order(
            action,
            wants=Wants(now=now, holding=holding.id),
            change=change,
            body={"holding": holding.id, "way": way.value, "by": by, "why": why},
        )
        if permit is None:
            return False
        answer = await self._courier.carry(permit, action)
        if not 200 <= answer.status < 300 and answer.status not in (404, 409, 410):
            raise RefusedError(
                f"its provider refused to {way.value} {holding.kind} `{holding.resource}` (status {answer.status})",
                hint="do it yourself, or check the rights of the credential; it is tried again",
            )
        return True

    async def tagged(self, holding: Holding) -> bool:
        """Whether it carries our tag now, by its provider's own list. Raises `RefusedError`, `StoreError`."""
        seen = await self.listing(holding.made, {RUN: holding.run}, agent=holding.agent, run=holding.run)
        return any(key_of(each.made) == key_of(holding) for each in seen or ())

    async def listing(self, place: Made, tags: Mapping[str, str], *, agent: str, run: str) -> tuple[Seen, ...] | None:
        """What carries `tags` where `place` is; None where its service cannot be asked.

        Raises `RefusedError`, also where not everything was told, and `StoreError`.
        """
        waiting = list(things.listing(place, tags, agent=agent, run=run))
        if not waiting:
            return None
        found: dict[Key, Seen] = {}
        for _ in range(PAGES_MAX):
            if not waiting:
                return tuple(found.values())
            action = waiting.pop()
            answer = await self._ask(action, {"way": "list"})
            page = things.listed(action, answer.status, answer.body, answer.headers)
            if page is None:
                raise RefusedError(f"the answer to `{action.operation}` (status {answer.status}) cannot be read")
            found |= {key_of(each.made): each for each in page[0]}
            waiting += [page[1]] if page[1] is not None else []
        raise RefusedError(f"the list is longer than {PAGES_MAX} pages")

    async def _ask(self, action: Action, body: Mapping[str, object]) -> Answer:
        permit = await self._sequencer.order(
            action, wants=Wants(now=self._clock.now()), change=lambda _: Changes(), body=body
        )
        assert permit is not None
        try:
            async with asyncio.timeout(ANSWER_SECONDS_MAX):
                return await self._courier.carry(permit, action)
        except TimeoutError as error:
            raise RefusedError(f"{action.host} did not answer `{action.operation}` in time") from error
