"""`comptroller replay` over real files: the sums, the forms of input, the limits, and what goes wrong."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from comptroller.cli import replay as module
from comptroller.cli.replay import replay
from comptroller.compose import starter_policies
from comptroller.core.errors import ComptrollerError, ConfigError, RefusedError, UsageError
from comptroller.server.place import Paths

CONFIG = """
version: 1
organization: acme
teams: {ml: {}}
people: {ann: {groups: [approvers]}}
agents:
  research: {team: ml, owner: ann, purpose: train a model, services: [aws:ec2]}
"""
CASES: list[dict[str, Any]] = [
    {"command": "aws ec2 describe-instances"},
    {"command": "aws ec2 run-instances --image-id ami-1 --instance-type m5.large --count 2"},
    {"command": "aws configure list"},
    {"command": "aws levitate now"},
    {"service": "s3", "operation": "HeadBucket", "input": {"Bucket": "b"}},
    {"events": [{"eventSource": "ec2.amazonaws.com", "eventName": "DescribeInstances", "requestParameters": None},
                {"eventSource": "iam.amazonaws.com", "eventName": "CreateAccessKey", "requestParameters": {}}],
     "label": "attack"},
]  # fmt: skip


def lines(*cases: dict[str, Any]) -> bytes:
    """A file of these cases."""
    named = [
        {"id": f"case/{at}", "source": "own", "label": "benign", "kind": "cloud_api", **case}
        for at, case in enumerate(cases)
    ]
    return b"".join(json.dumps(case).encode() + b"\n" for case in named)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory without any installation, with the cases in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COMPTROLLER_CONFIG", raising=False)
    (tmp_path / "cases.jsonl").write_bytes(lines(*CASES))
    return tmp_path


def run(*arguments: str, stdin: bytes = b"") -> Result:
    """Run it; errors of ours are raised as the command line's `main` receives them."""
    result = CliRunner().invoke(replay, arguments, input=stdin)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def told(*arguments: str, stdin: bytes = b"") -> dict[str, Any]:
    """The JSON document."""
    result = run(*arguments, "--json", stdin=stdin)
    assert result.exit_code == 0, result.output
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def test_the_sums() -> None:
    document = told("cases.jsonl")
    benign = document["sources"]["own"]["benign"]
    assert benign["usd_micros_high"] > 0
    assert {name: benign[name] for name in ("cases", "allow", "require_approval", "deny", "undecoded", "actions")} == {
        "cases": 5,
        "allow": 3,
        "require_approval": 1,
        "deny": 1,
        "undecoded": 1,
        "actions": 4,
    }
    attack = document["sources"]["own"]["attack"]
    assert (attack["cases"], attack["require_approval"], attack["actions"]) == (1, 1, 2)
    assert document["rules"]["read-and-write"] == 3 and document["rules"]["provision"] == 1
    assert document["questions"]["total"] == 2 and document["questions"]["by_class"]["provision"] == 1
    assert (document["local"], document["agent"], document["policies"]) == (1, "replay", "the starter pack")
    assert (
        document["undecoded"][0]["first"] == "case/3"
        and "no command that is known" in document["undecoded"][0]["reason"]
    )
    assert document["wire"]["share"] == 1.0 and document["seconds"] >= 0


def test_a_packed_file_and_standard_input_are_the_same(folder: Path) -> None:
    (folder / "cases.jsonl.gz").write_bytes(gzip.compress(lines(*CASES)))
    plain = told("cases.jsonl")
    for other in (
        told("cases.jsonl.gz"),
        told("-", stdin=lines(*CASES)),
        told("-", stdin=gzip.compress(lines(*CASES))),
    ):
        assert {**other, "seconds": 0} == {**plain, "seconds": 0}


def test_the_table_says_the_same() -> None:
    output = run("cases.jsonl").stdout
    assert "own     attack" in output and "own     benign" in output
    assert "questions: 2" in output and "1 provision" in output
    assert "not read: 1 x `aws levitate now` is no command that is known (first: case/3)" in output
    assert "read off the wire: 100.0% of 5 AWS calls" in output
    assert "judged as `replay` by the starter pack" in output


def test_policies_of_a_folder(folder: Path) -> None:
    (folder / "other").mkdir()
    (folder / "other" / "a.cedar").write_text('@id("all") permit (principal, action, resource);')
    document = told("cases.jsonl", "--policy", "other")
    assert document["sources"]["own"]["benign"]["allow"] == 4 and document["policies"] == "other"
    assert document["rules"] == {"all": 5, "undecodable": 1}
    (folder / "empty").mkdir()
    with pytest.raises(ConfigError, match=r"no \*\.cedar"):
        run("cases.jsonl", "--policy", "empty")


def test_an_installation_here_is_used(folder: Path) -> None:
    (folder / "comptroller.yaml").write_text(CONFIG)
    (folder / "policies").mkdir()
    (folder / "policies" / "starter.cedar").write_text(starter_policies())
    document = told("cases.jsonl")
    assert (document["agent"], document["policies"]) == ("research", str(folder / "policies"))
    assert document["rules"]["unnamed"] == 3
    with pytest.raises(UsageError, match="there is no agent `nobody`"):
        run("cases.jsonl", "--agent", "nobody")
    (folder / "comptroller.yaml").write_text(CONFIG + "  second: {team: ml, owner: ann, purpose: x}\n")
    with pytest.raises(UsageError, match="as which agent"):
        run("cases.jsonl")
    assert told("cases.jsonl", "--agent", "second")["rules"]["unnamed"] == 6


def test_one_outcome_is_listed_and_one_case_is_laid_open() -> None:
    shown = told("cases.jsonl", "--show", "deny")["shown"]
    assert [case["id"] for case in shown] == ["case/3"]
    assert [case["id"] for case in told("cases.jsonl", "--show", "allow", "-n", "2")["shown"]] == ["case/0", "case/2"]
    (case,) = told("cases.jsonl", "--explain", "case/1")["shown"]
    (action,) = case["actions"]
    assert (action["operation"], action["quantity"], action["wire"]) == ("aws:ec2:RunInstances", 2, True)
    assert action["explanation"]["verdict"] == "require_approval"
    text = run("cases.jsonl", "--explain", "case/1").stdout
    assert "require_approval: case/1, line 2" in text and "rule provision: asks people" in text
    assert "no action" in run("cases.jsonl", "--explain", "case/2").stdout
    assert (
        "aws:unknown" in run("cases.jsonl", "--show", "undecoded").stdout
        or "cloud_api:unknown" in run("cases.jsonl", "--show", "undecoded").stdout
    )
    with pytest.raises(UsageError, match="no case with the id `case/99`"):
        run("cases.jsonl", "--explain", "case/99")
    assert told("cases.jsonl", "--source", "own")["sources"].keys() == {"own"}
    with pytest.raises(UsageError, match="no case of source `another`"):
        run("cases.jsonl", "--source", "another")


def test_bad_lines_are_told_and_stop_nothing(folder: Path) -> None:
    bad = [
        b"not json",
        b"[]",
        b"{}",
        b'{"id": "x"}',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"id": 1e999}',
        b"1" * 5000,
        b"\x1b[31m",
    ]
    (folder / "bad.jsonl").write_bytes(b"\n".join([*bad, b"", lines(CASES[0])]))
    document = told("bad.jsonl")
    assert document["bad_lines"]["count"] == len(bad)
    assert [item["line"] for item in document["bad_lines"]["first"]] == list(range(1, len(bad) + 1))
    assert document["sources"]["own"]["benign"]["cases"] == 1
    output = run("bad.jsonl").output
    assert "line 1 is no case: it is no JSON" in output and "\x1b" not in output


def test_a_line_too_long_is_bad_and_the_next_is_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LINE_BYTES_MAX", 400)
    (folder / "long.jsonl").write_bytes(b'{"id": "' + b"x" * 2000 + b'"}\n' + lines(CASES[0]))
    document = told("long.jsonl")
    assert document["bad_lines"]["first"] == [{"line": 1, "why": "it is longer than 400 bytes"}]
    assert document["sources"]["own"]["benign"]["cases"] == 1


def test_a_file_that_unpacks_without_end_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FILE_BYTES_MAX", 10_000)
    (folder / "bomb.gz").write_bytes(gzip.compress(b"\n" * 1_000_000))
    with pytest.raises(RefusedError, match="more than 10000 bytes"):
        run("bomb.gz")


@pytest.mark.parametrize("content", [b"", b"\n\n", gzip.compress(lines(CASES[0]))[:-9], b"\x1f\x8bnonsense"])
def test_a_file_without_a_case_or_damaged_is_refused(folder: Path, content: bytes) -> None:
    (folder / "file").write_bytes(content)
    with pytest.raises(UsageError):
        run("file")


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(UsageError, match="cannot read `nowhere`"):
        run("nowhere")


def test_what_a_case_says_of_itself_is_harmless_on_a_terminal(folder: Path) -> None:
    hostile = {"id": "a\x1b[2J", "source": "\u202eown", "label": "b\nc", "kind": "k\x07", "command": "x"}
    (folder / "file").write_bytes(json.dumps(hostile).encode())
    for arguments in (["file"], ["file", "--show", "deny"], ["file", "--json"]):
        output = run(*arguments).output
        assert not {"\x1b", "\u202e", "\x07"} & set(output)


def test_errors_of_ours_have_an_exit_code() -> None:
    assert all(issubclass(kind, ComptrollerError) for kind in (UsageError, RefusedError, ConfigError))


def installed(folder: Path, config: str) -> None:
    """An installation with the starter policies."""
    (folder / "comptroller.yaml").write_text(config)
    (folder / "policies").mkdir(exist_ok=True)
    (folder / "policies" / "starter.cedar").write_text(starter_policies())


def test_what_is_not_named_is_counted_by_service_with_the_next_step(folder: Path) -> None:
    installed(folder, CONFIG)
    text = run("cases.jsonl").stdout
    assert "not named for `research`: aws:iam 1, aws:s3 1" in text or "aws:s3 1, aws:iam 1" in text
    assert "agents.research.services in comptroller.yaml" in text
    assert told("cases.jsonl")["unnamed"] == {"aws:s3": 1, "aws:iam": 1}
    (folder / "comptroller.yaml").unlink()
    assert "not named" not in run("cases.jsonl").stdout


def test_why_a_case_is_not_read_stands_beside_it(folder: Path) -> None:
    (folder / "other.jsonl").write_bytes(lines({"kind": "tool_call", "name": "x"}))
    assert "no reader for kind `tool_call`" in run("other.jsonl", "--show", "undecoded").stdout.splitlines()[1]


def test_a_file_without_cases_says_what_it_holds(folder: Path) -> None:
    (folder / "empty.jsonl").write_bytes(b"")
    with pytest.raises(UsageError, match=r"`empty\.jsonl` has no case"):
        run("empty.jsonl")
    (folder / "text").write_bytes(b"hello\nworld\n")
    with pytest.raises(UsageError, match="has no case; 2 lines could not be read") as raised:
        run("text")
    assert raised.value.hint == "line 1 is no case: it is no JSON"


def test_the_installation_s_own_prices_and_factors_count(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state"))
    (folder / "cases.jsonl").write_bytes(lines(CASES[1]))
    config = CONFIG.replace("[aws:ec2]", '[aws:ec2], accounts: ["123456789012"]')
    installed(folder, config)
    listed = told("cases.jsonl")["usd_micros_high"]["require_approval"]
    assert listed > 0
    prices = Paths.of(folder / "comptroller.yaml").prices
    prices.parent.mkdir(parents=True)
    prices.write_text("provider,region,sku,usd,per,as_of,source\naws,us-east-1,m5.large,50,hour,2026-11-01,own\n")
    assert told("cases.jsonl")["usd_micros_high"]["require_approval"] > 100_000_000
    (folder / "comptroller.yaml").write_text(config + 'prices: {factors: {"123456789012": 0.5}}\n')
    assert 50_000_000 < told("cases.jsonl")["usd_micros_high"]["require_approval"] < 60_000_000
