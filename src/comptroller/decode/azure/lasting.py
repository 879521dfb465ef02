"""What the resource manager makes that lives on: the resource that a PUT names, of the kinds known here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from comptroller.core.action import Action, ActionClass
from comptroller.core.made import Made

PREFIX = "azure:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lasting:
    """One kind: the version of its interface that is spoken to it, the action that stops it so that it is no longer
    paid for, and whether it takes tags."""

    version: str
    stop: str = ""
    tags: bool = True


KINDS: Mapping[str, Lasting] = MappingProxyType(
    {
        f"{PREFIX}{name}": kind
        for name, kind in {
            "Microsoft.Compute/virtualMachines": Lasting(version="2024-07-01", stop="deallocate"),
            "Microsoft.Compute/virtualMachineScaleSets": Lasting(version="2024-07-01", stop="deallocate"),
            "Microsoft.Compute/disks": Lasting(version="2024-03-02"),
            "Microsoft.Compute/snapshots": Lasting(version="2024-03-02"),
            "Microsoft.Compute/hostGroups/hosts": Lasting(version="2024-07-01"),
            "Microsoft.ContainerService/managedClusters": Lasting(version="2024-09-01", stop="stop"),
            "Microsoft.ContainerService/managedClusters/agentPools": Lasting(version="2024-09-01", tags=False),
            "microsoft.containerinstance/containergroups": Lasting(version="2023-05-01", stop="stop"),
            "microsoft.app/containerapps": Lasting(version="2024-03-01"),
            "Microsoft.Web/serverfarms": Lasting(version="2023-12-01"),
            "Microsoft.Network/publicIPAddresses": Lasting(version="2024-05-01"),
            "Microsoft.Network/loadBalancers": Lasting(version="2024-05-01"),
            "Microsoft.Network/natGateways": Lasting(version="2024-05-01"),
            "Microsoft.Network/applicationGateways": Lasting(version="2024-05-01", stop="stop"),
            "Microsoft.Network/azureFirewalls": Lasting(version="2024-05-01"),
            "Microsoft.Network/bastionHosts": Lasting(version="2024-05-01"),
            "Microsoft.Network/virtualNetworkGateways": Lasting(version="2024-05-01"),
            "Microsoft.Sql/servers/databases": Lasting(version="2021-11-01"),
            "Microsoft.Sql/servers/elasticPools": Lasting(version="2021-11-01"),
            "Microsoft.Sql/managedInstances": Lasting(version="2021-11-01", stop="stop"),
            "Microsoft.DBforPostgreSQL/flexibleServers": Lasting(version="2024-08-01", stop="stop"),
            "Microsoft.DBforMySQL/flexibleServers": Lasting(version="2023-12-30", stop="stop"),
            "Microsoft.DocumentDB/databaseAccounts": Lasting(version="2024-11-15"),
            "microsoft.cache/redis": Lasting(version="2024-11-01"),
            "microsoft.eventhub/namespaces": Lasting(version="2024-01-01"),
            "microsoft.servicebus/namespaces": Lasting(version="2024-01-01"),
            "microsoft.kusto/clusters": Lasting(version="2024-04-13", stop="stop"),
            "microsoft.databricks/workspaces": Lasting(version="2024-05-01"),
            "microsoft.hdinsight/clusters": Lasting(version="2021-06-01"),
            "microsoft.synapse/workspaces/sqlpools": Lasting(version="2021-06-01", stop="pause"),
            "Microsoft.MachineLearningServices/workspaces/computes": Lasting(version="2024-10-01", stop="stop"),
            "microsoft.machinelearningservices/workspaces/onlineendpoints": Lasting(version="2024-10-01"),
            "microsoft.cognitiveservices/accounts/deployments": Lasting(version="2024-10-01", tags=False),
            "microsoft.search/searchservices": Lasting(version="2023-11-01"),
            "microsoft.apimanagement/service": Lasting(version="2024-05-01"),
            "microsoft.avs/privateclouds": Lasting(version="2023-09-01"),
        }.items()
    }
)
"""Spelled as the codec spells them: in lower case where its list has no such type. Source: the REST reference of each
provider; the versions are stable ones."""
CREATED = 201

_RESOURCE = re.compile(
    r"/subscriptions/[0-9a-f-]{36}/resourcegroups/[A-Za-z0-9_()-][A-Za-z0-9_().-]{0,89}/providers/"
    r"[A-Za-z0-9.]{1,128}(?:/[A-Za-z0-9_-]{1,128}/[A-Za-z0-9_()-][A-Za-z0-9_.()-]{0,259}){1,3}",
    re.IGNORECASE,
)


def resource_of(path: object) -> str:
    """The resource id in a path, in lower case as Azure compares it; empty where there is none."""
    found = _RESOURCE.fullmatch(path.rstrip("/")) if isinstance(path, str) else None
    return found[0].lower() if found is not None else ""


def kind_name(operation: str) -> tuple[str, str]:
    """`azure:Microsoft.Compute/disks:write` -> (`azure:Microsoft.Compute/disks`, `write`)."""
    name, _, verb = operation.rpartition(":")
    return name, verb


def lasting(action: Action, status: int) -> tuple[Made, ...]:
    """The resource that was put. Only 201 says for certain that it was not there before."""
    kind, verb = kind_name(action.operation)
    resource = resource_of(action.parameters.get("path"))
    makes = verb == "write" and action.parameters.get("method") == "PUT" and ActionClass.PROVISION in action.classes
    if kind not in KINDS or not makes or not resource or not 200 <= status < 300:
        return ()
    return (made_at(action, kind, resource, share=action.quantity, created=status == CREATED),)


def made_at(action: Action, kind: str, resource: str, *, share: int = 1, created: bool = True) -> Made:
    """A thing of the subscription that an action named."""
    return Made(
        kind=kind,
        resource=resource,
        account=action.account,
        region="",
        endpoint=action.endpoint,
        share=share,
        created=created,
    )
