"""The prices a pure function may use: the shipped tables, and what a newer list laid over them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from comptroller.price.catalogue import Rate, shipped

Key = tuple[str, str, str]
"""(provider, region, sku): `("aws", "us-east-1", "p4d.24xlarge")`, `("aws", "us-east-1", "ebs:gp3")`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceBook:
    """List prices by provider, region and sku; `newer` rows win over the shipped ones."""

    newer: Mapping[Key, Rate] = field(default_factory=dict)

    def rate(self, provider: str, region: str, sku: str) -> Rate | None:
        """The list price of exactly this; None where no row has it."""
        key = (provider, region, sku)
        return self.newer.get(key) or shipped().get(key)


SHIPPED = PriceBook()
"""The tables as they come with the package."""
