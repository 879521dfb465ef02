"""The escape suite under `sandlock` (Landlock and seccomp-notify), the wall for machines that refuse user namespaces.

Why it is no layer of ours: see docs/rfd/0030. Two ways to set it up, each as an ordinary user where this is root:

- plain: what an agent needs is readable, the workspace writable, what Comptroller protects in it denied.
- chroot: the same with `chroot="/"`, where its supervisor does every call that names a path on the program's behalf.

Both may connect to one port of the loopback, as they would to a gateway. Counted are attacks that get through, of all
that need no second box and no server of ours; and of twelve everyday programs those that fail there.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.escape_peers import GROUPS as REACHING
from bench.escape_peers import SYSTEM_PYTHON, as_somebody, give, looked_at, read, scene
from bench.report import Result, emit
from comptroller.testing.escape.bait import PROTECTED, Bait

VERSION = "0.9.0"
FOLDER = Path(".bench/sandlock")
GROUPS = ("sockets", *REACHING, "system calls")
READABLE = ("/usr", "/lib", "/lib64", "/bin", "/sbin", "/etc/ld.so.cache", "/etc/alternatives", "/etc/passwd", "/proc")
DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom")
DRIVER = """\
import json, sys
sys.path.insert(0, sys.argv[1])
import sandlock
told = json.loads(sys.argv[2])
sys.exit(sandlock.Sandbox(**told).run_interactive(sys.argv[3:]) & 255)
"""
PROGRAMS = {
    "git": "git init -q r && cd r && echo x > x && git add x && git -c user.email=a@b.c -c user.name=n commit -qm x",
    "cp -p": "cp -p /usr/bin/env copy",
    "tar": "mkdir t && touch t/x && tar cf t.tar t && mkdir u && tar xf t.tar -C u",
    "chmod +x": "printf '#!/bin/sh\\nexit 0\\n' > s && chmod +x s && ./s",
    "venv": "python3 -m venv --without-pip v && v/bin/python -c 1",
    "temporary files": "python3 -c 'import tempfile; tempfile.TemporaryFile().write(b\"x\")'",
    "subprocess": "bash -c 'sleep 0 & wait; echo x | cat'",
    "asyncio": "python3 -c 'import asyncio; asyncio.run(asyncio.sleep(0))'",
    "multiprocessing": "python3 -c 'import multiprocessing as m; m.Pool(2).map(abs, [1])'",
    "a server on the loopback": 'python3 -c \'import socket as s; l = s.create_server(("127.0.0.1", 0));'
    " s.create_connection(l.getsockname(), 3)'",
    "a unix socket": 'python3 -c \'import socket as s; l = s.socket(s.AF_UNIX); l.bind("k"); l.listen();'
    ' s.socket(s.AF_UNIX).connect("k")\'',
    "datagrams on the loopback": 'python3 -c \'import socket as s; l = s.socket(2, 2); l.bind(("127.0.0.1", 0));'
    ' s.socket(2, 2).sendto(b"x", l.getsockname())\'',
}


def main() -> None:
    """Run both and print what passed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true", help="the same: it takes less than 45 s once installed")
    parser.add_argument("--show", action="store_true", help="name on standard error what got through and what failed")
    options = parser.parse_args()
    install()
    results: list[Result] = []
    for way in ("plain", "chroot"):
        told = attacked(way)
        passed = sorted(name for name, blocked in told.items() if not blocked)
        failed = sorted(programs(way))
        if options.show:
            print(f"{way}: {len(passed)} of {len(told)} got through", *passed, sep="\n  ", file=sys.stderr)
            print(f"{way}: {len(failed)} of {len(PROGRAMS)} failed", *failed, sep="\n  ", file=sys.stderr)
        results += [
            Result(name=f"{way}_passed", value=len(passed), unit="attacks"),
            Result(name=f"{way}_programs_failed", value=len(failed), unit="programs"),
            Result(name=f"{way}_total", value=len(told), unit="attacks"),
        ]
    emit(results, options.json)


def install() -> None:
    """sandlock in a folder of its own, for the system's Python."""
    if not (FOLDER / "sandlock").exists():
        print(f"installing sandlock {VERSION} into {FOLDER} (once)", file=sys.stderr)
        words = ["install", "-q", "--no-deps", "--target", str(FOLDER), f"sandlock=={VERSION}"]
        subprocess.run([sys.executable, "-m", "pip", *words], check=True, stdout=sys.stderr)


def attacked(way: str) -> dict[str, bool]:
    """Attack -> blocked."""
    with scene(GROUPS) as (bait, document):
        give(bait.root)
        before = bait.watched()
        words = [SYSTEM_PYTHON, "-I", str(bait.workspace / "suspect"), str(document)]
        variables = {
            "HOME": str(bait.home),
            "GITHUB_TOKEN": bait.canary,
            "SSH_AUTH_SOCK": str(bait.root / "agent.sock"),
        }
        text = as_somebody(boxed(way, bait, words), {"PATH": "/usr/bin:/bin", **variables}, bait.workspace)
        return {**read(text), **looked_at(bait, before)}


def programs(way: str) -> list[str]:
    """The everyday programs that fail."""
    failed = []
    for name, line in PROGRAMS.items():
        with tempfile.TemporaryDirectory(prefix="escape-sandlock-") as folder:
            Path(folder).chmod(0o755)
            bait = Bait(Path(folder).resolve())
            bait.workspace.mkdir()
            give(bait.root)
            command = boxed(way, bait, ["/bin/sh", "-c", line])
            try:
                as_somebody(command, {"PATH": "/usr/bin:/bin", "HOME": str(bait.workspace)}, bait.workspace)
            except SystemExit:
                failed.append(name)
    return failed


def boxed(way: str, bait: Bait, words: list[str]) -> list[str]:
    """The command that runs `words` under sandlock."""
    library = bait.root / "sandlock-library"
    if not library.exists():
        shutil.copytree(FOLDER, library)
    denied = [str(bait.workspace / name) for name in PROTECTED if (bait.workspace / name).exists()]
    told = {
        "fs_readable": [path for path in (*READABLE, *DEVICES) if os.path.exists(path)],
        "fs_writable": [str(bait.workspace), "/dev/null"],
        "net_allow": ["tcp://127.0.0.1:9"],
        "net_allow_bind": ["*"],
        "cwd": str(bait.workspace),
        "clean_env": True,
        "env": {
            "GIT_CONFIG_NOSYSTEM": "1",
            "HOME": str(bait.workspace),
            "TMPDIR": str(bait.workspace),
            "PATH": "/usr/bin:/bin",
        },
        "no_coredump": True,
        **(
            {"chroot": "/", "fs_mount_ro": {path: path for path in denied}}
            if way == "chroot"
            else {"fs_denied": denied}
        ),
    }
    return [SYSTEM_PYTHON, "-c", DRIVER, str(library), json.dumps(told), *words]


if __name__ == "__main__":
    main()
