"""Rules in shadow mode: what they would have changed is told, and they change nothing, least of all for the better."""

from __future__ import annotations

from dataclasses import replace

import pytest
from boundary_cases import PERMIT_ALL, action, decide, load, starter_text
from hypothesis import given, settings
from hypothesis import strategies as st

from comptroller.boundary import PolicyError, explain
from comptroller.core.action import ActionClass
from comptroller.core.estimate import FREE_CALL
from comptroller.core.verdict import BoundaryResult, Shadowed, VerdictKind

ALLOW, ASK, DENY = VerdictKind.ALLOW, VerdictKind.REQUIRE_APPROVAL, VerdictKind.DENY
WRITE = 'Comptroller::Action::"write"'
FORBIDS = f'@id("no-writes") @mode("shadow") forbid (principal, action in {WRITE}, resource);\n'
ASKS = (
    '@id("asks-writes") @mode("shadow") @outcome("approval") @approvers("Group::people") '
    f'forbid (principal, action in {WRITE}, resource) unless {{ context.grants.contains("asks-writes") }};\n'
)
PERMITS = '@id("all-goes") @mode("shadow") permit (principal, action, resource);\n'
ERRS = (
    f'@id("errs") @mode("shadow") forbid (principal, action in {WRITE}, resource) '
    "when { context has quantity && context.quantity * 9223372036854775807 > 3 };\n"
)


def bare(result: BoundaryResult) -> BoundaryResult:
    """Everything that counts."""
    return replace(result, shadow=())


@pytest.mark.parametrize(
    ("text", "rule", "would"), [(FORBIDS, "no-writes", DENY), (ASKS, "asks-writes", ASK), (ERRS, "errs", DENY)]
)
def test_what_a_shadow_forbid_would_have_changed_is_told_and_not_done(text: str, rule: str, would: VerdictKind) -> None:
    what = action(ActionClass.WRITE, quantity=2)
    result = decide(load(PERMIT_ALL, text), what)
    assert result.shadow == (Shadowed(rule=rule, would=would),)
    assert bare(result) == decide(load(PERMIT_ALL), what)
    assert decide(load(PERMIT_ALL, text), action(ActionClass.READ)).shadow == ()
    in_force = decide(load(PERMIT_ALL, text.replace('@mode("shadow") ', "")), what)
    assert in_force.kind is would


def test_a_shadow_permit_gives_nothing() -> None:
    what = action(ActionClass.READ)
    result = decide(load(PERMITS), what)
    assert result.kind is DENY and [reason.code for reason in result.reasons] == ["no_permit"]
    assert result.shadow == (Shadowed(rule="all-goes", would=ALLOW),)


def test_a_shadow_permit_lifts_no_forbid() -> None:
    forbid = '@id("never") forbid (principal, action, resource);'
    result = decide(load(PERMITS, forbid), action(ActionClass.READ))
    assert result.kind is DENY and result.shadow == ()


def test_a_further_question_counts_as_a_change_and_the_same_question_does_not() -> None:
    asks = ASKS.replace('@mode("shadow") ', "")
    same = ASKS.replace("asks-writes", "same")
    more = ASKS.replace("asks-writes", "more").replace(
        '@approvers("Group::people")', '@approvers("Group::people") @quorum("2")'
    )
    result = decide(load(PERMIT_ALL, asks, same, more), action(ActionClass.WRITE))
    assert result.kind is ASK and result.obligations[0].quorum == 1
    assert result.shadow == (Shadowed(rule="more", would=ASK),)


def test_an_operation_that_only_a_shadow_rule_names_is_judged_as_before() -> None:
    named = (
        '@id("named") @mode("shadow") '
        'forbid (principal, action == Comptroller::Action::"aws:ec2:TerminateInstances", resource);'
    )
    # The codec says it destroys; this recorded action knows of `write` alone.
    what = action(ActionClass.WRITE, operation="aws:ec2:TerminateInstances")
    permit = f'@id("writes") permit (principal, action in {WRITE}, resource);'
    result = decide(load(permit, named), what)
    assert bare(result) == decide(load(permit), what) and result.kind is ALLOW
    assert result.shadow == (Shadowed(rule="named", would=DENY),)


def test_what_a_shadow_rule_looks_for_is_not_shown_to_the_others() -> None:
    looks = '@id("looks") @mode("shadow") forbid (principal, action, resource) when { context.parameters.isEmpty() };'
    crowded = action(ActionClass.READ, parameters={f"P{number}": number for number in range(100)})
    result = decide(load(PERMIT_ALL, looks), crowded)
    assert result.kind is ALLOW, "too many parameters for the shadow rule is no reason to deny"
    assert result.shadow == (Shadowed(rule="looks", would=DENY),)


def test_parts_are_tried_as_well() -> None:
    whole = action(ActionClass.READ, parts=(action(ActionClass.WRITE),))
    result = decide(load(PERMIT_ALL, FORBIDS), whole)
    assert result.kind is ALLOW and result.shadow == (Shadowed(rule="no-writes", would=DENY),)


def test_no_grant_is_bound_to_a_shadow_rule() -> None:
    """Editing, adding or removing one revokes nothing; turning it on does."""
    what = action(ActionClass.WRITE)
    before = decide(load(PERMIT_ALL), what).slice_hash
    assert decide(load(PERMIT_ALL, FORBIDS), what).slice_hash == before
    assert decide(load(PERMIT_ALL, ASKS), what).slice_hash == before
    assert decide(load(PERMIT_ALL, FORBIDS.replace('@mode("shadow") ', "")), what).slice_hash != before
    assert load(PERMIT_ALL).policy_hash != load(PERMIT_ALL, FORBIDS).policy_hash, "it is another set all the same"


@pytest.mark.parametrize(
    ("text", "line", "says", "write"),
    [
        (FORBIDS.replace('"shadow"', '"shaddow"'), 1, "no mode `shaddow`", '`@mode("shadow")`'),
        (
            PERMIT_ALL
            + ASKS
            + '@id("b") @outcome("approval") @approvers("Group::a") forbid (principal, action, resource)\n'
            'unless { context.grants.contains("b") || context.grants.contains("asks-writes") };',
            4,
            "`asks-writes` is in shadow mode, so nobody can grant it",
            "a rule in force",
        ),
        (
            "".join(FORBIDS.replace("no-writes", f"r{number}") for number in range(34)),
            33,
            "more than 32 shadow rules",
            "what-if",
        ),
    ],
)
def test_mistakes_are_told_with_their_place(text: str, line: int, says: str, write: str) -> None:
    with pytest.raises(PolicyError) as caught:
        load(text)
    problem = caught.value.problems[0]
    assert problem.line == line and says in problem.message and write in problem.write


def test_explain_says_what_a_shadow_rule_would_have_done() -> None:
    boundary = load(PERMIT_ALL, FORBIDS, ASKS)
    told = explain(boundary, action(ActionClass.WRITE), FREE_CALL).document()
    shadow = told["shadow"]
    assert isinstance(shadow, list)
    assert {item["id"]: item["match"] for item in shadow} == {"no-writes": "deny", "asks-writes": "require_approval"}
    assert told["verdict"] == "allow" and not any(item["determining"] for item in shadow)


_EFFECTS = st.sampled_from(["permit", "forbid", "ask"])
_SCOPES = st.sampled_from(
    ["action", *(f'action in Comptroller::Action::"{name}"' for name in ("read", "write", "pay"))]
)
_CONDITIONS = st.sampled_from(["", "when { context.quantity > 1 }", 'when { context.region == "us-east-1" }'])


@st.composite
def rules(draw: st.DrawFn) -> str:
    """Some rules, a few of them in shadow mode, in any order."""
    texts = []
    for number in range(draw(st.integers(1, 6))):
        effect, scope, condition = draw(_EFFECTS), draw(_SCOPES), draw(_CONDITIONS)
        mode = '@mode("shadow") ' if draw(st.booleans()) else ""
        name = f"r{number}"
        if effect == "ask":
            texts.append(
                f'@id("{name}") {mode}@outcome("approval") @approvers("Group::g{draw(st.integers(0, 1))}") '
                f'forbid (principal, {scope}, resource) {condition} unless {{ context.grants.contains("{name}") }};'
            )
        else:
            texts.append(f'@id("{name}") {mode}{effect} (principal, {scope}, resource) {condition};')
    return "\n".join(draw(st.permutations(texts)))


@settings(max_examples=60, deadline=None)
@given(
    text=rules(),
    classes=st.sets(st.sampled_from(["read", "write", "pay"]), min_size=1),
    quantity=st.integers(0, 3),
)
def test_shadow_rules_change_no_verdict_reason_obligation_or_slice(text: str, classes: set[str], quantity: int) -> None:
    """And what they are said to do is what happens when just that one is put in force."""
    what = action(*classes, quantity=quantity)
    lines = text.splitlines()
    result = decide(load(text), what)
    assert bare(result) == decide(load("\n".join(line for line in lines if "@mode" not in line)), what)
    told = {item.rule: item.would for item in result.shadow}
    for shadow in (line for line in lines if "@mode" in line):
        alone = [line for line in lines if "@mode" not in line] + [shadow.replace('@mode("shadow") ', "")]
        kind = decide(load("\n".join(alone)), what).kind
        name = shadow.split('"')[1]
        assert told.get(name, result.kind) is kind


def test_the_starter_pack_in_shadow_mode_lets_nothing_go() -> None:
    shadowed = starter_text().replace('@id("', '@mode("shadow")\n@id("')
    result = decide(load(shadowed), action(ActionClass.READ))
    assert result.kind is DENY
