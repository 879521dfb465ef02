"""The attach protocol with real sockets and real descriptors."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from server_kit import Place

from comptroller.core.action import ActionClass
from comptroller.core.audit import EntryKind
from comptroller.core.brake import RunState
from comptroller.core.config import NotifyConfig
from comptroller.core.verdict import Reason, VerdictKind
from comptroller.server.attach import HOLD_SECONDS, SOCKETS_MAX
from comptroller.server.channel import DESCRIPTORS_MAX, LINE_BYTES_MAX

START = {
    "op": "start",
    "agent": "research",
    "argv": ["python", "agent.py"],
    "workspace": "/w",
    "resume": None,
    "on_hold": "wait",
    "purpose": None,
}


class Client:
    """What `run` does, in a few lines."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.connect(str(path))
        self.socket.setblocking(False)
        self._buffer = b""

    async def send(self, message: object, descriptors: list[int] | None = None) -> None:
        data = message if isinstance(message, bytes) else json.dumps(message).encode() + b"\n"
        if descriptors:
            sent = socket.send_fds(self.socket, [data], descriptors)
            data = data[sent:]
        await asyncio.get_running_loop().sock_sendall(self.socket, data)

    async def receive(self) -> dict[str, Any] | None:
        while b"\n" not in self._buffer:
            data = await asyncio.get_running_loop().sock_recv(self.socket, 65536)
            if not data:
                return None
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        found = json.loads(line)
        assert isinstance(found, dict)
        return found


@asynccontextmanager
async def connected(place: Place) -> AsyncIterator[Client]:
    client = Client(place.attach)
    try:
        yield client
    finally:
        client.socket.close()


@asynccontextmanager
async def box_sockets() -> AsyncIterator[tuple[socket.socket, socket.socket]]:
    with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
        tcp.bind(("127.0.0.1", 0))
        tcp.listen()
        udp.bind(("127.0.0.1", 0))
        yield tcp, udp


async def attached(client: Client, **change: object) -> dict[str, Any]:
    """Start and attach; returns what `started` said."""
    await client.send(START | change)
    started = await client.receive()
    assert started is not None and started["op"] == "started", started
    async with box_sockets() as (tcp, udp):
        roles = {"op": "attach", "sockets": [{"role": "tcp"}, {"role": "dns-udp"}]}
        await client.send(roles, [tcp.fileno(), udp.fileno()])
        answer = await client.receive()
    assert answer == {"op": "attached"}
    return started


async def ended(place: Place, run: str) -> None:
    """Wait until the run has ended in the store; the hub says when."""
    over = asyncio.Event()
    unsubscribe = place.desk.hub.subscribe(lambda kind, body: over.set() if kind == "run.ended" else None)
    try:
        while [r.state for r in await place.store.runs() if r.id == run] != [RunState.ENDED]:
            async with asyncio.timeout(10):
                await over.wait()
            over.clear()
    finally:
        unsubscribe()


async def test_from_start_to_summary(place: Place) -> None:
    async with connected(place) as client:
        started = await attached(client)
        assert started["environment"] == {"MODE": "test", "OPENAI_API_KEY": "comptroller-placeholder"}
        assert started["ca_pem"].startswith("-----BEGIN") and started["hosts"] == ["api.openai.com"]
        (box,) = place.door.boxes
        assert box.hold_seconds == HOLD_SECONDS and [role for role, _ in box.sockets] == ["tcp", "dns-udp"]
        with socket.create_connection(box.sockets[0][1].getsockname()):
            box.sockets[0][1].accept()[0].close()
        await client.send({"op": "exited", "code": 3})
        summary = await client.receive()
        assert summary is not None and summary["op"] == "summary"
        assert summary["data"]["run"] == started["run"] and "cost $0.00" in summary["text"]
        assert await client.receive() is None
    (run,) = await place.store.runs()
    assert (run.state, run.exit_code) == (RunState.ENDED, 3)
    assert place.door.closed == [run.id]


async def test_the_run_ends_when_the_client_goes(place: Place) -> None:
    async with connected(place) as client:
        started = await attached(client)
    await ended(place, started["run"])
    assert place.door.closed == [started["run"]]


async def test_the_client_learns_when_the_server_goes(place: Place) -> None:
    async with connected(place) as client:
        await attached(client)
        await place.house.close()
        assert await client.receive() is None
    assert len(place.door.closed) == 1


async def test_held_approved_denied_and_refused_are_told(place: Place) -> None:
    async with connected(place) as client:
        started = await attached(client)
        (run,) = await place.store.runs()
        held = await place.held(run, sentence="start \u202eevil")
        told = await client.receive()
        assert told is not None and (told["op"], told["kind"]) == ("notice", "held")
        assert "start <U+202E>evil" in told["text"] and f"comptroller approvals show {held.id}" in told["text"]
        async with place.client() as control:
            await control.post(f"/v1/approvals/{held.id}/approve", json={})
        told = await client.receive()
        assert told is not None and told["kind"] == "approved"
        denial = {
            "kind": VerdictKind.DENY,
            "service": "http",
            "endpoint": "api.example.com",
            "classes": frozenset({ActionClass.READ}),
            "sentence": "read api.example.com",
            "rules": ("unnamed",),
            "reasons": (Reason(code="forbidden", text="neither the service nor the host is named", rule="unnamed"),),
        }
        for _ in range(12):
            await place.propose(run, **denial)
        told = await client.receive()
        assert told is not None and told["kind"] == "denied"
        assert "agents.research.hosts: [packages.example.com, api.example.com]" in told["text"]
        assert (await client.receive()) == told  # the tenth
        await place.desk.recorder.record(
            EntryKind.BOX_REFUSED,
            agent="research",
            run=run.id,
            body={"look": "ssh", "destination": "x\x1b:22", "count": 3},
        )
        told = await client.receive()
        assert told is not None and told["kind"] == "box" and "ssh to x<U+001B>:22, 3 times" in told["text"]
        await client.send({"op": "exited", "code": 0})
        summary = await client.receive()
        assert summary is not None
        counts = {name: summary["data"][name] for name in ("allowed", "held", "denied", "refused")}
        assert counts == {"allowed": 0, "held": 1, "denied": 12, "refused": 3}
        assert started["run"] in summary["text"]


async def test_a_quiet_terminal_is_told_nothing_but_the_summary(place: Place) -> None:
    place.desk.config = place.desk.config.model_copy(update={"notify": NotifyConfig(terminal=False)})
    async with connected(place) as client:
        started = await attached(client)
        run = next(run for run in await place.store.runs() if run.id == started["run"])
        await place.held(run)
        await client.send({"op": "exited", "code": 0})
        told = await client.receive()
        assert told is not None and (told["op"], told["data"]["held"]) == ("summary", 1)


async def test_kill_ends_the_box(place: Place) -> None:
    async with connected(place) as client:
        started = await attached(client, on_hold="fail")
        assert place.door.boxes[0].hold_seconds == 0
        async with place.client() as control:
            await control.post("/v1/kill", json={"scope": "acme/ml/research", "reason": "odd"})
        told = await client.receive()
        assert told is not None and (told["op"], told["code"]) == ("end", 124)
        assert "odd" in told["reason"]
    await ended(place, started["run"])


async def test_a_killed_run_that_does_not_answer_loses_its_box_all_the_same(place: Place) -> None:
    """Its box is a process here that we are; whoever holds the connection says nothing more."""
    with subprocess.Popen(["sleep", "600"]) as box:
        os.kill(box.pid, signal.SIGSTOP)
        async with connected(place) as client:
            await client.send(START)
            started = await client.receive()
            assert started is not None
            ender = os.pidfd_open(box.pid)
            async with box_sockets() as (tcp, _):
                message = {"op": "attach", "sockets": [{"role": "tcp"}], "ender": True}
                await client.send(message, [tcp.fileno(), ender])
                assert await client.receive() == {"op": "attached"}
            os.close(ender)
            async with place.client() as control:
                await control.post("/v1/kill", json={"scope": started["run"], "reason": "odd"})
            await ended(place, started["run"])
            assert await asyncio.to_thread(box.wait, 10) == -signal.SIGKILL
            told = await client.receive()
            while told is not None and told["op"] == "end":
                told = await client.receive()
            assert told is not None and told["op"] == "summary"
    entry = (await place.store.entries(limit=1000))[-1].document
    assert (entry["kind"], entry["body"]["exit_code"]) == ("run.ended", 124)
    assert "did not answer" in str(entry["body"]["reason"])


async def test_what_is_no_process_ends_nothing(place: Place) -> None:
    async with connected(place) as client:
        await client.send(START)
        assert await client.receive() is not None
        async with box_sockets() as (tcp, udp):
            message = {"op": "attach", "sockets": [{"role": "tcp"}], "ender": True}
            await client.send(message, [tcp.fileno(), udp.fileno()])
            told = await client.receive()
    assert told is not None and told["op"] == "error" and "no process" in told["message"]


async def test_resume_keeps_the_run(place: Place) -> None:
    async with connected(place) as client:
        started = await attached(client)
        await client.send({"op": "exited", "code": 0})
        assert await client.receive()
    async with connected(place) as client:
        again = await attached(client, resume=started["run"])
        assert again["run"] == started["run"]


@pytest.mark.parametrize(
    ("message", "says"),
    [
        (START | {"agent": "nobody"}, "there is no agent `nobody`"),
        (START | {"on_hold": "maybe"}, "on_hold"),
        (START | {"resume": "01900000-0000-7000-8000-ffffffffffff"}, "there is no run"),
        (START | {"uid": 0}, "uid"),
        ({"op": "attach", "sockets": []}, "start message"),
        (b"not json\n", "not JSON"),
        (b"[1]\n", "`op`"),
        (b'{"op": "start", "agent": "' + b"x" * (LINE_BYTES_MAX + 70_000), "longer than"),
        (b"[" * 100_000 + b"\n", "not JSON"),
    ],
)
async def test_bad_starts_are_told(place: Place, message: object, says: str) -> None:
    async with connected(place) as client:
        with suppress(BrokenPipeError, ConnectionResetError):
            await client.send(message)
        told = await client.receive()
        assert told is not None and told["op"] == "error" and says in told["message"]
    assert await place.store.runs() == [] or not place.door.boxes


def _listening_unix() -> socket.socket:
    opened = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    opened.bind("")
    opened.listen()
    return opened


@pytest.mark.parametrize("kind", ["file", "unix", "not-listening", "datagram", "role", "missing", "many", "none"])
async def test_wrong_descriptors_are_refused_and_closed(place: Place, kind: str) -> None:
    before = len(os.listdir("/proc/self/fd"))
    async with connected(place) as client:
        await client.send(START)
        started = await client.receive()
        assert started is not None
        opened: list[Any] = []
        roles = ["tcp"]
        match kind:
            case "file":
                opened = [open("/dev/null")]  # noqa: SIM115
            case "unix":
                opened = [_listening_unix()]
            case "not-listening":
                opened = [socket.socket()]
            case "datagram":
                opened = [socket.socket(type=socket.SOCK_DGRAM)]
            case "role":
                opened, roles = [socket.socket()], ["root"]
            case "missing":
                roles = ["tcp", "dns-udp"]
                opened = [socket.socket()]
            case "many":
                count = min(SOCKETS_MAX + 1, DESCRIPTORS_MAX)
                opened, roles = [socket.socket() for _ in range(count)], ["tcp"] * count
        message = {"op": "attach", "sockets": [{"role": role} for role in roles]}
        await client.send(message, [item.fileno() for item in opened])
        told = await client.receive()
        assert told is not None and told["op"] == "error"
        for item in opened:
            item.close()
    await ended(place, started["run"])
    assert place.door.boxes == []
    assert len(os.listdir("/proc/self/fd")) <= before + 1


async def test_a_second_message_out_of_place_ends_the_run(place: Place) -> None:
    async with connected(place) as client:
        started = await attached(client)
        await client.send({"op": "exited", "code": "0"})
        told = await client.receive()
        assert told is not None and told["op"] == "error"
    await ended(place, started["run"])
    assert place.door.closed == [started["run"]]
