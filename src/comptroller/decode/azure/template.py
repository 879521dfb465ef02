"""Resource-manager templates: the resources a deployment makes. Parameters and variables with plain values are put in;
whatever only the server can compute stays an expression, and nothing made of it has a known price."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from comptroller.core.action import PARTS_MAX, Value
from comptroller.decode.azure.reading import mapping, member, members, sequence
from comptroller.decode.shape import Undecodable

DEPTH_MAX = 8
"""Deployments within deployments, and resources within resources."""
RESOLVED_MAX = 100_000
EXPRESSION = "[expression]"
"""Stands for a value that only the server can compute."""

OBJECTS = frozenset(
    {"properties", "plan", "identity", "sku", "osprofile", "storageprofile", "hardwareprofile", "virtualmachineprofile"}
    | {"extensionprofile", "networkprofile", "networkacls", "securityprofile", "applicationprofile", "billingprofile"}
    | {"imagereference", "osdisk", "linuxconfiguration", "windowsconfiguration", "extensions", "settings", "template"}
    | {"protectedsettings", "accesspolicies", "permissions", "aadprofile", "apiserveraccessprofile", "siteconfig"}
    | {"userassignedidentities", "extendedlocation", "securityrules", "encryption", "agentpoolprofiles", "profiles"}
)
"""Members that hold objects or lists, in lower case: an expression in place of one may hold anything."""

_REFERENCE = re.compile(r"\[\s*(parameters|variables)\s*\(\s*'([^']{1,128})'\s*\)\s*\]", re.IGNORECASE)
_NUMBER = re.compile(r"\[\s*(?:int\s*\(\s*)?'?([0-9]{1,9})'?\s*\)?\s*\]")
_COMPARED = re.compile(r"\[\s*(true|false)\s*\(\s*\)\s*\]", re.IGNORECASE)
_DEPLOYMENTS = "microsoft.resources/deployments"


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """One resource of a template. `copies` is None where only the server knows how many; `kind` is empty where even
    the type is not told. `hidden` marks what a link or an expression keeps from view."""

    kind: str
    body: Mapping[str, Value]
    copies: int | None = 1
    hidden: bool = False


@dataclass(slots=True, kw_only=True)
class _Budget:
    """What is left of the work that one deployment may cost, however deep it nests."""

    left: int = RESOLVED_MAX


@dataclass(slots=True, kw_only=True)
class _Scope:
    parameters: Mapping[str, Value]
    variables: Mapping[str, Value]
    budget: _Budget


HIDDEN = Made(kind="", body={}, copies=None, hidden=True)


def resources_of(properties: Value) -> list[Made]:
    """What a deployment with these properties makes. Raises `Undecodable` where it is too much to tell."""
    return _deployed(properties, _Budget(), 0)


def _deployed(properties: Value, budget: _Budget, depth: int) -> list[Made]:
    template = member(properties, "template")
    if member(properties, "templateLink") is not None or member(properties, "parametersLink") is not None:
        return [HIDDEN]
    if not isinstance(template, Mapping):
        return [HIDDEN]
    given = {name.lower(): _given(value) for name, value in mapping(member(properties, "parameters")).items()}
    defaults = {
        name.lower(): member(value, "defaultValue") for name, value in mapping(member(template, "parameters")).items()
    }
    plain = {name.lower(): value for name, value in mapping(member(template, "variables")).items()}
    scope = _Scope(parameters={**defaults, **given}, variables=plain, budget=budget)
    found = list(_listed(member(template, "resources"), scope, "", depth))
    if len(found) > PARTS_MAX:
        raise Undecodable(f"the template makes more than {PARTS_MAX} resources")
    return found


def _given(value: Value) -> Value:
    """A parameter's value; one from a key vault is not told."""
    return member(value, "value") if member(value, "reference") is None else EXPRESSION


def _keeps_from_view(body: Mapping[str, Value]) -> bool:
    """True where only the server can compute a member that may hold code, rights or what costs money."""
    return any(value == EXPRESSION and name in OBJECTS for name, value in members(body))


def _listed(resources: Value, scope: _Scope, above: str, depth: int) -> Iterator[Made]:
    if depth > DEPTH_MAX:
        raise Undecodable(f"the template is nested deeper than {DEPTH_MAX}")
    if isinstance(resources, str):
        yield HIDDEN
        return
    items = list(resources.values()) if isinstance(resources, Mapping) else sequence(resources)
    for item in items:
        if not isinstance(item, Mapping):
            yield HIDDEN
            continue
        # Only where resources have symbolic names can one be there already.
        if isinstance(resources, Mapping) and member(item, "existing") is True:
            continue
        yield from _one(item, scope, above, depth)


def _one(item: Mapping[str, Value], scope: _Scope, above: str, depth: int) -> Iterator[Made]:
    written = _resolved(member(item, "type"), scope)
    if not isinstance(written, str) or EXPRESSION in written or written.startswith("["):
        yield HIDDEN
        return
    kind = f"{above}/{written}" if above and "." not in written.partition("/")[0] else written
    if "/providers/" in kind.lower():
        kind = kind[kind.lower().rindex("/providers/") + len("/providers/") :]
        if "/" not in kind:
            yield HIDDEN
            return
    copies = _copies(member(item, "copy"), scope)
    body = mapping(_resolved({k: v for k, v in item.items() if k.lower() not in ("resources", "copy")}, scope))
    yield Made(kind=kind, body=body, copies=copies)
    if _keeps_from_view(body) and kind.lower() != _DEPLOYMENTS:
        yield HIDDEN
    inner: list[Made] = []
    if kind.lower() == _DEPLOYMENTS:
        raw = member(item, "properties")
        own = str(member(raw, "expressionEvaluationOptions", "scope")).lower() == "inner"
        inner = _deployed(raw if own else member(body, "properties"), scope.budget, depth + 1)
    inner += _listed(member(item, "resources") or [], scope, kind, depth + 1)
    for made in inner:
        known = None if copies is None or made.copies is None else made.copies * copies
        yield replace(made, copies=known)


def _copies(copy: Value, scope: _Scope) -> int | None:
    if copy is None:
        return 1
    number = _resolved(member(copy, "count"), scope)
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= 10_000:
        return None
    return number


def _resolved(value: Value, scope: _Scope, depth: int = 0) -> Value:
    """The value with its plain references put in."""
    scope.budget.left -= 1
    if scope.budget.left < 0 or depth > 48:
        raise Undecodable("the template is too large to be resolved")
    if isinstance(value, Mapping):
        return {name: _resolved(held, scope, depth + 1) for name, held in value.items()}
    if isinstance(value, list):
        return [_resolved(held, scope, depth + 1) for held in value]
    if not isinstance(value, str) or not value.startswith("[") or not value.endswith("]"):
        return value
    if value.startswith("[["):
        return value[1:]
    if (reference := _REFERENCE.fullmatch(value)) is not None:
        table = scope.parameters if reference[1].lower() == "parameters" else scope.variables
        held = table.get(reference[2].lower())
        return EXPRESSION if held is None else _resolved(held, scope, depth + 1)
    if (number := _NUMBER.fullmatch(value)) is not None:
        return int(number[1])
    if (truth := _COMPARED.fullmatch(value)) is not None:
        return truth[1].lower() == "true"
    return EXPRESSION
