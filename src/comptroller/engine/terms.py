"""The arithmetic of holdings: what a term sets aside, what of it is used, what is given back. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from comptroller.core.action import Action, Value
from comptroller.core.budget import Account, BudgetState, shortages
from comptroller.core.estimate import Unit
from comptroller.core.holding import SECONDS_PER_HOUR, Holding, HoldingState, over, split
from comptroller.core.made import Made
from comptroller.core.reservation import (
    AccountDelta,
    Reservation,
    ReservationState,
    lines_for,
    reserve_deltas,
    settle_deltas,
)
from comptroller.price import TERM_SECONDS_DEFAULT

RATE = Unit.USD_MICROS_PER_HOUR
TIMED = (Unit.USD_MICROS, Unit.GPU_SECONDS, Unit.MILLIWATT_HOURS, Unit.MILLIGRAMS_CO2E)
"""Units that a thing takes more of the longer it lives."""
WALKED_MAX = 20_000
Key = tuple[str, str, str, str, str]
"""(kind, resource, account, region, endpoint): what makes a thing unique. Two clusters may have the same names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Whose:
    """Who answers for what an action made."""

    path: str
    owner: str
    approver: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """One change of the books: what became of holdings and their reservations; `actual` is what was used by then."""

    holdings: tuple[Holding, ...] = ()
    reservations: tuple[Reservation, ...] = ()
    accounts: tuple[AccountDelta, ...] = ()
    actual: Mapping[Unit, int] | None = None


def key_of(thing: Made | Holding) -> Key:
    """What makes it unique."""
    return (thing.kind, thing.resource, thing.account, thing.region, thing.endpoint)


def opening(
    paid: Reservation,
    actual: Mapping[Unit, int],
    things: Sequence[Made],
    *,
    action: Action,
    whose: Whose,
    known: Mapping[Key, Holding],
    now: datetime,
    new_id: Callable[[], str],
) -> tuple[Payment, Mapping[Unit, int]]:
    """What `paid` (settled at `actual`) brought about, each with a first term; and what is left for the action itself.

    The term's money moves from the action's reservation into one for each thing, over the same accounts, so that what
    is taken stays the same. A thing in `known` goes on as it was, at its new rate.
    """
    rate = actual.get(RATE, paid.amounts[RATE]) if RATE in paid.amounts else None
    term = {unit: actual[unit] for unit in TIMED if actual.get(unit)}
    if rate is not None and Unit.USD_MICROS in term:
        term[Unit.USD_MICROS] = min(term[Unit.USD_MICROS], over(rate, TERM_SECONDS_DEFAULT))
    shares = [thing.share for thing in things]
    parts = {unit: split(amount, shares) for unit, amount in ({**term, RATE: rate} if rate else term).items()}
    holdings, reservations = [], []
    for number, thing in enumerate(things):
        amounts = {unit: part[number] for unit, part in parts.items() if part[number]}
        reserved = _reserved(paid, amounts, new_id(), now) if amounts else None
        holding = _holding(thing, paid, action, whose, now, new_id())
        if (before := known.get(key_of(thing))) is not None:
            holding = replace(holding, id=before.id, opened_at=before.opened_at, run=before.run, path=before.path,
                              agent=before.agent, owner=before.owner, tagged=before.tagged,
                              created=before.created, settled_usd_micros=before.settled_usd_micros)  # fmt: skip
        share = parts.get(RATE, (0,) * len(things))[number]
        holdings.append(
            replace(
                holding,
                rate_usd_micros_per_hour=None if rate is None and amounts else share,
                term_reservation=reserved.id if reserved is not None else "",
            )
        )
        reservations += [reserved] if reserved is not None else []
    left = {**actual, **{unit: actual[unit] - amount for unit, amount in term.items()}}
    if RATE in paid.amounts:
        left[RATE] = 0
    accounts = tuple(delta for reserved in reservations for delta in reserve_deltas(reserved))
    return Payment(holdings=tuple(holdings), reservations=tuple(reservations), accounts=accounts), left


def paid_on(
    holding: Holding,
    term: Reservation,
    budgets: tuple[BudgetState, ...],
    *,
    now: datetime,
    new_id: Callable[[], str],
    seconds: int,
    force: bool,
) -> Payment | None:
    """The next term of `seconds` from `now` on, the one before it settled at what was used, and the time between them.

    None where the budgets have no room for it, unless `force` says that the truth is to be recorded all the same; and
    where nobody knows the rate. A thing whose rate is unknown has used all that was set aside.
    """
    done = _used(holding, term, now)
    gap = _between(holding, term, budgets, now, new_id)
    base = Payment(
        reservations=(done[0], *([gap] if gap is not None else [])),
        accounts=(*done[1], *(_settled_at_once(gap) if gap is not None else ())),
    )
    spent = _plus(done[0].actual, gap.actual if gap is not None else {})
    rate = holding.rate_usd_micros_per_hour
    after = replace(holding, settled_usd_micros=holding.settled_usd_micros + spent.get(Unit.USD_MICROS, 0))
    if rate is None:
        if not force:
            return None
        return replace(base, holdings=(replace(after, term_reservation=""),), actual=spent)
    wanted = _scaled(term.amounts, seconds, holding.term_seconds) | {Unit.USD_MICROS: over(rate, seconds), RATE: rate}
    if not force and shortages(with_changes(budgets, base.accounts, now), wanted):
        return None
    following = Reservation(
        id=new_id(),
        run=holding.run,
        agent=holding.agent,
        operation=holding.operation,
        digest="",
        retry_token="",
        state=ReservationState.RESERVED,
        amounts=wanted,
        lines=lines_for(budgets, wanted),
        created_at=now,
        approval=term.approval,
    )
    renewed = replace(
        after,
        term_reservation=following.id,
        term_seconds=seconds,
        paid_until=now + timedelta(seconds=seconds),
    )
    return Payment(
        holdings=(renewed,),
        reservations=(*base.reservations, following),
        accounts=(*base.accounts, *reserve_deltas(following)),
        actual=spent,
    )


def ended(
    holding: Holding,
    term: Reservation | None,
    budgets: tuple[BudgetState, ...],
    *,
    state: HoldingState,
    why: str,
    now: datetime,
    new_id: Callable[[], str],
) -> Payment:
    """It costs no more: its term is settled at what was used, the rest is given back."""
    over_now = replace(holding, state=state, state_at=now, why=why, term_reservation="")
    if term is None or term.state is not ReservationState.RESERVED:
        return Payment(holdings=(over_now,), actual={})
    done = _used(holding, term, now)
    gap = _between(holding, term, budgets, now, new_id)
    spent = _plus(done[0].actual, gap.actual if gap is not None else {})
    settled = holding.settled_usd_micros + spent.get(Unit.USD_MICROS, 0)
    return Payment(
        holdings=(replace(over_now, settled_usd_micros=settled),),
        reservations=(done[0], *([gap] if gap is not None else [])),
        accounts=(*done[1], *(_settled_at_once(gap) if gap is not None else ())),
        actual=spent,
    )


def cut_short(term: Reservation, now: datetime) -> dict[Unit, int]:
    """What of a term is used that ends at `now` because another took its place; its own rate says how long it was."""
    rate = term.amounts.get(RATE)
    length = term.amounts.get(Unit.USD_MICROS, 0) * SECONDS_PER_HOUR // rate if rate else TERM_SECONDS_DEFAULT
    seconds = max(0, int((now - term.created_at).total_seconds())) + 1
    return {
        unit: 0 if unit is RATE else min(amount, -(-amount * seconds // max(length, 1)))
        for unit, amount in term.amounts.items()
    }


def carries_run(action: Action) -> bool:
    """Whether the action's parameters name its run: nothing but our tags does."""
    waiting: list[Value] = [dict(action.parameters)]
    for _ in range(WALKED_MAX):
        if not waiting:
            return False
        value = waiting.pop()
        if value == action.run:
            return True
        if isinstance(value, Mapping):
            waiting += value.values()
        elif isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray):
            waiting += value
    return False


def with_changes(
    budgets: Iterable[BudgetState], changes: Iterable[AccountDelta], now: datetime
) -> tuple[BudgetState, ...]:
    """The budgets as they will be after `changes`, as far as these count at `now`."""
    found = []
    for state in budgets:
        account = state.account
        starts = set(state.budget.window.starts(now))
        for n in changes:
            if (n.scope, n.unit.value, n.window) == state.budget.key and n.start in starts:
                account = account + Account(
                    settled=n.settled, dispatched=n.dispatched, reserved=n.reserved, suspense=n.suspense
                )
        found.append(replace(state, account=account))
    return tuple(found)


# ---------------------------------------------------------------- within


def _holding(thing: Made, paid: Reservation, action: Action, whose: Whose, now: datetime, holding_id: str) -> Holding:
    return Holding(
        id=holding_id,
        kind=thing.kind,
        resource=thing.resource,
        account=thing.account,
        region=thing.region,
        endpoint=thing.endpoint,
        agent=paid.agent,
        run=paid.run,
        path=whose.path,
        owner=whose.owner,
        approver=whose.approver,
        operation=paid.operation,
        reservation=paid.id,
        rate_usd_micros_per_hour=0,
        opened_at=now,
        paid_until=now + timedelta(seconds=TERM_SECONDS_DEFAULT),
        term_seconds=TERM_SECONDS_DEFAULT,
        state=HoldingState.LIVE,
        state_at=now,
        tagged=carries_run(action),
        created=thing.created,
    )


def _reserved(paid: Reservation, amounts: Mapping[Unit, int], term_id: str, now: datetime) -> Reservation:
    return replace(
        paid,
        id=term_id,
        digest="",
        retry_token="",
        state=ReservationState.RESERVED,
        amounts=amounts,
        lines=tuple(replace(n, amount=amounts[n.unit]) for n in paid.lines if n.unit in amounts),
        created_at=now,
        actual={},
    )


def _used(holding: Holding, term: Reservation, now: datetime) -> tuple[Reservation, tuple[AccountDelta, ...]]:
    """The term settled at what was used of it by `now`; its rate stands no more."""
    used = {unit: 0 if unit is RATE else holding.used(now, amount) for unit, amount in term.amounts.items()}
    return replace(term, state=ReservationState.SETTLED, actual=used), settle_deltas(term, used)


def _between(
    holding: Holding, term: Reservation, budgets: tuple[BudgetState, ...], now: datetime, new_id: Callable[[], str]
) -> Reservation | None:
    """The time from the end of the term until `now`, in which nothing was set aside: recorded as spent."""
    seconds = int((now - holding.paid_until).total_seconds())
    rate = holding.rate_usd_micros_per_hour
    if seconds <= 0 or not rate:
        return None
    amounts = _scaled(term.amounts, seconds, holding.term_seconds) | {Unit.USD_MICROS: over(rate, seconds)}
    amounts.pop(RATE, None)
    return replace(
        term,
        id=new_id(),
        state=ReservationState.SETTLED,
        amounts=amounts,
        actual=amounts,
        lines=lines_for(budgets, amounts),
        created_at=now,
    )


def _settled_at_once(gap: Reservation) -> tuple[AccountDelta, ...]:
    return tuple(
        AccountDelta(scope=n.scope, unit=n.unit, window=n.window, start=n.start, settled=n.amount) for n in gap.lines
    )


def _scaled(amounts: Mapping[Unit, int], seconds: int, term_seconds: int) -> dict[Unit, int]:
    """Amounts of a term over another time, rounded up."""
    return {
        unit: amount if unit is RATE else -(-amount * seconds // max(term_seconds, 1))
        for unit, amount in amounts.items()
    }


def _plus(some: Mapping[Unit, int], more: Mapping[Unit, int]) -> dict[Unit, int]:
    return {unit: some.get(unit, 0) + more.get(unit, 0) for unit in {**some, **more} if unit is not RATE}
