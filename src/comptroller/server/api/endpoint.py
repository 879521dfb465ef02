"""One endpoint of the API as a value: who may ask what, in which words, and how it is answered.

An area of the API is a module whose `ENDPOINTS` are named in `table.py`. Nothing else decides who may call it: the
right stands here, and `serve.py` asks for it before the handler runs.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Annotated, Literal, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from comptroller.core.role import Right
from comptroller.server.api.paging import EVERYTHING, Page
from comptroller.server.desk import Desk
from comptroller.server.identity import Caller
from comptroller.server.operations import Operations
from comptroller.server.persons import Persons
from comptroller.server.problem import Body
from comptroller.server.render import Json

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
TEXT_CHARS_MAX = 2_000
NAME_CHARS_MAX = 200

Text = Annotated[str, Field(max_length=TEXT_CHARS_MAX)]
"""Free text in a body."""
Named = Annotated[str, Field(max_length=NAME_CHARS_MAX)]
"""A name, an id or a number written as text, in a body or a query."""
Moment = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
"""RFC 3339 in UTC, to the second."""


class Query(BaseModel):
    """The parameters of a query: exactly the named ones, once each."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Answer(BaseModel):
    """What a successful call answers. Clients leave members alone that they do not know: later versions add some."""

    model_config = ConfigDict(frozen=True, extra="allow")


class Verbs(Protocol):
    """What endpoints ask of the running server itself."""

    def link(self, caller: Caller) -> Json:
        """A one-time link to the console for `caller`."""
        ...

    def stop(self) -> None:
        """End the server."""
        ...

    @property
    def persons(self) -> Persons:
        """Accounts, sessions and tokens."""
        ...

    def enrol_url(self, secret: str) -> str:
        """Where a person sets up how they sign in, with the one-time secret in the fragment."""
        ...


B = TypeVar("B", bound=Body)
Q = TypeVar("Q", bound=Query)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One call, checked: who asks, and what. `path` are the parameters in the path, decoded; `endpoints`
    the whole table."""

    operations: Operations
    verbs: Verbs
    caller: Caller
    path: Mapping[str, str]
    given_body: Body
    given_query: Query
    page: Page = EVERYTHING
    endpoints: Sequence[Endpoint] = ()

    @property
    def desk(self) -> Desk:
        """The installation."""
        return self.operations.desk

    @property
    def id(self) -> str:
        """The `{id}` of the path."""
        return self.path["id"]

    def body(self, model: type[B]) -> B:
        """The body: `model` is the one the endpoint names."""
        assert isinstance(self.given_body, model)
        return self.given_body

    def query(self, model: type[Q]) -> Q:
        """The query: `model` is the one the endpoint names."""
        assert isinstance(self.given_query, model)
        return self.given_query


Handler = Callable[[Ask], Awaitable[Json]]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One row of the table. `path` lies below the version (`/v1`); its parameters are `{id}` and the like.

    The handler's name is the operation's id and, in the typed client, the method's: both are stable. `listing` names
    the member of the answer that is paged: its handler cuts it with `ask.page`. `about` is the path of the resource
    that this changes: with `If-Match` it must still be as the caller saw it; `volatile` are members counted afresh at
    every reading, which an ETag does not cover. `must_match` demands `If-Match`. `secret`: the answer is shown once
    and kept nowhere. `socket_only`: not over TCP.
    `scoped`: its handler looks at what the caller's token is for; nothing else is open to a token of some scopes alone.
    `sunset`: the day on which it goes; `successor` is the path of what takes its place, where something does.
    """

    method: Method
    path: str
    right: Right
    handler: Handler
    answer: type[BaseModel] = field(kw_only=True)
    summary: str = field(kw_only=True)
    body: type[Body] = field(default=Body, kw_only=True)
    query: type[Query] = field(default=Query, kw_only=True)
    since: str = field(default="0.1", kw_only=True)
    listing: str = field(default="", kw_only=True)
    about: str = field(default="", kw_only=True)
    volatile: frozenset[str] = field(default=frozenset(), kw_only=True)
    must_match: bool = field(default=False, kw_only=True)
    secret: bool = field(default=False, kw_only=True)
    socket_only: bool = field(default=False, kw_only=True)
    scoped: bool = field(default=False, kw_only=True)
    sunset: date | None = field(default=None, kw_only=True)
    successor: str = field(default="", kw_only=True)

    @property
    def name(self) -> str:
        """The operation's id: the name of its handler."""
        return self.handler.__name__
