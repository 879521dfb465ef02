"""Answers under attack: wrong people, late answers, quorums, ceilings, expiry."""

from __future__ import annotations

import asyncio

import pytest
from tests.engine.conftest import ANN, BEN, CLEO, Bench

from comptroller.compose import starter_policies
from comptroller.core.action import ActionClass
from comptroller.core.approval import ApprovalState, GrantState, Person
from comptroller.core.errors import ConflictError
from comptroller.core.estimate import Unit
from comptroller.core.verdict import EXPIRES_SECONDS_DEFAULT as PENDING_SECONDS_DEFAULT
from comptroller.core.verdict import Conflict
from comptroller.engine.sequencer import Sequencer

TWO = """
@id("two-for-machines")
@outcome("approval") @approvers("Group::approvers") @quorum("2") @exclude("agent,owner") @ttl("10m")
@reason("machines want two people")
forbid (principal, action in Comptroller::Action::"provision", resource)
unless { context.grants.contains("two-for-machines") };
"""


async def ask(bench: Bench, sequencer: Sequencer, **changes: object) -> str:
    held = await sequencer.admit(bench.proposal(**changes))  # type: ignore[arg-type]
    assert held.approval is not None
    return held.approval.id


async def conflict(coroutine) -> str:  # type: ignore[no-untyped-def]
    with pytest.raises(ConflictError) as caught:
        await coroutine
    return caught.value.kind


async def test_only_members_of_the_group_answer(bench: Bench, sequencer: Sequencer) -> None:
    approval = await ask(bench, sequencer)
    assert await conflict(bench.engine.approvals.approve(approval, CLEO)) == Conflict.NOT_FOUND
    agent = Person(name="bot", groups=frozenset({"approvers"}), via="uid:1")
    assert await conflict(bench.engine.approvals.approve(approval, agent)) == Conflict.SELF_APPROVAL
    assert await conflict(bench.engine.approvals.approve("nothing", ANN)) == Conflict.NOT_FOUND


async def test_an_owner_alone_can_work_and_it_is_marked(bench: Bench, sequencer: Sequencer) -> None:
    approved = await bench.engine.approvals.approve(await ask(bench, sequencer), ANN)
    assert approved.state is ApprovalState.APPROVED and approved.self_approved
    entry = (await bench.store.entries(limit=1000))[-1]
    assert entry.document["body"]["self_approved"] is True  # type: ignore[index]


async def test_quorum_wants_distinct_people_and_excludes_the_owner(bench: Bench, sequencer: Sequencer) -> None:
    bench.reload(starter_policies() + TWO)
    approval = await ask(bench, sequencer)
    answers = bench.engine.approvals
    assert await conflict(answers.approve(approval, ANN)) == Conflict.SELF_APPROVAL
    first = await answers.approve(approval, BEN)
    again = await answers.approve(approval, BEN)
    assert first.state is again.state is ApprovalState.PENDING
    dan = Person(name="dan", groups=frozenset({"approvers"}), via="uid:4")
    done = await answers.approve(approval, dan)
    assert done.state is ApprovalState.APPROVED
    assert done.ttl_seconds == 600


async def test_two_answers_and_an_expiry_at_once_have_one_outcome(bench: Bench, sequencer: Sequencer) -> None:
    approval = await ask(bench, sequencer)
    bench.clock.turn(PENDING_SECONDS_DEFAULT - 1)
    results = await asyncio.gather(
        bench.engine.approvals.approve(approval, BEN),
        bench.engine.approvals.reject(approval, ANN, comment="no"),
        return_exceptions=True,
    )
    assert sum(isinstance(result, ConflictError) for result in results) == 1
    bench.clock.turn(2)
    await bench.engine.approvals.expire_due()
    stored = await bench.store.approval(approval)
    assert stored is not None and stored.state in (ApprovalState.APPROVED, ApprovalState.REJECTED)


async def test_late_answers_do_not_count(bench: Bench, sequencer: Sequencer) -> None:
    approval = await ask(bench, sequencer)
    bench.clock.turn(PENDING_SECONDS_DEFAULT)
    assert await conflict(bench.engine.approvals.approve(approval, BEN)) == Conflict.EXPIRED
    assert await bench.engine.approvals.expire_due() == 1
    assert await conflict(bench.engine.approvals.reject(approval, BEN, comment="no")) == Conflict.EXPIRED
    assert (await bench.kinds())[-1] == "approval.expired"


async def test_an_unused_yes_expires_with_an_entry(bench: Bench, sequencer: Sequencer) -> None:
    approval = await ask(bench, sequencer)
    done = await bench.engine.approvals.approve(approval, BEN)
    bench.clock.turn(done.ttl_seconds)
    assert await bench.engine.approvals.expire_due() == 1
    assert await bench.engine.approvals.expire_due() == 0
    stored = await bench.store.approval(approval)
    assert stored is not None and stored.grant is GrantState.EXPIRED


async def test_an_unknown_price_wants_a_ceiling_which_is_reserved(bench: Bench, sequencer: Sequencer) -> None:
    approval = await ask(bench, sequencer, usd_micros=None)
    answers = bench.engine.approvals
    assert await conflict(answers.approve(approval, BEN)) == Conflict.BUDGET_EXCEEDED
    await answers.approve(approval, BEN, ceiling_usd_micros=600)
    done = await sequencer.admit(bench.proposal(usd_micros=None))
    assert done.permit is not None
    assert await bench.taken(Unit.USD_MICROS) == 600


async def test_answers_survive_a_rejected_comment_of_any_length(bench: Bench, sequencer: Sequencer) -> None:
    approval = await ask(bench, sequencer)
    done = await bench.engine.approvals.reject(approval, ANN, comment="\x1b[31m" + "x" * 10_000)
    assert len(done.comment) <= 2000


async def test_equal_questions_are_one_question(bench: Bench, sequencer: Sequencer) -> None:
    asked = {await ask(bench, sequencer) for _ in range(20)}
    assert len(asked) == 1
    assert (await bench.kinds()).count("action.held") == 1
    other = await ask(bench, sequencer, parameters={"MaxCount": 2})
    assert other not in asked


async def test_classes_that_need_a_person(bench: Bench, sequencer: Sequencer) -> None:
    for kind in ActionClass:
        done = await sequencer.admit(bench.proposal(kind, parameters={"class": kind.value}))
        asked = {"provision", "pay", "entitle", "destroy", "execute", "blind", "reveal", "communicate"}
        assert (done.approval is not None) == (kind.value in asked), kind
        assert (done.permit is not None) == (kind.value in {"read", "write", "infer"}), kind
