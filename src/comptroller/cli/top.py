"""`comptroller top`: what happens, what waits, what is spent and what lives, in a terminal, also over ssh."""

from __future__ import annotations

from pathlib import Path

import click

from comptroller.cli.client import Client, config_option, config_path
from comptroller.core.errors import MissingError


@click.command()
@config_option
def top(config: Path | None) -> None:
    """Watch and answer in the terminal: feed, approvals, budgets, holdings, runs; freeze and kill by key."""
    path = config_path(config)
    try:
        from comptroller.cli.top_app import Top
    except ImportError as error:
        raise MissingError("textual is not installed", hint="pip install 'comptroller[top]'") from error
    with Client(path) as client, Client(path) as feed:
        app = Top(client, feed)
        try:
            app.run()
        finally:
            app.join()
