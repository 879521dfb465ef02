"""A mapping of bounded memory: what was used last is kept, the rest lies in a temporary file that nobody else sees."""

from __future__ import annotations

import json
import sqlite3
from collections import OrderedDict
from collections.abc import Callable
from types import TracebackType
from typing import Generic, TypeVar

from comptroller.core.errors import UsageError
from comptroller.core.estimate import Unit
from comptroller.core.spend import Charge, Principal, Standing

V = TypeVar("V")

KEPT_MAX = 20_000
"""How many values are kept in memory."""


class Spilled(Generic[V]):
    """`core.spend.Remembered`: text to values that `encode` writes as text.

    Raises `UsageError` where the temporary file cannot be written.
    """

    def __init__(self, encode: Callable[[V], str], decode: Callable[[str], V], *, kept_max: int = KEPT_MAX) -> None:
        assert kept_max >= 2
        self._encode, self._decode, self._kept_max = encode, decode, kept_max
        self._kept: OrderedDict[str, V] = OrderedDict()
        # An unnamed SQLite database: in memory while it is small, else in a file that is gone when it is closed.
        self._file = sqlite3.connect("", isolation_level=None)
        self._file.execute("PRAGMA journal_mode = OFF")
        self._file.execute("PRAGMA synchronous = OFF")
        self._file.execute("PRAGMA cache_size = -8192")
        self._file.execute("CREATE TABLE kept (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID")
        self._spilled = False

    def __enter__(self) -> Spilled[V]:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()

    def get(self, key: str) -> V | None:
        """What was last put there."""
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        found = self._file.execute("SELECT value FROM kept WHERE key = ?", (key,)).fetchone() if self._spilled else None
        return self._decode(found[0]) if found is not None else None

    def __setitem__(self, key: str, value: V) -> None:
        self._kept[key] = value
        self._kept.move_to_end(key)
        if len(self._kept) > self._kept_max:
            self._spill(len(self._kept) // 2)

    def _spill(self, count: int) -> None:
        rows = []
        for _ in range(count):
            key, value = self._kept.popitem(last=False)
            rows.append((key, self._encode(value)))
        try:
            self._file.execute("BEGIN")
            self._file.executemany("INSERT OR REPLACE INTO kept VALUES (?, ?)", rows)
            self._file.execute("COMMIT")
        except sqlite3.Error as error:
            raise UsageError(
                f"the temporary file of a long report cannot be written: {error}",
                hint="make room in the temporary folder (SQLITE_TMPDIR names another), or report on less: --since",
            ) from error
        self._spilled = True


def spilled_charges(kept_max: int = KEPT_MAX) -> Spilled[Charge]:
    """Charges by reservation."""
    return Spilled(_charge_text, _charge_of, kept_max=kept_max)


def spilled_runs(kept_max: int = KEPT_MAX) -> Spilled[Principal]:
    """Principals by run."""
    return Spilled(lambda whose: json.dumps([whose.path, whose.owner]), _principal_of, kept_max=kept_max)


def _charge_text(charge: Charge) -> str:
    amounts, moved = (
        {unit.value: amount for unit, amount in found.items()} for found in (charge.amounts, charge.moved)
    )
    return json.dumps([charge.place, charge.at, charge.standing.value, amounts, moved, charge.counted])


def _charge_of(text: str) -> Charge:
    place, at, standing, *amounts, counted = json.loads(text)
    held, moved = ({Unit(name): amount for name, amount in found.items()} for found in amounts)
    return Charge(tuple(place), at, Standing(standing), held, moved, counted)


def _principal_of(text: str) -> Principal:
    path, owner = json.loads(text)
    return Principal(path=path, owner=owner)
