"""Clocks that jump, zones that change, nodes that disagree about the time: no window ever holds more than its limit."""

from __future__ import annotations

import asyncio
import random
import resource
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from bench.ledger_engine import Till, till
from hypothesis import given
from hypothesis import strategies as st

from comptroller.core.budget import Budget
from comptroller.core.errors import StoreError
from comptroller.core.estimate import Unit
from comptroller.core.window import Window
from comptroller.stores.memory import MemoryStore
from comptroller.stores.postgres import PostgresStore
from comptroller.stores.sqlite import SqliteStore
from comptroller.testing.postgres_server import emptied_database
from comptroller.testing.store_conformance import STORES

START = datetime(2026, 10, 24, 21, 30, tzinfo=UTC)
"""Hours before Berlin's clocks go back."""
LIMITS = {
    Window.TOTAL: 3_000,
    Window.HOUR: 150,
    Window("day@Europe/Berlin"): 400,
    Window("week@America/New_York"): 900,
    Window.MONTH: 1_500,
    Window("rolling:24h"): 350,
}
JUMPS = (
    timedelta(0),
    timedelta(minutes=7),
    timedelta(hours=1),
    timedelta(hours=-1),
    timedelta(days=1),
    timedelta(days=-1),
    timedelta(days=9),
)


@dataclass
class JumpingClock:
    """A clock that jumps."""

    at: datetime = START

    def now(self) -> datetime:
        return self.at


Spent = list[tuple[datetime, int]]


async def limited(engine: Till) -> None:
    for window, limit in LIMITS.items():
        await engine.ledger.set_budget(
            Budget(scope="acme", unit=Unit.USD_MICROS, window=window, limit=limit), by="test"
        )
    await engine.ledger.set_budget(Budget(scope="acme", unit=Unit.CALLS, window=Window.TOTAL, limit=10**6), by="test")


async def spend(engine: Till, clock: JumpingClock, run: str, number: int, jump: timedelta, amount: int) -> Spent:
    clock.at += jump
    at = clock.at
    permit = await engine.reserve("bot", run, str(number), amount)
    if permit is None:
        return []
    if number % 3:
        await engine.settle(permit, "bot", amount)
    return [(at, amount)]


def check(spent: Spent) -> None:
    """By the clock that the ledger was shown: every key of every calendar window, and any 24 hours."""
    for window, limit in LIMITS.items():
        if window.value.startswith("rolling"):
            for end, _ in spent:
                within = sum(amount for at, amount in spent if end - timedelta(hours=24) < at <= end)
                assert within <= limit, (end, within)
            continue
        sums: dict[str, int] = defaultdict(int)
        for at, amount in spent:
            sums[window.start(at)] += amount
        assert max(sums.values(), default=0) <= limit, (window, sums)


@pytest.mark.fuzz
@given(st.lists(st.tuples(st.sampled_from(JUMPS), st.integers(1, 120)), max_size=60))
def test_jumps_of_any_kind(steps: list[tuple[timedelta, int]]) -> None:
    async def play() -> Spent:
        clock = JumpingClock()
        engine = till(MemoryStore(), clock=clock)
        await limited(engine)
        run = await engine.start("bot")
        spent: Spent = []
        for number, (jump, amount) in enumerate(steps):
            spent += await spend(engine, clock, run, number, jump, amount)
        return spent

    check(asyncio.run(play()))


@pytest.mark.parametrize("name", STORES)
async def test_jumps_on_every_store(name: str, tmp_path: Path) -> None:
    clock = JumpingClock()
    store = await STORES[name](tmp_path).open()
    engine = till(store, clock=clock)
    await limited(engine)
    run = await engine.start("bot")
    seed = random.Random(20261025)
    spent: Spent = []
    for number in range(150):
        spent += await spend(engine, clock, run, number, seed.choice(JUMPS), seed.randint(1, 120))
    await store.close()
    assert 10 < len(spent) < 150
    check(spent)


async def test_the_hour_that_a_clock_shows_twice_is_two_hours(tmp_path: Path) -> None:
    clock = JumpingClock(datetime(2026, 10, 25, 0, 30, tzinfo=UTC))
    store = await SqliteStore.open(tmp_path / "store.sqlite")
    engine = till(store, clock=clock)
    for window, limit in ((Window("hour@Europe/Berlin"), 10), (Window("day@Europe/Berlin"), 25)):
        await engine.ledger.set_budget(
            Budget(scope="acme", unit=Unit.USD_MICROS, window=window, limit=limit), by="test"
        )
    await engine.ledger.set_budget(Budget(scope="acme", unit=Unit.CALLS, window=Window.TOTAL, limit=99), by="test")
    run = await engine.start("bot")
    assert await engine.reserve("bot", run, "02:30 summer time", 10)
    assert not await engine.reserve("bot", run, "the same hour", 1)
    clock.at += timedelta(hours=1)
    assert await engine.reserve("bot", run, "02:30 winter time", 10)
    assert not await engine.reserve("bot", run, "still that hour", 1)
    clock.at += timedelta(hours=1)
    assert not await engine.reserve("bot", run, "the day has 25 hours and one limit", 6)
    assert await engine.reserve("bot", run, "what is left of the day", 5)
    await store.close()


async def test_two_nodes_whose_clocks_disagree_share_every_limit() -> None:
    url = emptied_database()
    nodes = []
    for number, skew in enumerate((timedelta(hours=-1), timedelta(days=1))):
        clock = JumpingClock(START + skew)
        store = await PostgresStore.open(url, origin=f"test/{number}")
        nodes.append((clock, store, till(store, clock=clock)))
    await limited(nodes[0][2])
    runs = [await engine.start("bot") for _, _, engine in nodes]
    seed = random.Random(7)
    spent: Spent = []
    for number in range(60):
        jump, amounts = timedelta(minutes=seed.randint(0, 90)), [seed.randint(1, 120) for _ in nodes]
        asked = [
            spend(engine, clock, run, number, jump, amount)
            for (clock, _, engine), run, amount in zip(nodes, runs, amounts, strict=True)
        ]
        for found in await asyncio.gather(*asked):
            spent += found
    for _, store, _ in nodes:
        await store.close()
    assert len(spent) > 10
    check(spent)


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    """The kernel refuses to let this process write any file beyond `size` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_on_a_full_disk_nothing_is_permitted_and_nothing_forgotten(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "store.sqlite")
    engine = till(store)
    run = await engine.open_path("bot", 1_000)
    before = [await engine.reserve("bot", run, f"before {number}", 10) for number in range(20)]
    with files_no_larger_than((tmp_path / "store.sqlite-wal").stat().st_size):
        asked = [engine.reserve("bot", run, f"full {number}", 10) for number in range(40)]
        told = await asyncio.gather(*asked, return_exceptions=True)
        assert all(isinstance(error, StoreError) and error.hint for error in told), told
        for permit in before[:5]:
            assert permit is not None
            with pytest.raises(StoreError):
                await engine.settle(permit, "bot", 4)
    for permit in before[5:]:
        assert permit is not None
        await engine.settle(permit, "bot", 4)
    after = await asyncio.gather(*(engine.reserve("bot", run, f"after {number}", 10) for number in range(200)))
    assert sum(permit is not None for permit in after) == (1_000 - 5 * 10 - 15 * 4) // 10
    states = await store.budgets(datetime.now(UTC))
    assert {state.account.taken for state in states if state.budget.unit is Unit.USD_MICROS} == {1_000}
    await store.close()
