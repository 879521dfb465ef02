"""In front of everything: the right name, no request from elsewhere, the prefix taken off, security headers on."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from comptroller.server.console.address import Address
from comptroller.server.problem import problem

SECURITY_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": (
        "camera=(), geolocation=(), microphone=(), payment=(), "
        "publickey-credentials-get=(self), publickey-credentials-create=(self)"
    ),
}
NOT_KEPT = "no-store"
HSTS = "max-age=31536000"
DOORS = ("/login", "/go/", "/sign-in", "/enrol")
"""Paths that a link in another page may lead to: nothing is shown there without a further step."""


class Guard:
    """Refuses what does not come from our own pages, and puts the security headers on every answer."""

    def __init__(self, app: ASGIApp, address: Address) -> None:
        self._app = app
        self._address = address

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            return
        scope = self._stripped(scope)

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers[name] = value
                headers.setdefault("cache-control", NOT_KEPT)
                if self._address.secure:
                    headers["strict-transport-security"] = HSTS
            await send(message)

        refusal = self._refusal(Request(scope))
        if refusal is not None:
            await refusal(scope, receive, with_headers)
            return
        await self._app(scope, receive, with_headers)

    def _stripped(self, scope: Scope) -> Scope:
        """The path without the prefix: proxies pass it on or take it off."""
        prefix, path = self._address.prefix, str(scope["path"])
        if prefix and (path == prefix or path.startswith(f"{prefix}/")):
            return {**scope, "path": path[len(prefix) :] or "/"}
        return scope

    def _refusal(self, request: Request) -> Response | None:
        asked = self._address.origin_of(request)
        if asked is None:
            return problem(421, f"this is {self._address.origin}, under no other name")
        reading = request.method in ("GET", "HEAD")
        origins = request.headers.getlist("origin")
        if origins != [asked] and (origins or not reading):
            return problem(403, "requests from elsewhere are refused")
        site = request.headers.get("sec-fetch-site", "same-origin")
        door = reading and request.url.path.startswith(DOORS)
        if site not in ("same-origin", "none") and not door:
            return problem(403, "requests from elsewhere are refused")
        return None
