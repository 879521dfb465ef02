"""What a replay adds up to: cases by source, label and verdict, questions, dollars, rules, what was not understood."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from comptroller.cli.judging import Judged
from comptroller.core.action import ActionClass
from comptroller.core.estimate import Unit
from comptroller.core.verdict import VerdictKind
from comptroller.decode.records import Case, Reading

REASONS_MAX = 1000
"""Further reasons for being undecoded are counted together."""
OTHER_REASONS = "other reasons"
OTHER_SERVICES = "other services"
UNNAMED = "unnamed"
"""The starter pack's rule against what is not named for an agent."""
SEVERITY = {VerdictKind.ALLOW: 0, VerdictKind.REQUIRE_APPROVAL: 1, VerdictKind.DENY: 2}
QUIET = frozenset({ActionClass.READ, ActionClass.WRITE})


@dataclass(slots=True)
class Row:
    """The cases of one source with one label. `undecoded` cases are among those denied."""

    cases: int = 0
    allow: int = 0
    require_approval: int = 0
    deny: int = 0
    undecoded: int = 0
    actions: int = 0
    usd_micros_high: int = 0

    def document(self) -> dict[str, int]:
        """The JSON form."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseVerdict:
    """One case with the most restrictive verdict among its actions; without an action it is local, and allowed."""

    case: Case
    kind: VerdictKind
    undecoded: bool
    judged: tuple[Judged, ...]
    reading: Reading

    @property
    def word(self) -> str:
        """How the case is counted."""
        return self.kind.value


def verdict_of(case: Case, reading: Reading, judged: tuple[Judged, ...]) -> CaseVerdict:
    """The case's verdict."""
    kinds = [item.result.kind for item in judged]
    return CaseVerdict(
        case=case,
        kind=max(kinds, key=SEVERITY.__getitem__, default=VerdictKind.ALLOW),
        undecoded=any(item.action.undecodable for item in judged),
        judged=judged,
        reading=reading,
    )


@dataclass(slots=True)
class Tally:
    """The running sums; their size does not grow with the number of cases."""

    rows: dict[tuple[str, str], Row] = field(default_factory=dict)
    rules: Counter[str] = field(default_factory=Counter)
    questions: Counter[str] = field(default_factory=Counter)
    asked: int = 0
    local: int = 0
    unpriced: int = 0
    dollars: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    first: dict[str, str] = field(default_factory=dict)
    notes: Counter[str] = field(default_factory=Counter)
    wire: Counter[str] = field(default_factory=Counter)
    unnamed: Counter[str] = field(default_factory=Counter)
    """Services of actions that were denied because nobody named the service for the agent."""

    @property
    def cases(self) -> int:
        """How many cases there were."""
        return sum(row.cases for row in self.rows.values())

    def add(self, verdict: CaseVerdict) -> None:
        """Count one case."""
        row = self.rows.setdefault((verdict.case.source, verdict.case.label), Row())
        row.cases += 1
        setattr(row, verdict.word, getattr(row, verdict.word) + 1)
        row.undecoded += verdict.undecoded
        row.actions += len(verdict.judged)
        self.local += not verdict.judged
        for note in verdict.reading.notes:
            self.notes[note if note in self.notes or len(self.notes) < REASONS_MAX else "other notes"] += 1
        for recorded in verdict.reading.actions:
            if recorded.wire is not None:
                self.wire["written" if recorded.wire else "from_model"] += 1
        for item in verdict.judged:
            self._action(verdict.case, item, row)

    def _action(self, case: Case, item: Judged, row: Row) -> None:
        self.rules.update(item.result.rules or tuple({reason.code for reason in item.result.reasons}))
        high = item.estimate.high(Unit.USD_MICROS)
        if high is not None:
            row.usd_micros_high += high
            self.dollars[item.result.kind.value] += high
        elif item.estimate.unknown(Unit.USD_MICROS):
            self.unpriced += 1
        if item.result.kind is VerdictKind.REQUIRE_APPROVAL:
            self.asked += 1
            self.questions.update(kind.value for kind in item.action.classes - QUIET)
        elif UNNAMED in item.result.rules and not item.action.undecodable:
            service = item.action.service
            self.unnamed[service if service in self.unnamed or len(self.unnamed) < REASONS_MAX else OTHER_SERVICES] += 1
        if item.action.undecodable:
            reason = item.action.reason or "it could not be decoded"
            known = reason in self.reasons or len(self.reasons) < REASONS_MAX
            self.reasons[reason if known else OTHER_REASONS] += 1
            if known:
                self.first.setdefault(reason, case.id)

    def document(self) -> dict[str, Any]:
        """The JSON form, without what only the caller knows."""
        sources: dict[str, dict[str, dict[str, int]]] = {}
        for (source, label), row in sorted(self.rows.items()):
            sources.setdefault(source, {})[label] = row.document()
        written = self.wire["written"]
        through = sum(self.wire.values())
        return {
            "sources": sources,
            "rules": dict(self.rules.most_common()),
            "questions": {"total": self.asked, "by_class": dict(self.questions.most_common())},
            "usd_micros_high": {kind.value: self.dollars[kind.value] for kind in VerdictKind},
            "unpriced": self.unpriced,
            "local": self.local,
            "wire": {
                "actions": through,
                "written_and_read_back": written,
                "share": round(written / through, 4) if through else None,
            },
            "unnamed": dict(self.unnamed.most_common()),
            "undecoded": [
                {"reason": reason, "count": count, "first": self.first.get(reason, "")}
                for reason, count in self.reasons.most_common()
            ],
            "notes": dict(self.notes.most_common()),
        }
