"""Probes without an account and counters with one: over real sockets, with a store that is lost for real."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from api_kit import opened, token_of
from server_kit import Place
from tools import build_api

from comptroller.core.errors import StoreError
from comptroller.core.role import Role
from comptroller.core.verdict import VerdictKind
from comptroller.stores.memory import MemoryStore


@pytest.fixture
async def team(short_folder: Path) -> AsyncIterator[Place]:
    async with opened(short_folder) as place:
        yield place


def at_root(place: Place, token: str = "") -> httpx.AsyncClient:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    return httpx.AsyncClient(base_url=place.house.page_origin, headers=headers, timeout=30)


def values(text: str) -> dict[str, int]:
    """Each line of a sample, checked to be one."""
    samples = [line for line in text.splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r'[a-z_]+(\{[a-z]+="[a-z]+"\})? [0-9]+', line) for line in samples), text
    return {line.rpartition(" ")[0]: int(line.rpartition(" ")[2]) for line in samples}


async def test_a_stranger_learns_that_it_lives_and_is_ready_and_nothing_else(team: Place) -> None:
    async with at_root(team) as client:
        for path, body in (("/healthz", {"status": "lives"}), ("/readyz", {"status": "ready"})):
            answer = await client.get(path, headers={"host": "10.0.0.7:8320"})
            assert (answer.status_code, answer.json()) == (200, body)
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert (await client.post(path)).status_code == 405
        assert (await client.get("/metrics")).status_code == 401
    async with team.client() as client:
        assert (await client.get("/healthz")).status_code == 200
        assert (await client.get("/readyz")).status_code == 200


async def test_a_lost_store_is_not_ready_and_only_this_machine_reads_why(
    team: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lost(*_: object) -> None:
        raise StoreError("postgresql://secret@db does not answer", hint="look at db")

    monkeypatch.setattr(MemoryStore, "commit", lost)
    async with at_root(team) as client:
        assert (await client.get("/healthz")).status_code == 200
        answer = await client.get("/readyz")
        assert answer.status_code == 503 and answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["title"] == "not ready: the store takes no write"
        assert "secret" not in answer.text and "db" not in answer.text
    async with team.client() as client:
        told = (await client.get("/readyz")).json()
        assert "secret@db does not answer" in told["title"] and told["hint"] == "look at db"


async def test_a_server_that_ends_is_not_ready(team: Place) -> None:
    team.house.stop()
    async with at_root(team) as client:
        answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()["title"]) == (503, "not ready: boxes are not served")


async def test_probes_leave_no_trace_and_ask_the_store_once_a_second_at_most(
    team: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0
    commit = MemoryStore.commit

    async def counted(store: MemoryStore, *given: object) -> object:
        nonlocal asked
        asked += 1
        return await commit(store, *given)  # type: ignore[arg-type]

    now = [100.0]
    monkeypatch.setattr("comptroller.server.api.health.monotonic", lambda: now[0])
    monkeypatch.setattr(MemoryStore, "commit", counted)
    size = await team.store.size()
    async with team.client() as client:
        for _ in range(5):
            assert (await client.get("/readyz")).status_code == 200
        assert asked == 1
        now[0] += 1.5
        assert (await client.get("/readyz")).status_code == 200
    assert asked == 2 and await team.store.size() == size


async def test_counters_follow_what_was_judged(team: Place) -> None:
    run = await team.run()
    await team.held(run)
    for quantity in (3, 4):
        await team.propose(run, kind=VerdictKind.DENY, quantity=quantity)
    await team.propose(run, kind=VerdictKind.ALLOW, quantity=5)
    team.desk.hub.publish("action.settled", {"actual": {"usd_micros": 1_250_000, "calls": 1}})
    team.desk.hub.publish("delivery.failed", {})
    async with at_root(team, await token_of(team, Role.VIEWER)) as client:
        answer = await client.get("/metrics")
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert values(answer.text) == {
        'comptroller_verdicts_total{verdict="allow"}': 1,
        'comptroller_verdicts_total{verdict="hold"}': 1,
        'comptroller_verdicts_total{verdict="deny"}': 2,
        "comptroller_settled_usd_micros_total": 1_250_000,
        "comptroller_deliveries_failed_total": 1,
        "comptroller_questions_pending": 1,
        "comptroller_entries": await team.store.size(),
        "comptroller_runs_active": 1,
        'comptroller_brakes{state="frozen"}': 0,
        'comptroller_brakes{state="killed"}': 0,
    }
    async with team.client() as client:
        assert (await client.get("/metrics")).status_code == 200


@pytest.mark.parametrize("role", [*Role, None])
async def test_probes_are_as_the_golden_table_says(team: Place, role: Role | None) -> None:
    rows = [line.split("\t") for line in build_api.routes_text().splitlines()]
    probes = [dict(zip(rows[0], row, strict=True)) for row in rows if row[-1] == "socket, root of the port"]
    assert [row["path"] for row in probes] == ["/healthz", "/readyz", "/metrics"]
    async with at_root(team, await token_of(team, role) if role else "") as client:
        for row in probes:
            status = (await client.get(row["path"])).status_code
            assert (str(status) if status != 200 else "yes") == row[role.value if role else "nobody"]
