"""`comptroller run` at a terminal: shells and full-screen programs work, and our words never tear their screen."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import shutil
import signal
import struct
import sys
import termios
import time
from collections.abc import Sequence

import pytest
from test_cli_run import PROGRAM, Project, project

from comptroller.cli import voice
from comptroller.cli.voice import HELD_LINES_MAX, Voice

__all__ = ["project"]
SECONDS_MAX = 20
ENTER, LEAVE = b"\x1b[?1049h", b"\x1b[?1049l"


class Screen:
    """A command in its box on a terminal of its own, 30 rows by 100 columns."""

    def __init__(self, project: Project, words: Sequence[str], *options: str) -> None:
        self.seen = b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(project.folder)
            environment = {**project.environment, "TERM": "xterm-256color"}
            os.execve(sys.executable, [*PROGRAM, "run", *options, "--", *words], environment)
        self.size(30, 100)

    def size(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))

    def expect(self, text: bytes) -> bytes:
        """Read up to `text`; what came before it."""
        deadline = time.monotonic() + SECONDS_MAX
        while text not in self.seen:
            assert time.monotonic() < deadline, self.seen
            assert select.select([self.fd], [], [], SECONDS_MAX)[0], self.seen
            try:
                self.seen += os.read(self.fd, 65536)
            except OSError:
                break
        assert text in self.seen, self.seen
        before, _, self.seen = self.seen.partition(text)
        return before

    def type(self, text: bytes) -> None:
        os.write(self.fd, text)

    def end(self) -> tuple[int, bytes]:
        """The exit code, and all that was still said."""
        while select.select([self.fd], [], [], SECONDS_MAX)[0]:
            try:
                data = os.read(self.fd, 65536)
            except OSError:
                break
            if not data:
                break
            self.seen += data
        status = os.waitpid(self.pid, 0)[1]
        os.close(self.fd)
        return os.waitstatus_to_exitcode(status), self.seen


def test_a_shell_is_usable(project: Project) -> None:
    screen = Screen(project, ["env", "PS1=ask> ", "bash", "--norc", "-i"])
    screen.expect(b"ask> ")
    screen.type(b"echo $((40+2))\r")
    screen.expect(b"42\r\n")
    screen.expect(b"ask> ")
    # Arrow keys: the last line again, its 40 made 50.
    screen.type(b"\x1b[A\x1b[D\x1b[D\x1b[D\x1b[D\x1b[D\x7f5\r")
    screen.expect(b"52\r\n")
    screen.type(b"sh -c 'echo st''arted; exec sleep 100'\r")
    screen.expect(b"started")
    screen.type(b"\x03")
    screen.expect(b"ask> ")
    screen.type(b"sh -c 'echo st''arted; exec cat'\r")
    screen.expect(b"started")
    screen.type(b"\x1a")
    screen.expect(b"Stopped")
    screen.type(b"kill -9 %1; wait %1; stty size; tput colors\r")
    screen.expect(b"30 100")
    screen.expect(b"256")
    screen.size(41, 123)
    screen.type(b"stty size\r")
    screen.expect(b"41 123")
    screen.type(b"exit 9\r")
    code, said = screen.end()
    assert code == 9 and b"$0.00" in said


def test_a_change_of_size_reaches_the_command(project: Project) -> None:
    code = (
        "import os, signal\n"
        # Blocked and waited for: a handler's call would wait for the end of a read that began just before it.
        "signal.signal(signal.SIGWINCH, lambda *_: None)\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGWINCH])\n"
        "print('ready', os.isatty(0), os.isatty(1), os.isatty(2), flush=True)\n"
        "while os.get_terminal_size() != (90, 50):\n"
        "    signal.sigwait([signal.SIGWINCH])\n"
        "print('now', *os.get_terminal_size(), flush=True)\n"
        "input()\n"
    )
    screen = Screen(project, [sys.executable, "-c", code])
    screen.expect(b"ready True True True")
    screen.size(50, 90)
    screen.expect(b"now 90 50")
    screen.type(b"\r")
    assert screen.end()[0] == 0


FULL_SCREEN = """
import curses, socket, sys
def main(window):
    window.addstr(0, 0, 'drawn')
    window.refresh()
    window.getch()
    for number in range(3):
        with socket.create_connection((f'198.51.100.{number + 1}', 80), 5) as c:
            c.sendall(b'GET / HTTP/1.1\\r\\nhost: n%d.example.net\\r\\nconnection: close\\r\\n\\r\\n' % number)
            assert b'403' in c.recv(99)
    window.addstr(1, 0, 'denied')
    window.refresh()
    window.getch()
curses.wrapper(main)
"""


def test_notices_wait_until_a_full_screen_program_ends(project: Project) -> None:
    screen = Screen(project, [sys.executable, "-c", FULL_SCREEN])
    screen.expect(ENTER)
    screen.expect(b"drawn")
    screen.type(b"x")
    during = screen.expect(b"denied")
    screen.type(b"x")
    during += screen.expect(LEAVE)
    assert b"comptroller" not in during, during
    code, after = screen.end()
    assert code == 0
    assert after.count(b"comptroller: denied: ") == 3, after
    assert after.index(b"comptroller: denied: ") < after.index(b"$0.00")


def test_a_killed_full_screen_program_gives_the_screen_back(project: Project) -> None:
    heard = "    signal.signal(15, lambda *_: print('heard', flush=True))\n    window.addstr"
    stubborn = FULL_SCREEN.replace("    window.addstr", heard, 1)
    screen = Screen(project, [sys.executable, "-c", "import signal" + stubborn])
    screen.expect(b"drawn")
    os.kill(screen.pid, signal.SIGTERM)
    screen.expect(b"heard")
    os.kill(screen.pid, signal.SIGTERM)
    code, said = screen.end()
    assert code == 137, said
    assert LEAVE in said and said.index(LEAVE) < said.index(b"comptroller: ")


@pytest.mark.parametrize(
    ("words", "quit"),
    [
        (["vim", "-u", "NONE", "-N", "comptroller.yaml"], b":q!\r"),
        (["less", "comptroller.yaml"], b"q"),
    ],
)
def test_programs_with_the_whole_screen(project: Project, words: list[str], quit: bytes) -> None:
    assert shutil.which(words[0]), f"{words[0]} is not installed here"
    screen = Screen(project, words)
    screen.expect(ENTER)
    screen.expect(b"organization")
    screen.type(quit)
    during = screen.expect(LEAVE)
    assert b"comptroller: run" not in during
    code, said = screen.end()
    assert code == 0 and b"$0.00" in said


def test_ctrl_c_once_is_graceful_and_twice_is_now(project: Project) -> None:
    code = (
        "import signal, time\n"
        "signal.signal(signal.SIGINT, lambda *_: print('heard', flush=True))\n"
        "print('ready', flush=True)\n"
        "while True: time.sleep(100)\n"
    )
    screen = Screen(project, [sys.executable, "-c", code])
    screen.expect(b"ready")
    screen.type(b"\x03")
    screen.expect(b"heard")
    screen.type(b"\x03")
    assert screen.end()[0] == 137


def test_what_is_held_back_is_bounded_and_urgent_words_ring(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    taken = [True]
    monkeypatch.setattr(voice, "screen_taken", lambda: taken[0])
    mine = Voice()
    mine.marks = ("observed", "no box")
    for number in range(HELD_LINES_MAX + 5):
        mine.say(f"line {number}")
    mine.say("a question", urgent=True)
    assert capsys.readouterr().err == "\a"
    taken[0] = False
    mine.say("free\x1b[2J")
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "comptroller [observed, no box]: 7 lines before these were not kept: comptroller tail"
    assert lines[1] == "comptroller [observed, no box]: line 7"
    assert lines[-2:] == [
        "comptroller [observed, no box]: a question",
        "comptroller [observed, no box]: free<U+001B>[2J",
    ]
    assert len(lines) == HELD_LINES_MAX + 1
