"""Model services: real SDK traffic decodes right, streams settle, refusals reach the program once."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import anthropic
import httpx
import httpx2
import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wire_kit import DENIED, MESSAGE, again, from_http, request

from comptroller import price
from comptroller.core.action import Action, ActionClass, digest
from comptroller.core.estimate import Outcome, Unit
from comptroller.core.request import Request
from comptroller.decode.jsontext import parse_json
from comptroller.decode.llm import AnthropicCodec, OpenAICodec
from comptroller.testing.strategies import chunked

OPENAI, ANTHROPIC = OpenAICodec(), AnthropicCodec()
CHAT_USAGE = {
    "prompt_tokens": 10,
    "completion_tokens": 5,
    "total_tokens": 15,
    "prompt_tokens_details": {"cached_tokens": 4},
}


class Line:
    """Stands where the gateway stands: decodes, encodes, meters, and answers from a script."""

    def __init__(
        self, codec: OpenAICodec | AnthropicCodec, body: bytes = b"{}", kind: str = "application/json"
    ) -> None:
        self.codec, self.body, self.kind = codec, body, kind
        self.refuse = False
        self.requests: list[Request] = []
        self.actions: list[Action] = []
        self.sent: list[Any] = []
        self.outcomes: list[Outcome] = []

    def handle(self, library: Any) -> Callable[[Any], Any]:
        def answer(message: Any) -> Any:
            asked = from_http(
                message.method, str(message.url), message.headers, message.read(), host=next(iter(self.codec.hosts))
            )
            action = self.codec.decode(asked)
            self.requests.append(asked)
            self.actions.append(action)
            if self.refuse:
                native = self.codec.refuse(action, asked, DENIED, MESSAGE)
                return library.Response(native.status, headers=list(native.headers), content=native.body)
            self.sent.append(self.codec.encode(action, asked))
            meter = self.codec.meter(action)
            meter.head(200, [("content-type", self.kind)])
            out = b"".join(meter.pass_on(self.body[at : at + 7]) for at in range(0, len(self.body), 7)) + meter.flush()
            self.outcomes.append(meter.finish(complete=True))
            return library.Response(200, headers={"content-type": self.kind}, content=out)

        return answer


def openai_sdk(line: Line) -> openai.OpenAI:
    client = httpx.Client(transport=httpx.MockTransport(line.handle(httpx)))
    return openai.OpenAI(api_key="placeholder", http_client=client, max_retries=2)


def anthropic_sdk(line: Line) -> anthropic.Anthropic:
    client = httpx2.Client(transport=httpx2.MockTransport(line.handle(httpx2)))
    return anthropic.Anthropic(api_key="placeholder", http_client=client, max_retries=2)


def events(*items: dict[str, Any] | str, named: bool = False) -> bytes:
    return "".join(
        (f"event: {i['type']}\n" if named and isinstance(i, dict) else "")
        + f"data: {i if isinstance(i, str) else json.dumps(i)}\n\n"
        for i in items
    ).encode()


CHUNK = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o"}
CHAT_STREAM = events(
    {
        **CHUNK,
        "choices": [{"index": 0, "delta": {"role": "assistant", "content": "hé"}, "finish_reason": None}],
        "usage": None,
    },
    {**CHUNK, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": None},
    {**CHUNK, "choices": [], "usage": CHAT_USAGE},
    "[DONE]",
)


def test_openai_chat() -> None:
    answer = {
        "id": "c1",
        "object": "chat.completion",
        "created": 1,
        "model": "gpt-4o",
        "usage": CHAT_USAGE,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "ok"}, "finish_reason": "stop"}],
    }
    line = Line(OPENAI, json.dumps(answer).encode())
    with openai_sdk(line) as client:
        client.chat.completions.create(
            model="gpt-4o", messages=[{"role": "user", "content": "hé"}], temperature=0.1, max_completion_tokens=50
        )
    action, sent, outcome = line.actions[0], line.sent[0], line.outcomes[0]
    assert (action.operation, action.service, action.classes) == (
        "openai:chat.completions:create",
        "openai",
        {ActionClass.INFER},
    )
    assert action.parameters["temperature"] == Decimal("0.1")
    assert parse_json(sent.body) == parse_json(line.requests[0].body)
    assert b'"temperature":0.1' in sent.body and sent.family == "openai"
    assert not {"authorization", "x-stainless-os"} & {h.name for h in sent.headers}
    assert digest(OPENAI.decode(again(sent, line.requests[0]))) == digest(action)
    assert outcome.actual == {Unit.TOKENS: 15} and outcome.ok
    assert outcome.usage == {"input_tokens": 10, "output_tokens": 5, "cache_read_tokens": 4}
    # 6 x 2.50 + 4 x 1.25 + 5 x 10 micro-dollars.
    paid = price.actual(action, outcome)
    assert (paid[Unit.CALLS], paid[Unit.TOKENS], paid[Unit.USD_MICROS]) == (1, 15, 70)
    assert 0 < paid[Unit.MILLIWATT_HOURS] < (price.estimate(action).high(Unit.MILLIWATT_HOURS) or 0)
    estimate = price.estimate(action)
    assert estimate.high(Unit.USD_MICROS) >= 70 and estimate.high(Unit.TOKENS) >= 15  # type: ignore[operator]


@pytest.mark.parametrize("asked_for_usage", [False, True])
def test_openai_chat_stream_settles_and_gives_only_what_was_asked_for(asked_for_usage: bool) -> None:
    line = Line(OPENAI, CHAT_STREAM, "text/event-stream; charset=utf-8")
    options: dict[str, Any] = {"stream_options": {"include_usage": True}} if asked_for_usage else {}
    with openai_sdk(line) as client:
        got = list(
            client.chat.completions.create(
                model="gpt-4o", messages=[{"role": "user", "content": "x"}], stream=True, **options
            )
        )
    assert json.loads(line.sent[0].body)["stream_options"] == {"include_usage": True}
    assert line.outcomes[0].usage["output_tokens"] == 5
    assert [len(chunk.choices) for chunk in got] == ([1, 1, 0] if asked_for_usage else [1, 1])
    assert "".join(c.choices[0].delta.content or "" for c in got if c.choices) == "hé"


RESPONSE = {
    "id": "r1",
    "object": "response",
    "created_at": 1,
    "model": "gpt-4o",
    "status": "completed",
    "output": [],
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
    "usage": {
        "input_tokens": 10,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 5,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 15,
    },
}


def test_openai_responses_streamed_and_not() -> None:
    line = Line(OPENAI, json.dumps(RESPONSE).encode())
    with openai_sdk(line) as client:
        client.responses.create(model="gpt-4o", input="x", max_output_tokens=20)
    stream = events(
        {
            "type": "response.created",
            "sequence_number": 0,
            "response": {**RESPONSE, "status": "in_progress", "usage": None},
        },
        {"type": "response.completed", "sequence_number": 1, "response": RESPONSE},
        named=True,
    )
    streamed = Line(OPENAI, stream, "text/event-stream")
    with openai_sdk(streamed) as client:
        assert [e.type for e in client.responses.create(model="gpt-4o", input="x", stream=True)][
            -1
        ] == "response.completed"
    for each in (line, streamed):
        assert each.actions[0].operation == "openai:responses:create"
        assert each.outcomes[0].actual == {Unit.TOKENS: 15}
        assert each.outcomes[0].made == ("r1",)


MESSAGE_BODY = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-6",
    "stop_reason": None,
    "content": [],
    "stop_sequence": None,
    "usage": {
        "input_tokens": 10,
        "output_tokens": 1,
        "cache_read_input_tokens": 100,
        "cache_creation_input_tokens": 20,
    },
}


def test_anthropic_streamed_and_not() -> None:
    line = Line(ANTHROPIC, json.dumps(MESSAGE_BODY).encode())
    ask: dict[str, Any] = {
        "model": "claude-sonnet-4-6",
        "max_tokens": 100,
        "messages": [{"role": "user", "content": "x"}],
    }
    with anthropic_sdk(line) as client:
        client.messages.create(**ask)
        client.messages.create(**ask, extra_query={"beta": "true"})
    stream = events(
        {"type": "message_start", "message": MESSAGE_BODY},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hi"}},
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"output_tokens": 7},
        },
        {"type": "message_stop"},
        named=True,
    )
    streamed = Line(ANTHROPIC, stream, "text/event-stream")
    with anthropic_sdk(streamed) as client, client.messages.stream(**ask) as reading:
        assert reading.get_final_text() == "hi"
    action = line.actions[0]
    assert (action.operation, action.classes) == ("anthropic:messages:create", {ActionClass.INFER})
    assert "anthropic-version" in action.parameters["@headers"]  # type: ignore[operator]
    assert line.sent[1].target == "/v1/messages?beta=true"
    assert line.outcomes[0].usage["input_tokens"] == 130 and line.outcomes[0].usage["output_tokens"] == 1
    assert streamed.outcomes[0].usage["output_tokens"] == 7
    # 10 x 3 + 100 x 0.30 + 20 x 3.75 + 7 x 15
    assert price.actual(streamed.actions[0], streamed.outcomes[0])[Unit.USD_MICROS] == 240


@pytest.mark.parametrize("cut", [1, len(CHAT_STREAM) // 2, len(CHAT_STREAM) - 30])
def test_a_cut_stream_tells_no_more_than_its_estimate(cut: int) -> None:
    action = OPENAI.decode(
        request("api.openai.com", "POST", "/v1/chat/completions", {"model": "gpt-4o", "stream": True})
    )
    meter = OPENAI.meter(action)
    meter.head(200, [("content-type", "text/event-stream")])
    meter.feed(CHAT_STREAM[:cut])
    outcome = meter.finish(complete=False)
    assert (outcome.complete, outcome.actual) == (False, {})
    paid, high = price.actual(action, outcome), price.estimate(action).high(Unit.USD_MICROS) or 0
    assert (cut == 1) == (Unit.USD_MICROS not in paid)
    assert 0 <= paid.get(Unit.USD_MICROS, 0) < high
    # A model that writes what the stream does not show tells nothing.
    hidden = OPENAI.decode(request("api.openai.com", "POST", "/v1/chat/completions", {"model": "o3", "stream": True}))
    meter = OPENAI.meter(hidden)
    meter.head(200, [("content-type", "text/event-stream")])
    meter.feed(CHAT_STREAM[:cut])
    assert Unit.USD_MICROS not in price.actual(hidden, meter.finish(complete=False))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_cuts_between_bytes_change_nothing(data: st.DataObject) -> None:
    body = {"model": "gpt-4o", "stream": True, "stream_options": {"include_usage": True}}
    meter = OPENAI.meter(OPENAI.decode(request("api.openai.com", "POST", "/v1/chat/completions", body)))
    hiding = OPENAI.meter(
        OPENAI.decode(request("api.openai.com", "POST", "/v1/chat/completions", {**body, "stream_options": {}}))
    )
    out, hidden = b"", b""
    for each in (meter, hiding):
        each.head(200, [("content-type", "text/event-stream")])
    for part in data.draw(chunked(CHAT_STREAM)):
        out += meter.pass_on(part)
        hidden += hiding.pass_on(part)
    assert out + meter.flush() == CHAT_STREAM
    hidden += hiding.flush()
    assert b'"choices": []' not in hidden and hidden.endswith(b"data: [DONE]\n\n") and hidden.count(b"data:") == 3
    assert meter.finish(complete=True).usage == hiding.finish(complete=True).usage != {}


def test_refusals_are_not_retried() -> None:
    line, other = Line(OPENAI), Line(ANTHROPIC)
    line.refuse = other.refuse = True
    with (
        openai_sdk(line) as client,
        pytest.raises(openai.PermissionDeniedError, match="no rule permits this") as caught,
    ):
        client.responses.create(model="gpt-4o", input="x")
    assert caught.value.code == "comptroller_denied"
    with anthropic_sdk(other) as client, pytest.raises(anthropic.PermissionDeniedError, match="no rule permits this"):
        client.messages.create(model="claude-sonnet-4-6", max_tokens=1, messages=[{"role": "user", "content": "x"}])
    assert len(line.requests) == len(other.requests) == 1


def test_lists_of_models_are_reads() -> None:
    line = Line(OPENAI, json.dumps({"object": "list", "data": []}).encode())
    with openai_sdk(line) as client:
        client.models.list()
    other = Line(ANTHROPIC, json.dumps({"data": [], "has_more": False, "first_id": None, "last_id": None}).encode())
    with anthropic_sdk(other) as client:
        client.models.list(limit=5)
        client.messages.count_tokens(model="claude-sonnet-4-6", messages=[{"role": "user", "content": "x"}])
    got = [(a.operation, sorted(a.classes)) for a in (*line.actions, *other.actions)]
    assert got == [
        ("openai:models:list", ["read"]),
        ("anthropic:models:list", ["read"]),
        ("anthropic:messages:count_tokens", ["read"]),
    ]
    assert other.sent[0].target == "/v1/models?limit=5"


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (request("api.openai.com", "POST", "/v1/embedding", {"model": "x"}), "no known operation"),
        (request("api.openai.com", "POST", "/v1/files", {"purpose": "x"}), "not multipart/form-data"),
        (request("api.openai.com", "PATCH", "/v1/models/x"), "no known operation"),
        (request("api.openai.com", "DELETE", "/v1/models/x", {"model": "x"}), "with a body"),
        (request("api.openai.com", "POST", "/v1/chat/completions/", {"model": "x"}), "no known operation"),
        (request("api.openai.com", "POST", "/v1/chat/completions?x=1", {"model": "x"}), "no query"),
        (request("api.openai.com", "POST", "/v1/chat/completions", {}), "no `model`"),
        (request("api.openai.com", "POST", "/v1/chat/completions", {"model": 1}), "no `model`"),
        (request("api.openai.com", "POST", "/v1/chat/completions", b'{"model":"x"}'), "Content-Type"),
        (request("api.openai.com", "POST", "/v1/chat/completions", "model=x"), "Content-Type"),
        (
            request(
                "api.openai.com",
                "POST",
                "/v1/chat/completions",
                b'{"model":"x","model":"y"}',
                content_type="application/json",
            ),
            "duplicate key",
        ),
        (request("api.openai.com", "POST", "/v1/chat/completions", {"model": "x", "stream": "yes"}), "`stream`"),
        (request("api.openai.com", "POST", "/v1/responses", {"model": "x", "@path": "/"}), "begins with `@`"),
        (request("api.openai.com", "POST", "/v1/responses", {"model": "x", "tools": [{"type": "teleport"}]}), "known"),
        (request("api.openai.com", "POST", "/v1/responses", {"model": "x", "tools": "all"}), "`tools`"),
        (request("api.openai.com", "POST", "/v1/responses", {"model": "x", "Tools": [], "n": 1}), "case alone"),
        (request("api.openai.com", "GET", "/v1/realtime?model=x", sec_websocket_key="eA=="), "WebSocket"),
        (request("api.openai.com", "POST", "/v1/responses", {"model": "x"}, content_encoding="br"), "compressed"),
        (request("api.openai.com", "GET", "/v1/responses", upgrade="websocket"), "switch protocols"),
    ],
)
def test_doubt_is_unknown(asked: Request, why: str) -> None:
    action = OPENAI.decode(asked)
    assert action.undecodable and why in action.reason
    assert price.estimate(action).unknown(Unit.USD_MICROS)


@pytest.mark.parametrize(
    ("body", "classes"),
    [
        ({"tools": [{"type": "code_interpreter", "container": {"type": "auto"}}]}, {"infer", "execute"}),
        ({"tools": [{"type": "mcp", "server_url": "https://x"}]}, {"infer", "execute", "communicate"}),
        ({"tools": [{"type": "web_search_preview_2025_03_11"}]}, {"infer", "communicate"}),
        ({"tools": [{"type": "file_search"}]}, {"infer"}),
        ({"web_search_options": {}}, {"infer", "communicate"}),
        ({"mcp_servers": [{"url": "https://x"}]}, {"infer", "execute", "communicate"}),
        ({"tools": [{"type": "code_execution_20250825", "name": "code_execution"}]}, {"infer", "execute"}),
    ],
)
def test_hosted_tools_are_named_and_cost_what_nobody_knows(body: dict[str, object], classes: set[str]) -> None:
    asked = request("api.openai.com", "POST", "/v1/responses", {"model": "gpt-4o", "max_output_tokens": 5, **body})
    action = OPENAI.decode(asked)
    assert {c.value for c in action.classes} == classes
    assert action.parameters["@hosted_tools"]
    estimate = price.estimate(action)
    assert estimate.unknown(Unit.USD_MICROS) and estimate.unknown(Unit.TOKENS)
    assert b"@" not in OPENAI.encode(action, asked).body


@pytest.mark.parametrize("kind", ["function", "custom", "apply_patch", "bash_20250124", "text_editor_20250728", None])
def test_tools_the_agent_runs_itself_add_nothing(kind: str | None) -> None:
    tool = {"name": "f"} if kind is None else {"type": kind, "name": "f"}
    action = OPENAI.decode(
        request("api.openai.com", "POST", "/v1/responses", {"model": "gpt-4o", "max_output_tokens": 5, "tools": [tool]})
    )
    assert action.classes == {ActionClass.INFER} and "@hosted_tools" not in action.parameters
    assert not price.estimate(action).unknown(Unit.USD_MICROS)


def test_a_key_goes_to_its_own_service_only() -> None:
    asked = request("llm.internal", "POST", "/v1/chat/completions", {"model": "gpt-4o"})
    assert OPENAI.encode(OPENAI.decode(asked), asked).family == "llm.internal"


def test_what_people_wrote_is_sensitive() -> None:
    action = OPENAI.decode(
        request("api.openai.com", "POST", "/v1/responses", {"model": "gpt-4o", "input": "x", "tools": []})
    )
    assert action.sensitive == {"input", "tools"}
