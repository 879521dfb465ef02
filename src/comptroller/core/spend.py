"""What was spent, held and left unconfirmed, folded out of the log's entries by any grouping. Never raises on an entry.

An action counts at the time, and in the day, of its allow: where its budgets hold it too, however late it settles.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Protocol, TypeVar

from comptroller.core.escrow import SHARE_OPERATION
from comptroller.core.estimate import Unit

V = TypeVar("V")

SPEND_UNITS = (
    Unit.USD_MICROS,
    Unit.CALLS,
    Unit.TOKENS,
    Unit.MILLIWATT_HOURS,
    Unit.MILLIGRAMS_CO2E,
    Unit.GPU_SECONDS,
    Unit.EGRESS_BYTES,
)
"""Units that add up over time. A standing rate does not: it is what stands at one moment."""
_UNITS: Mapping[str, Unit] = {unit.value: unit for unit in SPEND_UNITS}


class Dimension(StrEnum):
    """What spend may be grouped by. Days are UTC; weeks are ISO 8601's, and begin on Monday."""

    TEAM = "team"
    AGENT = "agent"
    RUN = "run"
    SERVICE = "service"
    OPERATION = "operation"
    REGION = "region"
    ACCOUNT = "account"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    OWNER = "owner"
    APPROVER = "approver"


TIMES = frozenset({Dimension.DAY, Dimension.WEEK, Dimension.MONTH})
_ORDER = tuple(Dimension)
_PLACE: Mapping[Dimension, int] = {dimension: place for place, dimension in enumerate(_ORDER)}


class Standing(StrEnum):
    """How sure an amount is: `settled` is what it cost, `held` what it may yet cost, and `unconfirmed` what it may
    have cost (suspense). Both of the latter are upper bounds."""

    SETTLED = "settled"
    HELD = "held"
    UNCONFIRMED = "unconfirmed"


@dataclass(frozen=True, slots=True)
class Charge:
    """What one reservation counts as now. `place` has a value for every `Dimension`, in its order; `moved` is what of
    it is paid out of the terms of holdings; one that is not `counted` lies outside the query."""

    place: tuple[str, ...]
    at: str
    standing: Standing
    amounts: Mapping[Unit, int]
    moved: Mapping[Unit, int] = field(default_factory=dict)
    counted: bool = True


@dataclass(frozen=True, slots=True)
class Principal:
    """Whose a run is: its scope path and its owner."""

    path: str
    owner: str


@dataclass(slots=True)
class Tally:
    """One unit's amounts by standing."""

    settled: int = 0
    held: int = 0
    unconfirmed: int = 0

    def add(self, standing: Standing, amount: int) -> None:
        """Count `amount`, which may be negative."""
        match standing:
            case Standing.SETTLED:
                self.settled += amount
            case Standing.HELD:
                self.held += amount
            case Standing.UNCONFIRMED:
                self.unconfirmed += amount

    @property
    def total(self) -> int:
        """Everything that is spent or may prove to be."""
        return self.settled + self.held + self.unconfirmed


@dataclass(slots=True)
class SpendRow:
    """The sums of one group; `key` has a value for each dimension it was grouped by, empty where there is none."""

    key: tuple[str, ...]
    tallies: dict[Unit, Tally] = field(default_factory=lambda: {unit: Tally() for unit in SPEND_UNITS})
    charges: int = 0

    def add(self, charge: Charge, sign: int) -> None:
        """Count a charge (1), or take it back (-1)."""
        self.charges += sign
        for unit, amount in charge.amounts.items():
            self.tallies[unit].add(charge.standing, sign * amount)


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Which actions count: allowed from `since` until before `until` (None: no bound), under `scope` (empty: all)."""

    since: datetime | None = None
    until: datetime | None = None
    scope: str = ""

    def covers(self, at: datetime, path: str) -> bool:
        """Whether an action allowed then, of a run with that path, counts."""
        if (self.since is not None and at < self.since) or (self.until is not None and at >= self.until):
            return False
        return not self.scope or path == self.scope or path.startswith(f"{self.scope}/")


class Grouping:
    """Sums by the values of some dimensions."""

    def __init__(self, by: Sequence[Dimension]) -> None:
        self.by = tuple(by)
        self._places = tuple(_PLACE[dimension] for dimension in self.by)
        self._rows: dict[tuple[str, ...], SpendRow] = {}

    def count(self, charge: Charge, sign: int) -> None:
        """Add a charge, or take it back."""
        self.row(tuple(charge.place[place] for place in self._places)).add(charge, sign)

    def row(self, key: tuple[str, ...]) -> SpendRow:
        """The sums of one group, which begin at nothing."""
        row = self._rows.get(key)
        if row is None:
            row = self._rows[key] = SpendRow(key)
        return row

    def rows(self) -> list[SpendRow]:
        """Every group: the dearest first within the one that holds it; times in their order."""
        dearest: dict[tuple[str, ...], int] = {}
        for row in self._rows.values():
            for depth in range(1, len(row.key) + 1):
                part = row.key[:depth]
                dearest[part] = dearest.get(part, 0) + row.tallies[Unit.USD_MICROS].total

        def order(row: SpendRow) -> list[tuple[int, str]]:
            return [
                (0 if dimension in TIMES else -dearest[row.key[: depth + 1]], row.key[depth])
                for depth, dimension in enumerate(self.by)
            ]

        return sorted(self._rows.values(), key=order)

    def total(self) -> SpendRow:
        """All groups together."""
        whole = SpendRow(())
        for row in self._rows.values():
            whole.charges += row.charges
            for unit, tally in row.tallies.items():
                for standing in Standing:
                    whole.tallies[unit].add(standing, getattr(tally, standing.value))
        return whole


class Remembered(Protocol[V]):
    """What the fold remembers by name: a dictionary, or something that keeps it on disk."""

    def get(self, key: str, /) -> V | None:
        """What was last put there."""
        ...

    def __setitem__(self, key: str, value: V, /) -> None: ...


class Spend:
    """The fold: `take` every entry of the log in order, then read the groupings.

    `charges` and `runs` are what it has to remember of each reservation and run; handed in, so that they may lie on
    disk. `known` says whose an agent's actions are where its run's beginning is not in the log.
    """

    def __init__(
        self,
        groupings: Iterable[Grouping],
        query: Query,
        *,
        charges: Remembered[Charge] | None = None,
        runs: Remembered[Principal] | None = None,
        known: Callable[[str], Principal | None] = lambda _: None,
    ) -> None:
        self.groupings = tuple(groupings)
        self.query = query
        self.first = ""
        self.last = ""
        self._charges: Remembered[Charge] = {} if charges is None else charges
        self._runs: Remembered[Principal] = {} if runs is None else runs
        self._known = known

    def take(self, document: Mapping[str, object]) -> None:
        """Count what one entry (a leaf's document) says."""
        body = document.get("body")
        if not isinstance(body, Mapping):
            return
        kind, run = document.get("kind"), document.get("run")
        if kind == "run.started" and isinstance(run, str):
            self._runs[run] = Principal(path=_text(body.get("path")), owner=_text(body.get("owner")))
            return
        if isinstance(kind, str) and kind.startswith(HOLDING):
            self._terms(document, body)
            return
        if isinstance(kind, str) and kind.startswith(SHARE):
            self._share(document, body)
            return
        reservation = body.get("reservation")
        if isinstance(reservation, str) and reservation:
            before = self._charges.get(reservation)
            self._put(reservation, before, self._charge(document, body, before))

    def _put(self, reservation: str, before: Charge | None, after: Charge | None) -> None:
        if after is None or after == before:
            return
        self._charges[reservation] = after
        if not after.counted:
            return
        for grouping in self.groupings:
            if before is not None:
                grouping.count(before, -1)
            grouping.count(after, 1)
        self.first = min(self.first or after.at, after.at)
        self.last = max(self.last, after.at)

    def _charge(
        self, document: Mapping[str, object], body: Mapping[str, object], before: Charge | None
    ) -> Charge | None:
        """What the entry makes of its reservation; None: nothing that counts."""
        actual, kind = body.get("actual"), _text(document.get("kind"))
        if before is None:
            reserved = body.get("reserved")
            if not isinstance(reserved, Mapping) or kind in _LATER:
                return None
            return self._opened(document, body, _amounts(reserved))
        if body.get("resent") is True:
            # Two answers may come from now on: what was held is what it may have cost.
            return replace(before, standing=Standing.UNCONFIRMED) if before.standing is Standing.HELD else None
        if isinstance(actual, Mapping):
            of_terms = body.get("of_terms")
            moved = _amounts(of_terms) if isinstance(of_terms, Mapping) else before.moved
            amounts = {unit: amount - moved.get(unit, 0) for unit, amount in _amounts(actual).items()}
            return replace(before, standing=Standing.SETTLED, amounts=amounts, moved=moved)
        return replace(before, standing=Standing.UNCONFIRMED) if kind == "action.suspense" else None

    def _terms(self, document: Mapping[str, object], body: Mapping[str, object]) -> None:
        """The terms that an entry of a holding sets aside (`reserved`) or settles (`actual`).

        They belong to the action that brought it about. The first is paid on that action's day, each other on its own.
        """
        terms, creating = body.get("terms"), self._charges.get(_text(body.get("made_by")))
        for term in terms if isinstance(terms, list) else ():
            name = term.get("reservation") if isinstance(term, Mapping) else None
            if not isinstance(name, str) or not name:
                continue
            actual, reserved = term.get("actual"), term.get("reserved")
            standing = Standing.SETTLED if isinstance(actual, Mapping) else Standing.HELD
            found = actual if isinstance(actual, Mapping) else reserved
            if not isinstance(found, Mapping):
                continue
            amounts = _amounts(found)
            before = self._charges.get(name)
            if before is not None:
                self._put(name, before, replace(before, standing=standing, amounts=amounts))
            elif creating is not None and document.get("kind") == OPENED:
                self._put(name, None, replace(creating, standing=standing, amounts=amounts, moved={}))
            elif (opened := self._opened(document, body, amounts, creating)) is not None:
                self._put(name, None, replace(opened, standing=standing))

    def _share(self, document: Mapping[str, object], body: Mapping[str, object]) -> None:
        """Shares for when the store is lost are held until they are given back, or taken anew in another's stead."""
        name, amounts = body.get("share"), body.get("amounts")
        over = body.get("instead_of") if isinstance(amounts, Mapping) else name
        if isinstance(over, str) and (old := self._charges.get(over)) is not None:
            self._put(over, old, replace(old, standing=Standing.SETTLED, amounts={}))
        if isinstance(name, str) and isinstance(amounts, Mapping) and self._charges.get(name) is None:
            self._put(name, None, self._opened(document, {"operation": SHARE_OPERATION}, _amounts(amounts)))

    def _opened(
        self,
        document: Mapping[str, object],
        body: Mapping[str, object],
        amounts: Mapping[Unit, int],
        like: Charge | None = None,
    ) -> Charge | None:
        """A charge that begins with this entry; all but its time is as that of `like`."""
        agent, run, at = _text(document.get("agent")), _text(document.get("run")), _text(document.get("at"))
        moment = _moment(at)
        if moment is None:
            return None
        whose = self._runs.get(run) or self._known(agent) or Principal(path="", owner="")
        parts = whose.path.split("/")
        day, week, month = _days(moment.astimezone(UTC).date())
        people = body.get("approved_by")
        times = {Dimension.DAY: day, Dimension.WEEK: week, Dimension.MONTH: month}
        values = {
            Dimension.TEAM: parts[1] if len(parts) > 2 else "",
            Dimension.AGENT: agent,
            Dimension.RUN: run,
            Dimension.SERVICE: _text(body.get("service")),
            Dimension.OPERATION: _text(body.get("operation")),
            Dimension.REGION: _text(body.get("region")),
            Dimension.ACCOUNT: _text(body.get("account")),
            Dimension.OWNER: whose.owner,
            Dimension.APPROVER: ", ".join(map(str, people)) if isinstance(people, list) else "",
        }
        if like is not None:
            values = dict(zip(_ORDER, like.place, strict=True))
        values |= times
        place = tuple(values[dimension] for dimension in _ORDER)
        return Charge(place, at, Standing.HELD, amounts, counted=self.query.covers(moment, whose.path))


SHARE = "share."
HOLDING = "holding."
"""What the kinds of entries of holdings begin with."""
OPENED = "holding.opened"
_LATER = frozenset({"action.settled", "action.suspense"})
"""What closes a reservation that was opened before: alone it belongs to an action that does not count."""


def _amounts(found: Mapping[str, object]) -> dict[Unit, int]:
    """Amounts by unit; a number too large for JSON comes as `{"$number": text}`."""
    amounts: dict[Unit, int] = {}
    for name, value in found.items():
        unit = _UNITS.get(name)
        if isinstance(value, Mapping):
            text = value.get("$number")
            value = int(text) if isinstance(text, str) and text.isascii() and text.isdigit() else None
        if unit is not None and isinstance(value, int) and not isinstance(value, bool):
            amounts[unit] = value
    return amounts


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


@lru_cache(maxsize=4096)
def _days(day: date) -> tuple[str, str, str]:
    """`2026-11-23` -> (`2026-11-23`, `2026-W48`, `2026-11`)."""
    year, week, _ = day.isocalendar()
    text = day.isoformat()
    return text, f"{year:04d}-W{week:02d}", text[:7]


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None
