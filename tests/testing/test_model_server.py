"""The model server, driven by the real SDKs."""

from __future__ import annotations

import json
from collections.abc import Iterator

import anthropic
import openai
import pytest

from comptroller.testing.model_server import Conversation, ModelServer, ToolCall, Turn, in_order

SCRIPT = in_order(
    [
        Turn(text="I will look it up first.", calls=(ToolCall(name="look", arguments={"city": "Bonn"}),)),
        Turn(text="It rains in Bonn, so take a coat."),
    ]
)
CHAT_TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
RESPONSES_TOOL = {"type": "function", "name": "look", "parameters": {"type": "object"}, "strict": False}
MESSAGES_TOOL = {"name": "look", "input_schema": {"type": "object"}}


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer(SCRIPT, api_key="real") as running:
        yield running


@pytest.fixture
def gpt(server: ModelServer) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="real", max_retries=0) as client:
        yield client


@pytest.fixture
def claude(server: ModelServer) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=server.url, api_key="real", max_retries=0) as client:
        yield client


def test_chat_completions_follow_the_script(gpt: openai.OpenAI, server: ModelServer) -> None:
    messages: list[object] = [{"role": "user", "content": "coat?"}]
    first = gpt.chat.completions.create(model="gpt-4o", messages=messages, tools=[CHAT_TOOL])  # type: ignore[call-overload]
    call = first.choices[0].message.tool_calls[0]
    assert (first.choices[0].finish_reason, json.loads(call.function.arguments)) == ("tool_calls", {"city": "Bonn"})
    messages += [first.choices[0].message, {"role": "tool", "tool_call_id": call.id, "content": "rain"}]
    last = gpt.chat.completions.create(model="gpt-4o", messages=messages)  # type: ignore[call-overload]
    assert last.choices[0].message.content == "It rains in Bonn, so take a coat."
    asked = server.asked[-1]
    assert (last.usage.prompt_tokens, last.usage.completion_tokens) == (asked.input_tokens, asked.output_tokens)


@pytest.mark.parametrize("usage", [True, False])
def test_chat_completions_stream(gpt: openai.OpenAI, usage: bool) -> None:
    messages = [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}]
    options = {"stream_options": {"include_usage": True}} if usage else {}
    chunks = list(gpt.chat.completions.create(model="gpt-4o", messages=messages, stream=True, **options))  # type: ignore[call-overload]
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert text == "It rains in Bonn, so take a coat."
    assert [bool(c.usage) for c in chunks][-1] is usage


def test_responses_follow_the_script(gpt: openai.OpenAI) -> None:
    first = gpt.responses.create(model="gpt-4o", input="coat?", tools=[RESPONSES_TOOL])  # type: ignore[list-item]
    call = next(item for item in first.output if item.type == "function_call")
    assert first.output_text == "I will look it up first."
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "rain"}
    items = [{"role": "user", "content": "coat?"}, *[item.model_dump() for item in first.output], result]
    last = gpt.responses.create(model="gpt-4o", input=items)  # type: ignore[arg-type]
    assert last.output_text == "It rains in Bonn, so take a coat."


def test_responses_stream(gpt: openai.OpenAI) -> None:
    with gpt.responses.stream(model="gpt-4o", input="coat?", tools=[RESPONSES_TOOL]) as stream:  # type: ignore[list-item]
        deltas = [event.delta for event in stream if event.type == "response.output_text.delta"]
        final = stream.get_final_response()
    assert "".join(deltas) == final.output_text == "I will look it up first."
    assert final.usage is not None
    assert [item.name for item in final.output if item.type == "function_call"] == ["look"]


def test_messages_follow_the_script(claude: anthropic.Anthropic) -> None:
    messages: list[object] = [{"role": "user", "content": "coat?"}]
    first = claude.messages.create(model="m", max_tokens=99, messages=messages, tools=[MESSAGES_TOOL])  # type: ignore[call-overload]
    call = next(block for block in first.content if block.type == "tool_use")
    assert (first.stop_reason, call.input) == ("tool_use", {"city": "Bonn"})
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "rain"}
    messages += [{"role": "assistant", "content": first.content}, {"role": "user", "content": [result]}]
    last = claude.messages.create(model="m", max_tokens=99, messages=messages)  # type: ignore[arg-type]
    assert last.content[0].text == "It rains in Bonn, so take a coat."  # type: ignore[union-attr]


def test_messages_stream(claude: anthropic.Anthropic, server: ModelServer) -> None:
    asked = [{"role": "user", "content": "coat?"}]
    with claude.messages.stream(model="m", max_tokens=99, messages=asked, tools=[MESSAGES_TOOL]) as stream:  # type: ignore[arg-type,list-item]
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert text == "I will look it up first."
    assert [block.input for block in final.content if block.type == "tool_use"] == [{"city": "Bonn"}]
    assert final.usage.output_tokens == server.asked[-1].output_tokens


def test_a_script_sees_the_results(gpt: openai.OpenAI) -> None:
    seen: list[Conversation] = []

    def script(conversation: Conversation) -> Turn:
        seen.append(conversation)
        return Turn(text="ok")

    with (
        ModelServer(script) as server,
        openai.OpenAI(base_url=f"{server.url}/v1", api_key="any") as client,
    ):
        tool = {"role": "tool", "tool_call_id": "c", "content": [{"type": "text", "text": "42"}]}
        client.chat.completions.create(model="m", messages=[{"role": "user", "content": "q"}, tool])  # type: ignore[list-item]
    assert (seen[0].results, seen[0].turn, seen[0].model) == (("42",), 0, "m")


def test_wrong_key_path_and_body_are_refused(server: ModelServer) -> None:
    with (
        openai.OpenAI(base_url=f"{server.url}/v1", api_key="placeholder", max_retries=0) as stranger,
        pytest.raises(openai.AuthenticationError),
    ):
        stranger.chat.completions.create(model="m", messages=[])
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="real", max_retries=0) as client:
        with pytest.raises(openai.NotFoundError):
            client.embeddings.create(model="m", input="x")
        with pytest.raises(openai.BadRequestError):
            client.chat.completions.create(model="m", messages="not a list")  # type: ignore[arg-type]
    assert server.asked == []
