"""A local model API, scripted by the conversation: OpenAI chat and responses, Anthropic messages, streamed or not."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from comptroller.testing.loopback import HttpAnswer, HttpRequest, HttpServer

BYTES_PER_TOKEN = 4
STREAM_PIECE_CHARACTERS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """One call the model makes."""

    name: str
    arguments: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What the model says next: text, tool calls, or both."""

    text: str = ""
    calls: tuple[ToolCall, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """What the model was sent. `turn` counts its own earlier answers; `results` are all tool results so far."""

    model: str
    turn: int
    results: tuple[str, ...]
    last_text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request that reached the server, with what it cost."""

    path: str
    model: str
    stream: bool
    headers: Mapping[str, str]
    input_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Charged:
    """What the server charges for one request: of a stream whose reader left, what it wrote until it noticed."""

    path: str
    model: str
    input_tokens: int
    output_tokens: int
    cut: bool


Script = Callable[[Conversation], Turn]


def in_order(turns: Sequence[Turn]) -> Script:
    """A script that plays `turns` one after the other and then repeats the last."""
    fixed = tuple(turns)
    return lambda conversation: fixed[min(conversation.turn, len(fixed) - 1)]


@dataclass(slots=True)
class _Reply:
    """A turn with its number and its token counts."""

    turn: Turn
    number: int
    model: str
    input_tokens: int
    pace: Callable[[], None] = lambda: None
    output_tokens: int = field(init=False)
    written: int = field(init=False, default=0)
    """Characters that a stream has written so far."""

    def pieces(self, text: str) -> Iterator[str]:
        """`text` bit by bit, counted as it is written."""
        for n in range(0, len(text), STREAM_PIECE_CHARACTERS):
            self.pace()
            piece = text[n : n + STREAM_PIECE_CHARACTERS]
            self.written += len(piece)
            yield piece

    def __post_init__(self) -> None:
        said = self.turn.text + "".join(c.name + json.dumps(dict(c.arguments)) for c in self.turn.calls)
        self.output_tokens = max(1, len(said) // BYTES_PER_TOKEN)


class ModelServer:
    """Serves at `url` (`/v1/chat/completions`, `/v1/responses`, `/v1/messages`); stateless but for `asked` and
    `charged`, its own account of what it wrote. `pace` is called before each piece of a stream."""

    def __init__(
        self,
        script: Script,
        *,
        port: int = 0,
        api_key: str | None = None,
        pace: Callable[[], None] = lambda: None,
    ) -> None:
        self._script = script
        self._pace = pace
        self.charged: list[Charged] = []
        self._api_key = api_key
        self._lock = threading.Lock()
        self.asked: list[Asked] = []
        self._http = HttpServer(self._answer, port=port)
        self.url = self._http.url

    def close(self) -> None:
        """Stop serving."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _answer(self, request: HttpRequest) -> HttpAnswer:
        sent = request.headers.get("x-api-key") or request.headers.get("authorization", "").removeprefix("Bearer ")
        if self._api_key is not None and sent != self._api_key:
            return _document({"error": {"type": "authentication_error", "message": "invalid api key"}}, status=401)
        dialect = _DIALECTS.get(request.path)
        if request.method != "POST" or dialect is None:
            return _document({"error": {"type": "not_found_error", "message": f"no {request.path}"}}, status=404)
        try:
            body = json.loads(request.body)
            conversation = dialect.read(body)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return _document({"error": {"type": "invalid_request_error", "message": str(error)}}, status=400)
        reply = _Reply(
            turn=self._script(conversation),
            number=conversation.turn,
            model=conversation.model,
            input_tokens=max(1, len(request.body) // BYTES_PER_TOKEN),
            pace=self._pace,
        )
        stream = bool(body.get("stream"))
        with self._lock:
            self.asked.append(
                Asked(
                    path=request.path,
                    model=reply.model,
                    stream=stream,
                    headers=request.headers,
                    input_tokens=reply.input_tokens,
                    output_tokens=reply.output_tokens,
                )
            )
        if not stream:
            self._charge(request.path, reply, cut=False)
            return _document(dialect.whole(reply))
        events = self._streamed(request.path, reply, dialect.streamed(reply, body))
        return HttpAnswer(content_type="text/event-stream", body=events)

    def _streamed(self, path: str, reply: _Reply, events: Iterator[bytes]) -> Iterator[bytes]:
        whole = False
        try:
            yield from events
            whole = True
        finally:
            self._charge(path, reply, cut=not whole)

    def _charge(self, path: str, reply: _Reply, *, cut: bool) -> None:
        so_far = min(reply.output_tokens, 1 + -(-reply.written // BYTES_PER_TOKEN))
        charged = Charged(
            path=path,
            model=reply.model,
            input_tokens=reply.input_tokens,
            output_tokens=so_far if cut else reply.output_tokens,
            cut=cut,
        )
        with self._lock:
            self.charged.append(charged)


def _document(value: object, *, status: int = 200) -> HttpAnswer:
    return HttpAnswer(status=status, body=json.dumps(value).encode())


def _text(content: object) -> str:
    """The text of a message's content in any of the three dialects."""
    match content:
        case str():
            return content
        case list():
            return " ".join(_text(part) for part in content)
        case {"text": inner} | {"content": inner} | {"output": inner}:
            return _text(inner)
        case _:
            return ""


def _event(value: Mapping[str, object]) -> bytes:
    name = f"event: {value['type']}\n" if "type" in value else ""
    return f"{name}data: {json.dumps(value)}\n\n".encode()


# ---------------------------------------------------------------- OpenAI chat completions


def _chat_read(body: Mapping[str, Any]) -> Conversation:
    messages = body["messages"]
    return Conversation(
        model=body["model"],
        turn=sum(message["role"] == "assistant" for message in messages),
        results=tuple(_text(message["content"]) for message in messages if message["role"] == "tool"),
        last_text=_text(messages[-1].get("content")) if messages else "",
    )


def _chat_calls(reply: _Reply) -> list[dict[str, object]]:
    return [
        {
            "index": n,
            "id": f"call_{reply.number}_{n}",
            "type": "function",
            "function": {"name": call.name, "arguments": json.dumps(dict(call.arguments))},
        }
        for n, call in enumerate(reply.turn.calls)
    ]


def _chat_base(reply: _Reply, kind: str) -> dict[str, object]:
    return {"id": f"chatcmpl-{reply.number}", "object": kind, "created": 1, "model": reply.model}


def _chat_usage(reply: _Reply) -> dict[str, int]:
    total = reply.input_tokens + reply.output_tokens
    return {
        "prompt_tokens": reply.input_tokens,
        "completion_tokens": reply.output_tokens,
        "total_tokens": total,
    }


def _chat_whole(reply: _Reply) -> dict[str, object]:
    message: dict[str, object] = {"role": "assistant", "content": reply.turn.text or None}
    if reply.turn.calls:
        message["tool_calls"] = _chat_calls(reply)
    finish = "tool_calls" if reply.turn.calls else "stop"
    choice = {"index": 0, "message": message, "finish_reason": finish}
    return {**_chat_base(reply, "chat.completion"), "choices": [choice], "usage": _chat_usage(reply)}


def _chat_streamed(reply: _Reply, body: Mapping[str, Any]) -> Iterator[bytes]:
    base = _chat_base(reply, "chat.completion.chunk")

    def chunk(delta: Mapping[str, object], finish: str | None = None) -> bytes:
        return _event({**base, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})

    yield chunk({"role": "assistant", "content": ""})
    for piece in reply.pieces(reply.turn.text):
        yield chunk({"content": piece})
    for call in _chat_calls(reply):
        yield chunk({"tool_calls": [call]})
    yield chunk({}, "tool_calls" if reply.turn.calls else "stop")
    if (body.get("stream_options") or {}).get("include_usage"):
        yield _event({**base, "choices": [], "usage": _chat_usage(reply)})
    yield b"data: [DONE]\n\n"


# ---------------------------------------------------------------- OpenAI responses


def _responses_read(body: Mapping[str, Any]) -> Conversation:
    items = body["input"]
    if isinstance(items, str):
        return Conversation(model=body["model"], turn=0, results=(), last_text=items)
    turn, was_ours = 0, False
    for item in items:
        ours = item.get("type") == "function_call" or item.get("role") == "assistant"
        turn += ours and not was_ours
        was_ours = ours
    return Conversation(
        model=body["model"],
        turn=turn,
        results=tuple(_text(item["output"]) for item in items if item.get("type") == "function_call_output"),
        last_text=_text(items[-1]) if items else "",
    )


def _responses_items(reply: _Reply) -> list[dict[str, object]]:
    items: list[dict[str, object]] = []
    if reply.turn.text:
        part = {"type": "output_text", "text": reply.turn.text, "annotations": []}
        items.append(
            {
                "type": "message",
                "id": f"msg_{reply.number}",
                "role": "assistant",
                "status": "completed",
                "content": [part],
            }
        )
    for n, call in enumerate(reply.turn.calls):
        items.append(
            {
                "type": "function_call",
                "id": f"fc_{reply.number}_{n}",
                "call_id": f"call_{reply.number}_{n}",
                "name": call.name,
                "arguments": json.dumps(dict(call.arguments)),
                "status": "completed",
            }
        )
    return items


def _responses_whole(reply: _Reply) -> dict[str, object]:
    return {
        "id": f"resp_{reply.number}",
        "object": "response",
        "created_at": 1,
        "model": reply.model,
        "status": "completed",
        "output": _responses_items(reply),
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": reply.input_tokens,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": reply.output_tokens,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": reply.input_tokens + reply.output_tokens,
        },
    }


def _responses_streamed(reply: _Reply, body: Mapping[str, Any]) -> Iterator[bytes]:
    for number, event in enumerate(_responses_events(reply)):
        yield _event({**event, "sequence_number": number})


def _responses_events(reply: _Reply) -> Iterator[dict[str, object]]:
    whole = _responses_whole(reply)
    yield {"type": "response.created", "response": {**whole, "output": [], "status": "in_progress", "usage": None}}
    for n, item in enumerate(_responses_items(reply)):
        at = {"item_id": item["id"], "output_index": n}
        if item["type"] == "message":
            empty = {"type": "output_text", "text": "", "annotations": []}
            yield {"type": "response.output_item.added", "output_index": n, "item": {**item, "content": []}}
            yield {"type": "response.content_part.added", **at, "content_index": 0, "part": empty}
            for piece in reply.pieces(reply.turn.text):
                yield {"type": "response.output_text.delta", **at, "content_index": 0, "delta": piece, "logprobs": []}
            done = {"content_index": 0, "text": reply.turn.text, "logprobs": []}
            yield {"type": "response.output_text.done", **at, **done}
        else:
            yield {"type": "response.output_item.added", "output_index": n, "item": {**item, "arguments": ""}}
            arguments = item["arguments"]
            yield {"type": "response.function_call_arguments.delta", **at, "delta": arguments}
            yield {"type": "response.function_call_arguments.done", **at, "arguments": arguments}
        yield {"type": "response.output_item.done", "output_index": n, "item": item}
    yield {"type": "response.completed", "response": whole}


# ---------------------------------------------------------------- Anthropic messages


def _messages_read(body: Mapping[str, Any]) -> Conversation:
    messages = body["messages"]
    results = [
        _text(part.get("content"))
        for message in messages
        if isinstance(message["content"], list)
        for part in message["content"]
        if part.get("type") == "tool_result"
    ]
    return Conversation(
        model=body["model"],
        turn=sum(message["role"] == "assistant" for message in messages),
        results=tuple(results),
        last_text=_text(messages[-1]["content"]) if messages else "",
    )


def _messages_whole(reply: _Reply) -> dict[str, object]:
    content: list[dict[str, object]] = [{"type": "text", "text": reply.turn.text}] if reply.turn.text else []
    content += [
        {"type": "tool_use", "id": f"toolu_{reply.number}_{n}", "name": call.name, "input": dict(call.arguments)}
        for n, call in enumerate(reply.turn.calls)
    ]
    return {
        "id": f"msg_{reply.number}",
        "type": "message",
        "role": "assistant",
        "model": reply.model,
        "content": content,
        "stop_reason": "tool_use" if reply.turn.calls else "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": reply.input_tokens, "output_tokens": reply.output_tokens},
    }


def _messages_streamed(reply: _Reply, body: Mapping[str, Any]) -> Iterator[bytes]:
    whole = _messages_whole(reply)
    opening = {"input_tokens": reply.input_tokens, "output_tokens": 1}
    yield _event({"type": "message_start", "message": {**whole, "content": [], "stop_reason": None, "usage": opening}})
    blocks: Any = whole["content"]
    for n, block in enumerate(blocks):
        if block["type"] == "text":
            empty: dict[str, object] = {"type": "text", "text": ""}
            kind, member, written = "text_delta", "text", block["text"]
        else:
            empty = {**block, "input": {}}
            kind, member, written = "input_json_delta", "partial_json", json.dumps(block["input"])
        yield _event({"type": "content_block_start", "index": n, "content_block": empty})
        for piece in reply.pieces(written):
            yield _event({"type": "content_block_delta", "index": n, "delta": {"type": kind, member: piece}})
        yield _event({"type": "content_block_stop", "index": n})
    ending = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    yield _event({"type": "message_delta", "delta": ending, "usage": {"output_tokens": reply.output_tokens}})
    yield _event({"type": "message_stop"})


@dataclass(frozen=True, slots=True)
class _Dialect:
    read: Callable[[Mapping[str, Any]], Conversation]
    whole: Callable[[_Reply], dict[str, object]]
    streamed: Callable[[_Reply, Mapping[str, Any]], Iterator[bytes]]


_DIALECTS: Mapping[str, _Dialect] = {
    "/v1/chat/completions": _Dialect(_chat_read, _chat_whole, _chat_streamed),
    "/v1/responses": _Dialect(_responses_read, _responses_whole, _responses_streamed),
    "/v1/messages": _Dialect(_messages_read, _messages_whole, _messages_streamed),
}
