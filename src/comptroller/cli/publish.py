"""Published ports: connections from the machine are carried to the same port of the box's own loopback.

Inbound alone: the listener is ours, outside, and every connection begins with whoever reaches it. What the agent does
opens none. The bytes are not judged; that a door was open, and how often it was used, is recorded.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass

from comptroller.core.errors import UsageError
from comptroller.enforce.sandbox.passage_unsafe import Passage

DOORS_MAX = 16
"""Ports one run may publish."""
CONNECTIONS_MAX = 128
"""Connections through all doors of a run at a time; further ones wait in the kernel's queue."""
BACKLOG = 64
PIECE_BYTES = 64 << 10
"""What one direction of one connection holds in memory: whoever reads slowly slows the other side down."""
CONNECT_SECONDS_MAX = 5.0
LINGER_SECONDS_MAX = 300.0
"""Once one side has ended its half, how long the other may say nothing."""
ACCEPT_PAUSE_SECONDS = 0.05
LOOPBACK = "127.0.0.1"

REPORT_SECONDS = 1.0

_NEXT = {
    errno.EACCES: "low ports belong to root: publish one from 1024 on, and let the agent listen there",
    errno.EADDRNOTAVAIL: "this machine has no such address: leave it out, or name one that `ip address` shows",
}

Report = Callable[[Mapping[str, Mapping[str, int]]], Awaitable[None]]
_Work = Coroutine[object, object, None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a door listens, on the machine; in the box it is the same port of the loopback."""

    host: str
    port: int

    @property
    def text(self) -> str:
        """`127.0.0.1:8888`, `[::1]:8888`."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def wide(self) -> bool:
        """True where others than this machine may reach it."""
        return not ipaddress.ip_address(self.host).is_loopback


def parse_place(text: str) -> Place:
    """`8888`, `127.0.0.1:8888` or `[::1]:8888`. Raises `UsageError`."""
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") if host.startswith("[") or host.count(":") == 0 else ""
    hint = "write it as --publish 8888 or --publish 127.0.0.1:8888"
    if ":" in text and not host:
        raise UsageError(f"`{text}` does not say which address to listen on", hint=f"{hint}, IPv6 in brackets")
    host = {"": LOOPBACK, "localhost": LOOPBACK}.get(host, host)
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        raise UsageError(f"`{host}` is not an address of this machine", hint=hint) from None
    if (isinstance(address, ipaddress.IPv6Address) and address.scope_id is not None) or address.is_multicast:
        raise UsageError(f"`{address.compressed.partition('%')[0]}` is not an address to listen on", hint=hint)
    if not port.isascii() or not port.isdigit() or len(port) > 5 or not 1 <= int(port) <= 65_535:
        raise UsageError(f"`{port[:20]}` is not a port", hint=f"{hint}; ports are 1 to 65535")
    return Place(host=str(address), port=int(port))


def parse_places(texts: Sequence[str]) -> tuple[Place, ...]:
    """Every `--publish`, once each. Raises `UsageError`."""
    places = tuple(dict.fromkeys(parse_place(text) for text in texts))
    if len(places) > DOORS_MAX:
        raise UsageError(f"a run publishes at most {DOORS_MAX} ports", hint="drop some --publish")
    return places


@dataclass(slots=True)
class _Use:
    connections: int = 0
    failed: int = 0
    in_bytes: int = 0
    out_bytes: int = 0


class Doors:
    """The published ports of one run: bound before the box exists, open while it lives, closed with it."""

    def __init__(self, places: Sequence[Place]) -> None:
        """Bind every place. Raises `UsageError` where one is taken."""
        self.places = tuple(places)
        self._listening: list[tuple[Place, socket.socket]] = []
        self._uses = {place: _Use() for place in self.places}
        self._tasks: set[asyncio.Task[None]] = set()
        self._room = asyncio.Semaphore(CONNECTIONS_MAX)
        self._passage: Passage | None = None
        self._changed = asyncio.Event()
        self._say: Callable[[str], None] = lambda _: None
        self._told = False
        try:
            for place in self.places:
                self._listening.append((place, _bind(place)))
        except BaseException:
            self._let_go()
            raise

    def use(self) -> Mapping[str, Mapping[str, int]]:
        """What went through each door so far: connections, bytes into the box and out of it."""
        return {
            place.text: {
                "connections": use.connections,
                "failed": use.failed,
                "in_bytes": use.in_bytes,
                "out_bytes": use.out_bytes,
            }
            for place, use in self._uses.items()
        }

    def asked(self) -> list[dict[str, object]]:
        """The doors as the start message names them."""
        return [{"listen": place.text, "wide": place.wide} for place in self.places]

    def warnings(self) -> list[str]:
        """What the person is told when they open."""
        told = []
        for place in self.places:
            told.append(f"published: {place.text} leads to port {place.port} in the box, until the run ends")
            if place.wide:
                told.append(
                    f"ANYBODY WHO REACHES {place.text} talks to what the agent runs there, and it to them: "
                    "what passes is neither judged nor counted against a budget"
                )
        return told

    def open(self, box_socket: socket.socket, *, report: Report, say: Callable[[str], None]) -> None:
        """Let connections in; `report` is told what `use` says, at most once a second, and `say` what a person should
        know. Raises `PassageError`."""
        if not self._listening:
            return
        self._passage = Passage(box_socket)
        self._say = say
        self._start(self._tell(report))
        for place, listening in self._listening:
            try:
                listening.listen(BACKLOG)
            except OSError as error:
                raise _taken(place, error) from error
            self._start(self._accept(place, listening))

    async def close(self) -> None:
        """Close every door and every connection through one. Safe to call twice."""
        self._let_go()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._passage is not None:
            self._passage.close()

    async def _tell(self, report: Report) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            await report(self.use())
            await asyncio.sleep(REPORT_SECONDS)

    def _let_go(self) -> None:
        for _, listening in self._listening:
            listening.close()
        self._listening = []

    def _start(self, work: _Work) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self, place: Place, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._room.acquire()
            try:
                outside, _ = await loop.sock_accept(listening)
            except OSError:
                self._room.release()
                await asyncio.sleep(ACCEPT_PAUSE_SECONDS)
                continue
            except asyncio.CancelledError:
                self._room.release()
                raise
            self._start(self._carry(place, outside))

    async def _carry(self, place: Place, outside: socket.socket) -> None:
        use = self._uses[place]
        use.connections += 1
        self._changed.set()
        try:
            with outside:
                outside.setblocking(False)
                outside.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                inside = await self._inside(place.port)
                if inside is None:
                    use.failed += 1
                    return
                with inside:
                    await _Exchange(outside, inside, use).carry()
        finally:
            self._room.release()
            self._changed.set()

    async def _inside(self, port: int) -> socket.socket | None:
        """A connection to `port` of the box's loopback; None where nothing listens there."""
        assert self._passage is not None
        for host, ipv6 in ((LOOPBACK, False), ("::1", True)):
            made: socket.socket | None = None
            try:
                made = await asyncio.to_thread(self._passage.socket, ipv6=ipv6)
                made.setblocking(False)
                async with asyncio.timeout(CONNECT_SECONDS_MAX):
                    await asyncio.get_running_loop().sock_connect(made, (host, port))
                return made
            except (OSError, TimeoutError):
                if made is not None:
                    made.close()
            except BaseException:
                if made is not None:
                    made.close()
                raise
        if not self._passage.stands and not self._told:
            self._told = True
            self._say("the way into the box is gone: its published ports lead nowhere from now on")
        return None


class _Exchange:
    """One connection, both directions, each ended on its own."""

    def __init__(self, outside: socket.socket, inside: socket.socket, use: _Use) -> None:
        self._outside = outside
        self._inside = inside
        self._use = use
        self._carried = 0

    async def carry(self) -> None:
        """Until both sides have ended, or one is lost."""
        inward = asyncio.create_task(self._pump(self._outside, self._inside, "in_bytes"))
        outward = asyncio.create_task(self._pump(self._inside, self._outside, "out_bytes"))
        both = {inward, outward}
        try:
            done, left = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            while left and all(task.exception() is None for task in done):
                before = self._carried
                more, left = await asyncio.wait(left, timeout=LINGER_SECONDS_MAX)
                done |= more
                if not more and before == self._carried:
                    return
        finally:
            for task in both:
                task.cancel()
            await asyncio.gather(*both, return_exceptions=True)

    async def _pump(self, source: socket.socket, sink: socket.socket, counted: str) -> None:
        loop = asyncio.get_running_loop()
        while data := await loop.sock_recv(source, PIECE_BYTES):
            await loop.sock_sendall(sink, data)
            self._carried += len(data)
            setattr(self._use, counted, getattr(self._use, counted) + len(data))
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)


def _bind(place: Place) -> socket.socket:
    family = socket.AF_INET6 if ":" in place.host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((place.host, place.port))
        made.setblocking(False)
    except OSError as error:
        made.close()
        raise _taken(place, error) from error
    return made


def _taken(place: Place, error: OSError) -> UsageError:
    return UsageError(
        f"`{place.text}` cannot be published: {(error.strerror or '').lower()}",
        hint=_NEXT.get(error.errno or 0, "end what listens there, or publish another port"),
    )
