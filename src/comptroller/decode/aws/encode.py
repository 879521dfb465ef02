"""A decoded action as a request again: host and scope from the action, body and target from botocore's serializer."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from botocore.exceptions import BotoCoreError
from botocore.utils import percent_encode, percent_encode_sequence

from comptroller.core.action import Action, ActionClass, Value
from comptroller.core.request import Header, Outgoing, Request, Signing, Stream, Unencodable
from comptroller.decode.aws import chunked, index
from comptroller.decode.aws.identify import bucket_of, protocol_of
from comptroller.decode.aws.model_source import Operation, members, operation, serializer
from comptroller.decode.aws.wire import Undecodable

PASSED = ("user-agent", "accept", "amz-sdk-invocation-id", "amz-sdk-request", "x-amzn-query-mode")
"""Headers that go on as they came: they carry no parameter."""
GLACIER_VERSION = "2012-06-01"
OWNER = "ExpectedBucketOwner"
"""The member by which S3 refuses a bucket of any other account."""
STREAM_CHECKSUM_MEMBERS = ("ChecksumAlgorithm",)

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def encode(action: Action, request: Request) -> Outgoing:
    """The request anew, in the protocol it arrived in. Raises `Unencodable`."""
    service, _, name = action.operation.removeprefix(index.PREFIX).partition(":")
    place = index.place(action.host)
    if action.undecodable or place is None or service not in place.services or action.endpoint != request.endpoint:
        raise Unencodable(f"{action.operation} is no request that can be written again")
    try:
        op = operation(service, name)
        protocol = protocol_of(request, service)
        bucket = bucket_of(place) if service == "s3" and place.prefix else ""
    except (KeyError, Undecodable) as error:
        raise Unencodable(f"{action.operation} is no request that can be written again") from error
    written, stream = _write(op, protocol, action, request)
    body = written["body"]
    if isinstance(body, dict):
        body = urlencode(body).encode("ascii")
    body = bytes(body)
    if protocol == "rest-xml" and not op.raw_payload:
        body = body.replace(b"\r", b"&#xD;")
    headers = {key.lower(): _text(value) for key, value in written["headers"].items()}
    headers.update(_digests(op, action.parameters, body))
    signed = not op.unsigned or request.one("authorization") is not None
    signing_name = index.signing_name(place, service)
    return Outgoing(
        method=written["method"],
        scheme=request.scheme,
        host=action.host,
        port=request.port,
        target=_target(written, bucket),
        headers=_headers(headers, request, op),
        body=body,
        family="aws",
        signing=Signing(service=signing_name, region=action.region) if signed else None,
        stream=stream,
    )


def _write(op: Operation, protocol: str, action: Action, request: Request) -> tuple[dict[str, Any], Stream | None]:
    """What botocore's serializer makes of the parameters, and the stream that follows them."""
    parameters = {**action.parameters, **action.call.idempotency}
    if checks_owner(op, action.parameters, action.classes, action.account):
        parameters.setdefault(OWNER, action.account)
    try:
        stream = _stream(request) if op.raw_payload in parameters else None
        if stream is not None:
            for member in (op.raw_payload, *STREAM_CHECKSUM_MEMBERS):
                parameters.pop(member, None)
        return serializer(protocol).serialize_to_request(parameters, op.model), stream
    except (BotoCoreError, AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise Unencodable(f"cannot write {action.operation} again: {type(error).__name__}") from error


def checks_owner(op: Operation, parameters: Mapping[str, Value], classes: frozenset[ActionClass], account: str) -> bool:
    """Whether AWS is asked to refuse where the bucket that a call changes is not of the credential's own account.

    A bucket given as an ARN names its account itself. What only looks is left as it came."""
    bucket = parameters.get("Bucket")
    changes = not classes <= {ActionClass.READ, ActionClass.REVEAL}
    plain = isinstance(bucket, str) and not bucket.startswith("arn:")
    return op.service == "s3" and changes and plain and bool(account) and OWNER in members(op.input)


def _stream(request: Request) -> Stream | None:
    """The stream that follows: its framing is taken off on the way, so its length is the decoded one."""
    if request.stream is None:
        return None
    headers = dict(request.headers)
    if not chunked.is_chunked(headers):
        return request.stream
    return replace(request.stream, length_bytes=chunked.reader_for(headers).length)


def _text(value: object) -> str:
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)


def _target(written: Mapping[str, Any], bucket: str) -> str:
    path = str(written["url_path"])
    if bucket:
        carried = "/" + percent_encode(bucket)
        if not path.startswith(carried):
            raise Unencodable("the bucket in the host is not the one decoded")
        path = path[len(carried) :]
        path = path if path.startswith("/") else "/" + path
    query = written.get("query_string")
    if query:
        joined = query if isinstance(query, str) else percent_encode_sequence(query)
        path += ("&" if "?" in path else "?") + joined
    return path


def _digests(op: Operation, parameters: Mapping[str, Value], body: bytes) -> dict[str, str]:
    """Integrity headers of a body that was written anew; a raw payload keeps those its parameters hold."""
    if op.raw_payload or not op.checksum or not body:
        return {}
    algorithm = parameters.get("ChecksumAlgorithm")
    running = chunked.checksum(algorithm) if isinstance(algorithm, str) else None
    if running is None or not isinstance(algorithm, str):
        digest = hashlib.md5(body, usedforsecurity=False).digest()
        return {"content-md5": base64.b64encode(digest).decode()}
    running.update(body)
    return {chunked.CHECKSUM_PREFIX + algorithm.lower(): base64.b64encode(running.digest()).decode()}


def _headers(written: Mapping[str, str], request: Request, op: Operation) -> tuple[Header, ...]:
    out = dict(written)
    for name in PASSED:
        value = request.one(name)
        if value is not None:
            out.setdefault(name, value)
    if "x-amzn-query-mode" in out and request.one("x-amzn-query-mode") is None:
        del out["x-amzn-query-mode"]
    out.setdefault("accept-encoding", "identity")
    if op.service == "glacier":
        out["x-amz-glacier-version"] = GLACIER_VERSION
    for name, value in out.items():
        if _CONTROL.search(value):
            raise Unencodable(f"control characters in header `{name}`")
    return tuple(Header(name, value) for name, value in out.items())
