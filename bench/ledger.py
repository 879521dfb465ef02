"""What holding money costs: reserve + log, durable, on SQLite beside the disk and on PostgreSQL beside a transaction a
call; and what others overspend on the same work.

Reserve + log is the sequencer's whole step: facts of a path of four scopes with two budgets each, judge, reservation,
entry with its tree, one commit.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import statistics
import tempfile
import time
from pathlib import Path

from bench import ledger_peers, ledger_postgres
from bench.ledger_disk import Disk, bytes_written, folder_of_benches
from bench.ledger_engine import Till, proposal, till
from bench.report import Result, emit
from comptroller.stores.sqlite import SqliteStore

CALLERS = 128
ROUNDS = 7
ALONE_A_ROUND, TOGETHER_A_CALLER = 60, 16


def main() -> None:
    """Measure all of it and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, in less than 45 s once the peers are there")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ledger-", dir=folder_of_benches()) as name:
        folder = Path(name)
        results = asyncio.run(sqlite(folder, rounds=2 if options.quick else ROUNDS))
        results += ledger_postgres.measure(seconds=0.6 if options.quick else 3.0, rounds=1 if options.quick else 3)
        results += ledger_peers.measure(
            folder.absolute(), kills=1 if options.quick else 5, each=20 if options.quick else 100
        )
    emit(results, options.json)


async def sqlite(folder: Path, *, rounds: int) -> list[Result]:
    """One caller and 128 of them on the embedded store; the disk alone in between, both in the same minute."""
    store = await SqliteStore.open(folder / "sqlite.db")
    engine = till(store)
    run = await engine.open_path("bot")
    alone: list[float] = []
    alone_disk: list[float] = []
    together: list[float] = []
    limits: list[float] = []
    with Disk(folder / "disk") as disk:
        await _together(engine, run, "warm", 2)
        for number in range(rounds):
            gc.collect()
            gc.freeze()
            seconds, length = await _alone(engine, run, f"a{number}")
            alone.append(seconds)
            alone_disk.append(disk.median_seconds(length, ALONE_A_ROUND))
            batches, before = store.fsyncs, bytes_written()
            rate = await _together(engine, run, f"t{number}", TOGETHER_A_CALLER)
            batches, written = store.fsyncs - batches, bytes_written() - before
            together.append(rate)
            batch = CALLERS * TOGETHER_A_CALLER / batches
            limits.append(batch / disk.median_seconds(written // batches, 40))
    await store.close()
    return [
        Result(
            name="sqlite_p50_1_vs_fdatasync",
            value=statistics.median(alone) * 1e6,
            unit="us",
            peer="fdatasync of the same bytes",
            peer_value=statistics.median(alone_disk) * 1e6,
        ),
        Result(
            name="sqlite_ops_128",
            value=statistics.median(together),
            unit="1/s",
            peer="the disk's group-commit limit, nothing computed",
            peer_value=statistics.median(limits),
        ),
    ]


async def _alone(engine: Till, run: str, name: str) -> tuple[float, int]:
    """Medians: seconds of a call, and the bytes it wrote."""
    seconds, lengths = [], []
    for number in range(ALONE_A_ROUND):
        item = proposal("bot", run, f"{name}.{number}", 100)
        before = bytes_written()
        started = time.perf_counter()
        permit = (await engine.sequencer.admit(item)).permit
        seconds.append(time.perf_counter() - started)
        lengths.append(bytes_written() - before)
        assert permit is not None
    return statistics.median(seconds), int(statistics.median(lengths))


async def _together(engine: Till, run: str, name: str, each: int) -> float:
    """Calls a second with 128 callers."""
    items = [
        [proposal("bot", run, f"{name}.{caller}.{number}", 100) for number in range(each)] for caller in range(CALLERS)
    ]

    async def one(mine: list[object]) -> None:
        for item in mine:
            assert (await engine.sequencer.admit(item)).permit is not None  # type: ignore[arg-type]

    started = time.perf_counter()
    await asyncio.gather(*(one(list(mine)) for mine in items))
    return CALLERS * each / (time.perf_counter() - started)


if __name__ == "__main__":
    main()
