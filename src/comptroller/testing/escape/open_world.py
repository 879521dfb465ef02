"""A machine without walls, made of namespaces: every attack is tried here to show that it can succeed.

Run by bubblewrap with capabilities over namespaces of its own. Everything the attacks aim at stands inside with them:
an internet that answers, a person's home, other processes, devices. Prints what the attacks print. Nothing outside is
in reach: it is started by `command`, as an ordinary user.
"""

# mypy: ignore-errors

from __future__ import annotations

import contextlib
import http.server
import json
import os
import socket
import socketserver
import struct
import subprocess
import sys
import threading
from pathlib import Path

from comptroller.enforce.sandbox import netlink
from comptroller.testing.escape.bait import Bait

GROUPS = ["sockets", "machine", "network", "dns", "system calls", "privileges", "processes", "files", "later"]
"""All but the starvation of a server, of which there is none."""
SHOWN_ETC = ("alternatives", "ld.so.cache", "passwd", "ssh", "nsswitch.conf")
HTTP_PORTS = (80, 443, 31337, 8443, 25, 3333, 9080)


def command(*, bwrap, python, source, folder, plain=False):
    """How to start it: `folder` is writable and holds this file's world, `source` is Comptroller's. `plain` takes the
    capabilities from the attacks, as an ordinary user has none."""
    shown = [word for name in SHOWN_ETC if Path("/etc", name).exists() for word in ("--ro-bind", *[f"/etc/{name}"] * 2)]
    root = folder / "comptroller-open"
    program = source / "comptroller" / "testing" / "escape" / "open_world.py"
    return [
        *(str(bwrap), "--unshare-all", "--as-pid-1", "--die-with-parent", "--uid", "0", "--gid", "0"),
        *("--cap-add", "ALL", "--ro-bind", "/", "/", "--tmpfs", "/etc", *shown),
        *(word for name in ("srv", "opt", "run", "sys", "tmp") for word in ("--tmpfs", f"/{name}")),
        *("--proc", "/proc", "--dev", "/dev", "--bind", str(folder), str(folder), "--ro-bind", str(source)),
        *(str(source), str(python), str(program), str(root), "plain" if plain else "powerful"),
        *(str(root / "state" / "log.key"), "comptroller"),
    ]


def send(batch):
    """As the init of a box builds its network: every address there is lies on the loopback device."""
    link = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, batch.protocol)
    with link:
        link.bind((0, 0))
        link.settimeout(5)
        link.send(batch.data)
        missing = batch.acks
        while missing > 0:
            reply = link.recv(65536)
            while len(reply) >= 20:
                length, kind = struct.unpack("=IH", reply[:6])
                if kind == 2:
                    missing -= 1
                    code = struct.unpack("=i", reply[16:20])[0]
                    assert code == 0, os.strerror(-code)
                reply = reply[max(length + 3 & ~3, 16) :]


class Web(http.server.BaseHTTPRequestHandler):
    """Says yes to everything; a proxy that forwards to loopback."""

    protocol_version = "HTTP/1.0"

    def do_GET(self):
        host = self.path if self.path.startswith("http://127") else (self.headers.get_all("Host") or [""])[-1]
        port = host.removeprefix("http://").strip("/").partition(":")[2]
        body = b"open"
        if "127.0.0.1" in host and port.isdigit():
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", int(port)), 2) as link:
                body = link.recv(300)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def do_CONNECT(self):
        with socket.create_connection(("127.0.0.1", int(self.path.rpartition(":")[2])), 2) as link:
            self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n" + link.recv(300))

    def handle(self):
        if self.rfile.peek(1)[:1] == b"\x05":
            self.connection.sendall(b"\x05\0")
        else:
            super().handle()
        with contextlib.suppress(OSError):
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_WR)
            self.connection.settimeout(0.5)
            # Closing with something unread would take back what was said.
            while self.connection.recv(4096):
                pass

    def log_message(self, *_):
        pass


class Web6(socketserver.ThreadingTCPServer):
    """On both families."""

    address_family = socket.AF_INET6
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 2000


class Ssh(socketserver.BaseRequestHandler):
    """Says who it is."""

    def handle(self):
        self.request.sendall(b"SSH-2.0-open\r\n")
        self.request.recv(100)


def answer(query):
    """One record for every question: an address, or something as long as a tunnel needs."""
    end = query.index(b"\0", 12) + 5
    kind = query[end - 4 : end - 2]
    if kind == b"\0\x1c":
        return query[:2] + b"\x81\x80\0\1\0\0\0\0\0\0" + query[12:end]
    data = socket.inet_aton("192.0.2.99") if kind == b"\0\1" else b"\x0bhello there"
    record = b"\xc0\x0c" + kind + b"\0\1\0\0\0\x3c" + struct.pack("!H", len(data)) + data
    return query[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + query[12:end] + record


class Dns(socketserver.BaseRequestHandler):
    """A resolver over TCP."""

    def handle(self):
        data = self.request.recv(4096)
        said = answer(data[2:])
        self.request.sendall(struct.pack("!H", len(said)) + said)


def datagrams(port):
    """A server of datagrams: a resolver, or an echo."""
    link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    link.bind(("0.0.0.0", port))
    # Answered from the address that was asked: a connected client takes no other.
    link.setsockopt(socket.SOL_IP, 8, 1)
    while True:
        data, ancillary, _, peer = link.recvmsg(4096, 200)
        where = next(content for level, kind, content in ancillary if (level, kind) == (socket.SOL_IP, 8))
        info = struct.pack("=I4s4s", 0, where[8:12], b"\0" * 4)
        link.sendmsg([answer(data) if port == 53 else b"pong"], [(socket.SOL_IP, 8, info)], 0, peer)


def internet():
    """Addresses, and servers on all of them."""
    for batch in (*netlink.routes_v4(), *netlink.routes_v6()):
        send(batch)
    for ports, handler in ((HTTP_PORTS, Web), ((22,), Ssh), ((53,), Dns)):
        for port in ports:
            threading.Thread(target=Web6(("::", port), handler).serve_forever, daemon=True).start()
    for port in (53, 443, 9999):
        threading.Thread(target=datagrams, args=(port,), daemon=True).start()


def machine(bait):
    """What a machine has and a box does not."""
    for name in (
        *("/dev/nvidia0", "/dev/dri/card0", "/dev/accel0", "/dev/mem", "/dev/sda", "/dev/kvm", "/dev/net/tun"),
        *("/dev/tty0", "/dev/fuse", "/etc/shadow", "/sys/kernel/uevent_helper", "/sys/fs/cgroup/cgroup.procs"),
        *("/etc/cron.d/0", "/etc/machine-id", "/etc/sudoers", "/dev/shm/x"),
    ):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text("made up\n")
    Path("/etc/hosts").write_text("127.0.0.1 localtest.me\n")
    Path("/etc/resolv.conf").write_text("nameserver 198.51.100.53\n")
    with contextlib.suppress(OSError):
        Path("/proc/sys/net/ipv4/ping_group_range").write_text("0 0")
    for path in ("/run/docker.sock", *(f"/run/user/{os.getuid()}/{name}" for name in ("bus",))):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        bait._stream(path, socket.AF_UNIX, path)


def main():
    """Lay everything out, attack, look afterwards."""
    root = Path(sys.argv[1])
    internet()
    bait = Bait(root)
    bait.prepare()
    (bait.workspace / "policies").mkdir()
    for name in ("comptroller.yaml", "policies/starter.cedar"):
        (bait.workspace / name).write_text("# ours\n")
    machine(bait)
    state = root / "state" / "log.key"
    state.write_text("key\n")
    subprocess.run(["mount", "--bind", state.parent, state.parent], check=True)
    other = root / "other"
    (other / "other.py").write_text("other\n")
    bait.write_program(bait.workspace / "suspect")
    own = root / "environment" / "bin" / "python"
    own.parent.mkdir(parents=True)
    own.write_text("#!/bin/sh\n")
    places = {**bait.listen(), **bait.programs(), **bait.stand(), **bait.facts([state.parent, state])}
    told = {
        **places,
        "interpreter": [str(own)],
        "shown": [],
        "other": {
            "port": places["port"],
            "abstract": places["abstract"],
            "file": str(state),
            "shared": "x",
            "workspace": str(other),
        },
        "machine_id": "made up",
        "server_pid": os.getpid(),
        "outside_pid": os.getpid(),
        "patience": 5.0,
        "only": GROUPS,
    }
    document = bait.workspace / "bait.json"
    document.write_text(json.dumps(told))
    leak = os.open(root / "state", os.O_RDONLY)
    environment = {**os.environ, "GITHUB_TOKEN": bait.canary, "HOME": str(bait.home)}
    environment["SSH_AUTH_SOCK"] = str(root / "agent.sock")
    before = bait.watched()
    weaken = ["setpriv", "--inh-caps=-all", "--bounding-set=-all", "--no-new-privs"] if sys.argv[2] == "plain" else []
    done = subprocess.run(
        [*weaken, sys.executable, "-I", str(bait.workspace / "suspect"), str(document)],
        pass_fds=[leak], env=environment, cwd=bait.workspace, check=False,
    )  # fmt: skip
    outside = {
        "nothing on the machine was reached": bool(bait.touched),
        "nothing protected was changed": bait.watched() != before,
        "no process of the machine was ended": not bait.stands(),
        "no process was left behind": bool(bait.left_behind()),
    }
    for name, seen in outside.items():
        print(json.dumps({"name": name, "group": "outside", "blocked": not seen, "detail": ""}))
    sys.stdout.flush()
    os._exit(done.returncode)


if __name__ == "__main__":
    main()
