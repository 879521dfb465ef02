"""`comptroller policy suggest`: from a file of cases, from an export, and for a run from its real server."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from click.testing import CliRunner, Result
from tests.cli.test_cli_verbs import Served

from comptroller.cli import suggesting
from comptroller.cli.policy import policy
from comptroller.cli.replay import replay
from comptroller.compose import open_installation
from comptroller.core.errors import MissingError, UsageError
from comptroller.testing.aws_requests import AwsRequests

CONFIG = """
version: 1
organization: acme
teams: {ml: {}}
people: {ann: {groups: [approvers]}}
agents:
  research: {team: ml, owner: ann, purpose: train a model, services: [aws:ec2]}
  second: {team: ml, owner: ann, purpose: look}
budgets:
  - {scope: acme, unit: calls, window: total, limit: 1000}
  - {scope: acme, unit: usd, window: total, limit: 1000}
"""
POLICIES = """
@id("reads") permit (principal, action in Comptroller::Action::"read", resource) when { context.named };
@id("unnamed") forbid (principal, action, resource) unless { context.named };
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation that permits reading what is named, and some cases."""
    (tmp_path / "comptroller.yaml").write_text(CONFIG)
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "own.cedar").write_text(POLICIES)
    commands = [
        "aws ec2 describe-instances",
        "aws ec2 create-tags --resources i-1 --tags Key=a,Value=b",
        "aws ec2 terminate-instances --instance-ids i-1",
        "aws iam list-users",
        "aws levitate",
    ]
    cases = [
        {"id": str(at), "source": "own", "label": "benign", "kind": "cloud_api", "command": command}
        for at, command in enumerate(commands)
    ]
    (tmp_path / "cases.jsonl").write_text("".join(json.dumps(case) + "\n" for case in cases))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("COMPTROLLER_CONFIG", raising=False)
    return tmp_path


def run(*arguments: str) -> Result:
    """Run `policy suggest`."""
    result = CliRunner().invoke(policy, ["suggest", *arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_from_a_file_and_taken_over(folder: Path) -> None:
    result = run("--from", "cases.jsonl", "--agent", "research")
    assert result.exit_code == 0
    assert "agents.research.services: add aws:iam" in result.stdout
    assert "nobody can say what it would do" in result.stdout
    (folder / "policies" / "new.cedar").write_text(result.stdout)
    after = CliRunner().invoke(replay, ["cases.jsonl", "--agent", "research", "--json"])
    counts = json.loads(after.stdout)["sources"]["own"]["benign"]
    assert (counts["allow"], counts["require_approval"], counts["deny"]) == (2, 1, 2)
    again = json.loads(run("--from", "cases.jsonl", "--agent", "research", "--json").stdout or "{}")
    assert again["suggested"] == []


def test_json_names_everything() -> None:
    document = json.loads(run("--from", "cases.jsonl", "--agent", "research", "--json").stdout)
    by_name = {item["operations"][0]: item for item in document["suggested"] if item["asks"] or True}
    assert by_name["aws:ec2:CreateTags"]["verdicts"] == {"allow": 1}
    assert {item["service"] for item in document["refused"]} >= {"aws:iam"}
    assert document["cedar"].count("@id(") >= 3 and document["settled"] == 0


def test_only_refusals_end_with_1(folder: Path) -> None:
    cases = (folder / "cases.jsonl").read_text().splitlines()
    (folder / "some.jsonl").write_text(cases[3] + "\n")
    result = run("--from", "some.jsonl", "--agent", "research")
    assert result.exit_code == 1 and "@id" not in result.stdout


def test_a_run_or_a_file_is_due(folder: Path) -> None:
    with pytest.raises(UsageError, match="either a RUN"):
        run()
    with pytest.raises(UsageError, match="either a RUN"):
        run("0199", "--from", "cases.jsonl")


def test_without_a_server_it_says_so() -> None:
    with pytest.raises(MissingError):
        run("0199")


async def fill(config: Path) -> str:
    """A run with denied and other entries in a real store; the run's id."""
    installation = await open_installation(config)
    try:
        await installation.begin()
        engine = installation.engine
        run = await engine.runs.start(agent="research", purpose=None, resume=None, per_run={})
        made = AwsRequests(seed=3)
        tags = {"Resources": ["i-1"], "Tags": [{"Key": "a", "Value": "b"}]}
        for service, operation, parameters in (
            ("ec2", "DescribeInstances", {}),
            *(("ec2", "CreateTags", tags),) * 3,
            ("ec2", "TerminateInstances", {"InstanceIds": ["i-1"]}),
            ("iam", "ListUsers", {}),
        ):
            sample = made.sample(service, operation, parameters)
            assert sample is not None
            request = replace(sample.request, agent="research", run=run.id, accounts={"aws": "111122223333"})
            await engine.gatekeeper.admit(request, hold_seconds=0)
        await engine.brakes.freeze(run.path, by="ann", reason="enough")
        await engine.gatekeeper.admit(request, hold_seconds=0)
        return run.id
    finally:
        await installation.close()


def test_a_run_is_read_page_by_page_from_its_server(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suggesting, "PAGE_ENTRIES", 2)
    with TemporaryDirectory(prefix="cs-") as state:
        monkeypatch.setenv("XDG_STATE_HOME", state)
        run_id = asyncio.run(fill(folder / "comptroller.yaml"))
        server = Served()
        try:
            document = json.loads(run(run_id, "--json").stdout)
        finally:
            server.end()
    by_operation = {item["operations"][0]: item for item in document["suggested"] if "write" in item["classes"]}
    tags = by_operation["aws:ec2:CreateTags"]
    assert (tags["count"], tags["agent"], tags["asks"]) == (3, "research", False)
    assert 'context.region == "us-east-1"' in tags["cedar"] and 'context.account == "111122223333"' in tags["cedar"]
    assert any(item["asks"] and "aws:ec2:TerminateInstances" in item["operations"] for item in document["suggested"])
    reasons = {item["reason"].partition(":")[0]: item for item in document["refused"]}
    assert any("forbid always wins" in reason for reason in reasons)
    assert any("(frozen)" in reason for reason in reasons)
