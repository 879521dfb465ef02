"""Asks this machine's kernel and programs what they can do, and changes its settings for `doctor --fix`."""

from __future__ import annotations

import ctypes
import os
import subprocess
from pathlib import Path

from comptroller.core.errors import ComptrollerError, UsageError
from comptroller.enforce.sandbox.remedies import Repair

COMMAND_SECONDS_MAX = 30
_LANDLOCK_CREATE_RULESET, _LANDLOCK_VERSION = 444, 1


class RepairError(ComptrollerError):
    """A change that `doctor --fix` tried did not work."""


def landlock_abi() -> int:
    """The version of Landlock that this kernel speaks; 0 where it has none or it is switched off."""
    try:
        answer = ctypes.CDLL(None, use_errno=True).syscall(_LANDLOCK_CREATE_RULESET, None, 0, _LANDLOCK_VERSION)
    except (OSError, AttributeError, TypeError):
        return 0
    return max(int(answer), 0)


def bwrap_version(program: Path | None) -> str:
    """Version and place of bubblewrap; empty where there is none that runs."""
    if program is None:
        return ""
    try:
        done = subprocess.run(  # noqa: S603
            [str(program), "--version"], capture_output=True, text=True, timeout=COMMAND_SECONDS_MAX, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    version = done.stdout.strip().removeprefix("bubblewrap ")
    return f"{version} at {program}" if version else ""


def apply(repair: Repair, *, root: Path = Path("/")) -> list[str]:
    """Write the files and run the commands of `repair`; one line for each. Raises `UsageError` where this is not root,
    `RepairError` where something refuses. Files go below `root`; commands run as they are."""
    if os.geteuid() != 0:
        raise UsageError("only root may change this machine", hint=f"as root: {repair.hint}")
    told = []
    for name, text in repair.files:
        path = root / name.lstrip("/")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        except OSError as error:
            raise RepairError(f"`{path}` cannot be written: {error.strerror}", hint=repair.hint) from error
        told.append(f"wrote {path}")
    for command in repair.commands:
        try:
            done = subprocess.run(  # noqa: S603
                command, capture_output=True, text=True, timeout=COMMAND_SECONDS_MAX, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise RepairError(f"`{' '.join(command)}` cannot be run: {error}", hint=repair.hint) from error
        if done.returncode:
            said = done.stderr.strip() or f"exit {done.returncode}"
            raise RepairError(f"`{' '.join(command)}` failed: {said}", hint=repair.hint)
        told.append(f"ran {' '.join(command)}")
    return told
