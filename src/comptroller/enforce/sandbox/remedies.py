"""What helps where a box does not come up: for each place and reason the exact step. Values only; the one source of
them for errors, `comptroller doctor` and the documentation."""

from __future__ import annotations

from dataclasses import dataclass

SYSCTL_FILE = "/etc/sysctl.d/60-comptroller.conf"
PROFILE_FILE = "/etc/apparmor.d/comptroller-bwrap"
NAMESPACES_ENOUGH = 15000
MODULES = ("nf_tables", "nft_chain_nat")


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """What `doctor --fix` does as root: files (path, text), then commands. `hint` is the same by hand, on one line."""

    hint: str
    files: tuple[tuple[str, str], ...] = ()
    commands: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedy:
    """What helps. `hint` is one line for an error; `steps` are the lines to copy; `repair` is None where only a person
    can do it, outside of here."""

    hint: str
    steps: tuple[str, ...]
    repair: Repair | None = None


_DOCKER_FLAGS = (
    "--security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt systempaths=unconfined"
)
_PROFILE = """\
# Lets bubblewrap make user namespaces, which this system keeps from programs without a profile.
abi <abi/4.0>,
include <tunables/global>

profile comptroller-bwrap {program} flags=(unconfined) {{
  userns,
  include if exists <local/comptroller-bwrap>
}}
"""
BUBBLEWRAP = Remedy(
    hint="sudo apt-get install -y bubblewrap",
    steps=("sudo apt-get install -y bubblewrap", "(dnf, zypper, pacman and apk call it `bubblewrap` too)"),
)
NF_TABLES = Remedy(
    hint=f"sudo modprobe -a {' '.join(MODULES)}",
    steps=(f"sudo modprobe -a {' '.join(MODULES)}", "on the machine itself: a container cannot load modules"),
    repair=Repair(
        hint=f"modprobe -a {' '.join(MODULES)}",
        files=(("/etc/modules-load.d/comptroller.conf", "".join(f"{name}\n" for name in MODULES)),),
        commands=(("modprobe", "-a", *MODULES),),
    ),
)
_MACOS = Remedy(
    hint="boxes need Linux: run Comptroller in a Linux virtual machine, for example `limactl start`",
    steps=(
        "brew install lima && limactl start",
        "lima sh -c 'sudo apt-get update && sudo apt-get install -y bubblewrap python3-venv git'",
        "then install and run Comptroller in there: `lima`",
    ),
)
_WINDOWS = Remedy(
    hint="boxes need Linux: run Comptroller in WSL2, `wsl --install` in an administrator's PowerShell",
    steps=(
        "wsl --install -d Ubuntu-24.04      (PowerShell as administrator; restart when asked)",
        "wsl -d Ubuntu-24.04",
        "then, inside: sudo apt-get install -y bubblewrap, and install Comptroller in there",
    ),
)
_WSL1 = Remedy(
    hint="WSL 1 has no Linux kernel: wsl --set-version DISTRIBUTION 2",
    steps=("wsl --list --verbose", "wsl --set-version DISTRIBUTION 2      (in PowerShell, outside)"),
)
_CONTAINER = Remedy(
    hint=f"start the container with {_DOCKER_FLAGS}",
    steps=(
        f"docker run {_DOCKER_FLAGS} …",
        "compose: security_opt: [seccomp=unconfined, apparmor=unconfined, systempaths=unconfined]",
        "the box inside is narrower than what these flags give up; or run Comptroller outside of the container",
    ),
)
_DEVCONTAINER = Remedy(
    hint="give devcontainer.json the `runArgs` that `comptroller doctor` prints, and rebuild the container",
    steps=(
        "in .devcontainer/devcontainer.json, then rebuild:",
        '"runArgs": ["--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined",',
        '            "--security-opt", "systempaths=unconfined"]',
    ),
)
_GITHUB = Remedy(
    hint="add a step before: sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
    steps=(
        "- name: let bubblewrap make user namespaces",
        "  run: |",
        "    sudo apt-get update && sudo apt-get install -y bubblewrap",
        "    sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
        "(a job with `container:` needs `options:` with the flags for Docker as well)",
    ),
)
_KUBERNETES = Remedy(
    hint="the pod needs hostUsers: false, seccompProfile Unconfined and procMount: Unmasked; see comptroller doctor",
    steps=(
        "spec:",
        "  hostUsers: false",
        "  containers:",
        "  - securityContext:",
        "      procMount: Unmasked",
        "      seccompProfile: {type: Unconfined}",
        "      appArmorProfile: {type: Unconfined}",
    ),
)
_COUNT = f"user.max_user_namespaces={NAMESPACES_ENOUGH}"
_CLONE = "kernel.unprivileged_userns_clone=1"


def elsewhere(system: str) -> Remedy | None:
    """What to run instead on a system that is not Linux, by its name as `sys.platform` has it."""
    if system == "linux":
        return None
    return _WINDOWS if system.startswith(("win", "cygwin")) else _MACOS


def for_namespaces(kind: str, reason: str, *, bwrap: str = "/usr/bin/bwrap") -> Remedy:
    """User namespaces are refused at a place of this `kind` for this `reason` (both as `place.Place` has them)."""
    places = {
        "macos": _MACOS,
        "windows": _WINDOWS,
        "wsl1": _WSL1,
        "github-actions": _GITHUB,
        "kubernetes": _KUBERNETES,
        "devcontainer": _DEVCONTAINER,
    }
    if kind in ("macos", "windows", "wsl1"):
        return places[kind]
    contained = kind in ("docker", "podman", "container", "kubernetes", "devcontainer")
    if reason == "apparmor" and kind != "github-actions" and not contained:
        return apparmor(bwrap)
    if reason in ("sysctl", "count") and not contained:
        return _switch(_CLONE if reason == "sysctl" else _COUNT)
    if kind in places:
        return places[kind]
    return _CONTAINER if contained else _switch(_COUNT)


def apparmor(bwrap: str) -> Remedy:
    """A profile for bubblewrap alone: Ubuntu 23.10 and newer keep user namespaces from programs without one."""
    text = _PROFILE.format(program=bwrap)
    return Remedy(
        hint="comptroller doctor --fix as root, or sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
        steps=(
            f"as root: comptroller doctor --fix, which writes {PROFILE_FILE} and loads it, or by hand:",
            *text.splitlines(),
            f"sudo apparmor_parser -r {PROFILE_FILE}",
            "or for every program: sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
        ),
        repair=Repair(
            hint=f"apparmor_parser -r {PROFILE_FILE}",
            files=((PROFILE_FILE, text),),
            commands=(("apparmor_parser", "-r", PROFILE_FILE),),
        ),
    )


def _switch(setting: str) -> Remedy:
    return Remedy(
        hint=f"sudo sysctl -w {setting}",
        steps=(f"sudo sysctl -w {setting}", f"and to keep it: echo {setting} | sudo tee {SYSCTL_FILE}"),
        repair=Repair(
            hint=f"sysctl -w {setting}",
            files=((SYSCTL_FILE, f"{setting}\n"),),
            commands=(("sysctl", "-w", setting),),
        ),
    )
