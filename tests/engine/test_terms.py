"""Terms: whatever is opened, paid on and ended, no money appears, none vanishes, and what is used is what time says."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count

from hypothesis import given
from hypothesis import strategies as st

from comptroller.core.action import Action, ActionClass
from comptroller.core.budget import Account, Budget, BudgetState, budget_states
from comptroller.core.estimate import Unit
from comptroller.core.holding import Holding, HoldingState, over, split
from comptroller.core.made import Made
from comptroller.core.reservation import (
    AccountDelta,
    Reservation,
    ReservationState,
    dispatch_deltas,
    lines_for,
    settle_deltas,
)
from comptroller.core.window import Window
from comptroller.engine import terms

NOW = datetime(2026, 11, 30, 23, 30, tzinfo=UTC)
SCOPES = ("acme", "acme/ml", "acme/ml/bot", "acme/ml/bot/r")
ACTION = Action(
    operation="aws:ec2:RunInstances",
    service="aws:ec2",
    classes=frozenset({ActionClass.PROVISION}),
    account="123456789012",
    region="us-east-1",
    endpoint="ec2.us-east-1.amazonaws.com",
    agent="bot",
    run="r",
)
WHOSE = terms.Whose(path=SCOPES[-1], owner="ann", approver="ben")


class Books:
    """Accounts as a store keeps them."""

    def __init__(self, limit: int = 10**15) -> None:
        self.accounts: dict[tuple[str, str, str, str], Account] = {}
        windows = (Window.TOTAL, Window.MONTH, Window("rolling:24h"))
        units = (Unit.USD_MICROS, Unit.MILLIWATT_HOURS)
        self.budgets = [
            Budget(scope=scope, unit=unit, window=window, limit=limit)
            for scope in SCOPES
            for unit in units
            for window in windows
        ]
        self.budgets += [
            Budget(scope=s, unit=Unit.USD_MICROS_PER_HOUR, window=Window.TOTAL, limit=limit) for s in SCOPES
        ]
        self.ids = (f"id-{n}" for n in count())

    def states(self, now: datetime) -> tuple[BudgetState, ...]:
        return budget_states(self.budgets, now, lambda keys: {k: self.accounts[k] for k in keys if k in self.accounts})

    def write(self, deltas: tuple[AccountDelta, ...]) -> None:
        for n in deltas:
            key = (n.scope, n.unit.value, n.window, n.start)
            old = self.accounts.get(key, Account())
            new = old + Account(settled=n.settled, dispatched=n.dispatched, reserved=n.reserved, suspense=n.suspense)
            assert min(new.settled, new.dispatched, new.reserved, new.suspense) >= 0, key
            self.accounts[key] = new

    def new_id(self) -> str:
        return next(self.ids)

    def sums(self, unit: Unit = Unit.USD_MICROS) -> Account:
        """Over all windows of one scope's `total` account; every scope has the same."""
        found = {s: self.accounts.get((s, unit.value, "total", ""), Account()) for s in SCOPES}
        assert len(set(found.values())) == 1, found
        return found["acme"]

    def open(
        self, rate: int | None, once: int, shares: list[int], at: datetime = NOW
    ) -> tuple[list[Holding], dict[str, Reservation]]:
        usd = once + (over(rate, 3600) if rate is not None else 0)
        amounts = {Unit.USD_MICROS: usd, Unit.MILLIWATT_HOURS: 900}
        if rate is not None:
            amounts[Unit.USD_MICROS_PER_HOUR] = rate
        paid = Reservation(
            id="paid", run="r", agent="bot", operation=ACTION.operation, digest="d", retry_token="",
            state=ReservationState.DISPATCHED, amounts=amounts, lines=lines_for(self.states(at), amounts),
            created_at=at,
        )  # fmt: skip
        self.write(dispatch_deltas(paid))
        before = {unit: self.sums(unit).taken for unit in amounts}
        made = [
            Made(kind="aws:ec2:instance", resource=f"i-{n}", account="1", region="us-east-1", endpoint="e", share=share)
            for n, share in enumerate(shares)
        ]
        payment, left = terms.opening(
            paid, amounts, made, action=ACTION, whose=WHOSE, known={}, now=at, new_id=self.new_id
        )
        self.write((*settle_deltas(paid, left), *payment.accounts))
        assert {unit: self.sums(unit).taken for unit in amounts} == before, "opening moves money, no more"
        return list(payment.holdings), {item.id: item for item in payment.reservations}


@given(st.integers(0, 10**12), st.lists(st.integers(0, 100), min_size=1, max_size=9))
def test_parts_are_together_the_whole(amount: int, shares: list[int]) -> None:
    parts = split(amount, shares)
    assert sum(parts) == amount and len(parts) == len(shares) and min(parts) >= 0
    assert all(not part for part, share in zip(parts, shares, strict=True) if not share and sum(shares))


@given(
    rate=st.integers(1, 10**10),
    once=st.integers(0, 10**6),
    shares=st.lists(st.integers(0, 4), min_size=1, max_size=4),
    steps=st.lists(st.integers(0, 9000), max_size=12),
)
def test_what_is_spent_is_what_time_says(rate: int, once: int, shares: list[int], steps: list[int]) -> None:
    books = Books()
    holdings, reserved = books.open(rate, once, shares)
    now = NOW
    for seconds in steps:
        now += timedelta(seconds=seconds)
        for n, holding in enumerate(holdings):
            if not holding.term_reservation:
                continue
            payment = terms.paid_on(
                holding, reserved[holding.term_reservation], books.states(now), now=now, new_id=books.new_id,
                seconds=3600, force=False,
            )  # fmt: skip
            assert payment is not None
            books.write(payment.accounts)
            reserved |= {item.id: item for item in payment.reservations}
            holdings[n] = payment.holdings[0]
    for n, holding in enumerate(holdings):
        payment = terms.ended(
            holding, reserved.get(holding.term_reservation), books.states(now), state=HoldingState.CLOSED, why="",
            now=now, new_id=books.new_id,
        )  # fmt: skip
        books.write(payment.accounts)
        holdings[n] = payment.holdings[0]
    account = books.sums()
    seconds = (now - NOW).total_seconds()
    slack = (len(steps) + 2) * len(shares) * (rate // 3600 + 3)
    assert account.reserved == account.dispatched == 0 and books.sums(Unit.USD_MICROS_PER_HOUR).taken == 0
    assert 0 <= account.settled - once - int(rate * seconds / 3600) <= slack
    assert account.settled == once + sum(holding.settled_usd_micros for holding in holdings)


@given(rate=st.integers(1, 10**9), seconds=st.integers(0, 20_000), room=st.integers(0, 10**9))
def test_a_term_is_set_aside_only_where_it_fits(rate: int, seconds: int, room: int) -> None:
    books = Books()
    (holding,), reserved = books.open(rate, 0, [1])
    now = NOW + timedelta(seconds=seconds)
    limit = books.sums().taken + room
    books.budgets = [replace(b, limit=limit) if b.unit is Unit.USD_MICROS else b for b in books.budgets]
    term = reserved[holding.term_reservation]
    pay = {"now": now, "new_id": books.new_id, "seconds": 3600}
    payment = terms.paid_on(holding, term, books.states(now), **pay, force=False)  # type: ignore[arg-type]
    if payment is not None:
        books.write(payment.accounts)
        assert books.sums().taken <= limit
    forced = terms.paid_on(holding, term, books.states(now), **pay, force=True)  # type: ignore[arg-type]
    assert forced is not None and forced.holdings[0].paid_until == now + timedelta(hours=1)


def test_a_new_month_pays_from_the_first_renewal_in_it() -> None:
    books = Books()
    (holding,), reserved = books.open(3_600_000, 0, [1])
    now = NOW + timedelta(minutes=50)
    payment = terms.paid_on(
        holding, reserved[holding.term_reservation], books.states(now), now=now, new_id=books.new_id, seconds=3600,
        force=False,
    )  # fmt: skip
    assert payment is not None
    books.write(payment.accounts)
    old = books.accounts["acme", "usd_micros", "month", "2026-11"]
    new = books.accounts["acme", "usd_micros", "month", "2026-12"]
    assert old.reserved == 0 and 3_000_000 <= old.settled <= 3_001_000
    assert new == Account(reserved=3_600_000)


def test_what_nobody_can_price_is_paid_for_once() -> None:
    books = Books()
    (holding,), reserved = books.open(None, 5_000_000, [1])
    assert holding.rate_usd_micros_per_hour is None and books.sums().reserved == 5_000_000
    now, term = NOW + timedelta(minutes=55), reserved[holding.term_reservation]
    arguments = {"now": now, "new_id": books.new_id, "seconds": 3600}
    assert terms.paid_on(holding, term, books.states(now), **arguments, force=False) is None  # type: ignore[arg-type]
    gone = terms.ended(
        holding, term, books.states(now), state=HoldingState.CLOSED, why="", now=now, new_id=books.new_id
    )
    books.write(gone.accounts)
    assert books.sums() == Account(settled=5_000_000), "nothing proves that it cost less"


def test_the_same_name_in_another_cluster_is_another_thing() -> None:
    one, other = (
        Made(kind="kubernetes:apps/deployments", resource="default/web", account="", region="", endpoint=host)
        for host in ("https://a.example:6443", "https://b.example:6443")
    )
    assert terms.key_of(one) != terms.key_of(other)


@given(rate=st.integers(3600, 10**9), length=st.sampled_from([300, 3600]), seconds=st.integers(0, 5000))
def test_a_term_cut_short_is_used_for_as_long_as_it_lasted(rate: int, length: int, seconds: int) -> None:
    amounts = {Unit.USD_MICROS: over(rate, length), Unit.USD_MICROS_PER_HOUR: rate}
    term = Reservation(
        id="t", run="r", agent="bot", operation="x", digest="", retry_token="", state=ReservationState.RESERVED,
        amounts=amounts, lines=(), created_at=NOW,
    )  # fmt: skip
    used = terms.cut_short(term, NOW + timedelta(seconds=seconds))
    lasted = min(seconds, length)
    assert used[Unit.USD_MICROS_PER_HOUR] == 0
    assert rate * lasted // 3600 <= used[Unit.USD_MICROS] <= min(amounts[Unit.USD_MICROS], over(rate, lasted + 20))
