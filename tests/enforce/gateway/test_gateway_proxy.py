"""The run's proxy: who is let through, and that no head ends in anything but a place or a refusal."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comptroller.core.request import Header
from comptroller.enforce.gateway import proxy
from comptroller.enforce.gateway.http1 import BadRequestError
from comptroller.enforce.gateway.settings import GatewaySettings

SECRET = "s" * 43
SETTINGS = GatewaySettings()


def shown(secret: str, user: str = "run") -> str:
    return "Basic " + base64.b64encode(f"{user}:{secret}".encode()).decode()


def head(target: str = "example.com:443", *lines: str, secret: str = SECRET) -> bytes:
    return "\r\n".join([f"CONNECT {target} HTTP/1.1", *lines, f"Proxy-Authorization: {shown(secret)}"]).encode()


def test_the_secret_opens_and_names_the_place() -> None:
    assert proxy._place(head(), SECRET, SETTINGS) == ("example.com", 443)
    assert proxy._place(head("EXAMPLE.com:8443", "Host: other"), SECRET, SETTINGS) == ("example.com", 8443)


@given(st.text(max_size=60))
def test_nothing_but_the_secret_does(text: str) -> None:
    assert proxy.admits(SECRET, [("proxy-authorization", shown(text))]) == (text == SECRET)
    assert not proxy.admits(SECRET, [("proxy-authorization", text)])
    assert not proxy.admits(SECRET, [("authorization", shown(SECRET))])
    assert not proxy.admits(SECRET, [("proxy-authorization", shown(SECRET, user="x" + text))])
    assert not proxy.admits("", [("proxy-authorization", shown(text))])


def test_the_secret_goes_no_further() -> None:
    given_ = (Header("host", "a"), Header("proxy-authorization", shown(SECRET)), Header("proxy-connection", "close"))
    assert proxy.without_secret(given_) == (Header("host", "a"),)
    assert SECRET not in repr(proxy.refused())


@given(st.binary(max_size=300))
def test_any_head_ends_in_a_refusal(garbage: bytes) -> None:
    for raw in (garbage, b"CONNECT " + garbage, head() + b"\r\n" + garbage, head("x") + garbage):
        try:
            host, port = proxy._place(raw, SECRET, SETTINGS)
        except BadRequestError as error:
            assert 400 <= error.status < 600 and SECRET not in error.text
        else:
            assert host == "example.com" and port == 443


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (head(secret="wrong"), 407),
        (b"CONNECT example.com:443 HTTP/1.1", 407),
        (head() + b"\r\nProxy-Authorization: " + shown(SECRET).encode(), 407),
        (head("example.com"), 400),
        (head("example.com:0"), 400),
        (head("example.com:99999"), 400),
        (head("user@example.com:443"), 400),
        (head("[::1]:443"), 400),
        (head("example.com:443", "Content-Length: 4"), 400),
        (head("example.com:443", "Transfer-Encoding: chunked"), 400),
        (head("example.com:443 x"), 400),
        (head("example.com:443", *["a: b"] * 200), 431),
    ],
)
def test_what_is_refused(raw: bytes, status: int) -> None:
    with pytest.raises(BadRequestError) as caught:
        proxy._place(raw, SECRET, SETTINGS)
    assert caught.value.status == status
