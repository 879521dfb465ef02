"""Action -> Estimate, and what an answer proves was paid. Pure and total: what is not known is None, never free."""

from __future__ import annotations

from collections.abc import Mapping

from comptroller.core.action import Action, ActionClass
from comptroller.core.estimate import Bound, Estimate, Outcome, Unit
from comptroller.price.inference import inference_bounds, inference_cost
from comptroller.price.machines import RUN_INSTANCES, TERM_SECONDS_DEFAULT, standing_cost

AMOUNT_MAX = 10**17
"""A larger bound cannot be kept in a 64-bit column together with others: it counts as unknown."""
SECONDS_PER_HOUR = 3600
USD_MICROS_PER_MINOR = 10_000
UNKNOWN = Bound(low=0, high=None)

_COSTLY = frozenset({ActionClass.PROVISION, ActionClass.PAY, ActionClass.INFER, ActionClass.UNKNOWN})
_SENDING = frozenset({ActionClass.WRITE, ActionClass.COMMUNICATE, ActionClass.INFER})
_MODEL_CALLS = ("openai:", "anthropic:")

__all__ = ["TERM_SECONDS_DEFAULT", "actual", "estimate", "warm"]


def estimate(action: Action) -> Estimate:
    """Upper bounds in every unit that applies. Never raises.

    `provision`, `pay`, `infer` and `unknown` always carry `usd_micros`, with `high = None` where nobody knows. Several
    of these classes at once: the parts add up, and one unknown part makes the whole unknown.
    """
    bounds: dict[Unit, Bound] = {Unit.CALLS: Bound.exactly(1)}
    basis: list[str] = []
    term: int | None = None
    dollars: list[Bound] = []
    if action.classes & _SENDING:
        bounds[Unit.EGRESS_BYTES] = _egress(action)
    if ActionClass.UNKNOWN in action.classes:
        dollars.append(UNKNOWN)
        basis.append("nobody can say what this does")
    if ActionClass.PROVISION in action.classes:
        term = TERM_SECONDS_DEFAULT
        paid, hourly, words = _provision(action, term)
        dollars.append(paid)
        bounds[Unit.USD_MICROS_PER_HOUR] = hourly
        basis.append(words)
    if ActionClass.PAY in action.classes:
        dollars.append(_payment(action))
        basis.append(
            "the amount in the request" if dollars[-1].high is not None else "no amount in US dollars is stated"
        )
    if ActionClass.INFER in action.classes:
        asked, tokens, words = _inference(action)
        dollars.append(asked)
        bounds[Unit.TOKENS] = tokens
        basis.append(words)
    if dollars:
        bounds[Unit.USD_MICROS] = _sum(dollars)
    return Estimate(bounds=bounds, term_seconds=term, basis="; ".join(basis) or "one call")


def actual(action: Action, outcome: Outcome) -> Mapping[Unit, int]:
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
        cost = inference_cost(action, outcome) if action.operation.startswith(_MODEL_CALLS) else None
        if cost is not None:
            paid[Unit.USD_MICROS] = cost
    if costly == {ActionClass.PROVISION} and outcome.ok and action.operation == RUN_INSTANCES and _instances(outcome):
        standing = standing_cost(action)
        if standing is not None:
            share = -(-standing.high_micros * _instances(outcome) // standing.count)
            paid[Unit.USD_MICROS_PER_HOUR] = share
            paid[Unit.USD_MICROS] = -(-share * TERM_SECONDS_DEFAULT // SECONDS_PER_HOUR)
    return paid


def warm() -> None:
    """Read every table now rather than at the first request (about half a second)."""
    from comptroller.price import catalogue, inference

    catalogue.hourly("aws", "us-east-1", "t3.micro")
    catalogue.surcharge("aws", "us-east-1", "ebs:gp3")
    catalogue.output_tokens_max("openai", "gpt-4o")
    inference.find_model("openai", "gpt-4o")


def _instances(outcome: Outcome) -> int:
    """How many instances an answer names (`i-0abc`, or an ARN that ends so)."""
    return sum(1 for name in set(outcome.made) if name.rpartition("/")[2].startswith("i-"))


def _egress(action: Action) -> Bound:
    body = action.parameters.get("body")
    if isinstance(body, Mapping) and body.get("stream") is True and body.get("length") is None:
        return UNKNOWN
    return Bound.exactly(max(0, action.call.payload_bytes))


def _provision(action: Action, term_seconds: int) -> tuple[Bound, Bound, str]:
    standing = standing_cost(action)
    if standing is None:
        return UNKNOWN, UNKNOWN, "no price for what this brings about is known"
    paid_low = standing.low_micros * term_seconds // SECONDS_PER_HOUR
    paid_high = -(-standing.high_micros * term_seconds // SECONDS_PER_HOUR)
    return _bound(paid_low, paid_high), _bound(standing.low_micros, standing.high_micros), standing.basis


def _payment(action: Action) -> Bound:
    payment = action.payment
    if payment is None or payment.currency.lower() != "usd" or payment.amount_minor < 0:
        return UNKNOWN
    amount = payment.amount_minor * USD_MICROS_PER_MINOR
    return _bound(amount, amount)


def _inference(action: Action) -> tuple[Bound, Bound, str]:
    if not action.operation.startswith(_MODEL_CALLS):
        return UNKNOWN, UNKNOWN, "no price for this model service is known"
    found = inference_bounds(action)
    return _bound(0, found.usd_micros), _bound(0, found.tokens), found.basis


def _bound(low: int, high: int | None) -> Bound:
    if high is None or high > AMOUNT_MAX:
        return Bound(low=min(low, AMOUNT_MAX), high=None)
    return Bound(low=min(low, high), high=high)


def _sum(parts: list[Bound]) -> Bound:
    highs = [part.high for part in parts if part.high is not None]
    low = sum(part.low for part in parts)
    return _bound(low, sum(highs) if len(highs) == len(parts) else None)
