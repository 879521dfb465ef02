"""Geometry of the plots of the spend page: numbers in, places of rectangles out. Widths are percent, heights pixels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from comptroller.core.spend import Dimension

PLOT_PIXELS = 200
SMALL_PIXELS = 110
HEAD_PIXELS = 16
"""Room above the tallest column, for its gridline's label."""
COLUMNS_MAX = 62
"""More days than this are shown as weeks, and more weeks as months."""
SERIES_MAX = 6
"""Colours that everybody can tell apart; what is more is one grey."""
OTHER = "other"
GAP = 0.16
"""Of a column's room, what is left free."""
LABELS_MAX = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """One rectangle: `kind` names its colour, `text` what it stands for."""

    kind: str
    x: float
    y: float
    width: float
    height: float
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """A gridline: its height in pixels from above, and the value there."""

    y: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A label below the columns: its middle in percent."""

    x: float
    text: str
    anchor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Stacked columns over time."""

    height: float
    boxes: Sequence[Box]
    levels: Sequence[Level]
    labels: Sequence[Label]


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Amounts over time: one list entry for every name of `times`, stacked in the order of `names`."""

    times: Sequence[str]
    names: Sequence[str]
    amounts: Mapping[str, Sequence[int]]

    def total(self, name: str) -> int:
        """All of one name."""
        return sum(self.amounts[name])


def series_of(
    amounts: Mapping[tuple[str, str], int], *, first: str, last: str, series_max: int = SERIES_MAX
) -> tuple[Dimension, Series]:
    """(day, name) -> amount as a series without gaps, of days, weeks or months; names beyond `series_max` are one."""
    step, times = _times(date.fromisoformat(first), date.fromisoformat(last))
    totals: dict[str, int] = {}
    for (_, name), amount in amounts.items():
        totals[name] = totals.get(name, 0) + amount
    dearest = sorted((name for name, total in totals.items() if total > 0), key=lambda name: (-totals[name], name))
    kept = [name for name in dearest if name != OTHER][:series_max]
    names = [*kept, *([OTHER] if len(dearest) > len(kept) else [])]
    place = {text: number for number, text in enumerate(times)}
    stacked = {name: [0] * len(times) for name in names}
    for (day, name), amount in amounts.items():
        if amount > 0:
            stacked[name if name in kept else OTHER][place[_step_of(date.fromisoformat(day), step)]] += amount
    return step, Series(times=times, names=names, amounts=stacked)


def _times(first: date, last: date) -> tuple[Dimension, list[str]]:
    """Every day from first to last, or every week, or every month: the finest that has no more than `COLUMNS_MAX`."""
    days = [first + timedelta(days=count) for count in range((last - first).days + 1)]
    for step in (Dimension.DAY, Dimension.WEEK):
        times = list(dict.fromkeys(_step_of(day, step) for day in days))
        if len(times) <= COLUMNS_MAX:
            return step, times
    return Dimension.MONTH, list(dict.fromkeys(_step_of(day, Dimension.MONTH) for day in days))


def _step_of(day: date, step: Dimension) -> str:
    match step:
        case Dimension.WEEK:
            year, week, _ = day.isocalendar()
            return f"{year:04d}-W{week:02d}"
        case Dimension.MONTH:
            return day.isoformat()[:7]
        case _:
            return day.isoformat()


def columns(
    series: Series, say: Callable[[int], str], *, height: float = PLOT_PIXELS, labels_max: int = LABELS_MAX
) -> Columns:
    """Stacked columns; `say` puts an amount in words."""
    count = max(len(series.times), 1)
    room = 100 / count
    tops = [sum(series.amounts[name][number] for name in series.names) for number in range(len(series.times))]
    top = nice(max(tops, default=0))
    boxes = []
    for number, time in enumerate(series.times):
        y = height
        for rank, name in enumerate(series.names):
            amount = series.amounts[name][number]
            if not amount:
                continue
            tall = amount / top * (height - HEAD_PIXELS)
            y -= tall
            boxes.append(
                Box(
                    kind=kind_of(name, rank),
                    x=round(number * room + room * GAP / 2, 3),
                    y=round(y, 2),
                    width=round(room * (1 - GAP), 3),
                    height=round(tall, 2),
                    text=f"{time} {name} {say(amount)}".replace("  ", " "),
                )
            )
    levels = [
        Level(y=round(height - share * (height - HEAD_PIXELS), 2), text=_round(say(int(top * share))))
        for share in ((1, 0.5) if top > 1 else (1,))
    ]
    return Columns(
        height=height, boxes=boxes, levels=levels if any(tops) else [], labels=_labels(series.times, labels_max)
    )


def _round(text: str) -> str:
    """`$20.00` -> `$20`: an axis needs no cents that are none."""
    head, found, tail = text.partition(".00")
    return f"{head}{tail}" if found and not tail[:1].isdigit() else text


def kind_of(name: str, rank: int) -> str:
    """Which colour the name at this place of a stack has."""
    return "other" if name == OTHER else f"s{rank % SERIES_MAX}"


def _labels(times: Sequence[str], labels_max: int) -> list[Label]:
    """A few times, the first and the last among them."""
    last = len(times) - 1
    if last <= 0:
        return [Label(x=50, text=text, anchor="middle") for text in times]
    steps = min(labels_max - 1, last)
    chosen = sorted({round(last * step / steps) for step in range(steps + 1)})
    room = 100 / len(times)
    return [
        Label(
            x=0 if place == 0 else 100 if place == last else round((place + 0.5) * room, 2),
            text=times[place],
            anchor="start" if place == 0 else "end" if place == last else "middle",
        )
        for place in chosen
    ]


def nice(amount: int) -> int:
    """The next number with one digit or a half: where an axis ends.

    >>> [nice(amount) for amount in (0, 7, 22, 260, 8_100)]
    [1, 7, 25, 300, 9000]
    """
    if amount < 10:
        return max(amount, 1)
    step: int = 10 ** (len(str(amount)) - 1)
    half = step // 2
    return next(top for top in (*(count * half for count in (2, 3, 4, 5)), *(count * step for count in range(3, 11)))
                if top >= amount)  # fmt: skip


def meter(settled: int, held: int, unconfirmed: int, whole: int) -> list[Box]:
    """A horizontal bar: settled, held and unconfirmed beside each other, in shares of `whole` or of what they are."""
    whole = max(whole, settled + held + unconfirmed, 1)
    boxes, x = [], 0.0
    for kind, amount in (("settled", settled), ("held", held), ("unconfirmed", unconfirmed)):
        width = max(amount, 0) / whole * 100
        if width > 0:
            # What is there can be seen, however little it is.
            width = max(width, 0.4)
            boxes.append(Box(kind=kind, x=round(min(x, 100 - width), 3), y=0, width=round(width, 3), height=0))
            x += width
    return boxes
