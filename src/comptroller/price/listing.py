"""Newer price lists: the file they are kept in, and how the lists that AWS, Azure and Google publish become its rows.

Each reader takes text or parsed pages one after the other and keeps only what a price book can use, so that a list of
many gigabytes needs little memory. What is not understood is left out: then the shipped, wider price counts.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal, InvalidOperation

from comptroller.core.errors import ConfigError
from comptroller.price.catalogue import Key, Rate
from comptroller.price.sizes import GCP_ACCELERATORS, normal

COLUMNS = ("provider", "region", "sku", "usd", "per", "as_of", "source")
ROWS_MAX = 500_000
FIELD_CHARS_MAX = 120
USD_MAX = Decimal(100_000)
HEADER_LINES_MAX = 20
"""How many lines of its own an AWS list has before its columns are named."""

Listed = Iterator[tuple[Key, Rate]]
"""Rows in no order; of equal keys the dearest counts."""


def write_rows(rows: Mapping[Key, Rate]) -> Iterator[str]:
    """The lines of the file, sorted, so that two lists can be compared by eye."""
    yield ",".join(COLUMNS) + "\n"
    for (provider, region, sku), rate in sorted(rows.items()):
        fields = (provider, region, sku, f"{rate.usd:f}", rate.per, rate.as_of, rate.source)
        yield ",".join(_plain(field) for field in fields) + "\n"


def read_rows(lines: Iterable[str]) -> dict[Key, Rate]:
    """The rows of the file. Raises `ConfigError` naming the line that is no price."""
    found: dict[Key, Rate] = {}
    reader = _fields(lines)
    if tuple(next(reader, ())) != COLUMNS:
        raise ConfigError("the price list does not begin with its columns", hint=f"first line: {','.join(COLUMNS)}")
    for number, fields in enumerate(reader, 2):
        if len(found) >= ROWS_MAX:
            raise ConfigError(f"the price list has more than {ROWS_MAX} rows", hint="refresh fewer regions")
        rate = _rate(fields[3:]) if len(fields) == len(COLUMNS) else None
        if rate is None or max(map(len, fields)) > FIELD_CHARS_MAX:
            raise ConfigError(
                f"line {number} is no price",
                hint=f"{','.join(COLUMNS)}: dollars above 0, a date like 2026-11-01, nothing empty",
            )
        found[fields[0], fields[1], fields[2]] = rate
    return found


def merged(rows: Iterable[tuple[Key, Rate]]) -> dict[Key, Rate]:
    """Rows by key; of several with the same key the dearest."""
    found: dict[Key, Rate] = {}
    for key, rate in rows:
        if key not in found or rate.usd > found[key].usd:
            found[key] = rate
        if len(found) > ROWS_MAX:
            raise ConfigError(f"the list has more than {ROWS_MAX} prices", hint="name fewer regions with --region")
    return found


# ---------------------------------------------------------------- AWS


def aws_rows(lines: Iterable[str], *, today: date) -> Listed:
    """Rows of an AWS price list in CSV (`AmazonEC2`, `AmazonRDS`, `AmazonElastiCache`, `AmazonSageMaker`).

    Only what is on demand, in dollars, on shared Linux machines; by the columns' names, wherever they stand.
    """
    columns: dict[str, int] = {}
    offer = ""
    for number, fields in enumerate(_fields(lines)):
        if not columns:
            if fields[:1] == ["OfferCode"] and len(fields) > 1:
                offer = fields[1]
            if "SKU" in fields and "PricePerUnit" in fields:
                columns = {_squeezed(name): place for place, name in enumerate(fields)}
            elif number > HEADER_LINES_MAX:
                raise ConfigError(
                    "this is no price list",
                    hint=f"give the CSV of one AWS offer and region, or one whose first line is {','.join(COLUMNS)}",
                )
            continue
        row = _Row(columns, fields)
        if row["termtype"] != "OnDemand" or row["currency"] != "USD":
            continue
        sku = _aws_sku(row)
        usd = _usd(row["priceperunit"])
        per = {"Hrs": "hour", "GB-Mo": "GB-month", "Hours": "hour"}.get(row["unit"])
        region = row["regioncode"]
        if sku and usd and per and region:
            source = f"AWS price list {offer}"[:FIELD_CHARS_MAX]
            yield ("aws", region, sku), Rate(usd=usd, per=per, as_of=today.isoformat(), source=source)


class _Row:
    __slots__ = ("_columns", "_fields")

    def __init__(self, columns: Mapping[str, int], fields: Sequence[str]) -> None:
        self._columns, self._fields = columns, fields

    def __getitem__(self, name: str) -> str:
        place = self._columns.get(name)
        return self._fields[place] if place is not None and place < len(self._fields) else ""


def _aws_sku(row: _Row) -> str:
    kind = row["instancetype"]
    match row["servicecode"]:
        case "AmazonEC2":
            if row["productfamily"] == "Storage":
                return f"ebs:{row['volumeapiname']}" if row["volumeapiname"] else ""
            if row["productfamily"] == "NAT Gateway" and row["usagetype"].endswith("NatGateway-Hours"):
                return "nat:gateway"
            plain = row["tenancy"] == "Shared" and row["operatingsystem"] == "Linux"
            plain = plain and row["preinstalleds/w"] in ("", "NA")
            used = row["capacitystatus"] in ("", "Used") and row["operation"] == "RunInstances"
            return kind if plain and used and row["productfamily"].startswith("Compute Instance") else ""
        case "AmazonRDS":
            engine = _RDS_ENGINES.get(row["databaseengine"])
            single = row["deploymentoption"] == "Single-AZ" and row["productfamily"] == "Database Instance"
            return f"{kind}:{engine}" if engine and single else ""
        case "AmazonElastiCache":
            return kind if kind.startswith("cache.") else ""
        case "AmazonSageMaker":
            return kind.partition("-")[0] if kind.startswith("ml.") else ""
        case _:
            return ""


_RDS_ENGINES = {"MySQL": "mysql", "PostgreSQL": "postgres", "MariaDB": "mariadb"}


# ---------------------------------------------------------------- Azure


_AZURE_OTHER = ("windows", "spot", "low priority", "dedicated host", "cloudservices")


def azure_rows(page: object, *, today: date) -> Listed:
    """Rows of one page of Azure's retail prices: machines on demand, without Windows, spot or low priority."""
    items = page.get("Items") if isinstance(page, Mapping) else None
    for item in items if isinstance(items, list) else ():
        if not isinstance(item, Mapping):
            continue
        name, region = str(item.get("armSkuName") or ""), str(item.get("armRegionName") or "")
        words = f"{item.get('skuName')} {item.get('meterName')} {item.get('productName')}".lower()
        usd = _usd(str(item.get("retailPrice")))
        plain = not any(word in words for word in _AZURE_OTHER)
        on_demand = item.get("type") == "Consumption" and item.get("unitOfMeasure") == "1 Hour"
        if plain and on_demand and usd and name and region and item.get("currencyCode") == "USD":
            rate = Rate(usd=usd, per="hour", as_of=today.isoformat(), source="Azure retail prices")
            yield ("azure", region, normal("azure", name)), rate


# ---------------------------------------------------------------- Google Cloud


def gcp_rows(page: object, *, today: date) -> Listed:
    """Rows of one page of the Cloud Billing catalogue: cores and memory of each family, and accelerators."""
    items = page.get("skus") if isinstance(page, Mapping) else None
    for item in items if isinstance(items, list) else ():
        if not isinstance(item, Mapping):
            continue
        category = item.get("category")
        if not isinstance(category, Mapping) or category.get("usageType") != "OnDemand":
            continue
        sku = _gcp_sku(str(item.get("description") or ""))
        usd = _gcp_usd(item)
        regions = item.get("serviceRegions")
        if sku and usd:
            rate = Rate(usd=usd, per="hour", as_of=today.isoformat(), source="Google Cloud Billing catalogue")
            for region in regions if isinstance(regions, list) else ():
                yield ("gcp", str(region), sku), rate


def _gcp_sku(description: str) -> str:
    """`N2 Instance Core running in Iowa` -> `n2:vcpu`; `Nvidia L4 GPU running in Iowa` -> `gpu:L4`."""
    words = description.lower().partition(" running in ")[0].split()
    if {"custom", "sole", "tenancy", "spot", "preemptible", "reserved", "commitment", "extended"} & set(words):
        return ""
    if words[-1:] == ["gpu"]:
        name = "-".join(words[:-1])
        return f"gpu:{GCP_ACCELERATORS[name]}" if name in GCP_ACCELERATORS else ""
    part = {"core": "vcpu", "ram": "gib"}.get(words[-1] if words else "")
    named = [word for word in words[:-1] if word not in ("instance", "predefined", "amd", "arm", "memory-optimized")]
    return f"{named[0]}:{part}" if part and len(named) == 1 else ""


def _gcp_usd(item: Mapping[str, object]) -> Decimal | None:
    """The dearest tier of the newest price, where it is per hour and in dollars."""
    infos = item.get("pricingInfo")
    if not isinstance(infos, list) or not infos or not isinstance(infos[-1], Mapping):
        return None
    expression = infos[-1].get("pricingExpression")
    if not isinstance(expression, Mapping) or expression.get("usageUnit") not in ("h", "GiBy.h"):
        return None
    found: list[Decimal] = []
    tiers = expression.get("tieredRates")
    for tier in tiers if isinstance(tiers, list) else ():
        price = tier.get("unitPrice") if isinstance(tier, Mapping) else None
        if not isinstance(price, Mapping) or price.get("currencyCode") != "USD":
            return None
        units = _number(str(price.get("units") or 0))
        nanos = price.get("nanos") or 0
        if units is None or not isinstance(nanos, int):
            return None
        found.append(units + Decimal(nanos) / 10**9)
    return max(found) if found and 0 < max(found) < USD_MAX else None


# ---------------------------------------------------------------- within


def _fields(lines: Iterable[str]) -> Iterator[list[str]]:
    """The fields of each line. Raises `ConfigError` for what is no CSV."""
    try:
        yield from csv.reader(lines)
    except csv.Error as error:
        raise ConfigError(f"the price list is no CSV: {error}", hint="comptroller prices refresh") from error


def _rate(fields: Sequence[str]) -> Rate | None:
    usd, per, as_of, source = fields
    price = _usd(usd)
    try:
        date.fromisoformat(as_of)
    except ValueError:
        return None
    return Rate(usd=price, per=per, as_of=as_of, source=source) if price and per and source else None


def _usd(text: str) -> Decimal | None:
    """Dollars above zero; a free tier is no price."""
    number = _number(text)
    return number if number is not None and 0 < number < USD_MAX else None


def _number(text: str) -> Decimal | None:
    try:
        number = Decimal(text[:40])
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _plain(field: str) -> str:
    return "".join(letter for letter in field if letter.isprintable() and letter not in ',"')[:FIELD_CHARS_MAX]


def _squeezed(name: str) -> str:
    return name.replace(" ", "").lower()
