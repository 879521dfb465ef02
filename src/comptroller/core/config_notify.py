"""`notify` of `comptroller.yaml`: which channels reach people, which events go where, when it is quiet."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import time
from enum import StrEnum
from ipaddress import ip_address
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from comptroller.core.action import ActionClass

CHANNELS_MAX = 32
ROUTES_MAX = 100
DIGEST_SECONDS_MAX = 86_400
SLACK_PATTERN = r"^([UW][A-Z0-9]{2,20})?$"
"""A member's id in Slack (their profile shows it), or nothing."""
_SPAN = re.compile(r"^([1-9][0-9]{0,4})(s|m|h)$")
_SECONDS = {"s": 1, "m": 60, "h": 3600}
_CLOCK = re.compile(r"^([01][0-9]|2[0-3]):([0-5][0-9])$")

_Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
_File = Annotated[str, StringConstraints(min_length=1, max_length=4096, pattern=r"^[^\x00-\x1f]+$")]
_Variable = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$")]


class Event(StrEnum):
    """What people can be told of. `EVENT_WORDS` says what each is."""

    ASKED = "asked"
    REMINDED = "reminded"
    ESCALATED = "escalated"
    ANSWERED = "answered"
    EXPIRED = "expired"
    THRESHOLD = "threshold"
    FROZEN = "frozen"
    THAWED = "thawed"
    KILLED = "killed"
    HOLDING = "holding"
    SUSPENSE = "suspense"
    STORE = "store"
    FLOOD = "flood"
    CONFIGURATION = "configuration"
    UNDELIVERED = "undelivered"


EVENT_WORDS: Mapping[Event, str] = {
    Event.ASKED: "a question waits for a person",
    Event.REMINDED: "a question is about to expire unanswered",
    Event.ESCALATED: "a question went on to others",
    Event.ANSWERED: "a question was answered or taken back",
    Event.EXPIRED: "a question or a grant ran out",
    Event.THRESHOLD: "a share of a budget is taken",
    Event.FROZEN: "something was frozen",
    Event.THAWED: "something may go on",
    Event.KILLED: "something was killed",
    Event.HOLDING: "something lives on and is not paid for",
    Event.SUSPENSE: "much of a budget is unconfirmed",
    Event.STORE: "the store is lost, or back",
    Event.FLOOD: "an agent asks too much",
    Event.CONFIGURATION: "an edit of the configuration is refused",
    Event.UNDELIVERED: "a message could not be delivered",
}
URGENT = frozenset({Event.REMINDED, Event.ESCALATED, Event.FROZEN, Event.KILLED, Event.STORE, Event.FLOOD})
"""They pass quiet hours and digests."""
QUESTIONS = frozenset({Event.ASKED, Event.REMINDED, Event.ESCALATED, Event.ANSWERED, Event.EXPIRED})
"""Events about one question: what `groups`, `classes` and `usd_min` narrow."""
Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
WEEKDAYS: tuple[Weekday, ...] = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class SecretConfig(_Part):
    """Where a channel's secret lies, outside this file: an environment variable of `serve`, or a file (relative to
    this one). It is read when it is needed, and again when the file changes."""

    source: Literal["env", "file"]
    variable: _Variable | None = None
    path: _File | None = None

    @model_validator(mode="after")
    def _source(self) -> Self:
        needed, other = ("variable", "path") if self.source == "env" else ("path", "variable")
        if getattr(self, needed) is None or getattr(self, other) is not None:
            raise ValueError(f"source `{self.source}` needs `{needed}`, and nothing else")
        return self


class AppriseChannelConfig(_Part):
    """A service that Apprise knows. `url` says where its Apprise URL lies: the whole of it is a secret."""

    kind: Literal["apprise"]
    url: SecretConfig


class WebhookChannelConfig(_Part):
    """A signed POST to an address of your own. `secret` is `whsec_…` (Standard Webhooks); with `previous` both sign,
    so that a receiver can change over."""

    kind: Literal["webhook"]
    url: str
    secret: SecretConfig
    previous: SecretConfig | None = None

    @field_validator("url")
    @classmethod
    def _url(cls, value: str) -> str:
        return checked_target(value)


class SlackChannelConfig(_Part):
    """One Slack channel, through Socket Mode: nothing listens here. `answer`: whether people may answer there."""

    kind: Literal["slack"]
    channel: Annotated[str, StringConstraints(pattern=r"^[CGD][A-Z0-9]{2,20}$")]
    bot_token: SecretConfig
    app_token: SecretConfig
    answer: bool = True
    api: str = "https://slack.com/api/"

    @field_validator("api")
    @classmethod
    def _api(cls, value: str) -> str:
        return checked_target(value.rstrip("/") + "/")


ChannelConfig = Annotated[AppriseChannelConfig | WebhookChannelConfig | SlackChannelConfig, Field(discriminator="kind")]


class QuietConfig(_Part):
    """When only what is urgent is told: `from` until `until`, also over midnight, in `zone`. The rest waits."""

    begins: str = Field(alias="from", examples=["22:00"])
    until: str = Field(examples=["07:00"])
    zone: str = Field(default="UTC", examples=["Europe/Berlin"])

    @field_validator("begins", "until")
    @classmethod
    def _clock(cls, value: str) -> str:
        clock(value)
        return value

    @field_validator("zone")
    @classmethod
    def _zone(cls, value: str) -> str:
        return checked_zone(value)

    @model_validator(mode="after")
    def _differ(self) -> Self:
        if self.begins == self.until:
            raise ValueError("`from` and `until` are the same: then it is never quiet")
        return self


class RouteConfig(_Part):
    """What goes where. An empty list narrows nothing. `groups`, `classes` and `usd_min` narrow questions, `agents`
    everything that names an agent; a question whose cost nobody knows is above every `usd_min`. `digest` gathers what
    is not urgent for so long (`15m`) into one message."""

    channels: tuple[_Name, ...] = Field(strict=False, min_length=1, max_length=CHANNELS_MAX)
    events: tuple[Annotated[Event, Field(strict=False)], ...] = Field(default=(), strict=False)
    groups: tuple[_Name, ...] = Field(default=(), strict=False)
    classes: tuple[Annotated[ActionClass, Field(strict=False)], ...] = Field(default=(), strict=False)
    usd_min: int | None = Field(default=None, ge=0, le=10**12)
    agents: tuple[_Name, ...] = Field(default=(), strict=False)
    quiet_hours: QuietConfig | None = None
    digest: str = ""

    @field_validator("digest")
    @classmethod
    def _digest(cls, value: str) -> str:
        if value:
            span_seconds(value)
        return value

    @property
    def digest_seconds(self) -> int:
        """How long what is not urgent is gathered; 0 where it is not."""
        return span_seconds(self.digest) if self.digest else 0


class WeeklyConfig(_Part):
    """When the weekly letter about the week before goes out, and where to."""

    channels: tuple[_Name, ...] = Field(strict=False, min_length=1, max_length=CHANNELS_MAX)
    day: Weekday = "monday"
    at: str = Field(default="09:00", examples=["09:00"])
    zone: str = Field(default="UTC", examples=["Europe/Berlin"])

    @field_validator("at")
    @classmethod
    def _at(cls, value: str) -> str:
        clock(value)
        return value

    @field_validator("zone")
    @classmethod
    def _zone(cls, value: str) -> str:
        return checked_zone(value)


class NotifyConfig(_Part):
    """How people are told. `terminal`: on the run's own standard error, what is held, denied or not let out. `channels`
    are where messages go, `routes` which ones; `weekly` sends the letter."""

    terminal: bool = True
    channels: Mapping[_Name, ChannelConfig] = Field(default_factory=dict, max_length=CHANNELS_MAX)
    routes: tuple[RouteConfig, ...] = Field(default=(), strict=False, max_length=ROUTES_MAX)
    weekly: WeeklyConfig | None = None

    @model_validator(mode="after")
    def _references(self) -> Self:
        wanted = [(f"routes.{number}", route.channels) for number, route in enumerate(self.routes)]
        wanted += [("weekly", self.weekly.channels)] if self.weekly is not None else []
        for where, names in wanted:
            for name in names:
                if name not in self.channels:
                    raise ValueError(f"{where}: there is no channel `{name}` in notify.channels")
        return self

    def check_names(self, *, agents: Collection[str], groups: Collection[str]) -> None:
        """Raise ValueError for an agent or a group that nobody configured: such a route would never tell anything."""
        for number, route in enumerate(self.routes):
            for agent in route.agents:
                if agent not in agents:
                    raise ValueError(f"notify.routes.{number}.agents: there is no agent `{agent}`")
            for group in route.groups:
                if group not in groups:
                    raise ValueError(f"notify.routes.{number}.groups: nobody is in a group `{group}`")


def span_seconds(text: str) -> int:
    """`90s`, `15m` or `4h` as seconds. Raises ValueError."""
    found = _SPAN.match(text)
    seconds = int(found[1]) * _SECONDS[found[2]] if found else 0
    if not 0 < seconds <= DIGEST_SECONDS_MAX:
        raise ValueError(f"`{text}` is not a time such as 90s, 15m or 4h, up to a day")
    return seconds


def clock(text: str) -> time:
    """`07:30` as a time of day. Raises ValueError."""
    found = _CLOCK.match(text)
    if found is None:
        raise ValueError(f'`{text}` is not a time of day such as "07:30" (with the quotes: YAML reads it as a number)')
    return time(int(found[1]), int(found[2]))


def checked_zone(name: str) -> str:
    """A time zone by its name, `Europe/Berlin`. Raises ValueError."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"`{name}` is not a time zone such as Europe/Berlin") from error
    return name


def checked_target(url: str) -> str:
    """An address that messages are sent to: https, or http on this very machine, without a secret in it. Raises
    ValueError."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise ValueError("this URL cannot be read") from None
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise ValueError("agents can read this file: a URL here has no user, password, query or fragment")
    if not host or port == 0 or any(not " " < character <= "~" for character in url):
        raise ValueError("this is not a URL such as https://hooks.example.com/comptroller")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host)):
        raise ValueError("messages leave this machine over https only")
    return url


def is_loopback(host: str) -> bool:
    """Whether `host` is this machine, by number or as `localhost`."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
