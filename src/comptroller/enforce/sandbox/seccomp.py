"""The box's system call filter, assembled as classic BPF without any library: what it refuses can only harm.

Whole calls that reach the kernel's or other processes' insides, new namespaces, sockets that are not plain ones,
terminal injection, and set-user-id bits. A foreign instruction set (int 0x80, x32) is not spoken at all.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Mapping
from dataclasses import dataclass

from comptroller.core.errors import MissingError

_LOAD, _JUMP_EQUAL, _JUMP_GREATER_EQUAL, _JUMP_SET, _RETURN, _AND = 0x20, 0x15, 0x35, 0x45, 0x06, 0x54
_ALLOW, _KILL_PROCESS, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
_X32_BIT = 0x40000000

_NEW_NAMESPACES = 0x10000000 | 0x40000000 | 0x20000000 | 0x00020000 | 0x04000000 | 0x08000000 | 0x02000000
"""CLONE_NEW{USER,NET,PID,NS,UTS,IPC,CGROUP}; CLONE_NEWTIME cannot be asked of `clone`."""
_SOCKET_TYPE_MASK = 0xF
_AF_UNIX, _AF_INET, _AF_INET6, _AF_NETLINK = 1, 2, 10, 16
_STREAM, _DATAGRAM = 1, 2
_PROTOCOLS = (0, 6, 17, 262)
"""Default, TCP, UDP, and multipath TCP, which Go asks for by itself."""
_TERMINAL_INJECTION = (0x5412, 0x541C, 0x541D)
"""TIOCSTI and TIOCLINUX put words into the mouth of whoever types next; TIOCCONS takes the console."""
_SET_ID_BITS = 0o6000

_X86_64: Mapping[str, int] = {
    "open": 2, "ioctl": 16, "socket": 41, "clone": 56, "creat": 85, "chmod": 90, "fchmod": 91, "ptrace": 101,
    "syslog": 103, "mknod": 133, "uselib": 134, "ustat": 136, "sysfs": 139, "vhangup": 153, "modify_ldt": 154,
    "pivot_root": 155, "_sysctl": 156, "adjtimex": 159, "chroot": 161, "acct": 163, "settimeofday": 164,
    "mount": 165, "umount2": 166, "swapon": 167, "swapoff": 168, "reboot": 169, "sethostname": 170,
    "setdomainname": 171, "iopl": 172, "ioperm": 173, "create_module": 174, "init_module": 175,
    "delete_module": 176, "quotactl": 179, "nfsservctl": 180, "lookup_dcookie": 212, "clock_settime": 227,
    "kexec_load": 246, "add_key": 248, "request_key": 249, "keyctl": 250, "migrate_pages": 256, "openat": 257,
    "mknodat": 259, "fchmodat": 268, "unshare": 272, "move_pages": 279, "perf_event_open": 298,
    "fanotify_init": 300, "name_to_handle_at": 303, "open_by_handle_at": 304, "clock_adjtime": 305, "setns": 308,
    "process_vm_readv": 310, "process_vm_writev": 311, "kcmp": 312, "finit_module": 313, "kexec_file_load": 320,
    "bpf": 321, "userfaultfd": 323,
}  # fmt: skip
_AARCH64: Mapping[str, int] = {
    "lookup_dcookie": 18, "ioctl": 29, "mknodat": 33, "umount2": 39, "mount": 40, "pivot_root": 41,
    "nfsservctl": 42, "chroot": 51, "fchmod": 52, "fchmodat": 53, "openat": 56, "vhangup": 58, "quotactl": 60,
    "acct": 89, "unshare": 97, "kexec_load": 104, "init_module": 105, "delete_module": 106, "clock_settime": 112,
    "syslog": 116, "ptrace": 117, "reboot": 142, "sethostname": 161, "setdomainname": 162, "settimeofday": 170,
    "adjtimex": 171, "socket": 198, "add_key": 217, "request_key": 218, "keyctl": 219, "clone": 220, "swapon": 224,
    "swapoff": 225, "migrate_pages": 238, "move_pages": 239, "perf_event_open": 241, "fanotify_init": 262,
    "name_to_handle_at": 264, "open_by_handle_at": 265, "clock_adjtime": 266, "setns": 268,
    "process_vm_readv": 270, "process_vm_writev": 271, "kcmp": 272, "finit_module": 273, "bpf": 280,
    "userfaultfd": 282, "kexec_file_load": 294,
}  # fmt: skip
_EVERYWHERE: Mapping[str, int] = {
    "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427, "open_tree": 428, "move_mount": 429,
    "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433, "clone3": 435, "openat2": 437,
    "pidfd_getfd": 438, "mount_setattr": 442, "quotactl_fd": 443, "fchmodat2": 452, "open_tree_attr": 467,
}  # fmt: skip
"""Numbers from 424 on are the same on every architecture."""

DENIED: tuple[str, ...] = (
    *("ptrace", "process_vm_readv", "process_vm_writev", "kcmp", "pidfd_getfd"),
    *("bpf", "perf_event_open", "userfaultfd", "io_uring_setup", "io_uring_enter", "io_uring_register"),
    *("add_key", "request_key", "keyctl"),
    *("kexec_load", "kexec_file_load", "create_module", "init_module", "finit_module", "delete_module"),
    *("mount", "umount2", "pivot_root", "move_mount", "fsopen", "fsconfig", "fsmount", "fspick", "open_tree"),
    *("open_tree_attr", "mount_setattr", "chroot", "setns", "unshare", "sethostname", "setdomainname"),
    *("open_by_handle_at", "name_to_handle_at", "fanotify_init", "lookup_dcookie", "nfsservctl", "uselib"),
    *("swapon", "swapoff", "reboot", "acct", "quotactl", "quotactl_fd", "syslog", "vhangup", "_sysctl"),
    *("settimeofday", "clock_settime", "clock_adjtime", "adjtimex", "iopl", "ioperm", "modify_ldt"),
    *("migrate_pages", "move_pages", "sysfs", "ustat"),
)
"""Refused outright with EPERM."""
ABSENT: tuple[str, ...] = ("clone3", "openat2")
"""Refused with ENOSYS: their arguments lie behind a pointer, and callers fall back to the older call."""
_MODE_ARGUMENT: Mapping[str, int] = {
    "chmod": 1, "fchmod": 1, "fchmodat": 2, "fchmodat2": 2, "creat": 1, "open": 2, "openat": 3, "mknod": 1,
    "mknodat": 2,
}  # fmt: skip
_O_CREAT, _O_TMPFILE = 0o100, 0o20000000
_FLAGS_ARGUMENT: Mapping[str, int] = {"open": 1, "openat": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """One instruction set: its audit number and its system call numbers."""

    name: str
    audit: int
    calls: Mapping[str, int]
    x32: bool = False


ARCHITECTURES: Mapping[str, Architecture] = {
    "x86_64": Architecture(name="x86_64", audit=0xC000003E, calls={**_X86_64, **_EVERYWHERE}, x32=True),
    "aarch64": Architecture(name="aarch64", audit=0xC00000B7, calls={**_AARCH64, **_EVERYWHERE}),
}


def assemble(machine: str) -> bytes:
    """The filter for `machine` (as `os.uname().machine` names it): `struct sock_filter`s. Raises `MissingError`."""
    architecture = ARCHITECTURES.get(machine)
    if architecture is None:
        raise MissingError(
            f"there is no system call filter for `{machine}`",
            hint="run Comptroller on an x86_64 or aarch64 machine",
        )
    code = [
        _load(_ARCHITECTURE),
        _jump(_JUMP_EQUAL, architecture.audit, 1, 0),
        _return(_KILL_PROCESS),
        _load(_NUMBER),
    ]
    if architecture.x32:
        code += [_jump(_JUMP_GREATER_EQUAL, _X32_BIT, 0, 1), _refuse(errno.ENOSYS)]
    for names, number in ((DENIED, errno.EPERM), (ABSENT, errno.ENOSYS)):
        for name in names:
            if name in architecture.calls:
                code += _only_for(architecture, name, [_refuse(number)])
    code += _only_for(architecture, "clone", _clone())
    code += _only_for(architecture, "socket", _socket())
    code += _only_for(architecture, "ioctl", _ioctl())
    for name in _MODE_ARGUMENT:
        if name in architecture.calls:
            code += _only_for(architecture, name, _mode(name))
    return b"".join([*code, _return(_ALLOW)])


def _only_for(architecture: Architecture, name: str, block: list[bytes]) -> list[bytes]:
    """`block`, which must end by returning, run for this call alone."""
    return [_jump(_JUMP_EQUAL, architecture.calls[name], 0, len(block)), *block]


def _clone() -> list[bytes]:
    return [_argument(0), _jump(_JUMP_SET, _NEW_NAMESPACES, 0, 1), _refuse(errno.EPERM), _return(_ALLOW)]


def _ioctl() -> list[bytes]:
    checks = [part for request in _TERMINAL_INJECTION for part in (_unless(request), _refuse(errno.EPERM))]
    return [_argument(1), *checks, _return(_ALLOW)]


def _mode(name: str) -> list[bytes]:
    """Refuse the set-user-id and set-group-id bits; `open` reads its mode only where it creates."""
    check = [
        _argument(_MODE_ARGUMENT[name]),
        _jump(_JUMP_SET, _SET_ID_BITS, 0, 1),
        _refuse(errno.EPERM),
        _return(_ALLOW),
    ]
    if name in _FLAGS_ARGUMENT:
        creates = _jump(_JUMP_SET, _O_CREAT | _O_TMPFILE, 1, 0)
        return [_argument(_FLAGS_ARGUMENT[name]), creates, _return(_ALLOW), *check]
    return check


def _socket() -> list[bytes]:
    """UNIX of any kind; INET and INET6 streams and datagrams of known protocols; NETLINK only to ask for routes."""
    protocols = [part for number in _PROTOCOLS for part in (_unless(number), _return(_ALLOW))]
    internet = [
        _argument(1),
        struct.pack("=HBBI", _AND, 0, 0, _SOCKET_TYPE_MASK),
        _jump(_JUMP_EQUAL, _STREAM, 2, 0),
        _jump(_JUMP_EQUAL, _DATAGRAM, 1, 0),
        _refuse(errno.EPERM),
        _argument(2),
        *protocols,
        _refuse(errno.EPROTONOSUPPORT),
    ]
    netlink = [_argument(2), _unless(0), _return(_ALLOW), _refuse(errno.EPROTONOSUPPORT)]
    return [
        _argument(0),
        *(_unless(_AF_UNIX), _return(_ALLOW)),
        *(_jump(_JUMP_EQUAL, _AF_INET, 1, 0), _jump(_JUMP_EQUAL, _AF_INET6, 0, len(internet)), *internet),
        *(_jump(_JUMP_EQUAL, _AF_NETLINK, 0, len(netlink)), *netlink),
        _refuse(errno.EAFNOSUPPORT),
    ]


def _load(offset: int) -> bytes:
    return struct.pack("=HBBI", _LOAD, 0, 0, offset)


def _argument(index: int) -> bytes:
    """The low half of argument `index`: all that the kernel reads of an `int`. Both architectures are little-endian."""
    return _load(_ARGUMENTS + 8 * index)


def _jump(code: int, value: int, if_true: int, if_false: int) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)


def _unless(value: int) -> bytes:
    """Run the next instruction only where the loaded word is `value`."""
    return _jump(_JUMP_EQUAL, value, 0, 1)


def _return(value: int) -> bytes:
    return struct.pack("=HBBI", _RETURN, 0, 0, value)


def _refuse(number: int) -> bytes:
    return _return(_ERRNO | number)
