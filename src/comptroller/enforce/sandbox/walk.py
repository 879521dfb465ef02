"""Goes through a folder by descriptors, so that no link, exchanged name or depth leads out of it or hides from it."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

DEPTH_MAX = 200
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_QUIETLY = _FOLDER | os.O_NOATIME


class UnmeasurableError(Exception):
    """A folder holds more than can be looked through."""


@dataclass(frozen=True, slots=True)
class Found:
    """One name: its path below the top, and what it is. `folder` is open only until the next one is asked for."""

    path: str
    name: str
    folder: int
    status: os.stat_result


def _everything(_: str) -> bool:
    return True


@dataclass(slots=True, kw_only=True)
class Walk:
    """A way through folders. `closed` tells whether something could not be looked into. `entries_max` is for all
    folders gone through with the same walk; `enter` says of a path below the top whether to go into it."""

    entries_max: int
    enter: Callable[[str], bool] = _everything
    closed: bool = False
    entries: int = field(default=0, init=False)

    def through(self, top: Path) -> Iterator[Found]:
        """Everything below `top` on its own file system, folders before what they hold; follows no link.

        Raises `UnmeasurableError` beyond `entries_max` names or `DEPTH_MAX` folders deep, `OSError` without `top`.
        """
        chain: list[tuple[int, str, list[str]]] = []
        descriptor = os.open(top, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        device = os.fstat(descriptor).st_dev
        chain.append((descriptor, "", []))
        try:
            yield from self._inside(chain[-1], device)
            while chain:
                folder, path, waiting = chain[-1]
                if not waiting:
                    os.close(folder)
                    chain.pop()
                    continue
                name = waiting.pop()
                opened = self._open(name, folder)
                if opened is None:
                    continue
                chain.append((opened, f"{path}{name}/", []))
                if len(chain) > DEPTH_MAX:
                    raise UnmeasurableError(f"folders lie more than {DEPTH_MAX} deep")
                yield from self._inside(chain[-1], device)
        finally:
            for folder, _, _ in chain:
                os.close(folder)

    def _inside(self, place: tuple[int, str, list[str]], device: int) -> Iterator[Found]:
        folder, path, waiting = place
        try:
            with os.scandir(folder) as listed:
                for entry in listed:
                    self.entries += 1
                    if self.entries > self.entries_max:
                        raise UnmeasurableError(f"there are more than {self.entries_max:,} files and folders")
                    try:
                        status = os.stat(entry.name, dir_fd=folder, follow_symlinks=False)
                    except PermissionError:
                        self.closed = True
                        continue
                    except OSError:
                        continue  # gone meanwhile
                    if status.st_dev != device:
                        continue
                    if stat.S_ISDIR(status.st_mode) and self.enter(path + entry.name):
                        waiting.append(entry.name)
                    yield Found(path + entry.name, entry.name, folder, status)
        except PermissionError:
            self.closed = True

    def _open(self, name: str, folder: int) -> int | None:
        for flags in (_QUIETLY, _FOLDER):
            try:
                return os.open(name, flags, dir_fd=folder)
            except PermissionError:
                continue
            except OSError:
                return None  # gone, or no folder any more
        self.closed = True
        return None
