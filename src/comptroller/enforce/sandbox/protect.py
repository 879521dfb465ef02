"""Which paths of a workspace an agent must not change because something outside the box later trusts or runs them.

A protected path is bound over itself read-only, and so is a stub where it does not exist yet; every folder above it is
bound over itself, because a mount point can be neither moved nor replaced (`mv .git x; cp -r x .git`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from comptroller.core.errors import UsageError
from comptroller.enforce.sandbox.bwrap import Bind, Content, Empty
from comptroller.enforce.sandbox.masks import placeholder

EDITOR_FOLDERS = (".vscode", ".idea", ".zed", ".helix", ".devcontainer", ".devcontainer.json")
"""Editors run tasks, settings and containers found in these; the last one is a file where it is there."""
REPOSITORY_DEPTH_MAX = 4
REPOSITORY_FOLDERS_MAX = 5000
"""How far below the workspace repositories are looked for; deeper ones are not protected."""
GIT_FILE_BYTES_MAX = 64 << 10
_NOT_ENTERED = frozenset({"node_modules", "__pycache__", "site-packages", ".venv", ".tox", ".mypy_cache"})
INCLUDED_FILES_MAX = 100
"""Files of git configuration that others take in; further ones are not protected."""
_SECTION = re.compile(r'\[\s*([\w.-]+)(?:\s+"(?:[^"\\]|\\.)*")?\s*\]')
_COMMENT = re.compile(r"(?:^|\s)[#;].*")
_FALSE = frozenset({"false", "no", "off", "0", ""})


@dataclass(frozen=True, slots=True, kw_only=True)
class Stub:
    """Something that has to exist while the box runs, so that it can be covered; removed afterwards if untouched."""

    path: Path
    folder: bool
    content: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One path to protect. `stub` says what to make where nothing is there; None: only what exists is protected."""

    path: Path
    stub: Stub | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Protection:
    """The mounts in order, the stubs they need first, what may be a stub left by an earlier run, and git folders
    outside the workspace that belong to it."""

    steps: tuple[Bind, ...]
    stubs: tuple[Stub, ...]
    leftovers: tuple[Stub, ...] = ()
    roots: tuple[Path, ...] = ()
    masks: tuple[Content | Empty, ...] = ()

    @property
    def repositories(self) -> frozenset[Path]:
        """The `.git` entries whose hooks and configuration are protected."""
        return frozenset(Path(step.target) for step in self.steps if Path(step.target).name == ".git")

    def guarded(self, workspace: Path) -> tuple[list[str], list[dict[str, object]]]:
        """The document of the guard: the places that are writable, and every mount in them with its stub, if it is
        one now or was left by an earlier run."""
        places = (workspace, *self.roots)
        stubs = {stub.path: stub for stub in self.stubs}
        steps: list[dict[str, object]] = [
            {
                "path": step.target,
                "place": next(str(place) for place in places if Path(step.target).is_relative_to(place)),
                "writable": step.writable,
                "stub": {"folder": stub.folder, "content": stub.content} if stub is not None else None,
                "masked": False,
            }
            for step in self.steps
            for stub in (stubs.get(Path(step.target)),)
        ]
        steps += (
            {"path": mask.target, "place": str(workspace), "writable": False, "stub": None, "masked": True}
            for mask in self.masks
        )
        return [str(place) for place in places], steps


def file(path: Path, *, stub: bool = False, content: bytes = b"") -> Wanted:
    """A protected file."""
    return Wanted(path=path, stub=Stub(path=path, folder=False, content=content) if stub else None)


def folder(path: Path, *, stub: bool = False) -> Wanted:
    """A protected folder with all it holds."""
    return Wanted(path=path, stub=Stub(path=path, folder=True) if stub else None)


def plan(
    workspace: Path,
    *,
    config: Path | None,
    environments: Iterable[Path],
    fixed: Iterable[Path] = (),
    masked: Iterable[Path] = (),
) -> Protection:
    """Protect `workspace` (resolved). `config` is the `comptroller.yaml` in force, `environments` are the folders that
    the programs outside the box run from; `fixed` and `masked` are chosen by a person, and lie in the workspace. Raises
    `UsageError` where a protected path is a symbolic link or has a second name."""
    hidden = [path for path in dict.fromkeys(masked) if os.path.lexists(path)]
    # These stubs are folders even where a file is meant: nobody takes one for a configuration, nor git for content.
    wanted = [folder(workspace / name, stub=True) for name in ("comptroller.yaml", ".envrc", *EDITOR_FOLDERS)]
    if config is not None:
        wanted.append(file(config))
        wanted += [folder(config.parent / name, stub=True) for name in ("policies", "services")]
    wanted += [folder(path) for path in environments]
    roots: list[Path] = []
    for entry in _repositories(workspace):
        wanted += _repository(entry, workspace, roots)
    wanted += [folder(path, stub=True) for path in fixed]
    wanted += [file(path) for path in hidden]
    arranged = _arrange((workspace, *roots), wanted, roots)
    return replace(arranged, masks=tuple(_mask(workspace, path) for path in hidden))


def _mask(workspace: Path, path: Path) -> Content | Empty:
    """What lies over a masked path: a placeholder, or an empty folder."""
    _refuse_links(workspace, path)
    if path.is_dir():
        return Empty(target=str(path), mode=0o555, writable=False)
    _refuse_second_name(path)
    return Content(target=str(path), content=placeholder(path))


def _arrange(places: tuple[Path, ...], wanted: list[Wanted], roots: list[Path]) -> Protection:
    """Mounts from the outside in: `places` are writable, folders above a protected path stay writable mount points."""
    covered: dict[Path, bool] = {}
    stubs: dict[Path, Stub] = {}
    leftovers: list[Stub] = []
    for item in sorted(wanted, key=lambda each: len(each.path.parts)):
        place = next((place for place in places if item.path != place and item.path.is_relative_to(place)), None)
        if place is None or any(covered.get(parent) is False for parent in (item.path, *item.path.parents)):
            continue
        _refuse_links(place, item.path)
        above = [parent for parent in reversed(item.path.parents) if parent.is_relative_to(place) and parent != place]
        if not os.path.lexists(item.path):
            if item.stub is None:
                continue
            for parent in above:
                if not parent.exists():
                    stubs.setdefault(parent, Stub(path=parent, folder=True))
            stubs[item.path] = item.stub
        elif item.stub is not None:
            leftovers.append(item.stub)
        _refuse_second_name(item.path)
        for parent in above:
            covered.setdefault(parent, True)
        covered[item.path] = False
    ordered = sorted(covered.items(), key=lambda pair: (len(pair[0].parts), str(pair[0])))
    steps = tuple(Bind(source=str(path), target=str(path), writable=writable) for path, writable in ordered)
    return Protection(steps=steps, stubs=tuple(stubs.values()), leftovers=tuple(leftovers), roots=tuple(roots))


def _refuse_second_name(path: Path) -> None:
    if path.is_file() and path.stat().st_nlink > 1:
        raise UsageError(
            f"`{path}` has a second name (a hard link) under which it could be changed or read",
            hint=f"make it a file of its own: cp {path} x && mv x {path}",
        )


def _refuse_links(place: Path, path: Path) -> None:
    current = place
    for part in path.relative_to(place).parts:
        current = current / part
        if current.is_symlink():
            raise UsageError(
                f"`{current}` is a symbolic link, and what it points to could be exchanged from inside the box",
                hint="put the file or folder itself there, or choose another workspace",
            )


def _repositories(workspace: Path) -> Iterator[Path]:
    """Every `.git` entry within reach, the workspace's own first."""
    seen = 0
    level = [workspace]
    for _ in range(REPOSITORY_DEPTH_MAX):
        below: list[Path] = []
        for place in level:
            seen += 1
            if seen > REPOSITORY_FOLDERS_MAX:
                return
            try:
                with os.scandir(place) as entries:
                    for entry in entries:
                        if entry.name == ".git":
                            yield place / ".git"
                        elif entry.name not in _NOT_ENTERED and entry.is_dir(follow_symlinks=False):
                            below.append(place / entry.name)
            except OSError:
                continue
        level = below


def _repository(entry: Path, workspace: Path, roots: list[Path]) -> Iterator[Wanted]:
    """What to protect of one `.git`, a folder or (worktree, submodule) a file that points to one."""
    top = entry.parent
    if entry.is_symlink() or entry.is_dir():
        yield from _git_folder(entry, top)
        return
    yield file(entry)
    text = _read(entry)
    if not text.startswith("gitdir:"):
        return
    git = Path(os.path.realpath(top / text.removeprefix("gitdir:").strip()))
    if git.is_relative_to(workspace):
        yield from _git_folder(git, top)
    elif _belongs(git, entry):
        # INVARIANT: a folder outside the workspace is shown only where it points back to this very `.git` file.
        common = Path(os.path.realpath(git / (_read(git / "commondir").strip() or ".")))
        for place in dict.fromkeys((common, git)):
            if not any(place.is_relative_to(root) for root in roots):
                roots.append(place)
        yield from _git_folder(common, top)
        yield from _git_folder(git, top, common=common)


def _belongs(git: Path, entry: Path) -> bool:
    if not (git / "HEAD").is_file():
        return False
    back = _read(git / "gitdir").strip()
    if back:
        return os.path.realpath(git / back) == str(entry)
    tops = [value for name, value in _settings(git / "config") if name == "core.worktree"]
    return bool(tops) and os.path.realpath(git / tops[-1]) == str(entry.parent)


def _git_folder(git: Path, top: Path, *, common: Path | None = None) -> Iterator[Wanted]:
    """Hooks, configuration, and the files that could point git to another configuration. Submodules included. `top` is
    the folder whose files it keeps, `common` where a linked worktree has its configuration."""
    linked = (git / "gitdir").exists()
    config = (common or git) / "config"
    settings = tuple(_settings(config))
    yield folder(git / "hooks", stub=not linked)
    yield file(git / "config", stub=not linked)
    # An own `commondir` would make git read hooks and configuration elsewhere; `.` says: here.
    yield file(git / "commondir", stub=True, content=b".\n")
    yield file(git / "gitdir")
    # Only where this is switched on does git read it; else a stub would be litter that a killed run leaves behind.
    own = any(name == "extensions.worktreeconfig" and value.lower() not in _FALSE for name, value in settings)
    yield file(git / "config.worktree", stub=own)
    for name, value in settings:
        if name == "core.hookspath" and value:
            yield folder(Path(os.path.normpath(top / value)), stub=True)
    yield from _included(config)
    for head in _heads(git / "modules", "*/HEAD", "*/*/HEAD", "*/*/*/HEAD"):
        tops = [value for name, value in _settings(head.parent / "config") if name == "core.worktree"]
        yield from _git_folder(head.parent, Path(os.path.normpath(head.parent / tops[-1])) if tops else top)
    for head in _heads(git / "worktrees", "*/HEAD"):
        yield from (file(head.parent / name) for name in ("commondir", "gitdir"))
        yield file(head.parent / "config.worktree", stub=own)


def _heads(place: Path, *patterns: str) -> list[Path]:
    """The `HEAD`s of git folders below `place`; the name of a submodule may have slashes in it."""
    found = sorted(head for pattern in patterns for head in place.glob(pattern))
    return [head for head in found if head.parent.name != "logs" and head.parent.parent.name != "refs"][
        :REPOSITORY_FOLDERS_MAX
    ]


def _included(config: Path) -> Iterator[Wanted]:
    """The files that a configuration of git takes in, whatever the condition; such a file may take in others."""
    seen = {config}
    waiting = [config]
    while waiting and len(seen) <= INCLUDED_FILES_MAX:
        current = waiting.pop()
        for name, value in _settings(current):
            path = Path(os.path.normpath(current.parent / os.path.expanduser(value)))
            if name in ("include.path", "includeif.path") and value and path not in seen:
                seen.add(path)
                waiting.append(path)
                yield file(path, stub=True)


def _settings(config: Path) -> Iterator[tuple[str, str]]:
    """`section.key`, lower-case and without its subsection, and value, as far as a line tells both."""
    section = ""
    for line in _read(config).replace("\0", "").splitlines():
        text = line.strip()
        header = _SECTION.match(text)
        if header is not None:
            section, text = header[1].lower(), text[header.end() :]
        key, _, value = text.partition("=")
        value = value.strip()
        plain = value.split('"')[1] if value.startswith('"') and value.count('"') > 1 else _COMMENT.sub("", value)
        if key.strip():
            yield f"{section}.{key.strip().lower()}", plain.strip() if "=" in text else "true"


def _read(path: Path) -> str:
    """The text of a small file; empty where it cannot be read."""
    try:
        with path.open("rb") as stream:
            return stream.read(GIT_FILE_BYTES_MAX).decode("utf-8", "replace")
    except OSError:
        return ""
