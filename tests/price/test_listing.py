"""Published price lists become rows; garbage becomes none; the file of newer prices is strict."""

from __future__ import annotations

import contextlib
import json
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fuzz_kit import fuzz

from comptroller.core.errors import ConfigError
from comptroller.price.catalogue import Rate
from comptroller.price.listing import ROWS_MAX, aws_rows, azure_rows, gcp_rows, merged, read_rows, write_rows

SAMPLES = Path(__file__).parent / "samples"
TODAY = date(2026, 11, 23)


def sample(name: str) -> str:
    return (SAMPLES / name).read_text("utf-8")


def test_the_aws_list_of_machines() -> None:
    found = merged(aws_rows(sample("aws_ec2.csv").splitlines(keepends=True), today=TODAY))
    assert {key: str(rate.usd) for key, rate in found.items()} == {
        ("aws", "eu-west-1", "m5.large"): "0.1070000000",
        ("aws", "eu-west-1", "p4d.24xlarge"): "35.3968600000",
        ("aws", "eu-west-1", "ebs:gp3"): "0.0880000000",
        ("aws", "eu-west-1", "nat:gateway"): "0.0480000000",
    }
    rate = found["aws", "eu-west-1", "m5.large"]
    assert (rate.per, rate.as_of, rate.source, rate.verified) == (
        "hour", "2026-11-23", "AWS price list AmazonEC2", True
    )  # fmt: skip


def test_the_aws_list_of_databases() -> None:
    found = merged(aws_rows(sample("aws_rds.csv").splitlines(keepends=True), today=TODAY))
    assert {key[2]: str(rate.usd) for key, rate in found.items()} == {"db.m5.large:mysql": "0.1960000000"}


def test_azures_page() -> None:
    found = merged(azure_rows(json.loads(sample("azure.json")), today=TODAY))
    assert {key: str(rate.usd) for key, rate in found.items()} == {
        ("azure", "westeurope", "D2s_v5"): "0.115",
        ("azure", "westeurope", "NC24ads_A100_v4"): "4.775",
    }


def test_googles_page() -> None:
    found = merged(gcp_rows(json.loads(sample("gcp.json")), today=TODAY))
    assert {key: str(rate.usd) for key, rate in found.items()} == {
        ("gcp", "us-central1", "n2:vcpu"): "0.031611",
        ("gcp", "us-east1", "n2:vcpu"): "0.031611",
        ("gcp", "us-central1", "n2:gib"): "0.004237",
        ("gcp", "us-central1", "gpu:T4"): "0.35",
    }


def test_the_file_comes_back_as_it_was_written() -> None:
    rows = {
        ("aws", "us-east-1", f"m{n}.large"): Rate(
            usd=Decimal(n) / 7, per="hour", as_of="2026-11-23", source="a list, with a comma"
        )
        for n in range(1, 30)
    }
    back = read_rows(write_rows(rows))
    assert back.keys() == rows.keys()
    assert all(back[key].usd == rows[key].usd for key in rows)


@pytest.mark.parametrize(
    "lines",
    [
        [],
        ["nonsense\n"],
        ["provider,region,sku,usd,per,as_of,source\n", "aws,us-east-1,m5.large,-1,hour,2026-11-23,x\n"],
        ["provider,region,sku,usd,per,as_of,source\n", "aws,us-east-1,m5.large,NaN,hour,2026-11-23,x\n"],
        ["provider,region,sku,usd,per,as_of,source\n", "aws,us-east-1,m5.large,1,hour,yesterday,x\n"],
        ["provider,region,sku,usd,per,as_of,source\n", "aws,us-east-1,m5.large,1\n"],
        ["provider,region,sku,usd,per,as_of,source\n", f"aws,us-east-1,{'x' * 999},1,hour,2026-11-23,x\n"],
    ],
)
def test_a_damaged_file_is_refused(lines: list[str]) -> None:
    with pytest.raises(ConfigError):
        read_rows(lines)


def test_a_list_without_columns_is_refused_early() -> None:
    with pytest.raises(ConfigError):
        list(aws_rows((f"line {n}\n" for n in range(10**6)), today=TODAY))


def test_more_prices_than_fit_are_refused() -> None:
    rate = Rate(usd=Decimal(1), per="hour", as_of="2026-11-23", source="x")
    with pytest.raises(ConfigError):
        merged((("aws", "r", str(n)), rate) for n in range(ROWS_MAX + 2))


def test_of_equal_keys_the_dearest_counts() -> None:
    rates = [Rate(usd=Decimal(n), per="hour", as_of="2026-11-23", source="x") for n in (2, 5, 3)]
    assert merged((("aws", "r", "m5.large"), rate) for rate in rates)["aws", "r", "m5.large"].usd == 5


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["Items", "skus", "category", "usageType", "pricingInfo", "pricingExpression", "tieredRates",
                         "unitPrice", "units", "nanos", "currencyCode", "serviceRegions", "description", "retailPrice",
                         "armSkuName", "armRegionName", "type", "unitOfMeasure", "usageUnit"]) | st.text(max_size=5),
        inner | st.sampled_from(["OnDemand", "USD", "h", "Consumption", "1 Hour", "N2 Instance Core running in X"]),
        max_size=6),
    max_leaves=20,
)  # fmt: skip


@fuzz(200)
@given(json_values)
def test_any_page_gives_rows_or_none(page: object) -> None:
    for key, rate in (*azure_rows(page, today=TODAY), *gcp_rows(page, today=TODAY)):
        assert all(isinstance(part, str) for part in key) and rate.usd > 0


@fuzz(200)
@given(st.lists(st.text(max_size=60), max_size=10))
def test_any_lines_give_rows_or_are_refused(lines: list[str]) -> None:
    head = ["SKU,TermType,PricePerUnit,Currency,Unit,serviceCode,Instance Type,Region Code\n"]
    for given_lines in (lines, head + lines):
        with contextlib.suppress(ConfigError):
            assert all(rate.usd > 0 for _, rate in aws_rows(given_lines, today=TODAY))
