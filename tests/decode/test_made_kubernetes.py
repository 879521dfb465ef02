"""What lives on in a cluster: named by answers, stopped, deleted, listed and labelled."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fuzz_kit import fuzz
from wire_kit import again, request

from comptroller.core.action import Action, digest
from comptroller.core.estimate import Outcome
from comptroller.core.made import Liveness, Made, Way
from comptroller.decode.kubernetes import KubernetesCodec
from comptroller.decode.kubernetes.lasting import KINDS
from comptroller.decode.made import closes, listed, listing, liveness, order, request_for
from comptroller.decode.tags import tagged, touches_our_tags

CODEC = KubernetesCodec()
HOST = "ab12.gr7.us-east-1.eks.amazonaws.com"
OURS = {"comptroller:agent": "researcher", "comptroller:run": "run-1", "comptroller:holding-of": "Acme Inc."}
LABELS = {"comptroller/agent": "researcher", "comptroller/holding-of": "Acme-Inc", "comptroller/run": "run-1"}
DONE = Outcome(status=200, ok=True, complete=True)
POD = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
DEPLOYMENT: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web"},
    "spec": {"replicas": 4, "selector": {"matchLabels": {"app": "web"}}, "template": POD},
}
DEPLOYMENTS = "/apis/apps/v1/namespaces/shop/deployments"
WEB = Made(kind="kubernetes:apps/deployments", resource="shop/web", account="", region="us-east-1", endpoint=HOST)


def decoded(method: str, path: str, body: dict[str, Any] | bytes = b"", **headers: str) -> Action:
    action = CODEC.decode(request(HOST, method, path, body, **headers))
    assert not action.undecodable, action.reason
    return action


def made(action: Action, status: int, answer: Mapping[str, Any] | bytes) -> tuple[Made, ...]:
    meter = CODEC.meter(action)
    meter.head(status, ())
    meter.feed(answer if isinstance(answer, bytes) else json.dumps(answer).encode())
    return meter.finish(complete=True).holdings


def resent(action: Action) -> Action:
    first = request_for(action)
    return CODEC.decode(again(CODEC.encode(action, first), first))


def test_a_workload_is_named_by_its_answer() -> None:
    action = decoded("POST", DEPLOYMENTS, DEPLOYMENT)
    (one,) = made(action, 201, {"metadata": {"name": "web", "namespace": "shop"}})
    assert one.key == WEB.key and one.share == 4
    generated = decoded("POST", DEPLOYMENTS, {**DEPLOYMENT, "metadata": {"generateName": "web-"}})
    assert made(generated, 201, {"metadata": {"name": "web-x1", "namespace": "shop"}})[0].resource == "shop/web-x1"
    for answer in (
        {"metadata": {"name": "web", "namespace": "kube-system"}},
        {"metadata": {"name": "other", "namespace": "shop"}},
        {"metadata": {"name": "web/../x", "namespace": "shop"}},
        {"metadata": {"name": "web"}},
        {},
    ):
        assert made(action, 201, answer) == ()
    assert made(action, 200, {"metadata": {"name": "web", "namespace": "shop"}}) == ()
    service = decoded("POST", "/api/v1/namespaces/shop/services", {"metadata": {"name": "s"}, "spec": {}})
    named = {"metadata": {"name": "s", "namespace": "shop"}}
    assert made(service, 201, {**named, "spec": {"type": "ClusterIP"}}) == ()
    assert made(service, 201, {**named, "spec": {"type": "LoadBalancer"}})[0].kind == "kubernetes:core/services"


@pytest.mark.parametrize("kind", KINDS)
def test_every_order_is_what_would_be_decoded(kind: str) -> None:
    thing = replace(WEB, kind=kind, endpoint=f"{HOST}:6443", account="prod")
    for way in Way:
        action = order(thing, way, agent="keeper", run="run-1")
        if action is None:
            assert way is Way.STOP and not (KINDS[kind].scales or KINDS[kind].suspends)
            continue
        assert (action.agent, action.run, action.endpoint) == ("keeper", "run-1", thing.endpoint)
        assert resent(replace(action, account="")).parameters == action.parameters
        ended = closes(action, DONE)
        assert [one.way for one in ended] == ([] if way is Way.LOOK else [way])
        assert all(one.made.resource == thing.resource for one in ended)
    assert order(replace(thing, resource="no-namespace"), Way.LOOK, agent="k", run="r") is None
    assert order(replace(thing, resource="a/b/c"), Way.DELETE, agent="k", run="r") is None


def looked(kind: str, spec: Mapping[str, Any], status: Mapping[str, Any]) -> Liveness:
    body = {"metadata": {"name": "web", "namespace": "shop"}, "spec": spec, "status": status}
    return liveness(replace(WEB, kind=f"kubernetes:{kind}"), 200, json.dumps(body).encode())


def test_a_look_says_how_it_is() -> None:
    assert looked("apps/deployments", {"replicas": 4}, {"replicas": 4}) is Liveness.LIVE
    assert looked("apps/deployments", {"replicas": 0}, {"replicas": 3}) is Liveness.LIVE
    assert looked("apps/deployments", {"replicas": 0}, {}) is Liveness.STOPPED
    assert looked("batch/jobs", {}, {"active": 1}) is Liveness.LIVE
    assert looked("batch/jobs", {"suspend": True}, {}) is Liveness.STOPPED
    assert looked("batch/jobs", {}, {"conditions": [{"type": "Complete", "status": "True"}]}) is Liveness.GONE
    assert looked("core/pods", {}, {"phase": "Running"}) is Liveness.LIVE
    assert looked("core/pods", {}, {"phase": "Failed"}) is Liveness.GONE
    missing = {"kind": "Status", "reason": "NotFound", "code": 404, "details": {"name": "web", "kind": "deployments"}}
    assert liveness(WEB, 404, json.dumps(missing).encode()) is Liveness.GONE
    assert liveness(WEB, 404, b"404 page not found") is Liveness.UNKNOWN
    assert liveness(WEB, 404, json.dumps({**missing, "details": {"name": "other"}}).encode()) is Liveness.UNKNOWN
    assert liveness(WEB, 403, json.dumps({**missing, "reason": "Forbidden"}).encode()) is Liveness.UNKNOWN
    other = {"metadata": {"name": "web", "namespace": "other"}, "spec": {"replicas": 0}}
    assert liveness(WEB, 200, json.dumps(other).encode()) is Liveness.UNKNOWN


def test_what_ends_a_thing() -> None:
    merge = {"content_type": "application/merge-patch+json"}
    patch = {"content_type": "application/json-patch+json"}
    zero = json.dumps({"spec": {"replicas": 0}}).encode()
    one = json.dumps({"spec": {"replicas": 1}}).encode()
    operations = json.dumps([{"op": "replace", "path": "/spec/replicas", "value": 0}]).encode()
    path = f"{DEPLOYMENTS}/web"
    for action, way in (
        (decoded("DELETE", path), Way.DELETE),
        (decoded("PATCH", f"{path}/scale", zero, **merge), Way.STOP),
        (decoded("PATCH", path, zero, **merge), Way.STOP),
        (decoded("PATCH", path, operations, **patch), Way.STOP),
        (decoded("PATCH", path, one, **merge), None),
        (decoded("DELETE", f"{path}?dryRun=All"), None),
        (decoded("GET", path), None),
        (decoded("DELETE", DEPLOYMENTS), None),
        (decoded("DELETE", "/api/v1/namespaces/shop"), None),
    ):
        assert [(one.made.resource, one.way) for one in closes(action, DONE)] == ([("shop/web", way)] if way else [])
    assert closes(decoded("DELETE", path), replace(DONE, status=409, ok=False)) == ()


def test_labels_at_creation() -> None:
    action = decoded("POST", DEPLOYMENTS, DEPLOYMENT)
    once = tagged(action, OURS)
    manifest: Any = once.parameters["manifest"]
    assert manifest["metadata"] == {"name": "web", "labels": LABELS}
    assert manifest["spec"]["template"]["metadata"]["labels"] == {**LABELS, "app": "web"}
    assert manifest["spec"]["selector"] == DEPLOYMENT["spec"]["selector"]
    assert tagged(once, OURS) == once and digest(resent(once)) == digest(replace(once, account=""))
    claims = {**DEPLOYMENT, "spec": {"volumeClaimTemplates": [{"metadata": {"name": "d"}}], "template": POD}}
    stateful: Any = tagged(decoded("POST", "/apis/apps/v1/namespaces/shop/statefulsets", claims), OURS)
    assert stateful.parameters["manifest"]["spec"]["volumeClaimTemplates"][0]["metadata"]["labels"] == LABELS
    for untouched in (
        decoded("POST", f"{DEPLOYMENTS}?dryRun=All", DEPLOYMENT),
        decoded("PUT", f"{DEPLOYMENTS}/web", DEPLOYMENT),
        decoded("POST", "/api/v1/namespaces/shop/configmaps", {"metadata": {"name": "c"}}),
        decoded("DELETE", f"{DEPLOYMENTS}/web"),
    ):
        assert tagged(untouched, OURS) is untouched


def test_our_labels_are_ours() -> None:
    path = f"{DEPLOYMENTS}/web"
    merge = {"content_type": "application/merge-patch+json"}
    patch = {"content_type": "application/json-patch+json"}
    strategic = {"content_type": "application/strategic-merge-patch+json"}

    def touches(body: object, **headers: str) -> bool:
        return touches_our_tags(decoded("PATCH", path, json.dumps(body).encode(), **headers))

    assert touches({"metadata": {"labels": {"comptroller/run": None}}}, **merge)
    assert touches({"metadata": {"labels": None}}, **merge)
    assert not touches({"metadata": {"labels": {"app": "x"}}}, **merge)
    for replaced in (
        {"metadata": {"labels": {"$patch": "replace", "app": "x"}}},
        {"metadata": {"$patch": "replace", "name": "web"}},
        {"metadata": {"$retainKeys": ["name"]}},
        {"metadata": {"labels": {"$retainKeys": ["app"]}}},
        {"metadata": None},
        {"$patch": "replace", "metadata": {"name": "web"}},
    ):
        assert touches(replaced, **strategic), replaced
    strategy = {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}
    assert not touches(strategy, **strategic), "as kubectl writes it"
    assert not touches({"metadata": {"$deleteFromPrimitiveList/finalizers": ["a/b"]}}, **strategic)
    assert touches([{"op": "remove", "path": "/metadata/labels/comptroller~1run"}], **patch)
    assert touches([{"op": "replace", "path": "/metadata/labels", "value": {}}], **patch)
    assert not touches([{"op": "add", "path": "/metadata/labels/app", "value": "x"}], **patch)
    written = {**DEPLOYMENT, "metadata": {"name": "web", "labels": {"comptroller/agent": "somebody"}}}
    back = {**DEPLOYMENT, "metadata": {"name": "web", "labels": LABELS}}
    assert touches_our_tags(decoded("POST", DEPLOYMENTS, written))
    assert touches_our_tags(decoded("PUT", path, written))
    assert not touches_our_tags(decoded("PUT", path, back))
    assert not touches_our_tags(decoded("GET", f"{DEPLOYMENTS}?labelSelector=comptroller%2Frun%3Dx"))


def test_a_listing_by_label_goes_on() -> None:
    actions = listing(WEB, {"comptroller:run": "run-1"}, agent="keeper", run="run-1")
    assert len(actions) == len(KINDS)
    action = next(one for one in actions if "deployments" in one.operation)
    items = [{"metadata": {"name": "web", "namespace": "shop", "labels": LABELS}}, {"metadata": {"name": "x"}}]
    page = {"kind": "DeploymentList", "metadata": {"continue": "a/b="}, "items": items}
    found = listed(action, 200, json.dumps(page).encode())
    assert found is not None and [one.made.key for one in found[0]] == [WEB.key]
    assert found[0][0].tags["comptroller:run"] == "run-1"
    more = found[1]
    assert more is not None and more.operation == action.operation
    assert ["continue", "a%2Fb%3D"] in resent(more).parameters["query"]  # type: ignore[operator]
    assert listed(action, 403, b"{}") is None and listed(action, 200, b"{") is None


JSONS = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["web", "shop", "NotFound", "Status", "True"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["metadata", "name", "namespace", "spec", "status", "kind", "details", "items", "replicas"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@fuzz(300)
@given(answer=JSONS, status=st.integers(-1, 600), cut=st.integers(0, 300), kind=st.sampled_from(sorted(KINDS)))
def test_any_answer_says_something_or_nothing(answer: object, status: int, cut: int, kind: str) -> None:
    body = json.dumps(answer).encode()[:cut]
    if status not in (200, 404):
        assert liveness(replace(WEB, kind=kind), status, body) is Liveness.UNKNOWN
    else:
        liveness(replace(WEB, kind=kind), status, body)
    for one in made(decoded("POST", DEPLOYMENTS, DEPLOYMENT), status, body):
        assert one.key == WEB.key
    for action in listing(WEB, OURS, agent="a", run="r")[:2]:
        listed(action, status, body)
