"""Reads the SQLite store and never writes it: for the store's own reads, and for `audit` beside a running `serve`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from comptroller.core import merkle
from comptroller.core.approval import Approval, ApprovalState
from comptroller.core.audit import Entry, PrivateField
from comptroller.core.brake import Brake, Run
from comptroller.core.budget import BudgetState, budget_states
from comptroller.core.distrust import Distrust
from comptroller.core.document import Document, DocumentKind
from comptroller.core.errors import StoreError
from comptroller.core.holding import Holding
from comptroller.core.reservation import Reservation
from comptroller.core.walk import Record
from comptroller.ports import Stranded
from comptroller.stores import migrations, rows
from comptroller.stores.database import explaining, open_for_reading
from comptroller.stores.facts import BUDGET_COLUMNS, DOCUMENT_COLUMNS, read_accounts, wanted_at

T = TypeVar("T")

PAGE_ENTRIES_MAX = 1000


class SqliteReader:
    """One read-only connection. Use it in the thread that made it; every method raises `StoreError`."""

    def __init__(self, path: Path, steps: Sequence[migrations.Migration] = migrations.MIGRATIONS) -> None:
        self.path = path
        self._connection = open_for_reading(path)
        try:
            with explaining(path):
                version = migrations.check(self._connection, path, steps)
            if version < len(steps):
                raise StoreError(
                    f"`{path}` was written by an older Comptroller (store version {version})",
                    hint="start `comptroller serve` once: it backs the store up and brings it up to date",
                )
        except BaseException:
            self._connection.close()
            raise

    def __enter__(self) -> SqliteReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def _rows(self, sql: str, parameters: Mapping[str, object] | Sequence[object] = ()) -> list[Any]:
        with explaining(self.path):
            return self._connection.execute(sql, parameters).fetchall()

    def _values(self, make: Callable[[Any], T], found: Sequence[Any]) -> tuple[T, ...]:
        try:
            return tuple(map(make, found))
        except (ValueError, KeyError, TypeError, AssertionError) as error:
            raise StoreError(
                f"the store `{self.path}` is damaged: a row cannot be understood",
                hint="`comptroller audit verify` shows whether the log is whole; restore the newest backup",
            ) from error

    # ------------------------------------------------------------ rows

    def runs(self) -> tuple[Run, ...]:
        """All runs, newest first."""
        return self._values(rows.run_of, self._rows("SELECT * FROM runs ORDER BY started_at DESC, id DESC"))

    def approvals(self, state: ApprovalState | None = None) -> tuple[Approval, ...]:
        """Approvals, newest first."""
        where = "WHERE state = ? " if state else ""
        found = self._rows(
            f"SELECT document FROM approvals {where}ORDER BY asked_at DESC, seq DESC",  # noqa: S608 (constants)
            (state.value,) if state else (),
        )
        return self._values(lambda row: rows.approval_of(json.loads(row[0])), found)

    def approvals_page(self, state: ApprovalState | None, after: str, limit: int) -> tuple[Approval, ...]:
        """By their ids, the last first."""
        wheres = [text for text, asked in (("state = ?", state), ("id < ?", after)) if asked]
        where = f"WHERE {' AND '.join(wheres)} " if wheres else ""
        values = [value for value in (state.value if state else "", after) if value]
        found = self._rows(
            f"SELECT document FROM approvals {where}ORDER BY id DESC LIMIT ?",  # noqa: S608 (constants)
            (*values, limit),
        )
        return self._values(lambda row: rows.approval_of(json.loads(row[0])), found)

    def unused_grants(self) -> tuple[Approval, ...]:
        """Those whose yes was not used, newest first."""
        found = self._rows(
            f"SELECT document FROM approvals WHERE {rows.UNUSED_SQLITE} "  # noqa: S608 (constants)
            "ORDER BY asked_at DESC, seq DESC"
        )
        return tuple(filter(rows.is_unused, self._values(lambda row: rows.approval_of(json.loads(row[0])), found)))

    def approvals_count(self, state: ApprovalState) -> int:
        """How many are in one state."""
        return int(self._rows("SELECT count(*) FROM approvals WHERE state = ?", (state.value,))[0][0])

    def answered(self, limit: int) -> tuple[Approval, ...]:
        """Those no longer pending, the newest questions first."""
        found = self._rows(
            "SELECT document FROM approvals WHERE state <> 'pending' ORDER BY asked_at DESC, seq DESC LIMIT ?",
            (limit,),
        )
        return self._values(lambda row: rows.approval_of(json.loads(row[0])), found)

    def approval(self, approval_id: str) -> Approval | None:
        """One approval."""
        found = self._rows("SELECT document FROM approvals WHERE id = ?", (approval_id,))
        return next(iter(self._values(lambda row: rows.approval_of(json.loads(row[0])), found)), None)

    def budgets(self, now: datetime) -> tuple[BudgetState, ...]:
        """Every budget with the account of its current window."""
        budgets = self._values(rows.budget_of, self._rows(f"SELECT {BUDGET_COLUMNS} FROM budgets"))  # noqa: S608 (constants)
        with explaining(self.path):
            return budget_states(budgets, now, lambda keys: read_accounts(self._connection, keys))

    def brakes(self) -> tuple[Brake, ...]:
        """Every brake that is not free."""
        return self._values(rows.brake_of, self._rows("SELECT * FROM brakes WHERE state <> 'free' ORDER BY scope"))

    def distrusts(self) -> tuple[Distrust, ...]:
        """Every price that was ever distrusted, confirmed ones too."""
        return self._values(rows.distrust_of, self._rows("SELECT * FROM distrusts ORDER BY key"))

    def open_reservations(self) -> tuple[Reservation, ...]:
        """Reservations that hold money, oldest first."""
        found = self._rows(
            "SELECT document FROM reservations WHERE state IN ('reserved', 'dispatched', 'suspense') ORDER BY seq"
        )
        return self._values(lambda row: rows.reservation_of(json.loads(row[0])), found)

    def stranded(self) -> Stranded:
        """What is dispatched, and the runs that are active, oldest first."""
        held = self._rows("SELECT document FROM reservations WHERE state = 'dispatched' ORDER BY seq")
        active = self._rows("SELECT * FROM runs WHERE state = 'active' ORDER BY started_at, id")
        return Stranded(
            reservations=self._values(lambda row: rows.reservation_of(json.loads(row[0])), held),
            runs=self._values(rows.run_of, active),
        )

    def documents(self, kind: DocumentKind, *, scope: str | None = None, every: bool = False) -> tuple[Document, ...]:
        """Documents of a kind, in the order they were first written."""
        where = f"kind = ?{'' if every else ' AND open = 1'}{'' if scope is None else ' AND scope = ?'}"
        found = self._rows(
            f"SELECT {DOCUMENT_COLUMNS} FROM documents WHERE {where} ORDER BY seq",  # noqa: S608 (constants)
            (kind.value, *(() if scope is None else (scope,))),
        )
        return self._values(rows.document_of, found)

    def document(self, document_id: str) -> Document | None:
        """One document, open or not."""
        found = self._rows(f"SELECT {DOCUMENT_COLUMNS} FROM documents WHERE id = ?", (document_id,))  # noqa: S608 (constants)
        return next(iter(self._values(rows.document_of, found)), None)

    def holdings(self, *, every: bool = False) -> tuple[Holding, ...]:
        """What is still there, oldest first; with `every` also what is not."""
        where = "" if every else "WHERE state NOT IN ('closed', 'forgotten') "
        found = self._rows(f"SELECT document FROM holdings {where}ORDER BY seq")  # noqa: S608 (constants)
        return self._values(lambda row: rows.holding_of(json.loads(row[0])), found)

    # ------------------------------------------------------------ the log

    def entries(self, *, after: int = -1, limit: int = 1000, run: str = "") -> tuple[Entry, ...]:
        """Entries above `after`, in order."""
        where = "idx > ? AND archived IS NULL" + (" AND run = ? AND run <> ''" if run else "")
        found = self._rows(
            f"SELECT idx, leaf FROM entries WHERE {where} ORDER BY idx LIMIT ?",  # noqa: S608 (constants)
            (after, run, limit) if run else (after, limit),
        )
        return self._values(entry_of, found)

    def newest(self, count: int, *, run: str = "") -> tuple[Entry, ...]:
        """The last `count` entries, in order."""
        where = "WHERE archived IS NULL" + (" AND run = ? AND run <> '' " if run else " ")
        found = self._rows(
            f"SELECT idx, leaf FROM entries {where}ORDER BY idx DESC LIMIT ?",  # noqa: S608 (constants)
            (run, count) if run else (count,),
        )
        return self._values(entry_of, found[::-1])

    def entries_at(self, indices: Sequence[int]) -> tuple[tuple[Entry, tuple[PrivateField, ...]], ...]:
        """The entries with these indices, in their order, with what lies beside them."""
        wanted = json.dumps(wanted_at(indices))
        found = self._rows(
            "SELECT idx, leaf FROM entries WHERE idx IN (SELECT value FROM json_each(?)) AND archived IS NULL "
            "ORDER BY idx",
            (wanted,),
        )
        beside = self._rows(
            "SELECT entry, name, salt, value FROM private WHERE entry IN (SELECT value FROM json_each(?)) "
            "ORDER BY entry, name",
            (wanted,),
        )
        kept: dict[int, list[PrivateField]] = {}
        for index, item in self._values(_beside_of, beside):
            kept.setdefault(index, []).append(item)
        return tuple((entry, tuple(kept.get(entry.index, ()))) for entry in self._values(entry_of, found))

    def private(self, index: int) -> tuple[PrivateField, ...]:
        """What lies beside entry `index`."""
        found = self._rows("SELECT name, salt, value FROM private WHERE entry = ? ORDER BY name", (index,))
        return self._values(lambda row: PrivateField(name=row[0], salt=row[1], value=json.loads(row[2])), found)

    def archived_by(self, index: int) -> int | None:
        """The entry that says where entry `index` was archived; None for one whose leaf is here."""
        found = self._rows("SELECT archived FROM entries WHERE idx = ?", (index,))
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
        only = "AND e.run = :run AND e.run <> ''" if run else ""
        while True:
            bounds: dict[str, object] = {"after": after, "end": end, "run": run, "limit": PAGE_ENTRIES_MAX}
            page = self._rows(
                "SELECT e.idx, e.leaf, n.hash, e.archived FROM entries e "  # noqa: S608 (constants)
                "LEFT JOIN nodes n ON n.level = 0 AND n.position = e.idx "
                f"WHERE e.idx > :after AND e.idx < :end {only} ORDER BY e.idx LIMIT :limit",
                bounds,
            )
            if not page:
                return
            last = page[-1][0]
            beside: dict[int, list[PrivateField]] = {}
            for entry, name, salt, value in self._rows(
                "SELECT entry, name, salt, value FROM private WHERE entry > ? AND entry <= ? ORDER BY entry, name",
                (after, last),
            ):
                beside.setdefault(entry, []).append(PrivateField(name=name, salt=salt, value=parsed(value)))
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
        return int(self._rows("SELECT coalesce(max(idx) + 1, 0) FROM entries")[0][0])

    def node(self, level: int, position: int) -> bytes:
        """The hash of a complete node."""
        found = self._rows("SELECT hash FROM nodes WHERE level = ? AND position = ?", (level, position))
        if not found:
            raise StoreError(
                f"the store `{self.path}` lacks tree node ({level}, {position})",
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
        with _asked():
            return merkle.inclusion_proof(index, size, self.node)

    def consistency(self, old: int, new: int) -> tuple[bytes, ...]:
        """RFC 6962 consistency proof."""
        self._check_size(new)
        with _asked():
            return merkle.consistency_proof(old, new, self.node)

    def _check_size(self, size: int) -> None:
        if not 0 <= size <= self.size():
            raise StoreError(f"the log has {self.size()} entries, not `{size}`")


class _asked:
    """Turns a proof that cannot be into `StoreError`."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, ValueError):
            raise StoreError(str(error)) from error


def entry_of(row: tuple[int, bytes]) -> Entry:
    """The entry in a row (idx, leaf). Raises `AssertionError` for a leaf that says another index."""
    index, leaf = row
    document = json.loads(leaf)
    # INVARIANT: the leaf at position n says that it is entry n.
    assert document["index"] == index, index
    return Entry(index=index, leaf=leaf, document=document)


def _beside_of(row: tuple[int, str, bytes, str]) -> tuple[int, PrivateField]:
    index, name, salt, value = row
    return index, PrivateField(name=name, salt=salt, value=json.loads(value))


def parsed(text: str) -> object:
    """The parsed value, or the text itself where it is broken: its commitment will not match then."""
    try:
        return json.loads(text)
    except ValueError:
        return text
