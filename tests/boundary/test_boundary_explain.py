"""Explanations: which rules matched, which decided, and the line a person could write."""

from __future__ import annotations

import json

import pytest
from boundary_cases import PERMIT_ALL, action, load, starter_text

from comptroller.boundary import advice, explain
from comptroller.core.estimate import FREE_CALL

BOUNDARY = load(starter_text())


def test_a_held_action_is_laid_open() -> None:
    told = explain(BOUNDARY, action("provision"), FREE_CALL)
    rules = {rule.id: rule for rule in told.rules}
    assert (told.slice_size, told.total_size, told.cedar_action) == (4, len(BOUNDARY.rules), "op:provision")
    assert {name: rule.match for name, rule in rules.items()} == {
        "with-a-yes": "yes",
        "provision": "yes",
        "unnamed": "no",
        "unnamed-account": "no",
    }
    assert [name for name, rule in rules.items() if rule.determining] == ["provision"]
    assert rules["provision"].effect == "asks people"
    assert rules["provision"].file == "p0.cedar"
    assert starter_text().splitlines()[rules["provision"].line - 1] == '@id("provision")'
    assert told.context["grants"] == []
    assert told.advice == ()
    document = json.loads(json.dumps(told.document()))
    assert document["verdict"] == "require_approval"
    assert document["obligations"][0]["approvers"] == "approvers"


def test_an_erring_rule_is_told_with_the_engines_words() -> None:
    errs = '@id("errs") forbid (principal, action, resource) when { context.quantity * 9000000000000000000 > 5 };'
    told = explain(load(PERMIT_ALL, errs), action("read", quantity=4), FREE_CALL)
    assert "overflow" in next(rule.match for rule in told.rules if rule.id == "errs")
    assert any("errs" in error for error in told.errors)


def test_what_cannot_be_judged_is_still_explained() -> None:
    looks = '@id("any") forbid (principal, action, resource) when { context.parameters.isEmpty() };'
    what = action("read", parameters={str(number): number for number in range(70)})
    told = explain(load(PERMIT_ALL, looks), what, FREE_CALL)
    assert (told.result.kind, told.rules, told.slice_size) == ("deny", (), 0)
    assert "64" in told.document()["reasons"][0]["text"]  # type: ignore[index]


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ({"service": "aws:s3"}, "comptroller.yaml: agents.research.services: add aws:s3"),
        (
            {"service": "http", "endpoint": "new.example.net:8443", "account": ""},
            "comptroller.yaml: agents.research.hosts: add new.example.net",
        ),
        ({"account": "222222222222"}, "comptroller.yaml: agents.research.accounts: add 222222222222"),
        ({"agent": "stranger"}, "comptroller.yaml: agents.stranger: {team: ..., owner: ..., purpose: ...}"),
    ],
)
def test_the_line_to_write_is_told(changed: dict[str, object], line: str) -> None:
    what = action("read", **changed)
    assert advice(BOUNDARY, what, BOUNDARY.evaluate(what, FREE_CALL)) == (line,)


def test_following_the_advice_for_a_missing_permit_works() -> None:
    name = "aws:ec2:DescribeInstances"
    what = action("read", operation=name)
    boundary = load('@id("never") permit (principal, action, resource) when { context.quantity > 9 };')
    (line,) = advice(boundary, what, boundary.evaluate(what, FREE_CALL))
    written = line.removeprefix("policies/: ").replace("...", "new")
    assert load(written).evaluate(what, FREE_CALL).kind == "allow"


def test_a_forbidding_rule_is_pointed_at() -> None:
    boundary = load(PERMIT_ALL, '\n@id("no") forbid (principal, action, resource);')
    what = action("read")
    assert advice(boundary, what, boundary.evaluate(what, FREE_CALL)) == ("p1.cedar:2: the rule `no` forbids it",)


def test_nothing_is_advised_for_what_nobody_can_read() -> None:
    what = action("unknown")
    assert advice(BOUNDARY, what, BOUNDARY.evaluate(what, FREE_CALL)) == ()
