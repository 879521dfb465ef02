"""The embedded store: SQLite in WAL mode with synchronous=FULL, one writer thread, group commit.

Decisions queue up while the disk syncs; the next transaction takes them all, each seeing what the ones before it wrote.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TypeVar, cast

from comptroller.core import merkle
from comptroller.core.approval import Approval, ApprovalState
from comptroller.core.audit import Entry, PrivateField
from comptroller.core.brake import Brake, Run
from comptroller.core.budget import BudgetState
from comptroller.core.distrust import Distrust
from comptroller.core.document import Document, DocumentKind
from comptroller.core.errors import StoreError
from comptroller.core.holding import Holding
from comptroller.core.reservation import Reservation
from comptroller.ports import Changes, Committed, Facts, Stranded, Wants
from comptroller.stores.asks import QUEUED_COMMITS_MAX, Ask, tell
from comptroller.stores.database import LOCK_WAIT_SECONDS_MAX, explained, explaining, insert_many, open_for_writing
from comptroller.stores.hot import Hot
from comptroller.stores.migrations import MIGRATIONS, Migration
from comptroller.stores.prepared import prepare
from comptroller.stores.reader import SqliteReader

T = TypeVar("T")

BATCH_COMMITS_MAX = 256
SCRUB_WAIT_MS_MAX = 100
PATIENCE_SECONDS_MAX = 0.004
"""How long a patient change waits for company: it then shares the fsync of the next allow."""


@dataclass(slots=True)
class _Batch:
    """What the decisions of one transaction append to the log."""

    edge: merkle.Edge
    wrote: bool = False
    erased: bool = False
    entries: list[Sequence[object]] = field(default_factory=list)
    nodes: list[Sequence[object]] = field(default_factory=list)
    private: list[Sequence[object]] = field(default_factory=list)
    erase: list[Sequence[object]] = field(default_factory=list)
    archived: list[Sequence[object]] = field(default_factory=list)


class SqliteStore:
    """`ports.Store` on one SQLite file. `batches` counts transactions, `fsyncs` those that had something to sync.

    A cancelled `commit` that still waits in the queue is not carried out; one already being written may be.
    """

    def __init__(self, path: Path, steps: Sequence[Migration]) -> None:
        self.path = path
        self.batches = 0
        self.fsyncs = 0
        self._steps = steps
        self._queue: queue.SimpleQueue[Ask | None] = queue.SimpleQueue()
        self._closing = False
        self._ended = False
        self._connection: sqlite3.Connection | None = None
        self._hot: Hot | None = None
        self._seen_version = 0
        self._edge = merkle.Edge()
        self._scrub = False
        self._reader: SqliteReader | None = None
        self._reads = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store-reader")
        self._writer = threading.Thread(target=self._write_until_closed, name="store-writer", daemon=True)

    @classmethod
    async def open(cls, path: Path, *, migrations: Sequence[Migration] = MIGRATIONS) -> SqliteStore:
        """Open the store, making or migrating it first. Raises `StoreError`, `StoreVersionError`, `MissingError`."""
        store = cls(path, migrations)
        try:
            await asyncio.get_running_loop().run_in_executor(store._reads, store._prepare_file)
        except BaseException:
            store._reads.shutdown(wait=False)
            raise
        store._writer.start()
        return store

    def _prepare_file(self) -> None:
        with explaining(self.path):
            connection = open_for_writing(self.path, self._steps)
            try:
                _edge_of(connection, self.path)
                self._reader = SqliteReader(self.path, self._steps)
            finally:
                connection.close()

    # ------------------------------------------------------------ writing

    async def commit(self, wants: Wants, decide: Callable[[Facts], tuple[Changes, T]]) -> Committed[T]:
        """As `ports.Store.commit`."""
        loop = asyncio.get_running_loop()
        ask = Ask(wants, decide, loop, loop.create_future())
        if self._closing:
            raise StoreError("the store is closed")
        if self._queue.qsize() >= QUEUED_COMMITS_MAX:
            raise StoreError(
                f"over {QUEUED_COMMITS_MAX} changes wait to be written",
                hint="the disk is too slow for this many agents; repeat later",
            )
        self._queue.put(ask)
        return cast(Committed[T], await ask.future)

    def _write_until_closed(self) -> None:
        while not self._ended:
            self._write_batch(self._waiting(None))
        self._drop_connection()

    def _waiting(self, timeout_seconds: float | None) -> list[Ask]:
        """Everything that waits, at least one where one comes in time. The end of the queue is remembered."""
        found: list[Ask | None] = []
        with suppress(queue.Empty):
            found.append(self._queue.get(timeout=timeout_seconds))
            while len(found) < BATCH_COMMITS_MAX:
                found.append(self._queue.get_nowait())
        self._ended = self._ended or None in found
        return [ask for ask in found if ask is not None and not ask.future.cancelled()]

    def _write_batch(self, asks: list[Ask]) -> None:
        """One transaction for all; whoever is not told of an error afterwards is durable."""
        if not asks:
            return
        try:
            connection, hot = self._ready_connection()
            connection.execute("BEGIN IMMEDIATE")
            self._check_alone(connection, hot)
            batch = _Batch(self._edge)
            self._decide_all(connection, hot, asks, batch)
            connection.execute("COMMIT")
            self._edge = batch.edge
            self.batches += 1
            self.fsyncs += batch.wrote
            hot.trim()
            self._scrub_erased(connection, batch)
        except Exception as error:  # noqa: BLE001 (nobody of this batch may be told that it succeeded)
            self._drop_connection()
            failure = error if isinstance(error, StoreError) else explained(error, self.path)
            for ask in asks:
                ask.done = None
                ask.error = ask.error or type(failure)(failure.message, hint=failure.hint)
        tell(asks)

    def _decide_all(self, connection: sqlite3.Connection, hot: Hot, asks: list[Ask], batch: _Batch) -> None:
        """Let everyone decide and write what they decided, all but the commit.

        Where all are patient, what comes meanwhile joins `asks`: their work is done by then, and one fsync serves all.
        """
        deadline = time.monotonic() + PATIENCE_SECONDS_MAX
        waiting: Sequence[Ask] = tuple(asks)
        while waiting:
            for ask in waiting:
                self._decide(hot, ask, batch)
            hot.flush()
            _append_log(connection, batch)
            if self._ended or len(asks) >= BATCH_COMMITS_MAX or not all(ask.wants.patient for ask in asks):
                return
            waiting = self._waiting(max(0.0, deadline - time.monotonic()))
            asks += waiting

    def _check_alone(self, connection: sqlite3.Connection, hot: Hot) -> None:
        """What is known counts only while nobody else writes the file."""
        version = connection.execute("PRAGMA data_version").fetchone()[0]
        if version == self._seen_version:
            return
        hot.forget()
        # INVARIANT: the next entry's index is the size of the tree.
        if _size_of(connection) != self._edge.size:
            raise StoreError("another program wrote the store", hint="end it; only one `serve` may write")
        self._seen_version = version

    def _decide(self, hot: Hot, ask: Ask, batch: _Batch) -> None:
        """Let one caller decide. Its own mistakes are its own; SQLite's fail the batch."""
        facts = hot.facts(ask.wants)
        try:
            changes, result = ask.decide(facts)
        except BaseException as error:  # noqa: BLE001 (belongs to this caller alone)
            ask.error = error
            return
        try:
            prepared = prepare(changes, batch.edge, hot.accounts)
        except StoreError as error:
            ask.error = error
            return
        hot.apply(changes, prepared)
        batch.wrote = batch.wrote or changes != Changes()
        batch.edge = prepared.edge
        batch.entries.extend(prepared.entries)
        batch.nodes.extend(prepared.nodes)
        batch.private.extend(prepared.private)
        batch.erase.extend(prepared.erase)
        batch.archived.extend(prepared.archived)
        ask.done = Committed(result=result, indices=prepared.indices)

    def _ready_connection(self) -> tuple[sqlite3.Connection, Hot]:
        """The writer's connection; after a failure a new one, with the tree's edge read afresh and nothing known."""
        if self._connection is None or self._hot is None:
            connection = open_for_writing(self.path, self._steps)
            try:
                self._edge = _edge_of(connection, self.path)
            except BaseException:
                connection.close()
                raise
            self._connection, self._hot, self._seen_version = connection, Hot(connection), -1
        return self._connection, self._hot

    def _drop_connection(self) -> None:
        connection, self._connection, self._hot = self._connection, None, None
        if connection is not None:
            with suppress(sqlite3.Error):
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
            with suppress(sqlite3.Error):
                connection.close()

    def _scrub_erased(self, connection: sqlite3.Connection, batch: _Batch) -> None:
        """Erased values must leave the write-ahead log too; a reader in the way only delays that to the next batch."""
        self._scrub = self._scrub or batch.erased
        if not self._scrub:
            return
        with suppress(sqlite3.Error):
            connection.execute(f"PRAGMA busy_timeout = {SCRUB_WAIT_MS_MAX}")
            busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            connection.execute(f"PRAGMA busy_timeout = {int(LOCK_WAIT_SECONDS_MAX * 1000)}")
            self._scrub = bool(busy)

    # ------------------------------------------------------------ reading

    async def _read(self, ask: Callable[[SqliteReader], T]) -> T:
        if self._closing or self._reader is None:
            raise StoreError("the store is closed")
        return await asyncio.get_running_loop().run_in_executor(self._reads, ask, self._reader)

    async def runs(self) -> Sequence[Run]:
        """As `ports.Store.runs`."""
        return await self._read(SqliteReader.runs)

    async def approvals(self, state: ApprovalState | None = None) -> Sequence[Approval]:
        """As `ports.Store.approvals`."""
        return await self._read(lambda reader: reader.approvals(state))

    async def approvals_page(
        self, state: ApprovalState | None = None, *, after: str = "", limit: int
    ) -> Sequence[Approval]:
        """As `ports.Store.approvals_page`."""
        return await self._read(lambda reader: reader.approvals_page(state, after, limit))

    async def unused_grants(self) -> Sequence[Approval]:
        """As `ports.Store.unused_grants`."""
        return await self._read(lambda reader: reader.unused_grants())

    async def approvals_count(self, state: ApprovalState) -> int:
        """As `ports.Store.approvals_count`."""
        return await self._read(lambda reader: reader.approvals_count(state))

    async def answered(self, *, limit: int) -> Sequence[Approval]:
        """As `ports.Store.answered`."""
        return await self._read(lambda reader: reader.answered(limit))

    async def approval(self, approval_id: str) -> Approval | None:
        """As `ports.Store.approval`."""
        return await self._read(lambda reader: reader.approval(approval_id))

    async def budgets(self, now: datetime) -> Sequence[BudgetState]:
        """As `ports.Store.budgets`."""
        return await self._read(lambda reader: reader.budgets(now))

    async def brakes(self) -> Sequence[Brake]:
        """As `ports.Store.brakes`."""
        return await self._read(SqliteReader.brakes)

    async def distrusts(self) -> Sequence[Distrust]:
        """As `ports.Store.distrusts`."""
        return await self._read(SqliteReader.distrusts)

    async def open_reservations(self) -> Sequence[Reservation]:
        """As `ports.Store.open_reservations`."""
        return await self._read(SqliteReader.open_reservations)

    async def stranded(self, *, own: bool = True) -> Stranded:
        """As `ports.Store.stranded`."""
        return await self._read(SqliteReader.stranded) if own else Stranded()

    async def holdings(self, *, every: bool = False) -> Sequence[Holding]:
        """As `ports.Store.holdings`."""
        return await self._read(lambda reader: reader.holdings(every=every))

    async def documents(
        self, kind: DocumentKind, *, scope: str | None = None, every: bool = False
    ) -> Sequence[Document]:
        """As `ports.Store.documents`."""
        return await self._read(lambda reader: reader.documents(kind, scope=scope, every=every))

    async def document(self, document_id: str) -> Document | None:
        """As `ports.Store.document`."""
        return await self._read(lambda reader: reader.document(document_id))

    async def entries(self, *, after: int = -1, limit: int = 1000, run: str = "") -> Sequence[Entry]:
        """As `ports.Store.entries`."""
        return await self._read(lambda reader: reader.entries(after=after, limit=limit, run=run))

    async def entries_at(self, indices: Sequence[int]) -> Sequence[tuple[Entry, tuple[PrivateField, ...]]]:
        """As `ports.Store.entries_at`."""
        return await self._read(lambda reader: reader.entries_at(indices))

    async def private(self, index: int) -> Sequence[PrivateField]:
        """As `ports.Store.private`."""
        return await self._read(lambda reader: reader.private(index))

    async def size(self) -> int:
        """As `ports.Store.size`."""
        return await self._read(SqliteReader.size)

    async def root(self, size: int) -> bytes:
        """As `ports.Store.root`."""
        return await self._read(lambda reader: reader.root(size))

    async def inclusion(self, index: int, size: int) -> Sequence[bytes]:
        """As `ports.Store.inclusion`."""
        return await self._read(lambda reader: reader.inclusion(index, size))

    async def consistency(self, old: int, new: int) -> Sequence[bytes]:
        """As `ports.Store.consistency`."""
        return await self._read(lambda reader: reader.consistency(old, new))

    async def close(self) -> None:
        """As `ports.Store.close`: what was asked before is written first."""
        if self._closing:
            return
        self._closing = True
        loop = asyncio.get_running_loop()
        if self._reader is not None:
            await loop.run_in_executor(self._reads, self._reader.close)
        self._reads.shutdown(wait=False)
        # The last connection folds the write-ahead log back into the file, so the writer's goes last.
        await loop.run_in_executor(None, self._stop_writer)

    def _stop_writer(self) -> None:
        self._queue.put(None)
        self._writer.join()


def _size_of(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT coalesce(max(idx) + 1, 0) FROM entries").fetchone()[0])


def _edge_of(connection: sqlite3.Connection, path: Path) -> merkle.Edge:
    """The tree's right edge as stored. Raises `StoreError` where tree and entries do not fit."""
    damaged = StoreError(
        f"the store `{path}` is damaged: its tree does not fit its entries",
        hint="keep the file, and restore the newest backup beside it",
    )

    def node(level: int, position: int) -> bytes:
        found = connection.execute(
            "SELECT hash FROM nodes WHERE level = ? AND position = ?", (level, position)
        ).fetchone()
        if found is None:
            raise damaged
        return bytes(found[0])

    size = _size_of(connection)
    # INVARIANT: the last entry is the last leaf of the tree.
    last = connection.execute("SELECT leaf FROM entries WHERE idx = ?", (size - 1,)).fetchone()
    leaves = connection.execute("SELECT coalesce(max(position) + 1, 0) FROM nodes WHERE level = 0").fetchone()[0]
    if leaves != size or (last is not None and merkle.leaf_hash(last[0]) != node(0, size - 1)):
        raise damaged
    return merkle.edge_at(size, node)


_ARCHIVED = "UPDATE entries SET leaf = x'', archived = ? WHERE idx BETWEEN ? AND ? AND archived IS NULL"


def _append_log(connection: sqlite3.Connection, batch: _Batch) -> None:
    """Write what the batch has to append, and start its lists afresh."""
    insert_many(connection, "INSERT INTO entries (idx, run, leaf)", 3, batch.entries)
    insert_many(connection, "INSERT INTO nodes (level, position, hash)", 3, batch.nodes)
    insert_many(connection, "INSERT INTO private (entry, name, salt, value)", 4, batch.private)
    if batch.erase:
        connection.executemany("DELETE FROM private WHERE entry = ? AND name = ?", batch.erase)
        batch.erased = True
    for index, first, last in batch.archived:
        connection.execute(_ARCHIVED, (index, first, last))
        connection.execute("DELETE FROM private WHERE entry BETWEEN ? AND ?", (first, last))
        batch.erased = True
    for rows in (batch.entries, batch.nodes, batch.private, batch.erase, batch.archived):
        rows.clear()
