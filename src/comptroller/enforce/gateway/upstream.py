"""The way out: resolves, checks and connects, and sends nothing that comes without its permit."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from comptroller.core.action import Action, digest
from comptroller.core.errors import ConfigError
from comptroller.core.request import Outgoing
from comptroller.enforce.gateway.addresses import host_matches, is_here, is_metadata, is_own, is_public
from comptroller.enforce.gateway.doors import HostServices, TcpService, is_host_service
from comptroller.enforce.gateway.exchange import Exchange, UpstreamError
from comptroller.enforce.gateway.http1 import field_lines
from comptroller.enforce.gateway.postgres import ask_for_tls
from comptroller.enforce.gateway.settings import GatewaySettings
from comptroller.enforce.gateway.sigv4 import authority
from comptroller.enforce.gateway.tls import client_context
from comptroller.enforce.gateway.wire import Wire, WireTimeoutError, open_wire
from comptroller.engine.sequencer import Permit

_FRAMING = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "expect", "upgrade", "te", "trailer"}
)
_BODYLESS = frozenset({"GET", "HEAD", "DELETE", "OPTIONS"})

LOOPBACK = "127.0.0.1"
"""Where host services are; they listen on the machine, which is why each is named."""

_METHOD = re.compile(r"[A-Z]{1,32}\Z")
_TARGET = re.compile(r"/[\x21-\x7e]*\Z")

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Host and port -> addresses as text; raises `OSError`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where a host is reached. `named` is True where the configuration named the destination itself."""

    scheme: Literal["http", "https", "tcp"]
    host: str
    port: int
    named: bool


@dataclass(slots=True)
class _Idle:
    wire: Wire
    since: float


_PoolKey = tuple[str, str, int, str]


class _Spent:
    """Which numbers were taken; the oldest are forgotten together with all below them."""

    def __init__(self, remembered_max: int) -> None:
        self._max = remembered_max
        self._below = -1
        self._taken: OrderedDict[int, None] = OrderedDict()

    def take(self, number: int) -> bool:
        """True the first time."""
        if number <= self._below or number in self._taken:
            return False
        self._taken[number] = None
        while len(self._taken) > self._max:
            self._below = max(self._below, self._taken.popitem(last=False)[0])
        return True


class Upstream:
    """All connections to the outside. One per gateway."""

    def __init__(
        self,
        *,
        settings: GatewaySettings,
        upstreams: Mapping[str, str],
        private: Sequence[str],
        resolve: Resolve | None = None,
        host_services: HostServices | None = None,
        own_url: str = "",
    ) -> None:
        """`upstreams` maps a host (exact or `*.suffix`) to a development URL, `private` names hosts that may have
        private addresses; `host_services` leads single runs to the machine's own. `own_url` is under which origin
        people open the console. Raises `ConfigError`."""
        self.host_services = host_services or HostServices()
        self.own_ports: set[int] = set()
        """Ports of this machine where Comptroller itself listens. Whoever listens adds its own; nothing leads there."""
        self._own_place = _place_of(own_url)
        self._settings = settings
        self._upstreams = {host: _development(host, url) for host, url in upstreams.items()}
        self._private = tuple(private)
        self._resolve = resolve or _system_resolve
        self._context: ssl.SSLContext | None = None
        self._idle: OrderedDict[_PoolKey, list[_Idle]] = OrderedDict()
        self._spent = _Spent(self._settings.permits_remembered_max)
        self._spent_of_outages = _Spent(self._settings.permits_remembered_max)

    @property
    def development(self) -> Mapping[str, str]:
        """Which hosts go to a development URL, to be printed at start."""
        return {host: f"{route.scheme}://{route.host}:{route.port}" for host, route in self._upstreams.items()}

    async def send(
        self,
        outgoing: Outgoing,
        permit: Permit,
        action: Action,
        *,
        body: AsyncIterator[bytes] | None = None,
    ) -> Exchange:
        """Send `outgoing`, whose streamed body comes from `body`. Raises `UpstreamError`.

        A request is never sent twice: a kept connection is used only while it is known to be open.
        """
        self._spend(permit, action)
        route = self.route(outgoing, permit.run)
        key = (route.scheme, f"{outgoing.host}>{route.host}", route.port, permit.run)
        wire = self._take(key) or await self._connect(route, outgoing.host)
        exchange = Exchange(
            wire,
            self._settings,
            method=outgoing.method,
            give_back=lambda: self._keep(key, _Idle(wire, wire.now)),
        )
        try:
            await self._write(exchange, outgoing, body)
        except BaseException:
            exchange.abort()
            raise
        return exchange

    async def connect(self, permit: Permit, action: Action, service: TcpService) -> Wire:
        """A connection that carries what nobody understands; encrypted and verified where `service` says so.

        Raises `UpstreamError`.
        """
        self._spend(permit, action)
        pattern = host_matches(service.host, self._upstreams)
        named = self._upstreams[pattern] if pattern is not None else None
        host, port = service.host, service.port
        if is_host_service(service.host):
            named = self._of_machine(service.host, permit.run)
        if named is not None and named.scheme == "tcp":
            host, port = named.host, named.port
        else:
            named = None
        scheme: Literal["https", "tcp"] = "tcp" if service.tls == "none" else "https"
        route = Route(scheme=scheme, host=host, port=port, named=named is not None)
        return await self._connect(route, service.host, postgres=service.tls == "postgres")

    def _spend(self, permit: Permit, action: Action) -> None:
        # INVARIANT: what is sent is what was judged, and a permit is used once.
        if digest(action) != permit.digest:
            raise UpstreamError("permit", "the permit is for another action", sent=False)
        numbers = self._spent if permit.entry >= 0 else self._spent_of_outages
        if not numbers.take(abs(permit.entry)):
            raise UpstreamError("permit", "the permit was used before", sent=False)

    def route(self, outgoing: Outgoing, run: str) -> Route:
        """Where `outgoing` of `run` is really sent. Raises `UpstreamError` for what leads nowhere."""
        if is_host_service(outgoing.host):
            found = self._of_machine(outgoing.host, run)
            if found.scheme == "tcp":
                raise UpstreamError("host_service", f"`{outgoing.host}` does not speak HTTP", sent=False)
            return found
        pattern = host_matches(outgoing.host, self._upstreams)
        if pattern is not None:
            route = self._upstreams[pattern]
            if route.scheme == "tcp":
                raise UpstreamError("upstream_protocol", f"`{outgoing.host}` leads to a tcp:// upstream", sent=False)
            return route
        return Route(scheme=outgoing.scheme, host=outgoing.host, port=outgoing.port, named=False)

    def _of_machine(self, host: str, run: str) -> Route:
        """The one way to this machine's own loopback: a service that a person named for this very run."""
        service = self.host_services.find(run, host)
        if service is None:
            raise UpstreamError("host_service", f"`{host}` is no host service of this run", sent=False)
        return Route(scheme="tcp" if service.tcp else "http", host=LOOPBACK, port=service.port, named=True)

    def exposed(self, scheme: str, host: str) -> bool:
        """True where a request would travel unencrypted to a host that nobody named as a near one."""
        if is_host_service(host):
            return False
        return scheme == "http" and not host_matches(host, self._upstreams) and not host_matches(host, self._private)

    # ------------------------------------------------------------ writing

    async def _write(self, exchange: Exchange, outgoing: Outgoing, body: AsyncIterator[bytes] | None) -> None:
        data = request_head(outgoing)
        wire = exchange.wire
        wire.within(self._settings.response_idle_seconds_max)
        try:
            if outgoing.stream is None:
                wire.write(data + outgoing.body)
                await wire.drain()
            else:
                assert body is not None
                wire.write(data)
                await self._stream(exchange, outgoing.stream.length_bytes, body)
        except WireTimeoutError:
            raise UpstreamError("upstream_timeout", "the service does not take the request", sent=True) from None
        except ConnectionError:
            if not wire.peeked:
                raise UpstreamError("upstream_closed", "the service closed the connection", sent=True) from None
            exchange.spoiled = True

    async def _stream(self, exchange: Exchange, length: int | None, body: AsyncIterator[bytes]) -> None:
        """Write a streamed body, exactly as long as was announced; stop where the service answers early."""
        wire, written = exchange.wire, 0
        async for part in body:
            if wire.peeked or wire.gone:
                exchange.spoiled = True
                return
            written += len(part)
            if length is not None and written > length:
                raise UpstreamError("stream_length", "the body is longer than was announced", sent=True)
            wire.within(self._settings.response_idle_seconds_max)
            wire.write(part if length is not None else b"%x\r\n%b\r\n" % (len(part), part))
            await wire.drain()
            wire.at_leisure()
        if length is not None and written < length:
            raise UpstreamError("stream_length", "the body is shorter than was announced", sent=True)
        if length is None:
            wire.write(b"0\r\n\r\n")
        await wire.drain()

    # ------------------------------------------------------------ connecting

    async def _connect(self, route: Route, name: str, *, postgres: bool = False) -> Wire:
        failure: Exception | None = None
        self._refuse_own_name(route, name)
        addresses = await self._addresses(route, name)
        for address in addresses[: self._settings.connect_addresses_max]:
            wire: Wire | None = None
            try:
                wire = await open_wire(
                    (address, route.port),
                    family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                    seconds=self._settings.connect_seconds_max,
                    tick_seconds=self._settings.tick_seconds,
                )
                if route.scheme == "https":
                    wire.within(self._settings.handshake_seconds_max)
                    if postgres:
                        await ask_for_tls(wire)
                    await wire.handshake(self._trust(), server_side=False, server_hostname=route.host)
                return wire
            except ssl.SSLCertVerificationError as error:
                failure = error
                if wire is not None:
                    wire.abort()
                reason = error.verify_message
                raise UpstreamError(
                    "upstream_tls", f"the certificate of `{route.host}` does not verify: {reason}", sent=False
                ) from None
            except (OSError, TimeoutError, WireTimeoutError) as error:
                failure = error
                if wire is not None:
                    wire.abort()
            except BaseException:
                if wire is not None:
                    wire.abort()
                raise
        why = type(failure).__name__ if failure is not None else "no address"
        raise UpstreamError("upstream_unreachable", f"`{name}` cannot be reached ({why})", sent=False)

    def _refuse_own_name(self, route: Route, name: str) -> None:
        host, port = self._own_place
        if host and host in (name, route.host) and (route.named or route.port == port):
            raise _own(name)

    async def _addresses(self, route: Route, name: str) -> list[str]:
        try:
            async with asyncio.timeout(self._settings.connect_seconds_max):
                found = list(dict.fromkeys(await self._resolve(route.host, route.port)))
        except (OSError, UnicodeError, TimeoutError):
            raise UpstreamError("upstream_unknown", f"`{name}` cannot be resolved", sent=False) from None
        # INVARIANT: whatever names it, no route leads to a port on which Comptroller itself listens.
        elsewhere = [each for each in found if route.port not in self.own_ports or not is_here(each, route.port)]
        if found and not elsewhere:
            raise _own(name)
        found = elsewhere
        if route.named:
            return found
        private = host_matches(route.host, self._private)
        if private == route.host:
            allowed = [address for address in found if not is_metadata(address)]
        elif private is not None:
            # Of `*.suffix` nobody read every name: whoever answers for one must not lead to this machine's own ports.
            allowed = [address for address in found if not is_metadata(address) and not is_here(address, route.port)]
        else:
            allowed = [address for address in found if is_public(address) and not is_own(address, route.port)]
        if found and not allowed:
            raise UpstreamError(
                "private_address", f"`{name}` has only addresses that agents may not reach through here", sent=False
            )
        return allowed

    def _trust(self) -> ssl.SSLContext:
        if self._context is None:
            self._context = client_context(self._settings.extra_ca_file)
        return self._context

    # ------------------------------------------------------------ the pool

    def _take(self, key: _PoolKey) -> Wire | None:
        kept = self._idle.get(key)
        while kept:
            idle = kept.pop()
            fresh = idle.wire.now - idle.since < self._settings.pool_idle_seconds_max
            if fresh and not idle.wire.gone and not idle.wire.peeked:
                return idle.wire
            idle.wire.close()
        return None

    def _keep(self, key: _PoolKey, idle: _Idle) -> None:
        kept = self._idle.setdefault(key, [])
        self._idle.move_to_end(key)
        self._prune(idle.wire.now)
        of_run = sum(len(others) for other, others in self._idle.items() if other[3] == key[3])
        if len(kept) >= self._settings.pool_idle_max or of_run >= self._settings.pool_connections_max:
            idle.wire.close()
        else:
            kept.append(idle)

    def _prune(self, now: float) -> None:
        """Close what is stale at the cold end of the pool, a little at each call."""
        for key in list(self._idle)[:2]:
            kept = self._idle[key]
            while kept and (kept[0].wire.gone or now - kept[0].since >= self._settings.pool_idle_seconds_max):
                kept.pop(0).wire.close()

    def forget(self, run: str) -> None:
        """Close the idle connections of a run."""
        for key in [key for key in self._idle if key[3] == run]:
            for idle in self._idle.pop(key):
                idle.wire.close()

    def close(self) -> None:
        """Close every idle connection."""
        for kept in self._idle.values():
            for idle in kept:
                idle.wire.close()
        self._idle.clear()


def request_head(outgoing: Outgoing) -> bytes:
    """The head of `outgoing` as it is sent. Raises `UpstreamError` for what would be read as something else."""
    fields = [("host", authority(outgoing))]
    fields += [header for header in outgoing.headers if header.name not in _FRAMING]
    if outgoing.stream is not None:
        length = outgoing.stream.length_bytes
        fields.append(("transfer-encoding", "chunked") if length is None else ("content-length", str(length)))
    elif outgoing.body or outgoing.method not in _BODYLESS:
        fields.append(("content-length", str(len(outgoing.body))))
    if not _METHOD.match(outgoing.method) or not _TARGET.match(outgoing.target):
        raise UpstreamError("unencodable", "the method or the target cannot be written", sent=False)
    try:
        return f"{outgoing.method} {outgoing.target} HTTP/1.1\r\n".encode("ascii") + field_lines(fields) + b"\r\n"
    except ValueError as error:
        raise UpstreamError("unencodable", str(error), sent=False) from None


async def _system_resolve(host: str, port: int) -> Sequence[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(item[4][0]) for item in found]


def _own(name: str) -> UpstreamError:
    text = f"`{name}` leads to Comptroller itself, which no agent reaches: name another port or another host"
    return UpstreamError("own_address", text, sent=False)


def _place_of(url: str) -> tuple[str, int]:
    """Host and port of an origin; an empty host where there is none."""
    parts = urlsplit(url)
    return (parts.hostname or "").rstrip("."), parts.port or (443 if parts.scheme == "https" else 80)


def _development(host: str, url: str) -> Route:
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = -1
    if parts.scheme not in ("http", "https", "tcp") or not parts.hostname or port == -1 or parts.path not in ("", "/"):
        raise ConfigError(
            f"upstreams.{host}: `{url}` is not a plain http or https URL", hint="write it as http://127.0.0.1:5000"
        )
    if parts.scheme == "tcp":
        if port is None:
            raise ConfigError(f"upstreams.{host}: `{url}` names no port", hint="write it as tcp://127.0.0.1:5432")
        return Route(scheme="tcp", host=parts.hostname, port=port, named=True)
    scheme: Literal["http", "https"] = "https" if parts.scheme == "https" else "http"
    return Route(scheme=scheme, host=parts.hostname, port=port or (443 if scheme == "https" else 80), named=True)
