"""What `comptroller doctor` says and how it ends; the attacks themselves are in test_box_escape."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from comptroller.cli import doctor as command
from comptroller.core.errors import MissingError, UsageError
from comptroller.enforce.sandbox import place, remedies
from comptroller.enforce.sandbox.diagnosis import Diagnosis
from comptroller.enforce.sandbox.missing import find_bwrap
from comptroller.testing.escape.suite import Attack


def asked(*words: str) -> Result:
    return CliRunner().invoke(command.doctor, words, catch_exceptions=False)


def sick(remedy: remedies.Remedy) -> Diagnosis:
    error = MissingError("this machine refuses user namespaces", hint=remedy.hint)
    return Diagnosis(place=place.look(Path("/nowhere"), landlock=0), error=error, remedy=remedy)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[Attack]:
    """What the suite says came of the attacks."""
    attacks = [Attack(name="raw ip socket", group="sockets", blocked=True, detail="EPERM")]
    monkeypatch.setattr(command, "run_suite", lambda **_: tuple(attacks))
    return attacks


def test_all_blocked(told: list[Attack]) -> None:
    done = asked("--json")
    assert done.exit_code == 0
    assert json.loads(done.stdout) == {
        "layer": "bubblewrap",
        "attacks": [{"name": "sockets: raw ip socket", "blocked": True, "detail": "EPERM"}],
        "blocked": 1,
        "total": 1,
    }
    assert "nothing got out" in asked().stdout


def test_one_that_got_through_ends_with_1(told: list[Attack]) -> None:
    told.append(Attack(name="reverse ssh", group="network", blocked=False, detail="got through"))
    done = asked("--json")
    document = json.loads(done.stdout)
    assert (done.exit_code, document["blocked"], document["total"]) == (1, 1, 2)
    assert "1 attacks got through" in asked().stdout


def test_no_attack_at_all_proves_nothing(told: list[Attack]) -> None:
    told.clear()
    assert asked("--only", "nothing-of-that-name").exit_code == 1


def test_the_place_is_told_first(told: list[Attack]) -> None:
    lines = asked("--probe").stdout.splitlines()
    assert [line.split("  ")[1].strip() for line in lines[:-1]] == [
        *("place", "kernel", "user namespaces", "bubblewrap", "nf_tables", "Landlock", "cgroup"),
    ]
    assert lines[-1] == "layer: bubblewrap; a box comes up here"


def test_where_no_box_comes_up_the_step_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command.diagnosis, "examine", lambda: sick(remedies.for_namespaces("docker", "")))
    done = asked("--json")
    assert done.exit_code == 1
    assert json.loads(done.stdout) == {"layer": "none", "attacks": [], "blocked": 0, "total": 0}
    assert "    docker run --security-opt seccomp=unconfined" in done.stderr
    assert "doctor --fix" not in done.stderr
    fixed = asked("--fix")
    assert fixed.exit_code == 1 and "nothing that --fix may change" in fixed.stdout


def test_fix_repairs_and_looks_again(monkeypatch: pytest.MonkeyPatch, told: list[Attack]) -> None:
    remedy = remedies.for_namespaces("machine", "sysctl")
    healthy = Diagnosis(place=place.look(Path("/nowhere"), landlock=0))
    states = [sick(remedy), sick(remedy), healthy]
    repaired: list[remedies.Repair] = []
    monkeypatch.setattr(command.diagnosis, "examine", lambda: states.pop(0))
    monkeypatch.setattr(command.diagnosis, "repair", lambda wanted: repaired.append(wanted) or ["wrote /etc/x"])
    without = asked()
    assert without.exit_code == 1 and "as root: comptroller doctor --fix" in without.stderr and repaired == []
    done = asked("--fix")
    assert done.exit_code == 0 and "fixed: wrote /etc/x" in done.stdout and repaired == [remedy.repair]


def test_fix_by_somebody_else_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command.diagnosis, "examine", lambda: sick(remedies.for_namespaces("machine", "sysctl")))
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(UsageError, match="only root may change this machine"):
        asked("--fix")


def test_a_real_refusal_is_explained() -> None:
    """Where user namespaces really are switched off, in a bubblewrap that forbids any more of them."""
    done = subprocess.run(
        [
            *(str(find_bwrap()), "--unshare-user", "--disable-userns", "--ro-bind", "/", "/", "--dev", "/dev"),
            *(
                "--proc",
                "/proc",
                "--bind",
                "/tmp",
                "/tmp",
                sys.executable,
                "-P",
                "-m",
                "comptroller",
                "doctor",
                "--json",
            ),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert json.loads(done.stdout) == {"layer": "none", "attacks": [], "blocked": 0, "total": 0}
    assert "refuses user namespaces" in done.stderr
    assert "what helps:" in done.stderr
