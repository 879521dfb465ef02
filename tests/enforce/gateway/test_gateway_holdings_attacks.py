"""Attacks on what agents own: ending other people's things, keeping one's own from being stopped or paid for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from test_gateway_holdings import HOUR, estate

from comptroller.core.errors import RefusedError
from comptroller.core.estimate import Unit
from comptroller.core.holding import OVERRUN_SECONDS, HoldingState
from comptroller.core.reservation import ReservationState
from comptroller.decode import tags
from comptroller.testing.aws_server import AwsServer
from comptroller.watch.keeper import NO_TAG, STOP_AGAIN_SECONDS


@pytest.fixture(scope="module")
def aws() -> Iterator[AwsServer]:
    with AwsServer() as server:
        yield server


async def test_what_is_opened_while_strays_are_looked_for_keeps_its_term(tmp_path: Path, aws: AwsServer) -> None:
    """A sweep that read the holdings before, and the reservations after, would give the new term back: the machine
    would live unpaid for ever."""
    async with estate(tmp_path, aws) as place:
        store, book = place.kit.store, place.kit.engine.holdings
        read = type(store).holdings

        async def slow(self: object, *, every: bool = False) -> object:
            found = await read(store, every=every)
            if every and not started:
                started.append(True)
                await place.start()
            return found

        started: list[bool] = []
        type(store).holdings = slow  # type: ignore[method-assign, assignment]
        try:
            await book.release_strays()
        finally:
            type(store).holdings = read  # type: ignore[method-assign]
        (machine,) = await place.machines()
        open_terms = {r.id: r.state for r in await store.open_reservations()}
        assert open_terms.get(machine.term_reservation) is ReservationState.RESERVED


async def test_a_provider_that_refuses_to_answer_is_not_asked_at_every_turn(tmp_path: Path, aws: AwsServer) -> None:
    async with estate(tmp_path, aws) as place:
        await place.start()

        async def refused(*_: object, **__: object) -> None:
            asked.append(place.clock.now())
            raise RefusedError("status 403", hint="rights")

        asked: list[object] = []
        place.keeper._orders._courier.carry = refused  # type: ignore[attr-defined]
        await place.kit.engine.brakes.kill(place.kit.run.path, by="ann", reason="enough")
        for _ in range(120):
            await place.tend(5)
        machines = [h for h in await place.kit.store.holdings() if h.open]
        assert len(asked) <= 2 * len(machines) * (600 / STOP_AGAIN_SECONDS + 1), "ten minutes"
        assert len(asked) >= len(machines) * 3, "and it is tried again"


async def test_a_stop_without_effect_frees_nobody_from_the_budget(tmp_path: Path, aws: AwsServer) -> None:
    """The service takes the agent's own stop, and the machine lives on: it is stopped within what is paid, however
    often the agent asks."""
    async with estate(tmp_path, aws) as place:
        (machine_id,) = await place.start()
        taken = (await place.account()).taken
        await place.kit.budget(Unit.USD_MICROS, taken)
        for _ in range(59):
            (machine,) = await place.machines()
            await place.kit.engine.holdings.asked([machine.made], place.kit.run.id)
            await place.tend(60)
        assert place.states()[machine_id] == "stopped" and (await place.account()).taken <= taken
        assert not await place.kit.entries("holding.overrun")
        await place.check_reports()


async def test_a_stop_without_effect_is_paid_on_where_there_is_room(tmp_path: Path, aws: AwsServer) -> None:
    async with estate(tmp_path, aws) as place:
        (machine_id,) = await place.start()
        (machine,) = await place.machines()
        await place.kit.engine.holdings.asked([machine.made], place.kit.run.id)
        for _ in range(70):
            await place.tend(60)
        (machine,) = await place.machines()
        assert machine.state is HoldingState.LIVE and place.states()[machine_id] == "running"
        assert machine.paid_until > place.clock.now() and not await place.kit.entries("holding.overrun")


async def test_having_asked_to_stop_does_not_save_it_from_a_kill(tmp_path: Path, aws: AwsServer) -> None:
    async with estate(tmp_path, aws) as place:
        (machine_id,) = await place.start()
        (machine,) = await place.machines()
        await place.kit.engine.holdings.asked([machine.made], place.kit.run.id)
        await place.kit.engine.brakes.kill(place.kit.run.path, by="ann", reason="enough")
        await place.tend(5)
        await place.tend(5)
        assert place.states()[machine_id] == "stopped"


async def test_what_its_owner_stopped_by_hand_is_paid_on_no_longer(tmp_path: Path, aws: AwsServer) -> None:
    """Without our tag it is left alone and its owner told; the owner's own stop is seen all the same."""
    async with estate(tmp_path, aws) as place:
        (machine_id,) = await place.start()
        outside = place.aws.client("ec2")
        outside.delete_tags(Resources=[machine_id], Tags=[{"Key": tags.RUN}])
        await place.kit.budget(Unit.USD_MICROS, (await place.account()).taken)
        await place.tend(HOUR - 590)
        await place.tend(301)
        assert (await place.machines())[0].why == NO_TAG
        outside.stop_instances(InstanceIds=[machine_id])
        await place.tend(OVERRUN_SECONDS)
        (machine,) = await place.machines()
        assert machine.state is HoldingState.STOPPED and not machine.term_reservation
        await place.check_reports()
