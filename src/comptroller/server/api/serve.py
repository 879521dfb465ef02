"""Serves the table of endpoints: who asks, may they, what exactly, and only then the handler."""

from __future__ import annotations

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import format_datetime
from weakref import WeakValueDictionary

from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from comptroller.core.errors import RefusedError, UsageError
from comptroller.core.role import ROLE_RIGHTS, Right
from comptroller.server.api.endpoint import Ask, Endpoint, Query, Verbs
from comptroller.server.api.paging import LIMIT_DEFAULT, page_of
from comptroller.server.api.rate import Rate
from comptroller.server.api.replies import Replies, Reply
from comptroller.server.api.table import ENDPOINTS
from comptroller.server.api.version import etag_of, matches
from comptroller.server.identity import Caller
from comptroller.server.operations import ForbiddenError, NotFoundError, Operations
from comptroller.server.problem import Body, HttpError, body_bytes, guarded, parsed_bytes, problem

Identify = Callable[[Request], Awaitable[Caller]]
PATH_PARAMETER_CHARS_MAX = 2_000
READ_SECONDS_MAX = 30.0
JSON_TYPE = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Surface:
    """One way in. `identify` says who asks, or raises. `over_socket`: only this machine comes this way; listings are
    whole by default and a body needs no type."""

    prefix: str
    identify: Identify
    over_socket: bool


class Api:
    """The endpoints over one installation. `open_requests` counts the calls under way."""

    def __init__(self, operations: Operations, verbs: Verbs, *, endpoints: Sequence[Endpoint] = ENDPOINTS) -> None:
        self._operations = operations
        self._verbs = verbs
        self._endpoints = endpoints
        self._readers = {endpoint.path: endpoint for endpoint in endpoints if endpoint.method == "GET"}
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self.replies = Replies(operations.desk)
        self.rate = Rate(time.monotonic)
        self.open_requests = 0

    def routes(self, surface: Surface) -> list[Route]:
        """One route a path."""
        methods: defaultdict[str, dict[str, Endpoint]] = defaultdict(dict)
        for endpoint in self._endpoints:
            if surface.over_socket or not endpoint.socket_only:
                methods[endpoint.path][endpoint.method] = endpoint
        return [
            Route(f"{surface.prefix}{path}", self._served(known, surface), methods=list(known))
            for path, known in methods.items()
        ]

    def _served(self, known: Mapping[str, Endpoint], surface: Surface) -> Callable[[Request], Awaitable[Response]]:
        async def serve(request: Request) -> Response:
            endpoint = known["GET" if request.method == "HEAD" else request.method]
            self.open_requests += 1
            try:
                caller = await surface.identify(request)
                if not surface.over_socket:
                    self.rate.take(f"{caller.person.name} {caller.person.via}")
                check_right(caller, endpoint.right)
                check_scopes(caller, endpoint)
                answer = self._read if endpoint.method == "GET" else self._change
                response = await answer(request, endpoint, caller, surface)
                response.headers.update(_farewell(endpoint, surface))
                return response
            finally:
                self.open_requests -= 1

        return guarded(serve)

    async def _read(self, request: Request, endpoint: Endpoint, caller: Caller, surface: Surface) -> Response:
        ask = self._ask(request, endpoint, caller, surface, Body())
        try:
            async with asyncio.timeout(READ_SECONDS_MAX):
                value = await endpoint.handler(ask)
        except TimeoutError as error:
            raise HttpError(
                503, "this took too long to read", hint="ask for less of it", headers={"retry-after": "5"}
            ) from error
        etag = etag_of(value, endpoint.volatile)
        headers = {"etag": etag, "cache-control": "private, no-cache"}
        if matches(request.headers.get("if-none-match", ""), etag, weak=True):
            return Response(status_code=304, headers=headers)
        return Response(_text(value), media_type=JSON_TYPE, headers=headers)

    async def _change(self, request: Request, endpoint: Endpoint, caller: Caller, surface: Surface) -> Response:
        _check_type(request, surface)
        raw = await body_bytes(request)
        ask = self._ask(request, endpoint, caller, surface, parsed_bytes(raw, endpoint.body))

        async def do() -> Reply:
            async with self._lock(endpoint, ask):
                await self._check_match(request, endpoint, ask)
                return Reply(status=200, text=_text(await endpoint.handler(ask)))

        key = request.headers.get("idempotency-key")
        if key is None:
            reply = await do()
        else:
            call = f"{request.method} {request.url.path}?{request.url.query}\n".encode() + raw
            key = key.strip().removeprefix('"').removesuffix('"')
            person = caller.person
            reply = await self.replies.once(person.name, person.via, key, call, do, secret=endpoint.secret)
        headers = {"cache-control": "no-store"} | ({"idempotency-replayed": "true"} if reply.again else {})
        if reply.status != 200:
            told = json.loads(reply.text)
            response = problem(
                reply.status, told["title"], hint=told["hint"], kind=told["kind"], exit_code=told["exit_code"]
            )
            response.headers.update(headers)
            return response
        return Response(reply.text, media_type=JSON_TYPE, headers=headers)

    def _ask(self, request: Request, endpoint: Endpoint, caller: Caller, surface: Surface, body: Body) -> Ask:
        given = _given(request)
        paged = endpoint.listing and endpoint.method == "GET"
        limit, cursor = (given.pop("limit", None), given.pop("cursor", None)) if paged else (None, None)
        default = None if surface.over_socket or not paged else LIMIT_DEFAULT
        return Ask(
            operations=self._operations,
            verbs=self._verbs,
            caller=caller,
            path=_path(request),
            given_query=_query(given, endpoint.query),
            given_body=body,
            endpoints=self._endpoints,
            page=page_of(limit, cursor, default=default),
        )

    def _lock(self, endpoint: Endpoint, ask: Ask) -> asyncio.Lock:
        """Held while something is compared and changed: what people change through here is changed one by one."""
        name = endpoint.about.format(**ask.path) or endpoint.path
        return self._locks.setdefault(name, asyncio.Lock())

    async def _check_match(self, request: Request, endpoint: Endpoint, ask: Ask) -> None:
        wanted = request.headers.get("if-match")
        if wanted is None:
            if endpoint.must_match:
                raise HttpError(
                    428, "say what you saw before you change it", hint="send its ETag as If-Match; read it again first"
                )
            return
        if not endpoint.about:
            raise HttpError(412, "what this changes has no ETag", hint="send it without If-Match")
        reader = self._readers[endpoint.about]
        value = await reader.handler(replace(ask, given_body=Body(), given_query=reader.query()))
        if not matches(wanted, etag_of(value, reader.volatile), weak=False):
            raise HttpError(412, "it has changed since you saw it", hint="read it again, and decide anew")


def _farewell(endpoint: Endpoint, surface: Surface) -> dict[str, str]:
    """`Sunset` (RFC 8594) of what will go, and where its successor is."""
    if endpoint.sunset is None:
        return {}
    at = datetime.combine(endpoint.sunset, datetime.min.time(), UTC)
    link = {"link": f'<{surface.prefix}{endpoint.successor}>; rel="successor-version"'} if endpoint.successor else {}
    return {"sunset": format_datetime(at, usegmt=True)} | link


def check_right(caller: Caller, right: Right) -> None:
    """Raises `ForbiddenError` for a caller none of whose roles carries `right`."""
    if not caller.may(right):
        roles = ", ".join(role.value for role, rights in ROLE_RIGHTS.items() if right in rights)
        raise ForbiddenError(
            f"`{caller.person.name}` may not do this: it takes the right `{right}`",
            hint=f"roles that carry it: {roles}; an administrator gives roles (people.NAME.roles)",
        )


def check_scopes(caller: Caller, endpoint: Endpoint) -> None:
    """Raises `ForbiddenError` for a token of some scopes where nothing would look at them."""
    if caller.scopes and not endpoint.scoped:
        raise ForbiddenError(
            f"a token for {', '.join(caller.scopes)} alone sees and answers approvals, freezes and kills: not this",
            hint="make one without scopes: comptroller people tokens make NAME",
        )


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=True, default=str)


def _check_type(request: Request, surface: Surface) -> None:
    """A body is JSON. Over TCP it says so: what a form of another page can send never does."""
    given = request.headers.get("content-type")
    empty = request.headers.get("content-length", "0") == "0" and "transfer-encoding" not in request.headers
    if given is None and (surface.over_socket or empty):
        return
    if given is None or given.split(";")[0].strip().lower() != JSON_TYPE:
        raise HttpError(415, "the body is not JSON", hint=f"Content-Type: {JSON_TYPE}", headers={"accept": JSON_TYPE})


def _path(request: Request) -> Mapping[str, str]:
    for value in request.path_params.values():
        if len(value) > PATH_PARAMETER_CHARS_MAX or not value.isprintable():
            raise NotFoundError("nothing here has such a name")
    return request.path_params


def _given(request: Request) -> dict[str, str]:
    pairs = request.query_params.multi_items()
    given = dict(pairs)
    if len(given) != len(pairs):
        raise UsageError("a parameter of the query appears twice")
    if not all(value.isprintable() for value in given.values()):
        raise UsageError("a parameter of the query holds characters that nobody sees")
    return given


def _query(given: Mapping[str, str], model: type[Query]) -> Query:
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
