"""Hypothesis strategies for requests, good and hostile, that any codec must take without raising."""

from __future__ import annotations

import json
from itertools import pairwise
from urllib.parse import quote

from hypothesis import strategies as st

from comptroller.core.request import Header, Request, Stream

METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "get", "BREW", "")
HEADER_NAMES = [
    "content-type",
    "content-encoding",
    "accept",
    "authorization",
    "cookie",
    "idempotency-key",
    "upgrade",
    "x-http-method-override",
    "x-amz-target",
    "x-amz-date",
    "x-amz-security-token",
    "stripe-account",
    "stripe-version",
    "anthropic-version",
    "openai-project",
    "transfer-encoding",
    "content-length",
    "range",
    "user-agent",
]
CONTENT_TYPES = (
    "application/json",
    "application/x-www-form-urlencoded",
    "application/x-amz-json-1.1",
    "text/plain",
    "multipart/form-data; boundary=x",
    "",
)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**45), 10**45) | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
"""Anything `json.dumps` writes, NaN and lone surrogates included."""

_pair_names = st.sampled_from(["Action", "amount", "a[b]", "a[]", "currency", "a"]) | st.text(max_size=6)
forms = st.lists(st.tuples(_pair_names, st.text(max_size=8)), max_size=6).map(
    lambda pairs: "&".join(
        f"{quote(k, safe='[]', errors='replace')}={quote(v, errors='replace')}" for k, v in pairs
    ).encode()
)
"""Forms, doubled and conflicting names included."""

bodies = (
    st.binary(max_size=64)
    | json_values.map(lambda value: json.dumps(value).encode("utf-8"))
    | forms
    | st.just(b"[" * 2000)
    | st.just(b'{"model":"gpt-4o","model":"gpt-4o"}')
)
targets = (
    st.sampled_from(
        [
            "/",
            "/v1/transfers",
            "/v1/transfers/tr_1/reversals",
            "/v1/chat/completions",
            "/v1/messages",
            "/a/../..",
            "*",
            "/v2/core/events",
            "/?Action=RunInstances",
            "//host/x",
            "/%2e%2e/x",
            "/a%00b",
            "http://other/x",
        ]
    )
    | st.text(max_size=20)
    | st.text(max_size=20).map(lambda text: "/" + quote(text, errors="replace"))
)
headers = st.lists(
    st.tuples(st.sampled_from(HEADER_NAMES), st.sampled_from(CONTENT_TYPES) | st.text(max_size=12)), max_size=5
).map(lambda pairs: tuple(Header(name, value) for name, value in pairs))
streams = st.none() | st.builds(
    Stream, length_bytes=st.none() | st.integers(0, 10**9), sha256=st.none() | st.just("0" * 64)
)


@st.composite
def requests(draw: st.DrawFn, *, host: str) -> Request:
    """Any request to `host`."""
    stream = draw(streams) if draw(st.integers(0, 9)) == 0 else None
    return Request(
        scheme=draw(st.sampled_from(["https", "http"])),
        method=draw(st.sampled_from(METHODS)),
        host=host,
        port=draw(st.sampled_from([443, 80, 8443])),
        target=draw(targets),
        headers=draw(headers),
        body=b"" if stream is not None else draw(bodies),
        agent="researcher",
        run="0192f0c1-0000-7000-8000-000000000000",
        stream=stream,
        attempt="1/1",
    )


@st.composite
def chunked(draw: st.DrawFn, data: bytes) -> list[bytes]:
    """`data` cut into pieces at arbitrary places."""
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=8)))
    edges = [0, *cuts, len(data)]
    return [data[a:b] for a, b in pairwise(edges)]
