"""A real installation for the server's tests: real engine, memory store, real sockets in a short folder."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx

from comptroller.compose import ConfigRunBook
from comptroller.core.action import Action, ActionClass, digest
from comptroller.core.approval import Approval
from comptroller.core.brake import Run
from comptroller.core.budget import Budget
from comptroller.core.config import Config, parse_config
from comptroller.core.doors import HostService
from comptroller.core.errors import RefusedError
from comptroller.core.estimate import Bound, Estimate, Unit
from comptroller.core.verdict import BoundaryResult, Obligation, Reason, VerdictKind
from comptroller.core.window import Window
from comptroller.engine.approvals import Approvals
from comptroller.engine.brake import Brakes
from comptroller.engine.deputies import Deputies
from comptroller.engine.entries import Scribe
from comptroller.engine.holdings import Holdings
from comptroller.engine.hub import Hub
from comptroller.engine.ledger import Ledger
from comptroller.engine.orders import Answer, Orders
from comptroller.engine.people import People
from comptroller.engine.recorder import Recorder
from comptroller.engine.runs import Runs
from comptroller.engine.sequencer import Permit, Proposal, Sequenced, Sequencer
from comptroller.engine.standing import StandingGrants
from comptroller.engine.suspense import Suspense
from comptroller.engine.trust import Trust
from comptroller.price import Prices
from comptroller.server.desk import Desk, SocketRole
from comptroller.server.house import House
from comptroller.server.identity import os_user, person_name
from comptroller.stores.memory import MemoryStore
from comptroller.watch.keeper import HoldingsKeeper, Rules

ME = person_name(os_user(os.getuid()))


class Ticking:
    """The machine's clock, which a test may move on."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead


class NoWayOut:
    """No provider can be reached from here."""

    async def check(self, action: Action) -> None:
        """Signed it could be."""

    async def carry(self, permit: Permit, action: Action) -> Answer:
        raise RefusedError(f"`{action.operation}` did not reach {action.host}")


class CountingIds:
    """Distinct, ordered ids."""

    def __init__(self) -> None:
        self._count = 0

    def new(self) -> str:
        self._count += 1
        return f"01900000-0000-7000-8000-{self._count:012d}"

    def salt(self) -> bytes:
        return os.urandom(16)


@dataclass
class OpenedBox:
    """What the door holds of one box."""

    door: RecordingDoor
    run: Run
    hold_seconds: float
    sockets: Sequence[tuple[SocketRole, socket.socket]]

    host_services: Sequence[HostService] = ()
    cuts: int = 0

    def cut(self) -> None:
        self.cuts += 1

    async def close(self) -> None:
        self.door.closed.append(self.run.id)
        for _, opened in self.sockets:
            opened.close()


@dataclass
class RecordingDoor:
    """A door that keeps the sockets it was handed."""

    ca_pem: str = "-----BEGIN CERTIFICATE-----\n"
    boxes: list[OpenedBox] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    own_ports: set[int] = field(default_factory=set)

    def placeholders(self, agent: str) -> Mapping[str, str]:
        return {"OPENAI_API_KEY": "comptroller-placeholder"}

    def hosts(self, agent: str) -> Sequence[str]:
        return ("api.openai.com",)

    async def attach(
        self,
        run: Run,
        *,
        hold_seconds: float,
        sockets: Sequence[tuple[SocketRole, socket.socket]],
        host_services: Sequence[HostService] = (),
        proxy_secret: str = "",
    ) -> OpenedBox:
        box = OpenedBox(self, run, hold_seconds, sockets, host_services)
        self.boxes.append(box)
        return box


def configured(**more: object) -> Config:
    document = {
        "version": 1,
        "organization": "acme",
        "teams": {"ml": {}},
        "people": {ME: {"groups": ["approvers"]}, "dana": {"groups": ["finance"]}},
        "agents": {
            "research": {
                "team": "ml",
                "owner": ME,
                "purpose": "compare instance prices",
                "services": ["aws:ec2"],
                "hosts": ["packages.example.com"],
                "environment": {"MODE": "test"},
                "per_run": {"usd": 50, "calls": 1000},
            }
        },
        **more,
    }
    return parse_config(document, origin="comptroller.yaml")


@dataclass
class Place:
    """One running installation and what a test drives it with."""

    desk: Desk
    house: House
    store: MemoryStore
    clock: Ticking
    sequencer: Sequencer
    door: RecordingDoor
    folder: Path

    @property
    def control(self) -> Path:
        return self.folder / "control.sock"

    @property
    def attach(self) -> Path:
        return self.folder / "attach.sock"

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            transport=httpx.AsyncHTTPTransport(uds=str(self.control)), base_url="http://comptroller", timeout=30
        )

    def browser(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            base_url=self.house.page_origin, headers={"origin": self.house.page_origin}, timeout=30
        )

    async def run(self) -> Run:
        return await self.desk.runs.start(
            agent="research", purpose=None, resume=None, per_run={Unit.USD_MICROS: 50_000_000, Unit.CALLS: 1000}
        )

    async def propose(self, run: Run, **change: object) -> Sequenced:
        return await self.sequencer.admit(proposal(run, **change))

    async def held(self, run: Run, **change: object) -> Approval:
        sequenced = await self.propose(run, **change)
        assert sequenced.approval is not None
        return sequenced.approval


def proposal(
    run: Run,
    *,
    sentence: str = "start 2 x m8g.large in us-east-1",
    quantity: int = 2,
    usd_micros: int | None = 4_000_000,
    kind: VerdictKind = VerdictKind.REQUIRE_APPROVAL,
    obligations: tuple[Obligation, ...] = (Obligation(rule="provision", reason="this brings about cost"),),
    service: str = "aws:ec2",
    endpoint: str = "ec2.us-east-1.amazonaws.com",
    classes: frozenset[ActionClass] = frozenset({ActionClass.PROVISION}),
    rules: tuple[str, ...] = ("provision",),
    reasons: tuple[Reason, ...] = (Reason(code="approval", text="this brings about cost", rule="provision"),),
    parameters: Mapping[str, object] | None = None,
) -> Proposal:
    action = Action(
        operation="aws:ec2:RunInstances",
        service=service,
        classes=classes,
        endpoint=endpoint,
        agent=run.agent,
        run=run.id,
        account="123456789012",
        region="us-east-1",
        quantity=quantity,
        parameters=parameters or {"InstanceType": "m8g.large"},
    )
    return Proposal(
        action=action,
        digest=digest(action),
        estimate=Estimate(
            bounds={
                Unit.USD_MICROS: Bound(low=0, high=usd_micros),
                Unit.USD_MICROS_PER_HOUR: Bound(low=0, high=usd_micros),
                Unit.CALLS: Bound.exactly(1),
            },
            term_seconds=3600,
            basis="AWS on-demand, us-east-1, 2026-09-06",
        ),
        boundary=BoundaryResult(
            kind=kind,
            reasons=reasons,
            rules=rules,
            slice_hash="s1",
            obligations=obligations if kind is VerdictKind.REQUIRE_APPROVAL else (),
        ),
        sentence=sentence,
    )


class Book(ConfigRunBook):
    """The run book of one configuration, with names taken as they are."""

    def names(self, agent: str, service: str, host: str) -> bool:
        return service in self.config.agents[agent].services or host in self.config.agents[agent].hosts


def make_place(
    folder: Path, config: Config, *, idle_exit_seconds: float | None = None, owner_uid: int | None = None
) -> Place:
    store, clock, ids, hub, door = MemoryStore(), Ticking(), CountingIds(), Hub(), RecordingDoor()
    scribe, book = Scribe(ids), Book(config)
    parts = {"store": store, "clock": clock, "scribe": scribe, "hub": hub}
    sequencer = Sequencer(**parts, ids=ids, runbook=book)
    holdings = Holdings(**parts, ids=ids, runbook=book)
    keeper = HoldingsKeeper(
        book=holdings,
        orders=Orders(sequencer=sequencer, courier=NoWayOut(), clock=clock),
        store=store,
        clock=clock,
        rules=Rules,
        organization=config.organization,
        say=lambda _: None,
    )
    desk = Desk(
        config=config,
        config_path="comptroller.yaml",
        owner_uid=os.getuid() if owner_uid is None else owner_uid,
        store=store,
        approvals=Approvals(**parts, people=book),
        deputies=Deputies(**parts, ids=ids, people=book),
        standing=StandingGrants(**parts, ids=ids, runbook=book),
        brakes=Brakes(**parts, scopes=lambda: ()),
        ledger=Ledger(**parts),
        suspense=Suspense(**parts),
        runs=Runs(**parts, ids=ids, runbook=book),
        trust=Trust(**parts, pricer=Prices()),
        holdings=holdings,
        keeper=keeper,
        recorder=Recorder(**parts),
        people=People(**parts),
        said=book.said,
        hub=hub,
        clock=clock,
        door=door,
    )
    house = House(
        desk,
        control_socket=folder / "control.sock",
        attach_socket=folder / "attach.sock",
        idle_exit_seconds=idle_exit_seconds,
    )
    return Place(desk, house, store, clock, sequencer, door, folder)


async def open_place(place: Place) -> None:
    for unit, limit in ((Unit.USD_MICROS, 100_000_000), (Unit.CALLS, 10_000)):
        budget = Budget(scope="acme", unit=unit, window=Window.TOTAL, limit=limit)
        await place.desk.ledger.set_budget(budget, by="test")
    await place.house.start()
