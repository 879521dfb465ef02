"""A bill as a parquet file, written in pieces of bounded size. `pyarrow` comes with the extra `reports`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import islice
from typing import IO, Any

from comptroller.core.errors import MissingError
from comptroller.server.spend.focus import COLUMNS, Cell, Column

ROWS_PER_PIECE = 10_000
COUNT_MAX = 2**63 - 1
"""The largest whole number of a parquet column; more is written as this."""


def arrow() -> Any:
    """The `pyarrow` module. Raises `MissingError` where it is not installed."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise MissingError(
            "parquet files need the package `pyarrow`", hint="pip install 'comptroller[reports]'"
        ) from error
    return pyarrow


def write_parquet(rows: Iterable[Mapping[str, Cell]], sink: IO[bytes]) -> int:
    """Write a bill as one parquet file; how many rows. Raises `MissingError`."""
    library = arrow()
    schema = library.schema([(column.name, _type(library, column)) for column in COLUMNS])
    count = 0
    remaining = iter(rows)
    with library.parquet.ParquetWriter(sink, schema, compression="zstd") as writer:
        while piece := list(islice(remaining, ROWS_PER_PIECE)):
            columns = [
                library.array([_value(column, row[column.name]) for row in piece], schema.field(column.name).type)
                for column in COLUMNS
            ]
            writer.write_table(library.Table.from_arrays(columns, schema=schema))
            count += len(piece)
    return count


def _type(library: Any, column: Column) -> Any:
    match column.kind:
        case "text":
            return library.string()
        case "money":
            return library.decimal128(38, 6)
        case "count":
            return library.int64()
        case "time":
            return library.timestamp("us", tz="UTC")
        case "tags":
            return library.map_(library.string(), library.string())


def _value(column: Column, cell: Cell) -> object:
    if column.kind == "time" and isinstance(cell, str):
        return datetime.fromisoformat(cell)
    if isinstance(cell, int):
        return min(cell, COUNT_MAX)
    return list(cell.items()) if isinstance(cell, Mapping) else cell
