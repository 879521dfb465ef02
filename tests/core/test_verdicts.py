"""One table a person can read: every class, budget and grant against the starter policies. Reviewed when it changes.

`python tests/core/test_verdicts.py` writes tests/golden/verdicts.out anew.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path

from comptroller.boundary import AgentFacts, CedarBoundary, PolicyText
from comptroller.core.action import Action, ActionClass, digest
from comptroller.core.approval import Approval, GrantState, Person, rejected, with_vote
from comptroller.core.brake import Run, RunState
from comptroller.core.budget import Account, Budget, BudgetState
from comptroller.core.errors import ConflictError
from comptroller.core.estimate import Bound, Estimate, Unit
from comptroller.core.judge import Case, judge
from comptroller.core.verdict import VerdictKind
from comptroller.core.window import Window

GOLDEN = Path(__file__).parent.parent / "golden" / "verdicts.out"
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
APPROVERS = frozenset({"approvers"})
PEOPLE = {
    "approver": Person(name="ben", groups=APPROVERS, via="uid"),
    "owner": Person(name="ann", groups=APPROVERS, via="uid"),
    "agent": Person(name="bot", groups=APPROVERS, via="uid"),
    "outsider": Person(name="cleo", groups=frozenset(), via="uid"),
}
COLUMNS = (
    "nobody",
    "approver",
    "owner",
    "agent",
    "outsider",
    "said-no",
    "used",
    "expired",
    "rules-changed",
    "other-digest",
)
BUDGETS = ("fits", "short", "no-row", "price-unknown", "service-unnamed")
SHOWN = {VerdictKind.ALLOW: "allow", VerdictKind.REQUIRE_APPROVAL: "ask", VerdictKind.DENY: "deny"}
RUN = Run(id="r", agent="bot", owner="ann", path="acme/ml/bot/r", purpose="t", state=RunState.ACTIVE, started_at=NOW)


def starter() -> CedarBoundary:
    text = (resources.files("comptroller.boundary") / "packs" / "starter.cedar").read_text("utf-8")
    bot = AgentFacts(
        name="bot",
        team="ml",
        organization="acme",
        owner="ann",
        purpose="t",
        services=frozenset({"aws:ec2"}),
        hosts=frozenset(),
        accounts=frozenset({"123456789012"}),
    )
    return CedarBoundary.load([PolicyText(file="starter.cedar", text=text)], {"bot": bot}, classes_of=lambda _: None)


def verdict(boundary: CedarBoundary, kind: ActionClass, budget: str, column: str) -> str:
    action = Action(
        operation="aws:ec2:Something",
        service="aws:iam" if budget == "service-unnamed" else "aws:ec2",
        classes=frozenset({kind}),
        account="123456789012",
        region="us-east-1",
        endpoint="iam.amazonaws.com" if budget == "service-unnamed" else "ec2.us-east-1.amazonaws.com",
        agent="bot",
        run="r",
    )
    usd = None if budget == "price-unknown" else 100
    estimate = Estimate(bounds={Unit.CALLS: Bound.exactly(1), Unit.USD_MICROS: Bound(low=0, high=usd)})
    limits = (
        {Unit.CALLS: 10} if budget == "no-row" else {Unit.CALLS: 10, Unit.USD_MICROS: 99 if budget == "short" else 900}
    )
    case = Case(
        digest=digest(action),
        boundary=boundary.evaluate(action, estimate),
        estimate=estimate,
        budgets=tuple(
            BudgetState(
                budget=Budget(scope="acme", unit=unit, window=Window.TOTAL, limit=limit), start="", account=Account()
            )
            for unit, limit in limits.items()
        ),
        approvals=(),
        brakes=(),
        run=RUN,
        now=NOW,
    )
    asked = judge(case).verdict
    if asked.kind is VerdictKind.REQUIRE_APPROVAL and column != "nobody":
        case = replace(case, approvals=(answered(case, asked.obligations, column),))
    return SHOWN[judge(case).verdict.kind]


def answered(case: Case, obligations: tuple, column: str) -> Approval:  # type: ignore[type-arg]
    question = Approval(
        id="apr",
        run="r",
        agent="bot",
        owner="ann",
        digest=case.digest,
        slice_hash=case.boundary.slice_hash,
        operation="aws:ec2:Something",
        obligations=obligations,
        sentence="do something",
        facts={},
        asked_at=NOW - timedelta(minutes=1),
        expires_at=NOW + timedelta(hours=8),
        price_unknown=case.estimate.unknown(Unit.USD_MICROS),
    )
    said_at = NOW - timedelta(seconds=30)
    if column == "said-no":
        return rejected(question, PEOPLE["approver"], said_at, comment="not this one")
    try:
        yes = with_vote(question, PEOPLE.get(column, PEOPLE["approver"]), said_at, ceiling=800, comment="")
    except ConflictError:
        return question
    match column:
        case "used":
            return replace(yes, grant=GrantState.USED)
        case "expired":
            return replace(yes, grant_expires_at=NOW)
        case "rules-changed":
            return replace(yes, slice_hash="other")
        case "other-digest":
            return replace(yes, digest="a1:" + "0" * 64)
    return yes


def table() -> str:
    boundary = starter()
    lines = [f"{'class':<12} {'budget':<16}" + "".join(f" {column:<13}" for column in COLUMNS)]
    for kind in ActionClass:
        lines.append("")
        for budget in BUDGETS:
            cells = "".join(f" {verdict(boundary, kind, budget, column):<13}" for column in COLUMNS)
            lines.append(f"{kind.value:<12} {budget:<16}{cells}")
    return "\n".join(line.rstrip() for line in lines) + "\n"


def test_the_table_is_what_was_reviewed() -> None:
    assert table() == GOLDEN.read_text("utf-8")


def test_no_used_expired_or_foreign_yes_allows_what_nobody_allowed() -> None:
    boundary = starter()
    for kind in ActionClass:
        for budget in BUDGETS:
            base = verdict(boundary, kind, budget, "nobody")
            for column in ("agent", "outsider", "said-no", "used", "expired", "rules-changed", "other-digest"):
                found = verdict(boundary, kind, budget, column)
                assert found != "allow" or base == "allow", (kind, budget, column)


if __name__ == "__main__":
    GOLDEN.write_text(table(), "utf-8")
    sys.stdout.write(table())
