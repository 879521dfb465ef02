"""The shipped price tables: every row with a date and a source. What has no row has no known price."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from comptroller.core.estimate import USD_MICROS_PER_USD


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """A list price. `usd` is dollars per `per` (`hour`, `GB-month`, `vCPU-hour`), `as_of` an ISO date."""

    usd: Decimal
    per: str
    as_of: str
    source: str

    @property
    def micros(self) -> Decimal:
        """Micro-dollars per `per`."""
        return self.usd * USD_MICROS_PER_USD


def output_tokens_max(provider: str, model: str) -> int | None:
    """The most tokens a model writes in one answer, where the table knows it; `model` is the price list's own name."""
    return _limits().get((provider, model))


def whole_micros(micros: Decimal) -> int:
    """Rounded up: a bound is never under."""
    return int(micros.to_integral_value(rounding=ROUND_CEILING))


@cache
def shipped() -> Mapping[tuple[str, str, str], Rate]:
    """Every shipped rate by (provider, region, sku): machines (`p4d.24xlarge`), `elb:network`, `ebs:gp3`, …"""
    machines = {
        (row["provider"], row["region"], row["sku"]): Rate(
            usd=Decimal(row["usd_per_hour"]), per="hour", as_of=row["as_of"], source=row["source"]
        )
        for row in _rows("instance_prices.csv")
    }
    others = {
        (row["provider"], row["region"], row["sku"]): Rate(
            usd=Decimal(row["usd"]), per=row["per"], as_of=row["as_of"], source=row["source"]
        )
        for row in _rows("extra_prices.csv")
    }
    return MappingProxyType({**machines, **others})


@cache
def _limits() -> Mapping[tuple[str, str], int]:
    rows = _rows("model_limits.csv")
    return MappingProxyType({(row["provider"], row["model"]): int(row["max_output_tokens"]) for row in rows})


def _rows(name: str) -> Iterator[Mapping[str, str]]:
    text = (files(__package__) / "data" / name).read_text("utf-8")
    return csv.DictReader(text.splitlines())
