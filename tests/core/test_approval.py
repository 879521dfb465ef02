"""A yes and what it is bound to: its delay, its taking back, and everything that must still be as it was shown."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from test_judge import ASK, NOW, OBLIGATION, SLICE, budget, case, costs, grant

from comptroller.core.approval import Approval, ApprovalState, GrantState, Person, rejected, revoked, withdrawn
from comptroller.core.errors import ConflictError, UsageError
from comptroller.core.estimate import Unit
from comptroller.core.judge import judge
from comptroller.core.verdict import Conflict, Obligation, VerdictKind

BEN = Person(name="ben", groups=frozenset({"approvers"}), via="uid:1")
SHOWN = {Unit.USD_MICROS: 100, Unit.CALLS: 1}


def pending(**changes: object) -> Approval:
    return replace(
        grant(state=ApprovalState.PENDING, grant=GrantState.NONE, grant_expires_at=None, votes=()), **changes
    )  # type: ignore[arg-type]


def told(**changes: object) -> str:
    judgement = judge(case(**changes))
    assert not judgement.verdict.allowed
    return "; ".join(reason.text for reason in judgement.verdict.reasons)


def test_a_yes_holds_for_the_price_that_was_shown_or_less() -> None:
    yes = grant(bounds=SHOWN)
    assert judge(case(approvals=(yes,))).grant == yes
    assert judge(case(approvals=(yes,), estimate=costs(usd_micros=99, calls=1))).grant == yes
    dearer = case(approvals=(yes,), estimate=costs(usd_micros=101, calls=1))
    judgement = judge(dearer)
    assert judgement.verdict.kind is VerdictKind.REQUIRE_APPROVAL and judgement.grant is None
    assert Conflict.BUDGET_EXCEEDED in {reason.code for reason in judgement.verdict.reasons}
    assert "the yes was for at most $0.0001" in told(approvals=(yes,), estimate=costs(usd_micros=101, calls=1))
    unknown = told(approvals=(yes,), estimate=costs(usd_micros=None, calls=1))
    assert "nobody can say now" in unknown
    more = told(approvals=(yes,), estimate=costs(usd_micros=1, calls=1, usd_micros_per_hour=5))
    assert "usd_micros_per_hour now, which people were not shown" in more


def test_a_ceiling_bounds_what_nobody_knew() -> None:
    yes = grant(bounds={Unit.USD_MICROS: None, Unit.CALLS: 1}, price_unknown=True, ceiling_usd_micros=50)
    assert judge(case(approvals=(yes,), estimate=costs(usd_micros=None, calls=1))).wanted[Unit.USD_MICROS] == 50
    assert judge(case(approvals=(yes,), estimate=costs(usd_micros=50, calls=1))).grant == yes
    assert judge(case(approvals=(yes,), estimate=costs(usd_micros=51, calls=1))).grant is None


def test_nobody_joins_a_question_that_shows_less_than_it_takes_now() -> None:
    asked = pending(bounds=SHOWN)
    assert judge(case(approvals=(asked,))).pending == asked
    assert judge(case(approvals=(asked,), estimate=costs(usd_micros=101, calls=1))).pending is None
    other = Obligation(rule="ask-execute")
    both = replace(ASK, obligations=(OBLIGATION, other))
    assert judge(case(approvals=(asked,), boundary=both)).pending is None, "nor one that asks about fewer rules"


@pytest.mark.parametrize("now", [{}, {"i-1": "a larger one, running"}, {"i-2": "small, running"}])
def test_a_yes_is_for_the_things_as_they_were(now: dict[str, str]) -> None:
    yes = grant(targets={"i-1": "small, running"})
    assert judge(case(approvals=(yes,), targets={"i-1": "small, running", "i-9": "new"})).grant == yes
    judgement = judge(case(approvals=(yes,), targets=now))
    assert judgement.grant is None
    assert Conflict.DIGEST_MISMATCH in {reason.code for reason in judgement.verdict.reasons}
    assert "`i-1` is not what it was" in told(approvals=(yes,), targets=now)


def test_a_yes_with_a_delay_waits_is_joined_and_then_releases() -> None:
    yes = grant(usable_at=NOW + timedelta(minutes=10))
    judgement = judge(case(approvals=(yes,)))
    assert judgement.verdict.kind is VerdictKind.REQUIRE_APPROVAL and judgement.pending == yes
    assert "delayed" in {reason.code for reason in judgement.verdict.reasons}
    later = NOW + timedelta(minutes=10)
    assert judge(case(approvals=(yes,), now=later)).grant == yes
    short = judge(case(approvals=(yes,), now=later, budgets=(budget(Unit.USD_MICROS, 99), budget(Unit.CALLS, 10))))
    assert short.verdict.kind is VerdictKind.DENY, "the budget counts when it is used"
    changed = judge(case(approvals=(yes,), boundary=replace(ASK, slice_hash="other")))
    assert changed.pending is None and changed.grant is None


def test_a_no_says_why() -> None:
    for empty in ("", "  \n"):
        with pytest.raises(UsageError, match="needs a reason"):
            rejected(pending(), BEN, NOW, comment=empty)
    assert rejected(pending(), BEN, NOW, comment="the small one").comment == "the small one"


@pytest.mark.parametrize(
    ("name", "groups", "may"),
    [("ann", (), True), ("ben", ("approvers",), True), ("cleo", (), False), ("bot", ("approvers",), False)],
)
def test_who_may_take_back(name: str, groups: tuple[str, ...], may: bool) -> None:
    """The owner and whoever is asked; the owner also where a rule excludes them from saying yes."""
    who = Person(name=name, groups=frozenset(groups), via="uid:1")
    strict = replace(OBLIGATION, exclude=frozenset({"agent", "owner"}))
    for change, approval in ((withdrawn, pending(obligations=(strict,))), (revoked, grant(obligations=(strict,)))):
        if not may:
            with pytest.raises(ConflictError):
                change(approval, who, NOW, comment="")
            continue
        done = change(approval, who, NOW, comment="changed my mind")
        assert done.taken_back_by == name and done.grant is not GrantState.UNUSED
        assert done.state is not ApprovalState.PENDING


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"grant": GrantState.USED}, Conflict.CONSUMED),
        ({"grant": GrantState.EXPIRED}, Conflict.EXPIRED),
        ({"grant": GrantState.REVOKED}, Conflict.EXPIRED),
        ({"grant": GrantState.NONE, "state": ApprovalState.REJECTED}, Conflict.EXPIRED),
        ({"grant": GrantState.NONE, "state": ApprovalState.PENDING}, Conflict.NOT_FOUND),
    ],
)
def test_only_an_unused_yes_is_revoked(changes: dict[str, object], kind: Conflict) -> None:
    with pytest.raises(ConflictError) as caught:
        revoked(grant(**changes), BEN, NOW, comment="")
    assert caught.value.kind == kind


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"grant": GrantState.UNUSED}, Conflict.CONSUMED),
        ({"grant": GrantState.NONE, "state": ApprovalState.REJECTED}, Conflict.REJECTED),
        ({"grant": GrantState.NONE, "state": ApprovalState.WITHDRAWN}, Conflict.EXPIRED),
    ],
)
def test_what_is_answered_is_not_withdrawn(changes: dict[str, object], kind: Conflict) -> None:
    with pytest.raises(ConflictError) as caught:
        withdrawn(grant(**changes), BEN, NOW, comment="")
    assert caught.value.kind == kind


def test_whoever_waited_is_told_that_it_was_taken_back_and_others_may_ask_anew() -> None:
    back = withdrawn(pending(), BEN, NOW, comment="not today")
    waited = judge(case(approvals=(back,), waited=back.id))
    assert waited.verdict.kind is VerdictKind.DENY and "not today" in waited.verdict.reasons[0].text
    assert judge(case(approvals=(back,))).verdict.kind is VerdictKind.REQUIRE_APPROVAL
    gone = revoked(grant(), BEN, NOW, comment="")
    assert judge(case(approvals=(gone,), waited=gone.id)).verdict.kind is VerdictKind.DENY
    assert "ben took it back" in told(approvals=(gone,))
    newer = pending(id="newer", slice_hash=SLICE)
    assert judge(case(approvals=(newer, back), waited=back.id)).pending == newer


def test_what_no_rule_speaks_of_is_asked_of_whom_the_configuration_names() -> None:
    asking = Obligation(rule="", approvers="finance", quorum=2, exclude=frozenset({"agent", "owner"}))
    let = replace(ASK, kind=VerdictKind.ALLOW, obligations=())
    judgement = judge(case(boundary=let, estimate=costs(usd_micros=None, calls=1), asking=asking))
    (obligation,) = judgement.verdict.obligations
    assert (obligation.approvers, obligation.quorum, obligation.exclude) == ("finance", 2, asking.exclude)
