"""Which codec reads which host. The host alone decides: never what the caller claims in a header or a body."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from types import MappingProxyType

from comptroller.core.action import ActionClass
from comptroller.core.errors import ConfigError
from comptroller.core.request import Request
from comptroller.decode.aws import AwsCodec
from comptroller.decode.aws import index as aws
from comptroller.decode.http import METHOD_CLASSES, HttpCodec
from comptroller.decode.llm import AnthropicCodec, OpenAICodec
from comptroller.decode.stripe import StripeCodec
from comptroller.decode.stripe.operations import operations as stripe_operations

AnyCodec = AwsCodec | OpenAICodec | AnthropicCodec | StripeCodec | HttpCodec
CONFIGURABLE = ("openai", "anthropic", "stripe", "http")
"""Codecs that `services` may give further hosts to."""
NEAR_MAX = 3

_HTTP_OPERATION = re.compile(r"http:(?:\*\.)?[a-z0-9.-]{1,253}:([A-Z]{1,32})")
_READ = frozenset({ActionClass.READ})


class CodecRegistry:
    """Every host has a codec: AWS by its own domains, models and payments by name or as configured, else `http`."""

    def __init__(self, services: Mapping[str, str] | None = None) -> None:
        """`services` maps further hosts (`llm.example.com`, `*.example.com`) to one of `CONFIGURABLE`.

        Raises `ConfigError` for a codec that does not exist, and for a host that belongs to another service.
        """
        openai, anthropic, stripe, http = OpenAICodec(), AnthropicCodec(), StripeCodec(), HttpCodec()
        self.codecs: Mapping[str, AnyCodec] = MappingProxyType(
            {c.name: c for c in (AwsCodec(), openai, anthropic, stripe, http)}
        )
        self._hosts: dict[str, AnyCodec] = {}
        for codec in (openai, anthropic, stripe):
            self._hosts.update(dict.fromkeys(codec.hosts, codec))
        official = dict(self._hosts)
        for host, name in (services or {}).items():
            if name not in CONFIGURABLE:
                raise ConfigError(f"`{name}` is not a codec", hint="use one of " + ", ".join(CONFIGURABLE))
            known = official.get(host)
            if aws.owns(host.removeprefix("*.")) or (known is not None and known.name != name):
                raise ConfigError(f"host `{host}` belongs to another service", hint="remove it from `services`")
            self._hosts[host] = self.codecs[name]

    def codec_for(self, request: Request) -> AnyCodec:
        """The codec of the request's host; the longest matching pattern wins."""
        host = request.host
        if aws.owns(host):
            return self.codecs["aws"]
        found = self._hosts.get(host)
        while found is None and "." in host:
            host = host.partition(".")[2]
            found = self._hosts.get(f"*.{host}")
        return found or self.codecs["http"]

    def operations(self) -> Iterator[str]:
        """Every operation that has a name of its own; those of `http` are without number."""
        yield from aws.operations()
        yield from _named()

    def classes_of(self, operation: str) -> frozenset[ActionClass] | None:
        """The classes an operation always has; None where nobody knows it. An action may have more."""
        if (http := _HTTP_OPERATION.fullmatch(operation)) is not None:
            cls = METHOD_CLASSES.get(http[1])
            return None if cls is None else frozenset({cls})
        return aws.classes_of(operation) if operation.startswith(aws.PREFIX) else _named().get(operation)

    def operations_near(self, operation: str) -> tuple[str, ...]:
        """Known operations with a similar name, closest first."""
        if operation.startswith(aws.PREFIX):
            service = operation.rpartition(":")[0]
            same = [name for name in aws.operations() if name.startswith(f"{service}:")]
            return tuple(get_close_matches(operation, same or list(aws.operations()), NEAR_MAX))
        return tuple(get_close_matches(operation, list(_named()), NEAR_MAX))


def _named() -> Mapping[str, frozenset[ActionClass]]:
    found = {operation.name: operation.classes for operation in stripe_operations().values()}
    for codec in (OpenAICodec, AnthropicCodec):
        found.update(dict(codec.operations.values()))
        found[f"{codec.name}:models:list"] = _READ
        found[f"{codec.name}:models:retrieve"] = _READ
    return found
