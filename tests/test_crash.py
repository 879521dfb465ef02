"""`kill -9` of `serve` at random points: nothing upstream without a durable entry, no overspend, money stays held."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from comptroller.compose import Paths, starter_policies
from comptroller.compose_state import open_log
from comptroller.core.reservation import ReservationState

SEED = 20261123
KILLS = 50
CALLS_LIMIT = 400
CONFIG = """
version: 1
organization: acme
teams: {{ml: {{}}}}
people: {{{user}: {{groups: [approvers]}}}}
agents:
  bot:
    team: ml
    owner: {user}
    purpose: survive a crash
    hosts: [api.example.com]
budgets:
  - {{scope: acme, unit: calls, limit: {calls}}}
  - {{scope: acme, unit: usd, limit: 1}}
upstreams: {{api.example.com: "http://127.0.0.1:{port}"}}
"""


class Provider:
    """An outside service whose own memory is the truth of what arrived."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        provider = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                provider.seen.append(self.path)
                self.send_response(200)
                self.send_header("content-length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            do_DELETE = do_GET

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = int(self.server.server_address[1])
        self._thread = threading.Thread(target=self.server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self._thread.join()
        self.server.server_close()


class Serve:
    """A real `comptroller serve` with one box's sockets attached to it (the box itself is a plain client here)."""

    def __init__(self, config: Path, environment: dict[str, str], *, resume: str | None = None) -> None:
        self.paths = Paths.of(config)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "comptroller", "serve", "--config", str(config)],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        self.attach = self._connect()
        self._send(
            {"op": "start", "agent": "bot", "argv": ["x"], "workspace": "/", "resume": resume, "on_hold": "fail"}
        )
        self.run = str(self._receive()["run"])
        self.box = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.box.getsockname()[1])
        message = json.dumps({"op": "attach", "sockets": [{"role": "tcp"}]}).encode() + b"\n"
        socket.send_fds(self.attach, [message], [self.box.fileno()])
        assert self._receive()["op"] == "attached"
        self.box.close()

    def _connect(self) -> socket.socket:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            connection = socket.socket(socket.AF_UNIX)
            try:
                connection.connect(str(self.paths.attach_socket))
            except OSError:
                connection.close()
                assert self.process.poll() is None, self.process.communicate()[1].decode()
                time.sleep(0.01)
            else:
                connection.settimeout(20)
                return connection
        raise AssertionError("serve did not come up")

    def _send(self, message: dict[str, object]) -> None:
        self.attach.sendall(json.dumps(message).encode() + b"\n")

    def _receive(self) -> dict[str, object]:
        while b"\n" not in (received := self.attach.recv(1 << 16, socket.MSG_PEEK)):
            assert received, "serve closed the connection"
        line = self.attach.recv(received.index(b"\n") + 1)
        message = json.loads(line)
        assert message["op"] != "error", message
        return message  # type: ignore[no-any-return]

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()
        self.attach.close()


def storm(port: int, prefix: str, stop: threading.Event, sent: list[str]) -> None:
    """Ask for as much as possible until the door is gone."""
    number = 0
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            while not stop.is_set():
                path = f"/{prefix}/{number}"
                sent.append(path)
                connection.sendall(f"GET {path} HTTP/1.1\r\nhost: api.example.com\r\n\r\n".encode())
                if not connection.recv(1 << 16):
                    return
                number += 1
    except OSError:
        return


@pytest.fixture
def provider() -> Iterator[Provider]:
    made = Provider()
    yield made
    made.close()


@pytest.mark.timeout(400)
def test_fifty_kills(tmp_path: Path, provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    seed = random.Random(SEED)
    print("seed", SEED)
    folder = tmp_path / "c"
    (folder / "policies").mkdir(parents=True)
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path / "s")}
    monkeypatch.setenv("XDG_STATE_HOME", environment["XDG_STATE_HOME"])
    config = folder / "comptroller.yaml"
    user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
    config.write_text(CONFIG.format(user=user, port=provider.port, calls=CALLS_LIMIT))
    (folder / "policies" / "starter.cedar").write_text(starter_policies())
    for round_number in range(KILLS):
        serve = Serve(config, environment)
        stop = threading.Event()
        sent: list[str] = []
        workers = [
            threading.Thread(target=storm, args=(serve.port, f"{round_number}-{worker}", stop, sent))
            for worker in range(4)
        ]
        for worker in workers:
            worker.start()
        time.sleep(seed.uniform(0.0, 0.12))
        serve.kill()
        stop.set()
        for worker in workers:
            worker.join()
    assert len(provider.seen) > KILLS // 2, "the storm hardly reached the provider"
    assert len(provider.seen) <= CALLS_LIMIT
    last = Serve(config, environment)
    last.kill()
    with open_log(Paths.of(config)) as log:
        recorded: set[str] = set()
        for entry in log.entries(limit=100_000):
            if entry.document["kind"] == "action.allowed":
                private = {item.name: item.value for item in log.private(entry.index)}
                recorded.update(str(resource) for resource in private["resources"])  # type: ignore[attr-defined]
        for path in provider.seen:
            assert any(resource.endswith(path) for resource in recorded), f"{path} went out without an entry"
        held = log.open_reservations()
        assert {r.state for r in held} <= {ReservationState.SUSPENSE}, "recovery leaves nothing dispatched"
        (calls,) = [state for state in log.budgets(datetime.now(UTC)) if state.budget.unit == "calls"]
        assert calls.account.taken <= CALLS_LIMIT
        assert calls.account.taken >= len(provider.seen), "what went out is counted"
        assert calls.account.suspense == len(held)
        size = log.size()
        assert [entry.index for entry in log.entries(limit=100_000)] == list(range(size))
    verified = subprocess.run(
        [sys.executable, "-m", "comptroller", "audit", "verify"], cwd=folder, env=environment, capture_output=True
    )
    assert verified.returncode == 0, verified.stdout + verified.stderr
