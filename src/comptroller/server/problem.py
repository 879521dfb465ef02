"""Errors as `application/problem+json` (RFC 9457): status, what went wrong, the next step, the conflict's kind."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus

from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from comptroller.core.errors import ComptrollerError, ConflictError, RefusedError, StoreError, UsageError
from comptroller.core.verdict import Conflict
from comptroller.server.operations import ForbiddenError, NotFoundError

BODY_BYTES_MAX = 64 << 10
STORE_RETRY_SECONDS = 2


class Body(BaseModel):
    """A request body: exactly the named members."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class TooLargeError(RefusedError):
    """A request body above the limit."""


class HttpError(RefusedError):
    """What only HTTP has a word for: its status, and the headers that belong to it."""

    def __init__(self, status: int, message: str, *, hint: str = "", headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.headers = dict(headers or {})


def status_of(error: ComptrollerError) -> int:
    """The HTTP status that says the same."""
    match error:
        case HttpError():
            return error.status
        case ConflictError():
            return 403 if error.kind in (Conflict.NOT_FOUND, Conflict.SELF_APPROVAL) else 409
        case NotFoundError():
            return 404
        case ForbiddenError():
            return 403
        case TooLargeError():
            return 413
        case UsageError():
            return 422
        case StoreError():
            return 503
        case _:
            return 409


def problem(status: int, title: str, *, hint: str = "", kind: str = "", exit_code: int = 1) -> Response:
    """One problem document."""
    body = {"type": "about:blank", "status": status, "title": title, "hint": hint, "kind": kind, "exit_code": exit_code}
    return JSONResponse(body, status_code=status, media_type="application/problem+json")


def problem_of(error: ComptrollerError) -> Response:
    """The problem document of an error."""
    kind = error.kind if isinstance(error, ConflictError) else ""
    status = status_of(error)
    response = problem(status, error.message, hint=error.hint, kind=str(kind), exit_code=error.exit_code)
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers["retry-after"] = str(STORE_RETRY_SECONDS)
    if isinstance(error, HttpError):
        response.headers.update(error.headers)
    return response


async def body_bytes(request: Request) -> bytes:
    """The whole body, at most `BODY_BYTES_MAX`. Raises `TooLargeError`."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > BODY_BYTES_MAX:
            raise TooLargeError(f"the body is larger than {BODY_BYTES_MAX} bytes")
        chunks.append(chunk)
    return b"".join(chunks)


async def parsed(request: Request, model: type[Body]) -> Body:
    """The JSON body as `model`. Raises `UsageError` naming every wrong member, without repeating values."""
    return parsed_bytes(await body_bytes(request), model)


def parsed_bytes(raw: bytes, model: type[Body]) -> Body:
    """The JSON body as `model`. Raises `UsageError` naming every wrong member, without repeating values."""
    if b"\\u0000" in raw:
        raise UsageError("the request body holds a character that no store keeps (U+0000)")
    try:
        return model.model_validate_json(raw or b"{}")
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, item['loc'])) or 'body'}: {item['msg']}" for item in error.errors())
        raise UsageError(f"the request body is not as expected: {wrong}") from error


def number(request: Request, name: str, default: float, most: float) -> float:
    """A numeric query parameter between -1 and `most`. Raises `UsageError`."""
    text = request.query_params.get(name)
    if text is None:
        return default
    try:
        value = float(text)
    except ValueError as error:
        raise UsageError(f"`{name}` is not a number") from error
    if not -1 <= value <= most:
        raise UsageError(f"`{name}` lies outside -1 … {most:g}")
    return value


def guarded(handler: Callable[[Request], Awaitable[object]]) -> Callable[[Request], Awaitable[Response]]:
    """`handler`'s value as JSON; its `ComptrollerError` as a problem."""

    async def run(request: Request) -> Response:
        try:
            value = await handler(request)
        except ComptrollerError as error:
            return problem_of(error)
        return value if isinstance(value, Response) else _json(value)

    return run


def _json(value: object) -> Response:
    return Response(json.dumps(value, ensure_ascii=True, default=str), media_type="application/json")
