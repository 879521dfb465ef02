"""Routes, quiet hours and weeks as pure functions, and what `notify` in the configuration refuses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.notify.notify_kit import notifying, webhook

from comptroller.core.config_notify import EVENT_WORDS, URGENT, Event, QuietConfig, RouteConfig, WeeklyConfig
from comptroller.core.errors import ConfigError
from comptroller.core.neutral import neutral
from comptroller.notify.delivery import AGE_MAX, ATTEMPTS_MAX, BACKOFF_SECONDS_MAX, Delivery, DeliveryState, delivery_of
from comptroller.notify.markup import disarmed
from comptroller.notify.routes import letter_due, quiet_until, told_at

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Pacific/Chatham")
MOMENTS = st.datetimes(min_value=datetime(2020, 1, 1), max_value=datetime(2035, 1, 1)).map(
    lambda d: d.replace(tzinfo=UTC)
)
CLOCKS = st.times().map(lambda t: f"{t:%H:%M}")
HOOK = "https://hooks.example.com/x"


def quiet(begins: str, until: str, zone: str = "UTC") -> QuietConfig:
    return QuietConfig.model_validate({"from": begins, "until": until, "zone": zone})


@given(MOMENTS, CLOCKS, CLOCKS, st.sampled_from(ZONES))
def test_quiet_ends_within_a_day_and_then_it_is_over(now: datetime, begins: str, until: str, zone: str) -> None:
    if begins == until:
        return
    ends = quiet_until(quiet(begins, until, zone), now)
    local = f"{now.astimezone(ZoneInfo(zone)):%H:%M}"
    inside = begins <= local < until if begins < until else local >= begins or local < until
    assert (ends is not None) is inside
    if ends is not None:
        assert now <= ends <= now + timedelta(hours=26)


@given(MOMENTS, st.sampled_from(list(Event)), CLOCKS, st.sampled_from(["", "90s", "15m", "4h"]))
def test_nothing_is_told_in_the_past_and_what_is_urgent_at_once(
    now: datetime, event: Event, begins: str, digest: str
) -> None:
    hours = {"from": begins, "until": "06:30"} if begins != "06:30" else None
    route = RouteConfig.model_validate({"channels": ["x"], "digest": digest, "quiet_hours": hours})
    when = told_at(route, event, now)
    assert when >= now
    if event in URGENT:
        assert when == now


@given(MOMENTS, st.sampled_from(["monday", "sunday", "wednesday"]), CLOCKS, st.sampled_from(ZONES))
def test_a_letter_is_due_once_a_week_about_a_week_that_began_before(
    now: datetime, day: str, at: str, zone: str
) -> None:
    weekly = WeeklyConfig.model_validate({"channels": ["x"], "day": day, "at": at, "zone": zone})
    due, week = letter_due(weekly, now)
    assert due <= now < due + timedelta(days=7, hours=2)
    year, number = week.split("-W")
    assert datetime.fromisocalendar(int(year), int(number), 1).replace(tzinfo=UTC) < due


@given(MOMENTS, st.lists(st.tuples(st.floats(0, 1), st.floats(0, 10**6)), min_size=1, max_size=20))
def test_attempts_end(now: datetime, failures: list[tuple[float, float]]) -> None:
    delivery = Delivery(id="d", scope="s", channel="c", at=now, due=now, event=Event.ASKED)
    for chance, wait in failures:
        if delivery.state is not DeliveryState.WAITING:
            break
        later = delivery.again(delivery.due, "no", chance=chance, at_least_seconds=wait)
        if later.state is DeliveryState.WAITING:
            pause = (later.due - delivery.due).total_seconds()
            assert 1 <= pause <= BACKOFF_SECONDS_MAX
        delivery = later
        assert delivery_of(delivery.document()) == delivery
    assert delivery.attempts <= ATTEMPTS_MAX
    over = Delivery(id="d", scope="s", channel="c", at=now, due=now).again(now + AGE_MAX, "no", chance=0)
    assert over.state is DeliveryState.FAILED and not over.document().open


@given(st.text(max_size=80) | st.sampled_from(["http://a", "@all", "a@b", "<@U1>", "https[:]//x", "x://y://z"]))
def test_disarmed_text_opens_nothing_and_stays_as_it_is(text: str) -> None:
    shown = disarmed(text)
    assert disarmed(shown) == shown == neutral(shown)
    for live in ("http://", "https://", "@here", "@everyone", "<@U"):
        assert live not in shown


def test_every_event_has_its_words() -> None:
    assert set(EVENT_WORDS) == set(Event)


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"routes": [{"channels": ["nobody"]}]}, "there is no channel `nobody`"),
        ({"routes": [{"channels": ["hook"], "events": ["levitated"]}]}, "Input should be"),
        ({"routes": [{"channels": ["hook"], "groups": ["nobody"]}]}, "nobody is in a group `nobody`"),
        ({"routes": [{"channels": ["hook"], "agents": ["nobody"]}]}, "there is no agent `nobody`"),
        ({"routes": [{"channels": ["hook"], "digest": "2d"}]}, "is not a time such as 90s"),
        ({"routes": [{"channels": ["hook"], "quiet_hours": {"from": "7:00", "until": "08:00"}}]}, "time of day"),
        ({"weekly": {"channels": ["hook"], "zone": "Mars/Base"}}, "is not a time zone"),
        ({"channels": {"hook": webhook("http://hooks.example.com/x")}}, "over https only"),
        ({"channels": {"hook": webhook("https://user:pass@hooks.example.com/x")}}, "no user, password"),
        ({"channels": {"hook": webhook("https://hooks.example.com/x?token=1")}}, "no user, password"),
        ({"channels": {"hook": webhook("file:///etc/passwd")}}, "not a URL"),
        ({"channels": {"hook": {"kind": "pigeon"}}}, "pigeon"),
        ({"channels": {"hook": {"kind": "apprise", "url": "json://secret@x"}}}, "hook.apprise.url"),
        ({"channels": {"hook": {"kind": "apprise", "url": {"source": "env", "path": "x"}}}}, "needs `variable`"),
    ],
)
def test_what_cannot_be_meant_is_refused(change: dict[str, object], wrong: str) -> None:
    whole: dict[str, object] = {"channels": {"hook": webhook(HOOK)}, "routes": [], **change}
    with pytest.raises(ConfigError) as error:
        notifying(whole.pop("channels"), whole.pop("routes"), **whole)  # type: ignore[arg-type]
    assert wrong in error.value.message
    assert "secret@x" not in error.value.message and "user:pass" not in error.value.message
