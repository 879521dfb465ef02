"""Which addresses an upstream may have, in every notation that hides one."""

from __future__ import annotations

import socket

import pytest

from comptroller.enforce.gateway.addresses import host_matches, is_metadata, is_own, is_public

PRIVATE = [
    "127.0.0.1",
    "127.1.2.3",
    "0.0.0.0",
    "10.0.0.1",
    "172.16.5.4",
    "192.168.1.1",
    "169.254.169.254",
    "169.254.170.2",
    "100.64.0.1",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "198.18.0.5",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "192.0.2.1",
    "::",
    "::1",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "fc00::1",
    "fd00:ec2::254",
    "ff02::1",
    "2001:db8::1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:10.0.0.1",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::a00:1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "2001:0:7f00:1::1",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_are_refused_in_every_notation(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "8.8.8.8", "52.94.76.1", "2606:4700:4700::1111", "::ffff:8.8.8.8"])
def test_public_addresses_pass(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address", ["169.254.169.254", "::ffff:169.254.169.254", "fd00:ec2::254", "100.100.100.200", "64:ff9b::a9fe:a9fe"]
)
def test_metadata_is_known(address: str) -> None:
    assert is_metadata(address)
    assert not is_metadata("10.0.0.1")


def test_own_addresses_are_recognised() -> None:
    assert is_own("127.0.0.1", 80)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        assert is_own(probe.getsockname()[0], 443)
    assert not is_own("192.0.2.1", 443)


def test_host_patterns() -> None:
    patterns = ["*.amazonaws.com", "ec2.us-east-1.amazonaws.com", "api.example.com"]
    assert host_matches("ec2.us-east-1.amazonaws.com", patterns) == "ec2.us-east-1.amazonaws.com"
    assert host_matches("s3.amazonaws.com", patterns) == "*.amazonaws.com"
    assert host_matches("amazonaws.com", patterns) is None
    assert host_matches("evilamazonaws.com", patterns) is None
    assert host_matches("api.example.com.evil.test", patterns) is None
