"""Many calls in one: `multipart/mixed` of HTTP requests. Each part is an action of its own; all are written anew."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import replace

from comptroller.core.action import Action, ActionClass, Call, Value
from comptroller.core.request import Header, Outgoing, Request, Unencodable
from comptroller.decode.gcp.body import boundary_of, parts_of, split_head
from comptroller.decode.http import content_type_of
from comptroller.decode.shape import Undecodable, media_type, only_header, payload_bytes
from comptroller.decode.target import Target

CALLS_MAX = 1000
MIXED = "multipart/mixed"
PART_TYPE = "application/http"

_BATCH = re.compile(r"/batch(?:/[A-Za-z0-9]{1,64}(?:/v?[A-Za-z0-9.]{1,16})?)?/?")
_LINE = re.compile(rb"([A-Z]{1,16}) (\S{1,16384})(?: HTTP/1\.[01])?")
_ID = re.compile(r"<?[\x21\x23-\x3b\x3d\x3f-\x7e ]{1,250}>?")
_CREDENTIALS = frozenset({"authorization", "cookie", "host", "content-length", "connection", "user-agent", "accept"})


def is_batch(path: str) -> bool:
    """Whether a path takes batches (`/batch`, `/batch/storage/v1`)."""
    return _BATCH.fullmatch(path) is not None


def decode(request: Request, target: Target, each: Callable[[Request], Action]) -> Action:
    """One action whose parts are the calls; `unknown` where one of them is. Raises `Undecodable`."""
    if request.method != "POST" or request.stream is not None or target.query:
        raise Undecodable("a batch is a plain POST that is read whole")
    if content_type_of(request) != MIXED:
        raise Undecodable(f"the Content-Type of a batch is not {MIXED}")
    found = list(parts_of(request.body, boundary_of(only_header(request, "content-type") or "")))
    if not 0 < len(found) <= CALLS_MAX:
        raise Undecodable("the batch holds no call, or too many")
    calls: list[Value] = []
    parts: list[Action] = []
    for number, (headers, content) in enumerate(found):
        inner = _inner(request, headers, content, number)
        part = each(inner)
        if part.undecodable or part.parts:
            raise Undecodable(f"call {number + 1} of the batch: {part.reason or 'a batch inside a batch'}")
        parts.append(part)
        calls.append([headers.get("content-id", ""), part.operation, dict(part.parameters)])
    classes: frozenset[ActionClass] = frozenset().union(*(part.classes for part in parts))
    accounts = {part.account for part in parts}
    services = {part.service for part in parts}
    service = services.pop() if len(services) == 1 else "gcp:several"
    return Action(
        operation=f"{service}:batch",
        service=service,
        classes=classes,
        endpoint=request.endpoint,
        agent=request.agent,
        run=request.run,
        account=accounts.pop() if len(accounts) == 1 else "several",
        quantity=len(parts),
        resources=tuple(dict.fromkeys(name for part in parts for name in part.resources[:1]))[:64],
        parameters={"@method": "POST", "@path": target.path, "@calls": calls},
        sensitive=frozenset({"@calls"}) if any(part.sensitive for part in parts) else frozenset(),
        parts=tuple(parts),
        call=Call(attempt=request.attempt, payload_bytes=payload_bytes(request)),
    )


def _inner(request: Request, headers: dict[str, str], content: bytes, number: int) -> Request:
    """One call of the batch as a request of its own, to the same host."""
    if media_type(headers.get("content-type")) != PART_TYPE:
        raise Undecodable(f"part {number + 1} of the batch is not {PART_TYPE}")
    if headers.keys() - {"content-type", "content-id", "content-transfer-encoding", "mime-version", "content-length"}:
        raise Undecodable(f"part {number + 1} of the batch has a header that is not known")
    if headers.get("content-transfer-encoding", "binary").lower() not in ("binary", "7bit", "8bit"):
        raise Undecodable(f"part {number + 1} of the batch is encoded")
    if not _ID.fullmatch(headers.get("content-id", "x")):
        raise Undecodable(f"part {number + 1} of the batch has a malformed Content-ID")
    first, _, rest = content.replace(b"\r\n", b"\n").partition(b"\n")
    line = _LINE.fullmatch(first.strip())
    if line is None:
        raise Undecodable(f"part {number + 1} of the batch has no request line")
    inner, body = split_head(rest)
    place = line[2].decode("ascii", "replace")
    if place.startswith(f"https://{request.host}/"):
        place = place.removeprefix(f"https://{request.host}")
    kept = tuple(Header(name, value) for name, value in inner.items() if name not in _CREDENTIALS)
    return replace(
        request,
        method=line[1].decode("ascii"),
        target=place,
        headers=kept,
        body=body.rstrip(b"\n") if not body.strip() else body.strip(b"\n"),
        attempt=f"{request.attempt}#{number}",
    )


def encode_parts(action: Action, request: Request, each: Callable[[Action, Request], Outgoing]) -> tuple[str, bytes]:
    """(Content-Type, body) of a batch, every call written anew. Raises `Unencodable`."""
    calls = action.parameters.get("@calls")
    if not isinstance(calls, list) or len(calls) != len(action.parts):
        raise Unencodable("the calls of the batch are not those that were judged")
    written: list[bytes] = []
    for call, part in zip(calls, action.parts, strict=True):
        if call[1] != part.operation or call[2] != dict(part.parameters):
            raise Unencodable("a call of the batch is not the one that was judged")
        sent = each(part, request)
        if sent.stream is not None:
            raise Unencodable("a call of a batch cannot be streamed")
        headers = [f"{name}: {value}" for name, value in sent.headers if name not in _CREDENTIALS | {"accept-encoding"}]
        headers += [f"content-length: {len(sent.body)}"] if sent.body else []
        identity = [f"content-id: {call[0]}"] if call[0] else []
        lines = [f"content-type: {PART_TYPE}", *identity, "", f"{sent.method} {sent.target} HTTP/1.1", *headers, "", ""]
        written.append("\r\n".join(lines).encode("ascii") + sent.body)
    boundary = "batch_" + hashlib.sha256(b"\0".join(written)).hexdigest()[:32]
    mark = b"--" + boundary.encode("ascii")
    body = b"".join(mark + b"\r\n" + part + b"\r\n" for part in written) + mark + b"--\r\n"
    return f'{MIXED}; boundary="{boundary}"', body
