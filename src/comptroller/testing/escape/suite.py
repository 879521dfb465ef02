"""Runs the attacks in a real box, started by `comptroller run` as a user would, and looks afterwards from outside."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from comptroller.compose import starter_policies
from comptroller.core.errors import ComptrollerError
from comptroller.server.identity import os_user, person_name
from comptroller.server.place import CONFIG_NAME, POLICIES_FOLDER, Paths
from comptroller.testing.escape.bait import Bait

PATIENCE_SECONDS = 5.0
"""An allowed request that takes longer while the server is worn out counts as an attack that passed."""
SUITE_SECONDS_MAX = 300
ENDING_SECONDS_MAX = 20
LAYER = "bubblewrap"
SUSPECT = "suspect"
DOCUMENT = "bait.json"

CONFIG = """\
version: 1
organization: doctor
console: {{listen: "127.0.0.1:{port}"}}
upstreams:
  pages4.example.com: http://127.0.0.1:{port}
  pages6.example.com: http://[::1]:{port}
  mapped.example.com: http://[::ffff:127.0.0.1]:{port}
  named.example.com: http://localhost:{port}
teams: {{main: {{}}}}
people: {{{person}: {{groups: [approvers]}}}}
agents:
  suspect: {{team: main, owner: {person}, purpose: try to get out, workspace: ., hosts: [shop.example.com, {pages}]}}
  other: {{team: main, owner: {person}, purpose: be another box, workspace: ../other, hosts: []}}
budgets:
  - {{scope: doctor, unit: usd, window: total, limit: 1}}
  - {{scope: doctor, unit: calls, window: total, limit: 100000}}
"""

OTHER = """\
import os, socket, sys, time
inside = socket.create_server(("127.0.0.1", 0))
hidden = socket.socket(socket.AF_UNIX)
hidden.bind("\\0" + sys.argv[1])
hidden.listen()
for path in ("/tmp/" + sys.argv[1], "/dev/shm/" + sys.argv[1]):
    with open(path, "w") as file:
        file.write(sys.argv[2])
print(inside.getsockname()[1], flush=True)
while True:
    started = time.monotonic()
    try:
        with socket.create_connection(("comptroller.internal", 80), timeout=30) as link:
            link.settimeout(30)
            link.sendall(b"GET /budget HTTP/1.1\\r\\nHost: comptroller.internal\\r\\nConnection: close\\r\\n\\r\\n")
            answered = link.recv(200).startswith(b"HTTP/1.1 200")
    except OSError:
        answered = False
    print(time.monotonic() - started if answered else 999.0, flush=True)
    time.sleep(0.1)
"""

PAGES = ("pages4.example.com", "pages6.example.com", "mapped.example.com", "named.example.com")
"""Allowed hosts that somebody led to where Comptroller's own console and API listen."""


class SuiteError(ComptrollerError):
    """The suite itself could not be run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """What came of one attack."""

    name: str
    group: str
    blocked: bool
    detail: str


def run_suite(*, only: Sequence[str] = (), tell: Callable[[Attack], None] | None = None) -> tuple[Attack, ...]:
    """Try every attack (or those named, or whole groups) in one box, beside another one. Raises `SuiteError`."""
    with tempfile.TemporaryDirectory(prefix="comptroller-doctor-") as folder:
        bait = Bait(Path(folder).resolve())
        bait.prepare()
        config = _installation(bait)
        try:
            return tuple(_attacked(bait, config, only, tell or (lambda _: None)))
        finally:
            bait.close()
            _end_server(_paths(bait, config))


def _installation(bait: Bait) -> Path:
    person = person_name(os_user(os.getuid()))
    config = bait.workspace / CONFIG_NAME
    config.write_text(CONFIG.format(person=person, port=_free_port(), pages=", ".join(PAGES)), "utf-8")
    (bait.workspace / POLICIES_FOLDER).mkdir()
    (bait.workspace / POLICIES_FOLDER / "starter.cedar").write_text(starter_policies(), "utf-8")
    bait.write_program(bait.workspace / SUSPECT)
    (bait.root / "other" / "other.py").write_text(OTHER, "utf-8")
    return config


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _attacked(bait: Bait, config: Path, only: Sequence[str], tell: Callable[[Attack], None]) -> Iterator[Attack]:
    places = dict(bait.listen())
    programs = bait.programs()
    standing = bait.stand()
    other = _Other(bait, config)
    try:
        numbers = {"server_pid": _server_pid(_paths(bait, config)), "outside_pid": os.getpid()}
        told = {
            **programs,
            **numbers,
            "patience": PATIENCE_SECONDS,
            **standing,
            "other": other.places,
            "only": list(only),
            "pages": PAGES,
        }
        before = bait.watched()
        for attack in _inside(bait, config, {**places, **bait.facts(_state(bait, config)), **told}):
            tell(attack)
            yield attack
    finally:
        other.close()
    for attack in _outside(bait, before, other):
        if not only or attack.name in only or attack.group in only:
            tell(attack)
            yield attack


def _state(bait: Bait, config: Path) -> tuple[Path, ...]:
    paths = _paths(bait, config)
    return bait.state_home, paths.folder, paths.log_key, paths.ca_key, paths.store


def _inside(bait: Bait, config: Path, document: Mapping[str, object]) -> Iterator[Attack]:
    paths = _paths(bait, config)
    whole = {**document, "unix": [*_list(document["unix"]), str(paths.control_socket), str(paths.attach_socket)]}
    told_at = bait.workspace / DOCUMENT
    told_at.write_text(json.dumps(whole), "utf-8")
    process = _run(bait, config, "suspect", [SUSPECT, str(told_at)])
    assert process.stdout is not None
    seen = 0
    try:
        for line in process.stdout:
            told = json.loads(line)
            seen += 1
            yield Attack(
                name=str(told["name"]),
                group=str(told["group"]),
                blocked=bool(told["blocked"]),
                detail=_hidden(str(told["detail"]), bait),
            )
        process.wait(SUITE_SECONDS_MAX)
    finally:
        if process.poll() is None:
            process.kill()
        process.stdout.close()
        process.wait()
    if process.returncode != 0:
        raise SuiteError(
            f"the box ended with {process.returncode} after {seen} attacks",
            hint="see what a box says here: comptroller run -- true",
        )


def _outside(bait: Bait, before: Mapping[str, str], other: _Other) -> Iterator[Attack]:
    """What only the machine can tell: whether anything was reached, changed or left."""
    after = bait.watched()
    changed = sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))
    yield _judged("nothing on the machine was reached", bait.touched)
    yield _judged("nothing protected was changed", [_hidden(path, bait) for path in changed])
    yield _judged("no process of the machine was ended", [] if bait.stands() else ["the process outside was ended"])
    yield _judged("no process was left behind", [str(pid) for pid in bait.left_behind()])
    slow = other.slowest_seconds > PATIENCE_SECONDS or not other.asked
    told = f"{other.asked} requests of another box, the slowest took {other.slowest_seconds:.2f} s"
    yield Attack(name="another box was served all the while", group="outside", blocked=not slow, detail=told)


def _judged(name: str, against: Sequence[str]) -> Attack:
    detail = "; ".join(dict.fromkeys(against)) if against else "looked at from outside"
    return Attack(name=name, group="outside", blocked=not against, detail=detail[:300])


class _Other:
    """Another box of the same user, with a server and files of its own. It asks the gateway for something allowed all
    the while: `slowest_seconds` is the longest that took."""

    def __init__(self, bait: Bait, config: Path) -> None:
        self.slowest_seconds = 0.0
        self.asked = 0
        self._mark = f"other-{bait.planted[-12:]}"
        self._workspace = str(bait.root / "other")
        self._process = _run(bait, config, "other", ["other.py", self._mark, bait.canary])
        assert self._process.stdout is not None
        self._said = self._process.stdout
        self._port = self._said.readline().strip()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        if not self._port.isdigit():
            self.close()
            raise SuiteError("a box does not come up here", hint="comptroller run -- true")
        self._listener.start()

    @property
    def places(self) -> Mapping[str, object]:
        """Where its own things are."""
        return {
            "port": int(self._port),
            "abstract": self._mark,
            "file": f"/tmp/{self._mark}",  # in the other box
            "shared": self._mark,
            "workspace": self._workspace,
        }

    def _listen(self) -> None:
        for line in self._said:
            self.asked += 1
            self.slowest_seconds = max(self.slowest_seconds, float(line))

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        try:
            self._process.wait(ENDING_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._listener.is_alive():
            self._listener.join()
        self._said.close()


def _run(
    bait: Bait, config: Path, agent: str, script: Sequence[str], *, stdin: int = subprocess.DEVNULL
) -> subprocess.Popen[str]:
    place = bait.workspace if agent == "suspect" else bait.root / "other"
    argv = [sys.executable, "-P", "-m", "comptroller", "run", "--config", str(config), "--agent", agent]
    argv += ["--workspace", str(place), "--", sys.executable, "-I", str(place / script[0]), *script[1:]]
    return subprocess.Popen(
        argv,
        cwd=place,
        env=_environment(bait),
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=None if os.environ.get("COMPTROLLER_DOCTOR_SHOW") else subprocess.DEVNULL,
        text=True,
    )


def _environment(bait: Bait) -> Mapping[str, str]:
    """The person's shell, full of what must not be inherited."""
    secret = dict.fromkeys(
        ("AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "OPENAI_API_KEY", "STRIPE_API_KEY", "DATABASE_URL"), bait.canary
    )
    return {
        **{name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "PYTHONPATH")},
        **secret,
        "HOME": str(bait.home),
        "XDG_STATE_HOME": str(bait.state_home),
        "SSH_AUTH_SOCK": str(bait.root / "agent.sock"),
    }


def _paths(bait: Bait, config: Path) -> Paths:
    return Paths(bait.state_home / "comptroller" / Paths.of(config).folder.name)


def _end_server(paths: Paths) -> None:
    """End the server that `run` started for the suite, and wait until it has gone: its folder goes next."""
    pid = _server_pid(paths)
    if not pid:
        return
    deadline = time.monotonic() + ENDING_SECONDS_MAX
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
        while time.monotonic() < deadline:
            os.kill(pid, 0)
            time.sleep(0.05)


def _server_pid(paths: Paths) -> int:
    try:
        with socket.socket(socket.AF_UNIX) as link:
            link.connect(str(paths.control_socket))
            raw = link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        return int.from_bytes(raw[:4], sys.byteorder)
    except OSError:
        return 0


def _hidden(text: str, bait: Bait) -> str:
    return text.replace(str(bait.root), "…").replace(bait.canary, "CANARY").replace(bait.planted, "PLANTED")


def _list(value: object) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []
