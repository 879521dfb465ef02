"""What an OpenAPI 3.x or Swagger 2 document publishes: operations, request bodies, hosts, how a key is sent. Only
references within the document are followed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

import yaml

from comptroller.decode.http import METHOD_CLASSES

OPERATIONS_MAX = 5000
MEMBERS_MAX = 400
MEMBER_DEPTH_MAX = 4
REFERENCES_MAX = 20
SUMMARY_CHARACTERS_MAX = 300

Kind = Literal["json", "form", "multipart", "raw", "none"]
_Loader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class MalformedApi(ValueError):
    """A document that is no OpenAPI document; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One member of a request: where it stands, and what the document says of it."""

    place: str
    kind: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """One operation of the document. `members` are those of query, form and body, as far as they were asked for."""

    method: str
    path: str
    name: str
    summary: str
    kinds: tuple[Kind, ...]
    members: tuple[Member, ...] = ()
    deprecated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """The document. `hosts` are those of its servers; `header` and `prefix` say how a key is sent, where it says so."""

    title: str
    version: str
    hosts: tuple[str, ...]
    operations: tuple[Published, ...]
    header: str = ""
    prefix: str = ""
    basic: bool = False


def read_api(raw: bytes, *, members: bool = False) -> Api:
    """The operations of a document's bytes, JSON or YAML. Raises `MalformedApi`."""
    document = _parsed(raw)
    version = document.get("openapi") or document.get("swagger")
    if not isinstance(version, str | float) or not str(version).startswith(("3.", "2.")):
        raise MalformedApi("neither `openapi: 3.x` nor `swagger: 2.0` is there: this is no OpenAPI document")
    info = _mapping(document.get("info"))
    servers = _servers(document)
    base = next((path for _, path in servers), "")
    operations: list[Published] = []
    for path, item in _mapping(document.get("paths")).items():
        item = _resolved(document, item)
        for method in METHOD_CLASSES:
            if isinstance(found := item.get(method.lower()), Mapping):
                operations.append(_operation(document, item, found, method, base + str(path), members=members))
        if len(operations) > OPERATIONS_MAX:
            raise MalformedApi(f"the document has more than {OPERATIONS_MAX} operations")
    if not operations:
        raise MalformedApi("the document lists no operations")
    header, prefix, basic = _security(document)
    return Api(
        title=str(info.get("title", "")),
        version=str(info.get("version", "")),
        hosts=tuple(dict.fromkeys(host for host, _ in servers if host)),
        operations=tuple(_named(operations)),
        header=header,
        prefix=prefix,
        basic=basic,
    )


def _parsed(raw: bytes) -> Mapping[str, object]:
    try:
        text = raw.decode("utf-8-sig")
        is_json = text.lstrip().startswith("{")
        document = json.loads(text) if is_json else yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader
    except UnicodeDecodeError as error:
        raise MalformedApi("the document is not UTF-8 text") from error
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        raise MalformedApi("the document is neither JSON nor YAML") from error
    if not isinstance(document, Mapping):
        raise MalformedApi("the document is not an object")
    return document


def _servers(document: Mapping[str, object]) -> list[tuple[str, str]]:
    """(host, base path) of each server."""
    if "swagger" in document:
        host = str(document.get("host", ""))
        base = str(document.get("basePath", "")).rstrip("/")
        return [(host.partition(":")[0].lower(), base)]
    found: list[tuple[str, str]] = []
    for server in _sequence(document.get("servers")):
        url = str(_mapping(server).get("url", ""))
        for name, variable in _mapping(_mapping(server).get("variables")).items():
            url = url.replace("{" + str(name) + "}", str(_mapping(variable).get("default", "")))
        try:
            parts = urlsplit(url)
            found.append(((parts.hostname or "").lower(), parts.path.rstrip("/")))
        except ValueError:
            continue
    return found


def _operation(
    document: Mapping[str, object],
    item: Mapping[str, object],
    operation: Mapping[str, object],
    method: str,
    path: str,
    *,
    members: bool,
) -> Published:
    given = [*_sequence(item.get("parameters")), *_sequence(operation.get("parameters"))]
    parameters = [_resolved(document, each) for each in given]
    content = _mapping(_resolved(document, operation.get("requestBody")).get("content"))
    kinds = _kinds(document, operation, parameters, content, method)
    found: list[Member] = []
    if members:
        for each in parameters:
            place = {"query": "query", "formData": "form"}.get(str(each.get("in")))
            if place is not None:
                schema = _mapping(each.get("schema")) or each
                found.append(Member(place=f"{place}:{each.get('name')}", kind=str(schema.get("type", "")), text=""))
        found += _members(document, content, parameters)
    summary = " ".join(str(operation.get(name, "")) for name in ("summary", "description")).strip()
    tags = [str(tag) for tag in _sequence(operation.get("tags"))]
    return Published(
        method=method,
        path=path,
        name=_name(str(operation.get("operationId", "")), tags, method, path),
        summary=" ".join(summary.split())[:SUMMARY_CHARACTERS_MAX],
        kinds=kinds,
        members=tuple(found[:MEMBERS_MAX]),
        deprecated=operation.get("deprecated") is True,
    )


def _kinds(
    document: Mapping[str, object],
    operation: Mapping[str, object],
    parameters: Sequence[Mapping[str, object]],
    content: Mapping[str, object],
    method: str,
) -> tuple[Kind, ...]:
    types = [str(name) for name in content]
    if "swagger" in document:
        wanted = {str(each.get("in")) for each in parameters}
        if not wanted & {"body", "formData"}:
            types = []
        else:
            stated = [str(each) for each in _sequence(operation.get("consumes") or document.get("consumes"))]
            form = "formData" in wanted
            types = stated or (["application/x-www-form-urlencoded"] if form else ["application/json"])
    found = {_kind(each) for each in types}
    if not found or method in ("GET", "HEAD", "OPTIONS"):
        return ("none",)
    order: tuple[Kind, ...] = ("json", "form", "multipart", "raw")
    return tuple(kind for kind in order if kind in found)


def _kind(media: str) -> Kind:
    bare = media.split(";", 1)[0].strip().lower()
    if bare == "application/json" or bare.endswith("+json"):
        return "json"
    if bare == "application/x-www-form-urlencoded":
        return "form"
    return "multipart" if bare == "multipart/form-data" else "raw"


def _members(
    document: Mapping[str, object], content: Mapping[str, object], parameters: Sequence[Mapping[str, object]]
) -> Iterator[Member]:
    for media, body in content.items():
        schema = _mapping(_mapping(body).get("schema"))
        kind = _kind(str(media))
        if kind == "json":
            yield from _walk(document, schema, "", 0)
        elif kind == "form":
            for member in _walk(document, schema, "", MEMBER_DEPTH_MAX - 1):
                yield Member(place="form:" + member.place.removeprefix("/"), kind=member.kind, text=member.text)
    for each in parameters:
        if each.get("in") == "body":
            yield from _walk(document, _mapping(each.get("schema")), "", 0)


def _walk(document: Mapping[str, object], schema: object, at: str, depth: int) -> Iterator[Member]:
    if depth >= MEMBER_DEPTH_MAX:
        return
    schema = _resolved(document, schema)
    for part in ("allOf", "oneOf", "anyOf"):
        for each in _sequence(schema.get(part)):
            yield from _walk(document, each, at, depth + 1)
    if isinstance(schema.get("items"), Mapping):
        yield from _walk(document, schema["items"], f"{at}/*", depth + 1)
    for name, member in _mapping(schema.get("properties")).items():
        place = f"{at}/{str(name).replace('~', '~0').replace('/', '~1')}"
        member = _resolved(document, member)
        text = " ".join(str(member.get("description", "")).split())[:SUMMARY_CHARACTERS_MAX]
        yield Member(place=place, kind=_type(member), text=text)
        yield from _walk(document, member, place, depth + 1)


def _type(schema: Mapping[str, object]) -> str:
    """`string`, `object`, …; empty where the document does not say."""
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((each for each in kind if each != "null"), "")
    if not kind:
        kind = (
            "object"
            if {"properties", "allOf", "oneOf", "anyOf"} & schema.keys()
            else "array"
            if "items" in schema
            else ""
        )
    return str(kind)


def _security(document: Mapping[str, object]) -> tuple[str, str, bool]:
    """(header, what stands before the key, whether it is basic authentication)."""
    schemes = _mapping(_mapping(document.get("components")).get("securitySchemes")) or _mapping(
        document.get("securityDefinitions")
    )
    for scheme in schemes.values():
        scheme = _resolved(document, scheme)
        kind, name = str(scheme.get("type", "")).lower(), str(scheme.get("scheme", "")).lower()
        if kind == "basic" or (kind == "http" and name == "basic"):
            return "authorization", "Basic ", True
        if (kind == "http" and name == "bearer") or kind in ("oauth2", "openidconnect"):
            return "authorization", "Bearer ", False
        if kind == "apikey" and scheme.get("in") == "header":
            header = str(scheme.get("name", "")).lower()
            if re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,63}", header):
                return header, "", False
    return "", "", False


def _named(operations: Sequence[Published]) -> Iterator[Published]:
    """Every operation with a name of its own."""
    seen: set[str] = set()
    for each in operations:
        name, count = each.name, 2
        while name in seen:
            name, count = f"{each.name}-{count}", count + 1
        seen.add(name)
        yield (
            each
            if name == each.name
            else Published(
                method=each.method,
                path=each.path,
                name=name,
                summary=each.summary,
                kinds=each.kinds,
                members=each.members,
                deprecated=each.deprecated,
            )
        )


def _name(identity: str, tags: Sequence[str], method: str, path: str) -> str:
    name = re.sub(r"[^A-Za-z0-9._/-]+", "-", identity).strip("-./")
    if not name:
        words = [part for part in re.split(r"[^A-Za-z0-9]+", re.sub(r"\{[^}]*\}", "", path)) if part]
        name = ".".join((*words, method.lower()))
    return name[:120] or method.lower()


def _resolved(document: Mapping[str, object], value: object) -> Mapping[str, object]:
    """`value` with a reference followed, within the document only; empty where it leads nowhere."""
    for _ in range(REFERENCES_MAX):
        if not isinstance(value, Mapping):
            return {}
        reference = value.get("$ref")
        if not isinstance(reference, str):
            return value
        if not reference.startswith("#/"):
            return {}
        found: object = document
        for step in reference[2:].split("/"):
            step = step.replace("~1", "/").replace("~0", "~")
            found = found.get(step) if isinstance(found, Mapping) else None
        value = found
    return {}


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _sequence(value: object) -> Sequence[object]:
    return value if isinstance(value, Sequence) and not isinstance(value, str | bytes) else ()
