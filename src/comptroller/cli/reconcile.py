"""`comptroller reconcile FILE`: a bill beside the log, and what it proves of what is unconfirmed."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from comptroller.cli.client import Client, config_option, config_path, json_option, print_json
from comptroller.compose_state import open_log
from comptroller.core.errors import UsageError
from comptroller.core.estimate import usd_text
from comptroller.server.bill.compare import Compared, Proof, compare, totals
from comptroller.server.bill.known import known_of
from comptroller.server.bill.read import read_bill
from comptroller.server.neutral import neutral_name
from comptroller.server.place import Paths, load_config
from comptroller.server.render import Json, time_text

SHOWN_MAX = 20
LARGE_BYTES = 32 << 20
"""A bill that is not larger is read before anybody wonders."""


@click.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--apply", "applies", is_flag=True, help="Settle what the bill proves of what is unconfirmed.")
@click.option("--reason", default="", help="Why, for the log; with --apply.")
@json_option
@config_option
def reconcile(file: Path, applies: bool, reason: str, as_json: bool, config: Path | None) -> None:
    """Compare FILE, a bill (AWS cost and usage report, or FOCUS; CSV, CSV.gz or parquet), with the log."""
    if applies and not reason.strip():
        raise UsageError("a reason is missing", hint="--apply --reason 'bill of November'")
    path = config_path(config)
    rates = load_config(path).prices.rates()
    with open_log(Paths.of(path)) as log:
        known = known_of(log)
    found = compare(known, read_bill(file, rates, progress=_progress))
    done = list(_applied(found.proofs, reason, file, config)) if applies else []
    if as_json:
        print_json({**_json(found), "applied": [proof.reservation for proof in done]})
        return
    for line in _lines(found):
        click.echo(line)
    for proof in done:
        click.echo(f"settled {neutral_name(proof.reservation)} at {usd_text(proof.micros)}")
    if found.proofs and not applies:
        click.echo("settle them so: comptroller reconcile FILE --apply --reason TEXT")


def _applied(proofs: Iterable[Proof], reason: str, file: Path, config: Path | None) -> Iterator[Proof]:
    with Client(config) as client:
        for proof in proofs:
            client.post(
                f"/v1/suspense/{proof.reservation}/settle",
                cost_usd=f"{proof.micros // 1_000_000}.{proof.micros % 1_000_000:06d}",
                reason=f"{reason.strip()} ({file.name}: {proof.why})"[:500],
                source="bill",
            )
            yield proof


def _json(found: Compared) -> Json:
    return {
        "items": found.items,
        "start": time_text(found.start),
        "end": time_text(found.end),
        "services": [
            {
                "service": line.service,
                "estimated_usd_micros": line.estimated,
                "settled_usd_micros": line.settled,
                "unconfirmed_usd_micros": line.unconfirmed,
                "billed_usd_micros": line.billed,
                "difference_usd_micros": line.difference,
                "unknown_usd_micros": line.unknown,
                "tax_usd_micros": line.tax,
                "credit_usd_micros": line.credit,
            }
            for line in found.lines
        ],
        "total": {f"{name}_usd_micros": amount for name, amount in totals(found.lines).items()},
        "unknown_here": [
            {
                "service": stray.service,
                "account": stray.account,
                "region": stray.region,
                "resource": stray.resource,
                "usd_micros": stray.micros,
            }
            for stray in found.strays
        ],
        "not_billed": [
            {
                "reservation": known.id,
                "run": known.run,
                "service": known.service,
                "settled_usd_micros": known.settled,
                "at": time_text(known.at),
            }
            for known in found.unbilled
        ],
        "proven": [
            {"reservation": proof.reservation, "usd_micros": proof.micros, "why": proof.why} for proof in found.proofs
        ],
    }


def _lines(found: Compared) -> Iterator[str]:
    yield f"{found.items:,} lines from {time_text(found.start) or 'never'} to {time_text(found.end) or 'never'}"
    yield f"{'service':<28}{'estimated':>14}{'settled':>14}{'unconfirmed':>14}{'billed':>14}{'difference':>14}"
    for line in found.lines:
        amounts = (line.estimated, line.settled, line.unconfirmed, line.billed, line.difference)
        yield f"{neutral_name(line.service)[:27]:<28}" + "".join(f"{usd_text(amount):>14}" for amount in amounts)
    whole = totals(found.lines)
    named = ("estimated", "settled", "unconfirmed", "billed", "difference")
    yield f"{'all':<28}" + "".join(f"{usd_text(whole[name]):>14}" for name in named)
    if whole["tax"] or whole["credit"]:
        yield f"beside that: {usd_text(whole['tax'])} tax, {usd_text(whole['credit'])} credits and refunds"
    strays = [
        f"  {usd_text(stray.micros)}  {neutral_name(stray.service)} {neutral_name(stray.resource) or '(no name)'} "
        f"{neutral_name(stray.region)} {neutral_name(stray.account)}"
        for stray in found.strays
    ]
    yield from _section("billed, and nobody knows it here", strays)
    unbilled = [
        f"  {usd_text(known.settled)}  {neutral_name(known.service)} {neutral_name(known.id)} of {time_text(known.at)}"
        for known in found.unbilled
    ]
    yield from _section("settled here, and not on the bill (yet)", unbilled)
    proofs = [f"  {usd_text(proof.micros)}  {neutral_name(proof.reservation)}: {proof.why}" for proof in found.proofs]
    yield from _section("unconfirmed here, and proven by the bill", proofs)


def _section(title: str, rows: list[str]) -> Iterator[str]:
    if not rows:
        return
    yield f"{title}:"
    yield from rows[:SHOWN_MAX]
    if len(rows) > SHOWN_MAX:
        yield f"  and {len(rows) - SHOWN_MAX:,} more (--json shows all)"


def _progress(done: int, size: int) -> None:
    """How far a long reading is, on standard error."""
    if size > LARGE_BYTES and sys.stderr.isatty():
        click.echo(f"\rread {done * 100 // size} % of {size:,} bytes", err=True, nl=done >= size)
