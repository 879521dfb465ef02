"""The spend page: one file that needs nothing else, no script either. Names are hostile until they are neutral."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import jinja2

from comptroller.core.budget import THRESHOLD_PERCENTS, BudgetState
from comptroller.core.currency import Display
from comptroller.core.estimate import Unit
from comptroller.core.spend import TIMES, Dimension, Grouping, SpendRow, Standing
from comptroller.server.budget_words import budget_name, budget_parts, budget_says, crossed, percent_text
from comptroller.server.neutral import neutral_name
from comptroller.server.render import Json, budget_tree
from comptroller.server.spend.gather import Gathered
from comptroller.server.spend.plots import (
    LABELS_MAX,
    PLOT_PIXELS,
    SMALL_PIXELS,
    Box,
    Columns,
    columns,
    kind_of,
    meter,
    series_of,
)
from comptroller.server.spend.table import money_text, notes, quantity_text
from comptroller.server.words import amount_text

ROWS_SHOWN_MAX = 200
BARS_MAX = 12
BUDGETS_SHOWN_MAX = 24
NAME_CHARS_MAX = 60
RUN_DEPTH = 3
MARKS = tuple(percent for percent in THRESHOLD_PERCENTS if percent < 100)
EFFORTS = (Unit.TOKENS, Unit.MILLIWATT_HOURS, Unit.MILLIGRAMS_CO2E)
_TITLES = {
    Unit.TOKENS: "Tokens",
    Unit.MILLIWATT_HOURS: "Energy",
    Unit.MILLIGRAMS_CO2E: "Carbon",
    Unit.CALLS: "Calls",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """A plot over time and the same as a table."""

    title: str
    said: str
    names: Sequence[tuple[str, str, str]]
    columns: Columns
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One horizontal bar with its figures."""

    name: str
    boxes: Sequence[Box]
    figures: str
    scope: str = ""
    beside: str = ""
    depth: int = 0
    tone: Literal["", "wait", "bad"] = ""
    cells: Sequence[str] = ()
    marks: Sequence[float] = ()


class Groupings:
    """What the page's plots need besides the report itself; hand `all` to `gather`."""

    def __init__(self, by: Sequence[Dimension]) -> None:
        self.stacked_by = next((each for each in by if each not in TIMES), Dimension.AGENT)
        self.over_time = Grouping((Dimension.DAY, self.stacked_by))
        self.services = Grouping((Dimension.SERVICE,))

    @property
    def all(self) -> tuple[Grouping, ...]:
        """Every one of them."""
        return (self.over_time, self.services)


def spend_page(
    found: Gathered,
    groupings: Groupings,
    budgets: Iterable[BudgetState],
    *,
    organization: str,
    shown: Display,
) -> str:
    """The whole page as HTML."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("comptroller.server", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    bars, hidden = budget_bars(budgets, found.query.scope)
    return environment.get_template("spend.html").render(
        organization=neutral_name(organization),
        span=_span(found),
        by=[dimension.value for dimension in found.by],
        scope=neutral_name(found.query.scope),
        entries=f"{found.entries:,}",
        figures=_figures(found.total, shown),
        over_time=_over_time(found, groupings, shown),
        services=_services(groupings.services.rows(), shown),
        budgets=bars,
        hidden=hidden,
        efforts=[plot for unit in EFFORTS if (plot := _effort(found, groupings, unit)) is not None],
        heads=[dimension.value for dimension in found.by],
        rows=[_cells(row, shown) for row in found.rows[:ROWS_SHOWN_MAX]],
        total=_cells(found.total, shown),
        more=max(0, len(found.rows) - ROWS_SHOWN_MAX),
        notes=notes(found, shown),
    )


def _name(value: str) -> str:
    """A name as it may be shown; a dash where there is none."""
    return neutral_name(value, chars_max=NAME_CHARS_MAX) or "-"


def _span(found: Gathered) -> str:
    if not found.first:
        return "nothing was spent"
    first, last = found.first[:10], found.last[:10]
    return first if first == last else f"{first} to {last}"


def _figures(total: SpendRow, shown: Display) -> list[tuple[str, str, str]]:
    """(kind, name, amount) of everything at a glance."""
    dollars = total.tallies[Unit.USD_MICROS]
    money = [
        (standing.value, standing.value, money_text(getattr(dollars, standing.value), shown)) for standing in Standing
    ]
    rest = [
        ("", _TITLES[unit].lower(), quantity_text(unit, total.tallies[unit].total))
        for unit in (Unit.CALLS, *EFFORTS)
        if unit is Unit.CALLS or total.tallies[unit].total
    ]
    return money + rest


def _cells(row: SpendRow, shown: Display) -> Sequence[Sequence[str]]:
    """(names, figures) of one row of the table."""
    dollars = row.tallies[Unit.USD_MICROS]
    return (
        [_name(value) for value in row.key],
        [
            *(money_text(getattr(dollars, standing.value), shown) for standing in Standing),
            *(quantity_text(unit, row.tallies[unit].total) for unit in (Unit.CALLS, *EFFORTS)),
        ],
    )


def _over_time(found: Gathered, groupings: Groupings, shown: Display) -> Plot | None:
    """Money over time, stacked by the first grouping that is not a time."""
    amounts = _amounts(groupings, Unit.USD_MICROS)
    return _plot(
        f"Spend per {{step}}, by {groupings.stacked_by.value}",
        amounts,
        found,
        lambda amount: money_text(amount, shown),
        height=PLOT_PIXELS,
    )


def _effort(found: Gathered, groupings: Groupings, unit: Unit) -> Plot | None:
    """Tokens, energy or carbon over time."""
    days: dict[tuple[str, str], int] = {}
    for (day, _), amount in _amounts(groupings, unit).items():
        days[day, ""] = days.get((day, ""), 0) + amount
    return _plot(
        f"{_TITLES[unit]} per {{step}}", days, found, lambda amount: quantity_text(unit, amount), height=SMALL_PIXELS
    )


def _amounts(groupings: Groupings, unit: Unit) -> dict[tuple[str, str], int]:
    """(day, name as shown) -> all of a unit, whatever its standing."""
    amounts: dict[tuple[str, str], int] = {}
    for row in groupings.over_time.rows():
        key = row.key[0], _name(row.key[1])
        amounts[key] = amounts.get(key, 0) + row.tallies[unit].total
    return amounts


def _plot(
    title: str,
    amounts: Mapping[tuple[str, str], int],
    found: Gathered,
    say: Callable[[int], str],
    *,
    height: float,
) -> Plot | None:
    if not any(amount > 0 for amount in amounts.values()):
        return None
    step, series = series_of(amounts, first=found.first[:10], last=found.last[:10])
    whole = sum(series.total(name) for name in series.names)
    count = len(series.times)
    return Plot(
        title=title.format(step=step.value),
        said=f"{say(whole)} over {count} {step.value}{'s' * (count != 1)}, held and unconfirmed included",
        names=[(kind_of(name, rank), name, say(series.total(name))) for rank, name in enumerate(series.names) if name],
        columns=columns(series, say, height=height, labels_max=LABELS_MAX if height == PLOT_PIXELS else 2),
        heads=[step.value, *(name or "all" for name in series.names)],
        rows=[
            (time, *(say(series.amounts[name][number]) for name in series.names))
            for number, time in enumerate(series.times)
        ],
    )


def _services(rows: Sequence[SpendRow], shown: Display) -> list[Bar]:
    """The dearest services, and all others as one."""
    costly = [row for row in rows if row.tallies[Unit.USD_MICROS].total > 0]
    top, rest = costly[:BARS_MAX], costly[BARS_MAX:]
    whole = max((row.tallies[Unit.USD_MICROS].total for row in costly), default=0)
    bars = [_service(_name(row.key[0]), [row], whole, shown) for row in top]
    if rest:
        bars.append(_service(f"{len(rest)} others", rest, whole, shown))
    return bars


def _service(name: str, rows: Sequence[SpendRow], whole: int, shown: Display) -> Bar:
    amounts = [sum(getattr(row.tallies[Unit.USD_MICROS], each.value) for row in rows) for each in Standing]
    settled, held, unconfirmed = amounts
    return Bar(
        name=name,
        boxes=meter(settled, held, unconfirmed, max(whole, sum(amounts))),
        figures=money_text(sum(amounts), shown),
        cells=[money_text(amount, shown) for amount in amounts],
    )


def budget_bars(states: Iterable[BudgetState], scope: str) -> tuple[list[Bar], int]:
    """Limits of the organization, teams and agents, parents first; of runs, those that still hold something. How many
    are left out."""
    rows = [
        row
        for row in budget_tree(list(states))
        if not scope or row["scope"] == scope or str(row["scope"]).startswith(f"{scope}/")
    ]
    wanted = [row for row in rows if _whole(row["depth"]) < RUN_DEPTH or _held(row)]
    return [_budget(row) for row in wanted[:BUDGETS_SHOWN_MAX]], len(rows) - len(wanted[:BUDGETS_SHOWN_MAX])


def _held(row: Json) -> int:
    return sum(_whole(row[name]) for name in ("dispatched", "reserved", "suspense"))


def _whole(value: object) -> int:
    assert isinstance(value, int)
    return value


def _budget(row: Json) -> Bar:
    settled, held, unconfirmed = budget_parts(row)
    unit, limit, taken = str(row["unit"]), _whole(row["limit"]), settled + held + unconfirmed
    passed = crossed(row)
    tone: Literal["", "wait", "bad"] = "bad" if passed >= 100 else "wait" if passed >= MARKS[-1] else ""
    return Bar(
        name=budget_name(row),
        scope=_name(str(row["scope"])),
        boxes=meter(settled, held, unconfirmed, limit),
        figures=f"{percent_text(row)} of {amount_text(unit, limit)}",
        beside=budget_says(row),
        depth=_whole(row["depth"]),
        tone=tone,
        cells=[amount_text(unit, amount) for amount in (settled, held, unconfirmed, _whole(row["room"]))],
        marks=[round(percent * limit / max(limit, taken, 1), 2) for percent in MARKS],
    )
