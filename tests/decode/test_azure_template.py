"""Templates of Azure's deployments: every resource is a part, loops are counted, what is hidden has no price."""

from __future__ import annotations

import pytest
from wire_kit import again, request

from comptroller import price
from comptroller.core.action import PARTS_MAX, Action, ActionClass, digest
from comptroller.core.estimate import Unit
from comptroller.decode.azure import AzureCodec

CODEC = AzureCodec()
GROUP = "/subscriptions/5a1b2c3d-0000-4000-8000-0123456789ab/resourceGroups/g"
TARGET = f"{GROUP}/providers/Microsoft.Resources/deployments/d?api-version=2024-03-01"


def deploy(resources: object, target: str = TARGET, method: str = "PUT", **properties: object) -> Action:
    template = {"resources": resources, **properties.pop("template", {})}  # type: ignore[dict-item]
    body = {"properties": {"mode": "Incremental", "template": template, **properties}}
    return CODEC.decode(request("management.azure.com", method, target, body))


def machine(**more: object) -> dict[str, object]:
    return {
        "type": "Microsoft.Compute/virtualMachines",
        "apiVersion": "2024-07-01",
        "name": "vm",
        "location": "eastus",
        "properties": {"hardwareProfile": {"vmSize": "Standard_D4s_v5"}},
        **more,
    }


def high(action: Action) -> int | None:
    return price.estimate(action).high(Unit.USD_MICROS_PER_HOUR)


ONE = 192_000


def test_every_resource_is_a_part_and_loops_are_counted() -> None:
    role = {"type": "Microsoft.Authorization/roleAssignments", "name": "r", "properties": {"principalId": "p"}}
    action = deploy(
        [machine(copy={"name": "loop", "count": "[parameters('n')]"}), role],
        parameters={"N": {"value": 4}},
        template={"parameters": {"n": {"type": "int", "defaultValue": 1}}},
    )
    assert [part.operation for part in action.parts] == [
        *["azure:Microsoft.Compute/virtualMachines:write"] * 4,
        "azure:Microsoft.Authorization/roleAssignments:write",
    ]
    assert action.classes == {ActionClass.WRITE, ActionClass.PROVISION, ActionClass.ENTITLE}
    assert high(action) == 4 * ONE
    assert CODEC.sentence(action) == (
        "make or change deployments d: make or change 1 x Standard_D4s_v5 (virtualMachines vm) in eastus (4 times); "
        "give a role to p at the deployment's scope"
    )


def test_parameters_variables_children_and_nested_deployments() -> None:
    nested = {
        "type": "Microsoft.Resources/deployments",
        "name": "inner",
        "copy": {"count": 2},
        "properties": {"mode": "Incremental", "template": {"resources": [machine(copy={"count": 3})]}},
    }
    action = deploy([nested])
    assert high(action) == 6 * ONE
    size = {"hardwareProfile": {"vmSize": "[variables('size')]"}}
    named = deploy(
        {"box": machine(properties=size, location="[parameters('where')]")},
        parameters={"where": {"value": "eastus"}},
        template={"variables": {"size": "Standard_D4s_v5"}},
    )
    assert high(named) == ONE
    child = deploy([machine(resources=[{"type": "extensions", "name": "e", "properties": {"commandToExecute": "x"}}])])
    assert child.parts[1].operation == "azure:Microsoft.Compute/virtualMachines/extensions:write"
    assert ActionClass.EXECUTE in child.classes
    old = deploy([{"type": "Microsoft.Compute/virtualMachines/providers/Microsoft.Authorization/locks", "name": "l"}])
    assert old.parts[0].operation == "azure:Microsoft.Authorization/locks:write"


@pytest.mark.parametrize(
    "resources",
    [
        [machine(copy={"count": "[length(parameters('x'))]"})],
        [machine(location="[resourceGroup().location]")],
        [machine(properties={"hardwareProfile": {"vmSize": "[parameters('missing')]"}})],
        [machine(type="[parameters('t')]")],
        "[parameters('all')]",
        ["x"],
        [
            {
                "type": "Microsoft.Resources/deployments",
                "name": "i",
                "properties": {"templateLink": {"uri": "https://x"}},
            }
        ],
        [{"type": "Vendor.Things/boxes", "name": "b"}],
    ],
)
def test_what_only_the_server_knows_has_no_price(resources: object) -> None:
    action = deploy(resources)
    assert not action.undecodable and ActionClass.PROVISION in action.classes
    assert high(action) is None


def test_a_linked_template_may_be_anything() -> None:
    body = {"properties": {"mode": "Incremental", "templateLink": {"uri": "https://example.com/t.json"}}}
    action = CODEC.decode(request("management.azure.com", "PUT", TARGET, body))
    assert {ActionClass.ENTITLE, ActionClass.EXECUTE, ActionClass.DESTROY, ActionClass.PROVISION} <= action.classes
    assert high(action) is None and "does not show" in CODEC.sentence(action)


def test_complete_mode_and_stacks_delete() -> None:
    assert ActionClass.DESTROY in deploy([], mode="COMPLETE").classes
    stack = TARGET.replace("deployments/d", "deploymentStacks/d")
    assert ActionClass.DESTROY in deploy([], stack, actionOnUnmanage={"resources": "delete"}).classes
    assert ActionClass.BLIND in deploy([], stack, denySettings={"mode": "none"}).classes


def test_looking_at_a_deployment_makes_nothing() -> None:
    for verb in ("validate", "whatIf"):
        looked = deploy([machine()], TARGET.replace("/d?", f"/d/{verb}?"), "POST")
        assert looked.classes == {ActionClass.READ} and looked.parts == ()


def test_existing_resources_are_not_made() -> None:
    assert deploy({"a": machine(existing=True)}).parts == ()


def test_too_much_is_refused() -> None:
    assert deploy([machine(copy={"count": PARTS_MAX + 1})]).undecodable
    assert deploy([machine()] * (PARTS_MAX + 1)).undecodable
    deep: dict[str, object] = machine()
    for _ in range(12):
        deep = {"type": "Microsoft.Resources/deployments", "properties": {"template": {"resources": [deep]}}}
    assert deploy([deep]).undecodable
    circle = {"variables": {"a": "[variables('b')]", "b": "[variables('a')]"}}
    assert deploy([machine(location="[variables('a')]")], template=circle).undecodable


def test_what_was_judged_is_what_is_sent() -> None:
    action = deploy([machine(copy={"count": 2}, tags={"é": "\u2028", "n": 1.10})])
    asked = request("management.azure.com", "PUT", TARGET, {})
    sent = CODEC.encode(action, asked)
    second = CODEC.decode(again(sent, asked))
    assert digest(second) == digest(action) and second.parts == action.parts
