"""What one call's members say, gathered while its effects are worked out: classes, count, things named, plain words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from functools import lru_cache

from comptroller.core.action import ActionClass, Value
from comptroller.decode.shape import Undecodable

QUANTITY_MAX = 10**9
RESOURCES_MAX = 64
RESOURCE_LENGTH_MAX = 2048
WORDS_MAX = 8
WORD_CHARACTERS_MAX = 120
EVERYONE = frozenset({"allusers", "allauthenticatedusers"})
NUMBER_CHARACTERS_MAX = 24

Members = Mapping[str, Value]

_UPPER = re.compile(r"(?<=[a-z0-9])([A-Z])")


@dataclass(slots=True, kw_only=True)
class Reading:
    """One call. `members` is its JSON body, `query` its decoded query, `values` the variables of its path, `resource`
    its path without version. Effects add to the rest; nothing here ever takes a class away."""

    service: str
    name: str
    members: Members
    query: Mapping[str, tuple[str, ...]]
    resource: str
    values: tuple[str, ...] = ()
    classes: set[ActionClass] = field(default_factory=set)
    quantity: int = 1
    resources: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)

    def add(self, *classes: ActionClass) -> None:
        """These classes as well."""
        self.classes.update(classes)

    def say(self, text: str) -> None:
        """One more clause of the sentence."""
        if len(self.words) < WORDS_MAX:
            self.words.append(text)

    def names(self, *things: Value) -> None:
        """Things the call names."""
        self.resources += [thing for thing in things if isinstance(thing, str) and thing]

    def count(self, number: int | None) -> None:
        """How many things at most; the largest wins."""
        if number is not None:
            if not 0 <= number <= QUANTITY_MAX:
                raise Undecodable("the count is out of bounds")
            self.quantity = max(self.quantity, number)

    def asked(self, name: str) -> str | None:
        """The value of a query member; None where absent. Raises `Undecodable` where it appears twice."""
        found = self.query.get(name, ())
        if len(found) > 1:
            raise Undecodable(f"the query has `{name}` more than once")
        return found[0] if found else None

    def asks(self, name: str) -> bool:
        """Whether a query member is set to anything but false."""
        return any(value.lower() not in ("false", "0", "") for value in self.query.get(name, ()))


@lru_cache(maxsize=4096)
def snake(name: str) -> str:
    """`machineType` -> `machine_type`."""
    return _UPPER.sub(r"_\1", name).lower()


def camel(name: str) -> str:
    """`machine_type` -> `machineType`: Google's JSON reads both."""
    if "_" not in name:
        return name
    first, *others = name.split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in others)


def at(value: Value, *path: str) -> Value:
    """The member at a path of names, each in camel or snake case; None where there is none."""
    for name in path:
        if not isinstance(value, dict):
            return None
        found = value.get(name)
        value = value.get(snake(name)) if found is None else found
    return value


def table(value: Value, *path: str) -> Members:
    """As `at`, where only an object will do; else an empty one."""
    found = at(value, *path)
    return found if isinstance(found, Mapping) else {}


def rows(value: Value, *path: str) -> Sequence[Value]:
    """As `at`, where only a list will do; a single object stands for a list of one."""
    found = at(value, *path)
    if isinstance(found, Mapping):
        return [found]
    return found if isinstance(found, Sequence) and not isinstance(found, str | bytes) else ()


def text(value: Value, *path: str) -> str:
    """As `at`, where only text will do; else empty."""
    found = at(value, *path)
    return found if isinstance(found, str) else ""


def whole(value: Value) -> int | None:
    """A whole number, as number or text (Google's JSON writes 64-bit numbers as text); None where absent.

    Raises `Undecodable` for anything else.
    """
    if value is None:
        return None
    try:
        if isinstance(value, bool) or (isinstance(value, str) and not 0 < len(value) <= NUMBER_CHARACTERS_MAX):
            raise InvalidOperation
        number = Decimal(value if isinstance(value, int | str | Decimal) else "x")
        if not number.is_finite() or abs(number.adjusted()) > NUMBER_CHARACTERS_MAX or number != int(number):
            raise InvalidOperation
    except (InvalidOperation, ValueError) as error:
        raise Undecodable("a count is no whole number") from error
    return int(number)


def last(path: Value) -> str:
    """`zones/us-central1-a/machineTypes/n2-standard-4` -> `n2-standard-4`."""
    return path.rpartition("/")[2] if isinstance(path, str) else ""


def word(value: Value) -> str:
    """A value fit for a sentence: printable, short, on one line."""
    shown = "".join(letter if letter.isprintable() else "?" for letter in str(value))
    return shown if len(shown) <= WORD_CHARACTERS_MAX else shown[: WORD_CHARACTERS_MAX - 1] + "…"


def some(values: Iterable[Value], most: int = 3) -> str:
    """`a, b, c and 4 more`."""
    found = [word(value) for value in values]
    shown = ", ".join(found[:most])
    return f"{shown} and {len(found) - most} more" if len(found) > most else shown


def spelled_twice(value: Value) -> bool:
    """Whether an object has a member in camel and in snake case: nobody can say which one counts."""
    stack = [value]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            if any("_" in name and camel(name) in node and camel(name) != name for name in node):
                return True
            stack += [member for member in node.values() if isinstance(member, dict | list)]
        elif isinstance(node, list):
            stack += [member for member in node if isinstance(member, dict | list)]
    return False


def inside(value: Value) -> Iterator[tuple[str, Value]]:
    """Every named member, however deep; names in camel case."""
    stack = [value]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            for name, member in node.items():
                yield name, member
                if isinstance(member, dict | list):
                    stack.append(member)
        elif isinstance(node, list):
            stack += node
