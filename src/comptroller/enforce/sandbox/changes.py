"""What a run changed in its workspace, found without git: nothing in a workspace is ever run, followed or waited for.

Two looks, before and after. A file counts as changed by its time of change, which nothing in a box can set; small files
are kept, so that a person can be shown what changed in them.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from comptroller.enforce.sandbox import later
from comptroller.enforce.sandbox.walk import Found, UnmeasurableError, Walk

ENTRIES_MAX = 200_000
KEPT_FILE_BYTES_MAX = 32 << 10
KEPT_BYTES_MAX = 24 << 20
CHANGES_MAX = 10_000
LINK_CHARACTERS_MAX = 4096
_GIT_KEPT = frozenset({"rebase-merge", "rebase-apply", "sequencer", "BISECT_START"})
_DISPOSABLE = frozenset({"node_modules", "__pycache__", ".venv", "venv", "site-packages", ".tox", ".mypy_cache"})

ChangeKind = Literal["added", "changed", "removed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One file, link or other thing at one moment; `content` where it is small."""

    mode: int
    size: int
    identity: tuple[int, int]
    target: str = ""
    content: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One path, relative to the workspace. `later` says why a person's tools would run it, or is empty. `before` and
    `after` are contents of small files, None where they are not known."""

    path: str
    kind: ChangeKind
    size: int
    later: str
    before: bytes | None = None
    after: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """All changes of a run, what runs later first. `whole` is False where not everything was seen, `more` counts what
    is left out."""

    changes: tuple[Change, ...]
    whole: bool
    more: int = 0


@dataclass(slots=True, kw_only=True)
class Snapshot:
    """A workspace at one moment."""

    workspace: Path
    seen: dict[str, Seen] = field(default_factory=dict)
    whole: bool = True


def look(workspace: Path) -> Snapshot:
    """The workspace as it is, with the contents of small files. Reads regular files alone; a FIFO or device is only
    named. Never raises for what it finds."""
    found = Snapshot(workspace=workspace)
    kept = 0
    for each in _walked(workspace, found):
        content = None
        disposable = _DISPOSABLE.intersection(each.path.split("/"))
        if stat.S_ISREG(each.status.st_mode) and kept < KEPT_BYTES_MAX and not disposable:
            content = _content(each)
            kept += len(content or b"")
        _keep(found, each, content)
    return found


def since(before: Snapshot) -> Changes:
    """What is different now."""
    after = Snapshot(workspace=before.workspace)
    changes: list[Change] = []
    for each in _walked(before.workspace, after):
        then = before.seen.get(each.path)
        if then is not None and then.identity == _identity(each.status):
            _keep(after, each, None)
            continue
        content = _content(each) if stat.S_ISREG(each.status.st_mode) else None
        _keep(after, each, content)
        now = after.seen.get(each.path)
        if now is None or (then is not None and _same(then, now)):
            continue
        changes.append(_change(each.path, then, now, str(before.workspace)))
    changes += (
        Change(path=path, kind="removed", size=then.size, later="", before=then.content, after=b"")
        for path, then in before.seen.items()
        if path not in after.seen and after.whole
    )
    changes.sort(key=lambda each: (not each.later, each.path))
    return Changes(
        changes=tuple(changes[:CHANGES_MAX]),
        whole=before.whole and after.whole,
        more=max(0, len(changes) - CHANGES_MAX),
    )


def _change(path: str, then: Seen | None, now: Seen, workspace: str) -> Change:
    return Change(
        path=path,
        kind="added" if then is None else "changed",
        size=now.size,
        later=later.reason(
            path, now.mode, mode_before=None if then is None else then.mode, target=now.target, workspace=workspace
        ),
        before=b"" if then is None else then.content,
        after=now.content,
    )


def _same(then: Seen, now: Seen) -> bool:
    """Touched, and yet the same: equal content and mode, or a git folder that was there before."""
    if then.mode != now.mode or then.target != now.target:
        return False
    return not stat.S_ISREG(now.mode) or (then.content is not None and then.content == now.content)


def _walked(workspace: Path, snapshot: Snapshot) -> Iterator[Found]:
    """What counts of the workspace: no folders but git's, and of git's own files only those it goes on with."""
    walk = Walk(entries_max=ENTRIES_MAX, enter=_outside_git)
    try:
        for found in walk.through(workspace):
            parts = found.path.split("/")
            of_git = len(parts) > 1 and parts[-2] == ".git"
            if found.name in _GIT_KEPT if of_git else found.name == ".git" or not stat.S_ISDIR(found.status.st_mode):
                yield found
    except (UnmeasurableError, OSError):
        snapshot.whole = False
    snapshot.whole = snapshot.whole and not walk.closed


def _outside_git(path: str) -> bool:
    """Into `.git`, and not below: a commit is no change that anyone reads here."""
    return ".git" not in path.split("/")[:-1]


def _content(found: Found) -> bytes | None:
    """A small regular file's bytes; None for all else. Never waits: what is a FIFO by now is opened without."""
    if found.status.st_size > KEPT_FILE_BYTES_MAX:
        return None
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    try:
        descriptor = os.open(found.name, flags, dir_fd=found.folder)
    except OSError:
        return None
    with contextlib.suppress(OSError), open(descriptor, "rb", buffering=0) as file:
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            data = file.read(KEPT_FILE_BYTES_MAX + 1)
            return data if data is not None and len(data) <= KEPT_FILE_BYTES_MAX else None
    return None


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_ino, status.st_ctime_ns


def _keep(snapshot: Snapshot, found: Found, content: bytes | None) -> None:
    """Remember one name; of folders only git's are of interest."""
    mode = found.status.st_mode
    target = ""
    if stat.S_ISLNK(mode):
        with contextlib.suppress(OSError):
            target = os.readlink(found.name, dir_fd=found.folder)[:LINK_CHARACTERS_MAX]
    snapshot.seen[found.path] = Seen(
        mode=mode, size=found.status.st_size, identity=_identity(found.status), target=target, content=content
    )
