"""One command in a box: launched, released once its sockets are served, waited for, killed."""

from __future__ import annotations

import platform
import signal
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from comptroller.core.errors import RefusedError
from comptroller.enforce.sandbox import (
    cgroup,
    init_config,
    linux_unsafe,
    missing,
    newborn,
    scope_unsafe,
    seccomp,
    toolchain,
    view,
)
from comptroller.enforce.sandbox.cgroup import Cgroup
from comptroller.enforce.sandbox.limits import WATCHED, Breach
from comptroller.enforce.sandbox.stubs import Stubs
from comptroller.enforce.sandbox.view import BoxSpec, View
from comptroller.enforce.sandbox.walk import UnmeasurableError
from comptroller.enforce.sandbox.watchdog import Costs, Watchdog


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxSocket:
    """A socket that lives in the box's network. `role` is `tcp` (a listener for everything that leaves; the original
    destination is asked of each accepted connection), `dns-udp` or `dns-tcp`; each exists for IPv4 and IPv6."""

    role: str
    socket: socket.socket


class Box:
    """A box from `launch` to `close`. Its command does not exist before `release`."""

    def __init__(
        self, child: linux_unsafe.Child, stubs: Stubs, plan: View, moment_ns: int, runtime: Mapping[str, str]
    ) -> None:
        self._child = child
        self._runtime = runtime
        self._cgroup: Cgroup | None = None
        self._watchdog: Watchdog | None = None
        self._stubs = stubs
        self._plan = plan
        self._moment_ns = moment_ns
        self._closed = False
        self.sockets: Sequence[BoxSocket] = tuple(BoxSocket(role=role, socket=item) for role, item in child.sockets)

    @classmethod
    def launch(cls, spec: BoxSpec) -> Self:
        """Bring up the box of `spec`, as far as possible without its command. Call it on the main thread.

        Raises `UsageError` (workspace, command), `MissingError` (this machine lacks something), or another
        `ComptrollerError` with exit code 125.
        """
        bwrap = missing.find_bwrap()
        program = seccomp.assemble(platform.machine())
        plan = view.plan(spec)
        moment_ns = time.time_ns()
        stubs = Stubs(plan.workspace)
        try:
            stubs.left(plan.leftovers)
            stubs.make(plan.stubs)
            child = linux_unsafe.start(
                bwrap=bwrap,
                interpreter=toolchain.interpreter(),
                steps=plan.steps,
                directory=plan.directory,
                config=init_config.build(plan, program),
                guarded=plan.guarded,
            )
        except linux_unsafe.StartError as error:
            stubs.close()
            raise missing.explain(error) from error
        except BaseException:
            stubs.close()
            raise
        return cls(child, stubs, plan, moment_ns, spec.inherited)

    def release(self) -> None:
        """Start the command. Only after whoever serves `sockets` is ready. Raises a `ComptrollerError` where a
        protected path is not what it should be, or the limits cannot be watched."""
        if any(name in WATCHED for name in self._plan.limits):
            self._watch()
        self._child.release()
        if self._watchdog is not None:
            self._watchdog.start()

    def _watch(self) -> None:
        """Everything that limits the box as a whole, before its command exists."""
        self._cgroup = self._group()
        try:
            self._watchdog = Watchdog(
                self._plan.limits,
                root=self._child.root,
                tmpfs=self._plan.tmpfs,
                places=self._plan.places,
                end=self._child.kill,
                cgroup=self._cgroup,
            )
        except (OSError, UnmeasurableError) as error:
            raise RefusedError(
                f"the limits of the box cannot be watched: {error}",
                hint="take `disk_bytes` out of `limits` in comptroller.yaml, or choose a smaller workspace",
            ) from error

    def _group(self) -> Cgroup | None:
        """A control group with the command's process in it; None where the watchdog has to do alone."""
        name = f"comptroller-{self._child.pid}-{self._moment_ns}"
        made = cgroup.make(self._plan.limits, name)
        if made is None:
            return scope_unsafe.ask(self._plan.limits, name, self._child.pid, environment=self._runtime)
        try:
            made.enter(self._child.pid)
        except OSError:
            made.close()
            return None
        return made

    @property
    def breach(self) -> Breach | None:
        """The limit that ended the box; None as long as none did. Complete after `close`."""
        return None if self._watchdog is None else self._watchdog.breach

    @property
    def costs(self) -> Costs | None:
        """What watching the limits cost; None where nothing is watched."""
        return None if self._watchdog is None else self._watchdog.costs

    @property
    def ender(self) -> int:
        """A descriptor of the process that the box dies with, for whoever must be able to end it without us."""
        return self._child.ender

    @property
    def reports(self) -> int:
        """A descriptor that is readable whenever `news` has something."""
        return self._child.guard.reports

    def news(self) -> tuple[Sequence[str], bool]:
        """Protected paths that were replaced from outside and covered anew; and False where one could not be, or the
        guard is gone: then the box has lost a wall and must be killed. Does not wait."""
        return self._child.guard.news()

    def repositories(self) -> newborn.Found:
        """Git repositories that were made or changed in the workspace, other than the protected ones. To be asked when
        the box has ended; looks through the whole workspace."""
        return newborn.changed_since(self._plan.workspace, self._moment_ns, known=self._plan.repositories)

    def wait(self) -> int:
        """Wait for the end; the command's exit code, 128 + N on a signal."""
        return self._child.wait()

    def signal(self, number: int) -> None:
        """Send a signal to the command."""
        self._child.signal(number)

    def terminate(self) -> None:
        """Ask the command to end."""
        self.signal(signal.SIGTERM)

    def kill(self) -> None:
        """End every process in the box now."""
        self._child.kill()

    def close(self) -> None:
        """Kill what still lives, give the terminal back, remove stubs. Safe to call twice."""
        if self._closed:
            return
        self._closed = True
        self._child.kill()
        self._child.wait()
        if self._watchdog is not None:
            self._watchdog.close()
            self._watchdog.last_look()
        if self._cgroup is not None:
            self._cgroup.close()
        self._child.close()
        self._stubs.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
