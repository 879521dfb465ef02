"""A budget's JSON object (`render.budget_json`) in plain words, for terminal and pages."""

from __future__ import annotations

from collections.abc import Mapping

from comptroller.core.budget import THRESHOLD_PERCENTS, OnExceed
from comptroller.core.estimate import Unit
from comptroller.core.window import Window, WindowKind
from comptroller.server.neutral import neutral_name

_UNITS: Mapping[str, str] = {
    Unit.USD_MICROS: "dollars",
    Unit.USD_MICROS_PER_HOUR: "dollars an hour",
    Unit.EGRESS_BYTES: "bytes sent",
    Unit.GPU_SECONDS: "accelerator time",
    Unit.MILLIWATT_HOURS: "energy",
    Unit.MILLIGRAMS_CO2E: "carbon",
}


def budget_parts(row: Mapping[str, object]) -> tuple[int, int, int]:
    """What is settled, held (dispatched and reserved) and unconfirmed (suspense)."""
    settled, dispatched, reserved, suspense = (
        amount if isinstance(amount := row.get(name), int) else 0
        for name in ("settled", "dispatched", "reserved", "suspense")
    )
    return settled, dispatched + reserved, suspense


def budget_name(row: Mapping[str, object]) -> str:
    """What is limited, and over which time: `dollars a day (Europe/Berlin)`, `calls in all`."""
    unit = str(row.get("unit"))
    return f"{_UNITS.get(unit, neutral_name(unit).replace('_', ' '))} {window_text(row)}"


def budget_says(row: Mapping[str, object]) -> str:
    """Which threshold is passed, and what becomes of what there is no room for."""
    asks = row.get("on_exceed") == OnExceed.REQUIRE_APPROVAL
    beyond = "people are asked beyond it" if asks else "denied beyond it"
    passed = crossed(row)
    return f"past {passed} % · {beyond}" if passed else beyond


def crossed(row: Mapping[str, object]) -> int:
    """The highest threshold that is reached, in percent; 0 for none."""
    taken, limit = sum(budget_parts(row)), row.get("limit")
    if not isinstance(limit, int):
        return 0
    return max((percent for percent in THRESHOLD_PERCENTS if taken > 0 and taken * 100 >= percent * limit), default=0)


def percent_text(row: Mapping[str, object]) -> str:
    """How much of the limit is taken, never rounded up: `79 %`; `over` where a limit of nothing is passed."""
    taken, limit = sum(budget_parts(row)), row.get("limit")
    if not isinstance(limit, int) or limit <= 0:
        return "over" if taken > 0 else "0 %"
    percent = taken * 100 // limit
    return "<1 %" if taken > 0 and percent == 0 else f"{percent:,} %"


def window_text(row: Mapping[str, object]) -> str:
    """`in all`, `a day (Europe/Berlin)`, `in any 24 hours`, `at a time`; a text that is no window as it is."""
    if row.get("unit") == Unit.USD_MICROS_PER_HOUR:
        return "at a time"
    try:
        found = Window(str(row.get("window")))
    except ValueError:
        return neutral_name(row.get("window"))
    if found.kind is WindowKind.TOTAL:
        return "in all"
    return f"in {found.text()}" if found.kind is WindowKind.ROLLING else found.text()
