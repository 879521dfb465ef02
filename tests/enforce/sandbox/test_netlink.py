"""The messages take apart into what they should say. That the kernel obeys them is shown in test_box_network."""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterator

import pytest

from comptroller.enforce.sandbox import netlink


def messages(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    while data:
        length, kind, flags, _, _ = struct.unpack("=IHHII", data[:16])
        assert length % 4 == 0 and length <= len(data)
        yield kind, flags, data[16:length]
        data = data[length:]


def attributes(data: bytes) -> dict[int, bytes]:
    found = {}
    while data:
        length, kind = struct.unpack("=HH", data[:4])
        found[kind & 0x3FFF] = data[4:length]
        data = data[length + 3 & ~3 :]
    return found


def expressions(rule: bytes) -> Iterator[tuple[str, dict[int, bytes]]]:
    while rule:
        length = struct.unpack("=H", rule[:2])[0]
        parts = attributes(rule[4:length])
        yield parts[1].rstrip(b"\0").decode(), attributes(parts[2])
        rule = rule[length + 3 & ~3 :]


@pytest.mark.parametrize(
    ("batch", "family", "ours", "loopback"),
    [
        (netlink.redirect_v4(), 2, netlink.OUR_V4, b"\x7f\0\0\0"),
        (netlink.redirect_v6(), 10, netlink.OUR_V6, bytes(15) + b"\1"),
    ],
)
def test_the_rules(batch: netlink.Batch, family: int, ours: str, loopback: bytes) -> None:
    found = list(messages(batch.data))
    assert [kind for kind, _, _ in found] == [0x10, 0xA00, 0xA03, 0xA06, 0xA06, 0xA06, 0x11]
    assert batch.protocol == netlink.NETLINK_NETFILTER
    assert batch.acks == sum(bool(flags & 4) for _, flags, _ in found) == 5
    assert all(body[0] == family for kind, _, body in found if kind >= 0xA00)
    chain = attributes(found[2][2][4:])
    hook = attributes(chain[4])
    assert chain[7] == b"nat\0" and hook[1] == struct.pack(">I", 3) and hook[2] == struct.pack(">i", -100)
    targets = []
    for _, _, body in found[3:6]:
        parts = list(expressions(attributes(body[4:])[4]))
        compared = [(struct.unpack(">I", data[2])[0], attributes(data[3])[1]) for name, data in parts if name == "cmp"]
        assert (1, loopback) in compared, "what stays inside must not be touched"
        immediate = [attributes(data[2])[1] for name, data in parts if name == "immediate"]
        assert immediate[0] == ipaddress.ip_address(ours).packed
        ports = [value for _, value in compared if len(value) == 2]
        targets.append((compared[0][1], ports, immediate[1]))
    assert targets == [
        (b"\6", [b"\0\x35"], b"\0\2"),
        (b"\x11", [b"\0\x35"], b"\0\2"),
        (b"\6", [], b"\0\1"),
    ]


def test_the_routes() -> None:
    address, route4 = netlink.routes_v4()
    (route6,) = netlink.routes_v6()
    ((kind, flags, body),) = messages(address.data)
    assert (kind, flags & 4) == (20, 4)
    assert body[:2] == bytes([2, 32])
    assert attributes(body[8:])[2] == ipaddress.ip_address(netlink.OUR_V4).packed
    for batch, family in ((route4, 2), (route6, 10)):
        ((kind, _, body),) = messages(batch.data)
        assert kind == 24
        assert (body[0], body[1], body[4], body[7]) == (family, 0, 255, 2)
        assert attributes(body[12:])[4] == struct.pack("=I", 1)


def test_our_addresses_are_for_benchmarks_and_lie_outside_loopback() -> None:
    assert ipaddress.ip_address(netlink.OUR_V4) in ipaddress.ip_network("198.18.0.0/15")
    assert ipaddress.ip_address(netlink.OUR_V6) in ipaddress.ip_network("2001:2::/48")
