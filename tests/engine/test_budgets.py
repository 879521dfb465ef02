"""Budgets as the engine keeps them: thresholds told once, an approved excess for one action, windows that pass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from comptroller.core.action import ActionClass
from comptroller.core.approval import ApprovalState
from comptroller.core.budget import Budget, OnExceed
from comptroller.core.errors import UsageError
from comptroller.core.estimate import Unit
from comptroller.core.window import Window
from conftest import ANN, Bench


async def set_budget(bench: Bench, limit: int, window: str = "total", on_exceed: OnExceed = OnExceed.DENY) -> None:
    budget = Budget(scope="acme", unit=Unit.CALLS, window=Window(window), limit=limit, on_exceed=on_exceed)
    await bench.engine.ledger.set_budget(budget, by="ann")


async def reads(bench: Bench, count: int) -> list[bool]:
    """Whether each of `count` reads was allowed."""
    proposal = bench.proposal(ActionClass.READ, operation="aws:ec2:DescribeInstances")
    return [(await bench.engine.gatekeeper._sequencer.admit(proposal)).verdict.allowed for _ in range(count)]


async def test_a_threshold_is_told_once_in_the_transaction_that_crosses_it(bench: Bench) -> None:
    await set_budget(bench, 10)
    told: list[object] = []

    def listen(kind: str, summary: Mapping[str, object]) -> None:
        if kind == "budget.threshold":
            told.append(summary["percent"])

    bench.engine.hub.subscribe(listen)
    assert await reads(bench, 11) == [True] * 10 + [False]
    found = [e.document for e in await bench.store.entries(limit=1000) if e.document["kind"] == "budget.threshold"]
    assert [entry["body"]["percent"] for entry in found] == [50, 80, 100] == told
    assert [entry["body"]["taken"] for entry in found] == [5, 8, 10]
    kinds = await bench.kinds()
    assert kinds[kinds.index("budget.threshold") - 1] == "action.allowed"


async def test_what_is_given_back_and_spent_again_is_no_news(bench: Bench) -> None:
    await set_budget(bench, 2)
    await reads(bench, 1)
    await set_budget(bench, 1000)
    await set_budget(bench, 2)
    await reads(bench, 1)
    percents = [
        entry.document["body"]["percent"]
        for entry in await bench.store.entries(limit=1000)
        if entry.document["kind"] == "budget.threshold"
    ]
    assert percents == [50, 100]


async def test_an_approved_excess_is_for_one_action(bench: Bench) -> None:
    await set_budget(bench, 1, on_exceed=OnExceed.REQUIRE_APPROVAL)
    assert await reads(bench, 2) == [True, False]
    (question,) = await bench.store.approvals(ApprovalState.PENDING)
    assert question.rules == ("comptroller:over-budget:acme:calls:total",)
    await bench.engine.approvals.approve(question.id, ANN)
    assert await reads(bench, 2) == [True, False]
    assert await bench.taken(Unit.CALLS) == 2


async def test_rolling_windows_let_go_of_what_is_past(bench: Bench) -> None:
    await set_budget(bench, 10_000)
    await set_budget(bench, 3, "rolling:24h")
    assert await reads(bench, 4) == [True, True, True, False]
    bench.clock.turn(23 * 3600)
    assert await reads(bench, 1) == [False]
    bench.clock.turn(-24 * 3600)
    assert await reads(bench, 1) == [False], "a clock set back forgets nothing"
    bench.clock.turn(28 * 3600)
    assert await reads(bench, 1) == [True]


async def test_what_stands_at_the_same_time_has_no_window(bench: Bench) -> None:
    rate = Budget(scope="acme", unit=Unit.USD_MICROS_PER_HOUR, window=Window.DAY, limit=1)
    with pytest.raises(UsageError, match="no window"):
        await bench.engine.ledger.set_budget(rate, by="ann")
    await bench.engine.ledger.set_budget(replace(rate, window=Window.TOTAL), by="ann")
