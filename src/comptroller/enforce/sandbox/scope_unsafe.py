"""Asks the user's systemd for a scope around a box's first process, as `systemd-run --user --scope` does for itself.

The process exists already and waits for its release: only it, and what it starts, is moved; nothing of ours.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from itertools import chain
from pathlib import Path

from comptroller.enforce.sandbox import cgroup
from comptroller.enforce.sandbox.limits import PROCESSES_ABOVE

ANSWER_SECONDS_MAX = 3.0
_POLL_SECONDS = 0.01
_MANAGER = ("org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager")


def ask(
    limits: Mapping[str, int],
    name: str,
    pid: int,
    *,
    environment: Mapping[str, str],
    mount: Path = cgroup.MOUNT,
    proc: Path = Path("/proc"),
) -> cgroup.Cgroup | None:
    """The group of a new scope `name` with process `pid` in it; None where there is no systemd of this user that
    answers, or it did not put the process there in time."""
    runtime = environment.get("XDG_RUNTIME_DIR", "")
    program = shutil.which("busctl", path=environment.get("PATH"))
    if not runtime or program is None or not Path(runtime, "systemd", "private").exists():
        return None
    if not (mount / "cgroup.controllers").is_file():
        return None
    words = [program, "--user", "--quiet", "call", *_MANAGER, "StartTransientUnit", *_arguments(limits, name, pid)]
    try:
        done = subprocess.run(  # noqa: S603
            words,
            env={"XDG_RUNTIME_DIR": runtime, "PATH": "/usr/bin:/bin"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=ANSWER_SECONDS_MAX,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    until = time.monotonic() + ANSWER_SECONDS_MAX
    while done.returncode == 0 and time.monotonic() < until:
        folder = cgroup.folder_of(pid, mount=mount, proc=proc)
        if folder is not None and folder.name == f"{name}.scope" and os.access(folder / "memory.events", os.R_OK):
            return cgroup.Cgroup(folder, limits, made=False)
        time.sleep(_POLL_SECONDS)
    return None


def _arguments(limits: Mapping[str, int], name: str, pid: int) -> list[str]:
    """What `StartTransientUnit` takes: name, mode, properties, and no further units."""
    properties = [["PIDs", "au", "1", str(pid)], ["CollectMode", "s", "inactive-or-failed"]]
    if "memory_bytes" in limits:
        properties += [["MemoryMax", "t", str(limits["memory_bytes"])], ["MemorySwapMax", "t", "0"]]
    if "processes" in limits:
        properties.append(["TasksMax", "t", str(limits["processes"] + PROCESSES_ABOVE)])
    return ["ssa(sv)a(sa(sv))", f"{name}.scope", "fail", str(len(properties)), *chain(*properties), "0"]
