"""Actions of Google's APIs as requests again: method, path, pairs, headers and members, all out of the action."""

from __future__ import annotations

from collections.abc import Mapping

from comptroller.core.action import Action, ActionClass, Value
from comptroller.core.request import Outgoing, Request, Unencodable
from comptroller.decode.gcp.batch import encode_parts
from comptroller.decode.gcp.body import write_related
from comptroller.decode.jsontext import dump_json
from comptroller.decode.shape import (
    JSON_TYPE,
    outgoing_headers,
    plain_header,
    same_endpoint,
    text_pairs,
)
from comptroller.decode.target import join_target

FAMILY = "gcp"
"""Whose credential is injected."""
IN_QUERY = "requestId (query)"
IN_BODY = "requestId (body)"
"""Where an idempotency token was found, and goes again: `NAME=VALUE`."""
_QUIET = frozenset({ActionClass.READ, ActionClass.REVEAL})


def encode(action: Action, request: Request) -> Outgoing:
    """The request anew. Raises `Unencodable`."""
    same_endpoint(action, request)
    known = action.parameters
    if "@grpc" in known:
        raise Unencodable("a gRPC call is not carried")
    try:
        content_type, body = _content(action, request)
    except (TypeError, ValueError) as error:
        raise Unencodable("the action's members cannot be written as JSON") from error
    query = known.get("@query")
    pairs = tuple(text_pairs(query)) if query else ()
    if (token := action.call.idempotency.get(IN_QUERY)) is not None:
        name, _, value = token.partition("=")
        pairs = (*pairs, (name, value))
    encoding = known.get("@content_encoding")
    extra = (
        ("content-type", content_type),
        ("content-encoding", str(encoding) if encoding is not None else None),
        ("accept", plain_header(request, "accept")),
        ("accept-encoding", plain_header(request, "accept-encoding") if action.classes <= _QUIET else "identity"),
        ("user-agent", plain_header(request, "user-agent")),
        ("x-goog-api-client", plain_header(request, "x-goog-api-client")),
    )
    return Outgoing(
        method=str(known["@method"]),
        scheme=request.scheme,
        host=request.host,
        port=request.port,
        target=join_target(str(known["@path"]), pairs or None),
        headers=outgoing_headers(known.get("@headers", {}), *extra),
        body=body,
        family=FAMILY,
        stream=request.stream if isinstance(known.get("@body"), Mapping) else None,
    )


def _content(action: Action, request: Request) -> tuple[str | None, bytes]:
    """(Content-Type, body). A stream must be the one that was judged."""
    known = action.parameters
    given = known.get("@content_type")
    kind = str(given) if given is not None else None
    if "@calls" in known:
        return encode_parts(action, request, encode)
    if "@media" in known:
        media = known["@media"]
        return write_related(known["@metadata"], media if isinstance(media, bytes) else b"", str(known["@media_type"]))
    if "@metadata" in known:
        return f"{JSON_TYPE}; charset=UTF-8", dump_json(known["@metadata"])
    if "@body" in known:
        held: Value = known["@body"]
        if isinstance(held, bytes):
            return kind, held
        stream = request.stream
        now = {"stream": True, "length": stream.length_bytes, "sha256": stream.sha256} if stream is not None else None
        if held != now:
            raise Unencodable("the body is not the one that was judged")
        return kind, b""
    if "@json" in known:
        return kind or JSON_TYPE, dump_json(known["@json"])
    own = {name: value for name, value in known.items() if not name.startswith("@")}
    if (token := action.call.idempotency.get(IN_BODY)) is not None:
        name, _, value = token.partition("=")
        own[name] = value
    if own or (known["@method"] in ("POST", "PUT", "PATCH") and "@empty" not in known):
        return kind or JSON_TYPE, dump_json(own)
    return None, b""
