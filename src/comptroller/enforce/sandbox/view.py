"""What a box sees: the system and its interpreters read-only, the workspace at its own path, everything else its own.

The workspace keeps the path it has outside, so that virtual environments, tracebacks and editors agree with the person.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from comptroller.core.errors import UsageError
from comptroller.enforce.sandbox import environment, netlink, protect, toolchain, trust
from comptroller.enforce.sandbox.bwrap import HOSTNAME, Bind, Content, Device, Empty, Link, Private, Special, Step
from comptroller.enforce.sandbox.limits import checked, rlimits

ARGUMENTS_MAX = 4096
_ETC = (
    *("alternatives", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "timezone", "mime.types"),
    *("protocols", "services", "terminfo", "inputrc", "bash.bashrc", "profile", "os-release", "debian_version"),
    *("ssl/certs", "ssl/openssl.cnf", "pki/tls/certs", "pki/tls/openssl.cnf", "pki/ca-trust/extracted"),
    *("ca-certificates", "crypto-policies", "fonts", "magic", "locale.conf", "java-17-openjdk", "java-21-openjdk"),
    "chromium.d",
)
_PROC_SHOWN = frozenset({"sys", "sysvipc", "tty", "self", "thread-self", "net", "mounts"})
"""Of what is not a process, the folders and links of `/proc` that stay."""
_PROC_MASKED = frozenset({"kcore", "keys", "key-users", "kmsg", "timer_list", "sched_debug", "config.gz", "kallsyms"})
_PROC_MASKED |= {"sysrq-trigger", "modules", "iomem", "ioports", "vmallocinfo", "slabinfo", "pagetypeinfo", "cmdline"}
_NEVER = ("/", "/boot", "/dev", "/etc", "/home", "/proc", "/root", "/run", "/sys", "/tmp", "/usr", "/var")  # noqa: S108


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxSpec:
    """One command to be boxed.

    `workspace` is writable; `directory`, inside it, is where the command starts. `environment` is given to the command
    (placeholders, never real secrets); of `inherited` (the person's own) only what an allow-list names is taken over.
    `authority_pem` is the installation's certificate. `config` is the `comptroller.yaml` in force. `private` (state,
    keys, sockets) must not be seen. `read_only` is shown besides. `limits` are for the box as a whole. `fixed` are
    paths in the workspace that it must not change, `masked` those it sees as placeholders; `inherit` names further
    variables of `inherited`; `devices` are the ones granted.
    """

    argv: tuple[str, ...]
    workspace: Path
    authority_pem: str
    directory: Path | None = None
    config: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    inherited: Mapping[str, str] = field(default_factory=dict)
    private: tuple[Path, ...] = ()
    read_only: tuple[Path, ...] = ()
    limits: Mapping[str, int] = field(default_factory=dict)
    fixed: tuple[Path, ...] = ()
    masked: tuple[Path, ...] = ()
    inherit: tuple[str, ...] = ()
    devices: tuple[Device, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A box, planned: its mounts in order, the stubs they need, and how the command starts."""

    steps: tuple[Step, ...]
    stubs: tuple[protect.Stub, ...]
    leftovers: tuple[protect.Stub, ...]
    environment: Mapping[str, str]
    directory: str
    argv: tuple[str, ...]
    limits: Mapping[str, int]
    rlimits: Mapping[str, int]
    tmpfs: tuple[str, ...]
    places: tuple[Path, ...]
    workspace: Path
    guarded: tuple[list[str], list[dict[str, object]]]
    repositories: frozenset[Path]


def plan(spec: BoxSpec) -> View:
    """Decide everything about the box of `spec`. Reads the file system, changes nothing. Raises `UsageError`."""
    if not spec.argv or not spec.argv[0] or len(spec.argv) > ARGUMENTS_MAX:
        raise UsageError("there is no command to run", hint="comptroller run -- COMMAND [ARGUMENT…]")
    workspace = check_workspace(spec.workspace, private=spec.private)
    directory = Path(os.path.realpath(spec.directory or workspace))
    if not directory.is_relative_to(workspace):
        directory = workspace
    limits = checked(spec.limits)
    config = Path(os.path.realpath(spec.config)) if spec.config is not None else None
    hidden = (*spec.private, Path.home())
    program = toolchain.find(spec.argv[0], directory=directory, path=spec.inherited.get("PATH", ""))
    wanted = [*toolchain.own(), toolchain.interpreter(), *toolchain.needed_by(toolchain.interpreter())]
    if program is not None:
        wanted += [path for path in toolchain.needed_by(program) if not path.is_relative_to(workspace)]
    tools = toolchain.narrow(wanted, private=hidden)
    fixed, shown = _fixed(workspace, spec.fixed)
    masked = _masked(workspace, spec.masked)
    extra = tuple(path for path in (*spec.read_only, *shown) if path.exists())
    _refuse_private(extra, spec.private)
    outside = [path for path in (*tools, *extra) if not path.is_relative_to(workspace) and not _shown(path)]
    protection = protect.plan(workspace, config=config, environments=toolchain.own(), fixed=fixed, masked=masked)
    bundles = [path for path in (*wanted, *extra) if path.is_dir()]
    prefixes = [Path("/usr"), Path("/usr/local"), *bundles, workspace / ".venv", workspace / "venv"]
    variables = environment.build(
        spec.inherited,
        spec.environment,
        path=toolchain.reachable_path(spec.inherited, (*outside, workspace)),
        named=spec.inherit,
    )
    steps = (
        *_system(),
        *_own_files(variables),
        *_binds(outside),
        *(Bind(source=str(root), target=str(root), writable=True) for root in protection.roots),
        Bind(source=str(workspace), target=str(workspace), writable=True),
        *protection.steps,
        *protection.masks,
        *spec.devices,
        *trust.steps(spec.authority_pem, prefixes),
    )
    return View(
        steps=steps,
        stubs=protection.stubs,
        leftovers=protection.leftovers,
        environment=variables,
        directory=str(directory),
        argv=spec.argv,
        limits=limits,
        rlimits=rlimits(limits),
        tmpfs=(*(step.target for step in steps if isinstance(step, Empty) and step.writable), "/dev/shm"),  # noqa: S108
        places=(workspace, *protection.roots),
        workspace=workspace,
        guarded=protection.guarded(workspace),
        repositories=protection.repositories,
    )


def check_workspace(workspace: Path, *, private: tuple[Path, ...]) -> Path:
    """The workspace, resolved. Raises `UsageError` where an agent must not be given that folder to write in."""
    real = Path(os.path.realpath(workspace))
    hint = "give it a folder of its own with `workspace:` in comptroller.yaml or `--workspace DIR`"
    if not real.is_dir():
        raise UsageError(f"the workspace `{workspace}` is not a folder", hint=f"mkdir -p {workspace}")
    home = Path(os.path.realpath(Path.home()))
    if str(real) in _NEVER or home.is_relative_to(real):
        raise UsageError(f"`{real}` is too wide for a workspace: an agent would write to all of it", hint=hint)
    for path in private:
        place = Path(os.path.realpath(path))
        if place.is_relative_to(real) or real.is_relative_to(place):
            raise UsageError(f"the workspace `{real}` and `{place}`, which no agent may see, overlap", hint=hint)
    return real


def _refuse_private(extra: tuple[Path, ...], private: tuple[Path, ...]) -> None:
    for path in extra:
        real = Path(os.path.realpath(path))
        for item in private:
            place = Path(os.path.realpath(item))
            if place.is_relative_to(real) or real.is_relative_to(place):
                raise UsageError(f"`{path}` would show `{place}`, which no agent may see, to the box")


def _inside(workspace: Path, path: Path) -> Path | None:
    """`path`, relative to the workspace or absolute, as a path in the workspace; None where it lies elsewhere. Links in
    the workspace itself are left alone: a protected path must have none."""
    place = Path(os.path.normpath(workspace / path))
    if place == workspace:
        raise UsageError(f"`{path}` is the workspace itself", hint="name files or folders in it under `files`")
    if place.is_relative_to(workspace):
        return place
    real = Path(os.path.realpath(place.parent), place.name)
    return real if real != workspace and real.is_relative_to(workspace) else None


def _fixed(workspace: Path, paths: tuple[Path, ...]) -> tuple[list[Path], list[Path]]:
    """Paths of the workspace that stay as they are, and paths elsewhere that are shown besides."""
    inside: list[Path] = []
    outside: list[Path] = []
    for path in paths:
        place = _inside(workspace, path)
        if place is not None:
            inside.append(place)
        elif not os.path.lexists(workspace / path):
            raise UsageError(f"`{path}`, which `files.read_only` names, is not there")
        else:
            outside.append(Path(os.path.realpath(workspace / path)))
    return inside, outside


def _masked(workspace: Path, paths: tuple[Path, ...]) -> list[Path]:
    """Paths of the workspace that are seen as placeholders."""
    found: list[Path] = []
    for path in paths:
        place = _inside(workspace, path)
        if place is None:
            raise UsageError(
                f"`{path}`, which `files.masked` names, is not in the workspace",
                hint="a box sees nothing of your files outside its workspace: take it out",
            )
        found.append(place)
    return found


def _shown(path: Path) -> bool:
    """Whether `/etc` shows it already: `vim` is a link in `/etc/alternatives`."""
    return any(path.is_relative_to(Path("/etc", name)) for name in _ETC)


def _system() -> list[Step]:
    steps: list[Step] = []
    for name in toolchain.SYSTEM_FOLDERS:
        place = Path(name)
        if place.is_symlink():
            steps.append(Link(target=name, to=str(place.readlink())))
        elif place.is_dir():
            steps.append(Bind(source=name, target=name))
    for name in _ETC:
        place = Path("/etc", name)
        if place.exists():
            steps.append(Bind(source=os.path.realpath(place), target=str(place)))
    steps += [Special(kind="proc", target="/proc"), Special(kind="dev", target="/dev")]
    steps += _proc_masks(Path("/proc"))
    steps += [
        Empty(target="/tmp", mode=0o1777),  # noqa: S108  the box's own
        Empty(target="/run"),
        Empty(target="/var/tmp", mode=0o1777),  # noqa: S108  the box's own
        Empty(target=environment.HOME, mode=0o700),
        Link(target="/var/run", to="/run"),
    ]
    return steps


def _proc_masks(proc: Path) -> list[Step]:
    """Root's own files in /proc can be written without any capability by whoever is root outside: cover them all."""
    steps: list[Step] = [Bind(source="/proc/sys", target="/proc/sys")]
    with os.scandir(proc) as entries:
        for entry in sorted(entries, key=lambda each: each.name):
            target = f"/proc/{entry.name}"
            if entry.name.isdigit() or entry.name in _PROC_SHOWN or entry.is_symlink():
                continue
            if entry.is_dir():
                steps.append(Empty(target=target, mode=0o555, writable=False))
            elif entry.name in _PROC_MASKED or entry.stat().st_mode & 0o222:
                steps.append(Content(target=target, content=b""))
    return steps


def _own_files(variables: Mapping[str, str]) -> list[Step]:
    """Neutral answers to who and where one is, and the AWS placeholders as a file."""
    uid, gid = os.getuid(), os.getgid()
    people = f"agent:x:{uid}:{gid}:agent:{environment.HOME}:/bin/sh\n"
    groups = f"agent:x:{gid}:\n"
    if uid:
        people = f"root:x:0:0:root:/root:/usr/sbin/nologin\n{people}"
        groups = f"root:x:0:\n{groups}"
    texts = {
        "/etc/passwd": f"{people}nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
        "/etc/group": f"{groups}nogroup:x:65534:\n",
        "/etc/nsswitch.conf": "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nservices: files\n",
        "/etc/resolv.conf": f"nameserver {netlink.OUR_V4}\noptions timeout:3 attempts:2\n",
        "/etc/hosts": f"127.0.0.1 localhost {HOSTNAME}\n::1 localhost ip6-localhost ip6-loopback\n",
        "/etc/hostname": f"{HOSTNAME}\n",
        "/etc/machine-id": "0" * 32 + "\n",
    }
    steps: list[Step] = [Content(target=target, content=text.encode()) for target, text in texts.items()]
    for name, text in environment.aws_files(variables).items():
        steps.append(Private(target=f"{environment.HOME}/{name}", content=text.encode()))
    return steps


def _binds(places: list[Path]) -> list[Step]:
    """Read-only, outermost first; links stay links."""
    steps: list[Step] = []
    for place in sorted(dict.fromkeys(places), key=lambda path: (len(path.parts), str(path))):
        if any(place != other and other.is_dir() and place.is_relative_to(other) for other in places):
            continue
        if place.is_symlink() and place.is_file():
            steps.append(Link(target=str(place), to=str(place.readlink())))
        else:
            steps.append(Bind(source=str(place), target=str(place)))
    return steps
