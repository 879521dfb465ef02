"""The PostgreSQL store under 128 callers: one gateway beside a transaction a call, two gateways beside one.

The transaction a call is `bench.ledger_per_call`.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from bench import ledger_per_call
from bench.ledger_engine import open_store
from bench.ledger_provider import READY
from bench.ledger_work import Order
from bench.report import Result
from comptroller.testing.postgres_server import PostgresServer

CALLERS = 128
CALLERS_SHARED = 64


@dataclass(frozen=True, slots=True)
class Rates:
    """Calls a second of one round."""

    one: float
    select: float
    function: float
    two_disjoint: float
    two_shared: float
    one_of_shared: float


def measure(*, seconds: float, rounds: int) -> list[Result]:
    """All four, one after another in each round, so that a slow minute of the machine meets everybody; medians."""
    with PostgresServer(settings={"shared_buffers": "256MB", "max_wal_size": "4GB"}) as server:
        place = server.database("ledger")
        asyncio.run(_migrate(place))
        ledger_per_call.prepare(place)
        found = [_round(place, seconds, number) for number in range(rounds)]
    one = statistics.median(rates.one for rates in found)
    shared_one = statistics.median(rates.one_of_shared for rates in found)
    return [
        Result(
            name="postgres_vs_per_call_128",
            value=one,
            unit="1/s",
            peer="SELECT FOR UPDATE, decide, write: a transaction a call",
            peer_value=statistics.median(rates.select for rates in found),
        ),
        Result(
            name="postgres_vs_function_128",
            value=one,
            unit="1/s",
            peer="a function in the database, which decides and records nothing of why: a transaction a call",
            peer_value=statistics.median(rates.function for rates in found),
        ),
        Result(
            name="postgres_two_gateways_disjoint",
            value=statistics.median(rates.two_disjoint for rates in found),
            unit="1/s",
            peer="one gateway",
            peer_value=one,
        ),
        Result(
            name="postgres_two_gateways_shared",
            value=statistics.median(rates.two_shared for rates in found),
            unit="1/s",
            peer="one gateway on the same budget",
            peer_value=shared_one,
        ),
    ]


def _round(place: str, seconds: float, number: int) -> Rates:
    """`two_shared` has 64 callers each and is held against one gateway with 128: the same crowd, the same budget."""
    order = Order(store="postgres", place=place, callers=CALLERS, seconds=seconds, round=str(number))
    first = replace(order, origin="bench/1", organization="one")
    second = replace(order, origin="bench/2", organization="two")
    one = gateways([first])
    select, function = (ledger_per_call.rate(kind, place, seconds, number) for kind in ledger_per_call.KINDS)
    disjoint = gateways([first, second])
    half = replace(order, organization="all", callers=CALLERS_SHARED)
    shared = gateways([replace(half, origin=f"bench/{name}", agent=f"bot-{name}") for name in (1, 2)])
    alone = gateways([replace(order, origin="bench/1", organization="all")])
    return Rates(one, select, function, disjoint, shared, alone)


def gateways(orders: Sequence[Order], prefixes: Sequence[Sequence[str]] = ()) -> float:
    """Calls a second of several gateways at once, each a process of its own (`prefixes`: commands they run under)."""
    children = [
        subprocess.Popen(
            [*(prefixes[n] if prefixes else ()), sys.executable, "-m", "bench.ledger_work", json.dumps(asdict(order))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for n, order in enumerate(orders)
    ]
    try:
        for child in children:
            assert child.stdout is not None
            if child.stdout.readline() != READY.decode():
                raise SystemExit("a gateway ended before it was ready")
        for child in children:
            assert child.stdin is not None
            child.stdin.write("go\n")
            child.stdin.flush()
        came = [json.loads(child.communicate()[0].splitlines()[-1]) for child in children]
    finally:
        for child in children:
            child.kill()
            child.wait()
    return float(sum(each["attempts"] / each["seconds"] for each in came))


async def _migrate(place: str) -> None:
    await (await open_store("postgres", place, "bench/0")).close()
