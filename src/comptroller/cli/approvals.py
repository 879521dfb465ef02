"""`comptroller approvals`: what waits for a person, and their answers."""

from __future__ import annotations

import html
import os
import webbrowser
from pathlib import Path

import click

from comptroller.cli import grants, planning
from comptroller.cli.client import Client, config_option, config_path, json_option, print_json
from comptroller.cli.show import approval_row, approval_text
from comptroller.cli.verifying import verify
from comptroller.server.neutral import neutral, neutral_name
from comptroller.server.place import Paths


@click.group()
def approvals() -> None:
    """List, show and answer what waits for a person."""


approvals.add_command(grants.standing)
approvals.add_command(grants.batch)
approvals.add_command(planning.plan)


@approvals.command("list")
@click.option(
    "--state", default="pending", show_default=True, help="pending, approved, rejected, expired, withdrawn or all."
)
@json_option
@config_option
def list_command(state: str, as_json: bool, config: Path | None) -> None:
    """List approvals, newest first."""
    with Client(config) as client:
        found = client.get("/v1/approvals", state="" if state == "all" else state)
    if as_json:
        print_json(found)
        return
    for approval in found["approvals"]:
        click.echo(approval_row(approval))
    if not found["approvals"]:
        click.echo("nothing waits for an answer" if state == "pending" else "none")


@approvals.command()
@click.argument("approval")
@json_option
@config_option
def show(approval: str, as_json: bool, config: Path | None) -> None:
    """Show one APPROVAL with everything needed to answer it."""
    with Client(config) as client:
        found = client.get(f"/v1/approvals/{approval}")
    if as_json:
        print_json(found)
    else:
        click.echo(approval_text(found))


@approvals.command()
@click.argument("approval")
@click.option("--ceiling-usd", help="The most it may cost, where the price is not known.")
@click.option("--comment", default="", help="Kept in the log.")
@grants.narrow_option
@json_option
@config_option
def approve(
    approval: str, ceiling_usd: str | None, comment: str, narrow: tuple[str, ...], as_json: bool, config: Path | None
) -> None:
    """Say yes to exactly this APPROVAL, once; with --narrow to less than it asks for."""
    if narrow:
        grants.approve_narrower(approval, narrow, ceiling_usd, comment, as_json=as_json, config=config)
        return
    with Client(config) as client:
        done = client.post(f"/v1/approvals/{approval}/approve", ceiling_usd=ceiling_usd, comment=comment)
    if as_json:
        print_json(done)
    elif done["state"] == "pending":
        click.echo(f"your yes counts; more people are needed ({done['progress']}): {neutral(done['sentence'])}")
    elif done["delayed"]:
        click.echo(
            f"approved, once, from {done['usable_at']} until {done['grant_expires_at']}: {neutral(done['sentence'])}"
        )
        click.echo(f"until then it can be taken back: comptroller approvals revoke {neutral_name(done['id'])}")
    else:
        click.echo(f"approved, once, until {done['grant_expires_at']}: {neutral(done['sentence'])}")


@approvals.command()
@click.argument("approval")
@click.option("--comment", default="", help="Why not, and what else. Needed: the agent is told it. Kept in the log.")
@json_option
@config_option
def reject(approval: str, comment: str, as_json: bool, config: Path | None) -> None:
    """Say no to this APPROVAL, and why."""
    with Client(config) as client:
        done = client.post(f"/v1/approvals/{approval}/reject", comment=comment)
    if as_json:
        print_json(done)
    else:
        click.echo(f"rejected: {neutral(done['sentence'])}")


@approvals.command()
@click.argument("approval", nargs=-1, required=True)
@click.option("--comment", default="", help="Kept in the log and told to whoever waits for it.")
@json_option
@config_option
def withdraw(approval: tuple[str, ...], comment: str, as_json: bool, config: Path | None) -> None:
    """Take an open question back, or several: each APPROVAL."""
    _take_back("withdraw", "withdrawn", approval, comment, as_json, config)


@approvals.command()
@click.argument("approval", nargs=-1, required=True)
@click.option("--comment", default="", help="Kept in the log and told to whoever waits for it.")
@json_option
@config_option
def revoke(approval: tuple[str, ...], comment: str, as_json: bool, config: Path | None) -> None:
    """Take a yes back that was not used, or several: each APPROVAL."""
    _take_back("revoke", "taken back", approval, comment, as_json, config)


@approvals.group("deputy")
def deputy_group() -> None:
    """Who may answer in somebody's place, and until when."""


@deputy_group.command("list")
@json_option
@config_option
def deputy_list(as_json: bool, config: Path | None) -> None:
    """List deputies, configured ones too."""
    with Client(config) as client:
        found = client.get("/v1/deputies")
    if as_json:
        print_json(found)
        return
    for each in found["deputies"]:
        groups = f" in {', '.join(each['groups'])}" if each["groups"] is not None else ""
        when = f"until {each['until']}" if each["holds"] else f"from {each['from']} until {each['until']}"
        click.echo(f"{each['person']} for {each['stands_for']}{groups}  {when}  {each['id'] or 'configured'}")
    if not found["deputies"]:
        click.echo("nobody answers for anybody else")


@deputy_group.command("set")
@click.argument("person")
@click.option("--until", required=True, help="The last day (2027-01-02, UTC), or a time (2027-01-02T18:00Z).")
@click.option("--from", "since", default="", help="The first day, or a time; by default now.")
@click.option("--group", "groups", multiple=True, help="In this group only; may be given again. By default in all.")
@click.option("--of", default="", help="In whose place, for an administrator; by default one's own.")
@json_option
@config_option
def deputy_set(
    person: str, until: str, since: str, groups: tuple[str, ...], of: str, as_json: bool, config: Path | None
) -> None:
    """Let PERSON answer in your place."""
    with Client(config) as client:
        done = client.post("/v1/deputies", person=person, until=until, since=since, groups=",".join(groups), of=of)
    if as_json:
        print_json(done)
    else:
        click.echo(f"{done['person']} answers for {done['stands_for']} from {done['from']} until {done['until']}")


@deputy_group.command("end")
@click.argument("deputy")
@json_option
@config_option
def deputy_end(deputy: str, as_json: bool, config: Path | None) -> None:
    """End DEPUTY: an id of the list, or the name of your own deputy."""
    with Client(config) as client:
        done = client.post(f"/v1/deputies/{deputy}/end")
    if as_json:
        print_json(done)
        return
    for each in done["ended"]:
        click.echo(f"{each['person']} answers for {each['stands_for']} no longer")


def _take_back(verb: str, told: str, names: tuple[str, ...], comment: str, as_json: bool, config: Path | None) -> None:
    with Client(config) as client:
        done = [client.post(f"/v1/approvals/{name}/{verb}", comment=comment) for name in names]
    if as_json:
        print_json({"approvals": done})
        return
    for approval in done:
        click.echo(f"{told}: {neutral(approval['sentence'])}")


@approvals.command("open")
@click.option("--print", "only_print", is_flag=True, help="Print the one-time link, open nothing.")
@json_option
@config_option
def open_command(only_print: bool, as_json: bool, config: Path | None) -> None:
    """Open the approvals page through a one-time link."""
    with Client(config) as client:
        link = client.post("/v1/page-link")
    if as_json:
        print_json(link)
        return
    click.echo(link["url"])
    click.echo(f"works once, until {link['expires_at']}", err=True)
    if not only_print and (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        _show(Paths.of(config_path(config)).folder / "open.html", link["url"])


def _show(page: Path, url: str) -> None:
    """Open the person's browser on a private file that leads on: arguments of a process can be read by everybody."""
    page.unlink(missing_ok=True)
    with open(page, "x", encoding="utf-8", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
        file.write(f'<!doctype html><meta http-equiv="refresh" content="0; url={html.escape(url)}">')
    webbrowser.open(page.as_uri())


approvals.add_command(verify)
