"""What the tools of a model call are: run by the agent itself, or by the service, elsewhere and at a price per use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from comptroller.core.action import ActionClass, Value
from comptroller.decode.shape import Undecodable

TOOLS_MAX = 4096

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
}
"""Tools the service runs itself: `execute` where they run code, `communicate` where they carry what the agent writes to
hosts that no boundary here sees."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """Hosted tools by kind, sorted, and the classes they add."""

    hosted: tuple[str, ...]
    classes: frozenset[ActionClass]


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
    hosted = sorted(kinds & HOSTED_TOOLS.keys())
    classes = frozenset(cls for kind in hosted for cls in HOSTED_TOOLS[kind])
    return Tools(hosted=tuple(hosted), classes=classes)


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
