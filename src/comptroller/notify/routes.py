"""Which channels are told of an event, and when: pure. Quiet hours and digests hold back only what is not urgent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from comptroller.core.config_notify import (
    QUESTIONS,
    URGENT,
    WEEKDAYS,
    Event,
    NotifyConfig,
    QuietConfig,
    RouteConfig,
    WeeklyConfig,
    clock,
)
from comptroller.core.estimate import USD_MICROS_PER_USD


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What routes look at. `usd_micros` is None where the cost is not known; all but `event` may be empty."""

    event: Event
    agent: str = ""
    groups: frozenset[str] = frozenset()
    classes: frozenset[str] = frozenset()
    usd_micros: int | None = 0


def routed(config: NotifyConfig, news: News, now: datetime) -> Mapping[str, datetime]:
    """Channel -> when it is told: `now`, or the moment until which it is gathered with others. The earliest wins."""
    found: dict[str, datetime] = {}
    for route in config.routes:
        if matches(route, news):
            when = told_at(route, news.event, now)
            for channel in route.channels:
                found[channel] = min(when, found.get(channel, when))
    return found


def matches(route: RouteConfig, news: News) -> bool:
    """Whether `route` is about `news`."""
    if route.events and news.event not in route.events:
        return False
    if route.agents and news.agent and news.agent not in route.agents:
        return False
    if news.event not in QUESTIONS:
        return True
    if route.groups and not news.groups & set(route.groups):
        return False
    if route.classes and not news.classes & {each.value for each in route.classes}:
        return False
    return route.usd_min is None or news.usd_micros is None or news.usd_micros >= route.usd_min * USD_MICROS_PER_USD


def told_at(route: RouteConfig, event: Event, now: datetime) -> datetime:
    """When `route` tells of `event`."""
    if event in URGENT:
        return now
    ends = quiet_until(route.quiet_hours, now) if route.quiet_hours is not None else None
    if ends is not None:
        return ends
    if seconds := route.digest_seconds:
        passed = int(now.timestamp()) // seconds
        return datetime.fromtimestamp((passed + 1) * seconds, UTC)
    return now


def quiet_until(quiet: QuietConfig, now: datetime) -> datetime | None:
    """When the quiet that `now` lies in ends; None where it is not quiet."""
    local = now.astimezone(ZoneInfo(quiet.zone))
    begins, until, time = clock(quiet.begins), clock(quiet.until), local.time()
    over_midnight = begins > until
    inside = (time >= begins or time < until) if over_midnight else begins <= time < until
    if not inside:
        return None
    day = local.date() + timedelta(days=1) if over_midnight and time >= begins else local.date()
    ends = datetime.combine(day, until, ZoneInfo(quiet.zone)).astimezone(UTC)
    return max(ends, now)


def letter_due(weekly: WeeklyConfig, now: datetime) -> tuple[datetime, str]:
    """The last moment at which a letter was due, and the ISO week it is about (`2026-W47`): the one before."""
    zone = ZoneInfo(weekly.zone)
    local = now.astimezone(zone)
    back = (local.weekday() - WEEKDAYS.index(weekly.day)) % 7
    due = datetime.combine(local.date() - timedelta(days=back), clock(weekly.at), zone)
    if due > local:
        due = datetime.combine(due.date() - timedelta(days=7), clock(weekly.at), zone)
    year, week, _ = (due.date() - timedelta(days=7)).isocalendar()
    return due.astimezone(UTC), f"{year}-W{week:02d}"
