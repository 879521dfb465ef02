"""The doors of boxes as the gateway keeps them: declared TCP services, and the machine's own for single runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from comptroller.core.action import Action
from comptroller.core.doors import HOST_SUFFIX, TCP_PREFIX, HostService

ALLOWANCE_BYTES_DEFAULT = 1 << 20

Tls = Literal["none", "direct", "postgres"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpService:
    """A service that is carried without being understood. `tls`: how the gateway encrypts to it, and verifies it."""

    host: str
    port: int
    tls: Tls = "none"
    allowance_bytes: int = ALLOWANCE_BYTES_DEFAULT


class HostServices:
    """Which of the machine's own services each run may reach; nothing that is not here leads to the machine."""

    def __init__(self) -> None:
        self._runs: dict[str, Mapping[str, HostService]] = {}

    def open(self, run: str, services: Mapping[str, HostService]) -> None:
        """From now on `run` reaches these, by host."""
        self._runs[run] = dict(services)

    def close(self, run: str) -> None:
        """From now on it reaches none."""
        self._runs.pop(run, None)

    def find(self, run: str, host: str) -> HostService | None:
        """The service that is called `host` in this run."""
        return self._runs.get(run, {}).get(host)

    def marks(self, action: Action) -> Mapping[str, object]:
        """What every entry of an action through a door says of it."""
        found = self.find(action.run, action.host)
        marks: dict[str, object] = {"host_service": f"127.0.0.1:{found.port}"} if found is not None else {}
        if action.operation.startswith(TCP_PREFIX):
            marks["not_understood"] = True
        return marks


def is_host_service(host: str) -> bool:
    """True for a name under which only services of the machine lie."""
    return host.endswith(HOST_SUFFIX)
