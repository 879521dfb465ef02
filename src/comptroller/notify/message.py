"""What a channel carries: one message, already harmless as plain text, and how a channel says that it could not."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from comptroller.core.config_notify import Event
from comptroller.core.errors import RefusedError

TITLE_CHARACTERS_MAX = 240
LINES_MAX = 60
LINE_CHARACTERS_MAX = 400


class DeliveryError(RefusedError):
    """A channel did not take a message. The text is ours and holds no secret and nothing the other side wrote."""

    def __init__(self, message: str, *, hint: str = "", retry_after_seconds: float = 0.0) -> None:
        super().__init__(message, hint=hint)
        self.retry_after_seconds = retry_after_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """The question that a message is about. `in_chat`: whether a rule lets it be answered in a chat at all; `open`:
    whether it still waits. Amounts are upper bounds in micro-dollars, None where nobody knows."""

    id: str
    agent: str
    owner: str
    run: str
    operation: str
    sentence: str
    groups: tuple[str, ...]
    classes: tuple[str, ...]
    usd_micros: int | None
    usd_micros_per_hour: int | None
    price_unknown: bool
    expires_at: datetime
    state: str
    open: bool
    in_chat: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message. `id` is the same at every attempt. `title`, `lines` and `facts` are neutral text without markup:
    each channel escapes them for itself. `link` is the console's page, where it has an address; `command` is what to
    type otherwise. `thread` is what the channel called the message that this one continues."""

    id: str
    event: Event | None
    at: datetime
    organization: str
    title: str
    lines: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    question: Question | None = None
    link: str = ""
    command: str = ""
    urgent: bool = False
    thread: str = ""


class Channel(Protocol):
    """One way to reach people. `send` blocks, in a thread of the channel's own; nothing else waits for it.

    `updates`: a message with a `thread` changes the one it continues.
    """

    updates: bool

    def send(self, message: Message) -> str:
        """Deliver. Returns what the channel calls the message, or empty. Raises `DeliveryError`."""
        ...

    def close(self) -> None:
        """Let go of connections and threads."""
        ...
