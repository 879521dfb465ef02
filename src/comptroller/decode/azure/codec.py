"""Azure: `azure:Microsoft.Compute/virtualMachines:write`. The host says which of its APIs reads the request."""

from __future__ import annotations

from collections.abc import Mapping

from comptroller.core.action import Action, Call, Value
from comptroller.core.request import NativeResponse, Outgoing, Request, Unencodable
from comptroller.core.verdict import Verdict
from comptroller.decode.azure import arm, blob, classes, graph, login, vault
from comptroller.decode.azure.meter import AzureMeter
from comptroller.decode.azure.reading import Classes, Reading, query_of, segments
from comptroller.decode.azure.sentence import sentence
from comptroller.decode.http import OVERRIDE_HEADERS, content_type_of, refuse_upgrade
from comptroller.decode.jsontext import MalformedJson, dump_json, parse_json
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

HOSTS = arm.HOSTS | vault.HOSTS | blob.HOSTS | graph.HOSTS | login.HOSTS
BOUND_HEADERS = ("consistencylevel", "if-match", "if-none-match", "prefer", "x-ms-force-delete")
KEYS = ("idempotency-key", "repeatability-request-id")
RAW = blob.HOSTS | login.HOSTS
"""Hosts whose bodies are not JSON: bound byte by byte."""


class AzureCodec:
    """The resource manager, key vaults, blobs, Microsoft Graph and the token service, in every cloud of Azure's."""

    name = "azure"
    hosts = HOSTS

    def decode(self, request: Request) -> Action:
        """What the request would do; a reason where nobody can say."""
        try:
            return self._decode(request)
        except (Undecodable, AmbiguousTarget, MalformedJson) as error:
            return undecodable(
                request, service=self.name, operation="azure:unknown", family=self.name, reason=str(error)
            )

    def _decode(self, request: Request, *, within: bool = False) -> Action:
        for name in OVERRIDE_HEADERS:
            if request.all(name):
                raise Undecodable(f"the header `{name}` asks for something other than method and path say")
        refuse_upgrade(request)
        managed = request.host in arm.HOSTS
        target = parse_target(arm.plain_target(request.target) if managed else request.target)
        query = query_of(target.query)
        blobs = _under(request.host, blob.HOSTS)
        path = [] if blobs else segments(target.path)
        headers = blob.headers_of(request) if blobs else {}
        parameters: dict[str, Value] = {
            "method": request.method,
            "path": target.path,
            "query": [[name, value] for name, value in target.query] if target.has_query else None,
            "headers": {**bound_headers(request, BOUND_HEADERS), **headers},
        }
        body = _raw(request, parameters) if _under(request.host, RAW) else _json(request, parameters)

        def again(inner: Request) -> Action:
            if within:
                raise Undecodable("the batch has a batch within")
            try:
                return self._decode(inner, within=True)
            except AmbiguousTarget as error:
                raise Undecodable(str(error)) from error

        found = blob.read_blob(request, target.path, query) if blobs else _read(request, path, body, again)
        if found.facts:
            parameters["facts"] = found.facts
        token = next(((name, value) for name in KEYS if (value := only_header(request, name)) is not None), None)
        return Action(
            operation=found.operation,
            service=found.service,
            classes=found.classes,
            endpoint=request.endpoint,
            agent=request.agent,
            run=request.run,
            account=found.account or request.accounts.get(self.name, ""),
            region=found.region,
            resources=found.resources,
            quantity=found.quantity,
            parameters=parameters,
            parts=found.parts,
            sensitive=found.sensitive & parameters.keys(),
            call=Call(attempt=token[1] if token else request.attempt, payload_bytes=payload_bytes(request)),
        )

    def known(self) -> Mapping[str, Classes]:
        """Every published operation by name."""
        return {**classes.known(), **vault.known(), **blob.known(), **graph.known(), **login.known()}

    def encode(self, action: Action, request: Request) -> Outgoing:
        """The same path and pairs, the body as it was read."""
        same_endpoint(action, request)
        members = action.parameters
        body, content_type, stream = b"", None, None
        if members.get("raw") is True:
            if members["body"] != _carried(request):
                raise Unencodable("the body is not the one that was judged")
            body, stream = request.body, request.stream
            content_type = str(members["type"]) if members.get("type") else None
        elif "body" in members:
            try:
                body, content_type = dump_json(members["body"]), str(members["type"])
            except (TypeError, ValueError) as error:
                raise Unencodable("the body cannot be written as JSON") from error
        query = members.get("query")
        passed = ("accept", "user-agent", "x-ms-client-request-id", *KEYS)
        extra = (
            ("content-type", content_type),
            ("accept-encoding", "identity"),
            *((name, plain_header(request, name)) for name in passed),
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
            stream=stream,
        )

    def refuse(self, action: Action, request: Request, verdict: Verdict, message: str) -> NativeResponse:
        """403 with the error object all of Azure's SDKs raise `HttpResponseError` from, and do not retry."""
        return native_json({"error": {"code": "AuthorizationFailed", "message": message}}, message)

    def meter(self, action: Action) -> AzureMeter:
        """Reads the id of what was made."""
        return AzureMeter(action)

    def sentence(self, action: Action) -> str:
        """`write 3 x Standard_D4s_v5 (Microsoft.Compute/virtualMachineScaleSets web) in westeurope`."""
        return sentence(action)


def _read(request: Request, path: list[str], body: Value, again: arm.Again) -> Reading:
    host = request.host
    if host in arm.HOSTS:
        return arm.read_arm(request, path, body, again)
    if _under(host, vault.HOSTS):
        return vault.read_vault(request.method, host, path)
    if host in graph.HOSTS:
        return graph.read_graph(request, path, body, again)
    if host in login.HOSTS:
        return login.read_login(request.method, path)
    raise Undecodable("no API of Azure has this host")


def _json(request: Request, parameters: dict[str, Value]) -> Value:
    if request.stream is not None:
        raise Undecodable("the body is larger than what is read whole")
    if not request.body:
        return None
    if request.method in ("GET", "HEAD"):
        raise Undecodable(f"a {request.method} request with a body")
    kind = content_type_of(request)
    if kind != JSON_TYPE and kind not in ("application/merge-patch+json", "text/json"):
        raise Undecodable("the Content-Type is not application/json")
    body = parse_json(request.body)
    parameters["type"], parameters["body"] = kind, body
    return body


def _raw(request: Request, parameters: dict[str, Value]) -> Value:
    parameters["type"] = only_header(request, "content-type") or ""
    parameters["raw"], parameters["body"] = True, _carried(request)
    return None


def _carried(request: Request) -> Value:
    if request.stream is None:
        return request.body
    return {"stream": True, "length": request.stream.length_bytes, "sha256": request.stream.sha256}


def _under(host: str, hosts: frozenset[str]) -> bool:
    return host in hosts or any(name.startswith("*.") and host.endswith(name[1:]) for name in hosts)
