"""The design most ledgers have, done carefully: a transaction for each call, 128 callers over a pool of 16 connections.

Accounts of the path are locked from leaf to root, checked and raised; a reservation and an entry are inserted; commit.
`select`: the application reads the rows under lock and decides, as it must where policies and people have a say.
`function`: one call of a function in the database that can do no more than add up. Both compute nothing else: their
documents are made before, there is no tree. More connections make a hot row slower, fewer leave the disk idle.
`python -m bench.ledger_per_call KIND URL SECONDS ROUND` prints calls a second.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import psycopg

KINDS = ("select", "function")
CALLERS, CONNECTIONS = 128, 16
USD_MICROS = 100
DOCUMENT, LEAF = "x" * 900, b"x" * 1000
UNITS = ("calls", "usd_micros")
SCOPES = ("acme/team/bot/run", "acme/team/bot", "acme/team", "acme")
NEVER = 10**17
SCHEMA = """
CREATE TABLE peer_accounts (scope text, unit text, amount bigint NOT NULL, taken bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (scope, unit));
CREATE TABLE peer_reservations (id text PRIMARY KEY, state text NOT NULL, document text NOT NULL);
CREATE TABLE peer_entries (idx bigserial PRIMARY KEY, leaf bytea NOT NULL);
CREATE FUNCTION peer_reserve(number text, scopes text[], usd bigint, whole text, leaf bytea) RETURNS boolean AS $$
DECLARE one record; place text; wanted bigint;
BEGIN
    FOREACH place IN ARRAY scopes LOOP
        FOR one IN SELECT * FROM peer_accounts WHERE scope = place ORDER BY unit FOR UPDATE LOOP
            wanted := CASE one.unit WHEN 'calls' THEN 1 ELSE usd END;
            IF one.taken + wanted > one.amount THEN
                RAISE EXCEPTION 'no room';
            END IF;
            UPDATE peer_accounts SET taken = taken + wanted WHERE scope = one.scope AND unit = one.unit;
        END LOOP;
    END LOOP;
    INSERT INTO peer_reservations VALUES (number, 'dispatched', whole);
    INSERT INTO peer_entries (leaf) VALUES (leaf);
    RETURN true;
END $$ LANGUAGE plpgsql;
"""
_LOCK = """SELECT scope, unit, amount, taken FROM peer_accounts WHERE scope = ANY(%s)
    ORDER BY scope DESC, unit FOR UPDATE"""
_RAISE = """UPDATE peer_accounts a SET taken = taken + k.wanted
    FROM unnest(%s::text[], %s::bigint[]) AS k (unit, wanted) WHERE a.unit = k.unit AND a.scope = ANY(%s)"""

Connection = psycopg.Connection[Any]


def prepare(place: str) -> None:
    """Make the tables and accounts of a hot path whose limits are never reached."""
    with psycopg.connect(place, autocommit=True) as connection, connection.cursor() as cursor:
        connection.execute(SCHEMA)
        accounts = [(scope, unit, NEVER) for scope in SCOPES for unit in UNITS]
        cursor.executemany("INSERT INTO peer_accounts (scope, unit, amount) VALUES (%s, %s, %s)", accounts)


def rate(kind: str, place: str, seconds: float, number: int) -> float:
    """Calls a second, by a process of its own."""
    command = [sys.executable, "-m", "bench.ledger_per_call", kind, place, str(seconds), str(number)]
    return float(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)


def by_select(connection: Connection, name: str) -> None:
    """Read under lock, decide here, write: three round trips."""
    with connection.transaction():
        found = connection.execute(_LOCK, (list(SCOPES),)).fetchall()
        wanted = {"calls": 1, "usd_micros": USD_MICROS}
        assert all(taken + wanted[unit] <= amount for _, unit, amount, taken in found)
        with connection.pipeline():
            connection.execute(_RAISE, (list(wanted), list(wanted.values()), list(SCOPES)))
            connection.execute("INSERT INTO peer_reservations VALUES (%s, 'dispatched', %s)", (name, DOCUMENT))
            connection.execute("INSERT INTO peer_entries (leaf) VALUES (%s)", (LEAF,))


def by_function(connection: Connection, name: str) -> None:
    """One round trip."""
    connection.execute(
        "SELECT peer_reserve(%s, %s, %s, %s, %s)", (name, list(SCOPES), USD_MICROS, DOCUMENT, LEAF)
    ).fetchone()


def work(kind: str, place: str, seconds: float, number: str) -> float:
    """Calls a second of 128 threads."""
    one_call: Callable[[Connection, str], None] = {"select": by_select, "function": by_function}[kind]
    pool = [psycopg.connect(place, autocommit=True, prepare_threshold=1) for _ in range(CONNECTIONS)]
    free, lock = threading.Semaphore(CONNECTIONS), threading.Lock()
    done = [0] * CALLERS
    barrier = threading.Barrier(CALLERS + 1)
    ends: list[float] = []

    def one(caller: int) -> None:
        barrier.wait()
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            with free:
                with lock:
                    connection = pool.pop()
                one_call(connection, f"{kind}.{number}.{caller}.{done[caller]}")
                with lock:
                    pool.append(connection)
            done[caller] += 1
        ends.append(time.perf_counter())

    threads = [threading.Thread(target=one, args=(caller,)) for caller in range(CALLERS)]
    for thread in threads:
        thread.start()
    barrier.wait()
    started = time.perf_counter()
    for thread in threads:
        thread.join()
    for connection in pool:
        connection.close()
    return sum(done) / (max(ends) - started)


if __name__ == "__main__":
    print(work(sys.argv[1], sys.argv[2], float(sys.argv[3]), sys.argv[4]))
