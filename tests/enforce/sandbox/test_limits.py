"""Limits as values: what the kernel is asked for, and how a breach reads."""

from __future__ import annotations

import resource

import pytest

from comptroller.core.errors import UsageError
from comptroller.enforce.sandbox.limits import LIMITS, WATCHED, Breach, checked, rlimits


def test_the_kernels_limits_lie_above_so_that_a_breach_is_seen() -> None:
    everything = dict.fromkeys(LIMITS, 1000)
    found = rlimits(everything)
    assert found == {
        "RLIMIT_NPROC": 1016,
        "RLIMIT_NOFILE": 1000,
        "RLIMIT_DATA": 1000 + (256 << 20),
        "RLIMIT_FSIZE": 1000,
        "RLIMIT_CPU": 1005,
    }
    assert all(hasattr(resource, name) for name in found)
    assert rlimits({"memory_bytes": 8 << 30}) == {"RLIMIT_DATA": 16 << 30}
    assert set(LIMITS) == {*WATCHED, "file_bytes"}


def test_an_unknown_limit_is_refused() -> None:
    with pytest.raises(UsageError, match="no limit `unheard`"):
        checked({"unheard": 1})


def test_a_breach_names_limit_value_and_use() -> None:
    assert Breach(limit="processes", value=30, used=1046).text == (
        "limit `processes`: 1,046 processes and threads, and 30 are allowed"
    )
    assert "cannot be measured any more: too deep" in Breach(limit="disk_bytes", value=1, used=0, why="too deep").text
    assert all(Breach(limit=name, value=1, used=2).text.startswith(f"limit `{name}`: 2 ") for name in WATCHED)
