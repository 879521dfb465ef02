"""The boundary: slices the policies by action and decides, twice where people are asked. Any error is a deny."""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import cedarpy
from cedarpy import pst

from comptroller.boundary.condition import named_actions, parameter_texts
from comptroller.boundary.context import Reach, TooManyParameters, context_of
from comptroller.boundary.engine import Answer, ask
from comptroller.boundary.load import ClassesOf, LoadedPolicies, Near, read_policies
from comptroller.boundary.problem import PolicyError, Problem
from comptroller.boundary.rule import Rule
from comptroller.boundary.schema import AgentFacts, agent_entities, schema_text, synthetic, uid
from comptroller.boundary.selftest import self_test
from comptroller.boundary.source import PolicyText
from comptroller.core.action import Action, ActionClass
from comptroller.core.estimate import Estimate
from comptroller.core.verdict import BoundaryResult, Obligation, Reason, Shadowed, VerdictKind

SLICES_MAX = 256
ANSWERS_KEPT_MAX = 256
"""Answers remembered by one slice; an agent that polls asks the same again and again."""
TRIAL_ANSWERS_MAX = 64
"""Of one slice of one rule in shadow mode."""
ANSWER_CHARACTERS_MAX = 8 << 10
"""A longer question is not remembered: what an agent writes must not fill the memory."""
SLICE_DOMAIN = b"comptroller/slice/1\n"
PARTS_DEPTH_MAX = 4
"""A stack in a batch in a stack: deeper is denied."""
PARTS_TOLD_MAX = 5
"""Of the denied parts, how many the reasons name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """Every rule that could decide about one action, parsed and ready. `texts` as in `context_of`.

    `entities` caches each agent's entities: they hold the action's classes and so belong to one slice. `answers` keeps
    what Cedar said to the same agent and context before: it is a pure function of them.
    """

    action: str
    classes: frozenset[str]
    rules: Mapping[str, Rule]
    policies: Any
    schema: Any
    texts: frozenset[str] | None
    hash: str
    entities: dict[str, Any] = field(default_factory=dict)
    answers: OrderedDict[tuple[str, str, str], Answer] = field(default_factory=OrderedDict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """A decision with what led to it: `answers` are Cedar's own, one for each time it was asked."""

    result: BoundaryResult
    slice: Slice | None = None
    request: Mapping[str, object] = field(default_factory=dict)
    answers: tuple[Answer, ...] = ()


class CedarBoundary:
    """The Cedar policies, loaded; implements `comptroller.ports.Boundary`. Build it with `load`.

    On top of Cedar it holds three rules of its own: an action of class `unknown` never goes; an erring rule denies; and
    every class of an action needs a permit that speaks of it, so that `read` does not carry a `destroy` through.
    """

    def __init__(
        self,
        loaded: LoadedPolicies,
        agents: Mapping[str, AgentFacts],
        *,
        classes_of: ClassesOf,
        answers_kept: int = ANSWERS_KEPT_MAX,
    ) -> None:
        self_test()
        self._answers_kept = answers_kept
        self._loaded = loaded
        self._agents = dict(agents)
        self._classes_of = classes_of
        self._reach = {name: Reach.of(facts) for name, facts in agents.items()}
        self._slices: OrderedDict[tuple[str, frozenset[str]], Slice] = OrderedDict()
        # INVARIANT: no rule in shadow mode is among those that decide, and so in no slice and in no slice's hash.
        self._rules = tuple(rule for rule in loaded.rules if not rule.shadow)
        self._named = _named(loaded, self._rules)
        self._trials = {rule.id: self._trial(rule) for rule in loaded.rules if rule.shadow}

    @classmethod
    def load(
        cls,
        policies: Sequence[PolicyText],
        agents: Mapping[str, AgentFacts],
        *,
        classes_of: ClassesOf,
        near: Near = lambda _: (),
        groups: Mapping[str, int] | None = None,
        answers_kept: int = ANSWERS_KEPT_MAX,
    ) -> CedarBoundary:
        """Read and check policies. Raises `PolicyError` (a `ConfigError`) with every mistake.

        `classes_of` tells an operation's classes (None: nobody knows it), `near` lists known operations of a similar
        name for suggestions, `groups` how many people are in each. No policies at all is a boundary that denies all.
        """
        loaded, problems = read_policies(policies, classes_of=classes_of, near=near, groups=groups)
        if problems:
            raise PolicyError(problems)
        return cls(loaded, agents, classes_of=classes_of, answers_kept=answers_kept)

    @property
    def policy_hash(self) -> str:
        """SHA-256 over all rules and the schema, in hexadecimal; layout and comments do not count."""
        return self._loaded.policy_hash

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Every rule, those in shadow mode too, in the order of the files."""
        return self._loaded.rules

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """What is odd in the policies but no mistake."""
        return self._loaded.warnings

    @property
    def agents(self) -> Mapping[str, AgentFacts]:
        """The agents that policies can speak of."""
        return self._agents

    def classes_of(self, operation: str) -> frozenset[ActionClass] | None:
        """The classes of an operation as the codecs know it; None where they do not."""
        return self._classes_of(operation)

    def evaluate(
        self, action: Action, estimate: Estimate, *, granted: Collection[str] = frozenset(), owned: bool = False
    ) -> BoundaryResult:
        """What the policies say of one action and of everything it brings about by itself: the most restrictive counts.

        Total: whatever goes wrong is a deny with its reason. `granted` are rule ids whose grants count as given; only
        the engine passes any, and it alone says `owned`. Parts are judged at the price of the whole, which none of
        them exceeds.
        """
        result = self._evaluate(action, estimate, granted, owned)
        if not self._trials:
            return result
        return replace(result, shadow=tuple(self._shadowed(action, estimate, granted, owned, result)))

    def _evaluate(self, action: Action, estimate: Estimate, granted: Collection[str], owned: bool) -> BoundaryResult:
        whole = self.decide(action, estimate, granted=granted, owned=owned).result
        if not action.parts or whole.kind is VerdictKind.DENY:
            return whole
        return _together(whole, list(self._parts(action, action.parts, estimate, granted, 0)))

    def _shadowed(
        self, action: Action, estimate: Estimate, granted: Collection[str], owned: bool, result: BoundaryResult
    ) -> Iterator[Shadowed]:
        """What each rule in shadow mode would have made of `result`, were it alone in force beside the others."""
        for name, trial in self._trials.items():
            if not action.parts and action.classes and name not in trial.slice_for(action).rules:
                continue
            tried = trial.evaluate(action, estimate, granted=granted, owned=owned)
            if tried.kind is not result.kind or _demands(tried) != _demands(result):
                yield Shadowed(rule=name, would=tried.kind)

    def _trial(self, shadow: Rule) -> CedarBoundary:
        """The same boundary with one rule of shadow mode in force."""
        rules = (*self._rules, replace(shadow, shadow=False))
        loaded = replace(self._loaded, rules=rules, named=_named(self._loaded, rules), warnings=())
        return CedarBoundary(
            loaded, self._agents, classes_of=self._classes_of, answers_kept=min(self._answers_kept, TRIAL_ANSWERS_MAX)
        )

    def _parts(
        self, whole: Action, parts: Sequence[Action], estimate: Estimate, granted: Collection[str], depth: int
    ) -> Iterator[tuple[Action, BoundaryResult]]:
        """Every part with its result, however deep."""
        for part in parts:
            as_agent = replace(part, agent=whole.agent, run=whole.run)
            yield part, self.decide(as_agent, estimate, granted=granted).result
            if part.parts and depth >= PARTS_DEPTH_MAX:
                yield part, self._denied("policy_error", f"parts within parts, over {PARTS_DEPTH_MAX} deep").result
            elif part.parts:
                yield from self._parts(whole, part.parts, estimate, granted, depth + 1)

    def decide(
        self, action: Action, estimate: Estimate, *, granted: Collection[str] = frozenset(), owned: bool = False
    ) -> Decided:
        """`evaluate`, with what led to the result. Total."""
        try:
            return self._decide(action, estimate, frozenset(granted), owned)
        except (KeyboardInterrupt, SystemExit, GeneratorExit):
            raise
        except TooManyParameters as error:
            return self._denied("policy_error", str(error))
        except BaseException as error:  # noqa: BLE001 - a panic of the engine is no Exception; each of them is a deny
            return self._denied("policy_error", f"the policies could not be evaluated ({type(error).__name__})")

    def _decide(self, action: Action, estimate: Estimate, granted: frozenset[str], owned: bool) -> Decided:
        facts = self._agents.get(action.agent)
        if facts is None:
            return self._denied("unknown_agent", "the agent is not configured")
        if not action.classes:
            return self._denied("policy_error", "an action without a class cannot be judged")
        cut = self.slice_for(action)
        request = {
            "principal": uid("Agent", facts.name),
            "action": uid("Action", cut.action),
            "resource": uid("Service", action.service),
            "context": "",
        }
        context = context_of(
            action,
            estimate,
            reach=self._reach[facts.name],
            purpose=facts.purpose,
            texts=cut.texts,
            grants=tuple(granted),
            owned=owned,
        )
        entities = cut.entities.get(facts.name)
        if entities is None:
            entities = cut.entities[facts.name] = agent_entities(facts, cut.schema)

        def answer() -> Answer:
            text = json.dumps(context)
            key = (facts.name, action.service, text)
            known = cut.answers.get(key)
            if known is None:
                known = ask({**request, "context": text}, cut.policies, entities, cut.schema)
                if self._answers_kept and len(text) <= ANSWER_CHARACTERS_MAX:
                    cut.answers[key] = known
                if len(cut.answers) > self._answers_kept:
                    cut.answers.popitem(last=False)
            return known

        first = answer()
        asking = _asking(cut, first)
        answers: tuple[Answer, ...] = (first,)
        if asking:
            context["grants"] = sorted({*granted, *asking})
            answers = (first, answer())
        result = _result(cut, answers, asking)
        if result.kind is not VerdictKind.DENY and ActionClass.UNKNOWN.value in cut.classes:
            text = f"nobody can say what this would do: {action.reason or 'it could not be decoded'}"
            result = _deny(cut.hash, [Reason(code="undecodable", text=text)])
        return Decided(
            result=result,
            slice=cut,
            request={**request, "context": {**context, "grants": sorted(granted)}},
            answers=answers,
        )

    def slice_for(self, action: Action) -> Slice:
        """The rules that could decide about `action`; built when first needed, the least used one forgotten.

        An operation named in a policy is its own Cedar action; any other is one with the rest of its classes.
        """
        classes = frozenset(item.value for item in action.classes)
        declared = self._named.get(action.operation)
        if declared is not None:
            classes |= frozenset(item.value for item in declared)
        key = ("" if declared is None else action.operation, classes)
        found = self._slices.get(key)
        if found is None:
            found = self._slices[key] = self._build(key[0] or synthetic(classes), classes)
            while len(self._slices) > SLICES_MAX:
                self._slices.popitem(last=False)
        self._slices.move_to_end(key)
        return found

    def _build(self, action: str, classes: frozenset[str]) -> Slice:
        rules = {rule.id: rule for rule in self._rules if rule.concerns(action, classes)}
        tree = pst.PolicySet(
            templates={}, static_policies={name: rule.template for name, rule in rules.items()}, template_links=()
        )
        return Slice(
            action=action,
            classes=classes,
            rules=rules,
            policies=cedarpy.PolicySet.from_pst(tree),
            schema=cedarpy.Schema.from_str(schema_text({action: classes})),
            texts=_texts(rules.values()),
            hash=_slice_hash(rules.values()),
        )

    def _denied(self, code: str, text: str) -> Decided:
        return Decided(result=_deny(self.policy_hash, [Reason(code=code, text=text)]))


def _together(whole: BoundaryResult, parts: Sequence[tuple[Action, BoundaryResult]]) -> BoundaryResult:
    """The most restrictive of an action and its parts: one denied part denies it, and every question is asked."""
    results = (whole, *(result for _, result in parts))
    slices = sorted({result.slice_hash for result in results})
    combined = slices[0] if len(slices) == 1 else hashlib.sha256(SLICE_DOMAIN + json.dumps(slices).encode()).hexdigest()
    denied = [(part, result) for part, result in parts if result.kind is VerdictKind.DENY]
    if denied:
        reasons = [
            replace(reason, text=f"`{part.operation}`, which it brings about: {reason.text}")
            for part, result in denied[:PARTS_TOLD_MAX]
            for reason in result.reasons
        ]
        rules = [rule for _, result in denied for rule in result.rules]
        return _deny(combined, list(dict.fromkeys(reasons)), list(dict.fromkeys(rules)))
    asking = [result for result in results if result.kind is VerdictKind.REQUIRE_APPROVAL]
    counted = asking or results
    return BoundaryResult(
        kind=VerdictKind.REQUIRE_APPROVAL if asking else VerdictKind.ALLOW,
        reasons=tuple(dict.fromkeys(reason for result in counted for reason in result.reasons)),
        rules=tuple(dict.fromkeys(rule for result in counted for rule in result.rules)),
        slice_hash=combined,
        obligations=tuple(dict.fromkeys(item for result in asking for item in result.obligations)),
        permits=tuple(dict.fromkeys(name for result in asking for name in result.permits)),
    )


def _named(loaded: LoadedPolicies, rules: Iterable[Rule]) -> Mapping[str, frozenset[ActionClass]]:
    """The operations that these rules name."""
    names = frozenset[str]().union(*(named_actions(rule.template) for rule in rules))
    return {name: classes for name, classes in loaded.named.items() if name in names}


def _demands(result: BoundaryResult) -> frozenset[Obligation]:
    """Whom a result wants asked, whichever rules say so."""
    return frozenset(replace(item, rule="", reason="") for item in result.obligations)


def _asking(cut: Slice, first: Answer) -> tuple[str, ...]:
    """The rules that ask people, where nothing but such rules denied."""
    if first.kind != "deny" or not all(cut.rules[name].obligation for name in first.reasons):
        return ()
    return tuple(sorted(first.reasons))


def _result(cut: Slice, answers: tuple[Answer, ...], asking: tuple[str, ...]) -> BoundaryResult:
    """Cedar's answers as one result: the last answer must be an allow, by permits that cover every class."""
    last = answers[-1]
    if last.kind == "error":
        return _deny(cut.hash, *_errors(cut, last))
    if last.kind == "deny":
        forbidding = sorted(name for name in last.reasons if cut.rules[name].obligation is None) or sorted(last.reasons)
        if not forbidding:
            return _deny(cut.hash, [_no_permit(cut.classes)])
        reasons = [_reason(cut, name, "forbidden", f"rule `{name}` forbids it") for name in forbidding]
        return _deny(cut.hash, reasons, forbidding)
    covered = frozenset().union(*(cut.rules[name].covers(cut.action, cut.classes) for name in last.reasons))
    if not cut.classes <= covered:
        return _deny(cut.hash, [_no_permit(cut.classes - covered)])
    rules = asking or tuple(sorted(last.reasons))
    code, default = ("approval", "asks people") if asking else ("permitted", "permits it")
    return BoundaryResult(
        kind=VerdictKind.REQUIRE_APPROVAL if asking else VerdictKind.ALLOW,
        reasons=tuple(_reason(cut, name, code, f"rule `{name}` {default}") for name in rules),
        rules=rules,
        slice_hash=cut.hash,
        obligations=tuple(obligation for name in asking if (obligation := cut.rules[name].obligation)),
        permits=tuple(sorted(last.reasons)) if asking else (),
    )


def _reason(cut: Slice, rule: str, code: str, default: str) -> Reason:
    return Reason(code=code, text=cut.rules[rule].reason or default, rule=rule)


def _no_permit(classes: Iterable[str]) -> Reason:
    names = ", ".join(f"`{name}`" for name in sorted(classes))
    return Reason(code="no_permit", text=f"no rule permits {names} here")


def _errors(cut: Slice, answer: Answer) -> tuple[list[Reason], list[str]]:
    """The rules that erred. Cedar's own text stays out: it may quote what the agent sent."""
    erring = sorted(name for name in cut.rules if any(f"`{name}`" in text for text in answer.errors))
    reasons = [
        Reason(code="policy_error", text=f"rule `{name}` could not be evaluated", rule=name) for name in erring
    ] or [Reason(code="policy_error", text="the request could not be put to the policies")]
    return reasons, erring


def _deny(slice_hash: str, reasons: Sequence[Reason], rules: Sequence[str] = ()) -> BoundaryResult:
    return BoundaryResult(kind=VerdictKind.DENY, reasons=tuple(reasons), rules=tuple(rules), slice_hash=slice_hash)


def _texts(rules: Iterable[Rule]) -> frozenset[str] | None:
    """What the rules look for among the parameters; None where one of them may look at all."""
    texts: set[str] = set()
    for rule in rules:
        asked = parameter_texts(rule.template)
        if asked is None:
            return None
        texts |= asked
    return frozenset(texts)


def _slice_hash(rules: Iterable[Rule]) -> str:
    """SHA-256 over what exactly these rules say, annotations included, wherever and however they are written."""
    texts = sorted(rule.statement.canonical for rule in rules)
    return hashlib.sha256(SLICE_DOMAIN + json.dumps(texts).encode()).hexdigest()
