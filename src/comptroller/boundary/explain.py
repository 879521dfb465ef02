"""Why an action was decided as it was, rule by rule, and what a person could write to have it decided otherwise."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import cedarpy
from cedarpy import pst

from comptroller.boundary.context import SERVICE_OF_ANY_HOST, Reach
from comptroller.boundary.engine import ask
from comptroller.boundary.evaluate import PARTS_DEPTH_MAX, CedarBoundary, Decided, Slice
from comptroller.boundary.rule import Rule
from comptroller.boundary.schema import NAMESPACE, AgentFacts
from comptroller.core.action import Action, ActionClass
from comptroller.core.estimate import Estimate
from comptroller.core.verdict import BoundaryResult, Obligation, VerdictKind

_EVERYTHING = cedarpy.policies_to_pst('@id("everything") permit(principal, action, resource);')


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleReport:
    """One rule of the slice. `match` is `yes`, `no` or what went wrong; `determining` where the result rests on it."""

    id: str
    effect: str
    file: str
    line: int
    match: str
    determining: bool
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """A decision laid open. `rules` are those of the slice, `shadow` those in shadow mode (`match`: what they would
    have made of it), `context` is what they were shown, `errors` Cedar's texts, `advice` lines to write: for a person
    and never for the agent."""

    result: BoundaryResult
    slice_size: int
    total_size: int
    cedar_action: str
    classes: tuple[str, ...]
    rules: tuple[RuleReport, ...]
    context: Mapping[str, object]
    errors: tuple[str, ...]
    advice: tuple[str, ...]
    shadow: tuple[RuleReport, ...] = ()

    def document(self) -> dict[str, object]:
        """The JSON form."""
        return {
            "verdict": self.result.kind.value,
            "reasons": [{"code": r.code, "rule": r.rule, "text": r.text} for r in self.result.reasons],
            "determining": list(self.result.rules),
            "obligations": [_obligation(item) for item in self.result.obligations],
            "slice": {"rules": self.slice_size, "of": self.total_size, "hash": self.result.slice_hash},
            "action": {"id": self.cedar_action, "classes": list(self.classes)},
            "rules": [_told(rule) for rule in self.rules],
            "shadow": [_told(rule) for rule in self.shadow],
            "context": dict(self.context),
            "errors": list(self.errors),
            "advice": list(self.advice),
        }


def explain(boundary: CedarBoundary, action: Action, estimate: Estimate) -> Explanation:
    """Decide and say why, parts included. Takes one question per rule of the slice: for people, not for every call.

    The rules reported are those about the whole; what a part meets is in the result's reasons and in the advice.
    """
    decided = boundary.decide(action, estimate)
    result = boundary.evaluate(action, estimate)
    cut = decided.slice
    reports = () if cut is None else tuple(_report(decided, cut, name) for name in cut.rules)
    context = decided.request.get("context", {})
    return Explanation(
        result=result,
        slice_size=len(reports),
        total_size=len(boundary.rules),
        cedar_action="" if cut is None else cut.action,
        classes=() if cut is None else tuple(sorted(cut.classes)),
        rules=reports,
        context=context if isinstance(context, Mapping) else {},
        errors=tuple(error for answer in decided.answers for error in answer.errors),
        advice=tuple(dict.fromkeys(_advice_on_all(boundary, action, estimate, decided.result))),
        shadow=tuple(_watching(rule, result) for rule in boundary.rules if rule.shadow),
    )


def _advice_on_all(
    boundary: CedarBoundary, action: Action, estimate: Estimate, result: BoundaryResult, depth: int = 0
) -> Iterator[str]:
    """Advice on the action and on every part that is denied."""
    yield from advice(boundary, action, result)
    for part in action.parts if depth <= PARTS_DEPTH_MAX else ():
        own = replace(part, agent=action.agent, run=action.run)
        yield from _advice_on_all(boundary, own, estimate, boundary.decide(own, estimate).result, depth + 1)


def advice(boundary: CedarBoundary, action: Action, result: BoundaryResult) -> tuple[str, ...]:
    """Lines a person could add to let such an action go, or have it asked. For people only; empty on an allow."""
    if result.kind is not VerdictKind.DENY:
        return ()
    facts = boundary.agents.get(action.agent)
    if facts is None:
        return (f"comptroller.yaml: agents.{action.agent}: {{team: ..., owner: ..., purpose: ...}}",)
    if ActionClass.UNKNOWN in action.classes:
        return ()
    reach = Reach.of(facts)
    lines = []
    if not reach.names(action.service, action.host):
        lines.append(_name_it(facts, action))
    if not reach.names_account(action.service, action.account):
        account = action.account or "ACCOUNT, and credentials.NAME.account to the same"
        lines.append(f"comptroller.yaml: agents.{facts.name}.accounts: add {account}")
    if any(reason.code == "no_permit" for reason in result.reasons):
        lines.append(
            f'policies/: @id("...") permit (principal == {NAMESPACE}::Agent::{_quoted(facts.name)}, '
            f"action == {NAMESPACE}::Action::{_quoted(action.operation)}, resource) when {{ context.named }};"
        )
    lines += [
        f"{rule.statement.file}:{rule.statement.line}: the rule `{rule.id}` forbids it"
        for rule in boundary.rules
        if not lines and rule.id in result.rules
    ]
    return tuple(lines)


def _name_it(facts: AgentFacts, action: Action) -> str:
    if action.service == SERVICE_OF_ANY_HOST or not action.service:
        return f"comptroller.yaml: agents.{facts.name}.hosts: add {action.host}"
    return f"comptroller.yaml: agents.{facts.name}.services: add {action.service}"


def _report(decided: Decided, cut: Slice, name: str) -> RuleReport:
    rule = cut.rules[name]
    return RuleReport(
        id=name,
        effect="asks people" if rule.obligation else rule.effect,
        file=rule.statement.file,
        line=rule.statement.line,
        match=_match(decided, cut, name),
        determining=name in decided.result.rules,
        reason=rule.reason,
    )


def _watching(rule: Rule, result: BoundaryResult) -> RuleReport:
    """A rule in shadow mode: what it would have made of the result."""
    would = next((item.would.value for item in result.shadow if item.rule == rule.id), "")
    return RuleReport(
        id=rule.id,
        effect="asks people" if rule.obligation else rule.effect,
        file=rule.statement.file,
        line=rule.statement.line,
        match=would or "no",
        determining=False,
        reason=rule.reason,
    )


def _match(decided: Decided, cut: Slice, name: str) -> str:
    """Whether one rule matches, asked of Cedar with that rule alone (a `forbid` beside a permit for everything)."""
    rule = cut.rules[name]
    policies: dict[str, Any] = {name: rule.template}
    if rule.effect == "forbid":
        policies.update(_EVERYTHING.static_policies)
    tree = pst.PolicySet(templates={}, static_policies=policies, template_links=())
    request = {**decided.request, "context": json.dumps(_context(decided))}
    answer = ask(request, cedarpy.PolicySet.from_pst(tree), cut.entities[_agent(decided)], cut.schema)
    if answer.kind == "error":
        return "; ".join(answer.errors)
    return "yes" if (answer.kind == "allow") == (rule.effect == "permit") else "no"


def _context(decided: Decided) -> Mapping[str, object]:
    context = decided.request["context"]
    assert isinstance(context, Mapping)
    return context


def _agent(decided: Decided) -> str:
    principal = decided.request["principal"]
    assert isinstance(principal, Mapping)
    return str(principal["id"])


def _told(rule: RuleReport) -> dict[str, object]:
    return {
        "id": rule.id,
        "effect": rule.effect,
        "file": rule.file,
        "line": rule.line,
        "match": rule.match,
        "determining": rule.determining,
        "reason": rule.reason,
    }


def _obligation(item: Obligation) -> dict[str, object]:
    return {
        "rule": item.rule,
        "approvers": item.approvers,
        "quorum": item.quorum,
        "exclude": sorted(item.exclude),
        "ttl_seconds": item.ttl_seconds,
        "reason": item.reason,
        "assurance": item.assurance,
        "stages": [{"group": stage.group, "quorum": stage.quorum} for stage in item.asked],
        "delay_seconds": item.delay_seconds,
        "escalations": [{"group": late.group, "after_seconds": late.after_seconds} for late in item.escalations],
        "expires_seconds": item.expires_seconds,
    }


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
