"""How often people are asked per 100 benign actions under the starter pack: one by one, and as a sensible team answers.

What counts, and what such a team does (also in docs/approvals.md):

1. An action asks where the starter pack asks, or where nobody knows its price. Denied actions ask nobody.
2. *Before*: each action that asks is one question.
3. *After*: a run is the work on one service. What asks in it waits together, and is answered as tables of at most
   `ROWS_MAX` rows: one question a table, however few rows it has. Each row is a yes for its own digest, once.
4. After `OFFERED_AFTER` equal yeses (the same pattern) the team gives a standing grant of 20 for the agent, which is
   one question more. Never for `pay`, `entitle`, `destroy`, `blind`, `execute` or `reveal`, and never unpriced.
5. No attack helps to decide anything. Afterwards every attack is held against all that was granted; what a standing
   grant or a yes of a table would release is counted, and has to be none.

The cases are documented examples: nearly none repeats, so that tables do the work here and standing grants nearly none.
A row is still read: `questions_rows_per_table` says how many there are.

    python -m bench.questions --cases DIR [--json]
"""

from __future__ import annotations

import argparse
import gzip
import json
import statistics
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.report import Result, emit
from comptroller.cli.judging import Judge, judge_of
from comptroller.core.action import Action, digest
from comptroller.core.estimate import Estimate, Unit
from comptroller.core.pattern import CLOSED_CLASSES, Pattern, difference, proposed
from comptroller.core.standing import OFFERED_AFTER
from comptroller.core.verdict import VerdictKind
from comptroller.decode.aws.narrow import narrowings
from comptroller.decode.records import case_of, read

CASES = "cloud.jsonl.gz"
ROWS_MAX = 100
"""Of a table that is answered at once: the agents' `questions` are configured to let so many wait."""
GRANT_COUNT = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One action of a case, and whether it asks people."""

    action: Action
    estimate: Estimate
    asks: bool


@dataclass(slots=True)
class Team:
    """What people were asked, and what they granted. `tables` are the rows of each table."""

    tables: list[int] = field(default_factory=list)
    grants: list[tuple[Pattern, int]] = field(default_factory=list)
    yeses: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    digests: set[str] = field(default_factory=set)
    granted: int = 0
    released: int = 0

    def works(self, run: Sequence[Seen]) -> None:
        """One run from its first to its last action."""
        waiting = 0
        for seen in run:
            if not seen.asks or self._stands(seen):
                continue
            waiting += 1
            self.digests.add(digest(seen.action))
            self._yes(seen)
            if waiting == ROWS_MAX:
                self.tables.append(waiting)
                waiting = 0
        if waiting:
            self.tables.append(waiting)

    def _stands(self, seen: Seen) -> bool:
        for position, (pattern, left) in enumerate(self.grants):
            if left and not difference(pattern, seen.action, seen.estimate):
                self.grants[position] = (pattern, left - 1)
                self.released += 1
                return True
        return False

    def _yes(self, seen: Seen) -> None:
        pattern = pattern_of(seen)
        if pattern is None or pattern.classes & {item.value for item in CLOSED_CLASSES}:
            return
        self.yeses[pattern.key] += 1
        if self.yeses[pattern.key] == OFFERED_AFTER:
            self.yeses[pattern.key] = 0
            self.grants.append((pattern, GRANT_COUNT))
            self.granted += 1

    @property
    def questions(self) -> int:
        """Tables answered and standing grants given."""
        return len(self.tables) + self.granted


def pattern_of(seen: Seen) -> Pattern | None:
    """What is like the action, as its question would propose it."""
    counts = frozenset(each.path for each in narrowings(seen.action) if each.counted)
    return proposed(seen.action, seen.estimate, counts)


def actions_of(path: Path, label: str, judge: Judge) -> Iterator[Seen]:
    """Every action of the cases with this label, judged by the starter pack."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for number, line in enumerate(lines):
            case = case_of(json.loads(line), number)
            if case is None or case.label != label:
                continue
            for recorded in read(case, judge.who).actions:
                judged = judge.judge(recorded)
                unpriced = judged.estimate.unknown(Unit.USD_MICROS)
                asks = judged.result.kind is VerdictKind.REQUIRE_APPROVAL or (
                    judged.result.kind is VerdictKind.ALLOW and unpriced
                )
                yield Seen(action=judged.action, estimate=judged.estimate, asks=asks)


def measure(cases: Path) -> list[Result]:
    """The results over `cases`."""
    judge = judge_of(None, None, None)
    benign = list(actions_of(cases, "benign", judge))
    runs: dict[str, list[Seen]] = defaultdict(list)
    for seen in benign:
        runs[seen.action.service].append(seen)
    team = Team()
    for run in runs.values():
        team.works(run)
    attacks = list(actions_of(cases, "attack", judge))
    through = sum(
        digest(seen.action) in team.digests
        or any(not difference(pattern, seen.action, seen.estimate) for pattern, _ in team.grants)
        for seen in attacks
        if seen.asks
    )
    asked = sum(seen.asks for seen in benign)
    return [
        Result(name="questions_per_100_before", value=100 * asked / len(benign), unit="per 100"),
        Result(name="questions_per_100_after", value=100 * team.questions / len(benign), unit="per 100"),
        Result(name="questions_benign_actions", value=len(benign), unit="count"),
        Result(name="questions_tables", value=len(team.tables), unit="count"),
        Result(name="questions_rows_per_table", value=statistics.mean(team.tables or [0]), unit="rows"),
        Result(name="questions_standing_granted", value=team.granted, unit="count"),
        Result(name="questions_standing_released", value=team.released, unit="count"),
        Result(name="questions_attacks_that_ask", value=sum(seen.asks for seen in attacks), unit="count"),
        Result(name="questions_attacks_released", value=through, unit="count"),
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.questions", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--cases", type=Path, required=True, help=f"the folder with {CASES}")
    parser.add_argument("--quick", action="store_true", help="the same: it takes ten seconds")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    emit(measure(options.cases / CASES), options.json)


if __name__ == "__main__":
    main()
