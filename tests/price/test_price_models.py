"""Models: a bound is never passed by what a call can really use, and an answer can be made to fit what is left."""

from __future__ import annotations

import base64
import binascii
import json
import struct
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fuzz_kit import fuzz

from comptroller import price
from comptroller.core.action import Action, ActionClass, Call
from comptroller.core.estimate import Outcome, Unit
from comptroller.core.request import Header, Request
from comptroller.decode.llm import AnthropicCodec, GeminiCodec, OpenAICodec
from comptroller.decode.llm.bedrock import bedrock_usage, lower_bedrock
from comptroller.decode.llm.codec import ModelCodec
from comptroller.decode.llm.compatible import CerebrasCodec, GroqCodec, MistralCodec, XaiCodec
from comptroller.price import Prices
from comptroller.price.bedrock import model_of, vendor_of
from comptroller.price.inference import LOWERED_TOKENS_MIN, affordable_output, inference_bounds
from comptroller.price.model_lists import PROVIDERS, _lists, find_model, limits_of

CODECS: Mapping[str, ModelCodec] = {
    "openai": OpenAICodec(),
    "anthropic": AnthropicCodec(),
    "gemini": GeminiCodec(),
    "groq": GroqCodec(),
    "mistral": MistralCodec(),
    "xai": XaiCodec(),
    "cerebras": CerebrasCodec(),
}
PATHS = {
    "openai": "/v1/chat/completions",
    "anthropic": "/v1/messages",
    "groq": "/openai/v1/chat/completions",
    "mistral": "/v1/chat/completions",
    "xai": "/v1/chat/completions",
    "cerebras": "/v1/chat/completions",
}


def decoded(family: str, target: str, body: Mapping[str, object]) -> tuple[Action, Request]:
    codec = CODECS[family]
    asked = Request(
        scheme="https",
        method="POST",
        host=next(iter(sorted(codec.hosts))),
        port=443,
        target=target,
        headers=(Header("content-type", "application/json"),),
        body=json.dumps(body).encode(),
        agent="a",
        run="r",
    )
    action = codec.decode(asked)
    assert not action.undecodable, action.reason
    return action, asked


def chat(family: str, model: str, text: str = "hello", limit: int | None = 100, **more: object) -> Action:
    if family == "gemini":
        config = {} if limit is None else {"generationConfig": {"maxOutputTokens": limit}}
        body: dict[str, object] = {"contents": [{"parts": [{"text": text}]}], **config, **more}
        return decoded(family, f"/v1beta/models/{model}:generateContent", body)[0]
    body = {"model": model, "messages": [{"role": "user", "content": text}], **more}
    if limit is not None:
        body["max_tokens"] = limit
    return decoded(family, PATHS[family], body)[0]


def listed(family: str) -> list[str]:
    """Names of models that a family's price list knows by their own id and that answer in text."""
    models = _lists()[str(PROVIDERS[family].listed)].models
    names = [m.id for m in models if (found := find_model(family, m.id)) is not None and found.id == m.id]
    return [
        n
        for n in names
        if ":" not in n and "/" not in n and not price.estimate(chat(family, n)).unknown(Unit.USD_MICROS)
    ]


@pytest.mark.parametrize("family", sorted(CODECS))
@fuzz(60)
@given(data=st.data())
def test_what_a_call_uses_never_passes_its_bound(family: str, data: st.DataObject) -> None:
    names = listed_once(family)
    model, limit = data.draw(st.sampled_from(names)), data.draw(st.integers(1, 5000))
    action = chat(family, model, data.draw(st.text(max_size=40)) * data.draw(st.integers(0, 2000)), limit)
    bound = price.estimate(action)
    read = data.draw(st.integers(0, action.call.payload_bytes))
    usage = {"input_tokens": read, "output_tokens": data.draw(st.integers(0, limit))}
    if data.draw(st.booleans()):
        usage["cache_read_tokens"] = data.draw(st.integers(0, read))
    if data.draw(st.booleans()):
        usage["tier_flex"] = 1
    outcome = Outcome(status=200, ok=True, complete=True, charged=True, usage=usage)
    paid = price.actual(action, outcome)
    assert sum(usage[n] for n in ("input_tokens", "output_tokens")) <= (bound.high(Unit.TOKENS) or 0)
    assert Unit.USD_MICROS not in paid or paid[Unit.USD_MICROS] <= (bound.high(Unit.USD_MICROS) or 0)


_LISTED: dict[str, list[str]] = {}


def listed_once(family: str) -> list[str]:
    if family not in _LISTED:
        _LISTED[family] = listed(family)
        assert len(_LISTED[family]) > 3
    return _LISTED[family]


@pytest.mark.parametrize(
    ("family", "model"),
    [("openai", "gpt-4o"), ("openai", "gpt-5.1"), ("anthropic", "claude-sonnet-4-6"), ("gemini", "gemini-2.5-flash")],
)
def test_without_a_limit_the_published_maximum_holds(family: str, model: str) -> None:
    action = chat(family, model, limit=None)
    most = limits_of(family, find_model(family, model)).output
    assert most is not None and most >= 16_384
    tokens = price.estimate(action).high(Unit.TOKENS)
    assert tokens is not None and most < tokens < most + 3000


def test_long_contexts_count_where_they_can_be_reached() -> None:
    short, long = chat("gemini", "gemini-2.5-pro", "x"), chat("gemini", "gemini-2.5-pro", "x" * 250_000)
    # 1.25 and 10 dollars a million below 200,000 tokens, 2.50 and 15 above.
    assert price.estimate(short).high(Unit.USD_MICROS) == -(
        -(125 * (short.call.payload_bytes + 1024) + 1000 * 100) // 100
    )
    assert price.estimate(long).high(Unit.USD_MICROS) == -(
        -(250 * (long.call.payload_bytes + 1024) + 1500 * 100) // 100
    )


def openai(target: str, body: Mapping[str, object]) -> Action:
    return decoded("openai", target, body)[0]


def dollars(action: Action) -> int | None:
    estimate = price.estimate(action)
    assert Unit.USD_MICROS in estimate.bounds
    return estimate.high(Unit.USD_MICROS)


@pytest.mark.parametrize(
    ("target", "body", "micros"),
    [
        (
            "/v1/images/generations",
            {"model": "dall-e-3", "prompt": "x", "size": "1024x1024", "quality": "standard"},
            40_000,
        ),
        ("/v1/images/generations", {"model": "dall-e-3", "prompt": "x", "quality": "hd"}, 120_000),
        ("/v1/images/generations", {"model": "dall-e-2", "prompt": "x", "n": 3}, 60_000),
        ("/v1/images/generations", {"prompt": "x"}, None),
        ("/v1/images/generations", {"model": "dall-e-2", "prompt": "x", "n": 10**6}, None),
        ("/v1/images/generations", {"model": "dall-e-2", "prompt": "x", "upscale": True}, None),
        ("/v1/audio/speech", {"model": "tts-1", "input": "x" * 1000, "voice": "alloy"}, 15_000),
        ("/v1/audio/speech", {"model": "gpt-4o-mini-tts", "input": "x", "voice": "alloy"}, None),
        ("/v1/videos", {"model": "sora-2", "prompt": "x", "seconds": "8"}, 800_000),
        ("/v1/videos", {"prompt": "x"}, 400_000),
        ("/v1/videos", {"model": "sora-2", "prompt": "x", "seconds": "1e9"}, None),
        ("/v1/moderations", {"input": "x"}, 0),
        ("/v1/batches", {"input_file_id": "file-1", "endpoint": "/v1/chat/completions"}, None),
        ("/v1/fine_tuning/jobs", {"model": "gpt-4o", "training_file": "file-1"}, None),
        ("/v1/realtime/client_secrets", {}, None),
        ("/v1/threads/t/runs", {"assistant_id": "a"}, None),
        ("/v1/embeddings", {"model": "text-embedding-nobody", "input": "x"}, None),
    ],
)
def test_what_is_no_chat(target: str, body: dict[str, object], micros: int | None) -> None:
    assert dollars(openai(target, body)) == micros


def test_pictures_by_tokens_count_their_prompt() -> None:
    body = {"model": "gpt-image-1", "prompt": "x" * 1000, "quality": "low", "n": 2}
    micros = dollars(openai("/v1/images/generations", body))
    assert micros is not None and 32_000 < micros < 70_000
    assert (dollars(openai("/v1/images/generations", {**body, "quality": "auto"})) or 0) > 500_000


def test_embeddings_cost_what_they_read() -> None:
    action = openai("/v1/embeddings", {"model": "text-embedding-3-small", "input": "x" * 10_000})
    assert dollars(action) == -(-2 * (action.call.payload_bytes + 1024) // 100)
    outcome = Outcome(status=200, ok=True, complete=True, usage={"input_tokens": 5000, "output_tokens": 0})
    assert price.actual(action, outcome)[Unit.USD_MICROS] == 100


def test_several_answers_multiply() -> None:
    def written(**more: object) -> int:
        body = {"model": "gpt-4o", "prompt": "x", "max_tokens": 100, **more}
        return (price.estimate(openai("/v1/completions", body)).high(Unit.TOKENS) or 0) // 100 * 100

    one = written()
    assert written(n=5) == written(best_of=5) == written(n=2, best_of=5) == one + 400
    assert written(prompt=["a", "b", "c"]) == one + 200
    unbounded = openai("/v1/completions", {"model": "gpt-4o", "prompt": "x", "max_tokens": 1, "n": "many"})
    assert price.estimate(unbounded).unknown(Unit.USD_MICROS)


def test_hosted_tools_settle_only_where_usage_tells_them() -> None:
    tools = [{"type": "web_search_20250305", "name": "web_search"}]
    usage = {"input_tokens": 10, "output_tokens": 5, "web_searches": 2}
    outcome = Outcome(status=200, ok=True, complete=True, usage=usage)
    anthropic = chat("anthropic", "claude-sonnet-4-6", tools=tools)
    assert price.actual(anthropic, outcome)[Unit.USD_MICROS] == 20_000 + 30 + 75
    searched = openai("/v1/responses", {"model": "gpt-4o", "input": "x", "tools": [{"type": "web_search"}]})
    assert Unit.USD_MICROS not in price.actual(searched, outcome)


# ---------------------------------------------------------------- lowering


@pytest.mark.parametrize("family", sorted(CODECS))
@fuzz(40)
@given(data=st.data())
def test_a_lowered_call_fits_and_is_sent_so(family: str, data: st.DataObject) -> None:
    codec, model = CODECS[family], data.draw(st.sampled_from(listed_once(family)))
    limit = data.draw(st.none() | st.integers(1, 200_000))
    action = chat(family, model, "x" * data.draw(st.integers(0, 5000)), limit)
    room = data.draw(st.integers(0, 3_000_000))
    most = affordable_output(action, room, None)
    assert most == Prices().affordable_output(action, {Unit.USD_MICROS: room})
    if most is None:
        smallest = inference_bounds(action, LOWERED_TOKENS_MIN)
        assert smallest.usd_micros is None or smallest.usd_micros > room
        return
    lowered = codec.lower(action, most)
    assert most >= LOWERED_TOKENS_MIN and lowered is not None
    assert (inference_bounds(lowered).usd_micros or 0) <= room
    assert (inference_bounds(lowered).tokens or 0) <= (inference_bounds(action).tokens or 10**12)
    asked = Request(
        scheme="https", method="POST", host=next(iter(sorted(codec.hosts))), port=443, target="/", headers=(), body=b"",
        agent="a", run="r",
    )  # fmt: skip
    sent = json.loads(codec.encode(lowered, asked).body)
    config = sent.get("generationConfig", sent)
    found = [config[n] for n in ("max_tokens", "max_completion_tokens", "maxOutputTokens") if n in config]
    assert found and max(found) <= most and (limit is None or max(found) <= limit)


def test_what_has_no_limit_is_not_lowered() -> None:
    embeds = openai("/v1/embeddings", {"model": "text-embedding-3-small", "input": "x"})
    assert CODECS["openai"].lower(embeds, 500) is None and affordable_output(embeds, 10**9, None) is None
    batch = openai("/v1/batches", {"input_file_id": "f"})
    assert CODECS["openai"].lower(batch, 500) is None and affordable_output(batch, 10**9, None) is None
    unknown = chat("openai", "model-of-nobody")
    assert affordable_output(unknown, 10**9, None) is None and affordable_output(unknown, None, 10**9) is not None


def test_tokens_bound_the_answer_as_well() -> None:
    action = chat("openai", "gpt-4o", limit=None)
    read = action.call.payload_bytes + 1024
    assert affordable_output(action, None, read + 1000) == 1000
    assert affordable_output(action, None, read + LOWERED_TOKENS_MIN - 1) is None


@pytest.mark.parametrize(
    ("body", "most", "sent"),
    [
        ({"max_completion_tokens": 9000, "max_tokens": 50}, 1000, {"max_completion_tokens": 1000, "max_tokens": 50}),
        ({}, 1000, {"max_completion_tokens": 1000}),
        ({"max_tokens": 20}, 1000, {"max_tokens": 20}),
    ],
)
def test_only_ever_down(body: dict[str, object], most: int, sent: dict[str, int]) -> None:
    lowered = CODECS["openai"].lower(openai("/v1/chat/completions", {"model": "gpt-4o", "messages": [], **body}), most)
    assert lowered is not None
    assert {name: value for name, value in lowered.parameters.items() if name.startswith("max")} == sent


def test_thinking_stays_below_its_answer() -> None:
    def budget(most: int) -> object:
        thinking = {"type": "enabled", "budget_tokens": 8000}
        lowered = CODECS["anthropic"].lower(
            chat("anthropic", "claude-sonnet-4-6", limit=16_000, thinking=thinking), most
        )
        return None if lowered is None else lowered.parameters["thinking"]["budget_tokens"]  # type: ignore[index]

    assert (budget(10_000), budget(4000), budget(1500), budget(1024)) == (8000, 2000, 1024, None)


# ---------------------------------------------------------------- Bedrock

CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
ANTHROPIC_BODY = {
    "anthropic_version": "bedrock-2023-05-31",
    "max_tokens": 500,
    "messages": [{"role": "user", "content": "x"}],
}


def bedrock(operation: str, region: str = "us-east-1", **parameters: object) -> Action:
    sent = json.dumps({k: v for k, v in parameters.items() if not isinstance(v, bytes)}).encode()
    return Action(
        operation=f"aws:bedrock-runtime:{operation}",
        service="aws:bedrock-runtime",
        classes=frozenset({ActionClass.INFER}),
        endpoint=f"bedrock-runtime.{region}.amazonaws.com",
        agent="a",
        run="r",
        region=region,
        parameters=parameters,
        call=Call(payload_bytes=len(sent) + 600),
    )


def invoke(model: str, body: Mapping[str, object], **more: Any) -> Action:
    return bedrock("InvokeModel", modelId=model, body=json.dumps(body).encode(), **more)


BODIES: Mapping[str, Mapping[str, object]] = {
    CLAUDE: ANTHROPIC_BODY,
    "arn:aws:bedrock:us-east-1:123456789012:inference-profile/" + CLAUDE: ANTHROPIC_BODY,
    "amazon.nova-lite-v1:0": {
        "messages": [{"role": "user", "content": [{"text": "x"}]}],
        "inferenceConfig": {"maxTokens": 500},
    },
    "amazon.titan-text-express-v1": {"inputText": "x", "textGenerationConfig": {"maxTokenCount": 500}},
    "amazon.titan-embed-text-v2:0": {"inputText": "x"},
    "us.meta.llama3-3-70b-instruct-v1:0": {"prompt": "x", "max_gen_len": 500},
    "mistral.mistral-large-2402-v1:0": {"prompt": "x", "max_tokens": 500},
    "us.deepseek.r1-v1:0": {"prompt": "x", "max_tokens": 500},
}


@pytest.mark.parametrize("model", BODIES)
def test_models_at_bedrock_have_a_bound(model: str) -> None:
    action = invoke(model, BODIES[model])
    estimate = price.estimate(action)
    high = estimate.high(Unit.USD_MICROS)
    assert high is not None and 0 < high < 100_000, estimate.basis
    elsewhere = price.estimate(invoke(model, BODIES[model], region="eu-west-3")).high(Unit.USD_MICROS)
    assert elsewhere is not None and elsewhere >= high
    if "embed" in model:
        return
    lowered = lower_bedrock(action, 300)
    assert lowered is not None and (price.estimate(lowered).high(Unit.USD_MICROS) or 0) < high
    assert lower_bedrock(action, 10**6) == action or lower_bedrock(action, 10**6).parameters["modelId"] == model  # type: ignore[union-attr]
    most = Prices().affordable_output(action, {Unit.USD_MICROS: high})
    assert most is not None and most >= 500


@pytest.mark.parametrize(
    "action",
    [
        invoke("arn:aws:bedrock:us-east-1:123456789012:provisioned-model/abc", ANTHROPIC_BODY),
        invoke("arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc", ANTHROPIC_BODY),
        invoke("model-of-nobody", ANTHROPIC_BODY),
        invoke("nobody.model-v1", ANTHROPIC_BODY),
        invoke(CLAUDE, {**ANTHROPIC_BODY, "fallbacks": ["x"]}),
        invoke(CLAUDE, {**ANTHROPIC_BODY, "max_tokens": "many"}),
        invoke(CLAUDE, {**ANTHROPIC_BODY, "tools": [{"type": "web_search_20250305"}]}),
        bedrock("InvokeModel", modelId=CLAUDE, body=b'{"max_tokens":1,"max_tokens":99999,"messages":[]}'),
        bedrock("InvokeModel", modelId=CLAUDE, body=b"not json"),
        bedrock("InvokeModel", modelId=CLAUDE, body=json.dumps(ANTHROPIC_BODY).encode(), guardrailIdentifier="g"),
        bedrock("Converse", modelId=CLAUDE, messages=[], serviceTier={"type": "priority"}),
        bedrock("Converse", modelId=CLAUDE, messages=[], additionalModelRequestFields={"tools": []}),
        bedrock(
            "Converse", modelId=CLAUDE, messages=[], toolConfig={"tools": [{"systemTool": {"name": "nova_grounding"}}]}
        ),
        bedrock("StartAsyncInvoke", modelId="amazon.nova-reel-v1:0"),
    ],
)
def test_what_bedrock_may_charge_without_bound_is_unknown(action: Action) -> None:
    assert price.estimate(action).unknown(Unit.USD_MICROS)
    assert affordable_output(action, 10**9, None) is None


def test_converse_settles() -> None:
    action = bedrock("Converse", modelId=CLAUDE, messages=[], inferenceConfig={"maxTokens": 50})
    answer = json.dumps({"usage": {"inputTokens": 10, "outputTokens": 5, "totalTokens": 15}}).encode()
    usage = bedrock_usage(action, {"content-type": "application/json"}, answer, complete=True)
    assert usage == {"input_tokens": 10, "output_tokens": 5}
    outcome = Outcome(status=200, ok=True, complete=True, usage=usage)
    paid, bound = price.actual(action, outcome), price.estimate(action)
    # 10 x 3.30 + 5 x 16.50 micro-dollars: a regional profile.
    assert paid[Unit.USD_MICROS] == 116 <= (bound.high(Unit.USD_MICROS) or 0)
    lowered = lower_bedrock(action, 20)
    assert lowered is not None and lowered.parameters["inferenceConfig"] == {"maxTokens": 20}
    bare = lower_bedrock(bedrock("ConverseStream", modelId=CLAUDE, messages=[]), 20)
    assert bare is not None and bare.parameters["inferenceConfig"] == {"maxTokens": 20}


def test_invoke_settles_by_headers() -> None:
    headers = {"x-amzn-bedrock-input-token-count": "12", "x-amzn-bedrock-output-token-count": "3"}
    action = invoke(CLAUDE, ANTHROPIC_BODY)
    assert bedrock_usage(action, headers, b"", complete=True) == {"input_tokens": 12, "output_tokens": 3}
    cached = invoke(
        CLAUDE, {**ANTHROPIC_BODY, "system": [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}]}
    )
    assert bedrock_usage(cached, headers, b"", complete=True) == {}
    assert bedrock_usage(action, {"x-amzn-bedrock-input-token-count": "-1"}, b"", complete=True) == {}


def event(kind: str, payload: Mapping[str, object]) -> bytes:
    """One message of AWS's event stream."""

    def header(name: str, value: str) -> bytes:
        return bytes([len(name)]) + name.encode() + b"\x07" + struct.pack(">H", len(value)) + value.encode()

    heads = header(":event-type", kind) + header(":message-type", "event")
    body = json.dumps(payload).encode()
    prelude = struct.pack(">II", 16 + len(heads) + len(body), len(heads))
    prelude += struct.pack(">I", binascii.crc32(prelude))
    return prelude + heads + body + struct.pack(">I", binascii.crc32(prelude + heads + body))


def test_streams_of_bedrock_settle() -> None:
    kind = {"content-type": "application/vnd.amazon.eventstream"}
    action = bedrock("ConverseStream", modelId=CLAUDE, messages=[])
    body = event("contentBlockDelta", {"delta": {"text": "x"}}) + event(
        "metadata", {"usage": {"inputTokens": 4, "outputTokens": 2, "cacheReadInputTokens": 3}}
    )
    told = {"input_tokens": 7, "output_tokens": 2, "cache_read_tokens": 3, "cache_write_tokens": 0}
    assert bedrock_usage(action, kind, body, complete=True) == told
    assert bedrock_usage(action, kind, body, complete=False) == {}
    assert bedrock_usage(action, kind, body[:-4], complete=True) == {}
    metrics = {"amazon-bedrock-invocationMetrics": {"inputTokenCount": 9, "outputTokenCount": 1}}
    inner = base64.b64encode(json.dumps(metrics).encode()).decode()
    stream = bedrock("InvokeModelWithResponseStream", modelId=CLAUDE, body=b"{}")
    assert bedrock_usage(stream, kind, event("chunk", {"bytes": inner}), complete=True) == {
        "input_tokens": 9,
        "output_tokens": 1,
    }
    assert bedrock_usage(stream, kind, b"\x00\x01garbage" * 50, complete=True) == {}


@pytest.mark.parametrize(
    ("identity", "name"),
    [
        (CLAUDE, CLAUDE),
        ("arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0", "amazon.nova-lite-v1:0"),
        ("arn:aws:bedrock:us-east-1:1:imported-model/x", None),
        ("arn:aws:bedrock:us-east-1:1:prompt/ABC:1", None),
        ("", None),
        (5, None),
    ],
)
def test_model_names(identity: object, name: str | None) -> None:
    assert model_of(identity) == name


def test_vendors() -> None:
    assert vendor_of("eu.anthropic.claude-x") is vendor_of("anthropic.claude-x") is not None
    assert vendor_of("anthropicx.claude") is None
