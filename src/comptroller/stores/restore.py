"""Puts a backup in the place of the state there is, which is kept aside; `serve` then opens the log's next epoch.

The mark `restored.json` decides: before it is durable nothing was changed, afterwards everything is carried through,
by whoever comes next. So a restore that is killed leaves the old state or the new one.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

from comptroller.core.checkpoint import Checkpoint, VerifierKey
from comptroller.core.epoch import Restore
from comptroller.core.errors import StoreError, VerificationError
from comptroller.stores import migrations
from comptroller.stores.backup import BESIDE, CHECKPOINT, KEYS, PUBLIC, STORE, Manifest, check_store, unpack
from comptroller.stores.database import explaining, open_for_writing
from comptroller.stores.log_key_unsafe import write_private
from comptroller.stores.reader import SqliteReader

MARK = "restored.json"
STAGED = "restore.staged"
KEPT_ASIDE = (STORE, f"{STORE}-wal", CHECKPOINT, PUBLIC, *BESIDE)
TAKEN_ONCE = (PUBLIC, "prices.csv", *KEYS)
"""What is put in place only where there is none: it may be newer than the backup, or is the same."""


def stage(folder: Path, backup: Path, *, key: VerifierKey | None) -> tuple[Manifest, Checkpoint]:
    """Unpack and verify a backup in a folder of its own inside `folder`; nothing that is in force is touched.

    Raises `VerificationError`, `StoreError`.
    """
    discard(folder)
    staged = folder / STAGED
    with explaining(staged):
        staged.mkdir(mode=0o700)
        try:
            manifest, signed = unpack(backup, staged, key=key)
            # What an older program made is brought up to date here, where nothing depends on it yet.
            open_for_writing(staged / STORE).close()
            head = check_store(staged / STORE, signed)
            if head != manifest.head:
                raise VerificationError("the backup's store is not the one its manifest describes")
            for left in staged.glob(f"{STORE}.*backup"):
                left.unlink()
            for name in TAKEN_ONCE:
                if (folder / name).exists():
                    (staged / name).unlink(missing_ok=True)
            migrations.sync(staged / STORE)
            migrations.sync(staged)
            migrations.sync(folder)
        except BaseException:
            discard(folder)
            raise
    return manifest, signed


def staged_beside(folder: Path) -> tuple[str, ...]:
    """Which files will be put in place with the staged store."""
    return tuple(name for name in BESIDE if (folder / STAGED / name).exists())


def discard(folder: Path) -> None:
    """Remove what a restore that was not decided left."""
    if not (folder / MARK).exists():
        shutil.rmtree(folder / STAGED, ignore_errors=True)


def decide(folder: Path, restore: Restore) -> None:
    """From here on the restore is carried through."""
    with explaining(folder / MARK):
        write_private(folder / MARK, restore.encoded())
        migrations.sync(folder)


def decided(folder: Path) -> Restore | None:
    """The restore that waits for `serve`, if there is one. Raises `VerificationError` where its mark is damaged."""
    with explaining(folder / MARK):
        try:
            return Restore.decoded((folder / MARK).read_bytes())
        except FileNotFoundError:
            return None


def carry_through(folder: Path) -> Restore | None:
    """Put what was staged in place, as often as it takes. The caller holds the installation's lock."""
    restore = decided(folder)
    if restore is None:
        return None
    staged = folder / STAGED
    with explaining(folder):
        if (staged / STORE).exists():
            _keep_aside(folder, folder / restore.aside)
            # The old store's journal must never meet the new store.
            for suffix in ("-wal", "-shm", "-journal"):
                (folder / f"{STORE}{suffix}").unlink(missing_ok=True)
            for name in ("budgets.applied", "prices.applied"):
                if name not in restore.beside:
                    (folder / name).unlink(missing_ok=True)
            for name in (*BESIDE, PUBLIC, *KEYS):
                with suppress(FileNotFoundError):
                    (staged / name).replace(folder / name)
            migrations.sync(folder)
            (staged / STORE).replace(folder / STORE)
            migrations.sync(folder)
        shutil.rmtree(staged, ignore_errors=True)
    return restore


def _keep_aside(folder: Path, aside: Path) -> None:
    """Link what is there into `aside`: the same files, under a name that nothing touches."""
    aside.mkdir(mode=0o700, exist_ok=True)
    for name in KEPT_ASIDE:
        if (folder / name).exists() and not (aside / name).exists():
            try:
                os.link(folder / name, aside / name)
            except OSError as error:
                raise StoreError(
                    f"`{name}` cannot be kept aside: {error.strerror}",
                    hint="nothing was replaced",
                ) from error
    migrations.sync(aside)
    migrations.sync(folder)


def finish(folder: Path) -> None:
    """Remove the mark: the new epoch is signed."""
    with explaining(folder / MARK):
        (folder / MARK).unlink()
        migrations.sync(folder)


def entries_of(path: Path) -> int:
    """How many entries the store there has; 0 where it cannot be read."""
    try:
        with SqliteReader(path) as reader:
            return reader.size()
    except StoreError:
        return 0
