"""Pages of a listing: at most `limit` rows after a cursor, in the order of their ids, which are ordered by time."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from comptroller.core.errors import UsageError

LIMIT_DEFAULT = 100
LIMIT_MAX = 1_000
CURSOR_CHARS_MAX = 1_000
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Which rows are wanted: `limit` of those after the row with the id `after`. Without a limit, all."""

    limit: int | None = None
    after: str = ""

    def cut(self, rows: Sequence[T], key: Callable[[T], str], *, newest: bool = True) -> tuple[list[T], str | None]:
        """The rows of this page, and the cursor of the next one where there is one. `newest`: they come first.

        Rows that come or go between two pages are neither repeated nor make others be left out.
        """
        if self.limit is None:
            return list(rows), None
        ordered = sorted(rows, key=key, reverse=newest)
        if self.after:
            ordered = [row for row in ordered if (key(row) < self.after if newest else key(row) > self.after)]
        shown = ordered[: self.limit]
        return shown, cursor_of(key(shown[-1])) if len(ordered) > self.limit else None


EVERYTHING = Page()


def cursor_of(key: str) -> str:
    """The cursor that stands after the row called `key`."""
    return base64.urlsafe_b64encode(b"1" + key.encode()).decode().rstrip("=")


def page_of(limit: str | None, cursor: str | None, *, default: int | None) -> Page:
    """The page that `limit` and `cursor` of a query name. Raises `UsageError`."""
    if limit is None and cursor is None:
        return Page(limit=default)
    count = LIMIT_DEFAULT if limit is None else _count(limit)
    return Page(limit=count, after=_after(cursor) if cursor else "")


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= LIMIT_MAX):
        raise UsageError(f"`limit` is a number between 1 and {LIMIT_MAX}")
    return int(text)


def _after(cursor: str) -> str:
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        if len(cursor) > CURSOR_CHARS_MAX or raw[:1] != b"1":
            raise ValueError("another version")
        return raw[1:].decode()
    except (binascii.Error, ValueError) as error:
        raise UsageError(
            "`cursor` is none of ours", hint="take it from `next` of the page before, unchanged"
        ) from error
