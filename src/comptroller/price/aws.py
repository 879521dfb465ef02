"""Prices of AWS actions."""

from __future__ import annotations

from comptroller.core.action import Action
from comptroller.price.book import PriceBook
from comptroller.price.cost import Cost, Machine, bound
from comptroller.price.machines import RUN_INSTANCES, standing_cost


def aws_cost(action: Action, book: PriceBook) -> Cost | None:
    """What an AWS action costs; None where no table says."""
    standing = standing_cost(action, book)
    if standing is None:
        return None
    hourly = bound(standing.low_micros, standing.high_micros)
    kind = action.parameters.get("InstanceType")
    machines: tuple[Machine, ...] = ()
    if action.operation == RUN_INSTANCES and isinstance(kind, str):
        machines = (Machine(provider="aws", region=action.region, sku=kind, count=standing.count),)
    return Cost(hourly=hourly, machines=machines, basis=standing.basis)
