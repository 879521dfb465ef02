"""Other currencies: shown only at a rate that somebody wrote down, exactly, at any size."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comptroller.core.config import FX_USD_MAX
from comptroller.core.config_text import parse_config_text
from comptroller.core.currency import Display, ExchangeRate, decimals_of, display_in, margin_percent
from comptroller.core.errors import ConfigError, UsageError

EUR = ExchangeRate(currency="EUR", usd=Decimal("1.0832"), as_of=date(2026, 11, 20))
JPY = ExchangeRate(currency="JPY", usd=Decimal("0.00645"), as_of=date(2026, 11, 20))

BASE = """\
version: 1
organization: acme
teams: {ml: {}}
people: {ann: {}}
agents: {bot: {team: ml, owner: ann, purpose: look around}}
"""


def prices(text: str) -> str:
    return f"{BASE}prices: {text}\n"


def test_dollars_are_the_default_and_need_no_rate() -> None:
    assert display_in("usd", {}) == Display()
    assert Display().text(12_340_000) == "12.34 USD"
    assert Display().text(1_234_567_890_123) == "1,234,567.89 USD"


def test_a_rate_is_dollars_for_one_unit() -> None:
    shown = display_in("eur", {"EUR": EUR})
    assert shown.amount(1_083_200) == 1
    assert shown.text(12_340_000) == "11.39 EUR"
    assert display_in("JPY", {"JPY": JPY}).text(6_450_000) == "1,000 JPY"
    assert shown.text(40) == "0.000037 EUR", "what is less than a cent keeps what matters"


def test_a_currency_without_a_rate_is_refused_with_the_next_step() -> None:
    with pytest.raises(UsageError) as caught:
        display_in("CHF", {"EUR": EUR})
    assert "CHF" in caught.value.message and "EUR, USD" in caught.value.message
    assert "prices.fx" in caught.value.hint


@given(
    st.integers(-(10**19), 10**19),
    st.decimals(min_value=Decimal("1e-12"), max_value=FX_USD_MAX, places=12).filter(lambda rate: rate > 0),
)
def test_what_is_shown_is_right_to_the_millionth_at_any_size(micros: int, usd: Decimal) -> None:
    shown = Display(rate=ExchangeRate(currency="XTS", usd=usd, as_of=date(2026, 1, 1)))
    exact = Fraction(micros, 10**6) / Fraction(usd)
    assert abs(Fraction(shown.amount(micros)) - exact) <= Fraction(1, 2 * 10**6)
    assert shown.text(micros).endswith(" XTS")


def test_minor_units_are_iso_s_or_the_service_s_own() -> None:
    assert [decimals_of(code) for code in ("usd", "EUR", "jpy", "KWD", "isk", "mga")] == [2, 2, 0, 3, 0, 2]
    assert [decimals_of(code, "stripe") for code in ("usd", "isk", "ugx", "mga", "kwd")] == [2, 2, 2, 0, 3]


def test_the_margin_grows_with_age_either_way() -> None:
    margins = [margin_percent(days) for days in range(4000)]
    assert margins == sorted(margins) and margins[0] == 2
    assert all(margin**2 >= 4 * (days + 1) for days, margin in enumerate(margins))
    assert margin_percent(-30) == margin_percent(30)


def test_rates_in_the_configuration() -> None:
    config = parse_config_text(
        prices('{fx: {EUR: {usd: "1.0832", as_of: 2026-11-20}}, display: EUR}').encode(), origin="x"
    )
    assert config.prices.rates() == {"EUR": EUR}
    assert config.prices.shown_in().currency == "EUR"
    assert config.prices.shown_in("USD") == Display()
    quoted = parse_config_text(prices('{fx: {EUR: {usd: "1.0832", as_of: "2026-11-20"}}}').encode(), origin="x")
    assert quoted.prices.rates() == {"EUR": EUR}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{display: EUR}", "nothing can be shown in `EUR`"),
        ("{fx: {USD: {usd: 1, as_of: 2026-11-20}}}", "the dollar is the unit of account"),
        ("{fx: {eur: {usd: 1, as_of: 2026-11-20}}}", "fx.eur"),
        ("{fx: {EUR: {usd: 0, as_of: 2026-11-20}}}", "is not a rate"),
        ("{fx: {EUR: {usd: -1, as_of: 2026-11-20}}}", "is not a rate"),
        ("{fx: {EUR: {usd: .nan, as_of: 2026-11-20}}}", "is not a rate"),
        ("{fx: {EUR: {usd: many, as_of: 2026-11-20}}}", "is not a rate"),
        ("{fx: {EUR: {usd: true, as_of: 2026-11-20}}}", "fx.EUR.usd"),
        ('{fx: {EUR: {usd: "1e-400", as_of: 2026-11-20}}}', "decimals"),
        ("{fx: {EUR: {usd: 1.1, as_of: 20261120}}}", "is not a day"),
        ("{fx: {EUR: {usd: 1.1, as_of: 2026-11-20T10:00:00Z}}}", "is not a day"),
        ("{fx: {EUR: {usd: 1.1, as_of: yesterday}}}", "is not a day"),
        ("{fx: {EUR: {usd: 1.1}}}", "fx.EUR.as_of"),
    ],
)
def test_mistakes_in_rates_are_named(text: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config_text(prices(text).encode(), origin="x")
    assert says in str(caught.value)
