"""What changed in a workspace, hostile ones included: nothing in it is run, followed or waited for."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from comptroller.enforce.sandbox import changes, walk
from comptroller.enforce.sandbox.changes import Change, look, since
from comptroller.enforce.sandbox.later import ENVIRONMENT, environment_of, reason


def found(before: changes.Snapshot) -> dict[str, Change]:
    result = since(before)
    assert result.whole
    return {each.path: each for each in result.changes}


def test_added_changed_and_removed(tmp_path: Path) -> None:
    for name in ("same", "changed", "removed", "touched", "mode"):
        (tmp_path / name).write_text(name)
    (tmp_path / "big").write_bytes(b"x" * (changes.KEPT_FILE_BYTES_MAX + 1))
    before = look(tmp_path)
    (tmp_path / "changed").write_text("now")
    (tmp_path / "removed").unlink()
    (tmp_path / "touched").touch()
    (tmp_path / "mode").chmod(0o755)
    (tmp_path / "big").write_bytes(b"y" * (changes.KEPT_FILE_BYTES_MAX + 1))
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "added").write_text("new")
    kinds = {path: (each.kind, each.before, each.after) for path, each in found(before).items()}
    assert kinds == {
        "changed": ("changed", b"changed", b"now"),
        "removed": ("removed", b"removed", b""),
        "mode": ("changed", b"mode", b"mode"),
        "big": ("changed", None, None),
        "folder/added": ("added", b"", b"new"),
    }


def test_times_that_were_set_back_hide_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("one")
    status = (tmp_path / "file").stat()
    before = look(tmp_path)
    (tmp_path / "file").write_text("two")
    os.utime(tmp_path / "file", ns=(status.st_atime_ns, status.st_mtime_ns))
    assert found(before)["file"].after == b"two"


def test_what_runs_later_comes_first_and_says_why(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("1")
    before = look(tmp_path)
    (tmp_path / "a.py").write_text("2")
    (tmp_path / "Makefile").write_text("all:")
    (tmp_path / ".github" / "workflows").mkdir(parents=True)
    (tmp_path / ".github" / "workflows" / "x.yml").write_text("on: push")
    (tmp_path / "tool").write_text("#!/bin/sh")
    (tmp_path / "tool").chmod(0o755)
    (tmp_path / "out").symlink_to("/etc/passwd")
    (tmp_path / "in").symlink_to("a.py")
    subprocess.run(["git", "init", "-q", tmp_path / "sub"], check=True, env={"PATH": "/usr/bin:/bin"})
    result = since(before)
    assert {each.path: each.later for each in result.changes} == {
        ".github/workflows/x.yml": "the build service runs it",
        "Makefile": "make runs it",
        "out": "it leads out of the workspace",
        "sub/.git": "git follows its configuration and hooks",
        "tool": "it can be run",
        "a.py": "",
        "in": "",
    }
    assert [bool(each.later) for each in result.changes] == [True] * 5 + [False] * 2


def test_a_hostile_repository_runs_nothing(tmp_path: Path) -> None:
    work = tmp_path / "work"
    subprocess.run(["git", "init", "-q", work], check=True, env={"PATH": "/usr/bin:/bin"})
    ran = tmp_path / "ran"
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {ran}\n")
    program.chmod(0o755)
    config = "".join(
        f"[{section}]\n\t{key} = {program}\n"
        for section, key in (
            ("core", "fsmonitor"),
            ("core", "pager"),
            ("core", "hooksPath"),
            ('diff "x"', "textconv"),
            ('diff "x"', "command"),
            ('filter "x"', "clean"),
            ('filter "x"', "process"),
            ("diff", "external"),
        )
    )
    (work / ".git" / "config").write_text(config)
    (work / ".gitattributes").write_text("* diff=x filter=x\n")
    (work / "file").write_text("one")
    before = look(work)
    (work / "file").write_text("two")
    (work / ".git" / "rebase-merge").mkdir()
    (work / ".git" / "objects" / "new").write_text("x")
    assert {path: each.later for path, each in found(before).items()} == {
        ".git/rebase-merge": "git goes on with it",
        "file": "",
    }
    assert not ran.exists()


def test_strange_things_never_hang_or_lead_astray(tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    before = look(work)
    os.mkfifo(work / "fifo")
    (work / "loop").symlink_to(".")
    (work / "self").symlink_to("self")
    (work / "up").symlink_to("../..")
    (work / "line\nbreak\x1b[31m").write_text("x")
    Path(os.fsdecode(os.fsencode(work) + b"/\xff\xfe")).write_bytes(b"x")
    with (work / "sparse").open("wb") as file:
        file.truncate(1 << 40)
    (tmp_path / "secret").write_text("x")
    paths = found(before)
    assert set(paths) == {"fifo", "loop", "self", "up", "line\nbreak\x1b[31m", os.fsdecode(b"\xff\xfe"), "sparse"}
    assert paths["up"].later == "it leads out of the workspace" and not paths["loop"].later


def test_too_much_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = look(tmp_path)
    for number in range(30):
        (tmp_path / f"f{number}").touch()
    monkeypatch.setattr(changes, "CHANGES_MAX", 10)
    many = since(before)
    assert (len(many.changes), many.more, many.whole) == (10, 20, True)
    monkeypatch.setattr(changes, "ENTRIES_MAX", 20)
    assert not since(before).whole and not look(tmp_path).whole


def test_too_deep_is_told(tmp_path: Path) -> None:
    (tmp_path / "x").touch()
    before = look(tmp_path)
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(walk.DEPTH_MAX + 1):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    result = since(before)
    assert not result.whole and all(each.kind != "removed" for each in result.changes)


def test_a_missing_workspace_is_not_whole(tmp_path: Path) -> None:
    assert not look(tmp_path / "none").whole


@pytest.mark.parametrize(
    "path",
    [
        *("Makefile", "sub/package.json", "setup.py", "pyproject.toml", "x/conftest.py", ".pre-commit-config.yaml"),
        *(".github/workflows/ci.yml", "Dockerfile", "Dockerfile.dev", "compose.prod.yaml", ".bashrc", ".envrc"),
        *(".vscode/tasks.json", "sitecustomize.py", "a.pth", "webpack.config.js", ".eslintrc.cjs", ".gitattributes"),
        *("CLAUDE.md", ".mcp.json", ".husky/pre-commit", "build.rs", "rules.mk", "JENKINSFILE", ".env"),
        *(".venv/bin/python", "node_modules/.bin/x", "x.code-workspace", "unit.service", ".idea/x/y.xml"),
    ],
)
def test_what_tools_run_is_known_by_name(path: str) -> None:
    assert reason(path, 0o100644, mode_before=0o100644)


def test_modes_and_environments() -> None:
    assert reason("x", 0o104755, mode_before=None) == "it runs with the rights of its owner"
    assert reason("x", 0o100755, mode_before=0o100755) == "it can be run"
    assert reason("notes.txt", 0o100644, mode_before=None) == ""
    assert reason(".git", 0o040755, mode_before=0o040755) == ""
    assert reason("a/node_modules/b/c", 0o100644, mode_before=None) == ENVIRONMENT
    assert environment_of("a/node_modules/b/c") == "a/node_modules"
    assert (
        reason("a/b", 0o120777, mode_before=None, target="../../x", workspace="/w") == "it leads out of the workspace"
    )
    assert reason("a/b", 0o120777, mode_before=None, target="../x", workspace="/w") == ""
