"""Reads what a model call really used: from a JSON answer or, as it streams past, from server-sent events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from comptroller.core.action import Value
from comptroller.core.estimate import Outcome, Unit
from comptroller.decode.charged import charged
from comptroller.decode.jsontext import MalformedJson, parse_json
from comptroller.decode.llm.cut import Seen
from comptroller.decode.shape import media_type

METER_BYTES_MAX = 4 << 20
"""A JSON answer, or one line of a stream, that is longer is passed on and its usage stays unknown."""
TOKENS_MAX = 10**12
FINAL_EVENTS = frozenset(
    {"response.completed", "response.incomplete", "message_stop", "transcript.text.done", "speech.audio.done"}
    | {"image_generation.completed", "image_edit.completed", "interaction.complete", "interaction.completed"}
)
FAILED_EVENTS = frozenset({"response.failed", "error"})

Dialect = Literal["openai", "anthropic", "gemini"]
"""How a service writes its usage."""


class UsageMeter:
    """One response of a model service. `outcome.usage` has `input_tokens` (cached ones included), `output_tokens`,
    `cache_read_tokens`, `cache_write_tokens`, `cache_write_1h_tokens`, `web_searches`, tokens of other media
    (`input_audio_tokens`, …) and the flags `tier_fast`, `tier_flex`, `geo_us`, `untold`, as far as the answer tells.

    Of a stream that was cut it has what was told until then and, where the service stops when its reader leaves,
    `output_tokens_max`: the most that it can have written. `in_flight` is how much of that nobody saw (None: it writes
    on, or writes what the stream does not show).
    """

    def __init__(
        self,
        dialect: Dialect,
        *,
        operation: str = "",
        infer: bool = True,
        hide_usage: bool = False,
        in_flight: int | None = None,
    ) -> None:
        self._dialect = dialect
        self._operation = operation
        self._in_flight = in_flight
        self._shown = Seen()
        self.charged_whole = infer and in_flight is None
        """Whether the service is not known to stop when its reader leaves: reading on costs nothing then."""
        self._infer = infer
        self._hide = hide_usage
        self._status = 0
        self._events = False
        self._encoded = False
        self._held = bytearray()
        self._overflow = False
        self._usage: dict[str, int] = {}
        self._seen = False
        self._ended = False
        self._failed = False
        self._id = ""
        self._event = bytearray()

    def head(self, status: int, headers: Sequence[tuple[str, str]]) -> None:
        """Learns status and content type."""
        self._status = status
        named = {name.lower(): value for name, value in headers}
        self._events = media_type(named.get("content-type")) == "text/event-stream"
        self._encoded = named.get("content-encoding", "identity").strip().lower() not in ("", "identity")

    def feed(self, data: bytes) -> None:
        """The next bytes, however they are cut."""
        if self._encoded or self._overflow:
            return
        self._held += data
        if self._events and b"\n" in data:
            *lines, rest = self._held.split(b"\n")
            self._held = rest
            for line in lines:
                self._line(bytes(line).rstrip(b"\r"))
        if len(self._held) > METER_BYTES_MAX:
            self._overflow = True
            self._held = bytearray()

    def pass_on(self, data: bytes) -> bytes:
        """As `feed`, and returns what the caller is to receive: without the usage chunk it did not ask for. Events are
        held back until they are whole; `flush` gives the rest."""
        self.feed(data)
        if not (self._hide and self._events) or self._encoded:
            return data
        self._event += data
        out = bytearray()
        while (end := _event_end(self._event)) is not None:
            event, self._event = bytes(self._event[:end]), self._event[end:]
            if not _usage_only(event):
                out += event
        if len(self._event) > METER_BYTES_MAX:
            out += self._event
            self._event = bytearray()
        return bytes(out)

    def flush(self) -> bytes:
        """What `pass_on` still holds at the end of the response."""
        rest, self._event = bytes(self._event), bytearray()
        return b"" if _usage_only(rest) else rest

    def finish(self, *, complete: bool) -> Outcome:
        """Usage where the answer told all of it, and what is known of it where it was cut."""
        if self._held and not self._overflow:
            if self._events and not complete:
                # A line that broke off: what is in it counts as if all of it were written by the model.
                self._shown.tokens_max += len(self._held)
            if self._events:
                self._line(bytes(self._held).rstrip(b"\r"), broken=not complete)
            else:
                self._document(bytes(self._held))
            self._held = bytearray()
        whole = complete or self._ended
        ok = 200 <= self._status < 300 and not self._failed
        told = ok and whole and self._seen and self._infer
        usage = {name: n for name, n in self._usage.items() if not name.startswith("_")} if told else {}
        tokens = usage.get("input_tokens", 0) + usage.get("output_tokens", 0)
        if ok and not whole and self._infer:
            usage = self._cut()
        return Outcome(
            status=self._status,
            ok=ok,
            complete=whole,
            charged=True if told else None if ok or self._failed else charged(self._operation, self._status),
            actual={Unit.TOKENS: tokens} if told else {},
            made=(self._id,) if self._id and ok else (),
            usage=usage,
        )

    def _cut(self) -> dict[str, int]:
        """What is known of an answer that broke off: never all of it, and nothing that may yet prove too little."""
        usage = {name: n for name, n in self._usage.items() if not name.startswith("_")}
        if self._dialect == "anthropic" and "_input_tokens" in self._usage:
            read = self._usage.get("_cache_read_input_tokens", 0)
            made = self._usage.get("_cache_creation_input_tokens", 0)
            usage["input_tokens"] = self._usage["_input_tokens"] + read + made
            usage |= {"cache_read_tokens": read, "cache_write_tokens": made}
        usage.pop("output_tokens", None)
        seen = self._shown
        if self._events and self._in_flight is not None and seen.begun and not seen.opaque and not self._overflow:
            usage["output_tokens_max"] = seen.tokens_max + self._in_flight
        return usage

    def _line(self, line: bytes, *, broken: bool = False) -> None:
        if not line.startswith(b"data:"):
            return
        text = line[5:].strip()
        if text == b"[DONE]":
            self._ended = True
        elif self._in_flight is not None or b'"usage' in text or b'"type"' in text or b'"error"' in text:
            self._document(text, broken=broken)

    def _document(self, text: bytes, *, broken: bool = False) -> None:
        try:
            document = parse_json(text)
        except MalformedJson:
            self._shown.opaque = self._shown.opaque or not broken
            return
        if self._events and self._in_flight is not None:
            self._shown.event(document)
        if self._dialect == "gemini":
            self._gemini_document(document)
            return
        if not isinstance(document, Mapping):
            return
        kind = document.get("type")
        self._ended = self._ended or (self._events and kind in FINAL_EVENTS)
        self._failed = self._failed or (self._events and (kind in FAILED_EVENTS or bool(document.get("error"))))
        inner = document
        for name in ("response", "message"):
            if self._events and isinstance(wrapped := document.get(name), Mapping):
                inner = wrapped
        if isinstance(identity := inner.get("id"), str) and not self._id:
            self._id = identity[:128]
        usage = inner.get("usage")
        if isinstance(usage, Mapping):
            if self._dialect == "anthropic":
                self._anthropic(usage, final=kind != "message_start")
            else:
                self._openai(usage, inner)

    def _openai(self, usage: Mapping[str, Value], document: Mapping[str, Value]) -> None:
        chat = "prompt_tokens" in usage
        read = _count(usage, "prompt_tokens" if chat else "input_tokens")
        written = _count(usage, "completion_tokens" if chat else "output_tokens")
        if written is None and chat and usage.get("total_tokens") == read:
            written = 0  # embeddings
        if read is None or written is None:
            return
        self._usage = {"input_tokens": read, "output_tokens": written}
        side = ("prompt_tokens_details", "completion_tokens_details") if chat else _RESPONSE_DETAILS
        for name, total, details in (("input", read, usage.get(side[0])), ("output", written, usage.get(side[1]))):
            if not isinstance(details, Mapping):
                continue
            cached = _count(details, "cached_tokens") if name == "input" else None
            if cached is not None and cached <= total:
                self._usage["cache_read_tokens"] = cached
            for kind in ("audio", "image"):
                if (count := _count(details, f"{kind}_tokens")) is not None and 0 < count <= total:
                    self._usage[f"{name}_{kind}_tokens"] = count
        tier = document.get("service_tier")
        if tier in ("priority", "fast"):
            self._usage["tier_fast"] = 1
        elif tier == "flex":
            self._usage["tier_flex"] = 1
        self._seen = True

    def _gemini_document(self, document: Value) -> None:
        """One `GenerateContentResponse`, or the array of them that a stream without `alt=sse` is. Counts are those of
        the whole answer so far; the last one that came counts."""
        for chunk in document if isinstance(document, list) else [document]:
            if not isinstance(chunk, Mapping):
                continue
            if chunk.get("error"):
                self._failed = True
            if isinstance(identity := chunk.get("responseId", chunk.get("name")), str) and not self._id:
                self._id = identity[:128]
            candidates = chunk.get("candidates")
            for candidate in candidates if isinstance(candidates, list) else ():
                if isinstance(candidate, Mapping) and candidate.get("groundingMetadata"):
                    self._usage["untold"] = 1
            usage = chunk.get("usageMetadata")
            if isinstance(usage, Mapping):
                self._gemini(usage)

    def _gemini(self, usage: Mapping[str, Value]) -> None:
        counts = {name: _count(usage, name) for name in _GEMINI_COUNTS}
        if counts["promptTokenCount"] is None:
            return
        read = counts["promptTokenCount"] + (counts["toolUsePromptTokenCount"] or 0)
        written = (counts["candidatesTokenCount"] or 0) + (counts["thoughtsTokenCount"] or 0)
        total = counts["totalTokenCount"]
        if total is not None and total > read + written:
            written = total - read
        self._usage.update({"input_tokens": read, "output_tokens": written})
        cached = counts["cachedContentTokenCount"]
        if cached is not None and cached <= read:
            self._usage["cache_read_tokens"] = cached
        for side, name in (("input", "promptTokensDetails"), ("output", "candidatesTokensDetails")):
            details = usage.get(name)
            for part in details if isinstance(details, list) else ():
                kind = str(part.get("modality", "")).lower() if isinstance(part, Mapping) else ""
                if kind in ("audio", "image", "video") and (count := _count(part, "tokenCount")):
                    self._usage[f"{side}_{kind}_tokens"] = count
        tier = str(usage.get("serviceTier", usage.get("trafficType", ""))).lower()
        if "priority" in tier:
            self._usage["tier_fast"] = 1
        elif "flex" in tier:
            self._usage["tier_flex"] = 1
        self._seen = True

    def _anthropic(self, usage: Mapping[str, Value], *, final: bool) -> None:
        """Counts are cumulative over a stream; `input_tokens` there leaves out what went through the cache."""
        for name in ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"):
            if (count := _count(usage, name)) is not None:
                self._usage[f"_{name}"] = count
        creation = usage.get("cache_creation")
        if isinstance(creation, Mapping) and (hour := _count(creation, "ephemeral_1h_input_tokens")) is not None:
            self._usage["cache_write_1h_tokens"] = hour
        server = usage.get("server_tool_use")
        if isinstance(server, Mapping) and (searches := _count(server, "web_search_requests")) is not None:
            self._usage["web_searches"] = searches
        if usage.get("speed") == "fast":
            self._usage["tier_fast"] = 1
        if usage.get("inference_geo") == "us":
            self._usage["geo_us"] = 1
        if not final or "_input_tokens" not in self._usage or "_output_tokens" not in self._usage:
            return
        read = self._usage.get("_cache_read_input_tokens", 0)
        made = self._usage.get("_cache_creation_input_tokens", 0)
        self._usage["input_tokens"] = self._usage["_input_tokens"] + read + made
        self._usage["output_tokens"] = self._usage["_output_tokens"]
        self._usage["cache_read_tokens"] = read
        self._usage["cache_write_tokens"] = made
        self._seen = True


_GEMINI_COUNTS = (
    "promptTokenCount",
    "toolUsePromptTokenCount",
    "candidatesTokenCount",
    "thoughtsTokenCount",
    "cachedContentTokenCount",
    "totalTokenCount",
)
_RESPONSE_DETAILS = ("input_tokens_details", "output_tokens_details")


def _count(members: Mapping[str, Value], name: str) -> int | None:
    value = members.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= TOKENS_MAX else None


def _event_end(buffer: bytearray) -> int | None:
    """Where the first event of `buffer` ends, its blank line included."""
    ends = [at + len(mark) for mark in (b"\n\n", b"\r\n\r\n") if (at := buffer.find(mark)) >= 0]
    return min(ends) if ends else None


def _usage_only(event: bytes) -> bool:
    """True for the chunk a chat stream ends with when usage was asked for: `choices` empty, `usage` an object."""
    if b'"usage"' not in event or event.count(b"data:") != 1:
        return False
    try:
        document = parse_json(event.partition(b"data:")[2].strip())
    except MalformedJson:
        return False
    return (
        isinstance(document, Mapping) and document.get("choices") == [] and isinstance(document.get("usage"), Mapping)
    )
