"""Answers that race: two approvers, a rejecter, a withdrawer, a revoker, an expiry, a restart and many callers at once.

Each seed is one story over a store, its order drawn by the seed. Whatever happens, the log and what was released agree.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.engine.conftest import ANN, BEN, CONFIG, Bench, TurnedClock, boundary_of

from comptroller.compose import build_engine, pack_policies
from comptroller.compose_state import SystemIds
from comptroller.core.approval import ApprovalState, GrantState, Person
from comptroller.core.budget import Budget
from comptroller.core.config import parse_config
from comptroller.core.errors import ComptrollerError
from comptroller.core.estimate import Unit
from comptroller.core.window import Window
from comptroller.ports import Store
from comptroller.stores.memory import MemoryStore
from comptroller.stores.postgres import PostgresStore
from comptroller.stores.sqlite import SqliteStore
from comptroller.testing.postgres_server import emptied_database

SEEDS = 1_000
SEEDS_POSTGRES = 50
"""Of the normal suite: each seed is some twenty commits."""
DAN = Person(name="dan", groups=frozenset({"approvers"}), via="uid:4")
PEOPLE = {name: {"groups": ["approvers"]} for name in ("ann", "ben", "dan")}
POLICIES = pack_policies("starter").replace(
    '@id("provision")', '@quorum("2")\n@delay("5s")\n@expires("60s")\n@id("provision")'
)


async def bench_over(store: Store) -> Bench:
    bot = {**CONFIG["agents"]["bot"], "questions": {"open_max": 1_000, "per_hour_max": 10_000}}  # type: ignore[index]
    config = parse_config({**CONFIG, "people": PEOPLE, "agents": {"bot": bot}}, origin="t")
    boundary, clock = boundary_of(config, POLICIES), TurnedClock()
    engine = build_engine(config, store, lambda: boundary, clock=clock, ids=SystemIds())
    run = await engine.runs.start(agent="bot", purpose=None, resume=None, per_run={})
    for unit in (Unit.CALLS, Unit.USD_MICROS):
        await engine.ledger.set_budget(Budget(scope="acme", unit=unit, window=Window.TOTAL, limit=10**12), by="ann")
    return Bench(engine=engine, store=store, clock=clock, boundary=boundary, run=run, config=config)


async def story(bench: Bench, seed: int) -> str:
    """One question and everybody at once; returns how it ended."""
    chance = random.Random(seed)
    proposal = bench.proposal(parameters={"seed": seed})
    held = await bench.engine.sequencer.admit(proposal)
    assert held.approval is not None
    name, answers = held.approval.id, bench.engine.approvals
    released: list[str] = []
    said: Counter[str] = Counter()

    async def call() -> None:
        done = await bench.engine.sequencer.admit(replace(proposal, waited=name))
        if done.permit is not None:
            released.append(done.permit.approval)

    async def expire() -> None:
        bench.clock.turn(chance.choice((1, 6, 61)))
        await answers.tend()

    def one(what: str, act: Callable[[], Awaitable[object]]) -> Callable[[], Awaitable[None]]:
        async def tried() -> None:
            for _ in range(chance.randrange(6)):
                await asyncio.sleep(0)
            try:
                await act()
                said[what] += 1
            except ComptrollerError:
                said[f"{what} refused"] += 1

        return tried

    acts = [
        one("yes", lambda: answers.approve(name, BEN)),
        one("yes", lambda: answers.approve(name, DAN)),
        one("no", lambda: answers.reject(name, ANN, comment="no")),
        one("withdraw", lambda: answers.withdraw(name, ANN)),
        one("revoke", lambda: answers.revoke(name, BEN)),
        one("expire", expire),
        *(one("call", call) for _ in range(3)),
    ]
    if chance.random() < 0.6:  # not everybody is there every time
        acts = [act for number, act in enumerate(acts) if number not in (chance.choice((2, 3)), 4)]
    chance.shuffle(acts)
    await asyncio.gather(*(act() for act in acts))
    bench.clock.turn(6)
    await asyncio.gather(*(call() for _ in range(3)))

    approval = await bench.store.approval(name)
    assert approval is not None
    mine = released.count(name)
    voters = {vote.person for vote in approval.votes}
    assert mine <= 1 and len(released) == mine, f"seed {seed}: released {released}, and nothing else was granted"
    assert (mine == 1) == (approval.grant is GrantState.USED), f"seed {seed}"
    if mine:
        assert approval.state is ApprovalState.APPROVED and voters == {"ben", "dan"}, f"seed {seed}"
        assert said["no"] == said["withdraw"] == 0 and said["revoke"] == 0, f"seed {seed}: {said}"
    outcomes = said["no"] + said["withdraw"] + (approval.state is ApprovalState.APPROVED)
    assert outcomes + (approval.state is ApprovalState.EXPIRED) <= 1, f"seed {seed}: {said} and {approval.state}"
    assert said["revoke"] <= (approval.grant is GrantState.REVOKED), f"seed {seed}"
    return f"{approval.state.value}/{approval.grant.value}"


async def check_log(bench: Bench) -> None:
    """Every release has its one yes in the log before it, and no approval has two fates."""
    approved: dict[str, int] = {}
    ended: Counter[str] = Counter()
    used: Counter[str] = Counter()
    for entry in await bench.store.entries(limit=10**6):
        kind, body = str(entry.document["kind"]), entry.document["body"]
        assert isinstance(body, dict)
        name = str(body.get("approval", ""))
        if kind == "approval.approved":
            assert name not in approved
            approved[name] = entry.index
            assert len(set(body["votes"])) == 2
        if kind in ("approval.rejected", "approval.withdrawn", "approval.approved"):
            ended[name] += 1
        if kind == "action.allowed" and name:
            used[name] += 1
            assert approved[name] < entry.index
    assert max(ended.values()) == 1 and max(used.values()) == 1


async def stories(store: Store, seeds: int) -> Counter[str]:
    """So many races, and how often each end was reached."""
    try:
        bench = await bench_over(store)
        ends: Counter[str] = Counter()
        for seed in range(seeds):
            ends[await story(bench, seed)] += 1
        await check_log(bench)
    finally:
        await store.close()
    wanted = {"approved/used", "rejected/none", "withdrawn/none", "expired/none", "approved/revoked"}
    assert wanted <= set(ends), f"not every end was reached: {ends}"
    return ends


@pytest.mark.timeout(400)
@pytest.mark.parametrize("kind", ["memory", "sqlite"])
async def test_a_thousand_races_have_one_outcome_each(kind: str, tmp_path: Path) -> None:
    store: Store = MemoryStore() if kind == "memory" else await SqliteStore.open(tmp_path / "store.sqlite")
    assert (await stories(store, SEEDS)).total() == SEEDS


async def test_races_have_one_outcome_each_on_postgresql() -> None:
    store = await PostgresStore.open(emptied_database(), origin="races")
    assert (await stories(store, SEEDS_POSTGRES)).total() == SEEDS_POSTGRES


@pytest.mark.nightly
@pytest.mark.timeout(1800)
async def test_a_thousand_races_have_one_outcome_each_on_postgresql() -> None:
    store = await PostgresStore.open(emptied_database(), origin="races")
    assert (await stories(store, SEEDS)).total() == SEEDS


async def test_an_unanswered_race_over_one_grant_releases_once_across_two_engines(tmp_path: Path) -> None:
    """Two gateways' engines on one store, both with callers: one grant, one release."""
    store = await SqliteStore.open(tmp_path / "store.sqlite")
    bench = await bench_over(store)
    other = build_engine(bench.config, store, lambda: bench.boundary, clock=bench.clock, ids=SystemIds())
    for seed in range(50):
        proposal = bench.proposal(parameters={"two": seed})
        held = await bench.engine.sequencer.admit(proposal)
        assert held.approval is not None
        name = held.approval.id
        await asyncio.gather(
            bench.engine.approvals.approve(name, BEN), other.approvals.approve(name, DAN), return_exceptions=True
        )
        bench.clock.turn(5)
        sequencers = (bench.engine.sequencer, other.sequencer) * 4
        done = await asyncio.gather(*(each.admit(proposal) for each in sequencers))
        assert sum(each.permit is not None for each in done) == 1, seed
    await store.close()
