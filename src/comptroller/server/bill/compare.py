"""Puts a bill beside our log: what was estimated, settled and billed of each service, what only one of them knows, and
what the bill proves of that which is unconfirmed here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from comptroller.server.bill.item import Item, short_service

RESOURCES_MAX = 100_000
"""Of how many billed things that nobody knows here each is remembered; further ones are counted by service."""
COMPLETE_AFTER = timedelta(days=1)
"""How long lines of a thing may still come in: what is younger than the bill's end by less is never settled by it."""
BILLED_FAMILIES = frozenset({"aws"})


@dataclass(slots=True, kw_only=True)
class Known:
    """One reservation as the log has it. `standing`: `settled`, `held` or `unconfirmed`."""

    id: str
    run: str
    service: str
    account: str
    region: str
    at: datetime
    reserved: int
    settled: int = 0
    standing: str = "held"
    made: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class Line:
    """One service of the report, in micro-dollars. `billed` is usage alone."""

    service: str
    estimated: int = 0
    settled: int = 0
    unconfirmed: int = 0
    billed: int = 0
    tax: int = 0
    credit: int = 0
    unknown: int = 0

    @property
    def difference(self) -> int:
        """Billed beyond what was settled; negative where less was."""
        return self.billed - self.settled


@dataclass(frozen=True, slots=True, kw_only=True)
class Stray:
    """What is billed and nobody knows here."""

    service: str
    account: str
    region: str
    resource: str
    micros: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """An unconfirmed reservation and what the bill says that it cost."""

    reservation: str
    micros: int
    why: str


@dataclass(slots=True, kw_only=True)
class Compared:
    """The whole comparison. `start` and `end` are those of the bill; None where it has no line."""

    lines: Sequence[Line]
    strays: Sequence[Stray]
    unbilled: Sequence[Known]
    proofs: Sequence[Proof]
    items: int
    start: datetime | None
    end: datetime | None


@dataclass(slots=True)
class Comparison:
    """The fold over the lines of one bill. `known` are all reservations that count."""

    known: Sequence[Known]
    _lines: dict[str, Line] = field(default_factory=dict)
    _strays: dict[tuple[str, str, str, str], int] = field(default_factory=dict)
    _by_resource: dict[tuple[str, str], Known] = field(default_factory=dict)
    _runs: dict[tuple[str, str], list[Known]] = field(default_factory=dict)
    _places: set[tuple[str, str]] = field(default_factory=set)
    _unclaimed: dict[tuple[str, str], int] = field(default_factory=dict)
    _claimed: dict[str, int] = field(default_factory=dict)
    _services: set[str] = field(default_factory=set)
    _start: datetime | None = None
    _end: datetime | None = None
    _items: int = 0

    def __post_init__(self) -> None:
        for each in self.known:
            service = short_service(each.service)
            self._runs.setdefault((each.run, service), []).append(each)
            self._places.add((service, each.account))
            for name in each.made:
                self._by_resource[service, _bare(name)] = each

    def take(self, item: Item) -> None:
        """Count one line."""
        self._items += 1
        self._start = item.start if self._start is None else min(self._start, item.start)
        self._end = item.end if self._end is None else max(self._end, item.end)
        line = self._lines.setdefault(item.service, Line(service=item.service))
        if item.kind == "tax":
            line.tax += item.micros
            return
        if item.kind == "credit":
            line.credit += item.micros
            return
        line.billed += item.micros
        self._services.add(item.service)
        found = self._by_resource.get((item.service, _bare(item.resource))) if item.resource else None
        if found is not None:
            self._claimed[found.id] = self._claimed.get(found.id, 0) + item.micros
        elif item.run and (item.run, item.service) in self._runs:
            key = (item.run, item.service)
            self._unclaimed[key] = self._unclaimed.get(key, 0) + item.micros
        elif item.resource or (item.service, item.account) not in self._places:
            line.unknown += item.micros
            self._stray(item)

    def _stray(self, item: Item) -> None:
        key = (item.service, item.account, item.region, item.resource)
        if key not in self._strays and len(self._strays) >= RESOURCES_MAX:
            key = (item.service, item.account, item.region, "")
        self._strays[key] = self._strays.get(key, 0) + item.micros

    def done(self) -> Compared:
        """The comparison, largest amounts first."""
        within = [each for each in self.known if self._covers(each)]
        for each in within:
            service = short_service(each.service)
            if service not in self._lines and each.service.partition(":")[0] not in BILLED_FAMILIES:
                continue
            line = self._lines.setdefault(service, Line(service=service))
            line.estimated += each.reserved
            line.settled += each.settled
            line.unconfirmed += each.reserved if each.standing == "unconfirmed" else 0
        unbilled = [
            each
            for each in within
            if each.settled > 0
            and short_service(each.service) not in self._services
            and each.service.partition(":")[0] in BILLED_FAMILIES
        ]
        strays = (
            Stray(service=key[0], account=key[1], region=key[2], resource=key[3], micros=micros)
            for key, micros in self._strays.items()
            if micros
        )
        return Compared(
            lines=sorted(self._lines.values(), key=lambda line: (-line.billed, line.service)),
            strays=sorted(strays, key=lambda stray: (-stray.micros, stray.service, stray.resource)),
            unbilled=sorted(unbilled, key=lambda each: -each.settled),
            proofs=self._proofs(),
            items=self._items,
            start=self._start,
            end=self._end,
        )

    def _covers(self, each: Known) -> bool:
        return self._start is not None and self._end is not None and self._start <= each.at < self._end

    def _proofs(self) -> list[Proof]:
        """What the bill proves: lines of a thing that is known to be theirs, or of their run and service that belong to
        nothing that is settled. Silence proves nothing, and what is younger than the bill's end may yet be billed."""
        found: list[Proof] = []
        for (run, service), group in sorted(self._runs.items()):
            open_ = [each for each in group if each.standing == "unconfirmed"]
            own = [each for each in open_ if each.id in self._claimed]
            found += [
                Proof(reservation=each.id, micros=self._claimed[each.id], why="lines of what it made")
                for each in own
                if self._over(each)
            ]
            rest = [each for each in open_ if each.id not in self._claimed]
            micros = self._unclaimed.get((run, service), 0)
            busy = any(each.standing == "held" for each in group)
            if not rest or micros <= 0 or busy or not all(self._over(each) for each in rest):
                continue
            shares = _shares(micros, [each.reserved for each in rest])
            text = "lines of its run and service that belong to nothing else"
            found += [
                Proof(reservation=each.id, micros=share, why=text) for each, share in zip(rest, shares, strict=True)
            ]
        return found

    def _over(self, each: Known) -> bool:
        """Whether the bill covers the time of this reservation and went on so long that nothing of it is missing."""
        return self._covers(each) and self._end is not None and each.at + COMPLETE_AFTER <= self._end


def compare(known: Iterable[Known], items: Iterable[Item]) -> Compared:
    """The bill beside what is known here."""
    comparison = Comparison(known=tuple(known))
    for item in items:
        comparison.take(item)
    return comparison.done()


def _shares(whole: int, weights: Sequence[int]) -> list[int]:
    """`whole` by weight, whole numbers, none lost."""
    total = sum(weights) or len(weights)
    weights = weights if sum(weights) else [1] * len(weights)
    shares = [whole * weight // total for weight in weights]
    shares[0] += whole - sum(shares)
    return shares


def _bare(name: str) -> str:
    """The last part of a name: bills write ARNs, answers may write ids."""
    return name.rstrip("/").rpartition("/")[2] if "/" in name else name.rpartition(":")[2]


def totals(lines: Iterable[Line]) -> Mapping[str, int]:
    """Sums over all services."""
    found = dict.fromkeys(
        ("estimated", "settled", "unconfirmed", "billed", "tax", "credit", "unknown", "difference"), 0
    )
    for line in lines:
        for name in found:
            found[name] += getattr(line, name)
    return found
