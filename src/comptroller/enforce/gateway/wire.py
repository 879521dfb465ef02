"""A byte stream over one asyncio transport, with TLS in memory BIOs: bounded buffers, backpressure, deadlines.

Bytes can be looked at before anybody decides that they are TLS; only public interfaces of `ssl` and `asyncio` are used.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from typing import cast

from comptroller.enforce.gateway.settings import READ_BUFFER_BYTES_MAX, WRITE_BUFFER_BYTES_MAX

TLS_READ_BYTES = 64 << 10
CLOSE_SECONDS_MAX = 10.0
"""How long a closed connection may take to deliver what was written last."""


class WireTimeoutError(Exception):
    """The other side took longer than its deadline."""


class WireClosedError(ConnectionError):
    """The other side is gone."""


class Wire(asyncio.Protocol):
    """One connection, read and written by one task."""

    def __init__(self, *, tick_seconds: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._tick_seconds = tick_seconds
        self._transport: asyncio.Transport | None = None
        self._data = b""
        self._eof = False
        self._clean_eof = False
        self._lost = False
        self._failure: Exception | None = None
        self._reading = True
        self._writable = True
        self._waiter: asyncio.Future[None] | None = None
        self._drainer: asyncio.Future[None] | None = None
        self._tls: ssl.SSLObject | None = None
        self._shaking = False
        self._parted = False
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._deadline: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._closer: asyncio.TimerHandle | None = None
        self.on_gone: Callable[[], None] | None = None
        self.on_lost: Callable[[], None] | None = None
        """Called once when nothing can be written any more; `on_gone` when nothing more will come."""

    # ------------------------------------------------------------ what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection stands."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES_MAX)

    def data_received(self, data: bytes) -> None:
        """Bytes came; reading pauses while too many are waiting to be taken."""
        if self._tls is None:
            self._data = self._data + data if self._data else data
        else:
            self._incoming.write(data)
            if not self._shaking:
                self._unwrap()
        if self._reading and len(self._data) + self._incoming.pending > READ_BUFFER_BYTES_MAX and self._transport:
            self._reading = False
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> bool:
        """The other side will send no more; we may still answer."""
        if self._tls is None:
            self._clean_eof = True
        else:
            self._incoming.write_eof()
            if not self._shaking:
                self._unwrap()
        self._ended()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone for both directions."""
        self._lost = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._closer is not None:
            self._closer.cancel()
        self._ended()
        if self.on_lost is not None:
            self.on_lost()

    def pause_writing(self) -> None:
        """Too much is waiting to be written."""
        self._writable = False

    def resume_writing(self) -> None:
        """There is room again."""
        self._writable = True
        self._release(self._drainer)

    # ------------------------------------------------------------ reading

    @property
    def peeked(self) -> bytes:
        """What has come and was not taken yet."""
        return self._data

    @property
    def at_eof(self) -> bool:
        """True when nothing more will ever come."""
        return self._eof and not self._data

    @property
    def gone(self) -> bool:
        """True when the other side stopped sending, or is lost altogether."""
        return self._eof

    @property
    def lost(self) -> bool:
        """True when nothing can be written any more."""
        return self._lost

    @property
    def clean(self) -> bool:
        """True when the stream was ended by its sender (in TLS: by a close_notify), not cut."""
        return self._clean_eof

    async def more(self) -> bool:
        """Wait until more has come than was there before; False at the end. Raises `WireTimeoutError`."""
        before = len(self._data)
        while len(self._data) == before:
            if self._failure is not None:
                raise self._failure
            if self._eof:
                return False
            await self._wait()
        return True

    async def read(self) -> bytes:
        """The next bytes; empty at the end. Raises `WireTimeoutError`."""
        if not self._data and not await self.more():
            return b""
        return self._taken()

    def put_back(self, data: bytes) -> None:
        """Give back the rest of what was read; only before TLS."""
        self._data = data + self._data

    def take(self) -> bytes | None:
        """What is there, without waiting: empty at the end, None while there is nothing."""
        if not self._data:
            return b"" if self._eof else None
        return self._taken()

    def _taken(self) -> bytes:
        data, self._data = self._data, b""
        if not self._reading and self._transport is not None and not self._lost:
            self._reading = True
            self._transport.resume_reading()
        return data

    # ------------------------------------------------------------ writing

    def write(self, data: bytes) -> None:
        """Queue bytes; nothing happens on a lost connection. `drain` tells."""
        if self._lost or self._transport is None or self._parted or not data:
            return
        if self._tls is None:
            self._transport.write(data)
            return
        with contextlib.suppress(ssl.SSLError):
            self._tls.write(data)
        self._flush()

    async def drain(self) -> None:
        """Wait until there is room for more. Raises `WireClosedError` or `WireTimeoutError`."""
        while True:
            if self._lost:
                raise WireClosedError("the connection is closed")
            if self._failure is not None:
                raise self._failure
            if self._writable:
                return
            self._drainer = self._loop.create_future()
            try:
                await self._drainer
            finally:
                self._drainer = None

    def finish(self) -> None:
        """Say that nothing more will be written; what the other side still sends can be read."""
        if self._transport is None or self._lost or self._transport.is_closing():
            return
        self._say_goodbye()
        with contextlib.suppress(OSError, RuntimeError):
            self._transport.write_eof()

    def close(self) -> None:
        """End the connection after what is queued was written."""
        if self._transport is None or self._transport.is_closing():
            return
        self._say_goodbye()
        self._transport.close()
        if not self._lost and self._transport.get_write_buffer_size():
            self._closer = self._loop.call_later(CLOSE_SECONDS_MAX, self._transport.abort)

    def _say_goodbye(self) -> None:
        if self._tls is None or self._shaking or self._lost or self._parted:
            return
        self._parted = True
        with contextlib.suppress(ssl.SSLError):
            self._tls.unwrap()
        self._flush()

    def abort(self) -> None:
        """End the connection now; what is queued is dropped."""
        if self._transport is not None:
            self._transport.abort()

    # ------------------------------------------------------------ deadlines

    @property
    def now(self) -> float:
        """The loop's clock."""
        return self._loop.time()

    def within(self, seconds: float) -> None:
        """From now on, waiting longer than `seconds` raises `WireTimeoutError`."""
        self._deadline = self._loop.time() + seconds
        if self._timer is None and not self._lost:
            self._timer = self._loop.call_later(min(self._tick_seconds, seconds), self._tick)

    def at_leisure(self) -> None:
        """No deadline until the next `within`."""
        self._deadline = None

    def _tick(self) -> None:
        self._timer = None
        if self._deadline is not None and self._loop.time() >= self._deadline:
            self._failure = WireTimeoutError("too slow")
            self._deadline = None
            self._release(self._waiter)
            self._release(self._drainer)
        elif not self._lost:
            self._timer = self._loop.call_later(self._tick_seconds, self._tick)

    def forgive(self) -> None:
        """Forget a passed deadline, to say something last."""
        self._failure = None

    # ------------------------------------------------------------ TLS

    @property
    def tls(self) -> ssl.SSLObject | None:
        """The TLS session, once there is one."""
        return self._tls

    async def handshake(
        self, context: ssl.SSLContext, *, server_side: bool, server_hostname: str | None = None
    ) -> ssl.SSLObject:
        """Do a TLS handshake over what came and what will come. Raises `ssl.SSLError` and the errors of `more`."""
        tls = context.wrap_bio(self._incoming, self._outgoing, server_side=server_side, server_hostname=server_hostname)
        self._incoming.write(self._data)
        self._data = b""
        self._tls, self._shaking = tls, True
        try:
            while True:
                try:
                    tls.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    self._flush()
                    if self._failure is not None:
                        raise self._failure from None
                    if self._eof:
                        raise WireClosedError("closed during the handshake") from None
                    await self._wait()
        finally:
            self._flush()
        self._shaking = False
        self._unwrap()
        return tls

    def _unwrap(self) -> None:
        assert self._tls is not None
        pieces = [self._data] if self._data else []
        try:
            while piece := self._tls.read(TLS_READ_BYTES):
                pieces.append(piece)
            self._clean_eof = True
            self._ended()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:
            self._ended()
        self._data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        if self._outgoing.pending:
            self._flush()

    def _flush(self) -> None:
        if self._transport is not None and self._outgoing.pending and not self._lost:
            self._transport.write(self._outgoing.read())

    # ------------------------------------------------------------ waiting

    async def _wait(self) -> None:
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        self._release(self._waiter)

    def _ended(self) -> None:
        first = not self._eof
        self._eof = True
        self._release(self._waiter)
        if self._lost:
            self._release(self._drainer)
        if first and self.on_gone is not None:
            self.on_gone()

    @staticmethod
    def _release(waiter: asyncio.Future[None] | None) -> None:
        if waiter is not None and not waiter.done():
            waiter.set_result(None)


async def open_wire(address: tuple[str, int], *, family: int, seconds: float, tick_seconds: float) -> Wire:
    """Connect to exactly this address. Raises `OSError` or `TimeoutError`."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(seconds):
        _, wire = await loop.create_connection(
            lambda: Wire(tick_seconds=tick_seconds), host=address[0], port=address[1], family=family
        )
    return wire
