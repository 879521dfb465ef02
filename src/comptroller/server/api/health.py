"""Whether the server lives and can decide, for probes that have no account, and its counters as Prometheus text.

`/healthz` and `/readyz` hold no data: over TCP not even why something is missing, which may name a host or a path. The
control socket says why. `/metrics` takes the right `read`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import monotonic

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from comptroller.core.errors import StoreError
from comptroller.core.role import Right
from comptroller.ports import Changes, Wants
from comptroller.server.api.metrics import Metrics
from comptroller.server.api.serve import Surface, check_right
from comptroller.server.desk import Desk
from comptroller.server.operations import ForbiddenError
from comptroller.server.problem import HttpError, guarded

LIVES, READY, METRICS = "/healthz", "/readyz", "/metrics"
PATHS = (LIVES, READY, METRICS)
ANSWER_SECONDS_MAX = 2.0
KEPT_SECONDS = 1.0
"""However often strangers ask, the store is asked once in this time."""
TEXT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """What keeps the server from deciding. `what` is for everybody, `why` and `hint` for this machine alone."""

    what: str
    why: str = ""
    hint: str = ""


class Health:
    """Answers probes for one server. `attached` says whether boxes are served."""

    def __init__(self, desk: Desk, metrics: Metrics, *, attached: Callable[[], bool]) -> None:
        self._desk = desk
        self._metrics = metrics
        self._attached = attached
        self._asking = asyncio.Lock()
        self._kept: tuple[float, Missing | None] | None = None

    def routes(self, surface: Surface, limit: Callable[[Request], None]) -> list[Route]:
        """The three paths. `limit` raises for a caller who asks too often."""

        async def lives(request: Request) -> Response:
            limit(request)
            return JSONResponse({"status": "lives"})

        async def ready(request: Request) -> Response:
            limit(request)
            missing = await self.missing()
            if missing is None:
                return JSONResponse({"status": "ready"})
            if surface.over_socket and missing.why:
                await surface.identify(request)
                raise HttpError(503, f"not ready: {missing.what}: {missing.why}", hint=missing.hint)
            raise HttpError(503, f"not ready: {missing.what}", hint="the server's control socket says more")

        async def metrics(request: Request) -> Response:
            caller = await surface.identify(request)
            check_right(caller, Right.READ)
            if caller.scopes:
                raise ForbiddenError("a token of some scopes sees no numbers of the whole")
            return PlainTextResponse(await self._metrics.text(), media_type=TEXT_TYPE)

        handlers: dict[str, Callable[[Request], Awaitable[object]]] = {LIVES: lives, READY: ready, METRICS: metrics}
        return [Route(path, guarded(handler), methods=["GET"]) for path, handler in handlers.items()]

    async def missing(self) -> Missing | None:
        """What is missing for decisions, as it was found at most a second ago; None where nothing is."""
        async with self._asking:
            if self._kept is None or monotonic() - self._kept[0] >= KEPT_SECONDS:
                found = await self._look()
                self._kept = (monotonic(), found)
            return self._kept[1]

    async def _look(self) -> Missing | None:
        if not self._attached():
            return Missing(what="boxes are not served")
        rules = self._desk.rules
        if rules is not None and not rules.boundary.policy_hash:
            return Missing(what="no policies are in force", hint="comptroller policy check")
        return await self._store_missing()

    async def _store_missing(self) -> Missing | None:
        what = "the store answers no read"
        try:
            async with asyncio.timeout(ANSWER_SECONDS_MAX):
                await self._desk.store.size()
                what = "the store takes no write"
                await self._desk.store.commit(Wants(now=self._desk.clock.now()), lambda _: (Changes(), None))
        except StoreError as error:
            return Missing(what=what, why=error.message, hint=error.hint)
        except TimeoutError:
            return Missing(what=what, why=f"it did not answer within {ANSWER_SECONDS_MAX:g} s")
        return None
