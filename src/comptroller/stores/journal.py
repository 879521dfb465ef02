"""The outage journal: notes in one file of fixed size, chained by hash, each on the disk before `append` returns.

A line is `LENGTH HASH JSON`; the space behind the last one is NUL bytes, set aside in advance so that a full disk does
not matter. A line that the power cut is recognised by the NUL bytes in it; any other that does not fit is refused.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import os
import uuid
from collections.abc import Sequence
from pathlib import Path

from comptroller.core.errors import StoreError
from comptroller.core.escrow import Note, NoteKind
from comptroller.stores.notes import note_bytes, note_of

JOURNAL_BYTES = 8 << 20
RESERVED_BYTES = 1 << 20
"""At its end, for what closes or stops something."""
_LENGTH_DIGITS = 8
_HASH_DIGITS = 64
_HEAD_BYTES = _LENGTH_DIGITS + 1 + _HASH_DIGITS + 1
_MAGIC = b"comptroller-journal 1 "
_ID_BYTES = 36


class FileJournal:
    """`ports.Journal` in one file. Made by `open`."""

    def __init__(self, path: Path, size_bytes: int = JOURNAL_BYTES) -> None:
        self.path = path
        self.syncs = 0
        self._size_bytes = size_bytes
        self._descriptor = -1
        self._id = ""
        self._head = ""
        self._end = 0
        self._notes: list[Note] = []
        self._broken = ""
        self._queue: list[tuple[bytes, Note, asyncio.Future[None]]] = []
        self._writer: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, path: Path, *, size_bytes: int = JOURNAL_BYTES) -> FileJournal:
        """Open the journal at `path`, or begin one. Raises `StoreError` for one that was damaged or changed."""
        journal = cls(path, size_bytes)
        await asyncio.to_thread(journal._open)
        return journal

    @property
    def id(self) -> str:
        """As `ports.Journal.id`."""
        return self._id

    @property
    def head(self) -> str:
        """As `ports.Journal.head`."""
        return self._head

    @property
    def notes(self) -> Sequence[Note]:
        """As `ports.Journal.notes`."""
        return self._notes

    @property
    def crowded(self) -> bool:
        """As `ports.Journal.crowded`: half full, or nothing can be appended."""
        return bool(self._broken) or self._end > self._size_bytes // 2

    async def append(self, note: Note) -> None:
        """As `ports.Journal.append`. What is asked for at the same time shares one sync."""
        try:
            text = note_bytes(note)
        except (ValueError, TypeError) as error:
            raise StoreError(f"a note cannot be written: {error}") from error
        if self._broken:
            raise StoreError(
                f"the journal `{self.path}` failed: {self._broken}", hint="nothing was recorded or released"
            )
        kept = 0 if note.kind in (NoteKind.CLOSED, NoteKind.BRAKE) else min(RESERVED_BYTES, self._size_bytes // 8)
        head = _chained(self._head, text)
        line = b"%08x %s %s\n" % (len(text), head.encode(), text)
        if self._end + len(line) > self._size_bytes - kept:
            raise StoreError(f"the journal `{self.path}` is full", hint="nothing was recorded or released")
        self._head, self._end = head, self._end + len(line)
        durable: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append((line, note, durable))
        if self._writer is None:
            self._writer = asyncio.create_task(self._write())
        await durable

    async def renew(self, notes: Sequence[Note]) -> None:
        """As `ports.Journal.renew`."""
        while self._writer is not None:
            await asyncio.shield(self._writer)
        await asyncio.to_thread(self._begin, notes)

    async def close(self) -> None:
        """As `ports.Journal.close`."""
        while self._writer is not None:
            await asyncio.shield(self._writer)
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    # ------------------------------------------------------------ writing

    async def _write(self) -> None:
        end = self._end - sum(len(line) for line, _, _ in self._queue)
        try:
            while self._queue:
                batch, self._queue = self._queue, []
                data = b"".join(line for line, _, _ in batch)
                try:
                    if self._broken:
                        raise OSError(self._broken)
                    await asyncio.to_thread(self._sync, data, end)
                except (OSError, RuntimeError) as error:
                    # What is on the disk is not known: a line behind a torn one could not be read.
                    self._broken = getattr(error, "strerror", None) or str(error)
                    failure = StoreError(f"the journal `{self.path}` failed: {self._broken}")
                    _tell([future for _, _, future in batch], failure)
                else:
                    self._notes.extend(note for _, note, _ in batch)
                    _tell([future for _, _, future in batch], None)
                end += len(data)
        finally:
            self._writer = None

    def _sync(self, data: bytes, offset: int) -> None:
        while data:
            written = os.pwrite(self._descriptor, data, offset)
            data, offset = data[written:], offset + written
        os.fdatasync(self._descriptor)
        self.syncs += 1

    # ------------------------------------------------------------ the file

    def _open(self) -> None:
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            self._begin(())
            return
        except OSError as error:
            raise self._failure(error) from error
        self._descriptor = descriptor
        try:
            with open(descriptor, "rb", closefd=False) as file:
                text = file.read()
            self._read(text)
            if torn := text[self._end :].rstrip(b"\0"):
                # It must not lie behind the next line.
                self._sync(bytes(len(torn)), self._end)
        except OSError as error:
            os.close(descriptor)
            raise self._failure(error) from error
        except BaseException:
            os.close(descriptor)
            raise

    def _begin(self, notes: Sequence[Note]) -> None:
        """Raises `StoreError`; the journal before it is then still there."""
        name = str(uuid.uuid4())
        lines = [_MAGIC + name.encode() + b"\n"]
        head = _chained("", lines[0])
        for note in notes:
            text = note_bytes(note)
            head = _chained(head, text)
            lines.append(b"%08x %s %s\n" % (len(text), head.encode(), text))
        data = b"".join(lines)
        fresh = self.path.with_name(self.path.name + ".new")
        try:
            with contextlib.suppress(FileNotFoundError):
                fresh.unlink()
            descriptor = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, self._size_bytes)
                os.pwrite(descriptor, data, 0)
                os.fsync(descriptor)
                fresh.replace(self.path)
            except BaseException:
                os.close(descriptor)
                raise
            _sync_folder(self.path.parent)
        except OSError as error:
            raise self._failure(error) from error
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor, self._broken = descriptor, ""
        self._id, self._head, self._end, self._notes = name, head, len(data), list(notes)

    def _read(self, text: bytes) -> None:
        """Take over what was written. Raises `StoreError` for a line that was changed, `OSError` never."""
        start = len(_MAGIC) + _ID_BYTES + 1
        if not text.startswith(_MAGIC) or text[start - 1 : start] != b"\n":
            raise self._changed("its first line is not that of a journal")
        self._id, self._head = text[len(_MAGIC) : start - 1].decode("ascii", "replace"), _chained("", text[:start])
        self._size_bytes = max(self._size_bytes, len(text))
        while line := _line(text, start):
            head, note = line
            if _chained(self._head, note) != head:
                raise self._changed(f"note {len(self._notes)} is not the one that was written")
            try:
                self._notes.append(note_of(note))
            except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
                raise self._changed(f"note {len(self._notes)} cannot be read") from error
            self._head = head
            start += _HEAD_BYTES + len(note) + 1
        self._end = start
        rest = text[start:].rstrip(b"\0")
        if rest and not _torn(rest):
            raise self._changed(f"what follows note {len(self._notes) - 1} is not a note")

    def _changed(self, why: str) -> StoreError:
        return StoreError(
            f"the outage journal `{self.path}` was damaged or changed: {why}",
            hint="keep it and find out who wrote there; once it is moved away, `serve` starts, and what shares held "
            "counts as spent (suspense)",
        )

    def _failure(self, error: OSError) -> StoreError:
        return StoreError(
            f"the outage journal `{self.path}` failed: {error.strerror or error}",
            hint=f"it needs {max(1, self._size_bytes >> 20)} MiB of free space in the state folder"
            if error.errno in (errno.ENOSPC, errno.EDQUOT)
            else "see that the state folder is yours and can be written",
        )


def _chained(head: str, text: bytes) -> str:
    return hashlib.sha256(head.encode() + text).hexdigest()


def _line(text: bytes, start: int) -> tuple[str, bytes] | None:
    """Hash and note of the line at `start`; None where there is no whole line."""
    head = text[start : start + _HEAD_BYTES]
    try:
        length = int(head[:_LENGTH_DIGITS], 16)
        digest = head[_LENGTH_DIGITS + 1 : -1].decode("ascii")
    except ValueError:
        return None
    note = text[start + _HEAD_BYTES : start + _HEAD_BYTES + length]
    end = start + _HEAD_BYTES + length
    whole = len(head) == _HEAD_BYTES and head[_LENGTH_DIGITS : _LENGTH_DIGITS + 1] == head[-1:] == b" "
    if not whole or length < 2 or text[end : end + 1] != b"\n" or b"\0" in note or b"\0" in head:
        return None
    return digest, note


def _torn(rest: bytes) -> bool:
    """Whether `rest`, without the NUL bytes behind it, is one line of which not all reached the disk."""
    if len(rest) <= _HEAD_BYTES:
        return True
    try:
        whole = _HEAD_BYTES + int(rest[:_LENGTH_DIGITS], 16) + 1
    except ValueError:
        return False
    return (len(rest) < whole and not rest.endswith(b"\n")) or (len(rest) <= whole and b"\0" in rest)


def _tell(futures: Sequence[asyncio.Future[None]], failure: StoreError | None) -> None:
    for future in futures:
        if future.done():
            continue
        if failure is None:
            future.set_result(None)
        else:
            future.set_exception(StoreError(failure.message, hint=failure.hint))


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
