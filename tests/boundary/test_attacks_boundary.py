"""What a slice remembers is bounded, and never the answer to another question."""

from __future__ import annotations

from dataclasses import replace

from comptroller.boundary import CedarBoundary, PolicyText
from comptroller.boundary.schema import AgentFacts
from comptroller.core.action import Action, ActionClass
from comptroller.core.estimate import Bound, Estimate, Unit
from comptroller.core.verdict import VerdictKind

POLICY = """
@id("small") permit (principal, action in Comptroller::Action::"write", resource)
when { context.named && context.parameters.contains("size=small") };
@id("any") forbid (principal, action, resource) when { context.parameters.containsAny(["x=1"]) };
@id("cheap") forbid (principal, action, resource) when { context has usd_micros_high && context.usd_micros_high > 5 };
"""
WHOLE = 'permit (principal, action, resource) unless { ["x"].containsAll(context.parameters) };'
ACTION = Action(
    operation="http:api.example.com:POST",
    service="http",
    classes=frozenset({ActionClass.WRITE}),
    endpoint="api.example.com",
    agent="bot",
    run="r",
    parameters={"size": "small"},
)
FREE = Estimate(bounds={Unit.CALLS: Bound.exactly(1)})


def boundary(policy: str) -> CedarBoundary:
    facts = {
        name: AgentFacts(
            name=name,
            team="ml",
            organization="acme",
            owner="ann",
            purpose="x",
            services=frozenset(),
            hosts=frozenset(hosts),
            accounts=frozenset(),
        )
        for name, hosts in (("bot", ["api.example.com"]), ("other", []))
    }
    return CedarBoundary.load(
        [PolicyText(file="p.cedar", text=policy)], facts, classes_of=lambda _: frozenset({ActionClass.WRITE})
    )


def test_an_answer_is_remembered_for_its_own_question_alone() -> None:
    cut = boundary(POLICY)
    dear = Estimate(bounds={**FREE.bounds, Unit.USD_MICROS: Bound.exactly(6)})
    for _ in range(2):
        assert cut.evaluate(ACTION, FREE).kind is VerdictKind.ALLOW
        assert cut.evaluate(ACTION, dear).kind is VerdictKind.DENY
        assert cut.evaluate(replace(ACTION, agent="other"), FREE).kind is VerdictKind.DENY
        assert cut.evaluate(replace(ACTION, endpoint="evil.example"), FREE).kind is VerdictKind.DENY
        assert cut.evaluate(replace(ACTION, parameters={"size": "big"}), FREE).kind is VerdictKind.DENY
        assert cut.evaluate(replace(ACTION, parameters={"size": "small", "x": "1"}), FREE).kind is VerdictKind.DENY
        more = replace(ACTION, classes=frozenset({ActionClass.WRITE, ActionClass.DESTROY}))
        assert cut.evaluate(more, FREE).kind is VerdictKind.DENY


def test_what_an_agent_writes_does_not_fill_the_memory() -> None:
    cut = boundary('@id("a") ' + WHOLE)
    for number in range(20):
        cut.evaluate(replace(ACTION, parameters={"n": f"{number} " + "x" * 100_000}), FREE)
    kept = cut.slice_for(ACTION).answers
    assert sum(len(text) for _, _, text in kept) < 10_000
