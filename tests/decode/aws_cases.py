"""Hand-made AWS requests for the codec's tests."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from comptroller.core.action import Action
from comptroller.core.request import Header, Outgoing, Request, Stream
from comptroller.decode.aws import AwsCodec

CODEC = AwsCodec()
FORM = "application/x-www-form-urlencoded; charset=utf-8"
RUN = "Action=RunInstances&Version=2016-11-15&ImageId=ami-1&InstanceType=m8g.12xlarge&MinCount=5&MaxCount=5"
LOOK = "Action=DescribeInstances&Version=2016-11-15"


def signature(service: str, region: str = "us-east-1") -> str:
    """A well-formed Authorization header; the gateway signs anew, so nobody checks the signature."""
    return (
        f"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261123/{region}/{service}/aws4_request, "
        f"SignedHeaders=host;x-amz-date, Signature={'ab' * 32}"
    )


def request(
    service: str = "ec2",
    *,
    host: str | None = None,
    method: str = "POST",
    target: str = "/",
    body: str | bytes = b"",
    headers: Mapping[str, str] | None = None,
    region: str = "us-east-1",
    scope: str | None = None,
    scope_region: str | None = None,
    signed: bool = True,
    more: tuple[tuple[str, str], ...] = (),
    stream: Stream | None = None,
) -> Request:
    """A request to `service`; each part can be changed."""
    own = host or f"{service}.{region}.amazonaws.com"
    given = {"host": own, **(headers or {})}
    if signed:
        given.setdefault("authorization", signature(scope or service, scope_region or region))
    return Request(
        scheme="https",
        method=method,
        host=own,
        port=443,
        target=target,
        headers=tuple(Header(k, v) for k, v in (*given.items(), *more)),
        body=body.encode() if isinstance(body, str) else body,
        agent="builder",
        run="run-1",
        stream=stream,
        accounts={"aws": "123456789012"},
        attempt="c1/1",
    )


def ec2(body: str | bytes = RUN, **changes: Any) -> Request:
    """An EC2 form request."""
    return request("ec2", body=body, **{"headers": {"content-type": FORM}, **changes})


def decode(given: Request) -> Action:
    """The action of a request."""
    return CODEC.decode(given)


def received(sent: Outgoing, original: Request) -> Request:
    """What was sent upstream, as if it arrived again."""
    authorization = [h for h in original.headers if h.name == "authorization"]
    return dataclasses.replace(
        original,
        method=sent.method,
        host=sent.host,
        port=sent.port,
        target=sent.target,
        headers=(*sent.headers, *authorization, Header("host", sent.host)),
        body=sent.body,
        stream=sent.stream,
    )
