"""Stores that are really lost: a disk that is full, a database that is killed; and `kill -9` of ourselves meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from tests.engine.outage_kit import JOURNAL_BYTES, LosableStore, Outage

from comptroller.core.action import ActionClass
from comptroller.core.audit import EntryKind
from comptroller.core.errors import StoreLostError
from comptroller.core.estimate import Unit
from comptroller.core.reservation import ReservationState
from comptroller.stores.postgres import PostgresStore
from comptroller.stores.sqlite import SqliteStore
from comptroller.testing.postgres_server import PostgresServer

USD_LIMIT = 1_000_000
ORIGIN = "comptroller/outage"
KILLS_AGAIN = 2


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with PostgresServer() as started:
        yield started


async def prepared(folder: Path, store: Any) -> Outage:
    outage = Outage(folder=folder, store=cast(LosableStore, Real(store)))
    await outage.start()
    await outage.limit(Unit.USD_MICROS, USD_LIMIT)
    await outage.limit(Unit.CALLS, USD_LIMIT)
    await outage.run()
    return outage


class Real:
    """The store itself, under the name by which the kit looks behind its line."""

    cut = ""
    after = 0

    def __init__(self, real: Any) -> None:
        self.real = real

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


async def test_postgres_is_killed_and_comes_back(tmp_path: Path, server: PostgresServer) -> None:
    store = await PostgresStore.open(server.database("killed"), origin=ORIGIN)
    outage = await prepared(tmp_path, store)
    before = await outage.ask(5)
    assert before.permit is not None
    server.kill()
    try:
        first = await outage.ask(7, parameters={"n": 0})
        assert outage.escrow.lost and first.permit is not None and first.permit.entry < 0
        more = await asyncio.gather(*(outage.ask(7, parameters={"n": n}) for n in range(1, 20)))
        await outage.settle(before.permit, 2)
        await outage.settle(first.permit, 3)
        with pytest.raises(StoreLostError):
            await outage.sequencer.admit(outage.proposal(0, ActionClass.WRITE))
        await outage.engine.brakes.freeze("acme/ml", by="ann", reason="odd")
        with pytest.raises(StoreLostError):
            await outage.ask(1)
        assert not await outage.escrow.resume()
    finally:
        server.start()
    for _ in range(200):
        if await outage.escrow.resume():
            break
        await asyncio.sleep(0.05)
    assert not outage.escrow.lost
    allowed = Counter(entry["body"]["reservation"] for entry in await outage.entries("action.allowed"))
    assert set(allowed.values()) == {1} and len(allowed) == 21
    assert len(await outage.entries("action.settled")) == 2
    (recovered,) = await outage.entries("store.recovered")
    assert recovered["body"]["actions"] == 20
    assert await outage.taken(Unit.USD_MICROS) == 2 + 3 + 19 * 7
    assert [brake.scope for brake in await store.brakes()] == ["acme/ml"]
    await outage.engine.brakes.thaw("acme/ml", by="ann", reason="seen")
    for done in more:
        assert done.permit is not None
        await outage.settle(done.permit, 1)
    assert await outage.taken(Unit.USD_MICROS) == 2 + 3 + 19
    assert (await outage.sequencer.admit(outage.proposal(0, ActionClass.WRITE))).permit is not None
    await outage.end()
    await store.close()


async def test_both_are_killed_and_come_back(tmp_path: Path, server: PostgresServer) -> None:
    url = server.database("both")
    store = await PostgresStore.open(url, origin=ORIGIN)
    outage = await prepared(tmp_path, store)
    before = await outage.ask(5)
    server.kill()
    try:
        permits = [(await outage.ask(7, parameters={"n": n})).permit for n in range(4)]
        assert before.permit is not None and permits[0] is not None
        await outage.settle(permits[0], 3)
        await outage.end()
        await store.close()
    finally:
        server.start()
    again = await PostgresStore.open(url, origin=ORIGIN)
    outage.store = cast(LosableStore, Real(again))
    told = await outage.start()
    assert told is not None and told["actions"] == 4
    assert await outage.taken(Unit.USD_MICROS) == 5 + 3 + 3 * 7
    held = await again.open_reservations()
    assert [item.state for item in held] == [ReservationState.SUSPENSE] * 4
    assert len(await outage.entries("action.allowed")) == 5
    await outage.end()
    await again.close()


# ---------------------------------------------------------------- a process of its own, to be killed

CHILD = """
import asyncio, sys
from pathlib import Path
from tests.test_outage_crash import child
asyncio.run(child(sys.argv[1], Path(sys.argv[2])))
"""


def say(**told: object) -> None:
    """One line for the parent, whole or not at all."""
    os.write(1, json.dumps(told).encode() + b"\n")


async def child(what: str, folder: Path) -> None:
    """Lose the store by a full disk and go on reading and settling until killed; or come back and carry over."""
    store = await SqliteStore.open(folder / "store.sqlite")
    outage = Outage(folder=folder, store=cast(LosableStore, Real(store)))
    if what == "recover":
        say(begun=True)
        await outage.start()
        say(recovered=True)
        await asyncio.sleep(60)
    await outage.start()
    await outage.limit(Unit.USD_MICROS, USD_LIMIT)
    await outage.limit(Unit.CALLS, USD_LIMIT)
    await outage.run()
    # From now on no file may grow beyond this: what a full disk does to a store. The journal has its room already.
    wal = folder / "store.sqlite-wal"
    while wal.stat().st_size <= JOURNAL_BYTES:
        await outage.engine.recorder.record(EntryKind.BOX_REFUSED, private={"detail": "x" * 8_000})
    resource.setrlimit(resource.RLIMIT_FSIZE, (wal.stat().st_size, resource.RLIM_INFINITY))
    number = 0
    while True:
        number += 1
        done = await outage.ask(3, parameters={"n": number})
        assert done.permit is not None
        say(permit=done.permit.reservation, entry=done.permit.entry)
        if number % 2:
            await outage.settle(done.permit, 1)
            say(settled=done.permit.reservation)


def started(what: str, folder: Path) -> subprocess.Popen[bytes]:
    root = Path(__file__).parent.parent
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, what, str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
    )


def killed_after(process: subprocess.Popen[bytes], lines: int) -> list[dict[str, Any]]:
    """What the child said before and until `kill -9` reached it."""
    assert process.stdout is not None
    heard = []
    for _ in range(lines):
        line = process.stdout.readline()
        if not line:
            raise AssertionError(process.communicate()[1].decode())
        heard.append(json.loads(line))
    process.send_signal(signal.SIGKILL)
    rest, _ = process.communicate()
    with contextlib.suppress(json.JSONDecodeError):
        heard.extend(json.loads(line) for line in rest.splitlines())
    return heard


@pytest.mark.parametrize("lines", [1, 2, 3, 10, 57, 101])
async def test_kill_9_on_a_full_disk_and_while_it_is_carried_over(tmp_path: Path, lines: int) -> None:
    heard = killed_after(started("spend", tmp_path), lines)
    permits = {item["permit"] for item in heard if "permit" in item}
    settled = {item["settled"] for item in heard if "settled" in item}
    assert permits and any(item.get("entry", 0) < 0 for item in heard)
    # Killed again in the middle of carrying over, at another place each time.
    for _ in range(KILLS_AGAIN):
        killed_after(started("recover", tmp_path), 1)
    store = await SqliteStore.open(tmp_path / "store.sqlite")
    outage = Outage(folder=tmp_path, store=cast(LosableStore, Real(store)))
    await outage.start()
    allowed = Counter(entry["body"]["reservation"] for entry in await outage.entries("action.allowed"))
    closed = Counter(entry["body"]["reservation"] for entry in await outage.entries("action.settled"))
    assert permits <= set(allowed), "every permit has its entry"
    assert set(allowed.values()) == {1} and set(closed.values()) <= {1}
    assert settled <= set(closed)
    assert len(allowed) <= len(permits) + 1 and len(closed) <= len(settled) + 1
    # What has an outcome cost 1, everything else is held at its bound; no share is left.
    assert await outage.taken(Unit.USD_MICROS) == len(closed) + 3 * (len(allowed) - len(closed))
    assert await outage.taken(Unit.CALLS) == len(allowed)
    assert len(await outage.entries("store.recovered")) == 1
    await outage.end()
    await store.close()
