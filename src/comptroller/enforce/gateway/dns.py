"""The box's only name server: every name gets an address of ours, so that its refusal can carry a reason.

No query ever leaves. The packet codec is total: garbage is dropped or answered with FORMERR.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from comptroller.enforce.gateway.sniff import Look

POOL = ipaddress.IPv4Network("198.18.0.0/15")
POOL_SKIP = 256
"""The first addresses of the pool belong to the box itself (its resolver, its routes)."""
TTL_SECONDS = 600
PACKET_BYTES_MAX = 4096
NAME_BYTES_MAX = 255
TUNNEL_NAME_CHARACTERS = 100
"""A longer name carries data rather than naming a host; it is answered like any other and recorded."""
TCP_IDLE_SECONDS_MAX = 10.0
TCP_CONNECTIONS_MAX = 16
TCP_QUERIES_MAX = 1000

TYPE_A, TYPE_PTR, TYPE_AAAA, TYPE_ANY = 1, 12, 28, 255
TYPE_NAMES = {2: "NS", 5: "CNAME", 6: "SOA", 10: "NULL", 15: "MX", 16: "TXT", 33: "SRV", 255: "ANY"}
CLASS_IN = 1
NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED = 0, 1, 2, 3, 4, 5
FLAG_RESPONSE, FLAG_AUTHORITATIVE, FLAG_RECURSION, FLAG_AVAILABLE = 0x8000, 0x0400, 0x0100, 0x0080


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a query asks. `wire` is the question section as it came, to be echoed."""

    id: int
    flags: int
    name: str
    type: int
    klass: int
    wire: bytes


class MalformedError(ValueError):
    """Not a query; `id` is known where a FORMERR can be sent."""

    def __init__(self, why: str, *, id: int | None = None) -> None:
        super().__init__(why)
        self.id = id


class Names:
    """Host name <-> address of one box: stable for its life, bounded."""

    def __init__(self, *, names_max: int) -> None:
        self._names_max = min(names_max, POOL.num_addresses - POOL_SKIP - 1)
        self._addresses: dict[str, str] = {}
        self._names: dict[str, str] = {}

    def address_of(self, name: str) -> str | None:
        """The address that stands for `name`; None once the box asked for too many."""
        known = self._addresses.get(name)
        if known is not None:
            return known
        if len(self._addresses) >= self._names_max:
            return None
        address = str(POOL[POOL_SKIP + len(self._addresses)])
        self._addresses[name] = address
        self._names[address] = name
        return address

    def name_of(self, address: str) -> str:
        """The name an address stands for, else the address itself."""
        return self._names.get(address.removeprefix("::ffff:"), address)


def parse_query(packet: bytes) -> Question:
    """The one question of a query. Raises `MalformedError`, nothing else."""
    if len(packet) < 12:
        raise MalformedError("too short")
    identity, flags, questions, *_ = struct.unpack_from("!6H", packet)
    if flags & FLAG_RESPONSE:
        raise MalformedError("a response")
    if questions != 1:
        raise MalformedError("not one question", id=identity)
    labels, at = [], 12
    while True:
        if at >= len(packet):
            raise MalformedError("cut name", id=identity)
        length = packet[at]
        at += 1
        if length == 0:
            break
        if length > 63 or at + length > len(packet) or at + length - 12 > NAME_BYTES_MAX:
            raise MalformedError("bad label", id=identity)
        labels.append(packet[at : at + length])
        at += length
    if at + 4 > len(packet):
        raise MalformedError("cut question", id=identity)
    kind, klass = struct.unpack_from("!2H", packet, at)
    name = b".".join(labels).decode("ascii", "backslashreplace").lower()
    return Question(id=identity, flags=flags, name=name, type=kind, klass=klass, wire=packet[12 : at + 4])


def reply(question: Question, code: int, address: str | None = None) -> bytes:
    """An answer with this code, and one A record where there is an address."""
    flags = FLAG_RESPONSE | FLAG_AUTHORITATIVE | FLAG_AVAILABLE | question.flags & (0x7800 | FLAG_RECURSION) | code
    answer = b""
    if address is not None:
        answer = struct.pack("!3HIH", 0xC00C, TYPE_A, CLASS_IN, TTL_SECONDS, 4) + socket.inet_aton(address)
    return struct.pack("!6H", question.id, flags, 1, 1 if answer else 0, 0, 0) + question.wire + answer


class Answers:
    """Answers packets for one box. `note(look, destination, detail)` records what looks like a tunnel."""

    def __init__(self, *, names: Names, note: Callable[[str, str, str], None]) -> None:
        self._names = names
        self._note = note

    def answer(self, packet: bytes) -> bytes | None:
        """The reply to one packet; None where it is dropped. Never raises."""
        try:
            question = parse_query(packet)
        except MalformedError as error:
            if error.id is None:
                return None
            return struct.pack("!6H", error.id, FLAG_RESPONSE | FORMERR, 0, 0, 0, 0)
        if question.flags & 0x7800:
            return reply(question, NOTIMP)
        if question.klass != CLASS_IN:
            return reply(question, REFUSED)
        return self._resolve(question)

    def _resolve(self, question: Question) -> bytes:
        name = question.name
        if name == "localhost" or name.endswith(".localhost"):
            return reply(question, NOERROR, "127.0.0.1" if question.type in (TYPE_A, TYPE_ANY) else None)
        if not name or question.type == TYPE_PTR or name.endswith(".arpa"):
            return reply(question, NXDOMAIN)
        if len(name) > TUNNEL_NAME_CHARACTERS:
            self._note(Look.DNS, parent_of(name), "a name too long for a host")
        if question.type in TYPE_NAMES:
            self._note(Look.DNS, parent_of(name), f"asked for {TYPE_NAMES[question.type]}")
        if question.type not in (TYPE_A, TYPE_ANY):
            return reply(question, NOERROR)
        address = self._names.address_of(name)
        if address is None:
            self._note(Look.DNS, parent_of(name), "too many different names")
            return reply(question, SERVFAIL)
        return reply(question, NOERROR, address)


def parent_of(name: str) -> str:
    """The last two labels, under which queries are counted together."""
    return ".".join(name.split(".")[-2:])


class UdpServer(asyncio.DatagramProtocol):
    """Answers datagrams; one in, at most one out."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is ours."""
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        """One query."""
        answer = self._answers.answer(data[:PACKET_BYTES_MAX])
        if answer is not None and self._transport is not None:
            self._transport.sendto(answer, addr)

    def error_received(self, exc: Exception) -> None:
        """The client is gone: it asked, nobody listens."""


class TcpServer:
    """DNS over TCP on a listening socket of the box: length-prefixed queries, few connections, short patience."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._connections: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self, listening: socket.socket) -> None:
        """Serve on `listening`."""
        self._server = await asyncio.start_server(self._serve, sock=listening, limit=PACKET_BYTES_MAX)

    async def close(self) -> None:
        """End all connections."""
        if self._server is not None:
            self._server.close()
        for task in tuple(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        if len(self._connections) >= TCP_CONNECTIONS_MAX:
            writer.close()
            return
        self._connections.add(task)
        try:
            for _ in range(TCP_QUERIES_MAX):
                async with asyncio.timeout(TCP_IDLE_SECONDS_MAX):
                    size = int.from_bytes(await reader.readexactly(2), "big")
                    packet = await reader.readexactly(size) if size <= PACKET_BYTES_MAX else b""
                    answer = self._answers.answer(packet)
                    if answer is None:
                        return
                    writer.write(len(answer).to_bytes(2, "big") + answer)
                    await writer.drain()
        except (asyncio.IncompleteReadError, TimeoutError, OSError):
            return
        finally:
            self._connections.discard(task)
            writer.close()
