"""What every store must do, as checks anyone can run: `for check in CHECKS: await check(opener)`.

An `Opener` gives a store over one place: for a durable store, opening again after `close` finds what was committed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from comptroller.core import merkle
from comptroller.core.approval import Approval, ApprovalState, GrantState, Vote
from comptroller.core.audit import EntryDraft, EntryKind, PrivateField, leaf_bytes
from comptroller.core.brake import Brake, BrakeState, Run, RunState
from comptroller.core.budget import Account, Budget, BudgetState, scopes_of, shortages
from comptroller.core.distrust import Distrust
from comptroller.core.document import Document, DocumentKind
from comptroller.core.errors import StoreError
from comptroller.core.estimate import Unit
from comptroller.core.holding import Holding, HoldingState
from comptroller.core.reservation import (
    AccountDelta,
    Reservation,
    ReservationState,
    dispatch_deltas,
    lines_for,
    reserve_deltas,
    settle_deltas,
    suspend_deltas,
)
from comptroller.core.verdict import Obligation
from comptroller.core.window import Window
from comptroller.ports import ENTRIES_AT_MAX, Changes, Facts, Store, Wants
from comptroller.stores.memory import MemoryStore
from comptroller.stores.postgres import PostgresStore
from comptroller.stores.sqlite import SqliteStore
from comptroller.testing.postgres_server import emptied_database

NOW = datetime(2026, 9, 6, 12, 30, 15, 250_000, tzinfo=UTC)
PATH = "acme/ml/research/run-1"
SCOPES = scopes_of(PATH)
ORIGIN = "comptroller/conformance"
STORM_COMMITS = 500
STORM_BUDGET = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Opener:
    """How to open a store over one place; `durable` where closing and opening again keeps everything."""

    open: Callable[[], Coroutine[Any, Any, Store]]
    durable: bool


def memory_opener(_: Path) -> Opener:
    """A fresh store in memory each time."""

    async def opened() -> Store:
        return MemoryStore()

    return Opener(open=opened, durable=False)


def sqlite_opener(folder: Path) -> Opener:
    """One SQLite file in `folder`."""

    async def opened() -> Store:
        return await SqliteStore.open(folder / "store.sqlite")

    return Opener(open=opened, durable=True)


def postgres_opener(_: Path) -> Opener:
    """A database emptied for this opener, on the server that this process shares: one opener at a time."""
    url = emptied_database()

    async def opened() -> Store:
        return await PostgresStore.open(url, origin=ORIGIN)

    return Opener(open=opened, durable=True)


STORES: Mapping[str, Callable[[Path], Opener]] = {
    "memory": memory_opener,
    "sqlite": sqlite_opener,
    "postgres": postgres_opener,
}
"""Every store there is, by the name of its module."""

Check = Callable[[Opener], Awaitable[None]]

# ---------------------------------------------------------------- material


def draft(note: str = "", *, run: str = "run-1", private: Sequence[PrivateField] = ()) -> EntryDraft:
    """A small entry."""
    return EntryDraft(
        kind=EntryKind.ACTION_ALLOWED, at=NOW, agent="research", run=run, body={"note": note}, private=tuple(private)
    )


def budget(scope: str = "acme", limit: int = 7, unit: Unit = Unit.CALLS, window: Window = Window.TOTAL) -> Budget:
    """A small budget."""
    return Budget(scope=scope, unit=unit, window=window, limit=limit)


def reservation(number: int, states: Sequence[BudgetState], wanted: Mapping[Unit, int]) -> Reservation:
    """A dispatched reservation over every row of `states` that `wanted` touches."""
    return Reservation(
        id=f"reservation-{number}",
        run="run-1",
        agent="research",
        operation="aws:ec2:RunInstances",
        digest="a1:00",
        retry_token=f"ClientToken={number}",
        state=ReservationState.DISPATCHED,
        amounts=dict(wanted),
        lines=lines_for(tuple(states), wanted),
        created_at=NOW + timedelta(microseconds=number),
    )


def approval(number: int, *, digest: str = "a1:00", asked_at: datetime = NOW) -> Approval:
    """A pending question with every kind of value in it."""
    return Approval(
        id=f"approval-{number}",
        run="run-1",
        agent="research",
        owner="owner",
        digest=digest,
        slice_hash="00",
        operation="aws:ec2:RunInstances",
        obligations=(
            Obligation(rule="provision", approvers="finance", quorum=2, exclude=frozenset({"agent", "owner"})),
        ),
        sentence="start 1 x m8g.large \u2028 \x00 \u00fc",
        facts={"usd_micros": 175_000_000, "region": "us-east-1", "nested": [1, None, True, {"grant": "unused"}]},
        asked_at=asked_at,
        expires_at=asked_at + timedelta(hours=1),
    )


def paper(name: str, *, scope: str = "acme/ml") -> Document:
    """A document that is open."""
    body = {"v": 1, "text": "ünï\x00code", "list": [1, None, {"deep": True}]}
    return Document(id=name, kind=DocumentKind.STANDING, scope=scope, open=True, at=NOW, body=body)


def holding(number: int = 1, *, run: str = "run-1") -> Holding:
    """A machine that lives."""
    return Holding(
        id=f"holding-{number}",
        kind="aws:ec2:instance",
        resource=f"i-{number} \u2028",
        account="123456789012",
        region="us-east-1",
        endpoint="ec2.us-east-1.amazonaws.com",
        agent="research",
        run=run,
        path=f"acme/ml/research/{run}",
        owner="owner",
        operation="aws:ec2:RunInstances",
        reservation=f"reservation-{number}",
        rate_usd_micros_per_hour=None if number % 2 else 400_000,
        opened_at=NOW,
        paid_until=NOW + timedelta(hours=1),
        term_seconds=3600,
        state=HoldingState.LIVE,
        state_at=NOW,
        tagged=number % 2 == 0,
    )


def run(number: int = 1, *, state: RunState = RunState.ACTIVE) -> Run:
    """A run."""
    return Run(
        id=f"run-{number}",
        agent="research",
        owner="owner",
        path=f"acme/ml/research/run-{number}",
        purpose="find out",
        state=state,
        started_at=NOW + timedelta(seconds=number),
        observed=number % 2 == 0,
        unboxed=number % 3 == 0,
    )


async def write(store: Store, changes: Changes) -> tuple[int, ...]:
    """Commit `changes` whatever the facts are; the indices of its entries."""
    return (await store.commit(Wants(now=NOW), lambda _: (changes, None))).indices


async def facts_of(store: Store, wants: Wants) -> Facts:
    """The facts a decision would see; writes nothing."""
    return (await store.commit(wants, lambda facts: (Changes(), facts))).result


def dispatching(number: int, wanted: Mapping[Unit, int]) -> Callable[[Facts], tuple[Changes, bool]]:
    """A decision that dispatches where every budget has room, and denies otherwise; an entry either way."""

    def decide(facts: Facts) -> tuple[Changes, bool]:
        if shortages(facts.budgets, wanted):
            return Changes(entries=(draft(f"denied {number}"),)), False
        item = reservation(number, facts.budgets, wanted)
        entry = draft(f"allowed {number}")
        return Changes(entries=(entry,), reservations=(item,), accounts=dispatch_deltas(item)), True

    return decide


async def check_log(store: Store) -> None:
    """Entries are gap-free and every root and proof follows from the leaves alone."""
    size = await store.size()
    entries = await store.entries(limit=size + 1)
    assert [entry.index for entry in entries] == list(range(size)), "entries have a gap"
    assert all(entry.document["index"] == entry.index for entry in entries)
    edge, nodes = merkle.append(merkle.Edge(), [merkle.leaf_hash(entry.leaf) for entry in entries])
    by_place = {(node.level, node.position): node.hash for node in nodes}
    assert await store.root(size) == merkle.root(edge), "the root does not follow from the leaves"
    for old in {0, size // 3, size // 2, size}:
        old_root = merkle.root_at(old, lambda level, position: by_place[level, position])
        assert await store.root(old) == old_root
        merkle.verify_consistency(
            old=old, old_root=old_root, new=size, new_root=merkle.root(edge), proof=await store.consistency(old, size)
        )
    for index in {0, size // 3, size - 1} if size else ():
        merkle.verify_inclusion(
            leaf=merkle.leaf_hash(entries[index].leaf),
            index=index,
            size=size,
            proof=await store.inclusion(index, size),
            root=merkle.root(edge),
        )


async def raises_store_error(awaitable: Awaitable[object]) -> StoreError:
    """The `StoreError` that awaiting raises."""
    try:
        await awaitable
    except StoreError as error:
        return error
    raise AssertionError("no StoreError was raised")


# ---------------------------------------------------------------- the checks


async def an_empty_store_has_nothing(opener: Opener) -> None:
    """Size 0, the empty root, no rows."""
    store = await opener.open()
    assert await store.size() == 0
    assert await store.root(0) == merkle.EMPTY_ROOT
    assert not await store.entries() and not await store.runs() and not await store.approvals()
    assert not await store.budgets(NOW) and not await store.brakes() and not await store.open_reservations()
    assert await store.approval("nobody") is None
    assert not await store.private(0)
    everything = Wants(
        now=NOW, scopes=SCOPES, run="r", digest_of=("r", "d"), call=("r", "d", "t"), approval="a", reservation="r"
    )
    assert await facts_of(store, everything) == Facts()
    await store.close()


async def entries_are_leaves(opener: Opener) -> None:
    """An entry's bytes are `leaf_bytes` of its draft at its index; several per commit keep their order."""
    store = await opener.open()
    drafts = [draft(f"note {n} \u00fc\u2028\x00", run=f"run-{n % 2}") for n in range(9)]
    assert await write(store, Changes(entries=tuple(drafts[:4]))) == (0, 1, 2, 3)
    assert await write(store, Changes()) == ()
    assert await write(store, Changes(entries=tuple(drafts[4:]))) == (4, 5, 6, 7, 8)
    found = await store.entries()
    assert [entry.leaf for entry in found] == [leaf_bytes(item, index) for index, item in enumerate(drafts)]
    assert [entry.index for entry in await store.entries(after=3, limit=2)] == [4, 5]
    assert [entry.index for entry in await store.entries(after=1, run="run-1")] == [3, 5, 7]
    assert not await store.entries(after=8) and not await store.entries(limit=0)
    await check_log(store)
    await raises_store_error(store.root(10))
    await raises_store_error(store.inclusion(9, 9))
    await raises_store_error(store.consistency(9, 8))
    await store.close()


async def private_values_lie_beside_and_can_be_erased(opener: Opener) -> None:
    """A value comes back as it was committed to; erased, it is gone, and the log still verifies."""
    store = await opener.open()
    values = (
        PrivateField(name="purpose", salt=b"0" * 16, value="find \u00fc out"),
        PrivateField(name="body", salt=b"1" * 16, value={"b": [1, None, "x"], "a": {"$number": str(2**70)}}),
    )
    await write(store, Changes(entries=(draft("first", private=values), draft("second", private=values[:1]))))
    leaf = (await store.entries())[0].document
    found = {item.name: item for item in await store.private(0)}
    assert leaf["private"] == {name: item.commitment for name, item in found.items()}
    assert found["purpose"] == values[0] and found["body"].salt == values[1].salt
    root = await store.root(2)
    gone = EntryDraft(kind=EntryKind.FIELD_ERASED, at=NOW, body={"entry": 0, "field": "body"})
    await write(store, Changes(entries=(gone,), erase=((0, "body"), (0, "never"), (99, "never"))))
    assert [item.name for item in await store.private(0)] == ["purpose"]
    assert [item.name for item in await store.private(1)] == ["purpose"]
    assert await store.root(2) == root
    await check_log(store)
    await store.close()


async def archived_entries_leave_their_hashes(opener: Opener) -> None:
    """A removed leaf is gone with what lay beside it; root and proofs stay, and what comes later is untouched."""
    store = await opener.open()
    secret = PrivateField(name="purpose", salt=b"\x01" * 16, value="why")
    for _ in range(3):
        await write(store, Changes(entries=(draft("a", private=(secret,)), draft("b", private=(secret,)))))
    root, proof = await store.root(6), await store.inclusion(1, 6)
    await raises_store_error(write(store, Changes(archived=((0, 1),))))
    for wrong in ((5, 6), (3, 2), (-1, 0)):
        await raises_store_error(write(store, Changes(entries=(draft("gone"),), archived=(wrong,))))
    assert await store.size() == 6
    await write(store, Changes(entries=(draft("gone"),), archived=((0, 1), (3, 3))))
    assert [entry.index for entry in await store.entries()] == [2, 4, 5, 6]
    assert [entry.index for entry in await store.entries(after=-1, limit=1)] == [2]
    assert not await store.private(1) and len(await store.private(2)) == 1
    assert await store.root(6) == root and await store.inclusion(1, 6) == proof
    assert await store.size() == 7
    merkle.verify_consistency(
        old=6, old_root=root, new=7, new_root=await store.root(7), proof=await store.consistency(6, 7)
    )
    if opener.durable:
        await store.close()
        store = await opener.open()
    assert [entry.index for entry in await store.entries()] == [2, 4, 5, 6]
    assert (await write(store, Changes(entries=(draft("more"),)))) == (7,)
    await store.close()


async def entries_are_read_by_index(opener: Opener) -> None:
    """Each once, in order, with what lies beside; what is not there, erased or archived is left out."""
    store = await opener.open()
    beside = (
        PrivateField(name="purpose", salt=b"0" * 16, value="find \u00fc"),
        PrivateField(name="body", salt=b"1" * 16, value={"n": {"$number": str(2**70)}}),
    )
    await write(store, Changes(entries=tuple(draft(f"{n}", private=beside[: n % 3]) for n in range(7))))
    gone = EntryDraft(kind=EntryKind.FIELD_ERASED, at=NOW, body={"entry": 2, "field": "body"})
    await write(store, Changes(entries=(gone,), erase=((2, "body"),), archived=((4, 4),)))
    found = await store.entries_at([5, 2, 2, 0, 4, -1, 99, 2**80])
    whole = {entry.index: entry for entry in await store.entries()}
    assert [(entry, list(private)) for entry, private in found] == [
        (whole[index], list(await store.private(index))) for index in (0, 2, 5)
    ]
    assert [[item.name for item in private] for _, private in found] == [[], ["purpose"], ["body", "purpose"]]
    assert not await store.entries_at([])
    await raises_store_error(store.entries_at(range(ENTRIES_AT_MAX + 1)))
    await store.close()


async def facts_hold_what_was_wanted_and_no_more(opener: Opener) -> None:
    """Each member of `Wants` brings its rows; what was not asked for is empty."""
    store = await opener.open()
    await write(
        store,
        Changes(
            runs=(run(1), run(2)),
            budgets=(budget("acme"), budget("acme/other"), budget(PATH, 5)),
            brakes=(
                Brake(scope="acme", state=BrakeState.FROZEN, reason="why", by="owner", at=NOW),
                Brake(scope="acme/ml", state=BrakeState.FREE, reason="", by="owner", at=NOW),
                Brake(scope="acme/other", state=BrakeState.KILLED, reason="", by="owner", at=NOW),
            ),
            reservations=(reservation(1, (), {}), reservation(2, (), {})),
            approvals=(
                approval(1, asked_at=NOW - timedelta(hours=1)),
                approval(2),
                approval(3),
                approval(4, digest="a1:01"),
            ),
        ),
    )
    facts = await facts_of(store, Wants(now=NOW, scopes=SCOPES))
    assert [state.budget for state in facts.budgets] == [budget("acme"), budget(PATH, 5)]
    assert [brake.scope for brake in facts.brakes] == ["acme"]
    assert facts == Facts(budgets=facts.budgets, brakes=facts.brakes)
    assert await facts_of(store, Wants(now=NOW, run="run-2")) == Facts(run=run(2))
    assert await facts_of(store, Wants(now=NOW, approval="approval-4")) == Facts(approval=approval(4, digest="a1:01"))
    asked = await facts_of(store, Wants(now=NOW, digest_of=("run-1", "a1:00")))
    assert asked == Facts(approvals=(approval(3), approval(2), approval(1, asked_at=NOW - timedelta(hours=1))))
    called = await facts_of(store, Wants(now=NOW, call=("run-1", "a1:00", "ClientToken=2")))
    assert called == Facts(calls=(reservation(2, (), {}),))
    found = await facts_of(store, Wants(now=NOW, reservation="reservation-1"))
    assert found == Facts(reservation=reservation(1, (), {}))
    for other in (("run-2", "a1:00"), ("run-1", "a1:0")):
        assert await facts_of(store, Wants(now=NOW, digest_of=other)) == Facts()
    await store.close()


WINDOWS = (Window.TOTAL, Window.DAY, Window.MONTH, Window("month@Asia/Tokyo"), Window.WEEK, Window("rolling:48h"))


async def budgets_count_by_window(opener: Opener) -> None:
    """A budget without an account is empty; day and month windows start afresh; removing keeps what was spent."""
    store = await opener.open()
    rows = tuple(budget("acme", 10, Unit.USD_MICROS, window) for window in WINDOWS)
    await write(store, Changes(budgets=rows))
    for state in await store.budgets(NOW):
        assert state.account == Account() and state.start == state.budget.window.start(NOW) and state.room == 10
    facts = await facts_of(store, Wants(now=NOW, scopes=("acme",)))
    item = reservation(1, facts.budgets, {Unit.USD_MICROS: 4})
    assert len(item.lines) == len(WINDOWS)
    await write(store, Changes(reservations=(item,), accounts=dispatch_deltas(item)))
    assert {state.account.dispatched for state in await store.budgets(NOW)} == {4}

    async def taken(now: datetime) -> dict[Window, int]:
        seen = (await facts_of(store, Wants(now=now, scopes=("acme",)))).budgets
        assert list(seen) == list(await store.budgets(now))
        return {state.budget.window: state.account.taken for state in seen}

    next_day = {Window.DAY: 0, Window.WEEK: 0}
    assert await taken(NOW + timedelta(days=1)) == {**dict.fromkeys(WINDOWS, 4), **next_day}
    assert await taken(NOW - timedelta(days=1)) == {**dict.fromkeys(WINDOWS, 4), Window.DAY: 0}
    assert await taken(NOW + timedelta(days=40)) == {**dict.fromkeys(WINDOWS, 0), Window.TOTAL: 4}
    # What was dispatched yesterday is settled in yesterday's window.
    await write(store, Changes(accounts=settle_deltas(item, {Unit.USD_MICROS: 3})))
    assert await taken(NOW + timedelta(days=1)) == {**dict.fromkeys(WINDOWS, 3), **next_day}
    assert await taken(NOW) == dict.fromkeys(WINDOWS, 3)
    await write(store, Changes(budgets=(replace(rows[0], limit=2),), budgets_removed=(rows[1],)))
    left = {state.budget.window: state for state in await store.budgets(NOW)}
    assert set(left) == set(WINDOWS) - {Window.DAY} and left[Window.TOTAL].room == -1
    await write(store, Changes(budgets=(rows[1],)))
    assert (await taken(NOW))[Window.DAY] == 3
    await store.close()


async def holdings_are_kept(opener: Opener) -> None:
    """A holding is found by its id, among those of its run while it is there, and for ever where all are asked for."""
    store = await opener.open()
    first, second = holding(1), holding(2, run="run-2")
    await write(store, Changes(holdings=(first, second)))
    assert list(await store.holdings()) == [first, second]
    found = await facts_of(store, Wants(now=NOW, holding=first.id, holdings_of="run-1"))
    assert found == Facts(holding=first, holdings=(first,))
    closed = replace(first, state=HoldingState.CLOSED, why="terminated", settled_usd_micros=12)
    both = await store.commit(
        Wants(now=NOW, holding=first.id, holdings_of="run-1"), lambda _: (Changes(holdings=(closed,)), None)
    )
    assert both.indices == ()
    assert await facts_of(store, Wants(now=NOW, holding=first.id, holdings_of="run-1")) == Facts(holding=closed)
    assert list(await store.holdings()) == [second] and list(await store.holdings(every=True)) == [closed, second]
    assert await facts_of(store, Wants(now=NOW, holding="none", holdings_of="none")) == Facts()
    if opener.durable:
        await store.close()
        store = await opener.open()
        assert list(await store.holdings(every=True)) == [closed, second]
        assert await facts_of(store, Wants(now=NOW, holdings_of="run-2")) == Facts(holdings=(second,))
    await store.close()


async def documents_are_kept(opener: Opener) -> None:
    """A document is found by its id, and while it is open among those of its kind and scope, oldest first."""
    store = await opener.open()
    first, second, other = paper("one"), paper("two"), paper("three", scope="acme/ops")
    token = replace(paper("four"), kind=DocumentKind.TOKEN)
    wants = Wants(now=NOW, document="one", documents=((DocumentKind.STANDING, "acme/ml"),))
    assert await facts_of(store, wants) == Facts()
    await write(store, Changes(documents=(second,)))
    await write(store, Changes(documents=(first, other, token)))
    assert await facts_of(store, wants) == Facts(document=first, documents=(second, first))
    moved, over = replace(second, scope="acme/ops", body={"v": 2}), replace(first, open=False)
    await write(store, Changes(documents=(moved, over)))
    assert await facts_of(store, wants) == Facts(document=over)

    async def check() -> None:
        assert list(await store.documents(DocumentKind.STANDING)) == [moved, other]
        assert list(await store.documents(DocumentKind.STANDING, every=True)) == [moved, over, other]
        assert list(await store.documents(DocumentKind.STANDING, scope="acme/ml", every=True)) == [over]
        assert await store.document("one") == over and await store.document("none") is None
        assert await facts_of(store, Wants(now=NOW, documents=((DocumentKind.TOKEN, "acme/ml"),))) == Facts(
            documents=(token,)
        )

    await check()
    if opener.durable:
        await store.close()
        store = await opener.open()
        await check()
    await store.close()


async def a_term_is_reserved_and_given_back(opener: Opener) -> None:
    """What pays for a holding is `reserved`: it takes room, and leaves as what was used and what is released."""
    store = await opener.open()
    await write(store, Changes(budgets=(budget("acme", 10, Unit.USD_MICROS),)))
    states = await store.budgets(NOW)
    term = replace(reservation(1, states, {Unit.USD_MICROS: 7}), state=ReservationState.RESERVED)
    await write(store, Changes(reservations=(term,), accounts=reserve_deltas(term)))
    (state,) = await store.budgets(NOW)
    assert state.account == Account(reserved=7) and list(await store.open_reservations()) == [term]
    used = settle_deltas(term, {Unit.USD_MICROS: 3})
    done = replace(term, state=ReservationState.SETTLED, actual={Unit.USD_MICROS: 3})
    await write(store, Changes(reservations=(done,), accounts=used))
    (state,) = await store.budgets(NOW)
    assert state.account == Account(settled=3) and not await store.open_reservations()
    await raises_store_error(write(store, Changes(accounts=used)))
    await store.close()


async def accounts_never_go_negative(opener: Opener) -> None:
    """A delta that would make a column negative, or uncountable, fails its commit; the truth may exceed a limit."""
    store = await opener.open()
    await write(store, Changes(budgets=(budget(limit=7),)))
    delta = AccountDelta(scope="acme", unit=Unit.CALLS, window="total", start="", dispatched=3)
    await write(store, Changes(accounts=(delta,)))
    for bad in (
        replace(delta, dispatched=-4),
        replace(delta, dispatched=0, settled=-1),
        replace(delta, dispatched=2**63),
        replace(delta, dispatched=0, suspense=2**63 - 2),
        replace(delta, scope="never", dispatched=-1),
    ):
        await raises_store_error(write(store, Changes(entries=(draft("bad"),), accounts=(bad,))))
    assert await store.size() == 0
    # Deltas of one commit add up before they are judged.
    await write(store, Changes(accounts=(replace(delta, dispatched=-5), replace(delta, dispatched=3, settled=100))))
    (state,) = await store.budgets(NOW)
    assert state.account == Account(settled=100, dispatched=1) and state.room == 7 - 101
    await store.close()


async def rows_replace_their_like(opener: Opener) -> None:
    """Runs, brakes, reservations and approvals come back as last written, newest first where that is promised."""
    store = await opener.open()
    item = reservation(1, (BudgetState(budget=budget(), start="", account=Account()),), {Unit.CALLS: 1})
    await write(
        store,
        Changes(
            runs=(run(1), run(2)), reservations=(item, reservation(2, (), {})), approvals=(approval(1), approval(2))
        ),
    )
    ended = replace(run(1), state=RunState.ENDED, ended_at=NOW + timedelta(hours=1), exit_code=-9)
    suspended = replace(item, state=ReservationState.SUSPENSE)
    vote = Vote(person="owner", groups=frozenset({"finance"}), at=NOW, self_approved=True, comment="go on")
    answered = replace(
        approval(1),
        state=ApprovalState.APPROVED,
        votes=(vote,),
        answered_at=NOW,
        answered_by="owner",
        ceiling_usd_micros=5,
        grant=GrantState.UNUSED,
        grant_expires_at=NOW + timedelta(minutes=30),
    )
    brake = Brake(scope="acme", state=BrakeState.FROZEN, reason="why", by="owner", at=NOW)
    await write(store, Changes(runs=(ended,), reservations=(suspended,), approvals=(answered,), brakes=(brake,)))
    assert list(await store.runs()) == [run(2), ended]
    assert list(await store.open_reservations()) == [suspended, reservation(2, (), {})]
    assert list(await store.approvals()) == [approval(2), answered]
    assert list(await store.approvals(ApprovalState.APPROVED)) == [answered]
    assert list(await store.unused_grants()) == [answered]
    page = store.approvals_page
    assert list(await page(limit=1)) == [approval(2)] and list(await page(limit=9)) == [approval(2), answered]
    assert list(await page(after="approval-2", limit=9)) == [answered] and not await page(after="approval-1", limit=9)
    assert list(await page(ApprovalState.PENDING, limit=9)) == [approval(2)] and not await page(limit=0)
    assert not await page(ApprovalState.PENDING, after="approval-2", limit=9)
    assert list(await store.answered(limit=9)) == [answered] and list(await store.answered(limit=0)) == []
    assert [await store.approvals_count(state) for state in (ApprovalState.PENDING, ApprovalState.EXPIRED)] == [1, 0]
    assert await store.approval("approval-1") == answered
    assert list(await store.brakes()) == [brake]
    settled = replace(suspended, state=ReservationState.SETTLED, actual={Unit.USD_MICROS: 2**80})
    await write(store, Changes(reservations=(settled,), brakes=(replace(brake, state=BrakeState.FREE),)))
    assert not await store.brakes()
    price = Distrust(key="x:y/z", trusted=False, reason="it cost more", by="comptroller", at=NOW)
    await write(store, Changes(distrusts=(price, replace(price, key="a"))))
    await write(store, Changes(distrusts=(replace(price, key="a", trusted=True, by="owner"),)))
    assert list(await store.distrusts()) == [replace(price, key="a", trusted=True, by="owner"), price]
    assert [found.id for found in await store.open_reservations()] == ["reservation-2"]
    assert (await facts_of(store, Wants(now=NOW, reservation=item.id))).reservation == settled
    await store.close()


async def a_failing_decision_harms_no_other(opener: Opener) -> None:
    """What `decide` raises reaches its caller alone and leaves no trace, also among many at once."""
    store = await opener.open()
    await write(store, Changes(budgets=(budget(limit=1000),)))

    class Oops(Exception):
        """Raised by a decision."""

    def failing(facts: Facts) -> tuple[Changes, bool]:
        raise Oops

    def stopping(facts: Facts) -> tuple[Changes, bool]:
        raise StopIteration

    def unwritable(facts: Facts) -> tuple[Changes, bool]:
        bad = replace(draft(), body={"lone": "\ud800"})
        return Changes(entries=(draft("half"), bad), reservations=(reservation(-1, (), {}),)), True

    def misshapen(facts: Facts) -> tuple[Changes, bool]:
        return Changes(entries=(draft("half"),), runs=(replace(run(9), purpose="\ud800"),)), True

    def nothing(facts: Facts) -> tuple[Changes, bool]:
        return None  # type: ignore[return-value]

    bad = (failing, stopping, unwritable, misshapen, nothing)
    asks = [bad[n % 10 // 2] if n % 2 else dispatching(n, {Unit.CALLS: 1}) for n in range(100)]
    wants = Wants(now=NOW, scopes=SCOPES)
    done = await asyncio.gather(*(store.commit(wants, ask) for ask in asks), return_exceptions=True)
    for number, result in enumerate(done):
        if number % 2 == 0:
            assert not isinstance(result, BaseException), result
        else:
            assert isinstance(result, Oops | RuntimeError | StoreError | TypeError), result
    assert await store.size() == 50
    assert len(await store.open_reservations()) == 50
    assert not await store.runs()
    assert (await store.budgets(NOW))[0].account == Account(dispatched=50)
    await check_log(store)
    await store.close()


async def decisions_are_serialised(opener: Opener) -> None:
    """500 at once against a budget for 7: exactly 7 pass, each saw what the one before wrote, and the log is whole."""
    store = await opener.open()
    await write(
        store, Changes(budgets=(*(budget(scope, STORM_COMMITS) for scope in SCOPES[:3]), budget(PATH, STORM_BUDGET)))
    )
    seen: list[int] = []

    def counting(number: int) -> Callable[[Facts], tuple[Changes, bool]]:
        inner = dispatching(number, {Unit.CALLS: 1})

        def decide(facts: Facts) -> tuple[Changes, bool]:
            seen.append(facts.budgets[0].account.dispatched)
            return inner(facts)

        return decide

    wants = Wants(now=NOW, scopes=SCOPES)
    done = await asyncio.gather(*(store.commit(wants, counting(n)) for n in range(STORM_COMMITS)))
    assert sum(item.result for item in done) == STORM_BUDGET
    assert sorted(index for item in done for index in item.indices) == list(range(STORM_COMMITS))
    assert seen == [min(n, STORM_BUDGET) for n in range(STORM_COMMITS)]
    held = await store.open_reservations()
    assert len(held) == STORM_BUDGET
    for state in await store.budgets(NOW):
        assert state.account == Account(dispatched=STORM_BUDGET)
    by_index = {entry.index: entry for entry in await store.entries()}
    for item in done:
        body = by_index[item.indices[0]].document["body"]
        assert isinstance(body, Mapping) and str(body["note"]).startswith("allowed" if item.result else "denied")
    await check_log(store)
    await store.close()


async def the_life_of_a_reservation(opener: Opener) -> None:
    """Dispatched, put in suspense, settled above its estimate: every column follows, in every scope."""
    store = await opener.open()
    await write(store, Changes(budgets=tuple(budget(scope, 100, Unit.USD_MICROS) for scope in SCOPES)))
    wants = Wants(now=NOW, scopes=SCOPES, reservation="reservation-1")
    await store.commit(wants, dispatching(1, {Unit.USD_MICROS: 40}))

    async def accounts() -> set[Account]:
        return {state.account for state in await store.budgets(NOW)}

    def suspend(facts: Facts) -> tuple[Changes, None]:
        assert facts.reservation is not None
        new = replace(facts.reservation, state=ReservationState.SUSPENSE)
        return Changes(reservations=(new,), accounts=suspend_deltas(facts.reservation)), None

    def settle(facts: Facts) -> tuple[Changes, None]:
        assert facts.reservation is not None
        actual = {Unit.USD_MICROS: 130}
        new = replace(facts.reservation, state=ReservationState.SETTLED, actual=actual)
        return Changes(reservations=(new,), accounts=settle_deltas(facts.reservation, actual)), None

    assert await accounts() == {Account(dispatched=40)}
    await store.commit(wants, suspend)
    assert await accounts() == {Account(suspense=40)}
    await store.commit(wants, settle)
    assert await accounts() == {Account(settled=130)}
    assert not await store.open_reservations()
    await store.close()


async def closing_finishes_what_was_asked(opener: Opener) -> None:
    """Commits asked before `close` are carried out; afterwards nothing is; closing twice is no error."""
    store = await opener.open()
    asked = [asyncio.ensure_future(write(store, Changes(entries=(draft(str(n)),)))) for n in range(50)]
    await asyncio.sleep(0)
    await store.close()
    assert sorted(index for found in await asyncio.gather(*asked) for index in found) == list(range(50))
    await store.close()
    await raises_store_error(write(store, Changes(entries=(draft("late"),))))
    await raises_store_error(store.size())
    if opener.durable:
        store = await opener.open()
        assert await store.size() == 50
        await store.close()


async def reopening_keeps_everything(opener: Opener) -> None:
    """A durable store opened again gives the same rows, entries, roots, and goes on where it was."""
    store = await opener.open()
    price = Distrust(key="x:y/z", trusted=False, reason="it cost more", by="comptroller", at=NOW)
    rows_of_all = Changes(budgets=(budget(limit=100),), runs=(run(1),), approvals=(approval(1),), distrusts=(price,))
    await write(store, rows_of_all)
    secret = PrivateField(name="purpose", salt=b"0" * 16, value="find out")
    await write(store, Changes(entries=(draft("one", private=(secret,)), draft("two"), draft("three"))))
    await store.commit(Wants(now=NOW, scopes=SCOPES), dispatching(1, {Unit.CALLS: 1}))

    async def whole(store: Store) -> list[object]:
        rows = [await store.runs(), await store.approvals(), await store.budgets(NOW), await store.open_reservations()]
        rows.append(await store.distrusts())
        log = [await store.entries(), await store.private(0), await store.root(await store.size())]
        return [*map(tuple, rows), tuple(log[0]), tuple(log[1]), log[2]]

    before = await whole(store)
    if opener.durable:
        await store.close()
        store = await opener.open()
    assert await whole(store) == before
    assert await write(store, Changes(entries=(draft("five"),))) == (4,)
    await check_log(store)
    await store.close()


CHECKS: tuple[Check, ...] = (
    an_empty_store_has_nothing,
    entries_are_leaves,
    private_values_lie_beside_and_can_be_erased,
    archived_entries_leave_their_hashes,
    entries_are_read_by_index,
    facts_hold_what_was_wanted_and_no_more,
    budgets_count_by_window,
    holdings_are_kept,
    documents_are_kept,
    a_term_is_reserved_and_given_back,
    accounts_never_go_negative,
    rows_replace_their_like,
    a_failing_decision_harms_no_other,
    decisions_are_serialised,
    the_life_of_a_reservation,
    closing_finishes_what_was_asked,
    reopening_keeps_everything,
)
"""Every check, to be run each on a place of its own."""
