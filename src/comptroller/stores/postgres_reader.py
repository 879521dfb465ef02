"""Reads the PostgreSQL store and never writes it: for the store's own reads, and for `audit` beside a `serve`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from comptroller.core import merkle
from comptroller.core.approval import Approval, ApprovalState
from comptroller.core.audit import Entry, EntryKind, PrivateField
from comptroller.core.brake import Brake, Run
from comptroller.core.budget import BudgetState, budget_states
from comptroller.core.distrust import Distrust
from comptroller.core.document import Document, DocumentKind
from comptroller.core.epoch import installation_of
from comptroller.core.errors import StoreError
from comptroller.core.holding import Holding
from comptroller.core.reservation import Reservation
from comptroller.core.walk import Record
from comptroller.ports import Stranded
from comptroller.stores import rows
from comptroller.stores.facts import DOCUMENT_COLUMNS, wanted_at
from comptroller.stores.postgres_database import Place, connect, driver, explaining, kept_text, told_text
from comptroller.stores.postgres_facts import document_of, read_accounts
from comptroller.stores.postgres_migrations import MIGRATIONS, Migration, check
from comptroller.stores.reader import PAGE_ENTRIES_MAX, entry_of, parsed

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[Any]

T = TypeVar("T")

NODE_LOCK = 0x434D504E
"""`CMPN`: beside it, the number of the installation whose `serve` holds the advisory lock."""
GONE_SECONDS = 60.0
"""A gateway whose connection broke comes back sooner."""

_GONE = """SELECT number FROM installations i WHERE number <> %s
    AND NOT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND classid = %s AND objid = i.number::oid
        AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))
    AND seen_at < now() - make_interval(secs => %s)
    AND pg_postmaster_start_time() < now() - make_interval(secs => %s)"""
_RUN = "id, agent, owner, path, purpose, state, started_at, ended_at, exit_code, observed, unboxed"


class PostgresReader:
    """One connection that cannot write, made when it is first needed. The log is that of installation `origin`.

    Use it in one thread; every method raises `StoreError`.
    """

    def __init__(self, place: Place, origin: str, steps: Sequence[Migration] = MIGRATIONS) -> None:
        self._steps = steps
        self.place = place
        self.origin = installation_of(origin)
        self._connection: Connection | None = None
        self._number = 0

    def __enter__(self) -> PostgresReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connection; the next read makes another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(driver().Error):
                connection.close()

    def _rows(self, sql: str, *parameters: object) -> list[Any]:
        """Reads change nothing: one whose connection was lost meanwhile is tried once more."""
        with explaining(self.place):
            for last in (False, True):
                connection = self._ready()
                try:
                    return connection.execute(sql, parameters).fetchall()
                except driver().OperationalError:
                    lost = connection.closed
                    self.close()
                    if last or not lost:
                        raise
        raise AssertionError("unreachable")

    def _ready(self) -> Connection:
        if self._connection is None or self._connection.closed:
            connection = connect(self.place, read_only=True)
            try:
                version = check(connection, self.place, self._steps)
                if version < len(self._steps):
                    raise StoreError(
                        f"the store `{self.place.shown}` "
                        + (f"has the older store version {version}" if version else "is empty"),
                        hint="start `comptroller serve` once: it makes the store, or brings it up to date",
                    )
                found = connection.execute(
                    "SELECT number FROM installations WHERE origin = %s", (kept_text(self.origin),)
                ).fetchone()
                self._number = int(found[0]) if found is not None else 0
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _log(self, sql: str, *parameters: object) -> list[Any]:
        """Rows of this installation's log: its number is the statement's first parameter."""
        with explaining(self.place):
            self._ready()
        return self._rows(sql, self._number, *parameters)

    def _values(self, make: Callable[[Any], T], found: Sequence[Any]) -> tuple[T, ...]:
        try:
            return tuple(map(make, found))
        except (ValueError, KeyError, TypeError, AssertionError) as error:
            raise StoreError(
                f"the store `{self.place.shown}` is damaged: a row cannot be understood",
                hint="`comptroller audit verify` shows whether the log is whole; restore the newest backup",
            ) from error

    # ------------------------------------------------------------ rows

    def runs(self) -> tuple[Run, ...]:
        """All runs, of every installation, newest first."""
        return self._values(_run_of, self._rows(f"SELECT {_RUN} FROM runs ORDER BY started_at DESC, id DESC"))  # noqa: S608 (constants)

    def approvals(self, state: ApprovalState | None = None) -> tuple[Approval, ...]:
        """Approvals, newest first."""
        where = "WHERE state = %s " if state else ""
        found = self._rows(
            f"SELECT document FROM approvals {where}ORDER BY asked_at DESC, seq DESC",  # noqa: S608 (constants)
            *((state.value,) if state else ()),
        )
        return self._values(lambda row: rows.approval_of(json.loads(row[0])), found)

    def approvals_page(self, state: ApprovalState | None, after: str, limit: int) -> tuple[Approval, ...]:
        """By their ids, the last first."""
        wheres = [text for text, asked in (("state = %s", state), ('id COLLATE "C" < %s', after)) if asked]
        where = f"WHERE {' AND '.join(wheres)} " if wheres else ""
        values = [value for value in (state.value if state else "", kept_text(after)) if value]
        found = self._rows(
            f'SELECT document FROM approvals {where}ORDER BY id COLLATE "C" DESC LIMIT %s',  # noqa: S608 (constants)
            *values,
            limit,
        )
        return self._values(lambda row: rows.approval_of(json.loads(row[0])), found)

    def unused_grants(self) -> tuple[Approval, ...]:
        """Those whose yes was not used, newest first."""
        found = self._rows(
            f"SELECT document FROM approvals WHERE {rows.UNUSED_POSTGRES} "  # noqa: S608 (constants)
            "ORDER BY asked_at DESC, seq DESC"
        )
        return tuple(filter(rows.is_unused, self._values(lambda row: rows.approval_of(json.loads(row[0])), found)))

    def approvals_count(self, state: ApprovalState) -> int:
        """How many are in one state."""
        return int(self._rows("SELECT count(*) FROM approvals WHERE state = %s", state.value)[0][0])

    def answered(self, limit: int) -> tuple[Approval, ...]:
        """Those no longer pending, the newest questions first."""
        found = self._rows(
            "SELECT document FROM approvals WHERE state <> 'pending' ORDER BY asked_at DESC, seq DESC LIMIT %s",
            limit,
        )
        return self._values(lambda row: rows.approval_of(json.loads(row[0])), found)

    def approval(self, approval_id: str) -> Approval | None:
        """One approval."""
        found = self._rows("SELECT document FROM approvals WHERE id = %s", kept_text(approval_id))
        return next(iter(self._values(lambda row: rows.approval_of(json.loads(row[0])), found)), None)

    def budgets(self, now: datetime) -> tuple[BudgetState, ...]:
        """Every budget with what counts against it now."""
        found = self._rows('SELECT scope, unit, "window", amount, on_exceed FROM budgets')
        budgets = self._values(rows.budget_of, found)
        with explaining(self.place):
            connection = self._ready()
            return budget_states(budgets, now, lambda keys: read_accounts(connection, keys))

    def brakes(self) -> tuple[Brake, ...]:
        """Every brake that is not free."""
        found = self._rows("SELECT scope, state, reason, \"by\", at FROM brakes WHERE state <> 'free'")
        return tuple(sorted(self._values(_brake_of, found), key=lambda brake: brake.scope))

    def distrusts(self) -> tuple[Distrust, ...]:
        """Every price that was ever distrusted, confirmed ones too."""
        found = self._rows('SELECT key, trusted, reason, "by", at FROM distrusts')
        return tuple(sorted(self._values(_distrust_of, found), key=lambda item: item.key))

    def open_reservations(self) -> tuple[Reservation, ...]:
        """Reservations that hold money, oldest first."""
        found = self._rows(
            "SELECT document FROM reservations WHERE state IN ('reserved', 'dispatched', 'suspense') ORDER BY seq"
        )
        return self._values(lambda row: rows.reservation_of(json.loads(row[0])), found)

    def holdings(self, *, every: bool = False) -> tuple[Holding, ...]:
        """What is still there, oldest first; with `every` also what is not."""
        where = "" if every else "WHERE state NOT IN ('closed', 'forgotten') "
        found = self._rows(f"SELECT document FROM holdings {where}ORDER BY seq")  # noqa: S608 (constants)
        return self._values(lambda row: rows.holding_of(json.loads(row[0])), found)

    def documents(self, kind: DocumentKind, *, scope: str | None = None, every: bool = False) -> tuple[Document, ...]:
        """Documents of a kind, in the order they were first written."""
        where = f"kind = %s{'' if every else ' AND open = 1'}{'' if scope is None else ' AND scope = %s'}"
        found = self._rows(
            f"SELECT seq, {DOCUMENT_COLUMNS} FROM documents WHERE {where} ORDER BY seq",  # noqa: S608 (constants)
            kind.value,
            *(() if scope is None else (kept_text(scope),)),
        )
        return self._values(document_of, found)

    def document(self, document_id: str) -> Document | None:
        """One document, open or not."""
        found = self._rows(f"SELECT seq, {DOCUMENT_COLUMNS} FROM documents WHERE id = %s", kept_text(document_id))  # noqa: S608 (constants)
        return next(iter(self._values(document_of, found)), None)

    def stranded(self, *, own: bool, gone_seconds: float = GONE_SECONDS) -> Stranded:
        """What this installation (`own`) and those that are certainly dead left behind, oldest first."""
        gone = [row[0] for row in self._log(_GONE, NODE_LOCK, gone_seconds, gone_seconds)] + [self._number] * own
        if not gone:
            return Stranded()
        held = self._rows(
            "SELECT document FROM reservations WHERE state = 'dispatched' AND installation = ANY(%s) ORDER BY seq", gone
        )
        active = self._rows(
            f"SELECT {_RUN} FROM runs WHERE state = 'active' AND installation = ANY(%s) ORDER BY started_at, id",  # noqa: S608 (constants)
            gone,
        )
        return Stranded(
            reservations=self._values(lambda row: rows.reservation_of(json.loads(row[0])), held),
            runs=self._values(_run_of, active),
        )

    # ------------------------------------------------------------ checkpoints

    def checkpoints_elsewhere(self) -> dict[str, tuple[int, bytes]]:
        """Every other installation's newest checkpoint: origin -> (size, signed note)."""
        found = self._log(
            "SELECT DISTINCT ON (c.installation) i.origin, c.size, c.note FROM checkpoints c JOIN installations i "
            "ON i.number = c.installation WHERE c.installation <> %s ORDER BY c.installation, c.size DESC"
        )
        return {told_text(origin): (size, bytes(note)) for origin, size, note in found}

    def checkpoints_kept_elsewhere(self) -> tuple[bytes, ...]:
        """Our own signed checkpoints where we cannot take them back: in the store, and in the logs of the others."""
        here = self._log("SELECT note FROM checkpoints WHERE installation = %s ORDER BY size")
        there = self._log(
            "SELECT leaf FROM entries WHERE installation <> %s AND position(%s::bytea IN leaf) > 0 "
            "ORDER BY installation, idx",
            EntryKind.LOG_WITNESSED.value.encode(),
        )
        notes = [bytes(row[0]) for row in here]
        for (leaf,) in there:
            with suppress(ValueError, KeyError, TypeError):
                seen = json.loads(leaf)
                if seen["kind"] == EntryKind.LOG_WITNESSED.value and seen["body"]["origin"] == self.origin:
                    notes.append(str(seen["body"]["note"]).encode())
        return tuple(dict.fromkeys(notes))

    # ------------------------------------------------------------ the log

    def entries(self, *, after: int = -1, limit: int = 1000, run: str = "") -> tuple[Entry, ...]:
        """Entries above `after`, in order."""
        where = "installation = %s AND idx > %s AND archived IS NULL" + (" AND run = %s AND run <> ''" if run else "")
        found = self._log(
            f"SELECT idx, leaf FROM entries WHERE {where} ORDER BY idx LIMIT %s",  # noqa: S608 (constants)
            after,
            *((kept_text(run),) if run else ()),
            max(limit, 0),
        )
        return self._values(entry_of, found)

    def newest(self, count: int, *, run: str = "") -> tuple[Entry, ...]:
        """The last `count` entries, in order."""
        where = "installation = %s AND archived IS NULL" + (" AND run = %s AND run <> ''" if run else "")
        found = self._log(
            f"SELECT idx, leaf FROM entries WHERE {where} ORDER BY idx DESC LIMIT %s",  # noqa: S608 (constants)
            *((kept_text(run),) if run else ()),
            count,
        )
        return self._values(entry_of, found[::-1])

    def entries_at(self, indices: Sequence[int]) -> tuple[tuple[Entry, tuple[PrivateField, ...]], ...]:
        """The entries with these indices, in their order, with what lies beside them."""
        wanted = wanted_at(indices)
        found = self._log(
            "SELECT idx, leaf FROM entries WHERE installation = %s AND idx = ANY(%s) AND archived IS NULL ORDER BY idx",
            wanted,
        )
        beside = self._log(
            "SELECT entry, name, salt, value FROM private WHERE installation = %s AND entry = ANY(%s)", wanted
        )
        kept: dict[int, list[PrivateField]] = {}
        for index, item in self._values(_beside_of, beside):
            kept.setdefault(index, []).append(item)
        return tuple(
            (entry, tuple(sorted(kept.get(entry.index, ()), key=lambda item: item.name)))
            for entry in self._values(entry_of, found)
        )

    def private(self, index: int) -> tuple[PrivateField, ...]:
        """What lies beside entry `index`."""
        found = self._log("SELECT name, salt, value FROM private WHERE installation = %s AND entry = %s", index)
        beside = self._values(
            lambda row: PrivateField(name=told_text(row[0]), salt=row[1], value=json.loads(row[2])), found
        )
        return tuple(sorted(beside, key=lambda item: item.name))

    def archived_by(self, index: int) -> int | None:
        """The entry that says where entry `index` was archived; None for one whose leaf is here."""
        found = self._log("SELECT archived FROM entries WHERE installation = %s AND idx = %s", index)
        return int(found[0][0]) if found and found[0][0] is not None else None

    def edge(self, size: int) -> merkle.Edge:
        """The right edge of the first `size` leaves."""
        self._check_size(size)
        return merkle.edge_at(size, self.node)

    def records(
        self, *, run: str = "", size: int | None = None, private: bool = True, after: int = -1
    ) -> Iterator[Record]:
        """Every entry above `after` and below `size` as it lies in the store, page by page.

        Never fails on what a leaf holds.
        """
        end = self.size() if size is None else size
        only = "AND e.run = %s AND e.run <> ''" if run else ""
        while True:
            page = self._log(
                "SELECT e.idx, e.leaf, n.hash, e.archived FROM entries e LEFT JOIN nodes n "  # noqa: S608 (constants)
                "ON n.installation = e.installation AND n.level = 0 AND n.position = e.idx "
                f"WHERE e.installation = %s AND e.idx > %s AND e.idx < %s {only} ORDER BY e.idx LIMIT %s",
                after,
                end,
                *((kept_text(run),) if run else ()),
                PAGE_ENTRIES_MAX,
            )
            if not page:
                return
            last = page[-1][0]
            beside: dict[int, list[PrivateField]] = {}
            for entry, name, salt, value in self._log(
                "SELECT entry, name, salt, value FROM private WHERE installation = %s AND entry > %s AND entry <= %s "
                "ORDER BY entry, name",
                after,
                last,
            ):
                field = PrivateField(name=told_text(name), salt=salt, value=parsed(value))
                beside.setdefault(entry, []).append(field)
            for index, leaf, digest, archived in page:
                yield Record(
                    index=index,
                    leaf=leaf,
                    hash=digest,
                    private=tuple(beside.get(index, ())) if private else (),
                    archived=archived,
                )
            after = last

    def size(self) -> int:
        """Number of leaves."""
        return int(self._log("SELECT coalesce(max(idx) + 1, 0) FROM entries WHERE installation = %s")[0][0])

    def node(self, level: int, position: int) -> bytes:
        """The hash of a complete node."""
        found = self._log(
            "SELECT hash FROM nodes WHERE installation = %s AND level = %s AND position = %s", level, position
        )
        if not found:
            raise StoreError(
                f"the store `{self.place.shown}` lacks tree node ({level}, {position})",
                hint="run `comptroller audit verify` and restore the newest backup",
            )
        return bytes(found[0][0])

    def root(self, size: int) -> bytes:
        """RFC 6962 root of the first `size` leaves."""
        self._check_size(size)
        return merkle.root_at(size, self.node)

    def inclusion(self, index: int, size: int) -> tuple[bytes, ...]:
        """RFC 6962 inclusion proof."""
        self._check_size(size)
        return _proof(lambda: merkle.inclusion_proof(index, size, self.node))

    def consistency(self, old: int, new: int) -> tuple[bytes, ...]:
        """RFC 6962 consistency proof."""
        self._check_size(new)
        return _proof(lambda: merkle.consistency_proof(old, new, self.node))

    def _check_size(self, size: int) -> None:
        if not 0 <= size <= self.size():
            raise StoreError(f"the log has {self.size()} entries, not `{size}`")


def number_of(connection: Connection, origin: str) -> int:
    """The number of installation `origin`, given to it now where it is new. Raises `psycopg.Error`."""
    connection.execute("INSERT INTO installations (origin) VALUES (%s) ON CONFLICT DO NOTHING", (kept_text(origin),))
    found = connection.execute("SELECT number FROM installations WHERE origin = %s", (kept_text(origin),)).fetchone()
    assert found is not None
    return int(found[0])


def edge_of(connection: Connection, place: Place, number: int) -> merkle.Edge:
    """The right edge of an installation's tree as stored. Raises `StoreError` where tree and entries do not fit."""
    damaged = StoreError(
        f"the store `{place.shown}` is damaged: the tree does not fit its entries",
        hint="stop every gateway, and restore the newest backup",
    )

    def node(level: int, position: int) -> bytes:
        found = _node(connection, number, level, position)
        if found is None:
            raise damaged
        return found

    last = connection.execute(
        "SELECT idx, leaf FROM entries WHERE installation = %s ORDER BY idx DESC LIMIT 1", (number,)
    ).fetchone()
    leaves = connection.execute(
        "SELECT coalesce(max(position) + 1, 0) FROM nodes WHERE installation = %s AND level = 0", (number,)
    ).fetchone()
    size = int(last[0]) + 1 if last is not None else 0
    # INVARIANT: the last entry is the last leaf of the tree.
    if leaves is None or leaves[0] != size or (last is not None and merkle.leaf_hash(last[1]) != node(0, size - 1)):
        raise damaged
    return merkle.edge_at(size, node)


def root_of(connection: Connection, number: int, size: int) -> bytes | None:
    """The root of an installation's first `size` leaves, None where the store lacks them. Raises `psycopg.Error`."""

    def node(level: int, position: int) -> bytes:
        found = _node(connection, number, level, position)
        if found is None:
            raise LookupError
        return found

    try:
        return merkle.root_at(size, node)
    except LookupError:
        return None


def _node(connection: Connection, number: int, level: int, position: int) -> bytes | None:
    found = connection.execute(
        "SELECT hash FROM nodes WHERE installation = %s AND level = %s AND position = %s", (number, level, position)
    ).fetchone()
    return None if found is None else bytes(found[0])


def _proof(make: Callable[[], Sequence[bytes]]) -> tuple[bytes, ...]:
    try:
        return tuple(make())
    except ValueError as error:
        raise StoreError(str(error)) from error


def _run_of(row: Sequence[Any]) -> Run:
    return rows.run_of(_told(row))


def _brake_of(row: Sequence[Any]) -> Brake:
    return rows.brake_of(_told(row))


def _distrust_of(row: Sequence[Any]) -> Distrust:
    return rows.distrust_of(_told(row))


def _beside_of(row: tuple[int, str, bytes, str]) -> tuple[int, PrivateField]:
    index, name, salt, value = row
    return index, PrivateField(name=told_text(name), salt=salt, value=json.loads(value))


def _told(row: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(told_text(part) if isinstance(part, str) else part for part in row)
