"""`comptroller report`: what was spent, by whom and on what. Needs no server, and works beside a running one."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import IO

import click

from comptroller.cli.client import config_option, config_path, json_option
from comptroller.compose_notify import principals
from comptroller.compose_state import open_log
from comptroller.core.errors import UsageError
from comptroller.core.letter import week_before
from comptroller.core.spend import Dimension, Query
from comptroller.server.bill.accuracy import accuracy_json, accuracy_lines, accuracy_of
from comptroller.server.letter import letter_html, letter_markdown, letter_text, weekly_letter
from comptroller.server.place import Paths, load_config
from comptroller.server.spend.focus import billed_by, focus_rows, write_csv
from comptroller.server.spend.gather import gather
from comptroller.server.spend.page import Groupings, spend_page
from comptroller.server.spend.parquet import arrow, write_parquet
from comptroller.server.spend.table import notes, report_json, table_lines

BY_DEFAULT = "team,agent,service"
PROGRESS_ENTRIES = 50_000
"""How often a long reading says how far it is; a log that is not longer says nothing."""


@click.group()
def report() -> None:
    """Reports out of the log."""


@report.command()
@click.option("--by", default=BY_DEFAULT, show_default=True, help=f"Of: {', '.join(Dimension)}.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "parquet", "html"]),
    default="table",
    show_default=True,
    help="csv and parquet have the columns of FOCUS; html is one page with plots.",
)
@click.option("--since", help="From this day or moment (UTC): 2026-11-01.")
@click.option("--until", help="Until before this day or moment (UTC).")
@click.option("--scope", default="", help="Only what lies under this path: acme/web.")
@click.option("--currency", help="Show money in this currency; it needs a rate in prices.fx.")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write to this file.")
@json_option
@config_option
def spend(
    by: str,
    form: str,
    since: str | None,
    until: str | None,
    scope: str,
    currency: str | None,
    output: Path | None,
    as_json: bool,
    config: Path | None,
) -> None:
    """Sum up what was spent, is held and is unconfirmed, by any grouping: dollars, tokens, energy, carbon, calls."""
    grouped = _dimensions(by)
    query = Query(since=_moment("--since", since), until=_moment("--until", until), scope=scope.strip("/"))
    if query.since is not None and query.until is not None and query.since >= query.until:
        raise UsageError("`--since` is not before `--until`", hint="--until is the first moment that does not count")
    if as_json and form != "table":
        raise UsageError(f"`--json` and `--format {form}` are two forms", hint="leave one of them out")
    if form == "parquet" and output is None and sys.stdout.isatty():
        raise UsageError("a parquet file is nothing for a terminal", hint="--output spend.parquet")
    if form == "parquet":
        arrow()
    path = config_path(config)
    loaded = load_config(path)
    shown = loaded.prices.shown_in(currency)
    if form in ("csv", "parquet"):
        grouped = billed_by(grouped)
    plots = Groupings(grouped)
    with open_log(Paths.of(path)) as log:
        found = gather(
            log,
            grouped,
            query,
            others=plots.all if form == "html" else (),
            known=principals(loaded),
            progress=_progress,
        )
        budgets = log.budgets(datetime.now(UTC)) if form == "html" else ()
    bill = focus_rows(found.rows, found.by, organization=loaded.organization, shown=shown)
    match "json" if as_json else form:
        case "json":
            _print([json.dumps(report_json(found, shown), indent=2)], output)
        case "csv":
            with _sink(output) as sink:
                write_csv(bill, sink)
        case "parquet":
            with click.open_file(str(output or "-"), "wb", atomic=output is not None) as binary:
                write_parquet(bill, binary)
        case "html":
            _print([spend_page(found, plots, budgets, organization=loaded.organization, shown=shown)], output)
        case _:
            width = None if output is not None or not sys.stdout.isatty() else shutil.get_terminal_size().columns
            _print([*table_lines(found, shown, width=width), *notes(found, shown)], output)


@report.command()
@json_option
@config_option
def accuracy(as_json: bool, config: Path | None) -> None:
    """Show which share of its bound each operation really cost: below 100 % money came back, above it a bound broke."""
    with open_log(Paths.of(config_path(config))) as log:
        rows = accuracy_of(log)
    if as_json:
        click.echo(json.dumps(accuracy_json(rows), indent=2))
        return
    for line in accuracy_lines(rows) if rows else ["nothing that costs was settled yet"]:
        click.echo(line)


@report.command()
@click.option("--week", help="The ISO week, as 2026-W47; by default the last one that is over.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "md", "html", "json"]),
    default="text",
    show_default=True,
    help="html is one page without anything from elsewhere.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write to this file.")
@json_option
@config_option
def letter(week: str | None, form: str, output: Path | None, as_json: bool, config: Path | None) -> None:
    """One week on one page: what was asked, answered, spent, prevented and frozen, and what is granted ahead."""
    now = datetime.now(UTC)
    path = config_path(config)
    loaded = load_config(path)
    with open_log(Paths.of(path)) as log:
        made = weekly_letter(
            log, week or week_before(now), organization=loaded.organization, now=now, known=principals(loaded)
        )
    match "json" if as_json else form:
        case "json":
            figures = {**made.figures, "sections": {name: list(lines) for name, lines in made.sections}}
            text = json.dumps({"title": made.title, **figures}, indent=2) + "\n"
        case "md":
            text = letter_markdown(made)
        case "html":
            text = letter_html(made)
        case _:
            text = letter_text(made)
    with _sink(output) as sink:
        sink.write(text)


def _print(lines: Sequence[str], output: Path | None) -> None:
    with _sink(output) as sink:
        sink.writelines(f"{line}\n" for line in lines)


def _sink(output: Path | None) -> AbstractContextManager[IO[str]]:
    """The file, replaced whole when it is closed, or standard output."""
    return click.open_file(str(output or "-"), "w", encoding="utf-8", atomic=output is not None)


def _dimensions(text: str) -> tuple[Dimension, ...]:
    """`team,day` as dimensions. Raises `UsageError`."""
    names = [name.strip().lower() for name in text.split(",") if name.strip()]
    known = set(Dimension)
    for name in names:
        if name not in known:
            raise UsageError(f"spend cannot be grouped by `{name}`", hint=f"--by takes: {', '.join(Dimension)}")
        if names.count(name) > 1:
            raise UsageError(f"`{name}` is named twice", hint="name each once: --by team,day")
    return tuple(map(Dimension, names))


def _moment(option: str, text: str | None) -> datetime | None:
    """A day, or a moment (UTC unless it names its offset). Raises `UsageError`."""
    if text is None:
        return None
    try:
        if len(text) == len("2026-11-01"):
            return datetime.combine(date.fromisoformat(text), time(), UTC)
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(
            f"`{text}` is neither a day nor a moment", hint=f"{option} 2026-11-01, or 2026-11-01T12:00:00Z"
        ) from error
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _progress(read: int, size: int) -> None:
    """How far a long reading is, on standard error."""
    if size <= PROGRESS_ENTRIES or (read % PROGRESS_ENTRIES and read < size):
        return
    end = "\r" if sys.stderr.isatty() and read < size else "\n"
    click.echo(f"read {read:,} of {size:,} entries{end}", err=True, nl=False)
