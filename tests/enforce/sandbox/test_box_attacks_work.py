"""The attacks can succeed: on a machine without walls, made of namespaces, they do. Else a block proves nothing."""

from __future__ import annotations

import json
import os
import subprocess

from boxes import ORDINARY_UID, SOURCE, Boxes

from comptroller.enforce.sandbox.missing import find_bwrap
from comptroller.testing.escape import open_world

KERNEL = {
    *("alg socket", "bluetooth socket", "can socket", "tipc socket", "rds socket", "kcm socket", "smc socket"),
    *("qrtr socket", "pppox socket", "llc socket", "xdp socket", "crypto netlink socket", "sctp socket"),
    *("xfrm netlink socket", "connector netlink socket", "vsock socket", "audit netlink socket"),
    *("quotactl_fd", "userfaultfd", "lookup_dcookie", "the x32 table", "the 32-bit table (int 0x80)", "bpf"),
    *("io_uring_setup", "io_uring_enter", "io_uring_register", "perf_event_open", "move_mount", "modify_ldt"),
    *("shared memory of the machine (System V)", "typing into the terminal (TIOCSTI)", "the program `ping`"),
    *("ping socket", "ping ipv6 socket", "reverse ssh by ssh itself"),
}
"""What a kernel may lack or forbid everybody, and programs that a machine may not have."""
ROOT_OF_THE_MACHINE = {
    *("kexec_load", "kexec_file_load", "init_module", "finit_module", "delete_module", "swapon", "swapoff", "acct"),
    *("iopl", "ioperm", "syslog", "settimeofday", "clock_settime", "adjtimex", "fanotify_init", "vhangup"),
    *("open_by_handle_at", "a device of its own", "a memory device of its own", "a GPU device of its own"),
    *("a disk device of its own", "real-time priority", "a negative nice value", "becoming root"),
    *("never to be chosen by the out-of-memory killer", "set-user-id programs", "the own user map"),
    *("pasting into the terminal (TIOCLINUX)", "ending process 1"),
}
"""What needs power over the machine itself, which no test may hand to an attack; or what no namespace lets happen."""
BROKEN_KERNEL = {
    "writing to a protected file's pages (mmap)",
    "writing to a protected file's pages through /proc/self/mem",
}
"""What succeeds only where the kernel has a hole (as CVE-2016-5195 was)."""
SEEN_OUTSIDE = {
    *("a signal to every process there is", "writing beside the workspace", "the person's own start-up files"),
    "leaving a process behind",
}
"""What always says `blocked` of itself and is looked for afterwards."""


def world(boxes: Boxes) -> list[dict[str, object]]:
    """Every attack in the open, as an ordinary user: even so nothing of the machine is in reach."""
    root = boxes.root / "comptroller-open"
    root.mkdir()
    boxes.give()
    source = boxes.root / "src" if boxes.person == "ordinary" and os.getuid() == 0 else SOURCE
    command = open_world.command(bwrap=find_bwrap(), python=boxes.python, source=source, folder=boxes.root)
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=90, cwd="/", check=False,
        env={"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "PYTHONPATH": str(source), "PYTHONDONTWRITEBYTECODE": "1"},
        **({"user": ORDINARY_UID, "group": ORDINARY_UID, "extra_groups": []} if os.getuid() == 0 else {}),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_every_attack_succeeds_where_there_is_no_wall(ordinary: Boxes) -> None:
    told = world(ordinary)
    explained = KERNEL | ROOT_OF_THE_MACHINE | BROKEN_KERNEL | SEEN_OUTSIDE
    stopped = {str(each["name"]): each["detail"] for each in told if each["blocked"]}
    assert {name: detail for name, detail in stopped.items() if name not in explained} == {}
    assert explained <= {str(each["name"]) for each in told}, "an explanation for an attack that is not tried"
    assert sum(not each["blocked"] for each in told) >= 150
    assert not [each for each in told if each["group"] == "outside" and each["blocked"]]
