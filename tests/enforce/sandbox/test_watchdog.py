"""The watchdog without a box: a prepared `/proc` and workspace; what it does when it cannot look, and what it costs."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from test_meter import HZ, Proc

from comptroller.enforce.sandbox import growth, watchdog
from comptroller.enforce.sandbox.cgroup import Cgroup
from comptroller.enforce.sandbox.limits import Breach
from comptroller.enforce.sandbox.walk import UnmeasurableError
from comptroller.enforce.sandbox.watchdog import Watchdog

SECONDS_MAX = 20
Make = Callable[..., Watchdog]


@pytest.fixture
def proc(tmp_path: Path) -> Proc:
    (tmp_path / "root").mkdir()
    return Proc(tmp_path / "root")


@pytest.fixture
def ended() -> threading.Event:
    return threading.Event()


@pytest.fixture
def make(proc: Proc, tmp_path: Path, ended: threading.Event) -> Iterator[Make]:
    (tmp_path / "work").mkdir()
    root = os.open(proc.root, os.O_PATH | os.O_DIRECTORY)
    made: list[Watchdog] = []

    def built(limits: dict[str, int], **more: object) -> Watchdog:
        place = tmp_path / "work"
        made.append(Watchdog(limits, root=root, tmpfs=[], places=[place], end=ended.set, **more))  # type: ignore[arg-type]
        return made[-1]

    yield built
    for each in made:
        each.close()
        each.close()
    os.close(root)


def test_it_ends_a_box_once_it_is_over_a_limit(proc: Proc, make: Make, ended: threading.Event) -> None:
    dog = make({"cpu_seconds": 5, "file_bytes": 1})
    proc.add(2, ticks=4 * HZ)
    assert dog.look() is None
    dog.start()
    (proc.root / "proc" / "2" / "new").write_text((proc.root / "proc" / "2" / "stat").read_text())
    proc.add(3, ticks=2 * HZ)
    assert ended.wait(SECONDS_MAX)
    assert dog.breach == Breach(limit="cpu_seconds", value=5, used=6)
    assert dog.costs.looks >= 1 and dog.costs.look_seconds > 0


def test_closed_before_anything_happened_nothing_ends(make: Make, ended: threading.Event) -> None:
    dog = make({"processes": 5})
    dog.start()
    dog.close()
    assert dog.breach is None and not ended.is_set()


@pytest.mark.parametrize("failure", [OSError("no"), UnmeasurableError("no")])
def test_what_cannot_be_measured_ends_the_box(
    make: Make, ended: threading.Event, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    dog = make({"processes": 5, "disk_bytes": 7})

    def fail(_: object) -> None:
        raise failure

    monkeypatch.setattr(Watchdog, "look", fail)
    dog.start()
    assert ended.wait(SECONDS_MAX)
    assert dog.breach is not None and dog.breach.why == "no"
    assert dog.breach.limit == ("disk_bytes" if isinstance(failure, UnmeasurableError) else "processes")


def test_a_watchdog_that_fails_ends_the_box(
    make: Make, ended: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    dog = make({"processes": 5})
    told: list[object] = []
    monkeypatch.setattr(threading, "excepthook", lambda arguments: told.append(arguments.exc_type))
    monkeypatch.setattr(Watchdog, "look", lambda self: 1 // 0)
    dog.start()
    assert ended.wait(SECONDS_MAX)
    dog.close()
    assert dog.breach is not None and dog.breach.why == "the watchdog failed"
    assert told == [ZeroDivisionError]


def test_a_workspace_too_large_to_measure_is_refused_at_the_start(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dog = make({"wall_seconds": 5})
    for name in ("a", "b"):
        (tmp_path / "work" / name).touch()
    monkeypatch.setattr(growth, "ENTRIES_MAX", 1)
    with pytest.raises(UnmeasurableError):
        make({"disk_bytes": 5})
    assert dog.look() is None


def test_figures_of_a_group_count(make: Make, tmp_path: Path, proc: Proc) -> None:
    limits = {"processes": 5, "memory_bytes": 1 << 40}
    group = tmp_path / "group"
    group.mkdir()
    dog = make(limits, cgroup=Cgroup(group, limits))
    assert dog.look() is None
    (group / "pids.current").write_text("6\n")
    assert dog.look() == Breach(limit="processes", value=5, used=6)
    (group / "pids.current").write_text("1\n")
    (group / "memory.events").write_text("oom_kill 1\n")
    dog.last_look()
    assert dog.breach == Breach(limit="memory_bytes", value=1 << 40, used=1 << 40)


def test_a_filling_disk_is_walked_at_once_and_a_quiet_one_seldom(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = [1 << 30]
    monkeypatch.setattr(watchdog._Disk, "_free_bytes", lambda self: free[0])
    monkeypatch.setattr(watchdog, "SHARE_FILLING", 0)
    dog = make({"disk_bytes": 1_000_000})
    assert dog.look() is None
    (tmp_path / "work" / "file").write_bytes(b"x" * 2_000_000)
    walks = dog.costs.walks
    assert dog.look() is None and dog.costs.walks == walks
    free[0] -= 2_000_000
    found = dog.look()
    assert found is not None and found.limit == "disk_bytes" and 2_000_000 <= found.used < 2_100_000


def test_where_a_folder_is_closed_the_file_system_tells(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    free = [1 << 30]
    monkeypatch.setattr(watchdog._Disk, "_free_bytes", lambda self: free[0])
    monkeypatch.setattr(watchdog, "SHARE_FILLING", 0)
    dog = make({"disk_bytes": 1_000_000})
    monkeypatch.setattr(growth, "held", lambda places: growth.Held(used_bytes=0, closed=True))
    assert dog.look() is None
    free[0] -= 3_000_000
    assert dog.look() == Breach(limit="disk_bytes", value=1_000_000, used=3_000_000)
