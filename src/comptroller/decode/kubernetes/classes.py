"""What an API request to Kubernetes is: classes of every built-in resource, reviewed by hand with the reasons, and the
stricter reading of resources that others define."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import NamedTuple

from comptroller.core.action import ActionClass
from comptroller.decode.kubernetes.path import LOOKS, URLS, URLS_OF_TWO, Attributes

READ, REVEAL, WRITE = ActionClass.READ, ActionClass.REVEAL, ActionClass.WRITE
PROVISION, ENTITLE, DESTROY = ActionClass.PROVISION, ActionClass.ENTITLE, ActionClass.DESTROY
EXECUTE, BLIND = ActionClass.EXECUTE, ActionClass.BLIND
Classes = frozenset[ActionClass]

_READS: Classes = frozenset({READ})


class Meaning(NamedTuple):
    """Classes of creating, changing (update, patch) and deleting one resource."""

    create: Classes
    change: Classes
    delete: Classes = frozenset({DESTROY})


def _m(create: str, change: str | None = None, delete: str = "destroy") -> Meaning:
    sets = (create, create if change is None else change, delete)
    return Meaning(*(frozenset(ActionClass(name) for name in names.split()) for names in sets))


PLAIN = _m("write")
WORKLOAD = _m("provision execute")
RIGHTS = _m("entitle", delete="entitle destroy")
GUARD = _m("entitle blind", delete="blind destroy")
LIMIT = _m("write", "blind", "blind destroy")
SAVED = _m("provision")
FOREIGN = _m("write provision execute")
"""A resource that somebody else defines may start machines and run code: whoever watches it decides."""

REVIEWED: Mapping[str, Meaning] = MappingProxyType(
    {
        # Runs containers, on machines that an autoscaler adds.
        "core/pods": WORKLOAD,
        "core/replicationcontrollers": WORKLOAD,
        "core/podtemplates": _m("write execute"),
        "apps/deployments": WORKLOAD,
        "apps/replicasets": WORKLOAD,
        "apps/statefulsets": WORKLOAD,
        "apps/daemonsets": WORKLOAD,
        "apps/controllerrevisions": _m("write execute"),
        "batch/jobs": WORKLOAD,
        "batch/cronjobs": WORKLOAD,
        "scheduling.k8s.io/workloads": SAVED,
        "scheduling.k8s.io/podgroups": SAVED,
        "scheduling.k8s.io/compositepodgroups": SAVED,
        "autoscaling/horizontalpodautoscalers": SAVED,
        # Disks, devices and balancers are made for it outside the cluster.
        "core/persistentvolumeclaims": SAVED,
        "core/persistentvolumes": SAVED,
        "networking.k8s.io/ingresses": SAVED,
        "resource.k8s.io/resourceclaims": SAVED,
        "resource.k8s.io/resourceclaimtemplates": SAVED,
        "core/nodes": _m("provision entitle", "write"),
        # Who may do what.
        "rbac.authorization.k8s.io/roles": RIGHTS,
        "rbac.authorization.k8s.io/rolebindings": RIGHTS,
        "rbac.authorization.k8s.io/clusterroles": RIGHTS,
        "rbac.authorization.k8s.io/clusterrolebindings": RIGHTS,
        "core/serviceaccounts": RIGHTS,
        "certificates.k8s.io/certificatesigningrequests": _m("entitle", delete="destroy"),
        "certificates.k8s.io/clustertrustbundles": RIGHTS,
        "certificates.k8s.io/podcertificaterequests": _m("entitle", delete="destroy"),
        "extensions/podsecuritypolicies": GUARD,
        "policy/podsecuritypolicies": GUARD,
        # Sees or answers every request of a kind: may let through, alter or drop them.
        "admissionregistration.k8s.io/mutatingwebhookconfigurations": GUARD,
        "admissionregistration.k8s.io/validatingwebhookconfigurations": GUARD,
        "admissionregistration.k8s.io/mutatingadmissionpolicies": GUARD,
        "admissionregistration.k8s.io/mutatingadmissionpolicybindings": GUARD,
        "admissionregistration.k8s.io/validatingadmissionpolicies": GUARD,
        "admissionregistration.k8s.io/validatingadmissionpolicybindings": GUARD,
        "apiregistration.k8s.io/apiservices": GUARD,
        "auditregistration.k8s.io/auditsinks": GUARD,
        "flowcontrol.apiserver.k8s.io/flowschemas": _m("blind", delete="blind destroy"),
        "flowcontrol.apiserver.k8s.io/prioritylevelconfigurations": _m("blind", delete="blind destroy"),
        # Guardrails: making one is harmless, changing or deleting one is what weakens it.
        "networking.k8s.io/networkpolicies": LIMIT,
        "extensions/networkpolicies": LIMIT,
        "core/resourcequotas": LIMIT,
        "core/limitranges": LIMIT,
        "policy/poddisruptionbudgets": _m("write", delete="blind destroy"),
        "core/events": _m("write", "blind", "blind destroy"),
        "events.k8s.io/events": _m("write", "blind", "blind destroy"),
        # Ends what runs elsewhere.
        "lifecycle.k8s.io/evictions": _m("destroy"),
        "lifecycle.k8s.io/evictionrequests": _m("destroy"),
        "resource.k8s.io/devicetaintrules": _m("destroy"),
        "apiextensions.k8s.io/customresourcedefinitions": _m("write"),
        "core/bindings": _m("write execute"),
        "storagemigration.k8s.io/storageversionmigrations": PLAIN,
        "extensions/deployments": WORKLOAD,
        "extensions/replicasets": WORKLOAD,
        "extensions/daemonsets": WORKLOAD,
        "extensions/ingresses": SAVED,
        # Secrets: their deletion and change answer with what they held.
        "core/secrets": _m("write", "write reveal", "destroy reveal"),
    }
)

SUBRESOURCES: Mapping[str, Classes] = MappingProxyType(
    {
        "core/pods/exec": frozenset({EXECUTE}),
        "core/pods/attach": frozenset({EXECUTE}),
        "core/pods/portforward": frozenset({EXECUTE}),
        "core/pods/proxy": frozenset({EXECUTE}),
        "core/services/proxy": frozenset({EXECUTE}),
        "core/nodes/proxy": frozenset({EXECUTE, REVEAL}),
        "core/serviceaccounts/token": frozenset({REVEAL, ENTITLE}),
    }
)
"""Subresources that are the same whatever the method: even a GET opens a shell or reaches another server."""

CHANGED_SUBRESOURCES: Mapping[str, Classes] = MappingProxyType(
    {
        "core/pods/ephemeralcontainers": frozenset({EXECUTE}),
        "core/pods/eviction": frozenset({DESTROY}),
        "core/pods/binding": frozenset({WRITE, EXECUTE}),
        "core/pods/resize": frozenset({PROVISION}),
        "core/namespaces/finalize": frozenset({DESTROY}),
        "certificates.k8s.io/certificatesigningrequests/approval": frozenset({ENTITLE}),
        "certificates.k8s.io/certificatesigningrequests/status": frozenset({ENTITLE}),
        "certificates.k8s.io/podcertificaterequests/status": frozenset({ENTITLE}),
        "apiregistration.k8s.io/apiservices/status": frozenset({WRITE, BLIND}),
        "admissionregistration.k8s.io/validatingadmissionpolicies/status": frozenset({WRITE, BLIND}),
    }
)
"""Subresources that may be looked at; changing them is this."""

QUESTIONS = frozenset(
    {
        "authentication.k8s.io/tokenreviews",
        "authentication.k8s.io/selfsubjectreviews",
        "authorization.k8s.io/localsubjectaccessreviews",
        "authorization.k8s.io/selfsubjectaccessreviews",
        "authorization.k8s.io/selfsubjectrulesreviews",
        "authorization.k8s.io/subjectaccessreviews",
    }
)
"""Resources that are created only to be answered."""

LEGACY = frozenset(
    {
        "extensions/podsecuritypolicies",
        "policy/podsecuritypolicies",
        "auditregistration.k8s.io/auditsinks",
        "extensions/networkpolicies",
        "extensions/deployments",
        "extensions/deployments/scale",
        "extensions/replicasets",
        "extensions/replicasets/scale",
        "extensions/daemonsets",
        "extensions/ingresses",
    }
)
"""Resources of older servers, no longer in the index."""

FOREIGN_GROUPS: Mapping[str, Meaning] = MappingProxyType(
    {
        "snapshot.storage.k8s.io": SAVED,
        "autoscaling.k8s.io": SAVED,
        "karpenter.sh": SAVED,
        "karpenter.k8s.aws": _m("provision entitle"),
        "cluster.x-k8s.io": SAVED,
        "gateway.networking.k8s.io": SAVED,
        "cert-manager.io": PLAIN,
        "networking.istio.io": PLAIN,
        "security.istio.io": GUARD,
        "monitoring.coreos.com": _m("write", "blind", "blind destroy"),
        "cilium.io": LIMIT,
        "projectcalico.org": LIMIT,
        "crd.projectcalico.org": LIMIT,
        "policy.networking.k8s.io": LIMIT,
        "kyverno.io": GUARD,
        "constraints.gatekeeper.sh": GUARD,
        "templates.gatekeeper.sh": GUARD,
        "policies.kubewarden.io": GUARD,
        "kueue.x-k8s.io": _m("write blind"),
        "external-secrets.io": _m("write entitle"),
        "bitnami.com": PLAIN,
    }
)
"""Well-known groups of custom resources; any other is `FOREIGN`."""

METRICS_GROUPS = frozenset({"metrics.k8s.io", "custom.metrics.k8s.io", "external.metrics.k8s.io"})


@cache
def index() -> Mapping[str, Mapping[str, str]]:
    """Built-in resources by group: `{"apps": {"deployments/scale": "get patch update"}}`."""
    document = json.loads((files(__package__) / "data/resources.json").read_text("utf-8"))
    return MappingProxyType(document["resources"])


def built_in(asked: Attributes) -> bool:
    """True where the resource is one of Kubernetes' own."""
    return asked.kind in index().get(asked.group, {}) or f"{asked.group}/{asked.kind}" in LEGACY


def own_group(group: str) -> bool:
    """True for the groups that only Kubernetes itself serves."""
    return group in index() or group in ("extensions", "auditregistration.k8s.io")


def classes_of(asked: Attributes) -> Classes:
    """The classes every such request has, whatever it carries; its manifest may add some."""
    if asked.path:
        return _READS
    key = f"{asked.group}/{asked.resource}"
    kind = f"{asked.group}/{asked.kind}"
    if asked.verb == "proxy":
        return frozenset({EXECUTE, REVEAL}) if asked.resource == "nodes" else frozenset({EXECUTE})
    if (always := SUBRESOURCES.get(kind)) is not None:
        return always
    if not built_in(asked) and asked.subresource not in ("", "status", "scale"):
        return _READS if asked.group in METRICS_GROUPS and asked.verb in LOOKS else frozenset({WRITE, EXECUTE})
    if asked.verb in LOOKS:
        return frozenset({READ, REVEAL}) if key == "core/secrets" else _READS
    if kind in QUESTIONS:
        return _READS
    if (changed := CHANGED_SUBRESOURCES.get(kind)) is not None:
        return changed
    if asked.subresource == "scale":
        return frozenset({PROVISION, EXECUTE})
    if asked.subresource == "status":
        return frozenset({WRITE})
    meaning = REVIEWED.get(key) or (PLAIN if own_group(asked.group) else FOREIGN_GROUPS.get(asked.group, FOREIGN))
    if asked.verb == "create":
        return meaning.create
    return meaning.delete if asked.verb in ("delete", "deletecollection") else meaning.change


@cache
def known() -> Mapping[str, Classes]:
    """Every operation of Kubernetes itself by name, with the classes it always has."""
    found: dict[str, Classes] = {}
    for path in (*URLS, *URLS_OF_TWO):
        asked = Attributes(verb="get", path=path)
        found[asked.operation] = classes_of(asked)
    for group, resources in index().items():
        for kind, verbs in resources.items():
            resource, _, subresource = kind.partition("/")
            for verb in verbs.split():
                asked = Attributes(verb=verb, group=group, resource=resource, subresource=subresource)
                found[asked.operation] = classes_of(asked)
    for resource in ("nodes", "pods", "services"):
        asked = Attributes(verb="proxy", group="core", resource=resource)
        found[asked.operation] = classes_of(asked)
    return MappingProxyType(found)
