"""The meter against a prepared `/proc`: what it adds up, and that nothing a process says about itself misleads it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from comptroller.enforce.sandbox.meter import Meter

PAGE = os.sysconf("SC_PAGE_SIZE")
HZ = os.sysconf("SC_CLK_TCK")


class Proc:
    """A root folder with a `/proc` that a test fills."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "proc").mkdir()
        self.add(1)
        (root / "proc" / "self").symlink_to("1")

    def add(
        self, pid: int, name: str = "x", *, ticks: int = 0, waited: int = 0, threads: int = 1, pages: int = 0
    ) -> Path:
        place = self.root / "proc" / str(pid)
        (place / "fd").mkdir(parents=True, exist_ok=True)
        fields = [str(pid), f"({name})", "S", *["0"] * 49]
        fields[13:17] = [str(ticks), "0", str(waited), "0"]
        fields[19], fields[21], fields[23] = str(threads), "77", str(pages)
        (place / "stat").write_text(" ".join(fields) + "\n")
        return place

    def end(self, pid: int) -> None:
        place = self.root / "proc" / str(pid)
        (place / "stat").unlink()
        (place / "fd").rmdir()
        place.rmdir()


@pytest.fixture
def proc(tmp_path: Path) -> Proc:
    return Proc(tmp_path)


@pytest.fixture
def meter(proc: Proc) -> Iterator[Meter]:
    root = os.open(proc.root, os.O_PATH | os.O_DIRECTORY)
    made = Meter(root, [])
    yield made
    made.close()
    os.close(root)


def test_processes_without_the_first(proc: Proc, meter: Meter) -> None:
    proc.add(2, threads=3, pages=5)
    proc.add(7, name="a) S 1 (b) Z 9 9 9")
    assert sorted(meter.pids()) == [2, 7]
    found = {each.pid: each for each in meter.processes(meter.pids())}
    assert (found[2].threads, found[2].rss_bytes) == (3, 5 * PAGE)
    assert (found[7].threads, found[7].started) == (1, 77)
    assert meter.processes([99]) == []


def test_processor_time_of_the_dead_is_not_lost(proc: Proc, meter: Meter) -> None:
    def used() -> int:
        return meter.cpu_seconds(meter.processes(meter.pids()))

    proc.add(2, ticks=3 * HZ)
    proc.add(3, ticks=2 * HZ)
    assert used() == 5
    proc.end(3)
    assert used() == 5
    proc.add(2, ticks=3 * HZ, waited=4 * HZ)
    assert used() == 7
    proc.add(3, ticks=1 * HZ)
    assert used() == 8
    proc.end(2)
    proc.end(3)
    assert used() == 6, "never more than was used: who waited for whom is not known any more"


def test_shared_pages_count_once_where_the_kernel_says_so(proc: Proc, meter: Meter) -> None:
    for pid, pss, shmem in ((2, 600, 100), (3, 500, 100)):
        place = proc.add(pid, pages=1000)
        (place / "smaps_rollup").write_text(f"x [rollup]\nRss: 4000 kB\nPss:  {pss} kB\nPss_Shmem: {shmem} kB\n")
    proc.add(4, pages=10)
    living = meter.processes(meter.pids())
    assert meter.rough_memory_bytes(living, 5) == 2010 * PAGE + 5
    assert meter.memory_bytes(living, 0) == 1100 * 1024 + 10 * PAGE
    assert meter.memory_bytes(living, 1 << 20) == 900 * 1024 + 10 * PAGE + (1 << 20)


def test_open_files_are_counted_even_where_the_folder_has_no_size(proc: Proc, meter: Meter) -> None:
    place = proc.add(2)
    size = os.stat(place / "fd").st_size
    expected = size
    if not size:
        (place / "fd" / "0").symlink_to("/dev/null")
        expected = 1
    assert meter.open_files([2, 99]) == expected


def test_deleted_files_are_found_by_what_has_them_open(proc: Proc, meter: Meter, tmp_path: Path) -> None:
    place = proc.add(2)
    with (tmp_path / "gone").open("wb") as file, (tmp_path / "kept").open("wb") as kept:
        for each in (file, kept):
            each.write(b"x" * 100_000)
            each.flush()
            os.fsync(each.fileno())
        (tmp_path / "gone").unlink()
        for number, each in enumerate((file, file, kept)):
            (place / "fd" / str(number)).symlink_to(f"/proc/self/fd/{each.fileno()}")
        device = os.fstat(file.fileno()).st_dev
        blocks = os.fstat(file.fileno()).st_blocks * 512
        assert meter.deleted([2, 99], device) == (blocks, 0)
        assert meter.deleted([2], -1) == (0, blocks)
