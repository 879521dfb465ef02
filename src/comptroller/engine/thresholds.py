"""Which soft limits of budgets are crossed (50, 80, 100 %): each is told once a window, by actions and by terms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from comptroller.core.audit import EntryDraft, EntryKind
from comptroller.core.budget import BudgetState
from comptroller.core.estimate import Unit
from comptroller.engine.entries import Scribe
from comptroller.engine.hub import Hub

THRESHOLDS_TOLD_MAX = 10_000
"""Of how many windows it is remembered which threshold was told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """A threshold of a budget that was crossed; `taken` is what counts against the limit from then on."""

    state: BudgetState
    percent: int
    taken: int

    def body(self) -> dict[str, object]:
        """The entry's body."""
        budget = self.state.budget
        return {
            "scope": budget.scope,
            "unit": budget.unit.value,
            "window": budget.window.value,
            "limit": budget.limit,
            "taken": self.taken,
            "percent": self.percent,
        }


class Thresholds:
    """Tells once per window: what is given back and spent again is no news. After a restart it may be told again."""

    def __init__(self, *, scribe: Scribe, hub: Hub) -> None:
        self._scribe = scribe
        self._hub = hub
        self._told: dict[tuple[str, ...], int] = {}

    def crossed(self, budgets: Sequence[BudgetState], more: Mapping[Unit, int]) -> tuple[Crossing, ...]:
        """The thresholds that taking `more` crosses and that were not told of yet."""
        return self._found([(state, more.get(state.budget.unit, 0)) for state in budgets])

    def between(self, before: Sequence[BudgetState], after: Sequence[BudgetState]) -> tuple[Crossing, ...]:
        """The thresholds that lie between the same budgets before and after a change, and were not told of yet."""
        pairs = zip(before, after, strict=True)
        return self._found([(old, new.account.taken - old.account.taken) for old, new in pairs])

    def drafts(self, crossings: Sequence[Crossing], *, agent: str, run: str, at: datetime) -> tuple[EntryDraft, ...]:
        """The entries that tell of them; they belong into the change that crosses."""
        return tuple(
            self._scribe.draft(EntryKind.BUDGET_THRESHOLD, at=at, agent=agent, run=run, body=each.body())
            for each in crossings
        )

    def publish(self, crossings: Sequence[Crossing], indices: Sequence[int], *, agent: str, run: str) -> None:
        """What `drafts` wrote is durable, at these indices."""
        for crossing, index in zip(crossings, indices, strict=False):
            if len(self._told) >= THRESHOLDS_TOLD_MAX:
                self._told.clear()
            self._told[(*crossing.state.budget.key, crossing.state.start)] = crossing.percent
            told = {"index": index, "agent": agent, "run": run, **crossing.body()}
            self._hub.publish(EntryKind.BUDGET_THRESHOLD.value, told)

    def _found(self, taking: Sequence[tuple[BudgetState, int]]) -> tuple[Crossing, ...]:
        found = []
        for state, amount in taking:
            percent = state.crossed(amount)
            if percent > self._told.get((*state.budget.key, state.start), 0):
                found.append(Crossing(state=state, percent=percent, taken=state.account.taken + amount))
        return tuple(found)
