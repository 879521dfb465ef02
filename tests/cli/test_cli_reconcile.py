"""`budget suspense` and `reconcile` against a real server whose store holds calls that a crash left without outcome."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from comptroller.boundary import CedarBoundary
from comptroller.cli import main
from comptroller.compose import Paths, build_engine, load_boundary, load_config
from comptroller.core.action import Action, ActionClass, Call, digest
from comptroller.core.budget import Budget
from comptroller.core.estimate import Bound, Estimate, Outcome, Unit
from comptroller.core.window import Window
from comptroller.engine.sequencer import Proposal
from comptroller.stores.sqlite import SqliteStore

READY_SECONDS = 60
ACCOUNT = "123456789012"


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, prog_name="comptroller")


class LastWeek:
    """The clock of what happened before the crash."""

    def now(self) -> datetime:
        return datetime.now(UTC) - timedelta(days=7)


async def crashed(home: Path) -> tuple[str, list[str]]:
    """A run with a settled call and two whose answers were lost. Returns the run and the two reservations."""
    path = home / "comptroller.yaml"
    config = load_config(path)
    boundary: CedarBoundary = load_boundary(config, path)
    store = await SqliteStore.open(Paths.of(path).store)
    engine = build_engine(config, store, lambda: boundary, clock=LastWeek())
    (agent,) = config.agents
    run = await engine.runs.start(agent=agent, purpose=None, resume=None, per_run={})
    for unit in (Unit.CALLS, Unit.USD_MICROS):
        budget = Budget(scope=config.organization, unit=unit, window=Window.TOTAL, limit=100_000_000)
        await engine.ledger.set_budget(budget, by="test")
    lost = []
    for number in range(3):
        action = Action(
            operation="aws:ec2:DescribeInstances",
            service="aws:ec2",
            classes=frozenset({ActionClass.READ}),
            account=ACCOUNT,
            region="us-east-1",
            endpoint="ec2.us-east-1.amazonaws.com",
            agent=agent,
            run=run.id,
            parameters={"number": number},
            call=Call(attempt=str(number)),
        )
        bounds = {Unit.CALLS: Bound.exactly(1), Unit.USD_MICROS: Bound(low=0, high=6_000_000)}
        estimate = Estimate(bounds=bounds)
        proposal = Proposal(
            action=action,
            digest=digest(action),
            estimate=estimate,
            boundary=boundary.evaluate(action, estimate),
            sentence=f"look at machine {number}",
        )
        sequenced = await engine.gatekeeper._sequencer.admit(proposal)
        assert sequenced.permit is not None, sequenced.verdict
        if number:
            lost.append(sequenced.permit.reservation)
        else:
            paid = Outcome(status=200, ok=True, complete=True, actual={Unit.USD_MICROS: 1_000_000}, made=("i-0mine",))
            await engine.settler.settle(sequenced.permit, action, paid)
    await store.close()
    return run.id, lost


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    base = Path(tempfile.mkdtemp(prefix="cc-"))
    monkeypatch.setenv("XDG_STATE_HOME", str(base / "s"))
    monkeypatch.delenv("COMPTROLLER_CONFIG", raising=False)
    folder = base / "shop"
    folder.mkdir()
    monkeypatch.chdir(folder)
    yield folder
    shutil.rmtree(base)


@pytest.fixture
def lost(home: Path) -> Iterator[tuple[str, list[str]]]:
    assert call("init").exit_code == 0
    document = yaml.safe_load((home / "comptroller.yaml").read_text())
    for agent in document["agents"].values():
        agent.update(services=["aws:ec2"], accounts=[ACCOUNT])
    (home / "comptroller.yaml").write_text(yaml.safe_dump(document))
    found = asyncio.run(crashed(home))
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    server = subprocess.Popen(
        [sys.executable, "-m", "comptroller", "serve"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
    )
    assert server.stdout is not None
    said = ""
    for line in server.stdout:
        said += line
        if line == "ready\n":
            break
    assert "ready" in said, said
    yield found
    server.terminate()
    server.communicate(timeout=READY_SECONDS)


def bill(home: Path, run: str) -> Path:
    """Hourly lines of a week; the last ends today."""
    began, today = (LastWeek().now() - timedelta(hours=2)), datetime.now(UTC)

    def line(resource: str, dollars: str, start: datetime, end: datetime, tag: str) -> str:
        times = f"{start:%Y-%m-%dT%H:%M:%SZ},{end:%Y-%m-%dT%H:%M:%SZ}"
        return f"{ACCOUNT},Usage,{times},AmazonEC2,{resource},USD,{dollars},us-east-1,{tag}\n"

    head = (
        "lineItem/UsageAccountId,lineItem/LineItemType,lineItem/UsageStartDate,lineItem/UsageEndDate,"
        "lineItem/ProductCode,lineItem/ResourceId,lineItem/CurrencyCode,lineItem/UnblendedCost,product/regionCode,"
        "resourceTags/user:comptroller:run\n"
    )
    path = home.parent / "bill.csv"
    path.write_text(
        head
        + line("i-0mine", "1.25", began, today, run)
        + line("i-0lost", "2.50", began, today, run)
        + line('"=cmd|x!A1"', "7.00", began, today, "")
    )
    return path


def test_a_person_settles_one_and_a_bill_the_other(home: Path, lost: tuple[str, list[str]]) -> None:
    run, (first, second) = lost
    shown = json.loads(call("budget", "suspense", "list", "--json").stdout)["suspense"]
    assert [row["reservation"] for row in shown] == [first, second]
    assert all(row["age_seconds"] >= 7 * 86_000 and row["why"] == "comptroller restarted" for row in shown)
    listed = call("budget", "suspense", "list").stdout
    assert "look at machine 1" in listed and "2 unconfirmed, $12.00 held" in listed
    assert "$12.00 unconfirmed" in call("budget", "show").stdout
    assert "unconfirmed" in call("tail").stdout and "$6.00 of $100.00 is unconfirmed" in call("tail").stdout

    assert call("budget", "suspense", "settle", first, "--reason", "x").exit_code == 2
    assert call("budget", "suspense", "settle", first, "--cost", "lots", "--reason", "x").exit_code == 2
    assert call("budget", "suspense", "settle", first, "--cost", "1", "--nothing", "--reason", "x").exit_code == 2
    assert call("budget", "suspense", "settle", "not-there", "--nothing", "--reason", "x").exit_code == 1
    done = call("budget", "suspense", "settle", first, "--nothing", "--reason", "the console shows no call")
    assert done.exit_code == 0 and "instead of $6.00 held" in done.stdout
    again = call("budget", "suspense", "settle", first, "--nothing", "--reason", "again")
    assert again.exit_code == 1
    said = call("tail").stdout
    assert "confirmed" in said and "the console shows no call" in said

    path = bill(home, run)
    found = json.loads(call("reconcile", str(path), "--json").stdout)
    assert found["items"] == 3
    (service,) = [row for row in found["services"] if row["service"] == "ec2"]
    assert (service["settled_usd_micros"], service["unconfirmed_usd_micros"]) == (1_000_000, 6_000_000)
    assert (service["billed_usd_micros"], service["unknown_usd_micros"]) == (10_750_000, 7_000_000)
    assert found["proven"] == [
        {
            "reservation": second,
            "usd_micros": 2_500_000,
            "why": "lines of its run and service that belong to nothing else",
        }
    ]
    text = call("reconcile", str(path)).stdout
    assert "billed, and nobody knows it here" in text and "$7.00" in text and "--apply" in text
    assert call("reconcile", str(path), "--apply").exit_code == 2
    applied = call("reconcile", str(path), "--apply", "--reason", "bill of last week")
    assert applied.exit_code == 0 and "at $2.50" in applied.stdout, applied.output
    assert call("budget", "suspense", "list").stdout == "nothing is unconfirmed\n"
    assert json.loads(call("reconcile", str(path), "--json").stdout)["proven"] == []
    rows = json.loads(call("budget", "show", "--json").stdout)["budgets"]
    (row,) = [r for r in rows if (r["unit"], r["window"], r["depth"]) == ("usd_micros", "total", 0)]
    assert (row["settled"], row["suspense"]) == (3_500_000, 0)

    (told,) = json.loads(call("report", "accuracy", "--json").stdout)["operations"]
    assert told == {
        "service": "aws:ec2",
        "operation": "aws:ec2:DescribeInstances",
        "settled": 3,
        "untold": 0,
        "unconfirmed": 0,
        "exceeded": 0,
        "held_usd_micros": 18_000_000,
        "paid_usd_micros": 3_500_000,
        "released_share": 0.8056,
        "used_median": 0.1667,
        "used_p95": 0.4167,
        "used_max": 0.4167,
    }
    assert "80.6 %" in call("report", "accuracy").stdout


def test_a_broken_bill_is_told_of_by_its_line(home: Path, lost: tuple[str, list[str]]) -> None:
    path = bill(home, lost[0])
    path.write_text(path.read_text() + "one,two\n")
    done = call("reconcile", str(path))
    assert done.exit_code == 2 and "line 5: 2 fields" in done.stderr
    assert call("reconcile", str(home / "nowhere.csv")).exit_code == 2
