"""Programs nobody here wrote: boto3, openai, anthropic, stripe, curl, node, against moto and local servers."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import boto3
import botocore.config
import botocore.exceptions
import httpx
import httpx2
import openai
import pytest
import stripe
from gateway_kit import BEN, REAL_AWS, Kit, serving

from comptroller.core.estimate import Unit
from comptroller.testing.aws_server import AwsServer
from comptroller.testing.fake_stripe import FakeStripe
from comptroller.testing.loopback import HttpAnswer, HttpRequest, HttpServer
from comptroller.testing.model_server import ModelServer, Turn, in_order


@pytest.fixture(scope="module")
def aws() -> Iterator[AwsServer]:
    with AwsServer() as server:
        yield server


@pytest.fixture
def model() -> Iterator[ModelServer]:
    with ModelServer(in_order([Turn(text="forty-two")]), api_key="sk-real-openai") as server:
        yield server


def client(kit: Kit, service: str, **config: Any) -> Any:
    return boto3.client(
        service,
        region_name="us-east-1",
        verify=str(kit.ca_file),
        aws_access_key_id="AKIACOMPTROLLER2BOX7",
        aws_secret_access_key="placeholder",
        config=botocore.config.Config(**config),
    )


def amazon(aws: AwsServer) -> dict[str, str]:
    return {"*.amazonaws.com": aws.url}


async def test_boto3_reads_and_is_signed_with_the_real_key(tmp_path: Path, aws: AwsServer) -> None:
    async with serving(tmp_path, upstreams=amazon(aws)) as kit:
        answer = await kit.client(lambda: client(kit, "ec2").describe_instances())
        assert answer["Reservations"] == []
        identity = await kit.client(lambda: client(kit, "sts").get_caller_identity())
        assert identity["Account"]
        kinds = [entry["kind"] for entry in await kit.entries()]
        assert kinds.count("action.settled") == 2 and REAL_AWS not in str(await kit.entries())


async def test_boto3_waits_for_a_yes_and_starts_exactly_one_machine(tmp_path: Path, aws: AwsServer) -> None:
    aws.reset()
    async with serving(tmp_path, upstreams=amazon(aws), hold_seconds=30, settings={"heartbeat_seconds": 0.3}) as kit:

        def work() -> Any:
            made = client(kit, "ec2", read_timeout=2, retries={"total_max_attempts": 1})
            return made.run_instances(ImageId="ami-12c6146b", InstanceType="t3.micro", MinCount=1, MaxCount=1)

        task = asyncio.create_task(kit.client(work))
        approval = await kit.pending()
        await asyncio.sleep(2.5)
        assert not task.done() and aws.instances() == {}
        await kit.engine.approvals.approve(approval.id, BEN)
        answer = await task
        assert len(answer["Instances"]) == 1 and len(aws.instances()) == 1


async def test_boto3_shows_the_native_refusal(tmp_path: Path, aws: AwsServer) -> None:
    aws.reset()
    async with serving(tmp_path, upstreams=amazon(aws), hold_seconds=0.2) as kit:

        def held() -> str:
            try:
                client(kit, "ec2").run_instances(ImageId="ami-1", InstanceType="t3.micro", MinCount=1, MaxCount=1)
            except botocore.exceptions.ClientError as error:
                return str(error)
            return "passed"

        def denied() -> str:
            try:
                client(kit, "iam").list_users()
            except botocore.exceptions.ClientError as error:
                return str(error)
            return "passed"

        text = await kit.client(held)
        approval = await kit.pending()
        assert "UnauthorizedOperation" in text and approval.id in text
        assert "comptroller: denied" in await kit.client(denied)
        assert aws.instances() == {}


async def test_boto3_puts_and_gets_an_object(tmp_path: Path, aws: AwsServer) -> None:
    aws.reset()
    aws.client("s3").create_bucket(Bucket="box")
    async with serving(tmp_path, upstreams=amazon(aws)) as kit:

        def work() -> bytes:
            s3 = client(kit, "s3", s3={"addressing_style": "path"}, retries={"total_max_attempts": 1})
            s3.put_object(Bucket="box", Key="a b/ü+c", Body=b"payload " * 1000)
            return bytes(s3.get_object(Bucket="box", Key="a b/ü+c")["Body"].read())

        assert await kit.client(work) == b"payload " * 1000
        assert kit.engine.gatekeeper.inflight == 0


async def test_a_large_object_streams_through_in_bounded_memory(tmp_path: Path, aws: AwsServer) -> None:
    aws.reset()
    aws.client("s3").create_bucket(Bucket="box")
    size = 20 << 20
    source = tmp_path / "large"
    source.write_bytes(b"0123456789abcdef" * (size // 16))
    async with serving(tmp_path, upstreams=amazon(aws)) as kit:

        def work() -> int:
            s3 = client(kit, "s3", s3={"addressing_style": "path"}, retries={"total_max_attempts": 1})
            with source.open("rb") as body:
                s3.put_object(Bucket="box", Key="large", Body=body)
            return int(s3.head_object(Bucket="box", Key="large")["ContentLength"])

        assert await kit.client(work) == size
        stored = aws.client("s3").get_object(Bucket="box", Key="large")["Body"].read()
        assert stored == source.read_bytes()


HELD_WRITES = """
@id("held-puts") @outcome("approval") @approvers("Group::approvers") @exclude("agent")
forbid (principal, action == Comptroller::Action::"aws:s3:PutObject", resource)
unless { context.grants.contains("held-puts") };
"""


async def test_a_large_object_that_needs_a_yes_is_bound_by_its_content(tmp_path: Path, aws: AwsServer) -> None:
    aws.reset()
    aws.client("s3").create_bucket(Bucket="box")
    size = 12 << 20
    async with serving(tmp_path, upstreams=amazon(aws), policies=HELD_WRITES, hold_seconds=0.2) as kit:

        def put(content: bytes) -> str:
            s3 = client(kit, "s3", s3={"addressing_style": "path"}, retries={"total_max_attempts": 1})
            try:
                s3.put_object(Bucket="box", Key="large", Body=content)
            except botocore.exceptions.ClientError as error:
                return str(error)
            return "passed"

        assert "approval" in await kit.client(lambda: put(b"a" * size))
        approval = await kit.pending()
        await kit.engine.approvals.approve(approval.id, BEN)
        assert "approval" in await kit.client(lambda: put(b"b" * size))
        assert await kit.client(lambda: put(b"a" * size)) == "passed"
        stored = aws.client("s3").get_object(Bucket="box", Key="large")["Body"].read()
        assert stored == b"a" * size


async def test_openai_chats_streamed_and_not_and_is_settled_by_its_usage(tmp_path: Path, model: ModelServer) -> None:
    async with serving(tmp_path, upstreams={"api.openai.com": model.url}) as kit:

        def work() -> tuple[str, str, int]:
            with openai.OpenAI(
                api_key="sk-comptroller-placeholder", http_client=httpx.Client(verify=kit.trust), max_retries=0
            ) as ai:
                whole = ai.chat.completions.create(
                    model="gpt-4o-mini", max_tokens=20, messages=[{"role": "user", "content": "?"}]
                )
                parts, usages = [], 0
                for chunk in ai.chat.completions.create(
                    model="gpt-4o-mini", max_tokens=20, messages=[{"role": "user", "content": "?"}], stream=True
                ):
                    usages += chunk.usage is not None
                    parts += [choice.delta.content or "" for choice in chunk.choices]
                return str(whole.choices[0].message.content), "".join(parts), usages

        whole, streamed, usages = await kit.client(work)
        assert whole == streamed == "forty-two"
        assert usages == 0
        assert {request.headers["authorization"] for request in model.asked} == {"Bearer sk-real-openai"}
        settled = [entry["body"] for entry in await kit.entries("action.settled")]
        assert len(settled) == 2 and all(body["usage"]["output_tokens"] > 0 for body in settled)
        assert all(0 < body["actual"][Unit.USD_MICROS] <= body["reserved"][Unit.USD_MICROS] for body in settled)


async def test_anthropic_messages(tmp_path: Path) -> None:
    with ModelServer(in_order([Turn(text="hello")])) as model:
        async with serving(tmp_path, upstreams={"api.anthropic.com": model.url}) as kit:

            def work() -> str:
                with anthropic.Anthropic(
                    api_key="sk-ant-placeholder", http_client=httpx2.Client(verify=kit.trust), max_retries=0
                ) as ai:
                    answer = ai.messages.create(
                        model="claude-haiku-4-5", max_tokens=20, messages=[{"role": "user", "content": "?"}]
                    )
                    return str(answer.content[0].text)  # type: ignore[union-attr]

            assert await kit.client(work) == "hello"
            assert model.asked[0].headers["x-api-key"] == "sk-ant-real"


async def test_stripe_is_held_for_a_transfer_and_the_yes_fits_its_amount_only(tmp_path: Path) -> None:
    with FakeStripe(api_key="sk_test_real") as fake:
        async with serving(tmp_path, upstreams={"api.stripe.com": fake.url}, hold_seconds=0.2) as kit:

            def transfer(amount: int) -> str:
                client = stripe.StripeClient(
                    "sk_test_placeholder",
                    http_client=stripe.RequestsClient(verify_ssl_certs=True),
                    max_network_retries=0,
                )
                stripe.ca_bundle_path = str(kit.ca_file)
                try:
                    return client.v1.transfers.create(
                        params={"amount": amount, "currency": "usd", "destination": "acct_1"}
                    ).id
                except stripe.StripeError as error:
                    return f"refused: {error}"

            assert "approval" in await kit.client(lambda: transfer(40000))
            approval = await kit.pending()
            await kit.engine.approvals.approve(approval.id, BEN)
            assert "refused" in await kit.client(lambda: transfer(40001))
            assert (await kit.client(lambda: transfer(40000))).startswith("tr_")
            assert fake.moved_out_minor() == 40000


def echo(request: HttpRequest) -> HttpAnswer:
    return HttpAnswer(body=b'{"bytes": %d}' % len(request.body), status=200)


async def run(*command: str, environment: dict[str, str] | None = None) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *command,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={"PATH": "/usr/bin:/bin", **(environment or {})},
    )
    out, _ = await asyncio.wait_for(process.communicate(), 30)
    return process.returncode or 0, out.decode()


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
async def test_curl_uploads_after_100_continue_and_keeps_waiting_while_held(tmp_path: Path) -> None:
    body = tmp_path / "body"
    body.write_bytes(b"x" * (2 << 20))
    with HttpServer(echo) as server:
        async with serving(
            tmp_path,
            upstreams={"api.example.com": server.url},
            hold_seconds=20,
            settings={"heartbeat_seconds": 0.2},
        ) as kit:
            curl = ("curl", "-sS", "-i", "--cacert", str(kit.ca_file), "--connect-to", f"::127.0.0.1:{kit.port}")
            code, out = await run(*curl, "--data-binary", f"@{body}", "https://api.example.com/upload")
            assert code == 0 and '{"bytes": 2097152}' in out and "100 Continue" in out
            denied = await run(*curl, "--data-binary", f"@{body}", "https://unnamed.example.org/upload")
            assert "403" in denied[1] and "100 Continue" not in denied[1]
            task = asyncio.create_task(run(*curl, "-X", "DELETE", "https://api.example.com/thing"))
            approval = await kit.pending()
            await asyncio.sleep(0.7)
            await kit.engine.approvals.approve(approval.id, BEN)
            code, out = await task
            assert code == 0 and "200 OK" in out and "100 Continue" in out


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
async def test_node_fetch_waits_on_102_and_node_http_on_100(tmp_path: Path) -> None:
    with HttpServer(echo) as server:
        async with serving(
            tmp_path,
            upstreams={"api.example.com": server.url},
            hold_seconds=20,
            settings={"heartbeat_seconds": 0.2},
        ) as kit:
            redirect = (
                "const net=require('net');const real=net.Socket.prototype.connect;"
                "net.Socket.prototype.connect=function(...a){"
                "let o=Array.isArray(a[0])?a[0][0]:a[0];"
                f"if(o&&o.port){{o.host='127.0.0.1';o.port={kit.port};}}return real.apply(this,a);}};"
            )
            fetch = (
                "fetch('https://api.example.com/x',{method:'DELETE'})"
                ".then(r=>console.log('status',r.status)).catch(e=>console.log(String(e),String(e.cause)));"
            )
            http = (
                "const q=require('https').request('https://api.example.com/y',{method:'DELETE'},"
                "r=>{console.log('status',r.statusCode);r.resume()});q.on('error',e=>console.log(String(e)));q.end();"
            )
            for script in (fetch, http):
                task = asyncio.create_task(
                    run("node", "-e", redirect + script, environment={"NODE_EXTRA_CA_CERTS": str(kit.ca_file)})
                )
                approval = await kit.pending()
                await asyncio.sleep(0.7)
                await kit.engine.approvals.approve(approval.id, BEN)
                assert "status 200" in (await task)[1]
