"""Model calls: how many tokens at most, what they cost at most, and what a settled call did cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import Any

from comptroller.core.action import Action, ActionClass, Value
from comptroller.core.estimate import Outcome
from comptroller.price.book import PriceBook
from comptroller.price.catalogue import output_tokens_max, whole_micros
from comptroller.price.cost import Cost, bound

PRICED_AT = datetime(2026, 11, 1, tzinfo=UTC)
"""The day for which the price list is read: a pure function has no clock. Announced later rises count already."""
OVERHEAD_TOKENS = 1024
"""What a service adds around a request (its own framing, its instructions for tools), per request and built-in tool."""
IMAGE_TOKENS_MAX = {"openai": 50_000, "anthropic": 6_000}
"""Tokens of one image: gpt-4o-mini counts 2,833 + 8 x 5,667; Anthropic at most about 4,800 at high resolution."""
REGION_PERCENT = {"openai": 100, "anthropic": 110}
"""Anthropic charges 1.1 x where inference is bound to the US, which a workspace may have as its default."""
CHOICES_MAX = 1024
PRICED_MEMBERS = frozenset(
    # What both services know.
    {"model", "messages", "input", "system", "instructions", "max_tokens", "max_completion_tokens", "max_output_tokens"}
    | {"metadata", "service_tier", "stream", "stream_options", "temperature", "tools", "tool_choice", "top_p", "top_k"}
    # OpenAI, and servers that speak its protocol.
    | {
        "audio",
        "background",
        "conversation",
        "frequency_penalty",
        "function_call",
        "functions",
        "include",
        "logit_bias",
    }
    | {
        "logprobs",
        "max_tool_calls",
        "min_p",
        "modalities",
        "n",
        "parallel_tool_calls",
        "prediction",
        "presence_penalty",
    }
    | {"previous_response_id", "prompt", "prompt_cache_key", "prompt_cache_retention", "reasoning", "reasoning_effort"}
    | {"repetition_penalty", "response_format", "safety_identifier", "seed", "stop", "store", "text", "top_logprobs"}
    | {"truncation", "user", "verbosity", "web_search_options"}
    # Anthropic.
    | {"cache_control", "container", "inference_geo", "mcp_servers", "output_config", "output_format", "speed"}
    | {"stop_sequences", "thinking"}
)
"""Members whose effect on the price is known. Any other (`fallbacks`, `compaction`, `moderation`, …) may have the
service call more models, or dearer ones: the bound is then unknown."""

_OUTPUT_LIMITS = ("max_completion_tokens", "max_output_tokens", "max_tokens")
_HELD_BY_SERVICE = ("previous_response_id", "conversation", "prompt", "container")
_TEXT_PARTS = frozenset(
    {"text", "input_text", "output_text", "refusal", "message", "function", "custom", "reasoning", "summary_text"}
    | {"reasoning_text", "function_call", "function_call_output", "custom_tool_call", "custom_tool_call_output"}
    | {"tool_use", "tool_result", "thinking", "redacted_thinking", "ephemeral", "local_shell_call"}
    | {"local_shell_call_output", "apply_patch_call", "apply_patch_call_output"}
)
_IMAGE_PARTS = frozenset({"image", "image_url", "input_image", "computer_call_output", "computer_screenshot"})
_UNTYPED_INSIDE = frozenset({"arguments", "input_schema", "action", "operation"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Upper bounds of one model call; None where they are not known."""

    tokens: int | None
    usd_micros: int | None
    basis: str


@dataclass(slots=True)
class _Content:
    images: int = 0
    image_bytes: int = 0
    other: bool = False
    cached: bool = False
    cached_hour: bool = False


def inference_bounds(action: Action) -> Bounds:
    """The most that a call of `openai:…:create` or `anthropic:…:create` can use and cost."""
    provider = action.operation.partition(":")[0]
    members = action.parameters
    name = members.get("model")
    found = find_model(provider, name) if isinstance(name, str) else None
    if found is None:
        return Bounds(tokens=_tokens(action, provider, None), usd_micros=None, basis=f"no price for `{name}` is known")
    basis = f"genai-prices, {provider} {found.id}, {PRICED_AT.date().isoformat()}"
    if members.get("@hosted_tools") or "search" in found.id:
        return Bounds(tokens=None, usd_micros=None, basis=basis + "; hosted tools cost extra, without bound")
    if not all(member in PRICED_MEMBERS or member.startswith("@") for member in members):
        return Bounds(tokens=None, usd_micros=None, basis=basis + "; a member of the request may cost extra")
    read, written = _input_tokens(action, provider, found), _output_tokens(action, provider, found)
    if read is None or written is None:
        return Bounds(tokens=None, usd_micros=None, basis=basis + "; no bound on tokens")
    rates = _rates(found, provider, members, _content(members))
    if rates is None:
        return Bounds(tokens=read + written, usd_micros=None, basis=basis + "; no price per token")
    percent = 100 if members.get("inference_geo") == "global" else REGION_PERCENT[provider]
    micros = (rates[0] * read + rates[1] * written) * percent / 100
    return Bounds(tokens=read + written, usd_micros=whole_micros(micros), basis=basis)


def model_cost(action: Action, book: PriceBook) -> Cost:
    """What a model call costs; only calls that ask a model are priced here."""
    if ActionClass.INFER not in action.classes:
        return Cost()
    found = inference_bounds(action)
    return Cost(once=bound(0, found.usd_micros), tokens=bound(0, found.tokens), basis=found.basis)


def inference_cost(action: Action, outcome: Outcome) -> int | None:
    """What a settled call cost, in micro-dollars, from the usage its answer told; None where that is not enough."""
    provider = action.operation.partition(":")[0]
    name, usage = action.parameters.get("model"), outcome.usage
    if not isinstance(name, str) or "input_tokens" not in usage or "output_tokens" not in usage:
        return None
    found = find_model(provider, name)
    if found is None or (
        usage.get("web_searches") and "web_searches_kcount" not in found.get_prices(PRICED_AT).__dict__
    ):
        return None
    context: dict[str, str] = {}
    if usage.get("tier_fast"):
        context = {"speed": "fast"} if provider == "anthropic" else {"service_tier": "priority"}
    elif usage.get("tier_flex"):
        context = {"service_tier": "flex"}
    counted = {key: count for key, count in usage.items() if key.endswith("_tokens") or key == "web_searches"}
    try:
        from genai_prices import Usage

        prices = found.get_prices(PRICED_AT, context)
        total = prices.calc_price(Usage(**counted))["total_price"]
    except (ValueError, TypeError, LookupError, AttributeError):
        return None
    percent = REGION_PERCENT[provider] if usage.get("geo_us") else 100
    return whole_micros(Decimal(total) * 1_000_000 * percent / 100)


@cache
def _providers() -> Mapping[str, Any]:
    from genai_prices.data_snapshot import get_snapshot

    return {provider.id: provider for provider in get_snapshot().providers if provider.id in IMAGE_TOKENS_MAX}


def find_model(provider: str, name: str) -> Any | None:
    """The price list's entry for a model name, or None. The first call reads the list (about half a second)."""
    known = _providers().get(provider)
    if known is None:
        return None
    lowered = name.lower()
    return next((model for model in known.models if model.is_match(lowered)), None)


def _tokens(action: Action, provider: str, found: Any | None) -> int | None:
    if action.parameters.get("@hosted_tools"):
        return None
    read, written = _input_tokens(action, provider, found), _output_tokens(action, provider, found)
    return None if read is None or written is None else read + written


def _input_tokens(action: Action, provider: str, found: Any | None) -> int | None:
    """At most one token a byte: every tokeniser in use cuts UTF-8 text into pieces of at least one byte."""
    members = action.parameters
    content = _content(members)
    tools = [tool for tool in _list(members.get("tools")) if isinstance(tool, Mapping)]
    built_in = sum(1 for tool in tools if tool.get("type") not in (None, "function", "custom"))
    text = action.call.payload_bytes - content.image_bytes + OVERHEAD_TOKENS * (1 + built_in)
    total = text + content.images * IMAGE_TOKENS_MAX[provider]
    if content.other or any(members.get(name) for name in _HELD_BY_SERVICE):
        window = _window(found, members)
        return None if window is None else total + window
    return total


def _output_tokens(action: Action, provider: str, found: Any | None) -> int | None:
    members = action.parameters
    limits = [members[name] for name in _OUTPUT_LIMITS if members.get(name) is not None]
    if not all(isinstance(limit, int) and not isinstance(limit, bool) and limit >= 0 for limit in limits):
        return None
    most = max((int(str(limit)) for limit in limits), default=None)
    if most is None and found is not None:
        most = output_tokens_max(provider, found.id) or _window(found, members)
    choices = members.get("n", 1)
    choices = 1 if choices is None else choices
    if most is None or not isinstance(choices, int) or isinstance(choices, bool) or not 1 <= choices <= CHOICES_MAX:
        return None
    # Tokens of a prediction that the model rejects are charged as output.
    return most * choices + (action.call.payload_bytes if members.get("prediction") else 0)


def _window(found: Any | None, members: Mapping[str, Value]) -> int | None:
    window = None if found is None else found.context_window
    headers = members.get("@headers")
    beta = str(headers.get("anthropic-beta", "")) if isinstance(headers, Mapping) else ""
    if window is None:
        return None
    return max(int(window), 1_000_000) if "context-1m" in beta else int(window)


def _rates(
    found: Any, provider: str, members: Mapping[str, Value], content: _Content
) -> tuple[Decimal, Decimal] | None:
    """The dearest (input, output) price that may apply, in micro-dollars a token (= dollars a million)."""
    keys_in = ["input_mtok"]
    if provider == "openai" or content.cached:
        keys_in.append("cache_write_mtok")
    if content.cached_hour:
        keys_in.append("cache_write_1h_mtok")
    keys_out = ["output_mtok"]
    lists = [prices.__dict__ for prices in _price_lists(found, provider, members)]
    if content.images or content.other:
        keys_in += sorted(
            {key for prices in lists for key in prices if key.startswith("input_") and key[-5:] == "_mtok"}
        )
    modalities = [str(kind) for kind in _list(members.get("modalities"))]
    if set(modalities) - {"text"}:
        keys_out += sorted({key for prices in lists for key in prices if key[:7] == "output_" and key[-5:] == "_mtok"})
    read = [rate for prices in lists for key in keys_in for rate in _dearest(prices.get(key))]
    written = [rate for prices in lists for key in keys_out for rate in _dearest(prices.get(key))]
    if not any(_dearest(prices.get("input_mtok")) for prices in lists) or not written:
        return None
    return max(read), max(written)


def _price_lists(found: Any, provider: str, members: Mapping[str, Value]) -> Iterator[Any]:
    yield found.get_prices(PRICED_AT)
    if isinstance(found.prices, list):
        for conditional in found.prices:
            start = getattr(conditional.constraint, "start_date", None)
            if conditional.constraint is not None and (start is None or start > PRICED_AT.date()):
                yield conditional.prices
    for variant in found.price_variants or ():
        if provider == "openai" and "service_tier" in variant.when:
            tier = members.get("service_tier")
            # `auto`, the default, is whatever the project is set to: any tier.
            if tier not in ("default", "flex"):
                yield variant.prices
        elif provider == "anthropic" and "speed" in variant.when and members.get("speed") not in (None, "standard"):
            yield variant.prices


def _dearest(price: Any) -> list[Decimal]:
    if price is None:
        return []
    if isinstance(price, Decimal):
        return [price]
    return [price.base, *(tier.price for tier in price.tiers)]


def _content(members: Mapping[str, Value]) -> _Content:
    content = _Content()
    for name in ("messages", "input", "system", "instructions", "tools"):
        _walk(members.get(name), content, typed=name != "tools")
    if "cache_control" in members:
        _mark_cache(members["cache_control"], content)
    return content


def _walk(value: Value, content: _Content, *, typed: bool) -> None:
    if isinstance(value, Mapping):
        kind = value.get("type")
        if typed and isinstance(kind, str):
            if kind in _IMAGE_PARTS:
                content.images += 1
                content.image_bytes += _longest_text(value)
                return
            content.other = content.other or kind not in _TEXT_PARTS
        for name, member in value.items():
            if name == "cache_control":
                _mark_cache(member, content)
            elif isinstance(member, Mapping | list):
                arbitrary = name in _UNTYPED_INSIDE or (name == "input" and kind == "tool_use")
                _walk(member, content, typed=typed and not arbitrary)
    elif isinstance(value, list):
        for member in value:
            _walk(member, content, typed=typed)


def _mark_cache(control: Value, content: _Content) -> None:
    content.cached = True
    content.cached_hour = content.cached_hour or (
        isinstance(control, Mapping) and control.get("ttl") not in (None, "5m")
    )


def _longest_text(value: Mapping[str, Value]) -> int:
    """Bytes of the picture itself (base64 or a URL), which are not text to the model."""
    longest = 0
    for member in value.values():
        if isinstance(member, str):
            longest = max(longest, len(member.encode("utf-8")))
        elif isinstance(member, Mapping):
            longest = max(longest, _longest_text(member))
    return longest


def _list(value: Value) -> Sequence[Value]:
    return value if isinstance(value, Sequence) and not isinstance(value, str | bytes) else ()
