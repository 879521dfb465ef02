"""Our words on a run's standard error: marked on every line, and held back while a program has the whole screen."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import termios
from collections import deque
from pathlib import Path

from comptroller.cli.harmless import bare
from comptroller.server.neutral import neutral

HELD_LINES_MAX = 200
"""Lines kept while a full-screen program runs; the oldest give way, and how many did is said."""
LOOK_SECONDS = 0.2
SHELLS = frozenset({"bash", "sh", "dash", "zsh", "fish", "ksh"})
"""They read keys one by one as well, and are used to lines that come in between."""
BELL = "\a"
LEAVE_SCREEN = "\x1b[?1049l\x1b[?25h\x1b[0m"
"""Back from the alternate screen, with a cursor and plain colours."""


class Voice:
    """Says lines behind `comptroller: `. `marks` stand on each of them: `no box`, `observed`."""

    def __init__(self) -> None:
        self.marks: tuple[str, ...] = ()
        self._held: deque[str] = deque()
        self._lost = 0
        self._timer: asyncio.TimerHandle | None = None

    def say(self, text: str, *, urgent: bool = False) -> None:
        """Print every line of `text` now, or when the screen is free again; what is urgent rings the bell meanwhile."""
        self._held.extend(text.splitlines())
        while len(self._held) > HELD_LINES_MAX:
            self._held.popleft()
            self._lost += 1
        if not screen_taken():
            self.flush()
            return
        if urgent:
            _write(BELL, ours=True)
        self._watch()

    def flush(self) -> None:
        """Print what was held back, whatever has the screen."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        end = "\r\n" if sys.stderr.isatty() else "\n"
        mark = f" [{', '.join(self.marks)}]" if self.marks else ""
        lost = [f"{self._lost} lines before these were not kept: comptroller tail"] if self._lost else []
        _write("".join(f"comptroller{mark}: {neutral(line)}{end}" for line in (*lost, *self._held)))
        self._held.clear()
        self._lost = 0

    def leave_screen(self) -> None:
        """Take the screen back from a program that was ended while it had it."""
        if sys.stderr.isatty():
            _write(LEAVE_SCREEN, ours=True)

    def _watch(self) -> None:
        if self._timer is None:
            with contextlib.suppress(RuntimeError):
                self._timer = asyncio.get_running_loop().call_later(LOOK_SECONDS, self._look)

    def _look(self) -> None:
        self._timer = None
        if screen_taken():
            self._watch()
        else:
            self.flush()


def _write(text: str, *, ours: bool = False) -> None:
    """`ours`: it drives the terminal, and nobody else wrote a character of it. Where nobody can be told any more (a
    closed terminal, a full disk) the run is still brought to its end."""
    with contextlib.suppress(OSError, ValueError):
        stream = bare(sys.stderr) if ours else sys.stderr
        stream.write(text)
        stream.flush()


def screen_taken() -> bool:
    """Whether a program other than a shell reads the terminal key by key: then it most likely draws the whole screen,
    which a line of ours would tear."""
    try:
        descriptor = sys.stderr.fileno()
        modes = termios.tcgetattr(descriptor)[3]
    except (OSError, ValueError, termios.error):
        return False
    if modes & termios.ICANON:
        return False
    with contextlib.suppress(OSError):
        name = Path(f"/proc/{os.tcgetpgrp(descriptor)}/comm").read_text("utf-8", "replace").strip()
        return name not in SHELLS
    return True
