"""Answers under attack: wrong people, late answers, quorums, ceilings, expiry."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.engine.conftest import ANN, BEN, CLEO, CONFIG, LEFT, Bench

from comptroller.compose import build_engine, starter_policies
from comptroller.compose_state import SystemIds
from comptroller.core.action import ActionClass
from comptroller.core.approval import ApprovalState, GrantState, Person
from comptroller.core.asking import Deputy
from comptroller.core.config import parse_config
from comptroller.core.errors import ConflictError, RefusedError, UsageError
from comptroller.core.estimate import Unit
from comptroller.core.verdict import EXPIRES_SECONDS_DEFAULT, Conflict
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
    bench.clock.turn(EXPIRES_SECONDS_DEFAULT - 1)
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
    bench.clock.turn(EXPIRES_SECONDS_DEFAULT)
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


# ---------------------------------------------------------------- stages, deputies, time

STAGED = '@stages("Group::leads, 2 of Group::finance")'
DAN = Person(name="dan", groups=frozenset({"leads"}), via="uid:4")
EVE = Person(name="eve", groups=frozenset({"finance"}), via="uid:5")
FAY = Person(name="fay", groups=frozenset({"finance"}), via="uid:6")
GUS = Person(name="gus", groups=frozenset(), via="uid:7")


def asks(bench: Bench, instead: str, *more: str) -> None:
    """The starter pack with other annotations on the rule about provisioning."""
    a_rule = '@outcome("approval")\n@approvers("Group::approvers")\n@exclude("agent")\n@ttl("30m")\n'
    text = starter_policies()
    head, rule, tail = text.partition('@id("provision")\n')
    assert tail.startswith(a_rule)
    annotations = "\n".join(('@outcome("approval")', instead, *more))
    bench.reload(f"{head}{rule}{annotations}\n{tail.removeprefix(a_rule)}")


async def bodies(bench: Bench, kind: str) -> list[dict[str, object]]:
    return [
        dict(entry.document["body"])  # type: ignore[call-overload]
        for entry in await bench.store.entries(limit=100_000)
        if entry.document["kind"] == kind
    ]


async def test_stages_one_after_another(bench: Bench, sequencer: Sequencer) -> None:
    asks(bench, STAGED)
    approval = await ask(bench, sequencer)
    answers = bench.engine.approvals
    assert await conflict(answers.approve(approval, EVE)) == Conflict.NOT_FOUND
    await answers.approve(approval, DAN)
    await answers.approve(approval, EVE)
    assert (await sequencer.admit(bench.proposal())).permit is None
    done = await answers.approve(approval, FAY)
    assert done.state is ApprovalState.APPROVED
    assert (await sequencer.admit(bench.proposal())).permit is not None
    (body,) = await bodies(bench, "approval.approved")
    assert body["votes"] == ["dan", "eve", "fay"]


async def test_a_deputy_answers_for_another_in_their_time(bench: Bench, sequencer: Sequencer) -> None:
    people = {"dan": {"groups": ["leads"]}, "eve": {"groups": ["finance"]}, "gus": {}, "ann": {"groups": ["approvers"]}}
    bench.engine.runbook.config = parse_config({**CONFIG, "people": people}, origin="t")
    asks(bench, '@approvers("Group::finance")')
    approval = await ask(bench, sequencer)
    now, answers = bench.clock.now(), bench.engine.approvals
    assert await conflict(answers.approve(approval, GUS)) == Conflict.NOT_FOUND
    later = Deputy(person="gus", stands_for="eve", since=now + timedelta(hours=1), until=now + timedelta(days=2))
    made = await bench.engine.deputies.set(later, by="eve")
    assert await conflict(answers.approve(approval, GUS)) == Conflict.NOT_FOUND, "not yet"
    bench.clock.turn(3_600)
    assert [hat.stands_for for hat in await answers.hats("gus")] == ["eve"]
    done = await answers.approve(approval, GUS)
    assert done.state is ApprovalState.APPROVED and done.answered_by == "gus for eve"
    (body,) = await bodies(bench, "approval.approved")
    assert (body["by"], body["stands_for"], body["groups"]) == ("gus", "eve", ["finance"])
    assert (await sequencer.admit(bench.proposal())).permit is not None
    (allowed,) = await bodies(bench, "action.allowed")
    assert allowed["approved_by"] == ["gus for eve"]
    await bench.engine.deputies.end(made, by="eve")
    again = await ask(bench, sequencer)
    assert await conflict(answers.approve(again, GUS)) == Conflict.NOT_FOUND, "no longer"
    with pytest.raises(RefusedError):
        await bench.engine.deputies.end(made, by="eve")
    assert {"deputy.set", "deputy.ended"} <= set(await bench.kinds())


@pytest.mark.parametrize(
    "wrong",
    [
        {"person": "eve"},
        {"person": "nobody"},
        {"until": timedelta(0)},
        {"until": timedelta(days=93)},
        {"groups": frozenset({"leads"})},
    ],
)
async def test_deputies_that_cannot_be(bench: Bench, wrong: dict[str, Any]) -> None:
    people = {"eve": {"groups": ["finance"]}, "gus": {}, "ann": {"groups": ["approvers"]}}
    bench.engine.runbook.config = parse_config({**CONFIG, "people": people}, origin="t")
    now = bench.clock.now()
    if "until" in wrong:
        wrong = {"until": now + wrong["until"]}
    deputy = Deputy(person="gus", stands_for="eve", since=now, until=now + timedelta(days=1))
    with pytest.raises(UsageError):
        await bench.engine.deputies.set(replace(deputy, **wrong), by="eve")


async def test_a_configured_deputy_counts_and_is_ended_in_the_file(bench: Bench, sequencer: Sequencer) -> None:
    today = bench.clock.now().date().isoformat()
    eve = {"groups": ["finance"], "deputies": [{"person": "gus", "from": today, "until": today}]}
    people = {"eve": eve, "gus": {}, "ann": {"groups": ["approvers"]}}
    bench.engine.runbook.config = parse_config({**CONFIG, "people": people}, origin="t")
    asks(bench, '@approvers("Group::finance")')
    done = await bench.engine.approvals.approve(await ask(bench, sequencer), GUS)
    assert done.state is ApprovalState.APPROVED
    (configured,) = await bench.engine.deputies.all()
    with pytest.raises(RefusedError, match="by the configuration"):
        await bench.engine.deputies.end(configured, by="eve")
    bench.clock.turn(24 * 3_600)
    assert await bench.engine.deputies.all() == () and not await bench.engine.approvals.hats("gus")


async def test_who_started_the_run_and_who_wrote_the_rules_are_excluded(bench: Bench, sequencer: Sequencer) -> None:
    asks(bench, '@approvers("Group::approvers")', '@exclude("requester,author")')
    bench.run = await bench.engine.runs.start(agent="bot", purpose=None, resume=None, per_run={}, by="ben")
    bench.engine.runbook.policy_author = "ann"
    approval = await ask(bench, sequencer)
    stored = await bench.store.approval(approval)
    assert stored is not None and (stored.requester, stored.author) == ("ben", "ann")
    answers = bench.engine.approvals
    assert await conflict(answers.approve(approval, BEN)) == Conflict.SELF_APPROVAL
    assert await conflict(answers.approve(approval, ANN)) == Conflict.SELF_APPROVAL
    assert (await answers.withdraw(approval, BEN)).taken_back_by == "ben", "taking back only stops"
    bench.run = await bench.engine.runs.start(agent="bot", purpose=None, resume=None, per_run={})
    assert (await bench.store.approval(await ask(bench, sequencer))).requester == "ann"  # type: ignore[union-attr]


async def test_further_groups_are_told_once_and_then_may_answer(bench: Bench, sequencer: Sequencer) -> None:
    asks(bench, '@approvers("Group::leads")', '@escalate("Group::finance after 10m")')
    approval = await ask(bench, sequencer)
    told: list[tuple[str, object]] = []
    bench.engine.hub.subscribe(lambda kind, summary: told.append((kind, summary.get("groups"))))
    await bench.engine.approvals.tend()
    bench.clock.turn(600)
    await bench.engine.approvals.tend()
    await bench.engine.approvals.tend()
    assert told == [("approval.escalated", ["finance"])]
    (body,) = await bodies(bench, "approval.escalated")
    assert body["approval"] == approval and body["groups"] == ["finance"]
    after = build_engine(bench.config, bench.store, lambda: bench.boundary, clock=bench.clock, ids=SystemIds())
    assert await after.approvals.escalate_due() == 0, "nor again after a restart"
    assert (await after.approvals.approve(approval, EVE)).state is ApprovalState.APPROVED


async def test_a_question_expires_when_its_rule_says(bench: Bench, sequencer: Sequencer) -> None:
    asks(bench, '@approvers("Group::approvers")', '@expires("5m")')
    approval = await ask(bench, sequencer)
    bench.clock.turn(300)
    assert await conflict(bench.engine.approvals.approve(approval, BEN)) == Conflict.EXPIRED


async def test_a_dearer_action_asks_anew_and_closes_the_yes_before(bench: Bench, sequencer: Sequencer) -> None:
    approval = await ask(bench, sequencer, usd_micros=100)
    await bench.engine.approvals.approve(approval, BEN)
    dearer = await sequencer.admit(bench.proposal(usd_micros=101))
    assert dearer.permit is None and dearer.approval is not None and dearer.approval.id != approval
    assert "the yes was for at most" in dearer.verdict.reasons[-1].text
    (_, held) = await bodies(bench, "action.held")
    assert held["supersedes"] == [approval]
    await bench.engine.approvals.approve(dearer.approval.id, BEN)
    assert (await sequencer.admit(bench.proposal(usd_micros=100))).permit is not None, "and less is fine"
    assert (await sequencer.admit(bench.proposal(usd_micros=100))).permit is None, "one yes, one action"


async def test_what_we_ask_ourselves_is_asked_of_whom_the_configuration_names(
    bench: Bench, sequencer: Sequencer
) -> None:
    document = {**CONFIG, "approvals": {"approvers": "finance", "exclude": ["owner"], "quorum": 2}}
    bench.engine.runbook.config = parse_config(document, origin="t")
    held = await sequencer.admit(bench.proposal(ActionClass.INFER, usd_micros=None))
    assert held.approval is not None
    (obligation,) = held.approval.obligations
    assert (obligation.approvers, obligation.quorum) == ("finance", 2) and "owner" in obligation.exclude


@pytest.mark.parametrize("left", LEFT, ids=str)
async def test_a_vote_does_not_outlive_what_let_it_be_cast(
    bench: Bench, sequencer: Sequencer, left: dict[str, Any]
) -> None:
    bench.reload(starter_policies() + TWO)
    approval = await ask(bench, sequencer)
    answers = bench.engine.approvals
    await answers.approve(approval, BEN)
    bench.make_of("ben", **left)
    dan = Person(name="dan", groups=frozenset({"approvers"}), via="uid:4")
    second = await answers.approve(approval, dan)
    assert second.state is ApprovalState.PENDING and [vote.person for vote in second.votes] == ["dan"]
    assert (await sequencer.admit(bench.proposal())).permit is None
    bench.make_of("fay", groups=["approvers"])
    done = await answers.approve(approval, replace(FAY, groups=frozenset({"approvers"})))
    assert done.state is ApprovalState.APPROVED
    assert (await sequencer.admit(bench.proposal())).permit is not None


@pytest.mark.parametrize("left", LEFT, ids=str)
async def test_a_whole_yes_ends_with_what_let_it_be_given(
    bench: Bench, sequencer: Sequencer, left: dict[str, Any]
) -> None:
    approval = await ask(bench, sequencer)
    await bench.engine.approvals.approve(approval, BEN)
    bench.make_of("ben", **left)
    again = await sequencer.admit(bench.proposal())
    assert again.permit is None and again.approval is not None and again.approval.id != approval
    assert any("may not answer any more" in reason.text for reason in again.verdict.reasons)
    bench.make_of("ben", groups=["approvers"])
    assert (await sequencer.admit(bench.proposal())).permit is None, "closed by the new question"
    await bench.engine.approvals.approve(again.approval.id, ANN)
    assert (await sequencer.admit(bench.proposal())).permit is not None


async def test_a_deputys_vote_ends_with_the_seat_it_was_given_from(bench: Bench, sequencer: Sequencer) -> None:
    asks(bench, '@approvers("Group::finance")')
    approval, now = await ask(bench, sequencer), bench.clock.now()
    bench.make_of("gus", groups=[])
    deputy = Deputy(person="gus", stands_for="eve", since=now, until=now + timedelta(days=2))
    await bench.engine.deputies.set(deputy, by="eve")
    assert (await bench.engine.approvals.approve(approval, GUS)).state is ApprovalState.APPROVED
    bench.make_of("eve", groups=["leads"])
    assert (await sequencer.admit(bench.proposal())).permit is None
