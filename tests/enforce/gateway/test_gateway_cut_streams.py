"""Streams whose reader left: what the ledger says against what the service itself wrote down, over the real gateway."""

from __future__ import annotations

import asyncio
import json
import random
import socket
import struct
import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from gateway_kit import Kit, serving

from comptroller.core.estimate import Unit
from comptroller.decode.llm.cut import NOTICE_SECONDS_MAX, cut_rules
from comptroller.price.inference import settled_micros
from comptroller.testing.model_server import Charged, Conversation, ModelServer, Turn

STREAMS = 1_000
AT_ONCE = 25
WORDS = "the ledger holds what a stream may yet cost and lets go of the rest when the service has said so "
ASKED: Mapping[str, tuple[str, str, Mapping[str, Any]]] = {
    "chat": (
        "api.openai.com",
        "/v1/chat/completions",
        {"model": "gpt-4o", "max_tokens": 2000, "messages": [{"role": "user", "content": "write"}]},
    ),
    "responses": ("api.openai.com", "/v1/responses", {"model": "gpt-4.1", "max_output_tokens": 2000, "input": "write"}),
    "messages": (
        "api.anthropic.com",
        "/v1/messages",
        {"model": "claude-sonnet-4-5", "max_tokens": 2000, "messages": [{"role": "user", "content": "write"}]},
    ),
}


def talk(conversation: Conversation) -> Turn:
    """As long an answer as the question says, but never longer than a service may write unseen."""
    length = int(conversation.last_text.rpartition(" ")[2] or 600)
    return Turn(text=(WORDS * (length // len(WORDS) + 1))[:length])


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer(talk) as running:
        yield running


def body_of(kind: str, length: int) -> tuple[str, bytes]:
    host, path, members = ASKED[kind]
    text = json.dumps(members).replace('"write"', json.dumps(f"write {length}"))
    body = json.dumps({**json.loads(text), "stream": True}).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return host, head.encode() + body


async def cancelled(kit: Kit, kind: str, length: int, events: int) -> None:
    """Ask, read so many events, and leave without a word."""
    host, data = body_of(kind, length)
    reader, writer = await asyncio.open_connection("127.0.0.1", kit.port, ssl=kit.trust, server_hostname=host)
    writer.write(data)
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 "), head
    for _ in range(events):
        if not await reader.readline():
            break
    if events % 2 == 0:
        # Half of them leave with a reset, the others with a plain end.
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def all_settled(kit: Kit, server: ModelServer, count: int) -> None:
    async def done() -> bool:
        return len(server.charged) >= count and not await kit.store.open_reservations()

    await kit.until(lambda: kit.attachment.connections == 0, "every flow ended", seconds=60)
    await kit.settled()
    await kit.until(done, "the service has written down every call", seconds=60)


def truth(charged: Charged) -> int:
    family = "anthropic" if charged.model.startswith("claude") else "openai"
    usage = {"input_tokens": charged.input_tokens, "output_tokens": charged.output_tokens}
    found = settled_micros(family, charged.model, usage)
    assert found is not None
    return found


async def spent(kit: Kit) -> int:
    states = await kit.store.budgets(datetime.now(UTC))
    account = next(s.account for s in states if s.budget.scope == "acme" and s.budget.unit is Unit.USD_MICROS)
    assert (account.dispatched, account.reserved, account.suspense) == (0, 0, 0)
    return account.settled


async def test_a_thousand_cancelled_streams_stay_within_five_percent(tmp_path: Path, server: ModelServer) -> None:
    seeded = random.Random(27)
    upstreams = {"api.openai.com": server.url, "api.anthropic.com": server.url}
    async with serving(tmp_path, upstreams=upstreams) as kit:
        room = asyncio.Semaphore(AT_ONCE)

        async def one(kind: str, length: int, events: int) -> None:
            async with room:
                await cancelled(kit, kind, length, events)

        plans = [
            (seeded.choice(sorted(ASKED)), seeded.randrange(40, 3000), seeded.randrange(0, 60)) for _ in range(STREAMS)
        ]
        await asyncio.gather(*(one(*plan) for plan in plans))
        await all_settled(kit, server, STREAMS)
        really = sum(truth(each) for each in server.charged)
        ours = await spent(kit)
        assert len(server.charged) == STREAMS
        assert really <= ours <= really * 1.05, (really, ours)
        assert len(await kit.entries("action.settled")) == STREAMS


class Gates:
    """Lets a stream write so many pieces, then waits for the reader to leave, then for the gateway to have cut it."""

    def __init__(self) -> None:
        self.left, self.cut = threading.Event(), threading.Event()
        self.pieces = 0

    def __call__(self) -> None:
        self.pieces += 1
        if self.pieces == 20:
            assert self.left.wait(30)
        if self.pieces == 60:
            assert self.cut.wait(30)


@pytest.mark.parametrize("kind", sorted(ASKED))
@pytest.mark.parametrize("length", [800, 3900, 8000])
async def test_a_stream_cut_at_the_service_settles_above_the_truth_and_below_the_estimate(
    tmp_path: Path, kind: str, length: int
) -> None:
    """The gateway reads nothing on: what the service wrote unseen until it noticed must be in the bound."""
    gates = Gates()
    with ModelServer(talk, pace=gates) as server:
        upstreams = {"api.openai.com": server.url, "api.anthropic.com": server.url}
        async with serving(tmp_path, upstreams=upstreams, settings={"drain_seconds_max": 0.0}) as kit:
            await cancelled(kit, kind, length, events=20)
            gates.left.set()
            await kit.until(lambda: kit.attachment.connections == 0, "the flow ended")
            gates.cut.set()
            await all_settled(kit, server, 1)
            (really,) = server.charged
            (entry,) = await kit.entries("action.settled")
            body, ours = entry["body"], await spent(kit)
            assert really.cut and not body["complete"]
            assert truth(really) <= ours < body["reserved"]["usd_micros"]
            assert really.input_tokens + really.output_tokens <= body["actual"]["tokens"]
            assert body["actual"]["milliwatt_hours"] < body["reserved"]["milliwatt_hours"]


def test_every_row_says_who_says_so() -> None:
    for rule in cut_rules().values():
        assert rule.source.startswith("https://"), rule
        assert rule.stops == (rule.tokens_per_second_max > 0), rule
    assert NOTICE_SECONDS_MAX >= 1
