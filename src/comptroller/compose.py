"""The only file that knows every concrete class: it reads the configuration and puts one installation together."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import hashlib
import os
import socket
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import TextIO, TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from comptroller import __version__, price
from comptroller.boundary import AgentFacts, CedarBoundary, PolicyText
from comptroller.boundary.context import Reach
from comptroller.compose_notify import build_notifier
from comptroller.compose_state import (
    SystemClock,
    SystemIds,
    exclusive,
    installation_origin,
    make_keys,
    open_log,
    open_store,
    where_is,
)
from comptroller.core.account import account_of
from comptroller.core.action import Action, ActionClass
from comptroller.core.approval import Approval
from comptroller.core.asking import Deputy, QuestionLimits
from comptroller.core.audit import EntryKind
from comptroller.core.brake import Run
from comptroller.core.budget import BudgetState, scopes_of
from comptroller.core.checkpoint import Checkpoint, VerifierKey, parse_verifier_key, sign, verify_any_epoch
from comptroller.core.config import AgentConfig, Config
from comptroller.core.document import DocumentKind
from comptroller.core.doors import HOST_SUFFIX, HostService, tcp_service
from comptroller.core.epoch import installation_of
from comptroller.core.errors import ComptrollerError, ConfigError, StoreError, UsageError
from comptroller.core.plan import Intended
from comptroller.core.verdict import Obligation
from comptroller.decode import tags
from comptroller.decode.described import DescribedCodec, Service
from comptroller.decode.records import Case, Who, cloud
from comptroller.decode.records import read as read_case
from comptroller.decode.registry import CodecRegistry
from comptroller.enforce.gateway import (
    Attachment,
    Authority,
    BoxSocket,
    CredentialBroker,
    Family,
    Gateway,
    GatewayCourier,
    GatewaySettings,
    HostServices,
    Internal,
    RunIdentity,
    TcpService,
    Upstream,
)
from comptroller.engine.approvals import Approvals
from comptroller.engine.archiving import Archivist, Removed
from comptroller.engine.authorship import author_of, authored
from comptroller.engine.brake import Brakes
from comptroller.engine.deputies import Deputies
from comptroller.engine.elsewhere import Elsewhere
from comptroller.engine.entries import Scribe
from comptroller.engine.escrow import Escrow
from comptroller.engine.gatekeeper import Gatekeeper
from comptroller.engine.holdings import Holdings
from comptroller.engine.hub import Hub
from comptroller.engine.keeping import Keeper
from comptroller.engine.ledger import Ledger
from comptroller.engine.narrower import Narrower
from comptroller.engine.orders import Orders
from comptroller.engine.people import People
from comptroller.engine.plans import Plans
from comptroller.engine.recorder import Recorder
from comptroller.engine.runs import Runs
from comptroller.engine.sequencer import Proposal, Sequencer
from comptroller.engine.settle import Settler
from comptroller.engine.standing import StandingGrants
from comptroller.engine.suspense import Suspense
from comptroller.engine.thresholds import Thresholds
from comptroller.engine.trust import Trust
from comptroller.ports import Boundary, Clock, Ids, Journal, Store
from comptroller.price.catalogue import Key, Rate
from comptroller.price.listing import write_rows
from comptroller.server.descriptions import described_services, services_stamp
from comptroller.server.desk import Desk, SocketRole
from comptroller.server.identity import caller_of, os_user, person_name, voice_of
from comptroller.server.place import CONFIG_NAME, POLICIES_FOLDER, SERVICES_FOLDER, Paths, load_config
from comptroller.server.policy_files import FILES_TOLD_MAX, PolicyEdit, changed_files, diff_text, exchange, owner_of
from comptroller.server.prices import book_of, changes_of, load_prices, prices_digest
from comptroller.server.roster import tell_of_people
from comptroller.server.seal import sealing_key
from comptroller.stores import archives
from comptroller.stores import restore as restores
from comptroller.stores.journal import FileJournal
from comptroller.stores.log_key_unsafe import load_log_key, write_private
from comptroller.stores.postgres import PostgresStore
from comptroller.stores.sqlite import SqliteStore
from comptroller.watch.keeper import HoldingsKeeper, Rules

T = TypeVar("T")

VOUCH_SECONDS = 60.0
"""How often the logs of other gateways are looked at."""
RELOAD_SECONDS = 1.0
REASON_CHARS_MAX = 2_000
"""Of a refused edit, how much of what is wrong with it is kept."""
CHECKPOINT_SECONDS = 10.0
RESTART_ONLY = ("organization", "services", "store", "store_outage_max", "upstreams", "private", "console")
"""Settings that are built into the running gateway."""
KEEP_SECONDS = 5.0
"""How often holdings are tended."""
RECONCILE_SECONDS = 900.0
"""How often providers are asked what is there."""
EXPIRY_SECONDS = 10.0
"""How often what is over is closed with an entry; that nothing expired counts is checked at each use."""


# ---------------------------------------------------------------- configuration


@dataclass(slots=True)
class ConfigRunBook:
    """Scope paths, owners, purposes and people as configured; `config` is replaced when the file changed.

    `policy_author` last changed the policies, `starters` started the runs of this process. `owners` have every role;
    `said` is in which of its groups an OpenID provider last said somebody is.
    """

    config: Config
    policy_author: str = ""
    starters: dict[str, str] = field(default_factory=dict)
    owners: frozenset[str] = frozenset()
    said: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def path_of(self, agent: str) -> str:
        """`organization/team/agent`. Raises `ConfigError` for an unknown agent."""
        self._known(agent)
        return self.config.path_of(agent)

    def owner_of(self, agent: str) -> str:
        """The accountable person."""
        return self._known(agent).owner

    def purpose_of(self, agent: str) -> str:
        """The stated purpose."""
        return self._known(agent).purpose

    def names(self, agent: str, service: str, host: str) -> bool:
        """Whether the service or the host is named for the agent, as the policies' `context.named` has it."""
        self._known(agent)
        return Reach.of(agent_facts(self.config)[agent]).names(service, host)

    def requester_of(self, run: str, agent: str) -> str:
        """The person who started the run; the agent's owner where that is not known."""
        return self.starters.get(run) or self.owner_of(agent)

    def launched(self, run: str, by: str) -> None:
        """Remember who started a run: no run outlives this process."""
        self.starters[run] = by

    def author(self) -> str:
        """Who last changed the policies; empty where nobody is known."""
        return self.policy_author

    def questions_of(self, agent: str) -> QuestionLimits:
        """How much the agent may ask people."""
        return self._known(agent).questions.limits()

    def asking(self) -> Obligation:
        """Whom we ask about what no policy speaks of."""
        return self.config.approvals.asking()

    def known(self, person: str) -> bool:
        """Whether there is such a person."""
        return person in self.config.people

    def groups_of(self, person: str) -> frozenset[str]:
        """The groups a person is in; none for a stranger."""
        known = self.config.people.get(person)
        return frozenset(known.groups) if known is not None else frozenset()

    def voice_of(self, person: str) -> frozenset[str] | None:
        """The groups in whose name somebody may answer now; None for who may answer nothing, or is not there."""
        return voice_of(person, self.said.get(person, ()), config=self.config, owner=person in self.owners)

    def deputies(self) -> tuple[Deputy, ...]:
        """Who is configured to answer in somebody's place, whenever."""
        return tuple(each.deputy(name) for name, person in self.config.people.items() for each in person.deputies)

    def scopes(self) -> frozenset[str]:
        """The organization, every team and every agent, as scope paths."""
        paths = [self.config.path_of(agent) for agent in self.config.agents]
        teams = [f"{self.config.organization}/{team}" for team in self.config.teams]
        return frozenset((self.config.organization, *teams, *paths))

    def _known(self, agent: str) -> AgentConfig:
        known = self.config.agents.get(agent)
        if known is None:
            raise ConfigError(
                f"there is no agent `{agent}`", hint=f"known: {', '.join(sorted(self.config.agents)) or 'none'}"
            )
        return known


def policy_texts(config_path: Path) -> tuple[PolicyText, ...]:
    """Every `policies/*.cedar` beside the configuration, by name. Raises `ConfigError`."""
    folder = config_path.parent / POLICIES_FOLDER
    files = sorted(folder.glob("*.cedar"))
    if not files:
        raise ConfigError(f"no *.cedar file in `{folder}`: nothing would be allowed", hint="comptroller init")
    try:
        return tuple(PolicyText(file=str(file), text=file.read_text("utf-8")) for file in files)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read policies in `{folder}`: {error}") from error


PACKS = ("starter", "team")
"""What `init` can write: for one person alone, and for people who work together."""


def pack_policies(name: str) -> str:
    """The text of one of `PACKS`."""
    return (resources.files("comptroller.boundary") / "packs" / f"{name}.cedar").read_text("utf-8")


def starter_policies() -> str:
    """The text of the starter pack that `init` writes."""
    return pack_policies("starter")


def load_boundary(
    config: Config,
    config_path: Path,
    *,
    described: Sequence[Service] | None = None,
    texts: Sequence[PolicyText] | None = None,
) -> CedarBoundary:
    """The boundary as `policies/` and the agents of `config` define it. Raises `ConfigError` naming file and line.

    `described` are the described services in force; by default those that lie beside the configuration. `texts` are
    other policies to be tried in the place of those files.
    """
    registry = registry_of(config, described_services(config_path) if described is None else described)
    groups = Counter(group for person in config.people.values() for group in person.groups)
    return CedarBoundary.load(
        policy_texts(config_path) if texts is None else texts,
        agent_facts(config),
        classes_of=registry.classes_of,
        near=registry.operations_near,
        groups=groups,
    )


def agent_facts(config: Config) -> Mapping[str, AgentFacts]:
    """What policies may know of each agent."""
    return {
        name: AgentFacts(
            name=name,
            team=agent.team,
            organization=config.organization,
            owner=agent.owner,
            purpose=agent.purpose,
            services=frozenset((*agent.services, *(tcp_service(each.host, each.port) for each in agent.tcp))),
            # A person named them on the command line; to any other run the gateway says that there are none.
            hosts=frozenset((*agent.hosts, f"*{HOST_SUFFIX}")),
            accounts=frozenset(agent.accounts),
        )
        for name, agent in config.agents.items()
    }


# ---------------------------------------------------------------- one installation


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """The engine over one store: everything that judges, records, asks and stops."""

    store: Store
    runbook: ConfigRunBook
    hub: Hub
    recorder: Recorder
    people: People
    gatekeeper: Gatekeeper
    sequencer: Sequencer
    settler: Settler
    holdings: Holdings
    approvals: Approvals
    deputies: Deputies
    standing: StandingGrants
    narrower: Narrower
    plans: Plans
    brakes: Brakes
    keeper: Keeper
    archivist: Archivist
    ledger: Ledger
    suspense: Suspense
    runs: Runs
    pricer: price.Prices
    trust: Trust
    host_services: HostServices
    escrow: Escrow | None


def _owners() -> frozenset[str]:
    """As whom the owner of this process and root are known here: they have every role."""
    return frozenset(person_name(os_user(uid)) for uid in (0, os.getuid()))


def build_engine(
    config: Config,
    store: Store,
    boundary: Callable[[], Boundary],
    *,
    clock: Clock | None = None,
    ids: Ids | None = None,
    described: Sequence[Service] = (),
    newer: Mapping[Key, Rate] | None = None,
    journal: Journal | None = None,
    seconds: Callable[[], float] = time.monotonic,
) -> Engine:
    """Put the engine together over `store`; the boundary is asked for each time, so that it can be replaced.

    `journal` is what goes on by while the store is lost, or what is left over from such a time; `seconds` counts up.
    """
    clock, ids = clock or SystemClock(), ids or SystemIds()
    scribe, hub, runbook = Scribe(ids), Hub(), ConfigRunBook(config, owners=_owners())
    host_services, upstreams = HostServices(), upstream_marks(config)
    escrow = None
    if journal is not None:
        escrow = Escrow(
            store=store,
            journal=journal,
            clock=clock,
            ids=ids,
            scribe=scribe,
            hub=hub,
            runbook=runbook,
            outage_seconds_max=config.store_outage_max,
            seconds=seconds,
        )
    in_force = escrow if config.store_outage_max else None
    thresholds = Thresholds(scribe=scribe, hub=hub)
    sequencer = Sequencer(
        escrow=in_force,
        thresholds=thresholds,
        store=store,
        clock=clock,
        ids=ids,
        scribe=scribe,
        hub=hub,
        runbook=runbook,
        marks=lambda action: {**upstreams(action), **host_services.marks(action)},
    )
    pricer = price.Prices(book=book_of(config, newer or {}, today=clock.now().date()))
    holdings = Holdings(
        store=store, clock=clock, ids=ids, scribe=scribe, hub=hub, runbook=runbook, thresholds=thresholds
    )
    suspense = Suspense(store=store, clock=clock, scribe=scribe, hub=hub)
    settler = Settler(
        store=store,
        clock=clock,
        scribe=scribe,
        hub=hub,
        runbook=runbook,
        pricer=pricer,
        holdings=holdings,
        suspense=suspense,
        escrow=in_force,
    )
    gatekeeper = Gatekeeper(
        registry=registry_of(config, described),
        pricer=pricer,
        boundary=boundary,
        sequencer=sequencer,
        settler=settler,
        hub=hub,
        clock=clock,
        tags=lambda action: holding_tags(runbook.config, action),
        owned=holdings.owned,
        targets=holdings.targets,
    )
    standing = StandingGrants(store=store, clock=clock, ids=ids, scribe=scribe, hub=hub, runbook=runbook)

    def intended(item: Intended, agent: str, run: str) -> Proposal:
        given = runbook.config.credentials
        own = [given[name] for name in runbook.config.agents[agent].credentials if name in given]
        account = next((each.account for each in own if each.service == "aws" and each.account), "")
        members = {"service": item.service, "operation": item.operation, "input": dict(item.input)}
        if item.region:
            members["region"] = item.region
        case = Case(id=item.name, source="plan", label="intended", kind=cloud.KIND, line=0, members=members)
        recorded = read_case(case, Who(agent=agent, account=account)).actions[0]
        return gatekeeper.planned(replace(recorded.action, agent=agent, run=run))

    return Engine(
        store=store,
        runbook=runbook,
        hub=hub,
        recorder=Recorder(store=store, clock=clock, scribe=scribe, hub=hub),
        people=People(store=store, clock=clock, scribe=scribe, hub=hub),
        gatekeeper=gatekeeper,
        narrower=Narrower(store=store, clock=clock, ids=ids, scribe=scribe, hub=hub, gatekeeper=gatekeeper),
        sequencer=sequencer,
        settler=settler,
        holdings=holdings,
        approvals=Approvals(store=store, clock=clock, scribe=scribe, hub=hub, people=runbook),
        deputies=Deputies(store=store, clock=clock, ids=ids, scribe=scribe, hub=hub, people=runbook),
        standing=standing,
        plans=Plans(
            store=store,
            clock=clock,
            ids=ids,
            scribe=scribe,
            runbook=runbook,
            standing=standing,
            intend=intended,
        ),
        brakes=Brakes(store=store, clock=clock, scribe=scribe, hub=hub, scopes=runbook.scopes, escrow=in_force),
        keeper=Keeper(store=store, clock=clock, scribe=scribe, hub=hub),
        archivist=Archivist(store=store, clock=clock, scribe=scribe, hub=hub),
        ledger=Ledger(store=store, clock=clock, scribe=scribe, hub=hub),
        suspense=suspense,
        runs=Runs(store=store, clock=clock, ids=ids, scribe=scribe, hub=hub, runbook=runbook, escrow=in_force),
        pricer=pricer,
        trust=Trust(store=store, clock=clock, scribe=scribe, hub=hub, pricer=pricer),
        host_services=host_services,
        escrow=escrow,
    )


def holding_tags(config: Config, action: Action) -> Mapping[str, str]:
    """What is put on everything that an action makes: whose it is."""
    if not config.holdings.tags:
        return {}
    return {tags.AGENT: action.agent, tags.RUN: action.run, tags.HOLDING_OF: config.organization}


def registry_of(config: Config, described: Sequence[Service] = ()) -> CodecRegistry:
    """Codecs by host: the known services, those described beside the configuration, and the extra hosts that
    `services` names. Raises `ConfigError` for a host of two services."""
    hosts = {host: service.codec for service in config.services.values() for host in service.hosts}
    tools = {
        host: {tool: frozenset(map(ActionClass, classes)) for tool, classes in service.tools.items()}
        for service in config.services.values()
        for host in service.hosts
        if service.codec == "mcp"
    }
    return CodecRegistry(hosts, described, tools)


def family_of(registry: CodecRegistry) -> Callable[[str], Family | None]:
    """How the credentials of services are put on requests that the gateway has no table for."""

    def family(name: str) -> Family | None:
        codec = registry.codecs.get(name)
        if not isinstance(codec, DescribedCodec):
            hosts: frozenset[str] = getattr(codec, "hosts", frozenset())
            if name == "azure-openai":
                return Family(hosts=tuple(sorted(hosts)), header="api-key", prefix="")
            return Family(hosts=tuple(sorted(hosts))) if hosts else None
        credential = codec.service.credential
        return Family(
            hosts=codec.service.hosts,
            header=credential.header,
            prefix=credential.prefix,
            basic=credential.encode == "basic",
            optional=credential.optional,
            placeholders=credential.variables,
        )

    return family


def upstream_marks(config: Config) -> Callable[[Action], Mapping[str, object]]:
    """Entries of actions that go to a development upstream say so."""

    def marks(action: Action) -> Mapping[str, object]:
        url = next((u for h, u in config.upstreams.items() if host_matches(h, action.host)), None)
        return {"upstream": url} if url else {}

    return marks


def host_matches(pattern: str, host: str) -> bool:
    """`*.example.com` matches every name below example.com; anything else only itself."""
    return host == pattern or (pattern.startswith("*.") and host.endswith(pattern[1:]) and len(host) > len(pattern) - 1)


def keeper_rules(config: Config) -> Rules:
    """What the keeper of holdings may do."""
    told = config.holdings
    return Rules(grace_seconds=told.grace_seconds, stop=told.stop, delete=frozenset(told.delete))


class Installation:
    """One running installation: configuration, keys, store, engine and gateway, behind one exclusive lock."""

    def __init__(
        self,
        *,
        config_path: Path,
        config: Config,
        paths: Paths,
        boundary: CedarBoundary,
        store: SqliteStore | PostgresStore,
        log_key: Ed25519PrivateKey,
        lock: TextIO,
        described: Sequence[Service] = (),
        newer: Mapping[Key, Rate] | None = None,
        journal: FileJournal | None = None,
        policies: Sequence[PolicyText] = (),
    ) -> None:
        """`policies` are the texts that `boundary` was loaded from."""
        self.config_path = config_path
        self._journal = journal
        self._newer: Mapping[Key, Rate] = newer or {}
        self._prices_stamp = _file_stamp(paths.prices)
        self._described = described
        self._services_stamp = services_stamp(config_path)
        self.config = config
        self.paths = paths
        self.store = store
        self.clock = SystemClock()
        self.engine = build_engine(
            config,
            store,
            lambda: self.boundary,
            clock=self.clock,
            described=described,
            newer=self._newer,
            journal=journal,
        )
        self.elsewhere: Elsewhere | None = None
        if isinstance(store, PostgresStore):
            self.elsewhere = Elsewhere(
                store=store, hub=self.engine.hub, trust=self.engine.trust, recorder=self.engine.recorder
            )
        self.boundary = boundary
        self.gateway = build_gateway(config, config_path, paths, self.engine, described)
        self.origin = installation_origin(paths)
        self.keeper = HoldingsKeeper(
            book=self.engine.holdings,
            orders=Orders(
                sequencer=self.engine.sequencer,
                courier=GatewayCourier(
                    registry=registry_of(config, described),
                    credentials=self.gateway.credentials,
                    upstream=self.gateway.upstream,
                ),
                clock=self.clock,
            ),
            store=store,
            clock=self.clock,
            rules=lambda: keeper_rules(self.config),
            organization=config.organization,
            say=_say,
        )
        self._log_key = log_key
        self._lock = lock
        self._signed_size = -1
        self._tasks: list[asyncio.Task[None]] = []
        self._stamp = _stamp(config_path)
        self._policies = policies
        self._reloading = asyncio.Lock()
        self.notifier = build_notifier(
            config=config,
            config_path=config_path,
            store=store,
            clock=self.clock,
            ids=SystemIds(),
            hub=self.engine.hub,
            approvals=self.engine.approvals,
            origin=installation_of(self.origin),
            open_log=lambda: open_log(paths),
        )
        self.desk = Desk(
            config=config,
            config_path=str(config_path),
            owner_uid=os.getuid(),
            store=store,
            approvals=self.engine.approvals,
            deputies=self.engine.deputies,
            standing=self.engine.standing,
            narrower=self.engine.narrower,
            plans=self.engine.plans,
            brakes=self.engine.brakes,
            ledger=self.engine.ledger,
            runs=self.engine.runs,
            suspense=self.engine.suspense,
            trust=self.engine.trust,
            holdings=self.engine.holdings,
            keeper=self.keeper,
            recorder=self.engine.recorder,
            people=self.engine.people,
            said=self.engine.runbook.said,
            sealing_key=sealing_key(log_key.private_bytes_raw()),
            hub=self.engine.hub,
            clock=self.clock,
            door=GatewayDoor(self.engine.runbook, self.gateway),
            refresh=self._refresh,
            remove_archived=self.remove_archived,
            rules=EditedRules(self),
            notices=self.notifier,
        )

    async def begin(self) -> int:
        """Recover after a crash, record the start, take over changed budgets, begin to look after time.

        Returns how many actions of an earlier `serve` went to suspense.
        """
        await self._open_epoch()
        await self._check_log()
        await self.engine.keeper.hold(self.config.organization)
        await asyncio.to_thread(price.warm)
        await self._begin_escrow()
        await self.engine.trust.load()
        await self._tell_of_people(self.config)
        suspended = await self.engine.settler.recover()
        await self.engine.holdings.load()
        self.engine.runbook.policy_author = await author_of(self.store)
        for document in await self.store.documents(DocumentKind.ACCOUNT):
            account = account_of(document)
            self.engine.runbook.said[account.name] = account.said
        ended = await self.engine.runs.recover()
        await self.engine.approvals.expire_due()
        await self.engine.recorder.record(
            EntryKind.SERVE_STARTED,
            body={
                "version": __version__,
                "config": _sha256(self.config_path),
                "policies": self.boundary.policy_hash,
                "upstreams": dict(self.config.upstreams),
                "suspended": suspended,
                "runs_ended": ended,
                "store": "sqlite" if self.elsewhere is None else "postgresql",
                "cautions": list(self._cautions()),
            },
        )
        if self.elsewhere is not None:
            self.elsewhere.start()
            await self._tolerating(self.elsewhere.vouch())
        await self._apply_budgets()
        await self._apply_prices({}, self._newer)
        await self.sign_checkpoint()
        # What is loaded by now stays: the collector need not look at it again at every pass.
        gc.collect()
        gc.freeze()
        await self.notifier.begin()
        for work in (self._expire, self._sign, self._reload, self._keep):
            self._tasks.append(asyncio.create_task(work()))
        return suspended

    def _cautions(self) -> Sequence[str]:
        """What an acknowledged write does not survive in this store; said, too."""
        cautions = self.store.cautions if isinstance(self.store, PostgresStore) else ()
        for text in cautions:
            _say(text)
        return cautions

    async def close(self) -> None:
        """Stop everything, sign the last checkpoint, let go of the lock."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.notifier.close()
        try:
            if self.elsewhere is not None:
                await self.elsewhere.close()
            await self.gateway.close()
            await self.engine.gatekeeper.close()
            await self._end_escrow()
            with contextlib.suppress(StoreError):
                await self.engine.recorder.record(EntryKind.SERVE_STOPPED, body={"version": __version__})
                await self.sign_checkpoint()
        finally:
            await self.store.close()
            self._lock.close()

    async def _begin_escrow(self) -> None:
        """Carry over what an outage left in the journal. Raises `StoreError`: then nothing is admitted."""
        escrow, journal = self.engine.escrow, self._journal
        if escrow is None or journal is None:
            return
        if told := await escrow.begin():
            _say(f"the store was lost: {told['actions']} actions of that time are in its log now")
        if not self.config.store_outage_max:
            await journal.close()
            self.paths.journal.unlink(missing_ok=True)
            return
        self.engine.hub.subscribe(_tell_of_outage)
        self._tasks.append(asyncio.create_task(escrow.work()))

    async def _end_escrow(self) -> None:
        if self.engine.escrow is not None and self._journal is not None and self.config.store_outage_max:
            await self.engine.escrow.end()
            await self._journal.close()

    async def sign_checkpoint(self) -> None:
        """Sign the log as it is now, unless nothing was added since."""
        size = await self.store.size()
        if size == self._signed_size:
            return
        signed = Checkpoint(origin=self.origin, size=size, root=await self.store.root(size))
        note = sign(signed, self._log_key)
        await asyncio.to_thread(write_private, self.paths.checkpoint, note)
        self._signed_size = size
        if self.elsewhere is not None:
            await self.elsewhere.publish(signed, note)

    async def remove_archived(self, file: Path, by: str) -> Removed:
        """Remove from the store what retention lets go and the archive `file` holds, and sign the log that says so.

        Raises `VerificationError`, `StoreError`, `UsageError` where nothing has a term.
        """
        days = self.config.retention.days()
        if not days:
            raise UsageError(
                f"no class of entries has a term: `retention` in {CONFIG_NAME} is empty, everything stays",
                hint="write one, such as `retention: {actions: 400}`",
            )
        key = parse_verifier_key(await asyncio.to_thread(self.paths.log_public.read_text, "utf-8"))
        archive, digest = await asyncio.to_thread(archives.read_file, file, key=key)
        done = await self.engine.archivist.remove(archive, days=days, name=file.name, sha256=digest, by=by)
        await self.sign_checkpoint()
        return done

    async def reload(self) -> bool:
        """Take over a changed configuration or changed policies; True where they changed anything.

        Wrong files raise `ConfigError` and the old ones stay in force; so do the settings of `RESTART_ONLY`.
        """
        async with self._reloading:
            return await self._reload_now(None)

    async def edit_policy(self, edit: PolicyEdit) -> None:
        """Put an edited policy file in force. Raises `ConfigError` and `RefusedError`; then the file is as it was."""
        async with self._reloading:
            texts = policy_texts(self.config_path)
            folder = self.config_path.parent / POLICIES_FOLDER
            self.read_policies(edit.applied_to(texts, folder))
            undo = await asyncio.to_thread(exchange, folder, edit.name, edit.text)
            try:
                await self._reload_now(edit)
            except BaseException:
                undo()
                raise

    def read_policies(self, texts: Sequence[PolicyText]) -> CedarBoundary:
        """The boundary that these policies would be, by the loader that enforces. Raises `PolicyError`."""
        return load_boundary(self.config, self.config_path, described=self._described, texts=texts)

    async def _reload_now(self, edit: PolicyEdit | None) -> bool:
        stamp = _stamp(self.config_path)
        if stamp == self._stamp and edit is None:
            return False
        try:
            read = load_config(self.config_path)
            kept = [name for name in RESTART_ONLY if getattr(read, name) != getattr(self.config, name)]
            config = read.model_copy(update={name: getattr(self.config, name) for name in kept})
            texts = policy_texts(self.config_path)
            boundary = load_boundary(config, self.config_path, described=self._described, texts=texts)
            if services_stamp(self.config_path) != self._services_stamp:
                described_services(self.config_path)
                kept.append(f"{SERVICES_FOLDER}/")
        except ConfigError as error:
            self._stamp = stamp
            await self._refuse_edit(error)
            raise
        changed = await self._take_over(config, boundary, kept, texts, edit)
        # Only now: what could not be recorded is tried again.
        self._stamp = stamp
        return changed

    async def reload_prices(self) -> bool:
        """Take over a newer price list, and read prices by the day it is; True for a newer list.

        One that cannot be used raises `ConfigError`, once, and the prices before it stay in force.
        """
        async with self._reloading:
            stamp = _file_stamp(self.paths.prices)
            if stamp == self._prices_stamp:
                if self.engine.pricer.book.today != self.clock.now().date():
                    self._price_anew()
                return False
            try:
                newer = await asyncio.to_thread(load_prices, self.paths.prices)
            except ConfigError:
                self._prices_stamp = stamp
                raise
            changed = await self._apply_prices(self._newer, newer)
            self._newer, self._prices_stamp = newer, stamp
            self._price_anew()
            return changed

    def _price_anew(self) -> None:
        pricer = self.engine.pricer
        fresh = book_of(self.config, self._newer, today=self.clock.now().date())
        pricer.book = replace(fresh, distrusted=pricer.book.distrusted)

    async def _apply_prices(self, before: Mapping[Key, Rate], after: Mapping[Key, Rate]) -> bool:
        """Record a list that was not in force before; True where it is one."""
        digest = await asyncio.to_thread(prices_digest, self.paths.prices)
        with contextlib.suppress(OSError):
            if self.paths.applied_prices.read_text("utf-8") == digest:
                return False
        if not digest and not self.paths.applied_prices.exists():
            return False
        await self.engine.trust.changed({"prices": digest, **changes_of(before, after)})
        write_private(self.paths.applied_prices, digest.encode())
        return True

    async def _refuse_edit(self, error: ConfigError) -> None:
        reason = error.message[:REASON_CHARS_MAX]
        self.desk.complaint = f"the last edit is refused, the rules before it are in force:\n{reason}"
        digest = _sha256(self.config_path) if self.config_path.is_file() else ""
        await self.engine.recorder.record(EntryKind.CONFIG_REFUSED, body={"config": digest}, private={"reason": reason})

    async def _take_over(
        self,
        config: Config,
        boundary: CedarBoundary,
        kept: Sequence[str],
        texts: Sequence[PolicyText],
        edit: PolicyEdit | None,
    ) -> bool:
        names = ", ".join(kept)
        complaint = (
            f"{names} {_where(kept)}will change when `serve` is started anew; end this one with: kill {os.getpid()}"
            if kept
            else ""
        )
        if complaint and complaint != self.desk.complaint:
            _say(complaint)
        same = config == self.config and boundary.policy_hash == self.boundary.policy_hash
        if same and complaint == self.desk.complaint and edit is None:
            return False
        files = changed_files(self._policies, texts)
        by, via = self._author(edit, list(files))
        authorship = [authored(by, policy_hash=boundary.policy_hash, at=self.clock.now())] if files and by else []
        await self.engine.recorder.record(
            EntryKind.CONFIG_LOADED,
            body={
                "config": _sha256(self.config_path),
                "policies": boundary.policy_hash,
                "policies_before": self.boundary.policy_hash,
                "files": {name: list(files[name]) for name in list(files)[:FILES_TOLD_MAX]},
                "by": by,
                "via": via,
                "later": list(kept),
            },
            private={"reason": edit.reason if edit else "", "diff": diff_text(self._policies, texts)},
            documents=tuple(authorship),
        )
        if authorship:
            self.engine.runbook.policy_author = by
        self._policies = texts
        await self._tell_of_people(config)
        self.desk.complaint = complaint
        self.config = self.desk.config = self.engine.runbook.config = config
        self.gateway.credentials.configure(config.credentials, config.agents)
        self.boundary = boundary
        self._price_anew()
        await self._apply_budgets()
        await self.notifier.configure(config)
        return True

    def _author(self, edit: PolicyEdit | None, names: Sequence[str]) -> tuple[str, str]:
        """Who changed the files, and how that is known: as a file's owner whoever had the right to write it."""
        if edit is not None:
            return edit.by, edit.via
        folder = self.config_path.parent
        uid = owner_of(folder / POLICIES_FOLDER, names) if names else owner_of(folder, [self.config_path.name])
        if uid is None:
            return "", "file"
        caller = caller_of(uid, config=self.config, owner_uid=os.getuid())
        return caller.person.name if caller is not None else os_user(uid), "file"

    async def _tell_of_people(self, config: Config) -> None:
        """Every change of a person's roles or groups is an entry; that nobody administers is said aloud."""
        if await tell_of_people(self.engine.people, config):
            _say(f"nobody in {CONFIG_NAME} is administrator any more: only this installation's owner is, by the socket")

    async def _open_epoch(self) -> None:
        """Carry a restore through: its entry, every brake, a checkpoint of the new epoch. Only then the mark goes."""
        restore = await asyncio.to_thread(restores.decided, self.paths.folder)
        if restore is None:
            return
        await self.engine.keeper.restored(restore, organization=self.config.organization)
        self.origin = restore.origin
        await self.sign_checkpoint()
        public = VerifierKey(origin=restore.origin, key=self._log_key.public_key()).text
        await asyncio.to_thread(write_private, self.paths.log_public, f"{public}\n".encode())
        await asyncio.to_thread(restores.finish, self.paths.folder)
        _say(
            f"restored: the log begins epoch {restore.epoch}, and everything is frozen. Reconcile, then: "
            f'comptroller thaw {self.config.organization} --reason "…"'
        )

    async def _check_log(self) -> None:
        """The log must continue what was last signed. Raises `StoreError` for one that was rolled back or changed."""
        try:
            note = await asyncio.to_thread(self.paths.checkpoint.read_bytes)
        except FileNotFoundError:
            return
        signed = verify_any_epoch(note, parse_verifier_key(self.paths.log_public.read_text("utf-8")))
        if await self.store.size() < signed.size or await self.store.root(signed.size) != signed.root:
            raise StoreError(
                f"the log in `{where_is(self.store)}` is not the one that was signed last ({signed.size} entries)",
                hint="was an older copy restored? comptroller audit verify shows where it differs; nothing was changed",
            )

    async def _apply_budgets(self) -> None:
        rows = [each.budget() for each in self.config.budgets]
        stamp = hashlib.sha256(repr(rows).encode()).hexdigest()
        with contextlib.suppress(OSError):
            if self.paths.applied_budgets.read_text("utf-8") == stamp:
                return
        await self.engine.ledger.apply_config(rows, by=CONFIG_NAME)
        write_private(self.paths.applied_budgets, stamp.encode())

    async def _expire(self) -> None:
        while True:
            await asyncio.sleep(EXPIRY_SECONDS)
            await self._tolerating(self.engine.approvals.tend())
            await self._tolerating(self.engine.standing.expire_due())
            if self.elsewhere is not None:
                await self._tolerating(self.engine.settler.recover(own=False))
                await self._tolerating(self.engine.runs.recover(own=False))

    async def _keep(self) -> None:
        reconciled = time.monotonic()
        while True:
            await asyncio.sleep(KEEP_SECONDS)
            await self._tolerating(self.keeper.tend())
            if time.monotonic() - reconciled >= RECONCILE_SECONDS:
                await self._tolerating(self.keeper.reconcile())
                reconciled = time.monotonic()

    async def _sign(self) -> None:
        vouched = 0.0
        while True:
            await asyncio.sleep(CHECKPOINT_SECONDS)
            await self._tolerating(self.sign_checkpoint())
            vouched += CHECKPOINT_SECONDS
            if self.elsewhere is not None and vouched >= VOUCH_SECONDS:
                vouched = 0.0
                await self._tolerating(self.elsewhere.vouch())

    async def _reload(self) -> None:
        while True:
            await asyncio.sleep(RELOAD_SECONDS)
            if await self._tolerating(self.reload()):
                _say("configuration and policies reloaded")
            if await self._tolerating(self.reload_prices()):
                _say("newer prices are in force")

    async def _refresh(self) -> None:
        """Look for edits now: a run that starts right after an edit is judged by it."""
        await self._tolerating(self.reload())

    async def _tolerating(self, work: Awaitable[T]) -> T | None:
        """Background work that fails says so and is tried again; what it guards stays as strict as it was."""
        try:
            return await work
        except (ComptrollerError, OSError) as error:
            _say(str(error))
            return None


class EditedRules:
    """The policies of a running installation, as the server sees them."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation

    @property
    def boundary(self) -> CedarBoundary:
        """What is in force."""
        return self._installation.boundary

    @property
    def folder(self) -> Path:
        """Where the files lie."""
        return self._installation.config_path.parent / POLICIES_FOLDER

    def texts(self) -> tuple[PolicyText, ...]:
        """The files as they are. Raises `ConfigError`."""
        return policy_texts(self._installation.config_path)

    def read(self, texts: Sequence[PolicyText]) -> CedarBoundary:
        """What these would be. Raises `PolicyError`."""
        return self._installation.read_policies(texts)

    async def apply(self, edit: PolicyEdit) -> None:
        """Exchange a file and put it in force."""
        await self._installation.edit_policy(edit)


class GatewayDoor:
    """The gateway as the server sees it."""

    def __init__(self, runbook: ConfigRunBook, gateway: Gateway) -> None:
        self._runbook = runbook
        self._gateway = gateway

    @property
    def ca_pem(self) -> str:
        """The certificate boxes trust, as PEM text."""
        return self._gateway.authority.pem.decode("ascii")

    def placeholders(self, agent: str) -> Mapping[str, str]:
        """Environment variables that stand for the agent's credentials."""
        return self._gateway.credentials.placeholders(agent)

    def hosts(self, agent: str) -> Sequence[str]:
        """Host names the agent may know about."""
        return self._runbook.config.agents[agent].hosts

    @property
    def own_ports(self) -> set[int]:
        """Ports on which Comptroller itself listens."""
        return self._gateway.upstream.own_ports

    async def attach(
        self,
        run: Run,
        *,
        hold_seconds: float,
        sockets: Sequence[tuple[SocketRole, socket.socket]],
        host_services: Sequence[HostService] = (),
        proxy_secret: str = "",
    ) -> Attachment:
        """Serve a box through its own sockets."""
        identity = RunIdentity(
            run=run.id,
            agent=run.agent,
            accounts=self._gateway.credentials.accounts(run.agent),
            hold_seconds=hold_seconds,
            host_services={service.host: service for service in host_services},
            proxy_secret=proxy_secret,
            tcp=tuple(
                TcpService(host=each.host, port=each.port, tls=each.tls, allowance_bytes=each.allowance_bytes)
                for each in self._runbook.config.agents[run.agent].tcp
            ),
        )
        return await self._gateway.attach(identity, [BoxSocket(role=role, socket=opened) for role, opened in sockets])


async def open_installation(config_path: Path) -> Installation:
    """Open the installation of `config_path`: lock, keys, policies, store, engine, gateway.

    Raises `ConfigError`, `MissingError`, `StoreError`, and `UsageError` where another `serve` holds the lock.
    """
    config = load_config(config_path)
    described = described_services(config_path)
    policies = policy_texts(config_path)
    boundary = load_boundary(config, config_path, described=described, texts=policies)
    paths = Paths.of(config_path)
    paths.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = exclusive(paths)
    try:
        restores.carry_through(paths.folder)
        make_keys(paths)
        newer = load_prices(paths.prices)
        log_key = load_log_key(paths.log_key)
        store = await open_store(config.store, paths)
        try:
            needed = config.store_outage_max or paths.journal.exists() or paths.journal.is_symlink()
            journal = await FileJournal.open(paths.journal) if needed else None
            return Installation(
                config_path=config_path,
                config=config,
                paths=paths,
                boundary=boundary,
                store=store,
                log_key=log_key,
                lock=lock,
                described=described,
                newer=newer,
                journal=journal,
                policies=policies,
            )
        except BaseException:
            await store.close()
            raise
    except BaseException:
        lock.close()
        raise


def build_gateway(
    config: Config, config_path: Path, paths: Paths, engine: Engine, described: Sequence[Service] = ()
) -> Gateway:
    """The gateway over an engine. Raises `ConfigError`."""
    store = engine.store

    async def budgets_of(run_id: str) -> Sequence[BudgetState]:
        path = next((run.path for run in await store.runs() if run.id == run_id), "")
        scopes = scopes_of(path)
        return [state for state in await store.budgets(SystemClock().now()) if state.budget.scope in scopes]

    async def approvals_of(run_id: str) -> Sequence[Approval]:
        return [approval for approval in await store.approvals() if approval.run == run_id]

    registry = registry_of(config, described)
    return Gateway(
        gatekeeper=engine.gatekeeper,
        recorder=engine.recorder,
        registry=registry,
        authority=Authority.load_or_create(paths.ca_key, paths.ca_pem),
        credentials=CredentialBroker(
            config.credentials, config.agents, folder=config_path.parent, described=family_of(registry)
        ),
        internal=Internal(budgets=budgets_of, approvals=approvals_of),
        upstream=Upstream(
            settings=GatewaySettings(),
            upstreams=config.upstreams,
            private=config.private,
            host_services=engine.host_services,
            own_url=config.console.public_url,
        ),
    )


def replace_prices(paths: Paths, rows: Mapping[Key, Rate]) -> None:
    """Put another price list in the place of the one there is, whole or not at all; a running `serve` takes it over."""
    paths.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_private(paths.prices, "".join(write_rows(rows)).encode("utf-8"))


def _stamp(config_path: Path) -> tuple[tuple[str, int, int], ...]:
    """Changes when the configuration, a policy file or a description of a service does."""
    found = []
    services = (config_path.parent / SERVICES_FOLDER).glob("*")
    for file in (config_path, *sorted((config_path.parent / POLICIES_FOLDER).glob("*.cedar")), *sorted(services)):
        with contextlib.suppress(OSError):
            status = file.stat()
            found.append((file.name, status.st_mtime_ns, status.st_size))
    return tuple(found)


def _where(kept: Sequence[str]) -> str:
    """The file of settings that are kept; a folder says itself where it is."""
    return "" if kept == [f"{SERVICES_FOLDER}/"] else f"in {CONFIG_NAME} "


def _file_stamp(path: Path) -> tuple[int, int, int]:
    """Changes when one file does; zeros without one."""
    try:
        status = path.stat()
    except OSError:
        return (0, 0, 0)
    return status.st_mtime_ns, status.st_size, status.st_ino


def _tell_of_outage(kind: str, summary: Mapping[str, object]) -> None:
    if kind == "store.outage":
        _say(f"the store is lost: {summary['why']}\n  {summary['hint']}")
    elif kind == EntryKind.STORE_RECOVERED.value:
        _say(f"the store is back: {summary['actions']} actions went on without it and are in its log now")


def _say(text: str) -> None:
    print(f"comptroller: {text}", file=sys.stderr, flush=True)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
