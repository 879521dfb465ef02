"""Cloud Storage's XML API: buckets and objects by path or by host, named like their JSON twins."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import unquote

from comptroller.core.action import Action, ActionClass, Call, Value
from comptroller.core.request import NativeResponse, Request
from comptroller.decode.gcp.path import query_of
from comptroller.decode.http import METHOD_CLASSES
from comptroller.decode.shape import Undecodable, bound_headers, native_headers, only_header, payload_bytes
from comptroller.decode.target import Target

HOST = "storage.googleapis.com"
JSON_PATHS = re.compile(
    r"/(?:storage|upload|download|resumable|batch|discovery|\$discovery|google\.storage\.[^/]*)(?:/|$)"
)
XML_TYPE = "application/xml; charset=UTF-8"
SETTINGS = frozenset(
    {"acl", "billing", "cors", "defaultObjectAcl", "encryption", "encryptionConfig", "lifecycle", "logging", "tagging"}
    | {"retention", "storageClass", "versioning", "website", "location", "policy", "compose", "objectLock", "ipFilter"}
)
"""Query members that turn a request into one about a setting."""
LISTS = frozenset({"prefix", "delimiter", "marker", "max-keys", "list-type", "start-after", "continuation-token"}) | {
    "encoding-type", "versions", "generation-marker", "key-marker", "fetch-owner", "generation", "userProject"
}  # fmt: skip
UPLOADS = frozenset({"uploads", "uploadId", "partNumber", "upload_id", "generation"})
BOUND = ("cache-control", "content-disposition", "content-encoding", "content-language", "content-md5", "content-range",
         "if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "range", "expires")  # fmt: skip

_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")
_C = ActionClass


def owns(host: str, path: str) -> bool:
    """Whether a request speaks the XML API: a bucket's own host, or a path that is none of the JSON API's."""
    bare = host.replace(".mtls.", ".")
    if bare == HOST:
        return JSON_PATHS.match(path) is None
    return bare.endswith("." + HOST)


def decode(request: Request, target: Target) -> Action:
    """What the request would do. Raises `Undecodable`."""
    if request.host.replace(".mtls.", ".") == HOST:
        bucket, _, name = target.path[1:].partition("/")
    else:
        bucket, name = request.host.replace(".mtls.", ".").removesuffix("." + HOST), target.path[1:]
    if bucket and not _BUCKET.fullmatch(unquote(bucket)):
        raise Undecodable("the path names no bucket")
    if any(header.startswith("x-amz-") for header, _ in request.headers):
        raise Undecodable("the request speaks another cloud's dialect")
    pairs = query_of(target)
    asked = {unquote(str(key)): value for key, value in pairs}
    if len(asked) != len(pairs):
        raise Undecodable("the query has a member more than once")
    operation, classes = _operation(request, bucket, name, asked)
    own = {header for header, _ in request.headers if header.startswith("x-goog-")} - {
        "x-goog-api-client",
        "x-goog-api-key",
    }
    headers = bound_headers(request, (*BOUND, *sorted(own)))
    if "x-goog-acl" in headers or ("x-goog-project-id" in headers and operation == "buckets.insert"):
        classes |= {_C.ENTITLE} if "x-goog-acl" in headers else set()
    if "x-goog-copy-source" in headers and operation == "objects.insert":
        operation = "objects.copy"
    body: Value = request.body
    if request.stream is not None:
        if operation not in ("objects.insert",):
            raise Undecodable("the body is larger than what is read whole")
        body = {"stream": True, "length": request.stream.length_bytes, "sha256": request.stream.sha256}
    elif request.method in ("GET", "HEAD", "DELETE") and request.body:
        raise Undecodable(f"a {request.method} request with a body")
    parameters: dict[str, Value] = {"@method": request.method, "@path": target.path, "@body": body}
    kind = only_header(request, "content-type")
    if kind is not None:
        parameters["@content_type"] = kind
    if pairs:
        parameters["@query"] = [list(pair) for pair in pairs]
    if headers:
        parameters["@headers"] = headers
    resource = "gs://" + "/".join(part for part in (unquote(bucket), unquote(name)) if part)
    copied = headers.get("x-goog-copy-source")
    secret = any("encryption-key" in header and "sha256" not in header for header in headers)
    return Action(
        operation=f"gcp:storage:{operation}",
        service="gcp:storage",
        classes=frozenset(classes),
        endpoint=request.endpoint,
        agent=request.agent,
        run=request.run,
        account=str(headers.get("x-goog-project-id") or request.accounts.get("gcp", "")),
        resources=(resource, *((str(copied),) if copied else ())),
        parameters=parameters,
        sensitive=frozenset({"@body", "@headers"} if secret else {"@body"}),
        call=Call(attempt=request.attempt, payload_bytes=payload_bytes(request)),
    )


def _operation(
    request: Request, bucket: str, name: str, asked: Mapping[str, str | None]
) -> tuple[str, set[ActionClass]]:
    """(operation of the JSON API, classes). Raises `Undecodable`."""
    method = request.method
    if method not in ("GET", "HEAD", "PUT", "POST", "DELETE"):
        raise Undecodable("the method is none of the XML API's")
    settings = sorted(SETTINGS & asked.keys())
    if len(settings) > 1:
        raise Undecodable("the query names two settings")
    if settings:
        return _setting(method, bucket, name, settings[0])
    extra = asked.keys() - LISTS - UPLOADS - {"alt"}
    if extra and not all(key.startswith("response-") for key in extra):
        raise Undecodable("the query has a member that is not known")
    looks = method in ("GET", "HEAD")
    if not bucket:
        if not looks:
            raise Undecodable("only a list of buckets has no bucket")
        return "buckets.list", {_C.READ}
    if not name:
        kinds = {"GET": "objects.list", "HEAD": "buckets.get", "PUT": "buckets.insert", "DELETE": "buckets.delete"}
        if method == "POST":
            raise Undecodable("a form that uploads, or deletes many: its body is not read")
        base = METHOD_CLASSES[method]
        return kinds[method], {base}
    if looks:
        return "objects.get", {_C.READ}
    if method == "DELETE":
        return ("objects.insert", {_C.WRITE}) if "uploadId" in asked else ("objects.delete", {_C.DESTROY})
    if method == "POST" and not UPLOADS & asked.keys() and only_header(request, "x-goog-resumable") is None:
        raise Undecodable("a POST to an object that starts no upload")
    return "objects.insert", {_C.WRITE}


def _setting(method: str, bucket: str, name: str, setting: str) -> tuple[str, set[ActionClass]]:
    if not bucket:
        raise Undecodable("a setting without a bucket")
    thing = "objects" if name else "buckets"
    if method in ("GET", "HEAD"):
        return f"{thing}.get", {_C.READ}
    if method == "POST" or setting == "compose":
        if setting == "compose" and method == "PUT" and name:
            return "objects.compose", {_C.WRITE, _C.ENTITLE}
        raise Undecodable("a setting is changed by PUT")
    if method == "DELETE":
        return f"{thing}.update", {_C.DESTROY, _C.BLIND, _C.ENTITLE}
    change = {
        "acl": {_C.ENTITLE},
        "defaultObjectAcl": {_C.ENTITLE},
        "policy": {_C.ENTITLE},
        "lifecycle": {_C.DESTROY},
        "retention": {_C.DESTROY},
        "objectLock": {_C.DESTROY},
        "versioning": {_C.DESTROY},
        "logging": {_C.BLIND},
        "cors": {_C.ENTITLE},
        "ipFilter": {_C.ENTITLE},
        "website": {_C.WRITE},
        "billing": {_C.WRITE},
    }
    return f"{thing}.update", change.get(setting, {_C.WRITE})


def refuse(message: str) -> NativeResponse:
    """403 `AccessDenied` as the XML API writes it."""
    text = "".join(letter if letter.isprintable() else " " for letter in message)
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    payload = (
        f"<?xml version='1.0' encoding='UTF-8'?><Error><Code>AccessDenied</Code><Message>Access denied.</Message>"
        f"<Details>{text}</Details></Error>"
    ).encode("utf-8", "replace")
    return NativeResponse(status=403, headers=native_headers(XML_TYPE, payload, message), body=payload)
