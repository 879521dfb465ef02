"""How PostgreSQL agrees on encryption before its protocol begins: outside it is asked for, inside it is declined."""

from __future__ import annotations

import struct

from comptroller.enforce.gateway.exchange import UpstreamError
from comptroller.enforce.gateway.wire import Wire

SSL_REQUEST = struct.pack("!2I", 8, 80_877_103)
GSS_REQUEST = struct.pack("!2I", 8, 80_877_104)
"""How a client asks for encryption (`src/include/libpq/pqcomm.h`)."""
OFFERS_MAX = 2
"""One of each."""
_ACCEPTED, _DECLINED = b"S", b"N"


async def ask_for_tls(wire: Wire) -> None:
    """Ask a server to go on encrypted. Raises `UpstreamError` where it will not."""
    wire.write(SSL_REQUEST)
    await wire.drain()
    while not wire.peeked and await wire.more():
        pass
    if wire.peeked != _ACCEPTED:
        raise UpstreamError("upstream_tls", "the server does not speak TLS", sent=False)
    wire.take()


async def decline_encryption(wire: Wire) -> None:
    """Answer a client's offers to encrypt with no. Raises `ConnectionError` for one that did not wait for it."""
    for _ in range(OFFERS_MAX):
        while len(wire.peeked) < len(SSL_REQUEST):
            if not await wire.more():
                return
        first = wire.peeked[: len(SSL_REQUEST)]
        if first not in (SSL_REQUEST, GSS_REQUEST):
            return
        if len(wire.peeked) > len(first):
            raise ConnectionError("bytes behind an offer that nobody has answered")
        wire.take()
        wire.write(_DECLINED)
        await wire.drain()
