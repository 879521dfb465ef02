"""Reads of the writer: what a decision wants and is not known yet, each kind in one statement."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from functools import lru_cache

from comptroller.core.approval import Approval
from comptroller.core.brake import Brake
from comptroller.core.budget import Account, AccountKey, Budget
from comptroller.core.document import Document, DocumentKind
from comptroller.core.errors import StoreError
from comptroller.core.holding import Holding
from comptroller.core.reservation import Reservation
from comptroller.ports import ENTRIES_AT_MAX
from comptroller.stores import rows

FACT_ROWS_MAX = 100
"""How many approvals or reservations of one question a decision is shown, the newest first."""


INDEX_MAX = 2**53 - 1


def wanted_at(indices: Sequence[int]) -> list[int]:
    """Indices as `Store.entries_at` reads them: each once, in order, none that no log has. Raises `StoreError`."""
    if len(indices) > ENTRIES_AT_MAX:
        raise StoreError(f"{len(indices)} entries are too many to read at once: at most {ENTRIES_AT_MAX}")
    return sorted({index for index in indices if 0 <= index <= INDEX_MAX})


BUDGET_COLUMNS = "scope, unit, window, amount, on_exceed"
"""As `rows.budget_of` takes them."""


def read_scopes(connection: sqlite3.Connection, scope: str) -> tuple[tuple[Budget, ...], Brake | None]:
    """The budgets of one scope, and its brake where it is not free. Raises `sqlite3.Error`."""
    sql = f"SELECT {BUDGET_COLUMNS} FROM budgets WHERE scope = ?"  # noqa: S608 (constants)
    budgets = tuple(map(rows.budget_of, connection.execute(sql, (scope,)).fetchall()))
    held = connection.execute("SELECT * FROM brakes WHERE scope = ? AND state <> 'free'", (scope,)).fetchone()
    return budgets, rows.brake_of(held) if held else None


def read_approvals(connection: sqlite3.Connection, run: str) -> tuple[Approval, ...]:
    """All approvals of a run, in the order they were first written. Raises `sqlite3.Error`."""
    found = connection.execute("SELECT document FROM approvals WHERE run = ? ORDER BY seq", (run,)).fetchall()
    return tuple(rows.approval_of(json.loads(row[0])) for row in found)


def read_calls(connection: sqlite3.Connection, call: tuple[str, str, str]) -> tuple[Reservation, ...]:
    """The newest reservations of (run, digest, retry token). Raises `sqlite3.Error`."""
    found = connection.execute(
        "SELECT document FROM reservations WHERE run = ? AND digest = ? AND retry_token = ? "
        "ORDER BY created_at DESC, seq DESC LIMIT ?",
        (*call, FACT_ROWS_MAX),
    ).fetchall()
    return tuple(rows.reservation_of(json.loads(row[0])) for row in found)


def read_holdings(connection: sqlite3.Connection, run: str) -> tuple[Holding, ...]:
    """All holdings of a run, in the order they were first written. Raises `sqlite3.Error`."""
    found = connection.execute("SELECT document FROM holdings WHERE run = ? ORDER BY seq", (run,)).fetchall()
    return tuple(rows.holding_of(json.loads(row[0])) for row in found)


DOCUMENT_COLUMNS = "id, kind, scope, open, at, body"
"""As `rows.document_of` takes them."""


def read_documents(connection: sqlite3.Connection, kind: DocumentKind, scope: str) -> tuple[Document, ...]:
    """The open documents of a kind and scope, in the order they were first written. Raises `sqlite3.Error`."""
    sql = f"SELECT {DOCUMENT_COLUMNS} FROM documents WHERE kind = ? AND open = 1 AND scope = ? ORDER BY seq"  # noqa: S608 (constants)
    return tuple(map(rows.document_of, connection.execute(sql, (kind.value, scope)).fetchall()))


def read_document(connection: sqlite3.Connection, document_id: str) -> Document | None:
    """One document, open or not. Raises `sqlite3.Error`."""
    sql = f"SELECT {DOCUMENT_COLUMNS} FROM documents WHERE id = ?"  # noqa: S608 (constants)
    row = connection.execute(sql, (document_id,)).fetchone()
    return rows.document_of(row) if row else None


def read_accounts(connection: sqlite3.Connection, keys: Sequence[AccountKey]) -> Mapping[AccountKey, Account]:
    """The accounts that exist among `keys`. Raises `sqlite3.Error`."""
    found: dict[AccountKey, Account] = {}
    for start in range(0, len(keys), FACT_ROWS_MAX):
        chunk = keys[start : start + FACT_ROWS_MAX]
        statement = _accounts_statement(len(chunk))
        for row in connection.execute(statement, [part for key in chunk for part in key]).fetchall():
            scope, unit, window, begin, settled, dispatched, reserved, suspense = row
            # INVARIANT: no account is ever negative.
            assert min(settled, dispatched, reserved, suspense) >= 0, scope
            found[(scope, unit, window, begin)] = Account(
                settled=settled, dispatched=dispatched, reserved=reserved, suspense=suspense
            )
    return found


@lru_cache(maxsize=FACT_ROWS_MAX)
def _accounts_statement(count: int) -> str:
    values = ",".join(["(?,?,?,?)"] * count)
    return (
        "SELECT scope, unit, window, start, settled, dispatched, reserved, suspense "  # noqa: S608 (placeholders)
        f"FROM accounts WHERE (scope, unit, window, start) IN (VALUES {values})"
    )
