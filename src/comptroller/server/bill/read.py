"""Reads a bill line by line, whatever its size: CSV, CSV.gz or parquet. Every fault names its line."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO

from comptroller.core.currency import ExchangeRate
from comptroller.core.errors import UsageError
from comptroller.server.bill.item import Item, layout_of
from comptroller.server.spend.parquet import arrow

LINE_CHARACTERS_MAX = 4 << 20
FIELD_CHARACTERS_MAX = 1 << 20
COLUMNS_MAX = 4096
ROWS_PER_BATCH = 5_000
_PARQUET = b"PAR1"
_GZIP = b"\x1f\x8b"

Progress = Callable[[int, int], None]


def read_bill(
    path: Path, rates: Mapping[str, ExchangeRate], *, progress: Progress = lambda _done, _size: None
) -> Iterator[Item]:
    """Every line of the bill at `path`. `progress` is told how many of its bytes were read. Raises `UsageError`, and
    `MissingError` where a parquet file needs what is not installed."""
    try:
        size = path.stat().st_size
        with path.open("rb") as source:
            start = source.read(4)
    except OSError as error:
        raise UsageError(f"`{path}` cannot be read: {error.strerror}") from error
    if start == _PARQUET:
        yield from _parquet(path, rates, size, progress)
    else:
        yield from _csv(path, rates, size, progress, packed=start.startswith(_GZIP))


def _csv(
    path: Path, rates: Mapping[str, ExchangeRate], size: int, progress: Progress, *, packed: bool
) -> Iterator[Item]:
    limit = csv.field_size_limit(FIELD_CHARACTERS_MAX)
    try:
        with path.open("rb") as raw:
            opened: IO[bytes] = gzip.GzipFile(fileobj=raw) if packed else raw  # type: ignore[assignment]
            lines = _Lines(opened)
            reader = csv.reader(lines, strict=True)
            names = next(reader, [])
            if len(names) > COLUMNS_MAX:
                raise UsageError(f"`{path}` has more than {COLUMNS_MAX} columns")
            layout = layout_of(names, str(path))
            for row in reader:
                line = reader.line_num
                if not row:
                    continue
                if len(row) != len(names):
                    raise UsageError(f"line {line}: {len(row)} fields where the head names {len(names)}")
                yield layout.item(line, dict(zip(names, row, strict=True)), rates)
                if line % ROWS_PER_BATCH == 0:
                    progress(raw.tell(), size)
    except (csv.Error, UnicodeDecodeError, gzip.BadGzipFile, EOFError, zlib.error) as error:
        hint = "is it the file as the service wrote it, in UTF-8?"
        raise UsageError(f"line {lines.number}: {error}", hint=hint) from error
    finally:
        csv.field_size_limit(limit)
    progress(size, size)


class _Lines:
    """Lines of bounded length. `number` is that of the line that is being read. Raises `csv.Error`."""

    def __init__(self, source: IO[bytes]) -> None:
        self._source = source
        self.number = 0

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        self.number += 1
        data = self._source.readline(LINE_CHARACTERS_MAX + 1)
        if not data:
            raise StopIteration
        if len(data) > LINE_CHARACTERS_MAX:
            raise csv.Error(f"longer than {LINE_CHARACTERS_MAX} bytes")
        if b"\0" in data:
            raise csv.Error("it holds a zero byte")
        return data.decode("utf-8-sig" if self.number == 1 else "utf-8")


def _parquet(path: Path, rates: Mapping[str, ExchangeRate], size: int, progress: Progress) -> Iterator[Item]:
    pyarrow = arrow()
    line = 0
    try:
        with pyarrow.parquet.ParquetFile(path) as opened:
            layout = layout_of(opened.schema_arrow.names, str(path))
            whole = opened.metadata.num_rows
            wanted = sorted(set(layout.columns.values()))
            for batch in opened.iter_batches(batch_size=ROWS_PER_BATCH, columns=wanted):
                for row in batch.to_pylist():
                    line += 1
                    yield layout.item(line, row, rates)
                progress(size * line // max(1, whole), size)
    except (pyarrow.ArrowException, OSError) as error:
        raise UsageError(f"row {line + 1}: {error}", hint="is it the file as the service wrote it?") from error
