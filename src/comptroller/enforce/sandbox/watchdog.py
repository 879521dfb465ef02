"""Watches a box from outside and ends it when the box as a whole goes over a limit, or can no longer be measured.

One look every `LOOK_SECONDS`, less often where a look is expensive: looking takes at most a twentieth of one processor.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from comptroller.enforce.sandbox import growth
from comptroller.enforce.sandbox.cgroup import Cgroup
from comptroller.enforce.sandbox.limits import WATCHED, Breach
from comptroller.enforce.sandbox.meter import Meter, Process
from comptroller.enforce.sandbox.walk import UnmeasurableError

LOOK_SECONDS = 0.1
COUNT_SECONDS = 0.01
"""How often processes are counted between two looks where the kernel does not: for root it knows no limit."""
WALK_SECONDS_MIN = 1.0
DELETED_SECONDS = 1.0
SHARE_MAX = 20
"""A look, and a walk through the workspace, pauses this many times as long as it took."""
SHARE_FILLING = 2
"""The same for a walk while the file system fills."""
NICENESS = -10
"""Asked for, so that busy boxes do not delay a look; granted to root alone."""


@dataclass(slots=True, kw_only=True)
class Costs:
    """What watching cost so far, in seconds of processor time."""

    looks: int = 0
    look_seconds: float = 0.0
    walks: int = 0
    walk_seconds: float = 0.0


class Watchdog:
    """The limits of one box. `root` is the box's opened root folder, `places` are the folders it may write on disk,
    `tmpfs` those that live in memory. `end` is called once, on the watchdog's own thread, when `breach` is set."""

    def __init__(
        self,
        limits: Mapping[str, int],
        *,
        root: int,
        tmpfs: Sequence[str],
        places: Sequence[Path],
        end: Callable[[], None],
        cgroup: Cgroup | None = None,
    ) -> None:
        self.breach: Breach | None = None
        self.costs = Costs()
        self._limits = {name: value for name, value in limits.items() if name in WATCHED}
        self._meter = Meter(root, tmpfs)
        self._end = end
        self._cgroup = cgroup
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
        self._disk = _Disk(places, self._limits["disk_bytes"], self.costs) if "disk_bytes" in self._limits else None
        self._counts = os.geteuid() == 0 and cgroup is None
        self._unnamed = (0, 0)
        self._next_deleted = 0.0
        self._began = time.monotonic()

    def start(self) -> None:
        """Begin to watch; the command is released at this moment."""
        self._began = time.monotonic()
        self._thread.start()

    def close(self) -> None:
        """Stop watching. Safe to call twice."""
        self._stop.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join()
        self._meter.close()

    def last_look(self) -> None:
        """What came of a box that has just ended: its group may have been ended by the kernel."""
        if self.breach is None and self._cgroup is not None:
            self.breach = self._cgroup.breach()

    def _watch(self) -> None:
        """Look until the box ends, or has to. INVARIANT: a box that is not watched any more does not go on."""
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
        try:
            self._look_on()
        finally:
            if self.breach is None and not self._stop.is_set():
                self.breach = self._unmeasured("the watchdog failed")
            if self.breach is not None:
                self._end()

    def _unmeasured(self, why: str) -> Breach:
        name, value = next(iter(self._limits.items()))
        return Breach(limit=name, value=value, used=0, why=why)

    def _look_on(self) -> None:
        pause = 0.0
        while not self._paused(pause):
            began, walked = time.thread_time(), self.costs.walk_seconds
            try:
                found = self.look()
            except UnmeasurableError as error:
                found = Breach(limit="disk_bytes", value=self._limits["disk_bytes"], used=0, why=str(error))
            except OSError as error:
                found = self._unmeasured(str(error))
            # A walk keeps its own pace: it must not delay the next look at processes and memory.
            took = time.thread_time() - began - (self.costs.walk_seconds - walked)
            self.costs.looks += 1
            self.costs.look_seconds += took
            if found is not None and not self._stop.is_set():
                self.breach = found
                return
            pause = max(LOOK_SECONDS, SHARE_MAX * took)

    def _paused(self, seconds: float) -> bool:
        """Wait for the next look, or until there are too many processes; True where watching has ended."""
        allowed = self._limits.get("processes") if self._counts else None
        until = time.monotonic() + seconds
        while allowed is not None and time.monotonic() < until:
            if self._stop.wait(COUNT_SECONDS):
                return True
            if len(self._meter.pids()) > allowed:
                return False
        return self._stop.wait(max(0.0, until - time.monotonic()))

    def look(self) -> Breach | None:
        """One look at everything that is limited; what is over its limit, if anything is."""
        over = self._time() or (self._cgroup.breach() if self._cgroup is not None else None)
        if over is not None:
            return over
        pids = self._meter.pids()
        allowed = self._limits.get("processes")
        if allowed is not None and len(pids) > allowed:
            return Breach(limit="processes", value=allowed, used=len(pids))
        living = self._meter.processes(pids)
        self._look_for_deleted(pids)
        return self._processes(pids, living) or self._memory(living) or self._disk_used()

    def _time(self) -> Breach | None:
        elapsed = time.monotonic() - self._began
        return self._over(
            "wall_seconds", int(elapsed), reached=elapsed >= self._limits.get("wall_seconds", elapsed + 1)
        )

    def _processes(self, pids: Sequence[int], living: Sequence[Process]) -> Breach | None:
        threads = sum(each.threads for each in living)
        if over := self._over("processes", threads):
            return over
        if "cpu_seconds" in self._limits:
            used = self._meter.cpu_seconds(living)
            if over := self._over("cpu_seconds", used, reached=used >= self._limits["cpu_seconds"]):
                return over
        return self._over("open_files", self._meter.open_files(pids)) if "open_files" in self._limits else None

    def _memory(self, living: Sequence[Process]) -> Breach | None:
        allowed = self._limits.get("memory_bytes")
        if allowed is None or self._meter.rough_memory_bytes(living, self._unnamed[1]) <= allowed:
            return None
        return self._over("memory_bytes", self._meter.memory_bytes(living, self._unnamed[1]))

    def _look_for_deleted(self, pids: Sequence[int]) -> None:
        """Files without a name hold memory or disk that no folder shows."""
        now = time.monotonic()
        if now >= self._next_deleted and ("memory_bytes" in self._limits or self._disk is not None):
            self._unnamed = self._meter.deleted(pids, self._disk.device if self._disk is not None else -1)
            self._next_deleted = now + DELETED_SECONDS

    def _disk_used(self) -> Breach | None:
        return None if self._disk is None else self._over("disk_bytes", self._disk.grown_bytes(self._unnamed[0]))

    def _over(self, name: str, used: int, *, reached: bool = False) -> Breach | None:
        allowed = self._limits.get(name)
        if allowed is None or (used <= allowed and not reached):
            return None
        return Breach(limit=name, value=allowed, used=used)


class _Disk:
    """Growth of the workspace since the box began: walked now and then, at once where its file system fills."""

    def __init__(self, places: Sequence[Path], limit: int, costs: Costs) -> None:
        self._places = tuple(places)
        self._limit = limit
        self._costs = costs
        self.device = places[0].stat().st_dev
        self._free = self._free_bytes()
        self._free_then = self._free
        self._next = self._next_filling = 0.0
        self._grown = 0
        self._start = 0
        self._start = self._walk().used_bytes

    def grown_bytes(self, unnamed_bytes: int) -> int:
        """Bytes more than at the start, as of the last walk."""
        now = time.monotonic()
        filled = self._free_then - self._free_bytes()
        filling = filled > max(0, self._limit - self._grown) // 2 and now >= self._next_filling
        if now >= self._next or filling:
            found = self._walk()
            self._grown = max(0, found.used_bytes - self._start)
            if found.closed:
                # A folder that we may not look into: what the file system lost altogether is the next best answer.
                self._grown = max(self._grown, self._free - self._free_bytes())
        return self._grown + unnamed_bytes

    def _walk(self) -> growth.Held:
        began = time.thread_time()
        self._free_then = self._free_bytes()
        found = growth.held(self._places)
        took = time.thread_time() - began
        self._costs.walks += 1
        self._costs.walk_seconds += took
        now = time.monotonic()
        self._next, self._next_filling = now + max(WALK_SECONDS_MIN, SHARE_MAX * took), now + SHARE_FILLING * took
        return found

    def _free_bytes(self) -> int:
        size = os.statvfs(self._places[0])
        return size.f_bfree * size.f_frsize
