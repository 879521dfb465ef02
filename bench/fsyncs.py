"""Counts the fsync and fdatasync calls of a running child, thread by thread, through ptrace: no tool to install."""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import signal
import threading
from pathlib import Path

_SEIZE, _SYSCALL, _DETACH, _INTERRUPT, _CONT = 0x4206, 24, 17, 0x4207, 7
_GET_SYSCALL_INFO, _SYSCALL_ENTRY = 0x420E, 1
_OPTIONS = 0x1 | 0x8  # PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE
_WALL = 0x40000000
_NUMBERS = {"x86_64": (74, 75), "aarch64": (82, 83)}


class _Info(ctypes.Structure):
    """The beginning of `struct ptrace_syscall_info`."""

    _fields_ = [
        ("op", ctypes.c_uint8),
        ("pad", ctypes.c_uint8 * 3),
        ("arch", ctypes.c_uint32),
        ("instruction_pointer", ctypes.c_uint64),
        ("stack_pointer", ctypes.c_uint64),
        ("number", ctypes.c_uint64),
        ("arguments", ctypes.c_uint64 * 6),
        ("more", ctypes.c_uint64 * 2),
    ]


class FsyncCounter:
    """Counts from `start` on; `count` may be read at any time. Raises `OSError` where tracing is not permitted."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._numbers = _NUMBERS.get(platform.machine(), ())
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
        self._libc.ptrace.restype = ctypes.c_long
        self._ready = threading.Event()
        self._failure: OSError | None = None
        self._thread = threading.Thread(target=self._trace, daemon=True)
        self.count = 0

    def start(self) -> None:
        """Seize every thread of the child."""
        if not self._numbers:
            raise OSError(errno.ENOSYS, f"system call numbers of {platform.machine()} are not known")
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            raise self._failure

    def join(self) -> None:
        """Wait until the child is gone."""
        self._thread.join(10)

    def _ptrace(self, request: int, tid: int, address: int = 0, data: int = 0) -> int:
        result = int(self._libc.ptrace(request, tid, address, data))
        if result < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return result

    def _trace(self) -> None:
        try:
            for task in Path(f"/proc/{self._pid}/task").iterdir():
                self._ptrace(_SEIZE, int(task.name), 0, _OPTIONS)
                self._ptrace(_INTERRUPT, int(task.name))
        except OSError as error:
            self._failure = error
            return
        finally:
            self._ready.set()
        while True:
            try:
                tid, status = os.waitpid(-1, _WALL)
            except ChildProcessError:
                return
            if not os.WIFSTOPPED(status):
                if tid == self._pid:
                    return
                continue
            self._resume(tid, status)

    def _resume(self, tid: int, status: int) -> None:
        stop = os.WSTOPSIG(status)
        event = status >> 16
        pass_on = 0
        if stop == signal.SIGTRAP | 0x80:
            info = _Info()
            self._ptrace(_GET_SYSCALL_INFO, tid, ctypes.sizeof(info), ctypes.addressof(info))
            if info.op == _SYSCALL_ENTRY and info.number in self._numbers:
                self.count += 1
        elif not event and stop != signal.SIGTRAP:
            pass_on = stop
        try:
            self._ptrace(_SYSCALL, tid, 0, pass_on)
        except OSError as error:
            if error.errno != errno.ESRCH:
                raise
