"""`comptroller prices`: what things cost by the lists in force, newer lists, and prices that proved too low."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from fnmatch import fnmatchcase
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click

from comptroller.cli.client import Client, config_option, config_path, json_option, print_json
from comptroller.core.distrust import Distrust
from comptroller.core.errors import ConfigError, UsageError
from comptroller.core.estimate import USD_MICROS_PER_USD
from comptroller.server.neutral import neutral
from comptroller.server.place import Paths, load_config

PROVIDERS = ("aws", "azure", "gcp")
SHOWN_MAX = 2000
KEY_BYTES_MAX = 4096


@click.group()
def prices() -> None:
    """Show prices, read newer lists, confirm a price that proved too low."""


@prices.command()
@click.argument("pattern", default="")
@click.option("--provider", type=click.Choice(PROVIDERS), help="Only of this provider.")
@click.option("--region", default="", help="What it costs there, by that region's row or by the regions' difference.")
@click.option("--distrusted", is_flag=True, help="Only the prices that a real cost once exceeded.")
@json_option
@config_option
def show(pattern: str, provider: str | None, region: str, distrusted: bool, as_json: bool, config: Path | None) -> None:
    """What things cost whose name holds PATTERN (`p4d`, `ebs:*`, `gpt-4o`): low and high, where from, how old."""
    path = _installation(config)
    known = _known_distrusts(Paths.of(path)) if path is not None else ()
    rows = [] if distrusted else list(_rows(path, pattern, provider, region, known))
    if as_json:
        print_json({"prices": [row.as_json() for row in rows], "distrusted": [_distrust_json(item) for item in known]})
        return
    for row in rows[:SHOWN_MAX]:
        click.echo(row.line())
    if len(rows) > SHOWN_MAX:
        click.echo(f"{len(rows) - SHOWN_MAX:,} more: write a PATTERN")
    if not rows and not distrusted:
        where = f" in `{neutral(region)}`" if region else ""
        click.echo(f"no price is known by that name{where}: where one is needed, people are asked")
    if distrusted and not known:
        click.echo("every price is trusted")
    for item in known:
        word = f"confirmed by {neutral(item.by)}" if item.trusted else "DISTRUSTED"
        click.echo(f"{neutral(item.key)}  {word} since {item.at:%Y-%m-%d}: {neutral(item.reason)}")


@prices.command()
@click.option(
    "--from", "source", type=click.Path(exists=True, path_type=Path), help="A list in a file, or a folder of lists."
)
@click.option("--provider", "providers", type=click.Choice(PROVIDERS), multiple=True, help="Whose lists to fetch.")
@click.option("--region", "regions", multiple=True, help="Which regions; by default the one whose prices are shipped.")
@click.option(
    "--gcp-key-file", type=click.Path(exists=True, path_type=Path), help="A file with a key for Google's catalogue."
)
@json_option
@config_option
def refresh(
    source: Path | None,
    providers: Sequence[str],
    regions: Sequence[str],
    gcp_key_file: Path | None,
    as_json: bool,
    config: Path | None,
) -> None:
    """Read newer price lists, from the providers or from files. A running server takes them over at once."""
    from comptroller.compose import replace_prices
    from comptroller.price.listing import merged
    from comptroller.server.prices import changes_of, load_prices

    if (source is None) == (not providers):
        raise UsageError("say where from", hint="comptroller prices refresh --provider aws, or --from FILE")
    paths = Paths.of(config_path(config))
    try:
        before = load_prices(paths.prices)
    except ConfigError as error:
        click.echo(f"{neutral(error.message, chars_max=300)}; it is made anew", err=True)
        before = {}
    fresh = merged(_fresh(source, providers, regions, gcp_key_file))
    if not fresh:
        raise UsageError("the lists hold no price that can be used", hint="comptroller prices refresh --help")
    after = {**before, **fresh}
    told = changes_of(before, after)
    replace_prices(paths, after)
    if as_json:
        print_json({"read": len(fresh), **told})
        return
    read = f"{len(fresh):,} price{'s' * (len(fresh) != 1)} read"
    click.echo(f"{read}: {told['new']} new, {told['dearer']} dearer, {told['cheaper']} cheaper")
    largest = told["largest"]
    for item in largest if isinstance(largest, list) else ():
        click.echo(f"  {neutral(item['price'])}: ${item['was_usd']} -> ${item['usd']}")


@prices.command()
@click.argument("key")
@click.option("--comment", default="", help="Why it is believed again; kept with the entry.")
@json_option
@config_option
def confirm(key: str, comment: str, as_json: bool, config: Path | None) -> None:
    """Believe the price called KEY again: what it names was checked, or a newer list is in force."""
    with Client(config) as client:
        done = client.post("/v1/prices/confirm", key=key, reason=comment)
    if as_json:
        print_json(done)
        return
    click.echo(f"{neutral(str(done['key']))} is believed again, says {neutral(str(done['by']))}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    provider: str
    region: str
    sku: str
    low: float
    high: float
    per: str
    basis: str
    as_of: str
    age_days: int | None
    trust: str

    def as_json(self) -> dict[str, object]:
        """The row as one JSON object."""
        return {name: getattr(self, name) for name in self.__slots__}

    def line(self) -> str:
        """The row as one line."""
        price = f"${self.low:.6g}" if self.low == self.high else f"${self.low:.6g} to ${self.high:.6g}"
        age = f"  {self.age_days} day{'s' * (self.age_days != 1)} old" if self.age_days is not None else ""
        trust = f"  {self.trust}" if self.trust else ""
        name = f"{self.provider} {self.region} {self.sku}"
        return neutral(f"{name:44}  {price} / {self.per}  ({self.basis}){age}{trust}", chars_max=400)


def _installation(config: Path | None) -> Path | None:
    """The configuration that is meant; None where none was named and none lies here: the shipped prices are shown."""
    try:
        return config_path(config)
    except ConfigError:
        if config is not None:
            raise
        return None


def _rows(
    path: Path | None, pattern: str, provider: str | None, region: str, distrusts: Sequence[Distrust]
) -> Iterator[_Row]:
    from comptroller.price.book import PriceBook
    from comptroller.price.catalogue import shipped
    from comptroller.price.range import EVERYWHERE, HOME
    from comptroller.server.prices import book_of, load_prices

    today = datetime.now(UTC).date()
    newer = load_prices(Paths.of(path).prices) if path is not None else {}
    book = book_of(load_config(path), newer, today=today) if path is not None else PriceBook(today=today)
    shown: set[tuple[str, str, str]] = set()
    for owner, place, sku in sorted({*shipped(), *newer}):
        key = (owner, region or place, sku)
        if key in shown or (provider and owner != provider) or not _fits(sku, pattern):
            continue
        shown.add(key)
        found = book.listed(owner, region or place, sku)
        if found is not None:
            rate = book.rate(owner, region or place, sku) or book.rate(owner, place, sku)
            as_of = rate.as_of if rate is not None else ""
            yield _row(key, found.low, found.high, found.per, found.basis, as_of, today, distrusts)
    for owner in (provider,) if provider else PROVIDERS:
        place = region or HOME[owner]
        hourly = book.machine(owner, place, pattern) if pattern and place != EVERYWHERE else None
        if hourly is not None and (owner, place, pattern.lower()) not in {(o, p, s.lower()) for o, p, s in shown}:
            yield _row((owner, place, pattern), hourly.low, hourly.high, "hour", hourly.basis, "", today, distrusts)
    if not provider and not region:
        yield from _models(pattern, today, distrusts)


def _models(pattern: str, today: date, distrusts: Sequence[Distrust]) -> Iterator[_Row]:
    """What a million tokens of the models cost that are on the list."""
    from comptroller.price.model_lists import PRICED_AT, listed_rates
    from comptroller.price.range import EVERYWHERE

    basis = f"genai-prices {version('genai-prices')}, as of {PRICED_AT:%Y-%m-%d}; high: the dearest tier or day"
    for owner, model, way, plain, dearest in listed_rates():
        if _fits(model, pattern):
            low, high = (rate * USD_MICROS_PER_USD for rate in (plain, dearest))
            yield _row((owner, EVERYWHERE, f"{model}:{way}"), low, high, "million tokens", basis, "", today, distrusts)


def _row(
    key: tuple[str, str, str],
    low: Any,
    high: Any,
    per: str,
    basis: str,
    as_of: str,
    today: date,
    distrusts: Sequence[Distrust],
) -> _Row:
    provider, region, sku = key
    ending = f"/{region}/{sku}".lower()
    named = [item for item in distrusts if item.key.endswith(ending) and item.key.startswith(f"{provider}:")]
    trust = "" if not named else "confirmed" if all(item.trusted for item in named) else "DISTRUSTED"
    return _Row(
        provider=provider,
        region=region,
        sku=sku,
        low=float(low) / USD_MICROS_PER_USD,
        high=float(high) / USD_MICROS_PER_USD,
        per=per,
        basis=basis,
        as_of=as_of,
        age_days=(today - date.fromisoformat(as_of)).days if as_of else None,
        trust=trust,
    )


def _fits(sku: str, pattern: str) -> bool:
    if any(letter in pattern for letter in "*?["):
        return fnmatchcase(sku.lower(), pattern.lower())
    return pattern.lower() in sku.lower()


def _known_distrusts(paths: Paths) -> Sequence[Distrust]:
    """What the store knows; nothing where there is none yet."""
    if not (paths.store.exists() or paths.store_url.exists()):
        return ()
    from comptroller.compose_state import open_log

    with open_log(paths) as reader:
        return reader.distrusts()


def _distrust_json(item: Distrust) -> Mapping[str, object]:
    return {
        "key": item.key,
        "trusted": item.trusted,
        "reason": item.reason,
        "by": item.by,
        "at": item.at.isoformat(),
    }


def _fresh(source: Path | None, providers: Sequence[str], regions: Sequence[str], key_file: Path | None) -> Any:
    import httpx

    from comptroller.cli.price_lists import TIMEOUT_SECONDS, Fetcher, rows_of_files
    from comptroller.price.range import HOME, region_factor

    today = datetime.now(UTC).date()
    if source is not None:
        yield from rows_of_files(source, today=today)
        return
    key = key_file.read_text("utf-8")[:KEY_BYTES_MAX].strip() if key_file else ""
    with httpx.Client(timeout=TIMEOUT_SECONDS, follow_redirects=False) as client:
        fetcher = Fetcher(client=client, today=today, say=lambda text: click.echo(text, err=True), gcp_key=key)
        for provider in providers:
            wanted = [region for region in regions if region_factor(provider, region)] or [HOME[provider]]
            if provider == "aws":
                yield from fetcher.aws(wanted)
            elif provider == "azure":
                yield from fetcher.azure(wanted)
            else:
                yield from ((key, rate) for key, rate in fetcher.gcp() if not regions or key[1] in wanted)
