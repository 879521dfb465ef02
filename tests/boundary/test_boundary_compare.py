"""Two sets of rules side by side: what may widen is never told as harmless."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from boundary_cases import PERMIT_ALL, action, decide, load
from hypothesis import event, given, settings
from hypothesis import strategies as st
from test_boundary_shadow import rules

from comptroller.boundary.compare import compare, relaxed, weaker
from comptroller.core.verdict import Escalation, Obligation, Stage, VerdictKind

SEVERITY = list(VerdictKind)
READ = 'action in Comptroller::Action::"read"'
FORBID = f'@id("a") forbid (principal, {READ}, resource)'
PERMIT = f'@id("a") permit (principal, {READ}, resource)'
GRANT = ' unless { context.grants.contains("a") };'
ASK = (
    f'@id("a") @outcome("approval") @approvers("Group::people") {{}} forbid (principal, {READ}, resource) {{}} {GRANT}'
)


def ask(annotations: str = "", clauses: str = "") -> str:
    return ASK.replace("{}", annotations, 1).replace("{}", clauses, 1)


@pytest.mark.parametrize(
    ("before", "after", "kind", "wider"),
    [
        ("", f"{PERMIT};", "added", True),
        (f"{PERMIT};", "", "removed", False),
        ("", f"{FORBID};", "added", False),
        (f"{FORBID};", "", "removed", True),
        (f"{FORBID};", f"{PERMIT};", "changed", True),
        (f"{PERMIT};", f"{FORBID};", "changed", False),
        (f"{FORBID};", ask(), "changed", True),
        (ask(), f"{FORBID};", "changed", False),
        (f"{FORBID};", f'@mode("shadow") {FORBID};', "changed", True),
        (f'@mode("shadow") {PERMIT};', f"{PERMIT};", "changed", True),
        (f'@mode("shadow") {FORBID};', "", "removed", False),
        ("", f'@mode("shadow") {PERMIT};', "added", False),
        (f"{PERMIT};", f"{PERMIT} when {{ context.named }};", "changed", False),
        (f"{PERMIT} when {{ context.named }};", f"{PERMIT};", "changed", True),
        (f"{FORBID};", f"{FORBID} when {{ context.named }};", "changed", True),
        (f"{FORBID} when {{ context.named }};", f"{FORBID};", "changed", False),
        (f"{FORBID};", f"{FORBID} unless {{ context.named }};", "changed", True),
        (f"{PERMIT};", f"{PERMIT.replace('read', 'pay')};", "changed", True),
        (ask('@quorum("2")'), ask(), "changed", True),
        (ask(), ask('@quorum("2")'), "changed", False),
        (ask('@exclude("agent,owner")'), ask(), "changed", True),
        (ask('@ttl("10m")'), ask('@ttl("20m")'), "changed", True),
        (ask(), ask().replace("Group::people", "Group::others"), "changed", True),
        (ask(), f'@reason("so that") {ask()}', "changed", False),
        (ask(clauses="when { context.quantity > 1 }"), ask(), "changed", False),
        (ask(), ask(clauses="when { context.quantity > 1 }"), "changed", True),
    ],
)
def test_each_change_is_told_for_what_it_may_do(before: str, after: str, kind: str, wider: bool) -> None:
    (change,) = compare(load(PERMIT_ALL, before).rules, load(PERMIT_ALL, after).rules)
    assert (change.rule, change.kind, change.wider) == ("a", kind, wider)
    assert change.why


ONE = Obligation(rule="a", approvers="people", delay_seconds=5, expires_seconds=60)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, False),
        ({"rule": "b", "reason": "other"}, False),
        ({"quorum": 2}, False),
        ({"approvers": "others"}, True),
        ({"stages": (Stage(group="people"), Stage(group="others"))}, False),
        ({"stages": (Stage(group="others"), Stage(group="people"))}, True),
        ({"delay_seconds": 4}, True),
        ({"delay_seconds": 6}, False),
        ({"expires_seconds": 61}, True),
        ({"escalations": (Escalation(group="all", after_seconds=9),)}, True),
        ({"assurance": "passkey"}, False),
        ({"exclude": frozenset()}, True),
        ({"exclude": frozenset({"agent", "owner"})}, False),
    ],
)
def test_a_yes_that_is_had_more_easily_is_weaker(changed: dict[str, Any], expected: bool) -> None:
    assert weaker(ONE, replace(ONE, **changed)) is expected
    assert relaxed([ONE], [replace(ONE, **changed)]) is expected


def test_what_made_a_yes_strong_is_missed() -> None:
    assert weaker(replace(ONE, assurance="passkey"), ONE)
    assert weaker(replace(ONE, quorum=2), ONE)
    assert weaker(replace(ONE, stages=(Stage(group="people"), Stage(group="others"))), ONE)
    late = replace(ONE, escalations=(Escalation(group="all", after_seconds=9),))
    assert not weaker(late, ONE)
    assert relaxed([ONE, replace(ONE, approvers="others")], [ONE]) and not relaxed([ONE], [ONE, late])


def test_layout_and_comments_are_no_change() -> None:
    spread = "// why\n" + FORBID.replace(" (", " \n  (")
    assert compare(load(f"{FORBID};").rules, load(f"{spread};").rules) == ()


@st.composite
def edits(draw: st.DrawFn) -> tuple[str, str]:
    """Rules, and the same with some of them dropped, narrowed, put in shadow mode or exchanged for others."""
    before = draw(rules()).splitlines()
    after = []
    for line in before:
        match draw(st.sampled_from(["keep", "keep", "drop", "condition", "shadow", "forbid"])):
            case "keep":
                after.append(line)
            case "condition":
                after.append(line.replace("resource)", "resource) when { context.quantity > 0 }"))
            case "shadow" if "@mode" not in line:
                after.append(f'@mode("shadow") {line}')
            case "forbid" if "@outcome" not in line:
                after.append(line.replace(" permit ", " forbid ").replace(";permit ", ";forbid "))
    return "\n".join(before), "\n".join(after)


@settings(max_examples=150, deadline=None)
@given(
    pair=edits(),
    classes=st.sets(st.sampled_from(["read", "write", "pay"]), min_size=1),
    quantity=st.integers(0, 3),
    region=st.sampled_from(["us-east-1", "eu-west-1"]),
)
def test_where_no_rule_may_widen_no_action_is_held_back_less(
    pair: tuple[str, str], classes: set[str], quantity: int, region: str
) -> None:
    old, new = load(pair[0]), load(pair[1])
    may_widen = any(change.wider for change in compare(old.rules, new.rules))
    event(f"may widen: {may_widen}")
    what = action(*classes, quantity=quantity, region=region)
    held_back_less = SEVERITY.index(decide(new, what).kind) < SEVERITY.index(decide(old, what).kind)
    event(f"held back less: {held_back_less}")
    assert may_widen or not held_back_less
