"""What the attacks share: how they are named, how they are tried, and small ways to do harm."""

# ruff: noqa: BLE001, S, SIM115
# mypy: ignore-errors

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import socket
import subprocess

BAIT = {}
LIBC = ctypes.CDLL(None, use_errno=True)
X86 = platform.machine() == "x86_64"
SECONDS = 3.0
TOLD_MAX = 3
ATTACKS = []


class Blocked(Exception):
    """The attack came to nothing; the text says how it looked."""


def attack(group, name):
    """Registers an attack."""

    def register(function):
        ATTACKS.append((group, name, function))
        return function

    return register


def each(group, pattern, items):
    """Registers one attack for each item: name -> arguments."""

    def register(function):
        for name, arguments in items.items():
            values = arguments if isinstance(arguments, tuple) else (arguments,)
            ATTACKS.append((group, pattern.format(name), lambda values=values: function(*values)))
        return function

    return register


def later(group, pattern, find):
    """As `each`, for items that only the bait tells."""

    def register(function):
        ATTACKS.append((group, pattern, lambda: every(function, find())))
        return function

    return register


def every(function, items):
    """Tries all of them; got through where one does."""
    told = []
    for number, item in enumerate(items, 1):
        name = f"way {number}" if callable(item) else item
        try:
            return f"{name}: {function(item)}"
        except Exception as error:
            told.append(f"{name}: {error}")
    raise Blocked("; ".join(told[:TOLD_MAX]) or "nothing there")


def call(number, *arguments):
    """A system call by number. Raises OSError."""
    given = [ctypes.c_long(item) for item in (*arguments, *[0] * (6 - len(arguments)))]
    result = LIBC.syscall(ctypes.c_long(number), *given)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def in_child(function):
    """A call that may be answered by death."""
    child = os.fork()
    if child == 0:
        try:
            function()
        except BaseException:
            os._exit(1)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    if status:
        raise Blocked(f"the process ended with {status}")
    return "survived"


def found(what):
    """What was found; raises where there is nothing."""
    if not what:
        raise Blocked("nothing there")
    return what


def read(path, size=200):
    with open(path, "rb") as file:
        return found(file.read(size))


def text(path):
    """A small file's text."""
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def status():
    """What the kernel says of this process."""
    return dict(line.split(":\t", 1) for line in text("/proc/self/status").splitlines() if ":\t" in line)


def resolver():
    """The box's own name server."""
    return next(line.split()[1] for line in text("/etc/resolv.conf").splitlines() if line.startswith("nameserver"))


def write(path, text="x"):
    with open(path, "w") as file:
        file.write(text)
    return f"wrote {path}"


def append(path, text="x"):
    with open(path, "a") as file:
        file.write(text)
    return f"wrote to {path}"


def run(*argv, **options):
    """A program's output. Raises where it fails or is not there."""
    done = subprocess.run(argv, capture_output=True, timeout=20, **options)
    if done.returncode:
        raise Blocked(done.stderr.decode(errors="replace").strip()[:200] or f"exit {done.returncode}")
    return done.stdout.decode(errors="replace")[:200]


def talk(family, kind, address, send=b"x", size=300):
    """Sends and receives once. Raises where nothing is answered."""
    with socket.socket(family, kind) as connection:
        connection.settimeout(SECONDS)
        connection.connect(address)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(send)  # who answers and closes at once was reached all the same
        return found(connection.recv(size))


def fetch(host, path="/", headers="", port=80, address=None):
    """Status and body of a plain HTTP request. Raises where the gateway answered by itself."""
    request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\r\n".encode()
    with socket.create_connection((address or host, port), timeout=SECONDS) as connection:
        connection.settimeout(SECONDS)
        answer = b""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(request)
            while piece := connection.recv(4096):
                answer += piece
    head, _, body = answer.partition(b"\r\n\r\n")
    if not head or b"x-comptroller-reason" in head.lower() or b"comptroller" in body.lower():
        raise Blocked(head.split(b"\r\n")[0].decode(errors="replace") or "closed without an answer")
    return answer[:200].decode(errors="replace")
