"""What is not a plain HTTP request: named, recorded, closed; nothing of it ever reaches an upstream."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from pathlib import Path

import pytest
from gateway_kit import BEN, Kit, serving
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from tests.fuzz_kit import fuzz

from comptroller.enforce.gateway import http1
from comptroller.testing.loopback import HttpAnswer, HttpRequest, HttpServer

HOST = "api.example.com"


class Counter:
    def __init__(self) -> None:
        self.requests: list[HttpRequest] = []

    def __call__(self, request: HttpRequest) -> HttpAnswer:
        self.requests.append(request)
        return HttpAnswer(body=b"{}")


def head(*lines: str, first: str = "GET / HTTP/1.1") -> bytes:
    return "\r\n".join([first, *lines, "", ""]).encode("latin-1")


SMUGGLING = {
    "length and chunked": (head(f"Host: {HOST}", "Content-Length: 3", "Transfer-Encoding: chunked"), 400),
    "two lengths": (head(f"Host: {HOST}", "Content-Length: 3", "Content-Length: 4"), 400),
    "equal lengths": (head(f"Host: {HOST}", "Content-Length: 3", "Content-Length: 3"), 400),
    "list of lengths": (head(f"Host: {HOST}", "Content-Length: 3, 3"), 400),
    "signed length": (head(f"Host: {HOST}", "Content-Length: +3"), 400),
    "hex length": (head(f"Host: {HOST}", "Content-Length: 0x3"), 400),
    "endless length": (head(f"Host: {HOST}", "Content-Length: 1" + "0" * 30), 400),
    "two encodings": (head(f"Host: {HOST}", "Transfer-Encoding: chunked", "Transfer-Encoding: chunked"), 400),
    "odd encoding": (head(f"Host: {HOST}", "Transfer-Encoding: xchunked"), 501),
    "chunked twice": (head(f"Host: {HOST}", "Transfer-Encoding: chunked, chunked"), 501),
    "encoding on 1.0": (head(f"Host: {HOST}", "Transfer-Encoding: chunked", first="GET / HTTP/1.0"), 400),
    "space before colon": (head(f"Host: {HOST}", "Content-Length : 3"), 400),
    "folded": (head(f"Host: {HOST}", "X-A: 1", " Content-Length: 3"), 400),
    "folded by tab": (head(f"Host: {HOST}", "X-A: 1", "\tb"), 400),
    "bare lf": (f"GET / HTTP/1.1\nHost: {HOST}\n\n".encode(), 400),
    "bare lf in a header": (head(f"Host: {HOST}", "X-A: 1\nX-B: 2"), 400),
    "bare cr": (head(f"Host: {HOST}", "X-A: 1\rX-B: 2"), 400),
    "nul": (head(f"Host: {HOST}", "X-A: \0"), 400),
    "two hosts": (head(f"Host: {HOST}", "Host: evil.test"), 400),
    "two equal hosts": (head(f"Host: {HOST}", f"Host: {HOST}"), 400),
    "no host": (head("X-A: 1"), 400),
    "user in host": (head(f"Host: a@{HOST}"), 400),
    "list of hosts": (head(f"Host: {HOST},evil.test"), 400),
    "trailing dot": (head(f"Host: {HOST}."), 400),
    "bracketed host": (head("Host: [::1]"), 400),
    "port out of range": (head(f"Host: {HOST}:99999"), 400),
    "other absolute target": (head(f"Host: {HOST}", first="GET http://evil.test/ HTTP/1.1"), 400),
    "absolute with user": (head(f"Host: {HOST}", first=f"GET http://evil.test@{HOST}/ HTTP/1.1"), 400),
    "absolute of another scheme": (head(f"Host: {HOST}", first=f"GET https://{HOST}/ HTTP/1.1"), 400),
    "asterisk": (head(f"Host: {HOST}", first="OPTIONS * HTTP/1.1"), 400),
    "fragment": (head(f"Host: {HOST}", first="GET /a#b HTTP/1.1"), 400),
    "connect": (head(f"Host: {HOST}", first=f"CONNECT {HOST}:443 HTTP/1.1"), 405),
    "version 0.9": (b"GET /\r\n\r\n", 400),
    "version 2": (head(f"Host: {HOST}", first="GET / HTTP/2.0"), 505),
    "two spaces": (head(f"Host: {HOST}", first="GET  / HTTP/1.1"), 400),
    "space in target": (head(f"Host: {HOST}", first="GET /a b HTTP/1.1"), 400),
    "expectation": (head(f"Host: {HOST}", "Expect: 200-maybe"), 417),
    "many headers": (head(f"Host: {HOST}", *(f"X-{n}: 1" for n in range(300))), 431),
    "header bomb": (head(f"Host: {HOST}", "X-A: " + "a" * (1 << 20)), 431),
    "endless header": (b"GET / HTTP/1.1\r\nX-A: " + b"a" * (1 << 18), 431),
    "long target": (head(f"Host: {HOST}", first="GET /" + "a" * 20_000 + " HTTP/1.1"), 414),
    "bad chunk": (head(f"Host: {HOST}", "Transfer-Encoding: chunked", first="POST / HTTP/1.1") + b"zz\r\n", 400),
    "chunk by lf": (head(f"Host: {HOST}", "Transfer-Encoding: chunked", first="POST / HTTP/1.1") + b"1\na\n0\n\n", 400),
    "trailers": (
        head(f"Host: {HOST}", "Transfer-Encoding: chunked", first="POST / HTTP/1.1") + b"0\r\nX-A: 1\r\n\r\n",
        400,
    ),
}


@pytest.mark.parametrize("name", SMUGGLING)
async def test_shapes_that_two_parsers_read_differently_are_refused(tmp_path: Path, name: str) -> None:
    raw, status = SMUGGLING[name]
    counter = Counter()
    with HttpServer(counter) as server:
        async with serving(tmp_path, upstreams={HOST: server.url, "evil.test": server.url}) as kit:
            answer = await kit.raw(raw + head(f"Host: {HOST}", first="GET /smuggled HTTP/1.1"))
            assert answer.startswith(f"HTTP/1.1 {status} ".encode())
            assert b"x-comptroller-reason: " in answer and b"connection: close" in answer.lower()
            assert answer.count(b"HTTP/1.1") == 1
            assert counter.requests == []
            await kit.until(kit.refusals, "the refusal was recorded")


async def test_domain_fronting_is_misdirected(tmp_path: Path) -> None:
    counter = Counter()
    with HttpServer(counter) as server:
        async with serving(tmp_path, upstreams={HOST: server.url, "evil.test": server.url}) as kit:
            answer = await kit.raw(head("Host: evil.test"), tls=HOST)
            assert answer.startswith(b"HTTP/1.1 421 ")
            assert counter.requests == []


async def test_an_equal_absolute_target_is_accepted(tmp_path: Path) -> None:
    counter = Counter()
    with HttpServer(counter) as server:
        async with serving(tmp_path, upstreams={HOST: server.url}) as kit:
            first = f"GET http://{HOST.upper()}/a?b=c HTTP/1.1"
            answer = await kit.raw(head(f"Host: {HOST}", "Connection: close", first=first))
            assert answer.startswith(b"HTTP/1.1 200 ")
            assert counter.requests[0].path == "/a"


async def test_pipelined_requests_are_answered_in_order(tmp_path: Path) -> None:
    counter = Counter()
    with HttpServer(counter) as server:
        async with serving(tmp_path, upstreams={HOST: server.url}) as kit:
            chunked = (
                head(f"Host: {HOST}", "Transfer-Encoding: chunked", first="POST /1 HTTP/1.1") + b"3\r\nabc\r\n0\r\n\r\n"
            )
            sized = head(f"Host: {HOST}", "Content-Length: 3", first="POST /2 HTTP/1.1") + b"xyz"
            last = head(f"Host: {HOST}", "Connection: close", first="GET /3 HTTP/1.1")
            answer = await kit.raw(chunked + sized + last, tls=HOST)
            assert answer.count(b"HTTP/1.1 200 ") == 3
            assert [(r.path, r.body) for r in counter.requests] == [("/1", b"abc"), ("/2", b"xyz"), ("/3", b"")]


NOT_HTTP = {
    "ssh": (b"SSH-2.0-OpenSSH_9.6\r\n", "ssh"),
    "stratum": (b'{"id":1,"method":"mining.subscribe","params":[]}\n', "stratum"),
    "ethproxy": (b'{"id":1,"method":"eth_submitLogin","params":["0x0"]}\n', "stratum"),
    "monero": (b'{"id":1,"method":"login","params":{"login":"4","pass":"x"}}\n', "stratum"),
    "raw": (b"\x05\x01\x00", "raw"),
    "h2c": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "http2"),
}


@pytest.mark.parametrize("tls", [None, "pool.example"])
@pytest.mark.parametrize("name", NOT_HTTP)
async def test_other_protocols_are_named_and_closed(tmp_path: Path, name: str, tls: str | None) -> None:
    data, look = NOT_HTTP[name]
    async with serving(tmp_path) as kit:
        assert await kit.raw(data, tls=tls) == b""
        found = await kit.until(kit.refusals, "the refusal was recorded")
        assert [(entry["look"], entry["count"]) for entry in found] == [(look, 1)]
        assert found[0]["destination"] == (f"pool.example:{kit.port}" if tls else f"127.0.0.1:{kit.port}")


async def test_tls_without_a_name_is_refused_and_recorded(tmp_path: Path) -> None:
    async with serving(tmp_path) as kit:
        context = ssl.create_default_context(cafile=str(kit.ca_file))
        context.check_hostname = False
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await asyncio.open_connection("127.0.0.1", kit.port, ssl=context, server_hostname="127.0.0.1")
        found = await kit.until(kit.refusals, "recorded")
        assert found[0]["look"] == "tls-unknown"


async def test_garbage_tls_and_a_client_that_does_not_trust_us(tmp_path: Path) -> None:
    async with serving(tmp_path) as kit:
        await kit.raw(b"\x16\x03\x01\x00\x05hello", half_close=True)
        with pytest.raises(ssl.SSLError):
            await asyncio.open_connection(
                "127.0.0.1", kit.port, ssl=ssl.create_default_context(cafile=None), server_hostname=HOST
            )

        async def both() -> bool:
            return sum(entry["count"] for entry in await kit.refusals()) >= 1

        await kit.until(both, "recorded")
        assert {entry["look"] for entry in await kit.refusals()} == {"tls-unknown"}


@pytest.mark.parametrize("tls", [None, HOST])
async def test_a_client_that_waits_for_the_server_to_speak_is_silent(tmp_path: Path, tls: str | None) -> None:
    async with serving(tmp_path, settings={"first_byte_seconds_max": 0.2}) as kit:
        assert await kit.raw(b"", tls=tls) == b""
        found = await kit.until(kit.refusals, "recorded")
        assert found[0]["look"] == "silent"


async def test_a_knock_without_a_word_is_recorded(tmp_path: Path) -> None:
    async with serving(tmp_path) as kit:
        assert await kit.raw(b"", half_close=True) == b""
        found = await kit.until(kit.refusals, "recorded")
        assert found[0]["look"] == "silent"


async def test_floods_become_few_entries_with_a_count(tmp_path: Path) -> None:
    async with serving(tmp_path, settings={"refusal_window_seconds": 0.5}) as kit:
        await asyncio.gather(*(kit.raw(b"SSH-2.0-x\r\n") for _ in range(60)))

        async def all_counted() -> bool:
            return sum(entry["count"] for entry in await kit.refusals()) == 60

        await kit.until(all_counted, "all sixty counted")
        assert len(await kit.refusals()) <= 4


async def test_slow_heads_and_bodies_end(tmp_path: Path) -> None:
    limits = {"header_seconds_max": 0.3, "body_idle_seconds_max": 0.3, "idle_seconds_max": 0.3}
    counter = Counter()
    with HttpServer(counter) as server:
        async with serving(tmp_path, upstreams={HOST: server.url}, settings=limits) as kit:
            assert (await kit.raw(b"GET / HTTP/1.1\r\nHost: ")).startswith(b"HTTP/1.1 408 ")
            half = head(f"Host: {HOST}", "Content-Length: 10", first="POST / HTTP/1.1") + b"half"
            assert (await kit.raw(half)).startswith(b"HTTP/1.1 408 ")
            # An idle connection after a request simply ends.
            idle = await kit.raw(head(f"Host: {HOST}"))
            assert idle.startswith(b"HTTP/1.1 200 ") and idle.count(b"HTTP/1.1") == 1
            assert len(counter.requests) == 1


async def test_a_trickling_head_is_bounded_as_a_whole(tmp_path: Path) -> None:
    async with serving(tmp_path, settings={"header_seconds_max": 0.5}) as kit:
        reader, writer = await asyncio.open_connection("127.0.0.1", kit.port)
        writer.write(b"GET / HTTP/1.1\r\n")
        started = asyncio.get_running_loop().time()
        while not reader.at_eof() and asyncio.get_running_loop().time() - started < 10:
            with contextlib.suppress(ConnectionError):
                writer.write(b"X-A: 1\r\n")
                await writer.drain()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.05):
                    if not await reader.read(4096):
                        break
        assert asyncio.get_running_loop().time() - started < 5
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def test_connections_are_capped_and_the_rest_waits(tmp_path: Path) -> None:
    counter = Counter()
    with HttpServer(counter) as server:
        async with serving(tmp_path, upstreams={HOST: server.url}, settings={"connections_max": 5}) as kit:
            idle = [await asyncio.open_connection("127.0.0.1", kit.port) for _ in range(5)]
            await kit.until(lambda: kit.attachment.connections == 5, "five connections")
            waiting = asyncio.create_task(kit.raw(head(f"Host: {HOST}", "Connection: close")))
            done, _ = await asyncio.wait({waiting}, timeout=0.3)
            assert not done and kit.attachment.connections == 5
            for _, writer in idle:
                writer.close()
                await writer.wait_closed()
            assert (await waiting).startswith(b"HTTP/1.1 200 ")


async def test_closing_the_attachment_ends_everything(tmp_path: Path) -> None:
    counter = Counter()
    with HttpServer(counter) as server:
        async with serving(tmp_path, upstreams={HOST: server.url}, hold_seconds=60) as kit:
            held = asyncio.create_task(kit.raw(head(f"Host: {HOST}", first="DELETE / HTTP/1.1"), tls=HOST))
            approval = await kit.pending()
            await kit.attachment.close()
            await held
            assert kit.attachment.connections == 0
            with pytest.raises(OSError):
                await asyncio.open_connection("127.0.0.1", kit.port)
            await kit.engine.approvals.approve(approval.id, BEN)
            assert counter.requests == []


async def refused_or_answered(kit: Kit, data: bytes, tls: str | None) -> None:
    await kit.raw(data, tls=tls, half_close=tls is None)


FRAGMENTS = [
    b"GET / HTTP/1.1\r\n",
    f"Host: {HOST}\r\n".encode(),
    b"\r\n",
    b"Content-Length: 5\r\n",
    b"hello",
    b"Transfer-Encoding: chunked\r\n",
    b"5\r\n",
    b"0\r\n\r\n",
    b"\n",
    b"\r",
    b"SSH-2.0-",
    b"{",
    b"\x16\x03\x01",
    b"POST http://",
    b"Expect: 100-continue\r\n",
    b"Connection: close\r\n",
    b"PRI * HTTP/2.0\r\n",
]


@fuzz(40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    pieces=st.lists(
        st.one_of(
            st.binary(max_size=40),
            st.sampled_from(FRAGMENTS),
        ),
        max_size=14,
    )
)
def test_no_bytes_end_the_listener(tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes]) -> None:
    async def attempt() -> None:
        counter = Counter()
        with HttpServer(counter) as server:
            limits = {"header_seconds_max": 0.3, "body_idle_seconds_max": 0.3, "first_byte_seconds_max": 0.3}
            folder = tmp_path_factory.mktemp("fuzz")
            async with serving(folder, upstreams={HOST: server.url}, settings=limits) as kit:
                await refused_or_answered(kit, b"".join(pieces), None)
                good = await kit.raw(head(f"Host: {HOST}", "Connection: close"), tls=HOST)
                assert good.startswith(b"HTTP/1.1 200 ")
                looks = {entry["look"] for entry in await kit.refusals()}
                assert "error" not in looks
                assert all(request.headers["host"] == HOST for request in counter.requests)

    asyncio.run(attempt())


def test_original_destination_falls_back_to_the_reached_address() -> None:
    from comptroller.enforce.gateway.listener import original_destination

    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        accepted, _ = server.accept()
        with accepted:
            assert original_destination(accepted) == server.getsockname()
            assert client.getpeername() == server.getsockname()


@pytest.mark.parametrize(
    "bad", [b"X: a\nY: b", b"X: a\rY: b", b"X: a\r\n b", b"X: a\r\n\tb", b"X: \x00", b"X: a\r\r\nY"]
)
async def test_a_bad_head_is_refused_byte_by_byte_as_soon_as_it_is_bad(tmp_path: Path, bad: bytes) -> None:
    async with serving(tmp_path) as kit:
        reader, writer = await asyncio.open_connection("127.0.0.1", kit.port)
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in b"GET / HTTP/1.1\r\nHost: api.example.com\r\n" + bad + b"--":
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0)
        async with asyncio.timeout(10):
            assert (await reader.read(64)).startswith(b"HTTP/1.1 400 ")
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def test_a_head_that_trickles_costs_what_its_bytes_cost(tmp_path: Path) -> None:
    looked = 0
    check = http1._check_shape

    def counting(raw: bytes, *, whole: bool) -> None:
        nonlocal looked
        looked += len(raw)
        check(raw, whole=whole)

    async with serving(tmp_path) as kit:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(http1, "_check_shape", counting)
            reader, writer = await asyncio.open_connection("127.0.0.1", kit.port)
            fields = b"X: %s\r\n" % (b"a" * 500) * 20 + b"Connection: close\r\n\r\n"
            head = b"GET / HTTP/1.1\r\nHost: evil.test\r\n" + fields
            for at in range(0, len(head), 20):
                writer.write(head[at : at + 20])
                await writer.drain()
                await asyncio.sleep(0.001)
            async with asyncio.timeout(10):
                assert (await reader.read(-1)).startswith(b"HTTP/1.1 403 ")
            writer.close()
            await writer.wait_closed()
        await kit.settled()
        assert len(head) <= looked < 4 * len(head)
