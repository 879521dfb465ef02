"""The generic codec: what is bound is what is sent, and what cannot be read is unknown."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from wire_kit import DENIED, MESSAGE, again, request

from comptroller.core.action import ActionClass, digest
from comptroller.core.request import Header, Stream, Unencodable
from comptroller.core.secrecy import HIDDEN, REDACTED, redacted, shown
from comptroller.decode.http import METHOD_CLASSES, HttpCodec

CODEC = HttpCodec()
HOST = "files.example.com"


@pytest.mark.parametrize(("method", "cls"), METHOD_CLASSES.items())
def test_methods(method: str, cls: ActionClass) -> None:
    action = CODEC.decode(request(HOST, method, "/x"))
    assert (action.operation, action.service, action.classes) == (f"http:{HOST}:{method}", "http", {cls})


@pytest.mark.parametrize("method", ["CONNECT", "TRACE", "get", "BREW", "", "GET\r\nX", "X" * 100])
def test_other_methods_are_unknown(method: str) -> None:
    action = CODEC.decode(request(HOST, method, "/x"))
    assert action.undecodable and "method" in action.reason
    digest(action)


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        ({"upgrade": "websocket"}, "switch protocols"),
        ({"upgrade": "h2c, websocket"}, "switch protocols"),
        ({"sec_websocket_key": "x"}, "WebSocket"),
        ({"x_http_method_override": "DELETE"}, "method and path"),
        ({"x_original_url": "/admin"}, "method and path"),
        ({"content_type": "a\x00b"}, "control byte"),
        ({"content_type": "a" * 10_000}, "too long"),
    ],
)
def test_what_says_one_thing_and_does_another_is_unknown(headers: dict[str, str], why: str) -> None:
    action = CODEC.decode(request(HOST, "POST", "/x", **headers))
    assert action.undecodable and why in action.reason
    with pytest.raises(Unencodable):
        CODEC.encode(action, request(HOST, "POST", "/x", **headers))


def test_an_offer_of_h2c_is_ignored() -> None:
    asked = request(HOST, "GET", "/x", upgrade="h2c", http2_settings="AAMAAABkAAQAAP__")
    action = CODEC.decode(asked)
    assert not action.undecodable
    assert CODEC.encode(action, asked).headers == ()


def test_credentials_never_become_part_of_an_action_or_leave() -> None:
    secret = "s3cr3t-value"
    asked = request(HOST, "GET", "/x", authorization=f"Bearer {secret}", cookie=secret, x_api_key=secret, accept="a/b")
    action = CODEC.decode(asked)
    sent = CODEC.encode(action, asked)
    assert secret not in repr(action) and secret not in repr(sent)
    assert sent.headers == (Header("accept", "a/b"),)
    assert sent.family == HOST


@pytest.mark.parametrize(
    "change",
    [
        {"method": "PUT"},
        {"target": "/y?a=1"},
        {"target": "/x?a=2"},
        {"target": "/x"},
        {"body": b"other"},
        {"headers": (Header("content-type", "text/other"),)},
        {"headers": (Header("content-type", "text/plain"), Header("range", "bytes=0-1"))},
        {"port": 8443},
        {"run": "run-2"},
    ],
)
def test_every_bound_part_changes_the_digest(change: dict[str, object]) -> None:
    asked = request(HOST, "POST", "/x?a=1", b"body", content_type="text/plain")
    assert digest(CODEC.decode(asked)) != digest(CODEC.decode(replace(asked, **change)))  # type: ignore[arg-type]


def test_what_is_not_bound_does_not_change_it() -> None:
    asked = request(HOST, "POST", "/x", b"body", user_agent="a", idempotency_key="1")
    other = replace(asked, headers=(Header("user-agent", "b"), Header("idempotency-key", "2")), attempt="9/9")
    assert digest(CODEC.decode(asked)) == digest(CODEC.decode(other))
    assert CODEC.decode(other).call.retry_token == "2"


def test_a_body_that_was_not_judged_is_not_sent() -> None:
    asked = request(HOST, "POST", "/x", b"body")
    with pytest.raises(Unencodable):
        CODEC.encode(CODEC.decode(asked), replace(asked, body=b"other"))
    with pytest.raises(Unencodable):
        CODEC.encode(CODEC.decode(asked), replace(asked, host="evil.example.com"))


def test_streams_are_bound_by_length_and_hash() -> None:
    asked = replace(request(HOST, "PUT", "/x"), stream=Stream(length_bytes=5, sha256="0" * 64))
    action = CODEC.decode(asked)
    assert action.call.payload_bytes == 5
    assert CODEC.encode(action, asked).stream == asked.stream
    assert digest(action) != digest(CODEC.decode(replace(asked, stream=Stream(length_bytes=5, sha256="1" * 64))))


@pytest.mark.parametrize(
    "asked",
    [
        request("github.com", "GET", "/o/r.git/info/refs?service=git-upload-pack", git_protocol="version=2"),
        request(
            "github.com",
            "POST",
            "/o/r.git/git-upload-pack",
            b"0011command=fetch",
            git_protocol="version=2",
            content_type="application/x-git-upload-pack-request",
        ),
        request("packages.example.com", "GET", "/simple/requests/", accept="application/vnd.pypi.simple.v1+json"),
        request("packages.example.org", "GET", "/@types%2fnode", accept="application/vnd.npm.install-v1+json"),
        request("packages.example.org", "POST", "/-/npm/v1/security/advisories/bulk", b"{}", content_encoding="gzip"),
    ],
)
def test_git_pip_and_npm_pass(asked: object) -> None:
    action = CODEC.decode(asked)  # type: ignore[arg-type]
    assert not action.undecodable, action.reason
    sent = CODEC.encode(action, asked)  # type: ignore[arg-type]
    assert sent.body == asked.body  # type: ignore[attr-defined]
    assert digest(CODEC.decode(again(sent, asked))) == digest(action)  # type: ignore[arg-type]


def test_refusals_suit_the_reader() -> None:
    action = CODEC.decode(request(HOST, "GET", "/x"))
    problem = CODEC.refuse(action, request(HOST, "GET", "/x"), DENIED, MESSAGE)
    assert problem.status == 403
    assert Header("content-type", "application/problem+json") in problem.headers
    assert json.loads(problem.body)["detail"] == MESSAGE
    page = CODEC.refuse(action, request(HOST, "GET", "/x", accept="text/html,*/*"), DENIED, MESSAGE)
    assert MESSAGE.encode() in page.body and Header("content-type", "text/plain; charset=utf-8") in page.headers
    hostile = CODEC.refuse(action, request(HOST, "GET", "/x"), DENIED, "a\r\nset-cookie: x\ud800\u2028")
    assert all("\n" not in h.value and h.value.isascii() for h in hostile.headers)


def test_query_secrets_are_sensitive() -> None:
    assert "query" in CODEC.decode(request(HOST, "GET", "/x?access_token=1")).sensitive
    assert "query" not in CODEC.decode(request(HOST, "GET", "/x?page=1")).sensitive


def test_headers_that_are_lists_are_joined_and_others_may_not_be_doubled() -> None:
    asked = request(HOST, "GET", "/v2/library/x/manifests/1")
    twice = replace(asked, headers=(Header("accept", "a/b"), Header("accept", "c/d")))
    action = CODEC.decode(twice)
    sent = CODEC.encode(action, twice)
    assert sent.headers == (Header("accept", "a/b, c/d"),)
    assert digest(CODEC.decode(again(sent, twice))) == digest(action)
    doubled = replace(asked, headers=(Header("content-type", "a/b"), Header("content-type", "c/d")))
    assert CODEC.decode(doubled).undecodable


@pytest.mark.parametrize(
    ("kind", "body", "seen"),
    [
        (
            "application/json",
            b'{"amount": 250000, "to": {"iban": "DE1"}, "password": "hunter2hunter2", "note": "sk-abcdefghijklmnopq"}',
            [["body.amount", "250000"], ["body.to.iban", "DE1"], ["body.password", HIDDEN], ["body.note", HIDDEN]],
        ),
        ("application/x-www-form-urlencoded", b"to=ann&to=ben&token=s3cret", [["body.to", "ann"], ["body.to", "ben"]]),
        ("application/json", b'{"a": 1, "a": 2}', []),
        ("application/json", b"[" * 5_000, []),
        ("application/x-www-form-urlencoded", b"&=&" * 9_000, []),
        ("text/plain", b'{"a": 1}', []),
        ("application/json", b'"' + b"a" * 70_000 + b'"', []),
    ],
)
def test_what_a_body_holds_is_shown_to_people_and_decides_nothing(kind: str, body: bytes, seen: list[object]) -> None:
    action = CODEC.decode(request(HOST, "POST", "/pay", body=body, content_type=kind))
    told = shown({**action.parameters, **action.preview}, action.sensitive - action.preview.keys())
    assert [pair for pair in told if pair[0].startswith("body.") and "token" not in pair[0]] == seen
    assert "hunter2" not in str(told) and "s3cret" not in str(told) and "abcdefgh" not in str(told)
    assert digest(action) == digest(replace(action, preview={}))
    assert redacted(action.parameters, action.sensitive)["body"] == REDACTED
