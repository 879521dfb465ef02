"""What `bench.gateway` measures, as a process: `full` is a whole installation, `passthrough` the gateway alone."""

from __future__ import annotations

import argparse
import asyncio
import itertools
import socket
import sys
from pathlib import Path
from typing import Any, cast

import yaml

from bench.gateway_wire import HOST
from comptroller.compose import Installation, open_installation, starter_policies
from comptroller.core.action import Action, ActionClass, digest
from comptroller.core.config import AgentConfig
from comptroller.core.estimate import FREE_CALL, Outcome
from comptroller.core.request import NativeResponse, Outgoing, Request
from comptroller.decode.http import HttpMeter
from comptroller.enforce.gateway import (
    Authority,
    BoxSocket,
    CredentialBroker,
    Gateway,
    GatewaySettings,
    Internal,
    RunIdentity,
    Upstream,
)
from comptroller.engine.gatekeeper import Released
from comptroller.engine.sequencer import Permit

ACCOUNT = "123456789012"


def write_configuration(folder: Path, upstream_url: str) -> Path:
    """An installation whose agent may read EC2, within a budget that no bench uses up."""
    document = {
        "version": 1,
        "organization": "acme",
        "teams": {"ml": {}},
        "people": {"ann": {"groups": ["approvers"]}},
        "agents": {
            "bot": {
                "team": "ml",
                "owner": "ann",
                "purpose": "measure the line",
                "services": ["aws:ec2"],
                "accounts": [ACCOUNT],
                "credentials": ["aws"],
            }
        },
        "credentials": {"aws": {"source": "env", "service": "aws", "account": ACCOUNT}},
        "budgets": [
            {"scope": "acme", "unit": "usd", "limit": 1000},
            {"scope": "acme", "unit": "calls", "limit": 10**9},
            {"scope": "acme/ml", "unit": "calls", "limit": 10**9},
            {"scope": "acme/ml/bot", "unit": "calls", "limit": 10**9},
        ],
        "upstreams": {"*.amazonaws.com": upstream_url},
    }
    (folder / "policies").mkdir(parents=True, exist_ok=True)
    (folder / "policies" / "starter.cedar").write_text(starter_policies(), "utf-8")
    path = folder / "comptroller.yaml"
    path.write_text(yaml.safe_dump(document), "utf-8")
    return path


def door() -> socket.socket:
    """A listening socket on a free port."""
    return socket.create_server(("127.0.0.1", 0), backlog=256)


async def attached(installation: Installation, listening: socket.socket) -> RunIdentity:
    """Start a run and serve `listening` as its box."""
    run = await installation.engine.runs.start(agent="bot", purpose=None, resume=None, per_run={})
    gateway = installation.gateway
    identity = RunIdentity(run=run.id, agent="bot", accounts=gateway.credentials.accounts("bot"))
    await gateway.attach(identity, [BoxSocket(role="tcp", socket=listening)])
    return identity


async def full(folder: Path, upstream_url: str) -> None:
    """The whole line, until killed. Prints its port once it is ready."""
    installation = await open_installation(write_configuration(folder, upstream_url))
    await installation.begin()
    listening = door()
    await attached(installation, listening)
    print(listening.getsockname()[1], installation.paths.ca_pem, flush=True)
    await asyncio.Event().wait()


class OpenGate:
    """Lets everything through unread: what remains is the gateway's own cost. Registry, gatekeeper and codec in one."""

    name = "open"

    def __init__(self) -> None:
        self._entries = itertools.count()

    def codec_for(self, request: Request) -> OpenGate:
        """Itself."""
        return self

    async def admit(self, request: Request, *, hold_seconds: float, on_held: object = None) -> Released:
        """A permit for anything."""
        action = Action(
            operation="bench:open",
            service="bench",
            classes=frozenset({ActionClass.READ}),
            endpoint=request.endpoint,
            agent=request.agent,
            run=request.run,
        )
        entry = next(self._entries)
        permit = Permit(
            reservation=str(entry), digest=digest(action), entry=entry, run=request.run, agent=request.agent
        )
        return Released(permit=permit, action=action, codec=cast(Any, self), estimate=FREE_CALL)

    async def settle(self, permit: Permit, outcome: Outcome) -> None:
        """Nothing to settle."""

    async def suspend(self, permit: Permit, why: str) -> None:
        """Nothing to suspend."""

    async def record(self, *_: object, **__: object) -> int:
        """Nothing to record."""
        return 0

    def encode(self, action: Action, request: Request) -> Outgoing:
        """The request as it came."""
        return Outgoing(
            method=request.method,
            scheme=request.scheme,
            host=request.host,
            port=request.port,
            target=request.target,
            headers=request.headers,
            body=request.body,
            family="bench",
        )

    def refuse(self, *_: object) -> NativeResponse:
        """Never happens."""
        raise AssertionError("nothing is refused here")

    def meter(self, action: Action) -> HttpMeter:
        """Reads the status."""
        return HttpMeter()


async def passthrough(folder: Path, upstream_url: str) -> None:
    """TLS, HTTP and the two connections alone, until killed."""
    gate: Any = OpenGate()
    authority = Authority.load_or_create(folder / "ca.key", folder / "ca.pem")
    settings = GatewaySettings()

    async def nothing(_: str) -> list[Any]:
        return []

    gateway = Gateway(
        gatekeeper=gate,
        recorder=gate,
        registry=gate,
        authority=authority,
        credentials=CredentialBroker({}, {"bot": AgentConfig(team="ml", owner="ann", purpose="measure")}),
        internal=Internal(budgets=nothing, approvals=nothing),
        upstream=Upstream(settings=settings, upstreams={HOST: upstream_url}, private=()),
        settings=settings,
    )
    listening = door()
    await gateway.attach(RunIdentity(run="bench", agent="bot"), [BoxSocket(role="tcp", socket=listening)])
    print(listening.getsockname()[1], folder / "ca.pem", flush=True)
    await asyncio.Event().wait()


def main(arguments: list[str]) -> None:
    """`full FOLDER URL` or `passthrough FOLDER URL`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("full", "passthrough"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("upstream_url")
    chosen = parser.parse_args(arguments)
    run = full if chosen.what == "full" else passthrough
    asyncio.run(run(chosen.folder, chosen.upstream_url))


if __name__ == "__main__":
    main(sys.argv[1:])
