"""What the init is told: its network messages, its filter, its user, and the command. Plain values."""

from __future__ import annotations

import os
from collections.abc import Mapping

from comptroller.enforce.sandbox import netlink
from comptroller.enforce.sandbox.view import View


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
    """System V memory to which nobody is attached belongs to no process: the kernel holds it, in pages."""
    memory = limits.get("memory_bytes")
    return {} if memory is None else {"kernel/shmall": max(1, memory // os.sysconf("SC_PAGE_SIZE"))}


def _message(batch: netlink.Batch) -> dict[str, object]:
    return {"protocol": batch.protocol, "data": batch.data, "acks": batch.acks}
