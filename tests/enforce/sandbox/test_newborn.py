"""A repository made in the box runs programs outside through a plain `git status`: whoever comes back is told of it."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest
from boxes import PEOPLE, Boxes

from comptroller.enforce.sandbox import newborn, protect


def repository(path: Path) -> Path:
    (path / ".git" / "hooks").mkdir(parents=True)
    (path / ".git" / "config").write_text("[core]\n")
    return path


def later() -> int:
    """A moment after everything written so far: file times come from a clock that ticks every few milliseconds."""
    stamp = time.time_ns()
    while time.clock_gettime_ns(5) <= stamp:  # CLOCK_REALTIME_COARSE
        pass
    return time.clock_gettime_ns(5)


def found(workspace: Path, moment: int, **asked: object) -> set[str]:
    answer = newborn.changed_since(workspace, moment, **asked)  # type: ignore[arg-type]
    assert answer.whole
    return {os.path.relpath(folder, workspace) for folder in answer.folders}


def test_what_is_new_or_changed_is_found_and_nothing_else(tmp_path: Path) -> None:
    old, changed, hooked, replaced = (repository(tmp_path / name) for name in ("old", "changed", "hooked", "replaced"))
    deep = tmp_path.joinpath("node_modules", *"abcdef")
    moment = later()
    assert found(tmp_path, moment) == set()
    repository(deep)
    (changed / ".git" / "config").write_text("[core]\nfsmonitor = evil\n")
    (hooked / ".git" / "hooks" / "pre-commit").write_text("evil")
    (replaced / ".git").rename(replaced / "x")
    (replaced / "x").rename(replaced / ".git")
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / ".git").write_text("gitdir: ../store\n")
    bare = tmp_path / "store"
    for name in ("objects", "refs"):
        (bare / name).mkdir(parents=True)
    (bare / "HEAD").write_text("ref: refs/heads/main\n")
    deep_name = os.path.relpath(deep, tmp_path)
    assert found(tmp_path, moment) == {deep_name, "changed", "hooked", "replaced", "linked", "store"}
    assert (old / ".git").is_dir()


def test_protected_ones_are_no_news(tmp_path: Path) -> None:
    repository(tmp_path)
    moment = later()
    (tmp_path / ".git" / "index").write_text("the agent commits")
    known = protect.plan(tmp_path, config=None, environments=()).repositories
    assert known == {tmp_path / ".git"} and found(tmp_path, moment, known=known) == set()
    assert found(tmp_path, moment) == {"."}


def test_too_many_folders_are_admitted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(newborn, "FOLDERS_MAX", 2)
    for name in "abc":
        (tmp_path / name).mkdir()
    assert not newborn.changed_since(tmp_path, 0).whole


@pytest.mark.parametrize("boxes", PEOPLE[:1], indirect=True)
def test_a_repository_planted_in_the_box_is_told(boxes: Boxes) -> None:
    work = boxes.workspace
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
    subprocess.run(["git", "init", "-q", work], check=True, env=environment)
    done = boxes.shell(
        "git init -q sub && cd sub && git -c user.email=a@example.com -c user.name=a commit -q --allow-empty -m x "
        "&& git config core.fsmonitor ./evil.sh && cd .. && git add sub 2>/dev/null && git ls-files -s",
        repositories=True,
    )
    assert done.returncode == 0, done.stderr
    assert "160000" in done.stdout
    assert done.stdout.splitlines()[-1] == f"repository {work / 'sub'}"
