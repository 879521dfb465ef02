"""What the first bytes look like: every pool dialect, SSH, HTTP in any cut, and never an exception."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fuzz_kit import fuzz

from comptroller.enforce.gateway.sniff import SNIFF_BYTES_MAX, Look, look_at

STRATUM = [
    b'{"id": 1, "method": "mining.subscribe", "params": ["cgminer/4.10"]}\n',
    b'{"params":["w","x"],"id":2,"method":"mining.authorize"}\n',
    b'{"id":1,"jsonrpc":"2.0","method":"eth_submitLogin","params":["0xabc"]}\n',
    b'{"id":5,"method":"eth_getWork","params":[]}\n',
    b'{"id":1,"jsonrpc":"2.0","method":"login","params":{"login":"4A..","pass":"x","agent":"XMRig/6.21"}}\n',
    b'{"id":2,"method":"submit","params":{"id":"1","job_id":"2","nonce":"3","result":"4"}}\n',
    b' \n{"method" : "mining.configure"}',
]


@pytest.mark.parametrize("first", STRATUM)
def test_pools_are_named(first: bytes) -> None:
    assert look_at(first) is Look.STRATUM


@pytest.mark.parametrize(
    ("first", "look"),
    [
        (b"SSH-2.0-OpenSSH_9.6\r\n", Look.SSH),
        (b"SSH-", Look.SSH),
        (b"\x16\x03\x01\x02\x00", Look.TLS),
        (b"\x16\x16", Look.RAW),
        (b"GET / HTTP/1.1\r\n", Look.HTTP),
        (b"SUBSCRIBE /x HTTP/1.1", Look.HTTP),
        (b"M-SEARCH * HTTP/1.1", Look.HTTP),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Look.HTTP2),
        (b"get / HTTP/1.1\r\n", Look.RAW),
        (b"\r\nGET / HTTP/1.1\r\n", Look.RAW),
        (b"\x05\x01\x00", Look.RAW),
        (b"\x00\x00\x00\x08\x04\xd2\x16\x2f", Look.RAW),
        (b"*1\r\n$4\r\nPING\r\n", Look.RAW),
        (b'{"id":1,"method":"eth_blockNumber"}\n', Look.RAW),
        (b'{"id":1,"method":"login","user":"someone"}\n', Look.RAW),
        (b"{" + b"x" * SNIFF_BYTES_MAX, Look.RAW),
        (b"A" * 30, Look.RAW),
    ],
)
def test_looks(first: bytes, look: Look) -> None:
    assert look_at(first) is look


@pytest.mark.parametrize("first", [b"", b"S", b"SS", b"SSH", b"G", b"GET", b"P", b"PRI", b"PRI ", b"\x16", b"{", b"\r"])
def test_more_is_waited_for(first: bytes) -> None:
    assert look_at(first) is None
    assert look_at(first, ended=True) not in (None, Look.HTTP2, Look.TLS)


@fuzz(300)
@given(st.binary(max_size=3000))
def test_any_bytes_are_named_in_the_end(first: bytes) -> None:
    assert look_at(first, ended=True) is not None
    if len(first) >= SNIFF_BYTES_MAX:
        assert look_at(first) is not None


@fuzz(60)
@given(st.sampled_from([*STRATUM, b"GET / HTTP/1.1\r\n", b"SSH-2.0-x\r\n"]), st.integers(1, 60))
def test_a_cut_never_changes_the_name(first: bytes, cut: int) -> None:
    whole = look_at(first)
    assert look_at(first[:cut]) in (None, whole)
