"""How many calls of the real Google API client are read off the wire as what they are: every method it can build."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench.report import Result
from comptroller.core.request import Header, Request
from comptroller.decode.gcp import GcpCodec

QUICK_EVERY = 25
"""`--quick` takes one discovery document of so many."""
GRANDFATHERED = frozenset({"admin"})
"""Services of several parts, whose operations keep the part's name."""
_VALUES = (
    ("[a-z](?:[-a-zA-Z0-9/]{0,255}[a-zA-Z0-9])?", "reservations/a1/reservationBlocks/a1"),
    ("([a-z](?:[-a-z0-9]{0,61}[a-z0-9])?|[1-9][0-9]{0,19})", "a1"),
    ("[0-9]{0,20}", "123"),
    ("[0-9]{1,19}", "77"),
    ("[^/]+", "a1"),
    (".*", "a1"),
)
_ODD = ("77", "2026-01-01", "UA-1-1", "7:7", "ga:1", "https://example.com/", "a" * 22)
"""Values for the few patterns that are none of paths."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A request that the client built, and the operation it built it for."""

    operation: str
    request: Request


def documents(every: int = 1) -> Iterator[Mapping[str, Any]]:
    """Every `every`-th discovery document of the installed client."""
    spec = find_spec("googleapiclient")
    if spec is None or spec.origin is None:
        raise RuntimeError("the package `google-api-python-client` is not installed")
    folder = Path(spec.origin).parent / "discovery_cache/documents"
    paths = sorted(path for path in folder.glob("*.json") if path.name != "index.json")
    for path in paths[::every]:
        yield json.loads(path.read_text(encoding="utf-8"))


def samples(document: Mapping[str, Any]) -> Iterator[Sample]:
    """One request for every method of a document, built by the client itself."""
    from google.auth.credentials import AnonymousCredentials
    from googleapiclient.discovery import build_from_document

    service = build_from_document(dict(document), credentials=AnonymousCredentials())
    try:
        yield from _of(service, document, document)
    finally:
        service.close()


def measure(quick: bool = False) -> list[Result]:
    """`gcp_right`: the share of methods that are read off the wire as the operation they were built for."""
    right, total, _ = count(QUICK_EVERY if quick else 1)
    return [Result(name="gcp_right", value=right / total, unit="fraction")]


def count(every: int = 1) -> tuple[int, int, list[str]]:
    """(right, all, what was read otherwise)."""
    codec = GcpCodec()
    right = total = 0
    wrong: list[str] = []
    for document in documents(every):
        for sample in samples(document):
            action = codec.decode(sample.request)
            total += 1
            if action.operation == sample.operation:
                right += 1
            else:
                wrong.append(f"{sample.operation} read as {action.operation} {action.reason}".rstrip())
    return right, total, wrong


def _of(resource: Any, node: Mapping[str, Any], document: Mapping[str, Any]) -> Iterator[Sample]:
    from googleapiclient.discovery import fix_method_name

    for name, method in (node.get("methods") or {}).items():
        if name not in (node.get("resources") or {}):  # the client hides such a method behind the resource
            yield _sample(getattr(resource, fix_method_name(name)), method, document)
    for name, child in (node.get("resources") or {}).items():
        yield from _of(getattr(resource, fix_method_name(name))(), child, document)


def _sample(call: Any, method: Mapping[str, Any], document: Mapping[str, Any]) -> Sample:
    from googleapiclient.discovery import key2param

    arguments: dict[str, Any] = {}
    for name, parameter in method.get("parameters", {}).items():
        if parameter.get("required") or parameter.get("location") == "path":
            arguments[key2param(name)] = _value(parameter)
    if "request" in method:
        arguments["body"] = {}
    built = call(**arguments)
    url = urlsplit(built.uri)
    body = built.body or b""
    request = Request(
        scheme="https",
        method=built.method,
        host=str(url.hostname),
        port=443,
        target=url.path + (f"?{url.query}" if url.query else ""),
        headers=tuple(Header(name.lower(), str(value)) for name, value in built.headers.items()),
        body=body.encode() if isinstance(body, str) else body,
        agent="researcher",
        run="run-1",
    )
    first, _, rest = str(method["id"]).partition(".")
    kept = document["name"] in GRANDFATHERED and first != document["name"]
    return Sample(operation=f"gcp:{document['name']}:{method['id'] if kept else rest}", request=request)


def _value(parameter: Mapping[str, Any]) -> Any:
    if "enum" in parameter:
        found: Any = parameter["enum"][0]
        return [found] if parameter.get("repeated") else found
    kind = parameter.get("type")
    plain: Any = {"integer": 1, "number": 1.0, "boolean": True}.get(str(kind), "a1")
    pattern = parameter.get("pattern")
    if pattern is not None and kind == "integer":
        plain = "77"  # the client looks for the pattern in text
    elif pattern is not None:
        text = str(pattern).removeprefix("^").removesuffix("$")
        for piece, value in _VALUES:
            text = text.replace(piece, value)
        plain = next(
            (
                value
                for value in (*(["a1"] if "/]" not in str(pattern) else []), text, *_ODD)
                if re.match(pattern, value)
            ),
            "a1",
        )
    return [plain] if parameter.get("repeated") else plain
