"""Real AWS requests, written by botocore's own clients from random valid parameters and caught before they are sent."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import botocore.session
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from comptroller.core.request import Header, Request

DEPTH_MAX = 6
ALPHABET = "abcdefghijkmnpqrstuvwxyz0123456789"
ATTEMPTS_MAX = 4


DISCOVERED = {
    "timestream-query": "query-cell1.timestream.us-east-1.amazonaws.com",
    "timestream-write": "ingest-cell1.timestream.us-east-1.amazonaws.com",
}
"""Where Timestream says that it is found: a host that no endpoint rule knows."""


class Caught(Exception):
    """Carries the request a client was about to send."""

    def __init__(self, request: Any) -> None:
        super().__init__("caught before it was sent")
        self.request = request


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One request and what it was made of."""

    service: str
    operation: str
    parameters: Mapping[str, Any]
    request: Request


@dataclass
class AwsRequests:
    """Makes samples. The same seed makes the same requests, but for what botocore itself invents (tokens, times)."""

    seed: int = 7
    region: str = "us-east-1"
    full: float = 0.4
    _random: random.Random = field(init=False)
    _clients: dict[str, Any] = field(init=False, default_factory=dict)
    _asked: str = field(init=False, default="")

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._session = botocore.session.Session()
        self._session.set_credentials("AKIDEXAMPLE", "an-example-secret", "an-example-token")

    def services(self) -> list[str]:
        """Every service botocore has a client for."""
        return list(self._session.get_available_services())

    def client(self, service: str) -> Any:
        """A client of a service whose every request is caught."""
        if service not in self._clients:
            config = Config(retries={"total_max_attempts": 1}, parameter_validation=True)
            client = self._session.create_client(service, region_name=self.region, config=config)
            client.meta.events.register("before-send", self._catch)
            self._clients = {service: client}
        return self._clients[service]

    def operations(self, service: str) -> list[str]:
        """Operations a client of the service offers."""
        return sorted(self.client(service).meta.method_to_api_mapping.values())

    def sample(self, service: str, operation: str, parameters: Mapping[str, Any] | None = None) -> Sample | None:
        """One request of an operation; None where botocore cannot write any (event streams, removed operations)."""
        client, self._asked = self.client(service), operation
        names = {api: method for method, api in client.meta.method_to_api_mapping.items()}
        if operation not in names:
            return None
        shape = client.meta.service_model.operation_model(operation).input_shape
        for _ in range(1 if parameters is not None else ATTEMPTS_MAX):
            given = dict(parameters) if parameters is not None else self.value(shape) if shape else {}
            try:
                getattr(client, names[operation])(**given)
            except Caught as caught:
                request = as_request(caught.request)
                return Sample(service=service, operation=operation, parameters=given, request=request)
            except (BotoCoreError, TypeError, ValueError, AttributeError, KeyError):
                continue
        return None

    def samples(self, per_service: int | None = None) -> Iterator[Sample]:
        """Samples over all services; `per_service` random operations of each, or all."""
        for service in self.services():
            try:
                names = self.operations(service)
            except BotoCoreError:
                continue
            if per_service is not None and len(names) > per_service:
                names = self._random.sample(names, per_service)
            for name in names:
                made = self.sample(service, name)
                if made is not None:
                    yield made

    def _catch(self, request: Any, event_name: str = "", **_more: object) -> AWSResponse | None:
        """Raises `Caught`; only the question where Timestream is to be found, asked before its calls, is answered."""
        _, service, operation = event_name.split(".")
        if operation != self._asked and operation == "DescribeEndpoints" and service in DISCOVERED:
            body = {"Endpoints": [{"Address": DISCOVERED[service], "CachePeriodInMinutes": 60}]}
            return AWSResponse(request.url, 200, {}, _Raw(json.dumps(body).encode()))
        raise Caught(request)

    def value(self, shape: Any, depth: int = 0, above: tuple[str, ...] = ()) -> Any:
        """A random valid value of a shape."""
        match shape.type_name:
            case "structure":
                return self._structure(shape, depth, above)
            case "list":
                count = max(shape.metadata.get("min", 0), self._random.randint(1, 2))
                inner = (*above, shape.name)
                made = [self.value(shape.member, depth + 1, inner) for _ in range(count)]
                return [item for item in made if not _empty(item)]
            case "map":
                keys = [self.value(shape.key, depth + 1) for _ in range(max(shape.metadata.get("min", 0), 1))]
                return {key: self.value(shape.value, depth + 1, (*above, shape.name)) for key in keys}
            case _:
                return self._scalar(shape)

    def _structure(self, shape: Any, depth: int, above: tuple[str, ...]) -> dict[str, Any]:
        if shape.is_document_type:
            return {"a": 1, "b": ["c", None, {"d": 1.5}]}
        names = [name for name, member in shape.members.items() if not member.serialization.get("eventstream")]
        union = getattr(shape, "is_tagged_union", False)
        if union and names:
            names = [self._random.choice(names)]
        out: dict[str, Any] = {}
        for name in names:
            member = shape.members[name]
            if name not in shape.required_members and not union:
                if depth > 3 or member.name in above or self._random.random() < self.full:
                    continue
            elif member.name in above and depth > DEPTH_MAX:
                continue
            out[name] = self.value(member, depth + 1, (*above, shape.name))
        return out

    def _scalar(self, shape: Any) -> Any:
        metadata, draw = shape.metadata, self._random
        match shape.type_name:
            case "string" | "character":
                if shape.serialization.get("jsonvalue"):
                    return {"x": 1}
                if shape.enum:
                    return draw.choice(shape.enum)
                return "".join(draw.choice(ALPHABET) for _ in range(max(metadata.get("min", 1), 6)))
            case "integer" | "long":
                return max(metadata.get("min", 0), draw.randint(1, 9))
            case "float" | "double":
                return draw.randint(1, 36) / 4
            case "boolean":
                return draw.random() < 0.5
            case "timestamp":
                return datetime(2026, 11, 1, 10, tzinfo=UTC) + timedelta(minutes=draw.randint(0, 40_000))
            case _:
                return b"blob%d" % draw.randint(0, 99)


def _empty(value: Any) -> bool:
    """Whether nothing of a value would be written: such a member of a list would leave a gap in its numbering."""
    if isinstance(value, dict):
        return all(map(_empty, value.values()))
    return isinstance(value, list) and all(map(_empty, value))


class _Raw(io.BytesIO):
    """A body as botocore reads it."""

    def stream(self) -> Iterator[bytes]:
        """The whole."""
        yield self.getvalue()


def as_request(prepared: Any, *, agent: str = "builder", run: str = "run") -> Request:
    """A botocore `AWSPreparedRequest` as the gateway would hand it on."""
    url = urlsplit(prepared.url)
    body = prepared.body or b""
    if hasattr(body, "read"):
        body = body.read()
    if isinstance(body, str):
        body = body.encode()
    headers = [Header("host", url.hostname or "")]
    for name, value in prepared.headers.items():
        text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
        if name.lower() not in ("host", "transfer-encoding"):
            headers.append(Header(name.lower(), text))
    return Request(
        scheme="https",
        method=prepared.method,
        host=(url.hostname or "").lower(),
        port=url.port or 443,
        target=(url.path or "/") + (f"?{url.query}" if url.query else ""),
        headers=tuple(headers),
        body=bytes(body),
        agent=agent,
        run=run,
        accounts={"aws": "123456789012"},
        attempt="connection/1",
    )
