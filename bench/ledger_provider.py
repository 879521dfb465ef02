"""A provider whose own append-only, synced log is the truth: what it did stands there, whoever was killed meanwhile.

`python -m bench.ledger_provider SOCKET LOG [MILLISECONDS]` serves until it is ended; standard library only, since peers
speak to it from environments of their own.
"""

from __future__ import annotations

import contextlib
import os
import socket
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

READY = b"ready\n"
CONNECTIONS_WAITING_MAX = 1024


@dataclass(frozen=True)
class Charge:
    """One thing the provider did: for which permit (`reservation` at `entry`), and what it took."""

    number: str
    usd_micros: int
    reservation: str
    entry: int


class _Server(socketserver.ThreadingUnixStreamServer):
    request_queue_size = CONNECTIONS_WAITING_MAX
    daemon_threads = True
    seconds = 0.0
    log = -1
    lock = threading.Lock()


class _Handler(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        """One line asks, one answers: `NUMBER USD_MICROS RESERVATION ENTRY`. Done, then answered."""
        with contextlib.suppress(OSError):
            for line in self.rfile:
                with self.server.lock:
                    os.write(self.server.log, line)
                    os.fdatasync(self.server.log)
                time.sleep(self.server.seconds)
                self.wfile.write(READY)


class Client:
    """One connection to the provider; belongs to one thread."""

    def __init__(self, place: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(place)

    def charge(self, number: str, usd_micros: int, reservation: str = "-", entry: int = -1) -> None:
        """Ask, and wait until it is done. Raises `OSError` where the answer is lost."""
        self._socket.sendall(f"{number} {usd_micros} {reservation} {entry}\n".encode())
        if self._socket.recv(16) != READY:
            raise OSError("the provider is gone")


def read_log(path: Path) -> list[Charge]:
    """Everything the provider did."""
    found = []
    for line in path.read_text("utf-8").splitlines():
        number, usd_micros, reservation, entry = line.split()
        found.append(Charge(number, int(usd_micros), reservation, int(entry)))
    return found


@contextlib.contextmanager
def provider(folder: Path, milliseconds: int = 0, name: str = "provider") -> Iterator[tuple[str, Path]]:
    """A running provider: its socket and its log."""
    place, log = folder / f"{name}.sock", folder / f"{name}.log"
    command = [sys.executable, __file__, str(place), str(log), str(milliseconds)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        assert child.stdout is not None
        if child.stdout.readline() != READY:
            raise SystemExit("the provider did not start")
        yield str(place), log
    finally:
        child.kill()
        child.communicate()
        place.unlink(missing_ok=True)


def main(arguments: list[str]) -> None:
    """Serve until ended."""
    place, log, milliseconds = (*arguments, "0")[:3]
    with _Server(place, _Handler) as server:
        server.log = os.open(log, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
        server.seconds = int(milliseconds) / 1000
        print(READY.decode(), end="", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1:])
