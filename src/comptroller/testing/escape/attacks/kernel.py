"""System calls, privileges and other processes."""


# mypy: ignore-errors

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import resource
import shutil
import signal
import socket
import stat
import time

from .kit import (
    BAIT,
    LIBC,
    X86,
    Blocked,
    attack,
    call,
    each,
    every,
    found,
    in_child,
    read,
    run,
    status,
    write,
)

REFUSED = 77
NUMBERS = {
    "io_uring_setup": 425,
    "io_uring_enter": 426,
    "io_uring_register": 427,
    "fsconfig": 431,
    "fsmount": 432,
    "fspick": 433,
    "openat2": 437,
    "quotactl_fd": 443,
    "open_tree": 428,
    "move_mount": 429,
    "fsopen": 430,
    "clone3": 435,
    "pidfd_getfd": 438,
    "mount_setattr": 442,
}
NUMBERS |= (
    {"ptrace": 101, "bpf": 321, "keyctl": 250, "add_key": 248, "request_key": 249, "userfaultfd": 323}
    | {"perf_event_open": 298, "mount": 165, "umount": 166, "pivot_root": 155, "setns": 308, "unshare": 272}
    | {"chroot": 161, "process_vm_readv": 310, "process_vm_writev": 311, "open_by_handle_at": 304}
    | {"name_to_handle_at": 303, "kexec_load": 246, "init_module": 175, "finit_module": 313, "reboot": 169}
    | {"swapon": 167, "acct": 163, "quotactl": 179, "iopl": 172, "ioperm": 173, "lookup_dcookie": 212, "syslog": 103}
    | {"settimeofday": 164, "sethostname": 170, "move_pages": 279, "kcmp": 312, "fanotify_init": 300}
    | {"clock_settime": 227, "adjtimex": 159, "delete_module": 176, "kexec_file_load": 320, "modify_ldt": 154}
    | {"setdomainname": 171, "swapoff": 168, "migrate_pages": 256, "vhangup": 153}
    if X86
    else {"ptrace": 117, "bpf": 280, "keyctl": 219, "add_key": 217, "mount": 40, "umount": 39, "pivot_root": 41}
    | {"setns": 268, "unshare": 97, "userfaultfd": 282, "process_vm_readv": 270, "process_vm_writev": 271}
    | {"open_by_handle_at": 265, "reboot": 142, "init_module": 105, "perf_event_open": 241, "chroot": 51}
)


@each("system calls", "{}", NUMBERS)
def system_call(number):
    """What the kernel itself answers, be it that the arguments are nonsense, was let through to it."""
    child = os.fork()
    if child == 0:
        try:
            call(number, 0, 0, 0, 0, 0, 0)
        except OSError as error:
            os._exit(REFUSED if error.errno in (errno.EPERM, errno.EACCES, errno.ENOSYS) else 0)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code == REFUSED or code < 0:
        raise Blocked("refused" if code > 0 else f"ended by signal {-code}")
    return "the kernel took it"


@each(
    "system calls",
    "a new {} namespace",
    {"user": 0x10000000, "network": 0x40000000, "mount": 0x20000, "pid": 0x20000000},
)
def new_namespace(flag):
    return in_child(lambda: call(NUMBERS["unshare"], flag))


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


@each(
    "system calls",
    "{}",
    {"typing into the terminal (TIOCSTI)": 0x5412, "pasting into the terminal (TIOCLINUX)": 0x541C},
)
def terminal(number):
    """On the terminal it was given, and on one of its own that it leads; a refused number is refused on both."""
    import fcntl

    def lead():
        os.setsid()
        outer, inner = os.openpty()
        fcntl.ioctl(inner, 0x540E, 0)
        fcntl.ioctl(inner, number, b"\x02")
        os._exit(0 if outer else 1)  # now: closing it first would end us

    return every(lambda way: way(), (lambda: fcntl.ioctl(0, number, b"\x02"), lambda: in_child(lead)))


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
    os.makedirs("mounted", exist_ok=True)
    return every(
        lambda argv: run("mount", *argv),
        (
            ("-t", "proc", "proc", "mounted"),
            ("-t", "sysfs", "sysfs", "mounted"),
            ("-t", "tmpfs", "x", "mounted"),
            ("--bind", "/", "mounted"),
            ("-o", "remount,rw", "/usr"),
        ),
    )


@attack("privileges", "renaming the machine")
def rename_machine():
    if LIBC.sethostname(b"evil", 4):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return socket.gethostname()


@each(
    "privileges",
    "{}",
    {
        "real-time priority": lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)),
        "a negative nice value": lambda: os.setpriority(os.PRIO_PROCESS, 0, -5),
        "never to be chosen by the out-of-memory killer": lambda: write("/proc/self/oom_score_adj", "-1000"),
    },
)
def favour(function):
    return in_child(function)


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


def command_lines():
    """Process id -> command line, of every process in view."""
    seen = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as file:
            seen[int(pid)] = file.read(4000)
    return seen


@attack("processes", "processes of the machine")
def machine_processes():
    """A process outside carries a mark in its command line: who sees it sees the machine's processes."""
    return found([pid for pid, line in command_lines().items() if BAIT["sentinel"].encode() in line])


@attack("processes", "environments of the machine's processes")
def machine_environments():
    seen = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/environ", "rb") as file:
            if b"secret-of-" + BAIT["sentinel"].encode() in file.read(1 << 16):
                seen.append(pid)
    return found(seen)


@attack("processes", "signals to the server")
def signal_server():
    """By the numbers it has outside, where they mean a process of comptroller here too; nothing is harmed."""
    lines = command_lines()
    pids = [pid for pid in (BAIT["server_pid"], BAIT["outside_pid"]) if pid and b"comptroller" in lines.get(pid, b"")]
    for pid in found(pids):
        os.kill(pid, 0)
    return pids


@attack("processes", "a signal to every process there is")
def signal_all():
    """A process outside would die of it: it is looked for from outside."""
    before = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    try:
        with contextlib.suppress(OSError):
            os.kill(BAIT["sentinel_pid"], signal.SIGUSR1)
        os.kill(-1, signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)
    raise Blocked("looked for outside")


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
    return call(NUMBERS["ptrace"], 0x4206, 1, 0, 0)


@attack("processes", "shared memory of the machine (System V)")
def system_v():
    if not BAIT["shared_memory"]:
        raise Blocked("this machine has none")
    return found(max(LIBC.shmget(BAIT["shared_memory"], 0, 0) + 1, 0))


@attack("processes", "process 1 by a descriptor (pidfd, setns)")
def first_by_descriptor():
    """Joining one of its namespaces that way."""
    handle = os.pidfd_open(1)
    try:
        return every(lambda kind: call(NUMBERS["setns"], handle, kind), (0x40000000, 0x20000, 0x10000000))
    finally:
        os.close(handle)


@attack("processes", "the folder of a descriptor, upwards")
def upwards():
    """Nothing that is open here leads out of the box's file system."""
    ways = [
        f"/proc/self/{name}" for name in ("cwd", "root", *(f"fd/{number}" for number in os.listdir("/proc/self/fd")))
    ]
    return every(lambda way: read(f"{way}/{'../' * 40}{BAIT['secret_file']}"), ways)


def from_memory(path):
    handle = os.memfd_create("x", 0)
    with open(path, "rb") as file:
        os.write(handle, file.read())
    code = os.waitstatus_to_exitcode(os.posix_spawn(f"/proc/self/fd/{handle}", ["x"], {}) and os.wait()[1])
    os.close(handle)
    if code:
        raise Blocked(f"ended with {code}")
    return "a raw socket was opened"


@attack("processes", "a program from memory (memfd) with a raw socket")
def memfd():
    if not BAIT["raw_program"]:
        raise Blocked("no such program for this machine")
    return from_memory(BAIT["raw_program"])


@attack("processes", "inherited descriptors")
def descriptors():
    open_here = []
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            target = os.readlink(f"/proc/self/fd/{number}")
            if int(number) > 2 and not target.startswith(("/proc/", BAIT["workspace"])):
                open_here.append(f"{number} -> {target}")
    return found(open_here)
