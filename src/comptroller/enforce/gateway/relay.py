"""Passes an answer to the client while the meter reads it; goes on reading for a while when the client has left."""

from __future__ import annotations

from comptroller.decode.codec import Meter
from comptroller.enforce.gateway.answers import LOWERED_HEADER, Unpacker, header_text, passed_headers
from comptroller.enforce.gateway.exchange import UpstreamError
from comptroller.enforce.gateway.http1 import Http1
from comptroller.enforce.gateway.mask import Mask
from comptroller.enforce.gateway.settings import GatewaySettings
from comptroller.enforce.gateway.wire import WireClosedError, WireTimeoutError


class Relay:
    """One answer on its way, `secret` blotted out; `note` tells the client how its request was lowered.

    A meter may have `pass_on` and `flush`: what the client receives is then its choice. One with `charged_whole` reads
    an answer that costs the same whether it is read or not: it is read to its end for longer.
    """

    def __init__(
        self, http: Http1, settings: GatewaySettings, meter: Meter, *, secret: str = "", note: str = ""
    ) -> None:
        self._http = http
        self._settings = settings
        self._meter = meter
        self._mask = Mask(secret)
        self._note = note
        self._out: list[bytes] = []
        self.waiting = 0
        self._left_at: float | None = None
        self._drained = 0
        self._unpacker = Unpacker((), bytes_max=0)
        self._edit = getattr(meter, "pass_on", None)
        self._charged_whole = bool(getattr(meter, "charged_whole", False))

    def head(self, status: int, reason: bytes, headers: tuple[tuple[str, str], ...]) -> None:
        """The answer's head."""
        headers = tuple((name, self._mask.whole(value)) for name, value in headers)
        encodings = [value for name, value in headers if name == "content-encoding"]
        self._unpacker = Unpacker(encodings, bytes_max=self._settings.meter_bytes_max)
        known = [pair for pair in headers if self._unpacker.blind or pair[0] != "content-encoding"]
        self._meter.head(status, known)
        fields = passed_headers(headers)
        events = any(name == "content-type" and "event-stream" in value for name, value in headers)
        if self._unpacker.packed or not events:
            self._edit = None
        if self._note:
            fields = [*fields, (LOWERED_HEADER, header_text(self._note))]
        if self._edit is not None:
            fields = [pair for pair in fields if pair[0] != "content-length"]
        try:
            self._put(self._http.start(status, fields, reason=self._mask.once(reason)))
        except ValueError as error:
            raise UpstreamError("upstream_protocol", f"the service's answer is broken: {error}", sent=True) from None

    def feed(self, data: bytes) -> None:
        """The next bytes of the answer."""
        self._feed(self._mask.feed(data))

    def _feed(self, data: bytes) -> None:
        if self._edit is not None:
            data = self._edit(data)
        else:
            for plain in self._unpacker.feed(data):
                self._meter.feed(plain)
        if self._left_at is not None:
            self._drained += len(data)
        elif data:
            self._put(self._http.body(data))

    async def flush(self) -> None:
        """Write what is waiting; afterwards the client has room for more, or has left."""
        if self._left_at is not None or not self._out:
            return
        wire = self._http.wire
        wire.write(b"".join(self._out))
        self._out.clear()
        self.waiting = 0
        wire.within(self._settings.write_seconds_max)
        try:
            await wire.drain()
        except (WireClosedError, WireTimeoutError):
            self._left_at = wire.now
            wire.abort()

    async def end(self) -> None:
        """The answer is whole."""
        self._feed(self._mask.flush())
        if self._edit is not None:
            rest = getattr(self._meter, "flush", bytes)()
            if rest and self._left_at is None:
                self._put(self._http.body(rest))
        if self._left_at is None:
            self._put(self._http.end())
            await self.flush()

    async def cut(self) -> None:
        """The answer broke off: what came is passed on, and the connection ends without its proper end."""
        await self.flush()
        self._http.wire.abort()

    def leave(self) -> float:
        """The client has left while nothing was written to it. Returns how long the answer may still take."""
        if self._left_at is None:
            self._left_at = self._http.wire.now
        return self.patience or 0.0

    @property
    def patience(self) -> float | None:
        """How many seconds the answer may still take once the client has left; None while it is there."""
        if self._left_at is None:
            return None
        limits = self._settings
        seconds = limits.drain_whole_seconds_max if self._charged_whole else limits.drain_seconds_max
        return max(0.0, self._left_at + seconds - self._http.wire.now)

    @property
    def exhausted(self) -> bool:
        """True when enough was read for a client that has left."""
        return self._left_at is not None and (self._drained > self._settings.drain_bytes_max or self.patience == 0.0)

    def _put(self, data: bytes) -> None:
        self._out.append(data)
        self.waiting += len(data)
