"""Which codec reads which host. The host alone decides: never what the caller claims in a header or a body."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches
from functools import cached_property
from types import MappingProxyType

from comptroller.core.action import ActionClass
from comptroller.core.errors import ConfigError
from comptroller.core.request import Request
from comptroller.decode.aws import AwsCodec
from comptroller.decode.aws import index as aws
from comptroller.decode.codec import Classes, Codec, ServiceCodec
from comptroller.decode.deferred import DEFERRED
from comptroller.decode.described import SHIPPED, DescribedCodec, Service, shipped_codec
from comptroller.decode.ethereum import EthereumCodec
from comptroller.decode.http import METHOD_CLASSES, HttpCodec
from comptroller.decode.llm import COMPATIBLE_CODECS, AnthropicCodec, GeminiCodec, OpenAICodec
from comptroller.decode.mcp import McpCodec, ToolClasses, mcp_classes
from comptroller.decode.stripe import StripeCodec
from comptroller.decode.tcp import TcpCodec, tcp_classes

BUILTIN: tuple[Callable[[], ServiceCodec], ...] = (
    OpenAICodec,
    AnthropicCodec,
    GeminiCodec,
    *COMPATIBLE_CODECS,
    StripeCodec,
    EthereumCodec,
    *DEFERRED,
)
"""Every service with a codec of its own besides AWS, one line each."""
CONFIGURABLE = (
    *("openai", "anthropic", "gemini", *(codec.name for codec in COMPATIBLE_CODECS), "mcp"),
    *("stripe", "ethereum", "kubernetes", "http"),
)
"""Codecs that `services` may give further hosts to."""
DESCRIBABLE = (*CONFIGURABLE, *SHIPPED)
"""The same, and those that come with a description."""
NEAR_MAX = 3

_TCP = TcpCodec()
_HTTP_OPERATION = re.compile(r"http:(?:\*\.)?[a-z0-9.-]{1,253}:([A-Z]{1,32})")


class CodecRegistry:
    """Every host has a codec: a service by its own hosts, AWS by its domains, others as configured, else `http`."""

    def __init__(
        self,
        services: Mapping[str, str] | None = None,
        described: Iterable[Service] = (),
        tools: ToolClasses | None = None,
    ) -> None:
        """`services` maps further hosts (`llm.example.com`, `*.example.com`) to one of `DESCRIBABLE`, or to one of
        `described`: services by a description of their own, which may take the place of a shipped one. `tools` says
        what the tools of MCP hosts do.

        Raises `ConfigError` for a codec that does not exist, and for a host that belongs to another service.
        """
        own = {service.name: DescribedCodec.of(service) for service in described}
        shipped = {name: shipped_codec(name) for name in SHIPPED if name not in own}
        self._described: Mapping[str, DescribedCodec] = {**shipped, **own}
        self._coded: tuple[ServiceCodec, ...] = (*(make() for make in BUILTIN), McpCodec(tools))
        self._services: tuple[ServiceCodec, ...] = (*self._coded, *self._described.values())
        self.codecs: Mapping[str, Codec] = MappingProxyType(
            {codec.name: codec for codec in (AwsCodec(), *self._services, HttpCodec())}
        )
        self._official: Mapping[str, Codec] = {
            host: codec for codec in (*self._coded, *shipped.values()) for host in codec.hosts
        }
        self._configured: dict[str, Codec] = {}
        for codec in own.values():
            if codec.name in {each.name for each in self._coded} | {"aws", "http"}:
                raise ConfigError(
                    f"{codec.service.origin}: `{codec.name}` is a service of its own", hint="give the file another name"
                )
            for host in codec.service.hosts:
                self._configure(host, codec.name, codec.service.origin)
        for host, name in (services or {}).items():
            if name not in DESCRIBABLE and name not in own:
                near = get_close_matches(name, [*DESCRIBABLE, *own], 1)
                known = f"did you mean `{near[0]}`?" if near else "use one of " + ", ".join((*DESCRIBABLE, *own))
                raise ConfigError(f"`{name}` is not a codec", hint=known)
            self._configure(host, name, "`services`")

    def _configure(self, host: str, name: str, where: str) -> None:
        bare = host.removeprefix("*.")
        known = _longest(self._official, bare) or self._official.get(host)
        if (known is None and aws.owns(bare)) or (known is not None and known.name != name):
            raise ConfigError(f"host `{host}` belongs to another service", hint=f"remove it from {where}")
        before = self._configured.setdefault(host, self.codecs[name])
        if before.name != name:
            both = f"host `{host}` is that of `{before.name}` and of `{name}`"
            raise ConfigError(both, hint=f"remove it from {where}")

    def codec_for(self, request: Request) -> Codec:
        """The codec of the request's host; the longest matching pattern wins, and no setting takes a service's own."""
        host = request.host
        if request.transport == "tcp":
            return _TCP
        found = _longest(self._official, host)
        if found is not None:
            return found
        if aws.owns(host):
            return self.codecs["aws"]
        return _longest(self._configured, host) or self.codecs["http"]

    def operations(self) -> Iterator[str]:
        """Every operation that has a name of its own; those of `http` are without number."""
        yield from aws.operations()
        for known in self._known:
            yield from known
        for codec in self._described.values():
            yield from codec.known()

    def classes_of(self, operation: str) -> frozenset[ActionClass] | None:
        """The classes an operation always has; None where nobody knows it. An action may have more."""
        if (http := _HTTP_OPERATION.fullmatch(operation)) is not None:
            cls = METHOD_CLASSES.get(http[1])
            return None if cls is None else frozenset({cls})
        if operation.startswith(aws.PREFIX):
            return aws.classes_of(operation)
        if (tcp := tcp_classes(operation)) is not None:
            return tcp
        if (mcp := mcp_classes(operation)) is not None:
            return mcp
        codec = self._described.get(operation.partition(":")[0])
        tables = self._known if codec is None else (codec.known(),)
        return next((table[operation] for table in tables if operation in table), None)

    def operations_near(self, operation: str) -> tuple[str, ...]:
        """Known operations with a similar name, closest first."""
        if operation.startswith(aws.PREFIX):
            service = operation.rpartition(":")[0]
            same = [name for name in aws.operations() if name.startswith(f"{service}:")]
            return tuple(get_close_matches(operation, same or list(aws.operations()), NEAR_MAX))
        codec = self._described.get(operation.partition(":")[0])
        known = [name for table in (self._known if codec is None else (codec.known(),)) for name in table]
        return tuple(get_close_matches(operation, _narrowed(known, operation), NEAR_MAX))

    @cached_property
    def _known(self) -> tuple[Mapping[str, Classes], ...]:
        return tuple(codec.known() for codec in self._coded)


def _narrowed(names: list[str], operation: str) -> list[str]:
    """The names of the same or the nearest family, then of its service: comparing with all takes seconds."""
    for depth in (1, 2):
        wanted = ":".join(operation.split(":")[:depth])
        heads = {":".join(name.split(":")[:depth]) for name in names}
        head = wanted if wanted in heads else next(iter(get_close_matches(wanted, heads, 1)), None)
        if head is not None:
            names = [name for name in names if name == head or name.startswith(f"{head}:")]
    return names


def _longest(hosts: Mapping[str, Codec], host: str) -> Codec | None:
    """The codec of a host, by its name or by the longest pattern above it."""
    found = hosts.get(host)
    while found is None and "." in host:
        host = host.partition(".")[2]
        found = hosts.get(f"*.{host}")
    return found
