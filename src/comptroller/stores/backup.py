"""A backup: one signed, checked file of an installation's state. It is made beside a running `serve`.

A compressed tar of `log.pub`, `manifest` (a note that the log key signed: size and SHA-256 of every other member, and
the log's head), `checkpoint`, the store as SQLite's online backup copied it, and what was last taken over from files.
Keys are in it only where they were asked for.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import tarfile
import tempfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from comptroller.core import checkpoint as notes
from comptroller.core.checkpoint import Checkpoint, VerifierKey
from comptroller.core.epoch import Head, installation_of, same_installation
from comptroller.core.errors import RefusedError, StoreError, VerificationError
from comptroller.core.verification import verify_log
from comptroller.stores import migrations
from comptroller.stores.database import explaining, open_for_reading
from comptroller.stores.reader import SqliteReader

STORE, PUBLIC, CHECKPOINT, MANIFEST = "store.sqlite", "log.pub", "checkpoint", "manifest"
BESIDE = ("budgets.applied", "prices.csv", "prices.applied")
"""What says which settings and prices were taken over last; each where it is there."""
KEYS = ("log.key", "ca.key", "ca.pem")
BACKUP_VERSION = 1
COMPRESS_LEVEL = 3
SMALL_BYTES_MAX = 64 << 10
COPY_BYTES = 1 << 20
SCRATCH_PREFIX = ".comptroller-backup-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a backup says of itself. `head` is the log's at that moment, `files` name -> (bytes, SHA-256 as hex)."""

    origin: str
    made_at: str
    program: str
    store_version: int
    head: Head
    files: Mapping[str, tuple[int, str]]

    @property
    def with_keys(self) -> bool:
        """Whether it holds private keys."""
        return any(name in self.files for name in KEYS)

    def text(self) -> str:
        """The lines that are signed."""
        whole = {name: getattr(self, name) for name in ("origin", "made_at", "program", "store_version")}
        body = json.dumps({**whole, "head": self.head.as_dict(), "files": self.files}, ensure_ascii=True)
        return f"comptroller backup {BACKUP_VERSION}\n{body}\n"

    @classmethod
    def of(cls, text: str) -> Manifest:
        """The manifest in signed lines. Raises `VerificationError`."""
        first, _, body = text.partition("\n")
        if first != f"comptroller backup {BACKUP_VERSION}":
            raise VerificationError("the backup is of a version that is not known", hint="upgrade Comptroller")
        try:
            whole = json.loads(body)
            files = {name: (int(size), str(digest)) for name, (size, digest) in whole.pop("files").items()}
            return cls(head=Head.of(whole.pop("head")), files=files, **whole)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise VerificationError("the backup's manifest cannot be understood") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """A backup that was made and read back."""

    path: Path
    bytes: int
    sha256: str
    manifest: Manifest
    signed: Checkpoint


def backup_name(origin: str) -> str:
    """The name under which an installation's key signs backups: never that of a log."""
    return f"{installation_of(origin)}/backup"


# ---------------------------------------------------------------- making


def make_backup(
    folder: Path, output: Path, *, key: Ed25519PrivateKey, made_at: str, program: str, with_keys: bool
) -> Backup:
    """Copy the state in `folder` to the file `output`, whole or not at all; an older file of that name stays until the
    new one is durable and was read back. Raises `StoreError`, and `VerificationError` for a log that does not verify.
    """
    with explaining(output):
        output.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        scratch = scratch_beside(output.parent)
    try:
        with explaining(output):
            signed = _gather(folder, scratch, with_keys)
            manifest = _describe(scratch, signed, made_at, program)
            note = notes.sign_text(manifest.text(), name=backup_name(signed.origin), private_key=key)
            (scratch / MANIFEST).write_bytes(note)
            made = scratch / "backup.tar.gz"
            _pack(scratch, made, (PUBLIC, MANIFEST, *(name for name in manifest.files if name != PUBLIC)))
            verifier = notes.parse_verifier_key((scratch / PUBLIC).read_text("utf-8"))
            _read_back(made, verifier, manifest)
            digest = sha256_of(made)
            made.replace(output)
            migrations.sync(output.parent)
            return Backup(path=output, bytes=output.stat().st_size, sha256=digest, manifest=manifest, signed=signed)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _gather(folder: Path, scratch: Path, with_keys: bool) -> Checkpoint:
    """Copy what a backup holds; the checkpoint first, so that the log covers it. Returns it, proven."""
    names = (PUBLIC, CHECKPOINT, *BESIDE, *(KEYS if with_keys else ()))
    for name in names:
        with suppress(FileNotFoundError):
            _write(scratch / name, (folder / name).read_bytes())
    if not (scratch / CHECKPOINT).exists():
        raise RefusedError(
            "there is no signed checkpoint yet: nothing vouches for the log",
            hint="comptroller serve signs one when it starts",
        )
    verifier = notes.parse_verifier_key((scratch / PUBLIC).read_text("utf-8"))
    signed = notes.verify_any_epoch((scratch / CHECKPOINT).read_bytes(), verifier)
    copy_store(folder / STORE, scratch / STORE)
    check_store(scratch / STORE, signed)
    return signed


def copy_store(path: Path, target: Path) -> None:
    """One moment of a store that may be written meanwhile, as one complete, synced file. Raises `StoreError`."""
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    with explaining(target), closing(open_for_reading(path)) as source:
        with closing(sqlite3.connect(target, isolation_level=None)) as copy:
            source.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")
        migrations.sync(target)


def check_store(path: Path, signed: Checkpoint) -> Head:
    """Check a store nobody writes: its pages, and every entry against the signed checkpoint. Returns the log's head.

    Raises `VerificationError`.
    """
    with explaining(path), closing(open_for_reading(path)) as connection:
        told = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if told != "ok":
            raise VerificationError(f"the store in the backup is damaged: {told}")
    with SqliteReader(path) as reader:
        report = verify_log(reader.records(), signed)
        if not report.ok:
            raise VerificationError(
                f"the log does not verify: {report.problems[0]}", hint="comptroller audit verify says where"
            )
        size = reader.size()
        return Head(origin=signed.origin, size=size, root=reader.root(size).hex())


def _describe(scratch: Path, signed: Checkpoint, made_at: str, program: str) -> Manifest:
    names = [path.name for path in sorted(scratch.iterdir())]
    with SqliteReader(scratch / STORE) as reader:
        size = reader.size()
        head = Head(origin=signed.origin, size=size, root=reader.root(size).hex())
    return Manifest(
        origin=signed.origin,
        made_at=made_at,
        program=program,
        store_version=len(migrations.MIGRATIONS),
        head=head,
        files={name: ((scratch / name).stat().st_size, sha256_of(scratch / name)) for name in names},
    )


def _pack(scratch: Path, target: Path, names: Sequence[str]) -> None:
    descriptor = os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        with tarfile.open(fileobj=file, mode="w:gz", compresslevel=COMPRESS_LEVEL) as packed:
            for name in names:
                entry = tarfile.TarInfo(name)
                entry.size, entry.mode = (scratch / name).stat().st_size, 0o600
                with (scratch / name).open("rb") as source:
                    packed.addfile(entry, source)
        file.flush()
        os.fsync(file.fileno())


def _read_back(made: Path, verifier: VerifierKey, manifest: Manifest) -> None:
    """What lies on the disk now is what was copied."""
    with _members(made) as members:
        if _opening(members, verifier) != manifest:
            raise StoreError("the backup that was written cannot be read back", hint="check the disk, then repeat")
        for name, source in members:
            _check(name, source, manifest, None)


def scratch_beside(parent: Path) -> Path:
    """A private folder for copies; those that a killed backup or proof left are removed."""
    for left in parent.glob(f"{SCRATCH_PREFIX}*"):
        owner = left.name.removeprefix(SCRATCH_PREFIX).partition("-")[0]
        if owner.isdigit() and not _lives(int(owner)):
            shutil.rmtree(left, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{SCRATCH_PREFIX}{os.getpid()}-", dir=parent))


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


# ---------------------------------------------------------------- reading


def unpack(backup: Path, target: Path, *, key: VerifierKey | None) -> tuple[Manifest, Checkpoint]:
    """Write every member to the folder `target`, each checked against the signed manifest, then check the log.

    `key` is the installation's; where there is none, the backup's own is believed. Raises `VerificationError`,
    `StoreError`.
    """
    with _members(backup) as members:
        public, own = _public_key(members)
        if key is not None and (own.key.public_bytes_raw(), True) != (
            key.key.public_bytes_raw(),
            same_installation(own.origin, key.origin),
        ):
            raise VerificationError(
                "the backup is of another installation",
                hint="move the state folder away to restore it here, or take a backup of this installation",
            )
        manifest = _manifest(members, own)
        if manifest.files.get(PUBLIC) != (len(public), hashlib.sha256(public).hexdigest()):
            raise VerificationError("the backup was changed: its public key is not what its manifest says")
        _write(target / PUBLIC, public)
        for name, source in members:
            _check(name, source, manifest, target)
    missing = manifest.files.keys() - {path.name for path in target.iterdir()}
    if missing or STORE not in manifest.files or CHECKPOINT not in manifest.files:
        raise VerificationError(f"the backup lacks {', '.join(sorted(missing)) or 'its store'}")
    signed = notes.verify_any_epoch((target / CHECKPOINT).read_bytes(), own)
    return manifest, signed


@contextmanager
def _members(backup: Path) -> Iterator[Iterator[tuple[str, IO[bytes]]]]:
    """The members one after the other. Whatever is wrong with the file is a `VerificationError`."""
    damaged = VerificationError(
        f"`{backup}` is no backup of Comptroller, is damaged, or was cut", hint="take another backup"
    )

    def walk(packed: tarfile.TarFile) -> Iterator[tuple[str, IO[bytes]]]:
        for entry in packed:
            source = packed.extractfile(entry) if entry.isreg() else None
            if source is None:
                raise damaged
            yield entry.name, source

    try:
        with tarfile.open(backup, mode="r|gz") as packed:
            yield walk(packed)
    except (tarfile.TarError, zlib.error, EOFError, UnicodeError) as error:
        raise damaged from error
    except OSError as error:
        if error.errno is None:  # gzip's own
            raise damaged from error
        raise StoreError(f"the backup `{backup}` cannot be read: {error.strerror}") from error


def _opening(members: Iterator[tuple[str, IO[bytes]]], key: VerifierKey) -> Manifest:
    _public_key(members)
    return _manifest(members, key)


def _public_key(members: Iterator[tuple[str, IO[bytes]]]) -> tuple[bytes, VerifierKey]:
    data = _small(members, PUBLIC)
    return data, notes.parse_verifier_key(data.decode("utf-8", "replace"))


def _manifest(members: Iterator[tuple[str, IO[bytes]]], key: VerifierKey) -> Manifest:
    signer = replace(key, origin=backup_name(key.origin))
    manifest = Manifest.of(notes.verify_text(_small(members, MANIFEST), signer))
    if not same_installation(manifest.origin, key.origin):
        raise VerificationError("the backup's manifest is of another installation")
    return manifest


def _small(members: Iterator[tuple[str, IO[bytes]]], name: str) -> bytes:
    found, source = next(members, ("", None))
    data = source.read(SMALL_BYTES_MAX + 1) if source is not None else b""
    if found != name or len(data) > SMALL_BYTES_MAX:
        raise VerificationError("this is not a backup of Comptroller", hint="comptroller backup makes one")
    return data


def _check(name: str, source: IO[bytes], manifest: Manifest, target: Path | None) -> None:
    """Read one member against the manifest, to `target` where there is one."""
    changed = VerificationError(f"the backup was changed: `{name[:80]!a}` is not what its manifest says")
    if name not in manifest.files or name not in (STORE, CHECKPOINT, *BESIDE, *KEYS):
        raise changed
    left, wanted = manifest.files[name]
    digest = hashlib.sha256()
    sink = _create(target / name) if target is not None else None
    try:
        while block := source.read(COPY_BYTES):
            left -= len(block)
            if left < 0:
                raise changed
            digest.update(block)
            if sink is not None:
                sink.write(block)
        if left or digest.hexdigest() != wanted:
            raise changed
        if sink is not None:
            sink.flush()
            os.fsync(sink.fileno())
    finally:
        if sink is not None:
            sink.close()


def _create(path: Path) -> IO[bytes]:
    return os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o600), "wb")


def _write(path: Path, data: bytes) -> None:
    with _create(path) as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, as hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
