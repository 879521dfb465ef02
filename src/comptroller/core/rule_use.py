"""What each rule did, day by day: a fold of entries that forgets what is older than it has to tell of. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from comptroller.core.audit import EntryKind

DAYS_KEPT = 31
RULES_MAX = 20_000
"""Policies have fewer; the rules of budgets count as well."""
DID = ("allowed", "asked", "denied")
WOULD = ("allow", "approval", "deny")
"""What a rule in shadow mode would have said."""
_KINDS = {
    EntryKind.ACTION_ALLOWED.value: "allowed",
    EntryKind.ACTION_HELD.value: "asked",
    EntryKind.ACTION_DENIED.value: "denied",
}
_ANSWERS = {EntryKind.APPROVAL_APPROVED.value: "yes", EntryKind.APPROVAL_REJECTED.value: "no"}


@dataclass(slots=True)
class Use:
    """Counts of one rule over some days: actions by what it did or, in shadow mode, would have done (`would_deny`),
    and how its questions were answered. `let_ask`: a permit without which nobody would have been asked. `usd_micros`
    sums the bounds of what was asked and, under `would_…`, of what it would have changed."""

    actions: Counter[str] = field(default_factory=Counter)
    usd_micros: Counter[str] = field(default_factory=Counter)
    last: str = ""

    def add(self, word: str, usd_micros: int, at: str) -> None:
        """One more."""
        self.actions[word] += 1
        self.usd_micros[word] += usd_micros
        self.last = max(self.last, at)

    def merge(self, other: Use) -> None:
        """Both together."""
        self.actions.update(other.actions)
        self.usd_micros.update(other.usd_micros)
        self.last = max(self.last, other.last)

    @property
    def total(self) -> int:
        """How often it decided."""
        return sum(self.actions[word] for word in DID)

    def document(self) -> dict[str, object]:
        """The JSON form."""
        told = (*DID, "let_ask", "yes", "no", *(f"would_{word}" for word in WOULD))
        return {
            "actions": {word: self.actions[word] for word in told},
            "usd_micros": {word: self.usd_micros[word] for word in told if self.usd_micros[word]},
            "last": self.last,
        }


class RuleUse:
    """Takes entries in any order. A question that people answered counts once, as `asked`."""

    def __init__(self, since: date) -> None:
        self.since = since
        self._days: dict[str, dict[date, Use]] = {}

    def add(self, document: Mapping[str, object]) -> None:
        """One entry's leaf, parsed. Whatever has another form is passed over."""
        kind, body = str(document.get("kind")), document.get("body")
        at = str(document.get("at") or "")
        day = _day(at)
        if not isinstance(body, Mapping) or day is None or day < self.since:
            return
        if word := _ANSWERS.get(kind):
            for rule in _texts(body.get("rules")):
                self._count(rule, day, word, 0, at)
            return
        did = _KINDS.get(kind)
        if did is None or body.get("resent") or (did == "allowed" and body.get("approval")):
            return
        usd_micros = _usd_micros(body)
        for rule in _texts(body.get("rules")):
            # An observed run was let go past what denied it.
            self._count(rule, day, "denied" if body.get("would") else did, usd_micros, at)
        for rule in _texts(body.get("permits")):
            self._count(rule, day, "let_ask", 0, at)
        for rule, would in _shadow(body):
            self._count(rule, day, f"would_{would}", usd_micros, at)

    def forget(self, before: date) -> None:
        """Drop the days before this one."""
        self.since = max(self.since, before)
        for days in self._days.values():
            for day in [day for day in days if day < before]:
                del days[day]

    def of(self, rule: str, since: date) -> Use:
        """What a rule did since that day."""
        total = Use()
        for day, use in self._days.get(rule, {}).items():
            if day >= since:
                total.merge(use)
        return total

    def by_day(self, rule: str, first: date, days: int) -> Sequence[Use]:
        """One `Use` for each of `days` days from `first` on."""
        known = self._days.get(rule, {})
        return [known.get(first + timedelta(days=number), Use()) for number in range(days)]

    def rules(self) -> Sequence[str]:
        """Every rule that did anything, by name."""
        return sorted(name for name, days in self._days.items() if days)

    def _count(self, rule: str, day: date, word: str, usd_micros: int, at: str) -> None:
        days = self._days.get(rule)
        if days is None:
            if len(self._days) >= RULES_MAX:
                return
            days = self._days[rule] = {}
        days.setdefault(day, Use()).add(word, usd_micros, at)


def _day(at: str) -> date | None:
    try:
        return datetime.fromisoformat(at).date()
    except ValueError:
        return None


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, Sequence) and not isinstance(value, str):
        yield from dict.fromkeys(str(item) for item in value)


def _shadow(body: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    told = body.get("shadow")
    for item in told if isinstance(told, Sequence) else ():
        if isinstance(item, Mapping) and item.get("would") in WOULD:
            yield str(item.get("rule")), str(item.get("would"))


def _usd_micros(body: Mapping[str, object]) -> int:
    """The upper bound in dollars; 0 where it costs none or nobody knows."""
    estimate = body.get("estimate")
    bounds = estimate.get("bounds") if isinstance(estimate, Mapping) else None
    pair = bounds.get("usd_micros") if isinstance(bounds, Mapping) else None
    high = pair[1] if isinstance(pair, Sequence) and len(pair) == 2 else None
    return high if isinstance(high, int) and not isinstance(high, bool) else 0
