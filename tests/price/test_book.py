"""The price book: every machine has an honest bound, and what is less certain is wider."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comptroller.price import SHIPPED, PriceBook
from comptroller.price.catalogue import Rate
from comptroller.price.known import known_rows, price_in_bounds, price_spread
from comptroller.price.range import HOME, region_of
from comptroller.price.sizes import known_sizes, normal, size_of

KNOWN = known_rows()


def test_the_truth_lies_inside_also_where_its_own_row_is_missing() -> None:
    assert len(KNOWN) >= 64
    assert price_in_bounds(KNOWN) == 1.0
    assert price_spread(KNOWN) <= 1.6


@pytest.mark.parametrize("provider", HOME)
def test_every_machine_that_is_listed_has_a_bound(provider: str) -> None:
    sizes = known_sizes(provider)
    unpriced = [sku for sku in sizes if SHIPPED.machine(provider, HOME[provider], sku) is None]
    assert sizes and not unpriced


def test_every_ec2_type_has_a_size() -> None:
    assert len(known_sizes("aws")) > 1_400


@pytest.mark.parametrize(
    ("provider", "sku", "dollars"),
    [
        ("aws", "m5.24xlarge", 4.608),
        ("aws", "c6i.32xlarge", 5.44),
        ("aws", "r7g.16xlarge", 3.4272),
        ("aws", "t2.2xlarge", 0.3712),
        ("aws", "x2iedn.32xlarge", 26.676),
        ("aws", "i4i.32xlarge", 10.9824),
        ("gcp", "n2-standard-32", 1.5539),
        ("gcp", "n1-standard-96", 4.56),
        ("gcp", "c2-standard-60", 3.1321),
        ("gcp", "g2-standard-48", 4.0),
        ("gcp", "n2-custom-8-32768", 0.4081),
        ("azure", "Standard_D64s_v5", 3.072),
        ("azure", "standard_e32S_V5", 2.016),
        ("azure", "Standard_NC96ads_A100_v4", 14.692),
    ],
)
def test_prices_that_anybody_can_look_up_lie_inside(provider: str, sku: str, dollars: float) -> None:
    found = SHIPPED.machine(provider, HOME[provider], sku)
    assert found is not None and found.low <= dollars * 1e6 <= found.high < found.low * 3
    assert found.basis


@pytest.mark.parametrize(
    ("provider", "region", "sku"),
    [
        ("aws", "us-east-1", "x99.mega"),
        ("aws", "mars-north-1", "m5.large"),
        ("aws", "us-east-1", ""),
        ("gcp", "us-central1", "q9-standard-4"),
        ("gcp", "us-central1", "n2-standard-0"),
        ("gcp", "us-central1", "n2-standard-99999999"),
        ("gcp", "us-central1", "n1-standard-4+warp-drive"),
        ("azure", "eastus", "Standard_Q4s_v9"),
        ("azure", "atlantis", "Standard_D4s_v5"),
        ("mooncloud", "us-east-1", "m5.large"),
    ],
)
def test_what_nobody_knows_has_no_bound(provider: str, region: str, sku: str) -> None:
    assert SHIPPED.machine(provider, region, sku) is None


def test_another_region_is_wider_and_holds_public_prices() -> None:
    for region, sku, dollars in (
        ("eu-west-1", "m5.large", 0.107),
        ("eu-central-1", "m5.large", 0.115),
        ("sa-east-1", "c5.large", 0.131),
        ("ap-northeast-1", "c5.large", 0.107),
        ("ap-southeast-2", "c5.large", 0.111),
        ("us-west-1", "c5.large", 0.106),
        ("af-south-1", "m5.large", 0.127),
    ):
        found = SHIPPED.machine("aws", region, sku)
        assert found is not None and found.low < dollars * 1e6 < found.high, (region, found)
        assert region in found.basis


def test_zones_and_spellings_are_the_regions_they_lie_in() -> None:
    assert region_of("aws", "us-east-1a") == "us-east-1"
    assert region_of("gcp", "projects/p/zones/us-central1-b") == "us-central1"
    assert region_of("azure", "West Europe") == "westeurope"
    assert normal("azure", "STANDARD_d4S_V5") == "D4s_v5"
    assert normal("gcp", "zones/us-central1-a/machineTypes/n2-standard-4") == "n2-standard-4"


def test_old_prices_widen_and_young_ones_do_not() -> None:
    key = ("aws", "us-east-1", "m5.large")
    young = PriceBook(today=date(2026, 11, 23)).machine(*key)
    assert young == SHIPPED.machine(*key)
    previous = young
    for years in (2, 3, 5):
        old = PriceBook(today=date(2026 + years, 11, 23)).machine(*key)
        assert old is not None and previous is not None
        assert old.low <= previous.low and old.high >= previous.high and "old" in old.basis
        previous = old
    ancient = PriceBook(today=date(2126, 1, 1)).machine(*key)
    assert ancient is not None and ancient.high <= 2 * 96_000


def test_newer_rows_win_and_unverified_ones_are_wider() -> None:
    rate = Rate(usd=Decimal("0.2"), per="hour", as_of="2026-11-20", source="AWS price list AmazonEC2")
    book = PriceBook(newer={("aws", "eu-west-1", "m5.large"): rate})
    assert book.machine("aws", "eu-west-1", "m5.large") == (200_000, 200_000, "AWS price list AmazonEC2, 2026-11-20")
    unverified = SHIPPED.listed("aws", "us-east-1", "nat:gateway")
    assert unverified is not None and unverified.low < 45_000 < unverified.high and "unverified" in unverified.basis


def test_googles_own_parts_price_a_machine() -> None:
    rows = {"n2:vcpu": "0.031611", "n2:gib": "0.004237", "gpu:T4": "0.35"}
    newer = {
        ("gcp", "us-central1", sku): Rate(usd=Decimal(usd), per="hour", as_of="2026-11-20", source="catalogue")
        for sku, usd in rows.items()
    }
    found = PriceBook(newer=newer).machine("gcp", "us-central1-a", "n2-standard-8")
    assert found is not None and found.low < 388_496 < found.high < found.low * 1.2
    assert "catalogue" in found.basis


def test_nodes_and_factors_are_as_configured() -> None:
    book = PriceBook(nodes={"default": 400_000, "k8s.example.com": 1_200_000}, factors={"1": Decimal("0.85")})
    node = book.node("k8s.example.com")
    other = book.node("elsewhere")
    assert node is not None and node.high == 1_200_000 and other is not None and other.high == 400_000
    assert SHIPPED.node("k8s.example.com") is None
    assert book.factor("1") == Decimal("0.85") and book.factor("2") == 1


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(["aws", "gcp", "azure", "x"]),
    st.sampled_from(["us-east-1", "us-central1-a", "eastus", "East US", "", "\ud800"]) | st.text(max_size=12),
    st.text(max_size=40)
    | st.from_regex(r"(n2|e2|c3|custom)-(standard|custom|highmem)-[0-9]{1,6}(-[0-9]{1,9})?", fullmatch=True)
    | st.from_regex(r"(Standard_)?[A-Z]{1,3}[0-9]{1,4}[a-z]{0,4}(_v[0-9]{1,3})?", fullmatch=True),
)
def test_any_name_has_a_bound_or_none(provider: str, region: str, sku: str) -> None:
    found = SHIPPED.machine(provider, region, sku)
    assert found is None or (type(found.high) is int and 0 <= found.low <= found.high)
    listed = SHIPPED.listed(provider, region, sku)
    assert listed is None or 0 <= listed.low <= listed.high


def test_a_larger_machine_of_a_family_never_costs_less() -> None:
    for family in ("m5", "c6i", "r7g", "m8g", "c7gn", "i4i"):
        sizes = ("large", "xlarge", "2xlarge", "4xlarge", "8xlarge", "16xlarge")
        highs = [
            found.high
            for size in sizes
            if size_of("aws", f"{family}.{size}") and (found := SHIPPED.machine("aws", "us-east-1", f"{family}.{size}"))
        ]
        assert highs == sorted(highs) and len(highs) > 3
