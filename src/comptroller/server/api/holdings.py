"""What agents brought about and is still there."""

from __future__ import annotations

from typing import Annotated, Literal, cast

from pydantic import Field

from comptroller.core.role import Right
from comptroller.server.api.endpoint import Answer, Ask, Endpoint, Moment, Named, Query, Text
from comptroller.server.problem import Body
from comptroller.server.render import Json

Flag = Literal["true", "false"]


class Holding(Answer):
    """One thing that lives and costs. Money in micro-dollars."""

    id: str
    kind: str
    resource: str
    account: str
    region: str
    endpoint: str
    agent: str
    run: str
    path: str
    owner: str
    approver: str
    operation: str
    state: str
    why: str
    opened_at: Moment
    state_at: Moment
    usd_micros_per_hour: int | None
    reserved_usd_micros: int
    spent_usd_micros: int | None
    paid_until: Moment | None
    tagged: bool


class Lasts(Answer):
    """How long one limit lasts at today's rate."""

    scope: str
    window: str
    hours: float


class Holdings(Answer):
    """What lives, and what all of it costs."""

    holdings: list[Holding]
    usd_micros_per_hour: int
    usd_micros_per_30_days: int
    rate_unknown: int = Field(description="how many there are whose rate nobody knows")
    lasts: list[Lasts]
    next: str | None = None


class EveryQuery(Query):
    """`every=true`: also what is gone."""

    every: Flag = "false"


class AdoptBody(Body):
    """Something that lives and that nobody here knows of."""

    kind: Annotated[str, Field(min_length=3, max_length=200)]
    resource: Annotated[str, Field(min_length=1, max_length=2000)]
    agent: Named
    account: Named = ""
    region: Named = ""
    endpoint: Text = ""
    reason: Text


class StopBody(Body):
    """`delete`: not only stop it. That needs the right `operate`."""

    reason: Text = ""
    delete: Flag = "false"


class ForgetBody(Body):
    """Why."""

    reason: Text


class Drift(Answer):
    """What providers list and the books do not, and the other way round."""

    drift: list[dict[str, object]]


async def list_holdings(ask: Ask) -> Json:
    """What lives, or all there ever was."""
    found = await ask.operations.holdings(every=ask.query(EveryQuery).every == "true")
    rows = cast(list[Json], found["holdings"])
    shown, following = ask.page.cut(rows, lambda row: str(row["id"]), newest=False)
    return {**found, "holdings": shown, "next": following}


async def get_holding(ask: Ask) -> Json:
    """One holding."""
    return await ask.operations.holding(ask.id)


async def adopt_holding(ask: Ask) -> Json:
    """Put it on the books."""
    return await ask.operations.adopt_holding(ask.caller, **ask.body(AdoptBody).model_dump())


async def find_drift(ask: Ask) -> Json:
    """Ask every provider what is there."""
    return await ask.operations.drift()


async def stop_holding(ask: Ask) -> Json:
    """Stop it, or delete it."""
    body = ask.body(StopBody)
    return await ask.operations.stop_holding(ask.caller, ask.id, reason=body.reason, delete=body.delete == "true")


async def forget_holding(ask: Ask) -> Json:
    """Take it off the books."""
    return await ask.operations.forget_holding(ask.caller, ask.id, reason=ask.body(ForgetBody).reason)


_ONE = "/holdings/{id}"
_VOLATILE = frozenset({"spent_usd_micros", "lasts"})

ENDPOINTS = (
    Endpoint(
        "GET",
        "/holdings",
        Right.READ,
        list_holdings,
        query=EveryQuery,
        answer=Holdings,
        listing="holdings",
        volatile=_VOLATILE,
        summary="What agents brought about and still lives, with what it costs",
    ),
    Endpoint(
        "POST",
        "/holdings",
        Right.OPERATE,
        adopt_holding,
        body=AdoptBody,
        answer=Holding,
        summary="Put something on the books that nobody here knows of",
    ),
    Endpoint(
        "POST",
        "/holdings/drift",
        Right.STOP,
        find_drift,
        answer=Drift,
        summary="Ask every provider what is there, and compare",
    ),
    Endpoint("GET", _ONE, Right.READ, get_holding, answer=Holding, volatile=_VOLATILE, summary="One holding"),
    Endpoint(
        "POST",
        f"{_ONE}/stop",
        Right.STOP,
        stop_holding,
        body=StopBody,
        answer=Holding,
        about=_ONE,
        summary="Ask its provider to stop it, or to delete it",
    ),
    Endpoint(
        "POST",
        f"{_ONE}/forget",
        Right.OPERATE,
        forget_holding,
        body=ForgetBody,
        answer=Holding,
        about=_ONE,
        summary="Take it off the books: nobody here pays for it or stops it any more",
    ),
)
