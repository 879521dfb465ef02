"""Which codec reads which host. The host alone decides: never what the caller claims in a header or a body."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from functools import cached_property
from types import MappingProxyType

from comptroller.core.action import ActionClass
from comptroller.core.errors import ConfigError
from comptroller.core.request import Request
from comptroller.decode.aws import AwsCodec
from comptroller.decode.aws import index as aws
from comptroller.decode.codec import Classes, Codec, ServiceCodec
from comptroller.decode.http import METHOD_CLASSES, HttpCodec
from comptroller.decode.llm import AnthropicCodec, OpenAICodec
from comptroller.decode.stripe import StripeCodec

BUILTIN: tuple[Callable[[], ServiceCodec], ...] = (OpenAICodec, AnthropicCodec, StripeCodec)
"""Every service with a codec of its own besides AWS, one line each."""
CONFIGURABLE = ("openai", "anthropic", "stripe", "http")
"""Codecs that `services` may give further hosts to."""
NEAR_MAX = 3

_HTTP_OPERATION = re.compile(r"http:(?:\*\.)?[a-z0-9.-]{1,253}:([A-Z]{1,32})")


class CodecRegistry:
    """Every host has a codec: a service by its own hosts, AWS by its domains, others as configured, else `http`."""

    def __init__(self, services: Mapping[str, str] | None = None) -> None:
        """`services` maps further hosts (`llm.example.com`, `*.example.com`) to one of `CONFIGURABLE`.

        Raises `ConfigError` for a codec that does not exist, and for a host that belongs to another service.
        """
        self._services = tuple(make() for make in BUILTIN)
        self.codecs: Mapping[str, Codec] = MappingProxyType(
            {codec.name: codec for codec in (AwsCodec(), *self._services, HttpCodec())}
        )
        self._official: Mapping[str, Codec] = {host: codec for codec in self._services for host in codec.hosts}
        self._configured: dict[str, Codec] = {}
        for host, name in (services or {}).items():
            if name not in CONFIGURABLE:
                raise ConfigError(f"`{name}` is not a codec", hint="use one of " + ", ".join(CONFIGURABLE))
            bare = host.removeprefix("*.")
            known = _longest(self._official, bare) or self._official.get(host)
            if (known is None and aws.owns(bare)) or (known is not None and known.name != name):
                raise ConfigError(f"host `{host}` belongs to another service", hint="remove it from `services`")
            self._configured[host] = self.codecs[name]

    def codec_for(self, request: Request) -> Codec:
        """The codec of the request's host; the longest matching pattern wins, and no setting takes a service's own."""
        host = request.host
        found = _longest(self._official, host)
        if found is not None:
            return found
        if aws.owns(host):
            return self.codecs["aws"]
        return _longest(self._configured, host) or self.codecs["http"]

    def operations(self) -> Iterator[str]:
        """Every operation that has a name of its own; those of `http` are without number."""
        yield from aws.operations()
        yield from self._named

    def classes_of(self, operation: str) -> frozenset[ActionClass] | None:
        """The classes an operation always has; None where nobody knows it. An action may have more."""
        if (http := _HTTP_OPERATION.fullmatch(operation)) is not None:
            cls = METHOD_CLASSES.get(http[1])
            return None if cls is None else frozenset({cls})
        return aws.classes_of(operation) if operation.startswith(aws.PREFIX) else self._named.get(operation)

    def operations_near(self, operation: str) -> tuple[str, ...]:
        """Known operations with a similar name, closest first."""
        if operation.startswith(aws.PREFIX):
            service = operation.rpartition(":")[0]
            same = [name for name in aws.operations() if name.startswith(f"{service}:")]
            return tuple(get_close_matches(operation, same or list(aws.operations()), NEAR_MAX))
        return tuple(get_close_matches(operation, list(self._named), NEAR_MAX))

    @cached_property
    def _named(self) -> Mapping[str, Classes]:
        return {operation: classes for codec in self._services for operation, classes in codec.known().items()}


def _longest(hosts: Mapping[str, Codec], host: str) -> Codec | None:
    """The codec of a host, by its name or by the longest pattern above it."""
    found = hosts.get(host)
    while found is None and "." in host:
        host = host.partition(".")[2]
        found = hosts.get(f"*.{host}")
    return found
