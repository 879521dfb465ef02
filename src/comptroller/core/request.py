"""What arrived on the wire and what is sent in its place, as frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple


class Unencodable(ValueError):
    """A decoded action that cannot be written as a request again: it is refused, never forwarded as it came."""


BUFFERED_BODY_BYTES_MAX = 1 << 20
"""A body that is not a stream member may not be larger."""
BOUND_STREAM_BYTES_MAX = 8 << 20
"""A stream up to this size is buffered and bound by its SHA-256; a larger one passes on policy alone or is spooled."""


PLAIN_PREFIX = "http://"
"""How an endpoint begins that is reached without encryption."""


class Header(NamedTuple):
    """One header field; `name` is lower-case."""

    name: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """A request body too large to hold in memory. `length_bytes` is None when chunked; `sha256` None until spooled."""

    length_bytes: int | None
    sha256: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One HTTP request from a box, frozen. `target` is origin-form as sent; header names are lower-case, order kept.

    `host` is lower-case, without port, and equal to the TLS server name. `body` is whole (framing removed) unless
    `stream` is set, in which case it is empty. `accounts` maps a service family (`aws`, `stripe`, a host) to the
    account its credential belongs to, as configured for this agent; `attempt` names connection and sequence number.
    Transport `tcp` is a connection nobody understands: host, port, and how much it may send as its stream's length.
    """

    scheme: Literal["http", "https"]
    method: str
    host: str
    port: int
    target: str
    headers: tuple[Header, ...]
    body: bytes
    agent: str
    run: str
    stream: Stream | None = None
    accounts: Mapping[str, str] = field(default_factory=dict)
    attempt: str = ""
    transport: Literal["http", "tcp"] = "http"

    @property
    def endpoint(self) -> str:
        """`host`, with `:port` where it is not the scheme's own; unencrypted it begins with `http://`, so that a yes
        for the one is none for the other."""
        default = 443 if self.scheme == "https" else 80
        name = self.host if self.port == default else f"{self.host}:{self.port}"
        return name if self.scheme == "https" else PLAIN_PREFIX + name

    def all(self, name: str) -> tuple[str, ...]:
        """Every value of header `name` (lower-case)."""
        return tuple(value for header, value in self.headers if header == name)

    def one(self, name: str) -> str | None:
        """The value of header `name` where it appears exactly once, else None."""
        values = self.all(name)
        return values[0] if len(values) == 1 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Signing:
    """Sign with AWS SigV4 under this scope; both come from the decoded action, never from the caller's headers."""

    service: str
    region: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """What is sent upstream, encoded anew from the decoded action. Never carries a credential: `family` says which to
    inject (`aws` with `signing`; `openai`, `anthropic`, `stripe`; else the host). `stream` means the caller's body
    follows unchanged. `secret` is set with the injected credential: what no answer may give back to the caller."""

    method: str
    scheme: Literal["http", "https"]
    host: str
    port: int
    target: str
    headers: tuple[Header, ...]
    body: bytes
    family: str
    signing: Signing | None = None
    stream: Stream | None = None
    secret: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class NativeResponse:
    """An answer in the service's own format."""

    status: int
    headers: tuple[Header, ...]
    body: bytes
