"""How the terminal shows entries, approvals and budgets. Colour only where it is looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from textwrap import wrap
from typing import Any

import click

from comptroller.core.budget import THRESHOLD_PERCENTS
from comptroller.core.estimate import Unit
from comptroller.server.budget_words import budget_parts, budget_says, crossed, percent_text, window_text
from comptroller.server.neutral import neutral, neutral_name
from comptroller.server.words import (
    Line,
    amount_text,
    efforts_text,
    entry_line,
    part_text,
    price_text,
    reversible_text,
    seconds_text,
    short_id,
    time_left,
)

COLOURS = {"good": "green", "wait": "yellow", "bad": "red", "dim": None}
BAR_CHARS = 20
WIDTH_CHARS = 80
COUNTED = (Unit.CALLS, Unit.TOKENS)
SETTLED, HELD, UNCONFIRMED, FREE, MARK = "█", "▒", "░", "·", "┊"
MARKS = tuple(percent for percent in THRESHOLD_PERCENTS if percent < 100)


def entry_text(entry: Mapping[str, Any], *, with_run: bool) -> str:
    """One entry on one line."""
    line: Line = entry_line(entry)
    word = click.style(f"{line.mark} {line.word:<13}", fg=COLOURS[line.tone], dim=line.tone == "dim")
    run = f" {short_id(line.run)}" if with_run and line.run else ""
    who = click.style(f"{line.agent}{run}", dim=True)
    return f"{click.style(line.time, dim=True)} {word} {who}{' ' if line.agent or run else ''}{line.text}"


def approval_row(approval: Mapping[str, Any]) -> str:
    """One approval in a list."""
    left = time_left(approval["expires_at"], datetime.now(UTC))
    state = approval["state"] if approval["state"] != "pending" else f"{seconds_text(left)} left"
    grant = f", grant {approval['grant']}" if approval["grant"] != "none" else ""
    colour = {"pending": "yellow", "approved": "green", "rejected": "red"}.get(approval["state"])
    if approval["delayed"]:
        grant = f", holds from {approval['usable_at']}"
    if approval["state"] == "pending" and approval["progress"]:
        state = f"{state}, {neutral(approval['progress'])}"
    return (
        f"{click.style(neutral_name(approval['id']), bold=True)}  "
        f"{click.style(f'{state}{grant}', fg=colour)}  {neutral_name(approval['agent'])}\n"
        f"    {neutral(approval['sentence'])} · {price_text(approval)}"
    )


def approval_text(approval: Mapping[str, Any]) -> str:
    """One approval with every fact the page shows."""
    rows = [("agent", f"{neutral_name(approval['agent'])}, owner {neutral_name(approval['owner'])}")]
    rows += [("purpose", neutral(approval["purpose"])), ("price", price_text(approval))]
    if approval["basis"]:
        rows.append(("price from", neutral(approval["basis"])))
    now = amount_text("usd_micros", approval["usd_micros"])
    rows.append(("price now", now if approval["usd_micros"] is not None or approval["price_unknown"] else "none"))
    hourly = amount_text("usd_micros_per_hour", approval["usd_micros_per_hour"]) if approval["standing"] else "none"
    rows += [("per hour", hourly), ("count", neutral_name(approval["quantity"]))]
    rows += [("account", neutral_name(approval["account"]) or "none"), ("region", neutral_name(approval["region"]))]
    rows += [("call", f"{neutral_name(approval['operation'])} at {neutral_name(approval['endpoint'])}")]
    rows += [("classes", neutral_name(", ".join(map(str, approval["classes"]))))]
    rows += [("on", neutral_name(resource)) for resource in approval["resources"]]
    rows += [("with", f"{neutral_name(name)} = {neutral(text)}") for name, text in approval["parameters"]]
    rows += [("part", part_text(part)) for part in approval["parts"]["lines"]]
    if approval["parts"]["more"]:
        rows.append(("part", f"and {approval['parts']['more']:,} more"))
    rows += [("uses", efforts_text(approval["efforts"])), ("payment", reversible_text(approval["payment"]))]
    rows += [("budget after", _after(row)) for row in approval["budget_after"]]
    rows += [("rule", _rule(rule)) for rule in approval["rules"]]
    rows += [("yes by", _vote(vote)) for vote in approval["votes"]]
    if approval["state"] == "pending":
        rows.append(("wanted", neutral(approval["progress"])))
        rows += [("asked now", _group(group)) for group in approval["answerable_by"]]
        rows += [("later", _later(late)) for rule in approval["rules"] for late in rule["escalations"]]
        rows.append(
            ("assurance", f"signed with a {neutral_name(approval['assurance'])}" if approval["assurance"] else "")
        )
    if approval["delayed"]:
        rows.append(("holds from", f"{approval['usable_at']}; until then: comptroller approvals revoke"))
    rows += [("run", neutral_name(approval["run"])), ("digest", neutral_name(approval["digest"]))]
    if approval["answered_by"]:
        rows.append(
            (str(approval["state"]), f"by {neutral_name(approval['answered_by'])} {neutral(approval['comment'])}")
        )
    if approval["taken_back_by"]:
        why = f": {neutral(approval['taken_back_why'])}" if approval["taken_back_why"] else ""
        rows.append(("taken back", f"by {neutral_name(approval['taken_back_by'])}{why}"))
    body = "\n".join(f"  {click.style(f'{name:<13}', dim=True)}{text}" for name, text in rows if text)
    head = click.style(neutral(approval["sentence"]), bold=True)
    tail = ""
    if approval["state"] == "pending" and approval["obstacle"]:
        tail = f"\n\n  {neutral(approval['obstacle'])}"
    elif approval["state"] == "pending":
        left = seconds_text(time_left(approval["expires_at"], datetime.now(UTC)))
        ceiling = " --ceiling-usd AMOUNT" if approval["price_unknown"] else ""
        identifier = neutral_name(approval["id"])
        tail = (
            f"\n\n  {left} left to answer:\n    comptroller approvals approve {identifier}{ceiling}"
            f"\n    comptroller approvals reject {identifier} --comment WHY"
        )
    return f"{head}\n{body}{tail}"


def _after(row: Mapping[str, Any]) -> str:
    after = amount_text(row["unit"], row["room_after"]) if row["room_after"] is not None else "depends on the ceiling"
    window = f" per {row['window']}" if row["window"] != "total" else ""
    misfit = click.style("  does not fit", fg="red") if row["room_after"] is not None and not row["fits"] else ""
    return f"{after} of {amount_text(row['unit'], row['limit'])}{window} in {neutral_name(row['scope'])}{misfit}"


def _rule(rule: Mapping[str, Any]) -> str:
    never = f", never {neutral_name(', '.join(rule['exclude']))}" if rule["exclude"] else ""
    stages = ", then ".join(f"{stage['quorum']} of {neutral_name(stage['group'])}" for stage in rule["stages"])
    met = ", answered" if rule["met"] else ""
    return f"{neutral_name(rule['rule'])}: {neutral(rule['reason'])} ({stages}{never}{met})"


def _group(group: Mapping[str, Any]) -> str:
    people = ", ".join(neutral_name(name) for name in group["people"])
    return f"{neutral_name(group['group'])}: {people or 'nobody is left in it'}"


def _later(late: Mapping[str, Any]) -> str:
    return f"{neutral_name(late['group'])} {'since' if late['due'] else 'from'} {late['at']}"


def _vote(vote: Mapping[str, Any]) -> str:
    own = " (self-approved)" if vote["self_approved"] else ""
    signed = ", signed with a passkey" if vote["assurance"] == "passkey" else ""
    return f"{neutral_name(vote['by'])}{own}{signed} {neutral(vote['comment'])}".strip()


def budget_lines(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The budget tree with bars: each limit on two lines, below its scope."""
    lines: list[str] = []
    scope = ""
    for row in rows:
        indent = "  " * int(row["depth"])
        if row["scope"] != scope:
            scope = row["scope"]
            last = scope.split("/")[-1]
            name = last if row["depth"] < 3 else f"run {last}"
            lines.append(f"{indent}{click.style(neutral_name(name), bold=True)}")
        unit, passed = row["unit"], crossed(row)
        percent = click.style(f"{percent_text(row):>5}", fg="red" if passed >= 100 else "yellow" if passed else None)
        room = f"{row['room']:,}" if unit in COUNTED else amount_text(unit, row["room"])
        left = f"{room} left of {amount_text(unit, row['limit'])}"
        window = window_text(row)
        fits = len(indent) + BAR_CHARS + 10 + len(left) + len(window) < WIDTH_CHARS
        lines.append(
            f"{indent}  {bar(*budget_parts(row), row['limit'])} {percent}  {left}{f' {window}' if fits else ''}"
        )
        says = " · ".join((*(() if fits else (window,)), _taken(row), budget_says(row)))
        wrapped = wrap(says, WIDTH_CHARS, initial_indent=f"{indent}    ", subsequent_indent=f"{indent}    ")
        lines += [click.style(line, dim=True) for line in wrapped]
    return lines


def budget_key() -> str:
    """What the parts of a bar stand for."""
    marks = " and ".join(str(percent) for percent in MARKS)
    return click.style(f"{SETTLED} settled  {HELD} held  {UNCONFIRMED} unconfirmed  {MARK} {marks} %", dim=True)


def _taken(row: Mapping[str, Any]) -> str:
    """`$250.00 settled, $50.00 held, $10.00 unconfirmed`, without what is nothing."""
    named = zip(budget_parts(row), ("settled", "held", "unconfirmed"), strict=True)
    return ", ".join(f"{amount_text(row['unit'], amount)} {name}" for amount, name in named if amount) or "nothing yet"


def bar(settled: int, held: int, unconfirmed: int, limit: int) -> str:
    """`████▒▒░·····┊····`: settled, held, unconfirmed, and what is left with the thresholds in it."""
    whole = max(limit, settled + held + unconfirmed, 1)
    room = BAR_CHARS
    drawn = []
    for mark, colour, amount in (
        (SETTLED, "green", settled),
        (HELD, "yellow", held),
        (UNCONFIRMED, "magenta", unconfirmed),
    ):
        # Rounded down, but for what would not be seen at all.
        chars = min(room, max(amount * BAR_CHARS // whole, 1 if amount > 0 else 0))
        room -= chars
        drawn.append(click.style(mark * chars, fg=colour))
    marked = {limit * percent * BAR_CHARS // (100 * whole) for percent in MARKS}
    left = "".join(MARK if place in marked else FREE for place in range(BAR_CHARS - room, BAR_CHARS))
    return "".join(drawn) + click.style(left, dim=True)
