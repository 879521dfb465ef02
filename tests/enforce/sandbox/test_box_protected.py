"""From inside: edit, rename, replace and link every protected path; nothing changes outside, and git still commits."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from boxes import Boxes

GIT = ("git", "-c", "user.email=a@example.com", "-c", "user.name=a", "-c", "init.defaultBranch=main")
GIT += ("-c", "safe.directory=*", "-c", "protocol.file.allow=always")
ATTEMPTS = (
    "echo evil > {0}",
    "echo evil >> {0}",
    "rm -rf {0}",
    "mv {0} {0}.moved",
    "mv evil-file {0}",
    "mv -T evil-folder {0}",
    "ln -sfn /tmp {0}",
    "ln -f evil-file {0}",
    "mkdir -p {0}/evil",
    "touch {0}/evil",
    "cp evil-file {0}/pre-commit",
    "chmod 777 {0}",
    "ln {0} hard && echo evil > hard",
    "truncate -s 0 {0}",
    "python3 -c \"import os; os.replace('evil-file', '{0}')\"",
)


def git(folder: Path, *words: str) -> str:
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
    done = subprocess.run([*GIT, *words], cwd=folder, check=True, capture_output=True, text=True, env=environment)
    return done.stdout


def snapshot(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): os.readlink(path)
        if path.is_symlink()
        else f"{path.stat().st_mode:o} {path.stat().st_ino} {'' if path.is_dir() else path.read_text(errors='replace')}"
        for path in sorted(root.rglob("*"))
    }


def attack(boxes: Boxes, names: list[str], **asked: object) -> str:
    lines = [attempt.format(name) for name in names for attempt in ATTEMPTS]
    script = "touch evil-file; mkdir evil-folder; touch evil-folder/x\n"
    script += "\n".join(f"( {line} ) 2>/dev/null && echo 'DONE {line}'" for line in lines)
    script += "\nrm -rf evil-file evil-folder; true"
    done = boxes.shell(script, **asked)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_exists_stays_as_it_is(boxes: Boxes) -> None:
    work = boxes.workspace
    config = work / "sub" / "conf" / "comptroller.yaml"
    for name in (
        *("sub/conf/comptroller.yaml", "sub/conf/policies/a.cedar", "sub/conf/services/x.yaml", ".envrc"),
        *(".vscode/tasks.json", ".idea/x.xml", "comptroller.yaml"),
    ):
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_text("good")
    git(work, "init", "-q")
    nested = work / "nested"
    nested.mkdir()
    git(nested, "init", "-q")
    (nested / ".git" / "config").write_text("[core]\n\thooksPath = ../shared-hooks\n")
    (work / "shared-hooks").mkdir()
    boxes.give()
    before = snapshot(work)
    names = [
        *("comptroller.yaml", "sub", "sub/conf", "sub/conf/comptroller.yaml", "sub/conf/policies", ".envrc"),
        *("sub/conf/policies/a.cedar", "sub/conf/services", ".vscode", ".vscode/tasks.json", ".idea", ".git/hooks"),
        *(".git/config", ".git/commondir", "nested/.git/hooks", "nested/.git/config", "nested/.git/commondir"),
        *(".zed", ".devcontainer", "shared-hooks"),
    ]
    attack(boxes, names, config=str(config))
    after = snapshot(work)
    # A folder that is only the way to a protected path may be written beside it; it is neither moved nor replaced.
    ways = ("sub", "sub/conf")
    beside = {f"{way}/{name}" for way in ways for name in ("evil", "pre-commit", "evil-file", "evil-folder", "tmp")}
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    assert changed - beside - set(ways) == set()
    assert all(before[name].split()[1] == after[name].split()[1] for name in ("sub", "sub/conf", ".git", "nested/.git"))


def test_what_is_not_there_yet_cannot_be_made_and_leaves_no_litter(boxes: Boxes) -> None:
    names = ["comptroller.yaml", ".envrc", ".vscode", ".idea", ".zed", ".devcontainer"]
    attack(boxes, names)
    assert list(boxes.workspace.iterdir()) == []


def test_moving_the_git_folder_around_plants_no_hook(boxes: Boxes) -> None:
    git(boxes.workspace, "init", "-q")
    boxes.give()
    hook = "printf '#!/bin/sh\\ntouch /tmp/owned' > .git/hooks/post-commit; chmod +x .git/hooks/post-commit"
    boxes.shell(f"mv .git x; cp -r x .git; {hook}")
    boxes.shell(f"rm -rf .git; git init -q; {hook}")
    boxes.shell(f"mkdir evil; echo ../evil > .git/commondir; mkdir -p evil/hooks; {hook}")
    assert (boxes.workspace / ".git").is_dir()
    assert not (boxes.workspace / ".git" / "hooks" / "post-commit").exists()
    assert not (boxes.workspace / ".git" / "commondir").exists()


def test_git_works_inside(boxes: Boxes) -> None:
    git(boxes.workspace, "init", "-q")
    boxes.give()
    words = " ".join(GIT)
    done = boxes.shell(
        f"set -e; echo a > f; {words} add -A; {words} commit -qm one; {words} checkout -qb other; echo b >> f;"
        f"{words} commit -qam two; {words} checkout -q main; {words} merge -q other; {words} stash list; {words} gc -q;"
        f"{words} status --porcelain; {words} log --oneline | wc -l; {words} ls-files"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["2", "f"]
    assert git(boxes.workspace, "log", "--format=%s").split() == ["two", "one"]
    assert git(boxes.workspace, "status", "--porcelain") == ""


def test_a_worktree_commits_into_its_repository_and_no_further(boxes: Boxes) -> None:
    main = boxes.root / "main"
    main.mkdir()
    git(main, "init", "-q")
    git(main, "commit", "-q", "--allow-empty", "-m", "zero")
    boxes.workspace.rmdir()
    git(main, "worktree", "add", "-q", str(boxes.workspace))
    boxes.give()
    words = " ".join(GIT)
    done = boxes.shell(
        f"set -e; echo a > f; {words} add f; {words} commit -qm one; set +e;"
        f"for p in hooks/pre-commit config commondir worktrees/work/commondir worktrees/work/gitdir;"
        f"do echo evil > {main}/.git/$p && echo ESCAPE $p; done; echo 'gitdir: /tmp' > .git && echo ESCAPE;"
        f"ls {main}; true"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []
    assert git(boxes.workspace, "log", "--format=%s").split() == ["one", "zero"]


def test_a_git_file_that_points_to_a_stranger_shows_nothing(boxes: Boxes) -> None:
    stranger = boxes.root / "stranger"
    stranger.mkdir()
    git(stranger, "init", "-q")
    (boxes.workspace / ".git").write_text(f"gitdir: {stranger}/.git\n")
    boxes.give()
    done = boxes.shell(f"ls {stranger}/.git && echo ESCAPE; echo x > .git && echo ESCAPE; true")
    assert done.stdout == ""


def test_submodules_are_protected(boxes: Boxes) -> None:
    other = boxes.root / "other"
    other.mkdir()
    git(other, "init", "-q")
    git(other, "commit", "-q", "--allow-empty", "-m", "zero")
    git(boxes.workspace, "init", "-q")
    git(boxes.workspace, "submodule", "--quiet", "add", str(other), "lib")
    boxes.give()
    words = " ".join(GIT)
    done = boxes.shell(
        "for p in .git/modules/lib/hooks/x .git/modules/lib/config lib/.git; do echo x > $p && echo ESCAPE; done;"
        "python3 -c \"import os; os.rename('.git/modules/lib', 'm')\" && echo ESCAPE;"
        f"cd lib && echo a > f && {words} add f && {words} commit -qm one"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("name", [".vscode", ".git", ".git/hooks", "comptroller.yaml"])
def test_a_link_in_the_way_is_refused(boxes: Boxes, name: str) -> None:
    git(boxes.workspace, "init", "-q")
    target = boxes.workspace / name
    if target.is_dir():
        target.rename(boxes.workspace / "elsewhere")
    target.symlink_to(boxes.workspace / "elsewhere")
    boxes.give()
    done = boxes.shell("true")
    assert done.returncode != 0
    assert "is a symbolic link" in done.stderr


def test_a_second_name_is_refused(boxes: Boxes) -> None:
    (boxes.workspace / ".envrc").write_text("good")
    os.link(boxes.workspace / ".envrc", boxes.workspace / "same")
    boxes.give()
    assert "has a second name" in boxes.shell("true").stderr


def test_two_boxes_share_a_workspace(boxes: Boxes) -> None:
    first = boxes.start(["bash", "-c", "read line < pipe; echo evil > .envrc; mkdir .vscode/x; ls -A"])
    os.mkfifo(boxes.workspace / "pipe")
    boxes.give()
    with first:
        while not (boxes.workspace / ".vscode").exists():
            assert first.poll() is None
        second = boxes.shell("true")
        assert second.returncode == 0, second.stderr
        assert (boxes.workspace / ".vscode").is_dir()
        (boxes.workspace / "pipe").write_text("go\n")
        out, _ = first.communicate(timeout=30)
    assert "evil" not in out
    assert [path.name for path in boxes.workspace.iterdir()] == ["pipe"]


def test_stubs_left_by_a_killed_run_are_removed_by_the_next(boxes: Boxes) -> None:
    process = boxes.start(["sleep", "100"], announce=True)
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        process.kill()
        process.wait()
    assert (boxes.workspace / ".vscode").is_dir()
    (boxes.workspace / ".idea" / "mine").write_text("a person's own")
    assert boxes.shell("true").returncode == 0
    assert [path.name for path in boxes.workspace.iterdir()] == [".idea"]
