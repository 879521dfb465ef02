"""The machine's files: seeing what is private, writing where nothing may be written, devices."""


# mypy: ignore-errors

from __future__ import annotations

import contextlib
import os
import socket

from .kit import (
    BAIT,
    Blocked,
    append,
    attack,
    each,
    every,
    found,
    later,
    read,
    talk,
    text,
)


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
    "/usr/bin/x", "/usr/local/bin/x", "/etc/x", "/x", "/bin/sh", "/lib/x", "/var/x", "/home/x", "/opt/x",
    "/etc/comptroller/bundle.pem", "/etc/ssl/certs/x", "/usr/lib/x", "/srv/x", "/boot/x", "/sys/x", "/mnt/x", "/root/x",
))  # fmt: skip
def write_outside(path):
    return append(path, "")


@later("files", "the mode, times and marks of a file outside the workspace", lambda: (
    BAIT["secret_file"], *BAIT["state"], "/usr/bin/env", "/etc/passwd", *BAIT["interpreter"],
))  # fmt: skip
def write_facts(path):
    """As they are already: what counts is whether the kernel does it."""
    facts = os.stat(path)
    every(lambda way: way(), (
        lambda: os.chmod(path, facts.st_mode & 0o7777),
        lambda: os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns)),
        lambda: os.setxattr(path, "user.x", b"x"),
        lambda: os.fchmod(os.open(path, os.O_RDONLY), facts.st_mode & 0o7777),
    ))  # fmt: skip
    return f"changed what stands beside {path}"


@attack("files", "writing to /dev")
def write_dev():
    return append("/dev/x", "")


@attack("files", "writing beside the workspace")
def write_beside():
    """The box has a folder of its own there: whether the machine's was meant is looked for outside."""
    with contextlib.suppress(OSError):
        append(os.path.join(os.path.dirname(BAIT["workspace"]), "beside"), BAIT["planted"])
    raise Blocked("looked for outside")


@later("files", "writing to /etc", lambda: (
    "/etc/passwd", "/etc/hosts", "/etc/resolv.conf", "/etc/nsswitch.conf", "/etc/ld.so.preload", "/etc/profile",
    "/etc/ssl/certs/ca-certificates.crt", "/etc/gitconfig", "/etc/environment", "/etc/cron.d/x", "/etc/crontab",
))  # fmt: skip
def write_etc(path):
    return append(path, "")


@later("files", "switches of the kernel", lambda: (
    "/proc/sys/kernel/core_pattern", "/proc/sys/vm/drop_caches", "/proc/sysrq-trigger", "/proc/sys/net/ipv4/ip_forward",
    "/proc/irq/default_smp_affinity", "/proc/sys/kernel/modprobe", "/proc/mtrr", "/proc/acpi/wakeup",
    "/proc/sys/fs/binfmt_misc/register", "/sys/kernel/uevent_helper", "/sys/fs/cgroup/cgroup.procs",
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


@each(
    "files",
    "the device {}",
    {
        "of an NVIDIA GPU": ("nvidia0", "nvidiactl", "nvidia-uvm", "nvidia-modeset", "nvidia-caps"),
        "of an AMD or Intel GPU": ("kfd", "dri", "dri/card0", "dri/renderD128", "dxg"),
        "of an accelerator": ("accel", "accel0", "apex_0", "neuron0", "vfio/vfio", "infiniband", "habanalabs"),
        "of the kernel's memory": ("mem", "kmem", "port", "kmsg", "nvram", "cpu_dma_latency"),
        "of a disk": ("sda", "vda", "vdb", "nvme0n1", "loop0", "loop-control", "mapper/control", "dm-0", "sg0"),
        "of virtual machines": ("kvm", "vhost-net", "vhost-vsock", "vsock", "nitro_enclaves"),
        "of a tunnel": ("net/tun", "ppp"),
        "of input and consoles": (
            "input/event0",
            "uinput",
            "uhid",
            "tty0",
            "tty1",
            "ttyS0",
            "hidraw0",
            "snd",
            "video0",
        ),
        "of fuse, autofs and userfaultfd": ("fuse", "autofs", "userfaultfd", "cuse", "btrfs-control"),
    },
)
def device(*names):
    def look(name):
        path = f"/dev/{name}"
        return found(os.listdir(path)) if os.path.isdir(path) else os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))

    return every(look, names)


@each("files", "a {} device of its own", {"memory": (0o20600, 1, 1), "GPU": (0o20666, 195, 0), "disk": (0o60600, 8, 0)})
def own_device(mode, major, minor):
    path = f"own-device-{major}"
    os.mknod(path, mode, os.makedev(major, minor))
    return os.close(os.open(path, os.O_RDONLY))


@attack("files", "a symbolic link out of the workspace")
def link_out():
    """To what the person has, and to what the machine runs on."""

    def follow(target):
        name = f"link-{abs(hash(target))}"
        os.symlink(target, name)
        return os.listdir(name) if os.path.isdir(name) else read(name)

    return every(follow, (*BAIT["home"], *BAIT["state"], "/etc/shadow", "/proc/1/root/etc/shadow"))


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
