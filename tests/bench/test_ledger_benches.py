"""A small storm and a few kills on every store, and that the benches would notice what they look for."""

from __future__ import annotations

from copy import deepcopy

import pytest
from bench.crash import Crashes, crash
from bench.ledger_engine import KINDS
from bench.ledger_provider import Charge
from bench.ledger_truth import Log
from bench.storm import Storm, storm


@pytest.fixture(scope="module", params=KINDS)
def stormed(request: pytest.FixtureRequest) -> Storm:
    return storm(request.param, 2_400, processes=4)


def test_a_storm_overspends_loses_and_blocks_nothing(stormed: Storm) -> None:
    assert stormed.attempts == 2_400
    assert (stormed.overspent, stormed.lost, stormed.deadlocks) == (0, 0, 0)
    allowed = sum(len(story.permits) for story in stormed.stories)
    assert 400 < allowed < 2_400, "budgets were tight, and not closed"
    full = [state for state in stormed.accounts if state.account.taken > state.budget.limit * 0.9]
    assert full, "no budget came near its limit"


def test_a_storm_would_notice(stormed: Storm) -> None:
    found = deepcopy(stormed)
    reservation, entry, wanted, cost = found.stories[0].permits[0]
    found.stories[0].permits[0] = (reservation, entry + 1, wanted, cost)
    assert found.lost == 1
    found = deepcopy(stormed)
    found.stories[0].permits.pop()
    assert found.lost == 1
    found = deepcopy(stormed)
    reservation = next(iter(found.logs[0].settled))
    found.logs[0].settled[reservation] += 1
    assert found.lost > 1
    found = deepcopy(stormed)
    found.stories[0].permits += [("one", 0, 10**9, None)]
    assert found.overspent > 10**8


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", KINDS)
def test_killed_at_random_nothing_is_overspent_or_unrecorded(kind: str) -> None:
    found = crash(kind, 5)
    assert found.kills >= 5
    assert len(found.charges) > 5, "the provider was hardly reached"
    assert (found.overspent, found.unrecorded) == (0, 0)
    assert 0 <= found.over_held <= found.taken


def test_a_crash_would_notice() -> None:
    charge = Charge("bench/0|1.1.1", 70, "one", 3)
    logs = {"bench/0": Log(allowed={"one": (3, 100)})}
    assert Crashes(kills=1, limit=100, taken=100, charges=[charge], logs=logs).unrecorded == 0
    assert Crashes(kills=1, limit=100, taken=69, charges=[charge], logs=logs).unrecorded == 1
    assert Crashes(kills=1, limit=69, taken=69, charges=[charge], logs=logs).overspent == 1
    assert Crashes(kills=1, limit=100, taken=100, charges=[charge], logs={"bench/0": Log()}).unrecorded == 1
