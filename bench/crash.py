"""`kill -9` of the engine, of PostgreSQL and of both, again and again, against a provider whose own log is the truth.

`--store sqlite`: one engine on one file. `--store postgres`: two gateways on one database; each time one gateway, both,
the server, or all three are killed. 16 callers a gateway reserve, let the provider do it, and settle at what it took.
Afterwards: what the provider did (`unrecorded`: without a durable entry and hold of that very permit), what it did
above the budget (`overspent`), and what the ledger holds beyond the truth (`over_held`).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import time
from dataclasses import dataclass, field, replace
from multiprocessing.process import BaseProcess
from pathlib import Path

from bench.crash_work import AGENT, COST_USD_MICROS, HELD_USD_MICROS, Life, insist, live
from bench.ledger_disk import folder_of_benches
from bench.ledger_engine import KINDS, open_store, till
from bench.ledger_provider import Charge, provider, read_log
from bench.ledger_truth import Log, money
from bench.ledger_truth import read_log as read_entries
from bench.report import Result, emit
from comptroller.testing.postgres_server import PostgresServer

KILLS, KILLS_QUICK = 200, 10
SEED = 20261123
LIFE_SECONDS_MAX = 0.25
"""Of an engine that is ready, until it is killed."""
READY_SECONDS_MAX = 60.0
HELD_A_KILL = 60
"""The budget has room for so many holds for each kill: it is reached before the end."""
VICTIMS = (("one",), ("one",), ("both",), ("server",), ("server", "one"), ("server", "both"))
"""Whom a round kills on PostgreSQL; chosen by the seed."""


@dataclass(slots=True)
class Crashes:
    """What is left to compare."""

    kills: int
    limit: int
    taken: int = 0
    charges: list[Charge] = field(default_factory=list)
    logs: dict[str, Log] = field(default_factory=dict)

    @property
    def spent(self) -> int:
        """What the provider took, in USD micros."""
        return sum(charge.usd_micros for charge in self.charges)

    @property
    def overspent(self) -> int:
        """USD micros above the limit, of the provider or of the ledger."""
        return max(0, self.spent - self.limit, self.taken - self.limit)

    @property
    def unrecorded(self) -> int:
        """Charges without the entry and the hold of their permit, and one more where the ledger counts too little."""
        missing = 0
        for charge in self.charges:
            log = self.logs[charge.number.partition("|")[0]]
            missing += log.allowed.get(charge.reservation) != (charge.entry, HELD_USD_MICROS)
        return missing + (self.taken < self.spent)

    @property
    def over_held(self) -> int:
        """USD micros held beyond the truth."""
        return self.taken - self.spent


def main() -> None:
    """Kill, compare and print `kills overspent unrecorded over_held`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", choices=KINDS, default="sqlite")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true", help=f"{KILLS_QUICK} kills instead of {KILLS}")
    options = parser.parse_args()
    print(f"seed {SEED}", file=sys.stderr)
    found = crash(options.store, KILLS_QUICK if options.quick else KILLS)
    emit(
        [
            Result(name="kills", value=found.kills, unit="count"),
            Result(name="overspent", value=found.overspent, unit="usd_micros"),
            Result(name="unrecorded", value=found.unrecorded, unit="count"),
            Result(
                name="over_held",
                value=found.over_held,
                unit="usd_micros",
                peer="what the provider took",
                peer_value=found.spent,
            ),
            Result(name="charges", value=len(found.charges), unit="count"),
            Result(name="limit", value=found.limit, unit="usd_micros"),
        ],
        options.json,
    )


def crash(kind: str, kills: int, *, seed: int = SEED) -> Crashes:
    """Kill at random points, each time so many processes as the seed says, and compare."""
    with tempfile.TemporaryDirectory(prefix="crash-", dir=folder_of_benches()) as name, contextlib.ExitStack() as stack:
        folder = Path(name).absolute()
        server = stack.enter_context(PostgresServer()) if kind == "postgres" else None
        socket, log = stack.enter_context(provider(folder))
        first = Life(
            store=kind,
            place=server.database("crash") if server is not None else str(folder / "store.db"),
            origin="bench/0",
            provider=socket,
            number=0,
        )
        origins = ("bench/0", "bench/1") if server is not None else ("bench/0",)
        found = Crashes(kills=0, limit=kills * HELD_A_KILL * HELD_USD_MICROS)
        asyncio.run(_limit(first, found.limit))
        rounds = _Rounds([replace(first, origin=origin) for origin in origins], server, random.Random(seed))
        stack.callback(rounds.end)
        while found.kills < kills:
            found.kills += rounds.go()
        rounds.end()
        found.charges = read_log(log)
        asyncio.run(_read(found, [replace(first, origin=origin) for origin in origins]))
        return found


class _Rounds:
    """Keeps the gateways alive between kills."""

    def __init__(self, lives: list[Life], server: PostgresServer | None, seed: random.Random) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["bench.crash_work"])
        self._lives = lives
        self._server = server
        self._seed = seed
        self._running: dict[int, BaseProcess] = {}
        self._number = 0

    def go(self) -> int:
        """Start whoever is dead, let them work a while, kill; how many were killed."""
        for place, life in enumerate(self._lives):
            if place not in self._running:
                self._running[place] = self._start(life)
        time.sleep(self._seed.uniform(0.0, LIFE_SECONDS_MAX))
        if self._server is None:
            return self._kill(0)
        victims = self._seed.choice(VICTIMS)
        killed = 0
        if "server" in victims:
            self._server.kill()
            killed += 1
        if "both" in victims:
            killed += self._kill(0) + self._kill(1)
        elif "one" in victims:
            killed += self._kill(self._seed.randrange(2))
        if "server" in victims:
            time.sleep(self._seed.uniform(0.0, LIFE_SECONDS_MAX))
            self._server.start()
        return killed

    def end(self) -> None:
        """Kill whoever still runs."""
        for place in tuple(self._running):
            self._kill(place)

    def _start(self, life: Life) -> BaseProcess:
        self._number += 1
        here, there = self._context.Pipe(duplex=False)
        process = self._context.Process(target=live, args=(replace(life, number=self._number), there), daemon=True)
        process.start()
        there.close()
        if not here.poll(READY_SECONDS_MAX):
            raise SystemExit("an engine did not come up")
        here.recv()
        return process

    def _kill(self, place: int) -> int:
        process = self._running.pop(place)
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        return 1


async def _limit(life: Life, usd_micros: int) -> None:
    """The organization's budget, and a wider one of its team and agent: nested, the tightest outside."""
    store = await open_store(life.store, life.place, life.origin)
    engine = till(store)
    path = engine.book.path_of(AGENT)
    for scope, limit in ((path.split("/")[0], usd_micros), (path, usd_micros)):
        await engine.limit(scope, limit)
    await store.close()


async def _read(found: Crashes, lives: list[Life]) -> None:
    """A last life of each that only recovers, and tells what its log and the accounts say."""
    for life in lives:
        store = await insist(lambda life=life: open_store(life.store, life.place, life.origin))  # type: ignore[misc]
        await till(store).settler.recover()
        found.logs[life.origin] = await read_entries(store)
        states = await money(store)
        await store.close()
        takens = {state.account.taken for state in states}
        if len(takens) != 1:
            raise SystemExit(f"the accounts of one path differ: {takens}")
        if left := [state for state in states if state.account.dispatched and life is lives[-1]]:
            raise SystemExit(f"recovery left something dispatched: {left}")
        found.taken = takens.pop()


if __name__ == "__main__":
    assert COST_USD_MICROS < HELD_USD_MICROS
    main()
