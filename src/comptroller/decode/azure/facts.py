"""What a resource's body says that matters: machines and how many, disks, roles given, code that runs, doors opened."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from comptroller.core.action import ActionClass, Value
from comptroller.decode.azure.reading import member, members, sequence

COUNT_MAX = 10**9
TEXT_MAX = 256
PREVIEWED_MAX = 16

ENTITLE, EXECUTE, BLIND = ActionClass.ENTITLE, ActionClass.EXECUTE, ActionClass.BLIND

ROLES: Mapping[str, str] = {
    "8e3af657-a8ff-443c-a75c-2fe8c4bcb635": "Owner",
    "b24988ac-6180-42a0-ab88-20f7382dd24c": "Contributor",
    "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9": "User Access Administrator",
    "f58310d9-a9f6-439a-9e8d-f62e7b41a168": "Role Based Access Control Administrator",
    "acdd72a7-3385-48ef-bd42-f606fba81ae7": "Reader",
}
"""Ids of built-in roles, the same in every tenant."""
CODE = frozenset(
    {"customdata", "userdata", "commandtoexecute", "script", "scripturi", "scriptcontent", "filuris", "fileuris"}
    | {"source", "runcommand", "setupscripts", "creationscript", "startupscript", "commandid", "primaryscripturi"}
)
"""Members that carry or name code."""
CODE_TYPES = ("microsoft.compute/", "microsoft.machinelearningservices/", "microsoft.batch/", "microsoft.devtestlab/")
PUBLIC = frozenset({"allowblobpublicaccess", "allowsharedkeyaccess", "allowcrosstenantreplication", "publicaccess"})
LICENSED = ("microsoftwindows", "microsoftsqlserver", "microsoftdynamics", "redhat", "suse", "oracle")
"""Publishers of images that are paid for by the hour, or may be."""
OS_DISK_GIB_MAX = 128
"""A larger disk of a machine's own costs more than can be left out of its price."""
POOL_DISK_GIB_MAX = 1024
PLAIN_DISKS = ("standard_lrs", "standardssd_lrs", "standardssd_zrs", "premium_lrs", "premium_zrs")
"""Kinds of disks without a price for their speed, in lower case."""
_OFF = (None, False, "none", "None", "", "Disabled", "disabled")


def body_classes(kind: str, verb: str, body: Value) -> frozenset[ActionClass]:
    """The classes a written resource has because of what it carries; `kind` in lower case."""
    found: set[ActionClass] = set()
    if verb != "write":
        return frozenset()
    for name, value in members(body):
        if (name in CODE and value not in _OFF and kind.startswith(CODE_TYPES)) or (
            name in ("extensionprofile", "galleryapplications", "applicationprofile") and value
        ):
            found.add(EXECUTE)
        elif (
            (name in PUBLIC and value not in _OFF and kind.startswith("microsoft.storage/"))
            or (name in ("accesspolicies", "enablerbacauthorization") and kind == "microsoft.keyvault/vaults")
            or (
                name in ("networkacls", "publicnetworkaccess", "defaultaction")
                and not kind.startswith("microsoft.network/")
            )
            or name in ("aadprofile", "disablelocalaccounts", "enablerbac", "apiserveraccessprofile")
            or (name in ("securityrules", "administrators", "administratorloginpassword") and value)
            or (name == "userassignedidentities" and value)
        ):
            found.add(ENTITLE)
    return frozenset(found)


def facts_of(kind: str, verb: str, body: Value) -> dict[str, Value]:
    """Facts by name: `Size` and `Count` of machines, `Spot`, `Disks`, `Role`, `Principal`, `Scope`, …

    `Count` is the most there may be at once (an autoscaler's maximum); absent where nobody can say."""
    found: dict[str, Value] = {}
    if verb != "write" or not isinstance(body, Mapping):
        return found
    reader = _READERS.get(kind)
    if reader is not None:
        reader(body, found)
    return {name: value for name, value in found.items() if value is not None}


def count(value: Value) -> int | None:
    """A count; None where it is none."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:
        value = int(value)
    if isinstance(value, Decimal) and value == value.to_integral_value():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= COUNT_MAX:
        return None
    return value


def text(value: Value) -> str | None:
    """A short text; None where it is none."""
    return value[:TEXT_MAX] if isinstance(value, str) and value else None


def _machine(body: Value, found: dict[str, Value]) -> None:
    found["Size"] = text(member(body, "properties", "hardwareProfile", "vmSize"))
    found["Count"] = 1
    found["Edge"] = text(member(body, "extendedLocation", "name"))
    found["Plan"] = text(member(body, "plan", "name"))
    _machine_options(member(body, "properties"), found)


def _machine_options(profile: Value, found: dict[str, Value]) -> None:
    if member(profile, "priority") is not None:
        found["Spot"] = str(member(profile, "priority")).lower() in ("spot", "low")
    found["MaxPrice"] = member(profile, "billingProfile", "maxPrice")
    storage = member(profile, "storageProfile")
    disks = member(storage, "dataDisks")
    held: list[Value] = [_disk(disk) for disk in sequence(disks)]
    if (disks is not None and not isinstance(disks, list)) or member(storage, "copy") is not None or _is_large(storage):
        held.append({})
    if held:
        found["DataDisks"] = held
    image = member(storage, "imageReference")
    publisher = str(member(image, "publisher")).lower()
    unread = image is not None and (member(image, "publisher") is None or publisher.startswith("["))
    found["Licence"] = (
        str(member(storage, "osDisk", "osType")).lower() == "windows"
        or publisher.startswith(LICENSED)
        or (unread and member(profile, "osProfile", "linuxConfiguration") is None)
        or member(profile, "osProfile", "windowsConfiguration") is not None
        or member(profile, "licenseType") not in (None, "None")
    )


def _is_large(storage: Value) -> bool:
    """True where a machine's own disk is larger or faster than those that come with an image."""
    disk = member(storage, "osDisk")
    size, kind = member(disk, "diskSizeGB"), member(disk, "managedDisk", "storageAccountType")
    gib = count(size)
    return (size is not None and (gib is None or gib > OS_DISK_GIB_MAX)) or (
        kind is not None and str(kind).lower() not in PLAIN_DISKS
    )


def _disk(disk: Value) -> Value:
    return {
        "GiB": count(member(disk, "diskSizeGB")),
        "Sku": text(member(disk, "managedDisk", "storageAccountType")),
        "Create": text(member(disk, "createOption")),
    }


def _scale_set(body: Value, found: dict[str, Value]) -> None:
    found["Size"] = text(member(body, "sku", "name"))
    found["Count"] = count(member(body, "sku", "capacity"))
    found["Edge"] = text(member(body, "extendedLocation", "name"))
    found["Plan"] = text(member(body, "plan", "name"))
    _machine_options(member(body, "properties", "virtualMachineProfile"), found)


def _autoscale(body: Value, found: dict[str, Value]) -> None:
    profiles = sequence(member(body, "properties", "profiles"))
    limits = [count(member(profile, "capacity", "maximum")) for profile in profiles]
    found["Count"] = None if None in limits else max((limit for limit in limits if limit is not None), default=None)
    found["Target"] = text(member(body, "properties", "targetResourceUri"))


def _cluster(body: Value, found: dict[str, Value]) -> None:
    pools = [_pool(pool) for pool in sequence(member(body, "properties", "agentPoolProfiles"))]
    found["Pools"] = pools or None
    found["Tier"] = text(member(body, "sku", "tier"))
    provisioning = member(body, "properties", "nodeProvisioningProfile", "mode")
    if provisioning not in (None, "Manual") or str(member(body, "sku", "name")).lower() == "automatic":
        found["Unbounded"] = True
    counts = [pool["Count"] for pool in pools]
    whole = [number for number in counts if isinstance(number, int)]
    found["Count"] = sum(whole) if len(whole) == len(counts) else None


def _pool(pool: Value) -> dict[str, Value]:
    stated = [member(pool, "count"), member(pool, "maxCount")]
    most = [count(number) for number in stated]
    manual = [count(member(scale, "count")) for scale in _machines_profile(pool)]
    sizes = [number for number in most + manual if number is not None]
    scaled = member(pool, "enableAutoScaling")
    unsure = (
        (scaled not in (None, False) and most[1] is None)
        or member(pool, "virtualMachinesProfile") is not None
        or any(number is None and given is not None for number, given in zip(most, stated, strict=True))
    )
    found: dict[str, Value] = {
        "Size": text(member(pool, "vmSize")),
        "Count": None if unsure else max(sizes, default=1),
        "Spot": str(member(pool, "scaleSetPriority")).lower() == "spot",
    }
    system = f"{member(pool, 'osType')} {member(pool, 'osSKU')}".lower()
    if "windows" in system:
        found["Licence"] = True
    disk = member(pool, "osDiskSizeGB")
    if disk is not None and ((gib := count(disk)) is None or gib > POOL_DISK_GIB_MAX):
        found["DataDisks"] = [{"GiB": gib}]
    return found


def _machines_profile(pool: Value) -> list[Value]:
    return list(sequence(member(pool, "virtualMachinesProfile", "scale", "manual")))


def _agent_pool(body: Value, found: dict[str, Value]) -> None:
    pool = _pool(member(body, "properties"))
    found.update(pool)
    found["Pools"] = [pool]


def _compute(body: Value, found: dict[str, Value]) -> None:
    inner = member(body, "properties", "properties")
    found["Kind"] = text(member(body, "properties", "computeType"))
    found["Size"] = text(member(inner, "vmSize"))
    most = member(inner, "scaleSettings", "maxNodeCount")
    found["Count"] = count(most) if most is not None else (1 if found["Kind"] == "ComputeInstance" else None)


def _endpoint_deployment(body: Value, found: dict[str, Value]) -> None:
    found["Size"] = text(member(body, "properties", "instanceType"))
    found["Count"] = count(member(body, "sku", "capacity"))
    if member(body, "properties", "scaleSettings", "scaleType") not in (None, "Default"):
        found["Count"] = count(member(body, "properties", "scaleSettings", "maxInstances"))


def _managed_disk(body: Value, found: dict[str, Value]) -> None:
    found["Disk"] = text(member(body, "sku", "name"))
    found["GiB"] = count(member(body, "properties", "diskSizeGB"))


def _plan(body: Value, found: dict[str, Value]) -> None:
    found["Plan"] = text(member(body, "sku", "name"))
    found["Count"] = count(member(body, "sku", "capacity"))


def _account(body: Value, found: dict[str, Value]) -> None:
    found["Sku"] = text(member(body, "sku", "name"))


def _assignment(body: Value, found: dict[str, Value]) -> None:
    role = member(body, "properties", "roleDefinitionId")
    if isinstance(role, str):
        ident = role.rpartition("/")[2].lower()
        found["Role"] = ROLES.get(ident, ident[:TEXT_MAX])
    found["Principal"] = text(member(body, "properties", "principalId"))
    found["PrincipalType"] = text(member(body, "properties", "principalType"))


def _definition(body: Value, found: dict[str, Value]) -> None:
    allowed = [
        str(action)[:TEXT_MAX]
        for permission in sequence(member(body, "properties", "permissions"))
        for name in ("actions", "dataActions")
        for action in sequence(member(permission, name))
    ]
    found["Actions"] = sorted(allowed)[:PREVIEWED_MAX]
    found["Role"] = text(member(body, "properties", "roleName"))


_READERS = {
    "microsoft.compute/virtualmachines": _machine,
    "microsoft.compute/virtualmachinescalesets": _scale_set,
    "microsoft.insights/autoscalesettings": _autoscale,
    "microsoft.containerservice/managedclusters": _cluster,
    "microsoft.containerservice/managedclusters/agentpools": _agent_pool,
    "microsoft.machinelearningservices/workspaces/computes": _compute,
    "microsoft.machinelearningservices/workspaces/onlineendpoints/deployments": _endpoint_deployment,
    "microsoft.compute/disks": _managed_disk,
    "microsoft.web/serverfarms": _plan,
    "microsoft.storage/storageaccounts": _account,
    "microsoft.authorization/roleassignments": _assignment,
    "microsoft.authorization/roleassignmentschedulerequests": _assignment,
    "microsoft.authorization/roleeligibilityschedulerequests": _assignment,
    "microsoft.authorization/roledefinitions": _definition,
}
