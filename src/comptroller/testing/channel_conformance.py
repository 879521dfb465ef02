"""What every kind of channel must hold. A test gives each kind a service that keeps what reached it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from comptroller.core.config_notify import Event
from comptroller.notify.markup import disarmed, title_of
from comptroller.notify.message import Channel, DeliveryError, Message

HOSTILE = (
    "pay [click](https://evil.example) <b>now</b> <!channel> <@U1> @everyone `rm` *x* _y_ &amp; "
    "\u202egpj.exe \x1b]0;owned\x07 {{7*7}} https://evil.example"
)
"""What an agent may write where it hopes that a channel renders it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A kind of channel with a service behind it. `received` is every text that arrived, newest last; `fail` makes the
    service refuse from now on, `gone` takes it away. `secrets` must never show in an error."""

    channel: Channel
    received: Callable[[], Sequence[str]]
    fail: Callable[[], None]
    gone: Callable[[], None]
    secrets: tuple[str, ...]


def message(title: str = "research asks: start 2 x m8g.large", *, number: int = 1) -> Message:
    """A message as the notifier writes it: every text neutral and disarmed."""
    return Message(
        id=f"delivery:test:{number}",
        event=Event.ASKED,
        at=datetime(2026, 11, 23, 12, 0, tzinfo=UTC),
        organization="acme",
        title=title_of(title),
        lines=(disarmed(title),),
        facts=(("purpose", disarmed(title)),),
        command="comptroller approvals show X",
    )


def check_delivers(service: Service) -> None:
    """Every message arrives, with its title and the next step, in order."""
    for number in range(1, 4):
        service.channel.send(message(f"research asks: start {number} x m8g", number=number))
    texts = service.received()
    assert len(texts) == 3, texts
    for number, text in enumerate(texts, 1):
        assert f"start {number} x m8g" in text, text
        assert "comptroller approvals show X" in text, text


def check_hostile_text_is_text(service: Service) -> None:
    """What an agent wrote is no link, no mention, no control character, wherever it arrives."""
    service.channel.send(message(HOSTILE))
    text = "\n".join(service.received())
    assert "evil.example" in text
    for live in ("https://evil", "\u202e", "\x1b", "\x07", "@everyone", "<@U1>"):
        assert live not in text, live


def check_failure_is_raised(service: Service) -> None:
    """A refusal raises, names a reason and no secret; the next message is not affected by the one before it."""
    service.fail()
    for _ in range(2):
        _check_raises(service)


def check_absence_is_raised(service: Service) -> None:
    """A service that is not there raises as well."""
    service.gone()
    _check_raises(service)


def _check_raises(service: Service) -> None:
    try:
        service.channel.send(message())
    except DeliveryError as error:
        told = f"{error} {error.__cause__ or ''} {error.hint}"
        assert error.message, "a failure has a reason"
        for secret in service.secrets:
            assert secret not in told, "a secret is in an error"
        assert error.__suppress_context__ or error.__context__ is None, "the library's own error goes with it"
    else:
        raise AssertionError("a failure was taken for a delivery")


CHECKS = (check_delivers, check_hostile_text_is_text, check_failure_is_raised, check_absence_is_raised)
