"""`comptroller freeze`, `thaw` and `kill`."""

from __future__ import annotations

from pathlib import Path

import click

from comptroller.cli.client import Client, config_option, json_option, print_json
from comptroller.server.neutral import neutral_name


def _brake(verb: str, told: str, help_text: str) -> click.Command:
    @click.command(verb, help=help_text)
    @click.argument("scope")
    @click.option("--reason", default="", help="Kept in the log and shown to whoever asks.")
    @json_option
    @config_option
    def command(scope: str, reason: str, as_json: bool, config: Path | None) -> None:
        with Client(config) as client:
            done = client.post(f"/v1/{verb}", scope=scope, reason=reason)
        if as_json:
            print_json(done)
        else:
            click.echo(f"{told}: {neutral_name(done['scope'])}")

    return command


freeze = _brake(
    "freeze", "frozen", "Let nothing new leave SCOPE: a run, an agent, a team or the organization. Its processes go on."
)
thaw = _brake("thaw", "thawed", "Let SCOPE go on after a freeze.")
kill = _brake("kill", "killed", "Freeze SCOPE for good, end its processes, withdraw its questions and grants.")
