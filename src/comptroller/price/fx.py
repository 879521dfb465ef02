"""Payments in other currencies: a bound around a rate that somebody wrote down, the wider the older the rate is."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor

from comptroller.core.action import Payment
from comptroller.core.currency import decimals_of, margin_percent
from comptroller.core.estimate import USD_MICROS_PER_USD, Bound
from comptroller.price.book import PriceBook
from comptroller.price.cost import UNKNOWN, bound


def exchanged(payment: Payment, family: str, book: PriceBook) -> tuple[Bound, str]:
    """What a payment (not below nothing) in a currency is worth in micro-dollars, and where that comes from.

    Unknown without a rate, and with one that is older than `max_age_days`.
    """
    code = payment.currency.upper()
    rate = book.fx.get(code)
    if rate is None:
        return UNKNOWN, f"no rate for {code} is known" if _is_code(code) else "no amount in US dollars is stated"
    days = abs((book.today - rate.as_of).days) if book.today is not None else 0
    if days > book.max_age_days:
        return UNKNOWN, f"the rate for {code} is too old: {rate}"
    margin = margin_percent(days)
    per_minor = Fraction(rate.usd) * USD_MICROS_PER_USD / 10 ** decimals_of(code, family)
    low, high = (payment.amount_minor * per_minor * (100 + percent) / 100 for percent in (-margin, margin))
    return bound(max(0, floor(low)), ceil(high)), f"{rate}, give or take {margin} %"


def _is_code(text: str) -> bool:
    return len(text) == 3 and text.isascii() and text.isalpha()
