"""Builders shared by the boundary's tests: one agent, actions with sensible members, policies from text."""

from __future__ import annotations

from importlib.resources import files

from comptroller.boundary import AgentFacts, CedarBoundary, PolicyText
from comptroller.core.action import Action, ActionClass
from comptroller.core.estimate import FREE_CALL, Estimate
from comptroller.core.verdict import BoundaryResult

AGENT = AgentFacts(
    name="research",
    team="ml",
    organization="acme",
    owner="ann",
    purpose="train a model",
    services=frozenset({"aws:ec2", "http"}),
    hosts=frozenset({"docs.example.com", "*.example.org"}),
    accounts=frozenset({"111111111111"}),
)

OPERATIONS = {
    "aws:ec2:RunInstances": frozenset({ActionClass.PROVISION}),
    "aws:ec2:DescribeInstances": frozenset({ActionClass.READ}),
    "aws:ec2:TerminateInstances": frozenset({ActionClass.WRITE, ActionClass.DESTROY}),
    "stripe:transfers.create": frozenset({ActionClass.PAY}),
}

PERMIT_ALL = '@id("all") permit (principal, action, resource);\n'


def starter_text() -> str:
    """The starter pack as shipped."""
    return files("comptroller.boundary").joinpath("packs", "starter.cedar").read_text("utf-8")


def load(*texts: str, agent: AgentFacts = AGENT) -> CedarBoundary:
    """A boundary over these policy files, named p0.cedar, p1.cedar, ..."""
    return CedarBoundary.load(
        [PolicyText(file=f"p{number}.cedar", text=text) for number, text in enumerate(texts)],
        {agent.name: agent},
        classes_of=OPERATIONS.get,
        near=lambda _: OPERATIONS,
    )


def action(*classes: ActionClass | str, operation: str = "aws:ec2:Anything", **changed: object) -> Action:
    """An action of these classes on a named service, with members changed at will."""
    members: dict[str, object] = {
        "operation": operation,
        "service": "aws:ec2",
        "classes": frozenset(ActionClass(item) for item in classes),
        "endpoint": "ec2.us-east-1.amazonaws.com",
        "agent": AGENT.name,
        "run": "run-1",
        "account": "111111111111",
        "region": "us-east-1",
    }
    return Action(**{**members, **changed})  # type: ignore[arg-type]


def decide(boundary: CedarBoundary, what: Action, estimate: Estimate = FREE_CALL, *granted: str) -> BoundaryResult:
    """What the boundary says."""
    return boundary.evaluate(what, estimate, granted=frozenset(granted))
