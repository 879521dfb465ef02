"""REST protocols: method, path, query and headers name the operation; what its model does not know is refused."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from comptroller.core.action import Value
from comptroller.decode.aws import json_cbor, xml_body
from comptroller.decode.aws.model_source import Operation, Shape, members, operation, service_model
from comptroller.decode.aws.scalars import blob, from_text, json_text, text
from comptroller.decode.aws.wire import Undecodable, Wire, pairs, shown, unescape

SEGMENTS_MAX = 1024
TRANSPORT_HEADERS = frozenset(
    [
        "authorization",
        "host",
        "content-length",
        "content-type",
        "content-md5",
        "user-agent",
        "accept",
        "accept-encoding",
        "connection",
        "expect",
        "transfer-encoding",
        "x-amz-date",
        "date",
        "x-amz-content-sha256",
        "x-amz-security-token",
        "amz-sdk-invocation-id",
        "amz-sdk-request",
        "x-amzn-trace-id",
        "x-amz-user-agent",
        "x-amz-api-version",
        "x-amz-glacier-version",
        "content-encoding",
        "te",
        "via",
        "baggage",
        "traceparent",
        "tracestate",
        "x-amz-te",
        "keep-alive",
        "cache-control",
        "pragma",
        "accept-language",
        "x-forwarded-for",
    ]
)
"""Headers that carry no parameter unless the operation's model says so; none goes on as it came."""
AMBIENT_PREFIXES = ("x-amz-", "x-amzn-", "amz-")
OLD_FORMS = frozenset(
    ["GetBucketLifecycle", "PutBucketLifecycle", "GetBucketNotification", "PutBucketNotification", "InvokeAsync"]
)
"""Older operations that share path and method with the one that replaced them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One operation's method and path. `parts` are compiled segments: text, or a pattern with its labels."""

    name: str
    pattern: re.Pattern[str]
    labels: tuple[str, ...]
    constants: tuple[tuple[str, str], ...]
    needed_query: frozenset[str]
    needed_headers: frozenset[str]
    known_query: frozenset[str]
    open_query: bool
    weight: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A route that fits, and the decoded labels of the path."""

    name: str
    labels: Mapping[str, str]
    constants: tuple[tuple[str, str], ...]


def _compile(service: str, name: str) -> tuple[tuple[str, int], Route]:
    model = service_model(service).operation_model(name)
    path, _, query = model.http.get("requestUri", "/").partition("?")
    pattern, labels, literal, greedy = "", [], 0, False
    for token in re.split(r"(\{[^}]+\})", path):
        if token.startswith("{"):
            whole = token.endswith("+}")
            greedy = greedy or whole
            labels.append(token[1:-2] if whole else token[1:-1])
            pattern += "(.+)" if whole else "([^/]+)"
        else:
            pattern += re.escape(token)
            literal += len(token)
    needed_query, needed_headers, known_query, open_query = set(), set(), set(), False
    shape = model.input_shape
    for member_name, member in members(shape).items() if shape is not None else ():
        where = member.serialization.get("location")
        wire = member.serialization.get("name", member_name)
        if where == "querystring":
            known_query.add(wire)
            open_query = open_query or member.type_name == "map"
        if member_name in shape.required_members:
            if where == "querystring" and member.type_name != "map":
                needed_query.add(wire)
            elif where == "header":
                needed_headers.add(wire.lower())
    constants = pairs(query, "model")
    weight = (
        len(constants),
        int(name not in OLD_FORMS and not model.deprecated),
        literal,
        -len(labels),
        len(needed_query) + len(needed_headers),
    )
    segments = -1 if greedy else path.rstrip("/").count("/")
    route = Route(
        name=name,
        pattern=re.compile(pattern),
        labels=tuple(labels),
        constants=constants,
        needed_query=frozenset(needed_query),
        needed_headers=frozenset(needed_headers),
        known_query=frozenset(known_query | {key for key, _ in constants} | {"x-id"}),
        open_query=open_query,
        weight=weight,
    )
    return (model.http.get("method", "POST").upper(), segments), route


@cache
def _routes(service: str) -> Mapping[tuple[str, int], Sequence[Route]]:
    """Routes of a service by method and number of segments (-1: any), the most particular first."""
    table: dict[tuple[str, int], list[Route]] = {}
    for name in service_model(service).operation_names:
        key, route = _compile(service, name)
        table.setdefault(key, []).append(route)
    for found in table.values():
        found.sort(key=lambda route: (route.weight, route.name), reverse=True)
    return table


def match(service: str, method: str, path: str, wire: Wire) -> Match | None:
    """The most particular operation that fits method, path, query and headers. Raises `Undecodable`."""
    segments = path.split("/")[1:]
    if len(segments) > SEGMENTS_MAX:
        raise Undecodable("a path with too many segments")
    if service != "s3" and any(unescape(part, "path") in (".", "..") for part in segments):
        raise Undecodable("dot segments in the path")
    given = dict(wire.query)
    table = _routes(service)
    stripped = path.rstrip("/") if service != "s3" else path.removesuffix("/")
    found: list[tuple[tuple[int, ...], Route, re.Match[str]]] = []
    for shape, candidate in ((stripped.count("/"), stripped), (-1, path)):
        for route in table.get((method, shape), ()):
            fit = route.pattern.fullmatch(candidate)
            if not fit and shape >= 0:
                fit = route.pattern.fullmatch(candidate + "/")
            if not fit or any(given.get(key) != value for key, value in route.constants):
                continue
            if not (route.needed_query <= given.keys() and route.needed_headers <= wire.headers.keys()):
                continue
            known = route.open_query or given.keys() <= route.known_query
            found.append(((int(known), *route.weight), route, fit))
    if not found:
        return None
    _, route, fit = max(found, key=lambda item: item[0])
    labels = {name: unescape(part, "path") for name, part in zip(route.labels, fit.groups(), strict=True)}
    return Match(name=route.name, labels=labels, constants=route.constants)


def read(op: Operation, found: Match, wire: Wire, *, xml: bool) -> dict[str, Value]:
    """The parameters of a matched request. Raises `Undecodable` for whatever is left over."""
    out: dict[str, Value] = {}
    query: dict[str, list[str]] = {}
    for key, value in wire.query:
        query.setdefault(key, []).append(value)
    for key, constant in found.constants:
        if query.pop(key, None) != [constant]:
            raise Undecodable(f"query parameter `{shown(key)}` stands twice")
    if query.get("x-id") == [op.name]:
        del query["x-id"]
    headers = set(wire.headers) - TRANSPORT_HEADERS
    table = members(op.input) if op.input is not None else {}
    open_map = ""
    for name, member in table.items():
        key = member.serialization.get("name", name)
        match member.serialization.get("location"):
            case "uri":
                out[name] = from_text(member, found.labels[key])
            case "querystring" if member.type_name == "map":
                open_map = name
            case "querystring":
                if key in query:
                    out[name] = _query_value(member, query.pop(key), key)
            case "header":
                low = key.lower()
                if low in wire.headers:
                    headers.discard(low)
                    found_value = _header_value(op, name, member, wire.headers[low])
                    if found_value is not None:
                        out[name] = found_value
            case "headers":
                prefix = key.lower()
                taken = {low for low in headers if low.startswith(prefix)}
                if taken:
                    out[name] = {low.removeprefix(prefix): text(wire.headers[low]) for low in sorted(taken)}
                headers -= taken
    if open_map and query:
        inner = table[open_map].value
        out[open_map] = {key: _query_value(inner, values, key) for key, values in query.items()}
        query = {}
    if query:
        raise Undecodable(f"query parameter `{shown(next(iter(query)))}` is no parameter of this operation")
    _check_headers(op, headers)
    out.update(_body(op, wire, xml=xml))
    return out


def _check_headers(op: Operation, left: set[str]) -> None:
    for low in sorted(left):
        if (op.checksum or op.service == "s3") and low.startswith(("x-amz-checksum-", "x-amz-sdk-checksum-")):
            continue
        if low.startswith(AMBIENT_PREFIXES):
            raise Undecodable(f"header `{shown(low)}` is no parameter of this operation")


def _query_value(shape: Shape, values: list[str], key: str) -> Value:
    if shape.type_name == "list":
        return [from_text(shape.member, value) for value in values]
    if len(values) != 1:
        raise Undecodable(f"query parameter `{shown(key)}` stands twice")
    return from_text(shape, values[0])


def _header_value(op: Operation, name: str, shape: Shape, value: str) -> Value:
    if name == "ContentLength" or (name == "ContentMD5" and not op.raw_payload):
        return None  # framing and integrity of the body as it came: both are made anew
    if shape.serialization.get("jsonvalue"):
        return json_text(_base64_text(value))
    if shape.type_name == "list":
        return [from_text(shape.member, part) for part in _split_list(value)]
    found = from_text(shape, value)
    return found.replace(microsecond=0) if isinstance(found, datetime) else found


def _base64_text(value: str) -> str:
    try:
        return blob(value).decode("utf-8")
    except UnicodeDecodeError as error:
        raise Undecodable("a JSON header that is not UTF-8") from error


_ITEM = re.compile(r'\s*+(?:"((?:[^"\\]|\\.)*+)"|([^",]*+))\s*+(?:,|$)')


def _split_list(value: str) -> list[str]:
    """Items of a list header; quoted ones may hold commas. Raises `Undecodable`."""
    out: list[str] = []
    at = 0
    while at < len(value):
        item = _ITEM.match(value, at)
        if item is None or item.end() == at:
            raise Undecodable("a list header that is broken")
        quoted, plain = item.groups()
        out.append(quoted.replace('\\"', '"') if quoted is not None else plain.strip())
        at = item.end()
    return out


def _body(op: Operation, wire: Wire, *, xml: bool) -> dict[str, Value]:
    if op.event_stream:
        raise Undecodable("an event stream as input is not supported")
    if op.raw_payload:
        return _raw(op, wire)
    if wire.stream is not None:
        raise Undecodable("a streamed body where the operation has none")
    if op.input is None or not wire.body:
        if wire.body and wire.body.strip() != b"{}":
            raise Undecodable("a body where the operation has none")
        return {}
    if wire.media == "application/x-www-form-urlencoded":
        raise Undecodable("a form body where the operation has none")
    shape = members(op.input)[op.payload] if op.payload else op.input
    if xml:
        root = xml_body.parse(wire.body)
        if root.name != shape.serialization.get("name", root.name):
            raise Undecodable(f"XML element `{shown(root.name)}` where another is due")
        value: Mapping[str, Value] = xml_body.structure(shape, root)
    else:
        if wire.media not in ("application/json", "application/x-amz-json-1.1", "application/x-amz-json-1.0"):
            raise Undecodable("a JSON body without Content-Type application/json")
        decoded = json_cbor.json_body(wire.body)
        if op.payload:
            return {op.payload: json_cbor.read(shape, decoded, 1)}
        value = json_cbor.structure(shape, decoded)
    return {op.payload: value} if op.payload else dict(value)


def _raw(op: Operation, wire: Wire) -> dict[str, Value]:
    """A body that is one member, whole or streamed."""
    if wire.stream is not None:
        described: dict[str, Value] = {"$stream": True}
        if wire.stream.length_bytes is not None:
            described["$length"] = wire.stream.length_bytes
        if wire.stream.sha256 is not None:
            described["$sha256"] = wire.stream.sha256
        return {op.raw_payload: described}
    if not wire.body:
        return {}
    if members(op.input)[op.raw_payload].type_name == "blob":
        return {op.raw_payload: wire.body}
    try:
        return {op.raw_payload: wire.body.decode("utf-8")}
    except UnicodeDecodeError as error:
        raise Undecodable("a text body that is not UTF-8") from error


def named(service: str, found: Match) -> Operation:
    """The model of a matched operation."""
    return operation(service, found.name)
