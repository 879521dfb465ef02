"""One request through the line, with real clients, a real engine and real servers behind."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import httpx
import pytest
import requests
from gateway_kit import ANN, BEN, serving

from comptroller.core.estimate import Unit
from comptroller.testing.loopback import HttpAnswer, HttpRequest, HttpServer


class Echo:
    """Answers with what it saw."""

    def __init__(self) -> None:
        self.seen: list[HttpRequest] = []

    def __call__(self, request: HttpRequest) -> HttpAnswer:
        self.seen.append(request)
        body = json.dumps({"path": request.path, "headers": dict(request.headers), "bytes": len(request.body)})
        return HttpAnswer(body=body.encode(), headers={"x-comptroller-reason": "forged", "alt-svc": "h3"})


async def test_a_named_host_is_reached_and_settled_before_the_next_request(tmp_path: Path) -> None:
    echo = Echo()
    with HttpServer(echo) as server:
        async with serving(tmp_path, upstreams={"api.example.com": server.url}) as kit:

            def work() -> list[requests.Response]:
                with requests.Session() as session:
                    session.trust_env = False
                    session.verify = str(kit.ca_file)
                    session.headers["authorization"] = "Bearer from-the-box"
                    return [session.get(f"https://api.example.com/a/{n}?q=1") for n in range(3)]

            answers = await kit.client(work)
            assert [a.status_code for a in answers] == [200, 200, 200]
            assert [a.json()["path"] for a in answers] == ["/a/0", "/a/1", "/a/2"]
            assert "x-comptroller-reason" not in answers[0].headers and "alt-svc" not in answers[0].headers
            assert "authorization" not in answers[0].json()["headers"]
            assert answers[0].json()["headers"]["host"] == "api.example.com"
            kinds = [entry["kind"] for entry in await kit.entries() if entry["kind"].startswith("action")]
            assert kinds == ["action.allowed", "action.settled"] * 3
            assert server.connections == 1
            assert kit.engine.gatekeeper.inflight == 0


async def test_plain_http_and_an_unknown_host_get_a_native_403(tmp_path: Path) -> None:
    echo = Echo()
    with HttpServer(echo) as server:
        async with serving(tmp_path, upstreams={"*.example.com": server.url, "evil.test": server.url}) as kit:

            def work() -> tuple[httpx.Response, httpx.Response]:
                with httpx.Client(trust_env=False) as client:
                    return client.get("http://api.example.com/x"), client.get("http://evil.test/x")

            good, bad = await kit.client(work)
            assert good.status_code == 200
            assert bad.status_code == 403
            assert "comptroller: denied" in bad.json()["detail"]
            assert bad.headers["x-comptroller-reason"].startswith("comptroller: denied")
            assert [request.headers["host"] for request in echo.seen] == ["api.example.com"]


async def test_a_credential_is_injected_and_only_where_it_belongs(tmp_path: Path) -> None:
    echo = Echo()
    with HttpServer(echo) as server:
        async with serving(tmp_path, upstreams={"*.example.com": server.url}) as kit:

            def work() -> None:
                with httpx.Client(verify=kit.trust, trust_env=False, headers={"x-weather": "mine"}) as client:
                    assert client.get("https://weather.example.com/today").status_code == 200
                    assert client.get("https://api.example.com/").status_code == 200

            await kit.client(work)
            assert echo.seen[0].headers["x-weather"] == "Key weather-real"
            assert "x-weather" not in echo.seen[1].headers


async def test_a_missing_credential_is_a_native_refusal_before_anything_is_reserved(tmp_path: Path) -> None:
    echo = Echo()
    with HttpServer(echo) as server:
        async with serving(tmp_path, agent="poor", upstreams={"api.stripe.com": server.url}) as kit:

            def work() -> httpx.Response:
                with httpx.Client(verify=kit.trust, trust_env=False) as client:
                    return client.get("https://api.stripe.com/v1/balance", headers={"authorization": "Bearer sk_x"})

            answer = await kit.client(work)
            assert answer.status_code in (401, 403)
            assert "no stripe credential" in answer.headers["x-comptroller-reason"]
            assert echo.seen == [] and await kit.entries("action.allowed") == []
            assert [r["look"] for r in await kit.until(kit.refusals, "a refusal")] == ["no_credential"]


async def test_a_secret_never_travels_over_plain_http(tmp_path: Path) -> None:
    async def resolve(host: str, port: int) -> list[str]:
        raise AssertionError("nothing may be resolved")

    async with serving(tmp_path, resolve=resolve) as kit:

        def work() -> httpx.Response:
            with httpx.Client(trust_env=False) as client:
                return client.get("http://weather.example.com/today")

        answer = await kit.client(work)
        assert answer.status_code == 403 and "plain http" in answer.headers["x-comptroller-reason"]
        assert await kit.entries("action.allowed") == []


async def test_a_held_call_waits_alive_and_passes_once_approved(tmp_path: Path) -> None:
    echo = Echo()
    with HttpServer(echo) as server:
        async with serving(
            tmp_path,
            upstreams={"api.example.com": server.url},
            hold_seconds=20,
            settings={"heartbeat_seconds": 0.2},
        ) as kit:

            def work() -> requests.Response:
                # Far shorter than the hold: the heartbeats keep it alive.
                return requests.delete("https://api.example.com/thing", verify=str(kit.ca_file), timeout=1.0)

            task = asyncio.create_task(kit.client(work))
            approval = await kit.pending()
            await asyncio.sleep(1.5)
            assert not task.done() and echo.seen == []
            await kit.engine.approvals.approve(approval.id, BEN)
            answer = await task
            assert answer.status_code == 200 and len(echo.seen) == 1


async def test_after_the_hold_a_403_names_the_approval_and_the_reissued_call_passes_once(tmp_path: Path) -> None:
    echo = Echo()
    with HttpServer(echo) as server:
        async with serving(tmp_path, upstreams={"api.example.com": server.url}, hold_seconds=0.3) as kit:

            def work() -> httpx.Response:
                with httpx.Client(verify=kit.trust, trust_env=False) as client:
                    return client.delete("https://api.example.com/thing")

            first = await kit.client(work)
            approval = await kit.pending()
            assert first.status_code == 403 and first.headers["x-comptroller-approval"] == approval.id
            assert approval.id in first.json()["detail"]
            await kit.engine.approvals.approve(approval.id, ANN)
            assert (await kit.client(work)).status_code == 200
            assert (await kit.client(work)).status_code == 403
            assert len(echo.seen) == 1


async def test_a_client_that_leaves_while_held_leaves_the_question(tmp_path: Path) -> None:
    echo = Echo()
    with HttpServer(echo) as server:
        async with serving(tmp_path, upstreams={"api.example.com": server.url}, hold_seconds=60) as kit:
            _, writer = await asyncio.open_connection(
                "127.0.0.1", kit.port, ssl=kit.trust, server_hostname="api.example.com"
            )
            writer.write(b"DELETE /x HTTP/1.1\r\nhost: api.example.com\r\n\r\n")
            approval = await kit.pending()
            writer.close()
            await writer.wait_closed()
            await kit.until(lambda: kit.attachment.connections == 0, "the connection ended")
            await kit.engine.approvals.approve(approval.id, BEN)
            assert echo.seen == [] and await kit.entries("action.allowed") == []


async def test_a_budget_that_is_spent_refuses(tmp_path: Path) -> None:
    echo = Echo()
    with HttpServer(echo) as server:
        async with serving(tmp_path, upstreams={"api.example.com": server.url}, budget=False) as kit:
            await kit.budget(Unit.CALLS, 2)

            def work() -> list[int]:
                with httpx.Client(verify=kit.trust, trust_env=False) as client:
                    return [client.get("https://api.example.com/").status_code for _ in range(4)]

            assert await kit.client(work) == [200, 200, 403, 403]
            assert len(echo.seen) == 2


async def test_an_unreachable_upstream_is_a_502_that_costs_nothing(tmp_path: Path) -> None:
    with HttpServer(Echo()) as server:
        url = server.url
    async with serving(tmp_path, upstreams={"api.example.com": url}) as kit:

        def work() -> httpx.Response:
            with httpx.Client(verify=kit.trust, trust_env=False) as client:
                return client.get("https://api.example.com/")

        answer = await kit.client(work)
        assert answer.status_code == 502 and "upstream_unreachable" in answer.headers["x-comptroller-reason"]
        assert [e["kind"] for e in await kit.entries() if e["kind"].startswith("action")] == [
            "action.allowed",
            "action.settled",
        ]


@pytest.mark.parametrize("path", ["/", "/budget", "/approvals"])
async def test_the_run_reads_its_own_budget_and_approvals(tmp_path: Path, path: str) -> None:
    async with serving(tmp_path) as kit:

        def work() -> tuple[httpx.Response, httpx.Response, httpx.Response]:
            with httpx.Client(trust_env=False) as client:
                client.delete("http://api.example.com/x")
                return (
                    client.get(f"http://comptroller.internal{path}"),
                    client.post("http://comptroller.internal/", content=b""),
                    client.get("http://comptroller.internal/secrets"),
                )

        good, post, unknown = await kit.client(work)
        assert good.status_code == 200 and post.status_code == 405 and unknown.status_code == 404
        document = good.json()
        assert document["run"] == kit.run.id
        if path != "/approvals":
            assert {row["unit"] for row in document["budget"]} == {"calls", "usd_micros"}
        if path != "/budget":
            assert document["approvals"][0]["state"] == "pending"
