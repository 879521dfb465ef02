"""`comptroller serve`: the one process that owns store, keys, credentials, gateway and sockets of an installation."""

from __future__ import annotations

import asyncio
import resource
import signal
from pathlib import Path

import click

from comptroller import __version__
from comptroller.cli.client import config_option, config_path, json_option, print_json
from comptroller.compose import open_installation
from comptroller.compose_proof import prove as prove_on_copy
from comptroller.core.errors import UsageError
from comptroller.server.house import House
from comptroller.server.neutral import neutral_name

IDLE_SECONDS_MAX = 86_400.0
OPEN_FILES_MAX = 65_536
"""Every box may hold hundreds of connections: with the usual 1024 descriptors two of them could starve all others."""


@click.command()
@click.option("--page-port", default=0, type=click.IntRange(0, 65_535), help="Port of the approvals page; 0 takes any.")
@click.option(
    "--idle-exit",
    type=click.FloatRange(0, IDLE_SECONDS_MAX),
    metavar="SECONDS",
    help="End after so long without a run, an open question or a visitor.",
)
@click.option(
    "--prove",
    is_flag=True,
    help="Try this version on a copy of the state, beside a running server, and end: 0 where it can go on.",
)
@json_option
@config_option
def serve(page_port: int, idle_exit: float | None, prove: bool, as_json: bool, config: Path | None) -> None:
    """Run the server of this installation in the foreground. `comptroller run` starts it by itself."""
    if prove:
        _prove(config_path(config), as_json)
        return
    if as_json:
        raise UsageError("--json goes with --prove alone", hint="comptroller serve --prove --json")
    allow_open_files()
    asyncio.run(_serve(config_path(config), page_port, idle_exit))


def _prove(path: Path, as_json: bool) -> None:
    found = prove_on_copy(path)
    if as_json:
        print_json(found.as_dict())
        return
    _say(f"version {found.version} can go on with {path}, tried on a copy")
    _say(f"log: {found.entries} entries verified, and continued")
    if found.migrated_to != found.store_version:
        _say(f"store: version {found.store_version} becomes {found.migrated_to} when this version starts")
    _say(f"open questions: {found.pending}, all kept")
    if found.suspended:
        _say(f"{found.suspended} actions are under way now: if the server ended this moment, their money would be held")


def allow_open_files() -> None:
    """As many open files as this user may have, up to `OPEN_FILES_MAX`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES_MAX if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES_MAX)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


async def _serve(path: Path, page_port: int, idle_exit: float | None) -> None:
    installation = await open_installation(path)
    try:
        suspended = await installation.begin()
        house = House(
            installation.desk,
            control_socket=installation.paths.control_socket,
            attach_socket=installation.paths.attach_socket,
            page_port=page_port,
            idle_exit_seconds=idle_exit,
        )
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, house.stop)
        await house.start()
        try:
            _say(f"comptroller {__version__} serves {neutral_name(installation.config.organization)}: {path}")
            if suspended:
                _say(f"{suspended} actions of an earlier serve have no known outcome: their money stays held")
            for host, url in installation.config.upstreams.items():
                _say(f"development upstream: {neutral_name(host)} goes to {neutral_name(url)}")
            _say(f"approvals page at {house.page_origin}, opened by: comptroller approvals open")
            _say("ready")
            why = await house.stopped()
        finally:
            await house.close()
    finally:
        await installation.close()
    _say("ended: nothing to do" if why == "idle" else "ended")


def _say(text: str) -> None:
    click.echo(text)
