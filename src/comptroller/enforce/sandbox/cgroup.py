"""A control group (v2) of a box's own, where one may be made: then the kernel itself holds memory and processes.

Looked for beside and below the group `run` is in; else a scope is asked of the user's systemd. Where neither is to be
had (no v2, nothing delegated), the watchdog adds up alone. Only files are read and written here.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from comptroller.enforce.sandbox.limits import PROCESSES_ABOVE, Breach

MOUNT = Path("/sys/fs/cgroup")
OWN = Path("/proc/self/cgroup")
FILE_BYTES_MAX = 4096
_CONTROLLERS = frozenset({"memory", "pids"})
_OPTIONAL = frozenset({"memory.swap.max", "memory.oom.group"})
"""Not there on every kernel; the box is ended as a whole in any case."""
_USEC = 1_000_000


class Cgroup:
    """The group of one box. `made` is False for one that systemd made, and removes."""

    def __init__(self, folder: Path, limits: Mapping[str, int], *, made: bool = True) -> None:
        self._folder = folder
        self._limits = dict(limits)
        self._made = made

    def enter(self, pid: int) -> None:
        """Put a process into the group; all it starts stays there. Raises `OSError`."""
        (self._folder / "cgroup.procs").write_text(f"{pid}\n", "ascii")

    def breach(self) -> Breach | None:
        """The limit that the kernel had to hold, or that the group's own figures are over."""
        memory, processes, cpu = (self._limits.get(name) for name in ("memory_bytes", "processes", "cpu_seconds"))
        if memory is not None and _figure(self._folder / "memory.events", "oom_kill"):
            used = _number(self._folder / "memory.peak") or memory
            return Breach(limit="memory_bytes", value=memory, used=max(used, memory))
        if processes is not None:
            used = _number(self._folder / "pids.current")
            if used > processes:
                return Breach(limit="processes", value=processes, used=used)
            if _figure(self._folder / "pids.events", "max"):
                return Breach(limit="processes", value=processes, used=processes + PROCESSES_ABOVE)
        if cpu is not None:
            seconds = _figure(self._folder / "cpu.stat", "usage_usec") // _USEC
            if seconds >= cpu:
                return Breach(limit="cpu_seconds", value=cpu, used=seconds)
        return None

    def close(self) -> None:
        """Remove the group of a box that has ended."""
        if self._made:
            with contextlib.suppress(OSError):
                self._folder.rmdir()


def make(limits: Mapping[str, int], name: str, *, mount: Path = MOUNT, own: Path = OWN) -> Cgroup | None:
    """A new group `name` with `limits`; None where there is nothing for a group to hold, or no place to make one."""
    if not {"memory_bytes", "processes", "cpu_seconds"} & set(limits):
        return None
    for place in _places(mount, own):
        folder = place / name
        try:
            folder.mkdir()
        except OSError:
            continue
        group = Cgroup(folder, limits)
        try:
            for file, value in settings(limits).items():
                with contextlib.suppress(*([OSError] if file in _OPTIONAL else [])):
                    (folder / file).write_text(f"{value}\n", "ascii")
        except OSError:
            group.close()
            continue
        return group
    return None


def settings(limits: Mapping[str, int]) -> dict[str, int]:
    """What is written into which file of a group. One process too many ends all of them, as one page too many does."""
    found: dict[str, int] = {}
    if "memory_bytes" in limits:
        found |= {"memory.max": limits["memory_bytes"], "memory.swap.max": 0, "memory.oom.group": 1}
    if "processes" in limits:
        found["pids.max"] = limits["processes"] + PROCESSES_ABOVE
    return found


def folder_of(pid: int, *, mount: Path = MOUNT, proc: Path = Path("/proc")) -> Path | None:
    """The group that process `pid` is in."""
    lines = _read(proc / str(pid) / "cgroup").splitlines()
    found = next((line.partition("::")[2] for line in lines if line.startswith("0::")), None)
    return None if found is None else mount / found.lstrip("/")


def _places(mount: Path, own: Path) -> Iterator[Path]:
    """Groups in which one may be made: the own one, then the one above, as far as they hand the controllers on."""
    if not (mount / "cgroup.controllers").is_file():
        return
    here = next((line.partition("::")[2] for line in _read(own).splitlines() if line.startswith("0::")), None)
    if here is None:
        return
    folder = mount / here.lstrip("/")
    for place in dict.fromkeys((folder, folder.parent)):
        ours = place.is_relative_to(mount) and all(os.access(path, os.W_OK) for path in (place, place / "cgroup.procs"))
        if ours and _hands_on(place):
            yield place


def _hands_on(place: Path) -> bool:
    """Whether groups below `place` get the controllers; asked for where they do not yet."""
    control = place / "cgroup.subtree_control"
    missing = _CONTROLLERS - set(_read(control).split())
    if not missing:
        return True
    if not missing <= set(_read(place / "cgroup.controllers").split()):
        return False
    try:
        control.write_text(" ".join(f"+{name}" for name in sorted(missing)), "ascii")
    except OSError:
        return False  # it holds processes of its own
    return True


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(FILE_BYTES_MAX).decode("ascii", "replace")
    except OSError:
        return ""


def _number(path: Path) -> int:
    text = _read(path).strip()
    return int(text) if text.isdigit() else 0


def _figure(path: Path, name: str) -> int:
    for line in _read(path).splitlines():
        key, _, value = line.partition(" ")
        if key == name and value.strip().isdigit():
            return int(value)
    return 0
