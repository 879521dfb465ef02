"""Attacks on the money: repeats, tokens, cancellations and orderings that must never free what may have been spent."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from tests.engine.conftest import BEN, Bench

from comptroller.compose import starter_policies
from comptroller.core.action import ActionClass, Call
from comptroller.core.errors import RefusedError
from comptroller.core.estimate import Outcome, Unit
from comptroller.core.request import Header, Request
from comptroller.core.verdict import VerdictKind
from comptroller.engine.gatekeeper import NEVER_SENT, Released
from comptroller.engine.sequencer import Sequencer
from comptroller.ports import Store

PAID = Outcome(status=200, ok=True, complete=True, charged=True, actual={Unit.USD_MICROS: 4_000_000})
REFUSED = [
    Outcome(status=409, ok=False, complete=True, charged=False),
    Outcome(status=429, ok=False, complete=True, charged=False),
    NEVER_SENT,
]


def transfer(bench: Bench, key: str, amount: str = "400") -> Request:
    return Request(
        scheme="https",
        method="POST",
        host="api.stripe.com",
        port=443,
        target="/v1/transfers",
        headers=(Header("content-type", "application/x-www-form-urlencoded"), Header("idempotency-key", key)),
        body=f"amount={amount}&currency=usd&destination=acct_1".encode(),
        agent="bot",
        run=bench.run.id,
    )


async def released(bench: Bench, request: Request) -> Released:
    """The transfer, released after a yes where one is asked for."""
    gatekeeper = bench.engine.gatekeeper
    answer = await gatekeeper.admit(request, hold_seconds=0)
    if not isinstance(answer, Released):
        assert answer.approval is not None, answer.message
        await bench.engine.approvals.approve(answer.approval.id, BEN)
        answer = await gatekeeper.admit(request, hold_seconds=0)
    assert isinstance(answer, Released)
    return answer


@pytest.fixture
async def rich(bench: Bench) -> Bench:
    await bench.limit(Unit.USD_MICROS, 4_000_000)
    return bench


@pytest.mark.parametrize("refused", REFUSED, ids=["409", "429", "never-sent"])
async def test_a_refused_repeat_does_not_free_the_money_of_the_call_in_flight(rich: Bench, refused: Outcome) -> None:
    """Stripe answers 409 to a key in use: the repeat proves nothing about the first call."""
    gatekeeper = rich.engine.gatekeeper
    first = await released(rich, transfer(rich, "k"))
    second = await released(rich, transfer(rich, "k"))
    assert first.permit.reservation == second.permit.reservation
    await gatekeeper.settle(second.permit, refused)
    assert await rich.taken(Unit.USD_MICROS) == 4_000_000
    await gatekeeper.settle(first.permit, PAID)
    assert await rich.taken(Unit.USD_MICROS) == 4_000_000
    assert gatekeeper.inflight == 0


@pytest.mark.parametrize("refused", REFUSED, ids=["409", "429", "never-sent"])
async def test_a_refused_first_call_does_not_free_the_money_of_its_repeat(rich: Bench, refused: Outcome) -> None:
    gatekeeper = rich.engine.gatekeeper
    first = await released(rich, transfer(rich, "k"))
    second = await released(rich, transfer(rich, "k"))
    await gatekeeper.settle(first.permit, refused)
    assert await rich.taken(Unit.USD_MICROS) == 4_000_000, "the repeat may still pay"
    await gatekeeper.settle(second.permit, PAID)
    assert await rich.taken(Unit.USD_MICROS) == 4_000_000
    assert not await rich.store.open_reservations()


@pytest.mark.parametrize("refused", REFUSED, ids=["409", "429", "never-sent"])
async def test_a_refused_repeat_does_not_free_what_is_in_suspense(rich: Bench, refused: Outcome) -> None:
    gatekeeper = rich.engine.gatekeeper
    first = await released(rich, transfer(rich, "k"))
    await gatekeeper.suspend(first.permit, "the answer was lost")
    second = await released(rich, transfer(rich, "k"))
    await gatekeeper.settle(second.permit, refused)
    assert await rich.taken(Unit.USD_MICROS) == 4_000_000


async def test_a_repeat_cancelled_while_it_is_judged_frees_nothing(rich: Bench) -> None:
    gatekeeper = rich.engine.gatekeeper
    first = await released(rich, transfer(rich, "k"))
    await gatekeeper.suspend(first.permit, "the answer was lost")
    for turns in range(6):
        task = asyncio.create_task(gatekeeper.admit(transfer(rich, "k"), hold_seconds=0))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await gatekeeper.close()
        assert await rich.taken(Unit.USD_MICROS) == 4_000_000


async def test_both_answers_of_a_repeated_call_are_counted_once(rich: Bench) -> None:
    gatekeeper = rich.engine.gatekeeper
    first = await released(rich, transfer(rich, "k"))
    second = await released(rich, transfer(rich, "k"))
    await gatekeeper.settle(first.permit, PAID)
    await gatekeeper.settle(second.permit, PAID)
    await gatekeeper.settle(second.permit, PAID)
    assert await rich.taken(Unit.USD_MICROS) == 4_000_000
    assert (await rich.kinds()).count("action.settled") == 1


@pytest.mark.parametrize("token", ["", " ", "\t"])
async def test_an_empty_token_is_no_token(bench: Bench, sequencer: Sequencer, token: str) -> None:
    """A service ignores `ClientToken=`: two such calls are two calls."""
    proposal = bench.proposal(ActionClass.READ, usd_micros=100)
    action = replace(proposal.action, call=Call(idempotency={"ClientToken": token}, attempt="1"))
    first = await sequencer.admit(replace(proposal, action=action))
    second = await sequencer.admit(replace(proposal, action=action))
    assert first.permit is not None and second.permit is not None
    assert first.permit.reservation != second.permit.reservation
    assert await bench.taken(Unit.USD_MICROS) == 200


async def test_a_clock_that_went_back_does_not_keep_a_token_young(bench: Bench, sequencer: Sequencer) -> None:
    proposal = bench.proposal(ActionClass.READ, usd_micros=100, token="t")
    first = await sequencer.admit(proposal)
    bench.clock.turn(-86_400)
    second = await sequencer.admit(proposal)
    assert first.permit is not None and second.permit is not None
    assert first.permit.reservation != second.permit.reservation


async def test_a_repeat_needs_the_yes_that_its_rules_ask_for_now(bench: Bench, sequencer: Sequencer) -> None:
    """Allowed by policy, lost on its way; then the rule is tightened: the repeat has to be asked about."""
    reading = bench.proposal(ActionClass.READ, usd_micros=100, token="t")
    first = await sequencer.admit(reading)
    assert first.permit is not None
    await bench.engine.settler.suspend(first.permit, "lost")
    tighter = (
        '\n@id("ask") @outcome("approval") @approvers("Group::approvers") @reason("since today") '
        'forbid (principal, action in Comptroller::Action::"read", resource) unless { context.grants.contains("ask") };'
    )
    bench.reload(starter_policies() + tighter)
    now = replace(reading, boundary=bench.boundary.evaluate(reading.action, reading.estimate))
    again = await sequencer.admit(now)
    assert again.permit is None and again.verdict.kind is VerdictKind.REQUIRE_APPROVAL


async def test_a_repeat_under_other_rules_than_its_yes_is_asked_about_again(bench: Bench, sequencer: Sequencer) -> None:
    proposal = bench.proposal(usd_micros=100, token="t")
    held = await sequencer.admit(proposal)
    assert held.approval is not None
    await bench.engine.approvals.approve(held.approval.id, BEN)
    first = await sequencer.admit(proposal)
    assert first.permit is not None
    same = await sequencer.admit(proposal)
    assert same.permit is not None and same.permit.reservation == first.permit.reservation
    await bench.engine.settler.suspend(first.permit, "lost")
    other = (
        '\n@id("two") @outcome("approval") @approvers("Group::approvers") @quorum("2") @reason("two of you") '
        'forbid (principal, action in Comptroller::Action::"provision", resource) '
        'unless { context.grants.contains("two") };'
    )
    bench.reload(starter_policies() + other)
    now = replace(proposal, boundary=bench.boundary.evaluate(proposal.action, proposal.estimate))
    assert (await sequencer.admit(now)).permit is None


async def test_a_storm_of_repeats_and_orderings_never_overspends(rich: Bench) -> None:
    """Ten transfers of $4 compete for $4 while answers come in every order."""
    gatekeeper = rich.engine.gatekeeper
    first = await released(rich, transfer(rich, "k0"))
    outcomes = [*REFUSED, Outcome(status=500, ok=False, complete=True), Outcome(status=200, ok=True, complete=False)]
    repeats = [await released(rich, transfer(rich, "k0")) for _ in outcomes]
    settled = asyncio.gather(*(gatekeeper.settle(r.permit, o) for r, o in zip(repeats, outcomes, strict=True)))
    others = asyncio.gather(*(gatekeeper.admit(transfer(rich, f"k{n}"), hold_seconds=0) for n in range(1, 10)))
    await asyncio.gather(settled, others)
    assert not any(isinstance(answer, Released) for answer in others.result())
    await gatekeeper.settle(first.permit, PAID)
    assert await rich.taken(Unit.USD_MICROS) == 4_000_000
    assert gatekeeper.inflight == 0


async def test_a_killed_scope_stays_killed_for_repeats(rich: Bench) -> None:
    first = await released(rich, transfer(rich, "k"))
    await rich.engine.brakes.kill(rich.run.id, by="ann", reason="enough")
    answer = await rich.engine.gatekeeper.admit(transfer(rich, "k"), hold_seconds=0)
    assert not isinstance(answer, Released)
    await rich.engine.gatekeeper.suspend(first.permit, "killed")
    with pytest.raises(RefusedError):
        await rich.engine.runs.start(agent="bot", purpose=None, resume=rich.run.id, per_run={})


async def test_money_of_one_day_is_settled_on_that_day(store: Store, bench: Bench) -> None:
    """Reserved before midnight, answered after it: neither day is freed of what it did not spend."""
    from comptroller.core.budget import Budget
    from comptroller.core.window import Window

    daily = Budget(scope="acme/ml", unit=Unit.USD_MICROS, window=Window.DAY, limit=4_000_000)
    await bench.engine.ledger.set_budget(daily, by="ann")
    await bench.limit(Unit.USD_MICROS, 100_000_000)
    bench.clock.at = bench.clock.at.replace(hour=23, minute=59, second=59)
    first = await released(bench, transfer(bench, "k"))
    bench.clock.turn(2)
    tomorrow = await bench.taken(Unit.USD_MICROS, "acme/ml")
    assert tomorrow == 0
    await bench.engine.gatekeeper.settle(first.permit, REFUSED[0])
    assert await bench.taken(Unit.USD_MICROS, "acme/ml") == 0, "a refund of yesterday makes no room today"
    bench.clock.turn(-2)
    assert await bench.taken(Unit.USD_MICROS, "acme/ml") == 0
