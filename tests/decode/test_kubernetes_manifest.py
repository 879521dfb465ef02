"""Manifests: how many pods of what size, what power they have, which rights they give, whatever form they come in."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from tests.fuzz_kit import fuzz
from wire_kit import request

from comptroller import price
from comptroller.core.action import Action, ActionClass
from comptroller.core.estimate import Unit
from comptroller.decode.jsontext import MalformedJson
from comptroller.decode.kubernetes import KubernetesCodec
from comptroller.decode.kubernetes.workload import amount
from comptroller.decode.kubernetes.yamltext import parse_yaml
from comptroller.price.book import PriceBook

CODEC = KubernetesCodec()
HOST = "c.internal"
BOOK = PriceBook(nodes={"default": 2_000_000, "dear.internal": 98_000_000})
APPS = "/apis/apps/v1/namespaces/train"
GPU = {"name": "m", "image": "pytorch:2", "resources": {"requests": {"cpu": "3500m"}, "limits": {"nvidia.com/gpu": 8}}}


def ask(method: str, target: str, body: object, kind: str = "application/json", host: str = HOST) -> Action:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    action = CODEC.decode(request(host, method, target, raw, content_type=kind))
    assert not action.undecodable, action.reason
    return action


def deployment(**spec: object) -> dict[str, object]:
    template = {"spec": {"containers": [GPU], **spec.pop("pod", {})}}  # type: ignore[dict-item]
    return {"kind": "Deployment", "metadata": {"name": "web"}, "spec": {"template": template, **spec}}


def hourly(action: Action) -> tuple[int, int | None]:
    bound = price.estimate(action, BOOK).bounds[Unit.USD_MICROS_PER_HOUR]
    return bound.low, bound.high


def test_replicas_times_nodes() -> None:
    action = ask("POST", f"{APPS}/deployments", deployment(replicas=6))
    assert action.quantity == 6 and action.classes == {ActionClass.PROVISION, ActionClass.EXECUTE}
    assert action.parameters["facts"] == {"Pods": 6, "CpuMilli": 3500, "Gpus": 8, "Images": ["pytorch:2"]}
    assert CODEC.sentence(action) == "run 6 pods (deployments web: pytorch:2, 8 GPUs, 3.5 CPU each) in namespace train"
    assert hourly(action) == (0, 12_000_000)
    dear = ask("POST", f"{APPS}/deployments", deployment(replicas=6), host="dear.internal")
    assert hourly(dear)[1] == 588_000_000
    assert price.estimate(action).unknown(Unit.USD_MICROS), "without a configured node nobody knows"


@pytest.mark.parametrize(
    ("method", "target", "body", "pods"),
    [
        ("POST", f"{APPS}/deployments", deployment(), 1),
        ("PUT", f"{APPS}/deployments/web", deployment(replicas=8), 10),
        ("PUT", f"{APPS}/deployments/web/scale", {"spec": {"replicas": 40}}, 40),
        ("POST", f"{APPS}/daemonsets", deployment(), None),
        ("POST", f"{APPS}/statefulsets", deployment(replicas=3), 3),
        ("POST", "/apis/batch/v1/namespaces/a/jobs", {"spec": {"parallelism": 5, "completions": 50}}, 5),
        ("POST", "/apis/batch/v1/namespaces/a/jobs", {"spec": {"parallelism": 50, "completions": 5}}, 5),
        ("POST", "/apis/batch/v1/namespaces/a/cronjobs", {"spec": {"jobTemplate": {"spec": {}}}}, None),
        ("POST", "/apis/batch/v1/namespaces/a/cronjobs", {"spec": {"concurrencyPolicy": "Forbid"}}, 1),
        ("POST", "/apis/autoscaling/v2/namespaces/a/horizontalpodautoscalers", {"spec": {"maxReplicas": 99}}, 99),
        ("POST", "/api/v1/namespaces/a/pods", {"spec": {"containers": [GPU]}}, 1),
        ("POST", f"{APPS}/deployments", deployment(replicas="7"), None),
        ("POST", f"{APPS}/deployments", deployment(replicas=10**30), None),
        ("POST", f"{APPS}/deployments", deployment(replicas=-1), None),
    ],
)
def test_how_many(method: str, target: str, body: object, pods: int | None) -> None:
    action = ask(method, target, body)
    facts = action.parameters.get("facts", {})
    assert isinstance(facts, dict) and facts.get("Pods") == pods
    assert hourly(action)[1] == (None if pods is None else pods * 2_000_000)


def test_replicas_of_somebody_elses_resource_are_no_pods() -> None:
    for target in ("/apis/batch.volcano.sh/v1/namespaces/a/jobs", "/apis/apps.kruise.io/v1/namespaces/a/statefulsets"):
        action = ask("POST", target, {"spec": {"replicas": 2, "parallelism": 1}})
        assert hourly(action)[1] is None and action.quantity == 1


def test_volumes_and_devices_come_on_top_of_the_nodes() -> None:
    claims = [{"spec": {"resources": {"requests": {"storage": "10Gi"}}}}]
    assert hourly(ask("POST", f"{APPS}/statefulsets", deployment(replicas=3, volumeClaimTemplates=claims)))[1] is None
    devices = deployment(pod={"resourceClaims": [{"name": "gpu"}]})
    assert hourly(ask("POST", f"{APPS}/deployments", devices))[1] is None
    claim = ask("POST", "/api/v1/namespaces/a/persistentvolumeclaims", claims[0])
    assert hourly(claim)[1] is None and "10 GiB of storage" in CODEC.sentence(claim)


PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"


def op(path: str, value: object, kind: str = "replace") -> dict[str, object]:
    return {"op": kind, "path": path, "value": value}


@pytest.mark.parametrize(
    ("body", "kind", "pods"),
    [
        ({"spec": {"replicas": 5}}, PATCH, 7),
        ({"spec": {"replicas": 5}}, "application/strategic-merge-patch+json", 7),
        ([op("/spec/replicas", 5)], JSON_PATCH, 7),
        (b"spec:\n  replicas: 5\n", "application/apply-patch+yaml", 7),
        ({"metadata": {"labels": {"a": "b"}}}, PATCH, 0),
        ({"spec": {"template": {"spec": {"containers": [GPU]}}}}, PATCH, None),
        ([op("/spec/template/spec/containers/0/image", "x")], JSON_PATCH, None),
        ([{"op": "copy", "from": "/metadata/annotations/n", "path": "/spec/replicas"}], JSON_PATCH, None),
    ],
)
def test_patches(body: object, kind: str, pods: int | None) -> None:
    action = ask("PATCH", f"{APPS}/deployments/web", body, kind)
    assert {ActionClass.PROVISION, ActionClass.EXECUTE} <= action.classes
    assert hourly(action)[1] == (None if pods is None else pods * 2_000_000)


POWER = [
    {"containers": [{"securityContext": {"privileged": True}}]},
    {"containers": [{"securityContext": {"privileged": "true"}}]},
    {"hostNetwork": True},
    {"hostPID": True},
    {"volumes": [{"hostPath": {"path": "/"}}]},
    {"containers": [{"securityContext": {"capabilities": {"add": ["SYS_ADMIN"]}}}]},
    {"ephemeralContainers": [{"securityContext": {"procMount": "Unmasked"}}]},
]


@pytest.mark.parametrize("spec", POWER)
@pytest.mark.parametrize("wrap", ["pod", "deployment", "cronjob", "list", "custom"])
def test_power_over_the_node_is_a_right_wherever_it_stands(spec: dict[str, object], wrap: str) -> None:
    inner: dict[str, object] = {"spec": spec}
    targets = {
        "pod": ("/api/v1/namespaces/a/pods", inner),
        "deployment": (f"{APPS}/deployments", {"spec": {"template": inner}}),
        "cronjob": ("/apis/batch/v1/namespaces/a/cronjobs", {"spec": {"jobTemplate": {"spec": {"template": inner}}}}),
        "list": (f"{APPS}/deployments", {"kind": "List", "items": [{"spec": {"template": inner}}]}),
        "custom": ("/apis/kubeflow.org/v1/namespaces/a/mpijobs", {"spec": {"workers": {"template": inner}}}),
    }
    target, body = targets[wrap]
    assert ActionClass.ENTITLE in ask("POST", target, body).classes


def test_power_by_a_patch() -> None:
    target = f"{APPS}/deployments/web"
    for path, value in (
        ("/spec/template/spec/hostNetwork", True),
        ("/spec/template/spec/containers/0/securityContext/privileged", True),
        ("/spec/template/spec/containers/0/securityContext/capabilities/add/-", "NET_ADMIN"),
        ("/spec/template/spec/volumes/-", {"hostPath": {"path": "/etc"}}),
    ):
        assert ActionClass.ENTITLE in ask("PATCH", target, [op(path, value, "add")], JSON_PATCH).classes
    moved = [{"op": "move", "from": "/spec/a", "path": "/spec/template/spec/hostPID"}]
    assert ActionClass.ENTITLE in ask("PATCH", target, moved, JSON_PATCH).classes


@pytest.mark.parametrize(
    ("target", "body", "cls"),
    [
        ("/api/v1/namespaces/a/services", {"spec": {"type": "LoadBalancer"}}, "provision"),
        ("/api/v1/namespaces/a/services", {"spec": {"externalIPs": ["1.2.3.4"]}}, "entitle"),
        ("/api/v1/namespaces/a/secrets", {"type": "kubernetes.io/service-account-token"}, "entitle"),
        ("/api/v1/namespaces/kube-system/configmaps", {"metadata": {"name": "aws-auth"}}, "entitle"),
        ("/api/v1/namespaces", {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}}, "blind"),
        ("/apis/networking.k8s.io/v1/namespaces/a/networkpolicies", {"spec": {"ingress": [{}]}}, "blind"),
        ("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", {"roleRef": {"name": "cluster-admin"}}, "entitle"),
        ("/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations", {}, "blind"),
    ],
)
def test_what_else_decides(target: str, body: dict[str, object], cls: str) -> None:
    assert cls in ask("POST", target, body).classes


def test_plain_things_stay_plain() -> None:
    assert ask("POST", "/api/v1/namespaces/a/services", {"spec": {"type": "ClusterIP"}}).classes == {ActionClass.WRITE}
    assert ask("POST", "/api/v1/namespaces/a/configmaps", {"data": {"a": "b"}}).classes == {ActionClass.WRITE}
    labelled = ask("PATCH", "/api/v1/namespaces/a", {"metadata": {"labels": {"team": "b"}}}, PATCH)
    assert labelled.classes == {ActionClass.WRITE}
    for body, kind in (
        ([op("/metadata/labels", {"a": "b"})], JSON_PATCH),
        ({"metadata": {"labels": None}}, PATCH),
        ([op("/metadata/labels/pod-security.kubernetes.io~1enforce", None, "remove")], JSON_PATCH),
    ):
        assert ActionClass.BLIND in ask("PATCH", "/api/v1/namespaces/a", body, kind).classes


def test_a_binding_says_who_gains_what() -> None:
    body = {
        "metadata": {"name": "b"},
        "roleRef": {"kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", "name": "agent", "namespace": "dev"}],
    }
    action = ask("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", body)
    assert "gives ClusterRole/cluster-admin to ServiceAccount/dev/agent" in CODEC.sentence(action)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("500m", Decimal("0.5")),
        ("1.5Gi", Decimal("1610612736")),
        ("2e3", Decimal(2000)),
        ("100k", Decimal(100_000)),
        ("1E", Decimal(10) ** 18),
        (".5", Decimal("0.5")),
        (8, Decimal(8)),
        (Decimal("0.25"), Decimal("0.25")),
        ("-1", None),
        ("1 Gi", None),
        ("", None),
        (True, None),
        ("9" * 40, None),
        (None, None),
    ],
)
def test_quantities(text: object, number: Decimal | None) -> None:
    assert amount(text) == number


@pytest.mark.parametrize(
    "text",
    [
        "a: &x 1\nb: *x",
        "a: !!python/object:os.system x",
        "<<: {a: 1}",
        "a: 1\na: 2",
        "a: yes",
        "a: 0o14",
        "a: 0x1f",
        "a: 1_000",
        "a: 2026-11-01",
        "a: 1:30",
        "a: .inf",
        "1: a",
        "? [a]\n: b",
        "a: 1\n---\nb: 2",
        "",
        "[" * 200,
        "a: 'x",
        "a: 1" + "_" * 60_000 + "x",
        "1" + "_" * 60_000 + "x: a",
        "a: " + "x" * (300 << 10),
    ],
)
def test_yaml_with_more_than_one_reading_is_refused(text: str) -> None:
    with pytest.raises(MalformedJson):
        parse_yaml(text.encode())


@fuzz(150)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(max_size=12),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
        max_leaves=12,
    )
)
def test_yaml_reads_what_the_library_writes_or_refuses(value: object) -> None:
    text = yaml.safe_dump(value, allow_unicode=True, default_flow_style=False)
    try:
        read = parse_yaml(text.encode("utf-8", "surrogatepass"))
    except MalformedJson:
        return
    assert read == value
