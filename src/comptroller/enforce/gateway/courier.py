"""Carries actions of our own to their services: encoded and signed like an agent's, the answer read whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from comptroller.core.action import Action
from comptroller.core.errors import RefusedError
from comptroller.core.request import Outgoing, Unencodable
from comptroller.decode.answer import ANSWER_BYTES_MAX
from comptroller.decode.made import request_for
from comptroller.enforce.gateway.credentials import CredentialBroker, NoCredentialError
from comptroller.enforce.gateway.exchange import PENDING, Exchange, UpstreamError
from comptroller.enforce.gateway.upstream import Upstream
from comptroller.engine.orders import Answer
from comptroller.engine.sequencer import Permit
from comptroller.ports import Registry


class GatewayCourier:
    """`engine.orders.Courier` over the gateway's own way out and its credentials."""

    def __init__(self, *, registry: Registry, credentials: CredentialBroker, upstream: Upstream) -> None:
        self._registry = registry
        self._credentials = credentials
        self._upstream = upstream

    async def check(self, action: Action) -> None:
        """As `Courier.check`."""
        with _explained(action):
            await self._signed(action)

    async def carry(self, permit: Permit, action: Action) -> Answer:
        """As `Courier.carry`."""
        with _explained(action):
            exchange = await self._upstream.send(await self._signed(action), permit, action)
            try:
                return await _read(exchange)
            finally:
                exchange.abort()

    async def _signed(self, action: Action) -> Outgoing:
        request = request_for(action)
        codec = self._registry.codec_for(request)
        outgoing = codec.encode(action, request)
        exposed = self._upstream.exposed(outgoing.scheme, outgoing.host)
        await self._credentials.prepare(codec.name, outgoing.host, action.agent)
        return self._credentials.apply(outgoing, action.agent, exposed=exposed)


@contextmanager
def _explained(action: Action) -> Iterator[None]:
    try:
        yield
    except (UpstreamError, NoCredentialError, Unencodable) as error:
        raise RefusedError(
            f"`{action.operation}` for agent `{action.agent}` did not reach {action.host}: {error}",
            hint="check the agent's credentials and the network; it is tried again",
        ) from error


async def _read(exchange: Exchange) -> Answer:
    """The whole answer. Raises `UpstreamError` for one that is too long or cut."""
    head = await exchange.head()
    body = bytearray()
    while True:
        piece = exchange.poll()
        if piece is PENDING:
            await exchange.wait(None)
            continue
        if piece is None:
            break
        assert isinstance(piece, bytes)
        body += piece
        if len(body) > ANSWER_BYTES_MAX:
            raise UpstreamError("upstream_protocol", "the answer is too long", sent=True)
    if not exchange.complete:
        raise UpstreamError("upstream_closed", "the answer was cut", sent=True)
    exchange.release()
    return Answer(status=head.status, body=bytes(body), headers=tuple(head.headers))
