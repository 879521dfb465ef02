"""Every method of Stripe's own SDK, called and caught on the wire: is the operation that was called the one decoded?"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import stripe

from comptroller.core.request import Header, Request
from comptroller.decode.stripe import StripeCodec
from comptroller.decode.stripe.operations import operations

_PATHS = re.compile(r"_request\(\s*\"(get|post|delete)\",\s*(?:\"([^\"]+)\"|\"([^\"]+)\"\.format\()", re.MULTILINE)


class _Caught(stripe.HTTPClient):
    """Keeps the request that a client wanted to send and answers with nothing of interest."""

    name = "caught"

    def __init__(self) -> None:
        super().__init__()
        self.request_seen: Request | None = None

    def request(self, method: str, url: str, headers: Any, post_data: Any = None, **_: object) -> Any:
        parts = urlsplit(url)
        body = post_data.encode() if isinstance(post_data, str) else post_data or b""
        named = tuple(Header(str(name).lower(), str(value)) for name, value in headers.items())
        self.request_seen = Request(
            scheme="https",
            method=method.upper(),
            host=parts.hostname or "",
            port=443,
            target=parts.path + (f"?{parts.query}" if parts.query else ""),
            headers=named,
            body=body,
            agent="bench",
            run="bench",
        )
        return json.dumps({"id": "x", "object": "thing"}), 200, {}

    def close(self) -> None:
        """Nothing is open."""


def measure() -> tuple[int, int, list[str]]:
    """(right, all, what was read otherwise): every method of every v1 and v2 service of the SDK.

    Right is the operation whose method and path stand in the source of the method that was called.
    """
    wire, codec = _Caught(), StripeCodec()
    client = stripe.StripeClient("sk_test_placeholder", http_client=wire, max_network_retries=0)
    right = total = 0
    wrong: list[str] = []
    for path, service in (*_services("", client.v1), *_services("v2.", client.v2)):
        for name, method in _methods(service):
            wire.request_seen = None
            _call(method)
            asked = wire.request_seen
            if asked is None:
                continue
            total += 1
            action = codec.decode(asked)
            known = operations().get(action.operation)
            if known is not None and (known.method, known.shape) == _written(method):
                right += 1
            else:
                wrong.append(f"{path}.{name} read as {action.operation} {action.reason}".rstrip())
    return right, total, wrong


def _services(prefix: str, parent: Any) -> Iterator[tuple[str, Any]]:
    for name in sorted(getattr(type(parent), "__annotations__", {}) or _subservices(parent)):
        child = getattr(parent, name, None)
        if child is None or not type(child).__module__.startswith("stripe."):
            continue
        yield f"{prefix}{name}", child
        yield from _services(f"{prefix}{name}.", child)


def _subservices(parent: Any) -> list[str]:
    module = inspect.getmodule(type(parent))
    return sorted(getattr(module, "_subservices", {}))


def _methods(service: Any) -> Iterator[tuple[str, Any]]:
    for name, method in inspect.getmembers(service, inspect.ismethod):
        if not name.startswith("_") and not name.endswith("_async") and _PATHS.search(inspect.getsource(method)):
            yield name, method


def _call(method: Any) -> None:
    """Call with an id for every part of the path and as few members as the SDK lets pass."""
    arguments = []
    for parameter in inspect.signature(method).parameters.values():
        if parameter.name in ("params", "options"):
            break
        arguments.append("id_1")
    try:
        method(*arguments, {})
    except Exception:  # noqa: BLE001  what the SDK makes of the answer is not asked here
        return


def _written(method: Any) -> tuple[str, str]:
    """Method and path as the SDK's own source has them, `{}` for each id."""
    found = _PATHS.search(inspect.getsource(method))
    assert found is not None
    return found[1].upper(), re.sub(r"\{\w+\}", "{}", found[2] or found[3])
