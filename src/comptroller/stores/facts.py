"""Reads everything a decision wants in one SQL statement: every further step would have to win the interpreter lock."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from functools import lru_cache

from comptroller.core.budget import Account
from comptroller.ports import Facts, Wants
from comptroller.stores import rows
from comptroller.stores.prepared import AccountKey
from comptroller.stores.reader import BUDGET_COLUMNS, BUDGET_TABLES

FACT_ROWS_MAX = 100
"""How many approvals or reservations of one question are read, the newest first."""
STATEMENT_SHAPES_MAX = 256

_NEWEST = "ORDER BY {0} DESC, seq DESC LIMIT {1}"


def read_facts(connection: sqlite3.Connection, wants: Wants) -> Facts:
    """What the store knows of `wants`. Raises `sqlite3.Error`."""
    shape = (
        len(wants.scopes),
        bool(wants.run),
        wants.digest_of is not None,
        wants.call is not None,
        bool(wants.approval),
        bool(wants.reservation),
    )
    if not any(shape):
        return Facts()
    parameters: dict[str, object] = {f"s{n}": scope for n, scope in enumerate(wants.scopes)}
    parameters |= {"run": wants.run, "approval": wants.approval, "reservation": wants.reservation}
    starts = rows.window_starts(wants.now)
    parameters |= starts
    parameters["asked_run"], parameters["asked_digest"] = wants.digest_of or ("", "")
    parameters["call_run"], parameters["call_digest"], parameters["call_token"] = wants.call or ("", "", "")
    found = connection.execute(_statement(*shape), parameters).fetchone()
    budgets, brakes, run, approvals, calls, approval, reservation = (json.loads(part) if part else [] for part in found)
    return Facts(
        budgets=tuple(rows.budget_state_of(row, starts) for row in sorted(budgets, key=lambda row: row[:3])),
        brakes=tuple(rows.brake_of(row) for row in sorted(brakes)),
        run=rows.run_of(run[0]) if run else None,
        approvals=tuple(map(rows.approval_of, approvals)),
        calls=tuple(map(rows.reservation_of, calls)),
        approval=rows.approval_of(approval[0]) if approval else None,
        reservation=rows.reservation_of(reservation[0]) if reservation else None,
    )


@lru_cache(maxsize=STATEMENT_SHAPES_MAX)
def _statement(scopes: int, run: bool, asked: bool, call: bool, approval: bool, reservation: bool) -> str:
    """One row of JSON arrays; what is not wanted is NULL."""
    within = "(" + ",".join(f":s{n}" for n in range(scopes)) + ")"
    parts = (
        scopes and f"json_group_array(json_array({BUDGET_COLUMNS})) FROM {BUDGET_TABLES} WHERE b.scope IN {within}",
        scopes
        and "json_group_array(json_array(scope, state, reason, by, at)) FROM brakes "
        f"WHERE scope IN {within} AND state <> 'free'",
        run
        and "json_group_array(json_array(id, agent, owner, path, purpose, state, started_at, ended_at, exit_code)) "
        "FROM runs WHERE id = :run",
        asked and _documents("approvals", "run = :asked_run AND digest = :asked_digest", "asked_at"),
        call
        and _documents(
            "reservations", "run = :call_run AND digest = :call_digest AND retry_token = :call_token", "created_at"
        ),
        approval and _documents("approvals", "id = :approval", "asked_at"),
        reservation and _documents("reservations", "id = :reservation", "created_at"),
    )
    return "SELECT " + ", ".join(f"(SELECT {part})" if part else "NULL" for part in parts)


def _documents(table: str, where: str, time: str) -> str:
    newest = _NEWEST.format(time, FACT_ROWS_MAX)
    return f"json_group_array(json(document)) FROM (SELECT document FROM {table} WHERE {where} {newest})"  # noqa: S608


def read_accounts(connection: sqlite3.Connection, keys: Sequence[AccountKey]) -> Mapping[AccountKey, Account]:
    """The accounts that exist among `keys`. Raises `sqlite3.Error`."""
    found: dict[AccountKey, Account] = {}
    for start in range(0, len(keys), FACT_ROWS_MAX):
        chunk = keys[start : start + FACT_ROWS_MAX]
        text = connection.execute(_accounts_statement(len(chunk)), [part for key in chunk for part in key]).fetchone()
        for scope, unit, window, begin, settled, dispatched, reserved, suspense in json.loads(text[0]):
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
        "SELECT json_group_array(json_array(scope, unit, window, start, settled, dispatched, reserved, suspense)) "  # noqa: S608
        f"FROM accounts WHERE (scope, unit, window, start) IN (VALUES {values})"
    )
