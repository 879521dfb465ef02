"""What is doubtful in a description that can be read: operations nobody has classed, paths that no request reaches,
paths of two operations, classes that say less than the method."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from comptroller.core.action import ActionClass
from comptroller.decode.described.document import weaker
from comptroller.decode.described.route import AmbiguousRoute
from comptroller.decode.described.service import Operation, Service
from comptroller.decode.http import METHOD_CLASSES

SHOWN_MAX = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """One finding. `failure`: the description should not be used as it is."""

    line: int
    message: str
    failure: bool


def doubts(service: Service) -> tuple[Doubt, ...]:
    """Everything that is doubtful, failures first, then by line."""
    found = [*_unclassed(service), *_unreachable(service), *_overlapping(service), *_weak(service)]
    if not service.reviewed:
        found.append(Doubt(line=1, message="`reviewed` is false: every call of this service is refused", failure=False))
    return tuple(sorted(found, key=lambda each: (not each.failure, each.line, each.message)))


def _unclassed(service: Service) -> Iterator[Doubt]:
    left = [operation for operation in service.operations if operation.classes is None]
    effect = "they are unknown" if service.otherwise is None else "they have only their method's class"
    for operation in left[:SHOWN_MAX]:
        message = f"`{operation.key}` ({operation.name}) is in the OpenAPI document and has no class; {effect}"
        yield Doubt(line=operation.line, message=message, failure=True)
    if len(left) > SHOWN_MAX:
        yield Doubt(line=left[0].line, message=f"{len(left) - SHOWN_MAX} more operations have no class", failure=True)


def _unreachable(service: Service) -> Iterator[Doubt]:
    for operation in service.operations:
        for method in operation.methods:
            why = _why_unreachable(service, operation, method)
            if why:
                yield Doubt(line=operation.line, message=f"`{operation.key}` is never reached: {why}", failure=True)


def _why_unreachable(service: Service, operation: Operation, method: str) -> str:
    """Why the most plain path of a template leads elsewhere; empty where it does not."""
    path = "/" + "/".join(_example(segment.text) for segment in operation.template.segments)
    try:
        found = service.router.find(method, path)
    except AmbiguousRoute as error:
        return str(error)
    if found is None:
        return "no path matches it"
    return "" if found[0] is operation else f"`{found[0].key}` takes its paths"


def _example(text: str) -> str:
    out = text
    while "{" in out:
        before, _, rest = out.partition("{")
        out = f"{before}zq8zq{rest.partition('}')[2]}"
    return out


def _overlapping(service: Service) -> Iterator[Doubt]:
    """Two operations of one shape cannot be told apart at all; others only where a value is also a word of the path."""
    pairs = list(dict.fromkeys(service.router.overlaps()))
    same = [(left, right) for left, right in pairs if left.template.ranks == right.template.ranks]
    for left, right in same[:SHOWN_MAX]:
        message = f"`{left.key}` and `{right.key}` match the same paths: those are unknown"
        yield Doubt(line=right.line, message=message, failure=True)
    others = [pair for pair in pairs if pair not in same]
    if others:
        left, right = others[0]
        more = f", and {len(others) - 1} more pairs" if len(others) > 1 else ""
        message = f"`{left.key}` and `{right.key}` may match the same path{more}: such a path is unknown"
        yield Doubt(line=right.line, message=message, failure=False)


def _weak(service: Service) -> Iterator[Doubt]:
    for operation in service.operations:
        if operation.classes is None or not operation.explicit or operation.graphql is not None:
            continue
        for method in operation.methods:
            own = METHOD_CLASSES[method]
            plain = operation.classes <= {ActionClass.READ, ActionClass.WRITE}
            if own is ActionClass.DESTROY and weaker(own, operation.classes) and plain:
                said = " ".join(sorted(operation.classes))
                message = f"`{operation.key}` counts as {said}, though it deletes: is that meant?"
                yield Doubt(line=operation.line, message=message, failure=False)
        if ActionClass.PAY in operation.classes and (operation.money is None or operation.money.amount is None):
            message = f"`{operation.key}` moves money, and no `payment.amount` says how much: a person is always asked"
            yield Doubt(line=operation.line, message=message, failure=False)
