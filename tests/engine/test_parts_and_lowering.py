"""A yes covers the parts of what it began and nothing else; a model call is made to fit a short budget, never grown."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace

import pytest
from tests.engine.conftest import BEN, Bench

from comptroller.compose import starter_policies
from comptroller.core.action import Action, ActionClass, Call, digest
from comptroller.core.estimate import Bound, Estimate, Outcome, Unit
from comptroller.core.request import Header, Request
from comptroller.core.verdict import VerdictKind
from comptroller.decode.codec import Codec
from comptroller.engine.gatekeeper import Gatekeeper, Released
from comptroller.engine.sequencer import Proposal, Sequencer

UPLOAD = "s3:bucket/key#upload-1"


def part(bench: Bench, whole: str, *classes: ActionClass, **changes: object) -> Proposal:
    proposal = bench.proposal(*(classes or (ActionClass.ENTITLE,)), operation="aws:ec2:CreateVolume", **changes)
    return replace(proposal, carries_on=whole)


async def approved(bench: Bench, sequencer: Sequencer) -> str:
    """The id of an approval whose grant has been used for the beginning of something."""
    proposal = bench.proposal(ActionClass.ENTITLE)
    held = await sequencer.admit(proposal)
    assert held.approval is not None
    await bench.engine.approvals.approve(held.approval.id, BEN)
    done = await sequencer.admit(proposal)
    assert done.permit is not None and done.permit.approval == held.approval.id
    return held.approval.id


async def test_a_yes_covers_every_part_of_what_it_began(bench: Bench, sequencer: Sequencer) -> None:
    whole = await approved(bench, sequencer)
    for number in range(5):
        done = await sequencer.admit(part(bench, whole, parameters={"PartNumber": number}))
        assert done.permit is not None
        entry = (await bench.store.entries(after=done.permit.entry - 1, limit=1))[0]
        body = entry.document["body"]
        assert isinstance(body, dict) and body["carries_on"] == whole


async def test_a_yes_covers_nothing_that_it_was_not_asked_about(bench: Bench, sequencer: Sequencer) -> None:
    whole = await approved(bench, sequencer)
    for other in (
        part(bench, ""),
        part(bench, "no-such-approval"),
        part(bench, whole, ActionClass.ENTITLE, ActionClass.DESTROY),
        part(bench, whole, ActionClass.PROVISION),
    ):
        done = await sequencer.admit(other)
        assert done.permit is None and done.verdict.kind is VerdictKind.REQUIRE_APPROVAL


async def test_a_question_that_is_not_answered_covers_no_part(bench: Bench, sequencer: Sequencer) -> None:
    held = await sequencer.admit(bench.proposal(ActionClass.ENTITLE))
    assert held.approval is not None
    assert (await sequencer.admit(part(bench, held.approval.id))).permit is None
    await bench.engine.approvals.approve(held.approval.id, BEN)
    assert (await sequencer.admit(part(bench, held.approval.id))).permit is None, "begun by nobody yet"


async def test_parts_are_asked_about_anew_when_rules_or_run_are_others(bench: Bench, sequencer: Sequencer) -> None:
    whole = await approved(bench, sequencer)
    other = await bench.engine.runs.start(agent="bot", purpose=None, resume=None, per_run={})
    done = await sequencer.admit(part(bench, whole, run=other.id))
    assert done.permit is None
    bench.reload(starter_policies().replace('@id("entitle")', '@id("entitle")\n@quorum("2")'))
    assert (await sequencer.admit(part(bench, whole))).permit is None


async def test_a_frozen_run_carries_nothing_on(bench: Bench, sequencer: Sequencer) -> None:
    whole = await approved(bench, sequencer)
    await bench.engine.brakes.freeze(f"acme/ml/bot/{bench.run.id}", by="ben", reason="stop")
    assert (await sequencer.admit(part(bench, whole))).verdict.kind is VerdictKind.DENY


# ---------------------------------------------------------------- lowering


class Model:
    """A model service for the engine alone: one token costs one micro-dollar, the limit stands in the request."""

    name = "model"

    def __init__(self) -> None:
        self.lowered: list[int] = []

    def decode(self, request: Request) -> Action:
        limit = int(request.one("x-limit") or 0)
        return Action(
            operation="openai:chat.completions:create",
            service="stripe",
            classes=frozenset({ActionClass.INFER}),
            endpoint=request.endpoint,
            agent=request.agent,
            run=request.run,
            parameters={"max_tokens": limit},
            call=Call(attempt="1"),
        )

    def lower(self, action: Action, output_tokens_max: int) -> Action | None:
        self.lowered.append(output_tokens_max)
        limit = action.parameters["max_tokens"]
        assert isinstance(limit, int)
        return replace(action, parameters={"max_tokens": output_tokens_max}) if output_tokens_max < limit else None

    def sentence(self, action: Action) -> str:
        return "ask a model"

    encode = refuse = meter = lambda *_: None


class PerToken:
    """Prices for `Model`."""

    def estimate(self, action: Action) -> Estimate:
        limit = action.parameters["max_tokens"]
        assert isinstance(limit, int)
        bounds = {Unit.CALLS: Bound.exactly(1), Unit.USD_MICROS: Bound(low=0, high=limit)}
        return Estimate(bounds={**bounds, Unit.TOKENS: Bound(low=0, high=limit)})

    def actual(self, action: Action, outcome: Outcome) -> Mapping[Unit, int]:
        return outcome.actual

    def affordable_output(self, action: Action, room: Mapping[Unit, int]) -> int | None:
        most = min(room.get(Unit.USD_MICROS, 10**9), room.get(Unit.TOKENS, 10**9))
        return most if most >= 100 else None


class OneCodec:
    def __init__(self, codec: object) -> None:
        self._codec = codec

    def codec_for(self, request: Request) -> Codec:
        return self._codec  # type: ignore[return-value]


@pytest.fixture
def model() -> Model:
    return Model()


@pytest.fixture
def gatekeeper(bench: Bench, model: Model) -> Gatekeeper:
    engine = bench.engine
    return Gatekeeper(
        registry=OneCodec(model),
        pricer=PerToken(),
        boundary=lambda: bench.boundary,
        sequencer=engine.gatekeeper._sequencer,
        settler=engine.settler,
        hub=engine.hub,
        clock=bench.clock,
    )


def ask(bench: Bench, limit: int) -> Request:
    return Request(
        scheme="https", method="POST", host="api.example.com", port=443, target="/v1/chat/completions",
        headers=(Header("x-limit", str(limit)),), body=b"", agent="bot", run=bench.run.id,
    )  # fmt: skip


async def test_a_call_is_lowered_only_when_the_budget_is_short(
    bench: Bench, gatekeeper: Gatekeeper, model: Model
) -> None:
    await bench.limit(Unit.USD_MICROS, 5000)
    whole = await gatekeeper.admit(ask(bench, 4000), hold_seconds=0)
    assert isinstance(whole, Released) and not whole.lowered and whole.action.parameters["max_tokens"] == 4000
    assert model.lowered == []
    less = await gatekeeper.admit(ask(bench, 4000), hold_seconds=0)
    assert isinstance(less, Released) and less.action.parameters["max_tokens"] == 1000
    assert "1000 tokens" in less.lowered and less.permit.digest == digest(less.action)
    assert await bench.taken(Unit.USD_MICROS) == 5000
    entry = (await bench.store.entries(after=less.permit.entry - 1, limit=1))[0]
    body = entry.document["body"]
    assert isinstance(body, dict) and body["lowered"] == less.lowered and body["digest"] == less.permit.digest


async def test_a_budget_with_no_room_for_an_answer_denies(bench: Bench, gatekeeper: Gatekeeper) -> None:
    await bench.limit(Unit.USD_MICROS, 99)
    refused = await gatekeeper.admit(ask(bench, 4000), hold_seconds=0)
    assert not isinstance(refused, Released) and refused.verdict.kind is VerdictKind.DENY
    assert refused.verdict.reasons[0].code == "budget_exceeded"
    assert await bench.taken(Unit.USD_MICROS) == 0


async def test_lowering_never_helps_what_people_must_be_asked_about(bench: Bench, gatekeeper: Gatekeeper) -> None:
    await bench.limit(Unit.USD_MICROS, 1000)
    bench.reload(
        starter_policies()
        + '@id("ask") @outcome("approval") @approvers("Group::approvers")\n'
        + 'forbid (principal, action in Comptroller::Action::"infer", resource)\n'
        + 'unless { context.grants.contains("ask") };\n'
    )
    refused = await gatekeeper.admit(ask(bench, 4000), hold_seconds=0)
    assert not isinstance(refused, Released) and refused.verdict.kind is VerdictKind.DENY


async def test_a_storm_of_lowered_calls_never_overspends(bench: Bench, gatekeeper: Gatekeeper) -> None:
    await bench.limit(Unit.USD_MICROS, 2550)
    answers = await asyncio.gather(*(gatekeeper.admit(ask(bench, 1000 + n), hold_seconds=0) for n in range(50)))
    released = [answer for answer in answers if isinstance(answer, Released)]
    assert await bench.taken(Unit.USD_MICROS) <= 2550
    assert len(released) == 3 and sum(bool(answer.lowered) for answer in released) == 1
