"""A described service, ready for use, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from comptroller.core.action import Value
from comptroller.decode.codec import Classes
from comptroller.decode.described.amount import Money
from comptroller.decode.described.place import Place
from comptroller.decode.described.route import Router, Template
from comptroller.decode.described.sentence import Sentence
from comptroller.decode.http import METHOD_CLASSES

if TYPE_CHECKING:
    from comptroller.decode.described.document import CredentialPart, RefusalPart


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """Classes added where `at` holds one of `equals` (text, lower case), none of `unless`, what begins as one of
    `begins`, or anything."""

    at: Place
    equals: frozenset[str] | None
    unless: frozenset[str] | None
    begins: tuple[str, ...] | None
    classes: Classes


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Micro-dollars of a call, or of each unit that `per` counts."""

    usd_micros: int
    per: Place | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphQL:
    """Classes of top-level fields; those that are not listed are read (queries) and write (mutations)."""

    queries: Mapping[str, Classes]
    mutations: Mapping[str, Classes]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Operation:
    """One operation. `classes` is None where only an OpenAPI document knows it, and nobody has said what it is."""

    name: str
    methods: tuple[str, ...]
    template: Template
    classes: Classes | None
    kinds: frozenset[str]
    line: int = 0
    explicit: bool = True
    money: Money | None = None
    cost: Cost | None = None
    when: tuple[Condition, ...] = ()
    quantity: Place | None = None
    idempotency: tuple[Place, ...] = ()
    sensitive: frozenset[str] = frozenset()
    sentence: Sentence | None = None
    made: Place | None = None
    graphql: GraphQL | None = None

    @property
    def key(self) -> str:
        """As it is written: `POST /v1/transfers`."""
        return f"{'|'.join(self.methods)} {self.template.text}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One service as described. `otherwise` is what an operation that is not described has besides its method's class;
    None: it is unknown."""

    name: str
    title: str
    source: str
    reviewed: bool
    hosts: tuple[str, ...]
    origin: str
    credential: CredentialPart
    headers: tuple[str, ...]
    retry: str | None
    otherwise: Classes | None
    refusal: RefusalPart
    operations: tuple[Operation, ...]
    router: Router[Operation] = field(repr=False)

    def known(self) -> Mapping[str, Classes]:
        """Operations by full name, with the classes each always has."""
        found: dict[str, Classes] = {}
        for operation in self.operations:
            if operation.classes is None:
                continue
            full = f"{self.name}:{operation.name}"
            found[full] = found[full] & operation.classes if full in found else operation.classes
            if operation.graphql is not None:
                for kind, table in (("query", operation.graphql.queries), ("mutation", operation.graphql.mutations)):
                    found |= {f"{self.name}:{kind}.{name}": classes for name, classes in table.items()}
        if self.otherwise is not None:
            found |= {f"{self.name}:other:{method}": self.other(method) for method in METHOD_CLASSES}
        return found

    def other(self, method: str) -> Classes:
        """Classes of what is not described: never less than the method's own."""
        return frozenset({METHOD_CLASSES[method], *(self.otherwise or ())})


def value_text(value: Value) -> str | None:
    """How a value is compared with those of a condition; None for what is no single value."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value).strip().casefold() if isinstance(value, str | int) else None
