"""The netlink messages that make every outside address of a box end at our own listening sockets, as plain bytes.

Sent by the init inside the box's own network namespace. 127.0.0.0/8 and ::1 are never touched: they are the agent's.
Layouts: `linux/rtnetlink.h` and `linux/netfilter/nf_tables.h`; nft's own expressions for `dnat` were the model.
"""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass

OUR_V4 = "198.18.0.1"
"""The box's own address for our sockets, the first of the benchmarking range 198.18.0.0/15 (RFC 2544)."""
OUR_V6 = "2001:2::1"
"""The same for IPv6, out of the benchmarking range 2001:2::/48 (RFC 5180)."""
TCP_PORT = 1
DNS_PORT = 2
"""Ports of our sockets on these two addresses alone; unused ones, so that an agent's `0.0.0.0:PORT` meets none."""

NETLINK_ROUTE = 0
NETLINK_NETFILTER = 12
LOOPBACK_INDEX = 1
"""`lo` is the first and only interface of a new network namespace."""

_REQUEST, _ACK, _CREATE, _EXCL = 0x1, 0x4, 0x400, 0x200
_NEWADDR, _NEWROUTE = 20, 24
_AF_INET, _AF_INET6 = 2, 10
_TABLE_LOCAL, _PROTOCOL_BOOT, _SCOPE_HOST, _TYPE_LOCAL = 255, 3, 254, 2
_SUBSYSTEM_NFTABLES = 10
_BATCH_BEGIN, _BATCH_END = 0x10, 0x11
_NEWTABLE, _NEWCHAIN, _NEWRULE = 0, 3, 6
_HOOK_LOCAL_OUT, _PRIORITY_DNAT = 3, -100
_META_L4PROTO = 16
_EQUAL, _NOT_EQUAL = 0, 1
_NETWORK_HEADER, _TRANSPORT_HEADER = 1, 2
_REGISTER_1, _REGISTER_2 = 1, 2
_TCP, _UDP = 6, 17
_NESTED = 0x8000


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One datagram for the netlink protocol `protocol`; `acks` answers must come back, each without an error."""

    protocol: int
    data: bytes
    acks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Family:
    af: int
    ours: bytes
    destination_offset: int
    loopback_mask: bytes
    loopback: bytes


_V4 = _Family(
    af=_AF_INET,
    ours=ipaddress.IPv4Address(OUR_V4).packed,
    destination_offset=16,
    loopback_mask=b"\xff\0\0\0",
    loopback=b"\x7f\0\0\0",
)
_V6 = _Family(
    af=_AF_INET6,
    ours=ipaddress.IPv6Address(OUR_V6).packed,
    destination_offset=24,
    loopback_mask=b"\xff" * 16,
    loopback=ipaddress.IPv6Address("::1").packed,
)


def routes_v4() -> tuple[Batch, ...]:
    """Our address on `lo`, and every IPv4 address local to the box."""
    attributes = _attribute(1, _V4.ours) + _attribute(2, _V4.ours)
    address = struct.pack("=BBBBI", _AF_INET, 32, 0, 0, LOOPBACK_INDEX) + attributes
    return (_route_message(_NEWADDR, address), _default_route(_V4))


def routes_v6() -> tuple[Batch, ...]:
    """Every IPv6 address local to the box. A machine without IPv6 refuses this, and then nothing speaks it."""
    return (_default_route(_V6),)


def redirect_v4() -> Batch:
    """All TCP, and UDP to port 53, that does not go to 127.0.0.0/8 is sent to our sockets."""
    return _redirect(_V4)


def redirect_v6() -> Batch:
    """All TCP, and UDP to port 53, that does not go to ::1 is sent to our sockets."""
    return _redirect(_V6)


def _default_route(family: _Family) -> Batch:
    # IPv6 has no scope narrower than the link; the kernel wants `universe` there.
    scope = _SCOPE_HOST if family.af == _AF_INET else 0
    header = struct.pack("=BBBBBBBBI", family.af, 0, 0, 0, _TABLE_LOCAL, _PROTOCOL_BOOT, scope, _TYPE_LOCAL, 0)
    return _route_message(_NEWROUTE, header + _attribute(4, struct.pack("=I", LOOPBACK_INDEX)))


def _route_message(kind: int, body: bytes) -> Batch:
    message = _message(kind, _REQUEST | _ACK | _CREATE | _EXCL, 1, body)
    return Batch(protocol=NETLINK_ROUTE, data=message, acks=1)


def _redirect(family: _Family) -> Batch:
    table, chain = _string(1, "comptroller"), _string(3, "out")
    hook = _nest(4, _be32(1, _HOOK_LOCAL_OUT) + _be32(2, _PRIORITY_DNAT))
    messages = [
        (_NEWTABLE, _CREATE, table),
        (_NEWCHAIN, _CREATE, table + chain + hook + _string(7, "nat")),
        *(
            (_NEWRULE, _CREATE | 0x800, table + _string(2, "out") + _nest(4, _rule(family, protocol, port, to)))
            for protocol, port, to in ((_TCP, 53, DNS_PORT), (_UDP, 53, DNS_PORT), (_TCP, None, TCP_PORT))
        ),
    ]
    data = _batch_mark(_BATCH_BEGIN, 1)
    for sequence, (kind, flags, attributes) in enumerate(messages, start=2):
        body = struct.pack(">BBH", family.af, 0, 0) + attributes
        data += _message(_SUBSYSTEM_NFTABLES << 8 | kind, _REQUEST | _ACK | flags, sequence, body)
    data += _batch_mark(_BATCH_END, len(messages) + 2)
    return Batch(protocol=NETLINK_NETFILTER, data=data, acks=len(messages))


def _rule(family: _Family, protocol: int, port: int | None, to: int) -> bytes:
    """Expressions: this protocol, not to loopback, this port if given: DNAT to our address and port `to`."""
    parts = [
        _expression("meta", _be32(1, _REGISTER_1) + _be32(2, _META_L4PROTO)),
        _compare(_EQUAL, bytes([protocol])),
        _payload(_NETWORK_HEADER, family.destination_offset, len(family.ours)),
        _masked(family.loopback_mask),
        _compare(_NOT_EQUAL, family.loopback),
    ]
    if port is not None:
        parts += [_payload(_TRANSPORT_HEADER, 2, 2), _compare(_EQUAL, struct.pack(">H", port))]
    parts += [
        _immediate(_REGISTER_1, family.ours),
        _immediate(_REGISTER_2, struct.pack(">H", to)),
        _expression(
            "nat",
            _be32(1, 1)
            + _be32(2, family.af)
            + _be32(3, _REGISTER_1)
            + _be32(4, _REGISTER_1)
            + _be32(5, _REGISTER_2)
            + _be32(6, _REGISTER_2),
        ),
    ]
    return b"".join(parts)


def _expression(name: str, data: bytes) -> bytes:
    return _nest(1, _string(1, name) + _nest(2, data))


def _compare(operator: int, value: bytes) -> bytes:
    return _expression("cmp", _be32(1, _REGISTER_1) + _be32(2, operator) + _nest(3, _attribute(1, value)))


def _payload(base: int, offset: int, length: int) -> bytes:
    return _expression("payload", _be32(1, _REGISTER_1) + _be32(2, base) + _be32(3, offset) + _be32(4, length))


def _masked(mask: bytes) -> bytes:
    return _expression(
        "bitwise",
        _be32(1, _REGISTER_1)
        + _be32(2, _REGISTER_1)
        + _be32(3, len(mask))
        + _nest(4, _attribute(1, mask))
        + _nest(5, _attribute(1, bytes(len(mask)))),
    )


def _immediate(register: int, value: bytes) -> bytes:
    return _expression("immediate", _be32(1, register) + _nest(2, _attribute(1, value)))


def _batch_mark(kind: int, sequence: int) -> bytes:
    return _message(kind, _REQUEST, sequence, struct.pack(">BBH", 0, 0, _SUBSYSTEM_NFTABLES))


def _message(kind: int, flags: int, sequence: int, body: bytes) -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, flags, sequence, 0) + body


def _attribute(kind: int, value: bytes) -> bytes:
    length = 4 + len(value)
    return struct.pack("=HH", length, kind) + value + bytes(-length % 4)


def _nest(kind: int, value: bytes) -> bytes:
    return _attribute(kind | _NESTED, value)


def _string(kind: int, value: str) -> bytes:
    return _attribute(kind, value.encode() + b"\0")


def _be32(kind: int, value: int) -> bytes:
    return _attribute(kind, struct.pack(">i", value))
