"""What lives on in Google Cloud, Azure and Stripe: named, stopped, deleted, looked at, listed and tagged."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fuzz_kit import fuzz
from wire_kit import again, request

from comptroller.core.action import Action, digest
from comptroller.core.estimate import Outcome
from comptroller.core.made import Liveness, Made, Way
from comptroller.core.request import Outgoing
from comptroller.decode.azure.lasting import KINDS
from comptroller.decode.codec import Codec
from comptroller.decode.made import closes, listed, listing, liveness, order, request_for
from comptroller.decode.registry import CodecRegistry
from comptroller.decode.tags import tagged, touches_our_tags
from comptroller.testing.fake_stripe import FakeStripe

REGISTRY = CodecRegistry()
OURS = {"comptroller:agent": "researcher", "comptroller:run": "run-1", "comptroller:holding-of": "Acme Inc."}
DONE = Outcome(status=200, ok=True, complete=True)
WHO = {"agent": "keeper", "run": "run-1"}


def codec(host: str) -> Codec:
    return REGISTRY.codec_for(request(host, "GET", "/"))


def decoded(host: str, method: str, target: str, body: Any = b"", **headers: str) -> Action:
    action = codec(host).decode(request(host, method, target, body, **headers))
    assert not action.undecodable, action.reason
    return action


def made(action: Action, status: int, answer: object) -> tuple[Made, ...]:
    meter = codec(action.host).meter(action)
    meter.head(status, ())
    meter.feed(answer if isinstance(answer, bytes) else json.dumps(answer).encode())
    return meter.finish(complete=True).holdings


def written(action: Action) -> Outgoing:
    return codec(action.host).encode(action, request_for(action))


def resent(action: Action) -> Action:
    return codec(action.host).decode(again(written(action), request_for(action)))


def ordered(thing: Made, way: Way) -> Action:
    action = order(thing, way, **WHO)
    assert action is not None, (thing, way)
    assert resent(action).parameters == action.parameters
    ended = [(one.made.resource, one.way) for one in closes(action, DONE)]
    assert ended == ([] if way is Way.LOOK else [(thing.resource, way)])
    assert closes(action, replace(DONE, status=403, ok=False)) == ()
    return action


def said(thing: Made, status: int, answer: object) -> Liveness:
    return liveness(thing, status, json.dumps(answer).encode())


# ---------------------------------------------------------------- Google Cloud

COMPUTE = "compute.googleapis.com"
ZONE = "/compute/v1/projects/shop/zones/us-central1-a/instances"
MACHINE = {"name": "worker", "machineType": "zones/us-central1-a/machineTypes/n2-standard-8"}
LINK = "https://www.googleapis.com/compute/v1/projects/{}/zones/us-central1-a/instances/{}"


def machine() -> Made:
    (one,) = made(decoded(COMPUTE, "POST", ZONE, MACHINE), 200, {"targetLink": LINK.format("shop", "worker")})
    return one


def test_google_names_in_the_project_of_the_request() -> None:
    one = machine()
    assert (one.kind, one.account, one.region) == ("gcp:compute:instances", "shop", "us-central1")
    assert one.resource == "projects/shop/zones/us-central1-a/instances/worker"
    stranger = made(decoded(COMPUTE, "POST", ZONE, MACHINE), 200, {"targetLink": LINK.format("other", "worker")})
    assert [two.key for two in stranger] == [one.key]
    for answer in ({"targetLink": "x/disks/worker"}, {"name": "operation-1"}, {"targetLink": "a/instances/../x"}, {}):
        assert made(decoded(COMPUTE, "POST", ZONE, MACHINE), 200, answer) == ()
    assert made(decoded(COMPUTE, "POST", ZONE, MACHINE), 403, {"targetLink": LINK.format("shop", "worker")}) == ()
    parent = "/v1/projects/shop/locations/us-central1/clusters"
    cluster = decoded("container.googleapis.com", "POST", parent, {"cluster": {"name": "c", "initialNodeCount": 3}})
    link = "https://container.googleapis.com/v1/projects/12345/locations/us-central1/clusters/c"
    assert made(cluster, 200, {"name": "operation-1", "targetLink": link})[0].resource == parent[4:] + "/c"
    endpoint = "us-central1-aiplatform.googleapis.com"
    model = decoded(endpoint, "POST", "/v1/projects/shop/locations/us-central1/endpoints", {"displayName": "e"})
    for one in made(model, 200, {"name": "projects/1/locations/us-central1/endpoints/42/operations/7"}):
        assert one.resource == "projects/shop/locations/us-central1/endpoints/42"


def test_google_stops_deletes_and_looks() -> None:
    one = machine()
    assert ordered(one, Way.STOP).operation == "gcp:compute:instances.stop"
    assert ordered(one, Way.DELETE).operation == "gcp:compute:instances.delete"
    assert written(ordered(one, Way.LOOK)).target == f"{ZONE}/worker"
    assert said(one, 200, {"name": "worker", "status": "RUNNING"}) is Liveness.LIVE
    assert said(one, 200, {"name": "worker", "status": "STOPPING"}) is Liveness.LIVE
    assert said(one, 200, {"name": "worker", "status": "TERMINATED"}) is Liveness.STOPPED
    assert said(one, 200, {"name": "other", "status": "TERMINATED"}) is Liveness.UNKNOWN
    assert said(one, 404, {"error": {"code": 404, "errors": [{"reason": "notFound"}]}}) is Liveness.GONE
    assert said(one, 404, {"error": "x"}) is Liveness.UNKNOWN
    assert said(one, 403, {"error": {"code": 404, "status": "NOT_FOUND"}}) is Liveness.UNKNOWN
    base = replace(one, kind="gcp:sqladmin:instances", endpoint="sqladmin.googleapis.com")
    base = replace(base, resource="projects/shop/instances/db")
    assert ordered(base, Way.STOP).parameters["settings"] == {"activationPolicy": "NEVER"}
    assert said(base, 200, {"name": "db", "settings": {"activationPolicy": "NEVER"}}) is Liveness.STOPPED
    job = replace(one, kind="gcp:aiplatform:customJobs", endpoint="us-central1-aiplatform.googleapis.com")
    job = replace(job, resource="projects/shop/locations/us-central1/customJobs/9")
    assert ordered(job, Way.STOP).operation.endswith("customJobs.cancel")
    assert said(job, 200, {"name": "projects/1/x/customJobs/9", "state": "JOB_STATE_SUCCEEDED"}) is Liveness.GONE
    assert order(replace(one, resource="projects/shop/../x"), Way.DELETE, **WHO) is None
    assert order(replace(one, kind="gcp:compute:nonsense"), Way.DELETE, **WHO) is None


def test_google_labels() -> None:
    action = decoded(COMPUTE, "POST", ZONE, {**MACHINE, "labels": {"team": "x"}})
    once = tagged(action, OURS)
    wanted = {"comptroller-agent": "researcher", "comptroller-run": "run-1", "comptroller-holding-of": "acme-inc-"}
    assert once.parameters["labels"] == {**wanted, "team": "x"}
    assert tagged(once, OURS) == once and digest(resent(once)) == digest(once)
    assert tagged(decoded(COMPUTE, "GET", ZONE), OURS).parameters == decoded(COMPUTE, "GET", ZONE).parameters
    assert not touches_our_tags(action) and touches_our_tags(once)
    assert touches_our_tags(decoded(COMPUTE, "POST", f"{ZONE}/worker/setLabels", {"labels": {}}))
    kept = {"labels": {"comptroller-agent": "researcher", "team": "y"}}
    assert not touches_our_tags(decoded(COMPUTE, "POST", f"{ZONE}/worker/setLabels", kept))
    (search,) = listing(machine(), {"comptroller:run": "run-1"}, **WHO)
    rows = [
        {"name": f"//compute.googleapis.com/{machine().resource}", "location": "us-central1-a", "labels": wanted},
        {"name": f"//compute.googleapis.com/{machine().resource.replace('shop', 'other')}"},
        {"name": f"//evil.example.com/{machine().resource}"},
    ]
    found = listed(search, 200, json.dumps({"results": rows, "nextPageToken": "t/+"}).encode())
    assert found is not None and [one.made.key for one in found[0]] == [machine().key]
    assert found[1] is not None and resent(found[1]).parameters == found[1].parameters
    assert listed(search, 200, b"") is None and listed(search, 403, b"{}") is None


# ---------------------------------------------------------------- Azure

ARM = "management.azure.com"
SUBSCRIPTION = "0a1b2c3d-0000-4000-8000-000000000000"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/Web"
VM = f"{GROUP}/providers/Microsoft.Compute/virtualMachines/One"
BODY = {"location": "westeurope", "properties": {"hardwareProfile": {"vmSize": "Standard_D4s_v5"}}}
PUT = decoded(ARM, "PUT", f"{VM}?api-version=2024-07-01", BODY)


def test_azure_names_the_resource_that_was_put() -> None:
    (one,) = made(PUT, 201, b"")
    assert (one.kind, one.resource, one.created) == ("azure:Microsoft.Compute/virtualMachines", VM.lower(), True)
    assert one.account == SUBSCRIPTION
    assert not made(PUT, 200, {"id": VM})[0].created and not made(PUT, 202, b"")[0].created
    assert made(PUT, 403, b"") == () and made(decoded(ARM, "GET", f"{VM}?api-version=1"), 200, b"{}") == ()


@pytest.mark.parametrize("kind", KINDS)
def test_azure_orders(kind: str) -> None:
    types = kind.removeprefix("azure:").split("/")
    names = "/".join(f"{word}/n{number}" for number, word in enumerate(types[1:])).lower()
    resource = f"{GROUP}/providers/{types[0]}/{names}".lower()
    thing = Made(kind=kind, resource=resource, account=SUBSCRIPTION, region="", endpoint=ARM)
    assert ordered(thing, Way.LOOK).operation == f"{kind}:read"
    assert ordered(thing, Way.DELETE).operation == f"{kind}:delete"
    if KINDS[kind].stop:
        assert ordered(thing, Way.STOP).operation == f"{kind}:{KINDS[kind].stop}"
    else:
        assert order(thing, Way.STOP, **WHO) is None
    assert order(replace(thing, resource=f"{resource}/../x"), Way.DELETE, **WHO) is None


def test_azure_says_how_it_is() -> None:
    (one,) = made(PUT, 201, b"")

    def state(code: str) -> Liveness:
        view = {"statuses": [{"code": "ProvisioningState/succeeded"}, {"code": code}]}
        return said(one, 200, {"id": VM, "properties": {"instanceView": view}})

    assert state("PowerState/running") is Liveness.LIVE
    assert state("PowerState/stopped") is Liveness.LIVE  # stopped from within: still paid for
    assert state("PowerState/deallocated") is Liveness.STOPPED
    assert said(one, 200, {"id": VM + "x", "properties": {}}) is Liveness.UNKNOWN
    assert said(one, 404, {"error": {"code": "ResourceNotFound"}}) is Liveness.GONE
    assert said(one, 404, {"error": {"code": "SubscriptionNotFound"}}) is Liveness.UNKNOWN


def test_azure_tags() -> None:
    once = tagged(decoded(ARM, "PUT", f"{VM}?api-version=2024-07-01", {**BODY, "tags": {"team": "x"}}), OURS)
    body: Any = once.parameters["body"]
    assert body["tags"] == {"team": "x", **OURS}
    assert tagged(once, OURS) == once and digest(resent(once)) == digest(once)
    pool = f"{GROUP}/providers/Microsoft.ContainerService/managedClusters/c/agentPools/p?api-version=2024-09-01"
    untagged = decoded(ARM, "PUT", pool, {"properties": {"count": 3}})
    assert tagged(untagged, OURS) is untagged
    own = {"comptroller:agent": "researcher"}
    tags = f"{VM}/providers/Microsoft.Resources/tags/default?api-version=2021-04-01"
    for method, target, sent_in, touches in (
        ("PATCH", f"{VM}?api-version=1", {"tags": own}, True),
        ("PATCH", f"{VM}?api-version=1", {"tags": {"team": "y"}}, False),
        ("PUT", f"{VM}?api-version=1", {**BODY, "tags": own}, False),
        ("PUT", f"{VM}?api-version=1", {**BODY, "tags": {"comptroller:agent": "other"}}, True),
        ("PUT", tags, {"properties": {"tags": {"a": "b"}}}, True),
        ("PATCH", tags, {"operation": "Replace", "properties": {"tags": {}}}, True),
        ("PATCH", tags, {"operation": "Merge", "properties": {"tags": {"a": "b"}}}, False),
    ):
        assert touches_our_tags(decoded(ARM, method, target, sent_in)) is touches, (method, target, sent_in)
    assert touches_our_tags(decoded(ARM, "DELETE", tags))
    (asked,) = listing(made(PUT, 201, b"")[0], {"comptroller:run": "o'neil"}, **WHO)
    kind = "Microsoft.Compute/virtualMachines"
    rows = [{"id": VM, "type": kind, "tags": own}, {"id": VM.replace(SUBSCRIPTION, SUBSCRIPTION[:-1] + "1")}]
    link = f"https://{ARM}/subscriptions/{SUBSCRIPTION}/resources?api-version=x&$skiptoken=abc%3d"
    found = listed(asked, 200, json.dumps({"value": rows, "nextLink": link}).encode())
    assert found is not None and [one.made.key for one in found[0]] == [made(PUT, 201, b"")[0].key]
    assert found[1] is not None and written(found[1]).target.endswith("$skiptoken=abc%3D")
    assert listed(asked, 200, b'{"value": [], "nextLink": "https://evil"}') is None


# ---------------------------------------------------------------- Stripe

STRIPE = "api.stripe.com"
FORM = "customer=cus_1&items[0][price]=price_1&metadata[order]=7"


@pytest.fixture
def stripe() -> Iterator[FakeStripe]:
    with FakeStripe(api_key="sk_test") as fake:
        yield fake


def sent(stripe: FakeStripe, action: Action, outgoing: Outgoing) -> httpx.Response:
    headers = {**dict(outgoing.headers), "authorization": "Bearer sk_test"}
    return httpx.request(outgoing.method, stripe.url + outgoing.target, headers=headers, content=outgoing.body)


def test_a_subscription_lives_and_ends(stripe: FakeStripe) -> None:
    first = request(STRIPE, "POST", "/v1/subscriptions", FORM)
    action = tagged(codec(STRIPE).decode(first), OURS)
    answer = sent(stripe, action, codec(STRIPE).encode(action, first))
    (one,) = made(action, answer.status_code, answer.content)
    assert one.kind == "stripe:subscription" and one.account == "acct_main"
    (record,) = stripe.records("subscriptions")
    assert record["metadata"] == {"order": "7", **OURS}

    def look() -> Liveness:
        asked = ordered(one, Way.LOOK)
        told = sent(stripe, asked, written(asked))
        return liveness(one, told.status_code, told.content)

    assert look() is Liveness.LIVE
    for page in listing(one, OURS, **WHO):
        told = sent(stripe, page, written(page))
        found = listed(page, told.status_code, told.content)
        assert found is not None and found[1] is None
        assert [(seen.made.key, seen.tags["comptroller:run"]) for seen in found[0]] == [(one.key, "run-1")]
    for page in listing(one, {"comptroller:run": "another"}, **WHO):
        told = sent(stripe, page, written(page))
        assert listed(page, told.status_code, told.content) == ((), None)
    cancel = ordered(one, Way.DELETE)
    assert sent(stripe, cancel, written(cancel)).status_code == 200
    assert look() is Liveness.GONE
    assert said(replace(one, resource="sub_other"), 404, {"error": {"code": "resource_missing"}}) is Liveness.GONE
    assert order(one, Way.STOP, **WHO) is None


def test_a_connected_account_stays_the_one(stripe: FakeStripe) -> None:
    action = decoded(STRIPE, "POST", "/v1/subscriptions", FORM, stripe_account="acct_9")
    (one,) = made(action, 200, {"object": "subscription", "id": "sub_1"})
    assert (one.resource, one.account) == ("acct_9/sub_1", "acct_9")
    assert ("stripe-account", "acct_9") in written(ordered(one, Way.DELETE)).headers
    for answer in ({"object": "customer", "id": "sub_1"}, {"object": "subscription", "id": "../x"}, [], "sub_1"):
        assert made(action, 200, answer) == ()


def test_a_search_goes_on() -> None:
    action = decoded(STRIPE, "POST", "/v1/subscriptions", FORM, stripe_account="acct_9")
    (one,) = made(action, 200, {"object": "subscription", "id": "sub_1"})
    (first,) = listing(one, {"comptroller:run": "o'neil", "comptroller:agent": ""}, **WHO)
    wanted = "-metadata['comptroller:agent']:null AND metadata['comptroller:run']:'o\\'neil'"
    assert first.parameters["query"] == wanted
    rows = [{"id": "sub_2", "status": "active"}, {"id": "sub_3", "status": "canceled"}]
    found = listed(first, 200, json.dumps({"data": rows, "has_more": True, "next_page": "p/2"}).encode())
    assert found is not None and [seen.made.resource for seen in found[0]] == ["acct_9/sub_2"]
    more = found[1]
    assert more is not None and (more.parameters["page"], more.parameters["query"]) == ("p/2", wanted)
    assert listed(first, 200, b'{"data": [], "has_more": true}') is None


def test_metadata_of_ours() -> None:
    path = "/v1/subscriptions/sub_1"
    assert touches_our_tags(decoded(STRIPE, "POST", path, "metadata[comptroller:run]=x"))
    assert touches_our_tags(decoded(STRIPE, "POST", path, "metadata="))
    assert not touches_our_tags(decoded(STRIPE, "POST", path, "metadata[order]=8"))
    assert not touches_our_tags(decoded(STRIPE, "GET", path))


# ---------------------------------------------------------------- any answer

THINGS: Mapping[str, Action] = {
    "google": decoded(COMPUTE, "POST", ZONE, MACHINE),
    "azure": PUT,
    "stripe": decoded(STRIPE, "POST", "/v1/subscriptions", FORM),
}
WORDS = [
    "name",
    "id",
    "status",
    "state",
    "error",
    "code",
    "targetLink",
    "metadata",
    "object",
    "results",
    "value",
    "data",
]
JSONS = st.recursive(
    st.none() | st.booleans() | st.integers(0, 404) | st.sampled_from(["worker", "sub_1", "subscription", VM, "x" * 9]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4),
    max_leaves=10,
)


@fuzz(300)
@given(name=st.sampled_from(sorted(THINGS)), answer=JSONS, status=st.integers(-1, 600), cut=st.integers(0, 400))
def test_any_answer_says_something_or_nothing(name: str, answer: object, status: int, cut: int) -> None:
    action, body = THINGS[name], json.dumps(answer).encode()[:cut]
    for one in made(action, status, body):
        assert 200 <= status < 300 and (one.account, one.endpoint) == (action.account, action.endpoint)
        last = one.resource.rpartition("/")[2]
        assert last.encode() in body or one.resource == VM.lower()
    thing = Made(
        kind={"google": "gcp:compute:instances", "azure": "azure:Microsoft.Compute/virtualMachines"}.get(
            name, "stripe:subscription"
        ),
        resource={"google": machine().resource, "azure": VM.lower()}.get(name, "sub_1"),
        account=action.account,
        region="",
        endpoint=action.endpoint,
    )
    if status not in (200, 404):
        assert liveness(thing, status, body) is Liveness.UNKNOWN
    else:
        liveness(thing, status, body)
    for asked in listing(thing, OURS, **WHO):
        listed(asked, status, body)
