"""CloudTrail's account of a call: members with a small first letter, wrapped and renamed, secrets blanked out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from comptroller.core.action import Value
from comptroller.decode.aws import index
from comptroller.decode.aws.model_source import members, operation
from comptroller.decode.records.case import Told, Who
from comptroller.decode.records.fit import Fit, member_of

SERVICE_EVENTS = frozenset({"AwsServiceEvent", "AwsCloudTrailInsight"})
"""What AWS did by itself: nobody called."""
DOMAIN = ".amazonaws.com"

_VERSION = re.compile(r"(?:20\d{6}(?:v\d+)?|20\d{2}_\d{2}_\d{2})$")
_SOURCES: Mapping[str, tuple[str, ...]] = {
    "monitoring": ("cloudwatch",),
    "email": ("ses", "sesv2"),
    "states": ("stepfunctions",),
    "tagging": ("resourcegroupstaggingapi",),
}


class NotACall(ValueError):
    """An event that is no call of anybody's."""


class NotRead(ValueError):
    """An event whose call nobody can name; the message says why."""


def told_by(event: Mapping[str, Value], who: Who) -> Told:
    """The call that an event tells of. Raises `NotACall` and `NotRead`."""
    if event.get("eventType") in SERVICE_EVENTS:
        raise NotACall(str(event.get("eventType")))
    source, name = _text(event, "eventSource"), _text(event, "eventName")
    given = event.get("requestParameters")
    parameters = given if isinstance(given, Mapping) else {}
    found = _services(source, name)
    if not found:
        raise NotRead(f"no operation of AWS is known as `{name[:80]}` of `{source[:80]}`")
    service, api = max(found, key=lambda pair: (_fits(pair, parameters), -found.index(pair)))
    op = operation(service, api)
    fit = Fit(loose=True)
    laid = fit.parameters(op.input, parameters)
    return Told(
        service=service,
        operation=api,
        parameters=laid,
        region=_text(event, "awsRegion") or who.region,
        account=_account(event),
        unread=frozenset(fit.unread),
        also=tuple(f"{index.PREFIX}{other}:{same}" for other, same in found if (other, same) != (service, api)),
    )


def _text(event: Mapping[str, Value], name: str) -> str:
    value = event.get(name)
    return value if isinstance(value, str) else ""


def _account(event: Mapping[str, Value]) -> str:
    identity = event.get("userIdentity")
    inner = identity.get("accountId") if isinstance(identity, Mapping) else None
    return _text(event, "recipientAccountId") or (inner if isinstance(inner, str) else "")


def _services(source: str, name: str) -> list[tuple[str, str]]:
    """Every service behind an event source that has an operation of this name, with or without a version after it."""
    found: list[tuple[str, str]] = []
    for api in dict.fromkeys((name, _VERSION.sub("", name))):
        found += [(service, api) for service in candidates(source) if index.has_operation(service, api)]
    return list(dict.fromkeys(found))


@lru_cache(maxsize=1024)
def candidates(source: str) -> tuple[str, ...]:
    """Services that log under an event source: by their name, by the name they sign for, or by their host."""
    known = index.load()
    prefix = source.removesuffix(DOMAIN)
    found = list(_SOURCES.get(prefix, ()))
    found += [prefix] if prefix in known.services else []
    found += [name for name, service in known.services.items() if service.signing_name == prefix]
    for template in (f"{prefix}.{{r}}{DOMAIN}", f"{prefix}{DOMAIN}"):
        found += known.hosts.get(template, "").split()
    return tuple(dict.fromkeys(found))


def _fits(pair: tuple[str, str], given: Mapping[str, Value]) -> int:
    """How many of the recorded parameters an operation has a place for."""
    op = operation(*pair)
    if op.input is None or not members(op.input):
        return 0
    return sum(1 for key, value in given.items() if member_of(op.input, str(key), value) is not None)
