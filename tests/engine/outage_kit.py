"""An engine whose store can be lost and found again, over one journal, ended and started as often as a test likes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.engine.conftest import CONFIG, TurnedClock

from comptroller.compose import Engine, build_engine
from comptroller.compose_state import SystemIds
from comptroller.core.action import Action, ActionClass, Call, digest
from comptroller.core.brake import Run
from comptroller.core.budget import Budget
from comptroller.core.config import parse_config
from comptroller.core.errors import StoreLostError
from comptroller.core.estimate import Bound, Estimate, Outcome, Unit
from comptroller.core.verdict import BoundaryResult, Reason, VerdictKind
from comptroller.core.window import Window
from comptroller.engine.escrow import Escrow
from comptroller.engine.sequencer import Permit, Proposal, Sequenced, Sequencer
from comptroller.ports import Changes, Committed, Facts, Store, Wants
from comptroller.stores.journal import FileJournal

JOURNAL_BYTES = 1 << 18


class LosableStore:
    """A real store behind a line that can be cut: before what is asked arrives, or behind it, so that only the answer
    is lost. `after` lets that many commits pass first."""

    def __init__(self, store: Store) -> None:
        self.real = store
        self.cut = ""
        self.after = 0

    async def commit(self, wants: Wants, decide: Callable[[Facts], tuple[Changes, Any]]) -> Committed[Any]:
        self._arrive()
        done = await self.real.commit(wants, decide)
        if self.cut == "answer":
            if self.after <= 0:
                raise StoreLostError("the answer was lost", hint="mend the line")
            self.after -= 1
        return done

    def _arrive(self) -> None:
        if self.cut == "line":
            if self.after <= 0:
                raise StoreLostError("the line is cut", hint="mend the line")
            self.after -= 1

    def __getattr__(self, name: str) -> Any:
        if self.cut == "line" and self.after <= 0:

            async def lost(*_: object, **__: object) -> None:
                raise StoreLostError("the line is cut", hint="mend the line")

            return lost
        return getattr(self.real, name)


@dataclass
class Outage:
    """One installation's engine, as a process would have it; `restart` is what `kill -9` and a new start are."""

    folder: Path
    store: LosableStore
    seconds_max: int = 600
    clock: TurnedClock = field(default_factory=TurnedClock)
    runs: list[Run] = field(default_factory=list)
    engine: Engine = field(init=False)
    journal: FileJournal = field(init=False)

    async def start(self) -> Mapping[str, object] | None:
        """A process begins: first what is left over, then as `serve` does."""
        self.journal = await FileJournal.open(self.folder / "outage.journal", size_bytes=JOURNAL_BYTES)
        config = parse_config({**CONFIG, "store_outage_max": self.seconds_max}, origin="test")
        self.engine = build_engine(
            config,
            self.store,  # type: ignore[arg-type]
            lambda: None,  # type: ignore[arg-type,return-value]
            clock=self.clock,
            ids=SystemIds(),
            journal=self.journal,
            seconds=lambda: self.clock.at.timestamp(),
        )
        told = await self.escrow.begin()
        await self.engine.settler.recover()
        await self.engine.runs.recover()
        return told

    async def run(self) -> Run:
        """A run begins, and its share is taken."""
        run = await self.engine.runs.start(agent="bot", purpose=None, resume=None, per_run={})
        self.runs.append(run)
        await self.escrow.keep()
        return run

    async def end(self) -> None:
        """The process is gone, without a word."""
        await self.journal.close()

    async def restart(self) -> Mapping[str, object] | None:
        await self.end()
        return await self.start()

    @property
    def escrow(self) -> Escrow:
        assert self.engine.escrow is not None
        return self.engine.escrow

    @property
    def sequencer(self) -> Sequencer:
        return self.engine.gatekeeper._sequencer

    async def limit(self, unit: Unit, limit: int, scope: str = "acme", window: Window = Window.TOTAL) -> None:
        await self.engine.ledger.set_budget(Budget(scope=scope, unit=unit, window=window, limit=limit), by="ann")

    async def ask(self, usd_micros: int = 10, *, run: Run | None = None, **changes: Any) -> Sequenced:
        return await self.sequencer.admit(self.proposal(usd_micros, run=run, **changes))

    def proposal(
        self,
        usd_micros: int = 10,
        *classes: ActionClass,
        run: Run | None = None,
        kind: VerdictKind = VerdictKind.ALLOW,
        bounds: Mapping[Unit, Bound] | None = None,
        **changes: Any,
    ) -> Proposal:
        fields: dict[str, Any] = {
            "operation": "http:api.example.com:GET",
            "service": "http",
            "classes": frozenset(classes or {ActionClass.READ}),
            "endpoint": "api.example.com",
            "agent": "bot",
            "run": (run or self.runs[-1]).id,
            "parameters": {"number": len(self.runs)},
            "call": Call(attempt="1"),
        }
        action = Action(**{**fields, **changes})
        return Proposal(
            action=action,
            digest=digest(action),
            estimate=Estimate(
                bounds={
                    Unit.CALLS: Bound.exactly(1),
                    Unit.USD_MICROS: Bound(low=0, high=usd_micros),
                    **(bounds or {}),
                }
            ),
            boundary=BoundaryResult(
                kind=kind,
                reasons=(Reason(code="permitted", text="a rule permits it"),),
                rules=("test",),
                slice_hash="s" * 64,
            ),
            sentence="look at something",
        )

    async def settle(self, permit: Permit, usd_micros: int, *, complete: bool = True) -> None:
        action = self.proposal(0, run=next(run for run in self.runs if run.id == permit.run)).action
        known = {Unit.USD_MICROS: usd_micros} if complete else {}
        await self.engine.settler.settle(permit, action, Outcome(status=200, ok=True, complete=complete, actual=known))

    async def lost(self) -> None:
        """Cut the line and let the engine notice."""
        self.store.cut = "line"
        await self.escrow.keep()
        assert self.escrow.lost

    async def found(self) -> bool:
        """Mend the line; True where everything is as always again."""
        self.store.cut, self.store.after = "", 0
        return await self.escrow.resume()

    # ------------------------------------------------------------ what the store says

    async def taken(self, unit: Unit, scope: str = "acme") -> int:
        states = await self.store.real.budgets(self.clock.now())
        return next(s.account.taken for s in states if s.budget.scope == scope and s.budget.unit is unit)

    async def entries(self, kind: str = "") -> list[Mapping[str, Any]]:
        found = await self.store.real.entries(limit=100_000)
        return [entry.document for entry in found if not kind or entry.document["kind"] == kind]
