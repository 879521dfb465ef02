"""Payments in other currencies: a bound where somebody wrote a rate down, unknown where nobody did."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.price.price_kit import action

from comptroller import price
from comptroller.core.action import Action, ActionClass, Payment
from comptroller.core.currency import ExchangeRate
from comptroller.core.estimate import Bound, Unit
from comptroller.price import PriceBook

DAY = date(2026, 11, 20)
RATES = {
    code: ExchangeRate(currency=code, usd=Decimal(usd), as_of=DAY)
    for code, usd in (("EUR", "1.10"), ("JPY", "0.0065"), ("KWD", "3.25"), ("ISK", "0.008"))
}


def paying(amount: int, currency: str, operation: str = "stripe:transfers:create") -> Action:
    found = action(operation, {}, ActionClass.PAY)
    return Action(
        **{
            **{name: getattr(found, name) for name in found.__dataclass_fields__},
            "payment": Payment(amount_minor=amount, currency=currency, payee="acct_1"),
        }
    )


def bound_of(paid: Action, *, today: date | None = DAY, max_age_days: int = 365) -> Bound:
    book = PriceBook(fx=RATES, today=today, max_age_days=max_age_days)
    return price.estimate(paid, book).bounds[Unit.USD_MICROS]


@pytest.mark.parametrize(
    ("amount", "currency", "operation", "micros"),
    [
        (10_000, "eur", "stripe:transfers:create", 110_000_000),
        (10_000, "EUR", "paypal:payouts:create", 110_000_000),
        (10_000, "jpy", "stripe:transfers:create", 65_000_000),
        (10_000, "kwd", "stripe:transfers:create", 32_500_000),
        (10_000, "isk", "stripe:transfers:create", 800_000),
        (10_000, "isk", "adyen:payments:create", 80_000_000),
    ],
)
def test_a_rate_gives_a_bound_of_two_percent_on_its_day(
    amount: int, currency: str, operation: str, micros: int
) -> None:
    found = bound_of(paying(amount, currency, operation))
    assert (found.low, found.high) == (micros * 98 // 100, micros * 102 // 100)


def test_without_a_rate_it_is_unknown_and_says_which_is_missing() -> None:
    estimate = price.estimate(paying(500, "chf"), PriceBook(fx=RATES, today=DAY))
    assert estimate.unknown(Unit.USD_MICROS)
    assert "no rate for CHF" in estimate.basis
    assert price.estimate(paying(500, ""), PriceBook(fx=RATES, today=DAY)).unknown(Unit.USD_MICROS)


def test_the_older_the_rate_the_wider_and_at_last_it_counts_no_more() -> None:
    paid = paying(10_000, "eur")
    highs = [bound_of(paid, today=date.fromordinal(DAY.toordinal() + days)).high for days in range(366)]
    assert None not in highs and highs == sorted(highs, key=lambda high: high or 0)
    assert highs[30] == 110_000_000 * 112 // 100
    assert bound_of(paid, today=date.fromordinal(DAY.toordinal() + 366)).high is None
    assert bound_of(paid, today=date.fromordinal(DAY.toordinal() - 30)).high == highs[30], "or the clock is wrong"
    assert bound_of(paid, max_age_days=5, today=date.fromordinal(DAY.toordinal() + 6)).high is None


def test_the_basis_names_rate_and_margin() -> None:
    estimate = price.estimate(paying(10_000, "eur"), PriceBook(fx=RATES, today=DAY))
    assert estimate.basis == "1 EUR = 1.10 USD of 2026-11-20, give or take 2 %"


@pytest.mark.parametrize("operation", ["ethereum:eth_sendRawTransaction", "http:shop.example.com:GET"])
def test_a_currency_is_no_token_and_a_token_no_currency(operation: str) -> None:
    assert bound_of(paying(10_000, "eur", operation)).high is None


@given(st.integers(0, 10**18), st.sampled_from(sorted(RATES)), st.integers(0, 365))
def test_what_it_is_worth_at_the_rate_lies_within_the_bound(amount: int, currency: str, days: int) -> None:
    found = bound_of(paying(amount, currency), today=date.fromordinal(DAY.toordinal() + days))
    decimals = {"JPY": 0, "KWD": 3}.get(currency, 2)
    exact = Decimal(amount).scaleb(6 - decimals) * RATES[currency].usd
    assert found.low <= exact
    assert found.high is None or found.high >= exact
