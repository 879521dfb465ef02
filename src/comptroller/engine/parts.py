"""What an action brings about by itself, for people: a line for each different part, with what it costs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import islice

from comptroller.core.action import PARTS_MAX, Action
from comptroller.core.estimate import Estimate, Unit
from comptroller.core.secrecy import scrubbed

PART_LINES_MAX = 40
"""Different lines that are shown; what is beyond them is counted."""
PART_CHARACTERS_MAX = 200
PART_SERVICES_MAX = 20


def parts_told(
    action: Action, sentence: Callable[[Action], str], price: Callable[[Action], Estimate]
) -> Mapping[str, object]:
    """`lines`: text, how many of the same, what each costs at once and by the hour; `more`: parts in no line.

    Parts whose cost nobody knows stand first, then the dearest: they decide the answer.
    """
    lines: dict[str, dict[str, object]] = {}
    for part in islice(_leaves(action), PARTS_MAX):
        text = scrubbed(sentence(part))[:PART_CHARACTERS_MAX]
        known = lines.get(text)
        if known is None:
            lines[text] = {"text": text, "count": 1, **_cost(price(part))}
        else:
            known["count"] = int(str(known["count"])) + 1
    ordered = sorted(lines.values(), key=_weight)
    return {"lines": ordered[:PART_LINES_MAX], "more": sum(int(str(row["count"])) for row in ordered[PART_LINES_MAX:])}


def services_within(action: Action) -> list[str]:
    """The services of everything the action brings about by itself, some of them where there are many."""
    return sorted({part.service for part in islice(_leaves(action), PARTS_MAX)})[:PART_SERVICES_MAX]


def _leaves(action: Action) -> Iterator[Action]:
    for part in action.parts:
        yield from _leaves(part) if part.parts else (part,)


def _cost(estimate: Estimate) -> dict[str, object]:
    return {
        "usd_micros": estimate.high(Unit.USD_MICROS),
        "usd_micros_per_hour": estimate.high(Unit.USD_MICROS_PER_HOUR),
        "price_unknown": estimate.unknown(Unit.USD_MICROS),
    }


def _weight(row: Mapping[str, object]) -> tuple[bool, int]:
    amount = row["usd_micros"]
    return not row["price_unknown"], -amount if isinstance(amount, int) else 0
