"""Every kind of channel, and what makes one. The conformance suite walks this table."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from comptroller.core.config_notify import (
    AppriseChannelConfig,
    ChannelConfig,
    SlackChannelConfig,
    WebhookChannelConfig,
)
from comptroller.notify.answering import Answering
from comptroller.notify.apprise import apprise_channel
from comptroller.notify.message import Channel
from comptroller.notify.secret import Secrets
from comptroller.notify.slack import slack_channel
from comptroller.notify.webhook import WebhookChannel

Maker = Callable[[str, ChannelConfig, Secrets, Answering | None], Channel]


def _apprise(name: str, config: ChannelConfig, secrets: Secrets, answering: Answering | None) -> Channel:
    assert isinstance(config, AppriseChannelConfig)
    return apprise_channel(config, secrets)


def _webhook(name: str, config: ChannelConfig, secrets: Secrets, answering: Answering | None) -> Channel:
    assert isinstance(config, WebhookChannelConfig)
    return WebhookChannel(config, secrets)


def _slack(name: str, config: ChannelConfig, secrets: Secrets, answering: Answering | None) -> Channel:
    assert isinstance(config, SlackChannelConfig)
    return slack_channel(config, secrets, answering, name)


KINDS: Mapping[str, Maker] = {"apprise": _apprise, "webhook": _webhook, "slack": _slack}
UPDATING = frozenset({"slack"})
"""Kinds that change a message they sent: known before a channel is made."""


def make_channel(name: str, config: ChannelConfig, secrets: Secrets, answering: Answering | None = None) -> Channel:
    """The channel `name`. Raises `MissingError` where its library is not installed, `DeliveryError` where its secrets
    cannot be read."""
    return KINDS[config.kind](name, config, secrets, answering)
