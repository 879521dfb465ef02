"""The servers the fakes are made of."""

from __future__ import annotations

import httpx

from comptroller.testing.loopback import HttpAnswer, HttpRequest, HttpServer


def _echo(request: HttpRequest) -> HttpAnswer:
    if request.path == "/pieces":
        return HttpAnswer(body=iter([b"one ", b"", b"two"]))
    return HttpAnswer(status=201, headers={"x-seen": request.method}, body=request.body or request.query["q"].encode())


def test_fixed_and_streamed_answers_over_one_connection() -> None:
    with HttpServer(_echo) as server, httpx.Client(base_url=server.url) as client:
        assert client.get("/", params={"q": "a b"}).text == "a b"
        assert client.get("/pieces").text == "one two"
        answer = client.post("/", content=iter([b"x" * 70_000, b"y"]))
        assert (answer.status_code, answer.headers["x-seen"], len(answer.content)) == (201, "POST", 70_001)
        assert client.head("/", params={"q": "abc"}).headers["content-length"] == "3"
        assert server.connections == 1


def test_nothing_answers_after_close() -> None:
    with HttpServer(_echo) as server:
        url = server.url
    try:
        httpx.get(url, params={"q": "x"})
    except httpx.ConnectError:
        return
    raise AssertionError("it still answers")
