"""The shape every codec has: one service on the wire, total and pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from comptroller.core.action import Action, ActionClass
from comptroller.core.estimate import Outcome
from comptroller.core.narrow import Narrowing
from comptroller.core.request import NativeResponse, Outgoing, Request
from comptroller.core.verdict import Verdict

Classes = frozenset[ActionClass]


class Meter(Protocol):
    """Reads one response as it streams past, sans-IO, in bounded memory."""

    def head(self, status: int, headers: Sequence[tuple[str, str]]) -> None:
        """The response's status and headers (lower-case names)."""
        ...

    def feed(self, data: bytes) -> None:
        """The next body bytes, as sent by the service (content-encoding identity)."""
        ...

    def finish(self, *, complete: bool) -> Outcome:
        """What the response proved; `complete` is False where it was cut. Never raises."""
        ...


class Codec(Protocol):
    """One service on the wire. Every function is total and pure."""

    name: str

    def decode(self, request: Request) -> Action:
        """What the request would do; an `unknown` action with a reason where nobody can say. Never raises."""
        ...

    def encode(self, action: Action, request: Request) -> Outgoing:
        """The request anew, from the decoded action. Raises `Unencodable` (core.request) where it cannot be."""
        ...

    def refuse(self, action: Action, request: Request, verdict: Verdict, message: str) -> NativeResponse:
        """The service's own `not authorized` answer carrying `message`. Never raises."""
        ...

    def meter(self, action: Action) -> Meter:
        """A reader for this action's response."""
        ...

    def sentence(self, action: Action) -> str:
        """What the action does in plain words, without price (`start 8 x p4d.24xlarge in us-east-1`)."""
        ...


class ServiceCodec(Codec, Protocol):
    """A codec that knows its hosts and can name every operation it reads."""

    hosts: frozenset[str]
    """Host names and patterns (`*.googleapis.com`) that are this service's own, whatever anybody configures."""

    def known(self) -> Mapping[str, Classes]:
        """Operations with a name of their own and the classes each always has; an action may have more."""
        ...


@runtime_checkable
class Lowerable(Codec, Protocol):
    """A codec of models: how long an answer may get stands in the request, and can be made less."""

    def lower(self, action: Action, output_tokens_max: int) -> Action | None:
        """The same call with its output limit lowered to this, never raised; None where it has no such limit."""
        ...


@runtime_checkable
class Narrowable(Codec, Protocol):
    """A codec that knows which parameters say how many, how large, how much or how long, and can lower them."""

    def narrowings(self, action: Action) -> tuple[Narrowing, ...]:
        """What a person may lower of this action; empty where there is nothing, or nobody knows what. Never raises."""
        ...

    def narrow(self, action: Action, changes: Mapping[str, str]) -> Action:
        """The action with those parameters lowered, as it would be decoded again. Raises `NotNarrower`."""
        ...
