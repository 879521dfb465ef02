"""Connections that nobody understands: one write, whatever they carry; nothing else is made of them."""

from __future__ import annotations

import pytest

from comptroller.core.action import ActionClass
from comptroller.core.estimate import Unit
from comptroller.core.request import Header, Request, Stream, Unencodable
from comptroller.core.verdict import Verdict, VerdictKind
from comptroller.decode.registry import CodecRegistry
from comptroller.decode.tcp import TcpCodec
from comptroller.price import actual, estimate

REGISTRY = CodecRegistry()


def request(**changes: object) -> Request:
    fields: dict[str, object] = {
        "scheme": "https",
        "method": "",
        "host": "db.example.com",
        "port": 5432,
        "target": "",
        "headers": (Header("part", "1"), Header("tls", "none")),
        "body": b"",
        "agent": "bot",
        "run": "r1",
        "stream": Stream(length_bytes=1024),
        "attempt": "c.1",
        "transport": "tcp",
    }
    return Request(**{**fields, **changes})  # type: ignore[arg-type]


def test_a_connection_is_one_write_of_its_allowance() -> None:
    codec = REGISTRY.codec_for(request())
    action = codec.decode(request())
    assert (action.operation, action.classes) == ("tcp:db.example.com:5432", {ActionClass.WRITE})
    assert codec.sentence(action) == "connect to db.example.com:5432 and send up to 1,024 bytes (not understood)"
    bounds = estimate(action).bounds
    assert {unit: bound.high for unit, bound in bounds.items()} == {Unit.CALLS: 1, Unit.EGRESS_BYTES: 1024}
    outcome = codec.meter(action).finish(complete=True)
    assert actual(action, outcome) == {Unit.CALLS: 1}


@pytest.mark.parametrize("host", ["api.openai.com", "ec2.us-east-1.amazonaws.com", "unknown.example"])
def test_no_service_of_that_host_reads_it(host: str) -> None:
    assert isinstance(REGISTRY.codec_for(request(host=host)), TcpCodec)
    assert not isinstance(REGISTRY.codec_for(request(host=host, transport="http")), TcpCodec)


@pytest.mark.parametrize("change", [{"transport": "http"}, {"stream": None}, {"stream": Stream(length_bytes=None)}])
def test_what_has_no_bound_is_unknown(change: dict[str, object]) -> None:
    action = TcpCodec().decode(request(**change))
    assert action.undecodable and action.reason in TcpCodec().sentence(action)


def test_it_is_carried_and_never_encoded() -> None:
    codec = TcpCodec()
    action = codec.decode(request())
    with pytest.raises(Unencodable):
        codec.encode(action, request())
    verdict = Verdict(kind=VerdictKind.DENY, reasons=())
    assert codec.refuse(action, request(), verdict, "no").status == 403


def test_policies_may_name_it() -> None:
    assert REGISTRY.classes_of("tcp:db.example.com:5432") == {ActionClass.WRITE}
    assert REGISTRY.classes_of("tcp:db.example.com") is None


def test_each_part_of_a_connection_is_an_action_of_its_own() -> None:
    from comptroller.core.action import digest

    first = TcpCodec().decode(request())
    second = TcpCodec().decode(request(headers=(Header("part", "2"), Header("tls", "none"))))
    assert digest(first) != digest(second)
    assert "send further" in TcpCodec().sentence(second)
