"""The server itself: who asks and what runs, a link to the console, the end."""

from __future__ import annotations

from comptroller.core.role import Right
from comptroller.server.api.endpoint import Answer, Ask, Endpoint, Moment
from comptroller.server.render import Json


class Status(Answer):
    """Who the caller is to this installation, and how much is going on."""

    version: str
    organization: str
    config: str
    person: str
    groups: list[str]
    roles: list[str]
    operator: bool
    runs_active: int
    pending: int
    entries: int


class Link(Answer):
    """A link that opens the console once, for whoever asked."""

    url: str
    expires_at: Moment


class Stopping(Answer):
    """The server ends."""

    stopping: bool


async def status(ask: Ask) -> Json:
    """Who asks, what runs, what waits."""
    return {**await ask.operations.status(ask.caller), "roles": sorted(ask.caller.roles)}


async def page_link(ask: Ask) -> Json:
    """A one-time link to the console."""
    return ask.verbs.link(ask.caller)


async def shutdown(ask: Ask) -> Json:
    """End the server."""
    ask.verbs.stop()
    return {"stopping": True}


ENDPOINTS = (
    Endpoint("GET", "/status", Right.READ, status, answer=Status, summary="Who asks, what runs, what waits"),
    Endpoint(
        "POST",
        "/page-link",
        Right.READ,
        page_link,
        answer=Link,
        summary="A one-time link that signs the caller in to the console",
        secret=True,
        socket_only=True,
    ),
    Endpoint(
        "POST", "/shutdown", Right.ADMINISTER, shutdown, answer=Stopping, summary="End the server", socket_only=True
    ),
)
