"""What is in the box's file system, as values, and the bubblewrap options they become. Touches no file."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

HOSTNAME = "box"
FILE_BYTES_MAX = 16 << 20
"""The largest file whose content we hand in ourselves."""
INIT_CAPABILITIES = ("CAP_NET_ADMIN", "CAP_NET_BIND_SERVICE", "CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETFCAP")
"""What the init holds, over the box's namespaces alone, until it becomes the command."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bind:
    """A file or folder of the machine, shown at `target`."""

    source: str
    target: str
    writable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """A read-only file with this content; shown over whatever lies at `target`."""

    target: str
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Private:
    """An ordinary file of the box's own, on a file system of its own; the agent may change it."""

    target: str
    content: bytes
    mode: int = 0o600


@dataclass(frozen=True, slots=True, kw_only=True)
class Empty:
    """An empty folder in memory that ends with the box."""

    target: str
    mode: int = 0o755
    writable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A symbolic link."""

    target: str
    to: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A device of the machine that the agent was granted."""

    source: str
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Special:
    """A new `/proc`, or a minimal `/dev` with a shared memory of its own."""

    kind: str
    target: str


Step = Bind | Content | Private | Empty | Link | Device | Special


def options(steps: Iterable[Step], *, directory: str, descriptor: Callable[[bytes], int]) -> list[str]:
    """bubblewrap's options for `steps`, applied in order. `descriptor` gives a new descriptor for a content."""
    words = [
        *("--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-net"),
        *("--unshare-cgroup-try", "--die-with-parent", "--hostname", HOSTNAME),
        *("--uid", "0", "--gid", "0", "--cap-drop", "ALL"),
        *(word for name in INIT_CAPABILITIES for word in ("--cap-add", name)),
    ]
    sealed: list[str] = []
    for step in steps:
        words += _words(step, descriptor, sealed)
    for target in sealed:
        words += ["--remount-ro", target]
    return [*words, "--remount-ro", "/", "--chdir", directory]


def _words(step: Step, descriptor: Callable[[bytes], int], sealed: list[str]) -> list[str]:
    match step:
        case Bind():
            return ["--bind" if step.writable else "--ro-bind", step.source, step.target]
        case Content():
            return ["--perms", "0444", "--ro-bind-data", str(descriptor(step.content)), step.target]
        case Private():
            return ["--perms", f"{step.mode:04o}", "--file", str(descriptor(step.content)), step.target]
        case Empty():
            if not step.writable:
                sealed.append(step.target)
            return ["--perms", f"{step.mode:04o}", "--tmpfs", step.target]
        case Link():
            return ["--symlink", step.to, step.target]
        case Device():
            return ["--dev-bind", step.source, step.target]
        case Special(kind="proc"):
            return ["--proc", step.target]
        case Special():
            sealed.append(step.target)
            shared = str(PurePosixPath(step.target) / "shm")
            return ["--dev", step.target, "--perms", "1777", "--tmpfs", shared]


def encode(words: Iterable[str]) -> bytes:
    """The form `--args FD` reads: each word ended by a zero byte."""
    return b"".join(word.encode("utf-8", "surrogateescape") + b"\0" for word in words)
