"""Our reading of a request's head against h11's: whatever passes here means the same there."""

from __future__ import annotations

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fuzz_kit import fuzz

from comptroller.core.request import Header, Outgoing
from comptroller.enforce.gateway.exchange import UpstreamError
from comptroller.enforce.gateway.http1 import BadRequestError, field_lines, parse_head
from comptroller.enforce.gateway.settings import GatewaySettings
from comptroller.enforce.gateway.upstream import request_head

NAMES = ["Host", "host", "Content-Length", "Transfer-Encoding", "X-A", "Connection", "Expect", "x_b", "Content-Length "]
VALUES = [
    "api.example.com",
    "3",
    "03",
    "+3",
    "chunked",
    "CHUNKED",
    "a b",
    "",
    " x ",
    "\x01",
    "é",
    "1, 1",
    "100-continue",
]
LINE = st.one_of(
    st.tuples(st.sampled_from(NAMES), st.sampled_from(VALUES)).map(
        lambda pair: f"{pair[0]}: {pair[1]}".encode("latin-1")
    ),
    st.binary(max_size=12),
)
FIRST = st.sampled_from(
    [
        b"GET / HTTP/1.1",
        b"POST /a?b=c HTTP/1.1",
        b"GET / HTTP/1.0",
        b"GET  / HTTP/1.1",
        b"get /x HTTP/1.1",
        b"GET http://api.example.com/q HTTP/1.1",
        b"GET /\x7f HTTP/1.1",
        b"GET / HTTP/1.1 ",
        b"G(T / HTTP/1.1",
    ]
)


@fuzz(1500)
@given(first=FIRST, lines=st.lists(LINE, max_size=5), host=st.booleans())
def test_what_passes_means_the_same_to_h11(first: bytes, lines: list[bytes], host: bool) -> None:
    named = [b"Host: api.example.com"] if host else []
    raw = b"\r\n".join([first, *named, *lines]) + b"\r\n\r\n"
    raw = raw[: raw.index(b"\r\n\r\n") + 4]
    try:
        head = parse_head(raw, scheme="http", server_name=None, settings=GatewaySettings())
    except BadRequestError:
        return
    oracle = h11.Connection(h11.SERVER)
    oracle.receive_data(raw)
    event = oracle.next_event()
    assert isinstance(event, h11.Request)
    assert event.method.decode() == head.method and event.http_version.decode() == head.version
    assert event.target.decode().removeprefix("http://api.example.com") == head.target
    assert [(n.decode(), v.decode("latin-1")) for n, v in event.headers] == [
        (name, value.lower() if name == "transfer-encoding" else value) for name, value in head.headers
    ]
    after = oracle.next_event()
    assert isinstance(after, h11.EndOfMessage) == (head.length == 0)
    if head.length:
        oracle.receive_data(b"x" * head.length)
        assert len(oracle.next_event().data) == head.length


@fuzz(300)
@given(name=st.text(max_size=6), value=st.text(max_size=10), target=st.text(max_size=6))
def test_what_is_written_is_read_back_as_it_was(name: str, value: str, target: str) -> None:
    outgoing = Outgoing(
        method="GET",
        scheme="https",
        host="api.example.com",
        port=443,
        target="/" + target,
        headers=(Header(f"x-{name}".lower(), value),),
        body=b"",
        family="x",
    )
    try:
        raw = request_head(outgoing)
    except UpstreamError as error:
        assert not error.sent
        return
    oracle = h11.Connection(h11.SERVER)
    oracle.receive_data(raw)
    event = oracle.next_event()
    assert isinstance(event, h11.Request) and event.target.decode() == "/" + target
    assert list(event.headers)[1:] == [(f"x-{name}".lower().encode(), value.strip(" \t").encode("latin-1"))]


@pytest.mark.parametrize("pair", [("a b", "x"), ("a:b", "x"), ("", "x"), ("a", "x\r\ny: z"), ("a", "\0"), ("a", "€")])
def test_header_lines_refuse_injection(pair: tuple[str, str]) -> None:
    with pytest.raises(ValueError):
        field_lines([pair])
