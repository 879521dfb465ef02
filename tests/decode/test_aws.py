"""The AWS codec: what decodes, what is written anew, how it refuses, and what a response proves."""

from __future__ import annotations

import base64
import json
import zlib
from datetime import UTC, datetime
from typing import Any

import aws_cases as cases
import botocore.parsers
import pytest
from aws_cases import CODEC, FORM, LOOK, RUN, ec2, received, request

from comptroller.core.action import ActionClass, digest
from comptroller.core.request import Stream, Unencodable
from comptroller.core.verdict import Verdict, VerdictKind
from comptroller.decode.aws import chunked, index
from comptroller.decode.aws.model_source import service_model
from comptroller.decode.aws.sentence import sentences
from comptroller.decode.aws.wire import Undecodable

DENY = Verdict(kind=VerdictKind.DENY, reasons=())
JSON_11 = {"content-type": "application/x-amz-json-1.1"}


def test_run_instances_is_understood_completely() -> None:
    given = ec2(RUN + "&ClientToken=abc", more=(("amz-sdk-invocation-id", "inv-1"),))
    action = CODEC.decode(given)
    assert action.operation == "aws:ec2:RunInstances"
    assert action.service == "aws:ec2"
    assert action.classes == {ActionClass.PROVISION}
    assert (action.account, action.region, action.endpoint) == (
        "123456789012",
        "us-east-1",
        "ec2.us-east-1.amazonaws.com",
    )
    assert action.quantity == 5
    assert action.parameters == {"ImageId": "ami-1", "InstanceType": "m8g.12xlarge", "MinCount": 5, "MaxCount": 5}
    assert action.call.idempotency == {"ClientToken": "abc"}
    assert action.call.attempt == "inv-1"
    assert CODEC.sentence(action) == "start 5 x m8g.12xlarge in us-east-1"


def test_a_fresh_client_token_does_not_change_the_digest() -> None:
    first, second = (CODEC.decode(ec2(f"{RUN}&ClientToken={token}")) for token in ("a", "b"))
    assert digest(first) == digest(second)
    assert first.call.retry_token != second.call.retry_token


def test_a_token_that_names_the_target_stays_in_the_digest() -> None:
    """The model marks `NamedQueryId` as an idempotency token; a yes for one query must not release another's end."""
    made = [
        CODEC.decode(
            request(
                "athena",
                body=json.dumps({"NamedQueryId": name}),
                headers={**JSON_11, "x-amz-target": "AmazonAthena.DeleteNamedQuery"},
            )
        )
        for name in ("first", "second")
    ]
    assert [one.parameters for one in made] == [{"NamedQueryId": "first"}, {"NamedQueryId": "second"}]
    assert digest(made[0]) != digest(made[1])


def test_another_count_changes_the_digest() -> None:
    assert digest(CODEC.decode(ec2(RUN))) != digest(CODEC.decode(ec2(RUN.replace("MaxCount=5", "MaxCount=6"))))


def test_a_form_in_the_query_string_is_written_as_a_form_body() -> None:
    given = request(method="GET", target="/?" + LOOK)
    action = CODEC.decode(given)
    sent = CODEC.encode(action, given)
    assert action.operation == "aws:ec2:DescribeInstances"
    assert (sent.method, sent.target, sent.body) == ("POST", "/", b"Action=DescribeInstances&Version=2016-11-15")


def test_user_data_executes_and_a_dry_run_reads() -> None:
    assert ActionClass.EXECUTE in CODEC.decode(ec2(RUN + "&UserData=IyEvYmluL3No")).classes
    dry = CODEC.decode(ec2(RUN + "&DryRun=true"))
    assert dry.classes == {ActionClass.READ}
    assert CODEC.sentence(dry).startswith("dry run: start 5 x")


def test_decryption_makes_a_parameter_a_secret() -> None:
    headers = {**JSON_11, "x-amz-target": "AmazonSSM.GetParameter"}
    plain = CODEC.decode(request("ssm", body='{"Name":"p"}', headers=headers))
    secret = CODEC.decode(request("ssm", body='{"Name":"p","WithDecryption":true}', headers=headers))
    assert plain.classes == {ActionClass.READ}
    assert secret.classes == {ActionClass.REVEAL}


def test_sensitive_members_are_named() -> None:
    body = '{"Name":"s","SecretString":"hunter2","ClientRequestToken":"t"}'
    headers = {**JSON_11, "x-amz-target": "secretsmanager.CreateSecret"}
    action = CODEC.decode(request("secretsmanager", body=body, headers=headers))
    assert action.operation == "aws:secretsmanager:CreateSecret"
    assert "SecretString" in action.sensitive
    assert action.call.idempotency == {"ClientRequestToken": "t"}


# ------------------------------------------------------------------ parser differentials: each must become unknown

DIFFERENTIALS = {
    "action in the query string and in the body": ec2(LOOK, target="/?" + RUN),
    "other action in the query string, form body without media type": ec2(RUN, target="/?" + LOOK, headers={}),
    "scope of another service": ec2(b"", target="/?" + RUN, method="GET", scope="dynamodb", headers={}),
    "scope of another region": ec2(RUN, scope_region="eu-west-1"),
    "target of another service's protocol": ec2(RUN, more=(("x-amz-target", "DynamoDB_20120810.ListTables"),)),
    "target beside a form": request(
        "dynamodb", body=RUN, headers={"content-type": FORM, "x-amz-target": "DynamoDB_20120810.ListTables"}
    ),
    "target beside a query string": request(
        "dynamodb",
        target="/?Action=ListTables",
        body="{}",
        headers={"content-type": "application/x-amz-json-1.0", "x-amz-target": "DynamoDB_20120810.ListTables"},
    ),
    "target beside a REST path": request(
        "lambda",
        target="/2015-03-31/functions/f/invocations",
        body="{}",
        headers={"content-type": "application/json", "x-amz-target": "AWSLambda.ListFunctions"},
    ),
    "smithy-protocol spoofed on a form": ec2(RUN, more=(("smithy-protocol", "rpc-v2-cbor"),)),
    "duplicate action": ec2(LOOK + "&Action=RunInstances"),
    "duplicate form member": ec2(RUN + "&MaxCount=50"),
    "member that is value and parent": ec2(LOOK + "&Filter=1&Filter.1.Name=x"),
    "form without media type": ec2(RUN, headers={}),
    "form of another media type": ec2(RUN, headers={"content-type": "text/plain"}),
    "unknown form member": ec2(RUN + "&Surprise=1"),
    "unknown version": ec2(RUN.replace("2016-11-15", "2011-01-01")),
    "no version": ec2(RUN.replace("&Version=2016-11-15", "")),
    "unknown action": ec2("Action=RunAll&Version=2016-11-15"),
    "list with a gap": ec2(LOOK + "&InstanceId.1=a&InstanceId.3=b"),
    "list with a leading zero": ec2(LOOK + "&InstanceId.01=a"),
    "number that is none": ec2(RUN.replace("MaxCount=5", "MaxCount=5x")),
    "duplicate content-type": ec2(RUN, more=(("content-type", "application/json"),)),
    "duplicate authorization": ec2(RUN, more=(("authorization", cases.signature("ec2")),)),
    "another host header": ec2(RUN, headers={"content-type": FORM, "host": "s3.us-east-1.amazonaws.com"}, host=None),
    "unknown amz header": ec2(RUN, more=(("x-amz-surprise", "1"),)),
    "unsigned": ec2(RUN, signed=False),
    "presigned": request(method="GET", target="/?" + RUN + "&X-Amz-Signature=ab&X-Amz-Credential=cd"),
    "presigned, version 2": request(method="GET", target="/?" + RUN + "&AWSAccessKeyId=ab&Signature=cd"),
    "sigv4a": ec2(RUN, headers={"content-type": FORM, "authorization": "AWS4-ECDSA-P256-SHA256 Credential=x"}),
    "signature version 2": ec2(RUN, headers={"content-type": FORM, "authorization": "AWS AKID:abc="}),
    "bearer": ec2(RUN, headers={"content-type": FORM, "authorization": "Bearer abc"}),
    "hash that is not the body's": ec2(RUN, more=(("x-amz-content-sha256", "ab" * 32),)),
    "gzip where none is taken": ec2(zlib.compress(RUN.encode(), wbits=31), more=(("content-encoding", "gzip"),)),
    "json without media type": request("ssm", body='{"Name":"p"}', headers={"x-amz-target": "AmazonSSM.GetParameter"}),
    "json with a duplicate key": request(
        "ssm", body='{"Name":"p","Name":"q"}', headers={**JSON_11, "x-amz-target": "AmazonSSM.GetParameter"}
    ),
    "json with an unknown key": request(
        "ssm", body='{"Name":"p","name":"q"}', headers={**JSON_11, "x-amz-target": "AmazonSSM.GetParameter"}
    ),
    "json with NaN": request(
        "ssm", body='{"MaxResults":NaN}', headers={**JSON_11, "x-amz-target": "AmazonSSM.DescribeParameters"}
    ),
    "json nested too deep": request(
        "ssm", body="[" * 100_000, headers={**JSON_11, "x-amz-target": "AmazonSSM.DescribeParameters"}
    ),
    "json with a lone surrogate": request(
        "ssm", body='{"Name":"\\ud800"}', headers={**JSON_11, "x-amz-target": "AmazonSSM.GetParameter"}
    ),
    "json text where a boolean is due": request(
        "ssm",
        body='{"Name":"p","WithDecryption":"false"}',
        headers={**JSON_11, "x-amz-target": "AmazonSSM.GetParameter"},
    ),
    "target of another prefix": request("ssm", body="{}", headers={**JSON_11, "x-amz-target": "Other.GetParameter"}),
    "rest with an unknown query parameter": request("lambda", method="GET", target="/2015-03-31/functions/?Surprise=1"),
    "rest with a duplicate query parameter": request(
        "lambda", method="GET", target="/2015-03-31/functions/?MaxItems=1&MaxItems=2"
    ),
    "rest with dot segments": request("lambda", method="GET", target="/2015-03-31/functions/f/../g"),
    "rest with encoded dot segments": request("lambda", method="GET", target="/2015-03-31/functions/%2e%2e"),
    "rest with a body where none is due": request(
        "lambda",
        method="GET",
        target="/2015-03-31/functions/f",
        body='{"a":1}',
        headers={"content-type": "application/json"},
    ),
    "s3 copy hidden in an acl": request(
        "s3", method="PUT", target="/b/k?acl", more=(("x-amz-copy-source", "other/key"),)
    ),
    "s3 subresource beside another": request("s3", method="GET", target="/b?acl&policy"),
    "xml with a doctype": request(
        "s3",
        method="PUT",
        target="/b?versioning",
        body='<!DOCTYPE x [<!ENTITY a "b">]><VersioningConfiguration><Status>&a;</Status></VersioningConfiguration>',
    ),
    "xml with a duplicate element": request(
        "s3",
        method="PUT",
        target="/b?versioning",
        body="<VersioningConfiguration><Status>Enabled</Status><Status>Suspended</Status></VersioningConfiguration>",
    ),
    "xml of another root": request("s3", method="PUT", target="/b?versioning", body="<Tagging/>"),
    "xml with a leftover": request(
        "s3", method="PUT", target="/b?versioning", body="<VersioningConfiguration><X/></VersioningConfiguration>"
    ),
    "aws-chunked without its hash": request(
        "s3", method="PUT", target="/b/k", body=b"0\r\n\r\n", more=(("content-encoding", "aws-chunked"),)
    ),
    "a stream where the operation has none": ec2(b"", stream=Stream(length_bytes=5 << 20)),
    "control characters in the target": request("s3", method="GET", target="/b/k\x00"),
    "broken percent escape": request("s3", method="GET", target="/b/%zz"),
    "absolute target": request("s3", method="GET", target="https://s3.us-east-1.amazonaws.com/b"),
    "account in the host and another in a header": request(
        "s3control",
        host="111111111111.s3-control.us-east-1.amazonaws.com",
        scope="s3",
        method="GET",
        target="/v20180820/jobs",
        headers={"x-amz-account-id": "222222222222"},
    ),
}
DIFFERENTIALS["another host header"] = ec2(RUN, headers={"content-type": FORM, "host": "s3.us-east-1.amazonaws.com"})

HOSTILE_HOSTS = (
    "ec2.us-east-1.amazonaws.com.evil.example",
    "ec2.moon-west-9.amazonaws.com",
    "ec2.us-east-1.amazonaws.com.",
    "x.ec2.us-east-1.amazonaws.com",
    "ec2..amazonaws.com",
    "xn--ec2.us-east-1.amazonaws.com",
    "amazonaws.com",
    "a." * 100 + "amazonaws.com",
    "",
    "éc2.us-east-1.amazonaws.com",
)


@pytest.mark.parametrize("name", DIFFERENTIALS)
def test_whatever_can_be_read_twice_is_unknown(name: str) -> None:
    action = CODEC.decode(DIFFERENTIALS[name])
    assert action.classes == {ActionClass.UNKNOWN}
    assert action.reason
    assert "decoder failed" not in action.reason
    with pytest.raises(Unencodable):
        CODEC.encode(action, DIFFERENTIALS[name])


@pytest.mark.parametrize("host", HOSTILE_HOSTS)
def test_hostile_hosts_are_unknown(host: str) -> None:
    assert CODEC.decode(ec2(RUN, host=host or ".")).undecodable


def test_the_control_of_the_differentials_decodes() -> None:
    """The parts the differentials above are built from are understood when nothing contradicts them."""
    good = (
        ec2(LOOK),
        request("ssm", body='{"Name":"p"}', headers={**JSON_11, "x-amz-target": "AmazonSSM.GetParameter"}),
        request("lambda", method="GET", target="/2015-03-31/functions/?MaxItems=1"),
        request("s3", method="PUT", target="/b/k", more=(("x-amz-copy-source", "other/key"),)),
        request("s3", method="GET", target="/b?acl"),
        request(
            "s3",
            method="PUT",
            target="/b?versioning",
            body="<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>",
        ),
        request(
            "s3control",
            host="111111111111.s3-control.us-east-1.amazonaws.com",
            scope="s3",
            method="GET",
            target="/v20180820/jobs",
            headers={"x-amz-account-id": "111111111111"},
        ),
    )
    assert [CODEC.decode(one).reason for one in good] == [""] * len(good)


def test_an_action_is_only_written_to_the_host_it_was_judged_for() -> None:
    action = CODEC.decode(ec2(RUN))
    with pytest.raises(Unencodable):
        CODEC.encode(action, ec2(RUN, host="ec2.eu-west-1.amazonaws.com"))


def test_unsigned_operations_need_no_signature_and_get_none() -> None:
    body = "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr"
    body += "&RoleSessionName=abc&WebIdentityToken=secret"
    given = request("sts", body=body, headers={"content-type": FORM}, signed=False)
    action = CODEC.decode(given)
    assert action.operation == "aws:sts:AssumeRoleWithWebIdentity"
    assert "WebIdentityToken" in action.sensitive
    assert CODEC.encode(action, given).signing is None


# ------------------------------------------------------------------ S3: hosts, streams, framing


@pytest.mark.parametrize(
    ("host", "target", "bucket"),
    [
        ("s3.us-west-2.amazonaws.com", "/photos/a%20b/c", "photos"),
        ("photos.s3.us-west-2.amazonaws.com", "/a%20b/c", "photos"),
        ("my.photos.s3.us-west-2.amazonaws.com", "/a%20b/c", "my.photos"),
        ("photos.s3.dualstack.us-west-2.amazonaws.com", "/a%20b/c", "photos"),
        (
            "ap-123456789012.s3-accesspoint.us-west-2.amazonaws.com",
            "/a%20b/c",
            "arn:aws:s3:us-west-2:123456789012:accesspoint/ap",
        ),
    ],
)
def test_bucket_hosts_survive(host: str, target: str, bucket: str) -> None:
    given = request("s3", host=host, region="us-west-2", method="GET", target=target)
    action = CODEC.decode(given)
    assert action.operation == "aws:s3:GetObject"
    assert action.parameters == {"Bucket": bucket, "Key": "a b/c"}
    sent = CODEC.encode(action, given)
    assert (sent.host, sent.target) == (host, target)
    assert sent.signing is not None
    assert (sent.signing.service, sent.signing.region) == ("s3", "us-west-2")


def test_keys_that_look_like_paths_are_kept() -> None:
    for key in ("/b/../k", "/b/a//c", "/b/k/", "/b/%2Fk", "/b/a+b", "/b/%E2%82%AC"):
        given = request("s3", method="GET", target=key)
        action = CODEC.decode(given)
        assert action.operation == "aws:s3:GetObject", key
        again = CODEC.decode(received(CODEC.encode(action, given), given))
        assert again == action


def test_put_object_binds_its_body() -> None:
    given = request("s3", method="PUT", target="/b/k", body=b"hello", more=(("content-type", "text/plain"),))
    action = CODEC.decode(given)
    assert action.parameters["Body"] == b"hello"
    assert action.resources == ("arn:aws:s3:::b/k",)
    assert CODEC.encode(action, given).body == b"hello"
    other = CODEC.decode(
        request("s3", method="PUT", target="/b/k", body=b"hellO", more=(("content-type", "text/plain"),))
    )
    assert digest(action) != digest(other)


def _chunked(payload: bytes, trailer: bytes | None = None) -> tuple[bytes, tuple[tuple[str, str], ...]]:
    crc = base64.b64encode(zlib.crc32(payload).to_bytes(4, "big")) if trailer is None else trailer
    body = b"%x\r\n%b\r\n0\r\nx-amz-checksum-crc32:%b\r\n\r\n" % (len(payload), payload, crc)
    return body, (
        ("content-encoding", "aws-chunked"),
        ("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"),
        ("x-amz-decoded-content-length", str(len(payload))),
        ("x-amz-trailer", "x-amz-checksum-crc32"),
        ("x-amz-sdk-checksum-algorithm", "CRC32"),
    )


def test_chunked_bodies_are_unframed_and_their_checksum_promoted() -> None:
    body, headers = _chunked(b"hello")
    given = request("s3", method="PUT", target="/b/k", body=body, more=headers)
    action = CODEC.decode(given)
    assert action.parameters["Body"] == b"hello"
    sent = CODEC.encode(action, given)
    names = dict(sent.headers)
    assert sent.body == b"hello"
    assert names["x-amz-checksum-crc32"] == base64.b64encode(zlib.crc32(b"hello").to_bytes(4, "big")).decode()
    assert not names.keys() & {"content-encoding", "x-amz-trailer", "x-amz-decoded-content-length"}


def test_a_wrong_trailer_is_unknown() -> None:
    body, headers = _chunked(b"hello", trailer=b"AAAAAA==")
    assert "checksum" in CODEC.decode(request("s3", method="PUT", target="/b/k", body=body, more=headers)).reason


def test_signed_chunks_lose_their_signatures() -> None:
    body = b"5;chunk-signature=" + b"a" * 64 + b"\r\nhello\r\n0;chunk-signature=" + b"b" * 64 + b"\r\n\r\n"
    headers = (
        ("content-encoding", "aws-chunked,gzip"),
        ("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"),
        ("x-amz-decoded-content-length", "5"),
    )
    action = CODEC.decode(request("s3", method="PUT", target="/b/k", body=body, more=headers))
    assert action.parameters["Body"] == b"hello"
    assert action.parameters["ContentEncoding"] == "gzip"


@pytest.mark.parametrize("step", [1, 2, 7, 4096])
def test_a_chunked_stream_is_unframed_in_any_pieces(step: int) -> None:
    payload = bytes(range(256)) * 20
    framed, headers = _chunked(payload)
    given = request("s3", method="PUT", target="/b/k", more=headers, stream=Stream(length_bytes=len(framed)))
    action = CODEC.decode(given)
    assert action.parameters["Body"] == {"$stream": True, "$length": len(payload)}
    reader = CODEC.body_filter(action, given)
    assert reader is not None
    out = b"".join(reader.feed(framed[at : at + step]) for at in range(0, len(framed), step))
    reader.finish()
    assert out == payload
    sent = CODEC.encode(action, given)
    assert sent.stream == Stream(length_bytes=len(payload))
    assert not dict(sent.headers).keys() & {"x-amz-trailer", "x-amz-sdk-checksum-algorithm", "content-encoding"}


@pytest.mark.parametrize(
    "framed",
    [
        b"5\r\nhell",
        b"5\r\nhelloo\r\n0\r\n\r\n",
        b"4\r\nhell\r\n0\r\n\r\n",
        b"-5\r\nhello\r\n0\r\n\r\n",
        b"5;evil=1\r\nhello\r\n0\r\n\r\n",
        b"5\r\nhello\r\n0\r\n\r\nmore",
        b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n",
        b"5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n",
        b"f" * 9000,
        b"ffffffffff\r\n",
    ],
)
def test_broken_chunks_are_refused(framed: bytes) -> None:
    def run() -> None:
        reader = chunked.ChunkedReader(5)
        reader.feed(framed)
        reader.finish()

    with pytest.raises(Undecodable):
        run()


def test_checksums_of_other_kinds() -> None:
    expected = {
        "crc32": "cbf43926",
        "crc32c": "e3069283",
        "crc64nvme": "ae8b14860a799888",
        "sha1": "f7c3bc1d808e04732adf679965ccc34ca7ae3441",
    }
    for name, value in expected.items():
        running = chunked.checksum(name)
        assert running is not None
        running.update(b"12345")
        running.update(b"6789")
        assert running.digest().hex() == value
    assert chunked.checksum("rot13") is None


def test_a_stream_is_described_and_follows() -> None:
    given = request("s3", method="PUT", target="/b/k", stream=Stream(length_bytes=9 << 20, sha256="ab" * 32))
    action = CODEC.decode(given)
    assert action.parameters["Body"] == {"$stream": True, "$length": 9 << 20, "$sha256": "ab" * 32}
    assert CODEC.encode(action, given).stream == given.stream
    assert CODEC.body_filter(action, given) is None


def test_delete_objects_gets_a_checksum_of_what_is_sent() -> None:
    body = "<Delete><Object><Key>a&#13;b</Key></Object></Delete>"
    given = request("s3", method="POST", target="/b?delete", body=body, more=(("content-md5", "AAAA"),))
    action = CODEC.decode(given)
    assert ActionClass.DESTROY in action.classes
    sent = CODEC.encode(action, given)
    assert "content-md5" in dict(sent.headers)
    assert CODEC.decode(received(sent, given)) == action


# ------------------------------------------------------------------ limits


def test_a_gzip_bomb_is_refused() -> None:
    bomb = zlib.compress(b"MetricName=" + b"a" * (64 << 20), wbits=31)
    headers = {"content-type": FORM, "content-encoding": "gzip"}
    action = CODEC.decode(request("monitoring", body=bomb, headers=headers))
    assert action.undecodable
    assert "gzip" in action.reason


def test_a_compressed_body_is_read_where_the_operation_takes_one() -> None:
    plain = b"Action=PutMetricData&Version=2010-08-01&Namespace=n"
    headers = {"content-type": FORM, "content-encoding": "gzip"}
    given = request("monitoring", body=zlib.compress(plain, wbits=31), headers=headers)
    action = CODEC.decode(given)
    assert action.operation == "aws:cloudwatch:PutMetricData"
    assert CODEC.encode(action, given).body == plain


def test_deep_parameters_are_refused() -> None:
    value: Any = {"S": "x"}
    for _ in range(70):
        value = {"M": {"k": value}}
    body = json.dumps({"TableName": "t", "Item": {"k": value}})
    headers = {"content-type": "application/x-amz-json-1.0", "x-amz-target": "DynamoDB_20120810.PutItem"}
    assert "deeper" in CODEC.decode(request("dynamodb", body=body, headers=headers)).reason


def test_a_binary_body_and_times() -> None:
    body = json.dumps(
        {"StartTime": 1764000000.5, "EndTime": 1764000001, "EventDataStore": "e", "QueryStatus": "FAILED"}
    )
    headers = {**JSON_11, "x-amz-target": "CloudTrail_20131101.ListQueries"}
    service = service_model("cloudtrail").metadata["targetPrefix"]
    headers["x-amz-target"] = f"{service}.ListQueries"
    action = CODEC.decode(request("cloudtrail", body=body, headers=headers))
    assert action.parameters["StartTime"] == datetime(2025, 11, 24, 16, 0, 0, 500_000, tzinfo=UTC)


# ------------------------------------------------------------------ refusals, in each protocol, read by botocore itself

REFUSED = {
    "ec2": (ec2(RUN), "UnauthorizedOperation"),
    "query": (
        request(
            "iam", host="iam.amazonaws.com", body="Action=ListUsers&Version=2010-05-08", headers={"content-type": FORM}
        ),
        "AccessDenied",
    ),
    "rest-xml": (request("s3", method="PUT", target="/b/k"), "AccessDenied"),
    "json": (
        request("ssm", body="{}", headers={**JSON_11, "x-amz-target": "AmazonSSM.DescribeParameters"}),
        "AccessDeniedException",
    ),
    "rest-json": (request("lambda", method="GET", target="/2015-03-31/functions/f"), "AccessDeniedException"),
    "smithy-rpc-v2-cbor": (
        request(
            "monitoring",
            target="/service/GraniteServiceVersion20100801/operation/ListMetrics",
            body=b"\xa0",
            headers={"smithy-protocol": "rpc-v2-cbor", "content-type": "application/cbor"},
        ),
        "AccessDeniedException",
    ),
}


@pytest.mark.parametrize("protocol", REFUSED)
def test_refusals_are_native(protocol: str) -> None:
    given, code = REFUSED[protocol]
    action = CODEC.decode(given)
    assert not action.reason
    answer = CODEC.refuse(action, given, DENY, "comptroller: held, see <approval> & ask")
    parser = botocore.parsers.create_parser(protocol)
    parsed = parser.parse({"status_code": answer.status, "headers": dict(answer.headers), "body": answer.body}, None)
    assert answer.status == 403
    assert parsed["Error"]["Code"] == code
    assert parsed["Error"]["Message"] == "comptroller: held, see <approval> & ask"
    assert int(dict(answer.headers)["content-length"]) == len(answer.body)


def test_a_refused_head_has_no_body() -> None:
    given = request("s3", method="HEAD", target="/b/k")
    assert CODEC.refuse(CODEC.decode(given), given, DENY, "no").body == b""


def test_unknown_actions_are_refused_natively_as_well() -> None:
    for given in DIFFERENTIALS.values():
        assert CODEC.refuse(CODEC.decode(given), given, DENY, "no\x00").status == 403


# ------------------------------------------------------------------ what a response proves

RUN_RESPONSE = b"""<?xml version="1.0"?><RunInstancesResponse><instancesSet>
<item><instanceId>i-0123456789abcdef0</instanceId></item><item><instanceId>i-0123456789abcdef1</instanceId></item>
</instancesSet></RunInstancesResponse>"""


def test_the_ids_of_what_was_made_are_read() -> None:
    meter = CODEC.meter(CODEC.decode(ec2(RUN)))
    meter.head(200, (("content-type", "text/xml"),))
    for at in range(0, len(RUN_RESPONSE), 10):
        meter.feed(RUN_RESPONSE[at : at + 10])
    outcome = meter.finish(complete=True)
    assert outcome.ok and outcome.complete and outcome.charged is True
    assert outcome.made == ("i-0123456789abcdef0", "i-0123456789abcdef1")


@pytest.mark.parametrize(("status", "charged"), [(400, False), (403, False), (500, None), (503, None)])
def test_failures_are_not_charged_where_that_is_certain(status: int, charged: bool | None) -> None:
    meter = CODEC.meter(CODEC.decode(ec2(RUN)))
    meter.head(status, ())
    meter.feed(RUN_RESPONSE)
    outcome = meter.finish(complete=True)
    assert not outcome.ok
    assert outcome.charged is charged
    assert outcome.made == ()


def test_garbage_and_floods_prove_nothing() -> None:
    meter = CODEC.meter(CODEC.decode(ec2(RUN)))
    meter.head(200, (("content-type", "text/xml"),))
    for _ in range(40):
        meter.feed(b"\xff" * (64 << 10))
    outcome = meter.finish(complete=False)
    assert outcome.made == ()
    assert not outcome.complete


def test_an_error_inside_a_200_is_a_failure() -> None:
    meter = CODEC.meter(CODEC.decode(request("s3", method="PUT", target="/b/k", more=(("x-amz-copy-source", "o/k"),))))
    meter.head(200, ())
    meter.feed(b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>InternalError</Code></Error>')
    assert not meter.finish(complete=True).ok


# ------------------------------------------------------------------ sentences and the index


def test_every_sentence_is_of_an_operation_that_exists() -> None:
    assert [name for name in sentences() if index.classes_of(name) is None] == []


@pytest.mark.parametrize(
    ("kind", "said"), [("", "application"), ("&Type=network", "network"), ("&Type=%1B%5B31m", "`?[31m`")]
)
def test_a_load_balancer_without_a_type_is_the_services_default(kind: str, said: str) -> None:
    body = f"Action=CreateLoadBalancer&Version=2015-12-01&Name=edge{kind}"
    action = CODEC.decode(request("elasticloadbalancing", body=body, headers={"content-type": FORM}))
    assert CODEC.sentence(action) == f"create {said} load balancer edge in us-east-1"


def test_hostile_names_stay_on_one_line() -> None:
    body = "Action=StopInstances&Version=2016-11-15&InstanceId.1=" + "%0A%1B%5B31m" * 100
    said = CODEC.sentence(CODEC.decode(ec2(body)))
    assert said.isprintable()
    assert len(said) < 300


@pytest.mark.parametrize(
    ("host", "service", "region"),
    [
        ("ec2.us-east-1.amazonaws.com", "ec2", "us-east-1"),
        ("ec2.us-east-1.api.aws", "ec2", "us-east-1"),
        ("ec2.cn-north-1.amazonaws.com.cn", "ec2", "cn-north-1"),
        ("iam.amazonaws.com", "iam", "us-east-1"),
        ("sts.amazonaws.com", "sts", "us-east-1"),
        ("sts.eu-west-3.amazonaws.com", "sts", "eu-west-3"),
        ("api.ecr.ap-south-1.amazonaws.com", "ecr", "ap-south-1"),
        ("runtime.sagemaker.us-east-2.amazonaws.com", "sagemaker-runtime", "us-east-2"),
        ("123456789012.ddb.us-east-1.amazonaws.com", "dynamodb", "us-east-1"),
        ("bucket.s3.amazonaws.com", "s3", "us-east-1"),
    ],
)
def test_hosts_name_service_and_region(host: str, service: str, region: str) -> None:
    place = index.place(host)
    assert place is not None
    assert service in place.services
    assert place.region == region
    assert index.owns(host)
