"""The control API: the table of endpoints over a unix socket. Callers are who the kernel says they are."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request

from comptroller.server.api.health import Health
from comptroller.server.api.serve import Api, Surface, broken, no_such
from comptroller.server.desk import Desk
from comptroller.server.identity import Caller, caller_of, os_user
from comptroller.server.listen import PEER_PREFIX
from comptroller.server.operations import ForbiddenError

PREFIX = "/v1"


class Control:
    """The control socket of one installation."""

    def __init__(self, api: Api, desk: Desk, health: Health) -> None:
        self._api = api
        self._health = health
        self._desk = desk

    def app(self) -> Starlette:
        """The ASGI application."""
        surface = Surface(prefix=PREFIX, identify=self._caller, over_socket=True)
        return Starlette(
            routes=[*self._api.routes(surface), *self._health.routes(surface, lambda _: None)],
            exception_handlers={404: no_such, 405: no_such, 500: broken},
        )

    async def _caller(self, request: Request) -> Caller:
        host = request.client.host if request.client else ""
        if not host.startswith(PEER_PREFIX):
            raise ForbiddenError("the caller of this connection is not known")
        uid = int(host.removeprefix(PEER_PREFIX))
        caller = caller_of(uid, config=self._desk.config, owner_uid=self._desk.owner_uid)
        if caller is None:
            user = os_user(uid)
            raise ForbiddenError(
                f"the user `{user or uid}` is no person of this installation",
                hint=f"add people.{user or 'NAME'} to {self._desk.config_path}",
            )
        if request.method not in ("GET", "HEAD") and "origin" in request.headers:
            raise ForbiddenError("a browser has no business here", hint="comptroller approvals open")
        return caller
