"""Serves the table of endpoints: who asks, may they, what exactly, and only then the handler."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence

from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from comptroller.core.errors import RefusedError, UsageError
from comptroller.core.role import ROLE_RIGHTS, Right
from comptroller.server.api.endpoint import Ask, Endpoint, Query, Verbs
from comptroller.server.api.table import ENDPOINTS
from comptroller.server.identity import Caller
from comptroller.server.operations import ForbiddenError, NotFoundError, Operations
from comptroller.server.problem import Body, guarded, parsed, problem

Identify = Callable[[Request], Awaitable[Caller]]
PATH_PARAMETER_CHARS_MAX = 2_000


class Api:
    """The endpoints over one installation. `open_requests` counts the calls under way."""

    def __init__(self, operations: Operations, verbs: Verbs, *, endpoints: Sequence[Endpoint] = ENDPOINTS) -> None:
        self._operations = operations
        self._verbs = verbs
        self._endpoints = endpoints
        self.open_requests = 0

    def routes(self, prefix: str, identify: Identify, *, over_socket: bool) -> list[Route]:
        """One route a path below `prefix`. `identify` says who asks, or raises."""
        methods: dict[str, dict[str, Endpoint]] = {}
        for endpoint in self._endpoints:
            if over_socket or not endpoint.socket_only:
                methods.setdefault(endpoint.path, {})[endpoint.method] = endpoint
        return [
            Route(f"{prefix}{path}", self._served(known, identify), methods=list(known))
            for path, known in methods.items()
        ]

    def _served(self, known: Mapping[str, Endpoint], identify: Identify) -> Callable[[Request], Awaitable[Response]]:
        async def serve(request: Request) -> object:
            endpoint = known["GET" if request.method == "HEAD" else request.method]
            self.open_requests += 1
            try:
                return await self._answer(request, endpoint, await identify(request))
            finally:
                self.open_requests -= 1

        return guarded(serve)

    async def _answer(self, request: Request, endpoint: Endpoint, caller: Caller) -> Response:
        check_right(caller, endpoint.right)
        ask = Ask(
            operations=self._operations,
            verbs=self._verbs,
            caller=caller,
            path=_path(request),
            given_query=_query(request, endpoint.query),
            given_body=await parsed(request, endpoint.body) if endpoint.method != "GET" else Body(),
        )
        value = await endpoint.handler(ask)
        return Response(json.dumps(value, ensure_ascii=True, default=str), media_type="application/json")


def check_right(caller: Caller, right: Right) -> None:
    """Raises `ForbiddenError` for a caller none of whose roles carries `right`."""
    if not caller.may(right):
        roles = ", ".join(role.value for role, rights in ROLE_RIGHTS.items() if right in rights)
        raise ForbiddenError(
            f"`{caller.person.name}` may not do this: it takes the right `{right}`",
            hint=f"roles that carry it: {roles}; an administrator gives roles (people.NAME.roles)",
        )


def _path(request: Request) -> Mapping[str, str]:
    for value in request.path_params.values():
        if len(value) > PATH_PARAMETER_CHARS_MAX or not value.isprintable():
            raise NotFoundError("nothing here has such a name")
    return request.path_params


def _query(request: Request, model: type[Query]) -> Query:
    pairs = request.query_params.multi_items()
    given = dict(pairs)
    if len(given) != len(pairs):
        raise UsageError("a parameter of the query appears twice")
    try:
        return model.model_validate(given)
    except ValidationError as error:
        wrong = "; ".join(f"`{'.'.join(map(str, item['loc']))}`: {item['msg']}" for item in error.errors())
        raise UsageError(f"the query is not as expected: {wrong}") from error


async def no_such(request: Request, error: Exception) -> Response:
    """The answer where no endpoint is: 404, or 405 with the methods there are."""
    headers = error.headers if isinstance(error, HTTPException) else None
    if headers and "Allow" in headers:
        response = problem(405, f"`{request.method}` is not done at `{request.url.path}`", exit_code=2)
        response.headers["allow"] = headers["Allow"]
        return response
    return problem(404, f"there is nothing at `{request.method} {request.url.path}`", exit_code=2)


async def broken(request: Request, error: Exception) -> Response:
    """The answer where our own code failed."""
    kind = "" if isinstance(error, RefusedError) else type(error).__name__
    return problem(500, f"the server failed at this request ({kind}); its log says more")
