"""Which resources a call names: ARNs where its parameters, account and region give one, else the bare names."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files

from comptroller.core.action import Value

RESOURCES_MAX = 64
RESOURCE_LENGTH_MAX = 2048

_NAMING = ("Arn", "ARN", "Id", "Identifier", "Name", "QueueUrl", "SecretId")
_NAMING_MANY = ("Arns", "ARNs", "Ids", "Identifiers", "Names")
_PLAIN = frozenset({"name", "id", "arn", "resource", "identifier"})
_QUEUE_URL = re.compile(r"https?://[^/]{1,253}/([0-9]{12})/([A-Za-z0-9_.-]{1,80})", re.ASCII)
_NO_PART = re.compile(r"[*?:\s\x00-\x1f]")
"""What no name within an ARN holds: a value with one of these is something else than a plain name."""
_PARTITIONS = (
    *(("cn-", "aws-cn"), ("us-gov-", "aws-us-gov"), ("us-isob-", "aws-iso-b"), ("us-isof-", "aws-iso-f")),
    *(("us-iso-", "aws-iso"), ("eu-isoe-", "aws-iso-e"), ("eusc-", "aws-eusc")),
)

Spec = tuple[str, tuple[str, ...]]
"""An ARN with `{p}`, `{r}`, `{a}` for partition, region and account, `{}` for each of the members that follow."""


@cache
def _lines() -> Mapping[str, str]:
    """Service -> its line of `resources.tsv`, unparsed."""
    text = files(__package__).joinpath("resources.tsv").read_text(encoding="utf-8")
    return dict(line.split("\t", 1) for line in text.splitlines())


@cache
def _specs(service: str) -> Mapping[str, tuple[Spec, ...]]:
    """Operation -> its ARNs, most specific first."""
    table: dict[str, list[Spec]] = {}
    for spec, operations in json.loads(_lines().get(service, "{}")).items():
        template, _, members = spec.rpartition("|")
        for operation in operations.split():
            table.setdefault(operation, []).append((template, tuple(members.split(","))))
    return {name: tuple(sorted(specs, key=lambda spec: -len(spec[1]))) for name, specs in table.items()}


def naming(operation: str) -> frozenset[str]:
    """Members of an operation that name what it acts on."""
    _, service, name = operation.split(":", 2)
    return frozenset(member for _, members in _specs(service).get(name, ()) for member in members)


def partition(region: str) -> str:
    """The partition a region lies in: `aws`, `aws-cn`, ..."""
    return next((name for prefix, name in _PARTITIONS if region.startswith(prefix)), "aws")


def resources(operation: str, parameters: Mapping[str, Value], account: str = "", region: str = "") -> tuple[str, ...]:
    """ARNs, ids and names that the top-level parameters give, the most specific first. Never raises."""
    _, service, name = operation.split(":", 2)
    found: list[str] = []
    used: set[str] = set()
    specs = _specs(service).get(name, ())
    known = naming(operation)
    for template, members in specs:
        if used.issuperset(members) or not all(member in parameters for member in members):
            continue
        made = _arns(service, template, members, parameters, account, region)
        if made:
            found += made
            used.update(members)
    for member in sorted(parameters.keys() - used):
        value = parameters[member]
        if isinstance(value, list) and (member.endswith(_NAMING_MANY) or member in known):
            found.extend(item for item in value if isinstance(item, str))
        elif isinstance(value, str) and (value.startswith("arn:") or _naming(member) or member in known):
            found.append(_queue(value, region) if member == "QueueUrl" else value)
    short = (item for item in found if 0 < len(item) <= RESOURCE_LENGTH_MAX)
    return tuple(dict.fromkeys(short))[:RESOURCES_MAX]


def _arns(
    service: str, template: str, members: Sequence[str], parameters: Mapping[str, Value], account: str, region: str
) -> list[str]:
    """The ARNs one template makes; none where a part of it is not known or not plain."""
    if not account and "{a}" in template:
        return []
    if not region and "{r}" in template:
        return []
    head = template.replace("{p}", partition(region)).replace("{r}", region).replace("{a}", account)
    given = [parameters[member] for member in members]
    many = next((value for value in given if isinstance(value, list)), None)
    rows = [given] if many is None else [[one if value is many else value for value in given] for one in many]
    return [arn for row in rows if (arn := _arn(service, head, members, row, parameters))]


def _arn(
    service: str, template: str, members: Sequence[str], values: Sequence[Value], parameters: Mapping[str, Value]
) -> str:
    parts: list[str] = []
    for member, value in zip(members, values, strict=True):
        if not isinstance(value, str) or not value:
            return ""
        if value.startswith("arn:"):
            if len(values) == 1:
                return value
            if service == "s3" and member == "Bucket" and template.endswith("{}/{}"):
                template = "{}/object/{}" if ":accesspoint/" in value else "{}/{}"
            else:
                return ""
        elif member == "QueueUrl":
            return _queue(value, "", template)
        elif service == "kms" and value.startswith("alias/"):
            template = template.replace(":key/{}", ":{}")
        elif service == "iam":
            value = _pathed(value, parameters)
        elif service == "ssm":
            value = value.lstrip("/")
        if not (service == "s3" and member == "Key") and not value.startswith("arn:") and _NO_PART.search(value):
            return ""
        parts.append(value)
    out = template
    for part in parts:
        out = out.replace("{}", part.replace("{}", "%7B%7D"), 1)
    return out


def _pathed(name: str, parameters: Mapping[str, Value]) -> str:
    path = parameters.get("Path")
    return f"{path.strip('/')}/{name}" if isinstance(path, str) and path.strip("/") else name


def _queue(url: str, region: str, template: str = "") -> str:
    """The ARN of a queue by its URL; the URL itself where it is none that is known."""
    fit = _QUEUE_URL.fullmatch(url)
    if fit is None:
        return url
    if template:
        head = template.split(":")
        return ":".join([*head[:4], fit[1], fit[2]])
    return f"arn:{partition(region)}:sqs:{region}:{fit[1]}:{fit[2]}" if region else url


def _naming(name: str) -> bool:
    return name.endswith(_NAMING) or name[:1].lower() + name[1:] in _PLAIN
