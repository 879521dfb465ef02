"""Which objects of Kubernetes cost while they live, and which of them an answer says was made."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from comptroller.core.action import Action, Value
from comptroller.core.made import Made

PREFIX = "kubernetes:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lasting:
    """One kind: where its API lies, how it is stopped, and where its pods' own labels stand."""

    group: str
    version: str
    resource: str
    scales: bool = False
    suspends: bool = False
    templates: tuple[tuple[str, ...], ...] = ()

    def path(self, namespace: str, name: str = "") -> str:
        """The path of one object, or of all in a namespace; without a namespace of all in the cluster."""
        root = f"/api/{self.version}" if self.group == "core" else f"/apis/{self.group}/{self.version}"
        space = f"/namespaces/{namespace}" if namespace else ""
        return f"{root}{space}/{self.resource}" + (f"/{name}" if name else "")


_POD = (("spec", "template"),)
_KINDS = (
    Lasting(group="core", version="v1", resource="pods"),
    Lasting(group="core", version="v1", resource="replicationcontrollers", scales=True, templates=_POD),
    Lasting(group="core", version="v1", resource="persistentvolumeclaims"),
    Lasting(group="core", version="v1", resource="services"),
    Lasting(group="apps", version="v1", resource="deployments", scales=True, templates=_POD),
    Lasting(group="apps", version="v1", resource="replicasets", scales=True, templates=_POD),
    Lasting(group="apps", version="v1", resource="statefulsets", scales=True, templates=_POD),
    Lasting(group="apps", version="v1", resource="daemonsets", templates=_POD),
    Lasting(group="batch", version="v1", resource="jobs", suspends=True, templates=_POD),
    Lasting(
        group="batch",
        version="v1",
        resource="cronjobs",
        suspends=True,
        templates=(("spec", "jobTemplate"), ("spec", "jobTemplate", "spec", "template")),
    ),
)
KINDS: Mapping[str, Lasting] = MappingProxyType({f"{PREFIX}{one.group}/{one.resource}": one for one in _KINDS})
SERVICES = f"{PREFIX}core/services"
CREATED = 201

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")
_SPACE = re.compile(r"/namespaces/([a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)/")


def kind_name(operation: str) -> tuple[str, str]:
    """`kubernetes:apps/deployments:create` -> (`kubernetes:apps/deployments`, `create`)."""
    name, _, verb = operation.rpartition(":")
    return name, verb


def namespace_of(action: Action) -> str:
    """The namespace in the path of an action; empty where there is none."""
    found = _SPACE.search(str(action.parameters.get("path", "")))
    return found[1] if found is not None else ""


def lasting(action: Action, status: int, answer: Mapping[str, Value]) -> tuple[Made, ...]:
    """What was made: named as the answer says, in the namespace of the request and under the name it asked for."""
    kind, _ = kind_name(action.operation)
    space = namespace_of(action)
    metadata = answer.get("metadata")
    if status != CREATED or kind not in KINDS or not space or not isinstance(metadata, Mapping):
        return ()
    name = metadata.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name) or metadata.get("namespace") != space:
        return ()
    if not _asked_for(action, name):
        return ()
    if kind == SERVICES:
        spec = answer.get("spec")
        if not isinstance(spec, Mapping) or spec.get("type") != "LoadBalancer":
            return ()
    return (made_at(action, kind, f"{space}/{name}", share=action.quantity),)


def _asked_for(action: Action, name: str) -> bool:
    """Whether the request asked for this name, or for one that begins so."""
    if not action.operation.endswith(":create"):
        return action.resources[:1] != () and action.resources[0].endswith(f"/{name}")
    manifest = action.parameters.get("manifest")
    metadata = manifest.get("metadata") if isinstance(manifest, Mapping) else None
    told = metadata if isinstance(metadata, Mapping) else {}
    if told.get("name"):
        return bool(told["name"] == name)
    prefix = told.get("generateName")
    return isinstance(prefix, str) and bool(prefix) and name.startswith(prefix)


def made_at(action: Action, kind: str, resource: str, *, share: int = 1) -> Made:
    """A thing in the cluster that an action went to."""
    return Made(
        kind=kind,
        resource=resource,
        account=action.account,
        region=action.region,
        endpoint=action.endpoint,
        share=share,
    )


def split(made: Made) -> tuple[str, str] | None:
    """Namespace and name of a thing; None where it has no two plain ones."""
    space, _, name = made.resource.partition("/")
    return (space, name) if _NAME.fullmatch(name) and _NAME.fullmatch(space) else None
