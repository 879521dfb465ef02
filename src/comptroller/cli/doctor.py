"""`comptroller doctor`: can this machine hold a box, and does the box hold? Every attack is tried in a real one."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence

import click

from comptroller.enforce.sandbox import preflight
from comptroller.server.neutral import neutral
from comptroller.testing.escape.suite import LAYER, Attack, run_suite


@click.command()
@click.option("--only", multiple=True, metavar="NAME", help="Only this attack, or this group of attacks; repeatable.")
@click.option("--verbose", is_flag=True, help="Show every attack, not only what got through.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def doctor(ctx: click.Context, only: tuple[str, ...], verbose: bool, as_json: bool) -> None:
    """Try to break out of a real box on this machine; exit 1 if anything gets through.

    Starts a server and two boxes of its own in a temporary folder and leaves nothing behind. Needs no comptroller.yaml.
    """
    preflight()
    attacks = run_suite(only=only, tell=None if as_json else _teller(verbose))
    passed = [attack for attack in attacks if not attack.blocked]
    if as_json:
        click.echo(json.dumps(document(attacks), indent=2))
    else:
        click.echo(_summary(attacks))
    ctx.exit(1 if passed or not attacks else 0)


def document(attacks: Sequence[Attack]) -> dict[str, object]:
    """The stable JSON form."""
    return {
        "layer": LAYER,
        "attacks": [
            {"name": f"{attack.group}: {attack.name}", "blocked": attack.blocked, "detail": attack.detail}
            for attack in attacks
        ],
        "blocked": sum(attack.blocked for attack in attacks),
        "total": len(attacks),
    }


def _teller(verbose: bool) -> Callable[[Attack], None]:
    def tell(attack: Attack) -> None:
        name = f"{attack.group}: {attack.name}"
        if not attack.blocked:
            click.echo(f"{click.style('GOT THROUGH', fg='red', bold=True)}  {name}\n    {neutral(attack.detail)}")
        elif verbose:
            detail = click.style(neutral(attack.detail), dim=True)
            click.echo(f"{click.style('blocked', fg='green')}  {name}  {detail}")

    return tell


def _summary(attacks: Sequence[Attack]) -> str:
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
    return "\n".join([f"layer: {LAYER}", *lines, f"{total} of {len(attacks)} attacks blocked: {verdict}"])
