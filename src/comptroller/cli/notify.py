"""`comptroller notify`: the channels that reach people, how they fare, and a test of each."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from comptroller.cli.client import Client, config_option, json_option, print_json
from comptroller.server.neutral import neutral, neutral_name


@click.group()
def notify() -> None:
    """Messages to people: how the channels fare."""


@notify.command()
@json_option
@config_option
def status(as_json: bool, config: Path | None) -> None:
    """Show what each channel sent, what waits for it, and what could not be delivered and why."""
    with Client(config) as client:
        found = client.get("/v1/channels")
    if as_json:
        print_json(found)
        return
    rows = found["channels"]
    if not rows:
        click.echo("no channel is configured: see notify.channels in docs/notify.md")
        return
    width = max(len(str(row["channel"])) for row in rows)
    for row in rows:
        click.echo(_line(row, width))
    if not found["routes"]:
        click.echo("no route is configured: nothing but tests and letters goes out")


@notify.command()
@click.argument("channel")
@json_option
@config_option
def test(channel: str, as_json: bool, config: Path | None) -> None:
    """Send a test message through CHANNEL now, and say what became of it."""
    with Client(config) as client:
        done = client.post(f"/v1/channels/{quote(channel, safe='')}/test")
    if as_json:
        print_json(done)
    else:
        click.echo(f"{neutral_name(channel)} took the test message")


def _line(row: Mapping[str, Any], width: int) -> str:
    parts = [f"{row['sent']:,} sent"]
    if row["waiting"]:
        oldest = str(row["oldest_waiting_at"])[:16].replace("T", " ")
        parts.append(f"{row['waiting']:,} waiting since {neutral_name(oldest)}")
    if row["failed"]:
        parts.append(f"{row['failed']:,} failed for good")
    why = row["why"] or (row["last_failure"] if row["failed"] else "")
    if why:
        parts.append(neutral(why, chars_max=200))
    name = neutral_name(row["channel"]).ljust(width)
    return f"{name}  {neutral_name(row['kind']):8} {' · '.join(parts)}"
