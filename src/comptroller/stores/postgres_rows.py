"""Writes one batch to PostgreSQL: each table in one statement, all of them in one round trip with the commit."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from comptroller.core import merkle
from comptroller.core.audit import EntryKind
from comptroller.core.brake import RunState
from comptroller.ports import Changes
from comptroller.stores.postgres_database import kept_text
from comptroller.stores.prepared import Pending, Prepared
from comptroller.stores.rows import Row

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[Any]

CHANNEL = "comptroller"
"""Where gateways tell each other what changed."""
NOTICE_BYTES_MAX = 7_000
"""PostgreSQL takes under 8,000; above it everything is said to have changed."""
ANYTHING = "anything"
STANDING_KINDS = frozenset({EntryKind.STANDING_GRANTED, EntryKind.STANDING_REVOKED, EntryKind.STANDING_EXPIRED})


@dataclass(slots=True)
class Batch:
    """What the decisions of one transaction append to this installation's log, and what others should hear of.

    `name` tells it from all others: it is written with it, so that a commit whose answer is lost can be asked for. (A
    transaction id cannot: after a crash the server may give the same one to another.)
    """

    edge: merkle.Edge
    name: int = field(default_factory=lambda: secrets.randbits(63))
    wrote: bool = False
    entries: list[Row] = field(default_factory=list)
    nodes: list[merkle.Node] = field(default_factory=list)
    private: list[Row] = field(default_factory=list)
    erase: list[Row] = field(default_factory=list)
    archived: list[Row] = field(default_factory=list)
    told: dict[str, list[str]] = field(default_factory=dict)

    def take(self, changes: Changes, prepared: Prepared) -> None:
        """Take over one decision."""
        self.wrote = self.wrote or changes != Changes()
        self.edge = prepared.edge
        self.entries.extend(prepared.entries)
        self.nodes.extend(prepared.nodes)
        self.private.extend(prepared.private)
        self.erase.extend(prepared.erase)
        self.archived.extend(prepared.archived)
        for name, keys in (
            ("approvals", [item.id for item in changes.approvals]),
            ("brakes", [item.scope for item in changes.brakes]),
            ("runs", [item.id for item in changes.runs if item.state is RunState.ENDED]),
            ("distrusts", [item.key for item in changes.distrusts]),
            ("budgets", [item.scope for item in (*changes.budgets, *changes.budgets_removed)]),
            ("standings", [str(item.body["standing"]) for item in changes.entries if item.kind in STANDING_KINDS]),
        ):
            if keys:
                self.told.setdefault(name, []).extend(keys)

    def notice(self, installation: int) -> str:
        """What others should hear of, as JSON text; empty for nothing."""
        if not self.told:
            return ""
        unique = {name: list(dict.fromkeys(keys)) for name, keys in self.told.items()}
        text = json.dumps({"from": installation, **unique}, separators=(",", ":"))
        return text if len(text) <= NOTICE_BYTES_MAX else json.dumps({"from": installation, ANYTHING: True})


_ENTRIES = """INSERT INTO entries (installation, idx, run, leaf)
    SELECT %s, * FROM unnest(%s::bigint[], %b::text[], %b::bytea[])"""
_NODES = """INSERT INTO nodes (installation, level, position, hash)
    SELECT %s, * FROM unnest(%s::smallint[], %s::bigint[], %b::bytea[])"""
_PRIVATE = """INSERT INTO private (installation, entry, name, salt, value)
    SELECT %s, * FROM unnest(%s::bigint[], %b::text[], %b::bytea[], %b::text[])"""
_ERASE = """DELETE FROM private p USING unnest(%s::bigint[], %b::text[]) AS k (entry, name)
    WHERE p.installation = %s AND p.entry = k.entry AND p.name = k.name"""
_ARCHIVED = """UPDATE entries e SET leaf = '', archived = k.teller
    FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[]) AS k (teller, first, last)
    WHERE e.installation = %s AND e.idx BETWEEN k.first AND k.last AND e.archived IS NULL"""
_PRIVATE_ARCHIVED = """DELETE FROM private p
    USING unnest(%s::bigint[], %s::bigint[], %s::bigint[]) AS k (teller, first, last)
    WHERE p.installation = %s AND p.entry BETWEEN k.first AND k.last"""
_ACCOUNTS = """INSERT INTO accounts (scope, unit, "window", start, settled, dispatched, reserved, suspense)
    SELECT * FROM unnest(%b::text[], %b::text[], %b::text[], %b::text[],
        %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[])
    ON CONFLICT (scope, unit, "window", start) DO UPDATE SET settled = excluded.settled,
        dispatched = excluded.dispatched, reserved = excluded.reserved, suspense = excluded.suspense"""
_RESERVATIONS = """INSERT INTO reservations
        (id, run, digest, retry_token, state, created_at, document, scopes, installation)
    SELECT id, run, digest, token, state, created, document, ARRAY(SELECT json_array_elements_text(scopes::json)), %s
        FROM unnest(%b::text[], %b::text[], %b::text[], %b::text[], %b::text[], %b::text[], %b::text[], %b::text[])
        WITH ORDINALITY AS k (id, run, digest, token, state, created, document, scopes, position) ORDER BY position
    ON CONFLICT (id) DO UPDATE SET run = excluded.run, digest = excluded.digest, retry_token = excluded.retry_token,
        state = excluded.state, created_at = excluded.created_at, document = excluded.document,
        scopes = excluded.scopes"""
_APPROVALS = """INSERT INTO approvals (id, run, digest, state, asked_at, document)
    SELECT id, run, digest, state, asked, document
        FROM unnest(%b::text[], %b::text[], %b::text[], %b::text[], %b::text[], %b::text[])
        WITH ORDINALITY AS k (id, run, digest, state, asked, document, position) ORDER BY position
    ON CONFLICT (id) DO UPDATE SET run = excluded.run, digest = excluded.digest, state = excluded.state,
        asked_at = excluded.asked_at, document = excluded.document"""
_HOLDINGS = """INSERT INTO holdings (id, run, state, document)
    SELECT id, run, state, document FROM unnest(%b::text[], %b::text[], %b::text[], %b::text[])
        WITH ORDINALITY AS k (id, run, state, document, position) ORDER BY position
    ON CONFLICT (id) DO UPDATE SET run = excluded.run, state = excluded.state, document = excluded.document"""
_DOCUMENTS = """INSERT INTO documents (id, kind, scope, open, at, body)
    SELECT id, kind, scope, open, at, body
        FROM unnest(%b::text[], %b::text[], %b::text[], %s::smallint[], %b::text[], %b::text[])
        WITH ORDINALITY AS k (id, kind, scope, open, at, body, position) ORDER BY position
    ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, scope = excluded.scope, open = excluded.open,
        at = excluded.at, body = excluded.body"""
_RUNS = """INSERT INTO runs (installation, id, agent, owner, path, purpose, state, started_at, ended_at, exit_code,
        observed, unboxed)
    SELECT %s, * FROM unnest(%b::text[], %b::text[], %b::text[], %b::text[], %b::text[], %b::text[], %b::text[],
        %b::text[], %s::bigint[], %s::smallint[], %s::smallint[])
    ON CONFLICT (id) DO UPDATE SET agent = excluded.agent, owner = excluded.owner, path = excluded.path,
        purpose = excluded.purpose, started_at = excluded.started_at, ended_at = excluded.ended_at,
        exit_code = excluded.exit_code, observed = excluded.observed, unboxed = excluded.unboxed,
        installation = CASE WHEN excluded.state = 'ended' THEN runs.installation ELSE excluded.installation END,
        state = excluded.state"""
_BUDGETS = """INSERT INTO budgets (scope, unit, "window", amount, on_exceed)
    SELECT * FROM unnest(%b::text[], %b::text[], %b::text[], %s::bigint[], %b::text[])
    ON CONFLICT (scope, unit, "window") DO UPDATE SET amount = excluded.amount, on_exceed = excluded.on_exceed"""
_BUDGETS_REMOVED = """DELETE FROM budgets b USING unnest(%b::text[], %b::text[], %b::text[]) AS k (scope, unit, win)
    WHERE b.scope = k.scope AND b.unit = k.unit AND b."window" = k.win"""
_BRAKES = """INSERT INTO brakes (scope, state, reason, "by", at)
    SELECT * FROM unnest(%b::text[], %b::text[], %b::text[], %b::text[], %b::text[])
    ON CONFLICT (scope) DO UPDATE SET state = excluded.state, reason = excluded.reason, "by" = excluded."by",
        at = excluded.at"""
_DISTRUSTS = """INSERT INTO distrusts (key, trusted, reason, "by", at)
    SELECT * FROM unnest(%b::text[], %s::smallint[], %b::text[], %b::text[], %b::text[])
    ON CONFLICT (md5(key)) DO UPDATE SET trusted = excluded.trusted, reason = excluded.reason, "by" = excluded."by",
        at = excluded.at"""


_NAME = "UPDATE installations SET batch = %s, seen_at = now() WHERE number = %s"


def write_and_commit(connection: Connection, installation: int, batch: Batch, pending: Pending) -> None:
    """Write everything and commit, in one round trip. Raises `psycopg.Error`."""
    ask = connection.execute
    with connection.pipeline():
        for sql, first, found, documents in (
            (_ACCOUNTS, (), pending.accounts.values(), ()),
            (_RESERVATIONS, (installation,), map(_with_scopes, pending.reservations.values()), (6, 7)),
            (_APPROVALS, (), pending.approvals.values(), (5,)),
            (_HOLDINGS, (), pending.holdings.values(), (3,)),
            (_DOCUMENTS, (), pending.documents.values(), (5,)),
            (_RUNS, (installation,), pending.runs.values(), ()),
            (_BUDGETS, (), pending.budgets.values(), ()),
            (_BUDGETS_REMOVED, (), pending.budgets_removed.values(), ()),
            (_BRAKES, (), pending.brakes.values(), ()),
            (_DISTRUSTS, (), pending.distrusts.values(), ()),
            (_ENTRIES, (installation,), batch.entries, ()),
            (_NODES, (installation,), batch.nodes, ()),
            (_PRIVATE, (installation,), batch.private, (3,)),
        ):
            columns = _columns(found, documents)
            if columns:
                ask(sql, (*first, *columns))
        if batch.erase:
            ask(_ERASE, (*_columns(batch.erase), installation))
        if batch.archived:
            for sql in (_ARCHIVED, _PRIVATE_ARCHIVED):
                ask(sql, (*_columns(batch.archived), installation))
        notice = batch.notice(installation)
        if notice:
            ask("SELECT pg_notify(%s, %s)", (CHANNEL, notice))
        ask(_NAME, (batch.name, installation))
        ask("COMMIT")


def _with_scopes(row: Row) -> Row:
    return (*row[:-1], json.dumps(row[-1]))


def _columns(found: Iterable[Sequence[Any]], documents: Sequence[int] = ()) -> list[list[Any]]:
    """Rows as columns that PostgreSQL takes; `documents` are JSON, which holds no NUL as it is."""
    columns = [list(column) for column in zip(*found, strict=True)]
    for number, column in enumerate(columns):
        if number not in documents and any(isinstance(value, str) for value in column):
            columns[number] = [kept_text(value) if isinstance(value, str) else value for value in column]
    return columns
