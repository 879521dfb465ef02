"""Price lists and limits of models: which entry a name means, the dearest rate that may apply, the longest answer."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache, lru_cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

PRICED_AT = datetime(2026, 11, 1, tzinfo=UTC)
"""The day for which the price list is read: a pure function has no clock. Announced later rises count already."""

MATCHES_MAX = 1024
"""Names of models that are remembered; callers choose them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A model service as the price list knows it. `listed` is its name there (None: no list has it). Pictures count at
    most `image_tokens` (None: no formula is known). `region_percent` is what a place of processing may add. `free`:
    its calls cost no money at all."""

    listed: str | None = None
    image_tokens: int | None = None
    region_percent: int = 100
    free: bool = False
    dearest: bool = False
    """The request does not tell the model: the dearest of the list bounds it."""


PROVIDERS: Mapping[str, Provider] = {
    "openai": Provider(listed="openai", image_tokens=50_000),
    # Anthropic charges 1.1 x where inference is bound to the US, which a workspace may have as its default.
    "anthropic": Provider(listed="anthropic", image_tokens=6_000, region_percent=110),
    # A tile of at least 256 pixels counts 258 tokens, a picture at high resolution 2,240: 50,000 are 190 tiles.
    "gemini": Provider(listed="google", image_tokens=50_000),
    "bedrock": Provider(listed="aws", image_tokens=50_000),
    "groq": Provider(listed="groq"),
    "together": Provider(listed="together"),
    "mistral": Provider(listed="mistral"),
    "deepseek": Provider(listed="deepseek"),
    "xai": Provider(listed="x-ai"),
    "fireworks": Provider(listed="fireworks"),
    # Whom OpenRouter passes a call to, and so its price, is decided there.
    "openrouter": Provider(),
    "perplexity": Provider(listed="perplexity"),
    "cerebras": Provider(listed="cerebras"),
    "azure-openai": Provider(listed="azure", image_tokens=50_000, region_percent=110, dearest=True),
    "openai-compatible": Provider(),
    "self-hosted": Provider(image_tokens=50_000, free=True),
}
"""Family of an operation (`openai:…`) -> provider. An image of gpt-4o-mini counts 2,833 + 8 x 5,667 tokens; one of
Anthropic's at most about 4,800 at high resolution."""


def find_model(provider: str, name: str) -> Any | None:
    """The price list's entry for a model's name, or None. The first call reads the list (about half a second)."""
    known = PROVIDERS.get(provider)
    listed = None if known is None or known.listed is None else _lists().get(known.listed)
    if listed is None:
        return None
    return _matched(provider, name.lower())


@cache
def _lists() -> Mapping[str, Any]:
    from genai_prices.data_snapshot import get_snapshot

    wanted = {provider.listed for provider in PROVIDERS.values()}
    return MappingProxyType({found.id: found for found in get_snapshot().providers if found.id in wanted})


@lru_cache(maxsize=MATCHES_MAX)
def _matched(provider: str, lowered: str) -> Any | None:
    listed = _lists()[str(PROVIDERS[provider].listed)]
    return next((model for model in listed.models if model.is_match(lowered)), None)


def listed_rates() -> Iterator[tuple[str, str, str, Decimal, Decimal]]:
    """Service, model, `input` or `output`, and what a million tokens cost: the plain rate, and the dearest there is."""
    for name, provider in PROVIDERS.items():
        listed = _lists().get(provider.listed) if provider.listed else None
        for model in listed.models if listed else ():
            found = [pair for prices in price_lists(model, name, {}) if (pair := rates(prices)) is not None]
            today = model.get_prices(PRICED_AT).__dict__
            for place, way in enumerate(("input", "output")):
                plain = dearest(today.get(f"{way}_mtok"), 0)
                if found and plain:
                    yield name, model.id, way, min(plain), max(pair[place] for pair in found)


@cache
def dearest_text(provider: str) -> tuple[Decimal, Decimal] | None:
    """The dearest (input, output) rate of any model on the list, for a request that does not tell its model."""
    listed = _lists().get(str(PROVIDERS[provider].listed))
    found = [rates(prices) for model in (listed.models if listed else ()) for prices in price_lists(model, "", {})]
    pairs = [pair for pair in found if pair is not None]
    return (max(pair[0] for pair in pairs), max(pair[1] for pair in pairs)) if pairs else None


def rates(prices: Mapping[str, Any]) -> tuple[Decimal, Decimal] | None:
    """The dearest (input, output) rate of one list, whatever goes in and comes out."""
    read = [rate for key, price in prices.items() if _is_input(key) for rate in dearest(price, None)]
    written = [rate for key, price in prices.items() if key.startswith("output_") for rate in dearest(price, None)]
    return (max(read), max(written)) if read and written else None


def _is_input(key: str) -> bool:
    return key.endswith("_mtok") and key.startswith(("input_", "cache_write"))


def price_lists(found: Any, provider: str, members: Mapping[str, object]) -> Iterator[Mapping[str, Any]]:
    """Every list of prices that may apply to a request: today's, announced ones, and those of dearer tiers."""
    yield found.get_prices(PRICED_AT).__dict__
    if isinstance(found.prices, list):
        for conditional in found.prices:
            start = getattr(conditional.constraint, "start_date", None)
            if conditional.constraint is not None and (start is None or start > PRICED_AT.date()):
                yield conditional.prices.__dict__
    for variant in found.price_variants or ():
        if provider == "anthropic":
            if "speed" in variant.when and members.get("speed") not in (None, "standard"):
                yield variant.prices.__dict__
        # `auto`, the default, is whatever the project is set to: any tier.
        elif "service_tier" not in variant.when or members.get("service_tier") not in ("default", "flex"):
            yield variant.prices.__dict__


def dearest(price: Any, tokens: int | None) -> list[Decimal]:
    """Every rate that a price may come to where at most `tokens` are read (None: any number)."""
    if price is None:
        return []
    if isinstance(price, Decimal):
        return [price]
    return [price.base, *(tier.price for tier in price.tiers if tokens is None or tokens > tier.start)]


def dearest_of(lists: Iterable[Mapping[str, Any]], keys: Iterable[str], tokens: int | None) -> Decimal | None:
    """The dearest rate that any list has under any of these names; None where none has."""
    names = tuple(keys)
    found = [rate for prices in lists for key in names for rate in dearest(prices.get(key), tokens)]
    return max(found, default=None)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a model takes and gives at most, in tokens; None where nobody says."""

    output: int | None
    window: int | None


def limits_of(provider: str, found: Any | None) -> Limits:
    """The published limits of a model of the list."""
    if found is None:
        return Limits(None, None)
    known = _limits().get((str(PROVIDERS[provider].listed), found.id), Limits(None, None))
    window = max(known.window or 0, found.context_window or 0) or None
    return Limits(known.output or window, window)


@cache
def _limits() -> Mapping[tuple[str, str], Limits]:
    text = (files(__package__) / "data" / "model_limits.csv").read_text("utf-8")
    return MappingProxyType(
        {
            (row["provider"], row["model"]): Limits(
                int(row["max_output_tokens"]), int(row["context_window"]) if row["context_window"] else None
            )
            for row in csv.DictReader(text.splitlines())
        }
    )
