"""Kubernetes: a pod never needs more than one node, and a node costs what is configured. Nothing else has a price."""

from __future__ import annotations

from collections.abc import Mapping

from comptroller.core.action import Action, ActionClass
from comptroller.price.book import PriceBook
from comptroller.price.cost import NOTHING, Cost, bound

RUNS_PODS = frozenset(
    {"pods", "deployments", "replicasets", "replicationcontrollers", "jobs", "cronjobs", "horizontalpodautoscalers"}
    | {"statefulsets"}
)
"""Resources whose whole cost is their pods."""
UNPRICED = frozenset({"Devices", "Volumes"})
"""What comes beside the nodes, and has no configured price."""


def kubernetes_cost(action: Action, book: PriceBook) -> Cost | None:
    """At most one node each for as many pods as there may be at once; None where that, or the node's price, is unknown.

    The true cost is lower wherever pods share a node, or the nodes are there already.
    """
    if ActionClass.PROVISION not in action.classes:
        return None
    kind = action.operation.removeprefix("kubernetes:").rpartition(":")[0].split("/")
    facts = action.parameters.get("facts")
    if len(kind) not in (2, 3) or kind[1] not in RUNS_PODS or (len(kind) == 3 and kind[2] != "scale"):
        return None
    if not isinstance(facts, Mapping) or not UNPRICED.isdisjoint(facts):
        return None
    pods = facts.get("Pods")
    if not isinstance(pods, int) or isinstance(pods, bool):
        return None
    if pods == 0:
        return Cost(hourly=NOTHING, basis="no pod more")
    node = book.node(action.host)
    if node is None:
        return None
    return Cost(hourly=bound(0, node.high * pods), basis=f"{node.basis}, at most one node a pod")
