"""Azure: virtual machines, scale sets, Kubernetes node pools, machine learning computes. List price, Linux, on demand;
disks, licences and traffic come on top where the basis says so, and what is asked beyond that is not known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from comptroller.core.action import Action, ActionClass, Value
from comptroller.price.book import PriceBook
from comptroller.price.cost import NOTHING, Cost, Machine, bound, total

COUNT_MAX = 100_000
BASIS_END = "; disks, addresses and traffic come on top"
VIRTUAL_MACHINE = "azure:Microsoft.Compute/virtualMachines:write"
SCALE_SET = "azure:Microsoft.Compute/virtualMachineScaleSets:write"
CLUSTER = "azure:Microsoft.ContainerService/managedClusters:write"
AGENT_POOL = "azure:Microsoft.ContainerService/managedClusters/agentPools:write"
COMPUTE = "azure:Microsoft.MachineLearningServices/workspaces/computes:write"
ENDPOINT = "azure:microsoft.machinelearningservices/workspaces/onlineendpoints/deployments:write"
STORAGE_ACCOUNT = "azure:Microsoft.Storage/storageAccounts:write"
MACHINES = frozenset({VIRTUAL_MACHINE, SCALE_SET, COMPUTE, ENDPOINT})
FREE_TIERS = frozenset({"", "free"})
"""Control planes of clusters that are not paid for."""
UNPRICED = frozenset({"DataDisks", "Edge", "Plan", "Unbounded"})
"""Facts that cost something no table here has."""
COMPUTE_KINDS = frozenset({"AmlCompute", "ComputeInstance"})
BILLED_BY_USE = ("Standard_LRS", "Standard_GRS", "Standard_RAGRS", "Standard_ZRS", "Standard_GZRS", "Standard_RAGZRS")


def azure_cost(action: Action, book: PriceBook) -> Cost | None:
    """What an Azure action costs by the hour; None where no table says, or where it asks for more than machines."""
    if ActionClass.PROVISION not in action.classes:
        return None
    if action.parameters.get("method") == "PATCH":
        # What is changed stands somewhere already: the region it names is not looked at.
        return None
    facts = action.parameters.get("facts")
    known = facts if isinstance(facts, Mapping) else {}
    copies = action.parameters.get("Copies", 1)
    if copies is None:
        return None
    if action.operation in MACHINES:
        return _machines(action, known, book)
    if action.operation in (CLUSTER, AGENT_POOL):
        return _pools(action, known, book)
    if action.operation == STORAGE_ACCOUNT and known.get("Sku") in BILLED_BY_USE:
        return Cost(hourly=NOTHING, basis="a storage account has no standing price; what it holds has")
    return None


def _machines(action: Action, facts: Mapping[str, Value], book: PriceBook) -> Cost | None:
    if facts.get("Licence") is True or not UNPRICED.isdisjoint(facts):
        return None
    if action.operation == COMPUTE and facts.get("Kind") not in COMPUTE_KINDS:
        return None
    if facts.get("MaxPrice") not in (None, -1, Decimal(-1)):
        return None
    return _of(action, [facts], book)


def _pools(action: Action, facts: Mapping[str, Value], book: PriceBook) -> Cost | None:
    pools = facts.get("Pools")
    if not isinstance(pools, Sequence) or isinstance(pools, str) or not pools:
        return None
    if str(facts.get("Tier") or "").lower() not in FREE_TIERS or not UNPRICED.isdisjoint(facts):
        return None
    return _of(action, [pool for pool in pools if isinstance(pool, Mapping)], book)


def _of(action: Action, asked: Sequence[Mapping[str, Value]], book: PriceBook) -> Cost | None:
    """Machines of one or several sizes; None where one has no known size, count or price."""
    parts, machines, basis = [], [], ""
    for one in asked:
        if one.get("Licence") is True or not UNPRICED.isdisjoint(one):
            return None
        size, count = one.get("Size"), one.get("Count")
        if not isinstance(size, str) or not isinstance(count, int) or isinstance(count, bool) or count > COUNT_MAX:
            return None
        rate = book.machine("azure", action.region, size) if action.region else None
        if rate is None:
            return None
        low = 0 if one.get("Spot") is True else rate.low
        parts.append(bound(low * count, rate.high * count))
        machines.append(Machine(provider="azure", region=action.region, sku=size, count=count))
        basis = rate.basis
    return Cost(hourly=total(parts), machines=tuple(machines), basis=basis + BASIS_END)
