"""What a request to Azure does, in plain words."""

from __future__ import annotations

from collections.abc import Mapping

from comptroller.core.action import Action, Value
from comptroller.decode.azure.reading import mapping
from comptroller.decode.shape import printable

PARTS_SHOWN_MAX = 6
TEXT_SHOWN_MAX = 200

DATA_PLANES = ("azure:graph/", "azure:blob/", "azure:vault/", "azure:login:")

_VERBS = {"read": "read", "write": "make or change", "delete": "delete", "post": "call"}


def sentence(action: Action) -> str:
    """`make or change 3 x Standard_D4s_v5 (virtualMachineScaleSets web) in westeurope`."""
    if action.undecodable:
        return f"call Azure in a way that cannot be read: {action.reason}"
    kind, _, verb = action.operation.removeprefix("azure:").rpartition(":")
    facts = mapping(action.parameters.get("facts"))
    where = f" in {action.region}" if action.region else ""
    name = _name(action)
    thing = printable(f"{kind.partition('/')[2] or kind} {name}".rstrip())
    if action.parts:
        return f"{_VERBS.get(verb, verb)} {thing}: {_parts(action)}{where}"
    if kind == "Microsoft.Authorization/roleAssignments" and verb == "write":
        role, who = facts.get("Role") or "a role", facts.get("Principal") or "somebody"
        return printable(f"give {role} to {who} at {_scope(action)}")
    if kind == "Microsoft.Authorization/roleDefinitions" and verb == "write":
        return printable(f"define the role {facts.get('Role')} with {_list(facts.get('Actions'))}")
    if "Size" in facts and verb == "write":
        count = facts.get("Count")
        machines = f"{count:,}" if isinstance(count, int) else "an unknown number of"
        spot = " spot" if facts.get("Spot") is True else ""
        return printable(f"{_VERBS[verb]} {machines} x {facts['Size']}{spot} ({thing}){where}")
    if "Pools" in facts:
        return printable(f"{_VERBS[verb]} {thing} with {_pools(facts['Pools'])}{where}")
    if kind.startswith("graph/"):
        return printable(f"{verb} {name or kind} in Microsoft Graph")
    return f"{_VERBS.get(verb, verb)} {thing}{where}"


def _name(action: Action) -> str:
    found = action.resources[0] if action.resources else ""
    if action.operation.startswith(DATA_PLANES):
        return found[:TEXT_SHOWN_MAX]
    parts = found.rstrip("/").split("/")
    if action.operation.endswith((":read", ":write", ":delete")):
        return parts[-1][:TEXT_SHOWN_MAX]
    return (parts[-2] if len(parts) > 1 else "")[:TEXT_SHOWN_MAX]


def _scope(action: Action) -> str:
    found = action.resources[0] if action.resources else ""
    if not found.startswith("/"):
        return "the deployment's scope"
    return (found.rpartition("/providers/")[0] or "the whole tenant")[:TEXT_SHOWN_MAX]


def _parts(action: Action) -> str:
    shown: dict[str, int] = {}
    for part in action.parts:
        text = _part(part)
        shown[text] = shown.get(text, 0) + 1
    texts = [f"{text} ({number} times)" if number > 1 else text for text, number in shown.items()]
    rest = len(texts) - PARTS_SHOWN_MAX
    return "; ".join(texts[:PARTS_SHOWN_MAX]) + (f"; and {rest} more" if rest > 0 else "")


def _part(part: Action) -> str:
    """A part's sentence; what a template keeps from view is said to be hidden."""
    if part.operation.endswith(":hidden"):
        return "something the request does not show"
    return sentence(part)


def _pools(pools: Value) -> str:
    told = []
    for pool in pools if isinstance(pools, list) else ():
        found: Mapping[str, Value] = mapping(pool)
        count = found.get("Count")
        told.append(f"{count if isinstance(count, int) else 'an unknown number of'} x {found.get('Size')}")
    return ", ".join(told)


def _list(value: Value) -> str:
    return ", ".join(str(item) for item in value) if isinstance(value, list) else "nothing"
