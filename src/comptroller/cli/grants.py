"""`comptroller approvals standing` and `batch`: yes to the next N like this, and to N that wait."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from comptroller.cli.client import Client, config_option, json_option, print_json
from comptroller.core.errors import RefusedError, UsageError
from comptroller.core.estimate import usd_text
from comptroller.server.neutral import neutral
from comptroller.server.words import short_id

SENTENCE_CHARS_MAX = 2_000
RUN_CHARS_MIN = 6
ROWS_MAX = 200
"""What is answered at once, at most."""


narrow_option = click.option(
    "--narrow",
    multiple=True,
    metavar="PARAMETER=VALUE",
    help="Lower it first: count=1, InstanceType=t3.small, amount=500. Never raises.",
)
"""What is approved instead of what was asked."""


def approve_narrower(
    approval: str, narrow: Sequence[str], ceiling_usd: str | None, comment: str, *, as_json: bool, config: Path | None
) -> None:
    """Say yes to less than APPROVAL asks for; its agent is told what to change."""
    body: dict[str, Any] = {"changes": dict(map(_pair, narrow)), "comment": comment}
    if ceiling_usd:
        body["ceiling_usd"] = ceiling_usd
    with Client(config) as client:
        done = client.post(f"/v1/approvals/{approval}/narrow", **body)
    if as_json:
        print_json(done)
    elif done["state"] == "pending":
        click.echo(f"asked instead, and more people are needed: {neutral(done['sentence'])} ({short_id(done['id'])})")
    else:
        click.echo(f"approved instead, once: {neutral(done['sentence'])} ({short_id(done['id'])})")


@click.group()
def standing() -> None:
    """Standing grants: one yes to the next N actions like one that was asked about."""


@standing.command("grant")
@click.argument("approval")
@click.option("--count", type=click.IntRange(1, 1_000), required=True, help="How many, at most.")
@click.option("--usd", help="The most they may cost together, in dollars. By default the price times the count.")
@click.option("--each-usd", help="The most that one may cost. By default what this one costs.")
@click.option("--until", default="", help="18:00 (UTC), 30m, 2h, 1d or a time.  [default: 8h]")
@click.option("--every-run", is_flag=True, help="Of the agent, not only the run that asked.")
@click.option("--include", multiple=True, help="A dangerous class, named: pay, entitle, destroy or blind.")
@click.option("--free", multiple=True, metavar="PARAMETER", help="A parameter that may have any value.")
@click.option("--at-most", multiple=True, metavar="PARAMETER=N", help="A larger or smaller bound of a count.")
@click.option("--prefix", multiple=True, help="Resources that begin like this, not only the very same.")
@click.option("--any-resource", is_flag=True, help="Whatever resources it names.")
@click.option("--yes", is_flag=True, help="Grant it without asking again.")
@json_option
@config_option
def grant(
    approval: str,
    count: int,
    usd: str | None,
    each_usd: str | None,
    until: str,
    every_run: bool,
    include: tuple[str, ...],
    free: tuple[str, ...],
    at_most: tuple[str, ...],
    prefix: tuple[str, ...],
    any_resource: bool,
    yes: bool,
    as_json: bool,
    config: Path | None,
) -> None:
    """Say yes to the next COUNT actions like this APPROVAL's; what *like* means is shown before anything is granted."""
    wish: dict[str, Any] = {
        "count": count,
        "usd": usd,
        "each_usd": each_usd,
        "until": until,
        "every_run": every_run,
        "include": list(include),
        "free": list(free),
        "at_most": {name: _whole(number) for name, number in map(_pair, at_most)},
        "prefixes": list(prefix),
        "any_resource": any_resource,
    }
    wish = {name: value for name, value in wish.items() if value is not None}
    with Client(config) as client:
        shown = client.post(f"/v1/approvals/{approval}/standing", **wish, preview=True)
        if not yes:
            click.echo(neutral(shown["sentence"], chars_max=SENTENCE_CHARS_MAX), err=as_json)
            if not click.confirm("grant this?", err=as_json):
                raise RefusedError("nothing was granted")
        wish["until"] = shown["expires_at"]
        done = client.post(f"/v1/approvals/{approval}/standing", **wish, sentence=shown["sentence"])
    if as_json:
        print_json(done)
    else:
        click.echo(f"granted {short_id(done['id'])}: {neutral(done['sentence'], chars_max=SENTENCE_CHARS_MAX)}")
        click.echo(f"take it back: comptroller approvals standing revoke {short_id(done['id'])}", err=True)


@standing.command("list")
@click.option("--all", "every", is_flag=True, help="Also those that are used up, expired or revoked.")
@json_option
@config_option
def list_command(every: bool, as_json: bool, config: Path | None) -> None:
    """List standing grants with what is left of each."""
    with Client(config) as client:
        found = client.get("/v1/standing", every="true" if every else "false")
    if as_json:
        print_json(found)
        return
    for item in found["standing"]:
        click.echo(_row(item))
    if not found["standing"]:
        click.echo("no standing grant is open" if not every else "none was ever given")


@standing.command()
@click.argument("grant")
@click.option("--reason", default="", help="Kept in the log.")
@json_option
@config_option
def revoke(grant: str, reason: str, as_json: bool, config: Path | None) -> None:
    """Take the standing GRANT back: from now on it releases nothing."""
    with Client(config) as client:
        done = client.post(f"/v1/standing/{grant}/revoke", reason=reason)
    if as_json:
        print_json(done)
    else:
        click.echo(f"revoked after {done['used']} of {done['count']}: {short_id(done['id'])}")


@standing.command("offers")
@json_option
@config_option
def offers_command(as_json: bool, config: Path | None) -> None:
    """What you said yes to so often that one standing yes may do."""
    with Client(config) as client:
        found = client.get("/v1/offers")
    if as_json:
        print_json(found)
        return
    for offer in found["offers"]:
        text = neutral(offer["sentence"], chars_max=SENTENCE_CHARS_MAX)
        click.echo(f"{offer['yeses']} yeses: {text}")
        click.echo(f"  comptroller approvals standing grant {short_id(offer['approval'])} --count 20")
    if not found["offers"]:
        click.echo("nothing was answered so often")


@click.command()
@click.argument("key", required=False)
@click.option("--run", "run", help="Everything that waits in this run as one table, alike or not.")
@click.option("--approve", "answer", flag_value="approve", help="Say yes to each of them.")
@click.option("--reject", "answer", flag_value="reject", help="Say no to each of them.")
@click.option("--comment", default="", help="Kept in the log; with --reject told to the agent.")
@click.option("--ceiling-usd", help="The most that each may cost, where the price is not known.")
@json_option
@config_option
def batch(
    key: str | None,
    run: str | None,
    answer: str | None,
    comment: str,
    ceiling_usd: str | None,
    as_json: bool,
    config: Path | None,
) -> None:
    """Show what waits, the like of it together; with KEY one batch as a table, which may be answered at once."""
    with Client(config) as client:
        found = client.get("/v1/batches")["batches"]
        if key is None and run is None:
            if answer:
                raise UsageError("which batch?", hint="comptroller approvals batch lists them by key")
            _print_batches(found, as_json)
            return
        one = _of_run(found, run) if run is not None else _batch(found, key or "")
        if answer is None:
            print_json(one) if as_json else _print_table(one)
            return
        body: dict[str, Any] = {
            "ids": [row["id"] for row in one["rows"]],
            "yes": answer == "approve",
            "comment": comment,
        }
        if ceiling_usd:
            body["ceiling_usd"] = ceiling_usd
        done = client.post("/v1/batches", **body)
    if as_json:
        print_json(done)
    else:
        for row in done["answers"]:
            how = row["state"] if row["answered"] else f"not answered: {neutral(row['why'])}"
            click.echo(f"{short_id(row['id'])}  {how}")
        click.echo(f"{done['answered']} of {done['asked']} answered")
    if done["answered"] < done["asked"]:
        raise click.exceptions.Exit(1)


def _of_run(found: Sequence[Mapping[str, Any]], run: str) -> Mapping[str, Any]:
    """All batches of one run as one table; each row says what it does."""
    mine = [
        one for one in found if len(run) >= RUN_CHARS_MIN and (one["run"].startswith(run) or one["run"].endswith(run))
    ]
    if len({one["run"] for one in mine}) != 1:
        raise RefusedError(f"nothing waits in one run called `{run}`", hint="comptroller approvals batch")
    rows = [{**row, "resources": [], "own": []} for one in mine for row in one["rows"]][:ROWS_MAX]
    return {
        **mine[0],
        "key": f"--run {mine[0]['run']}",
        "count": len(rows),
        "common": [],
        "operation": "action",
        "rows": rows,
    }


def _batch(found: Sequence[Mapping[str, Any]], key: str) -> Mapping[str, Any]:
    for one in found:
        if one["key"] == key:
            return one
    raise RefusedError(f"there is no batch `{key}` any more", hint="comptroller approvals batch")


def _print_batches(found: Sequence[Mapping[str, Any]], as_json: bool) -> None:
    if as_json:
        print_json({"batches": found})
        return
    for one in found:
        cost = "cost unknown" if one["price_unknown"] else usd_text(one["usd_micros"])
        click.echo(
            f"{one['key']}  {one['count']:>4} x {neutral(one['operation'])}  {neutral(one['agent'])}  {cost} in all"
        )
    if not found:
        click.echo("nothing waits for an answer")


def _print_table(one: Mapping[str, Any]) -> None:
    click.echo(f"{one['count']} x {neutral(one['operation'])} by {neutral(one['agent'])}")
    for name, text in one["common"]:
        click.echo(f"  all: {neutral(name)} = {neutral(text)}")
    for row in one["rows"]:
        own = "  ".join(f"{neutral(name)}={neutral(text)}" for name, text in row["own"])
        cost = usd_text(row["usd_micros"]) if isinstance(row["usd_micros"], int) else ""
        told = neutral(", ".join(row["resources"])) or neutral(row["sentence"])
        obstacle = f"  ({neutral(row['obstacle'])})" if row["obstacle"] else ""
        click.echo(f"{short_id(row['id'])}  {told}  {own}  {cost}{obstacle}".rstrip())
    click.echo(f"answer all: comptroller approvals batch {one['key']} --approve", err=True)


def _row(item: Mapping[str, Any]) -> str:
    money = f"{usd_text(item['left_usd_micros'])} of {usd_text(item['usd_micros'])} left"
    left = f"{item['left']} of {item['count']} left, {money}, until {item['expires_at']}"
    text = neutral(item["sentence"], chars_max=SENTENCE_CHARS_MAX)
    return f"{short_id(item['id'])}  {item['state']:<9} {left}  by {neutral(item['granted_by'])}: {text}"


def _pair(text: str) -> tuple[str, str]:
    name, found, value = text.partition("=")
    if not found or not name or not value:
        raise UsageError(f"`{text}` is not NAME=VALUE")
    return name, value


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise UsageError(f"`{text}` is not a whole number")
    return int(text)
