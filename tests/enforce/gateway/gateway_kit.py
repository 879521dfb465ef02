"""A gateway over a real engine and a memory store, listening on loopback, and clients that believe it is the world."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from comptroller.boundary import CedarBoundary, PolicyText
from comptroller.compose import Engine, agent_facts, build_engine, family_of, registry_of, starter_policies
from comptroller.core.approval import Person
from comptroller.core.brake import Run
from comptroller.core.budget import Budget, BudgetState, scopes_of
from comptroller.core.config import Config, parse_config
from comptroller.core.doors import HostService
from comptroller.core.estimate import Unit
from comptroller.core.window import Window
from comptroller.enforce.gateway import (
    Attachment,
    Authority,
    BoxSocket,
    CredentialBroker,
    Gateway,
    GatewaySettings,
    Internal,
    RunIdentity,
    TcpService,
    Upstream,
)
from comptroller.stores.memory import MemoryStore

T = TypeVar("T")
ANN = Person(name="ann", groups=frozenset({"approvers"}), via="uid:1000")
BEN = Person(name="ben", groups=frozenset({"approvers"}), via="uid:1001")
ACCOUNT = "123456789012"
REAL_AWS = "AKIAREALREALREALREAL"
SECRETS = {
    "AWS_ACCESS_KEY_ID": REAL_AWS,
    "AWS_SECRET_ACCESS_KEY": "real-secret-never-in-the-box",
    "OPENAI_API_KEY": "sk-real-openai",
    "ANTHROPIC_API_KEY": "sk-ant-real",
    "STRIPE_API_KEY": "sk_test_real",
    "WEATHER_KEY": "weather-real",
    "AWS_DEFAULT_REGION": "us-east-1",
}


def config_of(**changes: object) -> Config:
    document: dict[str, object] = {
        "version": 1,
        "organization": "acme",
        "teams": {"ml": {}},
        "people": {"ann": {"groups": ["approvers"]}, "ben": {"groups": ["approvers"]}},
        "agents": {
            "bot": {
                "team": "ml",
                "owner": "ann",
                "purpose": "test the gateway",
                "services": ["aws:ec2", "aws:s3", "aws:sts", "openai", "anthropic", "stripe"],
                "hosts": ["api.example.com", "weather.example.com", "private.example.com", "big.example.com"],
                "accounts": [ACCOUNT],
                "credentials": ["aws", "openai", "anthropic", "stripe", "weather"],
            },
            "poor": {
                "team": "ml",
                "owner": "ann",
                "purpose": "has no credentials",
                "services": ["stripe", "aws:ec2"],
                "hosts": ["api.example.com"],
            },
        },
        "credentials": {
            "aws": {"source": "env", "service": "aws", "account": ACCOUNT},
            "openai": {"source": "env", "service": "openai", "variable": "OPENAI_API_KEY", "account": ACCOUNT},
            "anthropic": {"source": "env", "service": "anthropic", "variable": "ANTHROPIC_API_KEY", "account": ACCOUNT},
            "stripe": {"source": "env", "service": "stripe", "variable": "STRIPE_API_KEY", "account": ACCOUNT},
            "weather": {
                "source": "env",
                "service": "http",
                "variable": "WEATHER_KEY",
                "hosts": ["weather.example.com"],
                "header": "x-weather",
                "prefix": "Key ",
                "account": ACCOUNT,
            },
        },
    }
    return parse_config({**document, **changes}, origin="test")


EVERYONE_GETS_ACCOUNT = {"api.example.com": ACCOUNT, "big.example.com": ACCOUNT, "private.example.com": ACCOUNT}


class SystemClock:
    def now(self):  # type: ignore[no-untyped-def]
        from datetime import UTC, datetime

        return datetime.now(UTC)


@dataclass
class Kit:
    """A served box: `port` is where its connections arrive."""

    config: Config
    engine: Engine
    store: MemoryStore
    gateway: Gateway
    upstream: Upstream
    attachment: Attachment
    run: Run
    identity: RunIdentity
    port: int
    trust: ssl.SSLContext
    ca_file: Path
    dns_udp: int = 0
    dns_tcp: int = 0
    boundary: list[CedarBoundary] = field(default_factory=list)

    async def entries(self, kind: str | None = None) -> list[Mapping[str, Any]]:
        documents = [entry.document for entry in await self.store.entries(limit=100_000)]
        return [d for d in documents if kind is None or d["kind"] == kind]

    async def settled(self) -> None:
        """Wait until nothing released is without its outcome."""
        await self.until(lambda: not self.engine.gatekeeper.inflight and not self.gateway._line.books, "settled")

    async def refusals(self) -> list[Mapping[str, Any]]:
        return [dict(entry["body"]) for entry in await self.entries("box.refused")]

    async def until(self, check: Callable[[], Any], what: str, seconds: float = 10.0) -> Any:
        """Wait for a condition, polled; fails with `what` after `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    found = check()
                    found = await found if asyncio.iscoroutine(found) else found
                    if found:
                        return found
                    await asyncio.sleep(0.01)
        except TimeoutError:
            raise AssertionError(f"never happened: {what}") from None

    async def pending(self) -> Any:
        async def one() -> Any:
            found = [a for a in await self.store.approvals() if a.state.value == "pending"]
            return found[0] if found else None

        return await self.until(one, "a pending approval")

    async def budget(self, unit: Unit, limit: int) -> None:
        await self.engine.ledger.set_budget(Budget(scope="acme", unit=unit, window=Window.TOTAL, limit=limit), by="ann")

    @contextlib.contextmanager
    def world(self) -> Iterator[None]:
        """Inside, every host name leads to the gateway, whatever the port, for clients in this process."""
        real = socket.getaddrinfo

        def lead(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
            name = host.decode() if isinstance(host, bytes) else host
            if name in (None, "localhost") or name.replace(".", "").isdigit() or ":" in name:
                return real(host, port, *args, **kwargs)
            return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("127.0.0.1", self.port))]

        socket.getaddrinfo = lead
        try:
            yield
        finally:
            socket.getaddrinfo = real

    async def client(self, work: Callable[[], T]) -> T:
        """Run a blocking client in a thread, in the world."""
        with self.world():
            found = await asyncio.to_thread(work)
        await self.settled()
        return found

    async def raw(self, data: bytes, *, tls: str | None = None, half_close: bool = False) -> bytes:
        """Send bytes, return all that comes until the end."""
        context = self.trust if tls else None
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=context, server_hostname=tls)
        try:
            writer.write(data)
            if half_close:
                writer.write_eof()
            async with asyncio.timeout(20):
                return await reader.read(-1)
        except (ConnectionError, ssl.SSLError):
            return b""
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()
            await self.settled()


def listening() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0), backlog=512)


@contextlib.asynccontextmanager
async def serving(
    tmp_path: Path,
    *,
    upstreams: Mapping[str, str] | None = None,
    private: Sequence[str] = (),
    policies: str = "",
    agent: str = "bot",
    hold_seconds: float = 0.0,
    settings: Mapping[str, object] | None = None,
    environment: Mapping[str, str] | None = None,
    config: Config | None = None,
    resolve: Any = None,
    dns: bool = False,
    budget: bool = True,
    host_services: Sequence[HostService] = (),
    tcp: Sequence[TcpService] = (),
    door: socket.socket | None = None,
    clock: Any = None,
) -> AsyncIterator[Kit]:
    """One box served by one gateway; everything is closed at the end."""
    config = config or config_of()
    store = MemoryStore()
    registry = registry_of(config)
    boundary = CedarBoundary.load(
        [PolicyText(file="starter.cedar", text=starter_policies() + policies)],
        agent_facts(config),
        classes_of=registry.classes_of,
    )
    current = [boundary]
    engine = build_engine(config, store, lambda: current[0], clock=clock)
    run = await engine.runs.start(agent=agent, purpose=None, resume=None, per_run={})
    if budget:
        for unit in (Unit.CALLS, Unit.USD_MICROS):
            await engine.ledger.set_budget(Budget(scope="acme", unit=unit, window=Window.TOTAL, limit=10**9), by="ann")
    limits = GatewaySettings(**{"tick_seconds": 0.05, **(settings or {})})  # type: ignore[arg-type]
    authority = Authority.load_or_create(tmp_path / "ca.key", tmp_path / "ca.pem")
    credentials = CredentialBroker(
        config.credentials,
        config.agents,
        environment=SECRETS if environment is None else environment,
        described=family_of(registry),
    )
    upstream = Upstream(
        settings=limits,
        upstreams=upstreams or {},
        private=private,
        resolve=resolve,
        host_services=engine.host_services,
    )

    async def budgets(run_id: str) -> Sequence[BudgetState]:
        scopes = scopes_of(run.path)
        return [state for state in await store.budgets(SystemClock().now()) if state.budget.scope in scopes]

    async def approvals(run_id: str):  # type: ignore[no-untyped-def]
        return await store.approvals()

    gateway = Gateway(
        gatekeeper=engine.gatekeeper,
        recorder=engine.recorder,
        registry=registry,
        authority=authority,
        credentials=credentials,
        internal=Internal(budgets=budgets, approvals=approvals),
        upstream=upstream,
        settings=limits,
    )
    accounts = {**EVERYONE_GETS_ACCOUNT, **credentials.accounts(agent)}
    identity = RunIdentity(
        run=run.id,
        agent=agent,
        accounts=accounts,
        hold_seconds=hold_seconds,
        host_services={each.host: each for each in host_services},
        tcp=tcp,
    )
    door = door or listening()
    port = door.getsockname()[1]
    sockets = [BoxSocket(role="tcp", socket=door)]
    udp_port = tcp_port = 0
    if dns:
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.bind(("127.0.0.1", 0))
        tcp = listening()
        udp_port, tcp_port = udp.getsockname()[1], tcp.getsockname()[1]
        sockets += [BoxSocket(role="dns-udp", socket=udp), BoxSocket(role="dns-tcp", socket=tcp)]
    attachment = await gateway.attach(identity, sockets)
    ca_file = tmp_path / "ca.pem"
    trust = ssl.create_default_context(cafile=str(ca_file))
    try:
        yield Kit(
            config=config,
            engine=engine,
            store=store,
            gateway=gateway,
            upstream=upstream,
            attachment=attachment,
            run=run,
            identity=identity,
            port=port,
            trust=trust,
            ca_file=ca_file,
            dns_udp=udp_port,
            dns_tcp=tcp_port,
            boundary=current,
        )
    finally:
        await gateway.close()
        await store.close()
