"""Follows the log and puts into the outbox what routes want: questions, answers, reminders, brakes, letters."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from comptroller.core.approval import Approval, ApprovalState
from comptroller.core.audit import Entry
from comptroller.core.config_notify import Event, NotifyConfig
from comptroller.core.document import Document, DocumentKind
from comptroller.core.errors import StoreError
from comptroller.engine.hub import Hub
from comptroller.notify.delivery import AGE_MAX, Delivery, DeliveryState, delivery_of
from comptroller.notify.events import EVENT_OF, LOST, event_of, news_of
from comptroller.notify.outbox import STORE_AGAIN_SECONDS, Outbox
from comptroller.notify.routes import letter_due, routed
from comptroller.notify.writing import Writer
from comptroller.ports import Clock, Store

TICK_SECONDS = 5.0
PENDING_MAX = 10_000
"""Events that wait to be looked at; beyond them the log is read instead."""
PAGE_ENTRIES = 500
OVERLAP_ENTRIES = 200
"""Entries before the mark that are looked at again after a start: events may come in another order than entries."""
MARK_ENTRIES = 5_000
REMIND_PART = 4
REMIND_SECONDS_MAX = 600.0
"""A question is told again when a quarter of its time is left, and ten minutes at most."""
LOST_AGAIN = timedelta(minutes=10)
CROWDED_SECONDS = 60.0
EQUAL_KEPT_MAX = 10_000

_ANSWERED = frozenset({Event.ANSWERED, Event.EXPIRED})


@dataclass(frozen=True, slots=True)
class _Heard:
    kind: str
    summary: Mapping[str, object]


class Teller:
    """One per installation. `origin` names it among those that share a store."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        hub: Hub,
        outbox: Outbox,
        writer: Writer,
        config: Callable[[], NotifyConfig],
        updates: Callable[[str], bool],
        origin: str,
    ) -> None:
        """`updates` says whether a channel changes a message that it sent."""
        self._store = store
        self._clock = clock
        self._hub = hub
        self._outbox = outbox
        self._writer = writer
        self._config = config
        self._updates = updates
        self._origin = origin
        self._heard: deque[_Heard] = deque()
        self._overrun = False
        self._wake = asyncio.Event()
        self._mark = 0
        self._open: dict[str, datetime] = {}
        self._equal: dict[tuple[str, str, str, str], str] = {}
        self._lost_at: datetime | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._unsubscribe: Callable[[], None] | None = None

    async def begin(self) -> None:
        """Take up where an earlier `serve` was, and follow. Raises `StoreError`."""
        self._unsubscribe = self._hub.subscribe(self._hear)
        await self._catch_up()
        for approval in await self._store.approvals(ApprovalState.PENDING):
            self._open[approval.id] = remind_at(approval)
        self._tasks = [asyncio.create_task(self._follow()), asyncio.create_task(self._tick())]

    async def close(self) -> None:
        """Stop following."""
        if self._unsubscribe is not None:
            self._unsubscribe()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # ------------------------------------------------------------ following

    def _hear(self, kind: str, summary: Mapping[str, object]) -> None:
        if (kind not in EVENT_OF and kind not in LOST) or summary.get("elsewhere"):
            return
        if len(self._heard) >= PENDING_MAX:
            self._overrun = True
        else:
            self._heard.append(_Heard(kind, summary))
        self._wake.set()

    async def _follow(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._heard:
                try:
                    await self._take(self._heard[0])
                except StoreError:
                    # Nothing is forgotten: it is looked at again, and at the latest by the next `serve`.
                    await asyncio.sleep(STORE_AGAIN_SECONDS)
                    continue
                self._heard.popleft()
            if self._overrun:
                self._overrun = False
                with contextlib.suppress(StoreError):
                    await self._catch_up()

    async def _take(self, heard: _Heard) -> None:
        index = heard.summary.get("index")
        if not isinstance(index, int):
            self._tell_at_once(heard)
            return
        found = await self._store.entries(after=index - 1, limit=1)
        if found and found[0].index == index:
            await self._entry(found[0], known=False)

    def _tell_at_once(self, heard: _Heard) -> None:
        """What has no entry, since the store is lost: told from here, once in a while, and not kept."""
        now = self._clock.now()
        event = Event.STORE if heard.kind in LOST else event_of(heard.kind, heard.summary)
        if event is None:
            return
        if heard.kind in LOST:
            if self._lost_at is not None and now - self._lost_at < LOST_AGAIN:
                return
            self._lost_at = now
        word, text = self._writer.words.event(heard.kind, heard.summary)
        agent = str(heard.summary.get("agent") or "")
        message_id = f"delivery:past:{self._origin}:{int(now.timestamp() * 1000)}"
        message = self._writer.message(message_id, event, at=now, title=f"{word}: {text}")
        for channel in routed(self._config(), news_of(event, agent, None, now), now):
            self._outbox.pass_on(channel, message)

    async def _catch_up(self) -> None:
        """Look at the entries since the mark, and a few before it. The first time there is nothing to catch up."""
        kept = await self._store.document(self._mark_id)
        size = await self._store.size()
        if kept is None:
            await self._set_mark(size)
            return
        mark = kept.body.get("next")
        after = max(0, (mark if isinstance(mark, int) else size) - OVERLAP_ENTRIES) - 1
        oldest = self._clock.now() - AGE_MAX
        while after + 1 < size:
            page = await self._store.entries(after=after, limit=PAGE_ENTRIES)
            if not page:
                break
            for entry in page:
                if _at(entry) >= oldest:
                    await self._entry(entry, known=True)
            after = page[-1].index
        await self._set_mark(size)

    @property
    def _mark_id(self) -> str:
        return f"delivery:mark:{self._origin}"

    def _mark_document(self, following: int) -> Document:
        return Document(
            id=self._mark_id,
            kind=DocumentKind.DELIVERY,
            scope=f"{self._origin}/",
            open=True,
            at=self._clock.now(),
            body={"v": 1, "next": following},
        )

    async def _set_mark(self, following: int) -> None:
        self._mark = max(self._mark, following)
        await self._outbox.put((), also=(self._mark_document(self._mark),))

    # ------------------------------------------------------------ one entry

    async def _entry(self, entry: Entry, *, known: bool) -> None:
        """Put what routes want to tell of `entry` into the outbox; `known`: some of it may be there already."""
        document, now = entry.document, self._clock.now()
        found = document.get("body")
        body: Mapping[str, object] = found if isinstance(found, Mapping) else {}
        event = event_of(str(document.get("kind")), body)
        if event is None:
            return
        name = body.get("approval")
        approval = await self._store.approval(name) if isinstance(name, str) and name else None
        if event is Event.ASKED and approval is not None:
            self._open[approval.id] = remind_at(approval)
        agent = str(document.get("agent") or "")
        told = dict(routed(self._config(), news_of(event, agent, approval, now), now))
        if event is Event.UNDELIVERED:
            told.pop(str(body.get("channel")), None)
        deliveries: list[Delivery] = []
        if event in _ANSWERED and approval is not None:
            self._open.pop(approval.id, None)
            deliveries += await self._closing(approval, event, entry.index, told, now)
        for channel, due in told.items():
            made = await self._delivery(channel, event, approval, entry.index, due, now, known=known)
            if made is not None:
                deliveries.append(made)
        if deliveries:
            self._mark = max(self._mark, entry.index + 1)
            await self._outbox.put(deliveries, also=(self._mark_document(self._mark),))

    async def _delivery(
        self,
        channel: str,
        event: Event,
        approval: Approval | None,
        index: int,
        due: datetime,
        now: datetime,
        *,
        known: bool,
    ) -> Delivery | None:
        scope = self._outbox.scope(channel)
        if due > now:
            return self._gathering(channel, f"delivery:gather:{scope}:{due.isoformat()}", "", index, due, now)
        if self._outbox.crowded(channel):
            later = now + timedelta(seconds=CROWDED_SECONDS)
            return self._gathering(channel, f"delivery:crowd:{scope}:", str(index), index, later, now)
        if approval is not None and event in (Event.ASKED, Event.REMINDED):
            return await self._asked(channel, event, approval, now, known=known)
        delivery_id = f"delivery:{event.value}:{self._origin}:{index}:{channel}"
        if known and await self._store.document(delivery_id) is not None:
            return None
        question = approval.id if approval is not None and event is not Event.UNDELIVERED else ""
        return Delivery(
            id=delivery_id,
            scope=scope,
            channel=channel,
            at=now,
            due=due,
            event=event,
            question=question,
            entries=(index,),
        )

    def _gathering(self, channel: str, prefix: str, suffix: str, index: int, due: datetime, now: datetime) -> Delivery:
        """The message that tells of several things, with one more."""
        held = next((each for each in self._outbox.waiting(channel) if each.id.startswith(prefix)), None)
        if held is None:
            held = Delivery(
                id=prefix + suffix, scope=self._outbox.scope(channel), channel=channel, at=now, due=due, gathers=True
            )
        return held.with_entry(index)

    async def _asked(
        self, channel: str, event: Event, approval: Approval, now: datetime, *, known: bool
    ) -> Delivery | None:
        """The message about a question; None where one that is waiting or told already stands for it as well."""
        delivery_id = asked_id(channel, approval.id, event)
        if known and await self._store.document(delivery_id) is not None:
            return None
        made = Delivery(
            id=delivery_id,
            scope=self._outbox.scope(channel),
            channel=channel,
            at=now,
            due=now,
            event=event,
            question=approval.id,
        )
        if event is Event.REMINDED:
            return made
        key = (channel, approval.agent, approval.operation, approval.sentence)
        first = await self._first_equal(key, now)
        if first is None or first.question == approval.id:
            if len(self._equal) >= EQUAL_KEPT_MAX:
                self._equal.clear()
            self._equal[key] = approval.id
            return made
        joined = replace(first, joined=(*first.joined, approval.id))
        await self._outbox.put([replace(made, state=DeliveryState.OVERTAKEN, why="joined"), joined])
        return None

    async def _first_equal(self, key: tuple[str, str, str, str], now: datetime) -> Delivery | None:
        """What was told of an equal question that is still open."""
        first = self._equal.get(key)
        if first is None:
            return None
        approval = await self._store.approval(first)
        if approval is None or approval.state is not ApprovalState.PENDING or now >= approval.expires_at:
            return None
        delivery_id = asked_id(key[0], first, Event.ASKED)
        waits = next((each for each in self._outbox.waiting(key[0]) if each.id == delivery_id), None)
        if waits is not None:
            return waits
        kept = await self._store.document(delivery_id)
        return delivery_of(kept) if kept is not None else None

    async def _closing(
        self, approval: Approval, event: Event, index: int, told: dict[str, datetime], now: datetime
    ) -> list[Delivery]:
        """Once a question is answered: messages that are changed, and those that were joined to it step forward."""
        made = []
        for channel in sorted(self._outbox.channels):
            kept = await self._store.document(asked_id(channel, approval.id, Event.ASKED))
            if kept is None:
                continue
            asked = delivery_of(kept)
            if asked.thread and self._updates(channel):
                told[channel] = now
            waiting = [each for each in asked.joined if await self._is_open(each, now)]
            if waiting and asked.state is not DeliveryState.WAITING:
                following = replace(
                    asked,
                    id=asked_id(channel, waiting[0], Event.ASKED),
                    question=waiting[0],
                    joined=tuple(waiting[1:]),
                    state=DeliveryState.WAITING,
                    at=now,
                    due=now,
                    attempts=0,
                    thread="",
                )
                made.append(following)
                key = (channel, approval.agent, approval.operation, approval.sentence)
                self._equal[key] = waiting[0]
        return made

    async def _is_open(self, approval_id: str, now: datetime) -> bool:
        approval = await self._store.approval(approval_id)
        return approval is not None and approval.state is ApprovalState.PENDING and now < approval.expires_at

    # ------------------------------------------------------------ by the clock

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            with contextlib.suppress(StoreError):
                await self.tick()

    async def tick(self) -> None:
        """Remind of questions that run out, and send a letter that is due. Raises `StoreError`."""
        now = self._clock.now()
        for approval_id, due in tuple(self._open.items()):
            if due <= now:
                await self._remind(approval_id, now)
                self._open.pop(approval_id, None)
        weekly = self._config().weekly
        if weekly is not None:
            due, week = letter_due(weekly, now)
            if now - due < AGE_MAX:
                await self._letters(weekly.channels, week, now)
        if await self._store.size() - self._mark > MARK_ENTRIES and not self._heard:
            await self._set_mark(await self._store.size())

    async def _remind(self, approval_id: str, now: datetime) -> None:
        approval = await self._store.approval(approval_id)
        if approval is None or approval.state is not ApprovalState.PENDING or now >= approval.expires_at:
            return
        told = routed(self._config(), news_of(Event.REMINDED, approval.agent, approval, now), now)
        for channel in told:
            made = await self._asked(channel, Event.REMINDED, approval, now, known=True)
            if made is not None:
                await self._outbox.claim(made)

    async def _letters(self, channels: tuple[str, ...], week: str, now: datetime) -> None:
        for channel in channels:
            letter_id = f"delivery:letter:{self._outbox.scope(channel)}:{week}"
            if await self._store.document(letter_id) is None:
                scope = self._outbox.scope(channel)
                letter = Delivery(id=letter_id, scope=scope, channel=channel, at=now, due=now, week=week)
                await self._outbox.put([letter])


def asked_id(channel: str, approval: str, event: Event = Event.ASKED) -> str:
    """The id of the delivery that tells a channel of a question: the same whoever makes it."""
    return f"delivery:{event.value}:{approval}:{channel}"


def remind_at(approval: Approval) -> datetime:
    """When an open question is told again."""
    whole = (approval.expires_at - approval.asked_at).total_seconds()
    return approval.expires_at - timedelta(seconds=min(whole / REMIND_PART, REMIND_SECONDS_MAX))


def _at(entry: Entry) -> datetime:
    return datetime.fromisoformat(str(entry.document.get("at")))
