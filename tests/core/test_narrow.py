"""Narrower never raises: whatever a person types, the smaller action is above the first in no unit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comptroller.core.action import Action, ActionClass, Payment, digest
from comptroller.core.estimate import Bound, Estimate, Unit
from comptroller.core.leaves import leaves
from comptroller.core.narrow import Narrowing, NarrowKind, NotNarrower, check_narrower, narrowed_parameters
from comptroller.core.request import Header, Request
from comptroller.decode.aws.narrow import narrow, narrowings
from comptroller.decode.stripe import StripeCodec
from comptroller.price import Prices

TYPES = ["t3.nano", "t3.micro", "t3.small", "t3.large", "m5.large", "p4d.24xlarge", "p5.48xlarge", "nobody.knows", ""]


def machines(kind: str = "m5.large", count: int = 8, **more: Any) -> Action:
    return Action(
        operation="aws:ec2:RunInstances",
        service="aws:ec2",
        classes=frozenset({ActionClass.PROVISION}),
        endpoint="ec2.us-east-1.amazonaws.com",
        agent="bot",
        run="run-1",
        account="123456789012",
        region="us-east-1",
        quantity=count,
        parameters={"ImageId": "ami-1", "InstanceType": kind, "MinCount": 1, "MaxCount": count, **more},
    )


@given(
    st.sampled_from(TYPES[:-2]),
    st.integers(1, 20),
    st.dictionaries(
        st.sampled_from(["count", "MaxCount", "MinCount", "InstanceType", "type", "ImageId", "size"]),
        st.sampled_from(TYPES) | st.integers(-3, 25).map(str),
        max_size=3,
    ),
)
def test_no_unit_ever_rises(kind: str, count: int, changes: dict[str, str]) -> None:
    before = machines(kind, count)
    prices = Prices()
    try:
        after = narrow(before, changes)
        check_narrower(before, after, prices.estimate(before), prices.estimate(after), narrowings(before))
    except NotNarrower:
        return
    old, new = prices.estimate(before), prices.estimate(after)
    for unit, bound in new.bounds.items():
        high = old.bounds[unit].high
        assert high is None or (bound.high is not None and bound.high <= high)
    assert after.quantity <= before.quantity
    was, now = leaves(before.parameters), leaves(after.parameters)
    assert was.keys() == now.keys() and now["ImageId"] == was["ImageId"]
    assert now["MaxCount"] <= was["MaxCount"] and now["MinCount"] <= was["MinCount"]  # type: ignore[operator]


def test_what_is_told_can_be_lowered() -> None:
    told = {each.path: each.kind for each in narrowings(machines(BlockDeviceMappings=[{"Ebs": {"VolumeSize": 100}}]))}
    assert told == {
        "InstanceType": NarrowKind.TYPE,
        "MinCount": NarrowKind.COUNT,
        "MaxCount": NarrowKind.COUNT,
        "BlockDeviceMappings[0].Ebs.VolumeSize": NarrowKind.SIZE,
    }
    smaller = narrow(machines(BlockDeviceMappings=[{"Ebs": {"VolumeSize": 100}}]), {"size": "8", "count": "2"})
    assert smaller.quantity == 2 and smaller.parameters["BlockDeviceMappings"] == [{"Ebs": {"VolumeSize": 8}}]


def test_an_action_of_parts_and_one_that_only_changes_something_are_left_alone() -> None:
    assert narrowings(replace(machines(), parts=(machines(),))) == ()
    assert narrowings(replace(machines(), classes=frozenset({ActionClass.DESTROY}))) == ()
    with pytest.raises(NotNarrower):
        narrow(replace(machines(), parts=(machines(),)), {"count": "1"})


FREE = Estimate(bounds={Unit.CALLS: Bound.exactly(1)})
KNOWN = (Narrowing(path="amount", kind=NarrowKind.AMOUNT, value="500"),)


def paying(amount: int, **changes: Any) -> Action:
    payment = Payment(amount_minor=amount, currency="usd", payee="acct_1")
    return replace(
        machines(),
        operation="stripe:transfers:create",
        quantity=1,
        parameters={"amount": str(amount)},
        payment=replace(payment, **changes),
    )


def test_a_payment_is_lowered_to_the_same_payee_only() -> None:
    check_narrower(paying(500), paying(400), FREE, FREE, KNOWN)
    for other in (paying(501), paying(500), paying(400, payee="acct_2"), paying(400, currency="eur")):
        with pytest.raises(NotNarrower):
            check_narrower(paying(500), other, FREE, FREE, KNOWN)
    assert narrowed_parameters({"amount": "500"}, KNOWN, {"amount": "400"}) == {"amount": "400"}


@pytest.mark.parametrize("name", ["operation", "account", "region", "endpoint", "agent", "run", "service"])
def test_it_stays_the_same_action(name: str) -> None:
    smaller = narrow(machines(), {"count": "1"})
    with pytest.raises(NotNarrower):
        check_narrower(machines(), replace(smaller, **{name: "other"}), FREE, FREE, narrowings(machines()))  # type: ignore[arg-type]


def test_a_stripe_amount_is_lowered_as_it_would_be_decoded_again() -> None:
    codec = StripeCodec()

    def transfer(amount: str) -> Action:
        form = f"amount={amount}&currency=usd&destination=acct_1".encode()
        headers = (Header("content-type", "application/x-www-form-urlencoded"),)
        return codec.decode(
            Request(
                scheme="https",
                method="POST",
                host="api.stripe.com",
                port=443,
                target="/v1/transfers",
                headers=headers,
                body=form,
                agent="bot",
                run="run-1",
            )
        )

    smaller = codec.narrow(transfer("500"), {"amount": "499"})
    assert digest(smaller) == digest(transfer("499")) and smaller.payment == transfer("499").payment
    for wrong in ("501", "500", "0", "-1", "1e2", "0400"):
        with pytest.raises(NotNarrower):
            codec.narrow(transfer("500"), {"amount": wrong})
