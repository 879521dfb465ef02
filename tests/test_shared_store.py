"""Two installations over one PostgreSQL: `store:` is all it takes, and what one decides holds for the other."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from comptroller import compose, compose_state
from comptroller.cli import main
from comptroller.compose import Installation, open_installation, starter_policies
from comptroller.compose_state import SystemIds
from comptroller.core.approval import Approval, Person
from comptroller.core.brake import RunState
from comptroller.core.errors import StoreError, UsageError
from comptroller.core.request import Request
from comptroller.core.reservation import ReservationState
from comptroller.core.standing import Terms
from comptroller.engine.gatekeeper import Refused, Released
from comptroller.ports import Changes
from comptroller.server.console.stream import Stream
from comptroller.server.place import Paths
from comptroller.testing import store_conformance as samples
from comptroller.testing.postgres_server import emptied_database, shared_server

CONFIG = """\
version: 1
organization: acme
teams: {{ml: {{}}}}
people: {{ann: {{groups: [approvers]}}}}
agents: {{bot: {{team: ml, owner: ann, purpose: look around, hosts: [pypi.org]}}}}
budgets:
  - {{scope: acme, unit: usd, limit: 50}}
  - {{scope: acme, unit: calls, limit: 3}}
store: {store}
"""
ASK = """
@id("ask")
@outcome("approval")
@approvers("Group::approvers")
@exclude("agent")
@ttl("30m")
@reason("a person looks at this")
forbid (principal, action in Comptroller::Action::"write", resource)
unless { context.grants.contains("ask") };
"""
SECONDS_MAX = 20.0
ANN = Person(name="ann", groups=frozenset({"approvers"}), via="test")


@pytest.fixture
def url() -> str:
    return emptied_database()


@pytest.fixture
def machines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str) -> tuple[Path, Path]:
    """The configuration files of two machines."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    for name in ("one", "two"):
        (tmp_path / name / "policies").mkdir(parents=True)
        (tmp_path / name / "policies" / "starter.cedar").write_text(starter_policies() + ASK, "utf-8")
        (tmp_path / name / "comptroller.yaml").write_text(CONFIG.format(store=url), "utf-8")
    return tmp_path / "one" / "comptroller.yaml", tmp_path / "two" / "comptroller.yaml"


@asynccontextmanager
async def running(place: Path) -> AsyncIterator[Installation]:
    installation = await open_installation(place)
    try:
        await installation.begin()
        yield installation
    finally:
        await installation.close()


async def begun(installation: Installation) -> str:
    number = SystemIds().new()
    path = f"{installation.engine.runbook.path_of('bot')}/{number}"
    run = replace(samples.run(), id=number, agent="bot", owner="ann", path=path)
    await samples.write(installation.store, Changes(runs=(run,)))
    return number


def request(run: str, method: str = "GET") -> Request:
    return Request(
        scheme="https", method=method, host="pypi.org", port=443, target="/", headers=(("accept", "*/*"),), body=b"",
        agent="bot", run=run,
    )  # fmt: skip


async def admit(installation: Installation, run: str, method: str = "GET") -> Released | Refused:
    return await installation.engine.gatekeeper.admit(request(run, method), hold_seconds=0)


async def said(events: AsyncIterator[bytes], text: str) -> None:
    while text.encode() not in await anext(events):
        pass


def cli(place: Path, *words: str) -> Result:
    return CliRunner().invoke(main, [*words, "--config", str(place)])


async def test_one_budget_and_a_log_for_each(machines: tuple[Path, Path]) -> None:
    async with running(machines[0]) as one, running(machines[1]) as two:
        run_one, run_two = await begun(one), await begun(two)
        assert isinstance(await admit(one, run_one), Released)
        assert isinstance(await admit(two, run_two), Released)
        assert isinstance(await admit(one, run_one), Released)
        refused = await admit(two, run_two)
        assert isinstance(refused, Refused) and refused.verdict.reasons[0].code == "budget_exceeded"
        assert {run.id for run in await one.store.runs()} == {run_one, run_two}
        started = next(e for e in await one.store.entries() if e.document["kind"] == "serve.started")
        body = started.document["body"]
        assert isinstance(body, dict) and body["store"] == "postgresql"
        assert any("no synchronous standby" in text for text in body["cautions"])
        runs = [{e.document["run"] for e in await each.store.entries()} - {""} for each in (one, two)]
        assert runs == [{run_one}, {run_two}]
    for place in machines:
        found = json.loads(cli(place, "audit", "verify", "--json").stdout)
        assert found["verified"] and found["entries"] > 0


async def test_a_yes_given_elsewhere_releases_the_call_that_is_held_here(machines: tuple[Path, Path]) -> None:
    async with running(machines[0]) as one, running(machines[1]) as two:
        asked: asyncio.Queue[Approval] = asyncio.Queue()
        run = await begun(one)
        held = asyncio.ensure_future(
            one.engine.gatekeeper.admit(request(run, "POST"), hold_seconds=600, on_held=asked.put_nowait)
        )
        question = await asyncio.wait_for(asked.get(), SECONDS_MAX)
        assert [item.id for item in await two.store.approvals()] == [question.id]
        await two.engine.approvals.approve(question.id, ANN)
        assert isinstance(await asyncio.wait_for(held, SECONDS_MAX), Released)


async def test_a_standing_grant_given_elsewhere_releases_the_call_that_is_held_here(
    machines: tuple[Path, Path],
) -> None:
    async with running(machines[0]) as one, running(machines[1]) as two:
        asked: asyncio.Queue[Approval] = asyncio.Queue()
        run = await begun(one)
        held = asyncio.ensure_future(
            one.engine.gatekeeper.admit(request(run, "POST"), hold_seconds=600, on_held=asked.put_nowait)
        )
        question = await asyncio.wait_for(asked.get(), SECONDS_MAX)
        terms = Terms(count=2, usd_micros=0, expires_at=datetime.now(UTC) + timedelta(hours=1))
        grant = await two.engine.standing.grant(question.id, ANN, terms)
        assert isinstance(await asyncio.wait_for(held, SECONDS_MAX), Released)
        used = await two.engine.standing.one(grant.id)
        assert used is not None and used.used == 1


async def test_what_is_answered_elsewhere_stirs_the_pages_here(machines: tuple[Path, Path]) -> None:
    async with running(machines[0]) as one, running(machines[1]) as two:
        stream = Stream(one.desk)
        run = await begun(two)
        async with asyncio.timeout(SECONDS_MAX), aclosing(stream._events(lambda: True, -1, None)) as events:
            assert (await anext(events)).startswith(b"retry")
            refused = await admit(two, run, "POST")
            assert isinstance(refused, Refused) and refused.approval is not None
            await said(events, '"topics": ["action", "approval"], "lines": []')
            await two.engine.approvals.approve(refused.approval.id, ANN)
            await said(events, '"topics": ["approval"], "lines": []')
        await stream.close()


async def test_a_brake_pulled_elsewhere_ends_what_runs_here(machines: tuple[Path, Path]) -> None:
    async with running(machines[0]) as one, running(machines[1]) as two:
        run = await begun(one)
        heard: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
        one.engine.hub.subscribe(lambda kind, told: heard.put_nowait((kind, str(told.get("scope", "")))))

        async def until(kind: str, scope: str) -> None:
            while await asyncio.wait_for(heard.get(), SECONDS_MAX) != (kind, scope):
                pass

        await two.engine.brakes.freeze("acme/ml", by="ann", reason="too fast")
        await until("brake.frozen", "acme/ml")
        assert isinstance(await admit(one, run), Refused)
        await two.engine.brakes.thaw("acme/ml", by="ann", reason="it was nothing")
        await until("brake.thawed", "acme/ml")
        assert isinstance(await admit(one, run), Released)
        await two.engine.brakes.kill(run, by="ann", reason="enough")
        await until("brake.killed", f"acme/ml/bot/{run}")
        assert isinstance(await admit(one, run), Refused)


async def test_a_price_that_proved_wrong_elsewhere_is_not_believed_here(machines: tuple[Path, Path]) -> None:
    from comptroller.core.distrust import Distrust

    async with running(machines[0]) as one, running(machines[1]) as two:
        wrong = Distrust(key="aws:ec2/x", trusted=False, reason="dearer", by="comptroller", at=samples.NOW)
        await samples.write(two.store, Changes(distrusts=(wrong,)))
        for _ in range(200):
            if "aws:ec2/x" in one.engine.pricer.book.distrusted:
                return
            await asyncio.sleep(0.05)
        raise AssertionError("it is still believed")


async def test_a_restart_recovers_what_is_its_own(machines: tuple[Path, Path]) -> None:
    async with running(machines[1]) as two:
        run_two = await begun(two)
        assert isinstance(await admit(two, run_two), Released)
        one = await open_installation(machines[0])
        await one.begin()
        run_one = await begun(one)
        assert isinstance(await admit(one, run_one), Released)
        for task in one._tasks:  # as a crash leaves it: nothing is settled, ended or signed
            task.cancel()
        await one.store.close()
        one._lock.close()
        async with running(machines[0]) as again:
            held = {item.run: item.state for item in await again.store.open_reservations()}
            assert held == {run_one: ReservationState.SUSPENSE, run_two: ReservationState.DISPATCHED}
            states = {run.id: run.state for run in await again.store.runs()}
            assert states == {run_one: RunState.ENDED, run_two: RunState.ACTIVE}


async def vouch_for_each_other(machines: tuple[Path, Path]) -> None:
    async with running(machines[0]) as one, running(machines[1]) as two:
        await one.engine.recorder.record(samples.draft().kind, body={"note": "the last"})
        await one.sign_checkpoint()
        assert two.elsewhere is not None and one.elsewhere is not None
        assert await two.elsewhere.vouch() == 1
        await two.sign_checkpoint()
        # Vouching alone gives nothing new to vouch for: two idle gateways are quiet.
        assert await one.elsewhere.vouch() <= 1
        await one.sign_checkpoint()
        assert await two.elsewhere.vouch() == 0


def test_a_cut_tail_is_found_by_the_log_of_another(machines: tuple[Path, Path]) -> None:
    asyncio.run(vouch_for_each_other(machines))
    paths = Paths.of(machines[0])
    assert json.loads(cli(machines[0], "audit", "verify", "--json").stdout)["verified"]
    # Whoever owns machine one signs a shorter log, and takes its checkpoints out of the store.
    with compose_state.open_log(paths) as log:
        number = next(e.index for e in log.entries() if e.document["body"] == {"note": "the last"})
        root = log.root(number)
    key = compose.load_log_key(paths.log_key)
    origin = compose_state.installation_origin(paths)
    note = compose.sign(compose.Checkpoint(origin=origin, size=number, root=root), key)
    paths.checkpoint.write_bytes(note)
    ours = f"installation = (SELECT number FROM comptroller.installations WHERE origin = '{origin}')"
    psql = shared_server().psql
    psql(f"DELETE FROM comptroller.entries WHERE {ours} AND idx >= {number}")
    psql(f"DELETE FROM comptroller.checkpoints WHERE {ours}")
    found = json.loads(cli(machines[0], "audit", "verify", "--json").stdout)
    assert not found["verified"] and "tail was cut" in found["problems"][0]["text"]
    assert json.loads(cli(machines[1], "audit", "verify", "--json").stdout)["verified"]


async def test_another_store_is_not_taken_by_mistake(machines: tuple[Path, Path], url: str) -> None:
    async with running(machines[0]):
        pass
    text = machines[0].read_text("utf-8")
    machines[0].write_text(text.replace(url, "sqlite"), "utf-8")
    with pytest.raises(UsageError, match="another store") as caught:
        await open_installation(machines[0])
    assert ".old" in caught.value.hint
    machines[0].write_text(text, "utf-8")
    async with running(machines[0]):
        pass
    emptied_database()
    with pytest.raises(StoreError, match="not the one that was signed last"):
        async with running(machines[0]):
            pass


def test_a_database_is_backed_up_by_its_own_means(machines: tuple[Path, Path]) -> None:
    async def once() -> None:
        async with running(machines[0]):
            pass

    asyncio.run(once())
    refused = cli(machines[0], "backup")
    assert refused.exit_code == 2 and "pg_basebackup" in refused.stderr
    done = cli(machines[0], "restore", "--in-place", "--reason", "put back by the database's own means")
    assert done.exit_code == 0, done.output

    async def after() -> None:
        async with running(machines[0]) as installation:
            assert [brake.scope for brake in await installation.store.brakes()] == ["acme"]

    asyncio.run(after())
    assert json.loads(cli(machines[0], "audit", "verify", "--json").stdout)["verified"]
