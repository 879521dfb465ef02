"""The shipped price tables: every row with a date and a source. What has no row has no known price."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from functools import cache
from types import MappingProxyType

from comptroller.core.estimate import USD_MICROS_PER_USD
from comptroller.price.rows import rows_of

Key = tuple[str, str, str]
"""(provider, region, sku): `("aws", "us-east-1", "p4d.24xlarge")`, `("aws", "us-east-1", "ebs:gp3")`."""
FROM_MEMORY = "public price page, from memory, unverified"
"""How the source of a row begins that nobody compared with the page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """A list price. `usd` is dollars per `per` (`hour`, `GB-month`, `vCPU-hour`), `as_of` an ISO date."""

    usd: Decimal
    per: str
    as_of: str
    source: str

    @property
    def verified(self) -> bool:
        """Whether somebody took the figure from a list, rather than from memory."""
        return not self.source.startswith(FROM_MEMORY)

    @property
    def micros(self) -> Decimal:
        """Micro-dollars per `per`."""
        return self.usd * USD_MICROS_PER_USD


def whole_micros(micros: Decimal) -> int:
    """Rounded up: a bound is never under."""
    return int(micros.to_integral_value(rounding=ROUND_CEILING))


@cache
def shipped() -> Mapping[Key, Rate]:
    """Every shipped rate by (provider, region, sku): machines (`p4d.24xlarge`), `elb:network`, `ebs:gp3`, …"""
    found = {}
    for name in ("unverified_prices.csv", "extra_prices.csv", "instance_prices.csv"):
        for row in rows_of(name):
            found[row["provider"], row["region"], row["sku"]] = Rate(
                usd=Decimal(row.get("usd_per_hour") or row["usd"]),
                per=row.get("per") or "hour",
                as_of=row["as_of"],
                source=row["source"],
            )
    return MappingProxyType(found)
