"""Nothing leaves an orphaned box: whatever of ours is killed, stopped, starved or hung up while an agent runs."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import resource
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from test_cli_run import PROGRAM, SECONDS_MAX, Project, project

__all__ = ["project"]

ATTEMPT = (
    "import socket, sys\n"
    "print('up', flush=True)\n"
    "for line in sys.stdin:\n"
    "    try:\n"
    "        with socket.create_connection(('198.51.100.7', 80), 3) as c:\n"
    "            c.settimeout(3)\n"
    "            c.sendall(b'GET /secret HTTP/1.1\\r\\nhost: api.example.com\\r\\nconnection: close\\r\\n\\r\\n')\n"
    "            print('answer', c.recv(99)[:12].decode(), flush=True)\n"
    "    except OSError as error:\n"
    "        print('nothing', type(error).__name__, flush=True)\n"
)


def processes() -> dict[int, tuple[int, bytes, str]]:
    """Process id -> parent, command line, state; without zombies."""
    found = {}
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit():
                state, parent = (entry / "stat").read_text().rsplit(") ", 1)[1].split()[:2]
                if state != "Z":
                    found[int(entry.name)] = (int(parent), (entry / "cmdline").read_bytes(), state)
    return found


def below(root: int) -> list[int]:
    """Every process below `root`."""
    all_of_them = processes()
    found, waiting = [], [root]
    while waiting:
        at = waiting.pop()
        children = [pid for pid, (parent, _, _) in all_of_them.items() if parent == at]
        found += children
        waiting += children
    return found


def gone(pids: list[int]) -> list[int]:
    """Those of `pids` that still live once none does or time is up."""
    deadline = time.monotonic() + SECONDS_MAX
    while left := [pid for pid in pids if pid in processes()]:
        if time.monotonic() > deadline:
            break
        select.select([], [], [], 0.02)
    return left


class Outside:
    """The service that the agent may reach; its own memory is the truth of what arrived."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        outside = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outside.seen.append(self.path)
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = Thread(target=self.server.serve_forever)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def outside(project: Project) -> Iterator[Outside]:
    made = Outside()
    path = project.folder / "comptroller.yaml"
    text = path.read_text("utf-8").replace("hosts: []", "hosts: [api.example.com]")
    port = made.server.server_address[1]
    path.write_text(f'{text}\nupstreams: {{api.example.com: "http://127.0.0.1:{port}"}}\n', "utf-8")
    yield made
    made.close()


class Living:
    """A run with a command that tries to get out whenever it is told to."""

    def __init__(self, project: Project, *words: str) -> None:
        self.project = project
        self.process = subprocess.Popen(
            [*PROGRAM, "run", "--", *(words or (sys.executable, "-c", ATTEMPT))],
            cwd=project.folder,
            env=project.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        if self.said() != "up":
            raise AssertionError(self.process.communicate(timeout=SECONDS_MAX)[1])
        server = project.server()
        self.parts = [pid for pid in below(self.process.pid) if pid != server and pid not in below(server)]

    def said(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def attempt(self) -> str:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self.said()

    def part(self, name: str) -> int:
        """The process id of `run`, `serve`, or of a part of the box."""
        if name in ("run", "serve"):
            return self.process.pid if name == "run" else self.project.server()
        all_of_them = processes()
        children = [pid for pid in self.parts if all_of_them[pid][0] == self.process.pid]
        parents = {parent for parent, _, _ in all_of_them.values()}
        (bwrap,) = [pid for pid in children if pid in parents]
        (guard,) = set(children) - {bwrap}
        (first,) = [pid for pid in self.parts if all_of_them[pid][0] == bwrap]
        (command,) = [pid for pid in self.parts if all_of_them[pid][0] == first]
        return {"guard": guard, "bwrap": bwrap, "first": first, "command": command}[name]

    def end(self) -> tuple[int, str]:
        _, err = self.process.communicate(timeout=SECONDS_MAX)
        return self.process.returncode, err


PARTS = ("run", "serve", "bwrap", "first", "guard", "command")
"""`first` is process 1 of the box; an out-of-memory kill is a `kill -9` by the kernel."""


@pytest.mark.parametrize("part", PARTS)
def test_a_killed_part_takes_the_box_with_it(project: Project, outside: Outside, part: str) -> None:
    living = Living(project)
    assert living.attempt() == "answer HTTP/1.1 200"
    everything, served = [*living.parts, living.process.pid], project.server()
    os.kill(living.part(part), signal.SIGKILL)
    living.process.wait(SECONDS_MAX)  # `end` closes the command's input first, which would end it with 0
    code, err = living.end()
    assert code == {"run": -9, "serve": 125, "guard": 125}.get(part, 137), err
    assert gone(everything) == []
    assert outside.seen == ["/secret"]
    if part != "serve":
        assert project.server() == served, "serve survives a dying box"
    assert project.run("true").returncode == 0


@pytest.mark.parametrize("part", PARTS)
def test_a_stopped_part_opens_nothing(project: Project, outside: Outside, part: str) -> None:
    living = Living(project)
    everything = [*living.parts, living.process.pid]
    stopped = living.part(part)
    os.kill(stopped, signal.SIGSTOP)
    try:
        if part == "serve":
            assert living.attempt().startswith("nothing")
            assert outside.seen == []
        elif part not in ("command", "first"):
            # Whoever stands still, the gateway judges.
            assert living.attempt() == "answer HTTP/1.1 200"
    finally:
        os.kill(stopped, signal.SIGCONT)
    # Stopped parts die like any other.
    if part not in ("run", "serve"):
        os.kill(stopped, signal.SIGSTOP)
    living.process.kill()
    living.end()
    assert gone(everything) == []


@pytest.mark.parametrize("part", ["run", "bwrap", "first", "guard", "command"])
def test_a_kill_waits_for_nobody_who_was_stopped(project: Project, part: str) -> None:
    living = Living(project)
    everything = [*living.parts, living.process.pid]
    os.kill(living.part(part), signal.SIGSTOP)
    done = project.call_outside("kill", "agent", "--reason", "it does not answer")
    assert done.returncode == 0, done.stderr
    code, err = living.end()
    assert (code, "it does not answer" in err) == (124, True), err
    assert gone(everything) == []


def test_a_full_disk_denies(project: Project, outside: Outside) -> None:
    living = Living(project)
    assert living.attempt() == "answer HTTP/1.1 200"
    # No file of `serve` may grow any more, which is what a full disk does to it.
    resource.prlimit(project.server(), resource.RLIMIT_FSIZE, (0, 0))
    assert living.attempt() == "answer HTTP/1.1 403"
    assert outside.seen == ["/secret"]
    living.process.terminate()
    _, err = living.end()
    assert "nothing passes" in err, err
    assert gone(living.parts) == []


def test_a_closed_terminal_ends_the_box(project: Project) -> None:
    words = ["bash", "-c", "trap '' HUP TERM; echo up; while true; do sleep 1000; done"]
    pid, terminal = pty.fork()
    if pid == 0:
        # Tests that run behind `nohup` must not hand its deafness on.
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        os.chdir(project.folder)
        os.execve(sys.executable, [*PROGRAM, "run", "--", *words], project.environment)
    seen = b""
    while b"up" not in seen:
        assert select.select([terminal], [], [], SECONDS_MAX)[0], seen
        seen += os.read(terminal, 4096)
    server = project.server()
    everything = [each for each in below(pid) if each != server and each not in below(server)]
    os.close(terminal)
    os.waitpid(pid, 0)
    assert gone(everything) == []


def test_standard_input_is_the_commands(project: Project) -> None:
    data = os.urandom(3 << 20)
    done = subprocess.run(
        [*PROGRAM, "run", "--", "sha256sum"],
        cwd=project.folder,
        env=project.environment,
        input=data,
        capture_output=True,
        timeout=SECONDS_MAX,
    )
    expected = subprocess.run(["sha256sum"], input=data, capture_output=True, check=True).stdout
    assert done.stdout == expected, done.stderr


def test_twenty_runs_at_once_keep_their_identities(project: Project) -> None:
    path = project.folder / "comptroller.yaml"
    text = path.read_text("utf-8")
    start = text.index("  agent:\n")
    rest = text[start + len("  agent:\n") :].splitlines(keepends=True)
    body = "".join(rest[: next((n for n, line in enumerate(rest) if not line.startswith("    ")), len(rest))])
    path.write_text(text[:start] + "  other:\n" + body + text[start:], "utf-8")
    assert project.run("true", options=["--agent", "other"]).returncode == 0
    running = []
    for number in range(20):
        agent = ("agent", "other")[number % 2]
        script = f"echo $COMPTROLLER_RUN; for n in 1 2 3; do curl -s -o /dev/null http://n{number}.example.net; done"
        running.append((number, agent, project.start("bash", "-c", script, options=["--agent", agent])))
    mine = {}
    for number, agent, process in running:
        out, err = process.communicate(timeout=SECONDS_MAX)
        assert process.returncode == 0, err
        mine[out.strip()] = (agent, f"n{number}.example.net")
    assert len(mine) == 20
    told = project.call_outside("tail", "--json", "-n", "100000")
    denied = [entry for line in told.stdout.splitlines() if (entry := json.loads(line))["kind"] == "action.denied"]
    assert len(denied) == 60
    for entry in denied:
        agent, host = mine[entry["run"]]
        assert (entry["agent"], host in entry["body"]["operation"]) == (agent, True)
