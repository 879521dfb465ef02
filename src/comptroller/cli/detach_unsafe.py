"""Starts `serve` on its own, so that it outlives the command that needed it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

IDLE_SECONDS = 900
"""A server that a run has started ends by itself after so long without work."""


def start_serve(config: Path, log: Path) -> subprocess.Popen[bytes]:
    """Start `serve` for `config` in a session of its own, its words appended to `log`.

    It must not run anything that lies in the current folder, which an agent may have written: hence `-P` and the
    folder of `log` to stand in.
    """
    log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    command = (sys.executable, "-P", "-m", "comptroller", "serve")
    try:
        return subprocess.Popen(  # noqa: S603
            [*command, "--config", str(config), "--idle-exit", str(IDLE_SECONDS)],
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            cwd=log.parent,
            start_new_session=True,
        )
    finally:
        os.close(descriptor)
