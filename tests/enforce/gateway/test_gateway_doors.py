"""Declared TCP services and host services: one way out each, judged, counted, cut; and no other."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import socket
import ssl
import struct
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from gateway_kit import ANN, Kit, SystemClock, config_of, listening, serving

from comptroller.core.config import Config
from comptroller.core.doors import HostService
from comptroller.core.errors import ConfigError
from comptroller.core.estimate import Unit
from comptroller.enforce.gateway import BoxSocket
from comptroller.enforce.gateway.doors import TcpService
from comptroller.enforce.gateway.postgres import GSS_REQUEST, SSL_REQUEST
from comptroller.enforce.gateway.settings import GatewaySettings
from comptroller.enforce.gateway.upstream import Upstream
from comptroller.testing.certificates import self_signed
from comptroller.testing.loopback import HttpAnswer, HttpRequest, HttpServer, LoopbackServer

HOST = "127.0.0.1"
"""Inside it is where the test's box listens; outside `upstreams` leads elsewhere, as for any development host."""
SECONDS_MAX = 20
ASK = """
@id("ask") @outcome("approval") @approvers("Group::approvers") @reason("a database")
forbid (principal, action in Comptroller::Action::"write", resource)
unless { context.grants.contains("ask") };
"""


class Sink:
    """Keeps what every connection sent, and answers with its SHA-256 once the client has ended its half."""

    def __init__(self, context: ssl.SSLContext | None = None, *, postgres: bool = False) -> None:
        self.received: list[bytearray] = []
        self._context = context
        self._postgres = postgres
        self.server = LoopbackServer(self._handle)

    def _handle(self, connection: socket.socket) -> None:
        got = bytearray()
        self.received.append(got)
        if self._postgres:
            assert connection.recv(8, socket.MSG_WAITALL) == SSL_REQUEST
            connection.sendall(b"S" if self._context else b"N")
        if self._context is not None:
            connection = self._context.wrap_socket(connection, server_side=True)
        with connection:
            while data := connection.recv(1 << 16):
                got += data
            connection.sendall(hashlib.sha256(got).hexdigest().encode())

    @property
    def url(self) -> str:
        return f"tcp://localhost:{self.server.port}"


def declared(port: int) -> Config:
    """A configuration whose agent may reach what the test's box calls `HOST:port`."""
    agent = {**config_of().agents["bot"].model_dump(), "tcp": ({"host": HOST, "port": port},)}
    agent["per_run"] = {}
    return config_of(agents={"bot": agent})


@contextlib.asynccontextmanager
async def carrying(
    tmp_path: Path, sink: Sink | None, *, allowance: int = 1 << 20, tls: Any = "none", **more: Any
) -> AsyncIterator[Kit]:
    door = listening()
    port = door.getsockname()[1]
    service = TcpService(host=HOST, port=port, tls=tls, allowance_bytes=allowance)
    upstreams = {HOST: sink.url} if sink is not None else {}
    more = {"config": declared(port), "tcp": [service], "upstreams": upstreams, **more}
    try:
        async with serving(tmp_path, door=door, **more) as kit:
            yield kit
    finally:
        if sink is not None:
            sink.server.close()


async def spent(kit: Kit, unit: Unit) -> int:

    states = await kit.store.budgets(SystemClock().now())
    return sum(state.account.settled for state in states if state.budget.unit == unit and state.budget.scope == "acme")


# ---------------------------------------------------------------- declared services


async def test_a_connection_is_one_write_for_its_bytes_and_marked_as_not_understood(tmp_path: Path) -> None:
    sink = Sink()
    async with carrying(tmp_path, sink) as kit:
        await kit.budget(Unit.EGRESS_BYTES, 10 << 20)
        data = bytes(range(256)) * 1000
        answer = await kit.raw(data, half_close=True)
        assert answer.decode() == hashlib.sha256(data).hexdigest()
        assert bytes(sink.received[0]) == data
        (allowed,) = await kit.entries("action.allowed")
        body = allowed["body"]
        assert body["operation"] == f"tcp:{HOST}:{kit.port}" and body["classes"] == ["write"]
        assert body["not_understood"] is True
        assert body["reserved"]["egress_bytes"] == 1 << 20
        (settled,) = await kit.entries("action.settled")
        assert settled["body"]["actual"] == {"calls": 1, "egress_bytes": len(data)}
        assert await spent(kit, Unit.EGRESS_BYTES) == len(data)
        assert await kit.refusals() == []


async def test_what_is_not_declared_stays_refused(tmp_path: Path) -> None:
    async with serving(tmp_path) as kit:
        assert await kit.raw(b"\0\1\2 something of its own") == b""
        assert (await kit.refusals())[0]["look"] == "raw"
        assert await kit.entries("action.allowed") == []


async def test_a_declared_service_is_a_port_and_not_its_host(tmp_path: Path) -> None:
    sink = Sink()
    async with carrying(tmp_path, sink) as kit:
        door = listening()
        await kit.attachment.serve(BoxSocket(role="tcp", socket=door))
        reader, writer = await asyncio.open_connection(*door.getsockname())
        writer.write(b"\0\1\2 another port of the same host")
        assert await reader.read() == b""
        writer.close()
        assert sink.received == []


async def test_further_bytes_are_allowed_anew_and_every_one_is_counted(tmp_path: Path) -> None:
    sink = Sink()
    async with carrying(tmp_path, sink, allowance=1024) as kit:
        await kit.budget(Unit.EGRESS_BYTES, 1 << 20)
        data = b"x" * 5000
        assert (await kit.raw(data, half_close=True)).decode() == hashlib.sha256(data).hexdigest()
        assert len(await kit.entries("action.allowed")) == 5
        assert await spent(kit, Unit.EGRESS_BYTES) == 5000


async def test_the_connection_is_cut_where_the_budget_ends(tmp_path: Path) -> None:
    sink = Sink()
    async with carrying(tmp_path, sink, allowance=1024) as kit:
        await kit.budget(Unit.EGRESS_BYTES, 3000)
        await kit.raw(b"x" * 100_000)
        await kit.until(lambda: len(sink.received) == 1 and len(sink.received[0]) == 2048, "two allowances")
        assert await spent(kit, Unit.EGRESS_BYTES) == 2048
        (denied,) = await kit.entries("action.denied")
        assert "egress_bytes" in str(denied["body"]["reasons"])


async def test_connections_count_against_the_calls(tmp_path: Path) -> None:
    sink = Sink()
    async with carrying(tmp_path, sink) as kit:
        await kit.budget(Unit.CALLS, 2)
        answers = [await kit.raw(b"hello", half_close=True) for _ in range(3)]
        assert [bool(answer) for answer in answers] == [True, True, False]
        assert len(sink.received) == 2


async def test_a_rule_against_it_holds(tmp_path: Path) -> None:
    sink = Sink()
    rule = '@id("no-db") forbid (principal, action in Comptroller::Action::"write", resource);'
    async with carrying(tmp_path, sink, policies=rule) as kit:
        assert await kit.raw(b"hello", half_close=True) == b""
        assert sink.received == []
        (denied,) = await kit.entries("action.denied")
        assert denied["body"]["rules"] == ["no-db"]


async def test_people_are_asked_where_a_rule_says_so(tmp_path: Path) -> None:
    sink = Sink()
    async with carrying(tmp_path, sink, policies=ASK, hold_seconds=SECONDS_MAX) as kit:
        reader, writer = await asyncio.open_connection(HOST, kit.port)
        writer.write(b"hello")
        asked = await kit.pending()
        assert "not understood" in asked.sentence and sink.received == []
        await kit.engine.approvals.approve(asked.id, ANN)
        await kit.until(lambda: sink.received and bytes(sink.received[0]) == b"hello", "the bytes")
        writer.write_eof()
        assert (await reader.read()).decode() == hashlib.sha256(b"hello").hexdigest()
        writer.close()


async def test_a_client_that_left_does_not_use_up_the_yes(tmp_path: Path) -> None:
    sink = Sink()
    async with carrying(tmp_path, sink, policies=ASK, hold_seconds=SECONDS_MAX) as kit:
        _, writer = await asyncio.open_connection(HOST, kit.port)
        asked = await kit.pending()
        writer.close()
        await kit.until(lambda: not kit.attachment.connections, "the end of the connection")
        await kit.engine.approvals.approve(asked.id, ANN)
        assert (await kit.raw(b"again", half_close=True)).decode() == hashlib.sha256(b"again").hexdigest()
        assert len(sink.received) == 1


async def test_a_freeze_cuts_what_streams(tmp_path: Path) -> None:
    sink = Sink()
    async with carrying(tmp_path, sink) as kit:
        reader, writer = await asyncio.open_connection(HOST, kit.port)
        writer.write(b"one")
        await kit.until(lambda: sink.received and bytes(sink.received[0]) == b"one", "the first bytes")
        kit.attachment.cut()
        with contextlib.suppress(ConnectionError):
            assert await reader.read() in (b"", hashlib.sha256(b"one").hexdigest().encode())
        writer.close()
        await kit.until(lambda: not kit.attachment.connections, "the end of the connection")
        await kit.settled()
        (settled,) = await kit.entries("action.settled")
        assert settled["body"]["actual"]["calls"] == 1


async def test_what_cannot_be_reached_costs_no_bytes(tmp_path: Path) -> None:
    free = socket.create_server(("127.0.0.1", 0))
    port = free.getsockname()[1]
    free.close()
    async with carrying(tmp_path, None, upstreams={HOST: f"tcp://127.0.0.1:{port}"}) as kit:
        await kit.budget(Unit.EGRESS_BYTES, 1 << 21)
        assert await kit.raw(b"hello", half_close=True) == b""
        (settled,) = await kit.entries("action.settled")
        assert settled["body"]["ok"] is False
        assert (await kit.refusals())[0]["look"] == "upstream_unreachable"


async def test_a_private_address_needs_more_than_a_declaration(tmp_path: Path) -> None:
    async with carrying(tmp_path, None) as kit:
        assert await kit.raw(b"hello", half_close=True) == b""
        assert (await kit.refusals())[0]["look"] == "private_address"


# ---------------------------------------------------------------- encryption, outside


def trusted(tmp_path: Path, *names: str) -> tuple[ssl.SSLContext, str]:
    """(server context, file that holds its authority)."""
    certificate, key = self_signed(*names)
    both, authority = tmp_path / "both.pem", tmp_path / "authority.pem"
    both.write_bytes(certificate + key)
    authority.write_bytes(certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(both)
    return context, str(authority)


async def test_tls_is_opened_and_verified_outside(tmp_path: Path) -> None:
    context, authority = trusted(tmp_path, "localhost")
    sink = Sink(context)
    async with carrying(tmp_path, sink, tls="direct", settings={"extra_ca_file": authority}) as kit:
        answer = await kit.raw(b"plain inside", half_close=True)
        assert answer.decode() == hashlib.sha256(b"plain inside").hexdigest()
        assert bytes(sink.received[0]) == b"plain inside"


@pytest.mark.parametrize("tls", ["direct", "postgres"])
async def test_a_certificate_that_does_not_verify_gets_nothing(tmp_path: Path, tls: str) -> None:
    context, authority = trusted(tmp_path, "elsewhere.example")
    sink = Sink(context, postgres=tls == "postgres")
    async with carrying(tmp_path, sink, tls=tls, settings={"extra_ca_file": authority}) as kit:
        assert await kit.raw(b"secret") == b""
        assert all(not got for got in sink.received)
        assert (await kit.refusals())[0]["look"] == "upstream_tls"


async def test_a_server_that_declines_tls_gets_nothing(tmp_path: Path) -> None:
    sink = Sink(postgres=True)
    async with carrying(tmp_path, sink, tls="postgres") as kit:
        assert await kit.raw(b"secret") == b""
        await kit.until(lambda: len(sink.received) == 1, "a connection")
        assert not sink.received[0]


async def test_a_postgres_client_is_told_no_inside_and_encrypted_outside(tmp_path: Path) -> None:
    context, authority = trusted(tmp_path, "localhost")
    sink = Sink(context, postgres=True)
    startup = struct.pack("!2I", 12, 196_608) + b"user"
    async with carrying(tmp_path, sink, tls="postgres", settings={"extra_ca_file": authority}) as kit:
        reader, writer = await asyncio.open_connection(HOST, kit.port)
        for offer in (GSS_REQUEST, SSL_REQUEST):
            writer.write(offer)
            assert await reader.readexactly(1) == b"N"
        writer.write(startup)
        await kit.until(lambda: sink.received and bytes(sink.received[0]) == startup, "the startup")
        writer.close()
        await kit.until(lambda: not kit.attachment.connections, "the end of the connection")
        # The offers went no further than the gateway.
        assert await spent(kit, Unit.CALLS) == 1


async def test_bytes_behind_an_unanswered_offer_are_refused(tmp_path: Path) -> None:
    context, authority = trusted(tmp_path, "localhost")
    sink = Sink(context, postgres=True)
    async with carrying(tmp_path, sink, tls="postgres", settings={"extra_ca_file": authority}) as kit:
        assert await kit.raw(SSL_REQUEST + b"\x16\x03\x01 smuggled") == b""
        assert all(not got for got in sink.received)


# ---------------------------------------------------------------- host services


def answer(request: HttpRequest) -> HttpAnswer:
    return HttpAnswer(body=f"{request.method} {request.path} for {request.headers['host']}".encode())


def asked(host: str, path: str = "/api/tags") -> bytes:
    return f"GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n".encode()


async def test_a_host_service_is_reached_under_its_name_and_marked(tmp_path: Path) -> None:
    with HttpServer(answer) as server:
        service = HostService(name="ollama", port=server.port)
        async with serving(tmp_path, host_services=[service]) as kit:
            got = await kit.raw(asked(service.host))
            assert got.startswith(b"HTTP/1.1 200") and b"GET /api/tags for ollama.host.comptroller.internal" in got
            (allowed,) = await kit.entries("action.allowed")
            assert allowed["body"]["host_service"] == f"127.0.0.1:{server.port}"


async def test_nothing_but_the_named_service_leads_to_the_machine(tmp_path: Path) -> None:
    with HttpServer(answer) as named, HttpServer(answer) as other:
        service = HostService(name="ollama", port=named.port)
        async with serving(tmp_path, host_services=[service]) as kit:
            for host in ("db.host.comptroller.internal", "x.ollama.host.comptroller.internal"):
                got = await kit.raw(asked(host))
                assert got.startswith(b"HTTP/1.1 403") and b"--host-service" in got
            for host in (f"127.0.0.1:{other.port}", f"localhost:{other.port}", f"[::1]:{other.port}"):
                assert not (await kit.raw(asked(host))).startswith(b"HTTP/1.1 200")
            # Whatever port is asked for: the one way leads to the one service.
            got = await kit.raw(asked(f"{service.host}:{other.port}"))
            assert got.startswith(b"HTTP/1.1 200")
            assert other.connections == 0 and named.connections == 1


async def test_a_run_without_the_option_reaches_no_host_service(tmp_path: Path) -> None:
    with HttpServer(answer) as server:
        service = HostService(name="ollama", port=server.port)
        async with serving(tmp_path) as kit:
            assert (await kit.raw(asked(service.host))).startswith(b"HTTP/1.1 403")
            kit.upstream.host_services.open("another run", {service.host: service})
            assert (await kit.raw(asked(service.host))).startswith(b"HTTP/1.1 403")
            assert server.connections == 0


async def test_a_host_service_ends_with_its_run(tmp_path: Path) -> None:
    with HttpServer(answer) as server:
        service = HostService(name="ollama", port=server.port)
        async with serving(tmp_path, host_services=[service]) as kit:
            assert kit.upstream.host_services.find(kit.run.id, service.host) == service
            await kit.attachment.close()
            assert kit.upstream.host_services.find(kit.run.id, service.host) is None


async def test_a_host_service_is_read_by_the_codec_that_is_configured_for_it(tmp_path: Path) -> None:
    config = config_of(services={"ollama": {"codec": "self-hosted", "hosts": ["ollama.host.comptroller.internal"]}})
    body = b'{"model": "llama3", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 5}'
    with HttpServer(lambda _: HttpAnswer(body=b'{"usage": {"prompt_tokens": 3, "completion_tokens": 2}}')) as server:
        service = HostService(name="ollama", port=server.port)
        async with serving(tmp_path, host_services=[service], config=config) as kit:
            head = (
                f"POST /v1/chat/completions HTTP/1.1\r\nhost: {service.host}\r\nconnection: close\r\n"
                f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
            )
            got = await kit.raw(head.encode() + body)
            assert got.startswith(b"HTTP/1.1 200"), got
            (allowed,) = await kit.entries("action.allowed")
            assert allowed["body"]["operation"].startswith("self-hosted:")


async def test_a_service_that_does_not_speak_http_is_carried_at_its_own_port_alone(tmp_path: Path) -> None:
    sink = Sink()
    service = HostService(name="db", port=sink.server.port, tcp=True)
    try:
        async with serving(tmp_path, host_services=[service]) as kit:
            names = kit.attachment._names
            address = names.address_of(service.host)
            assert kit.identity.tcp_at(names.name_of(address), service.port) == TcpService(
                host=service.host, port=service.port
            )
            assert kit.identity.tcp_at(service.host, service.port + 1) is None
            got = await kit.raw(asked(service.host))
            assert got.startswith(b"HTTP/1.1 403") and f"connect to {service.host}:{service.port}".encode() in got
            assert sink.received == []
    finally:
        sink.server.close()


def test_an_upstream_for_connections_names_its_port() -> None:
    with pytest.raises(ConfigError, match="names no port"):
        Upstream(settings=GatewaySettings(), upstreams={"db.example.com": "tcp://127.0.0.1"}, private=())
