"""Windows: one spelling each, no moment in two of them, none forgotten; days as the clocks of their zone show them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comptroller.core.window import ROLLING_BUCKETS, Window

MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2099, 1, 1), timezones=st.just(UTC))
ROLLING = st.sampled_from(["rolling:1m", "rolling:7m", "rolling:24h", "rolling:7d", "rolling:366d"]).map(Window)


@pytest.mark.parametrize(
    "text",
    ["", "year", "Day", "day@", "day@Nowhere/Here", "day@../../etc/passwd", "day@/etc/localtime", "total@Europe/Berlin",
     "rolling", "rolling:", "rolling:0h", "rolling:-1h", "rolling:1.5h", "rolling:367d", "rolling:24h@UTC",
     "rolling:٣h", "day@Europe", "day@Europe/Berlin ", "day@\0"],
)  # fmt: skip
def test_what_is_no_window_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"window|zone"):
        Window(text)


def test_one_spelling_each() -> None:
    assert Window("day@UTC") == Window("day") == Window.DAY and Window("day@UTC").value == "day"
    assert Window("day@Europe/Berlin") != Window.DAY
    assert [Window(text).text() for text in ("total", "hour", "day@Asia/Tokyo", "rolling:24h", "rolling:1d")] == [
        "", "an hour", "a day (Asia/Tokyo)", "any 24 hours", "any 1 day",
    ]  # fmt: skip


def test_days_change_at_midnight_of_their_zone() -> None:
    evening = datetime(2026, 3, 31, 22, 30, tzinfo=UTC)
    assert Window.DAY.start(evening) == "2026-03-31" and Window.MONTH.start(evening) == "2026-03"
    assert Window("day@Europe/Berlin").start(evening) == "2026-04-01"
    assert Window("month@Europe/Berlin").start(evening) == "2026-04"
    assert Window.WEEK.start(datetime(2027, 1, 3, tzinfo=UTC)) == "2026-W53"
    assert Window.WEEK.start(datetime(2027, 1, 4, tzinfo=UTC)) == "2027-W01"


def test_the_hour_a_clock_shows_twice_is_two_hours() -> None:
    hour = Window("hour@Europe/Berlin")
    first, second = (datetime(2026, 10, 25, n, 30, tzinfo=UTC) for n in (0, 1))
    berlin = ZoneInfo("Europe/Berlin")
    assert first.astimezone(berlin).hour == second.astimezone(berlin).hour == 2
    assert hour.start(first) != hour.start(second)


@given(at=MOMENTS, window=ROLLING, seconds=st.floats(0, 366 * 86_400))
def test_a_rolling_window_counts_everything_of_its_length(at: datetime, window: Window, seconds: float) -> None:
    """What was spent less than the window's length ago counts; what is older by one part more does not."""
    spent = window.start(at)
    assert (spent in window.starts(at + timedelta(seconds=seconds))) or seconds >= window.seconds
    gone = at + timedelta(seconds=window.seconds * (1 + 2 / ROLLING_BUCKETS) + 2)
    assert spent not in window.starts(gone)
    assert window.starts(at)[0] == spent and len(set(window.starts(at))) == len(window.starts(at))


@given(at=MOMENTS, window=ROLLING, seconds=st.floats(0, 1))
def test_a_clock_set_back_within_the_window_forgets_nothing(at: datetime, window: Window, seconds: float) -> None:
    assert window.start(at) in window.starts(at - timedelta(seconds=seconds * window.seconds))
