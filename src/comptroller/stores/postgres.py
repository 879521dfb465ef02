"""The shared store: PostgreSQL, for several gateways on several machines. One writer connection per gateway.

Decisions queue up while the server syncs; the next transaction takes them all: facts under lock, decide, set-based
writes, one commit. Money, questions, brakes and runs are everybody's; each installation writes a log of its own.
"""

from __future__ import annotations

import asyncio
import queue
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar, cast

from comptroller.core import merkle
from comptroller.core.approval import Approval, ApprovalState
from comptroller.core.audit import Entry, PrivateField
from comptroller.core.brake import Brake, Run
from comptroller.core.budget import BudgetState
from comptroller.core.checkpoint import Checkpoint
from comptroller.core.distrust import Distrust
from comptroller.core.document import Document, DocumentKind
from comptroller.core.epoch import installation_of
from comptroller.core.errors import StoreError, StoreLostError, UsageError
from comptroller.core.holding import Holding
from comptroller.core.reservation import Reservation
from comptroller.ports import Changes, Committed, Facts, Notice, Stranded, Wants
from comptroller.stores.asks import QUEUED_COMMITS_MAX, Ask, tell
from comptroller.stores.postgres_database import Place, check_durable, connect, driver, explained, explaining, place_of
from comptroller.stores.postgres_facts import ADD_SCOPES, LockedFacts
from comptroller.stores.postgres_listener import PostgresListener
from comptroller.stores.postgres_migrations import MIGRATIONS, Migration, migrate
from comptroller.stores.postgres_reader import NODE_LOCK, PostgresReader, edge_of, number_of, root_of
from comptroller.stores.postgres_rows import Batch, write_and_commit
from comptroller.stores.prepared import prepare

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[Any]

T = TypeVar("T")

BATCH_COMMITS_MAX = 256
PATIENCE_SECONDS_MAX = 0.004
ATTEMPTS_MAX = 8
"""How often a batch is decided anew that PostgreSQL broke off for another gateway's sake."""
ATTEMPT_PAUSE_SECONDS_MAX = 0.02
KNOWN_SCOPES_MAX = 100_000
HEARTBEAT_SECONDS = 10.0
COMMIT_UNKNOWN_SECONDS_MAX = 10.0
"""How long the fate of a commit is asked for whose answer was lost."""
NODE_WAIT_SECONDS_MAX = 3.0

CHECKPOINTS_KEPT_MAX = 1_000
NOTE_BYTES_MAX = 4_096

_SEEN = "UPDATE installations SET seen_at = now() WHERE number = %s"
_PUBLISH = """INSERT INTO checkpoints (installation, size, root, note) VALUES (%s, %s, %s, %s)
    ON CONFLICT (installation, size) DO UPDATE SET root = excluded.root, note = excluded.note, at = now()"""
_PRUNE = """DELETE FROM checkpoints WHERE installation = %s AND size < (SELECT coalesce(min(size), 0) FROM (
    SELECT size FROM checkpoints WHERE installation = %s ORDER BY size DESC LIMIT %s) AS kept)"""
_END_SESSION = """SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND classid = %s
    AND objid = %s AND pid = %s AND granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"""
_BROKEN_OFF = ("40001", "40P01")
UNKNOWN = "it is not known whether the last changes were recorded: what they may have cost stays held"


@dataclass(slots=True, eq=False)
class _Job:
    """Work on the writer's connection that is no decision."""

    work: Callable[[Connection], None]
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[None]


class PostgresStore:
    """`ports.Store` on one PostgreSQL database, as installation `origin`.

    `batches` counts transactions, `fsyncs` those that had something to sync, `attempts` those begun. `cautions` say
    what an acknowledged write does not survive.

    A cancelled `commit` that still waits in the queue is not carried out; one already being written may be.
    """

    def __init__(self, place: Place, origin: str, steps: Sequence[Migration]) -> None:
        self.place = place
        # Epochs of one installation share its rows.
        self.origin = installation_of(origin)
        self.batches = 0
        self.fsyncs = 0
        self.attempts = 0
        self.cautions: tuple[str, ...] = ()
        self.number = 0
        self._steps = steps
        self._queue: queue.SimpleQueue[Ask | _Job | None] = queue.SimpleQueue()
        self._jobs: list[_Job] = []
        self._listener: PostgresListener | None = None
        self._closing = False
        self._ended = False
        self._connection: Connection | None = None
        self._old_session = 0
        self._edge = merkle.Edge()
        self._known_scopes: set[str] = set()
        self._heard_at = 0.0
        self._reader = PostgresReader(place, origin, steps)
        self._reads = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store-reader")
        self._writer = threading.Thread(target=self._write_until_closed, name="store-writer", daemon=True)

    @classmethod
    async def open(cls, url: str, *, origin: str, migrations: Sequence[Migration] = MIGRATIONS) -> PostgresStore:
        """Open the store as installation `origin`, making or migrating it first.

        Raises `ConfigError`, `MissingError`, `StoreError`, `StoreVersionError`, and `UsageError` where another `serve`
        of the same installation is using it.
        """
        store = cls(place_of(url), origin, migrations)
        try:
            await asyncio.get_running_loop().run_in_executor(store._reads, store._prepare)
        except BaseException:
            store._drop_connection()
            store._reads.shutdown(wait=False)
            raise
        store._writer.start()
        return store

    def _prepare(self) -> None:
        with explaining(self.place):
            self._ready_connection()

    # ------------------------------------------------------------ writing

    async def commit(self, wants: Wants, decide: Callable[[Facts], tuple[Changes, T]]) -> Committed[T]:
        """As `ports.Store.commit`; `decide` may be called again where another gateway was in the way."""
        loop = asyncio.get_running_loop()
        ask = Ask(wants, decide, loop, loop.create_future())
        if self._closing:
            raise StoreError("the store is closed")
        if self._queue.qsize() >= QUEUED_COMMITS_MAX:
            raise StoreError(
                f"over {QUEUED_COMMITS_MAX} changes wait to be written",
                hint="the database is too slow for this many agents; repeat later",
            )
        self._queue.put(ask)
        return cast(Committed[T], await ask.future)

    def _write_until_closed(self) -> None:
        while not self._ended:
            asks = self._waiting(HEARTBEAT_SECONDS)
            # Nobody waits for these: together with the next allow they cost no commit of their own.
            if asks and all(ask.wants.patient for ask in asks):
                asks += self._waiting(PATIENCE_SECONDS_MAX)
            self._write_batch(asks)
            while self._jobs:
                self._do(self._jobs.pop(0))
            self._beat()
        self._drop_connection()

    def _waiting(self, timeout_seconds: float) -> list[Ask]:
        """Everything that waits, at least one where one comes in time. The end of the queue is remembered."""
        found: list[Ask | _Job | None] = []
        with suppress(queue.Empty):
            found.append(self._queue.get(timeout=timeout_seconds))
            while len(found) < BATCH_COMMITS_MAX:
                found.append(self._queue.get_nowait())
        self._ended = self._ended or None in found
        self._jobs += [job for job in found if isinstance(job, _Job)]
        return [ask for ask in found if isinstance(ask, Ask) and not ask.future.cancelled()]

    def _write_batch(self, asks: list[Ask]) -> None:
        """One transaction for all; whoever is not told of an error afterwards is durable."""
        if not asks:
            return
        try:
            self._attempt_until_done(asks)
        except Exception as error:  # noqa: BLE001 (nobody of this batch may be told that it succeeded)
            if len(asks) > 1 and self._is_ones_own(error):
                # What PostgreSQL cannot hold is one caller's mistake: the others are written without it.
                for ask in asks:
                    ask.done = ask.error = None
                    self._write_batch([ask])
                return
            self._drop_connection()
            failure = error if isinstance(error, StoreError | UsageError) else explained(error, self.place)
            for ask in asks:
                ask.done = None
                kind = StoreLostError if isinstance(failure, StoreLostError) else StoreError
                ask.error = ask.error or kind(failure.message, hint=failure.hint)
        tell(asks)

    def _attempt_until_done(self, asks: list[Ask]) -> None:
        for attempt in range(1, ATTEMPTS_MAX + 1):
            connection = self._ready_connection()
            self.attempts += 1
            try:
                facts = self._read_facts(connection, asks)
            except driver().OperationalError as error:
                # Nothing was written: a connection that was lost while it rested is worth one more.
                if not connection.closed or attempt > 1:
                    self._recover(connection, error, attempt)
                continue
            try:
                self._transact(connection, asks, facts)
            except driver().Error as error:
                self._recover(connection, error, attempt)
                for ask in asks:
                    ask.done = ask.error = None
            else:
                return

    def _recover(self, connection: Connection, error: psycopg.Error, attempt: int) -> None:
        """Get ready for another attempt where PostgreSQL broke this one off for another gateway's sake; else raise."""
        if error.sqlstate not in _BROKEN_OFF or attempt == ATTEMPTS_MAX:
            raise error
        connection.execute("ROLLBACK")
        time.sleep(random.uniform(0, ATTEMPT_PAUSE_SECONDS_MAX))  # noqa: S311 (spreads, hides nothing)

    def _read_facts(self, connection: Connection, asks: Sequence[Ask]) -> LockedFacts:
        self._make_scopes_known(connection, asks)
        facts = LockedFacts(connection)
        facts.read([ask.wants for ask in asks])
        return facts

    def _transact(self, connection: Connection, asks: Sequence[Ask], facts: LockedFacts) -> None:
        batch = Batch(self._edge)
        for ask in asks:
            self._decide(facts, ask, batch)
        if not batch.wrote:
            connection.execute("ROLLBACK")
            self.batches += 1
            return
        try:
            write_and_commit(connection, self.number, batch, facts.pending)
        except driver().OperationalError:
            if not connection.closed or not self._was_committed(batch.name):
                raise
        self._edge = batch.edge
        self.batches += 1
        self.fsyncs += 1

    def _make_scopes_known(self, connection: Connection, asks: Sequence[Ask]) -> None:
        """Each scope has one row, which is locked for it; rows are never deleted, so that knowing them is safe."""
        missing = {scope for ask in asks for scope in ask.wants.scopes} - self._known_scopes
        if missing:
            connection.execute(ADD_SCOPES, (sorted(missing),))
            if len(self._known_scopes) > KNOWN_SCOPES_MAX:
                self._known_scopes.clear()
            self._known_scopes |= missing

    def _decide(self, facts: LockedFacts, ask: Ask, batch: Batch) -> None:
        """Let one caller decide. Its own mistakes are its own; PostgreSQL's fail the batch."""
        found = facts.facts(ask.wants)
        try:
            changes, result = ask.decide(found)
        except BaseException as error:  # noqa: BLE001 (belongs to this caller alone)
            ask.error = error
            return
        try:
            prepared = prepare(changes, batch.edge, facts.accounts)
        except StoreError as error:
            ask.error = error
            return
        facts.apply(changes, prepared)
        batch.take(changes, prepared)
        ask.done = Committed(result=result, indices=prepared.indices)

    def _is_ones_own(self, error: BaseException) -> bool:
        """Whether the error is about what was written, on a connection that still works."""
        connection, psycopg = self._connection, driver()
        if connection is None or connection.closed or not isinstance(error, psycopg.Error):
            return False
        about_values = isinstance(error, psycopg.DataError | psycopg.IntegrityError)
        if not about_values and not (error.sqlstate or "").startswith("54"):
            return False
        with suppress(psycopg.Error):
            connection.execute("ROLLBACK")
        return not connection.closed

    # ------------------------------------------------------------ the writer's connection

    def _ready_connection(self) -> Connection:
        """The writer's connection; after a failure a new one, with the tree's edge read afresh."""
        if self._connection is not None and not self._connection.closed:
            return self._connection
        self._connection = None
        connection = connect(self.place)
        try:
            self.cautions = check_durable(connection, self.place)
            migrate(connection, self.place, self._steps)
            self.number = number_of(connection, self.origin)
            self._hold_node(connection)
            self._edge = self._continued(connection)
        except BaseException:
            connection.close()
            raise
        self._connection, self._old_session = connection, connection.info.backend_pid
        self._known_scopes.clear()
        return connection

    def _continued(self, connection: Connection) -> merkle.Edge:
        """The log's edge in the store, which must continue what was acknowledged here. Raises `StoreError`."""
        known, edge = self._edge, edge_of(connection, self.place, self.number)
        if known.size and (
            edge.size < known.size or root_of(connection, self.number, known.size) != merkle.root(known)
        ):
            raise StoreError(
                f"the store `{self.place.shown}` went back: it lacks entries that were acknowledged (it has "
                f"{edge.size} of {known.size}); a failover to a standby that was behind does this",
                hint="end every `comptroller serve`, then: comptroller restore --in-place; it freezes everything",
            )
        return edge

    def _hold_node(self, connection: Connection) -> None:
        """Be this installation, as long as the connection lives. Raises `UsageError` where another program is.

        A server takes a moment to notice that the program before this one is gone.
        """
        deadline = time.monotonic() + NODE_WAIT_SECONDS_MAX
        while True:
            held = connection.execute("SELECT pg_try_advisory_lock(%s, %s)", (NODE_LOCK, self.number)).fetchone()
            if held is not None and held[0]:
                return
            if self._old_session:
                # Our own session before this one, which the server may take for alive long after the network cut it.
                connection.execute(_END_SESSION, (NODE_LOCK, self.number, self._old_session))
            if time.monotonic() > deadline:
                raise UsageError(
                    f"another `comptroller serve` of this installation (`{self.origin}`) uses `{self.place.shown}`",
                    hint="end it first; a copied state folder needs keys of its own: remove them from the copy",
                )
            time.sleep(ATTEMPT_PAUSE_SECONDS_MAX)

    def _beat(self) -> None:
        """Say that this installation lives. A lost connection is found here too, before anybody waits for it."""
        if self._ended or time.monotonic() - self._heard_at < HEARTBEAT_SECONDS:
            return
        self._heard_at = time.monotonic()
        try:
            connection = self._ready_connection()
            connection.execute(_SEEN, (self.number,))
        except Exception:  # noqa: BLE001 (the next change finds the same, and says so to whoever waits)
            self._drop_connection()

    def _was_committed(self, name: int) -> bool:
        """Whether a batch whose answer was lost became durable. Raises `StoreError` where nobody can say.

        Whoever holds this installation's lock again knows that the session which wrote it is over.
        """
        self._drop_connection()
        deadline = time.monotonic() + COMMIT_UNKNOWN_SECONDS_MAX
        while True:
            with suppress(driver().Error, StoreError, UsageError):
                connection = self._ready_connection()
                row = connection.execute("SELECT batch FROM installations WHERE number = %s", (self.number,)).fetchone()
                # A commit of our own after it: where standbys must have it, this one waits until they do.
                connection.execute(_SEEN, (self.number,))
                return row is not None and bool(row[0] == name)
            if time.monotonic() > deadline:
                raise StoreLostError(f"the store `{self.place.shown}` was lost while it committed", hint=UNKNOWN)
            time.sleep(ATTEMPT_PAUSE_SECONDS_MAX * 5)

    def _drop_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(driver().Error):
                if self._ended and not connection.closed:
                    connection.execute("SELECT pg_advisory_unlock_all()")
                connection.close()

    # ------------------------------------------------------------ reading

    async def _read(self, ask: Callable[[PostgresReader], T]) -> T:
        if self._closing:
            raise StoreError("the store is closed")
        return await asyncio.get_running_loop().run_in_executor(self._reads, ask, self._reader)

    async def runs(self) -> Sequence[Run]:
        """As `ports.Store.runs`."""
        return await self._read(PostgresReader.runs)

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
        return await self._read(PostgresReader.brakes)

    async def distrusts(self) -> Sequence[Distrust]:
        """As `ports.Store.distrusts`."""
        return await self._read(PostgresReader.distrusts)

    async def open_reservations(self) -> Sequence[Reservation]:
        """As `ports.Store.open_reservations`."""
        return await self._read(PostgresReader.open_reservations)

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
        return await self._read(PostgresReader.size)

    async def root(self, size: int) -> bytes:
        """As `ports.Store.root`."""
        return await self._read(lambda reader: reader.root(size))

    async def inclusion(self, index: int, size: int) -> Sequence[bytes]:
        """As `ports.Store.inclusion`."""
        return await self._read(lambda reader: reader.inclusion(index, size))

    async def consistency(self, old: int, new: int) -> Sequence[bytes]:
        """As `ports.Store.consistency`."""
        return await self._read(lambda reader: reader.consistency(old, new))

    async def stranded(self, *, own: bool = True) -> Stranded:
        """As `ports.Store.stranded`."""
        return await self._read(lambda reader: reader.stranded(own=own))

    # ------------------------------------------------------------ other machines

    def listen(self, heard: Callable[[Notice], None]) -> None:
        """From now on, tell `heard` what other gateways changed, in the running event loop."""
        assert self._listener is None
        self._listener = PostgresListener(self.place, self.number, heard)
        self._listener.start()

    async def publish_checkpoint(self, signed: Checkpoint, note: bytes) -> None:
        """Put the newest signed checkpoint where every other installation sees it. Raises `StoreError`."""
        if len(note) > NOTE_BYTES_MAX:
            raise StoreError(f"a checkpoint over {NOTE_BYTES_MAX} bytes")

        def write(connection: Connection) -> None:
            with connection.transaction():
                connection.execute(_PUBLISH, (self.number, signed.size, signed.root, note))
                connection.execute(_PRUNE, (self.number, self.number, CHECKPOINTS_KEPT_MAX))

        await self._on_writer(write)

    async def checkpoints_elsewhere(self) -> Mapping[str, tuple[int, bytes]]:
        """Every other installation's newest checkpoint: origin -> (size, signed note)."""
        return await self._read(PostgresReader.checkpoints_elsewhere)

    async def _on_writer(self, work: Callable[[Connection], None]) -> None:
        """Work on the writer's connection, between two batches."""
        loop = asyncio.get_running_loop()
        job = _Job(work, loop, loop.create_future())
        if self._closing:
            raise StoreError("the store is closed")
        self._queue.put(job)
        await job.future

    def _do(self, job: _Job) -> None:
        failure: StoreError | None = None
        try:
            job.work(self._ready_connection())
        except Exception as error:  # noqa: BLE001 (told to whoever asked)
            self._drop_connection()
            failure = error if isinstance(error, StoreError) else explained(error, self.place)
        with suppress(RuntimeError):
            job.loop.call_soon_threadsafe(_finish, job.future, failure)

    async def close(self) -> None:
        """As `ports.Store.close`: what was asked before is written first."""
        if self._closing:
            return
        self._closing = True
        if self._listener is not None:
            await self._listener.close()
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._reads, self._reader.close)
        self._reads.shutdown(wait=False)
        await loop.run_in_executor(None, self._stop_writer)

    def _stop_writer(self) -> None:
        self._queue.put(None)
        self._writer.join()


def _finish(future: asyncio.Future[None], failure: StoreError | None) -> None:
    if future.done():
        return
    if failure is None:
        future.set_result(None)
    else:
        future.set_exception(failure)
