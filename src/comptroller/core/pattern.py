"""What *like this* means: an explicit pattern of actions, proposed from one of them and shown as a sentence.

A pattern is closed: what it does not mention an action must not have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from comptroller.core.action import Action, ActionClass, Uncanonical, Value
from comptroller.core.errors import UsageError
from comptroller.core.estimate import Estimate, Unit, usd_text
from comptroller.core.leaves import LEAVES_MAX, TooManyLeaves, commitment, leaves, same_but
from comptroller.core.secrecy import HIDDEN, redacted, scrubbed

PATTERN_VERSION = 1
SHOWN_CHARACTERS_MAX = 80
SENTENCE_LEAVES_MAX = 12
RESOURCES_MAX = 50
NAMED_CLASSES = frozenset({ActionClass.PAY, ActionClass.ENTITLE, ActionClass.DESTROY, ActionClass.BLIND})
"""Classes that a standing grant covers only where its granter names them."""
CLOSED_CLASSES = NAMED_CLASSES | {ActionClass.EXECUTE, ActionClass.REVEAL}
"""Classes whose actions keep every parameter as it was."""


class Resources(StrEnum):
    """How the resources of an action are held against those of a pattern."""

    EQUAL = "equal"
    PREFIX = "prefix"
    ANY = "any"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """Which actions are like the one it was proposed from.

    `equal`: path -> commitment of its value. `at_most`: path -> the largest whole number. `named`: paths whose text is
    part of the name of a resource, which `resources` and `match` govern. `free`: paths that a person opened. `shown`
    is what people read of each path, without secrets. Money is the upper bound of one action, in micro-dollars; None
    where nothing of it may be known to apply.
    """

    operation: str
    service: str
    classes: frozenset[str]
    account: str
    region: str
    endpoint: str
    equal: Mapping[str, str]
    at_most: Mapping[str, int] = field(default_factory=dict)
    named: frozenset[str] = frozenset()
    free: frozenset[str] = frozenset()
    resources: tuple[str, ...] = ()
    match: Resources = Resources.EQUAL
    quantity_max: int = 1
    usd_micros_max: int | None = None
    usd_micros_per_hour_max: int | None = None
    payee: str | None = None
    currency: str = ""
    direction: str = ""
    amount_minor_max: int = 0
    whole: bool = False
    shown: Mapping[str, str] = field(default_factory=dict)
    key: str = ""

    @property
    def named_classes(self) -> frozenset[str]:
        """Those of its classes that a granter has to name."""
        return self.classes & {item.value for item in NAMED_CLASSES}


def proposed(action: Action, estimate: Estimate, counts: frozenset[str] = frozenset()) -> Pattern | None:
    """The pattern of what is like `action`: everything equal, the names of its resources apart, `counts` (paths that
    the codec knows to say how many or how much) at most as here. None where nothing can be like it: nobody can say
    what it does, its body is not bound, its cost is not known, it has more parameters than anybody reads, or one of
    its names looks like a secret."""
    try:
        return _proposed(action, estimate, counts)
    except (TooManyLeaves, Uncanonical):
        return None


def _proposed(action: Action, estimate: Estimate, counts: frozenset[str]) -> Pattern | None:
    if (
        action.undecodable
        or action.unbound
        or estimate.unknown(Unit.USD_MICROS)
        or len(action.resources) > RESOURCES_MAX
    ):
        return None
    found = leaves(action.parameters)
    payee = action.payment.payee if action.payment is not None else ""
    if any(scrubbed(text) != text for text in (*found, *action.resources, payee)):
        return None
    kept = leaves(redacted(action.parameters, action.sensitive), leaves_max=2 * LEAVES_MAX)
    whole = bool(action.parts)
    names = (
        frozenset() if whole else frozenset(path for path, value in found.items() if _names(value, action.resources))
    )
    at_most: dict[str, int] = {}
    for path in frozenset() if whole else counts:
        number = whole_number(found.get(path))
        if number is not None and number > 0:
            at_most[path] = number
    names -= at_most.keys()
    payment = action.payment
    return Pattern(
        operation=action.operation,
        service=action.service,
        classes=frozenset(item.value for item in action.classes),
        account=action.account,
        region=action.region,
        endpoint=action.endpoint,
        equal={
            path: commitment(path, value, action.run)
            for path, value in found.items()
            if path not in names and path not in at_most
        },
        at_most=at_most,
        named=names,
        resources=action.resources,
        quantity_max=action.quantity,
        usd_micros_max=estimate.high(Unit.USD_MICROS),
        usd_micros_per_hour_max=estimate.high(Unit.USD_MICROS_PER_HOUR),
        payee=None if payment is None else payment.payee,
        currency="" if payment is None else payment.currency,
        direction="" if payment is None else payment.direction,
        amount_minor_max=0 if payment is None else payment.amount_minor,
        whole=whole,
        shown={path: shown_value(kept.get(path), value) for path, value in found.items()},
        key=same_but(action, names | at_most.keys()),
    )


def whole_number(value: Value) -> int | None:
    """A whole number, also where a form carries it as text; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 18 and str(int(value)) == value:
        return int(value)
    return None


def _names(value: Value, resources: Sequence[str]) -> bool:
    """Whether a text is the last part of the name of a resource."""
    return isinstance(value, str) and len(value) >= 3 and any(_ends(resource, value) for resource in resources)


def _ends(resource: str, name: str) -> bool:
    return resource == name or resource.endswith((f":{name}", f"/{name}"))


def shown_value(kept: Value, value: Value) -> str:
    """A leaf's value for people, not long: `kept` is what a log may keep of it."""
    if kept is None and value is not None:
        return HIDDEN
    if isinstance(value, bytes | bytearray) or (kept != value and scrubbed(str(value)) != kept):
        return HIDDEN
    text = "true" if kept is True else "false" if kept is False else str(kept)
    return text if len(text) <= SHOWN_CHARACTERS_MAX else text[: SHOWN_CHARACTERS_MAX - 1] + "…"


def difference(pattern: Pattern, action: Action, estimate: Estimate) -> str:
    """Why `action` is not like the pattern, in words; empty where it is. Total: what cannot be compared differs."""
    try:
        return _place(pattern, action) or _members(pattern, action) or _worth(pattern, action, estimate)
    except (TooManyLeaves, Uncanonical, ValueError, TypeError) as error:
        return f"it cannot be compared ({error})"


def _place(pattern: Pattern, action: Action) -> str:
    for name in ("operation", "service", "account", "region", "endpoint"):
        if getattr(pattern, name) != getattr(action, name):
            return f"another {name}"
    if action.undecodable or action.unbound:
        return "nobody can say what it does"
    if not action.classes or not {item.value for item in action.classes} <= pattern.classes:
        return "it does more"
    if bool(action.parts) != pattern.whole or (pattern.whole and (pattern.at_most or pattern.named or pattern.free)):
        return "it brings about other things"
    return "a larger quantity" if not 0 <= action.quantity <= pattern.quantity_max else ""


def _members(pattern: Pattern, action: Action) -> str:
    found = leaves(action.parameters)
    for path in (*pattern.equal, *pattern.at_most):
        if path not in found:
            return f"no `{path}`"
    for path, value in found.items():
        if path in pattern.equal:
            if commitment(path, value, action.run) != pattern.equal[path]:
                return f"another `{path}`"
        elif path in pattern.at_most:
            number = whole_number(value)
            if number is None or not 0 < number <= pattern.at_most[path]:
                return f"`{path}` is more than {pattern.at_most[path]}"
        elif path in pattern.named:
            if not _names(value, action.resources):
                return f"`{path}` names nothing"
        elif path not in pattern.free:
            return f"`{path}` as well"
    return _resources(pattern, action)


def _resources(pattern: Pattern, action: Action) -> str:
    if bool(pattern.resources) != bool(action.resources) or len(action.resources) > max(len(pattern.resources), 1):
        return "other resources"
    for resource in action.resources:
        like = (
            resource in pattern.resources
            if pattern.match is Resources.EQUAL
            else any(resource.startswith(prefix) for prefix in pattern.resources)
            if pattern.match is Resources.PREFIX
            else True
        )
        if not like:
            return "another resource"
    return ""


def _worth(pattern: Pattern, action: Action, estimate: Estimate) -> str:
    payment = action.payment
    if (payment is None) != (pattern.payee is None):
        return "another payment"
    if payment is not None and (
        (payment.payee, payment.currency, payment.direction) != (pattern.payee, pattern.currency, pattern.direction)
        or payment.amount_minor > pattern.amount_minor_max
    ):
        return "another payment"
    for unit, most in (
        (Unit.USD_MICROS, pattern.usd_micros_max),
        (Unit.USD_MICROS_PER_HOUR, pattern.usd_micros_per_hour_max),
    ):
        if unit not in estimate.bounds:
            continue
        high = estimate.high(unit)
        if high is None or high > (most or 0):
            return "it costs more, or nobody knows what"
    return ""


# ---------------------------------------------------------------- what a person makes of it


def opened(
    pattern: Pattern,
    *,
    free: Sequence[str] = (),
    at_most: Mapping[str, int] | None = None,
    prefixes: Sequence[str] = (),
    any_resource: bool = False,
    usd_micros_max: int | None = None,
) -> Pattern:
    """The pattern as its granter wants it. Raises `UsageError` for what must not be opened.

    Wider than what was asked is a person's explicit word; classes that are dangerous in any form stay as they were.
    """
    closed = sorted(pattern.classes & {item.value for item in CLOSED_CLASSES})
    if pattern.whole and (free or at_most or prefixes or any_resource):
        raise UsageError("nothing of this action may differ: it brings about several things")
    if closed and (free or any_resource):
        raise UsageError(
            f"no parameter of this action may differ: it is of class {', '.join(closed)}",
            hint="answer each on its own, or as a batch",
        )
    known = set(pattern.shown)
    if unknown := sorted({*free, *(at_most or {})} - known):
        raise UsageError(f"the action has no parameter `{unknown[0]}`", hint=f"known: {', '.join(sorted(known)[:20])}")
    if secret := next((path for path in free if HIDDEN in pattern.shown[path]), ""):
        raise UsageError(f"`{secret}` holds something secret or binary: it stays as it was")
    limits = dict(pattern.at_most)
    for path, most in (at_most or {}).items():
        if path not in limits:
            raise UsageError(f"`{path}` is no count or amount that Comptroller knows", hint=f"--free {path} opens it")
        if most < 1:
            raise UsageError(f"`{path}` needs a limit of at least 1")
        limits[path] = most
    quantities = [-(-pattern.quantity_max * limits[path] // was) for path, was in pattern.at_most.items()]
    gone = set(free)
    changed = replace(
        pattern,
        equal={path: value for path, value in pattern.equal.items() if path not in gone},
        at_most={path: most for path, most in limits.items() if path not in gone},
        named=pattern.named - gone,
        free=pattern.free | gone,
        quantity_max=max(quantities, default=pattern.quantity_max),
        usd_micros_max=pattern.usd_micros_max if usd_micros_max is None else usd_micros_max,
    )
    if usd_micros_max is not None and pattern.usd_micros_per_hour_max and pattern.usd_micros_max:
        rate = pattern.usd_micros_per_hour_max * usd_micros_max // pattern.usd_micros_max
        changed = replace(changed, usd_micros_per_hour_max=rate)
    if any_resource:
        return replace(changed, match=Resources.ANY)
    if prefixes:
        return _with_prefixes(changed, prefixes)
    return changed


def _with_prefixes(pattern: Pattern, prefixes: Sequence[str]) -> Pattern:
    for prefix in prefixes:
        if len(prefix) < 3 or not any(resource.startswith(prefix) for resource in pattern.resources):
            raise UsageError(
                f"`{prefix[:80]}` is not how any resource of this action begins",
                hint=f"it names: {', '.join(pattern.resources[:5]) or 'none'}",
            )
    return replace(pattern, match=Resources.PREFIX, resources=tuple(prefixes))


def pattern_text(pattern: Pattern) -> str:
    """The pattern as a sentence without its count: everything that an action has to have, and what may differ."""
    where = f" in account {pattern.account}" if pattern.account else ""
    where += f", {pattern.region}" if pattern.region else ""
    parts = [f"{pattern.operation}{where}, at {pattern.endpoint}"]
    equal = [
        f"{path} = {pattern.shown.get(path, HIDDEN)}" for path in sorted(pattern.equal) if not _ours(pattern, path)
    ]
    if equal:
        more = len(equal) - SENTENCE_LEAVES_MAX
        parts.append(
            "with " + ", ".join(equal[:SENTENCE_LEAVES_MAX]) + (f" and {more} more as here" if more > 0 else "")
        )
    else:
        parts.append("with no other parameter")
    parts += [f"{path} at most {most}" for path, most in sorted(pattern.at_most.items())]
    parts += [f"any {path}" for path in sorted(pattern.free)]
    if pattern.payee is not None:
        amount = f"{pattern.amount_minor_max} minor units of {pattern.currency or 'an unstated currency'}"
        parts.append(f"paying {pattern.payee or 'an unnamed payee'} at most {amount}")
    if pattern.match is Resources.ANY:
        parts.append("on any resource")
    elif pattern.resources:
        how = "on resources that begin with " if pattern.match is Resources.PREFIX else "on "
        parts.append(how + ", ".join(pattern.resources[:5]) + (" …" if len(pattern.resources) > 5 else ""))
    return "; ".join(parts) + _price_text(pattern)


def _ours(pattern: Pattern, path: str) -> bool:
    """Tags that Comptroller writes are no news to anybody."""
    stem = path.removesuffix(".Value")
    return pattern.shown.get(f"{stem}.Key", pattern.shown.get(path, "")).startswith("comptroller:")


def _price_text(pattern: Pattern) -> str:
    told = []
    if pattern.usd_micros_per_hour_max:
        told.append(f"{usd_text(pattern.usd_micros_per_hour_max)} an hour")
    if pattern.usd_micros_max:
        told.append(f"{usd_text(pattern.usd_micros_max)}{' reserved' if told else ''}")
    return f"; each at most {', '.join(told)}" if told else "; without a charge of its own"


# ---------------------------------------------------------------- as JSON


def pattern_json(pattern: Pattern) -> dict[str, object]:
    """JSON values, for a document and for the question it was proposed with."""
    return {
        "v": PATTERN_VERSION,
        "operation": pattern.operation,
        "service": pattern.service,
        "classes": sorted(pattern.classes),
        "account": pattern.account,
        "region": pattern.region,
        "endpoint": pattern.endpoint,
        "equal": dict(pattern.equal),
        "at_most": dict(pattern.at_most),
        "named": sorted(pattern.named),
        "free": sorted(pattern.free),
        "resources": list(pattern.resources),
        "match": pattern.match.value,
        "quantity_max": pattern.quantity_max,
        "usd_micros_max": pattern.usd_micros_max,
        "usd_micros_per_hour_max": pattern.usd_micros_per_hour_max,
        "payee": pattern.payee,
        "currency": pattern.currency,
        "direction": pattern.direction,
        "amount_minor_max": pattern.amount_minor_max,
        "whole": pattern.whole,
        "shown": dict(pattern.shown),
        "key": pattern.key,
    }


def pattern_of(told: object) -> Pattern | None:
    """The pattern in what `pattern_json` made; None for anything else, which then covers nothing."""
    if not isinstance(told, Mapping) or told.get("v") != PATTERN_VERSION:
        return None
    members = {name: value for name, value in told.items() if name != "v"}
    try:
        return Pattern(
            **{
                **members,
                "classes": frozenset(told["classes"]),
                "named": frozenset(told["named"]),
                "free": frozenset(told["free"]),
                "resources": tuple(told["resources"]),
                "match": Resources(told["match"]),
            }
        )
    except (KeyError, TypeError, ValueError):
        return None
