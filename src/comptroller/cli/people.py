"""`comptroller people`: who there is and how they sign in; links to set that up; API tokens; sessions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from comptroller.cli.client import Client, config_option, json_option, print_json
from comptroller.core.api_token import DAYS_DEFAULT, DAYS_MAX
from comptroller.core.role import ROLE_RIGHTS, Right
from comptroller.server.neutral import neutral, neutral_name


@click.group()
def people() -> None:
    """Who may sign in and how; invitations, API tokens, sessions."""


@people.command("list")
@json_option
@config_option
def list_command(as_json: bool, config: Path | None) -> None:
    """List everybody: how they sign in, when they last did, roles, groups, deputies."""
    with Client(config) as client:
        found = client.get("/v1/people")
    if as_json:
        print_json(found)
        return
    for person in found["people"]:
        click.echo(_person(person))


def _person(person: Mapping[str, Any]) -> str:
    ways = ", ".join(person["ways"]) or ("invited" if person["invited_until"] else "the control socket alone")
    parts = [
        neutral_name(person["name"]) + ("" if person["configured"] else " (no longer configured)"),
        f"roles {', '.join(person['roles']) or 'none'}",
        f"groups {', '.join(person['groups']) or 'none'}",
        f"signs in by {ways}",
        f"last {person['signed_in_at'] or 'never'}",
        *([f"deputies {', '.join(map(neutral_name, person['deputies']))}"] if person["deputies"] else []),
        *([f"{person['sessions']} sessions"] if person["sessions"] else []),
        *([f"{person['tokens']} tokens"] if person["tokens"] else []),
    ]
    return " · ".join(parts)


@people.command()
@click.argument("name")
@json_option
@config_option
def invite(name: str, as_json: bool, config: Path | None) -> None:
    """Print a one-time link by which NAME sets up how they sign in."""
    with Client(config) as client:
        _print_link(client.post(f"/v1/people/{name}/invite"), as_json)


@people.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask whether you are sure.")
@json_option
@config_option
def reset(name: str, yes: bool, as_json: bool, config: Path | None) -> None:
    """Take every passkey, password, session and token from NAME, and print a link for new ones."""
    if not yes:
        click.confirm(f"{neutral_name(name)} will have to set up anew how they sign in. Sure?", abort=True, err=True)
    with Client(config) as client:
        _print_link(client.post(f"/v1/people/{name}/reset"), as_json)


def _print_link(link: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(link)
        return
    click.echo(link["url"])
    click.echo(f"works once, for {neutral_name(link['person'])}, until {link['expires_at']}", err=True)


@people.command()
@json_option
@config_option
def roles(as_json: bool, config: Path | None) -> None:
    """Show what each role may do, and who has it."""
    with Client(config) as client:
        found = client.get("/v1/people")
    shown = [
        {
            "role": role.value,
            "rights": [right.value for right in Right if right in rights],
            "people": [person["name"] for person in found["people"] if role.value in person["roles"]],
        }
        for role, rights in ROLE_RIGHTS.items()
    ]
    if as_json:
        print_json({"roles": shown})
        return
    for row in shown:
        click.echo(f"{row['role']}: {', '.join(row['rights'])} · {', '.join(map(neutral_name, row['people'])) or '-'}")
    click.echo(
        "written in comptroller.yaml: people.NAME.roles; this installation's owner has all, by the socket", err=True
    )


# ---------------------------------------------------------------- tokens


@people.group()
def tokens() -> None:
    """API tokens: list, make and revoke."""


@tokens.command("list")
@click.option("--all", "every", is_flag=True, help="Also those that are over.")
@json_option
@config_option
def list_tokens(every: bool, as_json: bool, config: Path | None) -> None:
    """List API tokens: yours, or everybody's for who administers."""
    with Client(config) as client:
        found = client.get("/v1/tokens", **({"every": "true"} if every else {}))
    if as_json:
        print_json(found)
        return
    for token in found["tokens"]:
        click.echo(_token(token))
    if not found["tokens"]:
        click.echo("none")


def _token(token: Mapping[str, Any]) -> str:
    state = (
        f"revoked by {neutral_name(token['revoked_by'])}"
        if token["revoked_by"]
        else "works"
        if token["alive"]
        else "over"
    )
    where = f" · only {', '.join(map(neutral_name, token['scopes']))}" if token["scopes"] else ""
    return (
        f"{neutral_name(token['name'])} · {neutral_name(token['person'])} · {', '.join(token['rights'])}{where} · "
        f"until {token['expires_at']} · used {token['used_on'] or 'never'} · {state} · {neutral_name(token['id'])}"
    )


@tokens.command()
@click.argument("name")
@click.option(
    "--right",
    "rights",
    multiple=True,
    type=click.Choice([right.value for right in Right]),
    help="What it may; several. Without: what you may, except to administer.",
)
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    help="An agent, or a path such as acme/ml, outside of which it does nothing; several.",
)
@click.option(
    "--days", default=DAYS_DEFAULT, show_default=True, type=click.IntRange(1, DAYS_MAX), help="How long it works."
)
@json_option
@config_option
def make(
    name: str, rights: tuple[str, ...], scopes: tuple[str, ...], days: int, as_json: bool, config: Path | None
) -> None:
    """Make a token called NAME that acts for you. Its text is printed this once."""
    with Client(config) as client:
        done = client.post("/v1/tokens", name=name, rights=list(rights), scopes=list(scopes), days=days)
    if as_json:
        print_json(done)
        return
    click.echo(done["text"])
    click.echo(f"shown once · {_token(done['token'])}", err=True)


@tokens.command()
@click.argument("token")
@json_option
@config_option
def revoke(token: str, as_json: bool, config: Path | None) -> None:
    """End TOKEN (its name or id), at once."""
    with Client(config) as client:
        done = client.post(f"/v1/tokens/{token}/revoke")
    if as_json:
        print_json(done)
    else:
        click.echo(_token(done))


# ---------------------------------------------------------------- sessions


@people.command()
@click.option("--end", metavar="ID", help="End this session.")
@click.option("--sign-out", metavar="NAME", help="End every session of this person.")
@json_option
@config_option
def sessions(end: str | None, sign_out: str | None, as_json: bool, config: Path | None) -> None:
    """List signed-in browsers, or end them."""
    with Client(config) as client:
        if end is not None:
            done = client.post(f"/v1/sessions/{end}/end")
        elif sign_out is not None:
            done = client.post(f"/v1/people/{sign_out}/sign-out")
        else:
            done = client.get("/v1/sessions")
    if as_json:
        print_json(done)
    elif "ended" in done:
        click.echo(f"{done['ended']} sessions ended")
    else:
        for each in done["sessions"]:
            who = f"{each['id']} · {neutral_name(each['person'])} · by {neutral_name(each['how'])}"
            where = f"{neutral(each['address'])} {neutral(each['agent'])}"
            click.echo(f"{who} since {each['began_at']} · seen {each['seen_at']} · {where}".rstrip())
        if not done["sessions"]:
            click.echo("nobody is signed in")
