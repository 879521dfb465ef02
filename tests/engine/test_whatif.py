"""Recorded actions under other rules: what changes is what really would, and what nobody can know is counted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from comptroller.compose import starter_policies
from comptroller.core.action import ActionClass, Payment
from comptroller.core.config import parse_config
from comptroller.core.verdict import UNKNOWN_PRICE_RULE
from comptroller.engine.whatif import WhatIf
from conftest import ANN, CONFIG, Bench, boundary_of

PROVISION, READ, WRITE, PAY = ActionClass.PROVISION, ActionClass.READ, ActionClass.WRITE, ActionClass.PAY
NO_WRITES = '\n@id("no-writes") forbid (principal, action in Comptroller::Action::"write", resource);'
STARTER = starter_policies()
BARE = STARTER.replace('@id("provision")', '@mode("shadow")\n@id("provision")')
"""Nobody is asked about what costs while it lives."""


async def entries(bench: Bench) -> list[Mapping[str, object]]:
    """Every entry with what lies beside it."""
    found = await bench.store.entries(limit=10_000)
    return [
        {**entry.document, "beside": {item.name: item.value for item in await bench.store.private(entry.index)}}
        for entry in found
    ]


def replay(recorded: list[Mapping[str, object]], before: str, after: str) -> WhatIf:
    config = parse_config(CONFIG, origin="test")
    fold = WhatIf(boundary_of(config, before), boundary_of(config, after))
    for entry in recorded:
        fold.add(entry)
    return fold


def ways(fold: WhatIf) -> dict[tuple[str, str], tuple[int, int]]:
    return {(change.before, change.after): (change.count, change.usd_micros) for change in fold.changes}


async def a_day(bench: Bench) -> list[Mapping[str, object]]:
    """Reads, writes, a machine that ann lets go, a payment, and one nobody can name."""
    admit = bench.engine.sequencer.admit
    for number in range(3):
        await admit(bench.proposal(READ, parameters={"n": number}))
    for number in range(2):
        await admit(bench.proposal(WRITE, usd_micros=10, parameters={"n": number}))
    held = await admit(bench.proposal(usd_micros=400))
    assert held.approval is not None
    await bench.engine.approvals.approve(held.approval.id, ANN)
    assert (await admit(bench.proposal(usd_micros=400))).permit is not None
    await admit(
        bench.proposal(PAY, payment=Payment(amount_minor=500, currency="usd", payee="acct_1"), service="stripe")
    )
    await admit(bench.proposal(READ, service="aws:s3", endpoint="s3.amazonaws.com"))
    return await entries(bench)


async def test_the_same_rules_change_nothing_and_a_question_counts_once(bench: Bench) -> None:
    fold = replay(await a_day(bench), STARTER, STARTER)
    assert fold.actions == 8, "the machine was asked about and let go: one action"
    assert fold.changes == [] and fold.wider == 0 and fold.otherwise == 0
    assert fold.document()["inexact"] == {"any": 0, "erased": 0, "too_large": 0, "secret": 0, "parts": 0}
    assert dict(fold.before.actions) == {"allow": 5, "ask": 2, "deny": 1}


async def test_a_further_forbid_is_told_with_dollars_rule_and_examples(bench: Bench) -> None:
    fold = replay(await a_day(bench), STARTER, STARTER + NO_WRITES)
    assert ways(fold) == {("allow", "deny"): (2, 20)} and fold.wider == 0
    change = fold.document()["changes"][0]  # type: ignore[index]
    assert change["rules"] == {"no-writes": 2}
    assert {example["operation"] for example in change["examples"]} == {"aws:ec2:RunInstances"}
    assert all(example["exact"] and example["sentence"] for example in change["examples"])


async def test_what_gets_wider_is_told_first(bench: Bench) -> None:
    fold = replay(await a_day(bench), STARTER + NO_WRITES, BARE)
    assert ways(fold) == {("ask", "allow"): (1, 400), ("deny", "allow"): (2, 20)}
    assert fold.wider == 3 and all(change.wider for change in fold.changes)
    assert fold.changes[0].count == 2
    back = replay(await a_day(bench), BARE, STARTER + NO_WRITES)
    assert back.wider == 0, "the other way round nothing is"


async def test_other_people_are_a_change_too(bench: Bench) -> None:
    recorded = await a_day(bench)
    two = STARTER.replace('@id("provision")\n', '@id("provision")\n@quorum("2")\n')
    more = replay(recorded, STARTER, two)
    assert ways(more) == {("ask", "ask"): (1, 400)} and more.wider == 0
    assert replay(recorded, two, STARTER).wider == 1


async def test_what_nobody_knows_the_price_of_is_asked_about(bench: Bench) -> None:
    await bench.engine.sequencer.admit(bench.proposal(PROVISION, usd_micros=None))
    fold = replay(await entries(bench), STARTER, BARE)
    assert fold.changes == [] or ways(fold) == {("ask", "ask"): (1, 0)}
    assert fold.after.actions["ask"] == 1 and UNKNOWN_PRICE_RULE in fold.after.rules


async def test_what_was_erased_hidden_or_too_large_is_counted(bench: Bench) -> None:
    admit = bench.engine.sequencer.admit
    await admit(bench.proposal(READ, parameters={"password": "hunter2"}))
    await admit(bench.proposal(READ, parameters={"text": "x" * 20_000}))
    await admit(bench.proposal(READ, parameters={"kept": 1}, parts=(bench.proposal(READ).action,)))
    await admit(bench.proposal(READ, parameters={"kept": 2}))
    recorded = await entries(bench)
    erased: dict[str, Any] = {**recorded[-1], "beside": {}}
    fold = replay([*recorded[:-1], erased], STARTER, STARTER)
    assert fold.document()["inexact"] == {"any": 4, "erased": 1, "too_large": 1, "secret": 1, "parts": 1}


async def test_rules_that_changed_since_show(bench: Bench) -> None:
    bench.reload(STARTER + NO_WRITES)
    await bench.engine.sequencer.admit(bench.proposal(WRITE))
    fold = replay(await entries(bench), STARTER, STARTER)
    assert fold.otherwise == 1 and fold.changes == []


async def test_entries_of_any_form_are_survived(bench: Bench) -> None:
    whole = await a_day(bench)
    action = next(entry for entry in whole if entry["kind"] == "action.allowed")
    odd: list[Mapping[str, object]] = [
        {},
        {"kind": "action.allowed"},
        {"kind": "action.allowed", "body": {}},
        {**action, "body": {**action["body"], "classes": "x", "estimate": 3, "rules": 7}},  # type: ignore[dict-item]
        {**action, "private": [], "beside": None, "agent": None},
        {**action, "agent": "nobody"},
    ]
    fold = replay(odd, STARTER, STARTER + NO_WRITES)
    assert fold.actions == 4 and fold.before.actions["deny"] >= 3
