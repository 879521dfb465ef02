"""The shipped data files, row by row: read when first asked for, never at import."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from importlib.resources import files


def rows_of(name: str) -> Iterator[Mapping[str, str]]:
    """The rows of `data/NAME`, by column."""
    text = (files(__package__) / "data" / name).read_text("utf-8")
    return csv.DictReader(text.splitlines())
