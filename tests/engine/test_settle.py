"""Settlement: the truth is recorded, even above the bound; nothing is refunded by guesswork."""

from __future__ import annotations

from tests.engine.conftest import Bench

from comptroller.core.action import ActionClass
from comptroller.core.estimate import Outcome, Unit
from comptroller.core.reservation import ReservationState
from comptroller.engine.sequencer import Sequencer

PAY = {
    "operation": "stripe:transfers:create",
    "service": "stripe",
    "endpoint": "api.stripe.com",
    "parameters": {"amount": "100", "currency": "usd"},
}


async def released(bench: Bench, sequencer: Sequencer, **changes: object):  # type: ignore[no-untyped-def]
    proposal = bench.proposal(ActionClass.READ, **{"usd_micros": 100, **changes})  # type: ignore[arg-type]
    done = await sequencer.admit(proposal)
    assert done.permit is not None
    return done.permit, proposal.action


async def test_settles_at_the_truth_and_frees_the_rest(bench: Bench, sequencer: Sequencer) -> None:
    permit, action = await released(bench, sequencer)
    await bench.engine.settler.settle(
        permit, action, Outcome(status=200, ok=True, complete=True, actual={Unit.USD_MICROS: 40, Unit.CALLS: 1})
    )
    assert await bench.taken(Unit.USD_MICROS) == 40
    assert not await bench.store.open_reservations()


async def test_settling_twice_changes_nothing(bench: Bench, sequencer: Sequencer) -> None:
    permit, action = await released(bench, sequencer)
    outcome = Outcome(status=200, ok=True, complete=True, actual={Unit.USD_MICROS: 40})
    for _ in range(3):
        await bench.engine.settler.settle(permit, action, outcome)
    assert await bench.taken(Unit.USD_MICROS) == 40
    assert (await bench.kinds()).count("action.settled") == 1


async def test_a_cost_above_its_bound_is_recorded_and_freezes_the_run(bench: Bench, sequencer: Sequencer) -> None:
    permit, action = await released(bench, sequencer)
    await bench.engine.settler.settle(
        permit, action, Outcome(status=200, ok=True, complete=True, actual={Unit.USD_MICROS: 5_000_000})
    )
    assert await bench.taken(Unit.USD_MICROS) == 5_000_000
    again = await sequencer.admit(bench.proposal(ActionClass.READ))
    assert again.permit is None and again.verdict.reasons[0].code == "frozen"
    assert [brake.scope for brake in await bench.store.brakes()] == [bench.run.path]


async def test_a_cut_answer_keeps_the_money_held_until_the_truth_comes(bench: Bench, sequencer: Sequencer) -> None:
    permit, action = await released(bench, sequencer)
    await bench.engine.settler.settle(permit, action, Outcome(status=200, ok=True, complete=False))
    (held,) = await bench.store.open_reservations()
    assert held.state is ReservationState.SUSPENSE
    assert await bench.taken(Unit.USD_MICROS) == 100
    await bench.engine.settler.settle(
        permit, action, Outcome(status=200, ok=True, complete=True, actual={Unit.USD_MICROS: 70})
    )
    assert await bench.taken(Unit.USD_MICROS) == 70


async def test_a_cut_answer_to_something_free_is_settled(bench: Bench, sequencer: Sequencer) -> None:
    permit, action = await released(bench, sequencer, usd_micros=0)
    await bench.engine.settler.settle(permit, action, Outcome(status=200, ok=True, complete=False))
    assert not await bench.store.open_reservations()


async def test_an_answer_that_names_no_cost_keeps_the_bound(bench: Bench, sequencer: Sequencer) -> None:
    permit, action = await released(bench, sequencer)
    await bench.engine.settler.settle(permit, action, Outcome(status=200, ok=True, complete=True))
    assert await bench.taken(Unit.USD_MICROS) == 100
    assert not await bench.store.open_reservations()
