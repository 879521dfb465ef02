"""A click group that imports a command only when it is used, and turns our errors into a message and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import click

from comptroller.cli.harmless import guarded
from comptroller.core.errors import ComptrollerError, UsageError


@dataclass(frozen=True, slots=True)
class Command:
    """Where a command lives: `comptroller.cli.MODULE`, its attribute there, and its line in the help."""

    module: str
    attribute: str
    line: str


class LazyGroup(click.Group):
    """Knows its commands by name; loads one at a time."""

    def __init__(self, *args: Any, commands_by_name: Mapping[str, Command] | None = None, **options: Any) -> None:
        super().__init__(*args, **options)
        self._by_name = dict(commands_by_name or {})

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order a newcomer meets them."""
        return list(self._by_name)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command; None where there is none of this name."""
        known = self._by_name.get(cmd_name)
        if known is None:
            return None
        found = getattr(import_module(f"comptroller.cli.{known.module}"), known.attribute)
        if not isinstance(found, click.Command):
            raise TypeError(f"comptroller.cli.{known.module}.{known.attribute} is not a command")
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in the help, without importing anything."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.line) for name, command in self._by_name.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; an error of ours ends as its message, its hint and its exit code."""
        with guarded():
            return self._invoke(ctx)

    def _invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ComptrollerError as error:
            report(error)
            ctx.exit(error.exit_code)
        except BrokenPipeError:
            raise
        except OSError as error:
            where = (
                f"`{os.fsdecode(error.filename)}`" if isinstance(error.filename, str | bytes) else "a file or socket"
            )
            wrong = UsageError(
                f"{where} cannot be used: {error.strerror or error}",
                hint="check that it is there, that it is yours, and that the disk is not full",
            )
            report(wrong)
            ctx.exit(wrong.exit_code)


def report(error: ComptrollerError) -> None:
    """Print an error and its next step on standard error."""
    from comptroller.server.neutral import neutral

    # A message may quote a file, or a name, that somebody else wrote.
    message = "\n".join(neutral(line) for line in error.message.split("\n"))
    click.echo(f"comptroller: {message}", err=True)
    if error.hint:
        hint = "\n".join(neutral(line) for line in error.hint.split("\n"))
        click.echo(click.style(f"  next: {hint}", dim=sys.stderr.isatty()), err=True)
