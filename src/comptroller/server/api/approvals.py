"""Questions to people, and their answers."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from comptroller.core.role import Right
from comptroller.server.api.endpoint import Answer, Ask, Endpoint, Moment, Named, Query, Text
from comptroller.server.problem import Body
from comptroller.server.render import Json

State = Literal["", "pending", "approved", "rejected", "expired", "withdrawn"]


class Rule(Answer):
    """One rule that asks for people, and whether it has them."""

    rule: str
    reason: str
    approvers: str
    quorum: int
    exclude: list[str]
    ttl_seconds: int
    met: bool


class GivenVote(Answer):
    """One yes."""

    person: str
    at: Moment
    self_approved: bool
    comment: str


class RoomAfter(Answer):
    """What one limit leaves after this action."""

    scope: str
    unit: str
    window: str
    limit: int = Field(description="in the row's unit; money in micro-dollars")
    room: int
    room_after: int | None
    fits: bool


class Approval(Answer):
    """One question with everything a person needs to answer it. Amounts are upper bounds."""

    id: str
    state: str
    grant: str
    sentence: str
    operation: str
    classes: list[str]
    account: str
    region: str
    endpoint: str
    quantity: int
    usd_micros: int | None
    usd_micros_per_hour: int | None
    price_unknown: bool
    ceiling_usd_micros: int | None
    budget_after: list[RoomAfter]
    agent: str
    owner: str
    purpose: str
    run: str
    rules: list[Rule]
    votes: list[GivenVote]
    obstacle: str = Field(description="why the caller may not answer; empty where they may")
    digest: str
    asked_at: Moment
    expires_at: Moment
    answered_at: Moment | None
    answered_by: str
    comment: str
    grant_expires_at: Moment | None


class Approvals(Answer):
    """Approvals, newest first."""

    approvals: list[Approval]
    next: str | None = None


class StateQuery(Query):
    """Which approvals."""

    state: State = ""


class Yes(Body):
    """A yes. `ceiling_usd` bounds an unknown cost: dollars as text (`400.01`)."""

    ceiling_usd: Named | None = None
    comment: Text = ""


class No(Body):
    """A no."""

    comment: Text = ""


async def list_approvals(ask: Ask) -> Json:
    """Approvals of one state, or all."""
    return await ask.operations.approvals(ask.caller, ask.query(StateQuery).state)


async def get_approval(ask: Ask) -> Json:
    """One approval."""
    return await ask.operations.approval(ask.caller, ask.id)


async def approve(ask: Ask) -> Json:
    """The caller's yes."""
    body = ask.body(Yes)
    return await ask.operations.approve(ask.caller, ask.id, ceiling_usd=body.ceiling_usd, comment=body.comment)


async def reject(ask: Ask) -> Json:
    """The caller's no."""
    return await ask.operations.reject(ask.caller, ask.id, comment=ask.body(No).comment)


_ONE = "/approvals/{id}"
_VOLATILE = frozenset({"budget_after"})

ENDPOINTS = (
    Endpoint(
        "GET",
        "/approvals",
        Right.READ,
        list_approvals,
        query=StateQuery,
        answer=Approvals,
        listing="approvals",
        volatile=_VOLATILE,
        summary="Approvals, newest first",
    ),
    Endpoint("GET", _ONE, Right.READ, get_approval, answer=Approval, volatile=_VOLATILE, summary="One approval"),
    Endpoint(
        "POST",
        f"{_ONE}/approve",
        Right.ANSWER,
        approve,
        body=Yes,
        answer=Approval,
        about=_ONE,
        summary="Say yes to exactly this action, once",
    ),
    Endpoint(
        "POST", f"{_ONE}/reject", Right.ANSWER, reject, body=No, answer=Approval, about=_ONE, summary="Say no to it"
    ),
)
