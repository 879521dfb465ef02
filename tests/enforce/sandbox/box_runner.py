"""Launches one box and, if asked, answers for its sockets; run as a program of its own so that its output is the box's.

Arguments: a JSON document {argv, workspace, config?, give?, read_only?, private?, serve?, limits?}. With `serve`
every TCP connection is answered with the destination it asked for, and every DNS query with 198.18.1.1.
"""

import json
import os
import select
import signal
import socket
import struct
import sys
import threading
import time
from pathlib import Path

from comptroller.enforce.sandbox import Box, BoxSpec
from comptroller.enforce.sandbox.bwrap import Device
from comptroller.enforce.sandbox.passage_unsafe import Passage


def destination(connection):
    family = connection.family
    level, offset = (socket.SOL_IP, 4) if family == socket.AF_INET else (socket.IPPROTO_IPV6, 8)
    raw = connection.getsockopt(level, 80, 28)
    size = 4 if family == socket.AF_INET else 16
    return f"{socket.inet_ntop(family, raw[offset : offset + size])} {struct.unpack('!H', raw[2:4])[0]}"


def serve_tcp(listener, role):
    while True:
        connection, _ = listener.accept()
        with connection:
            connection.sendall(f"{role} {destination(connection)}".encode())


def serve_dns(listener):
    while True:
        query, peer = listener.recvfrom(4096)
        end = query.index(b"\0", 12) + 5
        kind = struct.unpack("!H", query[end - 4 : end - 2])[0]
        answer = b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04" + bytes([198, 18, 1, 1]) if kind == 1 else b""
        head = query[:2] + b"\x81\x80\0\x01" + struct.pack("!HHH", 1 if answer else 0, 0, 0)
        listener.sendto(head + query[12:end] + answer, peer)


def enter(box, asked):
    """Talk to a server in the box from outside, once it listens, and print what it says."""
    with Passage(box.sockets[0].socket) as passage:
        powers = Path(f"/proc/{passage.pid}/status").read_text()
        print("powers", powers.split("CapEff:\t")[1].split("\n")[0], flush=True)
        while True:
            made = passage.socket(ipv6=asked.get("ipv6", False))
            try:
                made.connect(("::1" if asked.get("ipv6") else "127.0.0.1", asked["port"]))
                break
            except ConnectionRefusedError:
                made.close()
                time.sleep(0.02)
        with made:
            made.sendall(asked["say"].encode())
            made.shutdown(socket.SHUT_WR)
            print("heard", made.makefile().read(), flush=True)
        os.kill(passage.pid, signal.SIGKILL)
        try:
            passage.socket()
        except OSError:
            print("closed", passage.stands, flush=True)


GUARDED = threading.Event()


def listen(box):
    """Print what the guard says; a box that lost it is killed, as `run` does."""
    while True:
        select.select([box.reports], [], [])
        paths, standing = box.news()
        if not GUARDED.is_set() and standing:
            print("guarded", flush=True)
            GUARDED.set()
        for path in paths:
            print("news" if standing else "lost", path, flush=True)
        if not standing:
            box.kill()
            return


def main():
    asked = json.loads(sys.argv[1])
    status = dict(line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":\t" in line)
    if os.getuid() != 0 and int(status["CapEff"], 16) != 0:
        sys.exit("an ordinary user has capabilities: this would prove nothing")
    spec = BoxSpec(
        argv=tuple(asked["argv"]),
        workspace=Path(asked["workspace"]),
        authority_pem=asked.get("authority", "-----BEGIN CERTIFICATE-----\nours\n-----END CERTIFICATE-----\n"),
        config=Path(asked["config"]) if asked.get("config") else None,
        environment=asked.get("give", {}),
        inherited=dict(os.environ),
        private=tuple(Path(name) for name in asked.get("private", ())),
        read_only=tuple(Path(name) for name in asked.get("read_only", ())),
        limits=asked.get("limits", {}),
        fixed=tuple(Path(name) for name in asked.get("fixed", ())),
        masked=tuple(Path(name) for name in asked.get("masked", ())),
        inherit=tuple(asked.get("inherit", ())),
        devices=tuple(Device(source=source, target=target) for source, target in asked.get("devices", ())),
    )
    with Box.launch(spec) as box:
        if asked.get("serve"):
            for item in box.sockets:
                target, arguments = (
                    (serve_dns, (item.socket,)) if item.role == "dns-udp" else (serve_tcp, (item.socket, item.role))
                )
                threading.Thread(target=target, args=arguments, daemon=True).start()
        if asked.get("announce"):
            print("up", flush=True)
        if asked.get("news"):
            threading.Thread(target=listen, args=(box,), daemon=True).start()
            GUARDED.wait(30)
        box.release()
        if asked.get("enter"):
            enter(box, asked["enter"])
        code = box.wait()
    if box.breach is not None:
        print("breach", box.breach.limit, box.breach.used, box.breach.why)
    if asked.get("repositories"):
        for folder in box.repositories().folders:
            print("repository", folder)
    sys.stdout.flush()
    os._exit(code)


main()
