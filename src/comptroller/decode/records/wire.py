"""A recorded AWS call as the request botocore would send, so that the codec can take it off the wire again."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode

from botocore.exceptions import BotoCoreError
from botocore.utils import percent_encode_sequence
from botocore.validate import ParamValidator

from comptroller.core.action import Value
from comptroller.core.request import Header, Request
from comptroller.decode.aws import index
from comptroller.decode.aws.model_source import Operation, members, serializer
from comptroller.decode.records.case import RUN, Told, Who

REGION_DEFAULT = "us-east-1"
INVENTED = "00000000-0000-4000-8000-000000000000"
"""Stands where a client invents an idempotency token; it is no part of what is judged."""
DAY = "20260101"
VERSIONED = {"glacier": ("x-amz-glacier-version", "2012-06-01")}

_VALIDATOR = ParamValidator()


class Unwritable(ValueError):
    """No client would send this call as it is recorded; the message says why."""


def request_of(told: Told, op: Operation, who: Who) -> Request:
    """The request a client would send for this call. Raises `Unwritable`."""
    if told.endpoint:
        raise Unwritable("an endpoint of its own")
    parameters = _with_tokens(op, told.parameters)
    if op.event_stream:
        raise Unwritable("an event stream")
    _check(op, parameters)
    region = told.region if is_region(told.region) else REGION_DEFAULT
    host = host_of(told.service, region)
    if host is None:
        raise Unwritable("no host of the service is known")
    protocol = index.load().services[told.service].protocols[0]
    try:
        written: dict[str, Any] = serializer(protocol).serialize_to_request(dict(parameters), op.model)
        return _request(written, host, told, op, who)
    except Unwritable:
        raise
    except (BotoCoreError, AttributeError, KeyError, TypeError, ValueError, RecursionError, OverflowError) as error:
        raise Unwritable(f"botocore cannot write it ({type(error).__name__})") from error


def is_region(name: str) -> bool:
    """Whether AWS could have a region of that name."""
    return index.load().region_pattern.fullmatch(name) is not None


@lru_cache(maxsize=4096)
def host_of(service: str, region: str) -> str | None:
    """The plain host of a service in a region; None where the index has none."""
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    for template in _templates(service):
        name = template.replace("{r}", region)
        place = index.place(name) if template.endswith((f".{suffix}", ".api.aws")) else None
        if place is not None and service in place.services and not place.prefix:
            return name
    return None


@lru_cache(maxsize=1024)
def _templates(service: str) -> tuple[str, ...]:
    """Hosts of a service without a wildcard, the plainest first."""
    found = _hosts().get(service, ())
    return tuple(sorted(found, key=_plainness))


def _plainness(name: str) -> tuple[bool, bool, bool, int]:
    return ("fips" in name or "dualstack" in name, name.endswith(".aws"), "{r}" not in name, len(name))


@lru_cache(maxsize=1)
def _hosts() -> Mapping[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for template, services in index.load().hosts.items():
        if "*" not in template:
            for service in services.split():
                found.setdefault(service, []).append(template)
    return {service: tuple(names) for service, names in found.items()}


def _with_tokens(op: Operation, parameters: Mapping[str, Value]) -> Mapping[str, Value]:
    """Clients fill an idempotency token in where the caller gave none."""
    missing = op.tokens - parameters.keys()
    return {**parameters, **dict.fromkeys(missing, INVENTED)} if missing else parameters


def _check(op: Operation, parameters: Mapping[str, Value]) -> None:
    if op.input is None:
        if parameters:
            raise Unwritable("parameters where the operation has none")
        return
    try:
        report = _VALIDATOR.validate(dict(parameters), op.input)
    except (BotoCoreError, AttributeError, KeyError, TypeError, ValueError, RecursionError, OverflowError) as error:
        raise Unwritable(f"botocore cannot check it ({type(error).__name__})") from error
    for name, member in members(op.input).items():
        if member.serialization.get("location") == "uri" and parameters.get(name) == "":
            raise Unwritable("a part of the path is empty")
    if report.has_errors():
        kinds = sorted({str(error[0]) for error in report._errors})
        raise Unwritable("parameters no client would send: " + ", ".join(kinds))


def _request(written: Mapping[str, Any], host: str, told: Told, op: Operation, who: Who) -> Request:
    prefixed = written.get("host_prefix")
    name = f"{prefixed}{host}" if prefixed else host
    place = index.place(name)
    if place is None:
        raise Unwritable("no host of the service is known")
    body = written["body"]
    body = urlencode(body).encode("ascii") if isinstance(body, dict) else body
    if not isinstance(body, bytes | bytearray | str):
        raise Unwritable("a body that is read as it is sent")
    body = body.encode("utf-8") if isinstance(body, str) else bytes(body)
    headers = {"host": name}
    for key, value in written["headers"].items():
        headers[key.lower()] = value.decode("latin-1") if isinstance(value, bytes) else str(value)
    if told.service in VERSIONED:
        header, version = VERSIONED[told.service]
        headers[header] = version
    if not op.unsigned:
        scope = f"{DAY}/{place.region}/{index.signing_name(place, told.service)}/aws4_request"
        headers["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/{scope}, SignedHeaders=host, Signature={'0' * 64}"
        )
    return Request(
        scheme="https",
        method=written["method"],
        host=name,
        port=443,
        target=_target(written),
        headers=tuple(Header(key, value) for key, value in headers.items()),
        body=body,
        agent=who.agent,
        run=RUN,
        accounts={"aws": told.account or who.account},
    )


def _target(written: Mapping[str, Any]) -> str:
    path = str(written["url_path"])
    query = written.get("query_string")
    if query:
        joined = query if isinstance(query, str) else percent_encode_sequence(query)
        path += ("&" if "?" in path else "?") + joined
    return path
