"""The store's schema and how an older file becomes today's: one transaction after a backup; a newer file is refused."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

from comptroller.core.errors import StoreError, StoreVersionError
from comptroller.stores.rows import UNUSED_SQLITE

APPLICATION_ID = 0x434D5054
"""`CMPT` in the file's header: tells our store from any other SQLite file."""

Migration = Callable[[sqlite3.Connection], None]
"""Takes the open transaction's connection from one version to the next; never commits."""

_VERSION_1 = (
    "CREATE TABLE entries (idx INTEGER PRIMARY KEY CHECK (idx >= 0), run TEXT NOT NULL, leaf BLOB NOT NULL) STRICT",
    "CREATE INDEX entries_by_run ON entries (run, idx) WHERE run <> ''",
    """CREATE TABLE nodes (level INTEGER NOT NULL, position INTEGER NOT NULL,
        hash BLOB NOT NULL CHECK (length(hash) = 32), PRIMARY KEY (level, position)) STRICT, WITHOUT ROWID""",
    """CREATE TABLE private (entry INTEGER NOT NULL, name TEXT NOT NULL, salt BLOB NOT NULL, value TEXT NOT NULL,
        PRIMARY KEY (entry, name)) STRICT, WITHOUT ROWID""",
    """CREATE TABLE runs (id TEXT NOT NULL PRIMARY KEY, agent TEXT NOT NULL, owner TEXT NOT NULL, path TEXT NOT NULL,
        purpose TEXT NOT NULL, state TEXT NOT NULL, started_at TEXT NOT NULL, ended_at TEXT,
        exit_code INTEGER) STRICT""",
    """CREATE TABLE budgets (scope TEXT NOT NULL, unit TEXT NOT NULL, window TEXT NOT NULL, amount INTEGER NOT NULL,
        PRIMARY KEY (scope, unit, window)) STRICT, WITHOUT ROWID""",
    """CREATE TABLE accounts (scope TEXT NOT NULL, unit TEXT NOT NULL, window TEXT NOT NULL, start TEXT NOT NULL,
        settled INTEGER NOT NULL CHECK (settled >= 0), dispatched INTEGER NOT NULL CHECK (dispatched >= 0),
        reserved INTEGER NOT NULL CHECK (reserved >= 0), suspense INTEGER NOT NULL CHECK (suspense >= 0),
        PRIMARY KEY (scope, unit, window, start)) STRICT, WITHOUT ROWID""",
    """CREATE TABLE reservations (id TEXT NOT NULL UNIQUE, run TEXT NOT NULL, digest TEXT NOT NULL,
        retry_token TEXT NOT NULL, state TEXT NOT NULL, created_at TEXT NOT NULL, document TEXT NOT NULL,
        seq INTEGER PRIMARY KEY) STRICT""",
    "CREATE INDEX reservations_by_call ON reservations (run, digest, retry_token)",
    "CREATE INDEX reservations_open ON reservations (state) WHERE state IN ('dispatched', 'suspense')",
    """CREATE TABLE approvals (id TEXT NOT NULL UNIQUE, run TEXT NOT NULL, digest TEXT NOT NULL, state TEXT NOT NULL,
        asked_at TEXT NOT NULL, document TEXT NOT NULL, seq INTEGER PRIMARY KEY) STRICT""",
    "CREATE INDEX approvals_by_digest ON approvals (run, digest)",
    "CREATE INDEX approvals_by_state ON approvals (state)",
    """CREATE TABLE brakes (scope TEXT NOT NULL PRIMARY KEY, state TEXT NOT NULL, reason TEXT NOT NULL,
        by TEXT NOT NULL, at TEXT NOT NULL) STRICT, WITHOUT ROWID""",
)


def _create(connection: sqlite3.Connection) -> None:
    """0 -> 1: everything."""
    for statement in _VERSION_1:
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")


def _distrusts(connection: sqlite3.Connection) -> None:
    """1 -> 2: prices that a real cost once exceeded."""
    connection.execute(
        "CREATE TABLE distrusts (key TEXT NOT NULL PRIMARY KEY, trusted INTEGER NOT NULL CHECK (trusted IN (0, 1)), "
        "reason TEXT NOT NULL, by TEXT NOT NULL, at TEXT NOT NULL) STRICT, WITHOUT ROWID"
    )


def _wall_of_runs(connection: sqlite3.Connection) -> None:
    """2 -> 3: runs that were only observed, or had no box."""
    for name in ("observed", "unboxed"):
        connection.execute(f"ALTER TABLE runs ADD COLUMN {name} INTEGER NOT NULL DEFAULT 0 CHECK ({name} IN (0, 1))")


def _holdings(connection: sqlite3.Connection) -> None:
    """3 -> 4: what agents own, budgets that ask people, and reservations that a holding's term is paid from."""
    connection.execute(
        "ALTER TABLE budgets ADD COLUMN on_exceed TEXT NOT NULL DEFAULT 'deny' "
        "CHECK (on_exceed IN ('deny', 'require_approval'))"
    )
    connection.execute(
        """CREATE TABLE holdings (id TEXT NOT NULL UNIQUE, run TEXT NOT NULL, state TEXT NOT NULL,
        document TEXT NOT NULL, seq INTEGER PRIMARY KEY) STRICT"""
    )
    connection.execute("CREATE INDEX holdings_by_run ON holdings (run)")
    connection.execute("CREATE INDEX holdings_open ON holdings (state) WHERE state NOT IN ('closed', 'forgotten')")
    connection.execute("DROP INDEX reservations_open")
    connection.execute(
        "CREATE INDEX reservations_open ON reservations (state) WHERE state IN ('reserved', 'dispatched', 'suspense')"
    )


def _archived(connection: sqlite3.Connection) -> None:
    """4 -> 5: entries whose leaf lies in an archive, and which entry says so."""
    connection.execute("ALTER TABLE entries ADD COLUMN archived INTEGER CHECK (archived > idx)")


def _documents(connection: sqlite3.Connection) -> None:
    """5 -> 6: what people made besides: accounts, tokens, standing grants."""
    connection.execute(
        """CREATE TABLE documents (id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, scope TEXT NOT NULL,
        open INTEGER NOT NULL CHECK (open IN (0, 1)), at TEXT NOT NULL, body TEXT NOT NULL,
        seq INTEGER PRIMARY KEY) STRICT"""
    )
    connection.execute("CREATE INDEX documents_by_scope ON documents (kind, open, scope)")


def _grants(connection: sqlite3.Connection) -> None:
    """6 -> 7: questions by id, and yeses that are not used yet: few of many."""
    connection.execute("DROP INDEX approvals_by_state")
    connection.execute("CREATE INDEX approvals_by_state ON approvals (state, id)")
    connection.execute("CREATE INDEX approvals_unused ON approvals (asked_at, seq) WHERE " + UNUSED_SQLITE)


MIGRATIONS: tuple[Migration, ...] = (_create, _distrusts, _wall_of_runs, _holdings, _archived, _documents, _grants)
"""Step n leads from version n to n + 1. Steps are only ever added."""


def version_of(connection: sqlite3.Connection) -> int:
    """The version a store file was written by; 0 for an empty file."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def check(connection: sqlite3.Connection, path: Path, migrations: Sequence[Migration] = MIGRATIONS) -> int:
    """The version of an existing store, having written nothing.

    Raises `StoreVersionError` for a newer one, `StoreError` for what is no store of ours.
    """
    version = version_of(connection)
    if int(connection.execute("PRAGMA application_id").fetchone()[0]) != APPLICATION_ID or version < 1:
        raise StoreError(
            f"`{path}` is not a Comptroller store, or was cut to nothing",
            hint="move it aside and restore the newest backup; starting afresh would forget budgets and log",
        )
    if version > len(migrations):
        raise StoreVersionError(
            f"`{path}` was written by a newer Comptroller (store version {version}, this one knows {len(migrations)})",
            hint="upgrade Comptroller; the file was left untouched",
        )
    return version


def migrate(connection: sqlite3.Connection, path: Path, migrations: Sequence[Migration] = MIGRATIONS) -> Path | None:
    """Bring the store up to date in one transaction, after a backup beside it, whose path is returned.

    None where there was nothing to do, or nothing to back up yet. Raises what a step raises, having changed nothing.
    """
    version = version_of(connection)
    if version == len(migrations):
        return None
    kept = back_up(connection, path, version) if version else None
    connection.execute("BEGIN IMMEDIATE")
    try:
        for step in migrations[version:]:
            step(connection)
        connection.execute(f"PRAGMA user_version = {len(migrations)}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return kept


def back_up(connection: sqlite3.Connection, path: Path, version: int) -> Path:
    """A complete, synced copy of the store named `STORE.vN.backup`; an older one of that name is replaced last."""
    target = path.with_name(f"{path.name}.v{version}.backup")
    partial = target.with_name(target.name + ".partial")
    partial.unlink(missing_ok=True)
    os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    copy = sqlite3.connect(partial, isolation_level=None)
    try:
        connection.backup(copy)
    finally:
        copy.close()
    sync(partial)
    partial.replace(target)
    sync(target.parent)
    return target


def sync(path: Path) -> None:
    """Make a file, or a folder's names, durable."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
