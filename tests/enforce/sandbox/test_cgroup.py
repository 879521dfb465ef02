"""Control groups, against a prepared tree of folders: what is written, what is read, and where none can be made."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from comptroller.enforce.sandbox import cgroup, scope_unsafe
from comptroller.enforce.sandbox.limits import Breach

LIMITS = {"memory_bytes": 64 << 20, "processes": 30, "cpu_seconds": 5}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A v2 hierarchy in which this process is in `/user/app/run.scope`, and `app` hands memory and pids on."""
    mount = tmp_path / "cgroup"
    for name, handed_on in (("", "cpu memory pids"), ("user", "memory pids"), ("user/app", "memory pids")):
        folder(mount / name, handed_on)
    folder(mount / "user/app/run.scope", "")
    (mount / "user/app/run.scope" / "cgroup.subtree_control").chmod(0o444)
    (tmp_path / "own").write_text("9:name=systemd:/x\n0::/user/app/run.scope\n")
    return mount


def folder(place: Path, handed_on: str) -> None:
    place.mkdir(parents=True)
    (place / "cgroup.controllers").write_text("cpu memory pids\n")
    (place / "cgroup.subtree_control").write_text(handed_on + "\n")
    (place / "cgroup.procs").write_text("")


def make(tree: Path, limits: dict[str, int] = LIMITS) -> cgroup.Cgroup | None:
    return cgroup.make(limits, "box", mount=tree, own=tree.parent / "own")


def busy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A group with processes of its own hands nothing on: the kernel says EBUSY to whoever asks, root too."""
    write = Path.write_text

    def refuse(self: Path, *arguments: object, **more: object) -> int:
        if self.name == "cgroup.subtree_control":
            raise OSError(16, "busy")
        return write(self, *arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(Path, "write_text", refuse)


def test_a_group_is_made_beside_ours_with_its_limits(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    busy(monkeypatch)
    group = make(tree)
    assert group is not None
    place = tree / "user/app/box"
    texts = {file.name: file.read_text() for file in place.iterdir()}
    assert texts == {
        "memory.max": "67108864\n",
        "memory.swap.max": "0\n",
        "memory.oom.group": "1\n",
        "pids.max": "46\n",
    }
    group.enter(4711)
    assert (place / "cgroup.procs").read_text() == "4711\n"
    for file in place.iterdir():
        file.unlink()
    group.close()
    assert not place.exists()


def test_a_group_below_ours_where_it_may_hand_on(tree: Path) -> None:
    own = tree / "user/app/run.scope"
    (own / "cgroup.subtree_control").chmod(0o644)
    assert make(tree) is not None
    assert (own / "cgroup.subtree_control").read_text() == "+memory +pids"
    assert (own / "box" / "pids.max").read_text() == "46\n"


def test_none_where_nothing_is_delegated(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert make(tree) is None


def test_none_without_v2_or_without_our_group_or_without_controllers(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cgroup.make(LIMITS, "box", mount=tmp_path / "none", own=tmp_path / "own") is None
    assert cgroup.make(LIMITS, "box", mount=tree, own=tmp_path / "none") is None
    (tmp_path / "own").write_text("0::/../../etc\n")
    assert make(tree) is None
    (tmp_path / "own").write_text("0::/user/app/run.scope\n")
    for name in ("user/app", "user/app/run.scope"):
        (tree / name / "cgroup.controllers").write_text("cpu\n")
        (tree / name / "cgroup.subtree_control").write_text("cpu\n")
    assert make(tree) is None


def test_none_where_there_is_nothing_to_hold(tree: Path) -> None:
    assert make(tree, {"wall_seconds": 5, "open_files": 9}) is None


def test_a_group_whose_limits_cannot_be_set_is_given_back(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    busy(monkeypatch)
    write = Path.write_text

    def refuse(self: Path, *arguments: object, **more: object) -> int:
        if self.name == "pids.max":
            raise OSError(22, "no such limit")
        return 0 if self.parent.name == "box" else write(self, *arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(Path, "write_text", refuse)
    assert make(tree) is None
    assert not (tree / "user/app/box").exists()


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, None),
        ({"memory.events": "low 0\noom 0\noom_kill 0\n"}, None),
        ({"memory.events": "oom_kill 2\n", "memory.peak": "70000000\n"}, ("memory_bytes", 70_000_000)),
        ({"memory.events": "oom_kill 1\n"}, ("memory_bytes", 64 << 20)),
        ({"pids.current": "31\n"}, ("processes", 31)),
        ({"pids.current": "3\n", "pids.events": "max 7\n"}, ("processes", 46)),
        ({"cpu.stat": "usage_usec 4999999\nuser_usec 1\n"}, None),
        ({"cpu.stat": "usage_usec 5000001\n"}, ("cpu_seconds", 5)),
        ({"cpu.stat": "usage_usec x\n", "pids.current": "max\n"}, None),
    ],
)
def test_what_the_kernel_had_to_hold_is_a_breach(
    tmp_path: Path, files: dict[str, str], expected: tuple[str, int] | None
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    found = cgroup.Cgroup(tmp_path, LIMITS).breach()
    wanted = None if expected is None else Breach(limit=expected[0], value=LIMITS[expected[0]], used=expected[1])
    assert found == wanted


# ---------------------------------------------------------------- a scope of the user's systemd


@pytest.fixture
def manager(tree: Path, tmp_path: Path) -> dict[str, str]:
    """A user's systemd that answers, as far as can be seen: a program that notes what it was asked for."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (tmp_path / "runtime" / "systemd").mkdir(parents=True)
    (tmp_path / "runtime" / "systemd" / "private").touch()
    (tmp_path / "proc" / "4711").mkdir(parents=True)
    scope = tree / "user/app/box.scope"
    script = f"""#!/bin/sh
printf '%s\\n' "$@" > {tmp_path}/asked
env > {tmp_path}/environment
mkdir {scope} && echo 'oom_kill 0' > {scope}/memory.events
echo 0::/user/app/box.scope > {tmp_path}/proc/4711/cgroup
"""
    (programs / "busctl").write_text(script)
    (programs / "busctl").chmod(0o755)
    return {"XDG_RUNTIME_DIR": str(tmp_path / "runtime"), "PATH": str(programs), "SECRET": "x"}


def test_a_scope_is_asked_for_with_its_limits(tree: Path, tmp_path: Path, manager: dict[str, str]) -> None:
    group = scope_unsafe.ask(LIMITS, "box", 4711, environment=manager, mount=tree, proc=tmp_path / "proc")
    assert group is not None and group.breach() is None
    asked = (tmp_path / "asked").read_text().split("\n")
    assert asked[-1] == "" and asked[:3] == ["--user", "--quiet", "call"]
    assert " ".join(asked[6:]).strip() == (
        "StartTransientUnit ssa(sv)a(sa(sv)) box.scope fail 5 PIDs au 1 4711 CollectMode s inactive-or-failed "
        "MemoryMax t 67108864 MemorySwapMax t 0 TasksMax t 46 0"
    )
    assert "SECRET" not in (tmp_path / "environment").read_text()
    group.close()
    assert (tree / "user/app/box.scope").is_dir()


def test_no_scope_without_a_manager_that_answers(
    tree: Path, tmp_path: Path, manager: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(environment: dict[str, str], mount: Path = tree) -> object:
        return scope_unsafe.ask(LIMITS, "box", 4711, environment=environment, mount=mount, proc=tmp_path / "proc")

    assert ask({}) is None
    assert ask({**manager, "PATH": "/nowhere"}) is None
    assert ask(manager, tmp_path / "none") is None
    program = tmp_path / "bin" / "busctl"
    program.write_text("#!/bin/sh\nexit 1\n")
    assert ask(manager) is None
    monkeypatch.setattr(scope_unsafe, "ANSWER_SECONDS_MAX", 0.2)
    program.write_text("#!/bin/sh\nexit 0\n")
    assert ask(manager) is None
    program.write_text("#!/bin/sh\nexec /bin/sleep 20\n")
    assert ask(manager) is None
    program.write_text("no program")
    assert ask(manager) is None
