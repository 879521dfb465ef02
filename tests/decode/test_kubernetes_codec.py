"""Kubernetes: requests of the real client decode right, and nothing a caller controls makes an action weaker."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from bench.kubernetes_wire import calls, right
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from tests.fuzz_kit import fuzz
from wire_kit import DENIED, MESSAGE, again, request

from comptroller.core.action import Action, ActionClass, digest
from comptroller.core.config import parse_config
from comptroller.core.request import Header, NativeResponse, Request, Unencodable
from comptroller.decode.kubernetes import KubernetesCodec
from comptroller.decode.registry import CodecRegistry
from comptroller.testing.strategies import json_values

CODEC = KubernetesCodec()
HOST = "0a1b.gr7.us-east-1.eks.amazonaws.com"
GOLDEN = Path(__file__).parent.parent / "golden/kubernetes_classes.tsv"


def ask(method: str, target: str, body: object = b"", **headers: str) -> Action:
    return CODEC.decode(request(HOST, method, target, body, **headers))  # type: ignore[arg-type]


def classes(action: Action) -> str:
    return " ".join(sorted(action.classes))


def test_every_generated_call_of_the_real_client_is_what_its_name_says() -> None:
    wrong = [call.method for call in calls() if not right(call, CODEC.decode(call.request))]
    assert wrong == []


def test_every_operation_has_classes_as_in_the_golden_table() -> None:
    rows = [f"{name}\t{' '.join(sorted(found))}" for name, found in sorted(CODEC.known().items())]
    assert rows == GOLDEN.read_text("utf-8").splitlines(), "review the difference, then write the file anew"


@pytest.mark.parametrize(
    ("method", "target", "operation", "found"),
    [
        ("GET", "/api/v1/namespaces/a/pods", "core/pods:list", "read"),
        ("HEAD", "/api/v1/namespaces/a/pods/p", "core/pods:get", "read"),
        ("GET", "/api/v1/pods?watch=1", "core/pods:watch", "read"),
        ("GET", "/api/v1/pods?watch=False", "core/pods:list", "read"),
        ("GET", "/api/v1/watch/namespaces/a/secrets", "core/secrets:watch", "read reveal"),
        ("GET", "/api/v1/namespaces/a/secrets/s", "core/secrets:get", "read reveal"),
        ("GET", "/api/v1/namespaces/a/secr%65ts/s", "core/secrets:get", "read reveal"),
        ("GET", "/api/v1/namespaces/a/pods/p/log?follow=true", "core/pods/log:get", "read"),
        ("GET", "/api/v1/namespaces/a/pods/p/exec?command=sh", "core/pods/exec:get", "execute"),
        ("GET", "/api/v1/namespaces/a/pods/p/proxy/a/b?x=1", "core/pods/proxy:get", "execute"),
        ("GET", "/api/v1/proxy/namespaces/a/pods/p/x", "core/pods:proxy", "execute"),
        ("OPTIONS", "/api/v1/namespaces/a/services/s/proxy", "core/services/proxy:options", "execute"),
        ("GET", "/api/v1/nodes/n/proxy/run/a/b/c?cmd=id", "core/nodes/proxy:get", "execute reveal"),
        ("POST", "/api/v1/namespaces/a/serviceaccounts/s/token", "core/serviceaccounts/token:create", "entitle reveal"),
        ("POST", "/api/v1/namespaces/a/pods/p/eviction", "core/pods/eviction:create", "destroy"),
        ("DELETE", "/api/v1/namespaces/a", "core/namespaces:delete", "destroy"),
        ("PUT", "/api/v1/namespaces/a/finalize", "core/namespaces/finalize:update", "blind destroy"),
        ("DELETE", "/api/v1/namespaces/a/events", "core/events:deletecollection", "blind destroy"),
        (
            "DELETE",
            "/apis/networking.k8s.io/v1/namespaces/a/networkpolicies/n",
            "networking.k8s.io/networkpolicies:delete",
            "blind destroy",
        ),
        ("DELETE", "/api/v1/namespaces/a/secrets/s", "core/secrets:delete", "destroy reveal"),
        (
            "POST",
            "/apis/kubeflow.org/v1/namespaces/a/pytorchjobs",
            "kubeflow.org/pytorchjobs:create",
            "execute provision write",
        ),
        ("GET", "/apis/subresources.kubevirt.io/v1/namespaces/a/virtualmachineinstances/v/vnc", None, "execute write"),
        ("GET", "/apis/metrics.k8s.io/v1beta1/nodes", "metrics.k8s.io/nodes:list", "read"),
        ("GET", "/healthz/etcd", "url/healthz:get", "read"),
        ("GET", "/openapi/v3", "url/openapi:get", "read"),
        ("GET", "/", "url/root:get", "read"),
    ],
)
def test_paths(method: str, target: str, operation: str | None, found: str) -> None:
    body: object = {"metadata": {}} if (method in ("POST", "PUT") and "finalize" in target) or "jobs" in target else b""
    action = ask(method, target, body)
    assert not action.undecodable, action.reason
    assert operation is None or action.operation == f"kubernetes:{operation}"
    assert classes(action) == found


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/api/v1/Secrets"),
        ("GET", "/api/v1/secrets;x=1"),
        ("GET", "/api/v1//secrets"),
        ("GET", "/api/v1/namespaces/a%2Fsecrets"),
        ("GET", "/api/v1/widgets"),
        ("GET", "/apis/apps/v1/secrets"),
        ("GET", "/apis/core/v1/secrets"),
        ("GET", "/api/v1/pods?watch=true&watch=false"),
        ("GET", "/api/v1/pods?dryRun=All;x=1"),
        ("POST", "/healthz"),
        ("GET", "/k8s/clusters/c/api/v1/secrets"),
        ("TRACE", "/api/v1/pods"),
        ("OPTIONS", "/api/v1/pods"),
        ("DELETE", "/api/v1/watch/pods"),
        ("GET", "/api/v1/watch"),
        ("GET", "/api/v1/namespaces/a/pods/p/log/x"),
    ],
)
def test_what_has_no_single_reading_is_unknown(method: str, target: str) -> None:
    action = ask(method, target)
    assert action.undecodable and action.reason


@pytest.mark.parametrize("name", ["x-http-method-override", "x-original-url", "impersonate-extra-scopes"])
def test_headers_that_change_the_meaning_are_refused(name: str) -> None:
    assert ask("GET", "/api/v1/pods", **{name: "DELETE"}).undecodable


def test_acting_as_somebody_else_is_a_change_of_rights_and_is_carried() -> None:
    asked = request(HOST, "GET", "/api/v1/pods", impersonate_user="admin", authorization="Bearer x")
    action = CODEC.decode(asked)
    assert classes(action) == "entitle read" and "as admin" in CODEC.sentence(action)
    sent = CODEC.encode(action, asked)
    assert Header("impersonate-user", "admin") in sent.headers
    assert "authorization" not in {header.name for header in sent.headers}


def test_a_dry_run_is_read_only_where_the_server_would_see_it() -> None:
    pod = {"metadata": {"name": "p"}, "spec": {"containers": []}}
    assert classes(ask("POST", "/api/v1/namespaces/a/pods?dryRun=All", pod)) == "read"
    assert classes(ask("DELETE", "/api/v1/namespaces/a/pods?dryRun=All")) == "read"
    assert classes(ask("DELETE", "/api/v1/namespaces/a/pods?dryRun=All", {"gracePeriodSeconds": 0})) == "destroy"
    assert classes(ask("DELETE", "/api/v1/namespaces/a/pods", {"dryRun": ["All"]})) == "read"
    assert classes(ask("DELETE", "/api/v1/namespaces/a/secrets?dryRun=All")) == "read reveal"
    for name in ("dryrun", "DryRun"):
        assert classes(ask("DELETE", f"/api/v1/namespaces/a/pods?{name}=All")) == "destroy"
    assert classes(ask("DELETE", "/api/v1/namespaces/a/pods?dryRun=all")) == "destroy"
    assert classes(ask("POST", "/api/v1/namespaces/a/serviceaccounts/s/token?dryRun=All", {})) == "entitle reveal"
    assert "provision" in classes(ask("POST", "/apis/kubeflow.org/v1/namespaces/a/mpijobs?dryRun=All", {}))
    assert "execute" in classes(ask("POST", "/api/v1/namespaces/a/pods/p/exec?command=sh&dryRun=All"))


def test_a_shell_is_understood_and_never_carried() -> None:
    asked = request(
        HOST,
        "POST",
        "/api/v1/namespaces/train/pods/web-0/exec?command=rm&command=-rf&command=%2Fdata&stdin=true",
        upgrade="SPDY/3.1",
        connection="Upgrade",
    )
    action = CODEC.decode(asked)
    assert action.operation == "kubernetes:core/pods/exec:create" and classes(action) == "execute"
    assert CODEC.sentence(action) == "run `rm -rf /data` in pod web-0 in namespace train"
    with pytest.raises(Unencodable, match="becomes a connection"):
        CODEC.encode(action, asked)
    socket = CODEC.decode(request(HOST, "GET", "/api/v1/pods?watch=1", sec_websocket_key="x", upgrade="websocket"))
    assert classes(socket) == "read"
    with pytest.raises(Unencodable):
        CODEC.encode(socket, request(HOST, "GET", "/api/v1/pods?watch=1"))


@pytest.mark.parametrize(
    "kind",
    [
        "application/vnd.kubernetes.protobuf",
        "application/apply-patch+cbor",
        "text/plain",
        "application/json-patch+json",
    ],
)
def test_bodies_that_cannot_be_read_say_so(kind: str) -> None:
    action = CODEC.decode(request(HOST, "POST", "/api/v1/namespaces/a/pods", b"k8s\x00\x01", content_type=kind))
    assert action.undecodable
    if "protobuf" in kind:
        assert "use JSON" in action.reason


def test_refusals_are_a_status_the_real_client_understands() -> None:
    from kubernetes import client

    asked = request(HOST, "DELETE", "/apis/apps/v1/namespaces/a/deployments/web")
    action = CODEC.decode(asked)
    answer = CODEC.refuse(action, asked, DENIED, MESSAGE)
    body = json.loads(answer.body)
    assert (body["kind"], body["reason"], body["code"], answer.status) == ("Status", "Forbidden", 403, 403)
    assert body["details"] == {"name": "web", "kind": "deployments", "group": "apps"} and MESSAGE in body["message"]
    with pytest.raises(client.exceptions.ForbiddenException, match="no rule permits this"):
        raise client.ApiException.from_response(http_resp=_Answer(answer), body=answer.body.decode(), data=None)


class _Answer:
    """What the client's own reader of answers looks at."""

    def __init__(self, answer: NativeResponse) -> None:
        self.status, self.reason, self.data = answer.status, "Forbidden", answer.body
        self.headers = {header.name: header.value for header in answer.headers}


def test_the_meter_names_what_was_made() -> None:
    action = ask("POST", "/apis/apps/v1/namespaces/a/deployments", {"metadata": {"name": "web"}, "spec": {}})
    meter = CODEC.meter(action)
    meter.head(201, [])
    meter.feed(b'{"metadata":{"name":"web","namespace":"a"}}')
    assert meter.finish(complete=True).made == ("a/deployments/web",)
    refused = CODEC.meter(action)
    refused.head(403, [])
    assert refused.finish(complete=True).charged is False


def test_a_cluster_of_ones_own_is_configured_and_a_managed_one_beats_aws() -> None:
    registry = CodecRegistry({"k8s.internal": "kubernetes"})
    assert registry.codec_for(request("k8s.internal", "GET", "/")).name == "kubernetes"
    assert registry.codec_for(request(HOST, "GET", "/")).name == "kubernetes"
    assert registry.codec_for(request("eks.us-east-1.amazonaws.com", "GET", "/")).name == "aws"
    document = {
        "version": 1,
        "organization": "acme",
        "teams": {},
        "people": {},
        "agents": {},
        "services": {"cluster": {"codec": "kubernetes", "hosts": ["k8s.internal"]}},
    }
    assert parse_config(document, origin="x").services["cluster"].codec == "kubernetes"


SEGMENTS = st.sampled_from(
    [
        "api",
        "apis",
        "v1",
        "apps",
        "namespaces",
        "a",
        "pods",
        "secrets",
        "exec",
        "proxy",
        "watch",
        "status",
        "Secrets",
        "",
        "deployments",
        "scale",
        "kubeflow.org",
        "jobs",
        "%2e%2e",
        "secr%65ts",
        "a;b",
        "%C3%A9",
        "log",
        "healthz",
    ]
)
TARGETS = st.builds(
    lambda parts, query: "/" + "/".join(parts) + query,
    st.lists(SEGMENTS, max_size=9),
    st.sampled_from(
        ["", "?watch=1", "?dryRun=All", "?dryRun=All&dryRun=", "?command=a&command=b", "?%64ryRun=All", "?=&&"]
    ),
)
OBJECTS = st.recursive(
    st.sampled_from([None, True, 1, 3, "5", "LoadBalancer", "500m", "8Gi", 10**12]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "spec",
                    "replicas",
                    "template",
                    "containers",
                    "resources",
                    "limits",
                    "nvidia.com/gpu",
                    "cpu",
                    "privileged",
                    "hostPath",
                    "metadata",
                    "labels",
                    "name",
                    "type",
                    "roleRef",
                    "subjects",
                    "items",
                    "kind",
                    "path",
                    "op",
                    "value",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=16,
)
KINDS = st.sampled_from(
    [
        "application/json",
        "application/json-patch+json",
        "application/merge-patch+json",
        "application/apply-patch+yaml",
        "",
        "application/yaml",
        "application/strategic-merge-patch+json",
        "application/vnd.kubernetes.protobuf",
    ]
)


@fuzz(200, suppress_health_check=[HealthCheck.too_slow])
@given(
    method=st.sampled_from(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "get"]),
    target=TARGETS,
    body=st.one_of(OBJECTS.map(lambda value: json.dumps(value).encode()), json_values.map(json.dumps).map(str.encode))
    | st.binary(max_size=40)
    | st.text(alphabet="ab: -\n'\"[]{}&*!1~", max_size=40).map(str.encode),
    kind=KINDS,
    upgrade=st.sampled_from(["", "websocket", "SPDY/3.1"]),
)
def test_total_deterministic_and_the_same_again(method: str, target: str, body: bytes, kind: str, upgrade: str) -> None:
    headers = {"content_type": kind} if kind else {}
    asked: Request = request(HOST, method, target, body, **headers, **({"upgrade": upgrade} if upgrade else {}))
    action = CODEC.decode(asked)
    assert action.classes and digest(action) == digest(CODEC.decode(asked)) and CODEC.sentence(action)
    assert action.quantity >= 1
    if action.undecodable:
        assert action.reason
        return
    try:
        sent = CODEC.encode(action, asked)
    except Unencodable:
        assert upgrade
        return
    second = CODEC.decode(again(sent, asked))
    assert digest(second) == digest(action) and second.classes == action.classes


@fuzz(100)
@given(
    secret=st.sampled_from(["secrets", "pods/p/exec", "serviceaccounts/s/token"]), name=st.text(min_size=1, max_size=6)
)
def test_no_name_makes_a_secret_plain(secret: str, name: str) -> None:
    from urllib.parse import quote

    action = ask("GET", f"/api/v1/namespaces/{quote(name, safe='')}/{secret}")
    strong = {ActionClass.REVEAL, ActionClass.EXECUTE, ActionClass.UNKNOWN, ActionClass.ENTITLE}
    assert action.classes & strong or "/status" in action.operation or name in ("status", "finalize")
