"""The one judge: boundary result, room, grant and brake in, verdict out. Total and pure; most restrictive wins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from comptroller.core.action import ActionClass
from comptroller.core.approval import Approval, ApprovalState, GrantState, grant_conflict, stale
from comptroller.core.brake import Brake, BrakeState, Run, RunState
from comptroller.core.budget import BudgetState, Shortage, shortages
from comptroller.core.estimate import Estimate, Unit, usd_text
from comptroller.core.standing import Standing, rejected_now, releasing
from comptroller.core.verdict import (
    UNKNOWN_PRICE_RULE,
    BoundaryResult,
    Conflict,
    Obligation,
    Reason,
    Verdict,
    VerdictKind,
)

OBSERVED_CLASSES = frozenset({ActionClass.READ, ActionClass.WRITE, ActionClass.INFER, ActionClass.COMMUNICATE})
"""What an observed run may do on hosts that are not named for its agent."""
OBSERVED_RULE = "unnamed"
"""The one `forbid` an observed run looks past: that of the starter pack which denies what is not named."""


ASKING = Obligation(rule="")
"""Whom we ask where nobody configured whom."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """All that one judgement rests on, read under one lock. `approvals`: this run's for this digest, newest first.

    `cheap`: every class of the action is in `OBSERVED_CLASSES`, and neither its host nor its service is named.
    `targets`: the things it acts on and a word for the state of each. `waited`: the approval that this very call has
    waited for. `asking`: whom we ask about what no rule speaks of.
    `standing`: the standing grants whose pattern the action fits. `lapsed`: of `approvals`, those whose yes lost people
    it needs, who may not answer any more.
    """

    digest: str
    boundary: BoundaryResult
    estimate: Estimate
    budgets: tuple[BudgetState, ...]
    approvals: tuple[Approval, ...]
    brakes: tuple[Brake, ...]
    run: Run | None
    now: datetime
    cheap: bool = False
    targets: Mapping[str, str] = field(default_factory=dict)
    waited: str = ""
    asking: Obligation = ASKING
    standing: tuple[Standing, ...] = ()
    lapsed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The verdict, what an allow reserves, and the grant it uses up (once, or one time of a standing one). `pending`
    is the open question to join.

    `short` says that nothing but the size of the action stands against it: a smaller one may fit. `would_deny` says
    that the boundary denies it, and that it goes because its run is observed; reasons and rules are the denial's.
    """

    verdict: Verdict
    wanted: Mapping[Unit, int]
    grant: Approval | None = None
    pending: Approval | None = None
    short: bool = False
    would_deny: bool = False
    standing: Standing | None = None


def judge(case: Case) -> Judgement:
    """Decide one case. Never raises; whatever is not plainly allowed is denied or asked."""
    stopped = _stopped(case)
    if stopped is not None:
        return _deny(stopped)
    would_deny = case.boundary.kind is VerdictKind.DENY
    if would_deny and not _observed(case):
        return _deny(*case.boundary.reasons, rules=case.boundary.rules)
    obligations = _obligations(case)
    grant = _grant(case, obligations) if obligations else None
    wanted = _wanted(case.estimate, grant)
    if unbounded := _unbounded(case, grant):
        return _deny(*unbounded)
    short = shortages(case.budgets, wanted)
    if firm := [shortage for shortage in short if not shortage.asks]:
        denied = _deny(*(_short_reason(shortage) for shortage in firm))
        return replace(denied, short=all(shortage.state is not None for shortage in firm))
    if short:
        obligations = (*obligations, *(_excess(case, shortage) for shortage in short))
        grant = _grant(case, obligations)
        # The price may be unknown: the yes to the excess is the one whose ceiling is reserved.
        wanted = _wanted(case.estimate, grant) if grant is not None else wanted
        if grant is None or not _covered(shortages(case.budgets, wanted), obligations):
            return replace(_ask(case, obligations, wanted), short=True)
    standing = _standing(case, obligations, wanted) if obligations and grant is None else None
    if not obligations or grant is not None or standing is not None:
        rules = tuple(dict.fromkeys((*case.boundary.rules, *(item.rule for item in obligations))))
        return Judgement(
            verdict=Verdict(kind=VerdictKind.ALLOW, reasons=case.boundary.reasons, rules=rules),
            wanted=wanted,
            grant=grant,
            would_deny=would_deny,
            standing=standing,
        )
    return _ask(case, obligations, wanted)


def _stopped(case: Case) -> Reason | None:
    for brake in case.brakes:
        if brake.state is not BrakeState.FREE:
            return Reason(code=Conflict.FROZEN, text=f"`{brake.scope}` is {brake.state.value}: {brake.reason}")
    if case.run is None or case.run.state is not RunState.ACTIVE:
        return Reason(code="no_run", text="the run is not active")
    return None


def _observed(case: Case) -> bool:
    """True where an observed run goes on past the boundary: a cheap action, denied for being unnamed and nothing else.

    Any other `forbid`, an erring rule, an action nobody can read: these stay denied.
    """
    reasons = case.boundary.reasons
    return (
        case.cheap
        and case.run is not None
        and case.run.observed
        and bool(reasons)
        and all(
            reason.code == "no_permit" or (reason.code == "forbidden" and reason.rule == OBSERVED_RULE)
            for reason in reasons
        )
        and set(case.boundary.rules) <= {OBSERVED_RULE}
    )


def _obligations(case: Case) -> tuple[Obligation, ...]:
    if case.boundary.obligations or not case.estimate.unknown(Unit.USD_MICROS):
        return case.boundary.obligations
    return (replace(case.asking, rule=UNKNOWN_PRICE_RULE, reason="nobody can say what this costs"),)


def _excess(case: Case, shortage: Shortage) -> Obligation:
    """The question whether one action may go beyond a budget that lets people say so."""
    assert shortage.state is not None
    return replace(case.asking, rule=shortage.state.budget.rule, reason=_short_reason(shortage).text)


def _covered(short: tuple[Shortage, ...], obligations: tuple[Obligation, ...]) -> bool:
    """Whether people were asked about each of these budgets."""
    asked = {obligation.rule for obligation in obligations}
    return all(shortage.state is not None and shortage.state.budget.rule in asked for shortage in short)


def _grant(case: Case, obligations: tuple[Obligation, ...]) -> Approval | None:
    rules = {obligation.rule for obligation in obligations}
    for approval in case.approvals:
        conflict = grant_conflict(approval, digest=case.digest, slice_hash=case.boundary.slice_hash, now=case.now)
        priced = approval.ceiling_usd_micros is not None or not case.estimate.unknown(Unit.USD_MICROS)
        as_shown = stale(approval, case.estimate, case.targets) is None
        held = approval.id not in case.lapsed
        if conflict is None and rules <= set(approval.rules) and priced and as_shown and held:
            return approval
    return None


def _standing(case: Case, obligations: tuple[Obligation, ...], wanted: Mapping[Unit, int]) -> Standing | None:
    """The standing grant that answers every obligation, unless a person said no to this very action."""
    if case.run is None or rejected_now(case.approvals, case.now) or case.estimate.unknown(Unit.USD_MICROS):
        return None
    return releasing(
        case.standing,
        boundary=case.boundary,
        obligations=obligations,
        wanted_usd_micros=wanted.get(Unit.USD_MICROS, 0),
        owner=case.run.owner,
        now=case.now,
    )


def _wanted(estimate: Estimate, grant: Approval | None) -> dict[Unit, int]:
    wanted = {unit: bound.high for unit, bound in estimate.bounds.items() if bound.high is not None}
    if grant is not None and grant.ceiling_usd_micros is not None and estimate.unknown(Unit.USD_MICROS):
        wanted[Unit.USD_MICROS] = grant.ceiling_usd_micros
    return wanted


def _unbounded(case: Case, grant: Approval | None) -> list[Reason]:
    limited = {state.budget.unit for state in case.budgets}
    return [
        Reason(
            code=Conflict.BUDGET_EXCEEDED,
            text=f"a budget limits {unit.value} and nobody can say how much of it this takes",
        )
        for unit, bound in case.estimate.bounds.items()
        if bound.high is None
        and unit in limited
        and unit is not Unit.USD_MICROS
        # a standing rate is covered by the ceiling a person named for the whole term
        and not (unit is Unit.USD_MICROS_PER_HOUR and grant is not None)
    ]


def _short_reason(shortage: Shortage) -> Reason:
    unit = shortage.unit
    if shortage.state is None:
        return Reason(code="no_budget", text=f"no budget on the path limits {unit.value}: nothing may be spent")
    state = shortage.state
    show = usd_text if unit is Unit.USD_MICROS else str
    return Reason(
        code=Conflict.BUDGET_EXCEEDED,
        text=(
            f"needs up to {show(shortage.wanted)} {'' if show is usd_text else unit.value + ' '}of "
            f"`{state.budget.scope}` ({state.budget.window.value}), which has {show(max(state.room, 0))} left "
            f"of {show(state.budget.limit)}"
        ),
    )


def _ask(case: Case, obligations: tuple[Obligation, ...], wanted: Mapping[Unit, int]) -> Judgement:
    reasons = [
        Reason(code="approval", text=item.reason or f"rule `{item.rule}` wants a person", rule=item.rule)
        for item in obligations
    ]
    pending = next((each for each in case.approvals if _joins(case, each, obligations)), None)
    if (no := _said_no(case, pending)) is not None:
        return no
    if pending is not None and pending.delayed(case.now):
        reasons.append(Reason(code="delayed", text=f"{pending.answered_by} said yes, which holds from {_at(pending)}"))
    if pending is None and case.approvals and (why_not := _why_not(case, case.approvals[0])) is not None:
        reasons.append(why_not)
    verdict = Verdict(
        kind=VerdictKind.REQUIRE_APPROVAL,
        reasons=tuple(reasons),
        rules=tuple(item.rule for item in obligations),
        obligations=obligations,
    )
    return Judgement(verdict=verdict, wanted=wanted, pending=pending)


def _said_no(case: Case, pending: Approval | None) -> Judgement | None:
    """A no stands as long as its question would have; taking a question back answers only who waited for it."""
    for approval in case.approvals:
        if approval.state is ApprovalState.REJECTED and case.now < approval.expires_at:
            told = f": {approval.comment}" if approval.comment else ""
            if "narrowed" in approval.facts:
                text = f"{approval.answered_by} made it smaller{told}"
                return _deny(Reason(code=Conflict.NARROWED, text=text), rules=approval.rules)
            text = f"{approval.answered_by} said no ({approval.id}){told}"
            return _deny(Reason(code=Conflict.REJECTED, text=text), rules=approval.rules)
        if pending is None and approval.id == case.waited and approval.taken_back_by:
            why = f": {approval.taken_back_why}" if approval.taken_back_why else ""
            text = f"{approval.taken_back_by} took it back ({approval.id}){why}"
            return _deny(Reason(code="withdrawn", text=text), rules=approval.rules)
    return None


def _joins(case: Case, approval: Approval, obligations: tuple[Obligation, ...]) -> bool:
    """Whether `approval` is this very question, still open, or its yes waits to hold. One that shows less than the
    action takes now is none: its yes would release nothing."""
    is_open = approval.state is ApprovalState.PENDING and case.now < approval.expires_at
    return (
        (is_open or approval.delayed(case.now))
        and approval.id not in case.lapsed
        and approval.slice_hash == case.boundary.slice_hash
        and {item.rule for item in obligations} <= set(approval.rules)
        and stale(approval, case.estimate, case.targets) is None
    )


def _why_not(case: Case, approval: Approval) -> Reason | None:
    """Why the last yes does not release it, where there was one."""
    conflict = grant_conflict(approval, digest=case.digest, slice_hash=case.boundary.slice_hash, now=case.now)
    text = f"the earlier yes ({approval.id}) does not count"
    if approval.id in case.lapsed:
        return Reason(code=Conflict.EXPIRED, text=f"{text}: somebody who said it may not answer any more")
    if conflict is None or (conflict is Conflict.NOT_FOUND and approval.grant is GrantState.UNUSED):
        changed = stale(approval, case.estimate, case.targets)
        return None if changed is None else replace(changed, text=f"{text}: {changed.text}")
    if conflict is Conflict.NOT_FOUND:
        return None
    taken = f" ({approval.taken_back_by} took it back)" if approval.taken_back_by else ""
    return Reason(code=conflict, text=f"{text}: {conflict.value}{taken}")


def _at(approval: Approval) -> str:
    assert approval.usable_at is not None
    return approval.usable_at.strftime("%H:%M:%S UTC")


def _deny(*reasons: Reason, rules: tuple[str, ...] = ()) -> Judgement:
    verdict = Verdict(kind=VerdictKind.DENY, reasons=reasons, rules=rules)
    return Judgement(verdict=verdict, wanted={})
