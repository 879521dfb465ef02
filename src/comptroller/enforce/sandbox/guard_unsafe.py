"""Keeps protected paths covered while a box runs: an editor outside that replaces a file also takes the cover off it.

A mount covers a file, not its name. Whoever renames another file over `comptroller.yaml` outside, as `sed -i` and vim
do, leaves the new one bare inside the box. This program stands in the box's mount namespace, and in nothing else of it,
waits for such changes and covers the new file at once. Standard library only; run on a descriptor, like the init.
It says `ready`, `covered PATH` and, when it cannot keep its promise, `lost PATH: WHY` on the descriptor given to it.
"""

from __future__ import annotations

import ctypes
import marshal
import os
import select
import stat
import struct
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

CHECK_MS = 500
"""How long it waits at the most without looking; changes are told to it at once."""
EVENTS_BYTES_MAX = 65536
INFO_BYTES_MAX = 4096

_CLONE_NEWUSER, _CLONE_NEWNS = 0x10000000, 0x00020000
_PR_SET_PDEATHSIG, _SIGKILL = 1, 9
_OPEN_TREE, _MOVE_MOUNT, _MOUNT_SETATTR = 428, 429, 442
_OPEN_TREE_CLONE, _AT_EMPTY_PATH, _AT_RECURSIVE = 1, 0x1000, 0x8000
_MOVE_FROM_EMPTY, _MOVE_TO_EMPTY = 0x4, 0x40
_READ_ONLY, _NO_SUID, _NO_DEVICES = 1, 2, 4
_IN_MOVED, _IN_CREATE, _IN_DELETE = 0xC0, 0x100, 0x200
_IN_NONBLOCK, _IN_OVERFLOW, _IN_IGNORED = 0o4000, 0x4000, 0x8000

_libc = ctypes.CDLL(None, use_errno=True)


class _Lost(Exception):
    """A protected path cannot be covered."""


def main() -> NoReturn:
    """Arguments: descriptors of the user and mount namespaces, of the report pipe and the document; then the parent."""
    user, mounts, report, document, parent = (int(word) for word in sys.argv[1:6])
    with os.fdopen(document, "rb") as file:
        places, steps = marshal.loads(file.read())  # noqa: S302  written by the launcher, on the same interpreter
    _libc.prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(0)
    proc = os.open("/proc", os.O_PATH | os.O_DIRECTORY)
    outside = {place: os.open(place, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW) for place in places}
    _call(_libc.setns, user, _CLONE_NEWUSER)
    _call(_libc.setns, mounts, _CLONE_NEWNS)
    guard = _Guard(proc, places, steps, report)
    try:
        guard.stand(outside)
    except (_Lost, OSError) as error:
        _say(report, f"lost {error}")
    os._exit(1)


class _Guard:
    """Watches the folders that hold protected paths and looks at each path whenever something there changes."""

    def __init__(self, proc: int, places: list[str], steps: list[dict[str, Any]], report: int) -> None:
        self._proc = proc
        self._report = report
        self._steps = steps
        self._masked = {step["path"] for step in steps if step["masked"]}
        self._roots = {place: os.open(place, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW) for place in places}
        self._names = {os.fsencode(os.path.basename(step["path"])) for step in steps}
        self._events = _libc.inotify_init1(_IN_NONBLOCK)
        if self._events < 0:
            raise _Lost(os.strerror(ctypes.get_errno()))

    def stand(self, outside: dict[str, int]) -> None:
        self._watch()
        self._check()
        for step in self._steps:
            self._compare(step, outside[step["place"]])
        _say(self._report, "ready")
        poller = select.poll()
        poller.register(self._events, select.POLLIN)
        while True:
            if poller.poll(CHECK_MS) and not self._concerned():
                continue
            self._check()
            self._watch()

    def _concerned(self) -> bool:
        """Whether the waiting events are about a protected name, or about events that were lost."""
        data = os.read(self._events, EVENTS_BYTES_MAX)
        while data:
            _, mask, _, length = struct.unpack_from("=iIII", data)
            if data[16 : 16 + length].rstrip(b"\0") in self._names or mask & (_IN_OVERFLOW | _IN_IGNORED):
                return True
            data = data[16 + length :]
        return False

    def _watch(self) -> None:
        for folder in {os.path.dirname(step["path"]) for step in self._steps}:
            # What is watched already stays so; one that is not there is looked at every `CHECK_MS`.
            _libc.inotify_add_watch(self._events, os.fsencode(folder), _IN_MOVED | _IN_CREATE | _IN_DELETE)

    def _check(self) -> None:
        for step in self._steps:
            path = step["path"]
            try:
                if not self._covered(step):
                    _say(self._report, f"covered {path}")
            except OSError as error:
                raise _Lost(f"{path}: {os.strerror(error.errno or 0)}") from error

    def _compare(self, step: dict[str, Any], outside: int) -> None:
        """Bubblewrap mounts by name. Another box in the same workspace could have put a symbolic link there for just
        that moment, and something of the machine would be mounted: what is in the box must be what stands outside."""
        names = os.path.relpath(step["path"], step["place"]).split("/")
        inside, real = _identity(self._roots[step["place"]], names), _identity(outside, names)
        if step["masked"]:
            if inside is None or real is None or inside == real:
                raise _Lost(f"{step['path']}: it is not masked")
        elif step["path"] not in self._masked and inside is not None and inside != real:
            raise _Lost(f"{step['path']}: it was exchanged while the box was made")

    def _covered(self, step: dict[str, Any]) -> bool:
        """False where the path was bare and had to be covered; a path that is not there needs no cover."""
        opened = []
        try:
            current = self._roots[step["place"]]
            names = os.path.relpath(step["path"], step["place"]).split("/")
            for name in names:
                above = current
                try:
                    current = os.open(name, os.O_PATH | os.O_NOFOLLOW, dir_fd=above)
                except FileNotFoundError:
                    if name is not names[-1] or step["stub"] is None:
                        return True
                    try:
                        self._make(name, above, step["stub"])
                    except PermissionError:
                        return True  # what we may not make here, the agent, who may less, cannot make either
                    current = os.open(name, os.O_PATH | os.O_NOFOLLOW, dir_fd=above)
                opened.append(current)
                if stat.S_ISLNK(os.fstat(current).st_mode):
                    raise _Lost(f"{step['path']}: it is a symbolic link now")
            own_mount = self._mount_of(current) != self._mount_of(above)
            if own_mount and (step["writable"] or os.fstatvfs(current).f_flag & os.ST_RDONLY):
                return True
            if step["path"] in self._masked:
                # Bare, it can be read: no cover brings that back.
                raise _Lost(f"{step['path']}: it is masked, and was replaced outside while the agent runs")
            _cover(current, writable=step["writable"])
            return False
        finally:
            for descriptor in opened:
                os.close(descriptor)

    def _make(self, name: str, folder: int, stub: dict[str, Any]) -> None:
        """A stub anew: a person removed the one that stood there."""
        if stub["folder"]:
            os.mkdir(name, 0o755, dir_fd=folder)
            return
        descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644, dir_fd=folder)
        os.write(descriptor, stub["content"])
        os.close(descriptor)

    def _mount_of(self, descriptor: int) -> str:
        info = os.open(f"self/fdinfo/{descriptor}", os.O_RDONLY, dir_fd=self._proc)
        try:
            text = os.read(info, INFO_BYTES_MAX).decode("ascii")
        finally:
            os.close(info)
        return text.split("mnt_id:\t", 1)[1].split("\n", 1)[0]


def _identity(place: int, names: list[str]) -> tuple[int, int] | None:
    """Device and number of what `names` lead to without following any link; None where nothing is there."""
    current = os.dup(place)
    try:
        for name in names:
            above, current = current, os.open(name, os.O_PATH | os.O_NOFOLLOW, dir_fd=current)
            os.close(above)
        status = os.fstat(current)
    except (FileNotFoundError, NotADirectoryError):
        return None
    finally:
        os.close(current)
    return status.st_dev, status.st_ino


def _cover(descriptor: int, *, writable: bool) -> None:
    """Bind what is open here over itself: by descriptor, so that nobody can exchange it in between."""
    tree = _libc.syscall(_OPEN_TREE, descriptor, b"", _OPEN_TREE_CLONE | _AT_EMPTY_PATH | _AT_RECURSIVE)
    if tree < 0:
        raise OSError(ctypes.get_errno(), "open_tree")
    try:
        wanted = _NO_SUID | _NO_DEVICES | (0 if writable else _READ_ONLY)
        attributes = struct.pack("=QQQQ", wanted, 0, 0, 0)
        _call(_libc.syscall, _MOUNT_SETATTR, tree, b"", _AT_EMPTY_PATH | _AT_RECURSIVE, attributes, len(attributes))
        _call(_libc.syscall, _MOVE_MOUNT, tree, b"", descriptor, b"", _MOVE_FROM_EMPTY | _MOVE_TO_EMPTY)
    finally:
        os.close(tree)


def _call(function: Any, *arguments: Any) -> None:
    if function(*arguments) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def _say(report: int, text: str) -> None:
    """One line; whoever does not listen misses it."""
    try:
        os.write(report, text.replace("\n", " ").encode("utf-8", "surrogateescape") + b"\n")
    except BlockingIOError:
        return


if __name__ == "__main__":
    main()
