"""Attacks on the doors of a box: more bytes than a budget has, other ports of the machine, handshakes out of order."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import Sequence
from pathlib import Path

import pytest
from gateway_kit import Kit, config_of, serving
from test_gateway_doors import HOST, Sink, answer, asked, carrying, spent, trusted

from comptroller.core.doors import HostService
from comptroller.core.estimate import Unit
from comptroller.enforce.gateway.addresses import is_here
from comptroller.enforce.gateway.postgres import GSS_REQUEST, SSL_REQUEST
from comptroller.testing.loopback import HttpServer

CANCEL_REQUEST = struct.pack("!4I", 16, 80_877_102, 4711, 815)


async def pushed(kit: Kit, data: bytes, *, half_close: bool) -> bytes:
    """Send all of it at once; whatever comes back."""
    reader, writer = await asyncio.open_connection(HOST, kit.port)
    try:
        with contextlib.suppress(ConnectionError):
            writer.write(data)
            if half_close:
                writer.write_eof()
            return await asyncio.wait_for(reader.read(), 20)
        return b""
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


@pytest.mark.parametrize("half_close", [False, True])
async def test_many_connections_at_once_send_no_more_than_their_one_budget(tmp_path: Path, half_close: bool) -> None:
    sink = Sink()
    async with carrying(tmp_path, sink, allowance=1024) as kit:
        await kit.budget(Unit.EGRESS_BYTES, 5000)
        every = range(40) if half_close else range(12)
        size = 700 if half_close else 3000
        await asyncio.gather(*(pushed(kit, bytes(size), half_close=half_close) for _ in every))
        await kit.until(lambda: not kit.attachment.connections, "the end of every connection")
        await kit.settled()
        counted = await spent(kit, Unit.EGRESS_BYTES)
        arrived = sum(map(len, sink.received))
        assert 0 < arrived <= counted <= 5000


@pytest.mark.parametrize(
    ("first", "piece", "carried"),
    [
        # In single bytes, as no client would.
        ([SSL_REQUEST], 1, b""),
        # The third offer is nobody's: it goes on, inside the encryption, as any other bytes.
        ([GSS_REQUEST, SSL_REQUEST], 8, SSL_REQUEST),
        ([], 8, CANCEL_REQUEST),
        ([SSL_REQUEST], 8, CANCEL_REQUEST),
    ],
)
async def test_offers_to_encrypt_smuggle_nothing(
    tmp_path: Path, first: Sequence[bytes], piece: int, carried: bytes
) -> None:
    context, authority = trusted(tmp_path, "localhost")
    sink = Sink(context, postgres=True)
    async with carrying(tmp_path, sink, tls="postgres", settings={"extra_ca_file": authority}) as kit:
        reader, writer = await asyncio.open_connection(HOST, kit.port)
        for offer in first:
            for at in range(0, len(offer), piece):
                writer.write(offer[at : at + piece])
                await writer.drain()
            assert await reader.readexactly(1) == b"N"
        rest = carried + struct.pack("!2I", 12, 196_608) + b"user"
        writer.write(rest)
        await kit.until(lambda: sink.received and bytes(sink.received[0]) == rest, "what was said")
        writer.close()
        await kit.until(lambda: not kit.attachment.connections, "the end of the connection")


async def test_no_spelling_of_a_host_leads_to_another_port_of_the_machine(tmp_path: Path) -> None:
    with HttpServer(answer) as named, HttpServer(answer) as other:
        service = HostService(name="ollama", port=named.port)
        async with serving(tmp_path, host_services=[service]) as kit:
            for host in (
                "ollama.host.comptroller.internal.",
                "ollama.host.comptroller.internal@127.0.0.1",
                "127.0.0.1#.host.comptroller.internal",
                "127.0.0.1\\.host.comptroller.internal",
                f"[::ffff:127.0.0.1]:{other.port}",
                f"2130706433:{other.port}",
                f"0x7f000001:{other.port}",
                f"127.1:{other.port}",
                f"0:{other.port}",
                "127.0.0.1.host.comptroller.internal",
                "host.comptroller.internal",
            ):
                got = await kit.raw(asked(host))
                assert not got.startswith(b"HTTP/1.1 200"), host
            absolute = asked(service.host, f"http://127.0.0.1:{other.port}/")
            assert not (await kit.raw(absolute)).startswith(b"HTTP/1.1 200")
            two = asked(service.host).replace(b"connection", f"host: 127.0.0.1:{other.port}\r\nconnection".encode())
            assert not (await kit.raw(two)).startswith(b"HTTP/1.1 200")
            assert (await kit.raw(asked("OLLAMA.Host.comptroller.INTERNAL"))).startswith(b"HTTP/1.1 200")
            assert other.connections == 0 and named.connections == 1


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.1.1", "::1", "::ffff:127.0.0.1", "0.0.0.0", "::"])
async def test_a_name_below_a_private_domain_never_leads_to_this_machine(tmp_path: Path, address: str) -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return [address]

    with HttpServer(answer) as server:
        config = config_of()
        agent = {**config.agents["bot"].model_dump(), "per_run": {}, "hosts": ["*.corp.example"]}
        async with serving(
            tmp_path, private=["*.corp.example"], resolve=resolve, config=config_of(agents={"bot": agent})
        ) as kit:
            got = await kit.raw(asked(f"mine.corp.example:{server.port}"))
            assert got.startswith(b"HTTP/1.1 502") and b"private_address" in got
        assert server.connections == 0


def test_an_address_of_this_machine_is_known_in_any_notation() -> None:
    assert all(is_here(each, 80) for each in ("127.0.0.1", "127.9.9.9", "::1", "64:ff9b::7f00:1", "0.0.0.0", "::"))
    assert not is_here("192.0.2.1", 80)
