"""Bombs in real boxes, small ones: each ends the box within seconds, and names the limit it broke."""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from boxes import Boxes

from comptroller.enforce.sandbox import init_config

KILLED = 137
KERNEL = tuple(map(int, os.uname().release.split(".")[:2]))
SECONDS_MAX = 30
"""What a bomb may take on a busy machine, from the launch to the end of the box; it is one second on an idle one."""
HOG = "x = b'x' * 150_000_000; import time; time.sleep(60)"
SHARED = "import mmap, time; x = mmap.mmap(-1, 150_000_000); x.write(b'x' * 150_000_000); time.sleep(60)"
UNNAMED = "import os, time; f = os.memfd_create('x'); os.write(f, b'x' * 150_000_000); time.sleep(60)"
MANY = "import os, time; c = [os.fork() for _ in range(5)]; x = b'x' * 40_000_000; time.sleep(60)"
DUMPLESS = "import ctypes, time; ctypes.CDLL(None).prctl(4, 0, 0, 0, 0); x = b'x' * 150_000_000; time.sleep(60)"
FORKS = "import os, time\ntry:\n  for _ in range(8): os.fork()\nexcept OSError: pass\ntime.sleep(60)"
"""A bomb with an end: 256 processes."""
THREADS = "import threading, time; [threading.Thread(target=time.sleep, args=(60,)).start() for _ in range(60)]"
SHORT = "import os\nwhile p := os.fork(): os.waitpid(p, 0)\nfor i in range(3_000_000): pass\nos._exit(0)"
FILES = (
    "import os, time; x = [os.open('/dev/null', 0) for _ in range(40)]; [os.fork() for _ in range(3)]; time.sleep(60)"
)
DELETED = "import os, time; f = os.open('x', 66); os.unlink('x'); os.write(f, b'x' * 30_000_000); time.sleep(60)"
HIDDEN = "import os, time; os.mkdir('d'); open('d/x', 'wb').write(b'x' * 30_000_000); os.chmod('d', 0); time.sleep(60)"
DEEP = "import os, time\nfor _ in range(230): os.mkdir('d'); os.chdir('d')\ntime.sleep(60)"
BOMBS = {
    "fork bomb": ("processes", 30, FORKS),
    "threads": ("processes", 30, THREADS),
    "memory hog": ("memory_bytes", 64 << 20, HOG),
    "shared memory": ("memory_bytes", 64 << 20, SHARED),
    "memory without a name": ("memory_bytes", 64 << 20, UNNAMED),
    "memory of many": ("memory_bytes", 100 << 20, MANY),
    "memory that hides": ("memory_bytes", 64 << 20, DUMPLESS),
    "files in memory": ("memory_bytes", 64 << 20, "head -c 150000000 /dev/zero > /tmp/x; sleep 60"),
    "files in shared memory": ("memory_bytes", 64 << 20, "head -c 150000000 /dev/zero > /dev/shm/x; sleep 60"),
    "busy loops": ("cpu_seconds", 2, "while :; do :; done & while :; do :; done"),
    "busy children": ("cpu_seconds", 2, SHORT),
    "time": ("wall_seconds", 1, "sleep 60"),
    "open files": ("open_files", 100, FILES),
    "disk filler": ("disk_bytes", 10_000_000, "head -c 30000000 /dev/zero > x; sleep 60"),
    "many files": ("disk_bytes", 10_000_000, "for i in $(seq 40); do head -c 1000000 /dev/zero > x$i; done; sleep 60"),
    "deleted file": ("disk_bytes", 10_000_000, DELETED),
    "closed folder": ("disk_bytes", 10_000_000, HIDDEN),
    "deep folders": ("disk_bytes", 10_000_000, DEEP),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_ends_the_box_within_seconds(boxes: Boxes, name: str) -> None:
    limit, value, code = BOMBS[name]
    began = time.monotonic()
    run = boxes.script if "import " in code else boxes.shell
    done = run(code, limits={limit: value})
    assert f"breach {limit}" in done.stdout, done.stdout + done.stderr
    assert done.returncode == KILLED
    assert time.monotonic() - began < SECONDS_MAX


def test_what_stays_below_its_limits_ends_as_it_would(boxes: Boxes) -> None:
    limits = {
        "processes": 30,
        "memory_bytes": 512 << 20,
        "open_files": 500,
        "cpu_seconds": 30,
        "disk_bytes": 50_000_000,
        "wall_seconds": 60,
        "file_bytes": 20_000_000,
    }
    code = """
        import os, subprocess
        x = b"x" * 50_000_000
        open("kept", "wb").write(b"x" * 1_000_000)
        subprocess.run(["sleep", "0.5"], check=True)
        print(sum(range(1_000_000)))
        raise SystemExit(7)
    """
    done = boxes.script(code, limits=limits)
    assert (done.returncode, done.stdout) == (7, "499999500000\n"), done.stderr
    assert (boxes.workspace / "kept").stat().st_size == 1_000_000


def test_memory_shared_after_a_fork_counts_once(boxes: Boxes) -> None:
    code = "import os, time; x = b'x' * 60_000_000; c = [os.fork() for _ in range(2)]; time.sleep(1)"
    done = boxes.script(code, limits={"memory_bytes": 140_000_000})
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_the_workspace_counts_from_what_it_held_before(boxes: Boxes) -> None:
    (boxes.workspace / "old").write_bytes(b"x" * 20_000_000)
    boxes.give()
    done = boxes.shell("head -c 1000000 /dev/zero > new; sleep 1.5", limits={"disk_bytes": 10_000_000})
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_memory_that_belongs_to_no_process_is_bound_by_the_kernel(boxes: Boxes) -> None:
    code = """
        import ctypes
        libc = ctypes.CDLL(None, use_errno=True)
        made = [libc.shmget(0, ctypes.c_size_t(16 << 20), 0o1600) for _ in range(10)]
        print(sum(each >= 0 for each in made))
    """
    done = boxes.script(code, limits={"memory_bytes": 100 << 20})
    assert done.stdout == ("6\n" if KERNEL >= (6, 10) else "10\n"), done.stderr
    assert boxes.script(code).stdout == "10\n"


def test_a_limit_above_the_machines_own_is_no_mistake(boxes: Boxes) -> None:
    done = boxes.shell("echo $(($(ulimit -n) < 1000000000))", limits={"open_files": 1_000_000_000})
    assert done.stdout == "1\n", done.stderr


def test_numbers_of_processes_run_out_in_the_box_and_nowhere_else(boxes: Boxes) -> None:
    outside = Path("/proc/sys/kernel/pid_max").read_text()
    done = boxes.shell("cat /proc/sys/kernel/pid_max", limits={"processes": 30})
    assert done.stdout == ("347\n" if KERNEL >= (6, 14) else outside), done.stderr
    assert Path("/proc/sys/kernel/pid_max").read_text() == outside


@pytest.mark.parametrize("release", ["6.13.9-generic", "5.15.0", "strange"])
def test_an_older_kernel_is_never_asked_for_what_would_be_everybodys(
    release: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "uname", lambda: SimpleNamespace(release=release))
    assert init_config._sysctls({"processes": 30, "memory_bytes": 1 << 20}) == {"kernel/shmall": 256}
    monkeypatch.setattr(os, "uname", lambda: SimpleNamespace(release="6.14.0"))
    assert init_config._sysctls({"processes": 30}) == {"kernel/pid_max": 347}
    assert init_config._sysctls({"wall_seconds": 30}) == {}


def test_one_file_stays_below_its_own_limit(boxes: Boxes) -> None:
    done = boxes.shell("head -c 3000000 /dev/zero > x; echo $?", limits={"file_bytes": 1_000_000})
    assert done.stdout == "153\n", done.stderr
    assert (boxes.workspace / "x").stat().st_size == 1_000_000


def test_the_agent_cannot_raise_the_kernels_own_limits(boxes: Boxes) -> None:
    code = """
        import resource
        for name, value in (("NPROC", 46), ("NOFILE", 77), ("CPU", 35), ("FSIZE", 1000)):
            kind = getattr(resource, f"RLIMIT_{name}")
            print(name, resource.getrlimit(kind) == (value, value))
            try:
                resource.setrlimit(kind, (value + 1, value + 1))
            except (OSError, ValueError):
                continue
            print(name, "was raised")
    """
    done = boxes.script(code, limits={"processes": 30, "open_files": 77, "cpu_seconds": 30, "file_bytes": 1000})
    assert done.stdout == "NPROC True\nNOFILE True\nCPU True\nFSIZE True\n", done.stderr
