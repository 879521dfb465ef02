"""`comptroller approvals plan`: what an agent intends, weighed before it starts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import yaml

from comptroller.cli.client import Client, config_option, json_option, print_json
from comptroller.core.errors import UsageError
from comptroller.core.estimate import usd_text
from comptroller.server.neutral import neutral
from comptroller.server.words import short_id

FILE_BYTES_MAX = 8 << 20


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--agent", default="", help="For the next run of this agent.")
@click.option("--run", "run", default="", help="For this run.")
@click.option("--until", default="", help="18:00 (UTC), 30m, 2h, 1d or a time.  [default: 8h]")
@click.option("--include", multiple=True, help="A dangerous class, named: pay, entitle, destroy or blind.")
@click.option("--approve", is_flag=True, help="Grant what can be granted of it, as often as it is intended.")
@json_option
@config_option
def plan(
    file: Path,
    agent: str,
    run: str,
    until: str,
    include: tuple[str, ...],
    approve: bool,
    as_json: bool,
    config: Path | None,
) -> None:
    """Show what FILE intends with price and verdict of each action; with --approve grant it as a whole.

    FILE is our own form (YAML or JSON), or what `terraform show -json` prints, which is shown and never granted.
    """
    body: dict[str, Any] = {"plan": _trimmed(_read(file)), "include": list(include), "approve": approve}
    body |= {name: text for name, text in (("agent", agent), ("run", run), ("until", until)) if text}
    with Client(config) as client:
        done = client.post("/v1/plans", **body)
    if as_json:
        print_json(done)
    else:
        _print(done)
    if approve and (done["unread"] or any(item["why_not"] for item in done["items"])):
        raise click.exceptions.Exit(1)


def _read(file: Path) -> Any:
    try:
        if file.stat().st_size > FILE_BYTES_MAX:
            raise UsageError(f"`{file}` is larger than {FILE_BYTES_MAX} bytes")
        return yaml.safe_load(file.read_text("utf-8"))
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        raise UsageError(f"`{file}` cannot be read as a plan ({type(error).__name__})") from error


def _trimmed(document: Any) -> Any:
    """Of a Terraform plan only what is looked at: its scalars, and the names of what is not known yet."""
    if not isinstance(document, dict) or not isinstance(document.get("resource_changes"), list):
        return document if isinstance(document, dict) else {}
    changes: list[dict[str, Any]] = []
    for each in document["resource_changes"]:
        change = each.get("change") if isinstance(each, dict) else None
        if not isinstance(change, dict):
            changes.append({})
            continue
        after, later = change.get("after"), change.get("after_unknown")
        scalars = (
            {k: v for k, v in after.items() if isinstance(v, str | int | bool)} if isinstance(after, dict) else None
        )
        unknown = dict.fromkeys(later, True) if isinstance(later, dict) else {}
        told = {"actions": change.get("actions"), "after": scalars, "after_unknown": unknown}
        changes.append({"address": each.get("address"), "type": each.get("type"), "change": told})
    return {"resource_changes": changes}


def _print(done: Mapping[str, Any]) -> None:
    for item in done["items"]:
        price = item["usd_micros"]
        cost = "cost unknown" if item["price_unknown"] else usd_text(price) if isinstance(price, int) else "no charge"
        why = f"  NOT GRANTED: {neutral(item['why_not'])}" if item["why_not"] else ""
        click.echo(f"{item['count']} x {neutral(item['sentence'])}  {cost}  {item['verdict']}{why}")
    for text in done["unread"]:
        click.echo(f"NOT READ, NOT GRANTED: {neutral(text)}")
    if done["granted"]:
        money = usd_text(sum(item["usd_micros"] for item in done["granted"]))
        click.echo(
            f"granted {len(done['granted'])} of {len(done['items'])}, up to {money}: plan {short_id(done['id'])}"
        )
