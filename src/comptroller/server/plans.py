"""Plans as verbs: shown with price and verdict before anything starts, and approved as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from comptroller.core.errors import UsageError
from comptroller.core.estimate import Unit
from comptroller.core.pattern import pattern_of, pattern_text
from comptroller.core.plan import plan_of
from comptroller.engine.plans import Plans, Weighed
from comptroller.server.identity import Caller
from comptroller.server.operations import NotFoundError, Operations
from comptroller.server.render import Json
from comptroller.server.standing import standing_json, until_of


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOperations:
    """Every verb over one installation. Raises `ComptrollerError`s; renders to JSON objects."""

    operations: Operations

    async def plan(
        self,
        caller: Caller,
        document: object,
        *,
        agent: str = "",
        run: str = "",
        until: str = "",
        include: Sequence[str] = (),
        approve: bool = False,
    ) -> Json:
        """What a plan would meet, and with `approve` the grants for it."""
        plans, now = self._plans, self.operations.desk.clock.now()
        agent, run = await self._whose(caller, agent, run)
        plan, ends, named = plan_of(document), until_of(until, now), frozenset(include)
        if not approve:
            weighed = plans.weigh(plan, caller.person, agent=agent, run=run, until=ends, include=named)
            return _json("", agent, run, weighed, plan.unread, [])
        plan_id, weighed, granted = await plans.approve(
            plan, caller.person, agent=agent, run=run, until=ends, include=named
        )
        return _json(plan_id, agent, run, weighed, plan.unread, [standing_json(item, now) for item in granted])

    @property
    def _plans(self) -> Plans:
        if self.operations.desk.plans is None:
            raise UsageError("no plan can be weighed here")
        return self.operations.desk.plans

    async def _whose(self, caller: Caller, agent: str, run: str) -> tuple[str, str]:
        if bool(agent) == bool(run):
            raise UsageError("a plan is for one agent, or for one run", hint="--agent NAME, or --run RUN")
        if run:
            found = await self.operations.find_run(run)
            await self.operations.within(caller, found.id)
            return found.agent, found.id
        if caller.scopes:
            raise UsageError("a token for some scopes plans for a run", hint="--run RUN")
        if agent not in self.operations.desk.config.agents:
            raise NotFoundError(f"there is no agent `{agent}`")
        return agent, ""


def _json(
    plan_id: str, agent: str, run: str, weighed: Sequence[Weighed], unread: Sequence[str], granted: Sequence[Json]
) -> Json:
    return {
        "id": plan_id,
        "agent": agent,
        "run": run,
        "items": [_item(each) for each in weighed],
        "unread": list(unread),
        "granted": list(granted),
    }


def _item(each: Weighed) -> Json:
    proposal, pattern = each.proposal, pattern_of(each.proposal.like)
    return {
        "name": each.item.name,
        "count": each.item.count,
        "sentence": proposal.sentence,
        "operation": proposal.action.operation,
        "classes": sorted(proposal.action.classes),
        "verdict": "require_approval" if each.asks else proposal.boundary.kind.value,
        "rules": list(proposal.boundary.rules),
        "reasons": [reason.text for reason in proposal.boundary.reasons],
        "usd_micros": proposal.estimate.high(Unit.USD_MICROS),
        "usd_micros_per_hour": proposal.estimate.high(Unit.USD_MICROS_PER_HOUR),
        "price_unknown": proposal.estimate.unknown(Unit.USD_MICROS),
        "like": pattern_text(pattern) if pattern is not None else "",
        "why_not": each.why_not,
    }
