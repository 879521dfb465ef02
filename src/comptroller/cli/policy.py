"""`comptroller policy`: check the policies beside `comptroller.yaml`, and say what they decide and why."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import BinaryIO

import click

from comptroller import price
from comptroller.boundary import CedarBoundary, Explanation, PolicyError, Problem, explain
from comptroller.boundary.problem import nearest
from comptroller.cli.client import config_option, config_path, json_option, print_json
from comptroller.compose import load_boundary, registry_of
from comptroller.core.action import DEPTH_MAX, Action, ActionClass, Payment
from comptroller.core.config import Config
from comptroller.core.errors import UsageError
from comptroller.decode.aws import index as aws
from comptroller.decode.azure.arm import service_of
from comptroller.server.descriptions import described_services
from comptroller.server.neutral import neutral, neutral_name
from comptroller.server.place import find_config, load_config
from comptroller.server.progress import asked_text

ACTION_BYTES_MAX = 1 << 20
PREVIEW_RUN = "preview"

_AZURE_DATA = {"vault": "azure:keyvault", "blob": "azure:storage"}
"""Data planes whose operations begin otherwise than their service is called."""

_FAMILIES = frozenset({"aws", "azure", "gcp", "mcp"})
"""Whose services are named by a family and a name: `gcp:compute`, `mcp:tools.example`."""

_MEMBERS: Mapping[str, type | tuple[type, ...]] = {
    "operation": str,
    "classes": list,
    "service": str,
    "account": str,
    "region": str,
    "endpoint": str,
    "agent": str,
    "quantity": int,
    "resources": list,
    "parameters": dict,
    "payment": dict,
}


@click.group()
def policy() -> None:
    """Check policies, explain what they decide, and suggest what to add."""


@policy.command()
@click.argument(
    "folder", metavar="[DIR]", required=False, type=click.Path(path_type=Path, exists=True, file_okay=False)
)
@json_option
def check(folder: Path | None, as_json: bool) -> None:
    """Check the policies of the installation in DIR (default: here or above).

    Ends with 0 where they can be used, 1 where they cannot, 2 where comptroller.yaml is missing or wrong.
    """
    path = find_config(folder)
    config = load_config(path)
    try:
        boundary = load_boundary(config, path)
    except PolicyError as error:
        _show_check(None, error.problems, as_json)
        sys.exit(1)
    _show_check(boundary, (), as_json, _unreachable(config, path))


def _unreachable(config: Config, path: Path) -> tuple[Problem, ...]:
    """Entries of agents' `services` that are no service: they name nothing, and nobody would notice."""
    registry = registry_of(config, described_services(path))
    known = {*registry.codecs, *_FAMILIES}
    in_aws = {operation.split(":")[1] for operation in aws.operations()}
    lines = path.read_text("utf-8").splitlines()
    found = []
    for name, agent in config.agents.items():
        for entry in agent.services:
            family, _, rest = entry.partition(":")
            if family == "aws" and rest and rest != "*" and rest not in in_aws:
                close = nearest(rest, in_aws)
                write = f"aws:{close}" if close else "aws:SERVICE as boto3 calls it"
            elif family in known:
                continue
            elif entry in config.services:
                hosts = ", ".join(config.services[entry].hosts)
                write = f"agents.{name}.hosts: [{hosts}]" if hosts else ""
            else:
                write = nearest(entry, known) or "a known service, or services/NAME.yaml: comptroller service list"
            line = next((n for n, text in enumerate(lines, 1) if "services" in text and entry in text), 1)
            message = f"agents.{name}.services: no service is called `{entry}`, so this names nothing"
            found.append(Problem(file=str(path), line=line, message=message, write=write))
    return tuple(found)


@policy.command("explain")
@click.argument("action_json", metavar="ACTION.json", type=click.File("rb"))
@json_option
@config_option
def explain_command(action_json: BinaryIO, as_json: bool, config: Path | None) -> None:
    """Say what the policies decide about the action in ACTION.json (`-` reads standard input), and why.

    Members: operation, agent, classes, service, account, region, endpoint, quantity, resources, parameters, payment.
    Only operation is needed, and agent where there are several.
    """
    path = config_path(config)
    settings = load_config(path)
    boundary = load_boundary(settings, path)
    registry = registry_of(settings, described_services(path))
    action = read_action(action_json.read(ACTION_BYTES_MAX + 1), boundary, registry.operations_near)
    explanation = explain(boundary, action, price.estimate(action))
    if as_json:
        print_json(explanation.document())
    else:
        _show_explanation(action, explanation)


@policy.command("suggest")
@click.argument("run", required=False)
@click.option(
    "--from",
    "file",
    metavar="FILE",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Take what is denied in this file of `comptroller replay` instead of a run.",
)
@click.option(
    "--policy",
    "policies",
    metavar="DIR",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Add to the *.cedar files in DIR rather than to those of the installation.",
)
@click.option("--agent", metavar="NAME", help="With --from: the agent of cases that name none.")
@click.option(
    "--days",
    type=click.IntRange(1, 366),
    help="Look at the last days of the log instead: what was denied, and how people answered.",
)
@json_option
@config_option
def suggest_command(
    run: str | None,
    file: Path | None,
    policies: Path | None,
    agent: str | None,
    days: int | None,
    as_json: bool,
    config: Path | None,
) -> None:
    """Write the smallest policies by which what was denied to RUN would have gone, or would have been asked.

    Nothing is changed. What no policy could let go is told with its reason. Ends with 1 where that is all.
    """
    from comptroller.cli import suggesting

    if (run is not None) + (file is not None) + (days is not None) != 1:
        raise UsageError("either a RUN, --from FILE or --days N", hint="comptroller policy suggest --help")
    if days is not None:
        suggesting.show_recent(days, config, as_json=as_json)
        return
    suggesting.show(suggesting.found(run, file, policies, agent, config), as_json)


@policy.command("what-if")
@click.option(
    "--policies",
    metavar="DIR|FILE",
    required=True,
    type=click.Path(path_type=Path, exists=True),
    help="The rules to try: a folder of *.cedar files, or one file in the place of its namesake.",
)
@click.option("--days", default=7, show_default=True, type=click.IntRange(1, 366), help="How far back to look.")
@click.option(
    "--actions-max",
    default=20_000,
    show_default=True,
    type=click.IntRange(1, 1_000_000),
    help="Of how many actions at most, the newest.",
)
@click.option("--fail-on-widening", is_flag=True, help="End with 1 where something may go that did not: for CI.")
@click.option("--progress", is_flag=True, help="Say on standard error how far it is.")
@json_option
@config_option
def what_if_command(
    policies: Path,
    days: int,
    actions_max: int,
    fail_on_widening: bool,
    progress: bool,
    as_json: bool,
    config: Path | None,
) -> None:
    """Replay the recorded actions of the last days under other rules: which would go another way, at what price.

    Reads the log, needs no server and records nothing. Ends with 2 where the rules cannot be used.
    """
    from comptroller.cli import trying

    found = trying.what_if(policies, days, actions_max, config, as_json=as_json, progress=progress)
    if fail_on_widening and (found["wider"] or found["may_widen"]):
        sys.exit(1)


@policy.command("rules")
@click.option("--days", default=30, show_default=True, type=click.IntRange(1, 366), help="How far back to look.")
@json_option
@config_option
def rules_command(days: int, as_json: bool, config: Path | None) -> None:
    """Show what each rule did in the last days: allowed, asked, denied, or would have done in shadow mode.

    Reads the log; needs no server.
    """
    from comptroller.cli import trying

    trying.show_rules(days, config, as_json=as_json)


def read_action(data: bytes, boundary: CedarBoundary, near: Callable[[str], Sequence[str]] = lambda _: ()) -> Action:
    """An action as a person writes it, with what is left out filled in. `near` lists known operations of a similar
    name. Raises `UsageError`."""
    document = _document(data)
    for name, value in document.items():
        if name not in _MEMBERS:
            known = nearest(name, _MEMBERS)
            raise UsageError(f"an action has no member `{name}`", hint=f"write `{known}`" if known else "see --help")
        if not isinstance(value, _MEMBERS[name]) or isinstance(value, bool):
            raise UsageError(f"`{name}` has the wrong type: `{value}`", hint="comptroller policy explain --help")
    operation = _text(document, "operation")
    if not operation:
        raise UsageError("an action needs an `operation`", hint='{"operation": "aws:ec2:RunInstances"}')
    family, _, rest = operation.partition(":")
    host = rest.rpartition(":")[0] if family == "http" else ""
    return Action(
        operation=operation,
        service=_text(document, "service") or _service_of(operation),
        classes=_classes(document, operation, boundary, near),
        endpoint=_text(document, "endpoint") or host,
        agent=_agent(document, boundary),
        run=PREVIEW_RUN,
        account=_text(document, "account"),
        region=_text(document, "region"),
        resources=tuple(str(item) for item in _list(document, "resources")),
        quantity=int(str(document.get("quantity", 1))),
        parameters=_mapping(document, "parameters"),
        payment=_payment(_mapping(document, "payment")),
    )


def _service_of(operation: str) -> str:
    """What an agent's `services` would have to name: `aws:ec2`, `azure:compute`, `mcp:tools.example`, `stripe`."""
    family, _, rest = operation.partition(":")
    if family in ("aws", "gcp"):
        return f"{family}:{rest.partition(':')[0]}"
    if family == "azure":
        return _AZURE_DATA.get(rest.partition("/")[0]) or service_of(rest.partition(":")[0])
    if family == "mcp" and ":" in rest:
        return f"mcp:{rest.rpartition(':')[0]}"
    return family


def _document(data: bytes) -> Mapping[str, object]:
    if len(data) > ACTION_BYTES_MAX:
        raise UsageError(f"an action is at most {ACTION_BYTES_MAX} bytes")
    try:
        document = json.loads(data, parse_float=Decimal, parse_constant=_no_constant, object_pairs_hook=_pairs)
    except RecursionError as error:
        raise UsageError(f"the action is nested deeper than {DEPTH_MAX}") from error
    except ValueError as error:
        raise UsageError(f"this is no JSON: {error}", hint='{"operation": "aws:ec2:RunInstances"}') from error
    if not isinstance(document, dict):
        raise UsageError("an action is a JSON object", hint='{"operation": "aws:ec2:RunInstances"}')
    return document


def _no_constant(name: str) -> None:
    raise ValueError(f"`{name}` is not JSON")


def _pairs(pairs: list[tuple[str, object]]) -> dict[str, object]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a member appears twice")
    return document


def _classes(
    document: Mapping[str, object], operation: str, boundary: CedarBoundary, near: Callable[[str], Sequence[str]]
) -> frozenset[ActionClass]:
    names = _list(document, "classes")
    if not names:
        known = boundary.classes_of(operation)
        if known is None:
            meant = ", ".join(f"`{name}`" for name in near(operation))
            name_them = f'name its classes, such as "classes": ["{ActionClass.WRITE}"]'
            raise UsageError(
                f"no operation is known as `{operation}`",
                hint=f"perhaps {meant}; else {name_them}" if meant else name_them,
            )
        return known
    for name in names:
        if name not in set(ActionClass):
            close = nearest(str(name), ActionClass)
            raise UsageError(f"there is no class `{name}`", hint=f"write `{close}`" if close else " ".join(ActionClass))
    return frozenset(ActionClass(str(name)) for name in names)


def _agent(document: Mapping[str, object], boundary: CedarBoundary) -> str:
    name = _text(document, "agent")
    known = ", ".join(sorted(boundary.agents)) or "none"
    if not name and len(boundary.agents) == 1:
        return next(iter(boundary.agents))
    if name not in boundary.agents:
        raise UsageError(f"there is no agent `{name}`" if name else "which agent?", hint=f"agents: {known}")
    return name


def _payment(document: Mapping[str, object]) -> Payment | None:
    if not document:
        return None
    amount = document.get("amount_minor")
    if not isinstance(amount, int) or isinstance(amount, bool):
        raise UsageError(
            "a payment needs `amount_minor`, a whole number of the currency's minor unit",
            hint='"payment": {"amount_minor": 40000, "currency": "usd", "payee": "acct_1"}',
        )
    return Payment(amount_minor=amount, currency=_text(document, "currency"), payee=_text(document, "payee"))


def _text(document: Mapping[str, object], name: str) -> str:
    return str(document.get(name, ""))


def _list(document: Mapping[str, object], name: str) -> list[object]:
    value = document.get(name, [])
    return value if isinstance(value, list) else []


def _mapping(document: Mapping[str, object], name: str) -> Mapping[str, object]:
    value = document.get(name, {})
    return value if isinstance(value, dict) else {}


def _show_check(
    boundary: CedarBoundary | None,
    problems: tuple[Problem, ...],
    as_json: bool,
    unreachable: tuple[Problem, ...] = (),
) -> None:
    warnings = (*boundary.warnings, *unreachable) if boundary else ()
    if as_json:
        document = {
            "ok": boundary is not None,
            "rules": len(boundary.rules) if boundary else None,
            "shadow": [rule.id for rule in boundary.rules if rule.shadow] if boundary else None,
            "policy_hash": boundary.policy_hash if boundary else None,
            "problems": [_problem(item) for item in problems],
            "warnings": [_problem(item) for item in warnings],
        }
        print_json(document)
        return
    for item in problems:
        click.echo(neutral(item))
    for item in warnings:
        click.echo(f"warning: {neutral(item)}")
    if boundary is None:
        click.echo(f"{len(problems)} problem{'s' * (len(problems) != 1)}: these policies are not used")
        return
    files = {rule.statement.file for rule in boundary.rules}
    shadows = [rule.id for rule in boundary.rules if rule.shadow]
    if shadows:
        click.echo(f"in shadow mode, deciding nothing: {', '.join(shadows)}")
    click.echo(f"{len(boundary.rules)} rules in {len(files)} file{'s' * (len(files) != 1)}: good")


def _problem(item: Problem) -> dict[str, object]:
    return {"file": item.file, "line": item.line, "message": item.message, "write": item.write}


def _show_explanation(action: Action, explanation: Explanation) -> None:
    result = explanation.result
    click.echo(f"{result.kind.value}: {neutral_name(action.operation)} by {neutral_name(action.agent)}")
    for reason in result.reasons:
        click.echo(f"  {reason.rule or reason.code}: {neutral(reason.text)}")
    for item in result.obligations:
        click.echo(f"  asks {asked_text(item)} ({item.rule})")
    click.echo(f"classes: {' '.join(explanation.classes) or 'none'}")
    click.echo(f"rules that could decide: {explanation.slice_size} of {explanation.total_size}")
    for rule in explanation.rules:
        mark = "*" if rule.determining else " "
        click.echo(f"  {mark} {rule.effect:<11} {rule.id} ({rule.file}:{rule.line}): {_matched(rule.match)}")
    for rule in explanation.shadow:
        would = "would change nothing" if rule.match == "no" else f"would have made it {rule.match}"
        click.echo(f"  ~ {rule.effect:<11} {rule.id} ({rule.file}:{rule.line}): in shadow mode; {would}")
    for error in explanation.errors:
        click.echo(f"error: {neutral(error)}")
    if explanation.advice:
        click.echo("to let it go, or have it asked:")
        for line in explanation.advice:
            click.echo(f"  {neutral(line)}")


def _matched(match: str) -> str:
    return {"yes": "matches", "no": "does not match"}.get(match, neutral(match))
