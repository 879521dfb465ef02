"""A described service on the wire. What is not described, or is written in a way its description does not know, is
`unknown`; all else is bound to the action and written anew from it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final
from urllib.parse import unquote

from comptroller.core.action import Action, ActionClass, Call, Payment, Value
from comptroller.core.request import Header, NativeResponse, Outgoing, Request, Unencodable
from comptroller.core.secrecy import names_secret, random_looking
from comptroller.core.verdict import Verdict
from comptroller.decode.codec import Classes
from comptroller.decode.described.amount import money_text, payment_of
from comptroller.decode.described.body import (
    BODY,
    HEADERS,
    JSON,
    TYPE,
    Body,
    form_text,
    own_members,
    read_body,
    write_body,
)
from comptroller.decode.described.graphql import Asked, MalformedGraphQL, asked_of
from comptroller.decode.described.meter import DescribedMeter
from comptroller.decode.described.place import Fields, Place, folded
from comptroller.decode.described.route import AmbiguousRoute
from comptroller.decode.described.sentence import short
from comptroller.decode.described.service import Condition, GraphQL, Operation, Service, value_text
from comptroller.decode.described.token import put_back, take_tokens
from comptroller.decode.http import (
    BOUND_HEADERS,
    LIST_HEADERS,
    METHOD_CLASSES,
    OVERRIDE_HEADERS,
    refusal_code,
    refuse_upgrade,
)
from comptroller.decode.shape import (
    FORM_TYPE,
    JSON_TYPE,
    METHOD_PATTERN,
    REASON_HEADER,
    Undecodable,
    bound_headers,
    native_headers,
    only_header,
    outgoing_headers,
    payload_bytes,
    plain_header,
    same_endpoint,
    undecodable,
)
from comptroller.decode.target import AmbiguousTarget, Target, join_target, parse_target

METHOD: Final = "@method"
PATH: Final = "@path"
QUERY: Final = "@query"
QUANTITY_MAX = 10**9
PATH_SHOWN_MAX = 120
KEY_CHARACTERS_SHOWN = 4

_BODY_HEADERS = frozenset({"content-encoding", "content-type"})
_BYTES_HEADERS = frozenset({"content-md5", "digest"})
_OVERRIDE_MEMBERS = frozenset({"_method", "_httpmethod", "x-http-method-override"})
_ANY_KIND = frozenset({"json", "form", "multipart", "raw"})
_GRAPHQL_MEMBERS = frozenset({"query", "variables", "operationName", "extensions"})
_GRAPHQL_FOLDED = frozenset(folded(name) for name in _GRAPHQL_MEMBERS)


class DescribedCodec:
    """One service by its description. Members of the body lie at the top of `parameters`; ours begin with `@`."""

    def __init__(self, name: str, hosts: frozenset[str], load: Callable[[], Service]) -> None:
        """`load` is called when the service is first needed."""
        self.name = name
        self.hosts = hosts
        self._load = load
        self._known: Mapping[str, Classes] | None = None

    @classmethod
    def of(cls, service: Service) -> DescribedCodec:
        """The codec of a service that is there already."""
        return cls(service.name, frozenset(service.hosts), lambda: service)

    @property
    def service(self) -> Service:
        """The description."""
        return self._load()

    def known(self) -> Mapping[str, Classes]:
        """Every described operation with its classes."""
        if self._known is None:
            self._known = self.service.known()
        return self._known

    def decode(self, request: Request) -> Action:
        """What the request would do, by its description. Never raises."""
        try:
            return self._decode(request)
        except (Undecodable, AmbiguousTarget, AmbiguousRoute) as error:
            return undecodable(
                request,
                service=self.name,
                operation=f"{self.name}:unknown",
                family=self._family(request),
                reason=str(error),
            )

    def _decode(self, request: Request) -> Action:
        service = self.service
        if not service.reviewed:
            raise Undecodable(f"`{service.origin}` is not reviewed yet: see what it says, then set `reviewed: true`")
        if request.method not in METHOD_CLASSES or not METHOD_PATTERN.fullmatch(request.method):
            raise Undecodable("the method is none of " + " ".join(METHOD_CLASSES))
        for name in OVERRIDE_HEADERS:
            if request.all(name):
                raise Undecodable(f"the header `{name}` asks for something other than method and path say")
        refuse_upgrade(request)
        target = parse_target(request.target)
        operation = self._find(service, request.method, target.path)
        body = read_body(request, operation.kinds if operation is not None else _ANY_KIND)
        headers = _headers(request, service, body)
        parameters: dict[str, Value] = {
            **body.members,
            METHOD: request.method,
            PATH: target.path,
            QUERY: _grouped(target) if target.has_query else None,
            HEADERS: headers,
        }
        if body.type:
            parameters[TYPE] = body.type
        tokens = take_tokens(operation.idempotency, parameters, request) if operation is not None else {}
        fields = fields_of(operation, parameters)
        _refuse_override(fields)
        meaning = _Meaning(service, operation, fields, body)
        return Action(
            operation=meaning.name(request.method),
            service=self.name,
            classes=meaning.classes(request.method),
            endpoint=request.endpoint,
            agent=request.agent,
            run=request.run,
            account=request.accounts.get(self._family(request), ""),
            resources=(f"{request.endpoint}{shown_path(target.path)}",),
            quantity=meaning.quantity(),
            parameters=parameters,
            payment=meaning.payment(),
            charge_usd_micros=meaning.charge(),
            parts=meaning.parts(request),
            sensitive=_sensitive(operation, parameters, target),
            call=Call(
                idempotency=tokens,
                attempt=(only_header(request, service.retry) if service.retry else None) or request.attempt,
                payload_bytes=payload_bytes(request),
            ),
        )

    @staticmethod
    def _find(service: Service, method: str, path: str) -> Operation | None:
        """The operation; None where the description says what the others are. Raises `Undecodable`."""
        found = service.router.find(method, path)
        if found is None and method == "HEAD":
            found = service.router.find("GET", path)
        if found is not None and found[0].classes is not None:
            return found[0]
        if service.otherwise is None:
            why = "nobody has said what it does" if found else "no described operation has this method and path"
            raise Undecodable(why)
        return None

    def encode(self, action: Action, request: Request) -> Outgoing:
        """Method, path, query, headers and body, all from the action; tokens go back where they were."""
        same_endpoint(action, request)
        known = dict(action.parameters)
        headers = known.get(HEADERS)
        tokens: list[tuple[str, str]] = []
        for text, value in action.call.idempotency.items():
            place = Place.parse(text)
            if place.kind == "header":
                tokens.append((place.name, value))
            else:
                put_back(known, place, value)
        body = write_body(known, request)
        query = known.get(QUERY)
        if query is not None and not isinstance(query, Mapping):
            raise Unencodable("the action has no query")
        media = known.get(TYPE)
        extra: list[tuple[str, str | None]] = [
            ("content-type", None if media is None else str(media)),
            ("user-agent", plain_header(request, "user-agent")),
            ("accept-encoding", plain_header(request, "accept-encoding")),
            ("accept-language", plain_header(request, "accept-language")),
            *tokens,
        ]
        service = self.service
        taken = {name for name, _ in tokens}
        if service.retry is not None and service.retry not in taken:
            extra.append((service.retry, plain_header(request, service.retry)))
        return Outgoing(
            method=str(known[METHOD]),
            scheme=request.scheme,
            host=request.host,
            port=request.port,
            target=join_target(str(known[PATH]), None if query is None else tuple(_pairs(query))),
            headers=outgoing_headers(headers, *extra),
            body=body,
            family=self._family(request),
            stream=request.stream if BODY in known else None,
        )

    def refuse(self, action: Action, request: Request, verdict: Verdict, message: str) -> NativeResponse:
        """As the service itself says no, by its description."""
        refusal = self.service.refusal
        words = {"message": message, "code": refusal_code(verdict), "operation": action.operation}
        payload = json.dumps(_filled(refusal.body, words), separators=(",", ":")).encode("ascii")
        own = native_headers(JSON_TYPE, payload, message)
        names = {header.name for header in own} | {REASON_HEADER}
        more = tuple(Header(name, value) for name, value in refusal.headers.items() if name not in names)
        return NativeResponse(status=refusal.status, headers=(*own, *more), body=payload)

    def meter(self, action: Action) -> DescribedMeter:
        """Reads the status and, where the description says where it stands, the id of what was made."""
        operation = next((o for o in self.service.operations if f"{self.name}:{o.name}" == action.operation), None)
        return DescribedMeter(operation.made if operation is not None else None)

    def sentence(self, action: Action) -> str:
        """The description's own sentence, filled in; else method and path."""
        service = self.service
        if action.undecodable or PATH not in action.parameters:
            return f"call {service.title} in a way that cannot be read: {action.reason}"
        method, path = str(action.parameters.get(METHOD)), str(action.parameters.get(PATH))
        operation: Operation | None = None
        try:
            operation = self._find(service, method, path)
            fields = fields_of(operation, action.parameters)
        except (Undecodable, AmbiguousRoute, AmbiguousTarget):
            fields = Fields(query={}, path={}, headers={})
        payment = action.payment
        money = f" {money_text(payment)} to {short(payment.payee) or 'a payee that is not stated'}" if payment else ""
        if operation is None or operation.sentence is None:
            shown = shown_path(path)
            shown = shown if len(shown) <= PATH_SHOWN_MAX else shown[:PATH_SHOWN_MAX] + "…"
            called = action.operation.partition(":")[2]
            return f"{service.title}: {called}{':' if money else ''}{money} ({method} {action.endpoint}{shown})"
        text = operation.sentence.text(fields, payment)
        more = f" ({money.strip()})" if money and not operation.sentence.says_amount else ""
        return f"{service.title}: {text}{more}"

    def _family(self, request: Request) -> str:
        """The real key goes to the service's own hosts only; another host has a credential of its own."""
        host = request.host
        if host in self.hosts:
            return self.name
        while "." in host:
            host = host.partition(".")[2]
            if f"*.{host}" in self.hosts:
                return self.name
        return request.host


class _Meaning:
    """What one request means, out of what it says."""

    def __init__(self, service: Service, operation: Operation | None, fields: Fields, body: Body) -> None:
        self._service = service
        self._operation = operation
        self._fields = fields
        self._body = body
        graphql = operation.graphql if operation is not None else None
        self._asked = None if graphql is None else _asked(fields, body)

    def name(self, method: str) -> str:
        if self._operation is None:
            return f"{self._service.name}:other:{method}"
        if self._asked is None:
            return f"{self._service.name}:{self._operation.name}"
        named = set(self._asked.fields)
        last = named.pop() if len(named) == 1 else "several"
        return f"{self._service.name}:{self._asked.kind}.{last}"

    def parts(self, request: Request) -> tuple[Action, ...]:
        """The fields of a GraphQL call that asks for several, each as the action it is alone."""
        named = dict.fromkeys(self._asked.fields) if self._asked is not None else {}
        if self._asked is None or len(named) < 2 or self._operation is None or self._operation.graphql is None:
            return ()
        kind, graphql = self._asked.kind, self._operation.graphql
        return tuple(
            Action(
                operation=f"{self._service.name}:{kind}.{name}",
                service=self._service.name,
                classes=_graphql_classes(graphql, Asked(kind=kind, fields=(name,))),
                endpoint=request.endpoint,
                agent=request.agent,
                run=request.run,
                account=request.accounts.get(self._service.name, ""),
            )
            for name in named
        )

    def classes(self, method: str) -> Classes:
        operation = self._operation
        if operation is None:
            return self._service.other(method)
        assert operation.classes is not None
        found = set(operation.classes)
        if operation.graphql is not None and self._asked is not None:
            found = set(_graphql_classes(operation.graphql, self._asked))
        for condition in operation.when:
            if not self._body.readable or self._holds(condition):
                found |= condition.classes
        return frozenset(found)

    def _holds(self, condition: Condition) -> bool:
        values = [each for value in self._fields.all(condition.at) for each in _leaves(value)]
        if not values:
            return False
        texts = [value_text(value) for value in values]
        if condition.equals is not None:
            return any(text is None or text in condition.equals for text in texts)
        if condition.unless is not None:
            return any(text not in condition.unless for text in texts)
        if condition.begins is not None:
            return any(text is None or text.lstrip("./").startswith(condition.begins) for text in texts)
        return True

    def payment(self) -> Payment | None:
        money = self._operation.money if self._operation is not None else None
        if money is None:
            return None
        if not self._body.readable:
            raise Undecodable("the amount stands in a body that cannot be read")
        return payment_of(money, self._fields)

    def charge(self) -> int | None:
        cost = self._operation.cost if self._operation is not None else None
        if cost is None:
            return None
        return cost.usd_micros * (1 if cost.per is None else self._count(cost.per))

    def quantity(self) -> int:
        operation = self._operation
        if operation is None:
            return 1
        if self._asked is not None:
            return len(self._asked.fields)
        return 1 if operation.quantity is None else self._count(operation.quantity)

    def _count(self, place: Place) -> int:
        """A whole number, or how many members a list has. Raises `Undecodable` for anything else."""
        if not self._body.readable and place.kind not in ("query", "path", "header"):
            raise Undecodable(f"`{place.name}` stands in a body that cannot be read")
        found = self._fields.all(place)
        if place.many:
            return len(found)
        if not found or found[0] is None:
            return 1
        value = found[0]
        if isinstance(value, Sequence) and not isinstance(value, str | bytes):
            return len(value)
        if isinstance(value, str) and re.fullmatch(r"[0-9]{1,10}", value):
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= QUANTITY_MAX:
            raise Undecodable(f"`{place.name}` is not a count")
        return value


def fields_of(operation: Operation | None, parameters: Mapping[str, Value]) -> Fields:
    """What an action's parameters say, by place. Raises `Undecodable`."""
    query = parameters.get(QUERY)
    headers = parameters.get(HEADERS)
    path = operation.template.parameters(str(parameters.get(PATH, "/")).split("/")[1:]) if operation is not None else {}
    media = str(parameters.get(TYPE, ""))
    form: dict[str, list[str]] | None = None
    document: Value = None
    if media == FORM_TYPE and BODY not in parameters:
        form = {name: _listed(value) for name, value in own_members(parameters).items()}
    elif media and BODY not in parameters:
        document = parameters[JSON] if JSON in parameters else own_members(parameters)
    return Fields(
        json=document,
        form=form,
        query=_decoded(query) if isinstance(query, Mapping) else {},
        path={name: unquote(value) for name, value in path.items()},
        headers={str(k): str(v) for k, v in headers.items()} if isinstance(headers, Mapping) else {},
    )


def shown_path(path: str) -> str:
    """A path without the keys that some services put there: how each begins, and how long it is."""
    return "/".join(
        f"{part[:KEY_CHARACTERS_SHOWN]}…({len(part)})" if random_looking(part) else part for part in path.split("/")
    )


def _headers(request: Request, service: Service, body: Body) -> dict[str, Value]:
    left_out = _BODY_HEADERS if not body.readable else _BODY_HEADERS | _BYTES_HEADERS
    names = dict.fromkeys((*BOUND_HEADERS, *service.headers))
    return bound_headers(request, [name for name in names if name not in left_out], lists=LIST_HEADERS)


def _grouped(target: Target) -> dict[str, Value]:
    """Query pairs by name, as they stand in the target; None is a name without `=`."""
    found: dict[str, list[str | None]] = {}
    for name, value in target.query:
        if ";" in name or (value is not None and ";" in value):
            raise Undecodable("the query has a `;`, which some servers take for `&`")
        found.setdefault(name, []).append(value)
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}


def _pairs(query: Mapping[str, Value]) -> list[tuple[str, str | None]]:
    found: list[tuple[str, str | None]] = []
    for name, value in query.items():
        values = value if isinstance(value, list) else [value]
        found += [(name, None if each is None else str(each)) for each in values]
    return found


def _decoded(query: Mapping[str, Value]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in _pairs(query):
        found.setdefault(form_text(name.encode("ascii")), []).append(form_text((value or "").encode("ascii")))
    return found


def _listed(value: Value) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else [str(value)]


def _leaves(value: Value) -> list[Value]:
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return list(value)
    return [value]


def _refuse_override(fields: Fields) -> None:
    """`_method` in a query or a body asks some servers for another method."""
    for carrier in (fields.query, fields.form or {}, fields.json if isinstance(fields.json, Mapping) else {}):
        if any(folded(name) in _OVERRIDE_MEMBERS for name in carrier):
            raise Undecodable("a member `_method` asks for something other than method and path say")


def _asked(fields: Fields, body: Body) -> Asked:
    document = fields.json
    if body.kind != "json" or not isinstance(document, Mapping):
        raise Undecodable("a GraphQL request is one JSON object")
    if not _GRAPHQL_MEMBERS.issuperset(document) or any(folded(name) in _GRAPHQL_FOLDED for name in fields.query):
        raise Undecodable("a GraphQL request with members that nobody knows, or a second one in its query")
    text, name = document.get("query"), document.get("operationName")
    if not isinstance(text, str) or not (name is None or isinstance(name, str)):
        raise Undecodable("a GraphQL request without the text of its query")
    extensions = document.get("extensions")
    if isinstance(extensions, Mapping) and (other := extensions.get("persistedQuery")) is not None:
        own = hashlib.sha256(text.encode("utf-8")).hexdigest()
        if not isinstance(other, Mapping) or other.keys() - {"version", "sha256Hash"} or other.get("sha256Hash") != own:
            raise Undecodable("the GraphQL request names a stored document, and another one in its text")
    try:
        return asked_of(text, name or None)
    except MalformedGraphQL as error:
        raise Undecodable(str(error)) from error


def _graphql_classes(graphql: GraphQL, asked: Asked) -> Classes:
    table = graphql.queries if asked.kind == "query" else graphql.mutations
    usual = frozenset({ActionClass.READ if asked.kind == "query" else ActionClass.WRITE})
    return frozenset().union(*(table.get(name, usual) for name in asked.fields))


def _sensitive(operation: Operation | None, parameters: Mapping[str, Value], target: Target) -> frozenset[str]:
    found = {name for name in (BODY, JSON) if name in parameters}
    if operation is None:
        found |= {name for name in parameters if not name.startswith("@") or name.startswith("@@")}
    else:
        found |= operation.sensitive & parameters.keys()
    if any(names_secret(name) or random_looking(value or name) for name, value in target.query):
        found.add(QUERY)
    if random_looking(target.path):
        found.add(PATH)
    return frozenset(found)


def _filled(value: object, words: Mapping[str, str]) -> object:
    if isinstance(value, str):
        return re.sub(r"\{(message|code|operation)\}", lambda match: words[match[1]], value)
    if isinstance(value, Mapping):
        return {str(name): _filled(member, words) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [_filled(member, words) for member in value]
    return value
