"""Attacks on what requests mean: members that a service reads and a careless reader does not."""

from __future__ import annotations

import hashlib
import time
from contextlib import suppress

import pytest
from wire_kit import request

from comptroller import price
from comptroller.core.action import Action
from comptroller.core.action import ActionClass as C
from comptroller.core.estimate import Unit
from comptroller.decode.aws.policy_document import gains
from comptroller.decode.aws.rest import _split_list
from comptroller.decode.aws.template_text import read_template
from comptroller.decode.aws.wire import Undecodable
from comptroller.decode.azure import AzureCodec
from comptroller.decode.http import HttpCodec
from comptroller.decode.kubernetes import KubernetesCodec
from comptroller.decode.registry import CodecRegistry
from comptroller.price.book import PriceBook

BOOK = PriceBook(nodes={"default": 1_000_000})
PODS = "/api/v1/namespaces/a/pods"
POWER = {"containers": [{"name": "a", "image": "x", "securityContext": {"privileged": True}}], "hostNetwork": True}
ARM = "management.azure.com"
GROUP = "/subscriptions/5a1b2c3d-0000-4000-8000-0123456789ab/resourceGroups/g"
COMPUTE = f"{GROUP}/providers/Microsoft.Compute"
AKS = f"{GROUP}/providers/Microsoft.ContainerService/managedClusters"
DEPLOYMENT = f"{GROUP}/providers/Microsoft.Resources/deployments/d"
SIZE = {"hardwareProfile": {"vmSize": "Standard_D4s_v5"}}


def kubernetes(target: str, body: object, method: str = "POST") -> Action:
    action = KubernetesCodec().decode(request("c.internal", method, target, body))
    assert not action.undecodable, action.reason
    return action


def azure(target: str, body: object, method: str = "PUT") -> Action:
    action = AzureCodec().decode(request(ARM, method, target, body))
    assert not action.undecodable, action.reason
    return action


def high(action: Action) -> int | None:
    return price.estimate(action, BOOK).high(Unit.USD_MICROS_PER_HOUR)


# ------------------------------------------------------------------ Kubernetes


@pytest.mark.parametrize("items", [[], [{}], [{"spec": {"containers": []}}]])
@pytest.mark.parametrize("kind", [{}, {"kind": "List"}, {"kind": "PodList"}])
def test_items_beside_an_object_do_not_hide_it(items: list[object], kind: dict[str, str]) -> None:
    """The server takes a body without a kind for what its path says, and ignores members it does not know."""
    action = kubernetes(PODS, {**kind, "items": items, "metadata": {"name": "x"}, "spec": POWER})
    assert C.ENTITLE in action.classes
    assert (high(action) or 10**9) >= 1_000_000
    assert "Privileged" in str(action.parameters["facts"])


def test_a_namespace_loses_its_guards_behind_items() -> None:
    body = {"items": [], "metadata": {"name": "a", "labels": {"pod-security.kubernetes.io/enforce": "privileged"}}}
    assert C.BLIND in kubernetes("/api/v1/namespaces", body).classes


# ------------------------------------------------------------------ Azure


def machine(properties: object, **more: object) -> dict[str, object]:
    return {"location": "eastus", "properties": properties, **more}


@pytest.mark.parametrize(
    "storage",
    [
        {"copy": [{"name": "dataDisks", "count": 64, "input": {"diskSizeGB": 32767}}]},
        {"dataDisks": "[json('[]')]"},
        {"osDisk": {"diskSizeGB": 4095}},
        {"osDisk": {"managedDisk": {"storageAccountType": "PremiumV2_LRS"}}},
        {"imageReference": {"id": "/subscriptions/x/galleries/windows"}},
        {"imageReference": {"communityGalleryImageId": "/x"}},
        {"imageReference": {"publisher": "[variables('who')]"}},
    ],
)
def test_disks_and_licences_do_not_hide(storage: dict[str, object]) -> None:
    assert high(azure(f"{COMPUTE}/virtualMachines/v", machine(SIZE))) == 192_000
    assert high(azure(f"{COMPUTE}/virtualMachines/v", machine({**SIZE, "storageProfile": storage}))) is None


def test_an_image_that_is_run_as_linux_has_a_price() -> None:
    profile = {"storageProfile": {"imageReference": {"id": "/x"}}, "osProfile": {"linuxConfiguration": {}}}
    assert high(azure(f"{COMPUTE}/virtualMachines/v", machine({**SIZE, **profile}))) == 192_000


@pytest.mark.parametrize(
    "pool",
    [
        {"count": 5000000000},
        {"count": "many"},
        {"count": 1, "maxCount": -4},
        {"count": 1, "osType": "Windows"},
        {"count": 1, "ossku": "Windows2022"},
        {"count": 1, "osDiskSizeGB": 32767},
    ],
)
def test_node_pools_cost_more_than_one_linux_machine_or_have_no_price(pool: dict[str, object]) -> None:
    one = {"vmSize": "Standard_D4s_v5", "count": 1}
    whole = {"location": "eastus", "properties": {"agentPoolProfiles": [one]}}
    assert high(azure(f"{AKS}/k", whole)) == 192_000
    assert high(azure(f"{AKS}/k", {**whole, "properties": {"agentPoolProfiles": [{**one, **pool}]}})) is None


def test_a_patch_is_not_priced_where_it_says_it_is() -> None:
    """A PATCH changes what stands in a region already; the `location` it writes is not looked at by the service."""
    change = {"location": "eastus", "sku": {"name": "Standard_D4s_v5", "capacity": 8}}
    assert high(azure(f"{COMPUTE}/virtualMachineScaleSets/s", change)) is not None
    assert high(azure(f"{COMPUTE}/virtualMachineScaleSets/s", change, "PATCH")) is None


@pytest.mark.parametrize("name", ["properties", "plan", "identity"])
@pytest.mark.parametrize("said", ["[json('{}')]", "[parameters('p').inner]", "[union(variables('a'), variables('b'))]"])
def test_a_template_keeps_no_object_from_view(name: str, said: str) -> None:
    resource = {"type": "Microsoft.Compute/virtualMachines", "name": "v", **machine(SIZE), name: said}
    action = azure(DEPLOYMENT, {"properties": {"mode": "Incremental", "template": {"resources": [resource]}}})
    assert {C.EXECUTE, C.ENTITLE, C.DESTROY, C.PROVISION} <= action.classes
    assert high(action) is None


def test_a_template_keeps_no_profile_from_view() -> None:
    inner = {**SIZE, "osProfile": "[json(base64ToString('eyJjdXN0b21EYXRhIjoiIn0='))]"}
    resource = {"type": "Microsoft.Compute/virtualMachines", "name": "v", **machine(inner)}
    action = azure(DEPLOYMENT, {"properties": {"mode": "Incremental", "template": {"resources": [resource]}}})
    assert C.EXECUTE in action.classes and high(action) is None


def test_what_is_called_existing_is_made_where_names_are_not_symbolic() -> None:
    resource = {"type": "Microsoft.Compute/virtualMachines", "name": "v", "existing": True, **machine(SIZE)}
    listed = azure(DEPLOYMENT, {"properties": {"mode": "Incremental", "template": {"resources": [resource]}}})
    assert C.PROVISION in listed.classes and high(listed) == 192_000


# ------------------------------------------------------------------ time


@pytest.mark.parametrize("text", ["*" * 30_000 + "b", "*:" + "*" * 30_000 + "b", "?" * 30_000, "*" * 30_000])
def test_a_wild_action_costs_no_time(text: str) -> None:
    start = time.perf_counter()
    statement = {"Effect": "Allow", "Action": [text], "Resource": text}
    gains({"Version": "2012-10-17", "Statement": [statement]}, "role web")
    assert time.perf_counter() - start < 1
    assert ("administrator" in gains({"Statement": [statement]}, "role web")) is (not text.strip("*"))


@pytest.mark.parametrize("word", ["1" * 30_000 + "x", "_" * 30_000 + "!", "+" + "1_" * 15_000 + "."])
def test_a_long_word_in_a_template_costs_no_time(word: str) -> None:
    start = time.perf_counter()
    read_template(f"Resources:\n  r:\n    Type: {word}\n")
    assert time.perf_counter() - start < 1


@pytest.mark.parametrize("value", [" " * 8000 + '"', '"' + "\\" * 7999, " ," * 4000, '"a' + " " * 7000 + '"x'])
def test_a_list_in_a_header_costs_no_time(value: str) -> None:
    start = time.perf_counter()
    with suppress(Undecodable):
        _split_list(value)
    assert time.perf_counter() - start < 1
    assert _split_list(' a , "b, \\"c" ,d') == ["a", 'b, "c', "d"]


# ------------------------------------------------------------------ GraphQL

TWO = "query A{viewer{login}} mutation B{deleteIssue{x}}"


@pytest.mark.parametrize(
    ("target", "body"),
    [
        ("/graphql?operationName=B", {"query": TWO, "operationName": "A"}),
        ("/graphql?OPERATIONNAME=B", {"query": TWO, "operationName": "A"}),
        ("/graphql", {"query": "{viewer{login}}", "extensions": {"persistedQuery": {"sha256Hash": "0" * 64}}}),
        ("/graphql", {"query": "{viewer{login}}", "extensions": {"persistedQuery": "other"}}),
    ],
)
def test_no_other_document_or_operation_stands_beside_the_one_that_is_read(target: str, body: object) -> None:
    """Some servers prefer the name in the address to that in the body, or a stored document to the text."""
    asked = request("api.github.com", "POST", target, body)
    assert CodecRegistry().codec_for(asked).decode(asked).undecodable


def test_a_document_may_be_named_by_its_own_hash() -> None:
    text = "{viewer{login}}"
    persisted = {"version": 1, "sha256Hash": hashlib.sha256(text.encode()).hexdigest()}
    asked = request("api.github.com", "POST", "/graphql", {"query": text, "extensions": {"persistedQuery": persisted}})
    assert CodecRegistry().codec_for(asked).decode(asked).classes == {C.READ}


# ------------------------------------------------------------------ any host

FORM = "application/x-www-form-urlencoded"
PARTS = b'--b\r\nContent-Disposition: form-data; name="_method"\r\n\r\nDELETE\r\n--b--\r\n'


@pytest.mark.parametrize(
    ("target", "body", "kind"),
    [
        ("/a?_method=DELETE", b"", FORM),
        ("/a?x=1&%5FMethod=delete", b"", FORM),
        ("/a", b"_method=delete&x=1", FORM),
        ("/a", b"x=1&%5fm%65thod=delete", FORM),
        ("/a", PARTS, "multipart/form-data; boundary=b"),
        ("/a", PARTS.replace(b'"', b""), "multipart/form-data; boundary=b"),
    ],
)
def test_a_post_is_not_taken_for_a_write_where_a_framework_takes_it_for_a_deletion(
    target: str, body: bytes, kind: str
) -> None:
    assert HttpCodec().decode(request("app.example.com", "POST", target, body, content_type=kind)).undecodable
    plain = request("app.example.com", "POST", "/a?x=_method", b"x=_method&method=a", content_type=FORM)
    assert HttpCodec().decode(plain).classes == {C.WRITE}
