"""From one list price to honest bounds: rows that are old, unverified, of another region or of another size widen."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from types import MappingProxyType
from typing import Protocol

from comptroller.core.estimate import USD_MICROS_PER_USD
from comptroller.price.catalogue import Rate, shipped
from comptroller.price.rows import rows_of
from comptroller.price.sizes import Size, normal, size_of

HOME: Mapping[str, str] = MappingProxyType({"aws": "us-east-1", "gcp": "us-east1", "azure": "eastus"})
"""The region whose list prices are shipped; others follow by `regions.csv`."""
EVERYWHERE = "*"
"""The region of a row whose price is the same in every region."""
UNVERIFIED = (Decimal("0.85"), Decimal("1.18"))
"""By how much a figure written down from memory may be off."""
OLD_PER_STEP = Decimal("0.10")
OLD_STEPS_MAX = 10
"""An old row widens by a tenth for every `max_age_days` begun beyond the first, at most doubled."""
SAME_SHAPE = Decimal("0.06")
OTHER_SHAPE = Decimal("0.25")
"""What scaling within a family leaves open: for the same ratio of vCPUs, memory and accelerators, and for another."""
FROM_PARTS = (Decimal("0.6"), Decimal("1.6"))
"""What pricing a machine by its parts leaves open (vCPUs, memory, disks; accelerators have ranges of their own)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """`low <= list price <= high` in micro-dollars per `per`; `basis` says where the figures come from, with a date."""

    low: Decimal
    high: Decimal
    per: str
    basis: str

    def times(self, low: Decimal, high: Decimal, why: str = "") -> Range:
        """Both ends multiplied; `why` joins the basis."""
        basis = f"{self.basis}, {why}" if why else self.basis
        return Range(low=self.low * low, high=self.high * high, per=self.per, basis=basis)


class Rows(Protocol):
    """What bounds are made of: a price book."""

    @property
    def today(self) -> date | None:
        """The day prices are read on."""
        ...

    @property
    def max_age_days(self) -> int:
        """After how many days a row is old."""
        ...

    def rate(self, provider: str, region: str, sku: str) -> Rate | None:
        """The row of exactly this."""
        ...


def exactly(rate: Rate) -> Range:
    """The row as it stands."""
    basis = rate.source if rate.source.endswith(rate.as_of) else f"{rate.source}, {rate.as_of}"
    return Range(low=rate.micros, high=rate.micros, per=rate.per, basis=basis)


def of_rate(book: Rows, rate: Rate) -> Range:
    """The row as a range: wider where nobody verified it, and where it is old."""
    found = exactly(rate) if rate.verified else exactly(rate).times(*UNVERIFIED)
    steps = _old_steps(rate.as_of, book.today, book.max_age_days)
    if not steps:
        return found
    more = OLD_PER_STEP * steps
    return found.times(1 - more / 2, 1 + more, "old")


def find(book: Rows, provider: str, region: str, sku: str) -> Range | None:
    """The row of that region, else the home region's by the regions' difference; None where neither is known."""
    place = region_of(provider, region)
    rate = book.rate(provider, place, sku) or book.rate(provider, EVERYWHERE, sku)
    if rate is not None:
        return of_rate(book, rate)
    home = HOME.get(provider)
    factor = region_factor(provider, place)
    rate = book.rate(provider, home, sku) if home and factor else None
    if rate is None or factor is None:
        return None
    return of_rate(book, rate).times(*factor, f"scaled to {place}")


def machine_range(book: Rows, provider: str, region: str, sku: str) -> Range | None:
    """See `PriceBook.machine`."""
    name = normal(provider, sku)
    size = size_of(provider, name)
    found = _by_listed_parts(book, provider, region_of(provider, region), size) if size is not None else None
    found = found or find(book, provider, region, name)
    if found is not None:
        return found
    home = HOME.get(provider)
    factor = region_factor(provider, region_of(provider, region))
    if home is None or factor is None or size is None:
        return None
    scaled = _by_family(book, provider, home, name, size) or _by_parts(provider, size)
    if scaled is None or factor == (Decimal(1), Decimal(1)):
        return scaled
    return scaled.times(*factor, f"scaled to {region_of(provider, region)}")


def region_of(provider: str, region: str) -> str:
    """The region a zone lies in: `us-east-1a`, `us-central1-b`, `East US` -> `us-east-1`, `us-central1`, `eastus`."""
    name = region.strip().lower()[:40]
    if provider == "aws":
        return re.sub(r"(\d)[a-z]$", r"\1", name)
    if provider == "gcp":
        return re.sub(r"(\d)-[a-z]$", r"\1", name.rpartition("/")[2])
    return name.replace(" ", "")


def region_factor(provider: str, region: str) -> tuple[Decimal, Decimal] | None:
    """(least, most) that prices of `region` are of the home region's; None for a region nobody knows."""
    return _factors().get((provider, region))


@cache
def _factors() -> Mapping[tuple[str, str], tuple[Decimal, Decimal]]:
    rows = rows_of("regions.csv")
    return MappingProxyType({(n["provider"], n["region"]): (Decimal(n["low"]), Decimal(n["high"])) for n in rows})


def _old_steps(as_of: str, today: date | None, max_age_days: int) -> int:
    if today is None:
        return 0
    try:
        days = (today - date.fromisoformat(as_of)).days
    except ValueError:
        return OLD_STEPS_MAX
    return min(OLD_STEPS_MAX, max(0, days - 1) // max(1, max_age_days))


# ---------------------------------------------------------------- machines without a row


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    low: Decimal
    nominal: Decimal
    high: Decimal


def _by_family(book: Rows, provider: str, home: str, name: str, size: Size) -> Range | None:
    weight = _weight(provider, size)
    same: list[Range] = []
    nearest: tuple[Decimal, Range] | None = None
    for sibling in _family(provider, size.family):
        rate = book.rate(provider, home, sibling)
        other = size_of(provider, sibling)
        if rate is None or other is None or sibling == name:
            continue
        ratio = weight / _weight(provider, other)
        found = of_rate(book, rate).times(ratio, ratio, f"scaled from {sibling}")
        if _shape(size) == _shape(other):
            same.append(found.times(1 - SAME_SHAPE, 1 + SAME_SHAPE))
        elif nearest is None or max(ratio, 1 / ratio) < nearest[0]:
            nearest = max(ratio, 1 / ratio), found.times(1 - OTHER_SHAPE, 1 + OTHER_SHAPE)
    if same:
        # The narrowest: a row that somebody verified says more than one from memory.
        return min(same, key=lambda found: found.high / found.low)
    return nearest[1] if nearest is not None else None


def _by_listed_parts(book: Rows, provider: str, place: str, size: Size) -> Range | None:
    """By the listed prices of a family's cores and memory: how Google charges, and its catalogue lists."""
    if provider != "gcp":
        return None
    cpu = book.rate(provider, place, f"{size.family.partition('+')[0].partition('-')[0]}:vcpu")
    gib = book.rate(provider, place, f"{size.family.partition('+')[0].partition('-')[0]}:gib")
    gpu = book.rate(provider, place, f"gpu:{size.accelerator}") if size.accelerator else None
    if cpu is None or gib is None or (size.accelerator and (gpu is None or not gpu.verified)) or size.disk_gb:
        return None
    total = cpu.micros * size.vcpus + gib.micros * size.gib + (gpu.micros * size.count if gpu is not None else 0)
    bound = of_rate(book, Rate(usd=total / USD_MICROS_PER_USD, per="hour", as_of=cpu.as_of, source=cpu.source))
    # Shared cores and custom sizes differ a little from the sum of their parts.
    return bound.times(1 - SAME_SHAPE, 1 + SAME_SHAPE)


def _by_parts(provider: str, size: Size) -> Range | None:
    parts = _parts()
    counted = [("vcpu", size.vcpus), ("gib", size.gib), ("disk", size.disk_gb)]
    nominal = sum((parts[provider, kind].nominal * amount for kind, amount in counted), Decimal(0))
    low, high = nominal * FROM_PARTS[0], nominal * FROM_PARTS[1]
    if size.accelerator:
        unit = parts.get(("*", size.accelerator))
        if unit is None:
            return None
        low, high = low + unit.low * size.count, high + unit.high * size.count
    return Range(low=low, high=high, per="hour", basis="by vCPUs, memory and accelerators, unverified 2026-11-23")


def _weight(provider: str, size: Size) -> Decimal:
    """What a machine would cost by its parts: prices within a family are in this proportion."""
    if size.burstable:
        return size.gib
    parts = _parts()
    unit = parts.get(("*", size.accelerator)) if size.accelerator else None
    if size.accelerator and unit is None:
        return size.vcpus
    weight = parts[provider, "vcpu"].nominal * size.vcpus + parts[provider, "gib"].nominal * size.gib
    weight += parts[provider, "disk"].nominal * size.disk_gb
    return weight + (unit.nominal * size.count if unit is not None else 0)


def _shape(size: Size) -> tuple[int, int] | None:
    """Whether two sizes are multiples of each other: memory and accelerators per vCPU, in hundredths."""
    if size.burstable:
        return (0, 0)
    return int(size.gib * 100 / size.vcpus), int(size.count * 100 / size.vcpus)


@cache
def _parts() -> Mapping[tuple[str, str], _Part]:
    return MappingProxyType(
        {
            (row["provider"], row["part"]): _Part(
                low=Decimal(row["low"]) * USD_MICROS_PER_USD,
                nominal=Decimal(row["nominal"]) * USD_MICROS_PER_USD,
                high=Decimal(row["high"]) * USD_MICROS_PER_USD,
            )
            for row in rows_of("parts.csv")
        }
    )


def _family(provider: str, family: str) -> Sequence[str]:
    return _families().get((provider, family), ())


@cache
def _families() -> Mapping[tuple[str, str], Sequence[str]]:
    found: dict[tuple[str, str], list[str]] = {}
    for provider, sku in _machine_rows():
        size = size_of(provider, sku)
        if size is not None:
            found.setdefault((provider, size.family), []).append(sku)
    return MappingProxyType(found)


def _machine_rows() -> Iterator[tuple[str, str]]:
    for (provider, region, sku), rate in shipped().items():
        if rate.per == "hour" and ":" not in sku and region == HOME.get(provider):
            yield provider, sku
