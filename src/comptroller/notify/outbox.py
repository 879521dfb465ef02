"""The outbox: deliveries wait in the store until their channel took them. Each channel is carried for itself."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from comptroller.core.audit import EntryDraft, EntryKind
from comptroller.core.document import Document, DocumentKind
from comptroller.core.errors import ComptrollerError, MissingError, StoreError
from comptroller.engine.entries import Scribe
from comptroller.engine.hub import Hub
from comptroller.notify.delivery import Delivery, DeliveryState, delivery_of
from comptroller.notify.lane import Lane
from comptroller.notify.message import Channel, DeliveryError, Message
from comptroller.ports import Changes, Clock, Facts, Store, Wants

WAITING_MAX = 1_000
"""Deliveries that wait for one channel; what comes beyond them is counted in one message."""
IDLE_SECONDS = 30.0
STORE_AGAIN_SECONDS = 5.0
TALLY_VERSION = 1


@dataclass(slots=True)
class Tally:
    """What a channel did since it first carried anything."""

    sent: int = 0
    failed: int = 0
    overtaken: int = 0
    last_sent_at: str = ""
    last_failure_at: str = ""
    last_failure: str = ""

    def body(self) -> dict[str, object]:
        """As it is kept, and shown."""
        return {
            "sent": self.sent,
            "failed": self.failed,
            "overtaken": self.overtaken,
            "last_sent_at": self.last_sent_at,
            "last_failure_at": self.last_failure_at,
            "last_failure": self.last_failure,
        }


@dataclass(slots=True, kw_only=True)
class Line:
    """One channel with what waits for it."""

    name: str
    scope: str
    make: Callable[[], Channel]
    lane: Lane
    eager: bool = False
    channel: Channel | None = None
    waiting: dict[str, Delivery] = field(default_factory=dict)
    passing: list[Message] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None


class Outbox:
    """Keeps deliveries, and carries them. `write` makes the message of a delivery when it is sent; None where there is
    nothing to tell any more."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        scribe: Scribe,
        hub: Hub,
        origin: str,
        write: Callable[[Delivery], Awaitable[Message | None]],
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._store = store
        self._clock = clock
        self._scribe = scribe
        self._hub = hub
        self._origin = origin
        self._write = write
        self._chance = chance
        self._lines: dict[str, Line] = {}

    def scope(self, channel: str) -> str:
        """What this installation's deliveries through a channel are found by."""
        return f"{self._origin}/{channel}"

    @property
    def channels(self) -> frozenset[str]:
        """Channels that are carried."""
        return frozenset(self._lines)

    async def open(self, name: str, make: Callable[[], Channel], *, eager: bool = False) -> None:
        """Begin to carry a channel, with what an earlier `serve` left waiting. An `eager` one is made at once: it takes
        answers too. Raises `StoreError`."""
        line = Line(name=name, scope=self.scope(name), make=make, lane=Lane(name), eager=eager)
        for document in await self._store.documents(DocumentKind.DELIVERY, scope=line.scope):
            with contextlib.suppress(KeyError, ValueError):
                delivery = delivery_of(document)
                line.waiting[delivery.id] = delivery
        kept = await self._store.document(f"delivery:tally:{line.scope}")
        if kept is not None:
            line.tally = _tally_of(kept.body)
        self._lines[name] = line
        line.task = asyncio.create_task(self._carry(line), name=f"notify-{name}")

    async def shut(self, name: str) -> None:
        """Stop carrying a channel; what waits for it goes on waiting in the store."""
        line = self._lines.pop(name, None)
        if line is None:
            return
        if line.task is not None:
            line.task.cancel()
            await asyncio.gather(line.task, return_exceptions=True)
        line.lane.close()
        if line.channel is not None:
            await asyncio.to_thread(line.channel.close)

    async def close(self) -> None:
        """Stop carrying all of them."""
        for name in tuple(self._lines):
            await self.shut(name)

    # ------------------------------------------------------------ putting in

    def waiting(self, channel: str) -> Sequence[Delivery]:
        """What waits for a channel, in no order."""
        line = self._lines.get(channel)
        return tuple(line.waiting.values()) if line is not None else ()

    async def put(self, deliveries: Sequence[Delivery], *, also: Sequence[Document] = ()) -> None:
        """Make deliveries durable, with documents that belong to them, in one change. Raises `StoreError`."""
        documents = (*(each.document() for each in deliveries), *also)
        if documents:
            await self._store.commit(Wants(now=self._clock.now()), lambda _: (Changes(documents=documents), None))
        for delivery in deliveries:
            self._take_up(delivery)

    async def claim(self, delivery: Delivery) -> bool:
        """Make a delivery durable unless there is one of its id already: of several gateways over one store one alone
        gets it. Raises `StoreError`."""

        def decide(facts: Facts) -> tuple[Changes, bool]:
            return (Changes(documents=(delivery.document(),)), True) if facts.document is None else (Changes(), False)

        done = await self._store.commit(Wants(now=self._clock.now(), document=delivery.id), decide)
        if done.result:
            self._take_up(delivery)
        return done.result

    def _take_up(self, delivery: Delivery) -> None:
        line = self._lines.get(delivery.channel)
        if line is not None and delivery.state is DeliveryState.WAITING:
            line.waiting[delivery.id] = delivery
            line.wake.set()

    def crowded(self, channel: str) -> bool:
        """Whether so much waits for a channel that more is only counted."""
        line = self._lines.get(channel)
        return line is not None and len(line.waiting) >= WAITING_MAX

    def pass_on(self, channel: str, message: Message) -> None:
        """Try to deliver once and now, without the store: for news of its loss."""
        line = self._lines.get(channel)
        if line is not None and len(line.passing) < WAITING_MAX:
            line.passing.append(message)
            line.wake.set()

    async def test(self, channel: str, message: Message) -> None:
        """Deliver one message now. Raises `DeliveryError`, `MissingError` with what is wrong."""
        line = self._lines.get(channel)
        if line is None:
            raise DeliveryError(f"there is no channel `{channel}`", hint=f"known: {', '.join(sorted(self._lines))}")
        await self._send(line, message)

    def poke(self) -> None:
        """Look now at what is due."""
        for line in self._lines.values():
            line.wake.set()

    def status(self) -> list[dict[str, object]]:
        """Each channel: what it did, what waits and why, by name."""
        return [self._told(line) for _, line in sorted(self._lines.items())]

    def _told(self, line: Line) -> dict[str, object]:
        waiting = sorted(line.waiting.values(), key=lambda each: each.at)
        trying = [each for each in waiting if each.attempts]
        return {
            "channel": line.name,
            **line.tally.body(),
            "waiting": len(waiting),
            "retrying": len(trying),
            "oldest_waiting_at": waiting[0].at.isoformat() if waiting else "",
            "next_due_at": min(each.due for each in waiting).isoformat() if waiting else "",
            "why": trying[0].why if trying else "",
        }

    # ------------------------------------------------------------ carrying

    async def _carry(self, line: Line) -> None:
        while True:
            line.wake.clear()
            while line.passing:
                with contextlib.suppress(ComptrollerError):
                    await self._send(line, line.passing.pop(0))
            if line.eager and line.channel is None:
                await self._make(line)
            now = self._clock.now()
            due = min(line.waiting.values(), key=lambda each: (each.due, each.at), default=None)
            if due is None or due.due > now:
                seconds = IDLE_SECONDS if due is None else min((due.due - now).total_seconds(), IDLE_SECONDS)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(max(seconds, 0.01)):
                        await line.wake.wait()
                continue
            try:
                await self._deliver(line, due)
            except StoreError:
                # What was sent is sent again once the store is back: better twice than never.
                await asyncio.sleep(STORE_AGAIN_SECONDS)

    async def _make(self, line: Line) -> None:
        """Make the channel before there is anything to send; where that fails it is tried again later."""
        try:
            line.channel = await asyncio.to_thread(line.make)
        except Exception as error:  # noqa: BLE001 (a library's own: its text may hold an address with its secret)
            foreign = f"the channel failed ({type(error).__name__})"
            line.tally.last_failure = error.message if isinstance(error, ComptrollerError) else foreign
            line.tally.last_failure_at = self._clock.now().isoformat(timespec="seconds")

    async def _deliver(self, line: Line, delivery: Delivery) -> None:
        """Send one delivery and write down what became of it. Raises `StoreError`."""
        try:
            message = await self._write(delivery)
            if message is None:
                done = replace(delivery, state=DeliveryState.OVERTAKEN)
            else:
                thread = await self._send(line, message)
                done = replace(
                    delivery, state=DeliveryState.SENT, attempts=delivery.attempts + 1, why="", thread=thread
                )
        except StoreError:
            raise
        except ComptrollerError as error:
            wait = error.retry_after_seconds if isinstance(error, DeliveryError) else 0.0
            done = delivery.again(self._clock.now(), error.message, chance=self._chance(), at_least_seconds=wait)
        # Meanwhile others may have joined it.
        current = line.waiting.get(delivery.id, delivery)
        done = replace(done, joined=current.joined)
        if done.gathers and done.state is DeliveryState.WAITING:
            done = replace(done, entries=current.entries, more=current.more)
        await self._write_down(line, done)

    async def _send(self, line: Line, message: Message) -> str:
        """Through the channel's own thread. Raises `ComptrollerError`; what nobody foresaw is named by its kind."""
        try:
            if line.channel is None:
                line.channel = await asyncio.to_thread(line.make)
            channel = line.channel
            return await line.lane.run(lambda: channel.send(message))
        except (DeliveryError, MissingError):
            raise
        except Exception as error:  # noqa: BLE001 (a library's own: its text may hold an address with its secret)
            raise DeliveryError(f"the channel failed ({type(error).__name__})") from None

    async def _write_down(self, line: Line, done: Delivery) -> None:
        now = self._clock.now()
        tally = replace(line.tally)
        stamp = now.isoformat(timespec="seconds")
        entries: tuple[EntryDraft, ...] = ()
        match done.state:
            case DeliveryState.SENT:
                tally.sent, tally.last_sent_at = tally.sent + 1, stamp
            case DeliveryState.OVERTAKEN:
                tally.overtaken += 1
            case DeliveryState.FAILED:
                tally.failed += 1
                tally.last_failure_at, tally.last_failure = stamp, done.why
                entries = (self._scribe.draft(EntryKind.DELIVERY_FAILED, at=now, body=_failure_body(done)),)
            case DeliveryState.WAITING:
                tally.last_failure_at, tally.last_failure = stamp, done.why
        kept = Document(
            id=f"delivery:tally:{line.scope}",
            kind=DocumentKind.DELIVERY,
            scope=f"{line.scope}/tally",
            open=True,
            at=now,
            body={"v": TALLY_VERSION, **tally.body()},
        )
        changes = Changes(documents=(done.document(), kept), entries=entries)
        committed = await self._store.commit(Wants(now=now), lambda _: (changes, None))
        line.tally = tally
        if done.state is DeliveryState.WAITING:
            line.waiting[done.id] = done
        else:
            line.waiting.pop(done.id, None)
        if committed.indices:
            self._hub.publish(EntryKind.DELIVERY_FAILED.value, {"index": committed.indices[0], **_failure_body(done)})


def _failure_body(done: Delivery) -> dict[str, object]:
    return {
        "channel": done.channel,
        "event": done.event.value if done.event is not None else "letter" if done.week else "digest",
        "approval": done.question,
        "attempts": done.attempts,
        "reason": done.why,
    }


def _tally_of(body: Mapping[str, object]) -> Tally:
    def count(name: str) -> int:
        value = body.get(name)
        return value if isinstance(value, int) else 0

    return Tally(
        sent=count("sent"),
        failed=count("failed"),
        overtaken=count("overtaken"),
        last_sent_at=str(body.get("last_sent_at") or ""),
        last_failure_at=str(body.get("last_failure_at") or ""),
        last_failure=str(body.get("last_failure") or ""),
    )
