"""OpenAI on the wire: every operation of its SDK's, and no other."""

from __future__ import annotations

from collections.abc import Mapping

from comptroller.core.action import Action, Value
from comptroller.decode.llm.codec import ModelCodec
from comptroller.decode.llm.limits import CHAT
from comptroller.decode.llm.routes import Route
from comptroller.decode.target import Target


class OpenAICodec(ModelCodec):
    """`openai:chat.completions:create` and 380 others. Realtime WebSockets are refused: nothing in them can be read."""

    name: str = "openai"
    hosts: frozenset[str] = frozenset({"api.openai.com"})
    headers: tuple[str, ...] = ("openai-beta", "openai-organization", "openai-project")
    asks_for_usage: bool = True
    """Whether a streamed chat is sent with `stream_options.include_usage`."""

    def _takes_query(self, route: Route, target: Target) -> bool:
        return target.query == (("beta", "true"),) and route.path.startswith("/v1/responses")

    def _sent(self, action: Action, members: Mapping[str, Value]) -> Mapping[str, Value]:
        """Adds `stream_options.include_usage` to a streamed chat: without it nobody learns what it cost."""
        if not self._adds_usage(action):
            return members
        options = members.get("stream_options")
        if options is not None and not isinstance(options, Mapping):
            raise ValueError("`stream_options` is not an object")
        return {**members, "stream_options": {**(options or {}), "include_usage": True}}

    def _hides_usage(self, action: Action) -> bool:
        """True where the caller did not ask for the usage chunk that `encode` adds: it is then taken out again."""
        if not self._adds_usage(action):
            return False
        options = action.parameters.get("stream_options")
        return not (isinstance(options, Mapping) and options.get("include_usage") is True)

    def _adds_usage(self, action: Action) -> bool:
        chat = self._row_of(action.operation) in (CHAT, "completions:create")
        return chat and self.asks_for_usage and action.parameters.get("stream") is True
