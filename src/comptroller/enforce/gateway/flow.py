"""One request through the line: read, admit, then release, hold or refuse; and settle before the next one is read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from math import ceil

from comptroller.core.action import Action
from comptroller.core.approval import Approval
from comptroller.core.errors import ComptrollerError
from comptroller.core.estimate import Outcome
from comptroller.core.request import (
    BOUND_STREAM_BYTES_MAX,
    BUFFERED_BODY_BYTES_MAX,
    Outgoing,
    Request,
    Stream,
    Unencodable,
)
from comptroller.core.verdict import Reason, Verdict, VerdictKind
from comptroller.decode.codec import Codec, Meter
from comptroller.enforce.gateway.answers import heartbeat_for, plain_error, with_reason
from comptroller.enforce.gateway.body import Allowance, BodyFilter, Held, Spool, read_bound, remaining
from comptroller.enforce.gateway.credentials import CredentialBroker, NoCredentialError
from comptroller.enforce.gateway.doors import is_host_service
from comptroller.enforce.gateway.exchange import PENDING, Exchange, UpstreamError
from comptroller.enforce.gateway.http1 import CONTINUE, BadRequestError, Head, Http1
from comptroller.enforce.gateway.internal import Internal
from comptroller.enforce.gateway.refusals import Refusals
from comptroller.enforce.gateway.relay import Relay
from comptroller.enforce.gateway.settings import INTERNAL_HOST, GatewaySettings, RunIdentity
from comptroller.enforce.gateway.upstream import Upstream
from comptroller.enforce.gateway.wire import WireClosedError
from comptroller.engine.gatekeeper import Gatekeeper, Refused, Released
from comptroller.engine.messages import refusal
from comptroller.engine.sequencer import Permit
from comptroller.ports import Registry

FLUSH_BYTES = 64 << 10
NO_HOST_SERVICE = "this run has no such host service: a person names one with --host-service NAME=PORT"
NOT_HTTP = "this host service is carried without being understood, at its own port alone"
NOT_SENT = Outcome(status=0, ok=False, complete=True, charged=False)
"""Nothing left: the way out failed before the first byte."""

_SERVER_ERRORS = {"upstream_timeout": 504}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What every flow of one gateway shares."""

    gatekeeper: Gatekeeper
    registry: Registry
    credentials: CredentialBroker
    upstream: Upstream
    internal: Internal
    settings: GatewaySettings
    books: set[asyncio.Task[None]] = field(default_factory=set)
    """Settlements under way."""


@dataclass(slots=True)
class _Fate:
    """What became of a released action, as far as is known when its books are closed."""

    outcome: Outcome | None = None
    sent: bool = False
    why: str = "the gateway stopped before the answer was read"
    meter: Meter | None = None
    """What read the answer so far, once its head has come."""

    def told(self) -> Outcome | None:
        """What is known where the answer was not read to its end because the gateway stopped: none where it had told
        nothing about its cost."""
        outcome = self.meter.finish(complete=False) if self.meter is not None else None
        return outcome if outcome is not None and outcome.usage else None


class Flow:
    """The requests of one connection, one after another."""

    def __init__(
        self,
        line: Line,
        *,
        identity: RunIdentity,
        http: Http1,
        connection: str,
        allowance: Allowance,
        refusals: Refusals,
    ) -> None:
        self._line = line
        self._identity = identity
        self._http = http
        self._connection = connection
        self._allowance = allowance
        self._refusals = refusals
        self.busy = False
        """True while a released action is on its way: ending the task now would lose what it cost."""
        self._books: asyncio.Task[None] | None = None

    async def handle(self, head: Head, number: int) -> None:
        """Answer one request. Raises `BadRequestError`, the wire's errors, and nothing about the request itself."""
        if head.host == INTERNAL_HOST:
            await self._tell(head)
            return
        if is_host_service(head.host):
            service = self._identity.host_services.get(head.host)
            if service is None:
                raise BadRequestError(403, "no_host_service", NO_HOST_SERVICE)
            if service.tcp:
                raise BadRequestError(403, "not_http", f"{NOT_HTTP}: connect to {service.host}:{service.port}")
        held = Held(self._allowance)
        try:
            await self._receive(head, number, held)
        finally:
            held.close()

    async def _tell(self, head: Head) -> None:
        if head.length != 0:
            raise BadRequestError(400, "bad_request", "a request to comptroller.internal has no body")
        await self._http.piece()
        answer = await self._line.internal.answer(self._identity.run, head.method, head.target)
        await self._http.respond(answer.status, answer.headers, answer.body)

    # ------------------------------------------------------------ reading

    async def _receive(self, head: Head, number: int, held: Held) -> None:
        attempt = f"{self._connection}.{number}"
        length = head.length
        if length is not None and length > BOUND_STREAM_BYTES_MAX:
            await self._large(self._request(head, attempt, stream=Stream(length_bytes=length)), head, b"")
            return
        if head.expects_continue and length != 0:
            announced = self._request(head, attempt, stream=Stream(length_bytes=length))
            action, result = self._line.gatekeeper.preview(announced)
            if result.kind is VerdictKind.DENY and not action.undecodable:
                await self._large(announced, head, b"")
                return
            self._http.interim(CONTINUE)
        body, whole = await read_bound(
            self._http, held, length=length, seconds_max=self._line.settings.body_seconds_max
        )
        if whole:
            await self._buffered(self._request(head, attempt, body=body), head)
        else:
            await self._large(
                self._request(head, attempt, stream=Stream(length_bytes=length)),
                replace(head, expects_continue=False),
                body,
            )

    def _request(self, head: Head, attempt: str, *, body: bytes = b"", stream: Stream | None = None) -> Request:
        return Request(
            scheme=head.scheme,
            method=head.method,
            host=head.host,
            port=head.port,
            target=head.target,
            headers=head.headers,
            body=body,
            agent=self._identity.agent,
            run=self._identity.run,
            stream=stream,
            accounts=self._identity.accounts,
            attempt=attempt,
        )

    # ------------------------------------------------------------ deciding

    async def _buffered(self, request: Request, head: Head) -> None:
        codec = self._line.registry.codec_for(request)
        if len(request.body) > BUFFERED_BODY_BYTES_MAX:
            action = codec.decode(request)
            if not action.undecodable and len(request.body) - _carried(action) > BUFFERED_BODY_BYTES_MAX:
                text = f"the request's body is over {BUFFERED_BODY_BYTES_MAX} bytes"
                await self._deny(request, codec, action, "body_too_large", text)
                return
        if await self._lacks_credential(request, codec):
            return
        answer = await self._admit(request, head, self._identity.hold_seconds)
        if isinstance(answer, Refused):
            await self._refuse(answer, request)
        else:
            await self._release(answer, request, None)

    async def _large(self, request: Request, head: Head, prefix: bytes) -> None:
        """A body that is not held in memory: passed through on an allow, kept on disk where people are asked."""
        codec = self._line.registry.codec_for(request)
        action, result = self._line.gatekeeper.preview(request)
        if result.kind is not VerdictKind.DENY and await self._lacks_credential(request, codec):
            return
        if result.kind is VerdictKind.REQUIRE_APPROVAL:
            await self._spooled(request, head, codec, action, prefix)
            return
        answer = await self._admit(request, head, 0.0)
        if isinstance(answer, Refused):
            await self._refuse(answer, request)
            return
        if head.expects_continue:
            self._http.interim(CONTINUE)
        await self._release(answer, request, remaining(self._http, prefix, _filter(codec, answer.action, request)))

    async def _spooled(self, request: Request, head: Head, codec: Codec, action: Action, prefix: bytes) -> None:
        assert request.stream is not None
        settings = self._line.settings
        if (request.stream.length_bytes or 0) > settings.spool_bytes_max:
            text = f"a body over {settings.spool_bytes_max} bytes cannot be approved"
            await self._deny(request, codec, action, "body_too_large", text)
            return
        if head.expects_continue:
            self._http.interim(CONTINUE)
        source = remaining(self._http, prefix, _filter(codec, action, request))
        spool = await Spool.fill(source, folder=settings.spool_folder, bytes_max=settings.spool_bytes_max)
        try:
            bound = replace(request, stream=Stream(length_bytes=spool.length_bytes, sha256=spool.sha256))
            answer = await self._admit(bound, head, self._identity.hold_seconds)
            if isinstance(answer, Refused):
                await self._refuse(answer, bound)
            else:
                await self._release(answer, bound, spool.pieces())
        finally:
            spool.close()

    async def _lacks_credential(self, request: Request, codec: Codec) -> bool:
        """Refuse here what would be allowed and could not be signed; what is denied anyway is told so instead."""
        exposed = self._line.upstream.exposed(request.scheme, request.host)
        await self._line.credentials.prepare(codec.name, request.host, self._identity.agent)
        why = self._line.credentials.missing(codec.name, request.host, self._identity.agent, exposed=exposed)
        if why is None:
            return False
        action, result = self._line.gatekeeper.preview(request)
        if result.kind is VerdictKind.DENY:
            return False
        await self._deny(request, codec, action, "no_credential", why)
        return True

    async def _admit(self, request: Request, head: Head, hold_seconds: float) -> Released | Refused:
        self._http.wire.at_leisure()
        answer = await self._line.gatekeeper.admit(request, hold_seconds=0.0)
        if isinstance(answer, Refused) and answer.approval is not None and hold_seconds > 0:
            return await self._hold(request, head, hold_seconds, answer.approval.id)
        return answer

    async def _hold(self, request: Request, head: Head, hold_seconds: float, question: str) -> Released | Refused:
        """Wait for people, and keep the client waiting alive; when it leaves, the question stays."""
        loop, wire = asyncio.get_running_loop(), self._http.wire
        waiting = asyncio.create_task(self._line.gatekeeper.admit(request, hold_seconds=hold_seconds, waited=question))
        line, seconds = heartbeat_for(head), self._line.settings.heartbeat_seconds
        timer: asyncio.TimerHandle | None = None

        def beat() -> None:
            nonlocal timer
            if line is not None:
                self._http.interim(line)
                timer = loop.call_later(seconds, beat)

        def gone() -> None:
            waiting.cancel()

        timer = loop.call_later(seconds, beat)
        wire.on_gone = gone
        if wire.gone:
            gone()
        try:
            return await waiting
        except asyncio.CancelledError:
            if wire.gone and waiting.cancelled():
                raise WireClosedError("the client left while its call was held") from None
            raise
        finally:
            wire.on_gone = None
            timer.cancel()

    # ------------------------------------------------------------ refusing

    async def _refuse(self, refused: Refused, request: Request) -> None:
        await self._answer(refused.codec, refused.action, request, refused.verdict, refused.message, refused.approval)

    async def _deny(self, request: Request, codec: Codec, action: Action, code: str, text: str) -> None:
        """A refusal of the gateway's own: no verdict was asked for, so it is recorded as the box's."""
        verdict = Verdict(kind=VerdictKind.DENY, reasons=(Reason(code=code, text=text),))
        self._refusals.note(code, request.endpoint, text if code == "no_credential" else action.operation)
        await self._answer(codec, action, request, verdict, refusal(verdict, None), None)

    async def _answer(
        self, codec: Codec, action: Action, request: Request, verdict: Verdict, message: str, approval: Approval | None
    ) -> None:
        native = codec.refuse(action, request, verdict, message)
        await self._http.respond(native.status, with_reason(native, message, approval), native.body)

    # ------------------------------------------------------------ releasing

    async def _release(self, released: Released, request: Request, body: AsyncIterator[bytes] | None) -> None:
        fate = _Fate()
        clock = asyncio.get_running_loop().time
        began = clock()
        self.busy = True
        try:
            outgoing = self._outgoing(released, request)
            fate.sent = True
            exchange = await self._line.upstream.send(outgoing, released.permit, released.action, body=body)
            try:
                outcome = await self._relay(exchange, released, outgoing.secret, fate)
                fate.outcome = replace(outcome, elapsed_milliseconds=ceil((clock() - began) * 1000))
            finally:
                exchange.abort()
        except UpstreamError as error:
            fate.sent, fate.why = error.sent, error.text
            if not error.sent:
                # Allowed, and yet it never left: the person should not have to guess why.
                self._refusals.note(error.code, request.endpoint, error.text)
            await self._failed(error.code, error.text)
        except (Unencodable, NoCredentialError) as error:
            code = "no_credential" if isinstance(error, NoCredentialError) else "unencodable"
            await self._deny(request, released.codec, released.action, code, str(error))
        except BadRequestError:
            fate.why = "the request's body was broken on its way"
            raise
        except asyncio.CancelledError:
            fate.outcome = fate.outcome or fate.told()
            raise
        finally:
            await self._begin_books(released.permit, fate)
            self.busy = False

    def _outgoing(self, released: Released, request: Request) -> Outgoing:
        outgoing = released.codec.encode(released.action, request)
        sha256 = request.stream.sha256 if request.stream is not None else None
        exposed = self._line.upstream.exposed(outgoing.scheme, outgoing.host)
        return self._line.credentials.apply(outgoing, self._identity.agent, payload_sha256=sha256, exposed=exposed)

    async def _begin_books(self, permit: Permit, fate: _Fate) -> None:
        """Queue the settlement: the store writes in order, so that the connection's next request is judged after it.

        No cancellation reaches it, and more than two are never under way: an admission waits behind them.
        """
        self._books = asyncio.create_task(self._close_books(permit, fate))
        self._line.books.add(self._books)
        self._books.add_done_callback(self._line.books.discard)
        # The task takes its place in the queue before anything else of this connection can.
        await asyncio.sleep(0)

    async def finish(self) -> None:
        """Wait until what was released is settled."""
        if self._books is not None and not self._books.done():
            await asyncio.shield(self._books)

    async def _close_books(self, permit: Permit, fate: _Fate) -> None:
        # A store that cannot take this keeps the money held: recovery moves it to suspense.
        with suppress(ComptrollerError):
            if fate.outcome is not None:
                await self._line.gatekeeper.settle(permit, fate.outcome)
            elif fate.sent:
                await self._line.gatekeeper.suspend(permit, fate.why)
            else:
                await self._line.gatekeeper.settle(permit, NOT_SENT)

    async def _failed(self, code: str, text: str) -> None:
        """Tell the client that the way out failed, where it can still be told."""
        if self._http.started:
            self._http.wire.abort()
            return
        answer = plain_error(_SERVER_ERRORS.get(code, 502), text)
        await self._http.respond(answer.status, with_reason(answer, f"{code}: {text}", None), answer.body)

    # ------------------------------------------------------------ the answer

    async def _relay(self, exchange: Exchange, released: Released, secret: str, fate: _Fate) -> Outcome:
        """Pass the answer on as it comes, and let the meter read it; a client that left is outlived, within bounds."""
        head = await exchange.head()
        meter = released.codec.meter(released.action)
        relay = Relay(self._http, self._line.settings, meter, secret=secret, note=released.lowered)
        relay.head(head.status, head.reason, head.headers)
        fate.meter = meter
        self._http.wire.on_lost = lambda: exchange.within(relay.leave())
        try:
            if not await self._pass_on(exchange, relay):
                return meter.finish(complete=False)
        finally:
            self._http.wire.on_lost = None
        if not exchange.complete:
            await relay.cut()
            return meter.finish(complete=False)
        exchange.release()
        await relay.end()
        return meter.finish(complete=True)

    async def _pass_on(self, exchange: Exchange, relay: Relay) -> bool:
        """Pass the body on; False where it was cut, or not waited for."""
        while True:
            try:
                piece = exchange.poll()
                if piece is PENDING:
                    await relay.flush()
                    await exchange.wait(relay.patience)
                    continue
            except UpstreamError:
                await relay.cut()
                return False
            if piece is None:
                return True
            relay.feed(piece)
            if relay.waiting >= FLUSH_BYTES:
                await relay.flush()
            if relay.exhausted:
                return False


def _carried(action: Action) -> int:
    """Bytes of the body that the action's parameters hold as they are."""
    return sum(len(value) for value in action.parameters.values() if isinstance(value, bytes | bytearray))


def _filter(codec: Codec, action: Action, request: Request) -> BodyFilter | None:
    """The codec's filter for a streamed body, where it has one."""
    make = getattr(codec, "body_filter", None)
    found: BodyFilter | None = make(action, request) if make is not None else None
    return found
