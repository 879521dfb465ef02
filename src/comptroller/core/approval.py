"""Approvals: the question to people about one held action, their votes, and the grant that a yes becomes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from comptroller.core.errors import ConflictError
from comptroller.core.verdict import Conflict, Obligation


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
class Vote:
    """One person's yes. `self_approved` marks an owner who answered for their own agent."""

    person: str
    groups: frozenset[str]
    at: datetime
    self_approved: bool = False
    comment: str = ""
    assurance: Assurance = Assurance.SOCKET
    proof: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """A question and, once answered, its grant. `facts` is what the person is shown (JSON values only)."""

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

    @property
    def ttl_seconds(self) -> int:
        """How long a grant lives, counted from the yes: the shortest among the obligations."""
        return min(obligation.ttl_seconds for obligation in self.obligations)

    @property
    def rules(self) -> tuple[str, ...]:
        """The rules that asked."""
        return tuple(obligation.rule for obligation in self.obligations)

    @property
    def self_approved(self) -> bool:
        """True where the owner's own yes counted."""
        return any(vote.self_approved for vote in self.votes)


def check_may_answer(approval: Approval, person: Person) -> None:
    """Raise `ConflictError` unless `person` may answer at least one obligation and none excludes them."""
    excluded = {role for obligation in approval.obligations for role in obligation.exclude}
    if person.name == approval.agent or ("owner" in excluded and person.name == approval.owner):
        raise ConflictError(
            f"`{person.name}` may not answer for agent `{approval.agent}`: the rule excludes them",
            kind=Conflict.SELF_APPROVAL,
            hint="another member of the group has to answer",
        )
    groups = {obligation.approvers for obligation in approval.obligations}
    if not groups & person.groups:
        raise ConflictError(
            f"`{person.name}` is in none of the groups that may answer: {', '.join(sorted(groups))}",
            kind=Conflict.NOT_FOUND,
            hint=f"add a group to people.{person.name}.groups in comptroller.yaml",
        )


def check_pending(approval: Approval, now: datetime) -> None:
    """Raise `ConflictError` unless the question is still open at `now`."""
    if approval.state is ApprovalState.PENDING and now < approval.expires_at:
        return
    kind = {ApprovalState.REJECTED: Conflict.REJECTED, ApprovalState.APPROVED: Conflict.CONSUMED}.get(
        approval.state, Conflict.EXPIRED
    )
    state = "expired" if approval.state is ApprovalState.PENDING else approval.state.value
    raise ConflictError(f"approval `{approval.id}` is already {state}", kind=kind)


def with_vote(approval: Approval, person: Person, now: datetime, *, ceiling: int | None, comment: str) -> Approval:
    """`approval` after one more yes; it becomes approved when every obligation has its quorum of distinct people.

    Raises `ConflictError` where the person may not answer, or an unknown price lacks its ceiling.
    """
    check_pending(approval, now)
    check_may_answer(approval, person)
    if approval.price_unknown and ceiling is None and approval.ceiling_usd_micros is None:
        raise ConflictError(
            "the cost of this action is not known: a yes must name the most it may cost",
            kind=Conflict.BUDGET_EXCEEDED,
            hint=f"comptroller approvals approve {approval.id} --ceiling-usd AMOUNT",
        )
    vote = Vote(
        person=person.name,
        groups=person.groups,
        at=now,
        self_approved=person.name == approval.owner,
        comment=comment,
        assurance=person.assurance,
        proof=person.proof,
    )
    votes = (*(v for v in approval.votes if v.person != person.name), vote)
    ceilings = [c for c in (approval.ceiling_usd_micros, ceiling) if c is not None]
    voted = replace(approval, votes=votes, ceiling_usd_micros=min(ceilings) if ceilings else None)
    if not all(quorum_met(obligation, votes) for obligation in approval.obligations):
        return voted
    return replace(
        voted,
        state=ApprovalState.APPROVED,
        answered_at=now,
        answered_by=person.name,
        comment=comment,
        grant=GrantState.UNUSED,
        grant_expires_at=now + timedelta(seconds=approval.ttl_seconds),
    )


def quorum_met(obligation: Obligation, votes: tuple[Vote, ...]) -> bool:
    """True when enough distinct members of the obligation's group said yes."""
    return len({vote.person for vote in votes if obligation.approvers in vote.groups}) >= obligation.quorum


def rejected(approval: Approval, person: Person, now: datetime, *, comment: str) -> Approval:
    """`approval` after a no: one is enough. Raises `ConflictError`."""
    check_pending(approval, now)
    check_may_answer(approval, person)
    return replace(
        approval,
        state=ApprovalState.REJECTED,
        answered_at=now,
        answered_by=person.name,
        comment=comment,
    )


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
            return Conflict.RULES_CHANGED if approval.slice_hash != slice_hash else None
