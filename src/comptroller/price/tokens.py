"""Money that is not dollars: dollar tokens at par with a margin, coins at the rate that somebody named for them."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from comptroller.core.action import Action, Payment
from comptroller.core.estimate import USD_MICROS_PER_USD, Bound
from comptroller.price.book import PriceBook
from comptroller.price.catalogue import whole_micros
from comptroller.price.cost import NOTHING, UNKNOWN, Cost, bound

PAR_PERCENT = (95, 105)
"""A dollar token has strayed from its dollar by more than this for hours at a time only: what is paid lies between."""
DOLLAR_TOKENS: Mapping[str, int] = {"usdc": 6, "usdt": 6, "dai": 18}
"""Tokens that promise a dollar, and how many decimals they have."""
COIN_DECIMALS = 18


def paid_dollars(payment: Payment, book: PriceBook) -> Bound:
    """What a payment in a token or a coin is worth, in micro-dollars; unknown where nobody named a rate."""
    currency, amount = payment.currency.lower(), payment.amount_minor
    if amount < 0:
        return UNKNOWN
    decimals = DOLLAR_TOKENS.get(currency)
    if decimals is not None:
        micros = Decimal(amount * USD_MICROS_PER_USD).scaleb(-decimals)
        low, high = (micros * percent / 100 for percent in PAR_PERCENT)
        return bound(int(low), whole_micros(high))
    return _coins(amount, currency, book)


def ethereum_cost(action: Action, book: PriceBook) -> Cost:
    """The gas that a signed transaction may burn: in the chain's coin, so in dollars only where the coin has a rate."""
    fee, coin = action.parameters.get("@fee_max"), action.parameters.get("@coin")
    if not isinstance(fee, int) or not isinstance(coin, str):
        return Cost()
    return Cost(once=_coins(fee, coin, book), basis=f"gas in {coin or 'an unknown coin'}")


def _coins(amount: int, coin: str, book: PriceBook) -> Bound:
    if amount == 0:
        return NOTHING
    most = book.coins.get(coin)
    return UNKNOWN if most is None else bound(0, whole_micros(Decimal(amount).scaleb(-COIN_DECIMALS) * most))
