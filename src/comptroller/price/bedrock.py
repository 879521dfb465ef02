"""Models at Amazon Bedrock: `Converse` by its members, `InvokeModel` by its body, as its vendor writes it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from comptroller.core.action import Action, Value
from comptroller.core.estimate import Outcome
from comptroller.price.cost import Cost, bound
from comptroller.price.inference import CHOICES_MAX, Ask, Bounds, bounds_of, settled_micros
from comptroller.price.model_content import Content, content_of, converse_content

PREFIX = "aws:bedrock-runtime:"
CONVERSES = frozenset({"Converse", "ConverseStream"})
INVOKES = frozenset({"InvokeModel", "InvokeModelWithResponseStream"})
LISTED_REGIONS = frozenset({"us-east-1", "us-east-2", "us-west-2"})
"""Where the price list holds. Elsewhere models cost up to `REGION_PERCENT` of it."""
REGION_PERCENT = 135

_ARN = re.compile(r"arn:aws[a-z-]*:bedrock:[a-z0-9-]*:[0-9]*:(?:foundation-model|inference-profile)/([A-Za-z0-9._:-]+)")
_MODEL = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)?\.[A-Za-z0-9._:-]+")
_CONVERSE_MEMBERS = frozenset(
    {"modelId", "messages", "system", "inferenceConfig", "toolConfig", "additionalModelRequestFields"}
    | {"additionalModelResponseFieldPaths", "requestMetadata", "outputConfig"}
)
_CONVERSE_MORE = frozenset({"top_k", "thinking", "anthropic_beta", "reasoning_config", "reasoning_effort"})
_INVOKE_MEMBERS = frozenset({"modelId", "body", "contentType", "accept", "trace"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendor:
    """How a vendor's body says how long an answer may get: `limits` at its top or in `holder`; `members` are those
    whose effect on the price is known."""

    limits: tuple[str, ...]
    members: frozenset[str]
    holder: str = ""
    choices: tuple[str, ...] = ()


_SAMPLING = frozenset({"temperature", "top_p", "top_k", "stop", "stop_sequences", "seed", "p", "k"})
_CHAT = _SAMPLING | {"messages", "prompt", "system", "tools", "tool_choice", "frequency_penalty", "presence_penalty"}
_OPENAI = _CHAT | {"reasoning_effort", "response_format", "model", "logprobs", "top_logprobs", "logit_bias", "user"}
VENDORS: Mapping[str, Vendor] = {
    "anthropic": Vendor(
        limits=("max_tokens", "max_tokens_to_sample"),
        members=_CHAT | {"anthropic_version", "anthropic_beta", "thinking", "metadata", "output_config"},
    ),
    "amazon.nova": Vendor(
        limits=("maxTokens", "max_new_tokens"),
        holder="inferenceConfig",
        members=frozenset({"messages", "system", "inferenceConfig", "toolConfig", "schemaVersion"}),
    ),
    "amazon.titan": Vendor(
        limits=("maxTokenCount",),
        holder="textGenerationConfig",
        members=frozenset({"inputText", "textGenerationConfig", "dimensions", "normalize", "embeddingTypes"}),
    ),
    "meta": Vendor(limits=("max_gen_len",), members=_CHAT),
    "mistral": Vendor(limits=("max_tokens",), members=_CHAT, choices=("n",)),
    "cohere": Vendor(
        limits=("max_tokens",),
        members=_CHAT
        | {"message", "chat_history", "documents", "texts", "input_type", "truncate", "return_likelihoods"},
        choices=("num_generations",),
    ),
    "ai21": Vendor(limits=("max_tokens", "maxTokens"), members=_CHAT, choices=("n", "numResults")),
    "deepseek": Vendor(limits=("max_tokens",), members=_CHAT),
    "qwen": Vendor(limits=("max_tokens", "max_completion_tokens"), members=_OPENAI, choices=("n",)),
    "openai": Vendor(limits=("max_completion_tokens", "max_tokens"), members=_OPENAI, choices=("n",)),
    "writer": Vendor(limits=("max_tokens",), members=_CHAT, choices=("n",)),
    "moonshotai": Vendor(limits=("max_tokens", "max_completion_tokens"), members=_OPENAI, choices=("n",)),
    "zai": Vendor(limits=("max_tokens", "max_completion_tokens"), members=_OPENAI, choices=("n",)),
}
"""By how a model's name begins, after the region of its profile."""


def is_bedrock(action: Action) -> bool:
    """True for an action that asks a model at Bedrock."""
    return action.operation.startswith(PREFIX) and action.operation.removeprefix(PREFIX) in CONVERSES | INVOKES


def bedrock_cost(action: Action) -> Cost | None:
    """What a call of a model at Bedrock costs at most; None where nobody can say."""
    found = bedrock_bounds(action) if is_bedrock(action) else None
    if found is None:
        return None
    return Cost(once=bound(0, found.usd_micros), tokens=bound(0, found.tokens), basis=found.basis)


def bedrock_bounds(action: Action, most: int | None = None) -> Bounds:
    """The upper bounds of a call; with `most`, as if its output limit were lowered to it."""
    model = model_of(action.parameters.get("modelId"))
    operation = action.operation.removeprefix(PREFIX)
    if model is None:
        return Bounds(tokens=None, usd_micros=None, basis="the model is one of the account's own, without a list price")
    ask = _converse(action, model) if operation in CONVERSES else _invoke(action, model)
    if ask is None:
        return Bounds(tokens=None, usd_micros=None, basis=f"the request to `{model}` may cost more than its tokens")
    return bounds_of(ask, most)


def bedrock_settled(action: Action, outcome: Outcome) -> int | None:
    """What a settled call cost, from the usage its answer told; None where that is not enough."""
    model = model_of(action.parameters.get("modelId"))
    micros = None if model is None else settled_micros("bedrock", model, outcome.usage)
    return None if micros is None else -(-micros * _percent(action) // 100)


def model_of(identity: Value) -> str | None:
    """The list's name of a model id, an inference profile, or the ARN of either; None for what is the account's own."""
    if not isinstance(identity, str):
        return None
    arn = _ARN.fullmatch(identity)
    name = arn[1] if arn else identity
    return name if _MODEL.fullmatch(name) else None


def vendor_of(model: str) -> Vendor | None:
    """The vendor of a model's name (`us.anthropic.claude-…` -> Anthropic)."""
    bare = re.sub(r"^(?:us|us-gov|eu|apac|ap|jp|au|ca|in|sa|global)\.", "", model)
    return next((vendor for start, vendor in VENDORS.items() if bare.startswith((start + ".", start + "-"))), None)


def limit_of(vendor: Vendor, body: Mapping[str, Any]) -> tuple[bool, int | None]:
    """(whether it is a number or absent, the output limit of a body)."""
    holder = body.get(vendor.holder, {}) if vendor.holder else body
    if not isinstance(holder, Mapping):
        return False, None
    given = [holder[name] for name in vendor.limits if holder.get(name) is not None]
    if not all(isinstance(limit, int) and not isinstance(limit, bool) and limit >= 0 for limit in given):
        return False, None
    return True, max(given, default=None)


def _converse(action: Action, model: str) -> Ask | None:
    members = action.parameters
    config, more = members.get("inferenceConfig"), members.get("additionalModelRequestFields")
    tools = members.get("toolConfig")
    if not members.keys() <= _CONVERSE_MEMBERS or (more is not None and not _plain(more)) or _has_system_tool(tools):
        return None
    most = config.get("maxTokens") if isinstance(config, Mapping) else None
    if most is not None and (not isinstance(most, int) or isinstance(most, bool) or most < 0):
        return None
    return Ask(
        provider="bedrock",
        model=model,
        members={},
        content=converse_content(members),
        payload=action.call.payload_bytes,
        most=most,
        percent=_percent(action),
    )


def _invoke(action: Action, model: str) -> Ask | None:
    members, vendor = action.parameters, vendor_of(model)
    body = _object(members.get("body"))
    if vendor is None or body is None or not members.keys() <= _INVOKE_MEMBERS:
        return None
    if not body.keys() <= vendor.members | set(vendor.limits) | set(vendor.choices):
        return None
    counts = [body[name] for name in vendor.choices if body.get(name) is not None]
    if not all(isinstance(n, int) and not isinstance(n, bool) and 1 <= n <= CHOICES_MAX for n in counts):
        return None
    plain, most = limit_of(vendor, body)
    if not plain:
        return None
    tools = body.get("tools")
    if isinstance(tools, list) and any(isinstance(t, Mapping) and "web_search" in str(t.get("type")) for t in tools):
        return None
    content: Content = converse_content(body) if vendor.holder == "inferenceConfig" else content_of(body)
    return Ask(
        provider="bedrock",
        model=model,
        members={},
        content=content,
        payload=action.call.payload_bytes,
        most=most,
        choices=max(counts, default=1),
        embeds="embed" in model,
        percent=_percent(action),
    )


def _percent(action: Action) -> int:
    return 100 if action.region in LISTED_REGIONS else REGION_PERCENT


def _plain(more: Value) -> bool:
    return isinstance(more, Mapping) and more.keys() <= _CONVERSE_MORE


def _has_system_tool(config: Value) -> bool:
    tools = config.get("tools") if isinstance(config, Mapping) else None
    return isinstance(tools, list) and any(isinstance(tool, Mapping) and "systemTool" in tool for tool in tools)


def _object(body: Value) -> dict[str, Any] | None:
    """A JSON object without doubled names; None for anything else."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members = dict(pairs)
        if len(members) != len(pairs):
            raise ValueError("a name stands twice")
        return members

    try:
        found = json.loads(bytes(body), object_pairs_hook=once) if isinstance(body, bytes | bytearray) else None
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
