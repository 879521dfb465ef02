"""Where something stands in a request (`/amount/value`, `form:to`, `path:id`), read without ambiguity."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from comptroller.core.action import Value
from comptroller.decode.shape import Undecodable

PLACE_FORMS = (
    "`/json/pointer`, `form:NAME`, `query:NAME`, `path:NAME`, `header:NAME`, `NAME` (any of body and query), `=text`"
)
PLACE_CHARACTERS_MAX = 256
FOUND_MAX = 1000

_KINDS: Mapping[str, Literal["form", "query", "path", "header"]] = {
    "form": "form",
    "query": "query",
    "path": "path",
    "header": "header",
}
_NAMED = re.compile(r"(form|query|path|header):([\x21-\x7e]{1,200})")
_BARE = re.compile(r"[A-Za-z_][A-Za-z0-9_.\[\]-]{0,127}")


class MalformedPlace(ValueError):
    """Text that names no place in a request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One place. `steps` are the tokens of a JSON pointer (`*` stands for each member of a list), or one name."""

    kind: Literal["json", "form", "query", "path", "header", "any", "text"]
    steps: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Place:
        """The place that `text` names. Raises `MalformedPlace`."""
        if not text or len(text) > PLACE_CHARACTERS_MAX:
            raise MalformedPlace(f"`{text[:40]}` names no place")
        if text.startswith("/"):
            steps = tuple(step.replace("~1", "/").replace("~0", "~") for step in text[1:].split("/"))
            if "" in steps:
                raise MalformedPlace(f"`{text}` has an empty step")
            return cls(kind="json", steps=steps)
        if text.startswith("="):
            return cls(kind="text", steps=(text[1:],))
        if (named := _NAMED.fullmatch(text)) is not None:
            kind, name = named[1], named[2]
            return cls(kind=_KINDS[kind], steps=(name.lower() if kind == "header" else name,))
        if _BARE.fullmatch(text):
            return cls(kind="any", steps=(text,))
        raise MalformedPlace(f"`{text}` names no place")

    @property
    def many(self) -> bool:
        """True where it may stand for several values."""
        return self.kind == "json" and "*" in self.steps

    @property
    def name(self) -> str:
        """The last step: what the member is called."""
        return self.steps[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fields:
    """What a request says, by where it says it. `json` is None where the body is none."""

    json: Value = None
    form: Mapping[str, Sequence[str]] | None = None
    query: Mapping[str, Sequence[str]]
    path: Mapping[str, str]
    headers: Mapping[str, str]

    def all(self, place: Place) -> tuple[Value, ...]:
        """Every value at `place`; none where it is absent. Raises `Undecodable` where it could be read in two ways."""
        match place.kind:
            case "text":
                return place.steps
            case "path":
                found = self.path.get(place.name)
                return () if found is None else (found,)
            case "header":
                found = self.headers.get(place.name)
                return () if found is None else (found,)
            case "query":
                self._refuse_elsewhere(place, self.query)
                return _one(self.query, place.name)
            case "form":
                if self.form is None:
                    return ()
                self._refuse_elsewhere(place, self.form)
                return _one(self.form, place.name)
            case "json":
                return self._json(place)
            case "any":
                return self._any(place.name)

    def one(self, place: Place) -> Value:
        """The value at `place`, or None. Raises `Undecodable` where there are several."""
        found = self.all(place)
        if len(found) > 1:
            raise Undecodable(f"`{place.name}` is there {len(found)} times")
        return found[0] if found else None

    def _json(self, place: Place) -> tuple[Value, ...]:
        self._refuse_elsewhere(place, None)
        found = tuple(_walk(self.json, place.steps))
        if len(found) > FOUND_MAX:
            raise Undecodable(f"more than {FOUND_MAX} members `{place.name}`")
        return found

    def _any(self, name: str) -> tuple[Value, ...]:
        carriers = [_one(self.query, name), _one(self.form or {}, name)]
        if isinstance(self.json, Mapping):
            carriers.append(tuple(_walk(self.json, (name,))))
        found = [values for values in carriers if values]
        if len(found) > 1:
            raise Undecodable(f"`{name}` is in the query and in the body")
        return found[0] if found else ()

    def _refuse_elsewhere(self, place: Place, own: Mapping[str, Sequence[str]] | None) -> None:
        """A second carrier of the same name: a server might read that one."""
        others: list[Mapping[str, object]] = [self.query]
        if self.form is not None:
            others.append(self.form)
        if place.kind != "json" and isinstance(self.json, Mapping):
            others.append(self.json)
        wanted = {folded(place.name), folded(place.steps[0])} - {"*"}
        for carrier in others:
            if carrier is not own and any(_base(name) in wanted for name in carrier):
                raise Undecodable(f"`{place.name}` may be read from two places")


def folded(name: str) -> str:
    """How the most careless server might compare a name."""
    return unicodedata.normalize("NFKC", name).strip().casefold()


def _base(name: str) -> str:
    """`amount[0]` and `amount.value` are `amount` to some frameworks."""
    return folded(re.split(r"[\[.]", name, maxsplit=1)[0])


def _one(carrier: Mapping[str, Sequence[str]], name: str) -> tuple[Value, ...]:
    wanted = folded(name)
    plain = not re.search(r"[\[.]", name)
    for other in carrier:
        if other != name and (folded(other) == wanted or (plain and _base(other) == wanted)):
            raise Undecodable(f"`{name}` is written in another way beside, or in place of, its own name")
    found = carrier.get(name, ())
    if len(found) > 1:
        raise Undecodable(f"`{name}` is there {len(found)} times")
    return tuple(found)


def _walk(value: Value, steps: tuple[str, ...]) -> Iterator[Value]:
    if not steps:
        yield value
        return
    step, rest = steps[0], steps[1:]
    if step == "*":
        if isinstance(value, Sequence) and not isinstance(value, str | bytes):
            for member in value:
                yield from _walk(member, rest)
        elif value is not None:
            raise Undecodable(f"a list is expected where `{'/'.join(steps)}` is looked for")
        return
    if isinstance(value, Mapping):
        wanted = folded(step)
        if any(name != step and folded(name) == wanted for name in value):
            raise Undecodable(f"`{step}` is written in another way beside, or in place of, its own name")
        if step in value:
            yield from _walk(value[step], rest)
    elif value is not None:
        raise Undecodable(f"`{step}` is looked for where there is no object")
