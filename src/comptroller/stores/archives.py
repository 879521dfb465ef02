"""Archives as files: `log-FIRST-END.jsonl.gz` in a folder, each is written whole, read back and proven."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Protocol

from comptroller.core import checkpoint as notes
from comptroller.core import merkle
from comptroller.core.archive import ARCHIVE_ENTRIES_MAX, Archive, archive_lines, read_archive
from comptroller.core.checkpoint import Checkpoint, VerifierKey
from comptroller.core.errors import RefusedError, StoreError, UsageError, VerificationError
from comptroller.core.export_reader import LINE_BYTES_MAX
from comptroller.core.walk import Record
from comptroller.stores import migrations

_NAME = re.compile(r"log-(\d{12})-(\d{12})\.jsonl\.gz")
COMPRESS_LEVEL = 6


class Log(Protocol):
    """What archiving needs of the reader of a log."""

    def size(self) -> int:
        """Number of leaves."""
        ...

    def root(self, size: int) -> bytes:
        """RFC 6962 root of the first `size` leaves."""
        ...

    def edge(self, size: int) -> merkle.Edge:
        """The right edge of the first `size` leaves."""
        ...

    def consistency(self, old: int, new: int) -> Sequence[bytes]:
        """RFC 6962 consistency proof."""
        ...

    def records(self, *, size: int | None = None, after: int = -1) -> Iterator[Record]:
        """Every entry above `after` and below `size`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveFile:
    """An archive by its name: entries `first` to `end - 1`."""

    path: Path
    first: int
    end: int


def archives_in(folder: Path) -> tuple[ArchiveFile, ...]:
    """The archives in a folder, in order. Raises `UsageError` where it cannot be read."""
    try:
        names = sorted(path.name for path in folder.iterdir())
    except OSError as error:
        raise UsageError(f"cannot read the archives in `{folder}`: {error.strerror}") from error
    return tuple(
        ArchiveFile(path=folder / name, first=int(found[1]), end=int(found[2]))
        for name in names
        if (found := _NAME.fullmatch(name))
    )


def read_file(path: Path, *, key: VerifierKey, earlier: Checkpoint | None = None) -> tuple[Archive, str]:
    """An archive, checked, and the SHA-256 of its file. Raises `VerificationError`."""
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            file.seek(0)
            with gzip.open(file) as lines:
                archive = read_archive(_lines(lines), key=key, earlier=earlier)
    except (zlib.error, EOFError, gzip.BadGzipFile) as error:
        raise VerificationError(f"the archive `{path}` is damaged or was cut") from error
    except VerificationError as error:
        raise VerificationError(f"the archive `{path}`: {error.message}", hint=error.hint) from error
    except OSError as error:
        raise StoreError(f"the archive `{path}` cannot be read: {error.strerror}") from error
    return archive, digest


def _lines(file: gzip.GzipFile) -> Iterator[bytes]:
    while line := file.readline(LINE_BYTES_MAX + 1):
        yield line


def write_archives(log: Log, folder: Path, *, before: datetime, note: bytes, key: VerifierKey) -> Iterator[ArchiveFile]:
    """Archive what follows the archives in `folder` and is older than `before`, as far as it is signed.

    Each file that is yielded is durable and was read back. Raises `StoreError`, `VerificationError`.
    """
    signed = notes.verify_any_epoch(note, key)
    if log.size() < signed.size or log.root(signed.size) != signed.root:
        raise VerificationError(
            "the log does not match its own signed checkpoint", hint="comptroller audit verify says where"
        )
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        there = archives_in(folder)
        first = there[-1].end if there else 0
        while made := _write_one(log, folder, first, before, note, signed, key):
            yield made
            first = made.end
    except OSError as error:
        raise StoreError(f"the archive in `{folder}` cannot be written: {error.strerror or error}") from error


def _write_one(
    log: Log,
    folder: Path,
    first: int,
    before: datetime,
    note: bytes,
    signed: Checkpoint,
    key: VerifierKey,
) -> ArchiveFile | None:
    if first > signed.size:
        raise RefusedError(
            f"the archives in `{folder}` end at entry {first}, the log has {signed.size}: they are of another log",
            hint="name another folder",
        )
    end = min(signed.size, first + ARCHIVE_ENTRIES_MAX)
    records = tuple(_until(before, log.records(after=first - 1, size=end)))
    if not records:
        return None
    end = first + len(records)
    target = folder / f"log-{first:012d}-{end:012d}.jsonl.gz"
    partial = target.with_name(target.name + ".partial")
    lines = archive_lines(
        records,
        edge=log.edge(first),
        note=note,
        signed=signed,
        consistency=lambda size: log.consistency(size, signed.size),
    )
    try:
        partial.unlink(missing_ok=True)
        with os.fdopen(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            with gzip.GzipFile(filename="", fileobj=file, mode="wb", compresslevel=COMPRESS_LEVEL, mtime=0) as packed:
                packed.writelines(lines)
            file.flush()
            os.fsync(file.fileno())
        archive, _ = read_file(partial, key=key)
        archive.report.check()
        # INVARIANT: what was written is what was read from the log.
        if [(item.leaf, item.private) for item in archive.records] != [(r.leaf, r.private) for r in records]:
            raise StoreError(f"the archive `{partial}` cannot be read back", hint="check the disk, then repeat")
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    partial.replace(target)
    migrations.sync(folder)
    return ArchiveFile(path=target, first=first, end=end)


def _until(before: datetime, records: Iterable[Record]) -> Iterator[Record]:
    """Entries up to the first that is not older; of one that was archived already only its hash is left."""
    for record in records:
        if record.leaf and not _older(record.leaf, before):
            return
        yield record


def _older(leaf: bytes, before: datetime) -> bool:
    try:
        return datetime.fromisoformat(str(json.loads(leaf)["at"])) < before
    except (ValueError, KeyError, TypeError) as error:
        raise VerificationError("an entry cannot be understood", hint="comptroller audit verify says which") from error


class Shelf:
    """The archives of a folder, asked for single entries in order; one file at a time is in memory."""

    def __init__(self, folder: Path, key: VerifierKey) -> None:
        self._files = archives_in(folder)
        self._key = key
        self._open: Archive | None = None

    def record(self, index: int) -> Record | None:
        """The entry at `index`, from the first archive that holds it. Raises `VerificationError`."""
        for file in self._files:
            if file.first <= index < file.end:
                if self._open is None or not self._open.first <= index < self._open.end:
                    self._open, _ = read_file(file.path, key=self._key)
                found = self._open.record(index)
                if found is not None:
                    return found
        return None

    def filled(self, records: Iterable[Record]) -> Iterator[Record]:
        """The records of a log, with the leaves that only the archives hold."""
        for record in records:
            found = self.record(record.index) if record.removed else None
            if found is None:
                yield record
            else:
                yield replace(record, leaf=found.leaf, private=found.private)
