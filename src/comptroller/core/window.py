"""Windows: how long a limit counts before it starts afresh. Calendar windows lie in a named time zone."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum
from functools import lru_cache
from typing import ClassVar
from zoneinfo import ZoneInfo

ROLLING_BUCKETS = 24
"""A rolling window is kept in this many accounts; spending counts until its whole account lies outside."""
ROLLING_SECONDS_MIN = 60
ROLLING_SECONDS_MAX = 366 * 86_400
_SECONDS = {"m": 60, "h": 3_600, "d": 86_400}
_ROLLING = re.compile(r"rolling:([1-9][0-9]{0,5})([mhd])", re.ASCII)
FORMS = "total, hour, day, week, month, day@Europe/Berlin, rolling:24h"
"""How windows are written."""


class WindowKind(StrEnum):
    """`total` never starts afresh; a week begins on Monday; `rolling` counts the time just past."""

    TOTAL = "total"
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    ROLLING = "rolling"


_CALENDAR = frozenset({WindowKind.HOUR, WindowKind.DAY, WindowKind.WEEK, WindowKind.MONTH})


@dataclass(frozen=True, slots=True)
class Window:
    """A window by its text (see `FORMS`), brought to one spelling. Raises ValueError for any other text."""

    value: str
    kind: WindowKind = field(init=False, compare=False, repr=False)
    zone: str = field(init=False, compare=False, repr=False)
    seconds: int = field(init=False, compare=False, repr=False)

    TOTAL: ClassVar[Window]
    HOUR: ClassVar[Window]
    DAY: ClassVar[Window]
    WEEK: ClassVar[Window]
    MONTH: ClassVar[Window]

    def __post_init__(self) -> None:
        value, kind, zone, seconds = _parsed(self.value)
        for name, part in (("value", value), ("kind", kind), ("zone", zone), ("seconds", seconds)):
            object.__setattr__(self, name, part)

    def start(self, now: datetime) -> str:
        """The key of the account that `now` falls into: empty for `total`, a local date or hour for calendar
        windows, the number of a bucket for rolling ones."""
        match self.kind:
            case WindowKind.TOTAL:
                return ""
            case WindowKind.ROLLING:
                return _bucket_text(_bucket(self, now))
        local = now.astimezone(_zone(self.zone))
        match self.kind:
            case WindowKind.HOUR:
                # With the offset: an hour that a clock shows twice is two hours.
                return local.isoformat(timespec="hours")
            case WindowKind.WEEK:
                year, week, _ = local.isocalendar()
                return f"{year}-W{week:02d}"
            case WindowKind.MONTH:
                return local.date().isoformat()[:7]
            case _:
                return local.date().isoformat()

    def starts(self, now: datetime) -> tuple[str, ...]:
        """The keys of all accounts that count at `now`, the one that is written to first.

        Of a rolling window also those that lie ahead: a clock that was set back does not forget what was spent.
        """
        if self.kind is not WindowKind.ROLLING:
            return (self.start(now),)
        present = _bucket(self, now)
        others = (n for n in range(present - ROLLING_BUCKETS, present + ROLLING_BUCKETS + 1) if n != present and n >= 0)
        return tuple(_bucket_text(n) for n in (present, *others))

    def text(self) -> str:
        """In words: `a day (Europe/Berlin)`, `any 24 hours`; empty for `total`."""
        if self.kind is WindowKind.TOTAL:
            return ""
        if self.kind is WindowKind.ROLLING:
            count, unit = _length(self.value)
            return f"any {count} {unit}{'s' if count != 1 else ''}"
        return f"a{'n' if self.kind is WindowKind.HOUR else ''} {self.kind.value}" + (
            f" ({self.zone})" if self.zone != "UTC" else ""
        )


def _length(value: str) -> tuple[int, str]:
    found = _ROLLING.fullmatch(value)
    assert found is not None
    return int(found[1]), {"m": "minute", "h": "hour", "d": "day"}[found[2]]


def _bucket(window: Window, now: datetime) -> int:
    return int(now.timestamp()) * ROLLING_BUCKETS // window.seconds


def _bucket_text(number: int) -> str:
    return f"{number:012d}"


@lru_cache(maxsize=1024)
def _parsed(text: str) -> tuple[str, WindowKind, str, int]:
    rolling = _ROLLING.fullmatch(text)
    if rolling is not None:
        seconds = int(rolling[1]) * _SECONDS[rolling[2]]
        if not ROLLING_SECONDS_MIN <= seconds <= ROLLING_SECONDS_MAX:
            raise ValueError(f"`{text}` is too long a window: a year at most")
        return text, WindowKind.ROLLING, "UTC", seconds
    name, at, zone = text.partition("@")
    if name == WindowKind.ROLLING or name not in set(WindowKind):
        raise ValueError(f"`{text}` is no window: write one of {FORMS}")
    kind = WindowKind(name)
    if not at or (zone == "UTC" and kind in _CALENDAR):
        return kind.value, kind, "UTC", 0
    if kind not in _CALENDAR:
        raise ValueError(f"`{text}`: a window without days needs no time zone")
    _zone(zone)
    return f"{kind.value}@{zone}", kind, zone, 0


@lru_cache(maxsize=256)
def _zone(name: str) -> tzinfo:
    """The zone called `name` in the IANA data of the machine. Raises ValueError."""
    if name == "UTC":
        return UTC
    try:
        found = ZoneInfo(name)
        datetime(2026, 1, 1, tzinfo=found) - timedelta(days=1)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"`{name}` is no time zone: write its IANA name, such as Europe/Berlin") from error
    return found


Window.TOTAL, Window.HOUR, Window.DAY = Window("total"), Window("hour"), Window("day")
Window.WEEK, Window.MONTH = Window("week"), Window("month")
