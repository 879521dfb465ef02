"""The control API: HTTP and JSON over a unix socket. Callers are who the kernel says they are."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal, cast

from pydantic import Field
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from comptroller.core.errors import RefusedError
from comptroller.server.identity import Caller, caller_of, os_user
from comptroller.server.listen import PEER_PREFIX
from comptroller.server.operations import (
    ENTRIES_MAX,
    WAIT_SECONDS_MAX,
    BrakeVerb,
    ForbiddenError,
    Operations,
)
from comptroller.server.problem import Body, guarded, number, parsed, problem
from comptroller.server.render import Json

Handler = Callable[[Request], Awaitable[Response]]
INDEX_MAX = 2**53


class Yes(Body):
    """`POST …/approve`."""

    ceiling_usd: str | None = None
    comment: str = ""


class No(Body):
    """`POST …/reject`."""

    comment: str = ""


class BrakeRequest(Body):
    """`POST /v1/freeze|thaw|kill`."""

    scope: str
    reason: str = ""


class BudgetRequest(Body):
    """`POST /v1/budgets`."""

    scope: str
    unit: str
    limit: str
    window: str = "total"
    on_exceed: str = ""


class SettleRequest(Body):
    """`POST /v1/suspense/…/settle`."""

    cost_usd: str
    amounts: str = ""
    reason: str
    source: str = "person"


class ConfirmRequest(Body):
    """`POST /v1/prices/confirm`."""

    key: str
    reason: str = ""


class AdoptRequest(Body):
    """`POST /v1/holdings`."""

    kind: str = Field(min_length=3, max_length=200)
    resource: str = Field(min_length=1, max_length=2000)
    agent: str
    account: str = ""
    region: str = ""
    endpoint: str = ""
    reason: str


class StopRequest(Body):
    """`POST /v1/holdings/…/stop`."""

    reason: str = ""
    delete: Literal["true", "false"] = "false"


class ForgetRequest(Body):
    """`POST /v1/holdings/…/forget`."""

    reason: str


class RemoveRequest(Body):
    """`POST /v1/archived`."""

    file: str


class Control:
    """The routes of the control socket. `link` makes a one-time link to the page, `stop` ends the server."""

    def __init__(self, operations: Operations, *, link: Callable[[Caller], Json], stop: Callable[[], None]) -> None:
        self._operations = operations
        self._link = link
        self._stop = stop
        self.open_requests = 0

    def app(self) -> Starlette:
        """The ASGI application."""
        routes = [
            self._route("/v1/status", self._status),
            self._route("/v1/runs", self._runs),
            self._route("/v1/runs/{id}", self._run),
            self._route("/v1/approvals", self._approvals),
            self._route("/v1/approvals/{id}", self._approval),
            self._route("/v1/approvals/{id}/approve", self._approve, "POST"),
            self._route("/v1/approvals/{id}/reject", self._reject, "POST"),
            self._route("/v1/budgets", self._budgets),
            self._route("/v1/budgets", self._set_budget, "POST"),
            self._route("/v1/holdings", self._holdings),
            self._route("/v1/holdings", self._adopt, "POST"),
            self._route("/v1/holdings/drift", self._drift, "POST"),
            self._route("/v1/holdings/{id}", self._holding),
            self._route("/v1/holdings/{id}/stop", self._stop_holding, "POST"),
            self._route("/v1/holdings/{id}/forget", self._forget, "POST"),
            self._route("/v1/suspense", self._suspense),
            self._route("/v1/suspense/{id}/settle", self._settle_suspense, "POST"),
            self._route("/v1/prices/confirm", self._confirm_price, "POST"),
            self._route("/v1/entries", self._entries),
            self._route("/v1/archived", self._remove_archived, "POST"),
            self._route("/v1/{verb:str}", self._brake, "POST", also=("freeze", "thaw", "kill")),
            self._route("/v1/page-link", self._page_link, "POST"),
            self._route("/v1/shutdown", self._shutdown, "POST"),
        ]
        flat = [route for group in routes for route in group]
        return Starlette(routes=flat, exception_handlers={404: _no_such, 405: _no_such, 500: _broken})

    def _route(
        self,
        path: str,
        handler: Callable[[Request, Caller], Awaitable[object]],
        method: str = "GET",
        also: tuple[str, ...] = (),
    ) -> list[Route]:
        paths = [path.replace("{verb:str}", verb) for verb in also] or [path]
        return [Route(each, self._known(handler), methods=[method]) for each in paths]

    def _known(self, handler: Callable[[Request, Caller], Awaitable[object]]) -> Handler:
        async def identified(request: Request) -> object:
            caller = self._caller(request)
            if request.method != "GET" and "origin" in request.headers:
                raise ForbiddenError("a browser has no business here", hint="comptroller approvals open")
            self.open_requests += 1
            try:
                return await handler(request, caller)
            finally:
                self.open_requests -= 1

        return guarded(identified)

    def _caller(self, request: Request) -> Caller:
        desk = self._operations.desk
        host = request.client.host if request.client else ""
        if not host.startswith(PEER_PREFIX):
            raise ForbiddenError("the caller of this connection is not known")
        uid = int(host.removeprefix(PEER_PREFIX))
        caller = caller_of(uid, config=desk.config, owner_uid=desk.owner_uid)
        if caller is None:
            user = os_user(uid)
            raise ForbiddenError(
                f"the user `{user or uid}` is no person of this installation",
                hint=f"add people.{user or 'NAME'} to {desk.config_path}",
            )
        return caller

    async def _status(self, request: Request, caller: Caller) -> object:
        return await self._operations.status(caller)

    async def _runs(self, request: Request, caller: Caller) -> object:
        return await self._operations.runs()

    async def _run(self, request: Request, caller: Caller) -> object:
        return await self._operations.run(request.path_params["id"])

    async def _approvals(self, request: Request, caller: Caller) -> object:
        return await self._operations.approvals(caller, request.query_params.get("state", ""))

    async def _approval(self, request: Request, caller: Caller) -> object:
        return await self._operations.approval(caller, request.path_params["id"])

    async def _approve(self, request: Request, caller: Caller) -> object:
        body = cast(Yes, await parsed(request, Yes))
        return await self._operations.approve(
            caller, request.path_params["id"], ceiling_usd=body.ceiling_usd, comment=body.comment
        )

    async def _reject(self, request: Request, caller: Caller) -> object:
        body = cast(No, await parsed(request, No))
        return await self._operations.reject(caller, request.path_params["id"], comment=body.comment)

    async def _budgets(self, request: Request, caller: Caller) -> object:
        return await self._operations.budgets()

    async def _set_budget(self, request: Request, caller: Caller) -> object:
        body = cast(BudgetRequest, await parsed(request, BudgetRequest))
        return await self._operations.set_budget(
            caller, scope=body.scope, unit=body.unit, limit=body.limit, window=body.window, on_exceed=body.on_exceed
        )

    async def _holdings(self, request: Request, caller: Caller) -> object:
        return await self._operations.holdings(every=request.query_params.get("every") == "true")

    async def _holding(self, request: Request, caller: Caller) -> object:
        return await self._operations.holding(request.path_params["id"])

    async def _adopt(self, request: Request, caller: Caller) -> object:
        body = cast(AdoptRequest, await parsed(request, AdoptRequest))
        return await self._operations.adopt_holding(caller, **body.model_dump())

    async def _drift(self, request: Request, caller: Caller) -> object:
        await parsed(request, Body)
        return await self._operations.drift()

    async def _stop_holding(self, request: Request, caller: Caller) -> object:
        body = cast(StopRequest, await parsed(request, StopRequest))
        return await self._operations.stop_holding(
            caller, request.path_params["id"], reason=body.reason, delete=body.delete == "true"
        )

    async def _forget(self, request: Request, caller: Caller) -> object:
        body = cast(ForgetRequest, await parsed(request, ForgetRequest))
        return await self._operations.forget_holding(caller, request.path_params["id"], reason=body.reason)

    async def _suspense(self, request: Request, caller: Caller) -> object:
        return await self._operations.suspense()

    async def _settle_suspense(self, request: Request, caller: Caller) -> object:
        body = cast(SettleRequest, await parsed(request, SettleRequest))
        return await self._operations.settle_suspense(
            caller,
            request.path_params["id"],
            cost_usd=body.cost_usd,
            amounts=body.amounts,
            reason=body.reason,
            source=body.source,
        )

    async def _confirm_price(self, request: Request, caller: Caller) -> object:
        body = cast(ConfirmRequest, await parsed(request, ConfirmRequest))
        return await self._operations.confirm_price(caller, key=body.key, reason=body.reason)

    async def _entries(self, request: Request, caller: Caller) -> object:
        return await self._operations.entries(
            after=int(number(request, "after", -1, INDEX_MAX)),
            limit=int(number(request, "limit", 100, ENTRIES_MAX)),
            run=request.query_params.get("run", ""),
            wait_seconds=number(request, "wait", 0, WAIT_SECONDS_MAX),
        )

    async def _remove_archived(self, request: Request, caller: Caller) -> object:
        body = cast(RemoveRequest, await parsed(request, RemoveRequest))
        return await self._operations.remove_archived(caller, file=body.file)

    async def _brake(self, request: Request, caller: Caller) -> object:
        body = cast(BrakeRequest, await parsed(request, BrakeRequest))
        verb = cast(BrakeVerb, request.url.path.rsplit("/", 1)[1])
        return await self._operations.brake(caller, verb, body.scope, reason=body.reason)

    async def _page_link(self, request: Request, caller: Caller) -> object:
        return self._link(caller)

    async def _shutdown(self, request: Request, caller: Caller) -> object:
        if not caller.operator:
            raise ForbiddenError(f"`{caller.person.name}` may not stop the server")
        self._stop()
        return {"stopping": True}


async def _no_such(request: Request, error: Exception) -> Response:
    return problem(404, f"there is nothing at `{request.method} {request.url.path}`", exit_code=2)


async def _broken(request: Request, error: Exception) -> Response:
    kind = "" if isinstance(error, RefusedError) else type(error).__name__
    return problem(500, f"the server failed at this request ({kind}); its log says more")
