"""Action -> Estimate, and what an answer proves was paid. Pure and total: what is not known is None, never free."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from comptroller.core.action import Action, ActionClass
from comptroller.core.estimate import Bound, Estimate, Outcome, Unit
from comptroller.price.aws import aws_cost
from comptroller.price.aws_compute import RUN_INSTANCES
from comptroller.price.aws_containers import lambda_share
from comptroller.price.azure import azure_cost
from comptroller.price.bedrock import bedrock_bounds, bedrock_settled, is_bedrock
from comptroller.price.book import SHIPPED, PriceBook
from comptroller.price.cost import NOTHING, TERM_SECONDS_DEFAULT, UNKNOWN, Cost, Machine, Pricing, bound, scaled, total
from comptroller.price.energy import (
    MACHINE_UNITS,
    MODEL_UNITS,
    Effort,
    machines_effort,
    model_effort,
    model_of,
    unknown,
)
from comptroller.price.fx import exchanged
from comptroller.price.gcp import gcp_cost
from comptroller.price.inference import affordable, affordable_output, cut_bounds, inference_cost, model_cost
from comptroller.price.keys import price_key, price_keys
from comptroller.price.kubernetes import kubernetes_cost
from comptroller.price.model_lists import PROVIDERS
from comptroller.price.tokens import ethereum_cost, paid_dollars

SECONDS_PER_HOUR = 3600
USD_MICROS_PER_MINOR = 10_000

FAMILIES: Mapping[str, Pricing] = {
    "aws": aws_cost,
    **dict.fromkeys(PROVIDERS, model_cost),
    "ethereum": ethereum_cost,
    "kubernetes": kubernetes_cost,
    "azure": azure_cost,
    "gcp": gcp_cost,
}
"""Who prices an action, by what its operation begins with (`aws:ec2:RunInstances` -> `aws`)."""

_COSTLY = frozenset({ActionClass.PROVISION, ActionClass.PAY, ActionClass.INFER, ActionClass.UNKNOWN})
PRICED_UNITS = frozenset({Unit.USD_MICROS, Unit.USD_MICROS_PER_HOUR, Unit.TOKENS})
"""Units whose bound is a price: one that a real cost exceeded is distrusted until somebody confirms it."""
_ON_CHAIN = frozenset({"ethereum", "http"})
"""Families whose payments are signed for a chain, in the smallest units of its tokens and coins."""
_SENDING = frozenset({ActionClass.WRITE, ActionClass.COMMUNICATE, ActionClass.INFER})

__all__ = ["SHIPPED", "TERM_SECONDS_DEFAULT", "PriceBook", "Prices", "actual", "estimate", "price_key", "warm"]


@dataclass(slots=True, kw_only=True)
class Prices:
    """The engine's pricer: estimates and settled costs by one price book, which is replaced when prices change."""

    book: PriceBook = SHIPPED

    def estimate(self, action: Action) -> Estimate:
        """Upper bounds in every unit that applies. Never raises."""
        return estimate(action, self.book)

    def actual(self, action: Action, outcome: Outcome) -> Mapping[Unit, int]:
        """What was really paid, as far as `outcome` proves it."""
        return actual(action, outcome, self.book)

    def key(self, action: Action) -> str:
        """The name under which the price of `action` is distrusted and confirmed."""
        return price_key(action)

    def trust(self, key: str, *, trusted: bool) -> None:
        """From now on, believe the price called `key`, or say of it that nobody knows."""
        known = self.book.distrusted
        self.book = replace(self.book, distrusted=known - {key} if trusted else known | {key})

    def affordable_output(self, action: Action, room: Mapping[Unit, int]) -> int | None:
        """The most tokens a model call may write within `room`; None where it cannot be made to fit."""
        dollars, tokens = room.get(Unit.USD_MICROS), room.get(Unit.TOKENS)
        if dollars is not None and (factor := self.book.factor(action.account)) > 0:
            dollars = int(dollars / factor)
        if is_bedrock(action):
            return affordable(lambda most: bedrock_bounds(action, most), dollars, tokens)
        return affordable_output(action, dollars, tokens)


def estimate(action: Action, book: PriceBook = SHIPPED) -> Estimate:
    """Upper bounds in every unit that applies. Never raises.

    `provision`, `pay`, `infer` and `unknown` always carry `usd_micros`, with `high = None` where nobody knows; only
    `provision` has a standing rate, and any class may cost something at once. Several
    of these classes at once, and the action's `parts`: what they cost adds up, and one unknown part makes the whole
    unknown.
    """
    bounds: dict[Unit, Bound] = {Unit.CALLS: Bound.exactly(1)}
    basis: list[str] = []
    dollars: list[Bound] = []
    term: int | None = None
    if action.classes & _SENDING:
        bounds[Unit.EGRESS_BYTES] = _egress(action)
    if ActionClass.UNKNOWN in action.classes:
        dollars.append(UNKNOWN)
        basis.append("nobody can say what this does")
    cost = _cost(action, book)
    if ActionClass.PAY in action.classes and not (action.payment is None and cost is not None and cost.payment):
        paid, why = _payment(action, book)
        dollars.append(paid)
        basis.append(why)
    if cost is not None:
        dollars.append(cost.once)
        basis.append(cost.basis)
    if ActionClass.PROVISION in action.classes:
        term = TERM_SECONDS_DEFAULT
        hourly = UNKNOWN if cost is None else cost.hourly or NOTHING
        bounds[Unit.USD_MICROS_PER_HOUR] = hourly
        dollars.append(_over(hourly, term))
        if cost is None:
            basis.append("no price for what this brings about is known")
    if ActionClass.INFER in action.classes:
        bounds[Unit.TOKENS] = cost.tokens if cost is not None and cost.tokens is not None else UNKNOWN
        if cost is None:
            dollars.append(UNKNOWN)
            basis.append("no price for this model service is known")
    if dollars and (action.classes & _COSTLY or total(dollars) != Bound.exactly(0)):
        bounds[Unit.USD_MICROS] = total(dollars)
    for effort in _efforts(action, cost):
        bounds.update({unit: _and(bounds.get(unit), more) for unit, more in effort.bounds.items()})
        basis.append(effort.basis)
    if distrusted := _distrusted(action, book):
        bounds[Unit.USD_MICROS] = UNKNOWN
        bounds.update(dict.fromkeys(bounds.keys() & PRICED_UNITS, UNKNOWN))
        basis.append(f"a real cost exceeded this price: `{distrusted}` is distrusted until somebody confirms it")
    return Estimate(bounds=bounds, term_seconds=term, basis="; ".join(part for part in basis if part) or "one call")


def actual(action: Action, outcome: Outcome, book: PriceBook = SHIPPED) -> Mapping[Unit, int]:
    """What was really paid, as far as `outcome` proves it; a unit that is left out keeps its whole reservation.

    A failed call (`charged` False) cost nothing but itself, and one that was never sent (status 0) nothing at all but
    its count. Fewer machines than asked cost their share, a function the time it ran, a stream that was cut what was
    streamed and what may have been written unseen.
    """
    paid: dict[Unit, int] = {unit: amount for unit, amount in outcome.actual.items() if amount >= 0}
    paid[Unit.CALLS] = 1
    if outcome.charged is False and outcome.status == 0:
        return {**dict.fromkeys(estimate(action, book).bounds, 0), Unit.CALLS: 1}
    costly = action.classes & _COSTLY
    if not costly:
        return {**paid, **_paid_at_once(action, outcome, book)}
    if outcome.charged is False:
        paid[Unit.USD_MICROS] = 0
        if ActionClass.PROVISION in costly:
            paid |= dict.fromkeys((Unit.USD_MICROS_PER_HOUR, *MACHINE_UNITS), 0)
        if ActionClass.INFER in costly:
            paid |= dict.fromkeys((Unit.TOKENS, *MODEL_UNITS), 0)
        return paid
    if costly == {ActionClass.INFER} and outcome.ok and Unit.USD_MICROS not in paid:
        cost = bedrock_settled(action, outcome) if is_bedrock(action) else inference_cost(action, outcome)
        if cost is not None:
            paid[Unit.USD_MICROS] = int(-(-cost * book.factor(action.account) // 1))
    if costly == {ActionClass.INFER} and outcome.ok and not outcome.complete and Unit.TOKENS not in paid:
        paid |= _cut(action, outcome, book)
    if costly == {ActionClass.INFER} and Unit.TOKENS in paid:
        paid |= _effort_of(action, paid[Unit.TOKENS])
    if costly == {ActionClass.PROVISION} and outcome.ok and action.operation == RUN_INSTANCES and _instances(outcome):
        paid |= _share(action, _instances(outcome), book)
    return paid


def _cut(action: Action, outcome: Outcome, book: PriceBook) -> Mapping[Unit, int]:
    """What a model call whose stream broke off cost at most; empty where nothing below its estimate is known."""
    found = None if is_bedrock(action) else cut_bounds(action, outcome.usage)
    if found is None or found.usd_micros is None:
        return {}
    paid = {Unit.USD_MICROS: int(-(-found.usd_micros * book.factor(action.account) // 1))}
    return paid if found.tokens is None else {**paid, Unit.TOKENS: found.tokens}


def _effort_of(action: Action, tokens: int) -> Mapping[Unit, int]:
    """Energy and carbon of a model call that used `tokens`; empty where its model is not known."""
    effort = model_effort(*model_of(action), Bound.exactly(tokens))
    return {unit: amount.high for unit, amount in effort.bounds.items() if amount.high is not None}


def _paid_at_once(action: Action, outcome: Outcome, book: PriceBook) -> Mapping[Unit, int]:
    """Requests that cost something by themselves: nothing where they were refused, functions by the time they ran."""
    if outcome.charged is False:
        return {Unit.USD_MICROS: 0} if Unit.USD_MICROS in estimate(action, book).bounds else {}
    if outcome.ok and (share := lambda_share(action, outcome)) is not None:
        high = estimate(action, book).high(Unit.USD_MICROS)
        # The request itself costs less than a micro-dollar.
        return {} if high is None else {Unit.USD_MICROS: min(high, math.ceil(high * share) + 1)}
    return {}


def _share(action: Action, made: int, book: PriceBook) -> Mapping[Unit, int]:
    """What `made` machines cost of those that were asked for; empty where the price is not known."""
    cost = _cost(action, book)
    if cost is None or cost.hourly is None or cost.hourly.high is None or len(cost.machines) != 1:
        return {}
    (asked,) = cost.machines
    share = -(-cost.hourly.high * made // asked.count)
    effort = machines_effort((replace(asked, count=made),), TERM_SECONDS_DEFAULT)
    energy = {unit: amount.high for unit, amount in effort.bounds.items() if amount.high is not None}
    return {
        **energy,
        Unit.USD_MICROS_PER_HOUR: share,
        Unit.USD_MICROS: -(-share * TERM_SECONDS_DEFAULT // SECONDS_PER_HOUR),
    }


def warm() -> None:
    """Read every table now rather than at the first request (about half a second)."""
    from comptroller.price import catalogue, model_lists

    catalogue.shipped()
    SHIPPED.machine("aws", "us-east-1", "m5.24xlarge")
    machines_effort((Machine(provider="aws", region="us-east-1", sku="m5.large"),), SECONDS_PER_HOUR)
    model_effort("openai", "gpt-4o", NOTHING)
    model_lists.limits_of("openai", model_lists.find_model("openai", "gpt-4o"))


def _cost(action: Action, book: PriceBook) -> Cost | None:
    """The action's own cost together with that of its parts; None where any of it is not known."""
    own = _own_cost(action, book)
    if not action.parts:
        return own
    costs = [_cost(part, book) for part in action.parts]
    if own is not None:
        costs.append(own)
    known = [cost for cost in costs if cost is not None]
    unpriced = [p for p, c in zip(action.parts, costs, strict=False) if c is None and p.classes & _COSTLY]
    if unpriced:
        return None
    standing = [cost.hourly for cost in known if cost.hourly is not None]
    counted = [cost.tokens for cost in known if cost.tokens is not None]
    return Cost(
        once=total(cost.once for cost in known),
        hourly=total(standing) if standing else None,
        tokens=total(counted) if counted else None,
        machines=tuple(machine for cost in known for machine in cost.machines),
        basis="; ".join(dict.fromkeys(cost.basis for cost in known if cost.basis)),
    )


def _own_cost(action: Action, book: PriceBook) -> Cost | None:
    if action.charge_usd_micros is not None:
        # What a call costs says nothing of what it brings about.
        standing = UNKNOWN if ActionClass.PROVISION in action.classes else None
        once = bound(0, max(0, action.charge_usd_micros))
        return Cost(once=once, hourly=standing, basis="the price its description states")
    pricing = FAMILIES.get(_family(action))
    if pricing is None:
        return None
    try:
        cost = pricing(action, book)
    except Exception:  # noqa: BLE001  a price that cannot be computed is not known
        return None
    return cost if cost is None or cost.payment else scaled(cost, book.factor(action.account))


def _efforts(action: Action, cost: Cost | None) -> Iterator[Effort]:
    """Accelerator time, energy and carbon, for what runs machines or asks models."""
    if ActionClass.PROVISION in action.classes:
        yield unknown(MACHINE_UNITS) if cost is None else machines_effort(cost.machines, TERM_SECONDS_DEFAULT)
    if ActionClass.INFER in action.classes:
        models = {model_of(leaf) for leaf in _leaves(action) if ActionClass.INFER in leaf.classes}
        # Several models at once: nobody knows how the tokens are shared among them.
        provider, model = models.pop() if len(models) == 1 else ("", "")
        yield model_effort(provider, model, None if cost is None else cost.tokens)


def _leaves(action: Action) -> Iterator[Action]:
    if not action.parts:
        yield action
    for part in action.parts:
        yield from _leaves(part)


def _distrusted(action: Action, book: PriceBook) -> str:
    """The key of a distrusted price that this action rests on; empty where there is none."""
    if not book.distrusted:
        return ""
    if key := next((key for key in price_keys(action) if key in book.distrusted), ""):
        return key
    return next((found for part in action.parts if (found := _distrusted(part, book))), "")


def _and(known: Bound | None, more: Bound) -> Bound:
    return more if known is None else total((known, more))


def _family(action: Action) -> str:
    return action.operation.partition(":")[0]


def _instances(outcome: Outcome) -> int:
    """How many instances an answer names (`i-0abc`, or an ARN that ends so)."""
    return sum(1 for name in set(outcome.made) if name.rpartition("/")[2].startswith("i-"))


def _egress(action: Action) -> Bound:
    body = action.parameters.get("body", action.parameters.get("@body"))
    if isinstance(body, Mapping) and body.get("stream") is True and body.get("length") is None:
        return UNKNOWN
    return Bound.exactly(max(0, action.call.payload_bytes))


def _over(hourly: Bound, term_seconds: int) -> Bound:
    low = hourly.low * term_seconds // SECONDS_PER_HOUR
    high = None if hourly.high is None else -(-hourly.high * term_seconds // SECONDS_PER_HOUR)
    return bound(low, high)


def _payment(action: Action, book: PriceBook) -> tuple[Bound, str]:
    """What is paid, and where that figure comes from."""
    payment = action.payment
    if payment is None or payment.amount_minor < 0:
        return UNKNOWN, "no amount in US dollars is stated"
    if payment.currency.lower() == "usd":
        amount = payment.amount_minor * USD_MICROS_PER_MINOR
        return bound(amount, amount), "the amount in the request"
    if _family(action) not in _ON_CHAIN:
        return exchanged(payment, _family(action), book)
    # Elsewhere an amount is in hundredths, whatever a caller names its currency: `DAI` is no token there.
    paid = paid_dollars(payment, book)
    return paid, "no amount in US dollars is stated" if paid.high is None else "the amount in the request"
