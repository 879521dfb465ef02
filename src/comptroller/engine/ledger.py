"""Budgets as people set them: each change is an entry with the old and the new limit."""

from __future__ import annotations

from collections.abc import Iterable

from comptroller.core.audit import EntryKind
from comptroller.core.budget import Budget, check_window
from comptroller.core.errors import UsageError
from comptroller.engine.entries import Scribe
from comptroller.engine.hub import Hub
from comptroller.ports import Changes, Clock, Facts, Store, Wants

LIMIT_MAX = 10**18


class Ledger:
    """Sets limits. Spending against them is the sequencer's alone."""

    def __init__(self, *, store: Store, clock: Clock, scribe: Scribe, hub: Hub) -> None:
        self._store = store
        self._clock = clock
        self._scribe = scribe
        self._hub = hub

    async def set_budget(self, budget: Budget, *, by: str) -> Budget:
        """Set one limit. A limit below what is already spent is accepted and leaves no room. Raises `UsageError`."""
        try:
            check_window(budget)
        except ValueError as error:
            raise UsageError(str(error)) from error
        if not 0 <= budget.limit <= LIMIT_MAX:
            raise UsageError(f"`{budget.limit}` is not a limit", hint=f"give a number from 0 to {LIMIT_MAX}")
        now = self._clock.now()

        def decide(facts: Facts) -> tuple[Changes, None]:
            old = next((s.budget for s in facts.budgets if s.budget.key == budget.key), None)
            if old == budget:
                return Changes(), None
            body = {
                "scope": budget.scope,
                "unit": budget.unit.value,
                "window": budget.window.value,
                "limit": budget.limit,
                "on_exceed": budget.on_exceed.value,
                "was": old.limit if old else None,
                "by": by,
            }
            entry = self._scribe.draft(EntryKind.BUDGET_SET, at=now, body=body)
            return Changes(entries=(entry,), budgets=(budget,)), None

        done = await self._store.commit(Wants(now=now, scopes=(budget.scope,)), decide)
        if done.indices:
            self._hub.publish(
                EntryKind.BUDGET_SET.value,
                {"index": done.indices[0], "scope": budget.scope, "limit": budget.limit, "by": by},
            )
        return budget

    async def apply_config(self, budgets: Iterable[Budget], *, by: str) -> int:
        """Set every limit that `comptroller.yaml` names. Returns how many it names."""
        wanted = tuple(budgets)
        for budget in wanted:
            await self.set_budget(budget, by=by)
        return len(wanted)
