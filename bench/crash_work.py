"""The engine that is killed: callers that reserve, let the provider do it, and settle, until the process is gone.

Runs as a child of a server that has imported everything (`multiprocessing`, forkserver), so that it lives soon.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import TypeVar

from bench.ledger_engine import Till, open_store, till
from bench.ledger_work import AsyncClient
from comptroller.core.errors import ComptrollerError

T = TypeVar("T")

HELD_USD_MICROS, COST_USD_MICROS = 100, 70
RETRY_SECONDS = 0.05
AGENT = "bot"


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """One life of one engine: gateway `origin` on a store; all of them share the organization's budget."""

    store: str
    place: str
    origin: str
    provider: str
    number: int
    callers: int = 16


def live(life: Life, ready: Connection) -> None:
    """Recover what the last life left, then work until killed."""
    asyncio.run(_live(life, ready))


async def _live(life: Life, ready: Connection) -> None:
    store = await insist(lambda: open_store(life.store, life.place, life.origin))
    engine = till(store)
    await insist(engine.settler.recover)
    run = await insist(lambda: engine.start(AGENT))
    ready.send(True)
    await asyncio.gather(*(_caller(engine, life, run, caller) for caller in range(life.callers)))


async def insist(work: Callable[[], Awaitable[T]]) -> T:
    """Again and again until it succeeds: the database may be away."""
    while True:
        try:
            return await work()
        except ComptrollerError:
            await asyncio.sleep(RETRY_SECONDS)


async def _caller(engine: Till, life: Life, run: str, caller: int) -> None:
    client = await AsyncClient.open(life.provider)
    number = 0
    while True:
        number += 1
        name = f"{life.origin}|{life.number}.{caller}.{number}"
        try:
            permit = await engine.reserve(AGENT, run, name, HELD_USD_MICROS)
            if permit is None:
                await asyncio.sleep(RETRY_SECONDS)
                continue
            await client.charge(permit, name, COST_USD_MICROS)
            await engine.settle(permit, AGENT, COST_USD_MICROS)
        except ComptrollerError:
            # The database is away: what was reserved stays held, whatever the provider did.
            await asyncio.sleep(RETRY_SECONDS)
