"""The sequencer under attack: storms, replays, forged and stale grants, brakes."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from tests.engine.conftest import ANN, BEN, Bench

from comptroller.core.action import ActionClass
from comptroller.core.approval import GrantState
from comptroller.core.estimate import Outcome, Unit
from comptroller.core.reservation import ReservationState
from comptroller.core.verdict import Conflict, VerdictKind
from comptroller.engine.sequencer import RESEND_SECONDS_MAX, Proposal, Sequencer


async def test_five_hundred_callers_and_a_budget_for_seven(bench: Bench, sequencer: Sequencer) -> None:
    await bench.limit(Unit.USD_MICROS, 7 * 100)
    proposals = [bench.proposal(ActionClass.READ, usd_micros=100, parameters={"n": n}) for n in range(500)]
    done = await asyncio.gather(*(sequencer.admit(proposal) for proposal in proposals))
    permits = [each.permit for each in done if each.permit is not None]
    assert len(permits) == 7
    assert len({permit.reservation for permit in permits}) == 7
    assert await bench.taken(Unit.USD_MICROS) == 700
    refused = [each for each in done if each.permit is None]
    assert {each.verdict.reasons[0].code for each in refused} == {Conflict.BUDGET_EXCEEDED.value}
    entries = await bench.store.entries(limit=10_000)
    assert [entry.index for entry in entries] == list(range(await bench.store.size()))


async def test_the_entry_stands_before_the_permit(bench: Bench, sequencer: Sequencer) -> None:
    done = await sequencer.admit(bench.proposal(ActionClass.READ))
    assert done.permit is not None
    entry = next(e for e in await bench.store.entries() if e.index == done.permit.entry)
    assert entry.document["kind"] == "action.allowed"
    body = entry.document["body"]
    assert isinstance(body, dict)
    assert body["digest"] == done.permit.digest and body["reservation"] == done.permit.reservation


async def test_a_yes_releases_exactly_once(bench: Bench, sequencer: Sequencer) -> None:
    proposal = bench.proposal(usd_micros=100)
    held = await sequencer.admit(proposal)
    assert held.verdict.kind is VerdictKind.REQUIRE_APPROVAL and held.approval is not None
    assert await bench.taken(Unit.USD_MICROS) == 0, "a pending question holds nothing"
    await bench.engine.approvals.approve(held.approval.id, BEN)
    done = await asyncio.gather(*(sequencer.admit(proposal) for _ in range(50)))
    assert sum(each.permit is not None for each in done) == 1
    asked = {each.approval.id for each in done if each.approval is not None}
    assert len(asked) == 1 and asked != {held.approval.id}, "the others join one new question"


async def test_a_yes_for_one_thing_releases_no_other(bench: Bench, sequencer: Sequencer) -> None:
    held = await sequencer.admit(bench.proposal(parameters={"InstanceType": "t3.micro", "MaxCount": 1}))
    assert held.approval is not None
    await bench.engine.approvals.approve(held.approval.id, BEN)
    for other in (
        bench.proposal(parameters={"InstanceType": "t3.micro", "MaxCount": 2}),
        bench.proposal(quantity=2),
        bench.proposal(region="us-west-2"),
        bench.proposal(account=""),
    ):
        assert (await sequencer.admit(other)).permit is None


async def test_a_yes_expires(bench: Bench, sequencer: Sequencer) -> None:
    proposal = bench.proposal()
    held = await sequencer.admit(proposal)
    assert held.approval is not None
    approved = await bench.engine.approvals.approve(held.approval.id, BEN)
    bench.clock.turn(approved.ttl_seconds)
    again = await sequencer.admit(proposal)
    assert again.permit is None
    assert Conflict.EXPIRED.value in {reason.code for reason in again.verdict.reasons}


async def yes(bench: Bench, sequencer: Sequencer, proposal: Proposal) -> None:
    held = await sequencer.admit(proposal)
    assert held.approval is not None
    await bench.engine.approvals.approve(held.approval.id, BEN)


async def test_a_changed_rule_voids_a_yes_and_an_unrelated_one_does_not(bench: Bench, sequencer: Sequencer) -> None:
    from comptroller.compose import starter_policies

    proposal = bench.proposal()
    await yes(bench, sequencer, proposal)
    unrelated = '\n@id("no-mail") forbid (principal, action in Comptroller::Action::"communicate", resource);\n'
    bench.reload(starter_policies() + unrelated)
    same = replace(proposal, boundary=bench.boundary.evaluate(proposal.action, proposal.estimate))
    assert same.boundary.slice_hash == proposal.boundary.slice_hash
    assert (await sequencer.admit(same)).permit is not None
    await yes(bench, sequencer, same)
    related = (
        '\n@id("no-west") forbid (principal, action in Comptroller::Action::"provision", resource) '
        'when { context.region == "us-west-2" };\n'
    )
    bench.reload(starter_policies() + related)
    changed = replace(proposal, boundary=bench.boundary.evaluate(proposal.action, proposal.estimate))
    again = await sequencer.admit(changed)
    assert again.permit is None
    assert Conflict.RULES_CHANGED.value in {reason.code for reason in again.verdict.reasons}
    assert (await sequencer.admit(same)).permit is None, "people were asked anew: the yes before counts no more"


async def test_a_no_is_remembered_and_its_comment_told(bench: Bench, sequencer: Sequencer) -> None:
    proposal = bench.proposal()
    held = await sequencer.admit(proposal)
    assert held.approval is not None
    await bench.engine.approvals.reject(held.approval.id, ANN, comment="one machine is enough")
    again = await sequencer.admit(proposal)
    assert again.verdict.kind is VerdictKind.DENY
    assert "one machine is enough" in again.verdict.reasons[0].text


async def test_freeze_stops_and_thaw_lets_go(bench: Bench, sequencer: Sequencer) -> None:
    for scope in ("acme", "acme/ml", "acme/ml/bot", bench.run.path, bench.run.id):
        await bench.engine.brakes.freeze(scope, by="ann", reason="look")
        assert (await sequencer.admit(bench.proposal(ActionClass.READ))).permit is None
        await bench.engine.brakes.thaw(scope, by="ann", reason="fine")
        assert (await sequencer.admit(bench.proposal(ActionClass.READ))).permit is not None


async def test_a_resent_call_rides_on_its_first_reservation(bench: Bench, sequencer: Sequencer) -> None:
    proposal = bench.proposal(ActionClass.READ, usd_micros=100, token="t1")
    first, second = await sequencer.admit(proposal), await sequencer.admit(proposal)
    assert first.permit is not None and second.permit is not None
    assert first.permit.reservation == second.permit.reservation
    assert await bench.taken(Unit.USD_MICROS) == 100
    other = await sequencer.admit(bench.proposal(ActionClass.READ, usd_micros=100, token="t2"))
    assert other.permit is not None and other.permit.reservation != first.permit.reservation


async def test_a_token_is_not_a_free_pass(bench: Bench, sequencer: Sequencer) -> None:
    """Neither after the service may have forgotten it, nor after a call that failed for free."""
    proposal = bench.proposal(ActionClass.READ, usd_micros=100, token="t1")
    first = await sequencer.admit(proposal)
    bench.clock.turn(RESEND_SECONDS_MAX + 1)
    late = await sequencer.admit(proposal)
    assert first.permit is not None and late.permit is not None
    assert late.permit.reservation != first.permit.reservation
    asked = bench.proposal(usd_micros=100, token="t3")
    held = await sequencer.admit(asked)
    assert held.approval is not None
    await bench.engine.approvals.approve(held.approval.id, BEN)
    released = await sequencer.admit(asked)
    assert released.permit is not None
    failed = Outcome(status=400, ok=False, complete=True, charged=False)
    await bench.engine.settler.settle(released.permit, asked.action, failed)
    again = await sequencer.admit(asked)
    assert again.permit is None, "the yes was used, and the first reservation no longer stands"


async def test_recovery_keeps_dispatched_money_held(bench: Bench, sequencer: Sequencer) -> None:
    done = await sequencer.admit(bench.proposal(ActionClass.READ, usd_micros=100))
    assert done.permit is not None
    assert await bench.engine.settler.recover() == 1
    assert await bench.engine.settler.recover() == 0
    (held,) = await bench.store.open_reservations()
    assert held.state is ReservationState.SUSPENSE
    assert await bench.taken(Unit.USD_MICROS) == 100


async def test_kill_withdraws_what_was_asked_and_granted(bench: Bench, sequencer: Sequencer) -> None:
    first = await sequencer.admit(bench.proposal(parameters={"n": 1}))
    second = await sequencer.admit(bench.proposal(parameters={"n": 2}))
    assert first.approval is not None and second.approval is not None
    await bench.engine.approvals.approve(first.approval.id, BEN)
    await bench.engine.brakes.kill(bench.run.id, by="ann", reason="enough")
    revoked = await bench.store.approval(first.approval.id)
    withdrawn = await bench.store.approval(second.approval.id)
    assert revoked is not None and revoked.grant is GrantState.REVOKED
    assert withdrawn is not None and withdrawn.state.value == "withdrawn"
    with pytest.raises(Exception, match="final"):
        await bench.engine.brakes.thaw(bench.run.id, by="ann", reason="")
