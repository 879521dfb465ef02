"""The gateway: serves the sockets of boxes, tells HTTP from everything else, and ends what belongs to a box with it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import socket
import ssl
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from comptroller.enforce.gateway import proxy
from comptroller.enforce.gateway.answers import plain_error, with_reason
from comptroller.enforce.gateway.body import Allowance
from comptroller.enforce.gateway.credentials import CredentialBroker
from comptroller.enforce.gateway.dns import Answers, Names, TcpServer, UdpServer
from comptroller.enforce.gateway.flow import Flow, Line
from comptroller.enforce.gateway.http1 import BadRequestError, Http1
from comptroller.enforce.gateway.internal import Internal
from comptroller.enforce.gateway.refusals import Refusals
from comptroller.enforce.gateway.settings import BoxSocket, GatewaySettings, RunIdentity
from comptroller.enforce.gateway.sniff import Look, look_at
from comptroller.enforce.gateway.stream import TcpFlow
from comptroller.enforce.gateway.tls import Authority, host_of
from comptroller.enforce.gateway.upstream import Upstream
from comptroller.enforce.gateway.wire import Wire, WireTimeoutError
from comptroller.engine.gatekeeper import Gatekeeper
from comptroller.engine.recorder import Recorder
from comptroller.ports import Registry

ACCEPT_PAUSE_SECONDS = 0.05
WEB_PORTS = frozenset({80, 443})
SO_ORIGINAL_DST = 80
"""Same number for IPv4 (`linux/netfilter_ipv4.h`) and IPv6 (`IP6T_SO_ORIGINAL_DST`)."""

_log = logging.getLogger("comptroller.gateway")


class Gateway:
    """One per installation. What a box may do is decided by the gatekeeper; this carries it out.

    `authority` (its `pem` is what boxes trust) and `credentials` (`placeholders`, `accounts`) are its public parts.
    """

    def __init__(
        self,
        *,
        gatekeeper: Gatekeeper,
        recorder: Recorder,
        registry: Registry,
        authority: Authority,
        credentials: CredentialBroker,
        internal: Internal,
        upstream: Upstream,
        settings: GatewaySettings | None = None,
    ) -> None:
        self._settings = settings or GatewaySettings()
        self._recorder = recorder
        self.authority = authority
        self.credentials = credentials
        self.upstream = upstream
        self._line = Line(
            gatekeeper=gatekeeper,
            registry=registry,
            credentials=credentials,
            upstream=upstream,
            internal=internal,
            settings=self._settings,
        )
        self._attachments: set[Attachment] = set()

    @property
    def development(self) -> Mapping[str, str]:
        """Hosts that go to a development URL; to be printed at start."""
        return self.upstream.development

    async def attach(self, identity: RunIdentity, box_sockets: Sequence[BoxSocket]) -> Attachment:
        """Serve a box through its own sockets, which are ours from now on, also where this raises."""
        attachment = Attachment(
            line=self._line,
            identity=identity,
            authority=self.authority,
            recorder=self._recorder,
            forget=self._forget,
        )
        self.upstream.host_services.open(identity.run, identity.host_services)
        try:
            for box_socket in box_sockets:
                await attachment.serve(box_socket)
        except BaseException:
            for box_socket in box_sockets:
                box_socket.socket.close()
            await attachment.close()
            raise
        self._attachments.add(attachment)
        return attachment

    async def close(self) -> None:
        """End every box's connections, then the idle ones to the outside."""
        await asyncio.gather(*(attachment.close() for attachment in tuple(self._attachments)))
        if self._line.books:
            await asyncio.wait(tuple(self._line.books), timeout=self._settings.close_seconds_max)
        self.upstream.close()

    def _forget(self, attachment: Attachment) -> None:
        self._attachments.discard(attachment)
        if all(other.identity.run != attachment.identity.run for other in self._attachments):
            self.upstream.forget(attachment.identity.run)
            self.upstream.host_services.close(attachment.identity.run)


@dataclass(slots=True, eq=False)
class _Connection:
    wire: Wire
    task: asyncio.Task[None] | None = None
    flow: Flow | None = None
    stream: TcpFlow | None = None
    proxied: bool = False
    """Each plain request has to show the run's secret."""


class Attachment:
    """One box being served."""

    def __init__(
        self,
        *,
        line: Line,
        identity: RunIdentity,
        authority: Authority,
        recorder: Recorder,
        forget: Callable[[Attachment], None],
    ) -> None:
        settings = line.settings
        self.identity = identity
        self._line = line
        self._settings = settings
        self._authority = authority
        self._forget = forget
        self._refusals = Refusals(
            record=recorder.record,
            identity=identity,
            window_seconds=settings.refusal_window_seconds,
            kinds_max=settings.refusals_max,
        )
        self._names = Names(names_max=settings.names_max)
        self._answers = Answers(names=self._names, note=self._refusals.note)
        self._allowance = Allowance(settings.body_memory_bytes_max)
        self._room = asyncio.Semaphore(settings.connections_max)
        self._accepting: list[asyncio.Task[None]] = []
        self._listening: list[socket.socket] = []
        self._own_port = 0
        self._connections: set[_Connection] = set()
        self._datagrams: list[asyncio.DatagramTransport] = []
        self._dns: list[TcpServer] = []
        self._closed = False

    @property
    def connections(self) -> int:
        """How many connections of this box are open."""
        return len(self._connections)

    async def serve(self, box_socket: BoxSocket) -> None:
        """Serve one more socket of the box."""
        sock = box_socket.socket
        sock.setblocking(False)
        match box_socket.role:
            case "tcp" | "proxy":
                self._listening.append(sock)
                if box_socket.role == "proxy":
                    self._own_port = sock.getsockname()[1]
                    self._line.upstream.own_ports.add(self._own_port)
                self._accepting.append(asyncio.create_task(self._accept(sock, proxied=box_socket.role == "proxy")))
            case "dns-udp":
                loop = asyncio.get_running_loop()
                transport, _ = await loop.create_datagram_endpoint(lambda: UdpServer(self._answers), sock=sock)
                self._datagrams.append(transport)
            case "dns-tcp":
                server = TcpServer(self._answers)
                await server.start(sock)
                self._dns.append(server)

    async def close(self) -> None:
        """Stop serving: nothing new is accepted, calls in flight get a moment to be settled, all else ends now."""
        if self._closed:
            return
        self._closed = True
        for accepting in self._accepting:
            accepting.cancel()
        await asyncio.gather(*self._accepting, return_exceptions=True)
        for sock in self._listening:
            sock.close()
        self._line.upstream.own_ports.discard(self._own_port)
        for transport in self._datagrams:
            transport.close()
        for server in self._dns:
            await server.close()
        self._cancel(idle_only=True)
        tasks = [connection.task for connection in self._connections if connection.task is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=self._settings.close_seconds_max)
            self._cancel(idle_only=False)
            await asyncio.gather(*tasks, return_exceptions=True)
        await self._refusals.close()
        self._forget(self)

    def cut(self) -> None:
        """End what streams without being understood, now: nobody can say what its next byte would do."""
        for connection in tuple(self._connections):
            if connection.stream is not None and connection.task is not None:
                connection.task.cancel()

    def _cancel(self, *, idle_only: bool) -> None:
        for connection in tuple(self._connections):
            flow = connection.flow
            spare = flow is not None and idle_only and flow.busy
            if connection.task is not None and not spare:
                connection.task.cancel()

    # ------------------------------------------------------------ connections

    async def _accept(self, listening: socket.socket, *, proxied: bool) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._room.acquire()
            accepted: socket.socket | None = None
            try:
                accepted, _ = await loop.sock_accept(listening)
                accepted.setblocking(False)
                destination = original_destination(accepted)
                _, wire = await loop.connect_accepted_socket(
                    lambda: Wire(tick_seconds=self._settings.tick_seconds), accepted
                )
            except OSError:
                # Out of descriptors, or the client is gone already: neither may end the listener.
                self._room.release()
                if accepted is not None:
                    accepted.close()
                await asyncio.sleep(ACCEPT_PAUSE_SECONDS)
                continue
            connection = _Connection(wire, proxied=proxied)
            self._connections.add(connection)
            connection.task = asyncio.create_task(self._connection(connection, destination))

    async def _connection(self, connection: _Connection, destination: tuple[str, int]) -> None:
        wire = connection.wire
        try:
            through = await self._through(connection, destination) if connection.proxied else destination
            if through is not None:
                await self._talk(connection, through)
        except (WireTimeoutError, ConnectionError, ssl.SSLError):
            wire.abort()
        except Exception as error:  # noqa: BLE001 - whatever one connection does, the listener goes on
            wire.abort()
            # The type and the place alone: a message may quote what the agent sent.
            _log.error("a connection ended by %s at %s", type(error).__name__, _place(error))
            self._refusals.note("error", self._named(destination), type(error).__name__)
        finally:
            wire.close()
            self._connections.discard(connection)
            self._room.release()
            for carried in (connection.flow, connection.stream):
                if carried is not None:
                    await carried.finish()

    async def _through(self, connection: _Connection, reached: tuple[str, int]) -> tuple[str, int] | None:
        """Where a client of the run's proxy wants to go; None where it was refused."""
        secret = self.identity.proxy_secret
        try:
            place = await proxy.tunnel(connection.wire, secret, self._settings)
        except BadRequestError as error:
            self._refusals.note(error.code, "the run's proxy", error.text)
            await self._bad(Http1(connection.wire, self._settings, server_name=None), error)
            return None
        if place is not None:
            connection.proxied = False
            return place
        return "the run's proxy", reached[1]

    async def _talk(self, connection: _Connection, destination: tuple[str, int]) -> None:
        wire = connection.wire
        service = self.identity.tcp_at(self._names.name_of(destination[0]), destination[1])
        if service is not None:
            connection.stream = TcpFlow(
                self._line,
                identity=self.identity,
                wire=wire,
                service=service,
                connection=secrets.token_hex(8),
                note=self._refusals.note,
            )
            await connection.stream.carry()
            return
        look = await self._sniff(wire)
        server_name: str | None = None
        if look is Look.TLS:
            wire.within(self._settings.handshake_seconds_max)
            try:
                tls = await wire.handshake(self._authority.context, server_side=True)
            except (ssl.SSLError, WireTimeoutError, ConnectionError) as error:
                self._refusals.note(Look.TLS_UNKNOWN, self._named(destination), _tls_detail(error))
                return
            server_name = host_of(tls)
            look = await self._sniff(wire)
        if look is Look.HTTP:
            await self._requests(connection, destination, server_name)
        elif look is not None:
            place = f"{server_name}:{destination[1]}" if server_name else self._named(destination)
            # TLS inside TLS is a tunnel like any other.
            seen = Look.RAW if look is Look.TLS else look
            self._refusals.note(seen, place, "inside TLS" if server_name else "")
            wire.abort()
        elif destination[1] not in WEB_PORTS:
            # Web clients keep spare connections that they never use; whoever knocks at another door is looking.
            self._refusals.note(Look.SILENT, self._named(destination))

    async def _sniff(self, wire: Wire) -> Look | None:
        """What this connection looks like; None for one that was closed without a word."""
        wire.within(self._settings.first_byte_seconds_max)
        while True:
            look = look_at(wire.peeked)
            if look is not None:
                return look
            try:
                if not await wire.more():
                    return look_at(wire.peeked, ended=True) if wire.peeked else None
            except WireTimeoutError:
                return look_at(wire.peeked, ended=True)

    async def _requests(self, connection: _Connection, destination: tuple[str, int], server_name: str | None) -> None:
        http = Http1(connection.wire, self._settings, server_name=server_name)
        flow = connection.flow = Flow(
            self._line,
            identity=self.identity,
            http=http,
            connection=secrets.token_hex(8),
            allowance=self._allowance,
            refusals=self._refusals,
        )
        number = 0
        while not self._closed:
            number += 1
            try:
                head = await http.next_head()
                if head is None:
                    return
                if connection.proxied:
                    if not proxy.admits(self.identity.proxy_secret, head.headers):
                        raise proxy.refused()
                    head = replace(head, headers=proxy.without_secret(head.headers))
                await flow.handle(head, number)
            except BadRequestError as error:
                self._refusals.note(error.code, server_name or self._named(destination), error.text)
                await self._bad(http, error)
                return
            except WireTimeoutError:
                if http.mid_request:
                    self._refusals.note("slow", server_name or self._named(destination))
                    await self._bad(http, BadRequestError(408, "slow", "the request comes too slowly"))
                return
            if not http.reusable:
                if not http.body_done:
                    await http.linger()
                return

    async def _bad(self, http: Http1, error: BadRequestError) -> None:
        """Answer what is no request anybody should interpret, then end the connection."""
        if http.started:
            http.wire.abort()
            return
        http.wire.forgive()
        answer = plain_error(error.status, error.text)
        headers = with_reason(answer, f"{error.code}: {error.text}", None)
        if error.status == proxy.STATUS_UNKNOWN_CLIENT:
            headers.append(proxy.CHALLENGE)
        await http.respond(answer.status, headers, answer.body, last=True)
        await http.linger()

    def _named(self, destination: tuple[str, int]) -> str:
        return f"{self._names.name_of(destination[0])}:{destination[1]}"


def original_destination(accepted: socket.socket) -> tuple[str, int]:
    """Where the client meant to connect: what netfilter redirected, else the address it reached."""
    host, port = accepted.getsockname()[:2]
    with contextlib.suppress(OSError, struct.error):
        if accepted.family == socket.AF_INET or host.startswith("::ffff:"):
            found = accepted.getsockopt(socket.SOL_IP, SO_ORIGINAL_DST, 16)
            return socket.inet_ntop(socket.AF_INET, found[4:8]), struct.unpack("!H", found[2:4])[0]
        found = accepted.getsockopt(socket.IPPROTO_IPV6, SO_ORIGINAL_DST, 28)
        return socket.inet_ntop(socket.AF_INET6, found[8:24]), struct.unpack("!H", found[2:4])[0]
    return str(host).removeprefix("::ffff:"), int(port)


def _tls_detail(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return str(error.reason or "handshake failed").lower().replace("_", " ")
    return "handshake not finished"


def _place(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_name}:{trace.tb_lineno}" if trace is not None else "?"
