"""Adds up what one action costs, item by item, out of one price book. The first item without a price ends it."""

from __future__ import annotations

from decimal import Decimal

from comptroller.price.book import PriceBook, Range
from comptroller.price.catalogue import whole_micros
from comptroller.price.cost import Cost, Machine, bound

HOURS_PER_MONTH_MIN = 672
HOURS_PER_MONTH_MAX = 744
"""The shortest month bounds an hourly share of a monthly price from above, the longest from below."""
COUNT_MAX = 1_000_000
"""More of anything in one action is not priced."""

Amount = int | Decimal


class Unpriced(Exception):
    """Something that this action brings about has no known price."""


class Bill:
    """The items of one action in one region. Every method raises `Unpriced` where the book knows no price.

    `least` is how much of an item there is at the least (the amount itself by default; 0 for what may not come about).
    """

    def __init__(self, book: PriceBook, provider: str, region: str) -> None:
        self.book, self.provider, self.region = book, provider, region
        self._once = [Decimal(0), Decimal(0)]
        self._hourly = [Decimal(0), Decimal(0)]
        self._standing = False
        self._machines: list[Machine] = []
        self._basis: dict[str, None] = {}

    def listed(self, sku: str) -> Range:
        """The price of `sku` in this region."""
        found = self.book.listed(self.provider, self.region, sku)
        if found is None:
            raise Unpriced(sku)
        return found

    def standing(self, sku: str, amount: Amount = 1, *, least: Amount | None = None) -> None:
        """An item that is paid for as long as it lives, priced by the hour or by the month."""
        found = self.listed(sku)
        month = found.per == "month" or found.per.endswith("-month")
        self.per_hour(
            found.low * (amount if least is None else least) / (HOURS_PER_MONTH_MAX if month else 1),
            found.high * amount / (HOURS_PER_MONTH_MIN if month else 1),
            found.basis,
        )

    def per_hour(self, low: Amount, high: Amount, basis: str = "") -> None:
        """Micro-dollars per hour that follow from something else."""
        self._standing = True
        self._hourly[0] += low
        self._hourly[1] += high
        self._note(basis)

    def machine(
        self,
        sku: str,
        count: int = 1,
        *,
        times: tuple[str, str] = ("1", "1"),
        least: int | None = None,
        named: str = "",
    ) -> None:
        """`count` machines at `times` (least, most) the price of an on-demand machine: a managed service's mark-up.

        `named` is what the book may list the managed machine as (`db.m5.large`): then that row counts instead.
        """
        if not 0 <= count <= COUNT_MAX:
            raise Unpriced(f"{count} x {sku}")
        own = self.book.listed(self.provider, self.region, named) if named else None
        if own is not None:
            low, high, basis = own.low, own.high, own.basis
        else:
            found = self.book.machine(self.provider, self.region, sku)
            if found is None:
                raise Unpriced(sku)
            low, high, basis = found.low * Decimal(times[0]), found.high * Decimal(times[1]), found.basis
        self.per_hour(low * (count if least is None else least), high * count, basis)
        if count:
            self._machines.append(Machine(provider=self.provider, region=self.region, sku=sku, count=count))

    def once(self, sku: str, amount: Amount = 1, *, least: Amount | None = None) -> None:
        """An item that is paid as it happens."""
        found = self.listed(sku)
        self.at_once(found.low * (amount if least is None else least), found.high * amount, found.basis)

    def at_once(self, low: Amount, high: Amount, basis: str = "") -> None:
        """Micro-dollars paid at once that follow from something else."""
        self._once[0] += low
        self._once[1] += high
        self._note(basis)

    def cost(self, note: str = "", *, payment: bool = False) -> Cost:
        """The sum, with `note` after where the figures come from."""
        place = f", {self.region}" if self.region else ""
        basis = "; ".join(self._basis) + place + (f"; {note}" if note else "")
        return Cost(
            once=bound(int(self._once[0]), whole_micros(self._once[1])),
            hourly=bound(int(self._hourly[0]), whole_micros(self._hourly[1])) if self._standing else None,
            machines=tuple(self._machines),
            payment=payment,
            basis=basis,
        )

    def _note(self, basis: str) -> None:
        if basis:
            self._basis[basis] = None
