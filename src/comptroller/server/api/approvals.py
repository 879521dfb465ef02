"""Questions to people, and their answers."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from comptroller.core.approval import ApprovalState
from comptroller.core.role import Right
from comptroller.server.api.endpoint import Answer, Ask, Endpoint, Moment, Named, Query, Text
from comptroller.server.problem import Body
from comptroller.server.render import Json

State = Literal["", "pending", "approved", "rejected", "expired", "withdrawn"]


class Stage(Answer):
    """So many people of one group; a stage is asked once the one before it is full."""

    group: str
    quorum: int
    votes: list[str] = Field(description="whose yes counts, deputies as `ben for ann`")
    met: bool
    open: bool


class Later(Answer):
    """A group that may answer as well from a time on."""

    group: str
    at: Moment
    due: bool


class Rule(Answer):
    """One rule that asks for people, and whether it has them."""

    rule: str
    reason: str
    approvers: str
    quorum: int
    exclude: list[str]
    ttl_seconds: int
    met: bool
    assurance: str = Field(description="`passkey` where only a signed yes counts, else empty")
    delay_seconds: int
    expires_seconds: int
    stage: int = Field(description="the stage that is asked, from 1")
    stages: list[Stage]
    groups_open: list[str] = Field(description="of these somebody may say yes now")
    escalations: list[Later]


class Group(Answer):
    """A group that may answer now, and who of it has not."""

    group: str
    people: list[str]


class GivenVote(Answer):
    """One yes."""

    person: str
    by: str = Field(description="`ben`, or `ben for ann`")
    stands_for: str
    assurance: str
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
    progress: str = Field(description="what is still missing: `1 of 2 from finance; waiting for stage 2 of 2`")
    assurance: str = Field(description="what a yes has to carry yet: `passkey`, or empty")
    answerable_by: list[Group]
    excluded: list[str]
    answered_already: bool = Field(description="the caller said yes")
    stands_for: list[str] = Field(description="in whose place the caller may answer now")
    self_approved: bool
    requester: str
    author: str
    delayed: bool = Field(description="approved, and can still be taken back before it releases anything")
    delay_seconds: int
    usable_at: Moment | None
    taken_back_by: str
    taken_back_at: Moment | None
    taken_back_why: str


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
    """A no. The comment is told to the agent and must say something."""

    comment: Text = ""


class Back(Body):
    """Why it is taken back."""

    comment: Text = ""


async def list_approvals(ask: Ask) -> Json:
    """Approvals of one state, or all."""
    state = ask.query(StateQuery).state
    if ask.page.limit is None:
        return await ask.operations.approvals(ask.caller, state)
    wanted = ApprovalState(state) if state else None
    rows = await ask.desk.store.approvals_page(wanted, after=ask.page.after, limit=ask.page.limit + 1)
    page, following = ask.page.cut(rows, lambda row: row.id)
    shown = await ask.operations.approval_rows(ask.caller, page)
    return {"approvals": shown, "next": following}


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


async def withdraw(ask: Ask) -> Json:
    """Take a question back: the owner of the agent may, and whoever is asked."""
    return await ask.operations.withdraw(ask.caller, ask.id, comment=ask.body(Back).comment)


async def revoke(ask: Ask) -> Json:
    """Take an unused yes back, in its delay or later."""
    return await ask.operations.revoke(ask.caller, ask.id, comment=ask.body(Back).comment)


_ONE = "/approvals/{id}"
_VOLATILE = frozenset({"budget_after", "answerable_by", "delayed", "stands_for", "obstacle"})

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
        scoped=True,
    ),
    Endpoint(
        "GET", _ONE, Right.READ, get_approval, answer=Approval, volatile=_VOLATILE, summary="One approval", scoped=True
    ),
    Endpoint(
        "POST",
        f"{_ONE}/approve",
        Right.ANSWER,
        approve,
        body=Yes,
        answer=Approval,
        about=_ONE,
        summary="Say yes to exactly this action, once",
        scoped=True,
    ),
    Endpoint(
        "POST",
        f"{_ONE}/reject",
        Right.ANSWER,
        reject,
        body=No,
        answer=Approval,
        about=_ONE,
        summary="Say no to it",
        scoped=True,
    ),
    Endpoint(
        "POST",
        f"{_ONE}/withdraw",
        Right.ANSWER,
        withdraw,
        body=Back,
        answer=Approval,
        about=_ONE,
        summary="Take the question back",
    ),
    Endpoint(
        "POST",
        f"{_ONE}/revoke",
        Right.ANSWER,
        revoke,
        body=Back,
        answer=Approval,
        about=_ONE,
        summary="Take the unused yes back",
    ),
)
