"""The services of meaning and price through a real gateway: real SDKs, real keys outside, parts, lowering, uploads."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import botocore.config
import httpx
import openai
import pytest
from gateway_kit import ACCOUNT, BEN, config_of, serving
from google import genai
from google.genai import types
from kubernetes import client as kubernetes

from comptroller.core.config import Config
from comptroller.core.estimate import Unit
from comptroller.testing.loopback import HttpAnswer, HttpRequest, HttpServer
from comptroller.testing.model_server import ModelServer, Turn, in_order

CLUSTER = "cluster.k8s.ovh.net"
SECRETS = {
    "OPENAI_API_KEY": "sk-real-openai",
    "GEMINI_KEY": "real-gemini",
    "KUBE_TOKEN": "real-kube",
    "GITHUB_KEY": "real-github",
    "AWS_ACCESS_KEY_ID": "AKIAREALREALREALREAL",
    "AWS_SECRET_ACCESS_KEY": "real-secret-never-in-the-box",
}


def config() -> Config:
    def key(service: str, variable: str, **more: object) -> dict[str, object]:
        return {"source": "env", "service": service, "variable": variable, **more}

    agent = {
        "team": "ml",
        "owner": "ann",
        "purpose": "use many services",
        "services": ["openai", "gemini", "kubernetes", "github", "aws:s3"],
        "hosts": ["tools.example.com"],
        "credentials": ["aws", "openai", "gemini", "cluster", "github"],
    }
    return config_of(
        agents={"bot": agent},
        services={"tools": {"codec": "mcp", "hosts": ["tools.example.com"], "tools": {"look": ["read"]}}},
        credentials={
            "aws": {"source": "env", "service": "aws", "account": ACCOUNT},
            "openai": key("openai", "OPENAI_API_KEY"),
            "gemini": key("gemini", "GEMINI_KEY"),
            "cluster": key("kubernetes", "KUBE_TOKEN", hosts=[CLUSTER]),
            "github": key("github", "GITHUB_KEY"),
        },
    )


class World:
    """Answers everything with what `answers` has for the path, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[HttpRequest] = []
        self.answers: dict[str, HttpAnswer] = {}
        self._server = HttpServer(self._answer)
        self.url = self._server.url

    def _answer(self, request: HttpRequest) -> HttpAnswer:
        self.asked.append(request)
        return self.answers.get(request.path, HttpAnswer(body=b"{}"))

    def close(self) -> None:
        self._server.close()


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.close()


async def test_gemini_is_asked_with_the_real_key_and_settled(tmp_path: Path, world: World) -> None:
    path = "/v1/models/gemini-2.5-flash:generateContent"
    usage = {"promptTokenCount": 10, "candidatesTokenCount": 20, "totalTokenCount": 30}
    said = {"content": {"role": "model", "parts": [{"text": "forty-two"}]}, "finishReason": "STOP"}
    answer = {"candidates": [said], "usageMetadata": usage}
    world.answers[path] = HttpAnswer(body=json.dumps(answer).encode())
    upstreams = {"generativelanguage.googleapis.com": world.url}
    async with serving(tmp_path, upstreams=upstreams, config=config(), environment=SECRETS) as kit:

        def work() -> str | None:
            options = types.HttpOptions(client_args={"verify": kit.trust})
            model = genai.Client(api_key="placeholder", http_options=options)
            small = types.GenerateContentConfig(max_output_tokens=100)
            return model.models.generate_content(model="gemini-2.5-flash", contents="hi", config=small).text

        assert await kit.client(work) == "forty-two"
        assert world.asked[0].headers["x-goog-api-key"] == "real-gemini" and "key" not in world.asked[0].query
        [settled] = await kit.entries("action.settled")
        assert settled["body"]["actual"]["tokens"] == 30
        assert 0 < settled["body"]["actual"]["usd_micros"] < settled["body"]["reserved"]["usd_micros"]


async def test_kubernetes_reads_pass_and_a_deployment_waits_for_people(tmp_path: Path, world: World) -> None:
    world.answers["/api/v1/namespaces/ml/pods"] = HttpAnswer(body=b'{"kind": "PodList", "items": []}')
    async with serving(tmp_path, upstreams={CLUSTER: world.url}, config=config(), environment=SECRETS) as kit:

        def api() -> kubernetes.ApiClient:
            settings = kubernetes.Configuration(host=f"https://{CLUSTER}")
            settings.ssl_ca_cert = str(kit.ca_file)
            return kubernetes.ApiClient(settings)

        def look() -> Any:
            with api() as link:
                return kubernetes.CoreV1Api(link).list_namespaced_pod("ml").items

        def deploy() -> str:
            container = {"name": "t", "image": "example/t:1", "resources": {"limits": {"nvidia.com/gpu": "8"}}}
            pod = {"metadata": {"labels": {"a": "t"}}, "spec": {"containers": [container]}}
            spec = {"replicas": 3, "selector": {"matchLabels": {"a": "t"}}, "template": pod}
            with api() as link, pytest.raises(kubernetes.ApiException) as refused:
                kubernetes.AppsV1Api(link).create_namespaced_deployment("ml", {"metadata": {"name": "t"}, "spec": spec})
            return str(refused.value.body)

        assert await kit.client(look) == []
        assert world.asked[0].headers["authorization"] == "Bearer real-kube"
        told = json.loads(await kit.client(deploy))
        assert told["kind"] == "Status" and told["code"] == 403 and len(world.asked) == 1
        approval = await kit.pending()
        assert "3 pods" in approval.sentence and "8 GPUs" in approval.sentence and approval.price_unknown


async def test_a_described_service_and_graphql_by_its_fields(tmp_path: Path, world: World) -> None:
    async with serving(tmp_path, upstreams={"api.github.com": world.url}, config=config(), environment=SECRETS) as kit:

        def work() -> list[httpx.Response]:
            with httpx.Client(verify=kit.trust) as link:
                base = "https://api.github.com"
                return [
                    link.get(f"{base}/repos/acme/shop/issues"),
                    link.delete(f"{base}/repos/acme/shop"),
                    link.post(f"{base}/graphql", json={"query": "query { viewer { login } }"}),
                    link.post(f"{base}/no/such/path", json={}),
                ]

        found = await kit.client(work)
        assert [answer.status_code for answer in found] == [200, 403, 200, 403]
        assert [request.headers["authorization"] for request in world.asked] == ["Bearer real-github"] * 2
        assert [entry["body"]["verdict"] for entry in await kit.entries("action.held")] == ["require_approval"]
        assert len(await kit.entries("action.denied")) == 1


async def test_an_mcp_tool_does_what_is_configured(tmp_path: Path, world: World) -> None:
    world.answers["/mcp"] = HttpAnswer(body=b'{"jsonrpc": "2.0", "id": 1, "result": {"content": []}}')
    async with serving(
        tmp_path, upstreams={"tools.example.com": world.url}, config=config(), environment=SECRETS
    ) as kit:

        def call(name: str) -> httpx.Response:
            accept = {"accept": "application/json, text/event-stream"}
            body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": name, "arguments": {}}}
            with httpx.Client(verify=kit.trust, headers=accept) as link:
                return link.post("https://tools.example.com/mcp", json=body)

        seen = (await kit.client(lambda: call("look"))).json()
        assert seen.get("result") == {"content": []}, seen
        held = (await kit.client(lambda: call("delete_everything"))).json()
        assert held["id"] == 1 and "approval" in held["error"]["message"] and len(world.asked) == 1


async def test_a_call_is_lowered_when_the_budget_is_short_and_says_so(tmp_path: Path) -> None:
    with ModelServer(in_order([Turn(text="forty-two")] * 2), api_key="sk-real-openai") as model:
        upstreams = {"api.openai.com": model.url}
        async with serving(tmp_path, upstreams=upstreams, config=config(), environment=SECRETS) as kit:
            await kit.budget(Unit.USD_MICROS, 20_000)

            def ask() -> Any:
                web = httpx.Client(verify=kit.trust)
                with openai.OpenAI(api_key="placeholder", http_client=web, max_retries=0) as chat:
                    whole = chat.chat.completions.with_raw_response.create(
                        model="gpt-4o", messages=[{"role": "user", "content": "hi"}]
                    )
                return whole.headers, whole.parse()

            headers, answer = await kit.client(ask)
            assert answer.choices[0].message.content == "forty-two"
            assert "budget has no room" in headers["x-comptroller-lowered"]
            [allowed] = await kit.entries("action.allowed")
            assert allowed["body"]["lowered"] == headers["x-comptroller-lowered"]
            [kept] = [f for f in await kit.store.private(allowed["index"]) if f.name == "parameters"]
            assert isinstance(kept.value, dict) and 256 <= kept.value["max_completion_tokens"] < 2_000
            assert allowed["body"]["estimate"]["bounds"]["usd_micros"][1] <= 20_000
            await kit.budget(Unit.USD_MICROS, 1)
            with pytest.raises(openai.PermissionDeniedError, match="has"):
                await kit.client(ask)


async def test_one_yes_covers_an_upload_with_all_its_parts(tmp_path: Path, world: World) -> None:
    begun = b"<InitiateMultipartUploadResult><UploadId>up-1</UploadId></InitiateMultipartUploadResult>"
    done = b"<CompleteMultipartUploadResult><ETag>e</ETag></CompleteMultipartUploadResult>"

    def answer(request: HttpRequest) -> HttpAnswer:
        world.asked.append(request)
        body = begun if "uploads" in request.query else done if request.method == "POST" else b""
        return HttpAnswer(body=body, content_type="application/xml", headers={"etag": '"e"'})

    ask = (
        '@id("ask-writes") @outcome("approval") @approvers("Group::approvers") '
        'forbid (principal, action in Comptroller::Action::"write", resource) '
        'unless { context.grants.contains("ask-writes") };\n'
    )
    with HttpServer(answer) as server:
        upstreams = {"*.amazonaws.com": server.url}
        settings = {"heartbeat_seconds": 0.3}
        async with serving(
            tmp_path, upstreams=upstreams, config=config(), environment=SECRETS, policies=ask, settings=settings,
            hold_seconds=20,
        ) as kit:  # fmt: skip

            def upload() -> str:
                s3 = boto3.client(
                    "s3",
                    region_name="us-east-1",
                    verify=str(kit.ca_file),
                    aws_access_key_id="AKIACOMPTROLLER2BOX7",
                    aws_secret_access_key="placeholder",
                    config=botocore.config.Config(s3={"addressing_style": "path"}),
                )
                where = {"Bucket": "reports", "Key": "big"}
                name = s3.create_multipart_upload(**where)["UploadId"]
                for number in (1, 2, 3):
                    s3.upload_part(**where, UploadId=name, PartNumber=number, Body=b"x" * 1000)
                parts = {"Parts": [{"ETag": "e", "PartNumber": number} for number in (1, 2, 3)]}
                s3.complete_multipart_upload(**where, UploadId=name, MultipartUpload=parts)
                return str(name)

            async def answer_once() -> None:
                approval = await kit.pending()
                await kit.engine.approvals.approve(approval.id, BEN)

            waiting = asyncio.create_task(answer_once())
            assert await kit.client(upload) == "up-1"
            await waiting
            assert len(await kit.store.approvals()) == 1, "asked once"
            allowed = await kit.entries("action.allowed")
            assert len(allowed) == 5 and all("carries_on" in entry["body"] for entry in allowed[1:])
