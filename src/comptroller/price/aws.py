"""Prices of AWS actions: one table of operations, read when the first of them is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType

from comptroller.core.action import Action
from comptroller.price.bedrock import bedrock_cost, is_bedrock
from comptroller.price.bill import Bill, Unpriced
from comptroller.price.book import PriceBook
from comptroller.price.cost import Cost
from comptroller.price.range import HOME, region_factor, region_of

GLOBAL = frozenset({"route53", "route53domains", "cloudfront", "globalaccelerator", "savingsplans", "s3"})
"""Services that one may reach without naming a region: then the home region's prices count."""


def aws_cost(action: Action, book: PriceBook) -> Cost | None:
    """What an AWS action costs; None where no table says."""
    if is_bedrock(action):
        return bedrock_cost(action)
    price = priced().get(action.operation)
    if price is None:
        return None
    region = action.region
    if action.operation.split(":")[1] in GLOBAL and not region_factor("aws", region_of("aws", region)):
        region = HOME["aws"]
    try:
        return price(action, Bill(book, "aws", region))
    except Unpriced:
        return None


@cache
def priced() -> Mapping[str, Callable[[Action, Bill], Cost]]:
    """Operation -> its price, for all of AWS that has one. The first entry of an operation counts."""
    from comptroller.price import aws_calls, aws_compute, aws_containers, aws_database, aws_network

    tables = (aws_network, aws_containers, aws_database, aws_calls, aws_compute)
    return MappingProxyType({name: price for table in tables for name, price in table.PRICED.items()})
