"""Calls every method of a real SDK with made-up arguments, and hands over each request that it is about to send."""

from __future__ import annotations

import contextlib
import inspect
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
from wire_kit import from_http

from comptroller.core.request import Request

SKIPPED = frozenset(
    {"with_raw_response", "with_streaming_response", "close", "copy", "with_options", "is_closed", "platform_headers"}
)


class Seen(Exception):
    """Raised once a request was recorded: no answer is made up."""


class Walk:
    """One walk over one client. `requests` maps `resource.method` to what it sent first."""

    def __init__(self, make: Callable[[httpx2.Client], Any], host: str) -> None:
        self.requests: dict[str, Request] = {}
        self.silent: list[str] = []
        self._host = host
        self._name = ""
        client = make(httpx2.Client(transport=httpx2.MockTransport(self._record)))
        for name, method in _methods(client, "", set()):
            self._name = name
            with warnings.catch_warnings(), contextlib.suppress(Exception):
                warnings.simplefilter("ignore")
                _drain(method(**_arguments(method)))
            if name not in self.requests:
                self.silent.append(name)

    def _record(self, message: httpx2.Request) -> httpx2.Response:
        headers = message.headers
        asked = from_http(message.method, str(message.url), headers, message.read(), host=self._host)
        self.requests.setdefault(self._name, asked)
        raise Seen


def _methods(owner: Any, path: str, seen: set[int]) -> Iterator[tuple[str, Callable[..., Any]]]:
    for name in sorted(dir(type(owner))):
        if name.startswith("_") or name in SKIPPED:
            continue
        found = None
        with warnings.catch_warnings(), contextlib.suppress(Exception):
            warnings.simplefilter("ignore")
            found = getattr(owner, name)
        kind = type(found).__name__
        if inspect.ismethod(found):
            if path:
                yield f"{path}{name}", found
        elif "Resource" in [base.__name__[-8:] for base in type(found).__mro__] and "With" not in kind:
            yield from _methods(found, f"{path}{name}.", seen)


def _arguments(method: Callable[..., Any]) -> dict[str, Any]:
    return {
        name: _made_up(name, str(parameter.annotation))
        for name, parameter in inspect.signature(method).parameters.items()
        if parameter.default is inspect.Parameter.empty and parameter.kind is not inspect.Parameter.VAR_KEYWORD
    }


def _made_up(name: str, annotation: str) -> Any:
    if name in ("file", "files", "image", "mask", "data", "archive", "recording", "audio_sample", "video"):
        return [("a.txt", b"data")] if name == "files" else ("a.txt", b"data")
    if "FileTypes" in annotation:
        return ("a.txt", b"data")
    if annotation.startswith(("str", "Literal", "Union[str", "ModelParam", "Annotated")) or name in (
        "model",
        "purpose",
    ):
        return "gpt-4o" if name == "model" else "x_123"
    if "int" in annotation.lower() and "Iterable" not in annotation and "Union" not in annotation:
        return 5
    if "bool" in annotation:
        return True
    if "Iterable" in annotation or "List" in annotation or "Sequence" in annotation:
        return [] if "Param" in annotation or "Message" in annotation else ["x_1"]
    if "Dict" in annotation or "Mapping" in annotation or "Param" in annotation or "params" in annotation:
        return {}
    return "x_123"


def _drain(result: Any) -> None:
    """A page or a stream asks only when somebody reads it."""
    if hasattr(result, "__enter__"):
        with result:
            pass
    elif hasattr(result, "__iter__"):
        next(iter(result))
