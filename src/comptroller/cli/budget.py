"""`comptroller budget`: limits over organization, teams, agents and runs."""

from __future__ import annotations

from pathlib import Path

import click

from comptroller.cli.client import Client, config_option, json_option, print_json
from comptroller.cli.show import budget_key, budget_lines
from comptroller.cli.suspense import suspense
from comptroller.core.budget import OnExceed


@click.group()
def budget() -> None:
    """Show and set limits."""


budget.add_command(suspense)


@budget.command()
@click.option("--all", "every", is_flag=True, help="Limits of runs that have ended as well.")
@json_option
@config_option
def show(every: bool, as_json: bool, config: Path | None) -> None:
    """Show every limit, what is spent and held, and what is left."""
    with Client(config) as client:
        found = client.get("/v1/budgets")
        ended = set() if every else {run["path"] for run in client.get("/v1/runs")["runs"] if run["state"] == "ended"}
    if as_json:
        print_json(found)
        return
    rows = found["budgets"]
    shown = [row for row in rows if row["scope"] not in ended or row["dispatched"] + row["reserved"] + row["suspense"]]
    for line in budget_lines(shown) or ["no limit is set: nothing that costs can pass"]:
        click.echo(line)
    if shown:
        click.echo(budget_key())
    if hidden := len({row["scope"] for row in rows} - {row["scope"] for row in shown}):
        click.echo(f"not shown: {hidden} ended run{'s' if hidden > 1 else ''} with nothing held (--all)")


@budget.command("set")
@click.argument("scope")
@click.argument("unit")
@click.argument("limit")
@click.option(
    "--window",
    default="total",
    show_default=True,
    help="How long it counts: total, hour, day, week, month, month@Europe/Berlin, rolling:24h.",
)
@click.option(
    "--on-exceed",
    type=click.Choice([choice.value for choice in OnExceed]),
    help="What becomes of an action it has no room for; by default as before, at first `deny`.",
)
@json_option
@config_option
def set_command(
    scope: str, unit: str, limit: str, window: str, on_exceed: str | None, as_json: bool, config: Path | None
) -> None:
    """Set the LIMIT of UNIT (usd, usd_per_hour, calls, tokens, …) for SCOPE: a path, an agent or a run."""
    with Client(config) as client:
        done = client.post("/v1/budgets", scope=scope, unit=unit, limit=limit, window=window, on_exceed=on_exceed or "")
    if as_json:
        print_json(done)
        return
    click.echo(done["budget"]["scope"])
    for line in budget_lines([done["budget"]])[1:]:
        click.echo(line.strip())
