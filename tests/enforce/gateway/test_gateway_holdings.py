"""What agents own, through a real gateway and a real AWS API: opened, paid on, marked, stopped, reconciled."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import botocore.config
import botocore.exceptions
import pytest
from gateway_kit import BEN, Kit, serving

from comptroller.core.budget import Account
from comptroller.core.estimate import Unit
from comptroller.core.holding import Holding, HoldingState
from comptroller.core.spend import Grouping, Query, Spend
from comptroller.decode import tags
from comptroller.enforce.gateway import GatewayCourier
from comptroller.engine.orders import Orders
from comptroller.testing.aws_server import AwsServer
from comptroller.watch.keeper import NO_ROOM, NO_TAG, REST_LOOK_SECONDS, STOP_AGAIN_SECONDS, HoldingsKeeper, Rules

HOUR = 3600


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
class Estate:
    """A box with a keeper behind it, on a clock that tests turn."""

    kit: Kit
    clock: TurnedClock
    keeper: HoldingsKeeper
    aws: AwsServer
    said: list[str]

    def ec2(self) -> Any:
        return boto3.client(
            "ec2",
            region_name="us-east-1",
            verify=str(self.kit.ca_file),
            aws_access_key_id="AKIACOMPTROLLER2BOX7",
            aws_secret_access_key="placeholder",
            config=botocore.config.Config(retries={"total_max_attempts": 1}),
        )

    async def start(self, count: int = 1) -> list[str]:
        """Start machines with a person's yes; their ids."""
        ec2 = await self.kit.client(self.ec2)

        def work() -> Any:
            return ec2.run_instances(ImageId="ami-12c6146b", InstanceType="t3.micro", MinCount=1, MaxCount=count)

        task = asyncio.create_task(self.kit.client(work))
        approval = await self.kit.pending()
        await self.kit.engine.approvals.approve(approval.id, BEN)
        answer = await task
        await self.kit.settled()
        return [instance["InstanceId"] for instance in answer["Instances"]]

    async def volume(self) -> Holding:
        """Make a disk with a person's yes."""
        ec2 = await self.kit.client(self.ec2)
        task = asyncio.create_task(
            self.kit.client(lambda: ec2.create_volume(AvailabilityZone="us-east-1a", Size=8, VolumeType="gp3"))
        )
        approval = await self.kit.pending()
        await self.kit.engine.approvals.approve(approval.id, BEN)
        made = (await task)["VolumeId"]
        await self.kit.settled()
        (holding,) = [h for h in await self.kit.store.holdings() if h.resource == made]
        return holding

    async def machines(self, *, every: bool = False) -> list[Holding]:
        return [h for h in await self.kit.store.holdings(every=every) if h.kind == "aws:ec2:instance"]

    async def account(self, unit: Unit = Unit.USD_MICROS) -> Account:
        states = await self.kit.store.budgets(self.clock.now())
        return next(s.account for s in states if s.budget.unit is unit)

    async def tend(self, seconds: float = 0) -> None:
        self.clock.turn(seconds)
        await self.keeper.tend()

    async def check_reports(self) -> None:
        """What reports sum up from the log is what the ledger's accounts hold."""
        grouping = Grouping([])
        spend = Spend([grouping], Query())
        for entry in await self.kit.entries():
            spend.take(entry)
        told, account = grouping.total().tallies[Unit.USD_MICROS], await self.account()
        held = account.dispatched + account.reserved
        assert (told.settled, told.held, told.unconfirmed) == (account.settled, held, account.suspense)

    def states(self) -> Mapping[str, str]:
        """What the provider itself says."""
        client = self.aws.client("ec2")
        pages = client.describe_instances()["Reservations"]
        found = {i["InstanceId"]: i["State"]["Name"] for page in pages for i in page["Instances"]}
        client.close()
        return found


@contextlib.asynccontextmanager
async def estate(tmp_path: Path, aws: AwsServer, **rules: Any) -> AsyncIterator[Estate]:
    aws.reset()
    clock = TurnedClock()
    upstreams = {"*.amazonaws.com": aws.url}
    async with serving(tmp_path, upstreams=upstreams, hold_seconds=30, clock=clock) as kit:
        await kit.engine.holdings.load()
        said: list[str] = []
        courier = GatewayCourier(
            registry=kit.gateway._line.registry, credentials=kit.gateway.credentials, upstream=kit.upstream
        )
        keeper = HoldingsKeeper(
            book=kit.engine.holdings,
            orders=Orders(sequencer=kit.engine.sequencer, courier=courier, clock=clock),
            store=kit.store,
            clock=clock,
            rules=lambda: Rules(**rules),
            organization="acme",
            say=said.append,
        )
        yield Estate(kit=kit, clock=clock, keeper=keeper, aws=aws, said=said)


async def test_what_was_made_is_known_owned_tagged_and_paid_for(tmp_path: Path, aws: AwsServer) -> None:
    async with estate(tmp_path, aws) as place:
        made = await place.start(2)
        holdings = await place.machines()
        assert sorted(h.resource for h in holdings) == sorted(made)
        for holding in holdings:
            assert (holding.owner, holding.approver, holding.agent) == ("ann", "ben", "bot")
            assert holding.rate_usd_micros_per_hour and holding.tagged and holding.term_reservation
            assert holding.paid_until == place.clock.now() + timedelta(hours=1)
        rate = sum(h.rate_usd_micros_per_hour or 0 for h in holdings)
        account = await place.account()
        assert account.dispatched == account.suspense == 0 and account.reserved >= rate
        shown = place.aws.client("ec2").describe_tags()["Tags"]
        mine = {tag["Value"] for tag in shown if tag["Key"] == tags.RUN}
        assert mine == {place.kit.run.id} and {tag["ResourceId"] for tag in shown} >= set(made)
        opened = await place.kit.entries("holding.opened")
        assert len(opened) >= 2 and all(made[0] not in str(entry["body"]) for entry in opened)


async def test_terms_are_renewed_while_there_is_room_and_only_what_was_used_is_spent(
    tmp_path: Path, aws: AwsServer
) -> None:
    async with estate(tmp_path, aws) as place:
        await place.start()
        before = await place.account()
        for _ in range(10):
            await place.tend(HOUR / 4)
            await place.check_reports()
        after = await place.account()
        (machine,) = await place.machines()
        rate = machine.rate_usd_micros_per_hour or 0
        assert machine.state is HoldingState.LIVE and machine.paid_until > place.clock.now()
        assert abs(machine.spent_usd_micros(place.clock.now(), 0) - (after.settled - before.settled)) <= 10
        terms = [r for r in await place.kit.store.open_reservations() if r.id == machine.term_reservation]
        used = machine.spent_usd_micros(place.clock.now(), terms[0].amounts[Unit.USD_MICROS])
        assert 0 <= used - rate * 2.5 <= rate / 100, "two hours and a half, to a hundredth"
        assert "holding.renewed" in {entry["kind"] for entry in await place.kit.entries()}


async def test_without_room_its_owner_is_told_and_it_is_stopped_before_its_term_ends(
    tmp_path: Path, aws: AwsServer
) -> None:
    async with estate(tmp_path, aws) as place:
        (machine_id,) = await place.start()
        taken = (await place.account()).taken
        await place.kit.budget(Unit.USD_MICROS, taken)
        for _ in range(8):
            await place.tend(HOUR / 10)
        (machine,) = await place.machines()
        assert machine.state is HoldingState.LIVE and place.states()[machine_id] == "running"
        await place.tend(HOUR / 20)
        (machine,) = await place.machines()
        assert (machine.state, machine.why) == (HoldingState.MARKED, NO_ROOM)
        await place.tend(299)
        assert place.states()[machine_id] == "running", "the grace is not over"
        await place.tend(2)
        assert place.states()[machine_id] == "stopped" and place.clock.now() < machine.paid_until
        assert (await place.machines())[0].state is HoldingState.STOPPING, "asked, and not confirmed"
        assert (await place.account()).reserved > 0, "reserved until the provider confirms"
        await place.tend(16)
        (machine,) = await place.machines()
        assert machine.state is HoldingState.STOPPED and not machine.term_reservation
        account = await place.account()
        assert account.taken <= taken, "nothing was spent beyond the limit"
        await place.check_reports()
        assert not [r for r in await place.kit.store.open_reservations() if r.id == machine.term_reservation]
        told = [(entry["kind"], entry["body"].get("way")) for entry in await place.kit.entries()]
        steps = [("holding.marked", None), ("holding.ordered", "stop"), ("holding.stopped", None)]
        assert sorted(steps, key=told.index) == steps


async def test_a_renewal_that_crosses_a_soft_limit_is_told_once_like_an_action(tmp_path: Path, aws: AwsServer) -> None:
    async with estate(tmp_path, aws) as place:
        heard: list[Mapping[str, object]] = []
        place.kit.engine.hub.subscribe(lambda kind, told: heard.append(told) if kind == "budget.threshold" else None)
        await place.start()
        (machine,) = await place.machines()
        rate = machine.rate_usd_micros_per_hour or 0
        before = (await place.account()).taken
        await place.kit.budget(Unit.USD_MICROS, (before + rate // 2) * 2)
        for _ in range(4):
            await place.tend(HOUR / 4)
        (entry,) = await place.kit.entries("budget.threshold")
        assert entry["run"] == place.kit.run.id and entry["agent"] == "bot"
        told = entry["body"]
        assert (told["scope"], told["unit"], told["percent"]) == ("acme", "usd_micros", 50)
        assert before < told["taken"] == (await place.account()).taken
        kinds = [e["kind"] for e in await place.kit.entries()]
        assert kinds[kinds.index("budget.threshold") - 1] == "holding.renewed"
        assert [(each["percent"], each["run"]) for each in heard] == [(50, place.kit.run.id)]
        # An overrun tells too: far away for long, it crosses what is left.
        await place.tend(HOUR * 20)
        await place.tend(1)
        assert [e["body"]["percent"] for e in await place.kit.entries("budget.threshold")] == [50, 100]
        await place.check_reports()


async def test_room_that_comes_back_in_the_grace_keeps_it_alive(tmp_path: Path, aws: AwsServer) -> None:
    async with estate(tmp_path, aws) as place:
        (machine_id,) = await place.start()
        await place.kit.budget(Unit.USD_MICROS, (await place.account()).taken)
        await place.tend(HOUR - 590)
        assert (await place.machines())[0].state is HoldingState.MARKED
        await place.kit.budget(Unit.USD_MICROS, 10**9)
        await place.tend(10)
        assert (await place.machines())[0].state is HoldingState.LIVE
        await place.tend(600)
        assert place.states()[machine_id] == "running"


async def test_a_stop_seen_at_the_gateway_closes_it_and_needs_no_person(tmp_path: Path, aws: AwsServer) -> None:
    async with estate(tmp_path, aws) as place:
        (machine_id,) = await place.start()
        ec2 = await place.kit.client(place.ec2)
        await place.kit.client(lambda: ec2.terminate_instances(InstanceIds=[machine_id]))
        await place.kit.settled()
        assert (await place.machines())[0].state is HoldingState.STOPPING
        await place.tend(16)
        assert not await place.machines() and (await place.account()).reserved == 0
        (closed,) = await place.machines(every=True)
        assert closed.state is HoldingState.CLOSED and closed.settled_usd_micros < (
            closed.rate_usd_micros_per_hour or 0
        )


async def test_what_others_made_still_needs_a_person(tmp_path: Path, aws: AwsServer) -> None:
    async with estate(tmp_path, aws) as place:
        foreign = place.aws.client("ec2").run_instances(ImageId="ami-12c6146b", MinCount=1, MaxCount=1)
        other = foreign["Instances"][0]["InstanceId"]
        (mine,) = await place.start()
        ec2 = await place.kit.client(place.ec2)
        task = asyncio.create_task(place.kit.client(lambda: ec2.terminate_instances(InstanceIds=[mine, other])))
        approval = await place.kit.pending()
        assert approval.operation == "aws:ec2:TerminateInstances" and place.states()[other] == "running"
        await place.kit.engine.approvals.reject(approval.id, BEN, comment="not now")
        with pytest.raises(botocore.exceptions.ClientError):
            await task


async def test_starting_what_others_made_does_not_make_it_ones_own(tmp_path: Path, aws: AwsServer) -> None:
    async with estate(tmp_path, aws) as place:
        direct = place.aws.client("ec2")
        foreign = direct.run_instances(ImageId="ami-12c6146b", MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
        direct.stop_instances(InstanceIds=[foreign])
        ec2 = await place.kit.client(place.ec2)
        task = asyncio.create_task(place.kit.client(lambda: ec2.start_instances(InstanceIds=[foreign])))
        approval = await place.kit.pending()
        await place.kit.engine.approvals.approve(approval.id, BEN, ceiling_usd_micros=10**7)
        await task
        await place.kit.settled()
        (holding,) = await place.machines()
        assert holding.resource == foreign and not holding.created
        ending = asyncio.create_task(place.kit.client(lambda: ec2.terminate_instances(InstanceIds=[foreign])))
        question = await place.kit.pending()
        assert question.operation == "aws:ec2:TerminateInstances" and place.states()[foreign] == "running"
        await place.kit.engine.approvals.reject(question.id, BEN, comment="not now")
        with pytest.raises(botocore.exceptions.ClientError):
            await ending


async def test_our_tags_are_not_the_agents_to_touch(tmp_path: Path, aws: AwsServer) -> None:
    async with estate(tmp_path, aws) as place:
        (machine_id,) = await place.start()
        ec2 = await place.kit.client(place.ec2)
        for work in (
            lambda: ec2.delete_tags(Resources=[machine_id], Tags=[{"Key": tags.RUN}]),
            lambda: ec2.create_tags(Resources=[machine_id], Tags=[{"Key": tags.AGENT, "Value": "somebody"}]),
        ):
            with pytest.raises(botocore.exceptions.ClientError, match="who answers"):
                await place.kit.client(work)


async def test_what_does_not_carry_our_tag_is_left_alone(tmp_path: Path, aws: AwsServer) -> None:
    async with estate(tmp_path, aws) as place:
        (machine_id,) = await place.start()
        place.aws.client("ec2").delete_tags(Resources=[machine_id], Tags=[{"Key": tags.RUN}])
        await place.kit.budget(Unit.USD_MICROS, (await place.account()).taken)
        await place.tend(HOUR - 590)
        await place.tend(301)
        (machine,) = await place.machines()
        assert machine.why == NO_TAG and place.states()[machine_id] == "running"
        await place.tend(300)
        (machine,) = await place.machines()
        overrun = await place.kit.entries("holding.overrun")
        assert overrun and machine.term_reservation and machine.paid_until > place.clock.now()
        await place.check_reports()


async def test_killing_its_run_stops_it_at_once(tmp_path: Path, aws: AwsServer) -> None:
    async with estate(tmp_path, aws) as place:
        (machine_id,) = await place.start()
        await place.kit.engine.brakes.kill(place.kit.run.path, by="ann", reason="enough")
        await place.tend(1)
        assert place.states()[machine_id] == "stopped"


async def test_two_keepers_never_stop_the_same_thing_twice(tmp_path: Path, aws: AwsServer) -> None:
    async with estate(tmp_path, aws) as place:
        await place.start()
        await place.kit.engine.brakes.kill(place.kit.run.path, by="ann", reason="enough")
        await asyncio.gather(*(place.keeper.tend() for _ in range(5)))
        orders = [entry["body"] for entry in await place.kit.entries("holding.ordered")]
        assert [body["way"] for body in orders].count("stop") == 1
        await place.tend(16)
        assert (await place.machines())[0].state is HoldingState.STOPPED
        await place.tend(STOP_AGAIN_SECONDS * 3)
        orders = [entry["body"] for entry in await place.kit.entries("holding.ordered")]
        assert [body["way"] for body in orders].count("stop") == 1


async def test_what_was_ended_elsewhere_is_seen_to_be_gone(tmp_path: Path, aws: AwsServer) -> None:
    async with estate(tmp_path, aws) as place:
        (machine_id,) = await place.start()
        place.aws.client("ec2").terminate_instances(InstanceIds=[machine_id])
        await place.tend(1000)
        await place.tend(REST_LOOK_SECONDS)
        assert not await place.machines() and (await place.account()).reserved == 0


async def test_after_a_long_time_away_what_it_cost_is_recorded_as_it_is(tmp_path: Path, aws: AwsServer) -> None:
    """A renewal after the term, and after the client's patience: nothing in between is forgotten."""
    async with estate(tmp_path, aws) as place:
        await place.start()
        before = await place.account()
        await place.tend(5 * HOUR)
        (machine,) = await place.machines()
        rate = machine.rate_usd_micros_per_hour or 0
        spent = (await place.account()).settled - before.settled
        assert machine.state is HoldingState.LIVE and 0 <= spent - 5 * rate <= rate / 100
        await place.check_reports()


async def test_a_listing_tells_what_the_books_do_not_know_and_what_is_gone(tmp_path: Path, aws: AwsServer) -> None:
    async with estate(tmp_path, aws) as place:
        volume = (await place.volume()).resource
        assert list(await place.keeper.reconcile()) == []
        spec = [{"ResourceType": "instance", "Tags": [{"Key": tags.HOLDING_OF, "Value": "acme"}]}]
        other = place.aws.client("ec2").run_instances(
            ImageId="ami-12c6146b", MinCount=1, MaxCount=1, TagSpecifications=spec
        )
        place.aws.client("ec2").delete_volume(VolumeId=volume)
        drift = {(each["drift"], each["resource"]) for each in await place.keeper.reconcile()}
        assert ("unknown", other["Instances"][0]["InstanceId"]) in drift
        assert ("gone", volume) in drift and not await place.kit.store.holdings()
        assert len(await place.kit.entries("holding.drift")) == len(drift)
        await place.keeper.reconcile()
        assert len(await place.kit.entries("holding.drift")) == len(drift), "what was told is not told again"


async def test_only_kinds_that_are_named_are_ever_deleted(tmp_path: Path, aws: AwsServer) -> None:
    async with estate(tmp_path, aws) as place:
        holding = await place.volume()
        volume = holding.resource
        await place.kit.engine.brakes.kill(place.kit.run.path, by="ann", reason="enough")
        await place.tend(1)
        there = place.aws.client("ec2").describe_volumes(VolumeIds=[volume])["Volumes"]
        assert there and "stop it yourself" in (await place.kit.store.holdings())[0].why
        named = Rules(delete=frozenset({holding.kind}))
        place.keeper._rules = lambda: named
        await place.tend(3601)
        with pytest.raises(botocore.exceptions.ClientError, match="NotFound"):
            place.aws.client("ec2").describe_volumes(VolumeIds=[volume])
