"""`comptroller backup` and `comptroller restore`: keep the state, and put it back so that nothing is spent twice."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime
from pathlib import Path

import click

from comptroller import compose_state
from comptroller.cli.client import config_option, config_path, json_option, print_json
from comptroller.core.errors import ConfigError, MissingError, RefusedError, UsageError
from comptroller.server.neutral import neutral_name
from comptroller.server.place import Paths, load_config

REASON_CHARACTERS_MAX = 2_000
NEXT = (
    "at each service, look at what was done since {until}: what the copy knows nothing of was not counted",
    "lower the limits by what was spent since: comptroller budget set",
    "{dispatched} actions were on their way and {suspense} had no known end: ${held} stays held for them",
    "{holdings} things are known that cost ${rate} an hour; some may be gone, and new ones are not known",
    "runs, brakes and distrusted prices of the lost time are in the store that was kept aside: pull them again",
    "{grants} unused yes and {questions} open questions will be taken back: people are asked again",
    "start the server (comptroller serve): the log begins epoch {epoch}, and every scope is frozen",
    'only when that is done: comptroller thaw {organization} --reason "what was compared, and by whom"',
)


@click.command()
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The file; else one in the state folder.")
@click.option("--with-keys", is_flag=True, help="Put the private keys in it too: whoever has it can sign in your name.")
@json_option
@config_option
def backup(output: Path | None, with_keys: bool, as_json: bool, config: Path | None) -> None:
    """Back up store, public key and checkpoint to one checked file. The server may run meanwhile."""
    path = config_path(config)
    paths = Paths.of(path)
    if not compose_state.has_store(paths):
        raise MissingError(f"there is no store `{paths.store}`", hint="comptroller serve or comptroller run makes one")
    if output is None:
        output = paths.backups / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}.tar.gz"
    else:
        output = output.absolute()
        _check_outside(output, path)
    made = compose_state.make_backup(paths, output, with_keys=with_keys)
    head, signed = made.manifest.head, made.signed
    if as_json:
        print_json(
            {
                "file": str(made.path),
                "bytes": made.bytes,
                "sha256": made.sha256,
                "head": head.as_dict(),
                "signed_size": signed.size,
                "with_keys": made.manifest.with_keys,
                "files": sorted(made.manifest.files),
            }
        )
        return
    click.echo(f"backed up: {made.path} ({made.bytes} bytes, sha256 {made.sha256})")
    click.echo(f"  {head.size} entries, verified against the signed checkpoint of {signed.size}")
    if with_keys:
        click.echo("  IT HOLDS THE PRIVATE KEYS: whoever has this file can sign the log in your name.", err=True)
        click.echo("  Keep it where you keep passwords; it is readable by you alone (mode 0600).", err=True)
    else:
        click.echo(f"  without the private keys: keep a copy of {paths.log_key} apart from it")


def _check_outside(output: Path, path: Path) -> None:
    """No box may see or change a backup. Raises `UsageError` for one in a workspace."""
    try:
        agents = load_config(path).agents
    except ConfigError as error:
        raise ConfigError(error.message, hint=f"{error.hint}; without --output the backup can be made") from error
    for name, agent in agents.items():
        if output.parent.resolve().is_relative_to((path.parent / agent.workspace).resolve()):
            raise UsageError(
                f"`{output}` lies in the workspace of agent `{name}`, which could read and change it",
                hint="name a file elsewhere, or leave --output out",
            )


@click.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--reason", required=True, help="Why: recorded in the first entry of the new epoch.")
@click.option("--in-place", is_flag=True, help="The store was put back by other means: only open the new epoch.")
@click.option(
    "--checkpoint",
    "checkpoints",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A newer checkpoint that you kept, so that the log says what is lost. Repeatable.",
)
@click.option("--public-key", "key", metavar="FILE|VKEY", help="The log's public key, where this machine has none.")
@json_option
@config_option
def restore(
    file: Path | None,
    reason: str,
    in_place: bool,
    checkpoints: tuple[Path, ...],
    key: str | None,
    as_json: bool,
    config: Path | None,
) -> None:
    """Put the backup FILE in the place of the store there is, which is kept aside. The server must not run.

    Afterwards everything is frozen, and the log begins a new epoch, until a person has reconciled and thaws.
    """
    if (file is None) is not in_place:
        raise UsageError("name the backup, or --in-place where the store was put back already", hint="not both")
    if not reason.strip() or len(reason) > REASON_CHARACTERS_MAX:
        raise UsageError(f"say why, in at most {REASON_CHARACTERS_MAX} characters", hint='--reason "the disk failed"')
    path = config_path(config)
    paths = Paths.of(path)
    for kept in (*checkpoints, *([file] if file is not None else [])):
        if not kept.is_file():
            raise MissingError(f"there is no file `{kept}`")
    if in_place and not compose_state.has_store(paths):
        raise RefusedError(f"there is no store `{paths.store}`", hint="put it back first, or name a backup")
    done = compose_state.restore(
        paths, file, by=getpass.getuser(), reason=reason.strip(), checkpoints=checkpoints, key=_vkey(key)
    )
    unsettled, decided = done.unsettled, done.restore
    newest = decided.newest.size if decided.newest is not None else 0
    lost = max(newest, decided.present_size) - unsettled.entries
    if as_json:
        print_json(
            {
                "epoch": decided.epoch,
                "origin": decided.origin,
                "made_at": done.made_at,
                "aside": str(done.aside) if done.aside else None,
                "lost_at_least": max(lost, 0),
                "unsettled": unsettled.as_dict(),
            }
        )
        return
    click.echo(f"restored: {unsettled.entries} entries, the last of {unsettled.known_until or 'no time'}")
    click.echo(
        f"  at least {lost} newer entries are lost" if lost > 0 else "  no newer entry is known; there may be some"
    )
    if done.aside:
        click.echo(f"  what was there is kept in {done.aside}")
    click.echo("\nEverything will be frozen. Before you thaw:")
    words = {
        "until": unsettled.known_until or "the beginning",
        "dispatched": unsettled.dispatched,
        "suspense": unsettled.suspense,
        "held": _dollars(unsettled.held_usd_micros),
        "holdings": unsettled.holdings,
        "rate": _dollars(unsettled.usd_micros_per_hour),
        "grants": unsettled.grants,
        "questions": unsettled.questions,
        "epoch": decided.epoch,
        "organization": _organization(path),
    }
    for number, step in enumerate(NEXT, 1):
        click.echo(f"  {number}. {step.format(**words)}")


def _vkey(key: str | None) -> str | None:
    if key is None or not Path(key).is_file():
        return key
    return Path(key).read_text("utf-8", "replace")


def _organization(path: Path) -> str:
    try:
        return neutral_name(load_config(path).organization)
    except ConfigError:
        return "ORGANIZATION"


def _dollars(micros: int) -> str:
    return f"{micros / 1_000_000:,.2f}"
