"""What a CloudFormation template would make: parameters, conditions and functions resolved where they are constant."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from comptroller.core.action import Value
from comptroller.decode.aws.template_text import Doubtful

STEPS_MAX = 100_000
CHARACTERS_PER_STEP = 64
TEXT_CHARACTERS_MAX = 64 << 10
"""A function whose text would be longer is not resolved."""
ITEMS_MAX = 4096
RESOURCES_OF_TEMPLATE_MAX = 500
"""CloudFormation's own limit; more is no template that it takes."""

DYNAMIC = "{{resolve:"
"""How a text begins that CloudFormation looks up elsewhere."""

_HOLE = re.compile(r"\$\{(!?)([^{}]{1,255})\}")
_PSEUDO = "AWS::"


class Unknown:
    """A value that nobody can know before CloudFormation runs."""

    def __repr__(self) -> str:
        return "unknown"


UNKNOWN = Unknown()


class Pointer(str):
    """The name of another resource of the template, `${Name}` or `${Name.Attribute}`: text, but never a number."""

    __slots__ = ()

    @property
    def logical(self) -> str:
        """The logical id it points to."""
        return self[2:-1].partition(".")[0]


class Nothing:
    """`AWS::NoValue`: the member is left out."""


NO_VALUE = Nothing()


class TooMuch(ValueError):
    """A template that would take too long to understand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One resource to be made. `certain` is False where its condition cannot be told; `whole` where its properties
    could be read as an object."""

    logical: str
    kind: str
    properties: Mapping[str, Value]
    certain: bool
    whole: bool


class Template:
    """A template with the values given for its parameters."""

    def __init__(self, document: Mapping[str, Value], given: Mapping[str, Value], pseudo: Mapping[str, str]) -> None:
        """`given` are values of parameters (`UNKNOWN`: a previous one), `pseudo` those of `AWS::Region` and others."""
        self._steps = 0
        self._conditions: dict[str, bool | None] = {}
        self._open: set[str] = set()
        self._pseudo = pseudo
        self._mappings = _mapping(document.get("Mappings"))
        self._tests = _mapping(document.get("Conditions"))
        self._resources = _mapping(document.get("Resources"))
        self._parameters = {
            name: _value_of(row, given, name) for name, row in _mapping(document.get("Parameters")).items()
        }
        self.macros = "Transform" in document or _rewritten(document)
        """Whether something else rewrites the template before it is used."""

    def resources(self) -> Iterator[Resource]:
        """Every resource it may make, in order. Raises `TooMuch`."""
        if len(self._resources) > RESOURCES_OF_TEMPLATE_MAX:
            raise TooMuch(f"more than {RESOURCES_OF_TEMPLATE_MAX} resources")
        for logical, row in self._resources.items():
            resource = _mapping(row)
            test = resource.get("Condition")
            wanted = True if test is None else self.condition(test) if isinstance(test, str) else None
            if wanted is False:
                continue
            properties = self.resolve(resource.get("Properties", {}))
            kind = resource.get("Type")
            yield Resource(
                logical=logical,
                kind=kind if isinstance(kind, str) else "",
                properties=properties if isinstance(properties, Mapping) else {},
                certain=wanted is True,
                whole=isinstance(properties, Mapping),
            )

    def condition(self, name: str) -> bool | None:
        """Whether a named condition holds; None where nobody can tell."""
        if name not in self._conditions:
            if name in self._open or name not in self._tests:
                return None
            self._open.add(name)
            self._conditions[name] = self._test(self._tests[name])
            self._open.discard(name)
        return self._conditions[name]

    def _test(self, value: Value) -> bool | None:
        self._step()
        pair = _function(value)
        if pair is None:
            return None
        name, given = pair
        if name == "Condition":
            return self.condition(given) if isinstance(given, str) else None
        items = list(given) if isinstance(given, Sequence) and not isinstance(given, str) else None
        if items is None:
            return None
        if name == "Fn::Equals" and len(items) == 2:
            one, other = (_text(self.resolve(item)) for item in items)
            return None if one is None or other is None else one == other
        tested = [self._test(item) for item in items]
        match name:
            case "Fn::Not" if len(tested) == 1:
                return None if tested[0] is None else not tested[0]
            case "Fn::And":
                return False if False in tested else None if None in tested else True
            case "Fn::Or":
                return True if True in tested else None if None in tested else False
        return None

    def resolve(self, value: Value, depth: int = 0) -> Value:
        """A value with its functions worked out; `UNKNOWN` where one cannot be. Raises `TooMuch`."""
        self._step()
        if depth > 80:
            return UNKNOWN
        if isinstance(value, Mapping):
            pair = _function(value)
            if pair is not None:
                return self._call(pair[0], pair[1], depth + 1)
            if any(str(key).startswith("Fn::") for key in value):
                return UNKNOWN
            return _without({str(key): self.resolve(member, depth + 1) for key, member in value.items()})
        if isinstance(value, Sequence) and not isinstance(value, str | bytes):
            return [item for item in (self.resolve(member, depth + 1) for member in value) if item is not NO_VALUE]
        return UNKNOWN if isinstance(value, str) and DYNAMIC in value else value

    def _step(self, count: int = 1) -> None:
        self._steps += count
        if self._steps > STEPS_MAX:
            raise TooMuch("too many functions")

    def _used(self, value: Value) -> Value:
        """A constant, paid for by its size: what is named often makes a template large."""
        stack = [value]
        while stack:
            one = stack.pop()
            self._step(1 + (len(one) // CHARACTERS_PER_STEP if isinstance(one, str) else 0))
            if isinstance(one, Mapping):
                stack.extend(one.values())
            elif isinstance(one, list):
                stack.extend(one)
            elif isinstance(one, str) and DYNAMIC in one:
                return UNKNOWN
        return value

    def _call(self, name: str, given: Value, depth: int) -> Value:
        if name == "Ref":
            return self._ref(given)
        if name == "Fn::If":
            return self._choose(given, depth)
        if name == "Fn::Sub":
            return self._sub(given, depth)
        if name == "Fn::GetAtt":
            return self._attribute(given)
        own = _FUNCTIONS.get(name)
        if name == "Fn::FindInMap":
            keys = self.resolve(given, depth)
            return self._find(keys) if isinstance(keys, list) else UNKNOWN
        if own is None:
            return UNKNOWN
        return self._used(own(self.resolve(given, depth)))

    def _ref(self, name: Value) -> Value:
        if not isinstance(name, str):
            return UNKNOWN
        if name == "AWS::NoValue":
            return NO_VALUE
        if name.startswith(_PSEUDO):
            return self._pseudo.get(name) or UNKNOWN
        if name in self._parameters:
            return self._used(self._parameters[name])
        return Pointer("${" + name + "}") if name in self._resources else UNKNOWN

    def _attribute(self, given: Value) -> Value:
        items = given.split(".", 1) if isinstance(given, str) else given
        if not isinstance(items, Sequence) or not items or not all(isinstance(item, str) for item in items):
            return UNKNOWN
        return Pointer("${" + ".".join(items) + "}") if items[0] in self._resources else UNKNOWN

    def _choose(self, given: Value, depth: int) -> Value:
        if not isinstance(given, Sequence) or len(given) != 3 or not isinstance(given[0], str):
            return UNKNOWN
        wanted = self.condition(given[0])
        if wanted is not None:
            return self.resolve(given[1 if wanted else 2], depth)
        one, other = self.resolve(given[1], depth), self.resolve(given[2], depth)
        return one if type(one) is type(other) and one == other else UNKNOWN

    def _sub(self, given: Value, depth: int) -> Value:
        names: Mapping[str, Value] = {}
        text = given
        if isinstance(given, Sequence) and not isinstance(given, str) and len(given) == 2:
            text, names = given[0], _mapping(self.resolve(given[1], depth))
        if not isinstance(text, str):
            return UNKNOWN
        out: list[str] = []
        length = position = 0
        pointer = _HOLE.fullmatch(text)
        for hole in _HOLE.finditer(text):
            self._step()
            out.append(text[position : hole.start()])
            position = hole.end()
            if hole[1]:
                value: Value = "${" + hole[2] + "}"
            elif hole[2] in names:
                value = names[hole[2]]
            else:
                value = self._ref(hole[2]) if "." not in hole[2] else self._attribute(hole[2])
            if pointer is not None and isinstance(value, Pointer):
                return value
            shown = _text(value, pointers=True)
            if shown is None:
                return UNKNOWN
            out.append(shown)
            length += len(out[-1]) + len(out[-2])
            if length > TEXT_CHARACTERS_MAX:
                return UNKNOWN
        out.append(text[position:])
        return self._used("".join(out))

    def _find(self, keys: Sequence[Value]) -> Value:
        value: Value = self._mappings
        for key in keys[:3]:
            text = str(key) if isinstance(key, Doubtful) else _text(key)
            value = value.get(text) if isinstance(value, Mapping) and text is not None else None
        return UNKNOWN if value is None or len(keys) < 3 else self._used(value)


def _join(given: Value) -> Value:
    if not isinstance(given, list) or len(given) != 2 or not isinstance(given[1], list):
        return UNKNOWN
    items = [_text(item, pointers=True) for item in given[1]]
    if not isinstance(given[0], str) or None in items:
        return UNKNOWN
    size = sum(len(item) + len(given[0]) for item in items if item is not None)
    return UNKNOWN if size > TEXT_CHARACTERS_MAX else given[0].join(item for item in items if item is not None)


def _select(given: Value) -> Value:
    if not isinstance(given, list) or len(given) != 2 or not isinstance(given[1], list):
        return UNKNOWN
    place = _text(given[0])
    if place is None or not place.isascii() or not place.isdigit() or len(place) > 6:
        return UNKNOWN
    return given[1][int(place)] if int(place) < len(given[1]) else UNKNOWN


def _split(given: Value) -> Value:
    if not isinstance(given, list) or len(given) != 2 or not isinstance(given[0], str) or not given[0]:
        return UNKNOWN
    if type(given[1]) is not str:
        return UNKNOWN
    parts = given[1].split(given[0])
    return list(parts) if len(parts) <= ITEMS_MAX else UNKNOWN


def _base64(given: Value) -> Value:
    text = _text(given, pointers=True)
    return UNKNOWN if text is None else base64.b64encode(text.encode("utf-8", "replace")).decode("ascii")


def _length(given: Value) -> Value:
    return len(given) if isinstance(given, list) else UNKNOWN


_FUNCTIONS = {
    "Fn::Join": _join,
    "Fn::Select": _select,
    "Fn::Split": _split,
    "Fn::Base64": _base64,
    "Fn::Length": _length,
}


def _function(value: Value) -> tuple[str, Value] | None:
    """The function an object stands for: one member that is named like one."""
    if isinstance(value, Mapping) and len(value) == 1:
        name, given = next(iter(value.items()))
        if name in ("Ref", "Condition") or str(name).startswith("Fn::"):
            return (str(name), given) if name != "Condition" or isinstance(given, str) else None
    return None


def _rewritten(document: Value) -> bool:
    """Whether a macro or a loop stands anywhere: it may rewrite all that is beside it."""
    stack = [document]
    while stack:
        one = stack.pop()
        if isinstance(one, Mapping):
            if any(str(key) == "Fn::Transform" or str(key).startswith("Fn::ForEach") for key in one):
                return True
            stack.extend(one.values())
        elif isinstance(one, list):
            stack.extend(one)
    return False


def _without(members: dict[str, Value]) -> dict[str, Value]:
    return {key: value for key, value in members.items() if value is not NO_VALUE}


def _text(value: Value, *, pointers: bool = False) -> str | None:
    """A constant as CloudFormation writes it into text; None for what is not constant."""
    if isinstance(value, Pointer):
        return str(value) if pointers else None
    if isinstance(value, Doubtful):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int) else None


def _mapping(value: Value) -> Mapping[str, Value]:
    return value if isinstance(value, Mapping) else {}


def _value_of(row: Value, given: Mapping[str, Value], name: str) -> Value:
    """A parameter's value: given, else its default; a secret or a looked-up one is unknown."""
    declared = _mapping(row)
    kind = declared.get("Type")
    if (
        not isinstance(kind, str)
        or kind.startswith("AWS::SSM::")
        or declared.get("NoEcho") not in (None, False, "false")
    ):
        return UNKNOWN
    value = given[name] if name in given else declared.get("Default", UNKNOWN)
    if isinstance(value, bool | int):
        value = _text(value)
    if not isinstance(value, str):
        return UNKNOWN
    if kind == "CommaDelimitedList" or kind.startswith("List<"):
        items = [item.strip() for item in value.split(",")]
        return items if len(items) <= ITEMS_MAX else UNKNOWN
    return value
