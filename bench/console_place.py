"""An installation of its own for the console's bench: a `serve`, a service outside, an agent in a box, a visitor."""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx

from comptroller.compose import starter_policies
from comptroller.server.place import Paths

READY_SECONDS_MAX = 60.0
CONFIG = """
version: 1
organization: acme
teams: {{main: {{}}}}
people: {{{user}: {{groups: [approvers]}}}}
agents:
  agent:
    team: main
    owner: {user}
    purpose: measure the console
    hosts: [api.example.com]
    questions: {{open_max: 1000, per_hour_max: 10000}}
budgets:
  - {{scope: acme, unit: usd, limit: 1}}
  - {{scope: acme, unit: calls, limit: 10000000}}
upstreams: {{api.example.com: "http://127.0.0.1:{port}"}}
{store}
"""
ASKING = """
@id("ask")
@outcome("approval")
@approvers("Group::approvers")
@reason("the bench asks")
forbid (principal, action == Comptroller::Action::"http:api.example.com:POST", resource)
unless { context.grants.contains("ask") };
"""
"""Every POST waits for a person."""
AGENT = """
import http.client, sys, threading, time
def post(path):
    connection = http.client.HTTPConnection("api.example.com", timeout=300)
    connection.request("POST", path, b"{}", {"content-type": "application/json"})
    answer = connection.getresponse()
    answer.read()
    return answer.status
def reads(each, seconds, every):
    connection = http.client.HTTPConnection("api.example.com", timeout=30)
    begun, number = time.monotonic(), 0
    while time.monotonic() - begun < seconds:
        connection.request("GET", f"/{each}/{number}")
        connection.getresponse().read()
        number += 1
        time.sleep(max(0.0, begun + number * every - time.monotonic()))
    counts.append(number)
print("up", flush=True)
for line in sys.stdin:
    what, *words = line.split()
    if what == "post":
        print(post(words[0]), flush=True)
    elif what == "posts":
        connection, refused = http.client.HTTPConnection("api.example.com", timeout=30), 0
        for number in range(int(words[0])):
            connection.request("POST", f"/held/{number}", b"{}", {"content-type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            refused += answer.status == 403
        print(refused, flush=True)
    else:
        callers, seconds, rate = int(words[0]), float(words[1]), float(words[2])
        counts = []
        all = [threading.Thread(target=reads, args=(n, seconds, callers / rate)) for n in range(callers)]
        for thread in all: thread.start()
        for thread in all: thread.join()
        print(sum(counts), flush=True)
"""


class Service:
    """The service outside: notes at what moment the first line of each request came, by its path."""

    def __init__(self) -> None:
        self.seen: dict[str, float] = {}
        seen = self.seen

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def parse_request(self) -> bool:
                moment = time.perf_counter()
                parsed = super().parse_request()
                seen[self.path] = moment
                return parsed

            def answer(self) -> None:
                self.rfile.read(int(self.headers.get("content-length") or 0))
                self.send_response(200)
                self.send_header("content-length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            do_GET = do_POST = answer

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        self.port = int(self._server.server_address[1])

    def close(self) -> None:
        """Stop it."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class Agent:
    """A run in its box that does what it is told, line by line."""

    def __init__(self, place: Place, *, on_hold: str = "wait") -> None:
        self.process = subprocess.Popen(
            [*place.program, "run", "--on-hold", on_hold, "--", sys.executable, "-S", "-c", AGENT],
            cwd=place.folder,
            env=place.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        if self.said() != "up":
            raise SystemExit("a box did not come up")

    def said(self) -> str:
        """The next line."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def tell(self, text: str) -> None:
        """Give it a line."""
        assert self.process.stdin is not None
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def close(self) -> None:
        """End it by the end of its input."""
        self.process.communicate(timeout=READY_SECONDS_MAX)


class Visitor:
    """A person's browser as far as HTTP goes: signed in by a one-time link, on one connection that stays open."""

    def __init__(self, place: Place) -> None:
        link = str(place.control("POST", "/v1/page-link")["url"])
        origin, token = link.split("/login#")
        self.client = httpx.Client(base_url=origin, headers={"origin": origin}, timeout=60)
        self.base = str(self.client.post("/login", json={"token": token}).raise_for_status().json()["next"])
        self.csrf = ""
        self.page("")

    def page(self, path: str) -> httpx.Response:
        """One page, whole."""
        answer = self.client.get(self.base + path).raise_for_status()
        found = re.search(r'name="csrf" value="([^"]+)"', answer.text)
        self.csrf = found.group(1) if found else self.csrf
        return answer

    def approve(self, approval: str) -> float:
        """Click; the moment of the click."""
        moment = time.perf_counter()
        answer = self.client.post(f"{self.base}approvals/{approval}/approve", data={"csrf": self.csrf})
        if answer.status_code not in (200, 303):
            raise SystemExit(f"the click was answered with {answer.status_code}: {answer.text[:300]}")
        return moment


class Place:
    """A folder with a `comptroller.yaml`, its policies, and its `serve`. `prepare` is called with the path of the store
    once that was made and while nobody has it open."""

    def __init__(
        self, folder: Path, port: int, *, store: str = "", prepare: Callable[[Path], None] | None = None
    ) -> None:
        self.folder = folder / "project"
        (self.folder / "policies").mkdir(parents=True)
        user = pwd.getpwuid(os.getuid()).pw_name
        self.config = self.folder / "comptroller.yaml"
        self.config.write_text(CONFIG.format(user=user, port=port, store=f"store: {store}" if store else ""))
        (self.folder / "policies" / "starter.cedar").write_text(starter_policies())
        (self.folder / "policies" / "asking.cedar").write_text(ASKING)
        kept = {name: value for name, value in os.environ.items() if name not in ("CI", "COMPTROLLER_CONFIG")}
        self.environment = {**kept, "XDG_STATE_HOME": str(folder / "s")}
        self.paths = Paths(folder / "s" / "comptroller" / Paths.of(self.config).folder.name)
        script = shutil.which("comptroller", path=str(Path(sys.executable).parent))
        self.program = [script] if script else [sys.executable, "-m", "comptroller"]
        self._said = folder / "serve.log"
        self._control = httpx.Client(
            transport=httpx.HTTPTransport(uds=str(self.paths.control_socket)), base_url="http://control", timeout=60
        )
        self.serve = self._started()
        if prepare is not None:
            self._stop()
            prepare(self.paths.store)
            self.serve = self._started()

    def _started(self) -> subprocess.Popen[bytes]:
        command = [*self.program, "serve", "--config", str(self.config)]
        with self._said.open("ab") as said:
            serve = subprocess.Popen(command, env=self.environment, stdout=said, stderr=said)
        deadline = time.monotonic() + READY_SECONDS_MAX
        while not self.paths.control_socket.exists():
            if time.monotonic() > deadline or serve.poll() is not None:
                raise SystemExit(f"serve did not come up: {self._said.read_text()[-2000:]}")
            time.sleep(0.05)
        return serve

    def control(self, method: str, path: str) -> dict[str, object]:
        """Ask the control socket."""
        found: dict[str, object] = (
            self._control.request(method, path, json={} if method == "POST" else None).raise_for_status().json()
        )
        return found

    def question(self, known: set[str]) -> str:
        """The id of the one question that is not among `known`, once it is there."""
        deadline = time.monotonic() + READY_SECONDS_MAX
        while time.monotonic() < deadline:
            found = self.control("GET", "/v1/approvals?state=pending")["approvals"]
            assert isinstance(found, list)
            fresh = [each["id"] for each in found if each["id"] not in known]
            if fresh:
                return str(fresh[0])
            time.sleep(0.02)
        raise SystemExit("no question came")

    def close(self) -> None:
        """End `serve`."""
        self._control.close()
        self._stop()

    def _stop(self) -> None:
        self.serve.terminate()
        self.serve.wait(READY_SECONDS_MAX)


@contextlib.contextmanager
def place(*, store: str = "", prepare: Callable[[Path], None] | None = None) -> Iterator[tuple[Place, Service]]:
    """A place to measure in, and nothing of it afterwards."""
    service = Service()
    folder = Path(tempfile.mkdtemp(prefix="bc-"))
    made: Place | None = None
    try:
        made = Place(folder, service.port, store=store, prepare=prepare)
        yield made, service
    finally:
        if made is not None:
            made.close()
        service.close()
        shutil.rmtree(folder, ignore_errors=True)
