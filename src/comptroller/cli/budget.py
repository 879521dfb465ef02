"""`comptroller budget`: limits over organization, teams, agents and runs."""

from __future__ import annotations

from pathlib import Path

import click

from comptroller.cli.client import Client, config_option, json_option, print_json
from comptroller.cli.show import budget_lines


@click.group()
def budget() -> None:
    """Show and set limits."""


@budget.command()
@json_option
@config_option
def show(as_json: bool, config: Path | None) -> None:
    """Show every limit, what is spent and held, and what is left."""
    with Client(config) as client:
        found = client.get("/v1/budgets")
    if as_json:
        print_json(found)
        return
    for line in budget_lines(found["budgets"]) or ["no limit is set: nothing that costs can pass"]:
        click.echo(line)


@budget.command("set")
@click.argument("scope")
@click.argument("unit")
@click.argument("limit")
@click.option(
    "--window",
    default="total",
    show_default=True,
    type=click.Choice(["total", "day", "month"]),
    help="How long the limit counts before it starts afresh (UTC).",
)
@json_option
@config_option
def set_command(scope: str, unit: str, limit: str, window: str, as_json: bool, config: Path | None) -> None:
    """Set the LIMIT of UNIT (usd, calls, tokens, …) for SCOPE: a path, an agent or a run."""
    with Client(config) as client:
        done = client.post("/v1/budgets", scope=scope, unit=unit, limit=limit, window=window)
    if as_json:
        print_json(done)
        return
    click.echo(done["budget"]["scope"])
    click.echo(budget_lines([done["budget"]])[-1].strip())
