"""The way into a box from outside: sockets of its network, made by a program that stands outside its processes.

Which network that is, is asked of a socket the box's init made; nothing is looked up by name or process id.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import subprocess
import threading
from importlib import resources

from comptroller.core.errors import ComptrollerError
from comptroller.enforce.sandbox import toolchain

READY_SECONDS_MAX = 10.0
ANSWER_SECONDS_MAX = 5.0
_ANSWER_BYTES_MAX = 256
_SIOCGSKNS = 0x894C
"""`linux/sockios.h`: the network namespace a socket lives in."""
_NS_GET_USERNS = 0xB701
"""`linux/nsfs.h`: the user namespace that owns another namespace."""


class PassageError(ComptrollerError):
    """There is no way into the box; nothing was opened."""

    exit_code = 125


class Passage:
    """Makes sockets in the network of one box, until it is closed."""

    def __init__(self, box_socket: socket.socket) -> None:
        """`box_socket` is any socket of the box. Raises `PassageError`."""
        source = resources.files(__package__).joinpath("connector_unsafe.py").read_bytes()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        script = os.memfd_create("connector", os.MFD_CLOEXEC)
        opened = [script]
        try:
            os.write(script, source)
            network = fcntl.ioctl(box_socket.fileno(), _SIOCGSKNS)
            opened.append(network)
            user = fcntl.ioctl(network, _NS_GET_USERNS)
            opened.append(user)
            self._process = subprocess.Popen(  # noqa: S603
                [
                    *(str(toolchain.interpreter()), "-I", "-S", f"/proc/self/fd/{script}"),
                    *(str(number) for number in (user, network, theirs.fileno(), os.getpid())),
                ],
                pass_fds=[script, user, network, theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={},
                start_new_session=True,
            )
        except OSError as error:
            ours.close()
            raise PassageError(f"the box's network cannot be reached from outside: {error.strerror}") from error
        finally:
            theirs.close()
            for descriptor in opened:
                os.close(descriptor)
        self._control = ours
        self._asking = threading.Lock()
        ours.settimeout(READY_SECONDS_MAX)
        answer = b""
        with contextlib.suppress(OSError):
            answer = ours.recv(_ANSWER_BYTES_MAX)
        if answer != b"+":
            self.close()
            why = answer[1:].decode("utf-8", "replace") or "it ended early"
            raise PassageError(f"the box's network cannot be entered: {why}")
        ours.settimeout(ANSWER_SECONDS_MAX)

    @property
    def stands(self) -> bool:
        """False once it can make no more sockets."""
        return self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process that makes them; nothing in the box can see it."""
        return self._process.pid

    def socket(self, *, ipv6: bool = False) -> socket.socket:
        """A new TCP socket in the box's network, not connected yet. Raises `OSError` where none is to be had.

        May wait for a moment: call it on a thread.
        """
        with self._asking:
            try:
                self._control.sendall(b"6" if ipv6 else b"4")
                answer, descriptors, _, _ = socket.recv_fds(self._control, 1, 1, socket.MSG_CMSG_CLOEXEC)
            except OSError:
                # A late answer would be taken for the next one: it makes no more sockets.
                self.close()
                raise
        if answer != b"+" or len(descriptors) != 1:
            for descriptor in descriptors:
                os.close(descriptor)
            raise OSError("the box gave no socket")
        return socket.socket(fileno=descriptors[0])

    def close(self) -> None:
        """End it; sockets that were handed out go on. Safe to call twice."""
        self._process.kill()
        self._process.wait()
        self._control.close()

    def __enter__(self) -> Passage:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
