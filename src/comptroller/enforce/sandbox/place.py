"""Where are we, and what has this machine got that a box is made of? Read from files; every reader takes a root."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from comptroller.enforce.sandbox import machine_unsafe

FILE_BYTES_MAX = 65536
_USER_NAMESPACES = "proc/sys/user/max_user_namespaces"
_CLONE = "proc/sys/kernel/unprivileged_userns_clone"
_APPARMOR = "proc/sys/kernel/apparmor_restrict_unprivileged_userns"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A machine as far as boxes are concerned. `kind` is `machine`, `virtual machine`, `docker`, `podman`, `container`,
    `kubernetes`, `github-actions`, `devcontainer`, `wsl2`, `wsl1`, `macos` or `windows`; `refused` names what stands in
    the way of user namespaces: `` (nothing known), `sysctl`, `count`, `apparmor`; `landlock` is its ABI, 0 for none."""

    kind: str
    system: str
    kernel: str
    distribution: str
    refused: str
    nf_tables: bool
    landlock: int
    cgroup: str
    bwrap: str

    def lines(self) -> tuple[tuple[str, str], ...]:
        """What `doctor` says of it: label and text."""
        refused = {
            "": "not refused by any setting",
            "sysctl": "refused: kernel.unprivileged_userns_clone is 0",
            "count": "refused: user.max_user_namespaces is 0",
            "apparmor": "refused by AppArmor to programs without a profile",
        }
        return (
            ("place", f"{self.kind}, {self.distribution or self.system}"),
            ("kernel", self.kernel),
            ("user namespaces", refused[self.refused]),
            ("bubblewrap", self.bwrap or "not installed"),
            ("nf_tables", "present" if self.nf_tables else "not seen (a module may still bring it)"),
            ("Landlock", f"ABI {self.landlock}" if self.landlock else "not in this kernel"),
            ("cgroup", self.cgroup),
        )


def look(
    root: Path = Path("/"),
    *,
    system: str = sys.platform,
    environment: Mapping[str, str] | None = None,
    landlock: int | None = None,
    bwrap: str = "",
) -> Place:
    """What `root` tells; `bwrap` is its version and place. `landlock` is asked of this machine unless given."""
    variables = os.environ if environment is None else environment
    version = _read(root / "proc/version")
    return Place(
        kind=_kind(root, system, variables, version),
        system=system,
        kernel=_read(root / "proc/sys/kernel/osrelease") or platform.release(),
        distribution=_distribution(root),
        refused=refused(root),
        nf_tables=_nf_tables(root),
        landlock=machine_unsafe.landlock_abi() if landlock is None else landlock,
        cgroup=_cgroup(root),
        bwrap=bwrap,
    )


def refused(root: Path) -> str:
    """Which setting below `root` refuses user namespaces; empty where none is known to."""
    settings = ((_CLONE, "0", "sysctl"), (_USER_NAMESPACES, "0", "count"), (_APPARMOR, "1", "apparmor"))
    for name, value, reason in settings:
        if _read(root / name) == value:
            return reason
    return ""


def kind(root: Path = Path("/"), *, system: str = sys.platform, environment: Mapping[str, str] | None = None) -> str:
    """Only what sort of place it is."""
    variables = os.environ if environment is None else environment
    return _kind(root, system, variables, _read(root / "proc/version"))


def _kind(root: Path, system: str, variables: Mapping[str, str], version: str) -> str:
    if system == "darwin":
        return "macos"
    if system.startswith(("win", "cygwin")):
        return "windows"
    if "microsoft" in version.lower():
        return "wsl2" if "WSL2" in version or (root / "run/WSL").exists() else "wsl1"
    if variables.get("GITHUB_ACTIONS") == "true":
        return "github-actions"
    if variables.get("KUBERNETES_SERVICE_HOST") or (root / "var/run/secrets/kubernetes.io").exists():
        return "kubernetes"
    if variables.get("REMOTE_CONTAINERS") == "true" or variables.get("CODESPACES") == "true":
        return "devcontainer"
    if (root / ".dockerenv").exists():
        return "docker"
    if (root / "run/.containerenv").exists():
        return "podman"
    if variables.get("container"):
        return "container"
    return "virtual machine" if _virtual(root) else "machine"


def _virtual(root: Path) -> bool:
    flags = re.search(r"^flags\s*:(.*)$", _read(root / "proc/cpuinfo"), re.MULTILINE)
    return flags is not None and " hypervisor" in flags[1]


def _distribution(root: Path) -> str:
    found = dict(re.findall(r'^(ID|VERSION_ID)="?([^"\n]*)"?$', _read(root / "etc/os-release"), re.MULTILINE))
    return " ".join(filter(None, (found.get("ID"), found.get("VERSION_ID"))))


def _nf_tables(root: Path) -> bool:
    """Loaded as a module, or built in."""
    if (root / "sys/module/nf_tables").exists() or (root / "proc/sys/net/netfilter").exists():
        return True
    return any(line.startswith("nf_tables ") for line in _read(root / "proc/modules").splitlines())


def _cgroup(root: Path) -> str:
    if not (root / "sys/fs/cgroup/cgroup.controllers").exists():
        return "version 1" if (root / "sys/fs/cgroup").is_dir() and any((root / "sys/fs/cgroup").iterdir()) else "none"
    own = _read(root / "proc/self/cgroup").rpartition("::")[2].strip().lstrip("/")
    delegated = os.access(root / "sys/fs/cgroup" / own / "cgroup.subtree_control", os.W_OK)
    return "version 2, writable here" if delegated else "version 2, not delegated to this user"


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(FILE_BYTES_MAX).decode("utf-8", "replace").strip()
    except OSError:
        return ""
