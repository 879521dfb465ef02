"""Empty files and folders that stand on the machine while a box runs, so that what is not there yet can be covered.

They carry a mark, so that one left behind by a killed run is known and removed by the next. A stub that anyone filled
is not ours any more and stays.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from comptroller.core.errors import UsageError
from comptroller.enforce.sandbox.protect import Stub

_MARK = "user.comptroller.stub"


class Stubs:
    """The stubs of one box. Several boxes may share a workspace: the last one to end removes them."""

    def __init__(self, workspace: Path) -> None:
        self._made: list[Stub] = []
        self._folder = os.open(workspace, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(self._folder, fcntl.LOCK_SH)

    def make(self, stubs: Iterable[Stub]) -> None:
        """Create what is missing. Raises `UsageError` where the workspace cannot be written."""
        for stub in stubs:
            try:
                with _held(stub.path) as path:
                    _make(stub, path)
            except FileExistsError:
                continue
            except OSError as error:
                raise UsageError(
                    f"`{stub.path}` cannot be protected: {error.strerror}",
                    hint="the workspace must be writable for whoever runs Comptroller",
                ) from error
            self._made.append(stub)

    def left(self, stubs: Iterable[Stub]) -> None:
        """Also remove at the end those of `stubs` that an earlier run left behind."""
        for stub in stubs:
            with contextlib.suppress(OSError), _held(stub.path) as path:
                if os.getxattr(path, _MARK, follow_symlinks=False):
                    self._made.append(stub)

    def close(self) -> None:
        """Remove them, unless another box still needs them or somebody filled them."""
        try:
            fcntl.flock(self._folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._folder)
            return
        for stub in reversed(self._made):
            with contextlib.suppress(OSError), _held(stub.path) as path:
                if stub.folder:
                    path.rmdir()
                elif path.read_bytes() == stub.content:
                    path.unlink()
        os.close(self._folder)


def _make(stub: Stub, path: Path) -> None:
    if stub.folder:
        path.mkdir(mode=0o755)
    else:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        with open(descriptor, "wb") as file:
            file.write(stub.content)
    with contextlib.suppress(OSError):
        os.setxattr(path, _MARK, b"1", follow_symlinks=False)


@contextlib.contextmanager
def _held(path: Path) -> Iterator[Path]:
    """`path` by way of its opened folder, which no link leads to: another box may exchange folders as we go."""
    folder = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for name in path.parent.parts[1:]:
            above = folder
            folder = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=above)
            os.close(above)
        yield Path(f"/proc/self/fd/{folder}", path.name)
    finally:
        os.close(folder)
