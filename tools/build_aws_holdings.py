"""Builds `src/comptroller/decode/aws/holdings.tsv`: for each kind of thing that AWS operations make, how its names are
read from their answer, and which operations stop, delete and look at it. From the reviewed table first, then from
botocore's models by shape. Deterministic. `--check` compares instead of writing and ends with 1 where they differ.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from comptroller.core.action import ActionClass
from comptroller.decode.aws import index
from comptroller.decode.aws.model_source import Shape, members, operation
from comptroller.decode.aws.reviewed.holdings import KINDS, NO_HOLDING, SKIPPED, STARTED, Kind

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "src/comptroller/decode/aws/holdings.tsv"
DEPTH_MAX = 4
NOT_OWN = re.compile(r"source|parent|unprocessed|failed|error|destination|previous", re.IGNORECASE)
"""Members that speak of another thing than the one that was made, or of what was not made."""
PARTS = ("arn", "id", "name", "identifier")

MAKING = ("Create", "Run", "Restore", "Copy", "Import", "Clone", "Allocate", "Request", "Launch", "Provision")
STARTING = ("Start", "Submit", "Resume")
DELETING = ("Delete", "Terminate", "Release", "Destroy", "Cancel", "Remove", "Deregister")
STOPPING = ("Stop", "Pause", "Suspend", "Cancel", "Terminate", "End", "Abort")
LOOKING = ("Describe", "Get", "Describe|s", "Get|s", "BatchGet|s", "List|s")
JOB_NOUNS = re.compile(
    r"(Job|JobRun|Run|Task|Execution|Query|Build|Command|Session|Import|Export|Evaluation|Analysis|Scan|Crawler"
    r"|Workflow|Detection|Search|Replication|Recommendation|Simulation|Experiment)s?$"
)
STATES = ("Status", "State", "LifecycleState", "LifecycleStatus", "StatusCode", "JobStatus", "JobRunState")


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """A text in a shape: its path, and what stands in it."""

    path: str
    names: tuple[str, ...]

    @property
    def name(self) -> str:
        """Its own member, lower-case."""
        return self.names[-1].lower()

    @property
    def own(self) -> bool:
        """Whether it is of what is made, not of what that was made from."""
        return not any(NOT_OWN.search(name) for name in self.names[:-1])

    @property
    def joined(self) -> str:
        """Its parent and itself as one name: `cluster.name` is `clustername`."""
        parent = self.names[-2].lower() if len(self.names) > 1 else ""
        return (parent[:-1] if parent.endswith("s") else parent) + self.name


@dataclass(slots=True, kw_only=True)
class Found:
    """A kind as it is written into the table."""

    names: list[str]
    delete: list[Any] | None = None
    stop: list[Any] | None = None
    look: list[Any] | None = None
    state: list[str] = field(default_factory=list)
    job: bool = False


def kebab(noun: str) -> str:
    """`DBInstance` -> `db-instance`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", noun).lower()


def leaves(shape: Shape | None, prefix: tuple[str, ...] = (), depth: int = 0) -> Iterator[Leaf]:
    """Every text a shape can hold, nearest the top first."""
    if shape is None or depth > DEPTH_MAX or shape.type_name != "structure":
        return
    deeper: list[tuple[Shape, tuple[str, ...]]] = []
    for name, member in members(shape).items():
        inner = member
        while inner.type_name == "list":
            inner = inner.member
        if inner.type_name in ("string", "integer", "long"):
            yield Leaf(path=".".join((*prefix, name)), names=(*prefix, name))
        elif inner.type_name == "structure":
            deeper.append((inner, (*prefix, name)))
    for inner, names in deeper:
        yield from leaves(inner, names, depth + 1)


def texts(service: str, name: str) -> dict[str, Shape]:
    """Top-level members of an input that take one text or a list of texts."""
    shape = operation(service, name).input
    if shape is None:
        return {}
    return {
        key: member
        for key, member in members(shape).items()
        if member.type_name == "string" or (member.type_name == "list" and member.member.type_name == "string")
    }


def required(service: str, name: str) -> list[str]:
    """Members an operation cannot do without, without those that only tell calls apart."""
    op = operation(service, name)
    return [one for one in (op.input.required_members if op.input is not None else ()) if one not in op.tokens]


class Sources:
    """Where the values that name what an operation makes can be read: its answer, else its request."""

    def __init__(self, service: str, name: str, noun: str) -> None:
        model = operation(service, name).model
        self.noun = noun.lower()
        self.out = sorted(leaves(model.output_shape), key=lambda leaf: len(leaf.names))
        self.given = texts(service, name)

    def of(self, member: str, shape: Shape) -> str | None:
        """The source of one member of another operation; `$Name` is a member of the request."""
        low, many = member.lower(), shape.type_name == "list"
        pattern = str((shape.member if many else shape).metadata.get("pattern", "arn"))
        wanted = [low.removesuffix("s"), re.sub(r"ies$", "y", low), low.removesuffix("list"), low] if many else [low]
        for one in dict.fromkeys(wanted):
            for names in self._spellings(one, arn=_takes_arn(pattern)):
                for leaf in self.out:
                    if names(leaf) and (leaf.own or NOT_OWN.search(low)):
                        return leaf.path
        for one in dict.fromkeys(wanted):
            for key, shape in self.given.items():
                if shape.type_name == "string" and key.lower() in (one, one.removeprefix(self.noun)):
                    return f"${key}"
        return None

    def _spellings(self, one: str, *, arn: bool) -> Iterator[Callable[[Leaf], bool]]:
        """Ways in which an answer may call what an operation calls `one`, the surest first."""
        yield lambda leaf: one in (leaf.name, leaf.joined)
        if one in PARTS:
            yield lambda leaf: leaf.name == self.noun + one
        if one in {self.noun + part for part in PARTS}:
            yield lambda leaf: leaf.name == one.removeprefix(self.noun) and len(leaf.names) <= 2
        stem = one.removesuffix("identifier")
        if stem not in (one, ""):
            yield from (partial(_is_named, stem + part) for part in ("arn", "id", "name") if arn or part != "arn")
        if one in ("identifier", self.noun, f"{self.noun}identifier", "resourcearn", "resourceidentifier"):
            for part in ("arn", "id", "identifier", "name")[0 if arn else 1 :]:
                yield partial(_is_near, (part, self.noun + part))


def _takes_arn(pattern: str) -> bool:
    """Whether a member that is written so may be an ARN."""
    try:
        return "arn" in pattern or re.fullmatch(pattern, "arn:aws:service:us-east-1:123456789012:thing/a-1") is not None
    except re.error:
        return True


def _is_named(name: str, leaf: Leaf) -> bool:
    return leaf.name == name


def _is_near(names: tuple[str, ...], leaf: Leaf) -> bool:
    return leaf.name in names and len(leaf.names) <= 2


def arguments(
    service: str, name: str, sources: Sources, allowed: Sequence[str] | None
) -> tuple[list[str], dict[str, Any]] | None:
    """The sources an operation needs and which member takes which of them; None where one cannot be had."""
    given = texts(service, name)
    need = required(service, name)
    if any(member not in given for member in need):
        return None
    if not need and allowed is None:
        need = [member for member in given if _naming(member, sources.noun)][:1]
    elif not need and allowed is not None:
        plain = [one for one in given if one.lower().removesuffix("s") not in ("nexttoken", "marker")]
        need = [one for one in plain if sources.of(one, given[one]) in allowed][:1]
    if not need:
        return None
    used: list[str] = [] if allowed is None else list(allowed)
    out: dict[str, Any] = {}
    for member in need:
        source = sources.of(member, given[member])
        if source is None or (allowed is not None and source not in allowed):
            return None
        if source not in used:
            used.append(source)
        place = f"{{{used.index(source)}}}"
        out[member] = [place] if given[member].type_name == "list" else place
    return used, out


def _naming(member: str, noun: str) -> bool:
    low = member.lower().removesuffix("s")
    return low in {noun + part for part in ("", "id", "arn", "name", "identifier")} | {"id", "arn", "name"}


def candidates(verbs: Sequence[str], noun: str) -> Iterator[str]:
    """Names that an operation upon this noun may have."""
    plural = re.sub(r"(?<=[^aeiou])y$", "ie", noun) + ("es" if noun.endswith("s") else "s")
    for verb in verbs:
        head, many, _ = verb.partition("|")
        if not many:
            yield head + noun
    for verb in verbs:
        yield verb.partition("|")[0] + plural


def state_of(service: str, name: str, noun: str, ids: Sequence[str]) -> list[str]:
    """[path of the item, member that names it, path of its state] in the answer of a look; what is not there is ''."""
    shape = operation(service, name).model.output_shape
    if shape is None:
        return ["", "", ""]
    tails = [one.rpartition(".")[2].removeprefix("$").lower() for one in ids]
    for path, item in _items(shape):
        names = {key.lower(): key for key in members(item)}
        own = next((names[tail] for tail in tails if tail in names), "")
        state = _state(item, noun)
        if own or (state and "[]" not in path):
            return [path, own, state]
    return ["", "", ""]


def _items(shape: Shape) -> Iterator[tuple[str, Shape]]:
    """Structures that may be the thing itself: the answer, its members, items of its lists, and of lists in those."""
    level: list[tuple[str, Shape]] = [("", shape)]
    for _ in range(3):
        following: list[tuple[str, Shape]] = []
        yield from level
        for path, structure in level:
            for name, member in members(structure).items():
                at = f"{path}.{name}" if path else name
                if member.type_name == "structure" and "[]" not in path:
                    following.append((at, member))
                elif member.type_name == "list" and member.member.type_name == "structure":
                    following.append((f"{at}[]", member.member))
        level = following


def _state(item: Shape, noun: str) -> str:
    found = members(item)
    low = {key.lower(): key for key in found}
    for wanted in (f"{noun.lower()}status", f"{noun.lower()}state", *(one.lower() for one in STATES)):
        key = low.get(wanted)
        if key is None:
            continue
        if found[key].type_name == "string":
            return key
        if found[key].type_name == "structure":
            inner = {one.lower(): one for one, member in members(found[key]).items() if member.type_name == "string"}
            for one in ("name", "code", "state", "status"):
                if one in inner:
                    return f"{key}.{inner[one]}"
    return ""


def by_shape(service: str, name: str) -> tuple[str, Found] | None:
    """The kind an operation makes, read from the models alone."""
    verb = next((one for one in (*MAKING, *STARTING) if re.match(one + r"(?=[A-Z0-9])", name)), None)
    if verb is None:
        return None
    for noun in _nouns(name.removeprefix(verb), verb):
        found = _kind(service, name, noun, job=verb in STARTING or JOB_NOUNS.search(noun) is not None)
        # A name out of the request is that of a new thing only where it is created.
        if found is not None and (verb == "Create" or not found.names[-1].startswith("$")):
            return noun, found
    return None


def started(service: str, name: str, kinds: Mapping[str, Any]) -> tuple[str, list[str]] | None:
    """The kind that an operation starts again after it was stopped, and where its names stand."""
    verb = next((one for one in STARTING if re.match(one + r"(?=[A-Z0-9])", name)), None)
    for noun in _nouns(name.removeprefix(verb), verb) if verb else ():
        kind = kinds.get(kebab(noun))
        if kind is None or "stop" not in kind or kind.get("job"):
            continue
        given = texts(service, name)
        arguments = kind["stop"][1]
        if all(member in given and value in ("{0}", ["{0}"], "{1}") for member, value in arguments.items()):
            order = sorted(arguments, key=lambda member: str(arguments[member]))
            return kebab(noun), [f"${member}" for member in order]
    return None


def _nouns(stem: str, verb: str) -> Iterator[str]:
    yield stem
    if stem.endswith("s") and not stem.endswith("ss"):
        yield stem[:-1]
    for part in ("From", "To", "With", "ReadReplica", "V2", "Using", "By"):
        head, found, _ = stem.partition(part)
        if found and head:
            yield head


def _kind(service: str, maker: str, noun: str, *, job: bool) -> Found | None:
    sources = Sources(service, maker, noun)
    delete = _way(service, DELETING[:2] if job else DELETING, noun, sources, None)
    allowed = delete[0] if delete else None
    look = _way(service, LOOKING[:2], noun, sources, allowed) or _way(service, LOOKING[2:5], noun, sources, allowed)
    allowed = allowed or (look[0] if look else None)
    stop = _way(service, STOPPING if job else STOPPING[:3], noun, sources, allowed)
    allowed = allowed or (stop[0] if stop else None)
    if allowed is None or (delete is None and stop is None):
        return None
    found = Found(names=list(allowed), job=job)
    found.delete = delete[1] if delete else None
    found.stop = stop[1] if stop else None
    if look:
        found.look = look[1]
        found.state = state_of(service, look[1][0], noun, allowed)
    return found


def _way(
    service: str, verbs: Sequence[str], noun: str, sources: Sources, allowed: Sequence[str] | None
) -> tuple[list[str], list[Any]] | None:
    for name in candidates(verbs, noun):
        if index.has_operation(service, name):
            fit = arguments(service, name, sources, allowed)
            if fit is not None:
                return fit[0], [name, fit[1]]
    return None


def reviewed_kind(kind: Kind) -> Found:
    """A kind as the reviewed table has it."""
    found = Found(names=[], job=kind.job)
    found.delete = [kind.delete[0], dict(kind.delete[1])] if kind.delete else None
    found.stop = [kind.stop[0], dict(kind.stop[1])] if kind.stop else None
    found.look = [kind.look[0], dict(kind.look[1])] if kind.look else None
    found.state = list(kind.state)
    return found


def row(found: Found, extra: Mapping[str, Any]) -> dict[str, Any]:
    """One kind as JSON, without what is empty."""
    out: dict[str, Any] = {}
    for name in ("delete", "stop", "look"):
        if getattr(found, name):
            out[name] = getattr(found, name)
    if any(found.state):
        out["state"] = found.state
    if found.job:
        out["job"] = 1
    return {**out, **extra}


def build() -> dict[str, dict[str, Any]]:
    """service -> {kinds, makers}."""
    table: dict[str, dict[str, Any]] = {}
    done: set[str] = set()
    for kind in KINDS:
        for service in kind.services.split():
            own = table.setdefault(service, {"kinds": {}, "makers": {}})
            own["kinds"][kind.name] = row(reviewed_kind(kind), dict(kind.extra))
            for name, arguments in (way for way in (kind.delete, kind.stop, kind.look) if way):
                missing = arguments.keys() - members(operation(service, name).input).keys()
                if missing:
                    raise SystemExit(f"{service}:{name} has no {', '.join(sorted(missing))}")
            for name, sources in kind.makers.items():
                if not index.has_operation(service, name):
                    continue
                own["makers"].setdefault(name, []).append([kind.name, list(sources), *kind.flags(name)])
                done.add(f"{index.PREFIX}{service}:{name}")
    shaped = [
        text.split(":")
        for text in sorted(index.operations())
        if ActionClass.PROVISION in (index.classes_of(text) or frozenset()) and text not in done | SKIPPED | NO_HOLDING
    ]
    for _, service, name in sorted(shaped, key=lambda one: not one[2].startswith("Create")):
        own = table.setdefault(service, {"kinds": {}, "makers": {}})
        again = started(service, name, own["kinds"])
        if again is not None:
            own["makers"][name] = [[again[0], again[1], STARTED]]
            continue
        made = by_shape(service, name)
        if made is None:
            continue
        noun, found = made
        known = own["kinds"].setdefault(kebab(noun), row(found, {}))
        if known.keys() & {"delete", "stop"} and _fits(known, len(found.names)) and _same(known, row(found, {})):
            own["makers"][name] = [[kebab(noun), found.names, *_before(service, name, found.names[-1])]]
    for service in [one for one, own in table.items() if not own["makers"]]:
        del table[service]
    for own in table.values():
        used = {made[0] for rows in own["makers"].values() for made in rows}
        own["kinds"] = {name: kind for name, kind in own["kinds"].items() if name in used}
    return table


def _before(service: str, name: str, source: str) -> list[str]:
    """The flag of an operation that starts what its request names already."""
    asked = {member.lower() for member in texts(service, name)}
    known = source.rpartition(".")[2].removeprefix("$").lower() in asked
    return [STARTED] if known and name.startswith(STARTING) else []


def _fits(kind: Mapping[str, Any], count: int) -> bool:
    """Whether a kind is named by this many names."""
    told = json.dumps([kind.get(way) for way in ("delete", "stop", "look")])
    return f"{{{count - 1}}}" in told and f"{{{count}}}" not in told


def _same(known: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two operations lead to the same orders; the reviewed table may know more."""
    return all(known.get(way, other[way])[0] == other[way][0] for way in ("delete", "stop") if way in other)


def written(table: Mapping[str, Mapping[str, Any]]) -> str:
    """The table as text: a service a line."""
    lines = []
    for service in sorted(table):
        own = {part: dict(sorted(rows.items())) for part, rows in table[service].items()}
        lines.append(f"{service}\t{json.dumps(own, separators=(',', ':'))}\n")
    return "".join(lines)


def main() -> int:
    """Write the table, or compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    text = written(build())
    if not options.check:
        TABLE.write_text(text, "utf-8")
        return 0
    same = TABLE.read_text("utf-8") == text
    print("equal" if same else "differs: run tools/build_aws_holdings.py")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
