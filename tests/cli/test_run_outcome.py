"""`run --fail-on` and `--summary`: what CI is told, and that an agent's text is only text in it."""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from test_cli_run import Project
from test_cli_run import project as project

from comptroller.cli.outcome import Outcome, junit, markdown, parse_fail_on
from comptroller.core.errors import UsageError

HOSTILE = "x|y](javascript:1)<img src=x onerror=1>\x1b[2J\u202e\x00`@team`\n| allow | fine |"


def entry(index: int, kind: str, sentence: str = "", **body: object) -> dict[str, object]:
    return {"index": index, "kind": kind, "body": body, "beside": {"sentence": sentence} if sentence else {}}


def told() -> Outcome:
    found = Outcome(run="01900000-0000-7000-8000-000000000001")
    for each in (
        entry(1, "action.allowed", "read a bucket"),
        entry(2, "action.settled", actual={"usd_micros": 1_230_000}),
        entry(3, "action.denied", HOSTILE, reasons=[{"text": HOSTILE}]),
        entry(4, "action.held", "start 8 machines", approval="a1", reasons=[{"text": "this costs"}]),
        entry(5, "approval.rejected", approval="a1"),
        entry(6, "action.held", "start 1 machine", approval="a2", reasons=[]),
        entry(7, "approval.approved", approval="a2"),
        entry(8, "action.suspense"),
    ):
        found.take(each)
    return found


def test_markdown_has_the_figures_and_no_markup_of_the_agent() -> None:
    text = markdown(told(), exit_code=1)
    assert "| 1 | 2 | 1 | $1.23 | approved 1, rejected 1 |" in text
    rows = [line for line in text.splitlines() if line.startswith(("| deny |", "| hold |", "| allow |"))]
    assert [row.split(" ")[1] for row in rows] == ["deny", "hold", "hold", "allow"]
    assert all(len(row.replace("\\|", "").split("|")) == 6 for row in rows)
    for bad in ("<img", "](", "\x1b", "\u202e", "\x00", "`@team`"):
        assert bad not in text
    assert "1 actions have no known outcome" in text


def test_junit_is_xml_with_a_case_an_action() -> None:
    suite = ElementTree.fromstring(junit(told(), exit_code=0))
    assert {name: suite.get(name) for name in ("tests", "failures", "skipped")} == {
        "tests": "4",
        "failures": "1",
        "skipped": "1",
    }
    failure = suite.find("testcase/failure")
    assert failure is not None and "<img" in str(failure.get("message"))
    assert {p.get("name"): p.get("value") for p in suite.iter("property")}["settled_usd_micros"] == "1230000"


def test_only_verdicts_can_be_failed_on() -> None:
    assert parse_fail_on(None) == () and parse_fail_on("hold, deny") == ("hold", "deny")
    for wrong in ("allow", "", "deny;hold"):
        with pytest.raises(UsageError):
            parse_fail_on(wrong)


@pytest.mark.box
def test_a_run_in_ci_fails_on_a_denial_and_the_command_s_own_code_goes_first(project: Project) -> None:
    curl = "curl -sS -m 10 https://api.example.com/secret >/dev/null"
    report, step = project.folder.parent / "r.xml", project.folder.parent / "step_summary"
    step.write_text("before\n")
    done = project.run("bash", "-c", f"{curl}; exit 0", options=["--fail-on", "deny,hold", "--summary", str(report)])
    assert done.returncode == 1 and "--fail-on deny,hold wants it: 1 denied" in done.stderr
    assert ElementTree.fromstring(report.read_bytes()).get("failures") == "1"
    own = project.run("bash", "-c", f"{curl}; exit 7", options=["--fail-on", "deny", "--summary", str(step)])
    assert own.returncode == 7
    text = step.read_text()
    assert text.startswith("before\n## Comptroller") and "ended with code 7" in text and "| deny |" in text
    for options in (["--fail-on", "hold"], []):
        assert project.run("bash", "-c", curl, options=options).returncode == 0
    clean = project.run(sys.executable, "-c", "pass", options=["--fail-on", "deny,hold"])
    assert clean.returncode == 0


def test_a_summary_of_another_kind_is_refused_before_anything_starts(project: Project, tmp_path: Path) -> None:
    done = project.run("true", options=["--summary", str(tmp_path / "x.html")])
    assert done.returncode == 2 and "neither .md nor .xml" in done.stderr
    assert project.server() == 0
