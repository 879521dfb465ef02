"""`policy what-if` and `policy rules` on a log that the real engine wrote, with no server about."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from comptroller.cli import main
from comptroller.compose import build_engine, load_boundary, starter_policies
from comptroller.compose_state import SystemIds, make_keys
from comptroller.core.action import Action, ActionClass, digest
from comptroller.core.approval import Person
from comptroller.core.budget import Budget
from comptroller.core.config import parse_config
from comptroller.core.estimate import Bound, Estimate, Unit
from comptroller.core.window import Window
from comptroller.engine.sequencer import Proposal
from comptroller.server.place import Paths
from comptroller.stores.sqlite import SqliteStore

CONFIG: dict[str, Any] = {
    "version": 1,
    "organization": "acme",
    "teams": {"ml": {}},
    "people": {"ann": {"groups": ["approvers"]}},
    "agents": {"bot": {"team": "ml", "owner": "ann", "purpose": "test", "services": ["aws:ec2"]}},
}
NO_WRITES = '@id("no-writes") forbid (principal, action in Comptroller::Action::"write", resource);\n'
SHADOW = '@id("watched") @mode("shadow") forbid (principal, action in Comptroller::Action::"read", resource);\n'


class Turned:
    """A clock that only a test moves."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation with a log: ten days ago a write; two days ago three reads, two writes and a question."""
    project = tmp_path / "project"
    (project / "policies").mkdir(parents=True)
    config = project / "comptroller.yaml"
    config.write_text(yaml.safe_dump(CONFIG))
    (project / "policies" / "starter.cedar").write_text(starter_policies())
    (project / "policies" / "watched.cedar").write_text(SHADOW)
    monkeypatch.chdir(project)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("COMPTROLLER_CONFIG", raising=False)
    make_keys(Paths.of(config))
    asyncio.run(_fill(config))
    return project


async def _fill(config: Path, *, questions: int = 1, days: int = 10, reject: bool = False) -> None:
    settings = parse_config(CONFIG, origin="test")
    boundary = load_boundary(settings, config)
    store = await SqliteStore.open(Paths.of(config).store)
    clock = Turned(datetime.now(UTC) - timedelta(days=days))
    engine = build_engine(settings, store, lambda: boundary, clock=clock, ids=SystemIds())
    for unit in (Unit.CALLS, Unit.USD_MICROS):
        budget = Budget(scope="acme", unit=unit, window=Window.TOTAL, limit=10_000_000)
        await engine.ledger.set_budget(budget, by="ann")
    run = await engine.runs.start(agent="bot", purpose=None, resume=None, per_run={})

    async def act(of: ActionClass, usd_micros: int, number: int) -> None:
        action = Action(
            operation=f"aws:ec2:{of.value}",
            service="aws:ec2",
            classes=frozenset({of}),
            endpoint="ec2.us-east-1.amazonaws.com",
            agent="bot",
            run=run.id,
            parameters={"number": number},
        )
        bounds = {Unit.CALLS: Bound.exactly(1), Unit.USD_MICROS: Bound(low=0, high=usd_micros)}
        estimate = Estimate(bounds=bounds)
        proposal = Proposal(
            action=action,
            digest=digest(action),
            estimate=estimate,
            boundary=boundary.evaluate(action, estimate),
            sentence=f"{of.value} number {number}",
        )
        await engine.sequencer.admit(proposal)

    await act(ActionClass.WRITE, 7, 0)
    clock.at = datetime.now(UTC) - timedelta(days=2)
    for number in range(3):
        await act(ActionClass.READ, 0, number)
    for number in range(2):
        await act(ActionClass.WRITE, 1_000, number)
    for number in range(questions):
        await act(ActionClass.PROVISION, 2_000_000, number)
    for approval in await store.approvals() if reject else ():
        if approval.run == run.id:
            ann = Person(name="ann", groups=frozenset({"approvers"}), via="uid:1")
            await engine.approvals.reject(approval.id, ann, comment="no")
    await store.close()


def run(*arguments: str, exit_code: int = 0) -> Result:
    done = CliRunner().invoke(main, ["policy", *arguments])
    assert done.exit_code == exit_code, done.output
    return done


def as_json(*arguments: str, exit_code: int = 0) -> Mapping[str, Any]:
    found = json.loads(run(*arguments, "--json", exit_code=exit_code).stdout)
    assert isinstance(found, dict)
    return found


def test_a_file_takes_the_place_of_its_namesake_or_stands_beside_the_others(folder: Path, tmp_path: Path) -> None:
    extra = tmp_path / "extra.cedar"
    extra.write_text(NO_WRITES)
    found = as_json("what-if", "--policies", str(extra), "--fail-on-widening")
    assert (found["actions"], found["changed"], found["wider"]) == (6, 2, 0)
    assert [(c["from"], c["to"], c["count"], c["usd_micros"]) for c in found["changes"]] == [("allow", "deny", 2, 2000)]
    assert found["rules_changed"] == [
        {"rule": "no-writes", "change": "added", "may_widen": False, "why": "it holds back more"}
    ]
    empty = tmp_path / "starter.cedar"
    empty.write_text("// nothing\n")
    assert as_json("what-if", "--policies", str(empty))["after"]["actions"] == {"allow": 0, "ask": 0, "deny": 6}


def test_a_folder_is_the_whole_set_and_days_reach_further_back(folder: Path, tmp_path: Path) -> None:
    edited = tmp_path / "edited"
    edited.mkdir()
    bare = starter_policies().replace('@id("provision")', '@mode("shadow")\n@id("provision")')
    (edited / "starter.cedar").write_text(bare)
    found = as_json("what-if", "--policies", str(edited), "--days", "30", "--fail-on-widening", exit_code=1)
    assert (found["actions"], found["wider"], found["may_widen"]) == (7, 1, True)
    assert [(c["from"], c["to"], c["usd_micros"]) for c in found["changes"]] == [("ask", "allow", 2_000_000)]
    assert {item["rule"]: item["change"] for item in found["rules_changed"]} == {
        "provision": "changed",
        "watched": "removed",
    }
    text = run("what-if", "--policies", str(edited)).stdout
    assert "WIDER  ask -> allow: 1 ($2.00) by provision 1" in text and "provision number 0" in text
    assert "budgets, brakes and people's answers are not replayed" in text


def test_no_more_actions_than_wanted_and_it_says_so(folder: Path) -> None:
    found = as_json("what-if", "--policies", "policies", "--actions-max", "2")
    assert found["actions"] == 2 and found["cut_short"] and found["changed"] == 0
    assert "none before" in run("what-if", "--policies", "policies", "--actions-max", "2").stdout


def test_rules_that_cannot_be_used_end_with_their_place(folder: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.cedar"
    bad.write_text('@id("x") permit (principal, action, resource) when { context.regoin == "a" };')
    done = run("what-if", "--policies", str(bad), exit_code=2)
    assert "bad.cedar:1" in done.stderr and "context.region" in done.stderr
    bad.with_suffix(".txt").write_text("")
    assert "no *.cedar file" in run("what-if", "--policies", str(bad.with_suffix(".txt")), exit_code=2).stderr


def test_what_each_rule_did(folder: Path) -> None:
    rows = {row["rule"]: row for row in as_json("rules", "--days", "7")["rules"]}
    assert rows["read-and-write"]["actions"]["allowed"] == 5
    assert rows["provision"]["actions"]["asked"] == 1 and rows["provision"]["usd_micros"] == {"asked": 2_000_000}
    assert rows["watched"]["shadow"] and rows["watched"]["actions"]["would_deny"] == 3
    assert rows["infer"]["last"] == ""
    text = run("rules").stdout
    assert "asks people provision: 1 asked ($2.00 asked)" in text and "shadow forbid      watched: 3 would deny" in text
    assert "infer: unused" in text


def test_the_last_days_suggest_rules_and_edits(folder: Path) -> None:
    asyncio.run(_fill(folder / "comptroller.yaml", questions=3, days=2, reject=True))
    found = as_json("suggest", "--days", "7")
    (lesson,) = found["answered"]
    assert (lesson["kind"], lesson["file"], lesson["questions"]) == ("deny", "answered.cedar", 3)
    assert found["suggested"] == [] and not found["cut_short"]
    text = run("suggest", "--days", "7").stdout
    assert "// 3 questions about aws:ec2:provision of bot would have been denied unasked" in text
    assert "--days N" in run("suggest", "--days", "7", "RUN", exit_code=2).stderr
