"""What a box costs: its start over the bare command, its memory, how many live at once, and what a flood does."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import pwd
import select
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from bench.report import Result, emit
from comptroller.compose import Paths, starter_policies

BOXES = 50
FLOOD_ATTEMPTS = 10_000
SECONDS_MAX = 60
CONFIG = """
version: 1
organization: acme
teams: {{main: {{}}}}
people: {{{user}: {{groups: [approvers]}}}}
agents:
  agent:
    team: main
    owner: {user}
    purpose: measure a box
    hosts: [api.example.com]
budgets:
  - {{scope: acme, unit: usd, limit: 1}}
  - {{scope: acme, unit: calls, limit: 1000000}}
upstreams: {{api.example.com: "http://127.0.0.1:{port}"}}
"""
ASK = """
import http.client, json, sys, time
def ask(host):
    started = time.perf_counter()
    connection = http.client.HTTPConnection(host, timeout=30)
    connection.request("GET", "/" if host != "comptroller.internal" else "/budget")
    answer = connection.getresponse()
    answer.read()
    connection.close()
    assert answer.status == 200, (host, answer.status)
    return time.perf_counter() - started
print("up", flush=True)
for line in sys.stdin:
    host, count = line.split()
    print(json.dumps([ask(host) for _ in range(int(count))]), flush=True)
"""
FLOOD = """
import socket, struct, sys
print("up", flush=True)
for line in sys.stdin:
    done, number = 0, 0
    while done < int(line):
        number += 1
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            name = f"n{number % 5000}.flood.example.net".split(".")
            packet = struct.pack("!6H", number % 65536, 256, 1, 0, 0, 0)
            packet += b"".join(bytes([len(part)]) + part.encode() for part in name) + struct.pack("!BHH", 0, 1, 1)
            asking.sendto(packet, ("198.18.0.1", 53))
        with socket.socket() as connecting:
            connecting.settimeout(5)
            try:
                connecting.connect(("198.51.100.7", 443))
            except OSError:
                pass
        done += 2
    print("done", flush=True)
"""


class Service(BaseHTTPRequestHandler):
    """The service outside: answers at once."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Two bytes."""
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None:
        """Quiet."""


class Place:
    """An installation of its own with a running `serve`."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder / "project"
        (self.folder / "policies").mkdir(parents=True)
        user = pwd.getpwuid(os.getuid()).pw_name
        (self.folder / "comptroller.yaml").write_text(CONFIG.format(user=user, port=port))
        (self.folder / "policies" / "starter.cedar").write_text(starter_policies())
        kept = {name: value for name, value in os.environ.items() if name not in ("CI", "COMPTROLLER_CONFIG")}
        self.environment = {**kept, "XDG_STATE_HOME": str(folder / "s")}
        name = Paths.of(self.folder / "comptroller.yaml").folder.name
        self.paths = Paths(folder / "s" / "comptroller" / name)
        script = shutil.which("comptroller", path=str(Path(sys.executable).parent))
        self.program = [script] if script else [sys.executable, "-m", "comptroller"]
        self.run("true")

    def run(self, *words: str) -> float:
        """Seconds that a whole run takes."""
        started = time.perf_counter()
        command = [*self.program, "run", "--", *words]
        done = subprocess.run(command, cwd=self.folder, env=self.environment, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(done.stderr)
        return time.perf_counter() - started

    def server(self) -> int:
        """The process id of `serve`; 0 where there is none."""
        with socket.socket(socket.AF_UNIX) as connection:
            try:
                connection.connect(str(self.paths.attach_socket))
            except OSError:
                return 0
            found: int = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
            return found


class Agent:
    """A run whose command does what it is told, line by line."""

    def __init__(self, place: Place, code: str) -> None:
        self.process = subprocess.Popen(
            [*place.program, "run", "--", sys.executable, "-S", "-c", code],
            cwd=place.folder,
            env=place.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def up(self) -> Agent:
        """Wait until its command runs."""
        if self.said() != "up":
            raise SystemExit("a box did not come up")
        return self

    def said(self) -> str:
        """The next line."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def tell(self, text: str) -> None:
        """Give it a line."""
        assert self.process.stdin is not None
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def ask(self, host: str, count: int) -> list[float]:
        """Seconds of `count` calls, one after another."""
        self.tell(f"{host} {count}")
        found: list[float] = json.loads(self.said())
        return found

    def close(self) -> None:
        """End it by the end of its input."""
        self.process.communicate(timeout=SECONDS_MAX)


# ---------------------------------------------------------------- measurements


def launch(place: Place, rounds: int) -> Result:
    """The median of whole runs of `true` less the median of `true` itself, in turns."""
    bare, boxed, plain = [], [], ["true"]
    for _ in range(rounds):
        started = time.perf_counter()
        subprocess.run(plain, cwd=place.folder, env=place.environment, capture_output=True, check=True)
        bare.append(time.perf_counter() - started)
        boxed.append(place.run("true"))
    over = statistics.median(boxed) - statistics.median(bare)
    return Result(name="launch_p50_ms", value=over * 1000, unit="ms")


def memory(pid: int) -> int:
    """Bytes that are this process's own: its proportional share of everything it has mapped."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise SystemExit("the kernel does not tell the memory of a process")


def children(pid: int) -> list[int]:
    """All processes below one."""
    direct = [
        int(word) for task in Path(f"/proc/{pid}/task").iterdir() for word in (task / "children").read_text().split()
    ]
    return [*direct, *(below for child in direct for below in children(child))]


def command_of(agent: Agent) -> int:
    """The process of the agent's own command: the innermost below the box's process 1."""
    return max(children(agent.process.pid), key=lambda pid: _depth(pid, agent.process.pid))


def _depth(pid: int, root: int) -> int:
    depth = 0
    while pid != root:
        pid = int(Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()[1])
        depth += 1
    return depth


def boxes(place: Place, wanted: int) -> list[Result]:
    """`wanted` boxes alive together, each served a call; their memory above their commands', with `serve`'s growth."""
    before = memory(place.server())
    agents: list[Agent] = []
    try:
        for _ in range(wanted):
            agents.append(Agent(place, ASK))
        alive = [agent.up() for agent in agents]
        for agent in alive:
            agent.tell("api.example.com 1")
        served = sum(len(json.loads(agent.said())) == 1 for agent in alive)
        used = memory(place.server()) - before
        for agent in alive:
            own = command_of(agent)
            used += sum(memory(pid) for pid in (agent.process.pid, *children(agent.process.pid)) if pid != own)
        for agent in agents:
            agent.process.kill()
    finally:
        for agent in agents:
            with contextlib.suppress(ProcessLookupError):
                agent.process.kill()
            agent.process.communicate(timeout=SECONDS_MAX)
    place.run("true")
    return [
        Result(name="rss_per_box_mb", value=used / wanted / 1e6, unit="MB"),
        Result(name="boxes_at_once", value=served, unit="count"),
    ]


def flood(place: Place, attempts: int, calls: int) -> Result:
    """The median of allowed calls while another box makes `attempts` DNS and connection attempts / without it."""
    caller, flooder = Agent(place, ASK).up(), Agent(place, FLOOD).up()
    try:
        hosts = ("comptroller.internal", "api.example.com")
        for host in hosts:
            caller.ask(host, 5)
        ratios: dict[str, list[float]] = {host: [] for host in hosts}
        for _ in range(3):
            for host in hosts:
                quiet = caller.ask(host, calls)
                flooder.tell(str(attempts // 6))
                loud = caller.ask(host, calls)
                flooder.said()
                ratios[host].append(statistics.median(loud) / statistics.median(quiet))
    finally:
        caller.close()
        flooder.close()
    worst = max(statistics.median(found) for found in ratios.values())
    return Result(name="allowed_slowdown_under_flood", value=worst, unit="ratio")


@contextlib.contextmanager
def place() -> Iterator[Place]:
    """A place to measure in, and nothing of it afterwards."""
    service = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    thread = threading.Thread(target=service.serve_forever)
    thread.start()
    folder = Path(tempfile.mkdtemp(prefix="bb-"))
    made: Place | None = None
    try:
        made = Place(folder, int(service.server_address[1]))
        yield made
    finally:
        if made is not None and (pid := made.server()):
            descriptor = os.pidfd_open(pid)
            os.kill(pid, 15)
            select.select([descriptor], [], [], SECONDS_MAX)
            os.close(descriptor)
        service.shutdown()
        thread.join()
        service.server_close()
        shutil.rmtree(folder)


def measure(*, quick: bool, wanted: int = BOXES) -> Sequence[Result]:
    """Everything. `quick` takes fewer launches and a shorter flood; the boxes are all there."""
    with place() as made:
        return [
            launch(made, 7 if quick else 31),
            *boxes(made, wanted),
            flood(made, FLOOD_ATTEMPTS // 4 if quick else FLOOD_ATTEMPTS, 10 if quick else 40),
        ]


def main() -> None:
    """`python -m bench.box [--quick] [--json]`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="under 45 seconds")
    parser.add_argument("--json", action="store_true", help="print JSON")
    chosen = parser.parse_args()
    emit(measure(quick=chosen.quick), chosen.json)


if __name__ == "__main__":
    main()
