"""A command without a box, for machines that cannot make one: there is no wall, and nothing here pretends to be one.

All it does: an environment by the box's allow-list, with placeholders instead of keys, and an end with `run` as far as
the kernel lets a parent see its descendants. What the command reads, writes or connects to is not governed at all.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

from comptroller.core.errors import UsageError
from comptroller.enforce.sandbox import environment, newborn, trust
from comptroller.enforce.sandbox.box import BoxSocket
from comptroller.enforce.sandbox.view import BoxSpec, check_workspace

NOT_EXECUTABLE = 126
NOT_FOUND = 127
ROUNDS_MAX = 50
"""How often the descendants are looked for and killed: one that forks faster than that is not caught."""
LOOK_SECONDS = 0.01
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_PERSONS_OWN = ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR")


class Unboxed:
    """A command from `launch` to `close`, used like a `Box`. It has no sockets of ours and nothing guards its files."""

    def __init__(self, spec: BoxSpec, workspace: Path) -> None:
        self._spec = spec
        self._workspace = workspace
        self._moment_ns = time.time_ns()
        self._process: subprocess.Popen[bytes] | None = None
        self._code = NOT_FOUND
        self._others: frozenset[int] = frozenset()
        self._closed = False
        self.reports, self._reporting = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self.sockets: tuple[BoxSocket, ...] = ()

    @classmethod
    def launch(cls, spec: BoxSpec) -> Self:
        """Prepare the command of `spec`; nothing is started. Raises `UsageError`."""
        if not spec.argv or not spec.argv[0]:
            raise UsageError("there is no command to run", hint="comptroller run -- COMMAND [ARGUMENT…]")
        return cls(spec, check_workspace(spec.workspace, private=spec.private))

    def release(self) -> None:
        """Start the command, on the main thread: it ends with that thread."""
        libc = ctypes.CDLL(None)
        libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self._others = frozenset(_descendants(os.getpid()))

        def child() -> None:
            libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            signal.signal(signal.SIGTTOU, signal.SIG_DFL)

        directory = Path(os.path.realpath(self._spec.directory or self._workspace))
        try:
            self._process = subprocess.Popen(  # noqa: S603
                self._spec.argv,
                cwd=directory if directory.is_relative_to(self._workspace) else self._workspace,
                env=variables(self._spec),
                preexec_fn=child,
            )
        except FileNotFoundError:
            self._not_started(NOT_FOUND, "no such file or directory")
        except OSError as error:
            self._not_started(NOT_EXECUTABLE, os.strerror(error.errno or 0).lower())

    def _not_started(self, code: int, reason: str) -> None:
        print(f"comptroller [no box]: cannot run `{self._spec.argv[0]}`: {reason}", file=sys.stderr, flush=True)
        self._code = code

    def news(self) -> tuple[tuple[str, ...], bool]:
        """Nothing is guarded, so nothing is ever lost."""
        return (), True

    def repositories(self) -> newborn.Found:
        """Git repositories that were made or changed in the workspace."""
        return newborn.changed_since(self._workspace, self._moment_ns)

    def wait(self) -> int:
        """Wait for the command's end; its exit code, 128 + N on a signal."""
        if self._process is None:
            return self._code
        code = self._process.wait()
        return code if code >= 0 else 128 - code

    def signal(self, number: int) -> None:
        """Send a signal to the command."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(number)

    def terminate(self) -> None:
        """Ask the command to end."""
        self.signal(signal.SIGTERM)

    def kill(self) -> None:
        """End the command and every descendant that can be found. Without a box none of them can be held to it."""
        for _ in range(ROUNDS_MAX):
            found = [pid for pid in _descendants(os.getpid(), besides=self._others) if pid not in self._others]
            if not found:
                return
            for pid in found:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(LOOK_SECONDS)
            self._reap(found)

    def _reap(self, found: list[int]) -> None:
        """Collect orphans that are ours now; the command itself belongs to whoever waits for it."""
        for pid in found:
            if self._process is not None and pid == self._process.pid:
                continue
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)

    def close(self) -> None:
        """Kill what still lives. Safe to call twice."""
        if self._closed:
            return
        self._closed = True
        if self._process is not None:
            self.kill()
            self._process.wait()
        os.close(self.reports)
        os.close(self._reporting)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def variables(spec: BoxSpec) -> dict[str, str]:
    """What the command's environment holds: the box's allow-list and placeholders, the person's own home and path."""
    built = environment.build(spec.inherited, spec.environment, path=())
    ours = {name for name in trust.ENVIRONMENT if name not in spec.environment}
    own = {name: spec.inherited[name] for name in _PERSONS_OWN if spec.inherited.get(name)}
    kept = {name: value for name, value in built.items() if name not in ours and name != "HOSTNAME"}
    return {**kept, **own, **spec.environment, "COMPTROLLER_UNBOXED": "1"}


def _descendants(root: int, *, besides: frozenset[int] = frozenset()) -> list[int]:
    """Processes below `root` that still run, without the branches of `besides`; none where there is no `/proc`."""
    children: dict[int, list[int]] = {}
    with contextlib.suppress(OSError):
        for entry in os.scandir("/proc"):
            if not entry.name.isdigit():
                continue
            with contextlib.suppress(OSError):
                state, parent = Path(entry.path, "stat").read_text("utf-8", "replace").rsplit(") ", 1)[1].split()[:2]
                if state != "Z":
                    children.setdefault(int(parent), []).append(int(entry.name))
    found: list[int] = []
    waiting = [root]
    while waiting:
        below = [pid for pid in children.get(waiting.pop(), ()) if pid not in besides]
        found += below
        waiting += below
    return found
