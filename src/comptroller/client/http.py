"""What every call shares: the way to the server, errors as exceptions, retries that do nothing twice."""

from __future__ import annotations

import socket
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx

from comptroller.core.errors import ComptrollerError

TIMEOUT_SECONDS = 60.0
TRIES_MAX = 4
WAIT_SECONDS_MAX = 30.0
WAIT_SECONDS_FIRST = 0.2
_AGAIN = frozenset({429, 503})


class ApiError(ComptrollerError):
    """What the server refused: its HTTP `status` (0: it was not reached) and the `kind` of a conflict."""

    def __init__(self, message: str, *, status: int, kind: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.kind = kind


class Http:
    """One server. Use it as a context manager, or `close` it."""

    def __init__(self, url: str, *, token: str) -> None:
        """`url`: the console's address, such as `http://127.0.0.1:8320`. `token`: `comptroller people` makes one."""
        self._prefix = "/api/v1"
        self._http = httpx.Client(
            base_url=url.rstrip("/"),
            headers={"authorization": f"Bearer {token}"},
            timeout=TIMEOUT_SECONDS,
            follow_redirects=False,
        )

    @classmethod
    def from_socket(cls, path: str | Path) -> Self:
        """Over the control socket of this machine's server: the caller is who the kernel says. Raises `ApiError`."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            try:
                probe.connect(str(path))
            except OSError as error:
                raise ApiError(
                    f"no server answers at `{path}`: {error.strerror or error}", status=0, hint="comptroller serve"
                ) from error
        made = cls("http://comptroller", token="")
        made._http.close()
        made._prefix = "/v1"
        made._http = httpx.Client(
            transport=httpx.HTTPTransport(uds=str(path)), base_url="http://comptroller", timeout=TIMEOUT_SECONDS
        )
        return made

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()

    @staticmethod
    def part(value: str) -> str:
        """A value as one part of a path."""
        return quote(value, safe="")

    def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, object] | None = None,
        body: Mapping[str, object] | None = None,
        if_match: str = "",
        keyed: bool = True,
    ) -> Mapping[str, Any]:
        """One call, tried again where the server was not reached or asked to wait; a change carries a key, so that it
        is done once however often it is sent. Raises `ApiError`."""
        headers = {"if-match": if_match} if if_match else {}
        if method != "GET" and keyed:
            headers["idempotency-key"] = str(uuid.uuid4())
        may_repeat = method == "GET" or keyed
        for tried in range(TRIES_MAX):
            last = tried == TRIES_MAX - 1 or not may_repeat
            try:
                answer = self._http.request(
                    method,
                    self._prefix + path,
                    params={name: str(value) for name, value in (query or {}).items() if value is not None},
                    json=None
                    if method == "GET"
                    else {name: value for name, value in (body or {}).items() if value is not None},
                    headers=headers,
                )
            except httpx.TransportError as error:
                if last:
                    raise ApiError(f"the server was not reached ({type(error).__name__})", status=0) from error
                time.sleep(WAIT_SECONDS_FIRST * 2**tried)
                continue
            if answer.status_code in _AGAIN and not last:
                time.sleep(_wait(answer, tried))
                continue
            return _value(answer)
        raise AssertionError("the last try returns or raises")


def _wait(answer: httpx.Response, tried: int) -> float:
    text = answer.headers.get("retry-after", "")
    return min(float(text), WAIT_SECONDS_MAX) if text.isascii() and text.isdigit() else WAIT_SECONDS_FIRST * 2**tried


def _value(answer: httpx.Response) -> Mapping[str, Any]:
    try:
        value = answer.json()
    except ValueError:
        value = None
    told = value if isinstance(value, dict) else {}
    if answer.is_success and isinstance(value, dict):
        return told
    raise ApiError(
        str(told.get("title") or f"the server answered with status {answer.status_code}"),
        status=answer.status_code,
        kind=str(told.get("kind") or ""),
        hint=str(told.get("hint") or ""),
    )
