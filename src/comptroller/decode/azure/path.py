"""Resource ids: provider, type and verb out of a resource-manager path, in one spelling whatever the caller's."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from comptroller.decode.shape import Undecodable

RESOURCES = "Microsoft.Resources"
SUBSCRIPTIONS = "Microsoft.Resources/subscriptions"
GROUPS = "Microsoft.Resources/subscriptions/resourceGroups"
METHOD_VERBS = {"GET": "read", "HEAD": "read", "PUT": "write", "PATCH": "write", "DELETE": "delete"}
KIND_CHARACTERS_MAX = 512
_PROVIDER = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}(\.[A-Za-z0-9-]{1,64}){1,4}")
_TYPE = re.compile(r"[A-Za-z0-9$][A-Za-z0-9_.-]{0,127}")
_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_BARE = {
    "tenants": "Microsoft.Resources/tenants",
    "subscriptions": SUBSCRIPTIONS,
    "providers": "Microsoft.Resources/providers",
    "checkresourcename": RESOURCES,
    "batch": RESOURCES,
    "validateresources": RESOURCES,
}
"""First segments of paths that name no provider."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """What a path names. `kind` is provider and type in their published spelling (`Microsoft.Compute/virtualMachines`),
    in lower case where nobody published it. `verb` is `read`, `write`, `delete` or the action of a POST."""

    kind: str
    verb: str
    subscription: str = ""
    group: str = ""
    resource: str = ""

    @property
    def known(self) -> bool:
        """True where the type is published."""
        return self.kind.lower() in types()

    @property
    def operation(self) -> str:
        """`azure:Microsoft.Compute/virtualMachines:write`."""
        return f"azure:{self.kind}:{self.verb}"


@cache
def types() -> Mapping[str, tuple[str, Mapping[str, str]]]:
    """Published types by lower-case name: (spelling, verbs by lower-case name)."""
    document = json.loads((files(__package__) / "data/operations.json").read_text("utf-8"))
    found: dict[str, tuple[str, Mapping[str, str]]] = {}
    for name, verbs in [*document["types"].items(), *_RESOURCE_TYPES.items()]:
        spelled = {verb.lower(): verb for verb in verbs.split()}
        if name.lower() in found:
            name, before = found[name.lower()][0], found[name.lower()][1]
            spelled = {**spelled, **before}
        found[name.lower()] = (name, MappingProxyType(spelled))
    return MappingProxyType(found)


_RESOURCE_TYPES = {
    "Microsoft.Resources": "batch checkResourceName validateResources",
    "Microsoft.Resources/tenants": "read",
    "Microsoft.Resources/providers": "read",
    SUBSCRIPTIONS: "read write delete cancel rename enable",
    f"{SUBSCRIPTIONS}/locations": "read",
    f"{SUBSCRIPTIONS}/providers": "read",
    f"{SUBSCRIPTIONS}/resources": "read",
    f"{SUBSCRIPTIONS}/tagNames": "read write delete",
    f"{SUBSCRIPTIONS}/tagNames/tagValues": "write delete",
    f"{SUBSCRIPTIONS}/operationResults": "read",
    GROUPS: "read write delete moveResources validateMoveResources exportTemplate checkPolicyCompliance",
    f"{GROUPS}/resources": "read",
    f"{GROUPS}/deployments": "read write delete",
    f"{GROUPS}/deployments/operations": "read",
    "Microsoft.Resources/deployments": "read write delete cancel validate whatIf exportTemplate",
    "Microsoft.Resources/deploymentStacks": "read write delete validate exportTemplate",
    "Microsoft.Resources/deploymentScripts": "read write delete",
    "Microsoft.Resources/templateSpecs": "read write delete",
    "Microsoft.Resources/templateSpecs/versions": "read write delete",
}
"""Types of the resource manager itself, of which the packages' templates name no provider."""


def name_of(method: str, path: Sequence[str]) -> Named:
    """What a resource-manager path names. Raises `Undecodable` where it has no single reading."""
    if method not in METHOD_VERBS and method != "POST":
        raise Undecodable("no operation of Azure has this method")
    if not path:
        raise Undecodable("the path names no resource")
    rest = list(path)
    subscription = group = ""
    kind: list[str] = []
    named: list[str] = []
    if rest[0].lower() == "subscriptions" and len(rest) > 1:
        subscription, rest = rest[1], rest[2:]
        if not _GUID.fullmatch(subscription):
            raise Undecodable("the path has a subscription that is no id")
        kind, named = [SUBSCRIPTIONS], [subscription.lower()]
        if rest and rest[0].lower() == "resourcegroups":
            if len(rest) == 1:
                return _finish(method, [GROUPS], [], subscription, "")
            group, rest = rest[1], rest[2:]
            kind, named = [GROUPS], [group.lower()]
    elif rest[0].lower() != "providers":
        base = _BARE.get(rest[0].lower())
        if base is None:
            raise Undecodable("no known path of the resource manager")
        if base == RESOURCES:
            if len(rest) != 1 or method != "POST":
                raise Undecodable("no known path of the resource manager")
            return Named(kind=RESOURCES, verb=_spelled(RESOURCES, rest[0]))
        return _finish(method, [base, *rest[1:][1::2]], rest[1:][::2], "", "")
    while rest and rest[0].lower() == "providers":
        kind, named, rest = _provider(rest, subscription)
    return _finish(method, [*kind, *rest[::2]], [*named, *rest[1::2]], subscription, group, whole=len(rest) % 2 == 0)


def _provider(rest: Sequence[str], subscription: str) -> tuple[list[str], list[str], list[str]]:
    """One `providers/NAMESPACE/type/name/…` up to the next `providers` that stands where a type would."""
    registry = f"{SUBSCRIPTIONS}/providers" if subscription else "Microsoft.Resources/providers"
    if len(rest) == 1:
        return [registry], [], []
    provider = rest[1]
    if not _PROVIDER.fullmatch(provider):
        raise Undecodable("the path names no provider")
    tail = list(rest[2:])
    if not tail:
        return [registry], [provider.lower()], []
    place = next((i for i in range(0, len(tail), 2) if tail[i].lower() == "providers" and i + 1 < len(tail)), len(tail))
    if any(tail[i].lower() == "providers" for i in range(1, place, 2)):
        raise Undecodable("the path has a resource called `providers`, which may be read in two ways")
    if place == len(tail):
        return [provider], [], tail
    return [provider], [], tail[place:]


def _finish(
    method: str, kind: Sequence[str], named: Sequence[str], subscription: str, group: str, *, whole: bool = True
) -> Named:
    if len("/".join(kind)) > KIND_CHARACTERS_MAX:
        raise Undecodable(f"the path names a type of more than {KIND_CHARACTERS_MAX} characters")
    for part in kind[1:]:
        if not _TYPE.fullmatch(part):
            raise Undecodable("the path names no resource type")
    verb = METHOD_VERBS.get(method, "")
    parts = list(kind)
    if method == "POST":
        parts, verb = _action(parts, list(named), whole=whole)
    spelled = "/".join(parts)
    known = types().get(spelled.lower())
    return Named(
        kind=known[0] if known else spelled.lower(),
        verb=verb,
        subscription=subscription.lower(),
        group=group.lower(),
        resource="/".join(name.lower() for name in named),
    )


def _action(parts: list[str], named: list[str], *, whole: bool) -> tuple[list[str], str]:
    """The action of a POST: the last segment, where it stands in a type's place, or is published as an action."""
    if not whole and len(parts) > 1:
        kind = "/".join(parts[:-1])
        return parts[:-1], _spelled(kind, parts[-1])
    last = named[-1] if named else ""
    verbs = types().get("/".join(parts).lower(), ("", {}))[1]
    if last.lower() in verbs and last.lower() not in ("read", "write", "delete"):
        return parts, verbs[last.lower()]
    return parts, "post"


def _spelled(kind: str, action: str) -> str:
    return types().get(kind.lower(), ("", {}))[1].get(action.lower(), action.lower())
