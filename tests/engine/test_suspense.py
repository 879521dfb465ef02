"""Suspense: listed with its age, told of once when it is much, settled by a word or a bill, counted once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.engine.conftest import CONFIG, Bench
from tests.fuzz_kit import fuzz

from comptroller.compose import build_engine
from comptroller.core.action import Action, ActionClass
from comptroller.core.budget import Budget
from comptroller.core.config import parse_config
from comptroller.core.errors import RefusedError, UsageError
from comptroller.core.estimate import Bound, Estimate, Outcome, Unit
from comptroller.core.reservation import ReservationState
from comptroller.core.window import Window
from comptroller.engine.sequencer import Permit, Sequencer
from comptroller.engine.suspense import proportional

WHY = "the answer was lost"


async def suspended(
    bench: Bench, sequencer: Sequencer, usd_micros: int = 100, token: str = "t", **more: int
) -> tuple[Permit, Action]:
    proposal = bench.proposal(ActionClass.READ, usd_micros=usd_micros, token=token)
    bounds = {**proposal.estimate.bounds, **{Unit(name): Bound(low=0, high=n) for name, n in more.items()}}
    sequenced = await sequencer.admit(replace(proposal, estimate=Estimate(bounds=bounds)))
    assert sequenced.permit is not None
    await bench.engine.settler.suspend(sequenced.permit, WHY)
    return sequenced.permit, proposal.action


async def accounts(bench: Bench) -> Mapping[tuple[str, str], tuple[int, ...]]:
    states = await bench.store.budgets(bench.clock.now())
    return {
        (s.budget.scope, s.budget.unit.value): (
            s.account.settled,
            s.account.dispatched,
            s.account.reserved,
            s.account.suspense,
        )
        for s in states
    }


async def bodies(bench: Bench, kind: str) -> list[Mapping[str, object]]:
    return [e.document["body"] for e in await bench.store.entries(limit=10_000) if e.document["kind"] == kind]  # type: ignore[misc]


async def test_it_is_listed_with_its_age_and_why(bench: Bench, sequencer: Sequencer) -> None:
    permit, _ = await suspended(bench, sequencer)
    bench.clock.turn(3600)
    await suspended(bench, sequencer, token="other")
    first, second = await bench.engine.suspense.unconfirmed()
    assert first.reservation.id == permit.reservation and (first.why, second.why) == (WHY, WHY)
    assert first.sentence == "start 1 x t3.micro in us-east-1"
    assert (bench.clock.now() - first.reservation.created_at).total_seconds() == 3600


@pytest.mark.parametrize("cost", [0, 1, 99, 100, 250])
async def test_a_word_settles_it_at_the_truth_more_or_less(bench: Bench, sequencer: Sequencer, cost: int) -> None:
    await bench.limit(Unit.USD_MICROS, 1_000, scope=bench.run.path)
    permit, _ = await suspended(bench, sequencer)
    done = await bench.engine.suspense.settle(
        permit.reservation, {Unit.USD_MICROS: cost}, by="ann", reason="the bill of today"
    )
    assert (done.state, done.actual[Unit.USD_MICROS]) == (ReservationState.SETTLED, cost)
    found = await accounts(bench)
    assert found["acme", "usd_micros"] == found[bench.run.path, "usd_micros"] == (cost, 0, 0, 0)
    (body,) = await bodies(bench, "suspense.settled")
    assert (body["by"], body["source"], body["reservation"]) == ("ann", "person", permit.reservation)
    assert body["was"] == {"calls": 1, "usd_micros": 100} and body["actual"] == {"calls": 1, "usd_micros": cost}
    assert not await bench.engine.suspense.unconfirmed()


async def test_what_is_not_there_or_not_in_suspense_is_refused(bench: Bench, sequencer: Sequencer) -> None:
    permit, _ = await suspended(bench, sequencer)
    settle = bench.engine.suspense.settle
    await settle(permit.reservation, {Unit.USD_MICROS: 7}, by="ann", reason="seen")
    for name in (permit.reservation, "nobody"):
        with pytest.raises(RefusedError):
            await settle(name, {Unit.USD_MICROS: 5}, by="ann", reason="seen")
    flying = await sequencer.admit(bench.proposal(ActionClass.READ, usd_micros=100, token="flying"))
    assert flying.permit is not None
    with pytest.raises(RefusedError, match="on its way"):
        await settle(flying.permit.reservation, {Unit.USD_MICROS: 5}, by="ann", reason="seen")
    for amount, reason in ((-1, "x"), (10**19, "x"), (1, "  ")):
        with pytest.raises(UsageError):
            await settle(permit.reservation, {Unit.USD_MICROS: amount}, by="ann", reason=reason)
    assert (await accounts(bench))["acme", "usd_micros"] == (7, 100, 0, 0)


async def test_two_words_at_once_count_once(bench: Bench, sequencer: Sequencer) -> None:
    permit, _ = await suspended(bench, sequencer)
    both = await asyncio.gather(
        *(bench.engine.suspense.settle(permit.reservation, {Unit.USD_MICROS: n}, by="ann", reason="x") for n in (3, 4)),
        return_exceptions=True,
    )
    assert sum(isinstance(each, RefusedError) for each in both) == 1
    assert (await accounts(bench))["acme", "usd_micros"][0] in (3, 4)
    assert len(await bodies(bench, "suspense.settled")) == 1


@pytest.mark.parametrize(("answer", "final"), [(40, 60), (60, 60), (90, 90)])
async def test_an_answer_after_the_word_only_adds(bench: Bench, sequencer: Sequencer, answer: int, final: int) -> None:
    permit, action = await suspended(bench, sequencer)
    await bench.engine.suspense.settle(permit.reservation, {Unit.USD_MICROS: 60}, by="ann", reason="x")
    outcome = Outcome(status=200, ok=True, complete=True, actual={Unit.USD_MICROS: answer})
    for _ in range(3):
        await bench.engine.settler.settle(permit, action, outcome)
    assert (await accounts(bench))["acme", "usd_micros"] == (final, 0, 0, 0)


async def test_five_percent_is_told_once_for_each_crossing(bench: Bench, sequencer: Sequencer) -> None:
    await bench.limit(Unit.USD_MICROS, 2_000)
    heard: list[Mapping[str, object]] = []
    bench.engine.hub.subscribe(lambda kind, body: heard.append(body) if kind == "budget.suspense_high" else None)
    await suspended(bench, sequencer, usd_micros=99, token="a")
    assert not heard
    second, _ = await suspended(bench, sequencer, usd_micros=1, token="b")
    third, _ = await suspended(bench, sequencer, usd_micros=50, token="c")
    assert len(heard) == len(await bodies(bench, "budget.suspense_high")) == 1
    assert (heard[0]["scope"], heard[0]["suspense"], heard[0]["limit"]) == ("acme", 100, 2_000)
    for permit in (second, third):
        await bench.engine.suspense.settle(permit.reservation, {Unit.USD_MICROS: 0}, by="ann", reason="x")
    await suspended(bench, sequencer, usd_micros=10, token="d")
    assert len(heard) == 2, "below it, and above again"


async def test_a_failure_that_nobody_says_is_free_is_unconfirmed(bench: Bench, sequencer: Sequencer) -> None:
    sequenced = await sequencer.admit(bench.proposal(ActionClass.READ, usd_micros=100))
    assert sequenced.permit is not None
    failed = Outcome(status=503, ok=False, complete=True, charged=None, actual={Unit.CALLS: 1})
    await bench.engine.settler.settle(sequenced.permit, bench.proposal(ActionClass.READ, usd_micros=100).action, failed)
    assert (await accounts(bench))["acme", "usd_micros"] == (0, 0, 0, 100)
    (row,) = await bench.engine.suspense.unconfirmed()
    assert "charges" in row.why


async def test_recovery_needs_no_agent_that_the_configuration_still_has(bench: Bench, sequencer: Sequencer) -> None:
    await bench.limit(Unit.USD_MICROS, 1_000)
    proposal = bench.proposal(ActionClass.READ, usd_micros=100)
    assert (await sequencer.admit(proposal)).permit is not None
    document = dict(CONFIG)
    document["agents"] = {"other": dict(CONFIG["agents"]["bot"])}  # type: ignore[index]
    config = parse_config(document, origin="test")
    engine = build_engine(config, bench.store, lambda: bench.boundary, clock=bench.clock)
    assert await engine.settler.recover() == 1
    (body,) = await bodies(bench, "budget.suspense_high")
    assert (body["scope"], body["suspense"]) == ("acme", 100)


units = st.sampled_from([Unit.USD_MICROS, Unit.TOKENS, Unit.CALLS, Unit.MILLIWATT_HOURS, Unit.EGRESS_BYTES])
amounts = st.dictionaries(units, st.integers(0, 10**15), max_size=5)


@fuzz(200)
@given(held=amounts, cost=st.integers(0, 10**15), given_tokens=st.none() | st.integers(0, 10**9))
def test_other_units_follow_in_proportion_and_never_above_what_is_held(
    held: Mapping[Unit, int], cost: int, given_tokens: int | None
) -> None:
    from tests.engine.suspense_kit import reservation

    said = {Unit.USD_MICROS: cost} | ({} if given_tokens is None else {Unit.TOKENS: given_tokens})
    actual = proportional(reservation(held), said)
    assert actual[Unit.USD_MICROS] == cost and actual.keys() >= held.keys()
    for unit, amount in held.items():
        if unit not in said:
            assert 0 <= actual[unit] <= amount
            limit = held.get(Unit.USD_MICROS, 0)
            if unit in (Unit.TOKENS, Unit.MILLIWATT_HOURS) and limit and cost <= limit:
                assert actual[unit] * limit >= amount * cost
    if given_tokens is not None:
        assert actual[Unit.TOKENS] == given_tokens


steps = st.lists(
    st.tuples(st.sampled_from(["suspend", "word", "answer", "refusal", "cut"]), st.integers(0, 3), st.integers(0, 300)),
    max_size=25,
)


@fuzz(40)
@given(plan=steps)
def test_whatever_comes_in_whatever_order_no_account_is_negative_and_every_scope_agrees(
    plan: list[tuple[str, int, int]],
) -> None:
    from tests.engine.suspense_kit import fresh_bench

    async def play() -> None:
        bench = await fresh_bench()
        sequencer = bench.engine.gatekeeper._sequencer
        for scope in ("acme/ml", bench.run.path):
            budget = Budget(scope=scope, unit=Unit.USD_MICROS, window=Window.TOTAL, limit=10**9)
            await bench.engine.ledger.set_budget(budget, by="ann")
        permits = []
        for n in range(4):
            sequenced = await sequencer.admit(bench.proposal(ActionClass.READ, usd_micros=100, token=str(n)))
            assert sequenced.permit is not None
            permits.append(sequenced.permit)
        action = bench.proposal(ActionClass.READ, usd_micros=100).action
        truth: dict[int, int] = {}
        for step, which, amount in plan:
            permit = permits[which]
            if step == "suspend":
                await bench.engine.settler.suspend(permit, WHY)
            elif step == "word":
                try:
                    said = {Unit.USD_MICROS: amount}
                    await bench.engine.suspense.settle(permit.reservation, said, by="ann", reason="x")
                    truth[which] = amount
                except RefusedError:
                    pass
            else:
                outcome = {
                    "answer": Outcome(status=200, ok=True, complete=True, actual={Unit.USD_MICROS: amount}),
                    "refusal": Outcome(status=404, ok=False, complete=True, charged=False),
                    "cut": Outcome(status=200, ok=True, complete=False),
                }[step]
                await bench.engine.settler.settle(permit, action, outcome)
            found = await accounts(bench)
            dollars = {scope: value for (scope, unit), value in found.items() if unit == "usd_micros"}
            assert all(part >= 0 for value in found.values() for part in value), found
            assert len(set(dollars.values())) == 1, dollars
            for other, said_amount in truth.items():
                (settled,) = {dollars["acme"][0]}
                assert settled >= said_amount or other != which

    asyncio.run(play())
