"""The digest: golden vectors, what it leaves out, and everything that has no canonical form."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comptroller.core.action import (
    Action,
    ActionClass,
    Call,
    Payment,
    Uncanonical,
    canonical,
    canonical_bytes,
    digest,
)

GOLDEN = Path(__file__).parent.parent / "golden" / "digests.json"


def action(**changes: object) -> Action:
    base = Action(
        operation="aws:ec2:RunInstances",
        service="aws:ec2",
        classes=frozenset({ActionClass.PROVISION}),
        account="123456789012",
        region="us-east-1",
        endpoint="ec2.us-east-1.amazonaws.com",
        agent="research",
        run="01890a5d-ac96-774b-bcce-b302099a8057",
        quantity=8,
        parameters={"InstanceType": "p4d.24xlarge", "MinCount": 8, "MaxCount": 8, "ImageId": "ami-1"},
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def vectors() -> dict[str, Action]:
    return {
        "run-instances": action(),
        "one-less": action(quantity=7, parameters={**action().parameters, "MaxCount": 7}),
        "other-run": action(run="01890a5d-ac96-774b-bcce-b302099a8058"),
        "bytes": action(parameters={"UserData": b"#!/bin/sh\n"}),
        "numbers": action(parameters={"a": 2**53 - 1, "b": 2**53, "c": Decimal("0.10"), "d": 1.5, "e": -0.0}),
        "times": action(parameters={"t": datetime(2026, 11, 23, 12, 0, 0, 500_000, tzinfo=UTC)}),
        "text": action(parameters={"é": "\u20ac\U0001f600", "nested": [{"b": 1, "a": [True, None]}]}),
        "empty": action(parameters={}, resources=(), account="", region=""),
        "resources": action(resources=("arn:aws:s3:::b/k", "arn:aws:s3:::b/l")),
    }


def test_golden_vectors() -> None:
    golden = json.loads(GOLDEN.read_text())
    assert {name: digest(value) for name, value in vectors().items()} == golden


def test_the_digest_is_what_architecture_says() -> None:
    """Recomputed by hand: domain line, then sorted compact JSON of the nine members."""
    value = action(parameters={"A": 1})
    document = {
        "account": value.account,
        "agent": value.agent,
        "endpoint": value.endpoint,
        "operation": value.operation,
        "parameters": {"A": 1},
        "quantity": 8,
        "region": value.region,
        "resources": [],
        "run": value.run,
    }
    text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    assert digest(value) == "a1:" + hashlib.sha256(b"comptroller/action/1\n" + text.encode()).hexdigest()


@pytest.mark.parametrize(
    "change",
    [
        {"operation": "aws:ec2:StartInstances"},
        {"account": "210987654321"},
        {"region": "eu-west-1"},
        {"endpoint": "ec2.us-east-1.amazonaws.com:8443"},
        {"agent": "other"},
        {"run": "01890a5d-ac96-774b-bcce-b302099a8059"},
        {"resources": ("x",)},
        {"quantity": 9},
        {"parameters": {"InstanceType": "p4d.24xlarge"}},
    ],
)
def test_every_member_of_the_identity_counts(change: dict[str, object]) -> None:
    assert digest(action(**change)) != digest(action())


def test_what_surrounds_an_action_does_not_count() -> None:
    other = action(
        call=Call(idempotency={"ClientToken": "fresh"}, attempt="2", payload_bytes=7),
        payment=Payment(amount_minor=1, currency="usd", payee="x"),
        sensitive=frozenset({"UserData"}),
    )
    assert digest(other) == digest(action())


def test_times_are_one_instant_whatever_their_zone() -> None:
    noon = datetime(2026, 11, 23, 12, tzinfo=UTC)
    shifted = noon.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert canonical(noon) == canonical(shifted) == "2026-11-23T12:00:00Z"


def test_true_is_not_one_and_text_is_not_a_number() -> None:
    assert len({canonical_bytes({"a": value}) for value in (True, 1, "1", Decimal(1), b"1")}) == 5


def test_a_callers_markers_never_read_like_ours() -> None:
    assert canonical_bytes({"a": {"$number": "1.5"}}) != canonical_bytes({"a": Decimal("1.5")})
    assert canonical_bytes({"a": canonical(b"x")}) != canonical_bytes({"a": b"x"})
    assert canonical_bytes({"$a": 1}) != canonical_bytes({"$$a": 1})


@pytest.mark.parametrize(
    "value",
    [
        math.nan,
        math.inf,
        Decimal("NaN"),
        Decimal("1e999"),
        10**40,
        -(10**40),
        "\ud800",
        {"\udfff": 1},
        {1: "a"},
        {"a": object()},
        {"a": {1, 2}},
    ],
)
def test_no_canonical_form(value: object) -> None:
    with pytest.raises(Uncanonical):
        canonical_bytes(value)


def test_depth_is_bounded_without_recursion_trouble() -> None:
    value: object = "x"
    for _ in range(5000):
        value = [value]
    with pytest.raises(Uncanonical, match="nested"):
        canonical_bytes(value)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.decimals(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=20,
    )
)
@settings(max_examples=300, deadline=None)
def test_canonical_is_total_and_deterministic(value: object) -> None:
    try:
        first = canonical_bytes(value)
    except Uncanonical:
        return
    assert first == canonical_bytes(value)
    assert json.loads(first) is not Ellipsis
