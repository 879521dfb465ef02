"""One connection of a declared TCP service: allowed as a write, carried byte for byte, cut when its bytes are used up.

Nothing is understood; what is held is where it goes, how much it may send, and that its end is known.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from comptroller.core.errors import ComptrollerError
from comptroller.core.estimate import Outcome, Unit
from comptroller.core.request import Header, Request, Stream
from comptroller.enforce.gateway.doors import TcpService
from comptroller.enforce.gateway.exchange import UpstreamError
from comptroller.enforce.gateway.flow import NOT_SENT, Line
from comptroller.enforce.gateway.postgres import decline_encryption
from comptroller.enforce.gateway.settings import RunIdentity
from comptroller.enforce.gateway.wire import Wire, WireClosedError
from comptroller.engine.gatekeeper import Refused, Released


class TcpFlow:
    """One connection of the box to `service`."""

    def __init__(
        self,
        line: Line,
        *,
        identity: RunIdentity,
        wire: Wire,
        service: TcpService,
        connection: str,
        note: Callable[[str, str, str], None],
    ) -> None:
        self._line = line
        self._identity = identity
        self._wire = wire
        self._service = service
        self._connection = connection
        self._note = note
        self._part = 0
        self._released: Released | None = None
        self._left = 0
        self._sent = 0
        self._begun = False
        self._seconds = line.settings.stream_idle_seconds_max
        self._books: set[asyncio.Task[None]] = set()

    async def carry(self) -> None:
        """From the verdict to the end. Raises the wire's errors; what was reserved is settled whatever happens."""
        upstream: Wire | None = None
        try:
            if not await self._more():
                return
            assert self._released is not None
            upstream = await self._line.upstream.connect(self._released.permit, self._released.action, self._service)
            self._begun = True
            if self._service.tls == "postgres":
                self._wire.within(self._line.settings.first_byte_seconds_max)
                await decline_encryption(self._wire)
            await self._both(upstream)
            upstream.close()
            upstream = None
        except UpstreamError as error:
            self._note(error.code, f"{self._service.host}:{self._service.port}", error.text)
        finally:
            if upstream is not None:
                # Not an end in order: what waits to leave stays here.
                upstream.abort()
            self._settle()

    async def finish(self) -> None:
        """Wait until what was released is settled."""
        if self._books:
            await asyncio.wait(tuple(self._books))

    # ------------------------------------------------------------ allowance

    async def _more(self) -> bool:
        """Settle what is used up, and ask for the next allowance; False where it is refused."""
        self._settle()
        self._part += 1
        service = self._service
        request = Request(
            scheme="https",
            method="",
            host=service.host,
            port=service.port,
            target="",
            headers=(Header("part", str(self._part)), Header("tls", service.tls)),
            body=b"",
            agent=self._identity.agent,
            run=self._identity.run,
            stream=Stream(length_bytes=service.allowance_bytes),
            attempt=f"{self._connection}.{self._part}",
            transport="tcp",
        )
        answer = await self._line.gatekeeper.admit(request, hold_seconds=0.0)
        if isinstance(answer, Refused) and answer.approval is not None and self._identity.hold_seconds > 0:
            answer = await self._hold(request, answer.approval.id)
        if isinstance(answer, Refused):
            return False
        self._released, self._left, self._sent = answer, service.allowance_bytes, 0
        return True

    async def _hold(self, request: Request, question: str) -> Released | Refused:
        """Wait for people; a client that leaves meanwhile takes no yes with it, and the question stays."""
        waiting = asyncio.create_task(
            self._line.gatekeeper.admit(request, hold_seconds=self._identity.hold_seconds, waited=question)
        )
        was_there = not self._wire.gone

        def gone() -> None:
            waiting.cancel()

        if was_there:
            self._wire.on_gone = gone
        try:
            return await waiting
        except asyncio.CancelledError:
            if was_there and self._wire.gone and waiting.cancelled():
                raise WireClosedError("the client left while its connection was held") from None
            raise
        finally:
            self._wire.on_gone = None

    def _settle(self) -> None:
        """Close the books of the allowance in use, at what was sent under it; in the background, past any cancel."""
        released, self._released = self._released, None
        if released is None:
            return
        sent = {Unit.EGRESS_BYTES: self._sent}
        outcome = Outcome(status=0, ok=True, complete=True, actual=sent) if self._begun else NOT_SENT
        task = asyncio.create_task(self._close_books(released, outcome))
        for known in (self._books, self._line.books):
            known.add(task)
            task.add_done_callback(known.discard)

    async def _close_books(self, released: Released, outcome: Outcome) -> None:
        # A store that cannot take this keeps it held: recovery moves it to suspense.
        with contextlib.suppress(ComptrollerError):
            await self._line.gatekeeper.settle(released.permit, outcome)

    # ------------------------------------------------------------ carrying

    async def _both(self, upstream: Wire) -> None:
        self._touch(upstream)
        ways = {asyncio.create_task(self._outward(upstream)), asyncio.create_task(self._inward(upstream))}
        try:
            done, left = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            if left and all(task.exception() is None and task.result() for task in done):
                self._seconds = self._line.settings.stream_linger_seconds_max
                self._touch(upstream)
                done, _ = await asyncio.wait(left)
            for task in done:
                task.result()
        finally:
            for task in ways:
                task.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _outward(self, upstream: Wire) -> bool:
        """From the box, within what is allowed; False where the connection is cut."""
        while data := await self._wire.read():
            while data:
                if self._left == 0 and not await self._more():
                    return False
                part, data = data[: self._left], data[self._left :]
                # Counted before it leaves: what is written may be on its way whatever happens next.
                self._left -= len(part)
                self._sent += len(part)
                self._touch(upstream)
                upstream.write(part)
                await upstream.drain()
            self._touch(upstream)
        upstream.finish()
        return True

    async def _inward(self, upstream: Wire) -> bool:
        """From the service, as it comes."""
        while data := await upstream.read():
            self._touch(upstream)
            self._wire.write(data)
            await self._wire.drain()
        self._wire.finish()
        return True

    def _touch(self, upstream: Wire) -> None:
        """Something passed: both sides have their whole patience again."""
        for wire in (self._wire, upstream):
            wire.within(self._seconds)
