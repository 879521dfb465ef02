"""Logs for tests of reports, written by the real engine over a real store: nothing in them is made by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from comptroller.boundary import CedarBoundary, PolicyText
from comptroller.compose import Engine, agent_facts, build_engine, registry_of
from comptroller.compose_state import SystemIds
from comptroller.core.action import Action, ActionClass, Call, digest
from comptroller.core.brake import Run
from comptroller.core.budget import Budget
from comptroller.core.config import Config, parse_config
from comptroller.core.estimate import Bound, Estimate, Outcome, Unit
from comptroller.core.holding import HoldingState
from comptroller.core.made import Made
from comptroller.core.window import Window
from comptroller.engine.sequencer import Permit, Proposal
from comptroller.ports import Store

PROVISION = frozenset({ActionClass.PROVISION})
BEGIN = datetime(2026, 11, 27, 22, tzinfo=UTC)
CONFIG: dict[str, object] = {
    "version": 1,
    "organization": "acme",
    "teams": {"ml": {}, "web": {}},
    "people": {"ann": {"groups": ["approvers"]}, "ben": {"groups": ["approvers"]}},
    "agents": {
        "trainer": {"team": "ml", "owner": "ann", "purpose": "train", "services": ["openai", "aws:ec2"]},
        "reader": {"team": "ml", "owner": "ben", "purpose": "read", "services": ["anthropic"]},
        "shop": {"team": "web", "owner": "ben", "purpose": "sell", "services": ["stripe"]},
    },
}
EVERYTHING = '@id("everything") permit(principal, action, resource);'
WINDOWS = (Window.TOTAL, Window.DAY, Window.WEEK, Window.MONTH)
AMOUNTS: Mapping[Unit, int] = {
    Unit.USD_MICROS: 900_000,
    Unit.CALLS: 1,
    Unit.TOKENS: 12_000,
    Unit.MILLIWATT_HOURS: 4_000,
    Unit.MILLIGRAMS_CO2E: 1_500,
}
"""What one action of these tests may cost."""


@dataclass
class TurnedClock:
    """A clock that only moves when a test turns it."""

    at: datetime = BEGIN

    def now(self) -> datetime:
        return self.at


@dataclass
class Installation:
    """An engine where everything is allowed, with an active run of each agent, and what is still open."""

    engine: Engine
    store: Store
    clock: TurnedClock
    config: Config
    boundary: CedarBoundary
    runs: dict[str, Run] = field(default_factory=dict)
    open: list[tuple[Permit, Action]] = field(default_factory=list)

    async def start(self) -> None:
        """A run of every agent; limits in every unit and window for the organization, its teams and agents."""
        scopes = ["acme", "acme/ml", "acme/web", *(self.config.path_of(agent) for agent in self.config.agents)]
        for scope in scopes:
            for unit in AMOUNTS:
                for window in WINDOWS:
                    budget = Budget(scope=scope, unit=unit, window=window, limit=10**15)
                    await self.engine.ledger.set_budget(budget, by="ann")
        for agent in self.config.agents:
            await self.again(agent)

    async def again(self, agent: str) -> None:
        """A new run of `agent`, with a limit of its own."""
        self.runs[agent] = await self.engine.runs.start(
            agent=agent, purpose=None, resume=None, per_run={Unit.USD_MICROS: 10**15}
        )

    def turn(self, hours: float) -> None:
        self.clock.at += timedelta(hours=hours)

    async def act(
        self,
        agent: str,
        service: str = "openai",
        *,
        operation: str = "",
        region: str = "",
        account: str = "",
        amounts: Mapping[Unit, int] = AMOUNTS,
        token: str = "",
        **changes: object,
    ) -> Permit | None:
        """Admit one action; it stays open."""
        fields: dict[str, object] = {
            "operation": operation or f"{service}:call",
            "service": service,
            "classes": frozenset({ActionClass.READ}),
            "account": account,
            "region": region,
            "endpoint": "api.example.com",
            "agent": agent,
            "run": self.runs[agent].id,
            "parameters": {"n": token},
            "call": Call(idempotency={"token": token} if token else {}, attempt="1"),
        }
        action = Action(**{**fields, **changes})  # type: ignore[arg-type]
        estimate = Estimate(bounds={unit: Bound(low=0, high=amount) for unit, amount in amounts.items()})
        done = await self.engine.gatekeeper._sequencer.admit(
            Proposal(
                action=action,
                digest=digest(action),
                estimate=estimate,
                boundary=self.boundary.evaluate(action, estimate),
                sentence="call it",
            )
        )
        if done.permit is not None:
            self.open.append((done.permit, action))
        return done.permit

    async def settle(self, which: int, share: float, *, complete: bool = True, keep: bool = False) -> None:
        """Settle one open action at a share of what it may cost; `keep` so that another answer may come."""
        permit, action = self.open[which] if keep else self.open.pop(which)
        actual = {unit: int(amount * share) for unit, amount in AMOUNTS.items() if unit is not Unit.CALLS}
        await self.engine.settler.settle(
            permit, action, Outcome(status=200, ok=True, complete=complete, actual=actual if complete else {})
        )

    async def provide(self, agent: str, number: int) -> None:
        """An action that brings about something that goes on costing; one number is one thing, however often."""
        rated = {**AMOUNTS, Unit.USD_MICROS_PER_HOUR: AMOUNTS[Unit.USD_MICROS]}
        kind = "aws:ec2:StartInstances"
        permit = await self.act(
            agent, "aws:ec2", operation=kind, region="us-east-1", account="1", amounts=rated, classes=PROVISION
        )
        if permit is None:
            return
        permit, action = self.open.pop()
        made = Made(
            kind="aws:ec2:instance", resource=f"i-{number}", account="1", region="us-east-1", endpoint=action.endpoint
        )
        answer = Outcome(status=200, ok=True, complete=True, holdings=(made,) * (number > 0))
        await self.engine.settler.settle(permit, action, answer)

    async def tend(self, how: str, number: int) -> None:
        """Pay one holding on, see it rest or gone, or take it off the books; and give back what pays for none."""
        holdings = await self.store.holdings()
        if holdings:
            one = holdings[number % len(holdings)]
            match how:
                case "renew":
                    await self.engine.holdings.pay_on(one)
                case "overrun":
                    await self.engine.holdings.pay_on(one, force=True)
                case "stopped":
                    await self.engine.holdings.seen(one, HoldingState.STOPPED, why="it rests")
                case "gone":
                    await self.engine.holdings.seen(one, HoldingState.CLOSED, why="it is gone")
                case "forget" if one.open:
                    await self.engine.holdings.forget(one, by="ann", reason="not ours")
        await self.engine.holdings.release_strays()

    async def suspend(self, which: int) -> None:
        """One open action of which nobody knows what became; it may still settle."""
        await self.engine.settler.suspend(self.open[which][0], "the connection broke")


async def installation(store: Store, config: Mapping[str, object] = CONFIG) -> Installation:
    """An engine over `store` with active runs."""
    parsed = parse_config(config, origin="test")
    clock = TurnedClock()
    boundary = CedarBoundary.load(
        [PolicyText(file="all.cedar", text=EVERYTHING)], agent_facts(parsed), classes_of=registry_of(parsed).classes_of
    )
    engine = build_engine(parsed, store, lambda: boundary, clock=clock, ids=SystemIds())
    made = Installation(engine=engine, store=store, clock=clock, config=parsed, boundary=boundary)
    await made.start()
    return made


async def ordinary(made: Installation, days: int = 12, agents: Sequence[str] = ("trainer", "reader", "shop")) -> None:
    """Some days of ordinary work: most of it settled, some held, some unconfirmed."""
    services = {"trainer": ("openai", "aws:ec2"), "reader": ("anthropic", "openai"), "shop": ("stripe", "anthropic")}
    for day in range(days):
        for number, agent in enumerate(agents):
            for call in range(1 + (day + number) % 3):
                service = services[agent][call % 2]
                region = "us-east-1" if service.startswith("aws") else ""
                await made.act(agent, service, region=region, account="123456789012" if region else "")
                await made.settle(-1, (1 + (day * 7 + number * 3 + call) % 9) / 10)
        made.turn(24)
    await made.act("trainer", "aws:ec2", region="eu-west-1")
    await made.act("shop", "stripe")
    await made.suspend(-1)
