"""Limits of a box as a whole: their names, what the kernel is asked to hold of them, and how a breach is told. Values.

The kernel's own limits bind single processes; the watchdog adds them up. Where the kernel would merely refuse a call
(no more processes, no more memory), its limit stands a little above, so that the breach is seen, told and recorded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from comptroller.core.errors import UsageError

LIMITS = ("processes", "open_files", "memory_bytes", "file_bytes", "cpu_seconds", "disk_bytes", "wall_seconds")
"""What `agents.NAME.limits` may hold."""
PROCESSES_ABOVE = 16
MEMORY_ABOVE_BYTES_MIN = 256 << 20
CPU_ABOVE_SECONDS = 5
"""How far above the limit the kernel's own lies; for memory at least, else once more the limit."""
WATCHED = ("processes", "open_files", "memory_bytes", "cpu_seconds", "disk_bytes", "wall_seconds")
"""What the watchdog adds up. `file_bytes` is the kernel's alone: no single file grows beyond it."""
_WORDS: Mapping[str, str] = {
    "processes": "processes and threads",
    "open_files": "open files",
    "memory_bytes": "bytes of memory",
    "cpu_seconds": "seconds of processor time",
    "disk_bytes": "bytes added to the workspace",
    "wall_seconds": "seconds of run time",
    "file_bytes": "bytes in one file",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """A limit that the box went over. `why` is set where the limits could not be measured any more."""

    limit: str
    value: int
    used: int
    why: str = ""

    @property
    def text(self) -> str:
        """One line for people, with the setting's name."""
        if self.why:
            return f"limit `{self.limit}` of {self.value:,} cannot be measured any more: {self.why}"
        words = _WORDS.get(self.limit, self.limit)
        return f"limit `{self.limit}`: {self.used:,} {words}, and {self.value:,} are allowed"


def checked(limits: Mapping[str, int]) -> dict[str, int]:
    """`limits` as a dictionary. Raises `UsageError` for a name nobody knows."""
    for name in limits:
        if name not in LIMITS:
            raise UsageError(f"there is no limit `{name}`", hint=f"known limits: {', '.join(LIMITS)}")
    return dict(limits)


def rlimits(limits: Mapping[str, int]) -> dict[str, int]:
    """The kernel's limits (`RLIMIT_…`) for every process of a box with `limits`.

    Memory is bound as private data, not as addresses: runtimes reserve far more addresses than they use.
    """
    found: dict[str, int] = {}
    for name, value in checked(limits).items():
        match name:
            case "processes":
                found["RLIMIT_NPROC"] = value + PROCESSES_ABOVE
            case "open_files":
                found["RLIMIT_NOFILE"] = value
            case "memory_bytes":
                found["RLIMIT_DATA"] = value + max(value, MEMORY_ABOVE_BYTES_MIN)
            case "file_bytes":
                found["RLIMIT_FSIZE"] = value
            case "cpu_seconds":
                found["RLIMIT_CPU"] = value + CPU_ABOVE_SECONDS
    return found
