"""The wire benches measure what they say, on a sample."""

from __future__ import annotations

from bench import azure_wire


def test_azure_right_on_a_sample() -> None:
    [result] = azure_wire.measure(quick=True)
    assert result.name == "azure_right" and result.unit == "fraction" and 0.99 <= result.value <= 1
