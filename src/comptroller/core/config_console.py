"""`console` of `comptroller.yaml`: where the console listens, and under which address people reach it."""

from __future__ import annotations

import re
from ipaddress import ip_address, ip_network
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from comptroller.core.config_oidc import OidcConfig

PREFIX_PATTERN = r"^(/[A-Za-z0-9][A-Za-z0-9._~-]{0,62}){1,8}$"
LISTEN_DEFAULT = "127.0.0.1:0"

_File = Annotated[str, StringConstraints(min_length=1, max_length=4096, pattern=r"^[^\x00-\x1f]+$")]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class ConsoleTlsConfig(_Part):
    """Files with the certificate chain and its private key, both PEM. Read at the start, by `serve` alone."""

    certificate: _File
    key: _File


class ConsoleConfig(_Part):
    """The console. `listen`: ADDRESS:PORT, port 0 takes any. `public_url`: the origin people open, where a proxy or a
    name of its own stands before it; `prefix`: the path it lies under there. `trusted_proxies`: addresses or networks
    whose `X-Forwarded-…` headers are believed. Beyond this machine it is served over TLS only: with `tls`, or behind a
    trusted proxy under a `https` address."""

    listen: str = LISTEN_DEFAULT
    public_url: str = ""
    prefix: str = ""
    trusted_proxies: tuple[str, ...] = Field(default=(), strict=False, max_length=32)
    tls: ConsoleTlsConfig | None = None
    oidc: OidcConfig | None = None

    @field_validator("listen")
    @classmethod
    def _listen(cls, value: str) -> str:
        split_listen(value)
        return value

    @field_validator("public_url")
    @classmethod
    def _public_url(cls, value: str) -> str:
        return origin_of(value) if value else ""

    @field_validator("prefix")
    @classmethod
    def _prefix(cls, value: str) -> str:
        shown = value.rstrip("/")
        if shown and not re.fullmatch(PREFIX_PATTERN, shown):
            raise ValueError(f"`{value}` is not a path such as /comptroller")
        return shown

    @field_validator("trusted_proxies")
    @classmethod
    def _proxies(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for each in value:
            try:
                network = ip_network(each)
            except ValueError as error:
                raise ValueError(f"`{each}` is neither an address nor a network such as 10.0.0.0/8") from error
            if network.prefixlen == 0:
                raise ValueError(f"`{each}` is everybody: name the proxies alone")
        return value

    @model_validator(mode="after")
    def _safe(self) -> Self:
        secure = self.public_url.startswith("https://")
        if self.tls is not None and self.public_url and not secure:
            raise ValueError("with `tls` the `public_url` begins with https://")
        if self.loopback:
            return self
        if self.tls is None and not (secure and self.trusted_proxies):
            raise ValueError(
                f"`{self.listen}` is reached from other machines: it needs `tls`, or a `public_url` with https and the "
                "`trusted_proxies` before it"
            )
        if not self.public_url:
            raise ValueError(f"`{self.listen}` is reached from other machines: say under which `public_url`")
        return self

    @property
    def loopback(self) -> bool:
        """Whether only this machine reaches it directly."""
        return ip_address(split_listen(self.listen)[0]).is_loopback


def split_listen(value: str) -> tuple[str, int]:
    """`127.0.0.1:8320` or `[::1]:8320` as address and port. Raises ValueError."""
    host, mark, port = value.rpartition(":")
    try:
        address = ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError as error:
        raise ValueError(f"`{value}` does not begin with an IP address: 127.0.0.1:8320") from error
    if not mark or not (port.isascii() and port.isdigit()) or int(port) > 65_535:
        raise ValueError(f"`{value}` does not end with a port: 127.0.0.1:8320")
    return str(address), int(port)


def origin_of(url: str) -> str:
    """`https://HOST` or `https://HOST:PORT`, in lower case and without a default port. Raises ValueError."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise ValueError(f"`{url}` is not a URL") from error
    if parts.scheme not in ("http", "https") or not host or parts.username is not None:
        raise ValueError(f"`{url}` is not an address such as https://comptroller.example.com")
    if parts.path.rstrip("/") or parts.query or parts.fragment:
        raise ValueError(f"`{url}`: only scheme and host; the path belongs into `prefix`")
    shown = f"[{host}]" if ":" in host else host
    default = {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{shown}" + (f":{port}" if port not in (None, default) else "")
