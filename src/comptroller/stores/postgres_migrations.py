"""The schema in PostgreSQL and how an older one becomes today's: in one transaction, one gateway at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from comptroller.core.errors import StoreError, StoreVersionError
from comptroller.stores.postgres_database import SCHEMA, Place
from comptroller.stores.rows import UNUSED_POSTGRES

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[Any]

MIGRATION_LOCK = 0x434D5054
"""`CMPT`: whoever holds this advisory lock may change the schema."""

Migration = Callable[["Connection"], None]
"""Takes the open transaction's connection from one version to the next; never commits."""

# No foreign keys: each row written would be looked up once more, under a lock.
_VERSION_1 = (
    """CREATE TABLE installations (number integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, origin text NOT NULL UNIQUE,
        seen_at timestamptz NOT NULL DEFAULT now(), batch bigint NOT NULL DEFAULT 0) WITH (fillfactor = 50)""",
    """CREATE TABLE scopes (scope text PRIMARY KEY, depth smallint NOT NULL)""",
    """CREATE TABLE entries (installation integer NOT NULL, idx bigint NOT NULL CHECK (idx >= 0),
        run text NOT NULL, leaf bytea NOT NULL, PRIMARY KEY (installation, idx))""",
    "CREATE INDEX entries_by_run ON entries (installation, run, idx) WHERE run <> ''",
    """CREATE TABLE nodes (installation integer NOT NULL, level smallint NOT NULL,
        position bigint NOT NULL, hash bytea NOT NULL CHECK (length(hash) = 32),
        PRIMARY KEY (installation, level, position))""",
    """CREATE TABLE private (installation integer NOT NULL, entry bigint NOT NULL,
        name text NOT NULL, salt bytea NOT NULL, value text NOT NULL, PRIMARY KEY (installation, entry, name))""",
    """CREATE TABLE checkpoints (installation integer NOT NULL, size bigint NOT NULL,
        root bytea NOT NULL, note bytea NOT NULL, at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (installation, size))""",
    """CREATE TABLE runs (id text PRIMARY KEY, agent text NOT NULL, owner text NOT NULL, path text NOT NULL,
        purpose text NOT NULL, state text NOT NULL, started_at text NOT NULL, ended_at text, exit_code bigint,
        observed smallint NOT NULL, unboxed smallint NOT NULL, installation integer NOT NULL)""",
    """CREATE TABLE budgets (scope text NOT NULL, unit text NOT NULL, "window" text NOT NULL, amount bigint NOT NULL,
        on_exceed text NOT NULL CHECK (on_exceed IN ('deny', 'require_approval')),
        PRIMARY KEY (scope, unit, "window"))""",
    """CREATE TABLE accounts (scope text NOT NULL, unit text NOT NULL, "window" text NOT NULL, start text NOT NULL,
        settled bigint NOT NULL CHECK (settled >= 0), dispatched bigint NOT NULL CHECK (dispatched >= 0),
        reserved bigint NOT NULL CHECK (reserved >= 0), suspense bigint NOT NULL CHECK (suspense >= 0),
        PRIMARY KEY (scope, unit, "window", start)) WITH (fillfactor = 50)""",
    """CREATE TABLE reservations (seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id text NOT NULL UNIQUE,
        run text NOT NULL, digest text NOT NULL, retry_token text NOT NULL, state text NOT NULL,
        created_at text NOT NULL, document text NOT NULL, scopes text[] NOT NULL,
        installation integer NOT NULL)""",
    # What an agent may make long is indexed by its hash: an index row has a size limit.
    "CREATE INDEX reservations_by_call ON reservations (run, digest, md5(retry_token))",
    """CREATE INDEX reservations_open ON reservations (state)
        WHERE state IN ('reserved', 'dispatched', 'suspense')""",
    """CREATE TABLE approvals (seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id text NOT NULL UNIQUE,
        run text NOT NULL, digest text NOT NULL, state text NOT NULL,
        asked_at text NOT NULL, document text NOT NULL)""",
    "CREATE INDEX approvals_by_digest ON approvals (run, digest)",
    "CREATE INDEX approvals_by_state ON approvals (state)",
    """CREATE TABLE brakes (scope text PRIMARY KEY, state text NOT NULL, reason text NOT NULL, "by" text NOT NULL,
        at text NOT NULL)""",
    """CREATE TABLE distrusts (key text NOT NULL, trusted smallint NOT NULL CHECK (trusted IN (0, 1)),
        reason text NOT NULL, "by" text NOT NULL, at text NOT NULL)""",
    "CREATE UNIQUE INDEX distrusts_by_key ON distrusts (md5(key))",
    """CREATE TABLE holdings (seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id text NOT NULL UNIQUE,
        run text NOT NULL, state text NOT NULL, document text NOT NULL)""",
    "CREATE INDEX holdings_by_run ON holdings (run)",
    "CREATE INDEX holdings_open ON holdings (state) WHERE state NOT IN ('closed', 'forgotten')",
)


def _create(connection: Connection) -> None:
    """0 -> 1: everything."""
    for statement in _VERSION_1:
        connection.execute(statement)


def _archived(connection: Connection) -> None:
    """1 -> 2: entries whose leaf lies in an archive, and which entry says so."""
    connection.execute("ALTER TABLE entries ADD COLUMN archived bigint CHECK (archived > idx)")


def _documents(connection: Connection) -> None:
    """2 -> 3: what people made besides: accounts, tokens, standing grants."""
    connection.execute(
        """CREATE TABLE documents (seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id text NOT NULL UNIQUE,
        kind text NOT NULL, scope text NOT NULL, open smallint NOT NULL CHECK (open IN (0, 1)), at text NOT NULL,
        body text NOT NULL)"""
    )
    connection.execute("CREATE INDEX documents_by_scope ON documents (kind, open, scope)")


def _grants(connection: Connection) -> None:
    """3 -> 4: questions by id, and yeses that are not used yet: few of many."""
    connection.execute("DROP INDEX approvals_by_state")
    connection.execute('CREATE INDEX approvals_by_state ON approvals (state, id COLLATE "C")')
    connection.execute("CREATE INDEX approvals_unused ON approvals (asked_at, seq) WHERE " + UNUSED_POSTGRES)


MIGRATIONS: tuple[Migration, ...] = (_create, _archived, _documents, _grants)
"""Step n leads from version n to n + 1. Steps are only ever added; what they add must suit the gateways of the version
before, until these are replaced."""


def version_of(connection: Connection) -> int:
    """The version of the schema that is there; 0 for none."""
    found = connection.execute("SELECT to_regclass(%s)::text", (f"{SCHEMA}.schema_version",)).fetchone()
    if found is None or found[0] is None:
        return 0
    row = connection.execute("SELECT number FROM schema_version").fetchone()
    return int(row[0]) if row is not None else 0


def check(connection: Connection, place: Place, migrations: Sequence[Migration] = MIGRATIONS) -> int:
    """The version that is there, having written nothing. Raises `StoreVersionError` for a newer one."""
    version = version_of(connection)
    if version > len(migrations):
        raise StoreVersionError(
            f"the store `{place.shown}` was written by a newer Comptroller (store version {version}, "
            f"this one knows {len(migrations)})",
            hint="upgrade Comptroller; the store was left untouched",
        )
    return version


def migrate(connection: Connection, place: Place, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Make the schema or bring it up to date, in one transaction. Raises what a step raises, having changed nothing."""
    if check(connection, place, migrations) == len(migrations):
        return
    # Before the transaction: only one that begins later sees for certain what another gateway made meanwhile.
    connection.execute("SELECT pg_advisory_lock(%s)", (MIGRATION_LOCK,))
    try:
        with connection.transaction():
            version = check(connection, place, migrations)
            if not version:
                _begin(connection, place)
            for step in migrations[version:]:
                step(connection)
            connection.execute("UPDATE schema_version SET number = %s", (len(migrations),))
    finally:
        if not connection.closed:
            connection.execute("SELECT pg_advisory_unlock(%s)", (MIGRATION_LOCK,))


def _begin(connection: Connection, place: Place) -> None:
    """A schema of our own. Raises `StoreError` where there is one of that name that is not ours."""
    found = connection.execute(
        "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = %s", (SCHEMA,)
    ).fetchone()
    if found is not None and found[0]:
        raise StoreError(
            f"the schema `{SCHEMA}` of `{place.shown}` is not a Comptroller store, or lost its version",
            hint="restore the newest backup, or give another database; nothing was changed",
        )
    connection.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
    connection.execute("CREATE TABLE schema_version (number integer NOT NULL)")
    connection.execute("INSERT INTO schema_version VALUES (0)")
