"""Codecs of model services: OpenAI (chat completions, responses) and Anthropic (messages)."""

from comptroller.decode.llm.codec import AnthropicCodec, OpenAICodec

__all__ = ["AnthropicCodec", "OpenAICodec"]
