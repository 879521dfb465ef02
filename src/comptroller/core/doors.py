"""Host services: what a person brings into one run from their own machine, under a name of its own inside the box."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from comptroller.core.errors import UsageError

HOST_SUFFIX = ".host.comptroller.internal"
"""`NAME` + this is how a host service is called inside."""
HOST_SERVICES_MAX = 16
TCP_PREFIX = "tcp:"
"""How the operation of a connection that nobody understands begins: `tcp:HOST:PORT`."""

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\Z")
_HINT = "write it as --host-service ollama=11434, or db=5432/tcp for what does not speak HTTP"


@dataclass(frozen=True, slots=True, kw_only=True)
class HostService:
    """`port` of the machine's loopback, for one run. `tcp`: connections are carried without being understood."""

    name: str
    port: int
    tcp: bool = False

    @property
    def host(self) -> str:
        """What it is called inside the box."""
        return f"{self.name}{HOST_SUFFIX}"

    @property
    def notice(self) -> str:
        """What the person is told when it is brought in."""
        protocol = "tcp, not understood" if self.tcp else "http"
        return f"host service: port {self.port} of this machine is {self.host} in the box ({protocol})"

    @property
    def text(self) -> str:
        """As it is written on the command line."""
        return f"{self.name}={self.port}{'/tcp' if self.tcp else ''}"


def parse_host_service(text: str) -> HostService:
    """`ollama=11434` or `db=5432/tcp`. Raises `UsageError`."""
    name, equals, rest = text.partition("=")
    port, slash, protocol = rest.partition("/")
    if not equals or not _NAME.match(name):
        raise UsageError(f"`{text}` does not name a host service", hint=f"{_HINT}; names are lower-case")
    if not port.isascii() or not port.isdigit() or len(port) > 5 or not 1 <= int(port) <= 65_535:
        raise UsageError(f"`{port[:20]}` is not a port", hint=_HINT)
    if slash and protocol != "tcp":
        raise UsageError(f"`{protocol}` is not a protocol of host services", hint=_HINT)
    return HostService(name=name, port=int(port), tcp=bool(slash))


def parse_host_services(texts: Iterable[str]) -> tuple[HostService, ...]:
    """Several, each name once. Raises `UsageError`."""
    found: dict[str, HostService] = {}
    for text in texts:
        service = parse_host_service(text)
        if found.setdefault(service.name, service) != service:
            raise UsageError(f"the host service `{service.name}` is named twice", hint="give one of them another name")
    if len(found) > HOST_SERVICES_MAX:
        raise UsageError(f"a run has at most {HOST_SERVICES_MAX} host services", hint="drop some --host-service")
    return tuple(found.values())


def tcp_service(host: str, port: int) -> str:
    """What such a connection is called as a service, and as an operation."""
    return f"{TCP_PREFIX}{host}:{port}"
