"""The way out: nothing without its permit, nothing to an address that is not public, nothing sent twice."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from gateway_kit import serving

from comptroller.core.action import Action, ActionClass, digest
from comptroller.core.doors import HostService
from comptroller.core.errors import ConfigError
from comptroller.core.request import Header, Outgoing
from comptroller.enforce.gateway.doors import TcpService
from comptroller.enforce.gateway.exchange import PENDING, Exchange, UpstreamError
from comptroller.enforce.gateway.settings import BoxSocket, GatewaySettings
from comptroller.enforce.gateway.upstream import Route, Upstream
from comptroller.enforce.gateway.wire import READ_BUFFER_BYTES_MAX, Wire
from comptroller.engine.sequencer import Permit
from comptroller.testing.certificates import self_signed
from comptroller.testing.loopback import HttpAnswer, HttpServer, LoopbackServer

HOST = "api.example.com"


def action(**changes: object) -> Action:
    fields: dict[str, object] = {
        "operation": f"http:{HOST}:GET",
        "service": "http",
        "classes": frozenset({ActionClass.READ}),
        "endpoint": HOST,
        "agent": "bot",
        "run": "r1",
    }
    return Action(**{**fields, **changes})  # type: ignore[arg-type]


def permit(of: Action, entry: int = 1) -> Permit:
    return Permit(reservation=f"r{entry}", digest=digest(of), entry=entry, run="r1", agent="bot")


def outgoing(**changes: object) -> Outgoing:
    fields: dict[str, object] = {
        "method": "GET",
        "scheme": "https",
        "host": HOST,
        "port": 443,
        "target": "/",
        "headers": (),
        "body": b"",
        "family": HOST,
    }
    return Outgoing(**{**fields, **changes})  # type: ignore[arg-type]


def upstream(url: str = "", **changes: object) -> Upstream:
    return Upstream(
        settings=GatewaySettings(**changes),  # type: ignore[arg-type]
        upstreams={HOST: url} if url else {},
        private=(),
    )


async def test_nothing_is_sent_without_the_permit_of_this_very_action() -> None:
    with HttpServer(lambda request: HttpAnswer()) as server:
        out = upstream(server.url, permits_remembered_max=2)
        judged = action()
        with pytest.raises(UpstreamError, match="another action"):
            await out.send(outgoing(), permit(judged), replace(judged, parameters={"path": "/other"}))
        for entry in (3, 4, 5):
            exchange = await out.send(outgoing(), permit(judged, entry), judged)
            assert (await exchange.head()).status == 200
            exchange.abort()
        for entry in (5, 4, 3, 1):
            with pytest.raises(UpstreamError, match="used before") as error:
                await out.send(outgoing(), permit(judged, entry), judged)
            assert not error.value.sent
        assert server.connections == 3
        out.close()


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1", "fd00::1"])
async def test_private_addresses_are_refused(tmp_path: Path, address: str) -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return [address]

    async with serving(tmp_path, resolve=resolve) as kit:

        def work() -> httpx.Response:
            with httpx.Client(verify=kit.trust, trust_env=False) as client:
                return client.get(f"https://{HOST}/")

        answer = await kit.client(work)
        assert answer.status_code == 502 and "private_address" in answer.headers["x-comptroller-reason"]


async def test_private_hosts_reach_private_addresses_but_never_metadata(tmp_path: Path) -> None:
    addresses = ["127.0.0.1"]

    async def resolve(host: str, port: int) -> Sequence[str]:
        return addresses

    with HttpServer(lambda request: HttpAnswer(body=b"{}")) as server:
        async with serving(tmp_path, private=["private.example.com"], resolve=resolve) as kit:

            def work() -> httpx.Response:
                with httpx.Client(trust_env=False) as client:
                    return client.get(f"http://private.example.com:{server.port}/")

            assert (await kit.client(work)).status_code == 200
            addresses[0] = "169.254.169.254"
            kit.upstream.close()
            assert "private_address" in (await kit.client(work)).headers["x-comptroller-reason"]


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "0.0.0.0", "::", "64:ff9b::7f00:1", "::127.0.0.1"]
)
@pytest.mark.parametrize("way", ["private", "upstreams", "tcp"])
async def test_no_way_that_somebody_named_leads_to_our_own_listeners(way: str, address: str) -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return [address]

    scheme = "tcp" if way == "tcp" else "http"
    out = Upstream(
        settings=GatewaySettings(),
        upstreams={} if way == "private" else {HOST: f"{scheme}://near.example.com:8320"},
        private=[HOST],
        resolve=resolve,
    )
    out.own_ports.add(8320)
    judged = action()
    with pytest.raises(UpstreamError, match="leads to Comptroller itself") as error:
        if way == "tcp":
            await out.connect(permit(judged), judged, TcpService(host=HOST, port=5432))
        else:
            await out.send(outgoing(scheme="http", port=8320), permit(judged), judged)
    assert error.value.code == "own_address" and not error.value.sent


async def test_a_host_service_never_is_our_own_listener() -> None:
    out = upstream()
    service = HostService(name="pages", port=8320)
    out.host_services.open("r1", {service.host: service})
    out.own_ports.add(8320)
    judged = action(endpoint=service.host)
    with pytest.raises(UpstreamError, match="leads to Comptroller itself"):
        await out.send(outgoing(scheme="http", host=service.host, port=80), permit(judged), judged)


@pytest.mark.parametrize(
    ("host", "port", "upstreams", "refused"),
    [
        ("ctl.example.com", 443, {}, True),
        ("ctl.example.com", 8443, {}, False),
        ("ctl.example.com", 80, {"ctl.example.com": "http://127.0.0.1:1"}, True),
        ("near.example.com", 80, {"near.example.com": "https://ctl.example.com"}, True),
        ("near.example.com", 80, {}, False),
    ],
)
async def test_the_name_people_open_the_console_by_is_refused(
    host: str, port: int, upstreams: dict[str, str], refused: bool
) -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return []

    out = Upstream(
        settings=GatewaySettings(),
        upstreams=upstreams,
        private=(),
        resolve=resolve,
        own_url="https://ctl.example.com",
    )
    judged = action(endpoint=host)
    with pytest.raises(UpstreamError) as error:
        await out.send(outgoing(host=host, port=port), permit(judged), judged)
    assert error.value.code == ("own_address" if refused else "upstream_unreachable")


async def test_the_proxy_of_a_run_is_one_of_our_own_listeners_as_long_as_it_listens(tmp_path: Path) -> None:
    async with serving(tmp_path) as kit:
        listener = socket.create_server(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        proxied = replace(kit.identity, proxy_secret="s" * 43)
        attached = await kit.gateway.attach(proxied, [BoxSocket(role="proxy", socket=listener)])
        assert kit.upstream.own_ports == {port}
        await attached.close()
        assert not kit.upstream.own_ports


async def test_the_same_port_elsewhere_and_other_ports_here_stay_reachable() -> None:
    with HttpServer(lambda request: HttpAnswer(body=b"{}")) as server:
        out = upstream(server.url)
        out.own_ports.add(server.port - 1)
        judged = action()
        exchange = await out.send(outgoing(), permit(judged), judged)
        assert (await exchange.head()).status == 200
        exchange.abort()
        out.close()
    route = Route(scheme="http", host="192.0.2.1", port=8320, named=True)
    out.own_ports.add(8320)
    assert await out._addresses(route, HOST) == ["192.0.2.1"]


async def test_a_name_is_resolved_once_a_connection_and_kept_connections_are_reused(tmp_path: Path) -> None:
    asked: list[str] = []

    async def resolve(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"]

    with HttpServer(lambda request: HttpAnswer(body=b"{}")) as server:
        async with serving(tmp_path, private=["private.example.com"], resolve=resolve) as kit:

            def work() -> None:
                with httpx.Client(trust_env=False) as client:
                    for _ in range(3):
                        assert client.get(f"http://private.example.com:{server.port}/").status_code == 200

            await kit.client(work)
            assert asked == ["private.example.com"] and server.connections == 1


async def test_a_kept_connection_that_closed_is_not_used(tmp_path: Path) -> None:
    def once(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")

    with LoopbackServer(once) as server:
        out = upstream(f"http://127.0.0.1:{server.port}")
        judged = action()
        for entry in (1, 2, 3):
            exchange = await out.send(outgoing(), permit(judged, entry), judged)
            assert (await exchange.head()).status == 200
            assert exchange.poll() is None
            exchange.release()
            while not exchange.wire.gone:
                await exchange.wire.more()
        assert server.connections == 3
        out.close()


@pytest.mark.parametrize("trusted", [True, False])
async def test_the_certificate_has_to_verify(tmp_path: Path, trusted: bool) -> None:
    certificate, key = self_signed("localhost")
    path = tmp_path / "server.pem"
    path.write_bytes(key + certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    listener = socket.create_server(("127.0.0.1", 0))
    seen: list[bytes] = []

    def serve() -> None:
        raw, _ = listener.accept()
        try:
            with context.wrap_socket(raw, server_side=True) as tls:
                seen.append(tls.recv(65536))
                tls.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        except OSError:
            raw.close()

    thread = threading.Thread(target=serve)
    thread.start()
    ca = tmp_path / "ca.pem"
    ca.write_bytes(certificate)
    out = upstream(f"https://localhost:{listener.getsockname()[1]}", extra_ca_file=str(ca) if trusted else None)
    judged = action()
    if trusted:
        exchange = await out.send(outgoing(), permit(judged), judged)
        assert (await exchange.head()).status == 200
        exchange.abort()
        assert seen[0].startswith(b"GET / HTTP/1.1\r\nhost: api.example.com\r\n")
    else:
        with pytest.raises(UpstreamError, match="does not verify") as error:
            await out.send(outgoing(), permit(judged), judged)
        assert not error.value.sent and seen == []
    thread.join()
    listener.close()
    out.close()


@pytest.mark.parametrize("header", [Header("x", "a\r\nb: c"), Header("x y", "a"), Header("x", "ü€")])
async def test_what_cannot_be_written_is_not_sent(header: Header) -> None:
    with HttpServer(lambda request: HttpAnswer()) as server:
        out = upstream(server.url)
        judged = action()
        with pytest.raises(UpstreamError) as error:
            await out.send(outgoing(headers=(header,)), permit(judged), judged)
        assert not error.value.sent
        out.close()


async def test_framing_headers_are_ours_alone() -> None:
    seen: list[dict[str, str]] = []

    def answer(request) -> HttpAnswer:  # type: ignore[no-untyped-def]
        seen.append(dict(request.headers))
        return HttpAnswer()

    with HttpServer(answer) as server:
        out = upstream(server.url)
        judged = action()
        smuggled = (
            Header("content-length", "999"),
            Header("transfer-encoding", "chunked"),
            Header("host", "evil.test"),
            Header("expect", "100-continue"),
        )
        call = outgoing(method="POST", body=b"abc", headers=smuggled)
        exchange = await out.send(call, permit(judged), judged)
        assert (await exchange.head()).status == 200
        exchange.abort()
        assert seen[0]["content-length"] == "3" and seen[0]["host"] == HOST
        assert "transfer-encoding" not in seen[0] and "expect" not in seen[0]
        out.close()


@pytest.mark.parametrize("url", ["ftp://x", "http://", "https://host:99999", "http://h/path", "nonsense"])
def test_a_bad_development_url_is_a_configuration_error(url: str) -> None:
    with pytest.raises(ConfigError, match="upstreams"):
        upstream(url)


async def test_what_came_while_the_client_was_written_to_is_not_waited_for() -> None:
    here, there = socket.socketpair()
    loop = asyncio.get_running_loop()
    with there:
        _, wire = await loop.connect_accepted_socket(lambda: Wire(tick_seconds=0.05), here)
        try:
            exchange = Exchange(wire, GatewaySettings(), method="GET", give_back=lambda: None)
            size = READ_BUFFER_BYTES_MAX * 2
            there.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size)
            assert (await exchange.head()).status == 200
            assert exchange.poll() is PENDING
            sending = asyncio.create_task(asyncio.to_thread(there.sendall, b"x" * size))
            while len(wire.peeked) <= READ_BUFFER_BYTES_MAX:
                assert await wire.more()
            received = 0
            async with asyncio.timeout(20):
                while received < size:
                    await exchange.wait(None)
                    while isinstance(piece := exchange.poll(), bytes):
                        received += len(piece)
            await sending
        finally:
            wire.abort()
