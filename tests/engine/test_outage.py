"""The store is lost: what is dangerous is denied, `read` and `infer` go on, and no entry is lost or doubled."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.engine.outage_kit import LosableStore, Outage

from comptroller.core.action import ActionClass
from comptroller.core.brake import BrakeState
from comptroller.core.errors import RefusedError, StoreError, StoreLostError
from comptroller.core.escrow import SHARE_OPERATION
from comptroller.core.estimate import Bound, Unit
from comptroller.core.reservation import ReservationState
from comptroller.core.spend import Grouping, Query, Spend
from comptroller.core.verdict import VerdictKind
from comptroller.core.window import Window
from comptroller.stores.memory import MemoryStore
from comptroller.stores.sqlite import SqliteStore

USD_LIMIT = 10_000
CALLS_LIMIT = 1_000
SHARE_USD = USD_LIMIT * 2 // 100
SHARE_CALLS = CALLS_LIMIT * 2 // 100


@pytest.fixture(params=["memory", "sqlite"])
async def outage(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Outage]:
    real = MemoryStore() if request.param == "memory" else await SqliteStore.open(tmp_path / "store.sqlite")
    made = Outage(folder=tmp_path, store=LosableStore(real))
    await made.start()
    await made.limit(Unit.USD_MICROS, USD_LIMIT)
    await made.limit(Unit.CALLS, CALLS_LIMIT)
    await made.run()
    yield made
    await made.end()
    await real.close()


async def denied(outage: Outage, usd_micros: int = 10, *classes: ActionClass, **changes: object) -> str:
    with pytest.raises(StoreLostError) as caught:
        await outage.sequencer.admit(outage.proposal(usd_micros, *classes, **changes))  # type: ignore[arg-type]
    return caught.value.beside


async def test_a_share_is_set_aside_and_given_back_when_the_run_ends(outage: Outage) -> None:
    (share,) = await outage.store.open_reservations()
    assert share.state is ReservationState.DISPATCHED and share.operation == SHARE_OPERATION
    assert dict(share.amounts) == {Unit.USD_MICROS: SHARE_USD, Unit.CALLS: SHARE_CALLS}
    assert await outage.taken(Unit.USD_MICROS) == SHARE_USD
    await outage.engine.runs.end(outage.runs[0].id, exit_code=0)
    await outage.escrow.keep()
    assert not await outage.store.open_reservations()
    assert await outage.taken(Unit.USD_MICROS) == 0 == await outage.taken(Unit.CALLS)


async def test_reading_goes_on_and_its_entries_come_into_the_log_once(outage: Outage) -> None:
    before = len(await outage.entries())
    await outage.lost()
    permits = []
    for number in range(5):
        done = await outage.ask(10, parameters={"n": number})
        assert done.permit is not None and done.permit.entry < 0
        permits.append(done.permit)
    assert len({permit.entry for permit in permits}) == 5
    await outage.settle(permits[0], 4)
    await outage.settle(permits[1], 0, complete=False)
    assert len(await outage.entries()) == before
    assert await outage.taken(Unit.USD_MICROS) == SHARE_USD
    assert await outage.found() and not outage.escrow.lost
    allowed = await outage.entries("action.allowed")
    assert [entry["body"]["reservation"] for entry in allowed] == [permit.reservation for permit in permits]
    assert all(entry["body"]["outage"] is True for entry in allowed)
    (recovered,) = await outage.entries("store.recovered")
    assert recovered["body"]["actions"] == 5 and recovered["body"]["notes"] == 7
    assert len(recovered["body"]["hash"]) == 64
    # One settled at 4, one in suspense at 10, three in flight at 10.
    assert await outage.taken(Unit.USD_MICROS) == 4 + 10 + 30
    states = sorted(item.state.value for item in await outage.store.open_reservations())
    assert states == ["dispatched"] * 3 + ["suspense"]
    for permit in permits[2:]:
        await outage.settle(permit, 1)
    assert await outage.taken(Unit.USD_MICROS) == 4 + 10 + 3
    assert await outage.taken(Unit.CALLS) == 5
    await outage.escrow.keep()
    (share,) = [item for item in await outage.store.open_reservations() if item.operation == SHARE_OPERATION]
    assert share.amounts[Unit.USD_MICROS] == SHARE_USD


DANGEROUS = sorted(set(ActionClass) - {ActionClass.READ, ActionClass.INFER})


@pytest.mark.parametrize("name", DANGEROUS)
async def test_everything_dangerous_is_denied(outage: Outage, name: ActionClass) -> None:
    await outage.lost()
    assert "only `read` and `infer`" in await denied(outage, 0, name)
    assert "only `read` and `infer`" in await denied(outage, 0, ActionClass.READ, name)
    assert outage.journal.notes[-1].kind == "share"
    assert (await outage.sequencer.admit(outage.proposal(1, ActionClass.INFER))).permit is not None


async def test_what_needs_a_person_or_a_price_is_denied(outage: Outage) -> None:
    await outage.lost()
    assert "nobody can be asked" in await denied(outage, kind=VerdictKind.REQUIRE_APPROVAL)
    assert "a rule" in await denied(outage, kind=VerdictKind.DENY)
    unknown = {Unit.USD_MICROS: Bound(low=0, high=None)}
    assert "nobody can say what this costs" in await denied(outage, bounds=unknown)
    standing = {Unit.USD_MICROS_PER_HOUR: Bound.exactly(1)}
    assert "only `read` and `infer`" in await denied(outage, bounds=standing)
    assert "only `read` and `infer`" in await denied(outage, classes=frozenset())


async def test_the_share_is_the_most_that_is_ever_spent(outage: Outage) -> None:
    await outage.lost()
    proposals = [outage.proposal(30, parameters={"n": n}) for n in range(40)]
    answers = await asyncio.gather(*map(outage.sequencer.admit, proposals), return_exceptions=True)
    let = [answer for answer in answers if not isinstance(answer, BaseException)]
    assert len(let) == SHARE_USD // 30
    why = {answer.beside for answer in answers if isinstance(answer, StoreLostError)}
    assert len(why) == 1 and "the share kept for acme/ml/bot/" in why.pop()
    # What one did not cost, another may spend.
    assert let[0].permit is not None
    await outage.settle(let[0].permit, 0)
    assert (await outage.ask(30, parameters={"n": "again"})).permit is not None
    assert await denied(outage, 30, parameters={"n": "too many"})
    assert await outage.found()
    assert await outage.taken(Unit.USD_MICROS) <= SHARE_USD


async def test_after_store_outage_max_nothing_goes_on(outage: Outage) -> None:
    await outage.lost()
    outage.clock.turn(outage.seconds_max)
    assert (await outage.ask()).permit is not None
    outage.clock.turn(1)
    assert "too long" in await denied(outage)
    assert await outage.found()
    assert (await outage.ask()).permit is not None
    assert (await outage.entries("store.recovered"))[-1]["body"]["seconds"] == 1


async def test_money_of_yesterday_is_not_spent_today(outage: Outage) -> None:
    outage.clock.at = outage.clock.at.replace(hour=23, minute=55)
    await outage.limit(Unit.USD_MICROS, USD_LIMIT, window=Window.DAY)
    await outage.escrow.keep()
    await outage.lost()
    assert (await outage.ask()).permit is not None
    outage.clock.turn(299)
    assert (await outage.ask(parameters={"n": "last of the day"})).permit is not None
    outage.clock.turn(1)
    assert "a budget's window that has ended" in await denied(outage)


async def test_a_share_is_taken_anew_for_the_next_window(outage: Outage) -> None:
    await outage.limit(Unit.USD_MICROS, 5_000, window=Window.HOUR)
    await outage.escrow.keep()
    (first,) = await outage.store.open_reservations()
    assert len(first.lines) == 3 and first.amounts[Unit.USD_MICROS] == 100
    outage.clock.turn(3600)
    await outage.escrow.keep()
    (second,) = await outage.store.open_reservations()
    assert second.id != first.id and second.amounts == first.amounts
    assert await outage.taken(Unit.USD_MICROS) == 100
    await outage.escrow.keep()
    assert await outage.store.open_reservations() == (second,)


async def test_shares_of_many_runs_stay_a_tenth(outage: Outage) -> None:
    for _ in range(9):
        await outage.run()
    assert await outage.taken(Unit.USD_MICROS) <= USD_LIMIT // 10
    assert await outage.taken(Unit.CALLS) <= CALLS_LIMIT // 10
    await outage.lost()
    assert "no share" in await denied(outage, run=outage.runs[-1])
    assert (await outage.ask(run=outage.runs[0])).permit is not None


async def test_a_short_budget_gets_its_share_back(outage: Outage) -> None:
    done = await outage.ask(USD_LIMIT - SHARE_USD)
    assert done.permit is not None
    await outage.settle(done.permit, USD_LIMIT - SHARE_USD)
    await outage.limit(Unit.USD_MICROS, USD_LIMIT - SHARE_USD)
    await outage.escrow.keep()
    assert await outage.taken(Unit.USD_MICROS) == USD_LIMIT - SHARE_USD
    (share,) = await outage.store.open_reservations()
    assert share.amounts[Unit.USD_MICROS] == 0


# ---------------------------------------------------------------- brakes


async def test_a_brake_of_before_holds(outage: Outage) -> None:
    await outage.engine.brakes.freeze("acme/ml", by="ann", reason="look first")
    await outage.lost()
    assert "look first" in await denied(outage)
    assert await outage.found()
    done = await outage.ask()
    assert done.permit is None and done.verdict.reasons[0].code == "frozen"


async def test_a_freeze_given_meanwhile_holds_then_and_afterwards(outage: Outage) -> None:
    await outage.lost()
    assert (await outage.ask()).permit is not None
    await outage.engine.brakes.freeze(outage.runs[0].id, by="ann", reason="odd")
    assert "odd" in await denied(outage)
    with pytest.raises(StoreLostError, match="line is cut"):
        await outage.engine.brakes.thaw("acme", by="ann", reason="go on")
    with pytest.raises(RefusedError, match="neither a configured scope"):
        await outage.engine.brakes.freeze("acme/nobody", by="ann", reason="x")
    assert await outage.found()
    assert [(brake.scope, brake.by) for brake in await outage.store.brakes()] == [(outage.runs[0].path, "ann")]
    (entry,) = await outage.entries("brake.frozen")
    assert entry["body"]["outage"] is True
    assert (await outage.ask()).permit is None
    await outage.engine.brakes.thaw(outage.runs[0].path, by="ann", reason="seen")
    assert (await outage.ask()).permit is not None


async def test_a_freeze_given_meanwhile_survives_kill_9(outage: Outage) -> None:
    await outage.lost()
    await outage.engine.brakes.freeze("acme/ml/bot", by="ann", reason="odd")
    outage.store.cut = ""
    await outage.restart()
    await outage.restart()
    (brake,) = await outage.store.brakes()
    assert (brake.scope, brake.state) == ("acme/ml/bot", BrakeState.FROZEN)
    assert len(await outage.entries("brake.frozen")) == 1


async def test_killed_meanwhile_is_killed(outage: Outage) -> None:
    heard: list[str] = []
    outage.engine.hub.subscribe(lambda kind, _: heard.append(kind))
    await outage.lost()
    await outage.engine.brakes.kill(outage.runs[0].id, by="ann", reason="no")
    assert "run.kill" in heard
    assert "killed" in await denied(outage)
    with pytest.raises(RefusedError, match="final"):
        await outage.engine.brakes.freeze(outage.runs[0].id, by="ben", reason="late")
    assert await outage.found()
    (brake,) = await outage.store.brakes()
    assert brake.state is BrakeState.KILLED


async def test_the_outage_itself_freezes_nothing_for_longer_than_itself(outage: Outage) -> None:
    await outage.lost()
    await denied(outage, 0, ActionClass.WRITE)
    assert await outage.found()
    assert not await outage.store.brakes()
    assert (await outage.sequencer.admit(outage.proposal(0, ActionClass.WRITE))).permit is not None


async def test_a_cost_above_its_bound_stops_the_run_at_once(outage: Outage) -> None:
    await outage.lost()
    done = await outage.ask(10)
    assert done.permit is not None
    await outage.settle(done.permit, 5_000)
    assert "cost more than its estimate" in await denied(outage, 0)
    assert await outage.found()
    assert await outage.taken(Unit.USD_MICROS) == 5_000
    assert [brake.scope for brake in await outage.store.brakes()] == [outage.runs[0].path]


# ---------------------------------------------------------------- what was under way


async def test_what_left_before_is_settled_when_the_store_is_back(outage: Outage) -> None:
    done = await outage.ask(100)
    assert done.permit is not None and done.permit.entry >= 0
    await outage.lost()
    await outage.settle(done.permit, 60)
    assert await outage.taken(Unit.USD_MICROS) == SHARE_USD + 100
    assert await outage.found()
    assert await outage.taken(Unit.USD_MICROS) == 60


async def test_a_run_that_ends_meanwhile_is_ended_when_the_store_is_back(outage: Outage) -> None:
    await outage.lost()
    with pytest.raises(StoreLostError):
        await outage.engine.runs.end(outage.runs[0].id, exit_code=3)
    assert await outage.found()
    await outage.escrow.keep()
    (run,) = await outage.store.runs()
    assert run.exit_code == 3
    assert not await outage.store.open_reservations()


async def test_an_answer_that_was_lost_is_no_second_entry(outage: Outage) -> None:
    """The store recorded the allow, and was lost before it said so."""
    outage.store.cut = "answer"
    done = await outage.ask(10)
    assert outage.escrow.lost and done.permit is not None and done.permit.entry < 0
    await outage.settle(done.permit, 7)
    assert await outage.found()
    (entry,) = await outage.entries("action.allowed")
    assert entry["body"]["reservation"] == done.permit.reservation
    assert len(await outage.entries("action.settled")) == 1
    assert await outage.taken(Unit.USD_MICROS) == 7


async def test_whoever_asks_while_it_comes_back_waits(outage: Outage) -> None:
    await outage.lost()
    for number in range(5):
        assert (await outage.ask(parameters={"n": number})).permit is not None
    outage.store.cut = ""
    resumed, done, write = await asyncio.gather(
        outage.escrow.resume(),
        outage.ask(parameters={"n": "late"}),
        outage.sequencer.admit(outage.proposal(0, ActionClass.READ, parameters={"n": "later"})),
    )
    assert resumed and done.permit is not None and write.permit is not None
    assert len(await outage.entries("action.allowed")) == 7


# ---------------------------------------------------------------- crashes


async def test_kill_9_meanwhile_leaves_every_entry_and_no_money_unaccounted(outage: Outage) -> None:
    await outage.lost()
    permits = [(await outage.ask(10, parameters={"n": n})).permit for n in range(4)]
    assert permits[0] is not None
    await outage.settle(permits[0], 3)
    outage.store.cut = ""
    told = await outage.restart()
    assert told is not None and told["actions"] == 4
    assert len(await outage.entries("action.allowed")) == 4
    assert len(await outage.entries("action.suspense")) == 3
    assert await outage.taken(Unit.USD_MICROS) == 3 + 30
    assert await outage.taken(Unit.CALLS) == 4
    assert {item.state for item in await outage.store.open_reservations()} == {ReservationState.SUSPENSE}
    assert await outage.restart() is None
    assert await outage.taken(Unit.USD_MICROS) == 3 + 30
    assert len(await outage.entries("store.recovered")) == 1


@pytest.mark.parametrize("cut", ["line", "answer"])
@pytest.mark.parametrize("after", range(14))
async def test_kill_9_in_the_middle_of_carrying_over(outage: Outage, cut: str, after: int) -> None:
    await outage.lost()
    permits = [(await outage.ask(10, parameters={"n": n})).permit for n in range(3)]
    for permit in permits[:2]:
        assert permit is not None
        await outage.settle(permit, 3)
    await outage.engine.brakes.freeze("acme/ml/bot", by="ann", reason="odd")
    outage.store.cut, outage.store.after = cut, after
    await outage.end()
    try:
        await outage.start()
    except StoreError:
        await outage.end()
        outage.store.cut = ""
        await outage.start()
    outage.store.cut = ""
    assert len(await outage.entries("action.allowed")) == 3
    assert len(await outage.entries("action.settled")) == 2
    assert len(await outage.entries("brake.frozen")) == 1
    assert len(await outage.entries("store.recovered")) == 1
    assert len(await outage.entries("share.returned")) == 1
    assert await outage.taken(Unit.USD_MICROS) == 3 + 3 + 10
    assert await outage.taken(Unit.CALLS) == 3


@pytest.mark.parametrize("cut", ["line", "answer"])
@pytest.mark.parametrize("after", range(10))
async def test_losing_it_again_while_it_comes_back(outage: Outage, cut: str, after: int) -> None:
    await outage.lost()
    for number in range(3):
        assert (await outage.ask(10, parameters={"n": number})).permit is not None
    outage.store.cut, outage.store.after = cut, after
    back = await outage.escrow.resume()
    more = 0
    if not back:
        try:
            more = int((await outage.ask(10, parameters={"n": "more"})).permit is not None)
        except StoreLostError as error:
            assert "no share" in error.beside
        assert await outage.found()
    outage.store.cut = ""
    assert len(await outage.entries("action.allowed")) == 3 + more
    assert len(await outage.entries("store.recovered")) == 1
    shares = sum(
        item.amounts[Unit.USD_MICROS]
        for item in await outage.store.open_reservations()
        if item.operation == SHARE_OPERATION
    )
    assert await outage.taken(Unit.USD_MICROS) == 10 * (3 + more) + shares


async def test_a_share_that_no_journal_knows_counts_as_spent(outage: Outage) -> None:
    await outage.lost()
    assert (await outage.ask(10)).permit is not None
    outage.store.cut = ""
    await outage.end()
    (outage.folder / "outage.journal").unlink()
    assert await outage.start() is None
    (share,) = await outage.store.open_reservations()
    assert share.state is ReservationState.SUSPENSE and share.operation == SHARE_OPERATION
    assert await outage.taken(Unit.USD_MICROS) == SHARE_USD


async def test_a_share_that_the_journal_knows_is_given_back_after_a_crash(outage: Outage) -> None:
    assert await outage.taken(Unit.USD_MICROS) == SHARE_USD
    assert await outage.restart() is None
    assert await outage.taken(Unit.USD_MICROS) == 0
    assert not await outage.entries("store.recovered")


async def test_an_orderly_end_leaves_nothing_held(outage: Outage) -> None:
    await outage.escrow.end()
    assert await outage.taken(Unit.USD_MICROS) == 0
    assert not outage.journal.notes


async def test_a_journal_that_fails_denies(outage: Outage) -> None:
    await outage.lost()
    os.close(outage.journal._descriptor)
    try:
        assert "journal" in await denied(outage)
        assert "journal" in await denied(outage)
    finally:
        outage.journal._descriptor = -1
    outage.store.cut = ""
    assert await outage.escrow.resume()
    assert not await outage.entries("action.allowed")
    assert await outage.taken(Unit.USD_MICROS) == 0
    assert (await outage.ask()).permit is not None


async def test_a_full_journal_denies_and_still_closes(outage: Outage) -> None:
    await outage.limit(Unit.CALLS, 10**6)
    await outage.escrow.keep()
    await outage.lost()
    permits = []
    with pytest.raises(StoreLostError) as caught:
        for number in range(10_000):
            permits.append((await outage.ask(0, parameters={"n": number, "text": "x" * 3000})).permit)
    assert "is full" in caught.value.beside and len(permits) > 20
    for permit in permits[:5]:
        assert permit is not None
        await outage.settle(permit, 0)
    await outage.engine.brakes.freeze("acme", by="ann", reason="stop")
    assert await outage.found()
    assert len(await outage.entries("action.allowed")) == len(permits)
    assert len(await outage.entries("action.settled")) == 5
    assert len(await outage.entries("brake.frozen")) == 1


async def test_reports_hold_what_shares_hold(outage: Outage) -> None:
    async def check() -> None:
        grouping = Grouping(())
        spend = Spend([grouping], Query())
        for entry in await outage.entries():
            spend.take(entry)
        told = grouping.total().tallies[Unit.USD_MICROS]
        assert told.total == await outage.taken(Unit.USD_MICROS)

    await check()
    await outage.lost()
    done = await outage.ask(10)
    assert done.permit is not None
    await outage.settle(done.permit, 4)
    assert await outage.found()
    await check()
    await outage.limit(Unit.USD_MICROS, USD_LIMIT // 2)
    await outage.escrow.keep()
    await check()
    await outage.engine.runs.end(outage.runs[0].id, exit_code=0)
    await outage.escrow.keep()
    await check()
    assert await outage.taken(Unit.USD_MICROS) == 4
