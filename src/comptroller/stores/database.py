"""Opens the SQLite file the one way it is ever opened, and says in words what SQLite's errors mean."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote

from comptroller.core.errors import MissingError, StoreError, StoreLostError
from comptroller.stores import migrations
from comptroller.stores.migrations import MIGRATIONS, Migration

SQLITE_VERSION_MIN = (3, 38)
LOCK_WAIT_SECONDS_MAX = 5.0
STATEMENTS_CACHED_MAX = 256
ROWS_A_STATEMENT_MAX = 32

_HINTS = {
    sqlite3.SQLITE_FULL: "the disk is full: free some space, then repeat",
    sqlite3.SQLITE_IOERR: "the disk could not be read or written: see `dmesg`, check space and quota, then repeat",
    sqlite3.SQLITE_BUSY: "another program holds the store: end it, then repeat",
    sqlite3.SQLITE_LOCKED: "another program holds the store: end it, then repeat",
    sqlite3.SQLITE_READONLY: "the store may not be written: check the owner and mode of its folder",
    sqlite3.SQLITE_CANTOPEN: "the store cannot be opened: check the owner and mode of its folder",
    sqlite3.SQLITE_CORRUPT: "the file is damaged: keep it, and restore the newest backup beside it",
    sqlite3.SQLITE_NOTADB: "the file is damaged or not a store: keep it, and restore the newest backup beside it",
}


def explained(error: Exception, path: Path) -> StoreError:
    """A `StoreError` that says what to do about an SQLite or file error; `StoreLostError` where it is the store's."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    text = getattr(error, "strerror", None) or str(error)
    kind = StoreLostError if code in _HINTS or isinstance(error, OSError) else StoreError
    return kind(f"the store `{path}` failed: {text}", hint=_HINTS.get(code, "nothing was recorded or released"))


@contextmanager
def explaining(path: Path) -> Iterator[None]:
    """Turn SQLite's and the file system's errors into `StoreError`."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise explained(error, path) from error


def open_for_writing(path: Path, steps: Sequence[Migration] = MIGRATIONS) -> sqlite3.Connection:
    """The writer's connection to an existing store, or to a new one made complete before it gets its name.

    Raises `StoreError`, `StoreVersionError`, `MissingError`.
    """
    _check_library()
    with explaining(path):
        if not path.exists():
            _create(path, steps)
        with opened_for_reading(path) as reader:
            migrations.check(reader, path, steps)
            _check_length(reader, path)
        connection = _connect(path, "rw")
        try:
            migrations.check(connection, path, steps)
            migrations.migrate(connection, path, steps)
            _configure(connection)
        except BaseException:
            connection.close()
            raise
        return connection


def open_for_reading(path: Path) -> sqlite3.Connection:
    """A connection that cannot write. Works while `serve` writes, and on a copy in a read-only folder."""
    _check_library()
    if not path.exists():
        raise StoreError(f"there is no store `{path}`", hint="`comptroller serve` or `comptroller run` makes one")
    with explaining(path):
        try:
            connection = _connect(path, "ro")
            try:
                connection.execute("PRAGMA schema_version").fetchone()
            except BaseException:
                connection.close()
                raise
        except sqlite3.OperationalError:
            wal = path.with_name(path.name + "-wal")
            if not path.is_file() or wal.exists() or os.access(path.parent, os.W_OK):
                raise
            connection = _connect(path, "ro&immutable=1")
        connection.execute("PRAGMA query_only = ON")
        return connection


@contextmanager
def opened_for_reading(path: Path) -> Iterator[sqlite3.Connection]:
    """`open_for_reading`, closed again."""
    connection = open_for_reading(path)
    try:
        yield connection
    finally:
        connection.close()


def insert_many(
    connection: sqlite3.Connection, head: str, columns: int, rows: Sequence[Sequence[object]], tail: str = ""
) -> None:
    """`head VALUES (…),(…) tail` for all rows in few steps: each must win back the interpreter lock."""
    for start in range(0, len(rows), ROWS_A_STATEMENT_MAX):
        chunk = rows[start : start + ROWS_A_STATEMENT_MAX]
        connection.execute(_insert(head, columns, len(chunk), tail), [value for item in chunk for value in item])


@lru_cache(maxsize=STATEMENTS_CACHED_MAX)
def _insert(head: str, columns: int, width: int, tail: str) -> str:
    row = "(" + ",".join("?" * columns) + ")"
    return f"{head} VALUES {','.join([row] * width)} {tail}"


def _check_library() -> None:
    if sqlite3.sqlite_version_info < SQLITE_VERSION_MIN:
        needed = ".".join(map(str, SQLITE_VERSION_MIN))
        raise MissingError(
            f"SQLite {sqlite3.sqlite_version} is too old: {needed} or newer is needed",
            hint="use a Python with a newer SQLite, such as the one from `uv python install 3.12`",
        )


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(
        f"file:{quote(str(path))}?mode={mode}",
        uri=True,
        isolation_level=None,
        timeout=LOCK_WAIT_SECONDS_MAX,
        cached_statements=STATEMENTS_CACHED_MAX,
    )


def _configure(connection: sqlite3.Connection) -> None:
    mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        raise StoreError(
            f"the store's file system does not support write-ahead logging (journal mode is `{mode}`)",
            hint="keep the state folder on a local disk",
        )
    for pragma in ("synchronous = FULL", "secure_delete = ON", "trusted_schema = OFF", "cell_size_check = ON"):
        connection.execute(f"PRAGMA {pragma}")


def _create(path: Path, steps: Sequence[Migration]) -> None:
    """A new store is made under another name: a file of that name is always whole, and an emptied one is noticed."""
    partial = path.with_name(path.name + ".new")
    for leftover in _with_journals(partial):
        leftover.unlink(missing_ok=True)
    os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    connection = _connect(partial, "rw")
    try:
        migrations.migrate(connection, partial, steps)
        _configure(connection)
    finally:
        connection.close()
    migrations.sync(partial)
    partial.replace(path)
    migrations.sync(path.parent)


def _check_length(connection: sqlite3.Connection, path: Path) -> None:
    """A file that was closed cleanly is exactly as long as it says; SQLite itself overlooks part of a page."""
    if path.with_name(path.name + "-wal").exists() and path.with_name(path.name + "-wal").stat().st_size:
        return
    pages, page_bytes = (
        int(connection.execute(f"PRAGMA {name}").fetchone()[0]) for name in ("page_count", "page_size")
    )
    if path.stat().st_size != pages * page_bytes:
        raise StoreError(
            f"the store `{path}` is damaged: it has {path.stat().st_size} bytes and should have {pages * page_bytes}",
            hint="keep the file, and restore the newest backup beside it",
        )


def _with_journals(path: Path) -> Iterable[Path]:
    return (path, *(path.with_name(path.name + suffix) for suffix in ("-wal", "-shm", "-journal")))
