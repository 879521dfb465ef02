"""The week in figures, folded out of the log: asked, answered, prevented, frozen. Never raises on an entry."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from statistics import median

from comptroller.core.errors import UsageError

BIGGEST_SHOWN = 5
FROZEN_SHOWN = 5
DIGESTS_MAX = 200_000
"""Different denied actions that are told apart; beyond them each counts."""


def week_of(text: str) -> tuple[datetime, datetime]:
    """`2026-W47` as its first moment and the first one after it, in UTC. Raises `UsageError`."""
    try:
        year, _, week = text.partition("-W")
        if len(year) != 4 or len(week) != 2 or not text.isascii():
            raise ValueError
        monday = date.fromisocalendar(int(year), int(week), 1)
    except ValueError as error:
        raise UsageError(f"`{text}` is not a week", hint="--week 2026-W47 (ISO 8601: weeks begin on Monday)") from error
    begins = datetime(monday.year, monday.month, monday.day, tzinfo=UTC)
    return begins, begins + timedelta(days=7)


def week_before(now: datetime) -> str:
    """The last week that is over."""
    year, week, _ = (now.astimezone(UTC).date() - timedelta(days=7)).isocalendar()
    return f"{year}-W{week:02d}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Big:
    """One action that cost much, at most `usd_micros`. `index` is the entry of its allow."""

    index: int
    agent: str
    operation: str
    usd_micros: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """One freeze or kill. `index` is its entry; what was the reason lies beside it."""

    index: int
    at: str
    word: str
    scope: str
    by: str


@dataclass(slots=True, kw_only=True)
class WeekFold:
    """Takes entries in order. Times count as they stand in the entries; `prevented` counts equal actions of a run
    once, however often they were tried."""

    begins: datetime
    ends: datetime
    asked: int = 0
    approved: int = 0
    rejected: int = 0
    expired: int = 0
    taken_back: int = 0
    self_approved: int = 0
    by_person: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    allowed: int = 0
    denied: int = 0
    prevented: int = 0
    prevented_usd_micros: int = 0
    prevented_unknown: int = 0
    stops: list[Stop] = field(default_factory=list)
    stopped: int = 0
    big: list[Big] = field(default_factory=list)
    _asked_at: dict[str, tuple[datetime, int | None, tuple[str, str]]] = field(default_factory=dict)
    _seen: set[tuple[str, str]] = field(default_factory=set)

    def take(self, index: int, document: Mapping[str, object]) -> None:
        """One entry's leaf, parsed."""
        body, at = document.get("body"), _moment(document.get("at"))
        if not isinstance(body, Mapping) or at is None or at >= self.ends:
            return
        kind, run = str(document.get("kind")), str(document.get("run") or "")
        within = at >= self.begins
        match kind:
            case "action.held":
                cost = _usd(body)
                self._asked_at[str(body.get("approval"))] = (at, cost, (run, str(body.get("digest"))))
                self.asked += within
            case "approval.approved" | "approval.rejected" | "approval.narrowed":
                self._answered(kind, body, at, within)
            case "approval.expired" | "approval.withdrawn":
                asked = self._asked_at.pop(str(body.get("approval")), None)
                if within and asked is not None:
                    self.expired += kind == "approval.expired"
                    self.taken_back += kind == "approval.withdrawn"
                    self._prevent(asked[2], asked[1])
            case "action.allowed" if within:
                self.allowed += 1
                self._spent(index, document, body)
            case "action.denied" if within:
                self.denied += 1
                self._prevent((run, str(body.get("digest"))), _usd(body))
            case "brake.frozen" | "brake.killed" if within:
                self.stopped += 1
                if len(self.stops) < FROZEN_SHOWN:
                    word, when = kind.removeprefix("brake."), f"{at:%a %H:%M}"
                    scope, by = str(body.get("scope") or ""), str(body.get("by") or "")
                    self.stops.append(Stop(index=index, at=when, word=word, scope=scope, by=by))

    @property
    def median_seconds(self) -> float | None:
        """Half of the answers took no longer; None without one."""
        return median(self.seconds) if self.seconds else None

    def _answered(self, kind: str, body: Mapping[str, object], at: datetime, within: bool) -> None:
        asked = self._asked_at.pop(str(body.get("approval")), None)
        if not within:
            return
        self.by_person[str(body.get("by") or "nobody")] += 1
        if kind == "approval.rejected":
            self.rejected += 1
            if asked is not None:
                self._prevent(asked[2], asked[1])
        else:
            self.approved += 1
            self.self_approved += body.get("self_approved") is True
        if asked is not None:
            self.seconds.append(max(0.0, (at - asked[0]).total_seconds()))

    def _prevent(self, key: tuple[str, str], usd_micros: int | None) -> None:
        if key in self._seen:
            return
        if len(self._seen) < DIGESTS_MAX:
            self._seen.add(key)
        self.prevented += 1
        if usd_micros is None:
            self.prevented_unknown += 1
        else:
            self.prevented_usd_micros += usd_micros

    def _spent(self, index: int, document: Mapping[str, object], body: Mapping[str, object]) -> None:
        reserved = body.get("reserved")
        usd = reserved.get("usd_micros") if isinstance(reserved, Mapping) else None
        if not isinstance(usd, int) or usd <= 0 or body.get("resent"):
            return
        item = Big(
            index=index,
            agent=str(document.get("agent") or ""),
            operation=str(body.get("operation") or ""),
            usd_micros=usd,
        )
        self.big = sorted((*self.big, item), key=lambda each: (-each.usd_micros, each.index))[:BIGGEST_SHOWN]


def _usd(body: Mapping[str, object]) -> int | None:
    """The upper bound of what an action would have cost; 0 where money does not apply, None where nobody knows."""
    estimate = body.get("estimate")
    bounds = estimate.get("bounds") if isinstance(estimate, Mapping) else None
    bound = bounds.get("usd_micros") if isinstance(bounds, Mapping) else None
    if not isinstance(bound, list | tuple) or len(bound) != 2:
        return 0
    return bound[1] if isinstance(bound[1], int) else None


def _moment(text: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
