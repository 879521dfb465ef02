"""Who counts: people, their votes, and how far the votes fill what a rule asks for. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from comptroller.core.verdict import Escalation, Obligation


class Assurance(StrEnum):
    """How sure it is that the person themselves answers: by the kernel's word, a signed-in browser, an API token, a
    chat tool, or a passkey that signed this very question."""

    SOCKET = "socket"
    SESSION = "session"
    TOKEN = "token"  # noqa: S105 (a kind)
    CHAT = "chat"
    PASSKEY = "passkey"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Who answers. `name` is the configured person, `via` how they were recognised (`uid:1000`, `page`). `proof` is
    what a passkey signed (JSON values only), empty without one."""

    name: str
    groups: frozenset[str]
    via: str
    assurance: Assurance = Assurance.SOCKET
    proof: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hat:
    """For whom somebody may answer, and in which groups: as the deputy of `stands_for`, or (empty) as themselves."""

    groups: frozenset[str]
    stands_for: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """One person's yes, in the place of `stands_for` where that is set; `groups` are those of whom it is for.

    `self_approved` marks the owner's own, also by a deputy of theirs.
    """

    person: str
    groups: frozenset[str]
    at: datetime
    self_approved: bool = False
    comment: str = ""
    assurance: Assurance = Assurance.SOCKET
    proof: Mapping[str, object] = field(default_factory=dict)
    stands_for: str = ""

    @property
    def by(self) -> str:
        """`ann`, or `ann for ben`."""
        return f"{self.person} for {self.stands_for}" if self.stands_for else self.person

    @property
    def seat(self) -> str:
        """Whose voice it is: nobody's counts twice, whoever raises it."""
        return self.stands_for or self.person


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How far one obligation is answered: which votes count, stage by stage. `stage` is the one being asked, counted
    from 0; the number of stages where all are full."""

    stages: tuple[tuple[Vote, ...], ...]
    stage: int

    @property
    def full(self) -> bool:
        """Whether nobody has to be asked any more."""
        return self.stage == len(self.stages)

    @property
    def votes(self) -> tuple[Vote, ...]:
        """All that count."""
        return tuple(vote for stage in self.stages for vote in stage)


def groups_open(obligation: Obligation, stage: int, asked_at: datetime, now: datetime) -> frozenset[str]:
    """The groups that may answer `stage` at `now`: its own, and those to which the question has escalated."""
    if stage >= len(obligation.asked):
        return frozenset()
    late = (each.group for each in escalated(obligation, asked_at, now))
    return frozenset((obligation.asked[stage].group, *late))


def escalated(obligation: Obligation, asked_at: datetime, now: datetime) -> tuple[Escalation, ...]:
    """What of an obligation's escalations is due at `now`."""
    return tuple(e for e in obligation.escalations if now >= asked_at + timedelta(seconds=e.after_seconds))


def standing(
    obligation: Obligation, votes: Sequence[Vote], *, asked_at: datetime, excluded: Collection[str]
) -> Standing:
    """Count `votes`, in the order they were given.

    In one obligation a person counts once, whatever hats they wear, and a seat counts once, whoever sits on it. A vote
    counts for the stage that was open when it was given. Nobody in `excluded` counts, nor whoever stands for them.
    """
    asked = obligation.asked
    counted: list[list[Vote]] = [[] for _ in asked]
    people: set[str] = set()
    stage = 0
    for vote in votes:
        if stage == len(asked):
            break
        # INVARIANT: among the votes that count, nobody's name stands twice, as a voter or as who is stood for.
        if {vote.person, vote.seat} & (people | set(excluded)) or not _assured(obligation, vote):
            continue
        if not vote.groups & groups_open(obligation, stage, asked_at, vote.at):
            continue
        counted[stage].append(vote)
        people |= {vote.person, vote.seat}
        if len(counted[stage]) == asked[stage].quorum:
            stage += 1
    return Standing(stages=tuple(map(tuple, counted)), stage=stage)


def _assured(obligation: Obligation, vote: Vote) -> bool:
    """A passkey's signature where one is demanded; it was verified before it became a vote."""
    return not obligation.assurance or (vote.assurance is Assurance.PASSKEY and bool(vote.proof))


Voices = Callable[[str], frozenset[str] | None]
"""The groups in whose name a person may answer now; None for who may answer nothing any more."""


def voiced(votes: Iterable[Vote], voice_of: Voices) -> tuple[Vote, ...]:
    """What is left of `votes` now: each in the groups that its seat still has, where who gave it may still answer."""
    found = []
    for vote in votes:
        groups = voice_of(vote.seat)
        if groups is not None and voice_of(vote.person) is not None and vote.groups & groups:
            found.append(replace(vote, groups=vote.groups & groups))
    return tuple(found)


def counting(
    obligations: Iterable[Obligation], votes: Sequence[Vote], *, asked_at: datetime, excluded: Collection[str]
) -> tuple[Vote, ...]:
    """Those of `votes` that count for any of the obligations, in their order."""
    found = [standing(each, votes, asked_at=asked_at, excluded=excluded).votes for each in obligations]
    return tuple(vote for vote in votes if any(any(vote is one for one in votes_of) for votes_of in found))
