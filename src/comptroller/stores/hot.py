"""What the one writer knows without asking the disk: the rows that decisions read, and those not yet written.

SQLite stays the truth. Everything here was read from it or is written to it in the transaction at hand; whenever that
transaction fails, or another program wrote, all of it is forgotten.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from comptroller.core.approval import Approval
from comptroller.core.brake import Brake, BrakeState, Run
from comptroller.core.budget import Account, AccountKey, Budget, BudgetState, budget_states
from comptroller.core.document import Document, DocumentKind
from comptroller.core.holding import Holding
from comptroller.core.reservation import Reservation
from comptroller.ports import Changes, Facts, Wants
from comptroller.stores import rows
from comptroller.stores.database import insert_many
from comptroller.stores.facts import (
    FACT_ROWS_MAX,
    read_accounts,
    read_approvals,
    read_calls,
    read_document,
    read_documents,
    read_holdings,
    read_scopes,
)
from comptroller.stores.prepared import Pending, Prepared
from comptroller.stores.rows import Row

ROWS_MAX = 50_000
"""Above it everything is forgotten and read again as needed."""


@dataclass(slots=True)
class _Scope:
    budgets: dict[tuple[str, str, str], Budget]
    brake: Brake | None


class Hot:
    """Belongs to one connection and one thread. Every method may raise `sqlite3.Error`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._pending = Pending()
        self.forget()

    def forget(self) -> None:
        """Know nothing any more. What is pending is kept."""
        self._scopes: dict[str, _Scope] = {}
        self._accounts: dict[AccountKey, Account] = {}
        self._runs: dict[str, Run | None] = {}
        self._asked: dict[str, dict[str, dict[str, Approval]]] = {}
        self._approvals: dict[str, Approval] = {}
        self._reservations: dict[str, Reservation] = {}
        self._holdings: dict[str, dict[str, Holding]] = {}
        self._documents: dict[tuple[DocumentKind, str], dict[str, Document]] = {}

    def trim(self) -> None:
        """Between transactions: stay within `ROWS_MAX`."""
        rows_held = len(self._accounts) + len(self._runs) + len(self._approvals) + len(self._reservations)
        rows_held += sum(map(len, self._holdings.values())) + sum(map(len, self._documents.values()))
        if rows_held + len(self._scopes) + len(self._documents) > ROWS_MAX:
            self.forget()

    # ------------------------------------------------------------ facts

    def facts(self, wants: Wants) -> Facts:
        """What is known of `wants`, this transaction's earlier decisions included."""
        scopes = [self._scope(path) for path in wants.scopes]
        brakes = [scope.brake for scope in scopes if scope.brake is not None]
        return Facts(
            budgets=self._budgets(scopes, wants.now) if scopes else (),
            brakes=tuple(sorted(brakes, key=lambda brake: brake.scope)),
            run=self._run(wants.run) if wants.run else None,
            approvals=self._of_question(*wants.digest_of) if wants.digest_of else (),
            calls=self._of_call(wants.call) if wants.call else (),
            approval=self._approval(wants.approval) if wants.approval else None,
            reservation=self._reservation(wants.reservation) if wants.reservation else None,
            holding=self._holding(wants.holding) if wants.holding else None,
            holdings=tuple(item for item in self._made_by(wants.holdings_of).values() if item.open)
            if wants.holdings_of
            else (),
            document=self._document(wants.document) if wants.document else None,
            documents=tuple(item for key in wants.documents for item in self._open_documents(*key).values())
            if wants.documents
            else (),
        )

    def accounts(self, keys: Sequence[AccountKey]) -> Mapping[AccountKey, Account]:
        """The accounts behind `keys`; one that does not exist yet is empty."""
        missing = [key for key in keys if key not in self._accounts]
        if missing:
            self._accounts |= dict.fromkeys(missing, Account()) | dict(read_accounts(self._connection, missing))
        return self._accounts

    def _scope(self, path: str) -> _Scope:
        known = self._scopes.get(path)
        if known is None:
            budgets, brake = read_scopes(self._connection, path)
            known = self._scopes[path] = _Scope({budget.key: budget for budget in budgets}, brake)
        return known

    def _budgets(self, scopes: Sequence[_Scope], now: datetime) -> tuple[BudgetState, ...]:
        return budget_states((budget for scope in scopes for budget in scope.budgets.values()), now, self.accounts)

    def _run(self, run_id: str) -> Run | None:
        if run_id not in self._runs:
            row = self._connection.execute("SELECT * FROM runs WHERE id = ?", (run_id,)).fetchone()
            self._runs[run_id] = rows.run_of(row) if row else None
        return self._runs[run_id]

    def _of_question(self, run: str, digest: str) -> tuple[Approval, ...]:
        found = list(self._of_run(run).get(digest, {}).values())
        found.sort(key=lambda approval: approval.asked_at)
        return tuple(found[: -FACT_ROWS_MAX - 1 : -1])

    def _of_run(self, run: str) -> dict[str, dict[str, Approval]]:
        known = self._asked.get(run)
        if known is None:
            known = self._asked[run] = {}
            for approval in read_approvals(self._connection, run):
                self._keep(self._approvals.get(approval.id, approval))
        return known

    def _keep(self, approval: Approval) -> None:
        self._approvals[approval.id] = approval
        self._asked[approval.run].setdefault(approval.digest, {})[approval.id] = approval

    def _approval(self, approval_id: str) -> Approval | None:
        if approval_id not in self._approvals:
            row = self._connection.execute("SELECT run FROM approvals WHERE id = ?", (approval_id,)).fetchone()
            if row is not None:
                self._of_run(row[0])
        return self._approvals.get(approval_id)

    def _reservation(self, reservation_id: str) -> Reservation | None:
        if reservation_id not in self._reservations:
            sql = "SELECT document FROM reservations WHERE id = ?"
            row = self._connection.execute(sql, (reservation_id,)).fetchone()
            if row is None:
                return None
            self._reservations[reservation_id] = rows.reservation_of(json.loads(row[0]))
        return self._reservations[reservation_id]

    def _holding(self, holding_id: str) -> Holding | None:
        row = self._connection.execute("SELECT run FROM holdings WHERE id = ?", (holding_id,)).fetchone()
        run = row[0] if row is not None else next((r for r, made in self._holdings.items() if holding_id in made), None)
        return self._made_by(run).get(holding_id) if run is not None else None

    def _made_by(self, run: str) -> dict[str, Holding]:
        known = self._holdings.get(run)
        if known is None:
            known = self._holdings[run] = {item.id: item for item in read_holdings(self._connection, run)}
        return known

    def _document(self, document_id: str) -> Document | None:
        """Few ask for one by its name: written out first, then asked of the disk."""
        self.flush()
        return read_document(self._connection, document_id)

    def _open_documents(self, kind: DocumentKind, scope: str) -> dict[str, Document]:
        known = self._documents.get((kind, scope))
        if known is None:
            self.flush()
            found = read_documents(self._connection, kind, scope)
            known = self._documents[kind, scope] = {item.id: item for item in found}
        return known

    def _of_call(self, call: tuple[str, str, str]) -> tuple[Reservation, ...]:
        """Calls with an idempotency token are few: written out first, then asked of the disk."""
        self.flush()
        return read_calls(self._connection, call)

    # ------------------------------------------------------------ changes

    def apply(self, changes: Changes, prepared: Prepared) -> None:
        """Take over one decision. `prepared` has its rows in the order of `changes`."""
        pending = self._pending
        for run, row in zip(changes.runs, prepared.runs, strict=True):
            self._runs[run.id] = run
            pending.runs[run.id] = row
        for budget, row in zip(changes.budgets, prepared.budgets, strict=True):
            self._scope(budget.scope).budgets[budget.key] = budget
            pending.budgets_removed.pop(budget.key, None)
            pending.budgets[budget.key] = row
        for budget in changes.budgets_removed:
            self._scope(budget.scope).budgets.pop(budget.key, None)
            pending.budgets.pop(budget.key, None)
            pending.budgets_removed[budget.key] = budget.key
        for row in prepared.accounts:
            key = (row[0], row[1], row[2], row[3])
            self._accounts[key] = Account(settled=row[4], dispatched=row[5], reserved=row[6], suspense=row[7])
            pending.accounts[key] = row
        for reservation, row in zip(changes.reservations, prepared.reservations, strict=True):
            self._reservations[reservation.id] = reservation
            pending.reservations[reservation.id] = row
        for approval, row in zip(changes.approvals, prepared.approvals, strict=True):
            self._of_run(approval.run)
            self._keep(approval)
            pending.approvals[approval.id] = row
        for brake, row in zip(changes.brakes, prepared.brakes, strict=True):
            self._scope(brake.scope).brake = None if brake.state is BrakeState.FREE else brake
            pending.brakes[brake.scope] = row
        for row in prepared.distrusts:
            pending.distrusts[row[0]] = row
        for holding, row in zip(changes.holdings, prepared.holdings, strict=True):
            self._made_by(holding.run)[holding.id] = holding
            pending.holdings[holding.id] = row
        for document, row in zip(changes.documents, prepared.documents, strict=True):
            self._keep_document(document)
            pending.documents[document.id] = row

    def _keep_document(self, document: Document) -> None:
        """Among those of its kind and scope while it is open, where these are known; it may have had another scope."""
        for (kind, scope), known in self._documents.items():
            if document.open and (kind, scope) == (document.kind, document.scope):
                known[document.id] = document
            else:
                known.pop(document.id, None)

    def flush(self) -> None:
        """Write what is pending, a table a statement: each must win back the interpreter lock."""
        pending, self._pending = self._pending, Pending()
        for head, columns, table, tail in (
            ("INSERT INTO accounts", 8, pending.accounts, _ACCOUNTS),
            ("INSERT INTO reservations (id, run, digest, retry_token, state, created_at, document)", 7,
             pending.reservations, _RESERVATIONS),
            ("INSERT INTO approvals (id, run, digest, state, asked_at, document)", 6, pending.approvals, _APPROVALS),
            ("INSERT OR REPLACE INTO runs", 11, pending.runs, ""),
            ("INSERT OR REPLACE INTO budgets", 5, pending.budgets, ""),
            ("INSERT OR REPLACE INTO brakes", 5, pending.brakes, ""),
            ("INSERT OR REPLACE INTO distrusts", 5, pending.distrusts, ""),
            ("INSERT INTO holdings (id, run, state, document)", 4, pending.holdings, _HOLDINGS),
            ("INSERT INTO documents (id, kind, scope, open, at, body)", 6, pending.documents, _DOCUMENTS),
        ):  # fmt: skip
            if table:
                insert_many(self._connection, head, columns, list(table.values()), tail)
        if pending.budgets_removed:
            _remove_budgets(self._connection, pending.budgets_removed.values())


_ACCOUNTS = (
    "ON CONFLICT DO UPDATE SET settled = excluded.settled, dispatched = excluded.dispatched, "
    "reserved = excluded.reserved, suspense = excluded.suspense"
)
_RESERVATIONS = (
    "ON CONFLICT (id) DO UPDATE SET run = excluded.run, digest = excluded.digest, state = excluded.state, "
    "retry_token = excluded.retry_token, created_at = excluded.created_at, document = excluded.document"
)
_APPROVALS = (
    "ON CONFLICT (id) DO UPDATE SET run = excluded.run, digest = excluded.digest, state = excluded.state, "
    "asked_at = excluded.asked_at, document = excluded.document"
)

_HOLDINGS = "ON CONFLICT (id) DO UPDATE SET run = excluded.run, state = excluded.state, document = excluded.document"


_DOCUMENTS = (
    "ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, scope = excluded.scope, open = excluded.open, "
    "at = excluded.at, body = excluded.body"
)


def _remove_budgets(connection: sqlite3.Connection, keys: Iterable[Row]) -> None:
    connection.executemany("DELETE FROM budgets WHERE scope = ? AND unit = ? AND window = ?", keys)
