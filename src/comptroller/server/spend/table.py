"""A report as text columns for a terminal, and as the JSON object that scripts read."""

from __future__ import annotations

from collections.abc import Sequence

from comptroller.core.currency import DOLLAR, Display
from comptroller.core.estimate import Unit, usd_text
from comptroller.core.spend import SPEND_UNITS, SpendRow, Standing
from comptroller.server.neutral import neutral_name
from comptroller.server.render import Json
from comptroller.server.spend.gather import Gathered
from comptroller.server.words import amount_text

NAME_CHARS_MIN = 6
_HEADS = {
    Unit.TOKENS: "tokens",
    Unit.MILLIWATT_HOURS: "energy",
    Unit.MILLIGRAMS_CO2E: "carbon",
    Unit.GPU_SECONDS: "GPU time",
    Unit.EGRESS_BYTES: "sent",
    Unit.CALLS: "calls",
}
_ALWAYS = (Unit.CALLS,)


def money_text(usd_micros: int, shown: Display) -> str:
    """`$12.34`, or `11.39 EUR`."""
    return usd_text(usd_micros) if shown.currency == DOLLAR else shown.text(usd_micros)


def quantity_text(unit: Unit, amount: int) -> str:
    """An amount under a column's name: `1,200`, `3.10 kWh`, `40.0 g`."""
    if unit in (Unit.TOKENS, Unit.CALLS):
        return f"{amount:,}"
    return amount_text(unit, amount).removesuffix(" CO2e").replace("GPU hours", "h").replace("GPU seconds", "s")


def table_lines(found: Gathered, shown: Display, *, width: int | None = None) -> list[str]:
    """Names left, numbers right, a total below; names are cut where `width` has no room. Empty columns are left out."""
    whole = found.total
    money = [
        standing
        for standing in Standing
        if standing is Standing.SETTLED or getattr(whole.tallies[Unit.USD_MICROS], standing.value)
    ]
    units = [unit for unit in _HEADS if unit in _ALWAYS or whole.tallies[unit].total]
    heads = [*(dimension.value for dimension in found.by), *money, *(_HEADS[unit] for unit in units)]

    def numbers(row: SpendRow) -> list[str]:
        dollars = row.tallies[Unit.USD_MICROS]
        return [
            *(money_text(getattr(dollars, standing.value), shown) for standing in money),
            *(quantity_text(unit, row.tallies[unit].total) for unit in units),
        ]

    names = len(found.by)
    lines = [heads]
    lines += [[*(neutral_name(value) or "-" for value in row.key), *numbers(row)] for row in found.rows]
    lines.append([*(["total", *[""] * (names - 1)] if names else []), *numbers(whole)])
    wide = [max(len(line[place]) for line in lines) for place in range(len(heads))]
    if width is not None:
        _fit(wide, names, width)
    return [
        "  ".join(
            _cut(text, room).ljust(room) if place < names else text.rjust(room)
            for place, (text, room) in enumerate(zip(line, wide, strict=True))
        ).rstrip()
        for line in lines
    ]


def _fit(wide: list[int], names: int, width: int) -> None:
    """Narrow the widest names, a character at a time, until the line fits."""
    while sum(wide) + 2 * (len(wide) - 1) > width:
        widest = max(range(names), key=lambda place: wide[place], default=None)
        if widest is None or wide[widest] <= NAME_CHARS_MIN:
            return
        wide[widest] -= 1


def _cut(text: str, room: int) -> str:
    """The end is what tells ids apart: the middle goes."""
    if len(text) <= room:
        return text
    head = (room - 1) // 2
    return f"{text[:head]}…{text[len(text) - (room - 1 - head) :]}"


def notes(found: Gathered, shown: Display) -> list[str]:
    """What a reader has to know beside the figures."""
    lines = []
    if shown.currency != DOLLAR:
        lines.append(f"shown in {shown.currency}: {shown.rate}; budgets and the ledger are in dollars")
    dollars = found.total.tallies[Unit.USD_MICROS]
    if dollars.held or dollars.unconfirmed:
        lines.append("held: not settled yet, at most; unconfirmed: what became of it is not known, at most")
    if found.archived:
        lines.append(f"{found.archived:,} entries are archived: what they say is not counted")
    return lines


def report_json(found: Gathered, shown: Display) -> Json:
    """The report with integers in every unit; `money` beside it is in the display currency, as text."""
    return {
        "by": [dimension.value for dimension in found.by],
        "scope": found.query.scope,
        "since": None if found.query.since is None else found.query.since.isoformat(),
        "until": None if found.query.until is None else found.query.until.isoformat(),
        "first": found.first or None,
        "last": found.last or None,
        "entries": found.entries,
        "archived": found.archived,
        "currency": shown.currency,
        "exchange_rate": None
        if shown.currency == DOLLAR
        else {"usd": f"{shown.rate.usd:f}", "as_of": shown.rate.as_of.isoformat()},
        "rows": [_row_json(row, [dimension.value for dimension in found.by], shown) for row in found.rows],
        "total": _row_json(found.total, [], shown),
    }


def _row_json(row: SpendRow, names: Sequence[str], shown: Display) -> Json:
    dollars = row.tallies[Unit.USD_MICROS]
    return {
        "group": dict(zip(names, row.key, strict=True)),
        "actions": row.charges,
        "money": {standing.value: f"{shown.amount(getattr(dollars, standing.value)):f}" for standing in Standing},
        "units": {
            unit.value: {standing.value: getattr(row.tallies[unit], standing.value) for standing in Standing}
            for unit in SPEND_UNITS
        },
    }
