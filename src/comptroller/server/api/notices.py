"""Channels that reach people: what they sent, what waits, and a test of each."""

from __future__ import annotations

from comptroller.core.role import Right
from comptroller.server.api.endpoint import Answer, Ask, Endpoint
from comptroller.server.render import Json


class ChannelStatus(Answer):
    """One channel. `why` is of what is tried again, `last_failure` of the newest failure; neither holds a secret."""

    channel: str
    kind: str
    sent: int
    failed: int
    overtaken: int
    waiting: int
    retrying: int
    why: str
    oldest_waiting_at: str
    next_due_at: str
    last_sent_at: str
    last_failure_at: str
    last_failure: str


class Channels(Answer):
    """Every channel, by name."""

    channels: list[ChannelStatus]
    waiting: int
    failed: int
    routes: int


class Tested(Answer):
    """The channel took a test message."""

    channel: str
    delivered: bool


async def list_channels(ask: Ask) -> Json:
    """What each channel sent, and what waits."""
    return dict(ask.desk.notices.status())


async def test_channel(ask: Ask) -> Json:
    """Send a test message now."""
    await ask.desk.notices.test(ask.id, by=ask.caller.person.name)
    return {"channel": ask.id, "delivered": True}


ENDPOINTS = (
    Endpoint(
        "GET",
        "/channels",
        Right.READ,
        list_channels,
        answer=Channels,
        volatile=frozenset({"next_due_at"}),
        summary="What each channel that reaches people sent, what waits for it, and why",
    ),
    Endpoint(
        "POST",
        "/channels/{id}/test",
        Right.ADMINISTER,
        test_channel,
        answer=Tested,
        summary="Send a test message through a channel now",
    ),
)
