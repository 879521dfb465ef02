"""`comptroller holdings`: what agents brought about that still lives, what it costs, and how to end it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from comptroller.cli.client import Client, config_option, json_option, print_json
from comptroller.core.estimate import usd_text
from comptroller.server.neutral import neutral, neutral_name
from comptroller.server.words import seconds_text, short_id, time_left

_COLOURS = {"live": "green", "marked": "red", "stopping": "yellow", "stopped": "blue"}
RESOURCE_CHARS_MAX = 60


@click.group()
def holdings() -> None:
    """Show and stop what agents made and what goes on costing."""


@holdings.command("list")
@click.option("--all", "every", is_flag=True, help="What is gone or forgotten as well.")
@json_option
@config_option
def list_command(every: bool, as_json: bool, config: Path | None) -> None:
    """Everything that lives, what it costs now, cost so far, and how long the budgets last."""
    with Client(config) as client:
        found = client.get("/v1/holdings", every="true" if every else "false")
    if as_json:
        print_json(found)
        return
    for item in found["holdings"]:
        click.echo(_line(item))
    if not found["holdings"]:
        click.echo("nothing that agents made is still there")
        return
    burn, unknown = found["usd_micros_per_hour"], found["rate_unknown"]
    more = f", and {unknown} whose rate nobody knows" if unknown else ""
    click.echo(f"now {usd_text(burn)} an hour{more} · {usd_text(found['usd_micros_per_30_days'])} in 30 days")
    for limit in found["lasts"][:5]:
        window = f" ({limit['window']})" if limit["window"] != "total" else ""
        click.echo(
            f"  the budget of {neutral_name(limit['scope'])}{window} lasts {seconds_text(limit['hours'] * 3600)}"
        )


@holdings.command()
@click.argument("holding")
@json_option
@config_option
def show(holding: str, as_json: bool, config: Path | None) -> None:
    """Everything known of one HOLDING: its id, the end of it, or its provider's name."""
    with Client(config) as client:
        item = client.get(f"/v1/holdings/{holding}")
    if as_json:
        print_json(item)
        return
    click.echo(_line(item))
    approver = f", approved by {item['approver']}" if item["approver"] else ""
    why = f": {item['why']}" if item["why"] else ""
    for label, value in (
        ("id", item["id"]),
        ("where", f"{item['account']} {item['region']} {item['endpoint']}".strip()),
        ("made by", f"{item['agent']}, run {item['run'] or '(adopted)'}, {item['operation']}"),
        ("owner", f"{item['owner']}{approver}"),
        ("since", item["opened_at"]),
        ("paid until", item["paid_until"] or "not paid for from here"),
        ("our tag", "put on at creation" if item["tagged"] else "not put on at creation"),
        ("state", f"{item['state']} since {item['state_at']}{why}"),
    ):
        click.echo(f"  {label:<11}{neutral(value, chars_max=400)}")
    if item["state"] in ("live", "marked"):
        click.echo(f"  stop it: comptroller holdings stop {short_id(item['id'])}")


@holdings.command()
@click.argument("holding")
@click.option("--reason", default="", help="Why; it is written down.")
@click.option("--delete", is_flag=True, help="Delete it; for what cannot be stopped. It cannot be undone.")
@json_option
@config_option
def stop(holding: str, reason: str, delete: bool, as_json: bool, config: Path | None) -> None:
    """Ask the provider to stop HOLDING. It stays paid for until its provider confirms that it rests."""
    with Client(config) as client:
        item = client.post(f"/v1/holdings/{holding}/stop", reason=reason, delete="true" if delete else "false")
    _told(item, as_json)


@holdings.command()
@click.argument("kind")
@click.argument("resource")
@click.option("--agent", required=True, help="Whose it is from now on.")
@click.option("--account", default="", help="The account it lies in.")
@click.option("--region", default="", help="The region it lies in.")
@click.option("--endpoint", default="", help="The host of its API.")
@click.option("--reason", required=True, help="Why; it is written down.")
@json_option
@config_option
def adopt(
    kind: str,
    resource: str,
    agent: str,
    account: str,
    region: str,
    endpoint: str,
    reason: str,
    as_json: bool,
    config: Path | None,
) -> None:
    """Put RESOURCE (`i-0abc`) of KIND (`aws:ec2:instance`) on the books: it lives, and nobody here knew of it."""
    with Client(config) as client:
        item = client.post(
            "/v1/holdings",
            kind=kind,
            resource=resource,
            agent=agent,
            account=account,
            region=region,
            endpoint=endpoint,
            reason=reason,
        )
    _told(item, as_json)


@holdings.command()
@click.argument("holding")
@click.option("--reason", required=True, help="Why; it is written down.")
@json_option
@config_option
def forget(holding: str, reason: str, as_json: bool, config: Path | None) -> None:
    """Take HOLDING off the books: from here nobody pays for it or stops it any more."""
    with Client(config) as client:
        item = client.post(f"/v1/holdings/{holding}/forget", reason=reason)
    _told(item, as_json)


@holdings.command()
@json_option
@config_option
def drift(as_json: bool, config: Path | None) -> None:
    """Ask the providers what is there now: what the books do not know, and what is gone. Exit 1 where they differ."""
    with Client(config) as client:
        found = client.post("/v1/holdings/drift")
    if as_json:
        print_json(found)
    else:
        for each in found["drift"]:
            place = f" in {each['region']}" if each["region"] else ""
            why = f": {each['why']}" if each.get("why") else ""
            text = f"{each['drift']}: {each['kind']} {each['resource']}{place} (agent {each['agent']}){why}"
            click.echo(neutral(text, chars_max=500))
        if not found["drift"]:
            click.echo("the books and what providers list are the same")
    if found["drift"]:
        raise SystemExit(1)


def _told(item: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(item)
    else:
        click.echo(_line(item))


def _line(item: Mapping[str, Any]) -> str:
    """`live  9f31c2aa  aws:ec2:instance i-0abc us-east-1  $21.96/h  $14.64 so far  paid 40 min  (bot, owner ann)`."""
    state = click.style(f"{item['state']:<9}", fg=_COLOURS.get(item["state"]))
    rate = item["usd_micros_per_hour"]
    cost = "rate unknown" if rate is None else f"{usd_text(rate)}/h"
    left = time_left(item["paid_until"], datetime.now(UTC)) if item["paid_until"] else 0.0
    paid = f"  paid for {seconds_text(left)}" if left > 0 else ""
    name = neutral(item["resource"] or "(not named)", chars_max=RESOURCE_CHARS_MAX)
    return (
        f"{state} {short_id(item['id'])}  {neutral_name(item['kind'])} {name} {neutral_name(item['region'])}  {cost}  "
        f"{usd_text(item['spent_usd_micros'])} so far{paid}  "
        f"({neutral_name(item['agent'])}, owner {neutral_name(item['owner'])})"
    )
