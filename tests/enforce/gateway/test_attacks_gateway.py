"""Attacks from inside a box with real connections: repeats in flight, and real credentials looked for everywhere."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from pathlib import Path

import httpx
import pytest
from gateway_kit import BEN, SECRETS, serving

from comptroller.core.estimate import Unit
from comptroller.testing.loopback import HttpAnswer, HttpRequest, HttpServer

TRANSFER = "amount=400&currency=usd&destination=acct_1"


class SlowStripe:
    """Moves the money of the first call with a key, slowly; answers 409 to the same key meanwhile."""

    def __init__(self) -> None:
        self.moved: list[str] = []
        self.begun, self.answered = threading.Event(), threading.Event()
        self._keys: set[str] = set()

    def __call__(self, request: HttpRequest) -> HttpAnswer:
        key = request.headers["idempotency-key"]
        if key in self._keys:
            error = {"error": {"type": "idempotency_error", "code": "idempotency_key_in_use"}}
            return HttpAnswer(status=409, body=json.dumps(error).encode())
        self._keys.add(key)
        self.begun.set()
        self.answered.wait(20)
        self.moved.append(key)
        done = {"id": "tr_1", "object": "transfer", "amount": 400, "currency": "usd"}
        return HttpAnswer(body=json.dumps(done).encode())


async def test_a_conflict_answer_does_not_give_back_the_money_under_way(tmp_path: Path) -> None:
    """Two calls with one `Idempotency-Key` at a time: the 409 of the second used to settle the first at zero."""
    stripe = SlowStripe()
    with HttpServer(stripe) as server:
        async with serving(tmp_path, upstreams={"api.stripe.com": server.url}) as kit:
            await kit.budget(Unit.USD_MICROS, 4_000_000)

            def pay(key: str) -> httpx.Response:
                with httpx.Client(verify=kit.trust, trust_env=False, timeout=30) as client:
                    form = {"content-type": "application/x-www-form-urlencoded", "idempotency-key": key}
                    return client.post("https://api.stripe.com/v1/transfers", content=TRANSFER, headers=form)

            held = await kit.client(lambda: pay("one"))
            assert held.status_code == 403
            await kit.engine.approvals.approve((await kit.pending()).id, BEN)
            with kit.world():
                first = asyncio.create_task(asyncio.to_thread(pay, "one"))
                assert await asyncio.to_thread(stripe.begun.wait, 20)
                again = await asyncio.to_thread(pay, "one")
                assert again.status_code == 409
                (state,) = [s for s in await kit.store.budgets(_now()) if s.budget.unit is Unit.USD_MICROS]
                assert state.account.taken == 4_000_000, "the first call may still pay"
                stripe.answered.set()
                assert (await first).status_code == 200
            await kit.settled()
            (state,) = [s for s in await kit.store.budgets(_now()) if s.budget.unit is Unit.USD_MICROS]
            assert stripe.moved == ["one"] and state.account.taken == 4_000_000 and state.room == 0


async def test_no_real_credential_is_kept_or_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Every service is called with its credential, well and badly; the store, what listeners hear and the log."""
    caplog.set_level(logging.DEBUG)
    secrets = [value for name, value in SECRETS.items() if name != "AWS_DEFAULT_REGION"]

    def answer(request: HttpRequest) -> HttpAnswer:
        return HttpAnswer(status=500 if "fail" in request.path else 200, body=b'{"id": "x"}')

    with HttpServer(answer) as server:
        world = dict.fromkeys(
            ("api.stripe.com", "api.openai.com", "weather.example.com", "*.us-east-1.amazonaws.com"), server.url
        )
        async with serving(tmp_path, upstreams=world) as kit:
            heard: list[str] = []
            kit.engine.hub.subscribe(lambda kind, summary: heard.append(repr((kind, summary))))

            def work() -> list[str]:
                texts = []
                with httpx.Client(verify=kit.trust, trust_env=False, timeout=30) as client:
                    chat = {"model": "gpt-4o", "messages": [{"role": "user", "content": "x"}], "max_tokens": 5}
                    for method, url, options in (
                        ("GET", "https://api.stripe.com/v1/balance", {}),
                        ("GET", "https://weather.example.com/fail", {}),
                        ("GET", "http://weather.example.com/plain", {}),
                        ("POST", "https://api.openai.com/v1/chat/completions", {"json": chat}),
                        ("POST", "https://api.openai.com/v1/fail", {"json": chat}),
                        ("GET", "https://ec2.us-east-1.amazonaws.com/?Action=DescribeInstances&Version=2016-11-15", {}),
                        ("GET", "https://nowhere.example.com/", {}),
                    ):
                        found = client.request(method, url, **options)  # type: ignore[arg-type]
                        texts.append(f"{found.headers} {found.text}")
                return texts

            told = await kit.client(work)
            kept = [entry.leaf for entry in await kit.store.entries(limit=1000)]
            beside = [repr(await kit.store.private(index)) for index in range(len(kept))]
            everything = "\n".join([*told, *heard, *beside, *map(repr, kept), caplog.text])
            assert len(kept) > 10 and server.connections
            for secret in secrets:
                assert secret not in everything


def _now():  # type: ignore[no-untyped-def]
    from datetime import UTC, datetime

    return datetime.now(UTC)


async def test_a_credential_that_no_header_can_hold_is_not_told(tmp_path: Path) -> None:
    """The HTTP library quotes the value it refuses; the agent would have read it in the 502."""
    broken = {**SECRETS, "AWS_SESSION_TOKEN": "session\x01token-of-the-person"}
    with HttpServer(lambda request: HttpAnswer(body=b"")) as server:
        world = {"*.us-east-1.amazonaws.com": server.url}
        async with serving(tmp_path, upstreams=world, environment=broken) as kit:

            def work() -> httpx.Response:
                with httpx.Client(verify=kit.trust, trust_env=False, timeout=30) as client:
                    scope = "AKIAX/20261123/us-east-1/ec2/aws4_request"
                    signed = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature={'0' * 64}"
                    return client.post(
                        "https://ec2.us-east-1.amazonaws.com/",
                        content="Action=DescribeInstances&Version=2016-11-15",
                        headers={"authorization": signed, "content-type": "application/x-www-form-urlencoded"},
                    )

            answer = await kit.client(work)
            assert answer.status_code >= 400
            told = f"{answer.headers} {answer.text} {await kit.refusals()}"
            for index in range(await kit.store.size()):
                told += repr(await kit.store.private(index))
            assert "token-of-the-person" not in told
