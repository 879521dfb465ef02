"""What an installation keeps on its machine, put together: keys, store, log, backups, archives.

Apart from `compose`, so that a command that only reads the log need not load the gateway.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import secrets
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from comptroller import __version__
from comptroller.core.archive import Archive
from comptroller.core.checkpoint import Checkpoint, VerifierKey, parse_verifier_key, verify_any_epoch
from comptroller.core.epoch import Head, Restore, epoch_of, installation_of, origin_at
from comptroller.core.errors import StoreError, UsageError
from comptroller.engine.entries import Scribe
from comptroller.engine.hub import Hub
from comptroller.engine.keeping import Keeper, Unsettled
from comptroller.server.place import CONFIG_NAME, Paths
from comptroller.stores import archives
from comptroller.stores import backup as backups
from comptroller.stores import restore as restores
from comptroller.stores.log_key_unsafe import load_log_key, make_log_key, write_private
from comptroller.stores.postgres import PostgresStore
from comptroller.stores.postgres_database import place_of
from comptroller.stores.postgres_reader import PostgresReader
from comptroller.stores.reader import SqliteReader
from comptroller.stores.sqlite import SqliteStore

SQLITE = "sqlite"
"""The setting `store` for a file in the state folder."""
RANDOM_BYTES_FETCHED = 4096


class SystemClock:
    """The machine's clock, in UTC."""

    def now(self) -> datetime:
        """Aware UTC time."""
        return datetime.now(UTC)


class SystemIds:
    """UUIDv7 and salts from the operating system's generator, fetched a page at a time: each call for a few bytes gives
    up the interpreter, and under load waits to win it back. A process that forks must make its own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._unused = b""

    def _random(self, length: int) -> bytes:
        """Bytes nobody has seen or will see again."""
        with self._lock:
            if len(self._unused) < length:
                self._unused = secrets.token_bytes(RANDOM_BYTES_FETCHED)
            taken, self._unused = self._unused[:length], self._unused[length:]
            return taken

    def new(self) -> str:
        """A UUIDv7 (RFC 9562) as text: 48 bits of milliseconds, then 74 random bits."""
        value = (time.time_ns() // 1_000_000 & (1 << 48) - 1) << 80 | int.from_bytes(self._random(10), "big")
        value = value & ~(0xF << 76) | 0x7 << 76
        value = value & ~(0x3 << 62) | 0x2 << 62
        text = f"{value:032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    def salt(self) -> bytes:
        """16 random bytes."""
        return self._random(16)


# ---------------------------------------------------------------- keys


def installation_origin(paths: Paths) -> str:
    """The log's origin: the installation id, as it stands in the verifier key."""
    return parse_verifier_key(paths.log_public.read_text("utf-8").strip()).origin


def make_keys(paths: Paths) -> bool:
    """Create state folder, log key and verifier key where there are none. True where they were made."""
    paths.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if paths.log_key.exists():
        return False
    if has_store(paths):
        raise StoreError(
            f"the log key `{paths.log_key}` is missing beside an existing log",
            hint="restore the key from your backup; a new one would break the log's proof",
        )
    make_log_key(paths.log_key, paths.log_public, origin=f"comptroller/{SystemIds().new()}")
    return True


def exclusive(paths: Paths) -> TextIO:
    """Hold the installation's lock as long as the returned file is open. Raises `UsageError`."""
    lock = open(paths.lock, "a+", encoding="utf-8")  # noqa: SIM115 - held open as long as the installation runs
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.seek(0)
        holder = lock.read(20).strip()
        lock.close()
        raise UsageError(
            f"another `comptroller serve` is running for this configuration (`{paths.folder}`)",
            hint=f"use it, or end it first: kill {holder}" if holder.isdigit() else "use it, or end it first",
        ) from error
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock


# ---------------------------------------------------------------- the store and its log


def has_store(paths: Paths) -> bool:
    """Whether a `serve` of this installation has ever made its store."""
    return paths.store.exists() or paths.store_url.exists()


def store_of(paths: Paths) -> str:
    """The setting `store` under which the last `serve` ran."""
    with contextlib.suppress(FileNotFoundError):
        return paths.store_url.read_text("utf-8")
    return SQLITE


async def open_store(setting: str, paths: Paths) -> SqliteStore | PostgresStore:
    """The store that `store:` in the configuration names. Raises `StoreError`, `ConfigError`, `MissingError`, and
    `UsageError` where the installation's budgets and log lie in another."""
    before = store_of(paths) if has_store(paths) else setting
    if (before == SQLITE) is not (setting == SQLITE):
        raise UsageError(
            f"{CONFIG_NAME} names another store than the one this installation's budgets, approvals and log are in",
            hint=f"put `store` back as it was; or begin anew, keeping what was: mv {paths.folder} {paths.folder}.old",
        )
    if setting == SQLITE:
        return await SqliteStore.open(paths.store)
    store = await PostgresStore.open(setting, origin=installation_of(installation_origin(paths)))
    if before != setting or not paths.store_url.exists():
        write_private(paths.store_url, setting.encode())
    return store


def open_log(paths: Paths) -> SqliteReader | PostgresReader:
    """The log of an installation, read-only; works beside a running `serve`. Raises `StoreError`."""
    setting = store_of(paths)
    if setting == SQLITE:
        return SqliteReader(paths.store)
    return PostgresReader(place_of(setting), installation_of(installation_origin(paths)))


def where_is(store: SqliteStore | PostgresStore) -> str:
    return str(store.path) if isinstance(store, SqliteStore) else store.place.shown


def checkpoints_elsewhere(paths: Paths) -> tuple[bytes, ...]:
    """Checkpoints of this log that it could not take back: those that the logs of other gateways hold."""
    with open_log(paths) as log:
        return log.checkpoints_kept_elsewhere() if isinstance(log, PostgresReader) else ()


# ---------------------------------------------------------------- backup and restore


def make_backup(paths: Paths, output: Path, *, with_keys: bool) -> backups.Backup:
    """Back the installation up to the file `output`, also while its `serve` runs. Raises what `stores.backup` does."""
    if store_of(paths) != SQLITE:
        raise UsageError(
            "the store is a PostgreSQL database, which is backed up by its own means",
            hint="pg_basebackup with WAL archiving, or pg_dump; after putting it back: comptroller restore --in-place",
        )
    return backups.make_backup(
        paths.folder,
        output,
        key=load_log_key(paths.log_key),
        made_at=SystemClock().now().isoformat(timespec="seconds"),
        program=__version__,
        with_keys=with_keys,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """A restore that is decided; `serve` opens its epoch. `unsettled` is what to look at before thawing."""

    restore: Restore
    unsettled: Unsettled
    made_at: str
    aside: Path | None


def restore(
    paths: Paths, backup: Path | None, *, by: str, reason: str, checkpoints: Sequence[Path] = (), key: str | None = None
) -> Restored:
    """Put `backup` in the place of the store there is, or, without one, declare that the store was put back by other
    means. Refused while `serve` runs. Raises `VerificationError`, `StoreError`, `UsageError`, `MissingError`.
    """
    paths.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if backup is not None and store_of(paths) != SQLITE:
        raise UsageError(
            "the store is a PostgreSQL database: put it back by its own means",
            hint="then: comptroller restore --in-place, once for each installation that writes a log in it",
        )
    with exclusive(paths):
        restores.carry_through(paths.folder)
        known = key or (paths.log_public.read_text("utf-8") if paths.log_public.exists() else "")
        given = parse_verifier_key(known) if known else None
        manifest = None
        if backup is not None:
            manifest, _ = restores.stage(paths.folder, backup, key=given)
        try:
            decided = _decide_restore(paths, backup, manifest, by=by, reason=reason, checkpoints=checkpoints)
        except BaseException:
            restores.discard(paths.folder)
            raise
        restores.carry_through(paths.folder)
        return Restored(
            restore=decided,
            unsettled=asyncio.run(_unsettled(paths)),
            made_at=manifest.made_at if manifest is not None else "",
            aside=paths.folder / decided.aside if decided.aside and (paths.folder / decided.aside).exists() else None,
        )


def _decide_restore(
    paths: Paths,
    backup: Path | None,
    manifest: backups.Manifest | None,
    *,
    by: str,
    reason: str,
    checkpoints: Sequence[Path],
) -> Restore:
    """Write the mark. The new epoch's number is above that of every epoch there is a sign of."""
    staged = paths.folder / restores.STAGED
    public = next(path for path in (paths.log_public, staged / backups.PUBLIC) if path.exists())
    verifier = parse_verifier_key(public.read_text("utf-8"))
    key_file = next((path for path in (paths.log_key, staged / paths.log_key.name) if path.exists()), paths.log_key)
    if load_log_key(key_file).public_key() != verifier.key:
        raise StoreError(f"the log key `{key_file}` is not the one that signed the log", hint="put the right one there")
    present = (paths.checkpoint, staged / backups.CHECKPOINT)
    notes = [path.read_bytes() for path in (*checkpoints, *present) if path in checkpoints or path.exists()]
    heads = [verify_any_epoch(note, verifier) for note in notes]
    newest = max(heads, key=lambda head: (epoch_of(head.origin), head.size), default=None)
    kept_origin = manifest.origin if manifest is not None else verifier.origin
    epochs = [epoch_of(origin) for origin in (verifier.origin, kept_origin, *(head.origin for head in heads))]
    now = SystemClock().now()
    decided = Restore(
        id=SystemIds().new(),
        epoch=max(epochs) + 1,
        origin=origin_at(verifier.origin, max(epochs) + 1),
        by=by,
        reason=reason,
        at=now.isoformat(timespec="seconds"),
        kept_origin=kept_origin,
        kept=manifest.head if manifest is not None else None,
        newest=None if newest is None else Head(origin=newest.origin, size=newest.size, root=newest.root.hex()),
        present_size=_entries_of(paths),
        backup=backups.sha256_of(backup) if backup is not None else "",
        aside=f"aside-{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}" if backup is not None else "",
        beside=restores.staged_beside(paths.folder),
    )
    restores.decide(paths.folder, decided)
    return decided


def waiting_restore(paths: Paths) -> Restore | None:
    """The restore whose epoch the next `serve` opens."""
    return restores.decided(paths.folder)


def _entries_of(paths: Paths) -> int:
    """How many entries the store there has; 0 where it cannot be read."""
    if store_of(paths) == SQLITE:
        return restores.entries_of(paths.store)
    try:
        with open_log(paths) as log:
            return log.size()
    except StoreError:
        return 0


async def _unsettled(paths: Paths) -> Unsettled:
    store = await open_store(store_of(paths), paths)
    try:
        ids = SystemIds()
        return await Keeper(store=store, clock=SystemClock(), scribe=Scribe(ids), hub=Hub()).unsettled()
    finally:
        await store.close()


# ---------------------------------------------------------------- archives


def make_archives(paths: Paths, folder: Path, *, before: datetime) -> Sequence[archives.ArchiveFile]:
    """Archive what is older than `before` and follows the archives in `folder`. Raises what `stores.archives` does."""
    note = paths.checkpoint.read_bytes()
    key = parse_verifier_key(paths.log_public.read_text("utf-8"))
    with open_log(paths) as log:
        return tuple(archives.write_archives(log, folder, before=before, note=note, key=key))


def archives_in(folder: Path) -> Sequence[archives.ArchiveFile]:
    """The archives in a folder, in order. Raises `UsageError`."""
    return archives.archives_in(folder)


def read_archive_file(path: Path, *, key: VerifierKey, earlier: Checkpoint | None = None) -> tuple[Archive, str]:
    """One archive, checked, and the SHA-256 of its file. Raises `VerificationError`."""
    return archives.read_file(path, key=key, earlier=earlier)


def open_shelf(folder: Path, key: VerifierKey) -> archives.Shelf:
    """The archives of a folder, for single entries. Raises `UsageError`."""
    return archives.Shelf(folder, key)
