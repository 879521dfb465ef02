"""What the disk itself can do: bytes written and synced as a write-ahead log does, round and round in one file."""

from __future__ import annotations

import os
import statistics
import time
from pathlib import Path
from typing import Self

ROUND_BYTES = 4 << 20
"""As far as SQLite's log grows before it begins anew."""


class Disk:
    """A file to write to; `with` closes it."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
        os.write(self._file, bytes(ROUND_BYTES))
        os.fdatasync(self._file)
        self._at = 0

    def sync_seconds(self, length: int) -> float:
        """Seconds to write `length` bytes and sync them."""
        data = os.urandom(length)
        if self._at + length > ROUND_BYTES:
            self._at = 0
        started = time.perf_counter()
        os.pwrite(self._file, data, self._at)
        os.fdatasync(self._file)
        self._at += length
        return time.perf_counter() - started

    def median_seconds(self, length: int, times: int) -> float:
        """The median of several."""
        return statistics.median(self.sync_seconds(length) for _ in range(times))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)


def bytes_written() -> int:
    """What this process has handed to write calls so far. Linux only."""
    for line in Path("/proc/self/io").read_text("ascii").splitlines():
        name, _, value = line.partition(": ")
        if name == "wchar":
            return int(value)
    raise SystemExit("/proc/self/io does not tell what was written")


def folder_of_benches() -> Path:
    """Where benches keep what they write: on the disk that this checkout lies on, ignored by git."""
    folder = Path(".bench")
    folder.mkdir(exist_ok=True)
    return folder
