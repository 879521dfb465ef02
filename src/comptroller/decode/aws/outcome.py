"""Reads a response: did the service do it, and what are the ids of what it made."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from botocore.parsers import create_parser

from comptroller.core.action import Action, ActionClass
from comptroller.core.estimate import Outcome, Unit
from comptroller.decode.aws import index
from comptroller.decode.aws.model_source import operation

BODY_BYTES_MAX = 1 << 20
MADE_MAX = 256
MAY_HAVE_RUN = frozenset({408, 424})
"""Refusals of what took too long or failed half-way: it may have been charged."""
DEPTH_MAX = 12
KEPT_CLASSES = frozenset({ActionClass.PROVISION, ActionClass.PAY, ActionClass.ENTITLE, ActionClass.EXECUTE})
"""Whose responses name something that lives on."""

_ERROR_ROOT = re.compile(rb"^\s*(?:<\?xml[^>]*\?>)?\s*<(?:Error|ErrorResponse)[ >/]")
_MADE_ID = re.compile(r"[a-z]{1,16}-[0-9a-f]{8}(?:[0-9a-f]{9})?|arn:aws[a-z-]*:[^\s]{1,1024}", re.ASCII)
_PRIMARY: Mapping[str, tuple[str, ...]] = {
    "aws:ec2:RunInstances": ("Instances", "InstanceId"),
    "aws:ec2:StartInstances": ("StartingInstances", "InstanceId"),
    "aws:ec2:CreateFleet": ("Instances", "InstanceIds"),
    "aws:ec2:RequestSpotInstances": ("SpotInstanceRequests", "SpotInstanceRequestId"),
    "aws:ec2:CreateVolume": ("VolumeId",),
    "aws:ec2:CreateNatGateway": ("NatGateway", "NatGatewayId"),
    "aws:ec2:AllocateAddress": ("AllocationId",),
    "aws:ec2:AllocateHosts": ("HostIds",),
    "aws:elbv2:CreateLoadBalancer": ("LoadBalancers", "LoadBalancerArn"),
    "aws:rds:CreateDBInstance": ("DBInstance", "DBInstanceArn"),
    "aws:rds:CreateDBCluster": ("DBCluster", "DBClusterArn"),
    "aws:emr:RunJobFlow": ("JobFlowId",),
}
"""Where the id of what was made stands; elsewhere every ARN and id of the response counts."""


class AwsMeter:
    """Reads one response as it streams past; keeps at most `BODY_BYTES_MAX` of it, and only where ids are wanted."""

    def __init__(self, action: Action) -> None:
        self._action = action
        self._status = 0
        self._headers: dict[str, str] = {}
        self._body = bytearray()
        self._cut = False

    def head(self, status: int, headers: Sequence[tuple[str, str]]) -> None:
        """The response's status and headers."""
        self._status = status
        self._headers = {name.lower(): value for name, value in headers}

    def feed(self, data: bytes) -> None:
        """The next body bytes."""
        room = BODY_BYTES_MAX - len(self._body)
        self._body += data[:room]
        self._cut = self._cut or len(data) > room

    def finish(self, *, complete: bool) -> Outcome:
        """What the response proved. Never raises."""
        done = 200 <= self._status < 300
        s3 = self._action.operation.startswith("aws:s3:")
        failed_inside = done and s3 and _ERROR_ROOT.match(bytes(self._body[:512])) is not None
        ok = done and not failed_inside
        refused = (400 <= self._status < 500 and self._status not in MAY_HAVE_RUN) or failed_inside
        made: tuple[str, ...] = ()
        if ok and not self._cut and self._action.classes & KEPT_CLASSES:
            made = self._made()
        return Outcome(
            status=self._status,
            ok=ok,
            complete=complete,
            charged=True if ok else False if refused else None,
            actual={Unit.CALLS: 1},
            made=made,
        )

    def _made(self) -> tuple[str, ...]:
        service, _, name = self._action.operation.removeprefix(index.PREFIX).partition(":")
        try:
            model = operation(service, name).model
            if model.output_shape is None or model.has_streaming_output or model.has_event_stream_output:
                return ()
            response = {"status_code": self._status, "headers": self._headers, "body": bytes(self._body)}
            parsed = create_parser(self._protocol(service)).parse(response, model.output_shape)
        except Exception:  # noqa: BLE001  a response nobody can read names nothing; the reservation stays as it is
            return ()
        path = _PRIMARY.get(self._action.operation)
        found = _at(parsed, path) if path else _ids(parsed, 0)
        if self._action.operation == "aws:elb:CreateLoadBalancer":
            found = iter((str(self._action.parameters.get("LoadBalancerName", "")),))
        return tuple(dict.fromkeys(item for item in found if item))[:MADE_MAX]

    def _protocol(self, service: str) -> str:
        """The protocol the response is written in, by its media type among those the service speaks."""
        spoken = index.load().services[service].protocols
        media = self._headers.get("content-type", "").partition(";")[0].strip().lower()
        if "cbor" in media:
            return next((one for one in spoken if one.endswith("cbor")), spoken[0])
        if "json" in media:
            return next((one for one in spoken if one.endswith("json")), spoken[0])
        return next((one for one in spoken if one in ("ec2", "query", "rest-xml")), spoken[0])


def _at(value: Any, path: Sequence[str]) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _at(item, path)
    elif path and isinstance(value, dict):
        yield from _at(value.get(path[0]), path[1:])
    elif not path and isinstance(value, str):
        yield value


def _ids(value: Any, depth: int) -> Iterator[str]:
    if depth > DEPTH_MAX:
        return
    if isinstance(value, dict):
        for key, item in value.items():
            if isinstance(item, str):
                if key.endswith(("Arn", "ARN", "arn", "Id")) and _MADE_ID.fullmatch(item):
                    yield item
            elif key != "ResponseMetadata":
                yield from _ids(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            yield from _ids(item, depth + 1)
