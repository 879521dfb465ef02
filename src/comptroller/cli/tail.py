"""`comptroller tail`: the log, one line an entry."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from comptroller.cli.client import Client, config_option, json_option
from comptroller.cli.show import entry_text

PAGE_ENTRIES = 500
WAIT_SECONDS = 20


@click.command()
@click.argument("run", required=False, default="")
@click.option("--follow", "-f", is_flag=True, help="Go on as things happen.")
@click.option(
    "--lines",
    "-n",
    default=50,
    show_default=True,
    type=click.IntRange(0, 100_000),
    help="How many to begin with, without RUN.",
)
@json_option
@config_option
def tail(run: str, follow: bool, lines: int, as_json: bool, config: Path | None) -> None:
    """Show everything of one RUN (an id or its end), or the newest entries of all."""
    with Client(config) as client:
        after = -1
        if not run:
            after = int(client.get("/v1/status")["entries"]) - 1 - lines
        show = _json_line if as_json else lambda entry: click.echo(entry_text(entry, with_run=not run))
        _follow(client, run, max(after, -1), follow, show, None if as_json else _told)


def _follow(
    client: Client,
    run: str,
    after: int,
    follow: bool,
    show: Callable[[Mapping[str, Any]], None],
    told: Callable[[str], None] | None,
) -> None:
    while True:
        page = client.get("/v1/entries", after=after, limit=PAGE_ENTRIES, run=run, wait=WAIT_SECONDS if follow else 0)
        for entry in page["entries"]:
            if told is not None:
                told(_gap(run, after, entry))
            show(entry)
            after = entry["index"]
        after = page["next"]
        if not follow and len(page["entries"]) < PAGE_ENTRIES:
            return


def _gap(run: str, after: int, entry: Mapping[str, Any]) -> str:
    """What to say of entries that are not in the store any more; empty where none is missing."""
    if run:
        return "earlier entries of this run were archived" if after < 0 and entry.get("kind") != "run.started" else ""
    first, last = after + 1, int(entry["index"]) - 1
    return f"entries {first} to {last} were archived: comptroller audit show {first}" if first <= last else ""


def _told(text: str) -> None:
    if text:
        click.echo(f"  … {text}")


def _json_line(entry: Mapping[str, Any]) -> None:
    click.echo(json.dumps(entry, ensure_ascii=True))
