"""Limits, files and `--diff` through `comptroller run` and a real server."""

from __future__ import annotations

import json
import sys

import pytest
from test_cli_run import Project, project

FORKS = """import os, time
try:
    for _ in range(8): os.fork()
except OSError: pass
time.sleep(60)"""

__all__ = ["project"]


def configure(project: Project, *lines: str) -> None:
    """Add settings to the project's only agent."""
    path = project.folder / "comptroller.yaml"
    text = path.read_text()
    assert text.count("    services: []\n") == 1
    path.write_text(text.replace("    services: []\n", "".join(f"    {line}\n" for line in ("services: []", *lines))))


@pytest.mark.parametrize(
    ("limits", "code", "limit"),
    [
        ("{processes: 30}", f"{sys.executable} -c '{FORKS}'; sleep 60", "processes"),
        (
            "{memory_bytes: 67108864}",
            f"{sys.executable} -c 'x = b\"x\" * 150_000_000; import time; time.sleep(60)'; sleep 60",
            "memory_bytes",
        ),
        ("{disk_bytes: 10000000}", "head -c 30000000 /dev/zero > filled; sleep 60", "disk_bytes"),
        ("{cpu_seconds: 1}", "while :; do :; done", "cpu_seconds"),
        ("{wall_seconds: 1}", "sleep 60", "wall_seconds"),
    ],
)
def test_a_bomb_ends_the_run_with_a_message_and_an_entry(project: Project, limits: str, code: str, limit: str) -> None:
    configure(project, f"limits: {limits}")
    summary = project.folder.parent / "summary.json"
    done = project.run("bash", "-c", code, options=["--json-summary", str(summary)])
    assert done.returncode == 124, done.stderr
    assert f"comptroller: ended: limit `{limit}`: " in done.stderr and "are allowed" in done.stderr
    document = json.loads(summary.read_text())
    assert document["exit_code"] == 124 and document["limited"]["limit"] == limit
    assert document["limited"]["used"] >= document["limited"]["value"] > 0
    log = project.call_outside("tail", "--json").stdout
    found = [entry for entry in map(json.loads, log.splitlines()) if entry["kind"] == "box.limited"]
    assert [entry["body"]["limit"] for entry in found] == [limit]
    (project.folder / "filled").unlink(missing_ok=True)
    after = project.run("true")
    assert after.returncode == 0, "the server lives on, and so does the next run: " + after.stderr


def test_a_run_within_its_limits_has_none_in_its_summary(project: Project) -> None:
    configure(project, "limits: {processes: 50, memory_bytes: 500000000, wall_seconds: 50, disk_bytes: 10000000}")
    summary = project.folder.parent / "summary.json"
    done = project.run("bash", "-c", "exit 3", options=["--json-summary", str(summary)])
    assert done.returncode == 3, done.stderr
    document = json.loads(summary.read_text())
    assert "limited" not in document and "diff" not in document


def test_files_and_variables_of_an_agent(project: Project) -> None:
    configure(project, "files: {read_only: [data], masked: [.env]}", "inherit: [MY_TOKEN]")
    (project.folder / "data").mkdir()
    (project.folder / ".env").write_text("API_KEY=sk-the-real-one\n")
    code = "cat .env; echo x > data/x; echo $MY_TOKEN $OTHER_TOKEN"
    done = project.run("bash", "-c", code, MY_TOKEN="mine", OTHER_TOKEN="not")
    assert done.stdout.splitlines()[1:] == ["API_KEY=comptroller-placeholder", "mine"], done.stderr
    assert "Read-only file system" in done.stderr


def test_a_device_that_is_not_there_is_named(project: Project) -> None:
    configure(project, "devices: [gpu]")
    done = project.run("true")
    assert done.returncode == 2 and "grants `gpu`, and this machine has none" in done.stderr


def test_diff_shows_what_changed_and_what_runs_later(project: Project) -> None:
    (project.folder / "prog.py").write_text("x = 1\n")
    summary = project.folder.parent / "summary.json"
    code = "echo 'x = 2' > prog.py; echo all: > Makefile; ln -s /etc out; mkfifo fifo; touch $'a\\nb'; git init -q sub"
    done = project.run("bash", "-c", code, options=["--diff", "--json-summary", str(summary)])
    assert done.returncode == 0 and done.stdout == "", done.stderr
    told = [line.removeprefix("comptroller: ") for line in done.stderr.splitlines()]
    start = told.index("6 changed in the workspace, 3 of them run later or lead out")
    assert told[start + 1 :] == [
        "  + Makefile   ! make runs it",
        "  + out   ! it leads out of the workspace",
        "  + sub/.git   ! git follows its configuration and hooks",
        "  + a<U+000A>b",
        "  + fifo",
        "  ~ prog.py",
        "--- Makefile",
        "  + all:",
        "--- prog.py",
        "  - x = 1",
        "  + x = 2",
    ]
    found = json.loads(summary.read_text())["diff"]
    assert found["whole"] and [each["path"] for each in found["changes"]] == [
        *("Makefile", "out", "sub/.git", "a\nb", "fifo", "prog.py"),
    ]


def test_diff_of_a_run_that_changes_nothing(project: Project) -> None:
    done = project.run("true", options=["--diff"])
    assert "comptroller: nothing changed in the workspace" in done.stderr.splitlines()
