"""Which addresses an upstream may have: public ones only, whatever notation hides a private one."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
from collections.abc import Iterable

METADATA = frozenset(
    ipaddress.ip_address(text)
    for text in (
        "169.254.169.254",
        "169.254.170.2",
        "169.254.170.23",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "fd00:ec2::254",
        "fd00:ec2::23",
        "fd20:ce::254",
    )
)
"""Where clouds answer with credentials (AWS, ECS, EKS, Alibaba, Azure, Oracle, GCP)."""

_NAT64 = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("64:ff9b:1::/48"))
_COMPATIBLE = ipaddress.IPv6Network("::/96")
_SITE_LOCAL = ipaddress.IPv6Network("fec0::/10")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def unwrapped(address: Address) -> tuple[Address, ...]:
    """`address` and every IPv4 address it carries inside (v4-mapped, v4-compatible, 6to4, Teredo, NAT64)."""
    found: list[Address] = [address]
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            found = [address.ipv4_mapped]
        elif any(address in network for network in (*_NAT64, _COMPATIBLE)):
            found.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        elif address.sixtofour is not None:
            found.append(address.sixtofour)
        elif address.teredo is not None:
            found.extend(address.teredo)
    return tuple(found)


def is_metadata(text: str) -> bool:
    """True for an address at which a cloud hands out credentials; link-local ones count as well."""
    return any(part in METADATA or part.is_link_local for part in unwrapped(ipaddress.ip_address(text.split("%")[0])))


def is_public(text: str) -> bool:
    """True for an address that is globally reachable unicast and stands for nothing else."""
    for part in unwrapped(ipaddress.ip_address(text.split("%")[0])):
        if part in METADATA or part.is_multicast or part.is_reserved or part.is_unspecified or not part.is_global:
            return False
        if isinstance(part, ipaddress.IPv6Address) and part in _SITE_LOCAL:
            return False
    return True


def is_own(text: str, port: int) -> bool:
    """True where this machine itself has the address: a route to it begins at it. Sends nothing."""
    family = socket.AF_INET6 if ":" in text else socket.AF_INET
    with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect((text, port or 9))
        return str(probe.getsockname()[0]) == text
    return False


def is_here(text: str, port: int) -> bool:
    """True for an address that ends on this machine: a loopback or unspecified one in any notation, or one it has."""
    inside = unwrapped(ipaddress.ip_address(text.split("%")[0]))
    return any(part.is_loopback or part.is_unspecified for part in inside) or is_own(text, port)


def host_matches(host: str, patterns: Iterable[str]) -> str | None:
    """The first of `patterns` (exact or `*.suffix`) that names `host`; an exact one wins."""
    wild = None
    for pattern in patterns:
        if pattern == host:
            return pattern
        if wild is None and pattern.startswith("*.") and host.endswith(pattern[1:]):
            wild = pattern
    return wild
