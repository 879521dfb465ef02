"""The shipped index of published operations: one service is unpacked when the first request for it arrives."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

from comptroller.core.action import ActionClass
from comptroller.decode.gcp.reading import camel

PREFIX = "gcp:"
SEGMENTS_MAX = 48
STEPS_MAX = 4096
"""A path that needs more steps than this to be matched is matched by nothing."""
SERVICES_CACHED_MAX = 64

Classes = frozenset[ActionClass]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One published operation. `dry` is the member that makes it do nothing (`?name` in the query), or empty; `asks`
    are the members that it takes in its query, where it may have a body."""

    service: str
    name: str
    classes: Classes
    dry: str
    asks: frozenset[str] = frozenset()

    @property
    def text(self) -> str:
        """`gcp:compute:instances.insert`."""
        return f"{PREFIX}{self.service}:{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """An operation, and how its path was read: `prefix` (`compute/v1/`), `resource` (`projects/p/zones/z/instances`)
    and the values of the variables in it."""

    operation: Operation
    prefix: str
    resource: str
    values: tuple[str, ...]


@dataclass(slots=True, kw_only=True)
class _Node:
    literal: dict[str, _Node] = field(default_factory=dict)
    one: dict[str, _Node] = field(default_factory=dict)
    many: dict[str, _Node] = field(default_factory=dict)
    here: dict[str, list[tuple[int, int]]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One service, ready to match. `procedures` are its gRPC names."""

    name: str
    prefixes: tuple[str, ...]
    sets: tuple[frozenset[str], ...]
    operations: tuple[Operation, ...]
    procedures: Mapping[str, tuple[int, ...]]
    root: _Node


@cache
def directory() -> Mapping[str, Any]:
    """Hosts and where each service lies in the container."""
    found: Mapping[str, Any] = json.loads(files(__package__).joinpath("data/directory.json").read_bytes())
    return found


def _unpack(place: Sequence[int]) -> Any:
    start, length = place
    packed = files(__package__).joinpath("data/services.bin").read_bytes()
    return json.loads(zlib.decompress(packed[start : start + length]))


@lru_cache(maxsize=SERVICES_CACHED_MAX)
def service(name: str) -> Service | None:
    """A service by its name in the discovery documents; None where there is none."""
    place = directory()["services"].get(name)
    if place is None:
        return None
    body = _unpack(place)
    root = _Node()
    operations: list[Operation] = []
    asked = [camel(member) for member in body["asked"]]
    always = frozenset(camel(member) for member in body["asks"])
    sets: dict[tuple[int, ...], frozenset[str]] = {}
    for number, (identity, classes, dry, paths, asks) in enumerate(body["operations"]):
        # Most operations of a service take the same members: one set serves them all.
        taken = sets.setdefault(tuple(asks), always.union(asked[place] for place in asks))
        operations.append(
            Operation(
                service=name,
                name=identity,
                classes=_classes(",".join(classes)),
                dry=dry,
                asks=taken,
            )
        )
        for http, template, where in paths:
            _plant(root, template).here.setdefault(http, []).append((number, where))
    prefixes: list[str] = body["prefixes"]
    return Service(
        name=name,
        prefixes=tuple(sorted(prefixes, key=len, reverse=True)),
        sets=tuple(frozenset(prefixes[number] for number in numbers) for numbers in body["sets"]),
        operations=tuple(operations),
        procedures={procedure: tuple(numbers) for procedure, numbers in body["rpc"].items()},
        root=root,
    )


@cache
def _classes(text: str) -> Classes:
    return frozenset(ActionClass(name) for name in text.split(","))


def _plant(root: _Node, template: str) -> _Node:
    node = root
    for segment in template.split("/") if template else ():
        bare, _, verb = segment.partition(":")
        if bare == "**":
            node = node.many.setdefault(verb, _Node())
        elif bare == "*":
            node = node.one.setdefault(verb, _Node())
        else:
            node = node.literal.setdefault(segment, _Node())
    return node


def find(name: str, http: str, path: str) -> list[Match]:
    """Operations of service `name` that a normalised path without its first slash is, best first.

    Literal segments win over variables, variables over spans; within the same form the first by name. A segment that
    ends in `:verb` is only ever the verb.
    """
    found = service(name)
    if found is None:
        return []
    matches: list[Match] = []
    for prefix in found.prefixes:
        if not path.startswith(prefix):
            continue
        rest = path[len(prefix) :]
        segments = rest.split("/") if rest else []
        if len(segments) > SEGMENTS_MAX or "" in segments:
            continue
        for node, values in _walk(found.root, segments):
            here = [number for number, where in node.here.get(http, ()) if prefix in found.sets[where]]
            matches += [
                Match(operation=found.operations[number], prefix=prefix, resource=rest, values=values)
                for number in here
            ]
            if here:
                break
        if matches:
            break
    return matches


def _walk(root: _Node, segments: Sequence[str]) -> Iterator[tuple[_Node, tuple[str, ...]]]:
    """Every node that the segments lead to, best first, in bounded time."""
    stack: list[tuple[_Node, int, tuple[str, ...]]] = [(root, 0, ())]
    steps = 0
    last = len(segments) - 1
    while stack and steps < STEPS_MAX:
        steps += 1
        node, position, values = stack.pop()
        if position > last:
            yield node, values
            continue
        segment = segments[position]
        bare, _, verb = segment.rpartition(":") if position == last else ("", "", "")
        # Pushed worst first: the best is popped next.
        for many_verb, child in node.many.items():
            for end in reversed(range(position, len(segments))):
                span = segments[position : end + 1]
                if not many_verb and not (end == last and _custom(segments[last])):
                    stack.append((child, end + 1, (*values, "/".join(span))))
                elif many_verb and end == last and segments[last].rpartition(":")[2] == many_verb and ":" in span[-1]:
                    text = "/".join(span)
                    stack.append((child, end + 1, (*values, text[: -len(many_verb) - 1])))
        if (plain := node.one.get("")) is not None and not (position == last and _custom(segment)):
            stack.append((plain, position + 1, (*values, segment)))
        if bare and (child_of := node.one.get(verb)) is not None:
            stack.append((child_of, position + 1, (*values, bare)))
        if (exact := node.literal.get(segment)) is not None:
            stack.append((exact, position + 1, values))


def _custom(segment: str) -> bool:
    """Whether a last segment ends in what the service may read as a verb."""
    return ":" in segment


@cache
def classes_by_service() -> Mapping[str, Mapping[str, Classes]]:
    """Every operation's classes, by service; without any path."""
    return {
        name: {
            operation: _classes(classes) for classes, operations in groups.items() for operation in operations.split()
        }
        for name, groups in _unpack(directory()["classes"]).items()
    }


class _Known(Mapping[str, Classes]):
    """Classes by `gcp:SERVICE:METHOD`, without a copy of every name."""

    def __getitem__(self, operation: str) -> Classes:
        if not operation.startswith(PREFIX):
            raise KeyError(operation)
        service_name, _, name = operation.removeprefix(PREFIX).partition(":")
        return classes_by_service()[service_name][name]

    def __iter__(self) -> Iterator[str]:
        return (f"{PREFIX}{owner}:{name}" for owner, names in classes_by_service().items() for name in names)

    def __len__(self) -> int:
        return sum(len(names) for names in classes_by_service().values())


KNOWN: Mapping[str, Classes] = _Known()
"""Every published operation and the classes it always has."""

_LOCATION = re.compile(r"global|us|eu|uk|ca|in|asia|europe|[a-z]+-[a-z]+\d{1,2}(?:-[a-z])?|nam\d|eur\d|asia\d")
_REGIONAL = re.compile(r"([a-z0-9-]+)\.([a-z0-9-]+)\.rep")
_PRIVATE = re.compile(r"([a-z0-9]+)-[a-z0-9-]{1,63}\.p")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What a host name says: candidate services, and the region it is bound to."""

    services: tuple[str, ...]
    region: str = ""
    shared: bool = False


@lru_cache(maxsize=1024)
def place(host: str) -> Place | None:
    """The services behind a host of Google's; None where it is none of theirs that is published.

    >>> place("us-central1-aiplatform.googleapis.com").region
    'us-central1'
    """
    name = host.removesuffix(".googleapis.com")
    if name == host:
        name = host.removesuffix(".clients6.google.com")
        if name == host:
            return None
    if name.startswith("content-"):
        name = name.removeprefix("content-")
    name = name.removesuffix(".mtls")
    region = ""
    known = directory()["hosts"]
    if name == "www":
        return Place(services=(), shared=True)
    found = _REGIONAL.fullmatch(name.replace(".mtls", ""))
    if found is not None and _LOCATION.fullmatch(found[2]):
        name, region = found[1], found[2]
    elif name not in known and (found := _PRIVATE.fullmatch(name)) is not None:
        name = found[1]
    elif name not in known:
        pieces = name.split("-")
        for cut in range(1, len(pieces)):
            before, after = "-".join(pieces[:cut]), "-".join(pieces[cut:])
            if after in known and _LOCATION.fullmatch(before):
                name, region = after, before
                break
    services = known.get(name)
    return None if services is None else Place(services=tuple(services), region=region)


def shared(path: str) -> tuple[str, ...]:
    """Services that answer at `www.googleapis.com` under this path (without its first slash)."""
    bare = re.sub(r"^(?:resumable/)?(?:upload|download)/", "", path)
    return tuple(directory()["shared"].get(bare.partition("/")[0], ()))
