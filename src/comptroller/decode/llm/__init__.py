"""Codecs of model services: OpenAI, Anthropic, Gemini, and those that speak OpenAI's protocol."""

from comptroller.decode.llm.anthropic import AnthropicCodec
from comptroller.decode.llm.compatible import COMPATIBLE_CODECS, AzureOpenAICodec, CompatibleCodec, SelfHostedCodec
from comptroller.decode.llm.gemini import GeminiCodec
from comptroller.decode.llm.openai import OpenAICodec

__all__ = [
    "COMPATIBLE_CODECS",
    "AnthropicCodec",
    "AzureOpenAICodec",
    "CompatibleCodec",
    "GeminiCodec",
    "OpenAICodec",
    "SelfHostedCodec",
]
