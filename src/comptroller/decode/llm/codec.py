"""Model services on the wire: what all of them share. A table names the operations; strict JSON or forms in, the same
members out; usage is read from the answer, streamed or not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from urllib.parse import unquote

from comptroller.core.action import PARTS_MAX, Action, ActionClass, Call, Value
from comptroller.core.request import NativeResponse, Outgoing, Request, Unencodable
from comptroller.core.verdict import Verdict
from comptroller.decode.http import content_type_of, refusal_code, refuse_upgrade
from comptroller.decode.jsontext import MalformedJson, dump_json, parse_object
from comptroller.decode.llm.cut import in_flight_tokens
from comptroller.decode.llm.form import CONTENT, FORM_TYPE, dump_form, parse_form
from comptroller.decode.llm.limits import has_limit, lowered, output_limit
from comptroller.decode.llm.meter import Dialect, UsageMeter
from comptroller.decode.llm.routes import Route, Table, table
from comptroller.decode.llm.tools import Tools, tools_of
from comptroller.decode.shape import (
    JSON_TYPE,
    Undecodable,
    bound_headers,
    native_json,
    no_retry,
    only_header,
    outgoing_headers,
    payload_bytes,
    plain_header,
    same_endpoint,
    undecodable,
)
from comptroller.decode.target import AmbiguousTarget, Target, parse_target

MODEL_CHARACTERS_MAX = 256
FETCHES_SHOWN_MAX = 5
SENSITIVE = frozenset(
    {"messages", "input", "system", "instructions", "prompt", "prediction", "metadata", "user", "tools", "mcp_servers"}
    | {"container", "safety_identifier", "file", "image", "mask", "audio", "items", "item", "value", "secret", "key"}
    | {"auth", "credentials", "credential", "token", "requests", "documents", "query", "text", "messages_json"}
    | {"questions", "events", "content", "tool_outputs", "thread", "additional_messages", "additional_instructions"}
    | {"contents", "systemInstruction", "system_instruction", "instances", "batch", "environment", "api_key"}
)
"""Members that hold what people wrote, or keys for other servers."""
CASED = frozenset(
    {"model", "messages", "input", "prompt", "tools", "stream", "n", "best_of", "mcp_servers", "web_search_options"}
    | {
        "container",
        "max_tokens",
        "max_completion_tokens",
        "max_output_tokens",
        "service_tier",
        "background",
        "requests",
    }
)
"""Members by which an action is judged."""
UNTYPED = "@"
"""Own parameters begin with this; a body member may not."""
BODY, PATH, QUERY, HEADERS, TYPE = "@body", "@path", "@query", "@headers", "@type"

RETRY_HEADER = "x-should-retry"
"""The SDKs obey it whatever the status."""


class ModelCodec:
    """What model services share. A path that is not in the table is `unknown`: never a silent write."""

    name: str
    hosts: frozenset[str]
    headers: tuple[str, ...] = ()
    table_name: str = "openai"
    prefix: str = ""
    """What the service puts before the paths of its table (`/openai` of Groq)."""
    dialect: Dialect = "openai"
    only: frozenset[str] = frozenset()
    """The operations of the table that this service has; none named means all."""

    # ------------------------------------------------------------ in

    def decode(self, request: Request) -> Action:
        """What the request would do; a reason where nobody can say."""
        try:
            return self._decode(request)
        except (Undecodable, AmbiguousTarget, MalformedJson) as error:
            return undecodable(
                self._told(request),
                service=self.name,
                operation=f"{self.name}:unknown",
                family=self._family(request),
                reason=str(error),
            )

    def _decode(self, request: Request) -> Action:
        refuse_upgrade(request)
        target = parse_target(request.target)
        route, ids, own = self._route(request.method, target)
        query = self._query(route, target)
        body = self._body(request, route)
        classes, more = self._classes(route, ids, body)
        parts = self._parts(request, route, ids, body)
        for part in parts:
            classes |= part.classes
        parameters: dict[str, Value] = {**body, **more, **own}
        if ids or self.prefix:
            parameters[PATH] = target.path
        if query:
            parameters[QUERY] = query
        parameters[HEADERS] = bound_headers(request, self.headers)
        key = only_header(request, "idempotency-key")
        return Action(
            operation=self._operation(route),
            service=self.name,
            classes=classes,
            endpoint=request.endpoint,
            agent=request.agent,
            run=request.run,
            account=request.accounts.get(self._family(request), ""),
            resources=self._resources(route, ids, parameters),
            quantity=max(1, len(parts)),
            parameters=parameters,
            sensitive=frozenset(name for name in parameters if name in SENSITIVE or name.startswith((CONTENT, BODY))),
            parts=parts,
            call=Call(attempt=key or request.attempt, payload_bytes=payload_bytes(request)),
        )

    def _route(self, method: str, target: Target) -> tuple[Route, tuple[str, ...], Mapping[str, Value]]:
        """The route of a request, the ids in its path, and parameters that follow from where it was sent."""
        path = target.path
        found = None
        if path.startswith(self.prefix + "/") or not self.prefix:
            found = self._table().find(method, path[len(self.prefix) :])
        if found is None or (self.only and found[0].operation not in self.only):
            raise Undecodable(f"no known operation of {self.name} has this method and path")
        return found[0], tuple(unquote(part) for part in found[1]), {}

    def _query(self, route: Route, target: Target) -> str:
        """What follows the `?`. A request that changes something carries its members in its body alone."""
        query = target.text.partition("?")[2]
        if query and route.method != "GET" and not self._takes_query(route, target):
            raise Undecodable("this path takes no query")
        return query

    def _takes_query(self, route: Route, target: Target) -> bool:
        return False

    def _body(self, request: Request, route: Route) -> dict[str, Value]:
        if route.body == "none":
            if request.body or request.stream is not None:
                raise Undecodable(f"a {route.method} request with a body")
            return {}
        kind = content_type_of(request)
        if route.body == "raw":
            written = only_header(request, "content-type")
            return {**self._raw(request), **({} if written is None else {TYPE: written})}
        if route.body in ("form", "any") and kind == FORM_TYPE:
            written = only_header(request, "content-type") or ""
            if request.stream is not None:
                return {**self._raw(request), TYPE: written}
            return {**parse_form(written, request.body), TYPE: FORM_TYPE}
        if request.stream is not None:
            raise Undecodable("the body is larger than what is read whole")
        if not request.body and route.body == "json":
            return {}
        if route.body == "form" or kind != JSON_TYPE:
            raise Undecodable(f"the Content-Type is not {FORM_TYPE if route.body == 'form' else JSON_TYPE}")
        body = dict(parse_object(request.body))
        if any(name.startswith(UNTYPED) for name in body):
            raise Undecodable("the body has a member that begins with `@`")
        self._check(route, body)
        return body if body else {BODY: b"{}"}

    def _raw(self, request: Request) -> dict[str, Value]:
        """A body as it comes: its bytes, or the stream that stands for them."""
        if request.stream is None:
            return {BODY: request.body}
        return {BODY: {"stream": True, "length": request.stream.length_bytes, "sha256": request.stream.sha256}}

    def _check(self, route: Route, body: Mapping[str, Value]) -> None:
        """Raises `Undecodable` where servers could read a body in two ways, or nobody could say what it asks for."""
        # Some servers match names whatever their case.
        if any(name != name.lower() and name.lower() in CASED for name in body):
            raise Undecodable("the body has a member that differs from a known one by its case alone")
        model = body.get("model")
        if (model is not None or route.body == "model") and (
            not isinstance(model, str) or not model or len(model) > MODEL_CHARACTERS_MAX
        ):
            raise Undecodable("the body names no `model`")
        stream = body.get("stream")
        if route.body in ("model", "named") and stream is not None and not isinstance(stream, bool):
            raise Undecodable("`stream` is neither true nor false")

    def _classes(
        self, route: Route, ids: tuple[str, ...], body: Mapping[str, Value]
    ) -> tuple[frozenset[ActionClass], Mapping[str, Value]]:
        """The classes of a request, and what its body asks the service to do by itself, named."""
        tools = tools_of(body) if route.body in ("model", "named") else Tools(hosted=(), classes=frozenset())
        more: dict[str, Value] = {}
        if tools.hosted:
            more["@hosted_tools"] = list(tools.hosted)
        if tools.fetches:
            more["@fetches"] = list(tools.fetches)
        return route.classes | tools.classes, more

    def _parts(
        self, request: Request, route: Route, ids: tuple[str, ...], body: Mapping[str, Value]
    ) -> tuple[Action, ...]:
        return ()

    def _resources(self, route: Route, ids: tuple[str, ...], parameters: Mapping[str, Value]) -> tuple[str, ...]:
        model = parameters.get("model")
        return (*ids, model) if isinstance(model, str) else ids

    # ------------------------------------------------------------ out

    def encode(self, action: Action, request: Request) -> Outgoing:
        """The members of the action as JSON or as a form. Asks for no compression, so that usage can be read."""
        same_endpoint(action, request)
        known = action.parameters
        route = self._table().by_operation.get(self._row_of(action.operation))
        if route is None:
            raise Unencodable(f"`{action.operation}` is no operation of {self.name}")
        query = known.get(QUERY)
        path = str(known.get(PATH) or self.prefix + route.path)
        content_type, body = self._written(action, route)
        stream = None
        if isinstance(known.get(BODY), Mapping):
            if self._raw(request) != {BODY: known[BODY]}:
                raise Unencodable("the body is not the one that was judged")
            stream = request.stream
        extra = (
            ("content-type", content_type),
            ("accept", plain_header(request, "accept")),
            ("accept-encoding", "identity"),
            ("user-agent", plain_header(request, "user-agent")),
            ("idempotency-key", plain_header(request, "idempotency-key")),
        )
        return Outgoing(
            method=route.method,
            scheme=request.scheme,
            host=request.host,
            port=request.port,
            target=f"{path}?{query}" if query else path,
            headers=outgoing_headers(known.get(HEADERS), *extra),
            body=body,
            family=self._family(request),
            stream=stream,
        )

    def _written(self, action: Action, route: Route) -> tuple[str | None, bytes]:
        """(Content-Type, body) of an action."""
        known = action.parameters
        kind = known.get(TYPE)
        raw = known.get(BODY)
        if isinstance(raw, Mapping) or route.body == "raw":
            return (str(kind) if kind else None), raw if isinstance(raw, bytes) else b""
        if kind is not None:
            return dump_form(known)
        members = {name: value for name, value in known.items() if not name.startswith(UNTYPED)}
        if not members and raw is None:
            return None, b""
        try:
            return JSON_TYPE, dump_json(self._sent(action, members))
        except (TypeError, ValueError) as error:
            raise Unencodable("the action's members cannot be written as JSON") from error

    def _sent(self, action: Action, members: Mapping[str, Value]) -> Mapping[str, Value]:
        """The members of the body as they are sent."""
        return members

    # ------------------------------------------------------------ lowering

    def lower(self, action: Action, output_tokens_max: int) -> Action | None:
        """The same call with its output limit lowered to this, never raised; None where it has no such limit."""
        if output_tokens_max < 1 or ActionClass.INFER not in action.classes or action.undecodable or action.parts:
            return None
        row = self._row_of(action.operation)
        found = lowered(row, action.parameters, output_tokens_max, self._limit_style())
        return None if found is None else replace(action, parameters=found)

    def _limit_style(self) -> str:
        return self.name

    # ------------------------------------------------------------ names

    def _table(self) -> Table:
        return table(self.table_name)

    def _operation(self, route: Route) -> str:
        return f"{self.name}:{route.operation}"

    def _row_of(self, operation: str) -> str:
        return operation.removeprefix(f"{self.name}:")

    def _told(self, request: Request) -> Request:
        """The request as it may be kept: without a key that stands in its target."""
        return request

    def _family(self, request: Request) -> str:
        """The real key of a service goes to the service's own hosts only; another host has a credential of its own."""
        return self.name if self._official(request.host) else request.host

    def _official(self, host: str) -> bool:
        return host in self.hosts or any(
            pattern.startswith("*.") and host.endswith(pattern[1:]) for pattern in self.hosts
        )

    def known(self) -> Mapping[str, frozenset[ActionClass]]:
        """Every operation of the service by name."""
        return {
            self._operation(route): route.classes
            for route in self._table().routes
            if not self.only or route.operation in self.only
        }

    # ------------------------------------------------------------ answers

    def refuse(self, action: Action, request: Request, verdict: Verdict, message: str) -> NativeResponse:
        """403 with an OpenAI error object; the SDKs raise `PermissionDeniedError` and do not retry."""
        error = {"message": message, "type": "permission_error", "param": None, "code": refusal_code(verdict)}
        return no_retry(native_json({"error": error}, message), RETRY_HEADER)

    def meter(self, action: Action) -> UsageMeter:
        """Reads usage."""
        infer = ActionClass.INFER in action.classes and not action.parts
        return UsageMeter(
            self.dialect,
            operation=action.operation,
            infer=infer,
            hide_usage=self._hides_usage(action),
            in_flight=in_flight_tokens(self.name, action.parameters) if infer else None,
        )

    def _hides_usage(self, action: Action) -> bool:
        return False

    def sentence(self, action: Action) -> str:
        """`ask gpt-4o (2,048 bytes in, at most 500 tokens out, with web_search)`."""
        if action.undecodable and action.reason:
            return f"call {self.name} in a way that cannot be read: {action.reason}"
        if ActionClass.INFER not in action.classes or action.parts or action.operation.endswith("batches:create"):
            resource, _, verb = self._row_of(action.operation).partition(":")
            calls = f" of {len(action.parts):,} calls" if action.parts else ""
            words = f"{verb} {resource}".replace("_", " ").replace(".", " ")
            return f"{self.name}: {words}{calls} {' '.join(action.resources)}".rstrip()
        out = output_limit(self._row_of(action.operation), action.parameters)
        hosted = action.parameters.get("@hosted_tools")
        parts = [f"{action.call.payload_bytes:,} bytes in"]
        if has_limit(self._row_of(action.operation)):
            parts.append("no limit on what comes back" if out is None else f"at most {out:,} tokens out")
        if isinstance(hosted, list):
            parts.append("with hosted " + ", ".join(str(kind) for kind in hosted))
        fetches = action.parameters.get("@fetches")
        if isinstance(fetches, list):
            parts.append("which fetches from " + ", ".join(str(host) for host in fetches[:FETCHES_SHOWN_MAX]))
        return f"ask {' '.join(action.resources) or self.name} ({', '.join(parts)})"


def batch_parts(count: int, make: Callable[[int], Action]) -> tuple[Action, ...]:
    """The calls of a batch. Raises `Undecodable` where they are more than an action may have."""
    if count > PARTS_MAX:
        raise Undecodable(f"the batch holds more than {PARTS_MAX} calls")
    return tuple(make(at) for at in range(count))
