"""Entries of our own log, as `comptroller audit export` and `comptroller tail --json` write them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from comptroller.core.action import Action, ActionClass, Payment, Uncanonical, Value, canonical
from comptroller.core.audit import EntryKind
from comptroller.core.estimate import Bound, Estimate, Unit
from comptroller.decode.records.case import RUN, Case, Reading, Recorded, Who, unknown

KIND = "entry"
SOURCE = "comptroller"
LABEL = "recorded"
JUDGED = frozenset({EntryKind.ACTION_ALLOWED.value, EntryKind.ACTION_HELD.value, EntryKind.ACTION_DENIED.value})
"""Entries that hold an action and what was said of it; the others tell of what came before or after."""


def entry_of(document: Mapping[str, Value]) -> Mapping[str, Value] | None:
    """The entry in a line of an export (`leaf` beside `private`) or of `tail --json`; None where it is neither.

    An export's first and last line are None as well: they hold no entry."""
    leaf = document.get("leaf")
    private = document.get("private")
    if not isinstance(leaf, str):
        return document if isinstance(document.get("body"), Mapping) and "kind" in document else None
    try:
        found = json.loads(leaf)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or not isinstance(found.get("body"), dict):
        return None
    beside = {
        name: item.get("value") if isinstance(item, Mapping) else None
        for name, item in (private.items() if isinstance(private, Mapping) else ())
    }
    return {**found, "beside": beside}


def frames_export(document: Mapping[str, Value]) -> bool:
    """Whether a line is the head or the end of an export."""
    return "comptroller_export" in document or document.keys() >= {"count", "checkpoint"}


def read(case: Case, who: Who) -> Reading:
    """The action of an entry with the estimate that was made then; no action where the entry holds none. Total."""
    if str(case.members.get("kind")) not in JUDGED:
        return Reading(notes=("no action: " + str(case.members.get("kind"))[:40],))
    try:
        return Reading(actions=(_action(case.members, who),))
    except (ValueError, TypeError, KeyError, AttributeError, Uncanonical) as error:
        return Reading(actions=(unknown(case, who, f"an entry that is not whole ({type(error).__name__})"),))


def _action(entry: Mapping[str, Value], who: Who) -> Recorded:
    body = _mapping(entry.get("body"))
    beside = _mapping(entry.get("beside")) or _mapping(entry.get("private"))
    parameters = _mapping(beside.get("parameters"))
    canonical(parameters)
    resources = beside.get("resources")
    action = Action(
        operation=_text(body, "operation"),
        service=_text(body, "service"),
        classes=frozenset(ActionClass(str(name)) for name in _list(body.get("classes"))),
        endpoint=_text(body, "endpoint"),
        agent=_text(entry, "agent") or who.agent,
        run=_text(entry, "run") or RUN,
        account=_text(body, "account"),
        region=_text(body, "region"),
        resources=tuple(str(name) for name in _list(resources)),
        quantity=_whole(body.get("quantity")),
        parameters=parameters,
        payment=_payment(_mapping(beside.get("payment"))),
        reason=_text(beside, "undecodable"),
    )
    if not action.operation or not action.classes:
        raise ValueError("no operation or no class")
    estimate = _estimate(_mapping(body.get("estimate")))
    return Recorded(action=action, estimate=estimate, owned=body.get("owned") is True)


def _estimate(told: Mapping[str, Value]) -> Estimate | None:
    """The recorded bounds: they were made from the whole request, secrets included."""
    bounds: dict[Unit, Bound] = {}
    for name, pair in _mapping(told.get("bounds")).items():
        low, high = _list(pair)
        bounds[Unit(name)] = Bound(low=_whole(low), high=None if high is None else _whole(high))
    return Estimate(bounds=bounds, basis="as recorded") if bounds else None


def _payment(told: Mapping[str, Value]) -> Payment | None:
    if not told:
        return None
    direction = told.get("direction")
    reversible = told.get("reversible")
    return Payment(
        amount_minor=_whole(told.get("amount_minor")),
        currency=_text(told, "currency"),
        payee=_text(told, "payee"),
        direction=direction if direction in ("in", "reserve") else "out",
        reversible=reversible if isinstance(reversible, bool) else None,
    )


def _mapping(value: Value) -> Mapping[str, Value]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Value) -> Sequence[Value]:
    return value if isinstance(value, list | tuple) else ()


def _text(members: Mapping[str, Value], name: str) -> str:
    value = members.get(name)
    return value if isinstance(value, str) else ""


def _whole(value: Value) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("no whole number")
    return value
