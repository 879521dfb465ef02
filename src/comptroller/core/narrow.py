"""Narrower: a person makes an action smaller before they say yes to it. What would be larger in any unit is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from comptroller.core.action import Action, Payment, Value, digest
from comptroller.core.estimate import Estimate, Unit
from comptroller.core.leaves import leaves, with_leaves
from comptroller.core.pattern import whole_number

CHANGES_MAX = 20
TEXT_CHARACTERS_MAX = 64


class NarrowKind(StrEnum):
    """What a parameter says: how many, how large a machine, how large, how much money, how long."""

    COUNT = "count"
    TYPE = "type"
    SIZE = "size"
    AMOUNT = "amount"
    TERM = "term"


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrowing:
    """One parameter that a person may lower: where it stands, what it says, and its value now."""

    path: str
    kind: NarrowKind
    value: str

    @property
    def counted(self) -> bool:
        """Whether a standing grant may carry it as an upper bound."""
        return self.kind in (NarrowKind.COUNT, NarrowKind.AMOUNT)


class NotNarrower(ValueError):
    """The change asked for is none that makes the action smaller; the message says why."""


def narrowed_parameters(
    parameters: Mapping[str, Value], known: tuple[Narrowing, ...], changes: Mapping[str, str]
) -> dict[str, Value]:
    """The parameters with `changes`: path, or a kind's name for all of it, to the new value. Raises `NotNarrower`.

    A number must be lower and at least 1; where a kind is named, what is lower already stays.
    """
    if not changes or len(changes) > CHANGES_MAX:
        raise NotNarrower(f"name 1 to {CHANGES_MAX} changes")
    found = leaves(parameters)
    new: dict[str, Value] = {}
    for name, text in changes.items():
        one = [each for each in known if each.path == name]
        meant = one or [each for each in known if each.kind.value == name]
        if not meant:
            names = ", ".join(each.path for each in known) or "nothing"
            raise NotNarrower(f"`{name}` cannot be lowered here; what can: {names}")
        for each in meant:
            new[each.path] = _lowered(each, found[each.path], text, keep=not one)
    changed = with_leaves(parameters, new)
    if changed == parameters:
        raise NotNarrower("that is what was asked already")
    return changed


def _lowered(each: Narrowing, value: Value, text: str, *, keep: bool) -> Value:
    if each.kind is NarrowKind.TYPE:
        if not (
            0 < len(text) <= TEXT_CHARACTERS_MAX and text.isascii() and text.replace(".", "").replace("-", "").isalnum()
        ):
            raise NotNarrower(f"`{text[:80]}` is no name of a type")
        return text
    before, after = whole_number(value), whole_number(text)
    if before is None or after is None or after < 1:
        raise NotNarrower(f"`{each.path}` takes a whole number from 1 to {before}, not `{text[:40]}`")
    if after > before:
        if keep:
            return value
        raise NotNarrower(f"`{each.path}` would rise from {before} to {after}; a yes can only lower")
    return str(after) if isinstance(value, str) else after


def check_narrower(
    before: Action, after: Action, priced: Estimate, repriced: Estimate, known: tuple[Narrowing, ...]
) -> None:
    """Raise `NotNarrower` unless `after` is the same action, only smaller: no unit's upper bound higher, nothing else
    changed. A type counts as smaller only where its price is known and lower."""
    for name in ("operation", "service", "account", "region", "endpoint", "agent", "run", "classes"):
        if getattr(before, name) != getattr(after, name):
            raise NotNarrower(f"the {name} would change")
    if digest(before) == digest(after):
        raise NotNarrower("that is what was asked already")
    if after.undecodable or after.quantity > before.quantity or not set(after.resources) <= set(before.resources):
        raise NotNarrower("it would reach for more")
    _check_parts(before, after)
    _check_payment(before.payment, after.payment)
    types = _check_leaves(before, after, {each.path: each for each in known})
    _check_units(priced, repriced, cheaper=types)


def _check_parts(before: Action, after: Action) -> None:
    same = [part.operation for part in before.parts] == [part.operation for part in after.parts]
    smaller = same and all(new.quantity <= old.quantity for old, new in zip(before.parts, after.parts, strict=True))
    if not smaller:
        raise NotNarrower("it would bring about other things")


def _check_payment(before: Payment | None, after: Payment | None) -> None:
    if before is None or after is None:
        if before is not after:
            raise NotNarrower("the payment would change")
        return
    for name in ("currency", "payee", "direction", "reversible"):
        if getattr(before, name) != getattr(after, name):
            raise NotNarrower(f"the payment's {name} would change")
    if after.amount_minor > before.amount_minor:
        raise NotNarrower("the payment would rise")


def _check_leaves(before: Action, after: Action, known: Mapping[str, Narrowing]) -> bool:
    """Whether a type changed. Every other change is a lower number."""
    old, new = leaves(before.parameters), leaves(after.parameters)
    if old.keys() != new.keys():
        raise NotNarrower("parameters would come or go")
    types = False
    for path, value in old.items():
        if new[path] == value and type(new[path]) is type(value):
            continue
        if path not in known:
            raise NotNarrower(f"`{path}` is nothing that can be lowered")
        if known[path].kind is NarrowKind.TYPE:
            types = True
            continue
        was, now = whole_number(value), whole_number(new[path])
        if was is None or now is None or not 0 < now < was:
            raise NotNarrower(f"`{path}` would not be lower")
    return types


def _check_units(before: Estimate, after: Estimate, *, cheaper: bool) -> None:
    if more := set(after.bounds) - set(before.bounds):
        raise NotNarrower(f"it would take {sorted(more)[0].value} as well")
    for unit, bound in after.bounds.items():
        was = before.bounds[unit].high
        if was is not None and (bound.high is None or bound.high > was):
            raise NotNarrower(f"it would take more {unit.value}, or nobody could say how much")
    money = (Unit.USD_MICROS, Unit.USD_MICROS_PER_HOUR)
    pairs = [(before.high(unit), after.high(unit)) for unit in money if unit in before.bounds]
    if cheaper and not any(was is not None and now is not None and now < was for was, now in pairs):
        raise NotNarrower("a type is smaller only where its price is known and lower: this one's is not")
