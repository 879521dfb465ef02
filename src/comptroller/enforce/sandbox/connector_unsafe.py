"""Makes sockets in a box's network for `run`, which connects them: the way in through a published port.

Stands in the box's network and user namespace and in nothing else of it: outside its processes and files, so that
nothing in the box sees it or can end it. Standard library only; run on a descriptor, like the guard. It can make TCP
sockets and nothing more; a socket made here reaches what the box itself reaches.
"""

from __future__ import annotations

# Only modules that load in a moment.
import _socket
import ctypes
import os
import struct
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS, _SIGKILL = 1, 38, 9
_CAPABILITY_VERSION_3 = 0x20080522
FAMILIES = {b"4": _socket.AF_INET, b"6": _socket.AF_INET6}
"""What may be asked for, one byte each."""

_libc = ctypes.CDLL(None, use_errno=True)


def main() -> NoReturn:
    """Arguments: descriptors of the user namespace, the network namespace and the control socket; then the parent."""
    user, network, control_number, parent = (int(word) for word in sys.argv[1:5])
    control = _socket.socket(fileno=control_number)
    _libc.prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(0)
    try:
        _call(_libc.setns, user, _CLONE_NEWUSER)
        _call(_libc.setns, network, _CLONE_NEWNET)
        # From here on it holds no power over the box either.
        _call(_libc.capset, struct.pack("=Ii", _CAPABILITY_VERSION_3, 0), bytes(24))
        _call(_libc.prctl, _PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        # Joining the namespace took the parent-death signal away.
        _call(_libc.prctl, _PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0)
    except OSError as error:
        control.sendall(f"!{error}"[:200].encode())
        os._exit(1)
    os.close(user)
    os.close(network)
    control.sendall(b"+")
    while asked := control.recv(1):
        _make(control, FAMILIES.get(asked))
    os._exit(0)


def _make(control: _socket.socket, family: int | None) -> None:
    """Answer one question: a socket, or `!` where there is none to be had."""
    if family is None:
        os._exit(2)
    try:
        made = _socket.socket(family, _socket.SOCK_STREAM)
    except OSError:
        control.sendall(b"!")
        return
    descriptor = struct.pack("=i", made.fileno())
    control.sendmsg([b"+"], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, descriptor)])
    made.close()


def _call(function: Any, *arguments: Any) -> None:
    if function(*arguments) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


if __name__ == "__main__":
    main()
