"""Records what real SDKs put on the wire, and what our codecs make of it, into `tests/golden/wire/SERVICE.jsonl`.

Each SDK talks to a server on loopback that writes down the bytes; the recorded host is the service's own. Run it after
a change of SDKs; `tests/decode/test_golden_wire.py` decodes what is recorded and compares. `--decode` keeps the
requests and writes anew what the codecs make of them: read the difference.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import json
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from comptroller import price
from comptroller.core.request import Header, Request
from comptroller.decode.registry import CodecRegistry

TARGET = Path(__file__).resolve().parent.parent / "tests/golden/wire"
KEPT_HEADERS = frozenset(
    {
        "accept",
        "content-type",
        "content-encoding",
        "x-amz-target",
        "x-amz-content-sha256",
        "x-amz-decoded-content-length",
    }
    | {"x-amz-trailer", "x-amz-sdk-checksum-algorithm", "authorization", "anthropic-version", "stripe-version"}
    | {"stripe-account", "x-payment", "payment-signature", "smithy-protocol", "x-goog-api-client", "x-ms-version"}
    | {"mcp-protocol-version", "mcp-session-id", "mcp-method", "mcp-name", "openai-beta", "x-amz-bedrock-trace"}
)
"""Headers that say what a request does; those that name a machine, a version or a moment are left out."""
AUTHORIZATION_KEPT = "AWS4-HMAC-SHA256"


class Wire:
    """A server that answers everything with an empty object and remembers what came."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []
        self.answers: dict[str, object] = {}
        wire = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _take(self) -> None:
                body = self._body()
                headers = [(name.lower(), value) for name, value in self.headers.items()]
                wire.seen.append({"method": self.command, "target": self.path, "headers": headers, "body": body})
                answer = json.dumps(wire.answers.get(self.path, {})).encode()
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(answer)

            def _body(self) -> bytes:
                if self.headers.get("transfer-encoding", "").lower() != "chunked":
                    return self.rfile.read(int(self.headers.get("content-length") or 0))
                whole = b""
                while size := int(self.rfile.readline().split(b";")[0], 16):
                    whole += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
                return whole

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _take

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


def recorded(host: str, seen: dict[str, Any]) -> dict[str, Any]:
    """One request as it is kept: host, method, target, the headers that matter, and the body as text where it is."""
    kept = [
        [name, value]
        for name, value in seen["headers"]
        if name in KEPT_HEADERS and (name != "authorization" or value.startswith(AUTHORIZATION_KEPT))
    ]
    body: bytes = seen["body"]
    try:
        text = {"text": body.decode("utf-8")}
    except UnicodeDecodeError:
        text = {"base64": base64.b64encode(body).decode()}
    return {"host": host, "method": seen["method"], "target": seen["target"], "headers": kept, "body": text}


def as_request(row: dict[str, Any]) -> Request:
    """The recorded request, frozen."""
    body = row["body"]
    return Request(
        scheme="https",
        method=row["method"],
        host=row["host"],
        port=443,
        target=row["target"],
        headers=tuple(Header(name, value) for name, value in row["headers"]),
        body=base64.b64decode(body["base64"]) if "base64" in body else body["text"].encode(),
        agent="recorder",
        run="run-1",
    )


def read(row: dict[str, Any], registry: CodecRegistry) -> dict[str, Any]:
    """What the codecs and prices make of a recorded request: what a reviewer has to agree with."""
    request = as_request(row)
    codec = registry.codec_for(request)
    action = codec.decode(request)
    estimate = price.estimate(action)
    payment = action.payment
    return {
        "operation": action.operation,
        "classes": sorted(action.classes),
        "region": action.region,
        "resources": list(action.resources),
        "quantity": action.quantity,
        "parts": len(action.parts),
        "payment": [payment.amount_minor, payment.currency, payment.payee, payment.direction] if payment else None,
        "bounds": {unit.value: [bound.low, bound.high] for unit, bound in estimate.bounds.items()},
        "sentence": codec.sentence(action),
        "reason": action.reason,
    }


def write(name: str, rows: list[dict[str, Any]]) -> None:
    """One service's file."""
    registry = CodecRegistry(CONFIGURED)
    lines = [json.dumps({"request": row, "action": read(row, registry)}, ensure_ascii=True) for row in rows]
    (TARGET / f"{name}.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    print(f"{name}: {len(rows)} requests")


CONFIGURED = {"tools.example.com": "mcp"}
"""Hosts of the corpus that belong to a codec only by configuration."""


# ---------------------------------------------------------------- recipes


def _aws(wire: Wire, service: str, region: str = "us-east-1") -> Any:
    import boto3
    from botocore.config import Config

    session = boto3.session.Session(aws_access_key_id="AKIDEXAMPLE", aws_secret_access_key="x" * 40, region_name=region)
    config = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})
    return session.client(service, endpoint_url=wire.url, config=config)


def aws_calls() -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    """(service, host, method, members) of the calls that are recorded."""
    ec2, s3 = "ec2.us-east-1.amazonaws.com", "s3.us-east-1.amazonaws.com"
    image = {"ImageId": "ami-0abcdef1234567890", "MinCount": 1}
    yield "ec2", ec2, "run_instances", {**image, "InstanceType": "p4d.24xlarge", "MaxCount": 8}
    yield (
        "ec2",
        ec2,
        "run_instances",
        {**image, "InstanceType": "t3.micro", "MaxCount": 1, "UserData": "#!/bin/sh\ntrue"},
    )
    yield "ec2", ec2, "describe_instances", {"InstanceIds": ["i-0abcdef1234567890"]}
    yield "ec2", ec2, "terminate_instances", {"InstanceIds": ["i-0abcdef1234567890"]}
    yield "ec2", ec2, "create_nat_gateway", {"SubnetId": "subnet-1", "AllocationId": "eipalloc-1"}
    snapshot = {"SnapshotId": "snap-1", "Attribute": "createVolumePermission", "OperationType": "add"}
    yield "ec2", ec2, "modify_snapshot_attribute", {**snapshot, "GroupNames": ["all"]}
    yield "s3", s3, "put_object", {"Bucket": "reports", "Key": "a/b c.txt", "Body": b"hello"}
    yield "s3", s3, "delete_object", {"Bucket": "reports", "Key": "a.txt"}
    yield "s3", s3, "create_multipart_upload", {"Bucket": "reports", "Key": "big"}
    policy = {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "*"}]}
    yield "s3", s3, "put_bucket_policy", {"Bucket": "reports", "Policy": json.dumps(policy)}
    admin = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    role = {"RoleName": "worker", "PolicyName": "all", "PolicyDocument": json.dumps(admin)}
    yield "iam", "iam.amazonaws.com", "put_role_policy", role
    yield "secretsmanager", "secretsmanager.us-east-1.amazonaws.com", "get_secret_value", {"SecretId": "db"}
    yield "dynamodb", "dynamodb.us-east-1.amazonaws.com", "put_item", {"TableName": "t", "Item": {"id": {"S": "1"}}}
    yield "sqs", "sqs.us-east-1.amazonaws.com", "purge_queue", {"QueueUrl": "https://sqs.us-east-1.amazonaws.com/1/q"}
    yield "cloudtrail", "cloudtrail.us-east-1.amazonaws.com", "stop_logging", {"Name": "main"}
    template = {"Resources": {"M": {"Type": "AWS::EC2::Instance", "Properties": {"InstanceType": "m5.large"}}}}
    stack = {"StackName": "web", "TemplateBody": json.dumps(template)}
    yield "cloudformation", "cloudformation.us-east-1.amazonaws.com", "create_stack", stack
    database = {"DBInstanceIdentifier": "db1", "DBInstanceClass": "db.r5.large", "Engine": "postgres"}
    yield "rds", "rds.us-east-1.amazonaws.com", "create_db_instance", {**database, "AllocatedStorage": 100}
    yield "lambda", "lambda.us-east-1.amazonaws.com", "invoke", {"FunctionName": "f", "Payload": b"{}"}
    message = {"modelId": "anthropic.claude-3-haiku-20240307-v1:0", "inferenceConfig": {"maxTokens": 100}}
    message["messages"] = [{"role": "user", "content": [{"text": "hi"}]}]
    yield "bedrock-runtime", "bedrock-runtime.us-east-1.amazonaws.com", "converse", message


def aws(wire: Wire) -> Iterator[dict[str, Any]]:
    """boto3."""
    for service, host, method, members in aws_calls():
        with contextlib.suppress(Exception):
            getattr(_aws(wire, service), method)(**members)
        yield recorded(host, wire.seen.pop())


def openai(wire: Wire) -> Iterator[dict[str, Any]]:
    """The openai SDK."""
    from openai import OpenAI

    client = OpenAI(api_key="sk-placeholder", base_url=f"{wire.url}/v1", max_retries=0)
    ask: list[Any] = [{"role": "user", "content": "hi"}]
    for call in (
        lambda: client.chat.completions.create(model="gpt-4o", messages=ask, max_completion_tokens=50),
        lambda: client.chat.completions.create(model="gpt-4o-mini", messages=ask),
        lambda: client.responses.create(model="gpt-4o", input="hi", tools=[{"type": "web_search"}]),
        lambda: client.embeddings.create(model="text-embedding-3-small", input="hi"),
        lambda: client.images.generate(model="gpt-image-1", prompt="a cat", size="1024x1024", quality="low"),
        lambda: client.files.delete("file-1"),
        lambda: client.batches.create(input_file_id="file-1", endpoint="/v1/chat/completions", completion_window="24h"),
        lambda: client.models.list(),
    ):
        with contextlib.suppress(Exception):
            call()
        yield recorded("api.openai.com", wire.seen.pop())


def anthropic(wire: Wire) -> Iterator[dict[str, Any]]:
    """The anthropic SDK."""
    from anthropic import Anthropic

    client = Anthropic(api_key="sk-ant-placeholder", base_url=wire.url, max_retries=0)
    ask: list[Any] = [{"role": "user", "content": "hi"}]
    for call in (
        lambda: client.messages.create(model="claude-sonnet-4-5", max_tokens=100, messages=ask),
        lambda: client.messages.count_tokens(model="claude-sonnet-4-5", messages=ask),
        lambda: client.models.list(),
    ):
        with contextlib.suppress(Exception):
            call()
        yield recorded("api.anthropic.com", wire.seen.pop())


def stripe(wire: Wire) -> Iterator[dict[str, Any]]:
    """The stripe SDK."""
    from stripe import StripeClient

    client = StripeClient("sk_test_placeholder", base_addresses={"api": wire.url}, max_network_retries=0)
    to = {"recipient": "acct_7"}
    amount = {"value": 40000, "currency": "usd"}
    for call in (
        lambda: client.v1.transfers.create({"amount": 40000, "currency": "usd", "destination": "acct_9"}),
        lambda: client.v1.payouts.create({"amount": 500, "currency": "jpy"}),
        lambda: client.v1.refunds.create({"charge": "ch_1", "amount": 100}),
        lambda: client.v1.subscriptions.create({"customer": "cus_1", "items": [{"price": "price_1"}]}),
        lambda: client.v1.webhook_endpoints.create({"url": "https://example.com", "enabled_events": ["*"]}),
        lambda: client.v1.customers.list({"limit": 3}, {"stripe_account": "acct_9"}),
        lambda: client.v2.money_management.outbound_payments.create(
            {"from": {"financial_account": "fa_1", "currency": "usd"}, "to": to, "amount": amount}
        ),
    ):
        with contextlib.suppress(Exception):
            call()
        yield recorded("api.stripe.com", wire.seen.pop())


def ethereum(wire: Wire) -> Iterator[dict[str, Any]]:
    """Transactions signed by eth-account, in the bodies that JSON-RPC clients send."""
    import httpx
    from eth_account import Account

    wallet = Account.from_key("0x" + "11" * 32)
    plain = {"to": "0x" + "22" * 20, "value": 10**18, "gas": 21000, "gasPrice": 10**9, "nonce": 0, "chainId": 1}
    raw = "0x" + bytes(wallet.sign_transaction(plain).raw_transaction).hex()
    for method, params in (("eth_sendRawTransaction", [raw]), ("eth_getBalance", ["0x" + "22" * 20, "latest"])):
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        httpx.post(f"{wire.url}/v3/0123", json=body)
        yield recorded("mainnet.infura.io", wire.seen.pop())


def gcp(_: Wire) -> Iterator[dict[str, Any]]:
    """google-api-python-client: its requests are whole before they are sent."""
    from googleapiclient.discovery import build

    def at(name: str, version: str) -> Any:
        return build(name, version, developerKey="placeholder", static_discovery=True)

    compute, storage, iam = at("compute", "v1"), at("storage", "v1"), at("iam", "v1")
    project = {"project": "shop", "zone": "us-central1-a"}
    disk = {"diskSizeGb": "200", "diskType": "zones/us-central1-a/diskTypes/pd-ssd"}
    machine = {
        "name": "trainer",
        "machineType": "zones/us-central1-a/machineTypes/a2-highgpu-8g",
        "disks": [{"boot": True, "initializeParams": disk}],
        "networkInterfaces": [{"network": "global/networks/default"}],
    }
    public = {"bindings": [{"role": "roles/storage.objectViewer", "members": ["allUsers"]}]}
    pool = {"name": "p", "initialNodeCount": 3, "config": {"machineType": "n2-standard-8"}}
    cluster = {"parent": "projects/shop/locations/us-central1", "body": {"cluster": {"name": "c", "nodePools": [pool]}}}
    account = "projects/shop/serviceAccounts/a@shop.iam.gserviceaccount.com"
    version = "projects/shop/secrets/db/versions/latest"
    for request in (
        compute.instances().insert(**project, body=machine),
        compute.instances().list(**project),
        compute.instances().delete(**project, instance="trainer"),
        storage.objects().list(bucket="reports"),
        storage.buckets().setIamPolicy(bucket="reports", body=public),
        iam.projects().serviceAccounts().keys().create(name=account),
        at("secretmanager", "v1").projects().secrets().versions().access(name=version),
        at("container", "v1").projects().locations().clusters().create(**cluster),
        at("bigquery", "v2").jobs().query(projectId="shop", body={"query": "SELECT 1", "useLegacySql": False}),
    ):
        target = urlsplit(request.uri)
        headers = [(name.lower(), value) for name, value in request.headers.items()]
        body = request.body if isinstance(request.body, bytes) else (request.body or "").encode()
        path = target.path + (f"?{target.query}" if target.query else "").replace("key=placeholder&", "")
        yield recorded(target.netloc, {"method": request.method, "target": path, "headers": headers, "body": body})


def gemini(wire: Wire) -> Iterator[dict[str, Any]]:
    """google-genai."""
    from google import genai
    from google.genai import types

    client = genai.Client(api_key="placeholder", http_options=types.HttpOptions(base_url=wire.url))
    small = types.GenerateContentConfig(max_output_tokens=100)
    for call in (
        lambda: client.models.generate_content(model="gemini-2.5-flash", contents="hi", config=small),
        lambda: client.models.count_tokens(model="gemini-2.5-flash", contents="hi"),
        lambda: client.models.embed_content(model="gemini-embedding-001", contents="hi"),
    ):
        with contextlib.suppress(Exception):
            call()
        yield recorded("generativelanguage.googleapis.com", wire.seen.pop())


def kubernetes(wire: Wire) -> Iterator[dict[str, Any]]:
    """The kubernetes client."""
    from kubernetes import client

    configuration = client.Configuration(host=wire.url)
    configuration.retries = 0
    api = client.ApiClient(configuration)
    core, apps, rbac = client.CoreV1Api(api), client.AppsV1Api(api), client.RbacAuthorizationV1Api(api)
    gpu = {"limits": {"nvidia.com/gpu": "8", "cpu": "16", "memory": "64Gi"}}
    container = {"name": "t", "image": "example/train:1", "resources": gpu}
    labels = {"app": "t"}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "train"},
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }
    subject = {"kind": "ServiceAccount", "name": "default", "namespace": "ml"}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
    binding = {"metadata": {"name": "b"}, "subjects": [subject], "roleRef": role}
    for call in (
        lambda: apps.create_namespaced_deployment("ml", deployment),
        lambda: core.list_namespaced_pod("ml"),
        lambda: core.read_namespaced_secret("db", "ml"),
        lambda: core.delete_namespace("ml"),
        lambda: rbac.create_cluster_role_binding(binding),
        lambda: apps.patch_namespaced_deployment_scale("train", "ml", {"spec": {"replicas": 50}}),
    ):
        with contextlib.suppress(Exception):
            call()
        yield recorded("CLUSTER.gr7.us-east-1.eks.amazonaws.com".lower(), wire.seen.pop())


def azure(wire: Wire) -> Iterator[dict[str, Any]]:
    """azure-mgmt-*, without the policy that would fetch a token."""
    from azure.core.credentials import AccessToken
    from azure.core.pipeline.policies import SansIOHTTPPolicy
    from azure.mgmt.authorization import AuthorizationManagementClient
    from azure.mgmt.compute import ComputeManagementClient
    from azure.mgmt.containerservice import ContainerServiceClient
    from azure.mgmt.storage import StorageManagementClient

    class Nobody:
        def get_token(self, *_: object, **__: object) -> AccessToken:
            return AccessToken("placeholder", 1 << 40)

    where = {"base_url": wire.url, "authentication_policy": SansIOHTTPPolicy(), "polling": False, "retry_total": 0}
    subscription = "00000000-0000-0000-0000-000000000001"
    compute = ComputeManagementClient(Nobody(), subscription, **where)
    storage = StorageManagementClient(Nobody(), subscription, **where)
    roles = AuthorizationManagementClient(Nobody(), subscription, **where)
    clusters = ContainerServiceClient(Nobody(), subscription, **where)
    machine = {"location": "eastus", "properties": {"hardwareProfile": {"vmSize": "Standard_D4s_v5"}}}
    definitions = f"/subscriptions/{subscription}/providers/Microsoft.Authorization/roleDefinitions"
    owner = f"{definitions}/8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
    pool = {"name": "p", "count": 3, "vmSize": "Standard_D4s_v5", "mode": "System"}
    cluster = {"location": "eastus", "properties": {"dnsPrefix": "c", "agentPoolProfiles": [pool]}}
    for call in (
        lambda: compute.virtual_machines.begin_create_or_update("shop", "vm1", machine, polling=False),
        lambda: compute.virtual_machines.list("shop").next(),
        lambda: compute.virtual_machines.begin_delete("shop", "vm1", polling=False),
        lambda: storage.storage_accounts.list_keys("shop", "reports"),
        lambda: roles.role_assignments.create(
            f"/subscriptions/{subscription}",
            "11111111-1111-1111-1111-111111111111",
            {"properties": {"roleDefinitionId": owner, "principalId": "22222222-2222-2222-2222-222222222222"}},
        ),
        lambda: clusters.managed_clusters.begin_create_or_update("shop", "c", cluster, polling=False),
    ):
        with contextlib.suppress(Exception):
            call()
        yield recorded("management.azure.com", wire.seen.pop())


def mcp(wire: Wire) -> Iterator[dict[str, Any]]:
    """JSON-RPC bodies and headers as the Model Context Protocol's streamable HTTP clients send them."""
    import httpx

    headers = {"accept": "application/json, text/event-stream", "mcp-protocol-version": "2025-06-18"}
    for number, (method, params) in enumerate(
        (
            ("tools/list", {}),
            ("tools/call", {"name": "delete_user", "arguments": {"id": 7}}),
            ("resources/read", {"uri": "file:///notes.txt"}),
        )
    ):
        body = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        httpx.post(f"{wire.url}/mcp", json=body, headers={**headers, "mcp-session-id": "0123456789abcdef"})
        yield recorded("tools.example.com", wire.seen.pop())


RECIPES: dict[str, Callable[[Wire], Iterator[dict[str, Any]]]] = {
    "anthropic": anthropic,
    "aws": aws,
    "azure": azure,
    "ethereum": ethereum,
    "gcp": gcp,
    "gemini": gemini,
    "kubernetes": kubernetes,
    "mcp": mcp,
    "openai": openai,
    "stripe": stripe,
}


def main() -> int:
    """Record the named services, or all of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--decode", action="store_true", help="keep the requests; write anew what is made of them")
    parser.add_argument("services", nargs="*", help=f"some of: {' '.join(RECIPES)}")
    asked = parser.parse_args()
    for name in asked.services or RECIPES:
        if asked.decode:
            text = (TARGET / f"{name}.jsonl").read_text("utf-8")
            write(name, [json.loads(line)["request"] for line in text.splitlines()])
            continue
        wire = Wire()
        try:
            write(name, list(RECIPES[name](wire)))
        finally:
            wire.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
