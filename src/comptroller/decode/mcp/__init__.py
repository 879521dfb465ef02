"""The Model Context Protocol over streamable HTTP: every call of a tool is an action of its own."""

from comptroller.decode.mcp.codec import McpCodec, ToolClasses, mcp_classes

__all__ = ["McpCodec", "ToolClasses", "mcp_classes"]
