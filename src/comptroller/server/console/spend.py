"""Spend: what was spent, by whom and on what, whether it lasts, and all of it as figures."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from starlette.responses import Response
from starlette.routing import Route

from comptroller.core.budget import BudgetState, scopes_of
from comptroller.core.currency import Display
from comptroller.core.errors import UsageError
from comptroller.core.estimate import Unit
from comptroller.core.holding import Holding
from comptroller.core.role import Right
from comptroller.core.spend import SPEND_UNITS, Dimension, Query, SpendRow, Standing
from comptroller.server.budget_words import budget_name
from comptroller.server.console.app import Console, Visit
from comptroller.server.console.page import Page
from comptroller.server.console.reading import Reading
from comptroller.server.neutral import neutral_name
from comptroller.server.render import budget_json
from comptroller.server.spend.cube import Slice, SpendFold, days_back
from comptroller.server.spend.focus import billed_by, focus_rows, write_csv
from comptroller.server.spend.forecast import MEAN_DAYS, METHOD, Forecast, forecasts, standing_rate
from comptroller.server.spend.gather import Gathered
from comptroller.server.spend.page import Bar, budget_bars
from comptroller.server.spend.plots import (
    PLOT_PIXELS,
    SMALL_PIXELS,
    Columns,
    columns,
    kind_of,
    meter,
    series_of,
)
from comptroller.server.spend.table import money_text, quantity_text, report_json
from comptroller.server.words import amount_text, seconds_text

PAGE = Page(name="spend", path="spend", title="Spend", right=Right.READ, order=30, key="s")

ROWS_SHOWN_MAX = 60
FORECASTS_SHOWN_MAX = 12
EXPORT_ROWS_MAX = 200_000
SPANS: Mapping[str, int] = {"7": 7, "30": 30, "90": 90, "all": 0}
BY = (Dimension.TEAM, Dimension.AGENT, Dimension.SERVICE, Dimension.OPERATION, Dimension.RUN)
EFFORTS = (Unit.TOKENS, Unit.MILLIWATT_HOURS, Unit.MILLIGRAMS_CO2E)
NAMES: Mapping[Unit, str] = {
    Unit.USD_MICROS: "Money",
    Unit.CALLS: "Calls",
    Unit.TOKENS: "Tokens",
    Unit.MILLIWATT_HOURS: "Energy",
    Unit.MILLIGRAMS_CO2E: "Carbon",
    Unit.GPU_SECONDS: "Accelerator time",
    Unit.EGRESS_BYTES: "Bytes sent",
}


def routes(console: Console) -> list[Route]:
    """The page, and the same as a file."""
    return [console.get(PAGE, "", show), console.get(PAGE, "export", export)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the query asks for; every member is one of a few, or a scope's name."""

    scope: str
    by: Dimension
    unit: Unit
    span: str

    def slice(self, now: datetime) -> Slice:
        """The cells it is about."""
        parts = [*self.scope.split("/"), "", "", ""]
        days = SPANS[self.span]
        return Slice(since=days_back(now, days) if days else None, team=parts[1], agent=parts[2], run=parts[3])

    def link(self, **change: str) -> str:
        """The query of the same page with something else."""
        now = {"scope": self.scope, "by": self.by.value, "unit": self.unit.value, "days": self.span}
        return "?" + urlencode({name: value for name, value in (now | change).items() if value})


def asked_of(visit: Visit) -> Asked:
    """The query, checked. Raises `UsageError`."""
    span = visit.query("days", "30")
    organization = visit.console.desk.config.organization
    scope = visit.query("scope").strip("/")[:300] or organization
    try:
        asked = Asked(scope=scope, by=Dimension(visit.query("by") or _next(scope)),
                      unit=Unit(visit.query("unit", Unit.USD_MICROS)), span=span)  # fmt: skip
    except ValueError as error:
        raise UsageError(f"spend cannot be shown so: {error}") from error
    if asked.by not in BY or asked.unit not in SPEND_UNITS or span not in SPANS:
        raise UsageError("spend cannot be shown so", hint=f"by: {', '.join(BY)}; days: {', '.join(SPANS)}")
    if scope.split("/")[0] != organization or scope.count("/") > 3:
        raise UsageError(f"the scope `{scope}` is not below `{organization}`")
    return asked


def _next(scope: str) -> Dimension:
    """By what a scope is divided."""
    return (Dimension.TEAM, Dimension.AGENT, Dimension.RUN, Dimension.SERVICE)[min(scope.count("/"), 3)]


async def show(visit: Visit) -> Response:
    """The whole page."""
    asked, desk = asked_of(visit), visit.console.desk
    reading = Reading.of(desk)
    progress = await reading.catch_up()
    now = desk.clock.now()
    shown = desk.config.prices.shown_in(None)
    within = asked.slice(now)
    states = [state for state in await desk.store.budgets(now) if _under(state.budget.scope, asked.scope)]
    holdings = await desk.store.holdings()
    fold = reading.spend
    rows = fold.summed((asked.by,), within)
    (whole,) = fold.summed((), within) or [SpendRow(())]
    bars, hidden = budget_bars(states, "")
    burned = standing_rate(asked.scope, holdings)
    return await visit.show(
        "spend",
        {
            "asked": asked,
            "progress": progress,
            "crumbs": [
                (neutral_name(part), asked.link(scope=scope, by=""))
                for part, scope in zip(asked.scope.split("/"), scopes_of(asked.scope), strict=True)
            ],
            "spans": [(name, "all" if name == "all" else f"{name} days") for name in SPANS],
            "dimensions": [each.value for each in BY],
            "units": [(unit.value, NAMES[unit]) for unit in SPEND_UNITS if unit in (asked.unit, *_UNITS_ALWAYS)
                      or whole.tallies[unit].total],
            "figures": _figures(whole, shown),
            "burning": f"{money_text(burned, shown)} an hour" if burned else "",
            "over_time": _over_time(fold, asked.by, asked.unit, within, shown, PLOT_PIXELS),
            "efforts": [
                plot
                for unit in EFFORTS
                if unit is not asked.unit
                and (plot := _over_time(fold, asked.by, unit, within, shown, SMALL_PIXELS)) is not None
            ],
            "bars": _bars(rows, asked, shown),
            "more": max(0, len(rows) - ROWS_SHOWN_MAX),
            "forecasts": _forecasts(fold, states, holdings, now, shown),
            "method": METHOD,
            "budgets": bars,
            "hidden": hidden,
            "rate": "" if shown == Display() else str(shown.rate),
            "currency": shown.currency,
            "full": fold.full,
        },
    )  # fmt: skip


_UNITS_ALWAYS = (Unit.USD_MICROS, Unit.CALLS)


async def export(visit: Visit) -> Response:
    """The rows as CSV (FOCUS) or as JSON."""
    asked, desk = asked_of(visit), visit.console.desk
    form = visit.query("format", "csv")
    reading = Reading.of(desk)
    progress = await reading.catch_up()
    if not progress.whole:
        raise UsageError(
            f"the log is being read: {progress.percent} %", hint="try again in a moment, or: comptroller report spend"
        )
    now = desk.clock.now()
    shown = desk.config.prices.shown_in(None)
    by = billed_by((asked.by,)) if form == "csv" else (asked.by,)
    within = asked.slice(now)
    rows = reading.spend.summed(by, within)
    if len(rows) > EXPORT_ROWS_MAX:
        raise UsageError(f"{len(rows):,} rows are too many", hint="comptroller report spend writes them to a file")
    name = f"spend-{asked.by}-{now:%Y-%m-%d}.{form}"
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    if form == "csv":
        sink = io.StringIO(newline="")
        write_csv(focus_rows(rows, by, organization=desk.config.organization, shown=shown), sink)
        return Response(sink.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)
    if form != "json":
        raise UsageError(f"there is no format `{form}`", hint="csv or json")
    (total,) = reading.spend.summed((), within) or [SpendRow(())]
    since = None if within.since is None else datetime.combine(within.since, datetime.min.time(), UTC)
    found = Gathered(
        by=by,
        query=Query(since=since, scope=asked.scope),
        rows=rows,
        total=total,
        others=(),
        first=reading.spend.first,
        last=reading.spend.last,
        entries=progress.read - progress.archived,
        archived=progress.archived,
    )
    answer = visit.json(report_json(found, shown))
    answer.headers.update(headers)
    return answer


def _under(scope: str, wanted: str) -> bool:
    """Limits of a scope, of what lies below it, and those above that hold it too."""
    return not wanted or scope == wanted or scope.startswith(f"{wanted}/") or wanted.startswith(f"{scope}/")


def _figures(whole: SpendRow, shown: Display) -> list[tuple[str, str, str]]:
    dollars = whole.tallies[Unit.USD_MICROS]
    money = [(each.value, each.value, money_text(getattr(dollars, each.value), shown)) for each in Standing]
    rest = [
        ("", NAMES[unit].lower(), quantity_text(unit, whole.tallies[unit].total))
        for unit in SPEND_UNITS[1:]
        if unit is Unit.CALLS or whole.tallies[unit].total
    ]
    return money + rest


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A plot over time, and the same as a table."""

    id: str
    title: str
    said: str
    names: Sequence[tuple[str, str, str]]
    columns: Columns
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]


def _over_time(
    fold: SpendFold, by: Dimension, unit: Unit, within: Slice, shown: Display, height: int
) -> Drawn | None:  # fmt: skip
    say: Callable[[int], str] = lambda amount: said(unit, amount, shown)  # noqa: E731
    found = fold.totals((Dimension.DAY, by), unit, within)
    shortened = {name: neutral_name(name, chars_max=40) or "-" for name in {key[1] for key in found}}
    amounts: dict[tuple[str, str], int] = {}
    for (day, name), amount in found.items():
        place = (day, shortened[name])
        amounts[place] = amounts.get(place, 0) + amount
    days = sorted(day for (day, _), amount in amounts.items() if amount > 0)
    if not days:
        return None
    step, series = series_of(amounts, first=days[0], last=days[-1])
    totals = [(kind_of(name, rank), name, say(series.total(name))) for rank, name in enumerate(series.names)]
    whole = say(sum(series.total(name) for name in series.names))
    span = days[0] if days[0] == days[-1] else f"{days[0]} to {days[-1]}"
    return Drawn(
        id=f"plot-{unit.value.replace('_', '-')}",
        title=f"{NAMES[unit]} per {step.value}, by {by.value}",
        said=f"{whole} in all, {span} (UTC)",
        names=totals,
        columns=columns(series, say, height=height, labels_max=4 if height == PLOT_PIXELS else 2),
        heads=[step.value, *series.names],
        rows=[
            (time, *(say(series.amounts[name][number]) for name in series.names))
            for number, time in enumerate(series.times)
        ],
    )


def said(unit: Unit, amount: int, shown: Display) -> str:
    """An amount in words; money in the currency that is shown."""
    return money_text(amount, shown) if unit is Unit.USD_MICROS else amount_text(unit, amount)


def _bars(rows: Sequence[SpendRow], asked: Asked, shown: Display) -> list[tuple[Bar, str]]:
    """The largest groups with where each leads: a scope below this one, or nowhere."""
    unit = asked.unit
    largest = sorted(rows, key=lambda row: -row.tallies[unit].total)[:ROWS_SHOWN_MAX]
    whole = max((row.tallies[unit].total for row in largest), default=0)
    found = []
    for row in largest:
        tally = row.tallies[unit]
        bar = Bar(
            name=neutral_name(row.key[0], chars_max=60) or "-",
            boxes=meter(tally.settled, tally.held, tally.unconfirmed, whole),
            figures=said(unit, tally.total, shown),
            cells=[
                *(said(unit, getattr(tally, each.value), shown) for each in Standing),
                f"{row.charges:,}",
            ],
        )
        below = _below(asked, row.key[0])
        found.append((bar, asked.link(scope=below, by="") if below else ""))
    return found


def _below(asked: Asked, name: str) -> str:
    """The scope that a group is, where this page can show it."""
    depth = asked.scope.count("/") + 1
    order = {Dimension.TEAM: 1, Dimension.AGENT: 2, Dimension.RUN: 3}
    if not name or "/" in name or order.get(asked.by) != depth:
        return ""
    return f"{asked.scope}/{name}"


def _forecasts(
    fold: SpendFold, states: Sequence[BudgetState], holdings: Sequence[Holding], now: datetime, shown: Display
) -> list[dict[str, object]]:
    """Those that will be reached first."""
    since = days_back(now, MEAN_DAYS)
    lately: dict[str, dict[Unit, int]] = {}
    for scope in {state.budget.scope for state in states}:
        parts = [*scope.split("/"), "", "", ""]
        (row,) = fold.summed((), Slice(since=since, team=parts[1], agent=parts[2], run=parts[3])) or [SpendRow(())]
        lately[scope] = {unit: row.tallies[unit].total for unit in SPEND_UNITS}
    begun = datetime.combine(since, datetime.min.time(), UTC)
    if fold.first:
        begun = max(begun, datetime.fromisoformat(fold.first))
    hours = max((now - begun) / timedelta(hours=1), 1.0)
    found = forecasts(states, lately, holdings, now, hours_measured=hours)
    found.sort(key=lambda each: (each.hours is None, each.hours or 0.0, -each.state.account.taken))
    return [_forecast_row(each, now, shown) for each in found[:FORECASTS_SHOWN_MAX]]


def _forecast_row(each: Forecast, now: datetime, shown: Display) -> dict[str, object]:
    state, unit = each.state, each.state.budget.unit
    taken, limit = state.account.taken, state.budget.limit
    more = max((each.at_end or taken) - taken, 0)
    whole = max(limit, taken + more, 1)
    if each.hours == 0.0:
        says, tone = "used up", "bad"
    elif each.hours is not None:
        at = now + timedelta(hours=each.hours)
        says = f"used up in {seconds_text(each.hours * 3600)}, about {at:%Y-%m-%d %H:%M} UTC"
        tone = "bad" if each.hours < 24 else "wait"
    elif each.at_end is not None:
        says, tone = f"lasts: {said(unit, each.at_end, shown)} at the end of its time", "good"
    else:
        says, tone = "lasts for years at this rate" if each.per_hour else "nothing was taken lately", "good"
    standing = f", of which {said(unit, each.standing, shown)} stands" if each.standing else ""
    return {
        "scope": neutral_name(state.budget.scope, chars_max=80),
        "name": budget_name(budget_json(state)),
        "says": says,
        "tone": tone,
        "per_hour": f"{said(unit, each.per_hour, shown)} an hour{standing}",
        "taken": said(unit, taken, shown),
        "limit": said(unit, limit, shown),
        "at_end": "-" if each.at_end is None else said(unit, each.at_end, shown),
        "taken_width": round(taken * 100 / whole, 2),
        "more_width": round(more * 100 / whole, 2),
        "limit_at": round(limit * 100 / whole, 2),
    }
