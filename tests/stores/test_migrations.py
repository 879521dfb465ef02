"""An older store is backed up and migrated in one transaction; a failing step leaves it as it was."""

from __future__ import annotations

import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from comptroller.core.errors import StoreError
from comptroller.ports import Changes
from comptroller.stores.migrations import MIGRATIONS
from comptroller.stores.reader import SqliteReader
from comptroller.stores.sqlite import SqliteStore
from comptroller.testing.store_conformance import NOW, budget, check_log, draft, run, write


def add_colour(connection: sqlite3.Connection) -> None:
    """A later version's step: a new column filled from an old one, and a table."""
    connection.execute("ALTER TABLE entries ADD COLUMN colour TEXT NOT NULL DEFAULT ''")
    connection.execute("UPDATE entries SET colour = 'of ' || run")
    connection.execute("CREATE TABLE shades (name TEXT PRIMARY KEY) STRICT")


def break_midway(connection: sqlite3.Connection) -> None:
    """Changes something, then fails."""
    connection.execute("DELETE FROM entries")
    connection.execute("ALTER TABLE nowhere ADD COLUMN x")


async def older(path: Path) -> None:
    """A store as today's version leaves it, which is an older one to a program that knows more steps."""
    store = await SqliteStore.open(path)
    await write(store, Changes(entries=tuple(draft(str(n)) for n in range(5)), budgets=(budget(),), runs=(run(),)))
    await store.close()


async def test_an_older_store_is_migrated_after_a_backup(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    await older(path)
    root = None
    with SqliteReader(path) as reader:
        root = reader.root(5)
    steps = (*MIGRATIONS, add_colour)
    store = await SqliteStore.open(path, migrations=steps)
    await check_log(store)
    assert await store.root(5) == root
    assert await write(store, Changes(entries=(draft("new"),))) == (5,)
    assert (await store.budgets(NOW))[0].budget == budget()
    await store.close()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone()[0] == len(steps)
        assert connection.execute("SELECT colour FROM entries WHERE idx = 0").fetchone()[0] == "of run-1"
    backup = tmp_path / f"store.sqlite.v{len(MIGRATIONS)}.backup"
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    with SqliteReader(backup) as reader:
        assert reader.size() == 5 and reader.root(5) == root
    # Opened again, there is nothing to migrate.
    backup.unlink()
    await (await SqliteStore.open(path, migrations=steps)).close()
    assert not backup.exists()


async def test_a_failing_step_leaves_the_store_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    await older(path)
    with pytest.raises(StoreError, match="nowhere"):
        await SqliteStore.open(path, migrations=(*MIGRATIONS, add_colour, break_midway))
    store = await SqliteStore.open(path)
    assert await store.size() == 5
    await check_log(store)
    await store.close()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone()[0] == len(MIGRATIONS)
        assert "colour" not in connection.execute("SELECT sql FROM sqlite_master WHERE name = 'entries'").fetchone()[0]


async def test_runs_of_version_2_had_a_box_and_were_enforced(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    await (await SqliteStore.open(path, migrations=MIGRATIONS[:2])).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        row = ("r", "a", "o", "p", "w", "active", "2026-11-23T12:00:00.000000+00:00", None, None)
        connection.execute("INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    store = await SqliteStore.open(path)
    (found,) = await store.runs()
    assert (found.id, found.observed, found.unboxed) == ("r", False, False)
    await store.close()


async def test_reading_alone_never_migrates(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    await older(path)
    before = path.read_bytes()
    with pytest.raises(StoreError, match="older Comptroller") as caught:
        SqliteReader(path, (*MIGRATIONS, add_colour))
    assert "serve" in caught.value.hint and path.read_bytes() == before


async def test_a_creation_cut_short_is_done_anew(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    (tmp_path / "store.sqlite.new").write_bytes(b"half a store")
    store = await SqliteStore.open(path)
    await write(store, Changes(entries=(draft(),)))
    await store.close()
    assert [file.name for file in tmp_path.iterdir()] == ["store.sqlite"]
