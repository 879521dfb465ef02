"""What one action costs, before it becomes an estimate: paid at once, paid by the hour, counted in tokens."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from decimal import Decimal

from comptroller.core.action import Action
from comptroller.core.estimate import Bound
from comptroller.price.book import PriceBook

AMOUNT_MAX = 10**17
"""A larger bound cannot be kept in a 64-bit column together with others: it counts as unknown."""
TERM_SECONDS_DEFAULT = 3600
"""How long what lives on is paid for in advance where nobody says otherwise."""
NOTHING = Bound(low=0, high=0)
UNKNOWN = Bound(low=0, high=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """`count` machines of one kind that an action brings about: what energy and GPU time follow from."""

    provider: str
    region: str
    sku: str
    count: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Micro-dollars as bounds. `once` is paid as it happens; `hourly` for as long as what was brought about lives
    (None: nothing lives on); `tokens` only for models. `payment`: `once` is all that a `pay` action pays, where no
    amount is stated as such. `basis` says where the figures come from, with a date."""

    once: Bound = NOTHING
    hourly: Bound | None = None
    tokens: Bound | None = None
    machines: tuple[Machine, ...] = ()
    payment: bool = False
    basis: str = ""


Pricing = Callable[[Action, PriceBook], Cost | None]
"""The one shape of a family's prices. None: nothing is known of what this action costs. Pure; the caller turns an
exception into None. It may price any class: a `read` that is charged by the call has `once`."""


def bound(low: int, high: int | None) -> Bound:
    """A bound that any store can keep: what is too large is unknown."""
    if high is None or high > AMOUNT_MAX:
        return Bound(low=min(low, AMOUNT_MAX), high=None)
    return Bound(low=min(low, high), high=high)


def total(parts: Iterable[Bound]) -> Bound:
    """The sum; one unknown part makes the whole unknown."""
    known = list(parts)
    highs = [part.high for part in known if part.high is not None]
    return bound(sum(part.low for part in known), sum(highs) if len(highs) == len(known) else None)


def scaled(cost: Cost, factor: Decimal) -> Cost:
    """The cost at `factor` times the list price: what an account really pays."""
    if factor == 1:
        return cost

    def times(amount: Bound) -> Bound:
        high = None if amount.high is None else math.ceil(amount.high * factor)
        return bound(int(amount.low * factor), high)

    hourly = None if cost.hourly is None else times(cost.hourly)
    return replace(cost, once=times(cost.once), hourly=hourly, basis=f"{cost.basis}, times {factor.normalize():f}")
