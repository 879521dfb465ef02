"""What recorded actions would meet under other rules: a fold of entries under two boundaries at once. Pure.

Rules alone are replayed: budgets, brakes, prices and people's answers are not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from comptroller.boundary.compare import relaxed
from comptroller.boundary.suggest import OF_POLICIES
from comptroller.core.estimate import Estimate, Unit
from comptroller.core.secrecy import REDACTED
from comptroller.core.verdict import UNKNOWN_PRICE_RULE, BoundaryResult, VerdictKind
from comptroller.decode.records import Case, Who, case_of
from comptroller.decode.records import read as read_case
from comptroller.decode.records.entries import JUDGED
from comptroller.ports import Boundary

EXAMPLES_MAX = 5
"""Of one change of one rule, how many actions are shown."""
RULES_MAX = 2_000
"""Further rules are counted together."""
OTHER_RULES = "other rules"
SEVERITY = {VerdictKind.ALLOW: 0, VerdictKind.REQUIRE_APPROVAL: 1, VerdictKind.DENY: 2}
SECRET_MARK = next(iter(REDACTED))
NO_ESTIMATE = Estimate(bounds={})
WORDS = {VerdictKind.ALLOW: "allow", VerdictKind.REQUIRE_APPROVAL: "ask", VerdictKind.DENY: "deny"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One action whose answer changes; `entry` is its index in the log."""

    entry: int
    at: str
    agent: str
    run: str
    operation: str
    sentence: str
    usd_micros: int | None
    before: tuple[str, ...]
    after: tuple[str, ...]
    exact: bool

    def document(self) -> dict[str, object]:
        """The JSON form."""
        return {
            "entry": self.entry,
            "at": self.at,
            "agent": self.agent,
            "run": self.run,
            "operation": self.operation,
            "sentence": self.sentence,
            "usd_micros": self.usd_micros,
            "rules_before": list(self.before),
            "rules_after": list(self.after),
            "exact": self.exact,
        }


@dataclass(slots=True)
class Change:
    """Actions that went one way and would go another. From `ask` to `ask`: other people would be asked."""

    before: str
    after: str
    wider: bool
    count: int = 0
    usd_micros: int = 0
    unpriced: int = 0
    rules: Counter[str] = field(default_factory=Counter)
    examples: list[Example] = field(default_factory=list)

    def document(self) -> dict[str, object]:
        """The JSON form."""
        return {
            "from": self.before,
            "to": self.after,
            "wider": self.wider,
            "count": self.count,
            "usd_micros": self.usd_micros,
            "unpriced": self.unpriced,
            "rules": dict(self.rules.most_common()),
            "examples": [example.document() for example in self.examples],
        }


@dataclass(slots=True)
class Side:
    """What one set of rules makes of all of them: actions and dollars by answer, and what each rule decided."""

    actions: Counter[str] = field(default_factory=Counter)
    usd_micros: Counter[str] = field(default_factory=Counter)
    rules: dict[str, Counter[str]] = field(default_factory=dict)

    def add(self, result: BoundaryResult, kind: VerdictKind, usd_micros: int | None) -> None:
        """One more action."""
        word = WORDS[kind]
        self.actions[word] += 1
        self.usd_micros[word] += usd_micros or 0
        for rule in _rules(result, kind):
            name = rule if rule in self.rules or len(self.rules) < RULES_MAX else OTHER_RULES
            self.rules.setdefault(name, Counter())[word] += 1

    def document(self) -> dict[str, object]:
        """The JSON form."""
        return {
            "actions": {word: self.actions[word] for word in WORDS.values()},
            "usd_micros": {word: self.usd_micros[word] for word in WORDS.values()},
        }


class WhatIf:
    """Takes entries one by one, in any order. Of a question that was answered the entry that asked it counts."""

    def __init__(self, before: Boundary, after: Boundary) -> None:
        self._before, self._after = before, after
        self.before, self.after = Side(), Side()
        self.actions = 0
        self.inexact: Counter[str] = Counter()
        self.otherwise = 0
        self._changes: dict[tuple[str, str, bool], Change] = {}

    def add(self, entry: Mapping[str, object]) -> bool:
        """One entry with what lies beside it under `beside`; False where it holds no action that counts."""
        body = entry.get("body")
        if entry.get("kind") not in JUDGED or not isinstance(body, Mapping):
            return False
        if (body.get("verdict") == VerdictKind.ALLOW and body.get("approval")) or body.get("resent"):
            return False
        case = case_of(entry, 0)
        recorded = read_case(case, Who(agent=str(entry.get("agent") or ""))).actions[0] if case else None
        if case is None or recorded is None:
            return False
        estimate = recorded.estimate or NO_ESTIMATE
        old = self._before.evaluate(recorded.action, estimate, owned=recorded.owned)
        new = self._after.evaluate(recorded.action, estimate, owned=recorded.owned)
        lacking = tuple(_lacking(case))
        self.actions += 1
        self.inexact.update(lacking)
        self.inexact["any"] += bool(lacking)
        self.otherwise += _recorded_kind(body) not in (None, old.kind)
        was, would = _kind(old, estimate), _kind(new, estimate)
        usd_micros = estimate.high(Unit.USD_MICROS)
        self.before.add(old, was, usd_micros)
        self.after.add(new, would, usd_micros)
        other_people = was is would is VerdictKind.REQUIRE_APPROVAL and set(old.obligations) != set(new.obligations)
        if was is not would or other_people:
            wider = SEVERITY[would] < SEVERITY[was] or (other_people and relaxed(old.obligations, new.obligations))
            self._changed(case, (was, would, wider), (old, new), estimate, exact=not lacking)
        return True

    def _changed(
        self,
        case: Case,
        way: tuple[VerdictKind, VerdictKind, bool],
        results: tuple[BoundaryResult, BoundaryResult],
        estimate: Estimate,
        *,
        exact: bool,
    ) -> None:
        was, would, wider = way
        key = (WORDS[was], WORDS[would], wider)
        change = self._changes.setdefault(key, Change(before=key[0], after=key[1], wider=wider))
        usd_micros = estimate.high(Unit.USD_MICROS)
        before, after = _rules(results[0], was), _rules(results[1], would)
        # Where it is held back less, the rules before are what it hung on; else those after.
        rules = [name for name in (before if wider else after) if name not in (after if wider else before)]
        blamed = rules or list(before if wider else after)
        change.count += 1
        change.usd_micros += usd_micros or 0
        change.unpriced += estimate.unknown(Unit.USD_MICROS)
        fresh = any(change.rules[name] < EXAMPLES_MAX for name in blamed) and len(change.examples) < EXAMPLES_MAX * 4
        for name in blamed:
            change.rules[name if name in change.rules or len(change.rules) < RULES_MAX else OTHER_RULES] += 1
        if fresh:
            change.examples.append(_example(case, usd_micros, before, after, exact=exact))

    @property
    def changes(self) -> Sequence[Change]:
        """What changes: first what gets wider, the most actions first."""
        return sorted(self._changes.values(), key=lambda one: (not one.wider, -one.count, one.before, one.after))

    @property
    def wider(self) -> int:
        """How many actions would be held back less."""
        return sum(change.count for change in self._changes.values() if change.wider)

    def document(self) -> dict[str, object]:
        """The JSON form."""
        return {
            "actions": self.actions,
            "changed": sum(change.count for change in self._changes.values()),
            "wider": self.wider,
            "changes": [change.document() for change in self.changes],
            "before": self.before.document(),
            "after": self.after.document(),
            "rules": self._by_rule(),
            "inexact": {name: self.inexact[name] for name in ("any", *LACKING)},
            "otherwise": self.otherwise,
        }

    def _by_rule(self) -> list[dict[str, object]]:
        """Each rule that decides another number of actions than before."""
        names = sorted({*self.before.rules, *self.after.rules})
        pairs = [
            (name, self.before.rules.get(name, Counter()), self.after.rules.get(name, Counter())) for name in names
        ]
        return [{"rule": name, "before": dict(old), "after": dict(new)} for name, old, new in pairs if old != new]


LACKING = ("erased", "too_large", "secret", "parts")
"""Why an action may not be replayed exactly: what was kept beside the entry was erased, was too large to be kept, was
a secret and never kept, or the action had parts, which an entry does not hold."""


def _lacking(case: Case) -> Iterator[str]:
    """What of an action its entry does not tell."""
    committed, beside, body = (case.members.get(name) for name in ("private", "beside", "body"))
    kept = beside if isinstance(beside, Mapping) else {}
    names = [name for name in committed if name in _DECIDING] if isinstance(committed, Mapping) else []
    if any(kept.get(name) is None for name in names):
        yield "erased"
    values = [kept[name] for name in names if kept.get(name) is not None]
    if any(isinstance(value, Mapping) and ("$sha256" in value or "$uncanonical" in value) for value in values):
        yield "too_large"
    if any(SECRET_MARK in str(value) for value in values):
        yield "secret"
    if isinstance(body, Mapping) and body.get("parts"):
        yield "parts"


_DECIDING = frozenset({"parameters", "payment", "resources"})


def _recorded_kind(body: Mapping[str, object]) -> VerdictKind | None:
    """What the rules said then; None where it was not they that decided, or nobody can tell."""
    if body.get("would"):
        return VerdictKind.DENY
    rules, reasons = body.get("rules"), body.get("reasons")
    listed = reasons if isinstance(reasons, Sequence) else ()
    codes = {str(reason.get("code")) for reason in listed if isinstance(reason, Mapping)}
    match body.get("verdict"):
        case VerdictKind.ALLOW:
            return VerdictKind.ALLOW
        case VerdictKind.DENY:
            return VerdictKind.DENY if codes and codes <= OF_POLICIES else None
        case VerdictKind.REQUIRE_APPROVAL:
            own = isinstance(rules, Sequence) and any(":" in str(rule) or "/" in str(rule) for rule in rules)
            return None if own else VerdictKind.REQUIRE_APPROVAL
        case _:
            return None


def _kind(result: BoundaryResult, estimate: Estimate) -> VerdictKind:
    """What would be said of it; people are asked about what nobody knows the price of."""
    asks = result.kind is VerdictKind.ALLOW and estimate.unknown(Unit.USD_MICROS)
    return VerdictKind.REQUIRE_APPROVAL if asks else result.kind


def _rules(result: BoundaryResult, kind: VerdictKind) -> tuple[str, ...]:
    """The rules that decided; a reason's code where it was none."""
    if kind is not result.kind:
        return (UNKNOWN_PRICE_RULE,)
    return result.rules or tuple(sorted({reason.code for reason in result.reasons}))


def _example(
    case: Case, usd_micros: int | None, before: tuple[str, ...], after: tuple[str, ...], *, exact: bool
) -> Example:
    entry = case.members
    body, beside = entry.get("body"), entry.get("beside")
    index = entry.get("index")
    return Example(
        entry=index if isinstance(index, int) else -1,
        at=str(entry.get("at") or ""),
        agent=str(entry.get("agent") or ""),
        run=str(entry.get("run") or ""),
        operation=str(body.get("operation") or "") if isinstance(body, Mapping) else "",
        sentence=str(beside.get("sentence") or "") if isinstance(beside, Mapping) else "",
        usd_micros=usd_micros,
        before=before,
        after=after,
        exact=exact,
    )
