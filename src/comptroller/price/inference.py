"""Model calls: how many tokens at most, what they cost at most, and what a settled call did cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from comptroller.core.action import Action, ActionClass, Value
from comptroller.core.estimate import Bound, Outcome
from comptroller.price.book import PriceBook
from comptroller.price.catalogue import whole_micros
from comptroller.price.cost import NOTHING, UNKNOWN, Cost, bound
from comptroller.price.media import media_micros
from comptroller.price.model_content import Content, content_of, gemini_content
from comptroller.price.model_lists import (
    PRICED_AT,
    PROVIDERS,
    dearest_of,
    dearest_text,
    find_model,
    limits_of,
    price_lists,
)

OVERHEAD_TOKENS = 1024
"""What a service adds around a request (its own framing, its instructions for tools), per request and built-in tool."""
CHOICES_MAX = 1024
LOWERED_TOKENS_MIN = 256
"""An answer is never limited to less than this to make it fit a budget: it is refused instead."""
OUTPUT_TOKENS_MAX = 10_000_000
BATCH_PERCENT = 50
SEARCH_MICROS = 2_500
"""A search of a vector store, at most: what the file search tool costs a call."""
PRICED_MEMBERS = frozenset(
    # What most services know.
    {"model", "messages", "input", "system", "instructions", "max_tokens", "max_completion_tokens", "max_output_tokens"}
    | {"metadata", "service_tier", "stream", "stream_options", "temperature", "tools", "tool_choice", "top_p", "top_k"}
    # OpenAI, and servers that speak its protocol.
    | {"audio", "background", "conversation", "frequency_penalty", "function_call", "functions", "include"}
    | {"logit_bias", "logprobs", "max_tool_calls", "min_p", "modalities", "n", "parallel_tool_calls", "prediction"}
    | {"presence_penalty", "previous_response_id", "prompt", "prompt_cache_key", "prompt_cache_retention", "reasoning"}
    | {"reasoning_effort", "repetition_penalty", "response_format", "safety_identifier", "seed", "stop", "store"}
    | {"text", "top_logprobs", "truncation", "user", "verbosity", "web_search_options", "best_of", "echo", "suffix"}
    | {"dimensions", "encoding_format", "input_type", "random_seed", "safe_prompt", "reasoning_format"}
    | {"chat_template_kwargs", "ignore_eos", "min_tokens", "include_reasoning", "enable_thinking"}
    | {"max_tokens_to_sample"}
    # Anthropic.
    | {"cache_control", "container", "inference_geo", "mcp_servers", "output_config", "output_format", "speed"}
    | {"stop_sequences", "thinking"}
    # Gemini.
    | {"contents", "content", "generationConfig", "generation_config", "safetySettings", "safety_settings"}
    | {"toolConfig", "tool_config"}
    | {"systemInstruction", "system_instruction", "cachedContent", "cached_content", "labels", "title"}
    | {"taskType", "task_type", "outputDimensionality", "output_dimensionality", "embedContentConfig"}
)
"""Members whose effect on the price is known. Any other (`fallbacks`, `compaction`, `moderation`, …) may have the
service call more models, or dearer ones: the bound is then unknown."""

_OUTPUT_LIMITS: Mapping[str, tuple[str, ...]] = {
    "chat.completions:create": ("max_completion_tokens", "max_tokens"),
    "completions:create": ("max_tokens", "max_tokens_to_sample"),
    "responses:create": ("max_output_tokens",),
    "messages:create": ("max_tokens",),
}
"""Operation -> the members that limit its answer. Any other is one that the service ignores."""
_LIMITED_BY_COMPLETION: Final = frozenset({"openai", "azure-openai", "groq", "xai", "cerebras", "gemini"})
"""Services that are known to read `max_completion_tokens`; others may read `max_tokens` alone."""
_HELD_BY_SERVICE = ("previous_response_id", "conversation", "container", "cachedContent", "cached_content")
_GENERATING: Final = frozenset(
    {"chat.completions:create", "completions:create", "responses:create", "messages:create", "models:generateContent"}
    | {"models:streamGenerateContent", "openai.chat.completions:create"}
)
_EMBEDDING: Final = frozenset({"embeddings:create", "models:embedContent", "openai.embeddings:create"})
_DEARER_MEMBERS = ("service_tier", "speed", "inference_geo")
"""Members that choose another price, which an answer may confirm only at its end."""
_FREE_SEARCH_TOOLS = frozenset({"web_search", "web_fetch", "tool_search_tool"})
"""Anthropic's hosted tools whose price its usage tells in full."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Upper bounds of one model call; None where they are not known."""

    tokens: int | None
    usd_micros: int | None
    basis: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One call of one model as prices see it. `payload` is the bytes of text that go in, `most` the output limit that
    the caller names, `choices` how many answers are written, `extra_output` what else is charged as output."""

    provider: str
    model: str
    members: Mapping[str, Value]
    content: Content
    payload: int
    most: int | None = None
    choices: int = 1
    extra_output: int = 0
    built_in: int = 0
    held: bool = False
    embeds: bool = False
    percent: int = 100


def model_cost(action: Action, book: PriceBook) -> Cost | None:
    """What an action of a model service costs. Not known where it brings about something that lives on."""
    if ActionClass.PROVISION in action.classes:
        return None
    if ActionClass.INFER not in action.classes:
        search = action.operation == "openai:vector_stores:search"
        return Cost(once=Bound(low=0, high=SEARCH_MICROS), basis="OpenAI, file search") if search else Cost()
    if action.parts:
        return Cost(tokens=NOTHING, basis=f"{len(action.parts):,} calls of a batch")
    found = inference_bounds(action)
    return Cost(once=bound(0, found.usd_micros), tokens=bound(0, found.tokens), basis=found.basis)


def inference_bounds(action: Action, most: int | None = None) -> Bounds:
    """The most that a model call can use and cost; with `most`, as if its output limit were lowered to it."""
    family, _, operation = action.operation.partition(":")
    provider = PROVIDERS.get(family)
    if provider is None:
        return Bounds(tokens=None, usd_micros=None, basis="no price for this model service is known")
    if operation == "moderations:create":
        return Bounds(tokens=action.call.payload_bytes + OVERHEAD_TOKENS, usd_micros=0, basis="moderation is free")
    if operation not in _GENERATING | _EMBEDDING:
        micros, basis = (0, "self-hosted: no price per call") if provider.free else media_micros(action)
        return Bounds(tokens=None, usd_micros=micros, basis=basis)
    ask = ask_of(action)
    if ask is None:
        return Bounds(tokens=None, usd_micros=None, basis="the request holds no bound on its answer")
    return bounds_of(ask, most)


def ask_of(action: Action) -> Ask | None:
    """A call of a service that takes JSON; None where its limits are no numbers."""
    family, _, operation = action.operation.partition(":")
    members = action.parameters
    percent = BATCH_PERCENT if members.get("@batch") is True else 100
    if operation.startswith("models:"):
        return _gemini_ask(action, operation, percent)
    model = members.get("model", members.get("@deployment"))
    tools = [tool for tool in _list(members.get("tools")) if isinstance(tool, Mapping)]
    choices = _choices(operation, members)
    limits = [members[name] for name in _limits_read(family, operation, members)]
    if choices is None or not all(_counted(limit) for limit in limits):
        return None
    return Ask(
        provider=family,
        model=model if isinstance(model, str) else "",
        members=members,
        content=content_of(members),
        payload=action.call.payload_bytes,
        most=max((int(str(limit)) for limit in limits), default=None),
        choices=choices,
        # Tokens of a prediction that the model rejects are charged as output; `echo` writes the prompt again.
        extra_output=action.call.payload_bytes if members.get("prediction") or members.get("echo") else 0,
        built_in=sum(1 for tool in tools if tool.get("type") not in (None, "function", "custom")),
        held=any(members.get(name) for name in _HELD_BY_SERVICE) or isinstance(members.get("prompt"), Mapping),
        embeds=operation in _EMBEDDING,
        percent=percent,
    )


def _limits_read(family: str, operation: str, members: Mapping[str, Value]) -> list[str]:
    """The members that limit an answer; none where the service may ignore all that are named."""
    names = _OUTPUT_LIMITS.get(operation.removeprefix("openai."), ())
    present = [name for name in names if members.get(name) is not None]
    return [] if present == ["max_completion_tokens"] and family not in _LIMITED_BY_COMPLETION else present


def _gemini_ask(action: Action, operation: str, percent: int) -> Ask | None:
    members = action.parameters
    config = members.get("generationConfig", members.get("generation_config"))
    config = config if isinstance(config, Mapping) else {}
    most = config.get("maxOutputTokens", config.get("max_output_tokens"))
    choices = config.get("candidateCount", config.get("candidate_count"))
    choices = 1 if choices is None else choices
    if (most is not None and not _counted(most)) or not _counted(choices) or not 1 <= int(str(choices)) <= CHOICES_MAX:
        return None
    return Ask(
        provider="gemini",
        model=action.resources[0] if action.resources else "",
        members=members,
        content=gemini_content(members),
        payload=action.call.payload_bytes,
        most=None if most is None else int(str(most)),
        choices=int(str(choices)),
        held=bool(members.get("cachedContent") or members.get("cached_content")),
        embeds=operation in _EMBEDDING,
        percent=percent,
    )


def bounds_of(ask: Ask, most: int | None = None) -> Bounds:
    """The upper bounds of one call; `most` lowers its output limit."""
    provider = PROVIDERS[ask.provider]
    if ask.members.get("@hosted_tools"):
        return Bounds(tokens=None, usd_micros=None, basis="hosted tools cost extra, without bound")
    found = find_model(ask.provider, ask.model) if not provider.dearest else None
    read, written = _input_tokens(ask, found), _output_tokens(ask, found, most)
    tokens = None if read is None or written is None else read + written
    if provider.free:
        return Bounds(tokens=tokens, usd_micros=0, basis="self-hosted: no price per call")
    if found is None and not provider.dearest:
        return Bounds(tokens=tokens, usd_micros=None, basis=f"no price for `{ask.model}` is known")
    name = ask.provider if found is None else f"{ask.provider} {found.id}"
    basis = f"genai-prices, {name}, {PRICED_AT.date().isoformat()}"
    if found is not None and "search" in found.id:
        return Bounds(tokens=None, usd_micros=None, basis=basis + "; its searches cost extra, without bound")
    if not all(member in PRICED_MEMBERS or member.startswith("@") for member in ask.members):
        return Bounds(tokens=None, usd_micros=None, basis=basis + "; a member of the request may cost extra")
    if read is None or written is None:
        return Bounds(tokens=None, usd_micros=None, basis=basis + "; no bound on tokens")
    rates = _rates(ask, found, read)
    if rates is None:
        return Bounds(tokens=tokens, usd_micros=None, basis=basis + "; no price per token")
    anywhere = ask.provider == "anthropic" and ask.members.get("inference_geo") == "global"
    percent = 100 if anywhere else provider.region_percent
    micros = (rates[0] * read + rates[1] * written) * percent * ask.percent / 10_000
    return Bounds(tokens=tokens, usd_micros=whole_micros(micros), basis=basis)


def affordable_output(action: Action, usd_micros_room: int | None, tokens_room: int | None) -> int | None:
    """The largest output limit with which a call fits the room (None: no limit there); None where not even
    `LOWERED_TOKENS_MIN` tokens fit, or the call's bound does not depend on such a limit."""
    return affordable(lambda most: inference_bounds(action, most), usd_micros_room, tokens_room)


def affordable(bounds: Callable[[int], Bounds], usd_micros_room: int | None, tokens_room: int | None) -> int | None:
    """The largest limit whose bounds fit, by bisection: bounds grow with the limit."""

    def fits(limit: int) -> bool:
        found = bounds(limit)
        for amount, room in ((found.usd_micros, usd_micros_room), (found.tokens, tokens_room)):
            if room is not None and (amount is None or amount > room):
                return False
        return True

    if not fits(LOWERED_TOKENS_MIN) or bounds(LOWERED_TOKENS_MIN).tokens == bounds(0).tokens:
        return None
    most = _largest(fits)
    # Beyond the limit that the call has anyway nothing changes: no more than that is ever written into it.
    whole = bounds(most).tokens
    return most if bounds(most - 1).tokens != whole else _largest(lambda limit: bounds(limit - 1).tokens != whole)


def _largest(holds: Callable[[int], bool]) -> int:
    low, high = LOWERED_TOKENS_MIN, OUTPUT_TOKENS_MAX
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if holds(middle) else (low, middle - 1)
    return low


def inference_cost(action: Action, outcome: Outcome) -> int | None:
    """What a settled call cost, in micro-dollars, from the usage its answer told; None where that is not enough."""
    family, _, operation = action.operation.partition(":")
    provider = PROVIDERS.get(family)
    if provider is None or operation not in _GENERATING | _EMBEDDING:
        return None
    if provider.free:
        return 0
    hosted = set(_list(action.parameters.get("@hosted_tools")))
    if hosted and (family != "anthropic" or hosted - _FREE_SEARCH_TOOLS):
        return None
    if provider.dearest:
        return _dearest_micros(family, outcome.usage)
    model = action.parameters.get("model", action.resources[0] if action.resources else None)
    if not isinstance(model, str):
        return None
    return settled_micros(family, model, outcome.usage)


def cut_bounds(action: Action, usage: Mapping[str, int]) -> Bounds | None:
    """The most that a call whose stream broke off can have cost, from what it told until then (`input_tokens`,
    `output_tokens_max`: see `decode/llm/cut`); None where only the whole estimate bounds it. Never above the estimate.
    """
    family, _, operation = action.operation.partition(":")
    ask = ask_of(action) if family in PROVIDERS and operation in _GENERATING else None
    if ask is None or "output_tokens_max" not in usage:
        return None
    whole = bounds_of(ask)
    if whole.usd_micros is None:
        return None
    provider = PROVIDERS[family]
    found = find_model(family, ask.model) if not provider.dearest else None
    read = usage.get("input_tokens", _input_tokens(ask, found))
    limit = _output_tokens(ask, found, None)
    written = usage["output_tokens_max"] + ask.extra_output
    written = written if limit is None else min(limit, written)
    if read is None:
        return None
    micros = _cut_micros(ask, found, usage, read, written)
    if micros is None:
        return None
    tokens = read + written if whole.tokens is None else min(whole.tokens, read + written)
    basis = "what was streamed, and what may have been written unseen"
    return Bounds(tokens=tokens, usd_micros=min(whole.usd_micros, micros), basis=basis)


def _cut_micros(ask: Ask, found: Any | None, usage: Mapping[str, int], read: int, written: int) -> int | None:
    if PROVIDERS[ask.provider].free:
        return 0
    if "input_tokens" in usage and not any(ask.members.get(name) for name in _DEARER_MEMBERS):
        told = {name: count for name, count in usage.items() if name != "output_tokens_max"}
        exact = settled_micros(ask.provider, ask.model, {**told, "output_tokens": written})
        if exact is not None:
            return exact
    rates = _rates(ask, found, read)
    if rates is None:
        return None
    percent = PROVIDERS[ask.provider].region_percent * ask.percent
    return whole_micros((rates[0] * read + rates[1] * written) * percent / 10_000)


def _dearest_micros(family: str, usage: Mapping[str, int]) -> int | None:
    """What counted tokens cost at most, where nobody knows of which model they are."""
    rates = dearest_text(family)
    if rates is None or "input_tokens" not in usage or "output_tokens" not in usage:
        return None
    micros = rates[0] * usage["input_tokens"] + rates[1] * usage["output_tokens"]
    return whole_micros(micros * PROVIDERS[family].region_percent / 100)


def settled_micros(family: str, model: str, usage: Mapping[str, int]) -> int | None:
    """What counted tokens cost by the list; None where it cannot say."""
    if "input_tokens" not in usage or "output_tokens" not in usage or usage.get("untold"):
        return None
    found = find_model(family, model)
    if found is None or (
        usage.get("web_searches") and "web_searches_kcount" not in found.get_prices(PRICED_AT).__dict__
    ):
        return None
    context: dict[str, str] = {}
    if usage.get("tier_fast"):
        context = {"speed": "fast"} if family == "anthropic" else {"service_tier": "priority"}
    elif usage.get("tier_flex"):
        context = {"service_tier": "flex"}
    prices = found.get_prices(PRICED_AT, context)
    listed = prices.__dict__
    counted = {key: count for key, count in usage.items() if _priced(key, listed)}
    try:
        from genai_prices import Usage

        total = prices.calc_price(Usage(**counted))["total_price"]
    except (ValueError, TypeError, LookupError, AttributeError):
        return None
    percent = PROVIDERS[family].region_percent if usage.get("geo_us") else 100
    return whole_micros(Decimal(total) * 1_000_000 * percent / 100)


def _priced(key: str, listed: Mapping[str, Any]) -> bool:
    """Tokens of a medium count by themselves only where the list has a rate for them; they are part of the rest."""
    if key in ("input_tokens", "output_tokens", "web_searches") or key.startswith("cache_"):
        return key == "web_searches" or key.endswith("_tokens")
    return key.endswith("_tokens") and listed.get(key.removesuffix("_tokens") + "_mtok") is not None


def _input_tokens(ask: Ask, found: Any | None) -> int | None:
    """At most one token a byte: every tokeniser in use cuts UTF-8 text into pieces of at least one byte."""
    image_tokens = PROVIDERS[ask.provider].image_tokens
    content = ask.content
    total = ask.payload - content.image_bytes + OVERHEAD_TOKENS * (1 + ask.built_in)
    if content.images and image_tokens is not None:
        total += content.images * image_tokens
    if content.other or ask.held or (content.images and image_tokens is None):
        window = _window(ask, found)
        return None if window is None else total + window
    return total


def _output_tokens(ask: Ask, found: Any | None, most: int | None) -> int | None:
    if ask.embeds:
        return 0
    limit = ask.most
    if limit is None and found is not None:
        limit = limits_of(ask.provider, found).output
    if most is not None:
        limit = most if limit is None else min(limit, most)
    return None if limit is None else limit * ask.choices + ask.extra_output


def _window(ask: Ask, found: Any | None) -> int | None:
    window = limits_of(ask.provider, found).window
    headers = ask.members.get("@headers")
    beta = str(headers.get("anthropic-beta", "")) if isinstance(headers, Mapping) else ""
    if window is None:
        return None
    return max(window, 1_000_000) if "context-1m" in beta else window


def _rates(ask: Ask, found: Any | None, read: int) -> tuple[Decimal, Decimal] | None:
    """The dearest (input, output) price that may apply, in micro-dollars a token (= dollars a million)."""
    if found is None:
        return dearest_text(ask.provider)
    keys_in, keys_out = ["input_mtok"], ["output_mtok"]
    if ask.provider != "anthropic" or ask.content.cached:
        keys_in.append("cache_write_mtok")
    if ask.content.cached_hour:
        keys_in.append("cache_write_1h_mtok")
    lists = list(price_lists(found, ask.provider, ask.members))
    names = sorted({key for prices in lists for key in prices if key.endswith("_mtok")})
    if ask.content.images or ask.content.other or ask.held:
        keys_in += [key for key in names if key.startswith("input_")]
    modalities = {str(kind) for kind in _list(ask.members.get("modalities"))}
    if modalities - {"text"} or ask.provider not in ("openai", "anthropic"):
        keys_out += [key for key in names if key.startswith("output_")]
    # Long contexts cost more from some number of tokens read; what is cached on the way counts among them.
    plain = dearest_of(lists, ("input_mtok",), read)
    dear, written = dearest_of(lists, keys_in, read), dearest_of(lists, keys_out, read)
    if ask.embeds and plain is not None:
        written = Decimal(0)
    return None if plain is None or dear is None or written is None else (dear, written)


def _choices(operation: str, members: Mapping[str, Value]) -> int | None:
    """How many answers are written, and charged."""
    counts = [members.get(name) for name in ("n", "best_of")]
    known = [1 if count is None else count for count in counts]
    if not all(_counted(count) and 1 <= int(str(count)) <= CHOICES_MAX for count in known):
        return None
    prompts = 1
    if operation == "completions:create" and isinstance(prompt := members.get("prompt"), list):
        prompts = max(1, sum(1 for one in prompt if isinstance(one, str | list)))
    return max(int(str(count)) for count in known) * prompts


def _counted(value: Value) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _list(value: Value) -> Sequence[Value]:
    return value if isinstance(value, Sequence) and not isinstance(value, str | bytes) else ()


__all__ = [
    "LOWERED_TOKENS_MIN",
    "UNKNOWN",
    "Ask",
    "Bounds",
    "affordable_output",
    "cut_bounds",
    "find_model",
    "inference_bounds",
    "inference_cost",
    "model_cost",
]
