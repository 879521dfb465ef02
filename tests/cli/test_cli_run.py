"""`comptroller run` against a real server and real boxes; protocol edges against a small server of the test's own."""

from __future__ import annotations

import json
import os
import pty
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from comptroller.cli import main
from comptroller.cli.run import choose_agent, private_paths
from comptroller.core.config_text import parse_config_text
from comptroller.core.errors import UsageError
from comptroller.server.place import Paths
from comptroller.server.run_settings import RunSettings, run_settings_of

PROGRAM = [sys.executable, "-m", "comptroller"]
SECONDS_MAX = 60


class Project:
    """A folder with a configuration and a state home of its own."""

    def __init__(self, base: Path) -> None:
        self.folder = base / "shop"
        self.folder.mkdir()
        kept = {name: value for name, value in os.environ.items() if name not in ("CI", "COMPTROLLER_CONFIG")}
        self.environment = {**kept, "XDG_STATE_HOME": str(base / "s"), "OPENAI_API_KEY": ""}
        self.call("init")

    def call(self, *words: str) -> Result:
        """A command that starts nothing, in this process."""
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(self.folder)
            patch.setenv("XDG_STATE_HOME", self.environment["XDG_STATE_HOME"])
            patch.delenv("COMPTROLLER_CONFIG", raising=False)
            return CliRunner().invoke(main, words, prog_name="comptroller")

    def call_outside(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """A command in a process of its own."""
        return subprocess.run(
            [*PROGRAM, *words],
            cwd=self.folder,
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
        )

    @property
    def paths(self) -> Paths:
        name = Paths.of(self.folder / "comptroller.yaml").folder.name
        return Paths(Path(self.environment["XDG_STATE_HOME"]) / "comptroller" / name)

    def start(self, *words: str, options: Sequence[str] = (), **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*PROGRAM, "run", *options, "--", *words],
            cwd=self.folder,
            env={**self.environment, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: str, options: Sequence[str] = (), **environment: str) -> subprocess.CompletedProcess[str]:
        with self.start(*words, options=options, **environment) as process:
            out, err = process.communicate(timeout=SECONDS_MAX)
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    def server(self) -> int:
        """The process id of the server, 0 where there is none."""
        with socket.socket(socket.AF_UNIX) as connection:
            try:
                connection.connect(str(self.paths.attach_socket))
            except OSError:
                return 0
            return struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]

    def end_server(self, number: int) -> None:
        if pid := self.server():
            descriptor = os.pidfd_open(pid)
            os.kill(pid, number)
            import select

            assert select.select([descriptor], [], [], SECONDS_MAX)[0]
            os.close(descriptor)


@pytest.fixture
def project() -> Iterator[Project]:
    base = Path(tempfile.mkdtemp(prefix="cr-"))
    made = Project(base)
    yield made
    made.end_server(signal.SIGTERM)
    shutil.rmtree(base)


def test_a_run_from_nothing_to_its_summary(project: Project) -> None:
    assert project.server() == 0
    summary = project.folder.parent / "summary.json"
    code = "import sys, os; print('out'); print('err', file=sys.stderr); print(os.environ['COMPTROLLER_RUN']); exit(3)"
    done = project.run(sys.executable, "-c", code, options=["--json-summary", str(summary), "--purpose", "a test"])
    assert done.returncode == 3, done.stderr
    out = done.stdout.split()
    assert out[0] == "out" and len(out[1]) == 36
    ours = [line for line in done.stderr.splitlines() if line != "err"]
    assert ours and all(line.startswith("comptroller: ") for line in ours)
    assert out[1] in ours[-1] and "$0.00" in ours[-1]
    assert json.loads(summary.read_text())["exit_code"] == 3
    first = project.server()
    assert first
    assert project.run("true").returncode == 0
    assert project.server() == first


def test_what_is_denied_is_told_to_the_person_with_the_line_to_add(project: Project) -> None:
    done = project.run("curl", "-sS", "-m", "10", "https://api.example.com/secret")
    assert "403" in done.stdout or "comptroller" in done.stdout
    assert "denied" in done.stderr and "comptroller.yaml: agents.agent.hosts" in done.stderr
    assert "agents.agent.hosts" not in done.stdout


def test_the_box_ends_with_the_server(project: Project) -> None:
    with project.start("bash", "-c", "echo up; trap '' TERM; sleep 1000") as process:
        assert process.stdout is not None and process.stdout.readline() == "up\n"
        project.end_server(signal.SIGKILL)
        out, err = process.communicate(timeout=SECONDS_MAX)
    assert (process.returncode, out) == (125, "")
    assert "the server is gone" in err


def test_kill_ends_the_run(project: Project) -> None:
    with project.start("bash", "-c", "echo $COMPTROLLER_RUN; sleep 1000") as process:
        assert process.stdout is not None
        run = process.stdout.readline().strip()
        killed = subprocess.run(
            [*PROGRAM, "kill", run, "--reason", "a test"],
            cwd=project.folder,
            env=project.environment,
            capture_output=True,
            text=True,
        )
        assert killed.returncode == 0, killed.stderr
        _, err = process.communicate(timeout=SECONDS_MAX)
    assert process.returncode == 124
    assert "ended: killed by" in err and "a test" in err


def test_the_first_signal_asks_and_the_second_ends(project: Project) -> None:
    polite = "trap 'echo bye; exit 4' TERM; echo up; sleep 1000 & wait"
    with project.start("bash", "-c", polite) as process:
        assert process.stdout is not None and process.stdout.readline() == "up\n"
        process.terminate()
        out, _ = process.communicate(timeout=SECONDS_MAX)
    assert (process.returncode, out) == (4, "bye\n")
    stubborn = "trap 'echo no' TERM; echo up; while true; do sleep 1000 & wait; done"
    with project.start("bash", "-c", stubborn) as process:
        assert process.stdout is not None and process.stdout.readline() == "up\n"
        process.terminate()
        assert process.stdout.readline() == "no\n"
        process.terminate()
        process.communicate(timeout=SECONDS_MAX)
    assert process.returncode == 137


def test_a_configuration_edited_outside_stays_protected_inside_and_is_told(project: Project) -> None:
    os.mkfifo(project.folder / "go")
    script = "echo up; read line < go; echo evil >> comptroller.yaml || echo held"
    with project.start("bash", "-c", script) as process:
        assert process.stdout is not None and process.stdout.readline() == "up\n"
        edited = project.folder / "new"
        edited.write_text((project.folder / "comptroller.yaml").read_text() + "# a line more\n")
        edited.replace(project.folder / "comptroller.yaml")
        assert process.stderr is not None and "it is protected again" in process.stderr.readline()
        (project.folder / "go").write_text("now\n")
        out, _ = process.communicate(timeout=SECONDS_MAX)
    assert out == "held\n"
    assert (project.folder / "comptroller.yaml").read_text().endswith("# a line more\n")


@pytest.mark.parametrize(("words", "code"), [(["no-such-thing"], 127), (["/etc"], 126), (["sh", "-c", "kill $$"], 143)])
def test_exit_codes_of_commands(project: Project, words: list[str], code: int) -> None:
    assert project.run(*words).returncode == code


def test_mistakes_are_named_before_anything_starts(project: Project) -> None:
    for options, message in (
        (["--agent", "nobody"], "there is no agent `nobody`"),
        (["--workspace", "/"], "too wide for a workspace"),
        (["--workspace", str(project.folder / "missing")], "is not a folder"),
        (["--workspace", str(project.folder.parent)], "which no agent may see"),
        (["--config", str(project.folder / "nothing.yaml")], "nothing.yaml"),
        (["--on-hold", "maybe"], "on-hold"),
    ):
        done = project.call("run", *options, "--", "true")
        assert done.exit_code == 2, (options, done.output)
        assert message in done.output, (options, done.output)
    assert project.server() == 0


def test_a_server_that_cannot_start_says_why(project: Project) -> None:
    (project.folder / "policies" / "broken.cedar").write_text("permit(principal")
    done = project.run("true")
    assert done.returncode == 2, done.stderr
    assert "the server did not start" in done.stderr and "broken.cedar" in done.stderr
    assert "comptroller serve --config" in done.stderr


def test_a_state_folder_that_cannot_be_made_is_named(project: Project) -> None:
    done = project.run("true", XDG_STATE_HOME="/proc/nowhere")
    assert done.returncode == 125, done.stderr
    assert "the state folder `/proc/nowhere/comptroller/" in done.stderr and "XDG_STATE_HOME" in done.stderr
    assert "Traceback" not in done.stderr
    served = project.call_outside("serve", XDG_STATE_HOME="/proc/nowhere")
    assert served.returncode == 2 and "/proc/nowhere" in served.stderr and "Traceback" not in served.stderr


def test_the_region_of_this_shell_goes_before_the_servers(project: Project) -> None:
    words = ("sh", "-c", "echo $AWS_REGION,$AWS_DEFAULT_REGION")
    first, second = (
        {"AWS_REGION": "eu-north-1", "AWS_DEFAULT_REGION": ""},
        {"AWS_REGION": "", "AWS_DEFAULT_REGION": "x"},
    )
    assert project.run(*words, **first).stdout == "eu-north-1,\n"
    assert project.run(*words, **second).stdout == ",x\n"
    path = project.folder / "comptroller.yaml"
    text = path.read_text("utf-8").replace("    per_run:", "    environment: {AWS_REGION: us-west-2}\n    per_run:")
    path.write_text(text, "utf-8")
    assert project.run(*words, **first).stdout == "us-west-2,\n"


def test_nothing_in_the_current_folder_is_run_outside(project: Project) -> None:
    for name in ("yaml", "click", "comptroller", "sitecustomize", "encodings"):
        (project.folder / f"{name}.py").write_text("open('/tmp/owned-by-comptroller-test', 'w')")
    script = shutil.which("comptroller", path=str(Path(sys.executable).parent))
    assert script is not None
    done = subprocess.run(
        [script, "run", "--", "true"], cwd=project.folder, env=project.environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert not Path("/tmp/owned-by-comptroller-test").exists()


# ---------------------------------------------------------------- the protocol's edges


class Server(threading.Thread):
    """Answers one connection on the attach socket: after each received line the next list of messages."""

    def __init__(self, path: Path, answers: Sequence[Sequence[object]]) -> None:
        super().__init__()
        self.lines: list[dict[str, object]] = []
        self.descriptors = 0
        self._answers = answers
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()

    def run(self) -> None:
        connection, _ = self._listener.accept()
        with connection, self._listener:
            for answers in self._answers:
                data = b""
                while not data.endswith(b"\n"):
                    part, descriptors, _, _ = socket.recv_fds(connection, 65536, 16)
                    self.descriptors += len(descriptors)
                    for descriptor in descriptors:
                        os.close(descriptor)
                    if not part:
                        return
                    data += part
                self.lines.append(json.loads(data))
                for answer in answers:
                    connection.sendall(json.dumps(answer).encode() + b"\n" if isinstance(answer, dict) else answer)


STARTED = {"op": "started", "run": "r1", "environment": {"KEY": "placeholder"}, "ca_pem": "", "hosts": []}


@pytest.mark.parametrize(
    ("answers", "code", "said"),
    [
        ([[{"op": "error", "message": "frozen", "hint": "thaw it", "exit_code": 1}]], 125, "comptroller: frozen"),
        ([[{"op": "error", "message": "no agent", "hint": "", "exit_code": 2}]], 2, "comptroller: no agent"),
        ([[]], 125, "ended before the box was ready"),
        ([[b"no json\n"]], 125, "the server broke off"),
        ([[{"op": "summary"}]], 125, "where `started` was due"),
        ([[STARTED], []], 125, "ended before the box was ready"),
        ([[STARTED], [{"op": "attached"}]], 125, "the server is gone"),
        (
            [[STARTED], [{"op": "attached"}, {"op": "end", "reason": "enough", "code": 124}], [{"op": "summary"}]],
            124,
            "ended: enough",
        ),
        (
            [
                [STARTED],
                [{"op": "notice", "text": "a\x1b[2Jb"}, {"op": "attached"}, {"op": "end"}],
                [{"op": "summary"}],
            ],
            124,
            "comptroller: a<U+001B>[2Jb",
        ),
    ],
)
def test_what_the_server_may_do(project: Project, answers: Sequence[Sequence[object]], code: int, said: str) -> None:
    server = Server(project.paths.attach_socket, answers)
    server.start()
    done = project.run("sleep", "1000")
    server.join()
    project.paths.attach_socket.unlink()
    assert done.returncode == code, done.stderr
    assert said in done.stderr


def test_what_the_server_is_told(project: Project) -> None:
    answers = [[STARTED], [{"op": "attached"}], [{"op": "summary", "text": "all well", "data": {"usd": "0"}}]]
    for environment, options, expected in (
        ({}, [], "wait"),
        ({"CI": "1"}, [], "fail"),
        ({"CI": "1"}, ["--on-hold", "wait"], "wait"),
    ):
        server = Server(project.paths.attach_socket, answers)
        server.start()
        words = ("sh", "-c", "echo $KEY; exit 5")
        done = project.run(*words, options=[*options, "--resume", "r0", "--purpose", "p"], **environment)
        server.join()
        project.paths.attach_socket.unlink()
        assert (done.returncode, done.stdout, done.stderr) == (5, "placeholder\n", "comptroller: all well\n")
        start, attach, exited = server.lines
        assert start == {
            "op": "start",
            "agent": "agent",
            "argv": list(words),
            "workspace": str(project.folder.resolve()),
            "resume": "r0",
            "on_hold": expected,
            "purpose": "p",
        }
        assert attach == {
            "op": "attach",
            "sockets": [{"role": role} for role in ("tcp", "dns-udp", "dns-tcp") * 2],
            "ender": True,
        }
        assert server.descriptors == 7
        assert exited == {"op": "exited", "code": 5}


# ---------------------------------------------------------------- choosing


def config(text: str) -> RunSettings:
    head = "version: 1\norganization: o\nteams: {t: {}}\npeople: {p: {}}\n"
    return run_settings_of(parse_config_text((head + text).encode(), origin="x"))


AGENTS = (
    "agents: {a: {team: t, owner: p, purpose: x, workspace: one}, b: {team: t, owner: p, purpose: x, workspace: .}}"
)


def test_the_agent_is_chosen_by_the_deepest_workspace(tmp_path: Path) -> None:
    settings = config(AGENTS)
    (tmp_path / "one" / "deep").mkdir(parents=True)
    assert choose_agent(settings, tmp_path, tmp_path / "one" / "deep") == "a"
    assert choose_agent(settings, tmp_path, tmp_path) == "b"
    with pytest.raises(UsageError, match="which agent"):
        choose_agent(settings, tmp_path, Path("/"))


def test_state_and_credential_files_are_private(tmp_path: Path) -> None:
    text = AGENTS + "\ncredentials: {k: {source: file, service: stripe, path: keys/stripe}}\n"
    found = private_paths(config(text), tmp_path / "comptroller.yaml")
    assert found[1] == tmp_path / "keys" / "stripe"
    assert found[0] == Paths.of(tmp_path / "comptroller.yaml").folder.parent


def test_ctrl_c_at_a_terminal_is_the_commands(project: Project) -> None:
    code = "import time\ntry: print('ready', flush=True); time.sleep(100)\n"
    code += "except KeyboardInterrupt: print('graceful', flush=True); raise SystemExit(5)"
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(project.folder)
        os.execve(sys.executable, [*PROGRAM, "run", "--", sys.executable, "-c", code], project.environment)
    seen = b""
    for typed, awaited in ((b"", b"ready"), (b"\x03", b"graceful"), (b"", b"$0.00")):
        os.write(terminal, typed)
        while awaited not in seen:
            assert select.select([terminal], [], [], SECONDS_MAX)[0], seen
            seen += os.read(terminal, 4096)
    status = os.waitpid(pid, 0)[1]
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 5
    assert b"Traceback" not in seen
