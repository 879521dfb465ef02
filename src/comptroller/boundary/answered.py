"""Rules that follow from how people answered: what they always let go goes by itself, what they never do is denied.

Each is loaded beside the policies in force and put to the same actions again before anybody sees it.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Literal

from comptroller.boundary.context import LONG_MAX, SERVICE_OF_ANY_HOST
from comptroller.boundary.evaluate import CedarBoundary
from comptroller.boundary.load import ClassesOf
from comptroller.boundary.problem import PolicyError
from comptroller.boundary.rule import Rule
from comptroller.boundary.schema import NAMESPACE, literal
from comptroller.boundary.source import PolicyText
from comptroller.core.action import Action, ActionClass
from comptroller.core.estimate import Estimate, Unit
from comptroller.core.verdict import BoundaryResult, VerdictKind

YES_MIN = 5
NO_MIN = 3
LESSONS_MAX = 20
PLACES_MAX = 5
BOUNDED = frozenset({ActionClass.READ, ActionClass.WRITE, ActionClass.INFER, ActionClass.PROVISION, ActionClass.PAY})
"""Classes whose actions a rule can bound by place, number and price. What others do lies in what nobody should guess:
they are never suggested to go by themselves."""
FILE_OF_NO = "answered.cedar"

_WORD = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """One question with its answer, and the rules that asked it."""

    action: Action
    estimate: Estimate
    rules: tuple[str, ...]
    yes: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """One file as it would be edited. `questions` would not have been asked, over `usd_micros` in all; with `deny` they
    would have been denied, else they would have gone."""

    kind: Literal["allow", "deny"]
    file: str
    text: str
    cedar: str
    agent: str
    operation: str
    rule: str
    questions: int
    usd_micros: int


def lessons(
    boundary: CedarBoundary, texts: Sequence[PolicyText], answered: Iterable[Answered], *, classes_of: ClassesOf
) -> tuple[Lesson, ...]:
    """What to edit in `texts`, which `boundary` was loaded from, so that the same questions are not asked again."""
    groups: dict[tuple[str, str, str, tuple[str, ...]], list[Answered]] = defaultdict(list)
    for item in answered:
        if not item.action.parts:
            groups[item.action.agent, item.action.service, item.action.operation, item.rules].append(item)
    rules = {rule.id: rule for rule in boundary.rules if not rule.shadow}
    found: list[Lesson] = []
    for group in sorted(groups.values(), key=len, reverse=True):
        answers = {item.yes for item in group}
        if len(answers) > 1 or len(_places(group)) > PLACES_MAX or len(found) >= LESSONS_MAX:
            continue
        (yes,) = answers
        if yes and len(group) >= YES_MIN:
            made = _let_go(rules, texts, group)
        elif not yes and len(group) >= NO_MIN:
            made = _forbid(rules, texts, group)
        else:
            continue
        if made is not None and _holds(boundary, texts, made, group, classes_of):
            found.append(made)
    return tuple(found)


def _let_go(rules: Mapping[str, Rule], texts: Sequence[PolicyText], group: Sequence[Answered]) -> Lesson | None:
    """The asking rule with a further `unless`: this agent, operation and place, up to what people let go."""
    first = group[0]
    asking = rules.get(first.rules[0]) if len(first.rules) == 1 else None
    if asking is None or asking.obligation is None or not all(item.action.classes <= BOUNDED for item in group):
        return None
    conditions = _bounds(group)
    if conditions is None:
        return None
    clause = "unless {\n  " + " &&\n  ".join([*_about(group), *conditions]) + "\n}"
    source = next((text for text in texts if text.file == asking.statement.file), None)
    if source is None or source.text.count(asking.statement.text) != 1:
        return None
    rule = f"{asking.statement.text[:-1].rstrip()}\n{clause};"
    text = source.text.replace(asking.statement.text, rule)
    return _lesson("allow", source.file, text, rule, group, asking.id)


def _forbid(rules: Mapping[str, Rule], texts: Sequence[PolicyText], group: Sequence[Answered]) -> Lesson | None:
    """A final `forbid` for this agent, operation and place."""
    first = group[0]
    names = sorted(item.value for item in frozenset.intersection(*(item.action.classes for item in group)))
    if not names:
        return None
    conditions = " &&\n  ".join(_about(group)[1:])
    said = hashlib.sha256((first.action.agent + conditions).encode("utf-8", "replace")).hexdigest()
    about = _WORD.sub("-", first.action.operation.rpartition(":")[2].lower()).strip("-") or "operation"
    name = next(one for n in range(6, 64) if (one := f"never-{about[:40]}-{said[:n]}") not in rules)
    actions = ", ".join(f"{NAMESPACE}::Action::{literal(each)}" for each in names)
    rule = (
        f'@id("{name}")\n@reason("people said no to this each time they were asked")\nforbid (\n'
        f"  principal == {NAMESPACE}::Agent::{literal(first.action.agent)},\n"
        f"  action in [{actions}],\n  resource == {NAMESPACE}::Service::{literal(first.action.service)}\n)\n"
        f"when {{\n  {conditions}\n}};\n"
    )
    known = next((text for text in texts if PurePath(text.file).name == FILE_OF_NO), None)
    file = known.file if known else str(PurePath(texts[0].file).parent / FILE_OF_NO) if texts else FILE_OF_NO
    return _lesson("deny", file, f"{known.text.rstrip()}\n\n{rule}" if known else rule, rule, group, name)


def _lesson(
    kind: Literal["allow", "deny"], file: str, text: str, cedar: str, group: Sequence[Answered], rule: str
) -> Lesson:
    return Lesson(
        kind=kind,
        file=PurePath(file).name,
        text=text,
        cedar=cedar,
        agent=group[0].action.agent,
        operation=group[0].action.operation,
        rule=rule,
        questions=len(group),
        usd_micros=sum(item.estimate.high(Unit.USD_MICROS) or 0 for item in group),
    )


def _places(group: Sequence[Answered]) -> set[tuple[str, str, str]]:
    return {(item.action.account, item.action.region, item.action.host) for item in group}


def _about(group: Sequence[Answered]) -> list[str]:
    """Who, what and where; the places as they were, and no combination of them."""
    action = group[0].action
    any_host = action.service == SERVICE_OF_ANY_HOST
    each = [
        f"context.account == {literal(account)} && context.region == {literal(region)}"
        + (f" && context.host == {literal(host.lower().rstrip('.'))}" if any_host else "")
        for account, region, host in sorted(_places(group))
    ]
    each = list(dict.fromkeys(each))
    return [
        f"principal == {NAMESPACE}::Agent::{literal(action.agent)}",
        f"context.operation == {literal(action.operation)}",
        f"resource == {NAMESPACE}::Service::{literal(action.service)}",
        each[0] if len(each) == 1 else "(" + " || ".join(f"({one})" for one in each) + ")",
    ]


def _bounds(group: Sequence[Answered]) -> list[str] | None:
    """At most as many, as dear and to the same payees as people let go; None where that cannot be said."""
    lines = [f"context.quantity <= {min(max(item.action.quantity for item in group), LONG_MAX)}"]
    for attribute, unit in (
        ("usd_micros_high", Unit.USD_MICROS),
        ("usd_micros_per_hour_high", Unit.USD_MICROS_PER_HOUR),
    ):
        if not any(unit in item.estimate.bounds for item in group):
            lines.append(f"!(context has {attribute})")
            continue
        highs = [item.estimate.high(unit) for item in group]
        known = [high for high in highs if high is not None]
        if len(known) != len(highs):
            return None
        lines.append(f"context has {attribute} && context.{attribute} <= {min(max(known), LONG_MAX)}")
    lines.append("!context.price_unknown")
    payments = [item.action.payment for item in group]
    paid = [payment for payment in payments if payment is not None]
    if not paid:
        return lines
    currencies, payees = {payment.currency for payment in paid}, {payment.payee for payment in paid}
    if len(paid) != len(payments) or len(currencies) != 1 or len(payees) > PLACES_MAX:
        return None
    lines += [
        "context has amount_minor && context has currency && context has payee",
        f"context.amount_minor <= {min(max(payment.amount_minor for payment in paid), LONG_MAX)}",
        f"context.currency == {literal(currencies.pop())}",
        f"[{', '.join(literal(payee) for payee in sorted(payees))}].contains(context.payee)",
    ]
    return lines


def _holds(
    boundary: CedarBoundary,
    texts: Sequence[PolicyText],
    lesson: Lesson,
    group: Sequence[Answered],
    classes_of: ClassesOf,
) -> bool:
    """Whether it does what it is for: every question that is asked today would not be asked with it."""
    kept = [text for text in texts if PurePath(text.file).name != lesson.file]
    try:
        edited = [*kept, PolicyText(file=lesson.file, text=lesson.text)]
        tried = CedarBoundary.load(edited, boundary.agents, classes_of=classes_of)
    except PolicyError:
        return False
    wanted = VerdictKind.ALLOW if lesson.kind == "allow" else VerdictKind.DENY

    def meets(rules: CedarBoundary, item: Answered) -> BoundaryResult:
        return rules.evaluate(item.action, item.estimate)

    asked = [item for item in group if meets(boundary, item).kind is VerdictKind.REQUIRE_APPROVAL]
    return bool(asked) and all(meets(tried, item).kind is wanted for item in asked)
