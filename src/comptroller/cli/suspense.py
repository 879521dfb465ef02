"""`comptroller budget suspense`: what is unconfirmed, how old it is, and a person's word on what it really cost."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from comptroller.cli.client import Client, config_option, json_option, print_json
from comptroller.core.errors import UsageError
from comptroller.server.neutral import neutral, neutral_name
from comptroller.server.words import amount_text, seconds_text


@click.group()
def suspense() -> None:
    """Show and settle money whose outcome nobody knows."""


@suspense.command("list")
@json_option
@config_option
def list_command(as_json: bool, config: Path | None) -> None:
    """List what is unconfirmed, oldest first."""
    with Client(config) as client:
        found = client.get("/v1/suspense")
    if as_json:
        print_json(found)
        return
    for row in found["suspense"]:
        for line in _lines(row):
            click.echo(line)
    rows = found["suspense"]
    if not rows:
        click.echo("nothing is unconfirmed")
        return
    whole = amount_text("usd_micros", sum(int(row["reserved"].get("usd_micros", 0)) for row in rows))
    click.echo(f"{len(rows)} unconfirmed, {whole} held")


@suspense.command("settle")
@click.argument("reservation")
@click.option("--cost", metavar="USD", help="What it really cost in dollars: 1.23.")
@click.option("--nothing", is_flag=True, help="It cost nothing.")
@click.option("--amount", "amounts", multiple=True, metavar="UNIT=N", help="Another unit's amount: tokens=1200.")
@click.option("--reason", required=True, help="How you know.")
@json_option
@config_option
def settle_command(
    reservation: str,
    cost: str | None,
    nothing: bool,
    amounts: tuple[str, ...],
    reason: str,
    as_json: bool,
    config: Path | None,
) -> None:
    """Settle RESERVATION at what it really cost. Other units follow in proportion unless --amount names them."""
    if (cost is None) == (not nothing):
        raise UsageError("say what it cost", hint="--cost 1.23, or --nothing")
    with Client(config) as client:
        done = client.post(
            f"/v1/suspense/{reservation}/settle",
            cost_usd="0" if nothing else cost,
            amounts=",".join(amounts) or None,
            reason=reason,
        )
    if as_json:
        print_json(done)
        return
    settled = done["settled"]
    was, now = (int(settled[name].get("usd_micros", 0)) for name in ("reserved", "actual"))
    click.echo(
        f"{neutral_name(settled['reservation'])} {neutral_name(settled['operation'])}: "
        f"{amount_text('usd_micros', now)} instead of {amount_text('usd_micros', was)} held"
    )


def _lines(row: Mapping[str, Any]) -> list[str]:
    money = ", ".join(
        amount_text(unit, row["reserved"][unit]) for unit in ("usd_micros", "tokens") if unit in row["reserved"]
    )
    what = neutral(row["sentence"] or row["operation"])
    age = f"{seconds_text(int(row['age_seconds']))} old"
    return [
        f"{click.style(neutral_name(row['reservation']), bold=True)}  "
        f"{click.style(age, fg='yellow')}  {neutral_name(row['agent'])}",
        f"    {what} · {money or 'one call'} held · {neutral(row['why'])}",
    ]
