"""Two gateways on one PostgreSQL keep the same holdings: whoever sweeps, each is paid, stopped and settled once."""

from __future__ import annotations

import asyncio
import http.client
import os
import subprocess
import sys
import textwrap
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.test_shared_store import begun, running

from comptroller import compose
from comptroller.compose import Installation
from comptroller.core.budget import Account, Budget
from comptroller.core.errors import RefusedError
from comptroller.core.estimate import Unit
from comptroller.core.holding import Holding, HoldingState
from comptroller.core.made import Way
from comptroller.core.window import Window
from comptroller.decode import made as things
from comptroller.engine.gatekeeper import Released
from comptroller.testing.aws_requests import AwsRequests
from comptroller.testing.aws_server import AwsServer
from comptroller.testing.postgres_server import emptied_database
from comptroller.watch.keeper import REST_LOOK_SECONDS, STOP_AGAIN_SECONDS

SECONDS_MAX = 60.0
CONFIG = """\
version: 1
organization: acme
teams: {{ml: {{}}}}
people: {{ann: {{groups: [approvers]}}}}
agents:
  bot: {{team: ml, owner: ann, purpose: compute, services: ["aws:ec2"], accounts: ["123456789012"], credentials: [aws]}}
credentials: {{aws: {{source: env, service: aws, account: "123456789012"}}}}
budgets:
  - {{scope: acme, unit: usd, limit: 50}}
  - {{scope: acme, unit: calls, limit: 1000}}
store: {store}
upstreams: {{"*.amazonaws.com": "{url}"}}
"""
SWEEPER = textwrap.dedent(
    """
    import asyncio, sys
    from datetime import datetime
    from pathlib import Path
    from comptroller import compose

    class Fixed:
        def now(self):
            return datetime.fromisoformat(sys.argv[2])

    async def main():
        installation = await compose.open_installation(Path(sys.argv[1]))
        await installation.begin()
        await installation.keeper.tend()

    compose.SystemClock, compose.KEEP_SECONDS = Fixed, 3600.0
    asyncio.run(main())
    """
)


class TurnedClock:
    def __init__(self) -> None:
        self.at = datetime.now(UTC)

    def now(self) -> datetime:
        return self.at


class Provider:
    """Stands before the real thing, remembers every order to stop, and may keep the answer, or the order too."""

    def __init__(self, aws: AwsServer) -> None:
        self.stops = 0
        self.heard = threading.Event()
        self.silent = self.swallows = False
        self._end = threading.Event()
        provider, there = self, urlsplit(aws.url).netloc

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                stop = b"Action=StopInstances" in body
                kept = stop and provider.swallows
                if not kept:
                    away = http.client.HTTPConnection(there, timeout=SECONDS_MAX)
                    away.request("POST", self.path, body, dict(self.headers))
                    answer = away.getresponse()
                    data = answer.read()
                    away.close()
                if stop:
                    provider.stops += 1
                    provider.heard.set()
                    if provider.silent:
                        provider._end.wait(SECONDS_MAX)
                        return
                self.send_response(answer.status)
                self.send_header("content-type", answer.headers["content-type"])
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._end.set()
        self.server.shutdown()
        self._thread.join()
        self.server.server_close()


@pytest.fixture(scope="module")
def aws() -> Iterator[AwsServer]:
    with AwsServer() as server:
        yield server


@pytest.fixture
def provider(aws: AwsServer) -> Iterator[Provider]:
    aws.reset()
    made = Provider(aws)
    yield made
    made.close()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> TurnedClock:
    """The clock of both; nothing sweeps but what a test says."""
    turned = TurnedClock()
    monkeypatch.setattr(compose, "SystemClock", lambda: turned)
    monkeypatch.setattr(compose, "KEEP_SECONDS", 3600.0)
    return turned


@pytest.fixture
def machines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, provider: Provider) -> tuple[Path, Path]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAREALREALREALREAL")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "real-secret-never-in-the-box")
    url = emptied_database()
    for name in ("one", "two"):
        (tmp_path / name / "policies").mkdir(parents=True)
        policy = '@id("all")\npermit (principal, action, resource);\n'
        (tmp_path / name / "policies" / "all.cedar").write_text(policy, "utf-8")
        text = CONFIG.format(store=url, url=f"http://127.0.0.1:{provider.server.server_address[1]}")
        (tmp_path / name / "comptroller.yaml").write_text(text, "utf-8")
    return tmp_path / "one" / "comptroller.yaml", tmp_path / "two" / "comptroller.yaml"


async def started(installation: Installation, run: str) -> Holding:
    """A machine that the run's own action started, through the line, at this gateway."""
    wanted = {"ImageId": "ami-12c6146b", "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1}
    sample = AwsRequests().sample("ec2", "RunInstances", wanted)
    assert sample is not None
    request = replace(sample.request, agent="bot", run=run)
    released = await installation.engine.gatekeeper.admit(request, hold_seconds=0)
    assert isinstance(released, Released), released
    answer = await installation.keeper._orders._courier.carry(released.permit, released.action)
    meter = released.codec.meter(released.action)
    meter.head(answer.status, answer.headers)
    meter.feed(answer.body)
    await installation.engine.gatekeeper.settle(released.permit, meter.finish(complete=True))
    (holding,) = await machines_of(installation)
    return holding


async def machines_of(installation: Installation, *, every: bool = False) -> list[Holding]:
    return [h for h in await installation.store.holdings(every=every) if h.kind == "aws:ec2:instance"]


async def usd(installation: Installation) -> Account:
    states = await installation.store.budgets(installation.clock.now())
    found = {s.account for s in states if s.budget.unit is Unit.USD_MICROS and s.budget.window == Window.TOTAL}
    assert len(found) == 1, "every scope holds the same"
    return found.pop()


async def told(*gateways: Installation) -> Counter[str]:
    """How often each step of holdings stands in the logs of all gateways together; orders by their way."""
    found: Counter[str] = Counter()
    for each in gateways:
        for entry in await each.store.entries(limit=10_000):
            kind, body = str(entry.document["kind"]), entry.document["body"]
            assert isinstance(body, dict)
            found[f"{kind}:{body['way']}" if kind == "holding.ordered" else kind] += 1
    return found


async def sweep(*gateways: Installation, rounds: int = 3) -> None:
    await asyncio.gather(*(each.keeper.tend() for each in gateways for _ in range(rounds)))


async def test_what_one_made_is_kept_by_both_and_each_step_is_taken_once(
    machines: tuple[Path, Path], clock: TurnedClock, provider: Provider, aws: AwsServer
) -> None:
    async with running(machines[0]) as one, running(machines[1]) as two:
        made = await started(one, await begun(one))
        assert [h.id for h in await machines_of(two)] == [made.id]
        before = await usd(one)
        for renewals in range(1, 4):
            clock.at += timedelta(seconds=3300)
            await sweep(one, two)
            assert (await told(one, two))["holding.renewed"] == renewals, "once, by one of them"
        for holding in await machines_of(two):
            assert holding.paid_until == clock.at + timedelta(hours=1)
        taken = (await usd(one)).taken
        limit = Budget(scope="acme", unit=Unit.USD_MICROS, window=Window.TOTAL, limit=taken)
        await two.engine.ledger.set_budget(limit, by="ann")
        clock.at += timedelta(seconds=3010)
        await sweep(one, two)
        assert (await machines_of(one))[0].state is HoldingState.MARKED
        clock.at += timedelta(seconds=301)
        await sweep(one, two)
        assert provider.stops == 1 and not aws.running()
        clock.at += timedelta(seconds=16)
        await sweep(one, two)
        (machine,) = await machines_of(two)
        assert machine.state is HoldingState.STOPPED and machine.asked == 1
        steps = await told(one, two)
        assert steps["holding.ordered:stop"] == steps["holding.stopped"] == provider.stops == 1
        account = await usd(two)
        spent = account.settled - before.settled
        every = await two.store.holdings(every=True)
        assert account.dispatched == account.suspense == 0 and account.taken <= taken
        assert 0 <= sum(h.settled_usd_micros for h in every) - spent <= sum(h.settled_usd_micros for h in every) * 0.01


@pytest.mark.parametrize("reached", [True, False], ids=["the order arrived", "the order was lost"])
async def test_killed_in_the_middle_of_a_stop_the_other_finishes_it(
    machines: tuple[Path, Path], clock: TurnedClock, provider: Provider, aws: AwsServer, *, reached: bool
) -> None:
    async with running(machines[0]) as one:
        run = await begun(one)
        made = await started(one, run)
        await one.engine.brakes.kill(run, by="ann", reason="enough")
        provider.silent, provider.swallows = True, not reached
        arguments = [sys.executable, "-c", SWEEPER, str(machines[1]), clock.at.isoformat()]
        sweeper = subprocess.Popen(arguments, env=dict(os.environ), stderr=subprocess.PIPE)
        try:
            assert await asyncio.to_thread(provider.heard.wait, SECONDS_MAX), "it never asked"
        finally:
            sweeper.kill()
            _, errors = sweeper.communicate()
        assert b"Traceback" not in errors
        (holding,) = await machines_of(one)
        assert (holding.state, holding.asked, holding.id) == (HoldingState.STOPPING, 1, made.id)
        assert (await usd(one)).reserved > 0, "held until its provider confirms"
        provider.silent = provider.swallows = False
        clock.at += timedelta(seconds=16)
        await sweep(one)
        assert provider.stops == 1, "what was asked a moment ago is not asked again"
        clock.at += timedelta(seconds=STOP_AGAIN_SECONDS)
        await sweep(one)
        clock.at += timedelta(seconds=16)
        await sweep(one)
        (holding,) = await machines_of(one)
        assert holding.state is HoldingState.STOPPED and not aws.running()
        assert (holding.asked, provider.stops) == ((1, 1) if reached else (2, 2))
        assert (await told(one))["holding.stopped"] == 1 and not holding.term_reservation


async def test_a_gateway_without_the_credential_takes_no_stop_away(
    machines: tuple[Path, Path], clock: TurnedClock, provider: Provider
) -> None:
    text = machines[1].read_text("utf-8")
    machines[1].write_text(text.replace("source: env", "source: aws_profile, profile: none, path: nowhere"), "utf-8")
    async with running(machines[0]) as one, running(machines[1]) as two:
        made = await started(one, await begun(one))
        with pytest.raises(RefusedError, match="did not reach"):
            await two.keeper.stop(made, by="ann", why="enough")
        assert (await machines_of(one))[0].asked == 0 and provider.stops == 0
        await one.keeper.stop(made, by="ann", why="enough")
        assert provider.stops == 1
        for _ in range(3):
            clock.at += timedelta(seconds=STOP_AGAIN_SECONDS * 3)
            await sweep(two)
        assert (await machines_of(two))[0].asked == 1, "its tries do not put off those of the other"


async def test_what_another_gateway_saw_gone_is_owned_here_no_more(
    machines: tuple[Path, Path], clock: TurnedClock, aws: AwsServer
) -> None:
    """Whoever makes another thing of that name later is not taken for the run that made the first."""
    async with running(machines[0]) as one, running(machines[1]) as two:
        run = await begun(one)
        made = await started(one, run)
        ending = things.order(made.made, Way.DELETE, agent="bot", run=run)
        assert ending is not None and one.engine.holdings.owned(ending) and not two.engine.holdings.owned(ending)
        await sweep(two)
        assert two.engine.holdings.owned(ending), "a run that goes on at another machine owns what it made"
        aws.client("ec2").terminate_instances(InstanceIds=[made.resource])
        clock.at += timedelta(seconds=REST_LOOK_SECONDS)
        await sweep(two)
        assert not await machines_of(one)
        await sweep(one)
        assert not one.engine.holdings.owned(ending)
