"""Standing grants, and answers to several questions at once."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from comptroller.core.role import Right
from comptroller.server.api.approvals import Approval
from comptroller.server.api.endpoint import Answer, Ask, Endpoint, Moment, Named, Query, Text
from comptroller.server.problem import Body
from comptroller.server.render import Json
from comptroller.server.standing import BATCH_MAX, StandingOperations, Wish

Path = Annotated[str, Field(max_length=500)]


class Standing(Answer):
    """One standing grant. Money in micro-dollars; `sentence` is the whole of it, as its granter read it."""

    id: str
    state: str
    sentence: str
    agent: str
    run: str
    every_run: bool
    operation: str
    classes: list[str]
    account: str
    region: str
    endpoint: str
    equal: list[list[str]]
    at_most: dict[str, int]
    free: list[str]
    resources: list[str]
    match: str
    usd_micros_each: int | None
    usd_micros_per_hour_each: int | None
    count: int
    used: int
    left: int
    usd_micros: int
    spent_usd_micros: int
    left_usd_micros: int
    include: list[str]
    rules: list[str]
    granted_by: str
    granted_at: Moment
    expires_at: Moment
    self_approved: bool
    approval: str
    plan: str
    ended_by: str
    ended_why: str


class Standings(Answer):
    """Standing grants, oldest first."""

    standing: list[Standing]
    next: str | None = None


class EveryQuery(Query):
    """`every`: also those that are over."""

    every: bool = False


class StandingBody(Body):
    """What is granted: how many, up to how much, until when. With `preview` nothing is granted: the answer is to be
    read. `sentence`: what was read; another grant than that is refused."""

    count: Annotated[int, Field(ge=1, le=1_000)]
    usd: Named | None = Field(default=None, description="in all, dollars as text; by default the price times the count")
    until: Named = Field(default="", description="18:00 (UTC), 30m, 2h, 1d or RFC 3339")
    every_run: bool = False
    include: list[Named] = Field(default_factory=list, max_length=8)
    free: list[Path] = Field(default_factory=list, max_length=20)
    at_most: dict[str, int] = Field(default_factory=dict, max_length=20)
    prefixes: list[Path] = Field(default_factory=list, max_length=20)
    any_resource: bool = False
    each_usd: Named | None = None
    preview: bool = False
    sentence: str = ""


class ReasonBody(Body):
    """Why."""

    reason: Text = ""


class Offer(Answer):
    """Equal yeses of one run, and the approval from which a standing grant may be given."""

    approval: str
    run: str
    like: str
    yeses: int
    sentence: str


class Offers(Answer):
    """What the caller may be offered; nothing is granted by itself."""

    offers: list[Offer]


class BatchRow(Answer):
    """One question of a batch: `own` is what only it has."""

    id: str
    digest: str
    sentence: str
    resources: list[str]
    own: list[list[str]]
    usd_micros: int | None
    expires_at: Moment
    obstacle: str


class Batch(Answer):
    """Questions that are alike: `common` is what all of them have, `differs` what they differ in."""

    key: str
    run: str
    agent: str
    operation: str
    count: int
    classes: list[str]
    usd_micros: int
    price_unknown: bool
    common: list[list[str]]
    differs: list[str]
    rows: list[BatchRow]


class Batches(Answer):
    """What waits, the like of it together."""

    batches: list[Batch]


class BatchBody(Body):
    """Which questions, and the answer to each of them."""

    ids: Annotated[list[Named], Field(min_length=1, max_length=BATCH_MAX)]
    yes: bool
    comment: Text = ""
    ceiling_usd: Named | None = None


class NarrowBody(Body):
    """What is lowered: a parameter's path, or `count`, `type`, `size`, `amount`, `term`, to its new value."""

    changes: dict[str, Named] = Field(min_length=1, max_length=20)
    ceiling_usd: Named | None = None
    comment: Text = ""


class BatchAnswer(Answer):
    """What became of one question; one that was not answered says why and stays as it is."""

    id: str
    answered: bool
    state: str
    sentence: str
    why: str


class BatchAnswers(Answer):
    """What became of each."""

    answers: list[BatchAnswer]
    answered: int
    asked: int


def _of(ask: Ask) -> StandingOperations:
    return StandingOperations(operations=ask.operations)


async def list_standing(ask: Ask) -> Json:
    """Standing grants."""
    return await _of(ask).listed(every=ask.query(EveryQuery).every)


async def get_standing(ask: Ask) -> Json:
    """One standing grant."""
    return await _of(ask).one(ask.id)


async def grant_standing(ask: Ask) -> Json:
    """Give one, or show what would be given."""
    body = ask.body(StandingBody)
    wish = Wish(**body.model_dump(exclude={"preview", "sentence"}))
    if body.preview:
        return await _of(ask).preview(ask.caller, ask.id, wish)
    return await _of(ask).grant(ask.caller, ask.id, wish, sentence=body.sentence)


async def revoke_standing(ask: Ask) -> Json:
    """Take one back."""
    return await _of(ask).revoke(ask.caller, ask.id, reason=ask.body(ReasonBody).reason)


async def list_offers(ask: Ask) -> Json:
    """What the caller may be offered."""
    return await _of(ask).offered(ask.caller)


async def narrow_approval(ask: Ask) -> Json:
    """Say yes to less."""
    body = ask.body(NarrowBody)
    return await _of(ask).narrow(ask.caller, ask.id, body.changes, ceiling_usd=body.ceiling_usd, comment=body.comment)


async def list_batches(ask: Ask) -> Json:
    """What waits, grouped."""
    return await _of(ask).batches(ask.caller)


async def answer_batch(ask: Ask) -> Json:
    """Answer several at once."""
    body = ask.body(BatchBody)
    return await _of(ask).answer_batch(
        ask.caller, body.ids, yes=body.yes, comment=body.comment, ceiling_usd=body.ceiling_usd
    )


_USES = frozenset({"used", "left", "spent_usd_micros", "left_usd_micros", "state"})

ENDPOINTS = (
    Endpoint(
        "GET",
        "/standing",
        Right.READ,
        list_standing,
        query=EveryQuery,
        answer=Standings,
        listing="standing",
        volatile=_USES,
        summary="Standing grants with what is left of each",
    ),
    Endpoint("GET", "/standing/{id}", Right.READ, get_standing, answer=Standing, volatile=_USES, summary="One of them"),
    Endpoint(
        "POST",
        "/approvals/{id}/standing",
        Right.ANSWER,
        grant_standing,
        body=StandingBody,
        answer=Standing,
        summary="Say yes to the next N like this one",
    ),
    Endpoint(
        "POST",
        "/approvals/{id}/narrow",
        Right.ANSWER,
        narrow_approval,
        body=NarrowBody,
        answer=Approval,
        about="/approvals/{id}",
        summary="Say yes to less than was asked",
    ),
    Endpoint(
        "POST",
        "/standing/{id}/revoke",
        Right.ANSWER,
        revoke_standing,
        body=ReasonBody,
        answer=Standing,
        summary="Take a standing grant back",
    ),
    Endpoint("GET", "/offers", Right.READ, list_offers, answer=Offers, summary="Equal yeses that one could stand for"),
    Endpoint("GET", "/batches", Right.READ, list_batches, answer=Batches, summary="What waits, the like together"),
    Endpoint(
        "POST",
        "/batches",
        Right.ANSWER,
        answer_batch,
        body=BatchBody,
        answer=BatchAnswers,
        summary="Answer several questions at once, each bound to its digest",
    ),
)
