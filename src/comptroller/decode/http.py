"""The codec of any named host that no other codec knows: the method says what is done, all that is sent is bound."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from urllib.parse import parse_qsl, unquote, unquote_to_bytes

from comptroller.core.action import Action, ActionClass, Call, Value
from comptroller.core.estimate import Outcome
from comptroller.core.request import NativeResponse, Outgoing, Request, Unencodable
from comptroller.core.secrecy import random_looking
from comptroller.core.verdict import Verdict, VerdictKind
from comptroller.decode.jsontext import MalformedJson, parse_json
from comptroller.decode.shape import (
    FORM_TYPE,
    JSON_TYPE,
    METHOD_PATTERN,
    Undecodable,
    bound_headers,
    media_type,
    native_headers,
    native_json,
    only_header,
    outgoing_headers,
    payload_bytes,
    plain_header,
    same_endpoint,
    text_pairs,
    undecodable,
)
from comptroller.decode.target import AmbiguousTarget, Target, join_target, parse_target
from comptroller.decode.x402 import signed_payment

METHOD_CLASSES = {
    "GET": ActionClass.READ,
    "HEAD": ActionClass.READ,
    "OPTIONS": ActionClass.READ,
    "POST": ActionClass.WRITE,
    "PUT": ActionClass.WRITE,
    "PATCH": ActionClass.WRITE,
    "DELETE": ActionClass.DESTROY,
}
BOUND_HEADERS = (
    "accept",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-md5",
    "content-type",
    "digest",
    "git-protocol",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "prefer",
    "range",
    "x-github-api-version",
    "x-requested-with",
)
"""Headers that may change what a request does: part of the digest, and sent."""
LIST_HEADERS = ("accept", "content-language", "if-match", "if-none-match", "prefer")
"""Those of them that clients may send in several fields (container tools do, for `accept`)."""
PASSED_HEADERS = ("accept-encoding", "accept-language", "idempotency-key", "user-agent")
"""Sent as they came, outside the digest: they change neither what is done nor to what. All other headers are dropped:
credentials the agent sends (`authorization`, `cookie`, `x-api-key`), hop-by-hop and forwarding headers above all."""
OVERRIDE_HEADERS = ("x-http-method-override", "x-http-method", "x-method-override", "x-original-url", "x-rewrite-url")
"""Headers by which some servers do something other than method and path say: a request with one is refused."""
OVERRIDE_MEMBERS = frozenset({"_method", "_httpmethod", "x-http-method-override"})
"""The same in a query or a form: web frameworks take a POST for what `_method` says."""
PATH_IN_SENTENCE_MAX = 120
X402_DECIMALS = 6
"""Of every token whose signed transfers are known here."""
KEY_CHARACTERS_SHOWN = 4
PREVIEW_BYTES_MAX = 64 << 10
"""A larger body is shown by its length and hash."""

_FORM_OVERRIDE = re.compile(rb"(?i)(?:^|[&;])(_method|_httpmethod|x-http-method-override)(?=[=&;]|$)")
_PART_NAME = re.compile(rb"(?i)\bname=\"?([^\"\r\n;]{1,64})")
_SECRET_NAME = re.compile(r"(?i)token|key|secret|passw|sig|auth|cred|code")


class HttpCodec:
    """Any named host. `http:HOST:METHOD`, service `http`."""

    name = "http"

    def decode(self, request: Request) -> Action:
        """What the request would do. WebSockets, tunnels, unknown methods and ambiguous targets are `unknown`."""
        method = request.method if METHOD_PATTERN.fullmatch(request.method) else "UNKNOWN"
        operation = f"http:{request.host}:{method}"
        try:
            return self._decode(request, operation)
        except (Undecodable, AmbiguousTarget) as error:
            return undecodable(request, service="http", operation=operation, family=request.host, reason=str(error))

    def _decode(self, request: Request, operation: str) -> Action:
        cls = METHOD_CLASSES.get(request.method)
        if cls is None:
            raise Undecodable("the method is none of " + " ".join(METHOD_CLASSES))
        for name in OVERRIDE_HEADERS:
            if request.all(name):
                raise Undecodable(f"the header `{name}` asks for something other than method and path say")
        refuse_upgrade(request)
        target = parse_target(request.target)
        if request.method == "POST" and not OVERRIDE_MEMBERS.isdisjoint(_member_names(request, target)):
            raise Undecodable("a member of the query or the form asks for another method")
        headers = bound_headers(request, BOUND_HEADERS, lists=LIST_HEADERS)
        paid = signed_payment(request)
        key = only_header(request, "idempotency-key")
        parameters: dict[str, Value] = {
            "method": request.method,
            "path": target.path,
            "query": [[name, value] for name, value in target.query] if target.has_query else None,
            "headers": headers,
            "body": _body(request),
        }
        if paid is not None:
            parameters["@payment"] = {"header": paid.header, "value": paid.value}
            parameters["@x402"] = dict(paid.shown)
        return Action(
            operation=operation,
            service="http",
            classes=frozenset({cls} if paid is None else {cls, ActionClass.PAY}),
            endpoint=request.endpoint,
            agent=request.agent,
            run=request.run,
            account=request.accounts.get(request.host, ""),
            resources=(f"{request.endpoint}{_shown_path(target.path)}",),
            parameters=parameters,
            payment=paid.payment if paid else None,
            sensitive=_sensitive(target) | {"@payment"},
            preview=_preview(request, headers),
            call=Call(attempt=key or request.attempt, payload_bytes=payload_bytes(request)),
        )

    def encode(self, action: Action, request: Request) -> Outgoing:
        """Method, path, pairs and bound headers from the action; the framed body only where it is the bound one."""
        same_endpoint(action, request)
        known = action.parameters
        if known.get("body") != _body(request):
            raise Unencodable("the body is not the one that was judged")
        query = known.get("query")
        pairs = None if query is None else tuple(text_pairs(query))
        passed = [(name, plain_header(request, name)) for name in PASSED_HEADERS]
        if isinstance(signed := known.get("@payment"), Mapping):
            passed.append((str(signed["header"]), str(signed["value"])))
        return Outgoing(
            method=str(known["method"]),
            scheme=request.scheme,
            host=request.host,
            port=request.port,
            target=join_target(str(known["path"]), pairs),
            headers=outgoing_headers(known.get("headers"), *passed),
            body=request.body,
            family=request.host,
            stream=request.stream,
        )

    def refuse(self, action: Action, request: Request, verdict: Verdict, message: str) -> NativeResponse:
        """403: plain text for who asked for a page, else an RFC 9457 problem."""
        accept = ",".join(request.all("accept"))
        if "json" not in accept and "text/html" in accept:
            payload = f"403 Forbidden\n\n{message}\n".encode("utf-8", "replace")
            return NativeResponse(
                status=403, headers=native_headers("text/plain; charset=utf-8", payload, message), body=payload
            )
        body = {
            "type": "about:blank",
            "title": "Forbidden",
            "status": 403,
            "detail": message,
            "code": refusal_code(verdict),
            "instance": action.operation,
        }
        return native_json(body, message, content_type="application/problem+json")

    def meter(self, action: Action) -> HttpMeter:
        """Reads status only: a host nobody knows tells no cost."""
        return HttpMeter()

    def sentence(self, action: Action) -> str:
        """`POST to files.example.com/upload (2,048 bytes)`."""
        method = action.operation.rsplit(":", 1)[-1]
        path = _shown_path(str(action.parameters.get("path", "")))
        if len(path) > PATH_IN_SENTENCE_MAX:
            path = path[:PATH_IN_SENTENCE_MAX] + "…"
        sent = f" ({action.call.payload_bytes:,} bytes)" if action.call.payload_bytes else ""
        why = f": cannot be read: {action.reason}" if action.undecodable else ""
        if ActionClass.PAY in action.classes:
            why = f", paying {_paid(action)} by x402"
        return f"{method} {action.endpoint}{path}{sent}{why}"


class HttpMeter:
    """Status and completeness of a response; its content is not looked at."""

    def __init__(self) -> None:
        self._status = 0

    def head(self, status: int, headers: Sequence[tuple[str, str]]) -> None:
        """Keeps the status."""
        self._status = status

    def feed(self, data: bytes) -> None:
        """Ignores the body."""

    def finish(self, *, complete: bool) -> Outcome:
        """`ok` for 1xx-3xx."""
        return Outcome(status=self._status, ok=100 <= self._status < 400, complete=complete)


def refusal_code(verdict: Verdict) -> str:
    """A stable code for programs: `comptroller_denied`, or `comptroller_approval_required`."""
    held = verdict.kind is VerdictKind.REQUIRE_APPROVAL
    return "comptroller_approval_required" if held else "comptroller_denied"


def refuse_upgrade(request: Request) -> None:
    """Raises `Undecodable` for a request to speak another protocol. An offer of `h2c` may be ignored, and is."""
    offered = {part.strip().lower() for part in _parts(request.all("upgrade"))}
    if offered - {"h2c", ""}:
        raise Undecodable("the request asks to switch protocols (WebSocket or another): what follows cannot be read")
    if request.all("sec-websocket-key"):
        raise Undecodable("the request opens a WebSocket: what follows cannot be read")


def content_type_of(request: Request) -> str:
    """The media type of a request. Raises `Undecodable` where the header is doubled or the body is compressed."""
    encoding = only_header(request, "content-encoding")
    if encoding is not None and encoding.strip().lower() != "identity":
        raise Undecodable("the body is compressed")
    return media_type(only_header(request, "content-type"))


def _member_names(request: Request, target: Target) -> Iterable[str]:
    """Names of the query's members, and of those of a form that matter, in lower case."""
    yield from (unquote(name).lower() for name, _ in target.query)
    kind = media_type(",".join(request.all("content-type")))
    if kind == FORM_TYPE:
        yield from (name.decode("latin-1").lower() for name in _FORM_OVERRIDE.findall(unquote_to_bytes(request.body)))
    elif kind == "multipart/form-data":
        yield from (name.decode("latin-1").lower() for name in _PART_NAME.findall(request.body))


def _paid(action: Action) -> str:
    if action.payment is None:
        return "an amount that is not known"
    amount = format(Decimal(action.payment.amount_minor).scaleb(-X402_DECIMALS), "f")
    return f"{amount} {action.payment.currency} to {action.payment.payee}"


def _parts(values: Iterable[str]) -> Iterable[str]:
    return (part for value in values for part in value.split(","))


def _body(request: Request) -> Value:
    if request.stream is None:
        return request.body
    return {"stream": True, "length": request.stream.length_bytes, "sha256": request.stream.sha256}


def _preview(request: Request, headers: Mapping[str, Value]) -> dict[str, Value]:
    """The members of a body of JSON or of a form, for people: a question about bytes nobody can see is none."""
    kind = media_type(",".join(request.all("content-type")))
    if request.stream is not None or "content-encoding" in headers or len(request.body) > PREVIEW_BYTES_MAX:
        return {}
    try:
        if kind == JSON_TYPE or kind.endswith("+json"):
            return {"body": parse_json(request.body)}
        if kind == FORM_TYPE:
            pairs = parse_qsl(request.body.decode("utf-8"), keep_blank_values=True, strict_parsing=True)
            form: dict[str, list[Value]] = {}
            for name, value in pairs:
                form.setdefault(name, []).append(value)
            return {"body": form}
    except (MalformedJson, ValueError):
        pass
    return {}


def _sensitive(target: Target) -> frozenset[str]:
    found = {"body"}
    if any(_SECRET_NAME.search(name) or random_looking(value or name) for name, value in target.query):
        found.add("query")
    if random_looking(target.path):
        found.add("path")
    return frozenset(found)


def _shown_path(path: str) -> str:
    """A path without the keys that some services put there (`/bot110201543:AAH…/sendMessage`): how each begins and
    how long it is."""
    return "/".join(
        f"{part[:KEY_CHARACTERS_SHOWN]}…({len(part)})" if random_looking(part) else part for part in path.split("/")
    )
