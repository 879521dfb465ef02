"""Any order of losing, spending, settling, crashing and recovering: the limits hold and every permit has one entry."""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule
from tests.engine.outage_kit import LosableStore, Outage

from comptroller.core.errors import RefusedError, StoreError
from comptroller.core.escrow import SHARE_OPERATION
from comptroller.core.estimate import Unit
from comptroller.core.reservation import HELD_STATES
from comptroller.core.window import Window
from comptroller.engine.sequencer import Permit
from comptroller.stores.memory import MemoryStore

USD_LIMIT = 2_000
CALLS_LIMIT = 200


class OutageMachine(RuleBasedStateMachine):
    """`truth` is what a provider would bill at most: what was settled, else the bound of what was let through."""

    permits = Bundle("permits")

    @initialize()
    def begin(self) -> None:
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.outage = Outage(folder=Path(self.folder.name), store=LosableStore(MemoryStore()), seconds_max=100)
        self.truth: dict[str, int] = {}
        self.days: dict[str, str] = {}
        self.number = 0
        self.run(self.outage.start())
        self.run(self.outage.limit(Unit.USD_MICROS, USD_LIMIT))
        self.run(self.outage.limit(Unit.USD_MICROS, USD_LIMIT, window=Window.DAY))
        self.run(self.outage.limit(Unit.CALLS, CALLS_LIMIT))
        self.run(self.outage.run())

    def run(self, work):  # type: ignore[no-untyped-def]
        return self.runner.run(work)

    @rule(cut=st.sampled_from(["line", "answer", ""]), after=st.integers(0, 3))
    def cut(self, cut: str, after: int) -> None:
        """From some commit on the store does not answer; or it does again, and nobody has noticed yet."""
        self.outage.store.cut, self.outage.store.after = cut, after

    @rule(target=permits, usd=st.integers(0, 60))
    def spend(self, usd: int) -> Permit | None:
        self.number += 1
        try:
            done = self.run(self.outage.ask(usd, parameters={"n": self.number}))
        except StoreError:
            return None
        if done.permit is not None:
            assert done.permit.reservation not in self.truth
            self.truth[done.permit.reservation] = usd
            self.days[done.permit.reservation] = self.outage.clock.now().date().isoformat()
        return done.permit

    @rule(permit=consumes(permits), part=st.integers(0, 100), complete=st.booleans())
    def settle(self, permit: Permit | None, part: int, complete: bool) -> None:
        if permit is None:
            return
        actual = self.truth[permit.reservation] * part // 100
        try:
            self.run(self.outage.settle(permit, actual, complete=complete))
        except StoreError:
            return
        if complete:
            self.truth[permit.reservation] = actual

    @rule()
    def keep(self) -> None:
        self.run(self.outage.escrow.keep())

    @rule()
    def resume(self) -> None:
        self.run(self.outage.escrow.resume())

    @rule()
    def found(self) -> None:
        assert self.run(self.outage.found())

    @rule(again=st.booleans(), cut=st.sampled_from(["line", "answer"]), after=st.integers(0, 12))
    def crash(self, again: bool, cut: str, after: int) -> None:
        """`kill -9`; the store is there, or goes again while the journal is carried over."""
        self.run(self.outage.end())
        if again:
            self.outage.store.cut, self.outage.store.after = cut, after
            try:
                self.run(self.outage.start())
            except StoreError:
                self.run(self.outage.end())
            else:
                self.run(self.outage.end())
        self.outage.store.cut = ""
        self.run(self.outage.start())
        for brake in self.run(self.outage.store.brakes()):
            self.run(self.outage.engine.brakes.thaw(brake.scope, by="ann", reason="seen"))
        self.run(self.outage.run())

    @rule()
    def freeze_and_thaw(self) -> None:
        try:
            self.run(self.outage.engine.brakes.freeze("acme", by="ann", reason="x"))
        except StoreError:
            return
        try:
            self.run(self.outage.engine.brakes.thaw("acme", by="ann", reason="y"))
        except (StoreError, RefusedError):
            return

    @rule(seconds=st.sampled_from([1, 30, 101, 43_200]))
    def later(self, seconds: int) -> None:
        self.outage.clock.turn(seconds)

    @invariant()
    def nobody_spends_beyond_a_limit(self) -> None:
        assert sum(self.truth.values()) <= USD_LIMIT
        assert len(self.truth) <= CALLS_LIMIT
        by_day: Counter[str] = Counter()
        for reservation, usd in self.truth.items():
            by_day[self.days[reservation]] += usd
        assert all(usd <= USD_LIMIT for usd in by_day.values())
        for state in self.run(self.outage.store.real.budgets(self.outage.clock.now())):
            assert state.account.taken <= state.budget.limit

    @invariant()
    def the_rows_add_up(self) -> None:
        """What accounts hold is what reservations say that they hold."""
        held: Counter[str] = Counter()
        for item in self.run(self.outage.store.real.open_reservations()):
            for line in item.lines:
                if line.window == "total":
                    held[line.unit] += line.amount if item.state in HELD_STATES else 0
        for state in self.run(self.outage.store.real.budgets(self.outage.clock.now())):
            if state.budget.window == Window.TOTAL:
                account = state.account
                assert account.taken - account.settled == held[state.budget.unit]

    def teardown(self) -> None:
        if not hasattr(self, "runner"):
            return
        try:
            assert self.run(self.outage.found())
            self.check_the_log()
            self.run(self.outage.escrow.end())
            open_shares = [
                item
                for item in self.run(self.outage.store.real.open_reservations())
                if item.operation == SHARE_OPERATION
            ]
            assert not open_shares, "no share is left over"
            self.run(self.outage.end())
        finally:
            self.runner.close()
            self.folder.cleanup()

    def check_the_log(self) -> None:
        allowed = Counter(
            str(entry["body"]["reservation"]) for entry in self.run(self.outage.entries("action.allowed"))
        )
        assert all(count == 1 for count in allowed.values())
        assert set(self.truth) <= set(allowed)
        settled = Counter(
            str(entry["body"]["reservation"]) for entry in self.run(self.outage.entries("action.settled"))
        )
        assert all(count == 1 for count in settled.values())


TestOutage = OutageMachine.TestCase
TestOutage.settings = settings(stateful_step_count=40)
