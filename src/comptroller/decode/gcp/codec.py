"""Google's APIs on the wire: host, path and method name the operation; members of the body say what it comes to."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from urllib.parse import unquote

from comptroller.core.action import Action, ActionClass, Call, Value
from comptroller.core.request import NativeResponse, Outgoing, Request
from comptroller.core.verdict import Verdict
from comptroller.decode.codec import Classes
from comptroller.decode.gcp import batch, grpc, index, xml
from comptroller.decode.gcp.body import CARRIED_ON, Body, read_body
from comptroller.decode.gcp.effects import read_members, things
from comptroller.decode.gcp.encode import FAMILY, IN_BODY, IN_QUERY, encode
from comptroller.decode.gcp.index import PREFIX, Match, Operation, Place
from comptroller.decode.gcp.meter import GcpMeter
from comptroller.decode.gcp.path import members, query_of, read_target, readings
from comptroller.decode.gcp.reading import Reading
from comptroller.decode.gcp.sentence import sentence
from comptroller.decode.http import OVERRIDE_HEADERS, refusal_code, refuse_upgrade
from comptroller.decode.jsontext import MalformedJson
from comptroller.decode.shape import (
    Undecodable,
    bound_headers,
    media_type,
    native_json,
    only_header,
    payload_bytes,
    undecodable,
)
from comptroller.decode.target import AmbiguousTarget, Target

SERVICE_UNKNOWN = "unknown"
BOUND_HEADERS = ("if-match", "if-none-match", "if-modified-since", "content-range", "range", "x-upload-content-type")
DROPPED_HEADERS = frozenset(
    {"x-goog-api-key", "x-goog-api-client", "x-goog-iam-authorization-token", "x-goog-iam-authority-selector"}
    | {"x-goog-authuser", "x-goog-pageid", "x-goog-request-params", "x-goog-request-reason", "x-goog-gfe-can-retry"}
)
"""Headers that carry who is asking, or only what path and body say already."""
SENSITIVE = frozenset(
    {"raw", "payload", "plaintext", "ciphertext", "contents", "instances", "systemInstruction", "message", "messages"}
    | {
        "rootPassword",
        "password",
        "privateKey",
        "privateKeyData",
        "text",
        "content",
        "snippet",
        "document",
        "documents",
    }
    | {"@body", "@media", "sslCert", "secretData", "input", "queryInput", "rows", "values", "data", "html", "attendees"}
)
"""Members that hold what people wrote, or secrets."""
UPLOAD_ID = "uploadId"
"""`upload_id` in the query names an upload that was begun before."""
UPLOADS = ("upload/", "resumable/upload/")
FORMS = frozenset({"gcp:sts:token", "gcp:sts:introspect", "gcp:oauth2:token", "gcp:oauth2:revoke"})
"""What takes a form as well as JSON."""
TOKEN_NAMES = ("requestId", "request_id")
NO_REGION = frozenset({"global", "-"})

_UUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_ZONE = re.compile(r"([a-z]+(?:-[a-z]+)*\d+)-[a-z](?:i\d+[a-z])?")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    operation: Operation
    match: Match


class GcpCodec:
    """`gcp:compute:instances.insert` and 16,900 others. JSON members lie at the top of `parameters`; ours begin with
    `@`: the path, the query, the bound headers."""

    name = "gcp"
    hosts = frozenset({"*.googleapis.com", "*.clients6.google.com"})

    def decode(self, request: Request) -> Action:
        """What the request would do; a reason where nobody can say."""
        place = index.place(request.host)
        service = place.services[0] if place is not None and place.services else SERVICE_UNKNOWN
        try:
            return self._decode(request, place)
        except (Undecodable, AmbiguousTarget, MalformedJson) as error:
            return undecodable(
                request,
                service=f"{PREFIX}{service}",
                operation=f"{PREFIX}{service}:unknown",
                family=FAMILY,
                reason=str(error),
            )

    def _decode(self, request: Request, place: Place | None) -> Action:
        refuse_upgrade(request)
        for name in OVERRIDE_HEADERS:
            if request.all(name):
                raise Undecodable(f"the header `{name}` asks for something other than method and path say")
        target = read_target(request.target)
        if media_type(only_header(request, "content-type")).startswith(grpc.CONTENT_TYPE):
            return self._grpc(request, place, target)
        if xml.owns(request.host, target.path):
            return xml.decode(request, target)
        if place is None:
            raise Undecodable("no published API of Google's answers at this host")
        if batch.is_batch(target.path):
            return batch.decode(request, target, self.decode)
        pairs = query_of(target)
        found, classes = self._find(request, place, target)
        query = dict(members(pairs))
        if request.method not in ("GET", "HEAD"):
            _only_published(found.operation, query)
        upload = _upload_type(request, found.match, query)
        body = read_body(request, upload=upload, form=found.operation.text in FORMS)
        call = read_members(found.operation, body.members, query, found.match.resource, found.match.values)
        return self._action(request, place, target, pairs, found, classes, body, call)

    def _find(self, request: Request, place: Place, target: Target) -> tuple[_Found, Classes]:
        """The operation, and the classes of every operation that some reader might take the path for."""
        first: Match | None = None
        classes: set[ActionClass] = set()
        for path in readings(target.path):
            services = index.shared(path) if place.shared else place.services
            for method in _methods(request, path):
                matches = [match for name in services for match in index.find(name, method, path)]
                if matches:
                    break
            if first is None:
                if not matches:
                    raise Undecodable("no published operation has this method and path")
                first = matches[0]
            for match in matches:
                classes |= match.operation.classes
        if first is None:
            raise Undecodable("no published operation has this method and path")
        return _Found(operation=first.operation, match=first), frozenset(classes)

    def _action(
        self,
        request: Request,
        place: Place,
        target: Target,
        pairs: Sequence[Sequence[str | None]],
        found: _Found,
        classes: Classes,
        body: Body,
        call: Reading,
    ) -> Action:
        every = set(call.classes)
        if classes - found.operation.classes:
            every |= classes - {ActionClass.READ, ActionClass.WRITE}
        if body.unread:
            every |= {ActionClass.ENTITLE}
        headers = bound(request)
        parameters: dict[str, Value] = {**body.parameters, "@method": request.method, "@path": target.path}
        tokens, pairs = _tokens(request.method, pairs, parameters)
        if pairs:
            parameters["@query"] = [list(pair) for pair in pairs]
        if headers:
            parameters["@headers"] = headers
        account, region = _where(found.match.resource, call)
        own = _own_name(found, call)
        return Action(
            operation=found.operation.text,
            service=f"{PREFIX}{found.operation.service}",
            classes=frozenset(every),
            endpoint=request.endpoint,
            agent=request.agent,
            run=request.run,
            account=account or request.accounts.get(FAMILY, ""),
            region=region or place.region,
            resources=things(call, own),
            quantity=call.quantity,
            parameters=parameters,
            sensitive=(SENSITIVE & parameters.keys()) | _secret_headers(headers),
            call=Call(
                idempotency=tokens,
                attempt=request.attempt,
                payload_bytes=payload_bytes(request),
                part_of=next(iter(call.query.get(UPLOAD_ID, ())), "") if body.carries_on else "",
            ),
        )

    def _grpc(self, request: Request, place: Place | None, target: Target) -> Action:
        """Named and classed; what its members say is in bytes that are bound and not read."""
        services = place.services if place is not None else ()
        operation = grpc.operation_of(services, target.path)
        if operation is None:
            raise Undecodable("no published procedure of this service has this name")
        if request.stream is not None:
            raise Undecodable("the body is larger than what is read whole")
        classes = set(operation.classes)
        if classes & {ActionClass.PROVISION, ActionClass.WRITE}:
            # Scripts, accounts and access lists travel in members that nobody has read.
            classes |= {ActionClass.EXECUTE, ActionClass.ENTITLE}
        return Action(
            operation=operation.text,
            service=f"{PREFIX}{operation.service}",
            classes=frozenset(classes),
            endpoint=request.endpoint,
            agent=request.agent,
            run=request.run,
            account=request.accounts.get(FAMILY, ""),
            region=place.region if place is not None else "",
            parameters={"@method": request.method, "@path": target.path, "@grpc": request.body},
            sensitive=frozenset({"@grpc"}),
            call=Call(attempt=request.attempt, payload_bytes=payload_bytes(request)),
        )

    def encode(self, action: Action, request: Request) -> Outgoing:
        """Method, path, pairs, bound headers and members from the action; never what the caller framed."""
        return encode(action, request)

    def refuse(self, action: Action, request: Request, verdict: Verdict, message: str) -> NativeResponse:
        """403 `PERMISSION_DENIED` with an `ErrorInfo`; the SDKs raise `HttpError` or `PermissionDenied`, no retry."""
        reason = refusal_code(verdict)
        detail = {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": reason.upper(),
            "domain": "comptroller",
            "metadata": {"operation": action.operation},
        }
        errors = [{"message": message, "domain": "global", "reason": "forbidden"}]
        error = {"code": 403, "message": message, "status": "PERMISSION_DENIED", "errors": errors, "details": [detail]}
        if xml.owns(request.host, request.target.partition("?")[0]):
            return xml.refuse(message)
        return native_json({"error": error}, message, content_type="application/json; charset=UTF-8")

    def meter(self, action: Action) -> GcpMeter:
        """Reads status and the name of what was made."""
        return GcpMeter(action)

    def sentence(self, action: Action) -> str:
        """`start 8 x a2-highgpu-1g in us-central1 (project p)`."""
        if action.parts:
            named = "; ".join(self.sentence(part) for part in action.parts[:3])
            more = f"; and {len(action.parts) - 3} more" if len(action.parts) > 3 else ""
            return f"{len(action.parts)} calls at once: {named}{more}"
        return sentence(action, reading_of(action))

    def known(self) -> Mapping[str, Classes]:
        """Every published operation by name; the table is unpacked when somebody first looks for one of them."""
        return index.KNOWN


def reading_of(action: Action) -> Reading | None:
    """The effects of a decoded action once more, from its parameters alone; None where it has no readable members."""
    path = action.parameters.get("@path")
    if action.undecodable or not isinstance(path, str):
        return None
    _, _, rest = action.operation.partition(":")
    service, _, name = rest.partition(":")
    classes = index.classes_by_service().get(service, {}).get(name)
    if classes is None:
        return None
    found = next(
        (match for match in index.find(service, str(action.parameters.get("@method")), path[1:])), None
    ) or next((match for match in index.find(service, "POST", path[1:])), None)
    described = action.parameters.get("@metadata")
    own = {key: value for key, value in action.parameters.items() if not key.startswith("@")}
    pairs = action.parameters.get("@query", [])
    try:
        return read_members(
            Operation(service=service, name=name, classes=classes, dry=found.operation.dry if found else ""),
            described if isinstance(described, Mapping) else own,
            dict(members(pairs if isinstance(pairs, list) else [])),
            found.resource if found else "",
            tuple(unquote(value) for value in found.values) if found else action.resources[:1],
        )
    except Undecodable:
        return None


def bound(request: Request) -> dict[str, Value]:
    """Headers that may change what a request does. Raises `Undecodable`."""
    own = {name for name, _ in request.headers if name.startswith("x-goog-")} - DROPPED_HEADERS
    return bound_headers(request, (*BOUND_HEADERS, *sorted(own)))


def _methods(request: Request, path: str) -> tuple[str, ...]:
    """The method; an upload that goes on with PUT was begun with POST at the same path."""
    if request.method == "PUT" and path.startswith(UPLOADS) and "upload_id=" in request.target.partition("?")[2]:
        return "PUT", "POST"
    return (request.method,)


def _only_published(operation: Operation, query: Mapping[str, tuple[str, ...]]) -> None:
    """Raises `Undecodable` for a query member that the operation is not published to take: Google's servers read any
    member of a request there, its body's own as well (`cluster.initialNodeCount=100`)."""
    for name in query:
        if name not in operation.asks and name != UPLOAD_ID and not name.startswith("$"):
            raise Undecodable("the query has a member that this operation is not published to take")


def _upload_type(request: Request, match: Match, query: Mapping[str, tuple[str, ...]]) -> str | None:
    if not match.prefix.startswith(UPLOADS):
        return None
    kinds = {*query.get("uploadType", ()), *query.get("uploadtype", ())}
    if len(kinds) > 1:
        raise Undecodable("the query names two kinds of upload")
    if UPLOAD_ID in query:
        if request.method != "PUT" or len(query[UPLOAD_ID]) > 1 or kinds - {"resumable"}:
            raise Undecodable("an upload goes on with a PUT that names it once")
        return CARRIED_ON
    kind = next(iter(kinds), "media")
    if kind not in ("media", "multipart", "resumable"):
        raise Undecodable("the kind of upload is not known")
    return kind


def _tokens(
    method: str, pairs: Sequence[Sequence[str | None]], parameters: dict[str, Value]
) -> tuple[dict[str, str], Sequence[Sequence[str | None]]]:
    """The token by which the service deduplicates (a UUID in `requestId`), taken out of what is judged: clients make
    a fresh one for every call. Anything else of that name stays."""
    found: dict[str, str] = {}
    if method == "GET":
        return found, pairs
    kept: list[Sequence[str | None]] = []
    for name, value in pairs:
        if name in TOKEN_NAMES and value is not None and _UUID.fullmatch(value) and not found:
            found[IN_QUERY] = f"{name}={value}"
        else:
            kept.append((name, value))
    for name in TOKEN_NAMES:
        given = parameters.get(name)
        if isinstance(given, str) and _UUID.fullmatch(given) and IN_BODY not in found:
            found[IN_BODY] = f"{name}={given}"
            del parameters[name]
    return found, kept


def _secret_headers(headers: Mapping[str, Value]) -> frozenset[str]:
    secret = any("encryption-key" in name and "sha256" not in name for name in headers)
    return frozenset({"@headers"}) if secret else frozenset()


def _own_name(found: _Found, call: Reading) -> str:
    """The thing itself: `gs://bucket/object` in storage, else the path without its version and verb."""
    resource = unquote(found.match.resource)
    if ":" in resource.rpartition("/")[2]:
        resource = resource.rpartition(":")[0]
    if found.operation.service == "storage" and found.match.values and resource.startswith("b/"):
        values = [unquote(value) for value in found.match.values]
        if len(values) == 4 and found.operation.name in ("objects.copy", "objects.rewrite"):
            call.names("gs://" + "/".join(values[:2]))
            return "gs://" + "/".join(values[2:])
        uploaded = call.asked("name") if found.operation.name == "objects.insert" else None
        return "gs://" + "/".join([*values, uploaded] if uploaded else values)
    made = call.members.get("name")
    if found.operation.name.rpartition(".")[2] in ("insert", "create") and isinstance(made, str) and made:
        return f"{resource}/{made.rpartition('/')[2]}"
    return resource


def _where(resource: str, call: Reading) -> tuple[str, str]:
    """(account, region) as the path says, else the query or the body."""
    account, region = "", ""
    head, _, tail = resource.rpartition("/")
    bare = f"{head}/{tail.rpartition(':')[0] or tail}"
    for name, value in pairwise(unquote(segment) for segment in bare.split("/")):
        if name == "projects" and not account:
            account = value
        elif name in ("folders", "organizations", "billingAccounts") and not account:
            account = f"{name}/{value}"
        elif name in ("locations", "regions", "zones") and not region:
            region = value
    if not account:
        account = next(iter(call.query.get("project", ())), "")
    if not region and call.service in ("storage", "bigquery", "sqladmin"):
        given = call.members.get("location") or call.members.get("region")
        region = given.lower() if isinstance(given, str) and len(given) < 64 else ""
    zone = _ZONE.fullmatch(region)
    region = zone[1] if zone is not None else region
    return account, "" if region in NO_REGION else region
