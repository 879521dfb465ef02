"""MCP on the wire. What a tool does is what `services.NAME.tools` says, never what its server says of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from comptroller.core.action import Action, ActionClass, Call, Value
from comptroller.core.estimate import Outcome
from comptroller.core.request import NativeResponse, Outgoing, Request, Unencodable
from comptroller.core.verdict import Verdict
from comptroller.decode.answer import JsonAnswer
from comptroller.decode.http import content_type_of, refusal_code, refuse_upgrade
from comptroller.decode.jsontext import MalformedJson, dump_json, parse_json, parse_object
from comptroller.decode.mcp.message import (
    METHODS,
    NOTIFICATIONS,
    PASSED_META,
    READ,
    TOOL_DEFAULT,
    WRITE,
    Message,
    check_headers,
    parse_message,
)
from comptroller.decode.shape import (
    JSON_TYPE,
    Undecodable,
    bound_headers,
    media_type,
    native_headers,
    outgoing_headers,
    payload_bytes,
    plain_header,
    printable,
    same_endpoint,
    undecodable,
)
from comptroller.decode.target import AmbiguousTarget, Target, parse_target

ToolClasses = Mapping[str, Mapping[str, frozenset[ActionClass]]]
"""Host or pattern -> tool -> what it does, as configured."""

DENIED_CODE = -32003
"""JSON-RPC leaves -32000 to -32099 to servers; a client hands code, message and data to its model."""
WELL_KNOWN = "/.well-known/"
EVENTS_TYPE = "text/event-stream"
PATH, SESSION, HEADERS, ID = "@path", "@session", "@headers", "@id"

_OTHER: Mapping[str, frozenset[ActionClass]] = {"respond": WRITE, "stream": READ, "close": WRITE, "discover": READ}


class McpCodec:
    """`mcp:HOST:tools/call`; the tool is the resource, its arguments are parameters. No host is MCP's own."""

    name: str = "mcp"
    hosts: frozenset[str] = frozenset()

    def __init__(self, tools: ToolClasses | None = None) -> None:
        """`tools` says what the tools of each configured host do; any other is `TOOL_DEFAULT`."""
        self._tools = tools or {}

    # ------------------------------------------------------------ in

    def decode(self, request: Request) -> Action:
        """What the request would do; a reason where nobody can say."""
        try:
            return self._decode(request)
        except (Undecodable, AmbiguousTarget, MalformedJson) as error:
            return undecodable(
                request,
                service=_service(request),
                operation=f"mcp:{printable(request.host)}:unknown",
                family=request.host,
                reason=str(error),
            )

    def _decode(self, request: Request) -> Action:
        refuse_upgrade(request)
        target = parse_target(request.target)
        if request.stream is not None:
            raise Undecodable("the body is larger than what is read whole")
        if request.method == "POST":
            message, headers = self._posted(request)
            what, parameters = message.method, _members(message)
            classes = self._classes(request.host, message)
            resources: tuple[str, ...] = (message.name,) if message.name else ()
        elif request.method in ("GET", "DELETE") and not request.body:
            what = _bodiless(request, target.path)
            headers = bound_headers(request, ("mcp-protocol-version", "last-event-id"))
            parameters, classes, resources = {}, _OTHER[what], ()
        else:
            raise Undecodable("MCP knows no request with this method")
        parameters |= {PATH: target.text, HEADERS: headers, **_session(request)}
        return Action(
            operation=f"mcp:{request.host}:{what}",
            service=_service(request),
            classes=classes,
            endpoint=request.endpoint,
            agent=request.agent,
            run=request.run,
            account=request.accounts.get(request.host, ""),
            resources=resources,
            parameters=parameters,
            sensitive=_sensitive(target) & parameters.keys(),
            call=Call(attempt=request.attempt, payload_bytes=payload_bytes(request)),
        )

    def _posted(self, request: Request) -> tuple[Message, dict[str, Value]]:
        if content_type_of(request) != JSON_TYPE:
            raise Undecodable(f"the Content-Type is not {JSON_TYPE}")
        message = parse_message(request.body)
        return message, check_headers(request, message)

    def _classes(self, host: str, message: Message) -> frozenset[ActionClass]:
        if message.kind == "response":
            return _OTHER["respond"]
        if message.method != "tools/call":
            return METHODS.get(message.method) or NOTIFICATIONS[message.method]
        known = self._known_tools(host)
        exact = known.get(message.name)
        if exact is not None:
            return exact
        # A name that reads like a configured one may be the same to its server: it is at least as grave.
        alike = [classes for name, classes in known.items() if _folded(name) == _folded(message.name)]
        return TOOL_DEFAULT.union(*alike)

    def _known_tools(self, host: str) -> Mapping[str, frozenset[ActionClass]]:
        found = self._tools.get(host)
        rest = host
        while found is None and "." in rest:
            rest = rest.partition(".")[2]
            found = self._tools.get(f"*.{rest}")
        return found or {}

    # ------------------------------------------------------------ out

    def encode(self, action: Action, request: Request) -> Outgoing:
        """The message anew. Raises `Unencodable`."""
        same_endpoint(action, request)
        known = action.parameters
        what = action.operation.rpartition(":")[2]
        body = b""
        if request.method == "POST":
            try:
                body = dump_json(_written(action, what, parse_object(request.body)))
            except (KeyError, TypeError, ValueError) as error:
                raise Unencodable("the action's members cannot be written as JSON") from error
        elif what not in ("stream", "close", "discover"):
            raise Unencodable("the action is not what this request asked for")
        session = known.get(SESSION)
        extra = (
            ("content-type", JSON_TYPE if body else None),
            ("mcp-session-id", session if isinstance(session, str) else None),
            ("accept", plain_header(request, "accept")),
            ("accept-encoding", "identity"),
            ("user-agent", plain_header(request, "user-agent")),
        )
        return Outgoing(
            method=request.method,
            scheme=request.scheme,
            host=request.host,
            port=request.port,
            target=str(known[PATH]),
            headers=outgoing_headers(known.get(HEADERS), *extra),
            body=body,
            family=request.host,
        )

    def known(self) -> Mapping[str, frozenset[ActionClass]]:
        """Operations by name: those of every configured host."""
        return {f"mcp:{host}:{what}": classes for host in self._tools for what, classes in _all_methods().items()}

    # ------------------------------------------------------------ answers

    def refuse(self, action: Action, request: Request, verdict: Verdict, message: str) -> NativeResponse:
        """403 with a JSON-RPC error for the request's own id, which a client hands to its model."""
        error = {"code": DENIED_CODE, "message": message, "data": {"reason": refusal_code(verdict)}}
        identity = _asked_id(request)
        payload = json.dumps({"jsonrpc": "2.0", "id": identity, "error": error}, separators=(",", ":")).encode("ascii")
        return NativeResponse(status=403, headers=native_headers(JSON_TYPE, payload, message), body=payload)

    def meter(self, action: Action) -> McpMeter:
        """Reads whether the server did it."""
        return McpMeter()

    def sentence(self, action: Action) -> str:
        """`call the tool send_mail at tools.example.com (to, subject, body)`."""
        if action.undecodable and action.reason:
            return f"call {action.host} in a way that cannot be read: {action.reason}"
        what = action.operation.rpartition(":")[2]
        if what != "tools/call":
            named = f" {action.resources[0]}" if action.resources else ""
            return f"{what}{named} at {action.host}"
        arguments = action.parameters.get("arguments")
        names = ", ".join(printable(name) for name in list(arguments)[:8]) if isinstance(arguments, Mapping) else ""
        return f"call the tool {action.resources[0]} at {action.host}" + (f" ({names})" if names else "")


class McpMeter(JsonAnswer):
    """Reads one answer: JSON as a whole; a stream of events is passed on and only its status counts."""

    def __init__(self) -> None:
        super().__init__(wanted=True)

    def head(self, status: int, headers: Sequence[tuple[str, str]]) -> None:
        """Learns status and content type."""
        super().head(status, headers)
        kind = next((value for name, value in headers if name.lower() == "content-type"), None)
        self._wanted = self._wanted and media_type(kind) == JSON_TYPE

    def finish(self, *, complete: bool) -> Outcome:
        """`ok` where the status says so and the message is no error."""
        return Outcome(status=self.status, ok=self.ok and "error" not in self.members(), complete=complete)


def mcp_classes(operation: str) -> frozenset[ActionClass] | None:
    """The classes of `mcp:HOST:METHOD`; a configured tool may have others. None where MCP knows no such method."""
    return _all_methods().get(operation.rpartition(":")[2]) if operation.startswith("mcp:") else None


def _all_methods() -> Mapping[str, frozenset[ActionClass]]:
    return {**METHODS, **NOTIFICATIONS, **_OTHER}


def _service(request: Request) -> str:
    return f"mcp:{printable(request.host)}"


def _members(message: Message) -> dict[str, Value]:
    """The parameters of an action: those of a call of a tool by name, what else was sent as it stands. The id of a
    request is no part of it, that of an answer says what is answered."""
    members = message.members
    if message.kind == "response":
        return {ID: members["id"], **{name: members[name] for name in ("result", "error") if name in members}}
    params = dict(message.params)
    meta = params.get("_meta")
    if isinstance(meta, Mapping):
        params["_meta"] = {name: value for name, value in meta.items() if name not in PASSED_META}
    if message.method == "tools/call":
        return params
    return {"params": params} if members.get("params") is not None else {}


def _written(action: Action, what: str, asked: Mapping[str, Value]) -> Mapping[str, Value]:
    """The message of an action; its id and what else is new with each call as they were asked."""
    known = action.parameters
    own = {name: value for name, value in known.items() if not name.startswith("@")}
    if what == "respond":
        return {"jsonrpc": "2.0", "id": known[ID], **own}
    message: dict[str, Value] = {"jsonrpc": "2.0"}
    if what not in NOTIFICATIONS:
        message["id"] = asked["id"]
    message["method"] = what
    params = own if what == "tools/call" else own.get("params")
    if isinstance(params, Mapping):
        before = asked.get("params")
        meta = before.get("_meta") if isinstance(before, Mapping) else None
        passed = {name: meta[name] for name in PASSED_META & meta.keys()} if isinstance(meta, Mapping) else {}
        judged = params.get("_meta")
        if isinstance(judged, Mapping):
            params = {**params, "_meta": {**judged, **dict(sorted(passed.items()))}}
        message["params"] = params
    return message


def _bodiless(request: Request, path: str) -> str:
    if request.method == "DELETE":
        return "close"
    if EVENTS_TYPE in ",".join(request.all("accept")).lower():
        return "stream"
    if path.startswith(WELL_KNOWN):
        return "discover"
    raise Undecodable("a GET at an MCP server that asks neither for events nor for what is well known")


def _sensitive(target: Target) -> frozenset[str]:
    """What no log keeps. The arguments of a tool are shown: a person could not say yes to what nobody sees."""
    return frozenset({SESSION, "result", "error"} | ({PATH} if target.has_query else set()))


def _session(request: Request) -> dict[str, Value]:
    found = bound_headers(request, ("mcp-session-id",))
    return {SESSION: found["mcp-session-id"]} if found else {}


def _asked_id(request: Request) -> str | int | None:
    """The id of the request as far as it can be read, so that the client knows what was refused."""
    try:
        document = parse_json(request.body)
    except MalformedJson:
        return None
    identity = document.get("id") if isinstance(document, Mapping) else None
    return identity if isinstance(identity, str | int) and not isinstance(identity, bool) else None


def _folded(name: str) -> str:
    return "".join(c for c in name.casefold() if c.isalnum())
