"""What goes into a model call, counted from above: text by bytes, pictures by formula, other media by the window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from comptroller.core.action import Value

TEXT_PARTS = frozenset(
    {"text", "input_text", "output_text", "refusal", "message", "function", "custom", "reasoning", "summary_text"}
    | {"reasoning_text", "function_call", "function_call_output", "custom_tool_call", "custom_tool_call_output"}
    | {"tool_use", "tool_result", "thinking", "redacted_thinking", "ephemeral", "local_shell_call"}
    | {"local_shell_call_output", "apply_patch_call", "apply_patch_call_output"}
)
IMAGE_PARTS = frozenset({"image", "image_url", "input_image", "computer_call_output", "computer_screenshot"})
UNTYPED_INSIDE = frozenset({"arguments", "input_schema", "action", "operation"})
"""Members whose own members are the caller's: a `type` there names no part."""
_CONTENT_OF_ITEMS = frozenset(
    {"content", "role", "text", "summary", "arguments", "output", "input", "action", "function", "operation", "name"}
)
"""Members of which a part or an item of a conversation has at least one, where it is written out."""
_GEMINI_MEDIA = frozenset({"inlineData", "inline_data", "fileData", "file_data"})
_GEMINI_FREE = frozenset({"args", "response", "functionCall", "function_call"})
_CONVERSE_MEDIA = frozenset({"document", "video", "audio", "citationsContent"})


@dataclass(slots=True)
class Content:
    """`images` and the bytes they take; `other` where something else than text and pictures goes in (audio, films,
    documents, what the service keeps); `cached` where the caller asks for a cache to be written."""

    images: int = 0
    image_bytes: int = 0
    other: bool = False
    cached: bool = False
    cached_hour: bool = False


def content_of(members: Mapping[str, Value]) -> Content:
    """The content of a request to OpenAI, to Anthropic, or to whoever speaks their protocols."""
    content = Content()
    for name in ("messages", "input", "system", "instructions", "tools"):
        _walk(members.get(name), content, typed=name != "tools")
    if "cache_control" in members:
        _mark_cache(members["cache_control"], content)
    return content


def gemini_content(members: Mapping[str, Value]) -> Content:
    """The content of a request to Gemini: pictures in the request count, other media by the window."""
    content = Content()
    for name in ("contents", "content", "systemInstruction", "system_instruction", "instances"):
        _walk_gemini(members.get(name), content)
    return content


def converse_content(members: Mapping[str, Value]) -> Content:
    """The content of Bedrock's `Converse`, whose parts are named by their one member."""
    content = Content()
    for name in ("messages", "system", "toolConfig", "promptVariables"):
        _walk_converse(members.get(name), content)
    return content


def _walk(value: Value, content: Content, *, typed: bool) -> None:
    if isinstance(value, Mapping):
        kind = value.get("type")
        if typed and isinstance(kind, str):
            if kind in IMAGE_PARTS:
                content.images += 1
                content.image_bytes += longest_text(value)
                return
            content.other = content.other or kind not in TEXT_PARTS
        if typed and _is_held(value):
            content.other = True
        for name, member in value.items():
            if name == "cache_control":
                _mark_cache(member, content)
            elif isinstance(member, Mapping | list):
                arbitrary = name in UNTYPED_INSIDE or (name == "input" and kind == "tool_use")
                _walk(member, content, typed=typed and not arbitrary)
    elif isinstance(value, list):
        for member in value:
            _walk(member, content, typed=typed)


def _is_held(value: Mapping[str, Value]) -> bool:
    """True for what the service kept of an earlier call: an item by its id alone, speech by its id."""
    speech = value.get("audio")
    return ("id" in value and not value.keys() & _CONTENT_OF_ITEMS) or (isinstance(speech, Mapping) and "id" in speech)


def _walk_gemini(value: Value, content: Content) -> None:
    if isinstance(value, Mapping):
        for name, member in value.items():
            if name in _GEMINI_MEDIA:
                kind = member.get("mimeType", member.get("mime_type")) if isinstance(member, Mapping) else None
                if name.startswith("inline") and isinstance(kind, str) and kind.lower().startswith("image/"):
                    content.images += 1
                    content.image_bytes += longest_text(member) if isinstance(member, Mapping) else 0
                else:
                    content.other = True
            elif name not in _GEMINI_FREE:
                _walk_gemini(member, content)
    elif isinstance(value, list):
        for member in value:
            _walk_gemini(member, content)


def _walk_converse(value: Value, content: Content) -> None:
    if isinstance(value, Mapping):
        for name, member in value.items():
            if name == "image":
                content.images += 1
            elif name in _CONVERSE_MEDIA and isinstance(member, Mapping):
                content.other = True
            elif name == "cachePoint":
                _mark_cache(member, content)
            elif name not in ("toolUse", "json"):
                _walk_converse(member, content)
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
        for member in value:
            _walk_converse(member, content)


def _mark_cache(control: Value, content: Content) -> None:
    content.cached = True
    content.cached_hour = content.cached_hour or (
        isinstance(control, Mapping) and control.get("ttl") not in (None, "5m")
    )


def longest_text(value: Mapping[str, Value]) -> int:
    """Bytes of the picture itself (base64 or a URL), which are not text to the model."""
    longest = 0
    for member in value.values():
        if isinstance(member, str):
            longest = max(longest, len(member.encode("utf-8")))
        elif isinstance(member, Mapping):
            longest = max(longest, longest_text(member))
    return longest
