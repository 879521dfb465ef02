"""Budgets: limits over nested scopes, and the room they leave. Nothing here reads a clock."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from comptroller.core.estimate import UNITS_NEEDING_A_BUDGET, Unit
from comptroller.core.window import Window

THRESHOLD_PERCENTS = (50, 80, 100)
"""Of a limit: crossing one is told, and recorded with the action that did."""
BUDGET_RULE_PREFIX = "comptroller:over-budget:"
"""The rule that asks people for what a budget with `on_exceed: require_approval` has no room for."""

AccountKey = tuple[str, str, str, str]
"""(scope, unit, window, start): what makes an account unique."""


class OnExceed(StrEnum):
    """What becomes of an action that a budget has no room for."""

    DENY = "deny"
    REQUIRE_APPROVAL = "require_approval"


def scopes_of(path: str) -> tuple[str, ...]:
    """`acme/ml/research/RUN` -> (`acme`, `acme/ml`, `acme/ml/research`, `acme/ml/research/RUN`)."""
    parts = path.split("/")
    return tuple("/".join(parts[: depth + 1]) for depth in range(len(parts)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """A limit for one scope, unit and window; `limit` is in the unit's integers."""

    scope: str
    unit: Unit
    window: Window
    limit: int
    on_exceed: OnExceed = OnExceed.DENY
    key: tuple[str, str, str] = field(init=False, compare=False, repr=False)
    """What makes a budget unique; made once, since every decision asks for it many times."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", (self.scope, self.unit.value, self.window.value))

    @property
    def rule(self) -> str:
        """The rule under which people are asked where it has no room."""
        return BUDGET_RULE_PREFIX + ":".join(self.key)

    def accounts(self, now: datetime) -> tuple[AccountKey, ...]:
        """The accounts that count against it at `now`; the first is the one that is written to."""
        return tuple((*self.key, start) for start in self.window.starts(now))


def check_window(budget: Budget) -> None:
    """Raise ValueError for a window that means nothing for its unit: what stands at the same time has none."""
    if budget.unit is Unit.USD_MICROS_PER_HOUR and budget.window != Window.TOTAL:
        raise ValueError("a limit on what stands at the same time has no window: write `total`")


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What a budget's window holds. The four never sum to more than the limit while estimates are upper bounds, but
    for what people let pass beyond it. `reserved` is what holdings are paid for and have not used yet."""

    settled: int = 0
    dispatched: int = 0
    reserved: int = 0
    suspense: int = 0

    @property
    def taken(self) -> int:
        """Everything that is spent or may yet prove to be."""
        return self.settled + self.dispatched + self.reserved + self.suspense

    def __add__(self, other: Account) -> Account:
        """Both together."""
        return Account(
            settled=self.settled + other.settled,
            dispatched=self.dispatched + other.dispatched,
            reserved=self.reserved + other.reserved,
            suspense=self.suspense + other.suspense,
        )


NOTHING = Account()


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetState:
    """A budget and what counts against it now; `start` is the key of the account that is written to."""

    budget: Budget
    start: str
    account: Account

    @property
    def room(self) -> int:
        """What is left; negative after a truth larger than its estimate, a yes beyond it, or a lowered limit."""
        return self.budget.limit - self.account.taken

    def crossed(self, amount: int) -> int:
        """The highest of `THRESHOLD_PERCENTS` that taking `amount` more reaches or passes; 0 for none."""
        taken, limit = self.account.taken, self.budget.limit
        before, after = taken * 100, (taken + amount) * 100
        if after < THRESHOLD_PERCENTS[0] * limit:
            return 0
        return max((p for p in THRESHOLD_PERCENTS if before < p * limit <= after), default=0)


AccountsOf = Callable[[Sequence[AccountKey]], Mapping[AccountKey, Account]]
"""The accounts that exist among the keys."""


def budget_states(budgets: Iterable[Budget], now: datetime, accounts_of: AccountsOf) -> tuple[BudgetState, ...]:
    """Each budget with what counts against it at `now`, in the order of their keys."""
    keyed = [(budget, budget.accounts(now)) for budget in sorted(budgets, key=lambda budget: budget.key)]
    known = accounts_of([key for _, keys in keyed for key in keys])
    return tuple(
        BudgetState(budget=budget, start=keys[0][3], account=_sum([known[key] for key in keys if key in known]))
        for budget, keys in keyed
    )


def _sum(accounts: Sequence[Account]) -> Account:
    return accounts[0] if len(accounts) == 1 else sum(accounts, NOTHING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortage:
    """Why an action does not fit: `state` names the budget, or None where a needed row is missing for `unit`."""

    unit: Unit
    wanted: int
    state: BudgetState | None

    @property
    def asks(self) -> bool:
        """Whether people may let it pass all the same."""
        return self.state is not None and self.state.budget.on_exceed is OnExceed.REQUIRE_APPROVAL


def rooms(states: Iterable[BudgetState]) -> dict[Unit, int]:
    """What is left per unit on a whole path: the smallest room of any of its budgets, never below nothing."""
    left: dict[Unit, int] = {}
    for row in states:
        unit = row.budget.unit
        left[unit] = max(0, min(row.room, left.get(unit, row.room)))
    return left


def shortages(states: Iterable[BudgetState], wanted: Mapping[Unit, int]) -> tuple[Shortage, ...]:
    """Every budget that has no room for `wanted`, and every needed unit without any row on the path."""
    rows = tuple(states)
    found = [
        Shortage(unit=row.budget.unit, wanted=wanted[row.budget.unit], state=row)
        for row in rows
        if row.budget.unit in wanted and row.room < wanted[row.budget.unit]
    ]
    covered = {row.budget.unit for row in rows}
    missing = [
        Shortage(unit=unit, wanted=amount, state=None)
        for unit, amount in wanted.items()
        if unit in UNITS_NEEDING_A_BUDGET and unit not in covered
    ]
    return tuple(found + missing)
