"""The context record: parameters as text, bounded; hosts and accounts matched; numbers within 64 bits."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from boundary_cases import AGENT, action
from hypothesis import given, settings
from hypothesis import strategies as st

from comptroller.boundary.context import (
    LONG_MAX,
    LONG_MIN,
    PARAMETERS_MAX,
    PARAMETERS_WALKED_MAX,
    Reach,
    TooManyParameters,
    clamped,
    context_of,
    scalars,
)
from comptroller.boundary.schema import CONTEXT_ATTRIBUTES, AgentFacts
from comptroller.core.estimate import FREE_CALL


def test_every_kind_of_scalar_has_its_text() -> None:
    parameters = {
        "Text": "a=b",
        "Yes": True,
        "No": False,
        "None": None,
        "Number": 10**20,
        "Decimal": Decimal("1.50"),
        "Time": datetime(2026, 11, 1, tzinfo=UTC),
        "Bytes": b"secret",
        "Nested": {"Inner": {"Deep": 1}, "List": [{"X": "a"}, {"X": "b"}]},
        "List": ["a", "b", "a"],
        "Empty": {},
    }
    assert scalars(parameters) == sorted(
        [
            "Text=a=b",
            "Yes=true",
            "No=false",
            "None=null",
            f"Number={10**20}",
            "Decimal=1.50",
            "Time=2026-11-01T00:00:00Z",
            "Bytes=bytes",
            "Nested.Inner.Deep=1",
            "Nested.List.X=a",
            "Nested.List.X=b",
            "List=a",
            "List=b",
        ]
    )


def test_only_what_is_asked_for_is_shown() -> None:
    parameters = {"A": "1", "B": "1", "A.B": "2", "A=B": "3", "AA": "1"}
    assert scalars(parameters, frozenset()) == []
    assert scalars(parameters, frozenset({"A=1"})) == ["A=1"]
    assert scalars(parameters, frozenset({"A.B=2", "A=B=3", "C=1"})) == ["A.B=2", "A=B=3"]


def test_the_limits_hold() -> None:
    assert len(scalars({f"p{number}": number for number in range(PARAMETERS_MAX)})) == PARAMETERS_MAX
    with pytest.raises(TooManyParameters):
        scalars({f"p{number}": number for number in range(PARAMETERS_MAX + 1)})
    with pytest.raises(TooManyParameters):
        scalars({"a": ["same"] * (PARAMETERS_WALKED_MAX + 1)}, frozenset({"a=other"}))
    deep: object = 1
    for _ in range(100):
        deep = {"a": deep}
    with pytest.raises(TooManyParameters):
        scalars({"a": deep}, frozenset({"a.b=1"}))
    with pytest.raises(TooManyParameters):
        scalars({"a": object()})


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["A", "B", "A.B", "A=1"]),
        st.recursive(
            st.sampled_from(["1", 1, "B=1"]), lambda x: st.lists(x, max_size=3) | st.dictionaries(st.just("B"), x)
        ),
    ),
    st.frozensets(st.sampled_from(["A=1", "A.B=1", "A.B.B=1", "A=1=1", "B=B=1", "B=2"])),
)
def test_showing_what_is_asked_for_is_the_same_as_choosing_from_all(
    parameters: dict[str, object], texts: frozenset[str]
) -> None:
    assert set(scalars(parameters, texts)) == set(scalars(parameters)) & texts


@given(st.integers())
def test_numbers_stay_within_64_bits_and_in_order(number: int) -> None:
    assert LONG_MIN <= clamped(number) <= LONG_MAX
    if LONG_MIN <= number <= LONG_MAX:
        assert clamped(number) == number
    assert (clamped(number) > 0) == (number > 0)


def test_the_record_has_the_attributes_of_the_schema() -> None:
    record = context_of(action("read"), FREE_CALL, reach=Reach.of(AGENT), purpose="p", texts=frozenset())
    assert set(record) == {name for name in CONTEXT_ATTRIBUTES if not name.endswith("?")}
    assert record["grants"] == []
    assert record["findings"] == []


def test_a_host_is_shown_as_it_is_matched() -> None:
    what = action("read", endpoint="EVIL.example.:8443")
    record = context_of(what, FREE_CALL, reach=Reach.of(AGENT), purpose="p", texts=frozenset())
    assert record["host"] == "evil.example"


def facts(**named: frozenset[str]) -> AgentFacts:
    """An agent for whom only this is named."""
    return AgentFacts(name="a", team="t", organization="o", owner="w", purpose="p", **named)


def test_a_service_may_be_named_with_all_its_parts() -> None:
    reach = Reach.of(facts(services=frozenset({"aws:*", "openai"})))
    assert reach.names("aws:ec2", "")
    assert reach.names("openai", "")
    assert not reach.names("aws", "")
    assert not reach.names("awsome:x", "")
    assert not reach.names("stripe", "")
    assert not Reach.of(facts(services=frozenset({":*", "*", "http:*"}))).names("aws:ec2", "x")


def test_naming_the_service_of_any_host_names_no_host() -> None:
    assert not Reach.of(facts(services=frozenset({"http"}))).names("http", "evil.example")
    assert not Reach.of(facts(hosts=frozenset({"*.", "*", "."}))).names("http", "evil.example")


def test_an_empty_name_names_nothing() -> None:
    assert not Reach.of(facts(hosts=frozenset({"", "."}), services=frozenset({""}))).names("", "")


def test_accounts_bind_only_where_some_are_named() -> None:
    assert Reach.of(facts()).names_account("aws:ec2", "")
    assert Reach.of(facts()).names_account("aws:ec2", "1")
    reach = Reach.of(facts(accounts=frozenset({"1"})))
    assert reach.names_account("aws:ec2", "1")
    assert not reach.names_account("aws:ec2", "2")
    assert not reach.names_account("aws:ec2", "")
    assert reach.names_account("http", "")
    assert not reach.names_account("stripe", "acct_2")
