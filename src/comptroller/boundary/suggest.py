"""The smallest policies that would have let go, or have asked about, what was denied; refused where none could.

Every suggestion is loaded beside the policies in force and put to the same actions again before anybody sees it.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from comptroller.boundary.context import LONG_MAX, SERVICE_OF_ANY_HOST
from comptroller.boundary.evaluate import PARTS_DEPTH_MAX, CedarBoundary, Decided
from comptroller.boundary.explain import advice
from comptroller.boundary.load import ClassesOf
from comptroller.boundary.problem import PolicyError
from comptroller.boundary.schema import NAMESPACE, literal
from comptroller.boundary.source import PolicyText
from comptroller.core.action import Action, ActionClass
from comptroller.core.estimate import Estimate
from comptroller.core.verdict import APPROVERS_DEFAULT, BoundaryResult, VerdictKind

DENIED_MAX = 5000
"""More denied actions than this are not looked at in one go."""
GROUPS_MAX = 200
PLACES_MAX = 20
"""A rule that would have to list more places than this is refused: it would no longer be read."""
COUNT_SHOWN = 3
HARMLESS = frozenset({ActionClass.READ, ActionClass.WRITE, ActionClass.INFER})
"""Classes that are suggested without a question; any other is asked about."""
BOUNDED = frozenset({ActionClass.PROVISION, ActionClass.PAY})
"""Classes whose rules also say how many, or how much to whom: each place has its own."""
OF_POLICIES = frozenset({"", "no_permit", "forbidden", "policy_error", "unknown_agent", "undecodable"})
"""Codes of recorded reasons that policies answer for. A budget, a brake or a person's no is nobody's policy."""
FILE = "suggested.cedar"

_WORD = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Denied:
    """One action that was denied. `codes` and `text` are the reasons recorded with it, where there are any."""

    action: Action
    estimate: Estimate
    codes: tuple[str, ...] = ()
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """Policies for one group. `asks` where people are asked; `verdicts` what the same actions meet with it."""

    cedar: str
    agent: str
    service: str
    operations: tuple[str, ...]
    classes: tuple[str, ...]
    count: int
    asks: bool
    verdicts: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A group for which nothing is suggested, why, and what a person could write elsewhere instead."""

    agent: str
    service: str
    operations: tuple[str, ...]
    count: int
    reason: str
    instead: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestions:
    """All that came out of one look. `settled` counts actions that the policies in force would not deny any more."""

    suggested: tuple[Suggestion, ...] = ()
    refused: tuple[Refusal, ...] = ()
    settled: int = 0

    @property
    def cedar(self) -> str:
        """One file of policies."""
        return "\n".join(item.cedar for item in self.suggested)


@dataclass(frozen=True, slots=True, order=True, kw_only=True)
class _Place:
    """Where an action went: what narrows a rule about it."""

    account: str
    region: str
    host: str


@dataclass(slots=True)
class _Group:
    """Denied actions that one rule speaks about: one agent, service and set of classes without a permit."""

    agent: str
    service: str
    classes: frozenset[ActionClass]
    denied: list[Denied] = field(default_factory=list)

    @property
    def operations(self) -> tuple[str, ...]:
        return tuple(sorted({item.action.operation for item in self.denied}))

    @property
    def asks(self) -> bool:
        return not self.classes <= HARMLESS


def suggest(
    boundary: CedarBoundary,
    texts: Sequence[PolicyText],
    denied: Iterable[Denied],
    *,
    classes_of: ClassesOf,
) -> Suggestions:
    """What to add to `texts`, which `boundary` was loaded from, so that no action in `denied` is denied any more.

    Pure and total. A rule names the agent, the service, the operations and the places that were seen, and no others.
    """
    groups: dict[tuple[object, ...], _Group] = {}
    refusals: dict[tuple[object, ...], list[Denied]] = {}
    settled = 0
    for item in islice(_spread(boundary, denied), DENIED_MAX):
        decided = boundary.decide(item.action, item.estimate)
        reason = _refused(item, decided)
        if reason is not None:
            instead = _instead(boundary, item, decided)
            key = (item.action.agent, item.action.service, reason, instead)
            refusals.setdefault(key, []).append(item)
        elif decided.result.kind is not VerdictKind.DENY:
            settled += boundary.evaluate(item.action, item.estimate).kind is not VerdictKind.DENY
        else:
            # its parts are items of their own: a rule is about it alone
            alone = replace(item, action=replace(item.action, parts=()))
            missing = _missing(decided, item.action)
            for classes in (missing & HARMLESS, missing - HARMLESS):
                if classes:
                    _add(groups, alone, frozenset(classes))
    refused = [_refusal(key, items) for key, items in refusals.items()]
    suggested: list[Suggestion] = []
    for group in _merged(groups.values()):
        if len(suggested) >= GROUPS_MAX:
            refused.append(_said(group, f"more than {GROUPS_MAX} rules would be needed: look at these first"))
            continue
        found = _verified(boundary, texts, group, groups.values(), classes_of)
        if isinstance(found, Suggestion):
            suggested.append(found)
        else:
            refused.append(found)
    problem = _together(boundary, texts, suggested, classes_of)
    if problem:
        refused += [
            Refusal(agent=one.agent, service=one.service, operations=one.operations, count=one.count, reason=problem)
            for one in suggested
        ]
        suggested = []
    return Suggestions(suggested=tuple(suggested), refused=tuple(refused), settled=settled)


def _spread(boundary: CedarBoundary, denied: Iterable[Denied], depth: int = 0) -> Iterator[Denied]:
    """Every denied action, and behind it those of its parts that are denied as well: each needs a rule of its own."""
    for item in denied:
        yield item
        parts = item.action.parts if depth <= PARTS_DEPTH_MAX else ()
        own = (replace(part, agent=item.action.agent, run=item.action.run) for part in parts)
        refused = (
            replace(item, action=part)
            for part in own
            if boundary.evaluate(part, item.estimate).kind is VerdictKind.DENY
        )
        yield from _spread(boundary, refused, depth + 1)


def _together(
    boundary: CedarBoundary, texts: Sequence[PolicyText], suggested: Sequence[Suggestion], classes_of: ClassesOf
) -> str:
    """What is wrong with all suggestions in one file; empty where nothing is."""
    whole = PolicyText(file=FILE, text="\n".join(item.cedar for item in suggested))
    try:
        CedarBoundary.load([*texts, whole], boundary.agents, classes_of=classes_of)
    except PolicyError as error:
        return f"the policies would not load with all of them: {error.problems[0].message}"
    return ""


def _refused(item: Denied, decided: Decided) -> str | None:
    """Why no policy would let this go; None where one could."""
    foreign = sorted(set(item.codes) - OF_POLICIES)
    if foreign:
        return f"it is not the policies that denied this ({foreign[0]}): {item.text}"
    result = decided.result
    if ActionClass.UNKNOWN in item.action.classes:
        return f"nobody can say what it would do: {item.action.reason or 'it could not be decoded'}"
    if result.kind is not VerdictKind.DENY:
        return None
    codes = {reason.code for reason in result.reasons}
    if "forbidden" in codes:
        rules = ", ".join(f"`{name}`" for name in result.rules)
        return f"a forbid always wins, and {rules} forbids it: {result.reasons[0].text}"
    return None if codes == {"no_permit"} else "; ".join(reason.text for reason in result.reasons)


def _instead(boundary: CedarBoundary, item: Denied, decided: Decided) -> tuple[str, ...]:
    """What a person could change outside the suggested policies."""
    if ActionClass.UNKNOWN in item.action.classes:
        if "no described operation" in item.action.reason:
            return ("describe the operation in its file below services/",)
        generic = item.action.service == SERVICE_OF_ANY_HOST
        return ("describe what the API does: comptroller service add",) if generic else ()
    return advice(boundary, item.action, decided.result)


def _missing(decided: Decided, action: Action) -> frozenset[ActionClass]:
    """The classes of an action that no permit which speaks of it covers."""
    cut = decided.slice
    last = decided.answers[-1] if decided.answers else None
    if cut is None or last is None:
        return action.classes
    covered: frozenset[str] = frozenset()
    if last.kind == "allow":
        covered = covered.union(*(cut.rules[name].covers(cut.action, cut.classes) for name in last.reasons))
    return frozenset(ActionClass(name) for name in cut.classes - covered)


def _add(groups: dict[tuple[object, ...], _Group], item: Denied, classes: frozenset[ActionClass]) -> None:
    action = item.action
    payee = (action.payment.currency, action.payment.payee) if action.payment is not None else ()
    apart = (_place(item), payee) if classes & BOUNDED else ()
    key = (action.agent, action.service, action.operation, classes, apart)
    group = groups.setdefault(key, _Group(agent=action.agent, service=action.service, classes=classes))
    group.denied.append(item)


def _merged(groups: Iterable[_Group]) -> list[_Group]:
    """Operations of one service that were denied in exactly the same places, with the same bounds, share a rule."""
    found: dict[tuple[object, ...], _Group] = {}
    for group in groups:
        key = (group.agent, group.service, group.classes, _places(group), _bounds(group))
        together = found.setdefault(key, _Group(agent=group.agent, service=group.service, classes=group.classes))
        together.denied += group.denied
    return sorted(found.values(), key=lambda one: (one.agent, one.service, one.operations, sorted(one.classes)))


def _places(group: _Group) -> tuple[_Place, ...]:
    return tuple(sorted({_place(item) for item in group.denied}))


def _place(item: Denied) -> _Place:
    action = item.action
    host = action.host.lower().rstrip(".") if action.service == SERVICE_OF_ANY_HOST else ""
    return _Place(account=action.account, region=action.region, host=host)


def _bounds(group: _Group) -> tuple[str, ...]:
    """How many, and for money how much to whom: at most what was denied."""
    lines: list[str] = []
    if ActionClass.PROVISION in group.classes:
        most = max(item.action.quantity for item in group.denied)
        lines.append(f"context.quantity <= {min(most, LONG_MAX)}")
    if ActionClass.PAY in group.classes:
        payments = [item.action.payment for item in group.denied]
        known = [payment for payment in payments if payment is not None]
        if known and len(known) == len(payments):
            currencies = sorted({payment.currency for payment in known})
            payees = sorted({payment.payee for payment in known})
            most = max(payment.amount_minor for payment in known)
            lines.append("context has amount_minor && context has currency && context has payee")
            lines.append(f"context.amount_minor <= {min(most, LONG_MAX)}")
            lines.append(_one_of("context.currency", currencies))
            lines.append(_one_of("context.payee", payees))
    return tuple(lines)


# ---------------------------------------------------------------- writing


def _one_of(attribute: str, values: Sequence[str]) -> str:
    if len(values) == 1:
        return f"{attribute} == {literal(values[0])}"
    return f"[{', '.join(literal(value) for value in values)}].contains({attribute})"


def _where(places: Sequence[_Place]) -> str:
    """A condition that holds in exactly these places."""
    sets = {name: sorted({getattr(place, name) for place in places}) for name in ("account", "region", "host")}
    if len(places) == _product(sets.values()):
        return " && ".join(_one_of(f"context.{name}", values) for name, values in sets.items() if values != [""])
    each = []
    for place in places:
        parts = [f"context.{name} == {literal(getattr(place, name))}" for name in sets if sets[name] != [""]]
        each.append("(" + " && ".join(parts) + ")")
    return "(" + " || ".join(each) + ")"


def _product(sets: Iterable[Sequence[str]]) -> int:
    count = 1
    for values in sets:
        count *= len(values)
    return count


def _conditions(group: _Group) -> str:
    lines = [_one_of("context.operation", group.operations), _where(_places(group)), *_bounds(group)]
    return " &&\n  ".join(line for line in lines if line)


def _scope(group: _Group) -> str:
    names = sorted(item.value for item in group.classes)
    actions = ", ".join(f"{NAMESPACE}::Action::{literal(name)}" for name in names)
    return (
        f"  principal == {NAMESPACE}::Agent::{literal(group.agent)},\n"
        f"  action in {actions if len(names) == 1 else f'[{actions}]'},\n"
        f"  resource == {NAMESPACE}::Service::{literal(group.service)}\n"
    )


def _name(group: _Group, taken: frozenset[str]) -> str:
    """An id that no rule has: what it is about, and a few digits of what it says."""
    about = _WORD.sub("-", group.operations[0].rpartition(":")[2].lower()).strip("-") or "operation"
    said = hashlib.sha256((_scope(group) + _conditions(group)).encode("utf-8", "replace")).hexdigest()
    name = f"{_WORD.sub('-', group.service.lower()).strip('-')}-{about}"[:44].rstrip("-") or "suggested"
    length = 6
    while f"{name}-{said[:length]}" in taken or f"{name}-{said[:length]}-ask" in taken:
        length += 1
    return f"{name}-{said[:length]}"


def _comment(group: _Group, asks: bool) -> str:
    """In plain words; line ends and whatever else an agent may have written stand in literals, escaped."""
    operations = ", ".join(literal(name)[1:-1] for name in group.operations[:COUNT_SHOWN])
    more = len(group.operations) - COUNT_SHOWN
    names = " and ".join(sorted(item.value for item in group.classes))
    count, agent = len(group.denied), literal(group.agent)[1:-1]
    lines = [
        f"// {count} action{'s' * (count != 1)} of `{agent}` denied: no rule permits `{names}` there.",
        f"// {operations}{f' and {more} more' if more > 0 else ''}.",
        "// People are asked each time." if asks else "// It goes by itself, within the budget.",
    ]
    return "\n".join(lines)


def _permit(group: _Group, name: str, asks: bool) -> str:
    return f'{_comment(group, asks)}\n@id("{name}")\npermit (\n{_scope(group)})\nwhen {{\n  {_conditions(group)}\n}};\n'


def _ask(group: _Group, name: str, approvers: str) -> str:
    names = ", ".join(sorted(item.value for item in group.classes))
    return (
        f'\n@id("{name}-ask")\n@outcome("approval")\n@approvers("Group::{approvers}")\n@exclude("agent")\n@ttl("30m")\n'
        f'@reason("this is of class {names}")\nforbid (\n{_scope(group)})\nwhen {{\n  {_conditions(group)}\n}}\n'
        f'unless {{ context.grants.contains("{name}-ask") }};\n'
    )


# ---------------------------------------------------------------- proving


def _verified(
    boundary: CedarBoundary,
    texts: Sequence[PolicyText],
    group: _Group,
    groups: Iterable[_Group],
    classes_of: ClassesOf,
) -> Suggestion | Refusal:
    """The group's policies where they do what they are for; the other classes of its actions are permitted beside."""
    if len(_places(group)) > PLACES_MAX:
        return _said(group, f"it was denied in more than {PLACES_MAX} places: a rule for all of them needs a person")
    taken = frozenset(rule.id for rule in boundary.rules)
    name = _name(group, taken)
    beside = _others(group, groups, taken)
    for asks in (False, True) if group.asks else (False,):
        cedar = _permit(group, name, asks or group.asks)
        cedar += _ask(group, name, _approvers(boundary)) if asks else ""
        extra = PolicyText(file=FILE, text=cedar + beside)
        try:
            tried = CedarBoundary.load([*texts, extra], boundary.agents, classes_of=classes_of)
        except PolicyError as error:
            return _said(group, f"the policies would not load with it: {error.problems[0].message}")
        results = [tried.evaluate(item.action, item.estimate) for item in group.denied]
        wrong = next((result for result in results if result.kind is VerdictKind.DENY), None)
        if wrong is not None:
            return _said(group, f"it would be denied even so: {wrong.reasons[0].text}")
        if not group.asks or all(_asked(result) for result in results):
            return _made(group, cedar, results)
    return _said(group, "no rule could be written that asks people first")


def _asked(result: BoundaryResult) -> bool:
    return result.kind is VerdictKind.REQUIRE_APPROVAL


def _others(group: _Group, groups: Iterable[_Group], taken: frozenset[str]) -> str:
    """Permits for the other missing classes of the same actions: each group is proven as a part of the whole."""
    own = {id(item) for item in group.denied}
    found = [
        _permit(other, f"{_name(other, taken)}-x", False)
        for other in groups
        if other.classes != group.classes and any(id(item) in own for item in other.denied)
    ]
    return "\n".join(found)


def _approvers(boundary: CedarBoundary) -> str:
    """The group that the policies in force ask most often."""
    asked = Counter(rule.obligation.approvers for rule in boundary.rules if rule.obligation is not None)
    return max(sorted(asked), key=asked.__getitem__, default=APPROVERS_DEFAULT)


def _made(group: _Group, cedar: str, results: Sequence[BoundaryResult]) -> Suggestion:
    return Suggestion(
        cedar=cedar,
        agent=group.agent,
        service=group.service,
        operations=group.operations,
        classes=tuple(sorted(item.value for item in group.classes)),
        count=len(group.denied),
        asks=group.asks,
        verdicts=dict(Counter(result.kind.value for result in results)),
    )


def _said(group: _Group, reason: str) -> Refusal:
    return Refusal(
        agent=group.agent,
        service=group.service,
        operations=group.operations,
        count=len(group.denied),
        reason=reason,
    )


def _refusal(key: tuple[object, ...], items: Sequence[Denied]) -> Refusal:
    agent, service, reason, instead = key
    return Refusal(
        agent=str(agent),
        service=str(service),
        operations=tuple(sorted({item.action.operation for item in items})),
        count=len(items),
        reason=str(reason),
        instead=instead if isinstance(instead, tuple) else (),
    )
