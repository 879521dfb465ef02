"""The prices a pure function may use: the shipped tables, what a newer list laid over them, and how old they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from comptroller.core.currency import ExchangeRate
from comptroller.core.estimate import PRICE_AGE_DAYS_DEFAULT
from comptroller.price.catalogue import Key, Rate, shipped, whole_micros
from comptroller.price.range import Range, exactly, find, machine_range

NODES_DEFAULT = "default"
"""The name under which the price of a node of any other cluster is kept."""


class Hourly(NamedTuple):
    """What a machine costs per hour in integer micro-dollars: `low <= list price <= high`; `basis` says where from."""

    low: int
    high: int
    basis: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceBook:
    """List prices by provider, region and sku; `newer` rows win over the shipped ones.

    `today` is the day the book is read on (None: no price is old); `factors` is what an account pays of the list price;
    `nodes` the price of one Kubernetes node by cluster host; `coins` the most a chain's coin may be worth; `fx` what
    other currencies are worth, by code; `distrusted` the keys (`price_key`) of prices that a real cost once exceeded.
    """

    newer: Mapping[Key, Rate] = field(default_factory=dict)
    today: date | None = None
    max_age_days: int = PRICE_AGE_DAYS_DEFAULT
    factors: Mapping[str, Decimal] = field(default_factory=dict)
    nodes: Mapping[str, int] = field(default_factory=dict)
    coins: Mapping[str, int] = field(default_factory=dict)
    fx: Mapping[str, ExchangeRate] = field(default_factory=dict)
    distrusted: frozenset[str] = frozenset()

    def rate(self, provider: str, region: str, sku: str) -> Rate | None:
        """The list price of exactly this; None where no row has it. No fallback: see `listed` and `machine`."""
        key = (provider, region, sku)
        return self.newer.get(key) or shipped().get(key)

    def listed(self, provider: str, region: str, sku: str) -> Range | None:
        """What `sku` costs there, as (low, high) in micro-dollars per `per`: the row of that region, else the row of
        the provider's home region times what prices there differ by. Old and unverified rows are wider. None: unknown.

        >>> PriceBook().listed("aws", "us-east-1", "ebs:gp3").high
        Decimal('80000.00')
        """
        return find(self, provider, region, sku)

    def machine(self, provider: str, region: str, sku: str) -> Hourly | None:
        """What one on-demand machine of kind `sku` costs per hour there: Linux, shared tenancy, without disks.

        `provider` is `aws`, `gcp` or `azure`; `sku` the service's own name (`p4d.24xlarge`, `n2-standard-8`,
        `n1-standard-4+2xnvidia-tesla-t4` with attached GPUs, `Standard_D4s_v5` or `D4s_v5`). In this order: the row of
        that region; the home region's times the regions' difference; another size of the family, scaled; its vCPUs,
        memory and GPUs. Each step is wider. None: not even its size is known, or the region is not.
        """
        found = machine_range(self, provider, region, sku)
        return None if found is None else Hourly(int(found.low), whole_micros(found.high), found.basis)

    def node(self, cluster: str) -> Hourly | None:
        """What one node of the Kubernetes cluster at host `cluster` costs per hour, as configured; None: not told."""
        micros = self.nodes.get(cluster, self.nodes.get(NODES_DEFAULT))
        return None if micros is None else Hourly(micros, micros, "prices.node_usd_per_hour")

    def factor(self, account: str) -> Decimal:
        """What `account` pays of the list price: 1 unless configured."""
        return self.factors.get(account, Decimal(1))


SHIPPED = PriceBook()
"""The tables as they come with the package."""

__all__ = ["SHIPPED", "Hourly", "Key", "PriceBook", "Range", "exactly"]
