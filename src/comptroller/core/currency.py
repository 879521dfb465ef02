"""Currencies besides the dollar: their minor units, and what each was worth on a day that somebody wrote down.

The US dollar is the unit of account. A currency without a rate has no known price, and nothing is shown in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Context, Decimal
from math import isqrt

from comptroller.core.errors import UsageError
from comptroller.core.estimate import USD_MICROS_PER_USD

CODE_PATTERN = r"^[A-Z]{3}$"
DOLLAR = "USD"
DECIMALS_DEFAULT = 2
_ISO = {
    0: "bif clp djf gnf isk jpy kmf krw pyg rwf ugx uyi vnd vuv xaf xof xpf",
    3: "bhd iqd jod kwd lyd omr tnd",
    4: "clf uyw",
}
_STRIPE = {
    0: "bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf",
    3: "bhd jod kwd omr tnd",
}
DECIMALS: Mapping[str, int] = {code: count for count, codes in _ISO.items() for code in codes.split()}
"""ISO 4217 list one (2026-01-01): all other currencies have two decimals."""
STRIPE_DECIMALS: Mapping[str, int] = {code: count for count, codes in _STRIPE.items() for code in codes.split()}
"""https://docs.stripe.com/currencies (2026-10): all others have two decimals in its API, `isk` and `ugx` included."""

MARGIN_PERCENT = 2
"""What one day may move a rate: four times what the large currencies move on an ordinary one."""
SHOWN = Decimal("0.000001")
_WIDE = Context(prec=60)
"""Enough digits for any sum at any rate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeRate:
    """One unit of `currency` (`EUR`) was worth `usd` dollars on the day `as_of`."""

    currency: str
    usd: Decimal
    as_of: date

    def __str__(self) -> str:
        """`1 EUR = 1.0832 USD of 2026-11-20`."""
        return f"1 {self.currency} = {self.usd:f} {DOLLAR} of {self.as_of.isoformat()}"


PAR = ExchangeRate(currency=DOLLAR, usd=Decimal(1), as_of=date(1, 1, 1))
"""The dollar in dollars."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Display:
    """Shows micro-dollars in one currency at one rate."""

    rate: ExchangeRate = PAR

    @property
    def currency(self) -> str:
        """Its code, `USD` unless chosen."""
        return self.rate.currency

    def amount(self, usd_micros: int) -> Decimal:
        """In the currency's units, to the millionth."""
        dollars = _WIDE.divide(Decimal(usd_micros), Decimal(USD_MICROS_PER_USD))
        return _WIDE.divide(dollars, self.rate.usd).quantize(SHOWN, context=_WIDE)

    def text(self, usd_micros: int) -> str:
        """`12.34 EUR`; what is less than a hundredth keeps what matters."""
        amount = self.amount(usd_micros)
        decimals = decimals_of(self.currency)
        if amount and abs(amount) < Decimal(1).scaleb(-decimals):
            return f"{amount.normalize(_WIDE):f} {self.currency}"
        return f"{amount.quantize(Decimal(1).scaleb(-decimals), context=_WIDE):,f} {self.currency}"


def display_in(currency: str, rates: Mapping[str, ExchangeRate]) -> Display:
    """How to show money in `currency` (its code, any case). Raises `UsageError` for one that nobody gave a rate for."""
    code = currency.strip().upper()
    if code == DOLLAR:
        return Display()
    rate = rates.get(code)
    if rate is None:
        known = ", ".join(sorted({DOLLAR, *rates}))
        raise UsageError(
            f"nothing can be shown in `{currency}`: it has no rate (known: {known})",
            hint="write what it is worth, and of which day, under prices.fx in comptroller.yaml",
        )
    return Display(rate=rate)


def decimals_of(currency: str, family: str = "") -> int:
    """Decimals of the minor unit of a currency (any case): by ISO 4217, or as `stripe` counts."""
    table = STRIPE_DECIMALS if family == "stripe" else DECIMALS
    return table.get(currency.lower(), DECIMALS_DEFAULT)


def margin_percent(days: int) -> int:
    """By how much a rate may have moved in so many days: it grows with the square root, as chance does.

    >>> [margin_percent(days) for days in (0, 3, 30, 365)]
    [2, 4, 12, 39]
    """
    return isqrt(MARGIN_PERCENT**2 * (abs(days) + 1) - 1) + 1
