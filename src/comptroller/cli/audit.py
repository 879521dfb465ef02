"""`comptroller audit`: read, prove and export the log. Needs no server, and works beside a running one."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from comptroller.cli.client import Client, config_option, config_path
from comptroller.compose_state import (
    archives_in,
    checkpoints_elsewhere,
    make_archives,
    open_log,
    open_shelf,
    read_archive_file,
    waiting_restore,
)
from comptroller.core import checkpoint as notes
from comptroller.core.audit import Entry
from comptroller.core.checkpoint import Checkpoint, VerifierKey
from comptroller.core.errors import MissingError, RefusedError, UsageError, VerificationError
from comptroller.core.export_reader import LINE_BYTES_MAX
from comptroller.core.retention import KEPT_DAYS_MIN
from comptroller.core.verification import VerificationReport, export_lines, verify_export, verify_log
from comptroller.core.walk import Problem
from comptroller.server.neutral import neutral
from comptroller.server.place import Paths

ENTRIES_SHOWN_DEFAULT = 20
SUMMARY_CHARACTERS_MAX = 160

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
archive_option = click.option(
    "--archive", "archive_folder", type=click.Path(path_type=Path), help="The folder that holds what was archived."
)


@click.group()
def audit() -> None:
    """Read, prove and export the audit log."""


# ---------------------------------------------------------------- reading


@audit.command()
@click.option("--run", default="", help="Only entries of this run.")
@click.option(
    "-n",
    "--lines",
    default=ENTRIES_SHOWN_DEFAULT,
    show_default=True,
    type=click.IntRange(1, 100_000),
    help="How many entries.",
)
@as_json
@config_option
def tail(run: str, lines: int, as_json: bool, config: Path | None) -> None:
    """Print the newest entries, oldest first."""
    with open_log(_paths(config)) as log:
        found = log.newest(lines, run=run)
    for entry in found:
        click.echo(json.dumps(entry.document) if as_json else _summary(entry))


@audit.command()
@click.argument("index", type=click.IntRange(0))
@archive_option
@as_json
@config_option
def show(index: int, archive_folder: Path | None, as_json: bool, config: Path | None) -> None:
    """Print one entry with the private values that lie beside it."""
    paths = _paths(config)
    with open_log(paths) as log:
        found = log.entries(after=index - 1, limit=1)
        beside = log.private(index)
        teller = log.archived_by(index)
        where = _where_archived(log.entries(after=teller - 1, limit=1), teller) if teller is not None else ""
        if teller is None and (not found or found[0].index != index):
            raise RefusedError(f"there is no entry {index}: the log has {log.size()}")
    document = found[0].document if teller is None else {}
    if teller is not None:
        shelf = open_shelf(archive_folder, _verifier(paths)) if archive_folder else None
        record = shelf.record(index) if shelf is not None else None
        if record is None:
            raise RefusedError(
                f"entry {index} was archived in `{where}`, as entry {teller} says",
                hint=f"comptroller audit show {index} --archive FOLDER   (the folder that holds it)",
            )
        document, beside = json.loads(record.leaf), record.private
    private = {item.name: item.value for item in beside}
    committed = document.get("private")
    erased = sorted(set(committed if isinstance(committed, Mapping) else ()) - private.keys())
    whole = {"entry": document, "private": private, "erased": erased, "archive": where or None}
    click.echo(json.dumps(whole, indent=None if as_json else 2))


def _where_archived(found: Sequence[Entry], teller: int) -> str:
    """The name of the archive that entry `teller` names."""
    body = found[0].document.get("body") if found and found[0].index == teller else None
    return neutral(body.get("archive") if isinstance(body, Mapping) else "an archive that no entry names")


def _summary(entry: Entry) -> str:
    """One line; whatever an agent may have chosen is escaped by JSON."""
    seen = entry.document
    body = json.dumps(seen.get("body"))
    if len(body) > SUMMARY_CHARACTERS_MAX:
        body = body[: SUMMARY_CHARACTERS_MAX - 1] + "…"
    who = " ".join(json.dumps(seen[name])[1:-1] for name in ("agent", "run") if isinstance(seen.get(name), str))
    return f"{entry.index:>6}  {json.dumps(seen.get('at'))[1:-1]}  {json.dumps(seen.get('kind'))[1:-1]}  {who}  {body}"


# ---------------------------------------------------------------- proving


@audit.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--public-key", "key", metavar="FILE|VKEY", help="The log's public key; else this installation's.")
@click.option("--checkpoint", "earlier", type=click.Path(path_type=Path), help="A checkpoint you kept from earlier.")
@archive_option
@as_json
@config_option
def verify(
    file: Path | None,
    key: str | None,
    earlier: Path | None,
    archive_folder: Path | None,
    as_json: bool,
    config: Path | None,
) -> None:
    """Prove that no entry was changed, is missing or was cut off: of this installation's log, of an export FILE, or of
    the archives in a folder FILE. With --archive the log and what was archived of it are proven as one whole."""
    if file is not None and archive_folder is not None:
        raise UsageError("--archive belongs to this installation's log", hint="comptroller audit verify FOLDER alone")
    try:
        if file is not None and file.is_dir():
            report = _verify_archives(file, key, earlier, config)
        elif file is not None:
            report = _verify_file(file, key, earlier, config)
        else:
            report = _verify_store(key, earlier, archive_folder, config)
    except VerificationError as error:
        if as_json:
            problem = {"index": None, "text": error.message}
            click.echo(json.dumps({"verified": False, "first_bad": None, "problems": [problem]}))
            sys.exit(error.exit_code)
        raise
    if as_json:
        click.echo(json.dumps(report.as_dict()))
    else:
        _print_report(report)
    if not report.ok:
        sys.exit(VerificationError.exit_code)


def _verify_file(file: Path, key: str | None, earlier: Path | None, config: Path | None) -> VerificationReport:
    text = _key_text(key, None if key else _paths(config))
    earlier_note = _read(earlier, "checkpoint") if earlier else None
    return verify_export(_lines(file), public_key=text, earlier_checkpoint=earlier_note)


def _verify_archives(folder: Path, key: str | None, earlier: Path | None, config: Path | None) -> VerificationReport:
    """Every archive in a folder, and that none is missing between them."""
    verifier = notes.parse_verifier_key(_key_text(key, None if key else _paths(config)))
    kept = notes.verify_any_epoch(_read(earlier, "checkpoint"), verifier) if earlier else None
    files = archives_in(folder)
    if not files:
        raise VerificationError(f"there is no archive in `{folder}`", hint="comptroller audit archive makes one")
    problems: list[Problem] = []
    reports = []
    end = 0
    for file in files:
        try:
            archive, _ = read_archive_file(file.path, key=verifier, earlier=kept)
        except VerificationError as error:
            problems.append(Problem(index=end, text=error.message))
            end = file.end
            continue
        if archive.first != end:
            problems.append(Problem(index=end, text=f"is missing: the next archive, `{file.path.name}`, begins later"))
        if (archive.first, archive.end) != (file.first, file.end):
            problems.append(Problem(index=archive.first, text=f"`{file.path.name}` holds other entries than it says"))
        problems.extend(archive.report.problems)
        reports.append(archive.report)
        end = archive.end
    if kept is not None and kept.size > end:
        problems.append(Problem(index=end, text=f"is missing: the earlier checkpoint covers {kept.size} entries"))
    if not reports:
        raise VerificationError(problems[0].text)
    return replace(
        reports[-1],
        entries=sum(report.entries for report in reports),
        private_checked=sum(report.private_checked for report in reports),
        withheld=sum(report.withheld for report in reports),
        archived=sum(report.archived for report in reports),
        earlier_size=kept.size if kept is not None else None,
        query=f"entries 0 to {end - 1}",
        problems=tuple(problems),
    )


def _verify_store(
    key: str | None, earlier: Path | None, archive_folder: Path | None, config: Path | None
) -> VerificationReport:
    paths = _paths(config)
    verifier = notes.parse_verifier_key(_key_text(key, paths))
    if waiting_restore(paths) is not None:
        raise VerificationError(
            "a restore is not finished: the log's new epoch is not signed yet",
            hint="start the server: comptroller serve",
        )
    # The checkpoint is read before the log: a log that grows meanwhile still covers it.
    _, signed = _newest_checkpoint(paths, verifier)
    kept = [notes.verify_any_epoch(_read(earlier, "checkpoint"), verifier)] if earlier else []
    kept += [notes.verify_any_epoch(note, verifier) for note in checkpoints_elsewhere(paths)]
    with open_log(paths) as log:
        if archive_folder is None:
            return verify_log(log.records(), signed, earlier=kept)
        report = verify_log(open_shelf(archive_folder, verifier).filled(log.records()), signed, earlier=kept)
    if not report.archived:
        return report
    lacking = Problem(index=None, text=f"{report.archived} archived entries do not lie in `{archive_folder}`")
    return replace(report, problems=(*report.problems, lacking))


def _print_report(report: VerificationReport) -> None:
    if report.ok:
        part = "" if report.complete else f" of {report.size} that match `{json.dumps(report.query)[1:-1]}`"
        click.echo(f"verified: {report.entries} entries{part}, root {report.root}")
        if report.unsigned:
            click.echo(f"  {report.unsigned} newer entries are not covered by a signed checkpoint yet")
        if report.earlier_size is not None:
            click.echo(f"  it extends the earlier checkpoint of {report.earlier_size} entries")
        for epoch in report.epochs:
            lost = (
                f"at least {epoch.lost_at_least} newer entries are lost"
                if epoch.lost_at_least
                else "nothing known is lost"
            )
            click.echo(f"  epoch {epoch.number} begins at entry {epoch.index}, after a restore: {lost}")
        if report.archived:
            click.echo(f"  {report.archived} entries were archived: of them only the hashes are here")
        if report.withheld:
            click.echo(f"  {report.withheld} private values were erased or left out; {report.private_checked} match")
        return
    where = "" if report.first_bad is None else f"; the first bad entry is {report.first_bad}"
    click.echo(f"NOT verified{where}", err=True)
    for problem in report.problems:
        click.echo(f"  {neutral(problem)}", err=True)


# ---------------------------------------------------------------- archiving


@audit.command()
@click.option(
    "--before",
    type=click.DateTime(["%Y-%m-%d"]),
    help=f"Entries before this day (UTC); by default those older than {KEPT_DAYS_MIN} days.",
)
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder; what it holds is continued.",
)
@click.option("--prune", is_flag=True, help="Then remove from the store what `retention` lets go. Needs the server.")
@as_json
@config_option
def archive(before: datetime | None, output: Path, prune: bool, as_json: bool, config: Path | None) -> None:
    """Write older entries to files that prove themselves, and remove from the store what may leave it."""
    paths, folder = _paths(config), output.absolute()
    until = before.replace(tzinfo=UTC) if before is not None else datetime.now(UTC) - timedelta(days=KEPT_DAYS_MIN)
    _newest_checkpoint(paths, _verifier(paths))
    made = make_archives(paths, folder, before=until)
    removed: list[Mapping[str, object]] = []
    if prune:
        with Client(config) as client:
            removed = [client.post("/v1/archived", file=str(file.path)) for file in archives_in(folder)]
    count = sum(int(str(each["removed"])) for each in removed)
    if as_json:
        files = [{"file": str(file.path), "first": file.first, "end": file.end} for file in made]
        click.echo(json.dumps({"before": until.isoformat(), "archived": files, "removed": removed}))
        return
    for file in made:
        click.echo(f"archived: entries {file.first} to {file.end - 1} in {file.path}")
    if not made:
        click.echo(f"nothing new to archive before {until:%Y-%m-%d %H:%M} UTC")
    if prune:
        click.echo(f"removed {count} entries from the store; their hashes stay")


# ---------------------------------------------------------------- exporting


@audit.command()
@click.option("--run", default="", help="Only entries of this run, each with its proof.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write to this file instead of printing.")
@click.option(
    "--checkpoint", "earlier", type=click.Path(path_type=Path), help="Prove that this earlier one is extended."
)
@click.option("--without-private", is_flag=True, help="Leave out the values beside the entries.")
@as_json
@config_option
def export(
    run: str, output: Path | None, earlier: Path | None, without_private: bool, as_json: bool, config: Path | None
) -> None:
    """Export the log up to its newest signed checkpoint as JSON lines that anyone with the public key can verify."""
    paths = _paths(config)
    verifier = notes.parse_verifier_key(_key_text(None, paths))
    note, signed = _newest_checkpoint(paths, verifier)
    kept = notes.verify_any_epoch(_read(earlier, "checkpoint"), verifier) if earlier else None
    with open_log(paths) as log:
        if log.size() < signed.size or log.root(signed.size) != signed.root:
            raise VerificationError(
                "the log does not match its own signed checkpoint", hint="comptroller audit verify says where"
            )
        if kept is not None and kept.size > signed.size:
            raise VerificationError(f"the earlier checkpoint covers {kept.size} entries, the log only {signed.size}")
        lines = export_lines(
            log.records(run=run, size=signed.size, private=not without_private),
            note=note,
            signed=signed,
            query=f"run={run}" if run else "",
            prove=lambda index: log.inclusion(index, signed.size),
            consistency=(kept.size, log.consistency(kept.size, signed.size)) if kept is not None else None,
        )
        count = _write(lines, output) - 2
    if output is not None:
        done = {"file": str(output), "entries": count, "size": signed.size, "root": signed.root.hex()}
        click.echo(json.dumps(done) if as_json else f"exported {count} of {signed.size} entries to {output}")


def _write(lines: Iterator[bytes], output: Path | None) -> int:
    """Print or write the lines; how many there were."""
    count = 0
    try:
        with click.open_file(str(output) if output else "-", "wb", atomic=output is not None) as sink:
            for line in lines:
                sink.write(line)
                count += 1
    except OSError as error:
        raise UsageError(f"cannot write `{output}`: {error.strerror}") from error
    return count


# ---------------------------------------------------------------- files


def _verifier(paths: Paths) -> VerifierKey:
    return notes.parse_verifier_key(_key_text(None, paths))


def _paths(config: Path | None) -> Paths:
    return Paths.of(config_path(config))


def _newest_checkpoint(paths: Paths, verifier: VerifierKey) -> tuple[bytes, Checkpoint]:
    if not paths.checkpoint.exists():
        raise VerificationError(
            "there is no signed checkpoint yet: nothing vouches for the log",
            hint="comptroller serve signs one when it starts, every few seconds and when it stops",
        )
    note = _read(paths.checkpoint, "checkpoint")
    return note, notes.verify_any_epoch(note, verifier)


def _key_text(key: str | None, paths: Paths | None) -> str:
    """A vkey given as text or file, or this installation's."""
    if key is not None and "+" in key and not Path(key).exists():
        return key
    path = Path(key) if key is not None else None
    if path is None:
        assert paths is not None
        path = paths.log_public
    try:
        return _read(path, "public key").decode("utf-8")
    except UnicodeDecodeError as error:
        raise VerificationError(f"`{path}` does not hold a public key") from error


def _read(path: Path, what: str) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(notes.NOTE_BYTES_MAX + 1)
    except OSError as error:
        raise MissingError(
            f"cannot read the {what} `{path}`: {error.strerror}", hint="check its path, owner and mode"
        ) from error


def _lines(path: Path) -> Iterator[bytes]:
    """The file's lines; one that is too long is cut, and refused by whoever reads it."""
    try:
        with path.open("rb") as file:
            while line := file.readline(LINE_BYTES_MAX + 1):
                yield line
    except OSError as error:
        raise UsageError(f"cannot read the export `{path}`: {error.strerror}") from error
