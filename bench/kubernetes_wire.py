"""How many calls of the real `kubernetes` client are read off the wire as what they are: every generated method."""

from __future__ import annotations

import inspect
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from bench.report import Result
from comptroller.core.action import Action
from comptroller.core.request import Header, Request
from comptroller.decode.kubernetes import KubernetesCodec

HOST = "0a1b2c.gr7.us-east-1.eks.amazonaws.com"
SEED = 4
GROUPS = {
    "Admissionregistration": "admissionregistration.k8s.io",
    "Apiextensions": "apiextensions.k8s.io",
    "Apiregistration": "apiregistration.k8s.io",
    "Apps": "apps",
    "Authentication": "authentication.k8s.io",
    "Authorization": "authorization.k8s.io",
    "Autoscaling": "autoscaling",
    "Batch": "batch",
    "Certificates": "certificates.k8s.io",
    "Coordination": "coordination.k8s.io",
    "Core": "core",
    "Discovery": "discovery.k8s.io",
    "Events": "events.k8s.io",
    "FlowcontrolApiserver": "flowcontrol.apiserver.k8s.io",
    "InternalApiserver": "internal.apiserver.k8s.io",
    "Lifecycle": "lifecycle.k8s.io",
    "Networking": "networking.k8s.io",
    "Node": "node.k8s.io",
    "Policy": "policy",
    "RbacAuthorization": "rbac.authorization.k8s.io",
    "Resource": "resource.k8s.io",
    "Scheduling": "scheduling.k8s.io",
    "Storage": "storage.k8s.io",
    "Storagemigration": "storagemigration.k8s.io",
}
"""API groups by the client's class names: what the answer is checked against never comes from the path."""
SUBRESOURCES = {
    "status": "status",
    "scale": "scale",
    "log": "log",
    "exec": "exec",
    "attach": "attach",
    "portforward": "portforward",
    "proxy": "proxy",
    "proxy_with_path": "proxy",
    "eviction": "eviction",
    "binding": "binding",
    "ephemeralcontainers": "ephemeralcontainers",
    "resize": "resize",
    "token": "token",
    "approval": "approval",
    "finalize": "finalize",
}
WHOLE_KINDS = frozenset(
    {"component_status", "role_binding", "cluster_role_binding"}
    | {"mutating_admission_policy_binding", "validating_admission_policy_binding"}
)
"""Kinds whose name ends like a subresource."""
VERBS = {
    "create": "create",
    "replace": "update",
    "patch": "patch",
    "delete_collection": "deletecollection",
    "delete": "delete",
    "read": "get",
    "list": "list",
    "connect_get": "get",
    "connect_head": "get",
    "connect_post": "create",
    "connect_put": "update",
    "connect_patch": "patch",
    "connect_delete": "delete",
    "connect_options": "options",
}
_CLASS = re.compile(r"(\w+?)(V\d\w*)?Api")
_METHOD = re.compile(r"(delete_collection|connect_[a-z]+|[a-z]+)_(?:namespaced_)?(.+?)(_for_all_namespaces)?")


class Sent(Exception):
    """Carries the request that the client was about to send."""

    def __init__(self, request: Request) -> None:
        super().__init__()
        self.request = request


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of the client and what it must be read as. `operation` is empty for non-resource URLs."""

    method: str
    request: Request
    operation: str
    namespace: str
    name: str


def calls(seed: int = SEED) -> Iterator[Call]:
    """One request for every method of every generated API class, custom objects included."""
    from kubernetes import client

    api = client.ApiClient(client.Configuration(host=f"https://{HOST}"))
    api.rest_client.pool_manager.request = _capture
    rng = random.Random(seed)
    for class_name in sorted(name for name in dir(client) if name.endswith("Api")):
        match = _CLASS.fullmatch(class_name)
        if match is None:
            continue
        instance = getattr(client, class_name)(api)
        for method_name in sorted(vars(type(instance))):
            if method_name.startswith(("_", "close")) or method_name.endswith(
                ("_with_http_info", "_without_preload_content")
            ):
                continue
            method = getattr(instance, method_name)
            arguments = _arguments(method, rng)
            yield Call(
                method=f"{class_name}.{method_name}",
                request=_sent(method, arguments),
                operation=_expected(match[1], match[2] or "", method_name, arguments),
                namespace=str(arguments.get("namespace", "")),
                name=str(arguments.get("name", "")),
            )


def right(call: Call, action: Action) -> bool:
    """True where operation, namespace and name are what the caller meant."""
    if not call.operation:
        return action.operation.startswith("kubernetes:url/")
    if action.operation != call.operation:
        return False
    where = action.resources[0]
    return (not call.namespace or call.namespace in where.split("/")) and (
        not call.name or where.endswith("/" + call.name)
    )


def measure(quick: bool = False) -> list[Result]:
    """`kubernetes_right`: the share of generated methods read off the wire with the right operation and object."""
    codec = KubernetesCodec()
    marks = [right(call, codec.decode(call.request)) for call in calls()]
    return [Result(name="kubernetes_right", value=sum(marks) / len(marks), unit="fraction")]


def _capture(method: str, url: str, headers: Any = None, body: Any = None, **_: Any) -> None:
    raw = b"" if body is None else body if isinstance(body, bytes) else str(body).encode()
    raise Sent(
        Request(
            scheme="https",
            method=method,
            host=HOST,
            port=443,
            target="/" + url.split("//", 1)[1].partition("/")[2],
            headers=tuple(Header(name.lower(), str(value)) for name, value in dict(headers or {}).items()),
            body=raw,
            agent="researcher",
            run="run-1",
        )
    )


def _sent(method: Callable[..., object], arguments: dict[str, object]) -> Request:
    try:
        method(**arguments)
    except Sent as sent:
        return sent.request
    raise AssertionError("the client sent nothing")


def _arguments(method: Callable[..., object], rng: random.Random) -> dict[str, object]:
    given: dict[str, object] = {}
    for parameter in inspect.signature(method).parameters.values():
        if parameter.default is not inspect.Parameter.empty or parameter.kind is inspect.Parameter.VAR_KEYWORD:
            continue
        if parameter.name == "body":
            given["body"] = _body(parameter.annotation)
        elif parameter.name in ("plural", "resource_plural"):
            given[parameter.name] = rng.choice(("widgets", "pytorchjobs", "nodepools"))
        elif parameter.name == "group":
            given[parameter.name] = rng.choice(("example.com", "kubeflow.org"))
        elif parameter.name == "version":
            given[parameter.name] = rng.choice(("v1", "v1beta1"))
        elif parameter.name in ("path", "logpath"):
            given[parameter.name] = rng.choice(("index.html", "metrics"))
        else:
            given[parameter.name] = rng.choice(("default", "a.b-c", "namespaces", "status", "watch", "x1", "pods"))
    return given


def _body(annotation: object) -> object:
    """The smallest object of the type a method asks for; a mapping where any object will do."""
    for kind in (annotation, *getattr(annotation, "__args__", ())):
        if inspect.isclass(kind) and kind.__module__.startswith("kubernetes."):
            return kind.model_construct(**dict.fromkeys(kind.model_fields))  # type: ignore[attr-defined]
    return {"metadata": {}}


def _expected(group: str, version: str, method: str, arguments: dict[str, object]) -> str:
    match = _METHOD.fullmatch(method)
    assert match is not None
    if group == "CustomObjects":
        if match[1] == "get" and match[2] == "api_resources":
            return ""
        verb = {**VERBS, "get": "get"}[match[1]]
        plural = arguments.get("plural", arguments.get("resource_plural"))
        subresource = next((f"/{name}" for name in ("status", "scale") if method.endswith(f"_{name}")), "")
        return f"kubernetes:{arguments['group']}/{plural}{subresource}:{verb}"
    if not version:
        return ""
    if match[1] == "get":
        return ""
    kind, subresource = match[2], ""
    for suffix, name in sorted(SUBRESOURCES.items(), key=lambda item: -len(item[0])):
        if kind.endswith(f"_{suffix}") and kind not in WHOLE_KINDS:
            kind, subresource = kind.removesuffix(f"_{suffix}"), f"/{name}"
            break
    return f"kubernetes:{GROUPS[group]}/{_plural(kind.replace('_', ''))}{subresource}:{VERBS[match[1]]}"


def _plural(kind: str) -> str:
    if kind == "endpoints":
        return kind
    if kind.endswith(("s", "x", "ch")):
        return kind + "es"
    return kind[:-1] + "ies" if kind.endswith("y") else kind + "s"
