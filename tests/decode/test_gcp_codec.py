"""Google's APIs on the wire: what a call means, what an attacker may not make of it, and that it is sent as judged."""

from __future__ import annotations

import base64
import json
from dataclasses import replace

import pytest
from wire_kit import DENIED, MESSAGE, again, request

from comptroller.core.action import Action, digest
from comptroller.core.action import ActionClass as C
from comptroller.core.request import Header, Request, Stream, Unencodable
from comptroller.decode.gcp import GcpCodec

CODEC = GcpCodec()
COMPUTE = "compute.googleapis.com"
STORAGE = "storage.googleapis.com"
ZONE = "/compute/v1/projects/shop/zones/us-central1-a"


def decode(*args: object, **headers: str) -> Action:
    return CODEC.decode(request(*args, **headers))  # type: ignore[arg-type]


def sent_again(asked: Request) -> Action:
    """The action, after making sure that what is sent reads as the same."""
    action = CODEC.decode(asked)
    assert not action.undecodable, action.reason
    second = CODEC.decode(again(CODEC.encode(action, asked), asked))
    assert digest(second) == digest(action) and second.classes == action.classes
    return action


# ------------------------------------------------------------------ compute


def test_an_instance_with_a_script_and_an_account() -> None:
    body = {
        "name": "vm",
        "machineType": "zones/us-central1-a/machineTypes/a2-highgpu-8g",
        "metadata": {"items": [{"key": "startup-script", "value": "#!/bin/sh"}, {"key": "enable-oslogin"}]},
        "serviceAccounts": [{"email": "bot@shop.iam", "scopes": ["https://www.googleapis.com/auth/cloud-platform"]}],
        "networkInterfaces": [{"accessConfigs": [{}]}],
    }
    token = "5ca1ab1e-0000-4000-8000-000000000000"
    action = sent_again(request(COMPUTE, "POST", f"{ZONE}/instances?requestId={token}", body))
    assert action.operation == "gcp:compute:instances.insert" and action.service == "gcp:compute"
    assert action.classes == {C.PROVISION, C.EXECUTE, C.ENTITLE}
    assert (action.account, action.region) == ("shop", "us-central1")
    assert action.resources[0] == "projects/shop/zones/us-central1-a/instances/vm"
    assert action.call.retry_token.endswith(token)
    assert CODEC.sentence(action).startswith("start 1 x a2-highgpu-8g in us-central1 (project shop)")
    assert "running startup-script" in CODEC.sentence(action) and "bot@shop.iam" in CODEC.sentence(action)


@pytest.mark.parametrize(
    ("body", "extra"),
    [
        ({}, set()),
        ({"metadata": {"items": [{"key": "enable-oslogin", "value": "TRUE"}]}}, set()),
        ({"metadata": {"items": [{"key": "Startup-Script", "value": "x"}]}}, {C.EXECUTE}),
        ({"metadata": {"items": [{"key": "user-data", "value": "x"}]}}, {C.EXECUTE}),
        ({"metadata": {"items": [{"key": "ssh-keys", "value": "x"}]}}, {C.EXECUTE, C.ENTITLE}),
        ({"metadata": {"items": {"key": "startup-script", "value": "x"}}}, {C.EXECUTE}),
        ({"service_accounts": [{"email": "a@b"}]}, {C.ENTITLE}),
        ({"sourceMachineImage": "global/machineImages/x"}, {C.EXECUTE, C.ENTITLE}),
    ],
)
def test_what_an_instance_runs_and_acts_as(body: dict[str, object], extra: set[C]) -> None:
    action = decode(COMPUTE, "POST", f"{ZONE}/instances", {"machineType": "e2-small", **body})
    assert action.classes == {C.PROVISION} | extra


def test_many_instances() -> None:
    body = {"count": "8", "instanceProperties": {"machineType": "n1-standard-4", "guestAccelerators": [
        {"acceleratorType": "nvidia-tesla-t4", "acceleratorCount": 2}]}}  # fmt: skip
    action = sent_again(request(COMPUTE, "POST", f"{ZONE}/instances/bulkInsert", body))
    assert action.quantity == 8 and action.classes == {C.PROVISION}
    assert CODEC.sentence(action) == ("start 8 x n1-standard-4 with 2 x nvidia-tesla-t4 in us-central1 (project shop)")
    hidden = decode(COMPUTE, "POST", f"{ZONE}/instances/bulkInsert", {"count": 2, "sourceInstanceTemplate": "x"})
    assert {C.EXECUTE, C.ENTITLE} <= hidden.classes


def test_accounts_and_regions_come_from_the_path() -> None:
    for target, account, region in (
        ("/v1/projects/example.com%3Ashop/assets", "example.com:shop", ""),
        ("/v1/projects/shop:exportAssets", "shop", ""),
        ("/v1/organizations/12:exportAssets", "organizations/12", ""),
    ):
        method = "GET" if target.endswith("assets") else "POST"
        action = decode("cloudasset.googleapis.com", method, target, b"")
        assert (action.account, action.region) == (account, region), action.reason
    listed = decode("run.googleapis.com", "GET", "/v2/projects/shop/locations/europe-west4/services")
    assert (listed.account, listed.region) == ("shop", "europe-west4")


@pytest.mark.parametrize("count", [True, 1.5, "many", "", -1, 10**12, [3], {}])
def test_a_count_that_is_none_is_unknown(count: object) -> None:
    action = decode(COMPUTE, "POST", f"{ZONE}/instances/bulkInsert", {"count": count})
    assert action.undecodable


def test_groups_and_autoscalers_carry_their_maximum() -> None:
    group = decode(COMPUTE, "POST", f"{ZONE}/instanceGroupManagers/g/resize?size=50")
    assert group.quantity == 50 and CODEC.sentence(group).startswith("set group g to 50 machines")
    policy = {"autoscalingPolicy": {"maxNumReplicas": 40}, "target": "g"}
    assert decode(COMPUTE, "POST", f"{ZONE}/autoscalers", policy).quantity == 40
    assert decode(COMPUTE, "POST", f"{ZONE}/instanceGroupManagers/g/resize?size=1&size=9").undecodable


def test_a_firewall_that_opens_to_everybody_says_so() -> None:
    body = {"name": "f", "sourceRanges": ["0.0.0.0/0"], "allowed": [{"IPProtocol": "tcp", "ports": ["22"]}]}
    action = decode(COMPUTE, "POST", "/compute/v1/projects/shop/global/firewalls", body)
    assert action.classes == {C.ENTITLE} and "the whole internet reach tcp:22" in CODEC.sentence(action)
    assert (
        C.BLIND in decode(COMPUTE, "PATCH", "/compute/v1/projects/shop/global/firewalls/f", {"disabled": True}).classes
    )


@pytest.mark.parametrize("member", ["requestId", "request_id"])
def test_a_fresh_token_is_the_same_action_and_is_sent(member: str) -> None:
    first, second = (f"5ca1ab1e-0000-4000-8000-00000000000{number}" for number in (1, 2))
    for make in (
        lambda token: request(COMPUTE, "POST", f"{ZONE}/instances?{member}={token}", {"name": "x"}),
        lambda token: request(COMPUTE, "POST", f"{ZONE}/instances", {"name": "x", member: token}),
    ):
        action, again_asked = CODEC.decode(make(first)), CODEC.decode(make(second))
        assert digest(action) == digest(again_asked) and action.call.retry_token != again_asked.call.retry_token
        outgoing = CODEC.encode(action, make(first))
        assert first in outgoing.target + outgoing.body.decode()
    named = [decode(COMPUTE, "POST", f"{ZONE}/instances", {"name": "x", member: name}) for name in ("a", "b")]
    assert digest(named[0]) != digest(named[1])


# ------------------------------------------------------------------ rights


@pytest.mark.parametrize(
    ("member", "words"),
    [
        ("allUsers", "anybody on the internet"),
        ("ALLUSERS", "anybody on the internet"),
        ("allAuthenticatedUsers", "anybody with a Google account"),
        ("user:eve@example.com", "user:eve@example.com"),
    ],
)
def test_who_gains_which_role(member: str, words: str) -> None:
    body = {"policy": {"bindings": [{"role": "roles/owner", "members": [member]}]}}
    action = sent_again(request("cloudresourcemanager.googleapis.com", "POST", "/v1/projects/shop:setIamPolicy", body))
    assert action.classes == {C.ENTITLE} and action.account == "shop"
    assert f"giving roles/owner to {words}" in CODEC.sentence(action)


def test_a_policy_that_changes_audit_logs_blinds() -> None:
    path = "/v1/projects/shop:setIamPolicy"
    for body in (
        {"policy": {"auditConfigs": []}},
        {"policy": {}, "updateMask": "auditConfigs"},
        {"policy": {"audit_configs": []}},
    ):
        assert decode("cloudresourcemanager.googleapis.com", "POST", path, body).classes == {C.BLIND, C.ENTITLE}


@pytest.mark.parametrize(
    ("method", "target", "body", "extra"),
    [
        ("POST", "/storage/v1/b?project=p", {"name": "b"}, {C.WRITE}),
        ("POST", "/storage/v1/b?project=p&predefinedAcl=publicRead", {"name": "b"}, {C.ENTITLE}),
        ("PATCH", "/storage/v1/b/b", {"acl": [{"entity": "allUsers", "role": "READER"}]}, {C.ENTITLE}),
        ("PATCH", "/storage/v1/b/b", {"iamConfiguration": {"publicAccessPrevention": "inherited"}}, {C.ENTITLE}),
        ("PATCH", "/storage/v1/b/b", {"lifecycle": {"rule": []}}, {C.DESTROY}),
        ("PATCH", "/storage/v1/b/b", {"logging": None}, {C.BLIND}),
        ("POST", "/storage/v1/b/b/acl", {"entity": "allUsers", "role": "OWNER"}, {C.ENTITLE}),
    ],
)
def test_buckets(method: str, target: str, body: dict[str, object], extra: set[C]) -> None:
    assert sent_again(request(STORAGE, method, target, body)).classes == extra


def test_sharing_mail_and_guests() -> None:
    share = decode("www.googleapis.com", "POST", "/drive/v3/files/f1/permissions", {"type": "anyone", "role": "writer"})
    assert share.classes == {C.COMMUNICATE, C.ENTITLE}
    assert "giving writer to anybody on the internet" in CODEC.sentence(share)
    raw = base64.urlsafe_b64encode(b"To: ann@example.com, bob@example.com\r\nSubject: hi\r\n\r\nhello").decode()
    mail = sent_again(request("gmail.googleapis.com", "POST", "/gmail/v1/users/me/messages/send", {"raw": raw}))
    assert mail.classes == {C.COMMUNICATE} and "ann@example.com" in CODEC.sentence(mail)
    assert "raw" in mail.sensitive
    events = "/calendar/v3/calendars/primary/events"
    assert decode("www.googleapis.com", "POST", events, {"summary": "x"}).classes == {C.WRITE}
    guests = decode("www.googleapis.com", "POST", f"{events}?sendUpdates=all", {"attendees": [{"email": "a@b.c"}]})
    assert guests.classes == {C.COMMUNICATE}


# ------------------------------------------------------------------ platforms


def test_a_cluster_counts_every_node_in_every_zone() -> None:
    pool = {"name": "d", "initialNodeCount": 2, "config": {"machineType": "n2-standard-8", "serviceAccount": "x@y"},
            "autoscaling": {"enabled": True, "maxNodeCount": 10}}  # fmt: skip
    body = {"cluster": {"name": "c", "nodePools": [pool]}}
    host = "container.googleapis.com"
    regional = sent_again(request(host, "POST", "/v1/projects/shop/locations/us-central1/clusters", body))
    assert regional.quantity == 30 and regional.classes == {C.ENTITLE, C.PROVISION}
    zonal = decode(host, "POST", "/v1/projects/shop/locations/us-central1-b/clusters", body)
    assert zonal.quantity == 10 and zonal.region == "us-central1"
    silent = {"cluster": {"name": "c", "loggingService": "none"}}
    assert C.BLIND in decode(host, "POST", "/v1/projects/shop/locations/us-central1/clusters", silent).classes
    change = {"update": {"desiredLoggingService": "none"}}
    assert C.BLIND in decode(host, "PUT", "/v1/projects/shop/locations/us-central1/clusters/c", change).classes


def test_serverless_models_and_databases() -> None:
    service = {"template": {"containers": [{"image": "gcr.io/x/y"}], "scaling": {"maxInstanceCount": 100},
                            "serviceAccount": "a@b"}}  # fmt: skip
    run = decode("run.googleapis.com", "POST", "/v2/projects/shop/locations/us-east1/services?serviceId=s", service)
    assert run.quantity == 100 and run.classes == {C.PROVISION, C.EXECUTE, C.ENTITLE}
    job = {"jobSpec": {"workerPoolSpecs": [{"replicaCount": "4", "machineSpec": {"machineType": "a2-highgpu-1g"}}]}}
    host = "us-central1-aiplatform.googleapis.com"
    trained = decode(host, "POST", "/v1/projects/shop/locations/us-central1/customJobs", job)
    assert trained.quantity == 4 and CODEC.sentence(trained).startswith("train on 4 x a2-highgpu-1g in us-central1")
    path = "/v1/projects/shop/locations/us-central1/publishers/google/models/gemini-2.5-pro:generateContent"
    asked = sent_again(request(host, "POST", path, {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}))
    assert asked.classes == {C.INFER} and asked.resources[0].endswith("models/gemini-2.5-pro")
    open_db = {"name": "d", "settings": {"tier": "db-n1-standard-4", "ipConfiguration": {
        "authorizedNetworks": [{"value": "0.0.0.0/0"}]}}}  # fmt: skip
    database = decode("sqladmin.googleapis.com", "POST", "/v1/projects/shop/instances", open_db)
    assert database.classes == {C.PROVISION, C.ENTITLE} and "whole internet" in CODEC.sentence(database)


def test_dry_runs_only_where_the_api_documents_them() -> None:
    queries = "/bigquery/v2/projects/shop/queries"
    host = "bigquery.googleapis.com"
    assert decode(host, "POST", queries, {"query": "select 1", "dryRun": True}).classes == {C.READ}
    assert C.EXECUTE in decode(host, "POST", queries, {"query": "select 1", "dry_run": True}).classes
    for lie in ("true", 1, None, [True]):
        assert C.EXECUTE in decode(host, "POST", queries, {"query": "select 1", "dryRun": lie}).classes
    assert decode(host, "POST", f"{queries}?dryRun=true", {"query": "select 1"}).undecodable
    assert decode(host, "POST", f"{queries}?dryRun=false", {"query": "select 1", "dryRun": True}).undecodable
    insert = "/bigquery/v2/projects/shop/jobs"
    assert decode(host, "POST", insert, {"configuration": {"dryRun": True, "query": {}}}).classes == {C.READ}
    assert C.EXECUTE in decode(host, "POST", insert, {"dryRun": True, "configuration": {"query": {}}}).classes
    clusters = "/v1/projects/shop/locations/us-east1/clusters"
    alloydb = "alloydb.googleapis.com"
    assert decode(alloydb, "POST", f"{clusters}?clusterId=c&validateOnly=true", {}).classes == {C.READ}
    for lie in ("validateOnly=false", "validateOnly=TRUE", "validateOnly=1", "validateOnly=true&validateOnly=false"):
        assert C.PROVISION in decode(alloydb, "POST", f"{clusters}?clusterId=c&{lie}", {}).classes
    for alias in ("validateonly=true", "validate_only=true", "validateOnly=true&validate_only=false"):
        assert decode(alloydb, "POST", f"{clusters}?clusterId=c&{alias}", {}).undecodable
    assert C.PROVISION in decode(alloydb, "POST", f"{clusters}?clusterId=c", {"validateOnly": True}).classes
    assert decode(COMPUTE, "POST", f"{ZONE}/instances?validateOnly=true", {"name": "x"}).undecodable


@pytest.mark.parametrize(
    ("host", "target"),
    [
        ("container", "/v1/projects/p/locations/us-east1/clusters?cluster.initialNodeCount=900"),
        ("container", "/v1/projects/p/locations/us-east1/clusters?cluster.node_config.machine_type=a2-megagpu-16g"),
        ("container", "/v1/projects/p/locations/us-east1/clusters/c/nodePools/n:setSize?nodeCount=900"),
        ("run", "/v2/projects/p/locations/us-east1/services?serviceId=s&service.template.serviceAccount=admin@p"),
        ("cloudresourcemanager", "/v3/projects/p:setIamPolicy?policy.bindings.role=roles/owner"),
    ],
)
def test_no_member_of_the_body_hides_in_the_query(host: str, target: str) -> None:
    """Google's servers bind query members to fields of the request that the path and the body leave open."""
    assert decode(f"{host}.googleapis.com", "POST", target, {}).undecodable
    assert not decode(
        f"{host}.googleapis.com", "POST", target.partition("?")[0] + "?alt=json&fields=name", {}
    ).undecodable


# ------------------------------------------------------------------ hostile requests


@pytest.mark.parametrize(
    "target",
    [
        "/compute/v1/Projects/shop/zones/us-central1-a/instances",
        "/Compute/v1/projects/shop/zones/us-central1-a/instances",
        "/compute/v1//projects/shop/zones/us-central1-a/instances",
        "/compute/v1/projects/shop/zones/us-central1-a/instances/",
        "/compute/v1/projects//zones/us-central1-a/instances",
        "//compute/v1/projects/shop/zones/us-central1-a/instances",
        "/compute/v9/projects/shop/zones/us-central1-a/instances",
        "/compute/v1/projects/shop/zones/us-central1-a/instances:list",
        "/compute/v1/projects/shop/zones/us-central1-a/instances?_method=GET",
        "/compute/v1/projects/shop/zones/us-central1-a/instances?$httpMethod=GET",
        "/compute/v1/projects/shop/zones/us-central1-a/instances?%24httpHeaders=x",
        "/compute/v1/projects/shop/zones/us-central1-a/instances?callback=x",
        "/compute/v1/projects/shop/zones/us-central1-a/instances?$unheard=x",
        "/compute/v1/projects/shop/zones/us-central1-a/instances?X-Goog-Signature=00",
        "/compute/v1/projects/shop/zones/us-central1-a%2Finstances",
        "/compute/v1/projects/..%2Fshop/zones/us-central1-a/instances",
        "/compute/v1/projects/%ff/zones/us-central1-a/instances",
        "/",
    ],
)
def test_what_is_no_published_path_is_unknown(target: str) -> None:
    action = decode(COMPUTE, "POST", target, {"machineType": "e2-small"})
    assert action.undecodable and action.reason and action.operation.endswith(":unknown")
    with pytest.raises(Unencodable):
        CODEC.encode(action, request(COMPUTE, "POST", target, {"machineType": "e2-small"}))


@pytest.mark.parametrize("header", ["x_http_method_override", "x_method_override", "x_original_url"])
def test_a_method_in_a_header_is_refused(header: str) -> None:
    assert decode(COMPUTE, "POST", f"{ZONE}/instances", b"", **{header: "GET"}).undecodable


def test_two_spellings_of_a_member_are_refused() -> None:
    assert decode(COMPUTE, "POST", f"{ZONE}/instances", {"machineType": "a", "machine_type": "b"}).undecodable
    nested = {"instanceProperties": {"serviceAccounts": [], "service_accounts": []}}
    assert decode(COMPUTE, "POST", f"{ZONE}/instances/bulkInsert", nested).undecodable


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'{"name": "x"}', "text/plain"),
        (b'{"name": "x"}', ""),
        (b"\x0a\x00", "application/x-protobuf"),
        (b'{"name": "x", "name": "y"}', "application/json"),
        (b'{"@x": 1}', "application/json"),
        (b"name=x", "application/x-www-form-urlencoded"),
        (b"{name: 'x'}", "application/json"),
    ],
)
def test_bodies_that_nobody_reads_for_sure(body: bytes, kind: str) -> None:
    assert decode(COMPUTE, "POST", f"{ZONE}/instances", body, **({"content_type": kind} if kind else {})).undecodable


def test_a_name_with_slashes_is_data_and_never_weakens() -> None:
    read = sent_again(request(STORAGE, "GET", "/storage/v1/b/bkt/o/a%2Fb%2Fc.txt?alt=media"))
    assert read.operation == "gcp:storage:objects.get" and read.resources == ("gs://bkt/a/b/c.txt",)
    hidden = sent_again(request(STORAGE, "PUT", "/storage/v1/b/bkt/o/a%2Fiam", {"x": 1}))
    assert hidden.operation == "gcp:storage:objects.update" and C.ENTITLE in hidden.classes
    verb = decode("cloudresourcemanager.googleapis.com", "POST", "/v1/projects/shop%3AsetIamPolicy", {"policy": {}})
    assert verb.undecodable or C.ENTITLE in verb.classes


def test_tokens_are_entitled_and_copies_name_both_ends() -> None:
    asked = request("oauth2.googleapis.com", "POST", "/token", "grant_type=x&assertion=y")
    assert sent_again(asked).classes == {C.ENTITLE, C.REVEAL}
    copied = decode(STORAGE, "POST", "/storage/v1/b/a/o/x/rewriteTo/b/c/o/y%2Fz", {})
    assert copied.resources == ("gs://c/y/z", "gs://a/x")


def test_credentials_in_the_query_go_and_who_is_billed_stays() -> None:
    asked = request(COMPUTE, "GET", f"{ZONE}/instances?key=AIzaX&access_token=ya29.x&$.xgafv=2&alt=json",
                    x_goog_user_project="payer", x_goog_api_key="k")  # fmt: skip
    action = sent_again(asked)
    outgoing = CODEC.encode(action, asked)
    assert "AIza" not in outgoing.target and "ya29" not in outgoing.target
    headers = dict(outgoing.headers)
    assert headers["x-goog-user-project"] == "payer" and "x-goog-api-key" not in headers
    assert outgoing.family == "gcp"
    assert digest(action) != digest(CODEC.decode(replace(asked, headers=())))


def test_unknown_hosts_of_google_are_unknown() -> None:
    for host in ("newthing.googleapis.com", "evil-compute.googleapis.com"):
        assert decode(host, "GET", "/v1/projects/p").undecodable


# ------------------------------------------------------------------ uploads


def test_uploads_bind_their_content_and_read_their_description() -> None:
    described = b'{"name":"x","acl":[{"entity":"allUsers"}]}'
    for line in (b"\r\n", b"\n"):
        parts = [b"--b", b"Content-Type: application/json", b"", described, b"--b", b"Content-Type: text/plain", b"",
                 b"hello\r\nworld\n", b"--b--"]  # fmt: skip
        asked = request(STORAGE, "POST", "/upload/storage/v1/b/bkt/o?uploadType=multipart", line.join(parts),
                        content_type='multipart/related; boundary="b"')  # fmt: skip
        action = sent_again(asked)
        assert action.operation == "gcp:storage:objects.insert" and C.ENTITLE in action.classes
        assert action.parameters["@media"] == b"hello\r\nworld\n" and "@media" in action.sensitive
    media = sent_again(request(STORAGE, "POST", "/upload/storage/v1/b/bkt/o?uploadType=media&name=a%2Fb", b"\x00\x01",
                               content_type="image/png"))  # fmt: skip
    assert media.classes == {C.WRITE} and media.resources[0] == "gs://bkt/a/b"
    start = sent_again(request(STORAGE, "POST", "/upload/storage/v1/b/bkt/o?uploadType=resumable", {"name": "big"}))
    assert start.parameters["@metadata"] == {"name": "big"}
    more = request(STORAGE, "PUT", "/upload/storage/v1/b/bkt/o?uploadType=resumable&upload_id=u1", b"",
                   content_range="bytes 0-9/10")  # fmt: skip
    assert sent_again(more).call.part_of == "u1" and not start.call.part_of
    meter = CODEC.meter(start)
    meter.head(200, [("X-GUploader-UploadID", "u1"), ("location", "https://x")])
    assert meter.finish(complete=True).opens == "u1"
    hidden = replace(more, method="POST", target=more.target.replace("resumable", "multipart"))
    assert CODEC.decode(hidden).undecodable and CODEC.decode(replace(hidden, method="PUT")).undecodable
    streamed = replace(more, stream=Stream(length_bytes=10))
    action = sent_again(streamed)
    assert action.operation == "gcp:storage:objects.insert" and CODEC.encode(action, streamed).stream is not None
    with pytest.raises(Unencodable):
        CODEC.encode(action, replace(more, stream=Stream(length_bytes=11)))
    for path in (f"{ZONE}/instances/vm", "/compute/v1/projects/shop/global/firewalls/f"):
        told = decode(COMPUTE, "PUT", f"{path}?upload_id=1", {"name": "x"})
        assert told.operation == decode(COMPUTE, "PUT", path, {"name": "x"}).operation


def test_an_upload_whose_description_nobody_read_may_open_it_to_anybody() -> None:
    asked = request(STORAGE, "POST", "/upload/storage/v1/b/bkt/o?uploadType=multipart", b"",
                    content_type='multipart/related; boundary="b"')  # fmt: skip
    assert C.ENTITLE in CODEC.decode(replace(asked, stream=Stream(length_bytes=5_000_000))).classes
    assert CODEC.decode(
        replace(request(COMPUTE, "POST", f"{ZONE}/instances"), stream=Stream(length_bytes=9))
    ).undecodable


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--b\r\n\r\n{}\r\n--b--",
        b"--b\nContent-Type: application/json\n\n{}\n--b--",
        b"--b\nContent-Type: application/json\n\n{}\n--b\nContent-Type: text/plain\n\nx",
        b"junk--b\nContent-Type: application/json\n\n{}\n--b\n\nx\n--b--",
        b"--b\r\nContent-Type: application/json\r\n\r\n{}\n--b\n\r\n--b\r\n\r\nx\r\n--b--",
    ],
)
def test_multipart_that_could_be_cut_in_two_ways(body: bytes) -> None:
    target = "/upload/storage/v1/b/bkt/o?uploadType=multipart"
    assert decode(STORAGE, "POST", target, body, content_type="multipart/related; boundary=b").undecodable


# ------------------------------------------------------------------ the XML API


@pytest.mark.parametrize(
    ("host", "method", "target", "operation", "classes"),
    [
        (STORAGE, "GET", "/", "buckets.list", {C.READ}),
        (STORAGE, "GET", "/bkt?prefix=a", "objects.list", {C.READ}),
        (STORAGE, "GET", "/bkt/a/b", "objects.get", {C.READ}),
        (STORAGE, "HEAD", "/bkt/a", "objects.get", {C.READ}),
        (STORAGE, "PUT", "/bkt/a", "objects.insert", {C.WRITE}),
        (STORAGE, "DELETE", "/bkt/a", "objects.delete", {C.DESTROY}),
        (STORAGE, "DELETE", "/bkt", "buckets.delete", {C.DESTROY}),
        (STORAGE, "PUT", "/bkt?acl", "buckets.update", {C.ENTITLE}),
        (STORAGE, "PUT", "/bkt?lifecycle", "buckets.update", {C.DESTROY}),
        (STORAGE, "PUT", "/bkt?logging", "buckets.update", {C.BLIND}),
        (STORAGE, "GET", "/bkt?acl", "buckets.get", {C.READ}),
        ("bkt.storage.googleapis.com", "GET", "/a/b", "objects.get", {C.READ}),
        ("bkt.storage.googleapis.com", "DELETE", "/", "buckets.delete", {C.DESTROY}),
        ("my.dotted.bkt.storage.googleapis.com", "PUT", "/x?acl", "objects.update", {C.ENTITLE}),
    ],
)
def test_the_xml_api(host: str, method: str, target: str, operation: str, classes: set[C]) -> None:
    action = sent_again(request(host, method, target))
    assert action.operation == f"gcp:storage:{operation}" and action.classes == classes
    assert CODEC.sentence(action)


def test_the_xml_api_with_lists_copies_and_what_it_refuses() -> None:
    assert C.ENTITLE in decode(STORAGE, "PUT", "/bkt/a", b"x", x_goog_acl="public-read").classes
    copied = decode(STORAGE, "PUT", "/bkt/a", b"", x_goog_copy_source="/other/b")
    assert copied.operation == "gcp:storage:objects.copy" and "/other/b" in copied.resources
    for target in (
        "/bkt/a?acl&policy",
        "/bkt/a?unheard=1",
        "/bkt?delete",
        "/B",
        "/bkt/a?X-Goog-Signature=1&X-Goog-Date=2",
    ):
        assert decode(STORAGE, "PUT", target).undecodable
    assert decode(STORAGE, "POST", "/bkt", b"--x", content_type="multipart/form-data; boundary=x").undecodable
    assert decode(STORAGE, "GET", "/bkt/a", x_amz_date="x").undecodable
    answer = CODEC.refuse(copied, request(STORAGE, "PUT", "/bkt/a"), DENIED, MESSAGE)
    assert answer.status == 403 and b"<Code>AccessDenied</Code>" in answer.body


# ------------------------------------------------------------------ batches


def batch(*calls: bytes, host: str = COMPUTE, path: str = "/batch/compute/v1") -> Request:
    parts = b"".join(
        b"--q\r\nContent-Type: application/http\r\nContent-ID: <%d>\r\n\r\n%s\r\n" % (number, call)
        for number, call in enumerate(calls)
    )
    return request(host, "POST", path, parts + b"--q--\r\n", content_type="multipart/mixed; boundary=q")


def test_every_call_of_a_batch_is_an_action() -> None:
    body = b'{"machineType":"zones/z/machineTypes/e2-small"}'
    place = b"/compute/v1/projects/shop/zones/us-central1-a/instances"
    asked = batch(
        b"GET %s HTTP/1.1\r\n\r\n" % place,
        b"DELETE %s/db HTTP/1.1\r\nAuthorization: Bearer x\r\n\r\n" % place,
        b"POST %s HTTP/1.1\r\nContent-Type: application/json\r\n\r\n%s" % (place, body),
    )
    action = sent_again(asked)
    assert [part.operation for part in action.parts] == [
        f"gcp:compute:instances.{verb}" for verb in ("list", "delete", "insert")
    ]
    assert action.classes == {C.READ, C.DESTROY, C.PROVISION} and action.quantity == 3
    assert (action.operation, action.service, action.account) == ("gcp:compute:batch", "gcp:compute", "shop")
    outgoing = CODEC.encode(action, asked)
    assert b"Bearer" not in outgoing.body and b"instances/db" in outgoing.body
    assert "delete machine db" in CODEC.sentence(action)


@pytest.mark.parametrize(
    "call",
    [
        b"GET /nowhere HTTP/1.1\r\n\r\n",
        b"POST /batch/compute/v1 HTTP/1.1\r\n\r\n",
        b"GET https://evil.example/compute/v1/projects/p/zones/z/instances HTTP/1.1\r\n\r\n",
        b"GET /compute/v1/projects/p/zones/z/instances HTTP/1.1\r\nX-HTTP-Method-Override: DELETE\r\n\r\n",
        b"",
        b"BREW\r\n\r\n",
    ],
)
def test_a_batch_with_a_call_that_nobody_can_read_is_unknown(call: bytes) -> None:
    assert CODEC.decode(batch(call)).undecodable
    good = b"GET /compute/v1/projects/p/zones/z/instances HTTP/1.1\r\n\r\n"
    assert CODEC.decode(batch(good, call)).undecodable


# ------------------------------------------------------------------ gRPC, refusals, answers


@pytest.mark.parametrize(
    ("host", "path", "operation", "classes"),
    [
        (COMPUTE, "/google.cloud.compute.v1.Instances/Insert", "compute:instances.insert", {C.PROVISION}),
        (COMPUTE, "/google.cloud.compute.v1.Instances/List", "compute:instances.list", {C.READ}),
        (STORAGE, "/google.storage.v2.Storage/DeleteObject", "storage:objects.delete", {C.DESTROY}),
        ("secretmanager.googleapis.com", "/google.cloud.secretmanager.v1.SecretManagerService/AccessSecretVersion",
         "secretmanager:projects.locations.secrets.versions.access", {C.REVEAL}),
        ("pubsub.googleapis.com", "/google.pubsub.v1.Publisher/Publish", "pubsub:projects.topics.publish", {C.WRITE}),
        ("logging.googleapis.com", "/google.logging.v2.ConfigServiceV2/DeleteSink", "logging:projects.sinks.delete",
         {C.BLIND, C.DESTROY}),
        ("container.googleapis.com", "/google.container.v1.ClusterManager/CreateCluster",
         "container:projects.locations.clusters.create", {C.PROVISION}),
    ],
)  # fmt: skip
def test_grpc_names_and_classes(host: str, path: str, operation: str, classes: set[C]) -> None:
    asked = request(host, "POST", path, b"\x00\x00\x00\x00\x00", content_type="application/grpc+proto")
    action = CODEC.decode(asked)
    assert action.operation == f"gcp:{operation}" and classes <= action.classes
    assert action.parameters["@grpc"] == asked.body
    with pytest.raises(Unencodable):
        CODEC.encode(action, asked)


def test_an_unheard_procedure_is_unknown() -> None:
    for path in ("/google.cloud.compute.v1.Instances/Explode", "/x", "/google.x.Y/z"):
        assert decode(COMPUTE, "POST", path, b"", content_type="application/grpc").undecodable


def test_refusals_look_like_the_service_s_own() -> None:
    asked = request(COMPUTE, "POST", f"{ZONE}/instances", {"name": "x"})
    answer = CODEC.refuse(CODEC.decode(asked), asked, DENIED, MESSAGE)
    error = json.loads(answer.body)["error"]
    assert (answer.status, error["code"], error["status"]) == (403, 403, "PERMISSION_DENIED")
    assert error["message"] == MESSAGE and error["details"][0]["reason"] == "COMPTROLLER_DENIED"


@pytest.mark.parametrize(
    ("status", "body", "made", "charged"),
    [
        (200, {"name": "operation-1", "targetLink": "https://x/instances/vm"}, ("https://x/instances/vm",), True),
        (200, {"name": "projects/p/x"}, ("projects/p/x",), True),
        (403, {"error": {}}, (), False),
        (503, {}, (), None),
    ],
)
def test_what_an_answer_proves(status: int, body: object, made: tuple[str, ...], charged: bool | None) -> None:
    meter = CODEC.meter(decode(COMPUTE, "POST", f"{ZONE}/instances", {"name": "vm"}))
    meter.head(status, [("content-type", "application/json")])
    meter.feed(json.dumps(body).encode())
    outcome = meter.finish(complete=True)
    assert outcome.made == made and outcome.charged is charged and outcome.ok is (status < 300)


def test_headers_that_hold_a_key_are_kept_out_of_logs() -> None:
    asked = request(STORAGE, "GET", "/storage/v1/b/bkt/o/x", x_goog_encryption_key="c2VjcmV0")
    action = sent_again(asked)
    assert "@headers" in action.sensitive
    assert Header("x-goog-encryption-key", "c2VjcmV0") in CODEC.encode(action, asked).headers
