"""How people are asked besides what a rule says: how much an agent may ask, and who stands in for whom. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from comptroller.core.vote import Hat

OPEN_MAX_DEFAULT = 20
PER_HOUR_MAX_DEFAULT = 60
DEPUTY_DAYS_MAX = 92
"""How long one may make oneself a deputy: a holiday, not a change of who is responsible."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionLimits:
    """How many questions of one agent may wait for people at a time, and how many it may ask within an hour."""

    open_max: int = OPEN_MAX_DEFAULT
    per_hour_max: int = PER_HOUR_MAX_DEFAULT


@dataclass(frozen=True, slots=True, kw_only=True)
class Deputy:
    """`person` may answer for `stands_for` from `since` until `until`: in all groups of theirs, or in `groups` alone.

    `id` is the document by which it was made; empty where it is configured.
    """

    person: str
    stands_for: str
    since: datetime
    until: datetime
    groups: frozenset[str] | None = None
    id: str = ""

    def holds(self, now: datetime) -> bool:
        """Whether it is in force."""
        return self.since <= now < self.until

    def body(self) -> dict[str, object]:
        """The body of its document."""
        return {
            "v": 1,
            "person": self.person,
            "of": self.stands_for,
            "from": self.since.isoformat(),
            "until": self.until.isoformat(),
            "groups": None if self.groups is None else sorted(self.groups),
        }


def deputy_of(body: Mapping[str, object], document: str) -> Deputy | None:
    """The deputy in a document's body; None for one that this version cannot read, which then counts for nothing."""
    groups = body.get("groups")
    if body.get("v") != 1 or not (groups is None or isinstance(groups, list)):
        return None
    return Deputy(
        person=str(body["person"]),
        stands_for=str(body["of"]),
        since=datetime.fromisoformat(str(body["from"])),
        until=datetime.fromisoformat(str(body["until"])),
        groups=None if groups is None else frozenset(map(str, groups)),
        id=document,
    )


def hats_of(
    person: str, deputies: Iterable[Deputy], groups_of: Callable[[str], frozenset[str]], now: datetime
) -> tuple[Hat, ...]:
    """In whose place `person` may answer at `now`, by name. Nobody hands on what they only hold for another."""
    hats: dict[str, frozenset[str]] = {}
    for deputy in deputies:
        if deputy.person == person != deputy.stands_for and deputy.holds(now):
            theirs = groups_of(deputy.stands_for)
            given = theirs if deputy.groups is None else theirs & deputy.groups
            hats[deputy.stands_for] = hats.get(deputy.stands_for, frozenset()) | given
    return tuple(Hat(stands_for=name, groups=groups) for name, groups in sorted(hats.items()) if groups)
