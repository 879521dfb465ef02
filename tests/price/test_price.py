"""Prices: bounds hold, unknown is never free, and what was really paid follows from the answer."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comptroller import price
from comptroller.core.action import Action, ActionClass, Call, Payment
from comptroller.core.estimate import Outcome, Unit
from comptroller.price import SHIPPED

NEEDING_DOLLARS = {ActionClass.PROVISION, ActionClass.PAY, ActionClass.INFER, ActionClass.UNKNOWN}


def act(
    operation: str,
    *classes: ActionClass,
    parameters: Mapping[str, object] | None = None,
    quantity: int = 1,
    payment: Payment | None = None,
    payload_bytes: int = 0,
) -> Action:
    return Action(
        operation=operation,
        service=operation.rpartition(":")[0],
        classes=frozenset(classes),
        agent="a",
        run="r",
        endpoint="h",
        region="us-east-1",
        parameters=parameters or {},
        quantity=quantity,
        payment=payment,
        call=Call(payload_bytes=payload_bytes),
    )


def run_instances(kind: str | None, count: int = 1, **more: object) -> Action:
    parameters = {"MinCount": count, "MaxCount": count, **({"InstanceType": kind} if kind else {}), **more}
    return act("aws:ec2:RunInstances", ActionClass.PROVISION, parameters=parameters, quantity=count)


def made(*names: str, ok: bool = True, charged: bool | None = None, **usage: int) -> Outcome:
    return Outcome(status=200 if ok else 400, ok=ok, complete=True, charged=charged, made=names, usage=usage)


@pytest.mark.parametrize(
    ("kind", "count", "low", "high"),
    [
        ("p4d.24xlarge", 8, 175_661_136, 175_701_136),
        ("m8g.12xlarge", 5, 10_771_200, 10_796_200),
        ("t3.micro", 1, 10_400, 10_400 + 5_000 + 2 * 50_000),
        ("t4g.nano", 1, 4_200, 4_200 + 5_000 + 2 * 40_000),
    ],
)
def test_instances(kind: str, count: int, low: int, high: int) -> None:
    estimate = price.estimate(run_instances(kind, count))
    for unit in (Unit.USD_MICROS, Unit.USD_MICROS_PER_HOUR):
        assert (estimate.bounds[unit].low, estimate.bounds[unit].high) == (low, high)
    assert estimate.term_seconds == 3600 and "us-east-1" in estimate.basis


def test_standard_credits_cost_nothing_extra() -> None:
    standard = run_instances("t3.micro", CreditSpecification={"CpuCredits": "standard"})
    assert price.estimate(standard).high(Unit.USD_MICROS) == 15_400


@pytest.mark.parametrize(
    "action",
    [
        run_instances(None),
        run_instances(None, LaunchTemplate={"LaunchTemplateId": "lt-1"}),
        run_instances("x99.mega"),
        run_instances("t3.micro", Placement={"Tenancy": "dedicated"}),
        run_instances("t3.micro", Placement={"HostId": "h-1"}),
        run_instances("t3.micro", InstanceMarketOptions={"MarketType": "capacity-block"}),
        run_instances("t3.micro", InstanceMarketOptions={"MarketType": "spot", "SpotOptions": {"MaxPrice": "NaN"}}),
        run_instances("t3.micro", BlockDeviceMappings=[{"Ebs": {"SnapshotId": "snap-1"}}]),
        run_instances("t3.micro", BlockDeviceMappings=[{"Ebs": {"VolumeSize": 8, "VolumeType": "gp9"}}]),
        run_instances("t3.micro", 10**9),
        act("aws:elbv2:CreateLoadBalancer", ActionClass.PROVISION, parameters={"Type": "quantum"}),
        act("aws:rds:CreateDBInstance", ActionClass.PROVISION),
        act("stripe:refunds:create", ActionClass.PAY),
        act("stripe:transfers:create", ActionClass.PAY, payment=Payment(amount_minor=5, currency="eur", payee="x")),
        act(
            "stripe:transfers:create", ActionClass.PAY, payment=Payment(amount_minor=10**17, currency="usd", payee="x")
        ),
        act(
            "openai:chat.completions:create",
            ActionClass.INFER,
            parameters={"model": "model-of-nobody", "max_tokens": 1},
        ),
        act("openai:chat.completions:create", ActionClass.INFER),
        act(
            "openai:responses:create",
            ActionClass.INFER,
            parameters={"model": "gpt-4o", "max_output_tokens": 1, "fallbacks": ["gpt-5-pro"]},
        ),
        act(
            "anthropic:messages:create",
            ActionClass.INFER,
            parameters={"model": "claude-opus-4-6", "max_tokens": "many"},
        ),
        act("aws:bedrock-runtime:InvokeModel", ActionClass.INFER),
        act("http:x:POST", ActionClass.UNKNOWN),
        act(
            "x:y:z", ActionClass.PAY, ActionClass.PROVISION, payment=Payment(amount_minor=5, currency="usd", payee="x")
        ),
    ],
)
def test_what_nobody_knows_is_unknown_never_free(action: Action) -> None:
    assert price.estimate(action).unknown(Unit.USD_MICROS)


def test_spot_is_at_most_on_demand_or_the_named_maximum() -> None:
    cheap = price.estimate(run_instances("m5.large", InstanceMarketOptions={"MarketType": "spot"}))
    assert (cheap.bounds[Unit.USD_MICROS].low, cheap.high(Unit.USD_MICROS)) == (0, 101_000)
    options = {"MarketType": "spot", "SpotOptions": {"MaxPrice": "3"}}
    assert price.estimate(run_instances("m5.large", InstanceMarketOptions=options)).high(Unit.USD_MICROS) == 3_005_000


def test_volumes_come_on_top() -> None:
    plain = price.estimate(run_instances("m5.large")).high(Unit.USD_MICROS)
    big = [{"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 16_384, "VolumeType": "io2", "Iops": 10_000}}]
    more = price.estimate(run_instances("m5.large", BlockDeviceMappings=big)).high(Unit.USD_MICROS)
    assert plain is not None and more == plain + -(-(16_384 * 125_000 + 10_000 * 65_000) // 672)


@pytest.mark.parametrize(
    ("operation", "parameters", "low", "high"),
    [
        ("aws:elbv2:CreateLoadBalancer", {"Type": "network", "Subnets": ["a", "b"]}, 22_500, 32_500),
        ("aws:elbv2:CreateLoadBalancer", {"Subnets": ["a", "b"], "Scheme": "internal"}, 22_500, 22_500),
        ("aws:elb:CreateLoadBalancer", {"AvailabilityZones": ["us-east-1a"]}, 25_000, 30_000),
    ],
)
def test_load_balancers(operation: str, parameters: dict[str, object], low: int, high: int) -> None:
    bound = price.estimate(act(operation, ActionClass.PROVISION, parameters=parameters)).bounds[
        Unit.USD_MICROS_PER_HOUR
    ]
    assert (bound.low, bound.high) == (low, high)


def test_payments_are_exact() -> None:
    action = act(
        "stripe:transfers:create", ActionClass.PAY, payment=Payment(amount_minor=40_001, currency="usd", payee="x")
    )
    bound = price.estimate(action).bounds[Unit.USD_MICROS]
    assert bound.low == bound.high == 400_010_000


@pytest.mark.parametrize(
    ("cls", "units"),
    [
        (ActionClass.READ, {Unit.CALLS}),
        (ActionClass.WRITE, {Unit.CALLS, Unit.EGRESS_BYTES}),
        (ActionClass.DESTROY, {Unit.CALLS}),
        (ActionClass.ENTITLE, {Unit.CALLS}),
        (ActionClass.COMMUNICATE, {Unit.CALLS, Unit.EGRESS_BYTES}),
    ],
)
def test_units_that_do_not_apply_are_absent(cls: ActionClass, units: set[Unit]) -> None:
    assert set(price.estimate(act("http:x:POST", cls, payload_bytes=7)).bounds) == units


def test_a_stream_without_length_has_no_bound_on_egress() -> None:
    body = {"stream": True, "length": None, "sha256": None}
    assert price.estimate(act("http:x:PUT", ActionClass.WRITE, parameters={"body": body})).unknown(Unit.EGRESS_BYTES)


# ---------------------------------------------------------------- models


def infer(model: str, payload_bytes: int = 100, **members: object) -> Action:
    operation = "anthropic:messages:create" if model.startswith("claude") else "openai:chat.completions:create"
    members = {"model": model, "max_tokens": 10, **members}
    return act(operation, ActionClass.INFER, parameters=members, payload_bytes=payload_bytes)


def high(action: Action, unit: Unit = Unit.USD_MICROS) -> int:
    found = price.estimate(action).high(unit)
    assert found is not None
    return found


def test_more_of_anything_never_costs_less() -> None:
    least = high(infer("gpt-4o"))
    for more in (
        infer("gpt-4o", 200),
        infer("gpt-4o", max_tokens=20),
        infer("gpt-4o", n=3),
        infer("gpt-4o", max_completion_tokens=500),
        infer("gpt-4o", prediction={"type": "content", "content": "x"}),
        infer(
            "gpt-4o", messages=[{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://x"}}]}]
        ),
        infer("gpt-4o", messages=[{"role": "user", "content": [{"type": "file", "file": {"file_id": "f"}}]}]),
        infer("gpt-4o", previous_response_id="resp_1"),
        infer("gpt-4o", tools=[{"type": "bash_20250124", "name": "bash"}]),
    ):
        assert high(more) > least
    sonnet = high(infer("claude-sonnet-4-6", inference_geo="global"))
    assert high(infer("claude-sonnet-4-6")) > sonnet
    assert high(infer("claude-sonnet-4-6", cache_control={"type": "ephemeral"}, inference_geo="global")) > sonnet
    assert high(infer("claude-opus-4-8", speed="fast")) > high(infer("claude-opus-4-8"))
    assert high(infer("o4-mini")) > high(infer("o4-mini", service_tier="default"))


def test_without_a_limit_the_models_own_maximum_counts() -> None:
    unlimited = act(
        "openai:chat.completions:create", ActionClass.INFER, parameters={"model": "gpt-4o"}, payload_bytes=100
    )
    assert high(unlimited, Unit.TOKENS) == 100 + 1024 + 16_384


def test_a_tool_call_named_image_is_not_an_image() -> None:
    call = {"type": "tool_use", "id": "t", "name": "f", "input": {"type": "image", "data": "x"}}
    message = {"role": "assistant", "content": [call]}
    assert high(infer("claude-sonnet-4-6", messages=[message])) == high(infer("claude-sonnet-4-6"))


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(["gpt-4o", "gpt-4o-mini", "o4-mini", "gpt-5", "claude-sonnet-4-5", "claude-opus-4-8"]),
    st.integers(1, 400_000),
    st.integers(1, 100_000),
    st.data(),
)
def test_usage_within_the_bounds_never_costs_more_than_the_estimate(
    model: str, payload: int, limit: int, data: st.DataObject
) -> None:
    action = infer(model, payload, max_tokens=limit, cache_control={"type": "ephemeral", "ttl": "1h"})
    read = data.draw(st.integers(0, payload))
    cached = data.draw(st.integers(0, read))
    usage = {"input_tokens": read, "output_tokens": data.draw(st.integers(0, limit)), "cache_read_tokens": cached}
    if model.startswith("claude"):
        usage["cache_write_tokens"] = data.draw(st.integers(0, read - cached))
        usage["cache_write_1h_tokens"] = data.draw(st.integers(0, usage["cache_write_tokens"]))
        if data.draw(st.booleans()):
            usage["geo_us"] = 1
    elif data.draw(st.booleans()):
        usage["tier_fast"] = 1
    paid = price.actual(action, made(charged=True, **usage))
    assert 0 <= paid[Unit.USD_MICROS] <= high(action)


# ---------------------------------------------------------------- what was paid


def test_fewer_machines_than_asked_cost_their_share() -> None:
    action = run_instances("m8g.12xlarge", 5)
    paid = price.actual(action, made("r-0abc", "i-1", "i-2", "i-2"))
    assert paid[Unit.USD_MICROS] == paid[Unit.USD_MICROS_PER_HOUR] == 4_318_480
    assert paid[Unit.MILLIWATT_HOURS] * 5 == 2 * high(action, Unit.MILLIWATT_HOURS)
    assert price.actual(action, made("i-1", "i-2", "i-3", "i-4", "i-5"))[Unit.USD_MICROS] == high(action)


def test_an_answer_that_does_not_tell_keeps_the_reservation() -> None:
    assert price.actual(run_instances("t3.micro"), made()) == {Unit.CALLS: 1}
    assert price.actual(infer("gpt-4o"), made(charged=True)) == {Unit.CALLS: 1}


def test_what_failed_costs_its_call() -> None:
    failed = made(ok=False, charged=False)
    assert price.actual(run_instances("t3.micro"), failed) == {
        Unit.CALLS: 1,
        Unit.USD_MICROS: 0,
        Unit.USD_MICROS_PER_HOUR: 0,
        Unit.GPU_SECONDS: 0,
        Unit.MILLIWATT_HOURS: 0,
        Unit.MILLIGRAMS_CO2E: 0,
    }
    nothing = dict.fromkeys((Unit.USD_MICROS, Unit.TOKENS, Unit.MILLIWATT_HOURS, Unit.MILLIGRAMS_CO2E), 0)
    assert price.actual(infer("gpt-4o"), failed) == {Unit.CALLS: 1, **nothing}
    assert price.actual(run_instances("t3.micro"), made(ok=False)) == {Unit.CALLS: 1}
    assert price.actual(act("http:x:GET", ActionClass.READ), failed) == {Unit.CALLS: 1}


def test_every_shipped_row_is_a_price_with_a_date_and_a_source() -> None:
    from comptroller.price.catalogue import shipped
    from comptroller.price.rows import rows_of

    for rate in shipped().values():
        assert rate.usd > 0 and rate.source and rate.as_of.startswith("2026-")
    assert len(shipped()) > 600
    for name in ("instance_prices.csv", "extra_prices.csv", "unverified_prices.csv"):
        assert all(row["license"] for row in rows_of(name))
    for sku in ("t3.micro", "t4g.nano", "t4g.small", "m8g.12xlarge", "p4d.24xlarge", "elb:application", "elb:network"):
        assert SHIPPED.rate("aws", "us-east-1", sku) is not None
    assert SHIPPED.rate("aws", "mars-north-1", "t3.micro") is None


parameter_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6) | st.binary(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
OPERATIONS = [
    "aws:ec2:RunInstances",
    "aws:elbv2:CreateLoadBalancer",
    "openai:responses:create",
    "stripe:x:y",
    "anthropic:messages:create",
    "openai:chat.completions:create",
    "http:x:POST",
    "",
]
NAMES = [
    "InstanceType",
    "MaxCount",
    "BlockDeviceMappings",
    "Placement",
    "InstanceMarketOptions",
    "CreditSpecification",
    "Type",
    "Subnets",
    "model",
    "messages",
    "tools",
    "max_tokens",
    "n",
    "modalities",
    "service_tier",
    "body",
]


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(OPERATIONS),
    st.sets(st.sampled_from(list(ActionClass)), min_size=1),
    st.dictionaries(
        st.sampled_from(NAMES),
        parameter_values | st.sampled_from(["gpt-4o", "t3.micro", "claude-opus-4-6"]),
        max_size=5,
    ),
    st.integers(-5, 10**30),
    st.none()
    | st.builds(
        Payment, amount_minor=st.integers(), currency=st.sampled_from(["usd", "USD", "eur", ""]), payee=st.just("x")
    ),
)
def test_total_and_never_free_by_mistake(
    operation: str, classes: set[ActionClass], parameters: dict[str, object], number: int, payment: Payment | None
) -> None:
    action = act(
        operation, *classes, parameters=parameters, quantity=number, payment=payment, payload_bytes=abs(number)
    )
    estimate = price.estimate(action)
    assert estimate == price.estimate(action)
    for bound in estimate.bounds.values():
        assert type(bound.low) is int and bound.low >= 0
        assert bound.high is None or (type(bound.high) is int and bound.low <= bound.high)
    assert (Unit.USD_MICROS in estimate.bounds) == bool(classes & NEEDING_DOLLARS)
    if ActionClass.UNKNOWN in classes:
        assert estimate.unknown(Unit.USD_MICROS)
    for outcome in (made(), made("i-1"), made(ok=False, charged=False), made(input_tokens=5, output_tokens=5)):
        assert all(type(v) is int and v >= 0 for v in price.actual(action, outcome).values())


def test_warming_reads_all_tables() -> None:
    price.warm()
