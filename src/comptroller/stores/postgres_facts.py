"""The facts of one batch of decisions, read under lock from PostgreSQL, and the rows that the batch changes.

Every gateway locks in the same order, so that none ever waits in a circle: reservations, holdings, documents, runs,
approvals, each by id, then scopes from the leaf to the root. Whoever writes a budget, an account or a brake holds the
row of its scope. Nothing is remembered beyond the transaction: another gateway may have changed it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from comptroller.core.approval import Approval
from comptroller.core.brake import Brake, BrakeState, Run
from comptroller.core.budget import Account, AccountKey, Budget, budget_states
from comptroller.core.document import Document
from comptroller.core.holding import Holding
from comptroller.core.reservation import Reservation
from comptroller.ports import Changes, Facts, Wants
from comptroller.stores import rows
from comptroller.stores.facts import FACT_ROWS_MAX
from comptroller.stores.postgres_database import kept_text, told_text
from comptroller.stores.prepared import Pending, Prepared
from comptroller.stores.rows import Row

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[Any]

_RESERVATIONS = """SELECT seq, document FROM reservations WHERE id IN (
    SELECT unnest(%s::text[]) UNION
    SELECT newest.id FROM unnest(%s::text[], %s::text[], %s::text[]) AS k (run, digest, token), LATERAL (
        SELECT r.id FROM reservations r WHERE r.run = k.run AND r.digest = k.digest
            AND md5(r.retry_token) = md5(k.token) AND r.retry_token = k.token
            ORDER BY r.created_at DESC, r.seq DESC LIMIT %s) AS newest
    ) ORDER BY id FOR UPDATE"""
_HOLDINGS = """SELECT seq, document FROM holdings WHERE id IN (
    SELECT unnest(%s::text[]) UNION
    SELECT h.id FROM unnest(%s::text[]) AS k (run) JOIN holdings h ON h.run = k.run
    ) ORDER BY id FOR UPDATE"""
_DOCUMENTS = """SELECT seq, id, kind, scope, open, at, body FROM documents WHERE id IN (
    SELECT unnest(%s::text[]) UNION
    SELECT d.id FROM unnest(%s::text[], %s::text[]) AS k (kind, scope)
        JOIN documents d ON d.kind = k.kind AND d.open = 1 AND d.scope = k.scope
    ) ORDER BY id FOR UPDATE"""
_RUNS = """SELECT id, agent, owner, path, purpose, state, started_at, ended_at, exit_code, observed, unboxed FROM runs
    WHERE id = ANY(%s::text[]) ORDER BY id FOR UPDATE"""
_APPROVALS = """SELECT seq, document FROM approvals WHERE id IN (
    SELECT unnest(%s::text[]) UNION
    SELECT a.id FROM unnest(%s::text[], %s::text[]) AS k (run, digest)
        JOIN approvals a ON a.run = k.run AND a.digest = k.digest
    ) ORDER BY id FOR UPDATE"""
_SCOPES = """SELECT scope FROM scopes WHERE scope IN (
    SELECT unnest(%s::text[]) UNION SELECT unnest(r.scopes) FROM reservations r WHERE r.id = ANY(%s::text[])
    ) ORDER BY depth DESC, scope FOR UPDATE"""
_BUDGETS = 'SELECT scope, unit, "window", amount, on_exceed FROM budgets WHERE scope = ANY(%s::text[])'
_BRAKES = "SELECT scope, state, reason, \"by\", at FROM brakes WHERE scope = ANY(%s::text[]) AND state <> 'free'"
ACCOUNTS = """SELECT a.scope, a.unit, a."window", a.start, a.settled, a.dispatched, a.reserved, a.suspense
    FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[]) AS k (scope, unit, win, start)
    JOIN accounts a ON a.scope = k.scope AND a.unit = k.unit AND a."window" = k.win AND a.start = k.start"""
ADD_SCOPES = """INSERT INTO scopes SELECT s, cardinality(string_to_array(s, '/')) FROM unnest(%s::text[]) AS s
    ORDER BY 2 DESC, 1 ON CONFLICT DO NOTHING"""


class LockedFacts:
    """What the decisions of one transaction want, and what they made of it. Every method may raise `psycopg.Error`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.pending = Pending()
        self._locked: set[str] = set()
        self._budgets: dict[str, dict[tuple[str, str, str], Budget]] = {}
        self._brakes: dict[str, Brake] = {}
        self._accounts: dict[AccountKey, Account] = {}
        self._runs: dict[str, Run] = {}
        self._approvals: dict[str, Approval] = {}
        self._reservations: dict[str, Reservation] = {}
        self._holdings: dict[str, Holding] = {}
        self._documents: dict[str, Document] = {}

    # ------------------------------------------------------------ reading

    def read(self, wants: Sequence[Wants]) -> None:
        """Begin a transaction, lock and read everything that `wants` name: two round trips, however many they are."""
        scopes = sorted({scope for each in wants for scope in each.scopes})
        reservations = {each.reservation for each in wants if each.reservation}
        calls = sorted({each.call for each in wants if each.call})
        runs = {each.run for each in wants if each.run}
        questions = sorted({each.digest_of for each in wants if each.digest_of})
        approvals = {each.approval for each in wants if each.approval}
        made = {each.holding for each in wants if each.holding}
        made_by = {each.holdings_of for each in wants if each.holdings_of}
        papers = {each.document for each in wants if each.document}
        kinds = sorted({(kind.value, scope) for each in wants for kind, scope in each.documents})
        ask = self._connection.execute
        with self._connection.pipeline():
            ask("BEGIN")
            held = ask(_RESERVATIONS, (_texts(reservations), *_columns(calls, 3), FACT_ROWS_MAX)) if (
                reservations or calls) else None  # fmt: skip
            things = ask(_HOLDINGS, (_texts(made), _texts(made_by))) if made or made_by else None
            written = ask(_DOCUMENTS, (_texts(papers), *_columns(kinds, 2))) if papers or kinds else None
            running = ask(_RUNS, (_texts(runs),)) if runs else None
            asked = ask(_APPROVALS, (_texts(approvals), *_columns(questions, 2))) if approvals or questions else None
            locked = ask(_SCOPES, (scopes, _texts(reservations))) if scopes or reservations else None
            budgets = ask(_BUDGETS, (scopes,)) if scopes else None
            brakes = ask(_BRAKES, (scopes,)) if scopes else None
        for reservation in map(rows.reservation_of, _documents(held)):
            self._reservations[reservation.id] = reservation
        for holding in map(rows.holding_of, _documents(things)):
            self._holdings[holding.id] = holding
        for document in map(document_of, sorted(written.fetchall()) if written else ()):
            self._documents[document.id] = document
        for run in map(_run_of, running.fetchall() if running else ()):
            self._runs[run.id] = run
        for approval in map(rows.approval_of, _documents(asked)):
            self._approvals[approval.id] = approval
        self._locked |= {row[0] for row in (locked.fetchall() if locked else ())}
        self._budgets = {scope: {} for scope in scopes}
        for budget in map(rows.budget_of, budgets.fetchall() if budgets else ()):
            self._budgets[budget.scope][budget.key] = budget
        for brake in map(_brake_of, brakes.fetchall() if brakes else ()):
            self._brakes[brake.scope] = brake
        self._read_accounts(wants)

    def _read_accounts(self, wants: Iterable[Wants]) -> None:
        """Those of every budget in its present window, and those that the reservations at hand lie in."""
        moments = {each.now for each in wants if each.scopes}
        keys = {
            key
            for budgets in self._budgets.values()
            for budget in budgets.values()
            for now in moments
            for key in budget.accounts(now)
        }
        for reservation in self._reservations.values():
            keys |= {(n.scope, n.unit.value, n.window, n.start) for n in reservation.lines if n.scope in self._locked}
        self._accounts = dict.fromkeys(keys, Account()) | read_accounts(self._connection, sorted(keys))

    def accounts(self, keys: Sequence[AccountKey]) -> Mapping[AccountKey, Account]:
        """The accounts behind `keys`; one that does not exist yet is empty."""
        missing = [key for key in keys if key not in self._accounts]
        if missing:
            self._lock({key[0] for key in missing})
            self._accounts |= dict.fromkeys(missing, Account()) | read_accounts(self._connection, missing)
        return self._accounts

    def _lock(self, scopes: set[str]) -> None:
        """Scopes that nobody said they want: rare, and out of order, so that PostgreSQL may break a circle."""
        missing = sorted(scopes - self._locked)
        if missing:
            self._connection.execute(ADD_SCOPES, (missing,))
            self._connection.execute(_SCOPES, (missing, []))
            self._locked |= scopes

    # ------------------------------------------------------------ facts

    def facts(self, wants: Wants) -> Facts:
        """What is known of `wants`, the batch's earlier decisions included."""
        budgets = (budget for scope in wants.scopes for budget in self._budgets[scope].values())
        return Facts(
            budgets=budget_states(budgets, wants.now, self.accounts) if wants.scopes else (),
            brakes=tuple(self._brakes[scope] for scope in sorted(wants.scopes) if scope in self._brakes),
            run=self._runs.get(wants.run),
            approvals=self._of_question(*wants.digest_of) if wants.digest_of else (),
            calls=self._of_call(wants.call) if wants.call else (),
            approval=self._approvals.get(wants.approval),
            reservation=self._reservations.get(wants.reservation),
            holding=self._holdings.get(wants.holding),
            holdings=tuple(item for item in self._holdings.values() if item.run == wants.holdings_of and item.open)
            if wants.holdings_of
            else (),
            document=self._documents.get(wants.document),
            documents=tuple(n for n in self._documents.values() if n.open and (n.kind, n.scope) in wants.documents)
            if wants.documents
            else (),
        )

    def _of_question(self, run: str, digest: str) -> tuple[Approval, ...]:
        found = [item for item in self._approvals.values() if item.digest == digest and item.run == run]
        found.sort(key=lambda approval: approval.asked_at)
        return tuple(found[: -FACT_ROWS_MAX - 1 : -1])

    def _of_call(self, call: tuple[str, str, str]) -> tuple[Reservation, ...]:
        found = [n for n in self._reservations.values() if (n.run, n.digest, n.retry_token) == call]
        found.sort(key=lambda item: item.created_at)
        return tuple(found[: -FACT_ROWS_MAX - 1 : -1])

    # ------------------------------------------------------------ changes

    def apply(self, changes: Changes, prepared: Prepared) -> None:
        """Take over one decision. `prepared` has its rows in the order of `changes`."""
        pending = self.pending
        self._lock({budget.scope for budget in (*changes.budgets, *changes.budgets_removed)})
        self._lock({brake.scope for brake in changes.brakes})
        for run, row in zip(changes.runs, prepared.runs, strict=True):
            self._runs[run.id] = run
            pending.runs[run.id] = row
        for budget, row in zip(changes.budgets, prepared.budgets, strict=True):
            self._budgets.get(budget.scope, {})[budget.key] = budget
            pending.budgets_removed.pop(budget.key, None)
            pending.budgets[budget.key] = row
        for budget in changes.budgets_removed:
            self._budgets.get(budget.scope, {}).pop(budget.key, None)
            pending.budgets.pop(budget.key, None)
            pending.budgets_removed[budget.key] = budget.key
        for row in prepared.accounts:
            key = (row[0], row[1], row[2], row[3])
            self._accounts[key] = Account(settled=row[4], dispatched=row[5], reserved=row[6], suspense=row[7])
            pending.accounts[key] = row
        for reservation, row in zip(changes.reservations, prepared.reservations, strict=True):
            self._reservations[reservation.id] = reservation
            pending.reservations[reservation.id] = (*row, sorted({line.scope for line in reservation.lines}))
        for approval, row in zip(changes.approvals, prepared.approvals, strict=True):
            self._approvals[approval.id] = approval
            pending.approvals[approval.id] = row
        for brake, row in zip(changes.brakes, prepared.brakes, strict=True):
            if brake.state is BrakeState.FREE:
                self._brakes.pop(brake.scope, None)
            else:
                self._brakes[brake.scope] = brake
            pending.brakes[brake.scope] = row
        for row in prepared.distrusts:
            pending.distrusts[row[0]] = row
        for holding, row in zip(changes.holdings, prepared.holdings, strict=True):
            self._holdings[holding.id] = holding
            pending.holdings[holding.id] = row
        for document, row in zip(changes.documents, prepared.documents, strict=True):
            self._documents[document.id] = document
            pending.documents[document.id] = row


def read_accounts(connection: Connection, keys: Sequence[AccountKey]) -> dict[AccountKey, Account]:
    """The accounts that exist among `keys`. Raises `psycopg.Error`."""
    if not keys:
        return {}
    found: dict[AccountKey, Account] = {}
    for row in connection.execute(ACCOUNTS, _columns(keys, 4)).fetchall():
        scope, unit, window, start, settled, dispatched, reserved, suspense = row
        # INVARIANT: no account is ever negative.
        assert min(settled, dispatched, reserved, suspense) >= 0, scope
        found[(scope, unit, window, start)] = Account(
            settled=settled, dispatched=dispatched, reserved=reserved, suspense=suspense
        )
    return found


def _texts(values: Iterable[str]) -> list[str]:
    return [kept_text(value) for value in sorted(values)]


def _columns(found: Sequence[tuple[str, ...]], count: int) -> list[list[str]]:
    """Rows of text as columns."""
    return [[kept_text(row[n]) for row in found] for n in range(count)]


def _documents(found: psycopg.Cursor[Any] | None) -> list[Any]:
    """Parsed documents, in the order in which they were first written."""
    return [json.loads(text) for _, text in sorted(found.fetchall())] if found is not None else []


def document_of(row: Row) -> Document:
    """The document in its sequence number and the columns of `documents`."""
    *texts, body = row[1:]
    return rows.document_of((*(told_text(part) if isinstance(part, str) else part for part in texts), body))


def _run_of(row: Row) -> Run:
    return rows.run_of(tuple(told_text(part) if isinstance(part, str) else part for part in row))


def _brake_of(row: Row) -> Brake:
    return rows.brake_of(tuple(told_text(part) for part in row))
