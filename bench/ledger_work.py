"""Our side of the work: one process with the real engine over a store. `python -m bench.ledger_work JSON`.

It says `ready`, waits for a line, lets its callers ask, and prints what came of it as one line of JSON.
"""

from __future__ import annotations

import asyncio
import gc
import json
import resource
import statistics
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from bench.ledger_engine import LIMIT_NEVER_REACHED, Till, open_store, proposal, till
from bench.ledger_provider import READY
from comptroller.engine.sequencer import Permit, Proposal


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What one process does. `seconds` ends it before every caller asked `each` times; `provider` is a socket or empty.

    `team`: agents of one organization share its budget; two processes with two organizations share nothing.
    """

    store: str
    place: str
    origin: str = "bench/1"
    organization: str = "acme"
    agent: str = "bot"
    callers: int = 64
    each: int = 10_000
    seconds: float = 600.0
    usd_micros: int = 100
    limit: int = LIMIT_NEVER_REACHED
    round: str = "0"
    provider: str = ""
    settle: bool = False
    recover: bool = False


@dataclass(slots=True)
class Came:
    """What came of it. `cpu_share` is the process's own, of one core; waits are in milliseconds."""

    attempts: int = 0
    allowed: int = 0
    seconds: float = 0.0
    cpu_share: float = 0.0
    waits_ms: list[float] = field(default_factory=list)

    def document(self) -> dict[str, float]:
        """With the median in the place of all waits."""
        told = asdict(self)
        told["wait_ms_p50"] = statistics.median(told.pop("waits_ms") or [0.0])
        return told


class AsyncClient:
    """One connection to the provider, for one caller."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def open(cls, place: str) -> AsyncClient:
        """Connect."""
        return cls(*await asyncio.open_unix_connection(place))

    async def charge(self, permit: Permit, number: str, usd_micros: int) -> None:
        """As `ledger_provider.Client.charge`, naming the permit."""
        self._writer.write(f"{number} {usd_micros} {permit.reservation} {permit.entry}\n".encode())
        if await self._reader.readline() != READY:
            raise OSError("the provider is gone")


async def ask(engine: Till, order: Order, run: str, caller: int, end: float, came: Came) -> None:
    """One caller: reserve, let the provider do it, settle; again until the time is over."""
    client = await AsyncClient.open(order.provider) if order.provider else None
    for step, item in enumerate(proposals(order, run, caller)):
        started = time.perf_counter()
        if started > end:
            return
        permit = (await engine.sequencer.admit(item)).permit
        came.waits_ms.append((time.perf_counter() - started) * 1000)
        came.attempts += 1
        if permit is None:
            continue
        came.allowed += 1
        if client is not None:
            await client.charge(permit, f"{order.round}.{caller}.{step}", order.usd_micros)
        if order.settle:
            await engine.settle(permit, order.agent, order.usd_micros)


PREPARED: dict[tuple[int, int], Proposal] = {}
CALLS_A_SECOND_MAX = 5_000
"""More than any process makes: proposals for so many seconds are made before."""
PREPARED_MAX = 20_000


def prepare(order: Order, run: str) -> None:
    """Decoding and pricing are not what is measured: as many proposals as are likely to be needed are made before."""
    each = _each(order)
    for caller in range(order.callers):
        for step in range(each):
            PREPARED[caller, step] = proposal(order.agent, run, f"{order.round}.{caller}.{step}", order.usd_micros)


def proposals(order: Order, run: str, caller: int) -> list[Proposal]:
    """What this caller asks."""
    return [PREPARED[caller, step] for step in range(_each(order))]


def _each(order: Order) -> int:
    wanted = min(PREPARED_MAX, int(order.seconds * CALLS_A_SECOND_MAX))
    return min(order.each, wanted // order.callers)


async def work(order: Order) -> Came:
    """Open, wait for the signal, ask, close."""
    store = await open_store(order.store, order.place, order.origin)
    engine = till(store, order.organization)
    if order.recover:
        await engine.settler.recover()
    await engine.limit(order.organization, order.limit)
    run = await engine.open_path(order.agent, order.limit)
    prepare(order, run)
    came = Came()
    # As `serve` does once it is up.
    gc.collect()
    gc.freeze()
    print(READY.decode(), end="", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    cpu, started = _cpu(), time.perf_counter()
    await asyncio.gather(
        *(ask(engine, order, run, caller, started + order.seconds, came) for caller in range(order.callers))
    )
    came.seconds = time.perf_counter() - started
    came.cpu_share = (_cpu() - cpu) / came.seconds
    await store.close()
    return came


def order_of(document: Mapping[str, object]) -> Order:
    """The order in a parsed document."""
    return Order(**document)  # type: ignore[arg-type]


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    print(json.dumps(asyncio.run(work(order_of(json.loads(sys.argv[1])))).document()), flush=True)
