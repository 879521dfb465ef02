"""Attacks on the prices of model calls: limits that a service ignores, and content that it keeps itself."""

from __future__ import annotations

import json

import pytest

from comptroller import price
from comptroller.core.action import Action
from comptroller.core.estimate import Unit
from comptroller.core.request import Header, Request
from comptroller.decode.codec import Lowerable
from comptroller.decode.registry import CodecRegistry

REGISTRY = CodecRegistry()
CHAT: dict[str, object] = {"messages": [{"role": "user", "content": "hi"}]}


def ask(host: str, path: str, body: dict[str, object]) -> tuple[Lowerable, Action]:
    request = Request(
        scheme="https",
        method="POST",
        host=host,
        port=443,
        target=path,
        headers=(Header("content-type", "application/json"),),
        body=json.dumps(body).encode(),
        agent="a",
        run="r",
    )
    codec = REGISTRY.codec_for(request)
    action = codec.decode(request)
    assert not action.undecodable and isinstance(codec, Lowerable), action.reason
    return codec, action


def tokens(host: str, path: str, body: dict[str, object]) -> int:
    found = price.estimate(ask(host, path, body)[1]).high(Unit.TOKENS)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("host", "path", "model", "ignored"),
    [
        ("api.deepseek.com", "/chat/completions", "deepseek-chat", "max_completion_tokens"),
        ("api.deepseek.com", "/chat/completions", "deepseek-chat", "max_output_tokens"),
        ("api.openai.com", "/v1/chat/completions", "gpt-4o", "max_output_tokens"),
        ("api.openai.com", "/v1/chat/completions", "gpt-4o", "max_tokens_to_sample"),
        ("api.groq.com", "/openai/v1/chat/completions", "llama-3.3-70b-versatile", "max_output_tokens"),
    ],
)
def test_a_limit_that_the_service_does_not_read_is_none(host: str, path: str, model: str, ignored: str) -> None:
    body = {"model": model, **CHAT}
    assert tokens(host, path, {**body, ignored: 1}) >= tokens(host, path, body)
    assert tokens(host, path, {**body, "max_tokens": 1}) < tokens(host, path, body)


def test_a_lowered_call_names_a_limit_that_the_service_reads() -> None:
    body = {"model": "deepseek-chat", **CHAT, "max_completion_tokens": 4000}
    codec, action = ask("api.deepseek.com", "/chat/completions", body)
    lowered = codec.lower(action, 300)
    assert lowered is not None
    assert lowered.parameters["max_tokens"] == 300 and lowered.parameters["max_completion_tokens"] == 300


@pytest.mark.parametrize(
    "item",
    [
        {"id": "msg_1"},
        {"id": "msg_1", "type": None},
        {"id": "msg_1", "status": "completed"},
        {"role": "assistant", "audio": {"id": "audio_1"}},
    ],
)
def test_what_the_service_kept_counts_as_much_as_the_model_takes(item: dict[str, object]) -> None:
    body = {"model": "gpt-4o", "max_output_tokens": 16}
    plain = tokens("api.openai.com", "/v1/responses", {**body, "input": [{"role": "user", "content": "hi"}]})
    assert plain < 2_000
    assert tokens("api.openai.com", "/v1/responses", {**body, "input": [item]}) > 100_000
