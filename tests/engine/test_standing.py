"""Standing grants: counted, limited, listed, taken back; never more than was granted, whoever races."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.engine.conftest import ANN, BEN, CLEO, CONFIG, LEFT, Bench, TurnedClock, boundary_of
from tests.engine.grants_kit import CENTS, alike, asked, terms

from comptroller.compose import build_engine, starter_policies
from comptroller.compose_state import SystemIds
from comptroller.core.action import ActionClass
from comptroller.core.approval import ApprovalState
from comptroller.core.brake import Run
from comptroller.core.config import parse_config
from comptroller.core.document import DocumentKind
from comptroller.core.errors import ConflictError, RefusedError, UsageError
from comptroller.core.estimate import Unit
from comptroller.core.pattern import opened
from comptroller.core.standing import OFFERED_AFTER, standing_of
from comptroller.core.verdict import Conflict, Obligation, VerdictKind
from comptroller.engine import standing as standing_module
from comptroller.engine.sequencer import Sequenced
from comptroller.engine.standing import offers
from comptroller.testing.store_conformance import STORES


async def admitted(bench: Bench, count: int, **changes: Any) -> int:
    """How many of `count` equal calls, each with a token of its own and all at once, are let through."""
    answers = await asyncio.gather(
        *(bench.engine.sequencer.admit(alike(bench, token=f"t{n}", **changes)) for n in range(count))
    )
    return sum(answer.permit is not None for answer in answers)


async def test_the_next_three_pass_and_the_fourth_asks(bench: Bench) -> None:
    question = await asked(bench, alike(bench))
    granted = await bench.engine.standing.grant(question.id, BEN, terms(bench, count=3))
    assert await admitted(bench, 5) == 3
    kept = await bench.engine.standing.one(granted.id)
    assert kept is not None and (kept.used, kept.spent_usd_micros, kept.open) == (3, 30 * CENTS, False)
    assert await bench.engine.standing.listed() == ()
    uses = [
        entry.document["body"] for entry in await bench.store.entries() if entry.document["kind"] == "action.allowed"
    ]
    assert [body["standing"] for body in uses] == [granted.id] * 3  # type: ignore[index]
    assert sorted(body["standing_use"] for body in uses) == [1, 2, 3]  # type: ignore[index]
    assert all(body["approved_by"] == ["ben"] for body in uses)  # type: ignore[index]


async def test_its_money_ends_it_before_its_count(bench: Bench) -> None:
    question = await asked(bench, alike(bench))
    await bench.engine.standing.grant(question.id, BEN, terms(bench, usd_micros=25 * CENTS))
    assert await admitted(bench, 5) == 2


async def test_the_question_it_was_made_from_is_released_by_it(bench: Bench) -> None:
    question = await asked(bench, alike(bench))
    await bench.engine.standing.grant(question.id, BEN, terms(bench))
    assert await admitted(bench, 1) == 1
    settled = await bench.store.approval(question.id)
    assert settled is not None and settled.state is ApprovalState.WITHDRAWN


async def test_revoked_it_releases_nothing(bench: Bench) -> None:
    granted = await bench.engine.standing.grant((await asked(bench, alike(bench))).id, BEN, terms(bench))
    await bench.engine.standing.revoke(granted.id, by="ann", reason="enough")
    assert await admitted(bench, 5) == 0
    with pytest.raises(ConflictError) as second:
        await bench.engine.standing.revoke(granted.id, by="ann")
    assert second.value.kind == Conflict.EXPIRED
    with pytest.raises(ConflictError) as none:
        await bench.engine.standing.revoke("nothing", by="ann")
    assert none.value.kind == Conflict.NOT_FOUND


async def test_after_its_time_it_releases_nothing(bench: Bench) -> None:
    await bench.engine.standing.grant((await asked(bench, alike(bench))).id, BEN, terms(bench))
    bench.clock.turn(3600)
    assert await admitted(bench, 2) == 0
    assert await bench.engine.standing.expire_due() == 1
    assert await bench.engine.standing.expire_due() == 0
    assert "standing.expired" in await bench.kinds()


@pytest.mark.parametrize(
    "changes",
    [
        {"parameters": {"InstanceType": "t3.large", "MaxCount": 1}},
        {"parameters": {"InstanceType": "t3.micro", "MaxCount": 2}},
        {"parameters": {"InstanceType": "t3.micro", "MaxCount": 1, "UserData": "x"}},
        {"region": "eu-west-1"},
        {"usd_micros": 11 * CENTS},
        {"usd_micros": None},
        {"resources": ("arn:aws:ec2:us-east-1:123456789012:instance/i-1",)},
    ],
)
async def test_what_is_not_like_it_asks(bench: Bench, changes: dict[str, Any]) -> None:
    await bench.engine.standing.grant((await asked(bench, alike(bench))).id, BEN, terms(bench))
    assert await admitted(bench, 2, **changes) == 0
    assert await admitted(bench, 1) == 1


async def test_a_no_to_this_very_action_outweighs_it(bench: Bench) -> None:
    first = await asked(bench, alike(bench, parameters={"InstanceType": "t3.micro", "MaxCount": 4}))
    await bench.engine.approvals.reject((await asked(bench, alike(bench))).id, BEN, comment="not this one")
    await bench.engine.standing.grant(first.id, BEN, terms(bench))
    answer = await bench.engine.sequencer.admit(alike(bench, token="again"))
    assert answer.verdict.kind is VerdictKind.DENY and answer.verdict.reasons[0].code == Conflict.REJECTED


async def test_changed_rules_end_it(bench: Bench) -> None:
    await bench.engine.standing.grant((await asked(bench, alike(bench))).id, BEN, terms(bench))
    bench.reload(starter_policies().replace("this brings about something", "this surely brings about something"))
    assert await admitted(bench, 2) == 0


async def test_a_budget_and_a_brake_outweigh_it(bench: Bench) -> None:
    await bench.engine.standing.grant((await asked(bench, alike(bench))).id, BEN, terms(bench))
    await bench.limit(Unit.USD_MICROS, 15 * CENTS)
    assert await admitted(bench, 3) == 1
    await bench.limit(Unit.USD_MICROS, 1_000 * CENTS)
    await bench.engine.brakes.freeze("acme", by="ann", reason="stop")
    assert await admitted(bench, 3) == 0


async def test_another_run_asks_unless_the_whole_agent_was_meant(bench: Bench) -> None:
    other = await bench.engine.runs.start(agent="bot", purpose=None, resume=None, per_run={})
    question = await asked(bench, alike(bench))
    await bench.engine.standing.grant(question.id, BEN, terms(bench))
    assert await admitted(bench, 2, run=other.id) == 0
    await bench.engine.standing.grant(question.id, BEN, terms(bench, every_run=True, count=2))
    assert await admitted(bench, 5, run=other.id) == 2


@pytest.mark.parametrize("kind", ["pay", "entitle", "destroy", "blind"])
async def test_dangerous_classes_are_granted_only_by_name(bench: Bench, kind: str) -> None:
    question = await asked(bench, alike(bench, ActionClass(kind)))
    with pytest.raises(UsageError, match="--include"):
        await bench.engine.standing.grant(question.id, BEN, terms(bench))
    assert await admitted(bench, 1) == 0
    await bench.engine.standing.grant(question.id, BEN, terms(bench, include=frozenset({kind})))
    answer = await bench.engine.sequencer.admit(alike(bench, ActionClass(kind), token="n"))
    assert answer.permit is not None


async def test_only_who_may_answer_grants(bench: Bench) -> None:
    question = await asked(bench, alike(bench))
    with pytest.raises(ConflictError):
        await bench.engine.standing.grant(question.id, CLEO, terms(bench))
    with pytest.raises(ConflictError):
        await bench.engine.standing.grant(question.id, replace(BEN, name="bot"), terms(bench))
    with pytest.raises(ConflictError):
        await bench.engine.standing.grant("none", BEN, terms(bench))
    assert await bench.store.documents(DocumentKind.STANDING) == ()


@pytest.mark.parametrize(
    "more",
    [
        '@quorum("2")',
        '@exclude("owner")',
        '@exclude("author")',
        '@approvers("Group::finance")',
        '@delay("10m")',
        '@assurance("passkey")',
    ],
    ids=["quorum", "owner", "author", "group", "delay", "passkey"],
)
async def test_a_rule_that_wants_more_is_never_answered_by_it(bench: Bench, more: str) -> None:
    name = more.partition("(")[0]
    head, _, tail = starter_policies().partition('@id("provision")\n')
    rule, found, rest = tail.partition("forbid (")
    kept = "".join(line for line in rule.splitlines(keepends=True) if not line.startswith(name))
    bench.reload(f'{head}@id("provision")\n{more}\n{kept}{found}{rest}')
    question = await asked(bench, alike(bench))
    with pytest.raises((UsageError, ConflictError)):
        await bench.engine.standing.grant(question.id, ANN, terms(bench))
    assert await admitted(bench, 1) == 0


async def test_a_rejected_question_grants_nothing(bench: Bench) -> None:
    question = await asked(bench, alike(bench))
    await bench.engine.approvals.reject(question.id, BEN, comment="no")
    with pytest.raises(ConflictError):
        await bench.engine.standing.grant(question.id, BEN, terms(bench))


@pytest.mark.parametrize(
    "wrong",
    [
        {"count": 0},
        {"count": 1_001},
        {"usd_micros": -1},
        {"usd_micros": 1},
        {"include": frozenset({"write"})},
    ],
)
async def test_terms_that_no_grant_has(bench: Bench, wrong: dict[str, Any]) -> None:
    question = await asked(bench, alike(bench))
    with pytest.raises(UsageError):
        await bench.engine.standing.grant(question.id, BEN, terms(bench, **wrong))
    for seconds in (0, -1, 31 * 86_400):
        late = bench.clock.now() + timedelta(seconds=seconds)
        with pytest.raises(UsageError):
            await bench.engine.standing.grant(question.id, BEN, terms(bench, expires_at=late))


async def test_an_unknown_price_has_no_standing_grant(bench: Bench) -> None:
    question = await asked(bench, alike(bench, usd_micros=None))
    with pytest.raises(UsageError):
        await bench.engine.standing.grant(question.id, BEN, terms(bench))


async def test_there_is_an_end_to_how_many(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standing_module, "OPEN_MAX", 2)
    question = await asked(bench, alike(bench))
    for _ in range(2):
        await bench.engine.standing.grant(question.id, BEN, terms(bench))
    with pytest.raises(RefusedError):
        await bench.engine.standing.grant(question.id, BEN, terms(bench))


async def test_a_resent_call_counts_once(bench: Bench) -> None:
    granted = await bench.engine.standing.grant((await asked(bench, alike(bench))).id, BEN, terms(bench))
    for _ in range(3):
        answer = await bench.engine.sequencer.admit(alike(bench, token="the same"))
        assert answer.permit is not None
    kept = await bench.engine.standing.one(granted.id)
    assert kept is not None and kept.used == 1
    assert await bench.taken(Unit.USD_MICROS) == 10 * CENTS


async def test_a_shape_is_shown_before_it_is_granted(bench: Bench) -> None:
    question = await asked(bench, alike(bench))
    shown = await bench.engine.standing.preview(
        question.id, BEN, terms(bench), shape=lambda it: opened(it, at_most={"MaxCount": 4}, usd_micros_max=40 * CENTS)
    )
    assert shown.pattern.at_most == {"MaxCount": 4}
    assert await bench.store.documents(DocumentKind.STANDING) == ()


async def test_ten_equal_yeses_are_offered_one(bench: Bench) -> None:
    for n in range(OFFERED_AFTER):
        assert offers(await bench.store.approvals(), BEN) == {}
        question = await asked(bench, alike(bench, token=f"t{n}"))
        await bench.engine.approvals.approve(question.id, BEN)
        answer = await bench.engine.sequencer.admit(alike(bench, token=f"t{n}"))
        assert answer.permit is not None
    (offer,) = offers(await bench.store.approvals(), BEN).values()
    assert offer.yeses == OFFERED_AFTER and "RunInstances" in offer.text
    assert offers(await bench.store.approvals(), ANN) == {}
    assert await bench.store.documents(DocumentKind.STANDING) == (), "nothing is granted by itself"


def test_an_obligation_that_grows_a_member_is_another_one() -> None:
    plain = Obligation(rule="r")
    assert standing_module.question_key(plain) != standing_module.question_key(replace(plain, assurance="passkey"))


# ---------------------------------------------------------------- over every store


async def _over(name: str, tmp_path: Any) -> Bench:
    config, clock = parse_config(CONFIG, origin="test"), TurnedClock()
    boundary = boundary_of(config, starter_policies())
    store = await STORES[name](tmp_path).open()
    engine = build_engine(config, store, lambda: boundary, clock=clock, ids=SystemIds())
    run: Run = await engine.runs.start(agent="bot", purpose=None, resume=None, per_run={})
    made = Bench(engine=engine, store=store, clock=clock, boundary=boundary, run=run, config=config)
    await made.limit(Unit.CALLS, 1_000_000)
    await made.limit(Unit.USD_MICROS, 1_000_000 * CENTS)
    return made


@pytest.mark.parametrize("name", STORES)
async def test_a_hundred_at_once_never_pass_its_count(name: str, tmp_path: Any) -> None:
    bench = await _over(name, tmp_path)
    await bench.engine.standing.grant((await asked(bench, alike(bench))).id, BEN, terms(bench, count=7))
    assert await admitted(bench, 100) == 7
    await bench.store.close()


@pytest.mark.parametrize("name", STORES)
async def test_a_hundred_at_once_never_pass_its_money(name: str, tmp_path: Any) -> None:
    bench = await _over(name, tmp_path)
    granted = await bench.engine.standing.grant(
        (await asked(bench, alike(bench))).id, BEN, terms(bench, count=100, usd_micros=75 * CENTS)
    )
    assert await admitted(bench, 100) == 7
    kept = standing_of(one) if (one := await bench.store.document(granted.id)) else None
    assert kept is not None and kept.spent_usd_micros == 70 * CENTS
    await bench.store.close()


@pytest.mark.parametrize("name", STORES)
async def test_a_revocation_among_a_hundred_ends_it(name: str, tmp_path: Any) -> None:
    bench = await _over(name, tmp_path)
    granted = await bench.engine.standing.grant((await asked(bench, alike(bench))).id, BEN, terms(bench, count=100))
    answers = await asyncio.gather(
        *(bench.engine.sequencer.admit(alike(bench, token=f"a{n}")) for n in range(50)),
        bench.engine.standing.revoke(granted.id, by="ann"),
        *(bench.engine.sequencer.admit(alike(bench, token=f"b{n}")) for n in range(50)),
    )
    passed = sum(isinstance(each, Sequenced) and each.permit is not None for each in answers)
    kept = await bench.engine.standing.one(granted.id)
    assert kept is not None and kept.used == passed and not kept.open
    assert await admitted(bench, 20) == 0
    await bench.store.close()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    count=st.integers(1, 6),
    cents=st.integers(10, 60),
    prices=st.lists(st.sampled_from([1, 5, 10, 11]), min_size=1, max_size=12),
)
async def test_never_more_than_was_granted(tmp_path: Any, count: int, cents: int, prices: list[int]) -> None:
    bench = await _over("memory", tmp_path)
    granted = await bench.engine.standing.grant(
        (await asked(bench, alike(bench))).id, BEN, terms(bench, count=count, usd_micros=cents * CENTS)
    )
    answers = await asyncio.gather(
        *(
            bench.engine.sequencer.admit(alike(bench, token=f"t{n}", usd_micros=price * CENTS))
            for n, price in enumerate(prices)
        )
    )
    passed = [price for price, answer in zip(prices, answers, strict=True) if answer.permit is not None]
    kept = await bench.engine.standing.one(granted.id)
    assert kept is not None and kept.used == len(passed) <= count
    assert kept.spent_usd_micros == sum(passed) * CENTS <= cents * CENTS
    assert all(price <= 10 for price in passed)


@pytest.mark.parametrize("left", LEFT, ids=str)
async def test_it_does_not_outlive_what_let_its_granter_give_it(bench: Bench, left: dict[str, Any]) -> None:
    question = await asked(bench, alike(bench))
    await bench.engine.standing.grant(question.id, BEN, terms(bench, count=3))
    assert await admitted(bench, 1) == 1
    bench.make_of("ben", **left)
    assert await admitted(bench, 2) == 0
