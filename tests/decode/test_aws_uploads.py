"""A multipart upload is one action: begun once, carried on by its parts and by nothing else."""

from __future__ import annotations

import pytest
from aws_cases import CODEC
from hypothesis import given
from hypothesis import strategies as st

from comptroller.decode.aws import uploads
from comptroller.testing.aws_requests import AwsRequests

MADE = AwsRequests(seed=3)
WHERE = {"Bucket": "reports", "Key": "a/b c.bin"}
ANSWER = (
    b'<?xml version="1.0"?><InitiateMultipartUploadResult><Bucket>reports</Bucket><Key>a/b c.bin</Key>'
    b"<UploadId>VXBsb2FkIElE.x_1-2~</UploadId></InitiateMultipartUploadResult>"
)


def begun(body: bytes, status: int = 200, **where: str) -> str:
    sample = MADE.sample("s3", "CreateMultipartUpload", {**WHERE, **where})
    assert sample is not None
    meter = CODEC.meter(CODEC.decode(sample.request))
    meter.head(status, [("content-type", "application/xml")])
    meter.feed(body)
    return meter.finish(complete=True).opens


def part(operation: str, **members: object) -> str:
    sample = MADE.sample("s3", operation, {**WHERE, "UploadId": "VXBsb2FkIElE.x_1-2~", **members})
    assert sample is not None
    return CODEC.decode(sample.request).call.part_of


def test_every_part_names_the_upload_that_was_begun() -> None:
    upload = begun(ANSWER)
    assert upload
    assert part("UploadPart", PartNumber=1, Body=b"x") == upload
    assert part("UploadPartCopy", PartNumber=2, CopySource="reports/other") == upload
    assert part("CompleteMultipartUpload", MultipartUpload={"Parts": [{"ETag": "e", "PartNumber": 1}]}) == upload
    assert part("AbortMultipartUpload") == upload


@pytest.mark.parametrize("members", [{"Bucket": "other"}, {"Key": "other"}, {"UploadId": "another"}])
def test_another_bucket_key_or_id_is_another_upload(members: dict[str, str]) -> None:
    assert part("UploadPart", PartNumber=1, Body=b"x", **members) not in ("", begun(ANSWER))


def test_what_is_no_part_names_no_upload() -> None:
    sample = MADE.sample("s3", "PutObject", {**WHERE, "Body": b"x"})
    assert sample is not None and CODEC.decode(sample.request).call.part_of == ""


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (ANSWER, 403),
        (b"<Error><UploadId>x</UploadId></Error>", 200),
        (ANSWER + b"<UploadId>y</UploadId>", 200),
        (b"<UploadId></UploadId>", 200),
        (b"<UploadId>a b</UploadId>", 200),
        (b"", 200),
    ],
)
def test_only_one_plain_answer_begins_an_upload(body: bytes, status: int) -> None:
    assert begun(body, status) == ""


@given(st.lists(st.text(min_size=1, max_size=6), min_size=6, max_size=6))
def test_no_two_uploads_read_alike(texts: list[str]) -> None:
    one, other = ({"Bucket": b, "Key": k, "UploadId": u} for b, k, u in (texts[:3], texts[3:]))
    same = uploads.part_of("aws:s3:UploadPart", one) == uploads.part_of("aws:s3:UploadPart", other)
    assert same == (one == other)
