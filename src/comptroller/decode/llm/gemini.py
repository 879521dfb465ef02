"""Gemini on the wire (`generativelanguage.googleapis.com`), its OpenAI-compatible paths among it. A key in the query is
taken out: it is neither judged nor kept, and the real one goes into a header."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache

from comptroller.core.action import Action, ActionClass, Call, Value
from comptroller.core.request import NativeResponse, Request
from comptroller.core.verdict import Verdict
from comptroller.decode.http import refusal_code
from comptroller.decode.jsontext import dump_json
from comptroller.decode.llm.codec import SENSITIVE, batch_parts
from comptroller.decode.llm.meter import Dialect, UsageMeter
from comptroller.decode.llm.openai import OpenAICodec
from comptroller.decode.llm.routes import Route, Table, table
from comptroller.decode.llm.tools import fetched_hosts
from comptroller.decode.shape import Undecodable, bound_headers, native_json
from comptroller.decode.target import Target

COMPATIBLE = "openai."
"""How operations of the OpenAI-compatible paths begin: `gemini:openai.chat.completions:create`."""
COMPATIBLE_OPERATIONS = frozenset(
    {"chat.completions:create", "embeddings:create", "images:generate", "models:list", "models:retrieve"}
    | {"batches:create", "batches:retrieve", "batches:list", "batches:cancel"}
)
KEY_NAMES = frozenset({"key", "access_token", "oauth_token", "prettyPrint", "$prettyPrint", "quotaUser"})
"""Query members that are dropped: keys, and what changes nothing."""
BATCH_MARK = "@batch"

_PATH = re.compile(r"(/upload|/download)?/(v1|v1beta|v1alpha)(/openai)?(/.*)")
_KEY = re.compile(r"(?i)([?&](?:key|access_token|oauth_token)=)[^&#]*")
_TOOLS: Mapping[str, tuple[str, frozenset[ActionClass]]] = {
    "functionDeclarations": ("", frozenset()),
    "computerUse": ("", frozenset()),
    "googleSearch": ("google_search", frozenset({ActionClass.COMMUNICATE})),
    "googleSearchRetrieval": ("google_search", frozenset({ActionClass.COMMUNICATE})),
    "enterpriseWebSearch": ("google_search", frozenset({ActionClass.COMMUNICATE})),
    "googleMaps": ("google_maps", frozenset({ActionClass.COMMUNICATE})),
    "urlContext": ("url_context", frozenset({ActionClass.COMMUNICATE})),
    "codeExecution": ("code_execution", frozenset({ActionClass.EXECUTE})),
    "fileSearch": ("file_search", frozenset()),
    "mcpServers": ("mcp", frozenset({ActionClass.EXECUTE, ActionClass.COMMUNICATE})),
}
"""What each member of a tool switches on, and the classes it adds; nothing for what the agent runs itself."""
_FREE_FORM = frozenset(
    {"args", "response", "schema", "parameters", "properties", "responseSchema", "response_schema", "labels"}
    | {"parametersJsonSchema", "parameters_json_schema", "responseJsonSchema", "response_json_schema", "metadata"}
    | {"arguments", "result", "defs", "$defs"}
)
"""Members whose own members are the caller's names, not the service's."""
_GENERATING = ("generateContent", "streamGenerateContent")


class GeminiCodec(OpenAICodec):
    """`gemini:models:generateContent` and 118 others."""

    name: str = "gemini"
    hosts: frozenset[str] = frozenset({"generativelanguage.googleapis.com"})
    headers: tuple[str, ...] = (
        "x-goog-user-project",
        "x-goog-upload-protocol",
        "x-goog-upload-command",
        "x-goog-upload-offset",
        "x-goog-upload-header-content-length",
        "x-goog-upload-header-content-type",
        "x-goog-upload-file-name",
    )
    table_name: str = "gemini"
    dialect: Dialect = "gemini"

    def _route(self, method: str, target: Target) -> tuple[Route, tuple[str, ...], Mapping[str, Value]]:
        match = _PATH.fullmatch(target.path)
        found = None
        if match is not None:
            carried, _, compatible, rest = match.groups()
            if compatible:
                found = table("openai").find(method, "/v1" + rest) if carried is None else None
                if found is not None and found[0].operation in COMPATIBLE_OPERATIONS:
                    route = found[0]
                    found = replace(route, operation=COMPATIBLE + route.operation), found[1]
                else:
                    found = None
            else:
                found = table(self.table_name).find(method, (carried or "") + rest)
        if found is None:
            raise Undecodable("no known operation of gemini has this method and path")
        own: dict[str, Value] = {"@path": target.path}
        if found[0].operation.partition(":")[0] in ("models", "tunedModels") and len(found[1]) == 1:
            own["@model"] = found[1][0]
        return found[0], found[1], own

    def _query(self, route: Route, target: Target) -> str:
        pairs = [(name, value) for name, value in target.query if name not in KEY_NAMES]
        names = [name for name, _ in pairs]
        if len(set(names)) != len(names):
            raise Undecodable("the query names something twice")
        if route.method != "GET" and not set(names) <= _WRITE_QUERY:
            raise Undecodable("the query holds more than this path takes")
        if dict(pairs).get("alt") not in (None, "sse", "json", "media"):
            raise Undecodable("`alt` is none of json, media, sse")
        return "&".join(name if value is None else f"{name}={value}" for name, value in pairs)

    def _check(self, route: Route, body: Mapping[str, Value]) -> None:
        if route.operation.startswith(COMPATIBLE):
            super()._check(route, body)
            return
        one_spelling(body)

    def _classes(
        self, route: Route, ids: tuple[str, ...], body: Mapping[str, Value]
    ) -> tuple[frozenset[ActionClass], Mapping[str, Value]]:
        if route.operation.startswith(COMPATIBLE):
            classes, more = super()._classes(route, ids, body)
            if body.get("extra_body") or body.get("google"):
                more = {**more, "@hosted_tools": ["extra_body"]}
            return classes, more
        if route.operation == "interactions:create":
            return self._interaction(route, body)
        named = member(body, "model") if ids else None
        if named is not None and (not isinstance(named, str) or named.rpartition("/")[2] != ids[0]):
            raise Undecodable("the body names another model than the path")
        if ActionClass.INFER not in route.classes or "tools" not in body:
            return route.classes | _links(body), _fetches(body)
        hosted, classes = gemini_tools(body["tools"])
        more = _fetches(body)
        return route.classes | classes | _links(body), {**more, "@hosted_tools": list(hosted)} if hosted else more

    def _interaction(
        self, route: Route, body: Mapping[str, Value]
    ) -> tuple[frozenset[ActionClass], Mapping[str, Value]]:
        """An interaction may have an agent of Google's act by itself, with tools of any kind."""
        tools = body.get("tools")
        own = isinstance(tools, list) and all(isinstance(t, Mapping) and t.get("type") == "function" for t in tools)
        if body.get("agent") is None and (tools is None or own) and body.get("environment") is None:
            return route.classes, {}
        return route.classes | {ActionClass.EXECUTE, ActionClass.COMMUNICATE}, {"@hosted_tools": ["agent"]}

    def _parts(
        self, request: Request, route: Route, ids: tuple[str, ...], body: Mapping[str, Value]
    ) -> tuple[Action, ...]:
        kind, _, verb = route.operation.partition(":")
        if verb not in ("batchGenerateContent", "batchEmbedContents"):
            return ()
        calls = _inlined(body) if verb == "batchGenerateContent" else member(body, "requests")
        if calls is None:
            return ()
        if not isinstance(calls, list) or not calls:
            raise Undecodable("the batch holds no list of requests")
        single = "generateContent" if verb == "batchGenerateContent" else "embedContent"
        first = Action(
            operation=f"gemini:{kind}:{single}",
            service=self.name,
            classes=frozenset({ActionClass.INFER}),
            endpoint=request.endpoint,
            agent=request.agent,
            run=request.run,
            account=request.accounts.get(self._family(request), ""),
            resources=ids,
        )
        headers = bound_headers(request, self.headers)

        def call(at: int) -> Action:
            held = calls[at]
            inner = member(held, "request") if isinstance(held, Mapping) and single == "generateContent" else held
            if not isinstance(inner, Mapping) or any(name.startswith("@") for name in inner):
                raise Undecodable("a call of the batch holds no request")
            hosted, classes = gemini_tools(inner.get("tools"))
            own = {
                **inner,
                "@headers": headers,
                "@model": ids[0],
                **({BATCH_MARK: True} if single == "generateContent" else {}),
            }
            if hosted:
                own["@hosted_tools"] = list(hosted)
            model = inner.get("model")
            if isinstance(model, str) and model.removeprefix("models/") not in ids:
                raise Undecodable("a call of the batch names another model than the path")
            return replace(
                first,
                classes=first.classes | classes | _links(inner),
                parameters=own,
                sensitive=SENSITIVE & own.keys(),
                call=Call(payload_bytes=len(dump_json(inner))),
            )

        return batch_parts(len(calls), call)

    def _operation(self, route: Route) -> str:
        return f"gemini:{route.operation}"

    def _table(self) -> Table:
        return _gemini_table()

    def _told(self, request: Request) -> Request:
        return replace(request, target=_KEY.sub(r"\1-", request.target))

    def refuse(self, action: Action, request: Request, verdict: Verdict, message: str) -> NativeResponse:
        """403 in Google's form; the SDKs raise `ClientError` and do not retry."""
        if "/openai/" in str(action.parameters.get("@path", "")):
            return super().refuse(action, request, verdict, message)
        detail = {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": refusal_code(verdict).upper(),
            "domain": "comptroller",
        }
        return native_json(
            {"error": {"code": 403, "message": message, "status": "PERMISSION_DENIED", "details": [detail]}}, message
        )

    def meter(self, action: Action) -> UsageMeter:
        """Reads `usageMetadata`, or OpenAI's `usage` on the compatible paths."""
        compatible = action.operation.startswith(f"gemini:{COMPATIBLE}")
        infer = ActionClass.INFER in action.classes and not action.parts
        return UsageMeter(
            "openai" if compatible else "gemini",
            operation=action.operation,
            infer=infer,
            hide_usage=self._hides_usage(action),
        )

    def _adds_usage(self, action: Action) -> bool:
        return action.operation == "gemini:openai.chat.completions:create" and action.parameters.get("stream") is True


_WRITE_QUERY = frozenset({"alt", "updateMask", "update_mask", "upload_id", "upload_protocol", "uploadType", "fileId"})


@cache
def _gemini_table() -> Table:
    compatible = (
        replace(route, operation=COMPATIBLE + route.operation, path="/v1beta/openai" + route.path.removeprefix("/v1"))
        for route in table("openai").routes
        if route.operation in COMPATIBLE_OPERATIONS
    )
    return Table((*table("gemini").routes, *compatible), colons=False)


def camel(name: str) -> str:
    """`max_output_tokens` -> `maxOutputTokens`: protobuf's JSON takes either."""
    head, *tail = name.split("_")
    return head + "".join(part[:1].upper() + part[1:] for part in tail)


def member(holder: Value, name: str) -> Value:
    """A member by its camel-case name, in whichever spelling it stands."""
    if not isinstance(holder, Mapping):
        return None
    if name in holder:
        return holder[name]
    return next((value for key, value in holder.items() if camel(key) == name), None)


def one_spelling(value: Value, *, ours: bool = True) -> None:
    """Raises `Undecodable` where an object names one member in both spellings: servers differ on which wins."""
    if isinstance(value, Mapping):
        if ours and len({camel(name) for name in value}) != len(value):
            raise Undecodable("the body names a member twice, in two spellings")
        for name, inner in value.items():
            one_spelling(inner, ours=ours and name not in _FREE_FORM)
    elif isinstance(value, list):
        for inner in value:
            one_spelling(inner, ours=ours)


def gemini_tools(tools: Value) -> tuple[tuple[str, ...], frozenset[ActionClass]]:
    """Hosted tools by kind, sorted, and the classes they add. Raises `Undecodable` for a tool nobody knows."""
    if tools is None:
        return (), frozenset()
    hosted: set[str] = set()
    classes: frozenset[ActionClass] = frozenset()
    for tool in tools if isinstance(tools, list) else [tools]:
        if not isinstance(tool, Mapping):
            raise Undecodable("`tools` holds something that is not an object")
        for name in tool:
            known = _TOOLS.get(camel(name))
            if known is None:
                raise Undecodable("a tool is of a kind that is not known: nobody can say who runs it")
            hosted |= {known[0]} - {""}
            classes |= known[1]
    return tuple(sorted(hosted)), classes


def _inlined(body: Mapping[str, Value]) -> Value:
    """The requests that stand in a batch itself; None where a file holds them."""
    source = member(member(body, "batch"), "inputConfig")
    return member(member(source, "requests"), "requests")


def _file_links(value: Value) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            uri = member(inner, "fileUri") if camel(name) == "fileData" else None
            if isinstance(uri, str) and not uri.startswith("https://generativelanguage.googleapis.com/"):
                yield from fetched_hosts(uri)
            elif name not in _FREE_FORM:
                yield from _file_links(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _file_links(inner)


def _fetches(body: Mapping[str, Value]) -> dict[str, Value]:
    hosts = sorted(set(_file_links(member(body, "contents"))))
    return {"@fetches": hosts} if hosts else {}


def _links(body: Mapping[str, Value]) -> frozenset[ActionClass]:
    return frozenset({ActionClass.COMMUNICATE}) if _fetches(body) else frozenset()
