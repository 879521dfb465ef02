"""The control socket: real uvicorn, real unix sockets, real engine."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from server_kit import ME, Place, configured, make_place, open_place

from comptroller.core.approval import Approval, GrantState, Person
from comptroller.core.errors import UsageError
from comptroller.core.verdict import Obligation
from comptroller.server.identity import caller_of, person_name
from comptroller.server.listen import bind_console, bind_unix
from comptroller.server.render import approval_json


async def test_status_knows_the_caller(place: Place) -> None:
    async with place.client() as client:
        status = (await client.get("/v1/status")).json()
    assert status["person"] == ME
    assert status["groups"] == ["approvers"]
    assert status["operator"] is True
    assert status["pending"] == 0


async def test_sockets_are_private(place: Place) -> None:
    for path in (place.control, place.attach):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_approve_shows_the_facts_and_grants(place: Place) -> None:
    run = await place.run()
    held = await place.held(run)
    async with place.client() as client:
        shown = (await client.get(f"/v1/approvals/{held.id}")).json()
        assert shown["sentence"] == "start 2 x m8g.large in us-east-1"
        assert shown["quantity"] == 2
        assert shown["usd_micros"] == 4_000_000
        assert shown["account"] == "123456789012"
        rooms = {(r["scope"], r["unit"]): r["room_after"] for r in shown["budget_after"]}
        assert rooms[("acme", "usd_micros")] == 96_000_000
        assert rooms[(run.path, "usd_micros")] == 46_000_000
        answer = await client.post(f"/v1/approvals/{held.id}/approve", json={"comment": "go on"})
    assert answer.status_code == 200
    assert answer.json()["state"] == "approved"
    kept = await place.store.approval(held.id)
    assert kept is not None and kept.grant is GrantState.UNUSED
    assert kept.votes[0].self_approved
    assert (await place.propose(run)).permit is not None
    assert (await place.propose(run)).permit is None


async def test_a_budget_that_an_action_does_not_touch_is_not_shown(place: Place) -> None:
    run = await place.run()
    held = await place.held(run)
    free = replace(held, facts={**held.facts, "usd_micros_high": None, "usd_micros_per_hour_high": None})
    budgets = await place.store.budgets(place.clock.now())

    def units(approval: Approval) -> set[str]:
        person = Person(name=ME, groups=frozenset(), via="")
        shown = approval_json(approval, person=person, path=run.path, budgets=budgets)
        return {row["unit"] for row in shown["budget_after"]}

    assert units(replace(free, facts={**free.facts, "standing": False})) == {"calls"}
    assert units(replace(free, price_unknown=True)) == {"calls", "usd_micros"}
    assert units(held) == {"calls", "usd_micros"}


async def test_conflicts_have_their_kind_and_status(place: Place) -> None:
    run = await place.run()
    held = await place.held(run)
    others = await place.held(run, quantity=3, obligations=(Obligation(rule="pay", approvers="finance"),))
    unknown = await place.held(run, quantity=4, usd_micros=None)
    async with place.client() as client:

        async def approve(identifier: str, **body: str) -> tuple[int, str]:
            answer = await client.post(f"/v1/approvals/{identifier}/approve", json=body)
            assert answer.headers["content-type"].startswith("application/problem+json")
            return answer.status_code, answer.json()["kind"]

        assert await approve("no-such-approval") == (404, "")
        assert await approve(others.id) == (403, "not_found")
        assert await approve(unknown.id) == (409, "budget_exceeded")
        assert (await client.post(f"/v1/approvals/{held.id}/reject", json={"comment": "no"})).status_code == 200
        assert await approve(held.id) == (409, "rejected")
        place.clock.ahead += unknown.expires_at - unknown.asked_at
        assert await approve(unknown.id, ceiling_usd="5") == (409, "expired")


async def test_ceiling_for_an_unknown_price(place: Place) -> None:
    run = await place.run()
    held = await place.held(run, usd_micros=None)
    async with place.client() as client:
        bad = await client.post(f"/v1/approvals/{held.id}/approve", json={"ceiling_usd": "many"})
        assert bad.status_code == 422
        done = await client.post(f"/v1/approvals/{held.id}/approve", json={"ceiling_usd": "12.50"})
    assert done.json()["ceiling_usd_micros"] == 12_500_000


async def test_quorum_needs_another_person(place: Place) -> None:
    run = await place.run()
    held = await place.held(run, obligations=(Obligation(rule="provision", quorum=2),))
    async with place.client() as client:
        for _ in range(2):
            done = (await client.post(f"/v1/approvals/{held.id}/approve", json={})).json()
    assert done["state"] == "pending"
    assert [vote["person"] for vote in done["votes"]] == [ME]


async def test_excluded_owner_cannot_answer(place: Place) -> None:
    run = await place.run()
    held = await place.held(run, obligations=(Obligation(rule="provision", exclude=frozenset({"agent", "owner"})),))
    async with place.client() as client:
        answer = await client.post(f"/v1/approvals/{held.id}/approve", json={})
    assert (answer.status_code, answer.json()["kind"]) == (403, "self_approval")


async def test_brakes(place: Place) -> None:
    run = await place.run()
    async with place.client() as client:
        assert (await client.post("/v1/freeze", json={"scope": run.id, "reason": "odd"})).json()["scope"] == run.path
        assert (await client.get(f"/v1/runs/{run.id}")).json()["brake"] == "frozen"
        assert (await place.propose(run)).approval is None
        await client.post("/v1/thaw", json={"scope": run.path})
        assert (await client.get(f"/v1/runs/{run.id}")).json()["brake"] == "free"
        await client.post("/v1/kill", json={"scope": run.id[-8:]})
        again = await client.post("/v1/thaw", json={"scope": run.id})
        assert again.status_code == 409
        assert (await client.post("/v1/kill", json={"scope": "nothing-like-it"})).status_code == 404


async def test_budgets(place: Place) -> None:
    async with place.client() as client:
        done = await client.post(
            "/v1/budgets", json={"scope": "acme/ml", "unit": "usd", "limit": "12.5", "window": "day"}
        )
        assert done.status_code == 200
        rows = (await client.get("/v1/budgets")).json()["budgets"]
        assert [(r["scope"], r["unit"], r["limit"]) for r in rows] == [
            ("acme", "usd_micros", 100_000_000),
            ("acme", "calls", 10_000),
            ("acme/ml", "usd_micros", 12_500_000),
        ]
        for wrong in (
            {"scope": "acme", "unit": "euros", "limit": "1"},
            {"scope": "acme", "unit": "calls", "limit": "1.5"},
            {"scope": "acme", "unit": "usd", "limit": "-1"},
            {"scope": "acme", "unit": "usd", "limit": 5},
            {"scope": "acme", "unit": "usd", "limit": "5", "extra": "x"},
        ):
            assert (await client.post("/v1/budgets", json=wrong)).status_code == 422
        assert (
            await client.post("/v1/budgets", json={"scope": "other", "unit": "usd", "limit": "1"})
        ).status_code == 404


async def test_entries_follow(place: Place) -> None:
    async with place.client() as client:
        first = (await client.get("/v1/entries")).json()
        waiting = asyncio.create_task(client.get("/v1/entries", params={"after": first["next"], "wait": 20}))
        run = await place.run()
        entries = (await waiting).json()["entries"]
        assert [entry["kind"] for entry in entries] == ["run.started"]
        assert entries[0]["beside"] == {"purpose": "compare instance prices"}
        await place.held(run)
        mine = (await client.get("/v1/entries", params={"run": run.id})).json()["entries"]
        assert [entry["kind"] for entry in mine] == ["run.started", "action.held"]
        assert (await client.get("/v1/entries", params={"after": "x"})).status_code == 422


async def test_a_browser_and_a_large_body_are_refused(place: Place) -> None:
    async with place.client() as client:
        crossed = await client.post("/v1/kill", json={"scope": "acme"}, headers={"origin": "http://evil.example"})
        assert crossed.status_code == 403
        large = await client.post("/v1/kill", content=b"x" * (65 << 10))
        assert large.status_code == 413
        assert (await client.post("/v1/kill", content=b"{")).status_code == 422
        assert (await client.get("/v1/nothing")).status_code == 404
        wrong = await client.get("/v1/kill")
        assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")


async def test_forwarded_headers_change_nobody(place: Place) -> None:
    async with place.client() as client:
        answer = await client.get("/v1/status", headers={"x-forwarded-for": "uid:0", "forwarded": "for=uid:0"})
    assert answer.json()["person"] == ME


async def test_unknown_user_is_refused(short_folder: Path) -> None:
    """Nobody of this configuration, and not the owner: the answer says what to add."""
    config = configured()
    assert caller_of(65_534, config=config, owner_uid=4242) is None
    owner = caller_of(os.getuid(), config=config, owner_uid=os.getuid())
    assert owner is not None and owner.operator and owner.person.groups == frozenset({"approvers"})
    assert person_name("Jane.Doe_x") == "jane-doe-x"


async def test_other_users_get_a_403(short_folder: Path) -> None:
    """Who connects decides: another user, where we can become one; else we ourselves at somebody else's server."""
    stranger_owner = 4242 if os.getuid() else 0
    people = {"dana": {"groups": ["approvers"]}}
    made = make_place(short_folder, configured(people=people, agents={}), owner_uid=stranger_owner)
    await open_place(made)
    try:
        short_folder.chmod(0o755)
        made.control.chmod(0o666)
        said = await asyncio.to_thread(_status_as_stranger, made.control)
    finally:
        await made.house.close()
    assert said.startswith(b"HTTP/1.1 403") and b"is no person of this installation" in said


def _status_as_stranger(path: Path) -> bytes:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if os.getuid() == 0:
                os.setgid(65_534)
                os.setuid(65_534)
            with socket.socket(socket.AF_UNIX) as connection:
                connection.connect(str(path))
                connection.sendall(b"GET /v1/status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                while data := connection.recv(4096):
                    os.write(writing, data)
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as said:
        text = said.read()
    os.waitpid(child, 0)
    return text


async def test_stop(place: Place) -> None:
    async with place.client() as client:
        assert (await client.post("/v1/shutdown")).json() == {"stopping": True}
    assert await place.house.stopped() == "asked"


async def test_idle_exit_waits_for_questions(short_folder: Path) -> None:
    made = make_place(short_folder, configured(), idle_exit_seconds=0.0)
    await open_place(made)
    try:
        run = await made.run()
        held = await made.held(run)
        ending = asyncio.create_task(made.house.stopped())
        assert await made.house.busy()
        async with made.client() as client:
            await client.post(f"/v1/approvals/{held.id}/reject", json={"comment": "no"})
        assert await ending == "idle"
    finally:
        await made.house.close()
    assert not made.control.exists() and not made.attach.exists()


def test_a_path_too_long_is_told(short_folder: Path) -> None:
    with pytest.raises(UsageError, match="107"):
        bind_unix(short_folder / ("x" * 120))


def test_a_file_in_the_way_is_kept(short_folder: Path) -> None:
    path = short_folder / "control.sock"
    path.write_text("mine")
    with pytest.raises(UsageError, match="no socket"):
        bind_unix(path)
    assert path.read_text() == "mine"


def test_a_stale_socket_is_replaced(short_folder: Path) -> None:
    bind_unix(short_folder / "s").close()
    bind_unix(short_folder / "s").close()


def test_a_port_in_use_is_told() -> None:
    taken, *others = bind_console("127.0.0.1:0", 0)
    with pytest.raises(UsageError, match="in use"):
        bind_console("127.0.0.1:0", taken.getsockname()[1])
    for each in (taken, *others):
        each.close()


async def test_a_caller_who_trickles_is_cut_off(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("comptroller.server.listen.REQUEST_SECONDS_MAX", 0.2)
    for begun in (b"", b"GET /v1/status HT", b"POST /v1/kill HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{"):
        reader, writer = await asyncio.open_unix_connection(str(place.control))
        writer.write(begun)
        async with asyncio.timeout(10):
            with contextlib.suppress(ConnectionResetError):
                assert await reader.read() == b""
        writer.close()
    async with place.client() as client:
        for _ in range(3):
            assert (await client.get("/v1/status")).status_code == 200


async def test_a_header_bomb_is_bounded(place: Place) -> None:
    reader, writer = await asyncio.open_unix_connection(str(place.control))
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X-A: " + b"a" * (64 << 10))
    async with asyncio.timeout(10):
        assert (await reader.read()).startswith(b"HTTP/1.1 4")
    writer.close()
