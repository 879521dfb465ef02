"""Walks the registry: every codec has the one shape, is total and deterministic, and sends what it judged."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from tests.fuzz_kit import fuzz
from wire_kit import DENIED, MESSAGE, again, request

from comptroller import price
from comptroller.core.action import Action, ActionClass, digest
from comptroller.core.estimate import Estimate, Outcome, Unit
from comptroller.core.request import Header, Outgoing, Request, Unencodable
from comptroller.decode.charged import ANY, rules
from comptroller.decode.described import SHIPPED
from comptroller.decode.registry import CodecRegistry
from comptroller.ports import Codec
from comptroller.testing.strategies import chunked, requests

REGISTRY = CodecRegistry(
    {"llm.example.com": "openai-compatible", "gpu.internal": "self-hosted", "tools.internal": "mcp"}
)
HOSTS = {
    "aws": ["ec2.us-east-1.amazonaws.com", "s3.us-east-1.amazonaws.com", "sts.amazonaws.com", "x.amazonaws.com"],
    "openai": ["api.openai.com"],
    "anthropic": ["api.anthropic.com"],
    "gemini": ["generativelanguage.googleapis.com"],
    "groq": ["api.groq.com"],
    "together": ["api.together.xyz"],
    "mistral": ["api.mistral.ai"],
    "deepseek": ["api.deepseek.com"],
    "xai": ["api.x.ai"],
    "fireworks": ["api.fireworks.ai"],
    "openrouter": ["openrouter.ai"],
    "perplexity": ["api.perplexity.ai"],
    "cerebras": ["api.cerebras.ai"],
    "azure-openai": ["mine.openai.azure.com"],
    "openai-compatible": ["llm.example.com"],
    "self-hosted": ["gpu.internal"],
    "mcp": ["tools.internal"],
    "gcp": ["compute.googleapis.com", "storage.googleapis.com", "bkt.storage.googleapis.com", "www.googleapis.com"],
    "stripe": ["api.stripe.com", "files.stripe.com"],
    "ethereum": ["mainnet.infura.io", "rpc.ankr.com"],
    "kubernetes": ["0a1b.gr7.us-east-1.eks.amazonaws.com", "k-1.hcp.westeurope.azmk8s.io"],
    "azure": ["management.azure.com", "v.vault.azure.net", "s.blob.core.windows.net", "graph.microsoft.com"],
    "http": ["example.com", "localhost"],
}
AZURE = "/subscriptions/5a1b2c3d-0000-4000-8000-0123456789ab/resourceGroups/G"
SAME_CODE = {"groq", "together", "mistral", "xai", "fireworks", "openrouter", "cerebras"}
SAME_CODE |= {"openai-compatible", "self-hosted"}
"""Codecs that are OpenAI's under another name: one of them (`perplexity`, `deepseek`) is tried as all."""
GOOD = [
    request("example.com", "POST", "/a/../b%41?x=1&x=2&z", b"\x00body", content_type="text/plain", range="bytes=0-"),
    request("example.com", "DELETE", "/"),
    request("api.openai.com", "POST", "/v1/chat/completions", {"model": "gpt-4o", "temperature": 0.30000000000000004}),
    request("api.openai.com", "POST", "/v1/responses", {"model": "gpt-4o", "input": 'é\u2028"\\', "x": 10**30}),
    request("api.openai.com", "GET", "/v1/models/gpt-4o"),
    request("api.anthropic.com", "POST", "/v1/messages?beta=true", {"model": "c"}, anthropic_version="2023-06-01"),
    request("api.openai.com", "DELETE", "/v1/files/file-1"),
    request("api.openai.com", "POST", "/v1/batches/batch_1/cancel"),
    request("api.openai.com", "GET", "/v1/responses/resp_1?include%5B%5D=x&stream=true"),
    request("generativelanguage.googleapis.com", "POST", "/v1beta/models/g:generateContent", {"contents": []}),
    request("mine.openai.azure.com", "POST", "/openai/deployments/d/embeddings?api-version=2024-10-21", {"input": "x"}),
    request("mainnet.infura.io", "POST", "/v3/1", {"jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": []}),
    request("api.groq.com", "POST", "/openai/v1/chat/completions", {"model": "llama", "messages": [], "n": 2}),
    request("tools.internal", "POST", "/m", {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}),
    request("x.gke.goog", "PUT", "/apis/apps/v1/namespaces/a/deployments/w/scale", {"spec": {"replicas": 3}}),
    request("x.gke.goog", "DELETE", "/api/v1/namespaces/a/pods?labelSelector=app%3Dx&propagationPolicy=Background"),
    request("management.azure.com", "POST", f"{AZURE}/providers/Microsoft.Web/sites/v/start?api-version=1"),
    request("management.azure.com", "PUT", f"{AZURE}?api-version=2024-01-01", {"location": "eastus", "tags": {}}),
    request("s.blob.core.windows.net", "PUT", "/c/a/b%20c.txt?timeout=3", b"\x00x", x_ms_blob_type="BlockBlob"),
    request("api.stripe.com", "POST", "/v1/transfers", "amount=40000&currency=usd&metadata[a+b]=c%26d&expand[]=x"),
    request("api.stripe.com", "GET", "/v1/charges/search?query=amount%3E5&limit=3"),
    request("api.stripe.com", "POST", "/v1/payment_intents/pi_1/confirm", stripe_account="acct_1"),
    request("api.stripe.com", "DELETE", "/v1/customers/cus_1"),
    request("compute.googleapis.com", "POST", "/compute/v1/projects/p/zones/us-east1-b/instances", {"name": "vm"}),
    request("storage.googleapis.com", "GET", "/storage/v1/b/bkt/o/a%2Fb?alt=media"),
    request(
        "ec2.us-east-1.amazonaws.com",
        "POST",
        "/",
        "Action=RunInstances&Version=2016-11-15&ImageId=ami-1&InstanceType=t3.micro&MinCount=1&MaxCount=2",
        authorization="AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261123/us-east-1/ec2/aws4_request, "
        "SignedHeaders=host;x-amz-date, Signature=" + "0" * 64,
        x_amz_date="20261123T000000Z",
    ),
]


def test_the_hosts_here_cover_every_codec() -> None:
    assert set(HOSTS) | set(SHIPPED) == set(REGISTRY.codecs)  # described services: test_described.py
    for name, hosts in HOSTS.items():
        for host in hosts:
            codec: Codec = REGISTRY.codec_for(request(host, "GET", "/"))
            assert codec.name == name


@pytest.mark.parametrize("name", sorted(HOSTS.keys() - SAME_CODE))
@fuzz(120, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_total_and_deterministic_over_hostile_requests(name: str, data: st.DataObject) -> None:
    asked = data.draw(requests(host=data.draw(st.sampled_from(HOSTS[name]))))
    codec = REGISTRY.codec_for(asked)
    action = codec.decode(asked)
    assert isinstance(action, Action) and action.classes
    assert action.agent == asked.agent and action.run == asked.run
    assert action.undecodable == bool(action.reason) or not action.undecodable
    assert digest(action) == digest(codec.decode(asked))
    assert codec.sentence(action)
    estimate = price.estimate(action)
    _check_estimate(action, estimate)
    answer = codec.refuse(action, asked, DENIED, MESSAGE)
    assert 400 <= answer.status < 500
    try:
        sent = codec.encode(action, asked)
    except Unencodable:
        return
    assert not action.undecodable, "what nobody can read is never sent"
    _check_sent(asked, sent)
    assert digest(codec.decode(again(sent, asked))) == digest(action) or _adds_usage(action)


@pytest.mark.parametrize("asked", GOOD, ids=lambda r: f"{r.method} {r.host}{r.target}")
def test_what_was_judged_is_what_is_sent(asked: Request) -> None:
    codec = REGISTRY.codec_for(asked)
    action = codec.decode(asked)
    assert not action.undecodable, action.reason
    sent = codec.encode(action, asked)
    _check_sent(asked, sent)
    second = again(sent, asked)
    if action.service.startswith("aws:"):
        second = replace(second, headers=(*second.headers, *(h for h in asked.headers if h.name != "content-type")))
    assert digest(codec.decode(second)) == digest(action)


@pytest.mark.parametrize("asked", GOOD, ids=lambda r: f"{r.method} {r.host}{r.target}")
@pytest.mark.parametrize("message", [MESSAGE, "é \u2028 <script> ]]> \x00 \r\nx: y \ud800", ""])
def test_refusals_carry_the_message(asked: Request, message: str) -> None:
    codec = REGISTRY.codec_for(asked)
    answer = codec.refuse(codec.decode(asked), asked, DENIED, message)
    assert answer.status == 403
    if message == MESSAGE and asked.method != "HEAD":
        assert "no rule permits this" in answer.body.decode()
    for header in answer.headers:
        assert not set("\r\n\x00") & set(header.value) and header.name == header.name.lower()
        header.value.encode("latin-1")


BODIES = [
    b"",
    b"{}",
    b"[" * 5000,
    b'data: {"usage": {"prompt_tokens": -1}}\n\ndata: [DONE]\n\n',
    b'data: {"usage": {"prompt_tokens": 1, "completion_tokens": 1e99}}\n\n',
    json.dumps({"id": ["x"], "usage": {"input_tokens": True, "output_tokens": 10**30}, "amount": -5}).encode(),
    json.dumps({"id": "x", "object": "transfer", "currency": "usd", "amount": 10**30}).encode(),
    b"<RunInstancesResponse><instancesSet><item><instanceId>i-1</instanceId></item></instancesSet></RunInstancesResponse>",
    b"\xff\xfe\x00" * 50,
]


@pytest.mark.parametrize("status", [408, 424, 499])
@pytest.mark.parametrize("asked", GOOD, ids=lambda asked: f"{asked.method} {asked.host}")
def test_what_was_cancelled_or_ran_out_of_time_may_have_been_charged(asked: Request, status: int) -> None:
    codec = REGISTRY.codec_for(asked)
    action = codec.decode(asked)
    if any(rule.covers(action.operation, status) for rule in rules() if rule.service != ANY):
        return  # the service itself says what it charges
    meter = codec.meter(action)
    meter.head(status, [("content-type", "application/json")])
    meter.feed(b"{}")
    assert meter.finish(complete=True).charged is not False


@fuzz(120)
@given(data=st.data())
def test_meters_are_total_over_any_answer_however_cut(data: st.DataObject) -> None:
    asked = data.draw(st.sampled_from(GOOD))
    codec = REGISTRY.codec_for(asked)
    action = codec.decode(asked)
    body = data.draw(st.sampled_from(BODIES) | st.binary(max_size=200))
    meter = codec.meter(action)
    kind = data.draw(st.sampled_from(["application/json", "text/event-stream", "text/xml", ""]))
    status = data.draw(st.sampled_from([200, 201, 304, 400, 402, 403, 429, 500, 503]))
    meter.head(status, [("content-type", kind)])
    for part in data.draw(chunked(body[: data.draw(st.integers(0, len(body)))])):
        meter.feed(part)
    outcome = meter.finish(complete=data.draw(st.booleans()))
    assert isinstance(outcome, Outcome) and outcome.status == status
    assert outcome.ok is False or status < 400
    assert all(type(v) is int and v >= 0 for v in (*outcome.actual.values(), *outcome.usage.values()))
    paid = price.actual(action, outcome)
    assert paid[Unit.CALLS] == 1 and all(type(v) is int and v >= 0 for v in paid.values())


def _check_estimate(action: Action, estimate: Estimate) -> None:
    for bound in estimate.bounds.values():
        assert type(bound.low) is int and bound.low >= 0
        assert bound.high is None or (type(bound.high) is int and bound.high >= bound.low)
    assert estimate.high(Unit.CALLS) == 1
    if action.classes & {ActionClass.PROVISION, ActionClass.PAY, ActionClass.INFER, ActionClass.UNKNOWN}:
        assert Unit.USD_MICROS in estimate.bounds
    if action.undecodable:
        assert estimate.unknown(Unit.USD_MICROS)


def _check_sent(asked: Request, sent: Outgoing) -> None:
    assert (sent.host, sent.port, sent.scheme) == (asked.host, asked.port, asked.scheme)
    assert sent.target.startswith("/") and sent.target.isascii() and " " not in sent.target
    names = [header.name for header in sent.headers]
    assert not {"authorization", "cookie", "x-api-key", "proxy-authorization", "x-amz-security-token"} & set(names)
    assert all(isinstance(h, Header) and h.name == h.name.lower() and "\n" not in h.value for h in sent.headers)


def _adds_usage(action: Action) -> bool:
    return action.operation.endswith("completions:create") and action.parameters.get("stream") is True
