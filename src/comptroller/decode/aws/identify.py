"""Which service and operation a request is: host first, then scope, then exactly one carrier of the name."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from botocore.utils import percent_encode

from comptroller.core.action import Value
from comptroller.core.request import Request
from comptroller.decode.aws import chunked, index, json_cbor, query, rest
from comptroller.decode.aws.index import Place
from comptroller.decode.aws.model_source import Operation, members, operation
from comptroller.decode.aws.wire import Elsewhere, Undecodable, Wire, inflate, pairs, shown, take_apart

FORM = "application/x-www-form-urlencoded"
JSON_MEDIA = re.compile(r"application/x-amz-json-1\.[01]")
CBOR_PATH = re.compile(r"/service/([A-Za-z0-9_.-]{1,128})/operation/([A-Za-z0-9_]{1,128})")
QUERY_PROTOCOLS = frozenset({"query", "ec2"})
REST_PROTOCOLS = frozenset({"rest-json", "rest-xml"})
LISTS_OF_BUCKETS = ("ListBuckets", "ListDirectoryBuckets")
"""`GET /`: at the ordinary hosts, and at those of directory buckets. Nothing but the host tells them apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """One request, understood. `also` names operations of other services that have the same wire form."""

    operation: Operation
    parameters: dict[str, Value]
    place: Place
    also: tuple[str, ...]


Reader = Callable[[str], tuple[Operation, dict[str, Value]]]


def decode(request: Request) -> Decoded:
    """Understand a request completely, or raise `Undecodable`."""
    place = index.place(request.host)
    if place is None:
        raise Undecodable(f"`{shown(request.host)}` is no AWS endpoint that is known")
    wire = take_apart(request)
    if chunked.is_chunked(wire.headers):
        if wire.stream is None:
            headers, body = chunked.unframe(wire.headers, wire.body)
            wire = replace(wire, headers=headers, body=body)
        else:
            length = int(wire.headers["x-amz-decoded-content-length"])
            stream = replace(wire.stream, length_bytes=length)
            wire = replace(wire, headers=chunked.decoded_headers(wire.headers), stream=stream)
    candidates = _in_scope(place, wire)
    protocol, reader = _carrier(place, wire, candidates)
    return _first(place, wire, candidates, protocol, reader)


def _in_scope(place: Place, wire: Wire) -> tuple[str, ...]:
    """Candidates that the signing scope agrees with. Raises `Undecodable` where it names another service or region."""
    if wire.scope is None:
        return place.services
    if wire.scope.region != place.region:
        raise Undecodable(f"signed for region `{shown(wire.scope.region)}`, sent to `{place.region}`")
    found = tuple(name for name in place.services if wire.scope.service == index.signing_name(place, name))
    if not found:
        raise Undecodable(f"signed for service `{shown(wire.scope.service)}`, sent to another")
    return found


def _speaking(candidates: tuple[str, ...], protocols: frozenset[str]) -> tuple[str, ...]:
    services = index.load().services
    return tuple(name for name in candidates if protocols & frozenset(services[name].protocols))


def _carrier(place: Place, wire: Wire, candidates: tuple[str, ...]) -> tuple[str, Reader]:
    """The one place that names the operation. Raises `Undecodable` where there are two, or none."""
    target = wire.headers.get("x-amz-target")
    smithy = wire.headers.get("smithy-protocol")
    in_query = [value for key, value in wire.query if key == "Action"]
    if smithy is not None:
        if target is not None or in_query or wire.query:
            raise Undecodable("smithy-protocol beside another carrier of the operation")
        return "smithy-rpc-v2-cbor", lambda service: _cbor(service, wire, smithy)
    if target is not None:
        if wire.query or wire.path != "/" or wire.media == FORM:
            raise Undecodable("X-Amz-Target beside another carrier of the operation")
        return "json", lambda service: _json(service, wire, target)
    spoken = _speaking(candidates, QUERY_PROTOCOLS)
    if spoken and wire.path == "/" and (in_query or wire.media == FORM):
        found = _form(wire, bool(in_query))
        return "query", lambda service: _query(service, found)
    if not _speaking(candidates, REST_PROTOCOLS):
        if spoken and wire.body:
            raise Undecodable(f"a form body without Content-Type {FORM}")
        raise Undecodable("nothing in the request names an operation")
    return "rest", lambda service: _rest(service, place, wire)


def _first(place: Place, wire: Wire, candidates: tuple[str, ...], protocol: str, reader: Reader) -> Decoded:
    """The first candidate that understands the request, and those that understand it as well."""
    services = index.load().services
    reasons: list[str] = []
    found: list[tuple[str, Operation, dict[str, Value]]] = []
    for name in candidates:
        spoken = services[name].protocols
        if not any(_same(protocol, one) for one in spoken):
            continue
        try:
            op, parameters = reader(name)
        except Undecodable as error:
            reasons.insert(len(reasons) if isinstance(error, Elsewhere) else 0, str(error))
            continue
        found.append((name, op, parameters))
    if not found:
        raise Undecodable(reasons[0] if reasons else "the service does not speak this protocol")
    name, op, parameters = found[0]
    if wire.scope is None and not op.unsigned:
        raise Undecodable("the request is not signed")
    _check_host(op, place, parameters)
    return Decoded(
        operation=op,
        parameters=parameters,
        place=place,
        also=tuple(f"{index.PREFIX}{other}:{same.name}" for other, same, _ in found[1:]),
    )


def protocol_of(request: Request, service: str) -> str:
    """The protocol a decoded request of this service arrived in."""
    spoken = index.load().services[service].protocols
    if request.one("smithy-protocol") is not None:
        carrier = "smithy-rpc-v2-cbor"
    elif request.one("x-amz-target") is not None:
        carrier = "json"
    else:
        media = (request.one("content-type") or "").partition(";")[0].strip().lower()
        form = media == FORM or "Action=" in request.target.partition("?")[2]
        carrier = "query" if form and QUERY_PROTOCOLS & frozenset(spoken) else "rest"
    return next((one for one in spoken if _same(carrier, one)), spoken[0])


def _same(carrier: str, protocol: str) -> bool:
    if carrier == "query":
        return protocol in QUERY_PROTOCOLS
    return protocol in REST_PROTOCOLS if carrier == "rest" else carrier == protocol


def _operation(service: str, name: str) -> Operation:
    if not index.has_operation(service, name):
        raise Elsewhere(f"`{shown(name)}` is no operation of {service}")
    return operation(service, name)


def _check_host(op: Operation, place: Place, parameters: Mapping[str, Value]) -> None:
    """A label of the host that is also a parameter must say the same."""
    if not place.template.startswith("*."):
        return
    if op.service == "s3" and not op.host_labels and not bucket_of(place):
        raise Undecodable("the host names no bucket and no access point")
    for name in op.host_labels:
        if parameters.get(name) != place.prefix:
            raise Undecodable(f"the host and `{name}` disagree")


def _plain_body(op: Operation, wire: Wire) -> bytes:
    """The body without gzip, where the operation allows that."""
    if wire.stream is not None:
        raise Undecodable("a streamed body where the operation has none")
    coding = wire.headers.get("content-encoding")
    if coding is None:
        return wire.body
    if coding.lower() != "gzip" or not op.compressed:
        raise Undecodable(f"Content-Encoding `{shown(coding)}` is not accepted here")
    return inflate(wire.body)


def _only_transport(wire: Wire, *known: str) -> None:
    """Refuse parameters in headers of a protocol that has none there."""
    for low in wire.headers.keys() - rest.TRANSPORT_HEADERS - frozenset(known):
        if low.startswith(rest.AMBIENT_PREFIXES):
            raise Undecodable(f"header `{shown(low)}` is no parameter of this operation")


def _post(wire: Wire) -> None:
    if wire.method != "POST":
        raise Undecodable(f"method `{shown(wire.method)}` where POST is due")


def _cbor(service: str, wire: Wire, smithy: str) -> tuple[Operation, dict[str, Value]]:
    fit = CBOR_PATH.fullmatch(wire.path)
    _post(wire)
    if smithy != "rpc-v2-cbor" or fit is None:
        raise Undecodable("smithy-protocol without its path")
    if fit[1] != index.load().services[service].target:
        raise Elsewhere(f"`{shown(fit[1])}` is not the service of this host")
    op = _operation(service, fit[2])
    _only_transport(wire, "smithy-protocol", "x-amzn-query-mode")
    body = _plain_body(op, wire)
    if not body:
        return op, {}
    if wire.media != "application/cbor":
        raise Undecodable("a CBOR body without Content-Type application/cbor")
    value = json_cbor.cbor_body(body)
    if op.input is None:
        if value:
            raise Undecodable("a body where the operation has none")
        return op, {}
    return op, json_cbor.structure(op.input, value)


def _json(service: str, wire: Wire, target: str) -> tuple[Operation, dict[str, Value]]:
    prefix, _, name = target.rpartition(".")
    _post(wire)
    if prefix != index.load().services[service].target or not prefix:
        raise Elsewhere(f"target `{shown(target)}` is not of this host's service")
    op = _operation(service, name)
    _only_transport(wire, "x-amz-target", "x-amzn-query-mode")
    body = _plain_body(op, wire)
    if body and not JSON_MEDIA.fullmatch(wire.media):
        raise Undecodable("a JSON body without its Content-Type application/x-amz-json-1.x")
    value = json_cbor.json_body(body) if body else {}
    if op.input is None:
        if value != {}:
            raise Undecodable("a body where the operation has none")
        return op, {}
    return op, json_cbor.structure(op.input, value)


def _form(wire: Wire, in_query: bool) -> tuple[Wire, tuple[tuple[str, str], ...]]:
    """The pairs of a form, from the body or from the query string, never both."""
    if in_query:
        if wire.body or wire.stream is not None:
            raise Undecodable("`Action` in the query string beside a body")
        if wire.method not in ("GET", "POST"):
            raise Undecodable(f"method `{shown(wire.method)}` where POST is due")
        return wire, wire.query
    _post(wire)
    if wire.query:
        raise Undecodable("a query string beside a form body")
    if wire.stream is not None:
        raise Undecodable("a streamed form")
    return wire, ()


def _query(service: str, carried: tuple[Wire, tuple[tuple[str, str], ...]]) -> tuple[Operation, dict[str, Value]]:
    wire, found = carried
    _only_transport(wire, "x-amzn-query-mode")
    if not found:
        body = wire.body
        if wire.headers.get("content-encoding"):
            body = inflate(body) if wire.headers["content-encoding"].lower() == "gzip" else b"\xff"
        try:
            found = pairs(body.decode("ascii"), "form")
        except UnicodeDecodeError as error:
            raise Undecodable("a form body that is not percent-encoded ASCII") from error
    actions = [value for key, value in found if key == "Action"]
    versions = [value for key, value in found if key == "Version"]
    if len(actions) != 1 or len(versions) != 1:
        raise Undecodable("`Action` and `Version` must stand exactly once")
    known = index.load().services[service]
    if versions[0] != known.version:
        raise Elsewhere(f"version `{shown(versions[0])}` of the interface is not known")
    op = _operation(service, actions[0])
    if wire.headers.get("content-encoding") and not op.compressed:
        raise Undecodable("a compressed form is not accepted here")
    left = [(key, value) for key, value in found if key not in ("Action", "Version")]
    return op, query.read(op.input, left, ec2="ec2" in known.protocols)


def _rest(service: str, place: Place, wire: Wire) -> tuple[Operation, dict[str, Value]]:
    path = wire.path
    if service == "s3" and place.prefix:
        bucket = bucket_of(place)
        path = f"/{percent_encode(bucket)}{wire.path}" if bucket else wire.path
    found = rest.match(service, wire.method, path, wire)
    if found is None:
        raise Elsewhere(f"no operation of {service} has this method and path")
    if service == "s3" and found.name in LISTS_OF_BUCKETS:
        found = replace(found, name=LISTS_OF_BUCKETS["s3express-control" in place.template])
    op = rest.named(service, found)
    xml = "rest-xml" in index.load().services[service].protocols
    coding = wire.headers.get("content-encoding")
    if coding is not None and not _takes_encoding(op):
        if not op.raw_payload:
            wire = replace(wire, body=_plain_body(op, wire))
            return op, rest.read(op, found, wire, xml=xml)
        raise Undecodable(f"Content-Encoding `{shown(coding)}` is not accepted here")
    return op, rest.read(op, found, wire, xml=xml)


def _takes_encoding(op: Operation) -> bool:
    return op.input is not None and any(
        member.serialization.get("name", "").lower() == "content-encoding" for member in members(op.input).values()
    )


def bucket_of(place: Place) -> str:
    """The bucket an S3 host carries, empty where it carries none; an access point as its ARN. Raises `Undecodable`."""
    if not place.template.startswith("*."):
        return place.prefix
    if not place.template.startswith("*.s3-accesspoint"):
        return ""
    name, _, account = place.prefix.rpartition("-")
    if not name or not account.isdigit():
        raise Undecodable("the host names no access point")
    return f"arn:aws:s3:{place.region}:{account}:accesspoint/{name}"
