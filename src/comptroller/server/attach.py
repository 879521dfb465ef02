"""Where `run` hands over a box's listening sockets: one connection a run, alive as long as the box."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import socket
from collections.abc import Mapping, Sequence
from typing import cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from comptroller.core.audit import EntryKind
from comptroller.core.brake import Run
from comptroller.core.config import BOX_LIMITS
from comptroller.core.errors import ComptrollerError, StoreLostError, UsageError
from comptroller.core.escrow import SHARE_OPERATION
from comptroller.core.estimate import Unit
from comptroller.server.channel import Channel, ChannelError
from comptroller.server.desk import Attached, Desk, SocketRole
from comptroller.server.doors import RunDoors, Wanted
from comptroller.server.ending_unsafe import Ending, wake
from comptroller.server.identity import os_user, peer_uid, person_name
from comptroller.server.neutral import neutral
from comptroller.server.tally import Tally, neutral_lines, notice_of

CONNECTIONS_MAX = 64
HANDSHAKE_SECONDS_MAX = 60.0
NOTICES_MAX = 256
SOCKETS_MAX = 8
ARGUMENTS_MAX = 4_096
HOLD_SECONDS = 15 * 60.0
"""How long a call waits for people before it is answered with the native refusal that names the approval."""
END_CODE = 124
WHY_CHARACTERS_MAX = 200
KILL_SECONDS = 0.5
"""How long the `run` of a killed run has to end its box itself."""
LAST_WORDS_SECONDS = 5.0
"""How long the summary may take to be taken."""

_SECRET = re.compile(r"[A-Za-z0-9_-]{40,128}\Z")
_KINDS = {
    "proxy": socket.SOCK_STREAM,
    "tcp": socket.SOCK_STREAM,
    "dns-tcp": socket.SOCK_STREAM,
    "dns-udp": socket.SOCK_DGRAM,
}


class Start(BaseModel):
    """`{"op":"start"}`: which agent, for what, where."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    op: str
    agent: str = Field(max_length=63)
    argv: list[str] = Field(default_factory=list, max_length=ARGUMENTS_MAX)
    workspace: str = Field(default="", max_length=4096)
    resume: str | None = Field(default=None, max_length=64)
    on_hold: str = Field(default="wait", pattern="^(wait|fail)$")
    purpose: str | None = Field(default=None, max_length=500)
    doors: Wanted = Wanted()
    observe: bool = False
    unboxed: bool = False
    external: bool = False


class AttachServer:
    """Accepts `run`s on the attach socket."""

    def __init__(self, desk: Desk, listener: socket.socket) -> None:
        self._desk = desk
        self._listener = listener
        self._attached: dict[str, _Attachment] = {}
        self._connections: set[asyncio.Task[None]] = set()
        self._accepting: asyncio.Task[None] | None = None
        self._unsubscribe = desk.hub.subscribe(self._heard)

    @property
    def count(self) -> int:
        """How many connections are open."""
        return len(self._connections)

    def start(self) -> None:
        """Begin to accept."""
        self._accepting = asyncio.create_task(self._accept())

    async def close(self) -> None:
        """Stop accepting and let go of every connection: the boxes behind them end at once."""
        self._unsubscribe()
        tasks = [task for task in (self._accepting, *self._connections) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._listener.close()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(self._listener)
            except OSError:
                await asyncio.sleep(0.1)
                continue
            task = asyncio.create_task(self._serve(connection))
            self._connections.add(task)
            task.add_done_callback(self._connections.discard)

    async def _serve(self, connection: socket.socket) -> None:
        channel = Channel(connection)
        try:
            by = self._admit(connection)
            await _Attachment(self._desk, channel, self._attached, by).live()
        except ComptrollerError as error:
            with contextlib.suppress(OSError):
                await channel.send(
                    {"op": "error", "message": error.message, "hint": error.hint, "exit_code": error.exit_code}
                )
        except (OSError, TimeoutError):
            return
        finally:
            channel.close()

    def _admit(self, connection: socket.socket) -> str:
        """Who starts a run; empty where that is no configured person. Raises `UsageError`."""
        uid = peer_uid(connection)
        if uid not in (0, self._desk.owner_uid):
            raise UsageError(
                f"this installation belongs to `{os_user(self._desk.owner_uid) or self._desk.owner_uid}`",
                hint="runs are started by that user, or root",
            )
        if len(self._connections) > CONNECTIONS_MAX:
            raise UsageError(f"{CONNECTIONS_MAX} runs are attached already")
        name = person_name(os_user(uid))
        return name if name in self._desk.config.people else ""

    def _heard(self, kind: str, summary: Mapping[str, object]) -> None:
        """Pass what became durable on to the run it concerns."""
        if kind.startswith("config.") or kind in ("store.outage", "store.recovered"):
            for attachment in tuple(self._attached.values()):
                attachment.heard(kind, summary)
            return
        if kind.startswith("brake."):
            scope = str(summary.get("scope", ""))
            for attachment in tuple(self._attached.values()):
                if attachment.path == scope or attachment.path.startswith(scope + "/"):
                    attachment.heard(kind, summary)
            return
        attachment_of_run = self._attached.get(str(summary.get("run", "")))
        if attachment_of_run is not None:
            attachment_of_run.heard(kind, summary)


class _Attachment:
    """One run, from its start to its summary."""

    def __init__(self, desk: Desk, channel: Channel, attached: dict[str, _Attachment], by: str) -> None:
        self._by = by
        self._desk = desk
        self._channel = channel
        self._attached = attached
        self._outbox: asyncio.Queue[Mapping[str, object]] = asyncio.Queue(NOTICES_MAX)
        self._tally = Tally()
        self._agent = ""
        self._was_limited = False
        self._box: Attached | None = None
        self._doors: RunDoors | None = None
        self._ending: Ending | None = None
        self._killed = asyncio.Event()
        self._killing: asyncio.TimerHandle | None = None
        self.path = ""

    async def live(self) -> None:
        """Handshake, then listen until the box is gone. Raises `ComptrollerError` for what cannot start."""
        async with asyncio.timeout(HANDSHAKE_SECONDS_MAX):
            start = await self._start()
        if start is None:
            return
        doors = self._doors = RunDoors(self._desk.recorder, start.doors, own_ports=self._desk.door.own_ports)
        run = await self._desk.runs.start(
            agent=start.agent,
            purpose=start.purpose,
            resume=start.resume,
            per_run=self._desk.config.agents[start.agent].per_run.amounts(),
            observed=start.observe,
            unboxed=start.unboxed,
            external=start.external,
            by=self._by,
        )
        self._agent, self.path = run.agent, run.path
        self._attached[run.id] = self
        code: int | None = None
        box: Attached | None = None
        writer = asyncio.create_task(self._write())
        reason = "the box could not be attached"
        try:
            await self._channel.send(self._started(run))
            if self._desk.complaint and self._desk.config.notify.terminal:
                self._post({"op": "notice", "kind": "config", "text": neutral_lines(self._desk.complaint)})
            hold = HOLD_SECONDS if start.on_hold == "wait" else 0.0
            if not start.unboxed:
                async with asyncio.timeout(HANDSHAKE_SECONDS_MAX):
                    await doors.open(run)
                    box = self._box = await self._attach(run, hold, external=start.external)
                if box is None:
                    return
            await self._channel.send({"op": "attached"})
            code, reason = await self._ended()
        finally:
            if self._killing is not None:
                self._killing.cancel()
            if self._ending is not None:
                self._ending.close()
                self._ending = None
            # The door closes before anything else is done: an orphaned box reaches nothing.
            if box is not None:
                await asyncio.shield(box.close())
            self._attached.pop(run.id, None)
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)
            await asyncio.shield(self._end(run, code, reason, doors))
        if code is not None:
            data = self._tally.data(run, held_usd_micros=await self._held(run))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LAST_WORDS_SECONDS):
                    await self._channel.send({"op": "summary", "text": self._tally.text(data), "data": data})

    async def _held(self, run: Run) -> int:
        """What its actions may yet prove to have cost; 0 where the store is lost. A share is none of it."""
        with contextlib.suppress(StoreLostError):
            return sum(
                reservation.amounts.get(Unit.USD_MICROS, 0)
                for reservation in await self._desk.store.open_reservations()
                if reservation.run == run.id and reservation.operation != SHARE_OPERATION
            )
        return 0

    async def _end(self, run: Run, code: int | None, reason: str, doors: RunDoors) -> None:
        with contextlib.suppress(ComptrollerError):
            await doors.close(run)
        with contextlib.suppress(ComptrollerError):
            await self._desk.runs.end(run.id, exit_code=code, reason=reason)

    async def _start(self) -> Start | None:
        received = await self._channel.receive()
        if received is None:
            return None
        message, descriptors = received
        _close_all(descriptors)
        try:
            start = Start.model_validate(message)
        except ValidationError as error:
            wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
            raise ChannelError(f"the start message is not as expected: {wrong}") from error
        if start.op != "start":
            raise ChannelError(f"expected `start`, not `{start.op}`")
        await self._desk.refresh()
        if start.agent not in self._desk.config.agents:
            known = ", ".join(sorted(self._desk.config.agents)) or "none"
            raise UsageError(f"there is no agent `{start.agent}`", hint=f"agents in comptroller.yaml: {known}")
        forbidden = self._desk.config.agents[start.agent].forbid
        for option, asked in (
            ("observe", start.observe),
            ("unsafe-no-box", start.unboxed),
            ("layer", start.external),
            ("publish", bool(start.doors.publish)),
            ("host-service", bool(start.doors.host_services)),
        ):
            if asked and option in forbidden:
                raise UsageError(
                    f"agent `{start.agent}` may not be run with --{option}",
                    hint=f"agents.{start.agent}.forbid in comptroller.yaml says so; run it without --{option}",
                )
        return start

    def _started(self, run: Run) -> Mapping[str, object]:
        door, agent = self._desk.door, self._desk.config.agents[run.agent]
        return {
            "op": "started",
            "run": run.id,
            "environment": {**door.placeholders(run.agent), **agent.environment},
            "ca_pem": door.ca_pem,
            "owner": run.owner,
            "purpose": run.purpose,
            "hosts": list(door.hosts(run.agent)),
        }

    async def _attach(self, run: Run, hold_seconds: float, *, external: bool) -> Attached | None:
        received = await self._channel.receive()
        if received is None:
            return None
        message, descriptors = received
        if message.get("ender") is True and descriptors:
            try:
                self._ending = Ending(descriptors.pop())
            except BaseException:
                _close_all(descriptors)
                raise
        sockets = _box_sockets(message, descriptors)
        secret = message.get("proxy_secret", "")
        proxied = [role for role, _ in sockets] == ["proxy"]
        if proxied != external or (proxied and not (isinstance(secret, str) and _SECRET.match(secret))):
            for _, opened in sockets:
                opened.close()
            raise ChannelError("a run without a box of ours has one `proxy` socket and its secret, any other has none")
        services = self._doors.host_services if self._doors is not None else ()
        return await self._desk.door.attach(
            run,
            hold_seconds=hold_seconds,
            sockets=sockets,
            host_services=services,
            proxy_secret=str(secret) if proxied else "",
        )

    async def _ended(self) -> tuple[int | None, str]:
        """The end as `run` tells it, or as it came about where a killed one does not answer."""
        exited, killed = asyncio.create_task(self._exited()), asyncio.create_task(self._killed.wait())
        try:
            await asyncio.wait((exited, killed), return_when=asyncio.FIRST_COMPLETED)
            if exited.done():
                return exited.result()
            return END_CODE, "killed; its own process did not answer, the server ended its box"
        finally:
            for task in (exited, killed):
                task.cancel()
            await asyncio.gather(exited, killed, return_exceptions=True)

    def _kill(self) -> None:
        """Let `run` hear it and end its box in good order; where it does not, end the box without it."""
        if self._killing is not None:
            return
        wake(self._channel.connection)
        self._killing = asyncio.get_running_loop().call_later(KILL_SECONDS, self._kill_now)

    def _kill_now(self) -> None:
        if self._ending is not None:
            self._ending.now()
            self._killed.set()

    async def _exited(self) -> tuple[int | None, str]:
        while True:
            received = await self._channel.receive()
            if received is None:
                return None, "the run's connection ended"
            message, descriptors = received
            _close_all(descriptors)
            code = message.get("code")
            if message["op"] == "exited" and isinstance(code, int) and 0 <= code <= 255:
                return code, ""
            if message["op"] == "doors" and self._doors is not None:
                self._doors.heard(message)
                continue
            if message["op"] == "limited":
                await self._limited(message)
                continue
            raise ChannelError(f"`{str(message['op'])[:40]}` has no place here")

    async def _limited(self, message: Mapping[str, object]) -> None:
        """A limit ended the box: once for every run. Raises `ChannelError` for what says something else."""
        limit, value, used = (message.get(name) for name in ("limit", "value", "used"))
        numbers = isinstance(value, int) and isinstance(used, int) and 0 <= value < 1 << 63 and 0 <= used < 1 << 63
        if self._was_limited or limit not in BOX_LIMITS or not numbers:
            raise ChannelError("`limited` says once which limit, its value and what was used")
        self._was_limited = True
        why = str(message.get("why") or "")[:WHY_CHARACTERS_MAX]
        await self._desk.recorder.record(
            EntryKind.BOX_LIMITED,
            agent=self._agent,
            run=self.path.rpartition("/")[2],
            body={"limit": limit, "value": value, "used": used},
            private={"why": why},
        )

    def heard(self, kind: str, summary: Mapping[str, object]) -> None:
        """Count what happened, and tell the person at the terminal what they should know."""
        self._tally.count(kind, summary)
        if kind in ("brake.frozen", "brake.killed", "run.kill") and self._box is not None:
            # A killed run's own end is told to it below; what streams does not wait for it to listen.
            self._box.cut()
        if kind in ("run.kill", "brake.killed"):
            reason = neutral(summary.get("reason") or "no reason given")
            by = neutral(summary.get("by") or "")
            self._post({"op": "end", "reason": f"killed by {by}: {reason}", "code": END_CODE})
            self._kill()
            return
        if not self._desk.config.notify.terminal:
            return
        agent = self._desk.config.agents.get(self._agent)
        notice = notice_of(
            kind,
            summary,
            agent=self._agent,
            hosts=agent.hosts if agent else (),
            services=agent.services if agent else (),
        )
        if notice is not None and self._tally.worth_telling(notice):
            self._post({"op": "notice", "kind": notice.kind, "text": notice.text})

    def _post(self, message: Mapping[str, object]) -> None:
        if self._outbox.full():
            if message["op"] != "end":
                self._tally.untold += 1
                return
            self._outbox.get_nowait()
        self._outbox.put_nowait(message)

    async def _write(self) -> None:
        while True:
            message = await self._outbox.get()
            try:
                await self._channel.send(message)
            except OSError:
                return


def _box_sockets(message: Mapping[str, object], descriptors: list[int]) -> Sequence[tuple[SocketRole, socket.socket]]:
    """The box's sockets, each what its role says. Raises `ChannelError`; then every descriptor is closed."""
    sockets: list[tuple[SocketRole, socket.socket]] = []
    left = list(descriptors)
    try:
        listed = message.get("sockets")
        if message["op"] != "attach" or not isinstance(listed, list):
            raise ChannelError("expected `attach` with `sockets`")
        roles = [item.get("role") if isinstance(item, dict) else None for item in listed]
        if not 1 <= len(roles) <= SOCKETS_MAX or len(roles) != len(descriptors):
            raise ChannelError(f"{len(roles)} sockets are named and {len(descriptors)} came")
        for role in roles:
            if role not in _KINDS:
                raise ChannelError(f"`{str(role)[:40]}` is no role of a socket")
            sockets.append((cast(SocketRole, role), _box_socket(role, left.pop(0))))
    except BaseException:
        _close_all(left)
        for _, opened in sockets:
            opened.close()
        raise
    return sockets


def _box_socket(role: str, descriptor: int) -> socket.socket:
    try:
        opened = socket.socket(fileno=descriptor)
    except OSError as error:
        os.close(descriptor)
        raise ChannelError("a descriptor is no socket") from error
    listening = opened.type == socket.SOCK_STREAM and opened.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1
    internet = opened.family in (socket.AF_INET, socket.AF_INET6)
    if not internet or opened.type != _KINDS[role] or (role != "dns-udp" and not listening):
        opened.close()
        raise ChannelError(f"a descriptor is no socket for `{role}`")
    opened.setblocking(False)
    return opened


def _close_all(descriptors: Sequence[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
