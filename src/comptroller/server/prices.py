"""The price list of an installation: `prices.csv` in its state folder, laid over the prices that are shipped."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import date
from pathlib import Path

from comptroller.core.config import Config
from comptroller.core.errors import ConfigError
from comptroller.price.book import PriceBook
from comptroller.price.catalogue import Key, Rate, shipped
from comptroller.price.listing import read_rows

LIST_BYTES_MAX = 100 << 20


def load_prices(path: Path) -> Mapping[Key, Rate]:
    """The rows of the list; none where there is no list. Raises `ConfigError` for one that cannot be used."""
    try:
        if path.stat().st_size > LIST_BYTES_MAX:
            raise ConfigError(f"`{path}` is larger than {LIST_BYTES_MAX} bytes", hint="comptroller prices refresh")
        with path.open(encoding="utf-8", newline="") as lines:
            return read_rows(lines)
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"`{path}` cannot be read: {error}", hint="comptroller prices refresh") from error


def prices_digest(path: Path) -> str:
    """SHA-256 of the list; empty without one."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def book_of(
    config: Config, newer: Mapping[Key, Rate], *, today: date, distrusted: frozenset[str] = frozenset()
) -> PriceBook:
    """The price book of an installation on one day."""
    return PriceBook(
        newer=newer,
        today=today,
        max_age_days=config.prices.max_age_days,
        factors=config.prices.factor_of(),
        nodes=config.prices.nodes(),
        coins=config.prices.coins(),
        fx=config.prices.rates(),
        distrusted=distrusted,
    )


def changes_of(before: Mapping[Key, Rate], after: Mapping[Key, Rate]) -> dict[str, object]:
    """What an entry says of a list that replaces another: how many prices, and a few by name.

    A price that lies over one that is shipped is no new one: it is dearer, cheaper or the same.
    """
    before = {key: rate for key, rate in shipped().items() if key in after} | dict(before)
    new = after.keys() - before.keys()
    gone = before.keys() - after.keys()
    other = [key for key in after.keys() & before.keys() if after[key].usd != before[key].usd]
    dearer = [key for key in other if after[key].usd > before[key].usd]
    other.sort(key=lambda key: (-max(after[key].usd / before[key].usd, before[key].usd / after[key].usd), key))
    return {
        "rows": len(after),
        "new": len(new),
        "gone": len(gone),
        "dearer": len(dearer),
        "cheaper": len(other) - len(dearer),
        "largest": [{"price": "/".join(key), "was_usd": f"{before[key].usd:f}", "usd": f"{after[key].usd:f}"}
                    for key in other[:20]],
    }  # fmt: skip
