"""An action is judged together with everything it brings about: a rule cannot be walked around in a batch."""

from __future__ import annotations

import pytest
from boundary_cases import PERMIT_ALL, action, decide, load, starter_text

from comptroller.boundary import explain
from comptroller.boundary.evaluate import PARTS_DEPTH_MAX
from comptroller.core.action import Action, ActionClass
from comptroller.core.estimate import FREE_CALL
from comptroller.core.verdict import VerdictKind

READ, WRITE, PROVISION, DESTROY = ActionClass.READ, ActionClass.WRITE, ActionClass.PROVISION, ActionClass.DESTROY
NO_MACHINES = (
    '@id("no-machines") forbid (principal, action == Comptroller::Action::"aws:ec2:RunInstances", resource);\n'
)
ASK = (
    '@id("ask") @outcome("approval") @approvers("Group::approvers") '
    'forbid (principal, action == Comptroller::Action::"aws:ec2:TerminateInstances", resource) '
    'unless { context.grants.contains("ask") };\n'
)


def stack(*parts: Action, classes: tuple[ActionClass, ...] = (PROVISION, WRITE)) -> Action:
    return action(*classes, operation="aws:ec2:Stack", parts=parts)


def test_a_rule_about_an_operation_holds_inside_another() -> None:
    boundary = load(PERMIT_ALL, NO_MACHINES)
    machine = action(PROVISION, operation="aws:ec2:RunInstances")
    assert decide(boundary, stack(action(WRITE))).kind is VerdictKind.ALLOW
    result = decide(boundary, stack(action(WRITE), machine))
    assert result.kind is VerdictKind.DENY and result.rules == ("no-machines",)
    assert "`aws:ec2:RunInstances`, which it brings about" in result.reasons[0].text
    assert decide(boundary, stack(stack(stack(machine)))).kind is VerdictKind.DENY


def test_a_question_inside_is_asked_outside() -> None:
    boundary = load(PERMIT_ALL, ASK)
    terminate = action(WRITE, DESTROY, operation="aws:ec2:TerminateInstances")
    result = decide(boundary, stack(action(WRITE), terminate))
    assert result.kind is VerdictKind.REQUIRE_APPROVAL
    assert [obligation.rule for obligation in result.obligations] == ["ask"]
    alone = decide(boundary, terminate)
    assert alone.slice_hash != result.slice_hash, "more rules judged the whole"


def test_a_part_at_a_service_that_is_not_named_denies_the_whole() -> None:
    boundary = load(starter_text())
    elsewhere = action(WRITE, service="aws:rds", operation="aws:rds:CreateDBInstance", endpoint="rds.amazonaws.com")
    result = decide(boundary, action(WRITE, parts=(elsewhere,)))
    assert result.kind is VerdictKind.DENY and "aws:rds:CreateDBInstance" in result.reasons[0].text


def test_a_part_cannot_pass_as_another_agents() -> None:
    boundary = load(PERMIT_ALL)
    assert decide(boundary, stack(action(WRITE, agent="somebody-else"))).kind is VerdictKind.ALLOW
    assert decide(boundary, stack(action(ActionClass.UNKNOWN))).kind is VerdictKind.DENY


def test_parts_within_parts_end_somewhere() -> None:
    boundary, nested = load(PERMIT_ALL), action(WRITE)
    for _ in range(PARTS_DEPTH_MAX + 3):
        nested = stack(nested)
    assert decide(boundary, nested).kind is VerdictKind.DENY


@pytest.mark.parametrize("count", [0, 1, 300])
def test_without_a_rule_against_them_parts_change_nothing(count: int) -> None:
    boundary = load(PERMIT_ALL)
    parts = tuple(action(WRITE, parameters={"n": number}) for number in range(count))
    result = decide(boundary, stack(*parts))
    assert result.kind is VerdictKind.ALLOW and result.rules == ("all",)


def test_an_explanation_is_about_the_parts_too() -> None:
    boundary = load(starter_text())
    elsewhere = action(WRITE, service="aws:rds", operation="aws:rds:CreateDBInstance", endpoint="rds.amazonaws.com")
    told = explain(boundary, action(WRITE, parts=(elsewhere, elsewhere)), FREE_CALL)
    assert told.result.kind is VerdictKind.DENY
    assert [line for line in told.advice if line.endswith("services: add aws:rds")] == list(told.advice)
    assert len(told.advice) == 1
