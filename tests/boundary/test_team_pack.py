"""The team pack: nobody answers for their own agent, dear things take two, money is signed for and waits."""

from __future__ import annotations

from dataclasses import replace

import pytest

from comptroller.boundary import AgentFacts, CedarBoundary, PolicyText
from comptroller.compose import pack_policies
from comptroller.core.action import Action, ActionClass, Payment
from comptroller.core.estimate import Bound, Estimate, Unit
from comptroller.core.verdict import Obligation, VerdictKind

BOT = AgentFacts(
    name="bot",
    team="ml",
    organization="acme",
    owner="ann",
    purpose="t",
    services=frozenset({"aws:ec2", "stripe"}),
    hosts=frozenset(),
    accounts=frozenset(),
)
DOLLAR = 1_000_000


def boundary(pack: str = "team") -> CedarBoundary:
    return CedarBoundary.load(
        [PolicyText(file="p.cedar", text=pack_policies(pack))],
        {"bot": BOT},
        classes_of=lambda _: None,
        groups={"approvers": 3, "finance": 3},
    )


def asked(kind: ActionClass, usd_micros: int | None, pack: str = "team") -> tuple[VerdictKind, dict[str, Obligation]]:
    action = Action(
        operation="aws:ec2:Something",
        service="aws:ec2",
        classes=frozenset({kind}),
        endpoint="ec2.us-east-1.amazonaws.com",
        agent="bot",
        run="r",
        payment=Payment(amount_minor=1, currency="usd", payee="x") if kind is ActionClass.PAY else None,
    )
    estimate = Estimate(bounds={Unit.CALLS: Bound.exactly(1), Unit.USD_MICROS: Bound(low=0, high=usd_micros)})
    result = boundary(pack).evaluate(action, estimate)
    return result.kind, {item.rule: item for item in result.obligations}


def test_it_has_no_mistake_and_nothing_odd() -> None:
    assert boundary().warnings == ()


@pytest.mark.parametrize("kind", ActionClass)
def test_it_asks_about_what_the_starter_pack_asks_about_and_never_the_owner(kind: ActionClass) -> None:
    verdict, obligations = asked(kind, 0)
    assert verdict is asked(kind, 0, "starter")[0]
    for item in obligations.values():
        assert {"agent", "owner"} <= item.exclude, item.rule
        if kind in (ActionClass.PAY, ActionClass.ENTITLE, ActionClass.BLIND):
            assert {"requester", "author"} <= item.exclude, item.rule


def test_dear_things_and_those_without_a_price_take_two_people() -> None:
    def most(usd_micros: int | None) -> int:
        return max(item.people for item in asked(ActionClass.PROVISION, usd_micros)[1].values())

    assert [most(usd) for usd in (0, 100 * DOLLAR, 100 * DOLLAR + 1, None)] == [1, 1, 2, 2]


def test_money_is_signed_for_by_finance_and_waits() -> None:
    small, large = asked(ActionClass.PAY, 1_000 * DOLLAR)[1], asked(ActionClass.PAY, 1_000 * DOLLAR + 1)[1]
    assert set(small) == {"pay"} and set(large) == {"pay", "pay-large"}
    for item in large.values():
        assert (item.approvers, item.assurance, item.delay_seconds) == ("finance", "passkey", 600)
    assert large["pay-large"].people == 2
    assert asked(ActionClass.PAY, None)[1]["pay-large"] == replace(large["pay-large"])
