"""What `top` shows, as text without markup: everything an agent wrote is neutral, and styles are ours alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import click
from rich.text import Text

from comptroller.cli.show import approval_text
from comptroller.core.estimate import Unit, usd_text
from comptroller.server.neutral import neutral, neutral_name
from comptroller.server.words import amount_text, entry_line, seconds_text, short_id, time_left

BAR_CHARACTERS = 16
STYLES = {"good": "green", "wait": "yellow", "bad": "bold red", "dim": "dim"}
Row = tuple[str, list[Text]]
"""A row's key, and its cells."""


def feed_line(entry: Mapping[str, Any]) -> Text:
    """One entry."""
    line = entry_line(entry)
    text = Text(f"{line.time[11:]} ", "dim", no_wrap=True, overflow="ellipsis")
    text.append(f"{line.mark} {line.word:<13} ", STYLES[line.tone])
    if line.agent:
        text.append(f"{line.agent} {short_id(line.run) if line.run else ''} ", "dim")
    return text.append(line.text)


def approval_rows(rows: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Questions, the one that runs out first above."""
    now = datetime.now(UTC)
    ordered = sorted(rows, key=lambda row: str(row["expires_at"]))
    return [
        (
            str(row["id"]),
            [
                Text(seconds_text(time_left(row["expires_at"], now)), "yellow"),
                Text(neutral_name(row["agent"], chars_max=16)),
                Text(_cost(row)),
                Text(neutral(row["sentence"], chars_max=200)),
            ],
        )
        for row in ordered
    ]


def _cost(row: Mapping[str, Any]) -> str:
    """What it costs in a few characters; the whole of it stands below."""
    if row["price_unknown"]:
        return "unknown"
    hourly = row["usd_micros_per_hour"]
    if isinstance(hourly, int) and hourly > 0:
        return amount_text(Unit.USD_MICROS_PER_HOUR, hourly)
    return amount_text(Unit.USD_MICROS, row["usd_micros"]) if isinstance(row["usd_micros"], int) else "-"


def approval_detail(row: Mapping[str, Any]) -> Text:
    """Everything about one question."""
    obstacle = f"you may not answer: {neutral(row['obstacle'])}\n" if row.get("obstacle") else ""
    return Text(f"{obstacle}{click.unstyle(approval_text(row))}")


def budget_rows(rows: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Limits, with a bar of what is taken."""
    found: list[Row] = []
    for row in rows:
        unit, percent = str(row["unit"]), row["percent"]
        taken = row["limit"] - row["room"]
        style = "bold red" if (percent or 0) >= 100 else "yellow" if (percent or 0) >= 80 else "green"
        key = f"{row['scope']} {unit} {row['window']}"
        name = "  " * int(row["depth"]) + neutral_name(str(row["scope"]).rsplit("/", 1)[-1], chars_max=40)
        window = "" if row["window"] == "total" else f" per {neutral_name(row['window'])}"
        of = f"{amount_text(unit, taken)} of {amount_text(unit, row['limit'])}{window}"
        share = f"{percent} %" if percent is not None else "-"
        found.append((key, [Text(name), Text(bar(percent), style), Text(share, justify="right"), Text(of)]))
    return found


def bar(percent: object) -> str:
    """`######----------`, in ASCII: it shows on every terminal and without colour."""
    share = percent if isinstance(percent, int) else 0
    full = min(BAR_CHARACTERS, max(0, share * BAR_CHARACTERS // 100))
    return "#" * full + "-" * (BAR_CHARACTERS - full)


def holding_rows(rows: Sequence[Mapping[str, Any]]) -> list[Row]:
    """What lives, the dearest first."""
    ordered = sorted(rows, key=lambda row: -(row["usd_micros_per_hour"] or 0))
    return [
        (
            str(row["id"]),
            [
                Text(amount_text(Unit.USD_MICROS_PER_HOUR, row["usd_micros_per_hour"]), justify="right"),
                Text(neutral_name(row["state"])),
                Text(neutral_name(row["agent"], chars_max=16)),
                Text(neutral(f"{row['kind']} {row['resource']}", chars_max=120)),
                Text(amount_text(Unit.USD_MICROS, row["spent_usd_micros"]), justify="right"),
            ],
        )
        for row in ordered
    ]


def run_rows(rows: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Runs, those that live first."""
    ordered = sorted(rows, key=lambda row: row["state"] != "active")
    return [
        (
            str(row["id"]),
            [
                Text(short_id(row["id"])),
                Text(neutral_name(row["agent"], chars_max=16)),
                Text(neutral_name(row["state"])),
                Text(neutral_name(row["brake"]), "dim" if row["brake"] == "free" else "bold red"),
                Text(neutral(row["purpose"], chars_max=120)),
            ],
        )
        for row in ordered
    ]


def head_line(status: Mapping[str, Any], holdings: Mapping[str, Any]) -> Text:
    """Where this is, who looks, how much is going on."""
    rate = holdings["usd_micros_per_hour"]
    text = Text(f" {neutral_name(status['organization'])} ", "reverse", no_wrap=True, overflow="ellipsis")
    text.append(f" {neutral_name(status['person'])} · {status['runs_active']} runs · ")
    text.append(f"{status['pending']} waiting", "bold yellow" if status["pending"] else "")
    return text.append(f" · {usd_text(rate)}/h lives · {status['entries']:,} entries")
