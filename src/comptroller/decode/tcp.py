"""Connections of a declared TCP service: one `write` each, for so many bytes. What they carry is not understood."""

from __future__ import annotations

import re
from collections.abc import Sequence

from comptroller.core.action import Action, ActionClass, Call
from comptroller.core.doors import TCP_PREFIX, tcp_service
from comptroller.core.estimate import Outcome
from comptroller.core.request import Header, NativeResponse, Outgoing, Request, Unencodable
from comptroller.core.verdict import Verdict

CLASSES = frozenset({ActionClass.WRITE})
_OPERATION = re.compile(r"tcp:[a-z0-9.-]{1,253}:[0-9]{1,5}\Z")


def tcp_classes(operation: str) -> frozenset[ActionClass] | None:
    """`write` for `tcp:HOST:PORT`; None for anything else."""
    return CLASSES if _OPERATION.match(operation) else None


class TcpCodec:
    """Reads nothing of what passes: host, port and allowance are all there is to judge.

    The request of a connection has transport `tcp` and its allowance as the length of its stream.
    """

    name = "tcp"

    def decode(self, request: Request) -> Action:
        """One write to `tcp:HOST:PORT`, as large as its allowance. Never raises."""
        allowance = request.stream.length_bytes if request.stream is not None else None
        known = request.transport == "tcp" and allowance is not None
        place = tcp_service(request.host, request.port)
        return Action(
            operation=place if known else f"{TCP_PREFIX}unknown",
            service=place,
            classes=CLASSES if known else frozenset({ActionClass.UNKNOWN}),
            endpoint=f"{request.host}:{request.port}",
            agent=request.agent,
            run=request.run,
            resources=(place,),
            parameters={"allowance_bytes": allowance, "tls": request.one("tls"), "part": request.one("part")},
            reason="" if known else "this is no connection of a declared service",
            call=Call(attempt=request.attempt, payload_bytes=allowance or 0),
        )

    def encode(self, action: Action, request: Request) -> Outgoing:
        """Raises `Unencodable`: a connection is carried, not encoded."""
        raise Unencodable("a TCP connection is no request")

    def refuse(self, action: Action, request: Request, verdict: Verdict, message: str) -> NativeResponse:
        """The reason as text; the connection itself is closed, since nobody knows what it speaks."""
        return NativeResponse(
            status=403, headers=(Header("content-type", "text/plain; charset=utf-8"),), body=message.encode()
        )

    def meter(self, action: Action) -> TcpMeter:
        """What was carried is counted by who carries it."""
        return TcpMeter()

    def sentence(self, action: Action) -> str:
        """`connect to db.example.com:5432 and send up to 1,048,576 bytes (not understood)`."""
        allowance = action.parameters.get("allowance_bytes")
        if action.undecodable or not isinstance(allowance, int):
            return f"connect to {action.endpoint}: {action.reason}"
        more = "send" if action.parameters.get("part") in (None, "1") else "send further"
        return f"connect to {action.endpoint} and {more} up to {allowance:,} bytes (not understood)"


class TcpMeter:
    """Reads nothing."""

    def head(self, status: int, headers: Sequence[tuple[str, str]]) -> None:
        """There is none."""

    def feed(self, data: bytes) -> None:
        """Ignored."""

    def finish(self, *, complete: bool) -> Outcome:
        """That it ended."""
        return Outcome(status=0, ok=True, complete=complete)
