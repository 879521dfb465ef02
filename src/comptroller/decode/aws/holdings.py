"""Stops, deletes, looks at and lists what lives on in AWS, and reads the answers."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from botocore.parsers import create_parser

from comptroller.core.action import Action, Uncanonical, Value
from comptroller.core.made import Ended, Liveness, Made, Seen, Way
from comptroller.core.request import Header
from comptroller.decode.aws import index
from comptroller.decode.aws.codec import action_of
from comptroller.decode.aws.identify import FORM
from comptroller.decode.aws.lasting import Kind, kind_of, named, table
from comptroller.decode.aws.model_source import operation
from comptroller.decode.aws.resources import partition

PAGE = 100
ITEMS_MAX = 10_000
NAMES_MAX = 1000
DEFAULT_CLUSTER = "default"

_GONE = frozenset({"terminated", "deleted", "deletecomplete", "released", "releasedpermanentfailure", "destroyed"})
_ENDED = _GONE | {"cancelled", "canceled", "expired", "closed", "deregistered", "retired", "deletedterminating"}
_STOPPED = frozenset({"stopped", "paused", "autostopped", "hibernated"})
_JOB_ENDED = _ENDED | {
    *("completed", "complete", "succeeded", "success", "successful", "failed", "stopped", "aborted", "error"),
    *("timedout", "timeout", "finished", "done", "terminatedwitherrors", "completedwitherrors", "partiallycompleted"),
}
_MISSING = re.compile(r"NotFound|NoSuch|NotExist|ResourceNotFound|InvalidFleetId|\.Unknown$")
_NOT_THE_THING = re.compile(r"Operation|Action|Endpoint|Account|Region|Subscription|Host|Credential|Token|Route")
_SAID_MISSING = re.compile(
    r"does not exist|could not find|cannot find|not found|doesn't exist|no longer exists|RecordNotFound", re.I
)
_VAGUE = frozenset({"ValidationError", "ValidationException", "InvalidRequestException", "InvalidParameterValue"})
_ARN = re.compile(r"arn:[a-z-]{3,16}:([a-z0-9-]{1,64}):([a-z0-9-]{0,32}):([0-9]{0,12}):(\S{1,1024})", re.ASCII)
_ARN_SERVICES: Mapping[str, tuple[str, ...]] = {
    "elasticloadbalancing": ("elbv2", "elb"),
    "elasticmapreduce": ("emr",),
    "elasticfilesystem": ("efs",),
    "es": ("opensearch", "es"),
    "states": ("stepfunctions",),
}
_ARN_KINDS: Mapping[tuple[str, str], str] = {
    ("rds", "db"): "db-instance",
    ("rds", "cluster"): "db-cluster",
    ("ec2", "elastic-ip"): "address",
    ("ec2", "dedicated-host"): "host",
    ("elbv2", "loadbalancer"): "load-balancer",
    ("autoscaling", "autoScalingGroup"): "auto-scaling-group",
    ("opensearch", "domain"): "domain",
}


def order(made: Made, way: Way, *, agent: str, run: str) -> Action | None:
    """The action that stops, deletes or looks at a thing; None where its kind has no such way."""
    kind = kind_of(made)
    if kind is None or way not in kind.ways:
        return None
    names = kind.names(made.resource)
    if len(names) != kind.count or not all(names):
        return None
    return _action(kind.service, kind.ways[way][0], kind.arguments(way, names), made, made.endpoint, agent, run)


def _action(
    service: str, name: str, given: Mapping[str, Value], place: Made, endpoint: str, agent: str, run: str
) -> Action | None:
    try:
        return action_of(
            operation(service, name),
            given,
            endpoint=endpoint,
            region=place.region,
            account=place.account,
            agent=agent,
            run=run,
        )
    except (KeyError, Uncanonical):
        return None


def headers(action: Action) -> tuple[Header, ...]:
    """What names the protocol this action is written in."""
    service = action.service.removeprefix(index.PREFIX)
    known = index.load().services.get(service)
    spoken = known.protocols if known is not None else ()
    if {"query", "ec2"} & set(spoken):
        return (Header("content-type", FORM),)
    if "json" in spoken:
        return (Header("x-amz-target", "anew"),)
    if {"rest-json", "rest-xml"} & set(spoken):
        return ()
    return (Header("smithy-protocol", "rpc-v2-cbor"),)


def liveness(made: Made, status: int, body: bytes, headers: Mapping[str, str]) -> Liveness:
    """What the answer to a look says. Never raises."""
    kind = kind_of(made)
    if kind is None or Way.LOOK not in kind.ways:
        return Liveness.UNKNOWN
    answer = _parsed(kind.service, kind.ways[Way.LOOK][0], status, body, headers)
    if answer is None:
        return Liveness.UNKNOWN
    if status >= 300:
        return Liveness.GONE if _is_missing(status, answer) else Liveness.UNKNOWN
    return _read(kind, kind.names(made.resource)[-1], answer)


def _parsed(service: str, name: str, status: int, body: bytes, headers: Mapping[str, str]) -> dict[str, Any] | None:
    try:
        model = operation(service, name).model
        response = {"status_code": status, "headers": dict(headers), "body": body}
        found = create_parser(_protocol(service, body)).parse(response, model.output_shape)
    except Exception:  # noqa: BLE001  an answer nobody can read says nothing
        return None
    return found if isinstance(found, dict) else None


def _protocol(service: str, body: bytes) -> str:
    """The protocol an answer is written in: what it begins with, among those the service speaks."""
    spoken = index.load().services[service].protocols
    xml = body.lstrip()[:1] == b"<"
    wanted = ("ec2", "query", "rest-xml") if xml else ("json", "rest-json")
    return next((one for one in spoken if one in wanted), spoken[0])


def _is_missing(status: int, answer: Mapping[str, Any]) -> bool:
    """Whether a refusal says that there is no such thing."""
    error = answer.get("Error")
    code = str(error.get("Code", "")) if isinstance(error, Mapping) else ""
    message = str(error.get("Message", "")) if isinstance(error, Mapping) else ""
    if not 400 <= status < 500 or status in (401, 403, 429):
        return False
    if _MISSING.search(code):
        return not _NOT_THE_THING.search(code)
    return code in _VAGUE and _SAID_MISSING.search(message) is not None


def _read(kind: Kind, name: str, answer: Mapping[str, Any]) -> Liveness:
    items = list(itertools.islice(_at(answer, kind.item.split(".") if kind.item else []), ITEMS_MAX))
    if not items:
        if any(key.lower().endswith(("token", "marker")) and value for key, value in answer.items()):
            return Liveness.UNKNOWN
        head = kind.item.partition(".")[0]
        return Liveness.GONE if head.endswith("[]") and answer.get(head[:-2]) == [] else Liveness.UNKNOWN
    if kind.own:
        items = [one for one in items if kind.spelled(str(one.get(kind.own, ""))) == name or one.get(kind.own) == name]
    if len(items) != 1:
        return Liveness.UNKNOWN
    return _state(kind, items[0])


def _state(kind: Kind, item: Mapping[str, Any]) -> Liveness:
    said = next(_texts(item, kind.state.split(".")), "") if kind.state else ""
    word = re.sub(r"[^a-z]", "", said.lower())
    if said in kind.words:
        return Liveness(kind.words[said])
    if word in (_JOB_ENDED if kind.job else _ENDED):
        return Liveness.LIVE if kind.held and item.get(kind.held) else Liveness.GONE
    if word in _STOPPED and Way.STOP in kind.ways:
        return Liveness.STOPPED
    if kind.zero and all(_nothing(item, one.split(".")) for one in kind.zero):
        return Liveness.STOPPED
    return Liveness.UNKNOWN if kind.state and not said and not kind.zero else Liveness.LIVE


def _nothing(item: Any, path: Sequence[str]) -> bool:
    for name in path:
        item = item.get(name) if isinstance(item, Mapping) else None
    return (item == 0 and not isinstance(item, bool)) or item == []


def _texts(value: Any, path: Sequence[str]) -> Iterator[str]:
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    if isinstance(value, str):
        yield value


def _at(value: Any, path: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    if not path:
        if isinstance(value, Mapping) and value:
            yield value
        return
    inner = value.get(path[0].removesuffix("[]")) if isinstance(value, Mapping) else None
    for one in inner if path[0].endswith("[]") and isinstance(inner, list) else [inner]:
        yield from _at(one, path[1:])


def closes(action: Action) -> tuple[Ended, ...]:
    """What the action, accepted, stops or deletes."""
    service, _, name = action.operation.removeprefix(index.PREFIX).partition(":")
    found: dict[tuple[str, str], Ended] = {}
    for kind in table(service).kinds.values():
        for way in (Way.STOP, Way.DELETE):
            operation_name, template = kind.ways.get(way, ("", {}))
            if operation_name != name:
                continue
            for resource in _resources(kind, template, action, exact=name.startswith(("Update", "Modify", "Set"))):
                made = Made(
                    kind=f"{index.PREFIX}{service}:{kind.name}",
                    resource=resource,
                    account=action.account,
                    region=action.region,
                    endpoint=action.endpoint,
                )
                found[made.kind, made.resource] = Ended(made=made, way=way)
    return tuple(found.values())


def _resources(kind: Kind, template: Mapping[str, Any], action: Action, *, exact: bool) -> Iterator[str]:
    names: dict[int, list[str]] = {}
    fits = named(template, action.parameters, names)
    if exact and not fits:
        return
    if kind.service == "ecs" and "cluster" not in action.parameters and "cluster" in template:
        names[0] = [DEFAULT_CLUSTER]
    if any(_elsewhere(name, action) for told in names.values() for name in told):
        return
    columns = [names.get(number, []) for number in range(kind.count)]
    for row in itertools.islice(itertools.product(*columns), NAMES_MAX):
        yield kind.resource(row)


def _elsewhere(name: str, action: Action) -> bool:
    """Whether a name is the ARN of something in another account or region: a thing here may be called the same."""
    if not name.startswith("arn:"):
        return False
    fit = _ARN.fullmatch(name)
    return fit is None or fit[2] not in ("", action.region) or fit[3] not in ("", action.account)


def listing(place: Made, tags: Mapping[str, str], *, agent: str, run: str) -> tuple[Action, ...]:
    """What the region's tag index and, sooner right, EC2 itself know of these tags."""
    told = [(key, [value] if value else []) for key, value in sorted(tags.items())]
    filters: list[Value] = [{"Key": key, "Values": values} if values else {"Key": key} for key, values in told]
    by_tag: list[Value] = [
        {"Name": f"tag:{key}", "Values": values} if values else {"Name": "tag-key", "Values": [key]}
        for key, values in told
    ]
    asked: tuple[tuple[str, str, dict[str, Value]], ...] = (
        ("resourcegroupstaggingapi", "GetResources", {"TagFilters": filters, "ResourcesPerPage": PAGE}),
        ("ec2", "DescribeInstances", {"Filters": by_tag, "MaxResults": PAGE}),
    )
    found = []
    for service, name, given in asked:
        host = endpoint_of(service, place.region)
        action = _action(service, name, given, place, host, agent, run) if host else None
        if action is not None:
            found.append(action)
    return tuple(found)


@cache
def endpoint_of(service: str, region: str) -> str:
    """The host of a service in a region; empty where the endpoint rules give none."""
    hosts = index.load().hosts
    suffix = "amazonaws.com.cn" if partition(region) == "aws-cn" else "amazonaws.com"
    own = [template for template, names in hosts.items() if service in names.split() and not template.startswith("*")]
    ranked = sorted(own, key=lambda one: ("fips" in one, not one.endswith(f".{suffix}"), len(one), one))
    for template in ranked:
        host = template.replace("{r}", region)
        place = index.place(host)
        if place is not None and place.region == region and service in place.services:
            return host
    return ""


def listed(
    action: Action, status: int, body: bytes, headers: Mapping[str, str]
) -> tuple[tuple[Seen, ...], Action | None] | None:
    """What the answer to a listing shows, and the action that asks for more."""
    service, _, name = action.operation.removeprefix(index.PREFIX).partition(":")
    if status != 200 or (service, name) not in (
        ("resourcegroupstaggingapi", "GetResources"),
        ("ec2", "DescribeInstances"),
    ):
        return None
    answer = _parsed(service, name, status, body, headers)
    if answer is None:
        return None
    if service == "ec2":
        if not isinstance(answer.get("Reservations"), list):
            return None
        seen = tuple(_instances(action, answer))
        token, member = answer.get("NextToken"), "NextToken"
    else:
        rows = answer.get("ResourceTagMappingList")
        if not isinstance(rows, list):
            return None
        seen = tuple(one for row in rows if isinstance(row, Mapping) and (one := _tagged(action, row)) is not None)
        token, member = answer.get("PaginationToken"), "PaginationToken"
    if not token or not isinstance(token, str):
        return seen, None
    given = {**action.parameters, member: token}
    place = Made(kind=action.service, resource="", account=action.account, region=action.region, endpoint="")
    return seen, _action(service, name, given, place, action.endpoint, action.agent, action.run)


def _instances(action: Action, answer: Mapping[str, Any]) -> Iterator[Seen]:
    for item in itertools.islice(_at(answer, ["Reservations[]", "Instances[]"]), ITEMS_MAX):
        identity = item.get("InstanceId")
        if isinstance(identity, str) and identity and next(_texts(item, ["State", "Name"]), "") != "terminated":
            yield _seen(action, "aws:ec2:instance", identity, action.endpoint, item.get("Tags"))


def _tagged(action: Action, row: Mapping[str, Any]) -> Seen | None:
    """One row of the tag index; None where its ARN lies in another account or region than was asked."""
    fit = _ARN.fullmatch(str(row.get("ResourceARN", "")))
    if fit is None:
        return None
    prefix, region, account, rest = fit.groups()
    if region not in ("", action.region) or (action.account and account not in ("", action.account)):
        return None
    kind, service, resource = _kind_of_arn(prefix, fit[0], rest)
    return _seen(action, kind, resource, endpoint_of(service, action.region), row.get("Tags"))


def _kind_of_arn(prefix: str, arn: str, rest: str) -> tuple[str, str, str]:
    """Kind, service and resource of an ARN; where the table has no such kind, the ARN stays the resource."""
    services = _ARN_SERVICES.get(prefix, (prefix,))
    word = re.split(r"[:/]", rest)[0]
    for service in services:
        if service == "elbv2" and not rest.startswith(("loadbalancer/app/", "loadbalancer/net/", "loadbalancer/gwy/")):
            continue
        kinds = table(service).kinds
        wanted = _ARN_KINDS.get((service, word), word)
        kind = kinds.get(wanted) or kinds.get({name.replace("-", ""): name for name in kinds}.get(wanted.lower(), ""))
        if kind is None:
            continue
        if kind.by_arn and not kind.short:
            return f"{index.PREFIX}{service}:{kind.name}", service, arn
        parts = re.split(r"[:/]", rest)[1:]
        if kind.count == 1 and parts:
            return f"{index.PREFIX}{service}:{kind.name}", service, kind.spelled(arn)
        if len(parts) >= kind.count > 1:
            return f"{index.PREFIX}{service}:{kind.name}", service, kind.resource(parts[: kind.count])
    return f"{index.PREFIX}{services[0]}:{word[:64]}", services[0], arn


def _seen(action: Action, kind: str, resource: str, endpoint: str, tags: object) -> Seen:
    pairs = [one for one in tags if isinstance(one, Mapping)] if isinstance(tags, list) else []
    return Seen(
        made=Made(kind=kind, resource=resource, account=action.account, region=action.region, endpoint=endpoint),
        tags={str(one.get("Key", "")): str(one.get("Value", "")) for one in pairs},
    )
