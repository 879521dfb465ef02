"""What an agent may do at all: Cedar policies, loaded, checked, cut to the action and decided."""

from comptroller.boundary.evaluate import CedarBoundary
from comptroller.boundary.explain import Explanation, advice, explain
from comptroller.boundary.problem import PolicyError, Problem
from comptroller.boundary.schema import AgentFacts
from comptroller.boundary.source import PolicyText
from comptroller.boundary.suggest import Denied, Suggestions, suggest

__all__ = [
    "AgentFacts",
    "CedarBoundary",
    "Denied",
    "Explanation",
    "PolicyError",
    "PolicyText",
    "Problem",
    "Suggestions",
    "advice",
    "explain",
    "suggest",
]
