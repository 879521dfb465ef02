"""Fetches the price lists that AWS, Azure and Google publish, or reads them from files; row by row, over https."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import httpx

from comptroller.core.errors import ConfigError, RefusedError
from comptroller.price.listing import COLUMNS, Listed, aws_rows, azure_rows, gcp_rows, read_rows

AWS_BASE = "https://pricing.us-east-1.amazonaws.com"
AZURE_BASE = "https://prices.azure.com"
GCP_BASE = "https://cloudbilling.googleapis.com"
AWS_OFFERS = ("AmazonEC2", "AmazonRDS", "AmazonElastiCache", "AmazonSageMaker")
GCP_COMPUTE = "6F81-5844-456A"
"""Compute Engine, as the billing catalogue calls it."""
PAGES_MAX = 5_000
PAGE_BYTES_MAX = 64 << 20
LIST_LINES_MAX = 20_000_000
LINE_CHARS_MAX = 64 << 10
SAY_EVERY_LINES = 100_000
TIMEOUT_SECONDS = 60.0

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetcher:
    """Reads the published lists. `say` is told of progress; the bases are for tests against a local server."""

    client: httpx.Client
    today: date
    say: Say
    aws_base: str = AWS_BASE
    azure_base: str = AZURE_BASE
    gcp_base: str = GCP_BASE
    gcp_key: str = field(default="", repr=False)

    def aws(self, regions: Sequence[str]) -> Listed:
        """The lists of `AWS_OFFERS` in `regions`. Raises `RefusedError`."""
        for offer in AWS_OFFERS:
            index = self._json(f"{self.aws_base}/offers/v1.0/aws/{offer}/current/region_index.json")
            for region in regions:
                found = index.get("regions", {}).get(region, {}).get("currentVersionUrl", "")
                if not isinstance(found, str) or not found.startswith("/offers/") or not found.endswith(".json"):
                    self.say(f"{offer} has no list for {region}")
                    continue
                url = self.aws_base + found.removesuffix(".json") + ".csv"
                yield from aws_rows(self._lines(url, f"{offer} {region}"), today=self.today)

    def azure(self, regions: Sequence[str]) -> Listed:
        """Virtual machines in `regions`, page by page. Raises `RefusedError`."""
        for region in regions:
            chosen = f"serviceName eq 'Virtual Machines' and armRegionName eq '{region}' and priceType eq 'Consumption'"
            url = str(httpx.URL(f"{self.azure_base}/api/retail/prices", params={"$filter": chosen}))
            for number in range(PAGES_MAX):
                page = self._json(url)
                yield from azure_rows(page, today=self.today)
                url = page.get("NextPageLink") or ""
                if number % 10 == 9:
                    self.say(f"Azure {region}: {number + 1} pages")
                if not url:
                    break
                if not url.startswith(f"{self.azure_base}/") and not url.startswith(f"{self.azure_base}:443/"):
                    raise RefusedError("Azure's list goes on at another host: it is not followed")

    def gcp(self) -> Listed:
        """Compute Engine in every region, page by page; needs a key. Raises `RefusedError`."""
        if not self.gcp_key:
            raise ConfigError("Google's catalogue needs a key", hint="give a file that holds it: --gcp-key-file FILE")
        token = ""
        for number in range(PAGES_MAX):
            params = {"pageSize": "5000", **({"pageToken": token} if token else {})}
            url = str(httpx.URL(f"{self.gcp_base}/v1/services/{GCP_COMPUTE}/skus", params=params))
            page = self._json(url, {"x-goog-api-key": self.gcp_key})
            yield from gcp_rows(page, today=self.today)
            self.say(f"Google Cloud: {number + 1} pages")
            token = str(page.get("nextPageToken") or "")
            if not token:
                return

    def _json(self, url: str, headers: dict[str, str] | None = None) -> dict[str, Any]:
        data = bytearray()
        try:
            with self.client.stream("GET", url, headers=headers) as response:
                if response.status_code != httpx.codes.OK:
                    raise RefusedError(f"{_host(url)} answered with status {response.status_code}", hint=_ELSE)
                for piece in response.iter_bytes():
                    data += piece
                    if len(data) > PAGE_BYTES_MAX:
                        raise RefusedError(f"a page of {_host(url)} is larger than {PAGE_BYTES_MAX} bytes")
            page = json.loads(data)
        except (httpx.HTTPError, ValueError, RecursionError) as error:
            raise RefusedError(f"{_host(url)} cannot be read: {type(error).__name__}", hint=_ELSE) from error
        return page if isinstance(page, dict) else {}

    def _lines(self, url: str, what: str) -> Iterator[str]:
        try:
            with self.client.stream("GET", url) as response:
                if response.status_code != httpx.codes.OK:
                    raise RefusedError(f"{_host(url)} answered with status {response.status_code}", hint=_ELSE)
                for number, line in enumerate(response.iter_lines()):
                    if number >= LIST_LINES_MAX or len(line) > LINE_CHARS_MAX:
                        raise RefusedError(f"the list {what} is larger than this program reads")
                    if number and number % SAY_EVERY_LINES == 0:
                        self.say(f"{what}: {number:,} lines")
                    yield line + "\n"
        except httpx.HTTPError as error:
            raise RefusedError(f"{_host(url)} cannot be read: {type(error).__name__}", hint=_ELSE) from error
        self.say(f"{what}: read")


def rows_of_files(path: Path, *, today: date) -> Listed:
    """Rows of a list in a file, or of every CSV and JSON file in a folder. Raises `ConfigError`."""
    files = sorted(file for file in path.iterdir() if file.suffix in (".csv", ".json")) if path.is_dir() else [path]
    if not files:
        raise ConfigError(
            f"there is no price list in `{path}`", hint="CSV of AWS or of your own, JSON pages of Azure or Google"
        )
    for file in files:
        try:
            yield from _of_json(file, today) if file.suffix == ".json" else _of_csv(file, today)
        except ConfigError as error:
            named = error.message if f"`{file}`" in error.message else f"`{file}`: {error.message}"
            raise ConfigError(named, hint=error.hint) from error
        except (OSError, UnicodeDecodeError, RecursionError, ValueError) as error:
            raise ConfigError(f"`{file}` cannot be read: {type(error).__name__}") from error


def _of_csv(file: Path, today: date) -> Listed:
    with file.open(encoding="utf-8-sig", newline="") as lines:
        own = lines.readline().strip() == ",".join(COLUMNS)
        lines.seek(0)
        if own:
            yield from read_rows(lines).items()
        else:
            yield from aws_rows((line[:LINE_CHARS_MAX] for line in lines), today=today)


def _of_json(file: Path, today: date) -> Listed:
    if file.stat().st_size > PAGE_BYTES_MAX:
        raise ConfigError(f"`{file}` is larger than {PAGE_BYTES_MAX} bytes", hint="AWS lists: take the CSV")
    page = json.loads(file.read_text("utf-8-sig"))
    known = page if isinstance(page, dict) else {}
    if not known.keys() & {"Items", "skus"}:
        raise ConfigError(f"`{file}` is no page of Azure's or Google's prices", hint="AWS lists: take the CSV")
    yield from azure_rows(known, today=today)
    yield from gcp_rows(known, today=today)


_ELSE = "download the list elsewhere and give it with --from"


def _host(url: str) -> str:
    return httpx.URL(url).host
