"""What an agent may do at all: Cedar policies, loaded, checked, cut to the action and decided."""

from comptroller.boundary.evaluate import CedarBoundary
from comptroller.boundary.explain import Explanation, advice, explain
from comptroller.boundary.problem import PolicyError, Problem
from comptroller.boundary.schema import AgentFacts
from comptroller.boundary.source import PolicyText

__all__ = [
    "AgentFacts",
    "CedarBoundary",
    "Explanation",
    "PolicyError",
    "PolicyText",
    "Problem",
    "advice",
    "explain",
]
