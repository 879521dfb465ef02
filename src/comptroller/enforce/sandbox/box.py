"""One command in a box: launched, released once its sockets are served, waited for, killed."""

from __future__ import annotations

import platform
import signal
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from comptroller.enforce.sandbox import init_config, linux_unsafe, missing, newborn, seccomp, toolchain, view
from comptroller.enforce.sandbox.stubs import Stubs
from comptroller.enforce.sandbox.view import BoxSpec, View


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxSocket:
    """A socket that lives in the box's network. `role` is `tcp` (a listener for everything that leaves; the original
    destination is asked of each accepted connection), `dns-udp` or `dns-tcp`; each exists for IPv4 and IPv6."""

    role: str
    socket: socket.socket


class Box:
    """A box from `launch` to `close`. Its command does not exist before `release`."""

    def __init__(self, child: linux_unsafe.Child, stubs: Stubs, plan: View, moment_ns: int) -> None:
        self._child = child
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
        return cls(child, stubs, plan, moment_ns)

    def release(self) -> None:
        """Start the command. Only after whoever serves `sockets` is ready. Raises a `ComptrollerError` where a
        protected path is not what it should be."""
        self._child.release()

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
        self._child.close()
        self._stubs.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
