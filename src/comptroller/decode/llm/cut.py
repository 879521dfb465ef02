"""Streams that were cut: which services stop writing when nobody listens, and how many tokens what was seen holds at
most. See RFD 27."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from comptroller.core.action import Value

NOTICE_SECONDS_MAX = 2
"""How long a service may write on before it notices that its reader has gone: a vLLM server was idle about a second
after the disconnect, which left a gateway and a load balancer behind it (xorbitsai/inference, pull 5549)."""
FRAMING_TOKENS = 64
"""What frames one block of an answer (its role, the name and the marks of a tool call), at most."""
_UNCOUNTED = frozenset(
    {"type", "role", "id", "index", "finish_reason", "stop_reason", "object", "status", "call_id", "item_id"}
    | {"obfuscation", "logprobs", "tool_use_id", "model", "created", "sequence_number"}
)
"""Members of a piece that are not written by the model."""
_OPAQUE = frozenset({"audio", "image", "data", "signature", "encrypted_content", "b64_json", "reasoning_details"})
"""Members whose tokens their length does not tell."""
_HIDING = ("reasoning", "reasoning_effort", "reasoning_format", "include_reasoning", "thinking")


@dataclass(frozen=True, slots=True, kw_only=True)
class CutRule:
    """What is known of one service. `stops`: it stops writing, and charging, when its reader leaves. `plain_models`
    are those all of whose tokens can be seen in the stream; `source` is who says so."""

    service: str
    stops: bool
    tokens_per_second_max: int
    plain_models: re.Pattern[str] | None
    source: str


@cache
def cut_rules() -> Mapping[str, CutRule]:
    """The table by service. One that is not in it is not known to stop."""
    text = (files(__package__) / "data" / "cut.csv").read_text("utf-8")
    return {
        row["service"]: CutRule(
            service=row["service"],
            stops=row["stops"] == "yes",
            tokens_per_second_max=int(row["tokens_per_second_max"] or 0),
            plain_models=re.compile(row["plain_models"]) if row["plain_models"] else None,
            source=row["source"],
        )
        for row in csv.DictReader(text.splitlines())
    }


def in_flight_tokens(service: str, members: Mapping[str, Value]) -> int | None:
    """How many tokens a service may write beyond what its reader saw before it stops; None where nobody knows: it goes
    on to the end, or writes tokens that the stream does not show."""
    rule = cut_rules().get(service)
    model = members.get("model")
    if rule is None or not rule.stops or rule.plain_models is None or not isinstance(model, str):
        return None
    if not rule.plain_models.fullmatch(model.lower()) or any(_hides(members.get(name)) for name in _HIDING):
        return None
    choices = members.get("n")
    count = choices if isinstance(choices, int) and not isinstance(choices, bool) and choices > 0 else 1
    return rule.tokens_per_second_max * NOTICE_SECONDS_MAX * count


def _hides(value: Value) -> bool:
    return value is not None and not (isinstance(value, Mapping) and value.get("type") == "disabled")


class Seen:
    """Counts what a stream showed: the most tokens that it can be, or that nobody can say."""

    def __init__(self) -> None:
        self.tokens_max = FRAMING_TOKENS
        self.begun = False
        self.opaque = False

    def event(self, document: Value) -> None:
        """One event of OpenAI's or Anthropic's; what is not known makes the count worthless."""
        if not isinstance(document, Mapping):
            self.opaque = True
            return
        kind = document.get("type")
        if isinstance(choices := document.get("choices"), list):
            self.begun = True
            for choice in choices:
                if isinstance(choice, Mapping):
                    self._chat(choice)
        elif isinstance(kind, str) and kind.startswith("response."):
            self._response(kind, document)
        elif kind == "message_start":
            self.begun = True
        elif kind == "content_block_start":
            self._add(document.get("content_block"), FRAMING_TOKENS)
        elif kind == "content_block_delta":
            self._add(document.get("delta"), 0)

    def _chat(self, choice: Mapping[str, Value]) -> None:
        delta = choice.get("delta")
        calls = delta.get("tool_calls") if isinstance(delta, Mapping) else None
        named = calls if isinstance(calls, list) else []
        opened = sum(1 for call in named if isinstance(call, Mapping) and call.get("id"))
        self._add(delta if delta is not None else choice.get("text"), opened * FRAMING_TOKENS)

    def _response(self, kind: str, document: Mapping[str, Value]) -> None:
        self.begun = True
        if kind.startswith("response.reasoning"):
            self.opaque = True
        elif kind.endswith(".delta"):
            self._add(document.get("delta"), 0)
        elif kind == "response.output_item.added":
            item = document.get("item")
            if isinstance(item, Mapping) and item.get("type") not in ("message", "function_call"):
                self.opaque = True
            self._add(item, FRAMING_TOKENS)

    def _add(self, piece: Value, framing: int) -> None:
        self.tokens_max += framing + max(1, self._bytes(piece, 0))

    def _bytes(self, value: Value, depth: int) -> int:
        """Bytes of every text that the model wrote: no token is shorter than a byte."""
        if isinstance(value, str):
            return len(value.encode("utf-8", "surrogatepass"))
        if depth > 16:
            self.opaque = True
            return 0
        if isinstance(value, Mapping):
            if any(value.get(name) for name in _OPAQUE):
                self.opaque = True
            return sum(self._bytes(v, depth + 1) for name, v in value.items() if name not in _UNCOUNTED)
        if isinstance(value, list):
            return sum(self._bytes(item, depth + 1) for item in value)
        return 0 if value is None or isinstance(value, bool) else len(str(value))
