"""The API over TCP, under /api/v1 of the console's port: callers show a token. No cookie opens it, no page reads it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from comptroller.server.api.health import PATHS, Health
from comptroller.server.api.serve import Api, Surface, broken, no_such
from comptroller.server.identity import Caller
from comptroller.server.problem import HttpError

PREFIX = "/api/v1"
CHALLENGE = 'Bearer realm="comptroller"'
HEADERS = {
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}

TokenCaller = Callable[[str], Awaitable[Caller | None]]


class Web:
    """The API for whoever shows a token. `caller_of` says for whom a token acts now; None for one that does not."""

    def __init__(self, api: Api, *, caller_of: TokenCaller, health: Health) -> None:
        self._api = api
        self._caller_of = caller_of
        self._health = health

    def app(self) -> ASGIApp:
        """The ASGI application."""
        surface = Surface(prefix=PREFIX, identify=self._caller, over_socket=False)
        app = Starlette(
            routes=[*self._api.routes(surface), *self._health.routes(surface, self._limit)],
            exception_handlers={404: no_such, 405: no_such, 500: broken},
        )
        return _Dressed(app)

    def _limit(self, request: Request) -> None:
        self._api.rate.take(f"probe {request.client.host if request.client else ''}")

    async def _caller(self, request: Request) -> Caller:
        address = request.client.host if request.client else ""
        given = request.headers.getlist("authorization")
        scheme, _, text = (given[0] if len(given) == 1 else "").partition(" ")
        if scheme.lower() != "bearer" or not text.strip():
            self._api.rate.take(f"nobody {address}")
            raise HttpError(
                401,
                "this needs a token",
                hint="Authorization: Bearer TOKEN; make one with: comptroller people token",
                headers={"www-authenticate": CHALLENGE},
            )
        self._api.rate.take(f"somebody {address}")
        caller = await self._caller_of(text.strip())
        if caller is None:
            raise HttpError(
                401,
                "this token does not work, or not any more",
                hint="see yours: comptroller people tokens",
                headers={"www-authenticate": f'{CHALLENGE}, error="invalid_token"'},
            )
        return caller


class _Dressed:
    """Puts the security headers on every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("cache-control", "no-store")
            await send(message)

        await self._app(scope, receive, dressed)


def fronted(web: ASGIApp, console: ASGIApp, *, prefix: str = "") -> ASGIApp:
    """What lies below `/api/`, and what probes ask for, is the API's, with or without the console's prefix before it;
    all else is the console's."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        path = str(scope.get("path", ""))
        bare = path.removeprefix(prefix)
        if bare.startswith("/api/") or bare in PATHS:
            await web({**scope, "path": bare}, receive, send)
        else:
            await console(scope, receive, send)

    return app
