"""Doors of real runs: published ports, host services, declared connections, git over ssh; and the local servers and
programs that need none, unchanged inside a box."""

from __future__ import annotations

import hashlib
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest
import yaml

from comptroller.server.place import Paths
from comptroller.testing.loopback import HttpAnswer, HttpRequest, HttpServer, LoopbackServer

PROGRAM = [sys.executable, "-P", "-m", "comptroller"]
SECONDS_MAX = 60
GIT_HOST = "git.example.com"
TOLD = "published: "


class Place:
    """An installation with a server of its own."""

    def __init__(self, base: Path) -> None:
        self.folder = base / "shop"
        self.folder.mkdir()
        kept = {name: value for name, value in os.environ.items() if name not in ("CI", "COMPTROLLER_CONFIG")}
        kept = {name: value for name, value in kept.items() if not name.startswith("GIT_")}
        self.environment = {**kept, "XDG_STATE_HOME": str(base / "s"), "OPENAI_API_KEY": ""}
        self.call("init")

    def edit(self, *, top: Mapping[str, object] | None = None, **agent: object) -> None:
        path = self.folder / "comptroller.yaml"
        document = yaml.safe_load(path.read_text("utf-8"))
        document["agents"]["agent"].update(agent)
        path.write_text(yaml.safe_dump({**document, **(top or {})}, sort_keys=False), "utf-8")

    def call(self, *words: str) -> str:
        done = subprocess.run(
            [*PROGRAM, *words],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
        )
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout

    def start(self, *words: str, options: Sequence[str] = ()) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*PROGRAM, "run", *options, "--", *words],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: str, options: Sequence[str] = ("--on-hold", "fail")) -> subprocess.CompletedProcess[str]:
        with self.start(*words, options=options) as process:
            out, err = process.communicate(timeout=SECONDS_MAX)
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    def script(self, text: str, *, options: Sequence[str] = ("--on-hold", "fail")) -> subprocess.CompletedProcess[str]:
        (self.folder / "program.py").write_text(text, "utf-8")
        return self.run(sys.executable, "program.py", options=options)

    def entries(self, *kinds: str) -> list[dict[str, Any]]:
        found = [json.loads(line) for line in self.call("tail", "--json").splitlines()]
        return [entry for entry in found if entry["kind"] in kinds]

    def close(self) -> None:
        lock = Paths(next(Path(self.environment["XDG_STATE_HOME"], "comptroller").iterdir())).lock
        try:
            descriptor = os.pidfd_open(int(lock.read_text()))
        except (FileNotFoundError, ProcessLookupError):
            return
        try:
            signal.pidfd_send_signal(descriptor, signal.SIGTERM)
            assert select.select([descriptor], [], [], SECONDS_MAX)[0]
        finally:
            os.close(descriptor)


class Git:
    """A git server over HTTP with one repository."""

    def __init__(self, base: Path) -> None:
        self.root = base / "repositories"
        source = base / "source"
        self._git("init", "-q", "-b", "main", str(source))
        (source / "README").write_text("found\n", "utf-8")
        self._git("-C", str(source), "add", "README")
        self._git("-C", str(source), "-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-qm", "one")
        self._git("clone", "-q", "--bare", str(source), str(self.root / "team" / "code.git"))
        self._git("-C", str(self.root / "team" / "code.git"), "config", "http.receivepack", "true")
        self.server = HttpServer(self._answer)

    @staticmethod
    def _git(*words: str) -> str:
        done = subprocess.run(["git", *words], capture_output=True, text=True, timeout=SECONDS_MAX)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def log(self) -> list[str]:
        return self._git("-C", str(self.root / "team" / "code.git"), "log", "--format=%s", "--all").splitlines()

    def _answer(self, request: HttpRequest) -> HttpAnswer:
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "REQUEST_METHOD": request.method,
            "PATH_INFO": request.path,
            "QUERY_STRING": urlencode(request.query),
            "CONTENT_TYPE": request.headers.get("content-type", ""),
            "CONTENT_LENGTH": str(len(request.body)),
            "HTTP_CONTENT_ENCODING": request.headers.get("content-encoding", ""),
            "GIT_PROTOCOL": request.headers.get("git-protocol", ""),
            "REMOTE_USER": "agent",
            "REMOTE_ADDR": "127.0.0.1",
        }
        done = subprocess.run(["git", "http-backend"], input=request.body, env=environment, capture_output=True)
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        status = int(fields.get("Status", "200").split()[0])
        return HttpAnswer(status=status, content_type=fields.get("Content-Type", "text/plain"), body=body)


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    base = Path(tempfile.mkdtemp(prefix="dr-"))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, base)
        made = Place(base)
        stack.callback(made.close)
        made.call("policy", "check")
        yield made


@pytest.fixture(scope="module")
def git(place: Place) -> Iterator[Git]:
    made = Git(place.folder.parent)
    with made.server:
        yield made


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def until_answered(url: str, *, process: subprocess.Popen[str], headers: Mapping[str, str] | None = None) -> bytes:
    """What `url` answers, as soon as it does."""
    until = time.monotonic() + SECONDS_MAX
    while time.monotonic() < until:
        assert process.poll() is None, process.communicate()
        try:
            with urlopen(Request(url, headers=dict(headers or {})), timeout=10) as answer:
                return bytes(answer.read())
        except OSError:
            select.select([], [], [], 0.05)
    raise AssertionError(f"{url} never answered")


def ended(process: subprocess.Popen[str]) -> tuple[str, str]:
    """Ask it to end, and collect what it said."""
    process.terminate()
    out, err = process.communicate(timeout=SECONDS_MAX)
    return out, err


# ---------------------------------------------------------------- published ports

SERVED = """
import http.client, http.server, threading
server = http.server.ThreadingHTTPServer(("127.0.0.1", {port}), http.server.SimpleHTTPRequestHandler)
threading.Thread(target=server.serve_forever, daemon=True).start()
inside = http.client.HTTPConnection("localhost", {port})
inside.request("GET", "/hello.txt")
print("inside:", inside.getresponse().read().decode(), flush=True)
threading.Event().wait()
"""


def test_a_server_of_the_agent_is_reached_inside_unchanged_and_outside_where_it_is_published(place: Place) -> None:
    port = free_port()
    (place.folder / "hello.txt").write_text("hello", "utf-8")
    (place.folder / "program.py").write_text(SERVED.format(port=port), "utf-8")
    with place.start(sys.executable, "program.py", options=["--publish", str(port)]) as process:
        url = f"http://127.0.0.1:{port}/hello.txt"
        assert until_answered(url, process=process) == b"hello"
        assert until_answered(url, process=process) == b"hello"
        out, err = ended(process)
    assert out == "inside: hello\n"
    assert f"{TOLD}127.0.0.1:{port} leads to port {port} in the box" in err
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", port), timeout=5)
    opened, closed = (entries[-1]["body"] for entries in (place.entries("door.opened"), place.entries("door.closed")))
    assert opened == {"door": "publish", "listen": f"127.0.0.1:{port}", "wide": False}
    assert closed["connections"] - closed["failed"] == 2 and closed["out_bytes"] > 0
    assert f"127.0.0.1:{port} leads into the box" in place.call("tail")


def test_a_server_that_is_not_published_is_not_there_outside(place: Place) -> None:
    port = free_port()
    program = SERVED.format(port=port).replace("threading.Event().wait()", "open('up', 'w').close(); input()")
    (place.folder / "program.py").write_text(program, "utf-8")
    os.mkfifo(place.folder / "go")
    with place.start("bash", "-c", f"{sys.executable} program.py < go") as process:
        with open(place.folder / "go", "w", encoding="utf-8") as go:
            assert process.stdout is not None and process.stdout.readline().startswith("inside:")
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", port), timeout=5)
            go.write("\n")
        process.communicate(timeout=SECONDS_MAX)


ECHO = """
import hashlib, socket, threading
server = socket.create_server(("127.0.0.1", {port}), backlog=256)
print("up", flush=True)
def serve(connection):
    with connection:
        digest, count = hashlib.sha256(), 0
        while data := connection.recv(65536):
            digest.update(data); count += len(data)
        connection.sendall(b"%064d" % 0 * 100_000 if count == 4 else digest.hexdigest().encode())
while True:
    threading.Thread(target=serve, args=(server.accept()[0],)).start()
"""


def through(port: int, data: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=SECONDS_MAX) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        return connection.makefile("rb").read()


def test_many_large_and_half_closed_connections_pass_a_published_port(place: Place) -> None:
    port = free_port()
    (place.folder / "program.py").write_text(ECHO.format(port=port), "utf-8")
    with place.start(sys.executable, "program.py", options=["--publish", f"localhost:{port}"]) as process:
        assert process.stdout is not None and process.stdout.readline() == "up\n"
        data = [os.urandom(200_000 + number) for number in range(40)]
        answers: dict[int, bytes] = {}
        threads = [
            threading.Thread(target=lambda n=number: answers.update({n: through(port, data[n])}))
            for number in range(len(data))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(SECONDS_MAX)
        assert [answers[n].decode() for n in range(len(data))] == [hashlib.sha256(each).hexdigest() for each in data]
        # One that reads nothing holds 6 MB up in the box, and nobody else.
        with socket.create_connection(("127.0.0.1", port)) as slow:
            slow.sendall(b"slow")
            slow.shutdown(socket.SHUT_WR)
            assert through(port, b"quick").decode() == hashlib.sha256(b"quick").hexdigest()
            assert len(slow.makefile("rb").read()) == 6_400_000
        # An end without a word is passed on too.
        with socket.create_connection(("127.0.0.1", port)) as gone:
            gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        assert through(port, b"after").decode() == hashlib.sha256(b"after").hexdigest()
        ended(process)
    assert place.entries("door.closed")[-1]["body"]["connections"] == 44


def test_where_nothing_listens_the_connection_ends_and_the_run_goes_on(place: Place) -> None:
    port = free_port()
    with place.start("sleep", "60", options=["--publish", str(port)]) as process:
        until = time.monotonic() + SECONDS_MAX
        while time.monotonic() < until:
            try:
                assert through(port, b"hello") == b""
                break
            except ConnectionResetError:
                break
            except ConnectionRefusedError:
                select.select([], [], [], 0.05)
        assert process.poll() is None
        ended(process)
    closed = place.entries("door.closed")[-1]["body"]
    assert closed["failed"] == closed["connections"] >= 1


def test_a_taken_port_is_refused_before_anything_starts(place: Place) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        done = place.run("true", options=["--publish", str(port)])
    assert done.returncode == 2
    assert f"`127.0.0.1:{port}` cannot be published" in done.stderr


def test_the_agent_cannot_go_out_by_a_published_port(place: Place) -> None:
    """From inside, the port is the agent's own: nothing of the machine answers there."""
    port = free_port()
    code = f"""
import socket
for host in ("127.0.0.1", "::1", "198.51.100.7"):
    try:
        with socket.create_connection((host, {port}), timeout=5) as connection:
            connection.sendall(b"out")
            print(host, connection.recv(10))
    except OSError as error:
        print(host, type(error).__name__)
"""
    done = place.script(code, options=["--publish", str(port)])
    first, second, third = done.stdout.splitlines()
    assert first == "127.0.0.1 ConnectionRefusedError" and second == "::1 ConnectionRefusedError"
    assert third.startswith("198.51.100.7") and "b'out'" not in third
    assert place.entries("door.closed")[-1]["body"].get("connections", 0) == 0


def test_a_killed_run_leaves_no_door(place: Place) -> None:
    port = free_port()
    (place.folder / "program.py").write_text(ECHO.format(port=port), "utf-8")
    with place.start(sys.executable, "program.py", options=["--publish", str(port)]) as process:
        assert process.stdout is not None and process.stdout.readline() == "up\n"
        assert len(through(port, b"hello")) == 64
        process.kill()
        process.communicate(timeout=SECONDS_MAX)
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=5)


# ---------------------------------------------------------------- host services


def test_a_host_service_is_one_more_host_for_one_run(place: Place) -> None:
    with HttpServer(lambda request: HttpAnswer(body=f"{request.method} {request.path}".encode())) as server:
        url = "http://ollama.host.comptroller.internal/api/tags"
        done = place.run("curl", "-sS", url, options=["--host-service", f"ollama={server.port}"])
        assert done.stdout == "GET /api/tags", done.stderr
        assert f"port {server.port} of this machine is ollama.host.comptroller.internal in the box" in done.stderr
        without = place.run("curl", "-sS", url)
        assert "--host-service" in without.stdout
        assert server.connections == 1
    to = f"127.0.0.1:{server.port}"
    assert place.entries("door.opened")[-1]["body"] == {
        "door": "host-service",
        "host": "ollama.host.comptroller.internal",
        "to": to,
        "protocol": "http",
    }
    marked = [each for each in place.entries("action.allowed") if each["body"].get("host_service")]
    assert [each["body"]["host_service"] for each in marked] == [to]


def test_a_host_service_that_does_not_speak_http_is_carried_and_marked(place: Place) -> None:
    def echo(connection: socket.socket) -> None:
        data = b""
        while part := connection.recv(100):
            data += part
        connection.sendall(data[::-1])

    code = """
import socket
with socket.create_connection(("db.host.comptroller.internal", {port}), timeout=20) as connection:
    connection.sendall(b"\\0\\1\\2abc")
    connection.shutdown(socket.SHUT_WR)
    print(connection.makefile("rb").read())
"""
    with LoopbackServer(echo) as server:
        done = place.script(code.format(port=server.port), options=["--host-service", f"db={server.port}/tcp"])
        assert done.stdout == "b'cba\\x02\\x01\\x00'\n", done.stderr
    allowed = place.entries("action.allowed")[-1]["body"]
    assert allowed["operation"] == f"tcp:db.host.comptroller.internal:{server.port}"
    assert allowed["not_understood"] is True and allowed["host_service"] == f"127.0.0.1:{server.port}"
    assert "(not understood)" in place.call("tail")


def test_an_agent_may_be_kept_from_doors(place: Place) -> None:
    place.edit(forbid=["publish", "host-service"])
    try:
        for options in (["--publish", str(free_port())], ["--host-service", "ollama=11434"]):
            done = place.run("true", options=options)
            assert done.returncode == 2 and f"may not be run with {options[0]}" in done.stderr
    finally:
        place.edit(forbid=[])


# ---------------------------------------------------------------- what is Comptroller's own

OWN = """
import http.client
for host, header in {ways}:
    for path in ("/healthz", "/metrics", "/", "/api/v1/runs"):
        link = http.client.HTTPConnection(host, {port} if header else 80, timeout=20)
        link.request("GET", path, headers={{"Host": header}} if header else {{}})
        print((link.getresponse().getheader("x-comptroller-reason") or "REACHED").partition(":")[0])
"""


def test_the_console_is_out_of_reach_of_boxes_whatever_names_it(place: Place) -> None:
    port = free_port()
    here = {name: f"http://{address}:{port}" for name, address in (
        ("four.example.com", "127.0.0.1"), ("six.example.com", "[::1]"), ("mapped.example.com", "[::ffff:127.0.0.1]"),
        ("named.example.com", "localhost"),
    )}  # fmt: skip
    top = {"upstreams": here, "private": ["localhost"], "console": {"listen": f"127.0.0.1:{port}"}}
    place.edit(hosts=[*here, "localhost"], top=top)
    place.close()
    try:
        ways = [*((name, "") for name in here), ("198.51.100.7", f"localhost:{port}")]
        done = place.script(OWN.format(ways=ways, port=port))
        assert done.stdout.split() == ["own_address"] * 20, (done.stdout, done.stderr)
        refused = place.run("true", options=["--host-service", f"pages={port}"])
        assert refused.returncode == 2 and "leads to Comptroller itself" in refused.stderr
        assert urlopen(f"http://127.0.0.1:{port}/healthz", timeout=20).status == 200
    finally:
        place.edit(hosts=[], top={"upstreams": {}, "private": [], "console": {}})
        place.close()


# ---------------------------------------------------------------- git

SESSION = f"""
set -eu
export GIT_TERMINAL_PROMPT=0 GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@example.com
export GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@example.com
git clone -q git@{GIT_HOST}:team/code.git /tmp/one
git clone -q ssh://git@{GIT_HOST}/team/code.git /tmp/two
cat /tmp/two/README
cd /tmp/one
echo more > more && git add more && git commit -qm two
git push -q origin main
git ls-remote git@github.com:team/code.git 2>&1 | grep -o 'https://github.com/team/code.git' || true
"""


def test_git_over_ssh_goes_over_https_and_is_judged(place: Place, git: Git) -> None:
    place.edit(hosts=[GIT_HOST], top={"upstreams": {GIT_HOST: git.server.url}})
    place.close()
    done = place.run("bash", "-c", SESSION)
    assert done.returncode == 0, done.stderr
    first, *rest = done.stdout.splitlines()
    assert first == "found" and "https://github.com/team/code.git" in rest
    assert git.log() == ["two", "one"]
    operations = {entry["body"]["operation"] for entry in place.entries("action.allowed", "action.denied")}
    assert {f"http:{GIT_HOST}:GET", f"http:{GIT_HOST}:POST", "http:github.com:GET"} <= operations


def test_git_settings_of_the_person_that_are_inherited_stay_beside_the_rewriting(place: Place) -> None:
    own = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "user.name", "GIT_CONFIG_VALUE_0": "ann"}
    place.edit(inherit=list(own))
    before = place.environment
    place.environment = {**before, **own}
    try:
        done = place.run("bash", "-c", "git config user.name && git config url.https://github.com/.insteadOf")
    finally:
        place.environment = before
        place.edit(inherit=[])
    assert done.stdout.splitlines()[0] == "ann" and len(done.stdout.splitlines()) == 2, done.stderr


# ---------------------------------------------------------------- declared connections

SPEAK = """
import socket
for host, port in (("db.example.com", 6000), ("db.example.com", 6001), ("other.example.com", 6000)):
    with socket.create_connection((host, port), timeout=20) as connection:
        try:
            connection.sendall(b"\\0abc\\n")
            connection.shutdown(socket.SHUT_WR)
            print(port, connection.makefile("rb").read())
        except OSError:
            print(port, b"")
"""


def test_a_declared_connection_passes_and_no_other(place: Place) -> None:
    def upper(connection: socket.socket) -> None:
        connection.sendall(connection.recv(100).upper())

    with LoopbackServer(upper) as server:
        place.edit(
            tcp=[{"host": "db.example.com", "port": 6000}],
            top={"upstreams": {"*.example.com": f"tcp://127.0.0.1:{server.port}"}},
        )
        place.close()
        done = place.script(SPEAK)
        assert done.stdout.splitlines() == ["6000 b'\\x00ABC\\n'", "6001 b''", "6000 b''"], done.stderr
        assert server.connections == 1
    assert "not let out of the box: raw to db.example.com:6001" in done.stderr
    settled = [each["body"] for each in place.entries("action.settled")]
    (carried,) = [body for body in settled if body["operation"] == "tcp:db.example.com:6000"]
    assert carried["actual"] == {"calls": 1, "egress_bytes": 5}


# ---------------------------------------------------------------- unchanged inside

LIVE = """
import threading, http.server, urllib.request
import pytest

@pytest.fixture
def live_server():
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"ok")
        def log_message(self, *_): ...
    server = http.server.ThreadingHTTPServer(("localhost", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://localhost:{server.server_port}/"
    server.shutdown(); server.server_close()

def test_live(live_server):
    assert urllib.request.urlopen(live_server).read() == b"ok"
"""


def test_pytest_with_a_live_server_runs_unchanged(place: Place) -> None:
    (place.folder / "test_live.py").write_text(LIVE, "utf-8")
    done = place.run(
        "env",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD=1",
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "test_live.py",
    )
    assert done.returncode == 0 and "1 passed" in done.stdout, done.stdout + done.stderr


RENDEZVOUS = """
import os, socket, subprocess, sys
if "RANK" not in os.environ:
    with socket.create_server(("localhost", 0)) as free:
        port = free.getsockname()[1]
    settings = {**os.environ, "MASTER_ADDR": "localhost", "MASTER_PORT": str(port), "WORLD_SIZE": "2"}
    ranks = [subprocess.Popen([sys.executable, __file__], env={**settings, "RANK": str(n)}) for n in range(2)]
    sys.exit(max(rank.wait() for rank in ranks))
address, rank = (os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])), int(os.environ["RANK"])
mine = 20 + rank
if rank == 0:
    with socket.create_server(address) as server:
        peer, _ = server.accept()
        with peer:
            total = mine + int(peer.makefile().readline())
            peer.sendall(b"%d\\n" % total)
else:
    while True:
        try:
            peer = socket.create_connection(address); break
        except ConnectionRefusedError:
            pass
    with peer:
        peer.sendall(b"%d\\n" % mine)
        total = int(peer.makefile().readline())
print(f"rank {rank} of {os.environ['WORLD_SIZE']}: {total}\\n", end="", flush=True)
"""


def test_two_processes_meet_over_localhost_as_torchrun_does(place: Place) -> None:
    done = place.script(RENDEZVOUS)
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.splitlines()) == ["rank 0 of 2: 41", "rank 1 of 2: 41"]


MCP_SERVER = """
from mcp.server import MCPServer
server = MCPServer("adder")
@server.tool()
def add(a: int, b: int) -> int:
    "The sum."
    return a + b
server.run("stdio")
"""
MCP_CLIENT = """
import asyncio, sys
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
async def main():
    parameters = StdioServerParameters(command=sys.executable, args=["adder.py"])
    async with stdio_client(parameters) as streams, ClientSession(*streams) as session:
        await session.initialize()
        print([tool.name for tool in (await session.list_tools()).tools])
        print((await session.call_tool("add", {"a": 19, "b": 23})).content[0].text)
asyncio.run(main())
"""


def test_an_mcp_stdio_server_and_its_client_run_unchanged(place: Place) -> None:
    (place.folder / "adder.py").write_text(MCP_SERVER, "utf-8")
    done = place.script(MCP_CLIENT)
    assert done.stdout.splitlines() == ["['add']", "42"], done.stderr


def test_jupyter_is_reached_through_a_published_port(place: Place) -> None:
    port = free_port()
    words = [
        *(sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root", f"--port={port}"),
        *("--IdentityProvider.token=sesame", "--ServerApp.root_dir=."),
    ]
    (place.folder / "hello.txt").write_text("hello", "utf-8")
    with place.start(*words, options=["--publish", str(port)]) as process:
        token = {"authorization": "token sesame"}
        url = f"http://127.0.0.1:{port}/api"
        status = json.loads(until_answered(f"{url}/status", process=process, headers=token))
        assert status["kernels"] == 0
        file = json.loads(until_answered(f"{url}/contents/hello.txt", process=process, headers=token))
        assert file["content"] == "hello"
        ended(process)
