"""The log as it grows, and what leaves the store."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from comptroller.core.role import Right
from comptroller.server.api.endpoint import Answer, Ask, Endpoint, Moment, Named, Query
from comptroller.server.operations import ENTRIES_MAX, WAIT_SECONDS_MAX
from comptroller.server.problem import Body
from comptroller.server.render import Json

INDEX_MAX = 2**53


class Entry(Answer):
    """One line of the log. `private` holds commitments; `beside` what of their values the caller may see."""

    index: int
    at: Moment
    kind: str
    agent: str
    run: str
    body: dict[str, object]
    private: dict[str, str]
    beside: dict[str, object]


class Entries(Answer):
    """Entries in order. `next` is where the following ones begin: `after` of the next call."""

    entries: list[Entry]
    next: int
    size: int = Field(description="how many entries the log has")


class EntriesQuery(Query):
    """Entries above index `after`; where there are none, the first to come within `wait` seconds."""

    after: Annotated[int, Field(ge=-1, le=INDEX_MAX)] = -1
    limit: Annotated[int, Field(ge=-1, le=ENTRIES_MAX)] = 100
    run: Named = ""
    wait: Annotated[float, Field(ge=-1, le=WAIT_SECONDS_MAX, allow_inf_nan=False)] = 0.0


class RemoveBody(Body):
    """The whole path of an archive on the server's machine."""

    file: Annotated[str, Field(max_length=4096)]


class Removed(Answer):
    """What left the store, and the entry that says so."""

    archive: str
    removed: int
    stay: int
    entry: int


async def list_entries(ask: Ask) -> Json:
    """Entries above an index."""
    query = ask.query(EntriesQuery)
    return await ask.operations.entries(
        ask.caller, after=query.after, limit=query.limit, run=query.run, wait_seconds=query.wait
    )


async def remove_archived(ask: Ask) -> Json:
    """Remove from the store what an archive holds."""
    return await ask.operations.remove_archived(ask.caller, file=ask.body(RemoveBody).file)


ENDPOINTS = (
    Endpoint(
        "GET",
        "/entries",
        Right.READ,
        list_entries,
        query=EntriesQuery,
        answer=Entries,
        summary="Entries of the log in order, waiting for new ones",
    ),
    Endpoint(
        "POST",
        "/archived",
        Right.OPERATE,
        remove_archived,
        body=RemoveBody,
        answer=Removed,
        summary="Remove from the store what retention lets go and an archive holds",
        socket_only=True,
    ),
)
