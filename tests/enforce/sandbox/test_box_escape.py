"""The escape suite, as root and as an ordinary user: nobody walks out. And what else a box does with its command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from boxes import PEOPLE, SOURCE, Boxes

ROOT = SOURCE.parent
ORDINARY = Path("/opt/comptroller-ordinary")
"""Where `requirements/install.sh ordinary` puts an environment that an ordinary user can reach."""
ATTACKS_MIN = 240


@pytest.fixture(scope="session")
def ordinary_python() -> str:
    """The interpreter of an ordinary user, with Comptroller installed as it is now."""
    if os.getuid():
        return sys.executable
    subprocess.run(["sh", str(ROOT / "requirements" / "install.sh"), "ordinary"], check=True, cwd=ROOT)
    return str(ORDINARY / "bin" / "python")


@contextmanager
def doctor(person: str, python: str, *only: str) -> Iterator[subprocess.Popen[str]]:
    """`comptroller doctor --json`; as an ordinary user through `runuser`, once that has proved to have no power."""
    with tempfile.TemporaryDirectory(prefix="doctor-") as home, ExitStack() as stack:
        Path(home).chmod(0o777)
        words = [word for name in only for word in ("--only", name)]
        command = ["-P", "-m", "comptroller", "doctor", "--json", *words]
        environment = {"PATH": os.environ["PATH"], "HOME": home, "PYTHONDONTWRITEBYTECODE": "1"}
        if person == "root" or os.getuid():
            argv = [sys.executable, *command]
            environment["PYTHONPATH"] = str(SOURCE)
        else:
            check = 'grep -qx "CapEff:.0000000000000000" /proc/self/status || exit 99; exec "$@"'
            argv = ["runuser", "-u", "nobody", "--", "/bin/sh", "-c", check, "sh", python, *command]
        process = subprocess.Popen(
            argv, env=environment, cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True,
        )  # fmt: skip
        yield stack.enter_context(process)


def verdict(process: subprocess.Popen[str]) -> dict[str, object]:
    out, err = process.communicate(timeout=150)
    assert process.returncode == 0, f"{err[-2000:]} {[each for each in out.splitlines() if 'got through' in each]}"
    found: dict[str, object] = json.loads(out)
    return found


def test_nobody_walks_out_of_boxes_tried_side_by_side(ordinary_python: str) -> None:
    """As root and as an ordinary user at once, or twice at once where there is no root."""
    people = PEOPLE if len(PEOPLE) == 2 else PEOPLE * 2
    with ExitStack() as stack:
        for process in [stack.enter_context(doctor(person, ordinary_python)) for person in people]:
            told = verdict(process)
            assert set(told) == {"layer", "attacks", "blocked", "total"}
            attacks = told["attacks"]
            assert isinstance(attacks, list)
            assert all(set(each) == {"name", "blocked", "detail"} for each in attacks)
            assert len({each["name"] for each in attacks}) == len(attacks) == told["total"] == told["blocked"]
            assert told["layer"] == "bubblewrap" and len(attacks) >= ATTACKS_MIN
            assert not [each for each in attacks if "Error:" in each["detail"] and "NameError" in each["detail"]]


@pytest.mark.nightly
@pytest.mark.parametrize("person", PEOPLE)
def test_nor_five_times_in_a_row(ordinary_python: str, person: str) -> None:
    for _ in range(5):
        with doctor(person, ordinary_python) as process:
            assert verdict(process)["layer"] == "bubblewrap"


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
    done = boxes.shell("ulimit -n; ulimit -c; ulimit -t", limits={"open_files": 77, "cpu_seconds": 25})
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
