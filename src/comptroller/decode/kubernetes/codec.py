"""An API server of Kubernetes: `kubernetes:apps/deployments:create`. The path says what is asked, the manifest how much
and how powerful; a request that would open a shell is understood, and never carried."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote

from comptroller.core.action import Action, ActionClass, Call, Value
from comptroller.core.request import NativeResponse, Outgoing, Request, Unencodable
from comptroller.core.verdict import Verdict
from comptroller.decode.http import OVERRIDE_HEADERS, content_type_of
from comptroller.decode.jsontext import MalformedJson, dump_json
from comptroller.decode.kubernetes.answer import MadeMeter, status
from comptroller.decode.kubernetes.classes import Classes, built_in, classes_of, known, own_group
from comptroller.decode.kubernetes.manifest import NOTHING, Manifest, mapping, read_manifest
from comptroller.decode.kubernetes.path import PROXIES, Attributes, attributes, read_query
from comptroller.decode.kubernetes.sentence import sentence
from comptroller.decode.kubernetes.workload import WORKLOADS, added_classes, facts_of
from comptroller.decode.shape import (
    JSON_TYPE,
    Undecodable,
    bound_headers,
    native_json,
    only_header,
    outgoing_headers,
    payload_bytes,
    plain_header,
    same_endpoint,
    text_pairs,
    undecodable,
)
from comptroller.decode.target import AmbiguousTarget, join_target, parse_target

BOUND_HEADERS = ("accept", "impersonate-group", "impersonate-uid", "impersonate-user")
IMPERSONATION = frozenset({"impersonate-group", "impersonate-uid", "impersonate-user"})
EXTRA = "impersonate-extra-"
HOSTS = frozenset(
    {
        "*.eks.amazonaws.com",
        "*.eks.amazonaws.com.cn",
        "*.azmk8s.io",
        "*.azmk8s.us",
        "*.cx.prod.service.azk8s.cn",
        "*.gke.goog",
        "*.k8s.ondigitalocean.com",
        "*.linodelke.net",
        "*.k8s.ovh.net",
        "*.vultr-k8s.com",
    }
)
"""Where managed clusters live. Any other cluster is named in `services` with `codec: kubernetes`."""
SENSITIVE_RESOURCES = WORKLOADS | {"secrets", "configmaps", "serviceaccounts", "tokenreviews"}
_REGION = re.compile(
    r"\.([a-z]{2}(?:-[a-z]+)+-?[0-9]*|[a-z]+[0-9]?)\.(?:eks\.amazonaws\.com(?:\.cn)?|azmk8s\.io|gke\.goog)$"
)
_DRY = ["All"]


class KubernetesCodec:
    """Every API server that is a managed cluster's own, or configured. Which cluster is the endpoint's host."""

    name = "kubernetes"
    hosts = HOSTS

    def decode(self, request: Request) -> Action:
        """What the request would do; a reason where nobody can say."""
        try:
            return self._decode(request)
        except (Undecodable, AmbiguousTarget, MalformedJson) as error:
            return undecodable(
                request,
                service=self.name,
                operation="kubernetes:unknown",
                family=request.host,
                reason=str(error),
            )

    def _decode(self, request: Request) -> Action:
        if request.stream is not None:
            raise Undecodable("the body is larger than what is read whole")
        for name in OVERRIDE_HEADERS:
            if request.all(name):
                raise Undecodable(f"the header `{name}` asks for something other than method and path say")
        target = parse_target(request.target)
        asked = attributes(request.method, target.path, target.query)
        if own_group(asked.group) and not built_in(asked) and asked.verb != "proxy":
            raise Undecodable("Kubernetes has no such resource")
        query = read_query(target.query)
        headers = _headers(request)
        parameters: dict[str, Value] = {
            "method": request.method,
            "path": target.path,
            "query": [[name, value] for name, value in target.query] if target.has_query else None,
            "headers": headers,
        }
        upgrade = _upgrade(request)
        if upgrade:
            parameters["upgrade"] = upgrade
        if asked.verb == "proxy" or asked.subresource in PROXIES:
            read = NOTHING
            if request.body:
                parameters["type"], parameters["body"] = only_header(request, "content-type") or "", request.body
        else:
            kind = content_type_of(request)
            if not kind and request.method != "PATCH":
                kind = JSON_TYPE  # what the server takes it for; the official client leaves it out
            read = read_manifest(request.method, kind, request.body)
            if read.mode != "none":
                parameters["type"], parameters["manifest"] = kind, read.document
        classes = self._classes(asked, query, read, headers)
        facts = facts_of(asked, read) if request.method in ("POST", "PUT", "PATCH") else {}
        if facts:
            parameters["facts"] = facts
        return Action(
            operation=asked.operation,
            service=self.name,
            classes=classes,
            endpoint=request.endpoint,
            agent=request.agent,
            run=request.run,
            account=request.accounts.get(request.host, ""),
            region=match[1] if (match := _REGION.search(request.host)) is not None else "",
            resources=_resources(asked, read),
            quantity=_quantity(facts),
            parameters=parameters,
            sensitive=_sensitive(asked, parameters),
            call=Call(attempt=request.attempt, payload_bytes=payload_bytes(request)),
        )

    def _classes(
        self, asked: Attributes, query: Mapping[str, list[str]], read: Manifest, headers: Mapping[str, Value]
    ) -> Classes:
        classes = classes_of(asked)
        if _is_dry(asked, query, read):
            classes = classes & {ActionClass.REVEAL} | {ActionClass.READ}
        elif not asked.path and not classes <= {ActionClass.READ, ActionClass.REVEAL}:
            classes |= added_classes(asked, read)
        if headers.keys() & IMPERSONATION:
            classes |= {ActionClass.ENTITLE}
        return classes

    def known(self) -> Mapping[str, Classes]:
        """Every operation of Kubernetes itself by name."""
        return known()

    def encode(self, action: Action, request: Request) -> Outgoing:
        """The same path and pairs, and the manifest as JSON. What becomes another protocol is refused."""
        same_endpoint(action, request)
        members = action.parameters
        if "upgrade" in members:
            raise Unencodable("the request becomes a connection (exec, attach, port-forward) nobody could judge")
        body, content_type = b"", None
        if "manifest" in members:
            content_type = str(members["type"])
            try:
                body = dump_json(members["manifest"])
            except (TypeError, ValueError) as error:
                raise Unencodable("the manifest cannot be written as JSON") from error
        elif isinstance(sent := members.get("body"), bytes):
            body, content_type = sent, str(members["type"]) or None
        query = members.get("query")
        extra = (
            ("content-type", content_type),
            ("accept-encoding", "identity"),
            ("user-agent", plain_header(request, "user-agent")),
        )
        return Outgoing(
            method=str(members["method"]),
            scheme=request.scheme,
            host=request.host,
            port=request.port,
            target=join_target(str(members["path"]), None if query is None else tuple(text_pairs(query))),
            headers=outgoing_headers(members.get("headers"), *extra),
            body=body,
            family=self.name,
        )

    def refuse(self, action: Action, request: Request, verdict: Verdict, message: str) -> NativeResponse:
        """403 with a `Status` of reason `Forbidden`, as the API server's own authorizer answers."""
        return native_json(status(action, message), message)

    def meter(self, action: Action) -> MadeMeter:
        """Reads which object was made."""
        return MadeMeter(action)

    def sentence(self, action: Action) -> str:
        """`run 6 pods (Job train, 8 GPUs each) in namespace research`."""
        return sentence(action)


def _headers(request: Request) -> dict[str, Value]:
    if any(header.name.startswith(EXTRA) for header in request.headers):
        raise Undecodable("the request impersonates with extra fields, which are not carried")
    return bound_headers(request, BOUND_HEADERS, lists=("accept",))


def _upgrade(request: Request) -> str:
    """What the connection would become; empty where it stays HTTP."""
    offered = [part.strip().lower() for value in request.all("upgrade") for part in value.split(",")]
    if request.all("sec-websocket-key"):
        offered.append("websocket")
    return quote(next((name for name in offered if name not in ("", "h2c")), ""))[:64]


def _is_dry(asked: Attributes, query: Mapping[str, list[str]], read: Manifest) -> bool:
    """True where the server only looks at what it would do. Only Kubernetes' own resources are trusted to; the options
    in the body of a DELETE win over the query, which is then not read."""
    if asked.verb not in ("create", "update", "patch", "delete", "deletecollection") or not built_in(asked):
        return False
    if asked.subresource not in ("", "status", "scale", "eviction", "finalize", "approval", "resize"):
        return False
    said = query.get("dryRun") == _DRY
    options = mapping(read.document)
    if asked.verb in ("delete", "deletecollection"):
        return said if read.mode == "none" else options.get("dryRun") == _DRY and query.get("dryRun") in (None, _DRY)
    if asked.subresource == "eviction":
        return said and mapping(options.get("deleteOptions")).get("dryRun") in (None, _DRY)
    return said


def _resources(asked: Attributes, read: Manifest) -> tuple[str, ...]:
    """`train/pods/web-0`; without a namespace `nodes/n1`; what is made carries the name it asks for."""
    if asked.path:
        return (asked.rest,) if asked.rest else ()
    name = asked.name
    if not name and read.mode in ("whole", "apply"):
        metadata = mapping(mapping(read.document).get("metadata"))
        given = metadata.get("name") or metadata.get("generateName")
        name = str(given)[:253] if isinstance(given, str) else ""
    group = "" if asked.group == "core" else f".{asked.group}"
    space = f"{asked.namespace}/" if asked.namespace and asked.resource != "namespaces" else ""
    return (f"{space}{asked.resource}{group}" + (f"/{name}" if name else ""),)


def _quantity(facts: Mapping[str, Value]) -> int:
    pods = facts.get("Pods")
    return pods if isinstance(pods, int) and pods >= 1 else 1


def _sensitive(asked: Attributes, parameters: Mapping[str, Value]) -> frozenset[str]:
    found = set()
    if asked.resource in SENSITIVE_RESOURCES or not built_in(asked):
        found.add("manifest")
    if asked.subresource in ("exec", "attach", "proxy", "portforward") or asked.verb == "proxy":
        found |= {"query", "body"}
    return frozenset(found & parameters.keys())
