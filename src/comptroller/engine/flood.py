"""Counts the questions of each agent, so that a flood of them stops its run instead of wearing people out."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from comptroller.core.approval import ApprovalState
from comptroller.core.asking import QuestionLimits
from comptroller.ports import Clock, Store

HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The open questions of an agent as read just before a decision; `count` is how many all
    agents had asked by then."""

    open: frozenset[str] = frozenset()
    count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Flooded:
    """One question more than an agent may ask: what is open, what was asked within an hour, and the limits."""

    open: int
    hour: int
    limits: QuestionLimits

    @property
    def text(self) -> str:
        """For the agent and for people."""
        if self.open >= self.limits.open_max:
            return f"{self.open} of its questions wait for people already, and {self.limits.open_max} may"
        return f"it asked {self.hour} questions within an hour, and may ask {self.limits.per_hour_max}"

    def body(self) -> dict[str, object]:
        """For the entry: what was noticed, and its name among the threats of agents (OWASP Agentic T10)."""
        return {
            "finding": "question_flood",
            "owasp_agentic": "T10",
            "open": self.open,
            "open_max": self.limits.open_max,
            "hour": self.hour,
            "per_hour_max": self.limits.per_hour_max,
        }


class Flood:
    """What each agent asked in the past hour. Exact for what one gateway decides; questions that are open are counted
    whoever asked them."""

    def __init__(self, *, store: Store, clock: Clock, limits: Callable[[str], QuestionLimits]) -> None:
        self._store = store
        self._clock = clock
        self._limits = limits
        self._lock = threading.Lock()
        self._loaded = False
        self._asked: defaultdict[str, dict[str, tuple[datetime, int]]] = defaultdict(dict)
        self._total = 0
        self._forgiven: dict[str, datetime] = {}

    async def seen(self, agent: str) -> Seen:
        """What waits for people now; before a decision that may ask them."""
        if not self._loaded:
            await self._load()
        with self._lock:
            count = self._total
        now = self._clock.now()
        pending = await self._store.approvals(ApprovalState.PENDING)
        return Seen(open=frozenset(a.id for a in pending if a.agent == agent and now < a.expires_at), count=count)

    async def _load(self) -> None:
        since = self._clock.now() - HOUR
        recent = [a for a in await self._store.approvals() if a.asked_at > since]
        with self._lock:
            if not self._loaded:
                for approval in reversed(recent):
                    self._count(approval.agent, approval.id, approval.asked_at)
                self._loaded = True

    def over(self, agent: str, seen: Seen, now: datetime) -> Flooded | None:
        """Whether one more question would be too much."""
        limits = self._limits(agent)
        with self._lock:
            since = max(now - HOUR, self._forgiven.get(agent, now - HOUR))
            asked = self._asked[agent]
            open_now = seen.open | {key for key, (_, number) in asked.items() if number > seen.count}
            hour = sum(at > since for at, _ in asked.values())
        if len(open_now) < limits.open_max and hour < limits.per_hour_max:
            return None
        return Flooded(open=len(open_now), hour=hour, limits=limits)

    def asked(self, agent: str, approval: str, at: datetime) -> None:
        """One more question; counted once, however often it is said."""
        with self._lock:
            self._count(agent, approval, at)

    def _count(self, agent: str, approval: str, at: datetime) -> None:
        known = self._asked[agent]
        if approval not in known:
            self._total += 1
            known[approval] = (at, self._total)
        if len(known) > 2 * self._limits(agent).per_hour_max:
            self._asked[agent] = {key: row for key, row in known.items() if row[0] > at - HOUR}

    def agents(self) -> tuple[str, ...]:
        """Those that asked anything."""
        with self._lock:
            return tuple(self._asked)

    def forgive(self, agent: str, now: datetime) -> None:
        """A person let it go on: its hour begins anew."""
        self._forgiven[agent] = now
