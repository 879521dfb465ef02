"""The first program in a box: builds its network, hands our sockets out, gives up every power, becomes the command.

Self-contained, standard library only: it is handed to the box's interpreter as a file descriptor (`-I -S`) and never
imported there. Nothing of it remains once the command runs. Any doubt ends it with 125 before the command exists.
"""

from __future__ import annotations

# Only modules that load in a moment: `socket`, `signal` and `json` would double the time a box takes to start.
import _socket
import ctypes
import marshal
import os
import resource
import struct
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

EXIT_NOT_STARTED = 125
EXIT_NOT_EXECUTABLE = 126
EXIT_NOT_FOUND = 127
CONFIG_BYTES_MAX = 8 << 20
REPLY_BYTES_MAX = 65536
BACKLOG = 1024
ANSWER_SECONDS_MAX = 5
SIGNALS_MAX = 65

_PR_SET_DUMPABLE, _PR_CAPBSET_DROP, _PR_SET_SECUREBITS = 4, 24, 28
_PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT, _PR_SET_SECCOMP = 38, 47, 22
_PR_CAP_AMBIENT_CLEAR_ALL, _SECCOMP_MODE_FILTER = 4, 2
_SECUREBITS = 0xC3  # no power from being root, none ambient, both for good
_CAPABILITY_VERSION_3 = 0x20080522
_CAPABILITIES_MAX = 64
_CLONE_NEWUSER = 0x10000000
_NLMSG_ERROR = 2
_SIG_SETMASK = 2
_IPV6_FREEBIND = 78

_libc = ctypes.CDLL(None, use_errno=True)


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


def main() -> NoReturn:
    """Serve one launch. The arguments are descriptors: the control socket, the machine's `/proc/sys`, and the standard
    error of the command (until now it is the launcher's, for what bubblewrap has to say)."""
    control_number, sysctl, errors = (int(word) for word in sys.argv[1:4])
    control = _socket.socket(fileno=control_number)
    os.dup2(errors, 2)
    # Written by the launcher, which runs on the same interpreter; nobody else has had this descriptor.
    config = marshal.loads(_receive(control))  # noqa: S302
    try:
        roles, sockets = _open_network(config, sysctl)
        namespaces = [os.open(f"/proc/self/ns/{name}", os.O_RDONLY) for name in ("user", "mnt")]
        namespaces.append(os.open("/", os.O_PATH | os.O_DIRECTORY))
    except OSError as error:
        control.sendall(f"error {error}\n".encode())
        os._exit(EXIT_NOT_STARTED)
    # The namespaces are for the guard, which stands outside and keeps protected paths covered; the root folder is for
    # the watchdog, which reads `/proc` as it is in here.
    numbers = [*namespaces, *(item.fileno() for item in sockets)]
    descriptors = struct.pack(f"={len(numbers)}i", *numbers)
    answer = f"ready {' '.join(roles)}\n".encode()
    control.sendmsg([answer], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, descriptors)])
    if control.recv(2) != b"go":
        os._exit(EXIT_NOT_STARTED)
    try:
        _become_nobody(config)
        _lock(config)
    except (OSError, ValueError) as error:
        print(f"comptroller: the box cannot be locked: {error}", file=sys.stderr, flush=True)
        os._exit(EXIT_NOT_STARTED)
    _execute(config["argv"], config["environment"])


def _receive(control: _socket.socket) -> bytes:
    """A length of four bytes, then that many. An end before that ends the box."""
    data = b""
    wanted = 4
    while len(data) < wanted:
        part = control.recv(min(wanted - len(data), 1 << 16))
        if not part:
            os._exit(EXIT_NOT_STARTED)
        data += part
        if len(data) == 4:
            wanted = 4 + struct.unpack("!I", data)[0]
            if wanted > CONFIG_BYTES_MAX:
                os._exit(EXIT_NOT_STARTED)
    return data[4:]


def _open_network(config: dict[str, Any], sysctl: int) -> tuple[list[str], list[_socket.socket]]:
    """Routes, redirection and our sockets. IPv6 is left out where the machine has none: then nothing speaks it."""
    for message in config["v4"]:
        _netlink(message)
    families = [(_socket.AF_INET, config["address_v4"])]
    try:
        for message in config["v6"]:
            _netlink(message)
        families.append((_socket.AF_INET6, config["address_v6"]))
    except OSError:
        pass
    try:
        descriptor = os.open("net/ipv4/ip_unprivileged_port_start", os.O_WRONLY, dir_fd=sysctl)
        os.write(descriptor, b"0")
        os.close(descriptor)
    except OSError:
        pass  # where this is refused the agent's own servers keep to ports above 1023
    for name, value in config["sysctls"].items():
        try:
            descriptor = os.open(name, os.O_WRONLY, dir_fd=sysctl)
            os.write(descriptor, str(value).encode("ascii"))
            os.close(descriptor)
        except OSError:
            pass  # refused before Linux 6.10 (`shmall`) and 6.14 (`pid_max`); the watchdog is alone then
    roles, sockets = [], []
    for family, address in families:
        for role, kind, port in (
            ("tcp", _socket.SOCK_STREAM, config["tcp_port"]),
            ("dns-udp", _socket.SOCK_DGRAM, config["dns_port"]),
            ("dns-tcp", _socket.SOCK_STREAM, config["dns_port"]),
        ):
            item = _socket.socket(family, kind)
            if family == _socket.AF_INET6:
                item.setsockopt(_socket.IPPROTO_IPV6, _IPV6_FREEBIND, 1)
            item.bind((address, port))
            if kind == _socket.SOCK_STREAM:
                item.listen(BACKLOG)
            roles.append(role)
            sockets.append(item)
    return roles, sockets


def _netlink(message: dict[str, Any]) -> None:
    """Send one batch and read as many answers as it asked for; any error is an `OSError` naming the protocol."""
    link = _socket.socket(_socket.AF_NETLINK, _socket.SOCK_RAW, message["protocol"])
    link.bind((0, 0))
    link.settimeout(ANSWER_SECONDS_MAX)
    link.send(message["data"])
    missing = message["acks"]
    while missing > 0:
        reply = link.recv(REPLY_BYTES_MAX)
        while len(reply) >= 20:
            length, kind = struct.unpack("=IH", reply[:6])
            if kind == _NLMSG_ERROR:
                missing -= 1
                code = -struct.unpack("=i", reply[16:20])[0]
                if code:
                    raise OSError(code, f"netlink protocol {message['protocol']}: {os.strerror(code)}")
            reply = reply[max(length + 3 & ~3, 16) :]
    link.close()


def _become_nobody(config: dict[str, Any]) -> None:
    """A user namespace of our own: in it nothing is held over the box's network, mounts or its process 1."""
    uid, gid = config["uid"], config["gid"]
    _call(_libc.unshare, _CLONE_NEWUSER)
    _call(_libc.prctl, _PR_SET_DUMPABLE, 1, 0, 0, 0)
    for name, value in (("setgroups", "deny"), ("uid_map", f"{uid} 0 1"), ("gid_map", f"{gid} 0 1")):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
            file.write(value)
    if (os.getuid(), os.getgid()) != (uid, gid):
        raise ValueError("the user of the box is not the one asked for")


def _lock(config: dict[str, Any]) -> None:
    """Close what is open, give up all capabilities for good, load the system call filter, and look whether it took."""
    program = config["filter"]
    for name, value in config["limits"].items():
        kind = getattr(resource, name)
        hard = resource.getrlimit(kind)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (value, value))
    os.closerange(3, 1 << 20)
    for number in range(1, SIGNALS_MAX):
        _libc.signal(number, None)  # SIG_DFL; the few that cannot be set need no setting
    _call(_libc.sigprocmask, _SIG_SETMASK, bytes(128), None)
    _call(_libc.prctl, _PR_SET_SECUREBITS, _SECUREBITS, 0, 0, 0)
    for capability in range(_CAPABILITIES_MAX):
        if _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
            break  # the first that the kernel does not know
    _call(_libc.prctl, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    header = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
    _call(_libc.capset, header, bytes(24))
    _call(_libc.prctl, _PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    _call(_libc.prctl, _PR_SET_DUMPABLE, 0, 0, 0, 0)
    buffer = ctypes.create_string_buffer(program)
    filter_ = _Program(len(program) // 8, ctypes.addressof(buffer))
    _call(_libc.prctl, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(filter_), 0, 0)
    with open("/proc/thread-self/status", encoding="ascii", errors="replace") as file:
        status = dict(line.split(":\t", 1) for line in file.read().splitlines() if ":\t" in line)
    powers = [int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")]
    if any(powers) or status["NoNewPrivs"] != "1" or status["Seccomp"] != "2":
        raise ValueError("powers remain")


def _call(function: Any, *arguments: Any) -> None:
    if function(*arguments) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def _execute(argv: list[str], environment: dict[str, str]) -> NoReturn:
    """Become the command, or say why not and end as `env` does: 127 when it is not there, else 126."""
    try:
        os.execvpe(argv[0], argv, environment)  # noqa: S606
    except FileNotFoundError:
        code, reason = EXIT_NOT_FOUND, "no such file or directory in the box"
    except OSError as error:
        code, reason = EXIT_NOT_EXECUTABLE, os.strerror(error.errno or 0).lower()
    print(f"comptroller: cannot run `{argv[0]}`: {reason}", file=sys.stderr, flush=True)
    os._exit(code)


if __name__ == "__main__":
    main()
