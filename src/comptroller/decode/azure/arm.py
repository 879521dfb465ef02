"""The resource manager: what a request to `management.azure.com` does, deployments and batches with all their parts."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from comptroller.core.action import PARTS_MAX, Action, ActionClass, Value
from comptroller.core.request import Request
from comptroller.decode.azure.classes import known, type_classes
from comptroller.decode.azure.facts import body_classes, facts_of, text
from comptroller.decode.azure.path import Named, name_of, types
from comptroller.decode.azure.reading import Classes, Reading, classes, harmless_headers, mapping, member, sequence
from comptroller.decode.azure.template import Made, resources_of
from comptroller.decode.jsontext import dump_json
from comptroller.decode.shape import Undecodable

HOSTS = frozenset({"management.azure.com", "management.chinacloudapi.cn", "management.usgovcloudapi.net"})
DEPLOYMENTS = frozenset({"microsoft.resources/deployments", "microsoft.resources/deploymentstacks"})
LEGACY_DEPLOYMENTS = "microsoft.resources/subscriptions/resourcegroups/deployments"
DESTROY, WRITE = ActionClass.DESTROY, ActionClass.WRITE
HIDDEN = "azure:Microsoft.Resources/deployments:hidden"
"""A part that stands for all a template keeps from view: it may be anything, and has no price."""
BATCH_MEMBERS = frozenset({"content", "httpmethod", "name", "requestheaderdetails", "url", "relativeurl"})

_SLASHES = re.compile(r"(?:/|%2[fF])+")

Again = Callable[[Request], Action]


def read_arm(request: Request, path: list[str], body: Value, again: Again) -> Reading:
    """What the request does. `again` decodes a request within a batch. Raises `Undecodable`."""
    named = name_of(request.method, path)
    kind, verb = named.kind.lower(), named.verb.lower()
    if kind == "microsoft.resources" and verb == "batch":
        return _batch(request, body, again)
    found = type_classes(kind, verb)
    parts: tuple[Action, ...] = ()
    if verb == "write":
        if request.method == "PATCH" and isinstance(body, Mapping) and {key.lower() for key in body} == {"tags"}:
            found = frozenset({WRITE})
        else:
            found |= body_classes(kind, verb, body)
    if verb == "write" and kind in DEPLOYMENTS | {LEGACY_DEPLOYMENTS}:
        parts = _deployment(request, named, member(body, "properties"))
        found |= _removals(member(body, "properties"))
    found = found.union(*(part.classes for part in parts))
    region = text(member(body, "location")) if isinstance(body, Mapping) else None
    facts = facts_of(kind, verb, body)
    return Reading(
        operation=_operation(named),
        service=service_of(named.kind),
        classes=found,
        account=named.subscription,
        region=canonical_region(region),
        resources=(_resource(path),),
        quantity=_quantity(facts, parts),
        facts=facts,
        parts=parts,
        sensitive=frozenset({"body"}) if _hides(found, kind) else frozenset(),
    )


def plain_target(target: str) -> str:
    """A target with the slashes of a scope as slashes: clients encode or double them, and the server reads them so.

    What is judged and sent is this form."""
    path, mark, query = target.partition("?")
    return _SLASHES.sub("/", path) + mark + query


def service_of(kind: str) -> str:
    """`Microsoft.Compute/virtualMachines` -> `azure:compute`; another's `Vendor.Thing` -> `azure:vendor.thing`."""
    provider = kind.partition("/")[0].lower()
    return f"azure:{provider.removeprefix('microsoft.')}"


def canonical_region(region: str | None) -> str:
    """`East US` -> `eastus`."""
    return "" if region is None or region.startswith("[") else region.replace(" ", "").lower()


def _operation(named: Named) -> str:
    name = named.operation
    return name if name in known() or not named.known else f"azure:{types()[named.kind.lower()][0]}:{named.verb}"


def _resource(path: list[str]) -> str:
    return "/" + "/".join(part.lower() for part in path)


def _quantity(facts: Mapping[str, Value], parts: tuple[Action, ...]) -> int:
    number = facts.get("Count")
    if isinstance(number, int) and number >= 1:
        return number
    return max(1, sum(part.quantity for part in parts)) if parts else 1


def _hides(found: Classes, kind: str) -> bool:
    """True where the body may hold a password or a key that no log may keep."""
    return ActionClass.READ not in found and not kind.startswith(("microsoft.authorization/", "microsoft.network/"))


def _removals(properties: Value) -> Classes:
    """A complete deployment deletes whatever the template does not name; a stack may, when it is changed."""
    mode = str(member(properties, "mode")).lower()
    if mode == "complete":
        return frozenset({DESTROY})
    actions = mapping(member(properties, "actionOnUnmanage"))
    removes = any(str(value).lower() == "delete" for value in actions.values())
    guards = member(properties, "denySettings") is not None
    return classes("destroy" if removes else "") | classes("entitle blind" if guards else "")


def _deployment(request: Request, named: Named, properties: Value) -> tuple[Action, ...]:
    parts: list[Action] = []
    for made in resources_of(properties):
        parts += _made(request, named, made)
        if len(parts) > PARTS_MAX:
            raise Undecodable(f"the deployment makes more than {PARTS_MAX} resources")
    return tuple(parts)


def _made(request: Request, named: Named, made: Made) -> list[Action]:
    if made.hidden or not made.kind:
        return [_part(request, named, HIDDEN, classes("provision execute entitle destroy"), {})]
    kind = made.kind.lower()
    spelled = types().get(kind, (kind, {}))[0]
    found = type_classes(kind, "write") | body_classes(kind, "write", made.body)
    part = _part(request, named, f"azure:{spelled}:write", found, made.body)
    if made.copies is None:
        return [replace(part, parameters={**part.parameters, "Copies": None})]
    if made.copies > PARTS_MAX:
        raise Undecodable(f"the deployment makes more than {PARTS_MAX} resources")
    return [part] * made.copies


def _part(request: Request, named: Named, operation: str, found: Classes, body: Mapping[str, Value]) -> Action:
    kind = operation.removeprefix("azure:").rpartition(":")[0]
    facts = facts_of(kind.lower(), "write", body)
    return Action(
        operation=operation,
        service=service_of(kind),
        classes=found,
        endpoint=request.endpoint,
        agent=request.agent,
        run=request.run,
        account=named.subscription,
        region=canonical_region(text(member(body, "location"))),
        resources=(str(member(body, "name") or "")[:256],),
        quantity=_quantity(facts, ()),
        parameters={"facts": facts, "body": body},
        sensitive=frozenset({"body"}),
    )


def _batch(request: Request, body: Value, again: Again) -> Reading:
    """`/batch`: every request in it is a part."""
    asked = sequence(member(body, "requests"))
    if not isinstance(body, Mapping) or not asked or len(asked) > PARTS_MAX:
        raise Undecodable(f"the batch is not a list of at most {PARTS_MAX} requests")
    parts = [again(_inner(request, one)) for one in asked]
    unread = next((part for part in parts if part.undecodable), None)
    if unread is not None:
        raise Undecodable(f"a request of the batch cannot be read: {unread.reason}")
    accounts = {part.account for part in parts}
    return Reading(
        operation="azure:Microsoft.Resources:batch",
        service="azure:resources",
        classes=frozenset().union(*(part.classes for part in parts)),
        account=accounts.pop() if len(accounts) == 1 else "",
        resources=tuple(part.resources[0] for part in parts if part.resources)[:100],
        quantity=max(1, sum(part.quantity for part in parts)),
        parts=tuple(parts),
        sensitive=frozenset({"body"}),
    )


def _inner(request: Request, one: Value) -> Request:
    if not isinstance(one, Mapping) or not {key.lower() for key in one} <= BATCH_MEMBERS:
        raise Undecodable("the batch has a request with unknown members")
    method, content = member(one, "httpMethod"), member(one, "content")
    url = member(one, "url") if member(one, "relativeUrl") is None else member(one, "relativeUrl")
    if not isinstance(method, str) or not isinstance(url, str) or (member(one, "url") and member(one, "relativeUrl")):
        raise Undecodable("the batch has a request without a method or an address")
    plain = url
    if "://" in url:
        if not url.startswith(f"https://{request.host}/"):
            raise Undecodable("the batch has a request to another host")
        plain = url[len(f"https://{request.host}") :]
    if "/batch" in plain.lower().partition("?")[0]:
        raise Undecodable("the batch has a batch within")
    harmless_headers(member(one, "requestHeaderDetails"))
    return replace(
        request,
        method=method.upper(),
        target=plain if plain.startswith("/") else f"/{plain}",
        headers=tuple(header for header in request.headers if header.name == "content-type"),
        body=b"" if content is None else dump_json(content),
    )
