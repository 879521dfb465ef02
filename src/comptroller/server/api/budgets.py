"""Budgets, what is in suspense, and prices once exceeded: money that people look after."""

from __future__ import annotations

from typing import Literal, cast

from pydantic import Field

from comptroller.core.role import Right
from comptroller.server.api.endpoint import Answer, Ask, Endpoint, Moment, Named, Text
from comptroller.server.problem import Body
from comptroller.server.render import Json


class Budget(Answer):
    """One limit and what its window holds, all in the row's unit: money in micro-dollars."""

    depth: int
    scope: str
    unit: str
    window: str
    start: str
    limit: int
    on_exceed: str
    settled: int
    dispatched: int
    reserved: int
    suspense: int
    room: int
    percent: int | None
    thresholds: list[int]


class Budgets(Answer):
    """The budget tree, parents before their children."""

    budgets: list[Budget]


class OneBudget(Answer):
    """The limit that was set."""

    budget: Budget


class BudgetBody(Body):
    """One limit. `unit` is `usd`, `usd_per_hour` (then `limit` is dollars, `400.01`) or any unit (a whole number)."""

    scope: Named
    unit: Named
    limit: Named
    window: Named = "total"
    on_exceed: Literal["", "deny", "require_approval"] = Field(default="", description="empty: as it is")


class Unconfirmed(Answer):
    """What was sent and whose outcome nobody knows. Amounts by unit."""

    reservation: str
    operation: str
    sentence: str
    agent: str
    run: str
    since: Moment
    age_seconds: int
    reserved: dict[str, int]
    why: str
    scopes: list[str]


class Suspense(Answer):
    """What is in suspense, oldest first."""

    suspense: list[Unconfirmed]
    next: str | None = None


class SettleBody(Body):
    """What it really cost: dollars as text, and other units as `tokens=12,calls=1`."""

    cost_usd: Named
    amounts: Named = ""
    reason: Text
    source: Literal["person", "bill"] = "person"


class SettledRow(Answer):
    """What was held and what it cost, by unit."""

    reservation: str
    operation: str
    agent: str
    run: str
    reserved: dict[str, int]
    actual: dict[str, int]


class Settled(Answer):
    """What was settled."""

    settled: SettledRow


class ConfirmBody(Body):
    """The key of a price that a real cost exceeded."""

    key: Text
    reason: Text = ""


class Trusted(Answer):
    """A price, and whether it is believed."""

    key: str
    by: str
    trusted: bool


async def list_budgets(ask: Ask) -> Json:
    """The budget tree."""
    return await ask.operations.budgets()


async def set_budget(ask: Ask) -> Json:
    """One limit."""
    return await ask.operations.set_budget(ask.caller, **ask.body(BudgetBody).model_dump())


async def list_suspense(ask: Ask) -> Json:
    """What nobody knows the outcome of."""
    rows = cast(list[Json], (await ask.operations.suspense())["suspense"])
    shown, following = ask.page.cut(rows, lambda row: str(row["reservation"]), newest=False)
    return {"suspense": shown, "next": following}


async def settle_suspense(ask: Ask) -> Json:
    """Settle at the real cost."""
    return await ask.operations.settle_suspense(ask.caller, ask.id, **ask.body(SettleBody).model_dump())


async def confirm_price(ask: Ask) -> Json:
    """Believe a price again."""
    body = ask.body(ConfirmBody)
    return await ask.operations.confirm_price(ask.caller, key=body.key, reason=body.reason)


ENDPOINTS = (
    Endpoint(
        "GET",
        "/budgets",
        Right.READ,
        list_budgets,
        answer=Budgets,
        volatile=frozenset({"settled", "dispatched", "reserved", "suspense", "room", "percent"}),
        summary="The budget tree with the room each limit leaves",
    ),
    Endpoint(
        "POST",
        "/budgets",
        Right.OPERATE,
        set_budget,
        body=BudgetBody,
        answer=OneBudget,
        about="/budgets",
        summary="Set one limit",
    ),
    Endpoint(
        "GET",
        "/suspense",
        Right.READ,
        list_suspense,
        answer=Suspense,
        listing="suspense",
        volatile=frozenset({"age_seconds"}),
        summary="What was sent and whose outcome nobody knows, oldest first",
    ),
    Endpoint(
        "POST",
        "/suspense/{id}/settle",
        Right.OPERATE,
        settle_suspense,
        body=SettleBody,
        answer=Settled,
        summary="Settle what is in suspense at what it really cost",
    ),
    Endpoint(
        "POST",
        "/prices/confirm",
        Right.OPERATE,
        confirm_price,
        body=ConfirmBody,
        answer=Trusted,
        summary="Believe a price again that a real cost exceeded",
    ),
)
