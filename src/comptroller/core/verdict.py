"""Verdicts and what leads to them: what the boundary said, whom it wants asked, and why something conflicts."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

APPROVERS_DEFAULT = "approvers"
TTL_SECONDS_DEFAULT = 30 * 60
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
class Obligation:
    """Whom a rule wants asked. `exclude` holds roles (`agent`, `owner`) that may not answer; `assurance` is `passkey`
    where only a signed yes counts."""

    rule: str
    approvers: str = APPROVERS_DEFAULT
    quorum: int = 1
    exclude: frozenset[str] = frozenset({"agent"})
    ttl_seconds: int = TTL_SECONDS_DEFAULT
    reason: str = ""
    assurance: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shadowed:
    """A rule in shadow mode that would have changed a result, and to what (from an approval to one: by asking more)."""

    rule: str
    would: VerdictKind


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundaryResult:
    """What the Cedar policies say of one action. `slice_hash` identifies every rule that could have judged it.

    An `approval` result has been decided twice: with all its obligations granted it is an allow. `shadow` decides
    nothing.
    """

    kind: VerdictKind
    reasons: tuple[Reason, ...]
    rules: tuple[str, ...]
    slice_hash: str
    obligations: tuple[Obligation, ...] = ()
    shadow: tuple[Shadowed, ...] = ()
