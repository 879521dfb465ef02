"""The four ways Cedar is known to fail open, tried on the installed engine before any boundary starts."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import cedarpy

from comptroller.boundary.engine import Answer, ask
from comptroller.boundary.schema import AgentFacts, agent_entities, schema_text, synthetic, uid
from comptroller.core.errors import MissingError

Ask = Callable[[Mapping[str, object], Any, Any, Any], Answer]

_FACTS = AgentFacts(name="probe", team="probe", organization="probe", owner="probe", purpose="self test")
_PERMIT = "permit(principal, action, resource);\n"
_ERRING = 'forbid(principal, action, resource) when { context.payee == "nobody" };'
_GROUPED = 'forbid(principal, action in Comptroller::Action::"pay", resource);'


def probe_context() -> dict[str, object]:
    """The smallest context the schema accepts."""
    return {
        "operation": "probe",
        "service": "probe",
        "host": "",
        "account": "",
        "region": "",
        "quantity": 1,
        "price_unknown": False,
        "purpose": "",
        "named": True,
        "account_named": True,
        "owned": False,
        "parameters": [],
        "findings": [],
        "grants": [],
    }


def open_traps(decide: Ask = ask) -> tuple[str, ...]:
    """Every trap that is open when decisions are read by `decide`. Empty on a sound engine."""
    action = synthetic(["pay"])
    schema = cedarpy.Schema.from_str(schema_text({action: frozenset({"pay"})}))
    entities = agent_entities(_FACTS, schema)

    def kind(policies: str, **changed: object) -> str:
        request = {
            "principal": uid("Agent", _FACTS.name),
            "action": uid("Action", str(changed.pop("action", action))),
            "resource": uid("Service", "probe"),
            "context": json.dumps({**probe_context(), **changed}),
        }
        return decide(request, cedarpy.PolicySet.from_str(policies), entities, schema).kind

    found = []
    if kind(_PERMIT) != "allow":
        found.append("a plain permit does not permit")
    if kind(_PERMIT + _ERRING) != "error":
        found.append("a forbid that errs is skipped")
    if kind(_PERMIT + _GROUPED) != "deny":
        found.append("an action is no member of its class")
    if kind(_PERMIT, action="nobody:knows:this") != "error":
        found.append("an action outside the schema matches a permit for any action")
    if kind(_PERMIT, quantity=1.5) != "error":
        found.append("a request that cannot be read counts as decided")
    if kind(_GROUPED, action="nobody:knows:this") != "error":
        found.append("no decision counts as a deny that a grant could lift")
    return tuple(found)


def self_test(decide: Ask = ask) -> None:
    """Raise `MissingError` naming the traps that are open in the installed engine."""
    try:
        found = open_traps(decide)
    except ValueError as error:
        found = (f"the engine refuses its own schema: {error}",)
    if found:
        raise MissingError(
            "the installed Cedar engine is not safe to decide with: " + "; ".join(found),
            hint="pip install 'cedarpy>=4.12,<5'",
        )
