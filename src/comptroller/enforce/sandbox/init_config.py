"""What the init is told: its network messages, its filter, its user, and the command. Plain values."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from comptroller.enforce.sandbox import netlink
from comptroller.enforce.sandbox.limits import PROCESSES_ABOVE
from comptroller.enforce.sandbox.view import View

RESERVED_PIDS = 301
"""The kernel gives numbers below this only once, and takes no smaller maximum."""
PID_MAX = 1 << 22
PID_MAX_OF_NAMESPACE = (6, 14)
"""The first Linux in which every PID namespace has a maximum of its own."""


def build(view: View, program: bytes) -> dict[str, object]:
    """The document that `init_unsafe` reads; `program` is the assembled filter."""
    return {
        "v4": [_message(batch) for batch in (*netlink.routes_v4(), netlink.redirect_v4())],
        "v6": [_message(batch) for batch in (*netlink.routes_v6(), netlink.redirect_v6())],
        "address_v4": netlink.OUR_V4,
        "address_v6": netlink.OUR_V6,
        "tcp_port": netlink.TCP_PORT,
        "dns_port": netlink.DNS_PORT,
        "filter": program,
        "sysctls": _sysctls(view.limits),
        "limits": {"RLIMIT_CORE": 0, **view.rlimits},
        "uid": os.getuid(),
        "gid": os.getgid(),
        "argv": list(view.argv),
        "environment": dict(view.environment),
    }


def _sysctls(limits: Mapping[str, int]) -> dict[str, int]:
    """What the kernel holds for a box's namespaces as a whole. System V memory to which nobody is attached belongs to
    no process; and for root, whose processes are not counted, only the numbers of processes can run out."""
    found: dict[str, int] = {}
    if "memory_bytes" in limits:
        found["kernel/shmall"] = max(1, limits["memory_bytes"] // os.sysconf("SC_PAGE_SIZE"))
    # INVARIANT: before Linux 6.14 this is the machine's own number, and root would set it for everybody.
    if "processes" in limits and _kernel() >= PID_MAX_OF_NAMESPACE:
        found["kernel/pid_max"] = min(PID_MAX, RESERVED_PIDS + limits["processes"] + PROCESSES_ABOVE)
    return found


def _kernel() -> tuple[int, int]:
    """The running kernel's version; (0, 0) where its name does not say."""
    found = re.match(r"(\d+)\.(\d+)", os.uname().release)
    return (0, 0) if found is None else (int(found[1]), int(found[2]))


def _message(batch: netlink.Batch) -> dict[str, object]:
    return {"protocol": batch.protocol, "data": batch.data, "acks": batch.acks}
