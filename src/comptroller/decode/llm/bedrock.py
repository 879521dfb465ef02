"""Models at Amazon Bedrock: the usage that an answer tells, and a request with its output limit lowered."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from botocore.eventstream import EventStreamBuffer, ParserError

from comptroller.core.action import Action, Value
from comptroller.decode.jsontext import MalformedJson, dump_json, parse_json

PREFIX = "aws:bedrock-runtime:"
CONVERSES = frozenset({"Converse", "ConverseStream"})
INVOKES = frozenset({"InvokeModel", "InvokeModelWithResponseStream"})
STREAM_TYPE = "application/vnd.amazon.eventstream"
THINKING_TOKENS_MIN = 1024
EVENTS_MAX = 100_000
TOKENS_MAX = 10**12

_HEADERS = {
    "input": "x-amzn-bedrock-input-token-count",
    "output": "x-amzn-bedrock-output-token-count",
    "read": "x-amzn-bedrock-cache-read-input-token-count",
    "write": "x-amzn-bedrock-cache-write-input-token-count",
}
_CONVERSE = {
    "input": "inputTokens",
    "output": "outputTokens",
    "read": "cacheReadInputTokens",
    "write": "cacheWriteInputTokens",
}
_METRICS = {
    "input": "inputTokenCount",
    "output": "outputTokenCount",
    "read": "cacheReadInputTokenCount",
    "write": "cacheWriteInputTokenCount",
}
_LIMITS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    # (how the model's name begins, which member holds the limit, its names; the first is written where none stands)
    ("anthropic.", "", ("max_tokens",)),
    ("amazon.nova", "inferenceConfig", ("maxTokens", "max_new_tokens")),
    ("amazon.titan-text", "textGenerationConfig", ("maxTokenCount",)),
    ("meta.", "", ("max_gen_len",)),
    ("mistral.", "", ("max_tokens",)),
    ("cohere.command", "", ("max_tokens",)),
    ("ai21.jamba", "", ("max_tokens",)),
    ("deepseek.", "", ("max_tokens",)),
    ("qwen.", "", ("max_tokens", "max_completion_tokens")),
    ("openai.", "", ("max_completion_tokens", "max_tokens")),
    ("writer.", "", ("max_tokens",)),
)
_REGION = re.compile(r"^(?:us|us-gov|eu|apac|ap|jp|au|ca|in|sa|global)\.")


def asks_model(action: Action) -> bool:
    """True for a call of a model at Bedrock."""
    return action.operation.startswith(PREFIX) and action.operation.removeprefix(PREFIX) in CONVERSES | INVOKES


def bedrock_usage(action: Action, headers: Mapping[str, str], body: bytes, *, complete: bool) -> dict[str, int]:
    """The tokens that an answer tells, cached ones among `input_tokens`; empty where it does not tell all of them.

    `headers` by lower-case names; `body` whole, or empty where it was not kept.
    """
    name = action.operation.removeprefix(PREFIX)
    found: dict[str, int] = {}
    if headers.get("content-type", "").partition(";")[0].strip().lower() == STREAM_TYPE:
        if not complete:
            return {}
        for kind, payload in _events(body):
            usage = payload.get("usage") if kind == "metadata" else None
            metrics = _inner(payload).get("amazon-bedrock-invocationMetrics") if kind == "chunk" else None
            found = _counted(usage, _CONVERSE) or _counted(metrics, _METRICS) or found
        return found
    if name in CONVERSES:
        try:
            document = parse_json(body)
        except MalformedJson:
            return {}
        return _counted(document.get("usage"), _CONVERSE) if isinstance(document, Mapping) else {}
    numbers = {header: int(value) for header, value in headers.items() if re.fullmatch(r"[0-9]{1,12}", value)}
    found = _counted(numbers, _HEADERS)
    kept = action.parameters.get("body")
    if _HEADERS["read"] not in headers and isinstance(kept, bytes) and b"cache_control" in kept:
        return {}
    return found


def lower_bedrock(action: Action, output_tokens_max: int) -> Action | None:
    """The same call with its output limit lowered, never raised; None where it has none that is known."""
    name = action.operation.removeprefix(PREFIX)
    if not asks_model(action) or output_tokens_max < 1:
        return None
    members = dict(action.parameters)
    if name in CONVERSES:
        more = members.get("additionalModelRequestFields")
        if isinstance(more, Mapping) and ("thinking" in more or "reasoning_config" in more):
            return None
        held = _limited(members.get("inferenceConfig") or {}, ("maxTokens",), output_tokens_max)
        if held is None:
            return None
        return replace(action, parameters={**members, "inferenceConfig": held})
    model = _REGION.sub("", str(members.get("modelId", "")).rpartition("/")[2])
    row = next((row for row in _LIMITS if model.startswith(row[0])), None)
    body = members.get("body")
    if row is None or not isinstance(body, bytes):
        return None
    try:
        document = parse_json(body)
    except MalformedJson:
        return None
    if not isinstance(document, Mapping) or "thinking" in document:
        return None
    _, holder, names = row
    inner = _limited(document.get(holder) or {} if holder else document, names, output_tokens_max)
    if inner is None:
        return None
    return replace(action, parameters={**members, "body": dump_json({**document, holder: inner} if holder else inner)})


def _limited(holder: Value, names: tuple[str, ...], most: int) -> dict[str, Value] | None:
    if not isinstance(holder, Mapping):
        return None
    out = dict(holder)
    present = [name for name in names if out.get(name) is not None] or [names[0]]
    for name in present:
        given = out.get(name, most)
        if not isinstance(given, int) or isinstance(given, bool) or given < 0:
            return None
        out[name] = min(given, most)
    return out


def _counted(usage: Value, names: Mapping[str, str]) -> dict[str, int]:
    if not isinstance(usage, Mapping):
        return {}
    counts = {ours: usage.get(theirs) for ours, theirs in names.items()}
    known = {
        ours: n for ours, n in counts.items() if isinstance(n, int) and not isinstance(n, bool) and 0 <= n < 10**12
    }
    if "input" not in known or "output" not in known:
        return {}
    read, write = known.get("read", 0), known.get("write", 0)
    told = {"input_tokens": known["input"] + read + write, "output_tokens": known["output"]}
    if read or write:
        told |= {"cache_read_tokens": read, "cache_write_tokens": write}
    return told


def _inner(payload: Mapping[str, Value]) -> Mapping[str, Value]:
    """What a chunk of `InvokeModelWithResponseStream` carries in base64."""
    held = payload.get("bytes")
    try:
        document = parse_json(base64.b64decode(held, validate=True)) if isinstance(held, str) else None
    except (MalformedJson, binascii.Error, ValueError):
        return {}
    return document if isinstance(document, Mapping) else {}


def _events(body: bytes) -> Iterator[tuple[str, Mapping[str, Value]]]:
    buffer = EventStreamBuffer()
    buffer.add_data(body)
    try:
        for count, event in enumerate(buffer):
            if count > EVENTS_MAX:
                return
            payload = parse_json(event.payload) if event.payload else {}
            if isinstance(payload, Mapping):
                yield str(event.headers.get(":event-type", "")), payload
    except (ParserError, MalformedJson):
        return
