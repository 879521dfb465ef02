"""Action -> Estimate, and what an answer proves was paid. Pure and total: what is not known is None, never free."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from comptroller.core.action import Action, ActionClass
from comptroller.core.estimate import Bound, Estimate, Outcome, Unit
from comptroller.price.aws import aws_cost
from comptroller.price.book import SHIPPED, PriceBook
from comptroller.price.cost import NOTHING, UNKNOWN, Cost, Pricing, bound, total
from comptroller.price.inference import inference_cost, model_cost
from comptroller.price.machines import RUN_INSTANCES, TERM_SECONDS_DEFAULT, standing_cost

SECONDS_PER_HOUR = 3600
USD_MICROS_PER_MINOR = 10_000

FAMILIES: Mapping[str, Pricing] = {
    "aws": aws_cost,
    "openai": model_cost,
    "anthropic": model_cost,
}
"""Who prices an action, by what its operation begins with (`aws:ec2:RunInstances` -> `aws`)."""

_COSTLY = frozenset({ActionClass.PROVISION, ActionClass.PAY, ActionClass.INFER, ActionClass.UNKNOWN})
_SENDING = frozenset({ActionClass.WRITE, ActionClass.COMMUNICATE, ActionClass.INFER})

__all__ = ["SHIPPED", "TERM_SECONDS_DEFAULT", "PriceBook", "Prices", "actual", "estimate", "warm"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """The engine's pricer: estimates and settled costs by one price book."""

    book: PriceBook = SHIPPED

    def estimate(self, action: Action) -> Estimate:
        """Upper bounds in every unit that applies. Never raises."""
        return estimate(action, self.book)

    def actual(self, action: Action, outcome: Outcome) -> Mapping[Unit, int]:
        """What was really paid, as far as `outcome` proves it."""
        return actual(action, outcome, self.book)


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
    if ActionClass.PAY in action.classes:
        dollars.append(_payment(action))
        basis.append(
            "the amount in the request" if dollars[-1].high is not None else "no amount in US dollars is stated"
        )
    cost = _cost(action, book)
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
    return Estimate(bounds=bounds, term_seconds=term, basis="; ".join(part for part in basis if part) or "one call")


def actual(action: Action, outcome: Outcome, book: PriceBook = SHIPPED) -> Mapping[Unit, int]:
    """What was really paid, as far as `outcome` proves it; a unit that is left out keeps its whole reservation.

    A failed call (`charged` False) cost nothing but itself. Fewer machines than asked cost their share.
    """
    paid: dict[Unit, int] = {unit: amount for unit, amount in outcome.actual.items() if amount >= 0}
    paid[Unit.CALLS] = 1
    costly = action.classes & _COSTLY
    if not costly:
        return paid
    if outcome.charged is False:
        paid[Unit.USD_MICROS] = 0
        if ActionClass.PROVISION in costly:
            paid[Unit.USD_MICROS_PER_HOUR] = 0
        if ActionClass.INFER in costly:
            paid[Unit.TOKENS] = 0
        return paid
    if costly == {ActionClass.INFER} and outcome.ok and Unit.USD_MICROS not in paid:
        cost = inference_cost(action, outcome) if FAMILIES.get(_family(action)) is model_cost else None
        if cost is not None:
            paid[Unit.USD_MICROS] = cost
    if costly == {ActionClass.PROVISION} and outcome.ok and action.operation == RUN_INSTANCES and _instances(outcome):
        standing = standing_cost(action, book)
        if standing is not None:
            share = -(-standing.high_micros * _instances(outcome) // standing.count)
            paid[Unit.USD_MICROS_PER_HOUR] = share
            paid[Unit.USD_MICROS] = -(-share * TERM_SECONDS_DEFAULT // SECONDS_PER_HOUR)
    return paid


def warm() -> None:
    """Read every table now rather than at the first request (about half a second)."""
    from comptroller.price import catalogue, inference

    catalogue.shipped()
    catalogue.output_tokens_max("openai", "gpt-4o")
    inference.find_model("openai", "gpt-4o")


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
    pricing = FAMILIES.get(_family(action))
    if pricing is None:
        return None
    try:
        return pricing(action, book)
    except Exception:  # noqa: BLE001  a price that cannot be computed is not known
        return None


def _family(action: Action) -> str:
    return action.operation.partition(":")[0]


def _instances(outcome: Outcome) -> int:
    """How many instances an answer names (`i-0abc`, or an ARN that ends so)."""
    return sum(1 for name in set(outcome.made) if name.rpartition("/")[2].startswith("i-"))


def _egress(action: Action) -> Bound:
    body = action.parameters.get("body")
    if isinstance(body, Mapping) and body.get("stream") is True and body.get("length") is None:
        return UNKNOWN
    return Bound.exactly(max(0, action.call.payload_bytes))


def _over(hourly: Bound, term_seconds: int) -> Bound:
    low = hourly.low * term_seconds // SECONDS_PER_HOUR
    high = None if hourly.high is None else -(-hourly.high * term_seconds // SECONDS_PER_HOUR)
    return bound(low, high)


def _payment(action: Action) -> Bound:
    payment = action.payment
    if payment is None or payment.currency.lower() != "usd" or payment.amount_minor < 0:
        return UNKNOWN
    amount = payment.amount_minor * USD_MICROS_PER_MINOR
    return bound(amount, amount)
