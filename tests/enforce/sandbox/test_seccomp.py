"""The filter, run by a small interpreter for both architectures; the kernel's own verdicts are in test_box_escape."""

from __future__ import annotations

import errno
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comptroller.core.errors import MissingError
from comptroller.enforce.sandbox import seccomp

ALLOW, KILL = 0x7FFF0000, 0x80000000
MACHINES = ("x86_64", "aarch64")


def judge(program: bytes, audit: int, number: int, *arguments: int) -> int:
    data = struct.pack("=iIQ6Q", number - (1 << 32) if number >> 31 else number, audit, 0, *(*arguments, *[0] * 6)[:6])
    accumulator, counter = 0, 0
    while True:
        code, if_true, if_false, value = struct.unpack_from("=HBBI", program, counter * 8)
        counter += 1
        match code:
            case 0x20:
                accumulator = struct.unpack_from("=I", data, value)[0]
            case 0x15:
                counter += if_true if accumulator == value else if_false
            case 0x35:
                counter += if_true if accumulator >= value else if_false
            case 0x45:
                counter += if_true if accumulator & value else if_false
            case 0x54:
                accumulator &= value
            case 0x06:
                return value
            case _:
                raise AssertionError(f"unexpected instruction {code:#x}")


def verdict(machine: str, name: str, *arguments: int) -> int:
    architecture = seccomp.ARCHITECTURES[machine]
    return judge(seccomp.assemble(machine), architecture.audit, architecture.calls[name], *arguments)


def refused(number: int) -> int:
    return 0x00050000 | number


@pytest.mark.parametrize("machine", MACHINES)
def test_every_denied_call_is_denied(machine: str) -> None:
    calls = seccomp.ARCHITECTURES[machine].calls
    names = [name for name in seccomp.DENIED if name in calls]
    assert {"ptrace", "bpf", "mount", "unshare", "setns", "io_uring_setup", "keyctl", "userfaultfd"} <= set(names)
    assert {verdict(machine, name) for name in names} == {refused(errno.EPERM)}
    assert {verdict(machine, name) for name in seccomp.ABSENT} == {refused(errno.ENOSYS)}


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("socket", (1, 1, 0), ALLOW),
        ("socket", (1, 5, 0), ALLOW),
        ("socket", (2, 1 | 0o2000000 | 0o4000, 0), ALLOW),
        ("socket", (10, 2, 17), ALLOW),
        ("socket", (2, 1, 262), ALLOW),
        ("socket", (16, 3, 0), ALLOW),
        ("socket", (2, 3, 1), refused(errno.EPERM)),
        ("socket", (10, 3 | 0o2000000, 58), refused(errno.EPERM)),
        ("socket", (2, 10, 0x300), refused(errno.EPERM)),
        ("socket", (2, 2, 1), refused(errno.EPROTONOSUPPORT)),
        ("socket", (2, 1, 132), refused(errno.EPROTONOSUPPORT)),
        ("socket", (16, 3, 12), refused(errno.EPROTONOSUPPORT)),
        *[("socket", (family, 1, 0), refused(errno.EAFNOSUPPORT)) for family in (0, 3, 9, 17, 21, 29, 31, 38, 40, 44)],
        ("socket", (1 << 32 | 40, 1, 0), refused(errno.EAFNOSUPPORT)),
        ("clone", (0x01200011,), ALLOW),
        ("clone", (0x003D0F00,), ALLOW),
        *[("clone", (bit | 17,), refused(errno.EPERM)) for bit in (1 << 17, 1 << 25, 1 << 26, 1 << 27)],
        *[("clone", (bit | 17,), refused(errno.EPERM)) for bit in (1 << 28, 1 << 29, 1 << 30)],
        ("ioctl", (0, 0x5401), ALLOW),
        ("ioctl", (0, 0x5412), refused(errno.EPERM)),
        ("ioctl", (0, 0xFFFFFFFF00005412), refused(errno.EPERM)),
        ("ioctl", (0, 0x541C), refused(errno.EPERM)),
        ("fchmod", (3, 0o755), ALLOW),
        ("fchmod", (3, 0o4755), refused(errno.EPERM)),
        ("fchmodat", (3, 0, 0o2755), refused(errno.EPERM)),
        ("fchmodat2", (3, 0, 0o4755, 0), refused(errno.EPERM)),
        ("openat", (3, 0, 0o100 | 1, 0o644), ALLOW),
        ("openat", (3, 0, 0, 0o7777), ALLOW),
        ("openat", (3, 0, 0o100 | 1, 0o4755), refused(errno.EPERM)),
        ("openat", (3, 0, 0o20200000, 0o4755), refused(errno.EPERM)),
        ("mknodat", (3, 0, 0o104755), refused(errno.EPERM)),
    ],
)
def test_arguments(machine: str, name: str, arguments: tuple[int, ...], expected: int) -> None:
    assert verdict(machine, name, *arguments) == expected


def test_another_instruction_set_kills() -> None:
    assert judge(seccomp.assemble("x86_64"), 0x40000003, 1) == KILL
    assert judge(seccomp.assemble("aarch64"), 0xC000003E, 1) == KILL


def test_x32_is_not_there() -> None:
    program = seccomp.assemble("x86_64")
    assert judge(program, 0xC000003E, 0x40000000 + 41, 1, 1, 0) == refused(errno.ENOSYS)
    assert judge(program, 0xC000003E, 0xFFFFFFFF) == refused(errno.ENOSYS)


@settings(max_examples=200, deadline=None)
@given(number=st.integers(0, 2000), arguments=st.lists(st.integers(0, 2**64 - 1), min_size=6, max_size=6))
def test_every_input_ends(number: int, arguments: list[int]) -> None:
    for machine in MACHINES:
        audit = seccomp.ARCHITECTURES[machine].audit
        outcome = judge(seccomp.assemble(machine), audit, number, *arguments)
        assert outcome == ALLOW or outcome & 0xFFFF0000 == 0x00050000


def test_an_unknown_machine_is_refused() -> None:
    with pytest.raises(MissingError, match="riscv64"):
        seccomp.assemble("riscv64")


def test_the_filter_fits_the_kernel() -> None:
    assert all(len(seccomp.assemble(machine)) // 8 <= 4096 for machine in MACHINES)
