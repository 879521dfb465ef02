"""What the console's pages are folded from: each equals what reading the whole log anew would say."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import pytest
from bench.console_fill import AGENTS, fill
from hypothesis import given
from hypothesis import strategies as st
from tests.server.spend_kit import installation, ordinary

from comptroller.core.audit import Entry, EntryDraft, EntryKind, PrivateField, leaf_bytes
from comptroller.core.budget import Account, Budget, BudgetState
from comptroller.core.errors import StoreError
from comptroller.core.estimate import Unit
from comptroller.core.spend import Dimension, Grouping, Query, Spend, Standing
from comptroller.core.window import Window
from comptroller.ports import Changes, Wants
from comptroller.server import following as reading
from comptroller.server.findings import BURST_DENIALS, KEPT_MAX, FindingsFold
from comptroller.server.following import ENTRIES_A_SECOND_MAX, PAGE_ENTRIES, Following
from comptroller.server.log_index import LogIndex, Wanted, meant
from comptroller.server.searching import LOOKED_AT_MAX, search
from comptroller.server.spend.cube import Slice, SpendFold
from comptroller.server.spend.forecast import end_of, forecasts
from comptroller.server.spend.plots import OTHER
from comptroller.stores.memory import MemoryStore

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOSTILE = "<script>alert(1)</script>\u202e=cmd|' /C'"


def entry(index: int, kind: str, /, *, at: datetime = NOW, agent: str = "", run: str = "", **body: object) -> Entry:
    draft = EntryDraft(kind=EntryKind(kind), at=at, agent=agent, run=run, body=body)
    document = {"index": index, "kind": kind, "at": at.isoformat(), "agent": agent, "run": run, "body": body}
    return Entry(index=index, leaf=leaf_bytes(draft, index), document=document)


async def filled(entries: int = 3_000) -> MemoryStore:
    store = MemoryStore()
    await fill(store, entries=entries, pending=3, now=NOW)
    return store


async def test_following_reads_each_entry_once_and_goes_on_where_it_stopped() -> None:
    store, seen = await filled(3 * PAGE_ENTRIES + 7), []

    class Seen:
        def take(self, entry: Entry) -> None:
            seen.append(entry.index)

    following = Following(store, (Seen(),))
    progress = await following.catch_up(within_seconds=0)
    while not progress.whole:
        assert progress.percent < 100
        progress = await following.catch_up(within_seconds=60)
    more = EntryDraft(kind=EntryKind.SERVE_STOPPED, at=NOW)
    await store.commit(Wants(now=NOW), lambda _: (Changes(entries=(more,) * 3), None))
    await asyncio.gather(*(following.catch_up(within_seconds=60) for _ in range(5)))
    assert seen == list(range(3 * PAGE_ENTRIES + 10))
    await store.close()
    with pytest.raises(StoreError):
        await following.catch_up()
    await following.close()


async def test_reading_in_the_background_waits_for_pages_that_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "PAUSES_MAX", 10**9)
    following = Following(await filled(20 * PAGE_ENTRIES), ())
    with following.showing():
        await following.catch_up(within_seconds=0)
        read = -1
        while read != following.progress.read:
            read = following.progress.read
            await asyncio.sleep(0.1)
        assert read <= 2 * PAGE_ENTRIES
        assert (await following.catch_up(within_seconds=60)).whole, "whoever waits for it is waited for"
    await following.close()


async def test_no_page_waits_for_a_rest_that_is_too_long_to_be_read_in_time() -> None:
    store = await filled(3 * PAGE_ENTRIES)
    following = Following(store, (LogIndex(),))
    long = await store.size() / ENTRIES_A_SECOND_MAX
    assert (await following.catch_up(within_seconds=0.9 * long)).read == 0, "it is read in the background alone"
    assert (await following.catch_up(within_seconds=60)).whole
    await following.close()


async def test_archived_entries_are_counted_as_such() -> None:
    store = await filled(600)
    teller = EntryDraft(kind=EntryKind.AUDIT_ARCHIVED, at=NOW)
    await store.commit(Wants(now=NOW), lambda _: (Changes(entries=(teller,), archived=((0, 99), (580, 599))), None))
    progress = await Following(store, (LogIndex(),)).catch_up(within_seconds=60)
    assert progress.whole and progress.archived == 120


@pytest.mark.parametrize("cells_max", [100_000, 40])
async def test_the_cube_says_what_a_report_says(cells_max: int) -> None:
    made = await installation(MemoryStore())
    await ordinary(made)
    for number in range(6):
        await made.provide("trainer", number)
        made.turn(1)
        await made.tend("renew", number)
    fold = SpendFold(lambda _: None, cells_max=cells_max)
    assert (await Following(made.store, (fold,)).catch_up(within_seconds=60)).whole
    day = (made.clock.at - timedelta(days=4)).date()
    midnight = datetime.combine(day, datetime.min.time(), UTC)
    run = made.runs["trainer"].id
    for by in ((), (Dimension.DAY,), (Dimension.TEAM, Dimension.SERVICE), (Dimension.AGENT, Dimension.DAY)):
        for within, query in (
            (Slice(), Query()),
            (Slice(team="ml"), Query(scope="acme/ml")),
            (Slice(team="ml", agent="trainer"), Query(scope="acme/ml/trainer")),
            (Slice(since=day), Query(since=midnight)),
            (Slice(until=day, team="web"), Query(until=midnight, scope="acme/web")),
            (Slice(run=run), Query(scope=f"acme/ml/trainer/{run}")),
        ):  # fmt: skip
            if within.run and cells_max < 100_000:
                continue
            wanted = Grouping(by)
            spend = Spend((wanted,), query)
            for item in await made.store.entries(limit=100_000):
                spend.take(item.document)
            assert fold.summed(by, within) == wanted.rows(), (by, within)
            totals = {row.key: row.tallies[Unit.TOKENS].total for row in wanted.rows()}
            assert fold.totals(by, Unit.TOKENS, within) == {key: total for key, total in totals.items() if total}
    if cells_max == 40:
        assert fold.full
        assert any(row.key == (OTHER,) for row in fold.summed((Dimension.RUN,), Slice()))
        whole = sum(row.tallies[Unit.USD_MICROS].total for row in fold.summed((Dimension.RUN,), Slice()))
        assert whole == sum(row.tallies[Unit.USD_MICROS].total for row in fold.summed((), Slice()))
    fold.close()


@pytest.mark.parametrize("names_max", [100_000, 2])
async def test_the_index_finds_what_a_scan_finds(names_max: int) -> None:
    store = await filled()
    whole = list(await store.entries(limit=100_000))
    index = LogIndex(names_max)
    for item in whole:
        index.take(item)
    chosen = random.Random(7)
    values = {
        "kind": ["", "action.denied", "action.", "run.started", "brake.frozen", "box."],
        "agent": ["", *(who.agent for who in AGENTS), "nobody"],
        "run": ["", str(whole[0].document["run"]), str(whole[-1].document["run"]), "none"],
        "operation": ["", "aws:ec2:RunInstances", "stripe:POST:/v1/refunds", "none"],
    }
    for _ in range(200):
        since, until = sorted(NOW - timedelta(days=chosen.randrange(95)) for _ in range(2))
        wanted = Wanted(
            **{name: chosen.choice(options) for name, options in values.items()},
            since=chosen.choice([None, since]),
            until=chosen.choice([None, until]),
            first=chosen.choice([0, 0, 1_234]),
            end=chosen.choice([None, 2_000]),
        )
        expected = [
            item.index
            for item in reversed(whole)
            if meant(item, wanted)
            and wanted.first <= item.index < (wanted.end if wanted.end is not None else 10**9)
            and (wanted.since is None or datetime.fromisoformat(str(item.document["at"])) >= wanted.since)
            and (wanted.until is None or datetime.fromisoformat(str(item.document["at"])) < wanted.until)
        ]
        found = list(index.found(wanted))
        assert found == sorted(found, reverse=True)
        assert [place for place in found if meant(whole[place], wanted)] == expected, wanted
        if names_max > 2:
            assert found == expected


def test_a_clock_that_was_set_back_hides_nothing() -> None:
    index = LogIndex()
    times = [NOW, NOW + timedelta(hours=2), NOW - timedelta(hours=1), NOW + timedelta(hours=1)]
    for number, at in enumerate(times):
        index.take(entry(number, "serve.started", at=at))
    assert list(index.found(Wanted(since=NOW, until=NOW + timedelta(hours=2)))) == [3, 0]
    assert list(index.found(Wanted(until=NOW))) == [2]


async def test_pages_of_a_search_join_without_gap_or_double() -> None:
    store = await filled()
    index = LogIndex()
    await Following(store, (index,)).catch_up(within_seconds=60)
    for wanted, text in ((Wanted(kind="action.denied"), ""), (Wanted(), "M8G.LARGE in  us-east"), (Wanted(), "absent")):
        seen: list[int] = []
        before, reads = None, 0
        while True:
            page = await search(store, index, wanted, text=text, before=before, lines=17)
            assert len(page.lines) <= 17 and page.looked_at <= LOOKED_AT_MAX + 250
            seen += [line.index for line in page.lines]
            reads += 1
            if page.before is None:
                break
            before = page.before
        whole = [item for item in reversed(await store.entries_at(range(1_500))) if item[0].index >= 0]
        whole = [*reversed(await store.entries_at(range(1_500, 3_000))), *whole]
        expected = [
            item.index
            for item, beside in whole
            if meant(item, wanted)
            and (not text or any(" ".join(text.lower().split()) in str(each.value) for each in beside))
        ]  # fmt: skip
        assert seen == expected, (wanted, text)

    async def nothing(*_: object) -> Sequence[PrivateField]:
        return ()

    hidden = await search(store, index, Wanted(), text="m8g.large in us-east", beside=nothing)
    assert not hidden.lines, "who may not see what lies beside the leaves cannot search it either"


def test_findings_open_and_close() -> None:
    fold = FindingsFold()
    steps = [
        ("box.refused", {"look": "ssh", "destination": "203.0.113.7:22"}),
        ("box.refused", {"look": "ssh", "destination": "203.0.113.7:22"}),
        ("brake.frozen", {"scope": "acme/ml", "by": ""}),
        ("budget.threshold", {"scope": "acme", "unit": "usd_micros", "window": "month", "percent": 80}),
        ("action.suspense", {"reservation": "r1", "operation": "aws:ec2:RunInstances", "why": "cut"}),
        ("action.settled", {"price_distrusted": True, "price": "openai:gpt", "operation": "openai:chat"}),
        ("holding.overrun", {"holding": "h1", "kind": "aws:ec2:instance", "region": "us-east-1"}),
        ("holding.drift", {"kind": "aws:ec2:instance", "region": "us-east-1", "drift": "unknown"}),
        ("config.refused", {}),
        ("serve.started", {"suspended": 2, "runs_ended": 1, "version": "1"}),
    ]
    for index, (kind, body) in enumerate(steps):
        fold.take(entry(index, kind, agent="a", run="r", **body))
    names = {item.sort.name: item for item in fold.found()}
    assert {name for name, item in names.items() if item.open} == {
        *("refused", "frozen", "budget", "suspense", "price", "overrun", "drift", "refused_edit")
    }
    assert names["refused"].count == 2 and names["refused"].evidence == [0, 1]
    closing = [
        ("brake.thawed", {"scope": "acme/ml", "by": "ann"}),
        ("suspense.settled", {"reservation": "r1", "by": "ann"}),
        ("price.confirmed", {"price": "openai:gpt", "by": "ann"}),
        ("holding.closed", {"holding": "h1"}),
        ("config.loaded", {}),
        ("run.ended", {}),
    ]
    for index, (kind, body) in enumerate(closing, start=len(steps)):
        fold.take(entry(index, kind, agent="a", run="r", **body))
    assert {item.sort.name for item in fold.found() if item.open} == {"budget", "drift"}
    assert [item.open for item in fold.found()] == sorted((item.open for item in fold.found()), reverse=True)


def test_denials_are_a_finding_only_where_they_come_fast() -> None:
    slow, fast = FindingsFold(), FindingsFold()
    for number in range(BURST_DENIALS * 2):
        slow.take(entry(number, "action.denied", at=NOW + timedelta(minutes=2 * number), run="r"))
        fast.take(entry(number, "action.denied", at=NOW + timedelta(seconds=number), run="r"))
    assert not slow.found()
    (one,) = fast.found()
    assert one.count == BURST_DENIALS * 2 and one.evidence[0] == 0 and one.open


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)
DOCUMENTS = st.fixed_dictionaries(
    {
        "kind": st.sampled_from([*map(str, EntryKind), "later.kind"]) | JSON_VALUES,
        "at": st.just(NOW.isoformat()) | JSON_VALUES,
        "agent": JSON_VALUES,
        "run": JSON_VALUES,
        "body": st.dictionaries(
            st.sampled_from(
                ["scope", "by", "reservation", "price_distrusted", "price", "holding", "suspended", "look"]
            ),
            JSON_VALUES,
            max_size=5,
        )
        | JSON_VALUES,
    }
)


@given(st.lists(DOCUMENTS, max_size=12))
def test_no_entry_makes_a_fold_fail(documents: Sequence[dict[str, object]]) -> None:
    folds = (LogIndex(names_max=3), FindingsFold(kept_max=2))
    for index, document in enumerate(documents):
        for fold in folds:
            fold.take(Entry(index=index, leaf=b"", document=document))
    assert len(folds[0]) == len(documents)
    assert len(folds[1].found()) <= 2 < KEPT_MAX


def state(limit: int, settled: int, window: Window = Window.MONTH) -> BudgetState:
    budget = Budget(scope="acme", unit=Unit.USD_MICROS, window=window, limit=limit)
    return BudgetState(budget=budget, start=window.start(NOW), account=Account(settled=settled))


def test_a_forecast_is_a_straight_line() -> None:
    states = [state(1_000, 400), state(1_000, 400, Window.DAY), state(300, 400), state(10_000, 400, Window.TOTAL)]
    month, day, over, total = forecasts(states, {"acme": {Unit.USD_MICROS: 1_680}}, (), NOW, hours_measured=168)
    assert month.per_hour == 10 and month.hours == 60 and month.at_end == 400 + 10 * (7 * 24 + 12)
    assert not day.reached and day.at_end == 520
    assert over.hours == 0
    assert total.at_end is None and total.hours == 960
    (quiet,) = forecasts(states[:1], {}, (), NOW, hours_measured=168)
    assert not quiet.reached and quiet.at_end == 400


@given(st.sampled_from(["hour", "day", "week", "month", "day@Europe/Berlin", "month@America/New_York"]), st.datetimes(
    min_value=datetime(2020, 1, 1), max_value=datetime(2035, 1, 1), timezones=st.just(UTC)
))  # fmt: skip
def test_a_window_ends_where_the_next_begins(text: str, now: datetime) -> None:
    window = Window(text)
    end = end_of(window, now)
    assert end is not None and end > now
    assert window.start(end.astimezone(UTC)) != window.start(now)
    assert window.start(end.astimezone(UTC) - timedelta(seconds=1)) == window.start(now)


def test_days_are_days() -> None:
    assert Slice(since=date(2026, 11, 1)).bounds == ("2026-11-01", "9999-99-99")
    assert [standing.value for standing in Standing] == ["settled", "held", "unconfirmed"]
