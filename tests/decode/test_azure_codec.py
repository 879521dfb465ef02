"""Azure: requests of the real packages decode right, every published operation has reviewed classes, nothing hides."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from azure.core.exceptions import HttpResponseError
from bench.azure_wire import calls, right
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from tests.fuzz_kit import fuzz
from wire_kit import DENIED, MESSAGE, again, request

from comptroller import price
from comptroller.core.action import Action, ActionClass, digest
from comptroller.core.estimate import Unit
from comptroller.core.request import Request, Stream, Unencodable
from comptroller.decode.azure import AzureCodec
from comptroller.decode.azure.actions import STRICT
from comptroller.decode.azure.path import types
from comptroller.testing.strategies import json_values

CODEC = AzureCodec()
HOST = "management.azure.com"
SUBSCRIPTION = "5a1b2c3d-0000-4000-8000-0123456789ab"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/g"
COMPUTE = f"{GROUP}/providers/Microsoft.Compute"
OWNER = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
GOLDEN = Path(__file__).parent.parent / "golden/azure_classes.tsv"


def ask(method: str, target: str, body: object = b"", host: str = HOST, **headers: str) -> Action:
    return CODEC.decode(request(host, method, target, body, **headers))  # type: ignore[arg-type]


def classes(action: Action) -> str:
    assert not action.undecodable, action.reason
    return " ".join(sorted(action.classes))


def test_requests_of_the_real_packages_are_what_their_builders_say() -> None:
    marks = [(call.builder, right(call, CODEC.decode(call.request))) for call in calls(share=0.2)]
    assert len(marks) > 150
    assert sum(mark for _, mark in marks) / len(marks) >= 0.99, [name for name, mark in marks if not mark]


def test_every_operation_has_classes_as_in_the_golden_table() -> None:
    rows = [f"{name}\t{' '.join(sorted(found))}" for name, found in sorted(CODEC.known().items())]
    assert rows == GOLDEN.read_text("utf-8").splitlines(), "review the difference, then write the file anew"


def test_every_published_action_was_reviewed() -> None:
    unread = [name for name, found in CODEC.known().items() if found == STRICT]
    assert unread == [] and len(types()) > 900


@pytest.mark.parametrize(
    ("method", "target", "operation", "found"),
    [
        ("GET", f"{COMPUTE}/virtualMachines", "Microsoft.Compute/virtualMachines:read", "read"),
        ("PUT", f"{COMPUTE}/virtualMachines/v", "Microsoft.Compute/virtualMachines:write", "provision"),
        ("DELETE", f"{COMPUTE}/virtualMachines/v", "Microsoft.Compute/virtualMachines:delete", "destroy"),
        ("POST", f"{COMPUTE}/virtualMachines/v/START", "Microsoft.Compute/virtualMachines:start", "execute provision"),
        ("POST", f"{COMPUTE}/virtualMachines/v/runCommand", "Microsoft.Compute/virtualMachines:runCommand", "execute"),
        ("POST", f"{COMPUTE}/virtualMachines/v/deallocate", "Microsoft.Compute/virtualMachines:deallocate", "execute"),
        (
            "PUT",
            f"{COMPUTE}/virtualMachines/v/extensions/e",
            "Microsoft.Compute/virtualMachines/extensions:write",
            "execute",
        ),
        ("POST", f"{COMPUTE}/disks/d/beginGetAccess", "Microsoft.Compute/disks:beginGetAccess", "entitle reveal"),
        (
            "POST",
            f"{GROUP}/providers/microsoft.storage/STORAGEACCOUNTS/s/listkeys",
            "Microsoft.Storage/storageAccounts:listKeys",
            "reveal",
        ),
        (
            "POST",
            f"{GROUP}/providers/Microsoft.Web/sites/s/config/appsettings/list",
            "Microsoft.Web/sites/config:list",
            "reveal",
        ),
        (
            "PUT",
            f"{COMPUTE}/virtualMachines/v/providers/Microsoft.Authorization/roleAssignments/r",
            "Microsoft.Authorization/roleAssignments:write",
            "entitle",
        ),
        (
            "DELETE",
            f"{GROUP}/providers/Microsoft.Authorization/locks/l",
            "Microsoft.Authorization/locks:delete",
            "blind destroy",
        ),
        (
            "DELETE",
            f"{COMPUTE}/virtualMachines/v/providers/microsoft.insights/diagnosticSettings/d",
            "microsoft.insights/diagnosticsettings:delete",
            "blind destroy",
        ),
        (
            "PUT",
            "/providers/Microsoft.Management/managementGroups/m/providers/Microsoft.Authorization/policyAssignments/p",
            "microsoft.authorization/policyassignments:write",
            "blind",
        ),
        (
            "POST",
            "/providers/Microsoft.Authorization/elevateAccess",
            "Microsoft.Authorization:elevateAccess",
            "entitle",
        ),
        (
            "POST",
            f"{GROUP}/providers/Microsoft.Resources/deployments/d/whatIf",
            "Microsoft.Resources/deployments:whatIf",
            "read",
        ),
        ("DELETE", GROUP, "Microsoft.Resources/subscriptions/resourceGroups:delete", "destroy"),
        ("POST", f"{GROUP}/moveResources", "Microsoft.Resources/subscriptions/resourceGroups:moveResources", "entitle"),
        ("GET", f"/subscriptions/{SUBSCRIPTION}/providers", "Microsoft.Resources/subscriptions/providers:read", "read"),
        ("GET", "/subscriptions", "Microsoft.Resources/subscriptions:read", "read"),
        (
            "PUT",
            f"{GROUP}/providers/Vendor.Things/boxes/b",
            "vendor.things/boxes:write",
            "provision write",
        ),
        (
            "POST",
            f"{GROUP}/providers/Vendor.Things/boxes/b/frobnicate",
            "vendor.things/boxes:frobnicate",
            "execute provision write",
        ),
        ("POST", f"{GROUP}/providers/Vendor.Things/boxes/b/getInfo", "vendor.things/boxes:getinfo", "read reveal"),
        (
            "PUT",
            "/providers/Microsoft.Capacity/reservationOrders/r",
            "microsoft.capacity/reservationorders:write",
            "pay",
        ),
    ],
)
def test_paths(method: str, target: str, operation: str, found: str) -> None:
    action = ask(method, f"{target}?api-version=2024-01-01")
    assert not action.undecodable, action.reason
    assert (action.operation, classes(action)) == (f"azure:{operation}", found)
    assert SUBSCRIPTION not in target or action.account == SUBSCRIPTION


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("TRACE", GROUP),
        ("GET", "/"),
        ("GET", "/nothing/here"),
        ("GET", f"{COMPUTE}/virtualMachines;x=1/v"),
        ("GET", f"{COMPUTE}/virtualMachines/providers/providers/Microsoft.Authorization/locks/l"),
        ("GET", f"{GROUP}?api-version=1&API-version=2"),
        ("GET", f"{GROUP}?sig=abc"),
        ("GET", "/subscriptions/not-an-id/resourceGroups/g"),
        ("GET", f"{COMPUTE}/virtualMachines/%00"),
    ],
)
def test_what_has_no_single_reading_is_unknown(method: str, target: str) -> None:
    assert ask(method, target).undecodable


def test_neither_case_nor_encoding_nor_doubled_slashes_change_anything() -> None:
    plain = f"{COMPUTE}/virtualMachines/v/providers/Microsoft.Authorization/roleAssignments/r?api-version=1"
    body = {"properties": {"roleDefinitionId": f"/x/{OWNER}", "principalId": "p"}}
    first = ask("PUT", plain, body)
    for other in (
        plain.replace("roleAssignments", "ROLEASSIGNMENTS"),
        plain.replace("roleAssignments", "role%41ssignments"),
        plain.replace("/providers/Microsoft.Compute", "%2Fproviders%2fMicrosoft.Compute"),
        plain.replace("/resourceGroups", "//resourceGroups"),
    ):
        second = ask("PUT", other, body)
        assert (second.operation, second.classes, second.resources) == (first.operation, first.classes, first.resources)
    assert CODEC.sentence(first).startswith("give Owner to p at /subscriptions/")
    doubled = ask(
        "PUT",
        plain,
        b'{"properties": {"principalId": "p"}, "Properties": {"principalId": "q"}}',
        content_type="application/json",
    )
    assert doubled.undecodable


def test_method_override_and_foreign_bodies_are_refused() -> None:
    assert ask("GET", GROUP, x_http_method_override="DELETE").undecodable
    assert ask("PUT", GROUP, b"location=x", content_type="application/x-www-form-urlencoded").undecodable
    assert ask("GET", GROUP, {"a": 1}).undecodable


VM = {"location": "West Europe", "properties": {"hardwareProfile": {"vmSize": "Standard_D4s_v5"}}}


def hourly(action: Action) -> tuple[int, int | None]:
    bound = price.estimate(action).bounds[Unit.USD_MICROS_PER_HOUR]
    return bound.low, bound.high


def test_machines_are_counted_and_priced() -> None:
    action = ask("PUT", f"{COMPUTE}/virtualMachines/v?api-version=1", VM)
    assert (action.region, action.quantity) == ("westeurope", 1)
    low, high = hourly(action)
    assert high is not None and 150_000 < low <= high < 400_000
    scale_set = {
        "location": "eastus",
        "sku": {"name": "Standard_ND96isr_H100_v5", "capacity": 8},
        "properties": {"virtualMachineProfile": {"priority": "Spot"}},
    }
    many = ask("PUT", f"{COMPUTE}/virtualMachineScaleSets/s?api-version=1", scale_set)
    assert many.quantity == 8 and hourly(many)[0] == 0 and (hourly(many)[1] or 0) > 8 * 80_000_000
    assert CODEC.sentence(many) == (
        "make or change 8 x Standard_ND96isr_H100_v5 spot (virtualMachineScaleSets s) in eastus"
    )
    pools = [{"vmSize": "Standard_D4s_v5", "count": 1, "enableAutoScaling": True, "maxCount": 10}]
    cluster = {"location": "eastus", "properties": {"agentPoolProfiles": pools}}
    nodes = ask("PUT", f"{GROUP}/providers/Microsoft.ContainerService/managedClusters/k?api-version=1", cluster)
    assert nodes.quantity == 10 and hourly(nodes)[1] == 1_920_000
    for more in (
        {"sku": {"name": "Automatic"}},
        {"sku": {"tier": "Standard"}},
        {"properties": {"agentPoolProfiles": pools, "nodeProvisioningProfile": {"mode": "Auto"}}},
        {"properties": {"agentPoolProfiles": [{"vmSize": "Standard_D4s_v5", "enableAutoScaling": True}]}},
    ):
        body = {**cluster, **more}
        nodes = ask("PUT", f"{GROUP}/providers/Microsoft.ContainerService/managedClusters/k?api-version=1", body)
        assert hourly(nodes)[1] is None


@pytest.mark.parametrize(
    "change",
    [
        {"properties": {"hardwareProfile": {}}},
        {"location": "atlantis"},
        {"plan": {"name": "paid-image"}},
        {"extendedLocation": {"type": "EdgeZone", "name": "losangeles"}},
        {"properties": {"hardwareProfile": {"vmSize": "Standard_X999"}}},
        {"properties": {**VM["properties"], "storageProfile": {"dataDisks": [{"diskSizeGB": 1024}]}}},  # type: ignore[dict-item]
        {"properties": {**VM["properties"], "storageProfile": {"osDisk": {"osType": "Windows"}}}},  # type: ignore[dict-item]
        {"properties": {**VM["properties"], "billingProfile": {"maxPrice": 99}}},  # type: ignore[dict-item]
    ],
)
def test_what_is_asked_beyond_machines_has_no_known_price(change: dict[str, object]) -> None:
    assert hourly(ask("PUT", f"{COMPUTE}/virtualMachines/v?api-version=1", {**VM, **change}))[1] is None


@pytest.mark.parametrize(
    ("target", "body", "cls"),
    [
        (f"{COMPUTE}/virtualMachines/v", {"properties": {"osProfile": {"customData": "IyEvYmlu"}}}, "execute"),
        (f"{COMPUTE}/virtualMachines/v", {"properties": {"OSPROFILE": {"CUSTOMDATA": "IyEvYmlu"}}}, "execute"),
        (f"{COMPUTE}/virtualMachines/v", {"identity": {"userAssignedIdentities": {"/x": {}}}}, "entitle"),
        (
            f"{GROUP}/providers/Microsoft.Storage/storageAccounts/s",
            {"properties": {"allowBlobPublicAccess": True}},
            "entitle",
        ),
        (f"{GROUP}/providers/Microsoft.KeyVault/vaults/v", {"properties": {"accessPolicies": []}}, "entitle"),
    ],
)
def test_what_else_decides(target: str, body: dict[str, object], cls: str) -> None:
    assert cls in ask("PUT", f"{target}?api-version=1", body).classes
    assert cls in ask("PATCH", f"{target}?api-version=1", body).classes


def test_tags_alone_are_a_plain_write() -> None:
    assert classes(ask("PATCH", f"{COMPUTE}/virtualMachines/v", {"tags": {"a": "b"}})) == "write"
    assert classes(ask("PATCH", f"{COMPUTE}/virtualMachines/v", {"tags": {}, "sku": {}})) == "provision"
    assert classes(ask("PUT", f"{COMPUTE}/virtualMachines/v", {"tags": {}})) == "provision"


def test_a_batch_is_the_sum_of_its_requests() -> None:
    inner = [
        {"httpMethod": "GET", "relativeUrl": f"{COMPUTE}/virtualMachines?api-version=1"},
        {"httpMethod": "PUT", "url": f"https://{HOST}{COMPUTE}/virtualMachines/v?api-version=1", "content": VM},
        {"httpMethod": "DELETE", "url": f"{GROUP}?api-version=1"},
    ]
    action = ask("POST", "/batch?api-version=2020-06-01", {"requests": inner})
    assert action.operation == "azure:Microsoft.Resources:batch" and classes(action) == "destroy provision read"
    assert [part.operation.rpartition(":")[2] for part in action.parts] == ["read", "write", "delete"]
    assert hourly(action) == hourly(action.parts[1])
    for bad in (
        {"httpMethod": "GET", "url": "https://evil.example/x"},
        {"httpMethod": "POST", "relativeUrl": "/batch", "content": {"requests": inner}},
        {"httpMethod": "BREW", "relativeUrl": GROUP},
        {"httpMethod": "GET", "relativeUrl": GROUP, "url": f"{COMPUTE}/disks"},
        {"httpMethod": "GET", "relativeUrl": GROUP, "requestHeaderDetails": {"X-HTTP-Method-Override": "DELETE"}},
        {"httpMethod": "GET", "relativeUrl": GROUP, "extra": 1},
    ):
        assert ask("POST", "/batch", {"requests": [bad]}).undecodable


@pytest.mark.parametrize(
    ("method", "target", "operation", "found"),
    [
        ("GET", "/secrets?api-version=7.4", "vault/secrets:list", "read"),
        ("GET", "/secrets/s/?api-version=7.4", "vault/secrets:get", "reveal"),
        ("GET", "/SECRETS/s/0123", "vault/secrets:get", "reveal"),
        ("GET", "/secrets/s/versions", "vault/secrets:listVersions", "read"),
        ("POST", "/keys/k/1/decrypt", "vault/keys:decrypt", "reveal"),
        ("POST", "/keys/k/1/sign", "vault/keys:sign", "reveal"),
        ("DELETE", "/deletedsecrets/s", "vault/secrets:purge", "destroy"),
        ("PUT", "/providers/Microsoft.Authorization/roleAssignments/r", "vault/roleAssignments:put", "entitle"),
    ],
)
def test_vaults(method: str, target: str, operation: str, found: str) -> None:
    action = ask(method, target, host="mine.vault.azure.net")
    assert (action.operation, classes(action)) == (f"azure:{operation}", found)


@pytest.mark.parametrize(
    ("method", "target", "headers", "operation", "found"),
    [
        ("GET", "/c/a/b.txt", {}, "blob/blobs:get", "read"),
        ("PUT", "/c/a%20b", {"x_ms_blob_type": "BlockBlob"}, "blob/blobs:put", "write"),
        ("DELETE", "/c/a", {}, "blob/blobs:delete", "destroy"),
        ("DELETE", "/c?restype=container", {}, "blob/containers:delete", "destroy"),
        ("PUT", "/c?restype=container", {"x_ms_blob_public_access": "blob"}, "blob/containers:create", "entitle write"),
        ("PUT", "/c?RESTYPE=container&Comp=ACL", {}, "blob/containers:setAcl", "entitle"),
        ("POST", "/?restype=service&comp=userdelegationkey", {}, "blob/service:getUserDelegationKey", "entitle reveal"),
        ("DELETE", "/c/a?comp=immutabilityPolicies", {}, "blob/blobs:deleteImmutability", "blind destroy"),
    ],
)
def test_blobs(method: str, target: str, headers: dict[str, str], operation: str, found: str) -> None:
    action = ask(method, target, host="mine.blob.core.windows.net", **headers)
    assert (action.operation, classes(action)) == (f"azure:{operation}", found)


def test_blobs_bind_what_they_carry_and_take_no_other_key() -> None:
    host = "mine.blob.core.windows.net"
    first, second = ask("PUT", "/c/a", b"one", host), ask("PUT", "/c/a", b"two", host)
    assert digest(first) != digest(second)
    assert digest(ask("PUT", "/c/a", b"one", host, x_ms_copy_source="https://x/y")) != digest(first)
    for target, headers in (
        ("/c/a?sv=1&sig=abc", {}),
        ("/c/a?comp=nothing", {}),
        ("/c/a?unknown=1", {}),
        ("/c/a", {"x_ms_copy_source_authorization": "Bearer x"}),
    ):
        assert ask("PUT", target, b"x", host, **headers).undecodable
    asked = request(host, "PUT", "/c/a")
    streamed = Request(**{**{f: getattr(asked, f) for f in asked.__slots__}, "stream": Stream(length_bytes=9)})
    action = CODEC.decode(streamed)
    assert action.unbound and CODEC.encode(action, streamed).stream == Stream(length_bytes=9)
    with pytest.raises(Unencodable):
        CODEC.encode(first, request(host, "PUT", "/c/a", b"two"))


@pytest.mark.parametrize(
    ("method", "target", "found"),
    [
        ("GET", "/v1.0/users", "read"),
        ("POST", "/v1.0/users/a@b.c/sendMail", "communicate"),
        ("POST", "/v1.0/me/microsoft.graph.sendMail", "communicate"),
        ("POST", "/v1.0/users", "entitle"),
        ("PATCH", "/v1.0/users/messages", "entitle"),
        ("DELETE", "/v1.0/groups/1", "destroy entitle"),
        ("POST", "/v1.0/groups/1/members/$ref", "entitle"),
        ("POST", "/v1.0/applications/1/addPassword", "entitle reveal"),
        ("POST", "/beta/roleManagement/directory/roleAssignments", "entitle"),
        ("POST", "/v1.0/chats/1/messages", "communicate"),
        ("PUT", "/v1.0/me/drive/root:/a.txt:/content", "write"),
        ("POST", "/v1.0/me/drive/items/1/createLink", "entitle"),
        ("POST", "/v1.0/users/1/mailFolders/inbox/messageRules", "blind entitle"),
        ("POST", "/v1.0/somethingNew/1/do", "entitle execute write"),
        ("POST", "/v1.0/users/1/getMemberGroups", "read"),
        ("GET", "/v1.0/informationProtection/bitlocker/recoveryKeys/1", "read reveal"),
    ],
)
def test_graph(method: str, target: str, found: str) -> None:
    assert classes(ask(method, target, {} if method != "GET" else b"", host="graph.microsoft.com")) == found


def test_a_batch_of_graph_is_the_sum_of_its_requests() -> None:
    inner = [
        {"id": "1", "method": "GET", "url": "/me"},
        {
            "id": "2",
            "method": "POST",
            "url": "/users/1/sendMail",
            "body": {},
            "headers": {"Content-Type": "application/json"},
        },
    ]
    action = ask("POST", "/v1.0/$batch", {"requests": inner}, host="graph.microsoft.com")
    assert classes(action) == "communicate read" and len(action.parts) == 2
    nested = [{"id": "1", "method": "POST", "url": "/%24batch", "body": {"requests": inner}}]
    assert ask("POST", "/v1.0/$batch", {"requests": nested}, host="graph.microsoft.com").undecodable


def test_a_token_is_a_secret_and_a_right() -> None:
    action = ask(
        "POST",
        "/tenant/oauth2/v2.0/token",
        "grant_type=client_credentials&client_secret=x",
        "login.microsoftonline.com",
    )
    assert classes(action) == "entitle reveal" and action.sensitive == {"body"}
    assert "client_secret" not in CODEC.sentence(action)


def test_the_real_sdk_raises_and_shows_the_message() -> None:
    from azure.core.rest import HttpRequest
    from azure.core.rest._http_response_impl import HttpResponseImpl

    asked = request(HOST, "DELETE", GROUP)
    answer = CODEC.refuse(CODEC.decode(asked), asked, DENIED, MESSAGE)
    response = HttpResponseImpl(
        request=HttpRequest("DELETE", f"https://{HOST}{GROUP}"),
        internal_response=None,
        status_code=answer.status,
        reason="Forbidden",
        content_type="application/json",
        headers={header.name: header.value for header in answer.headers},
        stream_download_generator=lambda *_: iter(()),
    )
    response._content = answer.body
    error = HttpResponseError(response=response)
    assert error.error is not None and error.error.code == "AuthorizationFailed" and MESSAGE in str(error)


def test_the_meter_names_what_was_made() -> None:
    meter = CODEC.meter(ask("PUT", f"{COMPUTE}/virtualMachines/v", VM))
    meter.head(201, [])
    meter.feed(json.dumps({"id": f"{COMPUTE}/virtualMachines/v"}).encode())
    assert meter.finish(complete=True).made == (f"{COMPUTE}/virtualMachines/v",)


WORDS = st.sampled_from(
    [
        *("subscriptions", SUBSCRIPTION, "resourceGroups", "providers", "Microsoft.Compute", "virtualMachines", "v"),
        *("Microsoft.Authorization", "roleAssignments", "listKeys", "start", "batch", "secrets", "%2F", "", "a%20b"),
        *("PROVIDERS", "v1.0", "users", "sendMail", "$batch", "..", "Microsoft.Resources", "deployments", "é", "x;y"),
    ]
)
ANY_HOST = st.sampled_from(
    [HOST, "v.vault.azure.net", "s.blob.core.windows.net", "graph.microsoft.com", "login.microsoftonline.com"]
)
NAMED = st.recursive(
    st.sampled_from([None, True, 0, 3, "Spot", "eastus", "[parameters('a')]", "Standard_D4s_v5", "/batch", 10**9])
    | json_values,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *(
                        "properties",
                        "Properties",
                        "template",
                        "resources",
                        "type",
                        "copy",
                        "count",
                        "sku",
                        "capacity",
                        "name",
                    ),
                    *(
                        "requests",
                        "httpMethod",
                        "relativeUrl",
                        "url",
                        "method",
                        "body",
                        "content",
                        "hardwareProfile",
                        "vmSize",
                    ),
                    *(
                        "agentPoolProfiles",
                        "parameters",
                        "variables",
                        "defaultValue",
                        "value",
                        "location",
                        "storageProfile",
                    ),
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=14,
)


@fuzz(200, suppress_health_check=[HealthCheck.too_slow])
@given(
    host=ANY_HOST,
    method=st.sampled_from(["GET", "PUT", "PATCH", "POST", "DELETE", "HEAD", "OPTIONS"]),
    parts=st.lists(WORDS, max_size=10),
    query=st.sampled_from(["", "?api-version=1", "?Api-Version=1&api-version=2", "?restype=container&comp=acl", "?=&"]),
    body=NAMED.map(lambda value: json.dumps(value).encode("utf-8")) | st.binary(max_size=20),
)
def test_total_deterministic_and_the_same_again(
    host: str, method: str, parts: list[str], query: str, body: bytes
) -> None:
    asked = request(host, method, "/" + "/".join(parts) + query, body, content_type="application/json")
    action = CODEC.decode(asked)
    assert action.classes and digest(action) == digest(CODEC.decode(asked)) and CODEC.sentence(action)
    for part in action.parts:
        assert part.classes <= action.classes
    price.estimate(action)
    if action.undecodable:
        assert action.reason
        return
    second = CODEC.decode(again(CODEC.encode(action, asked), asked))
    assert digest(second) == digest(action) and second.classes == action.classes


@fuzz(150)
@given(
    name=st.text(min_size=1, max_size=8),
    kind=st.sampled_from(["roleAssignments", "ROLEassignments", "role%41ssignments"]),
)
def test_no_name_makes_a_right_plain(name: str, kind: str) -> None:
    from urllib.parse import quote

    target = f"{GROUP}/providers/Microsoft.Authorization/{kind}/{quote(name, safe='')}"
    assert ask("PUT", target, {}).classes & {ActionClass.ENTITLE, ActionClass.UNKNOWN}
