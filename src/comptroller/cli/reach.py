"""Reaches the `serve` of an installation for a run, and starts it where there is none."""

from __future__ import annotations

import contextlib
import socket
import time
from pathlib import Path

from comptroller.cli.detach_unsafe import start_serve
from comptroller.core.errors import ComptrollerError, UsageError
from comptroller.server.neutral import neutral
from comptroller.server.place import Paths

READY_SECONDS_MAX = 30.0
AFTER_EXIT_SECONDS_MAX = 2.0
POLL_SECONDS = 0.02
TAIL_BYTES_MAX = 2000


class NotStartedError(ComptrollerError):
    """The run could not be started."""

    exit_code = 125


def reach(config: Path) -> socket.socket:
    """A connection to the attach socket of `config`'s `serve`, started if need be. Raises `ComptrollerError` with the
    end of what `serve` said where it does not come up."""
    paths = Paths.of(config)
    connection = _connect(paths.attach_socket)
    if connection is not None:
        return connection
    try:
        before = paths.serve_log.stat().st_size if paths.serve_log.exists() else 0
        server = start_serve(config, paths.serve_log)
    except OSError as error:
        raise NotStartedError(
            f"the state folder `{paths.folder}` cannot be used: {error.strerror}",
            hint="make it yours and writable, or set XDG_STATE_HOME to a folder that is",
        ) from error
    deadline = time.monotonic() + READY_SECONDS_MAX
    ended = False
    while time.monotonic() < deadline:
        connection = _connect(paths.attach_socket)
        if connection is not None:
            # It goes on without us; its end is init's to collect.
            server.returncode = server.returncode or 0
            return connection
        if server.poll() is not None and not ended:
            # Another `run` may have started one at the same moment: then ours gives way and that one answers soon.
            ended = True
            deadline = min(deadline, time.monotonic() + AFTER_EXIT_SECONDS_MAX)
        time.sleep(POLL_SECONDS)
    said = _tail(paths.serve_log, before)
    if server.poll() is None:
        server.terminate()
        server.wait()
        raise NotStartedError(f"the server is not ready after {READY_SECONDS_MAX:.0f} s\n{said}", hint=_hint(config))
    failure = UsageError if server.returncode == UsageError.exit_code else NotStartedError
    raise failure(f"the server did not start:\n{said}", hint=_hint(config))


def _hint(config: Path) -> str:
    return f"see it in the foreground: comptroller serve --config {config}"


def _connect(path: Path) -> socket.socket | None:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(str(path))
    except PermissionError as error:
        connection.close()
        raise NotStartedError(
            f"`{path}` may not be opened by you", hint="start runs as the user who started the server"
        ) from error
    except OSError:
        connection.close()
        return None
    return connection


def _tail(log: Path, before: int) -> str:
    with contextlib.suppress(OSError), log.open("rb") as file:
        file.seek(max(before, log.stat().st_size - TAIL_BYTES_MAX))
        text = file.read(TAIL_BYTES_MAX).decode("utf-8", "replace").strip()
        return "\n".join("  " + neutral(line) for line in text.splitlines()) or "  it said nothing"
    return "  it said nothing"
