"""Starts bubblewrap with the init in it and takes the box's sockets out of it. Nothing else may import this.

Descriptors, processes and terminal state: everything that is not a plain value lives here.
"""

from __future__ import annotations

import array
import contextlib
import marshal
import os
import select
import signal
import socket
import struct
import subprocess
import termios
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from comptroller.core.errors import ComptrollerError
from comptroller.enforce.sandbox import bwrap as layout

LAUNCH_SECONDS_MAX = 20
DEATH_SECONDS_MAX = 10
ANSWER_BYTES_MAX = 4096
SOCKETS_MAX = 16
NAMESPACES = 3
"""The init sends its user and its mount namespace and its root folder before the sockets."""
COMPLAINT_BYTES_MAX = 4096
REPORT_BYTES_MAX = 4096
POLL_MS = 100
_CREDENTIALS_BYTES = struct.calcsize("3i")
_SHIELD = 'trap "" INT QUIT HUP TERM; exec "$@"'
"""What the terminal sends to the whole foreground group is for the command alone: bubblewrap must survive it."""


class StartError(ComptrollerError):
    """The box did not come up. `stage` is `bwrap`, `network` or `guard`; the message is what was said."""

    exit_code = 125

    def __init__(self, message: str, *, stage: str) -> None:
        super().__init__(message)
        self.stage = stage


class _Contents:
    """Contents in memory; every descriptor handed out reads from the beginning, on its own."""

    def __init__(self) -> None:
        self._files: dict[bytes, int] = {}
        self.descriptors: list[int] = []

    def open(self, content: bytes) -> int:
        if len(content) > layout.FILE_BYTES_MAX:
            raise StartError("a file for the box is too large", stage="bwrap")
        if content not in self._files:
            descriptor = os.memfd_create("box", os.MFD_CLOEXEC)
            self._files[content] = descriptor
            view = memoryview(content)
            while view:
                view = view[os.write(descriptor, view) :]
        opened = os.open(f"/proc/self/fd/{self._files[content]}", os.O_RDONLY | os.O_CLOEXEC)
        self.descriptors.append(opened)
        return opened

    def close(self) -> None:
        for descriptor in (*self._files.values(), *self.descriptors):
            os.close(descriptor)


@dataclass(slots=True, kw_only=True)
class Guard:
    """The program that keeps protected paths covered; `reports` is readable when it has something to say."""

    process: subprocess.Popen[bytes]
    reports: int
    _buffer: bytes = b""
    _paths: list[str] = field(default_factory=list)
    _ready: bool = False
    _lost: bool = False

    def stands(self, seconds: float) -> bool:
        """Wait until it has looked at every protected path; False where one is not what it should be."""
        poller = select.poll()
        poller.register(self.reports, select.POLLIN)
        until = time.monotonic() + seconds
        while not self._ready and not self._lost and time.monotonic() < until:
            poller.poll(POLL_MS)
            self._read()
        return self._ready and not self._lost

    def news(self) -> tuple[tuple[str, ...], bool]:
        """Paths that were covered anew since the last question, and whether the guard still stands."""
        self._read()
        paths = tuple(self._paths)
        self._paths.clear()
        return paths, not self._lost

    def _read(self) -> None:
        try:
            while data := os.read(self.reports, REPORT_BYTES_MAX):
                self._buffer += data
            self._lost = True
        except BlockingIOError:
            pass
        *lines, self._buffer = self._buffer.split(b"\n")
        for text in (line.decode("utf-8", "surrogateescape") for line in lines):
            kind, _, rest = text.partition(" ")
            self._ready = self._ready or kind == "ready"
            self._lost = self._lost or kind == "lost"
            if rest:
                self._paths.append(rest)

    def close(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()
        os.close(self.reports)


@dataclass(slots=True, kw_only=True)
class Child:
    """A box that is up and waits for its release. `command` and `ender` are descriptors of processes: the command, and
    the one that the box dies with."""

    process: subprocess.Popen[bytes]
    control: socket.socket
    complaints: int
    command: int
    pid: int
    root: int
    ender: int
    sockets: tuple[tuple[str, socket.socket], ...]
    guard: Guard
    _terminal: list[object] | None = field(default=None)

    def release(self) -> None:
        """Let the init become the command, once the guard stands. Raises `StartError`."""
        if not self.guard.stands(LAUNCH_SECONDS_MAX):
            why = "; ".join(self.guard.news()[0]) or "the guard of protected paths did not come up"
            raise StartError(f"the box was not started: {why}", stage="guard")
        self.control.sendall(b"go")
        self.control.close()

    def signal(self, number: int) -> None:
        """Send a signal to the command itself, if it still lives."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.command, number)

    def kill(self) -> None:
        """End everything in the box and see it dead: with bubblewrap its process 1 dies, and with that all others."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        poller = select.poll()
        poller.register(self.command, select.POLLIN)
        if not poller.poll(DEATH_SECONDS_MAX * 1000):
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self.command, signal.SIGKILL)

    def wait(self) -> int:
        """The exit code of the command; 128 + N when a signal ended it."""
        code = self.process.wait()
        return code if code >= 0 else 128 - code

    def close(self) -> None:
        """Give back the descriptors and the terminal."""
        for _, item in self.sockets:
            item.close()
        self.control.close()
        os.close(self.complaints)
        os.close(self.command)
        os.close(self.root)
        os.close(self.ender)
        self.guard.close()
        if self._terminal is not None:
            _restore_terminal(self._terminal)


def start(
    *,
    bwrap: Path,
    interpreter: Path,
    steps: tuple[layout.Step, ...],
    directory: str,
    config: Mapping[str, Any],
    guarded: tuple[list[str], list[dict[str, Any]]],
) -> Child:
    """Bring a box up as far as its init: network built, sockets handed out, the command not yet there.

    Call it on a thread that outlives the box (the main one): the kernel ties the box's life to it. Raises `StartError`.
    """
    contents = _Contents()
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    complaints, complaining = os.pipe()
    os.set_blocking(complaints, False)
    opened = [complaining]
    process: subprocess.Popen[bytes] | None = None
    try:
        words = layout.options(steps, directory=directory, descriptor=contents.open)
        program = os.open(bwrap, os.O_PATH | os.O_CLOEXEC)
        sysctl = os.open("/proc/sys", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        errors = os.dup(2)
        opened += [program, sysctl, errors]
        source = resources.files(__package__).joinpath("init_unsafe.py").read_bytes()
        arguments, script = contents.open(layout.encode(words)), contents.open(source)
        # The command line stays readable in the box as /proc/1/cmdline: descriptors say nothing about the machine.
        command = [
            *("/bin/sh", "-c", _SHIELD, "sh", f"/proc/self/fd/{program}", "--args", str(arguments), "--"),
            *(str(interpreter), "-I", "-S", f"/proc/self/fd/{script}"),
            *(str(theirs.fileno()), str(sysctl), str(errors)),
        ]
        terminal = _terminal()
        process = subprocess.Popen(  # noqa: S603
            command,
            pass_fds=[*contents.descriptors, theirs.fileno(), program, sysctl, errors],
            stderr=complaining,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
        )
        theirs.close()
        os.close(complaining)
        opened.remove(complaining)
        ours.settimeout(LAUNCH_SECONDS_MAX)
        try:
            document = marshal.dumps(dict(config))
            ours.sendall(struct.pack("!I", len(document)) + document)
            answer, descriptors, pid = _receive(ours)
        except (OSError, ValueError) as error:
            process.kill()
            process.wait()
            raise StartError(_complaint(complaints) or f"the init did not answer: {error}", stage="bwrap") from error
        kind, _, rest = answer.partition(" ")
        roles = rest.split()
        if kind != "ready" or not roles or len(roles) + NAMESPACES != len(descriptors):
            for descriptor in descriptors:
                os.close(descriptor)
            raise StartError(rest or "the init sent no sockets", stage="network")
        *namespaces, root = descriptors[:NAMESPACES]
        numbers = descriptors[NAMESPACES:]
        opened += [*namespaces, root]
        sockets = tuple(socket.socket(fileno=descriptor) for descriptor in numbers)
        ours.settimeout(None)
        return Child(
            process=process,
            control=ours,
            complaints=complaints,
            command=os.pidfd_open(pid),
            pid=pid,
            root=os.dup(root),
            ender=os.pidfd_open(process.pid),
            sockets=tuple(zip(roles, sockets, strict=True)),
            guard=_guard(interpreter, guarded, namespaces, contents),
            _terminal=terminal,
        )
    except BaseException:
        if process is not None and process.returncode is None:
            process.kill()
            process.wait()
        ours.close()
        theirs.close()
        os.close(complaints)
        raise
    finally:
        contents.close()
        for descriptor in opened:
            os.close(descriptor)


def _guard(
    interpreter: Path, guarded: tuple[list[str], list[dict[str, Any]]], namespaces: list[int], contents: _Contents
) -> Guard:
    """Start the guard of a box that is up. `guarded`: the places, and the protected paths below them."""
    source = resources.files(__package__).joinpath("guard_unsafe.py").read_bytes()
    script, document = contents.open(source), contents.open(marshal.dumps(guarded))
    reports, reporting = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        process = subprocess.Popen(  # noqa: S603
            [
                *(str(interpreter), "-I", "-S", f"/proc/self/fd/{script}"),
                *(str(number) for number in (*namespaces, reporting, document, os.getpid())),
            ],
            pass_fds=[script, document, reporting, *namespaces],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={},
            start_new_session=True,
        )
    except BaseException:
        os.close(reports)
        raise
    finally:
        os.close(reporting)
    return Guard(process=process, reports=reports)


def _receive(control: socket.socket) -> tuple[str, list[int], int]:
    """The init's answer, the descriptors with it, and its process id as we see it."""
    space = socket.CMSG_SPACE(4 * SOCKETS_MAX) + socket.CMSG_SPACE(_CREDENTIALS_BYTES)
    data, ancillary, flags, _ = control.recvmsg(ANSWER_BYTES_MAX, space, socket.MSG_CMSG_CLOEXEC)
    descriptors = array.array("i")
    pid = 0
    for level, kind, content in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            descriptors.frombytes(content[: len(content) - len(content) % descriptors.itemsize])
        elif level == socket.SOL_SOCKET and kind == socket.SCM_CREDENTIALS:
            pid = struct.unpack("3i", content[:_CREDENTIALS_BYTES])[0]
    if not data.endswith(b"\n") or flags & socket.MSG_CTRUNC or pid <= 0:
        for descriptor in descriptors:
            os.close(descriptor)
        raise ValueError("it ended early" if not data else "its answer was cut")
    return data.decode("utf-8", "replace").strip(), list(descriptors), pid


def _complaint(descriptor: int) -> str:
    with contextlib.suppress(BlockingIOError):
        return os.read(descriptor, COMPLAINT_BYTES_MAX).decode("utf-8", "replace").strip()
    return ""


def _terminal() -> list[object] | None:
    try:
        return termios.tcgetattr(0)
    except termios.error:
        return None


def _restore_terminal(state: list[object]) -> None:
    """Take the terminal back from a command that made itself its foreground, or left it raw."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
    try:
        with contextlib.suppress(OSError, termios.error):
            if os.tcgetpgrp(0) == os.getpgrp() or not _alive(os.tcgetpgrp(0)):
                os.tcsetpgrp(0, os.getpgrp())
                termios.tcsetattr(0, termios.TCSADRAIN, state)  # type: ignore[arg-type]
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
