"""A service that gives back what it was sent does not hand the real credential to the box."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from gateway_kit import SECRETS, config_of, serving
from hypothesis import given, settings
from hypothesis import strategies as st

from comptroller.enforce.gateway.mask import Mask

SECRET = SECRETS["WEATHER_KEY"].encode()


@contextmanager
def echo(*, pieces: int) -> Iterator[str]:
    """A service that sends the request's head back: in its reason, in a header, and as a body in many `pieces`."""
    door = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = door.accept()
            except OSError:
                return
            with connection:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                head = b""
                while b"\r\n\r\n" not in head and (data := connection.recv(65536)):
                    head += data
                line = next((part for part in head.split(b"\r\n") if part.startswith(b"x-weather")), b"none")
                answer = b"HTTP/1.1 200 %b\r\nx-echo: %b\r\ncontent-length: %d\r\n\r\n" % (line, line, len(head))
                answer += head
                step = max(1, len(answer) // pieces)
                for at in range(0, len(answer), step):
                    connection.sendall(answer[at : at + step])

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{door.getsockname()[1]}"
    finally:
        door.shutdown(socket.SHUT_RDWR)
        door.close()
        thread.join()


@pytest.mark.parametrize("pieces", [1, 1000])
async def test_an_echo_does_not_tell_the_credential(tmp_path: Path, pieces: int) -> None:
    with echo(pieces=pieces) as url:
        async with serving(tmp_path, upstreams={"weather.example.com": url}) as kit:
            request = (
                b"GET /%b HTTP/1.1\r\nhost: weather.example.com\r\naccept-encoding: gzip\r\nconnection: close\r\n\r\n"
            )
            async with asyncio.timeout(20):
                first = await kit.raw(request % b"one", tls="weather.example.com")
            head, _, body = first.partition(b"\r\n\r\n")
            assert SECRET not in first
            assert head.count(b"*" * len(SECRET)) == 2 and body.count(b"*" * len(SECRET)) == 1
            assert b"GET /one HTTP/1.1" in body and b"gzip" not in body
            assert b"content-length: %d" % len(body) in head


async def test_trace_is_not_spoken_whatever_a_policy_says(tmp_path: Path) -> None:
    permit = "\n@id('all') permit (principal, action, resource);".replace("'", '"')
    with echo(pieces=1) as url:
        async with serving(tmp_path, config=config_of(), policies=permit, upstreams={"*.example.com": url}) as kit:
            answer = await kit.raw(b"TRACE / HTTP/1.1\r\nhost: weather.example.com\r\n\r\n", tls="weather.example.com")
            assert answer.startswith(b"HTTP/1.1 405 ") and b"TRACE" in answer
            assert await kit.entries("action.allowed") == []


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.sampled_from([b"ababab", b"abababac", b"a", b"b", b"ab", b"c", b"xyz", b""]), max_size=12), st.data()
)
def test_masking_in_pieces_is_masking_at_once(parts: list[bytes], data: st.DataObject) -> None:
    text, mask, out = b"".join(parts), Mask("abababac"), b""
    left = text
    while left:
        size = data.draw(st.integers(1, len(left)))
        out += mask.feed(left[:size])
        left = left[size:]
    out += mask.flush()
    assert out == text.replace(b"abababac", b"*" * 8)


def test_a_short_secret_is_left_alone() -> None:
    mask = Mask("key")
    assert mask.feed(b"a key") + mask.flush() == b"a key" and mask.whole("key") == "key"
