"""Calls that go the whole way to a real server: written by boto3, decoded, tagged, encoded anew, sent, and metered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from comptroller.core.action import Action
from comptroller.core.estimate import Outcome
from comptroller.core.made import Liveness, Made, Way
from comptroller.core.request import Outgoing
from comptroller.decode.aws import AwsCodec
from comptroller.decode.made import liveness, order, request_for
from comptroller.decode.tags import tagged
from comptroller.testing.aws_requests import AwsRequests
from comptroller.testing.aws_server import AwsServer

OURS = {"comptroller:agent": "builder", "comptroller:run": "run-1", "comptroller:holding-of": "acme"}
CODEC = AwsCodec()
_TYPES = AwsRequests(seed=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back for one action."""

    action: Action
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    outcome: Outcome


class Moto:
    """moto's server, reached with what our codec writes."""

    def __init__(self, server: AwsServer) -> None:
        self.server = server

    def call(self, name: str, parameters: Mapping[str, Any], *, tags: Mapping[str, str] = OURS) -> Answer:
        """An agent's call of `SERVICE:OPERATION`."""
        service, operation = name.split(":")
        sample = _TYPES.sample(service, operation, parameters)
        assert sample is not None, name
        decoded = CODEC.decode(sample.request)
        assert not decoded.undecodable, decoded.reason
        action = tagged(decoded, tags)
        return self._send(action, CODEC.encode(action, sample.request))

    def own(self, action: Action) -> Answer:
        """A call of ours."""
        return self._send(action, CODEC.encode(action, request_for(action)))

    def ask(self, made: Made, way: Way) -> Answer:
        """An order about a thing."""
        action = order(made, way, agent="keeper", run="run-1")
        assert action is not None, (made, way)
        return self.own(action)

    def look(self, made: Made) -> Liveness:
        """How a thing is."""
        answer = self.ask(made, Way.LOOK)
        return liveness(made, answer.status, answer.body, answer.headers)

    def _send(self, action: Action, outgoing: Outgoing) -> Answer:
        assert outgoing.signing is not None
        scope = f"{outgoing.signing.region}/{outgoing.signing.service}/aws4_request"
        headers = [(name, value) for name, value in outgoing.headers if name not in ("host", "content-length")]
        headers += [
            ("host", outgoing.host),
            (
                "authorization",
                f"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261101/{scope}, SignedHeaders=host, Signature=0",
            ),
        ]
        answer = httpx.request(
            outgoing.method, f"{self.server.url}{outgoing.target}", headers=headers, content=outgoing.body, timeout=60
        )
        meter = CODEC.meter(action)
        meter.head(answer.status_code, answer.headers.multi_items())
        meter.feed(answer.content)
        return Answer(
            action=action,
            status=answer.status_code,
            headers=tuple(answer.headers.multi_items()),
            body=answer.content,
            outcome=meter.finish(complete=True),
        )
