"""What is suggested lets go exactly what was denied, or asks about it; what no policy could help is refused."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.boundary.boundary_cases import AGENT, OPERATIONS, action, starter_text

from comptroller.boundary import CedarBoundary, Denied, PolicyText, Suggestions, suggest
from comptroller.core.action import Action, ActionClass, Payment
from comptroller.core.estimate import FREE_CALL
from comptroller.core.verdict import VerdictKind

READS = '@id("reads") permit (principal, action in Comptroller::Action::"read", resource);\n'
DESTROYS = ActionClass.DESTROY, ActionClass.WRITE


def found(*actions: Action, policies: str = READS, codes: tuple[str, ...] = (), text: str = "") -> Suggestions:
    """Suggestions for these denied actions beside these policies."""
    texts = [PolicyText(file="own.cedar", text=policies)]
    boundary = CedarBoundary.load(texts, {AGENT.name: AGENT}, classes_of=OPERATIONS.get)
    denied = [Denied(action=each, estimate=FREE_CALL, codes=codes, text=text) for each in actions]
    return suggest(boundary, texts, denied, classes_of=OPERATIONS.get)


def verdict(suggestions: Suggestions, each: Action, policies: str = READS) -> VerdictKind:
    """What an action meets once the suggestions are taken over."""
    texts = [PolicyText(file="own.cedar", text=policies), PolicyText(file="new.cedar", text=suggestions.cedar)]
    boundary = CedarBoundary.load(texts, {AGENT.name: AGENT}, classes_of=OPERATIONS.get)
    return boundary.evaluate(each, FREE_CALL).kind


def test_a_write_goes_and_nothing_beside_it() -> None:
    denied = action("write", operation="aws:ec2:CreateTags")
    suggestions = found(denied)
    (one,) = suggestions.suggested
    assert (one.operations, one.classes, one.count, one.asks) == (("aws:ec2:CreateTags",), ("write",), 1, False)
    assert verdict(suggestions, denied) is VerdictKind.ALLOW
    for other in (
        action("write", operation="aws:ec2:DeleteTags"),
        action("write", operation="aws:ec2:CreateTags", region="eu-west-1"),
        action("write", operation="aws:ec2:CreateTags", account="222222222222"),
        action("write", operation="aws:ec2:CreateTags", service="aws:rds"),
        action("write", "execute", operation="aws:ec2:CreateTags"),
        action("write", "unknown", operation="aws:ec2:CreateTags"),
    ):
        assert verdict(suggestions, other) is VerdictKind.DENY


def test_a_dangerous_class_is_asked_about() -> None:
    denied = action(*DESTROYS, operation="aws:ec2:TerminateInstances")
    suggestions = found(denied)
    assert [item.asks for item in suggestions.suggested] == [True, False]
    assert '@outcome("approval")' in suggestions.cedar and '@approvers("Group::approvers")' in suggestions.cedar
    assert verdict(suggestions, denied) is VerdictKind.REQUIRE_APPROVAL


def test_where_a_rule_asks_already_none_is_added() -> None:
    ask = (
        '@id("ask") @outcome("approval") @approvers("Group::finance")\n'
        'forbid (principal, action in Comptroller::Action::"destroy", resource)\n'
        'unless { context.grants.contains("ask") };\n'
    )
    denied = action("destroy", operation="aws:ec2:DeleteVolume")
    suggestions = found(denied, policies=READS + ask)
    assert "forbid" not in suggestions.cedar
    assert verdict(suggestions, denied, READS + ask) is VerdictKind.REQUIRE_APPROVAL


def test_operations_of_one_service_in_the_same_places_share_a_rule() -> None:
    names = ["aws:ec2:CreateTags", "aws:ec2:DeleteTags"]
    suggestions = found(*(action("write", operation=name) for name in names), action("write", operation=names[0]))
    (one,) = suggestions.suggested
    assert (one.operations, one.count) == (tuple(names), 3)
    apart = found(action("write", operation=names[0]), action("write", operation=names[1], region="eu-west-1"))
    assert len(apart.suggested) == 2
    assert verdict(apart, action("write", operation=names[1])) is VerdictKind.DENY


def test_places_are_never_crossed() -> None:
    here = action("write", account="1", region="us-east-1")
    there = action("write", account="2", region="eu-west-1")
    suggestions = found(here, there)
    assert verdict(suggestions, here) is verdict(suggestions, there) is VerdictKind.ALLOW
    assert verdict(suggestions, action("write", account="1", region="eu-west-1")) is VerdictKind.DENY


def test_how_many_and_how_much_stay_as_denied() -> None:
    more = action("provision", operation="aws:ec2:RunInstances", quantity=3)
    suggestions = found(more)
    assert verdict(suggestions, more) is VerdictKind.REQUIRE_APPROVAL
    assert verdict(suggestions, action("provision", operation="aws:ec2:RunInstances", quantity=4)) is VerdictKind.DENY
    paid = action(
        "pay",
        operation="stripe:transfers.create",
        service="stripe",
        payment=Payment(amount_minor=500, currency="usd", payee="a"),
    )
    money = found(paid)
    assert verdict(money, paid) is VerdictKind.REQUIRE_APPROVAL
    for amount, currency, payee in ((501, "usd", "a"), (500, "eur", "a"), (500, "usd", "b")):
        other = Payment(amount_minor=amount, currency=currency, payee=payee)
        changed = action("pay", operation="stripe:transfers.create", service="stripe", payment=other)
        assert verdict(money, changed) is VerdictKind.DENY


def test_a_host_is_named_where_the_service_is_any_host() -> None:
    denied = action(
        "write",
        operation="http:docs.example.com:POST",
        service="http",
        endpoint="docs.example.com",
        account="",
        region="",
    )
    suggestions = found(denied)
    assert 'context.host == "docs.example.com"' in suggestions.cedar
    assert verdict(suggestions, denied) is VerdictKind.ALLOW


# ---------------------------------------------------------------- refused


def refused(suggestions: Suggestions) -> tuple[str, tuple[str, ...]]:
    """The one refusal: why, and what instead."""
    assert suggestions.suggested == ()
    (one,) = suggestions.refused
    return one.reason, one.instead


def test_what_nobody_can_read_is_refused() -> None:
    reason, _ = refused(found(action("unknown", reason="no such operation")))
    assert "nobody can say" in reason and "no such operation" in reason


def test_where_a_forbid_wins_the_setting_is_named() -> None:
    reason, instead = refused(found(action("read", service="aws:s3", endpoint="x"), policies=starter_text()))
    assert "a forbid always wins" in reason and "`unnamed`" in reason
    assert instead == ("comptroller.yaml: agents.research.services: add aws:s3",)
    reason, instead = refused(found(action("read", account="9"), policies=starter_text()))
    assert "`unnamed-account`" in reason and instead == ("comptroller.yaml: agents.research.accounts: add 9",)
    reason, instead = refused(found(action("read"), policies='@id("no") forbid (principal, action, resource);'))
    assert "`no` forbids it" in reason and instead[0].startswith("own.cedar:1:")


@pytest.mark.parametrize("code", ["budget_exceeded", "frozen", "rejected", "no_budget", "no_run"])
def test_what_is_no_matter_of_policies_is_refused(code: str) -> None:
    reason, _ = refused(found(action("write"), codes=(code,), text="the budget is spent"))
    assert code in reason and "the budget is spent" in reason


def test_an_agent_nobody_configured_is_refused() -> None:
    reason, instead = refused(found(action("write", agent="stranger")))
    assert "not configured" in reason and instead[0].startswith("comptroller.yaml: agents.stranger")


def test_what_would_go_by_now_is_counted() -> None:
    suggestions = found(action("read"))
    assert (suggestions.settled, suggestions.suggested, suggestions.refused) == (1, (), ())


def test_nothing_denied_is_nothing_suggested() -> None:
    assert found() == Suggestions()


# ---------------------------------------------------------------- anything

NAMES = st.text(min_size=1, max_size=12)


@settings(max_examples=12, deadline=None)
@given(
    st.lists(
        st.builds(
            lambda classes, name, account, region, quantity: action(
                *classes, operation=f"aws:ec2:{name}", account=account, region=region, quantity=quantity
            ),
            classes=st.sets(st.sampled_from(sorted(set(ActionClass) - {ActionClass.UNKNOWN})), min_size=1, max_size=3),
            name=NAMES,
            account=st.sampled_from(["1", "2", ""]) | NAMES,
            region=st.sampled_from(["us-east-1", "eu-west-1"]) | NAMES,
            quantity=st.integers(0, 9),
        ),
        max_size=4,
    ),
    NAMES,
)
def test_whatever_was_denied_the_suggestion_lets_exactly_that_through(denied: list[Action], stranger: str) -> None:
    suggestions = found(*denied)
    for each in denied:
        dangerous = each.classes - {ActionClass.READ, ActionClass.WRITE, ActionClass.INFER}
        expected = VerdictKind.REQUIRE_APPROVAL if dangerous else VerdictKind.ALLOW
        told = verdict(suggestions, each)
        assert told is expected or any(each.operation in item.operations for item in suggestions.refused)
    other = action("write", operation=f"aws:s3:{stranger}", service="aws:s3")
    assert verdict(suggestions, other) is VerdictKind.DENY


def test_what_a_part_lacks_is_suggested_as_well() -> None:
    inner = action("write", operation="aws:ec2:CreateTags")
    for whole in (
        action("read", operation="aws:ec2:DescribeInstances", parts=(inner,)),
        action("write", operation="aws:ec2:CreateVolume", parts=(inner, inner)),
    ):
        suggestions = found(whole)
        assert suggestions.settled == 0 and suggestions.suggested
        assert verdict(suggestions, whole) is VerdictKind.ALLOW


def test_an_unknown_call_of_a_known_service_is_not_to_be_described_again() -> None:
    (refused,) = found(action("unknown", service="gcp:compute", operation="gcp:compute:unknown")).refused
    assert refused.instead == ()
    (refused,) = found(action("unknown", service="http", operation="http:api.example:POST")).refused
    assert refused.instead == ("describe what the API does: comptroller service add",)
