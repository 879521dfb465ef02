"""The proxy's side of a connection, for runs whose wall leads nothing to us by itself: CONNECT, or an absolute target.

Whose connection it is, is still the listener's word: every run has one of its own. The secret beside it only keeps out
whoever else can reach that listener. It is compared in constant time, goes no further, and is in no entry and no log.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Sequence

from comptroller.core.request import Header
from comptroller.enforce.gateway.http1 import BadRequestError, parse_host
from comptroller.enforce.gateway.settings import GatewaySettings
from comptroller.enforce.gateway.wire import Wire, WireClosedError

USER = "run"
"""The user name in a proxy's address; the password is the run's secret."""
ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
CHALLENGE = ("proxy-authenticate", 'Basic realm="comptroller"')
STATUS_UNKNOWN_CLIENT = 407
_METHOD = b"CONNECT "
_OURS = frozenset({"proxy-authorization", "proxy-connection"})
_END = b"\r\n\r\n"


def admits(secret: str, headers: Sequence[tuple[str, str]]) -> bool:
    """Whether a head carries the run's secret, exactly once."""
    given = [value for name, value in headers if name == "proxy-authorization"]
    if len(given) != 1 or not secret:
        return False
    scheme, _, encoded = given[0].partition(" ")
    if scheme.lower() != "basic":
        return False
    try:
        told = base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        return False
    return hmac.compare_digest(told, f"{USER}:{secret}".encode())


def refused() -> BadRequestError:
    """What a client without the secret is answered."""
    return BadRequestError(
        STATUS_UNKNOWN_CLIENT,
        "proxy_secret",
        "this proxy serves one run: use the address in its HTTPS_PROXY as it is, user and password included",
    )


def without_secret(headers: Sequence[Header]) -> tuple[Header, ...]:
    """The headers that are meant for the service."""
    return tuple(header for header in headers if header.name not in _OURS)


async def tunnel(wire: Wire, secret: str, settings: GatewaySettings) -> tuple[str, int] | None:
    """Take a CONNECT off the wire and answer it: the place it names. None where the connection begins otherwise.

    Raises `BadRequestError` (nothing was answered yet) and the wire's errors. What comes next is read like any
    connection of a box: that it is meant for the named place is not believed, its own TLS name and Host decide.
    """
    wire.within(settings.first_byte_seconds_max)
    while len(wire.peeked) < len(_METHOD) and _METHOD.startswith(wire.peeked):
        if not await wire.more():
            return None
    if not wire.peeked.startswith(_METHOD):
        return None
    wire.within(settings.header_seconds_max)
    while _END not in wire.peeked:
        if len(wire.peeked) > settings.header_bytes_max:
            raise BadRequestError(431, "header_too_large", f"the head is over {settings.header_bytes_max} bytes")
        if not await wire.more():
            raise WireClosedError("closed inside a request's head")
    head, _, rest = (await wire.read()).partition(_END)
    place = _place(head, secret, settings)
    wire.put_back(rest)
    wire.write(ESTABLISHED)
    return place


def _place(head: bytes, secret: str, settings: GatewaySettings) -> tuple[str, int]:
    first, *lines = head.split(b"\r\n")
    words = first.split(b" ")
    if len(head) > settings.header_bytes_max or len(lines) > settings.headers_max:
        raise BadRequestError(431, "header_too_large", "the head is too large")
    if len(words) != 3 or words[2] not in (b"HTTP/1.1", b"HTTP/1.0") or b"\n" in head.replace(b"\r\n", b""):
        raise BadRequestError(400, "bad_request", "the first line is not a request line")
    pairs = [line.decode("latin-1").partition(":") for line in lines]
    headers = [(name.strip().lower(), value.strip()) for name, _, value in pairs]
    if not admits(secret, headers):
        raise refused()
    if any(name in ("content-length", "transfer-encoding") for name, _ in headers):
        raise BadRequestError(400, "bad_request", "CONNECT has no body")
    target = words[1].decode("latin-1")
    if not target.rpartition(":")[2].isdigit():
        raise BadRequestError(400, "bad_target", "CONNECT names a host and a port")
    return parse_host(target, "https")
