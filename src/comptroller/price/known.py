"""How good the machine prices are: every row that somebody verified, priced as if its row were missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from comptroller.price.book import Hourly, PriceBook
from comptroller.price.catalogue import Key, Rate, shipped
from comptroller.price.range import HOME


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """One verified row: its `true_micros` per hour, the bound with the row in the book, and the bound without it."""

    key: Key
    true_micros: int
    with_row: Hourly | None
    without_row: Hourly | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Without(PriceBook):
    missing: tuple[str, str]

    def rate(self, provider: str, region: str, sku: str) -> Rate | None:
        """As `PriceBook.rate`, but for the machine that is missing in every region."""
        found = PriceBook.rate(self, provider, region, sku)
        return None if (provider, sku) == self.missing else found


def known_rows() -> tuple[Known, ...]:
    """Every verified machine row of the shipped tables."""
    found = []
    for key, rate in shipped().items():
        provider, _, sku = key
        if rate.per != "hour" or not rate.verified or ":" in sku or provider not in HOME:
            continue
        found.append(
            Known(
                key=key,
                true_micros=int(rate.micros),
                with_row=PriceBook().machine(*key),
                without_row=_Without(missing=(provider, sku)).machine(*key),
            )
        )
    return tuple(found)


def price_in_bounds(rows: Sequence[Known] | None = None) -> float:
    """The share of verified rows whose true price lies inside both bounds: with the row, and without it."""
    known = known_rows() if rows is None else rows
    inside = [row for row in known if _inside(row, row.with_row) and _inside(row, row.without_row)]
    return len(inside) / len(known)


def price_spread(rows: Sequence[Known] | None = None) -> float:
    """The median of high / low of the bounds without the row."""
    known = known_rows() if rows is None else rows
    return median(row.without_row.high / max(1, row.without_row.low) for row in known if row.without_row is not None)


def _inside(row: Known, bound: Hourly | None) -> bool:
    return bound is not None and bound.low <= row.true_micros <= bound.high
