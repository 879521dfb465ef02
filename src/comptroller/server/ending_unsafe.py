"""Ends a box from the server's side, where the `run` that holds it does not answer: by descriptors of processes."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import struct

from comptroller.server.channel import ChannelError

_UCRED = struct.Struct("iII")


class Ending:
    """What a run handed over to be ended by: the process that its box dies with. Closed with `close`."""

    def __init__(self, descriptor: int) -> None:
        """Takes the descriptor. Raises `ChannelError` where it is not one of a process; then it is closed."""
        try:
            # Signal 0 is only asked about: for what is no process it is EBADF.
            signal.pidfd_send_signal(descriptor, 0)
        except ProcessLookupError:
            pass
        except OSError as error:
            os.close(descriptor)
            raise ChannelError("what was handed over to end the box by is no process of this user") from error
        self._descriptor = descriptor

    def now(self) -> None:
        """End it, stopped or not."""
        with contextlib.suppress(OSError):
            signal.pidfd_send_signal(self._descriptor, signal.SIGKILL)

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self._descriptor)


def wake(connection: socket.socket) -> None:
    """Let the process at the other end go on, if somebody stopped it: it has to hear that it is killed."""
    with contextlib.suppress(OSError):
        pid, _, _ = _UCRED.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
        if pid > 0:
            descriptor = os.pidfd_open(pid)
            try:
                # Whoever has this number is still the one who connected as long as the connection is open.
                if not _hung_up(connection):
                    signal.pidfd_send_signal(descriptor, signal.SIGCONT)
            finally:
                os.close(descriptor)


def _hung_up(connection: socket.socket) -> bool:
    try:
        return connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
