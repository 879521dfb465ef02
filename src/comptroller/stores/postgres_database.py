"""Opens connections to PostgreSQL the one way they are ever opened, and says in words what its errors mean.

Needs the extra `comptroller[postgres]`. No password ever reaches a message.
"""

from __future__ import annotations

import ipaddress
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from comptroller.core.errors import ComptrollerError, ConfigError, MissingError, StoreError, StoreLostError

if TYPE_CHECKING:
    import psycopg

SCHEMA = "comptroller"
SERVER_VERSION_MIN = 13
CONNECT_SECONDS_MAX = 5
LOCK_WAIT_SECONDS_MAX = 15
IDLE_IN_TRANSACTION_SECONDS_MAX = 10
"""A gateway that stopped in the middle of a decision must not hold everybody else up."""
STATEMENTS_PREPARED_MAX = 200

_DEFAULTS: Mapping[str, str | int] = {
    "connect_timeout": CONNECT_SECONDS_MAX,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
    "fallback_application_name": "comptroller",
    "client_encoding": "UTF8",
}
_VERIFYING = ("verify-full", "verify-ca")
_DELIBERATE = ("require", "disable")
_WEAKER_COMMITS = ("off", "local", "remote_write")

_HINTS = {
    "53100": "the database server's disk is full: free some space there, then repeat",
    "53300": "the database server has no connection left: raise max_connections, or end programs that hold them",
    "25006": "this server takes no writes (a standby?): name the primary, or several hosts in the URL",
    "28P01": "check user and password: PGPASSWORD, or a passfile (~/.pgpass)",
    "28000": "check user, pg_hba.conf and TLS of the database server",
    "tls": "see that the URL names the server as its certificate does, and sslrootcert the authority that issued it; "
    "or somebody else answers there",
    "3D000": "make the database first: createdb NAME",
    "42501": "the database user may not do that: it must own the schema `comptroller`, or may create it",
    "55P03": "another gateway holds the same budgets for too long: see that every gateway is alive, then repeat",
    "57P01": "the database server was shut down: it is tried again at the next use",
    "57P03": "the database server starts or stops: it is tried again at the next use",
}
_LOST_CLASSES = ("08", "53", "57", "58", "XX")
"""SQLSTATEs by which the server cannot serve anybody: connection, resources, intervention, system, damage."""
_WORDS = {
    "password authentication failed": "28P01",
    "no password supplied": "28P01",
    "no pg_hba.conf entry": "28000",
    "certificate": "tls",
    "signature failure": "tls",
    "does not support SSL": "tls",
    "does not exist": "3D000",
    "the database system is": "57P03",
    "too many clients": "53300",
}
"""What libpq says where it could not connect, and hands on no code."""
LOST = "the database server cannot be reached: it is tried again at the next use"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the store is: what libpq is given, and how it is called in messages."""

    parameters: Mapping[str, Any]
    shown: str
    cautions: tuple[str, ...] = ()


def driver() -> Any:
    """The module psycopg. Raises `MissingError`."""
    try:
        import psycopg
    except ImportError as error:
        raise MissingError(
            "the driver for PostgreSQL is not installed", hint="pip install 'comptroller[postgres]'"
        ) from error
    # What goes wrong is told by errors; the driver's own notes about it would go to the terminal besides.
    logging.getLogger("psycopg").setLevel(logging.CRITICAL)
    return psycopg


def place_of(url: str) -> Place:
    """What `store: postgresql://…` means. Raises `ConfigError` for a URL that cannot be used, or whose server could be
    anybody: over a network its certificate must be verified, or the URL say on purpose that it is not."""
    psycopg = driver()
    from psycopg.conninfo import conninfo_to_dict

    try:
        given = conninfo_to_dict(url)
    except psycopg.Error:
        raise ConfigError(
            "store: this PostgreSQL URL cannot be read", hint="postgresql://USER@HOST:PORT/DATABASE?sslmode=verify-full"
        ) from None
    named = str(given.get("host") or os.environ.get("PGHOST") or "")
    # An address decides where libpq goes, whatever the name beside it is.
    address = str(given.get("hostaddr") or os.environ.get("PGHOSTADDR") or "")
    service = str(given.get("service") or os.environ.get("PGSERVICE") or "")
    where = named or address or service
    database = str(given.get("dbname") or "")
    shown = f"postgresql://{where}/{database}"
    mode = str(given.get("sslmode") or "")
    cautions: tuple[str, ...] = ()
    if service or not all(map(_is_local, (*named.split(","), *address.split(",")))):
        if mode not in (*_VERIFYING, *_DELIBERATE):
            raise ConfigError(
                f"store: `{where}` is reached over a network, and nothing verifies that it is your server",
                hint="add ?sslmode=verify-full&sslrootcert=FILE (or sslrootcert=system) to the URL; "
                "sslmode=disable says that you know what you do",
            )
        if mode in _DELIBERATE:
            cautions = (f"the store's server `{where}` is not verified (sslmode={mode}): whoever answers is believed",)
    return Place(parameters={**_DEFAULTS, **given}, shown=shown, cautions=cautions)


def _is_local(host: str) -> bool:
    """A Unix socket, or this machine's own loopback."""
    if not host or host.startswith(("/", "@")) or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def explained(error: BaseException, place: Place) -> StoreError:
    """A `StoreError` that says what to do about an error of PostgreSQL; without any secret. `StoreLostError` where it
    is the server's."""
    code = getattr(error, "sqlstate", None) or ""
    text = " ".join(str(error).split()) or type(error).__name__
    secret = str(place.parameters.get("password") or os.environ.get("PGPASSWORD") or "")
    if secret:
        text = text.replace(secret, "***")
    known = code or next((found for words, found in _WORDS.items() if words in text), "")
    hint = _HINTS.get(known, "nothing was recorded or released" if known else LOST)
    lost = code[:2] in _LOST_CLASSES or code == "25006"
    if not code:
        lost = isinstance(error, driver().OperationalError | driver().InterfaceError | OSError)
    return (StoreLostError if lost else StoreError)(f"the store `{place.shown}` failed: {text}", hint=hint)


@contextmanager
def explaining(place: Place) -> Iterator[None]:
    """Turn the driver's errors into `StoreError`."""
    psycopg = driver()
    try:
        yield
    except (psycopg.Error, OSError) as error:
        raise explained(error, place) from None


def connect(place: Place, *, read_only: bool = False) -> psycopg.Connection[Any]:
    """A connection in autocommit mode: transactions are begun and ended by name. Raises `psycopg.Error`, `StoreError`.

    Whatever the server's defaults are, a commit on it is durable, and one that stops does not hold others up.
    """
    connection: psycopg.Connection[Any] = driver().connect(
        **{**place.parameters, "autocommit": True, "prepare_threshold": 2}
    )
    try:
        connection.prepared_max = STATEMENTS_PREPARED_MAX
        _configure(connection, place, read_only)
    except BaseException:
        connection.close()
        raise
    return connection


def _configure(connection: psycopg.Connection[Any], place: Place, read_only: bool) -> None:
    version = connection.info.server_version // 10_000
    if version < SERVER_VERSION_MIN:
        raise StoreError(
            f"the store `{place.shown}` runs PostgreSQL {version}", hint=f"{SERVER_VERSION_MIN} or newer is needed"
        )
    settings = {
        "search_path": f"{SCHEMA}, pg_temp",
        "timezone": "UTC",
        "default_transaction_isolation": "read committed",
        "lock_timeout": f"{LOCK_WAIT_SECONDS_MAX}s",
        "idle_in_transaction_session_timeout": f"{IDLE_IN_TRANSACTION_SECONDS_MAX}s",
        "tcp_keepalives_idle": "10",
        "tcp_keepalives_interval": "5",
        "tcp_keepalives_count": "3",
        "jit": "off",
    }
    if read_only:
        settings["default_transaction_read_only"] = "on"
    elif _setting(connection, "synchronous_commit") in _WEAKER_COMMITS:
        settings["synchronous_commit"] = "on"
    for name, value in settings.items():
        connection.execute("SELECT set_config(%s, %s, false)", (name, value))


def _setting(connection: psycopg.Connection[Any], name: str) -> str:
    row = connection.execute("SELECT current_setting(%s)", (name,)).fetchone()
    return str(row[0]) if row else ""


def check_durable(connection: psycopg.Connection[Any], place: Place) -> tuple[str, ...]:
    """What an acknowledged write does not survive, as sentences. Raises `StoreError` where it survives nothing, or the
    server takes no writes."""
    row = connection.execute(
        "SELECT pg_is_in_recovery(), current_setting('transaction_read_only'), current_setting('fsync'), "
        "current_setting('full_page_writes'), current_setting('synchronous_standby_names')"
    ).fetchone()
    assert row is not None
    standby, read_only, fsync, whole_pages, names = row
    if standby or read_only == "on":
        raise StoreLostError(
            f"the store `{place.shown}` takes no writes: "
            + ("it is a standby that follows another server" if standby else "its default is read-only transactions"),
            hint="name the primary, or several hosts and target_session_attrs=read-write in the URL",
        )
    if fsync != "on":
        raise StoreError(
            f"the store `{place.shown}` runs with fsync=off: a crash would forget what was spent",
            hint="set fsync = on in postgresql.conf and restart the database server",
        )
    found = list(place.cautions)
    if whole_pages != "on":
        found.append("full_page_writes is off: a power cut can damage the store, unless its file system prevents that")
    if not names:
        found.append(
            "no synchronous standby is set (synchronous_standby_names): an acknowledged write survives a crash of the "
            "database server, not the loss of its disk, and a failover may forget the last moments"
        )
    else:
        ready = connection.execute(
            "SELECT count(*) FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum') AND state = 'streaming'"
        ).fetchone()
        if ready is not None and not ready[0]:
            found.append(
                f"synchronous_standby_names is `{names}` and no such standby is connected (or this user may not see "
                "it: GRANT pg_monitor): decisions wait until one is"
            )
    return tuple(found)


def survives(cautions: tuple[str, ...]) -> str:
    """One word for the log: what an acknowledged write survives."""
    return "crash" if any("synchronous" in text for text in cautions) else "failover"


def kept_text(text: str) -> str:
    """Text as PostgreSQL can hold it, which has no NUL: one in it is written as a backslash and a zero."""
    if "\\" in text or "\0" in text:
        return text.replace("\\", "\\\\").replace("\0", "\\0")
    return text


def told_text(text: str) -> str:
    """What `kept_text` was given."""
    if "\\" not in text:
        return text
    found, letters = [], iter(text)
    for letter in letters:
        found.append(letter if letter != "\\" else {"\\": "\\", "0": "\0"}[next(letters)])
    return "".join(found)


def is_lost(error: BaseException, connection: psycopg.Connection[Any]) -> bool:
    """Whether the connection is gone with the error, and with it what is known of the commit."""
    return connection.closed or not isinstance(error, driver().Error | ComptrollerError)
