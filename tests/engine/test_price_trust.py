"""A price that was exceeded is distrusted, survives a restart, and counts again only by a person's word."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.engine.conftest import Bench

from comptroller.compose import build_engine
from comptroller.core.action import ActionClass
from comptroller.core.errors import RefusedError
from comptroller.core.estimate import Bound, Estimate, Outcome, Unit
from comptroller.engine.sequencer import Sequencer

KEY = "aws:ec2:RunInstances/us-east-1/t3.micro"


async def exceeded(bench: Bench, sequencer: Sequencer, unit: Unit, amount: int) -> None:
    proposal = bench.proposal(ActionClass.READ, usd_micros=100)
    done = await sequencer.admit(proposal)
    assert done.permit is not None
    outcome = Outcome(status=200, ok=True, complete=True, actual={unit: amount})
    await bench.engine.settler.settle(done.permit, proposal.action, outcome)


async def test_an_exceeded_price_is_distrusted_until_confirmed(bench: Bench, sequencer: Sequencer) -> None:
    asked = bench.proposal().action
    pricer = bench.engine.pricer
    assert not pricer.estimate(asked).unknown(Unit.USD_MICROS)
    await exceeded(bench, sequencer, Unit.USD_MICROS, 5_000_000)
    assert pricer.estimate(asked).unknown(Unit.USD_MICROS)
    (kept,) = await bench.store.distrusts()
    assert (kept.key, kept.trusted, kept.by) == (KEY, False, "comptroller")
    settled = [e.document for e in await bench.store.entries() if e.document["kind"] == "action.settled"]
    assert settled[-1]["body"]["price"] == KEY and settled[-1]["body"]["price_distrusted"] is True  # type: ignore[index]
    item = await bench.engine.trust.confirm(KEY, by="ann", reason="the list was old")
    assert item.trusted and not pricer.estimate(asked).unknown(Unit.USD_MICROS)
    (kept,) = await bench.store.distrusts()
    assert kept.trusted and kept.by == "ann"
    assert (await bench.kinds())[-1] == "price.confirmed"
    with pytest.raises(RefusedError):
        await bench.engine.trust.confirm(KEY, by="ann")


async def test_it_survives_a_restart(bench: Bench, sequencer: Sequencer) -> None:
    await exceeded(bench, sequencer, Unit.USD_MICROS, 5_000_000)
    again = build_engine(bench.config, bench.store, lambda: bench.boundary, clock=bench.clock)
    asked = bench.proposal().action
    assert not again.pricer.estimate(asked).unknown(Unit.USD_MICROS)
    await again.trust.load()
    assert again.pricer.estimate(asked).unknown(Unit.USD_MICROS)


async def test_what_is_no_price_freezes_the_run_and_leaves_the_price(bench: Bench, sequencer: Sequencer) -> None:
    bounds = {Unit.CALLS: Bound.exactly(1), Unit.EGRESS_BYTES: Bound.exactly(10)}
    proposal = replace(bench.proposal(ActionClass.READ), estimate=Estimate(bounds=bounds))
    done = await sequencer.admit(proposal)
    assert done.permit is not None
    outcome = Outcome(status=200, ok=True, complete=True, actual={Unit.EGRESS_BYTES: 11})
    await bench.engine.settler.settle(done.permit, proposal.action, outcome)
    assert not await bench.store.distrusts()
    assert [brake.scope for brake in await bench.store.brakes()] == [bench.run.path]


async def test_an_unknown_key_is_refused(bench: Bench) -> None:
    with pytest.raises(RefusedError, match="not distrusted"):
        await bench.engine.trust.confirm("aws:ec2:RunInstances/us-east-1/nothing", by="ann")
