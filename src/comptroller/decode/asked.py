"""Requests of our own, read by the codec as if an agent had sent them: what is ordered is what would be decoded."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from comptroller.core.action import Action
from comptroller.core.made import Made
from comptroller.core.request import PLAIN_PREFIX, Header, Request


def ask(
    decode: Callable[[Request], Action],
    place: Made,
    method: str,
    target: str,
    *,
    agent: str,
    run: str,
    body: bytes = b"",
    content_type: str = "",
    headers: Sequence[tuple[str, str]] = (),
) -> Action | None:
    """The action of this request at the endpoint of `place`; None where the codec would not take it."""
    request = request_at(
        place.endpoint,
        agent=agent,
        run=run,
        method=method,
        target=target,
        body=body,
        headers=(*headers, *((("content-type", content_type),) if content_type else ())),
        accounts={name: place.account for name in (place.family, _host(place.endpoint)) if place.account},
    )
    action = decode(request)
    return None if action.undecodable else action


def request_at(
    endpoint: str,
    *,
    agent: str,
    run: str,
    method: str = "POST",
    target: str = "/",
    body: bytes = b"",
    headers: Sequence[tuple[str, str]] = (),
    accounts: dict[str, str] | None = None,
) -> Request:
    """A request to an endpoint as `Request.endpoint` writes it."""
    plain = endpoint.startswith(PLAIN_PREFIX)
    port = endpoint.rpartition(":")[2]
    return Request(
        scheme="http" if plain else "https",
        method=method,
        host=_host(endpoint),
        port=int(port) if port.isdigit() else 80 if plain else 443,
        target=target,
        headers=tuple(Header(name, value) for name, value in headers),
        body=body,
        agent=agent,
        run=run,
        accounts=accounts or {},
    )


def _host(endpoint: str) -> str:
    name = endpoint.removeprefix(PLAIN_PREFIX)
    return name.rpartition(":")[0] if name.rpartition(":")[2].isdigit() else name
