"""What the tools of a model call are: run by the agent itself, or by the service, elsewhere and at a price per use."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from comptroller.core.action import ActionClass, Value
from comptroller.decode.shape import Undecodable

TOOLS_MAX = 4096

_HOST = re.compile(r"^(?:[A-Za-z][A-Za-z0-9+.-]*:)?//(?:[^/?#@]*@)?([A-Za-z0-9.-]{1,253}(?::[0-9]{1,5})?)(?=[/?#]|$)")

CLIENT_TOOLS = frozenset(
    {"function", "custom", "local_shell", "apply_patch", "computer_use_preview", "computer", "bash", "text_editor"}
    | {"memory", "namespace", "tool_search"}
)
"""Tools the service only proposes to call: the agent runs them, in its box."""
HOSTED_TOOLS: Mapping[str, frozenset[ActionClass]] = {
    "code_interpreter": frozenset({ActionClass.EXECUTE}),
    "code_execution": frozenset({ActionClass.EXECUTE}),
    "shell": frozenset({ActionClass.EXECUTE}),
    "programmatic_tool_calling": frozenset({ActionClass.EXECUTE}),
    "advisor": frozenset(),
    "mcp": frozenset({ActionClass.EXECUTE, ActionClass.COMMUNICATE}),
    "mcp_toolset": frozenset({ActionClass.EXECUTE, ActionClass.COMMUNICATE}),
    "web_search": frozenset({ActionClass.COMMUNICATE}),
    "web_search_preview": frozenset({ActionClass.COMMUNICATE}),
    "web_fetch": frozenset({ActionClass.COMMUNICATE}),
    "file_search": frozenset(),
    "image_generation": frozenset(),
    "tool_search_tool": frozenset(),
    "stored_prompt": frozenset({ActionClass.EXECUTE, ActionClass.COMMUNICATE}),
}
"""Tools the service runs itself: `execute` where they run code, `communicate` where they carry what the agent writes to
hosts that no boundary here sees. A stored prompt may switch on any of them."""
LINK_MEMBERS = frozenset({"image_url", "file_url", "video_url", "audio_url"})
CONTENT_MEMBERS = ("messages", "input", "system", "prediction")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """Hosted tools by kind, sorted, the classes they add, and hosts of links that the service itself would fetch:
    whatever the agent wrote into such a link reaches its host."""

    hosted: tuple[str, ...]
    classes: frozenset[ActionClass]
    fetches: tuple[str, ...] = ()


def tools_of(body: Mapping[str, Value]) -> Tools:
    """The hosted tools that a request's body switches on. Raises `Undecodable` for a tool of unknown kind."""
    kinds: set[str] = set()
    tools = body.get("tools")
    if tools is not None:
        if not isinstance(tools, Sequence) or isinstance(tools, str | bytes) or len(tools) > TOOLS_MAX:
            raise Undecodable("`tools` is not a list of at most 4096 tools")
        kinds.update(_kind(tool) for tool in tools)
    if body.get("mcp_servers"):
        kinds.add("mcp")
    if body.get("web_search_options") is not None:
        kinds.add("web_search")
    if body.get("container") is not None:
        kinds.add("code_execution")
    if isinstance(body.get("prompt"), Mapping):
        kinds.add("stored_prompt")
    if "search" in str(body.get("model", "")).lower():
        kinds.add("web_search")
    hosted = sorted(kinds & HOSTED_TOOLS.keys())
    classes = frozenset(cls for kind in hosted for cls in HOSTED_TOOLS[kind])
    links = frozenset(link for name in CONTENT_MEMBERS for link in _links(body.get(name)))
    if links:
        classes |= {ActionClass.COMMUNICATE}
    return Tools(hosted=tuple(hosted), classes=classes, fetches=tuple(sorted(links)))


def _links(value: Value) -> Iterator[str]:
    """Hosts of the links in content parts; what a tool was called with is text, and nobody fetches it."""
    if isinstance(value, Mapping):
        for name, member in value.items():
            if name in LINK_MEMBERS:
                link = member.get("url") if isinstance(member, Mapping) else member
                yield from fetched_hosts(link)
            elif name == "url" and value.get("type") == "url":
                yield from fetched_hosts(member)
            elif not (name == "input" and value.get("type") in ("tool_use", "server_tool_use", "mcp_tool_use")):
                yield from _links(member)
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
        for member in value:
            yield from _links(member)


def fetched_hosts(link: Value) -> Iterator[str]:
    """The host that a link has the service fetch from; nothing for what stands in the request itself."""
    if isinstance(link, str) and not link.strip().lower().startswith("data:"):
        host = _HOST.search(link.strip())
        yield host[1].lower() if host else "an address that cannot be read"


def _kind(tool: Value) -> str:
    if not isinstance(tool, Mapping):
        raise Undecodable("`tools` holds something that is not an object")
    written = tool.get("type")
    if written is None:
        return "function"
    if not isinstance(written, str):
        raise Undecodable("a tool has a `type` that is not text")
    # Anthropic dates its tools (`web_search_20250305`), OpenAI some (`web_search_preview_2025_03_11`).
    kind = written.rstrip("0123456789_")
    kind = {"tool_search_tool_regex": "tool_search_tool", "tool_search_tool_bm": "tool_search_tool"}.get(kind, kind)
    environment = tool.get("environment")
    if kind == "shell" and isinstance(environment, Mapping) and environment.get("type") == "local":
        return "local_shell"
    if kind not in CLIENT_TOOLS and kind not in HOSTED_TOOLS:
        raise Undecodable("a tool has a `type` that is not known: nobody can say who runs it")
    return kind
