"""Sums of spend by day and principal that are kept while the server runs: any report of them is a sum of few cells."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from comptroller.core.audit import Entry
from comptroller.core.estimate import Unit
from comptroller.core.spend import Charge, Dimension, Grouping, Principal, Query, Spend, SpendRow, Standing
from comptroller.server.spend.plots import OTHER
from comptroller.server.spend.spill import Spilled, spilled_charges, spilled_runs

CELLS_MAX = 100_000
"""Of one cube; what would be more is counted under `OTHER`."""

_PLACE = {dimension: place for place, dimension in enumerate(Dimension)}
_BY_DAY = (Dimension.DAY, Dimension.TEAM, Dimension.AGENT, Dimension.SERVICE, Dimension.OPERATION)
_BY_RUN = (Dimension.DAY, Dimension.TEAM, Dimension.AGENT, Dimension.SERVICE, Dimension.RUN)
CUBE_DIMENSIONS = tuple(dict.fromkeys((*_BY_DAY, *_BY_RUN)))
"""What can be grouped by; `RUN` and `OPERATION` not at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """Which cells count: days from `since` until before `until` (None: no bound), under a scope's parts."""

    since: date | None = None
    until: date | None = None
    team: str = ""
    agent: str = ""
    run: str = ""

    @property
    def bounds(self) -> tuple[str, str]:
        """As texts that sort as days do."""
        return (
            self.since.isoformat() if self.since is not None else "",
            self.until.isoformat() if self.until is not None else "9999-99-99",
        )


class Cube(Grouping):
    """Cells by some dimensions. What does not fit any more goes where its last dimension is `OTHER`."""

    def __init__(self, by: Sequence[Dimension], cells_max: int = CELLS_MAX) -> None:
        super().__init__(by)
        self._at = tuple(_PLACE[dimension] for dimension in by)
        self._cells: dict[tuple[str, ...], _Cell] = {}
        self._cells_max = cells_max

    @property
    def full(self) -> bool:
        """Whether something may lie under `OTHER`."""
        return len(self._cells) >= self._cells_max

    def count(self, charge: Charge, sign: int) -> None:
        """As `Grouping.count`."""
        key = tuple([charge.place[place] for place in self._at])
        cell = self._cells.get(key)
        if cell is None and self.full:
            # INVARIANT: cells never go, so what was added here is taken back from here.
            key = (*key[:-1], OTHER)
            cell = self._cells.get(key)
        if cell is None:
            cell = self._cells[key] = _Cell()
        cell.charges += sign
        place = _STANDINGS[charge.standing]
        for unit, amount in charge.amounts.items():
            amounts = cell.amounts.get(unit)
            if amounts is None:
                amounts = cell.amounts[unit] = [0, 0, 0]
            amounts[place] += sign * amount

    def summed(self, by: Sequence[Dimension], within: Slice) -> list[SpendRow]:
        """The rows of a report, as `Grouping.rows` has them."""
        places = [self.by.index(dimension) for dimension in by]
        grouped = Grouping(by)
        for key, cell in self._within(within):
            row = grouped.row(tuple([key[place] for place in places]))
            row.charges += cell.charges
            for unit, amounts in cell.amounts.items():
                tally = row.tallies[unit]
                for standing, place in _STANDINGS.items():
                    tally.add(standing, amounts[place])
        return grouped.rows()

    def totals(self, by: Sequence[Dimension], unit: Unit, within: Slice) -> dict[tuple[str, ...], int]:
        """Of one unit all that is settled, held and unconfirmed, for each group."""
        places = [self.by.index(dimension) for dimension in by]
        found: dict[tuple[str, ...], int] = {}
        for key, cell in self._within(within):
            if (amounts := cell.amounts.get(unit)) is not None:
                name = tuple([key[place] for place in places])
                found[name] = found.get(name, 0) + sum(amounts)
        return found

    def _within(self, within: Slice) -> Iterator[tuple[tuple[str, ...], _Cell]]:
        first, end = within.bounds
        wanted = [
            (self.by.index(dimension), value)
            for dimension, value in (
                (Dimension.TEAM, within.team),
                (Dimension.AGENT, within.agent),
                (Dimension.RUN, within.run),
            )
            if value
        ]
        day = self.by.index(Dimension.DAY)
        for key, cell in self._cells.items():
            if first <= key[day] < end and all(key[place] == value for place, value in wanted):
                yield key, cell


class _Cell:
    """The sums of one place: per unit settled, held and unconfirmed."""

    __slots__ = ("amounts", "charges")

    def __init__(self) -> None:
        self.charges = 0
        self.amounts: dict[Unit, list[int]] = {}


_STANDINGS: Mapping[Standing, int] = {standing: place for place, standing in enumerate(Standing)}


class SpendFold:
    """The fold of `core.spend` over a log that goes on, with what pages ask of it."""

    def __init__(self, known: Callable[[str], Principal | None], *, cells_max: int = CELLS_MAX) -> None:
        self._days, self._runs = Cube(_BY_DAY, cells_max), Cube(_BY_RUN, cells_max)
        self._kept: tuple[Spilled[Charge], Spilled[Principal]] = (spilled_charges(), spilled_runs())
        self._spend = Spend((self._days, self._runs), Query(), charges=self._kept[0], runs=self._kept[1], known=known)

    def take(self, entry: Entry) -> None:
        """As `server.following.Fold.take`."""
        self._spend.take(entry.document)

    def summed(self, by: Sequence[Dimension], within: Slice) -> list[SpendRow]:
        """The rows of a report by `CUBE_DIMENSIONS`."""
        return self._cube(by, within).summed(by, within)

    def totals(self, by: Sequence[Dimension], unit: Unit, within: Slice) -> dict[tuple[str, ...], int]:
        """One unit of such a report, all standings together."""
        return self._cube(by, within).totals(by, unit, within)

    def _cube(self, by: Sequence[Dimension], within: Slice) -> Cube:
        return self._runs if within.run or Dimension.RUN in by else self._days

    @property
    def first(self) -> str:
        """When the first action that counts was allowed; empty where none was."""
        return self._spend.first

    @property
    def last(self) -> str:
        """When the last one was."""
        return self._spend.last

    @property
    def full(self) -> bool:
        """Whether there are more runs or operations than are told apart."""
        return self._days.full or self._runs.full

    def close(self) -> None:
        """Let go of the temporary files."""
        for kept in self._kept:
            kept.__exit__(None, None, None)


def days_back(now: datetime, days: int) -> date:
    """The first of the last `days` days (UTC), today among them."""
    return now.astimezone(UTC).date() - timedelta(days=days - 1)
