"""The codec is total: whatever bytes arrive, it answers with an action, and what it wrote anew reads the same."""

from __future__ import annotations

import aws_cases as cases
import pytest
from aws_cases import CODEC, FORM, received, request
from hypothesis import given
from hypothesis import strategies as st

from comptroller.core.action import ActionClass, canonical_bytes
from comptroller.core.request import Unencodable
from comptroller.core.verdict import Verdict, VerdictKind
from comptroller.decode.aws.chunked import ChunkedReader
from comptroller.decode.aws.json_cbor import cbor_body
from comptroller.decode.aws.wire import Undecodable
from comptroller.decode.aws.xml_body import parse

DENY = Verdict(kind=VerdictKind.DENY, reasons=())
SERVICES = st.sampled_from(["ec2", "s3", "iam", "ssm", "lambda", "dynamodb", "monitoring", "rds", "route53", "sqs"])
TARGETS = st.one_of(
    st.text(alphabet=st.characters(codec="ascii"), max_size=80).map(lambda text: "/" + text),
    st.sampled_from(
        [
            "/",
            "",
            "//",
            "/?",
            "/?Action",
            "/?Action=RunInstances&Version=2016-11-15",
            "*",
            "/b/k?uploads",
            "/b?acl",
            "/service/GraniteServiceVersion20100801/operation/ListMetrics",
            "/%",
            "/2015-03-31/functions",
            "/b/%00",
        ]
    ),
)
HEADERS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "content-type",
                "x-amz-target",
                "smithy-protocol",
                "content-encoding",
                "x-amz-content-sha256",
                "x-amz-trailer",
                "host",
                "x-amz-decoded-content-length",
                "x-amz-copy-source",
                "authorization",
                "x-amz-date",
                "expect",
                "content-length",
            ]
        ),
        st.one_of(
            st.text(max_size=30),
            st.sampled_from(
                [
                    FORM,
                    "application/json",
                    "application/x-amz-json-1.1",
                    "application/cbor",
                    "rpc-v2-cbor",
                    "gzip",
                    "aws-chunked",
                    "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
                    "5",
                    "AmazonSSM.GetParameter",
                    "DynamoDB_20120810.ListTables",
                    cases.signature("ec2"),
                    cases.signature("s3"),
                ]
            ),
        ),
    ),
    max_size=5,
).map(tuple)
BODIES = st.one_of(
    st.binary(max_size=200),
    st.sampled_from(
        [
            b"{}",
            b"[]",
            b"null",
            b'{"a":',
            b"\xa0",
            b"\xbf\xff",
            b"\x9f" * 100,
            b"<a/>",
            b"<a",
            b"Action=ListUsers",
            b"Action=&Version=",
            b"&",
            b"=",
            b"a.b=1&a=2",
            b"\xff\xfe",
            b"\x1f\x8b",
            b"0\r\n\r\n",
            b"5\r\nhello\r\n0\r\n\r\n",
            b'{"Name":"\xed\xa0\x80"}',
            b"[" * 3000,
            b'{"a":' * 3000,
            b"1e999",
            b"-" + b"9" * 5000,
        ]
    ),
)


@given(
    service=SERVICES,
    method=st.sampled_from(["GET", "POST", "PUT", "HEAD", "DELETE", "PATCH", "OPTIONS", "\x00", ""]),
    target=TARGETS,
    headers=HEADERS,
    body=BODIES,
    signed=st.booleans(),
)
def test_any_bytes_are_an_action(
    service: str, method: str, target: str, headers: tuple[tuple[str, str], ...], body: bytes, signed: bool
) -> None:
    arrived = request(service, method=method, target=target, body=body, more=headers, signed=signed)
    action = CODEC.decode(arrived)
    assert "decoder failed" not in action.reason
    canonical_bytes(action.parameters)
    assert CODEC.sentence(action)
    assert CODEC.refuse(action, arrived, DENY, "no").status == 403
    if action.undecodable:
        assert action.classes == {ActionClass.UNKNOWN}
        with pytest.raises(Unencodable):
            CODEC.encode(action, arrived)
        return
    assert CODEC.decode(received(CODEC.encode(action, arrived), arrived)) == action


@given(st.binary(max_size=400), st.integers(min_value=1, max_value=64))
def test_any_response_is_an_outcome(data: bytes, step: int) -> None:
    for action in (CODEC.decode(cases.ec2(cases.RUN)), CODEC.decode(request("s3", method="PUT", target="/b/k"))):
        meter = CODEC.meter(action)
        meter.head(200, (("content-type", "text/xml"),))
        for at in range(0, len(data), step):
            meter.feed(data[at : at + step])
        assert meter.finish(complete=True).status == 200


@given(st.binary(max_size=300))
def test_readers_fail_in_one_way_only(data: bytes) -> None:
    for read in (cbor_body, parse):
        try:
            read(data)
        except Undecodable as error:
            assert str(error)
    reader = ChunkedReader(5, ("x-amz-checksum-sha256",))
    try:
        reader.feed(data)
        reader.finish()
    except Undecodable as error:
        assert str(error)


@given(st.text(alphabet=st.characters(codec="utf-8"), min_size=1, max_size=60))
def test_any_text_survives_in_every_protocol(text: str) -> None:
    """A tag value of any text: read, written anew, read again, the same."""
    from urllib.parse import quote

    quoted = quote(text, safe="")
    arrived = [
        cases.ec2(f"Action=CreateTags&Version=2016-11-15&ResourceId.1=i-1&Tag.1.Key=k&Tag.1.Value={quoted}"),
        request("s3", method="GET", target=f"/b/{quoted}"),
        request("s3", method="GET", target=f"/b?list-type=2&prefix={quoted}"),
    ]
    for one in arrived:
        action = CODEC.decode(one)
        assert not action.undecodable, action.reason
        assert CODEC.decode(received(CODEC.encode(action, one), one)) == action
