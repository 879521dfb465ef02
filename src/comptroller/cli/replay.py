"""`comptroller replay`: what the policies would say of recorded calls, and what those would cost. Sends nothing."""

from __future__ import annotations

import gzip
import json
import sys
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BufferedReader
from pathlib import Path
from typing import Any

import click

from comptroller.boundary import explain
from comptroller.cli.client import config_option, json_option, print_json
from comptroller.cli.judging import Judge, judge_of
from comptroller.cli.tally import CaseVerdict, Tally, verdict_of
from comptroller.core.errors import RefusedError, UsageError
from comptroller.core.estimate import Unit, usd_text
from comptroller.core.verdict import VerdictKind
from comptroller.decode.records import Case, MalformedCase, case_of, read
from comptroller.server.neutral import neutral, neutral_name

LINE_BYTES_MAX = 16 << 20
FILE_BYTES_MAX = 16 << 30
"""How much a file may hold, unpacked."""
BAD_LINES_SHOWN_MAX = 20
REASONS_SHOWN_MAX = 10
SHOWN_DEFAULT = 20
PROGRESS_SECONDS = 1.0
UNNAMED_SHOWN_MAX = 6
GZIP_MAGIC = b"\x1f\x8b"
WORDS = (*(kind.value for kind in VerdictKind), "undecoded")


@dataclass(slots=True)
class BadLines:
    """Lines that are no case: how many, and the first of them."""

    count: int = 0
    first: list[dict[str, object]] = field(default_factory=list)

    def add(self, line: int, why: str) -> None:
        """One more."""
        self.count += 1
        if len(self.first) < BAD_LINES_SHOWN_MAX:
            self.first.append({"line": line, "why": why})


@click.command()
@click.argument("file", metavar="CASES.jsonl[.gz]", type=click.Path(path_type=Path, allow_dash=True))
@click.option(
    "--policy",
    "policies",
    metavar="DIR",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Judge by the *.cedar files in DIR; else by those of the installation, else by the starter pack.",
)
@click.option("--agent", metavar="NAME", help="Judge the cases as those of this agent.")
@click.option("--source", metavar="NAME", help="Only cases of this source.")
@click.option("--show", type=click.Choice(WORDS), help="List the cases with this outcome too.")
@click.option("--explain", "explained", metavar="ID", help="Lay open how the case with this id was decided.")
@click.option(
    "-n", "--lines", default=SHOWN_DEFAULT, show_default=True, type=click.IntRange(1, 100_000), help="How many to list."
)
@json_option
@config_option
def replay(
    file: Path,
    policies: Path | None,
    agent: str | None,
    source: str | None,
    show: str | None,
    explained: str | None,
    lines: int,
    as_json: bool,
    config: Path | None,
) -> None:
    """Judge the recorded calls in CASES.jsonl, packed or not (`-` reads standard input); nothing is sent.

    A line is a case (CloudTrail events, a command line with `aws`, a call as an SDK gets it) or an entry of
    `comptroller audit export`.
    """
    judge = judge_of(config, policies, agent)
    began = time.monotonic()
    tally, bad = Tally(), BadLines()
    listed: list[CaseVerdict] = []
    found = False
    for case in cases(file, bad):
        if source is not None and case.source != source:
            continue
        if explained is not None and case.id != explained:
            continue
        verdict = judged(judge, case)
        tally.add(verdict)
        found = True
        if (show == verdict.word or (show == "undecoded" and verdict.undecoded)) and len(listed) < lines:
            listed.append(verdict)
        if explained is not None:
            listed = [verdict]
            break
        _progress(tally.cases, began)
    if not found:
        raise _nothing(file, bad, source, explained)
    seconds = time.monotonic() - began
    if as_json:
        document = tally.document() | {
            "seconds": round(seconds, 3),
            "policies": judge.origin,
            "agent": judge.who.agent,
            "bad_lines": {"count": bad.count, "first": bad.first},
        }
        if show is not None or explained is not None:
            document["shown"] = [_shown(judge, verdict, whole=explained is not None) for verdict in listed]
        print_json(document)
        return
    if explained is not None:
        _show_whole(judge, listed[0])
        return
    for verdict in listed:
        _show_line(verdict)
    _show_table(tally, bad, judge, seconds)


def judged(judge: Judge, case: Case) -> CaseVerdict:
    """One case, read and judged."""
    reading = read(case, judge.who)
    return verdict_of(case, reading, tuple(judge.judge(recorded) for recorded in reading.actions))


# ---------------------------------------------------------------- reading


def cases(file: Path, bad: BadLines) -> Iterator[Case]:
    """The cases of a file, one line at a time. Raises `UsageError` and `RefusedError` for a file nobody can read."""
    number = 0
    for number, line in enumerate(_lines(file), 1):
        if not line.strip():
            continue
        if len(line) > LINE_BYTES_MAX:
            bad.add(number, f"it is longer than {LINE_BYTES_MAX} bytes")
            continue
        try:
            case = case_of(json.loads(line), number)
        except MalformedCase as error:
            bad.add(number, str(error))
        except (ValueError, RecursionError):
            bad.add(number, "it is no JSON")
        else:
            if case is not None:
                yield case


def _lines(file: Path) -> Iterator[bytes]:
    """Lines of a file or of standard input, unpacked where it is packed; of a line too long only the beginning."""
    if str(file) == "-":
        yield from _pieces(_opened(sys.stdin.buffer), file)
        return
    try:
        with file.open("rb") as raw:
            yield from _pieces(_opened(raw), file)
    except OSError as error:
        raise UsageError(f"cannot read `{file}`: {error.strerror or error}", hint="a file of JSON lines") from error


def _opened(raw: Any) -> Any:
    source = raw if hasattr(raw, "peek") else BufferedReader(raw)
    return gzip.open(source, "rb") if source.peek(len(GZIP_MAGIC)).startswith(GZIP_MAGIC) else source


def _pieces(source: Any, file: Path) -> Iterator[bytes]:
    total = 0
    try:
        while line := source.readline(LINE_BYTES_MAX + 1):
            total += len(line)
            piece = line
            while not piece.endswith(b"\n") and len(line) > LINE_BYTES_MAX:
                piece = source.readline(LINE_BYTES_MAX + 1)
                total += len(piece)
                if not piece or total > FILE_BYTES_MAX:
                    break
            if total > FILE_BYTES_MAX:
                raise RefusedError(f"`{file}` holds more than {FILE_BYTES_MAX} bytes", hint="split it")
            yield line
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UsageError(f"`{file}` is packed, and damaged: {error}", hint="pack it anew") from error


def _progress(count: int, began: float) -> None:
    """On a terminal, once a second."""
    if not sys.stderr.isatty():
        return
    seconds = time.monotonic() - began
    if seconds >= PROGRESS_SECONDS and count % 256 == 0:
        click.echo(f"\r{count:,} cases, {count / seconds:,.0f}/s ", nl=False, err=True)


def _nothing(file: Path, bad: BadLines, source: str | None, explained: str | None) -> UsageError:
    """Why no case was judged, and what to do."""
    wanted = [f"of source `{source}`"] * (source is not None) + [f"with the id `{explained}`"] * (explained is not None)
    unread = f"; {bad.count:,} line{'s' * (bad.count != 1)} could not be read" if bad.count else ""
    first = f"line {bad.first[0]['line']} is no case: {bad.first[0]['why']}" if bad.first else ""
    if wanted:
        return UsageError(f"`{file}` has no case {' '.join(wanted)}{unread}", hint="without it, all cases are judged")
    return UsageError(f"`{file}` has no case{unread}", hint=first or "a case a line, as `docs/replay.md` says")


# ---------------------------------------------------------------- showing


def _shown(judge: Judge, verdict: CaseVerdict, *, whole: bool) -> dict[str, object]:
    return {
        "id": verdict.case.id,
        "source": verdict.case.source,
        "label": verdict.case.label,
        "line": verdict.case.line,
        "verdict": verdict.word,
        "notes": list(verdict.reading.notes),
        "actions": [
            {
                "operation": item.action.operation,
                "classes": sorted(item.action.classes),
                "region": item.action.region,
                "account": item.action.account,
                "resources": list(item.action.resources),
                "quantity": item.action.quantity,
                "verdict": item.result.kind.value,
                "rules": list(item.result.rules),
                "reasons": [{"code": r.code, "rule": r.rule, "text": r.text} for r in item.result.reasons],
                "undecodable": item.action.reason,
                "usd_micros_high": item.estimate.high(Unit.USD_MICROS),
                "basis": item.estimate.basis,
                "wire": recorded.wire,
                "why_not": recorded.why_not,
                **({"explanation": explain(judge.boundary, item.action, item.estimate).document()} if whole else {}),
            }
            for item, recorded in zip(verdict.judged, verdict.reading.actions, strict=True)
        ],
    }


def _show_line(verdict: CaseVerdict) -> None:
    click.echo(f"{verdict.word:<17} {neutral_name(verdict.case.id)}")
    for item in verdict.judged:
        if item.result.kind is verdict.kind:
            why = "; ".join(reason.text for reason in item.result.reasons)
            why += f" ({item.action.reason})" if item.action.reason else ""
            click.echo(
                f"    {neutral_name(item.action.operation)} [{' '.join(sorted(item.action.classes))}]: {neutral(why)}"
            )


def _show_whole(judge: Judge, verdict: CaseVerdict) -> None:
    click.echo(f"{verdict.word}: {neutral_name(verdict.case.id)}, line {verdict.case.line}")
    if not verdict.judged:
        click.echo("  no action: it has no effect outside the machine it runs on")
    for item, recorded in zip(verdict.judged, verdict.reading.actions, strict=True):
        explanation = explain(judge.boundary, item.action, item.estimate)
        click.echo(f"  {item.result.kind.value}: {neutral_name(item.action.operation)}")
        click.echo(f"    classes: {' '.join(sorted(item.action.classes))}")
        click.echo(f"    on: {neutral_name(', '.join(item.action.resources)) or 'nothing that is named'}")
        click.echo(f"    price: {_dollars(item.estimate.high(Unit.USD_MICROS))} ({neutral(item.estimate.basis)})")
        click.echo(
            f"    read: {'off the wire' if recorded.wire else neutral(recorded.why_not) or 'not from a request'}"
        )
        if item.action.reason:
            click.echo(f"    not understood: {neutral(item.action.reason)}")
        for rule in explanation.rules:
            if rule.match == "yes":
                click.echo(f"    rule {rule.id}: {rule.effect} ({neutral_name(rule.file)}:{rule.line})")
        for line in explanation.advice:
            click.echo(f"    to change that: {neutral(line)}")


def _dollars(micros: int | None) -> str:
    return "unknown or none" if micros is None else f"at most {usd_text(micros)}"


def _show_table(tally: Tally, bad: BadLines, judge: Judge, seconds: float) -> None:
    if sys.stderr.isatty():
        click.echo("\r", nl=False, err=True)
    rows: list[tuple[str, ...]] = [
        ("source", "label", "cases", "allowed", "asked", "denied", "not read", "actions", "at most")
    ]
    for (source, label), row in sorted(tally.rows.items()):
        counts = (row.cases, row.allow, row.require_approval, row.deny, row.undecoded, row.actions)
        texts = (f"{count:,}" for count in counts)
        rows.append((neutral_name(source), neutral_name(label), *texts, usd_text(row.usd_micros_high)))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row_texts in rows:
        cells = [
            text.ljust(w) if at < 2 else text.rjust(w)
            for at, (text, w) in enumerate(zip(row_texts, widths, strict=True))
        ]
        click.echo("  ".join(cells).rstrip())
    click.echo()
    by_class = ", ".join(f"{count:,} {name}" for name, count in tally.questions.most_common())
    click.echo(f"questions: {tally.asked:,}" + (f" ({by_class})" if by_class else ""))
    held, denied = (tally.dollars[kind.value] for kind in (VerdictKind.REQUIRE_APPROVAL, VerdictKind.DENY))
    allowed = tally.dollars[VerdictKind.ALLOW.value]
    click.echo(
        f"dollars, at most: {usd_text(allowed)} allowed, {usd_text(held)} asked, {usd_text(denied)} denied;"
        f" not counting {tally.unpriced:,} actions without a known price"
    )
    rules = ", ".join(f"{neutral_name(name)} {count:,}" for name, count in tally.rules.most_common())
    click.echo(f"rules: {rules or 'none'}")
    if tally.unnamed:
        services = ", ".join(
            f"{neutral_name(name)} {count:,}" for name, count in tally.unnamed.most_common(UNNAMED_SHOWN_MAX)
        )
        more = len(tally.unnamed) - UNNAMED_SHOWN_MAX
        click.echo(f"not named for `{judge.who.agent}`: {services}{f' and {more:,} more' if more > 0 else ''}")
        click.echo(f"  to name them: agents.{judge.who.agent}.services in comptroller.yaml (`aws:*` names a family)")
    for reason, count in tally.reasons.most_common(REASONS_SHOWN_MAX):
        click.echo(f"not read: {count:,} x {neutral(reason)} (first: {neutral_name(tally.first.get(reason, ''))})")
    for item in bad.first:
        click.echo(f"line {item['line']} is no case: {neutral(item['why'])}")
    if bad.count > len(bad.first):
        click.echo(f"{bad.count - len(bad.first):,} more lines are no case")
    through = sum(tally.wire.values())
    if through:
        share = tally.wire["written"] / through
        click.echo(f"read off the wire: {share:.1%} of {through:,} AWS calls; the others from the service's model")
    click.echo(f"judged as `{judge.who.agent}` by {neutral_name(judge.origin)}, {seconds:.1f} s")
