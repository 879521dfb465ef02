"""One delivery: what is to be told through which channel, as a document that outlives `serve`. It names entries and
questions and holds none of their text, which is read when the message is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Self

from comptroller.core.config_notify import Event
from comptroller.core.document import Document, DocumentKind

VERSION = 1
ATTEMPTS_MAX = 12
AGE_MAX = timedelta(hours=24)
"""How long a message is tried, whatever is left of its attempts."""
BACKOFF_SECONDS_FIRST = 2.0
BACKOFF_SECONDS_MAX = 900.0
ENTRIES_MAX = 50
"""Entries that one message tells of; what is beyond them is counted."""


class DeliveryState(StrEnum):
    """`waiting -> sent | failed | overtaken`. What is overtaken was answered before it was told, or joined another."""

    WAITING = "waiting"
    SENT = "sent"
    FAILED = "failed"
    OVERTAKEN = "overtaken"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """`entries` are indices in the log, `question` an approval; `more` counts what is told of without being named.
    `week` is that of a letter. `thread` is what the channel called the message once it was sent."""

    id: str
    scope: str
    channel: str
    at: datetime
    due: datetime
    event: Event | None = None
    question: str = ""
    joined: tuple[str, ...] = ()
    entries: tuple[int, ...] = ()
    more: int = 0
    week: str = ""
    gathers: bool = False
    attempts: int = 0
    state: DeliveryState = DeliveryState.WAITING
    why: str = ""
    thread: str = ""

    def with_entry(self, index: int) -> Self:
        """The same delivery, telling of one entry more."""
        if index in self.entries:
            return self
        if len(self.entries) >= ENTRIES_MAX:
            return replace(self, more=self.more + 1)
        return replace(self, entries=(*self.entries, index))

    def again(self, now: datetime, why: str, *, chance: float, at_least_seconds: float = 0.0) -> Self:
        """After a failure: due again after a random part (`chance`, 0 to 1) of a pause that doubles, or failed for
        good where attempts or time are used up."""
        attempts = self.attempts + 1
        if attempts >= ATTEMPTS_MAX or now - self.at >= AGE_MAX:
            return replace(self, attempts=attempts, why=why, state=DeliveryState.FAILED)
        pause = min(BACKOFF_SECONDS_FIRST * 2**attempts, BACKOFF_SECONDS_MAX)
        seconds = max(pause / 2 + pause / 2 * chance, min(at_least_seconds, BACKOFF_SECONDS_MAX))
        return replace(self, attempts=attempts, why=why, due=now + timedelta(seconds=seconds))

    def document(self) -> Document:
        """As it is kept."""
        body = {
            "v": VERSION,
            "channel": self.channel,
            "event": self.event.value if self.event is not None else "",
            "question": self.question,
            "joined": list(self.joined),
            "entries": list(self.entries),
            "more": self.more,
            "week": self.week,
            "gathers": self.gathers,
            "due": self.due.isoformat(),
            "attempts": self.attempts,
            "state": self.state.value,
            "why": self.why,
            "thread": self.thread,
        }
        waiting = self.state is DeliveryState.WAITING
        return Document(id=self.id, kind=DocumentKind.DELIVERY, scope=self.scope, open=waiting, at=self.at, body=body)


def delivery_of(document: Document) -> Delivery:
    """The delivery in its document. Raises `KeyError` or `ValueError` for one of another version."""
    body: Mapping[str, object] = document.body
    if body["v"] != VERSION:
        raise ValueError("a delivery of another version")
    event, joined, entries = str(body["event"]), body["joined"], body["entries"]
    return Delivery(
        id=document.id,
        scope=document.scope,
        channel=str(body["channel"]),
        at=document.at,
        due=datetime.fromisoformat(str(body["due"])),
        event=Event(event) if event else None,
        question=str(body["question"]),
        joined=tuple(map(str, joined)) if isinstance(joined, list | tuple) else (),
        entries=tuple(int(str(each)) for each in entries) if isinstance(entries, list | tuple) else (),
        more=int(str(body["more"])),
        week=str(body["week"]),
        gathers=body["gathers"] is True,
        attempts=int(str(body["attempts"])),
        state=DeliveryState(str(body["state"])),
        why=str(body["why"]),
        thread=str(body["thread"]),
    )
