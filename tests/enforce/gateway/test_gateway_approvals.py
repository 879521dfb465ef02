"""A held call from the agent's side: boto3 and httpx through a real gateway, moto as the truth of what ran.

The nine ways in which approvals are known to fail: missing, denied but ran, changed arguments, replay, expiry,
lifecycle, route around, interrupt bypass, evidence.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import botocore.config
import botocore.exceptions
import httpx
import pytest
from gateway_kit import ANN, BEN, Kit, serving

from comptroller.core.approval import ApprovalState, GrantState
from comptroller.core.errors import ComptrollerError, ConflictError
from comptroller.ports import Changes, Wants
from comptroller.testing.aws_server import AwsServer
from comptroller.testing.loopback import HttpAnswer, HttpRequest, HttpServer

DELAYED = """
@id("slowly")
@outcome("approval")
@approvers("Group::approvers")
@exclude("agent")
@delay("10m")
forbid (principal, action == Comptroller::Action::"http:api.example.com:DELETE", resource)
unless { context.grants.contains("slowly") };
"""


@pytest.fixture(scope="module")
def aws() -> Iterator[AwsServer]:
    with AwsServer() as server:
        yield server


@dataclass
class TurnedClock:
    at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def now(self) -> datetime:
        return self.at

    def turn(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@dataclass
class Place:
    kit: Kit
    aws: AwsServer
    clock: TurnedClock

    def ec2(self, region: str = "us-east-1", **settings: Any) -> Any:
        return boto3.client(
            "ec2",
            region_name=region,
            verify=str(self.kit.ca_file),
            aws_access_key_id="AKIACOMPTROLLER2BOX7",
            aws_secret_access_key="placeholder",
            config=botocore.config.Config(retries={"total_max_attempts": 1}),
            **settings,
        )

    async def run(self, client: Any = None, **wanted: Any) -> Any:
        """Ask for machines: the answer, or the error that boto3 raises."""
        arguments = {"ImageId": "ami-12c6146b", "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1, **wanted}
        ec2 = client or await self.kit.client(self.ec2)
        try:
            return await self.kit.client(lambda: ec2.run_instances(**arguments))
        except botocore.exceptions.ClientError as error:
            return error

    async def held(self, client: Any = None, **wanted: Any) -> str:
        """Ask; the approval that the refusal names, in its text and in its header."""
        error = await self.run(client, **wanted)
        assert isinstance(error, botocore.exceptions.ClientError), error
        name = error.response["ResponseMetadata"]["HTTPHeaders"].get("x-comptroller-approval", "")
        assert name and name in error.response["Error"]["Message"]
        return str(name)

    async def yes(self, name: str) -> None:
        await self.kit.engine.approvals.approve(name, BEN)

    def machines(self) -> int:
        """How many really run."""
        return len(self.aws.instances())


@pytest.fixture
async def place(tmp_path: Path, aws: AwsServer) -> AsyncIterator[Place]:
    aws.reset()
    clock = TurnedClock()
    async with serving(tmp_path, upstreams={"*.amazonaws.com": aws.url}, clock=clock) as kit:
        yield Place(kit=kit, aws=aws, clock=clock)


async def test_missing(place: Place) -> None:
    """Without a yes nothing runs, however often it is asked; and it is one question."""
    assert len({await place.held() for _ in range(3)}) == 1
    assert place.machines() == 0


async def test_denied_but_ran(place: Place) -> None:
    """A no is told in the service's own format and stands: the agent can print why and what else."""
    name = await place.held()
    await place.kit.engine.approvals.reject(name, BEN, comment="use the small one in eu-west-1\nand only today")
    error = await place.run()
    code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
    assert code == "UnauthorizedOperation"
    assert "ben said no" in message and "use the small one in eu-west-1" in message and "Next:" in message
    header = error.response["ResponseMetadata"]["HTTPHeaders"]["x-comptroller-reason"]
    assert "use the small one in eu-west-1 and only today" in header
    with pytest.raises(ConflictError):
        await place.yes(name)
    place.clock.turn(3_600)
    assert isinstance(await place.run(), botocore.exceptions.ClientError) and place.machines() == 0


async def test_changed_arguments(place: Place) -> None:
    """A yes is for these arguments: more, larger, elsewhere or with one thing more is another question."""
    name = await place.held()
    await place.yes(name)
    for other in (
        {"MaxCount": 2},
        {"InstanceType": "p4d.24xlarge"},
        {"ImageId": "ami-00000000"},
        {"UserData": "#!/bin/sh\nid"},
        {"IamInstanceProfile": {"Name": "admin"}},
        {"Monitoring": {"Enabled": True}},
    ):
        assert await place.held(**other) != name
    assert place.machines() == 0
    assert "Instances" in await place.run() and place.machines() == 1


async def test_replay(place: Place) -> None:
    await place.yes(await place.held())
    assert "Instances" in await place.run()
    ec2 = await place.kit.client(place.ec2)

    def again(number: int) -> str:
        try:
            return str(ec2.run_instances(ImageId="ami-12c6146b", InstanceType="t3.micro", MinCount=1, MaxCount=1))
        except botocore.exceptions.ClientError as error:
            return f"refused {error}"

    def at_once() -> list[str]:
        with ThreadPoolExecutor(4) as pool:
            return list(pool.map(again, range(4)))

    done = await place.kit.client(at_once)
    assert all(each.startswith("refused") for each in done) and place.machines() == 1


async def test_expiry(place: Place) -> None:
    """Of the question and of the yes, with and without the clock's own entry."""
    first = await place.held()
    place.clock.turn(8 * 3_600)
    with pytest.raises(ConflictError, match="expired"):
        await place.yes(first)
    second = await place.held()
    assert second != first
    await place.yes(second)
    place.clock.turn(30 * 60)
    third = await place.held()
    assert third not in (first, second)
    await place.kit.engine.approvals.tend()
    assert place.machines() == 0


async def test_lifecycle(place: Place) -> None:
    """What is over does not come back: no second answer changes anything, in any state."""
    answers = place.kit.engine.approvals
    used, no, back, gone = [await place.held(MaxCount=count) for count in (1, 2, 3, 4)]
    await place.yes(used)
    assert "Instances" in await place.run()
    await answers.reject(no, BEN, comment="no")
    await answers.withdraw(back, ANN)
    await place.yes(gone)
    await answers.revoke(gone, ANN, comment="too many")
    before = {name: await place.kit.store.approval(name) for name in (used, no, back, gone)}
    assert [before[name].grant for name in (used, gone)] == [GrantState.USED, GrantState.REVOKED]  # type: ignore[union-attr]
    assert before[back].state is ApprovalState.WITHDRAWN  # type: ignore[union-attr]
    for name in before:
        for act in (
            lambda name=name: answers.approve(name, BEN),
            lambda name=name: answers.reject(name, BEN, comment="no"),
            lambda name=name: answers.withdraw(name, BEN),
            lambda name=name: answers.revoke(name, BEN),
        ):
            with pytest.raises(ComptrollerError):
                await act()
    assert {name: await place.kit.store.approval(name) for name in before} == before
    assert place.machines() == 1


async def test_route_around(place: Place) -> None:
    """Another region, another client, another spelling, another run: the yes is for none of them."""
    name = await place.held()
    await place.yes(name)
    west = await place.kit.client(lambda: place.ec2("eu-west-1"))
    assert await place.held(west) != name
    form = {
        "Action": "RunInstances",
        "Version": "2016-11-15",
        "ImageId": "ami-12c6146b",
        "InstanceType": "t3.micro",
        "MinCount": "1",
        "MaxCount": "1",
    }

    def unsigned() -> list[int]:
        with httpx.Client(verify=place.kit.trust) as client:
            targets = ("https://ec2.us-east-1.amazonaws.com/", "https://ec2.us-east-1.amazonaws.com/?MaxCount=9")
            return [client.post(target, data=form).status_code for target in targets]

    assert all(status in (400, 401, 403) for status in await place.kit.client(unsigned))
    assert place.machines() == 0
    assert "Instances" in await place.run() and place.machines() == 1


async def test_interrupt_bypass(tmp_path: Path, aws: AwsServer) -> None:
    """A caller that goes away while it is held, a freeze in between, a no to a call that waits: nothing slips by."""
    aws.reset()
    async with serving(tmp_path, upstreams={"*.amazonaws.com": aws.url}, hold_seconds=30) as kit:
        place = Place(kit=kit, aws=aws, clock=TurnedClock())
        ec2 = await kit.client(place.ec2)
        impatient = boto3.client(
            "ec2",
            region_name="us-east-1",
            verify=str(kit.ca_file),
            aws_access_key_id="AKIACOMPTROLLER2BOX7",
            aws_secret_access_key="placeholder",
            config=botocore.config.Config(retries={"total_max_attempts": 1}, read_timeout=0.5),
        )
        with pytest.raises(botocore.exceptions.HTTPClientError):
            await place.run(impatient)
        question = await kit.pending()
        await kit.engine.approvals.approve(question.id, BEN)
        assert place.machines() == 0, "whoever asked is gone: the yes waits for the call to come again"
        await kit.engine.brakes.freeze(kit.run.id, by="ann", reason="look")
        assert "is frozen" in str(await place.run(ec2)) and place.machines() == 0
        await kit.engine.brakes.thaw(kit.run.id, by="ann", reason="fine")
        assert "Instances" in await place.run(ec2) and place.machines() == 1
        for count, act, said in (
            (2, lambda name: kit.engine.approvals.reject(name, BEN, comment="no more"), "no more"),
            (3, lambda name: kit.engine.approvals.withdraw(name, ANN, comment="not needed"), "ann took it back"),
        ):
            waiting = asyncio.create_task(place.run(ec2, MaxCount=count))
            asked = await kit.pending()
            await act(asked.id)
            assert said in str(await waiting)
        assert place.machines() == 1


async def test_evidence(place: Place) -> None:
    """Who asked, who said yes, under which rules, what ran: all of it in the log, in this order, by one digest."""
    name = await place.held()
    await place.kit.engine.approvals.approve(name, BEN, comment="agreed")
    assert "Instances" in await place.run()
    kinds = ("action.held", "approval.approved", "action.allowed", "action.settled")
    found = [entry for entry in await place.kit.entries() if entry["kind"] in kinds]
    assert [entry["kind"] for entry in found] == list(kinds)
    held, yes, allowed, settled = (entry["body"] for entry in found)
    assert held["approval"] == yes["approval"] == allowed["approval"] == name
    assert held["digest"] == yes["digest"] == allowed["digest"]
    assert held["slice"] == yes["slice"] == allowed["slice"]
    assert yes["by"] == "ben" and yes["via"] == BEN.via and yes["assurance"] == "socket"
    assert allowed["approved_by"] == ["ben"] and allowed["self_approved"] is False
    assert settled["reservation"] == allowed["reservation"]


# ---------------------------------------------------------------- more of what a yes is bound to


async def test_a_yes_to_what_became_another_thing_does_not_count(place: Place) -> None:
    """The machine an action is about was enlarged since people were asked."""
    await place.yes(await place.held())
    machine = (await place.run())["Instances"][0]["InstanceId"]
    ec2 = await place.kit.client(place.ec2)

    def modify() -> Any:
        try:
            return ec2.modify_instance_attribute(InstanceId=machine, UserData={"Value": b"echo"})
        except botocore.exceptions.ClientError as error:
            return error

    first = await place.kit.client(modify)
    name = first.response["ResponseMetadata"]["HTTPHeaders"]["x-comptroller-approval"]
    question = await place.kit.store.approval(name)
    assert question is not None and machine in question.targets, question
    await place.kit.engine.approvals.approve(name, BEN, ceiling_usd_micros=10**6 if question.price_unknown else None)
    (holding,) = [item for item in await place.kit.store.holdings() if item.resource == machine]
    larger = replace(holding, rate_usd_micros_per_hour=32_000_000)
    await place.kit.store.commit(Wants(now=place.clock.now()), lambda _: (Changes(holdings=(larger,)), None))
    refused = await place.kit.client(modify)
    message = refused.response["Error"]["Message"]
    assert "is not what it was when people were asked" in message and "$32.00 an hour" in message
    assert refused.response["ResponseMetadata"]["HTTPHeaders"]["x-comptroller-approval"] != name


async def test_a_yes_that_can_be_taken_back_for_a_while(tmp_path: Path) -> None:
    """The call waits through the delay and then goes by itself; taken back in it, it is told so."""
    seen: list[str] = []

    def serve(request: HttpRequest) -> HttpAnswer:
        seen.append(request.path)
        return HttpAnswer(body=b"gone")

    clock = TurnedClock()
    with HttpServer(serve) as server:
        async with serving(
            tmp_path, upstreams={"api.example.com": server.url}, policies=DELAYED, hold_seconds=3_600, clock=clock
        ) as kit:

            async def delete(path: str) -> httpx.Response:
                def work() -> httpx.Response:
                    with httpx.Client(verify=kit.trust, timeout=60) as client:
                        return client.delete(f"https://api.example.com{path}")

                return await kit.client(work)

            answers = kit.engine.approvals
            waiting = asyncio.create_task(delete("/a"))
            asked = await kit.pending()
            done = await answers.approve(asked.id, BEN)
            assert done.delayed(clock.now())
            await kit.until(lambda: kit.engine.hub._waiters.get(asked.id), "the call waits on")
            assert not seen and not waiting.done()
            clock.turn(600)
            kit.engine.hub.wake(asked.id)
            assert (await waiting).status_code == 200 and seen == ["/a"]

            waiting = asyncio.create_task(delete("/b"))
            asked = await kit.pending()
            await answers.approve(asked.id, BEN)
            await answers.revoke(asked.id, ANN, comment="wrong one")
            refused = await waiting
            assert refused.status_code == 403 and "ann took it back" in refused.text and "wrong one" in refused.text
            clock.turn(600)
            assert seen == ["/a"]
            kinds = [entry["kind"] for entry in await kit.entries()]
            assert kinds.count("approval.revoked") == 1
