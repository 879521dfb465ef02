"""A box lives and dies with its launcher; the terminal is the command's own."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from boxes import RUNNER, SOURCE, Boxes

SECONDS_MAX = 20


def eventually_gone(word: str) -> list[str]:
    """Processes of this machine that carry `word` on their command line, once none is left or time is up."""
    deadline = time.monotonic() + SECONDS_MAX
    while True:
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    line = (entry / "cmdline").read_bytes()
                    state = (entry / "stat").read_text().rsplit(") ", 1)[1][0]
                except OSError:
                    continue
                if word.encode() in line and state != "Z":
                    found.append(line.decode(errors="replace"))
        if not found or time.monotonic() > deadline:
            return found


def test_killing_the_launcher_ends_the_box(boxes: Boxes) -> None:
    mark = f"987{os.getpid()}"
    process = boxes.start(["bash", "-c", f"setsid -f sleep {mark}; (trap '' TERM HUP; sleep {mark}) & sleep {mark}"])
    with process:
        deadline = time.monotonic() + SECONDS_MAX
        while not any(f"sleep\0{mark}".encode() in cmdline(entry) for entry in Path("/proc").iterdir()):
            assert time.monotonic() < deadline
        process.kill()
        process.wait()
    assert eventually_gone(f"sleep\0{mark}") == []


def parts_of(launcher: int, mark: str) -> dict[str, int]:
    """The launcher's own parts once the box's command runs: bubblewrap, the box's process 1, the guard."""
    deadline = time.monotonic() + SECONDS_MAX
    while True:
        assert time.monotonic() < deadline
        parents = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    parents[int(entry.name)] = int((entry / "stat").read_text().rsplit(") ", 1)[1].split()[1])
                except OSError:
                    continue
        children = [pid for pid, parent in parents.items() if parent == launcher]
        bwrap = next((pid for pid in children if pid in parents.values()), 0)
        first = next((pid for pid, parent in parents.items() if parent == bwrap), 0)
        runs = any(f"sleep\0{mark}".encode() in cmdline(Path(f"/proc/{pid}")) for pid in parents)
        if bwrap and first and runs and len(children) == 2:
            (guard,) = set(children) - {bwrap}
            return {"launcher": launcher, "bwrap": bwrap, "first": first, "guard": guard}


@pytest.mark.parametrize("part", ["launcher", "bwrap", "first", "guard"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_no_process_outlives_a_part_that_was_killed_or_stopped(boxes: Boxes, part: str, number: signal.Signals) -> None:
    mark = f"98{int(number)}{os.getpid()}{['launcher', 'bwrap', 'first', 'guard'].index(part)}"
    with boxes.start(["bash", "-c", f"setsid -f sleep {mark}; trap '' TERM HUP; sleep {mark}"], news=True) as process:
        parts = parts_of(process.pid, mark)
        os.kill(parts[part], number)
        if number is signal.SIGSTOP:
            process.kill()
        process.wait(SECONDS_MAX)
    assert eventually_gone(f"sleep\0{mark}") == []
    deadline = time.monotonic() + SECONDS_MAX
    while left := [name for name, pid in parts.items() if cmdline(Path(f"/proc/{pid}"))]:
        assert time.monotonic() < deadline, left


def cmdline(entry: Path) -> bytes:
    try:
        return (entry / "cmdline").read_bytes() if entry.name.isdigit() else b""
    except OSError:
        return b""


def test_daemons_end_with_the_command(boxes: Boxes) -> None:
    mark = f"986{os.getpid()}"
    done = boxes.shell(f"setsid -f sleep {mark} </dev/null >/dev/null 2>&1; exit 3")
    assert done.returncode == 3
    assert eventually_gone(f"sleep\0{mark}") == []


def test_an_unreleased_box_never_runs_its_command(boxes: Boxes) -> None:
    program = boxes.root / "unreleased.py"
    program.write_text(
        "import sys\nfrom pathlib import Path\nfrom comptroller.enforce.sandbox import Box, BoxSpec\n"
        "box = Box.launch(BoxSpec(argv=('touch', 'made'), workspace=Path(sys.argv[1]), authority_pem=''))\n"
        "box.close()\nbox.close()\n"
    )
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(boxes.root), "PYTHONPATH": str(SOURCE)}
    subprocess.run([sys.executable, program, boxes.workspace], check=True, env=environment)
    assert list(boxes.workspace.iterdir()) == []


class Terminal:
    """A box on a terminal of its own, as a person would have it."""

    def __init__(self, boxes: Boxes, argv: list[str]) -> None:
        document = json.dumps({"argv": argv, "workspace": str(boxes.workspace)})
        self.seen = b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            environment = {"PATH": "/usr/bin:/bin", "HOME": str(boxes.root), "PYTHONPATH": str(SOURCE), "TERM": "xterm"}
            # As `comptroller run` does: Ctrl-C is the command's.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            os.execve(sys.executable, [sys.executable, str(RUNNER), document], environment)

    def expect(self, text: bytes) -> None:
        deadline = time.monotonic() + SECONDS_MAX
        while text not in self.seen:
            assert time.monotonic() < deadline, self.seen
            if select.select([self.fd], [], [], 1)[0]:
                try:
                    self.seen += os.read(self.fd, 4096)
                except OSError:
                    break
        assert text in self.seen, self.seen
        self.seen = self.seen.split(text, 1)[1]

    def type(self, text: bytes) -> None:
        os.write(self.fd, text)

    def end(self) -> int:
        while select.select([self.fd], [], [], SECONDS_MAX)[0]:
            try:
                if not os.read(self.fd, 4096):
                    break
            except OSError:
                break
        else:
            os.kill(self.pid, signal.SIGKILL)
        status = os.waitpid(self.pid, 0)[1]
        os.close(self.fd)
        return os.waitstatus_to_exitcode(status)


@pytest.mark.parametrize("boxes", ["root" if os.getuid() == 0 else "ordinary"], indirect=True)
class TestTerminal:
    """With a pseudo-terminal."""

    def test_a_shell_has_job_control(self, boxes: Boxes) -> None:
        terminal = Terminal(boxes, ["env", "PS1=at your service", "bash", "--norc", "-i"])
        terminal.expect(b"at your service")
        terminal.type(b"echo a$((1+1))b; tty; set -o | grep monitor\n")
        terminal.expect(b"a2b")
        terminal.expect(b"on")
        terminal.type(b"cat\nsome text\n")
        terminal.expect(b"some text")
        terminal.expect(b"some text")
        terminal.type(b"\x1a")
        terminal.expect(b"Stopped")
        terminal.type(b"kill -9 %1; wait %1; echo do''ne\n")
        terminal.expect(b"done")
        # A shell that has not yet buried a stopped job stays at the first word.
        terminal.type(b"exit 9\nexit 9\n")
        assert terminal.end() == 9

    def test_ctrl_c_reaches_the_command_and_not_the_box(self, boxes: Boxes) -> None:
        code = "import time\ntry: print('ready', flush=True); time.sleep(100)\n"
        code += "except KeyboardInterrupt: print('graceful', flush=True); raise SystemExit(5)"
        terminal = Terminal(boxes, [sys.executable, "-c", code])
        terminal.expect(b"ready")
        terminal.type(b"\x03")
        terminal.expect(b"graceful")
        assert terminal.end() == 5

    def test_words_cannot_be_put_into_the_terminal(self, boxes: Boxes) -> None:
        code = "import fcntl, os\ntry: fcntl.ioctl(0, 0x5412, b'x'); print('ESCAPE')\nexcept OSError as e: print(e)\n"
        terminal = Terminal(boxes, [sys.executable, "-c", code])
        terminal.expect(b"Operation not permitted")
        assert terminal.end() == 0
