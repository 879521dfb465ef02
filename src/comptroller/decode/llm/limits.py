"""Where a request says how long its answer may get, and the same members with that limit lowered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from comptroller.core.action import Value

THINKING_TOKENS_MIN = 1024
"""Anthropic takes no smaller budget for thinking, and it must stay below `max_tokens`."""

CHAT: Final = "chat.completions:create"
_MEMBERS: Mapping[str, tuple[str, ...]] = {
    CHAT: ("max_completion_tokens", "max_tokens"),
    "completions:create": ("max_tokens", "max_tokens_to_sample"),
    "responses:create": ("max_output_tokens",),
    "messages:create": ("max_tokens",),
}
"""Operation -> the members that limit its answer; the first is written where the caller names none."""
_GENERATION: Final = frozenset({"models:generateContent", "models:streamGenerateContent"})
_READS_BOTH: Final = frozenset({"openai", "azure-openai", "anthropic"})
"""Services whose every limit counts; others may read the one that is written for them alone."""
_CONFIG_NAMES = ("generationConfig", "generation_config")
_OUTPUT_NAMES = ("maxOutputTokens", "max_output_tokens")


def output_limit(operation: str, members: Mapping[str, Value]) -> int | None:
    """The limit that the caller names, in tokens of one answer; None where there is none."""
    names = _MEMBERS.get(_bare(operation), ())
    holder: Mapping[str, Value] = members
    if _bare(operation) in _GENERATION:
        config = next((members[name] for name in _CONFIG_NAMES if isinstance(members.get(name), Mapping)), None)
        holder, names = (config if isinstance(config, Mapping) else {}), _OUTPUT_NAMES
    found = [value for name in names if _counted(value := holder.get(name))]
    return max((int(str(value)) for value in found), default=None)


def has_limit(operation: str) -> bool:
    """True for an operation whose answer a request can limit."""
    return _bare(operation) in _GENERATION or _bare(operation) in _MEMBERS


def lowered(operation: str, members: Mapping[str, Value], most: int, style: str) -> dict[str, Value] | None:
    """`members` with every limit at most `most`; None where the operation has no such limit. `style` is the service:
    OpenAI's newer models take `max_completion_tokens` alone, servers that speak its protocol know `max_tokens`."""
    operation = _bare(operation)
    if operation in _GENERATION:
        return _lower_generation(members, most)
    names = _MEMBERS.get(operation)
    if names is None:
        return None
    present = [name for name in names if members.get(name) is not None]
    if any(not _counted(members[name]) for name in present):
        return None
    out = dict(members)
    for name in present:
        out[name] = min(int(str(members[name])), most)
    written = _written(operation, names, style)
    if not present or (style not in _READS_BOTH and written not in present):
        out[written] = most
    thinking = members.get("thinking")
    if operation == "messages:create" and isinstance(thinking, Mapping) and "budget_tokens" in thinking:
        limit, budget = int(str(out["max_tokens"])), thinking["budget_tokens"]
        if not _counted(budget):
            return None
        if int(str(budget)) >= limit:
            if limit <= THINKING_TOKENS_MIN:
                return None
            out["thinking"] = {**thinking, "budget_tokens": max(THINKING_TOKENS_MIN, limit // 2)}
    return out


def _lower_generation(members: Mapping[str, Value], most: int) -> dict[str, Value] | None:
    config_name = next((name for name in _CONFIG_NAMES if members.get(name) is not None), _CONFIG_NAMES[0])
    config = members.get(config_name)
    if config is not None and not isinstance(config, Mapping):
        return None
    inner = dict(config or {})
    name = next((name for name in _OUTPUT_NAMES if inner.get(name) is not None), _OUTPUT_NAMES[0])
    given = inner.get(name)
    if given is not None and not _counted(given):
        return None
    inner[name] = most if given is None else min(int(str(given)), most)
    return {**members, config_name: inner}


def _written(operation: str, names: tuple[str, ...], style: str) -> str:
    if operation == CHAT and style not in ("openai", "azure-openai"):
        return "max_tokens"
    if operation == "completions:create" and style == "anthropic":
        return "max_tokens_to_sample"
    return names[0]


def _bare(operation: str) -> str:
    return operation.removeprefix("openai.")


def _counted(value: Value) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1
