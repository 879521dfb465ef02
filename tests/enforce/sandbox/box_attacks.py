"""Runs inside a box: attacks that must fail. Prints JSON {name: what came of it}; `blocked …` is what it should be."""
# ruff: noqa: BLE001, SIM115

import contextlib
import ctypes
import json
import os
import platform
import socket
import subprocess
import sys

asked = json.loads(sys.argv[1])
libc = ctypes.CDLL(None, use_errno=True)
outcome = {}
X86 = platform.machine() == "x86_64"


def attack(name, function):
    try:
        result = function()
    except BaseException as error:
        outcome[name] = f"blocked {type(error).__name__} {error}"
    else:
        outcome[name] = f"ESCAPE {result!r}"


def call(number, *arguments):
    result = libc.syscall(ctypes.c_long(number), *[ctypes.c_long(item) for item in arguments])
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def reaches(family, kind, address):
    with socket.socket(family, kind) as connection:
        connection.settimeout(1)
        connection.connect(address)
        connection.send(b"x")
        got = connection.recv(100)
        if not got:
            raise OSError("closed without a byte")
        return got


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
        raise OSError(f"ended with {status}")
    return "survived"


def write(path, text="x"):
    with open(path, "w") as file:
        file.write(text)


def real(descriptor):
    with contextlib.suppress(OSError):
        return not os.readlink(f"/proc/self/fd/{descriptor}").startswith("/proc/")
    return False


def none(found):
    if not found:
        raise OSError("nothing there")
    return found


# sockets
for name, arguments in {
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
    "netfilter netlink": (16, socket.SOCK_RAW, 12),
    "uevent netlink": (16, socket.SOCK_RAW, 15),
    "ping": (socket.AF_INET, socket.SOCK_DGRAM, 1),
    "sctp": (socket.AF_INET, socket.SOCK_STREAM, 132),
}.items():
    attack(f"socket {name}", lambda arguments=arguments: socket.socket(*arguments))

# system calls: numbers above 424 are the same everywhere
numbers = {"io_uring_setup": 425, "open_tree": 428, "fsopen": 430, "clone3": 435, "pidfd_getfd": 438}
numbers |= (
    {"ptrace": 101, "bpf": 321, "keyctl": 250, "add_key": 248, "userfaultfd": 323, "perf_event_open": 298}
    | {"mount": 165, "umount2": 166, "pivot_root": 155, "setns": 308, "unshare": 272, "chroot": 161}
    | {"process_vm_readv": 310, "open_by_handle_at": 304, "kexec_load": 246, "init_module": 175, "reboot": 169}
    if X86
    else {"ptrace": 117, "bpf": 280, "keyctl": 219, "mount": 40, "setns": 268, "unshare": 97, "userfaultfd": 282}
)
for name, number in numbers.items():
    attack(f"call {name}", lambda number=number: call(number, 0, 0, 0, 0, 0))
attack("call unshare user", lambda: call(numbers["unshare"], 0x10000000))
attack("call unshare net", lambda: call(numbers["unshare"], 0x40000000))
attack("call clone newuser", lambda: call(56 if X86 else 220, 0x10000000 | 17, 0, 0, 0, 0) or os._exit(0))
if X86:
    attack("x32 socket", lambda: in_child(lambda: call(0x40000000 + 41, 2, 1, 0)))
    attack("int 0x80", lambda: subprocess.run([asked["int80"]], check=True, capture_output=True))

# the terminal, set-user-id
attack("TIOCSTI", lambda: __import__("fcntl").ioctl(0, 0x5412, b"x"))
attack("set-user-id", lambda: (write("own"), os.chmod("own", 0o4755)))
attack("set-user-id at birth", lambda: os.close(os.open("born", os.O_CREAT | os.O_WRONLY, 0o6755)))

# other processes and process 1
attack("kill process 1", lambda: in_child(lambda: (os.kill(1, 9), os.kill(1, 0), (_ for _ in ()).throw(OSError()))))
for name in ("mem", "environ", "root", "fd", "cwd", "exe", "maps", "ns/net"):

    def reach(name=name):
        path = f"/proc/1/{name}"
        if name == "root":
            return os.listdir(path)
        if name == "fd":
            return [os.readlink(f"{path}/{number}") for number in os.listdir(path)]
        if name in ("cwd", "exe", "ns/net"):
            return os.readlink(path)
        with open(path, "r+b" if name == "mem" else "rb") as file:
            return none(file.read(1) if name != "mem" else file.seek(4096))

    attack(f"process 1 {name}", reach)
attack("other processes", lambda: none([pid for pid in os.listdir("/proc") if pid.isdigit() and int(pid) > 300]))

# the machine's files
for name in asked["unseen"]:
    attack(f"see {name}", lambda name=name: os.listdir(name) if os.path.isdir(name) else open(name, "rb").read(1))
for name in (
    *("/usr/bin/x", "/etc/x", "/x", "/dev/x", "/etc/resolv.conf", "/etc/hosts", "/etc/passwd", "/bin/sh"),
    *("/etc/comptroller/bundle.pem", "/etc/ssl/certs/x", "/proc/sys/kernel/core_pattern", "/proc/sys/vm/drop_caches"),
    *("/proc/sysrq-trigger", "/proc/sys/net/ipv4/ip_forward", "/proc/irq/default_smp_affinity", "/var/x", "/home/x"),
    *("/proc/mtrr", "/proc/acpi/wakeup"),
    *asked["readonly"],
):
    attack(f"write {name}", lambda name=name: write(name, ""))
attack("own uid map", lambda: write("/proc/self/uid_map", "0 0 1"))
attack("own groups", lambda: write("/proc/self/setgroups", "allow"))
attack("sysfs", lambda: os.listdir("/sys"))
attack("devices", lambda: none(set(os.listdir("/dev")) - set(asked["devices"])))
attack("make a device", lambda: os.mknod("disk", 0o60600, os.makedev(254, 0)) or open("disk", "rb"))
attack("remount", lambda: subprocess.run(["mount", "-o", "remount,rw", "/usr"], check=True, capture_output=True))
attack("become root", lambda: none(os.setuid(0) if os.getuid() else libc.setuid(12345) == 0))
attack("host name", lambda: none(libc.sethostname(b"evil", 4) == 0))

# ways to the machine
for name, family, address in (
    ("loopback of the machine", socket.AF_INET, ("127.0.0.1", asked["port"])),
    ("abstract unix socket", socket.AF_UNIX, "\0" + asked["abstract"]),
    ("unix socket outside", socket.AF_UNIX, asked["unix"]),
    ("docker.sock", socket.AF_UNIX, "/var/run/docker.sock"),
    ("docker.sock in run", socket.AF_UNIX, "/run/docker.sock"),
    ("system bus", socket.AF_UNIX, "/run/dbus/system_bus_socket"),
    ("tcp out, nobody answers", socket.AF_INET, ("198.51.100.7", 443)),
    ("tcp out v6, nobody answers", socket.AF_INET6, ("2001:db8::7", 443)),
    ("metadata", socket.AF_INET, ("169.254.169.254", 80)),
):
    attack(f"reach {name}", lambda family=family, address=address: reaches(family, socket.SOCK_STREAM, address))
attack("reach udp", lambda: reaches(socket.AF_INET, socket.SOCK_DGRAM, ("9.9.9.9", 9999)))
attack("reach quic", lambda: reaches(socket.AF_INET6, socket.SOCK_DGRAM, ("2001:db8::7", 443)))
attack("take our tcp port", lambda: socket.create_server(("198.18.0.1", 1)))
attack("take our dns port", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).bind(("198.18.0.1", 2)))


def change_routes():
    with socket.socket(16, socket.SOCK_RAW, 0) as link:
        import struct

        body = struct.pack("=BBBBBBBBI", 2, 0, 0, 0, 255, 3, 254, 2, 0) + struct.pack("=HHI", 8, 4, 1)
        link.send(struct.pack("=IHHII", 16 + len(body), 25, 1 | 4, 1, 0) + body)
        code = struct.unpack("=i", link.recv(4096)[16:20])[0]
        if code:
            raise OSError(-code, os.strerror(-code))


attack("change routes", change_routes)
if os.path.exists("/usr/sbin/nft"):
    attack("flush nft", lambda: subprocess.run(["/usr/sbin/nft", "flush", "ruleset"], check=True, capture_output=True))

# what must not be known
attack("secrets in the environment", lambda: none([name for name, value in os.environ.items() if "REAL" in value]))
attack(
    "inherited descriptors", lambda: none([fd for fd in os.listdir("/proc/self/fd") if 2 < int(fd) < 200 and real(fd)])
)
attack(
    "process 1's command line",
    lambda: none([word for word in asked["secrets"] if word.encode() in open("/proc/1/cmdline", "rb").read()]),
)
attack(
    "mount sources",
    lambda: none([line for line in open("/proc/self/mountinfo") if any(word in line for word in asked["secrets"])]),
)
attack("machine's host name", lambda: none(socket.gethostname() != "box" or asked["host"] in open("/etc/hosts").read()))


def capabilities():
    with open("/proc/self/status") as file:
        lines = dict(line.split(":\t", 1) for line in file.read().splitlines() if ":\t" in line)
    return none([name for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb") if int(lines[name], 16)])


attack("capabilities", capabilities)
print(json.dumps(outcome))
