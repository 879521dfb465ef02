"""Plans: what an agent intends, weighed before it starts, and approved as a whole."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from comptroller.core.role import Right
from comptroller.server.api.endpoint import Answer, Ask, Endpoint, Named
from comptroller.server.api.standing import Standing
from comptroller.server.plans import PlanOperations
from comptroller.server.problem import Body
from comptroller.server.render import Json


class PlanBody(Body):
    """A plan, for one agent (its next run) or one run. With `approve` what can be granted of it is granted."""

    plan: dict[str, Any]
    agent: Named = ""
    run: Named = ""
    until: Named = Field(default="", description="18:00 (UTC), 30m, 2h, 1d or RFC 3339")
    include: list[Named] = Field(default_factory=list, max_length=8)
    approve: bool = False


class PlanItem(Answer):
    """One intended action. `why_not`: why it is not granted with the plan."""

    name: str
    count: int
    sentence: str
    operation: str
    classes: list[str]
    verdict: str
    rules: list[str]
    reasons: list[str]
    usd_micros: int | None
    usd_micros_per_hour: int | None
    price_unknown: bool
    like: str
    why_not: str


class WeighedPlan(Answer):
    """A plan, weighed. `unread` is what nobody here can read as an action: it is not granted."""

    id: str
    agent: str
    run: str
    items: list[PlanItem]
    unread: list[str]
    granted: list[Standing]


async def weigh_plan(ask: Ask) -> Json:
    """Weigh a plan, or approve it."""
    body = ask.body(PlanBody)
    return await PlanOperations(operations=ask.operations).plan(
        ask.caller,
        body.plan,
        agent=body.agent,
        run=body.run,
        until=body.until,
        include=body.include,
        approve=body.approve,
    )


ENDPOINTS = (
    Endpoint(
        "POST",
        "/plans",
        Right.ANSWER,
        weigh_plan,
        body=PlanBody,
        answer=WeighedPlan,
        summary="Weigh a plan before it starts, or approve it as a whole",
    ),
)
