"""How long each limit lasts: a straight line from what is taken now, at what lately went or now stands by the hour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from comptroller.core.budget import BudgetState, scopes_of
from comptroller.core.estimate import Unit
from comptroller.core.holding import Holding
from comptroller.core.spend import SPEND_UNITS
from comptroller.core.window import Window, WindowKind

MEAN_DAYS = 7
METHOD = (
    f"A straight line: what is taken now, and from now on every hour the mean of the last {MEAN_DAYS} days, or what "
    "lives now costs by the hour where that is more. It knows no plans, no weekends and no seasons."
)
HOURS_SHOWN_MAX = 24.0 * 3650


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """One limit. `per_hour` is the burn, of which `standing` is what lives; `at_end` what is taken when the window ends
    (None: it has no end); `hours` until the limit is reached (None: not within its window), 0 where it is."""

    state: BudgetState
    per_hour: int
    standing: int
    at_end: int | None
    hours: float | None

    @property
    def reached(self) -> bool:
        """Whether it will be reached."""
        return self.hours is not None


def forecasts(
    states: Sequence[BudgetState],
    lately: Mapping[str, Mapping[Unit, int]],
    holdings: Sequence[Holding],
    now: datetime,
    *,
    hours_measured: float,
) -> list[Forecast]:
    """A forecast for every limit of a unit that adds up. `lately`: what each scope took within `hours_measured`."""
    found = []
    for state in states:
        unit, scope = state.budget.unit, state.budget.scope
        if unit not in SPEND_UNITS:
            continue
        mean = lately.get(scope, {}).get(unit, 0) / max(hours_measured, 1.0)
        standing = standing_rate(scope, holdings) if unit is Unit.USD_MICROS else 0
        found.append(_forecast(state, max(mean, float(standing)), standing, now))
    return found


def standing_rate(scope: str, holdings: Sequence[Holding]) -> int:
    """What lives under `scope` costs by the hour, in micro-dollars."""
    living = (item for item in holdings if item.costs and scope in scopes_of(item.path))
    return sum(item.rate_usd_micros_per_hour or 0 for item in living)


def _forecast(state: BudgetState, per_hour: float, standing: int, now: datetime) -> Forecast:
    taken, limit, window = state.account.taken, state.budget.limit, state.budget.window
    left = hours_left(window, now)
    at_end = None if left is None else taken + round(per_hour * left)
    if window.kind is WindowKind.ROLLING:
        # What leaves the window behind is replaced: in the long run it holds its length of the burn.
        at_end = max(taken, round(per_hour * window.seconds / 3600))
    if taken >= limit:
        hours: float | None = 0.0
    elif per_hour <= 0 or (at_end is not None and at_end < limit):
        hours = None
    else:
        hours = (limit - taken) / per_hour
        hours = hours if hours <= HOURS_SHOWN_MAX else None
    return Forecast(state=state, per_hour=round(per_hour), standing=standing, at_end=at_end, hours=hours)


def hours_left(window: Window, now: datetime) -> float | None:
    """Hours until a calendar window ends; None for a window without an end, and for a rolling one."""
    end = end_of(window, now)
    return None if end is None else max((end - now).total_seconds(), 0.0) / 3600


def end_of(window: Window, now: datetime) -> datetime | None:
    """When a calendar window ends."""
    local = now.astimezone(ZoneInfo(window.zone) if window.zone else UTC)
    day = local.replace(hour=0, minute=0, second=0, microsecond=0)
    match window.kind:
        case WindowKind.HOUR:
            return local.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
        case WindowKind.DAY:
            return day + timedelta(days=1)
        case WindowKind.WEEK:
            return day + timedelta(days=7 - local.weekday())
        case WindowKind.MONTH:
            return (day.replace(day=1) + timedelta(days=32)).replace(day=1)
        case _:
            return None
