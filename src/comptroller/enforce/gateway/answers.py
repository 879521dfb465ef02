"""What the agent is told: native refusals with our two headers, plain errors, and what of an answer is passed on."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence

from comptroller.core.approval import Approval
from comptroller.core.request import Header, NativeResponse
from comptroller.enforce.gateway.http1 import CONTINUE, PROCESSING, Head

REASON_HEADER = "x-comptroller-reason"
APPROVAL_HEADER = "x-comptroller-approval"
LOWERED_HEADER = "x-comptroller-lowered"
OUR_PREFIX = "x-comptroller-"
REASON_CHARACTERS_MAX = 500
UNPACKED_PIECE_BYTES = 64 << 10

_HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "alt-svc",
    }
)
"""Meant for one connection, not for the box. `alt-svc` would send the client to a protocol that leads nowhere."""


def header_text(text: str) -> str:
    """`text` as one line of printable ASCII, cut to what fits a header."""
    line = " ".join(text.split())
    return "".join(c if " " <= c <= "~" else "?" for c in line)[:REASON_CHARACTERS_MAX]


def with_reason(answer: NativeResponse, reason: str, approval: Approval | None) -> list[tuple[str, str]]:
    """The headers of a refusal: the service's own, and ours exactly once."""
    headers = [(name, value) for name, value in answer.headers if not name.startswith(OUR_PREFIX)]
    headers.append((REASON_HEADER, header_text(reason)))
    if approval is not None:
        headers.append((APPROVAL_HEADER, approval.id))
    return headers


def plain_error(status: int, text: str) -> NativeResponse:
    """An answer where no service's format applies."""
    body = f"comptroller: {text}\n".encode()
    return NativeResponse(status=status, headers=(Header("content-type", "text/plain; charset=utf-8"),), body=body)


def passed_headers(headers: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """What of an upstream's headers the box sees: nothing of the connection, nothing that claims to be ours."""
    named = {
        part.strip().lower() for name, value in headers if name == "connection" for part in value.split(",")
    } | _HOP_BY_HOP
    return [(name, value) for name, value in headers if name not in named and not name.startswith(OUR_PREFIX)]


def heartbeat_for(head: Head) -> bytes | None:
    """The interim answer that keeps this client waiting: 102 for undici, which fails on 100; none for HTTP/1.0."""
    if head.version != "1.1":
        return None
    agent = head.one("user-agent").lower()
    fetch = head.one("sec-fetch-mode") == "cors" and head.one("accept-language") == "*"
    return PROCESSING if fetch or agent == "node" or agent.startswith("undici") else CONTINUE


class Unpacker:
    """Unpacks gzip and deflate for the meter alone, in bounded memory; other codings are not looked into."""

    def __init__(self, encodings: Iterable[str], *, bytes_max: int) -> None:
        named = [part.strip().lower() for value in encodings for part in value.split(",") if part.strip()]
        named = [name for name in named if name != "identity"]
        self.blind = len(named) > 1 or any(name not in ("gzip", "x-gzip", "deflate") for name in named)
        self._machine = zlib.decompressobj(zlib.MAX_WBITS | 32) if named and not self.blind else None
        self._left = bytes_max

    @property
    def packed(self) -> bool:
        """True where what passes is not what the meter reads."""
        return self.blind or self._machine is not None

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The plain bytes in `data`, piece by piece; nothing once it is blind."""
        if self._machine is None:
            if not self.blind:
                yield data
            return
        while data and not self.blind:
            try:
                plain = self._machine.decompress(data, UNPACKED_PIECE_BYTES)
            except zlib.error:
                self.blind = True
                return
            self._left -= len(plain)
            if self._left < 0:
                self.blind = True
                return
            if plain:
                yield plain
            data = self._machine.unconsumed_tail
