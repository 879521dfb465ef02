"""The API over TCP with real tokens: every role at every route, versions, pages, keys of calls, limits."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import httpx
import pytest
from api_kit import opened, over_tcp, token_of
from pydantic import TypeAdapter
from server_kit import Place
from tools import build_api

from comptroller.core.approval import Assurance, Person
from comptroller.core.document import DocumentKind
from comptroller.core.errors import StoreError
from comptroller.core.role import Right, Role
from comptroller.server import house
from comptroller.server.api import openapi
from comptroller.server.api.health import Health
from comptroller.server.api.metrics import Metrics
from comptroller.server.api.rate import Rate
from comptroller.server.api.replies import Replies
from comptroller.server.api.serve import Api
from comptroller.server.api.table import ENDPOINTS
from comptroller.server.api.web import Web
from comptroller.server.problem import HttpError


@pytest.fixture
async def team(short_folder: Path) -> AsyncIterator[Place]:
    async with opened(short_folder) as place:
        yield place


def test_what_follows_from_the_table_is_checked_in() -> None:
    assert build_api.main(["--check"]) == 0
    assert build_api.main(["--chekc"]) == 2


def test_no_call_says_where_comptroller_connects_to() -> None:
    """Addresses of webhooks, channels, providers and stores stand in comptroller.yaml, which no call writes. Where a
    holding is that an operator puts on the books is asked through the gateway's own way out, as an agent's request."""
    reaching = re.compile(r"url|uri|webhook|issuer|address|endpoint$|hostname|origin|callback|dsn|socket")
    named = {
        f"{endpoint.name} {name}"
        for endpoint in ENDPOINTS
        for model in (endpoint.body, endpoint.query)
        for name in TypeAdapter(model).json_schema().get("properties", {})
        if reaching.search(name)
    }
    assert named == {"adopt_holding endpoint"}, named


@pytest.mark.parametrize("role", [*Role, None])
async def test_every_role_at_every_route(team: Place, role: Role | None) -> None:
    """The golden table is what really happens; nothing but it decides."""
    rows = (Path(build_api.ROOT) / "tests" / "golden" / "routes.tsv").read_text("utf-8").splitlines()
    names = rows[0].split("\t")
    golden = {(row.split("\t")[0], row.split("\t")[1]): dict(zip(names, row.split("\t"), strict=True)) for row in rows}
    token = await token_of(team, role) if role else ""
    async with over_tcp(team, token) as client:
        for endpoint in ENDPOINTS:
            expected = golden[endpoint.method, endpoint.path]
            path = endpoint.path.replace("{id}", "nothing").replace("{name}", "nothing")
            body = {"json": {}} if endpoint.method != "GET" else {}
            answer = await client.request(endpoint.method, path, **body)
            if endpoint.socket_only:
                assert answer.status_code in (404, 405), (endpoint.name, answer.status_code)
                continue
            assert answer.status_code < 500, (endpoint.name, answer.text)
            refused = answer.status_code == 403 and "may not do this: it takes the right" in answer.json()["title"]
            if role is None:
                assert (answer.status_code, expected["nobody"]) == (401, "401"), endpoint.name
                assert answer.headers["www-authenticate"].startswith("Bearer")
            else:
                assert refused == (expected[role.value] == "403"), (endpoint.name, answer.text)


async def test_answers_are_as_described(team: Place) -> None:
    run = await team.run()
    held = await team.held(run)
    ids = {"/runs/{id}": run.id, "/approvals/{id}": held.id}
    async with over_tcp(team, await token_of(team, Role.AUDITOR)) as client:
        for endpoint in ENDPOINTS:
            if endpoint.method != "GET" or ("{" in endpoint.path and endpoint.path not in ids):
                continue
            answer = await client.get(endpoint.path.replace("{id}", ids.get(endpoint.path, "")))
            if answer.status_code == 403:
                continue
            assert answer.status_code == 200, (endpoint.name, answer.text)
            TypeAdapter(endpoint.answer).validate_json(answer.content)


async def test_an_etag_spares_reading_and_guards_changing(team: Place) -> None:
    held = await team.held(await team.run())
    async with over_tcp(team, await token_of(team, Role.APPROVER)) as client:
        seen = await client.get(f"/approvals/{held.id}")
        etag = seen.headers["etag"]
        again = await client.get(f"/approvals/{held.id}", headers={"if-none-match": f'"x", {etag}'})
        assert (again.status_code, again.content) == (304, b"")
        await team.desk.approvals.reject(held.id, _dana(), comment="no")
        late = await client.post(f"/approvals/{held.id}/approve", json={}, headers={"if-match": etag})
        assert late.status_code == 412
        assert (await client.get(f"/approvals/{held.id}", headers={"if-none-match": etag})).status_code == 200
        vague = await client.post("/freeze", json={"scope": "acme"}, headers={"if-match": etag})
        assert vague.status_code == 412


async def test_pages_neither_repeat_nor_leave_out(team: Place) -> None:
    run = await team.run()
    wanted = [(await team.held(run, quantity=n)).id for n in range(2, 9)]
    async with over_tcp(team, await token_of(team, Role.VIEWER)) as client:
        got: list[str] = []
        cursor: str | None = ""
        while cursor is not None:
            query = {"limit": "3"} | ({"cursor": cursor} if cursor else {})
            page = (await client.get("/approvals", params=query)).json()
            got += [row["id"] for row in page["approvals"]]
            if len(got) == 3:
                await team.held(run, quantity=50)
            cursor = page["next"]
        assert got == sorted(wanted, reverse=True)
        for wrong in ({"limit": "0"}, {"limit": "1001"}, {"limit": "x"}, {"cursor": "!"}, {"cursor": "AAAA"}):
            assert (await client.get("/approvals", params=wrong)).status_code == 422


async def test_a_call_with_a_key_is_done_once(team: Place) -> None:
    key = {"idempotency-key": "one"}
    budget = {"scope": "acme/ml", "unit": "usd", "limit": "5", "window": "day"}
    async with over_tcp(team, await token_of(team, Role.OPERATOR)) as client:
        answers = await asyncio.gather(*(client.post("/budgets", json=budget, headers=key) for _ in range(8)))
        assert {answer.status_code for answer in answers} == {200} and len({a.content for a in answers}) == 1
        assert sum("idempotency-replayed" in answer.headers for answer in answers) == 7
        entries = [e for e in await team.store.entries() if e.document["kind"] == "budget.set"]
        assert sum(e.document["body"]["scope"] == "acme/ml" for e in entries) == 1  # type: ignore[index]
        other = await client.post("/budgets", json={**budget, "limit": "6"}, headers=key)
        assert other.status_code == 422
        lost = await client.post("/thaw", json={"scope": "nowhere"}, headers={"idempotency-key": "two"})
        again = await client.post("/thaw", json={"scope": "nowhere"}, headers={"idempotency-key": "two"})
        assert lost.status_code == again.status_code == 404 and lost.json() == again.json()
        for bad in ("", "x" * 201, "a b"):
            assert (await client.post("/budgets", json=budget, headers={"idempotency-key": bad})).status_code == 422
    async with over_tcp(team, await token_of(team, Role.VIEWER)) as client:
        assert (await client.post("/budgets", json=budget, headers=key)).status_code == 403
    async with over_tcp(team, await token_of(team, Role.OPERATOR, called="other")) as client:
        answer = await client.post("/budgets", json=budget, headers=key)
        assert "idempotency-replayed" not in answer.headers, "another token of the same person"


async def test_what_was_begun_and_not_ended_is_never_done_again(team: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A serve killed between the two commits leaves a place that says so."""
    budget = {"scope": "acme/ml", "unit": "usd", "limit": "5", "window": "day"}
    async with over_tcp(team, await token_of(team, Role.OPERATOR)) as client:
        api = team.house._api
        assert api is not None
        with monkeypatch.context() as lost:
            lost.setattr(Replies, "_put", _lost)
            first = await client.post("/budgets", json=budget, headers={"idempotency-key": "k"})
        assert first.status_code == 200
        second = await client.post("/budgets", json=budget, headers={"idempotency-key": "k"})
        assert second.status_code == 409 and "nobody knows" in second.json()["title"]
        team.clock.ahead += timedelta(hours=23, minutes=50)
        await api.replies.forget()
        assert await team.store.documents(DocumentKind.REPLY)
        team.clock.ahead += timedelta(minutes=11)
        await api.replies.forget()
        assert not await team.store.documents(DocumentKind.REPLY)


async def test_old_answers_are_thrown_away_while_it_runs(short_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(house, "TIDY_SECONDS", 0.01)
    async with opened(short_folder) as team:
        async with over_tcp(team, await token_of(team, Role.OPERATOR)) as client:
            await client.post("/thaw", json={"scope": "nowhere"}, headers={"idempotency-key": "k"})
        assert await team.store.documents(DocumentKind.REPLY)
        team.clock.ahead += timedelta(hours=25)
        async with asyncio.timeout(10):
            while await team.store.documents(DocumentKind.REPLY):
                await asyncio.sleep(0.01)


async def test_what_will_go_says_when(team: Place) -> None:
    listed = {each.path: each for each in ENDPOINTS if each.method == "GET"}
    budgets, approvals = listed["/budgets"], listed["/approvals"]
    going = replace(budgets, sunset=date(2031, 4, 1), successor="/limits")
    served = team.house._api
    assert served is not None
    api = Api(served._operations, team.house, endpoints=(going, approvals))
    token = await token_of(team, Role.VIEWER)
    health = Health(team.desk, Metrics(team.desk), attached=lambda: True)
    web = Web(api, caller_of=team.house.persons.tokens.caller, health=health)
    transport = httpx.ASGITransport(app=web.app())
    async with httpx.AsyncClient(transport=transport, base_url="http://x/api/v1") as client:
        client.headers["authorization"] = f"Bearer {token}"
        headers = (await client.get("/budgets")).headers
        assert headers["sunset"] == "Tue, 01 Apr 2031 00:00:00 GMT"
        assert headers["link"] == '</api/v1/limits>; rel="successor-version"'
        assert "sunset" not in (await client.get("/approvals")).headers
    paths = openapi.document((going, approvals))["paths"]
    assert paths["/budgets"]["get"]["deprecated"] is True
    assert "deprecated" not in paths["/approvals"]["get"]


async def test_bodies_are_json_and_tokens_are_real(team: Place) -> None:
    token = await token_of(team, Role.OPERATOR)
    async with over_tcp(team, token) as client:
        form = await client.post("/freeze", data={"scope": "acme"})
        plain = await client.post("/freeze", content=b'{"scope": "acme"}')
        assert form.status_code == plain.status_code == 415
        nul = await client.post("/freeze", content=b'{"scope":"\\u0000"}', headers={"content-type": "application/json"})
        assert nul.status_code == 422
        wrong = await client.put("/runs")
        assert (wrong.status_code, sorted(wrong.headers["allow"].split(", "))) == (405, ["GET", "HEAD"])
        assert (await client.get("/status")).headers["x-content-type-options"] == "nosniff"
    for bad in (token[:-1] + ("A" if token[-1] != "A" else "B"), "cmp_x", "\u00e9"):
        async with over_tcp(team) as client:
            answer = await client.get("/status", headers={"authorization": f"Bearer {bad}".encode()})
            assert answer.status_code == 401 and answer.headers["content-type"] == "application/problem+json"
    async with over_tcp(team) as client:
        both = [("authorization", f"Bearer {token}"), ("authorization", "Bearer x")]
        assert (await client.get("/status", headers=both)).status_code == 401


def test_a_bucket_fills_again_with_time() -> None:
    now = [0.0]
    rate = Rate(lambda: now[0], burst=3, per_second=2)
    for _ in range(3):
        rate.take("a")
    with pytest.raises(HttpError) as failure:
        rate.take("a")
    assert (failure.value.status, failure.value.headers) == (429, {"retry-after": "1"})
    rate.take("b")
    now[0] += 0.5
    rate.take("a")
    with pytest.raises(HttpError):
        rate.take("a")


def test_rights_are_those_of_the_table() -> None:
    assert {endpoint.right for endpoint in ENDPOINTS} <= set(Right)


async def _lost(replies: Replies, document: object) -> None:
    raise StoreError("the store was lost")


def _dana() -> Person:
    return Person(name="dana", groups=frozenset({"approvers"}), via="uid:1", assurance=Assurance.SOCKET)
