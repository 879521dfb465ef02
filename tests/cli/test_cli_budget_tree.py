"""The budget tree of the terminal: what each bar shows, how wide it is, and what it says beside."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from comptroller.cli.show import BAR_CHARS, FREE, HELD, MARK, SETTLED, UNCONFIRMED, bar, budget_key, budget_lines
from comptroller.core.budget import Account, Budget, BudgetState, OnExceed
from comptroller.core.estimate import Unit
from comptroller.core.window import Window
from comptroller.server.render import budget_tree

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
DAYS = 86_400


def state(
    unit: Unit = Unit.USD_MICROS,
    window: str = "total",
    limit: int = 100_000_000,
    scope: str = "acme",
    on_exceed: OnExceed = OnExceed.DENY,
    **account: int,
) -> BudgetState:
    budget = Budget(scope=scope, unit=unit, window=Window(window), limit=limit, on_exceed=on_exceed)
    return BudgetState(budget=budget, start=budget.window.start(NOW), account=Account(**account))


def lines(*states: BudgetState) -> list[str]:
    return [click.unstyle(line) for line in budget_lines(budget_tree(states))]


def drawn(line: str) -> str:
    return "".join(character for character in line if character in f"{SETTLED}{HELD}{UNCONFIRMED}{FREE}{MARK}")


def test_the_three_kinds_and_the_thresholds_look_different() -> None:
    assert len({SETTLED, HELD, UNCONFIRMED, FREE, MARK}) == 5
    shown = lines(state(settled=25_000_000, dispatched=10_000_000, reserved=5_000_000, suspense=5_000_000))
    assert drawn(shown[1]) == "█████▒▒▒░·┊·····┊···"
    assert shown[1].split("  ", 2)[1].endswith("   45 %") or "45 %" in shown[1]
    assert shown[1].endswith("$55.00 left of $100.00 in all")
    assert shown[2].strip() == "$25.00 settled, $15.00 held, $5.00 unconfirmed · denied beyond it"
    for mark in (SETTLED, HELD, UNCONFIRMED, MARK):
        assert mark in click.unstyle(budget_key())


@pytest.mark.parametrize(
    ("window", "words"),
    [
        ("total", "in all"),
        ("hour", "an hour"),
        ("day@Europe/Berlin", "a day (Europe/Berlin)"),
        ("week", "a week"),
        ("rolling:24h", "in any 24 hours"),
    ],
)
def test_windows_in_words(window: str, words: str) -> None:
    assert lines(state(window=window))[1].endswith(f"$100.00 left of $100.00 {words}")


def test_thresholds_and_what_comes_after() -> None:
    asks = OnExceed.REQUIRE_APPROVAL
    assert lines(state(settled=49_999_999))[2].endswith("settled · denied beyond it")
    assert "past 50 % · denied beyond it" in lines(state(settled=50_000_000))[2]
    assert "past 80 % · people are asked beyond it" in lines(state(dispatched=80_000_000, on_exceed=asks))[2]
    over = lines(state(settled=130_000_000))
    assert "past 100 %" in over[2] and "130 %" in over[1] and drawn(over[1]) == SETTLED * BAR_CHARS
    assert "-$30.00 left" in over[1]
    assert "99 %" in lines(state(settled=99_999_999))[1], "never rounded up"
    assert lines(state())[2].strip() == "nothing yet · denied beyond it"


def test_limits_of_nothing() -> None:
    assert " 0 %" in lines(state(limit=0))[1]
    assert " over" in lines(state(limit=0, settled=1))[1]


def test_a_rate_is_what_stands_at_a_time() -> None:
    shown = lines(state(Unit.USD_MICROS_PER_HOUR, limit=2_000_000, dispatched=500_000))
    assert shown[1].endswith("$1.50/h left of $2.00/h at a time")


def test_it_fits_eighty_columns() -> None:
    deep = "acme/research/trainer/01a209f0-400c-7fd1-8098-5c33dd4ac7f9"
    rows = [
        state(scope="acme", window="month", limit=123_456_780_000, settled=12_000_000_000, suspense=1),
        state(Unit.TOKENS, "day@Europe/Berlin", 20_000_000, "acme/research/trainer", dispatched=12_345_678),
        state(Unit.TOKENS, "day", 20_000_000, deep, settled=12_345_678, dispatched=345_678, suspense=45_678),
        state(Unit.MILLIWATT_HOURS, "rolling:24h", 20_000_000, deep, settled=1),
        state(Unit.EGRESS_BYTES, "rolling:7d", 20_000_000_000, deep, reserved=9),
    ]
    for line in lines(*rows):
        assert len(line) <= 80, line


def test_parents_stand_above_their_children_and_names_are_harmless() -> None:
    shown = lines(state(scope="acme/web"), state(scope="acme"), state(scope="acme/web/shop\u202e\x1b[2J"))
    assert [line for line in shown if "█" not in line and "·" not in line] == [
        "acme",
        "  web",
        "    shop<U+202E><U+001B>[2J",
    ]


@given(*(st.integers(0, 10**18) for _ in range(4)))
def test_a_bar_is_always_as_wide_and_never_hides_what_is_there(
    settled: int, held: int, unconfirmed: int, limit: int
) -> None:
    shown = click.unstyle(bar(settled, held, unconfirmed, limit))
    assert len(shown) == BAR_CHARS
    assert _runs(shown) == [mark for mark in (SETTLED, HELD, UNCONFIRMED) if mark in shown]
    if settled + held + unconfirmed <= limit * 9 // 10:
        for mark, amount in ((SETTLED, settled), (HELD, held), (UNCONFIRMED, unconfirmed)):
            assert (mark in shown) == (amount > 0)


def _runs(shown: str) -> list[str]:
    """The marks that are not room, once each, in their order."""
    seen: Iterable[str] = (character for character in shown if character in (SETTLED, HELD, UNCONFIRMED))
    return list(dict.fromkeys(seen))


def test_json_keeps_its_members() -> None:
    (row,) = budget_tree([state(settled=25_000_000, suspense=1_000_000, window="day")])
    assert row["settled"] == 25_000_000 and row["room"] == 74_000_000 and row["percent"] == 26
    assert row["thresholds"] == [50, 80, 100] and row["window"] == "day" and row["on_exceed"] == "deny"
    assert budget_tree([state(limit=0)])[0]["percent"] is None
