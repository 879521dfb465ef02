"""Who may answer in whose place."""

from __future__ import annotations

from pydantic import Field

from comptroller.core.role import Right
from comptroller.server.api.endpoint import Answer, Ask, Endpoint, Moment, Named
from comptroller.server.deputies import DeputyOperations
from comptroller.server.problem import Body
from comptroller.server.render import Json


class Deputy(Answer):
    """`person` may answer for `stands_for`, from when until when."""

    id: str = Field(description="empty where it is configured")
    person: str
    stands_for: str
    since: Moment = Field(alias="from")
    until: Moment
    groups: list[str] | None = Field(description="null: in all of theirs")
    configured: bool
    holds: bool = Field(description="it is in force now")


class Deputies(Answer):
    """Everyone who may answer for somebody, now or later."""

    deputies: list[Deputy]


class Ended(Answer):
    """Those that were ended."""

    ended: list[Deputy]


class NewDeputy(Body):
    """Who, until when: a day, included, or a time."""

    person: Named
    until: Named
    since: Named = Field(default="", description="empty: from now on")
    groups: Named = Field(default="", description="after commas; empty: in all of theirs")
    of: Named = Field(default="", description="in whose place; empty: the caller's")


async def list_deputies(ask: Ask) -> Json:
    """Everyone who may answer for somebody."""
    return await DeputyOperations(desk=ask.desk).everyone()


async def set_deputy(ask: Ask) -> Json:
    """Let somebody answer in one's place."""
    body = ask.body(NewDeputy)
    groups = [name.strip() for name in body.groups.split(",")] if body.groups.strip() else None
    return await DeputyOperations(desk=ask.desk).set(
        ask.caller, person=body.person, until=body.until, since=body.since, groups=groups, of=body.of
    )


async def end_deputy(ask: Ask) -> Json:
    """End it."""
    return await DeputyOperations(desk=ask.desk).end(ask.caller, ask.id)


ENDPOINTS = (
    Endpoint("GET", "/deputies", Right.READ, list_deputies, answer=Deputies, summary="Who may answer in whose place"),
    Endpoint(
        "POST",
        "/deputies",
        Right.ANSWER,
        set_deputy,
        body=NewDeputy,
        answer=Deputy,
        summary="Let somebody answer in one's place",
    ),
    Endpoint(
        "POST",
        "/deputies/{id}/end",
        Right.ANSWER,
        end_deputy,
        answer=Ended,
        summary="End a deputy",
    ),
)
