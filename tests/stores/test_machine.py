"""The state machine of the test kit, over every store."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from comptroller.testing.store_conformance import STORES
from comptroller.testing.store_machine import StoreMachine


@pytest.mark.parametrize("examples", [15, pytest.param(1000, marks=[pytest.mark.nightly, pytest.mark.timeout(1800)])])
@pytest.mark.parametrize("name", STORES)
def test_accounts_always_follow_from_reservations(name: str, examples: int) -> None:
    with tempfile.TemporaryDirectory() as folder:

        def machine() -> StoreMachine:
            return StoreMachine(STORES[name](Path(tempfile.mkdtemp(dir=folder))))

        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=examples,
                stateful_step_count=25,
                deadline=None,
                suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
            ),
        )
