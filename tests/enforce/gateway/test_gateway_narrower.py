"""Narrower from the agent's side: boto3 through a real gateway, moto as the truth of what ran."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import botocore.exceptions
import pytest
from gateway_kit import ANN, BEN, serving
from test_gateway_approvals import Place, TurnedClock

from comptroller.core.approval import ApprovalState, GrantState
from comptroller.core.errors import ConflictError, UsageError
from comptroller.testing.aws_server import AwsServer

EIGHT = {"InstanceType": "t3.large", "MinCount": 1, "MaxCount": 8}


@pytest.fixture(scope="module")
def aws() -> Iterator[AwsServer]:
    with AwsServer() as server:
        yield server


@pytest.fixture
async def place(tmp_path: Path, aws: AwsServer) -> AsyncIterator[Place]:
    aws.reset()
    clock = TurnedClock()
    async with serving(tmp_path, upstreams={"*.amazonaws.com": aws.url}, clock=clock) as kit:
        yield Place(kit=kit, aws=aws, clock=clock)


async def test_less_is_approved_and_the_agent_is_told_what_to_change(place: Place) -> None:
    name = await place.held(**EIGHT)
    smaller = await place.kit.engine.narrower.narrow(name, BEN, {"count": "1", "InstanceType": "t3.small"})
    assert smaller.state is ApprovalState.APPROVED and smaller.grant is GrantState.UNUSED
    assert "1 x t3.small" in smaller.sentence
    error = await place.run(**EIGHT)
    message = error.response["Error"]["Message"]
    assert error.response["Error"]["Code"] == "UnauthorizedOperation"
    assert "made it smaller" in message and "InstanceType=t3.small" in message and "count=1" in message
    assert place.machines() == 0
    answer = await place.run(InstanceType="t3.small", MinCount=1, MaxCount=1)
    assert not isinstance(answer, botocore.exceptions.ClientError), answer
    assert place.machines() == 1
    again = await place.run(InstanceType="t3.small", MinCount=1, MaxCount=1)
    assert isinstance(again, botocore.exceptions.ClientError) and place.machines() == 1


async def test_narrowed_then_raised_releases_nothing(place: Place) -> None:
    name = await place.held(**EIGHT)
    await place.kit.engine.narrower.narrow(name, BEN, {"count": "2"})
    for raised in (
        EIGHT,
        {**EIGHT, "MaxCount": 3},
        {**EIGHT, "MaxCount": 2, "MinCount": 2},
        {**EIGHT, "MaxCount": 2, "InstanceType": "p4d.24xlarge"},
        {**EIGHT, "MaxCount": 2, "UserData": "#!/bin/sh\nid"},
        {**EIGHT, "MaxCount": 1},
    ):
        answer = await place.run(**raised)
        assert isinstance(answer, botocore.exceptions.ClientError), raised
    assert place.machines() == 0
    with pytest.raises(ConflictError):
        await place.kit.engine.approvals.approve(name, ANN)
    with pytest.raises(ConflictError):
        await place.kit.engine.narrower.narrow(name, ANN, {"count": "1"})
    answer = await place.run(**{**EIGHT, "MaxCount": 2})
    assert not isinstance(answer, botocore.exceptions.ClientError), answer


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"MaxCount": "9"},
        {"MaxCount": "0"},
        {"MaxCount": "-1"},
        {"MaxCount": "x"},
        {"count": "8"},
        {"InstanceType": "p4d.24xlarge"},
        {"InstanceType": "t3.large"},
        {"InstanceType": "nobody.knows"},
        {"InstanceType": ""},
        {"ImageId": "ami-00000000"},
        {"MaxCount": "1", "InstanceType": "p4d.24xlarge"},
    ],
)
async def test_what_is_not_smaller_is_refused_and_leaves_the_question_open(
    place: Place, changes: dict[str, str]
) -> None:
    name = await place.held(**EIGHT)
    with pytest.raises(UsageError):
        await place.kit.engine.narrower.narrow(name, BEN, changes)
    open_still = await place.kit.engine.store.approval(name)
    assert open_still is not None and open_still.state is ApprovalState.PENDING


async def test_a_call_that_waits_is_answered_at_once(place: Place) -> None:
    waiting = asyncio.ensure_future(place.run(**EIGHT))
    while not (asked := await place.kit.engine.store.approvals(ApprovalState.PENDING)):
        await asyncio.sleep(0.01)
    await place.kit.engine.narrower.narrow(asked[0].id, BEN, {"count": "1"})
    error = await waiting
    assert isinstance(error, botocore.exceptions.ClientError)


async def test_two_at_once_and_only_one_counts(place: Place) -> None:
    name = await place.held(**EIGHT)
    done = await asyncio.gather(
        place.kit.engine.narrower.narrow(name, BEN, {"count": "1"}),
        place.kit.engine.narrower.narrow(name, ANN, {"count": "2"}),
        place.kit.engine.approvals.approve(name, ANN),
        return_exceptions=True,
    )
    assert sum(isinstance(each, BaseException) for each in done) == 2
    passed = [await place.run(**{**EIGHT, "MaxCount": count}) for count in (1, 2, 8)]
    assert sum(not isinstance(each, botocore.exceptions.ClientError) for each in passed) == 1
