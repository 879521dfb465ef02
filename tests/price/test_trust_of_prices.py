"""Distrusted prices are unknown until confirmed; accounts pay their factor; keys are plain whatever an agent writes."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from tests.fuzz_kit import fuzz
from tests.price.price_kit import action, hourly, machines

from comptroller import price
from comptroller.core.action import ActionClass
from comptroller.core.estimate import Outcome, Unit
from comptroller.price import SHIPPED, PriceBook, Prices, price_key

KEY = "aws:ec2:RunInstances/us-east-1/p4d.24xlarge"


def test_a_key_names_operation_region_and_what_is_bought() -> None:
    assert price_key(machines("p4d.24xlarge", 8)) == KEY
    assert price_key(machines("P4D.24xlarge", 1)) == KEY
    assert price_key(machines("m5.large", 1)) != KEY
    asked = action("openai:chat.completions:create", {"model": "gpt-4o"}, ActionClass.INFER, region="")
    assert price_key(asked) == "openai:chat.completions:create/gpt-4o"
    odd = price_key(machines("p4d.24xlarge\n; rm -rf /"))
    assert odd.startswith("aws:ec2:RunInstances/us-east-1/sha256.")


@fuzz(200)
@given(st.text(max_size=300), st.text(max_size=300), st.text(max_size=300))
def test_keys_are_short_and_plain(operation: str, region: str, kind: str) -> None:
    key = price_key(action(operation, {"InstanceType": kind}, region=region))
    assert len(key) <= 300 and key.isascii() and key.isprintable()
    assert key == price_key(action(operation, {"InstanceType": kind}, region=region))


def test_a_distrusted_price_is_unknown_until_confirmed() -> None:
    pricer = Prices()
    asked = machines("p4d.24xlarge", 1)
    before = pricer.estimate(asked)
    pricer.trust(KEY, trusted=False)
    doubted = pricer.estimate(asked)
    for unit in (Unit.USD_MICROS, Unit.USD_MICROS_PER_HOUR):
        assert doubted.unknown(unit) and not before.unknown(unit)
    assert KEY in doubted.basis
    assert not pricer.estimate(machines("m5.large")).unknown(Unit.USD_MICROS)
    parent = action("aws:cloudformation:CreateStack", {}, parts=(machines("m5.large"), asked))
    assert pricer.estimate(parent).unknown(Unit.USD_MICROS)
    pricer.trust(KEY, trusted=True)
    assert pricer.estimate(asked) == before


def test_an_account_pays_its_factor_of_the_list_price() -> None:
    asked = replace(machines("m5.large", 10), account="123456789012")
    cheaper = PriceBook(factors={"123456789012": Decimal("0.85")})
    dearer = PriceBook(factors={"123456789012": Decimal("1.1")})
    low, high = hourly(asked)
    assert low is not None and high is not None
    assert hourly(asked, cheaper) == (round(low * 0.85, 6), round(high * 0.85, 6))
    assert hourly(asked, dearer)[1] == round(high * 1.1, 6)
    assert hourly(replace(asked, account="2"), cheaper) == hourly(asked)
    assert "times 0.85" in price.estimate(asked, cheaper).basis
    made = Outcome(status=200, ok=True, complete=True, made=tuple(f"i-{n}" for n in range(10)))
    paid = price.actual(asked, made, cheaper)[Unit.USD_MICROS]
    assert paid == price.estimate(asked, cheaper).high(Unit.USD_MICROS)


def test_what_a_request_states_is_paid_whole() -> None:
    asked = action("aws:ec2:PurchaseReservedInstancesOffering", {"LimitPrice": {"Amount": 100}}, ActionClass.PAY)
    asked = replace(asked, account="1")
    book = PriceBook(factors={"1": Decimal("0.5")})
    assert price.estimate(asked, book).high(Unit.USD_MICROS) == 100_000_000


def test_parts_add_up_and_one_unknown_part_makes_the_whole_unknown() -> None:
    parts = (machines("m5.large", 2), action("aws:ec2:CreateNatGateway", {"SubnetId": "s"}))
    both = price.estimate(action("aws:cloudformation:CreateStack", {}, parts=parts))
    each = [price.estimate(part).high(Unit.USD_MICROS) or 0 for part in parts]
    assert both.high(Unit.USD_MICROS) == sum(each)
    unknown = action("aws:cloudformation:CreateStack", {}, parts=(*parts, action("aws:nobody:CreateThing")))
    assert price.estimate(unknown, SHIPPED).unknown(Unit.USD_MICROS)
