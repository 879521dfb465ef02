"""What a policy's conditions read: grants, parameters, the action; and whether they can ever be met."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cedarpy import pst

from comptroller.boundary.schema import NAMESPACE

ACTION_TYPE = pst.EntityType(basename="Action", namespace=(NAMESPACE,))


def reads_grant(template: Any, rule: str) -> bool:
    """True where an `unless` of the policy is met by `context.grants.contains(RULE)`, alone or within && and ||."""
    return any(
        isinstance(clause, pst.Unless) and any(_is_grant_test(part, rule) for part in _conjuncts(clause.expr))
        for clause in template.clauses
    )


def granted_names(template: Any) -> Iterator[str]:
    """Every text that a condition looks for in `context.grants`."""
    for node in nodes(template.clauses):
        if isinstance(node, pst.BinaryOp) and _is_context(node.left, "grants"):
            yield from (part.value for part in nodes(node.right) if isinstance(part, pst.StringLit))


def mentions_action(template: Any) -> bool:
    """True where a condition (not the scope) asks what the action is."""
    return any(isinstance(node, pst.Var) and node.name == "action" for node in nodes(template.clauses))


def named_actions(template: Any) -> frozenset[str]:
    """The ids of every action a policy names, in its scope or in a condition."""
    return frozenset(
        node.id
        for node in nodes((template.action, *template.clauses))
        if isinstance(node, pst.EntityUid) and node.type == ACTION_TYPE
    )


def is_dead(template: Any) -> bool:
    """True where a condition is plainly never met: `when { false }`, `unless { true }`, `x && false`."""
    return any(_constant(clause.expr) is isinstance(clause, pst.Unless) for clause in template.clauses)


def parameter_texts(template: Any) -> frozenset[str] | None:
    """The texts a policy looks for in `context.parameters`; None where it may look at all of them."""
    texts: set[str] = set()
    accounted = 0
    uses = 0
    for node in nodes(template.clauses):
        if isinstance(node, pst.Var) and node.name == "context":
            uses += 1
        elif isinstance(node, (pst.HasAttr, pst.GetAttr)) and _is_variable(node.base, "context"):
            accounted += isinstance(node, pst.HasAttr) or node.attr != "parameters"
        elif isinstance(node, pst.BinaryOp) and _is_context(node.left, "parameters"):
            literals = _literals(node)
            if literals is not None:
                accounted += 1
                texts |= literals
    return frozenset(texts) if accounted == uses else None


def nodes(value: Any) -> Iterator[Any]:
    """Every node of a syntax tree, without recursion."""
    stack = [value]
    while stack:
        node = stack.pop()
        if isinstance(node, tuple):
            stack.extend(node)
        elif isinstance(node, Mapping):
            stack.extend(node.values())
        elif names := getattr(node, "__dataclass_fields__", None):
            yield node
            stack.extend(getattr(node, name) for name in names)


def _literals(node: Any) -> frozenset[str] | None:
    """The literal texts that `contains`, `containsAny` or `containsAll` looks for; None for anything else."""
    if node.op == "contains" and isinstance(node.right, pst.StringLit):
        return frozenset({node.right.value})
    elements = node.right.elements if isinstance(node.right, pst.Set) else ()
    if node.op in ("contains_any", "contains_all") and all(isinstance(item, pst.StringLit) for item in elements):
        return frozenset(item.value for item in elements) or None
    return None


def _is_grant_test(node: Any, rule: str) -> bool:
    if not (isinstance(node, pst.BinaryOp) and _is_context(node.left, "grants")):
        return False
    return node.op == "contains" and isinstance(node.right, pst.StringLit) and node.right.value == rule


def _conjuncts(node: Any) -> Iterator[Any]:
    """The parts of an expression joined by && and ||, none of them under a `!` or an `if`."""
    stack = [node]
    while stack:
        part = stack.pop()
        if isinstance(part, pst.BinaryOp) and part.op in ("and", "or"):
            stack += [part.left, part.right]
        else:
            yield part


def _is_variable(node: Any, name: str) -> bool:
    return isinstance(node, pst.Var) and bool(node.name == name)


def _is_context(node: Any, attribute: str) -> bool:
    return isinstance(node, pst.GetAttr) and node.attr == attribute and _is_variable(node.base, "context")


def _constant(node: Any) -> bool | None:
    """The value of an expression that is the same for every request, where that is plain to see."""
    match node:
        case pst.BoolLit(value=value):
            return bool(value)
        case pst.UnaryOp(op="not", arg=argument):
            value = _constant(argument)
            return None if value is None else not value
        case pst.BinaryOp(op="and" | "or" as op, left=left, right=right):
            values = (_constant(left), _constant(right))
            if (op == "or") in values:
                return bool(op == "or")
            return values[0] if values[0] == values[1] else None
        case _:
            return None
