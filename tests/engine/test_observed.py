"""Observed runs through the engine over each store: what goes, what is recorded, and for how long."""

from __future__ import annotations

from dataclasses import replace

import pytest

from comptroller.core.action import ActionClass
from comptroller.core.verdict import VerdictKind
from comptroller.engine.sequencer import Proposal, Sequencer
from conftest import Bench

READ, WRITE, PAY, DESTROY = ActionClass.READ, ActionClass.WRITE, ActionClass.PAY, ActionClass.DESTROY
ELSEWHERE = {"operation": "http:other.example.net:GET", "service": "http", "endpoint": "other.example.net"}


async def observed(bench: Bench) -> None:
    """The bench's run, ended and begun again as an observed one."""
    await bench.engine.runs.end(bench.run.id, exit_code=0)
    bench.run = await bench.engine.runs.start(agent="bot", purpose=None, resume=bench.run.id, per_run={}, observed=True)


def elsewhere(bench: Bench, *classes: ActionClass, **changes: object) -> Proposal:
    return bench.proposal(*classes, **{**ELSEWHERE, "account": "", "region": "", **changes})  # type: ignore[arg-type]


async def test_the_cheap_on_unnamed_hosts_goes_and_is_marked(bench: Bench, sequencer: Sequencer) -> None:
    refused = await sequencer.admit(elsewhere(bench, READ))
    assert refused.verdict.kind is VerdictKind.DENY
    await observed(bench)
    done = await sequencer.admit(elsewhere(bench, READ, WRITE))
    assert done.verdict.allowed and done.permit is not None
    entry = (await bench.store.entries(limit=1000))[-1].document
    body = entry["body"]
    assert isinstance(body, dict)
    assert entry["kind"] == "action.allowed"
    assert (body["verdict"], body["would"], body["rules"], body["observed"]) == ("allow", "deny", ["unnamed"], True)


@pytest.mark.parametrize(
    "changes",
    [
        {"service": "aws:s3", "account": "999999999999"},
        {"parts": "itself"},
    ],
)
async def test_accounts_and_parts_stay_enforced(bench: Bench, sequencer: Sequencer, changes: dict[str, object]) -> None:
    await observed(bench)
    if "parts" in changes:
        changes = {"parts": (elsewhere(bench, READ).action,)}
    done = await sequencer.admit(elsewhere(bench, READ, **changes))
    assert done.verdict.kind is VerdictKind.DENY


@pytest.mark.parametrize(
    "dangerous", sorted(set(ActionClass) - {READ, WRITE, ActionClass.INFER, ActionClass.COMMUNICATE})
)
async def test_the_dangerous_stays_denied(bench: Bench, sequencer: Sequencer, dangerous: ActionClass) -> None:
    await observed(bench)
    for classes in ((dangerous,), (dangerous, READ)):
        done = await sequencer.admit(elsewhere(bench, *classes))
        assert done.verdict.kind is VerdictKind.DENY


async def test_rules_of_ones_own_and_named_hosts_stay_as_they_are(bench: Bench, sequencer: Sequencer) -> None:
    await observed(bench)
    own = """
        @id("mine") forbid (principal, action, resource) when { context.host like "*.example.net" };
        @id("look") permit (principal, action in Comptroller::Action::"read", resource) when { context.named };
        @id("unnamed") forbid (principal, action, resource) unless { context.named };
    """
    bench.reload(own)
    assert (await sequencer.admit(elsewhere(bench, READ))).verdict.kind is VerdictKind.DENY
    named = bench.proposal(WRITE, **ELSEWHERE | {"endpoint": "api.example.com"})  # type: ignore[arg-type]
    assert (await sequencer.admit(named)).verdict.kind is VerdictKind.DENY
    free = elsewhere(bench, READ, endpoint="other.example.org")
    assert (await sequencer.admit(free)).verdict.allowed


async def test_it_ends_with_the_run(bench: Bench, sequencer: Sequencer) -> None:
    await observed(bench)
    await bench.engine.runs.end(bench.run.id, exit_code=0)
    again = await bench.engine.runs.start(agent="bot", purpose=None, resume=bench.run.id, per_run={})
    assert again == replace(bench.run, observed=False, started_at=again.started_at)
    assert (await sequencer.admit(elsewhere(bench, READ))).verdict.kind is VerdictKind.DENY
    bodies = [entry.document["body"] for entry in await bench.store.entries(limit=1000)]
    assert [bool(b.get("observed")) for b in bodies if "per_run" in b] == [False, True, False]  # type: ignore[attr-defined,operator]
