"""`comptroller doctor`: what is this machine, can it hold a box, and does the box hold? Every attack in a real one."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Sequence

import click

from comptroller.core.errors import ComptrollerError, UsageError
from comptroller.enforce.sandbox import diagnosis
from comptroller.enforce.sandbox.diagnosis import Diagnosis
from comptroller.server.neutral import neutral
from comptroller.testing.escape import external
from comptroller.testing.escape.suite import LAYER, Attack, run_suite

NO_LAYER = "none"


@click.command()
@click.option("--only", multiple=True, metavar="NAME", help="Only this attack, or this group of attacks; repeatable.")
@click.option("--verbose", is_flag=True, help="Show every attack, not only what got through.")
@click.option("--fix", is_flag=True, help="As root: change what this machine needs to hold a box, and say what.")
@click.option("--probe", is_flag=True, help="Only look whether this machine can hold a box; try no attack.")
@click.option(
    "--layer",
    type=click.Choice([LAYER, external.LAYER]),
    default=LAYER,
    help="`external`: run inside, where the agent runs: is nothing but the gateway in reach?",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def doctor(
    ctx: click.Context, only: tuple[str, ...], verbose: bool, fix: bool, probe: bool, layer: str, as_json: bool
) -> None:
    """Try to break out of a real box on this machine; exit 1 if anything gets through or no box comes up.

    Starts a server and two boxes of its own in a temporary folder and leaves nothing behind. Needs no comptroller.yaml.
    """
    if layer == external.LAYER:
        if only or fix or probe:
            raise UsageError("--layer external has no --only, --fix or --probe", hint="leave it out")
        attacks = external.prove(os.environ, tell=None if as_json else _teller(verbose))
        told = document(attacks, layer=layer)
        click.echo(json.dumps(told, indent=2) if as_json else _summary(attacks, layer=layer))
        ctx.exit(0 if all(attack.blocked for attack in attacks) else 1)
    say = _teller_of_lines(as_json)
    found = diagnosis.examine()
    for label, text in found.place.lines():
        say(f"  {label:<15}  {neutral(text)}")
    if found.error is not None and fix:
        found = _repaired(found, say)
    if found.error is not None:
        _give_up(found)
        if as_json:
            click.echo(json.dumps(document((), layer=NO_LAYER), indent=2))
        ctx.exit(1)
    if fix:
        say("nothing to fix: a box comes up here")
    if probe:
        click.echo(json.dumps(document(()), indent=2) if as_json else f"layer: {LAYER}; a box comes up here")
        return
    attacks = run_suite(only=only, tell=None if as_json else _teller(verbose))
    passed = [attack for attack in attacks if not attack.blocked]
    click.echo(json.dumps(document(attacks), indent=2) if as_json else _summary(attacks))
    ctx.exit(1 if passed or not attacks else 0)


def document(attacks: Sequence[Attack], *, layer: str = LAYER) -> dict[str, object]:
    """The stable JSON form; `layer` is `none` where no box comes up."""
    return {
        "layer": layer,
        "attacks": [
            {"name": f"{attack.group}: {attack.name}", "blocked": attack.blocked, "detail": attack.detail}
            for attack in attacks
        ],
        "blocked": sum(attack.blocked for attack in attacks),
        "total": len(attacks),
    }


def _repaired(found: Diagnosis, say: Callable[[str], None]) -> Diagnosis:
    """After the repair, where there is one. Raises `UsageError` where this is not root, or what the repair met."""
    if found.remedy is None or found.remedy.repair is None:
        say("there is nothing that --fix may change for this; the steps are for a person, outside of here")
        return found
    for line in diagnosis.repair(found.remedy.repair):
        say(f"fixed: {line}")
    return diagnosis.examine()


def _give_up(found: Diagnosis) -> None:
    error = found.error or ComptrollerError("a box does not come up here")
    lines = [f"layer: {NO_LAYER}; no box comes up here, and `comptroller run` refuses to start", neutral(error.message)]
    if found.remedy is not None:
        lines += ["what helps:", *(f"    {step}" for step in found.remedy.steps)]
        if found.remedy.repair is not None:
            lines.append("or, as root: comptroller doctor --fix")
    elif error.hint:
        lines.append(f"next: {neutral(error.hint)}")
    sys.stderr.write("\n".join(lines) + "\n")


def _teller_of_lines(as_json: bool) -> Callable[[str], None]:
    def say(line: str) -> None:
        click.echo(line, err=as_json)

    return say


def _teller(verbose: bool) -> Callable[[Attack], None]:
    def tell(attack: Attack) -> None:
        name = f"{attack.group}: {attack.name}"
        if not attack.blocked:
            click.echo(f"{click.style('GOT THROUGH', fg='red', bold=True)}  {name}\n    {neutral(attack.detail)}")
        elif verbose:
            detail = click.style(neutral(attack.detail), dim=True)
            click.echo(f"{click.style('blocked', fg='green')}  {name}  {detail}")

    return tell


def _summary(attacks: Sequence[Attack], *, layer: str = LAYER) -> str:
    lines = []
    groups = Counter(attack.group for attack in attacks)
    held = Counter(attack.group for attack in attacks if attack.blocked)
    width = max(map(len, groups), default=0)
    for group, count in groups.items():
        whole = held[group] == count
        mark = click.style("held" if whole else "OPEN", fg="green" if whole else "red")
        lines.append(f"  {group:<{width}}  {mark}  {held[group]} of {count}")
    total = sum(held.values())
    verdict = "nothing got out" if total == len(attacks) else f"{len(attacks) - total} attacks got through"
    return "\n".join([f"layer: {layer}", *lines, f"{total} of {len(attacks)} attacks blocked: {verdict}"])
