"""What people always let go, or never do, becomes a rule that does that and not a hair more."""

from __future__ import annotations

from dataclasses import replace

import pytest
from boundary_cases import AGENT, OPERATIONS, action, starter_text

from comptroller.boundary import CedarBoundary, PolicyText
from comptroller.boundary.answered import Answered, Lesson, lessons
from comptroller.core.action import Action, ActionClass, Payment
from comptroller.core.estimate import Bound, Estimate, Unit
from comptroller.core.verdict import VerdictKind

OTHER = replace(AGENT, name="other")
AGENTS = {AGENT.name: AGENT, OTHER.name: OTHER}
RUN = "aws:ec2:RunInstances"


def boundary_of(*texts: PolicyText) -> CedarBoundary:
    return CedarBoundary.load(list(texts), AGENTS, classes_of=OPERATIONS.get)


STARTER = PolicyText(file="policies/starter.cedar", text=starter_text())


def priced(usd_micros: int | None, per_hour: int | None = None) -> Estimate:
    bounds = {Unit.CALLS: Bound.exactly(1), Unit.USD_MICROS: Bound(low=0, high=usd_micros)}
    if per_hour is not None:
        bounds[Unit.USD_MICROS_PER_HOUR] = Bound(low=0, high=per_hour)
    return Estimate(bounds=bounds)


def machine(**changed: object) -> Action:
    return action(ActionClass.PROVISION, **{"operation": RUN, **changed})  # type: ignore[arg-type]


def asked(
    what: Action, *, yes: bool, count: int, rule: str = "provision", estimate: Estimate | None = None
) -> list[Answered]:
    return [Answered(action=what, estimate=estimate or priced(100, 50), rules=(rule,), yes=yes)] * count


def learn(*answered: Answered) -> tuple[Lesson, ...]:
    return lessons(boundary_of(STARTER), [STARTER], answered, classes_of=OPERATIONS.get)


def with_(lesson: Lesson) -> CedarBoundary:
    kept = [] if lesson.file == "starter.cedar" else [STARTER]
    return boundary_of(*kept, PolicyText(file=lesson.file, text=lesson.text))


def test_five_equal_yeses_spare_the_question_and_nothing_else() -> None:
    (lesson,) = learn(*asked(machine(quantity=2), yes=True, count=5))
    assert (lesson.kind, lesson.file, lesson.rule) == ("allow", "starter.cedar", "provision")
    assert (lesson.questions, lesson.usd_micros) == (5, 500)
    edited = with_(lesson)
    assert edited.evaluate(machine(quantity=1), priced(100, 50)).kind is VerdictKind.ALLOW
    for other, estimate in (
        (machine(quantity=3), priced(100, 50)),
        (machine(region="eu-west-1"), priced(100, 50)),
        (machine(agent="other"), priced(100, 50)),
        (machine(operation="aws:ec2:CreateFleet"), priced(100, 50)),
        (machine(), priced(101, 50)),
        (machine(), priced(100, 51)),
        (machine(), priced(None, 50)),
        (action(ActionClass.PROVISION, ActionClass.EXECUTE, operation=RUN), priced(100, 50)),
    ):
        kind = edited.evaluate(other, estimate).kind
        assert kind is boundary_of(STARTER).evaluate(other, estimate).kind is VerdictKind.REQUIRE_APPROVAL, other


@pytest.mark.parametrize(
    "answered",
    [
        asked(machine(), yes=True, count=4),
        asked(machine(), yes=False, count=2),
        asked(machine(), yes=True, count=6) + asked(machine(), yes=False, count=1),
        asked(machine(), yes=True, count=6, estimate=priced(None)),
        asked(action(ActionClass.ENTITLE), yes=True, count=6, rule="entitle"),
        asked(machine(parts=(action(ActionClass.READ),)), yes=True, count=6),
        asked(machine(), yes=True, count=6, rule="comptroller:unknown-price"),
        [one for number in range(6) for one in asked(machine(region=f"r-{number}"), yes=True, count=1)],
        [],
    ],
    ids=["few", "few no", "mixed", "no price", "rights", "parts", "not a rule", "everywhere", "nothing"],
)
def test_what_does_not_follow_is_not_suggested(answered: list[Answered]) -> None:
    assert learn(*answered) == ()


def test_three_noes_are_a_forbid_of_its_own() -> None:
    (lesson,) = learn(*asked(machine(), yes=False, count=3))
    assert (lesson.kind, lesson.file) == ("deny", "answered.cedar") and lesson.rule.startswith("never-runinstances-")
    edited = with_(lesson)
    assert edited.evaluate(machine(), priced(100, 50)).kind is VerdictKind.DENY
    assert edited.evaluate(machine(agent="other"), priced(100, 50)).kind is VerdictKind.REQUIRE_APPROVAL
    before = PolicyText(file="policies/answered.cedar", text="// ours\n" + lesson.cedar)
    again = lessons(
        boundary_of(STARTER, before),
        [STARTER, before],
        asked(machine(region="eu-west-1"), yes=False, count=3),
        classes_of=OPERATIONS.get,
    )
    assert again[0].text.startswith("// ours\n") and again[0].text.count("@id(") == 2


def test_what_is_not_asked_any_more_is_no_lesson() -> None:
    (lesson,) = learn(*asked(machine(), yes=True, count=5))
    edited = PolicyText(file="policies/starter.cedar", text=lesson.text)
    answered = asked(machine(), yes=True, count=5)
    assert lessons(boundary_of(edited), [edited], answered, classes_of=OPERATIONS.get) == ()


def test_a_payment_is_bound_to_its_payees_and_amount() -> None:
    def paid(minor: int, payee: str = "acct_1") -> Action:
        payment = Payment(amount_minor=minor, currency="usd", payee=payee)
        return action(ActionClass.PAY, operation="stripe:transfers.create", payment=payment)

    answered = [one for minor in (100, 200, 300, 50, 70) for one in asked(paid(minor), yes=True, count=1, rule="pay")]
    (lesson,) = learn(*answered)
    edited = with_(lesson)
    assert edited.evaluate(paid(300), priced(100, 50)).kind is VerdictKind.ALLOW
    assert edited.evaluate(paid(301), priced(100, 50)).kind is VerdictKind.REQUIRE_APPROVAL
    assert edited.evaluate(paid(300, "acct_2"), priced(100, 50)).kind is VerdictKind.REQUIRE_APPROVAL


def test_names_that_an_agent_chose_are_literals() -> None:
    hostile = 'x" } || true; permit(principal, action, resource); //'
    what = machine(operation=hostile, region='a"b')
    (lesson,) = learn(*asked(what, yes=False, count=3))
    edited = with_(lesson)
    assert edited.evaluate(what, priced(100, 50)).kind is VerdictKind.DENY
    assert {rule.id for rule in edited.rules} - {rule.id for rule in boundary_of(STARTER).rules} == {lesson.rule}
