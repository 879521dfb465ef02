"""Anthropic on the wire: messages, batches (the sum of their calls), files, skills, agents and the admin API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from comptroller.core.action import Action, ActionClass, Call, Value
from comptroller.core.request import NativeResponse, Request
from comptroller.core.verdict import Verdict
from comptroller.decode.http import refusal_code
from comptroller.decode.jsontext import dump_json
from comptroller.decode.llm.codec import RETRY_HEADER, SENSITIVE, ModelCodec, batch_parts
from comptroller.decode.llm.meter import Dialect
from comptroller.decode.llm.routes import Route
from comptroller.decode.llm.tools import tools_of
from comptroller.decode.shape import Undecodable, bound_headers, native_json, no_retry
from comptroller.decode.target import Target

BATCH_MARK = "@batch"
"""Set on a call of a batch: batches cost half."""


class AnthropicCodec(ModelCodec):
    """`anthropic:messages:create` and 280 others."""

    name: str = "anthropic"
    hosts: frozenset[str] = frozenset({"api.anthropic.com"})
    headers: tuple[str, ...] = ("anthropic-beta", "anthropic-version")
    table_name: str = "anthropic"
    dialect: Dialect = "anthropic"

    def _takes_query(self, route: Route, target: Target) -> bool:
        return target.query == (("beta", "true"),)

    def _parts(
        self, request: Request, route: Route, ids: tuple[str, ...], body: Mapping[str, Value]
    ) -> tuple[Action, ...]:
        if route.operation != "messages.batches:create":
            return ()
        asked = body.get("requests")
        if not isinstance(asked, list) or not asked:
            raise Undecodable("the batch holds no list of `requests`")
        headers = bound_headers(request, self.headers)
        first = Action(
            operation="anthropic:messages:create",
            service=self.name,
            classes=frozenset({ActionClass.INFER}),
            endpoint=request.endpoint,
            agent=request.agent,
            run=request.run,
            account=request.accounts.get(self._family(request), ""),
        )
        messages = self._table().by_operation["messages:create"]

        def call(at: int) -> Action:
            params = asked[at].get("params") if isinstance(asked[at], Mapping) else None
            if not isinstance(params, Mapping) or any(name.startswith("@") for name in params):
                raise Undecodable("a call of the batch has no `params`")
            self._check(messages, params)
            tools = tools_of(params)
            parameters: dict[str, Value] = {**params, BATCH_MARK: True, "@headers": headers}
            if tools.hosted:
                parameters["@hosted_tools"] = list(tools.hosted)
            return replace(
                first,
                classes=first.classes | tools.classes,
                resources=(str(params["model"]),),
                parameters=parameters,
                sensitive=SENSITIVE & parameters.keys(),
                call=Call(payload_bytes=len(dump_json(params))),
            )

        return batch_parts(len(asked), call)

    def refuse(self, action: Action, request: Request, verdict: Verdict, message: str) -> NativeResponse:
        """403 with an Anthropic error object; the SDKs raise `PermissionDeniedError` and do not retry."""
        error = {"type": "permission_error", "message": message, "code": refusal_code(verdict)}
        return no_retry(native_json({"type": "error", "error": error}, message), RETRY_HEADER)
