"""The starter pack, class by class and situation by situation, against a table a person can read."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from boundary_cases import action, decide, load, starter_text

from comptroller.core.action import ActionClass
from comptroller.core.estimate import FREE_CALL
from comptroller.core.verdict import BoundaryResult

GOLDEN = yaml.safe_load((Path(__file__).parents[1] / "golden" / "starter.yaml").read_text("utf-8"))
BOUNDARY = load(starter_text())
RULES = frozenset(rule.id for rule in BOUNDARY.rules)
SITUATIONS = {
    "named": {},
    "unnamed": {"service": "aws:iam"},
    "another account": {"account": "222222222222"},
}


def told(result: BoundaryResult) -> str:
    """A result as the table writes it."""
    return f"{result.kind} {' '.join(result.rules)}"


@pytest.mark.parametrize(
    ("classes", "situation", "outcome"),
    [(classes, situation, outcome) for classes, cases in GOLDEN.items() for situation, outcome in cases.items()],
)
def test_the_starter_pack_decides_as_its_table_says(classes: str, situation: str, outcome: str) -> None:
    where, _, granted = situation.partition(", ")
    what = action(*classes.split(), **SITUATIONS[where])
    assert told(decide(BOUNDARY, what, FREE_CALL, *(RULES if granted else ()))) == outcome


def test_the_table_leaves_out_no_class_no_situation_and_no_rule() -> None:
    assert {item.value for item in ActionClass} <= set(GOLDEN)
    wanted = {f"{where}{granted}" for where in SITUATIONS for granted in ("", ", granted")}
    assert all(set(cases) == wanted for cases in GOLDEN.values())
    told_rules = {rule for cases in GOLDEN.values() for outcome in cases.values() for rule in outcome.split()[1:]}
    assert told_rules == RULES


def test_who_is_asked_and_why_is_written_on_every_rule_that_asks() -> None:
    asking = [rule.obligation for rule in BOUNDARY.rules if rule.obligation is not None]
    assert {item.rule for item in asking} == {
        "provision",
        "pay",
        "entitle",
        "destroy",
        "execute",
        "blind",
        "reveal",
        "communicate",
    }
    for item in asking:
        assert (item.approvers, item.quorum, item.exclude, item.ttl_seconds) == (
            "approvers",
            1,
            frozenset({"agent"}),
            1800,
        )
        assert item.reason.startswith("this ")


def test_a_partial_yes_leaves_the_other_question_open() -> None:
    both = action("provision", "entitle")
    result = decide(BOUNDARY, both, FREE_CALL, "provision")
    assert told(result) == "require_approval entitle"
    assert [item.rule for item in result.obligations] == ["entitle"]


@pytest.mark.parametrize(
    ("service", "endpoint", "named"),
    [
        ("http", "docs.example.com", True),
        ("http", "DOCS.example.com.", True),
        ("http", "docs.example.com:8443", True),
        ("http", "a.b.example.org", True),
        ("http", "example.org", False),
        ("http", "evilexample.org", False),
        ("http", "example.org.evil.net", False),
        ("http", "xdocs.example.com", False),
        ("http", "", False),
        ("aws:ec2", "ec2.eu-west-1.amazonaws.com", True),
        ("aws:ec2x", "ec2.eu-west-1.amazonaws.com", False),
        ("aws", "aws.amazon.com", False),
        ("", "", False),
    ],
)
def test_what_counts_as_named(service: str, endpoint: str, named: bool) -> None:
    what = action("read", service=service, endpoint=endpoint, account="")
    if service.startswith("aws:"):
        what = action("read", service=service, endpoint=endpoint)
    assert (told(decide(BOUNDARY, what)) == "allow read-and-write") is named


def test_an_unknown_account_is_named_only_where_a_service_has_none() -> None:
    assert told(decide(BOUNDARY, action("read", account=""))) == "deny unnamed-account"
    assert decide(BOUNDARY, action("read", service="http", endpoint="docs.example.com", account="")).kind == "allow"


def test_the_pack_has_neither_mistakes_nor_warnings() -> None:
    assert BOUNDARY.warnings == ()
