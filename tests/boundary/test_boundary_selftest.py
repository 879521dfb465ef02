"""The four fail-open traps of Cedar: the real engine has them, our reading closes them, and an open one is noticed."""

from __future__ import annotations

import json
from typing import Any

import cedarpy
import pytest
from boundary_cases import AGENT, PERMIT_ALL, load

from comptroller.boundary.engine import Answer, ask
from comptroller.boundary.schema import agent_entities, schema_text, synthetic, uid
from comptroller.boundary.selftest import open_traps, probe_context, self_test
from comptroller.core.errors import MissingError

ACTION = synthetic(["pay"])
SCHEMA = cedarpy.Schema.from_str(schema_text({ACTION: frozenset({"pay"})}))
ENTITIES = agent_entities(AGENT, SCHEMA)
ERRING = 'forbid(principal, action, resource) when { context.payee == "x" };'
GROUPED = 'forbid(principal, action in Comptroller::Action::"pay", resource);'


def request(action: str = ACTION, **changed: object) -> dict[str, Any]:
    """A request of the agent with a sound context, changed at will."""
    return {
        "principal": uid("Agent", AGENT.name),
        "action": uid("Action", action),
        "resource": uid("Service", "x"),
        "context": json.dumps({**probe_context(), **changed}),
    }


def trusting(asked: Any, policies: Any, entities: Any, schema: Any) -> Answer:
    """Reads Cedar's answer as many do: whatever is no Allow is a Deny, and errors are not looked at."""
    result = cedarpy.is_authorized(asked, policies, entities, schema)
    return Answer(kind="allow" if result.allowed else "deny", reasons=tuple(result.diagnostics.reasons))


def without_schema(asked: Any, policies: Any, entities: Any, schema: Any) -> Answer:
    """Reads carefully, but asks without the schema."""
    bare = json.dumps([{"uid": asked["principal"], "attrs": {}, "parents": []}])
    return ask(asked, policies, cedarpy.Entities.from_json_str(bare), None)


def test_the_installed_engine_passes() -> None:
    assert open_traps() == ()
    self_test()


def test_the_engine_itself_still_has_the_traps() -> None:
    both = cedarpy.PolicySet.from_str(PERMIT_ALL + ERRING)
    assert cedarpy.is_authorized(request(), both, ENTITIES, SCHEMA).allowed
    assert ask(request(), both, ENTITIES, SCHEMA).kind == "error"
    grouped = cedarpy.PolicySet.from_str(PERMIT_ALL + GROUPED)
    bare = cedarpy.Entities.from_json_str(json.dumps([{"uid": uid("Agent", AGENT.name), "attrs": {}, "parents": []}]))
    assert cedarpy.is_authorized(request(), grouped, bare, None).allowed
    assert ask(request(), grouped, ENTITIES, SCHEMA).kind == "deny"
    unknown = request("nobody:knows:this")
    everything = cedarpy.PolicySet.from_str(PERMIT_ALL)
    assert cedarpy.is_authorized(unknown, everything, bare, None).allowed
    assert ask(unknown, everything, ENTITIES, SCHEMA).kind == "error"
    unreadable = request(quantity=1.5)
    assert cedarpy.is_authorized(unreadable, everything, ENTITIES, SCHEMA).decision is cedarpy.Decision.NoDecision
    assert ask(unreadable, everything, ENTITIES, SCHEMA).kind == "error"


def test_a_reading_that_skips_errors_is_noticed() -> None:
    found = open_traps(trusting)
    assert "a forbid that errs is skipped" in found
    assert "no decision counts as a deny that a grant could lift" in found


def test_asking_without_the_schema_is_noticed() -> None:
    found = open_traps(without_schema)
    assert "an action is no member of its class" in found
    assert "an action outside the schema matches a permit for any action" in found


def test_an_engine_that_denies_everything_is_noticed_too() -> None:
    assert "a plain permit does not permit" in open_traps(lambda *_: Answer(kind="deny"))


@pytest.mark.parametrize("decide", [trusting, without_schema])
def test_an_open_trap_stops_the_start(decide: Any) -> None:
    with pytest.raises(MissingError, match="not safe to decide with") as raised:
        self_test(decide)
    assert "cedarpy" in raised.value.hint


def test_a_boundary_runs_the_self_test_before_it_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        cedarpy.AuthzResult, "diagnostics", property(lambda _: cedarpy.Diagnostics({"reason": ["x"], "errors": []}))
    )
    with pytest.raises(MissingError, match="a forbid that errs is skipped"):
        load(PERMIT_ALL)


@pytest.mark.parametrize(
    "answer", [{"decision": "NoDecision"}, {"decision": "Allow"}, {"decision": "Allow", "diagnostics": {}}]
)
def test_a_doubtful_answer_is_an_error(monkeypatch: pytest.MonkeyPatch, answer: dict[str, object]) -> None:
    """No decision without any error told, and an allow that no permit stands for."""
    monkeypatch.setattr(cedarpy, "is_authorized", lambda *_: cedarpy.AuthzResult(answer))
    assert ask(request(), None, None, None).kind == "error"
