"""The box's name server: total over garbage, one stable address a name, nothing that could leave."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import struct
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from tests.fuzz_kit import fuzz

from comptroller.enforce.gateway.dns import POOL, Answers, MalformedError, Names, parse_query


def query(name: str, kind: int = 1, *, klass: int = 1, flags: int = 0x0100, identity: int = 7) -> bytes:
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split(".") if part)
    return struct.pack("!6H", identity, flags, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!2H", kind, klass)


class Noted:
    def __init__(self) -> None:
        self.notes: list[tuple[str, str, str]] = []

    def __call__(self, look: str, destination: str, detail: str) -> None:
        self.notes.append((look, destination, detail))


def answers(names_max: int = 100) -> tuple[Answers, Names, Noted]:
    names, noted = Names(names_max=names_max), Noted()
    return Answers(names=names, note=noted), names, noted


def address_in(reply: bytes) -> str | None:
    return socket.inet_ntoa(reply[-4:]) if reply[6:8] == b"\0\1" else None


def code_of(reply: bytes) -> int:
    return reply[3] & 15


def test_every_name_gets_one_stable_address_of_ours() -> None:
    server, names, _ = answers()
    first = address_in(server.answer(query("api.openai.com")))
    other = address_in(server.answer(query("evil.example")))
    assert first is not None and other is not None and first != other
    assert address_in(server.answer(query("API.OpenAI.com"))) == first
    assert ipaddress.ip_address(first) in POOL and ipaddress.ip_address(other) in POOL
    assert names.name_of(first) == "api.openai.com" and names.name_of(f"::ffff:{first}") == "api.openai.com"
    assert names.name_of("8.8.8.8") == "8.8.8.8"


def test_other_types_are_empty_and_tunnels_are_noted() -> None:
    server, _, noted = answers()
    for kind in (28, 65):
        reply = server.answer(query("api.openai.com", kind))
        assert code_of(reply) == 0 and reply[6:8] == b"\0\0"
    assert noted.notes == []
    assert code_of(server.answer(query("data.evil.example", 16))) == 0
    assert code_of(server.answer(query("x" * 60 + "." + "y" * 60 + ".evil.example"))) == 0
    assert [(look, where) for look, where, _ in noted.notes] == [("dns", "evil.example")] * 2
    assert code_of(server.answer(query("1.0.0.127.in-addr.arpa", 12))) == 3
    assert code_of(server.answer(query("api.openai.com", klass=3))) == 5
    assert code_of(server.answer(query("api.openai.com", flags=0x2100))) == 4
    assert address_in(server.answer(query("localhost"))) == "127.0.0.1"


def test_names_are_bounded() -> None:
    server, _, noted = answers(names_max=3)
    replies = [server.answer(query(f"n{n}.example.com")) for n in range(5)]
    assert [code_of(reply) for reply in replies] == [0, 0, 0, 2, 2]
    assert address_in(server.answer(query("n0.example.com"))) is not None
    assert {detail for _, _, detail in noted.notes} == {"too many different names"}


def test_malformed_packets_are_dropped_or_formerr() -> None:
    server, _, _ = answers()
    assert server.answer(b"") is None and server.answer(b"\0" * 11) is None
    assert server.answer(query("a.b", flags=0x8100)) is None
    assert code_of(server.answer(struct.pack("!6H", 1, 0x100, 2, 0, 0, 0))) == 1
    assert code_of(server.answer(query("a.b")[:-1])) == 1
    assert code_of(server.answer(struct.pack("!6H", 1, 0x100, 1, 0, 0, 0) + b"\xc0\x0c\0\1\0\1")) == 1


@fuzz(300)
@given(
    st.binary(max_size=600)
    | st.builds(lambda head, rest: head + rest, st.just(query("a.example")[:12]), st.binary(max_size=300))
)
def test_no_packet_crashes_it(packet: bytes) -> None:
    server, _, _ = answers()
    reply = server.answer(packet)
    assert reply is None or (reply[:2] == packet[:2] and reply[2] & 0x80)
    with contextlib.suppress(MalformedError):
        parse_query(packet)


async def test_it_answers_over_udp_and_tcp(tmp_path: Path) -> None:
    from gateway_kit import serving

    async with serving(tmp_path, dns=True) as kit:

        def udp() -> bytes:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                client.settimeout(5)
                client.connect(("127.0.0.1", kit.dns_udp))
                client.send(b"garbage")
                client.send(query("api.openai.com"))
                return client.recv(512)

        reply = await asyncio.to_thread(udp)
        reader, writer = await asyncio.open_connection("127.0.0.1", kit.dns_tcp)
        for _ in range(2):
            packet = query("api.openai.com")
            writer.write(len(packet).to_bytes(2, "big") + packet)
            size = int.from_bytes(await reader.readexactly(2), "big")
            assert address_in(await reader.readexactly(size)) == address_in(reply)
        writer.close()
        await writer.wait_closed()
