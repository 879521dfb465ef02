"""Every limit of the gateway, and the values that describe one box to it."""

from __future__ import annotations

import socket as sockets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from comptroller.core.doors import HostService
from comptroller.enforce.gateway.doors import TcpService

INTERNAL_HOST = "comptroller.internal"
"""The one host that is answered here: read-only facts for the agent."""

READ_BUFFER_BYTES_MAX = 256 << 10
"""Bytes one side may have in memory before we stop reading from it."""
WRITE_BUFFER_BYTES_MAX = 256 << 10
"""Bytes that may wait to be written before whoever produces them has to wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewaySettings:
    """Limits. Every wait, buffer and count has one; tests make them smaller, nothing makes them infinite."""

    connections_max: int = 512
    """Connections of one box at a time; further ones wait in the kernel's queue."""
    header_bytes_max: int = 64 << 10
    headers_max: int = 128
    body_memory_bytes_max: int = 128 << 20
    """Bodies of one box held in memory at a time."""
    spool_bytes_max: int = 2 << 30
    """A streamed body that needs a person's yes is kept on disk up to this size."""
    spool_folder: str | None = None
    """Where such a body lies, unlinked; None is the system's temporary folder."""

    first_byte_seconds_max: float = 15.0
    """A client that says nothing for this long expects the server to speak first: no HTTP client does."""
    handshake_seconds_max: float = 15.0
    header_seconds_max: float = 15.0
    idle_seconds_max: float = 75.0
    """Between two requests on one connection."""
    body_idle_seconds_max: float = 30.0
    body_seconds_max: float = 300.0
    """For a body that is held in memory; larger ones are bound by their idle time alone."""
    write_seconds_max: float = 300.0
    """How long a client may leave an answer unread."""
    heartbeat_seconds: float = 3.0
    """Between two signs of life on a held call: httpx gives up after 5 s."""
    tick_seconds: float = 0.5
    """How exactly deadlines are kept."""

    connect_seconds_max: float = 10.0
    connect_addresses_max: int = 4
    response_seconds_max: float = 900.0
    """Until an upstream begins to answer: models think for minutes."""
    response_idle_seconds_max: float = 300.0
    response_header_bytes_max: int = 64 << 10
    informational_max: int = 256
    pool_idle_max: int = 8
    """Idle upstream connections kept per host and run."""
    pool_connections_max: int = 64
    """Idle upstream connections kept per run."""
    pool_idle_seconds_max: float = 15.0
    permits_remembered_max: int = 65_536
    """How many spent permits are remembered; an older one is refused as spent."""
    extra_ca_file: str | None = None
    """A further trust anchor beside the system's, for private services and tests."""

    stream_idle_seconds_max: float = 3600.0
    """How long a connection of a declared TCP service may carry nothing."""
    stream_linger_seconds_max: float = 60.0
    """The same once one of its sides has ended."""

    drain_bytes_max: int = 16 << 20
    drain_seconds_max: float = 30.0
    """After the client left: how much of the answer is still read to learn what it cost."""
    drain_whole_seconds_max: float = 600.0
    """The same where the service writes, and charges, to the end whoever reads."""
    close_seconds_max: float = 5.0
    """How long calls in flight may finish once their box has ended."""
    meter_bytes_max: int = 64 << 20
    """How much of a compressed answer is unpacked to read its cost."""

    names_max: int = 65_536
    """Host names one box may ask for; each gets an address of its own."""
    refusal_window_seconds: float = 10.0
    """Equal refusals within it become one entry with a count."""
    refusals_max: int = 256
    """Different refusals remembered within one window; further ones are counted together."""
    leaf_contexts_max: int = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class RunIdentity:
    """Whose box this is. The gateway knows it by the sockets it was handed, never by anything a request says.

    `accounts` maps a service family (`aws`, `stripe`, a host) to the account of this agent's credential;
    `hold_seconds` is how long a call waits for people before it is refused with the approval's id.
    """

    run: str
    agent: str
    accounts: Mapping[str, str] = field(default_factory=dict)
    hold_seconds: float = 0.0
    host_services: Mapping[str, HostService] = field(default_factory=dict)
    """The machine's own services that this run may reach, by the name they have inside."""
    tcp: Sequence[TcpService] = ()
    """What its agent may reach without being understood."""

    proxy_secret: str = field(default="", repr=False)
    """What a client of the run's `proxy` socket has to show; without one nobody is served there."""

    def tcp_at(self, host: str, port: int) -> TcpService | None:
        """The service that is not to be understood at this place, where one is declared."""
        service = self.host_services.get(host)
        if service is not None and service.tcp and service.port == port:
            return TcpService(host=host, port=port)
        return next((each for each in self.tcp if (each.host, each.port) == (host, port)), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxSocket:
    """A socket that lives in a box's network. `tcp` and `dns-tcp` listen, `dns-udp` is bound. `proxy` listens outside,
    for a run whose wall is somebody else's."""

    role: Literal["tcp", "dns-udp", "dns-tcp", "proxy"]
    socket: sockets.socket
