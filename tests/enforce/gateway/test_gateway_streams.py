"""Bodies larger than memory: passed on an allow, spooled and hashed before asking, refused at once on a deny."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import hashlib
import json
import os
import socket
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from gateway_kit import ANN, serving

from comptroller.testing.loopback import HttpAnswer, HttpRequest, HttpServer, LoopbackServer

HOST = "api.example.com"
MIB = 1 << 20


def receive_head(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            return data
        data += more
    return data


class Sink:
    """Counts and hashes a body without keeping it; then answers."""

    def __init__(self) -> None:
        self.bytes = 0
        self.sha256 = hashlib.sha256()
        self.heads: list[bytes] = []

    def __call__(self, connection: socket.socket) -> None:
        data = receive_head(connection)
        head, _, rest = data.partition(b"\r\n\r\n")
        if not head:
            return
        self.heads.append(head.lower())
        chunked = b"transfer-encoding: chunked" in head.lower()
        length = 0
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        if chunked:
            while not rest.endswith(b"0\r\n\r\n"):
                rest = rest[-16:] if len(rest) > 65536 else rest
                more = connection.recv(65536)
                if not more:
                    return
                self.bytes += len(more)
                rest += more
        else:
            self._take(rest)
            while self.bytes < length:
                more = connection.recv(min(65536, length - self.bytes))
                if not more:
                    return
                self._take(more)
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        connection.recv(1)

    def _take(self, data: bytes) -> None:
        self.bytes += len(data)
        self.sha256.update(data)


def pieces(count: int) -> Iterator[bytes]:
    block = os.urandom(64 << 10)
    for _ in range(count):
        yield block


async def test_two_hundred_mebibytes_pass_in_bounded_memory(tmp_path: Path) -> None:
    sink = Sink()
    with LoopbackServer(sink) as server:
        async with serving(tmp_path, upstreams={HOST: f"http://127.0.0.1:{server.port}"}) as kit:
            total = 200 * MIB
            block = b"x" * (256 << 10)
            reader, writer = await asyncio.open_connection("127.0.0.1", kit.port)
            tracemalloc.start()
            try:
                writer.write(f"POST /up HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {total}\r\n\r\n".encode())
                for _ in range(total // len(block)):
                    writer.write(block)
                    await writer.drain()
                answer = await reader.readuntil(b"ok")
                _, peak = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
                writer.close()
                await writer.wait_closed()
            assert answer.startswith(b"HTTP/1.1 200 ") and sink.bytes == total
            await kit.settled()
            assert peak < 24 * MIB
            assert [e["kind"] for e in await kit.entries()][-2:] == ["action.allowed", "action.settled"]


async def test_a_slow_reader_holds_back_the_service(tmp_path: Path) -> None:
    sent = [0]

    def endless(connection: socket.socket) -> None:
        receive_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 209715200\r\n\r\n")
        with contextlib.suppress(OSError):
            for _ in range(3200):
                connection.sendall(b"y" * (64 << 10))
                sent[0] += 64 << 10

    with LoopbackServer(endless) as server:
        async with serving(
            tmp_path, upstreams={HOST: f"http://127.0.0.1:{server.port}"}, settings={"drain_bytes_max": MIB}
        ) as kit:
            client = socket.create_connection(("127.0.0.1", kit.port))
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 10)
            client.sendall(f"GET /down HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
            last = -1
            while sent[0] != last or last == 0:
                last = sent[0]
                await asyncio.sleep(0.3)
            # Kernel buffers on three sockets and ours: far below what was offered.
            assert 0 < last < 40 * MIB
            client.close()
            await kit.until(lambda: kit.attachment.connections == 0, "the flow ended")
            await kit.settled()
            assert [e["kind"] for e in await kit.entries()][-1] in ("action.suspense", "action.settled")


async def test_a_large_body_that_needs_a_yes_is_spooled_and_bound_by_its_hash(tmp_path: Path) -> None:
    sink = Sink()
    body, other = os.urandom(9 * MIB), os.urandom(9 * MIB)
    with LoopbackServer(sink) as server:
        spool = tmp_path / "spool"
        spool.mkdir()
        async with serving(
            tmp_path,
            upstreams={HOST: f"http://127.0.0.1:{server.port}"},
            hold_seconds=0.2,
            settings={"spool_folder": str(spool)},
        ) as kit:

            def delete(content: bytes) -> int:
                with httpx.Client(verify=kit.trust, trust_env=False, timeout=20) as client:
                    return client.request("DELETE", f"https://{HOST}/all", content=content).status_code

            assert await kit.client(lambda: delete(body)) == 403
            approval = await kit.pending()
            await kit.engine.approvals.approve(approval.id, ANN)
            assert await kit.client(lambda: delete(other)) == 403
            assert sink.heads == []
            assert await kit.client(lambda: delete(body)) == 200
            assert sink.sha256.digest() == hashlib.sha256(body).digest()
            assert list(spool.iterdir()) == []


async def test_a_denied_upload_is_refused_at_its_head(tmp_path: Path) -> None:
    async with serving(tmp_path) as kit:
        for expects in ("", "Expect: 100-continue\r\n"):
            reader, writer = await asyncio.open_connection("127.0.0.1", kit.port)
            writer.write(f"POST /up HTTP/1.1\r\nHost: evil.test\r\n{expects}Content-Length: 99999999\r\n\r\n".encode())
            answer = await reader.read(-1)
            assert answer.startswith(b"HTTP/1.1 403 ") and answer.count(b"HTTP/1.1") == 1
            assert b"connection: close" in answer.lower()
            writer.close()
            await writer.wait_closed()
        assert len(await kit.entries("action.denied")) == 2


async def test_a_chunked_body_that_grows_large_passes_through(tmp_path: Path) -> None:
    sink = Sink()
    with LoopbackServer(sink) as server:
        async with serving(tmp_path, upstreams={HOST: f"http://127.0.0.1:{server.port}"}) as kit:

            def work() -> int:
                with httpx.Client(verify=kit.trust, trust_env=False, timeout=20) as client:
                    return client.post(f"https://{HOST}/up", content=pieces(200)).status_code

            assert await kit.client(work) == 200
            assert b"transfer-encoding: chunked" in sink.heads[0] and sink.bytes > 12 * MIB


async def test_bodies_of_one_box_share_one_allowance(tmp_path: Path) -> None:
    async with serving(tmp_path, settings={"body_memory_bytes_max": MIB}) as kit:
        first = await asyncio.open_connection("127.0.0.1", kit.port)
        first[1].write(f"POST /a HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {MIB}\r\n\r\nx".encode())
        await kit.until(lambda: kit.attachment._allowance._left == 0, "the allowance is taken")
        answer = await kit.raw(f"POST /b HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 10\r\n\r\n0123456789".encode())
        assert answer.startswith(b"HTTP/1.1 503 ")
        first[1].close()
        await kit.until(lambda: kit.attachment._allowance._left == MIB, "the allowance is back")


async def test_a_body_over_the_limit_of_an_operation_without_a_stream(tmp_path: Path) -> None:
    seen: list[HttpRequest] = []

    def answer(request: HttpRequest) -> HttpAnswer:
        seen.append(request)
        return HttpAnswer()

    with HttpServer(answer) as server:
        async with serving(tmp_path, upstreams={"api.openai.com": server.url}) as kit:
            text = "x" * (2 * MIB)
            body = {"model": "gpt-4o-mini", "max_tokens": 5, "messages": [{"role": "user", "content": text}]}

            def work() -> httpx.Response:
                with httpx.Client(verify=kit.trust, trust_env=False, timeout=20) as client:
                    return client.post("https://api.openai.com/v1/chat/completions", json=body)

            refused = await kit.client(work)
            assert refused.status_code == 403 and "over 1048576 bytes" in refused.headers["x-comptroller-reason"]
            assert seen == []


async def test_a_client_that_cuts_its_upload_leaves_the_money_held(tmp_path: Path) -> None:
    sink = Sink()
    with LoopbackServer(sink) as server:
        async with serving(tmp_path, upstreams={HOST: f"http://127.0.0.1:{server.port}"}) as kit:
            _, writer = await asyncio.open_connection("127.0.0.1", kit.port)
            writer.write(f"POST /up HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {20 * MIB}\r\n\r\n".encode())
            writer.write(b"z" * MIB)
            await writer.drain()
            await kit.until(lambda: sink.bytes > 0, "some of it arrived")
            writer.close()
            await writer.wait_closed()
            await kit.until(lambda: kit.attachment.connections == 0, "the flow ended")
            await kit.settled()
            assert [e["kind"] for e in await kit.entries()][-1] == "action.suspense"


ANSWERS = {
    "close delimited": (b"HTTP/1.1 200 OK\r\n\r\nhello", 200, b"hello", "action.settled"),
    "interim first": (
        b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
        204,
        b"",
        "action.settled",
    ),
    "trailers": (
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nx-comptroller-reason: y\r\n\r\n",
        200,
        b"ok",
        "action.settled",
    ),
    "switching": (
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: raw\r\nconnection: upgrade\r\n\r\n",
        502,
        None,
        "action.suspense",
    ),
    "not http": (b"220 smtp ready\r\n", 502, None, "action.suspense"),
    "nothing": (b"", 502, None, "action.suspense"),
    "two lengths": (
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        502,
        None,
        "action.suspense",
    ),
    "header bomb": (b"HTTP/1.1 200 OK\r\nx: " + b"a" * (1 << 18), 502, None, "action.suspense"),
    "hop by hop": (
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: x-secret\r\nx-secret: 1\r\nkeep-alive: 5\r\n\r\nok",
        200,
        b"ok",
        "action.settled",
    ),
}


@pytest.mark.parametrize("name", ANSWERS)
async def test_odd_answers(tmp_path: Path, name: str) -> None:
    raw, status, body, kind = ANSWERS[name]

    def answer(connection: socket.socket) -> None:
        receive_head(connection)
        connection.sendall(raw)
        connection.shutdown(socket.SHUT_WR)
        connection.recv(1)

    with LoopbackServer(answer) as server:
        async with serving(tmp_path, upstreams={HOST: f"http://127.0.0.1:{server.port}"}) as kit:

            def work() -> httpx.Response:
                with httpx.Client(verify=kit.trust, trust_env=False) as client:
                    return client.get(f"https://{HOST}/")

            found = await kit.client(work)
            assert found.status_code == status
            assert body is None or found.content == body
            assert "x-secret" not in found.headers and "keep-alive" not in found.headers
            assert [e["kind"] for e in await kit.entries()][-1] == kind
            assert kit.engine.gatekeeper.inflight == 0


async def test_a_cut_answer_is_cut_for_the_client_too(tmp_path: Path) -> None:
    def answer(connection: socket.socket) -> None:
        receive_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")

    with LoopbackServer(answer) as server:
        async with serving(tmp_path, upstreams={HOST: f"http://127.0.0.1:{server.port}"}) as kit:
            found = await kit.raw(f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
            assert found.endswith(b"half") or found == b""
            last = (await kit.entries())[-1]
            assert last["kind"] == "action.settled" and last["body"]["complete"] is False


async def test_a_head_request_has_a_length_and_no_body(tmp_path: Path) -> None:
    with HttpServer(lambda request: HttpAnswer(body=b"12345")) as server:
        async with serving(tmp_path, upstreams={HOST: server.url}) as kit:

            def work() -> tuple[httpx.Response, httpx.Response]:
                with httpx.Client(verify=kit.trust, trust_env=False) as client:
                    return client.head(f"https://{HOST}/"), client.head("https://evil.test/")

            good, refused = await kit.client(work)
            assert good.status_code == 200 and good.headers["content-length"] == "5" and good.content == b""
            assert refused.status_code == 403 and "x-comptroller-reason" in refused.headers


async def test_a_compressed_answer_is_read_by_the_meter_and_passed_as_it_is(tmp_path: Path) -> None:
    counts = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
    usage = json.dumps({"id": "c", "object": "chat.completion", "choices": [], "usage": counts}).encode()

    def answer(request: HttpRequest) -> HttpAnswer:
        return HttpAnswer(body=gzip.compress(usage), headers={"content-encoding": "gzip"})

    with HttpServer(answer) as server:
        async with serving(tmp_path, upstreams={"api.openai.com": server.url}) as kit:
            body = {"model": "gpt-4o-mini", "max_tokens": 5, "messages": [{"role": "user", "content": "?"}]}

            def work() -> httpx.Response:
                with httpx.Client(verify=kit.trust, trust_env=False) as client:
                    return client.post("https://api.openai.com/v1/chat/completions", json=body)

            found = await kit.client(work)
            assert found.headers["content-encoding"] == "gzip" and found.json()["usage"]["total_tokens"] == 10
            settled = (await kit.entries("action.settled"))[0]["body"]
            assert settled["usage"]["input_tokens"] == 7 and settled["usage"]["output_tokens"] == 3
