"""Short ways to write requests in codec tests."""

from __future__ import annotations

import json
from collections.abc import Callable

from comptroller.core.request import Header, Outgoing, Request
from comptroller.core.verdict import Reason, Verdict, VerdictKind

DENIED = Verdict(kind=VerdictKind.DENY, reasons=(Reason(code="no_permit", text="no rule permits this"),))
MESSAGE = "comptroller: no rule permits this (rule `r1`); ask for `x`"


def request(
    host: str,
    method: str,
    target: str,
    body: bytes | str | dict[str, object] = b"",
    **headers: str,
) -> Request:
    """A request; a dict becomes JSON, header names take `_` for `-`."""
    if isinstance(body, dict):
        body, headers = json.dumps(body).encode(), {"content_type": "application/json", **headers}
    elif isinstance(body, str):
        body, headers = body.encode(), {"content_type": "application/x-www-form-urlencoded", **headers}
    return Request(
        scheme="https",
        method=method,
        host=host,
        port=443,
        target=target,
        headers=tuple(Header(name.replace("_", "-"), value) for name, value in headers.items()),
        body=body,
        agent="researcher",
        run="run-1",
        accounts={"stripe": "acct_main", "openai": "org-1"},
        attempt="7/1",
    )


def again(outgoing: Outgoing, first: Request) -> Request:
    """What was sent, as if it had just arrived."""
    return Request(
        scheme=outgoing.scheme,
        method=outgoing.method,
        host=outgoing.host,
        port=outgoing.port,
        target=outgoing.target,
        headers=outgoing.headers,
        body=outgoing.body,
        stream=outgoing.stream,
        agent=first.agent,
        run=first.run,
        accounts=first.accounts,
        attempt=first.attempt,
    )


def from_http(method: str, url: str, headers: object, body: bytes, *, host: str) -> Request:
    """A request as an HTTP library is about to send it."""
    pairs = [(k.lower(), v) for k, v in dict(headers).items()]  # type: ignore[call-overload]
    target = "/" + url.split("//", 1)[1].partition("/")[2]
    return Request(
        scheme="https",
        method=method.upper(),
        host=host,
        port=443,
        target=target,
        headers=tuple(Header(k, v) for k, v in pairs),
        body=body,
        agent="researcher",
        run="run-1",
        attempt="7/1",
    )


Answer = Callable[[Request], tuple[int, dict[str, str], bytes]]
