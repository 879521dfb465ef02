"""Spend, folded out of the log: equal to the ledger's own accounts, whatever happened, in bounded memory."""

from __future__ import annotations

import asyncio
import tempfile
import tracemalloc
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fuzz_kit import fuzz
from tests.server.spend_kit import AMOUNTS, BEGIN, Installation, installation, ordinary

from comptroller.core.audit import Entry
from comptroller.core.estimate import Unit
from comptroller.core.spend import Charge, Dimension, Grouping, Principal, Query, Spend, SpendRow, Standing, Tally
from comptroller.core.window import Window
from comptroller.server.spend.gather import Gathered, gather
from comptroller.server.spend.spill import spilled_charges, spilled_runs
from comptroller.stores.reader import SqliteReader
from comptroller.stores.sqlite import SqliteStore

AGENTS = ("trainer", "reader", "shop")
STEPS = st.one_of(
    st.tuples(st.just("act"), st.sampled_from(AGENTS), st.sampled_from(["", "a", "b"])),
    st.tuples(st.just("settle"), st.integers(0, 9), st.sampled_from([0.0, 0.25, 1.0, 1.5])),
    st.tuples(st.just("answer"), st.integers(0, 9), st.sampled_from([0.1, 0.9])),
    st.tuples(st.just("cut"), st.integers(0, 9), st.just(0.0)),
    st.tuples(st.just("suspend"), st.integers(0, 9), st.just(0.0)),
    st.tuples(st.just("crash"), st.just(0), st.just(0.0)),
    st.tuples(st.just("turn"), st.sampled_from([1, 7, 26, 24 * 9]), st.just(0.0)),
    st.tuples(st.just("again"), st.sampled_from(AGENTS), st.just("")),
    st.tuples(st.just("provide"), st.sampled_from(AGENTS), st.integers(0, 2)),
    st.tuples(st.sampled_from(["renew", "overrun", "stopped", "gone", "forget"]), st.integers(0, 5), st.just(0.0)),
)


async def _live(made: Installation, steps: Sequence[tuple[str, object, object]]) -> None:
    for verb, first, second in steps:
        number = int(first) % len(made.open) if isinstance(first, int) and made.open else None
        match verb, number:
            case "act", _:
                await made.act(str(first), token=str(second))
            case "settle", int():
                await made.settle(number, float(str(second)))
            case "answer", int():
                await made.settle(number, float(str(second)), keep=True)
            case "cut", int():
                await made.settle(number, 0, complete=False, keep=True)
            case "suspend", int():
                await made.suspend(number)
            case "crash", _:
                await made.engine.settler.recover()
            case "turn", _:
                made.turn(int(str(first)))
            case "again", _:
                await made.again(str(first))
            case "provide", _:
                await made.provide(str(first), int(str(second)))
            case "renew" | "overrun" | "stopped" | "gone" | "forget", _:
                await made.tend(verb, int(str(first)))


def _by(found: Sequence[SpendRow]) -> dict[tuple[str, ...], dict[Unit, Tally]]:
    return {row.key: row.tallies for row in found}


async def _check_against_the_ledger(made: Installation, path: Path) -> None:
    """Every account of every window there was, against the sums out of the log."""
    end = made.clock.now()
    with SqliteReader(path) as log:
        days = [BEGIN + timedelta(days=count) for count in range((end - BEGIN).days + 2)]
        for scope in ("", "acme", "acme/ml", "acme/web", "acme/ml/trainer", "acme/ml/reader", "acme/web/shop"):
            query = Query(scope=scope)
            weeks, months = Grouping((Dimension.WEEK,)), Grouping((Dimension.MONTH,))
            found = gather(log, (Dimension.DAY,), query, others=(weeks, months))
            sums = {
                Window.TOTAL: {("",): found.total.tallies},
                Window.DAY: _by(found.rows),
                Window.WEEK: _by(weeks.rows()),
                Window.MONTH: _by(months.rows()),
            }
            for at in days:
                for state in await made.store.budgets(at):
                    if state.budget.scope != (scope or "acme"):
                        continue
                    tallies = sums[state.budget.window].get((state.start,))
                    tally = tallies[state.budget.unit] if tallies is not None else Tally()
                    account = state.account
                    assert tally.settled == account.settled, (scope, state)
                    assert tally.held == account.dispatched + account.reserved, (scope, state)
                    assert tally.unconfirmed == account.suspense, (scope, state)


@fuzz(12)
@given(st.lists(STEPS, max_size=40))
def test_sums_equal_the_ledger_s_accounts_whatever_happened(steps: list[tuple[str, object, object]]) -> None:
    async def once() -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "store.sqlite"
            store = await SqliteStore.open(path)
            try:
                made = await installation(store)
                await _live(made, steps)
                await _check_against_the_ledger(made, path)
            finally:
                await store.close()

    asyncio.run(once())


async def test_what_goes_on_costing_belongs_to_the_action_that_made_it(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "store.sqlite")
    made = await installation(store)
    await made.provide("trainer", 1)
    for _ in range(30):
        made.turn(1)
        await made.tend("renew", 0)
    made.turn(0.5)
    await made.tend("gone", 0)
    await _check_against_the_ledger(made, tmp_path / "store.sqlite")
    (holding,) = await store.holdings(every=True)
    await store.close()
    by = (Dimension.OPERATION, Dimension.ACCOUNT, Dimension.DAY)
    with SqliteReader(tmp_path / "store.sqlite") as log:
        rows = gather(log, by, Query()).rows
        second = gather(log, (), Query(since=datetime(2026, 11, 28, tzinfo=UTC))).total
    spent = {row.key: row.tallies[Unit.USD_MICROS] for row in rows}
    assert {key[:2] for key in spent} == {("aws:ec2:StartInstances", "1")}
    assert sum(tally.settled for tally in spent.values()) == holding.settled_usd_micros >= 30.5 * 900_000
    assert sum(tally.held for tally in spent.values()) == 0
    assert [key[2] for key in spent] == ["2026-11-27", "2026-11-28", "2026-11-29"]
    assert spent["aws:ec2:StartInstances", "1", "2026-11-28"].settled == 24 * 900_000
    first = spent["aws:ec2:StartInstances", "1", "2026-11-27"].settled
    assert second.tallies[Unit.USD_MICROS].settled == holding.settled_usd_micros - first, (
        "a report of later days has its later terms"
    )


async def _gathered(tmp_path: Path, by: Sequence[Dimension], query: Query | None = None) -> Gathered:
    path = tmp_path / "store.sqlite"
    if not path.exists():
        store = await SqliteStore.open(path)
        await ordinary(await installation(store))
        await store.close()
    with SqliteReader(path) as log:
        return gather(log, by, query or Query())


async def test_every_grouping_has_the_same_total(tmp_path: Path) -> None:
    whole = await _gathered(tmp_path, ())
    assert whole.total.tallies[Unit.USD_MICROS].settled > 0
    assert whole.total.tallies[Unit.USD_MICROS].held == whole.total.tallies[Unit.USD_MICROS].unconfirmed == 900_000
    assert [row.key for row in whole.rows] == [()]
    for by in [*((each,) for each in Dimension), *permutations(("team", "day", "approver"), 3), tuple(Dimension)]:
        found = await _gathered(tmp_path, tuple(map(Dimension, by)))
        assert found.total == whole.total, by
        assert all(len(row.key) == len(by) for row in found.rows)


async def test_what_the_groups_are_called(tmp_path: Path) -> None:
    async def names(*by: Dimension) -> list[tuple[str, ...]]:
        return [row.key for row in (await _gathered(tmp_path, by)).rows]

    assert set(await names(Dimension.TEAM)) == {("ml",), ("web",)}
    assert set(await names(Dimension.AGENT, Dimension.OWNER)) == {
        ("trainer", "ann"),
        ("reader", "ben"),
        ("shop", "ben"),
    }
    assert {region for (region,) in await names(Dimension.REGION)} == {"", "us-east-1", "eu-west-1"}
    assert {account for (account,) in await names(Dimension.ACCOUNT)} == {"", "123456789012"}
    days = [day for (day,) in await names(Dimension.DAY)]
    assert days == sorted(days) and days[0] == "2026-11-27" and len(days) == 13
    assert await names(Dimension.WEEK) == [("2026-W48",), ("2026-W49",), ("2026-W50",)]
    assert await names(Dimension.MONTH) == [("2026-11",), ("2026-12",)]


async def test_the_dearest_comes_first_within_its_group(tmp_path: Path) -> None:
    found = await _gathered(tmp_path, (Dimension.TEAM, Dimension.AGENT))
    teams = {team: total.tallies[Unit.USD_MICROS].total for (team,), total in _rows(tmp_path, Dimension.TEAM)}
    seen = list(dict.fromkeys(row.key[0] for row in found.rows))
    assert seen == sorted(teams, key=lambda team: -teams[team])
    within = [row.tallies[Unit.USD_MICROS].total for row in found.rows if row.key[0] == "ml"]
    assert within == sorted(within, reverse=True)


def _rows(tmp_path: Path, *by: Dimension) -> list[tuple[tuple[str, ...], SpendRow]]:
    with SqliteReader(tmp_path / "store.sqlite") as log:
        return [(row.key, row) for row in gather(log, by, Query()).rows]


async def test_since_and_until_are_about_the_allow(tmp_path: Path) -> None:
    whole = await _gathered(tmp_path, (Dimension.DAY,))
    cut = datetime(2026, 12, 1, tzinfo=UTC)
    before = await _gathered(tmp_path, (Dimension.DAY,), Query(until=cut))
    after = await _gathered(tmp_path, (Dimension.DAY,), Query(since=cut))
    assert [row.key for row in before.rows + after.rows] == [row.key for row in whole.rows]
    money = [found.total.tallies[Unit.USD_MICROS].total for found in (before, after, whole)]
    assert money[0] + money[1] == money[2] and min(money) > 0
    assert before.last < "2026-12-01" <= after.first


async def test_a_scope_is_a_path_not_a_beginning(tmp_path: Path) -> None:
    assert (await _gathered(tmp_path, (), Query(scope="acme/m"))).total.charges == 0
    ml = (await _gathered(tmp_path, (), Query(scope="acme/ml"))).total.charges
    web = (await _gathered(tmp_path, (), Query(scope="acme/web"))).total.charges
    assert ml + web == (await _gathered(tmp_path, ())).total.charges and min(ml, web) > 0


async def test_an_empty_log(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "empty.sqlite")
    await store.close()
    with SqliteReader(tmp_path / "empty.sqlite") as log:
        found = gather(log, (Dimension.TEAM,), Query())
    assert (found.rows, found.entries, found.first, found.total.charges) == ([], 0, "", 0)


# ---------------------------------------------------------------- what no engine wrote


JSONISH = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
BODIES = st.fixed_dictionaries(
    {},
    optional={
        "reservation": st.sampled_from(["r1", "r2", ""]) | JSONISH,
        "reserved": st.dictionaries(st.sampled_from([unit.value for unit in Unit]), JSONISH, max_size=3) | JSONISH,
        "actual": st.dictionaries(st.sampled_from([unit.value for unit in Unit]), JSONISH, max_size=3) | JSONISH,
        "resent": st.booleans(),
        "approved_by": JSONISH,
        "path": JSONISH,
        "share": st.sampled_from(["r1", "s1"]) | JSONISH,
        "instead_of": st.sampled_from(["r1", "s1"]) | JSONISH,
        "amounts": st.just({"usd_micros": 5}) | JSONISH,
        "of_terms": st.dictionaries(st.sampled_from([unit.value for unit in Unit]), JSONISH, max_size=3) | JSONISH,
        "terms": st.lists(
            st.fixed_dictionaries(
                {"reservation": st.sampled_from(["r1", "r2", "t1", ""]) | JSONISH},
                optional={"actual": st.just({"usd_micros": 3}) | JSONISH, "reserved": st.just({"calls": 1}) | JSONISH},
            )
            | JSONISH,
            max_size=3,
        )
        | JSONISH,
        "service": JSONISH,
    },
)
DOCUMENTS = st.fixed_dictionaries(
    {"body": BODIES | JSONISH},
    optional={
        "kind": st.sampled_from(["action.allowed", "action.settled", "action.suspense", "run.started", "x"])
        | st.sampled_from(["holding.opened", "holding.renewed", "holding.closed", "share.taken", "share.returned"])
        | JSONISH,
        "at": st.just("2026-11-23T10:00:00Z") | JSONISH,
        "agent": JSONISH,
        "run": JSONISH,
    },
)


@fuzz(200)
@given(st.lists(DOCUMENTS, max_size=12))
def test_no_entry_makes_it_fail_and_sums_stay_those_of_the_charges(documents: list[dict[str, object]]) -> None:
    charges: dict[str, Charge] = {}
    grouping = Grouping((Dimension.AGENT, Dimension.DAY))
    spend = Spend((grouping,), Query(), charges=charges)
    for document in documents:
        spend.take(document)
    for unit in AMOUNTS:
        for standing in Standing:
            counted = sum(charge.amounts.get(unit, 0) for charge in charges.values() if charge.standing is standing)
            assert getattr(grouping.total().tallies[unit], standing.value) == counted
    assert grouping.total().charges == len(charges)


def test_an_amount_too_large_for_a_json_number_counts() -> None:
    spend = Spend((Grouping(()),), Query())
    body = {"reservation": "r", "reserved": {"usd_micros": {"$number": str(2**60)}}}
    spend.take({"kind": "action.allowed", "at": "2026-11-23T10:00:00Z", "agent": "a", "run": "r", "body": body})
    assert spend.groupings[0].total().tallies[Unit.USD_MICROS].held == 2**60


# ---------------------------------------------------------------- memory


@given(
    st.lists(st.tuples(st.text(max_size=3), st.integers(0, 10**6), st.sampled_from(list(Standing))), max_size=60),
    st.integers(2, 5),
)
def test_what_lies_in_the_temporary_file_comes_back_as_it_was(
    puts: list[tuple[str, int, Standing]], kept_max: int
) -> None:
    plain: dict[str, Charge] = {}
    with spilled_charges(kept_max) as spilled:
        for key, amount, standing in puts:
            moved, counted = {Unit.USD_MICROS: amount // 2}, amount % 2 == 0
            place = ("ml", "é\u202e", "")
            charge = Charge(place, "2026-11-23T10:00:00Z", standing, {Unit.TOKENS: amount}, moved, counted)
            plain[key] = spilled[key] = charge
            assert len(spilled._kept) <= kept_max
        assert {key: spilled.get(key) for key in plain} == plain
        assert spilled.get("not there") is None
    with spilled_runs(2) as runs:
        for number in range(9):
            runs[str(number)] = Principal(path=f"acme/ml/{number}", owner="ann")
        kept = [runs.get(str(number)) for number in range(9)]
        assert kept == [Principal(path=f"acme/ml/{number}", owner="ann") for number in range(9)]


class LongLog:
    """A log of many actions, page by page, as an engine writes them: half of them settle, long after."""

    def __init__(self, size: int) -> None:
        self._size = size

    def size(self) -> int:
        return self._size

    def entries(self, *, after: int = -1, limit: int = 1000) -> tuple[Entry, ...]:
        return tuple(self._entry(index) for index in range(after + 1, min(after + 1 + limit, self._size)))

    def _entry(self, index: int) -> Entry:
        half = self._size // 2
        allowed = index < half
        body: dict[str, object] = {"reservation": f"0190a6f0-7c1e-7abc-8def-{index % half:012d}"}
        amounts = {"usd_micros": 1000, "calls": 1, "tokens": 70}
        body |= {"service": "openai", "operation": "openai:chat", "reserved": amounts} if allowed else {}
        body |= {} if allowed else {"actual": {**amounts, "usd_micros": 600}}
        document = {
            "kind": "action.allowed" if allowed else "action.settled",
            "at": f"2026-11-{1 + index * 20 // self._size:02d}T10:00:00Z",
            "agent": "bot",
            "run": f"run-{index % 9}",
            "body": body,
        }
        return Entry(index=index, leaf=b"", document=document)


def _peak(size: int) -> int:
    tracemalloc.start()
    try:
        found = gather(LongLog(size), (Dimension.AGENT, Dimension.DAY), Query())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    dollars = found.total.tallies[Unit.USD_MICROS]
    assert (dollars.settled, dollars.held, found.total.charges) == (600 * (size // 2), 0, size // 2)
    return peak


@pytest.mark.timeout(600)
def test_memory_does_not_grow_with_the_log() -> None:
    small, large = _peak(40_000), _peak(100_000)
    assert large < 40 << 20, f"{large >> 20} MiB"
    assert large < small * 1.5, (small, large)
