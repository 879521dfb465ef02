"""One JSON-RPC 2.0 message of MCP, read so that no server reads another: exact members, plain names, equal headers."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from comptroller.core.action import ActionClass, Value
from comptroller.core.request import Request
from comptroller.decode.jsontext import parse_json
from comptroller.decode.shape import Undecodable, only_header

PROTOCOL_VERSIONS = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28")
STATELESS_VERSIONS = frozenset({"2026-07-28"})
"""Versions without a session: there every request repeats method and name in headers."""
VERSION_IN_META = "io.modelcontextprotocol/protocolVersion"
PARAMETER_HEADER = "mcp-param-"
ID_CHARACTERS_MAX = 256
PARAMETER_HEADERS_MAX = 64

READ, WRITE = frozenset({ActionClass.READ}), frozenset({ActionClass.WRITE})
TOOL_DEFAULT = frozenset({ActionClass.WRITE, ActionClass.EXECUTE})
"""What a tool does that nobody has described: nobody can say, so the strictest that a person may still allow. What a
server says of its tools (`readOnlyHint`) is its own claim, and changes nothing."""
METHODS: Mapping[str, frozenset[ActionClass]] = {
    "initialize": READ,
    "ping": READ,
    "server/discover": READ,
    "tools/list": READ,
    "tools/call": TOOL_DEFAULT,
    "resources/list": READ,
    "resources/templates/list": READ,
    "resources/read": READ,
    "resources/subscribe": READ,
    "resources/unsubscribe": READ,
    "subscriptions/listen": READ,
    "prompts/list": READ,
    "prompts/get": READ,
    "completion/complete": READ,
    "logging/setLevel": READ,
    "tasks/get": READ,
    "tasks/list": READ,
    "tasks/result": READ,
    "tasks/cancel": WRITE,
    "tasks/update": WRITE,
}
"""Requests of a client."""
NOTIFICATIONS: Mapping[str, frozenset[ActionClass]] = {
    "notifications/initialized": READ,
    "notifications/cancelled": READ,
    "notifications/progress": READ,
    "notifications/roots/list_changed": READ,
    "notifications/tasks/status": READ,
}
NAMED_BY: Mapping[str, str] = {
    "tools/call": "name",
    "prompts/get": "name",
    "resources/read": "uri",
    "resources/subscribe": "uri",
    "resources/unsubscribe": "uri",
    "tasks/get": "taskId",
    "tasks/result": "taskId",
    "tasks/cancel": "taskId",
    "tasks/update": "taskId",
}
"""Method -> the parameter that names what it is about."""
PASSED_META = frozenset({"progressToken", "traceparent", "tracestate", "baggage"})
"""Members of `_meta` that are new with each call and change nothing: no part of the action, sent as they came."""
_CALL_MEMBERS = frozenset({"name", "arguments", "_meta", "task", "inputResponses", "requestState"})

_NAME = re.compile(r"[!-~]{1,128}")
_URI = re.compile(r"[!-~]{1,4096}")
_BASE64 = re.compile(r"=\?base64\?([A-Za-z0-9+/]*={0,2})\?=")

Kind = Literal["request", "notification", "response"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message; `name` is what its method is about (a tool, a prompt, a resource), empty where nothing is named."""

    kind: Kind
    method: str
    members: Mapping[str, Value]
    name: str = ""

    @property
    def params(self) -> Mapping[str, Value]:
        """The parameters, empty where there are none."""
        params = self.members.get("params")
        return params if isinstance(params, Mapping) else {}


def parse_message(body: bytes) -> Message:
    """The one message of a body. Raises `Undecodable`, and `MalformedJson` for what is not strict JSON."""
    document = parse_json(body)
    if isinstance(document, list):
        raise Undecodable("a batch of messages: MCP has none since 2025-06-18, send them one by one")
    if not isinstance(document, Mapping) or document.get("jsonrpc") != "2.0":
        raise Undecodable("the body is not a JSON-RPC 2.0 message")
    if "method" not in document:
        return _response(document)
    # Some servers match names whatever their case: nothing but these four may stand here.
    if not document.keys() <= {"jsonrpc", "id", "method", "params"}:
        raise Undecodable("the message has members that JSON-RPC does not know")
    method, params = document["method"], document.get("params")
    if params is not None and not isinstance(params, Mapping):
        raise Undecodable("`params` is not an object")
    _one_case(params or {})
    if "id" not in document:
        if not isinstance(method, str) or method not in NOTIFICATIONS:
            raise Undecodable("the method is no notification that MCP knows")
        return Message(kind="notification", method=method, members=document)
    _check_id(document["id"])
    if not isinstance(method, str) or method not in METHODS:
        raise Undecodable("the method is none that MCP knows")
    if method == "tools/call" and not (params or {}).keys() <= _CALL_MEMBERS:
        raise Undecodable("a call of a tool has parameters that MCP does not know")
    arguments = (params or {}).get("arguments")
    if method == "tools/call" and arguments is not None and not isinstance(arguments, Mapping):
        raise Undecodable("the arguments of a tool are not an object")
    return Message(kind="request", method=method, members=document, name=_name(method, params or {}))


def check_headers(request: Request, message: Message) -> dict[str, Value]:
    """The headers of MCP, which become part of the action. Raises `Undecodable` where one says something other than
    the body: a proxy may route by the header what the server reads in the body."""
    found = {name: only_header(request, name) for name in ("mcp-protocol-version", "mcp-method", "mcp-name")}
    version = found["mcp-protocol-version"]
    if version is not None and version not in PROTOCOL_VERSIONS:
        raise Undecodable("the version in `MCP-Protocol-Version` is none that is known")
    meta = message.params.get("_meta")
    told = meta.get(VERSION_IN_META) if isinstance(meta, Mapping) else None
    if told is not None and told != version:
        raise Undecodable("`MCP-Protocol-Version` differs from the version in the body")
    if version in STATELESS_VERSIONS and message.kind == "request":
        named = message.method in ("tools/call", "prompts/get", "resources/read")
        if found["mcp-method"] is None or (named and found["mcp-name"] is None):
            raise Undecodable(f"version {version} of MCP repeats method and name in headers, and they are missing")
    if found["mcp-method"] is not None and found["mcp-method"] != message.method:
        raise Undecodable("`Mcp-Method` differs from the method in the body")
    if found["mcp-name"] is not None and (not message.name or _plain(found["mcp-name"]) != message.name):
        raise Undecodable("`Mcp-Name` differs from the name in the body")
    headers: dict[str, Value] = {name: value for name, value in found.items() if value is not None}
    return {**headers, **_parameters(request, message)}


def _parameters(request: Request, message: Message) -> dict[str, Value]:
    """`Mcp-Param-*`: each must say what some argument says."""
    names = sorted({name for name, _ in request.headers if name.startswith(PARAMETER_HEADER)})
    if len(names) > PARAMETER_HEADERS_MAX:
        raise Undecodable(f"the request has more than {PARAMETER_HEADERS_MAX} headers of parameters")
    arguments = message.params.get("arguments") if message.method == "tools/call" else None
    said = set(_scalars(arguments)) if names else set()
    found: dict[str, Value] = {}
    for name in names:
        value = only_header(request, name)
        if value is None or _plain(value) not in said:
            raise Undecodable(f"the header `{name}` says what no argument says")
        found[name] = value
    return found


def _scalars(value: Value) -> Iterator[str]:
    if isinstance(value, Mapping):
        for member in value.values():
            yield from _scalars(member)
    elif isinstance(value, list):
        for member in value:
            yield from _scalars(member)
    elif isinstance(value, bool):
        yield "true" if value else "false"
    elif value is not None:
        yield str(value)


def _plain(value: str) -> str | None:
    """A header's value, taken out of its base64 where it stands in it; None where that is broken."""
    match = _BASE64.fullmatch(value)
    if match is None:
        return value
    try:
        return base64.b64decode(match[1], validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        return None


def _name(method: str, params: Mapping[str, Value]) -> str:
    member = NAMED_BY.get(method)
    if member is None:
        return ""
    name = params.get(member)
    # ASCII alone: no letter that looks like another, nothing of no width, one form to compare by.
    pattern = _URI if member == "uri" else _NAME
    if not isinstance(name, str) or not pattern.fullmatch(name):
        raise Undecodable(f"`{member}` is not a name in plain ASCII")
    return name


def _response(document: Mapping[str, Value]) -> Message:
    """What a client answers to a request of its server (a sampled text, a person's answer, its folders)."""
    if not document.keys() <= {"jsonrpc", "id", "result", "error"} or ("result" in document) == ("error" in document):
        raise Undecodable("the body is neither a request, a notification nor one response of JSON-RPC")
    _check_id(document.get("id"))
    return Message(kind="response", method="respond", members=document)


def _one_case(params: Mapping[str, Value]) -> None:
    if len({name.casefold() for name in params}) != len(params):
        raise Undecodable("the parameters have one name in two cases")


def _check_id(identity: Value) -> None:
    if isinstance(identity, bool) or not isinstance(identity, str | int) or len(str(identity)) > ID_CHARACTERS_MAX:
        raise Undecodable("the message's `id` is neither text nor an integer")
