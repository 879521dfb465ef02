"""Attacks on the SQLite store: killed writers, full disks, foreign, newer, older and damaged files."""

from __future__ import annotations

import asyncio
import random
import resource
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from comptroller.core import merkle
from comptroller.core.audit import PrivateField
from comptroller.core.budget import Account
from comptroller.core.errors import StoreError, StoreVersionError
from comptroller.core.estimate import Unit
from comptroller.ports import Changes, Wants
from comptroller.stores import database
from comptroller.stores import sqlite as sqlite_store
from comptroller.stores.migrations import APPLICATION_ID, MIGRATIONS
from comptroller.stores.reader import SqliteReader
from comptroller.stores.sqlite import SqliteStore
from comptroller.testing.store_conformance import (
    NOW,
    PATH,
    SCOPES,
    approval,
    budget,
    check_log,
    dispatching,
    draft,
    raises_store_error,
    reservation,
    run,
    write,
)

KILLS = [pytest.param(10, id="10"), pytest.param(100, id="100", marks=[pytest.mark.nightly, pytest.mark.timeout(900)])]
SEED = 20260906

WRITER = """
import asyncio, sys
from pathlib import Path
from comptroller.core.estimate import Unit
from comptroller.ports import Wants
from comptroller.stores.sqlite import SqliteStore
from comptroller.testing.store_conformance import NOW, SCOPES, dispatching

async def main():
    store = await SqliteStore.open(Path(sys.argv[1]))
    start = await store.size()
    async def one(number):
        while True:
            number += 8
            done = await store.commit(Wants(now=NOW, scopes=SCOPES), dispatching(number, {Unit.CALLS: 1}))
            sys.stdout.write(f"{done.indices[0]} {number} {done.result}\\n")
            sys.stdout.flush()
    await asyncio.gather(*(one(start + caller) for caller in range(8)))

asyncio.run(main())
"""


@pytest.mark.parametrize("kills", KILLS)
async def test_a_killed_writer_leaves_whole_actions_only(kills: int, tmp_path: Path) -> None:
    """kill -9 at random points: what was told is there, and no action is half."""
    path = tmp_path / "store.sqlite"
    chance = random.Random(SEED)
    store = await SqliteStore.open(path)
    await write(store, Changes(budgets=tuple(budget(scope, 10**6) for scope in SCOPES)))
    await store.close()
    told: dict[int, str] = {}
    for _ in range(kills):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
        assert writer.stdout is not None
        for _ in range(chance.randrange(1, 200)):
            index, number, _ = writer.stdout.readline().split()
            told[int(index)] = number
        writer.send_signal(signal.SIGKILL)
        for line in writer.stdout.read().splitlines(keepends=True):
            if line.endswith("\n"):
                index, number, _ = line.split()
                told[int(index)] = number
        writer.stdout.close()
        assert writer.wait() == -signal.SIGKILL

        store = await SqliteStore.open(path)
        await check_log(store)
        entries = await store.entries(limit=10**6)
        notes = [entry.document["body"]["note"] for entry in entries]  # type: ignore[index]
        assert all(notes[index] == f"allowed {number}" for index, number in told.items())
        held = {item.id for item in await store.open_reservations()}
        assert held == {f"reservation-{note.split()[1]}" for note in notes}
        assert {state.account for state in await store.budgets(NOW)} == {Account(dispatched=len(entries))}
        await store.close()
    assert len(told) >= kills


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    """The kernel refuses to let this process write any file beyond `size` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_failing_disk_tells_nobody_of_success_and_recovers(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    store = await SqliteStore.open(path)
    await write(store, Changes(budgets=(budget(limit=10**6),), entries=(draft("before"),)))
    wants = Wants(now=NOW, scopes=SCOPES)
    with files_no_larger_than((tmp_path / "store.sqlite-wal").stat().st_size):
        asks = [store.commit(wants, dispatching(n, {Unit.CALLS: 1})) for n in range(20)]
        results = await asyncio.gather(*asks, return_exceptions=True)
        assert all(isinstance(result, StoreError) and result.hint for result in results), results
        assert "disk" in str(results[0])
        error = await raises_store_error(write(store, Changes(entries=(draft("still failing"),))))
        assert str(path) in error.message
    assert await store.size() == 1
    assert not await store.open_reservations()
    done = await asyncio.gather(*(store.commit(wants, dispatching(n, {Unit.CALLS: 1})) for n in range(20)))
    assert sorted(item.indices[0] for item in done) == list(range(1, 21))
    await check_log(store)
    await store.close()
    store = await SqliteStore.open(path)
    assert (await store.budgets(NOW))[0].account == Account(dispatched=20)
    await check_log(store)
    await store.close()


async def test_a_full_disk_says_so_and_works_again_when_there_is_space(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite's own SQLITE_FULL, by a limit on the file's pages."""
    pages = [10**6]

    def limited(path: Path, steps: object = MIGRATIONS) -> sqlite3.Connection:
        connection = database.open_for_writing(path)
        connection.execute(f"PRAGMA max_page_count = {pages[0]}")
        return connection

    monkeypatch.setattr(sqlite_store, "open_for_writing", limited)
    pages[0] = 1
    store = await SqliteStore.open(tmp_path / "store.sqlite")
    big = PrivateField(name="body", salt=b"0" * 16, value="x" * 100_000)
    with pytest.raises(StoreError, match="full") as caught:
        await write(store, Changes(budgets=(budget(),), entries=(draft("big", private=(big,)),)))
    assert "free some space" in caught.value.hint
    assert await store.size() == 0 and not await store.budgets(NOW)
    pages[0] = 10**6
    assert await write(store, Changes(entries=(draft("big", private=(big,)),))) == (0,)
    await check_log(store)
    await store.close()


async def test_a_store_locked_by_another_program_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "LOCK_WAIT_SECONDS_MAX", 0.05)
    path = tmp_path / "store.sqlite"
    store = await SqliteStore.open(path)
    await write(store, Changes(entries=(draft("mine"),)))
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="locked") as caught:
            await write(store, Changes(entries=(draft("locked out"),)))
        assert "another program" in caught.value.hint
        other.execute("ROLLBACK")
    assert await write(store, Changes(entries=(draft("again"),))) == (1,)
    await store.close()


async def test_a_second_writer_is_noticed_and_never_forks_the_tree(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    first, second = await SqliteStore.open(path), await SqliteStore.open(path)
    await write(first, Changes(entries=(draft("first"),)))
    assert await write(second, Changes(entries=(draft("second"),))) == (1,)
    error = await raises_store_error(write(first, Changes(entries=(draft("stale"),))))
    assert "another program" in error.message
    assert await write(first, Changes(entries=(draft("fresh"),))) == (2,)
    await check_log(first)
    await first.close()
    await second.close()


async def test_a_newer_store_is_refused_and_left_untouched(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    await (await SqliteStore.open(path)).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    before = path.read_bytes()
    with pytest.raises(StoreVersionError, match="newer Comptroller") as caught:
        await SqliteStore.open(path)
    assert "upgrade" in caught.value.hint and caught.value.exit_code == 2
    with pytest.raises(StoreVersionError):
        SqliteReader(path)
    assert path.read_bytes() == before and not list(tmp_path.glob("*.backup"))


async def test_a_file_that_is_no_store_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    foreign = tmp_path / "foreign.sqlite"
    with closing(sqlite3.connect(foreign)) as connection:
        connection.execute("CREATE TABLE precious (a)")
        connection.commit()
    for content in (b"", b"not a database" * 1000, foreign.read_bytes()):
        path.write_bytes(content)
        with pytest.raises(StoreError) as caught:
            await SqliteStore.open(path)
        assert caught.value.hint and path.read_bytes() == content
    with pytest.raises(StoreError, match="No such file"):
        await SqliteStore.open(tmp_path / "nowhere" / "store.sqlite")


async def filled(path: Path, count: int = 200) -> None:
    store = await SqliteStore.open(path)
    await write(store, Changes(budgets=(budget(PATH, 10**6),)))
    for start in range(0, count, 50):
        await write(store, Changes(entries=tuple(draft(f"{n} {'x' * 200}") for n in range(start, start + 50))))
    await store.close()


async def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    await filled(path)
    whole = path.read_bytes()
    chance = random.Random(SEED)
    for length in (1, 100, 4096, *(chance.randrange(1, len(whole)) for _ in range(20)), len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(StoreError) as caught:
            await SqliteStore.open(path)
        assert caught.value.hint, length
        for journal in tmp_path.glob("store.sqlite-*"):
            journal.unlink()


async def test_overwritten_pages_never_pass_for_a_log(tmp_path: Path) -> None:
    """Whatever page is destroyed: opening, reading or checking the log fails, or that page held nothing of it."""
    path = tmp_path / "store.sqlite"
    await filled(path)
    whole = path.read_bytes()
    with SqliteReader(path) as reader:
        right = [(item.index, item.leaf) for item in reader.records()]
        root = reader.root(len(right))
    for page in range(len(whole) // 4096):
        path.write_bytes(whole[: page * 4096] + b"\xa5" * 4096 + whole[(page + 1) * 4096 :])
        try:
            with SqliteReader(path) as reader:
                seen = [(item.index, item.leaf) for item in reader.records()]
                seen_root = reader.root(len(right))
        except StoreError:
            continue
        edge, _ = merkle.append(merkle.Edge(), [merkle.leaf_hash(leaf) for _, leaf in seen])
        assert (seen == right and seen_root == root) or merkle.root(edge) != root


async def test_a_tree_that_does_not_fit_its_entries_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    for statement in (
        "UPDATE entries SET leaf = x'00' WHERE idx = 199",
        "DELETE FROM entries WHERE idx = 199",
        "DELETE FROM nodes WHERE level = 0 AND position = 199",
        "DELETE FROM nodes WHERE level = 7 AND position = 0",
    ):
        path.unlink(missing_ok=True)
        await filled(path)
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute(statement)
        with pytest.raises(StoreError, match="damaged"):
            await SqliteStore.open(path)


async def test_a_row_that_makes_no_sense_is_a_store_error(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    store = await SqliteStore.open(path)
    rows = Changes(reservations=(reservation(1, (), {}),), approvals=(approval(1),), runs=(run(),), entries=(draft(),))
    await write(store, rows)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        for table in ("reservations", "approvals"):
            other.execute(f"UPDATE {table} SET document = '{{}}'")
        other.execute("UPDATE runs SET state = 'flying'")
        other.execute("UPDATE entries SET leaf = x'7b'")
    for reading in (store.runs(), store.approvals(), store.open_reservations(), store.entries()):
        assert "damaged" in (await raises_store_error(reading)).message
    wants = Wants(now=NOW, run="run-1", approval="approval-1")
    await raises_store_error(store.commit(wants, lambda facts: (Changes(), facts)))
    await store.close()


async def test_files_are_private_and_settings_hold(tmp_path: Path) -> None:
    path = tmp_path / "store ?#%.sqlite"
    store = await SqliteStore.open(path)
    await write(store, Changes(entries=(draft(),)))
    for file in tmp_path.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    connection = store._connection
    assert connection is not None
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID
        assert other.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
        strict = other.execute("SELECT name FROM pragma_table_list WHERE schema = 'main' AND strict = 0").fetchall()
        assert [name for (name,) in strict if not name.startswith("sqlite_")] == []
    await store.close()
    assert sorted(file.name for file in tmp_path.iterdir()) == [path.name]


async def test_an_erased_value_is_in_no_file_any_more(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "store.sqlite")
    secret = "an-unmistakable-secret"
    field = PrivateField(name="body", salt=b"0" * 16, value=secret * 300)
    await write(store, Changes(entries=(draft("one", private=(field,)), draft("two"))))
    assert any(secret.encode() in file.read_bytes() for file in tmp_path.iterdir())
    await write(store, Changes(entries=(draft("erased"),), erase=((0, "body"),)))
    assert not any(secret.encode() in file.read_bytes() for file in tmp_path.iterdir())
    await check_log(store)
    await store.close()


async def test_one_sync_for_many_commits_and_none_for_nothing(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "store.sqlite")
    await asyncio.gather(*(write(store, Changes(entries=(draft(str(n)),))) for n in range(200)))
    assert 1 <= store.batches == store.fsyncs < 50
    before = store.fsyncs
    await store.commit(Wants(now=NOW, scopes=SCOPES), lambda facts: (Changes(), facts))
    assert store.fsyncs == before and store.batches > before
    await store.close()


async def test_a_cancelled_caller_disturbs_nobody(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "store.sqlite")
    asked = [asyncio.ensure_future(write(store, Changes(entries=(draft(str(n)),)))) for n in range(60)]
    await asyncio.sleep(0)
    for task in asked[::2]:
        task.cancel()
    results = await asyncio.gather(*asked, return_exceptions=True)
    assert all(isinstance(result, asyncio.CancelledError) for result in results[::2])
    kept = {index for result in results[1::2] for index in result}  # type: ignore[union-attr]
    assert len(kept) == 30 and kept <= set(range(await store.size()))
    await check_log(store)
    await store.close()


async def test_a_full_queue_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_store, "QUEUED_COMMITS_MAX", 4)
    store = await SqliteStore.open(tmp_path / "store.sqlite")
    results = await asyncio.gather(
        *(write(store, Changes(entries=(draft(str(n)),))) for n in range(2000)), return_exceptions=True
    )
    refused = [result for result in results if isinstance(result, StoreError)]
    assert refused and "wait to be written" in refused[0].message
    assert await store.size() == len(results) - len(refused)
    await check_log(store)
    await store.close()


async def test_reading_beside_a_writing_store_and_in_a_read_only_folder(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    path = folder / "store.sqlite"
    store = await SqliteStore.open(path)
    await write(store, Changes(entries=tuple(draft(str(n), run=f"run-{n % 2}") for n in range(5))))
    with SqliteReader(path) as reader:
        assert reader.size() == 5
        await write(store, Changes(entries=(draft("later"),)))
        assert reader.size() == 6 and reader.root(6) == await store.root(6)
        assert [entry.index for entry in reader.newest(2, run="run-1")] == [3, 5]
        assert [item.index for item in reader.records(run="run-0")] == [0, 2, 4]
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            reader._connection.execute("DELETE FROM entries")
    await store.close()
    folder.chmod(0o500)
    try:
        with SqliteReader(path) as reader:
            assert reader.size() == 6
    finally:
        folder.chmod(0o700)
