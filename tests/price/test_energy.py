"""Energy and carbon: upper bounds that published figures respect, unknown where nobody knows."""

from __future__ import annotations

import pytest
from tests.price.price_kit import action, machines

from comptroller import price
from comptroller.core.action import Action, ActionClass
from comptroller.core.estimate import Bound, Unit
from comptroller.price.cost import Machine
from comptroller.price.energy import machines_effort, model_effort, model_of
from comptroller.price.rows import rows_of
from comptroller.price.sizes import known_sizes

INFER = ActionClass.INFER


def high(found: Action, unit: Unit) -> int | None:
    return price.estimate(found).high(unit)


def test_gpu_time_is_exact_and_energy_bounds_what_a_node_may_draw() -> None:
    found = machines("p4d.24xlarge", 8)
    assert high(found, Unit.GPU_SECONDS) == 8 * 8 * 3600
    energy = high(found, Unit.MILLIWATT_HOURS)
    # A DGX A100, the same machine, is rated 6.5 kW.
    assert energy is not None and 8 * 4.5e6 < energy < 8 * 10e6


def test_carbon_follows_the_grid() -> None:
    clean = high(machines("m5.large", region="eu-north-1"), Unit.MILLIGRAMS_CO2E)
    dirty = high(machines("m5.large", region="ap-south-1"), Unit.MILLIGRAMS_CO2E)
    assert clean is not None and dirty is not None and dirty > 5 * clean
    nobody = machines_effort((Machine(provider="azure", region="nowhere", sku="D2s_v5"),), 3600)
    assert nobody.bounds[Unit.MILLIGRAMS_CO2E].high == nobody.bounds[Unit.MILLIWATT_HOURS].high
    assert "unknown grid" in nobody.basis


@pytest.mark.parametrize("provider", ["aws", "gcp", "azure"])
def test_every_accelerator_has_a_limit(provider: str) -> None:
    for sku in known_sizes(provider):
        effort = machines_effort((Machine(provider=provider, region="", sku=sku),), 3600)
        assert (effort.bounds[Unit.MILLIWATT_HOURS].high or 0) > 0, sku


def test_what_has_no_known_size_is_unknown() -> None:
    effort = machines_effort((Machine(provider="aws", region="us-east-1", sku="x99.mega"),), 3600)
    assert effort.bounds[Unit.MILLIWATT_HOURS].high is None
    assert price.estimate(action("aws:ec2:StartInstances")).unknown(Unit.GPU_SECONDS)
    assert machines_effort((), 3600).bounds == {}


def test_models_take_more_the_more_they_write() -> None:
    few, many = (
        model_effort("openai", "gpt-4o-2024-08-06", Bound(low=0, high=count)).bounds[Unit.MILLIWATT_HOURS].high
        for count in (100, 10_000)
    )
    assert few is not None and many is not None and 50 * few < many * 1.5 and few < many
    for unknown in (
        model_effort("openai", "model-of-nobody", Bound(low=0, high=1)),
        model_effort("openai", "gpt-4o", None),
        model_effort("openai", "gpt-4o", Bound(low=0, high=None)),
        model_effort("", "", Bound(low=0, high=1)),
    ):
        assert unknown.bounds[Unit.MILLIGRAMS_CO2E].high is None


@pytest.mark.parametrize(
    ("operation", "parameters", "found"),
    [
        ("openai:chat.completions:create", {"model": "gpt-4o"}, ("openai", "gpt-4o")),
        ("gemini:models:generateContent", {"model": "models/gemini-2.5-pro"}, ("google", "gemini-2.5-pro")),
        (
            "aws:bedrock-runtime:Converse",
            {"modelId": "us.anthropic.claude-sonnet-4-5-20250929-v1:0"},
            ("anthropic", "claude-sonnet-4-5-20250929"),
        ),
        ("aws:bedrock-runtime:Converse", {"modelId": "somebody.else"}, ("", "")),
        ("anthropic:messages:create", {}, ("anthropic", "")),
    ],
)
def test_the_model_is_found_where_each_service_names_it(
    operation: str, parameters: dict[str, object], found: tuple[str, str]
) -> None:
    assert model_of(action(operation, parameters, INFER)) == found


def test_a_settled_call_took_no_more_than_its_bound() -> None:
    asked = action("openai:chat.completions:create", {"model": "gpt-4o", "max_tokens": 500}, INFER, payload_bytes=200)
    estimate = price.estimate(asked)
    assert 0 < (estimate.high(Unit.MILLIWATT_HOURS) or 0) < 10_000_000
    assert "ecologits" in estimate.basis


def test_every_row_has_its_source() -> None:
    for name in ("watts.csv", "grid.csv", "model_energy.csv"):
        assert all(row["source"] for row in rows_of(name))
    assert all(int(row["grams_per_kwh"]) > 0 for row in rows_of("grid.csv"))
    assert all(row["license"] == "MPL-2.0" for row in rows_of("model_energy.csv"))
