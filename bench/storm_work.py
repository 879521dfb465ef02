"""The processes of the storm: `desk` owns a store and lets others ask over a socket, `client` asks as fast as it can.

On SQLite one process owns the store, as `serve` does, and eight ask it; on PostgreSQL each of the eight has an engine
and a connection of its own. `python -m bench.storm_work JSON`.
"""

from __future__ import annotations

import asyncio
import gc
import json
import random
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Protocol

from bench.ledger_engine import LIMIT_NEVER_REACHED, Till, open_store, till
from bench.ledger_provider import READY
from bench.ledger_truth import Log, read_log
from comptroller.core.budget import scopes_of
from comptroller.core.errors import ComptrollerError
from comptroller.engine.sequencer import Permit

USD_MICROS_MAX = 100
CUT_SHARE = 0.1
"""How often the answer is cut: the money stays held."""
PATIENCE_SECONDS = 120.0
"""Whoever waits longer waits for ever."""
AGENTS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one process does. `limits` are those of organization, team, agent and run, in USD micros."""

    what: str
    store: str
    place: str
    folder: str
    process: int = 0
    processes: int = 8
    callers: int = 16
    attempts: int = 1_000
    limits: tuple[int, ...] = ()
    seed: int = 0

    @property
    def agent(self) -> str:
        """Several processes share an agent and its budget, each in a run of its own."""
        return f"a{self.process % AGENTS}"

    @property
    def socket(self) -> str:
        """Where the desk listens."""
        return f"{self.folder}/desk.sock"


@dataclass(slots=True)
class Story:
    """What one client saw: its permits as [reservation, entry, held, cost or None where it was cut], waits, errors."""

    run: str = ""
    attempts: int = 0
    permits: list[tuple[str, int, int, int | None]] = field(default_factory=list)
    waits_ms: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    unanswered: int = 0
    seconds: float = 0.0


class Desk(Protocol):
    """Where a caller asks."""

    async def reserve(self, number: str, usd_micros: int) -> Permit | None:
        """A permit, or no room."""
        ...

    async def settle(self, permit: Permit, usd_micros: int) -> None:
        """It cost this."""
        ...

    async def cut(self, permit: Permit) -> None:
        """Nobody knows."""
        ...


@dataclass(slots=True)
class OwnDesk:
    """An engine in this process."""

    engine: Till
    agent: str
    run: str

    async def reserve(self, number: str, usd_micros: int) -> Permit | None:
        """As `Desk.reserve`."""
        return await self.engine.reserve(self.agent, self.run, number, usd_micros)

    async def settle(self, permit: Permit, usd_micros: int) -> None:
        """As `Desk.settle`."""
        await self.engine.settle(permit, self.agent, usd_micros)

    async def cut(self, permit: Permit) -> None:
        """As `Desk.cut`."""
        await self.engine.cut(permit)


class FarDesk:
    """The desk of another process, one connection for one caller."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, run: str) -> None:
        self._reader, self._writer, self.run = reader, writer, run

    @classmethod
    async def open(cls, part: Part) -> FarDesk:
        """Connect, and say who asks."""
        desk = cls(*await asyncio.open_unix_connection(part.socket), "")
        desk.run = (await desk._ask(f"who {part.process}"))[0]
        return desk

    async def reserve(self, number: str, usd_micros: int) -> Permit | None:
        """As `Desk.reserve`."""
        told = await self._ask(f"reserve {number} {usd_micros}")
        if told == ["no"]:
            return None
        return Permit(reservation=told[0], entry=int(told[1]), digest="", run=self.run, agent="")

    async def settle(self, permit: Permit, usd_micros: int) -> None:
        """As `Desk.settle`."""
        await self._ask(f"settle {permit.reservation} {permit.entry} {usd_micros}")

    async def cut(self, permit: Permit) -> None:
        """As `Desk.cut`."""
        await self._ask(f"cut {permit.reservation} {permit.entry}")

    async def _ask(self, line: str) -> list[str]:
        self._writer.write(f"{line}\n".encode())
        told = (await self._reader.readline()).decode().split()
        if not told or told[0] == "error":
            raise OSError(" ".join(told) or "the desk is gone")
        return told


async def limited(engine: Till, part: Part, process: int) -> OwnDesk:
    """A run of this process's agent, every scope of its path with its limit."""
    agent = f"a{process % AGENTS}"
    run = await engine.start(agent)
    for scope, limit in zip(scopes_of(f"{engine.book.path_of(agent)}/{run}"), part.limits, strict=True):
        await engine.limit(scope, limit, LIMIT_NEVER_REACHED)
    return OwnDesk(engine, agent, run)


# ---------------------------------------------------------------- a client


async def client(part: Part) -> None:
    """Ask until all attempts are made; the story goes into a file."""
    story, tasks = Story(), []
    store = None if part.store == "sqlite" else await open_store(part.store, part.place, f"bench/{part.process}")
    own = await limited(till(store), part, part.process) if store is not None else None
    desks: list[Desk] = [own or await FarDesk.open(part) for _ in range(part.callers)]
    story.run = desks[0].run  # type: ignore[attr-defined]
    gc.collect()
    gc.freeze()
    print(READY.decode(), end="", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    started = time.perf_counter()
    for caller, desk in enumerate(desks):
        seed = random.Random(part.seed * 1_000_003 + part.process * 1_009 + caller)
        each = part.attempts // part.callers + (caller < part.attempts % part.callers)
        tasks.append(_ask(desk, f"{part.process}.{caller}", each, seed, story))
    await asyncio.gather(*tasks)
    story.seconds = time.perf_counter() - started
    log = None
    if store is not None:
        log = asdict(await read_log(store))
        await store.close()
    document = {"story": asdict(story), "log": log}
    Path(part.folder, f"client-{part.process}.json").write_text(json.dumps(document), "utf-8")


async def _ask(desk: Desk, name: str, each: int, seed: random.Random, story: Story) -> None:
    for number in range(each):
        wanted = seed.randint(1, USD_MICROS_MAX)
        story.attempts += 1
        started = time.perf_counter()
        try:
            permit = await asyncio.wait_for(desk.reserve(f"{name}.{number}", wanted), PATIENCE_SECONDS)
            story.waits_ms.append((time.perf_counter() - started) * 1000)
            if permit is None:
                continue
            cost = None if seed.random() < CUT_SHARE else seed.randint(0, wanted)
            story.permits.append((permit.reservation, permit.entry, wanted, cost))
            await asyncio.wait_for(desk.cut(permit) if cost is None else desk.settle(permit, cost), PATIENCE_SECONDS)
        except TimeoutError:
            story.unanswered += 1
        except (ComptrollerError, OSError) as error:
            story.errors.append(str(error))


# ---------------------------------------------------------------- the desk


async def desk(part: Part) -> None:
    """Own the store and answer until standard input ends; then write down what the log says."""
    store = await open_store(part.store, part.place)
    engine = till(store)
    desks = [await limited(engine, part, process) for process in range(part.processes)]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        mine = desks[0]
        while line := (await reader.readline()).decode().split():
            match line:
                case ["who", process]:
                    mine = desks[int(process)]
                    told = mine.run
                case _:
                    told = await _serve(mine, line)
            writer.write(f"{told}\n".encode())
        writer.close()

    async with await asyncio.start_unix_server(serve, part.socket):
        gc.collect()
        gc.freeze()
        print(READY.decode(), end="", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
    log: Log = await read_log(store)
    await store.close()
    Path(part.folder, "desk.json").write_text(json.dumps({"log": asdict(log)}), "utf-8")


async def _serve(mine: OwnDesk, line: list[str]) -> str:
    try:
        match line:
            case ["reserve", number, amount]:
                permit = await mine.reserve(number, int(amount))
                return "no" if permit is None else f"{permit.reservation} {permit.entry}"
            case ["settle", reservation, entry, amount]:
                await mine.settle(_permit(mine, reservation, entry), int(amount))
            case ["cut", reservation, entry]:
                await mine.cut(_permit(mine, reservation, entry))
            case _:
                return "error what"
    except ComptrollerError as error:
        return f"error {error.message}"
    return "done"


def _permit(mine: OwnDesk, reservation: str, entry: str) -> Permit:
    return Permit(reservation=reservation, entry=int(entry), digest="", run=mine.run, agent=mine.agent)


if __name__ == "__main__":
    told = json.loads(sys.argv[1])
    part = Part(**{**told, "limits": tuple(told.get("limits", ()))})
    asyncio.run(desk(part) if part.what == "desk" else client(part))
