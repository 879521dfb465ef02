"""Writes the message of a delivery when it is sent: from the question and the entries as they are then."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from comptroller.core.approval import Approval, ApprovalState
from comptroller.core.audit import Entry, PrivateField
from comptroller.core.config_notify import EVENT_WORDS, QUESTIONS, URGENT, Event
from comptroller.core.errors import RefusedError
from comptroller.core.neutral import neutral_name
from comptroller.notify.delivery import Delivery
from comptroller.notify.events import event_of, groups_of
from comptroller.notify.markup import disarmed, title_of
from comptroller.notify.message import LINES_MAX, Message, Question
from comptroller.ports import Clock, Store

SENTENCE_CHARACTERS_MAX = 400
_OPEN = frozenset({Event.ASKED, Event.REMINDED, Event.ESCALATED})


class Words(Protocol):
    """The product's words for entries and prices, as terminal and console use them."""

    def entry(self, entry: Entry, private: Sequence[PrivateField]) -> tuple[str, str]:
        """What happened in one word, and the text of it."""
        ...

    def event(self, kind: str, summary: Mapping[str, object]) -> tuple[str, str]:
        """The same of an event that has no entry yet."""
        ...

    def price(self, facts: Mapping[str, object]) -> str:
        """What a held action costs, in one phrase."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A weekly letter, as lines."""

    title: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """`link` is where a question is in the console, empty where the console has no address. `letter` writes that of a
    week. `threads` says what the channel called the message about a question, for channels that change it."""

    store: Store
    clock: Clock
    organization: Callable[[], str]
    words: Words
    link: Callable[[str], str]
    letter: Callable[[str], Awaitable[Letter]]
    thread: Callable[[str, str], Awaitable[str]]

    async def write(self, delivery: Delivery) -> Message | None:
        """The message; None where there is nothing to tell any more. Raises `StoreError`, and `RefusedError` where
        the entries are not there."""
        if delivery.week:
            return await self._letter(delivery)
        if delivery.gathers:
            return await self._gathered(delivery)
        if delivery.event in QUESTIONS:
            return await self._question(delivery, delivery.event)
        lines = await self._lines(delivery.entries)
        if not lines:
            raise RefusedError("the entry it tells of is not in the store any more")
        event = delivery.event or Event.FROZEN
        return self.message(delivery.id, event, at=delivery.at, title=lines[0])

    def message(self, message_id: str, event: Event, *, at: datetime, title: str) -> Message:
        """A message of one line."""
        return Message(
            id=message_id,
            event=event,
            at=at,
            organization=self.organization(),
            title=title_of(title),
            command="comptroller tail",
            link=self.link(""),
            urgent=event in URGENT,
        )

    # ------------------------------------------------------------ questions

    async def _question(self, delivery: Delivery, event: Event) -> Message | None:
        approval = await self.store.approval(delivery.question)
        if approval is None:
            return None
        now = self.clock.now()
        joined = [each for each in [await self.store.approval(one) for one in delivery.joined] if _open(each, now)]
        if event in _OPEN and not _open(approval, now):
            if not joined or joined[0] is None:
                return None
            approval, joined = joined[0], joined[1:]
        sentence = disarmed(approval.sentence, characters_max=SENTENCE_CHARACTERS_MAX)
        agent = neutral_name(approval.agent)
        lines = [self._answer(approval)] if event not in _OPEN else []
        if joined:
            lines.append(f"and {len(joined)} more question{'s' * (len(joined) > 1)} just like it")
        title = {
            Event.ASKED: f"{agent} asks: {sentence}",
            Event.REMINDED: f"nobody answered yet: {agent} asks: {sentence}",
            Event.ESCALATED: f"it goes on to you: {agent} asks: {sentence}",
        }.get(event, f"{agent} asked: {sentence}")
        return Message(
            id=delivery.id,
            event=event,
            at=delivery.at,
            organization=self.organization(),
            title=title_of(title),
            lines=tuple(filter(None, lines)),
            facts=self._facts(approval, now),
            question=self.question(approval, now),
            link=self.link(approval.id),
            command=f"comptroller approvals show {approval.id}",
            urgent=event in URGENT,
            thread=await self.thread(delivery.channel, approval.id) if event is not Event.ASKED else "",
        )

    def question(self, approval: Approval, now: datetime) -> Question:
        """The question as channels know it."""
        usd, hourly = (approval.facts.get(f"{unit}_high") for unit in ("usd_micros", "usd_micros_per_hour"))
        classes = approval.facts.get("classes")
        return Question(
            id=approval.id,
            agent=neutral_name(approval.agent),
            owner=neutral_name(approval.owner),
            run=approval.run,
            operation=disarmed(approval.operation),
            sentence=disarmed(approval.sentence, characters_max=SENTENCE_CHARACTERS_MAX),
            groups=tuple(sorted(groups_of(approval, now))),
            classes=tuple(map(str, classes)) if isinstance(classes, list | tuple) else (),
            usd_micros=usd if isinstance(usd, int) else None,
            usd_micros_per_hour=hourly if isinstance(hourly, int) else None,
            price_unknown=approval.price_unknown,
            expires_at=approval.expires_at,
            state=approval.state.value,
            open=_open(approval, now),
            in_chat=not any(obligation.assurance for obligation in approval.obligations),
        )

    def _facts(self, approval: Approval, now: datetime) -> tuple[tuple[str, str], ...]:
        facts = approval.facts
        cost = self.words.price(
            {
                "price_unknown": approval.price_unknown,
                "ceiling_usd_micros": approval.ceiling_usd_micros,
                "usd_micros": facts.get("usd_micros_high"),
                "usd_micros_per_hour": facts.get("usd_micros_per_hour_high"),
                "term_seconds": facts.get("term_seconds"),
            }
        )
        told = [
            ("cost", disarmed(cost)),
            ("why it is asked", disarmed("; ".join(o.reason or o.rule for o in approval.obligations))),
            ("who may answer", ", ".join(sorted(groups_of(approval, now)))),
            ("purpose", disarmed(facts.get("purpose") or "")),
            ("owner", neutral_name(approval.owner)),
            ("run", approval.run),
        ]
        if _open(approval, now):
            told.append(("denied unless answered by", _moment(approval.expires_at)))
        return tuple((name, value) for name, value in told if value)

    def _answer(self, approval: Approval) -> str:
        by = f" by {neutral_name(approval.answered_by)}" if approval.answered_by else ""
        comment = f": {disarmed(approval.comment)}" if approval.comment else ""
        grant = approval.grant.value
        late = ", and the yes is not used any more" if grant in ("expired", "revoked") else ""
        return f"{approval.state.value}{by}{comment}{late}"

    # ------------------------------------------------------------ several at once, letters

    async def _gathered(self, delivery: Delivery) -> Message | None:
        lines = await self._lines(delivery.entries)
        if not lines and not delivery.more:
            return None
        count = len(lines) + delivery.more
        more = (f"and {delivery.more} more: comptroller tail",) if delivery.more else ()
        return Message(
            id=delivery.id,
            event=None,
            at=delivery.at,
            organization=self.organization(),
            title=f"{count} thing{'s' * (count != 1)} happened",
            lines=(*lines[: LINES_MAX - 1], *more),
            link=self.link(""),
            command="comptroller approvals list",
        )

    async def _letter(self, delivery: Delivery) -> Message:
        letter = await self.letter(delivery.week)
        return Message(
            id=delivery.id,
            event=None,
            at=delivery.at,
            organization=self.organization(),
            title=title_of(letter.title),
            lines=tuple(map(disarmed, letter.lines[:LINES_MAX])),
            command=f"comptroller report letter --week {delivery.week}",
        )

    async def _lines(self, indices: Sequence[int]) -> list[str]:
        """A line for each entry that is still there and still matters, in order."""
        lines = []
        for index in indices:
            found = await self.store.entries(after=index - 1, limit=1)
            if not found or found[0].index != index:
                continue
            entry = found[0]
            body = entry.document.get("body")
            known: Mapping[str, object] = body if isinstance(body, Mapping) else {}
            event = event_of(str(entry.document.get("kind")), known)
            if event is Event.ASKED:
                approval = await self.store.approval(str(known.get("approval") or ""))
                if not _open(approval, self.clock.now()):
                    continue
            word, text = self.words.entry(entry, await self.store.private(index))
            agent = neutral_name(entry.document.get("agent") or "")
            lines.append(disarmed(f"{f'{agent} · ' if agent else ''}{word}: {text}"))
        return lines


def _open(approval: Approval | None, now: datetime) -> bool:
    return approval is not None and approval.state is ApprovalState.PENDING and now < approval.expires_at


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def words_of(event: Event | None) -> str:
    """What an event is, in a few fixed words."""
    return EVENT_WORDS[event] if event is not None else "a message"
