"""What AWS operations make that lives on: the shipped table of kinds, read by service, and names in answers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import quote, unquote

from comptroller.core.action import Action, Value
from comptroller.core.made import Made, Way
from comptroller.decode.aws import index

MADE_MAX = 1000
NAME_CHARACTERS_MAX = 2048
ALSO, STARTED, WITHIN = "+", "s", "0"

_PLACE = re.compile(r"\{(\d)\}")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Kind:
    """One kind of thing: the operation and arguments of each way, and where a look shows it.

    In arguments `{0}` stands for its first name. `zero` are members that are all 0 or empty when it is stopped, `held`
    one that must be gone as well; `words` says what a state means where the common words do not. `fresh`: creating it
    succeeds where it exists; only this member with this value says that it did not.
    """

    name: str
    service: str
    ways: Mapping[Way, tuple[str, Mapping[str, Any]]]
    item: str
    own: str
    state: str
    job: bool
    zero: tuple[str, ...]
    held: str
    lower: bool
    short: bool
    by_arn: bool
    words: Mapping[str, str]
    fresh: tuple[str, str] | None

    def resource(self, names: Sequence[str]) -> str:
        """Its names as one text, each spelled as its service spells it."""
        spelled = [self.spelled(name) for name in names]
        return spelled[0] if len(spelled) == 1 else "/".join(quote(name, safe=":") for name in spelled)

    def names(self, resource: str) -> list[str]:
        """The names in such a text."""
        return [resource] if self.count == 1 else [unquote(part) for part in resource.split("/")]

    @property
    def count(self) -> int:
        """How many names it takes."""
        text = json.dumps([arguments for _, arguments in self.ways.values()])
        return 1 + max((int(found) for found in _PLACE.findall(text)), default=0)

    def spelled(self, name: str) -> str:
        """One name as the table means it: without its ARN where the service takes plain names."""
        if name.startswith("arn:") and (self.short or not self.by_arn):
            own = name.split(":", 5)[-1]
            parts = re.split(r"[:/]", own)
            name = parts[1] if parts[0] == "stack" and len(parts) > 1 else parts[-1]
        return name.lower() if self.lower else name

    def arguments(self, way: Way, names: Sequence[str]) -> dict[str, Value]:
        """What the operation of a way is called with."""
        filled = _filled(self.ways[way][1], names)
        return filled if isinstance(filled, dict) else {}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Maker:
    """What one operation makes: a kind, where its names stand, and flags."""

    kind: Kind
    sources: tuple[str, ...]
    flags: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Table:
    """All that is known of one service."""

    kinds: Mapping[str, Kind]
    makers: Mapping[str, tuple[Maker, ...]]


@cache
def _lines() -> Mapping[str, str]:
    text = files(__package__).joinpath("holdings.tsv").read_text(encoding="utf-8")
    return dict(line.split("\t", 1) for line in text.splitlines())


@cache
def table(service: str) -> Table:
    """The kinds and makers of a service; an empty table where it makes nothing that lasts."""
    raw = json.loads(_lines().get(service, '{"kinds":{},"makers":{}}'))
    sources: dict[str, str] = {}
    for rows in raw["makers"].values():
        for row in rows:
            sources.setdefault(row[0], str(row[1][0]))
    kinds = {name: _kind(service, name, row, sources.get(name, "")) for name, row in raw["kinds"].items()}
    makers = {
        name: tuple(
            Maker(kind=kinds[row[0]], sources=tuple(row[1]), flags=row[2] if len(row) > 2 else "") for row in rows
        )
        for name, rows in raw["makers"].items()
    }
    return Table(kinds=kinds, makers=makers)


def _kind(service: str, name: str, row: Mapping[str, Any], source: str) -> Kind:
    item, own, state = row.get("state", ("", "", ""))
    return Kind(
        name=name,
        service=service,
        ways={way: (row[way.value][0], row[way.value][1]) for way in Way if way.value in row},
        item=item,
        own=own,
        state=state,
        job="job" in row,
        zero=tuple(row.get("zero", ())),
        held=row.get("held", ""),
        lower="lower" in row,
        short="short" in row,
        by_arn=source.lower().endswith("arn"),
        words=row.get("words", {}),
        fresh=tuple(row["fresh"]) if "fresh" in row else None,
    )


def kind_of(made: Made) -> Kind | None:
    """The kind of a thing; None where the table has none of that name."""
    family, _, rest = made.kind.partition(":")
    service, _, name = rest.partition(":")
    return table(service).kinds.get(name) if family == "aws" else None


def lasting(action: Action, response: Any) -> tuple[Made, ...]:
    """What an accepted call made, by the names in its answer. Never raises; where a name is missing, nothing."""
    service, _, name = action.operation.removeprefix(index.PREFIX).partition(":")
    out: list[Made] = []
    done = False
    for maker in table(service).makers.get(name, ()):
        if done and ALSO not in maker.flags:
            continue
        rows = [row for row in _rows(response, maker.sources, action.parameters) if all(map(_plain, row))]
        rows = [list(row) for row in dict.fromkeys(map(tuple, rows))][:MADE_MAX]
        done = done or bool(rows)
        created = STARTED not in maker.flags and _is_fresh(maker.kind, response)
        for number, row in enumerate(rows):
            out.append(
                Made(
                    kind=f"{index.PREFIX}{service}:{maker.kind.name}",
                    resource=maker.kind.resource(row),
                    account=action.account,
                    region=action.region,
                    endpoint=action.endpoint,
                    share=0 if WITHIN in maker.flags else _share(action.quantity, len(rows), number),
                    created=created,
                )
            )
    return tuple(out)


def _is_fresh(kind: Kind, response: Any) -> bool:
    if kind.fresh is None:
        return True
    said = list(_texts(response, kind.fresh[0].split(".")))
    return bool(said) and all(one == kind.fresh[1] for one in said)


def _share(quantity: int, count: int, number: int) -> int:
    """How many of the quantity the thing of this number stands for: shares add up to it, and each has one at least."""
    whole, rest = divmod(max(quantity, count), count)
    return whole + (number < rest)


def _plain(name: str) -> bool:
    return 0 < len(name) <= NAME_CHARACTERS_MAX and name.isprintable()


def _rows(response: Any, sources: Sequence[str], given: Mapping[str, Value]) -> Iterator[list[str]]:
    """For each thing its names in order; a thing that lacks one is left out."""
    paths = [one.split(".") for one in sources if not one.startswith("$")]
    asked = [given.get(one[1:]) for one in sources if one.startswith("$")]
    if not all(isinstance(value, str) for value in asked):
        return
    for found in _things(response, paths) if paths else iter([[]]):
        answered, said = iter(found), iter(asked)
        yield [str(next(said)) if one.startswith("$") else next(answered) for one in sources]


def _things(value: Any, paths: Sequence[Sequence[str]]) -> Iterator[list[str]]:
    if isinstance(value, list):
        for item in value:
            yield from _things(item, paths)
    elif isinstance(value, dict):
        heads = {path[0] for path in paths}
        if len(heads) == 1 and all(len(path) > 1 for path in paths):
            yield from _things(value.get(heads.pop()), [path[1:] for path in paths])
            return
        columns = [list(_texts(value, path)) for path in paths]
        if len(columns) == 1:
            yield from ([name] for name in columns[0])
        elif all(len(column) == 1 for column in columns):
            yield [column[0] for column in columns]


def _texts(value: Any, path: Sequence[str]) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _texts(item, path)
    elif path and isinstance(value, dict):
        yield from _texts(value.get(path[0]), path[1:])
    elif not path and isinstance(value, str | int) and not isinstance(value, bool):
        yield str(value)


def _filled(template: Any, names: Sequence[str]) -> Value:
    if isinstance(template, str):
        return _PLACE.sub(lambda found: names[int(found[1])], template)
    if isinstance(template, Mapping):
        return {key: _filled(value, names) for key, value in template.items()}
    if isinstance(template, list):
        return [_filled(value, names) for value in template]
    return template


def named(template: Any, given: Value, names: dict[int, list[str]]) -> bool:
    """Collects into `names` what stands in a call's parameters where the template has names.

    False where another part of the template, a number or a flag, says something else."""
    if isinstance(template, str):
        place = _PLACE.fullmatch(template)
        if place is not None and isinstance(given, str):
            names.setdefault(int(place[1]), []).append(given)
        return True
    if isinstance(template, Mapping):
        inner = given if isinstance(given, Mapping) else {}
        told = [named(value, inner.get(key), names) for key, value in template.items()]
        return all(told)
    if isinstance(template, list):
        items = given if isinstance(given, list) else []
        told = [named(template[0], item, names) for item in items]
        return all(told)
    return type(template) is type(given) and template == given
