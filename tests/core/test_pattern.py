"""Patterns are closed: whatever an action has beyond its pattern, or lacks of it, it is not like it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comptroller.core.action import Action, ActionClass, Payment, digest
from comptroller.core.errors import UsageError
from comptroller.core.estimate import Bound, Estimate, Unit
from comptroller.core.leaves import LEAVES_MAX, TooManyLeaves, leaves, with_leaves
from comptroller.core.pattern import (
    Pattern,
    Resources,
    difference,
    opened,
    pattern_json,
    pattern_of,
    pattern_text,
    proposed,
)

PRICE = Estimate(bounds={Unit.CALLS: Bound.exactly(1), Unit.USD_MICROS: Bound(low=0, high=100_000)})
BUCKET = "arn:aws:s3:::logs-2026"


def action(**changes: Any) -> Action:
    fields: dict[str, Any] = {
        "operation": "aws:ec2:RunInstances",
        "service": "aws:ec2",
        "classes": frozenset({ActionClass.PROVISION}),
        "endpoint": "ec2.us-east-1.amazonaws.com",
        "agent": "bot",
        "run": "run-1",
        "account": "123456789012",
        "region": "us-east-1",
        "resources": (BUCKET,),
        "quantity": 8,
        "parameters": {"Bucket": "logs-2026", "InstanceType": "t3.micro", "MaxCount": 8, "Tags": [{"Key": "a"}]},
    }
    return Action(**{**fields, **changes})


def pattern(made: Action | None = None) -> Pattern:
    found = proposed(made or action(), PRICE, frozenset({"MaxCount"}))
    assert found is not None
    return found


SCALARS = st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=6) | st.binary(max_size=4)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
PARAMETERS = st.dictionaries(st.text(min_size=1, max_size=6), VALUES, max_size=4)


@given(PARAMETERS, PARAMETERS)
def test_leaves_are_the_same_only_for_the_same_parameters(one: dict[str, Any], other: dict[str, Any]) -> None:
    same = digest(action(parameters=one)) == digest(action(parameters=other))
    first, second = ({path: repr(value) for path, value in leaves(each).items()} for each in (one, other))
    if first == second:
        assert same


def test_paths_that_look_alike_are_different() -> None:
    assert leaves({"a": {"b": 1}}).keys() != leaves({"a.b": 1}).keys()
    assert leaves({"a": [1]}).keys() != leaves({"a[0]": 1}).keys()
    assert leaves({"a": []}) == {"a": []} and leaves({"a": {}}) == {"a": {}}


def test_very_many_leaves_are_no_pattern() -> None:
    many = {f"p{n}": n for n in range(LEAVES_MAX + 1)}
    with pytest.raises(TooManyLeaves):
        leaves(many)
    assert proposed(action(parameters=many), PRICE) is None


@given(PARAMETERS, st.data())
def test_what_is_put_at_a_leaf_is_there_and_nothing_else_changed(
    parameters: dict[str, Any], data: st.DataObject
) -> None:
    before = leaves(parameters)
    if not before:
        return
    path = data.draw(st.sampled_from(sorted(before)))
    after = leaves(with_leaves(parameters, {path: "new"}))
    assert after == {**before, path: "new"}


@given(PARAMETERS, PARAMETERS)
def test_no_other_parameters_are_like_it(one: dict[str, Any], other: dict[str, Any]) -> None:
    made = proposed(action(parameters=one, resources=()), PRICE)
    if made is None:
        return
    tried = action(parameters=other, resources=())
    if not difference(made, tried, PRICE):
        assert digest(tried) == digest(action(parameters=one, resources=()))
    assert not difference(made, action(parameters=one, resources=()), PRICE)


OUTSIDE: dict[str, dict[str, Any]] = {
    "another operation": {"operation": "aws:ec2:RunScheduledInstances"},
    "another service": {"service": "http"},
    "another account": {"account": "999999999999"},
    "another region": {"region": "eu-west-1"},
    "another endpoint": {"endpoint": "ec2.evil.example"},
    "more classes": {"classes": frozenset({ActionClass.PROVISION, ActionClass.ENTITLE})},
    "no class": {"classes": frozenset()},
    "nobody can read it": {"classes": frozenset({ActionClass.UNKNOWN})},
    "a larger quantity": {"quantity": 9},
    "another resource": {"resources": ("arn:aws:s3:::prod",)},
    "more resources": {"resources": (BUCKET, "arn:aws:s3:::prod")},
    "no resource": {"resources": ()},
    "a payment": {"payment": Payment(amount_minor=1, currency="usd", payee="x")},
    "parts": {"parts": (action(),)},
}


@pytest.mark.parametrize("name", OUTSIDE)
def test_what_is_outside_is_not_like_it(name: str) -> None:
    assert difference(pattern(), action(**OUTSIDE[name]), PRICE)


@pytest.mark.parametrize(
    "parameters",
    [
        {"InstanceType": "p5.48xlarge"},
        {"MaxCount": 9},
        {"MaxCount": 0},
        {"MaxCount": -1},
        {"MaxCount": True},
        {"MaxCount": "08"},
        {"MaxCount": None},
        {"UserData": "IyEvYmlu"},
        {"Tags": [{"Key": "a"}, {"Key": "b"}]},
        {"Tags": []},
        {"Tags": [{"Key": "a", "Value": "b"}]},
        {"Bucket": "prod"},
        {"InstanceType": b"t3.micro"},
    ],
)
def test_one_parameter_apart_is_not_like_it(parameters: dict[str, Any]) -> None:
    tried = action(parameters={**action().parameters, **parameters})
    assert difference(pattern(), tried, PRICE)


@pytest.mark.parametrize("name", ["Bucket", "InstanceType", "MaxCount", "Tags"])
def test_one_parameter_less_is_not_like_it(name: str) -> None:
    kept = {each: value for each, value in action().parameters.items() if each != name}
    made = pattern(action(resources=()))
    assert difference(made, action(parameters=kept, resources=()), PRICE)


@given(st.integers(1, 8))
def test_fewer_is_like_it(count: int) -> None:
    tried = action(parameters={**action().parameters, "MaxCount": count}, quantity=count)
    assert not difference(pattern(), tried, PRICE)


@pytest.mark.parametrize("high", [None, 100_001])
def test_what_costs_more_or_nobody_knows_what_is_not_like_it(high: int | None) -> None:
    bounds = {Unit.CALLS: Bound.exactly(1), Unit.USD_MICROS: Bound(low=0, high=high)}
    assert difference(pattern(), action(), Estimate(bounds=bounds))
    rate = {**PRICE.bounds, Unit.USD_MICROS_PER_HOUR: Bound(low=0, high=1)}
    assert difference(pattern(), action(), Estimate(bounds=rate))


def test_the_own_run_counts_as_the_same_in_every_run() -> None:
    made = proposed(action(parameters={"Tag": "run-1"}, resources=()), PRICE)
    assert made is not None
    assert not difference(made, action(parameters={"Tag": "run-2"}, resources=(), run="run-2"), PRICE)
    assert difference(made, action(parameters={"Tag": "run-1"}, resources=(), run="run-2"), PRICE)


def test_names_of_resources_may_differ_only_where_a_prefix_is_granted() -> None:
    other = action(resources=("arn:aws:s3:::logs-2027",), parameters={**action().parameters, "Bucket": "logs-2027"})
    assert difference(pattern(), other, PRICE)
    wider = opened(pattern(), prefixes=["arn:aws:s3:::logs-"])
    assert not difference(wider, other, PRICE)
    assert "begin with arn:aws:s3:::logs-" in pattern_text(wider)
    outside = replace(other, resources=("arn:aws:s3:::prod",), parameters={**other.parameters, "Bucket": "prod"})
    assert difference(wider, outside, PRICE)
    # the name in the parameters is the one that counts on the wire
    lying = replace(other, parameters={**other.parameters, "Bucket": "prod"})
    assert difference(wider, lying, PRICE)
    assert opened(pattern(), any_resource=True).match is Resources.ANY


def test_payments_are_like_it_to_the_same_payee_up_to_the_amount() -> None:
    paid = action(
        classes=frozenset({ActionClass.PAY}),
        payment=Payment(amount_minor=500, currency="usd", payee="acct_1"),
        parameters={"amount": "500"},
        resources=(),
    )
    made = proposed(paid, PRICE, frozenset({"amount"}))
    assert made is not None and made.named_classes == {"pay"}
    for changes in ({"amount_minor": 501}, {"payee": "acct_2"}, {"currency": "eur"}, {"direction": "in"}):
        tried = replace(paid, payment=replace(paid.payment, **changes))  # type: ignore[type-var, arg-type]
        assert difference(made, tried, PRICE), changes
    less = replace(paid, payment=Payment(amount_minor=1, currency="usd", payee="acct_1"), parameters={"amount": "1"})
    assert not difference(made, less, PRICE)


@pytest.mark.parametrize("kind", ["pay", "entitle", "destroy", "blind", "execute", "reveal"])
def test_nothing_is_opened_in_a_dangerous_class(kind: str) -> None:
    made = pattern(action(classes=frozenset({ActionClass(kind)})))
    with pytest.raises(UsageError):
        opened(made, free=["InstanceType"])
    with pytest.raises(UsageError):
        opened(made, any_resource=True)


def test_what_is_opened_is_said() -> None:
    wider = opened(pattern(), free=["InstanceType"], at_most={"MaxCount": 16}, usd_micros_max=500_000)
    text = pattern_text(wider)
    assert "any InstanceType" in text and "MaxCount at most 16" in text and "$0.50" in text
    assert wider.quantity_max == 16
    for wrong in ({"free": ["Nothing"]}, {"at_most": {"InstanceType": 3}}, {"at_most": {"MaxCount": 0}}):
        with pytest.raises(UsageError):
            opened(pattern(), **wrong)  # type: ignore[arg-type]
    with pytest.raises(UsageError):
        opened(pattern(), prefixes=["ar"])


def test_secrets_are_not_in_a_pattern() -> None:
    made = proposed(action(parameters={"MasterUserPassword": "hunter2hunter2", "Body": b"xyz"}, resources=()), PRICE)
    assert made is not None
    assert "hunter2" not in str(pattern_json(made)) and "hunter2" not in pattern_text(made)
    with pytest.raises(UsageError):
        opened(made, free=["MasterUserPassword"])
    other = action(parameters={"MasterUserPassword": "other", "Body": b"xyz"}, resources=())
    assert difference(made, other, PRICE)


def test_a_pattern_comes_back_as_it_was_and_anything_else_is_none() -> None:
    made = pattern()
    assert pattern_of(pattern_json(made)) == made
    for broken in (None, {}, {"v": 1}, {**pattern_json(made), "v": 2}, {**pattern_json(made), "match": "some"}):
        assert pattern_of(broken) is None


def test_unbound_bodies_and_unknown_prices_have_no_pattern() -> None:
    assert proposed(action(parameters={"Body": {"$stream": True}}), PRICE) is None
    assert proposed(action(classes=frozenset({ActionClass.UNKNOWN})), PRICE) is None
    assert proposed(action(), Estimate(bounds={Unit.USD_MICROS: Bound(low=0, high=None)})) is None
