"""A Hypothesis state machine over any store: whatever actions do, the accounts follow from the reservations."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from comptroller.core.approval import Approval, ApprovalState, GrantState, Person, grant_conflict, with_vote
from comptroller.core.budget import Account
from comptroller.core.estimate import Unit
from comptroller.core.reservation import (
    Reservation,
    ReservationState,
    dispatch_deltas,
    settle_deltas,
    suspend_deltas,
)
from comptroller.ports import Changes, Facts, Store, Wants
from comptroller.testing.store_conformance import (
    NOW,
    SCOPES,
    Opener,
    approval,
    budget,
    check_log,
    dispatching,
    draft,
    reservation,
    write,
)

LIMIT = 40
PERSON = Person(name="finance", groups=frozenset({"finance"}), via="test")
UNITS = (Unit.USD_MICROS, Unit.CALLS)


class StoreMachine(RuleBasedStateMachine):
    """Commits, settles, suspends, asks and approves at random, and checks every row after every step."""

    def __init__(self, opener: Opener) -> None:
        super().__init__()
        self.opener = opener
        self.runner = asyncio.Runner()
        self.store: Store = self.runner.run(opener.open())
        self.reservations: dict[str, Reservation] = {}
        self.approvals: dict[str, Approval] = {}
        self.entries = 0
        self.number = 0
        rows = tuple(budget(scope, LIMIT + depth, unit) for depth, scope in enumerate(SCOPES) for unit in UNITS)
        self.runner.run(write(self.store, Changes(budgets=rows)))

    def teardown(self) -> None:
        """Close the store and its loop."""
        self.runner.run(self.store.close())
        self.runner.close()

    def _commit(self, wants: Wants, decide: Callable[[Facts], tuple[Changes, Any]]) -> Any:
        done = self.runner.run(self.store.commit(wants, decide))
        assert done.indices == tuple(range(self.entries, self.entries + len(done.indices)))
        self.entries += len(done.indices)
        return done.result

    @rule(costs=st.lists(st.integers(0, LIMIT), min_size=1, max_size=6))
    def dispatch(self, costs: list[int]) -> None:
        """Several callers at once ask for room; exactly those that fit in order get it."""
        room = LIMIT - self._taken(Unit.USD_MICROS)
        calls = LIMIT - self._taken(Unit.CALLS)
        numbers = range(self.number, self.number + len(costs))
        self.number += len(costs)

        async def together() -> list[bool]:
            asks = [
                self.store.commit(Wants(now=NOW, scopes=SCOPES), dispatching(n, {Unit.USD_MICROS: cost, Unit.CALLS: 1}))
                for n, cost in zip(numbers, costs, strict=True)
            ]
            return [done.result for done in await asyncio.gather(*asks)]

        results = self.runner.run(together())
        self.entries += len(costs)
        states = self.runner.run(self.store.budgets(NOW))
        for number, cost, passed in zip(numbers, costs, results, strict=True):
            assert passed == (cost <= room and calls >= 1)
            if passed:
                room, calls = room - cost, calls - 1
                item = reservation(number, states, {Unit.USD_MICROS: cost, Unit.CALLS: 1})
                self.reservations[item.id] = item

    def _open(self) -> list[str]:
        return sorted(n for n, item in self.reservations.items() if item.state is not ReservationState.SETTLED)

    @precondition(lambda self: self._open())
    @rule(data=st.data(), actual=st.integers(0, 2 * LIMIT))
    def settle(self, data: st.DataObject, actual: int) -> None:
        """Settle below or above the estimate; the truth is recorded even beyond a limit."""
        name = data.draw(st.sampled_from(self._open()))

        def decide(facts: Facts) -> tuple[Changes, Reservation]:
            assert facts.reservation == self.reservations[name]
            costs = {Unit.USD_MICROS: actual}
            new = replace(facts.reservation, state=ReservationState.SETTLED, actual=costs)
            deltas = settle_deltas(facts.reservation, costs)
            return Changes(entries=(draft("settled"),), reservations=(new,), accounts=deltas), new

        self.reservations[name] = self._commit(Wants(now=NOW, reservation=name), decide)

    @precondition(lambda self: self._open())
    @rule(data=st.data())
    def suspend(self, data: st.DataObject) -> None:
        """What was dispatched goes to suspense; what is there already stays."""
        name = data.draw(st.sampled_from(self._open()))

        def decide(facts: Facts) -> tuple[Changes, Reservation]:
            assert facts.reservation is not None
            if facts.reservation.state is ReservationState.SUSPENSE:
                return Changes(), facts.reservation
            new = replace(facts.reservation, state=ReservationState.SUSPENSE)
            deltas = suspend_deltas(facts.reservation)
            return Changes(entries=(draft("suspense"),), reservations=(new,), accounts=deltas), new

        self.reservations[name] = self._commit(Wants(now=NOW, reservation=name), decide)

    @rule()
    def ask(self) -> None:
        """A new question; it holds no money."""
        self.number += 1
        obligation = replace(approval(0).obligations[0], quorum=1)
        item = replace(approval(self.number, digest=f"a1:{self.number % 3}"), obligations=(obligation,))
        self._commit(Wants(now=NOW), lambda _: (Changes(entries=(draft("held"),), approvals=(item,)), None))
        self.approvals[item.id] = item

    @precondition(lambda self: self.approvals)
    @rule(data=st.data())
    def answer_and_use(self, data: st.DataObject) -> None:
        """A yes, then many callers for its one grant: it is used once."""
        name = data.draw(st.sampled_from(sorted(self.approvals)))

        def answer(facts: Facts) -> tuple[Changes, Approval]:
            assert facts.approval == self.approvals[name]
            if facts.approval.state is not ApprovalState.PENDING:
                return Changes(), facts.approval
            new = with_vote(facts.approval, PERSON, NOW, ceiling=None, comment="")
            return Changes(entries=(draft("approved"),), approvals=(new,)), new

        answered = self.approvals[name] = self._commit(Wants(now=NOW, approval=name), answer)
        self.number += 3
        first = self.number - 3

        def use(number: int) -> Callable[[Facts], tuple[Changes, bool]]:
            def decide(facts: Facts) -> tuple[Changes, bool]:
                assert facts.approval is not None and facts.approval in facts.approvals
                if grant_conflict(facts.approval, digest=answered.digest, slice_hash="00", now=NOW) is not None:
                    return Changes(), False
                item = reservation(number, facts.budgets, {Unit.USD_MICROS: 0})
                used = replace(facts.approval, grant=GrantState.USED)
                deltas = dispatch_deltas(item)
                return Changes(reservations=(item,), approvals=(used,), accounts=deltas), True

            return decide

        wants = Wants(now=NOW, scopes=SCOPES, approval=name, digest_of=("run-1", answered.digest))

        async def together() -> list[bool]:
            asks = [self.store.commit(wants, use(first + n)) for n in range(3)]
            return [done.result for done in await asyncio.gather(*asks)]

        results = self.runner.run(together())
        assert results == [answered.grant is GrantState.UNUSED, False, False]
        if results[0]:
            self.approvals[name] = replace(answered, grant=GrantState.USED)
            item = reservation(first, self.runner.run(self.store.budgets(NOW)), {Unit.USD_MICROS: 0})
            self.reservations[item.id] = item

    @rule()
    def open_again(self) -> None:
        """Close and open; a durable store goes on where it was."""
        if self.opener.durable:
            self.runner.run(self.store.close())
            self.store = self.runner.run(self.opener.open())

    def _taken(self, unit: Unit) -> int:
        return sum(
            item.actual.get(unit, item.amounts[unit]) for item in self.reservations.values() if unit in item.amounts
        )

    @invariant()
    def accounts_follow_from_reservations(self) -> None:
        """settled + dispatched + reserved + suspense of every budget is what its reservations add up to."""
        sums: defaultdict[tuple[str, str], dict[str, int]] = defaultdict(lambda: defaultdict(int))
        column = {"settled": "settled", "dispatched": "dispatched", "suspense": "suspense"}
        for item in self.reservations.values():
            for line in item.lines:
                amount = item.actual.get(line.unit, line.amount)
                sums[line.scope, line.unit.value][column[item.state.value]] += amount
        for state in self.runner.run(self.store.budgets(NOW)):
            assert state.account == Account(**sums[state.budget.scope, state.budget.unit.value])

    @invariant()
    def rows_are_as_last_written(self) -> None:
        """Open reservations, approvals, entries and proofs are what was committed."""
        held = {item.id: item for item in self.runner.run(self.store.open_reservations())}
        assert held == {name: self.reservations[name] for name in self._open()}
        assert {item.id: item for item in self.runner.run(self.store.approvals())} == self.approvals
        assert self.runner.run(self.store.size()) == self.entries
        self.runner.run(check_log(self.store))
