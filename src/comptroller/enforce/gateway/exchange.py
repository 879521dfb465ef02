"""One request on its way out and the answer to it, read strictly and within bounds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

import h11

from comptroller.enforce.gateway.settings import GatewaySettings
from comptroller.enforce.gateway.wire import Wire, WireTimeoutError

_HEAD_REQUEST = h11.Request(method="HEAD", target="/", headers=[("host", "upstream")])
_OTHER_REQUEST = h11.Request(method="GET", target="/", headers=[("host", "upstream")])
_END = h11.EndOfMessage()


class UpstreamError(Exception):
    """The way out failed. `sent` is True once a single byte may have left: what became of it is then unknown."""

    def __init__(self, code: str, text: str, *, sent: bool) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.sent = sent


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseHead:
    """The beginning of an answer; names are lower-case."""

    status: int
    reason: bytes
    headers: tuple[tuple[str, str], ...]


class _Pending(Enum):
    PENDING = "pending"


PENDING = _Pending.PENDING
"""Nothing to read yet."""


class Exchange:
    """One request on its way and its answer. `abort` unless it was read to its end and `release`d."""

    def __init__(
        self,
        wire: Wire,
        settings: GatewaySettings,
        *,
        method: str,
        give_back: Callable[[], None],
    ) -> None:
        self.wire = wire
        self._h11 = h11.Connection(h11.CLIENT, max_incomplete_event_size=settings.response_header_bytes_max)
        # The machine only reads answers: a stand-in tells it what kind of request it is the answer to.
        self._h11.send(_HEAD_REQUEST if method == "HEAD" else _OTHER_REQUEST)
        self._h11.send(_END)
        self._settings = settings
        self._give_back = give_back
        self._bodyless = method == "HEAD"
        self._framed = False
        self._ended = False
        self.complete = False
        """True once the answer's proper end was read."""
        self.spoiled = False
        """True where the request was not written to its end: nothing else may follow it."""

    async def head(self) -> ResponseHead:
        """The answer's head; interim answers are dropped. Raises `UpstreamError`."""
        self.wire.within(self._settings.response_seconds_max)
        for _ in range(self._settings.informational_max):
            event = await self._event()
            if isinstance(event, h11.InformationalResponse):
                if event.status_code == 101:
                    break
                continue
            if isinstance(event, h11.Response):
                headers = tuple((name.decode("ascii"), value.decode("latin-1")) for name, value in event.headers)
                names = [name for name, _ in headers]
                if "transfer-encoding" in names and "content-length" in names:
                    raise UpstreamError("upstream_protocol", "the answer has two lengths", sent=True)
                lengths = {"transfer-encoding", "content-length"}.intersection(names)
                self._framed = bool(lengths) or self._bodyless or event.status_code in (204, 304)
                return ResponseHead(status=event.status_code, reason=bytes(event.reason), headers=headers)
            break
        raise UpstreamError("upstream_protocol", "the service did not answer in HTTP/1.1", sent=True)

    def poll(self) -> bytes | _Pending | None:
        """The next bytes of the answer, None at its end, `PENDING` while there are none. Raises `UpstreamError`."""
        while True:
            try:
                event = self._h11.next_event()
                if event is h11.NEED_DATA:
                    data = self.wire.take()
                    if data is None:
                        return PENDING
                    self._h11.receive_data(data)
                    continue
            except h11.RemoteProtocolError as error:
                raise _broken(error) from None
            if isinstance(event, h11.Data):
                return bytes(event.data)
            if isinstance(event, h11.EndOfMessage):
                # An answer that ends with its connection is whole only where its sender said so.
                self.complete = self._framed or self.wire.clean
                return None
            raise UpstreamError("upstream_protocol", "the answer is not HTTP/1.1", sent=True)

    async def wait(self, patience: float | None) -> None:
        """Wait until `poll` has news, at most `patience` seconds. Raises `UpstreamError`."""
        if self.wire.peeked:
            # It came while the client was written to. A full buffer reads no more: waiting for more would be for ever.
            return
        limit = self._settings.response_idle_seconds_max
        self.wire.within(limit if patience is None else min(limit, patience))
        try:
            await self.wire.more()
        except WireTimeoutError:
            raise UpstreamError("upstream_timeout", "the service stopped in its answer", sent=True) from None

    def within(self, patience: float) -> None:
        """From now on `wait` takes at most this long, also where it has begun."""
        self.wire.within(min(self._settings.response_idle_seconds_max, patience))

    async def _event(self) -> h11.Event:
        while True:
            try:
                event = self._h11.next_event()
                if event is h11.NEED_DATA:
                    self._h11.receive_data(await self.wire.read())
                    continue
            except h11.RemoteProtocolError as error:
                raise _broken(error) from None
            except WireTimeoutError:
                raise UpstreamError("upstream_timeout", "the service took too long to answer", sent=True) from None
            if not isinstance(event, h11.Event):
                raise UpstreamError("upstream_closed", "the service closed the connection", sent=True)
            return event

    def release(self) -> None:
        """Keep the connection for another request where that is possible, else close it."""
        if self._ended:
            return
        self._ended = True
        clean = self._h11.their_state is h11.DONE and self.complete and not self.spoiled
        if clean and not self.wire.gone and not self._h11.trailing_data[0] and not self.wire.peeked:
            self.wire.at_leisure()
            self._give_back()
        else:
            self.wire.close()

    def abort(self) -> None:
        """End the connection at once."""
        if not self._ended:
            self._ended = True
            self.wire.abort()


def _broken(error: h11.RemoteProtocolError) -> UpstreamError:
    return UpstreamError("upstream_protocol", f"the service's answer is broken: {error}", sent=True)
