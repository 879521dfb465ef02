"""The table of endpoints as an OpenAPI 3.1 document: what is served over TCP, and what stays on the socket."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from comptroller import __version__
from comptroller.server.api.endpoint import Endpoint
from comptroller.server.api.paging import CURSOR_CHARS_MAX, LIMIT_DEFAULT, LIMIT_MAX

REFERENCE = "#/components/schemas/{model}"
PREFIX = "/api/v1"
_DESCRIPTION = (
    "Everything the console does. Money is integer micro-dollars where a name says `usd_micros`; amounts that people "
    "type (`limit`, `cost_usd`) are dollars as text. Times are RFC 3339 in UTC. Members that you do not know are to be "
    "left alone: later versions add some."
)
_PROBLEMS = {
    "400": "What was sent is not HTTP",
    "401": "Nobody is known to have asked",
    "403": "The caller may not do this",
    "404": "There is no such thing",
    "405": "This is not done here",
    "409": "The present state forbids it",
    "412": "It has changed since the caller saw it",
    "413": "The body is too large",
    "415": "The body is not JSON",
    "422": "What was asked cannot be",
    "428": "If-Match is missing",
    "429": "Too many calls",
    "503": "The store or a provider cannot be reached",
}
_HEADERS_OF = {"401": "WWW-Authenticate", "405": "Allow", "429": "Retry-After", "503": "Retry-After"}
_PROBLEM = {
    "type": "object",
    "description": "RFC 9457. `hint` is the next step, `kind` the conflict",
    "required": ["type", "status", "title"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "status": {"type": "integer"},
        "title": {"type": "string"},
        "hint": {"type": "string"},
        "kind": {"type": "string"},
        "exit_code": {"type": "integer"},
    },
}
_PARAMETER = re.compile(r"\{(\w+)\}")


def document(endpoints: Iterable[Endpoint]) -> dict[str, Any]:
    """The document over these endpoints, without what stays on the socket."""
    served = [endpoint for endpoint in endpoints if not endpoint.socket_only]
    wanted: dict[tuple[type[BaseModel], JsonSchemaMode], None] = {}
    for endpoint in served:
        wanted[endpoint.answer, "serialization"] = None
        if endpoint.method != "GET":
            wanted[endpoint.body, "validation"] = None
        wanted[endpoint.query, "validation"] = None
    schemas, definitions = models_json_schema(list(wanted), ref_template=REFERENCE)
    components = {**definitions.get("$defs", {}), "Problem": _PROBLEM}
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in served:
        of = {
            "answer": schemas[endpoint.answer, "serialization"],
            "query": _resolved(schemas[endpoint.query, "validation"], components),
            "body": schemas[endpoint.body, "validation"] if endpoint.method != "GET" else None,
        }
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint, of)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Comptroller", "version": __version__, "description": _DESCRIPTION},
        "servers": [{"url": PREFIX}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "comptroller people token NAME"}
            },
        },
    }


def _operation(endpoint: Endpoint, of: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "operationId": endpoint.name,
        "summary": endpoint.summary,
        "tags": [endpoint.path.split("/")[1]],
        "x-comptroller-right": endpoint.right.value,
        "x-comptroller-since": endpoint.since,
        "parameters": [*_parameters(endpoint), *_query_parameters(of["query"])],
        "responses": _responses(endpoint, of["answer"]),
    }
    if endpoint.sunset is not None:
        found |= {"deprecated": True, "x-comptroller-sunset": endpoint.sunset.isoformat()}
    if of["body"] is not None:
        needed = any(each.is_required() for each in endpoint.body.model_fields.values())
        found["requestBody"] = {"required": needed, "content": {"application/json": {"schema": of["body"]}}}
    return found


def _responses(endpoint: Endpoint, answer: object) -> dict[str, Any]:
    content = {"application/problem+json": {"schema": {"$ref": REFERENCE.format(model="Problem")}}}
    codes = {"400", "401", "403", "404", "405", "409", "422", "429", "503"}
    done: dict[str, Any] = {"description": "Done", "content": {"application/json": {"schema": answer}}}
    if endpoint.method == "GET":
        done["headers"] = {"ETag": {"schema": {"type": "string"}}}
    else:
        codes |= {"412", "413", "415"} | ({"428"} if endpoint.must_match else set())
    responses: dict[str, Any] = {"200": done}
    if endpoint.method == "GET":
        responses["304"] = {"description": "As the caller knows it"}
    for code in sorted(codes):
        responses[code] = {"description": _PROBLEMS[code], "content": content}
        if code in _HEADERS_OF:
            responses[code]["headers"] = {_HEADERS_OF[code]: {"schema": {"type": "string"}}}
    return responses


def _parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string", "minLength": 1, "maxLength": 2000},
        }
        for name in _PARAMETER.findall(endpoint.path)
    ]
    if endpoint.method != "GET":
        text = "The same call with the same key within 24 hours is done once, and answered alike"
        found.append(_text_parameter("Idempotency-Key", "header", text, 200, r"^[\x21-\x7e]+$"))
        if endpoint.about:
            text = "The ETag of what is changed, as the caller saw it"
            found.append({**_text_parameter("If-Match", "header", text, 1000), "required": endpoint.must_match})
    elif endpoint.listing:
        limit = {"type": "integer", "minimum": 1, "maximum": LIMIT_MAX, "default": LIMIT_DEFAULT}
        found.append({"name": "limit", "in": "query", "required": False, "schema": limit})
        text = "`next` of the page before"
        found.append(_text_parameter("cursor", "query", text, CURSOR_CHARS_MAX, r"^[A-Za-z0-9_-]*$"))
    return found


def _text_parameter(name: str, place: str, text: str, most: int, pattern: str = "") -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string", "maxLength": most}
    if pattern:
        schema["pattern"] = pattern
    return {"name": name, "in": place, "required": False, "description": text, "schema": schema}


def _query_parameters(schema: Mapping[str, Any]) -> list[dict[str, Any]]:
    needed = schema.get("required", ())
    return [
        {"name": name, "in": "query", "required": name in needed, "schema": each}
        for name, each in schema.get("properties", {}).items()
    ]


def _resolved(schema: Mapping[str, Any], components: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = schema.get("$ref")
    return components[reference.rsplit("/", 1)[1]] if reference else schema
