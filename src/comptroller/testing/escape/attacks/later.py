"""What is trusted outside, or run outside later by somebody else."""


# mypy: ignore-errors

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import shutil

from .kit import (
    BAIT,
    LIBC,
    Blocked,
    append,
    attack,
    every,
    found,
    later,
    read,
    run,
    text,
    write,
)


def protected():
    return [name for name in BAIT["protected"] if os.path.lexists(name)]


def protected_folders():
    return [name for name in protected() if os.path.isdir(name)]


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


@later("later", "opening a protected file for writing through /proc", protected_files)
def through_proc(path):
    handle = os.open(path, os.O_RDONLY)
    try:
        return append(f"/proc/self/fd/{handle}", "planted")
    finally:
        os.close(handle)


@later("later", "changing the mode of a protected file", protected_files)
def change_mode(path):
    os.chmod(path, 0o777)
    return oct(os.stat(path).st_mode)


@later("later", "changing the times of a protected path", protected)
def change_times(path):
    os.utime(path, (1, 1))
    return os.stat(path).st_mtime


@later("later", "changing the owner of a protected path", protected)
def change_owner(path):
    os.chown(path, os.getuid(), os.getgid())
    return "changed"


@later("later", "an extended attribute on a protected path", protected)
def attribute(path):
    os.setxattr(path, "user.planted", b"planted")
    return "set"


@later("later", "cutting a protected file off", protected_files)
def cut(path):
    os.truncate(path, 0)
    return "empty"


@later("later", "writing to a protected file's pages (mmap)", protected_files)
def pages(path):
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, mmap.MAP_SHARED, mmap.PROT_READ) as seen:
        start = next(int(line.split("-")[0], 16) for line in text("/proc/self/maps").splitlines() if path in line)
        if LIBC.mprotect(ctypes.c_void_p(start), ctypes.c_size_t(len(seen)), 3):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return "its pages can be written"


@later("later", "writing to a protected file's pages through /proc/self/mem", protected_files)
def memory(path):
    """The kernel's own memory writes pass over read-only pages: only a private copy may change."""
    before = read(path, 1 << 20)
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, mmap.MAP_PRIVATE, mmap.PROT_READ):
        start = next(int(line.split("-")[0], 16) for line in text("/proc/self/maps").splitlines() if path in line)
        with open("/proc/self/mem", "r+b", buffering=0) as own:
            own.seek(start)
            own.write(b"planted")
    if read(path, 1 << 20) == before:
        raise Blocked("only a copy of its own changed")
    return "the file changed"


@later("later", "a file without a name, linked into a protected folder", protected_folders)
def nameless(path):
    handle = os.open(".", os.O_TMPFILE | os.O_RDWR, 0o755)
    try:
        target = os.path.join(path, "planted").encode()
        if LIBC.linkat(-100, f"/proc/self/fd/{handle}".encode(), -100, target, 0x400):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    finally:
        os.close(handle)
    return "linked"


@later("later", "exchanging a protected path with another (renameat2)", protected)
def exchange(path):
    folder = os.path.isdir(path)
    os.makedirs("planted-folder", exist_ok=True) if folder else write("planted-file", "planted")
    other = b"planted-folder" if folder else b"planted-file"
    if LIBC.renameat2(-100, other, -100, path.encode(), 2):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return "exchanged"


@attack("later", "moving the whole workspace away")
def move_workspace():
    place = BAIT["workspace"]
    os.rename(place, place + "-away")
    return "moved"


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


def interpreter_files():
    return [path for path in BAIT["interpreter"] if os.path.lexists(path) or os.path.isdir(os.path.dirname(path))]


@later("later", "writing into the environment that comptroller runs from", interpreter_files)
def interpreter(path):
    """A program that runs cannot be written anyway; a file beside it could."""
    return append(os.path.join(os.path.dirname(path), "planted"), "")


@later("later", "removing or moving the interpreter that comptroller runs from", interpreter_files)
def move_interpreter(path):
    return every(lambda way: way(), (lambda: os.rename(path, path + "-away"), lambda: os.remove(path)))


@attack("later", "leaving a process behind")
def left_behind():
    """A process that outlives the command and its session: it is looked for outside after the box has ended."""
    wait, running = os.pipe()
    child = os.fork()
    if child == 0:
        os.setsid()
        if os.fork() == 0:
            for number in (0, 1, 2):
                with contextlib.suppress(OSError):
                    os.close(number)
            os.execv("/bin/sleep", [BAIT["planted"], "987"])
        os._exit(0)
    os.close(running)
    os.read(wait, 1)  # ends once it has become the other program
    os.close(wait)
    os.waitpid(child, 0)
    raise Blocked("looked for outside")
