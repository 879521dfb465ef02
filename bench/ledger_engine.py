"""The real engine over a real store, without codecs and network: what the benches reserve, settle and start."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from comptroller.compose_state import SystemClock, SystemIds
from comptroller.core.action import Action, ActionClass, Call
from comptroller.core.action import digest as digest_of
from comptroller.core.asking import QuestionLimits
from comptroller.core.budget import Budget, scopes_of
from comptroller.core.estimate import Bound, Estimate, Outcome, Unit
from comptroller.core.verdict import BoundaryResult, Obligation, VerdictKind
from comptroller.core.window import Window
from comptroller.engine.entries import Scribe
from comptroller.engine.holdings import Holdings
from comptroller.engine.hub import Hub
from comptroller.engine.ledger import Ledger
from comptroller.engine.runs import Runs
from comptroller.engine.sequencer import Permit, Proposal, Sequencer
from comptroller.engine.settle import Settler
from comptroller.engine.suspense import Suspense
from comptroller.ports import Clock, Store
from comptroller.stores.postgres import PostgresStore
from comptroller.stores.sqlite import SqliteStore

LIMIT_NEVER_REACHED = 10**17
SLICE = hashlib.sha256(b"bench").hexdigest()
ALLOWED = BoundaryResult(kind=VerdictKind.ALLOW, reasons=(), rules=("permit-named",), slice_hash=SLICE)
KINDS = ("sqlite", "postgres")


class Book:
    """`ports.RunBook`: every agent `NAME` is `ORGANIZATION/team-NAME/NAME`."""

    def __init__(self, organization: str) -> None:
        self._organization = organization

    def path_of(self, agent: str) -> str:
        """`organization/team/agent`."""
        return f"{self._organization}/team-{agent}/{agent}"

    def owner_of(self, agent: str) -> str:
        """The accountable person."""
        return "ann"

    def purpose_of(self, agent: str) -> str:
        """The stated purpose."""
        return "measure the ledger"

    def names(self, agent: str, service: str, host: str) -> bool:
        """Everything is named."""
        return True

    def requester_of(self, run: str, agent: str) -> str:
        """Who started the run."""
        return "ann"

    def launched(self, run: str, by: str) -> None:
        """Nobody asks."""

    def voice_of(self, person: str) -> frozenset[str] | None:
        """Nobody answers."""
        return None

    def author(self) -> str:
        """Nobody changed the policies."""
        return ""

    def questions_of(self, agent: str) -> QuestionLimits:
        """As many as by default."""
        return QuestionLimits()

    def asking(self) -> Obligation:
        """As by default."""
        return Obligation(rule="")


class FixedPrices:
    """`ports.Pricer`: what an action costs is what its outcome says."""

    def estimate(self, action: Action) -> Estimate:
        """Never asked: proposals carry their own."""
        raise AssertionError("proposals carry their own estimates")

    def actual(self, action: Action, outcome: Outcome) -> Mapping[Unit, int]:
        """The cost the provider named."""
        cost = outcome.usage.get("usd_micros")
        return {Unit.CALLS: 1} if cost is None else {Unit.CALLS: 1, Unit.USD_MICROS: int(cost)}

    def key(self, action: Action) -> str:
        """One price."""
        return "bench"

    def trust(self, key: str, *, trusted: bool) -> None:
        """Prices here are never wrong."""

    def affordable_output(self, action: Action, room: Mapping[Unit, int]) -> int | None:
        """Nothing is lowered."""
        return None


@dataclass(slots=True)
class Till:
    """One engine: `reserve` and `settle` are what the gateway calls before and after a request."""

    store: Store
    sequencer: Sequencer
    settler: Settler
    runs: Runs
    ledger: Ledger
    book: Book

    async def start(self, agent: str) -> str:
        """A new run of `agent`; its id."""
        return (await self.runs.start(agent=agent, purpose=None, resume=None, per_run={})).id

    async def limit(self, scope: str, usd_micros: int, calls: int = LIMIT_NEVER_REACHED) -> None:
        """Set both limits that every action needs."""
        for unit, limit in ((Unit.USD_MICROS, usd_micros), (Unit.CALLS, calls)):
            await self.ledger.set_budget(Budget(scope=scope, unit=unit, window=Window.TOTAL, limit=limit), by="bench")

    async def open_path(self, agent: str, usd_micros: int = LIMIT_NEVER_REACHED) -> str:
        """A new run whose four scopes all have limits; its id."""
        run = await self.start(agent)
        for scope in scopes_of(f"{self.book.path_of(agent)}/{run}"):
            await self.limit(scope, usd_micros)
        return run

    async def reserve(self, agent: str, run: str, number: str, usd_micros: int) -> Permit | None:
        """Judge, hold and record one call; None where there is no room. Durable when it returns."""
        return (await self.sequencer.admit(proposal(agent, run, number, usd_micros))).permit

    async def cut(self, permit: Permit) -> None:
        """Nobody knows what the provider did."""
        await self.settler.suspend(permit, "the answer was cut")

    async def settle(self, permit: Permit, agent: str, usd_micros: int) -> None:
        """The provider said what it took."""
        outcome = Outcome(status=200, ok=True, complete=True, charged=True, usage={"usd_micros": usd_micros})
        await self.settler.settle(permit, _action(agent, permit.run, ""), outcome)


def till(store: Store, organization: str = "acme", *, clock: Clock | None = None) -> Till:
    """The engine's money parts over `store`, as `compose` puts them together."""
    ids, hub, book = SystemIds(), Hub(), Book(organization)
    clock, scribe = clock or SystemClock(), Scribe(ids)
    holdings = Holdings(store=store, clock=clock, ids=ids, scribe=scribe, hub=hub, runbook=book)
    suspense = Suspense(store=store, clock=clock, scribe=scribe, hub=hub)
    settler = Settler(
        store=store,
        clock=clock,
        scribe=scribe,
        hub=hub,
        runbook=book,
        pricer=FixedPrices(),
        holdings=holdings,
        suspense=suspense,
    )
    return Till(
        store=store,
        sequencer=Sequencer(store=store, clock=clock, ids=ids, scribe=scribe, hub=hub, runbook=book),
        settler=settler,
        runs=Runs(store=store, clock=clock, ids=ids, scribe=scribe, hub=hub, runbook=book),
        ledger=Ledger(store=store, clock=clock, scribe=scribe, hub=hub),
        book=book,
    )


def proposal(agent: str, run: str, number: str, usd_micros: int) -> Proposal:
    """A priced call as decode, price and boundary hand it on."""
    action = _action(agent, run, number)
    bounds = {Unit.USD_MICROS: Bound(low=0, high=usd_micros), Unit.CALLS: Bound.exactly(1)}
    return Proposal(
        action=action,
        digest=digest_of(action),
        estimate=Estimate(bounds=bounds, basis="bench"),
        boundary=ALLOWED,
        sentence=f"buy part {number}",
    )


def _action(agent: str, run: str, number: str) -> Action:
    return Action(
        operation="http:api.example.com:POST",
        service="http",
        classes=frozenset({ActionClass.PAY}),
        endpoint="api.example.com",
        agent=agent,
        run=run,
        resources=(f"/orders/{number}",),
        parameters={"method": "POST", "path": f"/orders/{number}", "body": {"part": number}},
        call=Call(request_id=number),
    )


async def open_store(kind: str, place: str, origin: str = "comptroller/bench") -> Store:
    """The store `kind`: a file, or a PostgreSQL database by its URL, as installation `origin`."""
    if kind == "sqlite":
        return await SqliteStore.open(Path(place))
    return await PostgresStore.open(place, origin=origin)
