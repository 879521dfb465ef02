"""What the tests of suspense build their cases from."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from tests.engine.conftest import CONFIG, Bench, TurnedClock, boundary_of

from comptroller.compose import build_engine, starter_policies
from comptroller.compose_state import SystemIds
from comptroller.core.config import parse_config
from comptroller.core.estimate import Unit
from comptroller.core.reservation import Reservation, ReservationState
from comptroller.stores.memory import MemoryStore


def reservation(held: Mapping[Unit, int]) -> Reservation:
    """A reservation in suspense that holds `held`."""
    return Reservation(
        id="r",
        run="run",
        agent="bot",
        operation="aws:ec2:RunInstances",
        digest="a1:0",
        retry_token="",
        state=ReservationState.SUSPENSE,
        amounts=held,
        lines=(),
        created_at=datetime(2026, 11, 23, tzinfo=UTC),
    )


async def fresh_bench() -> Bench:
    """An engine over an empty store, with a run and room."""
    config, clock, store = parse_config(CONFIG, origin="test"), TurnedClock(), MemoryStore()
    boundary = boundary_of(config, starter_policies())
    engine = build_engine(config, store, lambda: boundary, clock=clock, ids=SystemIds())
    run = await engine.runs.start(agent="bot", purpose=None, resume=None, per_run={})
    bench = Bench(engine=engine, store=store, clock=clock, boundary=boundary, run=run, config=config)
    await bench.limit(Unit.CALLS, 1_000_000)
    await bench.limit(Unit.USD_MICROS, 10**9)
    return bench
