"""The judge: total, most restrictive wins, a grant releases exactly what it was given for."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comptroller.core.approval import Approval, ApprovalState, GrantState, Vote
from comptroller.core.brake import Brake, BrakeState, Run, RunState
from comptroller.core.budget import THRESHOLD_PERCENTS, Account, Budget, BudgetState, OnExceed
from comptroller.core.estimate import Bound, Estimate, Unit
from comptroller.core.judge import Case, judge
from comptroller.core.verdict import BoundaryResult, Conflict, Obligation, Reason, VerdictKind
from comptroller.core.window import Window

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
DIGEST = "a1:" + "0" * 64
SLICE = "s1"
OBLIGATION = Obligation(rule="ask-provision", reason="machines cost money")
ASK = BoundaryResult(
    kind=VerdictKind.REQUIRE_APPROVAL, reasons=(), rules=("ask-provision",), slice_hash=SLICE, obligations=(OBLIGATION,)
)
LET = BoundaryResult(kind=VerdictKind.ALLOW, reasons=(), rules=("allow-read",), slice_hash=SLICE)
FORBID = BoundaryResult(
    kind=VerdictKind.DENY, reasons=(Reason(code="no_permit", text="no rule permits it"),), rules=(), slice_hash=SLICE
)
RUN = Run(
    id="r",
    agent="bot",
    owner="ann",
    path="acme/ml/bot/r",
    purpose="test",
    state=RunState.ACTIVE,
    started_at=NOW,
)


def budget(unit: Unit, limit: int, taken: int = 0) -> BudgetState:
    return BudgetState(
        budget=Budget(scope="acme", unit=unit, window=Window.TOTAL, limit=limit),
        start="",
        account=Account(dispatched=taken),
    )


def costs(**bounds: int | None) -> Estimate:
    return Estimate(bounds={Unit(unit): Bound(low=0, high=high) for unit, high in bounds.items()})


def grant(**changes: object) -> Approval:
    base = Approval(
        id="apr",
        run="r",
        agent="bot",
        owner="ann",
        digest=DIGEST,
        slice_hash=SLICE,
        operation="aws:ec2:RunInstances",
        obligations=(OBLIGATION,),
        sentence="start 1 x t3.micro",
        facts={},
        asked_at=NOW,
        expires_at=NOW + timedelta(hours=8),
        state=ApprovalState.APPROVED,
        votes=(Vote(person="ann", groups=frozenset({"approvers"}), at=NOW),),
        grant=GrantState.UNUSED,
        grant_expires_at=NOW + timedelta(minutes=30),
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def case(**changes: object) -> Case:
    base = Case(
        digest=DIGEST,
        boundary=ASK,
        estimate=costs(usd_micros=100, calls=1),
        budgets=(budget(Unit.USD_MICROS, 1000), budget(Unit.CALLS, 10)),
        approvals=(),
        brakes=(),
        run=RUN,
        now=NOW,
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def kind(**changes: object) -> VerdictKind:
    return judge(case(**changes)).verdict.kind


def codes(**changes: object) -> set[str]:
    return {reason.code for reason in judge(case(**changes)).verdict.reasons}


def test_asks_where_a_rule_wants_a_person() -> None:
    assert kind() is VerdictKind.REQUIRE_APPROVAL


def test_a_grant_lifts_the_question_and_is_named() -> None:
    judgement = judge(case(approvals=(grant(),)))
    assert judgement.verdict.allowed
    assert judgement.grant == grant()
    assert judgement.wanted == {Unit.USD_MICROS: 100, Unit.CALLS: 1}


@pytest.mark.parametrize(
    ("changes", "conflict"),
    [
        ({"grant": GrantState.USED}, Conflict.CONSUMED),
        ({"grant": GrantState.EXPIRED}, Conflict.EXPIRED),
        ({"grant": GrantState.REVOKED}, Conflict.EXPIRED),
        ({"grant_expires_at": NOW}, Conflict.EXPIRED),
        ({"slice_hash": "other"}, Conflict.RULES_CHANGED),
        ({"digest": "a1:" + "1" * 64}, Conflict.DIGEST_MISMATCH),
    ],
)
def test_a_grant_that_does_not_fit_asks_anew_and_says_why(changes: dict[str, object], conflict: Conflict) -> None:
    assert kind(approvals=(grant(**changes),)) is VerdictKind.REQUIRE_APPROVAL
    assert conflict.value in codes(approvals=(grant(**changes),))


def test_a_grant_for_fewer_rules_does_not_suffice() -> None:
    second = Obligation(rule="ask-execute")
    both = replace(ASK, obligations=(OBLIGATION, second))
    assert kind(boundary=both, approvals=(grant(),)) is VerdictKind.REQUIRE_APPROVAL


def test_a_no_stands_while_its_question_would_have_been_open() -> None:
    no = grant(state=ApprovalState.REJECTED, grant=GrantState.NONE, answered_by="ann", comment="too large")
    judgement = judge(case(approvals=(no,)))
    assert judgement.verdict.kind is VerdictKind.DENY
    assert "too large" in judgement.verdict.reasons[0].text
    assert kind(approvals=(no,), now=NOW + timedelta(hours=9)) is VerdictKind.REQUIRE_APPROVAL


def test_an_open_question_is_joined() -> None:
    open_question = grant(state=ApprovalState.PENDING, grant=GrantState.NONE, grant_expires_at=None)
    assert judge(case(approvals=(open_question,))).pending == open_question
    assert judge(case(approvals=(replace(open_question, slice_hash="old"),))).pending is None


@pytest.mark.parametrize("state", [BrakeState.FROZEN, BrakeState.KILLED])
@pytest.mark.parametrize("boundary", [ASK, LET])
def test_the_brake_beats_every_grant(state: BrakeState, boundary: BoundaryResult) -> None:
    brake = Brake(scope="acme/ml", state=state, reason="3 a.m.", by="ann", at=NOW)
    assert kind(boundary=boundary, approvals=(grant(),), brakes=(brake,)) is VerdictKind.DENY


@pytest.mark.parametrize("run", [None, replace(RUN, state=RunState.ENDED)])
def test_no_active_run_no_action(run: Run | None) -> None:
    assert kind(boundary=LET, run=run) is VerdictKind.DENY


def test_a_forbid_beats_a_grant() -> None:
    assert kind(boundary=FORBID, approvals=(grant(),)) is VerdictKind.DENY


def test_over_budget_is_denied_before_anyone_is_asked() -> None:
    short = (budget(Unit.USD_MICROS, 99), budget(Unit.CALLS, 10))
    assert kind(budgets=short) is VerdictKind.DENY
    assert codes(budgets=short) == {Conflict.BUDGET_EXCEEDED.value}
    assert kind(budgets=short, approvals=(grant(),)) is VerdictKind.DENY


def test_money_without_a_budget_row_is_denied() -> None:
    assert codes(budgets=(budget(Unit.CALLS, 10),)) == {"no_budget"}
    assert codes(budgets=(budget(Unit.USD_MICROS, 1000),)) == {"no_budget"}


def test_units_without_a_row_are_not_limited() -> None:
    assert kind(boundary=LET, estimate=costs(calls=1, tokens=10**9)) is VerdictKind.ALLOW


def test_an_unknown_bound_on_a_limited_unit_is_denied() -> None:
    limited = (budget(Unit.CALLS, 10), budget(Unit.TOKENS, 10))
    assert kind(boundary=LET, estimate=costs(calls=1, tokens=None), budgets=limited) is VerdictKind.DENY


def test_an_unknown_price_asks_even_where_policy_lets_go_and_the_ceiling_is_reserved() -> None:
    unknown = costs(calls=1, usd_micros=None)
    judgement = judge(case(boundary=LET, estimate=unknown))
    assert judgement.verdict.kind is VerdictKind.REQUIRE_APPROVAL
    named = grant(obligations=judgement.verdict.obligations, ceiling_usd_micros=700)
    allowed = judge(case(boundary=LET, estimate=unknown, approvals=(named,)))
    assert allowed.verdict.allowed
    assert allowed.wanted[Unit.USD_MICROS] == 700
    unnamed = replace(named, ceiling_usd_micros=None)
    assert kind(boundary=LET, estimate=unknown, approvals=(unnamed,)) is VerdictKind.REQUIRE_APPROVAL
    assert kind(boundary=LET, estimate=unknown, approvals=(replace(named, ceiling_usd_micros=1001),)) is (
        VerdictKind.DENY
    )


bounds = st.one_of(st.none(), st.integers(0, 10**12))


@given(
    boundary=st.sampled_from([ASK, LET, FORBID]),
    high=bounds,
    room=st.integers(0, 10**12),
    taken=st.integers(0, 10**12),
    state=st.sampled_from(list(GrantState)),
    brake=st.sampled_from(list(BrakeState)),
    same=st.booleans(),
    late=st.integers(-3600, 3600),
)
@settings(max_examples=400, deadline=None)
def test_never_more_than_facts_permit(
    boundary: BoundaryResult,
    high: int | None,
    room: int,
    taken: int,
    state: GrantState,
    brake: BrakeState,
    same: bool,
    late: int,
) -> None:
    given_grant = grant(grant=state, slice_hash=SLICE if same else "x", grant_expires_at=NOW + timedelta(seconds=late))
    judgement = judge(
        case(
            boundary=boundary,
            estimate=costs(usd_micros=high, calls=1),
            budgets=(budget(Unit.USD_MICROS, room, taken), budget(Unit.CALLS, 1)),
            approvals=(given_grant,),
            brakes=(Brake(scope="acme", state=brake, reason="", by="", at=NOW),),
        )
    )
    if judgement.verdict.allowed:
        assert brake is BrakeState.FREE
        assert boundary is not FORBID
        assert judgement.wanted[Unit.USD_MICROS] + taken <= room
        if boundary is ASK:
            assert state is GrantState.UNUSED and same and late > 0
    else:
        assert judgement.verdict.reasons
        assert not judgement.grant or not judgement.verdict.allowed


UNNAMED = replace(FORBID, reasons=(Reason(code="forbidden", text="not named", rule="unnamed"),), rules=("unnamed",))
WATCHED = replace(RUN, observed=True)


@pytest.mark.parametrize("boundary", [FORBID, UNNAMED])
def test_an_observed_run_goes_past_what_is_only_unnamed(boundary: BoundaryResult) -> None:
    judged = judge(case(boundary=boundary, run=WATCHED, cheap=True))
    assert judged.verdict.allowed and judged.would_deny
    assert (judged.verdict.rules, judged.verdict.reasons) == (boundary.rules, boundary.reasons)


@pytest.mark.parametrize(
    "changes",
    [
        {"run": RUN},
        {"cheap": False},
        {"boundary": replace(UNNAMED, rules=("unnamed", "mine"))},
        {"boundary": replace(UNNAMED, reasons=(*UNNAMED.reasons, Reason(code="forbidden", text="x", rule="mine")))},
        {"boundary": replace(FORBID, reasons=(Reason(code="policy_error", text="a rule erred"),))},
        {"boundary": replace(FORBID, reasons=())},
        {"brakes": (Brake(scope="acme", state=BrakeState.FROZEN, reason="odd", by="ann", at=NOW),)},
        {"budgets": (budget(Unit.USD_MICROS, 99), budget(Unit.CALLS, 10))},
        {"budgets": (budget(Unit.USD_MICROS, 1000),)},
        {"run": replace(WATCHED, state=RunState.ENDED)},
    ],
)
def test_an_observed_run_is_held_to_everything_else(changes: dict[str, object]) -> None:
    judged = judge(case(**{"boundary": UNNAMED, "run": WATCHED, "cheap": True, **changes}))
    assert judged.verdict.kind is VerdictKind.DENY and not judged.would_deny


def test_an_observed_run_still_asks_what_costs_nobody_knows() -> None:
    judged = judge(case(boundary=UNNAMED, run=WATCHED, cheap=True, estimate=costs(usd_micros=None, calls=1)))
    assert judged.verdict.kind is VerdictKind.REQUIRE_APPROVAL


# ---------------------------------------------------------------- what a budget asks about


def asking(limit: int, taken: int = 0) -> BudgetState:
    state = budget(Unit.USD_MICROS, limit, taken)
    return replace(state, budget=replace(state.budget, on_exceed=OnExceed.REQUIRE_APPROVAL))


def case_of(
    *budgets: BudgetState, wanted: int, boundary: BoundaryResult = LET, grants: tuple[Approval, ...] = ()
) -> Case:
    return Case(
        digest=DIGEST, boundary=boundary, estimate=costs(usd_micros=wanted), budgets=budgets, approvals=grants,
        brakes=(), run=RUN, now=NOW,
    )  # fmt: skip


def yes_to(*rules: str) -> Approval:
    return grant(obligations=tuple(Obligation(rule=rule) for rule in rules))


def test_a_budget_may_ask_instead_of_denying() -> None:
    judged = judge(case_of(asking(10, 8), wanted=5))
    assert judged.verdict.kind is VerdictKind.REQUIRE_APPROVAL and judged.short
    assert judged.verdict.rules == (asking(10).budget.rule,)
    assert "$0.000002 left" in judged.verdict.reasons[0].text


def test_a_yes_to_the_excess_raises_this_one_action_only() -> None:
    state = asking(10, 8)
    allowed = judge(case_of(state, wanted=5, grants=(yes_to(state.budget.rule),)))
    assert allowed.verdict.allowed and allowed.wanted == {Unit.USD_MICROS: 5} and allowed.grant is not None
    assert state.budget.rule in allowed.verdict.rules
    after = replace(state, account=Account(dispatched=13))
    used = replace(yes_to(state.budget.rule), grant=GrantState.USED)
    assert judge(case_of(after, wanted=1, grants=(used,))).verdict.kind is VerdictKind.REQUIRE_APPROVAL


def test_a_yes_to_the_action_is_none_to_the_excess() -> None:
    state = asking(10, 8)
    judged = judge(case_of(state, wanted=5, boundary=ASK, grants=(yes_to(OBLIGATION.rule),)))
    assert judged.verdict.kind is VerdictKind.REQUIRE_APPROVAL
    assert set(judged.verdict.rules) == {OBLIGATION.rule, state.budget.rule}
    both = judge(case_of(state, wanted=5, boundary=ASK, grants=(yes_to(OBLIGATION.rule, state.budget.rule),)))
    assert both.verdict.allowed


def test_one_budget_that_denies_outweighs_those_that_ask() -> None:
    firm = budget(Unit.USD_MICROS, 4)
    grants = (yes_to(asking(3).budget.rule),)
    assert judge(case_of(asking(3), firm, wanted=5, grants=grants)).verdict.kind is VerdictKind.DENY


def test_a_yes_to_the_excess_of_another_budget_does_not_count() -> None:
    state = asking(10, 8)
    other = yes_to(replace(state.budget, window=Window.DAY).rule)
    assert not judge(case_of(state, wanted=5, grants=(other,))).verdict.allowed


@given(limit=st.integers(0, 100), taken=st.integers(0, 120), amount=st.integers(0, 120))
def test_a_threshold_is_crossed_once(limit: int, taken: int, amount: int) -> None:
    state = budget(Unit.USD_MICROS, limit, taken)
    percent = state.crossed(amount)
    after = budget(Unit.USD_MICROS, limit, taken + amount)
    assert percent in (0, *THRESHOLD_PERCENTS)
    assert after.crossed(0) == 0
    if percent:
        assert taken * 100 < percent * limit <= (taken + amount) * 100
