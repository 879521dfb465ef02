"""`comptroller init`: the first `comptroller.yaml`, the starter policies, the keys. Never overwrites anything."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import click

from comptroller.compose import PACKS, pack_policies
from comptroller.compose_state import make_keys
from comptroller.core.errors import RefusedError, UsageError
from comptroller.server.identity import os_user, person_name
from comptroller.server.place import CONFIG_NAME, POLICIES_FOLDER, Paths, load_config

MODEL_KEYS = {"openai": "OPENAI_API_KEY", "anthropic": "ANTHROPIC_API_KEY"}

CONFIG = """\
# Who may do what, with whose money. Every setting: docs/configuration.md
# What actions are allowed at all is written in {policies}/*.cedar; check both with: comptroller policy check
version: 1
organization: {organization}

teams:
  {team}: {{}}

{people}

agents:
  {agent}:
    team: {team}
    owner: {person}
    purpose: {purpose}
    # What this agent may reach. Everything else is refused; the refusal tells you the line to add here.
    # Services: openai, anthropic, stripe, github, aws:s3, ... Hosts: any name, or *.example.com
    # An API of your own: comptroller service add URL|FILE
    services: {services}
    hosts: []
    credentials: {credentials}
    # The most that one run may spend.
    per_run:
      usd: 5
      calls: 2000

# The most that everybody below a scope may spend together. Windows: total, day, month.
budgets:
  - {{scope: {organization}, unit: usd, window: month, limit: 50}}
  - {{scope: {organization}, unit: calls, window: day, limit: 20000}}

# Real keys stay here, outside the box; the agent gets placeholders that are worthless elsewhere.
{credential_section}
"""

PEOPLE = {
    "starter": """\
# Who may answer. The name is the operating-system user name; the starter policies ask the group `approvers`.
people:
  {person}:
    groups: [approvers]""",
    "team": """\
# Who may answer. The team policies ask `approvers`, and `finance` about payments; never the owner of the agent: there
# must be others: add at least two people to each group.
people:
  {person}:
    groups: [approvers, finance]
    roles: [approver, operator, administrator]
#  NAME:
#    groups: [approvers, finance]

# Whom Comptroller asks where no policy says whom: about unknown prices, and beyond a budget.
approvals: {{exclude: [owner]}}""",
}
CREDENTIAL_EXAMPLES = """\
#   aws:    {source: aws_profile, service: aws, profile: default, account: "123456789012"}
#   stripe: {source: file, service: stripe, path: ~/.config/stripe-key}
#   other:  {source: env, service: http, variable: OTHER_TOKEN, hosts: [api.example.com]}"""


@click.command()
@click.argument("folder", default=".", type=click.Path(path_type=Path, file_okay=False))
@click.option("--organization", help="By default the folder's name.")
@click.option("--team", default="main", show_default=True, help="The first team's name.")
@click.option("--agent", default="agent", show_default=True, help="The first agent's name.")
@click.option(
    "--pack",
    type=click.Choice(PACKS),
    default=PACKS[0],
    show_default=True,
    help="Policies for one person alone (starter), or for people who answer for each other's agents (team).",
)
def init(folder: Path, organization: str | None, team: str, agent: str, pack: str) -> None:
    """Write comptroller.yaml and the first policies into FOLDER, and make this installation's keys."""
    folder = folder.resolve()
    path = folder / CONFIG_NAME
    if path.exists() or path.is_symlink():
        raise RefusedError(f"`{path}` is there already", hint="edit it, or move it away and run init again")
    person = person_name(os_user(os.getuid()))
    found = [service for service, variable in MODEL_KEYS.items() if os.environ.get(variable)]
    text = CONFIG.format(
        policies=POLICIES_FOLDER,
        organization=organization or person_name(folder.name),
        team=team,
        agent=agent,
        person=person,
        people=PEOPLE[pack].format(person=person),
        purpose="say here what this agent is for",
        services=_listed(found),
        credentials=_listed(found),
        credential_section=_credentials(found),
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write_new(path, text)
        _checked(path)
        wrote = [path]
        policies = folder / POLICIES_FOLDER / f"{pack}.cedar"
        policies.parent.mkdir(exist_ok=True)
        if not any(policies.parent.glob("*.cedar")):
            _write_new(policies, pack_policies(pack))
            wrote.append(policies)
    except OSError as error:
        raise UsageError(f"cannot write in `{folder}`: {error.strerror}", hint=f"ls -ld {folder}") from error
    make_keys(Paths.of(path))
    for file in wrote:
        click.echo(f"wrote {file}")
    click.echo(f"keys and log are in {Paths.of(path).folder}")
    click.echo("\nnext:")
    click.echo(f"  1. read {CONFIG_NAME}: what is the agent for, what may it reach, what may it spend")
    click.echo("  2. comptroller policy check")
    if pack == "team":
        click.echo("     until others are in the groups, nobody can answer: people.NAME.groups")
    click.echo("  3. comptroller run -- python agent.py")
    click.echo("  4. comptroller approvals open    in another terminal: there you say yes or no")


def _checked(path: Path) -> None:
    """Read back what was written; a name that cannot be used leaves nothing behind."""
    try:
        load_config(path)
    except UsageError:
        path.unlink()
        raise


def _write_new(path: Path, text: str) -> None:
    with path.open("x", encoding="utf-8") as file:
        file.write(text)


def _listed(names: Iterable[str]) -> str:
    return f"[{', '.join(names)}]"


def _credentials(found: Iterable[str]) -> str:
    lines = [f"  {service}: {{source: env, service: {service}, variable: {MODEL_KEYS[service]}}}" for service in found]
    if not lines:
        example = "#   openai: {source: env, service: openai, variable: OPENAI_API_KEY}"
        return f"# credentials:\n{example}\n{CREDENTIAL_EXAMPLES}"
    return "\n".join(["credentials:", *lines, CREDENTIAL_EXAMPLES])
