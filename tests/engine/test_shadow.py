"""What rules in shadow mode would have changed stands in the entry; verdict, question and grant do not move."""

from __future__ import annotations

from comptroller.compose import starter_policies
from comptroller.core.action import ActionClass
from comptroller.core.estimate import Unit
from conftest import ANN, Bench

FORBIDS = '@id("no-more") @mode("shadow") forbid (principal, action in Comptroller::Action::"provision", resource);\n'
ASKS = """
@id("asks-writes") @mode("shadow") @outcome("approval") @approvers("Group::approvers")
forbid (principal, action in Comptroller::Action::"write", resource)
unless { context.grants.contains("asks-writes") };
"""


async def bodies(bench: Bench) -> list[dict[str, object]]:
    """Bodies of the entries of actions."""
    entries = await bench.store.entries(limit=1000)
    return [dict(e.document["body"]) for e in entries if str(e.document["kind"]).startswith("action.")]  # type: ignore[call-overload]


async def test_what_it_would_have_done_is_in_the_entry(bench: Bench) -> None:
    bench.reload(starter_policies() + ASKS)
    admitted = await bench.engine.sequencer.admit(bench.proposal(ActionClass.WRITE))
    assert admitted.permit is not None
    await bench.engine.sequencer.admit(bench.proposal(ActionClass.READ))
    written, read = await bodies(bench)
    assert written["shadow"] == [{"rule": "asks-writes", "would": "approval"}]
    assert "asks-writes" not in str(written["rules"])
    assert "shadow" not in read


async def test_a_grant_outlives_edits_of_shadow_rules(bench: Bench) -> None:
    held = await bench.engine.sequencer.admit(bench.proposal())
    assert held.approval is not None
    await bench.engine.approvals.approve(held.approval.id, ANN)
    bench.reload(starter_policies() + FORBIDS)
    admitted = await bench.engine.sequencer.admit(bench.proposal())
    assert admitted.permit is not None and admitted.permit.approval == held.approval.id
    asked, allowed = await bodies(bench)
    assert "shadow" not in asked and allowed["shadow"] == [{"rule": "no-more", "would": "deny"}]


async def test_where_a_budget_denies_no_rule_would_have_changed_anything(bench: Bench) -> None:
    bench.reload(starter_policies() + ASKS)
    await bench.limit(Unit.USD_MICROS, 0)
    denied = await bench.engine.sequencer.admit(bench.proposal(ActionClass.WRITE, usd_micros=5))
    assert denied.permit is None
    assert all("shadow" not in body for body in await bodies(bench))
