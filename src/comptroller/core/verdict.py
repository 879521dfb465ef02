"""Verdicts and what leads to them: what the boundary said, whom it wants asked, and why something conflicts."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

APPROVERS_DEFAULT = "approvers"
TTL_SECONDS_DEFAULT = 30 * 60
EXPIRES_SECONDS_DEFAULT = 8 * 3600
"""How long a question stays open where its rule does not say; a grant's own time starts only at the yes."""
UNKNOWN_PRICE_RULE = "comptroller:unknown-price"


class VerdictKind(StrEnum):
    """The three outcomes, least restrictive first."""

    ALLOW = "allow"
    REQUIRE_APPROVAL = "require_approval"
    DENY = "deny"


class Conflict(StrEnum):
    """Why a grant or an answer does not apply."""

    NOT_FOUND = "not_found"
    REJECTED = "rejected"
    EXPIRED = "expired"
    CONSUMED = "consumed"
    DIGEST_MISMATCH = "digest_mismatch"
    RULES_CHANGED = "rules_changed"
    SELF_APPROVAL = "self_approval"
    BUDGET_EXCEEDED = "budget_exceeded"
    FROZEN = "frozen"
    NARROWED = "narrowed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One reason for a verdict. `code` is stable (a Conflict, `no_permit`, `no_budget`, `policy_error`, …)."""

    code: str
    text: str
    rule: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was decided, why, and by which rules. `obligations` are those still unmet when approval is required."""

    kind: VerdictKind
    reasons: tuple[Reason, ...]
    rules: tuple[str, ...] = ()
    obligations: tuple[Obligation, ...] = ()

    @property
    def allowed(self) -> bool:
        """True for an allow only."""
        return self.kind is VerdictKind.ALLOW


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """So many different people of one group. A stage is asked once the one before it is full."""

    group: str
    quorum: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Escalation:
    """A group that may answer as well once a question has been open for so long."""

    group: str
    after_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Obligation:
    """Whom a rule wants asked. `exclude` holds roles (`agent`, `owner`, `requester`, `author`) that may not answer;
    `assurance` is `passkey` where only a signed yes counts.

    `stages` are answered in order; without any, `quorum` people of `approvers` are asked. `delay_seconds`: how long a
    yes can be taken back before it releases anything. `expires_seconds`: how long the question stays open.
    """

    rule: str
    approvers: str = APPROVERS_DEFAULT
    quorum: int = 1
    exclude: frozenset[str] = frozenset({"agent"})
    ttl_seconds: int = TTL_SECONDS_DEFAULT
    reason: str = ""
    assurance: str = ""
    stages: tuple[Stage, ...] = ()
    delay_seconds: int = 0
    escalations: tuple[Escalation, ...] = ()
    expires_seconds: int = EXPIRES_SECONDS_DEFAULT

    @property
    def asked(self) -> tuple[Stage, ...]:
        """The stages in their order, at least one."""
        return self.stages or (Stage(group=self.approvers, quorum=self.quorum),)

    @property
    def people(self) -> int:
        """How many different people have to say yes."""
        return sum(stage.quorum for stage in self.asked)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shadowed:
    """A rule in shadow mode that would have changed a result, and to what (from an approval to one: by asking more)."""

    rule: str
    would: VerdictKind


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundaryResult:
    """What the Cedar policies say of one action. `slice_hash` identifies every rule that could have judged it.

    An `approval` result has been decided twice: with all its obligations granted it is an allow, by the rules in
    `permits`. `shadow` decides nothing.
    """

    kind: VerdictKind
    reasons: tuple[Reason, ...]
    rules: tuple[str, ...]
    slice_hash: str
    obligations: tuple[Obligation, ...] = ()
    shadow: tuple[Shadowed, ...] = ()
    permits: tuple[str, ...] = ()
