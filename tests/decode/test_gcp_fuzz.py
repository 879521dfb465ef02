"""Totality: whatever arrives at a host of Google's is read without an error, the same each time, and sent as judged."""

from __future__ import annotations

import json
from dataclasses import replace

from gcp_cases import GOLDEN, unwire
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from tests.fuzz_kit import fuzz
from wire_kit import DENIED, MESSAGE, again, request

from comptroller import price
from comptroller.core.action import ActionClass as C
from comptroller.core.action import digest
from comptroller.core.request import Header, Request, Unencodable
from comptroller.decode.gcp import GcpCodec
from comptroller.testing.strategies import requests

CODEC = GcpCodec()
HOSTS = [
    "compute.googleapis.com", "storage.googleapis.com", "bkt.storage.googleapis.com", "www.googleapis.com",
    "iam.googleapis.com", "us-east1-aiplatform.googleapis.com", "x.googleapis.com", "sheets.clients6.google.com",
]  # fmt: skip
RECORDED = [unwire(entry["wire"]) for entry in json.loads(GOLDEN.read_text("utf-8"))]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
HEADERS = ["x-http-method-override", "x-goog-api-client", "via", "x-goog-user-project", "upgrade", "content-type",
           "content-encoding", "x-goog-anything"]  # fmt: skip
NOISES = ["%2F", "%2f", "%3A", ":", "/", "//", "..", "%2e%2e", "%00", "é", "\u212a", "?", "&", "=", "#", ";", "A", "\\"]
NOISE = st.sampled_from(NOISES) | st.text(max_size=3)


def check(asked: Request) -> None:
    action = CODEC.decode(asked)
    assert action.classes and action.undecodable == bool(action.reason)
    assert digest(action) == digest(CODEC.decode(asked))
    assert CODEC.sentence(action)
    price.estimate(action)
    assert CODEC.refuse(action, asked, DENIED, MESSAGE).status == 403
    try:
        outgoing = CODEC.encode(action, asked)
    except Unencodable:
        return
    second = CODEC.decode(again(outgoing, asked))
    assert digest(second) == digest(action) and second.classes == action.classes


@fuzz(150, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_hostile_requests(data: st.DataObject) -> None:
    check(data.draw(requests(host=data.draw(st.sampled_from(HOSTS)))))


@fuzz(200)
@given(asked=st.sampled_from(RECORDED), place=st.integers(0, 200), noise=NOISE)
def test_recorded_requests_with_a_broken_target(asked: Request, place: int, noise: str) -> None:
    """Never weaker: a target that still reads as something else than a read keeps what the members add."""
    cut = min(place, len(asked.target))
    changed = replace(asked, target=asked.target[:cut] + noise + asked.target[cut:])
    check(changed)


@fuzz(200)
@given(asked=st.sampled_from(RECORDED), extra=st.dictionaries(st.text(max_size=10), JSON, max_size=3), data=st.data())
def test_recorded_requests_with_other_members(asked: Request, extra: dict[str, object], data: st.DataObject) -> None:
    body = json.loads(asked.body or b"{}")
    if body and data.draw(st.booleans()):
        body[data.draw(st.sampled_from(sorted(body)))] = data.draw(JSON)
    changed = replace(asked, body=json.dumps({**body, **extra}).encode())
    if not changed.one("content-type"):
        changed = replace(changed, headers=(*changed.headers, Header("content-type", "application/json")))
    check(changed)


@fuzz(100)
@given(asked=st.sampled_from(RECORDED), name=st.sampled_from(HEADERS), value=st.text(max_size=12))
def test_recorded_requests_with_another_header_never_lose_a_class(asked: Request, name: str, value: str) -> None:
    before = CODEC.decode(asked).classes
    changed = replace(asked, headers=(*asked.headers, Header(name, value)))
    check(changed)
    after = CODEC.decode(changed).classes
    assert after >= before or C.UNKNOWN in after


@fuzz(150)
@given(body=st.binary(max_size=300), boundary=st.sampled_from(["b", "--", "x y", ""]), mixed=st.booleans())
def test_multipart_garbage(body: bytes, boundary: str, mixed: bool) -> None:
    framed = b"--b\r\nContent-Type: application/http\r\n\r\n" + body + b"\r\n--b--"
    kind = "multipart/mixed" if mixed else "multipart/related"
    target = "/batch/storage/v1" if mixed else "/upload/storage/v1/b/bkt/o?uploadType=multipart"
    for content in (body, framed):
        check(request("storage.googleapis.com", "POST", target, content, content_type=f'{kind}; boundary="{boundary}"'))
