"""Git repositories that were made or changed in a workspace while a box ran: git outside would follow them.

A repository brings its own configuration, and with it programs that `git status` runs, also from the repository above
it. Nobody can keep an agent from making one; a person has to be told before using git there.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

FOLDERS_MAX = 200_000
"""How many folders are looked into."""
_RUN_BY_GIT = ("config", "config.worktree", "hooks", "commondir", "gitdir")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The folders that git would take for a repository; `whole` is False where not all of the workspace was seen."""

    folders: tuple[Path, ...]
    whole: bool


def changed_since(workspace: Path, moment_ns: int, *, known: Collection[Path] = ()) -> Found:
    """Repositories below `workspace` changed at or after `moment_ns`, by the clock that nothing in a box can set.
    `known` are `.git` entries that were protected all the while."""
    found: list[Path] = []
    waiting = [workspace]
    seen = 0
    while waiting and seen < FOLDERS_MAX:
        place = waiting.pop()
        seen += 1
        names, folders = _inside(place)
        bare = {"HEAD", "objects", "refs"} <= names
        entries = [place / ".git"] * (".git" in names) + [place] * bare
        if any(entry not in known and _changed(entry, moment_ns) for entry in entries):
            found.append(place)
        waiting += (place / name for name in folders if name != ".git")
    return Found(folders=tuple(sorted(found)), whole=not waiting)


def _inside(place: Path) -> tuple[set[str], list[str]]:
    """All names in a folder, and those that are folders themselves."""
    try:
        with os.scandir(place) as entries:
            kinds = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    except OSError:
        return set(), []
    return {name for name, _ in kinds}, [name for name, is_folder in kinds if is_folder]


def _changed(git: Path, moment_ns: int) -> bool:
    return any(_changed_at(path) >= moment_ns for path in _followed(git))


def _followed(git: Path) -> Iterator[Path]:
    yield git
    yield from (git / name for name in _RUN_BY_GIT)
    yield from (git / "hooks" / name for name in _inside(git / "hooks")[0])


def _changed_at(path: Path) -> int:
    try:
        return path.lstat().st_ctime_ns
    except OSError:
        return 0
