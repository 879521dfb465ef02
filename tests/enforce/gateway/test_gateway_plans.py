"""A plan approved before its run starts: boto3 passes as often as it was planned, and not once more."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import botocore.exceptions
import pytest
from gateway_kit import BEN, serving
from test_gateway_approvals import Place, TurnedClock

from comptroller.core.config import PersonConfig
from comptroller.core.errors import RefusedError
from comptroller.core.plan import Plan, plan_of
from comptroller.core.vote import Person
from comptroller.testing.aws_server import AwsServer

INPUT = {"ImageId": "ami-12c6146b", "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1}


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


def planned(count: int = 2, **changes: object) -> Plan:
    action = {"service": "ec2", "operation": "RunInstances", "input": {**INPUT, **changes}, "count": count}
    return plan_of({"version": 1, "actions": [action]})


async def approve(place: Place, plan: Plan, person: Person = BEN, *, run: bool = False) -> int:
    _, _, granted = await place.kit.engine.plans.approve(
        plan,
        person,
        agent=place.kit.run.agent,
        run=place.kit.run.id if run else "",
        until=place.clock.now() + timedelta(hours=1),
        include=frozenset(),
    )
    return len(granted)


@pytest.mark.parametrize("run", [True, False])
async def test_what_was_planned_passes_as_often_as_planned(place: Place, run: bool) -> None:
    assert await approve(place, planned(), run=run) == 1
    answers = [await place.run() for _ in range(3)]
    refused = [isinstance(answer, botocore.exceptions.ClientError) for answer in answers]
    assert refused == [False, False, True], answers
    assert place.machines() == 2


async def test_what_was_not_planned_asks(place: Place) -> None:
    await approve(place, planned(), run=True)
    for other in ({"InstanceType": "t3.large"}, {"MaxCount": 2}, {"UserData": "id"}):
        assert isinstance(await place.run(**other), botocore.exceptions.ClientError), other
    assert place.machines() == 0


@pytest.mark.parametrize("left", [[], ["finance"]], ids=str)
async def test_a_plan_does_not_outlive_what_let_it_be_approved(place: Place, left: list[str]) -> None:
    await approve(place, planned(), run=True)
    assert not isinstance(await place.run(), botocore.exceptions.ClientError)
    book = place.kit.engine.runbook
    people = {**book.config.people, BEN.name: PersonConfig.model_validate({"groups": left})}
    book.config = book.config.model_copy(update={"people": people})
    assert isinstance(await place.run(), botocore.exceptions.ClientError)
    assert place.machines() == 1


async def test_who_may_not_answer_grants_no_plan(place: Place) -> None:
    with pytest.raises(RefusedError):
        await approve(place, planned(), Person(name="eve", groups=frozenset(), via="test"), run=True)
    assert isinstance(await place.run(), botocore.exceptions.ClientError)
