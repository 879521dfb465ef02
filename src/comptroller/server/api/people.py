"""People: who is configured and how they sign in; one-time links to set that up; sessions; API tokens."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from comptroller.core.api_token import DAYS_DEFAULT, DAYS_MAX
from comptroller.core.role import Right
from comptroller.server.api.endpoint import Answer, Ask, Endpoint, Moment, Named, Query
from comptroller.server.problem import Body
from comptroller.server.render import Json, time_text

LIST_MAX = 16


class PersonShown(Answer):
    """One person: what they are to the installation, and how they can sign in."""

    name: str
    configured: bool
    roles: list[str]
    groups: list[str]
    ways: list[str] = Field(description="how they sign in; empty: by the control socket alone")
    invited_until: Moment | None
    signed_in_at: Moment | None
    deputies: list[str] = Field(description="who answers for them now")
    sessions: int
    tokens: int


class PeopleShown(Answer):
    """Everybody who is configured, or has an account still."""

    people: list[PersonShown]


class Invited(Answer):
    """A link by which a person sets up how they sign in. It works once."""

    person: str
    url: str
    expires_at: Moment


class SessionShown(Answer):
    """One signed-in browser."""

    id: str
    person: str
    how: str
    began_at: Moment
    seen_at: Moment
    expires_at: Moment
    address: str
    agent: str


class SessionsShown(Answer):
    """Sessions, newest first."""

    sessions: list[SessionShown]


class Ended(Answer):
    """How many sessions ended."""

    ended: int


class TokenShown(Answer):
    """One API token, without its text: nobody has that but who made it."""

    id: str
    person: str
    name: str
    rights: list[str]
    scopes: list[str]
    created_at: Moment
    expires_at: Moment
    used_on: str | None = Field(description="the last day it was used")
    alive: bool
    revoked_by: str


class TokensShown(Answer):
    """API tokens."""

    tokens: list[TokenShown]


class MadeToken(Answer):
    """A new API token, and its text, which is shown this once."""

    token: TokenShown
    text: str


class TokenQuery(Query):
    """`GET /tokens`."""

    every: Annotated[bool, Field(description="also those that are over")] = False


class TokenRequest(Body):
    """`POST /tokens`. Without `rights` it may what its person may, except to administer."""

    name: Named
    rights: tuple[Named, ...] = Field(default=(), strict=False, max_length=LIST_MAX)
    scopes: tuple[Named, ...] = Field(default=(), strict=False, max_length=LIST_MAX)
    days: Annotated[int, Field(ge=1, le=DAYS_MAX)] = DAYS_DEFAULT


async def people(ask: Ask) -> Json:
    """Everybody."""
    return await ask.verbs.persons.people(ask.caller)


async def invite_person(ask: Ask) -> Json:
    """A link for somebody, or for oneself."""
    secret, until = await ask.verbs.persons.invite(ask.caller, ask.id)
    return {"person": ask.id, "url": ask.verbs.enrol_url(secret), "expires_at": time_text(until)}


async def reset_person(ask: Ask) -> Json:
    """Every way in is taken away, and a link given for new ones."""
    secret, until = await ask.verbs.persons.reset(ask.caller, ask.id)
    return {"person": ask.id, "url": ask.verbs.enrol_url(secret), "expires_at": time_text(until)}


async def sessions(ask: Ask) -> Json:
    """One's own, or everybody's for who administers."""
    return ask.verbs.persons.sessions_shown(ask.caller)


async def end_session(ask: Ask) -> Json:
    """One session."""
    return {"ended": await ask.verbs.persons.end_session(ask.caller, ask.id)}


async def sign_out_person(ask: Ask) -> Json:
    """Every session of somebody."""
    return {"ended": await ask.verbs.persons.sign_out(ask.caller, ask.id)}


async def tokens(ask: Ask) -> Json:
    """One's own, or everybody's for who administers."""
    return await ask.verbs.persons.tokens_shown(ask.caller, every=ask.query(TokenQuery).every)


async def make_token(ask: Ask) -> Json:
    """A token for the caller."""
    body = ask.body(TokenRequest)
    return await ask.verbs.persons.make_token(
        ask.caller, name=body.name, rights=body.rights, scopes=body.scopes, days=body.days
    )


async def revoke_token(ask: Ask) -> Json:
    """End a token, by its id or its name."""
    return await ask.verbs.persons.revoke_token(ask.caller, ask.id)


ENDPOINTS = (
    Endpoint(
        "GET", "/people", Right.ADMINISTER, people, answer=PeopleShown, summary="Who there is, and how they sign in"
    ),
    Endpoint(
        "POST",
        "/people/{id}/invite",
        Right.READ,
        invite_person,
        answer=Invited,
        summary="A one-time link by which a person sets up how they sign in; others than oneself take an administrator",
        secret=True,
        socket_only=True,
    ),
    Endpoint(
        "POST",
        "/people/{id}/reset",
        Right.READ,
        reset_person,
        answer=Invited,
        summary="Take away how a person signs in, with sessions and tokens, and invite them anew",
        secret=True,
        socket_only=True,
    ),
    Endpoint(
        "POST",
        "/people/{id}/sign-out",
        Right.READ,
        sign_out_person,
        answer=Ended,
        summary="End every session of a person; others than oneself take an administrator",
    ),
    Endpoint("GET", "/sessions", Right.READ, sessions, answer=SessionsShown, summary="Signed-in browsers"),
    Endpoint("POST", "/sessions/{id}/end", Right.READ, end_session, answer=Ended, summary="End one session"),
    Endpoint("GET", "/tokens", Right.READ, tokens, answer=TokensShown, query=TokenQuery, summary="API tokens"),
    Endpoint(
        "POST",
        "/tokens",
        Right.READ,
        make_token,
        answer=MadeToken,
        body=TokenRequest,
        summary="Make an API token for oneself; its text is shown once",
        secret=True,
        socket_only=True,
    ),
    Endpoint("POST", "/tokens/{id}/revoke", Right.READ, revoke_token, answer=TokenShown, summary="End an API token"),
)
