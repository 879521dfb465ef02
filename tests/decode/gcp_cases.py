"""Typical calls of the real Google API client, and what is read of them. Run this file to write the corpus anew."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench.gcp_wire import documents

from comptroller import price
from comptroller.core.estimate import Unit
from comptroller.core.request import Header, Request
from comptroller.decode.gcp import GcpCodec

GOLDEN = Path(__file__).resolve().parents[1] / "golden/gcp_wire.json"
INSTANCE = {
    "name": "worker",
    "machineType": "zones/us-central1-a/machineTypes/n2-standard-8",
    "disks": [
        {"boot": True, "initializeParams": {"diskSizeGb": "200", "diskType": "zones/us-central1-a/diskTypes/pd-ssd"}}
    ],
    "networkInterfaces": [{"network": "global/networks/default", "accessConfigs": [{"type": "ONE_TO_ONE_NAT"}]}],
    "metadata": {"items": [{"key": "startup-script", "value": "#!/bin/sh\nid"}]},
    "serviceAccounts": [{"email": "default", "scopes": ["https://www.googleapis.com/auth/cloud-platform"]}],
}
POOL = {"name": "pool", "initialNodeCount": 3, "config": {"machineType": "e2-standard-4"}}
TRAINING = {
    "displayName": "t",
    "jobSpec": {"workerPoolSpecs": [{"replicaCount": "2", "machineSpec": {"machineType": "a2-highgpu-1g"},
                                     "containerSpec": {"imageUri": "gcr.io/shop/train"}}]},
}  # fmt: skip
OWNER = {"policy": {"bindings": [{"role": "roles/owner", "members": ["user:eve@example.com", "allUsers"]}]}}
PARENT = "projects/shop/locations/us-central1"

CALLS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "start one machine": ("compute.v1", lambda s: s.instances().insert(
        project="shop", zone="us-central1-a", requestId="5ca1ab1e-0000-4000-8000-000000000000", body=INSTANCE)),
    "start many machines": ("compute.v1", lambda s: s.instances().bulkInsert(
        project="shop", zone="us-central1-a", body={"count": "16", "namePattern": "w-###", "instanceProperties":
        {"machineType": "n1-standard-4", "guestAccelerators": [
            {"acceleratorType": "nvidia-tesla-t4", "acceleratorCount": 4}]}})),
    "list machines": ("compute.v1", lambda s: s.instances().list(project="shop", zone="us-central1-a")),
    "open a firewall": ("compute.v1", lambda s: s.firewalls().insert(project="shop", body={
        "name": "open", "sourceRanges": ["0.0.0.0/0"], "allowed": [{"IPProtocol": "tcp", "ports": ["22"]}]})),
    "read an object": ("storage.v1", lambda s: s.objects().get_media(bucket="shop-data", object="a/b c.txt")),
    "make a bucket public": ("storage.v1", lambda s: s.bucketAccessControls().insert(
        bucket="shop-data", body={"entity": "allUsers", "role": "READER"})),
    "delete a bucket": ("storage.v1", lambda s: s.buckets().delete(bucket="shop-data")),
    "read a secret": ("secretmanager.v1", lambda s: s.projects().secrets().versions().access(
        name="projects/shop/secrets/db/versions/latest")),
    "make a key": ("iam.v1", lambda s: s.projects().serviceAccounts().keys().create(
        name="projects/shop/serviceAccounts/bot@shop.iam.gserviceaccount.com", body={})),
    "give a role": ("cloudresourcemanager.v3", lambda s: s.projects().setIamPolicy(
        resource="projects/shop", body=OWNER)),
    "create a cluster": ("container.v1", lambda s: s.projects().locations().clusters().create(
        parent=PARENT, body={"cluster": {"name": "c", "nodePools": [POOL]}})),
    "create a database": ("sqladmin.v1", lambda s: s.instances().insert(project="shop", body={
        "name": "db", "region": "us-central1", "databaseVersion": "POSTGRES_15",
        "settings": {"tier": "db-custom-4-15360", "dataDiskSizeGb": "100"}})),
    "train a model": ("aiplatform.v1", lambda s: s.projects().locations().customJobs().create(
        parent=PARENT, body=TRAINING)),
    "ask a model": ("aiplatform.v1", lambda s: s.projects().locations().publishers().models().generateContent(
        model=f"{PARENT}/publishers/google/models/gemini-2.5-flash",
        body={"contents": [{"role": "user", "parts": [{"text": "hello"}]}],
              "generationConfig": {"maxOutputTokens": 100}})),
    "run a query": ("bigquery.v2", lambda s: s.jobs().query(projectId="shop", body={
        "query": "SELECT * FROM d.t", "maximumBytesBilled": str(1 << 40), "useLegacySql": False})),
    "check a query": ("bigquery.v2", lambda s: s.jobs().query(projectId="shop", body={
        "query": "SELECT * FROM d.t", "dryRun": True})),
    "stop a log sink": ("logging.v2", lambda s: s.sinks().delete(sinkName="projects/shop/sinks/audit")),
    "send mail": ("gmail.v1", lambda s: s.users().messages().send(
        userId="me", body={"raw": "VG86IGFubkBleGFtcGxlLmNvbQ0KDQpoaQ=="})),
    "share a file": ("drive.v3", lambda s: s.permissions().create(
        fileId="1AbC", body={"type": "anyone", "role": "reader"})),
    "deploy a service": ("run.v2", lambda s: s.projects().locations().services().create(
        parent=PARENT, serviceId="web", body={"template": {"containers": [{"image": "gcr.io/shop/web"}],
                                                           "scaling": {"maxInstanceCount": 20}}})),
    "take the money away": ("cloudbilling.v1", lambda s: s.projects().updateBillingInfo(
        name="projects/shop", body={"billingAccountName": ""})),
}  # fmt: skip


def recorded() -> Iterator[tuple[str, Request]]:
    """Every call as the client puts it on the wire."""
    from google.auth.credentials import AnonymousCredentials
    from googleapiclient.discovery import build_from_document

    wanted = {name for name, _ in CALLS.values()}
    found = {f"{d['name']}.{d['version']}": d for d in documents() if f"{d['name']}.{d['version']}" in wanted}
    for title, (name, make) in CALLS.items():
        service = build_from_document(dict(found[name]), credentials=AnonymousCredentials())
        built = make(service)
        url = urlsplit(built.uri)
        body = built.body or b""
        yield (
            title,
            Request(
                scheme="https",
                method=built.method,
                host=str(url.hostname),
                port=443,
                target=url.path + (f"?{url.query}" if url.query else ""),
                headers=tuple(Header(k.lower(), v) for k, v in built.headers.items() if k != "x-goog-api-client"),
                body=body.encode() if isinstance(body, str) else body,
                agent="researcher",
                run="run-1",
            ),
        )
        service.close()


def wire(asked: Request) -> dict[str, Any]:
    """A request as the corpus keeps it."""
    headers = {name: value for name, value in asked.headers if name != "user-agent"}
    return {"method": asked.method, "host": asked.host, "target": asked.target, "headers": headers,
            "body": asked.body.decode()}  # fmt: skip


def unwire(kept: dict[str, Any]) -> Request:
    """The request that the corpus keeps."""
    headers = tuple(Header(name, value) for name, value in kept["headers"].items())
    return Request(scheme="https", method=kept["method"], host=kept["host"], port=443, target=kept["target"],
                   headers=headers, body=kept["body"].encode(), agent="researcher", run="run-1")  # fmt: skip


def reading(asked: Request) -> dict[str, Any]:
    """What is read of a request."""
    codec = GcpCodec()
    action = codec.decode(asked)
    estimate = price.estimate(action)
    return {
        "operation": action.operation,
        "classes": sorted(action.classes),
        "account": action.account,
        "region": action.region,
        "quantity": action.quantity,
        "resources": list(action.resources),
        "sentence": codec.sentence(action),
        "priced": Unit.USD_MICROS in estimate.bounds and not estimate.unknown(Unit.USD_MICROS),
    }


if __name__ == "__main__":
    entries = [{"title": title, "wire": wire(asked), "read": reading(asked)} for title, asked in recorded()]
    GOLDEN.write_text(json.dumps(entries, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
