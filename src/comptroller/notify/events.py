"""Which entries of the log people can be told of, and as what."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from comptroller.core.approval import Approval
from comptroller.core.config_notify import Event
from comptroller.notify.routes import News

EVENT_OF: Mapping[str, Event] = {
    "action.held": Event.ASKED,
    "approval.escalated": Event.ESCALATED,
    "approval.approved": Event.ANSWERED,
    "approval.rejected": Event.ANSWERED,
    "approval.narrowed": Event.ANSWERED,
    "approval.withdrawn": Event.ANSWERED,
    "approval.revoked": Event.ANSWERED,
    "approval.expired": Event.EXPIRED,
    "budget.threshold": Event.THRESHOLD,
    "budget.suspense_high": Event.SUSPENSE,
    "brake.frozen": Event.FROZEN,
    "brake.thawed": Event.THAWED,
    "brake.killed": Event.KILLED,
    "holding.marked": Event.HOLDING,
    "holding.overrun": Event.HOLDING,
    "holding.drift": Event.HOLDING,
    "store.recovered": Event.STORE,
    "config.refused": Event.CONFIGURATION,
    "delivery.failed": Event.UNDELIVERED,
}
"""Entry kind -> event. The loss of the store has no entry and is told past the outbox."""
FLOOD = "question_flood"
LOST = ("store.lost", "store.outage")


def event_of(kind: str, body: Mapping[str, object]) -> Event | None:
    """What an entry is news of; None where it is none."""
    if kind.startswith("brake.") and body.get("finding") == FLOOD:
        return Event.FLOOD
    return EVENT_OF.get(kind)


def news_of(event: Event, agent: str, approval: Approval | None, now: datetime) -> News:
    """What routes look at."""
    if approval is None:
        return News(event=event, agent=agent)
    usd, classes = approval.facts.get("usd_micros_high"), approval.facts.get("classes")
    return News(
        event=event,
        agent=approval.agent,
        groups=groups_of(approval, now),
        classes=frozenset(map(str, classes)) if isinstance(classes, list | tuple) else frozenset(),
        usd_micros=None if approval.price_unknown else usd if isinstance(usd, int) else 0,
    )


def groups_of(approval: Approval, now: datetime) -> frozenset[str]:
    """Every group that is asked by now."""
    return approval.groups_told(now)
