"""What an action costs: integer bounds per unit. A unit that does not apply is absent; `high = None` is unknown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from comptroller.core.made import Made

USD_MICROS_PER_USD = 1_000_000
PRICE_AGE_DAYS_DEFAULT = 365
"""After how many days a list price counts as old, and its bounds widen."""


class Unit(StrEnum):
    """Integer units of account."""

    USD_MICROS = "usd_micros"
    USD_MICROS_PER_HOUR = "usd_micros_per_hour"
    CALLS = "calls"
    TOKENS = "tokens"
    EGRESS_BYTES = "egress_bytes"
    GPU_SECONDS = "gpu_seconds"
    MILLIWATT_HOURS = "milliwatt_hours"
    MILLIGRAMS_CO2E = "milligrams_co2e"


UNITS_NEEDING_A_BUDGET = frozenset({Unit.USD_MICROS, Unit.CALLS})


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """`low <= true cost <= high`; `high is None` when no upper bound is known."""

    low: int
    high: int | None

    def __post_init__(self) -> None:
        if self.low < 0 or (self.high is not None and self.high < self.low):
            raise ValueError(f"not a bound: ({self.low}, {self.high})")

    @classmethod
    def exactly(cls, amount: int) -> Bound:
        """The bound of a known amount."""
        return cls(low=amount, high=amount)


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Upper bounds of what one action costs. `term_seconds` is how long a standing rate is paid for.

    `basis` says in words where the figures come from, with a date (`AWS on-demand, us-east-1, 2026-09-06`).
    """

    bounds: Mapping[Unit, Bound]
    term_seconds: int | None = None
    basis: str = ""

    def high(self, unit: Unit) -> int | None:
        """Upper bound of `unit`; None where it is unknown *or* the unit does not apply (see `unknown`)."""
        bound = self.bounds.get(unit)
        return bound.high if bound else None

    def unknown(self, unit: Unit) -> bool:
        """True where the unit applies and its upper bound is not known."""
        bound = self.bounds.get(unit)
        return bound is not None and bound.high is None


FREE_CALL = Estimate(bounds={Unit.CALLS: Bound.exactly(1)}, basis="one call")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a response proves: real cost per unit (`None`: the response does not tell), and what was made.

    `ok` is whether the service did it. A failed call costs nothing but its call where `charged` is False.
    `complete` is False when the response was cut before its end: the cost is then a lower bound. `usage` holds what the
    service counted in its own terms (`input_tokens`, `cache_read_tokens`, …), from which the real price follows.
    `opens` names what this action began and later ones carry on (a multipart upload): see `Call.part_of`. `made` are
    names for the log; `holdings` are those things that live on and may cost, each with what is needed to end it.
    `elapsed_milliseconds` is how long the answer took by the gateway's own clock, from the first byte sent to its end,
    rounded up; 0 where nobody measured.
    """

    status: int
    ok: bool
    complete: bool
    charged: bool | None = None
    actual: Mapping[Unit, int] = field(default_factory=dict)
    made: tuple[str, ...] = ()
    usage: Mapping[str, int] = field(default_factory=dict)
    opens: str = ""
    holdings: tuple[Made, ...] = ()
    elapsed_milliseconds: int = 0


def usd_text(usd_micros: int) -> str:
    """`1234500` -> `$1.23`; sub-cent amounts keep what matters (`$0.0004`)."""
    sign = "-" if usd_micros < 0 else ""
    micros = abs(usd_micros)
    if micros and micros < 10_000:
        return f"{sign}${micros / USD_MICROS_PER_USD:.6f}".rstrip("0")
    cents = (micros + 5_000) // 10_000
    return f"{sign}${cents // 100:,}.{cents % 100:02d}"
