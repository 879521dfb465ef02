"""The Cedar schema: entities, the classes as action groups, one context record, and the entities of one agent.

Only the classes, the operations named in a policy and one synthetic action per combination of classes are Cedar
actions: a schema of every operation there is would cost seconds to load and milliseconds a decision.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import cedarpy

from comptroller.core.action import ActionClass

NAMESPACE = "Comptroller"
SYNTHETIC_PREFIX = "op:"
CLASS_NAMES = frozenset(item.value for item in ActionClass)

AGENT_ATTRIBUTES: Mapping[str, str] = {
    "name": "String",
    "team": "String",
    "organization": "String",
    "owner": "String",
    "purpose": "String",
    "services": "Set<String>",
    "hosts": "Set<String>",
    "accounts": "Set<String>",
}
"""What a policy may ask of `principal`: the agent as `comptroller.yaml` describes it."""

CONTEXT_ATTRIBUTES: Mapping[str, str] = {
    "operation": "String",
    "service": "String",
    "host": "String",
    "account": "String",
    "region": "String",
    "quantity": "Long",
    "usd_micros_high?": "Long",
    "usd_micros_per_hour_high?": "Long",
    "price_unknown": "Bool",
    "amount_minor?": "Long",
    "currency?": "String",
    "payee?": "String",
    "purpose": "String",
    "named": "Bool",
    "account_named": "Bool",
    "owned": "Bool",
    "parameters": "Set<String>",
    "findings": "Set<String>",
    "grants": "Set<String>",
}
"""What a policy may ask of `context`: the same record for every action. A `?` marks what may be absent.

`named`: the service or the host is named for the agent, wildcards included (they are matched outside Cedar, whose sets
know only equality). `account_named`: so is the account. `owned`: all that it would stop or delete was made by its own
run. `price_unknown`: a bound in dollars applies and is not known.
"""

ENTITY_TYPES = ("Organization", "Team", "Agent", "Group", "Person", "Service", "Resource")


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentFacts:
    """What is configured for one agent, as policies see it. `hosts` may hold wildcards, `services` a trailing `:*`."""

    name: str
    team: str
    organization: str
    owner: str
    purpose: str
    services: frozenset[str] = frozenset()
    hosts: frozenset[str] = frozenset()
    accounts: frozenset[str] = frozenset()


def synthetic(classes: Iterable[str]) -> str:
    """The id of the action that stands for every unnamed operation of exactly these classes: `op:read+write`."""
    return SYNTHETIC_PREFIX + "+".join(sorted(classes))


def schema_text(actions: Mapping[str, frozenset[str]]) -> str:
    """The schema in Cedar's own syntax, with `actions` (id -> names of its classes) beside the classes."""
    attributes = ", ".join(f"{name}: {kind}" for name, kind in AGENT_ATTRIBUTES.items())
    context = ", ".join(f"{name}: {kind}" for name, kind in CONTEXT_ATTRIBUTES.items())
    lines = [
        f"namespace {NAMESPACE} {{",
        "  entity Organization;",
        "  entity Team in [Organization];",
        f"  entity Agent in [Team] = {{ {attributes} }};",
        "  entity Group;",
        "  entity Person in [Group];",
        "  entity Service;",
        "  entity Resource in [Service];",
        f"  type Context = {{ {context} }};",
    ]
    lines += [f"  action {literal(name)};" for name in sorted(CLASS_NAMES)]
    for action, classes in sorted(actions.items()):
        parents = ", ".join(literal(name) for name in sorted(classes))
        applies = "principal: [Agent], resource: [Service], context: Context"
        lines.append(f"  action {literal(action)} in [{parents}] appliesTo {{ {applies} }};")
    return "\n".join([*lines, "}", ""])


def validation_actions(named: Mapping[str, frozenset[ActionClass]]) -> dict[str, frozenset[str]]:
    """The actions to check policies against: one unnamed operation per class, and every operation a policy names."""
    actions = {synthetic([name]): frozenset({name}) for name in CLASS_NAMES}
    actions.update({operation: frozenset(c.value for c in classes) for operation, classes in named.items()})
    return actions


def agent_entities(facts: AgentFacts, schema: Any) -> Any:
    """One agent and what it belongs to, parsed WITH the schema: without it Cedar knows no action groups at all."""
    document = [
        _entity("Organization", facts.organization),
        _entity("Team", facts.team, parents=[("Organization", facts.organization)]),
        _entity(
            "Agent",
            facts.name,
            attributes={
                "name": facts.name,
                "team": facts.team,
                "organization": facts.organization,
                "owner": facts.owner,
                "purpose": facts.purpose,
                "services": sorted(facts.services),
                "hosts": sorted(facts.hosts),
                "accounts": sorted(facts.accounts),
            },
            parents=[("Team", facts.team)],
        ),
    ]
    return cedarpy.Entities.from_json_str(json.dumps(document), schema)


def uid(kind: str, name: str) -> dict[str, str]:
    """An entity id in the structured form: any text is a valid name in it, quotes and line ends included."""
    return {"type": f"{NAMESPACE}::{kind}", "id": name}


def _entity(
    kind: str, name: str, *, attributes: Mapping[str, object] | None = None, parents: Iterable[tuple[str, str]] = ()
) -> dict[str, object]:
    return {"uid": uid(kind, name), "attrs": dict(attributes or {}), "parents": [uid(*parent) for parent in parents]}


def literal(text: str) -> str:
    """A Cedar string literal."""
    return '"' + "".join(c if c.isprintable() and c not in '"\\' else f"\\u{{{ord(c):x}}}" for c in text) + '"'
