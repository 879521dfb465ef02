"""Gemini, servers that speak OpenAI's protocol, and batches: keys never stay, spelling hides nothing, usage settles."""

from __future__ import annotations

import json
from typing import Any

import pytest
from wire_kit import DENIED, MESSAGE, again, request

from comptroller import price
from comptroller.core.action import Action, ActionClass, digest
from comptroller.core.estimate import Outcome, Unit
from comptroller.core.request import Request
from comptroller.decode.llm import (
    COMPATIBLE_CODECS,
    AnthropicCodec,
    AzureOpenAICodec,
    GeminiCodec,
    OpenAICodec,
    SelfHostedCodec,
)
from comptroller.decode.llm.codec import ModelCodec

GEMINI, ANTHROPIC, OPENAI = GeminiCodec(), AnthropicCodec(), OpenAICodec()
HOST = "generativelanguage.googleapis.com"
FLASH = "/v1beta/models/gemini-2.5-flash:"
HELLO = {"contents": [{"role": "user", "parts": [{"text": "hello"}]}]}
SECRET = "AIzaSyVERYSECRETVERYSECRETVERYSECRET000"


def ask(body: dict[str, object], verb: str = "generateContent", query: str = "") -> Request:
    return request(HOST, "POST", f"{FLASH}{verb}{query}", body)


@pytest.mark.parametrize("query", [f"?key={SECRET}", f"?alt=sse&key={SECRET}", f"?%6Bey={SECRET}&alt=sse"])
def test_a_key_in_the_query_is_taken_out(query: str) -> None:
    asked = ask(HELLO, "streamGenerateContent", query)
    action = GEMINI.decode(asked)
    assert not action.undecodable, action.reason
    sent = GEMINI.encode(action, asked)
    assert "key" not in sent.target and sent.target.startswith(f"{FLASH}streamGenerateContent")
    assert SECRET not in repr(action) and SECRET not in repr(sent)
    assert action.operation == "gemini:models:streamGenerateContent" and action.resources == ("gemini-2.5-flash",)


@pytest.mark.parametrize("target", [f"/v9/x?key={SECRET}", f"{FLASH}generateContent?KEY={SECRET}&x=1"])
def test_a_key_stays_out_of_what_nobody_can_read(target: str) -> None:
    action = GEMINI.decode(request(HOST, "POST", target, HELLO))
    assert action.undecodable and SECRET not in repr(action)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({**HELLO, "generationConfig": {}, "generation_config": {"maxOutputTokens": 9}}, "two spellings"),
        ({**HELLO, "generationConfig": {"maxOutputTokens": 1, "max_output_tokens": 10**6}}, "two spellings"),
        ({**HELLO, "tools": [{"teleport": {}}]}, "not known"),
        ({**HELLO, "tools": ["x"]}, "not an object"),
        ({**HELLO, "model": "models/gemini-2.5-flash-lite"}, "another model"),
        ({"@path": 1}, "begins with `@`"),
    ],
)
def test_doubt_is_unknown(body: dict[str, object], why: str) -> None:
    action = GEMINI.decode(ask(body))
    assert action.undecodable and why in action.reason


@pytest.mark.parametrize(
    "target",
    [
        FLASH + "generateContent/",
        FLASH + "GenerateContent",
        "/v2/models/gemini-2.5-flash:generateContent",
        "/v1beta/models/gemini-2.5-flash:x:generateContent",
        FLASH + "generateContent?alt=proto",
        FLASH + "generateContent?alt=sse&alt=json",
        FLASH + "generateContent?upload=1",
        "/v1beta/openai/fine_tuning/jobs",
    ],
)
def test_other_paths_are_unknown(target: str) -> None:
    assert GEMINI.decode(request(HOST, "POST", target, HELLO)).undecodable


@pytest.mark.parametrize(
    ("tool", "hosted", "classes"),
    [
        ({"googleSearch": {}}, "google_search", {"infer", "communicate"}),
        ({"google_search": {}}, "google_search", {"infer", "communicate"}),
        ({"code_execution": {}}, "code_execution", {"infer", "execute"}),
        ({"urlContext": {}}, "url_context", {"infer", "communicate"}),
        ({"functionDeclarations": [{"name": "f"}]}, None, {"infer"}),
    ],
)
def test_tools_of_gemini(tool: dict[str, object], hosted: str | None, classes: set[str]) -> None:
    action = GEMINI.decode(ask({**HELLO, "generationConfig": {"maxOutputTokens": 5}, "tools": [tool]}))
    assert {str(cls) for cls in action.classes} == classes
    assert action.parameters.get("@hosted_tools") == ([hosted] if hosted else None)
    assert price.estimate(action).unknown(Unit.USD_MICROS) is (hosted is not None)


def test_a_file_elsewhere_is_fetched_by_google() -> None:
    parts = [{"file_data": {"file_uri": "https://evil.example/x?q=secret"}}]
    action = GEMINI.decode(ask({"contents": [{"parts": parts}]}))
    assert action.parameters["@fetches"] == ["evil.example"] and ActionClass.COMMUNICATE in action.classes


USAGE = {
    "promptTokenCount": 10,
    "candidatesTokenCount": 5,
    "thoughtsTokenCount": 20,
    "cachedContentTokenCount": 4,
    "totalTokenCount": 35,
}


def chunk(**more: object) -> dict[str, object]:
    return {"candidates": [{"content": {"parts": [{"text": "x"}]}}], **more}


FIRST = chunk(usageMetadata={"promptTokenCount": 10, "candidatesTokenCount": 1, "totalTokenCount": 11})
LAST = chunk(usageMetadata=USAGE, responseId="r-1")
ANSWERS = {
    "json": ("application/json", json.dumps(LAST)),
    "array": ("application/json; charset=UTF-8", json.dumps([FIRST, LAST])),
    "sse": ("text/event-stream", "".join(f"data: {json.dumps(c)}\r\n\r\n" for c in (FIRST, LAST))),
}


def settle(codec: ModelCodec, action: Action, kind: str, body: bytes, *, complete: bool = True) -> Outcome:
    meter = codec.meter(action)
    meter.head(200, [("content-type", kind)])
    for at in range(0, len(body), 7):
        meter.feed(body[at : at + 7])
    return meter.finish(complete=complete)


@pytest.mark.parametrize("form", ANSWERS)
def test_gemini_settles_however_it_answers(form: str) -> None:
    kind, body = ANSWERS[form]
    action = GEMINI.decode(ask({**HELLO, "generationConfig": {"maxOutputTokens": 100}}))
    outcome = settle(GEMINI, action, kind, body.encode())
    assert outcome.usage == {"input_tokens": 10, "output_tokens": 25, "cache_read_tokens": 4}
    paid, bound = price.actual(action, outcome), price.estimate(action)
    # 6 x 0.30 + 4 x 0.03 + 25 x 2.50 micro-dollars, rounded up.
    assert paid[Unit.TOKENS] == 35 and paid[Unit.USD_MICROS] == 65
    assert paid[Unit.USD_MICROS] <= (bound.high(Unit.USD_MICROS) or 0)
    cut = settle(GEMINI, action, kind, body.encode()[:-20], complete=False)
    assert "output_tokens" not in cut.usage and Unit.USD_MICROS not in price.actual(action, cut)


def test_grounding_costs_what_usage_does_not_tell() -> None:
    action = GEMINI.decode(ask(HELLO))
    body = {"candidates": [{"groundingMetadata": {"webSearchQueries": ["x"]}}], "usageMetadata": USAGE}
    outcome = settle(GEMINI, action, "application/json", json.dumps(body).encode())
    assert Unit.USD_MICROS not in price.actual(action, outcome)


def test_batches_are_the_sum_of_their_calls() -> None:
    call = {"custom_id": "1", "params": {"model": "claude-sonnet-4-6", "max_tokens": 100, "messages": []}}
    target = "/v1/messages/batches"
    one = price.estimate(ANTHROPIC.decode(request("api.anthropic.com", "POST", target, {"requests": [call]})))
    asked = request("api.anthropic.com", "POST", target, {"requests": [call] * 3})
    action = ANTHROPIC.decode(asked)
    assert (len(action.parts), action.quantity, action.classes) == (3, 3, {ActionClass.INFER})
    three = price.estimate(action)
    assert (three.high(Unit.USD_MICROS) or 0) == 3 * (one.high(Unit.USD_MICROS) or 0) > 0
    assert (three.high(Unit.TOKENS) or 0) == 3 * (one.high(Unit.TOKENS) or 0) > 0
    single = ANTHROPIC.decode(request("api.anthropic.com", "POST", "/v1/messages", call["params"]))  # type: ignore[arg-type]
    assert 2 * (one.high(Unit.USD_MICROS) or 0) <= 1.1 * (price.estimate(single).high(Unit.USD_MICROS) or 0)
    sneaky = {"params": {"model": "c", "messages": [], "tools": [{"type": "code_execution_20250825", "name": "x"}]}}
    action = ANTHROPIC.decode(request("api.anthropic.com", "POST", target, {"requests": [call, sneaky]}))
    assert ActionClass.EXECUTE in action.classes and price.estimate(action).unknown(Unit.USD_MICROS)
    assert digest(ANTHROPIC.decode(again(ANTHROPIC.encode(action, asked), asked))) == digest(action)
    many = ANTHROPIC.decode(request("api.anthropic.com", "POST", target, {"requests": [call] * 1001}))
    assert many.undecodable and "1000" in many.reason


def test_gemini_batches() -> None:
    inner = {"request": {**HELLO, "generationConfig": {"maxOutputTokens": 50}}}
    action = GEMINI.decode(
        ask({"batch": {"inputConfig": {"requests": {"requests": [inner, inner]}}}}, "batchGenerateContent")
    )
    assert len(action.parts) == 2 and not price.estimate(action).unknown(Unit.USD_MICROS)
    file = GEMINI.decode(ask({"batch": {"inputConfig": {"fileName": "files/x"}}}, "batchGenerateContent"))
    assert not file.parts and price.estimate(file).unknown(Unit.USD_MICROS)
    vectors = {"model": "models/gemini-embedding-001", "content": {"parts": [{"text": "x"}]}}
    target = "/v1beta/models/gemini-embedding-001:batchEmbedContents"
    action = GEMINI.decode(request(HOST, "POST", target, {"requests": [vectors] * 2}))
    assert len(action.parts) == 2 and not price.estimate(action).unknown(Unit.USD_MICROS)
    vectors["model"] = "models/gemini-2.5-pro"
    assert GEMINI.decode(request(HOST, "POST", target, {"requests": [vectors]})).undecodable


def test_the_compatible_paths_of_gemini() -> None:
    body = {"model": "gemini-2.5-flash", "messages": [{"role": "user", "content": "x"}], "max_tokens": 9}
    asked = request(HOST, "POST", "/v1beta/openai/chat/completions", body)
    action = GEMINI.decode(asked)
    assert action.operation == "gemini:openai.chat.completions:create"
    assert action.operation in GEMINI.known()
    assert not price.estimate(action).unknown(Unit.USD_MICROS)
    answer = json.dumps({"usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}}).encode()
    assert settle(GEMINI, action, "application/json", answer).usage == {"input_tokens": 3, "output_tokens": 2}
    extra = GEMINI.decode(
        request(HOST, "POST", "/v1beta/openai/chat/completions", {**body, "extra_body": {"google": {}}})
    )
    assert price.estimate(extra).unknown(Unit.USD_MICROS)


def test_refusals_of_google() -> None:
    asked = ask(HELLO)
    answer = GEMINI.refuse(GEMINI.decode(asked), asked, DENIED, MESSAGE)
    error = json.loads(answer.body)["error"]
    assert (answer.status, error["code"], error["status"]) == (403, 403, "PERMISSION_DENIED")
    assert "no rule permits this" in error["message"]


CHAT: dict[str, Any] = {"messages": [{"role": "user", "content": "x"}], "max_tokens": 10}
COMPATIBLE = {
    "groq": ("api.groq.com", "/openai/v1/chat/completions", "llama-3.3-70b-versatile"),
    "together": ("api.together.xyz", "/v1/chat/completions", "meta-llama/Llama-3.3-70B-Instruct-Turbo"),
    "mistral": ("api.mistral.ai", "/v1/chat/completions", "mistral-large-latest"),
    "deepseek": ("api.deepseek.com", "/chat/completions", "deepseek-chat"),
    "xai": ("api.x.ai", "/v1/chat/completions", "grok-4"),
    "fireworks": ("api.fireworks.ai", "/inference/v1/chat/completions", "accounts/fireworks/models/deepseek-v3p2"),
    "openrouter": ("openrouter.ai", "/api/v1/chat/completions", "openai/gpt-4o"),
    "perplexity": ("api.perplexity.ai", "/chat/completions", "sonar"),
    "cerebras": ("api.cerebras.ai", "/v1/chat/completions", "gpt-oss-120b"),
    "azure-openai": ("mine.openai.azure.com", "/openai/deployments/d1/chat/completions?api-version=2024-10-21", "x"),
    "openai-compatible": ("llm.example.com", "/v1/chat/completions", "gpt-4o"),
    "self-hosted": ("llm.internal", "/v1/chat/completions", "llama3"),
}
UNPRICED = {"openrouter", "perplexity", "openai-compatible"}


@pytest.mark.parametrize("codec", [make() for make in COMPATIBLE_CODECS], ids=lambda codec: codec.name)
def test_compatible_services(codec: OpenAICodec) -> None:
    host, target, model = COMPATIBLE[codec.name]
    asked = request(host, "POST", target, {**CHAT, "model": model})
    action = codec.decode(asked)
    assert action.operation == f"{codec.name}:chat.completions:create", action.reason
    assert action.operation in codec.known()
    sent = codec.encode(action, asked)
    assert sent.target == target and digest(codec.decode(again(sent, asked))) == digest(action)
    assert sent.family == (codec.name if codec.hosts else host)
    assert price.estimate(action).unknown(Unit.USD_MICROS) is (codec.name in UNPRICED)
    lowered = codec.lower(action, 5)
    assert lowered is not None and b'"max_tokens":5' in codec.encode(lowered, asked).body
    assert codec.decode(request(host, "POST", "/v1/fine_tuning/jobs", {"model": "x"})).undecodable


def test_a_deployment_of_azure_is_bounded_by_the_dearest_model() -> None:
    azure, asked = AzureOpenAICodec(), {**CHAT, "model": "gpt-4o-mini"}
    target = "/openai/deployments/cheap/chat/completions?api-version=2024-10-21"
    dear = price.estimate(azure.decode(request("mine.openai.azure.com", "POST", target, asked)))
    plain = price.estimate(OPENAI.decode(request("api.openai.com", "POST", "/v1/chat/completions", asked)))
    assert (dear.high(Unit.USD_MICROS) or 0) > 10 * (plain.high(Unit.USD_MICROS) or 0)
    for target in (
        "/openai/deployments/a/b/chat/completions",
        "/openai/deployments/a/chat/completions?api-version=2024-10-21&api-version=x",
        "/openai/deployments/a/chat/completions?stream=1",
    ):
        assert azure.decode(request("mine.openai.azure.com", "POST", target, asked)).undecodable


def test_a_model_of_ones_own_costs_no_money_but_tokens() -> None:
    codec = SelfHostedCodec()
    action = codec.decode(request("llm.internal", "POST", "/v1/chat/completions", {**CHAT, "model": "llama3"}))
    estimate = price.estimate(action)
    assert estimate.high(Unit.USD_MICROS) == 0 and (estimate.high(Unit.TOKENS) or 0) > 10
    answer = json.dumps({"usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}}).encode()
    paid = price.actual(action, settle(codec, action, "application/json", answer))
    assert (paid[Unit.USD_MICROS], paid[Unit.TOKENS]) == (0, 5)
