"""Policy files to rules: parsed, validated against the schema, and refused as a whole when one mistake is in them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import cedarpy
from cedarpy import pst

from comptroller.boundary.condition import granted_names, is_dead, mentions_action, named_actions, reads_grant
from comptroller.boundary.problem import Problem, nearest
from comptroller.boundary.rule import Rule, action_ids, id_problem, is_shadow, obligation_of
from comptroller.boundary.schema import (
    AGENT_ATTRIBUTES,
    CLASS_NAMES,
    CONTEXT_ATTRIBUTES,
    ENTITY_TYPES,
    NAMESPACE,
    SYNTHETIC_PREFIX,
    schema_text,
    validation_actions,
)
from comptroller.boundary.source import Place, PolicyText, Statement, statements
from comptroller.core.action import ActionClass

RULES_MAX = 50_000
SHADOW_RULES_MAX = 32
"""Each is tried by itself, on every action that it concerns."""
PROBLEMS_MAX = 100
VALIDATED_AT_ONCE_MAX = 200

ClassesOf = Callable[[str], frozenset[ActionClass] | None]
Near = Callable[[str], Iterable[str]]

_POSITION = re.compile(r"policy(\d+)")
_TICKED = re.compile(r"`([^`]*)`")
_QUOTED = re.compile(r'"([^"]*)"')
_PER_ACTION = re.compile(r" (?:in context )?for Comptroller::Action::\"[^\"]*\"")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedPolicies:
    """Rules that passed every check, the operations they name with their classes, and what is odd but no mistake."""

    rules: tuple[Rule, ...]
    named: Mapping[str, frozenset[ActionClass]]
    policy_hash: str
    warnings: tuple[Problem, ...] = ()


@dataclass(slots=True)
class _Reading:
    """What has been found so far. Mistakes are collected, so that all of them are told at once."""

    classes_of: ClassesOf
    near: Near
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)
    named: dict[str, frozenset[ActionClass]] = field(default_factory=dict)


def read_policies(
    sources: Sequence[PolicyText], *, classes_of: ClassesOf, near: Near, groups: Mapping[str, int] | None = None
) -> tuple[LoadedPolicies, tuple[Problem, ...]]:
    """Read policy files. With any problem in the second value the first must not be used. Never raises.

    `classes_of` tells the classes of an operation, None where nobody knows it; `near` lists known operations of a
    similar name and is asked only to suggest what a mistyped one was meant to be. `groups` tells how many
    people are in each group (None: not known here): a rule that asks more than there are is warned about.
    """
    reading = _Reading(classes_of=classes_of, near=near)
    for source in sources:
        _read_file(reading, source)
    _check_ids(reading)
    _check_grants(reading)
    _check_shadows(reading)
    _validate(reading)
    if groups is not None:
        _check_groups(reading, groups)
    order = {source.file: position for position, source in enumerate(sources)}
    problems = sorted(reading.problems, key=lambda problem: (order[problem.file], problem.line))
    loaded = LoadedPolicies(
        rules=tuple(reading.rules),
        named=dict(reading.named),
        policy_hash=_policy_hash(reading),
        warnings=tuple(reading.warnings),
    )
    return loaded, tuple(problems[:PROBLEMS_MAX])


def _read_file(reading: _Reading, source: PolicyText) -> None:
    """Every policy of a file; none may get lost between our cutting and Cedar's own."""
    known = len(reading.problems)
    count = 0
    for item in statements(source):
        if isinstance(item, Problem):
            reading.problems.append(item)
        elif len(reading.rules) >= RULES_MAX:
            _problem(reading, item, Place(item.line), f"more than {RULES_MAX} policies", "fewer policies")
            return
        else:
            count += 1
            _read(reading, item)
    if len(reading.problems) > known:
        return
    try:
        whole = len(cedarpy.PolicySet.from_str(source.text))
    except ValueError as error:
        reading.problems.append(Problem(file=source.file, line=1, message=f"these are no Cedar policies: {error}"))
        return
    if whole != count:
        message = f"Cedar reads {whole} policies here, and {count} were told apart"
        reading.problems.append(Problem(file=source.file, line=1, message=message, write="one policy after another"))


def _problem(reading: _Reading, statement: Statement, place: Place, message: str, write: str) -> None:
    reading.problems.append(Problem(file=statement.file, message=message, write=write, **place._asdict()))


def _read(reading: _Reading, statement: Statement) -> None:
    """One policy: parse it by itself, read its annotations, check what the schema cannot."""

    def complain(word: str, message: str, write: str) -> None:
        _problem(reading, statement, statement.place_of(word), message, write)

    try:
        tree = cedarpy.policies_to_pst(statement.text)
    except ValueError as error:
        word = next(iter(_TICKED.findall(str(error))), "")
        hint = "`permit` or `forbid`" if "policy effect" in str(error) else "a policy as Cedar's grammar has it"
        complain(word, f"this is no Cedar policy: {error}", hint)
        return
    if tree.templates or len(tree.static_policies) != 1:
        complain("principal", "templates (`?principal`, `?resource`) are never linked", "one policy per principal")
        return
    template = next(iter(tree.static_policies.values()))
    wrong_id = id_problem(statement, template.annotations)
    if wrong_id is not None:
        reading.problems.append(wrong_id)
        return
    name = template.annotations["id"]
    obligation = obligation_of(name, template.annotations, template.effect, complain)
    if obligation is not None and not reads_grant(template, name):
        complain(
            "forbid",
            f"nothing lifts `{name}`: an approval needs a grant of its own name",
            f'`unless {{ context.grants.contains("{name}") }};` at its end',
        )
    if template.effect == "permit" and mentions_action(template):
        complain(
            "when", "a permit names its actions in its scope, not in a condition", "`action in [...]` in the scope"
        )
    if is_dead(template):
        reading.warnings.append(
            Problem(
                file=statement.file,
                line=statement.line,
                message=f"`{name}` can never apply: its condition is never met",
                write="a condition that can be met, or delete the policy",
            )
        )
    reading.rules.append(
        Rule(
            id=name,
            statement=statement,
            effect=template.effect,
            actions=action_ids(template),
            template=replace(template, id=name),
            reason=template.annotations.get("reason", ""),
            obligation=obligation,
            shadow=is_shadow(template.annotations, complain),
        )
    )
    _read_actions(reading, template, complain)


def _read_actions(reading: _Reading, template: Any, complain: Callable[[str, str, str], None]) -> None:
    """Find out the classes of every operation that a policy names; nobody may name one that does not exist."""
    if isinstance(template.action, pst.ActionEq) and template.action.entity.id in CLASS_NAMES:
        name = template.action.entity.id
        complain(name, f"`{name}` is a class: no action equals it", f'`action in {NAMESPACE}::Action::"{name}"`')
    for operation in sorted(named_actions(template)):
        if operation in CLASS_NAMES or operation in reading.named:
            continue
        classes = None if operation.startswith(SYNTHETIC_PREFIX) else _classes(reading, operation)
        if classes:
            reading.named[operation] = classes
            continue
        known = nearest(operation, [*CLASS_NAMES, *reading.named, *_near(reading, operation)])
        complain(
            operation,
            f"nobody knows an operation `{operation}`",
            f'`{NAMESPACE}::Action::"{known}"`' if known else "an operation as `comptroller tail` shows it, or a class",
        )


def _classes(reading: _Reading, operation: str) -> frozenset[ActionClass] | None:
    try:
        return reading.classes_of(operation)
    except Exception:  # noqa: BLE001 - whatever goes wrong in a look-up, the operation is not known
        return None


def _near(reading: _Reading, operation: str) -> tuple[str, ...]:
    try:
        return tuple(reading.near(operation))
    except Exception:  # noqa: BLE001 - a suggestion is a comfort; the mistake is told without it
        return ()


def _check_ids(reading: _Reading) -> None:
    first: dict[str, Statement] = {}
    for rule in reading.rules:
        earlier = first.setdefault(rule.id, rule.statement)
        if earlier is not rule.statement:
            _problem(
                reading,
                rule.statement,
                rule.statement.place_of("id"),
                f"the id `{rule.id}` is taken by {earlier.file}:{earlier.line}",
                f'`@id("{rule.id}-2")`, or delete one of the two',
            )


def _check_grants(reading: _Reading) -> None:
    """A rule that waits for a grant nobody can give is a mistake in its name. A shadow rule is granted nothing."""
    asking = [rule.id for rule in reading.rules if rule.obligation is not None]
    in_force = [rule.id for rule in reading.rules if rule.obligation is not None and not rule.shadow]
    for rule in reading.rules:
        givers = asking if rule.shadow else in_force
        for name in granted_names(rule.template):
            if name in givers:
                continue
            place = rule.statement.place_of(name)
            if name in asking:
                message = f"`{name}` is in shadow mode, so nobody can grant it"
                _problem(reading, rule.statement, place, message, "the id of a rule in force, or no @mode there")
            else:
                known = nearest(name, givers)
                _problem(
                    reading,
                    rule.statement,
                    place,
                    f'no rule with `@outcome("approval")` is called `{name}`, so nobody can grant it',
                    f'`context.grants.contains("{known}")`' if known else "the id of a rule that asks people",
                )


def _check_shadows(reading: _Reading) -> None:
    for rule in [rule for rule in reading.rules if rule.shadow][SHADOW_RULES_MAX:]:
        place = rule.statement.place_of("mode")
        message = f"more than {SHADOW_RULES_MAX} shadow rules: every action would be judged as often"
        _problem(reading, rule.statement, place, message, "fewer shadow rules, or `comptroller policy what-if`")


def _check_groups(reading: _Reading, groups: Mapping[str, int]) -> None:
    """Warn about questions that too few people could answer: what they hold stays held."""
    for rule in reading.rules:
        asked = rule.obligation
        if asked is None:
            continue
        word = "stages" if asked.stages else "approvers"
        wanted = [(word, stage.group, stage.quorum) for stage in asked.asked]
        for word, group, people in (*wanted, *(("escalate", late.group, 1) for late in asked.escalations)):
            count = groups.get(group, 0)
            if count >= people:
                continue
            known = nearest(group, [name for name in groups if groups[name] >= people])
            reading.warnings.append(
                Problem(
                    file=rule.statement.file,
                    **rule.statement.place_of(word)._asdict(),
                    message=f"`{rule.id}` wants {people} of group `{group}`, which has {count}",
                    write=_group_to_write(word, known, group),
                )
            )


def _group_to_write(word: str, known: str | None, group: str) -> str:
    if not known:
        return f"people.NAME.groups: [{group}]"
    return f'`@approvers("Group::{known}")`' if word == "approvers" else f"`Group::{known}`"


def _validate(reading: _Reading) -> None:
    """Hold every rule against the schema: what Cedar finds, said with a place and with what to write instead.

    In parts, each with a schema of just the operations it names: the cost is rules times actions.
    """
    for start in range(0, len(reading.rules), VALIDATED_AT_ONCE_MAX):
        part = reading.rules[start : start + VALIDATED_AT_ONCE_MAX]
        names = frozenset[str]().union(*(named_actions(rule.template) for rule in part))
        named = {name: classes for name, classes in reading.named.items() if name in names}
        schema = cedarpy.Schema.from_str(schema_text(validation_actions(named)))
        result = cedarpy.validate_policies("\n".join(rule.statement.text for rule in part), schema)
        found = len(reading.problems)
        for error in result.errors:
            position = _POSITION.fullmatch(error.policy_id)
            rule = part[int(position.group(1)) if position else 0]
            _tell(reading, rule, error.error.removeprefix(f"for policy `{error.policy_id}`, "), found)
        if not result.validation_passed and not reading.problems:
            _problem(
                reading, part[0].statement, Place(part[0].statement.line), "this does not fit the schema", "what does"
            )


def _tell(reading: _Reading, rule: Rule, error: str, found: int) -> None:
    """Report one finding of Cedar's validator, unless it only repeats a mistake that is already told."""
    text = _PER_ACTION.sub("", error)
    quoted = _TICKED.findall(text)
    inner = [name for tick in quoted for name in _QUOTED.findall(tick)]
    place = rule.statement.place_of(*inner, *(tick.rpartition("::")[2] for tick in quoted))
    lines = {number for _, number in rule.statement.tokens}
    told = [item for item in reading.problems if item.file == rule.statement.file and item.line in lines]
    message = f"`{rule.id}`: {text}"
    follows = "applicable action" in text and told
    repeats = "unrecognized action" in text and any(item in reading.problems[:found] for item in told)
    if not (follows or repeats or any(item.message == message for item in told)):
        _problem(reading, rule.statement, place, message, _instead(text, quoted))


def _instead(text: str, quoted: Sequence[str]) -> str:
    """What to write instead of what Cedar's validator refused."""
    name = quoted[0] if quoted else ""
    context = [attribute.rstrip("?") for attribute in CONTEXT_ATTRIBUTES]
    if "optional attribute" in text:
        return f"`context has {name} && context.{name} ...`: it may be absent"
    if text.startswith("attribute") and "entity type" in text:
        return _one_of("principal.", name, AGENT_ATTRIBUTES)
    if text.startswith("attribute"):
        return _one_of("context.", name, context)
    if "unrecognized action" in text:
        inner = next(iter(_QUOTED.findall(name)), "")
        known = inner if not name.startswith(f"{NAMESPACE}::") else nearest(inner, CLASS_NAMES)
        return f'`{NAMESPACE}::Action::"{known}"`' if known else "one of the classes: " + " ".join(sorted(CLASS_NAMES))
    if "unrecognized entity type" in text:
        known = nearest(name.rpartition("::")[2], ENTITY_TYPES)
        return f"`{NAMESPACE}::{known}`" if known else " or ".join(f"`{NAMESPACE}::{kind}`" for kind in ENTITY_TYPES)
    if "applicable action" in text:
        return f"`principal is {NAMESPACE}::Agent` and `resource is {NAMESPACE}::Service`, or leave both open"
    if "unexpected type" in text:
        return "a value of the expected type: numbers without quotes, texts with them"
    return "an expression that fits the schema"


def _one_of(prefix: str, name: str, known: Iterable[str]) -> str:
    close = nearest(name, known)
    return f"`{prefix}{close}`" if close else "one of " + " ".join(f"`{prefix}{item}`" for item in known)


def _policy_hash(reading: _Reading) -> str:
    """SHA-256 over every rule and the schema, whatever file a rule stands in and however it is laid out."""
    texts = sorted(rule.statement.canonical for rule in reading.rules)
    document = "\n".join([schema_text(validation_actions(reading.named)), *texts])
    return hashlib.sha256(document.encode("utf-8", "surrogatepass")).hexdigest()
