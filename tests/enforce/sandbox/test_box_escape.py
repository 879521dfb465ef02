"""From inside a real box: every attack fails, as root and as an ordinary user."""

from __future__ import annotations

import json
import os
import platform
import socket
import subprocess
import threading
from pathlib import Path

import pytest
from boxes import Boxes

ATTACKS = Path(__file__).with_name("box_attacks.py")
DEVICES = ["null", "zero", "full", "random", "urandom", "tty", "pts", "ptmx", "shm", "fd", "core"]
DEVICES += ["stdin", "stdout", "stderr", "console"]
# mov $20,%eax; int $0x80; mov %eax,%ebx; mov $1,%eax; int $0x80: getpid and exit by the 32-bit table.
INT80 = bytes.fromhex("b814000000cd8031dbb801000000cd80")


def elf(code: bytes) -> bytes:
    """A static x86_64 program of these instructions."""
    start, size = 0x400078, 0x78 + len(code)
    header = b"\x7fELF\x02\x01\x01" + bytes(9) + bytes.fromhex("02003e0001000000")
    header += start.to_bytes(8, "little") + (64).to_bytes(8, "little") + bytes(8) + bytes(4)
    header += bytes.fromhex("40003800010000000000") + bytes(2)
    segment = bytes.fromhex("0100000005000000") + bytes(8) + (0x400000).to_bytes(8, "little") * 2
    return header[:64] + segment + size.to_bytes(8, "little") * 2 + (0x1000).to_bytes(8, "little") + code


def answering(listener: socket.socket) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            connection.sendall(b"HOST")


def test_every_attack_is_blocked(boxes: Boxes) -> None:
    state = boxes.root / "state-of-comptroller"
    state.mkdir()
    for name in ("ca.key", "log.key", "store.sqlite"):
        (state / name).write_text("REAL")
    (boxes.root / "home" / ".aws").mkdir()
    (boxes.root / "home" / ".aws" / "credentials").write_text("REAL")
    program = boxes.workspace / "int80"
    program.write_bytes(elf(INT80))
    program.chmod(0o755)
    if platform.machine() == "x86_64":
        assert subprocess.run([program]).returncode == 0, "the int 0x80 program must work outside"
    (boxes.workspace / "attacks.py").write_text(ATTACKS.read_text())
    abstract = f"comptroller-test-{os.getpid()}-{boxes.person}"
    listeners = []
    for family, address in (
        (socket.AF_INET, ("127.0.0.1", 0)),
        (socket.AF_UNIX, "\0" + abstract),
        (socket.AF_UNIX, str(state / "control.sock")),
    ):
        listener = socket.socket(family)
        listener.bind(address)
        listener.listen()
        listeners.append(listener)
        threading.Thread(target=answering, args=(listener,), daemon=True).start()
    boxes.give()
    asked = {
        "port": listeners[0].getsockname()[1],
        "abstract": abstract,
        "unix": str(state / "control.sock"),
        "int80": str(program),
        "unseen": [
            *(str(state), str(state / "ca.key"), str(boxes.root / "home"), "/etc/shadow", "/boot"),
            *("/home/agent/.aws/credentials", "/etc/ssl/private", "/var/lib", "/var/log", "/proc/kcore", "/etc/ssh"),
        ],
        "readonly": [boxes.python, str(Path(os.__file__).parent / "x.py")],
        "devices": DEVICES,
        "secrets": ["state-of-comptroller", "attacks.py"],
        "host": socket.gethostname(),
    }
    try:
        done = boxes.run([boxes.python, "attacks.py", json.dumps(asked)], private=[str(state)])
    finally:
        for listener in listeners:
            listener.close()
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)
    assert len(outcome) > 90
    assert {name: result for name, result in outcome.items() if not result.startswith("blocked")} == {}


def test_the_environment_holds_what_was_given_and_nothing_else(boxes: Boxes) -> None:
    done = boxes.run(["env"], environment={"LC_TIME": "C"})
    assert done.returncode == 0, done.stderr
    found = dict(line.split("=", 1) for line in done.stdout.splitlines())
    assert found["HOME"] == "/home/agent"
    assert found["LC_TIME"] == "C"
    assert "REAL-SECRET" not in done.stdout
    assert not {"GITHUB_TOKEN", "AWS_SECRET_ACCESS_KEY", "PYTHONPATH"} & found.keys()


def test_aws_placeholders_are_in_the_file_too(boxes: Boxes) -> None:
    assert boxes.shell("test -e ~/.aws").returncode == 1
    given = {"AWS_ACCESS_KEY_ID": "AKIAPLACEHOLDER", "AWS_SECRET_ACCESS_KEY": "placeholder", "AWS_REGION": "eu-west-1"}
    done = boxes.run(["bash", "-c", "cat ~/.aws/credentials ~/.aws/config; echo more >> ~/.aws/config"], give=given)
    assert done.returncode == 0, done.stderr
    assert "aws_access_key_id = AKIAPLACEHOLDER\naws_secret_access_key = placeholder" in done.stdout
    assert "region = eu-west-1" in done.stdout


def test_the_user_is_the_same_as_outside(boxes: Boxes) -> None:
    done = boxes.shell("id -u; id -un; touch made; mkdir folder; stat -c %u made")
    uid = boxes.workspace.stat().st_uid
    assert done.stdout.split() == [str(uid), "agent", str(uid)], done.stderr
    assert (boxes.workspace / "made").stat().st_uid == uid


def test_limits_hold(boxes: Boxes) -> None:
    done = boxes.shell("ulimit -n; ulimit -c; ulimit -t", limits={"open_files": 77, "cpu_seconds": 30})
    assert done.stdout.split() == ["77", "0", "30"], done.stderr
    refused = boxes.shell("true", limits={"unheard": 1})
    assert "there is no limit `unheard`" in refused.stderr


def test_state_under_a_workspace_is_refused(boxes: Boxes) -> None:
    (boxes.workspace / "state").mkdir()
    boxes.give()
    done = boxes.shell("true", private=[str(boxes.workspace / "state")])
    assert done.returncode != 0
    assert "which no agent may see" in done.stderr


@pytest.mark.parametrize(
    ("argv", "code", "message"),
    [
        (["no-such-program"], 127, "cannot run `no-such-program`: no such file or directory in the box"),
        (["./plain"], 126, "cannot run `./plain`: permission denied"),
        (["/etc"], 126, "cannot run `/etc`"),
        (["bash", "-c", "exit 7"], 7, ""),
        (["bash", "-c", "kill -TERM $$"], 143, ""),
        (["bash", "-c", "kill -KILL $$"], 137, ""),
    ],
)
def test_exit_codes(boxes: Boxes, argv: list[str], code: int, message: str) -> None:
    (boxes.workspace / "plain").write_text("no program\n")
    boxes.give()
    done = boxes.run(argv)
    assert done.returncode == code, done.stderr
    assert message in done.stderr
