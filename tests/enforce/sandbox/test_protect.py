"""What is planned to be protected. That it holds is shown in test_box_protected."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comptroller.core.errors import UsageError
from comptroller.enforce.sandbox import protect
from comptroller.enforce.sandbox.bwrap import Bind


def planned(workspace: Path, config: Path | None = None, environments: tuple[Path, ...] = ()) -> dict[str, bool]:
    steps = protect.plan(workspace, config=config, environments=environments).steps
    return {os.path.relpath(step.target, workspace): step.writable for step in steps}


def repository(path: Path, config: str = "[core]\n") -> Path:
    (path / ".git" / "hooks").mkdir(parents=True)
    (path / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    (path / ".git" / "config").write_text(config)
    return path / ".git"


def test_an_empty_workspace(tmp_path: Path) -> None:
    always = {"comptroller.yaml", ".envrc", *protect.EDITOR_FOLDERS}
    assert planned(tmp_path) == dict.fromkeys(always, False)
    plan = protect.plan(tmp_path, config=None, environments=())
    assert all(stub.folder for stub in plan.stubs)


def test_the_configuration_in_force_and_the_way_to_it(tmp_path: Path) -> None:
    config = tmp_path / "a" / "b" / "comptroller.yaml"
    config.parent.mkdir(parents=True)
    config.write_text("x")
    found = planned(tmp_path, config)
    assert {name: found[name] for name in ("a", "a/b", "a/b/comptroller.yaml", "a/b/policies", "a/b/services")} == {
        "a": True,
        "a/b": True,
        "a/b/comptroller.yaml": False,
        "a/b/policies": False,
        "a/b/services": False,
    }
    assert planned(tmp_path / "a", tmp_path / "comptroller.yaml").keys() == {
        "comptroller.yaml",
        ".envrc",
        *protect.EDITOR_FOLDERS,
    }


def test_mounts_come_from_the_outside_in(tmp_path: Path) -> None:
    repository(tmp_path / "one" / "two")
    repository(tmp_path)
    steps = protect.plan(tmp_path, config=None, environments=()).steps
    seen: set[str] = set()
    for step in steps:
        assert isinstance(step, Bind) and step.source == step.target
        parents = [str(p) for p in Path(step.target).parents if p.is_relative_to(tmp_path) and p != tmp_path]
        assert set(parents) <= seen, "every folder above a protected path is a mount point before it"
        seen.add(step.target)


def test_an_environment_inside_is_read_only_as_a_whole(tmp_path: Path) -> None:
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    found = planned(tmp_path, environments=(tmp_path / ".venv", tmp_path / ".venv" / "bin", Path("/usr")))
    assert found[".venv"] is False and ".venv/bin" not in found


def test_git(tmp_path: Path) -> None:
    repository(tmp_path, "[core]\n\thooksPath = .husky\n")
    (tmp_path / ".husky").mkdir()
    found = planned(tmp_path)
    assert found[".git"] is True
    assert all(found[name] is False for name in (".git/hooks", ".git/config", ".git/commondir", ".husky"))
    stubs = {stub.path.name: stub.content for stub in protect.plan(tmp_path, config=None, environments=()).stubs}
    assert stubs["commondir"] == b".\n"


def test_a_repository_too_deep_is_not_looked_for(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*"abcdef")
    repository(deep)
    assert not any("git" in name for name in planned(tmp_path))


def test_a_git_file_must_be_known_on_the_other_side(tmp_path: Path) -> None:
    work, main = tmp_path / "work", repository(tmp_path / "main")
    work.mkdir()
    linked = main / "worktrees" / "work"
    linked.mkdir(parents=True)
    (work / ".git").write_text(f"gitdir: {linked}\n")
    (linked / "HEAD").write_text("x")
    (linked / "commondir").write_text("../..\n")
    assert protect.plan(work, config=None, environments=()).roots == ()
    (linked / "gitdir").write_text(f"{work}/.git\n")
    plan = protect.plan(work, config=None, environments=())
    assert plan.roots == (main,)
    covered = {step.target: step.writable for step in plan.steps}
    assert covered[str(main / "hooks")] is False and covered[str(linked / "commondir")] is False
    assert covered[str(work / ".git")] is False


@pytest.mark.parametrize("name", ["comptroller.yaml", ".envrc", ".git", ".git/config", ".vscode"])
def test_links_are_refused(tmp_path: Path, name: str) -> None:
    repository(tmp_path)
    target = tmp_path / name
    if target.exists():
        target.rename(tmp_path / "moved")
    target.symlink_to("moved")
    with pytest.raises(UsageError, match="symbolic link"):
        protect.plan(tmp_path, config=None, environments=())


def test_second_names_are_refused(tmp_path: Path) -> None:
    git = repository(tmp_path)
    os.link(git / "config", tmp_path / "same")
    with pytest.raises(UsageError, match="second name"):
        protect.plan(tmp_path, config=None, environments=())


@pytest.mark.parametrize(
    ("config", "path"),
    [
        ("[core]\n\thooksPath = .githooks\n", ".githooks"),
        ('[core] hooksPath = "my hooks" ; ours\n', "my hooks"),
        ("[core]\nhookspath = one # first\n[core]\nhookspath = two\n", "two"),
        ("[include]\n\tpath = ../.gitconfig\n", ".gitconfig"),
        ('[includeIf "onbranch:main"]\n\tpath = ../conf/x.inc\n', "conf/x.inc"),
        ("[extensions]\n\tworktreeConfig = true\n", ".git/config.worktree"),
        ("[extensions]\n\tworktreeConfig\n", ".git/config.worktree"),
    ],
)
def test_what_git_would_read_once_it_is_there(tmp_path: Path, config: str, path: str) -> None:
    repository(tmp_path, config)
    assert planned(tmp_path)[path] is False
    plan = protect.plan(tmp_path, config=None, environments=())
    assert tmp_path / path in {stub.path for stub in plan.stubs}


def test_what_git_does_not_read_is_left_alone(tmp_path: Path) -> None:
    repository(tmp_path, "[extensions]\nworktreeConfig = false\n[core]\n#hooksPath = a\n[gui]\npath = b\n")
    assert not {"a", "b", ".git/config.worktree"} & planned(tmp_path).keys()


def test_includes_of_includes_end(tmp_path: Path) -> None:
    repository(tmp_path, "[include]\npath = ../one\n")
    (tmp_path / "one").write_text("[include]\npath = two\npath = one\n")
    found = planned(tmp_path)
    assert found["one"] is False and found["two"] is False


def test_hooks_of_a_worktree_lie_in_the_worktree(tmp_path: Path) -> None:
    work, main = tmp_path / "work", repository(tmp_path / "main", "[core]\nhooksPath = .githooks\n")
    (work / ".githooks").mkdir(parents=True)
    linked = main / "worktrees" / "work"
    linked.mkdir(parents=True)
    (work / ".git").write_text(f"gitdir: {linked}\n")
    for name, text in (("HEAD", "x"), ("commondir", "../..\n"), ("gitdir", f"{work}/.git\n")):
        (linked / name).write_text(text)
    assert planned(work)[".githooks"] is False


def test_a_submodule_may_have_slashes_in_its_name(tmp_path: Path) -> None:
    module = repository(tmp_path) / "modules" / "libs" / "one"
    (module / "logs").mkdir(parents=True)
    for name in ("HEAD", "config", "logs/HEAD"):
        (module / name).write_text("x")
    found = planned(tmp_path)
    assert found[".git/modules/libs/one/config"] is False and found[".git/modules/libs/one/hooks"] is False
    assert not any("logs" in name for name in found)


@settings(max_examples=60, deadline=None)
@given(text=st.binary(max_size=300))
def test_any_git_file_is_survived(tmp_path_factory: pytest.TempPathFactory, text: bytes) -> None:
    work = tmp_path_factory.mktemp("work")
    (work / ".git").write_bytes(text)
    (work / "sub").mkdir()
    repository(work / "sub")
    (work / "sub" / ".git" / "config").write_bytes(b"[core]\nhookspath = " + text)
    plan = protect.plan(work, config=None, environments=())
    assert plan.roots == ()
    assert all(Path(step.target).is_relative_to(work) for step in plan.steps)
