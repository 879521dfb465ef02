"""Rows of a report as a bill has them: FOCUS 1.x columns, and columns of our own whose names begin with `x_`.

https://focus.finops.org: names, null handling and the form of dates and numbers are the specification's.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import IO, Literal, NamedTuple

from comptroller.core.currency import Display
from comptroller.core.estimate import Unit
from comptroller.core.spend import SPEND_UNITS, Dimension, SpendRow, Standing
from comptroller.server.neutral import neutral_name

Kind = Literal["text", "money", "count", "time", "tags"]
Cell = str | Decimal | int | Mapping[str, str] | None


class Column(NamedTuple):
    """A column: its name and what its cells hold."""

    name: str
    kind: Kind


FOCUS = (
    Column("BillingAccountId", "text"),
    Column("BillingCurrency", "text"),
    Column("BillingPeriodStart", "time"),
    Column("BillingPeriodEnd", "time"),
    Column("ChargeCategory", "text"),
    Column("ChargeDescription", "text"),
    Column("ChargePeriodStart", "time"),
    Column("ChargePeriodEnd", "time"),
    Column("BilledCost", "money"),
    Column("EffectiveCost", "money"),
    Column("ConsumedQuantity", "count"),
    Column("ConsumedUnit", "text"),
    Column("ProviderName", "text"),
    Column("ServiceProviderName", "text"),
    Column("ServiceName", "text"),
    Column("RegionId", "text"),
    Column("SubAccountId", "text"),
    Column("ResourceId", "text"),
    Column("Tags", "tags"),
)
"""What of FOCUS is filled; `docs/reports.md` says with what."""

_NAMES: Mapping[Dimension, str] = {
    Dimension.TEAM: "x_Team",
    Dimension.AGENT: "x_Agent",
    Dimension.RUN: "x_Run",
    Dimension.SERVICE: "x_Service",
    Dimension.OPERATION: "x_Operation",
    Dimension.REGION: "x_Region",
    Dimension.ACCOUNT: "x_Account",
    Dimension.DAY: "x_Day",
    Dimension.WEEK: "x_Week",
    Dimension.MONTH: "x_Month",
    Dimension.OWNER: "x_Owner",
    Dimension.APPROVER: "x_Approver",
}
_TAGGED = (Dimension.TEAM, Dimension.AGENT, Dimension.RUN, Dimension.OWNER, Dimension.APPROVER)
_WORDS: Mapping[Unit, str] = {
    Unit.USD_MICROS: "UsdMicros",
    Unit.CALLS: "Calls",
    Unit.TOKENS: "Tokens",
    Unit.MILLIWATT_HOURS: "MilliwattHours",
    Unit.MILLIGRAMS_CO2E: "MilligramsCo2e",
    Unit.GPU_SECONDS: "GpuSeconds",
    Unit.EGRESS_BYTES: "EgressBytes",
}
_BEFORE: Mapping[Standing, str] = {Standing.SETTLED: "", Standing.HELD: "Held", Standing.UNCONFIRMED: "Unconfirmed"}

OWN = (
    *(Column(name, "text") for name in _NAMES.values()),
    Column("x_HeldCost", "money"),
    Column("x_UnconfirmedCost", "money"),
    *(Column(f"x_{_BEFORE[standing]}{_WORDS[unit]}", "count") for unit in SPEND_UNITS for standing in Standing),
    Column("x_ExchangeRate", "text"),
)
COLUMNS = (*FOCUS, *OWN)

PROVIDERS: Mapping[str, str] = {
    "aws": "AWS",
    "gcp": "Google Cloud",
    "azure": "Microsoft",
    "azure-openai": "Microsoft",
    "gemini": "Google",
    "openai": "OpenAI",
    "anthropic": "Anthropic",
    "stripe": "Stripe",
    "kubernetes": "Kubernetes",
    "mistral": "Mistral AI",
    "groq": "Groq",
    "deepseek": "DeepSeek",
    "xai": "xAI",
    "together": "Together AI",
    "fireworks": "Fireworks AI",
    "openrouter": "OpenRouter",
    "perplexity": "Perplexity",
    "cerebras": "Cerebras",
}
"""What a service's name begins with -> who provides it; any other is called by that beginning."""


def billed_by(by: Sequence[Dimension]) -> tuple[Dimension, ...]:
    """`by`, with the day added where it names neither day nor month: a charge lies in one billing period."""
    return tuple(by) if {Dimension.DAY, Dimension.MONTH} & set(by) else (*by, Dimension.DAY)


def focus_rows(
    rows: Iterable[SpendRow], by: Sequence[Dimension], *, organization: str, shown: Display
) -> Iterator[dict[str, Cell]]:
    """One row of a bill for each row of a report that was made by `billed_by` dimensions. Text is neutral."""
    rate = "" if shown == Display() else str(shown.rate)
    for row in rows:
        values = {dimension: neutral_name(value) for dimension, value in zip(by, row.key, strict=True)}
        start, end = _period(values)
        month = start.replace(day=1)
        service = values.get(Dimension.SERVICE, "")
        provider, name = _service(service)
        money, calls = row.tallies[Unit.USD_MICROS], row.tallies[Unit.CALLS]
        cells: dict[str, Cell] = {
            "BillingAccountId": organization,
            "BillingCurrency": shown.currency,
            "BillingPeriodStart": _time(month),
            "BillingPeriodEnd": _time(_next_month(month)),
            "ChargeCategory": "Usage",
            "ChargeDescription": _description(values),
            "ChargePeriodStart": _time(start),
            "ChargePeriodEnd": _time(end),
            "BilledCost": shown.amount(money.settled),
            "EffectiveCost": shown.amount(money.settled),
            "ConsumedQuantity": calls.settled,
            "ConsumedUnit": "Calls",
            "ProviderName": provider,
            "ServiceProviderName": provider,
            "ServiceName": name,
            "RegionId": values.get(Dimension.REGION) or None,
            "SubAccountId": values.get(Dimension.ACCOUNT) or None,
            "ResourceId": None,
            "Tags": {f"comptroller/{item.value}": values[item] for item in _TAGGED if values.get(item)},
            "x_HeldCost": shown.amount(money.held),
            "x_UnconfirmedCost": shown.amount(money.unconfirmed),
            "x_ExchangeRate": rate or None,
        }
        cells |= {name: values.get(dimension) or None for dimension, name in _NAMES.items()}
        for unit in SPEND_UNITS:
            for standing in Standing:
                cells[f"x_{_BEFORE[standing]}{_WORDS[unit]}"] = getattr(row.tallies[unit], standing.value)
        yield cells


def write_csv(rows: Iterable[Mapping[str, Cell]], sink: IO[str]) -> int:
    """Write a bill as CSV (RFC 4180, with a line of names); how many rows. No cell begins a spreadsheet's formula."""
    writer = csv.writer(sink, lineterminator="\r\n")
    writer.writerow([column.name for column in COLUMNS])
    count = 0
    for row in rows:
        writer.writerow([_csv_cell(row[column.name]) for column in COLUMNS])
        count += 1
    return count


def _csv_cell(cell: Cell) -> str:
    match cell:
        case None:
            return ""
        case str():
            return f"'{cell}" if cell[:1] in _FORMULA else cell
        case Mapping():
            return json.dumps(dict(cell), sort_keys=True)
        case Decimal():
            return f"{cell:f}"
        case _:
            return str(cell)


_FORMULA = frozenset("=+-@\t\r")


def _service(service: str) -> tuple[str | None, str | None]:
    """`aws:ec2` -> (`AWS`, `aws:ec2`)."""
    if not service:
        return None, None
    family = service.partition(":")[0]
    return PROVIDERS.get(family, family), service


def _description(values: Mapping[Dimension, str]) -> str:
    """`team ml, agent trainer, service aws:ec2`."""
    return ", ".join(f"{item.value} {text}" for item, text in values.items() if text) or "all spend"


def _period(values: Mapping[Dimension, str]) -> tuple[date, date]:
    """The day or the month that a row is about; the end is the first day after it."""
    if day := values.get(Dimension.DAY):
        start = date.fromisoformat(day)
        return start, start + timedelta(days=1)
    start = date.fromisoformat(f"{values[Dimension.MONTH]}-01")
    return start, _next_month(start)


def _next_month(month: date) -> date:
    return (month + timedelta(days=31)).replace(day=1)


def _time(day: date) -> str:
    return f"{day.isoformat()}T00:00:00Z"
