"""Decisions: coverage of every class, erring rules, slices and their hashes, grants that cannot be forged, totality."""

from __future__ import annotations

import pytest
from boundary_cases import AGENT, OPERATIONS, PERMIT_ALL, action, decide, load, starter_text
from hypothesis import given, settings
from hypothesis import strategies as st

from comptroller.boundary import evaluate as evaluate_module
from comptroller.core.action import Action, ActionClass, Call, Payment
from comptroller.core.estimate import FREE_CALL, Bound, Estimate, Unit
from comptroller.core.verdict import BoundaryResult, VerdictKind

UID = 'Comptroller::Action::"{}"'.format
READ_ONLY = f'@id("read") permit (principal, action in {UID("read")}, resource);\n'
ASK = (
    '@id("ask") @outcome("approval") @approvers("Group::people") @quorum("2") @reason("because") '
    f"forbid (principal, action in {UID('pay')}, resource) "
    'unless { context.grants.contains("ask") };\n'
)


def codes(result: BoundaryResult) -> list[str]:
    """The codes of a result's reasons."""
    return [reason.code for reason in result.reasons]


def test_no_policies_and_no_match_are_denials() -> None:
    for boundary in (load(), load(READ_ONLY)):
        result = decide(boundary, action("write"))
        assert (result.kind, codes(result), result.rules) == (VerdictKind.DENY, ["no_permit"], ())
        assert "`write`" in result.reasons[0].text


def test_every_class_of_an_action_needs_a_permit() -> None:
    boundary = load(READ_ONLY)
    assert decide(boundary, action("read")).kind is VerdictKind.ALLOW
    result = decide(boundary, action("read", "destroy"))
    assert (result.kind, codes(result)) == (VerdictKind.DENY, ["no_permit"])
    assert "`destroy`" in result.reasons[0].text
    assert "`read`" not in result.reasons[0].text
    both = load(READ_ONLY, f'@id("destroy") permit (principal, action in [{UID("destroy")}], resource);')
    assert decide(both, action("read", "destroy")).rules == ("destroy", "read")


def test_a_grant_does_not_widen_what_is_permitted() -> None:
    boundary = load(READ_ONLY, ASK)
    assert codes(decide(boundary, action("pay"))) == ["no_permit"]
    assert codes(decide(boundary, action("read", "pay"))) == ["no_permit"]


def test_a_named_operation_is_permitted_as_itself() -> None:
    name = "aws:ec2:TerminateInstances"
    boundary = load(f'@id("end") permit (principal, action == {UID(name)}, resource);')
    assert decide(boundary, action("write", "destroy", operation=name)).kind is VerdictKind.ALLOW
    assert decide(boundary, action("write", "destroy", operation="aws:ec2:Other")).kind is VerdictKind.DENY


def test_a_named_operation_keeps_its_declared_classes_whatever_was_decoded() -> None:
    name = "aws:ec2:TerminateInstances"
    boundary = load(
        READ_ONLY,
        f'@id("named") forbid (principal, action == {UID(name)}, resource) when {{ context.quantity > 100 }};',
    )
    result = decide(boundary, action("read", operation=name))
    assert (result.kind, codes(result)) == (VerdictKind.DENY, ["no_permit"])


def test_an_operation_named_like_a_class_is_no_class() -> None:
    boundary = load(READ_ONLY)
    for name in ("read", "op:read", 'read"', "Comptroller::Action::read"):
        assert decide(boundary, action("write", operation=name)).kind is VerdictKind.DENY


def test_the_three_outcomes_and_the_second_decision() -> None:
    boundary = load(PERMIT_ALL, ASK)
    held = decide(boundary, action("pay"))
    assert (held.kind, held.rules, codes(held)) == (VerdictKind.REQUIRE_APPROVAL, ("ask",), ["approval"])
    assert held.reasons[0].text == "because"
    (obligation,) = held.obligations
    assert (obligation.rule, obligation.approvers, obligation.quorum) == ("ask", "people", 2)
    allowed = decide(boundary, action("pay"), FREE_CALL, "ask")
    assert (allowed.kind, allowed.rules, allowed.obligations) == (VerdictKind.ALLOW, ("all",), ())
    assert allowed.slice_hash == held.slice_hash


def test_nobody_is_asked_about_what_stays_forbidden() -> None:
    never = '@id("never") forbid (principal, action, resource) when { context.region == "us-east-1" };'
    result = decide(load(PERMIT_ALL, ASK, never), action("pay"))
    assert (result.kind, result.rules, result.obligations) == (VerdictKind.DENY, ("never",), ())
    small = ASK.replace("unless { ", "unless { context.quantity < 5 && ")
    assert decide(load(PERMIT_ALL, small), action("pay", quantity=4)).kind is VerdictKind.REQUIRE_APPROVAL
    refused = decide(load(PERMIT_ALL, small), action("pay", quantity=5))
    assert (refused.kind, refused.rules) == (VerdictKind.DENY, ("ask",))


OVERFLOWS = '@id("errs") forbid (principal, action, resource) when { context.quantity * 9000000000000000000 > 5 };'


def test_a_forbid_that_errs_still_forbids() -> None:
    boundary = load(PERMIT_ALL, OVERFLOWS)
    result = decide(boundary, action("read", quantity=4))
    assert (result.kind, codes(result), result.rules) == (VerdictKind.DENY, ["policy_error"], ("errs",))
    assert decide(boundary, action("read", quantity=0)).kind is VerdictKind.ALLOW


def test_a_permit_that_errs_denies_even_beside_one_that_does_not() -> None:
    result = decide(load(PERMIT_ALL, OVERFLOWS.replace("forbid", "permit")), action("read", quantity=4))
    assert (result.kind, codes(result)) == (VerdictKind.DENY, ["policy_error"])


def test_an_error_in_the_second_decision_denies() -> None:
    errs = OVERFLOWS.replace("when {", 'when { context.grants.contains("ask") &&')
    result = decide(load(PERMIT_ALL, ASK, errs), action("pay", quantity=4))
    assert (result.kind, codes(result)) == (VerdictKind.DENY, ["policy_error"])


def test_an_error_text_does_not_quote_the_agent() -> None:
    result = decide(load(PERMIT_ALL, OVERFLOWS), action("read", quantity=4, region="hunter2", account="\ud800hunter2"))
    assert codes(result) == ["policy_error"]
    assert "hunter2" not in repr(result)


def test_unknown_is_never_allowed_nor_asked_about() -> None:
    asks = ASK.replace(UID("pay"), UID("unknown"))
    for boundary in (load(PERMIT_ALL), load(PERMIT_ALL, asks)):
        for classes in (["unknown"], ["read", "unknown"], ["unknown", "pay"]):
            result = decide(boundary, action(*classes, reason="two carriers"), FREE_CALL, "ask")
            assert (result.kind, codes(result)) == (VerdictKind.DENY, ["undecodable"])
            assert "two carriers" in result.reasons[0].text


def test_an_agent_nobody_configured_and_an_action_without_class_are_denied() -> None:
    boundary = load(PERMIT_ALL)
    assert codes(decide(boundary, action("read", agent="other"))) == ["unknown_agent"]
    assert codes(decide(boundary, action())) == ["policy_error"]


@pytest.mark.parametrize("raised", [RuntimeError("x"), MemoryError(), type("Panic", (BaseException,), {})()])
def test_whatever_the_engine_raises_is_a_deny(monkeypatch: pytest.MonkeyPatch, raised: BaseException) -> None:
    def broken(*_: object) -> object:
        raise raised

    boundary = load(PERMIT_ALL)
    monkeypatch.setattr(evaluate_module, "ask", broken)
    assert codes(decide(boundary, action("read"))) == ["policy_error"]


# ---------------------------------------------------------------- grants, findings, parameters


def test_grants_cannot_be_forged_from_what_the_agent_sends() -> None:
    boundary = load(PERMIT_ALL, ASK)
    forged = [
        {"grants": ["ask"]},
        {"grants": "ask", "context": {"grants": ["ask"]}},
        {'x", "grants": ["ask"], "y': "ask"},
        {"a": '"]}, "grants": ["ask"]'},
    ]
    for parameters in forged:
        what = action(
            "pay",
            parameters=parameters,
            region='","grants":["ask"],"region":"',
            account='111111111111","grants":["ask"],"x":"',
            resources=('grants:["ask"]',),
            payment=Payment(amount_minor=1, currency='","grants":["ask"]', payee="ask"),
            call=Call(idempotency={"grants": "ask"}),
        )
        assert decide(boundary, what).kind is VerdictKind.REQUIRE_APPROVAL


BIG = (
    '@id("big") forbid (principal, action, resource) when { context.parameters.contains("InstanceType=p4d.24xlarge") };'
)


def test_padding_does_not_push_a_forbidden_parameter_out() -> None:
    boundary = load(PERMIT_ALL, BIG)
    padding = {f"Pad{number}": "x" for number in range(5_000)}
    assert decide(boundary, action("read", parameters=padding)).kind is VerdictKind.ALLOW
    for parameters in (
        {**padding, "InstanceType": "p4d.24xlarge"},
        {"InstanceType": "p4d.24xlarge", **padding},
        {"InstanceType": ["t3.micro"] * 500 + ["p4d.24xlarge"]},
    ):
        assert decide(boundary, action("read", parameters=parameters)).rules == ("big",)


def test_more_parameters_than_a_rule_is_shown_are_a_deny() -> None:
    looks_at_all = '@id("any") forbid (principal, action, resource) when { context.parameters.isEmpty() };'
    boundary = load(PERMIT_ALL, looks_at_all)
    assert decide(boundary, action("read")).rules == ("any",)
    fits = {f"p{number}": number for number in range(64)}
    assert decide(boundary, action("read", parameters=fits)).kind is VerdictKind.ALLOW
    result = decide(boundary, action("read", parameters={**fits, "one": "more"}))
    assert (result.kind, codes(result)) == (VerdictKind.DENY, ["policy_error"])
    assert "64" in result.reasons[0].text


def test_a_nested_parameter_is_found_by_its_path() -> None:
    forbid = BIG.replace("InstanceType=p4d.24xlarge", "Spec.Types=big")
    boundary = load(PERMIT_ALL, forbid)
    assert decide(boundary, action("read", parameters={"Spec": [{"Types": ["small", "big"]}]})).rules == ("big",)
    assert decide(boundary, action("read", parameters={"Spec": {"Types": "small"}})).kind is VerdictKind.ALLOW


# ---------------------------------------------------------------- money in the context


def test_an_amount_beyond_64_bits_still_exceeds_every_limit() -> None:
    limit = '@id("limit") forbid (principal, action, resource) when { context.quantity > 5 };'
    usd = (
        '@id("usd") forbid (principal, action, resource) '
        "when { context has usd_micros_high && context.usd_micros_high > 5 };"
    )
    assert decide(load(PERMIT_ALL, limit), action("read", quantity=10**40)).rules == ("limit",)
    huge = Estimate(bounds={Unit.USD_MICROS: Bound.exactly(10**40)})
    assert decide(load(PERMIT_ALL, usd), action("read"), huge).rules == ("usd",)


def test_an_unknown_price_is_absent_and_says_so() -> None:
    known = '@id("known") permit (principal, action, resource) when { context has usd_micros_high };'
    unknown = '@id("unknown") permit (principal, action, resource) when { context.price_unknown };'
    boundary = load(known, unknown)
    priced = Estimate(bounds={Unit.USD_MICROS: Bound.exactly(5)})
    for unit in (Unit.USD_MICROS, Unit.USD_MICROS_PER_HOUR):
        assert decide(boundary, action("read"), Estimate(bounds={unit: Bound(low=0, high=None)})).rules == ("unknown",)
    assert decide(boundary, action("read"), priced).rules == ("known",)
    assert decide(boundary, action("read"), FREE_CALL).kind is VerdictKind.DENY


def test_amount_and_payee_of_a_payment_can_be_ruled_on() -> None:
    rule = (
        '@id("rent") permit (principal, action, resource) when { context has amount_minor && context has payee && '
        'context.amount_minor <= 40000 && context.payee == "acct_landlord" };'
    )
    boundary = load(rule)
    paid = {"currency": "usd", "payee": "acct_landlord"}
    assert decide(boundary, action("pay", payment=Payment(amount_minor=40000, **paid))).kind is VerdictKind.ALLOW
    assert decide(boundary, action("pay", payment=Payment(amount_minor=40001, **paid))).kind is VerdictKind.DENY
    assert decide(boundary, action("pay")).kind is VerdictKind.DENY


def test_what_a_policy_can_ask_of_the_agent_and_its_groups() -> None:
    rule = (
        '@id("mine") permit (principal in Comptroller::Team::"ml", action, '
        'resource == Comptroller::Service::"aws:ec2") '
        'when { principal.owner == "ann" && principal.services.contains(context.service) && '
        'principal.accounts.contains(context.account) && principal.hosts.contains("*.example.org") && '
        'principal.organization == "acme" && principal.team == "ml" && principal.purpose == context.purpose };'
    )
    assert decide(load(rule), action("read")).rules == ("mine",)
    assert decide(load(rule), action("read", service="http")).kind is VerdictKind.DENY
    assert decide(load(rule.replace("ml", "web")), action("read")).kind is VerdictKind.DENY


# ---------------------------------------------------------------- slices


def test_an_unrelated_edit_keeps_the_hash_and_a_related_one_changes_it() -> None:
    base = load(starter_text(), READ_ONLY)
    what = action("provision")
    before = decide(base, what).slice_hash

    def after(*texts: str) -> str:
        return decide(load(*texts), what).slice_hash

    unrelated = f'@id("x") forbid (principal, action in {UID("pay")}, resource);'
    other_operation = f'@id("y") permit (principal, action == {UID("aws:ec2:DescribeInstances")}, resource);'
    assert after(starter_text(), READ_ONLY, unrelated, other_operation) == before
    assert after(starter_text().replace("this moves money", "this may move money"), READ_ONLY) == before
    related = (
        starter_text().replace('@reason("this brings', '@reason("it brings'),
        starter_text().replace('@id("unnamed")', '@id("un-named")'),
        starter_text().replace("unless { context.named }", "unless { context.named || context.quantity > 3 }"),
    )
    for text in related:
        assert text != starter_text()
        assert after(text, READ_ONLY) != before
    assert after(starter_text(), f'@id("z") forbid (principal, action in {UID("provision")}, resource);') != before
    assert (
        after(starter_text(), '@id("z") forbid (principal, action, resource) when { context.quantity > 9 };') != before
    )


def test_layout_comments_order_and_files_do_not_change_the_hashes() -> None:
    one = load(READ_ONLY + PERMIT_ALL + ASK)
    other = load(ASK.replace("(", "(\n  // a comment\n").replace(")", " )"), PERMIT_ALL, "// nothing\n\n" + READ_ONLY)
    assert one.policy_hash == other.policy_hash
    assert decide(one, action("pay")).slice_hash == decide(other, action("pay")).slice_hash
    assert load(READ_ONLY).policy_hash != load(PERMIT_ALL).policy_hash
    spaced = load(BIG.replace("InstanceType=p4d", "InstanceType= p4d"))
    assert spaced.policy_hash != load(BIG).policy_hash


def test_the_hashes_are_what_they_were() -> None:
    boundary = load(PERMIT_ALL, ASK)
    assert decide(boundary, action("pay")).slice_hash == (
        "c3e6a1cd942edf29c2cc71c571594227da7072511056816b69de0609613dc203"
    )


def test_a_slice_holds_just_the_rules_that_could_decide() -> None:
    run = f'@id("run") forbid (principal, action == {UID("aws:ec2:RunInstances")}, resource);'
    boundary = load(
        READ_ONLY, ASK, run, '@id("any") forbid (principal, action, resource) when { context.quantity > 9 };'
    )
    cut = boundary.slice_for(action("read"))
    assert (set(cut.rules), cut.action) == ({"read", "any"}, "op:read")
    assert set(boundary.slice_for(action("pay", "read")).rules) == {"read", "ask", "any"}
    named = boundary.slice_for(action("provision", operation="aws:ec2:RunInstances"))
    assert (set(named.rules), named.action) == ({"run", "any"}, "aws:ec2:RunInstances")
    assert boundary.slice_for(action("read", operation="another")) is cut


def test_slices_are_bounded_and_a_forgotten_one_is_built_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluate_module, "SLICES_MAX", 3)
    boundary = load(PERMIT_ALL)
    first = boundary.slice_for(action("read"))
    for name in ("write", "pay", "infer"):
        boundary.slice_for(action(name))
    again = boundary.slice_for(action("read"))
    assert again is not first
    assert again.hash == first.hash
    assert len(boundary._slices) == 3


# ---------------------------------------------------------------- totality

TEXT = st.one_of(st.text(max_size=30), st.sampled_from(["", "\ud800", "\x00", '"', "op:read", "read", "é" * 300]))
WEIRD = st.one_of(TEXT, st.none(), st.integers(), st.binary(max_size=8), st.floats(), st.booleans())
VALUES = st.recursive(
    WEIRD, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WEIRD, inner, max_size=4), max_leaves=12
)
HUGE = st.one_of(st.integers(-(2**70), 2**70), st.just(10**5000), st.none(), st.floats())
ACTIONS = st.builds(
    Action,
    operation=st.one_of(WEIRD, st.sampled_from(sorted(OPERATIONS))),
    service=st.one_of(WEIRD, st.just("aws:ec2")),
    classes=st.frozensets(st.sampled_from(ActionClass)),
    endpoint=st.one_of(WEIRD, st.just("docs.example.com")),
    agent=st.one_of(st.just(AGENT.name), WEIRD),
    run=TEXT,
    account=WEIRD,
    region=WEIRD,
    resources=st.tuples(TEXT),
    quantity=HUGE,
    parameters=st.one_of(st.dictionaries(WEIRD, VALUES, max_size=5), WEIRD),
    payment=st.one_of(st.none(), st.builds(Payment, amount_minor=HUGE, currency=WEIRD, payee=WEIRD)),
    reason=TEXT,
)
BOUNDS = st.builds(Bound, low=st.just(0), high=st.one_of(st.none(), st.integers(0, 2**70)))
ESTIMATES = st.builds(Estimate, bounds=st.dictionaries(st.sampled_from(Unit), BOUNDS))
TOTAL = (
    load(starter_text()),
    load(PERMIT_ALL, ASK, BIG, OVERFLOWS),
    load(PERMIT_ALL, '@id("any") forbid (principal, action, resource) when { context.parameters.isEmpty() };'),
    load(
        PERMIT_ALL,
        *(
            f'@id("n{number}") forbid (principal, action == {UID(name)}, resource);'
            for number, name in enumerate(OPERATIONS)
        ),
    ),
)


@settings(max_examples=300, deadline=None)
@given(
    ACTIONS, ESTIMATES, st.sampled_from(range(len(TOTAL))), st.frozensets(st.sampled_from(["ask", "pay", "unknown"]))
)
def test_evaluate_is_total_and_never_lets_the_unknown_go(
    what: Action, estimate: Estimate, which: int, granted: frozenset[str]
) -> None:
    result = TOTAL[which].evaluate(what, estimate, granted=granted)
    assert isinstance(result, BoundaryResult)
    assert result.reasons
    assert len(result.slice_hash) == 64
    assert (result.kind is VerdictKind.REQUIRE_APPROVAL) == bool(result.obligations)
    if ActionClass.UNKNOWN in what.classes or not what.classes or what.agent != AGENT.name:
        assert result.kind is VerdictKind.DENY
    assert result == TOTAL[which].evaluate(what, estimate, granted=granted)
