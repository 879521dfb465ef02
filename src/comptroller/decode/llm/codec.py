"""Model services on the wire: strict JSON in, the same members out, usage read from the answer, streamed or not."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

from comptroller.core.action import Action, ActionClass, Call, Value
from comptroller.core.request import NativeResponse, Outgoing, Request, Unencodable
from comptroller.core.verdict import Verdict
from comptroller.decode.http import content_type_of, refusal_code, refuse_upgrade
from comptroller.decode.jsontext import MalformedJson, dump_json, parse_object
from comptroller.decode.llm.meter import UsageMeter
from comptroller.decode.llm.tools import tools_of
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
from comptroller.decode.target import AmbiguousTarget, parse_target

MODEL_CHARACTERS_MAX = 256
FETCHES_SHOWN_MAX = 5
SENSITIVE = frozenset(
    {"messages", "input", "system", "instructions", "prompt", "prediction", "metadata", "user", "tools", "mcp_servers"}
    | {"container", "safety_identifier"}
)
"""Members that hold what people wrote, or keys for other servers."""
UNTYPED = "@"
"""Own parameters begin with this; a body member may not."""

RETRY_HEADER = "x-should-retry"
"""Both SDKs obey it whatever the status."""

Operations = Mapping[str, tuple[str, frozenset[ActionClass]]]
"""Path of a POST -> (operation, classes)."""

_MODEL_PATH = re.compile(r"/v1/models(?:/([A-Za-z0-9._:@-]{1,200}))?")


class LlmCodec(ABC):
    """What OpenAI and Anthropic share. Paths that are not known are `unknown`: never a silent write."""

    name: str
    hosts: frozenset[str]
    headers: tuple[str, ...]
    operations: ClassVar[Operations]
    queries: frozenset[str] = frozenset()

    def decode(self, request: Request) -> Action:
        """What the request would do; a reason where nobody can say."""
        try:
            return self._decode(request)
        except (Undecodable, AmbiguousTarget, MalformedJson) as error:
            return undecodable(
                request,
                service=self.name,
                operation=f"{self.name}:unknown",
                family=self._family(request),
                reason=str(error),
            )

    def _decode(self, request: Request) -> Action:
        refuse_upgrade(request)
        target = parse_target(request.target)
        query = target.text.partition("?")[2]
        known = self.operations.get(target.path) if request.method == "POST" else None
        if known is not None:
            operation, classes = known
            if query and query not in self.queries:
                raise Undecodable("this path takes no query")
            body = self._body(request)
            tools = tools_of(body)
            classes = classes | tools.classes
            if tools.hosted:
                body["@hosted_tools"] = list(tools.hosted)
            if tools.fetches:
                body["@fetches"] = list(tools.fetches)
        else:
            operation, body = self._listing(request, target.path)
            classes = frozenset({ActionClass.READ})
        if query:
            body["@query"] = query
        body["@headers"] = bound_headers(request, self.headers)
        key = only_header(request, "idempotency-key")
        return Action(
            operation=operation,
            service=self.name,
            classes=classes,
            endpoint=request.endpoint,
            agent=request.agent,
            run=request.run,
            account=request.accounts.get(self._family(request), ""),
            resources=(str(body["model"]),) if "model" in body else (),
            parameters=body,
            sensitive=SENSITIVE & body.keys(),
            call=Call(attempt=key or request.attempt, payload_bytes=payload_bytes(request)),
        )

    def _listing(self, request: Request, path: str) -> tuple[str, dict[str, Value]]:
        match = _MODEL_PATH.fullmatch(path)
        if match is None or request.method != "GET":
            raise Undecodable(f"no known operation of {self.name} has this method and path")
        if request.body or request.stream is not None:
            raise Undecodable("a GET request with a body")
        if match[1] is None:
            return f"{self.name}:models:list", {}
        return f"{self.name}:models:retrieve", {"@model": match[1]}

    def _body(self, request: Request) -> dict[str, Value]:
        if request.stream is not None:
            raise Undecodable("the body is larger than what is read whole")
        if content_type_of(request) != JSON_TYPE:
            raise Undecodable("the Content-Type is not application/json")
        body = dict(parse_object(request.body))
        if any(name.startswith(UNTYPED) for name in body):
            raise Undecodable("the body has a member that begins with `@`")
        model = body.get("model")
        if not isinstance(model, str) or not model or len(model) > MODEL_CHARACTERS_MAX:
            raise Undecodable("the body names no `model`")
        stream = body.get("stream")
        if stream is not None and not isinstance(stream, bool):
            raise Undecodable("`stream` is neither true nor false")
        return body

    def encode(self, action: Action, request: Request) -> Outgoing:
        """The members of the action as JSON. Asks for no compression, so that usage can be read."""
        same_endpoint(action, request)
        members = {name: value for name, value in action.parameters.items() if not name.startswith(UNTYPED)}
        posts = {operation: path for path, (operation, _) in self.operations.items()}
        path = posts.get(action.operation)
        body = b""
        if path is not None:
            try:
                body = dump_json(self._sent(action.operation, members))
            except (TypeError, ValueError) as error:
                raise Unencodable("the action's members cannot be written as JSON") from error
        elif action.operation == f"{self.name}:models:list":
            path = "/v1/models"
        else:
            path = f"/v1/models/{action.parameters['@model']}"
        query = action.parameters.get("@query")
        extra = (
            ("content-type", JSON_TYPE if body else None),
            ("accept", plain_header(request, "accept")),
            ("accept-encoding", "identity"),
            ("user-agent", plain_header(request, "user-agent")),
            ("idempotency-key", plain_header(request, "idempotency-key")),
        )
        return Outgoing(
            method="POST" if body else "GET",
            scheme=request.scheme,
            host=request.host,
            port=request.port,
            target=f"{path}?{query}" if query else path,
            headers=outgoing_headers(action.parameters.get("@headers"), *extra),
            body=body,
            family=self._family(request),
        )

    def _family(self, request: Request) -> str:
        """The real key of a service goes to the service's own hosts only; another host has a credential of its own."""
        return self.name if request.host in self.hosts else request.host

    def _sent(self, operation: str, members: Mapping[str, Value]) -> Mapping[str, Value]:
        return members

    def known(self) -> Mapping[str, frozenset[ActionClass]]:
        """Every operation of the service by name."""
        read = frozenset({ActionClass.READ})
        listings = {f"{self.name}:models:list": read, f"{self.name}:models:retrieve": read}
        return {**dict(self.operations.values()), **listings}

    @abstractmethod
    def refuse(self, action: Action, request: Request, verdict: Verdict, message: str) -> NativeResponse:
        """The service's own 403."""

    def meter(self, action: Action) -> UsageMeter:
        """Reads usage."""
        return UsageMeter(self.name, infer=ActionClass.INFER in action.classes, hide_usage=hides_usage(action))

    def sentence(self, action: Action) -> str:
        """`ask gpt-4o (2,048 bytes in, at most 500 tokens out, with web_search)`."""
        if action.undecodable:
            return f"call {self.name} in a way that cannot be read: {action.reason}"
        if ActionClass.INFER not in action.classes:
            return f"{action.operation.replace(':', ' ')} {action.parameters.get('model', '')}".rstrip()
        out = next((v for name in OUTPUT_LIMITS if isinstance(v := action.parameters.get(name), int)), None)
        hosted = action.parameters.get("@hosted_tools")
        parts = [f"{action.call.payload_bytes:,} bytes in"]
        parts.append("no limit on what comes back" if out is None else f"at most {out:,} tokens out")
        if isinstance(hosted, list):
            parts.append("with hosted " + ", ".join(str(kind) for kind in hosted))
        fetches = action.parameters.get("@fetches")
        if isinstance(fetches, list):
            parts.append("which fetches from " + ", ".join(str(host) for host in fetches[:FETCHES_SHOWN_MAX]))
        return f"ask {action.parameters.get('model')} ({', '.join(parts)})"


OUTPUT_LIMITS = ("max_completion_tokens", "max_output_tokens", "max_tokens")


class OpenAICodec(LlmCodec):
    """`openai:chat.completions:create`, `openai:responses:create`, and lists of models."""

    name = "openai"
    hosts = frozenset({"api.openai.com"})
    headers = ("openai-beta", "openai-organization", "openai-project")
    operations: ClassVar[Operations] = {
        "/v1/chat/completions": ("openai:chat.completions:create", frozenset({ActionClass.INFER})),
        "/v1/responses": ("openai:responses:create", frozenset({ActionClass.INFER})),
    }

    def _sent(self, operation: str, members: Mapping[str, Value]) -> Mapping[str, Value]:
        """Adds `stream_options.include_usage` to a streamed chat: without it nobody learns what it cost."""
        if operation != "openai:chat.completions:create" or members.get("stream") is not True:
            return members
        options = members.get("stream_options")
        if options is not None and not isinstance(options, Mapping):
            raise ValueError("`stream_options` is not an object")
        return {**members, "stream_options": {**(options or {}), "include_usage": True}}

    def refuse(self, action: Action, request: Request, verdict: Verdict, message: str) -> NativeResponse:
        """403 with an OpenAI error object; the SDKs raise `PermissionDeniedError` and do not retry."""
        error = {"message": message, "type": "permission_error", "param": None, "code": refusal_code(verdict)}
        return no_retry(native_json({"error": error}, message), RETRY_HEADER)


class AnthropicCodec(LlmCodec):
    """`anthropic:messages:create`, `anthropic:messages:count_tokens`, and lists of models."""

    name = "anthropic"
    hosts = frozenset({"api.anthropic.com"})
    headers = ("anthropic-beta", "anthropic-version")
    queries = frozenset({"beta=true"})
    operations: ClassVar[Operations] = {
        "/v1/messages": ("anthropic:messages:create", frozenset({ActionClass.INFER})),
        "/v1/messages/count_tokens": ("anthropic:messages:count_tokens", frozenset({ActionClass.READ})),
    }

    def refuse(self, action: Action, request: Request, verdict: Verdict, message: str) -> NativeResponse:
        """403 with an Anthropic error object; the SDKs raise `PermissionDeniedError` and do not retry."""
        error = {"type": "permission_error", "message": message, "code": refusal_code(verdict)}
        return no_retry(native_json({"type": "error", "error": error}, message), RETRY_HEADER)


def hides_usage(action: Action) -> bool:
    """True where the caller did not ask for the usage chunk that `encode` adds: it is then taken out of the answer."""
    if action.operation != "openai:chat.completions:create" or action.parameters.get("stream") is not True:
        return False
    options = action.parameters.get("stream_options")
    return not (isinstance(options, Mapping) and options.get("include_usage") is True)
