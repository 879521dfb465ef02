"""The shipped index: hosts, signing names, protocols and the classes of every operation, without loading a model."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files

from comptroller.core.action import ActionClass

PREFIX = "aws:"
HOST_LENGTH_MAX = 253
LABELS_MAX = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One service of the index. `protocols` are in botocore's order of preference."""

    name: str
    signing_name: str
    protocols: tuple[str, ...]
    version: str
    target: str
    classes: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What a host name says: candidate services (largest first), region, and what stands before their own host."""

    services: tuple[str, ...]
    region: str
    prefix: str
    template: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """The whole index, parsed."""

    services: Mapping[str, Service]
    hosts: Mapping[str, str]
    regions: Mapping[str, str]
    signing: Mapping[str, str]
    region_pattern: re.Pattern[str]
    suffixes: tuple[str, ...]


@cache
def load() -> Index:
    """Read `index.json` from the package, once."""
    raw = json.loads(files(__package__).joinpath("index.json").read_bytes())
    services = {
        name: Service(
            name=name,
            signing_name=row["sign"],
            protocols=tuple(row["protocols"]),
            version=row["version"],
            target=row["target"],
            classes=row["classes"],
        )
        for name, row in raw["services"].items()
    }
    patterns = "|".join(f"(?:{pattern})" for pattern, _, _ in raw["partitions"])
    return Index(
        services=services,
        hosts=raw["hosts"],
        regions=raw["regions"],
        signing=raw["signing"],
        region_pattern=re.compile(patterns, re.ASCII),
        suffixes=tuple(dict.fromkeys(suffix for row in raw["partitions"] for suffix in row[1:])),
    )


@cache
def _classes(service: str) -> Mapping[str, frozenset[ActionClass]]:
    found = load().services.get(service)
    table: dict[str, frozenset[ActionClass]] = {}
    for names, operations in found.classes.items() if found else ():
        classes = frozenset(ActionClass(name) for name in names.split(","))
        table.update(dict.fromkeys(operations.split(), classes))
    return table


def classes_of(operation: str) -> frozenset[ActionClass] | None:
    """Classes of `aws:SERVICE:OPERATION` before its parameters are known; None where botocore has no such operation."""
    family, _, rest = operation.partition(":")
    service, _, name = rest.partition(":")
    return _classes(service).get(name) if family == "aws" else None


def operations() -> Iterator[str]:
    """Every operation as `aws:SERVICE:OPERATION`, in order."""
    for service in load().services:
        for name in sorted(_classes(service)):
            yield f"{PREFIX}{service}:{name}"


def has_operation(service: str, name: str) -> bool:
    """Whether a service has an operation of that name."""
    return name in _classes(service)


def services() -> tuple[str, ...]:
    """Every service as an agent's `services` list names it: `aws:SERVICE`."""
    return tuple(PREFIX + name for name in load().services)


def owns(host: str) -> bool:
    """Whether a host belongs to AWS: one of its endpoints, or anything else under their domains."""
    return any(host.endswith("." + suffix) for suffix in load().suffixes) or place(host) is not None


def signing_name(place: Place, service: str) -> str:
    """The service name that requests to this host are signed for."""
    index = load()
    return index.signing.get(place.template) or index.services[service].signing_name


@lru_cache(maxsize=4096)
def place(host: str) -> Place | None:
    """What a host name says, by the longest known name it ends in; None for a host no endpoint rule gives."""
    labels = host.split(".")
    if len(host) > HOST_LENGTH_MAX or len(labels) > LABELS_MAX or not all(labels) or not host.isascii():
        return None
    index = load()
    region = ""
    for position in range(len(labels) - 1, -1, -1):
        if index.region_pattern.fullmatch(labels[position]):
            region = labels[position]
            break
    for start in range(len(labels)):
        tail = ".".join(labels[start:])
        prefix = ".".join(labels[:start])
        found = _lookup(index, tail, prefix, region)
        if found:
            return found
    return None


def _lookup(index: Index, tail: str, prefix: str, region: str) -> Place | None:
    templated = f".{tail}".replace(f".{region}.", ".{r}.", 1)[1:] if region else ""
    for template in (tail, templated):
        own = index.hosts.get(template) if template else None
        if own and (not prefix or _buckets(template)):
            where = index.regions.get(template) or region
            return Place(services=tuple(own.split()), region=where, prefix=prefix, template=template)
        starred = index.hosts.get(f"*.{template}") if template and prefix and "." not in prefix else None
        if starred:
            where = index.regions.get(f"*.{template}") or region
            return Place(services=tuple(starred.split()), region=where, prefix=prefix, template=f"*.{template}")
    return None


def _buckets(template: str) -> bool:
    """Whether any name may stand before this host: S3's buckets."""
    return template.split(".", 1)[0] in ("s3", "s3-fips")
