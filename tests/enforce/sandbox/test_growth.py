"""What folders hold on disk, hostile ones included."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from comptroller.enforce.sandbox import growth
from comptroller.enforce.sandbox.growth import held
from comptroller.enforce.sandbox.walk import DEPTH_MAX, UnmeasurableError, Walk


def test_bytes_on_disk_each_file_once(tmp_path: Path) -> None:
    empty = held([tmp_path]).used_bytes
    (tmp_path / "a").write_bytes(b"x" * 1_000_000)
    os.link(tmp_path / "a", tmp_path / "b")
    (tmp_path / "link").symlink_to("/usr")
    os.mkfifo(tmp_path / "fifo")
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(1 << 40)
    os.sync()
    found = held([tmp_path])
    assert 1_000_000 <= found.used_bytes - empty < 1_100_000 and not found.closed


def test_too_many_or_too_deep_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        (tmp_path / str(number)).touch()
    monkeypatch.setattr(growth, "ENTRIES_MAX", 4)
    with pytest.raises(UnmeasurableError, match="more than 4 files"):
        held([tmp_path])
    deep = tmp_path
    for _ in range(DEPTH_MAX + 1):
        deep = deep / "d"
    deep.mkdir(parents=True)
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(UnmeasurableError, match=f"{DEPTH_MAX} deep"):
        list(Walk(entries_max=1000).through(tmp_path))
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_folder_that_goes_or_becomes_a_link_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    (tmp_path / "outside").mkdir()
    seen = []
    for found in Walk(entries_max=1000).through(tmp_path):
        seen.append(found.path)
        if len(seen) == 3:
            (tmp_path / "one").rmdir()
            (tmp_path / "two").rmdir()
            (tmp_path / "two").symlink_to("/usr")
    assert sorted(seen) == ["one", "outside", "two"]
