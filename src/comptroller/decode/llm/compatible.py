"""Services that speak OpenAI's protocol under hosts of their own, each at its own prices."""

from __future__ import annotations

import re
from collections.abc import Mapping

from comptroller.core.action import Action, Value
from comptroller.decode.llm.openai import OpenAICodec
from comptroller.decode.llm.routes import Route
from comptroller.decode.shape import Undecodable
from comptroller.decode.target import Target

ASKING = frozenset({"chat.completions:create", "completions:create", "embeddings:create", "responses:create"})
LISTING = frozenset({"models:list", "models:retrieve"})
AUDIO = frozenset({"audio.transcriptions:create", "audio.translations:create", "audio.speech:create"})
FILES = frozenset({"files:create", "files:list", "files:retrieve", "files:delete", "files:content"})
BATCHES = frozenset({"batches:create", "batches:list", "batches:retrieve", "batches:cancel"})
PICTURES = frozenset({"images:generate", "images:edit", "images:create_variation"})


class CompatibleCodec(OpenAICodec):
    """What a server of unknown make has that speaks OpenAI's protocol: its prices are not known."""

    name: str = "openai-compatible"
    hosts: frozenset[str] = frozenset()
    headers: tuple[str, ...] = ()
    only: frozenset[str] = ASKING | LISTING | AUDIO | PICTURES | {"moderations:create"}

    def _takes_query(self, route: Route, target: Target) -> bool:
        return False


class SelfHostedCodec(CompatibleCodec):
    """A model server of one's own (vLLM, Ollama, llama.cpp): its calls cost no money, their tokens count."""

    name: str = "self-hosted"


class GroqCodec(CompatibleCodec):
    """Groq."""

    name: str = "groq"
    hosts: frozenset[str] = frozenset({"api.groq.com"})
    prefix: str = "/openai"
    only: frozenset[str] = ASKING | LISTING | AUDIO | FILES | BATCHES


class TogetherCodec(CompatibleCodec):
    """Together AI."""

    name: str = "together"
    hosts: frozenset[str] = frozenset({"api.together.xyz", "api.together.ai"})
    only: frozenset[str] = ASKING | LISTING | AUDIO | PICTURES


class MistralCodec(CompatibleCodec):
    """Mistral; its own paths (agents, OCR) are unknown."""

    name: str = "mistral"
    hosts: frozenset[str] = frozenset({"api.mistral.ai", "codestral.mistral.ai"})
    only: frozenset[str] = ASKING - {"responses:create"} | LISTING | AUDIO | FILES | {"moderations:create"}
    asks_for_usage: bool = False


class DeepSeekCodec(CompatibleCodec):
    """DeepSeek: its paths have no version, or `/v1`."""

    name: str = "deepseek"
    hosts: frozenset[str] = frozenset({"api.deepseek.com"})
    only: frozenset[str] = frozenset({"chat.completions:create"}) | LISTING

    def _route(self, method: str, target: Target) -> tuple[Route, tuple[str, ...], Mapping[str, Value]]:
        path = target.path if target.path.startswith("/v1/") else "/v1" + target.path
        route, ids, own = super()._route(method, Target(path=path))
        return route, ids, {**own, "@path": target.path}


class XaiCodec(CompatibleCodec):
    """xAI."""

    name: str = "xai"
    hosts: frozenset[str] = frozenset({"api.x.ai", "us-east-1.api.x.ai", "eu-west-1.api.x.ai"})
    only: frozenset[str] = ASKING | LISTING | PICTURES | {"responses:retrieve", "responses:delete"}


class FireworksCodec(CompatibleCodec):
    """Fireworks."""

    name: str = "fireworks"
    hosts: frozenset[str] = frozenset({"api.fireworks.ai"})
    prefix: str = "/inference"
    only: frozenset[str] = ASKING | LISTING | {"responses:retrieve", "responses:delete"}


class OpenRouterCodec(CompatibleCodec):
    """OpenRouter."""

    name: str = "openrouter"
    hosts: frozenset[str] = frozenset({"openrouter.ai"})
    prefix: str = "/api"
    headers: tuple[str, ...] = ()


class PerplexityCodec(CompatibleCodec):
    """Perplexity: every call searches the web."""

    name: str = "perplexity"
    hosts: frozenset[str] = frozenset({"api.perplexity.ai"})
    only: frozenset[str] = frozenset({"chat.completions:create"})

    def _route(self, method: str, target: Target) -> tuple[Route, tuple[str, ...], Mapping[str, Value]]:
        path = target.path if target.path.startswith("/v1/") else "/v1" + target.path
        route, ids, own = super()._route(method, Target(path=path))
        return route, ids, {**own, "@path": target.path, "@hosted_tools": ["web_search"]}


class CerebrasCodec(CompatibleCodec):
    """Cerebras."""

    name: str = "cerebras"
    hosts: frozenset[str] = frozenset({"api.cerebras.ai"})
    only: frozenset[str] = frozenset({"chat.completions:create", "completions:create"}) | LISTING


USAGE_SINCE = "2024-10-01"

_DEPLOYMENT = re.compile(r"/openai/deployments/([A-Za-z0-9._-]{1,64})(/.+)")
_API_VERSION = re.compile(r"(?:20[0-9]{2}-[0-9]{2}-[0-9]{2}(?:-preview)?|preview|latest|v1)")


class AzureOpenAICodec(OpenAICodec):
    """OpenAI's models at Azure. A deployment's name says nothing about its model: the dearest price bounds it."""

    name: str = "azure-openai"
    hosts: frozenset[str] = frozenset({"*.openai.azure.com"})
    headers: tuple[str, ...] = ()
    prefix: str = "/openai"
    only: frozenset[str] = (
        ASKING
        | LISTING
        | AUDIO
        | FILES
        | BATCHES
        | PICTURES
        | {"responses:retrieve", "responses:delete", "responses:cancel", "responses.input_items:list"}
    )

    def _route(self, method: str, target: Target) -> tuple[Route, tuple[str, ...], Mapping[str, Value]]:
        match = _DEPLOYMENT.fullmatch(target.path)
        if match is not None:
            route, ids, _ = super()._route(method, Target(path="/openai/v1" + match[2]))
            if ids or method != "POST":
                raise Undecodable("a deployment has no such path")
            kept = replace_body(route)
            return kept, ids, {"@deployment": match[1], "@path": target.path}
        path = target.path
        if path.startswith("/openai/") and not path.startswith("/openai/v1/"):
            path = "/openai/v1/" + path.removeprefix("/openai/")
        route, ids, own = super()._route(method, Target(path=path))
        return route, ids, {**own, "@path": target.path}

    def _query(self, route: Route, target: Target) -> str:
        names = [name for name, _ in target.query]
        if len(names) != len(set(names)):
            raise Undecodable("the query names something twice")
        version = dict(target.query).get("api-version")
        if version is not None and not _API_VERSION.fullmatch(version):
            raise Undecodable("`api-version` is none that is known")
        if route.method != "GET" and set(names) - {"api-version"}:
            raise Undecodable("this path takes no query but `api-version`")
        return target.text.partition("?")[2]

    def _adds_usage(self, action: Action) -> bool:
        """Older versions of Azure's API refuse a request that asks for usage in a stream."""
        version = re.search(r"api-version=(20[0-9-]{8})", str(action.parameters.get("@query", "")))
        return super()._adds_usage(action) and (version is None or version[1] >= USAGE_SINCE)

    def _resources(self, route: Route, ids: tuple[str, ...], parameters: Mapping[str, Value]) -> tuple[str, ...]:
        deployment = parameters.get("@deployment", parameters.get("model"))
        return (*ids, deployment) if isinstance(deployment, str) else ids


def replace_body(route: Route) -> Route:
    """The route with a body that need not name its model: the path does."""
    return (
        route
        if route.body != "model"
        else Route(method=route.method, path=route.path, operation=route.operation, body="named", classes=route.classes)
    )


COMPATIBLE_CODECS: tuple[type[OpenAICodec], ...] = (
    GroqCodec,
    TogetherCodec,
    MistralCodec,
    DeepSeekCodec,
    XaiCodec,
    FireworksCodec,
    OpenRouterCodec,
    PerplexityCodec,
    CerebrasCodec,
    AzureOpenAICodec,
    CompatibleCodec,
    SelfHostedCodec,
)
"""Every such service, one line each."""
