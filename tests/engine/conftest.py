"""One engine over each store, with the starter policies, a clock that tests turn, and a way to make proposals."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from comptroller.boundary import CedarBoundary, PolicyText
from comptroller.compose import Engine, agent_facts, build_engine, registry_of, starter_policies
from comptroller.compose_state import SystemIds
from comptroller.core.action import Action, ActionClass, Call, digest
from comptroller.core.approval import Person
from comptroller.core.brake import Run
from comptroller.core.budget import Budget
from comptroller.core.config import Config, PersonConfig, parse_config
from comptroller.core.estimate import Bound, Estimate, Unit
from comptroller.core.window import Window
from comptroller.engine.sequencer import Proposal
from comptroller.ports import Store
from comptroller.stores.memory import MemoryStore
from comptroller.stores.sqlite import SqliteStore

CONFIG: dict[str, object] = {
    "version": 1,
    "organization": "acme",
    "teams": {"ml": {}},
    "people": {
        "ann": {"groups": ["approvers"]},
        "ben": {"groups": ["approvers"]},
        "cleo": {},
        "dan": {"groups": ["approvers", "leads"]},
        "eve": {"groups": ["finance"]},
        "fay": {"groups": ["finance"]},
    },
    "agents": {
        "bot": {
            "team": "ml",
            "owner": "ann",
            "purpose": "test the engine",
            "services": ["aws:ec2", "http", "stripe"],
            "hosts": ["api.example.com"],
            "accounts": ["123456789012"],
        }
    },
}
ANN = Person(name="ann", groups=frozenset({"approvers"}), via="uid:1000")
BEN = Person(name="ben", groups=frozenset({"approvers"}), via="uid:1001")
CLEO = Person(name="cleo", groups=frozenset(), via="uid:1002")


LEFT: tuple[dict[str, list[str]], ...] = (
    {},
    {"groups": []},
    {"groups": ["finance"]},
    {"groups": ["approvers"], "roles": ["administrator"]},
)
"""What may be left of an approver: nothing, no group, another group, their group without a role that answers."""


@dataclass
class TurnedClock:
    """A clock that only moves when a test turns it."""

    at: datetime = field(default_factory=lambda: datetime(2026, 11, 23, 12, tzinfo=UTC))

    def now(self) -> datetime:
        return self.at

    def turn(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@dataclass
class Bench:
    """An engine, its store and clock, one run, and shortcuts to make and judge proposals."""

    engine: Engine
    store: Store
    clock: TurnedClock
    boundary: CedarBoundary
    run: Run
    config: Config

    def make_of(self, name: str, **person: object) -> None:
        """Give somebody other groups or roles, or take them out (nothing given), as an edit of the file would."""
        people = {each: known for each, known in self.engine.runbook.config.people.items() if each != name}
        if person:
            people[name] = PersonConfig.model_validate(person)
        self.engine.runbook.config = self.engine.runbook.config.model_copy(update={"people": people})

    def reload(self, policies: str) -> None:
        self.boundary = boundary_of(self.config, policies)

    def proposal(
        self,
        *classes: ActionClass,
        usd_micros: int | None = 0,
        token: str = "",
        parameters: Mapping[str, object] | None = None,
        **changes: object,
    ) -> Proposal:
        fields: dict[str, object] = {
            "operation": "aws:ec2:RunInstances",
            "service": "aws:ec2",
            "classes": frozenset(classes or {ActionClass.PROVISION}),
            "account": "123456789012",
            "region": "us-east-1",
            "endpoint": "ec2.us-east-1.amazonaws.com",
            "agent": "bot",
            "run": self.run.id,
            "parameters": parameters or {"InstanceType": "t3.micro", "MaxCount": 1},
            "call": Call(idempotency={"ClientToken": token} if token else {}, attempt="1"),
        }
        action = Action(**{**fields, **changes})  # type: ignore[arg-type]
        bounds = {Unit.CALLS: Bound.exactly(1)}
        if usd_micros != 0:
            bounds[Unit.USD_MICROS] = Bound(low=0, high=usd_micros)
        estimate = Estimate(bounds=bounds)
        return Proposal(
            action=action,
            digest=digest(action),
            estimate=estimate,
            boundary=self.boundary.evaluate(action, estimate),
            sentence="start 1 x t3.micro in us-east-1",
        )

    async def limit(self, unit: Unit, limit: int, scope: str = "acme") -> None:
        budget = Budget(scope=scope, unit=unit, window=Window.TOTAL, limit=limit)
        await self.engine.ledger.set_budget(budget, by="ann")

    async def taken(self, unit: Unit, scope: str = "acme") -> int:
        states = await self.store.budgets(self.clock.now())
        return next(s.account.taken for s in states if s.budget.scope == scope and s.budget.unit is unit)

    async def kinds(self) -> list[str]:
        return [str(entry.document["kind"]) for entry in await self.store.entries(limit=100_000)]


def boundary_of(config: Config, policies: str) -> CedarBoundary:
    return CedarBoundary.load(
        [PolicyText(file="starter.cedar", text=policies)],
        agent_facts(config),
        classes_of=registry_of(config).classes_of,
    )


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    opened: Store = MemoryStore() if request.param == "memory" else await SqliteStore.open(tmp_path / "store.sqlite")
    yield opened
    await opened.close()


@pytest.fixture
async def bench(store: Store) -> Bench:
    config = parse_config(CONFIG, origin="test")
    clock = TurnedClock()
    boundary = boundary_of(config, starter_policies())
    holder: list[Bench] = []
    engine = build_engine(
        config, store, lambda: holder[0].boundary if holder else boundary, clock=clock, ids=SystemIds()
    )
    run = await engine.runs.start(agent="bot", purpose=None, resume=None, per_run={})
    made = Bench(engine=engine, store=store, clock=clock, boundary=boundary, run=run, config=config)
    holder.append(made)
    await made.limit(Unit.CALLS, 1_000_000)
    await made.limit(Unit.USD_MICROS, 1_000_000)
    return made


@pytest.fixture
def sequencer(bench: Bench):  # type: ignore[no-untyped-def]
    return bench.engine.gatekeeper._sequencer
