"""What the processes of a box use, read from outside through the box's own `/proc`, which lists them and no others."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Collection, Sequence
from dataclasses import dataclass

STAT_BYTES_MAX = 4096
DESCRIPTORS_MAX = 20_000
"""How many open files one look for deleted ones goes through."""
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_KB = 1024
_INIT = 1
"""bubblewrap's own process: process 1 of every box."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One process at one moment. `rss_bytes` counts pages it shares in full."""

    pid: int
    started: int
    own_ticks: int
    children_ticks: int
    threads: int
    rss_bytes: int


class Meter:
    """Reads one box. `root` is its opened root folder; `tmpfs` are the folders in it that live in memory."""

    def __init__(self, root: int, tmpfs: Sequence[str]) -> None:
        flags = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        self._opened: list[int] = []
        try:
            self._proc = os.open("proc", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=root)
            self._opened.append(self._proc)
            self._tmpfs = []
            for name in tmpfs:
                descriptor = os.open(name.lstrip("/"), flags, dir_fd=root)
                self._opened.append(descriptor)
                self._tmpfs.append(descriptor)
        except BaseException:
            self.close()
            raise
        self._tmpfs_devices = {os.fstat(descriptor).st_dev for descriptor in self._tmpfs}
        self._last: dict[int, Process] = {}
        self._gone_ticks = 0

    def close(self) -> None:
        """Let go of the box."""
        for descriptor in self._opened:
            os.close(descriptor)
        self._opened = []

    def pids(self) -> list[int]:
        """The processes, without process 1."""
        return [int(name) for name in os.listdir(self._proc) if name.isdigit() and int(name) != _INIT]

    def processes(self, pids: Collection[int]) -> list[Process]:
        """What each of `pids` is, as far as it still lives."""
        return [found for pid in pids if (found := self._process(pid)) is not None]

    def cpu_seconds(self, living: Collection[Process]) -> int:
        """Processor time of the whole box so far, dead processes included; never more than was used.

        Two countings, each too low in its own way: what was last seen of every process, and what the living have with
        their waited-for children. A process that is born and dies between two looks, and that nobody waits for, is in
        neither.
        """
        now = {each.pid: each for each in living}
        for pid, before in self._last.items():
            after = now.get(pid)
            if after is None or after.started != before.started:
                self._gone_ticks += before.own_ticks
        self._last = now
        seen = self._gone_ticks + sum(each.own_ticks for each in living)
        waited = sum(each.own_ticks + each.children_ticks for each in living)
        return max(seen, waited) // _TICKS

    def rough_memory_bytes(self, living: Collection[Process], unnamed_bytes: int) -> int:
        """Never less than is used: shared pages count for each process that has them."""
        return sum(each.rss_bytes for each in living) + self._in_tmpfs() + unnamed_bytes

    def memory_bytes(self, living: Collection[Process], unnamed_bytes: int) -> int:
        """Memory of the processes, each shared page once (PSS), and of files that live in memory.

        Shared memory shows in both; the larger of the two counts.
        """
        private = shared = 0
        for each in living:
            total, shmem = self._pss(each)
            private += total - shmem
            shared += shmem
        return private + max(shared, self._in_tmpfs() + unnamed_bytes)

    def open_files(self, pids: Collection[int]) -> int:
        """Open files of all processes, each counted for every process that has it open."""
        total = 0
        for pid in pids:
            with contextlib.suppress(OSError):
                # Since Linux 6.2 the folder's size is the number of open files; before that they are listed.
                size = os.stat(f"{pid}/fd", dir_fd=self._proc).st_size
                total += size or self._listed(pid)
        return total

    def deleted(self, pids: Collection[int], device: int) -> tuple[int, int]:
        """Bytes of open files that have no name any more: (on the file system `device`, in memory elsewhere)."""
        on_disk = in_memory = looked = 0
        seen: set[tuple[int, int]] = set()
        for pid in pids:
            for name in self._descriptors(pid):
                looked += 1
                if looked > DESCRIPTORS_MAX:
                    return on_disk, in_memory
                with contextlib.suppress(OSError):
                    status = os.stat(f"{pid}/fd/{name}", dir_fd=self._proc)
                    key = (status.st_dev, status.st_ino)
                    if not stat.S_ISREG(status.st_mode) or status.st_nlink or key in seen:
                        continue
                    seen.add(key)
                    if status.st_dev == device:
                        on_disk += status.st_blocks * 512
                    elif status.st_dev not in self._tmpfs_devices:
                        in_memory += status.st_blocks * 512
        return on_disk, in_memory

    def _descriptors(self, pid: int) -> list[str]:
        try:
            folder = os.open(f"{pid}/fd", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self._proc)
        except OSError:
            return []
        try:
            return os.listdir(folder)
        except OSError:
            return []
        finally:
            os.close(folder)

    def _listed(self, pid: int) -> int:
        return len(self._descriptors(pid))

    def _in_tmpfs(self) -> int:
        total = 0
        for descriptor in self._tmpfs:
            size = os.statvfs(descriptor)
            total += (size.f_blocks - size.f_bfree) * size.f_frsize
        return total

    def _process(self, pid: int) -> Process | None:
        text = self._read(f"{pid}/stat", STAT_BYTES_MAX)
        # The name in brackets is the program's own choice, and may hold brackets itself.
        fields = text.rpartition(b") ")[2].split()
        if len(fields) < 22 or fields[0] in (b"Z", b"X"):
            return None
        return Process(
            pid=pid,
            own_ticks=int(fields[11]) + int(fields[12]),
            children_ticks=int(fields[13]) + int(fields[14]),
            threads=int(fields[17]),
            started=int(fields[19]),
            rss_bytes=int(fields[21]) * _PAGE_BYTES,
        )

    def _pss(self, process: Process) -> tuple[int, int]:
        """(all, of that shared memory) in bytes; where the kernel does not say, everything it has in memory."""
        found = {}
        for line in self._read(f"{process.pid}/smaps_rollup", STAT_BYTES_MAX).splitlines():
            words = line.split()
            if len(words) == 3 and words[2] == b"kB":
                found[words[0]] = int(words[1]) * _KB
        if b"Pss:" not in found:
            return process.rss_bytes, 0
        return found[b"Pss:"], found.get(b"Pss_Shmem:", 0)

    def _read(self, name: str, size: int) -> bytes:
        try:
            descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._proc)
        except OSError:
            return b""
        try:
            return os.read(descriptor, size)
        except OSError:
            return b""
        finally:
            os.close(descriptor)
