"""Approvals: the question to people about one held action, their votes, and the grant that a yes becomes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from comptroller.core.errors import ConflictError, UsageError
from comptroller.core.estimate import Estimate, Unit, usd_text
from comptroller.core.verdict import Conflict, Obligation, Reason
from comptroller.core.vote import (
    Assurance,
    Hat,
    Person,
    Standing,
    Voices,
    Vote,
    counting,
    escalated,
    groups_open,
    standing,
    voiced,
)

__all__ = [
    "Approval",
    "ApprovalState",
    "Assurance",
    "GrantState",
    "Hat",
    "Person",
    "Vote",
    "check_may_answer",
    "check_pending",
    "grant_conflict",
    "quorum_met",
    "rejected",
    "revoked",
    "stale",
    "still_met",
    "with_voices",
    "with_vote",
    "withdrawn",
]


class ApprovalState(StrEnum):
    """`pending -> approved | rejected | expired | withdrawn`."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


class GrantState(StrEnum):
    """`none` until a yes; then `unused -> used | expired | revoked`."""

    NONE = "none"
    UNUSED = "unused"
    USED = "used"
    EXPIRED = "expired"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """A question and, once answered, its grant. `facts` is what the person is shown (JSON values only).

    `requester` started the run and `author` last changed the policies, as far as is known when it was asked. `bounds`
    is the most the action was shown to take, None where nobody knew; `targets` is what the things it acts on were
    (name -> a word for their state). `usable_at` is when a yes can no longer be taken back for free and releases.
    `escalated` counts the escalations that were told. `taken_back_by` withdrew the question or revoked the yes.
    """

    id: str
    run: str
    agent: str
    owner: str
    digest: str
    slice_hash: str
    operation: str
    obligations: tuple[Obligation, ...]
    sentence: str
    facts: Mapping[str, object]
    asked_at: datetime
    expires_at: datetime
    price_unknown: bool = False
    state: ApprovalState = ApprovalState.PENDING
    votes: tuple[Vote, ...] = ()
    answered_at: datetime | None = None
    answered_by: str = ""
    comment: str = field(default="", compare=False)
    ceiling_usd_micros: int | None = None
    grant: GrantState = GrantState.NONE
    grant_expires_at: datetime | None = None
    requester: str = ""
    author: str = ""
    bounds: Mapping[Unit, int | None] = field(default_factory=dict)
    targets: Mapping[str, str] = field(default_factory=dict)
    usable_at: datetime | None = None
    escalated: int = 0
    taken_back_by: str = ""
    taken_back_at: datetime | None = None
    taken_back_why: str = field(default="", compare=False)

    @property
    def ttl_seconds(self) -> int:
        """How long a grant lives once it is usable: the shortest among the obligations."""
        return min(obligation.ttl_seconds for obligation in self.obligations)

    @property
    def delay_seconds(self) -> int:
        """How long a yes can be taken back before it releases: the longest among the obligations."""
        return max(obligation.delay_seconds for obligation in self.obligations)

    @property
    def rules(self) -> tuple[str, ...]:
        """The rules that asked."""
        return tuple(obligation.rule for obligation in self.obligations)

    @property
    def self_approved(self) -> bool:
        """True where the owner's own yes counted."""
        return any(vote.self_approved for vote in self.votes)

    @property
    def excluded(self) -> frozenset[str]:
        """Who may not answer: the agent, and whoever any of its rules excludes. Nobody answers in their name either."""
        names = {"owner": self.owner, "requester": self.requester, "author": self.author}
        roles = {role for obligation in self.obligations for role in obligation.exclude}
        return frozenset((self.agent, *(names[role] for role in roles if names.get(role))))

    def standing(self, obligation: Obligation) -> Standing:
        """How far `obligation` is answered."""
        return standing(obligation, self.votes, asked_at=self.asked_at, excluded=self.excluded)

    def groups_open(self, now: datetime) -> frozenset[str]:
        """Every group of which somebody may say yes now."""
        open_now = (groups_open(o, self.standing(o).stage, self.asked_at, now) for o in self.obligations)
        return frozenset().union(*open_now)

    def groups_told(self, now: datetime) -> frozenset[str]:
        """Every group that was asked so far: of the stages up to the present one, and of escalations that are due."""
        found: set[str] = set()
        for each in self.obligations:
            found |= {stage.group for stage in each.asked[: self.standing(each).stage + 1]}
            found |= {late.group for late in escalated(each, self.asked_at, now)}
        return frozenset(found)

    def delayed(self, now: datetime) -> bool:
        """Whether people said yes and it can still be taken back before it releases anything."""
        return self.grant is GrantState.UNUSED and self.usable_at is not None and now < self.usable_at


# ---------------------------------------------------------------- who may answer


def check_may_answer(approval: Approval, person: Person, now: datetime, hats: Sequence[Hat] = ()) -> None:
    """Raise `ConflictError` unless `person` may say yes now, or has. `hats` are those they may wear as a deputy."""
    _check_not_excluded(approval, person)
    told = approval.groups_told(now)
    own = _hats(approval, person, hats)
    if any(hat.groups & told for hat in own):
        return
    later = {stage.group for each in approval.obligations for stage in each.asked} - told
    if waiting := sorted(group for hat in own for group in hat.groups & later):
        raise ConflictError(
            f"`{waiting[0]}` is asked once {_groups(told)} said yes: it is not your turn yet",
            kind=Conflict.NOT_FOUND,
            hint="comptroller approvals show tells how far it is answered",
        )
    raise ConflictError(
        f"`{person.name}` is in none of the groups that may answer: {', '.join(sorted(told))}",
        kind=Conflict.NOT_FOUND,
        hint=f"add a group to people.{person.name}.groups in comptroller.yaml",
    )


def _check_not_excluded(approval: Approval, person: Person) -> None:
    if person.name in approval.excluded:
        raise ConflictError(
            f"`{person.name}` may not answer for agent `{approval.agent}`: the rule excludes them",
            kind=Conflict.SELF_APPROVAL,
            hint="another member of the group has to answer",
        )


def _hats(approval: Approval, person: Person, hats: Sequence[Hat]) -> tuple[Hat, ...]:
    """Their own first, then those of whom they stand for; nobody stands for whoever is excluded."""
    own = Hat(groups=person.groups)
    return (own, *(hat for hat in hats if hat.stands_for not in approval.excluded | {person.name}))


def _groups(names: frozenset[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names))


def check_pending(approval: Approval, now: datetime) -> None:
    """Raise `ConflictError` unless the question is still open at `now`."""
    if approval.state is ApprovalState.PENDING and now < approval.expires_at:
        return
    kind = {ApprovalState.REJECTED: Conflict.REJECTED, ApprovalState.APPROVED: Conflict.CONSUMED}.get(
        approval.state, Conflict.EXPIRED
    )
    state = "expired" if approval.state is ApprovalState.PENDING else approval.state.value
    by = approval.answered_by or approval.taken_back_by
    raise ConflictError(f"approval `{approval.id}` is already {state}{f' by {by}' if by else ''}", kind=kind)


# ---------------------------------------------------------------- answers


def with_vote(
    approval: Approval, person: Person, now: datetime, *, ceiling: int | None, comment: str, hats: Sequence[Hat] = ()
) -> Approval:
    """`approval` after one more yes; it becomes approved when every obligation has all its people.

    Of `hats`, the first that counts is worn. Raises `ConflictError` where the person may not answer, their yes counts
    for nothing, or an unknown price lacks its ceiling.
    """
    check_pending(approval, now)
    check_may_answer(approval, person, now, hats)
    _check_signed_this(approval, person)
    if approval.price_unknown and ceiling is None and approval.ceiling_usd_micros is None:
        raise ConflictError(
            "the cost of this action is not known: a yes must name the most it may cost",
            kind=Conflict.BUDGET_EXCEEDED,
            hint=f"comptroller approvals approve {approval.id} --ceiling-usd AMOUNT",
        )
    votes = _more_votes(approval, person, now, comment, hats)
    ceilings = [c for c in (approval.ceiling_usd_micros, ceiling) if c is not None]
    voted = replace(approval, votes=votes, ceiling_usd_micros=min(ceilings) if ceilings else None)
    if not all(voted.standing(obligation).full for obligation in approval.obligations):
        return voted
    usable_at = now + timedelta(seconds=approval.delay_seconds)
    return replace(
        voted,
        state=ApprovalState.APPROVED,
        answered_at=now,
        answered_by=votes[-1].by,
        comment=comment,
        grant=GrantState.UNUSED,
        usable_at=usable_at,
        grant_expires_at=usable_at + timedelta(seconds=approval.ttl_seconds),
    )


def _check_signed_this(approval: Approval, person: Person) -> None:
    """Raise `ConflictError` for a signature over anything but this question; that it holds was verified before."""
    signed = person.proof.get("document")
    if person.assurance is Assurance.PASSKEY and not (
        isinstance(signed, Mapping) and (signed.get("approval"), signed.get("digest")) == (approval.id, approval.digest)
    ):
        raise ConflictError(
            "the passkey signed another question than this one",
            kind=Conflict.DIGEST_MISMATCH,
            hint="open the question again and sign it there",
        )


def _more_votes(
    approval: Approval, person: Person, now: datetime, comment: str, hats: Sequence[Hat]
) -> tuple[Vote, ...]:
    """The votes with this person's added, in the first hat in which it counts. Raises `ConflictError`."""
    for hat in _hats(approval, person, hats):
        vote = Vote(
            person=person.name,
            groups=hat.groups,
            at=now,
            self_approved=approval.owner in (person.name, hat.stands_for),
            comment=comment,
            assurance=person.assurance,
            proof=person.proof,
            stands_for=hat.stands_for,
        )
        counted = counting(
            approval.obligations, (*approval.votes, vote), asked_at=approval.asked_at, excluded=approval.excluded
        )
        if vote in counted:
            return counted
    wanting = [o for o in approval.obligations if o.assurance and not approval.standing(o).full]
    if wanting and person.assurance is not Assurance.PASSKEY:
        raise ConflictError(
            f"rule `{wanting[0].rule}` wants a yes signed with a passkey: this one does not count",
            kind=Conflict.NOT_FOUND,
            hint="comptroller approvals open, and answer there with your passkey",
        )
    if any(vote.person == person.name for vote in approval.votes):
        return approval.votes
    said = next((v for v in approval.votes if v.seat == person.name or v.seat in {h.stands_for for h in hats}), None)
    raise ConflictError(
        f"the yes of `{person.name}` adds nothing: {f'{said.by} said it' if said else 'other people are asked now'}",
        kind=Conflict.NOT_FOUND,
        hint=f"asked now: {', '.join(sorted(approval.groups_open(now)))}",
    )


def quorum_met(approval: Approval, obligation: Obligation) -> bool:
    """True when every stage of the obligation has its people."""
    return approval.standing(obligation).full


def still_met(approval: Approval, voice_of: Voices) -> bool:
    """Whether a yes still stands: every obligation has its people also by those who may answer now."""
    left = with_voices(approval, voice_of)
    return all(quorum_met(left, obligation) for obligation in approval.obligations)


def with_voices(approval: Approval, voice_of: Voices) -> Approval:
    """`approval` with the votes that count now."""
    return replace(approval, votes=voiced(approval.votes, voice_of))


def rejected(approval: Approval, person: Person, now: datetime, *, comment: str, hats: Sequence[Hat] = ()) -> Approval:
    """`approval` after a no: one is enough, and it says why, since the agent is told. Raises `ConflictError`, and
    `UsageError` where nothing is said."""
    check_pending(approval, now)
    check_may_answer(approval, person, now, hats)
    if not comment.strip():
        raise UsageError(
            "a no needs a reason: the agent is told it and can act on it",
            hint=f'comptroller approvals reject {approval.id} --comment "use the smaller machine"',
        )
    told = approval.groups_told(now)
    hat = next(hat for hat in _hats(approval, person, hats) if hat.groups & told)
    by = f"{person.name} for {hat.stands_for}" if hat.stands_for else person.name
    return replace(approval, state=ApprovalState.REJECTED, answered_at=now, answered_by=by, comment=comment)


# ---------------------------------------------------------------- taking back


def withdrawn(approval: Approval, person: Person, now: datetime, *, comment: str, hats: Sequence[Hat] = ()) -> Approval:
    """`approval` with its question taken back. Raises `ConflictError`."""
    if approval.grant is GrantState.UNUSED:
        raise ConflictError(
            f"approval `{approval.id}` is already approved",
            kind=Conflict.CONSUMED,
            hint=f"comptroller approvals revoke {approval.id}",
        )
    check_pending(approval, now)
    _check_may_take_back(approval, person, hats)
    return _taken_back(replace(approval, state=ApprovalState.WITHDRAWN), person, now, comment)


def revoked(approval: Approval, person: Person, now: datetime, *, comment: str, hats: Sequence[Hat] = ()) -> Approval:
    """`approval` with its unused yes taken back, in its delay or later. Raises `ConflictError`."""
    if approval.state is ApprovalState.PENDING:
        raise ConflictError(
            f"approval `{approval.id}` has no yes that could be revoked",
            kind=Conflict.NOT_FOUND,
            hint=f"comptroller approvals withdraw {approval.id}, or reject it",
        )
    if approval.grant is not GrantState.UNUSED:
        kind = Conflict.CONSUMED if approval.grant is GrantState.USED else Conflict.EXPIRED
        state = approval.state if approval.grant is GrantState.NONE else approval.grant
        raise ConflictError(f"approval `{approval.id}` is {state.value}: there is nothing to revoke", kind=kind)
    _check_may_take_back(approval, person, hats)
    return _taken_back(replace(approval, grant=GrantState.REVOKED), person, now, comment)


def _taken_back(approval: Approval, person: Person, now: datetime, comment: str) -> Approval:
    return replace(approval, taken_back_by=person.name, taken_back_at=now, taken_back_why=comment)


def may_take_back(approval: Approval, person: Person, hats: Sequence[Hat] = ()) -> bool:
    """Whether `person` may withdraw the question or take its yes back."""
    try:
        _check_may_take_back(approval, person, hats)
    except ConflictError:
        return False
    return True


def _check_may_take_back(approval: Approval, person: Person, hats: Sequence[Hat]) -> None:
    """Raise `ConflictError` unless they own the agent, started the run, or are asked at any stage. It only stops."""
    asked = {stage.group for each in approval.obligations for stage in each.asked}
    asked |= {late.group for each in approval.obligations for late in each.escalations}
    theirs = person.groups.union(*(hat.groups for hat in hats))
    if person.name == approval.agent or not (person.name in (approval.owner, approval.requester) or theirs & asked):
        raise ConflictError(
            f"`{person.name}` neither owns agent `{approval.agent}` nor may answer for it",
            kind=Conflict.NOT_FOUND,
            hint=f"its owner `{approval.owner}` can, and who is in {', '.join(sorted(asked))}",
        )


# ---------------------------------------------------------------- using a grant


def grant_conflict(approval: Approval, *, digest: str, slice_hash: str, now: datetime) -> Conflict | None:
    """Why `approval` does not release an action with this digest under these rules now; None where it does."""
    if approval.digest != digest:
        return Conflict.DIGEST_MISMATCH
    match approval.grant:
        case GrantState.USED:
            return Conflict.CONSUMED
        case GrantState.EXPIRED | GrantState.REVOKED:
            return Conflict.EXPIRED
        case GrantState.NONE:
            return Conflict.REJECTED if approval.state is ApprovalState.REJECTED else Conflict.NOT_FOUND
        case GrantState.UNUSED:
            if approval.grant_expires_at is None or now >= approval.grant_expires_at:
                return Conflict.EXPIRED
            if approval.slice_hash != slice_hash:
                return Conflict.RULES_CHANGED
            return Conflict.NOT_FOUND if approval.delayed(now) else None


def stale(approval: Approval, estimate: Estimate, targets: Mapping[str, str]) -> Reason | None:
    """What is no longer as people were shown it: a higher price, or a thing that became another. None where all is.

    A cost nobody knew is bounded by the ceiling they named.
    """
    ceiling = approval.ceiling_usd_micros
    for unit, shown in approval.bounds.items():
        most = ceiling if shown is None and unit is Unit.USD_MICROS else shown
        if most is not None and estimate.unknown(unit) and (unit is not Unit.USD_MICROS or ceiling is None):
            return Reason(code=Conflict.BUDGET_EXCEEDED, text=f"nobody can say now how much {unit.value} it takes")
        if most is not None and (high := estimate.high(unit)) is not None and high > most:
            return _dearer(unit, high, most)
    if approval.bounds and (more := [unit for unit in estimate.bounds if unit not in approval.bounds]):
        return Reason(code=Conflict.BUDGET_EXCEEDED, text=f"it takes {more[0].value} now, which people were not shown")
    for name, was in approval.targets.items():
        if targets.get(name, "") != was:
            text = f"`{name}` is not what it was when people were asked: {was} then, {targets.get(name) or 'gone'} now"
            return Reason(code=Conflict.DIGEST_MISMATCH, text=text)
    return None


def _dearer(unit: Unit, now: int, shown: int) -> Reason:
    dollars = unit in (Unit.USD_MICROS, Unit.USD_MICROS_PER_HOUR)
    hourly = " an hour" if unit is Unit.USD_MICROS_PER_HOUR else ""
    of = "" if dollars else f" {unit.value}"
    words = [f"{usd_text(each) if dollars else f'{each:,}'}{of}{hourly}" for each in (now, shown)]
    if words[0] == words[1]:
        words = [f"{each:,} {unit.value}" for each in (now, shown)]
    text = f"it costs up to {words[0]} now, and the yes was for at most {words[1]}"
    return Reason(code=Conflict.BUDGET_EXCEEDED, text=text)
