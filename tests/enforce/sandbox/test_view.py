"""Which folders may be workspaces, and what a plan holds."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from comptroller.core.config import BOX_LIMITS
from comptroller.core.errors import UsageError
from comptroller.enforce.sandbox import limits, view
from comptroller.enforce.sandbox.bwrap import Bind, Content, Empty


def spec(workspace: Path, **more: object) -> view.BoxSpec:
    return view.BoxSpec(argv=("true",), workspace=workspace, authority_pem="OURS", **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["/", "/etc", "/usr", "/tmp", "/proc", "/dev", "/var"])
def test_a_workspace_is_never_wide(name: str) -> None:
    with pytest.raises(UsageError, match="too wide"):
        view.check_workspace(Path(name), private=())


def test_a_home_is_no_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home" / "me"))
    (tmp_path / "home" / "me" / "work").mkdir(parents=True)
    for place in (tmp_path / "home" / "me", tmp_path / "home", tmp_path):
        with pytest.raises(UsageError, match="too wide"):
            view.check_workspace(place, private=())
    work = tmp_path / "home" / "me" / "work"
    assert view.check_workspace(work, private=()) == work


def test_private_places_never_overlap(tmp_path: Path) -> None:
    (tmp_path / "work" / "state").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "work")
    for workspace, private in (("work", "work/state"), ("work/state", "work"), ("work", "link/state")):
        with pytest.raises(UsageError, match="which no agent may see"):
            view.check_workspace(tmp_path / workspace, private=(tmp_path / private,))
    with pytest.raises(UsageError, match="which no agent may see"):
        view.plan(spec(tmp_path / "work" / "state", read_only=(tmp_path,), private=(tmp_path / "x",)))


def test_a_missing_workspace_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a folder"):
        view.check_workspace(tmp_path / "none", private=())


def test_the_workspace_keeps_its_path_and_is_the_only_writable_bind(tmp_path: Path) -> None:
    plan = view.plan(spec(tmp_path))
    writable = [step for step in plan.steps if isinstance(step, Bind) and step.writable]
    assert writable == [Bind(source=str(tmp_path), target=str(tmp_path), writable=True)]
    assert plan.directory == str(tmp_path)


def test_the_starting_folder_lies_inside(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    assert view.plan(spec(tmp_path, directory=tmp_path / "in")).directory == str(tmp_path / "in")
    assert view.plan(spec(tmp_path, directory=Path("/"))).directory == str(tmp_path)


def test_nothing_of_the_machine_but_what_is_listed(tmp_path: Path) -> None:
    sources = {step.source for step in view.plan(spec(tmp_path)).steps if isinstance(step, Bind)}
    for name in (
        "/",
        "/etc",
        "/home",
        "/root",
        "/var",
        "/run",
        "/tmp",
        "/sys",
        "/etc/ssl",
        "/etc/shadow",
        str(Path.home()),
    ):
        assert name not in sources


def test_proc_is_covered(tmp_path: Path) -> None:
    covered = {step.target for step in view.plan(spec(tmp_path)).steps if isinstance(step, Content | Empty)}
    for entry in os.scandir("/proc"):
        if entry.is_file(follow_symlinks=False) and entry.stat().st_mode & 0o222:
            assert entry.path in covered
    assert Bind(source="/proc/sys", target="/proc/sys") in view.plan(spec(tmp_path)).steps


def test_every_bundle_carries_our_authority(tmp_path: Path) -> None:
    contents = {step.target: step.content for step in view.plan(spec(tmp_path)).steps if isinstance(step, Content)}
    bundles = [name for name in contents if name.endswith((".pem", ".crt"))]
    assert len(bundles) > 2
    assert all(b"OURS" in contents[name] for name in bundles)


def test_no_command_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no command"):
        view.plan(view.BoxSpec(argv=(), workspace=tmp_path, authority_pem=""))


def test_the_limits_are_those_of_the_configuration() -> None:
    assert limits.LIMITS == BOX_LIMITS
